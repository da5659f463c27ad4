"""The committed notebooks, refreshed in place, and a reader's copies of them, opened in JupyterLab."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat

from wardbook.folders import sha256, write_text
from wardbook.places import ROOT
from wardbook.run import runner
from wardbook.run.execute import Progress, clean, execute, kernel_of_this_environment, open_kernel

WORK = ROOT / "work"
FIRST = "00_your_own_analysis.ipynb"  # what JupyterLab opens on
_COPIED = ".copied.json"  # what `copy_notebooks` last put into work/, so that it can tell a reader's change from ours


def refresh_notebooks(folder: Path | None = None, *, progress: Progress | None = None) -> dict[str, bool]:
    """Run the committed notebooks in place with their own parameters and clean them; which of them changed.

    What is committed is what nbval compares with; that it names nothing of one machine (a warning does) a test looks after.

    Raises
    ------
    RunFailed
        for a notebook that failed; it is as it was.
    """
    changed, folder = {}, folder or runner.NOTEBOOKS
    with open_kernel(folder) as kernel:
        for path in sorted(folder.glob("[!.]*.ipynb")):
            notebook = execute(kernel, path, {}, progress)
            clean(notebook)
            text = nbformat.writes(notebook) + "\n"
            changed[path.stem] = text != path.read_text(encoding="utf-8")
            if changed[path.stem]:
                write_text(path, text)
    return changed


def copy_notebooks(folder: Path | None = None, work: Path | None = None) -> list[str]:
    """Copy the committed notebooks to `work/`, and return those there that a reader has changed: they are left alone.

    A copy that is still as it was made is brought up to date, and signed as `jupyter trust` does: Lab shows no other's charts
    before a run.
    """
    from nbformat.sign import NotebookNotary

    folder, work = folder or runner.NOTEBOOKS, work or WORK
    work.mkdir(exist_ok=True)
    log = work / _COPIED
    copied = json.loads(log.read_text(encoding="utf-8")) if log.is_file() else {}
    theirs, notary = [], NotebookNotary()
    for path in sorted(folder.glob("[!.]*.ipynb")):
        place = work / path.name
        if place.exists() and sha256(place) not in (copied.get(path.name), sha256(path)):
            theirs.append(path.name)
        else:
            shutil.copyfile(path, place)
            copied[path.name] = sha256(path)
            notary.sign(nbformat.read(place, as_version=4))
    notary.store.close()
    write_text(log, json.dumps(copied, indent=1) + "\n")
    return theirs


def lab(arguments: Iterable[str] = (), *, work: Path | None = None) -> int:
    """Start JupyterLab on `work/`, on this machine alone and with no request to any other; its exit code.

    Parameters
    ----------
    arguments : further arguments of `jupyter lab`, such as `--no-browser`.
    """
    work = work or WORK
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={work}",
        *([f"--LabApp.default_url=/lab/tree/{FIRST}"] if (work / FIRST).is_file() else []),
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        *arguments,
    ]
    with kernel_of_this_environment(), subprocess.Popen(command) as server:
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:  # Ctrl-C is Jupyter's: it asks, and a second one is the answer
                continue
            except BaseException:
                server.terminate()
                raise
