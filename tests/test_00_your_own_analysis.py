"""A reader's first notebook: each task it shows, by a second computation, and what `book.figure` says it still needs."""

from datetime import date

import altair as alt
import polars as pl
import pytest

import cells
import wardbook
from wardbook.run import runner

ROWS = pl.DataFrame({"ward": ["A", "B"], "offences": [3, 5]})
CHART = alt.Chart(ROWS).mark_bar().encode(x="offences:Q", y="ward:N")


def test_ten_short_cells_and_no_part_of_a_run():
    sources = [source for _, source in cells.code("00_your_own_analysis")]
    assert 8 <= len(sources) <= 12
    assert max(len(source.splitlines()) for source in sources) <= 25
    assert "00_your_own_analysis" not in runner.notebooks() and "01_targets" in runner.notebooks()


def test_its_tasks_come_out_as_counted_by_hand():
    left = cells.run("00_your_own_analysis", borough="Hackney", other="Camden", period="latest")
    book = wardbook.open("Hackney")
    newest = book.table("borough_offences").filter(snapshot="2026-02", offence_group="robbery")
    since = newest.filter(pl.col("month") >= date(2015, 1, 1), borough_code="E09000012")["offences"].sum()
    assert f"{since:,} in Hackney" in left.figures["robbery-by-month"].title
    vehicle = book.table("ward_offences").filter(snapshot="2026-02", offence_group="vehicle crime")
    vehicle = vehicle.filter(pl.col("month").is_between(date(2025, 3, 1), date(2026, 2, 1)))
    people = book.table("population")
    wards = book.table("wards").filter(pl.col("vintages").str.contains("2024"), borough_code="E09000012")
    rates = {}
    for code, name in wards.select("ward_code", "ward").iter_rows():
        count, residents = vehicle.filter(ward_code=code)["offences"], people.filter(ward_code=code)["residents"]
        rates[name] = 1000 * count.sum() / residents.sum()
    first = max(rates, key=rates.get)
    assert left.figures["my-five-wards"].data.row(0)[0] == first
    assert left.figures["my-five-wards"].title.startswith(f"{first}: {rates[first]:.0f} vehicle crimes")


def test_opening_a_borough_prints_on_one_screen():
    text = repr(wardbook.open("Hackney"))
    assert len(text.splitlines()) <= 25 and text.startswith("Hackney, year to ") and "book.figure(" in text


def test_a_plain_chart_becomes_a_set_with_the_words_it_was_given(tmp_path):
    book = wardbook.open("Hackney", output_dir=str(tmp_path))
    words = {"title": "B has more", "alt": "Bar chart of offences where B has 5.", "source": "A list from the council"}
    figure = book.figure("mine", CHART, ROWS, **words)
    text = (tmp_path / "charts" / "mine.txt").read_text()
    assert all(value in text for value in words.values()) and figure.title == "B has more"


def test_a_chart_that_lacks_words_says_which_and_a_word_that_no_figure_has_is_refused():
    draw = wardbook.open("Hackney").figure
    with pytest.raises(ValueError, match="the figure 'mine' still needs") as error:
        draw("mine", CHART, ROWS, title="B has more", source="")
    assert [name in str(error.value) for name in ("title=", "alt=", "source=")] == [False, True, True]
    with pytest.raises(ValueError, match="no words called titel"):
        draw("mine", CHART, ROWS, titel="B", alt="x", source="y")
