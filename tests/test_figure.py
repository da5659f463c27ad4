"""A figure: one JSON, drawn alike on any processor, at four sizes that fit where they are read."""

import json
import os
import re
from datetime import date
from itertools import pairwise

import altair as alt
import polars as pl
import pytest

import made_runs
from wardbook.figures import figure as f
from wardbook.figures import marks, theme, wording
from wardbook.figures.table import guarded_csv, read_csv, rounded
from wardbook.places import UnknownName

WORDS = made_runs.WORDS | {
    "title": ["Shoplifting rose 22% while the rest of London's fell", "Shoplifting rose 22%"],
    "alt": "Dot chart of changes where shoplifting rose 22%.",
}
ROWS = pl.DataFrame(
    {
        "name": [f"Offence number {n} of a longer name" for n in range(12)],
        "value": [1 / 3 * n - 2 for n in range(12)],
        "low": [1 / 3 * n - 4 for n in range(12)],
        "high": [1 / 7 * n + 1 for n in range(12)],
        "head": [f"{n}% (1,{n}00 to 2,000)" for n in range(12)],
        "rest": ["London −3%: in line"] * 12,
        "strong": [n == 4 for n in range(12)],
        "month": [None, *(date(2025, n, 1) for n in range(2, 13))],
    }
)


def rows_chart(rows=ROWS):
    scale, axis = marks.span(rows, "low", "high"), marks.number_axis(labels=marks.SIGNED_PERCENT)
    return (
        marks.ranges(rows, "low", "high", "name", scale=scale, axis=axis)
        + marks.zero()
        + marks.dots(rows, "value", "name", scale=scale, axis=axis, strong="strong")
        + marks.row_words(rows, "name", "head", "rest", strong="strong")
        + marks.key([("dot", "this borough", "#12436D"), ("bar", "usual range", "#DCE3EA")], left=12)
    )


@pytest.fixture(scope="module")
def drawn():
    return f.Figure.of("a-chart", rows_chart(), ROWS, WORDS)


def test_everything_is_in_one_json(drawn, tmp_path):
    paths = drawn.save(tmp_path)
    assert [path.suffix for path in paths] == [".json", ".svg", ".png", ".csv", ".txt"]
    again = f.read_figure(tmp_path / "a-chart.json")
    for form in ("to_json", "svg", "csv", "txt"):
        assert getattr(again, form)() == getattr(drawn, form)(), form
    assert again.data.schema == drawn.data.schema


def measured(svg):
    return [float(re.search(f' {name}="([0-9.]+)"', svg)[1]) for name in ("width", "height")]


@pytest.mark.parametrize("size", f.SIZES)
def test_the_drawing_is_as_large_as_where_it_is_read(drawn, size):
    width, height = measured(drawn.svg(size))
    place = f.SIZES[size]
    assert abs(width - place.width) <= 1
    if place.fill:
        assert abs(height - place.height) <= 2


def test_on_paper_a_chart_takes_half_a_sheet_unless_that_leaves_its_marks_no_room(drawn):
    """The year's changes had 18 rows of words in one line on paper, beside marks on a sixth of its width."""
    place, few = f.SIZES["print"], ROWS.with_columns(head=pl.lit("5%"), rest=pl.lit("in line"))
    halved = f.Figure.of("few-words", rows_chart(few), few, WORDS)
    for figure, fits in ((halved, True), (drawn, False)):
        width, height = measured(figure.svg("print"))
        assert abs(width - place.width) <= 1
        assert (height <= place.height) == fits
        beside = figure._drawn("print")[1]
        assert place.width - beside > 0.25 * place.width


@pytest.mark.parametrize("size", ["print", "slide"])
def test_where_rows_are_close_no_bar_touches_the_next_and_no_name_lies_on_another(size):
    at = pl.int_range(pl.len())
    many = pl.concat([ROWS] * 4).with_columns(name=pl.format("Borough {}", at), strong=at == 46)  # the last but one
    chart = marks.bars(many, "value", "name") + marks.row_words(many, "name", "head", strong="strong")
    svg = f.Figure.of("many", chart, many, WORDS).svg(size, bare=True)
    bars = re.findall(r'roledescription="bar" d="M[-\d.]+,([\d.]+)h[-\d.]+v([\d.]+)h', svg)
    names = re.findall(r'in_lines: Borough[^>]*,([\d.]+)\)"[^>]*font-size="([\d.]+)px"[^>]*opacity="1"', svg)
    for drawn, least in ((bars, 1), (names, 0.8)):
        drawn = sorted([float(part) for part in one] for one in drawn)
        assert len(drawn) > 1 and all(y + least * high <= below for (y, high), (below, _) in pairwise(drawn))


@pytest.mark.parametrize("size", f.SIZES)
def test_rows_stand_in_their_frames_order_at_every_size(size):
    """Names of one line are a layer of their own, which came first: targets stood in another order on a phone."""
    mixed = ROWS.with_columns(
        name=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("name").str.head(16)).otherwise("name")
    )
    chart = marks.dots(mixed.head(2), "value", "name") + marks.row_words(mixed, "name", "head", "rest")
    svg = f.Figure.of("mixed", chart, mixed, WORDS).svg(size, bare=True)
    placed = re.findall(r'translate\([^,]*,([-\d.]+)\)"[^>]*>(\d+)% \(1', svg)
    assert [int(row) for _, row in sorted(placed, key=lambda one: float(one[0]))] == list(range(12))


def test_a_plot_fills_its_width_beside_a_source_as_wide_as_the_whole():
    """The whole fits whatever the plot's width where this source is wrapped, and the plot stayed at 1,153 px."""
    publication = "MPS Recorded Crime: Geographic Breakdown, borough level from the Metropolitan Police Service"
    words = WORDS | {"source": f"{publication}, on the London Datastore", "licence": f.LICENCE}
    lines = pl.DataFrame({"x": range(9), "y": range(9)})
    svg = f.Figure.of("lines", alt.Chart(lines).mark_line().encode(x="x:Q", y="y:Q"), lines, words).svg("slide")
    widths = [float(width) for width in re.findall(r'class="background"[^>]*d="M0[.0-9]*,0[.0-9]*h([0-9.]+)v', svg)]
    assert max(widths) > 1700


BAR = alt.Chart(ROWS).mark_bar().encode(x="high:Q", y="name:N")
MONTHS = marks.lines(ROWS.drop_nulls().head(3), "month", "value")


@pytest.mark.parametrize("size", f.SIZES)
def test_charts_beside_each_other_fit_as_one_does(size):
    """A reader's own concatenated chart ended in KeyError: 'mark'."""
    place = f.SIZES[size]
    for chart in (BAR | MONTHS, BAR & MONTHS, alt.concat(MONTHS, MONTHS, BAR, columns=2)):
        width, height = measured(f.Figure.of("some-charts", chart, ROWS, WORDS).svg(size))
        assert abs(width - place.width) <= 1
        assert not place.fill or abs(height - place.height) <= 2


def test_a_chart_that_does_not_fit_every_size_is_refused():
    """A chart by column= was drawn 172 px wide on a page."""
    repeated = BAR.repeat(["value"])
    for chart in (BAR.encode(column="rest:N"), BAR.facet(row="rest:N"), BAR | BAR.facet("rest:N"), repeated):
        with pytest.raises(ValueError, match="one plot, layers, .*facet.*hconcat"):
            f.Figure.of("some-charts", chart, ROWS, WORDS)


def test_three_months_have_three_labels():
    svg = f.Figure.of("months", MONTHS, ROWS, WORDS).svg("page")
    assert re.findall(r">(2025|[A-Z][a-z]{2})<", svg).count("Mar") == 1


def test_a_figure_is_the_same_bytes_where_the_last_bits_of_its_numbers_differ(drawn):
    for sign in (1, -1):
        shaken = ROWS.with_columns(pl.col(pl.Float64) * (1 + sign * 1e-13))
        assert not shaken.equals(ROWS)
        other = f.Figure.of("a-chart", rows_chart(shaken), shaken, WORDS)
        assert (other.to_json(), other.svg(), other.csv()) == (drawn.to_json(), drawn.svg(), drawn.csv())
        assert other.fingerprint == drawn.fingerprint
    moved = ROWS.with_columns(value=pl.when(pl.col("strong")).then(pl.col("value") + 0.001).otherwise("value"))
    other = f.Figure.of("a-chart", rows_chart(moved), moved, WORDS)
    assert other.fingerprint != drawn.fingerprint and other.svg() != drawn.svg(), "a number that moves is seen"


def test_the_svg_says_what_it_is_to_who_cannot_see_it(drawn):
    svg = drawn.svg()
    assert svg.startswith('<svg role="img" aria-labelledby="wb-a-chart-title wb-a-chart-desc"')
    assert '<title id="wb-a-chart-title">' in svg and f'<desc id="wb-a-chart-desc">{WORDS["alt"]}</desc>' in svg
    words = WORDS | {"title": ["<script>alert(1)</script>"], "alt": "</desc><script>"}
    assert "<script>" not in f.Figure.of("x", rows_chart(), ROWS, words).svg()


def test_where_there_is_no_chart_the_reason_stands_in_its_place(tmp_path):
    none = f.Figure.of("none", None, ROWS.clear(), WORDS | {"absent": "nothing was published"})
    assert [path.suffix for path in none.save(tmp_path)] == [".json", ".txt"]
    assert "nothing was published" in (tmp_path / "none.txt").read_text()
    assert f.read_figure(tmp_path / "none.json").absent
    with pytest.raises(ValueError, match="nothing was published"):
        none.svg()


def test_a_file_that_no_figure_wrote_is_refused(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(ValueError, match=r"x\.json is no figure"):
        f.read_figure(tmp_path / "x.json")
    with pytest.raises(ValueError, match="lower-case words"):
        f.Figure("A chart", None, ROWS, WORDS)
    with pytest.raises(UnknownName, match="did you mean 'slide'"):
        f.Figure("a", {}, ROWS, WORDS).svg("slid")


# -- words and tables -------------------------------------------------------------------------------------------------------------


def test_numbers_are_written_in_one_way():
    percentages = {1.7: "+1.7%", 22.4: "+22%", -3.0: "−3%", 9.96: "+10%", 9.94: "+9.9%"}
    percentages |= {0.04: "0%", -0.04: "0%", None: "–"}
    assert {value: wording.signed(value) for value in percentages} == percentages
    assert rounded({"a": [0.1 + 0.2, 1 / 3]}) == {"a": [0.3, 0.33333333]}
    half_way = [11.9140625 * (1 + shake) for shake in (-1e-13, 0, 1e-13)]  # 305 of 2,560 in per cent: Lambeth's thefts
    assert rounded(half_way) == rounded(pl.DataFrame({"a": half_way}))["a"].to_list() == [11.914063] * 3


def test_lines_are_as_wide_as_they_are_drawn():
    import vl_convert

    for text in ("Recorded crime rose 1.7%; no kind stands out from London", "iiii WWWW, 0123456789 (−3%)"):
        chart = alt.Chart(pl.DataFrame({"t": [text]})).mark_text(align="left", fontSize=20, font=theme.FONT)
        chart = chart.encode(text="t:N", x=alt.value(0)).properties(width=1)
        spec = chart.configure(padding=0).configure_view(stroke=None).to_dict()
        wide = vl_convert.vegalite_to_scenegraph(spec)["width"]
        assert theme.text_width(text, 20) == pytest.approx(wide, rel=0.03)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "\t=", " ="])
def test_no_cell_of_a_csv_starts_a_formula(tmp_path, start):
    frame = pl.DataFrame({"words": [f"{start}1+1", "plain", "it's"]})
    text = guarded_csv(frame)
    assert f"'{start}1+1" in text
    (tmp_path / "x.csv").write_text(text)
    assert read_csv(tmp_path / "x.csv").equals(frame)


@pytest.mark.parametrize("own", ["fonts.conf", None])
def test_looking_for_fonts_leaves_the_environment_as_it_was(monkeypatch, own):
    """A browser started later would find no fonts."""
    monkeypatch.delenv("FONTCONFIG_FILE", raising=False)
    if own:
        monkeypatch.setenv("FONTCONFIG_FILE", own)
    before = dict(os.environ)
    f.converter.__wrapped__()
    assert dict(os.environ) == before
