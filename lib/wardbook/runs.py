"""Finished runs: which there is of a borough, and its charts and tables put where a writer wants them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path

from wardbook import places
from wardbook.edition import from_root
from wardbook.figures import sizes
from wardbook.figures.export import read_txt
from wardbook.periods import financial_year
from wardbook.places import UnknownName
from wardbook.run.runner import RECORD, RunError
from wardbook.workbook import WORKBOOK


def find_run(borough: str, period: str = "latest", *, out: Path | str = "outputs") -> Path:
    """The folder of a finished run; "latest" is the newest year of this borough that has been run.

    Raises
    ------
    wardbook.places.UnknownName
        for an unknown borough.
    wardbook.run.runner.RunError
        where there is none; the message is the command that makes it.
    """
    area = places.area(borough)
    there = sorted(record.parent for record in (from_root(out) / area.slug).glob(f"[0-9]*/{RECORD}"))
    wanted = there[-1:] if period == "latest" else [run for run in there if run.name == str(financial_year(period))]
    if not wanted:
        year = "" if period == "latest" else f" --period {period}"
        raise RunError(
            f"{area.name} has not been run{' for ' + period if year else ''}: wardbook run --borough {shlex.quote(area.name)}{year} does it"
        )
    return wanted[0]


def export(
    folder: Path, to: Path, *, charts: Iterable[str] = (), workbook: bool = False, size: str = "column"
) -> list[Path]:
    """Put chart sets of a finished run, or its tables as a workbook, into a folder; the paths.

    Parameters
    ----------
    folder : a finished run: see `find_run`.
    charts : names of charts, as they are named in its `charts/`.
    size : "column" or "slide": see `wardbook.figures.sizes.SIZES`.

    Raises
    ------
    wardbook.places.UnknownName
        for a chart or a size that is not known, naming the nearest.
    wardbook.run.runner.RunError
        for a chart that could not be drawn, with the reason, or a run without tables.
    """
    sizes.check_size(size)
    names = sorted(path.stem for path in (folder / "charts").glob("*.txt"))
    wanted = list(charts)
    for name in wanted:
        if name not in names:
            raise UnknownName("chart", name, names, f"the charts of {folder.parent.name} {folder.name}")
        if reason := read_txt(folder / "charts" / f"{name}.txt").get("reason"):
            raise RunError(f"there is no chart {name}: {reason}")
    if workbook and not (folder / WORKBOOK).is_file():
        raise RunError(f"{folder} holds no {WORKBOOK}: its notebooks saved no table")
    to.mkdir(parents=True, exist_ok=True)
    made = []
    for name in wanted:
        svg, csv, txt = (
            (folder / "charts" / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("svg", "csv", "txt")
        )
        made += sizes.write_set(to, name, svg, csv, txt, size=size)
    if workbook:
        fresh = to / f".{WORKBOOK}.new"
        shutil.copyfile(folder / WORKBOOK, fresh)
        made.append(fresh.replace(to / WORKBOOK))
    return made
