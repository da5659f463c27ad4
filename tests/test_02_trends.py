"""Notebook 02: its words for every area, its months against a second computation, windows of a reader's own."""

import math
import re
from collections import Counter
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

import cells
from conftest import older_runs, sampled_kinds, sampled_runs
from wardbook import claim, places
from wardbook.figures.figure import SIZES
from wardbook.measures import trends

FIVE = ("Tower Hamlets", "Kingston upon Thames", "Islington", "Croydon", "London")  # Islington: three kinds far outside
RUNS = sampled_runs(*((area, "latest") for area in FIVE), ("Croydon", "2024-25"))
NAME = "02_trends"
pytestmark = pytest.mark.usefixtures("one_ruler")


@pytest.fixture(scope="module", autouse=True)
def few_simulations():
    """How often chance alone would signal is half the time of a run: here its words are held, not its last digit."""
    simulate = trends.false_alarm_rate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trends, "false_alarm_rate", lambda *given: simulate(*given, simulations=20))
        yield


@pytest.fixture(scope="module")
def tower_hamlets():
    """What it leaves of Tower Hamlets in the newest year."""
    return cells.shared(NAME, borough="Tower Hamlets", period="latest")


@pytest.mark.parametrize(("area", "period"), RUNS)
def test_every_template_renders_in_plain_words(area, period):
    left = cells.shared(NAME, borough=area, period=period)
    assert len(left.figures) == 7
    assert {name for name, figure in left.figures.items() if figure.absent} <= {"assurance"}


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(cells.shared(NAME, borough=area, period="latest")) == snapshot


@pytest.mark.parametrize(("area", "period"), older_runs())
def test_it_runs_for_older_periods(area, period):
    left = cells.shared(NAME, borough=area, period=period)
    held = {name for name in ("knife-outcomes", "vawg", "assurance") if not left.figures[name].absent}
    assert held == {"2012-13": set(), "2023-24": {"knife-outcomes", "vawg"}}.get(period, {"vawg"})


def test_an_aim_is_not_assured_by_a_year_that_shares_a_month_with_the_one_it_is_counted_from():
    for last, told in (("2025-05", False), ("2025-06", True)):
        made = cells.run_until(NAME, "assurance", borough="Sutton", period=f"year to {last}")
        assert (made is not None) == told, last


def test_months_that_shift_are_not_said_to_go_on_as_they_do():
    # London's: ten of 1,262 and more in the first ten, seven of 1,183 and fewer in the last seven, about 1,232.
    for area, words in (("London", "need not hold"), ("Southwark", "Going on as they do")):
        assert words in cells.shared(NAME, borough=area, period="latest").figures["assurance"].words["sentence"]


@pytest.mark.parametrize("item", sampled_kinds("homicide", "MOPAC 7", "Knife Crime"))
def test_any_kind_of_offence_has_words_and_what_cannot_be_judged_no_interval(item):
    left = cells.run(NAME, borough="Sutton", period="latest", offence_group=item, beside="Barnet")
    told = left.figures["before-after"].words["sentence"]
    assert ("interval" in told) == (not re.search("too few|too short|cannot be said", told))


def test_london_and_a_borough_of_it_are_not_said_to_be_apart():
    left = cells.run(NAME, borough="London", beside="Barnet").figures["before-after"]
    assert left.data.height == 2 and "interval" not in left.words["sentence"]


@pytest.mark.parametrize("name", ["groups", "violence-beside"])
def test_small_multiples_are_as_wide_as_where_they_are_read(tower_hamlets, name):
    """Headings wider than their panels made the page's chart 842 px wide, and the print's 782."""
    for size in ("page", "print"):
        width = re.search(r'^<svg[^>]* width="([\d.]+)"', tower_hamlets.figures[name].svg(size))[1]
        assert abs(float(width) - SIZES[size].width) <= 3, size


def test_a_title_as_wide_as_the_page_leaves_the_plot_its_width(tower_hamlets):
    figure = tower_hamlets.figures["assurance"]
    wide = replace(figure, words=figure.words | {"subtitle": "a line as wide as a phone, or nearly so, " * 2})
    short = replace(figure, words=figure.words | {"title": ["Short"], "subtitle": "Short"})
    plots = [max(float(x) for x in re.findall(r' x2="([\d.]+)"', one.svg("phone"))) for one in (wide, short)]
    assert plots[0] == pytest.approx(plots[1], abs=2) and plots[0] > 270


def test_the_summary_counts_its_months_and_its_years(tower_hamlets):
    left = tower_hamlets
    months, summary = left.tables["trends"], left.tables["trends_summary"]
    for row in summary.iter_rows(named=True):
        own = months.filter(pl.col("month") >= date(2025, 3, 1), offence_group=row["offence_group"])
        assert row["after"] == own["observed"].sum()
        assert row["above"] == (own["observed"] > own["upper"]).sum()
    # Each group's counts are those of 01, which another way adds up.
    changes = cells.run_until("01_targets", "changes", borough="Tower Hamlets", period="latest")
    columns = ["offence_group", "after", "against_london", "relative_percent"]
    same = summary.select(columns).join(changes.select(columns), on=columns, nulls_equal=True)
    assert same.height == summary.height == 17


def test_violence_against_women_and_girls_is_compared_on_one_side_of_march_2024_only(committed):
    crossing = cells.shared(NAME, borough="Ealing", period="2024-25").figures["vawg"].words["sentence"]
    assert "cannot be compared" in crossing and " rose " not in crossing.split("Beside")[0]
    after = cells.shared(NAME, borough="London", period="latest").names["row"]
    assert after["comparable"] and (after["before"], after["after"]) == (120_742, 132_064)
    # MPS: 150,987 in 2023-24 and 124,545 in 2024-25 over all of London, those without a borough among them.
    table = committed.table("vawg_offences").filter(level="London")
    year = table.filter(pl.col("month").is_between(date(2023, 4, 1), date(2024, 3, 1)))
    assert year["offences"].sum() == 150_987


def test_windows_of_a_readers_own_are_the_claims_and_another_borough_stands_beside(committed):
    own = {"borough": "Lambeth", "period": "latest", "offence_group": "vehicle crime"}
    left = cells.run(NAME, **own, before_after="year to 2025-02, year to 2026-02", beside="Lewisham")
    rows = {row["name"]: row for row in left.figures["before-after"].data.to_dicts()}
    table = committed.table("borough_offences").filter(snapshot="2026-02", offence_group="vehicle crime")
    ratio = 1.0
    for name, power in (("Lambeth", 1), ("Lewisham", -1)):
        months = table.filter(borough_code=places.area(name).code).select("month", "offences").iter_rows()
        years = Counter(month.year + (month.month > 2) for month, n in months for _ in range(n))
        assert (rows[name]["before"], rows[name]["after"]) == (years[2025], years[2026])
        ratio *= (years[2026] / years[2025]) ** power
    other = left.names["other"]
    width = 1.959964 * math.hypot(left.names["own"]["log_error"], other["log_error"])
    assert other["usual_low_percent"] == pytest.approx(100 * (ratio * math.exp(-width) - 1), rel=1e-6)
    assert rows["Rest of London"]["before"] == left.names["own"]["rest_before"]


def test_windows_that_cannot_be_compared_are_refused_with_the_reason():
    with pytest.raises(claim.ClaimRefused, match="overlap|different months"):
        cells.run(NAME, borough="Brent", before_after="year to 2025-02, year to 2025-11")
