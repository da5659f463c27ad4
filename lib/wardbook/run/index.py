"""The list of every run under a folder, as one page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from wardbook.figures import wording
from wardbook.figures.table import read_csv
from wardbook.folders import write_text
from wardbook.measures.change import TOTAL
from wardbook.periods import read_period
from wardbook.run.page import PAGE, RECORD, environment

INDEX = "index.html"


@dataclass(frozen=True)
class Listed:
    """One run in the list of all: where it is, and the change in its recorded offences that it is ranked by."""

    area: str
    period: str
    href: str
    last: Any
    change: float | None = None
    against_london: str = ""


def listed(out: Path) -> list[Listed]:
    """Every finished run with a page under a folder: the newest period first, then by the change, the largest fall first."""
    runs = []
    for record in sorted(out.glob(f"*/*/{RECORD}")):
        folder = record.parent
        if folder.name.startswith(".") or not (folder / PAGE).is_file():
            continue
        try:
            known = json.loads(record.read_text(encoding="utf-8"))
            period = read_period(known["period"])
            href = f"./{folder.parent.name}/{folder.name}/{PAGE}"
            runs.append(Listed(known["area"], period.words, href, period.last, *_total(folder)))
        except (ValueError, KeyError, TypeError):  # another's broken record harms nobody's list
            continue
    runs.sort(key=lambda run: (run.change is None, run.change, run.area))
    return sorted(runs, key=lambda run: run.last, reverse=True)


def _total(folder: Path) -> tuple[float | None, str]:
    """The change in all recorded offences and how it stands beside London, if the run has it."""
    table = folder / "tables" / "changes.csv"
    rows = read_csv(table) if table.is_file() else pl.DataFrame()
    rows = rows.filter(pl.col("offence_group") == TOTAL) if "offence_group" in rows.columns else rows.clear()
    return (rows["change_percent"][0], rows["against_london"][0] or "") if rows.height else (None, "")


def write_index(out: Path) -> Path:
    """Write the list of every run under a folder, whole or not at all, and return its path."""
    runs = listed(out)
    periods = list(dict.fromkeys(run.period for run in runs))
    template = environment().get_template("index.html.j2")
    text = template.render(
        periods=[(period, [run for run in runs if run.period == period]) for period in periods],
        signed=wording.signed,
    )
    write_text(out / INDEX, text)
    return out / INDEX
