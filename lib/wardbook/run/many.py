"""Runs the notebooks for every borough on Dask: a cluster of this machine's own processors, or the one at a scheduler's address.

Each borough's run is that of `runner`, whole or not there, so a batch that was stopped is finished by the same command: what
is whole and made from the same inputs, code and notebooks is left alone, and the rest is run. A run that fails is a row of
the table at the end and costs no other run; one whose worker died is given to another worker.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from wardbook import places
from wardbook.folders import sweep
from wardbook.run import runner
from wardbook.run.runner import Plan, RunError

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster


@dataclass(frozen=True)
class Outcome:
    """What became of one borough's run: `state` is "done", "unchanged" (left alone) or "failed"."""

    area: str
    state: str
    why: str = ""  # it failed


def run_all(
    period: str = "latest",
    *,
    areas: Iterable[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    told: Callable[[Outcome, int, int], None] | None = None,
    **what: Any,
) -> list[Outcome]:
    """Run the notebooks for the Met's 32 boroughs and London; one outcome an area.

    Parameters
    ----------
    period : as for `runner.run`.
    areas : the boroughs to run, if not all.
    workers : processes of this machine; by default one a processor.
    scheduler : the address of a Dask scheduler, which is sent the runs instead. Its workers have this project and its packages
        installed, and see the same folders.
    told : called with each outcome as it comes, how many there are by then, and the number of areas.
    what : `only`, `settings`, `out`, `edition`, `folder`, as for `runner.run`; they are checked before anything runs.

    Raises
    ------
    What `runner.run` raises for what it is given, before anything runs; a run that fails later is an outcome.
    """
    names = list(areas) if areas is not None else [places.LONDON, *places.boroughs()["borough"].sort()]
    plans = {plan.area.name: plan for plan in (runner.plan_run(name, period, **what) for name in names)}
    outcomes = {}

    def tell(outcome: Outcome) -> None:
        outcomes[outcome.area] = outcome
        if told:
            told(outcome, len(outcomes), len(plans))

    waiting = []
    for name, plan in plans.items():
        if plan.is_done:
            sweep(plan.target)  # as a run does beside which it works
            tell(Outcome(name, "unchanged"))
        else:
            waiting.append(plan)
    if waiting:
        with _client(scheduler, workers, len(waiting)) as client:
            for outcome in _sent(client, waiting, what):
                tell(outcome)
    return [outcomes[name] for name in plans]


@contextmanager
def _client(scheduler: str | None, workers: int | None, runs: int) -> Iterator[Client]:
    """A client of the scheduler at this address, or of a cluster that lives as long as this."""
    import dask
    from dask.system import CPU_COUNT  # those this process may use, which in a container are fewer than the machine's
    from distributed import Client

    if scheduler:
        with Client(scheduler, set_as_default=False) as client:
            yield client
        return
    with (
        dask.config.set(
            {
                "distributed.worker.daemon": False,  # the kernel is a child, which a daemon may not have
                "distributed.scheduler.allowed-failures": 1,  # a run that killed two workers is then tried alone
            }
        ),
        _cluster(min(workers or CPU_COUNT, runs)) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _cluster(workers: int) -> Iterator[LocalCluster]:
    """A cluster of this machine that does not hear Ctrl-C, which goes to all that a terminal started: it is stopped from here.

    What is started with the signal blocked stays deaf to it. One that comes meanwhile is heard when there is a cluster to close.
    """
    from distributed import LocalCluster

    with ExitStack() as held:
        if hasattr(signal, "pthread_sigmask"):
            resource_tracker.ensure_running()  # which would open every ear again when it is first needed
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            held.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        # One run a process: a kernel is started by the thread that uses it, and polars has threads of its own.
        alone = {"n_workers": workers, "threads_per_worker": 1, "silence_logs": 50}
        try:
            cluster = LocalCluster(**alone, host="127.0.0.1", dashboard_address="127.0.0.1:0")
        except RuntimeError as error:
            where = f"is there room on the disk of {gettempdir()}?"
            raise RunError(f"no worker could be started ({error}): {where}") from error
        with cluster:
            held.close()
            yield cluster


def _sent(client: Client, plans: list[Plan], what: dict[str, Any]) -> Iterator[Outcome]:
    """Each run's outcome, as it comes; one whose worker died is given to another by the scheduler.

    The scheduler holds a worker's death against every run that waited there, not only against the one that ran. So a run given
    up for that is tried once more with no other beside it: what fails then has only itself to blame.
    """
    from distributed import KilledWorker, as_completed

    sent = {
        client.submit(_attempt, plan.area.name, str(plan.period), what, plan.digests, pure=False): plan
        for plan in plans
    }
    given_up = []
    try:
        for future in as_completed(sent, loop=client.loop):
            if isinstance(future.exception(), KilledWorker) and len(plans) > 1:
                given_up.append(sent[future])
            else:
                yield _outcome(sent[future], future)
            future.release()
    finally:
        client.cancel(list(sent))  # what was not waited for
    for plan in given_up:
        yield from _sent(client, [plan], what)


def _outcome(plan: Plan, future: Future) -> Outcome:
    if (error := future.exception()) is not None:  # every worker that was given it died
        return Outcome(plan.area.name, "failed", f"{type(error).__name__}: {error}")
    if (outcome := future.result()).state == "done" and not plan.is_done:
        return replace(outcome, state="failed", why="its worker does not see the folder that the results are to be in")
    return outcome


def _attempt(area: str, period: str, what: dict[str, Any], digests: dict[str, str]) -> Outcome:
    """Run one borough on a worker; what goes wrong is an outcome, in words."""
    try:
        plan = runner.plan_run(area, period, **what)
        if plan.digests != digests:
            raise RunError("this worker has another version of the project, its packages, its data or its Python")
        runner.carry_out(plan)
        return Outcome(area, "done")
    except Exception as error:  # even for a fault of this program: the other boroughs' runs may still be right
        name = "" if isinstance(error, (RunError, ValueError, OSError)) else f"{type(error).__name__}: "
        return Outcome(area, "failed", f"{name}{error}")
