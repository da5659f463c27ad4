"""Notebook 01: its words for every area, its sentences against its tables, and what a reader sees first."""

import re
from datetime import date

import polars as pl
import pytest

import cells
from conftest import sampled_runs
from wardbook import places
from wardbook.figures import wording
from wardbook.measures import change, targets
from wardbook.periods import read_period

FIVE = [(area, "latest") for area in ("Tower Hamlets", "Kingston upon Thames", "Westminster", "London")]
FIVE += [("Croydon", "2024-25")]
YEARS = ("2018-19", "2023-24", "2024-25")
RUNS = sampled_runs(*FIVE, ("London", "2024-25"))
pytestmark = pytest.mark.usefixtures("one_ruler")


@pytest.mark.parametrize(("area", "period"), RUNS)
def test_every_template_renders_in_plain_words(area, period):
    left = cells.shared("01_targets", borough=area, period=period)
    first = left.statements["first-screen"].parts
    assert 4 <= len(first) <= 5, area  # London has nothing that stands out beside itself
    assert set(left.figures) == {"year-change", "live-targets", "past-targets", "mopac-7-other-years", "knife-crime"}
    # Where nothing is said to be usual no bar says where boroughs usually are, as one did of knife crime.
    unsaid = left.figures["year-change"].data.filter(~pl.col("against_london").is_in([*change.VERDICTS[:3]]))
    assert unsaid["low"].null_count() == unsaid["high"].null_count() == unsaid.height, area


@pytest.mark.parametrize(("area", "period"), FIVE)
def test_every_word_and_number_is_the_goldens(area, period, snapshot):
    assert cells.golden(cells.shared("01_targets", borough=area, period=period)) == snapshot


def test_two_kinds_of_offence_are_never_said_alike(committed):
    """Violence without injury is a group of its own; with stalking and harassment it went by the same name."""
    groups = committed.table("borough_offences")["offence_group"].unique().to_list()
    said = [wording.plain(group) for group in groups]
    assert len(said) == len(set(said)) > 20


def test_what_is_printed_as_nought_neither_rose_nor_fell():
    say = wording.environment().globals["say"]
    said = {
        0.0: "did not change",
        -0.04: "hardly changed",
        -0.06: "fell 0.1%",
        9.96: "rose 10%",
    }
    assert {change: str(say.went(change)).strip() for change in said} == said
    rest = say.rest({"comparable": True, "london_change_percent": -0.02})
    assert str(rest).strip() == "the rest of London's hardly changed"


def test_why_two_years_are_not_compared_is_what_the_rule_found():
    """Drug offences of 2021-22 are told apart by their place: how they were recorded had not changed."""
    left = cells.run("02_trends", borough="Bromley", period="2021-22", offence_group="drug offences")
    said = left.figures["changing"].words["sentence"]
    assert "cannot be compared with the year before: more or fewer offences were given a borough" in said


def test_a_headline_across_what_is_not_compared_has_no_change():
    """Of all crime of the year to August 2025 too, whose offences without a borough went from 2.6% to 0.3%."""
    left = cells.run("01_targets", borough="Camden", period="year to 2025-08")
    said = left.told["first-screen"]
    assert said[0].startswith("Recorded crime cannot be compared (") and "Beside the rest of London it is" in said[0]
    assert "Knife crime cannot be compared (" in said[2]


def test_three_months_are_neither_a_year_nor_held_against_one():
    left = cells.run("01_targets", borough="Camden", period="2025-06 to 2025-08")
    aim = left.tables["targets"].row(by_predicate=pl.col("measure") == "knife crime", named=True)
    assert (aim["verdict"], aim["result"]) == (targets.CANNOT_SAY, None)  # 105 of a year's 479 were "on track"
    figure = left.figures["knife-crime"]
    assert f"the year to August 2025, {figure.data['year'][-1]:,} offences" in figure.words["alt"]
    # A year's homicides, 94 of London's, were said of December 2025 to February 2026.
    beside = cells.run("02_trends", borough="Camden", period="2025-06 to 2025-08").figures["violence-beside"]
    assert "recorded in the twelve months to August 2025." in beside.words["sentence"]


def test_a_printed_change_stands_beside_a_target_of_its_own_period():
    """London's theft from motor vehicle of 2009-10 (-7.9%) stood beside its target of 2015-16 too."""
    left = cells.shared("01_targets", borough="London", period="latest")
    vehicles = left.figures["past-targets"].data.filter(measure="theft from motor vehicle")
    assert dict(vehicles.select("period", "london").iter_rows()) == {"2009-10": -7.9, "2015-16": None}


def test_searches_in_london_are_as_many_as_in_04(committed):
    """Those without a borough were left out here, and counted there: 105,805 and 116,524 on two pages."""
    months = pl.col("month").is_between(date(2023, 9, 1), date(2024, 8, 1))
    people = committed.table("stops").filter(months, pl.col("search_type") != "Vehicle search")["stops"].sum()
    residents = committed.table("population").join(places.boroughs(), on="borough_code")["residents"].sum()
    search = cells.shared("01_targets", borough="London", period="latest").names["search"]
    assert search["searches"] == people == 116_524
    assert search["rate"] == pytest.approx(1000 * people / residents)


def test_an_aim_that_is_too_early_has_no_change_since_the_year_it_is_counted_from():
    """Of 2023-24 knife crime fell "since the year to June 2024"."""
    figure = cells.run("01_targets", borough="Hillingdon", period="2023-24").figures["knife-crime"]
    assert "ince the year to June 2024" not in figure.words["sentence"]
    assert "It is too early to hold it against the aim: twelve months do not yet lie" in figure.words["sentence"]


@pytest.mark.parametrize(
    ("area", "period"), [("Camden", "2018-19"), ("Tower Hamlets", "2011-12"), ("London", "2018-19")]
)
def test_it_runs_for_older_periods(area, period):
    left = cells.shared("01_targets", borough=area, period=period)
    assert left.tables["changes"].height == 17  # knife crime is not held
    # What residents said is as in 05, by the period's end: a page of 2018-19 had the survey of 2023 first, and 2019's below.
    asked = [said for said in left.told["first-screen"] if "survey" in said]
    assert len(asked) == (period == "2018-19") and all("to March 2019." in said for said in asked)
    # A borough's homicides of 2018-19 are too few to say anything of, compared or not.
    assert area == "London" or "cannot be compared" not in left.figures["year-change"].words["caveat"]


def test_a_readers_own_targets_are_judged_with_the_published_ones(tmp_path):
    """The results of the published ones were lost beside them, and two periods of one measure changed their counts."""
    path = tmp_path / "mine.csv"
    path.write_text(
        "target_set,measure,kind,series,item,area,target_owner,baseline_period,period,direction,target,source\n"
        "mine,robbery in my borough,change,borough_offences,robbery,Tower Hamlets,me,2023-24,2024-25,fall,-50,my plan\n"
        "mine,robbery in my borough,change,borough_offences,robbery,Tower Hamlets,me,2018-19,2023-24,fall,-50,my plan\n"
    )
    left = cells.run("01_targets", borough="Tower Hamlets", period="latest", targets_file=str(path))
    is_mine = pl.col("target_set") == "mine"
    published = cells.shared("01_targets", borough="Tower Hamlets", period="latest").tables["targets"]
    assert left.tables["targets"].filter(~is_mine).equals(published)
    monthly = left.names["book"].monthly().filter(offence_group="robbery", borough_code="E09000030")
    years = {year: monthly.filter(read_period(year).within(pl.col("month")))["offences"].sum() for year in YEARS}
    rows = left.tables["targets"].filter(is_mine)
    counts = [(years["2023-24"], years["2024-25"]), (years["2018-19"], years["2023-24"])]
    assert rows.select("baseline", "outturn").rows() == counts
    assert set(rows["verdict"]) == {targets.MISSED}
    assert set(rows["against_london"]) <= set(change.VERDICTS)
    figure = left.figures["live-targets"]
    assert all(f"Robbery in my borough ({year})" in figure.svg() for year in YEARS[1:]), "two rows in one place"
    assert re.search(r"Robbery in my borough \(.*\): missed, [+−]\d+\.\d% against −50\.0%", figure.words["sentence"])
