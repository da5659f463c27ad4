"""The register of public statements and of plans, and a reader's own rows: read once, checked once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from functools import partial
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import periods, places
from wardbook.facts import read_facts, read_rows
from wardbook.measures import claims as measures
from wardbook.places import from_root
from wardbook.schemas import LINE, refused

SPEAKERS = (
    *("police", "mayor's office", "authority", "council", "Parliament", "resident or campaigner", "press"),
    "not stated",
)
_PERCENT = dy.Float64(nullable=True, min=-1000, max=10_000, description="a percentage as a plain number, such as -12.7")


def _number() -> dy.Float64:
    return dy.Float64(nullable=True, min=-1e12, max=1e12, description="a plain number, without commas or %")


def _text() -> dy.String:
    return dy.String(nullable=True)


class Claims(dy.Schema):
    """One public statement a row, restated in our own words, with its exact figures and where it stands."""

    claim_id = dy.String(primary_key=True, description="a name for the row, once in the register")
    document = dy.String(description="the publication")
    office = dy.String(description="the office that states it, never a person")
    said_by = dy.Enum(list(SPEAKERS))
    said_on = _text()
    where = _text()
    claim = dy.String(description="what is stated, in your own words")
    kind = dy.Enum(list(measures.KINDS))
    measure = _text()
    area = _text()
    baseline_period = _text()
    period = _text()
    check = dy.Enum(list(measures.CHECKS))
    before, after, change, target = _number(), _number(), _number(), _number()
    percent = _PERCENT
    decimals = dy.Int64(nullable=True, min=0, max=6)
    successes = dy.Int64(nullable=True, min=0)
    trials = dy.Int64(nullable=True, min=1)
    printed, found = _number(), _number()
    printed_text, found_text, unit, found_unit = _text(), _text(), _text(), _text()
    direction = dy.Enum(["fall", "rise"], nullable=True)
    printed_verdict = dy.Enum(["achieved", "missed"], nullable=True)
    parts, item, beside, overlaps, what_it_takes = _text(), _text(), _text(), _text(), _text()
    source = dy.String(description="where the statement can be read")
    source_address, quality, note = _text(), _text(), _text()


class Plans(dy.Schema):
    """A published plan, its owner and its years; `decided` is the day it was adopted, where that is known."""

    plan_id = dy.String(primary_key=True)
    plan = dy.String()
    owner = dy.String()
    area = dy.String()
    from_year = dy.Int64(min=2000, max=2100)
    to_year = dy.Int64(nullable=True, min=2000, max=2100)
    decided = dy.Date(nullable=True)
    successor = _text()
    source = dy.String()
    source_address = _text()
    quality = dy.Enum(["A", "B", "C"])
    note = _text()


def read_claims(claims_file: str = "", offences: Collection[str] = ()) -> pl.DataFrame:
    """`data/reference/claims.csv` (`Claims`), and a reader's own rows after it.

    Parameters
    ----------
    claims_file : path of a CSV with at least the columns of `Claims` that are never empty, but `said_by`, and what each
        row's check needs, or ""; a relative path counts from the project's root.
    offences : every name that an `item` of the reader's may have, as `claim.offences` gives them.

    Raises
    ------
    wardbook.schemas.SchemaViolation, wardbook.sources.reading.SourceError
        naming file, line, column, value and what is allowed.
    """
    published = _read(places.REFERENCE / "claims.csv", {}, ())
    if not claims_file:
        return published
    known = {row["claim_id"]: row for row in published.iter_rows(named=True)}
    return pl.concat([published, _read(from_root(claims_file), known, offences)])


def _read(path: Path, known: Mapping[str, dict], offences: Collection[str]) -> pl.DataFrame:
    claims, seen = read_rows(path, Claims, said_by="not stated"), dict(known)
    for row in claims.iter_rows(named=True):
        _check_row(row, path, seen)
        for name in (row["item"] or "").split(" | ") if row["check"] in ("recorded", "series", "ward") else ():
            if offences and name.casefold() not in offences:
                where = "data/reference/offence_groups.csv and synonyms.csv"
                raise refused(path, row, "item", str(places.UnknownName("offence", name, offences, where)))
        seen[row["claim_id"]] = row
    # Empty is text here, as it is in the file; an enumeration's words are text too.
    return claims.drop(LINE).cast({pl.Enum: pl.String})


def _check_row(row: dict, path: Path, seen: Mapping[str, dict]) -> None:
    """Refuse a row that its check could not use, naming what it lacks."""

    refuse = partial(refused, path, row)
    if row["claim_id"] in seen:
        raise refuse("claim_id", "each claim_id once, those of the published register among them")
    if row["kind"] not in measures.CLAIMED:
        return
    check, (_, *needs) = row["check"], measures.CHECKS[row["check"]]
    options = [option.split() for option in needs]
    if not any(all(row[name] is not None for name in option) for option in options):
        lacks = next(name for name in options[0] if row[name] is None)
        raise refuse(lacks, f"the check {check!r} needs {', or '.join(map(' and '.join, options))}")
    whole = {"change": ("before", "after", "change"), "vehicle_pair": ("change",)}
    for name in whole.get(check, ()):
        value = row[name] or 0.0
        if not value.is_integer() or (value < 0 and name != "change"):
            raise refuse(name, "a count: a whole number, 0 or more, or of a change less")
    if check in ("change", "recorded") and (row["percent"] or 0) * {"fall": -1, "rise": 1}.get(row["direction"], 0) < 0:
        raise refuse("percent", "less than 0 of a fall, more of a rise")
    if row["trials"] is not None and (row["successes"] or 0) > row["trials"]:
        raise refuse("successes", f"at most the trials, {row['trials']:,}")
    if check == "zero_of_n" and row["successes"] != 0:
        raise refuse("successes", "0: the check 'proportion' is for a share that was seen")
    for name in ("baseline_period", "period") if check == "windows" else ():
        if measures.window(row[name]) is None:
            raise refuse(name, "a window of months such as '2006-08 to 2008-04'")
    rests_on = (row["parts"] or "").split(" | ") if check in ("vehicle_pair", "series", "disputes") else ()
    for part in rests_on:
        if part not in seen:
            raise refuse("parts", str(places.UnknownName("claim", part, list(seen), "claims of earlier lines")))
        if check != "disputes" and (seen[part]["before"] is not None or seen[part]["change"] is None):
            raise refuse("parts", f"claims of a change and a percentage; {part!r} is none")
    column = "area"
    try:
        if check in ("recorded", "series", "ward", "hours"):
            places.area(row["area"])
        for column in ("baseline_period", "period") if check in ("recorded", "ward") else ():
            if row[column]:
                periods.read_period(row[column])
    except places.UnknownName as error:
        raise refuse(column, str(error)) from error


# -- plans ----------------------------------------------------------------------------------------------------------------

IN_FORCE, REPLACED, ENDED, TO_COME = "in force", "replaced", "ended, no successor in force", "not yet in force"


def plans(as_of: date) -> pl.DataFrame:
    """`data/reference/plans.csv` (`Plans`), each with its `status` on a day and, where it has one, its `successor_plan`.

    A plan begins on the day it was decided, or with its first year where that day is not known; it ends with its last year.
    """
    table = read_facts(places.REFERENCE / "plans.csv", Plans)
    begins = pl.coalesce("decided", pl.date(pl.col("from_year"), 1, 1)).alias("begins")
    table = table.with_columns(begins)
    later = table.select(
        successor="plan_id",
        successor_plan=pl.format("{} {}–{}", "plan", "from_year", "to_year"),
        successor_begins="begins",
    )
    status = (
        pl.when(pl.col("begins") > as_of)
        .then(pl.lit(TO_COME))
        .when(pl.col("successor_begins") <= as_of)
        .then(pl.lit(REPLACED))
        .when(pl.col("to_year") < as_of.year)
        .then(pl.lit(ENDED))
        .otherwise(pl.lit(IN_FORCE))
    )
    return table.join(later, on="successor", how="left", maintain_order="left").with_columns(status.alias("status"))
