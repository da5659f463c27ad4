"""What police teams publish of meetings and priorities, ward by ward, as it was captured.

Published events are upcoming ones only: a history exists from repeated captures, and none published is not none held.
"""

from __future__ import annotations

import polars as pl

from wardbook.places import Area, boroughs

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
    local = pl.col("ward_code").is_in(mine["ward_code"].implode())
    seen = captures.filter(local, pl.col("status") != "failed", kind="events")
    seen = seen.with_columns(quarter=quarter_of(pl.col("capture_date")))
    hours = (pl.col("end") - pl.col("start")).dt.total_minutes() / 60
    listed = _as_last_listed(engagement, "ward_code", "start", "type").filter(local)
    per = listed.group_by("ward_code", quarter=quarter_of(pl.col("start").dt.date())).agg(
        events=pl.len().cast(pl.Int64),
        event_hours=hours.filter(hours > 0).sum(),
        hours_unknown=(hours.is_null() | (hours <= 0)).sum().cast(pl.Int64),
    )
    days = seen.group_by("ward_code", "quarter").agg(captures=pl.col("capture_date").n_unique().cast(pl.Int64))
    # An event listed for a quarter that no capture was made in is not that quarter's whole list.
    quarters = seen.select("quarter").unique().sort("quarter")
    table = mine.join(quarters, how="cross")
    for counted in (per, days):
        table = table.join(counted, on=["ward_code", "quarter"], how="left")
    table = table.with_columns(pl.col("events", "event_hours", "hours_unknown", "captures").fill_null(0))
    known = (pl.col("events") > 0) | (pl.col("captures") > 0)
    told = pl.when(known).then(pl.col("events", "event_hours", "hours_unknown"))
    table = table.with_columns(_status(known, pl.col("events")), told).sort("quarter", "ward_code")
    kept = pl.col("ward_code", "ward", "borough_code", "quarter", "status")
    return table.select(
        kept,
        pl.col("events", "event_hours", "hours_unknown", "residents"),
        events_per_1000=1000 * pl.col("events") / pl.col("residents"),
        hours_per_1000=1000 * pl.col("event_hours") / pl.col("residents"),
        captures="captures",
    )


def _status(captured: pl.Expr, events: pl.Expr) -> pl.Expr:
    published = pl.when(events > 0).then(pl.lit(PUBLISHED)).otherwise(pl.lit(NONE_PUBLISHED))
    return pl.when(captured).then(published).otherwise(pl.lit(NOT_CAPTURED)).alias("status")


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
            pl.when(captured).then(pl.col("events", "event_hours").sum()),
            _status(captured, pl.col("events").sum()),
            pl.len().cast(pl.Int64).alias("quarters"),
        )
        .with_columns(
            events_per_1000_a_quarter=1000 * pl.col("events") / pl.col("residents") / pl.col("quarters"),
        )
        .sort("ward_code")
    )


def priorities_in_force(priorities: pl.DataFrame) -> pl.DataFrame:
    """Each priority as last captured: its age, and how long until an action was published.

    Priorities are known by ward, kind and day of issue; where several are alike in these, each counts.

    Returns
    -------
    pl.DataFrame
        `ward_code, issue, issue_date, action_date, capture_date, age_days` (issue to last capture), `days_to_action` (null where
        no action has been published, or its date is before the issue's).
    """
    last = _as_last_listed(priorities, "ward_code", "issue", "issue_date")
    took = (pl.col("action_date") - pl.col("issue_date")).dt.total_days()
    return last.with_columns(
        (pl.col("capture_date") - pl.col("issue_date")).dt.total_days().alias("age_days"),
        pl.when(took >= 0).then(took).alias("days_to_action"),
    ).select("ward_code", "issue", "issue_date", "action_date", "capture_date", "age_days", "days_to_action")
