"""The edition's tables of stops and searches: one function a table, and `make`, which places the stops and makes them all.

As in `wardbook.tables`: keyed by GSS code, sorted by key, whole counts; what each column means stands in
`data/dictionary.csv`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from wardbook import places, vocabulary
from wardbook.periods import declared_breaks, financial_year_label, month_after
from wardbook.sources import placing

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

UNPLACED = "unplaced"  # the borough_code of stops without coordinates, or with coordinates outside London


def _tally(stops: pl.DataFrame, *key: str | pl.Expr, name: str = "searches") -> pl.DataFrame:
    counted = stops.group_by(*key).agg(pl.len().cast(pl.Int32).alias(name))
    return counted.sort(counted.columns[:-1])


def stops(frame: pl.DataFrame) -> pl.DataFrame:
    """Stops: borough (or `unplaced`) × month × section 60 or not × search type × outcome."""
    key = ("borough_code", "month", "is_section_60", "search_type")
    return _tally(frame, *key, pl.col("outcome").fill_null("not recorded"), name="stops")


def person_searches(frame: pl.DataFrame) -> pl.DataFrame:
    """The stops in which a person was searched: a vehicle-only search is no person's, and 91 % of them have no ethnicity."""
    return frame.filter(pl.col("search_type") != "Vehicle search").with_columns(
        vocabulary.broad_group(pl.col("self_defined")).alias("self_defined"),
        pl.col("officer_defined").fill_null("blank"),
    )


def searches(persons: pl.DataFrame) -> pl.DataFrame:
    """Person searches: borough × month × object × section 60 or not × both definitions × outcome × age band × clothing.

    `more_than_outer_clothing` is null before February 2024, when nothing was published of it.
    """
    return _tally(
        persons.with_columns(
            pl.col("object_of_search", "outcome").fill_null("not recorded"),
            pl.col("age_range").fill_null("not recorded").alias("age_band"),
        ),
        *("borough_code", "month", "object_of_search", "is_section_60", "self_defined", "officer_defined"),
        *("outcome", "age_band", "more_than_outer_clothing"),
    )


def searches_by_day(persons: pl.DataFrame) -> pl.DataFrame:
    """Person searches: borough × local day × object × both definitions: what a bootstrap by day draws from."""
    return _tally(
        persons.with_columns(pl.col("object_of_search").fill_null("not recorded")),
        *("borough_code", pl.col("local_time").dt.date().alias("day"), "object_of_search"),
        *("self_defined", "officer_defined"),
    )


def ward_stops(frame: pl.DataFrame) -> pl.DataFrame:
    """Stops: ward × financial year × how they were placed (`placing.place_in_wards`)."""
    placed = frame.filter(pl.col("ward_code").is_not_null()).with_columns(financial_year_label(pl.col("month")))
    return _tally(placed, "ward_code", "financial_year", "placed_by", name="stops")


def ward_placing(frame: pl.DataFrame) -> pl.DataFrame:
    """Stops placed by outline, and how many of them the best fit puts in the same ward: borough × financial year.

    Says how far to trust the wards of the other boroughs, which only the best fit can place.
    """
    both = frame.filter(pl.col("placed_by") == placing.OUTLINE).with_columns(financial_year_label(pl.col("month")))
    same = (pl.col("ward_code") == pl.col("best_fit_ward")).fill_null(False)
    counts = both.group_by("borough_code", "financial_year").agg(pl.len().alias("stops"), same.sum().alias("same_ward"))
    return counts.cast({"stops": pl.Int32, "same_ward": pl.Int32}).sort("borough_code", "financial_year")


def thorough_searches(frame: pl.DataFrame) -> pl.DataFrame:
    """More thorough searches: borough × calendar year × age band × ethnic appearance × adult present × outcome.

    `months` is how many months of the year are published.
    """
    year = frame.with_columns(
        pl.col("month").dt.year().alias("year"),
        pl.col("month").n_unique().over(pl.col("month").dt.year()).cast(pl.Int32).alias("months"),
    )
    key = ("borough_code", "year", "age_band", "ethnic_appearance", "adult_present", "outcome", "months")
    return _tally(year, *key)


def stop_coverage(frame: pl.DataFrame, breaks: pl.DataFrame | None = None) -> pl.DataFrame:
    """Per force and month: rows, unplaced, duplicates, gaps, the last local day seen, and whether the month is complete.

    Complete means: the last day of the month is there, the rows are at least half the median of the three months either
    side (a month cut to a third of its neighbours has been published), at most half are unplaced, at most nine in
    ten lack an age or an ethnicity, and no declared break of publication has begun that has not ended. A month that is
    not complete is named in `why_not`.

    Parameters
    ----------
    breaks : rows of `declared_breaks`; of them those of the series "stops" that cut. Months apart by one are no neighbours.
    """
    starts = [] if breaks is None else breaks.filter(series="stops", effect="cuts").sort("from_month").rows(named=True)
    months = (
        frame.group_by("force", "month")
        .agg(
            pl.len().cast(pl.Int32).alias("rows"),
            (pl.col("borough_code") == UNPLACED).sum().cast(pl.Int32).alias("unplaced"),
            pl.col("is_repeat").sum().cast(pl.Int32).alias("exact_duplicates"),
            pl.col("age_range").null_count().cast(pl.Int32).alias("without_age"),
            pl.col("self_defined").null_count().cast(pl.Int32).alias("without_ethnicity"),
            pl.col("local_time").dt.date().max().alias("last_day"),
        )
        .sort("force", "month")
    )
    reasons = []
    for row in months.iter_rows(named=True):
        around = pl.col("month").is_between(month_after(row["month"], -3), month_after(row["month"], 3))
        inside = [s for s in starts if s["from_month"] <= row["month"] <= (s["to_month"] or row["month"])]
        same_side = [(pl.col("month") >= s["from_month"]) == (row["month"] >= s["from_month"]) for s in starts]
        near = months.filter(pl.col("force") == row["force"], pl.col("month") != row["month"], around, *same_side)[
            "rows"
        ]
        last = month_after(row["month"], 1) - timedelta(days=1)
        why = [f"in a break of publication: {start['break_id']}" for start in inside]
        if row["last_day"] < last:
            why.append(f"ends on the {row['last_day'].day}{_ordinal(row['last_day'].day)}")
        if len(near) and row["rows"] < 0.5 * near.median():
            why.append(f"{row['rows']:,} rows where the months around it have about {near.median():,.0f}")
        if row["unplaced"] > 0.5 * row["rows"]:
            why.append(f"{row['unplaced'] / row['rows']:.0%} without a place")
        if max(row["without_age"], row["without_ethnicity"]) > 0.9 * row["rows"]:
            why.append("almost no ages or ethnicities")
        reasons.append("; ".join(why) or None)
    months = months.with_columns(pl.Series("why_not", reasons, dtype=pl.String))
    return months.with_columns(pl.col("why_not").is_null().alias("complete"))


def _ordinal(day: int) -> str:
    return "th" if 10 < day % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def boroughs_unchanged_since_2018(wards: pl.DataFrame) -> list[str]:
    """The boroughs all of whose 2024 ward codes were in use in 2018 (seven of the Met's)."""
    met = places.boroughs()["borough_code"]
    now = wards.filter(pl.col("vintages").str.contains("2024"), pl.col("borough_code").is_in(met.implode()))
    kept = now.group_by("borough_code").agg(pl.col("vintages").str.contains("2018").all().alias("kept"))
    return kept.filter("kept")["borough_code"].sort().to_list()


def make(
    frame: pl.DataFrame,
    boroughs: GeoDataFrame,
    wards: pl.DataFrame | None,
    wards_2018: GeoDataFrame | None,
    lsoas: GeoDataFrame | None,
    lookup: pl.DataFrame | None,
) -> dict[str, pl.DataFrame]:
    """Every table of stops, by name; those by ward only where all that places a stop in one is at hand.

    Parameters
    ----------
    frame : `police_uk.STOPS_SCHEMA`, every month.
    boroughs : their outlines at full resolution.
    wards, wards_2018 : the table of wards; their outlines of 2018 at full resolution, which place the stops of the boroughs
        that are unchanged since.
    lsoas, lookup : LSOAs' outlines and the ONS best-fit lookup, which place those of the other boroughs.
    """
    placed = placing.place_points(frame, boroughs, code="borough_code").with_columns(
        pl.col("borough_code").fill_null(UNPLACED)
    )
    persons = person_searches(placed)
    frames = {
        "stops": stops(placed),
        "stop_coverage": stop_coverage(placed, declared_breaks()),
        "searches": searches(persons),
        "searches_by_day": searches_by_day(persons),
    }
    if all(part is not None for part in (wards, wards_2018, lsoas, lookup)):
        in_wards = placing.place_in_wards(placed, wards_2018, boroughs_unchanged_since_2018(wards), lsoas, lookup)
        frames |= {"ward_stops": ward_stops(in_wards), "ward_placing": ward_placing(in_wards)}
    return frames
