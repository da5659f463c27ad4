"""Readers for what the Metropolitan Police Service publishes behind its dashboards, one row a count.

Knife crime, violence against women and girls, and the outcomes of business crime. Each file is read as text, whether it came
as a CSV or as Parquet, and held to one schema.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import places
from wardbook.sources.met import HILLINGDON, name_offences
from wardbook.sources.reading import (
    Loaded,
    Quality,
    SourceError,
    gss,
    read_text_table,
    read_typed,
    same_row_again,
    take_columns,
)

KNIFE_CRIME = pl.Schema(
    {
        "borough_code": pl.String,
        "by_team": pl.Boolean,
        "ward_code": pl.String,
        "month": pl.Date,
        "subtype": pl.String,
        "measure": pl.String,
        "offences": pl.Int64,
        "refreshed": pl.Date,
    }
)
VAWG = pl.Schema(
    {"borough_code": pl.String, "ward": pl.String, "month": pl.Date, "kind": pl.String, "offences": pl.Int64}
)
OUTCOMES = pl.Schema(
    {
        "borough_code": pl.String,
        "month": pl.Date,
        "major": pl.String,
        "minor": pl.String,
        "taxonomy": pl.String,
        "positive": pl.Boolean,
        "outcomes": pl.Int64,
        "refreshed": pl.Date,
    }
)
LOCATION, CLASSIFICATION = "Offence count location", "Offence count classification"
_NO_BOROUGH = {"Other": places.UNKNOWN, "Unknown": places.UNKNOWN, "Other / NK": places.UNKNOWN}
# Offences at Heathrow stand under "Other" where the airports' police recorded them; the ward is in Hillingdon.
_AIRPORT_WARD = "Heathrow Villages"


def _day() -> dy.Date:
    return dy.Date(min=date(2000, 1, 1), max=date(2099, 12, 31), description="a date from the year 2000 on")


def _count() -> dy.Int64:
    return dy.Int64(min=0, max=1_000_000_000, description="a whole number, 0 or more")


class KnifeRows(dy.Schema):
    """The knife crime dashboard's table, under the names of its Parquet copy."""

    month_year = _day()
    area_type = dy.Enum(["Borough", "Safer Neighbourhood Teams"])
    borough_snt = dy.String(nullable=True)
    area_name = dy.String(nullable=True)
    area_code = dy.String(nullable=True)
    crime_subtype = dy.String()
    measure = dy.Enum(["Offences", "Positive Outcomes"])
    count = _count()
    refresh_date = _day()


class VawgRows(dy.Schema):
    """The table on violence against women and girls: its two sheets, one below the other."""

    sheet = dy.Enum([LOCATION, CLASSIFICATION])
    borough_name = dy.String(nullable=True)
    ward_name = dy.String(nullable=True)
    month = _day()
    kind = dy.String(nullable=True)
    count = _count()


class OutcomeRows(dy.Schema):
    """The table of outcomes of business crime."""

    date = _day()
    borough = dy.String()
    crime_section = dy.String()
    crime_group = dy.String()
    outcome = dy.String(nullable=True)
    positive_outcome = dy.Enum(["Y", "N"])
    outcome_count = _count()
    refresh_date = _day()


def _read_rows(
    path: Path, schema: type[dy.Schema], source: str, columns: dict[str, list[str]] | None = None
) -> tuple[pl.DataFrame, Quality]:
    """A dashboard's file as typed rows: headers in lower case, days of either form, the same row again set aside."""
    table = read_text_table(path)
    table.columns = [re.sub(r"[ _]+", "_", name.lower()) for name in table.columns]
    table = take_columns(table, path, {name: [name] for name in schema.column_names()} | (columns or {}))
    quality = Quality(str(path), source, rows_read=table.height)
    if table.is_empty():
        raise SourceError(path, "a row or more", "a header alone")
    for name, column in schema.columns().items():
        if isinstance(column, dy.Date):
            day = pl.col(name).str.strip_chars().str.slice(0, 10).str.replace(r"^(\d\d)/(\d\d)/(\d{4})$", "$3-$2-$1")
            table = table.with_columns(day)
    table = table.with_row_index("line", offset=2)
    named = table.filter(pl.any_horizontal(pl.col(schema.column_names()).is_not_null()))
    quality.drop("blank row", table.height - named.height)
    table = same_row_again(named, quality)
    for name in (name for name in schema.column_names() if name.endswith("_code")):
        quality.note(f"{name.replace('_', ' ')}s that end in a blank", table[name].str.ends_with(" ").sum())
    table = read_typed(table, schema, path)
    return table.with_columns(pl.col(pl.Enum).cast(pl.String)), quality


def _refuse_repeats(table: pl.DataFrame, counts: list[str], path: Path, what: str) -> None:
    key = [name for name in table.columns if name not in counts]
    if (twice := table.filter(pl.struct(key).is_duplicated())).height:
        raise SourceError(path, what, f"two of {', '.join(str(twice[name][0]) for name in key)}")


def _refuse_after_refresh(table: pl.DataFrame, month: str, path: Path) -> None:
    if (table[month] > table["refresh_date"]).any():
        latest = f"{table[month].max()}, refreshed on {table['refresh_date'].max()}"
        raise SourceError(path, "months up to the day the dashboard was refreshed", latest)


def _borough_codes(names: pl.Series, path: Path) -> dict[str, str]:
    """Each name → GSS code, or `unknown` for what the Met calls no borough; any other name is refused."""
    codes = {name: _NO_BOROUGH.get(name) or places.borough_code(name) for name in names.drop_nulls().unique().sort()}
    met = {*places.boroughs()["borough_code"], places.UNKNOWN}
    if strange := [name for name, code in codes.items() if code not in met]:
        raise SourceError(path, "the Met's boroughs, Other or Unknown", ", ".join(map(repr, strange)))
    return codes


def read_knife_crime(path: Path | str) -> Loaded:
    """Knife crime and positive outcomes by month, for boroughs and for Safer Neighbourhood Teams.

    A row counts either for a borough or for one of its teams: the two are the same offences twice, never to be added.
    Teams sum to the boroughs for the whole force; within a borough they fall short by the offences without a ward.

    Returns
    -------
    Loaded
        `KNIFE_CRIME`; `borough_code` is `unknown` for rows of no borough, `ward_code` null but for a team of one ward.
    """
    path = Path(path)
    table, quality = _read_rows(path, KnifeRows, "mps-knife-crime")
    _refuse_after_refresh(table, "month_year", path)
    _refuse_repeats(table, ["count", "refresh_date"], path, "one count a month, area, subtype and measure")
    _borough_codes(table.filter(area_type="Borough")["borough_snt"], path)
    boroughs = {name: places.leading_borough(name) for name in table["borough_snt"].drop_nulls().unique().sort()}
    code = gss("area_code")
    frame = table.with_columns(
        pl.col("borough_snt")
        .replace_strict(boroughs, default=None, return_dtype=pl.String)
        .fill_null(places.UNKNOWN)
        .alias("borough_code"),
        (pl.col("area_type") != "Borough").alias("by_team"),
        pl.when(code.str.contains(r"^E05\d{6}$")).then(code).alias("ward_code"),
        pl.col("month_year").dt.truncate("1mo").alias("month"),
        pl.col("crime_subtype").alias("subtype"),
        pl.col("count").alias("offences"),
        pl.col("refresh_date").alias("refreshed"),
    )
    quality.note(
        "rows of no borough (N/K, -1, NON ATHENA FORCE, null)", frame.filter(borough_code=places.UNKNOWN).height
    )
    return Loaded(
        frame.select(KNIFE_CRIME.names()).cast(dict(KNIFE_CRIME)).sort(KNIFE_CRIME.names()), quality.close(frame.height)
    )


def read_vawg(path: Path | str) -> Loaded:
    """Offences of violence against women and girls by the month they were recorded: by place, and again by kind.

    The two sheets hold the same offences twice: a row with a `kind` has no place, one without has a borough and, where the
    Met named one, a ward. About a fifth stand under the kind "Other flagged offences outside of VAWG": counted by the Met,
    and so here.

    Returns
    -------
    Loaded
        `VAWG`; `borough_code` is `unknown` where no borough is named and null in rows by kind; `ward` as published.

    Raises
    ------
    SourceError
        also where the two sheets do not add up to the same in every month.
    """
    path = Path(path)
    columns = {
        "ward_name": ["ward_name_clean_2", "ward_name"],
        "month": ["recorded_date_months", "month"],
        "kind": ["crimsec_group", "kind"],
    }
    table, quality = _read_rows(path, VawgRows, "mps-vawg", columns)
    located = pl.col("sheet") == LOCATION
    nameless = table.filter(pl.when(located).then(pl.col("borough_name")).otherwise(pl.col("kind")).is_null())
    if nameless.height:
        raise SourceError(path, "a borough or a kind in every row", f"{nameless.height:,} rows without one")
    sums = table.group_by("month").agg(
        pl.col("count").filter(located).sum().alias("by place"), pl.col("count").filter(~located).sum().alias("by kind")
    )
    if (off := sums.filter(pl.col("by place") != pl.col("by kind")).sort("month")).height:
        first = off.row(0, named=True)
        found = f"{first['by place']:,} and {first['by kind']:,} in {first['month']:%B %Y}"
        raise SourceError(path, "as many offences by place as by kind in every month", found)
    codes = _borough_codes(table["borough_name"], path)
    at_airport = located & (pl.col("ward_name") == _AIRPORT_WARD) & pl.col("borough_name").is_in(list(_NO_BOROUGH))
    code = pl.col("borough_name").replace_strict(codes, default=None, return_dtype=pl.String)
    frame = table.with_columns(
        pl.when(at_airport).then(pl.lit(HILLINGDON)).when(located).then(code).alias("borough_code"),
        pl.when(located).then(pl.col("ward_name")).alias("ward"),
        pl.when(~located).then(pl.col("kind")).alias("kind"),
        pl.col("month").dt.truncate("1mo"),
        pl.col("count").alias("offences"),
    )
    quality.note("offences at the airports, counted in Hillingdon", table.filter(at_airport)["count"].sum())
    unknown = frame.filter(borough_code=places.UNKNOWN)["offences"].sum()
    quality.note("offences whose borough is unknown", unknown)
    # One row of the file is a day's, a place's or a kind's part of the month: they are summed, not told apart.
    return Loaded(frame.select(VAWG.names()).cast(dict(VAWG)).sort(VAWG.names()), quality.close(frame.height))


def read_outcomes(path: Path | str) -> Loaded:
    """Outcomes of business crime by the month of the outcome: borough × offence, each outcome positive or not.

    Returns
    -------
    Loaded
        `OUTCOMES`; `borough_code` is `unknown` where no borough is named.
    """
    path = Path(path)
    table, quality = _read_rows(path, OutcomeRows, "mps-business-outcomes")
    _refuse_after_refresh(table, "date", path)
    quality.note("rows that name no outcome", table["outcome"].null_count())
    codes = _borough_codes(table["borough"], path)
    table = table.rename({"crime_section": "major", "crime_group": "minor"})
    table, respelt = name_offences(table, pl.col("outcome_count"), path)
    quality.note("rows whose offence is spelt in another way", respelt)
    frame = table.with_columns(
        pl.col("borough").replace_strict(codes, return_dtype=pl.String).alias("borough_code"),
        pl.col("date").dt.truncate("1mo").alias("month"),
        (pl.col("positive_outcome") == "Y").alias("positive"),
        pl.col("outcome_count").alias("outcomes"),
        pl.col("refresh_date").alias("refreshed"),
    )
    unknown = frame.filter(borough_code=places.UNKNOWN)["outcomes"].sum()
    quality.note("outcomes whose borough is unknown", unknown)
    return Loaded(
        frame.select(OUTCOMES.names()).cast(dict(OUTCOMES)).sort(OUTCOMES.names()), quality.close(frame.height)
    )
