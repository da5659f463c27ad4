"""The page of a run, its workbook and the sets exported from it: what they say is what the run holds, and no more."""

import io
import re
import zipfile
from datetime import date
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest
import vl_convert
from PIL import Image, ImageChops

from made_runs import WORDS, Page, a_figure, a_run
from wardbook import places
from wardbook.figures import marks
from wardbook.figures.figure import SIZES, Figure
from wardbook.figures.table import read_csv
from wardbook.run import export, page, runner, workbook


def read_page(folder):
    return Page(page.write_page(folder).read_text(encoding="utf-8"))


# The page -------------------------------------------------------------------------------------------------------------


def test_the_page_holds_each_chart_with_its_words_its_table_and_its_links(tmp_path):
    absent = a_figure("ward-rates", absent="too few wards")
    plan = pl.DataFrame({"name": ["a plan"], "count": [7], "to_year": [2019]})
    folder = a_run(tmp_path, [a_figure(), a_figure("zebra", "Another finding", plan), absent])
    read = read_page(folder)
    words = [WORDS[part] for part in ("subtitle", "sentence", "caveat", "source", "command")]
    words += ["Recorded burglary fell", "Another finding", "1,234", "0.1250", "2019", "No chart: too few wards."]
    assert [part for part in words if part not in read.text] == []
    hrefs = {attrs["href"] for tag, attrs in read.tags if tag == "a"}
    kinds = ("json", "svg", "png", "csv", "txt")
    assert {f"./charts/{name}.{kind}" for name in ("change-funnel", "zebra") for kind in kinds} <= hrefs
    assert all((folder / href).is_file() for href in hrefs if href.startswith("./"))
    assert len([tag for tag, _ in read.tags if tag == "svg"]) == 4, "each for a page and for a phone"
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert all(href.startswith(("#", "./", "https://")) for href in hrefs)
    assert {href[1:] for href in hrefs if href.startswith("#")} <= set(ids)


def test_a_notebook_that_has_not_run_says_the_command_that_fills_its_section(tmp_path):
    text = read_page(a_run(tmp_path, [a_figure()])).text
    for section in page.SECTIONS:
        assert section.heading in text
        missing = f"wardbook run --borough Sutton --period '2024-25' --only {section.notebook} fills it."
        assert (missing in text) == (section.notebook != "03_comparison")


def test_sources_have_the_dates_of_their_files_and_their_licence(tmp_path):
    spans = {"2025-11": "Historical", "2025-12": "most recent 24 months"}
    inputs = [f"mps/{month}/MPS Borough Level Crime ({span}).csv" for month, span in spans.items()]
    inputs += [f"police_uk/2024-0{n}/2024-0{n}-metropolitan-stop-and-search.csv" for n in range(1, 9)]
    text = read_page(a_run(tmp_path, [a_figure()], inputs=dict.fromkeys(inputs, "0"))).text
    assert "files dated 2025-11 and 2025-12. Open Government Licence v3.0." in text
    assert "files dated 2024-01 to 2024-08 (8 months). " in text
    assert "Edition ccbcbe198f0f" in text


def test_a_mark_keeps_its_numbers_and_nothing_else_that_vega_writes_for_itself():
    def told(names, counts):
        data = pl.DataFrame({"name": names, "count": counts})
        root = ElementTree.fromstring(page.slim(a_figure(data=data).svg("page", bare=True)))
        assert not [mark for mark in root.iter() if {"aria-label", "aria-roledescription"} & set(mark.keys())]
        assert set(names[:2]) <= set(root.itertext()), "the labels stay"
        return [mark.get("data-say") for mark in root.iter() if mark.get("data-say")]

    assert told(["burglary", "robbery"], [1234, 56]) == ["burglary: count 1234", "robbery: count 56"]
    assert told(['A & B; "C" <d>'], [1.256]) == ['A & B; "C" <d>: count 1.3']
    chart = alt.Chart(
        pl.DataFrame({"month": [date(2025, 1, 1)], "offences": [9], "kind": ["inside"], "spell": [False]})
    )
    point = chart.mark_point().encode(
        alt.X("month:T", axis=marks.year_axis()), y="offences:Q", shape="kind", opacity="spell"
    )
    drawn = Figure.of("one", point, pl.DataFrame({"month": [1]}), WORDS | {"title": ["One"]}).svg("page", bare=True)
    assert 'data-say="Jan 2025, offences 9, inside"' in page.slim(drawn)
    many = range(page.MOST_MARKS + 1)
    assert told([f"n{n}" for n in many], many) == []


def test_a_drawing_looks_the_same_without_what_draws_nothing():
    data = pl.DataFrame({"name": [f"{n:02d}" for n in range(40)], "count": [(7 * n) % 23 for n in range(40)]})
    both = alt.layer(
        alt.Chart(data).mark_line(point=True).encode(x="name:N", y="count:Q"),
        alt.Chart(data).mark_text(dy=-9).encode(x="name:N", y="count:Q", text="count:Q"),
    )
    whole = Figure.of("both", both, data, WORDS | {"title": ["Both"]}).svg("page", bare=True)
    family = re.search(r'font-family="[^"]*"', whole)[0]
    slim = page.slim(whole).replace("<svg", f'<svg xmlns="http://www.w3.org/2000/svg" {family}', 1)
    assert len(slim) < 0.6 * len(whole)
    pngs = map(vl_convert.svg_to_png, (whole, slim))
    images = [Image.open(io.BytesIO(png)).convert("L").resize((360, 200)) for png in pngs]
    assert ImageChops.difference(*images).getextrema()[1] < 40, "of 255: a tenth of a pixel softens an edge"


def test_a_drawing_too_high_for_half_a_sheet_has_one_for_print(tmp_path):
    long = pl.DataFrame({"name": [f"offence {n:02d}" for n in range(30)], "count": range(30)})
    folder = a_run(tmp_path, [a_figure(), a_figure("zebra", data=long)])
    kept = page.read_run(folder).drawings
    assert [set(kept[name]) - {"page", "phone"} for name in ("change-funnel", "zebra")] == [set(), {"print"}]
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', kept["zebra"]["print"])[1])
    assert height <= SIZES["print"].height


# The workbook ---------------------------------------------------------------------------------------------------------


def sheets_of(path):
    """Each sheet of a workbook as rows of values, read by another library than wrote it."""
    sheets = pl.read_excel(path, sheet_id=0, has_header=False, infer_schema_length=0)
    return {name: list(map(list, sheet.rows())) for name, sheet in sheets.items()}


def test_the_workbook_has_the_numbers_of_the_csv_with_units_rounded_under_readable_names(tmp_path):
    rows = {"offence_group": ["a", "b"], "before": [12251, 3], "change_percent": [100 / 3, None]}
    rows |= {"comparable": [True, False], "as_far": [1, 2]}
    small = {"measure": ["%", "=+-"], "unit": ["%", "x"], "n": [-0.05, 1e-9], "residents": [4725282.0, 36396.4]}
    empty = pl.DataFrame(schema={"measure": pl.String})
    folder = a_run(tmp_path, [], {"changes": pl.DataFrame(rows), "targets": pl.DataFrame(small), "empty": empty})
    page.write_page(folder)
    read = sheets_of(folder / "tables.xlsx")
    assert list(read) == ["Cover", "Contents", "Notes", "changes", "targets"]
    heads = ["Offence group", "Offences before", "Change (%)", "Comparable", "Others as far from London"]
    assert read["changes"][-3:] == [heads, ["a", "12251", "33.3", "yes", "1"], ["b", "3", None, "no", "2"]]
    assert float(read["targets"][-1][2]) == 1e-9, "a number too small to round stays"
    assert [float(row[3]) for row in read["targets"][-2:]] == [4725282, 36396], "of a count every digit stays"
    cover = " ".join(str(cell) for row in read["Cover"] for cell in row)
    assert "changes: What changed in the year, by offence group" in cover
    with zipfile.ZipFile(folder / "tables.xlsx") as made:
        sheets = [made.read(name) for name in made.namelist() if name.startswith("xl/worksheets/sheet")]
        assert not [sheet for sheet in sheets if b"mergeCell" in sheet]
        parts = [name for name in made.namelist() if name.startswith("xl/tables/")]
        assert len(parts) == 4, "contents, notes, two tables"


# Taking a chart away --------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    figures = [a_figure(source="A publication of the Publisher’s"), a_figure("ward-rates", absent="too few wards")]
    folder = a_run(tmp_path / "out", figures, {"changes": pl.DataFrame({"measure": ["a"], "n": [1]})})
    page.write_page(folder)
    return folder


@pytest.mark.parametrize("size", export.SIZES)
def test_an_exported_set_carries_its_title_and_source_at_its_size(run, tmp_path, size):
    to = tmp_path / "paper"
    made = export.export(run, to, charts=["change-funnel"], size=size)
    assert [path.suffix for path in sorted(to.iterdir())] == [".csv", ".png", ".svg", ".txt"] and len(made) == 4
    image = Image.open(io.BytesIO((to / "change-funnel.png").read_bytes()))
    assert image.text["Title"] == "Recorded burglary fell"
    assert "A publication of the Publisher’s" in image.text["Source"]
    assert image.text["Description"] == WORDS["alt"]
    place = SIZES[export.SIZES[size]]
    assert image.width == pytest.approx(place.width * place.scale, abs=2 * place.scale)
    if size == "slide":
        assert image.height == pytest.approx(place.height, abs=2)
    text = "".join(ElementTree.parse(to / "change-funnel.svg").getroot().itertext())
    assert "A publication of the Publisher" in text
    assert "OpenGovernmentLicence" in text.replace(" ", ""), "a lift without its attribution breaks the licence"
    assert read_csv(to / "change-funnel.csv").columns == ["name", "count", "share"]


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(run, tmp_path):
    to = tmp_path / "paper"
    with pytest.raises(places.UnknownName, match="did you mean 'change-funnel'"):
        export.export(run, to, charts=["change-funel"])
    with pytest.raises(runner.RunError, match="there is no chart ward-rates: too few wards"):
        export.export(run, to, charts=["ward-rates"])
    assert not to.exists()
    with pytest.raises(runner.RunError, match="Lewisham has not been run: wardbook run --borough Lewisham does it"):
        export.find_run("Lewisham", out=tmp_path / "out")
    assert export.find_run("sutton", "2024/25", out=tmp_path / "out") == run
    assert export.find_run("Sutton", out=tmp_path / "out") == run
    (copied,) = export.export(run, to, workbook=True)
    assert copied.read_bytes() == (run / workbook.WORKBOOK).read_bytes()
