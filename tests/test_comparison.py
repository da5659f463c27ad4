"""Comparison: funnel limits, families of comparisons, what could be seen, smoothed wards and Moran's I."""

import math

import numpy as np
import polars as pl
import pytest
import shapely
from polars.testing import assert_series_equal
from scipy import optimize, special, stats

from wardbook.figures import maps
from wardbook.measures import change
from wardbook.measures import comparison as c
from wardbook.measures import wards as w
from wardbook.periods import declared_breaks, read_period


def test_overdispersion_needs_two_areas_and_without_errors_weighs_them_alike():
    with pytest.raises(ValueError, match="needs at least two areas: 1"):
        c.overdispersion([0.5])
    assert c.overdispersion([0.1, -0.1]).tau2 == 0
    z = [-3.0, 2.0, 0.5, 4.0]
    assert c.overdispersion(z) == c.overdispersion(z, np.ones(4)) != c.overdispersion(z, np.full(4, 0.5))


def test_exact_limits_around_fifteen_are_the_published_ones():
    # METHODS.md, Funnel: E = 15.
    assert c.funnel_limits(15) == pytest.approx((0.5596924, 1.649348), abs=5e-7)
    assert c.funnel_limits(15, level=0.998) == pytest.approx((0.3862650, 2.082907), abs=5e-7)


def test_winsorised_squares_have_the_expectation_that_the_normal_distribution_gives():
    # E = ∫z²φ over the middle 80 % + 0.2 q², q = 1.2815516: by parts 0.8 − 2qφ(q) + 0.2q².
    q = stats.norm.ppf(0.9)
    assert 0.8 - 2 * q * stats.norm.pdf(q) + 0.2 * q**2 == pytest.approx(0.6787, abs=5e-5)
    assert c.winsorised_expectation(200) == pytest.approx(0.6787, abs=0.005)
    assert c.winsorised_expectation(32) == pytest.approx(0.694, abs=0.002)


def test_random_effects_variance_is_dersimonian_and_lairds_where_nothing_is_winsorised(monkeypatch):
    # DerSimonian & Laird (1986), Controlled Clinical Trials 7, 177-188, as statsmodels has it.
    from statsmodels.stats.meta_analysis import combine_effects

    monkeypatch.setattr(c, "winsorised", lambda z: z)
    monkeypatch.setattr(c, "winsorised_expectation", lambda n: 1.0)
    effects, variance = np.array([0.1, 0.5, -0.3, 0.8, 0.2]), np.array([0.02, 0.03, 0.025, 0.04, 0.01])
    by_dl = combine_effects(effects, variance, method_re="dl")
    z = (effects - by_dl.mean_effect_fe) / np.sqrt(variance)
    assert c.overdispersion(z, np.sqrt(variance)).tau2 == pytest.approx(by_dl.tau2, rel=1e-12)


def test_empirical_bayes_is_that_of_esda():
    from esda.smoothing import Empirical_Bayes

    events = np.array([12, 3, 0, 45, 7, 22, 1, 9])
    people = np.array([9_000, 6_500, 4_000, 18_000, 12_000, 11_000, 5_000, 8_000])
    assert w.empirical_bayes(events, people) == pytest.approx(Empirical_Bayes(events, people).r.ravel(), rel=1e-12)


def test_limits_of_nothing_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        c.funnel_limits(0)


def as_few(count, expected, tail):
    return special.gammaincc(count + 1, expected) - tail


def as_many(count, expected, tail):
    return special.gammainc(count, expected) - tail


def by_hand(observed, e):
    """The limits of every area as `level_funnel` says they are, by other functions than it takes."""
    z = stats.norm.ppf(stats.poisson.cdf(observed, e) - stats.poisson.pmf(observed, e) / 2)
    n, drawn_in = len(z), np.clip(z, *np.quantile(z, [0.1, 0.9]))
    phi = (drawn_in**2).mean() / c.winsorised_expectation(n)
    # The weights are the expected counts.
    tau2 = max(0.0, float((n * phi - (n - 1)) / (e.sum() - (e**2).sum() / e.sum())))
    t = stats.t(n - 1) if tau2 > 0 else stats.norm
    made = {"phi": [phi] * n, "tau2": [tau2] * n, "z": z, "ratio": observed / e}
    used = set()
    for level, name in ((0.95, "95"), (0.998, "998")):
        tail, q = (1 - level) / 2, (1 + level) / 2
        made[f"lower_{name}"], made[f"upper_{name}"], p = [], [], []
        for o, expected in zip(observed, e):
            ends = stats.gamma.ppf(tail, expected), stats.gamma.ppf(q, expected + 1)
            errors = [abs(math.log(end / expected)) / stats.norm.ppf(q) for end in ends]
            width = [t.ppf(q) * math.sqrt(error**2 + tau2) for error in errors]
            spread = expected * math.exp(-width[0]), expected * math.exp(width[1])
            # The counts at which the chance of as few, and of as many, is the tail.
            few = optimize.brentq(as_few, -0.999999, 1.1 * expected + 9, (expected, tail), xtol=1e-13)
            many = optimize.brentq(as_many, 0.5 * expected, 9 * expected + 60, (expected, tail), xtol=1e-13)
            used |= {("low", bool(few < spread[0])), ("high", bool(many > spread[1]))}
            lower = min(few, spread[0])
            made[f"lower_{name}"].append(lower / expected if lower > 0.5 else 0)
            made[f"upper_{name}"].append(max(many, spread[1]) / expected)
            size = abs(math.log(max(o, 0.5) / expected))
            p.append(2 * t.sf(size / math.sqrt(errors[int(o >= expected)] ** 2 + tau2)))
        if name == "95":
            exact = 2 * np.minimum(stats.poisson.cdf(observed, e), stats.poisson.sf(observed - 1, e))
            made["p"] = np.maximum(p, np.minimum(1, exact))
    return made, used


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_the_limits_of_a_level_are_the_wider_of_two_exact_ones(tau):
    exposure = np.array([30, 40, 60, 80, 100, 150, 300, 900, 1_500, 3_000] * 2)
    o = np.round(exposure / 10 * np.exp(np.random.default_rng(6).normal(0, tau, len(exposure)))).astype(int)
    o[5], o[16] = (4, 50) if tau == 0 else (1, 75)  # of some 15 and 30
    found = c.level_funnel(pl.DataFrame({"events": o, "exposure": exposure}))
    e = exposure * o.sum() / exposure.sum()
    made, used = by_hand(o, e)
    for name, values in made.items():
        assert found[name].to_numpy() == pytest.approx(np.array(values), rel=1e-7, abs=1e-9), name
    assert found["verdict"].n_unique() == 3
    names = np.where(found["ratio"] < 1, "lower than expected", "higher than expected")
    assert found["verdict"].to_list() == np.where(found["p"] >= 0.05, "as expected", names).tolist()
    assert found["expected"].to_numpy() == pytest.approx(e)
    assert (made["tau2"][0] > 0) is (tau > 0)
    assert used == {("low", True), ("high", False)} | ({("low", False)} if tau else set())


def test_an_area_beyond_what_a_normal_score_can_tell_has_the_furthest_there_is():
    z = c.level_funnel(pl.DataFrame({"events": [0, 9_000, 1_000], "exposure": [2_000, 2_000, 2_000]}))["z"]
    assert z[0] == pytest.approx(-37.05, abs=0.01) and z[1] == pytest.approx(8.21, abs=0.01)


def test_areas_that_do_not_differ_all_get_the_common_rate():
    assert w.empirical_bayes([10, 20, 30], [1_000, 2_000, 3_000]) == pytest.approx(0.01)
    low, high = w.empirical_bayes_interval([10, 20, 30], [1_000, 2_000, 3_000])
    assert np.ptp(low) == np.ptp(high) == 0 and low[0] < 0.01 < high[0]
    with pytest.raises(ValueError, match="population"):
        w.empirical_bayes([1, 2], [100, 0])


def test_morans_i_of_a_slope_is_high_of_noise_is_not_and_is_the_same_twice():
    grid = np.array([(x, y) for x in range(8) for y in range(8)], float)
    slope = w.morans_i(grid[:, 0], *grid.T)
    assert slope.i > 0.6 and slope.p == 0.001 and slope.expected == pytest.approx(-1 / 63)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what must not move
    noise = np.random.default_rng(3).normal(size=64)
    assert w.morans_i(noise, *grid.T) == w.morans_i(noise, *grid.T) and w.morans_i(noise, *grid.T).p > 0.05
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert w.morans_i(np.ones(64), *grid.T) is None and w.morans_i(noise[:6], *grid[:6].T) is None


def test_benjamini_and_hochbergs_own_example_of_fifteen_p_values():
    # Benjamini & Hochberg (1995), J. R. Statist. Soc. B 57, section 3.2: four rejected at 0.05, by Bonferroni three.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    assert_series_equal(c.stand_after_correction(pl.Series(p)), pl.Series("stands", [True] * 4 + [False] * 11))
    assert sum(value <= 0.05 / 15 for value in p) == 3
    # What was not judged is no part of the family: with fifteen more members three would stand.
    assert c.stand_after_correction(pl.Series([*p, *[None] * 15])).sum() == 4
    assert c.stand_after_correction(pl.Series([*p, *[1.0] * 15])).sum() == 3
    assert c.stand_after_correction(pl.Series([None], dtype=pl.Float64)).to_list() == [False]


def test_a_departure_is_seen_four_times_in_five_at_the_volume_it_is_given_for():
    # By simulation: log relative changes of this standard error about it, against the 95 % range about none.
    error = 0.2
    rise = np.log1p(c.detectable_departure(error) / 100)
    drawn = np.random.default_rng(7).normal(rise, error, 200_000)
    assert (np.abs(drawn) > stats.norm.ppf(0.975) * error).mean() == pytest.approx(0.8, abs=0.005)
    assert c.detectable_departure(error, level=1 - 0.05 / 500) > c.detectable_departure(error)


# -- wards ---------------------------------------------------------------------------------------------------------------


def test_a_wards_years_end_where_a_break_cuts_and_begin_anew(committed):
    def history_of(item):
        return w.ward_history(committed.table("ward_offences"), item, read_period("2024-25"), declared_breaks())

    history = history_of("robbery")
    years = history.select("year", "spell").unique().sort("year").rows()
    assert years == [(f"{y}-{y - 1999:02d}", int(y == 2024)) for y in (*range(2010, 2023), 2024)]
    violence, none = (history_of(item) for item in ("violence with injury", "Knife Crime"))
    assert violence["spell"].n_unique() == 3, "how violence is recorded changed in 2014-15 as well"
    assert none.is_empty(), "a kind that no ward has gives no years"
    total = w.ward_years(committed.table("ward_offences"), change.TOTAL, [read_period("2024-25")])
    assert total["snapshot"].unique().to_list() == ["2026-02"], "of three releases that hold it the newest"


def test_every_ward_has_one_cell_around_its_centroid_and_none_reaches_further(committed):
    wards = committed.table("wards")
    cells = maps.schematic_cells(wards)
    assert len(cells) == 684 and cells.crs.to_epsg() == 27700
    points = wards.filter(pl.col("vintages").str.contains("2024")).sort("ward_code")
    assert cells["ward_code"].to_list() == points["ward_code"].to_list()
    centres, shapes = shapely.points(points.select("easting", "northing").to_numpy()), cells.geometry.to_numpy()
    assert shapely.contains(shapes, centres).all()
    assert shapely.hausdorff_distance(shapes, centres).max() <= maps.REACH + 1e-6
    assert shapely.union_all(shapes).area == pytest.approx(cells.area.sum(), rel=1e-9), "cells overlap"


def test_a_ward_without_a_rate_is_grey_on_the_map_and_the_others_have_their_class(committed):
    wards, rank = committed.table("wards"), pl.int_range(pl.len())
    rows = wards.filter(pl.col("vintages").str.contains("2024"), borough_code="E09000030")
    rate = pl.when(rank > 0).then(rank.cast(pl.Float64))
    rows = rows.with_columns(rank=rank, label=pl.lit(None, pl.String), rate=rate)
    chart, drawn = maps.class_map(rows, "rate", maps.ward_plan(wards, rows["ward_code"]))
    order = drawn["class"].unique(maintain_order=True).to_list()
    assert order[0] == "withheld" and len(order) == 4 and order[1].startswith("under ")
    layer = chart.to_dict()["layer"][0]
    colours = dict(zip(*(layer["encoding"]["color"]["scale"][part] for part in ("domain", "range"))))
    assert colours["withheld"] == "#BFBFBF" and len(set(colours.values())) == 4
    shapes = layer["data"]["values"]
    assert [shape["class"] for shape in shapes] == drawn["class"].to_list()
