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
from contextlib import suppress
from pathlib import Path

_ABANDONED = 24 * 3600.0  # seconds after which unfinished work is nobody's any more
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def beside(path: Path, ending: str = "") -> Path:
    """A new folder beside a path, hidden, with a name no other run has; on the same disk, so that a rename moves it."""
    sweep(path)
    folder = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{ending}")
    folder.mkdir()  # not mkdtemp, whose folders nobody else may read
    return folder


def sweep(path: Path) -> None:
    """Remove what work killed outright left beside a path, a day later: `beside` and `write_text` name it so."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{12}}(\.old)?")
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        with suppress(OSError):
            if ours.fullmatch(left.name) and time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def put_in_place(work: Path, target: Path) -> None:
    """Give a finished folder its name, whatever has it now. Of two runs that end at once, the later one stays, whole.

    Linux swaps two names in one step, so that a process killed at any moment leaves a whole folder there. Elsewhere there are
    two renames, and a moment between them when the name is nobody's.
    """
    while not _swap(work, target):
        old = beside(target, ".old")
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
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
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
