"""The hand-kept tables of published facts, and a reader's own rows beside them: one schema each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import periods, places
from wardbook.schemas import SchemaViolation, Violation, read_as
from wardbook.sources.reading import SourceError, read_text_table

EVERY_AREA = "every area"
KINDS = {
    "change": "a change in a count of recorded offences, in per cent",
    "level": "a share, in per cent",
    "count": "a number of people",
    "gap": "a gap between two shares, in points",
    "aim": "a change in per cent over so many years",
    "none": "no figure was published",
}
SERIES = (
    "borough_offences",
    "knife_offences",
    "vawg_offences",
    "confidence",
    "published",
    "across sources",
    "own",
    "none",
)


class Targets(dy.Schema):
    """`data/reference/targets.csv`: whose target, for where, against what, and where it stands."""

    target_set = dy.String(description="the name of the plan or set it belongs to")
    measure = dy.String(description="what is measured, in plain words")
    live = dy.Enum(["yes", "no"])
    kind = dy.Enum(list(KINDS))
    series = dy.Enum(list(SERIES))
    item = dy.String(nullable=True)
    area = dy.String(description=f"a borough, London, England and Wales, or {EVERY_AREA}")
    target_owner = dy.String(description="whose target it is")
    baseline_period = dy.String(nullable=True)
    period = dy.String(description="when it is to be met: latest, a financial year, or words")
    direction = dy.Enum(["fall", "rise"])
    target = dy.Float64(
        nullable=True, min=-100, max=1_000_000, description="a number, for example -20 for a fall of 20%"
    )
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
    """A reader's own targets: a row of `Targets` each, with the reader's own result where no series here holds it."""

    baseline = dy.Int64(nullable=True, min=0)
    outturn = dy.Int64(nullable=True, min=0)
    result = dy.Float64(nullable=True)
    sample = dy.Int64(nullable=True, min=1)

    @dy.rule()
    def a_target_states_its_number(cls) -> pl.Expr:
        return pl.col("target").is_not_null()


# What a reader must say of a target of their own; the rest may be left out.
OWN_COLUMNS = (
    "target_set",
    "measure",
    "kind",
    "series",
    "area",
    "target_owner",
    "period",
    "direction",
    "target",
    "source",
)


def targets() -> pl.DataFrame:
    """`data/reference/targets.csv`, live targets first; text cells that say nothing are null."""
    return _read(places.REFERENCE / "targets.csv", Targets)


def published_results() -> pl.DataFrame:
    """`data/reference/published_results.csv`."""
    return _read(places.REFERENCE / "published_results.csv", Results)


def own_targets(path: Path, held: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """A reader's own targets, checked row by row before anything is judged.

    Parameters
    ----------
    path : a CSV with at least the columns `OWN_COLUMNS`.
    held : by series of the edition, the items it holds (offence groups, kinds, survey questions).

    Raises
    ------
    wardbook.schemas.SchemaViolation, wardbook.sources.reading.SourceError
        naming file, line, column, value and what is allowed.
    """
    table = read_text_table(path, ends=False)
    strange = [name for name in table.columns if name not in OwnTargets.columns()]
    missing = [name for name in OWN_COLUMNS if name not in table.columns]
    if strange or missing:
        at, what = (strange[0], "no such column here") if strange else (missing[0], "missing")
        raise SchemaViolation(path, Violation(at, 1, what, f"columns {', '.join(OwnTargets.columns())}"))
    table = table.with_row_index("line", offset=2)
    given = [name for name in table.columns if name != "line"]
    table = table.filter(pl.any_horizontal(pl.col(given).str.strip_chars().fill_null("") != ""))
    table = table.with_columns(pl.lit(None, pl.String).alias(n) for n in OwnTargets.columns() if n not in given)
    table = table.with_columns(pl.col("live").fill_null("yes"), pl.col("quality").fill_null("reader's own"))
    read = read_as(table, OwnTargets, path)
    rows = [
        _resolved(row, path, line, held) for row, line in zip(read.iter_rows(named=True), table["line"], strict=True)
    ]
    return pl.DataFrame(rows, schema=read.schema)


def _resolved(row: dict, path: Path, line: int, held: Mapping[str, Sequence[str]]) -> dict:
    """A reader's row with names as they are spelt here, or refused, saying why."""

    def refuse(column: str, allowed: str) -> SchemaViolation:
        return SchemaViolation(path, Violation(column, line, row[column], allowed))

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
        for column in ("baseline_period", "period"):
            if row[column] and row[column].casefold() != "latest":
                try:
                    periods.read_period(row[column])
                except places.UnknownName as error:
                    raise refuse(column, str(error)) from error
        if row["kind"] == "aim" and not row["baseline_period"]:
            raise refuse("baseline_period", "the year an aim is counted from")
    elif row["series"] != "own":
        raise refuse("series", f"one of {', '.join([*held, 'own'])}")
    elif row["kind"] in ("change", "aim") and (row["baseline"] is None or row["outturn"] is None):
        raise refuse("baseline" if row["baseline"] is None else "outturn", "the two counts of a change of your own")
    elif row["kind"] not in ("change", "aim") and row["result"] is None:
        raise refuse("result", "the result that your target is held against")
    return row


def _read(path: Path, schema: type[dy.Schema]) -> pl.DataFrame:
    try:
        return read_as(read_text_table(path), schema, path)
    except SourceError as error:
        raise ValueError(str(error)) from error
