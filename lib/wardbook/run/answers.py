"""The answers of the site's claim box: every area, offence and pair of years, each with the sentence `wardbook claim` says.

A change is judged by `measures.change` when the site is built, so that the small-count test stands once. A sentence is the
claim's own template with its numbers left open: a page puts them in, and no words are written twice.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import jinja2
import polars as pl

from wardbook import claim, periods, places
from wardbook.book import MONTHLY, Book
from wardbook.figures import wording
from wardbook.measures import change
from wardbook.periods import Period, year_to
from wardbook.places import LONDON, Area
from wardbook.run import runner


@cache
def areas() -> tuple[Area, ...]:
    """London, then the 32 boroughs by name: the order of every list of the site."""
    return tuple(places.area(name) for name in (LONDON, *places.boroughs()["borough"].sort()))


def script(name: str, content: Any) -> str:
    """A script that hands one value to `site.js`."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"wardbook.take({json.dumps(name)},{text});\n"


def box_windows(book: Book, series: str) -> list[tuple[Period, Period]]:
    """The pairs the box answers for: twelve months to each quarter's end and to each year's newest month, on the twelve before."""
    months = sorted(book.table(series)["month"].unique())
    ends = [month for month in months if month.month % 3 == 0 or month.month == months[-1].month]
    pairs = [(year_to(month).earlier(), year_to(month)) for month in ends]
    return [pair for pair in pairs if pair[0].first >= months[0] and book.holds(series, *pair)]


def answers(book: Book, earlier: str = "") -> str:
    """The script with every answer of the claim box: an area, an offence, a period of `box_windows`.

    Each row of an offence and a pair of periods holds the counts of every area, which pattern its sentence has, and how many
    of the other changes were as far. A pattern is the sentence of `wardbook claim` with its numbers left open.

    Parameters
    ----------
    earlier : the script as it was made before, given back if it was made from the same.
    """
    head = f"// edition {book.edition.id}, made from {runner.made_from(book.edition)}\n"
    if earlier.startswith(head):
        return earlier
    numbers, offences, rows, patterns, pairs = {}, [], {}, {}, set()
    for series, (column, _) in MONTHLY.items():
        items = book.table(series)[column].unique().sort().to_list()
        numbers |= {(series, item): number for number, item in enumerate(items, len(numbers))}
        offences += [{"item": item, "said": said(item), "source": book.source(series)} for item in items]
        held = box_windows(book, series)
        pairs |= set(held)
        with ThreadPoolExecutor() as pool:
            each = pool.map(partial(_judged, book, series), held)
        for (before, after), judged in zip(held, each):
            for (item,), rows_of in judged.group_by("offence_group", maintain_order=True):
                rows[f"{numbers[series, item]} {before} {after}"] = _row(series, item, before, after, rows_of, patterns)
    content = {
        "areas": [area.name for area in areas()],
        "edition": book.edition.id,
        "offences": offences,
        "called": {words: numbers[what] for words, what in claim.offences(book).items()},
        "pairs": [[str(before), str(after)] for before, after in sorted(pairs)],
        "words": {str(period): period.words for pair in sorted(pairs) for period in pair},
        "patterns": list(patterns),
        "caveat": wording.templates("claim")["claim"]["caveat"],
        "rows": rows,
    }
    return head + script("answers", content)


def _judged(book: Book, series: str, pair: tuple[Period, Period]) -> pl.DataFrame:
    return change.compare(book.monthly(series, *pair), *pair, periods.declared_breaks(), series)


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


@cache
def _open(kind: type, name: str) -> type:
    """Values of a kind that a template can compare and look into, and that print as a place for them."""
    return type("Open", (kind,), {"name": name, "__str__": lambda value: f"{{{name}}}"})


def _opened(name: str, value: Any) -> Any:
    if isinstance(value, bool) or value is None or value == "":
        return value
    return _open(str if isinstance(value, str) else float, name)(value)


@cache
def _open_sentence() -> jinja2.Template:
    """The template of a claim's sentence, whose filters print the place of a number and how it is to be written."""

    def written(how: str) -> Any:
        def place(value: Any, *options: Any) -> str:
            return "–" if value is None else "{" + "|".join([value.name, how, *map(str, options)]) + "}"

        return place

    def capital(text: str) -> str:
        return text.replace("}", "|capital}", 1) if text.startswith("{") else wording.capital(text)

    made = wording.environment().overlay()
    made.filters = made.filters | {name: written(name) for name in ("count", "percent", "signed")}
    made.filters["capital"] = capital
    made.globals = made.globals | {"say": made.get_template("macros.j2").module}
    return made.from_string(wording.templates("claim")["claim"]["sentence"])


def _pattern(row: dict[str, Any], before: Period, after: Period, *, is_london: bool) -> str:
    # A verdict is looked at and never printed but in one place, where it is the same words everywhere.
    verdict = row["against_london"]
    opened = {name: _opened(name, value) for name, value in row.items()} | {"against_london": verdict}
    texts = {"area": "{area}", "item": "{item}", "is_london": is_london}
    texts |= {name: _opened(name, period.words) for name, period in (("before_words", before), ("after_words", after))}
    return wording.joined(_open_sentence().render(row=opened, **texts))


def said(item: str) -> str:
    """An offence as it is said in the middle of a sentence."""
    return str(wording.environment().globals["say"].series(item)).strip()
