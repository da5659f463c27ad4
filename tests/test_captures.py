"""What teams publish, as captured: none published is told from not captured, and nothing counts twice."""

from datetime import date, datetime, time
from itertools import product

import polars as pl

from wardbook.measures import captures as measures
from wardbook.places import area

SUTTON = area("Sutton")

ONE, TWO, THREE, OLD = CODES = [f"E0500000{n}" for n in (1, 2, 3, 9)]
WARDS = {"ward_code": CODES, "ward": ["One", "Two", "Three", "Old"], "vintages": ["2024", "2018 2024", "2024", "2018"]}
WARDS = pl.DataFrame(WARDS | {"borough_code": [SUTTON.code] * 4})
PEOPLE = pl.DataFrame({"ward_code": CODES[:3], "residents": [10_000, 5_000, 8_000]})


def events(*rows):
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "start": pl.Datetime, "end": pl.Datetime}
    return pl.DataFrame(rows, schema=schema | {"type": pl.String}, orient="row")


def captures(*rows):
    """Of events, one a ward, day and status."""
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "status": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(kind=pl.lit("events"))


def day(text):
    return date.fromisoformat(f"2025-{text}")


def at(hour, minute=0):
    return datetime.combine(date(2025, 2, 1), time(hour, minute))


def covered(found, taken):
    return measures.coverage(found, taken, WARDS, PEOPLE, SUTTON)


def test_none_published_is_not_not_captured():
    statuses = {ONE: "published", TWO: "none published", THREE: "failed"}
    taken = captures(*((ward, day("01-10"), status) for ward, status in statuses.items()))
    found = events((ONE, day("01-10"), at(10), at(11, 30), "panel"))
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
        (ONE, day("01-10"), start, at(11), "panel"),
        (ONE, day("01-24"), start, at(12), "panel"),
        (ONE, day("01-24"), start, None, "surgery"),
        # Two of one start and kind are two where one capture lists both.
        (TWO, day("01-10"), start, at(11), "stall"),
        (TWO, day("01-24"), start, at(11), "stall"),
        (TWO, day("01-24"), start, at(12), "stall"),
    )
    both = ((ONE, TWO), ("01-10", "01-24"))
    taken = captures(*((ward, day(d), "published") for ward, d in product(*both)))
    rows = covered(found, taken).select("ward", "events", "event_hours", "hours_unknown", "captures").head(2).rows()
    assert rows == [("One", 2, 2.0, 1, 2), ("Two", 2, 3.0, 0, 2)]


def test_a_quarter_not_captured_leaves_the_ward_without_a_figure():
    asked = [(ONE, "01-10"), (TWO, "01-10"), (TWO, "04-10")]
    taken = captures(*((ward, day(text), "none published") for ward, text in asked))
    assert covered(events(), captures()).is_empty()
    total = measures.whole_period(covered(events(), taken))
    statuses = [("One", "not captured"), ("Two", "none published"), ("Three", "not captured")]
    assert total.select("ward", "status").rows() == statuses


def test_priorities_have_an_age_and_a_time_to_action():
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "issue": pl.String}
    schema |= {"issue_date": pl.Date, "action_date": pl.Date}
    rows = [
        (ONE, day("01-10"), "speeding", date(2024, 12, 1), None),
        (ONE, day("02-10"), "speeding", date(2024, 12, 1), day("01-20")),
        (ONE, day("06-10"), "speeding", date(2024, 12, 1), day("06-01")),
        (TWO, day("01-10"), "noise", day("01-05"), date(2024, 12, 1)),
        (THREE, day("01-10"), "drugs", day("01-05"), None),
        (THREE, day("02-10"), "drugs", day("01-05"), None),
        (THREE, day("02-10"), "drugs", day("01-05"), day("01-06")),
    ]
    listed = pl.DataFrame(rows, schema=schema, orient="row")
    found = measures.priorities_in_force(listed.filter(pl.col("capture_date") < day("03-01")))
    ages = found.sort("ward_code", "action_date").select("ward_code", "age_days", "days_to_action").rows()
    assert ages == [(ONE, 71, 50), (TWO, 5, None), (THREE, 36, None), (THREE, 36, 1)]
    assert measures.priorities_in_force(listed).filter(ward_code=ONE)["age_days"].to_list() == [191]
