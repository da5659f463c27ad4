"""`data/catalogue.toml`: every source, who publishes it, where, under which licence, and how its file is recognised."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from wardbook.places import ROOT


@dataclass(frozen=True)
class Copy:
    """Files of a source that came by way of a third party, which altered them or gives another licence for them."""

    pattern: str
    by_way_of: str
    licence: str
    attribution: str


@dataclass(frozen=True)
class Source:
    """One entry of the catalogue."""

    key: str
    title: str
    publisher: str
    address: str
    licence: str
    attribution: str
    pattern: str
    reader: str
    also: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    fetch: dict = field(default_factory=dict, compare=False)

    def recognises(self, file: str) -> bool:
        """Is a file, named by its path below a raw folder, one of this source's, in whichever layout?"""
        return any(fnmatch(file, pattern) for pattern in (self.pattern, *self.also))

    def copy_of(self, file: str) -> Copy:
        """How a file came and under which licence: `by_way_of` is empty where it is as the publisher released it."""
        as_published = Copy(self.pattern, "", self.licence, self.attribution)
        return next((copy for copy in self.copies if fnmatch(file, copy.pattern)), as_published)

    def read(self, path: Path) -> Any:
        """A file of this source by its reader, which refuses it (`SourceError`) if it is not what the catalogue says it is."""
        module, function = self.reader.split(".")
        return getattr(import_module(f"wardbook.sources.{module}"), function)(path)

    @property
    def line(self) -> str:
        """The source line under a chart: "[publication] from the [organisation]"."""
        return f"{self.title} from the {self.publisher}"


@cache
def _read() -> dict:
    return tomllib.loads((ROOT / "data" / "catalogue.toml").read_text(encoding="utf-8"))


def limits() -> dict[str, float]:
    """What publishers allow: a host → requests a second."""
    return _read()["limits"]


def _licensed(entry: dict) -> dict:
    licence = _read()["licences"][entry["licence"]]
    return entry | {"licence": licence["name"], "attribution": licence["attribution"]}


@cache
def sources() -> dict[str, Source]:
    """The catalogue by key, in the file's order."""
    listed = {}
    for key, entry in _read()["sources"].items():
        copies = tuple(Copy(**_licensed(copy)) for copy in entry.get("copies", ()))
        listed[key] = Source(**_licensed(entry) | {"key": key, "also": tuple(entry.get("also", ())), "copies": copies})
    return listed


def files(raw: Path, key: str) -> list[Path]:
    """The files of one source in a raw folder, sorted by path; empty where there are none.

    A link to nothing is among them, so that its reader refuses it: left out, a file that was meant would be missed unsaid.
    """
    patterns = (sources()[key].pattern, *sources()[key].also)
    return sorted({path for pattern in patterns for path in raw.glob(pattern) if path.is_file() or path.is_symlink()})
