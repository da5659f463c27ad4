"""A folder or a file of results replaced as a whole: what a reader finds under its name is the old or the new, never a part.

And the digest by which one file is known from another.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_ABANDONED = 24 * 3600.0  # seconds after which unfinished work is nobody's any more
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new folder beside a path, on the same disk so that a rename moves it; removed at the end, if it still has its name.

    Hidden, with a name no other run has, which ends in the running kernel's mark for as long as its maker lives and holds it.
    """
    sweep(path)
    folder = _unused(path)
    folder.mkdir()  # not mkdtemp, whose folders nobody else may read
    held = None
    with suppress(ImportError, OSError):  # Windows, and disks that lock no folder: then it is swept when a day old
        held = lock(folder)
        folder = folder.rename(f"{folder}.{_kernel()}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def sweep(path: Path) -> None:
    """Remove what work killed outright left beside a path: at once if this kernel knows that nobody holds it, else a day later.

    Locks are a kernel's own: of another machine's folder on a shared disk, or one from before a restart, only age tells.
    """
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{12}}(\.[0-9a-f]{{8}})?")
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError):
            if ours.fullmatch(left.name) and _is_abandoned(left):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _is_abandoned(left: Path) -> bool:
    with suppress(ImportError, OSError):  # nothing to lock with, or a disk that locks no folder
        # The mark is given once the lock is held, so one that carries it and is not held was its maker's, who is dead.
        if left.name.endswith(f".{_kernel()}"):
            try:
                os.close(lock(left))
            except BlockingIOError:
                return False
            return True
    return time.time() - left.stat().st_mtime > _ABANDONED


def lock(folder: Path) -> int:
    """Hold a folder as long as this process lives, or until what is returned is closed; `BlockingIOError` if it is held."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


@cache
def _kernel() -> str:
    """Eight hex digits that Linux draws at each start: processes that read the same ones see each other's locks."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]


def _unused(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")


def is_other(target: Path, mark: str) -> bool:
    """Is something there that may not be replaced: neither an empty folder nor one that holds the file `mark`?"""
    return target.exists() and not (target / mark).is_file() and (target.is_file() or any(target.iterdir()))


def put_in_place(work: Path, target: Path) -> None:
    """Give a finished folder its name, whatever has it now (see `is_other`). Of two runs that end at once, the later one stays, whole.

    Linux swaps two names in one step, so that a process killed at any moment leaves a whole folder there. Elsewhere there are
    two renames, and a moment between them when the name is nobody's.
    """
    while not _swap(work, target):
        old = _unused(target)  # without a mark: if this is killed half-way, what was there is kept for a day
        old.mkdir()
        aside = old / target.name
        try:
            with suppress(FileNotFoundError):
                target.rename(aside)
            work.rename(target)
            return
        except BaseException as error:
            with suppress(OSError):  # nothing was moved aside, or another run is there already
                aside.rename(target)
            # Another run came in between the two renames: it is replaced in its turn.
            if getattr(error, "errno", 0) not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    fresh = _unused(path)
    try:
        fresh.write_text(text, encoding="utf-8", newline="\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """A file's SHA-256 in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _swap(work: Path, target: Path) -> bool:
    """Exchange two folders' names in one step; False where the system cannot, or where there is nothing to exchange with."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return call(_AT_FDCWD, os.fsencode(work), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0
