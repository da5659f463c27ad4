"""Notebook 05: its words for every area, its numbers by a second computation, and what it shows once something is captured."""

from __future__ import annotations

import json

import polars as pl
import pytest

import cells
import wardbook
from conftest import sampled_runs
from wardbook import edition as editions
from wardbook.places import area
from wardbook.sources import police_uk_api as api

FIVE = ["Tower Hamlets", "Croydon", "Kingston upon Thames", "Lambeth", "London"]
FIGURES = {"survey", "survey-changes", "survey-years", "contact-hours", "engagement-events"}


@pytest.mark.parametrize(
    ("area", "period"), [*sampled_runs(*((area, "latest") for area in FIVE)), ("London", "2018-19")]
)
def test_every_template_renders_for_every_area_in_plain_words(area, period):
    left = cells.shared("05_engagement", borough=area, period=period)
    assert set(left.figures) == FIGURES
    assert left.tables["survey"].height == 8
    assert not cells.check_words(left)


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(cells.shared("05_engagement", borough=area, period="latest")) == snapshot


def test_before_the_survey_begins_each_chart_says_so():
    left = cells.run("05_engagement", borough="London", period="2011-12")
    assert all(left.figures[figure].absent for figure in FIGURES)
    assert left.tables["survey"].is_empty() and not cells.check_words(left)


def test_the_hours_stand_beside_the_answer():
    left = cells.shared("05_engagement", borough="Tower Hamlets", period="latest")
    residents = wardbook.open().table("population").filter(borough_code="E09000030")["residents"].sum()
    hours = 1000 * (117_084 - 24_383) / residents  # EVIDENCE, 2b
    assert f"had {hours:.0f} hours not taken" in left.figures["contact-hours"].words["sentence"]


@pytest.mark.parametrize("name", ["Sutton", "London"])
def test_what_was_captured_is_shown_ward_by_ward(tmp_path, monkeypatch, name):
    wards = wardbook.open().table("wards").filter(pl.col("vintages").str.contains("2024"))
    codes = wards.filter(borough_code=area("Sutton").code)["ward_code"].sort().to_list()[:3]
    for month in (1, 4):  # the first ward publishes nothing, the second cannot be captured in April
        folder, rows = tmp_path / f"police_uk_api/engagement/2025-0{month}-10", []
        for number, code in enumerate(codes):
            times = [f"2025-0{month + 1}-{day:02}T1{hour}:00:00" for day in range(1, number + 1) for hour in (0, 1)]
            events = [
                {"title": "Street briefing", "start_date": s, "end_date": e} for s, e in zip(times[::2], times[1::2])
            ]
            status = api.FAILED if (number, month) == (1, 4) else api.PUBLISHED if events else api.NONE_PUBLISHED
            count = len(events) if status == api.PUBLISHED else 0
            rows.append({"neighbourhood_id": f"{code}N", "kind": "events", "status": status, "count": str(count)})
            path = api.answer_path(folder, f"{code}N", "events")
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(events))
        api.write_manifest(folder, rows)
    got = api.read_captures(tmp_path)
    tables = {"engagement": got.events, "engagement_captures": got.captures, "priorities": got.priorities}
    real = editions.Edition.table
    monkeypatch.setattr(
        editions.Edition, "table", lambda self, table: tables[table] if table in tables else real(self, table)
    )
    left = cells.run("05_engagement", borough=name, period="latest")
    figure = left.figures["engagement-events"]
    assert not figure.absent and not cells.check_words(left)
    shown = left.tables["engagement"].filter(pl.col("ward_code").is_in(codes)).sort("ward_code", "quarter")
    assert shown["events"].to_list() == [0, 0, 1, None, 2, 2]
    assert shown.filter(ward_code=codes[1])["captures"].to_list() == [1, 0]
    assert "Q1 2025 to Q2 2025" in figure.words["subtitle"]
    assert figure.svg("phone")


def test_what_it_draws_does_not_depend_on_the_last_bits(monkeypatch):
    assert len(cells.drawn_twice(monkeypatch, "05_engagement", borough="Tower Hamlets", period="latest")) == 4
