"""What a refresh moved: the headlines of two editions beside each other, and why each of them is another number now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from wardbook import edition as editions
from wardbook import places, tables
from wardbook.edition import Edition, input_hashes
from wardbook.periods import financial_year, financial_year_of

GROUPS = (tables.TOTAL, "violence with injury", "robbery", "residential burglary")
YEARS = 2  # of each series: the newest complete ones of either edition
KEY = ["headline", "area", "period"]
# The hand-kept tables that a table's counts depend on: of stops, which months are complete.
COUNTED_BY = {"borough_offences": ("boroughs.csv", "offence_groups.csv"), "stops": ("breaks.csv",)}


@dataclass(frozen=True)
class Held:
    """What is kept of an edition that is about to be replaced: its headlines and its manifest."""

    headlines: pl.DataFrame
    manifest: dict

    @staticmethod
    def of(edition: Edition) -> Held:
        """An opened edition's headlines, read now."""
        return Held(headlines(edition), edition.manifest)


def held_at(folder: Path) -> Held | None:
    """The edition in a folder; None where there is none, or one that is not whole: then nothing is compared."""
    try:
        return Held.of(editions.open_edition(folder))
    except editions.EditionError:
        return None


def headlines(edition: Edition) -> pl.DataFrame:
    """An edition's headlines: `headline, area, period, value, snapshot, table`; recorded crime, searches, survey, by borough."""
    frames = []
    if "borough_offences" in edition.tables:
        months = edition.table("borough_offences").filter(pl.col("offence_group").is_in(GROUPS))
        frames.append(_yearly(months, pl.col("offence_group"), "offences", "borough_offences"))
    if "knife_offences" in edition.tables:
        months = edition.table("knife_offences").filter(subtype="Knife Crime")
        months = months.with_columns(snapshot=pl.col("month").max().dt.strftime("%Y-%m"))
        frames.append(_yearly(months, pl.lit("knife crime"), "offences", "knife_offences"))
    if "stops" in edition.tables:
        held = edition.table("stop_coverage").filter("complete")
        months = edition.table("stops").join(held, on="month", how="semi").with_columns(snapshot=pl.lit(""))
        frames.append(_yearly(months, pl.lit("stops and searches"), "stops", "stops"))
    if "confidence" in edition.tables:
        survey = edition.table("confidence")
        survey = survey.filter(pl.col("quarter_end") == pl.col("quarter_end").max().over("question"))
        until = pl.col("quarter_end").dt.strftime("%B %Y")
        frames.append(
            survey.select(
                headline=pl.format("survey: {}", "question"),
                area=_named(pl.col("borough_code")),
                period=pl.format("twelve months to {}", until),
                value=pl.col("share").cast(pl.Float64),
                snapshot=pl.lit(""),
                table=pl.lit("confidence"),
            ).drop_nulls("area")
        )
    none = {**dict.fromkeys(KEY, pl.String), "value": pl.Float64, "snapshot": pl.String, "table": pl.String}
    return pl.concat([pl.DataFrame(schema=none), *frames]).sort(KEY)


def _named(code: pl.Expr) -> pl.Expr:
    listed = places.boroughs()
    names = dict(zip(listed["borough_code"], listed["borough"])) | {places.LONDON_CODE: places.LONDON}
    return code.replace_strict(names, default=None, return_dtype=pl.String)


def _yearly(months: pl.DataFrame, headline: pl.Expr, count: str, table: str) -> pl.DataFrame:
    """Sums by borough and for all together, those without a borough included, for each series and complete financial year."""
    rows = months.with_columns(year=financial_year_of(pl.col("month")))
    rows = rows.filter(pl.col("month").n_unique().over("snapshot", "year") == 12)
    # Of several snapshots that hold a year the newest is the one that is shown.
    rows = rows.filter(pl.col("snapshot") == pl.col("snapshot").max().over("year"))
    every = rows.with_columns(area=pl.lit("all places"))
    mine = rows.with_columns(area=_named(pl.col("borough_code"))).drop_nulls("area")
    period = pl.col("year").map_elements(lambda year: str(financial_year(year)), return_dtype=pl.String)
    sums = pl.concat([every, mine]).group_by(headline.alias("headline"), "area", period.alias("period"), "snapshot")
    value = pl.col(count).sum().cast(pl.Float64)
    return sums.agg(value.alias("value")).select(*KEY, "value", "snapshot", table=pl.lit(table))


def compare(old: Held, new: Held) -> pl.DataFrame:
    """Every headline that is another number in the new edition: `headline, area, period, before, after, why`.

    Only the newest complete years are headlines: two years of each series in either edition. `why` is a new month (the
    period was not held in full), a definition (a table of `data/reference` that counts depend on changed), a revision (the
    publisher's files did), or neither, which asks for a line in CHANGELOG.md.
    """
    left, right = old.headlines, new.headlines
    both = left.join(right, on=KEY, how="full", coalesce=True, suffix="_new")
    both = both.with_columns(pl.coalesce("table", "table_new").alias("table"))
    recent = pl.col("period").rank("dense", descending=True).over("headline") <= YEARS
    both = both.filter(recent | pl.col("headline").str.starts_with("survey"))
    moved = both.filter(pl.col("value").ne_missing(pl.col("value_new"))).sort(pl.col("area") != "all places", *KEY)
    why = [_why(row, old, new) for row in moved.iter_rows(named=True)]
    return moved.select(
        *KEY,
        pl.col("value").alias("before"),
        pl.col("value_new").alias("after"),
        pl.Series("why", why, dtype=pl.String),
    )


def _why(row: dict, old: Held, new: Held) -> str:
    if row["value"] is None:
        return "new month"
    if row["value_new"] is None:
        return "no longer held"
    reasons = []
    if _files(old, row["table"]) != _files(new, row["table"]):
        newer = f" ({row['snapshot']} to {row['snapshot_new']})" if row["snapshot"] != row["snapshot_new"] else ""
        reasons.append(f"revision{newer}")
    before, after = old.manifest["reference"], new.manifest["reference"]
    if changed := [name for name in COUNTED_BY.get(row["table"], ()) if before.get(name) != after.get(name)]:
        reasons.append(f"definition ({', '.join(changed)})")
    return " and ".join(reasons) or "same files, read or counted differently"


def _files(held: Held, table: str) -> set[str]:
    keys = held.manifest["tables"][table]["sources"]
    entries = (entry for entry in held.manifest["inputs"] if entry["source"] in keys)
    return {digest for entry in entries for digest in input_hashes(entry).values()}


def report(moved: pl.DataFrame) -> list[str]:
    """The comparison as lines to print, a line a headline; one line where nothing moved."""
    if moved.is_empty():
        return ["No headline moved."]
    shown = moved.with_columns(
        pl.col("before", "after").map_elements(_said, return_dtype=pl.String, skip_nulls=False),
    )
    whole = {"tbl_rows": -1, "tbl_cols": -1, "tbl_width_chars": 300, "fmt_str_lengths": 300}
    bare = {"tbl_formatting": "NOTHING", "tbl_hide_dataframe_shape": True, "tbl_hide_column_data_types": True}
    with pl.Config(**whole, **bare):
        return [line.rstrip() for line in str(shown).splitlines()]


def _said(value: float | None) -> str:
    if value is None:
        return "not held"
    return f"{value:,.0f}" if value > 1 or value == 0 else f"{value:.2f}"
