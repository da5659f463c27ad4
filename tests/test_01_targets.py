"""Notebook 01: its words for every area, its sentences against its tables, and what a reader sees first."""

from __future__ import annotations

import os

import polars as pl
import pytest

import cells
import wardbook
from conftest import EVERY
from wardbook.measures import change, targets

FIVE = ["Tower Hamlets", "Croydon", "Kingston upon Thames", "Havering", "London"]
AREAS = wardbook.boroughs() if os.environ.get(EVERY) else [*FIVE, "Westminster", "Hackney"]
OLD = [
    (area, period)
    for area in ("Camden", "Sutton", "Havering", "Tower Hamlets", "London")
    for period in ("2018-19", "2011-12")
]
pytestmark = pytest.mark.usefixtures("one_ruler")


@pytest.mark.parametrize("period", ["latest", "2024-25"])
def test_every_template_renders_for_every_area_in_plain_words(period):
    wrong = {}
    for area in AREAS:
        left = cells.run("01_targets", borough=area, period=period)
        if problems := cells.check_words(left):
            wrong[area] = problems
        first = left.statements["first-screen"].parts
        assert 4 <= len(first) <= 5, area  # London has nothing that stands out beside itself
        assert set(left.figures) == {
            "year-change",
            "live-targets",
            "past-targets",
            "mopac-7-other-years",
            "knife-crime",
        }
    assert not wrong


@pytest.mark.parametrize(("area", "period"), OLD if os.environ.get(EVERY) else OLD[::3])
def test_it_runs_for_older_periods(area, period):
    left = cells.run("01_targets", borough=area, period=period)
    assert left.tables["changes"].height == 17  # knife crime is not held
    assert left.figures["knife-crime"].absent
    assert not cells.check_words(left)


def test_its_tables_keep_their_columns():
    left = cells.run("01_targets", borough="Tower Hamlets", period="latest")
    assert tuple(left.tables["changes"].columns) == change.COLUMNS
    assert tuple(left.tables["targets"].columns) == targets.COLUMNS
    assert set(left.tables["targets"]["verdict"]) <= set(targets.VERDICTS)
    assert left.tables["targets"].filter(target_set="MOPAC 7").height == 1
    row = left.tables["changes"].row(by_predicate=pl.col("offence_group") == change.TOTAL, named=True)
    assert (row["before"], row["after"]) == (36_396, 37_013)


def test_a_readers_own_target_is_judged_with_the_published_ones(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "target_set,measure,kind,series,item,area,target_owner,baseline_period,period,direction,target,source\n"
        "mine,robbery in my borough,change,borough_offences,robbery,Tower Hamlets,me,2023-24,2024-25,fall,-50,my plan"
    )
    left = cells.run("01_targets", borough="Tower Hamlets", period="latest", targets_file=str(path))
    row = left.tables["targets"].row(by_predicate=pl.col("target_set") == "mine", named=True)
    assert row["verdict"] == targets.MISSED
    assert row["against_london"] in change.VERDICTS
    assert "Robbery in my borough" in left.figures["live-targets"].svg()


@pytest.mark.parametrize("area", FIVE)
def test_what_it_draws_does_not_depend_on_the_last_bits(area, monkeypatch):
    from wardbook.figures import figure

    made = figure.Figure.of.__func__
    compared = []

    def twice(cls, name, chart, data, words):
        one = made(cls, name, chart, data, words)
        if chart is not None:
            other = made(cls, name, cells.shaken_chart(chart), cells.shaken(data), words)
            assert other.svg() == one.svg(), name
            assert (other.csv(), other.fingerprint) == (one.csv(), one.fingerprint), name
            compared.append(name)
        return one

    monkeypatch.setattr(figure.Figure, "of", classmethod(twice))
    cells.run("01_targets", borough=area, period="latest")
    assert len(compared) >= 4
