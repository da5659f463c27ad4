"""Notebook 05: its words for every area, and what it shows once something is captured."""

from datetime import date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import cells
import wardbook
from conftest import sampled_runs
from wardbook import edition as editions
from wardbook.places import area
from wardbook.sources import police_uk_api as api

FIVE = ["Tower Hamlets", "Croydon", "Kingston upon Thames", "Lambeth", "London"]
RUNS = [*sampled_runs(*((area, "latest") for area in FIVE)), ("London", "2018-19")]
FIGURES = {"survey", "survey-changes", "survey-years", "contact-hours", "engagement-events"}


@pytest.mark.parametrize(("area", "period"), RUNS)
def test_every_template_renders_for_every_area_in_plain_words(area, period):
    left = cells.shared("05_engagement", borough=area, period=period)
    assert set(left.figures) == FIGURES
    assert left.tables["survey"].height == 8


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(cells.shared("05_engagement", borough=area, period="latest")) == snapshot


def test_before_the_survey_begins_each_chart_says_so_and_its_first_year_stands_beside_none():
    left = cells.run("05_engagement", borough="London", period="2011-12")
    assert all(left.figures[figure].absent for figure in FIGURES)
    runs = (cells.run("05_engagement", borough="London", period=year) for year in ("2014-15", "2016-17"))
    first, level = (left.figures for left in runs)
    assert first["survey-years"].title == "42% know how to contact their ward officer"
    # No answer fell: the largest fall was 36% to 36%.
    assert level["survey-changes"].words["sentence"].startswith("The largest rise: 75% to 79%")
    # A survey of the year to March 2023 stood beside the hours of the year after it.
    assert cells.run("05_engagement", borough="London", period="2022-23").figures["contact-hours"].absent


@pytest.mark.parametrize("name", ["Sutton", "London"])
def test_what_was_captured_is_shown_ward_by_ward(monkeypatch, name):
    wards = wardbook.open().table("wards").filter(pl.col("vintages").str.contains("2024"))
    codes = wards.filter(borough_code=area("Sutton").code)["ward_code"].sort().to_list()[:3]
    events, captures = [], []
    for month, (number, code) in product((1, 4), enumerate(codes)):
        # The first ward publishes nothing, the second cannot be captured in April.
        day, failed = date(2025, month, 10), (number, month) == (1, 4)
        status = api.FAILED if failed else api.PUBLISHED if number else api.NONE_PUBLISHED
        captures.append((f"{code}N", code, day, "events", status, 0 if failed else number))
        if status == api.PUBLISHED:
            times = [datetime(2025, month + 1, n, 10, tzinfo=ZoneInfo("Europe/London")) for n in range(1, number + 1)]
            events += [(code, f"{code}N", day, at, at + timedelta(hours=1), "", "Briefing") for at in times]
    captured = {"engagement": events, "engagement_captures": captures, "priorities": []}
    real = editions.Edition.table
    schemas = {name: wardbook.open().table(name).schema for name in captured}
    tables = {name: pl.DataFrame(rows, schemas[name], orient="row") for name, rows in captured.items()}
    monkeypatch.setattr(editions.Edition, "table", lambda self, n: tables[n] if n in tables else real(self, n))
    left = cells.run("05_engagement", borough=name, period="latest")
    figure = left.figures["engagement-events"]
    shown = left.tables["engagement"].filter(pl.col("ward_code").is_in(codes)).sort("ward_code", "quarter")
    assert shown["events"].to_list() == [0, 0, 1, None, 2, 2]
    assert shown.filter(ward_code=codes[1])["captures"].to_list() == [1, 0]
    assert "Q1 2025 to Q2 2025" in figure.words["subtitle"]
    assert figure.svg("phone")
