"""One website from finished runs and the edition: a front page, a page an area, answers to claims, ward counts.

Static files that ask for nothing outside themselves and work from a folder: what a page looks up is a script it loads on
first use, since a page opened as a file may not fetch. No measure is computed here: a change is judged by `measures.change`,
and its sentence is the one `wardbook claim` says, its numbers left open.
"""

from __future__ import annotations

import shutil
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from shapely import unary_union

from wardbook import periods
from wardbook.book import Book, open_book
from wardbook.figures import maps, wording
from wardbook.folders import beside, is_other, put_in_place, write_text
from wardbook.measures import change, rates
from wardbook.periods import year_to
from wardbook.places import LONDON, REFERENCE, Area, from_root
from wardbook.run.answers import answers, areas, said, script
from wardbook.run.execute import RunError
from wardbook.run.export import finished_runs, newest
from wardbook.run.page import OWN_PAGES, TEMPLATES, Run, environment, page, read_run
from wardbook.run.sliders import PAGE as SLIDERS_PAGE
from wardbook.run.workbook import WORKBOOK

SITE = "site"
ANSWERS = "answers.js"
CELLS = REFERENCE / "borough_cells.csv"


def newest_runs(out: Path) -> dict[str, Path]:
    """The finished run of each area whose period ends last, by the area's slug."""
    return {area.slug: folder for area in areas() if (folder := newest(finished_runs(out, area)))}


def write_site(out: Path | str = "outputs", to: Path | str | None = None, edition: Path | str = "data/edition") -> Path:
    """Make the site from the newest finished run of each area under `out`, whole or not at all; the path of its front page.

    Parameters
    ----------
    out : where the runs are. to : the site's folder; by default `site` in it. Answers that an earlier site at this place
        holds, made from the same edition, tables and code, are kept, since to judge every change takes minutes.

    Raises
    ------
    RunError
        for a folder that holds something else than a site.
    """
    out = from_root(out)
    to = from_root(to) if to else out / SITE
    if is_other(to, ANSWERS):
        raise RunError(f"{to} is there and is no site (no {ANSWERS}): move it, or name another folder")
    to.parent.mkdir(parents=True, exist_ok=True)
    book = open_book(LONDON, edition=str(edition))
    runs = {slug: read_run(folder) for slug, folder in newest_runs(out).items()}
    with beside(to) as work:
        earlier = to / ANSWERS
        write_text(work / ANSWERS, answers(book, earlier.read_text(encoding="utf-8") if earlier.is_file() else ""))
        shutil.copyfile(TEMPLATES / "site.js", work / "site.js")
        wards, listed = ward_counts(book), [area for area in areas() if area.slug in runs]
        for area in listed:
            (work / area.slug / "charts").mkdir(parents=True)
            if area.code in wards:
                write_text(work / area.slug / "wards.js", script("wards", wards[area.code]))
            _write_area(runs[area.slug], work / area.slug, listed)
        front = environment().get_template("front.html.j2")
        write_text(
            work / "index.html",
            front.render(areas=areas(), runs=runs, totals=_totals(runs), hexagons=_hexagons(), book=book),
        )
        put_in_place(work, to)
    return to / "index.html"


def _write_area(run: Run, folder: Path, site: list[Area]) -> None:
    for own in ("", *OWN_PAGES) if run.area == LONDON else ("",):
        write_text(folder / f"{own or 'index'}.html", page(run, site, own))
    for name in (*(f"charts/{name}.csv" for name in run.drawings), WORKBOOK, SLIDERS_PAGE):
        path = run.folder / name
        if path.is_file():
            shutil.copyfile(path, folder / name)


# -- the front page -----------------------------------------------------------------------------------------------------


def _totals(runs: dict[str, Run]) -> dict[str, dict[str, Any]]:
    """Of each area that was run, by its slug, the change in all recorded offences and how it stands beside London."""
    tables = {slug: run.tables["changes"] for slug, run in runs.items() if "changes" in run.tables}
    return {
        slug: table.row(by_predicate=pl.col("offence_group") == change.TOTAL, named=True)
        for slug, table in tables.items()
    }


def _hexagons() -> list[dict[str, Any]]:
    """A cell a borough: its middle in the drawing, and its name in lines."""
    by_code = {area.code: area for area in areas()}
    return [
        {
            "x": 62 + 84 * (row["column"] - 1) + 42 * (row["row"] % 2),
            "y": 52 + 73 * row["row"],
            "lines": row["label"].split(" ", 1) if len(row["label"]) > 12 else [row["label"]],
            "area": by_code[row["borough_code"]],
        }
        for row in pl.read_csv(CELLS).iter_rows(named=True)
    ]


# -- ward by ward -------------------------------------------------------------------------------------------------------


def ward_counts(book: Book) -> dict[str, dict[str, Any]]:
    """What the ward map of each borough draws: wards with residents and a schematic cell, counts by offence and year.

    A year is a financial year, the last one the newest twelve months. `limits` are Byar's 95 % interval of each count, so
    that a rate's interval is a division.
    """
    table = book.table("ward_offences")
    table = table.filter(snapshot=table["snapshot"].max())
    months = sorted(table["month"].unique())
    windows = [year_to(month) for month in months[11:] if month.month == 3 or month == months[-1]]
    sums = [pl.col("offences").filter(window.within(pl.col("month"))).sum().alias(str(window)) for window in windows]
    counted = table.group_by("offence_group", "ward_code").agg(sums)
    counts = {(group, ward): yearly for group, ward, *yearly in counted.iter_rows()}
    breaks = periods.declared_breaks().filter(series="ward_offences")
    groups = sorted({group for group, _ in counts} - {*breaks.filter(effect="ends")["offence_groups"]})
    none = [0] * len(windows)
    residents = book.table("population").group_by("ward_code").agg(pl.col("residents").sum())
    wards = book.table("wards").join(residents, on="ward_code").join(counted, on="ward_code", how="semi").sort("ward")
    shapes = dict(maps.schematic_cells(book.table("wards")).set_index("ward_code")["geometry"])
    cuts = breaks.filter(pl.col("from_month") >= date(2020, 1, 1), effect="cuts")
    interval = cache(lambda count: [round(end, 1) for end in rates.byar(count)])  # the same counts are everywhere
    made = {}
    for (borough,), inside in wards.group_by("borough_code"):
        yearly = [[counts.get((group, ward), none) for ward in inside["ward_code"]] for group in groups]
        held = sorted({count for group in yearly for ward in group for count in ward})
        made[borough] = {
            "wards": inside.select("ward", "residents").rows(),
            "shapes": _paths([shapes[ward] for ward in inside["ward_code"]]),
            "groups": [wording.capital(said(group)) for group in groups],
            "total": wording.capital(said(change.TOTAL)),
            "years": [window.words for window in windows],
            "counts": yearly,
            "limits": {count: interval(count) for count in held},
            "breaks": " ".join(f"{what}." for what in cuts["what"]),
        }
    return made


def _paths(shapes: list[Any]) -> dict[str, Any]:
    """Cells as one drawing 600 wide: `height`, and a path each."""
    west, south, east, north = unary_union(shapes).bounds
    scale = 600 / (east - west)
    paths = []
    for shape in shapes:
        corners = [((x - west) * scale, (north - y) * scale) for x, y in shape.simplify(40).exterior.coords]
        paths.append("M" + "L".join(f"{x:.0f},{y:.0f}" for x, y in corners) + "Z")
    return {"height": round((north - south) * scale), "paths": paths}
