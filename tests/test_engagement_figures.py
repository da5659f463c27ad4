"""Engagement in words: synthetic data is called so in every chart, table and text made from it, and in no other."""

from __future__ import annotations

import re

import polars as pl
import pytest

from wardbook import open as open_book
from wardbook import places, synthetic
from wardbook.figures import engagement as figures
from wardbook.figures.export import Absent
from wardbook.measures import engagement as en
from wardbook.run import runner
from wardbook.sources.mopac import QUESTIONS

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
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return {name: runner.run(name, only=["05_engagement"], out=out) for name in ("Tower Hamlets", "Sutton")}


def test_synthetic_data_is_called_so_in_every_output_made_from_it(runs):
    folder = runs["Tower Hamlets"]
    made = [path for path in (folder / "charts").iterdir() if path.stem in MADE_FROM_CAPTURES and path.suffix != ".png"]
    assert {path.stem for path in made} == MADE_FROM_CAPTURES and len(made) == 3 * len(MADE_FROM_CAPTURES)
    made += [folder / "tables/engagement.csv", folder / "tables/priorities.csv"]
    for path in made:
        text = path.read_text(encoding="utf-8")
        assert "synthetic example data" in text.lower(), path.name
        if path.suffix == ".csv":
            header, *lines = text.splitlines()
            assert header.split(",")[-1] == "origin"
            assert lines and all(line.endswith("synthetic example data") for line in lines)
        if path.suffix == ".txt":
            assert text.splitlines()[1].startswith("Synthetic example: ")


def test_what_was_published_is_never_called_synthetic_nor_mixed_with_it(runs):
    for folder in runs.values():
        for path in [*(folder / "charts").glob("survey*.[tcs]*"), folder / "tables/survey.csv"]:
            assert "synthetic" not in path.read_text(encoding="utf-8").lower(), path.name
    other = runs["Sutton"] / "charts"
    for name in MADE_FROM_CAPTURES:
        text = (other / f"{name}.txt").read_text(encoding="utf-8")
        assert text.startswith("No chart") and "synthetic" not in text.lower()
    tables = runs["Sutton"] / "tables"
    assert len((tables / "engagement.csv").read_text(encoding="utf-8").splitlines()) == 1, "wards that nobody captured"


def test_londons_wards_are_not_shown_from_one_boroughs_captures():
    book = open_book(notebook="05_engagement", borough="London")
    edition = book.edition
    total = en.whole_period(
        en.coverage(
            edition.table("engagement"),
            edition.table("engagement_captures"),
            edition.table("wards"),
            edition.table("population"),
            book.area,
        )
    )
    assert total.height == 679
    figure = figures.events_map(book, total, edition.table("wards"), span="2025", synthetic=True)
    assert isinstance(figure, Absent) and "captures of 20 of 679 wards only" in figure.sentence


def test_the_example_holds_the_cases_that_must_be_told_apart():
    codes = [f"E0500930{i}" for i in range(5)]
    made = synthetic.example(codes)
    status = made.captures.filter(kind="events").group_by("ward_code").agg(pl.col("status").unique())
    found = {code: set(kinds) for code, kinds in status.iter_rows()}
    assert found[codes[0]] == {"none published"}
    assert "failed" in found[codes[1]]
    assert made.events["end"].null_count() > 0 and made.priorities["action_date"].null_count() > 0
    assert made.priorities["action_date"].count() > 0
    assert made.events["title"].str.starts_with(synthetic.LABEL).all()
    assert made.priorities["issue"].str.starts_with(synthetic.LABEL).all()
    again = synthetic.example(codes)
    assert again.events.equals(made.events) and again.captures.equals(made.captures)
    assert not synthetic.example(codes, seed=1).events.equals(made.events)
    # An event is listed while it is to come, and not after.
    assert (made.events["start"].dt.date() >= made.events["capture_date"]).all()


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
    figure = figures.against_crime(book, rows, synthetic=False)
    assert wanted in figure.title + figure.sentence
    assert len(figure.title.split()) <= 15
    assert "ynthetic" not in figure.title + figure.subtitle + figure.sentence
    few = figures.against_crime(book, rows.head(5), synthetic=False)
    assert isinstance(few, Absent) and "five of its wards have both figures" in few.sentence
