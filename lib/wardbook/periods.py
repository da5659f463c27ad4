"""Months, twelve-month periods and windows of months, and which declared breaks lie between two of them.

Months are the first of the month as `date`. A financial year runs from April to March and is written `2024-25`; any other
twelve months are named by their last: `year to 2026-02`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache

import polars as pl

from wardbook.places import REFERENCE, UnknownName

_MONTH = r"((?:19|20)\d{2})-(0[1-9]|1[0-2])"
_ALLOWED = (
    'a financial year such as "2024-25", twelve months such as "year to 2025-11", or a window of at most twelve months '
    'such as "2025-06 to 2025-08"'
)


def month_after(month: date, months: int) -> date:
    """The first of the month so many months later (earlier, if negative)."""
    at = 12 * month.year + month.month - 1 + months
    return date(at // 12, at % 12 + 1, 1)


@dataclass(frozen=True, order=True)
class Period:
    """A run of whole months, `first` to `last`, both included: a financial year, any twelve months, or fewer."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """How many months it has."""
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1

    @property
    def months(self) -> list[date]:
        """Its months, oldest first."""
        return [month_after(self.first, n) for n in range(self.length)]

    @property
    def is_financial_year(self) -> bool:
        """Is it April to March?"""
        return self.length == 12 and self.first.month == 4

    def __str__(self) -> str:
        """As a reader asks for it: `2024-25`, `year to 2026-02`, `2025-06 to 2025-08`."""
        if self.is_financial_year:
            return f"{self.first.year}-{(self.first.year + 1) % 100:02d}"
        if self.length == 12:
            return f"year to {self.last:%Y-%m}"
        return f"{self.first:%Y-%m} to {self.last:%Y-%m}"

    @property
    def slug(self) -> str:
        """Its name as a folder: `2024-25`, `year-to-2026-02`."""
        return str(self).replace(" ", "-")

    @property
    def words(self) -> str:
        """Its name in a title: `2024-25`, `year to February 2026`, `June to August 2025`."""
        if self.is_financial_year:
            return str(self)
        if self.length == 12:
            return f"year to {self.last:%B %Y}"
        if self.length == 1:
            return f"{self.last:%B %Y}"
        start = f"{self.first:%B}" if self.first.year == self.last.year else f"{self.first:%B %Y}"
        return f"{start} to {self.last:%B %Y}"

    def earlier(self, years: int = 1) -> Period:
        """The same calendar months so many years earlier."""
        return Period(month_after(self.first, -12 * years), month_after(self.last, -12 * years))

    def within(self, month: pl.Expr) -> pl.Expr:
        """Does a month lie in it?"""
        return month.is_between(self.first, self.last)


def year_to(month: date) -> Period:
    """The twelve months that end with this one."""
    return Period(month_after(month, -11), month)


def financial_year(start: int) -> Period:
    """April of a calendar year to March of the next."""
    return year_to(date(start + 1, 3, 1))


def financial_year_of(month: pl.Expr) -> pl.Expr:
    """The first calendar year of each month's financial year, as Int32."""
    return (month.dt.year() - (month.dt.month() < 4).cast(pl.Int32)).cast(pl.Int32)


def financial_year_label(month: pl.Expr) -> pl.Expr:
    """The financial year of each month as `2024-25`."""
    start = financial_year_of(month)
    return pl.format("{}-{}", start, ((start + 1) % 100).cast(pl.String).str.zfill(2)).alias("financial_year")


def complete_years(months: Iterable[date]) -> list[Period]:
    """Every twelve months in a row that are all in `months`, whichever month they end with, oldest first."""
    have = set(months)
    return [year for month in sorted(have) for year in [year_to(month)] if have.issuperset(year.months)]


def read_period(text: object, *, newest: date | None = None) -> Period:
    """The period a reader asked for; `latest` is the twelve months to `newest`.

    Raises
    ------
    UnknownName
        for anything else, naming what is allowed.
    """
    asked = " ".join(str(text).split()).casefold()
    if asked == "latest" and newest is not None:
        return year_to(newest)
    if match := re.fullmatch(rf"year[ -]to[ -]{_MONTH}", asked):
        return year_to(date(int(match[1]), int(match[2]), 1))
    if match := re.fullmatch(rf"{_MONTH}[ -]to[ -]{_MONTH}", asked):
        window = Period(date(int(match[1]), int(match[2]), 1), date(int(match[3]), int(match[4]), 1))
        if 1 <= window.length <= 12:
            return window
    if match := re.fullmatch(r"((?:19|20)\d{2}) ?[-/–] ?(\d{2}|\d{4})", asked):
        start, end = int(match[1]), int(match[2])
        if end == (start + 1 if len(match[2]) == 4 else (start + 1) % 100):
            return financial_year(start)
    # "latest" is a period only where something says which month is the newest.
    latest, named = (["latest"], '"latest", ') if newest else ([], "")
    raise UnknownName("period", text, [*latest, "2024-25", "year to 2025-11"], f"a period is {named}{_ALLOWED}")


# -- declared breaks ------------------------------------------------------------------------------------------------------


@cache
def declared_breaks() -> pl.DataFrame:
    """`data/reference/breaks.csv`: every declared break, with its first month, last month (of a spell), groups and effect.

    `effect`: `cuts` (the two counts cannot be compared), `marks` (they can, and a sentence says what lies between),
    `ends` (the series stops). `alike`: whether it hit all boroughs alike, so that a change relative to the rest of London
    stands. `teaches`: whether a pair of years that touches it may teach the ruler.
    """
    return pl.read_csv(REFERENCE / "breaks.csv", try_parse_dates=True)


def breaks_between(table: pl.DataFrame, series: str, item: str, first: date, last: date) -> pl.DataFrame:
    """The breaks of `table` (see `declared_breaks`) that a comparison of months `first` to `last` crosses, oldest first.

    A break dated at month m separates m−1 from m. A spell (such as the pandemic months) counts if any of its months lies
    among them, and where a series ends so does every month from then on.
    """
    applies = (pl.col("offence_groups") == "all") | pl.col("offence_groups").str.split(" | ").list.contains(
        pl.lit(item)
    )
    ended = (pl.col("from_month") > first) | (pl.col("effect") == "ends")
    since = pl.when(pl.col("to_month").is_null()).then(ended).otherwise(pl.col("to_month") >= first)
    return table.filter(applies & since, pl.col("from_month") <= last, series=series).sort("from_month", "break_id")


def breaks_to_draw(table: pl.DataFrame, series: str, item: str, first: date, last: date) -> pl.DataFrame:
    """The months in which a chart from `first` to `last` shows a break begins, and its short name: `month`, `words`."""
    crossed = breaks_between(table, series, item, first, last).filter(pl.col("from_month") > first)
    name = pl.col("break_id").str.split(" (").list.first()
    shown = crossed.select(month="from_month", words=name.replace({"CRIS to CONNECT": "new records system"}))
    return shown.unique(maintain_order=True)  # one month may cut some kinds of offence and mark all
