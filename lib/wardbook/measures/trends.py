"""Is a monthly series changing, and is that unusual?

A month is *expected* from months before it and after the last declared break: a quasi-Poisson month-factor model (Farrington
and others 1996; Noufaily and others 2013). One baseline over many years puts a fifth of ordinary points outside, and limits
learnt from the months they judge double the false alarms, so the baseline moves and ends before the months judged.
Signals are about months; whether a year changed is judged by usual variation, since months vary less than years do.
"""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from scipy import stats

from wardbook.measures.usual import TOO_FEW, Change, UsualVariation
from wardbook.measures.verdicts import YEARLY_GROUPS, History
from wardbook.periods import FinancialYear, breaks_between, complete_years
from wardbook.places import UNKNOWN, Area, UnknownName

LEVEL = 0.99  # of the expected range of one month
BASELINE_MONTHS = 36
SHORTEST_BASELINE = 24  # months that a month-factor model needs to learn how far months vary
REBASE_MONTHS = 12  # months after a break that set the new level, the shape of the year taken from before it
RULES = ("beyond a limit", "7 on one side", "7 rising or falling", "2 of 3 near a limit")
ASSURANCE = ("consistently met", "hit and miss", "consistently missed")
_MONITORED = pl.Schema(
    {"month": pl.Date, "observed": pl.Int64, "expected": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
    | {"signal": pl.String, "segment": pl.Int64, "baseline_from": pl.Date, "baseline_to": pl.Date, "note": pl.String}
)


class BaselineError(ValueError):
    """A baseline from which nothing can be expected; the message says why."""


class WindowsDiffer(ValueError):
    """Two windows that cannot be compared as they are; the message names both."""


# -- XmR --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class XmR:
    """Mean and natural process limits of a series; `points` has `value` and `rule` (null, or the rule a point breaks)."""

    mean: float
    lower: float
    upper: float
    points: pl.DataFrame


def xmr(values: Sequence[float], *, screen: bool = True) -> XmR:
    """Individuals chart: mean ± 2.66 × mean moving range, ranges of 3.267 times their mean or more screened out once.

    Kept for assurance against a target; signals in a seasonal count come from `monitor`.

    Raises
    ------
    ValueError
        with fewer than two values, or one that is no number.

    References
    ----------
    Wheeler (1993), Understanding Variation; the rules are those of NHS England's Making Data Count.
    """
    x = np.asarray(values, dtype=float)
    if len(x) < 2 or not np.isfinite(x).all():
        raise ValueError("an XmR chart needs two values or more, all of them numbers")
    ranges = np.abs(np.diff(x))
    kept = ranges[ranges < 3.267 * ranges.mean()] if screen and ranges.mean() > 0 else ranges
    mean, width = float(x.mean()), 2.66 * float(kept.mean())
    side, step = np.sign(x - mean), np.sign(np.diff(x, prepend=np.nan))
    outer = np.where(np.abs(x - mean) > 2 / 3 * width, side, 0) if width > 0 else np.zeros(len(x))
    found = np.full(len(x), None, dtype=object)
    near = np.zeros(len(x), dtype=bool)
    for i in range(len(x) - 2):
        for way in (-1, 1):
            if (outer[i : i + 3] == way).sum() >= 2:
                near[i : i + 3] |= outer[i : i + 3] == way
    # Seven points rising are six steps; the point that a run of steps starts from belongs to it.
    rising = _in_runs(step, 6)
    rising[:-1] |= rising[1:] & (np.roll(step, 1)[1:] != step[1:])
    marks = (np.abs(x - mean) > width, _in_runs(side, 7), rising, near)
    for rule, where in reversed(list(zip(RULES, marks))):
        found[where] = rule
    points = pl.DataFrame({"value": x, "rule": pl.Series(found.tolist(), dtype=pl.String)})
    return XmR(mean, mean - width, mean + width, points)


def _in_runs(signs: np.ndarray, length: int) -> np.ndarray:
    """Which entries stand in a run of at least `length` equal signs, neither 0 nor missing."""
    inside, start = np.zeros(len(signs), dtype=bool), 0
    for i in range(1, len(signs) + 1):
        if i == len(signs) or signs[i] != signs[start]:
            inside[start:i] = i - start >= length and signs[start] in (-1, 1)
            start = i
    return inside


def assurance(chart: XmR, target: float, *, direction: str) -> str:
    """Whether a process that goes on as it does will meet a target: consistently, by chance, or consistently not.

    Parameters
    ----------
    direction : which way is good, "fall" or "rise".
    """
    if direction not in ("fall", "rise"):
        raise ValueError(f'direction must be "fall" or "rise": {direction!r}')
    if chart.lower <= target <= chart.upper:
        return ASSURANCE[1]
    return ASSURANCE[0] if (chart.upper < target) == (direction == "fall") else ASSURANCE[2]


# -- expected counts ---------------------------------------------------------------------------------------------------


def _days(months: Sequence[date]) -> np.ndarray:
    return np.array([calendar.monthrange(m.year, m.month)[1] for m in months], dtype=float)


def _design(months: Sequence[date], levels: Sequence[int]) -> np.ndarray:
    """Twelve month factors, and one column for each level but the newest: what is expected stands at the newest level."""
    others = sorted(set(levels))[:-1]
    columns = [[m.month == k for m in months] for k in range(1, 13)] + [
        [level == k for level in levels] for k in others
    ]
    return np.array(columns, dtype=float).T


@dataclass(frozen=True)
class Baseline:
    """A fitted month-factor model: `phi` is the overdispersion (at least 1), `df` its degrees of freedom."""

    design: np.ndarray
    days: np.ndarray
    fitted: np.ndarray
    log_rates: np.ndarray
    covariance: np.ndarray
    phi: float
    df: int

    def expect(self, months: Sequence[date], *, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected count, lower and upper limit of each month; see `_limits`."""
        at = [m.month - 1 for m in months]
        mean = np.exp(self.log_rates[at]) * _days(months)
        return mean, *_limits(mean, np.diag(self.covariance)[at], self.phi, self.df, level)


def _limits(mean, log_variance, phi, df: int, level: float):
    """Prediction limits on the 2/3-power scale, on which counts are nearly symmetric (Farrington and others 1996).

    The variance has two parts, the month's own (`phi` × mean) and that of the fitted mean; Student's t stands for the
    normal quantile because `phi` is learnt from a few years of months.
    """
    spread = 2 / 3 * stats.t.ppf(0.5 + level / 2, df) * np.sqrt((phi + log_variance * mean) / mean)
    return mean * np.clip(1 - spread, 0, None) ** 1.5, mean * (1 + spread) ** 1.5


def fit_baseline(months: Sequence[date], counts: Sequence[int], *, levels: Sequence[int] | None = None) -> Baseline:
    """Fit the quasi-Poisson month-factor model, days of the month as offset.

    Unlike `surveillance::farringtonFlexible` it has no trend and down-weights no past outbreak: a trend carried forward
    over a year is a forecast, and would hide the change that is looked for.

    Parameters
    ----------
    levels : the segment each month belongs to, where a baseline holds months from before a break: each has its own level.

    Raises
    ------
    BaselineError
        with fewer than 24 months, a calendar month that is missing or holds no offence, or mostly zeros.
    """
    # Not `statsmodels.api`, which takes seconds to import.
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    y, levels = np.asarray(counts, dtype=float), list(levels or [0] * len(months))
    if len(y) < SHORTEST_BASELINE:
        raise BaselineError(f"{len(y)} months are too short a baseline: {SHORTEST_BASELINE} or more are needed")
    design, days = _design(months, levels), _days(months)
    if (y == 0).mean() > 0.25 or (design.T @ y).min() == 0:
        raise BaselineError("too few offences: months without any, or a calendar month that never had one")
    result = GLM(y, design, family=Poisson(), offset=np.log(days)).fit(scale="X2")
    # Less variation than Poisson is luck or a short baseline, not a steadier process.
    phi, unscaled = max(1.0, float(result.scale)), np.asarray(result.normalized_cov_params)
    return Baseline(design, days, result.mu, result.params[:12], phi * unscaled[:12, :12], phi, int(result.df_resid))


def _refit(y: np.ndarray, design: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Many Poisson regressions at once (rows of `y`) by Newton's method: month log rates, their variances, fitted means."""
    beta = np.zeros((len(y), design.shape[1]))
    beta[:, :12] = np.log(np.clip(y.mean(axis=1, keepdims=True), 0.5, None) / days.mean())
    size = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(days), -1)
    for _ in range(8):
        mu = np.exp(np.clip(beta @ design.T, -12, 12)) * days
        information = (mu @ products).reshape(-1, size, size) + 1e-9 * np.eye(size)
        beta = beta + np.linalg.solve(information, ((y - mu) @ design)[:, :, None])[:, :, 0]
    covariance = np.linalg.inv(information)
    return beta[:, :12], np.einsum("spp->sp", covariance)[:, :12], mu


def false_alarm_rate(
    baseline: Baseline, months: Sequence[date], *, level: float = LEVEL, simulations: int = 400, seed: int = 20100401
) -> float:
    """The share of `months` that would be flagged had nothing changed: simulated at the fitted mean and overdispersion.

    Both the baseline and the months judged are drawn (gamma-Poisson), and the model fitted anew each time: its own
    uncertainty is part of what a reader meets.
    """
    random = np.random.default_rng(seed)
    mean = baseline.expect(months, level=level)[0]

    def draw(mu: np.ndarray) -> np.ndarray:
        if baseline.phi > 1:
            mu = random.gamma(mu / (baseline.phi - 1), baseline.phi - 1, size=(simulations, len(mu)))
        return random.poisson(mu, size=(simulations, mu.shape[-1])).astype(float)

    past, now, at = draw(baseline.fitted), draw(mean), [m.month - 1 for m in months]
    usable = (past @ baseline.design).min(axis=1) > 0  # the others would be refused, as `fit_baseline` does
    past, now = past[usable], now[usable]
    log_rates, variances, fitted = _refit(past, baseline.design, baseline.days)
    phi = np.clip(((past - fitted) ** 2 / fitted).sum(axis=1, keepdims=True) / baseline.df, 1, None)
    expected = np.exp(log_rates[:, at]) * _days(months)
    low, high = _limits(expected, phi * variances[:, at], phi, baseline.df, level)
    return float(((now < low) | (now > high)).mean())


# -- segments and signals ----------------------------------------------------------------------------------------------


def segments(months: Sequence[date], breaks: pl.DataFrame) -> pl.DataFrame:
    """Cut months at every declared break, those that cut and those that mark: `month`, `segment`, `since`, `since_month`, `spell`.

    Parameters
    ----------
    breaks : rows of `declared_breaks` for the series. A break with a last month is a spell: its months stand apart.
    """
    starts = {months[0]: "the series begins"}
    spells = breaks.filter(pl.col("to_month").is_not_null())
    for row in spells.iter_rows(named=True):
        end = row["to_month"]
        starts[date(end.year + end.month // 12, end.month % 12 + 1, 1)] = f"the end of '{row['break_id']}'"
    starts |= {
        row["from_month"]: row["break_id"] for row in breaks.iter_rows(named=True) if row["from_month"] > months[0]
    }
    order = sorted(starts)
    rows = []
    for month in months:
        segment = sum(start <= month for start in order) - 1
        inside = [r["break_id"] for r in spells.iter_rows(named=True) if r["from_month"] <= month <= r["to_month"]]
        since = order[segment]
        rows.append((month, segment, starts[since], since, inside[0] if inside else None))
    shape = {"month": pl.Date, "segment": pl.Int64, "since": pl.String, "since_month": pl.Date, "spell": pl.String}
    return pl.DataFrame(rows, schema=shape, orient="row")


def monitor(
    counts: pl.DataFrame, breaks: pl.DataFrame, *, rebase_months: int = REBASE_MONTHS, level: float = LEVEL
) -> tuple[pl.DataFrame, Baseline | None]:
    """Every month of a series with what was expected of it, and the newest baseline.

    A month is judged on the 24 to 36 months before its block of twelve, all since the last declared break. Where a break is
    nearer, the first `rebase_months` since it set the level and only the *shape* of the year is taken from before it, so
    that no level is compared across a break; `rebase_months=24` borrows nothing. A month that cannot be judged says why.

    Parameters
    ----------
    counts : `month` (each once, in order, without gaps) and `offences`.
    breaks : rows of `declared_breaks` for the series.

    Returns
    -------
    tuple
        frame `month`, `observed`, `expected`, `lower`, `upper`, `signal` (above, below, within, cannot say), `segment`,
        `baseline_from`, `baseline_to` (of the months that set the level), `note`; and the last `Baseline`, or None.
    """
    months, y = counts["month"].to_list(), counts["offences"].to_numpy()
    cut, rows, clean, newest = segments(months, breaks), [], [], None
    for (segment,), part in cut.with_row_index("at").group_by("segment", maintain_order=True):
        at, since, spell = part["at"].to_list(), part["since"][0], part["spell"][0]
        need = rebase_months if len(clean) >= SHORTEST_BASELINE else SHORTEST_BASELINE
        need = max(1, min(need, SHORTEST_BASELINE))
        for n, i in enumerate(at if spell else at[:need]):
            why = f"within '{spell}'" if spell else f"{n} month{'s' if n != 1 else ''} since {since}"
            rows.append(_unjudged(months[i], y[i], segment, why))
        for start in range(need, 0 if spell else len(at), 12):
            own, block = at[max(0, start - BASELINE_MONTHS) : start], at[start : start + 12]
            borrowed = clean[-BASELINE_MONTHS:] if len(own) < SHORTEST_BASELINE else []
            used = [*borrowed, *own]
            levels = cut["segment"].gather(used).to_list()
            judged = [months[i] for i in block]
            try:
                if y[own].sum() == 0:
                    raise BaselineError("no offence in the months that set the level")
                newest = fit_baseline([months[i] for i in used], y[used], levels=levels)
            except BaselineError as error:
                rows += [_unjudged(months[i], y[i], segment, str(error)) for i in block]
                continue
            note = f"level from the {len(own)} months before, since {since}"
            note += "; shape of the year from before it" if borrowed else ""
            for i, mean, low, high in zip(block, *newest.expect(judged, level=level)):
                signal = "above" if y[i] > high else "below" if y[i] < low else "within"
                span = (months[own[0]], months[own[-1]])
                rows.append((months[i], int(y[i]), float(mean), float(low), float(high), signal, segment, *span, note))
        clean += [] if spell else at
    return pl.DataFrame(rows, schema=_MONITORED, orient="row").sort("month"), newest


def _unjudged(month: date, observed: int, segment: int, why: str) -> tuple:
    return month, int(observed), None, None, None, "cannot say", segment, None, None, f"cannot say: {why}"


@dataclass(frozen=True)
class Standing:
    """The last twelve months at most that could be judged, together, against what was expected of them."""

    months: tuple[date, ...]
    observed: int
    expected: float
    above: int
    below: int
    change: Change | None
    why: str

    @property
    def percent(self) -> float:
        """Observed ÷ expected − 1, in per cent; the intervals beside it take what was expected for a whole number."""
        return 100 * (self.observed / self.expected - 1)

    @property
    def verdict(self) -> str:
        """`rose clearly`, `fell clearly`, `little different` or `cannot say`, by the wider of the two intervals."""
        return "cannot say" if self.change is None else self.change.verdict


def standing(monitored: pl.DataFrame, usual: Callable[[int], UsualVariation | None]) -> Standing:
    """Judge the newest judged months together: expected against observed, at the variation usual between *years*.

    Monthly overdispersion is the wrong timescale for a year: by it a third of ordinary changes would be called significant.

    Parameters
    ----------
    usual : the usual variation over a whole number of years; it is asked for the years between baseline and months.
    """
    last = monitored.tail(12).filter(pl.col("signal") != "cannot say")
    if last.is_empty() or monitored["signal"][-1] == "cannot say":
        return Standing((), 0, math.nan, 0, 0, None, monitored["note"][-1].removeprefix("cannot say: "))
    middle = pl.col("baseline_from").cast(pl.Int32) / 2 + pl.col("baseline_to").cast(pl.Int32) / 2
    apart = last.select((pl.col("month").cast(pl.Int32) - middle).mean()).item() / 365.25
    above, below = (last.filter(signal=way).height for way in ("above", "below"))
    observed, expected = int(last["observed"].sum()), float(last["expected"].sum())
    change = Change.between(round(expected), observed, usual(max(1, round(apart))))
    few = f"fewer than {TOO_FEW} offences, or none expected" if change.too_few else ""
    return Standing(tuple(last["month"]), observed, expected, above, below, change, few)


def area_counts(table: pl.DataFrame, area: Area, *, rest: bool = False) -> pl.DataFrame:
    """`month`, `offences` of one area (London is the 32 boroughs), or of the rest of London; `table` is one series."""
    rows = table.filter(pl.col("borough_code") != UNKNOWN)
    if not area.is_london:
        here = pl.col("borough_code") == area.code
        rows = rows.filter(~here if rest else here)
    return rows.group_by("month").agg(pl.col("offences").cast(pl.Int64).sum()).sort("month")


def series_until(table: pl.DataFrame, period: FinancialYear) -> pl.DataFrame:
    """The snapshot of `table` with the longest history, to its newest month, or to the end of an earlier `period`."""
    lengths = table.group_by("snapshot").agg(pl.col("month").n_unique().alias("n")).sort("n", "snapshot")
    rows = table.filter(snapshot=lengths["snapshot"][-1])
    newest = max(complete_years(rows["month"]), default=period)
    return rows if period >= newest else rows.filter(pl.col("month") <= period.last_month)


def wanted_groups(table: pl.DataFrame, focus: str, groups: Sequence[str] = YEARLY_GROUPS) -> list[str]:
    """The offence groups to look at: `groups`, and the one in focus after them if it is another.

    Raises
    ------
    UnknownName
        for a group that the table does not hold, naming the nearest.
    """
    held = table["offence_group"].unique().sort().to_list()
    if focus not in held:
        raise UnknownName("offence group", focus, held, "data/reference/offence_groups.csv")
    return list(dict.fromkeys([*(group for group in groups if group in held), focus]))


def rolling_year(counts: pl.DataFrame) -> pl.DataFrame:
    """The total of each twelve months, by their last month: `month`, `total`."""
    total = pl.col("offences").rolling_sum(12).cast(pl.Int64).alias("total")
    return counts.sort("month").select("month", total).drop_nulls()


def monitor_groups(
    area: Area,
    table: pl.DataFrame,
    history: History,
    groups: Sequence[str],
    *,
    series: str = "borough_offences",
    rebase_months: int = REBASE_MONTHS,
    level: float = LEVEL,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`monitor` and `standing` for many groups of one area.

    Parameters
    ----------
    table : `borough_code`, `month`, `offence_group`, `offences`: one snapshot, cut at the last month to be looked at.

    Returns
    -------
    tuple of pl.DataFrame
        the months (`group`, `area`, then `monitor`'s columns), and one row a group: `group`, `area`, `from_month`, `to_month`,
        `months`, `observed`, `expected`, `change_percent`, both intervals, `verdict`, `above`, `below`, `moved_this_far`,
        `phi`, `false_alarm_rate`, `basis`, `why`.
    """
    frames, rows = [], []
    for group in groups:
        counts = area_counts(table.filter(offence_group=group), area)
        span = counts["month"].min(), counts["month"].max()
        breaks = breaks_between(history.breaks, series, group, *span)
        months, baseline = monitor(counts, breaks, rebase_months=rebase_months, level=level)
        frames.append(months.select(pl.lit(group).alias("group"), pl.lit(area.name).alias("area"), pl.all()))
        year = FinancialYear(span[1].year - (span[1].month < 4))
        found = standing(months, lambda lag, g=group, y=year: history.usual(series, g, area, lag, before=y))
        rows.append(_standing_row(group, area, found, baseline, level))
    return pl.concat(frames), pl.DataFrame(rows, infer_schema_length=None)


def _standing_row(group: str, area: Area, found: Standing, baseline: Baseline | None, level: float) -> dict:
    change = found.change if found.change is not None and not found.change.too_few else None
    usual = change.usual if change else None
    low, high = (change.usual_interval if change else None) or (None, None)
    known = bool(found.months)
    return {
        "group": group,
        "area": area.name,
        "from_month": found.months[0] if known else None,
        "to_month": found.months[-1] if known else None,
        "months": len(found.months),
        "observed": found.observed if known else None,
        "expected": found.expected if known else None,
        "change_percent": found.percent if change else None,
        "noise_low": change.noise[0] if change else None,
        "noise_high": change.noise[1] if change else None,
        "usual_low": low,
        "usual_high": high,
        "verdict": found.verdict,
        "above": found.above if known else None,
        "below": found.below if known else None,
        "moved_this_far": change.moved_this_far if change else "",
        "phi": baseline.phi if known and baseline else None,
        "false_alarm_rate": false_alarm_rate(baseline, found.months, level=level) if known and baseline else None,
        "basis": f"usual variation ({usual.window})" if usual else "counting noise alone" if change else "",
        "why": found.why,
    }


# -- before and after --------------------------------------------------------------------------------------------------


def ratio_of_ratios(log_a: float, error_a: float, log_b: float, error_b: float, *, level: float = 0.95) -> tuple:
    """The ratio of two independent ratios given as logs with standard errors: ratio, lower, upper (Altman & Bland 2003)."""
    gap, width = log_a - log_b, stats.norm.ppf(0.5 + level / 2) * math.hypot(error_a, error_b)
    return math.exp(gap), math.exp(gap - width), math.exp(gap + width)


@dataclass(frozen=True)
class BeforeAfter:
    """A change between two windows relative to that of a comparison: a ratio with both intervals (None where none can be had).

    `counts` and `comparison` are (first, second); `per_day` are the area's daily rates; `equal` says whether the windows are.
    """

    first: tuple[date, date]
    second: tuple[date, date]
    counts: tuple[int, int]
    comparison: tuple[int, int] | None
    per_day: tuple[float, float]
    ratio: float | None
    noise: tuple[float, float] | None
    usual: tuple[float, float] | None
    equal: bool
    crosses: tuple[str, ...]
    why: str

    @property
    def title_note(self) -> str:
        """What a title must carry where the windows are unequal: the inequality itself."""
        return "" if self.equal else f"unequal windows: {_window(self.first)} against {_window(self.second)}"

    @property
    def verdict(self) -> str:
        """`fell clearly`, `little different`, `rose clearly` relative to the comparison, or `cannot say`."""
        if self.ratio is None:
            return "cannot say"
        ends = [*self.noise, *(self.usual or self.noise)]
        return "fell clearly" if max(ends) < 1 else "rose clearly" if min(ends) > 1 else "little different"


def _window(window: tuple[date, date]) -> str:
    months = len(_months_of(window))
    return f"{window[0]:%B %Y} to {window[1]:%B %Y} ({months} month{'s' if months != 1 else ''})"


def _months_of(window: tuple[date, date]) -> list[date]:
    return pl.date_range(*window, interval="1mo", eager=True).to_list() if window[0] <= window[1] else []


def read_window(text: str) -> tuple[date, date]:
    """Read a window such as `2023-12 to 2024-11`: its first and last month.

    Raises
    ------
    WindowsDiffer
        for anything else.
    """
    match = re.fullmatch(r"\s*(\d{4})-(0[1-9]|1[0-2])\s+to\s+(\d{4})-(0[1-9]|1[0-2])\s*", text)
    if match is None:
        raise WindowsDiffer(f'a window is written "2023-12 to 2024-11", first and last month: {text!r}')
    return date(int(match[1]), int(match[2]), 1), date(int(match[3]), int(match[4]), 1)


def last_two_years(months: pl.Series) -> tuple[tuple[date, date], tuple[date, date]]:
    """The newest twelve months and the twelve before them, as windows: (first, second)."""
    held = sorted(months.unique().to_list())[-24:]
    if len(held) < 24:
        raise WindowsDiffer(f"{len(held)} months hold no two windows of twelve")
    return (held[0], held[11]), (held[12], held[23])


def compare_windows(
    area: Area,
    table: pl.DataFrame,
    history: History,
    group: str,
    windows: tuple[str, str] = ("", ""),
    *,
    allow_unequal: bool = False,
) -> BeforeAfter:
    """`before_after` for one group of one area against the rest of London, with its usual variation and what it crosses.

    Parameters
    ----------
    table : as for `monitor_groups`.
    windows : as for `read_window`; two empty ones are the newest twelve months and the twelve before.
    """
    rows = table.filter(offence_group=group)
    first, second = map(read_window, windows) if any(windows) else last_two_years(rows["month"])
    crosses = breaks_between(history.breaks, "borough_offences", group, first[0], second[1])["what"].to_list()
    lag, beyond = divmod(12 * (second[0].year - first[0].year) + second[0].month - first[0].month, 12)
    year = FinancialYear(first[0].year - (first[0].month < 4))
    usual = history.usual("borough_offences", group, area, lag, before=year) if not beyond else None
    rest = None if area.is_london else area_counts(rows, area, rest=True)
    here = area_counts(rows, area)
    return before_after(here, rest, first, second, usual=usual, crosses=crosses, allow_unequal=allow_unequal)


def before_after(
    area: pl.DataFrame,
    comparison: pl.DataFrame | None,
    first: tuple[date, date],
    second: tuple[date, date],
    *,
    usual: UsualVariation | None = None,
    crosses: Sequence[str] = (),
    allow_unequal: bool = False,
    level: float = 0.95,
) -> BeforeAfter:
    """Compare two windows of an area with the same windows elsewhere, as a ratio of rate ratios (Wilson 2022).

    Differences of counts assume parallel trends in counts and mislead against a larger area; ratios do not.

    Parameters
    ----------
    area, comparison : `month`, `offences`; the rest of London, or None for London itself (then a plain rate ratio).
    first, second : first and last month of each window; equal in length, the same calendar months, not overlapping.
    usual : the usual variation over the years between the windows, for windows of twelve months.
    crosses : what the comparison crosses, in words (`periods.breaks_between`): carried with the result.
    allow_unequal : compare unequal windows per day, without usual variation; `title_note` then says so.

    Returns
    -------
    BeforeAfter
        `noise` is the log-normal (delta method) interval of four Poisson counts; `usual` adds how far years move.

    Raises
    ------
    WindowsDiffer
        for windows that are empty, overlap, reach beyond the data, or differ in length or calendar months.
    """
    spans = _months_of(first), _months_of(second)
    both = f"{_window(first)} and {_window(second)}"
    if not all(spans) or spans[1][0] <= spans[0][-1]:
        raise WindowsDiffer(f"the second window must begin after the first has ended: {both}")
    missing = sorted({*spans[0], *spans[1]} - set(area["month"]))
    if missing:
        raise WindowsDiffer(f"no data for {missing[0]:%B %Y}, a month of the windows {both}")
    equal = sorted(m.month for m in spans[0]) == sorted(m.month for m in spans[1])
    if not equal and not allow_unequal:
        raise WindowsDiffer(
            f"the windows differ in length or calendar months: {both}; allow_unequal compares them per day"
        )

    def total(frame: pl.DataFrame, months: list[date]) -> int:
        return int(frame.filter(pl.col("month").is_in(months))["offences"].sum())

    counts = total(area, spans[0]), total(area, spans[1])
    elsewhere = None if comparison is None else (total(comparison, spans[0]), total(comparison, spans[1]))
    days = [float(_days(span).sum()) for span in spans]
    per_day = counts[0] / days[0], counts[1] / days[1]
    basis = {"first": first, "second": second, "counts": counts, "comparison": elsewhere, "per_day": per_day}
    basis |= {"equal": equal, "crosses": tuple(crosses)}
    if sum(counts) < TOO_FEW or min(counts) == 0 or (elsewhere and min(elsewhere) == 0):
        why = f"{counts[0]} and {counts[1]} offences are too few to compare"
        return BeforeAfter(**basis, ratio=None, noise=None, usual=None, why=why)
    log_area, log_other = math.log(per_day[1] / per_day[0]), 0.0
    error, other_error = math.sqrt(1 / counts[0] + 1 / counts[1]), 0.0
    if elsewhere:
        log_other = math.log(elsewhere[1] / days[1] * days[0] / elsewhere[0])
        other_error = math.sqrt(1 / elsewhere[0] + 1 / elsewhere[1])
    ratio, *noise = ratio_of_ratios(log_area, error, log_other, other_error, level=level)
    why, interval = "", None
    if usual is None or not equal or len(spans[0]) != 12:
        why = "counting noise alone: usual variation is known for whole years that can be compared"
    else:
        interval = ratio_of_ratios(log_area, usual.standard_error(*counts), log_other, 0.0, level=level)[1:]
    return BeforeAfter(**basis, ratio=ratio, noise=tuple(noise), usual=interval, why=why)
