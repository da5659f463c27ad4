"""The hand-kept tables of published facts and a reader's own figures: one schema each, read once and checked once.

A row that breaks a rule is refused with the file, its line, the column, the value and what is allowed, before anything
is computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import periods, places
from wardbook.measures import load
from wardbook.schemas import LINE, SchemaViolation, Violation, read_as, refused
from wardbook.sources.reading import SourceError, read_text_table

_QUALITY = ["A", "B", "C", "D"]
# A cell of two lines would put every line number after it wrong; the rest no chart, page or kernel takes.
_CONTROL = r"[\p{Cc}\x{FFFE}\x{FFFF}&&[^\t]]"


class OfficerHours(dy.Schema):
    """Ward officers' duty hours of a borough (or London) and year, and how many were taken for other duties, by kind."""

    borough = dy.Enum([*places.boroughs()["borough"], places.LONDON], primary_key=True)
    period = dy.String(primary_key=True, regex=r"^20\d\d-\d\d$", description="a financial year such as 2023-24")
    hours = dy.Int64(min=1)
    abstracted = dy.Int64(nullable=True, min=0)
    abstracted_percent = dy.Float64(nullable=True, min=0, max=100)
    training = dy.Int64(nullable=True, min=0)
    aid = dy.Int64(nullable=True, min=0)
    staffing_up = dy.Int64(nullable=True, min=0)
    court = dy.Int64(nullable=True, min=0)
    source = dy.String()
    address = dy.String()
    quality = dy.Enum(_QUALITY)
    licence = dy.String()
    note = dy.String(nullable=True)

    @dy.rule()
    def either_abstracted_or_abstracted_percent(cls) -> pl.Expr:
        """One of the two; the other follows."""
        return pl.col("abstracted").is_not_null() != pl.col("abstracted_percent").is_not_null()

    @dy.rule()
    def abstracted_no_more_than_hours(cls) -> pl.Expr:
        """Hours taken are part of the hours worked."""
        return pl.col("abstracted").fill_null(0) <= pl.col("hours")

    @dy.rule()
    def kinds_that_add_up_to_abstracted(cls) -> pl.Expr:
        """Each kind is rounded to hours by itself: four of them may be 2 off together."""
        kinds = pl.sum_horizontal("training", "aid", "staffing_up", "court", ignore_nulls=False)
        return ((kinds - pl.col("abstracted")).abs() <= 2).fill_null(True)


class LoadAssumptions(dy.Schema):
    """Inputs of the load model: unit, central value, 90 % range, distribution, what may be set, and who published it."""

    name = dy.String(primary_key=True)
    label = dy.String()
    unit = dy.String()
    value = dy.Float64()
    low = dy.Float64()
    high = dy.Float64()
    distribution = dy.Enum(load.DISTRIBUTIONS)
    shape = dy.String(nullable=True)
    minimum = dy.Float64()
    maximum = dy.Float64()
    basis = dy.Enum(["published", "derived", "assumption"])
    evidence = dy.String()
    source = dy.String(description="who published it, or the word assumption")

    @dy.rule()
    def minimum_low_value_high_and_maximum_that_do_not_fall(cls) -> pl.Expr:
        """A range around the value, within what is possible."""
        return pl.col("low").is_between("minimum", "value") & pl.col("high").is_between("value", "maximum")

    @dy.rule()
    def the_source_assumption_where_that_is_the_basis_and_nowhere_else(cls) -> pl.Expr:
        """A guess is never dressed as a source."""
        return (pl.col("basis") == "assumption") == (pl.col("source") == "assumption")


class _Evidence(dy.Schema):
    figure = dy.Float64(min=0)
    unit = dy.String()
    what = dy.String()
    place = dy.String()
    date = dy.String(regex=r"^(19|20)\d\d(-\d\d){0,2}$", description="a year, a month (YYYY-MM) or a day (YYYY-MM-DD)")
    office = dy.String()
    publication = dy.String()
    address = dy.String(nullable=True)
    quality = dy.Enum(_QUALITY)
    note = dy.String(nullable=True)


class SubscriberEvidence(_Evidence):
    """Published counts of the people on a police mailing list, by place and day, and what that is a ward."""

    per_ward = dy.Float64(nullable=True, min=0)
    per_ward_how = dy.String()


class WorkforceEvidence(_Evidence):
    """Published figures on ward officers and what is promised of them."""

    name = dy.String(primary_key=True)


class OwnFigures(dy.Schema):
    """A reader's own figures: an input's name, its value, and the unit it is meant in."""

    name = dy.String(primary_key=True)
    value = dy.Float64()
    unit = dy.String()


def read_rows(path: Path | str, schema: type[dy.Schema], **absent: str) -> pl.DataFrame:
    """Read a CSV under its schema, with each row's `line`; rows of nothing but separators are left out.

    A column whose cells may all be empty may be left out.

    Parameters
    ----------
    absent : what stands, by column, where a cell or the column is not there; elsewhere that is null.

    Raises
    ------
    wardbook.sources.reading.SourceError
        for a file that is no table, naming it and what was expected.
    SchemaViolation
        for a column, cell or row at fault, naming file, line, column, value and what is allowed.
    """
    table, columns = read_text_table(path), list(schema.columns())
    given = table.columns
    needed = [name for name, column in schema.columns().items() if not column.nullable and name not in absent]
    if strange := [name for name in given if name not in columns]:
        raise SchemaViolation(path, Violation(strange[0], 1, "no such column here", f"columns {', '.join(columns)}"))
    if missing := [name for name in needed if name not in given]:
        raise SchemaViolation(path, Violation(missing[0], 1, "missing", f"columns {', '.join(needed)}"))
    table = table.with_row_index(LINE, offset=2)
    for name in given:
        broken = table.filter(pl.col(name).str.contains(_CONTROL))
        if broken.height:
            allowed = "text on one line, without control characters"
            raise SchemaViolation(path, Violation(name, broken[LINE][0], broken[name][0], allowed))
    cells = pl.col(given).str.strip_chars()
    table = table.with_columns(pl.when(cells != "").then(cells).name.keep())
    table = table.filter(pl.any_horizontal(pl.col(given).is_not_null()))
    if table.is_empty():
        raise SourceError(path, "a row or more", "a header alone")
    table = table.with_columns(pl.lit(None, pl.String).alias(name) for name in columns if name not in given)
    table = table.with_columns(pl.col(name).fill_null(value) for name, value in absent.items())
    return read_as(table, schema, path).with_columns(table[LINE])


def read_facts(path: Path | str, schema: type[dy.Schema]) -> pl.DataFrame:
    """A CSV of facts under its schema (`read_rows`)."""
    return read_rows(path, schema).drop(LINE)


def officer_hours() -> pl.DataFrame:
    """`data/reference/officer_hours.csv` (`OfficerHours`): what `dwo.officer_hours` makes the edition's table from."""
    return read_facts(places.REFERENCE / "officer_hours.csv", OfficerHours)


def load_assumptions() -> pl.DataFrame:
    """`data/reference/load_assumptions.csv` (`LoadAssumptions`): every input of `measures.load`."""
    return read_facts(places.REFERENCE / "load_assumptions.csv", LoadAssumptions)


def subscriber_evidence() -> pl.DataFrame:
    """`data/reference/subscriber_evidence.csv` (`SubscriberEvidence`)."""
    return read_facts(places.REFERENCE / "subscriber_evidence.csv", SubscriberEvidence)


def workforce_evidence() -> pl.DataFrame:
    """`data/reference/workforce_evidence.csv` (`WorkforceEvidence`)."""
    return read_facts(places.REFERENCE / "workforce_evidence.csv", WorkforceEvidence)


# What a ward can count itself and the model does not need: name → unit, lowest, highest.
COUNTED = {"mailbox_messages": ("messages a week", 0.0, 100_000.0), "ward_hours": ("hours a week", 0.0, 10_000.0)}


@dataclass(frozen=True)
class Scenario:
    """A reader's own figures: `inputs` of the model by name, and what a ward counted (`COUNTED`)."""

    inputs: dict[str, float] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)


def scenario(own_file: Path | str, inputs: pl.DataFrame) -> Scenario:
    """A reader's figures from a CSV with the columns name, value, unit; none where the name of the file is empty.

    The unit is asked for because a share typed as per cent, or hours as minutes, would pass every range.

    Parameters
    ----------
    own_file : a relative path counts from the project's root.
    inputs : `load_assumptions()`, whose names, units and ranges are allowed, and those of `COUNTED`.

    Raises
    ------
    wardbook.sources.reading.SourceError, SchemaViolation
        as `read_rows`.
    wardbook.measures.load.InputError
        for values that contradict each other, naming the file.
    """
    if not str(own_file):
        return Scenario()
    path = places.from_root(own_file)
    known = {
        name: bounds for name, *bounds in inputs.select("name", "unit", "minimum", "maximum").iter_rows()
    } | COUNTED
    own = read_rows(path, OwnFigures)
    for row in own.iter_rows(named=True):
        if row["name"] not in known:
            allowed = str(places.UnknownName("input", row["name"], known, "data/reference/load_assumptions.csv"))
            raise refused(path, row, "name", allowed)
        unit, low, high = known[row["name"]]
        if row["unit"] != unit:
            raise refused(path, row, "unit", f"{unit!r}, for {row['name']}")
        whole = row["name"] == "staff_per_ward" and row["value"] % 1
        if whole or not low <= row["value"] <= high:
            allowed = f"{'a whole number, ' if whole else ''}{low:g} to {high:g} {unit}"
            raise refused(path, row, "value", allowed)
    values = dict(own.select("name", "value").iter_rows())
    counted = {name: values.pop(name) for name in COUNTED if name in values}
    try:
        load.fix(inputs, **values)
    except load.InputError as error:
        raise load.InputError(f"{path}: {error}") from error
    return Scenario(values, counted)


# -- targets ----------------------------------------------------------------------------------------------------------------

EVERY_AREA = "every area"
_JUDGED = ("change", "level", "count", "gap", "aim")


def _target(**more: bool) -> dy.Float64:
    allowed = "a number from -100 to 1,000,000, for example -20 for a fall of 20%"
    return dy.Float64(min=-100, max=1_000_000, description=allowed, **more)


class Targets(dy.Schema):
    """`data/reference/targets.csv`: whose target, for where, against what, and where it stands.

    A `kind` is a change in a count of recorded offences (per cent), a level (a share, per cent), a count of people, a gap
    between two shares (points), an aim (a change in per cent over so many years), or none (no figure was published).
    """

    target_set = dy.String(primary_key=True, description="the name of the plan or set it belongs to")
    measure = dy.String(primary_key=True, description="what is measured, in plain words")
    live = dy.Enum(["yes", "no"])
    kind = dy.Enum([*_JUDGED, "none"])
    series = dy.Enum(
        [
            *("borough_offences", "knife_offences", "vawg_offences", "confidence"),
            "published",
            "across sources",
            "own",
            "none",
        ]
    )
    item = dy.String(nullable=True)
    area = dy.String(primary_key=True, description=f"a borough, London, England and Wales, or {EVERY_AREA}")
    target_owner = dy.String(description="whose target it is")
    baseline_period = dy.String(nullable=True)
    period = dy.String(primary_key=True, description="when it is to be met: latest, a financial year, or words")
    direction = dy.Enum(["fall", "rise"])
    target = _target(nullable=True)
    years = dy.Float64(nullable=True, min=1, max=50)
    source = dy.String(description="the office and publication that states it")
    source_address = dy.String(nullable=True)
    source_date = dy.String(nullable=True)
    quality = dy.String(nullable=True)
    note = dy.String(nullable=True)

    @dy.rule()
    def an_aim_says_over_how_many_years(cls) -> pl.Expr:
        return (pl.col("kind") != "aim") | pl.col("years").is_not_null()


class Results(dy.Schema):
    """`data/reference/published_results.csv`: what a publication printed of a target's result."""

    target_set = dy.String()
    measure = dy.String()
    area = dy.String()
    baseline = dy.Int64(nullable=True, min=0)
    outturn = dy.Int64(nullable=True, min=0)
    change = dy.Int64(nullable=True)
    change_percent = dy.Float64(nullable=True, min=-100)
    result = dy.Float64(nullable=True)
    first_percent = dy.Float64(nullable=True, min=0, max=100)
    second_percent = dy.Float64(nullable=True, min=0, max=100)
    sample = dy.Int64(nullable=True, min=1)
    result_date = dy.String(nullable=True)
    interim = dy.Enum(["yes"], nullable=True)  # printed before the end of the period that the target is for
    printed_verdict = dy.Enum(["achieved", "missed"], nullable=True)
    source = dy.String()
    source_address = dy.String(nullable=True)
    quality = dy.String(nullable=True)
    note = dy.String(nullable=True)


class OwnTargets(Targets):
    """A reader's own targets: a row of `Targets` each, with its number, and the reader's own result where no series here holds it."""

    kind = dy.Enum(_JUDGED)
    target = _target()
    baseline = dy.Int64(nullable=True, min=0)
    outturn = dy.Int64(nullable=True, min=0)
    result = dy.Float64(nullable=True)
    sample = dy.Int64(nullable=True, min=1)


def targets() -> pl.DataFrame:
    """`data/reference/targets.csv`, live targets first; text cells that say nothing are null."""
    return read_facts(places.REFERENCE / "targets.csv", Targets).cast({pl.Enum: pl.String})


def published_results() -> pl.DataFrame:
    """`data/reference/published_results.csv`."""
    return read_facts(places.REFERENCE / "published_results.csv", Results).cast({pl.Enum: pl.String})


def own_targets(own_file: Path | str, held: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """A reader's own targets, checked row by row before anything is judged.

    Parameters
    ----------
    own_file : a CSV with at least the columns of `OwnTargets` that are never empty, but `live`; a relative path counts from the
        project's root.
    held : by series of the edition (`book.MONTHLY`), the offence groups or subtypes it holds.

    Raises
    ------
    wardbook.schemas.SchemaViolation, wardbook.sources.reading.SourceError
        naming file, line, column, value and what is allowed.
    """
    path = places.from_root(own_file)
    read = read_rows(path, OwnTargets, live="yes", quality="reader's own")
    rows = [_resolved(row, path, held) for row in read.iter_rows(named=True)]
    return pl.DataFrame(rows, schema=read.schema).drop(LINE).cast({pl.Enum: pl.String})


def _resolved(row: dict, path: Path, held: Mapping[str, Sequence[str]]) -> dict:
    """A reader's row with names as they are spelt here, or refused, saying why."""
    refuse = partial(refused, path, row)
    if row["area"].casefold() != EVERY_AREA:
        try:
            row["area"] = places.area(row["area"]).name
        except places.UnknownName as error:
            raise refuse("area", f"{EVERY_AREA}, or {error}") from error
    if row["series"] in held:
        items = held[row["series"]]
        if row["item"] not in items:
            near = places.UnknownName("item", row["item"] or "", list(items), f"the edition's {row['series']}")
            raise refuse("item", str(near))
        if row["kind"] not in ("change", "aim"):
            raise refuse(
                "kind", f"change or aim: {row['series']} is judged by how its counts moved, not by a number reached"
            )
        for column in ("baseline_period", "period"):
            if row[column] and row[column].casefold() != "latest":
                try:
                    periods.read_period(row[column])
                except places.UnknownName as error:
                    raise refuse(column, str(error)) from error
        if not row["baseline_period"] and (row["kind"] == "aim" or row["period"].casefold() != "latest"):
            raise refuse(
                "baseline_period", "the period it is counted from; a change to the latest one may leave it out"
            )
        if row["baseline_period"] and row["period"].casefold() != "latest":
            first, last = (periods.read_period(row[name]) for name in ("baseline_period", "period"))
            if first >= last:
                raise refuse("baseline_period", f"a period that is before {last}: it is not before it")
    elif row["series"] != "own":
        raise refuse("series", f"one of {', '.join([*held, 'own'])}")
    elif row["kind"] in ("change", "aim") and (row["baseline"] is None or row["outturn"] is None):
        raise refuse("baseline" if row["baseline"] is None else "outturn", "the two counts of a change of your own")
    elif row["kind"] not in ("change", "aim") and row["result"] is None:
        raise refuse("result", "the result that your target is held against")
    return row
