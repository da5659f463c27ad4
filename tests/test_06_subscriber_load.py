"""Officers' hours and mail: the notebook for every area, its numbers computed a second time, its words, its sliders."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

import cells
from conftest import is_wider, sampled
from wardbook import facts, places
from wardbook.figures import wording
from wardbook.measures import load
from wardbook.run import sliders

NAME = "06_subscriber_load"
FIVE = ("Tower Hamlets", "Hammersmith and Fulham", "Kingston upon Thames", "Westminster", "London")
RUNS = [*((area, "latest") for area in sampled(*FIVE)), ("Westminster", "2011-12"), ("London", "2011-12")]
HOURS = ("officer-hours-lost", "officer-hours-demand", "officer-hours-even")
LONDON_ONLY = {"load-asked", "load-answered", "load-lists", "load-matters"}


def run(borough: str, period: str = "latest", **settings) -> cells.Left:
    return cells.shared(NAME, borough=borough, period=period, **settings)


@pytest.fixture(scope="module")
def hamlets() -> cells.Left:
    return run("Tower Hamlets")


# -- every area ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("area", "period"), RUNS)
def test_every_area_has_its_words_whatever_the_period(area, period):
    ran = run(area, period, draws=400)
    made = {*HOURS, "load-break-even"} | (LONDON_ONLY if area == places.LONDON else set())
    assert set(ran.figures) == made, "what depends on no borough is made for London alone"
    for name in ran.figures.keys() - HOURS:
        assert "modelled" in (ran.figures[name].title + ran.figures[name].words["subtitle"]).lower(), name


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(run(area, "latest", draws=400)) == snapshot


def test_a_place_is_counted_from_the_nearer_end_and_a_part_is_said_as_one_where_it_is_near():
    say = wording.environment().globals["say"]
    places = {1: "the most", 2: "the second most", 16: "the 16th most", 17: "the 16th fewest", 32: "the fewest"}
    assert {place: str(say.place(place, 32)).strip() for place in places} == places
    parts = {10.9: "a ninth", 18.2: "18%", 20.8: "a fifth", 25.4: "a quarter", 50.0: "half", 0.9: "1%"}
    assert {percent: str(say.part(percent)).strip() for percent in parts} == parts


# -- the numbers, a second time ---------------------------------------------------------------------------------------------


def test_the_break_even_lines_are_of_the_hours_that_come_out_by_hand(hamlets):
    lines = hamlets.tables["load_break_even"]
    assert lines["officers"].unique().sort().to_list() == [None, 1, 2, 3, 4]
    # By hand: hours not abstracted ÷ 20 wards ÷ weeks, times 8%, less outbound work at that share (1.65 hours).
    there = (117_084 - 24_383) / 20 / (365.25 / 7)
    measured = lines.filter(pl.col("officers").is_null())["reading_hours"][0]
    assert measured == pytest.approx(0.08 * (there - 1.65), rel=0.02)
    assert hamlets.figures["load-break-even"].data.filter(kind="list").height == 7


def test_the_deadline_is_a_parameter():
    day = run("London", deadline_hours=24, weeks=26).figures["load-answered"]
    assert "within 24 hours" in day.words["subtitle"] and day.data["deadline_hours"].unique().to_list() == [24]
    three = run("London", "2024-25").figures["load-answered"].data
    assert (day.data["answered_percent"] < three["answered_percent"]).all()
    assert three["load"].to_list() == [0, 0.5, 1, 2]


# -- a ward's own figures ------------------------------------------------------------------------------------------------------

EXACT = """name,value,unit
mailbox_messages,51,messages a week
ward_hours,68,hours a week
minutes_per_message,10,minutes
chase_share,0,share
usable_share,0.125,share
minutes_to_write,0,minutes
sessions_per_week,0,sessions a week

,,"""  # a blank row, an empty one, no last line break


def test_a_ward_that_counted_sees_its_own_point(tmp_path):
    """51 messages at 10 minutes are 8.5 hours; 68 hours at an eighth are 8.5 hours: all of them."""
    path = tmp_path / "own.csv"
    path.write_text(EXACT)
    ran = run("Camden", scenario_file=str(path), draws=50)
    point = ran.figures["load-break-even"].data.filter(kind="own").row(0, named=True)
    assert (point["messages_q50"], point["minutes_q50"]) == (51, 10) and point["place"] == "your ward"
    assert point["asked_percent_q50"] == pytest.approx(100)
    assert "more than its officers have hours" in ran.statements["own-figures"].parts[0]["lead"]
    half = tmp_path / "half.csv"
    half.write_text(EXACT.replace(",51,", ",20.4,"))
    said = run("Camden", scenario_file=str(half), draws=50).statements["own-figures"].parts[0]
    assert "fills 40% of the hours" in said["lead"] and "mailbox_messages" in said["text"]


# -- the page with sliders -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory, hamlets) -> Path:
    folder = tmp_path_factory.mktemp("a run")
    hamlets.figures["load-break-even"].save(folder / "charts", formats=("json",))
    return sliders.write_sliders(folder)


def asked_by_the_model(at: dict[str, float]) -> float:
    """The model's own utilisation with as many reading hours as the slider says, nothing going out, no chasing messages."""
    nothing = dict.fromkeys(("unprompted_share", "chase_share", "minutes_to_write", "sessions_per_week"), 0.0)
    values = load.central_values(facts.load_assumptions()) | nothing | {"messages_per_week": 1.0, "usable_share": 1.0}
    values |= {"reply_share": at["messages"] / 100, "minutes_per_message": at["minutes"], "ward_hours": at["hours"]}
    return float(load.weekly_load(values | {"subscribers": at["subscribers"]})["utilisation"])


def test_the_page_is_made_from_the_charts_own_json(page, hamlets):
    text = page.read_text(encoding="utf-8")
    data = hamlets.figures["load-break-even"].data
    rows = json.loads(re.search(r"^const rows = (.*), names = ", text, re.MULTILINE)[1])
    lists = [row["messages_q50"] for row in rows if row["kind"] == "list"]
    assert lists == data.filter(kind="list")["messages_q50"].to_list()
    assert "default-src 'none'" in text and "Modelled: hours on duty are measured, but" in text
    start = sliders.starting_values(hamlets.figures["load-break-even"])
    own, line = (data.filter(kind=kind) for kind in ("own", "line"))
    assert start["subscribers"] == 450
    assert start["hours"] == pytest.approx(line.filter(pl.col("officers").is_null())["reading_hours"][0], abs=0.05)
    # Each slider stands at the chart's own point to its step.
    assert asked_by_the_model(start) == pytest.approx(own["asked_percent_q50"][0] / 100, rel=0.1)


def test_a_place_cannot_end_the_script(tmp_path, hamlets):
    figure = hamlets.figures["load-break-even"]
    strange = figure.data.with_columns(place=pl.lit("</script><b>"))
    type(figure)(figure.name, figure.spec, strange, figure.words).save(tmp_path / "charts", formats=("json",))
    assert sliders.write_sliders(tmp_path).read_text(encoding="utf-8").count("</script>") == 1


@pytest.fixture
def opened(open_page, page):
    """The page open from the file system."""
    return open_page(page.as_uri())


@pytest.mark.browser
@pytest.mark.parametrize("values", [(5100, 1, 10, 8.5), (1020, 5, 10, 8.5), (6000, 5, 20, 4)])
def test_moving_the_sliders_shows_the_models_value(opened, values):
    """The first two are METHODS.md's worked scale: the hours are just full."""
    values = dict(zip(("subscribers", "messages", "minutes", "hours"), values))
    before = opened.locator("#drawn").inner_html()
    for name, value in values.items():
        opened.locator(f"#{name}").fill(f"{value:g}")
    shown = float(opened.locator("#answer").get_attribute("data-asked"))
    assert shown == pytest.approx(asked_by_the_model(values), rel=1e-12)
    assert opened.locator("#drawn").inner_html() != before
    words = opened.locator("#answer").inner_text()
    assert "a queue only grows" in words and f"{values['subscribers']:,} subscribers write" in words
    assert opened.asked == [opened.url], "a request left the page"
    assert not opened.said


@pytest.mark.browser
def test_nobody_writing_is_said_the_arrow_keys_work_and_the_page_fits_a_phone(opened):
    answer = opened.locator("#answer")
    before = answer.inner_text()
    for name in sliders.SLIDERS:
        last = answer.inner_text()
        opened.locator(f"#{name}").focus()
        opened.keyboard.press("ArrowRight")
        assert answer.inner_text() != last or name == "minutes", name
    opened.locator("#messages").fill("0")
    assert "no list is too long" in answer.inner_text()
    assert not re.search(r"NaN|Infinity|undefined", opened.locator("#drawn").inner_html())
    opened.get_by_role("button", name="Back to where they stood").click()
    opened.wait_for_function("before => document.getElementById('answer').innerText === before", arg=before)
    opened.set_viewport_size({"width": 360, "height": 800})
    chart = "document.getElementById('chart')"
    opened.wait_for_function(f"() => Math.abs({chart}.viewBox.baseVal.width - {chart}.clientWidth) < 2")
    assert not is_wider(opened, 360)
