"""How far apart are two answers of the survey? Judged by what the rolling series itself says of its error.

Each value covers the twelve months before its quarter's end. From one quarter to the next a quarter of the interviews is
exchanged, so that the size of these steps tells how many interviews the sample is worth; what boroughs' gaps to London moved
from year to year beyond that is learnt from the other years. Only values four quarters apart share no interview, and no
others are compared.
"""

from __future__ import annotations

import calendar
from datetime import date
from statistics import NormalDist

import polars as pl

from wardbook.places import LONDON_CODE

BOROUGHS = 32
ROUNDING = 0.01**2 / 12  # the variance that rounding to whole per cent adds to a share
ERA = date(2021, 1, 1)  # from here on the steps are smaller: the sample is worth more interviews than before
FEWEST_YEARS = 3  # other years under which nothing is said to be usual
BELOW, IN_LINE, ABOVE, CANNOT_SAY = "below London", "in line with London", "above London", "cannot say"
FELL, MOVED_WITH, ROSE = "fell against London", "moved in line with London", "rose against London"
_Z = NormalDist().inv_cdf(0.975)
_KEY = ["borough_code", "question", "quarter_end"]


def newest_quarter(confidence: pl.DataFrame, until: date) -> date | None:
    """The newest quarter's end whose month is not after the month of `until`; None where there is none."""
    last = date(until.year, until.month, calendar.monthrange(until.year, until.month)[1])
    return confidence.filter(pl.col("quarter_end") <= last)["quarter_end"].max()


def effective_interviews(confidence: pl.DataFrame) -> pl.DataFrame:
    """What a borough's twelve months of interviews are worth, question by question, from the steps of its gap to London.

    A step exchanges a quarter of four: its variance is half that of a year's value, and what hits all boroughs of a quarter
    alike is taken out. So n = p(1 − p) ÷ 2(v − 2r), with v the variance of the steps and r that of rounding.

    Parameters
    ----------
    confidence : the edition's table, `borough_code` (London under its own), `quarter_end`, `question`, `share` (fraction).

    Returns
    -------
    pl.DataFrame
        `question`, `late` (from 2021 on), `interviews`; null where rounding alone is as large as the steps.
    """
    rows = _gaps(confidence).sort(_KEY)
    next_quarter = pl.col("quarter_end").shift().dt.offset_by("3mo").dt.month_end() == pl.col("quarter_end")
    step = pl.when(next_quarter).then(pl.col("gap").diff()).over("borough_code", "question")
    apart = rows.with_columns(step=step)
    apart = apart.with_columns(step=pl.col("step") - pl.col("step").mean().over("question", "quarter_end"))
    spread = pl.col("share") * (1 - pl.col("share"))
    own = (pl.col("step") ** 2).mean() * BOROUGHS / (BOROUGHS - 1) - 2 * ROUNDING
    return (
        apart.drop_nulls("step")
        .group_by("question", "late")
        .agg(interviews=pl.when(own > 0).then(spread.mean() / (2 * own)))
        .sort("question", "late")
    )


def _gaps(confidence: pl.DataFrame) -> pl.DataFrame:
    london = confidence.filter(borough_code=LONDON_CODE).select("question", "quarter_end", london="share")
    boroughs = confidence.filter(pl.col("borough_code") != LONDON_CODE)
    return boroughs.join(london, on=["question", "quarter_end"]).with_columns(
        gap=pl.col("share") - pl.col("london"), late=pl.col("quarter_end") >= ERA
    )


def with_error(confidence: pl.DataFrame) -> pl.DataFrame:
    """Every borough's values beside London's, with the sampling variance of the gap between them.

    London's value holds the borough's own interviews, one in 32: the gap's variance is 31/32 of the borough's own.

    Returns
    -------
    pl.DataFrame
        `borough_code`, `question`, `quarter_end`, `share`, `london`, `gap` (fractions), `interviews`, `variance`.
    """
    own = pl.col("share") * (1 - pl.col("share")) / pl.col("interviews") * (BOROUGHS - 1) / BOROUGHS
    rows = _gaps(confidence).join(effective_interviews(confidence), on=["question", "late"], how="left")
    return rows.with_columns(variance=own + 2 * ROUNDING).drop("late")


def yearly_changes(confidence: pl.DataFrame) -> pl.DataFrame:
    """Every change of a gap to London over four quarters, judged by sampling and by how far gaps usually moved in other years.

    A value without one four quarters before has its row, since what is usual of it is learnt from the other years all the same.

    Returns
    -------
    pl.DataFrame
        the columns of `with_error` and of the value four quarters before (`…_before`); `gap_change`, `sampling` (its
        variance), `tau2` (the year-to-year variance, learnt from the changes over the other years to the same quarter,
        this one left out for every borough), `others` (how many years those are), `half` (of the 95 % region) and
        `outside`; `tau2`, and all made of it, null with fewer than three other years.
    """
    rows = with_error(confidence)
    a_year_on = pl.col("quarter_end").dt.offset_by("1y").dt.month_end()
    before = rows.with_columns(quarter_end=a_year_on).select(*_KEY, "share", "london", "gap", "variance")
    both = rows.join(before, on=_KEY, how="left", suffix="_before").with_columns(
        gap_change=pl.col("gap") - pl.col("gap_before"), sampling=pl.col("variance") + pl.col("variance_before")
    )
    season = ["question", pl.col("quarter_end").dt.month()]
    excess, year = pl.col("gap_change") ** 2 - pl.col("sampling"), ["question", "quarter_end"]
    others = excess.count().over(season) - excess.count().over(year)
    tau2 = ((excess.sum().over(season) - excess.sum().over(year)) / others).clip(lower_bound=0)
    years = pl.col("quarter_end").filter(excess.is_not_null()).n_unique().over(season).cast(pl.Int64)
    years -= (excess.count().over(year) > 0).cast(pl.Int64)
    return (
        both.with_columns(tau2=pl.when(years >= FEWEST_YEARS).then(tau2), others=years)
        .with_columns(half=_Z * (pl.col("sampling") + pl.col("tau2")).sqrt())
        .with_columns(outside=pl.col("gap_change").abs() > pl.col("half"))
        .sort("question", "quarter_end", "borough_code")
    )


def judge(confidence: pl.DataFrame, quarter: date) -> pl.DataFrame:
    """Each question's value of one quarter, for every borough and London, and its change from four quarters before.

    Returns
    -------
    pl.DataFrame
        `borough_code`, `question`, `to`, `share`, `low`, `high` (its own 95 % interval by sampling), `london`, `gap_points`,
        `gap_low`, `gap_high`, `against_london`, `year_before`, `london_before`, `change_points`, `gap_change_points`,
        `change_low`, `change_high` (of the gap's change), `change_verdict`, `interviews`, `as_far` of `of` (for London: its
        own changes over the other years to the same quarter that were as far). Shares are fractions, the rest points.
    """
    moved = yearly_changes(confidence).filter(quarter_end=quarter)
    moved = moved.select("borough_code", "question", "gap_change", "half", "tau2", "share_before", "london_before")
    rows = with_error(confidence).filter(quarter_end=quarter).join(moved, on=["borough_code", "question"], how="left")
    own = _Z * (pl.col("share") * (1 - pl.col("share")) / pl.col("interviews") + ROUNDING).sqrt()
    # A year's gap has its sampling and one year's share, a half, of the variance between two years.
    gap = _Z * (pl.col("variance") + pl.col("tau2") / 2).sqrt()
    boroughs = rows.select(
        "borough_code",
        "question",
        pl.col("quarter_end").alias("to"),
        "share",
        (pl.col("share") - own).clip(lower_bound=0).alias("low"),
        (pl.col("share") + own).clip(upper_bound=1).alias("high"),
        "london",
        (100 * pl.col("gap")).alias("gap_points"),
        (100 * (pl.col("gap") - gap)).alias("gap_low"),
        (100 * (pl.col("gap") + gap)).alias("gap_high"),
        _side(pl.col("gap"), gap, BELOW, IN_LINE, ABOVE).alias("against_london"),
        pl.col("share_before").alias("year_before"),
        "london_before",
        (100 * (pl.col("share") - pl.col("share_before"))).alias("change_points"),
        (100 * pl.col("gap_change")).alias("gap_change_points"),
        (100 * (pl.col("gap_change") - pl.col("half"))).alias("change_low"),
        (100 * (pl.col("gap_change") + pl.col("half"))).alias("change_high"),
        _side(pl.col("gap_change"), pl.col("half"), FELL, MOVED_WITH, ROSE).alias("change_verdict"),
        "interviews",
    )
    return pl.concat([boroughs, _london(confidence, quarter)], how="diagonal_relaxed").sort("question", "borough_code")


def _side(value: pl.Expr, half: pl.Expr, below: str, inside: str, above: str) -> pl.Expr:
    return pl.coalesce(
        pl.when(value.is_null() | half.is_null()).then(pl.lit(CANNOT_SAY)),
        pl.when(value < -half).then(pl.lit(below)),
        pl.when(value > half).then(pl.lit(above)),
        pl.lit(inside),
    )


def _london(confidence: pl.DataFrame, quarter: date) -> pl.DataFrame:
    """London's own values: no larger area to be held against, so its change stands beside those of its other years."""
    own = confidence.filter(pl.col("quarter_end").dt.month() == quarter.month, borough_code=LONDON_CODE)
    a_year_on = pl.col("quarter_end").dt.offset_by("1y").dt.month_end()
    before = own.select("question", a_year_on.alias("quarter_end"), year_before="share")
    own = own.join(before, on=["question", "quarter_end"], how="left")
    size = (pl.col("share") - pl.col("year_before")).abs().round(6)
    here = pl.col("quarter_end") == quarter
    own = own.with_columns(size=size, mine=size.filter(here).first().over("question"))
    as_far, of = (
        (~here & other).sum().over("question").cast(pl.Int64)
        for other in (pl.col("size") >= pl.col("mine"), pl.col("size").is_not_null())
    )
    points = 100 * (pl.col("share") - pl.col("year_before"))
    rows = own.with_columns(as_far=as_far, of=of, change_points=points, to="quarter_end").filter(here)
    return rows.select("borough_code", "question", "to", "share", "year_before", "as_far", "of", "change_points")
