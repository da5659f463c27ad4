"""The runner: what it refuses, what a run leaves and says of itself, and what a failure does not touch."""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import nbformat
import pytest

from conftest import changed_edition
from wardbook import edition, folders
from wardbook.places import ROOT
from wardbook.run import committed, execute, runner

PARAMETERS = """\
borough: str = "Tower Hamlets"  # a name
period: str = "latest"
edition: str = "data/edition"
output_dir: str = ""
"""
# What a notebook does, without the second that importing the library takes.
SAVES = """\
from pathlib import Path
for path, text in FILES.items():
    if output_dir:
        (Path(output_dir) / path).parent.mkdir(parents=True, exist_ok=True)
        (Path(output_dir) / path).write_text(f"{borough},{period},{text}\\n")
"""


def write_notebook(folder: Path, name: str, *cells: str, parameters: str = PARAMETERS) -> Path:
    """A notebook with a parameters cell and these code cells, as it would be committed."""
    sources = [parameters, *cells]
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    made.metadata["language_info"] = {"name": "python"}
    made.cells[0].metadata["tags"] = ["parameters"]
    made.cells.insert(0, nbformat.v4.new_markdown_cell("# A question?", id="title"))
    folder.mkdir(exist_ok=True)
    nbformat.write(made, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def saves(**files: str) -> str:
    """A cell that saves texts under names: `charts_a="1"` is charts/a.csv."""
    return f"FILES = { {name.replace('_', '/', 1) + '.csv': text for name, text in files.items()} }\n{SAVES}"


def two_notebooks(folder: Path) -> Path:
    """A folder of two notebooks: the one has a parameter more, each saves a chart's file and a table."""
    write_notebook(folder, "01_first", saves(charts_a="1", tables_a="1"), parameters=f"{PARAMETERS}times: int = 1\n")
    write_notebook(folder, "02_second", saves(charts_b="1", tables_b="1"))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hidden(folder: Path) -> list[str]:
    """What a run must not leave behind."""
    return [path.name for path in folder.rglob(".*")]


@pytest.fixture
def folder(tmp_path) -> Path:
    """The two notebooks, and a template that is not run."""
    folder = two_notebooks(tmp_path / "notebooks")
    write_notebook(folder, "_template", "1 / 0")
    return folder


@pytest.fixture
def start(tmp_path, folder):
    """Run into tmp_path/out with these notebooks."""

    def start(borough="Tower Hamlets", period="2023-24", **more):
        return runner.run(borough, period, out=tmp_path / "out", folder=folder, **more)

    return start


# Refused before anything runs -----------------------------------------------------------------------------------------


def test_what_is_no_notebook_is_named_and_a_folder_that_is_no_run_is_not_replaced(start, folder, tmp_path):
    mine = tmp_path / "out" / "tower-hamlets" / "2023-24" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(runner.RunError, match="is there and is no run"):
        start()
    assert mine.read_text() == "years of work"
    (folder / "03_broken.ipynb").write_text("{")
    with pytest.raises(runner.RunError, match=r"03_broken\.ipynb is no notebook that can be run"):
        start()
    with pytest.raises(runner.RunError, match="holds no notebook to run"):
        runner.run("Lewisham", folder=tmp_path / "none")


# What a run leaves ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory) -> list[Path]:
    """The same run twice, into two places, with everything in it that could name the machine or the moment."""
    base = tmp_path_factory.mktemp("runs")
    says = (
        "import sys, warnings\nfrom pathlib import Path\n"
        f"root = {str(ROOT)[::-1]!r}[::-1]\nprint('root', root, root + '/data')\nprint(output_dir)\n"
        "print(sys.executable, Path.home() / 'x')\n"
        "print('one', flush=True)\nprint('two', file=sys.stderr, flush=True)\nprint('three', flush=True)\n"
        "warnings.warn('careful')"
    )
    own = base / "own.csv"
    own.write_text("a,b\n")
    extra = 'times: int = 2\nown_file: str = ""\n'
    folder = base / "a {folder}"  # papermill formats the paths it is given
    write_notebook(folder, "01_first", says, saves(charts_a="1", tables_a="1"), "times", parameters=PARAMETERS + extra)
    write_notebook(folder, "02_second", "x = 1", parameters="other = 1")
    settings = {"times": "5", "own_file": str(own)}
    given = {"settings": settings, "folder": folder}
    return [runner.run("tower hamlets", "2023/24", out=base / place, **given) for place in ("a", "b")]


def test_the_same_run_twice_is_the_same_bytes_where_its_borough_and_period_say(two_runs):
    (run, other) = two_runs
    assert tree(run.parents[1]) == tree(other.parents[1])
    assert run.parts[-2:] == ("tower-hamlets", "2023-24")
    names = ["charts/a.csv", "notebooks/01_first.ipynb", "notebooks/02_second.ipynb"]
    assert sorted(tree(run)) == [*names, "run.json", "summary.html", "tables/a.csv"]
    assert (run / "tables" / "a.csv").read_text() == "Tower Hamlets,2023-24,1\n"
    assert hidden(run.parents[1]) == []


def test_nothing_a_run_leaves_names_the_machine(two_runs):
    machine = [str(ROOT), str(two_runs[0].parents[2]), sys.prefix, f"{tempfile.gettempdir()}{os.sep}ipykernel"]
    machine += [str(Path.home() / "x")]
    for name, content in tree(two_runs[0]).items():
        for path in machine:
            # A path given on the command line is kept, as it counts from the project's root.
            assert not re.search(rf"(?<!\.\.){re.escape(path)}", content.decode()), f"{name} holds {path}"
    (printed, *_) = nbformat.read(two_runs[0] / "notebooks" / "01_first.ipynb", as_version=4).cells[3].outputs
    python = Path(sys.executable).relative_to(sys.prefix)
    assert printed.text == f"root . data\n.\n{python} x\none\nthree\n"


def test_run_json_says_what_each_file_was_made_from(two_runs):
    (run, _) = two_runs
    record = json.loads((run / "run.json").read_text())
    committed = edition.open_edition()
    assert (record["area"], record["area_code"], record["period"]) == ("Tower Hamlets", "E09000030", "2023-24")
    assert record["edition"] == committed.id
    assert record["inputs"] == {entry["file"]: entry["sha256"] for entry in committed.manifest["inputs"]}
    assert record["reference"]["targets.csv"] == edition.sha256(ROOT / "data" / "reference" / "targets.csv")
    first, second = record["notebooks"]["01_first"], record["notebooks"]["02_second"]
    own = first["parameters"].pop("own_file")
    assert not Path(own).is_absolute()
    assert first["files_read"] == {own: edition.sha256(ROOT / own)}
    given = {"borough": "Tower Hamlets", "period": "2023-24", "edition": "data/edition", "output_dir": "", "times": 5}
    assert first["parameters"] == given
    assert (second["parameters"], "files_read" in second) == ({"other": 1}, False)
    left = {name: hashlib.sha256(content).hexdigest() for name, content in tree(run).items()}
    of_all = {name: left[name] for name in ("run.json", "summary.html")}
    assert left == first["files"] | second["files"] | of_all


# Running some of the notebooks into an earlier run --------------------------------------------------------------------


def test_only_replaces_what_its_notebook_makes_and_keeps_the_rest(start, folder):
    run = start()
    before = tree(run)
    write_notebook(folder, "01_first", saves(charts_new="2", tables_a="2"))
    assert start(only=["01_first"]) == run
    after = tree(run)
    assert set(before) ^ set(after) == {"charts/a.csv", "charts/new.csv"}
    assert after["tables/a.csv"].endswith(b",2\n")
    same = ["charts/b.csv", "notebooks/02_second.ipynb"]
    assert [after[name] for name in same] == [before[name] for name in same]
    records = [json.loads(files["run.json"])["notebooks"] for files in (before, after)]
    assert records[0]["02_second"] == records[1]["02_second"]
    assert sorted(records[1]["01_first"]["files"]) == ["charts/new.csv", "notebooks/01_first.ipynb", "tables/a.csv"]


@pytest.fixture
def earlier(tmp_path, folder) -> Path:
    """The folder of a run of 02_second as it would be, made without a kernel."""
    target = tmp_path / "out" / "tower-hamlets" / "2023-24"
    (target / "charts").mkdir(parents=True)
    (target / "charts" / "b.csv").write_text("b\n")
    entry = {"parameters": {}, "files": {"charts/b.csv": hashlib.sha256(b"b\n").hexdigest()}}
    record = runner._basis(edition.open_edition()) | {"notebooks": {"02_second": entry}}
    (target / "run.json").write_text(json.dumps(record))
    return target


@pytest.mark.parametrize(
    ("meanwhile", "file", "old", "new", "says"),
    [
        (False, "run.json", '"edition": "', '"edition": "abc', "results of 02_second that rest on another edition"),
        (False, "run.json", '"notebooks"', '"was"', "run.json cannot be read"),
        (False, "charts/b.csv", "b", "better", r"charts/b\.csv is no longer what the run made"),
        (True, "charts/b.csv", "b", "better", r"charts/b\.csv is no longer what the run made"),
        (True, "run.json", '"parameters": {}', '"parameters": {"times": 2}', "another run has ended in .* meanwhile"),
    ],
)
def test_results_that_rest_on_something_else_or_were_edited_are_neither_mixed_nor_lost(
    start, earlier, monkeypatch, meanwhile, file, old, new, says
):
    there = {}

    def change(*_):
        if not there:
            (earlier / file).write_text((earlier / file).read_text().replace(old, new))
            there.update(tree(earlier))

    if not meanwhile:
        change()
        monkeypatch.setattr(runner, "open_kernel", lambda *_: pytest.fail("a kernel was started"))
    with pytest.raises(runner.RunError, match=f"{says}.*(run all notebooks again|run this one again)"):
        start(only=["01_first"], progress=change)
    assert tree(earlier) == there
    assert hidden(earlier.parent) == []


@pytest.mark.parametrize(
    ("cell", "says"),
    [  # before a table is read, and between two notebooks
        (4, r"01_first failed in cell \[4\] .*EditionError: .*stops\.parquet .* built again after it was opened"),
        (5, "was built again meanwhile, so nothing was kept: run this one again"),
    ],
)
def test_an_edition_built_again_under_a_run_is_never_mixed_with_the_one_it_began_with(
    start, folder, tmp_path, cell, says
):
    ours = changed_edition(tmp_path / "edition", "stops", lambda table: table)
    other = changed_edition(tmp_path / "other", "stops", lambda table: table.tail(-1))
    reads = "from wardbook.book import open_book\nbook = open_book(edition=edition)\n"
    write_notebook(folder, "01_first", reads, "book.table('stops').height")
    write_notebook(folder, "02_second", f"{reads}book.table('stops').height")
    cells = itertools.count(1)

    def build_again(*_):
        if next(cells) == cell:
            folders.put_in_place(other, ours)

    with pytest.raises(runner.RunError, match=says):
        start(edition=ours, progress=build_again)
    assert not (tmp_path / "out" / "tower-hamlets" / "2023-24").exists()


def test_two_notebooks_cannot_make_the_same_file(start, earlier, folder):
    write_notebook(folder, "01_first", saves(charts_b="2"))
    with pytest.raises(runner.RunError, match=r"01_first and another notebook both make charts/b\.csv"):
        start(only=["01_first"])
    assert (earlier / "charts" / "b.csv").read_text() == "b\n"


# A run that does not finish -------------------------------------------------------------------------------------------


def test_a_failing_notebook_says_where_leaves_its_copy_and_touches_nothing(start, earlier, folder, tmp_path):
    before = tree(earlier)
    good = folder / "01_first.ipynb"
    kept = good.read_bytes()
    fails = "\n# why\nraise ValueError(f'first line\\nlast line of {output_dir}')"
    write_notebook(folder, "01_first", saves(charts_a="2"), fails, "print('never')")
    ran = []
    with pytest.raises(runner.RunFailed) as caught:
        start(progress=lambda notebook, *_: ran.append(notebook))
    copy = earlier.with_name("2023-24.failed") / "notebooks" / "01_first.ipynb"
    message = str(caught.value)
    assert message.startswith("01_first failed in cell [4] `# why`: ValueError: last line of ")
    assert message.endswith(f"; its executed copy is {copy}; earlier results are as they were")
    assert ran == ["01_first"] * 4, "told before each cell; the first failure ends the run"
    assert tree(earlier) == before
    assert hidden(tmp_path / "out") == []
    text = copy.read_text()
    assert "last line of ." in text, "the path of a folder that is gone helps nobody"
    assert not [part for part in (str(tmp_path), str(ROOT), '"papermill":') if part in text]

    good.write_bytes(kept)
    start(only=["01_first"])
    assert not copy.parents[1].exists()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os\nos._exit(1)", "`import os`: DeadKernelError"),
        ("import sys\nsys.exit()", "`import sys`: the notebook ended here, before its last cell"),
    ],
)
def test_an_end_that_papermill_does_not_call_an_error(start, folder, source, says):
    write_notebook(folder, "01_first", source, "print('never')")
    with pytest.raises(runner.RunFailed, match=rf"failed in cell \[3\] {says}") as caught:
        start(only=["01_first"])
    assert caught.value.copy.is_file()


def test_folders_put_in_one_place_at_once_stay_whole(tmp_path):
    target = tmp_path / "run"

    def put(name: str) -> None:
        for number in range(60):
            with folders.beside(target) as work:
                for part in "ab":
                    (work / part).write_text(f"{name}{number}")
                folders.put_in_place(work, target)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(put, "xyz"))
    left = tree(tmp_path)
    assert set(left) == {"run/a", "run/b"} and len(set(left.values())) == 1


def test_what_cannot_be_replaced_is_put_back(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(FileNotFoundError):
        folders.put_in_place(tmp_path / "nothing", target)
    assert tree(tmp_path) == {"run/a": b"old"}


# The kernel -----------------------------------------------------------------------------------------------------------


def test_a_kernel_is_this_interpreter_whatever_the_machine_calls_python3(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    wrong = {"argv": ["/no/such/python", "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(wrong))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    asks = "import sys, os\nprint(sys.executable)\nprint(os.getcwd())"
    path = write_notebook(tmp_path / "notebooks", "01_first", asks)
    with execute.open_kernel(path.parent) as kernel:
        (output,) = execute.execute(kernel, path, {}).cells[-1].outputs
    assert output.text.splitlines() == [sys.executable, str(path.parent)]


def test_values_that_an_executed_copy_was_given_are_given_up(tmp_path):
    """Planted: the cell of an earlier run left behind the one of this."""
    path = write_notebook(tmp_path / "notebooks", "01_first", "borough = 'Barnet'", "borough")
    copy = nbformat.read(path, as_version=4)
    copy.cells[2].metadata["tags"] = [execute.INJECTED]
    nbformat.write(copy, path)
    with execute.open_kernel(path.parent) as kernel:
        cells = execute.execute(kernel, path, {"borough": "Sutton"}).cells
    assert [cell.source for cell in cells[2:]] == ['# Parameters\nborough = "Sutton"\n', "borough"]
    assert cells[-1].outputs[0].data["text/plain"] == "'Sutton'"


def test_a_notebook_finds_nothing_of_the_one_before_it_but_what_was_imported(tmp_path):
    """Seen to fail without the reset."""
    first = write_notebook(tmp_path / "notebooks", "01_first", "import polars\nleft = 1\nleft")
    asks = "import sys\n('left' in dir(), 'polars' in dir(), 'polars' in sys.modules)"
    second = write_notebook(tmp_path / "notebooks", "02_second", asks)
    with execute.open_kernel(tmp_path / "notebooks") as kernel:
        execute.execute(kernel, first, {})
        cell = execute.execute(kernel, second, {}).cells[-1]
    assert cell.execution_count == 2
    assert cell.outputs[0].data["text/plain"] == "(False, False, True)"


# The committed notebooks ----------------------------------------------------------------------------------------------


def test_refreshing_runs_and_cleans_in_place_and_then_changes_nothing(tmp_path):
    folder = tmp_path / "notebooks"
    path = write_notebook(folder, "_template", "borough", "print(period)")
    tidy, loose = (nbformat.read(path, as_version=4) for _ in range(2))
    loose.metadata["papermill"] = {"start_time": "now"}
    loose.metadata["language_info"]["version"] = "3.0"
    loose.cells[2].metadata["execution"] = {"iopub.execute_input": "now"}
    loose.cells[2].execution_count = 41
    nbformat.write(loose, path)

    assert committed.refresh_notebooks(folder) == {"_template": True}
    text = path.read_text()
    made = nbformat.read(path, as_version=4)
    outputs = [cell.pop("outputs") for cell in made.cells[1:]]
    assert [cell.pop("execution_count") for cell in made.cells[1:]] == [1, 2, 3]
    for cell in tidy.cells[1:]:
        del cell["outputs"], cell["execution_count"]
    assert made == tidy
    assert (outputs[1][0].data["text/plain"], outputs[2][0].text) == ("'Tower Hamlets'", "latest\n")
    assert committed.refresh_notebooks(folder) == {"_template": False}
    assert path.read_text() == text
    assert [path.name for path in folder.iterdir()] == ["_template.ipynb"]


# A reader's copies ----------------------------------------------------------------------------------------------------


def test_copies_are_brought_up_to_date_unless_a_reader_changed_them(tmp_path):
    folder, work = tmp_path / "notebooks", tmp_path / "work"
    work.mkdir()

    def write(there: Path, words: str, *names: str) -> None:
        for name in names:
            write_notebook(there, name, repr(words))

    write(folder, "committed", "a", "b", "c", "_template")
    write(work, "mine", "c")  # which nobody remembers making
    assert committed.copy_notebooks(folder, work) == ["c.ipynb"]
    assert sorted(tree(work)) == [".copied.json", "_template.ipynb", "a.ipynb", "b.ipynb", "c.ipynb"]
    write(work, "mine", "a", "own")
    write(folder, "committed later", "a", "b")
    before = tree(work)
    for _ in range(2):
        assert committed.copy_notebooks(folder, work) == ["a.ipynb", "c.ipynb"]
        after = tree(work)
        assert after["b.ipynb"] == (folder / "b.ipynb").read_bytes()
        assert {name for name in before if after[name] != before[name]} == {"b.ipynb", ".copied.json"}


def test_lab_opens_the_first_notebook_on_this_machine_alone_and_leaves_ctrl_c_to_jupyter(tmp_path, monkeypatch):
    """Planted: `--ServerApp.ip=0.0.0.0`."""
    (tmp_path / committed.FIRST).write_text("{}")
    server = mock.MagicMock()
    server.__enter__.return_value.wait.side_effect = [KeyboardInterrupt, KeyboardInterrupt, SystemExit]
    started = mock.Mock(return_value=server)
    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(SystemExit):
        committed.lab(work=tmp_path)
    (command,) = started.call_args.args
    assert {"--ServerApp.ip=127.0.0.1", "--LabApp.default_url=/lab/tree/00_your_own_analysis.ipynb"} <= set(command)
    server.__enter__.return_value.terminate.assert_called_once_with()
