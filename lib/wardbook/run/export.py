"""Finished runs: which there is of a borough, and its charts and tables put where a writer wants them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wardbook import places
from wardbook.figures.figure import read_figure
from wardbook.folders import beside
from wardbook.periods import Period, read_period
from wardbook.places import Area, UnknownName, from_root
from wardbook.run.runner import RECORD, RunError
from wardbook.run.workbook import WORKBOOK

# Where a chart is pasted, by the name a writer has for it, and the size it is drawn at.
SIZES = {"column": "print", "slide": "slide", "phone": "phone", "page": "page"}


def finished_runs(out: Path, area: Area) -> dict[Period, Path]:
    """The finished runs of an area by their periods; another's broken record harms nobody."""
    runs = {}
    for record in sorted(out.glob(f"{area.slug}/[!.]*[0-9]/{RECORD}")):
        with suppress(ValueError, KeyError, TypeError):
            runs[read_period(json.loads(record.read_text(encoding="utf-8"))["period"])] = record.parent
    return runs


def newest(runs: dict[Period, Path]) -> Path | None:
    """The run whose period ends last."""
    return runs[max(runs, key=lambda period: period.last)] if runs else None


def find_run(borough: str, period: str = "latest", *, out: Path | str = "outputs") -> Path:
    """The folder of a finished run; "latest" is the one of this borough whose period ends last.

    Raises
    ------
    wardbook.places.UnknownName
        for an unknown borough or period.
    wardbook.run.runner.RunError
        where there is none; the message is the command that makes it.
    """
    area = places.area(borough)
    runs = finished_runs(from_root(out), area)
    folder = newest(runs) if period == "latest" else runs.get(read_period(period))
    if folder is None:
        asked = "" if period == "latest" else f" --period {shlex.quote(period)}"
        which = f" for {period}" if asked else ""
        command = f"wardbook run --borough {shlex.quote(area.name)}{asked}"
        raise RunError(f"{area.name} has not been run{which}: {command} does it")
    return folder


def export(
    folder: Path, to: Path, *, charts: Iterable[str] = (), workbook: bool = False, size: str = "column"
) -> list[Path]:
    """Put chart sets of a finished run, or its tables as a workbook, into a folder; the paths.

    Parameters
    ----------
    folder : a finished run: see `find_run`.
    charts : names of charts, as they are named in its `charts/`.
    size : "column", "slide", "phone" or "page": each is drawn anew from the chart's JSON, none is a picture scaled.

    Raises
    ------
    wardbook.places.UnknownName
        for a chart or a size that is not known, naming the nearest.
    wardbook.run.runner.RunError
        for a chart that could not be drawn, with the reason, or a run without tables.
    """
    if size not in SIZES:
        raise UnknownName("size", size, list(SIZES), "sizes are where a chart is read")
    names = sorted(path.stem for path in (folder / "charts").glob("*.json"))
    if charts and not names:  # the example in the repository is without them
        raise RunError(
            f"{folder} holds no chart's JSON: `wardbook run` (or `make book`) of this borough and period makes it"
        )
    figures = []
    for name in charts:
        if name not in names:
            raise UnknownName("chart", name, names, f"the charts of {folder.parent.name} {folder.name}")
        figures.append(read_figure(folder / "charts" / f"{name}.json"))
        if figures[-1].absent:
            raise RunError(f"there is no chart {name}: {figures[-1].words['absent']}")
    if workbook and not (folder / WORKBOOK).is_file():
        raise RunError(f"{folder} holds no {WORKBOOK}: its notebooks saved no table")
    to.mkdir(parents=True, exist_ok=True)
    with beside(to / "export") as work:
        for figure in figures:
            figure.save(work, SIZES[size], ("svg", "png", "csv", "txt"))
        if workbook:
            shutil.copyfile(folder / WORKBOOK, work / WORKBOOK)
        # Each file comes into its place whole; the folder is the writer's own, and what else it holds stays.
        return [path.replace(to / path.name) for path in sorted(work.iterdir())]
