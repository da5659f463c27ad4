"""Targets: what rounding leaves, the five-way verdict, usual variation, probability, families of changes."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from wardbook.measures import usual as t
from wardbook.measures.rates import rate_ratio

same_examples = settings(derandomize=True, deadline=None, max_examples=80)

# METHODS.md: change, printed per cent → the baselines the rounding allows, the outturns.
LEAFLET = {
    "residential burglary": (-6, -0.6, (924, 1090), (918, 1084)),
    "total robbery": (-136, -12.7, (1067, 1075), (931, 939)),
    "theft from vehicles": (-768, -31.5, (2435, 2441), (1667, 1673)),
    "theft or taking of vehicles": (-101, -11.2, (898, 905), (797, 804)),
    "serious youth violence": (44, 21.4, (206, 206), (250, 250)),
    "knife crime": (-50, -10.4, (479, 483), (429, 433)),
    "gun crime": (25, 38.5, (65, 65), (90, 90)),
}
# EVIDENCE.md 4b: the same for the whole of the MPS.
MPS_WIDE = {
    "serious acquisitive crime": (-6919, -3.5, (194_902, 200_550)),
    "theft from motor vehicle": (-6195, -7.9, (77_925, 78_917)),
    "gun crime": (429, 14.2, (3_011, 3_031)),
    "serious youth violence": (105, 1.6, (6_364, 6_774)),
}


def a_usual(phi=1.0, tau2=0.0, scale=1.0, moves=(-3.0, -1.0, 0.0, 0.5, 2.0)) -> t.UsualVariation:
    return t.UsualVariation(phi, tau2, scale, moves, "a window")


# -- what rounding leaves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", LEAFLET)
def test_the_baselines_and_outturns_that_the_leaflets_rounding_allows(row):
    change, percent, baselines, outturns = LEAFLET[row]
    low, high = t.baselines_allowed(change, percent)
    assert (low, high) == baselines
    assert (low + change, high + change) == outturns


@pytest.mark.parametrize("row", MPS_WIDE)
def test_the_baselines_that_the_mps_wide_rounding_allows(row):
    change, percent, baselines = MPS_WIDE[row]
    assert t.baselines_allowed(change, percent) == baselines


@same_examples
@given(st.integers(1, 5_000), st.integers(-400, 400).filter(bool), st.integers(0, 2))
def test_a_printed_percentage_allows_its_own_baseline_and_no_other_range_than_brute_force(baseline, change, decimals):
    percent = round(100 * change / baseline, decimals)
    if percent == 0:
        with pytest.raises(ValueError, match="both must have the same sign and not be 0"):
            t.baselines_allowed(change, percent, decimals=decimals)
        return
    low, high = t.baselines_allowed(change, percent, decimals=decimals)
    assert low <= baseline <= high
    half = 0.5 * 10**-decimals + 1e-9

    def reproduces(b):
        return b > 0 and abs(100 * change / b - percent) <= half

    assert reproduces(low)
    assert reproduces(high)
    assert not reproduces(low - 1)
    assert not reproduces(high + 1)


@pytest.mark.parametrize(
    ("change", "percent", "message"),
    [
        (-6, 0.6, "a change of -6 cannot be 0.6 %: both must have the same sign and not be 0"),
        (6, -0.6, "a change of 6 cannot be -0.6 %: both must have the same sign and not be 0"),
        (0, 0.0, "a change of 0 cannot be 0.0 %: both must have the same sign and not be 0"),
        (3, 0.0, "a change of 3 cannot be 0.0 %: both must have the same sign and not be 0"),
        (1, 300.0, "no whole-number baseline turns a change of 1 into 300.0 %"),
    ],
)
def test_a_change_that_cannot_have_its_percentage_is_refused(change, percent, message):
    with pytest.raises(ValueError) as caught:
        t.baselines_allowed(change, percent)
    assert str(caught.value) == message


# -- the five-way verdict -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percents", "interval", "target", "direction", "verdict"),
    [
        ((-30, -30), (-40, -21), -20, "fall", "met clearly"),
        ((-30, -30), (-40, -20), -20, "fall", "met within usual variation"),  # an interval that ends on the target
        ((-30, -30), (-40, -10), -20, "fall", "met within usual variation"),
        ((-20, -20), (-30, -10), -20, "fall", "met within usual variation"),  # exactly on it is met
        ((-10, -10), (-30, 10), -20, "fall", "missed within usual variation"),
        ((-10, -10), (-19, 0), -20, "fall", "missed clearly"),
        ((-10, -10), (-20, 0), -20, "fall", "missed within usual variation"),
        ((12, 12), (5, 20), -20, "fall", "missed clearly"),
        ((-21, -19), (-30, -10), -20, "fall", "cannot say"),
        ((-25, -21), (-30, -10), -20, "fall", "met within usual variation"),
        ((-19, -15), (-30, -10), -20, "fall", "missed within usual variation"),
        ((30, 30), (21, 40), 20, "rise", "met clearly"),
        ((30, 30), (20, 40), 20, "rise", "met within usual variation"),
        ((20, 20), (10, 30), 20, "rise", "met within usual variation"),
        ((10, 10), (-10, 30), 20, "rise", "missed within usual variation"),
        ((10, 10), (0, 19), 20, "rise", "missed clearly"),
        ((-12, -12), (-20, -5), 20, "rise", "missed clearly"),
        ((19, 21), (10, 30), 20, "rise", "cannot say"),
    ],
)
def test_the_five_verdicts_in_both_directions(percents, interval, target, direction, verdict):
    assert t.target_verdict(percents, interval, target, direction=direction) == verdict


def test_a_verdict_without_a_direction_of_good_is_refused():
    with pytest.raises(ValueError, match='direction must be "fall" or "rise": \'down\''):
        t.target_verdict((1, 1), (0, 2), 1, direction="down")


@same_examples
@given(st.floats(-90, 200), st.floats(0.1, 50), st.floats(0.1, 50), st.floats(-90, 200))
def test_turning_every_sign_and_the_direction_leaves_the_verdict_as_it_was(percent, below, above, target):
    fall = t.target_verdict((percent, percent), (percent - below, percent + above), target, direction="fall")
    turned = t.target_verdict((-percent, -percent), (-percent - above, -percent + below), -target, direction="rise")
    assert fall == turned


# -- one change ---------------------------------------------------------------------------------------------------------


def test_a_change_known_to_a_range_carries_the_range_through_its_interval_and_its_p_value():
    change, ends = t.Change(((479, 429), (483, 433)), None), [rate_ratio(429, 479), rate_ratio(433, 483)]
    assert change.percents == pytest.approx((100 * (429 / 479 - 1), 100 * (433 / 483 - 1)))
    assert change.percent == pytest.approx(sum(change.percents) / 2)
    assert change.noise == pytest.approx((100 * (ends[0].lower - 1), 100 * (ends[1].upper - 1)))
    assert change.p_noise == max(end.p_value for end in ends)
    middle = t.Change.between(481, 431)
    assert change.noise[0] < middle.noise[0] < middle.noise[1] < change.noise[1]


def test_the_verdict_takes_the_wider_interval_end_by_end():
    narrow, wide = t.Change.between(1_000, 800, a_usual()), t.Change.between(1_000, 800, a_usual(tau2=0.04))
    assert narrow.verdict == "fell clearly"
    assert wide.verdict == "little different"
    for change in (narrow, wide):
        assert change.wider[0] == min(change.noise[0], change.usual_interval[0])
        assert change.wider[1] == max(change.noise[1], change.usual_interval[1])
    assert t.Change.between(1_000, 800).wider == t.Change.between(1_000, 800).noise


def test_usual_variation_narrower_than_counting_noise_never_narrows_a_verdict():
    nothing = a_usual(phi=0.01)
    change = t.Change.between(65, 90, nothing)
    assert change.usual_interval[0] > 0
    assert change.wider == change.noise
    assert change.verdict == "little different"


def test_the_usual_interval_is_the_log_change_either_side_by_its_standard_error():
    usual = a_usual(phi=4.0, tau2=0.01, scale=1.1)
    error = 1.1 * math.sqrt(4 * (1 / 400 + 1 / 500) + 0.01)
    assert usual.standard_error(400, 500) == pytest.approx(error)
    low, high = t.Change.between(400, 500, usual).usual_interval
    z = 1.959963984540054
    assert math.log(1 + low / 100) == pytest.approx(math.log(1.25) - z * error)
    assert math.log(1 + high / 100) == pytest.approx(math.log(1.25) + z * error)
    assert t.Change.between(400, 500, usual).p_usual == pytest.approx(math.erfc(math.log(1.25) / error / math.sqrt(2)))


@pytest.mark.parametrize(
    ("baseline", "outturn", "few"),
    [(4, 5, True), (5, 5, False), (0, 40, True), (9, 0, True), (40, 0, False)],
)
def test_fewer_than_ten_in_two_periods_or_none_to_start_from_are_too_few(baseline, outturn, few):
    change = t.Change.between(baseline, outturn)
    assert change.too_few is few
    assert (change.verdict == "cannot say") is few
    assert (change.against(-20, direction="fall") == "cannot say") is few
    assert (change.probability_met(-20, direction="fall") is None) is few


def test_a_fall_to_none_is_judged_at_usual_variation_too():
    """Twelve homicides and then none is a change like any other: its intervals exist and the verdict says which way."""
    change = t.Change.between(12, 0, a_usual())
    low, high = change.usual_interval
    assert -100 <= low < high
    assert change.verdict in ("fell clearly", "little different")
    assert 0 <= change.probability_met(-20, direction="fall") <= 1


def test_a_target_of_none_at_all_has_a_probability_of_nothing_rather_than_an_error():
    """A reader's target may be -100 (reference.targets allows it): an underlying rate is never 0."""
    for usual in (None, a_usual()):
        change = t.Change.between(100, 80, usual)
        assert change.probability_met(-100, direction="fall") == pytest.approx(0, abs=1e-12)
        assert change.against(-100, direction="fall") == "missed clearly"


def test_no_target_no_verdict_and_no_probability():
    change = t.Change.between(1_000, 500, a_usual())
    assert change.against(None, direction="fall") == "cannot say"
    assert change.probability_met(None, direction="fall") is None


def test_moved_this_far_counts_placebo_changes_by_size_allowing_for_volume():
    usual = a_usual(moves=(-3.0, -1.0, 0.0, 0.5, 2.0))
    error = usual.standard_error(400, 400)
    for size, expected in ((0.2, 4), (0.8, 3), (1.5, 2), (2.5, 1), (3.5, 0)):
        outturn = 400 * math.exp(size * error)
        # The volume of the outturn moves the error a little: stay away from the ties.
        assert usual.moved_this_far(400, outturn) == expected
    assert t.Change.between(400, 400, usual).moved_this_far == "5 of 5"
    assert t.Change.between(400, 400).moved_this_far == ""
    assert t.Change.between(4, 4, usual).moved_this_far == ""


def test_a_range_takes_the_end_that_more_placebo_changes_reach():
    usual = a_usual(moves=(-2.0, -1.0, 1.0, 2.0))
    near, far = t.Change.between(1_000, 990, usual), t.Change.between(1_000, 930, usual)
    assert (near.moved_this_far, far.moved_this_far) == ("4 of 4", "2 of 4")
    assert t.Change(((1_000, 990), (1_000, 930)), usual).moved_this_far == "4 of 4"


def test_the_smallest_visible_fall_uses_the_lowest_baseline_and_the_same_variation():
    assert t.Change.between(90, 50).detectable == pytest.approx(
        100 * (1 - math.exp(-2.80158 * math.sqrt(2 / 90))), 1e-5
    )
    usual = a_usual(phi=9.0)
    assert usual.variance_ratio(90) == pytest.approx(9)
    assert t.Change.between(90, 50, usual).detectable == pytest.approx(t.Change.between(10, 5).detectable)
    assert t.Change(((90, 50), (10, 5)), None).detectable == t.Change.between(10, 5).detectable
    assert t.Change.between(90, 50, a_usual(phi=0.2)).detectable == t.Change.between(90, 50).detectable
    assert t.Change.between(0, 50).detectable is None


# -- the probability that a target was met ------------------------------------------------------------------------------


def test_the_probability_at_usual_variation_is_the_normal_closed_form():
    usual = a_usual(phi=3.0, tau2=0.01)
    change = t.Change.between(500, 420, usual)
    standardised = (math.log(0.8) - math.log(420 / 500)) / usual.standard_error(500, 420)
    expected = 0.5 * math.erfc(-standardised / math.sqrt(2))
    assert change.probability_met(-20, direction="fall") == pytest.approx(expected, rel=1e-12)
    assert change.probability_met(-20, direction="rise") == pytest.approx(1 - expected, rel=1e-12)


def test_the_probability_by_counting_noise_is_that_of_two_simulated_underlying_rates():
    """Jeffreys' prior on the share of two rates is the ratio of two gammas: drawn, not integrated."""
    random = np.random.default_rng(20_110_401)
    before, after = random.gamma(481.5, size=400_000), random.gamma(431.5, size=400_000)
    change = t.Change.between(481, 431)
    for target in (-20.0, -10.4, 0.0):
        simulated = (after / before <= 1 + target / 100).mean()
        assert change.probability_met(target, direction="fall") == pytest.approx(simulated, abs=0.004)


def test_the_probability_over_a_range_is_the_mean_over_its_ends_and_half_at_the_change_itself():
    ends = [t.Change.between(b, b - 50).probability_met(-10, direction="fall") for b in (479, 483)]
    assert t.Change(((479, 429), (483, 433)), None).probability_met(-10, direction="fall") == pytest.approx(
        np.mean(ends)
    )
    assert t.Change.between(500, 400, a_usual(tau2=0.02)).probability_met(-20, direction="fall") == pytest.approx(0.5)


# -- usual variation ----------------------------------------------------------------------------------------------------


def _simulated(n: int, phi: float, tau2: float, *, seed: int = 7, heavy: bool = False) -> pl.DataFrame:
    """Placebo changes of which the truth is known: volumes from 30 to 20,000, log changes of variance phi·noise + tau2."""
    random = np.random.default_rng(seed)
    volume = np.exp(random.uniform(math.log(30), math.log(20_000), n)).round()
    shape = random.standard_t(3, n) / math.sqrt(3) if heavy else random.standard_normal(n)
    log_change = shape * np.sqrt(phi * 2 / volume + tau2)
    return pl.DataFrame({"baseline": volume, "outturn": volume, "log_change": log_change})


@pytest.mark.parametrize(("phi", "tau2"), [(1.0, 0.0), (6.0, 0.0), (1.0, 0.02), (4.0, 0.01)])
def test_usual_variation_recovers_what_a_simulation_put_in(phi, tau2):
    found = t.usual_variation(_simulated(6_000, phi, tau2), window="simulated")
    assert found.phi == pytest.approx(phi, rel=0.1)
    assert found.tau2 == pytest.approx(tau2, rel=0.1, abs=0.0002)
    assert found.scale == pytest.approx(1, abs=0.03)
    assert (found.n, found.window) == (6_000, "simulated")


def test_usual_variation_is_never_below_counting_noise():
    quiet = t.usual_variation(_simulated(3_000, 0.3, 0.0), window="")
    assert quiet.phi == pytest.approx(1.0)
    assert quiet.tau2 == pytest.approx(0, abs=1e-6)
    assert quiet.scale == 1.0


@pytest.mark.parametrize(("phi", "tau2"), [(6.0, 0.0), (4.0, 0.01), (1.0, 0.02), (1.3, 0.3)])
def test_usual_variation_is_where_its_own_weights_lead_back_to(phi, tau2):
    made = _simulated(200, phi, tau2)
    found = t.usual_variation(made, window="")
    noise = (1 / made["baseline"] + 1 / made["outturn"]).to_numpy()
    weight = 1 / (found.phi * noise + found.tau2)
    design = np.column_stack([noise, np.ones_like(noise)]) * weight[:, None]
    again, _ = optimize.nnls(design, (made["log_change"].to_numpy() ** 2 - noise) * weight)
    assert (found.phi, found.tau2) == pytest.approx((again[0] + 1, again[1]), rel=1e-6, abs=1e-9)


def test_tails_heavier_than_normal_widen_the_scale_until_one_change_in_twenty_is_beyond_it():
    found = t.usual_variation(_simulated(288, 4.0, 0.01, heavy=True), window="")
    beyond = np.mean(np.abs(found.moves) > stats.norm.ppf(0.975))
    assert found.scale > 1
    assert 0.03 < beyond <= 0.05
    assert list(found.moves) == sorted(found.moves)


def test_fewer_than_thirty_placebo_changes_are_no_history():
    assert t.usual_variation(_simulated(29, 2.0, 0.01), window="") is None
    assert t.usual_variation(_simulated(30, 2.0, 0.01), window="").n == 30


def test_one_ordinary_borough_year_in_twenty_or_so_is_called_clear_at_every_volume():
    """Counts drawn as boroughs' are, with variation beyond Poisson: fitted on one draw, judged on another."""
    random = np.random.default_rng(2_010)
    volumes = np.exp(np.linspace(math.log(60), math.log(6_000), 32))

    def borough_years():
        rates = volumes[:, None] * np.exp(random.normal(0, 0.07, (32, 60)))
        drawn = random.poisson(rates)
        return pl.DataFrame(
            {
                "borough_code": np.repeat([f"E{i:02d}" for i in range(32)], 60),
                "year": np.tile(np.arange(2_000, 2_060), 32).astype(np.int32),
                "offences": drawn.ravel(),
            }
        )

    pairs = [(y, y + 1) for y in range(2_000, 2_059, 2)]
    usual = t.usual_variation(t.placebo_changes(borough_years(), pairs), window="")
    judged = t.placebo_changes(borough_years(), pairs).with_columns(
        pl.struct("baseline", "outturn")
        .map_elements(lambda row: usual.standard_error(row["baseline"], row["outturn"]), return_dtype=pl.Float64)
        .alias("error")
    )
    clear = judged.with_columns((pl.col("log_change").abs() > 1.96 * pl.col("error")).alias("clear"))
    thirds = (
        clear.sort("baseline").with_row_index().group_by((pl.col("index") // 320).alias("third"), maintain_order=True)
    )
    shares = thirds.agg(pl.col("clear").mean())["clear"]
    assert all(0.02 < share < 0.09 for share in shares), list(shares)
    assert clear["clear"].mean() == pytest.approx(0.05, abs=0.015)


def test_placebo_changes_are_relative_to_all_boroughs_together():
    years = pl.DataFrame(
        {
            "borough_code": ["A", "B", "C", "D"] * 2,
            "year": pl.Series([2011] * 4 + [2012] * 4, dtype=pl.Int32),
            "offences": [100, 300, 0, 0, 110, 331, 0, 4],
        }
    )
    found = t.placebo_changes(years, [(2011, 2012)])
    london = math.log(445 / 400)
    assert found["borough_code"].to_list() == ["A", "B", "D"]  # none in either year says nothing
    expected = [math.log(1.1) - london, math.log(331 / 300) - london, math.log(4 / 0.5) - london]
    assert found["log_change"].to_list() == pytest.approx(expected)
    assert found.select("from_year", "to_year").unique().rows() == [(2011, 2012)]
    assert t.placebo_changes(years, []).is_empty()


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (1, 1), (1, 3), (7, 1)])
def test_one_borough_that_is_all_there_is_never_moves_against_itself(pair):
    years = pl.DataFrame(
        {"borough_code": ["A", "A"], "year": pl.Series([2011, 2012], dtype=pl.Int32), "offences": list(pair)}
    )
    found = t.placebo_changes(years, [(2011, 2012)])
    assert found.select("baseline", "outturn").rows() == [pair]
    assert found["log_change"].to_list() == pytest.approx([0], abs=1e-15)


@pytest.mark.parametrize("pair", [(20, 1), (1, 20), (12, 0), (300, 280)])
def test_usual_variation_at_small_counts_is_by_hand(pair):
    b, o = (max(count, 0.5) for count in pair)
    error = 1.3 * math.sqrt(2.0 * (1 / b + 1 / o) + 0.04)
    size = abs(math.log(o / b)) / error
    usual = a_usual(phi=2.0, tau2=0.04, scale=1.3, moves=(-size - 0.01, 0.0, size + 0.01, size - 0.01))
    assert usual.standard_error(*pair) == pytest.approx(error, rel=1e-12)
    assert usual.moved_this_far(*pair) == 2
    assert t.Change.between(*pair, usual).p_usual == pytest.approx(2 * stats.norm.sf(size), rel=1e-9)


def test_in_usual_variation_no_offences_are_as_noisy_as_one_and_two_are_less():
    made = _simulated(60, 1.5, 0.02)

    def fitted(column, count):
        few = pl.when(pl.int_range(pl.len()) < 20).then(count).otherwise(column).cast(pl.Int64).alias(column)
        found = t.usual_variation(made.with_columns(few), window="")
        return found.phi, found.tau2

    for column in ("baseline", "outturn"):
        assert fitted(column, 0) == fitted(column, 1) != fitted(column, 2)


def test_londons_own_variation_needs_five_earlier_changes_and_is_widened_by_students_t():
    totals = pl.DataFrame({"year": list(range(2010, 2017)), "offences": [1000, 1100, 990, 1050, 1010, 1100, 1000]})
    pairs = [(y, y + 1) for y in range(2010, 2016)]
    assert t.london_variation(totals, pairs[:4], window="") is None
    assert t.london_variation(totals, pairs[:5], window="").n == 5
    assert t.london_variation(totals.filter(pl.col("year") != 2016), pairs, window="").n == 5
    found = t.london_variation(totals, pairs, window="six")
    moves = np.diff(np.log(totals["offences"].to_numpy()))
    spread = math.sqrt((moves**2).mean())
    assert (found.n, found.window) == (6, "six")
    # 2.447 is t with six degrees of freedom; London's counting noise is inside the changes already.
    assert 1.959964 * found.standard_error(1e9, 1e9) == pytest.approx(2.446912 * spread, rel=1e-5)
    assert found.standard_error(100, 100) == found.standard_error(1e9, 1e9)
    assert found.moved_this_far(1000, 1000 * math.exp(abs(moves).max())) == 1
    assert found.moved_this_far(1000, 1000) == 6


# -- families of changes ------------------------------------------------------------------------------------------------


def test_benjamini_and_hochbergs_own_example_rejects_four_of_fifteen():
    """Benjamini & Hochberg 1995, section 4.1: four hypotheses at a false-discovery rate of 5 %, three by Bonferroni."""
    printed = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    printed += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    assert t.stands_out(printed) == [True] * 4 + [False] * 11
    assert t.stands_out(list(reversed(printed))) == [False] * 11 + [True] * 4
    assert t.stands_out([]) == []
    # At another rate, by hand: the i-th of m smallest stands at p <= i/m x rate.
    assert t.stands_out([0.01, 0.04, 0.9], rate=0.02) == [False] * 3
    assert t.stands_out([0.01, 0.04, 0.9], rate=0.10) == [True, True, False]


def test_of_the_leaflets_seven_changes_three_stand_by_counting_noise():
    ranges = {
        name: t.Change(tuple((b, b + change) for b in ends), None) for name, (change, _, ends, _) in LEAFLET.items()
    }
    stands = t.stands_out([change.p_noise for change in ranges.values()])
    named = [name for name, stand in zip(ranges, stands) if stand]
    assert named == ["total robbery", "theft from vehicles", "theft or taking of vehicles"]
    assert ranges["knife crime"].verdict == ranges["gun crime"].verdict == "little different"


def test_of_the_leaflets_seven_changes_only_theft_from_vehicles_stands_at_usual_variation():
    """On the committed edition: the variation usual since 2010, used as a sensitivity on 2009/10."""
    from wardbook.measures import verdicts
    from wardbook.notebook import open_book

    book = open_book(notebook="01_targets")
    table = verdicts.assess_targets(book.area, book.targets, book.results, book.history, period=book.period)
    family = verdicts.bh_family(table.filter(target_set="Tower Hamlets 2009/10"))
    assert family["measure"].to_list() == list(LEAFLET)

    def stand(column):
        return family.filter(pl.col(column))["measure"].to_list()

    assert stand("stands_by_noise") == ["total robbery", "theft from vehicles", "theft or taking of vehicles"]
    assert stand("stands_at_usual") == ["theft from vehicles"]
    no_history = family.filter(pl.col("usual_low").is_null())["measure"].to_list()
    assert no_history == ["serious youth violence", "gun crime"]


def test_vehicle_crime_as_a_whole_fell_by_26_per_cent_and_not_by_over_30():
    """METHODS.md: "reduced by over 30 %" holds for theft from vehicles alone."""
    thefts, takings = (t.baselines_allowed(*LEAFLET[f"theft {name} vehicles"][:2]) for name in ("from", "or taking of"))
    whole = t.Change(tuple((a + b, a + b - 768 - 101) for a, b in zip(thefts, takings)), None)
    assert f"{whole.percent:.1f}" == "-26.0"
    assert all(round(end) == -26 for end in whole.percents)
    assert max(100 * -768 / b for b in thefts) < -30


# -- surveys ------------------------------------------------------------------------------------------------------------


def test_a_survey_share_is_judged_by_wilsons_interval():
    verdict, low, high = t.level_verdict(65, 75, sample=100, direction="rise")
    assert (low, high) == pytest.approx((55.25444329688797, 73.63575175690247), rel=1e-12)
    assert verdict == "missed clearly"
    assert t.level_verdict(65, 75, sample=100, direction="fall")[0] == "met clearly"
    assert t.level_verdict(65, 70, sample=100, direction="rise")[0] == "missed within usual variation"
    assert t.level_verdict(65, 60, sample=100, direction="rise")[0] == "met within usual variation"
    assert t.level_verdict(65, 50, sample=100, direction="rise")[0] == "met clearly"


def test_a_design_effect_divides_the_sample():
    plain = t.level_verdict(65, 75, sample=50, direction="rise")
    assert t.level_verdict(65, 75, sample=100, direction="rise", design_effect=2.0) == plain
    least = t.level_verdict(100, 75, sample=1, direction="rise", design_effect=3.0)
    assert least[1:] == pytest.approx([100 * limit for limit in t.wilson(1, 1)]), "one interview at the least"
    assert plain[0] == "missed within usual variation"


def test_a_borough_survey_of_600_is_known_to_four_points():
    """EVIDENCE.md 5b: 600 interviews a borough-year, ±4.0 points at one half."""
    _, low, high = t.level_verdict(50, 60, sample=600, direction="rise")
    assert f"{(high - low) / 2:.1f}" == "4.0"


def test_the_sample_that_would_make_confidence_clear_of_its_target():
    """53.1 % against 51.4 %: 1.96² · 0.531 · 0.469 / 0.017² = 3,310.2, and a verdict flips about there."""
    needed = t.sample_needed(53.1, 51.4)
    assert needed == math.ceil(1.959963984540054**2 * 0.531 * 0.469 / 0.017**2) == 3_311
    assert t.level_verdict(53.1, 51.4, sample=round(1.05 * needed), direction="rise")[0] == "met clearly"
    assert t.level_verdict(53.1, 51.4, sample=round(0.95 * needed), direction="rise")[0] == "met within usual variation"
    assert t.sample_needed(51.4, 53.1) == pytest.approx(needed, rel=0.01)
