"""Engagement: what residents say in the Public Attitude Survey, and what police teams publish of meetings and priorities.

Survey values cover the twelve months before their quarter's end, so that only values four quarters apart share no interview:
no others are compared here, and no control chart is drawn. Published events are upcoming ones only: a history exists from
repeated captures, and none published is not none held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from wardbook.places import LONDON_CODE, Area, boroughs

SAMPLE = 600  # interviews a borough in twelve months: 19,200 a year, as MOPAC states, over 32 boroughs
BOROUGHS = 32
# No design effect of the survey is published. The sample is weighted, so 1 would be too little; 1.5 is an assumption, and
# a parameter of the notebook.
DESIGN_EFFECT = 1.5
ROUNDING = 0.005  # values are published as whole per cent
ABOVE, BELOW, LIKE = "above London", "below London", "little different from London"
ROSE, FELL, SAME = "rose clearly", "fell clearly", "little different"
CANNOT_SAY = "cannot say"
TOO_FEW_WARDS = 8  # below which no rank correlation is given


# -- the survey ---------------------------------------------------------------------------------------------------------


def share_interval(
    share: float, sample: float, *, design_effect: float = DESIGN_EFFECT, level: float = 0.95
) -> tuple[float, float]:
    """Wilson's interval of a published share, for its effective sample, widened by what rounding to whole per cent hides.

    Parameters
    ----------
    share : fraction 0-1.
    sample : interviews; divided by the design effect.

    Returns
    -------
    tuple of float
        `(lower, upper)`, fractions.

    Raises
    ------
    ValueError
        for a share outside 0-1, a sample of 0 or less, or a design effect below 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share is between 0 and 1: {share!r}")
    if sample <= 0 or design_effect < 1:
        raise ValueError(f"a sample is above 0 and a design effect at least 1: {sample!r}, {design_effect!r}")
    effective = sample / design_effect
    low, high = proportion_confint(share * effective, effective, alpha=1 - level, method="wilson")
    return max(0.0, float(low) - ROUNDING), min(1.0, float(high) + ROUNDING)


def share_difference(
    one: float,
    other: float,
    sample: float,
    other_sample: float,
    *,
    design_effect: float = DESIGN_EFFECT,
    level: float = 0.95,
) -> tuple[float, float]:
    """Newcombe's hybrid score interval of `one − other`, two independent shares, for their effective samples.

    Newcombe (1998), Statistics in Medicine 17, method 10, on Wilson's limits; rounding is in them.
    """
    low, high = share_interval(one, sample, design_effect=design_effect, level=level)
    other_low, other_high = share_interval(other, other_sample, design_effect=design_effect, level=level)
    gap = one - other
    return gap - math.hypot(one - low, other_high - other), gap + math.hypot(high - one, other - other_low)


def sample_of(area: Area) -> int:
    """Interviews in twelve months: a borough's, or those of all boroughs together."""
    return SAMPLE * (BOROUGHS if area.is_london else 1)


def newest_quarter(confidence: pl.DataFrame, until: date) -> date:
    """The newest quarter's end that is not after `until`; failing that, the oldest there is."""
    quarters = confidence["quarter_end"].unique().sort()
    before = quarters.filter(quarters <= until)
    return before[-1] if len(before) else quarters[0]


def year_before(quarter: date) -> date:
    """The end of the same quarter of the year before: the newest value that shares no interview with this one's."""
    return date(quarter.year - 1, quarter.month, quarter.day)


def survey(
    confidence: pl.DataFrame,
    area: Area,
    quarter: date,
    *,
    questions: Sequence[str],
    design_effect: float = DESIGN_EFFECT,
) -> pl.DataFrame:
    """Each question's share in the twelve months to a quarter: against London, and against the twelve months before.

    London's value contains the borough's own interviews, so the gap is judged against the rest of London: a gap to London
    is 31/32 of the gap to the rest, where boroughs are sampled alike.

    Parameters
    ----------
    confidence : the edition's table, London under its own code.
    questions : ids of questions, in the order wanted.

    Returns
    -------
    pl.DataFrame
        `question, area, to, share, low, high, london, gap_points, gap_low, gap_high, against_london, year_before,
        change_points, change_low, change_high, change_verdict, why`; shares are fractions, gaps and changes percentage
        points. A value that is not there leaves its figures null and says why.
    """
    held = {
        (row["borough_code"], row["quarter_end"], row["question"]): row["share"]
        for row in confidence.select("borough_code", "quarter_end", "question", "share").iter_rows(named=True)
    }
    before = year_before(quarter)
    sample = sample_of(area)
    rows = []
    for question in questions:
        row = dict.fromkeys(_SURVEY) | {"question": question, "area": area.name, "to": quarter}
        share = held.get((area.code, quarter, question))
        rows.append(row)
        if share is None:
            row |= {"against_london": CANNOT_SAY, "change_verdict": CANNOT_SAY, "why": "not published for this quarter"}
            continue
        low, high = share_interval(share, sample, design_effect=design_effect)
        row |= {"share": share, "low": low, "high": high}
        london, earlier = held.get((LONDON_CODE, quarter, question)), held.get((area.code, before, question))
        if london is not None and not area.is_london:
            row |= _against_london(share, london, design_effect)
        if earlier is None:
            row |= {"change_verdict": CANNOT_SAY, "why": f"no value for the twelve months to {before:%B %Y}"}
            continue
        change = share_difference(share, earlier, sample, sample, design_effect=design_effect)
        row |= {"year_before": earlier, "change_points": 100 * (share - earlier)}
        row |= {"change_low": 100 * change[0], "change_high": 100 * change[1]}
        row["change_verdict"] = ROSE if change[0] > 0 else FELL if change[1] < 0 else SAME
    return pl.DataFrame(rows, schema=_SURVEY)


_SURVEY = {
    "question": pl.String,
    "area": pl.String,
    "to": pl.Date,
    **dict.fromkeys(("share", "low", "high", "london", "gap_points", "gap_low", "gap_high"), pl.Float64),
    "against_london": pl.String,
    **dict.fromkeys(("year_before", "change_points", "change_low", "change_high"), pl.Float64),
    "change_verdict": pl.String,
    "why": pl.String,
}


def _against_london(share: float, london: float, design_effect: float) -> dict:
    rest = min(1.0, max(0.0, (BOROUGHS * london - share) / (BOROUGHS - 1)))
    part = (BOROUGHS - 1) / BOROUGHS
    low, high = (
        part * value
        for value in share_difference(share, rest, SAMPLE, SAMPLE * (BOROUGHS - 1), design_effect=design_effect)
    )
    verdict = ABOVE if low > 0 else BELOW if high < 0 else LIKE
    return {
        "london": london,
        "gap_points": 100 * (share - london),
        "gap_low": 100 * low,
        "gap_high": 100 * high,
        "against_london": verdict,
    }


def yearly_values(
    confidence: pl.DataFrame,
    area: Area,
    quarter: date,
    *,
    questions: Sequence[str],
    design_effect: float = DESIGN_EFFECT,
) -> pl.DataFrame:
    """Each question's values four quarters apart, back from a quarter, with intervals; London beside: `question, to, share,
    low, high, london`.
    """
    same = confidence.filter(
        pl.col("quarter_end").dt.month() == quarter.month,
        pl.col("quarter_end") <= quarter,
        pl.col("question").is_in(list(questions)),
    )
    london = same.filter(borough_code=LONDON_CODE).select("quarter_end", "question", pl.col("share").alias("london"))
    mine = same.filter(borough_code=area.code).join(london, on=["quarter_end", "question"], how="left")
    sample = sample_of(area)
    limits = [share_interval(share, sample, design_effect=design_effect) for share in mine["share"]]
    return (
        mine.with_columns(
            pl.Series("low", [low for low, _ in limits], dtype=pl.Float64),
            pl.Series("high", [high for _, high in limits], dtype=pl.Float64),
        )
        .select("question", pl.col("quarter_end").alias("to"), "share", "low", "high", "london")
        .sort("question", "to")
    )


# -- events and priorities ----------------------------------------------------------------------------------------------


STATUSES = PUBLISHED, NONE_PUBLISHED, NOT_CAPTURED = "published", "none published", "not captured"


def quarter_of(day: pl.Expr) -> pl.Expr:
    """The first day of each day's calendar quarter."""
    return day.dt.truncate("1q")


def coverage(
    engagement: pl.DataFrame, captures: pl.DataFrame, wards: pl.DataFrame, population: pl.DataFrame, area: Area
) -> pl.DataFrame:
    """Published events and their hours per 1,000 residents, by ward and calendar quarter.

    An event seen in several captures counts once, as in the last of them: a ward's events of one start and kind are those that
    the last capture to list any of them listed. A quarter in which a ward was captured and listed nothing is *none
    published*; one without a capture is *not captured*, and has no figure: only upcoming events are ever listed, so what
    was missed cannot be had later.

    Parameters
    ----------
    engagement : `ward_code, capture_date, start, end, type` (local times; `end` may be null), one row an event and capture.
    captures : `ward_code, capture_date, kind, status`; kind "events".
    wards : the edition's table; the wards of 2024 are used.
    population : the edition's table.

    Returns
    -------
    pl.DataFrame
        `ward_code, ward, borough_code, quarter, status, events, event_hours, hours_unknown, residents, events_per_1000,
        hours_per_1000, captures`; a row for every ward of the area and every quarter in which any of them was captured.
    """
    mine = wards.filter(pl.col("vintages").str.contains("2024"))
    # The City of London's wards are another force's.
    codes = boroughs()["borough_code"].to_list() if area.is_london else [area.code]
    mine = mine.filter(pl.col("borough_code").is_in(codes))
    people = population.group_by("ward_code").agg(pl.col("residents").sum().cast(pl.Int64))
    mine = mine.select("ward_code", "ward", "borough_code").join(people, on="ward_code")
    taken = captures.filter(pl.col("kind") == "events", pl.col("ward_code").is_in(mine["ward_code"].implode()))
    seen = taken.filter(pl.col("status") != "failed").with_columns(quarter_of(pl.col("capture_date")).alias("quarter"))
    distinct = (
        _as_last_listed(engagement, "ward_code", "start", "type")
        .filter(pl.col("ward_code").is_in(mine["ward_code"].implode()))
        .with_columns(
            quarter_of(pl.col("start").dt.date()).alias("quarter"),
            ((pl.col("end") - pl.col("start")).dt.total_minutes() / 60).alias("hours"),
        )
    )
    # An event listed for a quarter that no capture was made in is not that quarter's whole list.
    quarters = seen.select("quarter").unique().sort("quarter")
    per = distinct.group_by("ward_code", "quarter").agg(
        pl.len().cast(pl.Int64).alias("events"),
        pl.col("hours").filter(pl.col("hours") > 0).sum().alias("event_hours"),
        (pl.col("hours").is_null() | (pl.col("hours") <= 0)).sum().cast(pl.Int64).alias("hours_unknown"),
    )
    days = seen.group_by("ward_code", "quarter").agg(pl.col("capture_date").n_unique().cast(pl.Int64).alias("captures"))
    table = (
        mine.join(quarters, how="cross")
        .join(per, on=["ward_code", "quarter"], how="left")
        .join(days, on=["ward_code", "quarter"], how="left")
        .with_columns(pl.col("captures").fill_null(0))
    )
    status = (
        pl.when(pl.col("events") > 0)
        .then(pl.lit(PUBLISHED))
        .when(pl.col("captures") > 0)
        .then(pl.lit(NONE_PUBLISHED))
        .otherwise(pl.lit(NOT_CAPTURED))
    )
    known = pl.col("status") != NOT_CAPTURED
    return (
        table.with_columns(status.alias("status"))
        .with_columns(
            pl.when(known).then(pl.col(name).fill_null(0)).alias(name)
            for name in ("events", "event_hours", "hours_unknown")
        )
        .with_columns(
            (1000 * pl.col("events") / pl.col("residents")).alias("events_per_1000"),
            (1000 * pl.col("event_hours") / pl.col("residents")).alias("hours_per_1000"),
        )
        .select(
            *("ward_code", "ward", "borough_code", "quarter", "status", "events", "event_hours", "hours_unknown"),
            *("residents", "events_per_1000", "hours_per_1000", "captures"),
        )
        .sort("quarter", "ward_code")
    )


def _as_last_listed(listed: pl.DataFrame, *key: str) -> pl.DataFrame:
    """The rows of the last capture that lists anything of a key: two events alike in it are two rows of one capture."""
    last = pl.col("capture_date") == pl.col("capture_date").max().over(key)
    return listed.filter(last).sort("capture_date", maintain_order=True)


def whole_period(table: pl.DataFrame) -> pl.DataFrame:
    """`coverage` summed over its quarters: a ward's figure is null where any quarter was not captured."""
    captured = (pl.col("status") != NOT_CAPTURED).all()
    return (
        table.group_by("ward_code", "ward", "borough_code", "residents", maintain_order=True)
        .agg(
            pl.when(captured).then(pl.col("events").sum()).alias("events"),
            pl.when(captured).then(pl.col("event_hours").sum()).alias("event_hours"),
            pl.when(~captured)
            .then(pl.lit(NOT_CAPTURED))
            .when(pl.col("events").sum() > 0)
            .then(pl.lit(PUBLISHED))
            .otherwise(pl.lit(NONE_PUBLISHED))
            .alias("status"),
            pl.len().cast(pl.Int64).alias("quarters"),
        )
        .with_columns(
            (1000 * pl.col("events") / pl.col("residents") / pl.col("quarters")).alias("events_per_1000_a_quarter"),
            (1000 * pl.col("event_hours") / pl.col("residents") / pl.col("quarters")).alias("hours_per_1000_a_quarter"),
        )
        .sort("ward_code")
    )


def priorities_in_force(priorities: pl.DataFrame, on: date | None = None) -> pl.DataFrame:
    """Each priority as last captured, up to a day where one is given: its age, and how long until an action was published.

    Priorities are known by ward, kind and day of issue; where several are alike in these, each counts.

    Returns
    -------
    pl.DataFrame
        `ward_code, issue, issue_date, action_date, capture_date, age_days` (issue to last capture), `days_to_action` (null where
        no action has been published, or its date is before the issue's).
    """
    captured = priorities if on is None else priorities.filter(pl.col("capture_date") <= on)
    last = _as_last_listed(captured, "ward_code", "issue", "issue_date")
    took = (pl.col("action_date") - pl.col("issue_date")).dt.total_days()
    return last.with_columns(
        (pl.col("capture_date") - pl.col("issue_date")).dt.total_days().alias("age_days"),
        pl.when(took >= 0).then(took).alias("days_to_action"),
    ).select("ward_code", "issue", "issue_date", "action_date", "capture_date", "age_days", "days_to_action")


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation over wards, with its interval; None where there are too few wards or no variation."""

    n: int
    rho: float | None
    low: float | None
    high: float | None


def rank_correlation(
    one: Sequence[float | None], other: Sequence[float | None], *, level: float = 0.95
) -> RankCorrelation:
    """Do wards with more of one have more of the other? Spearman's rho, interval by Fisher's z.

    The standard error is Bonett and Wright's (2000, Psychometrika 65), `sqrt((1 + rho²/2) / (n − 3))`. Pairs with a null
    are left out.
    """
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    n = len(pairs)
    if n < TOO_FEW_WARDS or min(len({a for a, _ in pairs}), len({b for _, b in pairs})) < 2:
        return RankCorrelation(n, None, None, None)
    rho = float(stats.spearmanr([a for a, _ in pairs], [b for _, b in pairs]).statistic)
    if abs(rho) >= 1:
        return RankCorrelation(n, rho, None, None)
    half = stats.norm.ppf(0.5 + level / 2) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return RankCorrelation(n, rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))


def newest_stops(ward_stops: pl.DataFrame, year: str) -> pl.DataFrame:
    """A year's stops by ward (`ward_code`, `stops`); no rows for wards whose stops could not be placed."""
    return ward_stops.filter(financial_year=year).select("ward_code", "stops")
