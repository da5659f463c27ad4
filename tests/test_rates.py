"""Rates and their intervals: published numbers nobody here wrote, exact enumeration of coverage, and properties."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from wardbook.measures.rates import byar, garwood, rate_ratio, wilson, with_shares

# Derandomised: the same examples each run, so that a red test stays red until the code changes.
same_examples = settings(derandomize=True, deadline=None, max_examples=40)
counts = st.integers(0, 3_000)
exposures = st.floats(0.01, 1e6)
kinds = st.sampled_from(["central", "midp"])


# -- published numbers --------------------------------------------------------------------------------------------------


def test_the_rate_ratio_of_methods_md_to_its_last_digit():
    assert rate_ratio(60, 30, 51_477.5, 54_308.7).ratio == pytest.approx(2.10999757175465, rel=1e-14)


def test_central_is_the_interval_and_p_value_that_r_rateratio_test_documents():
    """`rateratio.test(c(2, 9), c(17877, 16660))`, the example of Fay's package (p = twice the smaller tail)."""
    found = rate_ratio(2, 9, 17_877, 16_660)
    assert found.ratio == pytest.approx(0.207094155743, abs=5e-13)
    assert (found.lower, found.upper) == pytest.approx((0.0217740627591, 1.00054910449), rel=1e-11)
    assert found.p_value == pytest.approx(0.0501064956141, abs=5e-14)


@pytest.mark.parametrize(
    ("cells", "kind", "printed_lower", "printed_upper", "printed_p"),
    [
        ((17, 3, 100_025, 122_268), "midp", "2.210", "29.63", "0.0003127"),
        ((17, 3, 100_025, 122_268), "central", "2.004", "36.89", "0.0005538"),
        ((25, 4, 178_556, 200_200), "midp", "2.616", "23.57", "0.00001654"),
        ((25, 4, 178_556, 200_200), "central", "2.420", "27.71", "0.00002923"),
    ],
)
def test_both_kinds_and_their_p_values_are_those_that_openepi_prints(
    cells, kind, printed_lower, printed_upper, printed_p
):
    """OpenEpi, `Comparing 2 Person-Time Rates`: a session printed in an epiinformatics.com course, four figures each."""
    found = rate_ratio(*cells, kind=kind)
    for value, printed in ((found.lower, printed_lower), (found.upper, printed_upper), (found.p_value, printed_p)):
        assert f"{value:.4g}" == f"{float(printed):.4g}"


def test_byar_of_65_to_its_last_digit_and_the_exact_interval_of_15_in_400():
    """METHODS.md cuts its figures after ten digits (the upper end goes on 7178...), so they are compared cut."""
    assert byar(65) == pytest.approx((50.163187710459454, 82.84913854593984), rel=1e-14)
    assert [f"{end / 400:.14f}"[:12] for end in garwood(15)] == ["0.0209884653", "0.0618505471"]
    assert [f"{end / 400:.6f}" for end in garwood(14)] == ["0.019135", "0.058724"]  # as StatsDirect prints it


def test_wilson_of_65_in_100_to_its_last_digit_and_of_none_nothing():
    rows = with_shares(pl.DataFrame({"k": [65, 0, 1], "n": [100, 0, 1]}), "k", "n")
    assert rows.row(0) == pytest.approx((65, 100, 0.65, 0.5525444329688797, 0.7363575175690247), rel=1e-14)
    assert rows.row(1) == (0, 0, None, None, None) and rows["share"][2] == 1
    for end in wilson(65, 100, level=0.9):  # where the score test of it has p = 0.1
        assert 100 * (0.65 - end) ** 2 / (end * (1 - end)) == pytest.approx(stats.chi2.ppf(0.9, 1))
    assert with_shares(rows.clear().select("k", "n"), "k", "n").schema == rows.schema


# -- zero counts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["central", "midp"])
def test_no_events_at_all_bound_nothing(kind):
    found = rate_ratio(0, 0, kind=kind)
    assert math.isnan(found.ratio)
    assert (found.lower, found.upper, found.p_value) == (0.0, math.inf, 1.0)
    # Twice either tail of two equal counts is more than 1, since both hold the count itself.
    assert rate_ratio(10, 10).p_value == 1.0


def test_no_events_on_one_side_leave_a_one_sided_bound_in_closed_form():
    """With 0 of n the upper limit solves (1 - p)^n = 2.5 % (central) or half of that power = 2.5 % (mid-P)."""
    for kind, tail, n in (("central", 0.025, 8), ("midp", 0.05, 8), ("midp", 0.05, 2_000_000)):
        none, only = rate_ratio(0, n, kind=kind), rate_ratio(n, 0, kind=kind)
        share = -math.expm1(math.log(tail) / n)
        assert (none.ratio, none.lower) == (0.0, 0.0)
        assert none.upper == pytest.approx(share / (1 - share), rel=1e-8)
        assert (only.ratio, only.upper) == (math.inf, math.inf)
        assert only.lower == pytest.approx((1 - share) / share, rel=1e-8)


def test_zero_counts_and_zero_successes_have_intervals_without_a_warning():
    assert byar(0)[0] == garwood(0)[0] == 0.0
    assert garwood(0)[1] == pytest.approx(-math.log(0.025), rel=1e-12)  # 3.689, as R's pois.exact has it
    assert wilson(0, 26)[0] == pytest.approx(0.0, abs=1e-15)
    assert wilson(26, 26)[1] == pytest.approx(1.0, abs=1e-15)


# -- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_ratio(-1, 5), "events must be a whole number, 0 or more: -1"),
        (lambda: rate_ratio(5, 2.5), "reference_events must be a whole number, 0 or more: 2.5"),
        (lambda: rate_ratio(math.nan, 5), "events must be a whole number, 0 or more: nan"),
        (lambda: rate_ratio(5, 5, 0, 1), "exposures must be above 0: 0, 1"),
        (lambda: rate_ratio(5, 5, 1, 0), "exposures must be above 0: 1, 0"),
        (lambda: rate_ratio(5, 5, level=1), "level must be between 0 and 1, for example 0.95: 1"),
        (lambda: rate_ratio(5, 5, kind="minlike"), 'kind must be "central" or "midp": \'minlike\''),
        (lambda: byar(3.2), "count must be a whole number, 0 or more: 3.2"),
        (lambda: byar(3, level=0), "level must be between 0 and 1, for example 0.95: 0"),
        (lambda: garwood(0.5), "count must be a whole number, 0 or more: 0.5"),
        (lambda: garwood(5, level=1.2), "level must be between 0 and 1, for example 0.95: 1.2"),
        (lambda: wilson(7, 6), "successes must be at most trials, and trials above 0: 7 of 6"),
        (lambda: wilson(0, 0), "successes must be at most trials, and trials above 0: 0 of 0"),
        (lambda: wilson(-1, 6), "successes must be a whole number, 0 or more: -1"),
        (lambda: wilson(1, 2.5), "trials must be a whole number, 0 or more: 2.5"),
    ],
)
def test_what_cannot_be_right_is_refused_naming_the_value(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == message


# -- properties ---------------------------------------------------------------------------------------------------------


@same_examples
@given(counts, counts, exposures, exposures, kinds)
def test_the_interval_excludes_one_exactly_when_its_p_value_is_below_five_per_cent(x, y, a, b, kind):
    assume(x + y > 0)
    found = rate_ratio(x, y, a, b, kind=kind)
    assume(abs(found.p_value - 0.05) > 1e-9)
    assert (found.p_value < 0.05) == (found.lower > 1 or found.upper < 1)


# -- coverage, enumerated -----------------------------------------------------------------------------------------------


def test_central_never_covers_less_than_it_says():
    """Conditional coverage, exactly: for each total and true share, the probability of the outcomes whose interval holds the
    true ratio.
    """
    shares = np.linspace(0.005, 0.995, 100)
    for n in range(1, 31):
        found = [rate_ratio(x, n - x) for x in range(n + 1)]
        lower, upper = (np.array([getattr(f, end) for f in found])[:, None] for end in ("lower", "upper"))
        ratios = shares / (1 - shares)
        holds = (lower <= ratios) & (ratios <= upper)
        covered = (holds * stats.binom.pmf(np.arange(n + 1)[:, None], n, shares)).sum(axis=0)
        assert covered.min() >= 0.95, n
