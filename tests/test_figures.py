"""Figures: what each file of a set holds, that it reads alone, that it is the same twice and not after a number moved."""

from __future__ import annotations

import csv
import io
import re
import struct
from dataclasses import replace
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest

from wardbook.figures import charts, theme, words
from wardbook.figures.export import Absent, Figure, Said, Shown
from wardbook.measures import verdicts
from wardbook.notebook import open_book
from wardbook.periods import FinancialYear

SVG = "{http://www.w3.org/2000/svg}"
PALETTE = {value.lower() for name, value in vars(theme).items() if name.isupper() and str(value).startswith("#")}
LEAFLET = "Tower Hamlets 2009/10"


@pytest.fixture(scope="module")
def book():
    return open_book(notebook="01_targets")


@pytest.fixture(scope="module")
def targets(book):
    return verdicts.assess_targets(book.area, book.targets, book.results, book.history, period=book.period)


def mopac_figure(book, targets) -> Figure:
    together = targets.row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)
    return charts.verdicts(
        book,
        targets.filter(pl.col("target_set").str.starts_with("MOPAC 7")),
        name="mopac-7",
        title=words.target_title(together),
        measure="Recorded offences",
        sentence=words.target_sentence(together),
    )


@pytest.fixture(scope="module")
def mopac(book, targets):
    return mopac_figure(book, targets)


@pytest.fixture(scope="module")
def figures(book, targets, mopac):
    """The figures of 01_targets for Tower Hamlets, by name."""
    together = targets.row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)
    usual = book.history.usual("borough_offences", "MOPAC 7", book.area, 4, before=FinancialYear(2011))
    elsewhere = ~pl.col("target_set").str.starts_with("MOPAC 7")
    other = targets.filter(elsewhere & pl.col("printed_verdict").is_null() & pl.col("change_low").is_not_null())
    changes = verdicts.assess_changes(book.area, book.history, period=book.period)
    made = [
        mopac,
        charts.placebo(book, together, usual, name="mopac-7-usual-variation"),
        charts.printed_verdicts(book, verdicts.bh_family(targets.filter(target_set=LEAFLET)), name="printed-verdicts"),
        charts.verdicts(
            book,
            other,
            name="other-targets",
            title=words.targets_title(other),
            measure="Recorded offences",
            sentence=words.target_sentences(other),
        ),
        charts.verdicts(
            book,
            changes,
            name="year-on-year",
            title=words.changes_title(changes),
            measure="Recorded offences by group",
            sentence=words.changes_sentence(changes),
        ),
    ]
    assert all(isinstance(figure, Figure) for figure in made)
    return {figure.name: figure for figure in made}


NAMES = ["mopac-7", "mopac-7-usual-variation", "printed-verdicts", "other-targets", "year-on-year"]


@pytest.fixture(scope="module")
def svgs(figures):
    """Each figure's SVG, drawn once."""
    return {name: figure.svg() for name, figure in figures.items()}


@pytest.fixture(scope="module")
def drawn(svgs):
    """The root element of each figure's SVG."""
    return {name: ElementTree.fromstring(svg) for name, svg in svgs.items()}


def seen(root: ElementTree.Element) -> str:
    """The text a reader sees: every <text>, its lines joined, <title> and <desc> left out."""
    return " ".join(" ".join(element.itertext()) for element in root.iter(f"{SVG}text")).replace("  ", " ")


def squeezed(text: str) -> str:
    return " ".join(text.split())


def a_figure(data: pl.DataFrame, name: str = "a-figure") -> Figure:
    chart = alt.Chart(pl.DataFrame({"x": [1]})).mark_point(color=theme.DARK_BLUE).encode(x="x:Q")
    return Figure(
        name=name,
        chart=chart,
        data=data,
        title="A title & more",
        subtitle="A subtitle",
        alt_text="Dot chart of x where x < 2",
        sentence="A sentence.",
        challenge="A challenge.",
        source="A source",
        licence="A licence",
    )


def test_a_drawing_is_the_same_whatever_was_drawn_before_it():
    clipped = alt.Chart(pl.DataFrame({"x": [1, 2, 3]})).mark_point(clip=True).encode(x="x:Q")
    one, two = (replace(a_figure(pl.DataFrame({"x": [1]})), chart=clipped).svg() for _ in range(2))
    assert one == two
    named = re.findall(r'id="(wb-a-figure-part-1)"|url\(#(wb-a-figure-part-1)\)', one)
    assert len(named) > 1, "what is named is what is used"


# -- the SVG ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_svg_is_an_image_with_a_title_and_a_description_tied_to_it(figures, drawn, name):
    root, figure = drawn[name], figures[name]
    assert root.get("role") == "img"
    title, described = root[0], root[1]
    assert (title.tag, described.tag) == (f"{SVG}title", f"{SVG}desc")
    assert (title.text, described.text) == (figure.title, figure.alt_text)
    assert root.get("aria-labelledby").split() == [title.get("id"), described.get("id")]


def test_the_verdict_chart_reads_alone(drawn, targets):
    """Done when 8: measure, area, period, verdict, whose target it is and the source, without the notebook."""
    text = squeezed(seen(drawn["mopac-7"]))
    row = targets.row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)
    for words_needed in (
        "Recorded offences",
        "Tower Hamlets",
        "2011-12 to 2015-16",
        "missed clearly",
        row["measure"],
        row["target_owner"],
        "London's target",
        "target −20%",
        "+3.1% (12,251 to 12,632)",
        row["source"],
        "Metropolitan Police Service",
        "Open Government Licence v3.0",
        "Claim: ",
        "12,632 ÷ 12,251 − 1 = +3.1%",
        row["moved_this_far"],
        "wardbook run --borough 'Tower Hamlets' --period 2024-25 --only 01_targets",
        "counting noise",
        "usual variation",
    ):
        assert words_needed in text, words_needed


def test_each_part_of_mopac_7_has_the_words_of_its_change_beside_it(drawn, targets):
    text = squeezed(seen(drawn["mopac-7"]))
    parts = targets.filter(target_set="MOPAC 7, by part")
    assert text.count("little different") == parts.filter(change_verdict="little different").height == 6
    assert text.count("rose clearly") == 1
    for measure in parts["measure"]:
        assert measure in text


def test_the_printed_verdicts_stand_beside_ours(drawn):
    text = squeezed(seen(drawn["printed-verdicts"]))
    assert text.count("printed: missed; ours: cannot say") == 3
    assert text.count("printed: achieved; ours: cannot say") == 4
    assert "−31.5% (2,435–2,441 to 1,667–1,673): fell clearly" in text
    assert "MPA Local Policing Summary, Tower Hamlets, 2009/10" in text


@pytest.mark.parametrize("name", NAMES)
def test_title_subtitle_challenge_and_source_are_shown_whole_and_nothing_is_cut_short(figures, drawn, name):
    figure, text = figures[name], squeezed(seen(drawn[name]))
    for part in (figure.title, figure.subtitle, figure.challenge, figure.source, figure.licence):
        assert squeezed(part) in text
    assert "…" not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_area_and_the_period_are_in_title_or_subtitle(figures, name):
    figure = figures[name]
    said = f"{figure.title} {figure.subtitle}"
    assert "Tower Hamlets" in said
    assert re.search(r"\b20\d\d-\d\d\b", said)


@pytest.mark.parametrize("name", NAMES)
def test_every_colour_is_one_of_the_themes(svgs, name):
    used = set(re.findall(r'(?:fill|stroke|stop-color|color)[=:]\s*"?([^";\s]+)', svgs[name]))
    assert {colour.lower() for colour in used} <= PALETTE | {"none", "white", "transparent"}
    assert theme.DARK_BLUE in used, "no colour was found: the pattern above reads nothing"


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_in_a_colour_too_pale_to_read(drawn, name):
    colours = {element.get("fill") for element in drawn[name].iter(f"{SVG}text")}
    assert colours <= {theme.DARK_GREY, theme.DARK_BLUE, theme.DARK_PINK}


def test_the_palette_is_the_government_analysis_functions():
    assert [*("#12436D", "#28A197", "#801650", "#F46A25", "#3D3D3D", "#A285D1")] == [
        theme.DARK_BLUE,
        theme.TURQUOISE,
        theme.DARK_PINK,
        theme.ORANGE,
        theme.DARK_GREY,
        theme.PURPLE,
    ]
    assert [theme.MID_BLUE, theme.LIGHT_BLUE] == ["#2073BC", "#6BACE6"]
    assert [theme.FOCUS, theme.CONTEXT] == ["#12436D", "#BFBFBF"]
    assert theme.config()["background"] == "white"


def test_an_svg_is_the_same_drawn_twice_from_tables_read_twice(svgs):
    again = open_book(notebook="01_targets")
    rows = verdicts.assess_targets(again.area, again.targets, again.results, again.history, period=again.period)
    assert mopac_figure(again, rows).svg() == svgs["mopac-7"]


def test_an_ampersand_in_a_title_leaves_the_svg_well_formed():
    root = ElementTree.fromstring(a_figure(pl.DataFrame({"x": [1.0]})).svg())
    assert root[0].text == "A title & more"
    assert root[1].text == "Dot chart of x where x < 2"


def test_london_is_drawn_without_usual_variation_and_says_noise_alone(targets):
    london = open_book(notebook="01_targets", borough="London")
    rows = verdicts.assess_targets(london.area, london.targets, london.results, london.history, period=london.period)
    figure = mopac_figure(london, rows)
    text = squeezed(seen(ElementTree.fromstring(figure.svg())))
    assert "missed clearly (noise alone)" in text
    assert "Lines: counting noise alone (95%)." in text
    assert "usual variation" not in text
    assert "no earlier changes to compare with: counting noise alone" in text


# -- the PNG ------------------------------------------------------------------------------------------------------------


def test_the_png_is_twice_the_svgs_size(mopac, drawn):
    png = mopac.png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    root = drawn["mopac-7"]
    assert (width, height) == (2 * int(root.get("width")), 2 * int(root.get("height")))
    assert width <= 2 * (theme.WIDTH + 40)


# -- the CSV ------------------------------------------------------------------------------------------------------------


def read_back(figure: Figure) -> list[list[str]]:
    return list(csv.reader(io.StringIO(figure.csv())))


@pytest.mark.parametrize("name", NAMES)
def test_a_csv_has_one_header_row_and_a_row_for_each_of_the_figures(figures, name):
    header, *rows = read_back(figures[name])
    assert header == figures[name].data.columns
    assert len(rows) == figures[name].data.height
    assert {len(row) for row in rows} == {len(header)}


def plotted_numbers(figure: Figure) -> set[float]:
    """Every number that the chart is drawn from, but for the line at no change."""
    frames = figure.chart.to_dict()["datasets"].values()
    values = {v for rows in frames for row in rows for name, v in row.items() if name != "zero"}
    return {float(f"{v:.10g}") for v in values if isinstance(v, int | float) and not isinstance(v, bool)}


@pytest.mark.parametrize("name", NAMES)
def test_every_number_plotted_is_in_the_csv(figures, name):
    plotted = plotted_numbers(figures[name])
    cells = {cell for row in read_back(figures[name])[1:] for cell in row}
    told = {float(f"{float(cell):.10g}") for cell in cells if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)}
    assert len(plotted) > 5
    assert plotted <= told, plotted - told


def test_the_verdict_charts_csv_has_counts_change_intervals_target_and_verdict(mopac, targets):
    table = pl.read_csv(io.StringIO(mopac.csv()))
    rows = targets.filter(pl.col("target_set").str.starts_with("MOPAC 7"))
    for name in (
        *("measure", "area", "baseline_period", "period", "baseline", "outturn", "change_percent", "noise_low"),
        *("noise_high", "usual_low", "usual_high", "target", "verdict", "change_verdict", "target_owner"),
    ):
        assert table[name].to_list() == rows[name].to_list(), name


def test_a_cell_that_a_spreadsheet_would_run_arrives_as_text_and_numbers_stay_numbers():
    planted = ['=HYPERLINK("http://example.org","x")', "+1", "-1+2", "@SUM(A1)", "\tx", "plain", "−5%", None]
    figure = a_figure(pl.DataFrame({"text": planted, "number": [-1.5, 2, 3, 4, 5, 6, 7, None]}))
    header, *rows = read_back(figure)
    assert header == ["text", "number"]
    assert [row[0] for row in rows] == [*("'" + cell for cell in planted[:5]), "plain", "−5%", ""]
    assert rows[0][1] == "-1.5"


def test_a_saved_table_is_guarded_like_a_figures_csv(tmp_path):
    """A reader's own targets file reaches tables/targets.csv: what it holds must not run in another's spreadsheet."""
    book = open_book(notebook="01_targets", output_dir=str(tmp_path))
    book.save_table("targets", pl.DataFrame({"measure": ['=HYPERLINK("http://example.org")'], "change": [-1.5]}))
    _, row = csv.reader(io.StringIO((tmp_path / "tables" / "targets.csv").read_text()))
    assert row == ['\'=HYPERLINK("http://example.org")', "-1.5"]


# -- the TXT ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_txt_has_everything_that_the_csv_has_not(figures, name):
    figure = figures[name]
    parts = dict(part.split("\n", 1) for part in figure.txt().strip().split("\n\n"))
    wanted = {
        "Title": figure.title,
        "Subtitle": figure.subtitle,
        "In a sentence": figure.sentence,
        "Alt text": figure.alt_text,
        "If challenged": figure.challenge,
        "Source": figure.source,
        "Licence": figure.licence,
        "Data": f"{name}.csv, {figure.data.height} rows, fingerprint {figure.fingerprint}",
    }
    assert {key: squeezed(value) for key, value in parts.items()} == {k: squeezed(v) for k, v in wanted.items()}
    assert all(wanted.values())
    assert max(map(len, figure.txt().splitlines())) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_alt_text_says_chart_type_data_and_what_it_shows(figures, name):
    assert re.match(r"(Dot and interval chart|Histogram) of .+ where .+\.$", figures[name].alt_text)


# -- the fingerprint ----------------------------------------------------------------------------------------------------


def test_the_fingerprint_changes_when_one_value_moves_by_a_thousandth(mopac):
    assert re.fullmatch(r"[0-9a-f]{12}", mopac.fingerprint)
    for column in ("noise_low", "noise_high", "usual_low", "usual_high", "change_percent", "target"):
        moved = mopac.data.with_columns(
            pl.when(pl.col(column).cum_count() == 1).then(pl.col(column) + 0.001).otherwise(column)
        )
        assert replace(mopac, data=moved).fingerprint != mopac.fingerprint, column


def test_the_fingerprint_changes_with_a_count_a_word_an_order_or_a_missing_row(mopac):
    counted = mopac.data.with_columns(pl.col("outturn") + 1)
    reworded = mopac.data.with_columns(pl.col("verdict").str.replace("missed", "met"))
    for changed in (counted, reworded, mopac.data.reverse(), mopac.data.head(-1)):
        assert replace(mopac, data=changed).fingerprint != mopac.fingerprint


def test_the_fingerprint_does_not_move_with_the_last_digits_of_another_machine(mopac):
    nudged = mopac.data.with_columns(pl.col("noise_low") * (1 + 1e-14))
    assert not nudged.equals(mopac.data)
    assert replace(mopac, data=nudged).fingerprint == mopac.fingerprint


def test_in_a_notebook_a_figure_is_its_svg_and_a_text_with_its_fingerprint(mopac, svgs):
    shown = mopac._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "text/plain"}
    assert shown["image/svg+xml"] == svgs["mopac-7"]
    for part in (mopac.title, mopac.subtitle, mopac.alt_text, "8 rows plotted", f"fingerprint {mopac.fingerprint}"):
        assert part in shown["text/plain"]


def test_one_row_is_one_row():
    figure = a_figure(pl.DataFrame({"x": [1.0]}))
    assert "a-figure.csv, 1 row, fingerprint" in " ".join(figure.txt().split())
    assert "\n1 row plotted, fingerprint" in figure._repr_mimebundle_()["text/plain"]


def test_labels_stand_apart_in_the_order_they_had():
    assert charts.spaced([0.0, 1.0, 50.0, 49.0], 10) == [0.0, 10.0, 59.0, 49.0]
    assert charts.spaced([3.0, 30.0], 10) == [3.0, 30.0]


def test_the_command_has_every_setting_that_is_given_and_quotes_what_a_shell_would_part():
    own = {"offence_group": "residential burglary", "first_window": "", "allow_unequal": True, "rebase_months": 24}
    opened = open_book(notebook="02_trends", borough="Brent", period="2018-19", settings=own)
    assert opened.command == (
        "wardbook run --borough Brent --period 2018-19 --only 02_trends --set 'offence_group=residential burglary' "
        "--set allow_unequal=true --set rebase_months=24"
    )


# -- saving -------------------------------------------------------------------------------------------------------------


def test_a_figure_leaves_a_set_of_four_files_named_by_it(mopac, svgs, tmp_path):
    paths = mopac.save(tmp_path / "charts")
    assert [path.name for path in paths] == ["mopac-7.svg", "mopac-7.png", "mopac-7.csv", "mopac-7.txt"]
    assert sorted((tmp_path / "charts").iterdir()) == sorted(paths)
    assert paths[0].read_text(encoding="utf-8") == svgs["mopac-7"]
    assert paths[2].read_text(encoding="utf-8") == mopac.csv()
    assert paths[3].read_text(encoding="utf-8") == mopac.txt()


def test_a_book_without_an_output_folder_saves_nothing_and_with_one_saves_under_charts(mopac, book, tmp_path):
    book.save(mopac)
    book.save_table("targets", mopac.data)
    open_book(notebook="01_targets", output_dir=str(tmp_path / "out")).save(Absent("nothing", "because"))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")] == ["out/charts/nothing.txt"]


@pytest.mark.parametrize("name", ["MOPAC 7", "mopac_7", "a--b", "-a", "a-", "", "../a", "a/b", "é"])
def test_a_name_that_is_no_slug_is_refused(name):
    with pytest.raises(ValueError) as caught:
        a_figure(pl.DataFrame({"x": [1.0]}), name=name)
    assert str(caught.value) == (
        f"a figure's name is lower-case words joined by hyphens, since files are named by it: {name!r}"
    )


# -- where there is nothing to draw -------------------------------------------------------------------------------------


def test_an_absent_figure_leaves_a_text_that_says_why_and_no_picture(tmp_path):
    absent = Absent("printed-verdicts", "no table of printed verdicts on Sutton was found")
    (path,) = absent.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["printed-verdicts.txt"]
    assert path.read_text(encoding="utf-8") == "No chart\nno table of printed verdicts on Sutton was found\n"
    assert absent._repr_mimebundle_() == {"text/plain": "No chart: no table of printed verdicts on Sutton was found"}


def test_rows_that_cannot_be_drawn_are_absent_with_their_reasons(book, targets):
    said = {"name": "x", "title": "t", "measure": "m", "sentence": "s"}
    nothing = charts.verdicts(book, targets.clear(), **said)
    assert isinstance(nothing, Absent)
    assert "none was published for Tower Hamlets" in nothing.reason
    uncounted = targets.filter(target_set="Police and Crime Plan 2017-21")
    absent = charts.verdicts(book, uncounted, **said)
    assert isinstance(absent, Absent)
    assert absent.reason.startswith("cannot say: No numeric target was published")
    assert isinstance(charts.printed_verdicts(book, targets.clear(), name="x"), Absent)


def test_a_placebo_chart_without_a_history_is_absent(book, targets):
    gun = targets.row(by_predicate=(pl.col("target_set") == LEAFLET) & (pl.col("measure") == "gun crime"), named=True)
    absent = charts.placebo(book, gun, None, name="x")
    assert isinstance(absent, Absent)
    assert "counting noise alone" in absent.reason
    assert "gun crime in Tower Hamlets" in absent.reason


def test_the_placebo_chart_counts_what_its_title_says(figures, targets):
    figure = figures["mopac-7-usual-variation"]
    row = targets.row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)
    k, n = (int(part) for part in row["moved_this_far"].split(" of "))
    assert figure.title == f"{k} of {n} borough changes, London's taken out, were as large as Tower Hamlets' +3.1%"
    here, placebo = figure.data["change_percent"][-1], figure.data["change_percent"].head(-1)
    assert len(placebo) == n
    size = (1 + here / 100) if here > 0 else 1 / (1 + here / 100)
    ratios = 1 + placebo / 100
    assert int((pl.select(pl.max_horizontal(ratios, 1 / ratios)).to_series() >= size - 1e-9).sum()) == k


# -- tables and sentences in a notebook ---------------------------------------------------------------------------------


def test_a_shown_table_gives_nbval_every_row_and_column_and_six_digits(targets):
    shown = Shown(targets)._repr_mimebundle_()
    table = list(csv.reader(io.StringIO(shown["text/plain"])))
    assert table[0] == targets.columns
    assert len(table) == targets.height + 1
    moved = targets.with_columns(pl.col("noise_low") + 0.001)
    assert Shown(moved)._repr_mimebundle_()["text/plain"] != shown["text/plain"]
    assert "<table" in shown["text/html"]


def test_generated_sentences_are_prose_whose_asterisks_stay_asterisks():
    shown = Said("One *line*.\nAnother_line.", "A last one.")._repr_mimebundle_()
    assert shown["text/plain"] == "One *line*.\n\nAnother_line.\n\nA last one."
    assert shown["text/markdown"] == "One \\*line\\*.\n\nAnother\\_line.\n\nA last one."
