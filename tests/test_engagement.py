"""Engagement: the survey against published intervals, and coverage that tells none published from not captured."""

from __future__ import annotations

import math
from datetime import date, datetime, time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardbook.measures import engagement as en
from wardbook.places import LONDON_CODE, area

SUTTON, LONDON = area("Sutton"), area("London")
DECEMBER, EARLIER = date(2023, 12, 31), date(2022, 12, 31)
QUESTION = "trust mps"


def survey_rows(**shares):
    """`now`, `before`, `london`, `london_before` of one question; a missing one is not published."""
    where = {
        "now": (SUTTON.code, DECEMBER),
        "before": (SUTTON.code, EARLIER),
        "london": (LONDON_CODE, DECEMBER),
        "london_before": (LONDON_CODE, EARLIER),
    }
    rows = [(*where[name], QUESTION, share) for name, share in shares.items()]
    schema = {"borough_code": pl.String, "quarter_end": pl.Date, "question": pl.String, "share": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def judged(place=SUTTON, **shares):
    return en.survey(survey_rows(**shares), place, DECEMBER, questions=[QUESTION], design_effect=1.5).row(0, named=True)


# -- the survey ---------------------------------------------------------------------------------------------------------


def test_the_interval_is_wilsons_and_rounding():
    # 65 of 100: 0.5525444329688797 to 0.7363575175690247.
    low, high = en.share_interval(0.65, 100, design_effect=1)
    assert low + en.ROUNDING == pytest.approx(0.5525444329688797, abs=1e-12)
    assert high - en.ROUNDING == pytest.approx(0.7363575175690247, abs=1e-12)


def test_the_difference_is_newcombes(monkeypatch):
    # Newcombe (1998): 56/70 − 48/80 → 0.0524 to 0.3339.
    monkeypatch.setattr(en, "ROUNDING", 0.0)
    low, high = en.share_difference(0.8, 0.6, 70, 80, design_effect=1)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_a_borough_year_is_about_four_points_by_itself(monkeypatch):
    # 19,200 interviews a year over 32 boroughs: ±4.0 points at one half, without a design effect.
    monkeypatch.setattr(en, "ROUNDING", 0.0)
    low, high = en.share_interval(0.5, en.SAMPLE, design_effect=1)
    assert round(50 * (high - low), 1) == 4.0
    assert en.SAMPLE * en.BOROUGHS == 19_200


@given(st.floats(0, 1), st.floats(1, 5), st.integers(10, 20_000))
def test_an_interval_holds_its_share_and_widens_with_the_design_effect(share, effect, sample):
    low, high = en.share_interval(share, sample, design_effect=effect)
    assert 0 <= low <= share <= high <= 1
    narrow = en.share_interval(share, sample, design_effect=1)
    assert low <= narrow[0] + 1e-12 and narrow[1] <= high + 1e-12


@pytest.mark.parametrize(
    ("share", "sample", "effect", "named"), [(1.2, 600, 1.5, "1.2"), (0.5, 0, 1.5, "0"), (0.5, 600, 0.9, "0.9")]
)
def test_what_is_no_share_sample_or_design_effect_is_refused(share, sample, effect, named):
    with pytest.raises(ValueError, match=named):
        en.share_interval(share, sample, design_effect=effect)


@pytest.mark.parametrize(
    ("shares", "against", "change"),
    [
        ({"now": 0.60, "before": 0.75, "london": 0.70}, en.BELOW, en.FELL),
        ({"now": 0.80, "before": 0.65, "london": 0.70}, en.ABOVE, en.ROSE),
        ({"now": 0.71, "before": 0.70, "london": 0.70}, en.LIKE, en.SAME),
        ({"now": 0.71, "london": 0.70}, en.LIKE, en.CANNOT_SAY),
        ({"before": 0.71, "london": 0.70}, en.CANNOT_SAY, en.CANNOT_SAY),
    ],
)
def test_verdicts_of_below_above_like_and_not_published(shares, against, change):
    row = judged(**shares)
    assert (row["against_london"], row["change_verdict"]) == (against, change)
    assert (row["why"] is not None) == (change == en.CANNOT_SAY)


def test_london_contains_the_borough():
    # A borough at 0.32 where London is at 0.01 of the rest: London's value moves with the borough's own interviews.
    row = judged(now=0.50, london=0.50, before=0.50)
    assert row["gap_points"] == 0
    inside = en.share_difference(0.5, 0.5, en.SAMPLE, en.SAMPLE * 31, design_effect=1.5)
    assert row["gap_low"] == pytest.approx(100 * 31 / 32 * inside[0])


def test_london_has_its_own_sample_and_no_gap():
    frame = survey_rows(london=0.7, london_before=0.65)
    row = en.survey(frame, LONDON, DECEMBER, questions=[QUESTION]).row(0, named=True)
    assert row["gap_points"] is None and row["against_london"] is None
    assert row["change_verdict"] == en.ROSE
    assert row["high"] - row["low"] < 0.03


def test_only_the_same_quarter_of_the_year_before_is_compared():
    frame = pl.concat(
        [
            survey_rows(now=0.6, london=0.6),
            survey_rows(before=0.8).with_columns(quarter_end=pl.lit(date(2023, 9, 30))),
        ]
    )
    row = en.survey(frame, SUTTON, DECEMBER, questions=[QUESTION]).row(0, named=True)
    assert row["year_before"] is None and row["change_verdict"] == en.CANNOT_SAY
    values = en.yearly_values(frame, SUTTON, DECEMBER, questions=[QUESTION])
    assert values["to"].to_list() == [DECEMBER]


@pytest.mark.parametrize(
    ("quarter", "before"),
    [
        (date(2023, 12, 31), date(2022, 12, 31)),
        (date(2023, 3, 31), date(2022, 3, 31)),
        (date(2023, 6, 30), date(2022, 6, 30)),
    ],
)
def test_the_quarter_a_year_before(quarter, before):
    assert en.year_before(quarter) == before


def test_the_newest_quarter_is_not_after_the_period():
    frame = survey_rows(now=0.6, before=0.7)
    assert en.newest_quarter(frame, date(2025, 3, 31)) == DECEMBER
    assert en.newest_quarter(frame, date(2023, 3, 31)) == EARLIER
    assert en.newest_quarter(frame, date(2012, 3, 31)) == EARLIER


# -- events -------------------------------------------------------------------------------------------------------------

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
    schema = {
        "ward_code": pl.String,
        "capture_date": pl.Date,
        "start": pl.Datetime,
        "end": pl.Datetime,
        "type": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def captures(*rows):
    schema = {"ward_code": pl.String, "capture_date": pl.Date, "kind": pl.String, "status": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def day(text):
    return date.fromisoformat(text)


def at(hour, minute=0):
    return datetime.combine(date(2025, 2, 1), time(hour, minute))


def covered(found, taken):
    return en.coverage(found, taken, WARDS, PEOPLE, SUTTON)


def test_none_published_is_not_not_captured():
    taken = captures(
        ("E05000001", day("2025-01-10"), "events", "published"),
        ("E05000002", day("2025-01-10"), "events", "none published"),
        ("E05000003", day("2025-01-10"), "events", "failed"),
    )
    found = events(("E05000001", day("2025-01-10"), at(10), at(11, 30), "panel"))
    table = covered(found, taken)
    assert table.select("ward", "status", "events", "event_hours").rows() == [
        ("One", "published", 1, 1.5),
        ("Two", "none published", 0, 0.0),
        ("Three", "not captured", None, None),
    ]
    assert table["events_per_1000"].to_list() == [0.1, 0.0, None]
    total = en.whole_period(table)
    assert total["events_per_1000_a_quarter"].to_list() == [0.1, 0.0, None]


def test_an_event_in_several_captures_counts_once_and_as_last_seen():
    start = at(10)
    found = events(
        ("E05000001", day("2025-01-10"), start, at(11), "panel"),
        ("E05000001", day("2025-01-24"), start, at(12), "panel"),
        ("E05000001", day("2025-01-24"), start, None, "surgery"),
    )
    taken = captures(*(("E05000001", day(d), "events", "published") for d in ("2025-01-10", "2025-01-24")))
    row = covered(found, taken).filter(ward="One").row(0, named=True)
    assert (row["events"], row["event_hours"], row["hours_unknown"], row["captures"]) == (2, 2.0, 1, 2)


def test_two_events_of_one_start_and_kind_are_two_where_one_capture_lists_both():
    found = events(
        ("E05000001", day("2025-01-10"), at(10), at(11), "stall"),
        ("E05000001", day("2025-01-24"), at(10), at(11), "stall"),
        ("E05000001", day("2025-01-24"), at(10), at(12), "stall"),
    )
    taken = captures(*(("E05000001", day(d), "events", "published") for d in ("2025-01-10", "2025-01-24")))
    row = covered(found, taken).filter(ward="One").row(0, named=True)
    assert (row["events"], row["event_hours"]) == (2, 3.0)


def test_a_quarter_not_captured_leaves_the_ward_without_a_figure():
    taken = captures(
        ("E05000001", day("2025-01-10"), "events", "none published"),
        ("E05000002", day("2025-01-10"), "events", "none published"),
        ("E05000002", day("2025-04-10"), "events", "none published"),
    )
    total = en.whole_period(covered(events(), taken))
    assert dict(total.select("ward", "status").iter_rows()) == {
        "One": "not captured",
        "Two": "none published",
        "Three": "not captured",
    }


def test_nothing_captured_is_no_rows():
    assert covered(events(), captures()).is_empty()


def test_priorities_have_an_age_and_a_time_to_action():
    schema = {
        "ward_code": pl.String,
        "capture_date": pl.Date,
        "issue": pl.String,
        "issue_date": pl.Date,
        "action_date": pl.Date,
    }
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
    found = en.priorities_in_force(listed, day("2025-03-01"))
    assert found.sort("ward_code", "action_date").select("ward_code", "age_days", "days_to_action").rows() == [
        ("E05000001", 71, 50),
        ("E05000002", 5, None),
        ("E05000003", 36, None),
        ("E05000003", 36, 1),
    ]
    assert en.priorities_in_force(listed).filter(ward_code="E05000001")["age_days"].to_list() == [191]


def test_rank_correlation_and_its_interval():
    # By hand: no ties, so rho = 1 − 6 Σd² ÷ n(n² − 1), and Bonett and Wright's atanh(rho) ± 1.96 √((1 + rho²/2) ÷ (n − 3)).
    one = list(range(20))
    other = [one[i ^ 1] + 0.5 * (i % 4 == 0) for i in range(20)]
    squares = sum((a - sorted(other).index(b)) ** 2 for a, b in zip(one, other))
    rho = 1 - 6 * squares / (20 * 399)
    half = 1.959964 * ((1 + rho**2 / 2) / 17) ** 0.5
    found = en.rank_correlation(one, other)
    assert found.rho == pytest.approx(rho) and squares > 0
    assert math.atanh(found.low) == pytest.approx(math.atanh(rho) - half, abs=1e-6)
    assert math.atanh(found.high) == pytest.approx(math.atanh(rho) + half, abs=1e-6)
    assert en.rank_correlation([1.0, None, 2.0], [1.0, 2.0, 3.0]).rho is None
    assert en.rank_correlation([1.0] * 10, list(range(10))).rho is None
