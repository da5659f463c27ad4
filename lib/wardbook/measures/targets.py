"""Was a target met? A fact about counts, marked by the figure itself; `narrowly` where chance alone could turn it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from wardbook.measures.rates import rate_ratio, wilson
from wardbook.periods import read_period

MET, NARROWLY_MET, NARROWLY_MISSED, MISSED = "met", "narrowly met", "narrowly missed", "missed"
ON_TRACK, OFF_TRACK, TOO_EARLY, CANNOT_SAY = "on track", "off track", "too early", "cannot say"
VERDICTS = (MET, NARROWLY_MET, NARROWLY_MISSED, MISSED, ON_TRACK, OFF_TRACK, TOO_EARLY, CANNOT_SAY)


@dataclass(frozen=True)
class Mark:
    """A verdict on one target; `margin` is what there was to spare, in the target's unit (negative: what was lacking)."""

    verdict: str
    result: float | None = None
    margin: float | None = None
    why: str = ""


def _verdict(good: bool, narrow: bool) -> str:
    if good:
        return NARROWLY_MET if narrow else MET
    return NARROWLY_MISSED if narrow else MISSED


def mark_change(baseline: int, outturn: int, target: float | None, *, direction: str) -> Mark:
    """A change between two counts against a target for it in per cent (−20 is a fall of a fifth).

    `narrowly` where the counting-noise interval of the change (exact, central, 95 %) covers the target. The margin is in
    offences: how many more (a fall) or fewer (a rise) there could have been with the target still met.
    """
    if not baseline:
        return Mark(CANNOT_SAY, why="there is no count to start from")
    change = 100 * (outturn / baseline - 1)
    if target is None:
        return Mark(CANNOT_SAY, change, why="no target was published")
    required = baseline * (1 + target / 100)
    good, margin = _against(outturn, required, direction)
    interval = rate_ratio(outturn, baseline)
    narrow = interval.lower <= 1 + target / 100 <= interval.upper
    why = "chance alone could turn it" if narrow else ""
    return Mark(_verdict(good, narrow), change, margin, why)


def _against(outturn: float, required: float, direction: str) -> tuple[bool, float]:
    """Whether a count is on the good side of what was required, and by how many whole offences."""
    if direction == "fall":
        most = math.floor(required + 1e-9)
        return outturn <= most, float(most - outturn)
    fewest = math.ceil(required - 1e-9)
    return outturn >= fewest, float(outturn - fewest)


def mark_printed_change(
    change: int | None, percent: float, target: float | None, *, direction: str, printed: str
) -> Mark:
    """A change that was printed as a number and a rounded percentage, without its counts.

    Every baseline the rounding allows is carried through; where they do not agree, or no target was printed, nothing can be
    said but the bound that a printed verdict puts on the target.
    """
    if target is None:
        return Mark(CANNOT_SAY, percent, why=f"the target was not published; {printed_bound(percent, printed)}")
    if change is None:
        good = percent <= target if direction == "fall" else percent >= target
        return Mark(_verdict(good, False), percent, abs(percent - target) * (1 if good else -1))
    low, high = baselines_allowed(change, percent)
    marks = [mark_change(base, base + change, target, direction=direction) for base in (low, high)]
    if marks[0].verdict.removeprefix("narrowly ") != marks[1].verdict.removeprefix("narrowly "):
        return Mark(CANNOT_SAY, percent, why="the counts that the rounding allows lie on both sides of the target")
    nearest = min(marks, key=lambda mark: abs(mark.margin))
    return Mark(nearest.verdict, percent, nearest.margin, nearest.why)


def printed_bound(percent: float, printed: str) -> str:
    """What a printed verdict says of the target it was judged against."""
    if percent < 0:
        return f"'{printed}' means that it required a fall {'above' if printed == 'missed' else 'of at most'} {-percent:.1f}%"
    return f"'{printed}' after a rise of {percent:.1f}% bounds no fall that it may have required"


def mark_level(result: float, target: float, *, direction: str, sample: float | None = None) -> Mark:
    """A level against its target: a share in per cent, a number of people, a gap in points.

    Parameters
    ----------
    sample : how many interviews a share is worth, if it is a survey's; without one it is a count of everything, and has no
        sampling interval.
    """
    good = result <= target if direction == "fall" else result >= target
    margin = (target - result) if direction == "fall" else (result - target)
    if sample is None:
        return Mark(_verdict(good, False), result, margin)
    low, high = wilson(round(result / 100 * sample), round(sample))
    narrow = 100 * low <= target <= 100 * high
    why = f"the survey's own error ({100 * low:.0f}% to {100 * high:.0f}%) reaches the target" if narrow else ""
    return Mark(_verdict(good, narrow), result, margin, why)


def mark_aim(baseline: int, outturn: int, target: float, *, years: float, elapsed: float) -> Mark:
    """An aim over years, on its compound path: after t of T years the count is to be (1 + target)^(t/T) of the baseline.

    Parameters
    ----------
    target : the whole change in per cent (−50: halved); years : T, over which it is aimed at; elapsed : t, from the end of the
        baseline year to the end of the year judged. Less than one whole year after the baseline is too early.
    """
    if not baseline:
        return Mark(CANNOT_SAY, why="there is no count to start from")
    change = 100 * (outturn / baseline - 1)
    if elapsed < 1:
        # The two share months, or the year judged is the earlier one: from one to the other is no change since.
        return Mark(TOO_EARLY, why="twelve months do not yet lie wholly after the year it is counted from")
    path = (1 + target / 100) ** (min(elapsed, years) / years)
    good, margin = _against(outturn, baseline * path, "fall" if target < 0 else "rise")
    interval = rate_ratio(outturn, baseline)
    why = f"its path asks for {100 * (path - 1):+.1f}% by now".replace("-", "−")
    if interval.lower <= path <= interval.upper:
        why = f"narrowly: chance alone could turn it; {why}"
    return Mark(ON_TRACK if good else OFF_TRACK, change, margin, why)


def mark(row: Mapping[str, Any]) -> Mark:
    """One target with what it is held against, whatever its kind.

    Parameters
    ----------
    row : `kind`, `direction`, `target`, `years`; of its figures what there are: `baseline` and `outturn` (counts), `change` and
        `change_percent` (printed), `result` (a level) with `sample`, `interim`, `printed_verdict`, `first_percent` (a share at the
        start), `baseline_period` and `period`, `note`; where its counts are held here `cut` (what forbids a verdict, or nothing), and
        `placed` and `moved` (see `measures.change.comparability`) where offences without a borough moved.
    """
    kind, target, direction = row["kind"], row["target"], row["direction"]
    if row["cut"] is not None and (why := row["cut"] or _unlike(row["baseline_period"], row["period"], kind)):
        return Mark(CANNOT_SAY, why=why)
    if kind == "none" or (target is None and row["change_percent"] is None and row["baseline"] is None):
        return Mark(CANNOT_SAY, row["result"], why=row["note"] or "no number was published")
    if row["baseline"] is not None and row["outturn"] is not None:
        return _mark_counts(row)
    if row["change_percent"] is not None:
        printed = row["printed_verdict"] or ""
        return mark_printed_change(row["change"], row["change_percent"], target, direction=direction, printed=printed)
    if row["first_percent"] is not None and kind == "aim":
        change = 100 * (row["second_percent"] / row["first_percent"] - 1)
        return Mark(CANNOT_SAY, change, why="a survey's two shares, which may not differ")
    if row["result"] is None:
        return Mark(CANNOT_SAY, why=row["note"] or "no result was published")
    if row["interim"] == "yes":
        why = f"the newest result found is of {row['result_date']}, before the period ended"
        return Mark(TOO_EARLY, row["result"], why=why)
    return mark_level(row["result"], target, direction=direction, sample=row["sample"])


def _mark_counts(row: Mapping[str, Any]) -> Mark:
    """A change or an aim by its two counts; where offences without a borough moved, only if they, spread evenly, do not turn it."""

    def marked(outturn: int) -> Mark:
        if row["kind"] == "aim":
            elapsed = years_between(row["baseline_period"], row["period"])
            return mark_aim(row["baseline"], outturn, row["target"], years=row["years"], elapsed=elapsed)
        return mark_change(row["baseline"], outturn, row["target"], direction=row["direction"])

    counted = marked(row["outturn"])
    if row["placed"] is None or counted.verdict == TOO_EARLY:
        return counted
    if counted.verdict == CANNOT_SAY:
        return Mark(CANNOT_SAY, why=row["moved"])
    # Had as large a share of London's offences had a borough as at the start.
    again = marked(round(row["outturn"] * row["placed"]))
    if again.verdict.removeprefix("narrowly ") != counted.verdict.removeprefix("narrowly "):
        return Mark(CANNOT_SAY, why=f"{row['moved']}: spread evenly, they turn the verdict")
    return replace(
        counted,
        why="; ".join(filter(None, [counted.why, f"{row['moved']}: spread evenly, they do not turn the verdict"])),
    )


def _unlike(baseline_period: str, period: str, kind: str) -> str:
    """Why counts of two periods are no change; empty where they are one."""
    first, last = read_period(baseline_period), read_period(period)
    if first.length != last.length or (first.length < 12 and first.first.month != last.first.month):
        return "its two periods are not of the same months of the year"
    # An aim whose year is not over says so itself.
    return "its two periods overlap" if kind == "change" and first.last >= last.first else ""


# What is saved of a target.
COLUMNS = (
    *("target_set", "measure", "area", "target_owner", "baseline_period", "period", "baseline", "outturn"),
    *("change_percent", "unit", "target", "result", "verdict", "margin", "relative_percent", "against_london"),
    *("as_far", "of", "why", "source"),
)
_MARKED = {"verdict": pl.String, "result": pl.Float64, "margin": pl.Float64, "why": pl.String}
UNITS = {"change": "%", "aim": "%", "level": "%", "count": "people", "gap": "points", "none": ""}


def years_between(baseline_period: str, period: str) -> float:
    """Years from the end of one period to the end of another, both as a reader asks for them."""
    first, last = read_period(baseline_period).last, read_period(period).last
    return last.year - first.year + (last.month - first.month) / 12


def hold_against(targets: pl.DataFrame, results: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """Each target with what it is held against: the counts of its two periods where there are some, else a printed result.

    Parameters
    ----------
    targets : the columns of `wardbook.facts.Targets`, each row's `area` its own; of the series `own` also its `baseline` and
        `outturn`, or its `result`, and `sample`: what was printed of a target of the same name is not that one's.
    results : `wardbook.facts.published_results()`.
    counted : `row`, the place of a target in `targets`, counted from 0, and the columns of `measures.change.compare` for
        its area.
    """
    printed = results.drop("source", "source_address", "quality").rename({"note": "result_note"})
    beside = ["relative_percent", "london_change_percent", "against_london", "as_far", "of", "apart"]
    row, moved = pl.col("row").cast(pl.UInt32), pl.col("placed").is_not_null()
    counts = counted.select(
        *(row, "comparable", "crosses", "placed", *beside),
        cut=pl.when(pl.col("comparable") | moved).then(pl.lit("")).otherwise("why"),
        moved=pl.when(moved).then("why"),
        counted_before="before",
        counted_after="after",
    )
    rows, is_own = targets.with_row_index("row"), pl.col("series") == "own"
    others = rows.filter(~is_own).drop("baseline", "outturn", "result", "sample", strict=False)
    others = others.join(printed, on=["target_set", "measure", "area"], how="left")
    rows = (
        pl.concat([others, rows.filter(is_own)], how="diagonal_relaxed").join(counts, on="row", how="left").drop("row")
    )
    return rows.with_columns(
        baseline=pl.coalesce("counted_before", "baseline"), outturn=pl.coalesce("counted_after", "outturn")
    )


def mark_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Every target marked: the rows with `unit`, `result`, `change_percent`, `verdict`, `margin` and `why` (of the verdict).

    `distance_percent` is the margin as a share of what was asked, `judged` whether there is a verdict, `good` whether it is one
    that its owner would want.

    Parameters
    ----------
    rows : as `hold_against` gives them.
    """
    marks = pl.DataFrame([asdict(mark(row)) for row in rows.iter_rows(named=True)], schema=_MARKED)
    rows = rows.drop(list(_MARKED), strict=False).hstack(marks).with_columns(unit=pl.col("kind").replace_strict(UNITS))
    asked = pl.when(pl.col("outturn").is_null()).then(pl.col("target").abs()).otherwise("baseline")
    return rows.with_columns(
        change_percent=pl.when(pl.col("unit") == "%", pl.col("kind") != "level").then("result"),
        distance_percent=100 * pl.col("margin") / asked,
        judged=~pl.col("verdict").is_in([CANNOT_SAY, TOO_EARLY]),
        good=pl.col("verdict").is_in([MET, NARROWLY_MET, ON_TRACK]),
    )


def baselines_allowed(change: int, percent: float, *, decimals: int = 1) -> tuple[int, int]:
    """The whole-number baselines that reproduce a printed change and percentage: lowest and highest.

    A leaflet that prints "136 fewer, −12.7 %" leaves a range of baselines; every one must be carried through, since no
    single one is the published figure.

    Parameters
    ----------
    change : outturn less baseline, signed.
    percent : the printed percentage, signed, rounded to `decimals`.

    Raises
    ------
    ValueError
        if the signs differ or no baseline reproduces the figure.
    """
    if change == 0 or percent == 0 or (change < 0) != (percent < 0):
        raise ValueError(f"a change of {change} cannot be {percent} %: both must have the same sign and not be 0")
    half = 0.5 * 10**-decimals
    low = math.floor(abs(change) * 100 / (abs(percent) + half))
    high = math.ceil(abs(change) * 100 / max(abs(percent) - half, 1e-12))
    # Either way of rounding an exact half is allowed: the publisher's is not known.
    near = (*range(max(low, 1), low + 3), *range(max(high - 3, 1), high + 1))
    fits = [b for b in near if abs(100 * change / b - percent) <= half + 1e-9]
    if not fits:
        raise ValueError(f"no whole-number baseline turns a change of {change} into {percent} %")
    return min(fits), max(fits)
