"""What a refresh moved: the headlines of two editions beside each other, and why each of them is another number now."""

from __future__ import annotations

import polars as pl

from wardbook import places, tables
from wardbook.edition import Edition, input_hashes
from wardbook.periods import financial_year_label

GROUPS = (tables.TOTAL, "violence with injury", "robbery", "residential burglary")
YEARS = 2  # of each series: the newest complete ones of either edition
KEY = ["headline", "area", "period"]
# The hand-kept tables that a table's counts depend on: of stops, which months are complete.
COUNTED_BY = {"borough_offences": ("boroughs.csv", "offence_groups.csv"), "stops": ("breaks.csv",)}


def headlines(edition: Edition) -> pl.DataFrame:
    """An edition's headlines: recorded crime, searches and the survey, by borough and for all places together.

    Returns
    -------
    pl.DataFrame
        `headline`, `area`, `period`, `value`, `snapshot` (empty where a table has none), and what the table is made from,
        `files` (their SHA-256) and `rules` (those of the hand-kept tables), by which a revision is told from a definition.
    """
    none = dict.fromkeys(KEY, pl.String) | {"value": pl.Float64}
    frames = [pl.DataFrame(schema=none | dict.fromkeys(("snapshot", "files", "rules"), pl.String))]
    for name, rows in (
        ("borough_offences", lambda table: table.filter(pl.col("offence_group").is_in(GROUPS))),
        ("knife_offences", lambda table: table.filter(subtype="Knife Crime")),
        ("stops", lambda table: table.join(edition.table("stop_coverage").filter("complete"), on="month", how="semi")),
    ):
        if name in edition.tables:
            frames.append(_yearly(rows(edition.table(name)), name).with_columns(**_made_from(edition, name)))
    if "confidence" in edition.tables:
        survey = edition.table("confidence")
        newest = survey.filter(pl.col("quarter_end") == pl.col("quarter_end").max().over("question")).select(
            headline=pl.format("survey: {}", "question"),
            area=_named(pl.col("borough_code")),
            period=pl.format("twelve months to {}", pl.col("quarter_end").dt.strftime("%B %Y")),
            value=pl.col("share").cast(pl.Float64),
            snapshot=pl.lit(""),
        )
        frames.append(newest.with_columns(**_made_from(edition, "confidence")))
    return pl.concat(frames).drop_nulls("area").sort(KEY)


def _named(code: pl.Expr) -> pl.Expr:
    listed = places.boroughs()
    names = dict(zip(listed["borough_code"], listed["borough"])) | {places.LONDON_CODE: places.LONDON}
    return code.replace_strict(names, default=None, return_dtype=pl.String)


def _made_from(edition: Edition, table: str) -> dict[str, pl.Expr]:
    keys = edition.manifest["tables"][table]["sources"]
    entries = [entry for entry in edition.manifest["inputs"] if entry["source"] in keys]
    files = {digest for entry in entries for digest in input_hashes(entry).values()}
    rules = [edition.manifest["reference"][name] for name in COUNTED_BY.get(table, ())]
    return {"files": pl.lit(" ".join(sorted(files))), "rules": pl.lit(" ".join(rules))}


def _yearly(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Sums by borough and for all together, those without a borough included, for each series and complete financial year."""
    headline = {"borough_offences": pl.col("offence_group"), "knife_offences": pl.lit("knife crime")}
    rows = rows.select(
        headline.get(name, pl.lit("stops and searches")).alias("headline"),
        financial_year_label(pl.col("month")).alias("period"),
        pl.col("snapshot") if "snapshot" in rows.columns else pl.lit("").alias("snapshot"),
        pl.col("month"),
        _named(pl.col("borough_code")).alias("area"),
        pl.col("stops" if name == "stops" else "offences").cast(pl.Float64).alias("value"),
    ).filter(pl.col("month").n_unique().over("snapshot", "period") == 12)
    # Of several snapshots that hold a year the newest is the one that is shown.
    rows = rows.filter(pl.col("snapshot") == pl.col("snapshot").max().over("period"))
    both = pl.concat([rows.with_columns(area=pl.lit("all places")), rows])
    return both.group_by(*KEY, "snapshot").agg(pl.col("value").sum()).select(*KEY, "value", "snapshot")


def compare(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Every headline that is another number in the new edition: `headline, area, period, before, after, why`.

    Only the newest complete years are headlines: two years of each series in either edition. `why` is a new month (the
    period was not held in full), a definition (a table of `data/reference` that counts depend on changed), a revision (the
    publisher's files did), or neither, which asks for a line in CHANGELOG.md.
    """
    both = old.join(new, on=KEY, how="full", coalesce=True, suffix="_new")
    recent = pl.col("period").rank("dense", descending=True).over("headline") <= YEARS
    both = both.filter(recent | pl.col("headline").str.starts_with("survey"))
    moved = both.filter(pl.col("value").ne_missing(pl.col("value_new"))).sort(pl.col("area") != "all places", *KEY)
    newer = pl.when(pl.col("snapshot") != pl.col("snapshot_new")).then(
        pl.format(" ({} to {})", "snapshot", "snapshot_new")
    )
    reasons = pl.concat_str(
        pl.when(pl.col("files") != pl.col("files_new")).then(pl.format("revision{}", newer.otherwise(pl.lit("")))),
        pl.when(pl.col("rules") != pl.col("rules_new")).then(pl.lit("definition")),
        separator=" and ",
        ignore_nulls=True,
    )
    why = pl.when(pl.col("value").is_null()).then(pl.lit("new month"))
    why = why.when(pl.col("value_new").is_null()).then(pl.lit("no longer held")).when(reasons != "").then(reasons)
    same = pl.lit("same files, read or counted differently")
    return moved.select(*KEY, before="value", after="value_new", why=why.otherwise(same))


def report(moved: pl.DataFrame) -> list[str]:
    """The comparison as lines to print, a line a headline; one line where nothing moved."""
    lines = [
        f"{headline}, {area}, {period}: {_said(before)} → {_said(after)} ({why})"
        for headline, area, period, before, after, why in moved.iter_rows()
    ]
    return lines or ["No headline moved."]


def _said(value: float | None) -> str:
    if value is None:
        return "not held"
    return f"{value:,.0f}" if value > 1 or value == 0 else f"{value:.2f}"
