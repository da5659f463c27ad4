"""The papermill engine `wardbook-warm`: one kernel that stays warm, made new again before each notebook.

Starting a kernel and importing what a notebook needs takes longer than most notebooks run. This engine starts a kernel
for the thread that uses it and keeps it; `wardbook.reset`, inside it, puts everything back before each notebook. Any
papermill can use it: `papermill --engine wardbook-warm …`. A notebook that fails, kills its kernel, or leaves something
behind that cannot be put back costs that kernel: the next notebook has a new one.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbclient.util import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger

NAME = "wardbook-warm"
_PREPARE = "__import__('importlib').import_module('wardbook.reset').remember()"
_RESET = "__import__('sys').modules['wardbook.reset'].reset({folder!r})"
_PATIENCE = 120  # seconds for a reset or for the first imports, however busy the machine


class ResetError(RuntimeError):
    """A kernel that could not be made new."""


@dataclass
class Spent:
    """What this thread's notebooks took so far, in seconds, and on how many kernels: the bench reads it."""

    starting: float = 0.0
    resetting: float = 0.0
    cells: float = 0.0
    kernels: int = 0


@dataclass
class _Kernel:
    manager: Any
    client: Any
    command: tuple  # what it was started with: another notebook may want another


# A kernel's client belongs to the event loop, and so to the thread, that made it.
_local = threading.local()


def spent() -> Spent:
    """The account of this thread's kernels and notebooks."""
    if not hasattr(_local, "spent"):
        _local.spent = Spent()
    return _local.spent


def close() -> None:
    """Stop this thread's kernel, if it has one."""
    kernel, _local.kernel = getattr(_local, "kernel", None), None
    if kernel is not None:
        run_sync(_stop)(kernel)


async def _stop(kernel: _Kernel) -> None:
    kernel.client.stop_channels()
    await kernel.manager.shutdown_kernel(now=True)


atexit.register(close)  # of the main thread; a kernel ends by itself when its process does


async def _ask(client: Any, expression: str) -> str:
    """Evaluate an expression in the kernel, without a trace in its names, its history or its count of executions."""
    asked = client.execute_interactive(
        "", silent=True, user_expressions={"it": expression}, output_hook=lambda _: None, timeout=_PATIENCE
    )
    answer = (await asyncio.wait_for(asked, _PATIENCE))["content"].get("user_expressions", {}).get("it")
    if not answer or answer["status"] != "ok":
        raise ResetError(f"{answer['ename']}: {answer['evalue']}" if answer else "the kernel did not answer")
    return answer["data"]["text/plain"]


class _SavedOnce(NotebookExecutionManager):
    """papermill's manager writes the whole notebook before and after each cell; here it is written when it has ended."""

    ended = False

    def save(self, **kwargs: Any) -> None:
        if self.ended:
            super().save(**kwargs)

    def notebook_complete(self, **kwargs: Any) -> None:
        self.ended = True
        super().notebook_complete(**kwargs)


class WarmEngine(NBClientEngine):
    """papermill's own engine, on a kernel that is kept."""

    @classmethod
    def execute_notebook(cls, nb, kernel_name, output_path=None, progress_bar=True, log_output=False, **kwargs):
        manager = _SavedOnce(nb, output_path, log_output, progress_bar, kwargs.pop("autosave_cell_every", 30))
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **kwargs)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, log_output=False, start_timeout=60, execution_timeout=None, input_path=None, **kwargs
    ):
        """Run a notebook on this thread's warm kernel, made new; what papermill's own engine takes, this one takes."""
        resources = kwargs.get("resources") or {}
        folder = str(Path(resources.get("metadata", {}).get("path") or ".").absolute())
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            log=logger,
            log_output=log_output,
            timeout=execution_timeout or kwargs.pop("timeout", None),
            startup_timeout=start_timeout,
            **kwargs,
        )
        command = (kernel_name, tuple(client.extra_arguments))
        kernel = cls._ready(client, command, folder)
        good = False
        try:
            client.km, client.kc, client.owns_km = kernel.manager, kernel.client, False
            start = time.perf_counter()
            client.execute()
            good = not nb_man.nb.metadata.papermill.exception
            spent().cells += time.perf_counter() - start
        finally:
            if not good:
                close()

    @classmethod
    def _ready(cls, client: PapermillNotebookClient, command: tuple, folder: str) -> _Kernel:
        """This thread's kernel, reset; a new one where there is none, or none that can be reset."""
        kernel = getattr(_local, "kernel", None)
        if kernel is not None and kernel.command == command:
            start = time.perf_counter()
            try:
                alive = run_sync(kernel.manager.is_alive)()
                if alive and run_sync(_ask)(kernel.client, _RESET.format(folder=folder)) == "True":
                    return kernel
            except (ResetError, TimeoutError, RuntimeError) as error:
                logger.warning("a warm kernel was replaced: %s", error)
            finally:
                spent().resetting += time.perf_counter() - start
        close()
        start = time.perf_counter()
        client.create_kernel_manager()
        client.start_new_kernel(cwd=folder)
        client.start_new_kernel_client()
        kernel = _local.kernel = _Kernel(client.km, client.kc, command)
        run_sync(_ask)(kernel.client, _PREPARE)
        run_sync(_ask)(kernel.client, _RESET.format(folder=folder))  # the first notebook's kernel is as the second's
        spent().kernels += 1
        spent().starting += time.perf_counter() - start
        return kernel
