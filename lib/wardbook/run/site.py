"""One website from finished runs and the edition: a front page, a page an area, answers to claims, ward counts.

Static files that ask for nothing outside themselves and work from a folder: what a page looks up is a script it loads on
first use, since a page opened as a file may not fetch. No measure is computed here: a change is judged by `measures.change`,
and its sentence is the one `wardbook claim` says, its numbers left open.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from wardbook import claim, periods, places
from wardbook.book import MONTHLY, Book, open_book
from wardbook.edition import from_root
from wardbook.figures import maps, wording
from wardbook.folders import beside, put_in_place, write_text
from wardbook.measures import change, rates
from wardbook.measures.wards import NO_RESIDENT_RATE
from wardbook.periods import Period, read_period, year_to
from wardbook.places import LONDON, REFERENCE, Area
from wardbook.run.page import RECORD, TEMPLATES, Run, environment, page, read_drawings, read_run

SITE = "site"
ANSWERS = "answers.js"
CELLS = REFERENCE / "borough_cells.csv"


@cache
def areas() -> tuple[Area, ...]:
    """London, then the 32 boroughs by name: the order of every list of the site."""
    return tuple(places.area(name) for name in (LONDON, *places.boroughs()["borough"].sort()))


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
                write_text(work / area.slug / "wards.js", _script("wards", wards[area.name]))
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


# -- answers to claims --------------------------------------------------------------------------------------------------


def _script(name: str, content: Any) -> str:
    """A script that hands one value to `site.js`."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"wardbook.take({json.dumps(name)},{text});\n"


def box_windows(book: Book, series: str) -> list[tuple[Period, Period]]:
    """The pairs the box answers for: twelve months to each quarter's end, and the newest, against the twelve before."""
    months = sorted(book.table(series)["month"].unique())
    ends = [month for month in months if month.month % 3 == 0 or month == months[-1]]
    pairs = [(year_to(month).earlier(), year_to(month)) for month in ends]
    return [pair for pair in pairs if pair[0].first >= months[0] and book.holds(series, *pair)]


def answers(book: Book, earlier: str = "") -> str:
    """The script with every answer of the claim box: an area, an offence, a period of `box_windows`.

    Each row of an offence and a pair of periods holds the counts of every area, which pattern its sentence has, and how many
    of the other changes were as far. A pattern is the sentence of `wardbook claim` with its numbers left open.

    Parameters
    ----------
    earlier : the script as it was made before, given back if it is of the same edition and rules.
    """
    head = f"// edition {book.edition.id}, rules {_rules()}\n"
    if earlier.startswith(head):
        return earlier
    named, rows, windows, patterns = [], {}, {}, {}
    for series, (column, _) in MONTHLY.items():
        items = book.table(series)[column].unique().sort().to_list()
        first = len(named)
        named += [
            {"series": series, "item": item, "said": _said(item), "source": book.source(series)} for item in items
        ]
        windows[series] = []
        for before, after in box_windows(book, series):
            windows[series].append([str(before), str(after), before.words, after.words])
            judged = change.compare(
                book.monthly(series, before, after), before, after, periods.declared_breaks(), series
            )
            by_item = judged.partition_by("offence_group", as_dict=True)
            for number, item in enumerate(items, first):
                rows[f"{number} {before} {after}"] = _row(series, item, before, after, by_item.get((item,)), patterns)
    called = {
        words: number
        for words, (series, item) in claim.offences(book).items()
        for number, one in enumerate(named)
        if (one["series"], one["item"]) == (series, item)
    }
    content = {
        "areas": [area.name for area in areas()],
        "edition": book.edition.id,
        "offences": named,
        "called": called,
        "windows": windows,
        "patterns": list(patterns),
        "caveat": wording.templates("claim")["claim"]["caveat"],
        "rows": rows,
    }
    return head + _script("answers", content)


def _rules() -> str:
    """A digest of what an answer depends on besides the edition."""
    files = [Path(module.__file__) for module in (claim, change, periods, wording)]
    files += [Path(__file__), *sorted(wording.FOLDER.glob("[cm]*.[tj]*")), REFERENCE / "breaks.csv", claim.SYNONYMS]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _row(series: str, item: str, before: Period, after: Period, judged: pl.DataFrame, patterns: dict[str, int]) -> Any:
    """The answers of every area for one offence and two periods, or the reason there is none."""
    try:
        claim.check_ended(series, item, before, after)
    except claim.ClaimRefused as refused:
        return str(refused)
    here = {row["borough_code"]: row for row in judged.iter_rows(named=True)}
    listed = [here[area.code] for area in areas()]
    used = [
        patterns.setdefault(_pattern(row, before, after, is_london=not number), len(patterns))
        for number, row in enumerate(listed)
    ]
    row = [*([one[name] for one in listed] for name in ("before", "after")), used, [one["as_far"] for one in listed]]
    # Why two counts cannot be compared is the same for all; what limits a verdict is no part of the sentence.
    return [*row, [listed[0]["of"], listed[1]["of"]], listed[0]["why"], listed[0]["crosses"] or ""]


# -- a sentence with its numbers left open ------------------------------------------------------------------------------


class _OpenNumber(float):
    """A number that a template can compare, and that prints as a place for it."""

    name: str

    def __str__(self) -> str:
        return f"{{{self.name}}}"


class _OpenText(str):
    """A text that a template can look into, and that prints as a place for it."""

    name: str

    def __str__(self) -> str:
        return f"{{{self.name}}}"


def _opened(name: str, value: Any) -> Any:
    if isinstance(value, bool) or value is None or value == "":
        return value
    kind = _OpenText if isinstance(value, str) else _OpenNumber
    made = kind(value)
    made.name = name
    return made


@cache
def _open_sentence() -> jinja2.Template:
    """The template of a claim's sentence, whose filters print the place of a number and how it is to be written."""

    def written(how: str) -> Any:
        def place(value: Any, *options: Any) -> str:
            return "–" if value is None else "{" + "|".join([value.name, how, *map(str, options)]) + "}"

        return place

    def capital(text: str) -> str:
        return text.replace("}", "|capital}", 1) if text.startswith("{") else wording.capital(text)

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(wording.FOLDER), undefined=jinja2.StrictUndefined, autoescape=False
    )
    made.filters |= wording.environment().filters
    made.filters |= {name: written(name) for name in ("count", "percent", "signed")}
    made.filters["capital"] = capital
    made.globals["say"] = made.get_template("macros.j2").module
    return made.from_string(wording.templates("claim")["claim"]["sentence"])


def _pattern(row: dict[str, Any], before: Period, after: Period, *, is_london: bool) -> str:
    # A verdict is looked at and never printed but in one place, where it is the same words everywhere.
    verdict = row["against_london"]
    opened = {name: _opened(name, value) for name, value in row.items()} | {"against_london": verdict}
    texts = {"area": "{area}", "item": "{item}", "is_london": is_london}
    texts |= {name: _opened(name, period.words) for name, period in (("before_words", before), ("after_words", after))}
    return wording.joined(_open_sentence().render(row=opened, **texts))


def _said(item: str) -> str:
    return str(wording.environment().globals["say"].series(item)).strip()


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
            "groups": [[group, wording.capital(_said(group)), group in NO_RESIDENT_RATE] for group in groups],
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
