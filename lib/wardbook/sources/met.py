"""Readers for the Metropolitan Police Service's files: recorded crime by borough and by ward, and knife crime.

Recorded crime comes as a wide table, one column a month. Three taxonomies of offences are in use, told apart by the
offences a file holds; what each offence group is in each taxonomy stands in `data/reference/offence_groups.csv`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polars as pl

from wardbook import places
from wardbook.sources.reading import (
    Loaded,
    Quality,
    SourceError,
    check_file,
    gss,
    parse_whole_numbers,
    read_text_table,
    same_row_again,
    sane_years,
    take_columns,
)

AIRPORTS = "London Heathrow and London City Airports"
HILLINGDON = "E09000017"

BOROUGH_CRIME = pl.Schema(
    {
        "borough_code": pl.String,
        "at_airports": pl.Boolean,
        "month": pl.Date,
        "major": pl.String,
        "minor": pl.String,
        "taxonomy": pl.String,
        "snapshot": pl.String,
        "offences": pl.Int64,
    }
)
WARD_CRIME = pl.Schema(
    {
        "ward_code": pl.String,
        "month": pl.Date,
        "major": pl.String,
        "minor": pl.String,
        "taxonomy": pl.String,
        "snapshot": pl.String,
        "offences": pl.Int64,
    }
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

# Header variants: the files from mid-2026 say Group, SubGroup and BOCU.
_OFFENCE_COLUMNS = {"major": ["MajorText", "Group"], "minor": ["MinorText", "SubGroup"]}
_BOROUGH_COLUMNS = ["LookUp_BoroughName", "BoroughName", "Borough", "BOCU"]
_WARD_COLUMNS = ["WardCode", "LookUp_WardCode", "Ward Code"]

_KNIFE_KINDS = {
    "area_type": {"Borough", "Safer Neighbourhood Teams"},
    "measure": {"Offences", "Positive Outcomes"},
}

# A stub is an end column that holds a month's first few offences: 40-50 where a month of all London has about 73,000.
_STUB_SHARE = 0.1
# A last month below this share of a usual one looks cut short (the pandemic's fewest had 72 per cent).
_PART_SHARE = 0.7


@cache
def offence_groups() -> pl.DataFrame:
    """`data/reference/offence_groups.csv`: `offence_group`, `taxonomy`, `major`, `minor`; groups overlap."""
    return pl.read_csv(places.REFERENCE / "offence_groups.csv")


def taxonomy_of(offences: pl.DataFrame, path: Path | str) -> str:
    """Tell which of the three taxonomies the (major, minor) pairs of a file are from.

    Every pair must belong to it. Where a small file fits two, nothing is guessed: VIOLENCE WITHOUT INJURY alone means
    different things in the two that share the name, and joining them gave a false fall of 33 per cent.

    Raises
    ------
    SourceError
        naming the offences in no taxonomy, or the taxonomies that all fit.
    """
    known = offence_groups().select("taxonomy", "major", "minor").unique()
    pairs = offences.select("major", "minor").unique()
    fits = [
        name
        for name in known["taxonomy"].unique().sort()
        if pairs.join(known.filter(taxonomy=name), on=["major", "minor"], how="anti").is_empty()
    ]
    if not fits:
        # Of the taxonomy that fits best, what it does not have.
        strangers = [
            pairs.join(known.filter(taxonomy=name), on=["major", "minor"], how="anti").sort("major", "minor")
            for name in known["taxonomy"].unique().sort()
        ]
        found = "; ".join(f"{a} / {b}" for a, b in min(strangers, key=len).iter_rows())
        raise SourceError(path, "offences of one taxonomy listed in data/reference/offence_groups.csv", found)
    if len(fits) > 1:
        # Only the upper-case taxonomy tells stalking apart; a full file without it is the one of 2025-03.
        full = {"VIOLENCE WITHOUT INJURY", "HOMICIDE", "RAPE", "SHOPLIFTING"} <= set(pairs["minor"])
        if set(fits) == {"upper-case", "2025-03 ward"} and full:
            return "2025-03 ward"
        raise SourceError(path, "offences that only one taxonomy has", f"offences that fit {' and '.join(fits)}")
    return fits[0]


def _snapshot(path: Path, months: list[str]) -> str:
    folder = path.parent.name
    last = f"{months[-1][:4]}-{months[-1][4:]}"
    if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", folder):
        if folder < last:
            raise SourceError(path, f"months up to the snapshot {folder} its folder names", f"a column {months[-1]}")
        return folder
    if "historical" in path.name.lower():
        raise SourceError(
            path, "a folder named by the snapshot (YYYY-MM), since old months do not tell it", f"folder {folder!r}"
        )
    return last


def _read_wide(
    path: Path, place: dict[str, list[str]], source: str, pattern: str = "."
) -> tuple[pl.DataFrame, Quality]:
    """Read a wide file to one row a (place, offence, month); duplicate keys summed, stub months left out, both reported.

    Rows whose place does not match `pattern` are set aside.
    """
    table = read_text_table(path)
    months = sorted(name for name in table.columns if re.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])", name))
    if not months:
        raise SourceError(path, "a column a month, named like 202401", f"columns {', '.join(table.columns[:12])}")
    # A month under another name would be left out, and nothing would say so.
    strange = [name for name in table.columns if name not in months and re.search(r"(19|20)\d\d|\d{6}", name)]
    numbers = [12 * int(name[:4]) + int(name[4:]) for name in months]
    if strange or numbers[-1] - numbers[0] != len(months) - 1:
        found = f"columns {', '.join(strange)}" if strange else f"{len(months)} from {months[0]} to {months[-1]}"
        raise SourceError(path, "a column for every month, named like 202401", found)
    table = take_columns(table, path, {**_OFFENCE_COLUMNS, **place})
    quality = Quality(str(path), source, rows_read=table.height)
    keys = [*place, "major", "minor"]
    blank = table.filter(
        pl.any_horizontal(pl.col(keys[0]).is_null(), pl.col("major").is_null(), pl.col("minor").is_null())
    )
    quality.drop("no place or no offence named", blank.height)
    table = parse_whole_numbers(table, months, path)
    table = same_row_again(table.drop_nulls([keys[0], "major", "minor"]), quality)
    table = table.with_columns(pl.col(keys).str.strip_chars())
    if "ward_code" in place:
        table = table.with_columns(gss("ward_code"))
    placed = table.filter(pl.col(keys[0]).str.contains(pattern))
    quality.drop(f"{keys[0]} of no known form", table.height - placed.height)
    table = placed

    totals = [table[m].sum() for m in months]
    usual = sorted(totals)[len(totals) // 2]
    for month, total in {months[0]: totals[0], months[-1]: totals[-1]}.items():
        if len(months) > 2 and total < _STUB_SHARE * usual:
            quality.note(f"stub month {month} left out (offences in it)", max(total, 1))
            months.remove(month)
    if len(months) > 2 and usual >= 100 and table[months[-1]].sum() < _PART_SHARE * usual:
        quality.note(f"last month {months[-1]} looks cut short (offences in it)", table[months[-1]].sum())

    repeated = table.select(keys).is_duplicated().sum()
    quality.note("rows of a repeated (place, offence), summed", repeated)
    long = (
        table.unpivot(on=months, index=keys, variable_name="month", value_name="offences")
        .group_by(*keys, "month")
        .agg(pl.col("offences").sum())
        .with_columns(
            pl.col("month").str.to_date("%Y%m"),
            pl.lit(taxonomy_of(table, path)).alias("taxonomy"),
            pl.lit(_snapshot(path, months)).alias("snapshot"),
        )
        .sort(*keys, "month")
    )
    return long, quality.close(table.height)


def read_borough_crime(path: Path | str) -> Loaded:
    """Recorded offences by borough and month, from a borough-level file ("Historical" or "most recent 24 months").

    The airports' own rows go to Hillingdon and stay marked, because from 2024 they are inside it: left apart, Hillingdon
    seems to rise by a quarter in 2024-25 (London City Airport, in Newham, cannot be told from Heathrow).

    Returns
    -------
    Loaded
        `BOROUGH_CRIME`: one row a borough (or `unknown`) × at airports or not × offence × month.

    Raises
    ------
    SourceError
        if the file is not a borough-level table of months, or names a place that is none of them.
    """
    path = Path(path)
    header = read_text_table(path).columns
    if any(name in header for name in _WARD_COLUMNS):
        raise SourceError(path, "a borough-level file", f"a ward-level one (columns {', '.join(header[:6])})")
    long, quality = _read_wide(path, {"place": _BOROUGH_COLUMNS}, "mps-borough-crime")
    codes = {AIRPORTS: HILLINGDON, "Unknown": places.UNKNOWN}
    met = {*places.boroughs()["borough_code"], places.UNKNOWN}
    for name in long["place"].unique().sort():
        code = codes.get(name) or places.borough_code(name)
        if code not in met:
            raise SourceError(
                path, "boroughs listed in data/reference/boroughs.csv, the airports or Unknown", repr(name)
            )
        codes[name] = code
    quality.note("offences at the airports, counted in Hillingdon", long.filter(place=AIRPORTS)["offences"].sum())
    quality.note("offences whose borough is unknown", long.filter(place="Unknown")["offences"].sum())
    frame = long.with_columns(
        pl.col("place").replace_strict(codes, return_dtype=pl.String).alias("borough_code"),
        (pl.col("place") == AIRPORTS).alias("at_airports"),
    )
    return Loaded(frame.select(BOROUGH_CRIME.names()).cast(dict(BOROUGH_CRIME)), quality)


def read_ward_crime(path: Path | str) -> Loaded:
    """Recorded offences by ward and month, from a ward-level file; Heathrow Villages stands under two areas and is summed.

    The codes' vintage is not checked here (a subset fits two): `places.check_ward_vintage` does, at the join. Ward sums
    fall short of the borough totals by a share that moves, so they never stand in for a borough.

    Returns
    -------
    Loaded
        `WARD_CRIME`: one row a ward × offence × month.
    """
    path = Path(path)
    long, quality = _read_wide(path, {"ward_code": _WARD_COLUMNS}, "mps-ward-crime", r"^E05\d{6}$")
    return Loaded(long.select(WARD_CRIME.names()).cast(dict(WARD_CRIME)), quality)


def _knife_csv(path: Path) -> pl.DataFrame:
    """The dashboard's table as published, under the names and types of the Parquet copy (headers in lower case)."""
    table = read_text_table(path)
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines say nothing of any count
    table.columns = [re.sub(r"[ _]+", "_", name.lower()) for name in table.columns]
    days = [name for name in ("month_year", "refresh_date") if name in table.columns]
    forms = ("%d/%m/%Y", "%Y-%m-%d")
    for name in days:
        day = pl.col(name).str.strip_chars().str.slice(0, 10)
        table = table.with_columns(pl.coalesce(day.str.to_date(form, strict=False) for form in forms).alias(name))
    if "count" in table.columns:
        table = parse_whole_numbers(table, ["count"], path)
    return table


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
    if path.suffix.lower() == ".csv":
        table = _knife_csv(path)
    else:
        try:
            table = pl.read_parquet(check_file(path, "parquet"))
        except pl.exceptions.PolarsError as error:
            raise SourceError(path, "a Parquet file", str(error).splitlines()[0]) from error
    wanted = [
        "month_year",
        "area_type",
        "borough_snt",
        "area_name",
        "area_code",
        "crime_subtype",
        "measure",
        "count",
        "refresh_date",
    ]
    table = take_columns(table, path, {name: [name] for name in wanted})
    quality = Quality(str(path), "mps-knife-crime", rows_read=table.height)
    texts = [name for name in wanted if name not in ("month_year", "count", "refresh_date")]
    if strange := [name for name in texts if table.schema[name] not in (pl.String, pl.Null)]:
        raise SourceError(path, f"text in column {strange[0]}", str(table.schema[strange[0]]))
    table = table.with_columns(pl.col(texts).cast(pl.String).str.strip_chars_end("\r\n"))
    if table.is_empty():
        raise SourceError(path, "a row or more", "a header alone")
    for column, allowed in _KNIFE_KINDS.items():
        strange = set(table[column].unique()) - allowed
        if strange:
            raise SourceError(
                path, f"{column} {' or '.join(sorted(allowed))}", ", ".join(map(str, sorted(strange, key=str)))
            )
    for name in ("month_year", "refresh_date"):
        kind = table.schema[name]
        if kind != pl.Date and not isinstance(kind, pl.Datetime) or table[name].has_nulls():
            raise SourceError(path, f"a date in every cell of {name}", f"{kind}, or an empty cell")
        if not sane_years(table[name]).all():
            raise SourceError(
                path, f"dates from the year 2000 on in {name}", f"{table[name].min()}, {table[name].max()}"
            )
    if (table["month_year"] > table["refresh_date"]).any():
        found = f"{table['month_year'].max()}, refreshed on {table['refresh_date'].max()}"
        raise SourceError(path, "months up to the day the dashboard was refreshed", found)
    if not table.schema["count"].is_numeric():
        raise SourceError(path, "counts of 0 or more, whole", f"a column count of {table.schema['count']}")
    whole = table["count"].cast(pl.Int64, strict=False)
    bad = whole.is_null() | ~whole.is_between(0, 1_000_000_000) | (whole != table["count"])
    if bad.any():
        raise SourceError(path, "counts of 0 or more, whole", f"{table['count'][bad.arg_max()]!r}")
    table = same_row_again(table, quality)
    key = [name for name in wanted if name not in ("count", "refresh_date")]
    if (twice := table.filter(pl.struct(key).is_duplicated())).height:
        found = ", ".join(str(twice[name][0]) for name in key)
        raise SourceError(path, "one count a month, area, subtype and measure", f"two of {found}")
    code = gss("area_code")
    quality.note("area codes that end in a blank", table["area_code"].str.ends_with(" ").sum())
    boroughs = {name: places.leading_borough(name) for name in table["borough_snt"].drop_nulls().unique().sort()}
    named = set(table.filter(area_type="Borough")["borough_snt"].drop_nulls()) - {"Other / NK"}
    if strange := sorted(name for name in named if boroughs[name] is None):
        raise SourceError(path, "the Met's boroughs or 'Other / NK' in borough rows", ", ".join(map(repr, strange)))
    frame = table.with_columns(
        pl.col("borough_snt")
        .replace_strict(boroughs, default=None, return_dtype=pl.String)
        .fill_null(places.UNKNOWN)
        .alias("borough_code"),
        (pl.col("area_type") != "Borough").alias("by_team"),
        pl.when(code.str.contains(r"^E05\d{6}$")).then(code).alias("ward_code"),
        pl.col("month_year").cast(pl.Date).dt.truncate("1mo").alias("month"),
        pl.col("crime_subtype").alias("subtype"),
        pl.col("count").cast(pl.Int64).alias("offences"),
        pl.col("refresh_date").cast(pl.Date).alias("refreshed"),
    )
    quality.note(
        "rows of no borough (N/K, -1, NON ATHENA FORCE, null)", frame.filter(borough_code=places.UNKNOWN).height
    )
    return Loaded(
        frame.select(KNIFE_CRIME.names()).cast(dict(KNIFE_CRIME)).sort(KNIFE_CRIME.names()), quality.close(frame.height)
    )
