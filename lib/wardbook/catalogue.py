"""`data/catalogue.toml`: every source, who publishes it, where, under which licence, and how its file is recognised."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from wardbook.places import ROOT


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
    fetch: dict = field(default_factory=dict, compare=False)

    @property
    def line(self) -> str:
        """The source line under a chart: "[publication] from the [organisation]"."""
        return f"{self.title} from the {self.publisher}"


@cache
def _read() -> dict:
    return tomllib.loads((ROOT / "data" / "catalogue.toml").read_text(encoding="utf-8"))


def limits() -> dict[str, dict[str, float]]:
    """What publishers allow: a limit's name → requests `per_second` and `burst`."""
    return _read()["limits"]


@cache
def sources() -> dict[str, Source]:
    """The catalogue by key, in the file's order."""
    licences = _read()["licences"]
    return {
        key: Source(
            key=key,
            licence=licences[entry["licence"]]["name"],
            attribution=licences[entry["licence"]]["attribution"],
            also=tuple(entry.get("also", ())),
            fetch=entry.get("fetch", {}),
            **{name: entry[name] for name in ("title", "publisher", "address", "pattern", "reader")},
        )
        for key, entry in _read()["sources"].items()
    }


def files(raw: Path, key: str) -> list[Path]:
    """The files of one source in a raw folder, sorted by path; empty where there are none.

    A link to nothing is among them, so that its reader refuses it: left out, a file that was meant would be missed unsaid.
    """
    patterns = (sources()[key].pattern, *sources()[key].also)
    return sorted({path for pattern in patterns for path in raw.glob(pattern) if path.is_file() or path.is_symlink()})
