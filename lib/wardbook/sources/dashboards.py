"""Readers for what the Metropolitan Police Service publishes behind its dashboards, one row a count.

Knife crime, violence against women and girls, and the outcomes of business crime. Each file is read as text, whether it came
as a CSV or as Parquet, and held to one schema.
"""

from __future__ import annotations

from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import places
from wardbook.schemas import LINE
from wardbook.sources import reading
from wardbook.sources.met import HILLINGDON, name_offences
from wardbook.sources.reading import Loaded, Quality, SourceError, spelt

LOCATION, CLASSIFICATION = "Offence count location", "Offence count classification"
_NO_BOROUGH = {"Other": places.UNKNOWN, "Unknown": places.UNKNOWN, "Other / NK": places.UNKNOWN}
# Offences at Heathrow stand under "Other" where the airports' police recorded them; the ward is in Hillingdon.
_AIRPORT_WARD = "Heathrow Villages"


class _Refreshed(dy.Schema):
    month = reading.day(**spelt("month_year", "date"))
    refreshed = reading.day(**spelt("refresh_date"))

    @dy.rule()
    def months_up_to_the_day_the_dashboard_was_refreshed(cls) -> pl.Expr:
        return pl.col("month") <= pl.col("refreshed")


class KnifeRows(_Refreshed):
    """The knife crime dashboard's table."""

    area_type = dy.Enum(["Borough", "Safer Neighbourhood Teams"])
    borough = dy.String(nullable=True, **spelt("borough_snt"))
    area_name = dy.String(nullable=True)
    area_code = dy.String(nullable=True)
    subtype = dy.String(**spelt("crime_subtype"))
    measure = dy.Enum(["Offences", "Positive Outcomes"])
    offences = reading.count(**spelt("count"))

    @dy.rule()
    def one_count_a_month_area_subtype_and_measure(cls) -> pl.Expr:
        counted = ("offences", "refreshed", LINE)
        return pl.struct(name for name in cls.column_names() if name not in counted).is_unique()


class VawgRows(dy.Schema):
    """The table on violence against women and girls: its two sheets, one below the other."""

    sheet = dy.Enum([LOCATION, CLASSIFICATION])
    borough = dy.String(nullable=True, **spelt("borough_name"))
    ward = dy.String(nullable=True, **spelt("ward_name_clean_2", "ward_name"))
    month = reading.day(**spelt("recorded_date_months", "month"))
    kind = dy.String(nullable=True, **spelt("crimsec_group", "kind"))
    offences = reading.count(**spelt("count"))

    @dy.rule()
    def a_borough_or_a_kind_in_every_row(cls) -> pl.Expr:
        place = pl.col("sheet").cast(pl.String) == LOCATION
        return pl.when(place).then("borough").otherwise("kind").is_not_null()


class OutcomeRows(_Refreshed):
    """The table of outcomes of business crime."""

    borough = dy.String()
    major = dy.String(**spelt("crime_section"))
    minor = dy.String(**spelt("crime_group"))
    outcome = dy.String(nullable=True)
    positive_outcome = dy.Enum(["Y", "N"])
    outcomes = reading.count("outcomes", **spelt("outcome_count"))


def _read_rows(path: Path | str, schema: type[dy.Schema]) -> tuple[pl.DataFrame, Quality]:
    """A dashboard's file as typed rows, the same row again set aside."""
    table, quality = reading.open_rows(reading.read_text_table(path), path, reading.published(schema))
    table = reading.same_row_again(table, quality)
    if "area_code" in table.columns:
        quality.note("area codes that end in a blank", table["area_code"].str.ends_with(" ").sum())
    return reading.read_typed(table, schema, quality).cast({pl.Enum: pl.String}), quality


def read_knife_crime(path: Path | str) -> Loaded:
    """Knife crime and positive outcomes by month, for boroughs and for Safer Neighbourhood Teams.

    A row counts either for a borough or for one of its teams: the two are the same offences twice, never to be added.
    Teams sum to the boroughs for the whole force; within a borough they fall short by the offences without a ward.

    Returns
    -------
    Loaded
        `borough_code` (`unknown` for rows of no borough), `by_team`, `month`, `subtype`, `measure`, `offences`, `refreshed`.
    """
    table, quality = _read_rows(path, KnifeRows)
    reading.with_borough_codes(table.filter(area_type="Borough"), "borough", path, _NO_BOROUGH)
    boroughs = {name: places.leading_borough(name) for name in table["borough"].drop_nulls().unique()}
    borough = pl.col("borough").replace_strict(boroughs, default=None, return_dtype=pl.String)
    frame = table.select(
        borough.fill_null(places.UNKNOWN).alias("borough_code"),
        (pl.col("area_type") != "Borough").alias("by_team"),
        pl.col("month").dt.truncate("1mo"),
        *("subtype", "measure", "offences", "refreshed"),
    )
    unknown = frame.filter(borough_code=places.UNKNOWN).height
    quality.note("rows of no borough (N/K, -1, NON ATHENA FORCE, null)", unknown)
    return Loaded(frame.sort(frame.columns), quality.close(frame.height))


def read_vawg(path: Path | str) -> Loaded:
    """Offences of violence against women and girls by the month they were recorded: by place, and again by kind.

    The two sheets hold the same offences twice: a row with a `kind` has no place, one without has a borough and, where the
    Met named one, a ward. About a fifth stand under the kind "Other flagged offences outside of VAWG": counted by the Met,
    and so here.

    Returns
    -------
    Loaded
        `borough_code` (`unknown` where no borough is named, null in rows by kind), `ward` as published, `month`, `kind`,
        `offences`.

    Raises
    ------
    SourceError
        also where the two sheets do not add up to the same in every month.
    """
    table, quality = _read_rows(path, VawgRows)
    located, offences = pl.col("sheet") == LOCATION, pl.col("offences")
    by_sheet = {"by place": offences.filter(located).sum(), "by kind": offences.filter(~located).sum()}
    sums = table.group_by("month").agg(**by_sheet)
    if (off := sums.filter(pl.col("by place") != pl.col("by kind")).sort("month")).height:
        first = off.row(0, named=True)
        found = f"{first['by place']:,} and {first['by kind']:,} in {first['month']:%B %Y}"
        raise SourceError(path, "as many offences by place as by kind in every month", found)
    table = reading.with_borough_codes(table, "borough", path, _NO_BOROUGH)
    at_airport = located & (pl.col("ward") == _AIRPORT_WARD) & pl.col("borough").is_in(list(_NO_BOROUGH))
    # One row of the file is a day's, a place's or a kind's part of the month: they are summed, not told apart.
    frame = table.select(
        pl.when(at_airport).then(pl.lit(HILLINGDON)).when(located).then("borough_code").alias("borough_code"),
        pl.when(located).then("ward").alias("ward"),
        pl.col("month").dt.truncate("1mo"),
        pl.when(~located).then("kind").alias("kind"),
        "offences",
    )
    quality.note("offences at the airports, counted in Hillingdon", table.filter(at_airport)["offences"].sum())
    unknown = frame.filter(borough_code=places.UNKNOWN)["offences"].sum()
    quality.note("offences whose borough is unknown", unknown)
    return Loaded(frame.sort(frame.columns), quality.close(frame.height))


def read_outcomes(path: Path | str) -> Loaded:
    """Outcomes of business crime by the month of the outcome: borough × offence, each outcome positive or not.

    Returns
    -------
    Loaded
        `borough_code` (`unknown` where no borough is named), `month`, `major`, `minor`, `taxonomy`, `positive`, `outcomes`,
        `refreshed`.
    """
    table, quality = _read_rows(path, OutcomeRows)
    quality.note("rows that name no outcome", table["outcome"].null_count())
    table = reading.with_borough_codes(table, "borough", path, _NO_BOROUGH)
    table, respelt = name_offences(table, pl.col("outcomes"), path)
    quality.note("rows whose offence is spelt in another way", respelt)
    frame = table.select(
        "borough_code",
        pl.col("month").dt.truncate("1mo"),
        *("major", "minor", "taxonomy"),
        (pl.col("positive_outcome") == "Y").alias("positive"),
        *("outcomes", "refreshed"),
    )
    unknown = frame.filter(borough_code=places.UNKNOWN)["outcomes"].sum()
    quality.note("outcomes whose borough is unknown", unknown)
    return Loaded(frame.sort(frame.columns), quality.close(frame.height))
