"""Reader for the MPS file of more thorough searches in which intimate parts were exposed, outside custody.

The file is not one row a search. It is several releases laid one under another, each in its own columns, so that the same
search stands in up to eight of them: 2021 has 8,021 rows, of which one release has 4,012. The London Policing Ethics Panel
(report of September 2022) printed 4,287 searches of that year, and the Mayor's Office 271 of children, against 268 in the
release. Counted as they lie, the rows fall by 28 % from 2020 to 2024; the searches fell by 82 %. So each month is counted in
one release, and rows that are equal in everything but their number are one search: where a release stands alone, its
publisher has left equal rows out too.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from wardbook import places
from wardbook.sources.reading import Loaded, Quality, SourceError, check_file, sane_years

THOROUGH_SCHEMA = pl.Schema(
    {
        "month": pl.Date,
        "release": pl.String,
        "borough_code": pl.String,
        "age_band": pl.String,
        "ethnic_appearance": pl.String,
        "adult_present": pl.String,
        "outcome": pl.String,
    }
)
NOT_RECORDED = "not recorded"
NO_POSITIVE_OUTCOME = "no positive outcome"

# The releases by what only their rows fill in, the one to be counted first where several hold a month. The last is two
# releases in one: until 2025 a search stands in it twice, with and without an answer to whether an adult was there.
_RELEASES = {
    "numbered, from July 2023": pl.col("positive_outcome_of_stop").is_not_null() & pl.col("col_0").is_not_null(),
    "to January 2024": pl.col("postive_outcome_of_stop").is_not_null(),
    "to August 2022": pl.col("positve_outcome").is_not_null(),
    "without numbers, from April 2022": pl.col("positive_outcome_of_stop").is_not_null() & pl.col("col_0").is_null(),
}
_POSITIVE = ("positive_outcome_of_stop", "postive_outcome_of_stop", "positve_outcome")
_ADULT = ("appropriate_adult_present", "approporiate_adult_present_if_required?")
_TEXTS = ("stop_date", "area", "borough", "age_group", "sex", "ethnic_appearance", "stop_reason", "outcome_reason")
# Every spelling of every release, and what it is here; blanks at the ends and a letter before ("B Drugs") are left off.
_SPELLINGS = {
    "age_band": {
        "18 and over": ("18 or older", "18 or over"),
        "under 18": ("Under 18",),
        NOT_RECORDED: ("Not Recorded", "Recorded as 0 or Not Known", ""),
    },
    "ethnic_appearance": {
        **{name: (name,) for name in ("Asian", "Black", "Other", "White")},
        NOT_RECORDED: ("Unknown", "#N/A", "Not Recorded", ""),
    },
    "adult_present": {"yes": ("Y",), "no": ("N",), NOT_RECORDED: ("",)},
    "positive": {"yes": ("Yes",), "no": ("No",)},
    "outcome": {
        "drugs": ("Drugs",),
        "drugs, possession only": ("Drugs Possession Only", "Drugs (Possession Only)"),
        "weapons": ("Weapons, Points & Blades Offences", "Weapons, Points and Blade Offences"),
        "other": ("All Other Outcome Reasons", "Not Applicable", ""),
    },
}
_NO_BOROUGH = ("", "Non MET police force")  # and the airports' commands, "CO18 (Heathrow Airport)" and the like


def read_thorough_searches(path: Path | str) -> Loaded:
    """More thorough searches, a row each, every release's columns and spellings made one.

    Returns
    -------
    Loaded
        `THOROUGH_SCHEMA`, sorted. `borough_code` is `unknown` at the airports and where none was recorded. `outcome` is
        the reason of a positive outcome, or that there was none. Two people searched alike (same day, borough, age band,
        sex, appearance, reason and result) count once: about 6 % of 2021's searches.

    Raises
    ------
    SourceError
        for a file without the columns of any release, a label of none, or a row of no release.
    """
    path = Path(path)
    try:
        table = pl.read_parquet(check_file(path, "parquet"))
    except pl.exceptions.PolarsError as error:
        raise SourceError(path, "a Parquet file", str(error).splitlines()[0]) from error
    wanted = [*_TEXTS, *_POSITIVE, *_ADULT]
    if lost := [name for name in [*wanted, "col_0"] if name not in table.columns]:
        raise SourceError(path, f"a column {lost[0]!r}", f"columns {', '.join(table.columns[:12])}")
    if strange := [name for name in wanted if table.schema[name] not in (pl.String, pl.Null)]:
        raise SourceError(path, f"text in column {strange[0]}", str(table.schema[strange[0]]))
    if table.is_empty():
        raise SourceError(path, "a search or more", "a header alone")
    quality = Quality(str(path), "mps-thorough-searches", rows_read=table.height)
    table = _mend(table.with_row_index("line", offset=1).with_columns(pl.col(wanted).cast(pl.String)), path)
    table = _one_release_a_month(table, quality)
    again = table.unique(["day", *_TEXTS[1:], "positive", "adult_present"], keep="first", maintain_order=True)
    quality.drop("the same search again", table.height - again.height)
    quality.note("searches of no borough of the Met's", again.filter(borough_code=places.UNKNOWN).height)
    frame = again.select(THOROUGH_SCHEMA.names()).cast(dict(THOROUGH_SCHEMA)).sort(THOROUGH_SCHEMA.names())
    return Loaded(frame, quality.close(frame.height))


def _mend(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    release = pl.coalesce(pl.when(rows).then(pl.lit(name)) for name, rows in _RELEASES.items())
    table = table.with_columns(
        release.alias("release"),
        pl.col("stop_date").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias("day"),
        pl.col("age_group").alias("age_band"),
        pl.coalesce(_ADULT).alias("adult_present"),
        pl.coalesce(_POSITIVE).alias("positive"),
        pl.col("outcome_reason").str.replace(r"^[A-Z] ", "").alias("outcome"),
    )
    days = table["day"].fill_null(pl.date(1900, 1, 1))
    for column, bad, expected in [
        ("stop_date", ~sane_years(days), "a day from the year 2000 on, such as 2024-05-31"),
        ("positive", table["release"].is_null(), f"an answer in one of {', '.join(_POSITIVE)}"),
    ]:
        if bad.any():
            raise SourceError(path, expected, f"{table[column][bad.arg_max()]!r} in row {table['line'][bad.arg_max()]}")
    texts = pl.col(*_SPELLINGS, "borough").fill_null("").str.strip_chars()
    table = table.with_columns(texts, pl.col("day").dt.month_start().alias("month"))
    for column, words in _SPELLINGS.items():
        known = {spelling: word for word, spellings in words.items() for spelling in spellings}
        if strange := sorted(set(table[column]) - set(known)):
            raise SourceError(path, f"{column} one of {', '.join(filter(None, known))}", ", ".join(map(repr, strange)))
        table = table.with_columns(pl.col(column).replace_strict(known, return_dtype=pl.String))
    boroughs = {name: places.borough_code(name) for name in table["borough"].unique().sort()}
    none = [name for name in boroughs if name in _NO_BOROUGH or name.startswith("CO18 ")]
    if strange := sorted(name for name, code in boroughs.items() if code is None and name not in none):
        raise SourceError(path, "the Met's boroughs", ", ".join(map(repr, strange)))
    return table.with_columns(
        pl.col("borough")
        .replace_strict(boroughs, return_dtype=pl.String)
        .fill_null(places.UNKNOWN)
        .alias("borough_code"),
        pl.when(positive="yes").then("outcome").otherwise(pl.lit(NO_POSITIVE_OUTCOME)).alias("outcome"),
    )


def _one_release_a_month(table: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    order = {name: place for place, name in enumerate(_RELEASES)}
    place = pl.col("release").replace_strict(order, return_dtype=pl.Int64)
    counted = place == place.min().over("month")
    other = table.filter(~counted).group_by("release").len().sort("release")
    for release, count in other.iter_rows():
        quality.drop(f"of a month counted in another release than that {release}", count)
    return table.filter(counted)
