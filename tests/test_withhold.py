"""Small numbers: the rule itself. The attacks on all that a notebook leaves are in test_04 and test_ward_attack."""

import numpy as np
import polars as pl

from attack import Attacker, tried
from wardbook.figures import withhold
from wardbook.measures import stops

# The rule -------------------------------------------------------------------------------------------------------------


def test_one_to_four_are_withheld_and_nothing_else_where_no_total_is_shown():
    assert withhold.hidden_cells([0, 1, 4, 5, 100]) == {1, 2}
    assert [withhold.is_small(n) for n in (None, 0, 1, 4, 5)] == [False, False, True, True, False]


def test_a_total_takes_one_further_cell_the_smallest_never_a_nought():
    assert withhold.hidden_cells([0, 3, 40, 7], [[0, 1, 2, 3]]) == {1, 3}
    assert withhold.hidden_cells([0, 3, 2, 7], [[0, 1, 2, 3]]) == {1, 2}, "two that are small hide each other"
    assert withhold.hidden_cells([0, 0, 7], [[0, 1, 2]]) == set()
    assert withhold.hidden_cells([1, 1, 9], [[0, 1, 2]]) == {0, 1, 2}, "two that sum to two are one and one"
    assert withhold.hidden_cells([2, 0, 30], [[0, 1], [0, 1, 2]]) == {0, 2}, "a small total is withheld too"
    assert withhold.hidden_cells([1, 0, 0], [[0, 1, 2]], exempt=True) == {0, 1}, "unless a publisher shows it"


def attacked(counts, shown, hidden):
    """How many small counts an attacker looked for in vain, who has these totals and what is not hidden."""
    # Where a nought had to be withheld, nobody can tell which it is; where all are, there was no more to withhold.
    told = all(counts[i] for i in hidden) and len(hidden) < len(counts)
    attacker = Attacker(range(len(counts)), [int(told and i in hidden) for i in range(len(counts))])
    for cells in (*shown, *([i] for i in range(len(counts)) if i not in hidden)):
        attacker.learns(cells, sum(counts[i] for i in cells))
    return tried(attacker, {i: ([i], n) for i, n in enumerate(counts)})


def test_in_two_directions_a_pair_in_each_row_and_column_is_not_enough():
    """Three rows' and columns' sums can give a cell away although each has two cells withheld."""
    counts = [3, 20, 30, 40, 5, 60, 70, 80, 6]
    totals = [[3 * r + c for c in range(3)] for r in range(3)] + [[3 * r + c for r in range(3)] for c in range(3)]
    hidden = withhold.hidden_cells(counts, totals)
    assert 0 in hidden and attacked(counts, totals, hidden) == 1
    assert len(hidden) == 4, "the cell, one in its row, one in its column, and where these two meet"


def test_no_random_table_with_all_its_margins_shown_gives_a_small_cell_away():
    random = np.random.default_rng(9)
    for _ in range(60):
        height, width = random.integers(2, 6, 2)
        counts = random.choice([0, 0, 1, 1, 2, 3, 5, 9, 30], height * width).tolist()
        totals = [[width * r + c for c in range(width)] for r in range(height)]
        totals += [[width * r + c for r in range(height)] for c in range(width)]
        shown = [t for t in totals if not withhold.is_small(sum(counts[i] for i in t))]
        hidden = withhold.hidden_cells(counts, totals)
        attacked(counts, shown, hidden)


def test_those_who_have_not_are_a_count_too_and_small_sums_are_not_shown_beside():
    shares = pl.DataFrame({"group": ["a", "b", "c"], "count": [20, 9, 30], "of": [22, 40, 90]})
    shares = shares.with_columns(**dict.fromkeys(("share", "lower", "upper"), pl.lit(0.5)))
    shown = withhold.withhold_shares(shares)
    assert shown["count"].to_list() == [None, None, 30], "two who have it not, and the smallest further row"
    assert shown["of"].to_list() == [22, 40, 90]
    alone = withhold.withhold_shares(shares.head(1).with_columns(count=pl.lit(3, pl.Int64)))
    assert alone["count"].to_list() == [None], "the sum over one row is that row"
    gone = withhold.withhold_shares(shares, hidden=pl.Series([False, True, False]))
    assert gone["of"].to_list() == [22, None, 90]


def test_the_under_18s_of_one_table_give_no_age_away_in_the_other(committed):
    """Seen in Brent, Haringey and London: one search without an age, withheld beside the under-18s that a figure showed."""
    whole = committed.table("thorough_searches").filter(pl.col("months") == 12)
    years = whole["year"].unique().to_list()
    withheld = 0
    for code in [*whole["borough_code"].unique().sort(), None]:
        here = pl.lit(True) if code is None else pl.col("borough_code") == code
        both = stops.thorough_years(whole.filter(here), years), stops.thorough_items(whole, here)
        yearly, items = withhold.withhold_thorough(*both)
        for year, _, under_18 in yearly.select("year", "searches", "under_18").iter_rows():
            ages = dict(items.filter(year=year, measure="age_band").select("item", "searches").iter_rows())
            if under_18 is not None and "under 18" in ages:
                assert ages["under 18"] == under_18, (code, year)
            left = [age for age, count in ages.items() if count is None]
            assert len(left) != 1, f"{left} of {year} in {code or 'London'} is the rest of the total"
            withheld += len(left)
    assert withheld > 20
