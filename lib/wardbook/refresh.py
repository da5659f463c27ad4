"""What a refresh moved: the headlines of two editions beside each other, and why each of them is another number now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from wardbook import edition as editions
from wardbook import places, tables
from wardbook.edition import Edition, input_hashes
from wardbook.periods import complete_years, financial_year, financial_year_of

GROUPS = (tables.TOTAL, "violence with injury", "robbery", "residential burglary")
YEARS = 2  # of each series: the newest complete ones of either edition
KEY = ["headline", "area", "period"]
# The hand-kept tables that a table's counts depend on: of stops, which months are complete.
COUNTED_BY = {"borough_offences": ("boroughs.csv", "offence_groups.csv"), "stops": ("breaks.csv",)}
NEW, GONE, DEFINITION, READER, REVISION = (
    "new month",
    "no longer held",
    "definition",
    "same files, read or counted differently",
    "revision",
)


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
    shape = {**dict.fromkeys(KEY, pl.String), "value": pl.Float64, "snapshot": pl.String, "table": pl.String}
    found = [pl.DataFrame(schema=shape)]
    for name, years in (("borough_offences", _crime(edition)), ("knife_offences", _knife(edition))):
        if years is not None:
            # Of several snapshots that hold a year the newest is the one that is shown.
            newest = years.filter(pl.col("snapshot") == pl.col("snapshot").max().over("year"))
            found.append(_by_area(newest, "offence_group", "offences", "snapshot").with_columns(table=pl.lit(name)))
    if "stops" in edition.tables:
        held = edition.table("stop_coverage").filter("complete")["month"]
        years = [year.start for year in complete_years(held) if year.is_financial_year]
        rows = edition.table("stops").with_columns(financial_year_of(pl.col("month")).alias("year"))
        rows = rows.filter(pl.col("year").is_in(years)).with_columns(
            what=pl.lit("stops and searches"), snapshot=pl.lit("")
        )
        found.append(_by_area(rows, "what", "stops", "snapshot").with_columns(table=pl.lit("stops")))
    if "confidence" in edition.tables:
        rows = edition.table("confidence")
        rows = rows.filter(pl.col("quarter_end") == pl.col("quarter_end").max().over("question"))
        named = pl.col("borough_code").replace_strict(_names(), default=None).alias("area")
        found.append(
            rows.select(
                pl.format("survey: {}", "question").alias("headline"),
                named,
                pl.format("twelve months to {}", pl.col("quarter_end").dt.strftime("%B %Y")).alias("period"),
                pl.col("share").cast(pl.Float64).alias("value"),
                pl.lit("").alias("snapshot"),
                pl.lit("confidence").alias("table"),
            ).drop_nulls("area")
        )
    return pl.concat([frame.select(list(shape)) for frame in found]).sort(KEY)


def _names() -> dict[str, str]:
    listed = places.boroughs()
    return dict(zip(listed["borough_code"], listed["borough"])) | {places.LONDON_CODE: places.LONDON}


def _crime(edition: Edition) -> pl.DataFrame | None:
    if "borough_offences" not in edition.tables:
        return None
    return edition.borough_years.filter(pl.col("offence_group").is_in(GROUPS))


def _knife(edition: Edition) -> pl.DataFrame | None:
    if "knife_offences" not in edition.tables:
        return None
    return edition.knife_years.filter(pl.col("offence_group") == "Knife Crime").with_columns(
        offence_group=pl.lit("knife crime")
    )


def _by_area(rows: pl.DataFrame, what: str, count: str, snapshot: str) -> pl.DataFrame:
    """Sums by borough and for all together, those without a borough included, for each series and financial year."""
    if rows.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(KEY, pl.String), "value": pl.Float64, "snapshot": pl.String})
    every = rows.with_columns(pl.lit("all places").alias("area"))
    mine = rows.with_columns(pl.col("borough_code").replace_strict(_names(), default=None).alias("area"))
    both = pl.concat([every, mine.drop_nulls("area")]).group_by(what, "area", "year", snapshot)
    years = {year: str(financial_year(year)) for year in rows["year"].unique()}
    return both.agg(pl.col(count).sum().cast(pl.Float64).alias("value")).select(
        pl.col(what).alias("headline"),
        "area",
        pl.col("year").replace_strict(years, return_dtype=pl.String).alias("period"),
        "value",
        pl.col(snapshot).alias("snapshot"),
    )


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
        return NEW
    if row["value_new"] is None:
        return GONE
    before, after = old.manifest["reference"], new.manifest["reference"]
    changed = [name for name in COUNTED_BY.get(row["table"], ()) if before.get(name) != after.get(name)]
    same = _files(old, row["table"]) == _files(new, row["table"])
    reasons = []
    if not same:
        known = row["snapshot"] != row["snapshot_new"]
        reasons.append(f"{REVISION} ({row['snapshot']} to {row['snapshot_new']})" if known else REVISION)
    if changed:
        reasons.append(f"{DEFINITION} ({', '.join(changed)})")
    return " and ".join(reasons) or READER


def _files(held: Held, table: str) -> set[str]:
    keys = held.manifest["tables"][table]["sources"]
    entries = (entry for entry in held.manifest["inputs"] if entry["source"] in keys)
    return {digest for entry in entries for digest in input_hashes(entry).values()}


def report(moved: pl.DataFrame) -> list[str]:
    """The comparison as lines to print, a line a headline; one line where nothing moved."""
    if moved.is_empty():
        return ["No headline moved."]
    head = ("headline", "area", "period", "before", "after", "why")
    rows = [head]
    for row in moved.iter_rows(named=True):
        rows.append((*(row[name] for name in KEY), _said(row["before"]), _said(row["after"]), row["why"]))
    wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for row in rows:
        cells = [cell.rjust(w) if i in (3, 4) else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, wide))]
        lines.append("  ".join(cells).rstrip())
    return lines


def _said(value: float | None) -> str:
    if value is None:
        return "not held"
    return f"{value:,.0f}" if value > 1 or value == 0 else f"{value:.2f}"
