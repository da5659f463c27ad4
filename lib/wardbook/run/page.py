"""One page from a finished run: five plain sentences first, then the targets in force, then every chart with its working.

A build step over the run's folder. It computes no measure and reads no prose: every sentence, chart and number is one that a
figure's JSON or a table of the run holds.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import polars as pl

from wardbook.catalogue import Source, sources
from wardbook.figures import wording
from wardbook.figures.figure import FORMATS, Figure, read_figure, units
from wardbook.figures.table import read_csv
from wardbook.folders import write_text
from wardbook.places import LONDON, Area

PAGE = "summary.html"
RECORD = "run.json"
FIRST_SCREEN = "words/first-screen.json"
TEMPLATES = Path(__file__).parent
HALF_A_SHEET = 420  # px that a drawing may be high for two with their words to stand on a sheet of A4


@dataclass(frozen=True)
class Section:
    """A heading of the page, the notebook that answers it, and the charts that are open, in order; the rest is folded."""

    ident: str
    heading: str
    notebook: str
    leads: tuple[str, ...] = ()


SECTIONS = (
    Section("change", "What changed, beside London", "01_targets", ("year-change", "knife-crime")),
    Section("trends", "Month by month", "02_trends", ("changing", "groups", "vawg")),
    Section(
        "comparison",
        "Beside the other boroughs, and ward by ward",
        "03_comparison",
        ("change-funnel", "ranking", "ward-rates"),
    ),
    Section(
        "searches", "Stop and search", "04_stop_and_search", ("disproportionality", "stops-by-month", "search-outcomes")
    ),
    Section("residents", "What residents say", "05_engagement", ("survey", "survey-years")),
    Section("hours", "Officers' hours, and mail", "06_subscriber_load", ("officer-hours-lost", "officer-hours-demand")),
    Section("claims", "What has been claimed, checked", "07_claims", ("claims-verdicts", "claims-heard")),
    Section("sources", "What is here, and how far to trust it", "08_sources", ()),
)
# Charts that stand on the first screen, above the sections.
FIRST_CHARTS = ("live-targets",)


@dataclass(frozen=True)
class Run:
    """A finished run's folder, read once."""

    folder: Path
    record: Mapping[str, Any]
    figures: Mapping[str, Figure]
    statements: list[dict[str, str]] = field(default_factory=list)

    @property
    def area(self) -> str:
        """The borough's name, or London."""
        return self.record["area"]

    @property
    def period(self) -> str:
        """The period that was asked for, in words."""
        return self.record["period_words"]

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables the notebooks saved, by name."""
        paths = sorted((self.folder / "tables").glob("*.csv"))
        return {path.stem: read_csv(path) for path in paths if path.stat().st_size}

    def figures_of(self, notebook: str) -> list[Figure]:
        """The figures a notebook made, by name."""
        made = self.record["notebooks"].get(notebook, {}).get("files", {})
        names = sorted(Path(path).stem for path in made if re.fullmatch(r"charts/[^/]+\.json", path))
        return [self.figures[name] for name in names if name in self.figures]


def read_run(folder: Path) -> Run:
    """Read a finished run's record, figures and first sentences.

    Raises
    ------
    FileNotFoundError
        for a folder that is no run.
    """
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    figures = {path.stem: read_figure(path) for path in sorted((folder / "charts").glob("*.json"))}
    first = folder / FIRST_SCREEN
    parts = json.loads(first.read_text(encoding="utf-8"))["parts"] if first.is_file() else []
    return Run(folder, record, figures, parts)


@dataclass(frozen=True)
class Used:
    """A source of the edition: what it is, and which of its files were read."""

    source: Source
    dates: str
    files: int


def used_sources(inputs: Mapping[str, str]) -> list[Used]:
    """The catalogue's sources that an edition's input files are of, with the dates in the files' paths."""
    used = []
    for source in sources().values():
        patterns = (source.pattern, *getattr(source, "also", ()))
        paths = [path for path in inputs if any(fnmatch(path, pattern) for pattern in patterns)]
        if paths:
            used.append(Used(source, _dates(paths), len(paths)))
    return used


def _dates(paths: list[str]) -> str:
    dates = sorted({match[0] for path in paths for match in re.finditer(r"(?<!\d)20\d\d-[01]\d(?!\d)", path)})
    if not dates:
        return "one release, not dated in its name"
    return " and ".join(dates) if len(dates) < 3 else f"{len(dates)} months, {dates[0]} to {dates[-1]}"


def cell(value: Any) -> str:
    """A cell of a data table for reading: whole numbers whole, others to four figures; the CSV has every digit."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        whole = isinstance(value, int) or (value == int(value) and abs(value) < 1e15)
        digits = 0 if whole else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
        return f"{value:,.{digits}f}".replace("-", wording.MINUS)
    return str(value)


MOST_ROWS = 40  # a longer table is a file to open, not a page to read


def _table(frame: pl.DataFrame) -> dict[str, Any]:
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    return {
        "height": frame.height,
        "columns": [(name.replace("_", " "), number) for name, number in zip(frame.columns, numeric)],
        "rows": [
            [(cell(value), number) for value, number in zip(row, numeric)] for row in frame.head(MOST_ROWS).iter_rows()
        ],
    }


# What Vega writes for its own scripts, names each of hundreds of marks by, repeats from the page, or leaves as it is anyway.
_UNDRAWN = re.compile(
    r' (?:class|aria-roledescription|aria-label|aria-hidden|xmlns|xmlns:xlink|font-family|pointer-events)="[^"]*"'
    r'| role="graphics-[a-z]+"| (?:stroke-|fill-)?opacity="1"| text-anchor="start"| stroke-width="1"| [xy]2="0"'
    r'| transform="translate\(0,0\)"|<path [^>]*\bdisplay="none"/>|<path d="M0,0h0v0h0Z"/>| font-size="13px"'
)
_MARK = re.compile(
    r' aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="(?:bar|point|circle|square|tick|rect|geoshape)"'
)
_PLACED = re.compile(r' (?:d|transform|[xyr][12]?|width|height|font-size)="[^"]*"')
_CIRCLE = re.compile(r'<path([^>]*) d="M([\d.]+),0A\2,\2,0,1,1,-\2,0A\2,\2,0,1,1,\2,0"')
_NO_STROKE = re.compile(r"<(?:path|circle|rect|text)(?![^>]* stroke=)[^>]*>")
MOST_MARKS = 150  # a drawing with more says its numbers in its table alone


def slim(svg: str) -> str:
    """A drawing without what draws nothing, its places to a tenth of a pixel, each mark with its numbers as `data-say`."""
    if len(_MARK.findall(svg)) <= MOST_MARKS:
        svg = _MARK.sub(lambda mark: f' data-say="{html.escape(_told(html.unescape(mark[1])))}"', svg)
    # Most text has the page's size, which is said once.
    drawn = _UNDRAWN.sub("", svg).replace("<svg", '<svg font-size="13px"', 1)
    drawn = _PLACED.sub(lambda part: re.sub(r"\d+\.\d\d+", lambda place: f"{float(place[0]):.1f}", part[0]), drawn)
    drawn = _CIRCLE.sub(r'<circle\1 r="\2"', drawn)
    drawn = _NO_STROKE.sub(lambda mark: mark[0].replace(' stroke-width="2"', ""), drawn)
    while drawn != (drawn := re.sub(r"<g></g>|<g/>", "", drawn)):
        pass
    return drawn


def _told(label: str) -> str:
    """What Vega names a mark by, for a reader: the name first, then its numbers, rounded."""
    pairs = [part.partition(": ")[::2] for part in re.split(r"; (?=[\w ]+: )", label) if ": " in part]
    names = [value for field, value in pairs if field in ("name", "row", "borough", "ward")]
    rest = [
        f"{field.replace('_percent', ' %').replace('_', ' ')} {_shorter(value)}"
        for field, value in pairs
        if value not in names
    ]
    return ": ".join(part for part in (", ".join(names), ", ".join(rest)) if part)


def _shorter(value: str) -> str:
    value = re.sub(r"^(\w{3}) 01, (\d{4})$", r"\1 \2", value)  # a month
    return re.sub(r"\d+\.\d\d+", lambda number: f"{float(number[0]):,.1f}", value)


# The drawings of a run's page, so that the site need not draw them again.
DRAWINGS = "drawings.json"


def drawings(figures: Mapping[str, Figure]) -> dict[str, dict[str, str]]:
    """Each figure as the page shows it, by size: `page`, `phone`, and `print` where the page's would not fit half a sheet."""
    made = {}
    for name, figure in figures.items():
        if figure.absent:
            continue
        told = _with_points(figure)
        if len(_MARK.findall(told.svg("page", bare=True))) > MOST_MARKS:
            told = figure
        made[name] = {"page": slim(told.svg("page", bare=True)), "phone": slim(figure.svg("phone", bare=True))}
        if float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', made[name]["page"])[1]) > HALF_A_SHEET:
            made[name]["print"] = slim(figure.svg("print", bare=True))
        # Each size is in the page at once, so each has ids of its own.
        for size in ("phone", "print"):
            if size in made[name]:
                made[name][size] = made[name][size].replace(f"wb-{name}", f"wb-{size}-{name}")
    return made


def _with_points(figure: Figure) -> Figure:
    """The figure with a point, not to be seen, at each value of its lines: a line has one name for all of its values."""
    spec = json.loads(json.dumps(figure.spec))
    lines = [unit["mark"] for unit in units(spec) if isinstance(unit["mark"], dict) and unit["mark"]["type"] == "line"]
    for mark in lines:
        mark["point"] = {"opacity": 0, "size": 80}
    return replace(figure, spec=spec) if lines else figure


def write_page(folder: Path) -> Path:
    """Write a run's page, its drawings, and its tables as a workbook, beside its charts; the path of the page."""
    from wardbook.run.workbook import write_workbook

    run = read_run(folder)
    write_workbook(run.record, run.tables, folder)
    drawn = drawings(run.figures)
    write_text(folder / DRAWINGS, json.dumps(drawn, ensure_ascii=False))
    write_text(folder / PAGE, page(run, drawn))
    return folder / PAGE


def read_drawings(run: Run) -> dict[str, dict[str, str]]:
    """The drawings that a run's page was made with; drawn now, if it left none."""
    kept = run.folder / DRAWINGS
    return json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else drawings(run.figures)


def page(run: Run, drawn: Mapping[str, Mapping[str, str]], site: Sequence[Area] = ()) -> str:
    """The page of a run: it asks for no other file but the links a reader follows and, in a site, the site's own scripts.

    Parameters
    ----------
    drawn : as `drawings` gives them. site : the areas of the site the page is part of, if it is.
    """
    sections, placed = [], set(FIRST_CHARTS)
    for section in SECTIONS:
        figures = [figure for figure in run.figures_of(section.notebook) if figure.name not in FIRST_CHARTS]
        order = {name: n for n, name in enumerate(section.leads or [figure.name for figure in figures[:2]])}
        open_ = sorted((f for f in figures if f.name in order and not f.absent), key=lambda figure: order[figure.name])
        folded = [figure for figure in figures if figure not in open_]
        placed |= {figure.name for figure in figures}
        sections.append(
            {"section": section, "open": open_, "folded": folded, "ran": section.notebook in run.record["notebooks"]}
        )
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            site=site,
            is_london=run.area == LONDON,
            first=[run.figures[name] for name in FIRST_CHARTS if name in run.figures],
            sections=sections,
            others=[figure for figure in run.figures.values() if figure.name not in placed],
            sources=used_sources(run.record["inputs"]),
            own_files=sorted(
                {name for entry in run.record["notebooks"].values() for name in entry.get("files_read", {})}
            ),
            quoted=f"'{run.area}'" if " " in run.area else run.area,
            # A site holds what its script cannot make from the page.
            formats=("csv", "txt") if site else FORMATS,
            table=_table,
            drawn=drawn,
        )
    )


@cache
def environment() -> Any:
    """The pages' templates: what is not given is an error, and every text is escaped."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": wording.number, "capital": wording.capital, "signed": wording.signed}
    return made
