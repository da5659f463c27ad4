"""Trends: XmR, expected counts, breaks, windows: on published numbers, on simulations, and on the edition."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from wardbook.figures import trends as charts
from wardbook.figures.export import Absent
from wardbook.measures import trends, verdicts
from wardbook.measures.usual import UsualVariation
from wardbook.measures.verdicts import YEARLY_GROUPS
from wardbook.notebook import open_book
from wardbook.periods import FinancialYear, breaks_between, declared_breaks
from wardbook.places import UnknownName

NO_BREAKS = declared_breaks().clear()
NONE_USUAL = lambda lag: None  # noqa: E731 - a series without a history


def months_from(year, month, n):
    return [date(year + (month - 1 + i) // 12, (month - 1 + i) % 12 + 1, 1) for i in range(n)]


def counts_of(values, start=(2015, 4)):
    return pl.DataFrame({"month": months_from(*start, len(values)), "offences": [int(v) for v in values]})


def breaks_of(*rows):
    """Declared breaks made for a test: (break_id, from_month, to_month, effect)."""
    made = [(i, "borough_offences", a, b, "all", effect, i, "") for i, a, b, effect in rows]
    return pl.DataFrame(made, schema=declared_breaks().schema, orient="row")


# -- XmR ---------------------------------------------------------------------------------------------------------------


def test_xmr_screens_outlying_ranges_as_published():
    # METHODS.md (Making Data Count's screening rule): two of the seventeen ranges are screened out.
    chart = trends.xmr([1, 2, 1, 2, 10, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1])
    assert (round(chart.mean, 2), round(chart.upper, 2), round(chart.lower, 2)) == (1.94, 4.60, -0.72)
    assert chart.points["rule"].to_list() == [None] * 4 + ["beyond a limit"] + [None] * 13


def test_xmr_without_screening_uses_every_range():
    chart = trends.xmr([1, 2, 1, 2, 10, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1], screen=False)
    assert chart.upper - chart.mean == pytest.approx(2.66 * 32 / 17)


def test_xmr_reproduces_the_nist_worked_example():
    # NIST/SEMATECH e-Handbook of Statistical Methods 6.3.2.2 (Individuals control charts): flow rate of ten batches; mean
    # 50.81, mean moving range 1.8778, limits 55.8041 and 45.8159 with 3/1.128 in place of Wheeler's rounded 2.66.
    chart = trends.xmr([49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1])
    assert chart.mean == pytest.approx(50.81)
    width = (chart.upper - chart.mean) / 2.66
    assert round(width, 4) == 1.8778
    assert round(chart.mean + 3 / 1.128 * width, 4) == 55.8041
    assert round(chart.mean - 3 / 1.128 * width, 4) == 45.8159
    assert chart.points["rule"].is_null().all(), "NIST: the process is in control"


@pytest.mark.parametrize(
    "values, rule, where",
    [
        ([1, 5, 1, 5, 1, 5, 3, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 1, 5], "7 rising or falling", range(6, 13)),
        ([5, 1, 5, 1, 5, 1, 3.6, 3.5, 3.4, 3.3, 3.2, 3.1, 3.0, 5, 1], "7 rising or falling", range(6, 13)),
        ([1, 5, 1, 5, 1, 5, 1, 5, 4, 6, 4, 6, 4, 6, 1, 1.5], "7 on one side", range(7, 14)),
    ],
    ids=["rising", "falling", "one side"],
)
def test_xmr_marks_every_point_of_a_run(values, rule, where):
    found = trends.xmr(values).points["rule"].to_list()
    assert [i for i, r in enumerate(found) if r == rule] == list(where)


def test_a_run_of_six_is_no_run():
    assert trends.xmr([1, 5, 1, 5, 1, 5, 3, 3.1, 3.2, 3.3, 3.4, 3.5, 1, 5, 2]).points["rule"].is_null().all()


def test_two_of_three_near_a_limit_leaves_the_point_between_unmarked():
    base = [0, 1, -1] * 8
    width = 2.66 * np.abs(np.diff(base)).mean()
    near = 0.8 * width
    found = trends.xmr([*base, near, 0.1, near, *base]).points["rule"].to_list()
    assert [i for i, r in enumerate(found) if r == "2 of 3 near a limit"] == [24, 26]


@pytest.mark.parametrize("values", [[], [3], [1, float("nan")]])
def test_xmr_refuses_what_is_no_series(values):
    with pytest.raises(ValueError, match="two values or more"):
        trends.xmr(values)


def test_first_rule_hits_between_a_fifth_and_one_and_a_half_percent_of_independent_points():
    random = np.random.default_rng(3)
    hits = [
        (trends.xmr(random.normal(100, 10, 60)).points["rule"] == "beyond a limit").fill_null(False).mean()
        for _ in range(300)
    ]
    assert 0.002 <= np.mean(hits) <= 0.015


@pytest.mark.parametrize(
    "target, direction, answer",
    [
        (200, "fall", "consistently met"),
        (200, "rise", "consistently missed"),
        (100, "fall", "hit and miss"),
        (100, "rise", "hit and miss"),
        (20, "fall", "consistently missed"),
        (20, "rise", "consistently met"),
    ],
)
def test_assurance_has_three_answers_in_either_direction(target, direction, answer):
    assert trends.assurance(trends.xmr([95, 105, 98, 102, 100, 97]), target, direction=direction) == answer


def test_assurance_knows_two_directions():
    with pytest.raises(ValueError, match="down"):
        trends.assurance(trends.xmr([1, 2]), 1, direction="down")


# -- expected counts ----------------------------------------------------------------------------------------------------


def seasonal(n, *, mean=120.0, phi=1.0, seed=0, start=(2015, 4)):
    """Counts with a winter peak, gamma-Poisson at an overdispersion, and nothing else happening."""
    random, months = np.random.default_rng(seed), months_from(*start, n)
    mu = np.array([mean * (1 + 0.25 * math.cos(2 * math.pi * m.month / 12)) for m in months])
    rates = mu if phi == 1 else random.gamma(mu / (phi - 1), phi - 1)
    return pl.DataFrame({"month": months, "offences": random.poisson(rates)})


def test_a_saturated_month_model_expects_each_months_daily_mean():
    # With one level, the fit has a closed form: offences ÷ days of that month of the year.
    counts = seasonal(36)
    fitted = trends.fit_baseline(counts["month"].to_list(), counts["offences"].to_list())
    january = counts.filter(pl.col("month").dt.month() == 1)["offences"].sum() / 93
    february = (
        counts.filter(pl.col("month").dt.month() == 2)["offences"].sum() / 85
    )  # one of the three is a leap year's
    mean, low, high = fitted.expect([date(2018, 1, 1), date(2020, 2, 1)])
    assert mean == pytest.approx([january * 31, february * 29])
    assert (low < mean).all() and (mean < high).all()


def test_the_simulations_fit_is_that_of_statsmodels():
    counts = seasonal(40, phi=2.0, seed=4)
    months, levels = counts["month"].to_list(), [0] * 24 + [1] * 16
    fitted = trends.fit_baseline(months, counts["offences"].to_list(), levels=levels)
    y = counts["offences"].to_numpy()[None].astype(float)
    log_rates, variances, means = trends._refit(y, fitted.design, fitted.days)
    assert log_rates[0] == pytest.approx(fitted.log_rates, abs=1e-8)
    assert fitted.phi * variances[0] == pytest.approx(np.diag(fitted.covariance), rel=1e-6)
    assert means[0] == pytest.approx(fitted.fitted)


def test_limits_are_farringtons():
    # Farrington, Andrews, Beale & Catchpole (1996), J R Stat Soc A 159, 547-563: U = μ(1 + 2/3 z √((φμ + var μ̂)/μ²))^(3/2).
    low, high = trends._limits(np.array([100.0]), np.array([0.002]), 1.5, 10**9, 0.95)
    spread = 2 / 3 * 1.959964 * math.sqrt(1.5 * 100 + 0.002 * 100**2) / 100
    assert high[0] == pytest.approx(100 * (1 + spread) ** 1.5)
    assert low[0] == pytest.approx(100 * (1 - spread) ** 1.5)


@pytest.mark.parametrize("phi, mean", [(1.0, 120), (1.6, 40), (3.5, 120), (3.5, 1200), (1.0, 12)])
def test_month_signals_hit_their_stated_rate(phi, mean):
    # The rate printed beside a chart is simulated from a fitted model; here it is held against series drawn from the truth.
    flagged, stated = [], []
    for seed in range(150):
        counts = seasonal(48, phi=phi, mean=mean, seed=seed)
        months, y = counts["month"].to_list(), counts["offences"].to_numpy()
        fitted = trends.fit_baseline(months[:36], y[:36])
        _, low, high = fitted.expect(months[36:])
        flagged.append(np.mean((y[36:] < low) | (y[36:] > high)))
        if seed % 30 == 0:
            stated.append(trends.false_alarm_rate(fitted, months[36:], simulations=200, seed=seed))
    error = np.std(flagged) / math.sqrt(len(flagged)) + np.std(stated) / math.sqrt(len(stated))
    assert abs(np.mean(flagged) - np.mean(stated)) < 3 * error + 0.001
    assert 0.002 <= np.mean(flagged) <= 0.016, "1% of months is what the expected range leaves out"


def test_the_false_alarm_rate_is_the_same_twice():
    counts = seasonal(36, phi=2)
    fitted = trends.fit_baseline(counts["month"].to_list(), counts["offences"].to_list())
    ahead = months_from(2018, 4, 12)
    assert trends.false_alarm_rate(fitted, ahead) == trends.false_alarm_rate(fitted, ahead)


def test_a_short_baseline_is_refused():
    counts = seasonal(23)
    with pytest.raises(trends.BaselineError, match="23 months are too short"):
        trends.fit_baseline(counts["month"].to_list(), counts["offences"].to_list())


@pytest.mark.parametrize("values", [[0, 1, 0, 0] * 9, [*[30] * 3, 0, *[30] * 8] * 3])
def test_a_baseline_of_zeros_is_refused(values):
    with pytest.raises(trends.BaselineError, match="too few"):
        trends.fit_baseline(months_from(2015, 4, 36), values)


# -- segments and signals ------------------------------------------------------------------------------------------------


def test_every_declared_break_cuts_a_spell_stands_apart():
    found = breaks_of(
        ("marked", date(2016, 4, 1), None, "marks"), ("spell", date(2017, 4, 1), date(2017, 12, 1), "cuts")
    )
    cut = trends.segments(months_from(2015, 4, 48), found)
    assert cut["segment"].unique(maintain_order=True).to_list() == [0, 1, 2, 3]
    assert cut.filter(pl.col("spell").is_not_null())["month"].to_list() == months_from(2017, 4, 9)
    assert cut.filter(month=date(2018, 1, 1))["since"].item() == "the end of 'spell'"


def test_a_break_that_ends_a_spell_gives_its_own_name():
    found = breaks_of(("one", date(2016, 1, 1), date(2016, 12, 1), "cuts"), ("two", date(2017, 1, 1), None, "cuts"))
    assert trends.segments(months_from(2015, 4, 36), found).filter(month=date(2017, 1, 1))["since"].item() == "two"


def test_a_months_baseline_ends_before_it_and_lies_since_the_break():
    found = breaks_of(("moved", date(2018, 4, 1), None, "cuts"))
    months, _ = trends.monitor(seasonal(72, seed=1), found)
    judged = months.filter(pl.col("signal") != "cannot say")
    assert (judged["baseline_to"] < judged["month"]).all()
    after = judged.filter(pl.col("month") >= date(2018, 4, 1))
    assert (after["baseline_from"] >= date(2018, 4, 1)).all()
    assert after["month"].min() == date(2019, 4, 1)


def test_a_doubled_level_after_a_break_is_no_signal_and_no_change():
    # What a recording change does; were the level compared across the break, every month after it would be flagged.
    counts = seasonal(72, seed=2).with_columns(
        pl.when(pl.col("month") >= date(2018, 4, 1))
        .then(pl.col("offences") * 2)
        .otherwise("offences")
        .alias("offences")
    )
    broken, _ = trends.monitor(counts, breaks_of(("moved", date(2018, 4, 1), None, "marks")))
    after = broken.filter(pl.col("month") >= date(2019, 4, 1))
    assert after["signal"].is_in(["above", "below"]).sum() <= 1
    assert abs(trends.standing(broken, NONE_USUAL).change.percent) < 8
    silent, _ = trends.monitor(counts, NO_BREAKS)
    assert (silent.filter(pl.col("month").is_between(date(2018, 4, 1), date(2019, 3, 1)))["signal"] == "above").all()


def test_a_month_too_near_a_break_says_how_near():
    found = breaks_of(("moved", date(2020, 4, 1), None, "cuts"))
    months, _ = trends.monitor(seasonal(63, seed=5), found)
    assert months["note"][-1] == "cannot say: 2 months since moved"
    standing = trends.standing(months, NONE_USUAL)
    assert standing.verdict == "cannot say" and standing.why == "2 months since moved"


def test_without_borrowing_a_new_level_needs_two_years():
    found = breaks_of(("moved", date(2018, 4, 1), None, "cuts"))
    months, _ = trends.monitor(seasonal(72, seed=1), found, rebase_months=24)
    judged = months.filter(pl.col("signal") != "cannot say", pl.col("month") >= date(2018, 4, 1))
    assert judged["month"].min() == date(2020, 4, 1)
    assert not judged["note"].str.contains("shape of the year").any()


def test_a_borrowed_shape_brings_no_level_with_it():
    found = breaks_of(("moved", date(2018, 4, 1), None, "cuts"))
    plain, _ = trends.monitor(seasonal(60, seed=1), found)
    tenfold = seasonal(60, seed=1).with_columns(
        pl.when(pl.col("month") < date(2018, 4, 1))
        .then(pl.col("offences") * 10)
        .otherwise("offences")
        .alias("offences")
    )
    scaled, _ = trends.monitor(tenfold, found)
    # Ten times the counts weigh ten times as much in the shape, so it moves a little; the level does not.
    total = [frame.tail(12)["expected"].sum() for frame in (plain, scaled)]
    assert total[1] == pytest.approx(total[0], rel=0.01)


def test_a_spell_is_neither_judged_nor_a_baseline():
    found = breaks_of(("spell", date(2018, 4, 1), date(2019, 9, 1), "cuts"))
    months, _ = trends.monitor(seasonal(72, seed=1), found)
    inside = months.filter(pl.col("month").is_between(date(2018, 4, 1), date(2019, 9, 1)))
    assert (inside["note"] == "cannot say: within 'spell'").all()
    assert not months["baseline_from"].is_between(date(2018, 4, 1), date(2019, 9, 1)).any()
    assert months["month"].to_list() == months_from(2015, 4, 72), "every month has its row, judged or not"
    wild = seasonal(72, seed=1).with_columns(
        pl.when(pl.col("month") == date(2019, 1, 1)).then(9999).otherwise("offences").alias("offences")
    )
    assert trends.monitor(wild, found)[0]["expected"].to_list() == months["expected"].to_list()


def test_a_rise_is_signalled_and_judged_by_usual_variation():
    counts = seasonal(60, seed=6).with_columns(
        pl.when(pl.col("month") >= date(2019, 4, 1))
        .then(pl.col("offences") * 2)
        .otherwise("offences")
        .alias("offences")
    )
    months, _ = trends.monitor(counts, NO_BREAKS)
    asked = []
    wide = UsualVariation(1.0, 0.5, 1.0, tuple([0.0] * 30), "a test")
    found = trends.standing(months, lambda lag: asked.append(lag) or wide)
    assert (found.above, found.below) == (12, 0) and found.change.percent == pytest.approx(100, abs=12)
    assert asked == [2], "three years of baseline lie two years back on average"
    assert found.verdict == "little different"
    assert trends.standing(months, NONE_USUAL).verdict == "rose clearly"


# -- before and after ----------------------------------------------------------------------------------------------------


def test_ratio_of_ratios_reproduces_altman_and_bland():
    # Altman & Bland (2003), Interaction revisited, BMJ 326:219: relative risks 0.67 (0.46 to 0.98) and 0.88 (0.71 to 1.08);
    # the difference of logs has standard error 0.2206, and the ratio is 0.76 with the interval 0.49 to 1.17.
    error = [math.log(high / low) / (2 * 1.959964) for low, high in ((0.46, 0.98), (0.71, 1.08))]
    assert round(math.hypot(*error), 4) == pytest.approx(0.2206, abs=0.0002)
    found = trends.ratio_of_ratios(math.log(0.67), error[0], math.log(0.88), error[1])
    assert [round(x, 2) for x in found] == [0.76, 0.49, 1.17]


YEAR, NEXT = (date(2016, 4, 1), date(2017, 3, 1)), (date(2017, 4, 1), date(2018, 3, 1))


def test_before_after_is_the_ratio_of_two_ratios():
    area, rest = counts_of([100] * 24 + [80] * 24, (2015, 4)), counts_of([1000] * 24 + [900] * 24, (2015, 4))
    found = trends.before_after(area, rest, YEAR, NEXT)
    assert found.counts == (1200, 960) and found.comparison == (12000, 10800)
    assert found.ratio == pytest.approx(0.8 / 0.9)
    error = math.sqrt(1 / 1200 + 1 / 960 + 1 / 12000 + 1 / 10800)
    assert found.noise[0] == pytest.approx(0.8 / 0.9 * math.exp(-1.959964 * error), rel=1e-6)
    assert found.verdict == "fell clearly" and found.equal and found.usual is None


def test_usual_variation_widens_before_after():
    area, rest = counts_of([100] * 24 + [80] * 24), counts_of([1000] * 48)
    usual = UsualVariation(2.0, 0.02, 1.0, tuple([0.0] * 30), "a test")
    found = trends.before_after(area, rest, YEAR, NEXT, usual=usual)
    assert found.usual[0] < found.noise[0] and found.usual[1] > found.noise[1]
    assert found.verdict == "little different"


def test_london_has_no_rest_and_gets_a_plain_rate_ratio():
    found = trends.before_after(counts_of([100] * 24 + [80] * 24), None, YEAR, NEXT)
    assert found.comparison is None and found.ratio == pytest.approx(0.8)


@pytest.mark.parametrize(
    "first, second",
    [
        ((date(2015, 4, 1), date(2016, 12, 1)), (date(2017, 1, 1), date(2018, 9, 1))),  # 21 months each, other months
        (YEAR, (date(2017, 4, 1), date(2018, 1, 1))),
    ],
    ids=["other calendar months", "other length"],
)
def test_unequal_windows_are_refused_by_name_or_run_per_day(first, second):
    area, rest = counts_of([100] * 48), counts_of([1000] * 48)
    with pytest.raises(trends.WindowsDiffer) as refused:
        trends.before_after(area, rest, first, second)
    for window in (first, second):
        assert f"{window[0]:%B %Y} to {window[1]:%B %Y}" in str(refused.value)
    found = trends.before_after(area, rest, first, second, allow_unequal=True)
    assert not found.equal and "unequal windows" in found.title_note and found.usual is None
    assert found.per_day[0] == pytest.approx(100 * 12 / 365.25, rel=0.01)
    assert "unequal windows)" in charts.windows_title(found, "robbery", "Sutton")
    assert "per day" in charts.windows_sentence(found, "robbery", "Sutton")


@pytest.mark.parametrize(
    "first, second, why",
    [
        (NEXT, YEAR, "must begin after"),
        (YEAR, (date(2017, 3, 1), date(2018, 2, 1)), "must begin after"),
        (YEAR, (date(2025, 4, 1), date(2026, 3, 1)), "no data for April 2025"),
    ],
)
def test_windows_that_cannot_be_are_refused(first, second, why):
    with pytest.raises(trends.WindowsDiffer, match=why):
        trends.before_after(counts_of([100] * 48), None, first, second, allow_unequal=True)


def test_too_few_to_compare_has_no_ratio():
    found = trends.before_after(counts_of([0, 1, 0, 0] * 12), counts_of([9] * 48), YEAR, NEXT)
    assert found.ratio is None and found.verdict == "cannot say"
    assert "too few" in charts.windows_sentence(found, "homicide", "Sutton")


@pytest.mark.parametrize("text", ["2023", "2023-13 to 2024-01", "2023-01 - 2023-12", "to"])
def test_a_window_is_written_one_way(text):
    with pytest.raises(trends.WindowsDiffer, match="2023-12 to 2024-11"):
        trends.read_window(text)


# -- on the edition ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book():
    return open_book(notebook="02_trends", borough="Lewisham", settings={"offence_group": "shoplifting"})


@pytest.fixture(scope="module")
def looked_at(book):
    """The months and standings of four groups for Lewisham: a fall, a rise, little change and too few to say."""
    table = trends.series_until(book.edition.table("borough_offences"), book.period)
    groups = ["shoplifting", "possession of weapons", "robbery", "homicide"]
    return table, *trends.monitor_groups(book.area, table, book.history, groups)


def test_the_series_is_the_longest_snapshot_to_its_newest_month(looked_at):
    months = looked_at[0]["month"]
    assert (months.min(), months.max()) == (date(2010, 4, 1), date(2025, 11, 1))
    assert looked_at[0]["snapshot"].unique().to_list() == ["2025-11"]


def test_an_earlier_period_ends_the_series(book):
    rows = trends.series_until(book.edition.table("borough_offences"), FinancialYear(2018))
    assert rows["month"].max() == date(2019, 3, 1)


def test_an_unknown_group_is_refused_with_the_nearest(looked_at):
    with pytest.raises(UnknownName, match="robbery"):
        trends.wanted_groups(looked_at[0], "roberry")
    assert trends.wanted_groups(looked_at[0], "arson") == [*YEARLY_GROUPS, "arson"]


def test_the_pandemic_and_the_months_after_connect_cannot_be_said(looked_at):
    months = looked_at[1].filter(group="robbery")
    notes = dict(months.select("month", "note").iter_rows())
    assert notes[date(2020, 6, 1)] == "cannot say: within 'pandemic'"
    assert notes[date(2022, 6, 1)] == "cannot say: within 'borough unknown'"
    assert notes[date(2024, 5, 1)] == "cannot say: 2 months since CRIS to CONNECT"
    assert notes[date(2025, 3, 1)].startswith(
        "level from the 12 months before, since CRIS to CONNECT; shape of the year"
    )


def test_titles_and_sentences_say_rise_fall_little_and_too_few(looked_at):
    rows = {row["group"]: row for row in looked_at[2].iter_rows(named=True)}
    titles = {group: charts.month_title(row) for group, row in rows.items()}
    assert titles["shoplifting"] == "Recorded shoplifting in Lewisham fell clearly: 20% below expected"
    assert (
        titles["possession of weapons"] == "Recorded possession of weapons in Lewisham rose clearly: 40% above expected"
    )
    assert titles["robbery"] == "Recorded robbery in Lewisham was little different from what was expected"
    assert titles["homicide"] == "Too few recorded in Lewisham to say whether homicide is changing"
    assert all(len(title.split()) <= 15 for title in titles.values())
    said = charts.month_sentence(rows["shoplifting"])
    assert "1,617 against 2,011 expected" in said and "All nine months were within the expected range" in said
    assert "cannot say" in charts.month_sentence(rows["homicide"])


def test_the_charts_show_the_breaks_and_are_the_same_twice(book, looked_at):
    table, months, standings = looked_at
    breaks = declared_breaks().filter(pl.col("break_id").is_in(["pandemic", "borough unknown", "CRIS to CONNECT"]))
    row = standings.row(by_predicate=pl.col("group") == "shoplifting", named=True)
    drawn = [
        charts.monthly(book, months.filter(group="shoplifting"), row, breaks, name="monthly"),
        charts.groups(book, months, standings, breaks),
        charts.windows(
            book, trends.compare_windows(book.area, table, book.history, "shoplifting"), "shoplifting", name="windows"
        ),
    ]
    for figure in drawn:
        assert figure.svg() == figure.svg()
        assert len(figure.title.split()) <= 15 and figure.alt_text and "Make it again" in figure.challenge
    assert "CRIS to CONNECT (Mar 2024)" in drawn[0].svg() and "CRIS to CONNECT" in drawn[0].alt_text
    assert "stroke-dasharray" in drawn[1].svg() and "CRIS to CONNECT (Mar 2024)" in drawn[1].subtitle
    assert "crosses: The Met moved its records from CRIS to CONNECT" in drawn[2].sentence
    assert all("--set offence_group=shoplifting" in figure.challenge for figure in drawn)


def monitored(name, group, period="latest"):
    """One group of one area as 02_trends draws it: book, months, row and breaks."""
    here = open_book(notebook="02_trends", borough=name, period=period)
    table = trends.series_until(here.edition.table("borough_offences"), here.period)
    months, rows = trends.monitor_groups(here.area, table, here.history, [group])
    span = months["month"].min(), months["month"].max()
    return here, months, rows.row(0, named=True), breaks_between(declared_breaks(), "borough_offences", group, *span)


def test_the_printed_change_is_that_of_the_csvs_sums(book, looked_at):
    for row in looked_at[2].filter(pl.col("change_percent").is_not_null()).iter_rows(named=True):
        months = looked_at[1].filter(pl.col("month").is_between(row["from_month"], row["to_month"]), group=row["group"])
        sums = months["observed"].sum(), months["expected"].sum()
        assert row["change_percent"] == pytest.approx(100 * (sums[0] / sums[1] - 1), rel=1e-12)
        how = charts.monthly(book, looked_at[1].filter(group=row["group"]), row, NO_BREAKS, name="x").challenge
        assert "each summed over the judged months from March 2025 to November 2025 of the CSV" in how
    drawn = charts.groups(book, *looked_at[1:], NO_BREAKS)
    assert "the judged months from March 2025 to November 2025 of the CSV" in drawn.challenge
    assert "the column moved_this_far of tables/trends_summary.csv" in drawn.challenge
    assert "--set offence_group=shoplifting" in drawn.challenge and "dots: months outside it" in drawn.subtitle


def test_groups_that_are_judged_over_unlike_months_point_to_the_table():
    rows = [{"months": 1, "from_month": date(2025, n, 1), "to_month": date(2025, 5, 1)} for n in (3, 4)]
    assert charts._judged_span(rows).endswith("tables/trends_summary.csv")


def test_a_break_after_the_end_is_not_drawn_and_a_spell_from_before_the_start_has_no_edge():
    here, months, row, _ = monitored("Westminster", "robbery", "2018-19")
    drawn = charts.groups(here, months, pl.DataFrame([row], infer_schema_length=None), declared_breaks())
    assert "pandemic" not in drawn.subtitle and "CONNECT" not in drawn.subtitle
    ended = breaks_of(("later", date(2021, 1, 1), date(2021, 5, 1), "cuts"))
    assert charts._break_layers(ended, date(2018, 1, 1), date(2020, 1, 1)) == []
    spell = breaks_of(("spell", date(2017, 1, 1), date(2018, 6, 1), "cuts"), ("edge", date(2019, 1, 1), None, "cuts"))
    ground, rules, *_ = charts._break_layers(spell, date(2018, 1, 1), date(2020, 1, 1))
    assert ground.data["from_month"].to_list() == [date(2018, 1, 1)]
    assert rules.data["from_month"].to_list() == [date(2019, 1, 1)]


def test_a_series_with_no_judged_month_speaks_of_no_band():
    here, months, row, breaks = monitored("Kingston upon Thames", "homicide")
    figure = charts.monthly(here, months, row, breaks, name="monthly")
    assert row["months"] == 0 and "where no month could be judged" in figure.alt_text
    assert "band" not in figure.subtitle and "No expected range: too few" in figure.subtitle
    assert "How unusual" not in figure.challenge and "Recompute" not in figure.challenge
    assert ">expected range<" not in figure.svg()
    here, months, row, breaks = monitored("Bromley", "fraud and forgery")
    figure = charts.monthly(here, months, row, breaks, name="monthly")
    assert row["months"] == 0 and months.filter(pl.col("signal") != "cannot say").height > 0
    assert "band: expected range" in figure.subtitle and "How unusual" not in figure.challenge
    assert "Recompute" not in figure.challenge, "months judged years before are none of this verdict's"


@pytest.mark.parametrize("verdict", ["rose clearly", "little different", "cannot say"])
@pytest.mark.parametrize("why", ["too few offences", "2 months since a break"])
def test_no_title_drops_its_offence_whatever_the_names(looked_at, verdict, why):
    row = looked_at[2].row(0, named=True) | {"group": "theft from the person", "area": "Kensington and Chelsea"}
    row |= {"verdict": verdict, "why": why, "group": "death or serious injury by illegal driving"}
    title = charts.month_title(row)
    assert "death or injury by illegal driving" in title and "Kensington and Chelsea" in title
    assert len(title.split()) <= 15, title


def compared(ratio, noise=(0.5, 0.9), usual=None, rest=(9, 9)):
    return trends.BeforeAfter(YEAR, NEXT, (100, 80), rest, (1.0, 0.8), ratio, noise, usual, True, (), "")


def test_before_and_after_keeps_its_offence_its_capital_and_a_third_decimal(book):
    risen = compared(1.41, (1.2, 1.6), (1.1, 1.8))
    title = charts.windows_title(risen, "theft from the person", "Enfield")
    assert title == "Enfield: theft from the person rose clearly by 41% against the rest of London"
    long = charts.windows_title(risen, "theft from the person", "Kensington and Chelsea")
    assert long == "Kensington and Chelsea: theft from the person rose clearly against the rest of London"
    level = charts.windows_title(compared(1.0, (0.9, 1.1)), "theft from the person", "Kensington and Chelsea")
    assert "theft from the person" in level and len(level.split()) <= 15
    near = charts.windows_sentence(compared(0.9962, (0.9931, 0.9987)), "robbery", "Enfield")
    assert "0.996 (counting noise 0.993 to 0.999" in near
    assert "by 0.4%" in charts.windows_title(compared(0.9962, (0.9931, 0.9987)), "robbery", "Enfield")
    figure = charts.windows(book, compared(0.8, rest=None), "robbery", name="x")
    assert "per_day_second ÷ per_day_first" in figure.challenge
    assert "where in Lewisham, recorded" in figure.alt_text


def test_one_is_one_and_two_are_two():
    assert charts._outside({"months": 12, "above": 2, "below": 0}) == "Of 12 months, two were above the expected range"
    assert charts._outside({"months": 12, "above": 1, "below": 0}).startswith("Of 12 months, one was above")
    months, _ = trends.monitor(seasonal(40), breaks_of(("moved", date(2018, 6, 1), None, "cuts")))
    assert months["note"][-1] == "cannot say: 1 month since moved"


def test_one_month_outside_is_said_as_one(looked_at):
    quiet = looked_at[1].with_columns(signal=pl.lit("within"))
    one = quiet.with_columns(signal=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("above")).otherwise("signal"))
    assert ") was outside their expected range" in charts.signals_sentence(one, looked_at[2])


def test_assurance_says_the_screening_and_the_target_as_it_was_set(book):
    targets = verdicts.assess_targets(book.area, book.targets, book.results, book.history, period=book.period)
    row = targets.row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)
    table = trends.series_until(book.edition.table("borough_offences"), book.period).filter(offence_group="MOPAC 7")
    figure = charts.assured(book, trends.area_counts(table, book.area), row, name="assurance")
    assert "ranges of 3.267 times their mean or more left out" in figure.challenge
    assert "the target of −20% on 2011-12" in figure.sentence


def test_a_year_beside_another_says_which_break_it_crosses(book, looked_at):
    injury = trends.area_counts(looked_at[0].filter(offence_group="violence with injury"), book.area)
    series = {"violence with injury": injury, "homicide": injury.with_columns(pl.lit(0, pl.Int64).alias("offences"))}
    breaks = declared_breaks().filter(break_id="CRIS to CONNECT")
    drawn = charts.beside(book, series, {}, breaks, name="x", measure="violence", since=date(2022, 3, 1))
    assert "crosses CRIS to CONNECT (Mar 2024)" in drawn.sentence and "too few to say" in drawn.sentence
    assert drawn.title == "Lewisham: recorded violence with injury little different, homicide too few to say"
    late = pl.col("month") > injury["month"].max() - timedelta(days=360)
    more = (pl.when(late).then(3).otherwise(1) * pl.col("offences")).alias("offences")
    risen = {"knife crime": injury.with_columns(more)}
    drawn = charts.beside(book, risen, {}, breaks, name="x", measure="knife crime", since=date(2022, 3, 1))
    assert "knife crime rose clearly (counting noise alone)" in drawn.title, "clear by noise alone is said to be so"
    assert drawn.title.startswith("Lewisham: recorded knife crime") and "the last two" not in drawn.alt_text
    assert "where, in Lewisham, between the twelve months December 2023 to November 2024 and" in drawn.alt_text
    rows = [
        {"series": s, "verdict": "little different", "usual_low": 0.0}
        for s in (*series, "knife injury victims aged 1 to 24")
    ]
    assert charts.beside_title(rows, "Tower Hamlets") == (
        "Tower Hamlets: recorded violence with injury and knife injury victims both little different"
    )
    half = {"homicide": injury, "knife crime": injury.clear()}
    absent = charts.beside(book, half, {}, breaks, name="x", measure="x", since=date(2022, 3, 1))
    assert isinstance(absent, Absent) and absent.reason == "cannot say: no monthly counts of knife crime in this period"
