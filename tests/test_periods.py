"""Financial years, the months in them, and the breaks that a comparison crosses."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from wardbook import tables
from wardbook.periods import (
    FinancialYear,
    breaks_between,
    complete_years,
    declared_breaks,
    financial_year,
    financial_year_of,
    resolve_period,
)
from wardbook.places import UnknownName


def months(first, last):
    return pl.date_range(first, last, interval="1mo", eager=True)


# Financial years ------------------------------------------------------------------------------------------------------


def test_a_financial_year_runs_from_april_to_march():
    year = FinancialYear(2023)
    assert year.months == months(date(2023, 4, 1), date(2024, 3, 1)).to_list()
    assert (year.first_month, year.last_month) == (year.months[0], year.months[-1])
    assert len(year.months) == 12


@pytest.mark.parametrize(
    ("start", "text"), [(2024, "2024-25"), (2008, "2008-09"), (2009, "2009-10"), (1999, "1999-00")]
)
def test_a_financial_year_is_written_one_way(start, text):
    assert str(FinancialYear(start)) == text
    assert financial_year(text) == FinancialYear(start)


def test_years_are_ordered_and_counted():
    assert FinancialYear(2023) + 2 == FinancialYear(2025)
    assert FinancialYear(2023) - 4 == FinancialYear(2019)
    assert max(FinancialYear(2023), FinancialYear(2010)) == FinancialYear(2023)
    assert len({FinancialYear(2023), financial_year("2023-24")}) == 1


@pytest.mark.parametrize("text", ["2024-25", "2024/25", "2024-2025", "2024–25", " 2024 - 25 ", "2024/2025"])
def test_the_ways_a_year_may_be_written(text):
    assert financial_year(text) == FinancialYear(2024)


@pytest.mark.parametrize(
    "text",
    [
        "2024",
        "24-25",
        "2024-26",
        "2024-24",
        "2025-24",
        "2024-2026",
        "2024-1925",
        "2024-0025",
        "2024-25-26",
        "",
        "April 2024",
        None,
    ],
)
def test_what_is_no_financial_year_is_refused(text):
    with pytest.raises(UnknownName) as caught:
        financial_year(text)
    assert str(caught.value).startswith(f"unknown period {text!r}: ")
    assert str(caught.value).endswith("")


def test_a_year_of_century_end_is_read_in_full():
    assert financial_year("1999-2000") == FinancialYear(1999)
    with pytest.raises(UnknownName):
        financial_year("1999-1900")


def test_the_financial_year_of_a_month():
    frame = pl.DataFrame({"month": [date(2024, 3, 1), date(2024, 4, 1), date(2024, 12, 1), date(2025, 1, 1)]})
    years = frame.select(financial_year_of(pl.col("month")).alias("year"))["year"]
    assert years.to_list() == [2023, 2024, 2024, 2024]
    assert years.dtype == pl.Int32
    for year in (2023, 2024):
        own = pl.DataFrame({"month": FinancialYear(year).months})
        assert own.select(financial_year_of(pl.col("month")))["month"].unique().to_list() == [year]


def test_only_years_with_all_twelve_months_are_complete():
    held = months(date(2021, 3, 1), date(2024, 2, 1))
    assert complete_years(held) == [FinancialYear(2021), FinancialYear(2022)]
    assert complete_years(pl.concat([held, held])) == [FinancialYear(2021), FinancialYear(2022)]
    assert complete_years(held.filter(held != date(2021, 8, 1))) == [FinancialYear(2022)]
    assert complete_years(held.reverse()) == [FinancialYear(2021), FinancialYear(2022)]
    assert complete_years(held.head(11)) == []
    assert complete_years(held.clear()) == []


# The period a reader asks for -----------------------------------------------------------------------------------------

HELD = [FinancialYear(2022), FinancialYear(2023), FinancialYear(2024)]


@pytest.mark.parametrize("text", ["latest", "Latest", " LATEST "])
def test_latest_is_the_newest_year_held(text):
    assert resolve_period(text, HELD, covered_by="made-up counts") == FinancialYear(2024)
    assert resolve_period(text, HELD[::-1][1:], covered_by="made-up counts") == FinancialYear(2023)


@pytest.mark.parametrize("text", ["2023-24", "2023/24", "2023-2024"])
def test_a_year_held_is_the_one_asked_for(text):
    assert resolve_period(text, HELD, covered_by="made-up counts") == FinancialYear(2023)


@pytest.mark.parametrize(("asked", "nearest"), [("2025-26", "2024-25"), ("2031-32", "2024-25"), ("2009-10", "2022-23")])
def test_a_year_not_held_is_refused_with_the_nearest(asked, nearest):
    with pytest.raises(UnknownName) as caught:
        resolve_period(asked, HELD, covered_by="made-up counts")
    assert caught.value.allowed == [nearest]
    hint, covered = str(caught.value).split(" (")
    assert hint.startswith(f"unknown period {asked!r}: ")
    assert nearest in hint
    assert covered == "made-up counts covers 2022-23 to 2024-25 in full)"


@pytest.mark.parametrize(("typed", "nearest"), [("lastest", "latest"), ("Latst", "latest"), ("2024-26", "2024-25")])
def test_a_misspelt_period_is_refused_with_what_was_meant(typed, nearest):
    with pytest.raises(UnknownName) as caught:
        resolve_period(typed, HELD, covered_by="made-up counts")
    assert str(caught.value) == (f"unknown period {typed!r}: did you mean {nearest!r}? ")


def test_data_without_a_complete_year_says_so():
    for period in ("latest", "2024-25"):
        with pytest.raises(ValueError, match="^made-up counts covers no complete financial year$"):
            resolve_period(period, [], covered_by="made-up counts")


# Breaks ---------------------------------------------------------------------------------------------------------------

BREAKS = pl.DataFrame(
    [
        ("single", "made up", date(2014, 4, 1), None, "burglary | robbery"),
        ("spell", "made up", date(2020, 4, 1), date(2021, 7, 1), "all"),
        ("other series", "another", date(2014, 4, 1), None, "all"),
        ("a twin", "made up", date(2014, 4, 1), None, "robbery"),
    ],
    schema={
        "break_id": pl.String,
        "series": pl.String,
        "from_month": pl.Date,
        "to_month": pl.Date,
        "offence_groups": pl.String,
    },
    orient="row",
)


def crossed(first, last, item="burglary", series="made up"):
    return breaks_between(BREAKS, series, item, first, last)["break_id"].to_list()


@pytest.mark.parametrize(
    ("first", "last", "breaks"),
    [
        (date(2013, 4, 1), date(2014, 3, 1), []),  # it ends the month before
        (date(2013, 4, 1), date(2014, 4, 1), ["single"]),
        (date(2014, 3, 1), date(2014, 4, 1), ["single"]),  # m − 1 and m are what it separates
        (date(2014, 4, 1), date(2016, 3, 1), []),  # it begins after the break
        (date(2013, 4, 1), date(2016, 3, 1), ["single"]),
    ],
)
def test_a_break_at_a_month_separates_it_from_the_one_before(first, last, breaks):
    assert crossed(first, last) == breaks


@pytest.mark.parametrize(
    ("first", "last", "breaks"),
    [
        (date(2019, 4, 1), date(2020, 3, 1), []),
        (date(2019, 4, 1), date(2020, 4, 1), ["spell"]),
        (date(2020, 4, 1), date(2021, 3, 1), ["spell"]),  # wholly inside
        (date(2018, 4, 1), date(2023, 3, 1), ["spell"]),  # wholly around
        (date(2021, 6, 1), date(2022, 3, 1), ["spell"]),
        (date(2021, 7, 1), date(2022, 3, 1), []),  # only its last month, and nothing after the first month is in it
        (date(2021, 8, 1), date(2022, 3, 1), []),
    ],
)
def test_a_spell_counts_if_a_month_of_it_lies_after_the_first(first, last, breaks):
    assert crossed(first, last) == breaks


def test_a_break_is_of_its_series_and_its_groups():
    assert crossed(date(2013, 4, 1), date(2015, 3, 1), "theft") == []
    assert crossed(date(2013, 4, 1), date(2015, 3, 1), "burg") == []
    assert crossed(date(2013, 4, 1), date(2015, 3, 1), "theft", "another") == ["other series"]
    assert crossed(date(2019, 4, 1), date(2022, 3, 1), "theft") == ["spell"]


def test_breaks_come_oldest_first():
    assert crossed(date(2013, 4, 1), date(2022, 3, 1), "robbery") == ["a twin", "single", "spell"]


def test_the_declared_breaks_can_be_read_and_apply_to_something():
    table = declared_breaks()
    assert table.schema["from_month"] == table.schema["to_month"] == pl.Date
    assert table["break_id"].is_unique().all()
    assert set(table["series"]) <= {
        *("borough_offences", "ward_offences", "knife_offences", "vawg_offences", "outcomes", "stops", "confidence")
    }
    assert set(table["effect"]) <= {"cuts", "marks", "ends"}
    dates = table.select("from_month", "to_month").drop_nulls()
    assert (dates["from_month"] <= dates["to_month"]).all()
    assert (table["from_month"].dt.day() == 1).all()
    for column in ("what", "source"):
        assert not table[column].is_null().any()
    groups = {*tables.groups_filled_by(["upper-case"])["offence_group"], "all"}
    named = {group for groups_of in table["offence_groups"] for group in groups_of.split(" | ")}
    assert named <= groups


@pytest.mark.parametrize(
    ("item", "first", "last", "named"),
    [
        ("fraud and forgery", 2012, 2013, "fraud leaves"),
        ("violence with injury", 2013, 2014, "violence recording"),
        ("robbery", 2019, 2020, "pandemic"),
        ("residential burglary", 2022, 2023, "residential burglary renamed"),
        ("robbery", 2022, 2024, "CRIS to CONNECT"),
    ],
)
def test_the_documented_breaks_are_declared(item, first, last, named):
    found = breaks_between(
        declared_breaks(), "borough_offences", item, FinancialYear(first).first_month, FinancialYear(last).last_month
    )
    assert named in found["break_id"].to_list()


def test_a_year_without_a_declared_break_crosses_none():
    found = breaks_between(declared_breaks(), "borough_offences", "robbery", date(2015, 4, 1), date(2017, 3, 1))
    assert found.is_empty()
