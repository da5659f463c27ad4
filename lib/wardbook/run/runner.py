"""Runs notebooks for one borough and period into a folder of results.

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
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import msgspec
from nbclient import NotebookClient
from polars.exceptions import PolarsError

from wardbook import facts
from wardbook.book import MONTHLY, Book, open_book
from wardbook.claim import offences
from wardbook.edition import Edition, open_edition
from wardbook.folders import beside, is_other, put_in_place, sha256, write_text
from wardbook.measures import load
from wardbook.periods import Period
from wardbook.places import REFERENCE, ROOT, Area, UnknownName, from_root
from wardbook.register import read_claims
from wardbook.run.execute import Progress, RunError, RunFailed, execute, open_kernel, save
from wardbook.run.page import write_page
from wardbook.run.sliders import write_sliders
from wardbook.sources.reading import shorten

NOTEBOOKS = ROOT / "notebooks"
RECORD = "run.json"

# Parameters with an option of their own, by that option; `--set` may not reach round it.
_OPTIONS = {"borough": "--borough", "period": "--period", "edition": "--edition", "output_dir": "--out"}


class SettingError(ValueError):
    """A notebook's parameter set to something it cannot be."""


# What there is to run, and its parameters -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Notebook:
    """A notebook file, and the literals of its parameters cell."""

    path: Path
    defaults: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem


def notebooks(folder: Path | None = None) -> list[str]:
    """The names of the notebooks a run runs, in order: `NN_name`.

    `_template` is a pattern, and `00_your_own_analysis` a reader's own: they are not among them.
    """
    names = sorted(path.stem for path in (folder or NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
    return [name for name in names if not name.startswith("00_")]


def _chosen(folder: Path, only: Iterable[str] | None) -> list[_Notebook]:
    names = notebooks(folder)
    if not names:
        raise RunError(f"{folder} holds no notebook to run (NN_name.ipynb)")
    asked = list(only or names)
    for name in asked:
        if name not in names:
            raise UnknownName("notebook", name, names, "`wardbook run` without --only runs them all")
    return [_read(folder / f"{name}.ipynb") for name in names if name in asked]


def _read(path: Path) -> _Notebook:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = ["".join(cell["source"]) for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
        return _Notebook(path, _literals(tagged[0]) if tagged else {})
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise RunError(f"{path} is no notebook that can be run: {error}") from error


def _literals(source: str) -> dict[str, Any]:
    """The names a parameters cell gives a literal, with it.

    papermill's own inspection reads lines by a regular expression: a `#` inside a string, or a second `=`, misleads it.
    """
    values = {}
    for statement in ast.parse(source).body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                with suppress(ValueError):  # a value that is computed is no parameter
                    values[name] = ast.literal_eval(value)
    return values


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


# What a parameter takes, by the type of its default.
_TAKES = {bool: "true or false", int: "a whole number", float: "a number", str: "printable text"}


def _converted(name: str, value: Any, default: Any) -> Any:
    """A setting read as a value of its default's type."""
    try:
        converted = msgspec.convert(str(value), type(default), strict=False)
        allowed = math.isfinite(converted) if isinstance(converted, float) else str(converted).isprintable()
    except (msgspec.ValidationError, UnicodeEncodeError):
        allowed = False
    if not allowed:
        raise SettingError(f"parameter {name!r} takes {_TAKES.get(type(default), 'no other value')}, not {value!r}")
    if name.endswith("_file") and converted:
        path = from_root(converted)
        if not os.path.isfile(path):  # noqa: PTH113 - which a name too long for the file system does not upset
            where = "a relative path counts from the project's root"
            raise SettingError(f"parameter {name!r}: no such file {shorten(str(path))} ({where})")
        return _relative(path)
    return converted


def _relative(path: Path | str) -> str:
    """A path counted from the project's root, as every notebook reads it: what is saved then names no machine."""
    try:
        return Path(os.path.relpath(from_root(path), ROOT)).as_posix()
    except ValueError:  # another drive, on Windows
        return str(path)


def _opened(borough: str, period: str, edition: Path | str, given: dict[str, dict[str, Any]]) -> Book:
    """Open the edition and a reader's own files as the notebooks will, so that they are refused before any has run."""
    values = {name: value for own in given.values() for name, value in own.items()}
    if values.get("scenario_file"):
        facts.scenario(values["scenario_file"], facts.load_assumptions())
    load.check_settings(**{name: value for name, value in values.items() if name in load.SETTINGS})
    book = open_book(borough, period, edition=str(edition))
    if values.get("claims_file"):
        known = offences(book)
        read_claims(values["claims_file"], known)
    if values.get("targets_file"):
        held = {name: column for name, (column, _) in MONTHLY.items() if name in book.edition.tables}
        items = {name: book.table(name)[column].unique().to_list() for name, column in held.items()}
        facts.own_targets(values["targets_file"], items)
    return book


# A run that may start -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """A run that may start: everything checked, nothing written."""

    area: Area
    period: Period
    target: Path
    edition: Path
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
) -> Plan:
    """Check what `run` is given and say what it would do. Parameters and errors are those of `run`."""
    chosen = _chosen(folder or NOTEBOOKS, only)
    given = _settings(chosen, settings or {})
    book = _opened(borough, period, edition, given)
    own = {"borough": book.area.name, "period": str(book.period), "edition": _relative(edition)}
    return Plan(
        area=book.area,
        period=book.period,
        target=from_root(out) / book.area.slug / book.period.slug,
        edition=book.edition.path,
        chosen=chosen,
        parameters={
            notebook.name: {name: value for name, value in own.items() if name in notebook.defaults}
            | given[notebook.name]
            for notebook in chosen
        },
        basis=_basis(book.edition),
        partly=bool(only),
    )


def _basis(edition: Edition) -> dict[str, Any]:
    """What every result in one folder rests on: the edition, its inputs, the hand-kept tables, the package."""
    return {
        "edition": edition.id,
        "inputs": {entry["file"]: entry["sha256"] for entry in edition.manifest["inputs"]},
        "reference": {path.name: sha256(path) for path in sorted(REFERENCE.glob("*.csv"))},
        "wardbook": version("wardbook"),
    }


def made_from(edition: Edition) -> str:
    """One hash over all that a result rests on but a notebook: edition, hand-kept tables, code, packages."""
    return _hash_of(_basis(edition), _code())


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


# A run ----------------------------------------------------------------------------------------------------------------


def run(borough: str, period: str = "latest", *, progress: Progress | None = None, **what: Any) -> Path:
    """Run notebooks for a borough and period into `out/<borough>/<period>/`, with their summary, and return that folder.

    Everything is checked before anything runs, since papermill only warns of a parameter a notebook does not have and
    then runs its default. The first notebook to fail ends the run.

    Parameters
    ----------
    borough : one of the Met's 32, or "London".
    period : "latest" (the newest twelve months), a financial year such as "2023-24", or "year to 2025-11".
    progress : called with (notebook, cell, cells) before each cell.
    only : the notebooks to run. The results of the others are kept, unless they rest on another edition, other tables in
        `data/reference` or another version of the package: a folder holds one of each, so that is refused.
    settings : further parameters by name; each goes to the notebooks that have it. Text is read as the type of the
        notebook's default. A parameter named `…_file` is a path, and the file must be there.
    out, edition : folders; a relative path counts from the project's root.
    folder : where the notebooks are, if not in the project's own folder.

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
    plan = plan_run(borough, period, **what)
    return carry_out(plan, progress)


def carry_out(plan: Plan, progress: Progress | None = None) -> Path:
    """Do what `plan_run` planned; see `run`."""
    target = plan.target
    if is_other(target, RECORD):
        raise RunError(f"{target} is there and is no run (no {RECORD}): move it, or name another --out")
    target.parent.mkdir(parents=True, exist_ok=True)
    with beside(target) as work:
        kept = _earlier(plan, into=work) if plan.partly else {}
        with open_kernel(plan.chosen[0].path.parent) as kernel:
            entries, held = {}, _files_in(work)
            for notebook in plan.chosen:
                entries[notebook.name] = _run_one(plan, notebook, kernel, work, held, progress)
                held |= entries[notebook.name]["files"]
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
                f"no summary could be made of what the notebooks left ({error}): nothing was kept"
            ) from error
        if plan.partly and _earlier(plan) != kept:
            raise RunError(f"another run has ended in {target} meanwhile, so nothing was kept: run this one again")
        if open_edition(plan.edition).id != plan.basis["edition"]:
            raise RunError(f"{plan.edition} was built again meanwhile, so nothing was kept: run this one again")
        put_in_place(work, target)
    shutil.rmtree(_failed(target), ignore_errors=True)
    return target


def _run_one(
    plan: Plan, notebook: _Notebook, kernel: NotebookClient, work: Path, held: dict[str, str], progress: Progress | None
) -> dict[str, Any]:
    """Run a notebook into the run's folder, whose files so far are `held`; its entry in `run.json`."""
    given = plan.parameters[notebook.name]
    shown = dict(given)
    if "output_dir" in notebook.defaults:
        given = given | {"output_dir": str(work)}
        shown["output_dir"] = ""  # so that running the saved copy again writes over nothing
    try:
        executed = execute(kernel, notebook.path, given, progress)
    except RunFailed as error:
        error.copy = _failed(plan.target) / "notebooks" / notebook.path.name
        save(error.executed, error.copy, shown, scrub=work)
        raise
    save(executed, work / "notebooks" / notebook.path.name, shown, scrub=work)
    made = {name: digest for name, digest in _files_in(work).items() if held.get(name) != digest}
    if lost := sorted(held.keys() & made.keys()):
        raise RunError(
            f"{notebook.name} and another notebook both make {lost[0]}: one would be lost, so nothing was kept"
        )
    entry = {"parameters": notebook.defaults | shown, "digest": plan.digests[notebook.name]}
    if files := _files_read(shown):
        entry["files_read"] = files
    return entry | {"files": made}


def _files_in(folder: Path) -> dict[str, str]:
    """Each file below a folder that is not hidden, with its SHA-256."""
    paths = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in paths}


def _earlier(plan: Plan, into: Path | None = None) -> dict[str, dict]:
    """The entries of `run.json` for the notebooks that are not redone, their files copied to `into` if that is given.

    Raises
    ------
    RunError
        if they rest on something else than this run, or a file is no longer the one the run made: one `run.json` could not
        say so truly of both.
    """
    target, again = plan.target, "run all notebooks again (without --only), or name another --out"
    if not (target / RECORD).is_file():
        return {}
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
        others = {name: entry for name, entry in record["notebooks"].items() if name not in plan.digests}
        other = [key for key, value in plan.basis.items() if others and record.get(key) != value]
        files = {name: digest for entry in others.values() for name, digest in entry["files"].items()}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise RunError(f"{target / RECORD} cannot be read ({error}): {again}") from error
    if other:
        raise RunError(
            f"{target} holds results of {', '.join(others)} that rest on another {' and '.join(other)}: {again}"
        )
    for name, digest in files.items():
        place = target / name
        if into and place.is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            place = Path(shutil.copyfile(place, into / name))
        if not place.is_file() or sha256(place) != digest:
            raise RunError(f"{target / name} is no longer what the run made: {again}")
    return others


def _failed(target: Path) -> Path:
    return target.with_name(f"{target.name}.failed")
