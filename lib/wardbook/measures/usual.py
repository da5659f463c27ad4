"""Did a borough meet its targets, and is the change more than usual variation?

Counts are a census, so what is chance? Two answers are given, always both. *Counting noise* is the Poisson variation of
the two counts. *Usual variation* is how far borough-years of the same offence and volume moved relative to London between
years with nothing declared in between: a placebo distribution, for in those years too there were police, plans and luck.
The verdict uses the wider of the two intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from scipy import optimize, stats

from wardbook.measures.rates import detectable_fall, rate_ratio, wilson
from wardbook.measures.targets import baselines_allowed as baselines_allowed

MET = ("met clearly", "met within usual variation", "missed within usual variation", "missed clearly")
CANNOT_SAY = "cannot say"
CHANGES = ("fell clearly", "little different", "rose clearly")
TOO_FEW = 10  # offences in two periods together below which no change is described


# -- usual variation --------------------------------------------------------------------------------------------------


def _log_ratio(baseline: float, outturn: float) -> float:
    """ln(outturn ÷ baseline), a count of 0 taken as a half."""
    return math.log(max(outturn, 0.5) / max(baseline, 0.5))


@dataclass(frozen=True)
class UsualVariation:
    """How far one kind of offence usually moves between two years, and what that was learnt from.

    The variance of a log change at volumes (b, o) is `scale² · (phi · (1/b + 1/o) + tau2)`: a part that shrinks with
    volume and a part that does not. `moves` holds each placebo change in standard errors, signed, sorted.
    """

    phi: float
    tau2: float
    scale: float
    moves: tuple[float, ...]
    window: str

    @property
    def n(self) -> int:
        return len(self.moves)

    def standard_error(self, baseline: float, outturn: float) -> float:
        """Standard error of the log of outturn ÷ baseline, counting noise included."""
        noise = 1 / max(baseline, 0.5) + 1 / max(outturn, 0.5)
        return self.scale * math.sqrt(self.phi * noise + self.tau2)

    def moved_this_far(self, baseline: float, outturn: float) -> int:
        """How many placebo changes were at least as far from none, allowing for volume."""
        size = abs(_log_ratio(baseline, outturn)) / self.standard_error(baseline, outturn)
        return int(np.sum(np.abs(self.moves) >= size - 1e-12))

    def variance_ratio(self, volume: float) -> float:
        """The variance at this volume over that of counting noise alone (two equal counts)."""
        return self.standard_error(volume, volume) ** 2 / (2 / volume)


def placebo_changes(years: pl.DataFrame, pairs: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """Every borough's change between the years of each pair, relative to London's.

    Parameters
    ----------
    years : `borough_code`, `year`, `offences`: one offence group, one snapshot, the 32 boroughs.
    pairs : (earlier, later) years.

    Returns
    -------
    pl.DataFrame
        `borough_code`, `from_year`, `to_year`, `baseline`, `outturn`, `log_change`: ln(outturn ÷ baseline) less the same
        for all boroughs together.
    """
    frames = []
    for first, last in pairs:
        before = years.filter(year=first).select("borough_code", pl.col("offences").alias("baseline"))
        after = years.filter(year=last).select("borough_code", pl.col("offences").alias("outturn"))
        both = before.join(after, on="borough_code").filter(pl.col("baseline") + pl.col("outturn") > 0)
        floor = [pl.col(c).cast(pl.Float64).clip(lower_bound=0.5) for c in ("outturn", "baseline")]
        london = math.log(max(both["outturn"].sum(), 0.5) / max(both["baseline"].sum(), 0.5))
        frames.append(
            both.with_columns(
                pl.lit(first, pl.Int32).alias("from_year"),
                pl.lit(last, pl.Int32).alias("to_year"),
                ((floor[0] / floor[1]).log() - london).alias("log_change"),
            )
        )
    return (
        pl.concat(frames).select("borough_code", "from_year", "to_year", "baseline", "outturn", "log_change")
        if frames
        else pl.DataFrame()
    )


def usual_variation(changes: pl.DataFrame, *, window: str) -> UsualVariation | None:
    """Fit the usual variation of one offence to its placebo changes; None with fewer than 30 of them.

    Multiplying counting noise alone flags the largest boroughs (12.5 % of them for possession of drugs), adding a
    constant alone the smallest (13.5 % for bicycle theft); both together hold at every volume. The fit is iterated
    weighted least squares on the squared changes, neither part below its floor (counting noise; 0). Tails heavier than
    normal are met by a scale that puts the 95th percentile of the placebo changes at 1.96.
    """
    if changes.height < 30:
        return None
    squared = changes["log_change"].to_numpy() ** 2
    noise = (
        1 / changes["baseline"].clip(lower_bound=1).to_numpy() + 1 / changes["outturn"].clip(lower_bound=1).to_numpy()
    )
    design = np.column_stack([noise, np.ones_like(noise)])
    phi, tau2 = max(1.0, float(np.mean(squared / noise))), 0.0
    for _ in range(50):
        weight = 1 / (phi * noise + tau2)
        extra, _residual = optimize.nnls(design * weight[:, None], (squared - noise) * weight)
        step = abs(extra[0] + 1 - phi) + abs(extra[1] - tau2)
        phi, tau2 = float(extra[0]) + 1, float(extra[1])
        if step < 1e-10:
            break
    moves = changes["log_change"].to_numpy() / np.sqrt(phi * noise + tau2)
    scale = max(1.0, float(np.quantile(np.abs(moves), 0.95, method="higher")) / stats.norm.ppf(0.975))
    return UsualVariation(phi, tau2, scale, tuple(np.sort(moves / scale).tolist()), window)


def london_variation(totals: pl.DataFrame, pairs: Sequence[tuple[int, int]], *, window: str) -> UsualVariation | None:
    """London's own usual variation, from its own earlier changes; None with fewer than five of them.

    London has no larger area to be compared with, so the changes themselves are the placebo distribution, and the
    interval is widened by Student's t for their small number.
    """
    have = dict(totals.select("year", "offences").iter_rows())
    moves = np.array([math.log(have[b] / have[a]) for a, b in pairs if have.get(a) and have.get(b)])
    if len(moves) < 5:
        return None
    tau = float(np.sqrt(np.mean(moves**2)))
    scale = float(stats.t.ppf(0.975, len(moves)) / stats.norm.ppf(0.975))
    return UsualVariation(0.0, tau**2, scale, tuple(np.sort(moves / tau / scale).tolist()), window)


# -- one change, one verdict -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A change between two counts, each possibly known only to a range, with both intervals, in per cent."""

    pairs: tuple[tuple[int, int], ...]
    usual: UsualVariation | None
    level: float = 0.95

    @staticmethod
    def between(baseline: int, outturn: int, usual: UsualVariation | None = None) -> Change:
        """A change between two counts that are known."""
        return Change(((baseline, outturn),), usual)

    @property
    def too_few(self) -> bool:
        return max(b + o for b, o in self.pairs) < TOO_FEW or min(b for b, _ in self.pairs) == 0

    @property
    def percents(self) -> tuple[float, float]:
        """The change at either end of the range, lowest first."""
        values = [100 * (o / b - 1) for b, o in self.pairs]
        return min(values), max(values)

    @property
    def percent(self) -> float:
        """The middle of the range: the change itself where the counts are known."""
        return sum(self.percents) / 2

    @cached_property
    def noise(self) -> tuple[float, float]:
        """Counting-noise interval: exact, central, the union over the range."""
        ratios = [rate_ratio(o, b, level=self.level) for b, o in self.pairs]
        return 100 * (min(r.lower for r in ratios) - 1), 100 * (max(r.upper for r in ratios) - 1)

    @property
    def p_noise(self) -> float:
        """Two-sided p-value of no change by counting noise, the largest over the range."""
        return max(rate_ratio(o, b).p_value for b, o in self.pairs)

    @property
    def p_usual(self) -> float | None:
        """Two-sided p-value of no change at usual variation, the largest over the range; None without a history."""
        if self.usual is None:
            return None
        sizes = [abs(_log_ratio(b, o)) / self.usual.standard_error(b, o) for b, o in self.pairs]
        return float(2 * stats.norm.sf(min(sizes)))

    @property
    def usual_interval(self) -> tuple[float, float] | None:
        """Usual-variation interval, or None where the offence has no history to learn it from."""
        if self.usual is None:
            return None
        z = stats.norm.ppf(0.5 + self.level / 2)
        ends = [(_log_ratio(b, o), z * self.usual.standard_error(b, o)) for b, o in self.pairs]
        return 100 * (math.exp(min(m - w for m, w in ends)) - 1), 100 * (math.exp(max(m + w for m, w in ends)) - 1)

    @property
    def wider(self) -> tuple[float, float]:
        """The interval a verdict uses: the wider of the two, end by end."""
        usual = self.usual_interval or self.noise
        return min(self.noise[0], usual[0]), max(self.noise[1], usual[1])

    @property
    def verdict(self) -> str:
        """`fell clearly`, `little different` or `rose clearly`; `cannot say` if the counts are too few to describe."""
        if self.too_few:
            return CANNOT_SAY
        low, high = self.wider
        return CHANGES[0] if high < 0 else CHANGES[2] if low > 0 else CHANGES[1]

    def against(self, target: float | None, *, direction: str) -> str:
        """The five-way verdict against a target for the change, in per cent; `cannot say` without one."""
        if target is None or self.too_few:
            return CANNOT_SAY
        return target_verdict(self.percents, self.wider, target, direction=direction)

    def probability_met(self, target: float | None, *, direction: str) -> float | None:
        """Posterior probability that the underlying change met the target, the mean over the range.

        Priors: flat on the log of the underlying ratio, with the usual variation as its standard error; by counting noise
        alone, Jeffreys' prior on the share that the two underlying rates make.
        """
        if target is None or self.too_few:
            return None
        limit = 1 + target / 100
        chances = []
        for b, o in self.pairs:
            if limit <= 0:
                below = 0.0  # no count falls by all of itself while some rate is left
            elif self.usual is None:
                below = stats.beta.cdf(limit / (1 + limit), o + 0.5, b + 0.5)
            else:
                below = stats.norm.cdf((math.log(limit) - _log_ratio(b, o)) / self.usual.standard_error(b, o))
            chances.append(below if direction == "fall" else 1 - below)
        return float(np.mean(chances))

    @property
    def moved_this_far(self) -> str:
        """`k of N` borough-years that moved at least this far, allowing for volume; empty without a history."""
        if self.usual is None or self.too_few:
            return ""
        return f"{max(self.usual.moved_this_far(b, o) for b, o in self.pairs)} of {self.usual.n}"

    @property
    def detectable(self) -> float | None:
        """The smallest fall, in per cent, that would be seen at this volume with 80 % power and the same variation."""
        volume = min(b for b, _ in self.pairs)
        if volume < 1:
            return None
        return 100 * detectable_fall(
            volume, variance_ratio=max(1.0, self.usual.variance_ratio(volume)) if self.usual else 1.0
        )


def target_verdict(
    percents: tuple[float, float], interval: tuple[float, float], target: float, *, direction: str
) -> str:
    """Met or missed, clearly or within usual variation: met describes the figure, clearly that the interval excludes the
    target. A figure known only to a range that straddles the target is `cannot say`.

    Parameters
    ----------
    percents : the figure at either end of its range, lowest first.
    direction : which way is good, "fall" or "rise": data, not code.
    """
    if direction not in ("fall", "rise"):
        raise ValueError(f'direction must be "fall" or "rise": {direction!r}')
    sign = 1 if direction == "fall" else -1
    met = [sign * p <= sign * target for p in percents]
    if len(set(met)) > 1:
        return CANNOT_SAY
    low, high = sorted(sign * end for end in interval)
    if met[0]:
        return MET[0] if high < sign * target else MET[1]
    return MET[3] if low > sign * target else MET[2]


def stands_out(p_values: Sequence[float], *, rate: float = 0.05) -> list[bool]:
    """Which of a family of changes stand after Benjamini and Hochberg's correction, at a false-discovery rate of 5 %."""
    from statsmodels.stats.multitest import multipletests

    return [bool(x) for x in multipletests(list(p_values), alpha=rate, method="fdr_bh")[0]] if len(p_values) else []


def sample_needed(share_percent: float, target_percent: float) -> int:
    """The smallest simple random sample in which this share would be clearly off its target (95 %, normal).

    Where a source prints a survey result without its sample, this is what can be said instead of a verdict.
    """
    p, gap = share_percent / 100, abs(share_percent - target_percent) / 100
    return math.ceil(stats.norm.ppf(0.975) ** 2 * p * (1 - p) / gap**2)


def level_verdict(
    share_percent: float, target_percent: float, *, sample: int, direction: str, design_effect: float = 1.0
) -> tuple[str, float, float]:
    """A survey share against its target, by Wilson's interval on the sample ÷ its design effect: verdict, low, high (%)."""
    effective = max(1, round(sample / design_effect))
    low, high = wilson(round(share_percent / 100 * effective), effective)
    interval = (100 * low, 100 * high)
    return target_verdict((share_percent, share_percent), interval, target_percent, direction=direction), *interval
