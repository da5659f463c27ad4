"""Is a change the borough's, or all of London's? One computation for every place that judges a change.

A borough's ratio of two counts is divided by the ratio of the rest of London (the other 31 boroughs) over the same months, and
held against how far boroughs usually moved from the rest of London over as long. What hits all boroughs alike cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import polars as pl
import scipy

from wardbook.periods import Period, breaks_between
from wardbook.places import LONDON_CODE, UNKNOWN

BELOW, IN_LINE, ABOVE = "below London", "in line with London", "above London"
TOO_FEW, CANNOT_SAY = "too few to say", "cannot say"
VERDICTS = (BELOW, IN_LINE, ABOVE, TOO_FEW, CANNOT_SAY)
FEWEST_EXPECTED = 5  # an expected after-count under this is too few to say anything of
FEWEST_WINDOWS = 3  # windows that do not overlap, under which nothing is said to be usual
MOVED_SHARE = 0.02  # how far the share without a borough may move before two counts no longer compare
OPEN_END = 300  # per cent: how far a range without an upper end is drawn
MANY = 0.12  # a share of boroughs outside above this, where one in twenty is expected, marks the ruler as too short

# Offence groups looked at when an area's year is looked at as a whole; the first holds all the others.
TOTAL = "total recorded offences excluding fraud"
YEARLY_GROUPS = (
    TOTAL,
    "violence with injury",
    "violence without injury including stalking and harassment",
    "homicide",
    "sexual offences",
    "robbery",
    "residential burglary",
    "business and community burglary",
    "theft from the person",
    "shoplifting",
    "bicycle theft",
    "theft from a vehicle",
    "theft or taking of a motor vehicle",
    "criminal damage",
    "drug offences",
    "possession of weapons",
    "public order offences",
)
# Nodes and weights of the standard normal, for the part of a change that chance in two counts does not explain.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# What is saved of a change, for an area and a period against the same months before.
COLUMNS = (
    *("area", "period", "before_period", "series", "offence_group", "before", "after", "change_percent"),
    *("london_change_percent", "relative_percent", "usual_low_percent", "usual_high_percent", "against_london"),
    *("as_far", "of", "comparable", "why"),
)
_KEY = ["borough_code", "offence_group"]
_TAUGHT = {"offence_group": pl.String, "borough_code": pl.String, "after_last": pl.Date}
_TAUGHT |= {"before": pl.Int64, "after": pl.Int64, "log_relative": pl.Float64}
_FITTED = {"offence_group": pl.String} | dict.fromkeys(("phi", "tau2", "scale"), pl.Float64)
_FITTED |= dict.fromkeys(("windows", "apart"), pl.Int64)


# -- counts -----------------------------------------------------------------------------------------------------------------


def count_windows(monthly: pl.DataFrame, before: Period, after: Period) -> pl.DataFrame:
    """Offences in two windows by borough and group: `borough_code`, `offence_group`, `before`, `after`.

    Parameters
    ----------
    monthly : `borough_code`, `offence_group`, `month`, `offences`, in one snapshot.
    """
    return _count_pairs(monthly, [(before, after)])[0]


def _count_pairs(monthly: pl.DataFrame, pairs: Sequence[tuple[Period, Period]]) -> list[pl.DataFrame]:
    """`count_windows` of each pair, the months gone through once for all."""
    windows = {window for pair in pairs for window in pair}
    offences, month = pl.col("offences"), pl.col("month")
    sums = [offences.filter(window.within(month)).sum().cast(pl.Int64).alias(str(window)) for window in windows]
    counts = monthly.group_by(_KEY).agg(sums).sort(_KEY)
    return [counts.select(*_KEY, before=str(before), after=str(after)) for before, after in pairs]


def with_rest_of_london(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts of the 32 boroughs, with `rest_before` and `rest_after`: the other 31 of the same group together."""
    boroughs = counts.filter(pl.col("borough_code") != UNKNOWN)
    others = [
        (pl.col(name).sum().over("offence_group") - pl.col(name)).alias(f"rest_{name}") for name in ("before", "after")
    ]
    return boroughs.with_columns(others)


def comparability(
    counts: pl.DataFrame, breaks: pl.DataFrame, series: str, before: Period, after: Period
) -> pl.DataFrame:
    """Whether the two counts of each offence group compare, and what lies between them.

    Parameters
    ----------
    counts : as `count_windows` gives them, the offences without a borough among them.
    breaks : `wardbook.periods.declared_breaks()`.

    Returns
    -------
    pl.DataFrame
        `offence_group`, `comparable`, `why` (what forbids it), `crosses` (what only marks it), `alike` (whether what lies
        between hit all boroughs alike, so that the change relative to London stands), `placed` (the share of London's offences
        that had a borough before over that after, where this alone forbids it; else null).
    """
    rows, unknown = [], pl.col("borough_code") == UNKNOWN
    shares = counts.group_by("offence_group").agg(
        *((pl.col(n).filter(unknown).sum() / pl.col(n).sum()).fill_nan(0.0).alias(n) for n in ("before", "after")),
    )
    for group, share_before, share_after in shares.sort("offence_group").iter_rows():
        crossed = breaks_between(breaks, series, group, before.first, after.last)
        cuts, placed = crossed.filter(pl.col("effect") != "marks")["what"].to_list(), None
        if abs(share_after - share_before) > MOVED_SHARE:
            placed = (1 - share_before) / (1 - share_after) if not cuts and share_after < 1 else None
            cuts.append(f"offences without a borough went from {share_before:.1%} to {share_after:.1%} of London's")
        crosses, alike = "; ".join(crossed.filter(effect="marks")["what"]), (crossed["alike"] == "yes").all()
        rows.append((group, not cuts, "; ".join(cuts), crosses, alike, placed))
    schema = {"offence_group": pl.String, "comparable": pl.Boolean, "why": pl.String, "crosses": pl.String}
    return pl.DataFrame(rows, schema=schema | {"alike": pl.Boolean, "placed": pl.Float64}, orient="row")


# -- the ruler --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ruler:
    """How far boroughs usually moved from the rest of London between two windows like these.

    `table`: `offence_group`, `phi`, `tau2`, `scale`, `windows` (pairs it was learnt from), `apart` (how many of them share no
    month of counts). The variance of a log relative change at counts b, o is `scale² · (phi · (1/b + 1/o) + tau2)`: a
    part that shrinks with volume and one that does not. `changes`: each change it was learnt from, `offence_group`,
    `borough_code`, `after_last` (the last month), `before`, `after`, `log_relative`.
    """

    before: Period
    after: Period
    table: pl.DataFrame
    changes: pl.DataFrame


def teaching_windows(
    months: Sequence, before: Period, after: Period, barred: Sequence[tuple] = ()
) -> list[tuple[Period, Period]]:
    """The pairs of windows that a change between `before` and `after` can be measured by, oldest first.

    They are the same calendar months as far apart, in other years: all that lie in `months` whole, touch none of the
    `barred` spells (first and last month), and are not the pair that is judged.
    """
    have, shifts = set(months), range(-60, 61)
    pairs = [(before.earlier(shift), after.earlier(shift)) for shift in reversed(shifts) if shift]
    return [
        (first, last)
        for first, last in pairs
        if have.issuperset(first.months)
        and have.issuperset(last.months)
        and not any(start <= last.last and end >= first.first for start, end in barred)
    ]


def windows_apart(pairs: Sequence[tuple[Period, Period]]) -> int:
    """The most pairs, taken oldest first, of which no two share a month of counts."""
    used, count = set(), 0
    for first, last in pairs:
        months = {*first.months, *last.months}
        if not months & used:
            used |= months
            count += 1
    return count


def learn_ruler(monthly: pl.DataFrame, before: Period, after: Period, breaks: pl.DataFrame, series: str) -> Ruler:
    """Learn, for each offence group, how far boroughs usually moved from the rest of London over as long.

    The pair that is judged is left out for every borough. A pair teaches even across a break that hit all boroughs alike;
    one that touches a break that teaches nothing (the pandemic; fraud's end) never does.

    Parameters
    ----------
    monthly : `borough_code`, `offence_group`, `month`, `offences`: every month held; the two windows in one snapshot.
    breaks : `wardbook.periods.declared_breaks()`; series : the table in it.
    """
    # An older release may lack a group that the newest has.
    held = dict(monthly.group_by("offence_group").agg(pl.col("month").unique().sort()).iter_rows())
    allowed = cache(lambda months, spells: teaching_windows(months, before, after, spells))
    pairs = allowed(tuple(monthly["month"].unique()), ())
    counted = {
        pair: with_rest_of_london(counts)
        .with_columns(after_last=pair[1].last)
        .partition_by("offence_group", as_dict=True)
        for pair, counts in zip(pairs, _count_pairs(monthly, pairs))
    }
    tables, changes = [], [pl.DataFrame(schema=_TAUGHT)]
    for group in monthly["offence_group"].unique(maintain_order=True):
        barred = breaks_between(breaks.filter(teaches="no"), series, group, date.min, date.max)
        spells = barred.select("from_month", pl.coalesce("to_month", "from_month")).rows()
        pairs = allowed(tuple(held[group]), tuple(spells))
        fit = {}
        if pairs:
            learnt = pl.concat(counted[pair][group,] for pair in pairs).filter(
                pl.col("before") + pl.col("after") > 0, pl.col("rest_before") > 0
            )
            fit = fit_variance(learnt) if learnt.height else {}  # no borough had an offence in any of them
            relative = pl.Series("log_relative", log_relative(learnt))
            changes.append(learnt.with_columns(relative).select(list(_TAUGHT)))
        tables.append({"offence_group": group, **fit, "windows": len(pairs), "apart": windows_apart(pairs)})
    return Ruler(before, after, pl.DataFrame(tables, schema=_FITTED), pl.concat(changes))


def log_relative(counts: pl.DataFrame) -> np.ndarray:
    """ln of a borough's ratio of counts over that of the rest of London; a count of 0 taken as a half."""
    before, after, rest_before, rest_after = _arrays(counts)
    own = np.maximum(after, 0.5) / np.maximum(before, 0.5)
    return np.log(own) - np.log(np.maximum(rest_after, 0.5) / np.maximum(rest_before, 0.5))


def fit_variance(counts: pl.DataFrame) -> dict[str, float]:
    """`phi`, `tau2` and `scale` of one offence group's changes: see `Ruler`.

    Multiplying the chance in two counts alone flags the largest boroughs, adding a constant alone the smallest; both
    together hold at every volume. The fit is iterated weighted least squares on the squared changes, neither part below
    its floor (chance in two counts; 0); the scale then puts one change in twenty outside, whatever the tails are.
    """
    chance = _chance(counts)[2]
    squared = log_relative(counts) ** 2
    design = np.column_stack([chance, np.ones_like(chance)])
    phi, tau2 = max(1.0, float(np.mean(squared / chance))), 0.0
    for _ in range(50):
        weight = 1 / (phi * chance + tau2)
        extra, _residual = scipy.optimize.nnls(design * weight[:, None], (squared - chance) * weight)
        step = abs(extra[0] + 1 - phi) + abs(extra[1] - tau2)
        phi, tau2 = float(extra[0]) + 1, float(extra[1])
        if step < 1e-10:
            break
    # In steps of better than a ten-thousandth, far finer than a count can tell: first a little to either side of what the
    # squared changes themselves say, then halfway. Outside at one scale is outside at every smaller one, and inside at
    # every larger: only what is in doubt is looked at again.
    least, step = 0.25, 3.75 / 2**24
    low, high = 0, 2**24
    near = np.sqrt(np.quantile(squared / (phi * chance + tau2), 0.95)) / 1.96
    tries = [int((part * near - least) / step) for part in (0.9, 1.1)]
    doubtful, surely = _volumes(counts), 0
    while high - low > 1:
        steps = min(max(tries.pop(), low + 1), high - 1) if tries else (low + high) // 2
        scale = least + steps * step
        middle = _middle(doubtful, scale**2 * phi, scale**2 * tau2)
        outside = (middle < 0.025) | (middle > 0.975)
        if (surely + outside.sum()) / counts.height > 0.05:
            low, doubtful = steps, doubtful[:, outside]
        else:
            high, doubtful = steps, doubtful[:, ~outside]
            surely += int(outside.sum())
    return {"phi": phi, "tau2": tau2, "scale": least + high * step}


# -- the verdict ------------------------------------------------------------------------------------------------------------


def against_london(counts: pl.DataFrame, ruler: Ruler) -> pl.DataFrame:
    """Judge each borough's change against the rest of London.

    Given the two counts' sum, the later one is binomial; how far boroughs usually differ is laid over its odds. The region
    that holds 95 % of ordinary changes is exact at any volume, and the same for every place that shows it.

    Parameters
    ----------
    counts : `borough_code`, `offence_group`, `before`, `after`, `rest_before`, `rest_after`; other columns are kept.

    Returns
    -------
    pl.DataFrame
        the rows with `change_percent`, `london_change_percent` (the rest of London's), `relative_percent`, the usual range of
        the relative change (`usual_low_percent`, `usual_high_percent`, null without an end), `against_london`, `as_far` of
        `of` other changes that were as far from the rest of London, `apart` (windows that do not overlap), `stand_out` of
        `judged` boroughs of the group outside their usual range.
    """
    apart = ruler.table.select("offence_group", "apart")
    rows = counts.join(apart, on="offence_group", how="left", maintain_order="left")
    before, after, rest_before, rest_after = _arrays(rows)
    phi, tau2 = _scaled_fit(rows, ruler)
    total = before + after
    learnt, counted = np.isfinite(phi), (total > 0) & (rest_before > 0) & (rest_after > 0)
    known = learnt & counted
    # Of a group that was never learnt the range is computed with chance alone, and not used.
    fewest, most = usual_counts(rows, np.nan_to_num(phi), np.nan_to_num(tau2))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, london = after / before, rest_after / rest_before
        expected, relative = before * london, ratio / london
        low, high = (np.where(known, end / (total - end) / london, np.nan) for end in (fewest, most))
    few = ~counted | ~(expected >= FEWEST_EXPECTED) | ((low <= 0.5) & (high >= 2))
    short = ~learnt | (rows["apart"].fill_null(0).to_numpy() < FEWEST_WINDOWS)
    verdict = np.select(
        [few, short, after < fewest, after > most], [TOO_FEW, CANNOT_SAY, BELOW, ABOVE], default=IN_LINE
    )
    factors = {"change": ratio, "london_change": london, "relative": relative, "usual_low": low, "usual_high": high}
    judged = rows.with_columns(
        *(
            pl.Series(f"{name}_percent", np.where(np.isfinite(factor), 100 * (factor - 1), np.nan)).fill_nan(None)
            for name, factor in factors.items()
        ),
        pl.Series("against_london", verdict, dtype=pl.String),
        pl.Series("log_relative", log_relative(rows)),
    )
    return _with_as_far(judged, ruler).drop("log_relative")


def _with_as_far(judged: pl.DataFrame, ruler: Ruler) -> pl.DataFrame:
    sizes = {}
    for (group,), rows in ruler.changes.group_by("offence_group"):
        sizes[group] = np.sort(np.abs(rows["log_relative"].to_numpy()))
    own = [
        (sizes.get(group, np.array([])), size) for group, size in judged.select("offence_group", "log_relative").rows()
    ]
    # A change of the same counts is as far: a hair is left for what arithmetic does to the last digit.
    far = [len(others) - int(np.searchsorted(others, abs(size) - 1e-12)) for others, size in own]
    stood = pl.col("against_london").is_in([BELOW, ABOVE])
    return judged.with_columns(
        pl.Series("as_far", far, dtype=pl.Int64),
        pl.Series("of", [len(others) for others, _ in own], dtype=pl.Int64),
        stood.sum().over("offence_group").cast(pl.Int64).alias("stand_out"),
        (stood | (pl.col("against_london") == IN_LINE)).sum().over("offence_group").cast(pl.Int64).alias("judged"),
    )


def judge(counts: pl.DataFrame, ruler: Ruler, compares: pl.DataFrame) -> pl.DataFrame:
    """Every borough's change and London's own, judged where it can be, each row with what forbids or limits its reading.

    Parameters
    ----------
    counts : as `count_windows` gives them, the offences without a borough among them.
    compares : as `comparability` gives it.

    Returns
    -------
    pl.DataFrame
        `borough_code` (London's for the 32 together), `offence_group`, `before`, `after`, the columns of `against_london`,
        `comparable`, `why`, `crosses`, `alike`, `placed`. For London `against_london` is null, and `as_far` of `of` are its own other
        years that moved as far.
    """
    boroughs = against_london(with_rest_of_london(counts), ruler)
    size = _size(pl.col("before"), pl.col("after"))
    years = ruler.changes.group_by("offence_group", "after_last").agg(pl.col("before", "after").sum())
    london = (
        boroughs.group_by("offence_group")
        .agg(pl.col("before", "after").sum())
        .join(years.select("offence_group", own=size), on="offence_group", how="left")
        .group_by("offence_group", "before", "after")
        .agg(
            as_far=(pl.col("own") >= size - 1e-12).sum().cast(pl.Int64),
            of=pl.col("own").count().cast(pl.Int64),
        )
        .with_columns(
            borough_code=pl.lit(LONDON_CODE),
            change_percent=pl.when(pl.col("before") > 0).then(100 * (pl.col("after") / pl.col("before") - 1)),
        )
    )
    rows = pl.concat([boroughs, london], how="diagonal_relaxed").join(
        compares.rename({"why": "cut"}), on="offence_group", how="left"
    )
    return rows.with_columns(_why().alias("why")).drop("cut").sort("offence_group", "borough_code")


def judge_windows(
    monthly: pl.DataFrame, before: Period, after: Period, breaks: pl.DataFrame, series: str
) -> tuple[pl.DataFrame, Ruler]:
    """`judge` from the months on: the two windows counted, the ruler learnt, and what lies between them looked up.

    Parameters
    ----------
    monthly : `borough_code` (and `unknown`), `offence_group`, `month`, `offences`: every month held; the two windows in one snapshot.

    Returns
    -------
    tuple
        the rows of `judge` with `series`, and for boroughs that could be judged `p` (`p_values`) and `log_error`; the ruler.
    """
    counts = count_windows(monthly, before, after)
    ruler = learn_ruler(monthly, before, after, breaks, series)
    boroughs = with_rest_of_london(counts)
    by_chance = boroughs.select(
        *_KEY, log_error=pl.Series(log_errors(boroughs, ruler)), p=pl.Series(p_values(boroughs, ruler))
    )
    rows = judge(counts, ruler, comparability(counts, breaks, series, before, after))
    can_tell = pl.col("against_london").is_in([BELOW, IN_LINE, ABOVE])
    joined = rows.join(by_chance.fill_nan(None), on=_KEY, how="left", maintain_order="left")
    return joined.with_columns(pl.when(can_tell).then("p").alias("p"), pl.lit(series).alias("series")), ruler


def usual_funnel(judged: pl.DataFrame, ruler: Ruler) -> pl.DataFrame:
    """The usual range by volume for one offence group: `both` (offences in the two windows), `low`, `high` (per cent).

    It is the range of `against_london` at counts between the smallest borough's and the largest's, in the same London; an
    open end is null.

    Parameters
    ----------
    judged : the boroughs of one group, as `against_london` gives them.
    """
    before, after = judged.select(pl.col("before", "after").sum()).row(0)
    both = judged["before"] + judged["after"]
    volumes = np.unique(np.round(np.geomspace(max(both.min(), 1) * 0.9, both.max() * 1.1, 80)))
    first = np.round(volumes * before / max(before + after, 1))
    grid = pl.DataFrame({"both": volumes, "before": first, "after": volumes - first}).with_columns(
        offence_group=pl.lit(judged["offence_group"][0]), rest_before=pl.lit(before), rest_after=pl.lit(after)
    )
    return against_london(grid, ruler).select("both", low="usual_low_percent", high="usual_high_percent")


def with_usual_change(judged: pl.DataFrame) -> pl.DataFrame:
    """The rows with `low` and `high`: where nineteen in twenty changes would be, given the rest of London's, in per cent.

    Null where a change could not be judged; `OPEN_END` stands, relative to London, for an upper end that has none.
    """
    london = 1 + pl.col("london_change_percent") / 100
    low, high = pl.col("usual_low_percent").fill_null(-100), pl.col("usual_high_percent").fill_null(OPEN_END)
    told = pl.col("against_london").is_in([BELOW, IN_LINE, ABOVE])
    return judged.with_columns(
        low=pl.when(told).then(100 * (london * (1 + low / 100) - 1)),
        high=pl.when(told).then(100 * (london * (1 + high / 100) - 1)),
    )


def compare(monthly: pl.DataFrame, before: Period, after: Period, breaks: pl.DataFrame, series: str) -> pl.DataFrame:
    """Every borough's change between two windows and London's own, each beside the rest of London: `judge_windows` without the ruler.

    Parameters
    ----------
    monthly : `borough_code` (and `unknown`), `offence_group`, `month`, `offences`: every month held, as
        `book.monthly(series, before, after)` gives them. Years other than the two teach what is usual: leave them in.
    before, after : `wardbook.periods.read_period("2023-24")`, and the later one.
    breaks : `wardbook.periods.declared_breaks()`.
    series : the table in it, such as "borough_offences".

    Returns
    -------
    pl.DataFrame
        a row a borough (and London, `places.LONDON_CODE`) and offence group: `before`, `after` (counts); `change_percent`,
        `london_change_percent` (of the other 31 boroughs), `relative_percent` (the one over the other), in per cent;
        `usual_low_percent` to `usual_high_percent`, where nineteen relative changes in twenty are; `against_london` (one of
        `VERDICTS`); `comparable` and `why` not, or what limits the verdict. The rest as in `against_london` and `judge`.
    """
    return judge_windows(monthly, before, after, breaks, series)[0]


def _size(before: pl.Expr, after: pl.Expr) -> pl.Expr:
    """How far a change is from none, either way: |ln(after ÷ before)|."""
    later, earlier = (count.cast(pl.Float64).clip(lower_bound=0.5) for count in (after, before))
    return (later / earlier).log().abs()


def _why() -> pl.Expr:
    """What forbids the two counts to be compared, else what limits the verdict; empty where nothing does."""
    verdict = pl.col("against_london")
    many = (pl.col("stand_out") > MANY * pl.col("judged")) & (pl.col("judged") >= 16)
    one = pl.lit("its history has only one window that overlaps no other")
    none = pl.lit("no other years are held to judge it by")
    several = pl.format("its history has only {} windows that do not overlap", "apart")
    calm = "{} of {} boroughs lie outside: its history is too calm to judge these years"
    return pl.coalesce(
        pl.when(pl.col("cut") != "").then("cut"),
        pl.when(verdict == TOO_FEW).then(pl.lit("an ordinary year could halve or double it")),
        pl.when(verdict == CANNOT_SAY).then(
            pl.when(pl.col("apart") == 1)
            .then(one)
            .when(pl.col("apart").is_between(2, FEWEST_WINDOWS - 1))
            .then(several)
            .otherwise(none)
        ),
        pl.when(~pl.col("alike")).then("crosses"),
        pl.when(many).then(pl.format(calm, "stand_out", "judged")),
        pl.lit(""),
    )


def usual_counts(counts: pl.DataFrame, phi: np.ndarray, tau2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fewest and the most offences after, given the two counts' sum, that lie within the usual 95 %."""
    n, eta, chance = _chance(counts)
    spread = np.sqrt(np.maximum(phi * chance + tau2 - chance, 0))
    ends = []
    for tail in (0.025, 0.975):
        low, high = np.full(len(n), -1.0), n + 1.0  # the smallest count whose middle probability is above the tail
        while (unsure := high - low > 1).any():
            half = np.floor((low + high) / 2)[unsure]
            above = _middle_of(half, n[unsure], eta[unsure], spread[unsure]) >= tail
            high[unsure] = np.where(above, half, high[unsure])
            low[unsure] = np.where(above, low[unsure], half)
        ends.append(high)
    # At the upper end the first count past the tail is already outside, unless it lies exactly on it.
    return ends[0], ends[1] - (_middle_of(ends[1], n, eta, spread) > 0.975)


def log_errors(counts: pl.DataFrame, ruler: Ruler) -> np.ndarray:
    """The standard error of each log relative change at its two counts' volume: `scale · √(phi·(1/b + 1/o) + tau2)`.

    Never below √(1/b + 1/o), which is chance alone. `counts` as for `against_london`; NaN where the ruler has nothing for a group.
    """
    phi, tau2 = _scaled_fit(counts, ruler)
    chance = _chance(counts)[2]
    return np.sqrt(np.maximum(phi * chance + tau2, chance))


def p_values(counts: pl.DataFrame, ruler: Ruler) -> np.ndarray:
    """How rarely, two-sided, an ordinary change is as far from the rest of London as each of these.

    By the distribution whose middle 95 % is the usual range: under 0.05 exactly where `against_london` puts a change outside.
    `counts` as for `against_london`; NaN where the ruler has nothing for a group.
    """
    phi, tau2 = _scaled_fit(counts, ruler)
    known = np.isfinite(phi)
    middle = np.full(counts.height, np.nan)
    middle[known] = _middle(_volumes(counts)[:, known], phi[known], tau2[known])
    return 2 * np.minimum(middle, 1 - middle)


def _scaled_fit(counts: pl.DataFrame, ruler: Ruler) -> tuple[np.ndarray, np.ndarray]:
    fit = counts.select("offence_group").join(ruler.table, on="offence_group", how="left", maintain_order="left")
    phi, tau2, scale = (fit[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("phi", "tau2", "scale"))
    return scale**2 * phi, scale**2 * tau2


def _arrays(counts: pl.DataFrame) -> tuple[np.ndarray, ...]:
    names = ("before", "after", "rest_before", "rest_after")
    return tuple(counts[name].cast(pl.Float64).to_numpy() for name in names)


def _chance(counts: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sum of two counts, the log odds that the rest of London gives the later one, and 1/b + 1/o expected of the sum."""
    before, after, rest_before, rest_after = _arrays(counts)
    n, london = before + after, np.maximum(rest_after, 0.5) / np.maximum(rest_before, 0.5)
    return n, np.log(london), (1 + london) ** 2 / (np.maximum(n, 1) * london)


def _volumes(counts: pl.DataFrame) -> np.ndarray:
    """The later count above the rows of `_chance`."""
    return np.stack([_arrays(counts)[1], *_chance(counts)])


def _middle(volumes: np.ndarray, phi: float, tau2: float) -> np.ndarray:
    after, n, eta, chance = volumes
    return _middle_of(after, n, eta, np.sqrt(np.maximum(phi * chance + tau2 - chance, 0)))


def _middle_of(k: np.ndarray, n: np.ndarray, eta: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """P(X < k) + P(X = k)/2 for a binomial X of n whose log odds are normal about eta.

    Few nodes are enough only where what is averaged is smooth beside what it is averaged over: the binomial's tail over the
    odds where these spread little, and the normal's tail over the counts where the odds spread far. So each has its half of
    the cases, and the smaller tail is right to better than a ten-thousandth at any volume.
    """
    of_counts = np.sqrt(1 / (k + 0.5) + 1 / (np.maximum(n - k, 0) + 0.5), where=k >= 0, out=np.full(len(k), np.inf))
    far = (spread > 1.2 * of_counts) & (k >= 1) & (k < n)
    middle = np.empty(len(k))
    for cases, average in ((~far, _over_odds), (far, _over_counts)):
        if cases.any():
            middle[cases] = average(*(values[cases][:, None] for values in (k, n, eta, spread)))
    return middle


def _over_odds(k: np.ndarray, n: np.ndarray, eta: np.ndarray, spread: np.ndarray) -> np.ndarray:
    odds = eta + spread * _NODES
    log_p, log_q = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    # Of n + 1 there is no way: the logarithm of 0! is over that of (-1)!, which is infinite.
    ways = scipy.special.gammaln(n + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(n - k + 1)
    exactly = np.exp(ways + k * log_p + (n - k) * log_q)
    at_most = np.where(k >= n, 1.0, scipy.special.betainc(np.maximum(n - k, 1e-9), k + 1, np.exp(log_q)))
    return ((at_most - exactly / 2) * _WEIGHTS).sum(axis=1)


def _over_counts(k: np.ndarray, n: np.ndarray, eta: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The same, since P(X ≤ k) at odds o is the chance that the log odds of a beta variable of k + 1 and n − k are above o."""
    odds = np.log((k + 0.5) / (n - k + 0.5)) + np.sqrt(1 / (k + 0.5) + 1 / (n - k + 0.5)) * _NODES
    fewer = k * odds - (n + 1) * np.logaddexp(0, odds) - scipy.special.betaln(k, n - k + 1)
    density = np.logaddexp(
        fewer, fewer + scipy.special.betaln(k, n - k + 1) + odds - scipy.special.betaln(k + 1, n - k)
    )
    weights = _WEIGHTS * np.exp(density - density.max(axis=1, keepdims=True) + _NODES**2 / 2)
    return (weights * scipy.special.ndtr((odds - eta) / spread)).sum(axis=1) / weights.sum(axis=1)
