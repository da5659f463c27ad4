"""The hand-kept tables of published facts that verdicts rest on, and a reader's own rows, checked alike."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl

from wardbook import periods, places
from wardbook.measures import load_model
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


def load_assumptions(own_file: str = "") -> load_model.Assumptions:
    """`data/reference/load_assumptions.csv` and `load_scenarios.csv`: every prior of the load model, and its kinds of list.

    Parameters
    ----------
    own_file : a reader's scenario (`own_scenario`) in place of the last one, or "".

    Raises
    ------
    load_model.AssumptionError
        naming file, field, value and what is allowed.
    """
    table = _read_cells("load_assumptions_old.csv")  # goes with the old notebook 06: `facts` reads the new table
    scenarios = _read_cells("load_scenarios.csv")
    inputs = tuple(_assumption(row, f"{load_model.FILE}, line {n}") for n, row in enumerate(table, start=2))
    where = "data/reference/load_scenarios.csv"
    lists = tuple(_scenario(r, f"{where}, line {n}") for n, r in enumerate(scenarios, start=2))
    made = load_model.Assumptions(inputs, lists)
    return replace(made, scenarios=(*lists[:-1], own_scenario(own_file, made))) if own_file else made


def own_scenario(path: str, assumptions: load_model.Assumptions) -> load_model.Scenario:
    """A reader's scenario from a CSV with the columns name, value and unit; a relative path counts from the project's root.

    Raises
    ------
    load_model.AssumptionError, places.UnknownName
        naming file, field and the range or unit it must have.
    """
    place = Path(path).expanduser()
    place = place if place.is_absolute() else (places.ROOT / place).resolve()
    try:
        table = read_text_table(place)
    except SourceError as error:
        raise load_model.AssumptionError(f"{error} (a scenario of your own)") from error
    cells = pl.col(pl.String).str.strip_chars()
    table = table.with_columns(pl.when(cells != "").then(cells))
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines, as spreadsheets leave at the end
    if sorted(table.columns) != ["name", "unit", "value"]:
        raise load_model.AssumptionError(
            f"{place}: a scenario has the columns name, value, unit; found {table.columns}"
        )
    twice = table.filter(pl.col("name").is_duplicated())["name"]
    if not twice.is_empty():
        raise load_model.AssumptionError(f"{place}: {twice[0]} is given twice")
    values = {row["name"]: (_number(row["value"]), row["unit"] or "") for row in table.iter_rows(named=True)}
    return load_model.own_scenario(assumptions, values, where=str(place))


def load_evidence(name: str) -> pl.DataFrame:
    """`subscriber_evidence.csv` or `workforce_evidence.csv`: published figures, each with office, publication and quality."""
    if name not in ("subscriber", "workforce"):
        raise places.UnknownName("evidence", name, ["subscriber", "workforce"], "data/reference")
    return pl.read_csv(places.REFERENCE / f"{name}_evidence.csv", schema_overrides={"date": pl.String}).with_columns(
        pl.col(pl.String).fill_null("")
    )


def _read_cells(name: str) -> list[dict]:
    table = pl.read_csv(places.REFERENCE / name, infer_schema=False)
    return table.with_columns(pl.all().fill_null("")).to_dicts()


def _number(text: str | None) -> float | str | None:
    """A float where the text is one, the text otherwise, None where there is none."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _assumption(row: dict, where: str) -> load_model.Assumption:
    def refuse(field: str, allowed: str) -> load_model.AssumptionError:
        return load_model.AssumptionError(f"{where}: {field} of {row['name']} is {row[field]!r}: {allowed}")

    kinds = ("lognormal", "beta", "discrete", "fixed", "choice")
    for field, allowed in (("distribution", kinds), ("level", load_model.LEVELS), ("flag", load_model.FLAGS)):
        if row[field] not in allowed:
            raise refuse(field, f"one of {', '.join(allowed)}")
    for field in ("unit", "label", "evidence", "source"):
        if not row[field]:
            raise refuse(field, "it must be stated")
    kind, parts = row["distribution"], row["parameters"].split("|")
    numbers = [tuple(map(_number, p.split(":"))) if kind == "discrete" else _number(p) for p in parts]
    flat = [x for pair in numbers for x in pair] if kind == "discrete" else numbers
    if not flat or (kind != "choice" and not all(isinstance(x, float) for x in flat)):
        raise refuse("parameters", "numbers, as the distribution needs them")
    if (kind == "beta") != (len(numbers) == 2 and kind != "discrete"):
        raise refuse("parameters", "two for a beta, one otherwise")
    ends = {name: _number(row[name]) for name in ("low", "high", "minimum", "maximum")}
    if kind == "lognormal" and not 0 < (ends["low"] or 0) < flat[0] < (ends["high"] or 0):
        raise refuse("low", "a 90 % interval above 0 around the median")
    if kind == "discrete" and abs(sum(share for _, share in numbers) - 1) > 1e-9:
        raise refuse("parameters", "shares that add up to 1")
    made = load_model.Assumption(**(row | ends | {"parameters": tuple(numbers)}))
    values = {"lognormal": flat, "fixed": flat, "discrete": flat[::2]}.get(kind, [])
    for value in values:
        made.check(value, where)
    return made


def _scenario(row: dict, where: str) -> load_model.Scenario:
    size, kind = _number(row["subscribers"]), row["subscribers_from"]
    if kind not in load_model.SUBSCRIBERS_FROM:
        raise places.UnknownName("subscribers_from", kind, load_model.SUBSCRIBERS_FROM, where)
    if (size is None) != (kind in ("mature", "first year")) or (size is not None and not (size >= 0)):
        raise load_model.AssumptionError(f"{where}: subscribers {row['subscribers']!r} does not go with {kind!r}")
    if row["verified"] not in ("true", "false"):
        raise load_model.AssumptionError(f"{where}: verified {row['verified']!r} is neither true nor false")
    return load_model.Scenario(
        row["scenario"], row["label"], kind, size, row["verified"] == "true", row["description"], row["source"]
    )


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
