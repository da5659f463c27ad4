"""`data/catalogue.toml`: every source, who publishes it, where, under which licence, and how its file is recognised."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
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

    @property
    def line(self) -> str:
        """The source line under a chart: "[publication] from the [organisation]"."""
        return f"{self.title} from the {self.publisher}"


@cache
def sources() -> dict[str, Source]:
    """The catalogue by key, in the file's order."""
    raw = tomllib.loads((ROOT / "data" / "catalogue.toml").read_text(encoding="utf-8"))
    licences = raw["licences"]
    return {
        key: Source(
            key=key,
            licence=licences[entry["licence"]]["name"],
            attribution=licences[entry["licence"]]["attribution"],
            **{name: entry[name] for name in ("title", "publisher", "address", "pattern", "reader")},
        )
        for key, entry in raw["sources"].items()
    }


def files(raw: Path, key: str) -> list[Path]:
    """The files of one source in a raw folder, sorted by path; empty where there are none."""
    return sorted(path for path in raw.glob(sources()[key].pattern) if path.is_file())
