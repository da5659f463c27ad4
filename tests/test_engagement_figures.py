"""Engagement in words: the survey for every area, and what was captured of events and priorities, or that nothing was."""

from __future__ import annotations

import re

import nbformat
import polars as pl
import pytest

import wardbook
from made_captures import write_captures
from wardbook import open as open_book
from wardbook import places, tables
from wardbook.figures import engagement as figures
from wardbook.figures.export import Absent, read_txt
from wardbook.measures import engagement as en
from wardbook.sources.mopac import QUESTIONS
from wardbook.sources.police_uk_api import PRIORITY_KINDS

AREAS = [places.LONDON, *places.boroughs()["borough"]]
CAUSAL = r"\b(because|due to|cause[sd]?|led to|leads? to|result(s|ed) in|driven|drives|thanks to|explains?)\b"
MADE_FROM_CAPTURES = {"event-coverage", "events-and-crime", "events-and-stops", "priorities"}


def survey_of(name):
    book = open_book(notebook="05_engagement", borough=name)
    confidence = book.edition.table("confidence")
    quarter = en.newest_quarter(confidence, book.period.last_day)
    rows = en.survey(confidence, book.area, quarter, questions=list(QUESTIONS))
    values = en.yearly_values(confidence, book.area, quarter, questions=list(QUESTIONS))
    return book, rows, figures.survey(book, rows, design_effect=1.5), figures.survey_years(book, values)


@pytest.mark.parametrize("name", AREAS)
def test_every_text_on_the_survey_keeps_the_rules(name):
    book, rows, survey, years = survey_of(name)
    for figure in (survey, years):
        assert len(figure.title.split()) <= 15, figure.title
        assert "2023" in figure.title and " where " in figure.alt_text
        for text in (figure.title, figure.subtitle, figure.alt_text, figure.sentence, figure.challenge):
            assert not re.search(CAUSAL, text, re.I), text
            assert not re.search(
                r"\bnan\b|\bNone\b|  |\.\.|\bno of\b|[Ss]ynthetic|\{", text.replace("None of", "none of")
            ), text
    for row in rows.iter_rows(named=True):
        if row["against_london"] in (en.BELOW, en.ABOVE) or row["change_verdict"] in (en.ROSE, en.FELL):
            assert QUESTIONS[row["question"]] in survey.sentence
            assert f"{100 * row['share']:.0f}%" in survey.sentence
    below = rows.filter(against_london=en.BELOW).height
    if below:
        assert re.search(
            rf"below London on {['none', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'][below]}\b",
            survey.title,
        )


def test_a_borough_the_survey_does_not_hold_has_no_chart():
    book, rows, *_ = survey_of("Sutton")
    none = rows.with_columns(pl.lit(None, pl.Float64).alias("share"))
    assert isinstance(figures.survey(book, none, design_effect=1.5), Absent)


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """Made-up captures of the twenty wards of Tower Hamlets, as the tables of an edition."""
    raw = tmp_path_factory.mktemp("captured")
    wards = open_book(notebook="05_engagement", borough="Tower Hamlets").edition.table("wards")
    mine = wards.filter(pl.col("vintages").str.contains("2024"), borough_code=places.area("Tower Hamlets").code)
    read = write_captures(raw, mine["ward_code"].to_list())
    return {
        "engagement": tables.engagement(read.events),
        "priorities": tables.priorities(read.priorities),
        "engagement_captures": tables.engagement_captures(read.captures),
    }


def run_notebook(monkeypatch, frames, out, **parameters):
    """The notebook's own cells, in order, over the committed edition with other tables of captures; what they leave."""
    notebook = nbformat.read(places.ROOT / "notebooks/05_engagement.ipynb", as_version=4)

    def opened(**values):
        book = open_book(**values | {"output_dir": str(out)})
        book.edition._frames.update(frames)
        return book

    monkeypatch.setattr(wardbook, "open", opened)
    cells: dict = {}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        exec(cell.source, cells)
        if "parameters" in cell.metadata.get("tags", []):
            cells |= parameters
    return cells


def test_captured_events_and_priorities_are_drawn_and_name_nobody(captured, monkeypatch, tmp_path):
    cells = run_notebook(monkeypatch, captured, tmp_path, borough="Tower Hamlets")
    assert cells["absent"] is None
    assert {path.stem for path in (tmp_path / "charts").glob("*.svg")} == MADE_FROM_CAPTURES | {
        "survey",
        "survey-years",
    }
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".csv", ".txt", ".svg")]
    assert len(files) == 3 * 6 + 3
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search("synthetic|quillfeather|zebulon|sgt", text, re.I), path.name
    assert "Neighbourhoods, their events and priorities, as captured" in cells["event_map"].source
    assert set(cells["current"]["issue"]) <= set(PRIORITY_KINDS)
    # Every priority of the twenty wards, two each, though one ward was captured in the first quarter only.
    assert cells["current"].height == 40 and cells["priorities"].title.startswith(
        f"{cells['current']['days_to_action'].count()} of 40 "
    )


def test_without_captures_one_line_says_so_with_the_command(captured, monkeypatch, tmp_path):
    nothing = {name: frame.clear() for name, frame in captured.items()}
    cells = run_notebook(monkeypatch, nothing, tmp_path, borough="Tower Hamlets")
    assert {path.stem for path in (tmp_path / "charts").iterdir()} == {"survey", "survey-years", cells["absent"].name}
    said = read_txt(tmp_path / "charts" / f"{cells['absent'].name}.txt")["reason"]
    assert "wardbook fetch --source engagement, then wardbook build" in said
    assert [cells[name] for name in ("event_map", "against_crime", "against_stops", "priorities")] == [None] * 4
    # Of a borough that nobody captured it is the same, where another one was.
    other = run_notebook(monkeypatch, captured, tmp_path / "other", borough="Sutton")
    assert "no capture of them" in other["absent"].reason and other["by_quarter"]["status"].to_list() == []


def test_londons_wards_are_not_shown_from_one_boroughs_captures(captured, monkeypatch, tmp_path):
    cells = run_notebook(monkeypatch, captured, tmp_path, borough="London")
    assert cells["total"].height == 679
    assert "captures of 20 of 679 wards only" in cells["absent"].sentence


def test_no_word_for_invented_data_is_left_where_a_reader_could_meet_it():
    folders = [places.ROOT / name for name in ("lib", "notebooks")]
    files = [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    files += [path for path in (places.ROOT / "data").rglob("*") if path.is_file() and "raw" not in path.parts]
    assert len(files) > 100
    named = [path for path in files if b"synthetic" in path.read_bytes().lower()]
    assert named == []


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ([float(i) for i in range(12)], "have more published events"),
        ([float(-i) for i in range(12)], "have fewer published events"),
        ([float(i * 7 % 12) for i in range(12)], "do not differ clearly in published events"),
    ],
)
def test_more_fewer_and_no_telling(other, wanted):
    book = open_book(notebook="05_engagement", borough="Sutton")
    noisy = [i + (1.5 if i % 2 else -1.5) for i in range(12)]
    rows = pl.DataFrame(
        {
            "ward_code": [f"E{i}" for i in range(12)],
            "ward": [f"Ward {i}" for i in range(12)],
            "status": [en.PUBLISHED] * 12,
            "events_per_1000_a_quarter": noisy,
            "other_per_1000": other,
        }
    )
    figure = figures.against_crime(book, rows)
    assert wanted in figure.title + figure.sentence
    assert len(figure.title.split()) <= 15
    few = figures.against_crime(book, rows.head(5))
    assert isinstance(few, Absent) and "five of its wards have both figures" in few.sentence
