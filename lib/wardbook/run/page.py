"""One page from a finished run: five plain sentences first, then the targets in force, then every chart with its working.

A build step over the run's folder. It computes no measure and reads no prose: every sentence, chart and number is one that a
figure's JSON or a table of the run holds.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from wardbook.catalogue import Source, sources
from wardbook.figures import wording
from wardbook.figures.figure import FORMATS, MOST_MARKS, UNSEEN, Figure, read_figure
from wardbook.figures.table import read_csv
from wardbook.folders import write_text
from wardbook.places import LONDON, Area

PAGE = "summary.html"
RECORD = "run.json"
FIRST_SCREEN = "words/first-screen.json"
TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A heading of the page, the notebook that answers it, and the charts that are open, in order; the rest is folded."""

    ident: str
    heading: str
    notebook: str
    leads: tuple[str, ...] = ()
    own: str = ""  # the page that London has for it in a site
    asked: str = ""  # the question that leads here
    in_london: str = ""  # its heading on London's page, where that is another


SECTIONS = (
    Section(
        "change",
        "What changed, beside London",
        "01_targets",
        ("year-change", "knife-crime"),
        asked="Is crime up, and is it just us?",
        in_london="What changed",
    ),
    Section("trends", "Month by month", "02_trends", ("changing", "groups", "vawg")),
    Section(
        "comparison",
        "Beside the other boroughs, and ward by ward",
        "03_comparison",
        ("change-funnel", "ranking", "ward-rates"),
        own="rankings",
    ),
    Section(
        "searches",
        "Stop and search",
        "04_stop_and_search",
        ("disproportionality", "stops-by-month", "search-outcomes"),
        asked="Are searches fair?",
    ),
    Section("residents", "What residents say", "05_engagement", ("survey", "survey-years")),
    Section("hours", "Officers' hours, and mail", "06_subscriber_load", ("officer-hours-lost",), own="hours"),
    Section("claims", "What has been claimed, checked", "07_claims", ("claims-verdicts",), own="claims"),
    Section("sources", "What is here, and how far to trust it", "08_sources", own="sources"),
)
# What London alone has a page for in a site, by the file's name.
OWN_PAGES = {
    "rankings": "Rankings of boroughs and wards",
    "claims": "Claims and plans, checked",
    "hours": "Officers’ hours and load",
    "sources": "Sources and cautions",
}
# What a folded chart is of, where its file's name does not say so in a reader's words.
PLAIN = {
    "mopac-7-other-years": "the Mayor’s seven crimes in other years",
    "past-targets": "targets of the past",
    "assurance": "knife crime’s months beside its target",
    "before-after": "before and after",
    "vawg": "violence against women and girls",
    "knife-outcomes": "what came of knife crime",
    "violence-beside": "violence beside what recording hardly moves",
    "business-outcomes": "what came of business crime",
    "ward-map": "a map of wards",
    "ward-years": "wards over the years",
    "children": "children searched",
    "clothing": "clothing removed",
    "definitions": "by who defined ethnicity",
    "disproportionality-boroughs": "ethnicity in every borough",
    "disproportionality-by-object": "ethnicity by what was searched for",
    "ward-stops": "a map of searches",
    "ward-stops-list": "searches by ward",
    "contact-hours": "knowing an officer beside officers’ hours",
    "load-break-even": "how much mail is too much",
    "officer-hours-demand": "hours beside offences and residents",
    "officer-hours-even": "hours beside an even share",
    "claims-heard": "statements heard at meetings",
    "claims-plans": "plans in force",
    "claims-printed": "printed figures counted again",
    "claims-verdicts": "verdicts by who spoke",
    "holdings": "months held",
    "revisions": "counts that were revised",
    "unplaced": "offences without a place",
}
FIRST_CHART = "live-targets"  # stands on the first screen, above the sections


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
    def drawings(self) -> dict[str, dict[str, str]]:
        """The figures as the page shows them, by name and size."""
        return {name: _drawings(figure) for name, figure in self.figures.items() if not figure.absent}

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


def used_sources(inputs: Mapping[str, str]) -> list[tuple[Source, str]]:
    """The catalogue's sources that an edition's input files are of, each with the dates in its files' paths."""
    used = []
    for source in sources().values():
        paths = [path for path in inputs if source.recognises(path)]
        dates = sorted(set(re.findall(r"(?<!\d)20\d\d-[01]\d(?!\d)", " ".join(paths))))
        words = wording.listed(dates) if len(dates) < 4 else f"{dates[0]} to {dates[-1]} ({len(dates)} months)"
        if paths:
            # Dates of files: a release of one month holds years of them.
            used.append((source, f"files dated {words}" if dates else "one release, not dated in its name"))
    return used


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


MOST_ROWS = 33  # as many as there are areas; a longer table is a file to open, of which a page shows how it begins
FIRST_ROWS = 12


def _table(frame: pl.DataFrame) -> dict[str, Any]:
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    shown = frame if frame.height <= MOST_ROWS else frame.head(FIRST_ROWS)
    named = frame.select(pl.selectors.numeric() & pl.selectors.ends_with("year"))
    years = [column.name for column in named if column.is_between(1990, 2100).all()]  # others are a year's count
    shown = shown.with_columns(pl.col(years).cast(pl.Int64).cast(pl.String))
    return {
        "height": frame.height,
        "columns": [(name.replace("_", " "), number) for name, number in zip(frame.columns, numeric)],
        "rows": [[(cell(value), number) for value, number in zip(row, numeric)] for row in shown.iter_rows()],
    }


# What Vega writes for its own scripts, names each of hundreds of marks by, repeats from the page, or leaves as it is anyway.
_UNDRAWN = re.compile(
    r' (?:class|aria-roledescription|aria-label|aria-hidden|xmlns|xmlns:xlink|font-family|pointer-events)="[^"]*"'
    r'| role="graphics-[a-z]+"| (?:stroke-|fill-)?opacity="1"| text-anchor="start"| stroke-width="1"| [xy]2="0"'
    r'| transform="translate\(0,0\)"| font-size="13px"'
)
_EMPTY = re.compile(
    r'<path [^>]*\bdisplay="none"/>|<path d="M0,0h[\d.]+v[\d.]+h-?[\d.]+Z"/>|<text[^>]*/>|<text[^>]* opacity="0"[^>]*>[^<]*</text>'
)
_MARK = re.compile(
    r' aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="(?:bar|point|circle|square|tick|rect|geoshape)"'
)
_PLACED = re.compile(r' (?:d|transform|[xyr][12]?|width|height|font-size)="[^"]*"')
_CIRCLE = re.compile(
    r'<path([^>]*) transform="translate\(([-\d.]+),([-\d.]+)\)"([^>]*) d="M([\d.]+),0A\5,\5,0,1,1,-\5,0A\5,\5,0,1,1,\5,0"'
)
_TEXT = re.compile(r'<text([^>]*) transform="translate\(([-\d.]+),([-\d.]+)\)"(?=[^>]*>[^<]*</text>)')
_LINES = re.compile(r' d="([MLZ\d.,-]+)"')
_ALIKE = re.compile(r"<g>((?:<(?:path|circle|rect|line)[^>]*/>|<text[^>]*>[^<]*</text>){3,})</g>")
_STYLE = re.compile(r' (?:fill|stroke|stroke-width|text-anchor|font-size|font-weight)="[^"]*"')
_UNNAMED = ("dot", "tick", "last", "number")  # columns that are named by how they are drawn


def slim(svg: str) -> str:
    """A drawing without what draws nothing, its places to a tenth of a pixel, each mark with its numbers as `data-say`."""
    if len(_MARK.findall(svg)) > MOST_MARKS:
        svg = UNSEEN.sub("", svg)
    if len(_MARK.findall(svg)) <= MOST_MARKS:
        svg = _MARK.sub(lambda mark: f' data-say="{html.escape(_told(html.unescape(mark[1])))}"', svg)
    # Most text has the page's size, which is said once.
    drawn = _EMPTY.sub("", _UNDRAWN.sub("", svg)).replace("<svg", '<svg font-size="13px"', 1)
    drawn = _PLACED.sub(lambda part: re.sub(r"\d+\.\d\d+", lambda place: f"{float(place[0]):.1f}", part[0]), drawn)
    drawn = _CIRCLE.sub(r'<circle\1 cx="\2" cy="\3"\4 r="\5"', drawn)
    drawn = _TEXT.sub(r'<text\1 x="\2" y="\3"', drawn)
    drawn = _LINES.sub(lambda path: f' d="{_in_steps(path[1])}"', drawn)
    while drawn != (drawn := re.sub(r"<g></g>|<g/>|<g>(<g>(?:(?!</?g).)*</g>)</g>", r"\1", drawn)):
        pass
    return _ALIKE.sub(_styled_once, drawn)


def _in_steps(path: str) -> str:
    """A path of straight lines with each point as a step from the one before it, which has fewer digits."""
    steps = []
    for line in re.findall(r"M[^MZ]*|Z", path):
        points = [[round(10 * float(place)) for place in point.split(",")] for point in line[1:].split("L") if point]
        if points:
            steps.append(f"M{points[0][0] / 10:g},{points[0][1] / 10:g}")
        moved = [f"{(x - x0) / 10:g},{(y - y0) / 10:g}" for (x0, y0), (x, y) in pairwise(points)]
        steps.append("Z" if line == "Z" else "l" + " ".join(moved) if moved else "")
    return "".join(steps)


def _styled_once(group: re.Match[str]) -> str:
    """A group of marks with what all of them have in common said by the group."""
    tags = re.findall(r"<(?!/)[^>]*>", group[1])
    shared = set.intersection(*(set(_STYLE.findall(tag)) for tag in tags))
    marks = _STYLE.sub(lambda style: "" if style[0] in shared else style[0], group[1])
    return f"<g{''.join(sorted(shared))}>{marks}</g>"


def _told(label: str) -> str:
    """What Vega names a mark by, for a reader: the name first, then its numbers, rounded, each by its column; and words alone."""
    pairs = [part.partition(": ")[::2] for part in re.split(r"; (?=[\w ]+: )", label) if ": " in part]
    pairs = [(field, value) for field, value in pairs if field != "spell" and value not in ("true", "false")]
    names = [value for field, value in pairs if field in ("name", "row", "borough", "ward")]
    rest = [
        _shorter(value)
        if field in _UNNAMED or re.search("[A-Za-z]", value)
        else f"{field.replace('_percent', ' %').replace('_', ' ')} {_shorter(value)}"
        for field, value in pairs
        if value not in names
    ]
    return ": ".join(part for part in (", ".join(names), ", ".join(rest)) if part)


def _shorter(value: str) -> str:
    value = re.sub(r"^(\w{3}) 01, (\d{4})$", r"\1 \2", value)  # a month
    return re.sub(r"\d+\.\d\d+", lambda number: f"{float(number[0]):,.1f}", value)


def _drawings(figure: Figure) -> dict[str, str]:
    """A figure as a page shows it, by size: `page`, `phone`, and `print` where the page's would not fit half a sheet."""
    made = {"page": slim(figure.svg("page", bare=True))}
    for size in figure.sizes[1:]:
        # All sizes are in the page at once: each has parts of its own, and is named by the words of the first.
        double = "<title.*</desc>" if size == "phone" else '<title.*</desc>| data-say="[^"]*"'
        other = re.sub(double, "", slim(UNSEEN.sub("", figure.svg(size, bare=True))))
        made[size] = other.replace(f"wb-{figure.name}-part", f"wb-{size}-{figure.name}-part")
    return made


def write_page(folder: Path) -> Path:
    """Write a run's page, and its tables as a workbook, beside its charts; the path of the page."""
    from wardbook.run.workbook import write_workbook

    run = read_run(folder)
    write_workbook(run.record, run.tables, folder)
    write_text(folder / PAGE, page(run))
    return folder / PAGE


def page(run: Run, site: Sequence[Area] = (), own: str = "") -> str:
    """The page of a run: it asks for no other file but the links a reader follows and, in a site, the site's own scripts.

    Parameters
    ----------
    site : the areas of the site the page is part of, if it is. own : which of `OWN_PAGES`
        it is; London's other sections in a site stand on those.
    """
    is_london = run.area == LONDON
    known = {section.notebook for section in SECTIONS}
    others = [Section(name, f"Also in this run: {name}", name) for name in run.record["notebooks"] if name not in known]
    inputs = {name for entry in run.record["notebooks"].values() for name in entry.get("files_read", {})}
    template = environment().get_template("page.html.j2")
    return template.render(
        run=run,
        site=site,
        own=own,
        own_pages=OWN_PAGES if any(area.is_london for area in site) else {},
        is_london=is_london,
        first=run.figures.get(FIRST_CHART) if not own else None,
        sections=[
            _placed(run, part, every=bool(own))
            for part in (*SECTIONS, *others)
            if part.own == own or not (site and is_london)
        ],
        sources=used_sources(run.record["inputs"]),
        own_files=sorted(inputs),
        quoted=shlex.quote(run.area),
        # A site holds what its script cannot make from the page.
        formats=("csv",) if site else FORMATS,
        table=_table,
        told=set(),
        plain=PLAIN,
    )


def _placed(run: Run, section: Section, *, every: bool) -> dict[str, Any]:
    """A section with its charts: those that are open, in order, and those that are folded; on a page of its own all are open."""
    figures = {figure.name: figure for figure in run.figures_of(section.notebook) if figure.name != FIRST_CHART}
    every = every or section not in SECTIONS
    leads = dict.fromkeys([*section.leads, *figures] if every else section.leads)
    open_ = [name for name in leads if name in figures and not figures[name].absent]
    return {
        "section": section,
        "open": [figures[name] for name in open_],
        "folded": [figure for name, figure in figures.items() if name not in open_],
        "ran": section.notebook in run.record["notebooks"],
    }


def with_figure(lead: str) -> str:
    """The first words of a statement with its figure marked to be read as one, beside which way it went."""
    arrow = "▲ " if " rose " in lead else "▼ " if " fell " in lead else ""
    figure = rf'<b><span aria-hidden="true">{arrow}</span>\g<0></b>'
    return re.sub(r"\d[\d,.]*%?", figure, html.escape(lead, quote=False), count=1)


@cache
def environment() -> jinja2.Environment:
    """The pages' templates: what is not given is an error, and every text is escaped."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    made = wording.environment().overlay(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters = made.filters | {"with_figure": with_figure}
    return made
