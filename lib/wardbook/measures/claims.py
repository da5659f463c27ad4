"""Does a public statement stand up? A table of checks, each of which recomputes one kind of statement from its own figures.

A verdict is about figures, not about anyone: `reproduces` means that the printed figures agree with each other, with a count
that is held here, or with another publication. What cannot be recomputed says so; a forecast, an opinion and a slip of the
pen are no claims.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import scipy

from wardbook.measures.rates import RateRatio, rate_ratio, wilson
from wardbook.measures.targets import baselines_allowed
from wardbook.periods import Period, month_after

REPRODUCES, AGREES, DIFFERS = "reproduces", "agrees but for rounding or revision", "does not reproduce"
IN_PART, UNCHECKED, NOT_A_CLAIM = "true of part", "cannot be checked", "not a claim"
VERDICTS = (REPRODUCES, AGREES, DIFFERS, IN_PART, UNCHECKED, NOT_A_CLAIM)
CLAIMED = ("figure", "target", "comparison", "trend")
KINDS = (*CLAIMED, "rhetoric", "forecast", "slip")
REVISION = 0.001  # two editions of one count that differ by no more than this share of it are one count revised
HOT = 0.25  # a ward among so large a share of its area's wards, by rate, is one where recorded crime is most frequent

Row = Mapping[str, Any]
Result = dict[str, Any]
_TEXT = ("verdict", "wrong", "holds", "against_london")
_NUMBERS = (
    *("recomputed_percent", "noise_low", "noise_high", "per_day_percent", "per_day_low", "per_day_high"),
    *("overdispersion_limit", "baseline_low", "baseline_high", "outturn_low", "outturn_high", "london_percent"),
    *("upper_bound", "upper_bound_other", "months", "days_before", "days_after", "rank", "of", "difference"),
)
_ITEM = {"offence_group": pl.String, "before": pl.Int64, "after": pl.Int64}
_ITEM |= dict.fromkeys(("change_percent", "london_change_percent"), pl.Float64)
RESULTS = dict.fromkeys(_TEXT, pl.String) | dict.fromkeys(_NUMBERS, pl.Float64) | {"apart": pl.Boolean}
RESULTS |= {"items": pl.List(pl.Struct(_ITEM))}


def check(claims: pl.DataFrame, held: Mapping[str, Row] | None = None) -> pl.DataFrame:
    """Every statement with its verdict and the figures behind it.

    Parameters
    ----------
    claims : the columns of `wardbook.register.Claims`, one row a statement; one that rests on another comes after it.
    held : by `claim_id`, what a table here holds of it: for `recorded` and `series` the counts (`items`, `outturn`), for
        `hours` the `successes` of `trials`, for `ward` its `rank` `of` how many, for `plan` its years and its successor's.

    Returns
    -------
    pl.DataFrame
        the claims, then `RESULTS`: changes, shares and their 95 % intervals in per cent. `wrong` lists the pieces of a
        statement that do not hold, `holds` those that do; `overdispersion_limit` is the φ at which a change between two
        counts stops being significant, below 1 if it never was; `items` the changes that were compared, of a statement about recorded
        offences.
    """
    known: dict[str, Row] = {}
    blank, results = dict.fromkeys(RESULTS), []
    for row in claims.iter_rows(named=True):
        own = row | dict((held or {}).get(row["claim_id"], {}))
        recompute, *_ = CHECKS[row["check"]]
        checked = recompute(own, known) if row["kind"] in CLAIMED else {"verdict": NOT_A_CLAIM}
        known[row["claim_id"]] = row | checked  # what a later statement rests on, or disputes
        results.append(blank | checked)
    return claims.hstack(pl.DataFrame(results, schema=RESULTS))


# -- arithmetic that several checks share --------------------------------------------------------------------------------


def overdispersion_limit(before: float, after: float) -> float | None:
    """The overdispersion φ at which a change between two counts stops being significant; below 1 it never was.

    By the normal approximation on the log ratio: (ln r ÷ (z·√(1/a + 1/b)))².
    """
    if min(before, after) <= 0:
        return None
    z = scipy.stats.norm.ppf(0.975)
    return float((math.log(after / before) / (z * math.sqrt(1 / before + 1 / after))) ** 2)


def zero_upper_bound(trials: int) -> float:
    """One-sided 95 % upper bound of a share of which none was seen in `trials`: 1 − 0.05^(1/n), as a fraction."""
    return float(1 - 0.05 ** (1 / trials))


def window(text: str | None) -> Period | None:
    """ "2006-08 to 2008-04" as a period; None for any other text."""
    ends = re.fullmatch(r"(\d{4}-(?:0[1-9]|1[0-2])) to (\d{4}-(?:0[1-9]|1[0-2]))", text or "")
    first, last = (date.fromisoformat(f"{month}-01") for month in ends.groups()) if ends else (date.max, date.min)
    return Period(first, last) if first <= last else None


def calendar_months(text: str) -> Counter[int]:
    """How often a window holds each calendar month: 21 months hold nine of them twice and three once."""
    return Counter(month.month for month in (window(text).months if window(text) else []))


def decimals(row: Row, figure: str) -> int:
    """How many decimals a row's figure is printed with: as many as it is written with, where the row does not say."""
    written = str(float(row[figure])).rstrip("0").partition(".")[2]
    return len(written) if row["decimals"] is None else int(row["decimals"])


def _graded(value: float, row: Row, figure: str, revision: float = 100 * REVISION) -> str:
    """Does a value agree with the row's printed figure, give or take half of its last digit, or else a revision too?

    Either way of rounding an exact half is allowed: the printer's is not known. A percentage moves by a tenth of a point
    where one of its counts is revised, however many decimals are printed: of "1 %" a whole unit would be all of it.
    """
    half, gap = 10.0 ** -decimals(row, figure) / 2, abs(value - row[figure]) - 1e-9
    return REPRODUCES if gap <= half else AGREES if gap <= half + revision else DIFFERS


def _judged(pieces: Mapping[str, str]) -> Result:
    """The verdict on what a statement says, piece by piece."""
    right = [name for name, grade in pieces.items() if grade != DIFFERS]
    wrong = [name for name, grade in pieces.items() if grade == DIFFERS]
    verdict = UNCHECKED if not pieces else IN_PART if right and wrong else DIFFERS if wrong else REPRODUCES
    if verdict == REPRODUCES and AGREES in pieces.values():
        verdict = AGREES
    return {"verdict": verdict, "wrong": " | ".join(wrong), "holds": " | ".join(right)}


def _grade(right: bool) -> str:
    return REPRODUCES if right else DIFFERS


def _counts_of(baselines: tuple[float, float], outturns: tuple[float, float]) -> Result:
    """The lowest and highest count of either period: alike where the count itself is known."""
    names = ("baseline_low", "baseline_high", "outturn_low", "outturn_high")
    return dict(zip(names, (*baselines, *outturns), strict=True))


def _percents(ratio: RateRatio, *names: str) -> Result:
    """A ratio and its interval as changes in per cent, by these names."""
    return dict(zip(names, (100 * (x - 1) for x in (ratio.ratio, ratio.lower, ratio.upper)), strict=True))


def _carried(baselines: tuple[int, int], move: int) -> Result:
    """A change whose baseline lies between two counts: the middle of what they give, and the widest interval."""
    noise = [rate_ratio(base + move, base) for base in baselines]
    return {
        "recomputed_percent": 50 * move * sum(1 / base for base in baselines),
        "noise_low": 100 * (min(one.lower for one in noise) - 1),
        "noise_high": 100 * (max(one.upper for one in noise) - 1),
        **_counts_of(baselines, tuple(sorted(base + move for base in baselines))),
    }


def _falls(row: Row, before: float, after: float) -> str:
    return _grade(after < before if row["direction"] == "fall" else after > before)


# -- the checks ------------------------------------------------------------------------------------------------------------


def _change(row: Row, known: Mapping[str, Row]) -> Result:
    return _printed_change(row) if row["before"] is None else _counts(row)


def _printed_change(row: Row) -> Result:
    """A printed change and percentage without counts: every baseline that reproduces both is carried through."""
    move = int(row["change"])
    try:
        baselines = baselines_allowed(move, row["percent"], decimals=decimals(row, "percent"))
    except ValueError:
        return {"verdict": DIFFERS, "wrong": "no baseline"}
    return {"verdict": REPRODUCES} | _carried(baselines, move)


def _counts(row: Row) -> Result:
    """A change between two printed counts, and the same a day where two windows of months are named."""
    before, after = int(row["before"]), int(row["after"])
    if before == 0:
        return {"verdict": UNCHECKED, "wrong": "none to start from"}
    change = _percents(rate_ratio(after, before), "recomputed_percent", "noise_low", "noise_high")
    pieces = {}
    if row["percent"] is not None:
        pieces["percent"] = _graded(change["recomputed_percent"], row, "percent")
    if row["change"] is not None:
        pieces["change"] = _grade(after - before == row["change"])
    if row["direction"]:
        pieces["direction"] = _falls(row, before, after)
    result = _judged(pieces) | change | _counts_of((before, before), (after, after)) | _by_day(row, before, after)
    return result | {"overdispersion_limit": overdispersion_limit(before, after)}


def _by_day(row: Row, before: int, after: int) -> Result:
    if not (window(row["baseline_period"]) and window(row["period"])):
        return {}
    stretch = _stretch(row)
    daily = rate_ratio(after, before, stretch["days_after"], stretch["days_before"])
    return stretch | _percents(daily, "per_day_percent", "per_day_low", "per_day_high")


def _stretch(row: Row) -> Result:
    """How many days a row's two windows hold, and whether they hold other calendar months."""
    names = row["baseline_period"], row["period"]
    before, after = ((month_after(each.last, 1) - each.first).days for each in map(window, names))
    return {"days_before": before, "days_after": after, "apart": calendar_months(names[0]) != calendar_months(names[1])}


def _together(row: Row, known: Mapping[str, Row]) -> Result:
    """A change of "over x %" claimed of several printed rows: it may hold of them together, of some, or of none."""
    parts = [known[name] for name in row["parts"].split(" | ")]
    each = [_printed_change(part) for part in parts]
    if any(one["verdict"] == DIFFERS for one in each):
        return {"verdict": UNCHECKED, "wrong": "a row that it rests on"}
    total = sum(part["change"] for part in parts)
    bases = tuple(sum(one[f"baseline_{end}"] for one in each) for end in ("low", "high"))
    sign = -1 if row["direction"] == "fall" else 1

    def beyond(change: float, ends: tuple[float, float]) -> bool:
        return min(sign * 100 * change / base for base in ends) > sign * row["percent"]

    right = [
        part["measure"]
        for part, one in zip(parts, each, strict=True)
        if beyond(part["change"], (one["baseline_low"], one["baseline_high"]))
    ]
    whole = beyond(total, bases)
    return {
        "verdict": REPRODUCES if whole else IN_PART if right else DIFFERS,
        "holds": " | ".join(right),
        "wrong": "" if whole else "the rows together",
        **_carried(bases, total),
    }


def _proportion(row: Row, known: Mapping[str, Row]) -> Result:
    share = 100 * row["successes"] / row["trials"]
    low, high = (100 * end for end in wilson(row["successes"], row["trials"]))
    result = {"recomputed_percent": share, "noise_low": low, "noise_high": high}
    if row["percent"] is None:  # the counts alone are printed, and the share is ours
        return result | {"verdict": UNCHECKED, "wrong": "no share"}
    return result | _judged({"percent": _graded(share, row, "percent")})


def _zero_of_n(row: Row, known: Mapping[str, Row]) -> Result:
    bounds = [None if n is None else 100 * zero_upper_bound(int(n)) for n in (row["trials"], row["printed"])]
    return {"verdict": UNCHECKED, "recomputed_percent": 0.0, "upper_bound": bounds[0], "upper_bound_other": bounds[1]}


def _arithmetic(row: Row, known: Mapping[str, Row]) -> Result:
    """One printed figure as the difference of two others, which may be of another edition."""
    left = row["after"] - row["before"]
    # Two figures, each rounded, may be out by a half of their last digit each.
    slack = max(10.0 ** -decimals(row, "change") / 2, REVISION * max(abs(row["after"]), abs(row["before"])))
    return _judged({"difference": _graded(left, row, "change", slack)}) | {"difference": left}


def _target(row: Row, known: Mapping[str, Row]) -> Result:
    """A printed verdict against its target; a target that is not printed is only bounded by the verdict."""
    if row["target"] is None:
        return {"verdict": UNCHECKED, "wrong": "no target"}
    met = row["percent"] <= row["target"] if row["direction"] == "fall" else row["percent"] >= row["target"]
    return _judged({"verdict": _grade(met == (row["printed_verdict"] == "achieved"))})


def _series(row: Row, known: Mapping[str, Row]) -> Result:
    """An aim for a sum of printed rows, beside what a file here holds of the year: across sources, and no verdict."""
    parts = [_printed_change(known[name]) for name in row["parts"].split(" | ")]
    outturn = row.get("outturn")
    if outturn is None or any(part["verdict"] == DIFFERS for part in parts):
        return {"verdict": UNCHECKED, "wrong": "no count"}
    baselines = tuple(sum(part[f"outturn_{end}"] for part in parts) for end in ("low", "high"))
    changes = [100 * (outturn / base - 1) for base in baselines]
    return {
        "verdict": UNCHECKED,
        "wrong": "" if max(changes) <= row["target"] else "the aim",
        "recomputed_percent": sum(changes) / 2,
        **_counts_of(baselines, (outturn, outturn)),
    }


def _corrected(row: Row, known: Mapping[str, Row]) -> Result:
    """A printed figure beside the same figure in another publication; the number may hold of another thing."""
    if row["found"] is None and not row["found_text"]:
        return {"verdict": UNCHECKED}
    if row["found"] is None:
        return _judged({"text": _grade(row["printed_text"] == row["found_text"])})
    pieces = {"number": _graded(row["found"], row, "printed", REVISION * abs(row["found"]))}
    if (row["found_unit"] or "") != (row["unit"] or ""):
        pieces["unit"] = DIFFERS
    return _judged(pieces)


def _windows(row: Row, known: Mapping[str, Row]) -> Result:
    """Two windows said to be of so many months each."""
    months = [calendar_months(row[name]).total() for name in ("baseline_period", "period")]
    return _judged({"months": _grade(months == [row["printed"]] * 2)}) | {"months": months[0]} | _stretch(row)


def _recorded(row: Row, known: Mapping[str, Row]) -> Result:
    """A change that files here hold, item by item; what cannot be compared holds of nothing, and leaves the rest a part."""
    items = row.get("items") or []
    judged = [one for one in items if one["comparable"]]
    if not judged:
        return {"verdict": UNCHECKED, "wrong": "not comparable"}
    pieces = {}
    for one in judged:
        grades = [_falls(row, one["before"], one["after"])] if row["direction"] else []
        if row["percent"] is not None:
            grades.append(_graded(one["change_percent"], row, "percent"))
        pieces[one["offence_group"]] = DIFFERS if DIFFERS in grades else AGREES if AGREES in grades else REPRODUCES
    result, first = _judged(pieces), judged[0]
    if result["verdict"] in (REPRODUCES, AGREES) and len(judged) < len(items):
        result["verdict"] = IN_PART
    return result | {
        "items": [{name: one[name] for name in _ITEM} for one in judged],
        "recomputed_percent": first["change_percent"],
        "london_percent": first["london_change_percent"],
        "against_london": first["against_london"],
        **_counts_of((first["before"],) * 2, (first["after"],) * 2),
    }


def _disputes(row: Row, known: Mapping[str, Row]) -> Result:
    """A statement that another one is wrong: the other's verdict, turned round."""
    turned = {REPRODUCES: DIFFERS, AGREES: DIFFERS, DIFFERS: REPRODUCES, IN_PART: IN_PART}
    return {"verdict": turned.get(known.get(row["parts"], {}).get("verdict"), UNCHECKED)}


def _hours(row: Row, known: Mapping[str, Row]) -> Result:
    """How much of officers' time went elsewhere: a part of what is said, never why."""
    if not row.get("trials"):
        return {"verdict": UNCHECKED, "wrong": "no hours"}
    return {"verdict": IN_PART, "recomputed_percent": 100 * row["successes"] / row["trials"]}


def _ward(row: Row, known: Mapping[str, Row]) -> Result:
    if not row.get("of"):
        return {"verdict": UNCHECKED, "wrong": "no ward"}
    return {"verdict": _grade(row["rank"] <= HOT * row["of"]), "rank": row["rank"], "of": row["of"]}


def _plan(row: Row, known: Mapping[str, Row]) -> Result:
    """A plan's years, and that no other had taken its place on the day of the statement."""
    if not row.get("years"):
        return {"verdict": UNCHECKED, "wrong": "no plan"}
    return _judged({"years": _grade(row["printed_text"] == row["years"]), "newest": _grade(not row["replaced"])})


def _trajectory(row: Row, known: Mapping[str, Row]) -> Result:
    """A number, what is on its way to it, and the target for a later date: how far apart, without a forecast."""
    return {"verdict": UNCHECKED, "difference": row["target"] - row["before"]}


def _none(row: Row, known: Mapping[str, Row]) -> Result:
    return {"verdict": UNCHECKED}


# By its name in the register: what recomputes a statement, and what of a row it needs, any one of these sets of columns.
CHECKS: dict[str, tuple[Any, ...]] = {
    "change": (_change, "before after", "change percent"),
    "vehicle_pair": (_together, "parts percent direction"),
    "proportion": (_proportion, "successes trials"),
    "zero_of_n": (_zero_of_n, "successes trials"),
    "arithmetic": (_arithmetic, "before after change"),
    "target": (_target, "percent direction printed_verdict"),
    "series": (_series, "item area period parts target"),
    "corrected": (_corrected, "printed found", "printed_text found_text", "printed what_it_takes"),
    "windows": (_windows, "baseline_period period printed"),
    "trajectory": (_trajectory, "before target what_it_takes"),
    "recorded": (_recorded, "item area baseline_period period direction", "item area baseline_period period percent"),
    "disputes": (_disputes, "parts"),
    "hours": (_hours, "area period"),
    "ward": (_ward, "item area period printed_text"),
    "plan": (_plan, "parts printed_text said_on"),
    "none": (_none, "what_it_takes"),
}
