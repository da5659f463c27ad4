"""Runs the notebooks for every borough: in processes of this machine, or on a Dask cluster.

Each borough's run is `runner.run`, whole or not there, so a batch that was stopped is finished by the same command: what is
whole and made from the same inputs, code and notebooks is left alone, and the rest is run. A run that fails, or whose
process dies, is a row of the table at the end and costs no other run.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
import traceback
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection
from pathlib import Path
from typing import Any

from wardbook import places
from wardbook.edition import EditionError, from_root
from wardbook.folders import beside, put_in_place, sweep
from wardbook.run import runner
from wardbook.run.runner import Plan, RunError, RunFailed, SettingError
from wardbook.summary import write_index
from wardbook.web import copy_member, silent

ENGINES = {"warm": "wardbook-warm", "fresh": None}
TRIES = 3  # for a run whose process died: it may have been somebody else's fault


@dataclass(frozen=True)
class Task:
    """One borough's run, as a worker is told of it."""

    area: str
    period: str
    only: tuple[str, ...] | None
    settings: dict[str, Any]
    out: str
    edition: str
    folder: str | None
    engine: str | None

    @property
    def target(self) -> Path:
        """Where the run is to stand when it is done."""
        return from_root(self.out) / places.area(self.area).slug / self.period


@dataclass(frozen=True)
class Outcome:
    """What became of one borough's run: `state` is "done", "unchanged" (left alone) or "failed"."""

    area: str
    state: str
    folder: Path
    notebook: str = ""  # which one failed, and why
    why: str = ""
    seconds: float = 0.0
    spent: dict[str, float] | None = None  # of the warm engine, in the process so far


def engine_named(name: str) -> str | None:
    """The papermill engine that "warm" or "fresh" stands for."""
    if name not in ENGINES:
        raise places.UnknownName("engine", name, list(ENGINES), "`wardbook run --help`")
    return ENGINES[name]


def run_all(
    period: str = "latest",
    *,
    only: Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    out: Path | str = "outputs",
    edition: Path | str = "data/edition",
    folder: Path | None = None,
    areas: Iterable[str] | None = None,
    engine: str = "warm",
    workers: int | None = None,
    scheduler: str | None = None,
    told: Callable[[Outcome, int], None] | None = None,
) -> list[Outcome]:
    """Run the notebooks for the Met's 32 boroughs and London, and write the index over them; one outcome an area.

    Parameters
    ----------
    period, only, settings, out, edition, folder : as for `runner.run`; they are checked before anything runs.
    areas : the boroughs to run, if not all.
    engine : "warm" keeps one kernel a worker, "fresh" starts one a notebook; the outputs are equal.
    workers : processes of this machine; by default one a processor.
    scheduler : the address of a Dask scheduler, which is then sent the runs instead.
    told : called with each outcome and the number of areas, as it comes.

    Raises
    ------
    What `runner.run` raises for what it is given, before anything runs; a run that fails later is an outcome.
    """
    own_engine = engine_named(engine)
    if scheduler and only:
        raise SettingError("a cluster is sent whole runs, not some of the notebooks: leave out --only or --scheduler")
    names = list(areas) if areas is not None else [places.LONDON, *places.boroughs()["borough"].sort()]
    what = {"only": tuple(only) if only else None, "settings": dict(settings or {}), "out": str(out)}
    what |= {"edition": str(edition), "folder": str(folder) if folder else None}
    outcomes, tasks, plans = {}, [], {}

    def tell(outcome: Outcome) -> None:
        outcomes[outcome.area] = outcome
        if told:
            told(outcome, len(names))

    for name in names:
        plan = runner.plan_run(name, period, **{**what, "folder": folder})
        plans[plan.area.name] = plan
        if plan.is_done:
            sweep(plan.target)  # as a run does beside which it works
            tell(Outcome(plan.area.name, "unchanged", plan.target))
        else:
            tasks.append(Task(plan.area.name, plan.period, **what, engine=own_engine))
    if scheduler:
        runs = _on_cluster(tasks, scheduler, plans)
    else:
        runs = _in_processes(tasks, min(workers or _processors(), len(tasks)))
    with closing(runs):
        for outcome in runs:
            tell(outcome)
    write_index(from_root(out))
    return [outcomes[name] for name in plans]


def _processors() -> int:
    """The processors this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _attempt(task: Task, edition_from: Path | None = None) -> Outcome:
    """Run one task; what goes wrong is an outcome, in words."""
    start = time.perf_counter()
    try:
        folder = runner.run(
            task.area,
            task.period,
            only=task.only,
            settings=task.settings,
            out=task.out,
            edition=task.edition,
            folder=Path(task.folder) if task.folder else None,
            engine=task.engine,
            edition_from=edition_from,
        )
        outcome = Outcome(task.area, "done", folder)
    except RunFailed as error:
        outcome = Outcome(task.area, "failed", task.target, error.notebook, str(error))
    except (RunError, EditionError, ValueError, OSError) as error:
        outcome = Outcome(task.area, "failed", task.target, "", str(error))
    except Exception as error:  # a fault of this program: the other boroughs' runs may still be right
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        outcome = Outcome(task.area, "failed", task.target, "", why)
    return replace(outcome, seconds=time.perf_counter() - start, spent=_spent(task))


def _spent(task: Task) -> dict[str, float] | None:
    if task.engine is None:
        return None
    from wardbook import engine

    return vars(engine.spent()) | {"process": os.getpid()}


# In processes of this machine -------------------------------------------------------------------------------------------


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    wire: connection.Connection
    task: Task | None = None


def _in_processes(tasks: list[Task], workers: int) -> Iterator[Outcome]:
    """Each task's outcome, as it comes; a task whose process died is tried again in another.

    Not `ProcessPoolExecutor`: when one of its processes dies, all its tasks fail; it cannot say whose fault it was, and it
    cannot be stopped before its tasks have ended.
    """
    waiting, tries, team = list(tasks), dict.fromkeys((task.area for task in tasks), 0), []
    try:
        while waiting or any(worker.task for worker in team):
            while waiting and len(team) < workers:
                team.append(_hire())
            for worker in team:
                if waiting and worker.task is None:
                    worker.task = waiting.pop(0)
                    with suppress(OSError):  # it has died: the loop below will see that
                        worker.wire.send(worker.task)
            ready = connection.wait([worker.wire for worker in team])
            for worker in [worker for worker in team if worker.wire in ready]:
                task, worker.task = worker.task, None
                try:
                    yield worker.wire.recv()
                except (EOFError, OSError):
                    team.remove(worker)
                    worker.process.join()
                    if task is None:
                        continue
                    tries[task.area] += 1
                    if tries[task.area] < TRIES:
                        waiting.append(task)
                        continue
                    why = f"its process died {TRIES} times, the last time with exit code {worker.process.exitcode}"
                    yield Outcome(task.area, "failed", task.target, "", why)
    finally:
        for worker in team:
            worker.wire.close()  # an idle one ends by this
            if worker.task is not None:
                worker.process.terminate()  # one at work removes its unfinished folder first
        for worker in team:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _hire() -> _Worker:
    context = multiprocessing.get_context("spawn")  # polars' threads do not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=False)
    process.start()
    theirs.close()  # so that the wire ends when the worker does
    return _Worker(process, ours)


def _work(wire: connection.Connection) -> None:
    """A worker's life: run what it is sent until the wire ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the first one decides
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        while True:
            wire.send(_attempt(wire.recv()))
    except (EOFError, OSError):
        pass
    finally:
        _stop_kernel()


def _end(number: int, frame: object) -> None:
    # The interrupted cell's task ends in an error that nobody is left to await, and asyncio would print all of it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    raise SystemExit(128 + number)  # unlike the signal's default, this lets a run remove its unfinished folder


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)


def _stop_kernel() -> None:
    from wardbook import engine

    engine.close()


# On a Dask cluster --------------------------------------------------------------------------------------------------------

# A cluster's worker has threads of its own for tasks, a new context each: a warm kernel needs one thread for life.
_lane = ThreadPoolExecutor(1, thread_name_prefix="wardbook")


def _on_cluster(tasks: list[Task], scheduler: str, plans: Mapping[str, Plan]) -> Iterator[Outcome]:
    """Each task's outcome, as it comes from a cluster; a task whose worker died is given to another by the scheduler."""
    from distributed import Client, as_completed

    if not tasks:
        return
    edition = _pack(from_root(tasks[0].edition))
    with Client(scheduler, set_as_default=False) as client:
        # A worker may read the edition's files where it has the same ones; else it is sent them, once. They go as a task's
        # result and not by `scatter`: what was scattered to a worker that dies is lost, and every run that needs it with it.
        parcel = client.submit(bytes, edition, pure=False)
        same = runner._code(), plans[tasks[0].area].basis["edition"], parcel
        sent = {client.submit(_run_there, task, *same, pure=False, retries=TRIES - 1): task for task in tasks}
        try:
            for future in as_completed(sent, loop=client.loop):
                task = sent[future]
                plan = plans[task.area]
                if future.status == "finished":
                    outcome, packed = future.result()
                    yield _received(replace(outcome, folder=plan.target), packed, set(plan.digests))
                else:
                    error = future.exception()
                    yield Outcome(task.area, "failed", plan.target, "", f"{type(error).__name__}: {error}")
                future.release()
        finally:
            client.cancel(list(sent))


def _run_there(task: Task, code: str, edition_id: str, edition: bytes) -> tuple[Outcome, bytes]:
    """Run one task on a cluster's worker, in a folder of its own, and return what the run left as an archive."""
    if runner._code() != code:
        why = "this worker has another version of the project, its packages or its Python than the machine that asks"
        return Outcome(task.area, "failed", Path(), "", why), b""
    return _lane.submit(_run_in_scratch, task, edition_id, edition).result()


def _run_in_scratch(task: Task, edition_id: str, edition: bytes) -> tuple[Outcome, bytes]:
    from wardbook.edition import open_edition

    with tempfile.TemporaryDirectory(prefix="wardbook-") as scratch:
        there: Path | None = None
        try:
            mounted = open_edition(task.edition).id == edition_id
        except EditionError:
            mounted = False
        if not mounted:
            there = Path(scratch) / "edition"
            _unpack(edition, there)
        outcome = _attempt(replace(task, out=str(Path(scratch) / "out")), there)
        left = outcome.folder if outcome.state == "done" else runner._failed(outcome.folder)
        packed = _pack(left) if left.is_dir() else b""
        return replace(outcome, why=outcome.why.replace(f"{scratch}{os.sep}out{os.sep}", "")), packed


def _received(outcome: Outcome, packed: bytes, notebooks: set[str]) -> Outcome:
    """Put in its place what a run left on another machine."""
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
        for info in archive.infolist():
            if not info.is_dir():
                copy_member(archive, info, folder / info.filename, silent)
