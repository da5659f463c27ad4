"""Rates, counts and proportions with their intervals: exact where the field uses exact, from a library where one has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl
import scipy


@dataclass(frozen=True)
class RateRatio:
    """A ratio of two rates with its interval and two-sided p-value (of no difference)."""

    ratio: float
    lower: float
    upper: float
    p_value: float


def _check_counts(**counts: float) -> None:
    for name, value in counts.items():
        if not (value >= 0 and float(value).is_integer()):
            raise ValueError(f"{name} must be a whole number, 0 or more: {value!r}")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, for example 0.95: {level!r}")


def rate_ratio(
    events: float,
    reference_events: float,
    exposure: float = 1.0,
    reference_exposure: float = 1.0,
    *,
    level: float = 0.95,
    kind: str = "central",
) -> RateRatio:
    """Ratio of two Poisson rates with the exact conditional interval.

    Given their sum, the first of two Poisson counts is binomial, so the interval for the binomial share (Clopper-Pearson)
    turns into one for the ratio. It is the choice that needs no approximation at the counts boroughs have.

    Parameters
    ----------
    events, reference_events : counts, whole numbers ≥ 0.
    exposure, reference_exposure : what each count is over (person-years, days, 1 for equal periods), > 0.
    level : coverage of the interval.
    kind : "central" (each tail ≤ (1 − level)/2, never below nominal coverage) or "midp" (half the probability of the
        observed count left out of each tail: shorter, nominal on average).

    Returns
    -------
    RateRatio
        `.ratio` is (events/exposure) ÷ (reference_events/reference_exposure); NaN with the interval (0, ∞) if both are 0.

    Raises
    ------
    ValueError
        for a negative or fractional count, an exposure ≤ 0, a level outside (0, 1) or another kind.

    References
    ----------
    Fay (2010), Biostatistics 11(2), 373-374 (central); Rothman & Boice (1979) (mid-P). "minlike" intervals, R exactci's
    alternative, are others.
    """
    _check_counts(events=events, reference_events=reference_events)
    _check_level(level)
    if exposure <= 0 or reference_exposure <= 0:
        raise ValueError(f"exposures must be above 0: {exposure!r}, {reference_exposure!r}")
    if kind not in ("central", "midp"):
        raise ValueError(f'kind must be "central" or "midp": {kind!r}')
    x, y = int(events), int(reference_events)
    n, scale, alpha = x + y, reference_exposure / exposure, 1 - level
    if n == 0:
        return RateRatio(math.nan, 0.0, math.inf, 1.0)

    weight = 0.0 if kind == "central" else 0.5  # how much of P(X = x) each tail leaves out

    def tail(share: float, *, above: bool) -> float:
        whole = scipy.stats.binom.sf(x - 1, n, share) if above else scipy.stats.binom.cdf(x, n, share)
        return whole - weight * scipy.stats.binom.pmf(x, n, share)

    if kind == "central":
        low = 0.0 if x == 0 else scipy.stats.beta.ppf(alpha / 2, x, y + 1)
        high = 1.0 if y == 0 else scipy.stats.beta.ppf(1 - alpha / 2, x + 1, y)
    else:
        low = 0.0 if x == 0 else scipy.optimize.brentq(lambda p: tail(p, above=True) - alpha / 2, 0, 1, xtol=1e-14)
        high = 1.0 if y == 0 else scipy.optimize.brentq(lambda p: tail(p, above=False) - alpha / 2, 0, 1, xtol=1e-14)
    equal = exposure / (exposure + reference_exposure)
    p_value = min(1.0, 2 * min(tail(equal, above=True), tail(equal, above=False)))
    ratio = math.inf if y == 0 else x / y * scale
    lower, upper = (math.inf if share >= 1 else float(share / (1 - share) * scale) for share in (low, high))
    return RateRatio(ratio, lower, upper, float(p_value))


def byar(count: float, *, level: float = 0.95) -> tuple[float, float]:
    """Byar's interval for one Poisson count: the one public-health agencies print (Breslow & Day 1987, eq. 2.13-2.14).

    Returns
    -------
    tuple of float
        `(lower, upper)` in units of the count.
    """
    _check_counts(count=count)
    _check_level(level)
    z = scipy.stats.norm.ppf(0.5 + level / 2)
    lower = 0.0 if count == 0 else count * (1 - 1 / (9 * count) - z / (3 * math.sqrt(count))) ** 3
    more = count + 1
    return float(lower), float(more * (1 - 1 / (9 * more) + z / (3 * math.sqrt(more))) ** 3)


def garwood(count: float, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval for one Poisson count (Garwood 1936); divide by the exposure for a rate.

    Returns
    -------
    tuple of float
        `(lower, upper)` in units of the count.
    """
    _check_counts(count=count)
    _check_level(level)
    alpha = 1 - level
    lower = 0.0 if count == 0 else scipy.stats.chi2.ppf(alpha / 2, 2 * count) / 2
    return float(lower), float(scipy.stats.chi2.ppf(1 - alpha / 2, 2 * count + 2) / 2)


def wilson(successes: float, trials: float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion, as fractions 0-1: it keeps its coverage at small counts and near 0 and 1.

    Returns
    -------
    tuple of float
        `(lower, upper)`.
    """
    from statsmodels.stats.proportion import proportion_confint

    _check_counts(successes=successes, trials=trials)
    _check_level(level)
    if trials == 0 or successes > trials:
        raise ValueError(f"successes must be at most trials, and trials above 0: {successes!r} of {trials!r}")
    lower, upper = proportion_confint(successes, trials, alpha=1 - level, method="wilson")
    return float(lower), float(upper)


def with_shares(frame: pl.DataFrame, successes: str, trials: str, *, part: pl.Expr | bool = True) -> pl.DataFrame:
    """The rows with `share` (a fraction) and its 95 % Wilson interval, `low` and `high`; null where there are no trials.

    Parameters
    ----------
    part : are the successes part of the trials? Where not, their share may be above 1, and has no interval.
    """
    rows = frame.select(successes, trials, __part=part).iter_rows()
    pairs = [wilson(some, every) if every and is_part else (None, None) for some, every, is_part in rows]
    low, high = zip(*pairs) if pairs else ((), ())
    return frame.with_columns(
        pl.when(pl.col(trials) > 0).then(pl.col(successes) / pl.col(trials)).alias("share"),
        pl.Series("low", low, dtype=pl.Float64),
        pl.Series("high", high, dtype=pl.Float64),
    )
