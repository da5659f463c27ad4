"""The hand-kept tables of published facts that verdicts rest on, and a reader's own rows, checked alike."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from wardbook import periods, places
from wardbook.measures.verdicts import History
from wardbook.sources.reading import SourceError, read_text_table

TARGETS = pl.Schema(
    {
        "target_set": pl.String,
        "measure": pl.String,
        "series": pl.String,
        "item": pl.String,
        "area": pl.String,
        "target_owner": pl.String,
        "baseline_period": pl.String,
        "period": pl.String,
        "kind": pl.String,
        "direction": pl.String,
        "target": pl.Float64,
        "source": pl.String,
        "source_address": pl.String,
        "source_date": pl.String,
        "quality": pl.String,
        "note": pl.String,
    }
)
# What a reader must say of a target of their own; the rest may be left out.
OWN_TARGET_COLUMNS = (
    "target_set",
    "measure",
    "item",
    "area",
    "target_owner",
    "baseline_period",
    "period",
    "target",
    "source",
)
_OWN_DEFAULTS = {
    "series": "borough_offences",
    "kind": "change_percent",
    "direction": "fall",
    "source_address": "",
    "source_date": "",
    "quality": "reader's own",
    "note": "",
}


class TargetsFileError(ValueError):
    """A reader's targets file with a row that cannot be judged; the message names the file, line, column and value."""


def published_results() -> pl.DataFrame:
    """`data/reference/published_results.csv`: what a publication printed of a target's result."""
    whole = {"change": pl.Int64, "result_count": pl.Int64, "sample": pl.Int64}
    parts = dict.fromkeys(("change_percent", "result_percent", "other_percent"), pl.Float64)
    table = pl.read_csv(places.REFERENCE / "published_results.csv", schema_overrides={**whole, **parts})
    return table.with_columns(pl.col(pl.String).fill_null(""))


def published_stops() -> pl.DataFrame:
    """`data/reference/published_stops.csv`: figures on stop and search published elsewhere, each with its source and quality.

    `low` and `high` bound the figure (equal where one was printed, `high` empty for "more than", both empty where none was
    found).
    """
    numbers = {"low": pl.Float64, "high": pl.Float64}
    return pl.read_csv(places.REFERENCE / "published_stops.csv", schema_overrides=numbers)


def targets(own_file: str = "", *, known: History) -> pl.DataFrame:
    """`data/reference/targets.csv`, and a reader's own rows after it.

    Parameters
    ----------
    own_file : path of a CSV with at least `OWN_TARGET_COLUMNS`, or ""; a relative path counts from the project's root.
    known : what series there are, so that a misspelt offence group is refused before anything is judged.

    Raises
    ------
    TargetsFileError
        naming file, line, column, value and what is allowed.
    """
    table = pl.read_csv(places.REFERENCE / "targets.csv", schema=TARGETS).with_columns(pl.col(pl.String).fill_null(""))
    return pl.concat([table, _own_targets(own_file, known)]) if own_file else table


def _own_targets(own_file: str, known: History) -> pl.DataFrame:
    path = Path(own_file).expanduser()
    path = path if path.is_absolute() else (places.ROOT / path).resolve()
    try:
        table = read_text_table(path)
    except SourceError as error:
        raise TargetsFileError(f"{error} (parameter targets_file)") from error
    missing = [name for name in OWN_TARGET_COLUMNS if name not in table.columns]
    strange = [name for name in table.columns if name not in TARGETS]
    if missing or strange:
        lacks = f"lacks the columns {', '.join(missing)}"
        what = lacks if missing else f"has columns that mean nothing here: {', '.join(strange)}"
        raise TargetsFileError(f"{path}: {what}; see data/reference/targets.csv for an example of each")
    cells = pl.col(pl.String).str.strip_chars()
    table = table.with_columns(pl.when(cells != "").then(cells))
    blank = [pl.lit(value).alias(name) for name, value in _OWN_DEFAULTS.items() if name not in table.columns]
    given = table.columns
    rows = [
        _checked(row, f"{path}, line {line}", known)
        for line, row in enumerate(table.with_columns(blank).iter_rows(named=True), start=2)
        if any(row[name] is not None for name in given)  # not a blank line, as spreadsheets leave at the end
    ]
    return pl.DataFrame(rows, schema=TARGETS)


def _checked(row: dict, where: str, known: History) -> dict:
    """A reader's row as a published one: names as they are spelt here, the target a number; or refused, saying why."""

    def refuse(what: Exception | str) -> TargetsFileError:
        return TargetsFileError(f"{where}: {what}")

    row = {name: value or _OWN_DEFAULTS.get(name, "") for name, value in row.items()}
    allowed = {
        "series": ["borough_offences", "knife_offences"],
        "kind": ["change_percent"],
        "direction": ["fall", "rise"],
    }
    latest = row["period"].casefold() == "latest"  # the year the notebook looks at, against the year before it
    try:
        for column, values in allowed.items():
            if row[column] not in values:
                raise places.UnknownName(column, row[column], values, "a target of your own")
        items = known.items(row["series"])
        if row["item"] not in items:
            file = "column item; data/reference/offence_groups.csv"
            raise places.UnknownName("offence group", row["item"], items, file)
        if row["area"] != "every borough":
            row["area"] = places.area(row["area"]).name
        if not latest:
            first, last = (periods.financial_year(row[name]) for name in ("baseline_period", "period"))
    except places.UnknownName as error:
        raise refuse(error) from error
    if latest and row["baseline_period"]:
        raise refuse("period latest is compared with the year before it: leave baseline_period empty")
    if not latest and first >= last:
        raise refuse(f"baseline_period {first} is not before period {last}")
    if not latest and known.snapshot_for(row["series"], row["item"], first, last) is None:
        raise refuse(f"no snapshot of the edition holds both {first} and {last} of {row['item']}")
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", row["target"]):
        raise refuse(f"target {row['target']!r} is not a number (a change in per cent, for example -20)")
    row["target"] = float(row["target"])
    if not -100 <= row["target"] <= 1000:
        raise refuse(f"target {row['target']:g} is outside -100 to 1000 (a change in per cent, for example -20)")
    for name in ("target_set", "measure", "target_owner", "source"):
        if not row[name]:
            raise refuse(f"{name} is empty: say whose target it is and where it was published")
    return row | {"period": "latest"} if latest else row
