"""How an area compares with the others, allowing for chance: funnels, families of findings, smoothed ward rates.

A league table ranks noise. A funnel (Spiegelhalter 2005, Statistics in Medicine 24, 1185-1202) asks of each area whether it
lies further from what was expected than counting noise and the variation usual among areas would put it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

from wardbook.measures.usual import CANNOT_SAY, TOO_FEW, Change
from wardbook.measures.verdicts import YEARLY_GROUPS, History
from wardbook.measures.wards import empirical_bayes as empirical_bayes
from wardbook.periods import FinancialYear
from wardbook.places import LONDON, LONDON_CODE, Area, UnknownName

VERDICTS = {"low": "lower than expected", "expected": "as expected", "high": "higher than expected"}
_JUDGED = ("ratio", "phi", "tau2", "lower_95", "upper_95", "lower_998", "upper_998", "z", "p_noise", "p")


def funnel_limits(expected, *, level: float = 0.95):
    """Exact Poisson limits of observed ÷ expected, as the ratios `(lower, upper)`; numbers or arrays.

    Garwood's interval around the expected count, divided by it, for expected counts that are no whole numbers too: the
    limits that Spiegelhalter's funnels and their R packages print.
    """
    expected, tail = np.asarray(expected, float), (1 - level) / 2
    if np.any(expected <= 0) or not 0 < level < 1:
        raise ValueError(f"expected counts must be above 0 and the level between 0 and 1: {expected!r}, {level!r}")
    lower = stats.chi2.ppf(tail, 2 * expected) / 2 / expected
    upper = stats.chi2.ppf(1 - tail, 2 * expected + 2) / 2 / expected
    return (float(lower), float(upper)) if expected.ndim == 0 else (lower, upper)


def funnel_verdict(observed: float, expected: float, *, level: float = 0.95) -> str:
    """`low`, `expected` or `high`: which side of the exact limits, counting noise alone, a count lies."""
    lower, upper = funnel_limits(expected, level=level)
    ratio = observed / expected
    return "low" if ratio < lower else "high" if ratio > upper else "expected"


class Overdispersion(NamedTuple):
    """`phi` multiplies the variance; `tau2` is what is added to it between areas (of the logarithm, given its errors)."""

    phi: float
    tau2: float


def winsorised(z, share: float = 0.1) -> np.ndarray:
    """The values with a tenth at either end drawn in to the quantile there, so that true outliers do not hide themselves."""
    return np.clip(z, *np.quantile(z, [share, 1 - share]))


@lru_cache
def winsorised_expectation(n: int, share: float = 0.1) -> float:
    """The mean of n winsorised squares of standard normals: 0.694 for 32 and 0.679 for many, where the plain mean has 1.

    Taking φ for what it prints sets it a third too low: simulated, 10-12 % of unchanged areas then fall outside 95 % limits.
    """
    z = np.random.default_rng(0).standard_normal((20_000, n))
    low, high = np.quantile(z, [share, 1 - share], axis=1)[..., None]
    return float(np.mean(np.clip(z, low, high) ** 2))


def overdispersion(z, standard_errors=None) -> Overdispersion:
    """How far areas vary beyond counting noise, from the winsorised z-scores, corrected for what winsorising takes.

    Parameters
    ----------
    z : one score an area, by counting noise.
    standard_errors : of each area's logarithm, by counting noise; without them τ² is in units of z (all errors 1).

    Returns
    -------
    Overdispersion
        φ = mean winsorised z² ÷ its expectation under N(0, 1); τ² by moments (DerSimonian & Laird 1986), 0 or more.
    """
    z = np.asarray(z, float)
    n = len(z)
    if n < 2:
        raise ValueError(f"overdispersion needs at least two areas: {n}")
    weight = np.ones(n) if standard_errors is None else 1 / np.asarray(standard_errors, float) ** 2
    phi = float(np.mean(winsorised(z) ** 2)) / winsorised_expectation(n)
    tau2 = (n * phi - (n - 1)) / (weight.sum() - (weight**2).sum() / weight.sum())
    return Overdispersion(phi, max(0.0, float(tau2)))


def _judge(observed, e, exact: Callable, fewest: Callable, z, errors, p_exact) -> dict[str, np.ndarray]:
    """Limits, p-values and verdicts of a funnel, with the overdispersion of its areas in them.

    Each exact limit is read as a standard error of the logarithm, to which τ² is added. τ² is itself learnt from these few
    areas, so Student's t takes the normal's place: with the normal, 25-32 % of unchanged families of 17 groups hold a finding.
    The exact p-value is the larger where counts are small and below what is expected, so a lower limit is the wider of the two
    that belong to the p-values (an upper one, an offence or so further out than where P(X ≥ x) is the tail, always is): a count is
    outside the 95 % limits exactly where it is judged so. A lower limit below half an offence is none.

    `exact(level)` gives the limits as ratios, `fewest(tail)` the count x at which P(X ≤ x) is the tail.
    """
    ratio = np.maximum(observed, 0.5) / e
    phi, tau2 = overdispersion(z, errors)
    spread = stats.t(len(z) - 1) if tau2 > 0 else stats.norm
    made = {"phi": np.full(len(z), phi), "tau2": np.full(len(z), tau2)}
    for level, name in ((0.95, "95"), (0.998, "998")):
        q = 0.5 + level / 2
        error = np.abs(np.log(exact(level))) / stats.norm.ppf(q)
        if name == "95":
            side = np.where(ratio < 1, *error)
        width = spread.ppf(q) * np.sqrt(error**2 + tau2)
        lower = np.minimum(np.exp(-width[0]), fewest((1 - level) / 2) / e)
        made |= {f"lower_{name}": np.where(lower * e <= 0.5, 0.0, lower), f"upper_{name}": np.exp(width[1])}
    p = np.maximum(2 * spread.sf(np.abs(np.log(ratio)) / np.sqrt(side**2 + tau2)), p_exact)
    sides = np.where(p >= 0.05, "expected", np.where(ratio < 1, "low", "high"))
    made |= {"ratio": observed / e, "z": z, "p_noise": p_exact, "p": p}
    return made | {"verdict": np.array([VERDICTS[side] for side in sides])}


def _score(at_most, below) -> tuple[np.ndarray, np.ndarray]:
    """z by the mid-P distribution function, and the exact two-sided p, from P(X ≤ x) and P(X < x)."""
    middle = np.clip((at_most + below) / 2, 1e-300, 1 - 1e-16)
    return stats.norm.ppf(middle), np.minimum(1, 2 * np.minimum(at_most, 1 - below))


def _with(rows: pl.DataFrame, columns: dict) -> pl.DataFrame:
    return rows.with_columns(pl.Series(name, values) for name, values in columns.items())


def change_funnel(counts: pl.DataFrame) -> pl.DataFrame:
    """Each borough's outturn against its own baseline times London's ratio, one funnel a group; denominators cancel.

    Given baseline and outturn together the outturn is binomial, so the limits are exact and the baseline's own noise is in
    them. Groups are judged together: Benjamini and Hochberg's 5 % over all rows that can be judged.

    Parameters
    ----------
    counts : `offence_group`, `baseline`, `outturn` (all the boroughs of a group), any other columns.

    Returns
    -------
    pl.DataFrame
        the rows with `expected`, `ratio`, limits (`lower_95`, …, `upper_998`), `phi`, `tau2`, `z`, `p_noise`, `p`,
        `verdict`, `finding`, `family` and `findings`. With too few offences the verdict is `cannot say`, not in the family.
    """
    enough = (pl.col("expected") > 0) & (pl.col("baseline") + pl.col("outturn") >= TOO_FEW)
    frames = []
    for _, group in counts.group_by("offence_group", maintain_order=True):
        london = group["outturn"].sum() / max(group["baseline"].sum(), 1)
        group = group.with_columns((pl.col("baseline") * london).alias("expected"))
        rows = group.filter(enough)
        if rows.height >= 5:
            b, o, e = (rows[c].to_numpy().astype(float) for c in ("baseline", "outturn", "expected"))
            share = london / (1 + london)
            z, p = _score(stats.binom.cdf(o, o + b, share), stats.binom.cdf(o - 1, o + b, share))

            def exact(level, b=b, e=e, london=london):
                ends = stats.beta.ppf((1 - level) / 2, e, b + 1), stats.beta.ppf(0.5 + level / 2, e + 1, b)
                return np.array([end / (1 - end) / london for end in ends])

            def fewest(tail, b=b, share=share):
                # P(X ≤ o) given o + b is an incomplete beta function: solved for o, which need not be whole.
                return special.btdtrib(b, tail, 1 - share) - 1

            frames.append(_with(rows, _judge(o, e, exact, fewest, z, np.sqrt(1 / b + 1 / e), p)))
            group = group.filter(~enough)
        frames.append(group.with_columns(pl.lit(CANNOT_SAY).alias("verdict")))
    return _find(pl.concat(frames, how="diagonal"))


def _find(table: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in _JUDGED if name not in table.columns]  # where no group had areas enough
    table = table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in missing)
    p, finding = table["p"].to_numpy(), np.zeros(table.height, bool)
    known = ~np.isnan(p)
    if known.any():
        finding[known] = multipletests(p[known], alpha=0.05, method="fdr_bh")[0]
    return _with(table, {"finding": finding}).with_columns(
        family=pl.lit(int(known.sum())), findings=pl.lit(int(finding.sum()))
    )


def yearly_counts(history: History, last: FinancialYear, boroughs: pl.DataFrame, *, plus: str) -> pl.DataFrame:
    """What `change_funnel` takes: every borough and group of a year and the year before, within one snapshot.

    Parameters
    ----------
    boroughs : `borough_code`, `borough`.
    plus : a group that is judged with `YEARLY_GROUPS`, if it is none of them.

    Raises
    ------
    UnknownName
        naming the nearest group, if `plus` is none that the edition holds.
    """
    held, first = history.items("borough_offences"), last - 1
    if plus not in held:
        raise UnknownName("offence group", plus, held, "data/reference/offence_groups.csv")
    frames = []
    for group in dict.fromkeys([*YEARLY_GROUPS, plus]):
        snapshot = history.snapshot_for("borough_offences", group, first, last)
        rows = history.series("borough_offences", group, snapshot or "").filter(
            pl.col("year").is_in([first.start, last.start])
        )
        wide = rows.group_by("borough_code", "offence_group", "snapshot").agg(
            pl.col("offences").filter(pl.col("year") == year.start).sum().alias(name)
            for year, name in ((first, "baseline"), (last, "outturn"))
        )
        crosses = "; ".join(history.crosses("borough_offences", group, first, last))
        frames.append(boroughs.join(wide, on="borough_code").with_columns(pl.lit(crosses).alias("crosses")))
    table = pl.concat(frames).with_columns(
        pl.lit(str(first)).alias("baseline_period"), pl.lit(str(last)).alias("period")
    )
    return table.sort("offence_group", "borough_code")


def simulated_findings(baselines, taus=(0.0, 0.1, 0.2), *, runs: int = 200, seed: int = 1) -> dict[float, float]:
    """By τ, how often a funnel over areas with these baselines holds a finding when no area differs but by chance and τ."""
    mean, shares = np.asarray(baselines, float), {}
    for tau in taus:
        rng, found = np.random.default_rng(seed), 0
        for _ in range(runs):
            drawn = {"offence_group": ["simulated"] * len(mean), "baseline": rng.poisson(mean)}
            drawn["outturn"] = rng.poisson(mean * np.exp(rng.normal(0, tau, len(mean))))
            found += change_funnel(pl.DataFrame(drawn))["findings"][0] > 0
        shares[tau] = found / runs
    return shares


def level_funnel(counts: pl.DataFrame) -> pl.DataFrame:
    """Each borough's `events` against its `exposure` times London's rate; only where the denominator is natural.

    The exposure is what can be hit: households for residential burglary.
    """
    events, exposure = (counts[c].to_numpy().astype(float) for c in ("events", "exposure"))
    e = exposure * events.sum() / exposure.sum()
    z, p = _score(stats.poisson.cdf(events, e), stats.poisson.cdf(events - 1, e))

    def fewest(tail):
        return special.gdtrib(1, 1 - tail, e) - 1

    judged = _judge(events, e, lambda level: np.array(funnel_limits(e, level=level)), fewest, z, e**-0.5, p)
    return _find(_with(counts, {"expected": e} | judged))


def ranked_changes(
    history: History, item: str, first: FinancialYear, last: FinancialYear, boroughs: pl.DataFrame, *, target: float
) -> pl.DataFrame:
    """Every borough's and London's change between two years with both intervals and its verdict, largest fall first."""
    snapshot = history.snapshot_for("borough_offences", item, first, last)
    areas = [Area(*row) for row in boroughs.select("borough_code", "borough").iter_rows()]
    rows = []
    for area in [Area(LONDON_CODE, LONDON), *areas] if snapshot else []:
        pair = [history.count("borough_offences", item, area, year, snapshot) for year in (first, last)]
        usual = history.usual("borough_offences", item, area, last.start - first.start, before=first)
        change = Change.between(*pair, usual)
        row = {"borough_code": area.code, "borough": area.name, "baseline": pair[0], "outturn": pair[1]}
        row |= {"change_percent": change.percent, "noise_low": change.noise[0], "noise_high": change.noise[1]}
        row |= {"wider_low": change.wider[0], "wider_high": change.wider[1], "target": target, "snapshot": snapshot}
        row["has_history"] = usual is not None  # without one the interval is counting noise alone
        rows.append(row | {"verdict": change.against(target, direction="fall")})
    return pl.DataFrame(rows, infer_schema_length=None).sort("change_percent", "borough") if rows else pl.DataFrame()
