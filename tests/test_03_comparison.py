"""Notebook 03: its words for every area, its table against each borough's own, and what was solved."""

import numpy as np
import polars as pl
import pytest

import cells
from conftest import older_runs, sampled, sampled_kinds, sampled_runs
from wardbook import places
from wardbook.figures import wording
from wardbook.measures import change, rates, wards

FIVE = ("Tower Hamlets", "Kingston upon Thames", "Westminster", "Croydon", "London")
RUNS = sampled_runs(*((area, "latest") for area in FIVE), ("London", "2024-25"))
NAME = "03_comparison"
pytestmark = pytest.mark.usefixtures("one_ruler")


@pytest.fixture(scope="module")
def london():
    """What it leaves of London in the newest year."""
    return cells.shared(NAME, borough="London", period="latest")


@pytest.mark.parametrize(("area", "period"), RUNS)
def test_every_template_renders_in_plain_words(area, period):
    left = cells.shared(NAME, borough=area, period=period)
    assert len(left.figures) == 7 and not any(figure.absent for figure in left.figures.values())


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(cells.shared(NAME, borough=area, period="latest")) == snapshot


@pytest.mark.parametrize(("area", "period"), older_runs())
def test_it_runs_for_older_periods(area, period):
    left = cells.shared(NAME, borough=area, period=period)
    assert left.figures["business-outcomes"].absent and not left.figures["ward-rates"].absent


@pytest.mark.parametrize("item", sampled_kinds("homicide", "knife crime"))
def test_any_kind_of_offence_has_words(item):
    left = cells.run(NAME, borough="Sutton", period="latest", offence_group=item)
    assert left.figures["ward-rates"].absent is (item == "knife crime")


def test_the_comparison_is_every_boroughs_own_table_row_by_row(london):
    # Each borough's `changes.csv` is made by 01_targets; both are read as they are saved.
    compared = london.tables["comparison"]
    assert compared.height == 32 * 18
    for borough in sampled("Tower Hamlets", "Kingston upon Thames", "Westminster", "Redbridge"):
        own = cells.run_until("01_targets", "changes", borough=borough, period="latest")
        mine = compared.filter(area=borough).sort("series", "offence_group")
        assert mine.equals(own.select(change.COLUMNS).sort("series", "offence_group")), borough


def test_outcomes_of_offences_against_business_sum_to_the_published_total(committed):
    # Issue 17: 64,026 of 872,784 over all months and boroughs.
    table = committed.table("outcomes").filter(offence_group="all business crime")
    assert table.select(pl.col("positive_outcomes", "outcomes").sum()).row(0) == (64_026, 872_784)


def test_shares_of_shoplifting_are_those_that_were_counted_beforehand(london):
    left = london.tables["outcomes"]
    for borough, share in (("Tower Hamlets", 0.0551), ("Kingston upon Thames", 0.1738), ("Westminster", 0.0926)):
        row = left.filter(area=borough, offence_group="shoplifting").row(0, named=True)
        assert row["share"] == pytest.approx(share, abs=5e-5)
        assert (row["low"], row["high"]) == pytest.approx(rates.wilson(row["positive_outcomes"], row["outcomes"]))
        assert row["period"] == "year to 2025-05" and row["of"] == "outcomes"


def test_a_ward_that_is_asked_for_is_shown_and_another_boroughs_is_refused():
    left = cells.run(NAME, borough="Lambeth", period="latest", ward="vauxhall")
    assert left.figures["ward-rates"].title.startswith("Vauxhall ranks ")
    shown = left.figures["ward-years"].data
    assert "Vauxhall" in shown["ward"] and 5 <= shown["ward"].n_unique() <= 6
    assert "Vauxhall" in left.figures["ward-map"].svg()
    with pytest.raises(places.UnknownName, match="unknown ward 'Fairfield'.*wards of Lambeth"):
        cells.run(NAME, borough="Lambeth", period="latest", ward="Fairfield")


def test_a_ward_is_named_as_highest_only_where_chance_alone_would_hardly_name_one():
    rng, named = np.random.default_rng(1), 0
    residents, rates = rng.uniform(8_000, 18_000, 680), rng.gamma(2, 0.002, 680)
    for clear in (*[1] * 200, 4):  # a borough of twenty wards alike, and one that is four times the others
        rates[:20] = [0.004 * clear, *[0.004] * 19]
        ends = wards.empirical_bayes_interval(rng.poisson(rates * residents), residents)
        told = pl.DataFrame({f"eb_{name}_per_1000": end[:20] for name, end in zip(("low", "high"), ends)})
        told = told.with_row_index("ward").sort("eb_low_per_1000", descending=True).to_dicts()
        title = wording.environment().globals["say"].highest("robbery", told)
        named += title.startswith("Highest")
    assert title == "Highest rate of robbery: 0" and named - 1 <= 0.05 * 200


def test_a_kind_that_is_not_held_for_the_period_is_refused_with_what_to_do():
    with pytest.raises(LookupError, match="Knife Crime is not held for 2017-18 and 2018-19: choose another"):
        cells.run(NAME, borough="Brent", period="2018-19", offence_group="knife crime")


def test_more_outcomes_than_offences_in_a_month_are_no_share_with_an_interval():
    """Of Richmond's two knife offences of September 2025 four outcomes were positive: every area's run ended there."""
    outcomes = cells.run_until("03_comparison", "outcomes", borough="Camden", period="2025-09 to 2025-09")
    knives = outcomes.filter(of="offences recorded", area="Richmond upon Thames", offence_group="Knife Crime")
    assert knives.select("outcomes", "positive_outcomes", "share", "low", "high").row(0) == (2, 4, 2.0, None, None)
    assert outcomes.filter(pl.col("outcomes") > 0, of="outcomes")["low"].null_count() == 0
