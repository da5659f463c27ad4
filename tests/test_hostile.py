"""Hostile text in every field that a reader's own files have, as Chromium shows what is made of it: no script runs, nothing is
wider than a phone.

What publishers capture at police.uk brings no text (test_captures), and what the address bar says is in test_site.
"""

import csv
import io
import re
import subprocess
import sys
import zipfile
from unittest import mock

import nbformat
import polars as pl
import pytest

import cells
from conftest import is_wider, open_all
from made_runs import a_run, newest_answers
from wardbook.figures.table import Shown
from wardbook.run import page as pages
from wardbook.run import site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TEXTS = {
    "markup": "\"><img src=x onerror=hit=1><script>hit=1</script>'</script></style></title></desc><svg onload=hit=1></svg>"
    "&lt;script&gt;hit=1&lt;/script&gt;\u2028]]>--><!--",
    "templates": "{{ 7*7 }}{% raw %}${hit=1}`[a](javascript:hit=1)![b](x onerror=hit=1)$$recorded$$\u202etxet\u202c\u2066",
    "formula": "=HYPERLINK(\"http://127.0.0.1/\",\"a\")",
    "tab": "\t=1+1",
    "full width": "＝1+1",
    "at": "@SUM(1)",
    "long": "x" * 5000,
    "words": "word " * 1000,
}  # fmt: skip


def own_file(path, fields, **same):
    """A reader's file: a row for each text, which stands in all these fields."""
    pl.DataFrame([dict.fromkeys(fields.split(), text) | same for text in TEXTS.values()]).write_csv(path)
    return str(path)


def targets_file(path):
    what = {"kind": "change", "series": "borough_offences", "item": "robbery", "area": "Sutton", "direction": "fall"}
    what |= {"baseline_period": "2023-24", "period": "2024-25", "target": -50}
    return own_file(path, "target_set measure target_owner source source_address source_date note", **what)


def claims_file(path):
    what = {"kind": "trend", "check": "recorded", "item": "robbery", "area": "Sutton", "direction": "rise"}
    what |= {"baseline_period": "year to 2025-02", "period": "year to 2026-02"}
    fields = "claim_id document office claim where said_on measure source source_address note"
    return own_file(path, fields, **what)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of the two notebooks that take text, its site, and what Jupyter would show of it; the folder of it all."""
    out, asked = tmp_path_factory.mktemp("out"), {"borough": "Sutton", "period": "latest"}
    ran = [
        cells.run("01_targets", **asked, plain=False, targets_file=targets_file(out / "targets.csv")),
        cells.run("07_claims", **asked, plain=False, claims_file=claims_file(out / "claims.csv")),
    ]
    figures, tables = [one for left in ran for one in left.figures.values()], ran[0].tables | ran[1].tables
    name = f"Sutton {TEXTS['markup']}"
    folder = a_run(out, figures, tables, notebook="01_targets", period="year to 2026-02", name=name)
    pages.write_page(folder)
    with newest_answers():
        site.write_site(out, out / "site")
    shown = [*figures, *(one for left in ran for one in left.statements.values()), *map(Shown, tables.values())]
    as_jupyter(shown, folder / "notebook.ipynb")
    texts = (folder / "tables" / "claims.csv").read_text() + (folder / "charts" / "live-targets.svg").read_text()
    assert texts.count("hit=1") > 3 and "x" * 5000 in texts
    return out


def as_jupyter(shown, path):
    """Things shown in a notebook, and beside it the page that nbconvert makes of it."""
    outputs = []

    def show(thing, raw=False):
        bundle = thing if raw else thing._repr_mimebundle_()
        outputs.append(nbformat.v4.new_output("display_data", dict(bundle)))

    with mock.patch("IPython.display.display", show):
        for thing in shown:
            thing._ipython_display_() if hasattr(thing, "_ipython_display_") else show(thing)
    cell = nbformat.v4.new_code_cell("1", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    words = ["nbconvert", "--to", "html", "--template", "basic", "--log-level", "ERROR", path]
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)


def test_no_script_of_a_readers_file_runs_and_nothing_is_wider_than_a_phone(made, open_page):
    for path in [*made.rglob("*.html"), *made.rglob("*.svg")]:
        opened = open_page(path.as_uri(), 390)
        open_all(opened)
        opened.wait_for_timeout(50)
        assert opened.evaluate("typeof hit") == "undefined", path.name
        assert opened.said == [], path.name
        assert opened.evaluate("[...document.querySelectorAll('a')].every(a => !/^\\s*javascript/i.test(a.href))")
        if path.suffix == ".svg":
            assert opened.evaluate("document.documentElement.width.baseVal.value") < 1.5 * 720, path.name
        if path.name in ("summary.html", "index.html"):
            assert [url for url in opened.asked if not url.startswith(made.as_uri())] == []
            assert not is_wider(opened, 390), path.name
        opened.close()


def test_no_cell_of_a_readers_file_starts_a_formula(made):
    for path in made.glob("*/*/*/*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            assert not [cell for cell in row if re.match(r"\s*[=@＝＠\t]", cell)], path.name
    with zipfile.ZipFile(next(made.rglob("tables.xlsx"))) as book:
        sheets = [book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    assert sheets and not [
        sheet for sheet in sheets if b"<f>" in sheet or b"<hyperlink " in sheet and b"javascript" in sheet
    ]
