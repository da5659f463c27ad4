"""Does a public claim stand up? Each statement is recomputed from its own figures, or the row says why it cannot be.

A verdict is about arithmetic, not about anyone: `reproduces` means that the printed figures agree with each other or with
a count that is held here. Whether a change stands out from counting noise is said beside it, never folded into it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import date

import polars as pl
from scipy import stats

from wardbook.measures.rates import rate_ratio, wilson
from wardbook.measures.usual import Change, baselines_allowed
from wardbook.measures.verdicts import History
from wardbook.periods import financial_year
from wardbook.places import area

REPRODUCES, DIFFERS, IN_PART, UNCHECKED = "reproduces", "does not reproduce", "true of part", "cannot be checked"
VERDICTS = (REPRODUCES, DIFFERS, IN_PART, UNCHECKED)
KINDS = ("figure", "target", "comparison", "trend", "rhetoric")
CHECKS = (
    *("change", "vehicle_pair", "proportion", "zero_of_n", "arithmetic"),
    *("target", "series", "corrected", "windows", "trajectory", "none"),
)
_TEXT = ("claim_id", "document", "office", "where", "claim", "kind", "measure", "area", "baseline_period", "period")
NUMBERS = (*("before", "after", "change", "percent", "decimals", "successes", "trials", "target", "printed", "found"),)
_REST = ("unit", "found_unit", "direction", "printed_verdict", "parts", "item", "overlaps")
_ABOUT = ("what_it_takes", "source", "source_address", "quality", "note")
CLAIMS = pl.Schema(
    dict.fromkeys((*_TEXT, "check"), pl.String)
    | dict.fromkeys(NUMBERS, pl.Float64)
    | dict.fromkeys((*_REST, *_ABOUT), pl.String)
)
_INTERVALS = (
    *("recomputed_percent", "noise_low", "noise_high", "per_day_percent", "per_day_low", "per_day_high"),
    *("overdispersion_limit", "baseline_low", "baseline_high", "outturn_low", "outturn_high"),
)
RESULTS = pl.Schema(dict.fromkeys(("verdict", "recomputed", "why"), pl.String) | dict.fromkeys(_INTERVALS, pl.Float64))


def check_claims(claims: pl.DataFrame, history: History | None = None) -> pl.DataFrame:
    """Every claim with its verdict, its recomputation and why; rhetoric has neither verdict nor recomputation.

    Parameters
    ----------
    claims : `CLAIMS`, for example `data/reference/claims.csv` and a reader's own rows after it.
    history : counts by financial year, for the rows checked against a series; without it they cannot be checked.

    Returns
    -------
    pl.DataFrame
        the claims, then `RESULTS`: changes, shares and their 95 % intervals in per cent; `overdispersion_limit` is the
        φ at which the change stops being significant.
    """
    known = {row["claim_id"]: row for row in claims.iter_rows(named=True)}
    found = []
    for row in claims.iter_rows(named=True):
        blank = dict.fromkeys(RESULTS.names())
        if row["kind"] == "rhetoric":
            found.append(blank | {"why": "rhetoric: left unjudged"})
            continue
        found.append(blank | _CHECKS[row["check"]](row, known, history))
    return pl.concat([claims, pl.DataFrame(found, schema=RESULTS)], how="horizontal")


def overdispersion_limit(before: float, after: float, *, level: float = 0.95) -> float | None:
    """The overdispersion φ at which a change between two counts stops being significant; below 1 it never was.

    By the normal approximation on the log ratio: (ln r ÷ (z·√(1/a + 1/b)))². Counts of police records vary more than
    Poisson counts do, so a change that needs φ to stay below 2 says little.
    """
    if min(before, after) <= 0:
        return None
    z = stats.norm.ppf(0.5 + level / 2)
    return float((math.log(after / before) / (z * math.sqrt(1 / before + 1 / after))) ** 2)


def zero_upper_bound(trials: int, *, level: float = 0.95) -> float:
    """One-sided upper bound of a share of which none was seen in `trials`: 1 − (1 − level)^(1/n), as a fraction."""
    return float(1 - (1 - level) ** (1 / trials))


def window(text: str | None) -> tuple[date, date] | None:
    """ "2006-08 to 2008-04" as its first day and the day after its last; None for any other text."""
    found = re.fullmatch(r"(\d{4})-(\d\d) to (\d{4})-(\d\d)", text or "")
    if not found or not (1 <= int(found[2]) <= 12 and 1 <= int(found[4]) <= 12):
        return None
    first, last = date(int(found[1]), int(found[2]), 1), date(int(found[3]), int(found[4]), 1)
    return (first, date(last.year + last.month // 12, last.month % 12 + 1, 1)) if first <= last else None


def calendar_months(text: str) -> Counter[int]:
    """How often a window holds each calendar month: 21 months hold nine of them twice and three once."""
    first, end = window(text) or (date(2000, 1, 1), date(2000, 1, 1))
    months = 12 * (end.year - first.year) + end.month - first.month
    return Counter((first.month - 1 + i) % 12 + 1 for i in range(months))


def season_shift(months: pl.DataFrame, before: str, after: str) -> float:
    """The change, in per cent, that two windows' different calendar months make by themselves.

    Parameters
    ----------
    months : `month` (date), `offences`: whole years of a series, each calendar month equally often.
    before, after : windows such as "2006-08 to 2008-04".
    """
    usual = dict(
        months.group_by(pl.col("month").dt.month().alias("m")).agg(pl.col("offences").mean()).sort("m").iter_rows()
    )
    sums = [sum(n * usual[m] for m, n in calendar_months(text).items()) for text in (before, after)]
    return 100 * (sums[1] / sums[0] - 1)


# -- the checks ---------------------------------------------------------------------------------------------------------


def _signed(value: float, digits: int = 1) -> str:
    sign = "" if round(value, digits) == 0 else "+" if value > 0 else "−"
    return f"{sign}{abs(value):,.{digits}f}%"


def _span(low: float, high: float) -> str:
    ends = _signed(low), _signed(high)
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"


def _decimals(row: Mapping, default: int = 1) -> int:
    return default if row["decimals"] is None else int(row["decimals"])


def _agrees(value: float, printed: float, decimals: int) -> bool:
    # Either way of rounding an exact half is allowed: the publisher's is not known.
    return abs(value - printed) <= 0.5 * 10**-decimals + 1e-9


def _numbers(percent: float, noise: tuple[float, float], baselines: tuple = (), outturns: tuple = ()) -> dict:
    """The columns of `RESULTS` that hold a recomputed figure, its interval and the counts' ranges."""
    names = (
        "recomputed_percent",
        "noise_low",
        "noise_high",
        "baseline_low",
        "baseline_high",
        "outturn_low",
        "outturn_high",
    )
    return dict(zip(names, (percent, *noise, *baselines, *outturns)))


def _judged(pieces: Mapping[str, bool]) -> dict:
    """The verdict on what a claim states, piece by piece, and the pieces that do not hold."""
    verdict = REPRODUCES if all(pieces.values()) else IN_PART if any(pieces.values()) else DIFFERS
    wrong = [name for name, right in pieces.items() if not right]
    return {"verdict": verdict if pieces else UNCHECKED, "why": f"not so: {'; '.join(wrong)}" if wrong else ""}


def _and(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _change(row: Mapping, known: Mapping, history: History | None) -> dict:
    return _from_change(row) if row["before"] is None else _from_counts(row)


def _from_change(row: Mapping) -> dict:
    """A printed change and percentage without counts: every baseline that reproduces both is carried through."""
    try:
        low, high = baselines_allowed(int(row["change"]), row["percent"], decimals=_decimals(row))
    except ValueError as error:
        return {"verdict": DIFFERS, "recomputed": "no baseline fits", "why": str(error)}
    change = Change(tuple((b, b + int(row["change"])) for b in (low, high)), None)
    covers = " and covers no change" if change.noise[0] <= 0 <= change.noise[1] else ""
    outturns = tuple(sorted(o for _, o in change.pairs))
    return {
        "verdict": REPRODUCES,
        "recomputed": f"{_range(low, high)} to {_range(*outturns)}: {_span(*change.percents)}",
        "why": "the change and the percentage fit these whole-number baselines; none is printed, so the check is weak; "
        f"by counting noise the interval is {_span(*change.noise)}{covers}",
        **_numbers(change.percent, change.noise, (low, high), outturns),
    }


def _from_counts(row: Mapping) -> dict:
    before, after = int(row["before"]), int(row["after"])
    if before == 0:
        return {"verdict": UNCHECKED, "recomputed": f"0 to {after:,}", "why": "no percentage starts from none"}
    noise, limit = rate_ratio(after, before), overdispersion_limit(before, after)
    percent, low, high = (100 * (x - 1) for x in (noise.ratio, noise.lower, noise.upper))
    pieces = {}
    if row["percent"] is not None:
        said = f"{_signed(row['percent'])} is printed, {_signed(percent, 2)} recomputed"
        pieces[said] = _agrees(percent, row["percent"], _decimals(row))
    if row["change"] is not None:
        pieces[f"a change of {row['change']:+,.0f} is printed, {after - before:+,} recomputed".replace("-", "−")] = (
            after - before == row["change"]
        )
    if row["direction"]:
        pieces[f"a {row['direction']}"] = after < before if row["direction"] == "fall" else after > before
    out = _judged(pieces)
    stands = "clear of counting noise" + (f" up to an overdispersion of {limit:,.1f}" if limit else "")
    if low <= 0 <= high:
        stands = "the interval covers no change by counting noise alone"
    out |= {
        "recomputed": f"{before:,} to {after:,}: {_signed(percent)} (counting noise {_span(low, high)})",
        "overdispersion_limit": limit,
        **_numbers(percent, (low, high), (before, before), (after, after)),
    }
    windows = window(row["baseline_period"]), window(row["period"])
    unequal = ""
    if all(windows):
        days = [(end - first).days for first, end in windows]
        daily = rate_ratio(after, before, days[1], days[0])
        names = ("per_day_percent", "per_day_low", "per_day_high")
        out |= dict(zip(names, (100 * (x - 1) for x in (daily.ratio, daily.lower, daily.upper))))
        unequal = f"{days[0]} days against {days[1]}: {_signed(out['per_day_percent'])} a day"
        if calendar_months(row["baseline_period"]) != calendar_months(row["period"]):
            unequal += ", in windows that hold different calendar months"
    return out | {"why": _and(out["why"], stands, unequal)}


def _vehicle_pair(row: Mapping, known: Mapping, history: History | None) -> dict:
    """A change of "over x %" claimed of several printed rows: it may hold of them together, of some, or of none."""
    parts = [known[name] for name in row["parts"].split(" | ")]
    found = [_from_change(part) for part in parts]
    if any(one["verdict"] == DIFFERS for one in found):
        return {"verdict": UNCHECKED, "why": "a row that it rests on does not reproduce"}
    total = sum(part["change"] for part in parts)
    ends = [sum(one[f"baseline_{end}"] for one in found) for end in ("low", "high")]
    together = [100 * total / base for base in ends]
    sign = -1 if row["direction"] == "fall" else 1

    def holds(low: float, high: float) -> bool:
        return min(sign * low, sign * high) > sign * row["percent"]

    own = [[100 * part["change"] / one[f"baseline_{e}"] for e in ("low", "high")] for part, one in zip(parts, found)]
    right = [part["measure"] for part, ends_of in zip(parts, own) if holds(*ends_of)]
    verdict = REPRODUCES if holds(*together) else IN_PART if right else DIFFERS
    each = "; ".join(f"{part['measure']} {_signed(part['percent'])}" for part in parts)
    noise = Change(tuple((int(b), int(b + total)) for b in ends), None).noise
    return {
        "verdict": verdict,
        "recomputed": f"{each}; together {_signed(sum(together) / 2)} ({_range(*ends)} to {_range(*(b + total for b in ends))})",
        "why": f"holds of {' and '.join(right) or 'none of the rows'}"
        + ("" if verdict == REPRODUCES else ", not of the rows together"),
        **_numbers(sum(together) / 2, noise, tuple(ends), tuple(base + total for base in ends)),
    }


def _proportion(row: Mapping, known: Mapping, history: History | None) -> dict:
    share = 100 * row["successes"] / row["trials"]
    low, high = (100 * end for end in wilson(row["successes"], row["trials"]))
    out = _judged({f"{row['percent']:g}% is printed": _agrees(share, row["percent"], _decimals(row))})
    return out | {
        "recomputed": f"{row['successes']:,.0f} ÷ {row['trials']:,.0f} = {share:.2f}% (Wilson {low:.2f}% to {high:.2f}%)",
        "why": _and(out["why"], "the division is checked; the two counts are the publisher's"),
        **_numbers(share, (low, high)),
    }


def _zero_of_n(row: Mapping, known: Mapping, history: History | None) -> dict:
    bound = 100 * zero_upper_bound(int(row["trials"]))
    return {
        "verdict": UNCHECKED,
        "recomputed": f"0 of {row['trials']:.0f} is compatible with an underlying share of up to {bound:.1f}% (one-sided 95%)",
        "why": row["what_it_takes"],
        **_numbers(0.0, (0.0, bound)),
    }


def _arithmetic(row: Mapping, known: Mapping, history: History | None) -> dict:
    """One printed figure as the difference of two others."""
    digits = _decimals(row, 0)
    left = row["after"] - row["before"]
    out = _judged({f"{row['change']:,.{digits}f} is printed".replace("-", "−"): _agrees(left, row["change"], digits)})
    implied = row["after"] - row["change"]
    if out["verdict"] == DIFFERS:
        out["why"] += f", which would need {implied:,.{digits}f} in place of {row['before']:,.{digits}f}"
    recomputed = f"{row['after']:,.{digits}f} − {row['before']:,.{digits}f} = {left:,.{digits}f}".replace("= -", "= −")
    return out | {"recomputed": recomputed, "why": out["why"] or "a difference of two printed figures"}


def _target(row: Mapping, known: Mapping, history: History | None) -> dict:
    """A printed verdict against its target; a target that is not printed is only bounded by the verdict."""
    result, target, said = row["percent"], row["target"], row["printed_verdict"]
    if target is None:
        way, other = ("fall", "rise") if row["direction"] == "fall" else ("rise", "fall")
        bound = f"it required a {way} {'above' if said == 'missed' else 'of at most'} {abs(result):.1f}%"
        if (result > 0) == (way == "fall"):
            bound = f"a {other} bounds no {way} that may have been required"
        return {"verdict": UNCHECKED, "recomputed": f"{said}: {bound}", "why": "the target is not printed"}
    met = result <= target if row["direction"] == "fall" else result >= target
    out = _judged({f"{said} is printed": met == (said == "achieved")})
    text = f"{result:g} against a target of {target:g}: {'met' if met else 'missed'}".replace("-", "−")
    return out | {
        "recomputed": text,
        "why": _and(out["why"], "two printed figures compared; neither is recomputed, and chance is not allowed for"),
    }


def _series(row: Mapping, known: Mapping, history: History | None) -> dict:
    """A figure beside a count that the edition holds: shown, not judged, since the two were not counted alike."""
    year = financial_year(row["period"])
    snapshot = history.snapshot_for("borough_offences", row["item"], year) if history else None
    if snapshot is None:
        return {"verdict": UNCHECKED, "why": f"no snapshot holds {row['item']} in {year}"}
    outturn = history.count("borough_offences", row["item"], area(row["area"]), year, snapshot)
    parts = [_from_change(known[name]) for name in row["parts"].split(" | ")]
    if any(part["verdict"] == DIFFERS for part in parts):
        return {"verdict": UNCHECKED, "why": "a row that it rests on does not reproduce"}
    low, high = (sum(part[f"outturn_{end}"] for part in parts) for end in ("low", "high"))
    change = Change(((int(low), outturn), (int(high), outturn)), None)
    return {
        "verdict": UNCHECKED,
        "recomputed": f"{_range(low, high)} (leaflet) to {outturn:,} (MPS file): {_span(*change.percents)}, across sources",
        "why": "an aim is no result; across sources the count "
        f"{'fell by that much' if max(change.percents) <= row['target'] else 'did not fall by that much'}",
        **_numbers(change.percent, change.noise, (low, high), (outturn, outturn)),
    }


def _corrected(row: Mapping, known: Mapping, history: History | None) -> dict:
    """A printed figure beside the same figure in another publication; the number may hold of another thing."""
    if row["found"] is None:
        return {"verdict": UNCHECKED, "why": row["what_it_takes"]}
    pieces = {f"{row['printed']:.0f} is printed": row["printed"] == row["found"]}
    if row["found_unit"] != row["unit"]:
        pieces[f"{row['unit']} is printed"] = False
    other = f"{row['found']:.0f}" if row["found"] < 10_000 else f"{row['found']:,.0f}"
    return _judged(pieces) | {"recomputed": f"{other} {row['found_unit']}".strip() + " in another publication"}


def _windows(row: Mapping, known: Mapping, history: History | None) -> dict:
    """Two windows said to be of so many months each."""
    months = [sum(calendar_months(text).values()) for text in (row["baseline_period"], row["period"])]
    days = [(end - first).days for first, end in (window(row["baseline_period"]), window(row["period"]))]
    unlike = calendar_months(row["baseline_period"]) != calendar_months(row["period"])
    out = _judged({f"{row['printed']:.0f} months each": months == [row["printed"]] * 2})
    return out | {
        "recomputed": f"{months[0]} and {months[1]} months, {days[0]} and {days[1]} days",
        "why": _and(out["why"], f"the windows hold {'different' if unlike else 'the same'} calendar months"),
    }


def _trajectory(row: Mapping, known: Mapping, history: History | None) -> dict:
    """A number, what is on its way to it, and the target for a later date: how far apart, without a forecast."""
    have, more, target = row["before"], row["change"] or 0, row["target"]
    text = f"{have:,.0f} is {target - have:,.0f} short of {target:,.0f}"
    if more:
        text += f"; with all of {more:,.0f} it would be {have + more:,.0f}, {target - have - more:,.0f} short"
    return {"verdict": UNCHECKED, "recomputed": text, "why": row["what_it_takes"]}


def _none(row: Mapping, known: Mapping, history: History | None) -> dict:
    return {"verdict": UNCHECKED, "why": row["what_it_takes"]}


_CHECKS = dict(
    zip(
        CHECKS,
        (
            *(_change, _vehicle_pair, _proportion, _zero_of_n, _arithmetic),
            *(_target, _series, _corrected, _windows, _trajectory, _none),
        ),
    )
)
