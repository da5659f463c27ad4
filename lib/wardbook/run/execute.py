"""Executes notebooks that papermill gave parameters, all of a run in one kernel, and leaves copies that name neither machine nor moment."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.translators import PythonTranslator

from wardbook.folders import write_text
from wardbook.places import ROOT

INJECTED = "injected-parameters"  # the tag papermill gives the cell it puts behind the parameters
Progress = Callable[[str, int, int], None]  # notebook, the cell about to run, how many there are


class RunError(RuntimeError):
    """A run that was refused or did not finish; what was there before is as it was."""


class RunFailed(RunError):
    """A notebook that failed, in which cell and with which error; as it was executed, and where a copy of that is."""

    def __init__(self, notebook: str, cell: int, source: str, error: str, executed: nbformat.NotebookNode):
        self.executed, self.copy = executed, None
        line = next((line.strip() for line in source.splitlines() if line.strip()), "")
        where = f"in cell [{cell}] `{line}`" if cell else "before its first cell"
        super().__init__(f"{notebook} failed {where}: {error}")

    def __str__(self) -> str:
        left = f"; its executed copy is {self.copy}" if self.copy else ""
        return f"{super().__str__()}{left}; earlier results are as they were"


@contextmanager
def open_kernel(folder: Path) -> Iterator[NotebookClient]:
    """One kernel for the notebooks of a folder.

    Not papermill's engine, which starts a kernel a notebook and saves the copy twice a cell, a third of a run's own time.
    """
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        kernel_name="python3",
        coalesce_streams=True,  # how often a stream was flushed must not show
        raise_on_iopub_timeout=True,
        # A kernel logs to our terminal: that loopback is not encrypted, that it was stopped.
        extra_arguments=["--log-level=50"],
        # nbval and Lab start a kernel in the notebook's folder.
        resources={"metadata": {"path": str(folder)}},
    )
    with kernel_of_this_environment(), client.setup_kernel():
        yield client


def execute(
    kernel: NotebookClient, path: Path, parameters: dict[str, Any], progress: Progress | None = None
) -> nbformat.NotebookNode:
    """Run one notebook in a kernel of `open_kernel` with these parameters; it as it was executed.

    It finds an empty namespace, and the packages that one before it imported.

    Raises
    ------
    RunFailed
        naming the cell and the error.
    """
    notebook = nbformat.v4.upgrade(nbformat.read(path, as_version=4))
    if parameters:
        # A copy of an executed notebook has such a cell of its own, whose values are no longer asked for.
        cells = [cell for cell in notebook.cells if not _is_tagged(cell, INJECTED)]
        place = [_is_tagged(cell, "parameters") for cell in cells].index(True)
        cell = nbformat.v4.new_code_cell(_assigned(parameters), id=INJECTED, metadata={"tags": [INJECTED]})
        notebook.cells = [*cells[: place + 1], cell, *cells[place + 1 :]]
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    number, source = 0, ""
    try:
        _reset(kernel)
        kernel.nb = notebook
        for number, cell in enumerate(code, 1):
            source = cell.source
            if progress:
                progress(path.stem, number, len(code))
            kernel.execute_cell(cell, notebook.cells.index(cell))
    except Exception as error:  # a kernel that died or never answered has no one type
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, CellExecutionError):
            lines = [line.strip() for line in error.evalue.splitlines() if line.strip()]
            what = ": ".join([error.ename, *lines[-1:]])
        raise RunFailed(path.stem, number, source, what, notebook) from error
    return notebook


def _reset(kernel: NotebookClient) -> None:
    kernel.reset_execution_trackers()
    kernel.nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("get_ipython().reset()")])
    kernel.execute_cell(kernel.nb.cells[0], 0, store_history=False)


def _is_tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def _assigned(parameters: dict[str, Any]) -> str:
    return PythonTranslator.codify(parameters, "Parameters")


@contextmanager
def kernel_of_this_environment() -> Iterator[None]:
    """Have the kernel name `python3` mean this interpreter, whatever kernels the machine or its user has installed."""
    # Where ipykernel's wheel puts its kernel; searched first from here.
    own = str(Path(sys.prefix) / "share" / "jupyter")
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = os.pathsep.join([own, before] if before else [own])
    try:
        yield
    finally:
        del os.environ["JUPYTER_PATH"]
        if before is not None:
            os.environ["JUPYTER_PATH"] = before


# The executed copy ----------------------------------------------------------------------------------------------------


def save(notebook: nbformat.NotebookNode, path: Path, parameters: dict[str, Any], *, scrub: Path) -> None:
    """Write an executed notebook without anything that differs from run to run or names this machine."""
    clean(notebook)
    machine = machine_paths(scrub)
    for cell in notebook.cells:
        if cell.id == INJECTED:
            cell.source = _assigned(parameters)
        for holder, key in texts(cell):
            holder[key] = machine.sub(lambda path: "" if path[0][-1] in "/\\" else ".", holder[key])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, nbformat.writes(notebook) + "\n")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Leave the metadata that a reader's Jupyter needs: no clock and no version number."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def texts(cell: nbformat.NotebookNode) -> Iterator[tuple[Any, Any]]:
    """Each text among a cell's outputs, as the thing that holds it and its key there."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield output, "text"
        elif output.output_type == "error":
            yield output, "evalue"
            yield from ((output.traceback, number) for number in range(len(output.traceback)))
        else:
            # Not images: in base64 a path is a coincidence.
            kinds = [kind for kind in output.data if kind.startswith("text/") or kind.endswith("+xml")]
            yield from ((output.data, kind) for kind in kinds)


def machine_paths(*more: Path) -> re.Pattern[str]:
    """What a path of this machine looks like in a text: the project's, this Python's, the reader's home, a kernel's own."""
    folders = [Path(folder) for folder in (*more, ROOT, sys.prefix, sys.base_prefix, Path.home())]
    known = sorted({str(folder) for folder in folders if len(folder.parts) > 1}, key=len, reverse=True)
    kernel = re.escape(tempfile.gettempdir()) + r"[/\\]ipykernel_\d+[/\\]"
    return re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, known))})(?:[/\\]|(?![\w.-]))|{kernel}")
