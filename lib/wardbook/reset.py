"""Puts a kernel back to what it was when it started, so that one kernel can run notebook after notebook.

Imported inside the kernel by `wardbook.engine`; nothing else uses it. What is put back is listed in `_KEEPERS`, one
function a thing: each notes a state and returns the function that restores it. What a package does to the others when it
is imported (a warnings filter) is there from the start, whichever notebook imports it. What no function can put back (a package
patched from a notebook, a thread left running) makes `reset` say no, or ends with the kernel: the engine throws away the
kernel of a notebook that failed.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import locale
import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Restore = Callable[[], None]

_restore: list[Restore] = []
_threads: set[threading.Thread] = set()

# What papermill or a command needs and a notebook does not.
_NOT_FOR_NOTEBOOKS = {"cli", "batch", "book", "engine", "fetch", "national", "refresh", "runs", "summary", "workbook"}


def remember() -> None:
    """Import what notebooks import, then note the state that `reset` puts back. Once, before the first notebook."""
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package.parent).with_suffix("").as_posix().replace("/", ".")
        if path.stem not in (*_NOT_FOR_NOTEBOOKS, "__init__"):
            importlib.import_module(name)
    _restore[:] = [note() for note in _KEEPERS]
    _threads.update(threading.enumerate())
    gc.collect()
    gc.freeze()  # what is imported stays: a collection after each notebook need not look at it again


def reset(folder: str) -> bool:
    """Make the kernel a new one, standing in `folder`; False where it cannot be trusted to be one, and must be replaced."""
    for restore in _restore:
        restore()
    os.chdir(folder)
    _reset_shell()  # last: it notes the working directory
    gc.collect()
    started = set(threading.enumerate()) - _threads
    return not any(thread.is_alive() and type(thread) is threading.Thread for thread in started)


def _shell() -> Any:
    from ipykernel.zmqshell import ZMQInteractiveShell

    return ZMQInteractiveShell.instance()


def _reset_shell() -> None:
    # Names, In and Out, `_`, the execution count and aliases.
    _shell().reset(new_session=True)


def _attributes(holder: Any, *names: str) -> Restore:
    """Restore attributes of an object, as the very objects they were."""
    before = {name: getattr(holder, name) for name in names}

    def restore() -> None:
        for name, value in before.items():
            if getattr(holder, name, None) is not value:
                setattr(holder, name, value)

    return restore


def _list(held: list) -> Restore:
    before = list(held)

    def restore() -> None:
        held[:] = before

    return restore


def _dict(held: dict) -> Restore:
    before = dict(held)

    def restore() -> None:
        # Entry by entry: to clear a module's or an interpreter's table, if only for a moment, breaks what runs from it.
        for key in held.keys() - before.keys():
            del held[key]
        for key, value in before.items():
            if held.get(key, held) is not value:
                held[key] = value

    return restore


def _all(*restores: Restore) -> Restore:
    def restore() -> None:
        for one in restores:
            one()

    return restore


def _interpreter() -> Restore:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    limit, tongue = sys.getrecursionlimit(), locale.setlocale(locale.LC_ALL)

    def restore() -> None:
        sys.setrecursionlimit(limit)
        locale.setlocale(locale.LC_ALL, tongue)
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)

    hooks = _attributes(sys, "excepthook", "displayhook", "stdout", "stderr", "argv", "unraisablehook")
    lists = [_list(held) for held in (sys.path, sys.meta_path, sys.path_hooks, sys.argv)]
    return _all(hooks, *lists, _dict(vars(builtins)), restore)


def _environment() -> Restore:
    before = dict(os.environ)

    def restore() -> None:
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)
            if hasattr(time, "tzset"):
                time.tzset()

    return restore


def _warnings() -> Restore:
    filters = _list(warnings.filters)
    hooks = _attributes(warnings, "filters", "showwarning", "formatwarning")

    def seen() -> None:
        # Leaving this block tells every module that the filters changed: a warning shown once is shown once more.
        with warnings.catch_warnings():
            pass

    return _all(hooks, filters, seen)


def _logging() -> Restore:
    def state(logger: logging.Logger) -> tuple:
        return logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logger.filters)

    def loggers() -> list[logging.Logger]:
        named = logging.root.manager.loggerDict.values()
        return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]

    before = {logger: state(logger) for logger in loggers()}
    disabled = logging.root.manager.disable

    def restore() -> None:
        logging.disable(disabled)
        for logger in loggers():
            level, logger.propagate, logger.disabled, handlers, filters = before.get(
                logger, (logging.NOTSET, True, False, [], [])
            )
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.filters[:] = filters

    return restore


def _random() -> Restore:
    import numpy as np

    legacy, bits = np.random.mtrand._rand, np.random.mtrand._rand._bit_generator

    def restore() -> None:
        # A new kernel's generators start from entropy, so these do, whatever a notebook seeded them with.
        random.seed()
        if legacy._bit_generator is not bits:
            np.random.set_bit_generator(bits)
        np.random.seed()  # noqa: NPY002 - the same
        if "polars" in sys.modules:
            sys.modules["polars"].set_random_seed(random.getrandbits(63))

    return restore


def _numpy() -> Restore:
    import numpy as np

    printing, errors = np.get_printoptions(), np.geterr()

    def restore() -> None:
        np.set_printoptions(**printing)
        np.seterr(**errors)

    return restore


def _polars() -> Restore:
    import polars as pl

    before = pl.Config.save()

    def restore() -> None:
        pl.Config.restore_defaults()
        pl.Config.load(before)

    return restore


def _pandas() -> Restore:
    def restore() -> None:
        # Imported or not at the start: an option's own default is what a new kernel has.
        pandas = sys.modules.get("pandas")
        if pandas is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, option in pandas._config.config._registered_options.items():
                if pandas.get_option(name) is not option.defval:
                    pandas.set_option(name, option.defval)

    return restore


def _altair() -> Restore:
    import altair as alt
    from altair.vegalite.v6.theme import themes

    registries = [themes, alt.renderers, alt.data_transformers]
    before = [registry._get_state() for registry in registries]

    def restore() -> None:
        for registry, state in zip(registries, before):
            copied = {name: dict(value) if isinstance(value, dict) else value for name, value in state.items()}
            registry._set_state(copied)

    return restore


def _wardbook() -> Restore:
    """The package's own modules: nothing patched from a notebook stays, and nothing read for it."""
    modules = [module for name, module in sys.modules.items() if name.startswith("wardbook.") and name != __name__]
    tables = [_dict(vars(module)) for module in modules]
    cached = {value for module in modules for value in vars(module).values() if hasattr(value, "cache_clear")}

    def restore() -> None:
        for function in cached:
            function.cache_clear()

    return _all(*tables, restore)


def _display() -> Restore:
    shell = _shell()
    formatters = shell.display_formatter.formatters.values()
    tables = [
        _dict(getattr(formatter, name))
        for formatter in formatters
        for name in ("type_printers", "deferred_printers", "singleton_printers")
    ]
    callbacks = [_list(held) for held in shell.events.callbacks.values()]
    transformers = [
        _list(held)
        for held in (
            shell.ast_transformers,
            shell.input_transformers_post,
            shell.input_transformer_manager.cleanup_transforms,
        )
    ]
    magics = [_dict(held) for held in shell.magics_manager.magics.values()]
    tracebacks = _attributes(shell, "custom_exceptions", "CustomTB")
    options = {name: getattr(shell, name) for name in shell.trait_names(config=True)}

    def restore() -> None:
        for name, value in options.items():
            if getattr(shell, name) != value:
                setattr(shell, name, value)

    return _all(*tables, *callbacks, *transformers, *magics, tracebacks, restore)


_KEEPERS = (
    *(_interpreter, _environment, _warnings, _logging, _random),
    *(_numpy, _polars, _pandas, _altair, _wardbook, _display),
)
