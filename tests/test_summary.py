"""The summary page, the list of runs, the workbook and the exported sets: what they say is what the run holds, and no more."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest
from PIL import Image

from test_notebooks import copy_edition
from wardbook import places, runs, summary, workbook
from wardbook.figures import sizes
from wardbook.figures.export import Absent, Figure, guarded_csv, read_csv, read_txt
from wardbook.run import runner

FORMULA = '=HYPERLINK("https://example.invalid","prize")'
SCRIPT = "<script>document.title='taken'</script>"
LONG = " ".join(["self-defined and --only 2011-12 to 2015-16, wardbook run --borough 'Tower Hamlets'"] * 9)


def a_figure(name="burglary", title="Recorded burglary fell clearly", **more):
    data = more.pop(
        "data", pl.DataFrame({"measure": ["burglary", "robbery"], "count": [1234, 56], "share": [0.125, 3.5]})
    )
    chart = alt.Chart(data).mark_bar().encode(x="count:Q", y="measure:N").properties(width=300)
    said = {
        "subtitle": "Recorded offences, Sutton",
        "alt_text": "Bar chart of offences where burglary is 1,234.",
        "sentence": "Burglary fell to 1,234.",
        "challenge": f"Claim: {title}. Recompute: count. Data: edition x. Make it again: wardbook run.",
        "source": "A publication from the Publisher",
        "licence": "Contains public sector information licensed under the Open Government Licence v3.0",
    }
    return Figure(name=name, chart=chart, data=data, title=title, **(said | more))


def a_run(out, figures, tables=None, *, slug="sutton", area="Sutton", notebook="03_comparison", **record):
    """A finished run's folder, made without running a notebook."""
    folder = Path(out) / slug / "2024-25"
    for name in ("charts", "tables"):
        (folder / name).mkdir(parents=True)
    for figure in figures:
        figure.save(folder / "charts")
    for name, table in (tables or {}).items():
        (folder / "tables" / f"{name}.csv").write_text(guarded_csv(table), encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): "" for path in folder.rglob("*") if path.is_file()}
    said = {"area": area, "area_code": "E09000029", "period": "2024-25", "edition": "ccbcbe198f0f", "wardbook": "0.1.0"}
    said |= {"inputs": {"mps/2025-11/MPS Borough Level Crime (Historical).csv": "0"}, "reference": {}}
    said |= {"notebooks": {notebook: {"parameters": {}, "files": files}}}
    (folder / "run.json").write_text(json.dumps(said | record), encoding="utf-8")
    return folder


class Page(HTMLParser):
    """A page as a reader of its markup meets it: tags with attributes, and the text outside script and style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._in = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in.append(tag)

    def handle_endtag(self, tag):
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self._in[-1:]):
            self.text += data


def read_page(folder):
    return Page(summary.write_summary(folder).read_text(encoding="utf-8"))


def picture(path):
    """A PNG, its file closed."""
    return Image.open(io.BytesIO(path.read_bytes()))


def squashed(text):
    return " ".join(text.split())


# What a text file and a CSV say, read back ----------------------------------------------------------------------------


def test_a_charts_text_is_read_back_as_it_was_written(tmp_path):
    figure = a_figure(sentence=LONG, challenge=f"Claim: {LONG}", title="A title of self-defined words")
    figure.save(tmp_path)
    said = read_txt(tmp_path / "burglary.txt")
    assert said == {name: getattr(figure, name) for name in said}
    assert set(said) == {"title", "subtitle", "sentence", "alt_text", "challenge", "source", "licence"}
    Absent("nothing", f"cannot say: {LONG}").save(tmp_path)
    assert read_txt(tmp_path / "nothing.txt") == {"reason": f"cannot say: {LONG}"}
    (tmp_path / "other.txt").write_text("A letter\nto nobody\n")
    with pytest.raises(ValueError, match=r"other\.txt is not the text of a chart: it has no Title"):
        read_txt(tmp_path / "other.txt")


def test_a_guarded_csv_is_read_back_as_it_was(tmp_path):
    frame = pl.DataFrame({"name": [FORMULA, "-1", "+2", "@x", "plain", "'quoted"], "n": [1, 2, 3, 4, 5, 6]})
    (tmp_path / "a.csv").write_text(guarded_csv(frame))
    assert (tmp_path / "a.csv").read_text().splitlines()[1].startswith("\"'=HYPERLINK")
    assert read_csv(tmp_path / "a.csv").equals(frame)


# The page -------------------------------------------------------------------------------------------------------------


def test_the_page_holds_each_chart_with_its_words_its_table_and_its_links(tmp_path):
    folder = a_run(tmp_path, [a_figure("change-funnel"), a_figure("zebra", title="A second chart's finding")])
    page = read_page(folder)
    text = squashed(page.text)
    for name in ("change-funnel", "zebra"):
        said = read_txt(folder / "charts" / f"{name}.txt")
        for part in ("title", "subtitle", "sentence", "challenge", "source"):
            assert said[part] in text, part
        hrefs = {attrs.get("href") for tag, attrs in page.tags if tag == "a"}
        for kind in ("svg", "png", "csv", "txt"):
            assert f"./charts/{name}.{kind}" in hrefs
            assert (folder / "charts" / f"{name}.{kind}").is_file()
    images = [attrs for tag, attrs in page.tags if tag == "svg"]
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert len(images) == 2
    for attrs in images:
        assert attrs["role"] == "img"
        assert set(attrs["aria-labelledby"].split()) <= ids
    assert "1,234" in text
    assert "0.1250" in text, "the table behind the disclosure"
    assert sum(tag == "details" for tag, _ in page.tags) >= 2


def test_ids_are_unique_headings_in_order_and_nothing_is_asked_for(tmp_path):
    folder = a_run(tmp_path, [a_figure("change-funnel"), a_figure("zebra"), Absent("ward-rates", "too few wards")])
    page = read_page(folder)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert ("html", {"lang": "en-GB"}) in page.tags
    for tag, attrs in page.tags:
        assert "src" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
        assert tag not in {"script", "link", "iframe", "img", "object", "use", "image"}
        if "href" in attrs and re.match(r"[a-z]+:", attrs["href"]):
            assert tag == "a"
            assert attrs["href"].startswith("https://")
    for attrs in (attrs for tag, attrs in page.tags if tag == "a" and attrs["href"].startswith("#")):
        assert attrs["href"][1:] in ids
    assert "url(" not in summary.write_summary(folder).read_text()


def test_a_chart_that_cannot_be_drawn_says_why_in_its_place_and_leaves_no_hole(tmp_path):
    folder = a_run(tmp_path, [Absent("change-funnel", "cannot say: December 2022 ends on the 17th")])
    page = read_page(folder)
    assert squashed(page.text).count("cannot say: December 2022 ends on the 17th") == 2, (
        "in its place, and among the limits"
    )
    tags = [tag for tag, _ in page.tags]
    assert not {"svg", "article", "figure"} & set(tags)
    assert not [attrs for _, attrs in page.tags if "change-funnel." in attrs.get("href", "")]


def test_a_notebook_that_has_not_run_leaves_its_section_out_and_says_so(tmp_path):
    text = squashed(read_page(a_run(tmp_path, [a_figure("change-funnel")])).text)
    assert (
        "This section is left out: it would say who is stopped and searched, from the notebook 04_stop_and_search, which "
        "has not been run here. wardbook run --borough Sutton --period 2024-25 --only 04_stop_and_search fills it."
        in text
    )
    for section in summary.SECTIONS:
        assert section.heading in text
        missing = section.notebook != "03_comparison"
        known = section.notebook in runner.notebooks()
        says = "has not been run here" if known else "this version of Wardbook does not have yet"
        assert (f"{section.about}, from the notebook {section.notebook}, which {says}" in text) == missing


def test_every_target_is_on_the_page_judged_or_with_its_reason(tmp_path):
    columns = {
        "measure": ["robbery", "burglary"],
        "area": ["Sutton", "Sutton"],
        "target_owner": ["London's target, tracked here"] * 2,
        "baseline_period": ["2011-12"] * 2,
        "period": ["2015-16"] * 2,
        "unit": ["change, %"] * 2,
        "baseline": [1000, None],
        "outturn": [700, None],
        "result_percent": [None, None],
        "change_percent": [-30.0, None],
        "change_low": [-30.0, None],
        "change_high": [-30.0, None],
        "noise_low": [-36.0, None],
        "noise_high": [-23.5, None],
        "usual_low": [-45.0, None],
        "usual_high": [-21.0, None],
        "target": [-20.0, None],
        "verdict": ["met clearly", "cannot say"],
        "change_verdict": ["fell clearly", "cannot say"],
        "printed_verdict": ["", "achieved"],
        "why": ["", "The target was not published"],
    }
    numbers = ["baseline", "outturn", "result_percent", "change_percent", "target", "noise_low", "usual_low"]
    table = pl.DataFrame(columns).with_columns(pl.col(numbers).cast(pl.Float64))
    folder = a_run(tmp_path, [a_figure("mopac-7")], {"targets": table}, notebook="01_targets")
    text = squashed(read_page(folder).text)
    assert "Of 2 targets, parts of targets and aims looked at for Sutton, one can be judged." in text
    assert "−30.0%, from 1,000 to 700" in text
    assert "counting noise −36.0% to −23.5%; usual variation −45.0% to −21.0%" in text
    assert "Cannot say: the target was not published. Printed at the time: achieved" in text
    assert summary.verdict_count(summary.read_run(folder)) == 1
    assert text.count("The tables behind this page hold one verdict") == 1


def test_sources_have_the_dates_of_their_files_and_their_licence(tmp_path):
    inputs = [
        "mps/2025-11/MPS Borough Level Crime (Historical).csv",
        "mps/2025-12/MPS Borough Level Crime (most recent 24 months).csv",
        *(f"police_uk/2024-{month:02d}/2024-{month:02d}-metropolitan-stop-and-search.csv" for month in range(1, 9)),
    ]
    found = {used.source.key: used for used in summary.used_sources(inputs)}
    assert found["mps-borough-crime"].snapshots == "2025-11 and 2025-12"
    assert "8 monthly files, 2024-01 to 2024-08" in {used.snapshots for used in found.values()}
    text = squashed(read_page(a_run(tmp_path, [a_figure()], inputs=dict.fromkeys(inputs, "0"))).text)
    assert "2025-11 and 2025-12. Open Government Licence v3.0." in text
    assert "edition ccbcbe198f0f" in text


def test_what_a_name_holds_is_text_everywhere(tmp_path):
    data = pl.DataFrame({"measure": [FORMULA, SCRIPT, "[a](https://example.invalid)"], "count": [1, 2, 3]})
    figure = a_figure("change-funnel", title=f"A finding {SCRIPT}", data=data, sentence=f"{FORMULA} and {SCRIPT}")
    folder = a_run(tmp_path, [figure], {"names": data}, area=f"Sutton{SCRIPT}")
    page = read_page(folder)
    assert SCRIPT in page.text
    assert FORMULA in page.text
    assert "script" not in [tag for tag, _ in page.tags]
    assert "Content-Security-Policy" in [attrs.get("http-equiv") for tag, attrs in page.tags if tag == "meta"]
    assert f'"\'{FORMULA.replace(chr(34), chr(34) * 2)}"' in (folder / "charts" / "change-funnel.csv").read_text()
    cells = sheets_of(folder / "tables.xlsx")["names"]
    assert [row[0] for row in cells[-3:]] == [FORMULA, SCRIPT, "[a] (https://example.invalid)"]
    with zipfile.ZipFile(folder / "tables.xlsx") as made:
        for name in made.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in made.read(name), "a formula"
    index = Page(summary.write_index(tmp_path).read_text(encoding="utf-8"))
    assert f"Sutton{SCRIPT}" in index.text
    assert [tag for tag, _ in index.tags].count("script") == 1, "its own"


def test_a_drawing_keeps_nothing_that_could_do_anything_but_draw():
    svg = a_figure().svg()
    at = svg.index("</desc>") + len("</desc>")
    planted = (
        '<script>1</script><foreignObject><b xmlns="http://www.w3.org/1999/xhtml">x</b></foreignObject>'
        '<g onclick="x()"><a href="https://example.invalid"><path d="M0,0h1"/></a><path d="M0,0h1" style="fill:url(x)"/></g>'
        '<image href="https://example.invalid/x.png"/>'
    )
    plain = sizes.plot_alone(svg[:at] + planted + svg[at:], "Recorded burglary fell clearly")
    for word in ("script", "foreignObject", "onclick", "href", "style", "<image", "example"):
        assert word not in plain
    root = ElementTree.fromstring(plain)
    whole = ElementTree.fromstring(svg)
    assert float(root.get("viewBox").split()[3]) < float(whole.get("viewBox").split()[3]), "title and foot are cut off"
    assert "Claim:" not in "".join(root.itertext())
    assert "".join(root.itertext()).count("Recorded burglary fell clearly") == 1, "its own title element alone"
    assert {"burglary", "robbery"} <= set(root.itertext()), "the labels stay"


@pytest.mark.slow
def test_a_number_changed_in_the_edition_changes_table_sentence_alt_text_and_csv(tmp_path):
    pages, csvs = {}, {}
    for name, plus in {"as it is": 0, "changed": 400}.items():
        edition = copy_edition(
            tmp_path / name, remake_manifest=True, plus=plus, borough="E09000029", group="robbery", month=(2024, 5)
        )
        folder = runner.run("Sutton", "2024-25", only=["01_targets"], out=tmp_path / f"{name} out", edition=edition)
        run = summary.read_run(folder)
        row = run.charts["year-on-year"].rows.filter(measure="robbery").row(0, named=True)
        pages[name], csvs[name] = Page((folder / "summary.html").read_text(encoding="utf-8")), row
        shown, text = f"{row['outturn']:,}", squashed(pages[name].text)
        assert f'<td class="n">{shown}</td>' in (folder / "summary.html").read_text(encoding="utf-8"), "the table"
        assert f"to {shown}): {row['change_verdict']}" in run.charts["year-on-year"].said["alt_text"]
        assert run.charts["year-on-year"].said["alt_text"] in text, "the drawing's description"
        assert run.charts["year-on-year"].said["sentence"] in text
        assert shown in str(sheets_of(folder / "tables.xlsx")["changes"]).replace(str(row["outturn"]), shown)
    assert csvs["changed"]["outturn"] == csvs["as it is"]["outturn"] + 400
    assert csvs["changed"]["change_verdict"] == "rose clearly" != csvs["as it is"]["change_verdict"]
    assert "robbery (+" not in squashed(pages["as it is"].text).split("What changed, and what only varied")[2][:900]
    assert "robbery (+" in squashed(pages["changed"].text).split("What changed, and what only varied")[2][:900]


# The list of runs -----------------------------------------------------------------------------------------------------


def changes(change, verdict="little different"):
    row = {"measure": "total recorded offences excluding fraud", "change_percent": change, "change_verdict": verdict}
    return pl.DataFrame(
        [row | {"noise_low": change - 1, "noise_high": change + 1, "usual_low": None, "usual_high": None}]
    )


def test_the_list_ranks_every_run_and_works_without_its_script(tmp_path):
    a_run(tmp_path, [], {"changes": changes(4.0)}, slug="sutton", area="Sutton")
    a_run(tmp_path, [], {"changes": changes(-3.0, "fell clearly")}, slug="lewisham", area="Lewisham")
    a_run(tmp_path, [], slug="barnet", area="Barnet")
    unfinished = a_run(tmp_path, [], slug="camden", area="Camden")
    for slug in ("sutton", "lewisham", "barnet"):
        summary.write_summary(tmp_path / slug / "2024-25")
    shutil.copytree(tmp_path / "sutton" / "2024-25", tmp_path / "sutton" / ".2024-25.abc")
    page = Page(summary.write_index(tmp_path).read_text(encoding="utf-8"))
    hrefs = [attrs["href"] for tag, attrs in page.tags if tag == "a" and attrs["href"].startswith("./")]
    assert hrefs == [f"./{slug}/2024-25/summary.html" for slug in ("lewisham", "sutton", "barnet")]
    assert all((tmp_path / href).is_file() for href in hrefs)
    assert not (unfinished / "summary.html").exists()
    text = squashed(page.text)
    assert "−3.0% −4.0% to −2.0% fell clearly" in text
    (search,) = [attrs for tag, attrs in page.tags if attrs.get("id") == "search"]
    assert "hidden" in search, "a box that does nothing without the script is not shown without it"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


# The workbook ---------------------------------------------------------------------------------------------------------


def sheets_of(path):
    """Each sheet of a workbook as rows of values, read by another library than wrote it."""
    import fastexcel

    reader = fastexcel.read_excel(path)
    found = {}
    for name in reader.sheet_names:
        sheet = reader.load_sheet(name, header_row=None, dtypes="string").to_polars()
        found[name] = list(map(list, sheet.rows()))
    return found


def test_the_workbook_has_the_numbers_of_the_csv_one_table_a_sheet_and_no_merged_cell(tmp_path):
    tables = {
        "changes": pl.DataFrame({"measure": ["a", "b"], "n": [12251, 3], "x": [1 / 3, None], "yes": [True, False]}),
        "targets": pl.DataFrame({"measure": ["%", "=+-"], "unit": ["%", "x"], "n": [-0.05, 1e-9]}),
        "empty": pl.DataFrame({"measure": []}, schema={"measure": pl.String}),
    }
    folder = a_run(tmp_path, [], tables)
    summary.write_summary(folder)
    found = sheets_of(folder / "tables.xlsx")
    assert list(found) == ["Cover", "Contents", "Notes", "changes", "targets"]
    for name in ("changes", "targets"):
        csv = read_csv(folder / "tables" / f"{name}.csv")
        (header,) = [n for n, row in enumerate(found[name]) if row == csv.columns]
        body = found[name][header + 1 :]
        assert len(body) == csv.height
        for row, wanted in zip(body, csv.rows()):
            for cell, value in zip(row, wanted):
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    assert float(cell) == pytest.approx(value, rel=1e-8), "fastexcel reads nine digits"
    with zipfile.ZipFile(folder / "tables.xlsx") as made:
        sheets = [made.read(name) for name in made.namelist() if name.startswith("xl/worksheets/sheet")]
        assert not [sheet for sheet in sheets if b"mergeCell" in sheet]
        assert [sheet for sheet in sheets if b"<v>0.3333333333333333</v>" in sheet], "every digit is there"
        assert len([name for name in made.namelist() if name.startswith("xl/tables/")]) == 4, (
            "contents, notes, two tables"
        )


def test_a_summary_and_its_workbook_have_the_same_bytes_twice(tmp_path):
    folder = a_run(tmp_path, [a_figure("change-funnel")], {"changes": pl.DataFrame({"measure": ["a"], "n": [1]})})
    summary.write_summary(folder)
    before = {name: (folder / name).read_bytes() for name in ("summary.html", "tables.xlsx")}
    summary.write_summary(folder)
    assert before == {name: (folder / name).read_bytes() for name in before}
    assert not list(folder.rglob(".*"))


@pytest.mark.slow
def test_libreoffice_opens_the_workbook_and_the_csv_and_gives_the_same_numbers(tmp_path):
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    frame = pl.DataFrame({"name": [FORMULA, "b"], "n": [12251, -3], "x": [0.125, 2.5]})
    folder = a_run(
        tmp_path, [a_figure("change-funnel", data=frame.rename({"name": "measure", "n": "count"}))], {"names": frame}
    )
    summary.write_summary(folder)
    command = [
        office,
        "--headless",
        f"-env:UserInstallation=file://{tmp_path}/office",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
    ]
    subprocess.run(
        [*command, "--outdir", tmp_path / "back", folder / "tables.xlsx"], check=True, timeout=180, capture_output=True
    )
    again = sheets_of(tmp_path / "back" / "tables.xlsx")["names"]
    assert [[row[0], float(row[1]), float(row[2])] for row in again[-2:]] == [[FORMULA, 12251, 0.125], ["b", -3, 2.5]]


# Taking a chart away --------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    figures = [
        a_figure("change-funnel", source="A publication of the Publisher’s"),
        Absent("ward-rates", "too few wards"),
    ]
    folder = a_run(tmp_path / "out", figures, {"changes": changes(1.0)})
    summary.write_summary(folder)
    return folder


@pytest.mark.parametrize("size", sizes.SIZES)
def test_an_exported_set_carries_its_title_and_source_at_its_size(run, tmp_path, size):
    made = runs.export(run, tmp_path / "paper", charts=["change-funnel"], size=size)
    assert sorted(path.name for path in made) == [f"change-funnel.{kind}" for kind in ("csv", "png", "svg", "txt")]
    assert sorted(path.name for path in (tmp_path / "paper").iterdir()) == sorted(path.name for path in made)
    image = picture(tmp_path / "paper" / "change-funnel.png")
    assert image.text["Title"] == "Recorded burglary fell clearly"
    assert "A publication of the Publisher’s" in image.text["Source"]
    assert image.text["Description"] == "Bar chart of offences where burglary is 1,234."
    root = ElementTree.parse(tmp_path / "paper" / "change-funnel.svg").getroot()
    assert root.get("role") == "img"
    ids = root.get("aria-labelledby").split()
    assert [child.get("id") for child in root][:2] == ids
    text = "".join(root.itertext())
    assert "A publication of the Publisher" in text
    assert "OpenGovernmentLicence" in text.replace(" ", ""), "a lift without its attribution breaks the licence"
    if size == "slide":
        assert image.size == (1920, 1080)
        assert (root.get("width"), root.get("height")) == ("1920", "1080")
    else:
        assert root.get("width") == "160mm"
        assert image.width == pytest.approx(160 / 25.4 * 300, abs=2)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    raw = (tmp_path / "paper" / "change-funnel.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel reads a CSV without the mark as the machine's own code page"
    assert raw.decode("utf-8-sig").splitlines()[0] == "measure,count,share"


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(run, tmp_path):
    to = tmp_path / "paper"
    with pytest.raises(places.UnknownName, match="did you mean 'change-funnel'"):
        runs.export(run, to, charts=["change-funel"])
    with pytest.raises(places.UnknownName, match="did you mean 'slide'"):
        runs.export(run, to, charts=["change-funnel"], size="slides")
    with pytest.raises(runner.RunError, match="there is no chart ward-rates: too few wards"):
        runs.export(run, to, charts=["ward-rates"])
    assert not to.exists()
    with pytest.raises(runner.RunError, match="Lewisham has not been run: wardbook run --borough Lewisham does it"):
        runs.find_run("Lewisham", out=tmp_path / "out")
    with pytest.raises(runner.RunError, match="Sutton has not been run for 2020-21: "):
        runs.find_run("Sutton", "2020-21", out=tmp_path / "out")
    assert runs.find_run("sutton", "2024/25", out=tmp_path / "out") == run
    assert runs.find_run("Sutton", out=tmp_path / "out") == run
    (copied,) = runs.export(run, to, workbook=True)
    assert copied.read_bytes() == (run / workbook.WORKBOOK).read_bytes()


def test_a_figure_in_a_notebook_exports_itself(tmp_path):
    made = a_figure().export(tmp_path / "slides", size="slide")
    assert picture(made[1]).size == (1920, 1080)
    with pytest.raises(places.UnknownName):
        a_figure().export(tmp_path / "posters", size="poster")
    assert not (tmp_path / "posters").exists()


def test_a_labelled_png_has_every_pixel_it_had():
    import vl_convert

    drawn = vl_convert.vegalite_to_png(a_figure().complete.to_json(), scale=2)
    made = sizes.labelled_png(drawn, "t", "d", "s")
    before, after = (Image.open(io.BytesIO(png)).convert("RGB") for png in (drawn, made))
    assert before.tobytes() == after.tobytes()
    assert len(made) < len(drawn) / 2
