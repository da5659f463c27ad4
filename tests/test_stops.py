"""Stop and search: known answers, a second computation, the bootstrap's cover, the guard, and what is refused."""

import math
import os
from collections import Counter
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from conftest import EVERY, relative_rate
from wardbook import places
from wardbook.measures import stops
from wardbook.periods import declared_breaks, read_period
from wardbook.places import Area

YEAR = read_period("2023-24")
LONDON = places.area("London")
MET = places.boroughs()["borough_code"].to_list()


def months(first: date, count: int) -> list[date]:
    return pl.date_range(first, pl.lit(first).dt.offset_by(f"{count - 1}mo"), "1mo", eager=True).to_list()


# Made-up searches -----------------------------------------------------------------------------------------------------

PEOPLE = pl.DataFrame({"ethnic_group": list(stops.GROUPS), "residents": [20_000, 10_000, 5_000, 5_000, 60_000]})


def counted(*rows: tuple, days: bool = False) -> pl.DataFrame:
    """Rows of (self-defined, officer-defined, searches), with the day before them if there are `days`."""
    columns = [*(["day"] if days else []), "self_defined", "officer_defined", "searches"]
    return pl.DataFrame(rows, schema=columns, orient="row")


KNOWN = [("Black", "Black", 300), ("White", "White", 600), ("Asian", "Asian", 100)]


def test_unknowns_go_where_officers_saw_alike_and_the_bounds_give_them_all_to_one():
    # Of 100 not stated whom officers saw as Black, all go to Black: everyone seen as Black who states it is.
    rate = relative_rate(counted(*KNOWN, ("not stated", "Black", 100)), PEOPLE)
    assert (rate.ratio, rate.known_only) == pytest.approx((4.0, 3.0))
    assert (rate.bound_low, rate.bound_high) == pytest.approx((300 / 700 * 6, 400 / 600 * 6))
    assert rate.unknown_share == pytest.approx(100 / 1100)


def test_a_boroughs_unknowns_learn_from_all_boroughs_where_it_has_none_like_them():
    here = [("White", "White", 20), ("blank", "White", 10), ("blank", "Black", 10), ("blank", "Other", 2)]
    here, there = counted(*here, ("blank", "Asian", 4)), [("Black", "Black", 30), ("Mixed", "Black", 10)]
    there += [("Black", "White", 6)]
    parts = {"here": here, "there": counted(*there, ("Mixed", "Other", 1))}
    rows = pl.concat(rows.with_columns(borough_code=pl.lit(code)) for code, rows in parts.items())
    rate = relative_rate(rows, PEOPLE)
    # The ten seen as White are White, as those here who say it; of the ten seen as Black three quarters, as there; of the two seen
    # as Other none; of the four seen as Asian, of whom nobody anywhere said what they are, what is known of all.
    assert rate.ratio == pytest.approx((36 + 7.5 + 4 * 36 / 67) / (20 + 10 + 4 * 20 / 67) * 6)


def test_officers_groups_share_mixed_residents_as_officers_saw_them():
    rows = counted(("Mixed", "Black", 30), ("Mixed", "White", 10), ("Black", "Black", 100), ("White", "White", 200))
    rate = relative_rate(rows, PEOPLE, ethnicity="officer-defined")
    assert (rate.residents_group, rate.residents_reference) == (13_750, 61_250)
    assert rate.ratio == pytest.approx(130 / 13_750 / (210 / 61_250))


# The bootstrap --------------------------------------------------------------------------------------------------------


def clustered(seed: int, days: int = 150, weekly: float = 0.0) -> tuple[pl.DataFrame, float]:
    """Searches in clusters of about six, all of one kind, and the ratio that they are drawn around, if `weekly` week by week."""
    rng = np.random.default_rng(seed)
    weeks = rng.lognormal(-(weekly**2) / 2, weekly, days // 7 + 1)
    # The share of a kind stopped a day, its officer-defined group, and how many of them do not state their own.
    kinds = {"Black": (2.0, 0.4), "White": (3.0, 0.2)}
    rows = []
    for day in range(days):
        for group, (clusters, silent) in kinds.items():
            for size in 1 + rng.poisson(5, rng.poisson(clusters * (weeks[day // 7] if group == "Black" else 1))):
                unsaid = rng.binomial(size, silent)
                when = date(2023, 4, 1) + timedelta(days=day)
                rows += [(when, group, group, int(size - unsaid)), (when, "not stated", group, int(unsaid))]
    truth = (2.0 / 10_000) / (3.0 / 60_000)
    return counted(*rows, days=True), truth


@pytest.mark.parametrize(("boroughs", "lasting"), [(1, {}), (2, {"days": 350, "weekly": 0.5})])
def test_the_bootstrap_covers_at_its_nominal_rate_where_searches_come_in_clusters(boroughs, lasting):
    """By day in a borough; by week where what moves London's boroughs together lasts: drawn by day, it covers four in five."""
    covered, trials = 0, 300 if os.environ.get(EVERY) else 100
    for seed in range(trials):
        rows, truth = clustered(seed, **lasting)
        rows = rows.with_columns(borough_code=pl.int_range(pl.len()) % boroughs)
        rate = relative_rate(rows, PEOPLE, draws=400, seed=seed)
        covered += rate.lower <= truth <= rate.upper
    # 95 %, give or take three standard errors, which are 1.3 points at 300 trials.
    assert abs(covered / trials - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / trials)


def test_the_bootstrap_depends_on_the_days_and_on_nothing_else():
    rows, _ = clustered(1)
    first = relative_rate(rows, PEOPLE)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=3).with_columns(pl.col("day") + pl.duration(days=400))
    assert relative_rate(shuffled, PEOPLE) == first
    other = relative_rate(rows, PEOPLE, seed=5)
    assert other.lower != first.lower
    assert other.lower == pytest.approx(first.lower, rel=0.02)
    one_day = rows.with_columns(pl.lit(date(2023, 4, 1)).alias("day"))
    same = relative_rate(one_day, PEOPLE)
    assert same.lower == same.upper == pytest.approx(first.ratio)


def test_a_reference_that_is_drawn_empty_leaves_the_upper_end_open():
    rows = counted((date(2023, 4, 1), "White", "White", 1), (date(2023, 4, 9), "Black", "Black", 40), days=True)
    assert relative_rate(rows, PEOPLE).upper == np.inf


# The guard ------------------------------------------------------------------------------------------------------------


def monthly(*span: tuple[date, int], complete: bool = True) -> pl.DataFrame:
    rows = [(month, stops.KINDS[0], n, n / 1000, complete, None) for month, n in span]
    columns = ["month", "kind", "stops", "rate_per_1000", "complete", "why_not"]
    return pl.DataFrame(rows, schema=columns, orient="row")


AUGUST, SEPTEMBER = date(2024, 8, 1), date(2024, 9, 1)


def test_a_month_after_august_2024_is_not_compared_with_one_before():
    planted = monthly((AUGUST, 10_638), (SEPTEMBER, 3_253))
    with pytest.raises(stops.AcrossBreak, match=r"August 2024 and of September 2024 cannot be compared"):
        stops.compare_months(planted, [AUGUST], [SEPTEMBER], declared_breaks())
    with pytest.raises(stops.AcrossBreak, match="a third of the usual rows"):
        stops.refuse_across_break([date(2025, 4, 1), date(2023, 4, 1)], declared_breaks())


def test_months_on_one_side_of_the_break_are_compared_by_day():
    before, after = months(date(2022, 9, 1), 12), months(date(2023, 9, 1), 12)
    held = monthly(*((month, 100) for month in before), *((month, 120) for month in after))
    change = stops.compare_months(held, before, after, declared_breaks())
    assert (change.baseline, change.outturn) == (1_200, 1_440)
    # 2024 has a 29 February: 366 days after, 365 before.
    assert change.change_percent == pytest.approx(100 * (1.2 * 365 / 366 - 1))
    assert change.low < change.change_percent < change.high
    stops.refuse_across_break(months(SEPTEMBER, 8), declared_breaks())
    stops.refuse_across_break(months(date(2022, 4, 1), 29), declared_breaks())


def test_a_month_that_is_not_whole_is_no_end_of_a_comparison():
    planted = monthly((date(2022, 12, 1), 5_706), complete=False)
    planted = pl.concat([planted, monthly((date(2023, 12, 1), 9_000))])
    with pytest.raises(ValueError, match="December 2022 are not complete"):
        stops.compare_months(planted, [date(2022, 12, 1)], [date(2023, 12, 1)], declared_breaks())


# Shares ---------------------------------------------------------------------------------------------------------------

RESULTS = ["Arrest", "Community resolution", "A no further action disposal", "Arrest", "not recorded"]
FIVE = pl.DataFrame({"outcome": RESULTS, "searches": [81, 19, 163, 3, 1]}).with_columns(
    object_of_search=pl.Series(["Controlled drugs"] * 3 + ["Offensive weapons"] * 2),
    more_than_outer_clothing=pl.Series([True, False, None, None, None]),
)


def test_shares_have_wilsons_interval():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 by the score method.
    drugs = stops.shares(FIVE, stops.ARREST, "object_of_search").row(0, named=True)
    assert (drugs["count"], drugs["of"]) == (81, 263)
    assert (round(drugs["lower"], 4), round(drugs["upper"], 4)) == (0.2553, 0.3662)


def test_a_positive_outcome_is_more_than_an_arrest_and_no_record_is_none():
    rates = stops.outcome_rates(FIVE)
    assert dict(rates.select("result", "count").iter_rows()) == {"arrest": 84, "any positive outcome": 103}
    assert set(rates["of"]) == {267}


def test_what_is_not_published_counts_neither_way():
    told = stops.shares(FIVE, pl.col("more_than_outer_clothing"), "object_of_search")
    assert told.select("object_of_search", "count", "of").rows() == [("Controlled drugs", 81, 100)]


# Where ----------------------------------------------------------------------------------------------------------------


def test_ward_rates_are_over_residents_and_over_offences():
    placed = pl.DataFrame({"ward_code": ["d", "a", "a"], "placed_by": ["best fit"] * 3, "stops": [2, 10, 20]})
    people = pl.DataFrame({"ward_code": ["d", "a", "b", "b", "c"], "residents": [2_000, 10_000, 4_000, 1_000, 500]})
    crimes = pl.DataFrame({"ward_code": ["a", "b", "d"], "offences": [600, 0, 1]})
    assert stops.ward_rates(placed, people, crimes).rows() == [
        ("a", "best fit", 30, 10_000, 600, 3.0, 5.0),
        ("b", None, 0, 5_000, 0, 0.0, None),
        ("c", None, 0, 500, None, 0.0, None),
        ("d", "best fit", 2, 2_000, 1, 1.0, 200.0),
    ]


# The edition's months ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(committed):
    """The edition's tables by name."""
    names = ("searches", "searches_by_day", "stops", "stop_coverage", "ward_placing", "population")
    return {name: committed.table(name) for name in names}


@pytest.fixture(scope="module")
def year(made):
    return made["searches_by_day"].filter(pl.col("day").dt.month_start().is_in(YEAR.months))


@pytest.fixture(scope="module")
def people(made):
    return made["population"].filter(pl.col("borough_code").is_in(MET))


def test_london_black_to_white_is_what_was_measured_beforehand(year, people):
    rate = relative_rate(year, people)
    assert rate.known_only == pytest.approx(3.06, abs=0.02)
    assert (rate.bound_low, rate.bound_high) == pytest.approx((1.48, 7.31), abs=0.05)
    assert rate.ratio == pytest.approx(3.62, abs=0.02)
    assert rate.unknown_share == pytest.approx(0.313, abs=0.001)


def test_children_are_the_share_of_searches_that_methods_states(made):
    # METHODS: 22 of 100 searches of Black people and 15 of White are of children.
    every = made["searches"].filter(pl.col("month").is_in(YEAR.months))
    children = dict(stops.shares(every, stops.CHILD, "self_defined").select("self_defined", "share").iter_rows())
    assert (children["Black"], children["White"]) == pytest.approx((0.219, 0.145), abs=0.001)


def test_the_table_of_a_year_counted_again_in_plain_python(made):
    powers, results = Counter(dict.fromkeys(stops.KINDS, 0)), Counter()
    for row in made["stops"].filter(pl.col("month").is_in(YEAR.months)).iter_rows(named=True):
        person = stops.KINDS[row["is_section_60"]]
        powers[stops.KINDS[2] if row["search_type"] == "Vehicle search" else person] += row["stops"]
    persons = made["searches"].filter(pl.col("month").is_in(YEAR.months))
    for outcome, searches in persons.select("outcome", "searches").iter_rows():
        results["arrest"] += searches * (outcome == "Arrest")
        results["any positive outcome"] += searches * (outcome not in ("A no further action disposal", "not recorded"))
    monthly = stops.monthly_rates(made["stops"], made["stop_coverage"], 8_000_000)
    table = stops.year_table(monthly, persons, LONDON, YEAR, 8_000_000)
    named, every = ("London", str(YEAR)), persons["searches"].sum()
    expected = [(*named, "searches", kind, n, 8_000_000, n / 8_000, None) for kind, n in powers.items()]
    expected += [(*named, "outcome of person searches", name, n, every, None, n / every) for name, n in results.items()]
    assert table.columns[-2:] == ["lower", "upper"]
    assert table.drop("lower", "upper").rows() == [pytest.approx(row) for row in expected]


def test_the_newest_twelve_complete_months_end_in_august_2024(made):
    held = made["stop_coverage"]
    # Not after what is asked for; where nothing is held by then, the first twelve there are.
    for asked, newest in {(2026, 2): "2024-08", (2024, 6): "2024-06", (2018, 2): "2023-12"}.items():
        assert str(stops.newest_year(held, date(*asked, 1))) == f"year to {newest}"
        assert str(stops.newest_year(held, date(*asked, 1), financial=True)) == "2023-24"
    for since, financial in ((date(2023, 10, 1), False), (date(2023, 5, 1), True)):
        with pytest.raises(ValueError, match="no twelve months"):
            stops.newest_year(held.filter(pl.col("month") >= since), date(2026, 2, 1), financial=financial)
    before, after = stops.matched_months(held, read_period("year to 2024-08"))
    # December 2022 ends on the 17th: December is in neither year.
    assert after == [month for month in months(date(2023, 9, 1), 12) if month.month != 12]
    assert before == [month.replace(year=month.year - 1) for month in after]


def test_the_best_fit_puts_most_stops_in_the_ward_of_their_outline(made):
    placed = made["ward_placing"].filter(financial_year=str(YEAR))
    assert placed["same_ward"].sum() / placed["stops"].sum() == pytest.approx(0.84, abs=0.01)  # measured beforehand


# The tables of ratios -------------------------------------------------------------------------------------------------

AREAS = [LONDON, *(places.area(name) for name in ("Tower Hamlets", "Kingston upon Thames"))]


@pytest.fixture(scope="module")
def ratios(year, made):
    return stops.disproportionality(year, made["population"], AREAS, MET, str(YEAR))


def test_where_mixed_residents_are_put_moves_the_officer_defined_ratio(ratios):
    assert ratios.columns == list(stops.TABLE)
    assert ratios.select("period", "reference").unique().rows() == [(str(YEAR), "White")]
    seen = ratios.filter(area="London", ethnicity="officer-defined", group="Black").row(0, named=True)
    assert (seen["mapping_low"], seen["mapping_none"]) == pytest.approx((2.7, 3.9), abs=0.05)
    assert seen["mapping_low"] < seen["ratio"] < seen["mapping_none"] < seen["mapping_high"]


def test_by_object_too_few_searches_give_no_ratio_and_say_why(year, made):
    table = stops.disproportionality_by_object(year, made["population"], AREAS, MET, str(YEAR))
    assert table.columns == ["object", *stops.TABLE]
    assert table["object"].unique(maintain_order=True).to_list() == ["drugs", "weapons", "stolen goods", "section 60"]
    assert table.height == 4 * len(AREAS) * 8
    few = table.filter(pl.min_horizontal("searches_known", "searches_reference_known") < stops.TOO_FEW)
    assert few.height
    assert few["ratio"].null_count() == few["upper"].null_count() == few.height
    assert few["why"].str.starts_with("fewer than 10 searches").all()
    mixed = table.filter(ethnicity="officer-defined", group="Mixed")["why"]
    assert mixed.unique().to_list() == ["officers' codes have no Mixed group"]


def test_a_row_of_fewer_than_100_searches_or_5_000_residents_rests_on_few():
    names = ["searches_known", "searches_reference_known", "residents_group", "residents_reference"]
    enough = [100, 100, 5_000, 5_000]
    rows = [enough, *([n - (i == one) for i, n in enumerate(enough)] for one in range(4))]
    table = pl.DataFrame(rows, schema=names, orient="row")
    assert table.select(stops.rests_on_few()).rows() == [(False,), *[(True,)] * 4]


def test_the_counts_beneath_the_ratios_add_up_whatever_the_definition(year):
    for by, width in (([], 1), (["object"], 5)):
        table = stops.group_counts(year, AREAS, by_object=bool(by))
        assert table.columns == ["area", *by, "ethnicity", "group", "searches"]
        # In Kingston nobody was searched under section 60.
        assert table.height == (len(AREAS) * width - bool(by)) * (6 + 5)
        for area in AREAS:
            mine = year if area.is_london else year.filter(borough_code=area.code)
            sums = table.filter(area=area.name).group_by("ethnicity").agg(pl.col("searches").sum())
            assert sums["searches"].to_list() == [mine["searches"].sum()] * 2


def test_an_area_without_searches_has_a_row_that_says_so(year, made):
    nowhere = Area("E09000099", "Nowhere")
    homes = made["population"].with_columns(pl.lit(nowhere.code).alias("borough_code"))
    table = stops.disproportionality(year, homes, [nowhere], [nowhere.code], str(YEAR))
    assert table.height == 8
    assert not table["why"].has_nulls()
    assert table["unknown_share"].null_count() == 8


# Rates held within boroughs -------------------------------------------------------------------------------------------


def made_up(*rows: tuple[int, int, int, int]) -> dict:
    """The row of strata of (events, person-time, reference events, reference person-time), as if they were boroughs."""
    events, residents = [], []
    for number, (one, time, other, reference_time) in enumerate(rows):
        day = date(2023, 4, 3) + timedelta(weeks=number)
        events += [(f"s{number}", day, "Black", "Black", one), (f"s{number}", day, "White", "White", other)]
        residents += [(f"s{number}", "Black", time), (f"s{number}", "White", reference_time)]
    counts = pl.DataFrame(
        events, schema=["borough_code", "day", "self_defined", "officer_defined", "searches"], orient="row"
    )
    people = pl.DataFrame(residents, schema=["borough_code", "ethnic_group", "residents"], orient="row")
    area, codes = Area(places.LONDON_CODE, "London"), people["borough_code"].unique().to_list()
    table = stops.disproportionality(counts, people, [area], codes, "made up")
    return table.filter(ethnicity="self-defined", group="Black").row(0, named=True)


def within(*rows: tuple[int, int, int, int]) -> float:
    row = made_up(*rows)
    assert row["within_low"] <= row["within_boroughs"] <= row["within_high"]
    return row["within_boroughs"]


def test_a_reference_group_of_fewer_than_ten_gives_no_ratio():
    assert (made_up((40, 1_000, 10, 1_000))["ratio"], made_up((40, 1_000, 9, 1_000))["ratio"]) == (4, None)


def test_british_doctors_who_smoke():
    # Doll & Hill (1966), coronary deaths by age, as in the documentation of Stata's `ir`.
    deaths = [32, 104, 206, 186, 102], [2, 12, 28, 28, 31]
    years = [52_407, 43_248, 28_612, 12_663, 5_317], [18_790, 10_673, 5_710, 2_585, 1_462]
    assert within(*zip(deaths[0], years[0], deaths[1], years[1])) == pytest.approx(1.424682, abs=5e-7)


def test_deaths_of_current_and_past_users_of_clozapine():
    # Walker et al. (1997), Epidemiology 8, 671-677, by two ages, as the person-time example of Rothman (2002), Epidemiology:
    # An Introduction, chapter 8: 0.45 and 0.49 within ages, pooled 0.47.
    young, old = (196, 62_119, 111, 15_763), (167, 6_085, 157, 2_780)
    assert [round(within(*strata), 2) for strata in ((young,), (old,), (young, old))] == [0.45, 0.49, 0.47]


# What other tables are made of ----------------------------------------------------------------------------------------


def test_every_kind_is_in_every_month_and_kinds_are_apart():
    april, may = date(2023, 4, 1), date(2023, 5, 1)
    kinds = ["Person search", "Person and Vehicle search", "Person search", "Vehicle search", "Vehicle search"]
    counts = {"search_type": kinds, "stops": [5, 2, 3, 1, 1]}
    rows = pl.DataFrame(counts | {"is_section_60": [False, False, True, True, False], "month": [april] * 5})
    coverage = pl.DataFrame({"month": [may, april], "complete": [False, True], "why_not": ["ends on the 17th", None]})
    expected = [(april, kind, n, float(n), True, None) for kind, n in zip(stops.KINDS, (7, 3, 2))]
    expected += [(may, kind, 0, 0.0, False, "ends on the 17th") for kind in stops.KINDS]
    assert stops.monthly_rates(rows, coverage, 1_000).rows() == expected


def test_more_thorough_searches_are_divided_four_ways_and_no_year_is_left_out():
    columns = ["year", "age_band", "ethnic_appearance", "adult_present", "outcome", "searches"]
    rows = [
        (2019, "under 18", "Black", "yes", "drugs", 3),
        (2019, "18 and over", "White", "not recorded", "drugs", 9),
        (2021, "18 and over", "Asian", "not recorded", "no positive outcome", 6),
    ]
    rows = pl.DataFrame(rows, schema=columns, schema_overrides={"year": pl.Int32}, orient="row")
    assert stops.thorough_years(rows, [2021, 2019, 2020]).rows() == [(2019, 12, 3), (2020, 0, 0), (2021, 6, 0)]
    items = stops.thorough_items(rows, pl.col("ethnic_appearance") != "Asian").rows_by_key(["year", "measure"])
    of_2019 = {"adult_present": [("yes", 3)], "age_band": [("18 and over", 9), ("under 18", 3)]}
    of_2019 |= {"ethnic_appearance": [("Black", 3), ("White", 9)], "outcome": [("drugs", 12)]}
    of_2021 = {"age_band": "18 and over", "ethnic_appearance": "Asian", "outcome": "no positive outcome"}
    expected = {(2019, measure): counts for measure, counts in of_2019.items()}
    assert dict(items) == expected | {(2021, measure): [(item, 0)] for measure, item in of_2021.items()}


# Against what others printed ------------------------------------------------------------------------------------------


def test_all_stops_and_arrests_agree_with_the_lords_answer(committed):
    printed = pl.read_csv(places.REFERENCE / "published_stops.csv").rows_by_key("figure_id", named=True, unique=True)
    rows = committed.table("stops").filter(pl.col("month").is_in(YEAR.months))
    total, arrests = rows["stops"].sum(), rows.filter(outcome="Arrest")["stops"].sum()
    assert 0.96 * printed["met-stops"]["low"] <= total <= 1.04 * printed["met-stops"]["high"]
    assert round(100 * arrests / total) == printed["met-arrest-share"]["low"]
    assert arrests == pytest.approx(printed["met-arrests"]["low"], rel=0.04)
