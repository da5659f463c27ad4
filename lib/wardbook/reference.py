"""The hand-kept tables of published facts that verdicts rest on, and a reader's own rows, checked alike."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from wardbook import periods, places
from wardbook.measures.verdicts import History

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
    path = path if path.is_absolute() else places.ROOT / path
    if not path.is_file():
        raise TargetsFileError(f"{path}: no such file (parameter targets_file)")
    table = pl.read_csv(path, infer_schema=False)
    missing = [name for name in OWN_TARGET_COLUMNS if name not in table.columns]
    strange = [name for name in table.columns if name not in TARGETS]
    if missing or strange:
        what = (
            f"lacks the columns {', '.join(missing)}"
            if missing
            else f"has columns that mean nothing here: {', '.join(strange)}"
        )
        raise TargetsFileError(f"{path}: {what}; see data/reference/targets.csv for an example of each")
    blank = [pl.lit(value).alias(name) for name, value in _OWN_DEFAULTS.items() if name not in table.columns]
    table = table.with_columns(blank).with_columns(
        pl.col(name).fill_null(value) for name, value in _OWN_DEFAULTS.items()
    )
    for line, row in enumerate(table.iter_rows(named=True), start=2):
        _check_row(row, f"{path}, line {line}", known)
    return table.with_columns(pl.col(pl.String).fill_null("")).select(
        pl.col(name).cast(pl.Float64) if name == "target" else pl.col(name) for name in TARGETS
    )


def _check_row(row: dict, where: str, known: History) -> None:
    def refuse(error: Exception | str) -> TargetsFileError:
        return TargetsFileError(f"{where}: {error}")

    allowed = {
        "series": ["borough_offences", "knife_offences"],
        "kind": ["change_percent"],
        "direction": ["fall", "rise"],
    }
    try:
        for column, values in allowed.items():
            if row[column] not in values:
                raise places.UnknownName(column, row[column], values, "a target of your own")
        items = known.items(row["series"])
        if row["item"] not in items:
            raise places.UnknownName(
                "offence group", row["item"], items, "column item; data/reference/offence_groups.csv"
            )
        if row["area"] != "every borough":
            places.area(row["area"] or "")
        first, last = (periods.financial_year(row[name] or "") for name in ("baseline_period", "period"))
    except places.UnknownName as error:
        raise refuse(error) from error
    if first >= last:
        raise refuse(f"baseline_period {first} is not before period {last}")
    if known.snapshot_for(row["series"], row["item"], first, last) is None:
        raise refuse(f"no snapshot of the edition holds both {first} and {last} of {row['item']}")
    try:
        number = float(row["target"])
    except (TypeError, ValueError):
        raise refuse(f"target {row['target']!r} is not a number (a change in per cent, for example -20)") from None
    if not -100 <= number <= 1000:
        raise refuse(f"target {row['target']} is outside -100 to 1000 (a change in per cent, for example -20)")
    for name in ("target_set", "measure", "target_owner", "source"):
        if not (row[name] or "").strip():
            raise refuse(f"{name} is empty: say whose target it is and where it was published")
