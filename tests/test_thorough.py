"""More thorough searches: releases laid under one another are counted once, and spellings made one."""

from datetime import date

import polars as pl
import pytest

from wardbook import places, tables_stops
from wardbook.sources.thorough import read_thorough_searches

ADULT = "approporiate_adult_present_if_required?"
ROW = dict.fromkeys(["col_0", "appropriate_adult_present", "positive_outcome_of_stop", "positve_outcome", ADULT]) | {
    "stop_date": "2021-05-03 00:00:00.000000",
    "area": "Central North",
    "borough": "Camden",
    "age_group": "18 or older",
    "sex": "M",
    "ethnic_appearance": "White",
    "stop_reason": "B Drugs (s.23 Misuse of Drugs Act)",
    "outcome_reason": "B Drugs",
    "postive_outcome_of_stop": "Yes",
}
TO_2022 = {"postive_outcome_of_stop": None, "positve_outcome": "Yes"}
LATER = {"postive_outcome_of_stop": None, "positive_outcome_of_stop": "Yes", "outcome_reason": "Drugs"}
ROWS = [{}, {"stop_date": "2021-05-04 00:00:00.000000"}, {"age_group": "Under 18", "borough": "Hackney"}]


def synthetic_searches(folder, *changes, rows=ROWS, without=""):
    """A made-up file; `changes` are of its first rows, `rows` what its rows have that differs from `ROW`."""
    made = [ROW | row | (changes[n] if n < len(changes) else {}) for n, row in enumerate(rows)]
    schema = dict.fromkeys(ROW, pl.String) | {"col_0": pl.Int64}
    path = folder / "thorough-searches.parquet"
    pl.DataFrame(made, schema=schema).drop(without or []).write_parquet(path)
    return path


def read(folder, *rows):
    return read_thorough_searches(synthetic_searches(folder, rows=rows))


def test_a_search_that_two_releases_hold_counts_once(tmp_path):
    loaded = read(tmp_path, {}, TO_2022, {"borough": "Hackney"}, TO_2022 | {"borough": "Hackney"})
    assert loaded.frame["borough_code"].to_list() == ["E09000007", "E09000012"]
    assert loaded.quality.set_aside == {"of a month counted in another release than that to August 2022": 2}


def test_a_month_is_counted_in_one_release_though_another_has_more_of_it(tmp_path):
    numbered = LATER | {"col_0": 7, "stop_date": "2024-03-05 00:00:00.000000"}
    unnumbered = LATER | {"stop_date": "2024-03-06"}
    earlier = LATER | {"stop_date": "2022-05-06"}
    loaded = read(tmp_path, numbered, unnumbered, unnumbered | {"borough": "Brent"}, earlier)
    assert loaded.frame.select("month", "release").rows() == [
        (date(2022, 5, 1), "without numbers, from April 2022"),
        (date(2024, 3, 1), "numbered, from July 2023"),
    ]


def test_a_search_in_six_numbered_releases_counts_once(tmp_path):
    numbered = LATER | {"stop_date": "2025-01-05 00:00:00.000000"}
    loaded = read(tmp_path, *(numbered | {"col_0": n} for n in (5, 94, 206, 464, 630, 701)))
    assert (loaded.frame.height, loaded.quality.set_aside) == (1, {"the same search again": 5})


SPELT = [
    ({"age_group": "18 or over"}, "age_band", "18 and over"),
    ({"age_group": "Recorded as 0 or Not Known"}, "age_band", "not recorded"),
    ({"appropriate_adult_present": " "}, "adult_present", "not recorded"),
    ({ADULT: "Y"}, "adult_present", "yes"),
    ({"outcome_reason": "B Drugs Possession Only"}, "outcome", "drugs, possession only"),
    ({"outcome_reason": "D Weapons, Points & Blades Offences"}, "outcome", "weapons"),
    ({"outcome_reason": "Not Applicable"}, "outcome", "other"),
    ({"borough": "CO18 (Heathrow Airport) (Legacy Only)"}, "borough_code", places.UNKNOWN),
]


@pytest.mark.parametrize(("change", "column", "value"), SPELT)
def test_every_spelling_is_one_word(tmp_path, change, column, value):
    assert read(tmp_path, change).frame[column].to_list() == [value]


def test_the_table_says_how_many_months_of_a_year_are_there(tmp_path):
    june = {"stop_date": "2021-06-30 00:00:00.000000"}
    frame = read(tmp_path, {}, june, june | {"sex": "F"}, {"stop_date": "2022-01-01 00:00:00.000000"}).frame
    table = tables_stops.thorough_searches(frame).select("year", "months", "searches")
    assert table.rows() == [(2021, 2, 3), (2022, 1, 1)]


# ---- the publisher's file


def test_published_searches_are_near_what_was_printed_and_do_not_jump_where_the_release_changes(raw):
    """2021: 4,287 searches (London Policing Ethics Panel, September 2022) and 271 of children (Mayor's Office, 2023)."""
    published = read_thorough_searches(raw / "mps/2026-02/thorough-searches.parquet")
    table = tables_stops.thorough_searches(published.frame).filter(year=2021)
    assert 0.93 < table["searches"].sum() / 4_287 < 1
    assert 0.98 < table.filter(age_band="under 18")["searches"].sum() / 271 <= 1
