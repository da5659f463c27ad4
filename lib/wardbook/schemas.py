"""Schemas by dataframely, and a failure told the way a person can act on it: file, line, column, value, what is allowed.

One schema says what a table may hold, whether it is one of the edition's or a file that a reader wrote; this module is the
one place that turns what dataframely reports into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

SHOWN = 200  # letters of a value that a message shows
LINE = "line"  # the column that carries a row's line in its file, if the caller has it


@dataclass(frozen=True)
class Violation:
    """One rule broken: the first row that breaks it, and how many do.

    `column` is empty for a rule over several columns, `line` None where no single row is to blame.
    """

    column: str
    line: int | None
    value: Any
    allowed: str
    rows: int = 1

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line is not None else []
        where += [f"column {self.column}"] if self.column else []
        more = f" (and {self.rows - 1:,} more)" if self.rows > 1 else ""
        value = repr(self.value)
        value = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"  # a cell may hold a whole file
        return f"{', '.join(where)}: {value}{more}; allowed: {self.allowed}"


class SchemaViolation(ValueError):
    """A file whose rows break its schema; the message names file, line, column, value and what is allowed."""

    def __init__(self, path: Path | str, violation: Violation):
        self.path, self.violation = path, violation
        super().__init__(f"{path}, {violation}")


def refused(path: Path | str, row: Mapping[str, Any], column: str, allowed: str) -> SchemaViolation:
    """The refusal of one cell of a row that has its `line`: for what no schema can say, since it depends on other rows or tables."""
    return SchemaViolation(path, Violation(column, row[LINE], row[column], allowed))


def allowed_in(column: dy.Column) -> str:
    """What a column may hold, in words: its own description if it has one, else what its type and limits say."""
    if column.description:
        return column.description
    if isinstance(column, dy.Enum):
        return f"one of {', '.join(column.categories)}"
    kind = column.dtype
    what = "a whole number" if kind.is_integer() else "a number" if kind.is_numeric() else "text"
    what = {pl.Date: "a date (YYYY-MM-DD)", pl.Boolean: "true or false"}.get(kind, what)
    low, high = getattr(column, "min", None), getattr(column, "max", None)
    if low is not None:
        what += f", {low:,} or more" if high is None else f" from {low:,} to {high:,}"
    return what + (" or nothing" if column.nullable else "")


def violations(frame: pl.DataFrame, schema: type[dy.Schema]) -> list[Violation]:
    """Every rule of `schema` that `frame` breaks, one a rule, in the order of its columns; empty where it is good.

    Columns the schema does not name are left alone. Lines are those of the column `line`, or the rows counted from 1.
    """
    columns = schema.columns()
    broken = [
        Violation(name, None, str(frame.schema.get(name, "no such column")), allowed_in(column))
        for name, column in columns.items()
        if name not in frame.columns or not column.validate_dtype(frame.schema[name])
    ]
    if broken:
        return broken
    if LINE not in frame.columns:
        frame = frame.with_row_index(LINE, offset=1)
    # dataframely drops the columns it does not know: known to it, the line of a failing row comes back with the row.
    numbered = type(schema.__name__, (schema,), {LINE: dy.Any()})
    _, failure = numbered.filter(frame)
    rows = failure.details()
    for rule, count in failure.counts().items():
        name, _, kind = rule.partition("|")
        row = rows.filter(pl.col(rule) == "invalid").row(0, named=True)
        if kind:
            broken.append(Violation(name, row[LINE], row[name], allowed_in(columns[name]), count))
            continue
        is_key = rule == "primary_key"
        looked_at = schema.primary_key() if is_key else getattr(schema, rule).validation_fn(schema).meta.root_names()
        words = f"each {', '.join(looked_at)} once" if is_key else rule.replace("_", " ")
        broken.append(Violation("", row[LINE], {column: row[column] for column in looked_at}, words, count))
    order = list(columns)
    return sorted(broken, key=lambda one: order.index(one.column) if one.column else len(order))


def read_as(frame: pl.DataFrame, schema: type[dy.Schema], path: Path | str) -> pl.DataFrame:
    """A table of text cells as its schema's types, checked; for a file that a reader wrote.

    Parameters
    ----------
    frame : every column of the schema as text, empty cells null; with the column `line`.
    schema : what it may hold; columns it does not name are dropped.

    Raises
    ------
    SchemaViolation
        for the first cell or row at fault.
    """
    columns = schema.columns()
    for name, column in columns.items():
        text = frame[name].str.strip_chars()
        # polars takes no cast from text to a date.
        is_date = isinstance(column, dy.Date)
        typed = text.str.to_date("%Y-%m-%d", strict=False) if is_date else text.cast(column.dtype, strict=False)
        if (unread := typed.is_null() & (text.fill_null("") != "")).any():
            row = unread.arg_max()
            raise SchemaViolation(path, Violation(name, frame[LINE][row], frame[name][row], allowed_in(column)))
        frame = frame.with_columns(typed.alias(name))
    if broken := violations(frame, schema):
        raise SchemaViolation(path, min(broken, key=lambda one: one.line or 0))
    return frame.select(list(columns))
