"""One website from finished runs and the edition: a front page, a page an area, answers to claims, ward counts.

Static files that ask for nothing outside themselves and work from a folder: what a page looks up is a script it loads on
first use, since a page opened as a file may not fetch. No measure is computed here: a change is judged by `measures.change`,
and its sentence is the one `wardbook claim` says, its numbers left open.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from wardbook import periods, places
from wardbook.book import Book, open_book
from wardbook.edition import from_root
from wardbook.figures import maps, wording
from wardbook.folders import beside, put_in_place, write_text
from wardbook.measures import change, rates
from wardbook.periods import read_period, year_to
from wardbook.places import LONDON, REFERENCE
from wardbook.run.answers import answers, areas, said, script
from wardbook.run.page import RECORD, TEMPLATES, Run, environment, page, read_drawings, read_run

SITE = "site"
ANSWERS = "answers.js"
CELLS = REFERENCE / "borough_cells.csv"


def newest_runs(out: Path) -> dict[str, Path]:
    """The finished run of each area whose period ends last, by the area's slug."""
    newest: dict[str, tuple[date, Path]] = {}
    known = {area.slug for area in areas()}
    for record in sorted(out.glob(f"*/*/{RECORD}")):
        slug = record.parent.parent.name
        if slug not in known or record.parent.name.startswith("."):
            continue
        try:
            last = read_period(json.loads(record.read_text(encoding="utf-8"))["period"]).last
        except (ValueError, KeyError, TypeError):  # another's broken record harms nobody's site
            continue
        if slug not in newest or last > newest[slug][0]:
            newest[slug] = (last, record.parent)
    return {slug: folder for slug, (_, folder) in newest.items()}


def write_site(out: Path | str = "outputs", to: Path | str | None = None, edition: Path | str = "data/edition") -> Path:
    """Make the site from the newest finished run of each area under `out`, whole or not at all; the path of its front page.

    Parameters
    ----------
    out : where the runs are. to : the site's folder; by default `site` in it. Answers that an earlier site at this place
        holds of the same edition and the same rules are kept, since to judge every change takes minutes.
    """
    out = from_root(out)
    to = from_root(to) if to else out / SITE
    to.parent.mkdir(parents=True, exist_ok=True)
    book = open_book(LONDON, edition=str(edition))
    runs = {slug: read_run(folder) for slug, folder in newest_runs(out).items()}
    work = beside(to)
    try:
        earlier = to / ANSWERS
        write_text(work / ANSWERS, answers(book, earlier.read_text(encoding="utf-8") if earlier.is_file() else ""))
        shutil.copyfile(TEMPLATES / "site.js", work / "site.js")
        wards = ward_counts(book)
        for area in areas():
            (work / area.slug).mkdir()
            if area.name in wards:
                write_text(work / area.slug / "wards.js", script("wards", wards[area.name]))
            if area.slug in runs:
                _write_area(runs[area.slug], work / area.slug)
        front = environment().get_template("front.html.j2")
        write_text(
            work / "index.html",
            front.render(listed=_listed(runs), hexagons=_hexagons(runs), book=book, newest=f"{book.period.last:%B %Y}"),
        )
        put_in_place(work, to)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return to / "index.html"


def _write_area(run: Run, folder: Path) -> None:
    write_text(folder / "index.html", page(run, read_drawings(run), areas()))
    (folder / "charts").mkdir()
    for name, figure in run.figures.items():
        for kind in () if figure.absent else ("csv", "txt"):
            shutil.copyfile(run.folder / "charts" / f"{name}.{kind}", folder / "charts" / f"{name}.{kind}")
    if (run.folder / "tables.xlsx").is_file():
        shutil.copyfile(run.folder / "tables.xlsx", folder / "tables.xlsx")


# -- the front page -----------------------------------------------------------------------------------------------------


def _listed(runs: dict[str, Run]) -> list[dict[str, Any]]:
    """A row an area for the list: its change in all recorded offences and how that stands beside London, if it was run."""
    rows = []
    for area in areas():
        row = {"area": area, "run": runs.get(area.slug), "change": None, "against_london": ""}
        table = row["run"].tables.get("changes") if row["run"] else None
        total = table.filter(offence_group=change.TOTAL) if table is not None else pl.DataFrame()
        if total.height:
            row |= {"change": total["change_percent"][0], "against_london": total["against_london"][0] or ""}
        rows.append(row)
    return rows


def _hexagons(runs: dict[str, Run]) -> list[dict[str, Any]]:
    """A cell a borough: its middle in the drawing, its name in lines, and its page."""
    cells = pl.read_csv(CELLS)
    names = dict(places.boroughs().iter_rows())
    return [
        {
            "x": 62 + 84 * (row["column"] - 1) + 42 * (row["row"] % 2),
            "y": 52 + 73 * row["row"],
            "lines": row["label"].split(" ", 1) if len(row["label"]) > 12 else [row["label"]],
            "area": (area := places.area(names[row["borough_code"]])),
            "run": area.slug in runs,
        }
        for row in cells.iter_rows(named=True)
    ]


# -- ward by ward -------------------------------------------------------------------------------------------------------


def ward_counts(book: Book) -> dict[str, dict[str, Any]]:
    """What the ward map of each borough draws: wards with residents and a schematic cell, counts by offence and year.

    A year is a financial year, the last one the newest twelve months. `limits` are Byar's 95 % interval of each count, so
    that a rate's interval is a division.
    """
    table = book.edition.table("ward_offences")
    table = table.filter(snapshot=table["snapshot"].max())
    months = sorted(table["month"].unique())
    windows = [year_to(month) for month in months if month.month == 3 or month == months[-1]]
    windows = [window for window in windows if window.first >= months[0]]
    key = ["ward_code", "offence_group"]
    yearly = pl.DataFrame({"month": [m for w in windows[:-1] for m in w.months]}).with_columns(
        window=pl.int_range(pl.len()) // 12
    )
    counted = pl.concat(
        [
            table.join(yearly, on="month").group_by(*key, "window").agg(pl.col("offences").sum()),
            table.filter(windows[-1].within(pl.col("month")))
            .group_by(key)
            .agg(pl.col("offences").sum())
            .with_columns(window=pl.lit(len(windows) - 1, pl.Int64)),
        ],
        how="diagonal_relaxed",
    )
    residents = book.table("population").group_by("ward_code").agg(pl.col("residents").sum())
    wards = book.table("wards").join(residents, on="ward_code", how="left")
    shapes = dict(maps.schematic_cells(book.table("wards")).set_index("ward_code")["geometry"])
    groups = counted["offence_group"].unique().sort().to_list()
    cuts = periods.declared_breaks().filter(series="ward_offences", effect="cuts")
    made = {}
    for area in areas()[1:]:
        inside = wards.filter(
            pl.col("borough_code") == area.code, pl.col("ward_code").is_in(counted["ward_code"].unique().to_list())
        )
        codes = inside.sort("ward")["ward_code"].to_list()
        if not codes:
            continue
        own = counted.filter(pl.col("ward_code").is_in(codes))
        counts = {(w, g, n): c for w, g, n, c in own.select(*key, "window", "offences").iter_rows()}
        made[area.name] = {
            "wards": inside.sort("ward").select("ward", "residents").rows(),
            "shapes": _paths([shapes[code] for code in codes]),
            "groups": [[group, wording.capital(said(group))] for group in groups],
            "years": [window.words for window in windows],
            "counts": [[[counts.get((w, g, n), 0) for n in range(len(windows))] for w in codes] for g in groups],
            "limits": {
                count: [round(end, 1) for end in rates.byar(count)] for count in sorted(set(own["offences"].to_list()))
            },
            "breaks": [[row["from_month"].isoformat()[:7], row["what"]] for row in cuts.iter_rows(named=True)],
            "source": "MPS ward-level recorded crime from the Metropolitan Police Service; Census 2021 from the ONS",
        }
    return made


def _paths(shapes: list[Any]) -> dict[str, Any]:
    """Cells as one drawing 600 wide: `height`, and a path each."""
    west, south, east, north = (f(shape.bounds[i] for shape in shapes) for i, f in enumerate((min, min, max, max)))
    scale = 600 / (east - west)
    outlines = [
        "M"
        + "L".join(f"{(x - west) * scale:.0f},{(north - y) * scale:.0f}" for x, y in shape.simplify(40).exterior.coords)
        + "Z"
        for shape in shapes
    ]
    return {"height": round((north - south) * scale), "paths": outlines}
