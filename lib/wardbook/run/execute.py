"""Executes notebooks by papermill, all of a run in one kernel, and leaves copies that name neither machine nor moment."""

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
import papermill
from nbclient import NotebookClient
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
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


class _KernelThatRuns(Engine):
    """papermill's own engine starts a kernel a notebook; this one takes the kernel there is."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        kernel: NotebookClient,
        on_start: Callable,
        on_cell_execute: Callable,
        **_: Any,
    ) -> None:
        on_start(nb_man.nb)
        # How often a stream was flushed must not show.
        client = PapermillNotebookClient(nb_man, kernel.km, on_cell_execute=on_cell_execute, coalesce_streams=True)
        client.kc = kernel.kc
        client.execute()


_ENGINE = "the kernel that runs"
papermill_engines.register(_ENGINE, _KernelThatRuns)


_QUIET = "import logging; logging.getLogger('tornado.general').setLevel(50)"


@contextmanager
def open_kernel(folder: Path) -> Iterator[NotebookClient]:
    """One kernel for the notebooks of a folder."""
    reset = nbformat.v4.new_code_cell("get_ipython().reset()")
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=[reset]),
        kernel_name="python3",
        # A kernel logs to our terminal: that loopback is not encrypted, that it was stopped, what a full disk did to a message.
        extra_arguments=["--log-level=50", f"--IPKernelApp.exec_lines={_QUIET}"],
        # nbval and Lab start a kernel in the notebook's folder. Not papermill's `cwd`: that moves this process.
        resources={"metadata": {"path": str(folder)}},
    )
    with kernel_of_this_environment(), client.setup_kernel():
        yield client


def execute(
    kernel: NotebookClient, path: Path, parameters: dict[str, Any], progress: Progress | None = None
) -> nbformat.NotebookNode:
    """Run one notebook by papermill in a kernel of `open_kernel` with these parameters; it as it was executed.

    It finds an empty namespace, and the packages that one before it imported.

    Raises
    ------
    RunFailed
        naming the cell and the error.
    """
    at, source, executed = 0, "", nbformat.read(path, as_version=4)
    cells = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in executed.cells) + bool(parameters)

    def start(notebook: nbformat.NotebookNode) -> None:
        nonlocal executed
        executed = notebook

    def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal at, source
        at, source = at + 1, cell.source
        if progress:
            progress(path.stem, at, cells)

    try:
        kernel.execute_cell(kernel.nb.cells[0], 0, store_history=False)
        papermill.execute_notebook(
            str(path).replace("{", "{{").replace("}", "}}"),  # it fills in `{name}` from the parameters
            None,  # saved twice a cell, the copy would take a third of a run's own time
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            on_start=start,
            on_cell_execute=begin,
            engine_name=_ENGINE,
            kernel=kernel,
        )
    except PapermillExecutionError as error:
        lines = [line.strip() for line in error.evalue.splitlines() if line.strip()]
        what = ": ".join([error.ename, *lines[-1:]])
        raise RunFailed(path.stem, error.exec_count or at, error.source, what, executed) from error
    except Exception as error:  # a kernel that died or never answered; papermill gives these no one type
        raise RunFailed(path.stem, at, source, f"{type(error).__name__}: {error}", executed) from error
    # papermill takes a SystemExit for a good end, whatever came after it.
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    if not all(cell.execution_count for cell in code):
        raise RunFailed(path.stem, at, source, "the notebook ended here, before its last cell", executed)
    return executed


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
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED  # papermill's is random
            cell.source = PythonTranslator.codify(parameters, "Parameters")
        for holder, key in texts(cell):
            holder[key] = machine.sub(lambda path: "" if path[0][-1] in "/\\" else ".", holder[key])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, nbformat.writes(notebook) + "\n")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Leave the metadata that a reader's Jupyter needs: no clock, no version number, no trace of papermill."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if "papermill-error-cell-tag" in cell.metadata.get("tags", []):
            cell.id = f"error-{number}"


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
