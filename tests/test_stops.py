"""Stop and search: what the edition says of the year to March 2024, recomputed by hand; made input for each trap; simulation.

That a stop belongs to its local month and that duplicates stay is held in test_police_uk.py, which months are whole in
test_edition.py; here is what the measures make of them. The bench of placing points is bench_placing.py.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wardbook import tables
from wardbook.edition import open_edition
from wardbook.measures import stops as s
from wardbook.periods import FinancialYear
from wardbook.places import LONDON_CODE, Area, area, boroughs
from wardbook.sources.ons import read_borough_outlines, read_ward_outlines
from wardbook.sources.placing import place_points

same_examples = settings(derandomize=True, deadline=None, max_examples=40)
YEAR = FinancialYear(2023)
LONDON = Area(LONDON_CODE, "London")
MET = boroughs()["borough_code"].to_list()
COUNTS = {"borough_code": pl.String, "self_defined": pl.String, "officer_defined": pl.String, "searches": pl.Int64}
BOTH = list(s.DEFINITIONS)
MONTHS = (YEAR - 1).months + YEAR.months


def counts(*rows):
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


def people(**residents):
    return pl.DataFrame(
        {"ethnic_group": list(residents), "residents": list(residents.values())},
        schema={"ethnic_group": pl.String, "residents": pl.Int64},
    )


EQUAL = people(Asian=1_000, Black=1_000, Mixed=1_000, Other=1_000, White=1_000)
NO_MIXED = EQUAL.filter(pl.col("ethnic_group") != "Mixed")


@pytest.fixture(scope="module")
def edition():
    return open_edition()


@pytest.fixture(scope="module")
def year_counts(edition):
    return edition.table("stops_by_ethnicity").filter(financial_year="2023-24")


@pytest.fixture(scope="module")
def table(edition):
    areas = [Area(code, name) for code, name in boroughs().iter_rows()]
    return s.disproportionality(
        edition.table("stops_by_ethnicity"), edition.table("population"), [*areas, LONDON], MET, YEAR
    )


# -- the year to March 2024 ---------------------------------------------------------------------------------------------


def test_all_stops_and_arrests_agree_with_the_lords_answer(edition):
    # EVIDENCE.md 6b: 26 % of 535,307 and more than 21,999 arrests at 16 % each give 137-139 thousand.
    rows = edition.table("stops").filter(pl.col("month").is_in(YEAR.months))
    total = rows["stops"].sum()
    assert 0.96 * 137_000 <= total <= 1.04 * 139_000
    found = s.outcome_rates(rows).row(by_predicate=pl.col("outcome_group") == "arrest", named=True)
    assert found["of"] == total and round(100 * found["share"]) == 16
    assert found["share"] == sum(n for *_, outcome, n in rows.iter_rows() if outcome == "Arrest") / total


def test_black_to_white_in_london_is_what_methods_says(edition, year_counts):
    residents = s.residents(edition.table("population"), LONDON, MET)
    found = s.relative_rate(year_counts, residents, "Black", "White")
    assert found.known_only == pytest.approx(3.06, abs=0.02)
    assert (found.bound_low, found.bound_high) == pytest.approx((1.48, 7.31), abs=0.05)
    assert found.ratio == pytest.approx(3.6, abs=0.1) and found.lower < found.ratio < found.upper
    assert found.unknown_share == pytest.approx(0.313, abs=5e-4)  # data/README.md, point 15
    seen = s.relative_rate(year_counts, residents, "Black", "White", ethnicity="officer-defined")
    assert (seen.mapping_low, seen.mapping_none) == pytest.approx((2.7, 3.9), abs=0.05)
    assert seen.mapping_low < seen.ratio < seen.mapping_none < seen.mapping_high


def by_hand(rows, residents, group, reference, mine):
    """What `relative_rate` gives, in plain Python: rows of (borough, self-defined, officer-defined, searches)."""
    named = s.GROUPS if mine == 1 else [name for name in s.GROUPS if name != "Mixed"]
    known, unknown = defaultdict(Counter), Counter()
    mixed = Counter()
    for row in rows:
        cell, label, n = (row[0], row[3 - mine]), row[mine], row[3]
        if label in named:
            known[cell][label] += n
        else:
            unknown[cell] += n
        if row[1] == "Mixed" and row[2] in named:
            mixed[row[2]] += n
    people = dict(residents)
    if mine == 2:
        people = {g: people[g] + people["Mixed"] * mixed[g] / sum(mixed.values()) for g in named}
    totals = {g: float(sum(cell[g] for cell in known.values())) for g in named}
    for cell, n in unknown.items():
        learnt = known[cell]
        if not sum(learnt.values()):
            learnt = sum((c for (_, o), c in known.items() if o == cell[1]), Counter())
        if not sum(learnt.values()):
            learnt = sum(known.values(), Counter())
        for g in named:
            totals[g] += n * learnt[g] / sum(learnt.values())
    k = {g: sum(cell[g] for cell in known.values()) for g in (group, reference)}
    lost, scale = sum(unknown.values()), people[reference] / people[group]
    return {
        "rate_group": 1000 * totals[group] / people[group],
        "rate_reference": 1000 * totals[reference] / people[reference],
        "ratio": totals[group] / totals[reference] * scale,
        "known_only": k[group] / k[reference] * scale,
        "bound_low": k[group] / (k[reference] + lost) * scale,
        "bound_high": (k[group] + lost) / k[reference] * scale,
        "unknown_share": lost / sum(n for *_, n in rows),
    }


def plain(edition, place):
    """The committed tables' rows of one area, as Python tuples."""
    rows = [
        (b, own, officer, n)
        for b, year, own, officer, n in pl.read_parquet(edition.path / "stops_by_ethnicity.parquet").iter_rows()
        if year == "2023-24" and (place.code == LONDON_CODE or b == place.code)
    ]
    residents = Counter()
    for _, b, group, n in pl.read_parquet(edition.path / "population.parquet").iter_rows():
        if b == place.code or (place.code == LONDON_CODE and b != "E09000001"):
            residents[group] += n
    return rows, residents


@pytest.mark.parametrize("name", ["London", "Tower Hamlets", "Croydon"])
@pytest.mark.parametrize("ethnicity", BOTH)
def test_the_table_is_what_plain_python_makes_of_the_same_rows(edition, table, name, ethnicity):
    rows, residents = plain(edition, area(name))
    mine = 1 if ethnicity == "self-defined" else 2
    for group in ("Asian", "Black", "Other"):
        expected = by_hand(rows, residents, group, "White", mine)
        found = table.row(
            by_predicate=(pl.col("area") == name) & (pl.col("ethnicity") == ethnicity) & (pl.col("group") == group),
            named=True,
        )
        assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-9), group
        if mine == 1 and name != "London":
            london = by_hand(rows, plain(edition, LONDON)[1], group, "White", mine)
            assert found["on_london_residents"] == pytest.approx(london["ratio"], rel=1e-9)


@pytest.mark.parametrize("name", ["Tower Hamlets", "Croydon"])
def test_a_boroughs_interval_is_the_delta_method_done_by_nudging_each_count(edition, table, name):
    rows, residents = plain(edition, area(name))

    def log_ratio(changed):
        return math.log(by_hand(changed, residents, "Black", "White", 1)["ratio"])

    variance = 0.0
    for i, (*labels, n) in enumerate(rows):
        nudge = 1e-4 * n
        up, down = ([*rows[:i], (*labels, n + sign * nudge), *rows[i + 1 :]] for sign in (1, -1))
        variance += n * ((log_ratio(up) - log_ratio(down)) / (2 * nudge)) ** 2
    found = table.filter(area=name, ethnicity="self-defined", group="Black")
    half = 1.959963984540054 * math.sqrt(variance)
    assert found["lower"][0] == pytest.approx(found["ratio"][0] * math.exp(-half), rel=1e-6)
    assert found["upper"][0] == pytest.approx(found["ratio"][0] * math.exp(half), rel=1e-6)


def test_london_within_boroughs_is_what_plain_python_makes_of_it(edition, table):
    rows, _ = plain(edition, LONDON)
    residents = defaultdict(Counter)
    for _, b, group, n in edition.table("population").iter_rows():
        residents[b][group] += n
    over = under = 0.0
    for code in MET:
        mine = [row for row in rows if row[0] == code]
        rates = by_hand(mine, residents[code], "Black", "White", 1)
        black, white = residents[code]["Black"], residents[code]["White"]
        over += rates["rate_group"] * black * white / (black + white)
        under += rates["rate_reference"] * white * black / (black + white)
    found = table.filter(area="London", ethnicity="self-defined", group="Black").row(0, named=True)
    assert found["within_boroughs"] == pytest.approx(over / under, rel=1e-9)
    assert found["within_low"] < found["within_boroughs"] < found["within_high"]


# -- the rows of disproportionality.csv ---------------------------------------------------------------------------------


def test_the_table_begins_with_the_columns_promised_and_has_every_area(table):
    promised = "area period ethnicity group reference rate_group rate_reference ratio lower upper known_only"
    assert table.columns[:14] == [*promised.split(), "bound_low", "bound_high", "unknown_share"]
    assert set(table["area"]) == {*boroughs()["borough"], "London"} and table.height == 33 * 2 * 4
    assert set(table["period"]) == {"2023-24"} and set(table["reference"]) == {"White"}
    assert table.select("area", "ethnicity", "group").is_unique().all()
    assert set(table["group"]) == {"Asian", "Black", "Mixed", "Other"}


def test_each_row_has_figures_or_a_reason(table):
    figures = table.columns[5:13]
    said = table.filter(pl.col("why").is_not_null())
    assert set(said["group"]) == {"Mixed"} and set(said["ethnicity"]) == {"officer-defined"} and said.height == 33
    assert set(said["why"]) == {"officers' codes have no Mixed group"}
    assert said.select(pl.all_horizontal(pl.col(figures).is_null()).all()).item()
    given = table.filter(pl.col("why").is_null())
    assert given.select(pl.col([*figures, "unknown_share"]).null_count()).row(0) == (0,) * 9
    assert given.filter(~pl.col("ratio").is_between("bound_low", "bound_high")).is_empty()
    assert given.filter(~pl.col("known_only").is_between("bound_low", "bound_high")).is_empty()
    assert given.filter(~pl.col("ratio").is_between("lower", "upper")).is_empty()
    assert (given["rate_group"] / given["rate_reference"]).to_numpy() == pytest.approx(given["ratio"].to_numpy())


def test_each_extra_column_is_filled_where_it_means_something(table):
    given = table.filter(pl.col("why").is_null())
    seen, london = pl.col("ethnicity") == "officer-defined", pl.col("area") == "London"
    for columns, where in [
        (["mapping_low", "mapping_none", "mapping_high"], seen),
        (["within_boroughs", "within_low", "within_high"], ~seen & london),
        (["on_london_residents"], ~seen & ~london),
    ]:
        for name in columns:
            assert given.filter(pl.col(name).is_not_null() != where).is_empty(), name


def test_londons_searches_are_the_boroughs_and_those_without_a_place(table, year_counts):
    at = (pl.col("ethnicity") == "self-defined") & (pl.col("group") == "Black")
    known = dict(table.filter(at).select("area", "searches_known").iter_rows())
    elsewhere = year_counts.filter(~pl.col("borough_code").is_in(MET), self_defined="Black")
    assert set(elsewhere["borough_code"]) == {"E09000001", "unplaced"}
    assert known.pop("London") == sum(known.values()) + elsewhere["searches"].sum()


@pytest.mark.parametrize(("known", "given"), [(9, False), (10, True)])
def test_fewer_than_ten_known_searches_give_no_figures(known, given):
    rows = counts(
        ("E09000030", "Black", "Black", known),
        ("E09000030", "not stated", "Black", 400),
        ("E09000030", "White", "White", 50),
        ("E09000030", "Asian", "Asian", 10),
        ("E09000030", "Asian", "White", 200),
    ).with_columns(financial_year=pl.lit("2023-24"))
    residents = EQUAL.with_columns(borough_code=pl.lit("E09000030"))
    found = s.disproportionality(rows, residents, [area("Tower Hamlets")], MET, YEAR)
    row = found.filter(ethnicity="self-defined", group="Black").row(0, named=True)
    assert (row["searches_known"], row["searches_reference_known"]) == (known, 50)
    assert row["unknown_share"] == pytest.approx(400 / rows["searches"].sum())
    assert (row["ratio"] is not None) == given == (row["why"] is None)
    if not given:
        assert row["why"] == "fewer than 10 searches of a group whose ethnicity is known"
        counted = ("searches_known", "searches_reference_known", "residents_group", "residents_reference")
        held = {name for name in found.columns[5:] if row[name] is not None}
        assert held == {*counted, "unknown_share", "why"}
    few = found.filter(ethnicity="self-defined", group="Other").row(0, named=True)
    assert few["searches_known"] == 0 and few["ratio"] is None


def test_few_of_the_reference_group_give_no_figures_and_another_year_none_at_all():
    rows = counts(("E09000030", "Black", "Black", 100), ("E09000030", "White", "White", 9))
    rows = rows.with_columns(financial_year=pl.lit("2023-24"))
    residents = EQUAL.with_columns(borough_code=pl.lit("E09000030"))
    for year in (YEAR, YEAR + 1):
        found = s.disproportionality(rows, residents, [area("Tower Hamlets"), LONDON], MET, year)
        assert found.height == 16 and found["ratio"].null_count() == 16 and found["why"].null_count() == 0


# -- relative_rate: what must hold of any counts ------------------------------------------------------------------------

rows_of_counts = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(s.GROUPS + s.UNKNOWN),
        st.sampled_from((*s.OFFICER_GROUPS, "blank")),
        st.integers(0, 60),
    ),
    min_size=1,
    max_size=30,
).map(lambda rows: counts(*rows))
populations = st.lists(st.integers(1, 90_000), min_size=5, max_size=5).map(
    lambda residents: people(**dict(zip(s.GROUPS, residents)))
)
pairs = st.permutations(s.OFFICER_GROUPS).map(lambda groups: tuple(groups[:2]))
ethnicities = st.sampled_from(BOTH)
FIGURES = ("ratio", "lower", "upper", "known_only", "bound_low", "bound_high", "unknown_share")


def figures(found, names=FIGURES):
    return [getattr(found, name) for name in names]


def alike(values, rel=1e-9):
    return pytest.approx(values, rel=rel, nan_ok=True)


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities)
def test_bounds_hold_the_estimate_and_the_known_only_ratio(rows, residents, pair, ethnicity):
    found = s.relative_rate(rows, residents, *pair, ethnicity=ethnicity)
    for value in (found.ratio, found.known_only):
        if not math.isnan(value):
            assert found.bound_low * (1 - 1e-12) <= value <= found.bound_high * (1 + 1e-12)
    if not math.isnan(found.ratio):
        assert found.lower <= found.ratio <= found.upper
        assert found.mapping_low * (1 - 1e-12) <= found.ratio <= found.mapping_high * (1 + 1e-12)


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities)
def test_with_nothing_unknown_all_agree(rows, residents, pair, ethnicity):
    rows = rows.filter(~pl.col(s.DEFINITIONS[ethnicity]).is_in(s.UNKNOWN))
    assume(rows["searches"].sum())
    found = s.relative_rate(rows, residents, *pair, ethnicity=ethnicity)
    assert found.unknown_share == 0
    assert [found.known_only, found.bound_low, found.bound_high] == alike([found.ratio] * 3)


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities, st.data())
def test_no_bound_widens_when_an_unknown_is_resolved(rows, residents, pair, ethnicity, data):
    # Among officers' groups residents who are Mixed are left out: whom officers see them as is learnt from the counts, so
    # a search of a Mixed person that is resolved moves the denominators, too.
    mine = s.DEFINITIONS[ethnicity]
    if ethnicity == "officer-defined":
        residents = residents.filter(pl.col("ethnic_group") != "Mixed")
    lines = list(rows.filter(pl.col("searches") > 0).iter_rows(named=True))
    unknown = [i for i, line in enumerate(lines) if line[mine] in s.UNKNOWN]
    assume(unknown)
    before = s.relative_rate(rows, residents, *pair, ethnicity=ethnicity)
    i = data.draw(st.sampled_from(unknown))
    group = data.draw(st.sampled_from(s.GROUPS if ethnicity == "self-defined" else s.OFFICER_GROUPS))
    one = lines[i] | {mine: group, "searches": 1}
    lines[i] = lines[i] | {"searches": lines[i]["searches"] - 1}
    after = s.relative_rate(pl.DataFrame([*lines, one], schema=COUNTS), residents, *pair, ethnicity=ethnicity)
    assert math.isnan(before.bound_low) or after.bound_low >= before.bound_low * (1 - 1e-12)
    assert math.isnan(before.bound_high) or after.bound_high <= before.bound_high * (1 + 1e-12)
    assert after.unknown_share < before.unknown_share


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_how_they_are_split_mean_nothing(rows, residents, pair, ethnicity, random):
    lines = []
    for *labels, n in rows.iter_rows():
        part = random.randint(0, n)
        lines += [(*labels, part), (*labels, n - part)]
    random.shuffle(lines)
    one, other = (s.relative_rate(r, residents, *pair, ethnicity=ethnicity) for r in (rows, counts(*lines)))
    assert figures(other) == alike(figures(one), rel=1e-12)


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities, st.integers(2, 9))
def test_k_times_the_residents_are_a_kth_of_the_ratio(rows, residents, pair, ethnicity, k):
    # Without Mixed residents, a part of whom officers' groups would have besides.
    residents = residents.filter(pl.col("ethnic_group") != "Mixed")
    more = residents.with_columns(pl.col("residents") * pl.when(ethnic_group=pair[0]).then(k).otherwise(1))
    one, other = (s.relative_rate(rows, r, *pair, ethnicity=ethnicity) for r in (residents, more))
    assert [k * value for value in figures(other)[:-1]] == alike(figures(one)[:-1])


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities)
def test_swapping_the_groups_inverts_the_ratio_and_its_interval(rows, residents, pair, ethnicity):
    found = s.relative_rate(rows, residents, *pair, ethnicity=ethnicity)
    swapped = s.relative_rate(rows, residents, *reversed(pair), ethnicity=ethnicity)
    names = ("ratio", "upper", "lower", "known_only", "bound_high", "bound_low", "mapping_none", "mapping_high")
    inverse = [math.inf if value == 0 else 1 / value for value in figures(swapped, names)]
    expected = ("ratio", "lower", "upper", "known_only", "bound_low", "bound_high", "mapping_none", "mapping_low")
    assert figures(found, expected) == alike(inverse)
    assert found.rate_group == alike(swapped.rate_reference)


@same_examples
@given(rows_of_counts, ethnicities)
def test_spreading_loses_no_search_and_makes_none(rows, ethnicity):
    spread = s.Spread.of(rows, ethnicity)
    assert spread.all == rows["searches"].sum()
    whole = sum(spread.total(group) for group in spread.groups)
    assert whole == pytest.approx(spread.all if spread.known.sum() else 0)
    assert all(spread.total(group) >= spread.known_of(group) for group in spread.groups)


@same_examples
@given(rows_of_counts, populations, pairs, ethnicities)
def test_each_figure_is_what_plain_python_makes_of_it(rows, residents, pair, ethnicity):
    mine = 1 if ethnicity == "self-defined" else 2
    mixed = rows.filter(pl.col("officer_defined") != "blank", self_defined="Mixed")["searches"].sum()
    assume(mine == 1 or mixed)
    try:
        expected = by_hand(list(rows.iter_rows()), dict(residents.iter_rows()), *pair, mine)
    except ZeroDivisionError:  # a group without searches: see the tests of made counts
        assume(False)
    found = s.relative_rate(rows, residents, *pair, ethnicity=ethnicity)
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, rel=1e-9)


# -- relative_rate: made counts -----------------------------------------------------------------------------------------


def test_unknowns_go_where_those_seen_alike_in_the_borough_went():
    rows = counts(
        ("a", "Black", "Black", 30),
        ("a", "White", "Black", 10),
        ("a", "not stated", "Black", 40),
        ("a", "White", "White", 50),
        ("b", "White", "Black", 100),
        ("b", "blank", "White", 7),  # nobody seen as White in b: as those of a, all White
        ("b", "blank", "blank", 8),  # nobody anywhere: as all known, 30 of 190 Black
    )
    found = s.relative_rate(rows, EQUAL, "Black", "White")
    assert found.searches_group == pytest.approx(30 + 30 + 8 * 30 / 190)
    assert found.searches_reference == pytest.approx(160 + 10 + 7 + 8 * 160 / 190)
    assert (found.known_group, found.known_reference) == (30, 160)
    assert found.unknown_share == pytest.approx(55 / 245)
    assert (found.bound_low, found.bound_high) == pytest.approx((30 / 215, 85 / 160))


def test_residents_who_are_mixed_are_shared_as_officers_saw_the_searched():
    rows = counts(("a", "Mixed", "Black", 30), ("a", "Mixed", "White", 10), ("a", "Mixed", "blank", 99))
    residents = people(Black=1_000, White=2_000, Mixed=400)
    found = s.relative_rate(rows, residents, "Black", "White", ethnicity="officer-defined")
    assert found.known_only == pytest.approx((30 / 1_300) / (10 / 2_100))
    assert [found.mapping_low, found.mapping_none, found.mapping_high] == pytest.approx(
        [3 * 2_000 / 1_400, 3 * 2_000 / 1_000, 3 * 2_400 / 1_000]
    )


def test_mixed_residents_are_in_no_group_where_nobody_mixed_was_searched():
    rows = counts(("a", "Black", "Black", 30), ("a", "White", "White", 10))
    residents = people(Black=1_000, White=1_000, Mixed=700)
    found = s.relative_rate(rows, residents, "Black", "White", ethnicity="officer-defined")
    assert found.ratio == found.mapping_none == pytest.approx(3)
    assert found.rate_group == pytest.approx(30)
    assert (found.group, found.reference) == ("Black", "White")


def test_a_group_never_searched_has_a_ratio_of_nought_and_no_interval():
    rows = counts(("a", "White", "White", 50), ("a", "not stated", "White", 5))
    none = s.relative_rate(rows, EQUAL, "Black", "White")
    assert (none.ratio, none.lower, none.upper) == (0, 0, math.inf)
    assert none.bound_high == pytest.approx(5 / 50)
    other = s.relative_rate(rows, EQUAL, "White", "Black")
    assert (other.ratio, other.lower, other.upper) == (math.inf, 0, math.inf)
    nobody = s.relative_rate(counts(("a", "not stated", "White", 5)), EQUAL, "Black", "White")
    assert math.isnan(nobody.ratio) and (nobody.bound_low, nobody.bound_high) == (0, math.inf)
    assert math.isnan(s.relative_rate(counts(), EQUAL, "Black", "White").unknown_share)


def test_with_nothing_unknown_the_interval_is_that_of_two_poisson_counts():
    rows = counts(("a", "Black", "Black", 60), ("a", "White", "White", 30))
    found = s.relative_rate(rows, EQUAL, "Black", "White", level=0.9)
    half = 1.6448536269514722 * math.sqrt(1 / 60 + 1 / 30)
    assert (found.lower, found.upper) == pytest.approx((2 * math.exp(-half), 2 * math.exp(half)))


def test_counts_without_boroughs_are_one_place():
    rows = counts(("a", "Black", "Black", 30), ("a", "not stated", "Black", 9), ("a", "White", "White", 40))
    one, other = (s.relative_rate(r, EQUAL, "Black", "White") for r in (rows, rows.drop("borough_code")))
    assert one == other


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"group": "Purple"}, "self-defined groups are Asian, Black, Mixed, Other, White: 'Purple'"),
        ({"reference": "not stated"}, "'not stated'"),
        ({"group": "Mixed", "ethnicity": "officer-defined"}, "officer-defined groups are Asian, Black, Other, White"),
        ({"ethnicity": "seen"}, "ethnicity is 'self-defined' or 'officer-defined': 'seen'"),
        (
            {"counts": counts(("a", "Violet", "Black", 1))},
            "self_defined holds 'Violet': allowed are Asian, Black, Mixed, Other, White, not stated, blank$",
        ),
        ({"counts": counts(("a", "Black", "Not known", 1))}, "officer_defined holds 'Not known'"),
        ({"counts": counts(("a", None, "Black", 1))}, "self_defined holds 'None'"),
        ({"counts": counts(("a", "Black", "Black", -1))}, "^searches are counts of 0 or more$"),
        ({"population": people(White=5)}, "no residents of the group 'Black'"),
        ({"population": people(Black=5, White=0)}, "no residents of the group 'White'"),
    ],
)
def test_what_has_no_rate_is_refused_with_what_is_allowed(changed, message):
    rows = counts(("a", "Black", "Black", 30), ("a", "White", "White", 40))
    asked = {"counts": rows, "population": EQUAL, "group": "Black", "reference": "White"} | changed
    with pytest.raises(ValueError, match=message):
        s.relative_rate(**asked)


# -- the interval -------------------------------------------------------------------------------------------------------


def made_spread(ethnicity="self-defined"):
    """Three boroughs with cells that are learnt from elsewhere, twice (one from the same label, one from all)."""
    rng = np.random.default_rng(4)
    groups = s.GROUPS if ethnicity == "self-defined" else s.OFFICER_GROUPS
    known = rng.integers(0, 40, (3, 7, len(groups))).astype(float)
    unknown = rng.integers(1, 30, (3, 7)).astype(float)
    known[1, 3] = known[2, 3] = 0
    known[:, 6] = 0
    return s.Spread(("a", "b", "c"), groups, known, unknown)


@pytest.mark.parametrize("weights", [None, np.array([0.3, 1.7, 0.0])])
@pytest.mark.parametrize("ethnicity", BOTH)
def test_slopes_are_the_numerical_derivatives_of_the_totals(weights, ethnicity):
    spread = made_spread(ethnicity)
    for group in spread.groups:
        for name, slopes in zip(("known", "unknown_by"), spread._slopes(group, weights)):
            held = getattr(spread, name)
            for at in np.argwhere(held > 0):
                step = np.zeros_like(held)
                step[tuple(at)] = 1e-3
                up, down = (replace(spread, **{name: held + sign * step}).total(group, weights) for sign in (1, -1))
                assert slopes[tuple(at)] == pytest.approx((up - down) / 2e-3, abs=1e-7), (group, name, at)


def test_the_error_of_the_log_ratio_counts_every_cell_once():
    spread = made_spread()
    variance = 0.0
    for name in ("known", "unknown_by"):
        held = getattr(spread, name)
        for at in np.argwhere(held > 0):
            step = np.zeros_like(held)
            step[tuple(at)] = 1e-3
            ends = [replace(spread, **{name: held + sign * step}) for sign in (1, -1)]
            up, down = (math.log(end.total("Black") / end.total("White")) for end in ends)
            variance += held[tuple(at)] * ((up - down) / 2e-3) ** 2
    assert spread.log_ratio_error("Black", "White") == pytest.approx(math.sqrt(variance), rel=1e-6)


OFFICERS = ("Asian", "Black", "Other", "White")
# Made up, near what the Met's files show: rows are officers' groups, columns how those people define themselves.
SELF_GIVEN_OFFICER = np.array(
    [
        [0.88, 0.01, 0.02, 0.06, 0.03],
        [0.01, 0.86, 0.09, 0.03, 0.01],
        [0.15, 0.05, 0.06, 0.64, 0.10],
        [0.02, 0.01, 0.05, 0.03, 0.89],
    ]
)
NOT_STATING = np.array([0.28, 0.36, 0.30, 0.235])  # depends on the officers' group alone


def simulated(mean, runs, seed):
    """Ratio, known-only ratio and whether the interval holds the truth, Black to White, of `runs` simulated years.

    `mean[b, o]` searches are expected; each defines itself by a fixed matrix and then does or does not say so.
    """
    rng = np.random.default_rng(seed)
    seen = rng.poisson(mean, (runs, *mean.shape))
    own = rng.multinomial(seen, SELF_GIVEN_OFFICER)
    silent = rng.binomial(own, NOT_STATING[:, None])
    said, unsaid = own - silent, silent.sum(axis=3)
    expected = mean.sum(axis=0) @ SELF_GIVEN_OFFICER
    truth = expected[s.GROUPS.index("Black")] / expected[s.GROUPS.index("White")]
    borough, officer = (names.ravel() for names in np.meshgrid(*map(np.arange, mean.shape), indexing="ij"))
    b, o = np.array(["a", "b", "c"])[borough], np.array(OFFICERS)[officer]
    labels = {
        "borough_code": np.repeat(b, 6),
        "self_defined": np.tile([*s.GROUPS, "not stated"], len(b)),
        "officer_defined": np.repeat(o, 6),
    }
    frame = pl.DataFrame(labels)
    found = []
    for run in range(runs):
        tally = np.concatenate([said[run], unsaid[run][..., None]], axis=2).ravel()
        rate = s.relative_rate(frame.with_columns(searches=pl.Series(tally)), EQUAL, "Black", "White")
        found.append((rate.ratio / truth, rate.known_only / truth, rate.lower <= truth <= rate.upper))
    return np.array(found, float)


def test_spreading_recovers_the_truth_and_covers_it_where_not_stating_depends_on_the_officers_group():
    found = simulated(np.array([[300, 900, 150, 700], [500, 200, 80, 400]]), runs=2_500, seed=1)
    assert found[:, 0].mean() == pytest.approx(1, abs=0.005)
    assert found[:, 1].mean() == pytest.approx(0.85, abs=0.02), "leaving unknowns out is biased here"
    assert 0.93 <= found[:, 2].mean() <= 0.97


def test_the_interval_covers_the_truth_at_a_small_boroughs_counts():
    found = simulated(np.array([[15, 40, 8, 45]]), runs=2_000, seed=2)
    assert 0.93 <= found[:, 2].mean() <= 0.97


# -- Mantel and Haenszel ------------------------------------------------------------------------------------------------


def strata(*rows):
    """Strata of (events, person-time, reference events, reference person-time) as boroughs."""
    events, residents = [], []
    for i, (x, n, y, m) in enumerate(rows):
        events += [(f"s{i}", "Black", "Black", x), (f"s{i}", "White", "White", y)]
        residents += [(f"s{i}", "Black", n), (f"s{i}", "White", m)]
    return counts(*events), pl.DataFrame(residents, schema=["borough_code", "ethnic_group", "residents"], orient="row")


def crude(rows, residents):
    return s.relative_rate(rows, residents.group_by("ethnic_group").agg(pl.col("residents").sum()), "Black", "White")


def test_british_doctors_who_smoke():
    # Doll & Hill (1966), coronary deaths by age, as in the documentation of Stata's `ir`. Stata's interval is Greenland
    # and Robins'; ours takes the weights as fixed, which is the same to the third decimal.
    deaths = [32, 104, 206, 186, 102], [2, 12, 28, 28, 31]
    years = [52_407, 43_248, 28_612, 12_663, 5_317], [18_790, 10_673, 5_710, 2_585, 1_462]
    made = strata(*zip(deaths[0], years[0], deaths[1], years[1]))
    assert crude(*made).ratio == pytest.approx(1.719823, abs=5e-7)
    ratio, low, high = s.mantel_haenszel(*made, "Black", "White")
    assert ratio == pytest.approx(1.424682, abs=5e-7)
    assert (low, high) == pytest.approx((1.154703, 1.757784), abs=1e-3)


def test_deaths_of_current_and_past_users_of_clozapine():
    # Walker et al. (1997), Epidemiology 8, 671-677, by two ages, as the person-time example of Rothman (2002), Epidemiology:
    # An Introduction, chapter 8: 0.45 and 0.49 within ages, pooled 0.47 (0.40 to 0.55).
    young, old = (196, 62_119, 111, 15_763), (167, 6_085, 157, 2_780)
    assert [round(crude(*strata(one)).ratio, 2) for one in (young, old)] == [0.45, 0.49]
    assert [round(value, 2) for value in s.mantel_haenszel(*strata(young, old), "Black", "White")] == [0.47, 0.40, 0.55]


def test_where_more_is_searched_is_not_read_as_who_is_searched():
    # 10 in 1,000 of both groups in one borough and 100 in 1,000 of both in the other, where most of one group lives.
    rows, residents = strata((10, 1_000, 90, 9_000), (900, 9_000, 100, 1_000))
    assert crude(rows, residents).ratio == pytest.approx(910 / 190)
    ratio, low, high = s.mantel_haenszel(rows, residents, "Black", "White")
    assert ratio == pytest.approx(1, rel=1e-12) and low < 1 < high


def test_a_row_has_its_second_benchmark_and_londons_the_ratio_within_boroughs(edition, year_counts):
    stops, population = edition.table("stops_by_ethnicity"), edition.table("population")
    place = area("Lewisham")
    found = s.disproportionality(stops, population, [place, LONDON], MET, YEAR)
    known = {"ethnicity": "self-defined", "group": "Black", "reference": "White"}
    borough, london = (found.filter(area=name, **known).row(0, named=True) for name in (place.name, LONDON.name))
    boroughs_of = population.filter(pl.col("borough_code").is_in(list(MET)))
    everyone = boroughs_of.group_by("ethnic_group").agg(pl.col("residents").sum())
    mine = year_counts.filter(borough_code=place.code)
    assert borough["on_london_residents"] == pytest.approx(s.relative_rate(mine, everyone, "Black", "White").ratio)
    assert borough["within_boroughs"] is None and london["on_london_residents"] is None
    within = [london[name] for name in ("within_boroughs", "within_low", "within_high")]
    assert within == pytest.approx(s.mantel_haenszel(year_counts, boroughs_of, "Black", "White"))
    officers = found.filter(ethnicity="officer-defined", group="Black").row(0, named=True)
    assert officers["why"] is None and officers["ratio"] > 0


def test_within_one_borough_it_is_the_plain_ratio_and_searches_without_a_place_are_left_out():
    rows = counts(
        ("a", "Black", "Black", 60),
        ("a", "not stated", "Black", 20),
        ("a", "White", "White", 30),
        ("a", "White", "Black", 9),
        ("a", "not stated", "Asian", 12),
    )
    residents = people(Black=500, White=800)
    placed = residents.with_columns(borough_code=pl.lit("a"))
    found = s.relative_rate(rows, residents, "Black", "White")
    # Those seen as Asian in the borough say nothing of themselves, and nobody without a place speaks for them.
    unplaced = counts(
        ("unplaced", "Black", "Black", 900), ("unplaced", "White", "Asian", 70), ("unplaced", "blank", "White", 5)
    )
    for given_rows in (rows, pl.concat([rows, unplaced])):
        assert s.mantel_haenszel(given_rows, placed, "Black", "White") == pytest.approx(
            (found.ratio, found.lower, found.upper)
        )


def test_the_interval_of_mantel_and_haenszel_weighs_each_boroughs_counts():
    # By hand: a total is a sum of w x n, n Poisson, so the variance of its log is the sum of w² x n, over the total squared.
    made = (60, 500, 30, 800), (8, 3_000, 40, 900)
    weights = [(m / (n + m), n / (n + m)) for _, n, _, m in made]
    black = [(w, x) for (w, _), (x, _, _, _) in zip(weights, made)]
    white = [(w, y) for (_, w), (_, _, y, _) in zip(weights, made)]
    total = [sum(w * n for w, n in group) for group in (black, white)]
    variance = sum(sum(w**2 * n for w, n in group) / whole**2 for group, whole in zip((black, white), total))
    ratio, half = total[0] / total[1], 1.959963984540054 * math.sqrt(variance)
    assert s.mantel_haenszel(*strata(*made), "Black", "White") == pytest.approx(
        (ratio, ratio * math.exp(-half), ratio * math.exp(half)), rel=1e-9
    )


def test_a_borough_where_one_group_does_not_live_says_nothing_of_the_ratio():
    rows, residents = strata((60, 500, 30, 800))
    found = s.mantel_haenszel(rows, residents, "Black", "White")
    alone = counts(("b", "White", "White", 70), ("c", "Black", "Black", 80), ("c", "White", "White", 9))
    living = pl.DataFrame(
        [("b", "White", 900), ("c", "Black", 0), ("c", "White", 0)], schema=residents.schema, orient="row"
    )
    more = pl.concat([rows, alone]), pl.concat([residents, living])
    assert s.mantel_haenszel(*more, "Black", "White") == pytest.approx(found, rel=1e-12)


# -- outcomes -----------------------------------------------------------------------------------------------------------


def outcomes(**searches):
    return pl.DataFrame({"outcome": list(searches), "stops": list(searches.values())})


def by_wilson(x, n, z=1.959963984540054):
    centre, spread = x / n + z * z / (2 * n), z * math.sqrt(x / n * (1 - x / n) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def test_shares_have_wilsons_interval():
    found = s.outcome_rates(outcomes(**{"Arrest": 65, "A no further action disposal": 35}))
    assert found.columns == ["outcome_group", "searches", "of", "share", "lower", "upper"]
    # METHODS.md: 65 of 100.
    assert found.row(0)[:4] == ("arrest", 65, 100, 0.65)
    assert found.row(0)[4:] == pytest.approx((0.5525444329688797, 0.7363575175690247), rel=1e-12)
    assert found.row(1)[4:] == pytest.approx(by_wilson(35, 100))


def test_one_test_of_all_groups_is_pearsons():
    """Smokers among the patients of four studies: the table that R prints for `prop.test`, chi-squared 12.6 with 3 degrees of freedom."""
    assert s.homogeneity([83, 90, 129, 70], [86, 93, 136, 82]) == pytest.approx(0.005585, abs=5e-7)
    # Two groups by hand, with no continuity correction: p of a squared normal is erfc(z / sqrt(2)).
    (a, m), (b, n) = (15, 100), (30, 120)
    pooled = (a + b) / (m + n)
    z = (a / m - b / n) / math.sqrt(pooled * (1 - pooled) * (1 / m + 1 / n))
    assert s.homogeneity([a, b], [m, n]) == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=1e-12)


@pytest.mark.parametrize(("found", "of"), [([], []), ([3], [9]), ([0, 0], [8, 9]), ([8, 9], [8, 9])])
def test_where_no_shares_can_differ_they_do_not(found, of):
    assert s.homogeneity(found, of) == 1


def test_shares_can_differ_where_one_group_has_none_or_all():
    assert s.homogeneity([0, 40], [50, 50]) < 0.001
    assert s.homogeneity([50, 10], [50, 50]) < 0.001


def test_the_words_of_before_and_since_2018_are_grouped_alike():
    before = outcomes(
        **{
            "Suspect arrested": 8,
            "Nothing found - no further action": 60,
            "Offender given drugs possession warning": 20,
            "Local resolution": 2,
            "Suspect summonsed to court": 5,
            "Article found - Detailed outcome unavailable": 5,
        }
    )
    since = outcomes(
        **{
            "Arrest": 8,
            "A no further action disposal": 60,
            "Khat or Cannabis warning": 20,
            "Community resolution": 2,
            "Summons / charged by post": 5,
            "not recorded": 5,
        }
    )
    assert s.outcome_rates(before).equals(s.outcome_rates(since))
    assert s.outcome_rates(since).select("outcome_group", "searches").rows() == [
        ("arrest", 8),
        ("other outcome", 27),
        ("no further action", 60),
        ("not recorded", 5),
    ]


def test_no_label_and_a_strange_label_have_rows_of_their_own_and_lower_every_share():
    frame = pl.DataFrame({"outcome": ["Arrest", None, "Sent to the moon"], "searches": [2, 1, 1]})
    found = s.outcome_rates(frame)
    assert found.select("outcome_group", "searches", "share").rows() == [
        ("arrest", 2, 0.5),
        ("not recorded", 1, 0.25),
        ("unrecognised label", 1, 0.25),
    ]


def test_each_value_of_one_column_or_two_has_every_group():
    frame = pl.DataFrame(
        {
            "borough_code": ["a", "a", "b", "b", "b"],
            "is_section_60": [False, True, False, False, True],
            "outcome": [
                "Arrest",
                "A no further action disposal",
                "Caution (simple or conditional)",
                "Arrest",
                "Arrest",
            ],
            "stops": pl.Series([1, 4, 2, 2, 0], dtype=pl.Int32),
        }
    )
    one = s.outcome_rates(frame, "borough_code")
    assert one.select("borough_code", "outcome_group", "searches", "of").rows() == [
        ("a", "arrest", 1, 5),
        ("a", "other outcome", 0, 5),
        ("a", "no further action", 4, 5),
        ("b", "arrest", 2, 4),
        ("b", "other outcome", 2, 4),
        ("b", "no further action", 0, 4),
    ]
    assert one.equals(s.outcome_rates(frame, by=["borough_code"]))
    two = s.outcome_rates(frame, ["borough_code", "is_section_60"])
    assert two.columns[:3] == ["borough_code", "is_section_60", "outcome_group"]
    assert two.select("borough_code", "is_section_60").unique(maintain_order=True).rows() == [
        ("a", False),
        ("a", True),
        ("b", False),  # b under section 60 had no search at all: no row
    ]
    for found, by in ((one, ["borough_code"]), (two, ["borough_code", "is_section_60"])):
        assert found.group_by(by).agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
            [1] * found.select(by).n_unique()
        )
    for by in ((), ["borough_code"]):
        nothing, something = (s.outcome_rates(part, by) for part in (frame.clear(), frame))
        assert nothing.is_empty() and nothing.schema == something.schema


@pytest.mark.parametrize(
    ("frame", "by", "message"),
    [
        (pl.DataFrame({"outcome": ["Arrest"], "n": [1]}), (), "one of 'stops' or 'searches': outcome, n"),
        (pl.DataFrame({"result": ["Arrest"], "stops": [1]}), (), "need a column 'outcome'"),
        (outcomes(Arrest=1), "group", "no column 'group' to group by: outcome, stops"),
        (outcomes(Arrest=1), ["outcome", "borough"], "no column 'borough'"),
    ],
)
def test_outcomes_without_a_column_asked_for_are_refused(frame, by, message):
    with pytest.raises(ValueError, match=message):
        s.outcome_rates(frame, by)


def test_outcomes_by_group_in_the_edition_are_those_of_plain_python(edition):
    held = edition.table("stops_by_group_outcome").filter(financial_year="2023-24", definition="officer-defined")
    arrests, every = Counter(), Counter()
    for _, _, _, group, outcome, n in held.iter_rows():
        every[group] += n
        arrests[group] += n * (outcome == "Arrest")
    found = s.outcome_rates(held, by="group").filter(outcome_group="arrest")
    assert dict(found.select("group", "of").iter_rows()) == every
    for group, share, low, high in found.select("group", "share", "lower", "upper").iter_rows():
        assert share == arrests[group] / every[group]
        assert (low, high) == pytest.approx(by_wilson(arrests[group], every[group]))


# -- months and years ---------------------------------------------------------------------------------------------------


def test_every_kind_is_in_every_month_and_kinds_are_apart():
    april, may = date(2023, 4, 1), date(2023, 5, 1)
    stops = pl.DataFrame(
        [
            ("a", april, False, "Person search", 5),
            ("a", april, False, "Person and Vehicle search", 2),
            ("a", april, True, "Person search", 3),
            ("a", april, True, "Vehicle search", 1),
            ("a", april, False, "Vehicle search", 1),
            ("b", april, False, "Person search", 50),
            ("unplaced", april, False, "Person search", 100),
        ],
        schema=["borough_code", "month", "is_section_60", "search_type", "stops"],
        orient="row",
    )
    coverage = pl.DataFrame({"month": [may, april], "complete": [False, True], "why_not": ["ends on the 17th", None]})
    one = s.monthly_rates(stops, coverage, Area("a", "A"), 1_000)
    assert one.rows() == [
        (april, "persons, other powers", 7, 7.0, True, None),
        (april, "persons, section 60", 3, 3.0, True, None),
        (april, "vehicle only", 2, 2.0, True, None),
        (may, "persons, other powers", 0, 0.0, False, "ends on the 17th"),
        (may, "persons, section 60", 0, 0.0, False, "ends on the 17th"),
        (may, "vehicle only", 0, 0.0, False, "ends on the 17th"),
    ]
    assert one.columns == ["month", "kind", "stops", "rate_per_1000", "complete", "why_not"]
    assert set(one["kind"]) == set(s.KINDS)
    assert s.monthly_rates(stops, coverage, LONDON, 1_000)["stops"].to_list() == [157, 3, 2, 0, 0, 0]


def test_a_london_year_holds_the_unplaced_and_a_boroughs_does_not(edition):
    stops, coverage = edition.table("stops"), edition.table("stop_coverage")
    total = s.monthly_rates(stops, coverage, LONDON, 1)["stops"].sum()
    assert total == stops["stops"].sum() == coverage["rows"].sum()
    by_place = [s.monthly_rates(stops, coverage, Area(code, ""), 1)["stops"].sum() for code in ("E09000001", *MET)]
    assert total - sum(by_place) == coverage["unplaced"].sum()


def stops_of(month, rows=60, *, last_day=None, unplaced=0, without_age=0):
    """A made-up month of person searches, spread over its days."""
    last, zone = last_day or monthrange(month.year, month.month)[1], ZoneInfo("Europe/London")
    days = [1 + (last - 1) * n // (rows - 1) for n in range(rows)]
    return pl.DataFrame(
        {
            "force": "made up",
            "month": [month] * rows,
            "local_time": [datetime(month.year, month.month, day, 12, tzinfo=zone) for day in days],
            "borough_code": [tables.UNPLACED if n < unplaced else "E09000030" for n in range(rows)],
            "age_range": [None if n < without_age else "18-24" for n in range(rows)],
            "self_defined": "White - Irish",
            "is_repeat": False,
            "is_section_60": [n % 10 == 0 for n in range(rows)],
            "search_type": "Person search",
            "outcome": "Arrest",
        },
        schema_overrides={"age_range": pl.String, "local_time": pl.Datetime("us", "Europe/London")},
    )


def two_years(odd, **how):
    """`stops` and `stop_coverage` of two years of 60 stops a month, of which one month differs."""
    frame = pl.concat(stops_of(month, **(how if month == odd else {})) for month in MONTHS)
    return tables.stops(frame), tables.stop_coverage(frame)


ODD = [
    ({"last_day": 17}, "ends on the 17th"),
    ({"unplaced": 57}, "95% without a place"),
    ({"rows": 20}, "20 rows where the months around it have about 60"),
    ({"without_age": 58}, "almost no ages or ethnicities"),
]


@pytest.mark.parametrize(("how", "why"), ODD)
@pytest.mark.parametrize("odd", [date(2022, 12, 1), date(2023, 12, 1)])
def test_a_month_that_is_not_whole_enters_no_comparison_of_years(odd, how, why):
    stops, coverage = two_years(odd, **how)
    for place in (LONDON, area("Tower Hamlets")):
        found = s.year_on_year(s.monthly_rates(stops, coverage, place, 1_000), YEAR)
        assert found.left_out == (f"{odd:%B %Y} {why}",)
        assert (found.before, found.after, found.months) == (YEAR - 1, YEAR, 11)
        assert (found.baseline, found.outturn) == (660, 660)
        # Without December: 334 days, then 335, for February 2024 had 29.
        assert found.change_percent == pytest.approx(100 * (334 / 335 - 1))
        assert found.low < found.change_percent < found.high


@pytest.mark.parametrize(("how", "why"), ODD)
def test_a_month_that_is_not_whole_makes_its_year_none_to_show(how, why):
    _, coverage = two_years(date(2023, 12, 1), **how)
    found = s.stop_year(coverage, YEAR)
    assert found == s.Covered(YEAR - 1, f"2023-24 is not complete: December 2023 {why}")
    _, coverage = two_years(date(2022, 12, 1), **how)
    assert s.stop_year(coverage, YEAR) == s.Covered(YEAR, "")


def test_december_2022_is_in_no_comparison_of_the_edition(edition):
    stops, coverage = edition.table("stops"), edition.table("stop_coverage")
    assert coverage.filter(~pl.col("complete"))["month"].to_list() == [date(2022, 12, 1)]
    monthly = s.monthly_rates(stops, coverage, LONDON, 8_000_000)
    assert set(monthly.filter(~pl.col("complete"))["month"]) == {date(2022, 12, 1)}
    found = s.year_on_year(monthly, YEAR)
    assert found.left_out == ("December 2022 ends on the 17th",) and found.months == 11
    held = Counter()
    for _, month, _, kind, _, n in stops.iter_rows():
        if kind != "Vehicle search" and month.month != 12:
            held[str(FinancialYear(month.year - (month.month < 4)))] += n
    assert (found.baseline, found.outturn) == (held["2022-23"], held["2023-24"])
    assert s.stop_year(coverage, YEAR - 1).year == YEAR


def test_the_change_is_per_day_of_persons_with_the_noise_of_counts_alone():
    kinds = {s.KINDS[0]: (40, 50), s.KINDS[1]: (10, 12), s.KINDS[2]: (999, 1)}
    monthly = pl.DataFrame(
        [
            (month, kind, n[month >= YEAR.first_month], True, None)
            for month in (date(2023, 2, 1), date(2024, 2, 1))
            for kind, n in kinds.items()
        ],
        schema={"month": pl.Date, "kind": pl.String, "stops": pl.Int64, "complete": pl.Boolean, "why_not": pl.String},
        orient="row",
    )
    found = s.year_on_year(monthly, YEAR)
    assert (found.months, found.baseline, found.outturn) == (1, 50, 62)
    assert found.change_percent == pytest.approx(100 * ((62 / 29) / (50 / 28) - 1))
    # Exact conditional limits: the binomial share of 62 in 112.
    from scipy.stats import beta

    share = np.array([beta.ppf(0.025, 62, 51), beta.ppf(0.975, 63, 50)])
    assert (found.low, found.high) == pytest.approx(tuple(100 * (share / (1 - share) * 28 / 29 - 1)))
    assert len(found.left_out) == 11 and found.left_out[0] == "April 2022 is not in the edition"


@pytest.mark.parametrize(("before", "after"), [(4, 5), (0, 30)])
def test_too_few_searches_or_none_before_have_no_change(before, after):
    monthly = pl.DataFrame(
        {"month": [date(2022, 4, 1), date(2023, 4, 1)], "kind": s.KINDS[0], "stops": [before, after]}
    ).with_columns(complete=True, why_not=pl.lit(None, pl.String))
    found = s.year_on_year(monthly, YEAR)
    assert (found.months, found.baseline, found.outturn) == (1, before, after)
    assert (found.change_percent, found.low, found.high) == (None, None, None)
    just_enough = monthly.with_columns(stops=pl.Series([4, s.TOO_FEW - 4]))
    assert s.year_on_year(just_enough, YEAR).change_percent == pytest.approx(100 * ((s.TOO_FEW - 4) / 4 - 1))


def covered(months, not_complete=()):
    return pl.DataFrame(
        {
            "month": months,
            "complete": [month not in not_complete for month in months],
            "why_not": ["ends on the 17th" if month in not_complete else None for month in months],
        },
        schema={"month": pl.Date, "complete": pl.Boolean, "why_not": pl.String},
    )


@pytest.mark.parametrize(
    ("coverage", "wanted", "year", "why"),
    [
        (covered(MONTHS), 2023, 2023, ""),
        (covered(MONTHS), 2022, 2022, ""),
        (covered(MONTHS), 2025, 2023, "the edition has no stops of 2025-26"),
        (covered(MONTHS), 2011, 2022, "the edition has no stops of 2011-12"),
        (covered(MONTHS[:-1]), 2023, 2022, "the edition's stops of 2023-24 are April 2023 to February 2024 only"),
        (covered(MONTHS[3:]), 2022, 2023, "the edition's stops of 2022-23 are July 2022 to March 2023 only"),
        (
            covered([*MONTHS[2:5], *MONTHS[6:]]),
            2022,
            2023,
            "the edition's stops of 2022-23 lack April 2022, May 2022, September 2022",
        ),
        (
            covered(MONTHS, [date(2023, 9, 1)]),
            2023,
            2022,
            "2023-24 is not complete: September 2023 ends on the 17th",
        ),
        (
            covered(MONTHS, [date(2022, 9, 1)]),
            2022,
            2023,
            "2022-23 is not complete: September 2022 ends on the 17th",
        ),
    ],
)
def test_the_year_shown_is_the_newest_whole_one_not_after_the_wanted(coverage, wanted, year, why):
    assert s.stop_year(coverage, FinancialYear(wanted)) == s.Covered(FinancialYear(year), why)


def test_no_whole_year_is_an_error_that_names_the_table():
    with pytest.raises(
        ValueError, match="^the edition's stops cover no financial year in full: see its table stop_coverage$"
    ):
        s.stop_year(covered(YEAR.months, [date(2024, 3, 1)]), YEAR)


def test_the_committed_edition_shows_2023_24_whatever_is_asked(edition):
    found = [s.stop_year(edition.table("stop_coverage"), FinancialYear(start)) for start in (2022, 2023, 2024)]
    assert [one.year for one in found] == [YEAR] * 3
    assert found[0].why.startswith("2022-23 is not complete: December 2022 ends on the 17th; 5,706 rows")
    assert found[1].why == ""
    assert found[2].why == "the edition's stops of 2024-25 are April 2024 to August 2024 only"


# -- the other tables ---------------------------------------------------------------------------------------------------


def test_residents_of_london_are_those_of_the_mets_boroughs(edition):
    population = edition.table("population")
    for place in (LONDON, area("Croydon")):
        found = s.residents(population, place, MET)
        assert found.columns == ["ethnic_group", "residents"]
        assert dict(found.iter_rows()) == dict(plain(edition, place)[1])


def test_several_areas_under_one_another_are_each_there_once(edition, year_counts):
    held, barnet = edition.table("stops_by_ethnicity"), area("Barnet")
    found = s.of_areas(held, [LONDON, barnet, LONDON], YEAR)
    assert found["area"].unique(maintain_order=True).to_list() == ["London", "Barnet"]
    assert found.filter(area="London").drop("area").equals(year_counts)
    assert found.filter(area="Barnet").drop("area").equals(year_counts.filter(borough_code=barnet.code))
    assert s.of_year(held, barnet, YEAR).equals(year_counts.filter(borough_code=barnet.code))


def test_the_figures_held_against_publications_are_those_of_all_stops_in_london(edition, table):
    held = Counter()
    for _, month, _, _, outcome, n in edition.table("stops").iter_rows():
        if date(2023, 4, 1) <= month <= date(2024, 3, 1):
            held[outcome == "Arrest"] += n
    found = s.headline_figures(edition.table("stops"), table, YEAR)
    assert (found["met-stops"], found["met-arrests"]) == (held.total(), held[True])
    assert found["met-arrest-share"] == pytest.approx(100 * held[True] / held.total(), rel=1e-12)
    london = table.filter(area="London", ethnicity="self-defined", group="Black").row(0, named=True)
    assert found["england-wales-ratio"] == london["ratio"]
    assert found["met-unknown-ethnicity"] == 100 * london["unknown_share"]
    later = table.with_columns(pl.lit("2024-25").alias("period"), pl.col("ratio") + 1)
    assert s.headline_figures(edition.table("stops"), pl.concat([later, table.reverse()]), YEAR) == found


@pytest.mark.parametrize("name", ["London", "Tower Hamlets"])
def test_the_years_table_adds_up(edition, name):
    place, residents = area(name), 300_000
    stops = edition.table("stops")
    mine = stops if place.is_london else stops.filter(borough_code=place.code)
    mine = mine.filter(pl.col("month").is_in(YEAR.months))
    persons = mine.filter(pl.col("search_type") != "Vehicle search")
    monthly = s.monthly_rates(stops, edition.table("stop_coverage"), place, residents)
    found = s.year_table(monthly, s.outcome_rates(persons), place, YEAR, residents)
    named = "area period measure item stops of rate_per_1000 share lower upper"
    assert found.columns == named.split() and set(found["area"]) == {name} and set(found["period"]) == {"2023-24"}
    kinds = found.filter(measure="searches")
    assert kinds["item"].to_list() == ["all stops and searches", *s.KINDS]
    assert kinds["stops"][0] == kinds["stops"][1:].sum() == mine["stops"].sum()
    assert set(kinds["of"]) == {residents}
    assert kinds["rate_per_1000"].to_list() == [1000 * n / residents for n in kinds["stops"]]
    results = found.filter(measure="outcome of person searches")
    assert results["stops"].sum() == results["of"][0] == persons["stops"].sum() == kinds["stops"][1:3].sum()
    assert results["share"].sum() == pytest.approx(1) and results["rate_per_1000"].null_count() == results.height


def test_composition_and_ages_hold_every_person_search(edition, year_counts):
    for place in (LONDON, area("Barnet")):
        rows, _ = plain(edition, place)
        pairs_held = Counter()
        for _, own, officer, n in rows:
            pairs_held[own, officer] += n
        found = s.composition(edition.table("stops_by_ethnicity"), place, YEAR)
        assert {(own, officer): n for own, officer, n in found.iter_rows()} == pairs_held
        ages = s.age_and_sex(edition.table("stops_by_person"), place, YEAR)
        assert ages["searches"].sum() == sum(pairs_held.values())
        assert sum(Fraction(n, ages["searches"].sum()) for n in ages["searches"]) == 1
        assert ages["share"].sum() == pytest.approx(1)
        for rows in (found.rows(), ages.rows()):
            assert rows == sorted(rows), "rows come in no order of their own"


# -- placing a real month -----------------------------------------------------------------------------------------------


@pytest.mark.raw
@pytest.mark.parametrize(
    ("path", "read", "code"),
    [
        ("ons/London_Boroughs.gpkg", read_borough_outlines, "borough_code"),
        ("ons/wards-2018/London_Ward.shp", read_ward_outlines, "ward_code"),
    ],
    ids=["borough", "ward"],
)
def test_unique_points_are_placed_as_every_row_is_by_a_spatial_join(raw, stop_files, path, read, code):
    import geopandas

    frame, outlines = stop_files["2023-07"].frame, read(raw / path)
    found = place_points(frame, outlines, code=code)[code].to_list()
    rows = frame.select("longitude", "latitude").to_numpy()
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*rows.T, crs=4326)).to_crs(27700)
    joined = geopandas.sjoin(points, outlines[[code, "geometry"]].to_crs(27700), how="left", predicate="intersects")
    every = joined.groupby(level=0)[code].min()  # on a border, the lowest code
    assert len(every) == frame.height > 10_000
    expected = [None if value != value else value for value in every.sort_index()]
    assert found == expected
    assert frame.height > sum(one is not None for one in found) > 0.85 * frame.height


@pytest.mark.raw
def test_a_point_published_on_a_border_gets_the_lowest_code(raw, stop_files):
    # No published point lies on a border exactly, so the borders are drawn through points: each area is a half-plane.
    import geopandas
    from shapely.geometry import box

    rows = stop_files["2023-07"].frame.drop_nulls(["longitude", "latitude"])
    grid = geopandas.GeoSeries.from_xy(rows["longitude"], rows["latitude"], crs=4326).to_crs(27700)
    middle = grid.x.sort_values().iloc[len(grid) // 2]
    south, north = grid.y.min() - 1, grid.y.max() + 1
    halves = [box(middle, south, grid.x.max() + 1, north), box(grid.x.min() - 1, south, middle, north)]
    outlines = geopandas.GeoDataFrame({"code": ["A", "B"]}, geometry=halves, crs=27700)
    points = geopandas.GeoDataFrame(geometry=grid)
    every = geopandas.sjoin(points, outlines, how="left", predicate="intersects").groupby(level=0)["code"].min()
    assert every[grid.x == middle].unique().tolist() == ["A"]
    assert place_points(rows, outlines, code="code")["code"].to_list() == every.sort_index().tolist()


# -- what a first reading got wrong --------------------------------------------------------------------------------------


def test_null_in_a_column_to_group_by_keeps_its_outcomes():
    frame = pl.DataFrame({"outcome": ["Arrest", "Arrest"], "stops": [5, 5], "group": [None, "x"]})
    assert s.outcome_rates(frame, "group")["share"].to_list() == [1, 1]


def test_officers_mixed_label_is_refused_not_counted_as_unknown():
    rows = counts(("a", "Black", "Black", 30), ("a", "White", "White", 40), ("a", "Mixed", "Mixed", 20))
    with pytest.raises(ValueError, match="Mixed"):
        s.relative_rate(rows, EQUAL, "Black", "White", ethnicity="officer-defined")


def test_no_resident_but_mixed_ones_is_no_division_by_zero():
    rows = counts(("a", "Mixed", "Black", 30), ("a", "White", "White", 40))
    found = s.relative_rate(rows, people(Black=0, White=5, Mixed=5), "Black", "White", ethnicity="officer-defined")
    assert found.mapping_none == math.inf


@pytest.mark.parametrize("gone", ["Black", "White"])
def test_mantel_haenszel_of_a_group_never_searched_has_the_interval_of_relative_rate(gone):
    rows, residents = strata((60, 500, 30, 800), (20, 500, 30, 900))
    ratio, low, high = s.mantel_haenszel(rows.filter(pl.col("self_defined") != gone), residents, "Black", "White")
    assert (low, high) == (0, math.inf)


def test_a_group_that_is_none_is_refused_by_mantel_haenszel_in_words():
    with pytest.raises(ValueError, match="self-defined groups are Asian, Black, Mixed, Other, White: 'Purple'"):
        s.mantel_haenszel(*strata((60, 500, 30, 800)), "Purple", "White")


def test_a_group_is_not_compared_with_itself():
    with pytest.raises(ValueError, match="not with itself"):
        s.relative_rate(counts(("a", "Black", "Black", 30)), EQUAL, "Black", "Black")


def test_a_year_with_a_month_missing_in_its_middle_says_which():
    months = (YEAR - 1).months + [m for m in YEAR.months if m.month != 9]
    assert "September 2023" in s.stop_year(covered(months), YEAR).why


def test_with_mixed_as_the_reference_officers_rows_say_why():
    rows = counts(("E09000030", "Black", "Black", 100), ("E09000030", "Mixed", "Black", 90))
    residents = EQUAL.with_columns(borough_code=pl.lit("E09000030"))
    found = s.disproportionality(
        rows.with_columns(financial_year=pl.lit("2023-24")),
        residents,
        [area("Tower Hamlets")],
        MET,
        YEAR,
        reference="Mixed",
    )
    assert found.filter(ethnicity="officer-defined")["why"].null_count() == 0


def test_an_area_without_searches_has_no_nan_in_the_table():
    rows = counts(("E09000030", "Black", "Black", 100)).with_columns(financial_year=pl.lit("2023-24"))
    residents = EQUAL.with_columns(borough_code=pl.lit("E09000030"))
    found = s.disproportionality(rows, residents, [area("Tower Hamlets")], MET, YEAR + 1)
    assert not found["unknown_share"].is_nan().any()


def test_residents_below_nought_are_refused():
    rows = counts(("a", "Black", "Black", 30), ("a", "White", "White", 40))
    with pytest.raises(ValueError, match="^residents are counts of 0 or more$"):
        s.relative_rate(rows, people(Black=-5, White=9), "Black", "White")


@pytest.mark.parametrize("level", [95, 1.5, 1, 0, -0.5])
def test_a_level_outside_0_and_1_is_refused(level):
    rows = counts(("a", "Black", "Black", 30), ("a", "White", "White", 40))
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        s.relative_rate(rows, EQUAL, "Black", "White", level=level)


@pytest.mark.parametrize("ethnicity", BOTH)
def test_where_nobody_living_there_is_mixed_no_mapping_of_them_moves_the_ratio(ethnicity):
    rows = counts(("a", "Black", "Black", 30), ("a", "White", "White", 40), ("a", "not stated", "Black", 7))
    few = NO_MIXED.with_columns(residents=10)
    found = s.relative_rate(rows, few, "Black", "White", ethnicity=ethnicity)
    assert found.ethnicity == ethnicity
    assert found.mapping_low == found.mapping_none == found.mapping_high == pytest.approx(found.ratio, rel=1e-12)
