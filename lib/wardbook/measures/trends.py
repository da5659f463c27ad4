"""Is a monthly series changing, and is that unusual?

A month is *expected* from months before it and after the last declared break: a quasi-Poisson month-factor model (Farrington
and others 1996; Noufaily and others 2013). One baseline over many years puts a fifth of ordinary points outside, and limits
learnt from the months they judge double the false alarms, so the baseline moves and ends before the months judged.
Signals are about months; whether a year changed is judged beside the rest of London (`measures.change`).
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import scipy

from wardbook.periods import Period, breaks_between, month_after

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
_SUMMARY = {"offence_group": pl.String} | dict.fromkeys(("judged", "above", "below", "observed"), pl.Int64)
_SUMMARY |= dict.fromkeys(("expected", "phi", "false_alarm_rate"), pl.Float64) | {"why": pl.String}


class BaselineError(ValueError):
    """A baseline from which nothing can be expected; the message says why."""


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
    columns = [[m.month == k for m in months] for k in range(1, 13)]
    columns += [[level == k for level in levels] for k in others]
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

    def expect(self, months: Sequence[date]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected count, lower and upper limit of each month; see `_limits`."""
        at = [m.month - 1 for m in months]
        mean = np.exp(self.log_rates[at]) * _days(months)
        return mean, *_limits(mean, np.diag(self.covariance)[at], self.phi, self.df)


def _limits(mean, log_variance, phi, df: int):
    """Prediction limits on the 2/3-power scale, on which counts are nearly symmetric (Farrington and others 1996).

    The variance has two parts, the month's own (`phi` × mean) and that of the fitted mean; Student's t stands for the
    normal quantile because `phi` is learnt from a few years of months.
    """
    spread = 2 / 3 * scipy.stats.t.ppf(0.5 + LEVEL / 2, df) * np.sqrt((phi + log_variance * mean) / mean)
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
    baseline: Baseline, months: Sequence[date], *, simulations: int = 400, seed: int = 20100401
) -> float:
    """The share of `months` that would be flagged had nothing changed: simulated at the fitted mean and overdispersion.

    Both the baseline and the months judged are drawn (gamma-Poisson), and the model fitted anew each time: its own
    uncertainty is part of what a reader meets.
    """
    random = np.random.default_rng(seed)
    mean = baseline.expect(months)[0]

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
    low, high = _limits(expected, phi * variances[:, at], phi, baseline.df)
    return float(((now < low) | (now > high)).mean())


# -- segments and signals ----------------------------------------------------------------------------------------------


def segments(months: Sequence[date], breaks: pl.DataFrame) -> pl.DataFrame:
    """Cut months at every declared break, those that cut and those that mark: `month`, `segment`, `since`, `spell`.

    Parameters
    ----------
    breaks : rows of `declared_breaks` for the series. A break with a last month is a spell: its months stand apart.
    """
    spells = breaks.drop_nulls("to_month").select("break_id", "from_month", "to_month").rows()
    starts = {months[0]: "the series begins"}
    starts |= {month_after(last, 1): f"the end of '{name}'" for name, _, last in spells}
    starts |= dict(breaks.filter(pl.col("from_month") > months[0]).select("from_month", "break_id").iter_rows())
    order, rows = sorted(starts), []
    for month in months:
        segment = sum(start <= month for start in order) - 1
        spell = next((name for name, first, last in spells if first <= month <= last), None)
        rows.append((month, segment, starts[order[segment]], spell))
    shape = {"month": pl.Date, "segment": pl.Int64, "since": pl.String, "spell": pl.String}
    return pl.DataFrame(rows, schema=shape, orient="row")


def monitor(
    counts: pl.DataFrame, breaks: pl.DataFrame, *, rebase_months: int = REBASE_MONTHS
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
            for i, mean, low, high in zip(block, *newest.expect(judged)):
                signal = "above" if y[i] > high else "below" if y[i] < low else "within"
                span = (months[own[0]], months[own[-1]])
                rows.append((months[i], int(y[i]), float(mean), float(low), float(high), signal, segment, *span, note))
        clean += [] if spell else at
    return pl.DataFrame(rows, schema=_MONITORED, orient="row").sort("month"), newest


def _unjudged(month: date, observed: int, segment: int, why: str) -> tuple:
    return month, int(observed), None, None, None, "cannot say", segment, None, None, f"cannot say: {why}"


def monitor_groups(
    counts: pl.DataFrame, breaks: pl.DataFrame, series: str, period: Period
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`monitor` for many offence groups of one area, and how many of a period's months lie outside what was expected.

    Parameters
    ----------
    counts : `offence_group`, `month`, `offences` of the area, to the last month that is to be looked at.
    breaks : `wardbook.periods.declared_breaks()`; series : the table in it.

    Returns
    -------
    tuple of pl.DataFrame
        the months (`offence_group`, then `monitor`'s columns), and one row a group: `offence_group`, `judged` months of the
        period, `above` and `below` of them, their `observed` and `expected` sums, `phi`, `false_alarm_rate`, `why` none is.
    """
    frames, rows = [], []
    for (group,), own in counts.sort("offence_group", "month").group_by("offence_group", maintain_order=True):
        crossed = breaks_between(breaks, series, group, own["month"][0], own["month"][-1])
        months, baseline = monitor(own, crossed)
        frames.append(months.select(pl.lit(group).alias("offence_group"), pl.all()))
        inside = months.filter(period.within(pl.col("month")))
        judged = inside.filter(pl.col("signal") != "cannot say")
        row = {name: judged.filter(signal=name).height for name in ("above", "below")}
        row |= {"offence_group": group, "judged": judged.height, "why": ""}
        if baseline is None or judged.is_empty():
            row["why"] = inside["note"][-1].removeprefix("cannot say: ")
        else:
            row |= {"observed": judged["observed"].sum(), "expected": judged["expected"].sum(), "phi": baseline.phi}
            row["false_alarm_rate"] = false_alarm_rate(baseline, judged["month"].to_list())
        rows.append(row)
    return pl.concat(frames), pl.DataFrame(rows, schema=_SUMMARY)


def rolling_years(counts: pl.DataFrame, by: str, breaks: pl.DataFrame, series: str) -> pl.DataFrame:
    """The total of each twelve months by their last, for each value of a column; none that a break which cuts lies within.

    Parameters
    ----------
    counts : the column, `month`, `offences`.
    breaks : `wardbook.periods.declared_breaks()`; its offence groups are the column's values.

    Returns
    -------
    pl.DataFrame
        the column, `month`, `spell` (months between two breaks share one), `year`.
    """
    frames = []
    for (name,), own in counts.sort(by, "month").group_by(by, maintain_order=True):
        crossed = breaks_between(breaks.filter(effect="cuts"), series, name, own["month"][0], own["month"][-1])
        spell = pl.sum_horizontal([pl.col("month") >= cut for cut in crossed["from_month"]] or [pl.lit(0)])
        year = pl.col("offences").rolling_sum(12).over("spell").cast(pl.Int64)
        frames.append(own.with_columns(spell=spell.cast(pl.Int64)).select(by, "month", "spell", year=year).drop_nulls())
    return pl.concat(frames)


# -- before and after --------------------------------------------------------------------------------------------------


def ratio_of_ratios(log_a: float, error_a: float, log_b: float, error_b: float) -> tuple[float, float, float]:
    """The ratio of two independent ratios given as logs with standard errors: ratio and 95 % interval (Altman & Bland 2003)."""
    gap, width = log_a - log_b, scipy.stats.norm.ppf(0.975) * math.hypot(error_a, error_b)
    return math.exp(gap), math.exp(gap - width), math.exp(gap + width)
