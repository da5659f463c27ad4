"""Readers for the Metropolitan Police Service's recorded crime, by borough and by ward.

It comes as a wide table, one column a month. Three taxonomies of offences are in use, told apart by the offences a file
holds; what each offence group is in each taxonomy stands in `data/reference/offence_groups.csv`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polars as pl

from wardbook import places
from wardbook.sources import reading
from wardbook.sources.reading import Loaded, Quality, SourceError

AIRPORTS = "London Heathrow and London City Airports"
HILLINGDON = "E09000017"

_COUNTS = ("month", "major", "minor", "taxonomy", "snapshot", "offences")
# Header variants, in capitals or not: the files from mid-2026 say Group, SubGroup and BOCU.
_OFFENCE_COLUMNS = {"major": ["MajorText", "Group"], "minor": ["MinorText", "SubGroup"]}
_BOROUGH_COLUMNS = ["LookUp_BoroughName", "BoroughName", "Borough", "BOCU"]
_WARD_COLUMNS = ["WardCode", "LookUp_WardCode", "Ward Code"]

# A stub is an end column that holds a month's first few offences: 40-50 where a month of all London has about 73,000.
_STUB_SHARE = 0.1
# A last month below this share of a usual one looks cut short (the pandemic's fewest had 72 per cent).
_PART_SHARE = 0.7


@cache
def offence_groups() -> pl.DataFrame:
    """`data/reference/offence_groups.csv`: `offence_group`, `taxonomy`, `major`, `minor`; groups overlap."""
    return pl.read_csv(places.REFERENCE / "offence_groups.csv")


def _spelling(major: str = "major", minor: str = "minor") -> pl.Expr:
    """What two spellings of one offence have in common: all but case, commas, dashes and blanks."""
    plain = (pl.col(name).str.to_lowercase().str.replace_all(r"[\s,\p{Pd}]+", "") for name in (major, minor))
    return pl.concat_str(*plain, separator="/").alias("spelling")


def name_offences(table: pl.DataFrame, count: pl.Expr, path: Path | str) -> tuple[pl.DataFrame, int]:
    """The table with `major` and `minor` as `data/reference/offence_groups.csv` spells them, and its `taxonomy`.

    Every offence must belong to one taxonomy. Where a small file fits two, nothing is guessed: VIOLENCE WITHOUT INJURY alone
    means different things in the two that share the name, and joining them gave a false fall of 33 per cent.

    Parameters
    ----------
    table : `major`, `minor` as published.
    count : the offences of a row, for the message about an unknown one.

    Returns
    -------
    tuple
        the table, and how many of its rows spelt their offence in another way.

    Raises
    ------
    SourceError
        naming the offences in no taxonomy with their count, or the taxonomies that all fit.
    """
    known = offence_groups().select("taxonomy", "major", "minor").unique().with_columns(_spelling())
    table = table.with_columns(_spelling(), count.alias("_count"))
    pairs = table.group_by("spelling").agg(pl.col("major", "minor").first(), pl.col("_count").sum())
    strangers = {
        name: pairs.join(rows, on="spelling", how="anti").sort("spelling")
        for (name,), rows in sorted(known.group_by("taxonomy"))
    }
    fits = [name for name, rows in strangers.items() if rows.is_empty()]
    if not fits:
        nearest = min(strangers.values(), key=len)  # of the taxonomy that fits best, what it does not have
        named = "; ".join(f"{r['major']} / {r['minor']} ({r['_count']:,} offences)" for r in nearest.to_dicts())
        raise SourceError(path, "offences of one taxonomy listed in data/reference/offence_groups.csv", named)
    if len(fits) > 1:
        raise SourceError(path, "offences that only one taxonomy has", f"offences that fit {' and '.join(fits)}")
    named = table.join(known.filter(taxonomy=fits[0]), on="spelling", suffix="_known", maintain_order="left")
    known_as = [pl.col("major_known").alias("major"), pl.col("minor_known").alias("minor")]
    respelt = named.filter(pl.struct("major", "minor") != pl.struct(known_as)).height
    return named.with_columns(known_as).drop("spelling", "_count", "major_known", "minor_known"), respelt


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


def _months(table: pl.DataFrame, path: Path) -> list[str]:
    """The columns that are months, in order; a month under another name would be left out, and nothing would say so."""
    months = sorted(name for name in table.columns if re.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])", name))
    strange = [name for name in table.columns if name not in months and re.search(r"(19|20)\d\d|\d{6}", name)]
    numbers = [12 * int(name[:4]) + int(name[4:]) for name in months]
    if not months or strange or numbers[-1] - numbers[0] != len(months) - 1:
        present = f"columns {', '.join([*strange, *months][:12])}"
        raise SourceError(path, "a column a month, none left out, named like 202401", present)
    return months


def _whole_months(table: pl.DataFrame, months: list[str], quality: Quality) -> list[str]:
    """The months without a stub at either end, which is reported, as is a last month that looks cut short."""
    totals = {month: table[month].sum() for month in months}
    usual = sorted(totals.values())[len(months) // 2]
    stubs = [m for m in (months[0], months[-1]) if len(months) > 2 and totals[m] < _STUB_SHARE * usual]
    for month in stubs:
        quality.note(f"stub month {month} left out (offences in it)", max(totals[month], 1))
    whole = [month for month in months if month not in stubs]
    if len(whole) > 2 and usual >= 100 and totals[whole[-1]] < _PART_SHARE * usual:
        quality.note(f"last month {whole[-1]} looks cut short (offences in it)", totals[whole[-1]])
    return whole


def _read_wide(table: pl.DataFrame, path: Path, place: dict[str, list[str]]) -> tuple[pl.DataFrame, Quality]:
    """A wide table as one row a (place, offence, month); duplicate keys summed, stub months left out, both reported."""
    months = _months(table, path)
    table, quality = reading.open_rows(table, path, {**_OFFENCE_COLUMNS, **place})
    (where,) = place
    keys = [where, "major", "minor"]
    table = reading.parse_whole_numbers(table, months, quality)
    whole = table.drop_nulls(keys)
    quality.drop("no place or no offence named", table.height - whole.height)
    table = reading.same_row_again(whole, quality).with_columns(pl.col(keys).str.strip_chars())
    if where == "ward_code":
        table = table.with_columns(reading.gss(where))
        coded = table.filter(pl.col(where).str.contains(r"^E05\d{6}$"))
        quality.drop("ward_code of no known form", table.height - coded.height)
        table = coded
    months = _whole_months(table, months, quality)
    table, respelt = name_offences(table, pl.sum_horizontal(months), path)
    quality.note("rows whose offence is spelt in another way", respelt)
    quality.note("rows of a repeated (place, offence), summed", table.select(keys).is_duplicated().sum())
    # Summed and sorted while it is wide: of sixteen years of wards the long table has three million rows.
    sums = table.group_by(*keys, "taxonomy").agg(pl.col(months).sum()).sort(keys)
    long = sums.unpivot(
        on=months, index=[*keys, "taxonomy"], variable_name="month", value_name="offences"
    ).with_columns(pl.col("month").str.to_date("%Y%m"), pl.lit(_snapshot(path, months)).alias("snapshot"))
    return long, quality.close(table.height)


def read_borough_crime(path: Path | str) -> Loaded:
    """Recorded offences by borough and month, from a borough-level file ("Historical" or "most recent 24 months").

    The airports' own rows go to Hillingdon and stay marked, because from 2024 they are inside it: left apart, Hillingdon
    seems to rise by a quarter in 2024-25 (London City Airport, in Newham, cannot be told from Heathrow).

    Returns
    -------
    Loaded
        `borough_code`, `at_airports`, `month`, `major`, `minor`, `taxonomy`, `snapshot`, `offences`: one row a borough (or
        `unknown`) × at airports or not × offence × month.

    Raises
    ------
    SourceError
        if the file is not a borough-level table of months, or names a place that is none of them.
    """
    path = Path(path)
    table = reading.read_text_table(path)
    if {name.casefold() for name in _WARD_COLUMNS} & {name.casefold() for name in table.columns}:
        raise SourceError(path, "a borough-level file", f"a ward-level one (columns {', '.join(table.columns[:6])})")
    long, quality = _read_wide(table, path, {"place": _BOROUGH_COLUMNS})
    others = {AIRPORTS: HILLINGDON, "Unknown": places.UNKNOWN}
    long = reading.with_borough_codes(long, "place", path, others)
    quality.note("offences at the airports, counted in Hillingdon", long.filter(place=AIRPORTS)["offences"].sum())
    quality.note("offences whose borough is unknown", long.filter(place="Unknown")["offences"].sum())
    frame = long.with_columns((pl.col("place") == AIRPORTS).alias("at_airports"))
    return Loaded(frame.select("borough_code", "at_airports", *_COUNTS), quality)


def read_ward_crime(path: Path | str) -> Loaded:
    """Recorded offences by ward and month, from a ward-level file; Heathrow Villages stands under two areas and is summed.

    The codes' vintage is not checked here (a subset fits two): `places.check_ward_vintage` does, at the join. Ward sums
    fall short of the borough totals by a share that moves, so they never stand in for a borough.

    Returns
    -------
    Loaded
        `ward_code`, `month`, `major`, `minor`, `taxonomy`, `snapshot`, `offences`: one row a ward × offence × month.
    """
    path = Path(path)
    long, quality = _read_wide(reading.read_text_table(path), path, {"ward_code": _WARD_COLUMNS})
    return Loaded(long.select("ward_code", *_COUNTS), quality)
