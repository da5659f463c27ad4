"""The hand-kept tables of published facts and a reader's own figures: one schema each, read once and checked once.

A row that breaks a rule is refused with the file, its line, the column, the value and what is allowed, before anything
is computed from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dataframely as dfy
import polars as pl

from wardbook import places
from wardbook.measures import load
from wardbook.sources.reading import SourceError, read_text_table

QUALITIES = ("A", "B", "C", "D")


class FactsError(ValueError):
    """A row of facts that cannot stand; the message names the file, line, column, value and what is allowed."""


class _Table(dfy.Schema):
    line = dfy.Int64(nullable=False)  # of the file, its header being line 1


def _text(*, nullable: bool = False, **options) -> dfy.String:
    return dfy.String(nullable=nullable, **options)


def _one_of(*allowed: str) -> dict:
    return {f"one of {', '.join(allowed)}": lambda cell: cell.is_in(allowed)}


def _is_area(cell: pl.Expr) -> pl.Expr:
    return cell.is_in([*places.boroughs()["borough"], places.LONDON])


class OfficerHours(_Table):
    """Ward officers' duty hours of a borough (or London) and year, and how many were taken for other duties, by kind."""

    borough = _text(primary_key=True, check={"one of the Met's 32 boroughs, or London": _is_area})
    period = _text(
        primary_key=True, check={"a financial year such as 2023-24": lambda c: c.str.contains(r"^20\d\d-\d\d$")}
    )
    hours = dfy.Int64(nullable=False, min=1)
    abstracted = dfy.Int64(nullable=True, min=0)
    abstracted_percent = dfy.Float64(nullable=True, min=0, max=100)
    training = dfy.Int64(nullable=True, min=0)
    aid = dfy.Int64(nullable=True, min=0)
    staffing_up = dfy.Int64(nullable=True, min=0)
    court = dfy.Int64(nullable=True, min=0)
    source = _text()
    address = _text()
    quality = _text(check=_one_of(*QUALITIES))
    licence = _text()
    note = _text(nullable=True)

    @dfy.rule()
    def abstracted__or_abstracted_percent_is_given(cls) -> pl.Expr:
        """One of the two; the other follows."""
        return pl.col("abstracted").is_not_null() != pl.col("abstracted_percent").is_not_null()

    @dfy.rule()
    def abstracted__is_no_more_than_hours(cls) -> pl.Expr:
        """Hours taken are part of the hours worked."""
        return pl.col("abstracted").fill_null(0) <= pl.col("hours")

    @dfy.rule()
    def abstracted__is_the_sum_of_its_kinds(cls) -> pl.Expr:
        """Each kind is rounded to hours by itself: four of them may be 2 off together."""
        kinds = pl.sum_horizontal("training", "aid", "staffing_up", "court", ignore_nulls=False)
        return ((kinds - pl.col("abstracted")).abs() <= 2).fill_null(True)


class LoadAssumptions(_Table):
    """Inputs of the load model: unit, central value, 90 % range, distribution, what may be set, and who published it."""

    name = _text(primary_key=True)
    label = _text()
    unit = _text()
    value = dfy.Float64(nullable=False)
    low = dfy.Float64(nullable=False)
    high = dfy.Float64(nullable=False)
    distribution = _text(check=_one_of(*load.DISTRIBUTIONS))
    shape = _text(nullable=True)
    minimum = dfy.Float64(nullable=False)
    maximum = dfy.Float64(nullable=False)
    basis = _text(check=_one_of("published", "derived", "assumption"))
    evidence = _text()
    source = _text()

    @dfy.rule()
    def value__is_within_low_and_high_and_those_within_minimum_and_maximum(cls) -> pl.Expr:
        """A range around the value."""
        inside = pl.col("low").is_between("minimum", "value") & pl.col("high").is_between("value", "maximum")
        return inside & ((pl.col("distribution") != "lognormal") | (pl.col("low") > 0))

    @dfy.rule()
    def shape__is_two_numbers_of_a_beta_or_values_with_shares_that_add_up_to_1_or_empty(cls) -> pl.Expr:
        """What `load.draw` reads of a distribution beyond its median and range."""
        number, shape = r"\d+(\.\d+)?", pl.col("shape").fill_null("")
        beta = shape.str.contains(rf"^{number}\|{number}$")
        discrete = shape.str.contains(rf"^{number}:{number}(\|{number}:{number})*$")
        shares = shape.str.extract_all(rf":{number}").list.eval(pl.element().str.slice(1).cast(pl.Float64)).list.sum()
        kind = pl.col("distribution")
        return (
            pl.when(kind == "beta")
            .then(beta)
            .when(kind == "discrete")
            .then(discrete & ((shares - 1).abs() < 1e-9))
            .otherwise(shape == "")
        )

    @dfy.rule()
    def source__is_the_word_assumption_where_nobody_published_the_value_and_only_there(cls) -> pl.Expr:
        """A guess is never dressed as a source."""
        return (pl.col("basis") == "assumption") == (pl.col("source") == "assumption")


class SubscriberEvidence(_Table):
    """Published counts of the people on a police mailing list, by place and day, and what that is a ward."""

    figure = dfy.Float64(nullable=False, min=0)
    unit = _text()
    what = _text()
    place = _text()
    date = _text(check={"a year, year-month or date": lambda c: c.str.contains(r"^(19|20)\d\d(-\d\d){0,2}$")})
    per_ward = dfy.Float64(nullable=True, min=0)
    per_ward_how = _text()
    office = _text()
    publication = _text()
    address = _text(nullable=True)
    quality = _text(check=_one_of(*QUALITIES))
    note = _text(nullable=True)


class WorkforceEvidence(_Table):
    """Published figures on ward officers and what is promised of them."""

    name = _text(primary_key=True)
    figure = dfy.Float64(nullable=False, min=0)
    unit = _text()
    what = _text()
    place = _text()
    date = _text(check={"a year, year-month or date": lambda c: c.str.contains(r"^(19|20)\d\d(-\d\d){0,2}$")})
    office = _text()
    publication = _text()
    address = _text(nullable=True)
    quality = _text(check=_one_of(*QUALITIES))
    note = _text(nullable=True)


class OwnFigures(_Table):
    """A reader's own figures: an input's name, its value, and the unit it is meant in."""

    name = _text(primary_key=True)
    value = dfy.Float64(nullable=False)
    unit = _text()


def read_facts(path: Path | str, schema: type[_Table]) -> pl.DataFrame:
    """Read a CSV of facts under its schema, with the column `line`; rows of nothing but commas are left out.

    Raises
    ------
    FactsError
        naming file, line, column, value and what is allowed; of several bad rows, the first.
    """
    path = Path(path)
    columns = [name for name in schema.column_names() if name != "line"]
    try:
        # What a reader typed need not end in a line break.
        table = read_text_table(path, ends=False)
    except SourceError as error:
        raise FactsError(str(error)) from error
    if sorted(table.columns) != sorted(columns):
        raise FactsError(f"{path}, line 1: expected the columns {', '.join(columns)}; found {', '.join(table.columns)}")
    table = table.select(columns).with_row_index("line", offset=2)
    for name in columns:
        _refuse(table, name, table[name].str.contains(r"[\r\n]"), path, "text on one line, since errors count lines")
    cells = pl.col(columns).str.strip_chars()
    table = table.with_columns(pl.when(cells != "").then(cells).name.keep())
    table = table.filter(pl.any_horizontal(pl.col(columns).is_not_null()))
    typed = table.cast(dict(pl.Schema(schema)), strict=False)
    for name in columns:
        allowed = "a whole number" if typed[name].dtype == pl.Int64 else "a number"
        _refuse(table, name, table[name].is_not_null() & typed[name].is_null(), path, allowed)
    failed = schema.filter(typed).failure
    if len(failed):
        raise _broken_rule(path, schema, failed.details().sort("line").row(0, named=True))
    return schema.cast(typed)


def _refuse(table: pl.DataFrame, name: str, bad: pl.Series, path: Path, allowed: str) -> None:
    bad = bad.fill_null(False)
    if bad.any():
        row = bad.arg_max()
        raise FactsError(f"{path}, line {table['line'][row]}, column {name}: {table[name][row]!r}; allowed: {allowed}")


def _broken_rule(path: Path, schema: type[_Table], row: Mapping) -> FactsError:
    """The first rule a row breaks, in words: a rule is named after its column and what it allows."""
    rule = next(name for name, state in row.items() if state == "invalid" and name not in schema.column_names())
    if rule == "primary_key":
        keys = schema.primary_key()
        values = ", ".join(repr(row[key]) for key in keys)
        return FactsError(f"{path}, line {row['line']}, column {', '.join(keys)}: {values}; allowed: each once")
    column, _, check = rule.partition("|") if "|" in rule else rule.partition("__")
    bound = schema.columns()[column]
    allowed = {
        "nullability": "anything but an empty cell",
        "min": f"{getattr(bound, 'min', None)} or more",
        "max": f"{getattr(bound, 'max', None)} or less",
        "nan": "a finite number",
        "inf": "a finite number",
    }.get(check) or re.sub(r"^check__", "", check).replace("_", " ")
    return FactsError(f"{path}, line {row['line']}, column {column}: {row[column]!r}; allowed: {allowed}")


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
    FactsError
        naming file, line, column, value and what is allowed; also where values contradict each other.
    """
    if not str(own_file):
        return Scenario()
    path = places.ROOT / Path(own_file).expanduser()
    known = {
        name: bounds for name, *bounds in inputs.select("name", "unit", "minimum", "maximum").iter_rows()
    } | COUNTED
    table = read_facts(path, OwnFigures)
    for row in table.iter_rows(named=True):

        def refuse(column: str, allowed: str, row: Mapping = row) -> FactsError:
            return FactsError(f"{path}, line {row['line']}, column {column}: {row[column]!r}; allowed: {allowed}")

        if row["name"] not in known:
            unknown = places.UnknownName("input", row["name"], known, "data/reference/load_assumptions.csv")
            raise refuse("name", str(unknown))
        unit, low, high = known[row["name"]]
        if row["unit"] != unit:
            raise refuse("unit", f"{unit!r}, in which {row['name']} is given")
        if not low <= row["value"] <= high:
            raise refuse("value", f"{low:g} to {high:g} {unit}")
        if row["name"] == "staff_per_ward" and row["value"] % 1:
            raise refuse("value", "a whole number of officers")
    values = dict(table.select("name", "value").iter_rows())
    own = Scenario(
        {name: value for name, value in values.items() if name not in COUNTED},
        {name: value for name, value in values.items() if name in COUNTED},
    )
    try:
        load.fix(inputs, **own.inputs)
    except load.InputError as error:
        raise FactsError(f"{path}: {error}") from error
    return own
