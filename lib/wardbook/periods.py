"""Months and financial years, and what may be compared with what.

A financial year runs from April to March and is written `2024-25`; months are the first of the month as `date`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache

import polars as pl

from wardbook.places import REFERENCE, UnknownName


@dataclass(frozen=True, order=True)
class FinancialYear:
    """April of `start` to March of the next year."""

    start: int

    def __str__(self) -> str:
        return f"{self.start}-{(self.start + 1) % 100:02d}"

    @property
    def first_month(self) -> date:
        return date(self.start, 4, 1)

    @property
    def last_month(self) -> date:
        return date(self.start + 1, 3, 1)

    @property
    def last_day(self) -> date:
        """31 March."""
        return date(self.start + 1, 3, 31)

    @property
    def months(self) -> list[date]:
        return [date(self.start + (m > 12), (m - 1) % 12 + 1, 1) for m in range(4, 16)]

    def __add__(self, years: int) -> FinancialYear:
        return FinancialYear(self.start + years)

    def __sub__(self, years: int) -> FinancialYear:
        return FinancialYear(self.start - years)


def financial_year(text: str) -> FinancialYear:
    """Read `2024-25` (also `2024/25`, `2024-2025`); the second year must follow the first.

    Raises
    ------
    UnknownName
        for anything else, naming what is allowed.
    """
    match = re.fullmatch(r"\s*((?:19|20)\d{2})\s*[-/–]\s*(\d{2}|\d{4})\s*", str(text))
    if match:
        start, end = int(match[1]), int(match[2])
        if end == (start + 1 if len(match[2]) == 4 else (start + 1) % 100):
            return FinancialYear(start)
    raise UnknownName(
        "period", text, ["latest", "2024-25"], 'periods are "latest" or a financial year such as "2024-25"'
    )


def financial_year_of(month: pl.Expr) -> pl.Expr:
    """The first calendar year of each month's financial year, as Int32."""
    return (month.dt.year() - (month.dt.month() < 4).cast(pl.Int32)).cast(pl.Int32)


def complete_years(months: pl.Series) -> list[FinancialYear]:
    """The financial years all twelve of whose months are in `months`, oldest first."""
    have = set(months.unique().to_list())
    years = sorted({m.year - (m.month < 4) for m in have})
    return [FinancialYear(y) for y in years if have.issuperset(FinancialYear(y).months)]


def resolve_period(period: str, years: list[FinancialYear], *, covered_by: str) -> FinancialYear:
    """The financial year a reader asked for: "latest" is the newest of `years`; any other must be one of them.

    Raises
    ------
    UnknownName
        naming the nearest year the data covers.
    """
    if not years:
        raise ValueError(f"{covered_by} covers no complete financial year")
    if str(period).strip().casefold() == "latest":
        return max(years)
    year = financial_year(period)
    if year not in years:
        nearest = min(years, key=lambda y: abs(y.start - year.start))
        raise UnknownName("period", period, [str(nearest)], f"{covered_by} covers {min(years)} to {max(years)} in full")
    return year


@cache
def declared_breaks() -> pl.DataFrame:
    """`data/reference/breaks.csv`: every declared break, with its first month, last month (of a spell), groups and effect."""
    return pl.read_csv(REFERENCE / "breaks.csv", try_parse_dates=True)


def breaks_between(table: pl.DataFrame, series: str, item: str, first: date, last: date) -> pl.DataFrame:
    """The breaks of `table` (see `declared_breaks`) that a comparison of months `first` to `last` crosses, oldest first.

    A break dated at month m separates m−1 from m. A spell (such as the pandemic months) counts if any of its months lies
    after `first`.
    """
    applies = (pl.col("offence_groups") == "all") | pl.col("offence_groups").str.split(" | ").list.contains(
        pl.lit(item)
    )
    inside = (pl.col("from_month") <= last) & (pl.coalesce("to_month", "from_month") > first)
    return table.filter((pl.col("series") == series) & applies & inside).sort("from_month", "break_id")
