"""Bass curves and the little they can say: published numbers, what is held out, and what a list does when people leave."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wardbook import reference
from wardbook.measures.growth import GrowthPriors, bass_peak, bass_share, fit_growth, place_on_curve, subscriber_path

HERTFORDSHIRE = [(2012.5, 40_000), (2016.13, 100_000), (2021.46, 160_000)]
JUNE_2023 = (2023.46, 178_144)


@pytest.fixture(scope="module")
def growth():
    return fit_growth(HERTFORDSHIRE, JUNE_2023, draws=100_000)


def test_room_air_conditioners_peak_where_bass_says():
    assert bass_peak(0.0104177, 0.41861) == pytest.approx(8.6, abs=0.05)
    years = np.linspace(0, 20, 200_001)
    steps = np.diff(bass_share(years, 0.0104177, 0.41861))
    assert years[steps.argmax()] == pytest.approx(bass_peak(0.0104177, 0.41861), abs=1e-3)


def test_a_curve_without_imitation_peaks_at_once():
    assert bass_peak(0.1, 0.0) == bass_peak(0.1, 0.05) == 0
    assert bass_share(5.0, 0.1, 0.0) == pytest.approx(1 - math.exp(-0.5))
    with pytest.raises(ValueError, match="innovation must be above 0"):
        bass_peak(0.0, 0.3)


def test_the_share_starts_at_nothing_rises_and_ends_at_all():
    share = bass_share(np.linspace(-2, 200, 500), 0.03, 0.3)
    assert share[0] == 0
    assert (np.diff(share) >= 0).all()
    assert share[-1] == pytest.approx(1)


def test_half_time_is_when_half_have_joined():
    drawn = GrowthPriors().draw(np.random.default_rng(1), 2_000)
    np.testing.assert_allclose(bass_share(drawn["half_time"], drawn["innovation"], drawn["imitation"]), 0.5, rtol=1e-9)
    low, high = np.quantile(GrowthPriors().draw(np.random.default_rng(1), 100_000)["final"], [0.05, 0.95])
    assert (low, high) == (pytest.approx(120_000, rel=0.02), pytest.approx(520_000, rel=0.02))


def test_the_points_are_those_of_the_evidence_and_the_last_is_held_out():
    rows = reference.load_evidence("subscriber").filter(place="Hertfordshire")
    assert rows["figure"].to_list() == [n for _, n in [*HERTFORDSHIRE, JUNE_2023]]
    assert rows["unit"].to_list() == ["members", "households", "households", "households"]


def test_the_naive_forecasts_are_arithmetic(growth):
    last, line = growth.forecasts.filter(forecast="last value"), growth.forecasts.filter(forecast="straight line")
    assert last["predicted"].item() == 160_000
    assert line["predicted"].item() == pytest.approx(160_000 + 60_000 / 5.33 * 2.0)
    assert abs(line["error"].item()) < 0.03
    assert last["error"].item() == pytest.approx(-0.1019, abs=1e-4)
    assert line["low"].item() is last["width"].item() is None


def test_the_band_covers_june_2023_because_it_is_wide(growth):
    band = growth.forecasts.filter(forecast="Bass, posterior")
    assert band["covers"].item()
    assert band["width"].item() == pytest.approx((band["high"] - band["low"]).item() / 178_144)
    assert (
        0.3 < band["width"].item() < 0.8
    )  # wider than the three forecasts are apart: it can tell none of them from another
    assert "cannot test" in growth.sentence


def test_three_points_leave_the_curve_to_its_priors():
    """Another prior of the final size, no less sensible, moves the forecast further than a straight line misses by."""
    forecasts = []
    for final in ((190_000, 165_000, 220_000), (430_000, 350_000, 520_000)):
        found = fit_growth(HERTFORDSHIRE, JUNE_2023, priors=GrowthPriors(final=final), draws=100_000).forecasts
        forecasts.append(found.filter(forecast="Bass, posterior")["predicted"].item())
    assert abs(forecasts[1] - forecasts[0]) / 178_144 > 0.045
    assert forecasts[0] < 170_000 < 175_000 < forecasts[1]


def test_prior_stands_beside_posterior_and_the_data_narrow_it(growth):
    table = growth.parameters
    assert table["parameter"].to_list() == [
        "launch",
        "half_time",
        "imitation_ratio",
        "final",
        "innovation",
        "imitation",
    ]
    final = table.filter(parameter="final").row(0, named=True)
    prior = final["prior_q95"] / final["prior_q05"]
    assert final["posterior_q95"] / final["posterior_q05"] < prior
    assert growth.effective_draws > 500
    assert growth.curve["posterior_q50"].is_sorted()


def test_growth_refuses_what_it_cannot_fit():
    for points in (
        [],
        [(2012, 1.0)],
        [(2012, 1.0), (2011, 2.0)],
        [(2012, 1.0), (2024, 2.0)],
        [(2012, 0.0), (2013, 2.0)],
    ):
        with pytest.raises(ValueError, match="two points or more, rising in time"):
            fit_growth(points, JUNE_2023)
    with pytest.raises(ValueError, match="no weight under the priors"):
        fit_growth([(2012, 5.0), (2013, 5e9)], JUNE_2023, draws=2_000)


def test_ealing_lies_within_the_band_on_day_113_and_above_it_on_day_15():
    early, late = place_on_curve(
        1353, [15, 113], final=(450 * 24, 150 * 24, 1300 * 24), half_time=(2, 0.75, 5)
    ).iter_rows(named=True)
    assert late["covers"]
    assert not early["covers"]
    assert early["position"] > 0.95
    assert 0.5 < late["position"] < 0.95
    assert early["q50"] < late["q50"]


def path(**changed):
    return subscriber_path(**({"final": 450, "half_time": 2.0, "years": 15} | changed))


def test_without_leavers_a_list_reaches_its_final_size_and_half_at_its_half_time():
    weeks = path(unsubscribe_per_message=0.0, years=40)
    assert weeks["members"].is_sorted()
    assert weeks["members"][-1] == pytest.approx(450, rel=1e-3)
    assert weeks["members"][round(2 * 365.25 / 7)] == pytest.approx(225, rel=0.03)  # weekly steps, not the curve
    assert not weeks["fizzled"].any()


def test_rejoining_decides_whether_a_list_fizzles_out():
    assert not path()["fizzled"].any()
    without = path(rejoining=False)
    assert without["fizzled"].any()
    first = without.filter("fizzled").row(0, named=True)
    assert first["members"] < first["peak"] / 2


def test_the_hypotheses_are_off_unless_asked_for():
    assert path(capacity=100.0)["members"].equals(path()["members"])
    assert path(churn_silence=0.0, messages_per_week=0.1)["members"].max() >= path()["members"].max()
    unanswered = path(capacity=100.0, churn_unanswered=0.1)
    assert unanswered["members"].max() < path()["members"].max()
    assert (
        path(churn_silence=0.05, messages_per_week=0.1)["members"].max() < path(messages_per_week=0.1)["members"].max()
    )


def test_nobody_is_nobody():
    assert path(final=0)["members"].max() == 0
    assert not path(final=0)["fizzled"].any()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"half_time": 0}, "half_time must be above 0: 0"),
        ({"churn_unanswered": 1.5}, "churn_unanswered must be between 0 and 1: 1.5"),
        ({"messages_per_week": -1}, "messages_per_week must be 0 or more: -1"),
        ({"years": math.inf}, "years must be above 0: inf"),
    ],
)
def test_nonsense_is_refused_by_name(changed, words):
    with pytest.raises(ValueError, match=words):
        path(**changed)
