"""A claim heard at a meeting, answered: one offence, one area, two periods, in a sentence with London beside it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import altair as alt
import polars as pl

from wardbook import periods, places, register
from wardbook.book import MONTHLY, Book, open_book
from wardbook.figures import marks
from wardbook.figures.figure import Figure
from wardbook.folders import beside, put_in_place
from wardbook.measures import change, wards
from wardbook.measures import claims as measures
from wardbook.periods import Period
from wardbook.places import REFERENCE, UnknownName, from_root

SYNONYMS = REFERENCE / "synonyms.csv"
_SEARCHES = re.compile(r"stop.*search|searche?s?\b", re.IGNORECASE)


class ClaimRefused(ValueError):
    """A claim that cannot be answered from the edition; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What a claim comes to: one sentence, the row behind it, and its figure."""

    sentence: str
    row: dict
    figure: Figure
    folder: Path | None = None


def synonyms() -> pl.DataFrame:
    """`data/reference/synonyms.csv`: what people call offences, `words`, `series`, `item`, `says`; add a row to teach one."""
    return pl.read_csv(SYNONYMS)


def offences(book: Book) -> dict[str, tuple[str, str]]:
    """Every name an offence is known by, as (series, item): those of the edition's tables, then what people call them."""
    own = {
        item.casefold(): (series, item)
        for series in MONTHLY
        if series in book.edition.tables
        for item in book.table(series)[MONTHLY[series][0]].unique().sort()
    }
    held = set(own.values())
    called = {row["words"].casefold(): (row["series"], row["item"]) for row in synonyms().iter_rows(named=True)}
    return {words: what for words, what in called.items() if what in held} | own


def find_offence(book: Book, offence: str) -> tuple[str, str]:
    """The series and item that somebody means.

    Raises
    ------
    ClaimRefused
        for a question about searches, which another notebook answers.
    UnknownName
        naming every name that is taken.
    """
    known = offences(book)
    asked = " ".join(str(offence).split()).casefold()
    if asked in known:
        return known[asked]
    if _SEARCHES.search(asked):
        raise ClaimRefused(
            "stop and search is no offence: notebook 04_stop_and_search answers for it "
            f"(wardbook run --borough {shlex.quote(book.area.name)} --only 04_stop_and_search)"
        )
    names = sorted({item for _, item in known.values()} | set(known))
    raise UnknownName("offence", offence, names, "data/reference/offence_groups.csv and synonyms.csv")


def check_ended(series: str, item: str, before: Period, after: Period) -> None:
    """Refuse two periods between which a series ends: `ClaimRefused`, with what ended it."""
    ends = periods.declared_breaks().filter(effect="ends")
    ended = periods.breaks_between(ends, series, item, before.first, after.last)
    if not ended.is_empty():
        raise ClaimRefused(f"{before.words} and {after.words} of {item} cannot be compared: {ended['what'][0]}")


def compare(book: Book, series: str, item: str, before: Period, after: Period) -> pl.DataFrame:
    """One offence in two periods for every borough and London, judged by the ruler; the columns of `change.judge_windows`.

    Raises
    ------
    ClaimRefused
        for what cannot be compared, saying why.
    """
    if before >= after:
        how = "the same" if before == after else "in reverse order"
        raise ClaimRefused(
            f"{before.words} and {after.words} are {how}: a claim compares an earlier period with a later one"
        )
    if before.length != after.length or before.first.month != after.first.month:
        raise ClaimRefused(
            f"{before.words} and {after.words} are different months of the year, and offences have seasons: compare the same "
            f"months, for example {after.words} with {after.earlier().words}"
        )
    if before.last >= after.first:
        raise ClaimRefused(f"{before.words} and {after.words} overlap: some offences would be counted in both")
    if not book.holds(series, before, after):
        months = book.table(series)["month"]
        raise ClaimRefused(
            f"{before.words} and {after.words} of {item} cannot be compared: the edition holds {months.min():%B %Y} to "
            f"{months.max():%B %Y}, and compares two periods only where one snapshot holds both"
        )
    check_ended(series, item, before, after)
    monthly = book.monthly(series, before, after).filter(offence_group=item)
    return change.compare(monthly, before, after, periods.declared_breaks(), series)


def answer(book: Book, offence: str, before: Period, after: Period) -> Answer:
    """Answer a claim about one change in the book's area."""
    series, item = find_offence(book, offence)
    judged = compare(book, series, item, before, after)
    row = judged.row(by_predicate=pl.col("borough_code") == book.area.code, named=True)
    monthly = book.monthly(series, before, after).filter(offence_group=item)
    here = monthly.filter(
        pl.col("borough_code") != places.UNKNOWN if book.area.is_london else pl.col("borough_code") == book.area.code
    )
    # The same months in every year held: the two that are compared stand among the others.
    held = set(here["month"])
    years = [window for window in map(after.earlier, range(30, -31, -1)) if held.issuperset(window.months)]
    counts = [here.filter(window.within(pl.col("month")))["offences"].sum() for window in years]
    named = {"period": map(str, years), "year": [window.last for window in years], "offences": counts}
    bars = pl.DataFrame(named | {"compared": [window in (before, after) for window in years]})
    chart = (
        alt.Chart(bars)
        .mark_bar()
        .encode(
            x=alt.X(
                "period:O", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120, labelOverlap=True)
            ),
            y=alt.Y("offences:Q", title=None, axis=marks.number_axis()),
            color=alt.condition("datum.compared", alt.value(marks.FOCUS), alt.value(marks.CONTEXT)),
        )
        .properties(height=220)
    )
    known = {"series": series, "item": item, "row": row, "before_words": before.words, "after_words": after.words}
    book = replace(book, notebook="claim", output_dir=None)
    figure = book.figure(
        _slug(item, str(before), str(after)), chart, bars, source=book.source(series), table="claim", **known
    )
    return Answer(figure.words["sentence"], row, figure)


def claim(
    borough: str,
    offence: str,
    first: str,
    last: str,
    *,
    out: Path | str = "outputs",
    edition: Path | str = "data/edition",
) -> Answer:
    """Answer a claim and save its chart set into `out/<borough>/claims/<offence>-<from>-<to>/`.

    Everything that can be refused is refused before anything is written.

    Parameters
    ----------
    borough : one of the Met's 32, or "London".
    offence : an offence group, or what people call it.
    first, last : the two periods: "latest", "2024-25", "year to 2025-11", "2025-06 to 2025-08".
    out, edition : folders; a relative path counts from the project's root.

    Raises
    ------
    wardbook.places.UnknownName, ClaimRefused
        for what is not known or cannot be compared.
    """
    book = open_book(borough, edition=str(edition))
    newest = book.period.last
    before, after = (periods.read_period(text, newest=newest) for text in (first, last))
    words = ["--borough", book.area.name, "--offence", offence, "--from", str(before), "--to", str(after)]
    book = replace(book, period=after, command=shlex.join(["wardbook", "claim", *words]))
    said = answer(book, offence, before, after)
    folder = from_root(out) / book.area.slug / "claims" / said.figure.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Drawn beside it first: a set that is half one claim and half another would be worse than none.
    with beside(folder) as work:
        said.figure.save(work)
        put_in_place(work, folder)
    return replace(said, folder=folder)


def _slug(*texts: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", " ".join(texts).lower()).strip("-")


# -- the register of statements, checked ----------------------------------------------------------------------------------


def check_register(book: Book, claims: pl.DataFrame) -> pl.DataFrame:
    """Every statement with its verdict (`measures.claims.check`), what the book's edition holds of it looked up first."""
    held = {
        row["claim_id"]: _HELD[row["check"]](book, row) for row in claims.iter_rows(named=True) if row["check"] in _HELD
    }
    return measures.check(claims, held)


def _recorded(book: Book, row: dict) -> dict:
    here = places.area(row["area"])
    before, after = (periods.read_period(row[name]) for name in ("baseline_period", "period"))
    items = []
    for name in row["item"].split(" | "):
        try:
            judged = compare(book, *find_offence(book, name), before, after)
        except (ClaimRefused, UnknownName):  # an edition may lack the table that holds it
            continue
        items += judged.filter(borough_code=here.code).to_dicts()
    return {"items": items}


def _outturn(book: Book, row: dict) -> dict:
    here, window = places.area(row["area"]), periods.read_period(row["period"])
    if not book.holds("borough_offences", window):
        return {}
    _, item = find_offence(book, row["item"])
    counts = book.monthly("borough_offences", window).filter(window.within(pl.col("month")), offence_group=item)
    mine = counts if here.is_london else counts.filter(borough_code=here.code)
    return {"outturn": mine["offences"].sum()}


def _hours(book: Book, row: dict) -> dict:
    code = places.area(row["area"]).code
    if "officer_hours" not in book.tables:
        return {}
    hours = book.table("officer_hours").filter(borough_code=code, financial_year=row["period"])
    return {"successes": hours["abstracted"][0], "trials": hours["hours"][0]} if hours.height else {}


def _ward(book: Book, row: dict) -> dict:
    """Where a ward stands among its area's, by recorded offences a resident; 1 has most."""
    if "ward_offences" not in book.tables:
        return {}
    window, code = periods.read_period(row["period"]), places.area(row["area"]).code
    counts = wards.ward_years(book.table("ward_offences"), find_offence(book, row["item"])[1], [window])
    counts = counts.select("ward_code", events=str(window))
    rated = wards.ward_rates(counts, book.table("wards"), book.table("population"))
    here = rated if code == places.LONDON_CODE else rated.filter(borough_code=code)
    ranked = here.with_columns(pl.col("raw_rate_per_1000").rank("min", descending=True).alias("rank"))
    mine = ranked.filter(ward=row["printed_text"])
    return {"rank": int(mine["rank"][0]), "of": ranked.height} if mine.height else {}


def _plan(book: Book, row: dict) -> dict:
    listed = register.plans(date.fromisoformat(row["said_on"])).filter(plan_id=row["parts"])
    if listed.is_empty():
        return {}
    one = listed.row(0, named=True)
    return {"years": f"{one['from_year']} to {one['to_year']}", "replaced": one["status"] == register.REPLACED}


_HELD = {"recorded": _recorded, "series": _outturn, "hours": _hours, "ward": _ward, "plan": _plan}
