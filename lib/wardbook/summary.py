"""One page from a finished run: its verdicts and how sure they are, what changed, where it stands, what cannot be said.

A build step over the run's folder. It computes no measure: every sentence is one that a chart's text file holds, every
number one from a table or a chart's CSV, so the page cannot say other than the notebooks did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from wardbook.catalogue import Source, sources
from wardbook.figures import words
from wardbook.figures.export import FORMATS, read_csv, read_txt
from wardbook.figures.sizes import plot_alone
from wardbook.folders import write_text
from wardbook.measures.usual import CANNOT_SAY
from wardbook.places import LONDON
from wardbook.tables import TOTAL

PAGE = "summary.html"
INDEX = "index.html"
RECORD = "run.json"
TEMPLATES = Path(__file__).parent

# A row of these is one verdict about the borough: table, the column that says it, the column that names the place.
_VERDICTS = (
    ("targets", "verdict", "area"),
    ("changes", "change_verdict", "area"),
    ("trends_summary", "verdict", "area"),
    ("comparison", "verdict", "borough"),
    ("survey", "against_london", "area"),
    ("survey", "change_verdict", "area"),
)


@dataclass(frozen=True)
class Section:
    """A heading of the page and the notebook that answers it."""

    ident: str
    heading: str
    notebook: str
    about: str = ""  # what it says, for the line that stands in its place where the notebook was not run
    leads: tuple[str, ...] = ()  # the charts that are open, in order
    lead_in: str = ""  # what stands before its headline in the short list, where the subtitle is not beside it
    printed: bool = False  # whether the first of them goes on paper, which has four pages


SECTIONS = (
    Section(
        "verdicts",
        "What the verdicts are, and how sure",
        "01_targets",
        "the verdicts",
        ("mopac-7", "other-targets"),
        printed=True,
    ),
    Section(
        "change",
        "What changed, and what only varied",
        "02_trends",
        "what changed month by month",
        ("year-on-year", "groups", "knife-crime"),
        printed=True,
    ),
    Section(
        "standing",
        "Where it stands among the 32 boroughs",
        "03_comparison",
        "how it compares",
        ("mopac-7-boroughs", "change-funnel", "burglary-per-household"),
        printed=True,
    ),
    Section(
        "stops",
        "Stop and search",
        "04_stop_and_search",
        "who is stopped and searched",
        ("disproportionality", "stops-by-month", "search-outcomes"),
        printed=True,
    ),
    Section(
        "engagement",
        "Engagement with the public",
        "05_engagement",
        "who was met and listened to",
        ("survey", "survey-years"),
    ),
    Section(
        "load",
        "What subscriber load would take",
        "06_subscriber_load",
        "what answering subscribers would ask of a team",
        ("load-readings", "load-break-even"),
        lead_in="Modelled: ",
    ),
    Section(
        "claims",
        "What has been claimed, checked",
        "07_claims",
        "which public statements stand up",
        ("claims-vehicle-crime", "claims-verdicts"),
    ),
)
# A chart that answers the question of another section than its notebook's.
_MOVED = {"year-on-year": "change"}


# -- what a run left -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chart:
    """One chart of a run, or the reason why there is none."""

    name: str
    said: Mapping[str, str]
    svg: str = ""
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    formats: tuple[str, ...] = ()

    @property
    def absent(self) -> bool:
        """Whether it could not be drawn honestly."""
        return "reason" in self.said


@dataclass(frozen=True)
class Run:
    """A finished run's folder, read once."""

    folder: Path
    record: Mapping[str, Any]
    charts: Mapping[str, Chart]
    tables: Mapping[str, pl.DataFrame]

    @property
    def area(self) -> str:
        """The borough's name, or London."""
        return self.record["area"]

    @property
    def period(self) -> str:
        """The financial year that was asked for."""
        return self.record["period"]

    @property
    def notebooks(self) -> Mapping[str, Any]:
        """What ran, with what it made."""
        return self.record["notebooks"]

    def charts_of(self, notebook: str) -> list[Chart]:
        """The charts a notebook made, by name."""
        made = self.notebooks.get(notebook, {}).get("files", {})
        names = sorted(Path(path).stem for path in made if re.fullmatch(r"charts/[^/]+\.txt", path))
        return [self.charts[name] for name in names if name in self.charts]


def read_run(folder: Path) -> Run:
    """Read a finished run's record, charts and tables.

    Raises
    ------
    FileNotFoundError
        for a folder that is no run.
    """
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    charts = {path.stem: _chart(path) for path in sorted((folder / "charts").glob("*.txt"))}
    tables = {path.stem: read_csv(path) for path in sorted((folder / "tables").glob("*.csv")) if path.stat().st_size}
    return Run(folder, record, charts, tables)


def _chart(text: Path) -> Chart:
    said = read_txt(text)
    if "reason" in said:
        return Chart(text.stem, said)
    made = tuple(kind for kind in FORMATS if text.with_suffix(f".{kind}").is_file())
    svg = text.with_suffix(".svg").read_text(encoding="utf-8")
    return Chart(text.stem, said, plot_alone(svg, said["title"]), read_csv(text.with_suffix(".csv")), made)


# -- what the page says of it --------------------------------------------------------------------------------------------


def verdict_count(run: Run) -> int:
    """How many verdicts at 95% the page holds on this place: those that were given, not those that could not be."""
    total = 0
    for name, column, place in _VERDICTS:
        table = run.tables.get(name)
        if table is None or column not in table.columns:
            continue
        rows = table.filter(pl.col(place) == run.area) if place in table.columns else table
        said = rows[column].cast(pl.String).drop_nulls()
        total += said.filter(~said.is_in(["", CANNOT_SAY])).len()
    return total


def target_rows(run: Run) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Every target as a row of words (what, whose, when, the result, how sure, the verdict): those judged, then the rest."""
    table = run.tables.get("targets")
    if table is None or "verdict" not in table.columns:
        return [], []
    rows = [(row["verdict"] != CANNOT_SAY, _target_row(row)) for row in table.iter_rows(named=True)]
    return [row for judged, row in rows if judged], [row for judged, row in rows if not judged]


def _target_row(row: Mapping[str, Any]) -> dict[str, str]:
    when = f"{row['baseline_period']} to {row['period']}" if row["baseline_period"] else str(row["period"])
    result, sure = "", ""
    if words.is_level(row):
        result = f"{row['result_percent']:g}" + (" points" if str(row["unit"]).startswith("percentage") else "%")
        sure = f"{row['noise_low']:.1f}% to {row['noise_high']:.1f}%" if row["noise_low"] is not None else ""
    elif words.middle(row) is not None:
        result = f"{words.change_figure(row)}, {words.counts_between(row)}"
        sure = words.intervals(row) if row["noise_low"] is not None else ""
    elif row["baseline"] is not None and row["outturn"] is not None:
        result = words.counts_between(row)
    if row["target"] is None:
        asked = "not published"
    elif words.is_level(row):
        asked = f"{row['target']:g}" + (" points" if str(row["unit"]).startswith("percentage") else "%")
    else:
        asked = words.as_set(row["target"])
    verdict = words.capital(words.verdict_phrase(row))
    if row["printed_verdict"]:
        verdict = f"{verdict}. Printed at the time: {row['printed_verdict']}"
    return {
        "measure": words.capital(row["measure"]),
        "owner": row["target_owner"],
        "asked": asked,
        "when": when,
        "result": result or "none that can be shown",
        "sure": sure or "no interval",
        "verdict": verdict,
    }


def cannot_say(run: Run) -> list[str]:
    """What the run itself could not say, a line for each reason: the charts that were not drawn for it."""
    reasons: dict[str, list[str]] = {}
    for chart in run.charts.values():
        if chart.absent:
            reasons.setdefault(chart.said["reason"], []).append(chart.name.replace("-", " "))
    return [f"{words.capital(', '.join(names))}: {reason}." for reason, names in reasons.items()]


@dataclass(frozen=True)
class Used:
    """A source of the edition: what it is, and which of its snapshots were read."""

    source: Source
    snapshots: str
    files: int


def used_sources(inputs: Iterable[str]) -> list[Used]:
    """The catalogue's sources that an edition's input files are of, with the dates in the files' paths."""
    found = []
    for source in sources().values():
        paths = [path for path in inputs if source.recognises(path)]
        if paths:
            found.append(Used(source, _dates(paths), len(paths)))
    return found


def _dates(paths: list[str]) -> str:
    dates = sorted({match[0] for path in paths for match in re.finditer(r"(?<!\d)20\d\d-[01]\d(?!\d)", path)})
    if not dates:
        return "one edition, not dated in its name"
    return " and ".join(dates) if len(dates) < 3 else f"{len(dates)} monthly files, {dates[0]} to {dates[-1]}"


# -- cells -----------------------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A cell of a data table for reading: whole numbers whole, others to four figures; the CSV has every digit."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", words.MINUS)
    if isinstance(value, float):
        if value == int(value) and abs(value) < 1e15:
            return shown(int(value))
        digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
        return f"{value:,.{digits}f}".replace("-", words.MINUS)
    return str(value)


def _table(frame: pl.DataFrame) -> dict[str, Any]:
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    return {
        "columns": [(name.replace("_", " "), number) for name, number in zip(frame.columns, numeric)],
        "rows": [[(shown(value), number) for value, number in zip(row, numeric)] for row in frame.iter_rows()],
    }


# -- the page --------------------------------------------------------------------------------------------------------------


def _built(run: Run, section: Section) -> dict[str, Any]:
    """A section with its charts: the open ones in their order, then the rest."""
    charts = [
        chart for chart in run.charts_of(section.notebook) if _MOVED.get(chart.name, section.ident) == section.ident
    ]
    charts += [
        run.charts[name]
        for name, ident in _MOVED.items()
        if ident == section.ident and name in run.charts and run.charts[name] not in charts
    ]
    leads = section.leads or tuple(chart.name for chart in charts[:2])
    order = {name: n for n, name in enumerate(leads)}
    open_ = sorted((chart for chart in charts if chart.name in order), key=lambda chart: order[chart.name])
    return {
        "section": section,
        "leads": open_,
        "more": [chart for chart in charts if chart.name not in order],
        "ran": section.notebook in run.notebooks,
        "known": section.notebook in _known_notebooks(),
    }


@cache
def _known_notebooks() -> tuple[str, ...]:
    from wardbook.run.runner import notebooks

    return tuple(notebooks())


def page(run: Run) -> str:
    """The summary of a run as one HTML page that asks nothing of any other file but the links a reader follows."""
    built = [_built(run, section) for section in SECTIONS]
    placed = {chart.name for part in built for chart in [*part["leads"], *part["more"]]}
    others = [chart for chart in run.charts.values() if chart.name not in placed]
    count = verdict_count(run)
    judged, unjudged = target_rows(run)
    return (
        _templates()
        .get_template("summary.html.j2")
        .render(
            run=run,
            title=f"Policing in {run.area}, {run.period}",
            is_london=run.area == LONDON,
            sections=built,
            others=others,
            headlines=[
                (part["section"], part["leads"][0]) for part in built if part["leads"] and not part["leads"][0].absent
            ],
            multiplicity=words.multiplicity(count, whose="The tables behind this page hold") if count else "",
            judged=judged,
            unjudged=unjudged,
            cannot_say=cannot_say(run),
            sources=used_sources(run.record["inputs"]),
            own_files=sorted({name for entry in run.notebooks.values() for name in entry.get("files_read", {})}),
            quoted=f"'{run.area}'" if " " in run.area else run.area,
            table=_table,
            workbook=any(table.height for table in run.tables.values()),
        )
    )


@cache
def _templates() -> Any:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": words.number, "capital": words.capital}
    return made


def write_summary(folder: Path) -> Path:
    """Write a run's summary, and its tables as a workbook, beside its charts; the path of the page."""
    from wardbook.workbook import WORKBOOK, write_workbook

    run = read_run(folder)
    write_workbook(run, folder / WORKBOOK)
    write_text(folder / PAGE, page(run))
    return folder / PAGE


# -- every run -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """One run in the list of all: where it is, and the change in its recorded offences that it is ranked by."""

    area: str
    period: str
    href: str
    change: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = ""


def listed(out: Path) -> list[Listed]:
    """Every finished run with a page under a folder: by period, the newest first, then by the change, the largest fall first."""
    found = []
    for record in sorted(out.glob(f"*/*/{RECORD}")):
        folder = record.parent
        if folder.name.startswith(".") or not (folder / PAGE).is_file():
            continue
        said = json.loads(record.read_text(encoding="utf-8"))
        found.append(
            Listed(said["area"], said["period"], f"./{folder.parent.name}/{folder.name}/{PAGE}", **_total(folder))
        )
    found.sort(key=lambda run: (run.change is None, run.change, run.area))
    return sorted(found, key=lambda run: run.period, reverse=True)


def _total(folder: Path) -> dict[str, Any]:
    """The change in all recorded offences, with the wider of its intervals, if the run has it."""
    table = folder / "tables" / "changes.csv"
    rows = read_csv(table).filter(pl.col("measure") == TOTAL) if table.is_file() else pl.DataFrame()
    if rows.is_empty():
        return {}
    row = rows.row(0, named=True)
    ends = [row[name] for name in ("noise_low", "usual_low", "noise_high", "usual_high") if row[name] is not None]
    if row["change_percent"] is None or not ends:
        return {"verdict": row["change_verdict"]}
    return {"change": row["change_percent"], "low": min(ends), "high": max(ends), "verdict": row["change_verdict"]}


def write_index(out: Path) -> Path:
    """Write the list of every run under a folder, whole or not at all, and return its path."""
    runs = listed(out)
    ends = [end for run in runs for end in (run.low, run.high) if end is not None]
    low, high = min([*ends, -1.0]), max([*ends, 1.0])
    periods = list(dict.fromkeys(run.period for run in runs))
    text = (
        _templates()
        .get_template("index.html.j2")
        .render(
            periods=[(period, [run for run in runs if run.period == period]) for period in periods],
            total=TOTAL,
            at=lambda value: round(100 * (value - low) / (high - low), 2),
            signed=words.signed,
            span=words.span,
        )
    )
    write_text(out / INDEX, text)
    return out / INDEX
