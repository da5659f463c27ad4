"""The committed notebooks: how they are built, and that nbval turns red when a number in or under them changes."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

import cells
from cells import code, drawn_twice
from conftest import changed_edition
from wardbook.places import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def is_parameters(cell):
    return "parameters" in cell["metadata"].get("tags", [])


def test_every_code_cell_was_executed_in_the_order_a_reader_needs(path):
    cells = load(path)["cells"]
    # A stripped notebook passes strict nbval without being compared with anything.
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert sum(bool(cell.get("outputs")) for cell in cells) >= 2
    text = ["".join(cell["source"]) for cell in cells]
    assert re.match("# .+\\?$", text[0], re.MULTILINE), "the first cell asks the notebook's one question"
    (at,) = (number for number, cell in enumerate(cells) if is_parameters(cell))
    assert at <= 2, "parameters come before anything else"
    line = r'\w+: (str|int|float|bool) = ("[^"#=]*"|-?[\d.]+|True|False)  # \S.*'
    assert re.fullmatch(f"({line}\n)*{line}", text[at]), "papermill reads one literal a line, with its help after '#'"
    shows = r"(?s).*wardbook\.open\(.*(print\(book\.provenance\)|\nbook)"
    assert re.fullmatch(shows, text[at + 1]), "what it was made from is shown first"
    headings = re.findall(r"^## (.+)$", "\n".join(text), re.MULTILINE)
    assert "Checks" in headings
    assert re.search(r"^What th(is|ese) cannot say", "\n".join(headings[-3:]), re.MULTILINE | re.IGNORECASE)


def test_a_notebook_shows_its_working_and_leaves_methods_to_the_library(path):
    cells = [source for _, source in code(path.stem)]
    source = "\n".join(cells)
    forbidden = {
        r"^\s*(def (?!\w+_chart\()|class)": "a function other than one that draws belongs in lib/, with a test",
        r"#[0-9a-fA-F]{6}\b": "a colour belongs in figures",
        r"^[%!]": "no magics",
        r"warnings\.": "no warnings filter",
        r"['\"]/(home|work|root|Users)\b": "no absolute path",
    }
    for pattern, why in forbidden.items():
        assert not re.search(pattern, source, re.MULTILINE), why
    lengths = [sum(bool(line.strip()) for line in cell.splitlines()) for cell in cells]  # blank lines are no code
    assert sum(lengths) <= 250
    assert path.stat().st_size < 500_000
    computes = r"\.(filter|with_columns|group_by|agg|select|join|sort)\("
    least = {"01_targets": 6, "02_trends": 8, "03_comparison": 8}.get(path.stem, 1)
    assert sum(bool(re.search(computes, cell)) for cell in cells) >= least, "its polars is in sight"


def test_no_figure_is_typed_into_the_prose(path):
    prose = ["".join(c["source"]) for c in load(path)["cells"] if c["cell_type"] == "markdown"]
    for cell in prose:
        # Code and allowed values, years, and the unit of a rate.
        text = re.sub(r"`[^`]*`|\b(19|20)\d\d\b|\b1,000\b|SHA-256|\bmd5\b", "", cell)
        assert not re.search(r"\d+(\.\d+)?\s?%|\b\d{3,}\b(?!-)", text), f"a number in prose goes stale: {cell[:80]}"


def test_outputs_fetch_nothing(path):
    outputs = json.dumps([cell.get("outputs") for cell in load(path)["cells"]])
    fetched = re.findall(
        r"(?:src|srcset|xlink:href)=\W*https?:[^\s>]*|url\(\W*https?:[^\s)]*|@import|<link\b|<script\b", outputs
    )
    assert not fetched, "an output that would fetch something"


def test_every_chart_says_what_it_plots_in_comparable_text(path):
    outputs = [output.get("data", {}) for cell in load(path)["cells"] for output in cell.get("outputs", [])]
    for data in (data for data in outputs if "image/svg+xml" in data):
        assert re.search(r"\d+ rows? plotted, fingerprint [0-9a-f]{12}$", "".join(data["text/plain"]))


@pytest.mark.usefixtures("one_ruler")
@pytest.mark.parametrize(
    ("name", "charts"), [("01_targets", 4), ("05_engagement", 4), ("07_claims", 2), ("08_sources", 3)]
)
def test_what_it_draws_does_not_depend_on_the_last_bits(monkeypatch, name, charts):
    assert len(drawn_twice(monkeypatch, name, borough="Kingston upon Thames", period="latest")) >= charts


NOT_HELD = [
    ("01_targets", "Tower Hamlets", {"mopac-7-other-years", "knife-crime"}),
    ("01_targets", "London", {"mopac-7-other-years", "knife-crime"}),
    ("02_trends", "Tower Hamlets", {"knife-outcomes", "assurance"}),
    ("07_claims", "Lambeth", {"claims-printed"}),  # one of its statements names knife crime
]


@pytest.mark.parametrize(("name", "area", "absent"), NOT_HELD)
def test_without_the_release_of_2010_or_knife_crime_it_says_what_is_not_held(monkeypatch, name, area, absent):
    """As for whom the two could not be fetched: a row that was not there ended the notebook, and the run."""
    held = cells.committed()
    tables = {table: entry for table, entry in held.manifest["tables"].items() if table != "knife_offences"}
    bare = replace(held, manifest=held.manifest | {"tables": tables})
    bare._frames["borough_offences"] = held.table("borough_offences").filter(pl.col("month") >= date(2020, 8, 1))
    monkeypatch.setattr(cells, "committed", lambda: bare)
    left = cells.run(name, borough=area, period="latest")
    assert {name for name, figure in left.figures.items() if figure.absent} == absent


# -- nbval has teeth ---------------------------------------------------------------------------------------------------


def nbval(notebook):
    """Run nbval on one notebook as `make test` does; its exit code and output."""
    options = ["--nbval", "-q", "-p", "no:cacheprovider", "--rootdir", notebook.parent, "-c", os.devnull]
    command = [sys.executable, "-m", "pytest", *options, notebook]
    done = subprocess.run(command, capture_output=True, text=True, cwd=notebook.parent, timeout=300)
    return done.returncode, done.stdout


def one_robbery_more(table):
    """A table of offences with one robbery more in Sutton in 2013, in every snapshot."""
    where = {"borough_code": "E09000029", "offence_group": "robbery", "month": date(2013, 5, 1)}
    row = pl.all_horizontal(pl.col(name) == value for name, value in where.items())
    assert table.filter(row).height
    return table.with_columns(pl.col("offences") + row.cast(pl.Int64))


def of_edition(folder):
    """A change of a notebook: it reads another edition."""

    def change(notebook):
        (cell,) = filter(is_parameters, notebook["cells"])
        cell["source"] = "".join(cell["source"]).replace('"data/edition"', json.dumps(str(folder)))

    return change


def one_digit(kind):
    """A change of one digit in the first committed output that has `kind`, before the fingerprint of what it plots."""

    def change(notebook):
        outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
        data = next(output["data"] for output in outputs if kind in output.get("data", {}))
        text = "".join(data[kind])
        at = max(match.start() for match in re.finditer(r"\d", text.partition("fingerprint")[0]))
        data[kind] = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]

    return change


@pytest.mark.slow
def test_nbval_turns_red_when_a_count_or_a_committed_digit_changes(tmp_path):
    edition = changed_edition(tmp_path / "edition", "borough_offences", one_robbery_more)
    cases = {
        "untouched": lambda notebook: None,
        # The notebook is of Tower Hamlets, its newest year.
        "count and manifest changed": of_edition(edition),
        "digit in a chart's text": one_digit("text/plain"),
        "digit in a table": one_digit("text/html"),
    }
    for name, change in cases.items():
        notebook = load(ROOT / "notebooks" / "01_targets.ipynb")
        change(notebook)
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(cases, pool.map(nbval, (tmp_path / f"{name}.ipynb" for name in cases)), strict=True))
    assert results["untouched"][0] == 0, results["untouched"][1][-2000:]
    for name, (exit_code, output) in results.items():
        assert exit_code == (name != "untouched"), f"{name}: nbval ended with {exit_code}\n{output[-2000:]}"
