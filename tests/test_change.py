"""The ruler: that it holds where it is laid, finds what is there, and says what it cannot judge."""

import math
import os
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import optimize, special, stats

from conftest import EVERY
from wardbook import places
from wardbook.measures import change
from wardbook.periods import declared_breaks, read_period, year_to

BOROUGHS = places.boroughs()
YEARS = [year_to(date(year, month, 1)) for year in range(2018, 2027) for month in (2, 3)][1:-1]
PANDEMIC = (date(2020, 4, 1), date(2021, 7, 1))


@pytest.fixture(scope="module")
def monthly(committed):
    table = committed.table("borough_offences")
    return table.filter(snapshot=table["snapshot"].max())


@pytest.fixture(scope="module")
def yearly(monthly):
    return monthly.filter(pl.col("offence_group").is_in(change.YEARLY_GROUPS))


@pytest.fixture(scope="module")
def year(yearly):
    """The 32 boroughs' years to February 2026, and the ruler they were judged by."""
    rows, ruler = change.judge_windows(yearly, YEARS[-1].earlier(), YEARS[-1], declared_breaks(), "borough_offences")
    return rows.filter(pl.col("borough_code") != places.LONDON_CODE), ruler


def judged(monthly, after, before=None, series="borough_offences"):
    before = before or after.earlier()
    return change.compare(monthly, before, after, declared_breaks(), series)


def code(name):
    return places.area(name).code


def row_of(rows, name):
    return rows.row(by_predicate=pl.col("borough_code") == code(name), named=True)


def test_about_one_in_twenty_stands_out_in_an_ordinary_year(yearly):
    shares = []
    for after in YEARS if os.environ.get(EVERY) else YEARS[::3]:
        rows = judged(yearly, after).filter(pl.col("borough_code") != places.LONDON_CODE)
        verdict = pl.col("against_london")
        told = rows.filter(verdict.is_in([change.BELOW, change.IN_LINE, change.ABOVE]))
        out = told.filter(verdict != change.IN_LINE)
        many = (pl.col("stand_out") > 0.12 * pl.col("judged")) & (pl.col("judged") >= 16)
        calm = "{} of {} boroughs lie outside: its history is too calm to judge these years"
        why = pl.when(many).then(pl.format(calm, "stand_out", "judged")).otherwise(pl.lit(""))
        assert told.filter(pl.col("comparable") & pl.col("alike") & (pl.col("why") != why)).is_empty()
        if after.earlier().first > PANDEMIC[1] or after.last < PANDEMIC[0]:
            shares.append(out.height / told.height)
    assert all(0.02 <= share <= 0.10 for share in shares) and len(shares) > 3
    assert 0.04 <= np.mean(shares) <= 0.07


def test_one_borough_half_again_is_found_and_none_where_nothing_was_planted(yearly, year):
    after, ruler = YEARS[-1], year[1]
    total = yearly.filter(offence_group=change.TOTAL)
    counts = change.count_windows(total, after.earlier(), after)
    found = 0
    for borough in BOROUGHS["borough_code"]:
        half_again = pl.when(pl.col("borough_code") == borough).then((pl.col("after") * 1.5).cast(pl.Int64))
        planted = change.with_rest_of_london(counts.with_columns(after=half_again.otherwise("after")))
        rows = change.against_london(planted, ruler)
        found += rows.filter(borough_code=borough)["against_london"][0] == change.ABOVE
    assert found >= 30
    unplanted = change.against_london(change.with_rest_of_london(counts), ruler)["against_london"]
    assert unplanted.is_in([change.ABOVE, change.BELOW]).sum() <= 3  # a tenth of 32


def test_mopac_7_like_for_like(monthly):
    before, after = read_period("2011-12"), read_period("2015-16")
    rows = judged(monthly.filter(offence_group="MOPAC 7"), after, before)
    lewisham, hamlets, london = (row_of(rows, name) for name in ("Lewisham", "Tower Hamlets", "London"))
    assert [round(row["change_percent"], 1) for row in (lewisham, hamlets, london)] == [-20.6, 3.1, -17.8]
    assert (lewisham["as_far"], lewisham["of"]) == (112, 160)
    assert (hamlets["as_far"], hamlets["of"]) == (3, 160)
    assert lewisham["against_london"] == change.IN_LINE
    assert hamlets["against_london"] == change.ABOVE
    assert (london["against_london"], london["offence_group"], london["comparable"]) == (None, "MOPAC 7", True)


def test_a_break_that_cuts_forbids_the_raw_change_and_leaves_the_relative_one(yearly):
    rows = judged(yearly, read_period("2024-25")).filter(borough_code=code("Tower Hamlets"))
    violence = rows.row(by_predicate=pl.col("offence_group") == "violence with injury", named=True)
    assert not violence["comparable"]
    assert "CONNECT" in violence["why"]
    assert violence["against_london"] in change.VERDICTS[:3]  # it hit all boroughs alike
    sexual = rows.row(by_predicate=pl.col("offence_group") == "sexual offences", named=True)
    assert not sexual["comparable"]
    assert "7.2% to 1.9%" in sexual["why"]
    robbery = rows.row(by_predicate=pl.col("offence_group") == "robbery", named=True)
    assert robbery["comparable"] and robbery["alike"]
    assert "CONNECT" in robbery["crosses"] and "CONNECT" not in robbery["why"]


def test_a_year_that_touches_the_pandemic_says_that_it_did_not_hit_all_alike(yearly):
    rows = judged(yearly, read_period("2020-21")).filter(borough_code=code("Westminster"), offence_group=change.TOTAL)
    assert rows["why"][0].startswith("The pandemic months did not hit all boroughs alike")


def test_knife_crime_cannot_be_judged_yet_and_says_how_many_windows_there_are(committed):
    table = committed.table("knife_offences").rename({"subtype": "offence_group"})
    rows = judged(table.filter(offence_group="Knife Crime"), year_to(date(2026, 2, 1)), series="knife_offences")
    row = rows.filter(borough_code=code("Camden")).row(0, named=True)
    assert row["against_london"] == change.CANNOT_SAY
    assert row["why"] == "its history has only one window that overlaps no other"


# -- a second computation ------------------------------------------------------------------------------------------------------


def test_the_relative_change_and_as_far_computed_again_in_plain_python(monthly):
    group, after = "robbery", year_to(date(2026, 2, 1))
    counted, held = Counter(), monthly.filter(offence_group=group)
    for borough, month, offences in held.select("borough_code", "month", "offences").iter_rows():
        counted[borough, month.year + (month.month > 2)] += offences
    boroughs = BOROUGHS["borough_code"].to_list()

    def moved(borough, year):
        rest = [sum(counted[b, y] for b in boroughs if b != borough) for y in (year - 1, year)]
        return math.log(counted[borough, year] / counted[borough, year - 1] / (rest[1] / rest[0]))

    # Years ending February 2013 to 2025 (the file begins in April 2010), without those a month of which lies in April 2020 to July 2021.
    others = [moved(b, year) for b in boroughs for year in range(2013, 2026) if year not in (2021, 2022, 2023)]
    rows = judged(monthly.filter(offence_group=group), after)
    for row in rows.filter(pl.col("borough_code") != places.LONDON_CODE).iter_rows(named=True):
        own = moved(row["borough_code"], 2026)
        assert row["relative_percent"] == pytest.approx(100 * (math.exp(own) - 1))
        assert row["of"] == len(others) == 320
        assert row["as_far"] == sum(abs(other) >= abs(own) - 1e-12 for other in others)
    # London beside its own other years.
    whole = {year: sum(counted[b, year] for b in boroughs) for year in range(2012, 2027)}
    sizes = {year: abs(math.log(whole[year] / whole[year - 1])) for year in range(2013, 2027)}
    usual = [sizes[year] for year in range(2013, 2026) if year not in (2021, 2022, 2023)]
    london = row_of(rows, "London")
    assert (london["as_far"], london["of"]) == (sum(size >= sizes[2026] for size in usual), len(usual))


# Offences before and after, the rest of London's, and what is said of them where nothing but chance is usual.
BY_CHANCE = [
    (7, 3, 100, 110, change.TOO_FEW),
    (40, 44, 900, 800, change.IN_LINE),
    (1, 1, 100, 900, change.TOO_FEW),  # both after would be in line: no end above
    (12, 12, 500, 500, change.TOO_FEW),  # half and double exactly
    (12, 60, 100, 600, change.IN_LINE),  # double, but not half
    (20, 100, 100, 500, change.IN_LINE),
    (1000, 4, 100_000, 490, change.TOO_FEW),  # 4.9 expected
    *((1000, n, 100_000, 500, change.BELOW if n < 2 else change.ABOVE if n > 9 else change.IN_LINE) for n in range(12)),
]


def chance_alone(apart: int = 3) -> change.Ruler:
    """A ruler of nothing but chance in two counts, learnt from windows of which so many do not overlap."""
    fit = {"offence_group": "x", "phi": 1.0, "tau2": 0.0, "scale": 1.0, "windows": 9, "apart": apart}
    return change.Ruler(YEARS[-1].earlier(), YEARS[-1], pl.DataFrame(fit), pl.DataFrame(schema=change._TAUGHT))


def test_by_chance_alone_the_region_is_the_exact_binomial_one_and_the_verdict_follows_from_it():
    names = ["before", "after", "rest_before", "rest_after", "verdict"]
    rows = pl.DataFrame(BY_CHANCE, schema=names, orient="row").with_columns(offence_group=pl.lit("x"))
    judged = change.against_london(rows, chance_alone())
    assert judged["against_london"].to_list() == judged["verdict"].to_list()
    for row in judged.iter_rows(named=True):
        n, london = row["before"] + row["after"], row["rest_after"] / row["rest_before"]
        k, share = np.arange(n + 1), london / (1 + london)
        middle = stats.binom.cdf(k - 1, n, share) + stats.binom.pmf(k, n, share) / 2
        ends = k[(middle >= 0.025) & (middle <= 0.975)][[0, -1]]
        percents = [100 * (end / (n - end) / london - 1) if end < n else None for end in ends]
        assert [row["usual_low_percent"], row["usual_high_percent"]] == pytest.approx(percents)


def test_a_history_of_one_or_two_windows_cannot_say_and_no_offences_at_all_compare():
    columns = {"borough_code": ["a", "b", "a"], "offence_group": ["x", "x", "none"]}
    counts = pl.DataFrame(columns | {"before": [200, 210, 0], "after": [200, 190, 0]})
    rulers = {apart: chance_alone(apart) for apart in (1, 2, 3)}
    given = declared_breaks(), "borough_offences", rulers[1].before, rulers[1].after
    compares = change.comparability(counts, *given)
    assert compares["comparable"].to_list() == [True, True]
    lost = counts.with_columns(borough_code=pl.Series(["a", "unknown", "unknown"]), after=pl.Series([0, 9, 5]))
    assert change.comparability(lost, *given)["comparable"].to_list() == [False, False], "none has a borough any more"
    whys = [change.judge(counts, ruler, compares)["why"][-1] for ruler in rulers.values()]
    lacks = ("one window that overlaps no other", "2 windows that do not overlap")
    assert whys == [*(f"its history has only {windows}" for windows in lacks), ""]


def test_a_relative_change_takes_a_count_of_nought_for_a_half():
    counts = {"before": [4, 0, 1, 0, 2], "after": [1, 3, 0, 0, 2]}
    counts |= {"rest_before": [100, 100, 100, 0, 100], "rest_after": [200, 200, 200, 1, 0]}
    by_hand = [math.log(own) for own in (1 / 4 / 2, 3 / 0.5 / 2, 0.5 / 1 / 2, 1 / (1 / 0.5), 1 / (0.5 / 100))]
    assert change.log_relative(pl.DataFrame(counts)) == pytest.approx(by_hand)
    assert pl.select(change._size(pl.lit(0), pl.lit(4))).item() == pytest.approx(math.log(4 / 0.5))  # London's own


def test_an_ordinary_change_is_as_rare_as_the_integral_over_all_odds_says(year):
    """On a fine grid: at 21 nodes alone 0.83 stood for 0.91, and of 512 comparisons one stood after correction that does not."""
    rows, ruler = year
    table = {row["offence_group"]: row for row in ruler.table.to_dicts()}
    z = np.linspace(-9, 9, 3601)
    rows = rows.drop_nulls("p").sort("before")
    for row in [*rows[::16].to_dicts(), *rows[-8:].to_dicts(), *rows.sort("p")[:8].to_dicts()]:
        fit, n = table[row["offence_group"]], row["before"] + row["after"]
        london = row["rest_after"] / row["rest_before"]
        chance = (1 + london) ** 2 / (n * london)
        variance = fit["scale"] ** 2 * (fit["phi"] * chance + fit["tau2"]) - chance
        share = special.expit(math.log(london) + math.sqrt(max(variance, 0)) * z)
        middle = stats.binom.cdf(row["after"] - 1, n, share) + stats.binom.pmf(row["after"], n, share) / 2
        middle = (middle * stats.norm.pdf(z)).sum() * (z[1] - z[0])
        assert row["p"] == pytest.approx(2 * min(middle, 1 - middle), rel=1e-6), (
            row["borough_code"],
            row["offence_group"],
        )


def test_without_a_london_or_a_history_nothing_is_usual(year):
    _, ruler = year
    columns = ["offence_group", "borough_code", "before", "after", "rest_before", "rest_after"]
    rows = [("robbery", "a", 90, 99, 0, 900), ("robbery", "b", 90, 99, 900, 0), ("robbery", "c", 0, 0, 900, 900)]
    rows += [("never learnt", "d", 90, 99, 900, 900)]
    judged = change.against_london(pl.DataFrame(rows, schema=columns, orient="row"), ruler)
    assert judged["against_london"].to_list() == [change.TOO_FEW] * 3 + [change.CANNOT_SAY]
    assert judged.select("usual_low_percent", "usual_high_percent").null_count().row(0) == (4, 4)
    assert judged["change_percent"].to_list() == pytest.approx([10, 10, None, 10])
    assert judged["london_change_percent"].to_list() == [None, -100, 0, 0]
    assert judged["of"].to_list() == [judged["of"][0]] * 3 + [0] and judged["of"][0] > 100


def test_where_only_the_two_years_are_held_no_change_is_judged(monthly):
    """A thousand robberies were "too few to say" in a release of 24 months, whose Historical file was missing."""
    rows = judged(monthly.filter(pl.col("month") >= date(2024, 3, 1), offence_group="robbery"), YEARS[-1])
    assert set(rows["against_london"]) == {change.CANNOT_SAY, None} and set(rows["of"]) == {0}
    assert set(rows.drop_nulls("against_london")["why"]) == {"no other years are held to judge it by"}
    assert change.with_usual_change(rows).select("low", "high").null_count().row(0) == (33, 33)


def test_an_older_release_teaches_of_the_years_that_a_newer_one_leaves_out(book):
    """The Met's releases begin in August 2020 since mid-2026: built from one, no change could be judged at all."""
    whole, old = book.monthly(), pl.col("month") < date(2020, 8, 1)
    lacks = old & (pl.col("offence_group") == "shoplifting")
    dated = pl.when(old).then(pl.lit("2023-09")).otherwise("snapshot")
    book = replace(book, edition=replace(book.edition))
    book.edition._frames["borough_offences"] = whole.filter(~lacks).with_columns(snapshot=dated)
    both = book.monthly()
    assert both["snapshot"][0] == "2026-02" and both.height == whole.filter(~lacks).height
    known = pl.col("offence_group").is_in(["robbery", "residential burglary"])
    rows = [judged(monthly.filter(known), YEARS[-1]) for monthly in (whole, both)]
    assert rows[0].equals(rows[1]) and change.IN_LINE in rows[0]["against_london"]
    # Two windows of what is held.
    assert set(judged(both.filter(offence_group="shoplifting"), YEARS[-1])["of"]) == {2, 64}


def test_a_kind_of_offence_that_nowhere_happened_is_too_few_to_say(monthly):
    rows = judged(monthly.filter(offence_group="robbery").with_columns(offences=pl.lit(0)), YEARS[-1])
    assert set(rows["against_london"]) == {change.TOO_FEW, None} and set(rows["of"]) == {0}
    assert set(rows.drop_nulls("against_london")["why"]) == {"an ordinary year could halve or double it"}


def test_the_fit_is_where_weighted_least_squares_stays(year):
    """A second solver: at the weights of the fit that is given, it gives the same fit."""
    learnt, table = year[1].changes, year[1].table
    for group in ("robbery", "shoplifting", change.TOTAL):
        rows = learnt.filter(offence_group=group)
        sums = rows.group_by("after_last").agg(pl.col("before", "after").sum().name.prefix("all_"))
        rows = rows.join(sums, on="after_last")
        london = ((rows["all_after"] - rows["after"]) / (rows["all_before"] - rows["before"])).to_numpy()
        n = (rows["before"] + rows["after"]).to_numpy()
        chance = (1 + london) / n + (1 + london) / (n * london)  # 1/b + 1/o of the sum, shared as London's
        fit = table.row(by_predicate=pl.col("offence_group") == group, named=True)
        weight = 1 / (fit["phi"] * chance + fit["tau2"])
        design = np.column_stack([chance, np.ones_like(chance)]) * weight[:, None]
        squared = rows["log_relative"].to_numpy() ** 2
        again = optimize.lsq_linear(design, squared * weight, bounds=([1, 0], np.inf), tol=1e-14).x
        assert again == pytest.approx([fit["phi"], fit["tau2"]], rel=1e-6)


# -- the ruler's funnel ------------------------------------------------------------------------------------------------------


def test_a_p_value_is_under_one_in_twenty_exactly_where_a_change_stands_out(year):
    rows, ruler = year
    p = change.p_values(rows, ruler)
    outside = rows["against_london"].is_in([change.BELOW, change.ABOVE]).to_numpy()
    told = rows["p"].is_not_null().to_numpy()
    assert told.sum() == 512 and outside.sum() == 18
    assert ((p < 0.05)[told] == outside[told]).all()
    marked = rows.with_columns(out=pl.Series(outside), told=pl.Series(told))
    sums = marked.group_by("offence_group", "stand_out", "judged")
    for _, stand_out, asked, out, all_told in sums.agg(pl.col("out", "told").sum()).iter_rows():
        assert (stand_out, asked) == (out, all_told)
    assert rows["p"].drop_nulls().to_numpy() == pytest.approx(p[told])


def test_the_standard_error_is_the_rulers_own_variance(year):
    rows, ruler = year
    fits = {fit["offence_group"]: fit for fit in ruler.table.iter_rows(named=True)}
    assert max(fit["tau2"] * abs(fit["scale"] - 1) for fit in fits.values()) > 1e-4
    some = rows.filter(
        pl.col("after") > 0, (pl.col("borough_code") == "E09000030") | (pl.col("offence_group") == "homicide")
    )
    for row in some.iter_rows(named=True):
        fit = fits[row["offence_group"]]
        # At what is expected of the two counts' sum, shared as the rest of London shares its own.
        london = row["rest_after"] / row["rest_before"]
        total = row["before"] + row["after"]
        b, o = total / (1 + london), total * london / (1 + london)
        by_hand = fit["scale"] * math.sqrt(fit["phi"] * (1 / b + 1 / o) + fit["tau2"])
        # A scale below 1 takes nothing from chance alone, as it takes nothing from the usual range.
        assert row["log_error"] == pytest.approx(max(by_hand, math.sqrt(1 / b + 1 / o)))


def test_the_funnel_that_is_drawn_is_the_range_a_borough_is_year_by(year):
    rows, ruler = year
    group = rows.filter(offence_group="theft from a vehicle").with_columns(both=pl.col("before") + pl.col("after"))
    funnel = change.usual_funnel(group, ruler)
    assert funnel["both"].is_sorted() and funnel.height == 80
    # A tenth beyond the smallest borough's volume and the largest's.
    ends = (funnel["both"][0] / group["both"].min(), funnel["both"][-1] / group["both"].max())
    assert ends == pytest.approx((0.9, 1.1), abs=0.002)
    for row in group.iter_rows(named=True):
        at = funnel.sort((pl.col("both") - row["both"]).abs()).row(0, named=True)
        # Its own rest of London, and whole counts: a per cent or two of a hundred apart.
        assert at["low"] == pytest.approx(row["usual_low_percent"], abs=2)
        assert at["high"] == pytest.approx(row["usual_high_percent"], abs=3)


def test_a_usual_change_is_londons_times_the_usual_range(year):
    rows, _ = year
    for row in change.with_usual_change(rows).iter_rows(named=True):
        if row["against_london"] == change.TOO_FEW:
            assert row["low"] is None and row["high"] is None
        elif row["usual_high_percent"] is not None:
            for end in ("low", "high"):
                by_hand = (1 + row["london_change_percent"] / 100) * (1 + row[f"usual_{end}_percent"] / 100) - 1
                assert row[end] == pytest.approx(100 * by_hand)
            assert (row["low"] <= row["change_percent"] <= row["high"]) == (row["against_london"] == change.IN_LINE)


# -- relations that must hold ---------------------------------------------------------------------------------------------------


def test_windows_that_share_a_month_are_not_counted_as_apart(monthly):
    months = monthly["month"].unique().to_list()
    before, after = read_period("2011-12"), read_period("2015-16")
    pairs = change.teaching_windows(months, before, after, [PANDEMIC])
    assert [str(last) for _, last in pairs] == ["2014-15", "2016-17", "2017-18", "2018-19", "2019-20"]
    until = change.teaching_windows(months, before, after, [(date(2010, 4, 1), date(2013, 4, 1))])
    assert str(until[0][0]) == "2014-15"  # April 2013 is the first month of the one before
    assert change.windows_apart(pairs) == 4  # 2010 and 2014, 2012 and 2016, 2013 and 2017, 2015 and 2019
