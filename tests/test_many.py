"""All boroughs in one command: what it runs, what it leaves alone, and what stopping it at any point does not lose."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from test_cli import folder as folder  # the same two notebooks
from test_runner import tree, two_notebooks, write_notebook
from wardbook import folders
from wardbook.run import many, runner, site

AREAS = ["Camden", "Lewisham", "London"]


@pytest.fixture
def start(tmp_path):
    """Run some areas into tmp_path/out with the notebooks of tmp_path/notebooks; the outcomes by area."""
    two_notebooks(tmp_path / "notebooks")

    def start(period="2023-24", areas=AREAS, **more):
        more = {"workers": 2, "out": tmp_path / "out", "folder": tmp_path / "notebooks"} | more
        return {outcome.area: outcome for outcome in many.run_all(period, areas=areas, **more)}

    return start


@pytest.fixture
def in_process(monkeypatch):
    """Runs one after the other in this process: what is decided does not depend on who runs it."""
    monkeypatch.setattr(many, "_client", lambda *_: contextlib.nullcontext())

    def sent(client, plans, what):
        for plan in plans:
            yield many._attempt(plan.area.name, str(plan.period), what, plan.digests)

    monkeypatch.setattr(many, "_sent", sent)


def states(outcomes) -> dict[str, str]:
    return {area: outcome.state for area, outcome in outcomes.items()}


@pytest.fixture(scope="module")
def camden(tmp_path_factory) -> Path:
    """One run of Camden, and beside it the notebooks it was made with."""
    folder = tmp_path_factory.mktemp("camden")
    two_notebooks(folder / "notebooks")
    runner.run("Camden", "2023-24", out=folder / "out", folder=folder / "notebooks")
    return folder


@pytest.mark.parametrize(
    "change", ["nothing", "outputs", "one alone", "notebook", "setting", "code", "file", "missing", "period"]
)
def test_what_its_results_are_made_from_decides(camden, tmp_path, monkeypatch, change):
    shutil.copytree(camden, tmp_path / "copy")
    run, notebook = (tmp_path / "copy" / place for place in ("out/camden/2023-24", "notebooks/02_second.ipynb"))
    more = {"setting": {"settings": {"times": "2"}}, "one alone": {"only": ["01_first"]}}.get(change, {})
    if change == "notebook":
        write_notebook(notebook.parent, "02_second", "print('other')")
    elif change == "code":
        monkeypatch.setattr(runner, "_code", lambda: "other")
    elif change == "file":
        (run / "tables" / "a.csv").write_text("edited")
    elif change == "missing":
        (run / "tables" / "a.csv").unlink()
    elif change == "outputs":  # a committed notebook that was run again is the same notebook
        made = json.loads(notebook.read_text())
        printed = {"output_type": "stream", "name": "stdout", "text": "x"}
        made["cells"][1] |= {"execution_count": 9, "outputs": [printed]}
        notebook.write_text(json.dumps(made))
    period = "2024-25" if change == "period" else "2023/24"
    plan = runner.plan_run("camden", period, out=tmp_path / "copy/out", folder=notebook.parent, **more)
    assert plan.is_done == (change in ("nothing", "outputs", "one alone"))


def test_a_worker_that_dies_is_replaced_and_its_run_tried_again(start, tmp_path):
    once = tmp_path / "once"
    kills = (
        f"import os, pathlib, signal\nonce = pathlib.Path({str(once)!r})\n"
        "if borough == 'Lewisham' and not once.exists():\n    once.touch()\n    os.kill(os.getppid(), signal.SIGKILL)\n"
        "if borough == 'Camden':\n    os.kill(os.getppid(), signal.SIGKILL)\n"
    )
    write_notebook(tmp_path / "notebooks", "02_second", kills)
    found = start(workers=1)  # every run waits behind the one that kills its worker
    assert states(found) == dict.fromkeys(AREAS, "done") | {"Camden": "failed"}
    assert "KilledWorker" in found["Camden"].why


def test_workers_that_cannot_be_started_are_said_in_words(start, tmp_path, monkeypatch):
    """Seen on a full disk, as a traceback: Dask keeps a worker's files in a temporary folder."""
    import distributed

    monkeypatch.setattr(distributed, "LocalCluster", mock.Mock(side_effect=RuntimeError("Nanny failed to start.")))
    with pytest.raises(many.RunError, match=r"no worker could be started \(Nanny failed to start.\): is there room on"):
        start()
    assert list((tmp_path / "out").rglob("run.json")) == []
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == set()


HOLDS = """\
import sys
from pathlib import Path
from wardbook.folders import beside
with beside(Path(sys.argv[1])) as work:
    (work / "half").write_text("made")
    print(work, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_run_left_is_swept_by_the_next_and_a_living_one_keeps_its_own(tmp_path):
    target = tmp_path / "2023-24"
    command = [sys.executable, "-c", HOLDS, target]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    killed, living = (Path(one.stdout.readline().strip()) for one in running)
    running[0].kill()
    running[0].communicate()
    others = [tmp_path / name for name in (".2023-24.ab", ".2023-24.notes.txt", f".other.{'a' * 12}")]
    elsewhere = tmp_path / f".2023-24.{'a' * 12}.{'0' * 8}"  # another machine's, or from before a restart
    for path in (elsewhere, *others):
        path.mkdir()
    for path in (living, *others):  # a run may take more than a day
        os.utime(path, (1, 1))
    assert killed.is_dir()
    with folders.beside(target) as work:
        assert set(tmp_path.iterdir()) == {living, elsewhere, work, *others}
    os.utime(elsewhere, (1, 1))
    running[1].communicate("")
    folders.sweep(target)
    assert set(tmp_path.iterdir()) == set(others)


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_says_what_failed_and_why_and_the_others_are_done(
    in_process, wardbook, folder, tmp_path, monkeypatch
):
    two = many.places.boroughs().head(2)
    monkeypatch.setattr(many.places, "boroughs", lambda: two)
    write_notebook(folder, "02_second", "assert borough != 'Barnet', 'too far north'")
    words = ["run", "--all", "--out", "out", "--period", "2023-24"]
    told = wardbook(*words)
    assert told.exit_code == 1
    assert told.stdout.startswith("Barnet: 02_second failed in cell [3] `assert borough")
    assert "AssertionError: too far north" in told.stdout
    assert (tmp_path / "out" / "barnet" / "2023-24.failed" / "notebooks" / "02_second.ipynb").is_file()
    assert told.stdout.splitlines()[-2:] == ["2 run, 0 unchanged and left alone, 1 failed", "out"]
    assert sorted(line[:6] for line in told.stderr.splitlines()) == ["1 of 3", "2 of 3", "3 of 3"]
    assert "Barnet: failed" in told.stderr
    write_notebook(folder, "02_second", "print(1)")
    # Two boroughs are not the 32 that the site's ward counts are of; test_site makes one.
    monkeypatch.setattr(site, "write_site", lambda out, **_: Path(out) / "site" / "index.html")
    assert wardbook(*words).exit_code == 0
    last = ["0 run, 3 unchanged and left alone, 0 failed", "out/site/index.html", "out"]
    assert wardbook(*words).stdout.splitlines() == last


# Past one machine -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same_bytes(start, tmp_path):
    from distributed import LocalCluster

    start(out=tmp_path / "here", areas=AREAS[:2])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        found = start(scheduler=cluster.scheduler_address, areas=AREAS[:2])
    assert states(found) == dict.fromkeys(AREAS[:2], "done")
    assert tree(tmp_path / "out") == tree(tmp_path / "here")
    assert states(start(areas=AREAS[:2])) == dict.fromkeys(AREAS[:2], "unchanged")


def test_a_worker_with_other_code_is_refused(start, tmp_path, monkeypatch):
    what = {"out": tmp_path / "out", "folder": tmp_path / "notebooks"}
    digests = runner.plan_run("Camden", "2023-24", **what).digests
    monkeypatch.setattr(runner, "_code", lambda: "other")
    outcome = many._attempt("Camden", "2023-24", what, digests)
    assert outcome.state == "failed"
    assert "this worker has another version of the project" in outcome.why
    assert not (tmp_path / "out").exists()
