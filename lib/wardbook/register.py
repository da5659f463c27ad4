"""The register of claims: the published ones and a reader's own, checked alike on reading."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl

from wardbook import periods, places, reference
from wardbook.edition import from_root
from wardbook.figures import charts, words
from wardbook.figures.export import Absent, Figure
from wardbook.measures import claims as measures
from wardbook.measures import verdicts
from wardbook.notebook import Book
from wardbook.sources import met
from wardbook.sources.reading import SourceError, read_text_table

# What a reader must say of a claim of their own; the rest may be left out where its check does not need it.
OWN_CLAIM_COLUMNS = ("claim_id", "document", "office", "claim", "kind", "check", "source")
# What each check needs, as sets of columns any one of which will do.
_NEEDS = {
    "change": (("before", "after", "percent"), ("before", "after", "change"), ("before", "after", "direction"))
    + (("change", "percent"),),
    "vehicle_pair": (("parts", "percent", "direction"),),
    "proportion": (("successes", "trials", "percent"),),
    "zero_of_n": (("successes", "trials"),),
    "arithmetic": (("before", "after", "change"),),
    "target": (("percent", "direction", "printed_verdict"),),
    "series": (("item", "area", "period", "parts", "target"),),
    "corrected": (("printed", "found"), ("printed", "what_it_takes")),
    "windows": (("baseline_period", "period", "printed"),),
    "trajectory": (("before", "target", "what_it_takes"),),
    "none": (("what_it_takes",),),
}
_WHOLE = ("before", "after", "change", "successes", "trials")
_WORDS = {
    "kind": measures.KINDS,
    "check": measures.CHECKS,
    "direction": ("", "fall", "rise"),
    "printed_verdict": ("", "achieved", "missed"),
}


class ClaimsFileError(ValueError):
    """A file of claims with a row that cannot be checked; the message names the file, line, column and value."""


class ClaimRefused(ValueError):
    """A claim that cannot be answered from the edition; the message says why."""


# -- the claims that were published, and a reader's own -----------------------------------------------------------------


def read_claims(claims_file: str = "") -> pl.DataFrame:
    """`data/reference/claims.csv`, and a reader's own rows after it.

    Parameters
    ----------
    claims_file : path of a CSV with at least `OWN_CLAIM_COLUMNS` and what each row's check needs, or ""; a relative path
        counts from the project's root.

    Raises
    ------
    ClaimsFileError
        naming file, line, column, value and what is allowed.
    """
    table = _read(places.REFERENCE / "claims.csv", known={})
    if not claims_file:
        return table
    if "\0" in claims_file:
        raise ClaimsFileError(f"{claims_file!r}: no such file (parameter claims_file)")
    published = {row["claim_id"]: row for row in table.iter_rows(named=True)}
    return pl.concat([table, _read(from_root(claims_file).resolve(), known=published)])


def _read(path: Path, *, known: dict[str, dict]) -> pl.DataFrame:
    try:
        table = read_text_table(path)
    except SourceError as error:
        raise ClaimsFileError(f"{error} (parameter claims_file)") from error
    missing = [name for name in OWN_CLAIM_COLUMNS if name not in table.columns]
    strange = [name for name in table.columns if name not in measures.CLAIMS]
    if missing or strange:
        lacks = f"lacks the columns {', '.join(missing)}"
        what = lacks if missing else f"has columns that mean nothing here: {', '.join(strange)}"
        raise ClaimsFileError(f"{path}: {what}; see data/reference/claims.csv for an example of each")
    table = table.with_columns(pl.col(pl.String).fill_null("").str.strip_chars())
    rows, seen = [], dict(known)
    for line, cells in enumerate(table.iter_rows(named=True), start=2):
        if not any(cells.values()):  # a blank line, as spreadsheets leave at the end
            continue
        row = _checked(dict.fromkeys(measures.CLAIMS.names(), "") | cells, f"{path}, line {line}", seen)
        seen[row["claim_id"]] = row
        rows.append(row)
    return pl.DataFrame(rows, schema=measures.CLAIMS)


def _checked(row: dict, where: str, seen: dict[str, dict]) -> dict:
    """A row with its numbers read, and all that its check will need; or refused, saying why."""

    def refuse(what: Exception | str) -> ClaimsFileError:
        return ClaimsFileError(f"{where}: {what}")

    for name in OWN_CLAIM_COLUMNS:
        if not row[name]:
            raise refuse(f"{name} is empty")
    try:
        for name, allowed in _WORDS.items():
            if row[name] not in allowed:
                raise places.UnknownName(name, row[name], [word for word in allowed if word], f"column {name}")
        for part in filter(None, row["parts"].split(" | ")):
            if part not in seen:
                raise places.UnknownName("claim", part, list(seen), "column parts: claims of earlier lines")
            if seen[part]["before"] is not None or seen[part]["change"] is None:
                raise refuse(f"parts {part!r} is no claim of a change and a percentage")
        if row["check"] == "series":
            periods.financial_year(row["period"])
            row["area"] = places.area(row["area"]).name
    except places.UnknownName as error:
        raise refuse(error) from error
    if row["claim_id"] in seen:
        raise refuse(f"claim_id {row['claim_id']!r} is there twice")
    for name in measures.NUMBERS:
        if row[name] and not re.fullmatch(r"[+-]?\d+(\.\d+)?", row[name]):
            raise refuse(f"{name} {row[name][:80]!r} is not a number (write it without blanks, commas or %)")
        if row[name] and abs(float(row[name])) > 1e12:
            raise refuse(f"{name} {row[name][:80]} is more than a count or a percentage can be")
    options = _NEEDS[row["check"]] if row["kind"] != "rhetoric" else ((),)
    if not any(all(row[name] for name in option) for option in options):
        need = ", or ".join(" and ".join(option) for option in options)
        raise refuse(f"check {row['check']!r} needs {need}")
    row = row | {name: float(row[name]) if row[name] else None for name in measures.NUMBERS}
    if row["check"] != "arithmetic":
        for name in _WHOLE:
            value = row[name]
            if value is not None and (not value.is_integer() or (value < 0 and name != "change")):
                raise refuse(f"{name} {value:g} is not a count (a whole number, 0 or more)")
    if row["trials"] is not None and not 0 <= (row["successes"] or 0) <= row["trials"] != 0:
        raise refuse(f"successes {row['successes']:g} of trials {row['trials']:g} is no share")
    if row["check"] == "zero_of_n" and row["successes"] != 0:
        raise refuse(f"successes {row['successes']:g} is not 0: use the check 'proportion'")
    if row["check"] == "windows":
        for name in ("baseline_period", "period"):
            if measures.window(row[name]) is None:
                raise refuse(f"{name} {row[name]!r} is no window such as '2006-08 to 2008-04'")
    return row


def window_table(book: Book, checked: pl.DataFrame) -> pl.DataFrame:
    """The checked claims that compare two windows of months, and what the windows' different calendar months would do.

    Adds `season_percent`: the change that the season mix alone makes in London's file, its years before April 2020 taken
    together; null where the file has no such group.
    """
    rows = checked.filter(pl.col("per_day_percent").is_not_null())
    months = book.edition.table("borough_offences").filter(
        pl.col("borough_code") != places.UNKNOWN, pl.col("month") < pl.date(2020, 4, 1)
    )
    shifts = []
    for row in rows.iter_rows(named=True):
        item = months.filter(offence_group=row["item"] or "").group_by("month").agg(pl.col("offences").sum())
        whole = len(periods.complete_years(item["month"])) * 12 == item.height and item.height > 0
        shifts.append(measures.season_shift(item, row["baseline_period"], row["period"]) if whole else None)
    return rows.with_columns(pl.Series("season_percent", shifts, dtype=pl.Float64))


# -- a claim about one change -------------------------------------------------------------------------------------------


def compare_claim(book: Book, offence: str, first: str, last: str) -> pl.DataFrame:
    """One recorded offence group in the book's area, in one financial year against another, with both intervals.

    Parameters
    ----------
    offence : an offence group of the edition, or a subtype of knife crime, however its capitals are written.
    first, last : financial years such as "2023-24", the earlier one first.

    Returns
    -------
    pl.DataFrame
        one row with the columns of `verdicts.assess_changes`.

    Raises
    ------
    wardbook.places.UnknownName
        for an offence group or a period that is not known, naming the nearest.
    ClaimRefused
        for what cannot be compared, saying why.
    """
    series, item = _find(book, offence)
    years = []
    for name, text in (("--from", first), ("--to", last)):
        try:
            years.append(periods.financial_year(text))
        except places.UnknownName as error:
            known = [str(year) for year in _held(book, series, item)]
            where = (
                f"{name} is a financial year such as '2024-25'; of {item}, the edition holds {known[0]} to {known[-1]}"
            )
            raise places.UnknownName("period", text, known, where) from error
    before, after = years
    if before >= after:
        how = "the same year" if before == after else "in reverse order"
        raise ClaimRefused(f"{before} and {after} are {how}: a claim compares an earlier year with a later one")
    if book.history.snapshot_for(series, item, before, after) is None:
        held = _held(book, series, item)
        lacking = [str(year) for year in years if year not in held]
        why = f"it lacks {' and '.join(lacking)}" if lacking else "each is in another snapshot"
        raise ClaimRefused(
            f"{before} and {after} of {item} cannot be compared: no snapshot of edition {book.edition.id} holds both in "
            f"full ({why}; it holds {held[0]} to {held[-1]})"
        )
    span = before.first_month, after.last_month
    ended = periods.breaks_between(book.history.breaks.filter(effect="ends"), series, item, *span)
    if not ended.is_empty():
        raise ClaimRefused(f"{before} and {after} of {item} cannot be compared: {ended['what'][0]}")
    wanted = dict.fromkeys(reference.TARGETS.names(), "") | {
        "measure": item.lower() if series == "knife_offences" else item,
        "series": series,
        "item": item,
        "area": book.area.name,
        "baseline_period": str(before),
        "period": str(after),
        "kind": "change_percent",
        "direction": "fall",
        "target": None,
    }
    table = verdicts.assess_targets(
        book.area,
        pl.DataFrame([wanted], schema=reference.TARGETS),
        book.results.clear(),
        book.history,
        period=after,
    )
    about_targets = ("target", "target_set", "target_owner", "verdict", "probability_met", "source", "quality")
    return table.drop(*about_targets, "printed_verdict", "printed_percent", "result_percent").rename(
        {"note": "crosses"}
    )


def _held(book: Book, series: str, item: str) -> list[periods.FinancialYear]:
    return [periods.FinancialYear(y) for y in sorted(book.history.series(series, item)["year"].unique())]


def _find(book: Book, offence: str) -> tuple[str, str]:
    """The series and the exact name of an offence group that every snapshot can fill."""
    wanted = " ".join(str(offence).split()).casefold()
    names = {item.casefold(): ("knife_offences", item) for item in book.history.items("knife_offences")}
    names |= {item.casefold(): ("borough_offences", item) for item in book.history.items("borough_offences")}
    if wanted not in names:
        groups = {group.casefold(): group for group in met.offence_groups()["offence_group"].unique()}
        if wanted in groups:
            raise ClaimRefused(
                f"{groups[wanted]!r} cannot be compared: no borough file of edition {book.edition.id} tells it apart"
            )
        known = sorted(item for _, item in names.values())
        raise places.UnknownName("offence group", offence, known, "data/reference/offence_groups.csv")
    series, item = names[wanted]
    if series == "borough_offences":
        filled = set(book.history.series(series, item)["snapshot"])
        lacking = sorted(set(book.history.borough_offences["snapshot"]) - filled)
        if lacking:
            raise ClaimRefused(
                f"{item!r} cannot be compared: the snapshot{'s' if len(lacking) > 1 else ''} {', '.join(lacking)} cannot "
                "tell it apart, so it does not mean the same thing in each file"
            )
    return series, item


def claim_sentence(row: dict) -> str:
    """One change and what it crosses, in one sentence."""
    said = words.change_sentence(row).removesuffix(".")
    crosses = row["crosses"].rstrip(".")
    return f"{said}; declared breaks crossed: {crosses or 'none'}."


def claim_figure(book: Book, rows: pl.DataFrame, *, name: str) -> Figure | Absent:
    """The one-row chart of a claim, with its sentence and its challenge line."""
    row = rows.row(0, named=True)
    figure = charts.verdicts(
        book,
        rows,
        name=name,
        title=words.change_title(row),
        measure=f"Recorded {row['measure']}",
        sentence=claim_sentence(row),
    )
    if isinstance(figure, Absent) or not row["crosses"]:
        return figure
    # A series with a declared break is never compared across it silently: the chart itself says so.
    said = f"Declared breaks crossed: {row['crosses'].rstrip('.')}."
    return replace(figure, subtitle=f"{figure.subtitle} {said}", alt_text=f"{figure.alt_text} {said}")
