"""Trends: XmR, expected counts, breaks, windows: on published numbers, on simulations, and on the edition."""

import math
from datetime import date

import numpy as np
import polars as pl
import pytest

from wardbook.measures import trends
from wardbook.periods import declared_breaks

NO_BREAKS = declared_breaks().clear()


def months_from(year, month, n):
    return [date(year + (month - 1 + i) // 12, (month - 1 + i) % 12 + 1, 1) for i in range(n)]


def breaks_of(*rows):
    """Declared breaks made for a test: (break_id, from_month, to_month, effect)."""
    made = [(i, "borough_offences", a, b, "all", effect, "yes", "yes", i, "") for i, a, b, effect in rows]
    return pl.DataFrame(made, schema=declared_breaks().schema, orient="row")


# -- XmR ---------------------------------------------------------------------------------------------------------------


def test_xmr_screens_outlying_ranges_as_published():
    # METHODS.md (Making Data Count's screening rule): two of the seventeen ranges are screened out.
    chart = trends.xmr([1, 2, 1, 2, 10, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1])
    assert (round(chart.mean, 2), round(chart.upper, 2), round(chart.lower, 2)) == (1.94, 4.60, -0.72)
    assert chart.points["rule"].to_list() == [None] * 4 + ["beyond a limit"] + [None] * 13
    whole = trends.xmr(chart.points["value"], screen=False)
    assert whole.upper - whole.mean == pytest.approx(2.66 * 32 / 17), "every range without screening"


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


def test_xmr_marks_every_point_of_a_run():
    rising = trends.xmr([1, 5, 1, 5, 1, 5, 3, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 1, 5]).points["rule"]
    assert rising.eq_missing("7 rising or falling").arg_true().to_list() == list(range(6, 13))
    aside = trends.xmr([1, 5, 1, 5, 1, 5, 1, 5, 4, 6, 4, 6, 4, 6, 1, 1.5]).points["rule"]
    assert aside.eq_missing("7 on one side").arg_true().to_list() == list(range(7, 14))


def test_two_of_three_near_a_limit_leaves_the_point_between_unmarked():
    base = [0, 1, -1] * 8
    near = 0.8 * 2.66 * np.abs(np.diff(base)).mean()
    found = trends.xmr([*base, near, 0.1, near, *base]).points["rule"].to_list()
    assert [i for i, r in enumerate(found) if r == "2 of 3 near a limit"] == [24, 26]


def test_assurance_has_three_answers_in_either_direction():
    chart, met, missed = trends.xmr([95, 105, 98, 102, 100, 97]), "consistently met", "consistently missed"
    answers = {(200, "fall"): met, (100, "fall"): "hit and miss", (20, "rise"): met, (20, "fall"): missed}
    for (target, direction), answer in answers.items():
        assert trends.assurance(chart, target, direction=direction) == answer
    with pytest.raises(ValueError, match="down"):
        trends.assurance(chart, 1, direction="down")


# -- expected counts ----------------------------------------------------------------------------------------------------


def seasonal(n, *, mean=120.0, phi=1.0, seed=0):
    """Counts with a winter peak, gamma-Poisson at an overdispersion, and nothing else happening."""
    random, months = np.random.default_rng(seed), months_from(2015, 4, n)
    mu = np.array([mean * (1 + 0.25 * math.cos(2 * math.pi * m.month / 12)) for m in months])
    rates = mu if phi == 1 else random.gamma(mu / (phi - 1), phi - 1)
    return pl.DataFrame({"month": months, "offences": random.poisson(rates)})


def times(factor, counts, where):
    """The counts, some months' so many times as large."""
    return counts.with_columns(offences=pl.when(where).then(pl.col("offences") * factor).otherwise("offences"))


def test_a_saturated_month_model_expects_each_months_daily_mean():
    # With one level, the fit has a closed form: offences ÷ days of that month of the year.
    counts = seasonal(36)
    fitted = trends.fit_baseline(counts["month"].to_list(), counts["offences"].to_list())
    january = counts.filter(pl.col("month").dt.month() == 1)["offences"].sum() / 93
    # One of the three Februaries is a leap year's.
    february = counts.filter(pl.col("month").dt.month() == 2)["offences"].sum() / 85
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
    low, high = trends._limits(np.array([100.0]), np.array([0.002]), 1.5, 10**9)
    spread = 2 / 3 * 2.575829 * math.sqrt(1.5 * 100 + 0.002 * 100**2) / 100
    assert high[0] == pytest.approx(100 * (1 + spread) ** 1.5)
    assert low[0] == pytest.approx(100 * (1 - spread) ** 1.5)


@pytest.mark.parametrize("phi, mean", [(1.0, 120), (1.6, 40), (3.5, 1200)])
def test_month_signals_hit_their_stated_rate(phi, mean):
    # The rate printed beside a chart is simulated from a fitted model; here it is held against series drawn from the truth.
    flagged, stated = [], []
    for seed in range(120):
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


@pytest.mark.parametrize(
    ("values", "says"),
    [([30] * 23, "23 months are too short"), ([0, 1, 0, 0] * 9, "too few"), ([*[30] * 3, 0, *[30] * 8] * 3, "too few")],
)
def test_a_baseline_from_which_nothing_can_be_expected_is_refused(values, says):
    with pytest.raises(trends.BaselineError, match=says):
        trends.fit_baseline(months_from(2015, 4, len(values)), values)


# -- segments and signals ------------------------------------------------------------------------------------------------


def test_every_declared_break_cuts_a_spell_stands_apart():
    spell = ("spell", date(2017, 4, 1), date(2017, 12, 1), "cuts")
    found = breaks_of(("marked", date(2016, 4, 1), None, "marks"), spell)
    cut = trends.segments(months_from(2015, 4, 48), found)
    assert cut["segment"].unique(maintain_order=True).to_list() == [0, 1, 2, 3]
    assert cut.filter(pl.col("spell").is_not_null())["month"].to_list() == months_from(2017, 4, 9)
    assert cut.filter(month=date(2018, 1, 1))["since"].item() == "the end of 'spell'"


def test_a_months_baseline_ends_before_it_and_lies_since_the_break():
    found = breaks_of(("moved", date(2018, 4, 1), None, "cuts"))
    months, _ = trends.monitor(seasonal(72, seed=1), found)
    judged = months.filter(pl.col("signal") != "cannot say")
    assert (judged["baseline_to"] < judged["month"]).all()
    after = judged.filter(pl.col("month") >= date(2018, 4, 1))
    assert (after["baseline_from"] >= date(2018, 4, 1)).all()
    assert after["month"].min() == date(2019, 4, 1)
    near = months.filter(month=date(2018, 6, 1))
    assert near["note"].item() == "cannot say: 2 months since moved"


def test_a_doubled_level_after_a_break_is_no_signal_and_no_change():
    # What a recording change does; were the level compared across the break, every month after it would be flagged.
    counts = times(2, seasonal(72, seed=2), pl.col("month") >= date(2018, 4, 1))
    broken, _ = trends.monitor(counts, breaks_of(("moved", date(2018, 4, 1), None, "marks")))
    after = broken.filter(pl.col("month") >= date(2019, 4, 1))
    assert after["signal"].is_in(["above", "below"]).sum() <= 1
    newest = broken.filter(pl.col("signal") != "cannot say").tail(12)
    assert newest["observed"].sum() / newest["expected"].sum() == pytest.approx(1, abs=0.08)
    silent, _ = trends.monitor(counts, NO_BREAKS)
    assert (silent.filter(pl.col("month").is_between(date(2018, 4, 1), date(2019, 3, 1)))["signal"] == "above").all()


def test_a_borrowed_shape_brings_no_level_with_it():
    found = breaks_of(("moved", date(2018, 4, 1), None, "cuts"))
    plain, _ = trends.monitor(seasonal(60, seed=1), found)
    tenfold = times(10, seasonal(60, seed=1), pl.col("month") < date(2018, 4, 1))
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
    wild = times(99, seasonal(72, seed=1), pl.col("month") == date(2019, 1, 1))
    assert trends.monitor(wild, found)[0]["expected"].to_list() == months["expected"].to_list()


# -- before and after ----------------------------------------------------------------------------------------------------


def test_ratio_of_ratios_reproduces_altman_and_bland():
    # Altman & Bland (2003), Interaction revisited, BMJ 326:219: relative risks 0.67 (0.46 to 0.98) and 0.88 (0.71 to 1.08);
    # the difference of logs has standard error 0.2206, and the ratio is 0.76 with the interval 0.49 to 1.17.
    error = [math.log(high / low) / (2 * 1.959964) for low, high in ((0.46, 0.98), (0.71, 1.08))]
    assert round(math.hypot(*error), 4) == pytest.approx(0.2206, abs=0.0002)
    found = trends.ratio_of_ratios(math.log(0.67), error[0], math.log(0.88), error[1])
    assert [round(x, 2) for x in found] == [0.76, 0.49, 1.17]
