"""What teams publish, as captured: none published is told from not captured, and nothing counts twice."""

from __future__ import annotations

from datetime import date, datetime, time
from itertools import product

import polars as pl

from wardbook.measures import captures as measures
from wardbook.places import area

SUTTON, LONDON = area("Sutton"), area("London")

WARDS = pl.DataFrame(
    {
        "ward_code": ["E05000001", "E05000002", "E05000003", "E05000009"],
        "ward": ["One", "Two", "Three", "Old"],
        "borough_code": [SUTTON.code] * 4,
        "vintages": ["2024", "2018 2024", "2024", "2018"],
    }
)
PEOPLE = pl.DataFrame({"ward_code": ["E05000001", "E05000002", "E05000003"], "residents": [10_000, 5_000, 8_000]})


def events(*rows):
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "start": pl.Datetime, "end": pl.Datetime}
    return pl.DataFrame(rows, schema=schema | {"type": pl.String}, orient="row")


def captures(*rows):
    """Of events, one a ward, day and status."""
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "status": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(kind=pl.lit("events"))


def day(text):
    return date.fromisoformat(text)


def at(hour, minute=0):
    return datetime.combine(date(2025, 2, 1), time(hour, minute))


def covered(found, taken):
    return measures.coverage(found, taken, WARDS, PEOPLE, SUTTON)


def test_none_published_is_not_not_captured():
    taken = captures(
        ("E05000001", day("2025-01-10"), "published"),
        ("E05000002", day("2025-01-10"), "none published"),
        ("E05000003", day("2025-01-10"), "failed"),
    )
    found = events(("E05000001", day("2025-01-10"), at(10), at(11, 30), "panel"))
    table = covered(found, taken)
    assert table.select("ward", "status", "events", "event_hours").rows() == [
        ("One", "published", 1, 1.5),
        ("Two", "none published", 0, 0.0),
        ("Three", "not captured", None, None),
    ]
    assert table["events_per_1000"].to_list() == [0.1, 0.0, None]
    total = measures.whole_period(table)
    assert total["events_per_1000_a_quarter"].to_list() == [0.1, 0.0, None]


def test_an_event_in_several_captures_counts_once_and_as_last_seen():
    start = at(10)
    found = events(
        ("E05000001", day("2025-01-10"), start, at(11), "panel"),
        ("E05000001", day("2025-01-24"), start, at(12), "panel"),
        ("E05000001", day("2025-01-24"), start, None, "surgery"),
        # Two of one start and kind are two where one capture lists both.
        ("E05000002", day("2025-01-10"), start, at(11), "stall"),
        ("E05000002", day("2025-01-24"), start, at(11), "stall"),
        ("E05000002", day("2025-01-24"), start, at(12), "stall"),
    )
    both = (("E05000001", "E05000002"), ("2025-01-10", "2025-01-24"))
    taken = captures(*((ward, day(d), "published") for ward, d in product(*both)))
    rows = covered(found, taken).select("ward", "events", "event_hours", "hours_unknown", "captures").head(2).rows()
    assert rows == [("One", 2, 2.0, 1, 2), ("Two", 2, 3.0, 0, 2)]


def test_a_quarter_not_captured_leaves_the_ward_without_a_figure():
    taken = captures(
        ("E05000001", day("2025-01-10"), "none published"),
        ("E05000002", day("2025-01-10"), "none published"),
        ("E05000002", day("2025-04-10"), "none published"),
    )
    assert covered(events(), captures()).is_empty()
    total = measures.whole_period(covered(events(), taken))
    statuses = [("One", "not captured"), ("Two", "none published"), ("Three", "not captured")]
    assert total.select("ward", "status").rows() == statuses


def test_priorities_have_an_age_and_a_time_to_action():
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "issue": pl.String}
    schema |= {"issue_date": pl.Date, "action_date": pl.Date}
    rows = [
        ("E05000001", day("2025-01-10"), "speeding", day("2024-12-01"), None),
        ("E05000001", day("2025-02-10"), "speeding", day("2024-12-01"), day("2025-01-20")),
        ("E05000001", day("2025-06-10"), "speeding", day("2024-12-01"), day("2025-06-01")),
        ("E05000002", day("2025-01-10"), "noise", day("2025-01-05"), day("2024-12-01")),
        ("E05000003", day("2025-01-10"), "drugs", day("2025-01-05"), None),
        ("E05000003", day("2025-02-10"), "drugs", day("2025-01-05"), None),
        ("E05000003", day("2025-02-10"), "drugs", day("2025-01-05"), day("2025-01-06")),
    ]
    listed = pl.DataFrame(rows, schema=schema, orient="row")
    found = measures.priorities_in_force(listed.filter(pl.col("capture_date") < day("2025-03-01")))
    assert found.sort("ward_code", "action_date").select("ward_code", "age_days", "days_to_action").rows() == [
        ("E05000001", 71, 50),
        ("E05000002", 5, None),
        ("E05000003", 36, None),
        ("E05000003", 36, 1),
    ]
    assert measures.priorities_in_force(listed).filter(ward_code="E05000001")["age_days"].to_list() == [191]
