"""Runs notebooks: for one borough and period into a folder of results, in place to refresh what is committed, or in Lab.

A run is whole or is not there: it is made in a folder beside its place and moved in when every notebook has passed, so
what a reader finds under `outputs/` is the last run that worked. `run.json` says what each file was made from; it holds
no clock, commit or machine path, so the same inputs give the same bytes.
The page and the workbook are made from what the notebooks left: see `wardbook.run.page`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from papermill.translators import PythonTranslator
from polars.exceptions import PolarsError

from wardbook import facts
from wardbook.book import MONTHLY, Book, open_book
from wardbook.edition import Edition, from_root, sha256
from wardbook.folders import beside, put_in_place, write_text
from wardbook.measures import load
from wardbook.periods import Period
from wardbook.places import REFERENCE, ROOT, Area, UnknownName
from wardbook.register import read_claims
from wardbook.run.page import write_page
from wardbook.run.sliders import write_sliders
from wardbook.sources.reading import shorten

NOTEBOOKS = ROOT / "notebooks"
WORK = ROOT / "work"
FIRST = "00_your_own_analysis.ipynb"  # what JupyterLab opens on
RECORD = "run.json"

# Parameters with an option of their own, by that option; `--set` may not reach round it.
_OPTIONS = {"borough": "--borough", "period": "--period", "edition": "--edition", "output_dir": "--out"}
_COPIED = ".copied.json"  # what `copy_notebooks` last put into work/, so that it can tell a reader's change from ours

Progress = Callable[[str, int, int], None]  # notebook, the cell about to run, how many there are


class SettingError(ValueError):
    """A notebook's parameter set to something it cannot be."""


class RunError(RuntimeError):
    """A run that was refused or did not finish; what was there before is as it was."""


class RunFailed(RunError):
    """A notebook that failed: which, in which cell, with which error, and where its executed copy is."""

    def __init__(self, notebook: str, cell: int, source: str, error: str, copy: Path | None = None):
        self.notebook, self.cell, self.source, self.error, self.copy = notebook, cell, source, error, copy
        line = next((line.strip() for line in source.splitlines() if line.strip()), "")
        where = f"in cell [{cell}] `{line}`" if cell else "before its first cell"
        left = f"; its executed copy is {copy}" if copy else ""
        super().__init__(f"{notebook} failed {where}: {error}{left}; earlier results are as they were")


# What there is to run -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Notebook:
    """A notebook file as far as a runner needs to know it before a kernel does."""

    path: Path
    defaults: dict[str, Any]
    cells: int  # code cells that will run, before parameters are injected

    @property
    def name(self) -> str:
        return self.path.stem


def notebooks(folder: Path | None = None) -> list[str]:
    """The names of the notebooks a run runs, in order: `NN_name`.

    `_template` is a pattern, and `00_your_own_analysis` a reader's own: they are not among them.
    """
    names = sorted(path.stem for path in (folder or NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
    return [name for name in names if not name.startswith("00_")]


def _read(path: Path) -> _Notebook:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        tagged = ["".join(cell["source"]) for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
        defaults = _literals(tagged[0]) if tagged else {}
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise RunError(f"{path} is no notebook that can be run: {error}") from error
    return _Notebook(path, defaults, sum(bool(source.strip()) for source in code))


def _literals(source: str) -> dict[str, Any]:
    """The names a parameters cell gives a literal, with it.

    papermill's own inspection reads lines by a regular expression: a `#` inside a string, or a second `=`, misleads it.
    """
    values = {}
    for statement in ast.parse(source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and value is not None:
            with suppress(ValueError):  # a value that is computed is no parameter
                values[targets[0].id] = ast.literal_eval(value)
    return values


# Parameters -----------------------------------------------------------------------------------------------------------


def _settings(chosen: list[_Notebook], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For each notebook, those of the settings it has, as values of its parameters' types."""
    settable = sorted({name for notebook in chosen for name in notebook.defaults} - set(_OPTIONS))
    for name in settings:
        if name in _OPTIONS:
            raise SettingError(f"parameter {name!r} is given by {_OPTIONS[name]}, not by --set")
        if name not in settable:
            where = f"the parameters of {', '.join(notebook.name for notebook in chosen)}"
            raise UnknownName("parameter", name, settable, where)
    return {
        notebook.name: {
            name: _converted(name, value, notebook.defaults[name])
            for name, value in settings.items()
            if name in notebook.defaults
        }
        for notebook in chosen
    }


def _converted(name: str, value: Any, default: Any) -> Any:
    """A setting as a value of its default's type; text, as a command line gives it, is read as that type."""
    kind = type(default)
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if kind not in words:
        raise SettingError(f"parameter {name!r} cannot be set: its default {default!r} is neither text nor a number")
    if kind is float and type(value) is int:
        value = float(value)
    if kind is not str and isinstance(value, str):
        text = value.strip()
        try:
            if kind is bool:
                value = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
            else:
                value = kind(text)
        except (ValueError, KeyError):
            raise SettingError(f"parameter {name!r} takes {words[kind]}, not {text!r}") from None
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise SettingError(f"parameter {name!r} takes {words[kind]}, not {value!r}")
    if name.endswith("_file") and value and not _is_file(from_root(value)):
        raise SettingError(
            f"parameter {name!r}: no such file {shorten(str(from_root(value)))} (a relative path counts from the project's root)"
        )
    return _relative(value) if name.endswith("_file") and value else value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system allows
        return False


def _relative(path: Path | str) -> str:
    """A path counted from the project's root, as every notebook reads it: what is saved then names no machine."""
    try:
        return Path(os.path.relpath(from_root(path), ROOT)).as_posix()
    except ValueError:  # another drive, on Windows
        return str(path)


def _chosen(folder: Path, only: Iterable[str] | str | None) -> list[_Notebook]:
    names = notebooks(folder)
    if not names:
        raise RunError(f"{folder} holds no notebook to run (NN_name.ipynb)")
    wanted = [only] if isinstance(only, str) else list(only or names)
    for name in wanted:
        if name not in names:
            raise UnknownName("notebook", name, names, "`wardbook run` without --only runs them all")
    return [_read(folder / f"{name}.ipynb") for name in names if name in wanted]


# A run ----------------------------------------------------------------------------------------------------------------


def run(
    borough: str,
    period: str = "latest",
    *,
    only: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str = "outputs",
    edition: Path | str = "data/edition",
    progress: Progress | None = None,
    folder: Path | None = None,
    edition_from: Path | None = None,
) -> Path:
    """Run notebooks for a borough and period into `out/<borough>/<period>/`, with their summary, and return that folder.

    Everything is checked before anything runs, since papermill only warns of a parameter a notebook does not have and
    then runs its default. The first notebook to fail ends the run.

    Parameters
    ----------
    borough : one of the Met's 32, or "London".
    period : "latest" (the newest twelve months), a financial year such as "2023-24", or "year to 2025-11".
    only : the notebooks to run. The results of the others are kept, unless they rest on another edition, other tables in
        `data/reference` or another version of the package: a folder holds one of each, so that is refused.
    settings : further parameters by name; each goes to the notebooks that have it. Text is read as the type of the
        notebook's default. A parameter named `…_file` is a path, and the file must be there.
    out, edition : folders; a relative path counts from the project's root.
    progress : called with (notebook, cell, cells) before each cell.
    folder : where the notebooks are, if not in the project's own folder.
    edition_from : where the edition's files are, if they are a copy of `edition`: a run on another machine records what
        it was asked for.

    Raises
    ------
    wardbook.places.UnknownName
        for an unknown borough, period, notebook or parameter, naming the nearest.
    SettingError, wardbook.schemas.SchemaViolation
        for a parameter that cannot be what it was set to.
    wardbook.edition.EditionError
        for an edition that is not what its manifest says.
    RunFailed
        for a notebook that failed; its executed copy is under `out/<borough>/<period>.failed/`.
    RunError
        for a folder that a run may not replace or add to.
    """
    what = {"only": only, "settings": settings, "out": out, "edition": edition, "folder": folder}
    plan = plan_run(borough, period, **what, edition_from=edition_from)
    target, digests, redone = plan.target, plan.digests, {notebook.name for notebook in plan.chosen}
    _refuse_what_is_no_run(target)
    if only:
        _earlier(target, plan.basis, redone)

    target.parent.mkdir(parents=True, exist_ok=True)
    work = beside(target)
    try:
        done = {}
        for notebook in plan.chosen:
            moved = {"edition": str(edition_from)} if edition_from and "edition" in notebook.defaults else {}
            own = plan.parameters[notebook.name]
            done[notebook.name] = _run_one(notebook, own, work, target, progress, moved)
        kept = _earlier(target, plan.basis, redone, into=work) if only else {}
        entries = _gather(work, done, kept)
        for name, digest in digests.items():
            entries[name]["digest"] = digest
        record = {
            "area": plan.area.name,
            "area_code": plan.area.code,
            "period": str(plan.period),
            "period_words": plan.period.words,
            **plan.basis,
            "notebooks": kept | entries,
        }
        write_text(work / RECORD, json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
        try:
            write_page(work)
            write_sliders(work)
        except (ValueError, PolarsError) as error:
            raise RunError(
                f"no summary could be made of what the notebooks left ({error}), so nothing was kept"
            ) from error
        put_in_place(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _forget_failures(target, redone)
    return target


@dataclass(frozen=True)
class Plan:
    """A run that may start: everything checked, nothing written."""

    area: Area
    period: Period
    target: Path
    chosen: list[_Notebook] = field(repr=False)
    parameters: dict[str, dict[str, Any]]  # by notebook, those it is given; a path as it will be recorded
    basis: dict[str, Any] = field(repr=False)
    partly: bool = False  # some notebooks only; what the folder holds of the others is left

    @cached_property
    def digests(self) -> dict[str, str]:
        """By notebook, one hash over all that its results are made from: equal digests, equal results."""
        return {
            notebook.name: _hash_of(
                self.basis,
                _code(),
                _source(notebook.path),
                self.parameters[notebook.name],
                _files_read(self.parameters[notebook.name]),
            )
            for notebook in self.chosen
        }

    @property
    def is_done(self) -> bool:
        """Whether the folder holds this very run, whole: made from the same, and every file as it was made."""
        try:
            entries = json.loads((self.target / RECORD).read_text(encoding="utf-8"))["notebooks"]
            if self.partly:
                entries = {name: entries[name] for name in self.digests}
            return {name: entry["digest"] for name, entry in entries.items()} == self.digests and all(
                sha256(self.target / name) == digest
                for entry in entries.values()
                for name, digest in entry["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # not there, or not as a run leaves it
            return False


def plan_run(
    borough: str,
    period: str = "latest",
    *,
    only: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str = "outputs",
    edition: Path | str = "data/edition",
    folder: Path | None = None,
    edition_from: Path | None = None,
) -> Plan:
    """Check what `run` is given and say what it would do. Parameters and errors are those of `run`."""
    chosen = _chosen(folder or NOTEBOOKS, only)
    given = _settings(chosen, settings or {})
    book = _opened(borough, period, edition_from or edition, given)
    own = {"borough": book.area.name, "period": str(book.period), "edition": _relative(edition)}
    return Plan(
        area=book.area,
        period=book.period,
        target=from_root(out) / book.area.slug / book.period.slug,
        chosen=chosen,
        parameters={
            notebook.name: {name: value for name, value in own.items() if name in notebook.defaults}
            | given[notebook.name]
            for notebook in chosen
        },
        basis=_basis(book.edition),
        partly=bool(only),
    )


@cache
def _code() -> str:
    """One hash over what computes: the package, the files it reads beside the edition, and the packages under it.

    Once a process: what a process imported stays what it was.
    """
    package = Path(__file__).parents[1]
    files = sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files += [ROOT / "data" / name for name in ("catalogue.toml", "dictionary.csv")]
    under = {name: version(name) for name in (re.match(r"[\w.-]+", entry)[0] for entry in requires("wardbook") or [])}
    return _hash_of([[path.relative_to(ROOT).as_posix(), sha256(path)] for path in files], under, sys.version_info[:2])


def _source(path: Path) -> str:
    """One hash over a notebook without its outputs: a refreshed notebook is the same notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return _hash_of([{k: v for k, v in cell.items() if k not in ("outputs", "execution_count")} for cell in cells])


def _files_read(parameters: dict[str, Any]) -> dict[str, str]:
    return {value: sha256(from_root(value)) for name, value in parameters.items() if name.endswith("_file") and value}


def _hash_of(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _opened(borough: str, period: str, edition: Path | str, given: dict[str, dict[str, Any]]) -> Book:
    """Open the edition as each notebook will, so that what a notebook would refuse is refused before any has run."""
    for claims_file in {values["claims_file"] for values in given.values() if values.get("claims_file")}:
        read_claims(str(claims_file))
    for scenario_file in {values["scenario_file"] for values in given.values() if values.get("scenario_file")}:
        facts.scenario(str(scenario_file), facts.load_assumptions())
    for values in given.values():
        load.check_settings(**{name: value for name, value in values.items() if name in load.SETTINGS})
    book = open_book(borough, period, edition=str(edition))
    for targets_file in {values["targets_file"] for values in given.values() if values.get("targets_file")}:
        held = {
            name: book.table(name)[MONTHLY[name][0]].unique().to_list()
            for name in MONTHLY
            if name in book.edition.tables
        }
        facts.own_targets(book.path(str(targets_file)), held)
    return book


def _basis(edition: Edition) -> dict[str, Any]:
    """What every result in one folder rests on: the edition, its inputs, the hand-kept tables, the package."""
    return {
        "edition": edition.id,
        "inputs": {entry["file"]: entry["sha256"] for entry in edition.manifest["inputs"]},
        "reference": {path.name: sha256(path) for path in sorted(REFERENCE.glob("*.csv"))},
        "wardbook": version("wardbook"),
    }


@dataclass
class _Done:
    """A notebook that has run: what it was given, and the folder it wrote its charts and tables into."""

    parameters: dict[str, Any]
    files_read: dict[str, str]
    part: Path
    executed: Path = field(repr=False)


def _run_one(
    notebook: _Notebook,
    parameters: dict[str, Any],
    work: Path,
    target: Path,
    progress: Progress | None,
    moved: dict[str, Any],
) -> _Done:
    # A folder to itself is how the runner knows which files the notebook made.
    part = work / ".parts" / notebook.name
    part.mkdir(parents=True)
    executed = work / "notebooks" / f"{notebook.name}.ipynb"
    executed.parent.mkdir(exist_ok=True)
    shown = dict(parameters)
    parameters = parameters | moved
    if "output_dir" in notebook.defaults:
        parameters = parameters | {"output_dir": str(part)}
        shown["output_dir"] = ""  # so that running the saved copy again writes over nothing
    read = _files_read(shown)
    try:
        _execute(notebook, executed, parameters, progress)
    except RunFailed as error:
        copy = _failed(target) / "notebooks" / executed.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        _tidy(executed, shown, scrub=part)
        executed.replace(copy)
        raise RunFailed(error.notebook, error.cell, error.source, error.error, copy) from error.__cause__
    _tidy(executed, shown, scrub=part)
    return _Done(notebook.defaults | shown, read, part, executed)


def _execute(
    notebook: _Notebook,
    executed: Path,
    parameters: dict[str, Any],
    progress: Progress | None,
) -> None:
    """Run one notebook by papermill, its executed copy saved whatever happens."""
    cells = notebook.cells + bool(parameters)
    at, source = 0, ""

    def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal at, source
        at, source = at + 1, cell.source
        if progress:
            progress(notebook.name, at, cells)

    try:
        with _kernel_of_this_environment():
            made = papermill.execute_notebook(
                _unformatted(notebook.path),
                _unformatted(executed),
                parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                on_cell_execute=begin,
                coalesce_streams=True,  # how often a stream was flushed must not show
                # A kernel logs to our terminal: that loopback is not encrypted, that it was stopped.
                extra_arguments=["--log-level=50"],
                # nbval and Lab start a kernel in the notebook's folder. Not papermill's `cwd`: that moves this process.
                resources={"metadata": {"path": str(notebook.path.parent)}},
            )
    except PapermillExecutionError as error:
        last = next((line for line in reversed(error.evalue.splitlines()) if line.strip()), "")
        message = f"{error.ename}: {last.strip()}" if last else error.ename
        raise RunFailed(notebook.name, error.exec_count or at, error.source, message) from error
    except Exception as error:  # a kernel that died or never answered; papermill gives these no one type
        raise RunFailed(notebook.name, at, source, f"{type(error).__name__}: {error}") from error
    # papermill takes a SystemExit for a good end, whatever came after it.
    if at < cells or any(
        cell.cell_type == "code" and cell.source.strip() and not cell.execution_count for cell in made.cells
    ):
        raise RunFailed(notebook.name, at, source, "the notebook ended here, before its last cell")


def _unformatted(path: Path) -> str:
    """A path as papermill takes it: it fills in `{name}` from the parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def _kernel_of_this_environment() -> Iterator[None]:
    """Have the kernel name `python3` mean this interpreter, whatever kernels the machine or its user has installed."""
    before = os.environ.get("JUPYTER_PATH")
    own = str(
        Path(sys.prefix) / "share" / "jupyter"
    )  # ipykernel's wheel puts its kernel there; searched first from here
    os.environ["JUPYTER_PATH"] = os.pathsep.join([own, before] if before else [own])
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("JUPYTER_PATH", None)
        else:
            os.environ["JUPYTER_PATH"] = before


# What a run leaves ----------------------------------------------------------------------------------------------------


def _tidy(path: Path, parameters: dict[str, Any], *, scrub: Path) -> None:
    """Rewrite an executed notebook without anything that differs from run to run or names this machine."""
    notebook = nbformat.read(path, as_version=4)
    _clean(notebook)
    machine = _machine_paths(scrub)
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"  # papermill's is random
            cell.source = PythonTranslator.codify(parameters, "Parameters")
        for holder, key in _texts(cell):
            holder[key] = machine.sub(lambda found: "" if found[0][-1] in "/\\" else ".", holder[key])
    write_text(path, nbformat.writes(notebook) + "\n")


def _clean(notebook: nbformat.NotebookNode) -> None:
    """Leave the metadata that a reader's Jupyter needs: no clock, no version number, no trace of papermill."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if "papermill-error-cell-tag" in cell.metadata.get("tags", []):
            cell.id = f"error-{number}"


def _texts(cell: nbformat.NotebookNode) -> Iterator[tuple[Any, Any]]:
    """Each text among a cell's outputs, as the thing that holds it and its key there."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield output, "text"
        elif output.output_type == "error":
            yield output, "evalue"
            yield from ((output.traceback, number) for number in range(len(output.traceback)))
        else:
            # Not images: in base64 a path is a coincidence.
            yield from (
                (output.data, kind) for kind in output.data if kind.startswith("text/") or kind.endswith("+xml")
            )


def _machine_paths(*more: Path) -> re.Pattern[str]:
    """What a path of this machine looks like in a text: the project's, this Python's, the reader's home, a kernel's own."""
    folders = [Path(folder) for folder in (*more, ROOT, sys.prefix, sys.base_prefix, Path.home())]
    known = sorted({str(folder) for folder in folders if len(folder.parts) > 1}, key=len, reverse=True)
    kernel = re.escape(tempfile.gettempdir()) + r"[/\\]ipykernel_\d+[/\\]"
    return re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, known))})(?:[/\\]|(?![\w.-]))|{kernel}")


def _gather(work: Path, done: dict[str, _Done], kept: dict[str, dict]) -> dict[str, dict]:
    """Move what the notebooks made into the run's folders; each notebook's entry in `run.json`."""
    for name in ("charts", "tables"):
        (work / name).mkdir(exist_ok=True)
    maker = {path: name for name, entry in kept.items() for path in entry["files"]}
    entries = {}
    for name, notebook in done.items():
        files = {f"notebooks/{name}.ipynb": sha256(notebook.executed)}
        for path in sorted(notebook.part.rglob("*")):
            relative = path.relative_to(notebook.part).as_posix()
            if not path.is_file() or any(part.startswith(".") for part in relative.split("/")):
                continue
            if relative in maker:
                raise RunError(
                    f"{maker[relative]} and {name} both make {relative}: one would be lost, so nothing was kept"
                )
            maker[relative] = name
            files[relative] = sha256(path)
            (work / relative).parent.mkdir(parents=True, exist_ok=True)
            path.rename(work / relative)
        entries[name] = {"parameters": notebook.parameters, "files": files}
        if notebook.files_read:
            entries[name]["files_read"] = notebook.files_read
    shutil.rmtree(work / ".parts")
    return entries


def _refuse_what_is_no_run(target: Path) -> None:
    if target.exists() and not (target / RECORD).is_file() and not (target.is_dir() and not any(target.iterdir())):
        raise RunError(f"{target} is there and is no run (no {RECORD}): move it, or name another --out")


def _earlier(target: Path, basis: dict, redone: set[str], into: Path | None = None) -> dict[str, dict]:
    """The entries of `run.json` for the notebooks that are not redone, their files copied to `into` if that is given.

    Raises
    ------
    RunError
        if they rest on something else than `basis`, or a file is no longer the one the run made: one `run.json` could not
        say so truly of both.
    """
    again = "run all notebooks again (without --only), or name another --out"
    if not (target / RECORD).is_file():
        return {}
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
        others = {name: entry for name, entry in record["notebooks"].items() if name not in redone}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise RunError(f"{target / RECORD} cannot be read ({error}): {again}") from error
    if not others:
        return {}
    what = {
        "edition": f"edition {record.get('edition')}, and this is edition {basis['edition']}",
        "wardbook": f"wardbook {record.get('wardbook')}, and this is {basis['wardbook']}",
    }
    for key, value in basis.items():
        if record.get(key) != value:
            rests = what.get(key, f"other {'tables in data/reference' if key == 'reference' else key}")
            raise RunError(f"{target} holds results of {', '.join(others)} from {rests}: {again}")
    for entry in others.values():
        for name, digest in entry["files"].items():
            place = target / name
            if into and place.is_file():
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                place = Path(shutil.copyfile(place, into / name))
            if not place.is_file() or sha256(place) != digest:
                raise RunError(f"{target / name} is no longer what the run made: {again}")
    return others


def _failed(target: Path) -> Path:
    return target.with_name(f"{target.name}.failed")


def _forget_failures(target: Path, names: set[str]) -> None:
    """Remove the executed copies of earlier failures of notebooks that have now passed."""
    folder = _failed(target) / "notebooks"
    for name in names:
        (folder / f"{name}.ipynb").unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or never there
        folder.rmdir()
        _failed(target).rmdir()


# The committed notebooks, and a reader's copies of them -----------------------------------------------------------------


def refresh_notebooks(folder: Path | None = None, *, progress: Progress | None = None) -> dict[str, bool]:
    """Run the committed notebooks in place with their own parameters and clean them; which of them changed.

    What is committed is what nbval compares with, so it holds results and nothing that differs between two machines.

    Raises
    ------
    RunFailed
        for a notebook that failed; it is as it was.
    RunError
        for an output that shows a path of this machine (a warning does), naming the cell.
    """
    changed = {}
    for path in sorted((folder or NOTEBOOKS).glob("[!.]*.ipynb")):
        with tempfile.TemporaryDirectory(prefix="wardbook-") as scratch:
            executed = Path(scratch) / path.name
            _execute(_read(path), executed, {}, progress)
            notebook = nbformat.read(executed, as_version=4)
        _clean(notebook)
        _refuse_machine_paths(path.stem, notebook)
        text = nbformat.writes(notebook) + "\n"
        changed[path.stem] = text != path.read_text(encoding="utf-8")
        if changed[path.stem]:
            write_text(path, text)
    return changed


def _refuse_machine_paths(name: str, notebook: nbformat.NotebookNode) -> None:
    machine = _machine_paths()
    for cell in notebook.cells:
        for holder, key in [(cell, "source"), *_texts(cell)]:
            if found := machine.search(holder[key]):
                line = next(line for line in holder[key].splitlines() if found[0] in line)
                raise RunError(
                    f"{name}, cell [{cell.get('execution_count') or 'text'}] shows a path of this machine "
                    f"({line.strip()[:160]}); the committed notebook is as it was"
                )


def copy_notebooks(folder: Path | None = None, work: Path | None = None) -> list[str]:
    """Copy the committed notebooks to `work/`, and return those there that a reader has changed: they are left alone.

    A copy that is still as it was made is brought up to date.
    """
    folder, work = folder or NOTEBOOKS, work or WORK
    work.mkdir(exist_ok=True)
    log = work / _COPIED
    copied = json.loads(log.read_text(encoding="utf-8")) if log.is_file() else {}
    theirs = []
    for path in sorted(folder.glob("[!.]*.ipynb")):
        place = work / path.name
        if place.exists() and sha256(place) not in (copied.get(path.name), sha256(path)):
            theirs.append(path.name)
        else:
            shutil.copyfile(path, place)
            copied[path.name] = sha256(path)
    write_text(log, json.dumps(copied, indent=1) + "\n")
    return theirs


def _trust_copies(work: Path) -> None:
    """Sign the copies that are still as committed, as `jupyter trust` does: Lab shows the charts of no other before a run."""
    from nbformat.sign import NotebookNotary

    log = work / _COPIED
    copied = json.loads(log.read_text(encoding="utf-8")) if log.is_file() else {}
    notary = NotebookNotary()
    for name, digest in copied.items():
        if (work / name).is_file() and sha256(work / name) == digest:
            notary.sign(nbformat.read(work / name, as_version=4))
    notary.store.close()


def lab(arguments: Iterable[str] = (), *, work: Path | None = None) -> int:
    """Start JupyterLab on `work/`, on this machine alone and with no request to any other; its exit code.

    Parameters
    ----------
    arguments : further arguments of `jupyter lab`, such as `--no-browser`.
    """
    _trust_copies(work or WORK)
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={work or WORK}",
        *([f"--LabApp.default_url=/lab/tree/{FIRST}"] if ((work or WORK) / FIRST).is_file() else []),
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        *arguments,
    ]
    with _kernel_of_this_environment(), subprocess.Popen(command) as server:
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:  # Ctrl-C is Jupyter's: it asks, and a second one is the answer
                continue
            except BaseException:
                server.terminate()
                raise
