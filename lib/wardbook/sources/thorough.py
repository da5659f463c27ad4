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

import dataframely as dy
import polars as pl

from wardbook import places
from wardbook.sources import reading
from wardbook.sources.reading import Loaded, Quality

_COLUMNS = ("month", "release", "borough_code", "age_band", "ethnic_appearance", "adult_present", "outcome")
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
        **dict.fromkeys(("18 or older", "18 or over"), "18 and over"),
        "Under 18": "under 18",
        **dict.fromkeys(("Not Recorded", "Recorded as 0 or Not Known"), NOT_RECORDED),
    },
    "ethnic_appearance": {
        **{name: name for name in ("Asian", "Black", "Other", "White")},
        **dict.fromkeys(("Unknown", "#N/A", "Not Recorded"), NOT_RECORDED),
    },
    "adult_present": {"Y": "yes", "N": "no"},
    "outcome": {
        "Drugs": "drugs",
        **dict.fromkeys(("Drugs Possession Only", "Drugs (Possession Only)"), "drugs, possession only"),
        **dict.fromkeys(("Weapons, Points & Blades Offences", "Weapons, Points and Blade Offences"), "weapons"),
        **dict.fromkeys(("All Other Outcome Reasons", "Not Applicable"), "other"),
    },
}
_EMPTY = dict.fromkeys(_SPELLINGS, NOT_RECORDED) | {"outcome": "other"}
_NO_BOROUGH = ("Non MET police force", "CO18 ")  # the airports' commands are "CO18 (Heathrow Airport)" and the like


class SearchRows(dy.Schema):
    """A release's row, under our names."""

    day = reading.day("a day from the year 2000 on, such as 2024-05-31")
    release = dy.String(description="an answer to whether the outcome was positive, in one of its columns")
    borough = dy.String(nullable=True)
    age_band = dy.Enum(list(_SPELLINGS["age_band"]), nullable=True)
    ethnic_appearance = dy.Enum(list(_SPELLINGS["ethnic_appearance"]), nullable=True)
    adult_present = dy.Enum(list(_SPELLINGS["adult_present"]), nullable=True)
    positive = dy.Enum(["Yes", "No"])
    outcome = dy.Enum(list(_SPELLINGS["outcome"]), nullable=True)


def read_thorough_searches(path: Path | str) -> Loaded:
    """More thorough searches, a row each, every release's columns and spellings made one.

    Returns
    -------
    Loaded
        `month`, `release`, `borough_code`, `age_band`, `ethnic_appearance`, `adult_present`, `outcome`, sorted.
        `borough_code` is `unknown` at the airports and where none was recorded. `outcome` is the reason of a positive
        outcome, or that there was none. Two people searched alike (same day, borough, age band, sex, appearance, reason
        and result) count once: about 6 % of 2021's searches.

    Raises
    ------
    SourceError
        for a file without the columns of any release, a label of none, or a row of no release.
    """
    wanted = {name: [name] for name in ("col_0", *_TEXTS, *_POSITIVE, *_ADULT)}
    table, quality = reading.open_rows(reading.read_text_table(path), path, wanted)
    table = _one_release_a_month(_mend(table, quality), quality)
    again = table.unique(["day", *_TEXTS[1:], "positive", "adult_present"], keep="first", maintain_order=True)
    quality.drop("the same search again", table.height - again.height)
    quality.note("searches of no borough of the Met's", again.filter(borough_code=places.UNKNOWN).height)
    return Loaded(again.select(_COLUMNS).sort(_COLUMNS), quality.close(again.height))


def _mend(table: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    """The published table beside its cells as they are meant."""
    labels = table.select(
        "line",
        pl.col("stop_date").alias("day"),
        pl.coalesce(pl.when(rows).then(pl.lit(name)) for name, rows in _RELEASES.items()).alias("release"),
        "borough",
        pl.col("age_group").alias("age_band"),
        "ethnic_appearance",
        pl.coalesce(_ADULT).alias("adult_present"),
        pl.coalesce(_POSITIVE).alias("positive"),
        pl.col("outcome_reason").str.replace(r"^[A-Z] ", "").alias("outcome"),
    )
    typed = reading.read_typed(labels, SearchRows, quality).cast({pl.Enum: pl.String})
    elsewhere = {name: places.UNKNOWN for name in typed["borough"].drop_nulls() if name.startswith(_NO_BOROUGH)}
    typed = (
        reading.with_borough_codes(typed, "borough", quality.file, elsewhere)
        .with_columns(
            pl.col("day").dt.month_start().alias("month"),
            pl.col("borough_code").fill_null(places.UNKNOWN),
            *(pl.col(name).replace(known).fill_null(_EMPTY[name]) for name, known in _SPELLINGS.items()),
        )
        .with_columns(pl.when(positive="Yes").then("outcome").otherwise(pl.lit(NO_POSITIVE_OUTCOME)).alias("outcome"))
    )
    return table.with_columns(typed.iter_columns())


def _one_release_a_month(table: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    order = {name: place for place, name in enumerate(_RELEASES)}
    place = pl.col("release").replace_strict(order, return_dtype=pl.Int64)
    counted = place == place.min().over("month")
    other = table.filter(~counted).group_by("release").len().sort("release")
    for release, count in other.iter_rows():
        quality.drop(f"of a month counted in another release than that {release}", count)
    return table.filter(counted)
