"""How a list grows and whether it fizzles out: Bass curves, which are illustrative, beside forecasts that need no curve.

Three or four points cannot tell a saturating curve from a straight line, let alone its three parameters. So the prior
stands beside the posterior, the newest point is held out, and both naive forecasts are printed with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import special

SENTENCE = "Three points cannot test the curve: a straight line through the last two would do as well."
_Z90 = special.ndtri(0.95) * 2


def bass_share(years: np.ndarray, innovation: np.ndarray, imitation: np.ndarray) -> np.ndarray:
    """Share of the final number who have joined after `years`, 0 before the start (Bass 1969, Management Science 15, 215-227)."""
    t = np.clip(years, 0, None)
    fading = np.exp(-(innovation + imitation) * t)
    return (1 - fading) / (1 + imitation / innovation * fading)


def bass_peak(innovation: float, imitation: float) -> float:
    """When most join: ln(q/p)/(p + q), 0 where joining only ever slows."""
    if not (innovation > 0 and imitation >= 0):
        raise ValueError(f"innovation must be above 0 and imitation 0 or more: {innovation!r}, {imitation!r}")
    return max(0.0, math.log(imitation / innovation) / (innovation + imitation)) if imitation else 0.0


@dataclass(frozen=True)
class GrowthPriors:
    """Priors of a curve, lognormal as (median, low, high of 90 %): half-time in years, imitation over innovation, final size.

    `launch` is the first and last possible date, years as decimals; `error` the standard deviation of ln(observed /
    curve): published counts are rounded, dated to a month at best and count members one year, households the next.
    """

    half_time: tuple[float, float, float] = (6.0, 2.0, 18.0)
    imitation_ratio: tuple[float, float, float] = (5.0, 0.5, 50.0)
    final: tuple[float, float, float] = (250_000, 120_000, 520_000)
    launch: tuple[float, float] = (2006.0, 2011.5)
    error: float = 0.10

    def draw(self, random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """(n,) draws of `launch`, `half_time`, `imitation_ratio`, `final`, and `innovation` and `imitation` that follow."""

        def lognormal(median: float, low: float, high: float) -> np.ndarray:
            return median * np.exp(math.log(high / low) / _Z90 * random.standard_normal(n))

        found = {
            "half_time": lognormal(*self.half_time),
            "imitation_ratio": lognormal(*self.imitation_ratio),
            "final": lognormal(*self.final),
            "launch": random.uniform(*self.launch, n),
        }
        # F(t) = 1/2 at (p + q)t = ln(2 + q/p): the half-time is what evidence speaks of, p and q are not.
        total = np.log(2 + found["imitation_ratio"]) / found["half_time"]
        innovation = total / (1 + found["imitation_ratio"])
        return found | {"innovation": innovation, "imitation": total - innovation}


@dataclass(frozen=True)
class Growth:
    """`parameters`: prior beside posterior; `forecasts`: of the held-out point; `curve`: bands by date; see `fit_growth`."""

    parameters: pl.DataFrame
    forecasts: pl.DataFrame
    curve: pl.DataFrame
    effective_draws: float
    sentence: str = SENTENCE


def _weighted_quantiles(x: np.ndarray, weights: np.ndarray) -> list[float]:
    order = np.argsort(x)
    gone = np.cumsum(weights[order])
    at = np.searchsorted(gone, [0.05, 0.5, 0.95])
    return [float(y) for y in x[order][np.minimum(at, len(x) - 1)]]


def _level(at: dict[str, np.ndarray], when: float) -> np.ndarray:
    return at["final"] * bass_share(when - at["launch"], at["innovation"], at["imitation"])


def fit_growth(
    observed: Sequence[tuple[float, float]],
    held_out: tuple[float, float],
    *,
    priors: GrowthPriors | None = None,
    draws: int = 200_000,
    seed: int = 20230601,
    until: float | None = None,
) -> Growth:
    """Bass posterior by weighting draws of the prior, and what it, the last value and a straight line say of a held-out point.

    Parameters
    ----------
    observed : (decimal year, members), two or more, rising in time.
    held_out : the point not used.

    Returns
    -------
    Growth
        `parameters`: `parameter`, `unit`, `prior_q05`, `prior_q50`, `prior_q95`, `posterior_q05`, `posterior_q50`,
        `posterior_q95`.
        `forecasts`: `forecast`, `date`, `observed`, `predicted`, `low`, `high` (90 %, observation error included;
        null for the naive ones), `width` (high less low, over the observed), `error` (predicted over observed, less
        1), `covers`.
        `curve`: `date`, `prior_q05`, … `posterior_q95` (members).

    Raises
    ------
    ValueError
        for fewer than two points, dates that do not rise, or a prior under which the points are all but impossible.
    """
    dates, values = np.array(observed, dtype=float).T if len(observed) else (np.array([]), np.array([]))
    if len(dates) < 2 or (np.diff(dates) <= 0).any() or (values <= 0).any() or held_out[0] <= dates[-1]:
        raise ValueError("growth needs two points or more, rising in time, all above 0 and before the one held out")
    priors = priors or GrowthPriors()
    random = np.random.default_rng(seed)
    drawn = priors.draw(random, draws)
    misfit = np.zeros(draws)
    for when, value in zip(dates, values):
        misfit += (np.log(value / np.maximum(_level(drawn, when), 1e-9)) / priors.error) ** 2 / 2
    weights = np.exp(misfit.min() - misfit)
    weights /= weights.sum()
    effective = float(1 / (weights**2).sum())
    if effective < 100:
        raise ValueError(f"the points have no weight under the priors ({effective:.0f} effective draws)")
    flat = np.full(draws, 1 / draws)

    def both(x: np.ndarray) -> dict[str, float]:
        names = [f"{kind}_{q}" for kind in ("prior", "posterior") for q in ("q05", "q50", "q95")]
        return dict(zip(names, _weighted_quantiles(x, flat) + _weighted_quantiles(x, weights)))

    units = {"launch": "year", "half_time": "years", "imitation_ratio": "ratio", "final": "members"}
    units |= {"innovation": "a year", "imitation": "a year"}
    when, truth = held_out
    noise = np.exp(priors.error * random.standard_normal(draws))
    low, middle, high = _weighted_quantiles(_level(drawn, when) * noise, weights)
    slope = (values[-1] - values[-2]) / (dates[-1] - dates[-2])
    line = float(values[-1] + slope * (when - dates[-1]))
    forecasts = [("Bass, posterior", middle, low, high), ("last value", float(values[-1]), None, None)]
    forecasts.append(("straight line", line, None, None))
    grid = np.linspace(priors.launch[0], until or when + 5, 80)
    return Growth(
        pl.DataFrame([{"parameter": name, "unit": unit, **both(drawn[name])} for name, unit in units.items()]),
        pl.DataFrame(
            [
                {"forecast": name, "date": when, "observed": float(truth), "predicted": p, "low": lo, "high": hi}
                | {"width": None if lo is None else (hi - lo) / truth, "error": p / truth - 1}
                | {"covers": None if lo is None else lo <= truth <= hi}
                for name, p, lo, hi in forecasts
            ]
        ),
        pl.DataFrame([{"date": float(d), **both(_level(drawn, d))} for d in grid]),
        effective,
    )


def place_on_curve(
    observed: float,
    days: Sequence[int],
    *,
    final: tuple[float, float, float],
    half_time: tuple[float, float, float],
    imitation_ratio: tuple[float, float, float] = (3.0, 0.3, 30.0),
    draws: int = 50_000,
    seed: int = 20251014,
) -> pl.DataFrame:
    """Where one count lies on the curve the priors draw, at each date it may have been taken.

    Parameters
    ----------
    observed : members; `days` since launch at which that may have been.
    final, half_time : lognormal priors (median, low, high of 90 %), members and years.

    Returns
    -------
    polars.DataFrame
        a row a day: `days`, `observed`, `q05`, `q50`, `q95` (members the priors expect), `position` (share of draws
        below the observed), `covers` (within the 90 % band), `implied_half_time` (years until half the median final
        size, were joining steady).
    """
    priors = GrowthPriors(half_time, imitation_ratio, final, (0.0, 1e-9))
    drawn, rows = priors.draw(np.random.default_rng(seed), draws), []
    for day in days:
        x = _level(drawn, day / 365.25)
        low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
        place = {"position": float((x < observed).mean()), "covers": bool(low <= observed <= high)}
        steady = final[0] / 2 / observed * day / 365.25 if observed > 0 else None
        rows.append(
            {"days": int(day), "observed": float(observed), "q05": float(low), "q50": float(middle), "q95": float(high)}
            | place
            | {"implied_half_time": steady}
        )
    return pl.DataFrame(rows)


def observed_points(evidence: pl.DataFrame, place: str) -> list[tuple[float, float]]:
    """A place's published counts as (decimal year, members), by date; a month is taken at its middle, a year at its."""
    found = evidence.filter(pl.col("place") == place).sort("date")
    parts = [[int(x) for x in when.split("-")] for when in found["date"]]
    years = [year + (month[0] - 0.5) / 12 if month else year + 0.5 for year, *month in parts]
    return list(zip(years, found["figure"].cast(pl.Float64).to_list()))


def fizzle_thresholds(
    *, final: float, half_time: float, messages_per_week: Sequence[float] = (0.8, 0.0), years: float = 15.0, **path
) -> pl.DataFrame:
    """The least churn over silence at which a list falls below half its peak: what "fizzles out" would take.

    Nobody has published such a churn. With rejoining at a constant rate a list settles and stays, whatever the churn.

    Returns
    -------
    polars.DataFrame
        a row a number of bulletins × rejoining: `messages_per_week`, `rejoining`, `churn_silence` (least share of members
        leaving in a silent week; 0 where unsubscribing alone suffices; null where none does), `weeks` (until it is below
        half its peak, without that churn; null if never), `text`.
    """
    rows = []
    for sent in messages_per_week:
        for rejoining in (True, False):

            def fizzles(churn: float, sent: float = sent, rejoining: bool = rejoining) -> pl.Series:
                made = subscriber_path(
                    final=final,
                    half_time=half_time,
                    messages_per_week=sent,
                    churn_silence=churn,
                    rejoining=rejoining,
                    years=years,
                    **path,
                )
                return made.filter("fizzled")["week"]

            low, high = 0.0, 1.0
            alone = fizzles(0.0)
            if len(alone):
                least, text = 0.0, f"fizzles out in week {alone[0]} by unsubscribing alone"
            elif not len(fizzles(1.0)):
                least, text = None, "never fizzles out, whatever the churn"
            else:
                for _ in range(20):
                    middle = (low + high) / 2
                    low, high = (low, middle) if len(fizzles(middle)) else (middle, high)
                least, text = high, f"fizzles out if {100 * high:.2g}% or more leave in each silent week"
            made = {"messages_per_week": float(sent), "rejoining": rejoining, "churn_silence": least}
            rows.append(made | {"weeks": alone[0] if len(alone) else None, "text": text})
    return pl.DataFrame(rows, schema_overrides={"churn_silence": pl.Float64, "weeks": pl.Int64})


def subscriber_path(
    *,
    final: float,
    half_time: float,
    imitation_ratio: float = 3.0,
    messages_per_week: float = 0.8,
    unsubscribe_per_message: float = 0.002,
    capacity: float = math.inf,
    churn_unanswered: float = 0.0,
    churn_silence: float = 0.0,
    rejoining: bool = True,
    years: float = 10.0,
) -> pl.DataFrame:
    """A list week by week: joining as Bass, leaving at each bulletin and, by hypothesis, over unanswered mail and silence.

    Neither hypothesis has a published size, so both default to 0. "Fizzles out" means below half its peak.

    Parameters
    ----------
    final, half_time : people, years.
    capacity : subscribers whose mail can be answered (`saturation_subscribers`); of a longer list the excess share is
    unanswered. churn_unanswered : share of members who leave a week when no mail is answered, in proportion below
    that. churn_silence : share who leave in a week without a bulletin. rejoining : whether those who left may join
    again.

    Returns
    -------
    polars.DataFrame
        `week`, `members`, `unanswered` (share of mail), `peak` (so far), `fizzled` (members below half the peak).

    Raises
    ------
    ValueError
        naming the argument and its range.
    """
    shares = {"unsubscribe_per_message": unsubscribe_per_message, "churn_unanswered": churn_unanswered}
    for name, value in (shares | {"churn_silence": churn_silence}).items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be between 0 and 1: {value!r}")
    for name, value in (("half_time", half_time), ("years", years), ("imitation_ratio", imitation_ratio)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be above 0: {value!r}")
    for name, value in (("final", final), ("capacity", capacity), ("messages_per_week", messages_per_week)):
        if not value >= 0:
            raise ValueError(f"{name} must be 0 or more: {value!r}")
    total = math.log(2 + imitation_ratio) / (half_time * 365.25 / 7)
    innovation = total / (1 + imitation_ratio)
    imitation = total - innovation
    silent = math.exp(-messages_per_week)  # weeks without a bulletin, were they sent at random
    members = peak = left = 0.0
    rows = []
    for week in range(math.ceil(years * 365.25 / 7) + 1):
        peak = max(peak, members)
        unanswered = max(0.0, 1 - capacity / members) if members > 0 else 0.0
        fizzled = peak > 0 and members < peak / 2
        rows.append((week, members, unanswered, peak, fizzled))
        waiting = max(0.0, final - members - (0.0 if rejoining else left))
        joining = (innovation + imitation * members / final) * waiting if final > 0 else 0.0
        leaving = messages_per_week * unsubscribe_per_message + churn_unanswered * unanswered + churn_silence * silent
        gone = members * min(1.0, leaving)
        members, left = members + min(joining, waiting) - gone, left + gone
    return pl.DataFrame(rows, schema=["week", "members", "unanswered", "peak", "fizzled"], orient="row")
