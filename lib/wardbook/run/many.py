"""Runs the notebooks for every borough on Dask: a cluster of this machine's own processors, or the one at a scheduler's address.

Each borough's run is `runner.run`, whole or not there, so a batch that was stopped is finished by the same command: what is
whole and made from the same inputs, code and notebooks is left alone, and the rest is run. A run that fails is a row of the
table at the end and costs no other run; one whose worker died is given to another worker.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardbook import places
from wardbook.edition import EditionError, from_root, open_edition
from wardbook.folders import beside, put_in_place, sweep
from wardbook.run import runner
from wardbook.run.runner import Plan, RunError, RunFailed, SettingError

if TYPE_CHECKING:
    from distributed import Client

TRIES = 3  # for a run whose worker died: it may have been somebody else's fault


@dataclass(frozen=True)
class Task:
    """One borough's run, as a worker is told of it."""

    area: str
    period: str
    only: tuple[str, ...] | None
    settings: dict[str, Any]
    edition: str
    folder: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of one borough's run: `state` is "done", "unchanged" (left alone) or "failed"."""

    area: str
    state: str
    folder: Path
    notebook: str = ""  # which one failed, and why
    why: str = ""


def run_all(
    period: str = "latest",
    *,
    only: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str = "outputs",
    edition: Path | str = "data/edition",
    folder: Path | None = None,
    areas: Iterable[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    told: Callable[[Outcome, int], None] | None = None,
) -> list[Outcome]:
    """Run the notebooks for the Met's 32 boroughs and London; one outcome an area.

    Parameters
    ----------
    period, only, settings, out, edition, folder : as for `runner.run`; they are checked before anything runs.
    areas : the boroughs to run, if not all.
    workers : processes of this machine; by default one a processor.
    scheduler : the address of a Dask scheduler, which is sent the runs instead. Its workers have this project installed.
    told : called with each outcome and the number of areas, as it comes.

    Raises
    ------
    What `runner.run` raises for what it is given, before anything runs; a run that fails later is an outcome.
    """
    if scheduler and only:
        raise SettingError("a cluster is sent whole runs, not some of the notebooks: leave out --only or --scheduler")
    names = list(areas) if areas is not None else [places.LONDON, *places.boroughs()["borough"].sort()]
    what = {"only": tuple(only) if only else None, "settings": dict(settings or {})}
    what |= {"edition": str(edition), "folder": str(folder) if folder else None}
    outcomes, tasks, plans = {}, [], {}

    def tell(outcome: Outcome) -> None:
        outcomes[outcome.area] = outcome
        if told:
            told(outcome, len(names))

    for name in names:
        plan = runner.plan_run(name, period, **{**what, "folder": folder}, out=out)
        plans[plan.area.name] = plan
        if plan.is_done:
            sweep(plan.target)  # as a run does beside which it works
            tell(Outcome(plan.area.name, "unchanged", plan.target))
        else:
            tasks.append(Task(plan.area.name, str(plan.period), **what))
    if tasks:
        with _client(scheduler, min(workers or _processors(), len(tasks))) as client:
            for outcome in _sent(client, tasks, plans, from_root(out) if scheduler is None else None):
                tell(outcome)
    return [outcomes[name] for name in plans]


def _processors() -> int:
    """The processors this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the scheduler at this address, or of a cluster that lives as long as this."""
    import dask
    from distributed import Client, LocalCluster

    if scheduler:
        with Client(scheduler, set_as_default=False) as client:
            yield client
        return
    # One run a process: a kernel is started by the thread that uses it, and polars has threads of its own.
    # A run whose worker died is tried on others so many times; the kernel is a child, which a daemon may not have.
    quiet = {"distributed.scheduler.allowed-failures": TRIES - 1, "distributed.worker.daemon": False}
    alone = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with (
        dask.config.set(quiet),
        LocalCluster(**alone, host="127.0.0.1") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _sent(client: Client, tasks: list[Task], plans: Mapping[str, Plan], out: Path | None) -> Iterator[Outcome]:
    """Each task's outcome, as it comes; a task whose worker died is given to another by the scheduler.

    With `out` the workers share this machine's disk and work there; without, what they leave is sent back.
    """
    from distributed import as_completed

    run, same = _attempt, (out, None)
    if out is None:
        # A worker may read the edition's files where it has the same ones; else it is sent them, once. They go as a task's
        # result and not by `scatter`: what was scattered to a worker that dies is lost, and every run that needs it with it.
        parcel = client.submit(bytes, _pack(from_root(tasks[0].edition)), pure=False)
        run, same = _run_there, (runner._code(), plans[tasks[0].area].basis["edition"], parcel)
    sent = {client.submit(run, task, *same, pure=False, retries=TRIES - 1): task for task in tasks}
    try:
        for future in as_completed(sent, loop=client.loop):
            task = sent[future]
            plan = plans[task.area]
            if future.status == "finished":
                outcome, packed = future.result() if out is None else (future.result(), b"")
                yield _received(replace(outcome, folder=plan.target), packed, set(plan.digests))
            else:
                error = future.exception()
                yield Outcome(task.area, "failed", plan.target, "", f"{type(error).__name__}: {error}")
            future.release()
    finally:
        client.cancel(list(sent))


def _run_there(task: Task, code: str, edition_id: str, edition: bytes) -> tuple[Outcome, bytes]:
    """Run one task on a worker, in a folder of its own, and return what the run left as an archive."""
    if runner._code() != code:
        why = "this worker has another version of the project, its packages or its Python than the machine that asks"
        return Outcome(task.area, "failed", Path(), "", why), b""
    with tempfile.TemporaryDirectory(prefix="wardbook-") as scratch:
        there: Path | None = None
        try:
            mounted = open_edition(task.edition).id == edition_id
        except EditionError:
            mounted = False
        if not mounted:
            there = Path(scratch) / "edition"
            _unpack(edition, there)
        out = Path(scratch) / "out"
        outcome = _attempt(task, out, there)
        left = outcome.folder if outcome.state == "done" else runner._failed(outcome.folder)
        packed = _pack(left) if left.is_dir() else b""
        return replace(outcome, why=outcome.why.replace(f"{out}{os.sep}", "")), packed


def _attempt(task: Task, out: Path, edition_from: Path | None) -> Outcome:
    """Run one task; what goes wrong is an outcome, in words."""
    folder = Path(task.folder) if task.folder else None
    what = {"only": task.only, "settings": task.settings, "edition": task.edition, "folder": folder}
    target = runner.plan_run(task.area, task.period, **what, out=out, edition_from=edition_from).target
    try:
        done = runner.run(task.area, task.period, **what, out=out, edition_from=edition_from)
        return Outcome(task.area, "done", done)
    except RunFailed as error:
        return Outcome(task.area, "failed", target, error.notebook, str(error))
    except (RunError, EditionError, ValueError, OSError) as error:
        return Outcome(task.area, "failed", target, "", str(error))
    except Exception as error:  # a fault of this program: the other boroughs' runs may still be right
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        return Outcome(task.area, "failed", target, "", why)


def _received(outcome: Outcome, packed: bytes, notebooks: set[str]) -> Outcome:
    """Put in its place what a run left with its worker."""
    target = outcome.folder if outcome.state == "done" else runner._failed(outcome.folder)
    if not packed:
        return outcome
    try:
        if outcome.state == "done":
            runner._refuse_what_is_no_run(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        work = beside(target)
        try:
            _unpack(packed, work)
            put_in_place(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if outcome.state == "done":
            runner._forget_failures(target, notebooks)
    except (RunError, OSError) as error:
        return replace(outcome, state="failed", why=str(error))
    return outcome


def _pack(folder: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return held.getvalue()


def _unpack(packed: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for member in archive.infolist():
            archive.extract(member, folder)  # which never writes outside the folder
