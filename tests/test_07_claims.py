"""Notebook 07: its words for every area, its counts by a second computation, and what each page shows."""

from collections import Counter

import pytest

import cells
from conftest import sampled
from wardbook import register
from wardbook.measures import claims

FIVE = ["Tower Hamlets", "Lambeth", "Kingston upon Thames", "Redbridge", "London"]
FIGURES = {"claims-verdicts", "claims-printed", "claims-heard", "claims-plans"}

pytestmark = pytest.mark.usefixtures("one_ruler")


@pytest.fixture(scope="module")
def london(one_ruler):
    return cells.shared("07_claims", borough="London", period="latest")


@pytest.mark.parametrize(("area", "period"), [*((area, "latest") for area in sampled(*FIVE)), ("Brent", "2018-19")])
def test_every_template_renders_for_every_area_in_plain_words(area, period):
    left = cells.shared("07_claims", borough=area, period=period)
    assert set(left.figures) == FIGURES
    # In 2019 the day's line stood on the plans' names, and one without an end ran back to 2020.
    (low, high), plans = left.names["scale"].domain, left.names["plans"]
    assert low <= left.names["day"].year < high and (plans["end"] > plans["from_year"]).all()


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(cells.shared("07_claims", borough=area, period="latest")) == snapshot


def test_the_counts_by_who_spoke_are_those_of_the_table(london):
    rows = london.tables["claims"].select("said_by", "verdict").rows()
    counted = Counter(rows)
    for row in london.figures["claims-verdicts"].data.iter_rows(named=True):
        assert row["statements"] == sum(n for (who, _), n in counted.items() if who == row["said_by"])
        assert row["hold"] == counted[row["said_by"], claims.REPRODUCES] + counted[row["said_by"], claims.AGREES]
        assert row["unchecked"] == counted[row["said_by"], claims.UNCHECKED]


def test_a_plan_has_the_status_of_the_day_that_is_asked_for():
    then = cells.shared("07_claims", borough="Tower Hamlets", period="2018-19", as_of="2025-07-13")
    now = cells.shared("07_claims", borough="Tower Hamlets", period="latest")
    plans = [dict(left.figures["claims-plans"].data.select("name", "status").iter_rows()) for left in (then, now)]
    name = "Community Safety Partnership Plan, 2021–2024"
    assert plans[0][name] == register.ENDED and plans[1][name] == register.REPLACED


def test_a_readers_statement_is_checked_with_the_published_ones(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "claim_id,document,office,claim,kind,check,source,area,item,baseline_period,period,direction,percent\n"
        "mine,A leaflet,A party,Robbery in Sutton rose,trend,recorded,A leaflet,Sutton,robbery,year to 2025-02,year to 2026-02,rise,5\n"
    )
    left = cells.run("07_claims", borough="Sutton", period="latest", claims_file=str(path))
    table = left.tables["claims"]
    assert table["claim_id"].to_list() == ["mine"]
    # The page says who stated it, and of what: it once credited the police at a meeting in Lambeth with any statement.
    heard = left.figures["claims-heard"].words
    assert "of four kinds" not in heard["subtitle"]
    assert "Robbery in Sutton rose: " in heard["sentence"] and "(A party)" in heard["sentence"]
    assert table["verdict"][0] == claims.DIFFERS
    assert "Robbery in Sutton rose: +5.0% printed" in left.figures["claims-printed"].words["alt"]  # it said None
