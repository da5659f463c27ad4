"""Twelve-month periods and windows of months, and the breaks that a comparison crosses."""

from datetime import date

import polars as pl
import pytest

from wardbook.periods import breaks_between, complete_years, declared_breaks, month_after, read_period
from wardbook.places import UnknownName


@pytest.mark.parametrize(
    ("asked", "first", "last", "words", "slug"),
    [
        ("2024-25", (2024, 4), (2025, 3), "2024-25", "2024-25"),
        (" 2024 - 2025 ", (2024, 4), (2025, 3), "2024-25", "2024-25"),
        ("1999-00", (1999, 4), (2000, 3), "1999-00", "1999-00"),
        ("year to 2025-04", (2024, 5), (2025, 4), "year to April 2025", "year-to-2025-04"),
        ("Year  to 2025-03", (2024, 4), (2025, 3), "2024-25", "2024-25"),
        ("latest", (2025, 3), (2026, 2), "year to February 2026", "year-to-2026-02"),
        ("2025-06 to 2025-08", (2025, 6), (2025, 8), "June to August 2025", "2025-06-to-2025-08"),
        ("2024-12 to 2025-02", (2024, 12), (2025, 2), "December 2024 to February 2025", "2024-12-to-2025-02"),
    ],
)
def test_the_ways_a_period_may_be_asked_for(asked, first, last, words, slug):
    period = read_period(asked, newest=date(2026, 2, 1))
    assert (period.first, period.last) == (date(*first, 1), date(*last, 1))
    assert (period.months[0], period.months[-1]) == (period.first, period.last)
    assert (period.words, period.slug) == (words, slug)
    assert read_period(str(period)) == period
    assert read_period(period.slug) == period


NO_PERIODS = ["2024", "2024-26", "2024-25-26", "", "April 2024", None, "year to 2025-13", "latest"]
NO_PERIODS += ["2025-08 to 2025-06", "2024-01 to 2025-06"]


@pytest.mark.parametrize("asked", NO_PERIODS)
def test_what_is_no_period_is_refused_with_what_is_allowed(asked):
    with pytest.raises(UnknownName, match="a financial year such as") as refused:
        read_period(asked)
    assert '"latest"' not in str(refused.value) and "'latest'?" not in str(refused.value), "it is no month's own name"


def test_a_year_earlier_is_the_same_months():
    period = read_period("2024-12 to 2025-02")
    assert [str(period.earlier(n)) for n in (1, -1)] == ["2023-12 to 2024-02", "2025-12 to 2026-02"]
    assert read_period("2015-16").earlier(4) == read_period("2011-12")


def test_the_newest_period_is_the_newest_twelve_months_without_a_gap():
    months = [month_after(date(2023, 1, 1), n) for n in range(30)]
    assert complete_years(months)[-1].last == months[-1]
    assert complete_years(m for m in months if m != date(2025, 1, 1))[-1].last == date(2024, 12, 1)
    assert complete_years(months[:11]) == []


def test_the_documented_breaks_are_declared():
    crossed = {("violence with injury", "2014-15"): ["violence recording"], ("robbery", "2020-21"): ["pandemic"]}
    crossed |= {("robbery", "2024-25"): ["CRIS to CONNECT (other offences)"], ("robbery", "year to 2026-02"): []}
    for (item, year), breaks in crossed.items():
        after = read_period(year)
        between = declared_breaks(), "borough_offences", item, after.earlier().first, after.last
        assert breaks_between(*between)["break_id"].to_list() == breaks, year


def test_a_break_dated_at_a_month_parts_it_from_the_one_before():
    march, texts = date(2024, 3, 1), {"series": pl.lit("s"), "offence_groups": pl.lit("all"), "effect": pl.lit("cuts")}
    table = declared_breaks().head(1).with_columns(**texts, from_month=march, to_month=None)
    assert breaks_between(table, "s", "y", date(2024, 2, 1), date(2024, 3, 1)).height == 1
    assert breaks_between(table, "s", "y", date(2024, 3, 1), date(2025, 2, 1)).height == 0
    spell = table.with_columns(from_month=pl.lit(date(2023, 4, 1)), to_month=march)
    # The last month of a spell is still one of it: July 2021 is in the year to June 2022.
    held = {(date(2024, 3, 1), date(2025, 2, 1)): 1, (date(2024, 4, 1), date(2025, 3, 1)): 0}
    held |= {(date(2022, 4, 1), date(2023, 4, 1)): 1, (date(2022, 4, 1), date(2023, 3, 1)): 0}
    assert {window: breaks_between(spell, "s", "y", *window).height for window in held} == held
