"""The load model: METHODS.md's figures, what must be true of any load, what nonsense is refused, and that it scales."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardbook import reference
from wardbook.measures import load_model, workload
from wardbook.measures.workload import (
    AssumptionError,
    Scenario,
    break_even_contours,
    break_even_points,
    compare_levels,
    compare_mailboxes,
    compare_scenarios,
    flip_values,
    interpolation_error,
    needed_values,
    own_scenario,
    saturation_subscribers,
    sensitivity,
    simulate,
    sobol_indices,
    weekly_load,
)
from wardbook.places import UnknownName

same_examples = settings(derandomize=True, deadline=None, max_examples=60)
QUANTILES = ["q05", "q25", "q50", "q75", "q95"]


@pytest.fixture(scope="module")
def assumptions() -> workload.Assumptions:
    return reference.load_assumptions()


@pytest.fixture(scope="module")
def table(assumptions) -> pl.DataFrame:
    """One ward under every scenario."""
    return simulate(assumptions, draws=20_000)


def row(table: pl.DataFrame, scenario: str, quantity: str) -> dict:
    return table.filter(scenario=scenario, quantity=quantity).row(0, named=True)


def medians(assumptions, **changed) -> dict:
    values = {
        a.name: a.parameters[0] if a.is_fixed else float(a.quantile(np.array([0.5]))[0]) for a in assumptions.inputs
    }
    return values | changed


# -- the tables ----------------------------------------------------------------------------------------------------------------


def test_every_prior_has_unit_evidence_flag_level_and_source(assumptions):
    for a in assumptions.inputs:
        assert a.unit and a.label and a.evidence and a.source
        assert a.flag in load_model.FLAGS
        assert a.level in load_model.LEVELS
        if a.distribution in ("lognormal", "beta", "discrete"):
            assert a.minimum <= a.low < a.high <= a.maximum


@pytest.mark.parametrize(
    ("name", "median", "low", "high", "flag"),
    [
        ("subscribers_first_year", 120, 35, 420, "derived"),
        ("subscribers_mature", 450, 150, 1300, "derived"),
        ("subscriber_spread", 0.7, 0.3, 1.2, "derived"),
        ("half_time", 24, 9, 60, "derived"),
        ("messages_per_week", 0.8, 0.2, 3, "derived"),
        ("unsubscribe_per_message", 0.002, 0.0008, 0.005, "published"),
        ("reply_share", 0.003, 0.0005, 0.015, "assumption"),
        ("survey_response_share", 0.09, 0.05, 0.14, "published"),
        ("unprompted_share", 0.01, 0.002, 0.05, "assumption"),
        ("chase_share", 0.24, 0.12, 0.40, "derived"),
        ("chase_multiplier", 1.8, 1.0, 3.2, "assumption"),
        ("availability", 0.75, 0.63, 0.85, "assumption"),
        ("abstraction", 0.19, 0.075, 0.36, "derived"),
        ("usable_share", 0.08, 0.03, 0.20, "assumption"),
        ("unverified_share", 0.09, 0.02, 0.23, "assumption"),
    ],
)
def test_the_priors_are_those_of_the_evidence(assumptions, name, median, low, high, flag):
    a = assumptions[name]
    found = a.quantile(np.array([0.05, 0.5, 0.95]))
    assert a.flag == flag
    assert (a.low, a.high) == (low, high)
    # A beta's or an asymmetric interval is stated rounded; a lognormal's spread is the interval's.
    assert found[1] == pytest.approx(median, rel=0.08)
    assert found[2] / found[0] == pytest.approx(high / low, rel=0.35)


def test_staff_are_two_three_or_four(assumptions):
    drawn = assumptions["staff_per_ward"].quantile(np.random.default_rng(1).random(40_000))
    assert [(drawn == n).mean() for n in (2, 3, 4)] == pytest.approx([0.25, 0.5, 0.25], abs=0.01)


def test_published_figures_have_an_office_and_a_publication_and_no_quality_m():
    for name in ("subscriber", "workforce"):
        found = reference.load_evidence(name)
        assert set(found["quality"]) <= {"A", "B", "C", "D"}
        assert (found["publication"] != "").all() and (found["office"] != "").all() and (found["date"] != "").all()
    with pytest.raises(UnknownName, match="did you mean 'subscriber'"):
        reference.load_evidence("subscribers")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("unit", "", "unit of reply_share is '': it must be stated"),
        ("flag", "guess", "flag of reply_share is 'guess': one of published, derived, assumption"),
        ("level", "borough", "level of reply_share is 'borough': one of london, ward"),
        ("distribution", "normal", "distribution of reply_share is 'normal'"),
        ("low", "0", "low of reply_share is '0': a 90 % interval above 0 around the median"),
        ("parameters", "few", "parameters of reply_share is 'few'"),
        ("parameters", "7", "reply_share 7 is outside 0 to 1 share"),
    ],
)
def test_a_bad_row_is_refused_by_file_line_field_and_value(field, value, words):
    rows = reference._read_cells("load_assumptions_old.csv")
    (reply,) = [r for r in rows if r["name"] == "reply_share"]
    change = {"high": "8"} if value == "7" else {}
    with pytest.raises(AssumptionError) as caught:
        reference._assumption(reply | {field: value} | change, "data/reference/load_assumptions.csv, line 9")
    assert words in str(caught.value)
    assert "load_assumptions.csv, line 9" in str(caught.value)


# -- METHODS.md's figures --------------------------------------------------------------------------------------------------------


def test_the_headline_figures(table):
    """METHODS.md: 0.085 (0.010-0.78), 3.5 % above 1, 0.5 h of 5.5 h: before outbound work shortened the reading hours a little."""
    rho, asked, there = (row(table, "open", q) for q in ("utilisation", "inbound_hours", "reading_hours"))
    assert rho["q50"] == pytest.approx(0.085, abs=0.006)
    assert rho["q05"] == pytest.approx(0.0105, abs=0.0015)
    assert rho["q95"] == pytest.approx(0.80, abs=0.06)
    assert rho["overloaded"] == pytest.approx(0.036, abs=0.005)
    assert asked["q50"] == pytest.approx(0.47, abs=0.03)
    assert there["q50"] == pytest.approx(5.4, abs=0.2)


def test_load_would_have_to_be_twelve_times_higher(assumptions):
    found = needed_values(assumptions)
    assert found.row(0, named=True)["times"] == pytest.approx(12, abs=1)
    assert "no value in its range does" in set(found["text"])  # fewer officers alone cannot
    assert found["needed"].drop_nulls().min() > 0


def test_each_needed_value_makes_overload_even_odds(assumptions):
    found = {r["input"]: r for r in needed_values(assumptions).iter_rows(named=True)}
    for name in ("reply_share", "minutes_per_message", "usable_share"):
        changed = assumptions.override(**{name: found[name]["needed"]})
        assert row(simulate(changed, draws=4_000), "open", "utilisation")["overloaded"] == pytest.approx(
            0.5, abs=0.01
        ), name
        assert found[name]["times"] == pytest.approx(found[name]["needed"] / found[name]["now"])
    size = dataclasses.replace(assumptions, scenarios=(Scenario("s", "", "exactly", found["subscribers"]["needed"]),))
    assert row(simulate(size, draws=4_000), "s", "utilisation")["overloaded"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("replies", "expected"), [(0.01, 5100), (0.05, 1020)])
def test_the_worked_scale(assumptions, replies, expected):
    fixed = assumptions.override(
        staff_per_ward=2,
        contracted_hours=40,
        usable_share=1 / 8,  # an hour a day
        availability=0.85,
        abstraction=0,
        minutes_per_message=10,
        chase_share=0,
        messages_per_week=1,
        reply_share=replies,
        unprompted_share=0,
        unverified_share=0,
        minutes_to_write=0,
        sessions_per_week=0,
        surveys_per_year=0,
    )
    found = saturation_subscribers(fixed, draws=10).filter(scenario="open")
    ward, officer = (found.filter(per=per) for per in ("ward", "officer"))
    assert ward.select(QUANTILES).row(0) == pytest.approx([expected] * 5)
    assert officer["q50"].item() == pytest.approx(expected / 2)


def test_what_nobody_knows_is_everywhere_or_nowhere_if_wards_share_it(assumptions):
    """METHODS.md: 2.3-4.7 % of wards; against none in 55 % of draws and many in 5 %."""
    ward, london, spread = compare_levels(assumptions, wards=680, draws=800).iter_rows(named=True)
    assert (ward["q05"], ward["q95"]) == (pytest.approx(0.024, abs=0.004), pytest.approx(0.049, abs=0.005))
    assert ward["none_overloaded"] == 0
    assert london["none_overloaded"] == pytest.approx(0.55, abs=0.08)
    assert london["q95"] > 3 * ward["q95"]
    assert london["mean"] == pytest.approx(ward["mean"], abs=0.015)  # the same odds for each ward
    assert spread["q95"] == pytest.approx(0.42, abs=0.1)
    assert spread["none_overloaded"] == pytest.approx(0.5, abs=0.08)


def test_ishigami():
    """a = 7, b = 0.1: first order 0.3139, 0.4424, 0; total 0.5576, 0.4424, 0.2437."""

    def ishigami(cube):
        x, y, z = (2 * np.pi * cube.T) - np.pi
        return {"f": np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x), "constant": np.ones(len(x))}

    found = sobol_indices(["x", "y", "z"], ishigami, n=8192, seed=1)
    first, total = ({r["input"]: r for r in found.filter(outcome="f").iter_rows(named=True)} for _ in range(2))
    for name, s, t in (("x", 0.3139, 0.5576), ("y", 0.4424, 0.4424), ("z", 0.0, 0.2437)):
        assert first[name]["first"] == pytest.approx(s, abs=0.015)
        assert total[name]["total"] == pytest.approx(t, abs=0.015)
        assert total[name]["total_low"] <= t <= total[name]["total_high"]
    assert [first[n]["rank"] for n in "xyz"] == [1, 2, 3]
    constant = found.filter(outcome="constant")
    assert constant["total"].null_count() == 3
    assert set(constant["rank"]) == {1}
    with pytest.raises(ValueError, match="n must be a power of 2"):
        sobol_indices(["x"], ishigami, n=100, seed=1)


# -- what must be true -------------------------------------------------------------------------------------------------------------


@same_examples
@given(data=st.data(), factor=st.floats(1.0, 30))
def test_load_moves_the_way_it_must(assumptions, data, factor):
    rising = st.sampled_from(["reply_share", "unprompted_share", "minutes_per_message", "chase_multiplier"])
    falling = st.sampled_from(["staff_per_ward", "usable_share", "contracted_hours"])
    base = medians(assumptions, usable_share=0.02)
    people = data.draw(st.floats(1, 5_000))

    def rho(values, n=people, verified=False) -> float:
        return float(weekly_load(values, np.array([n]), verified=verified)["utilisation"][0])

    more, less = data.draw(rising), data.draw(falling)
    assert rho(base, people * factor) >= rho(base)
    assert rho(base | {more: base[more] * factor}) >= rho(base)
    assert rho(base | {less: base[less] * factor}) <= rho(base)
    assert rho(base | {"outbound_from_reading": 1.0}) >= rho(base)


def test_outbound_work_shortens_the_reading_hours_as_declared(assumptions):
    v = medians(assumptions)
    for paid, expected in (
        (0.0, lambda p, o: v["usable_share"] * (p - o)),
        (1.0, lambda p, o: v["usable_share"] * p - o),
    ):
        week = weekly_load(v | {"outbound_from_reading": paid}, np.array([450.0]), verified=False)
        present, outbound = week["present_hours"], np.ravel(week["outbound_hours"])[0]
        assert outbound == pytest.approx((0.8 * 30 + 0.5 * 120 + 2 / (365.25 / 7) * 60) / 60)
        assert week["reading_hours"][0] == pytest.approx(expected(present, outbound))


@pytest.mark.parametrize("utilisation", [2.5, 10.0])
def test_beyond_the_tables_the_backlog_is_load_less_capacity(assumptions, utilisation):
    fixed = assumptions.override(
        **{k: x for k, x in medians(assumptions).items() if assumptions[k].distribution != "choice"}
    )
    people = utilisation / weekly_load(medians(fixed), np.array([1.0]), verified=False)["utilisation"][0]
    found = simulate(dataclasses.replace(fixed, scenarios=(Scenario("full", "", "exactly", people),)), draws=20)
    mail = row(found, "full", "messages")["q50"]
    for weeks in (4, 52):
        expected = weeks * mail * (1 - 1 / utilisation)
        assert row(found, "full", f"backlog_{weeks}_weeks")["q50"] == pytest.approx(expected, rel=0.1)


def test_more_officers_answer_more_in_time(assumptions):
    shares = [
        row(simulate(assumptions.override(staff_per_ward=n), draws=3_000), "lancashire", "share_72h") for n in (2, 3, 4)
    ]
    for fewer, more in zip(shares, shares[1:]):
        assert all(more[q] > fewer[q] for q in ("q25", "q50", "mean"))


def test_zero_at_zero(assumptions):
    nobody = dataclasses.replace(assumptions, scenarios=(Scenario("none", "Nobody", "exactly", 0.0),))
    found = simulate(nobody, draws=200)
    for quantity in ("messages", "inbound_hours", "utilisation", "backlog_4_weeks", "backlog_52_weeks", "wait_hours"):
        assert row(found, "none", quantity)["q95"] == 0, quantity
    silent = assumptions.override(reply_share=0, unprompted_share=0)
    found = simulate(silent, draws=200)
    assert row(found, "open", "utilisation")["mean"] == 0
    assert row(found, "open", "saturation_per_officer")["text"] == "no limit"
    assert row(found, "open", "saturation_per_officer")["q50"] is None


def test_no_table_holds_an_infinite_or_negative_number(assumptions):
    heavy = assumptions.override(usable_share=0.001, outbound_from_reading=1, reply_share=0.5)
    found = simulate(heavy, draws=500)
    values = found.select(*QUANTILES, "mean").to_numpy()
    assert np.isfinite(values[~np.isnan(values)]).all()
    assert (values[~np.isnan(values)] >= 0).all()
    wait = row(found, "open", "wait_hours")
    assert (wait["q50"], wait["text"]) == (None, "grows without end")
    weeks = {n: row(found, "open", f"backlog_{n}_weeks") for n in (4, 52)}
    assert 0 < weeks[4]["q50"] < weeks[52]["q50"]
    assert weeks[52]["q50"] == pytest.approx(52 * row(found, "open", "messages")["q50"], rel=0.1)  # nobody reads any
    assert row(found, "open", "share_72h")["q95"] < 0.05


def test_the_ceiling_is_above_the_share_and_the_longer_deadline_above_the_shorter(table):
    for scenario in table["scenario"].unique():
        for h in ("72h", "24h"):
            for q in QUANTILES:
                assert row(table, scenario, f"share_{h}")[q] <= row(table, scenario, f"ceiling_{h}")[q]
        assert row(table, scenario, "share_24h")["q50"] < row(table, scenario, "share_72h")["q50"]
    rho = {s: row(table, s, "utilisation")["q50"] for s in ("own", "owl", "verified", "open", "lancashire")}
    assert sorted(rho, key=rho.get) == ["own", "owl", "verified", "open", "lancashire"]


def test_a_ceiling_does_not_depend_on_the_list(table):
    ceilings = {s: row(table, s, "ceiling_72h")["q50"] for s in ("open", "owl", "lancashire", "own", "verified")}
    assert ceilings["open"] == ceilings["owl"] == ceilings["lancashire"] == ceilings["own"]
    assert ceilings["verified"] < ceilings["open"]  # by the hours that checking takes, and by nothing else
    assert ceilings["verified"] == pytest.approx(ceilings["open"], abs=1e-3)


def test_working_hours_and_presence_move_the_ceiling(assumptions, table):
    working = simulate(assumptions, draws=2_000, working=True)
    assert row(working, "open", "ceiling_72h")["q50"] > row(table, "open", "ceiling_72h")["q50"]
    always = simulate(assumptions.override(absence="always"), draws=2_000)
    assert row(always, "open", "ceiling_72h")["q50"] > 0.99


def test_a_seed_gives_one_answer_and_another_seed_another(assumptions):
    first = simulate(assumptions, draws=300, wards=3, seed=4, workers=1)
    assert first.equals(simulate(assumptions, draws=300, wards=3, seed=4, workers=2))
    assert not first.equals(simulate(assumptions, draws=300, wards=3, seed=5))
    # What one ward draws does not depend on how many there are.
    assert first.filter(ward_code="ward 1").equals(simulate(assumptions, draws=300, wards=1, seed=4))


def test_residents_scale_only_the_list_that_is_a_share_of_them(assumptions):
    wards = pl.DataFrame({"ward_code": ["E1", "E2"], "residents": [6_000, 12_000]})
    found = simulate(assumptions, draws=4_000, wards=wards)
    means = {w: row(found.filter(ward_code=w), "lancashire", "subscribers")["mean"] for w in ("E1", "E2")}
    assert means["E1"] == pytest.approx(0.0771 * 6_000, rel=0.06)
    assert means["E2"] == pytest.approx(2 * means["E1"], rel=0.12)
    owl = [row(found.filter(ward_code=w), "owl", "subscribers")["mean"] for w in ("E1", "E2")]
    assert owl == pytest.approx([400, 400], rel=0.06)


def test_every_draw_is_kept_only_when_asked(assumptions, tmp_path):
    folder = tmp_path / "draws"
    found = simulate(assumptions, draws=500, wards=2, keep_draws=True, folder=folder)
    kept = pl.read_parquet(folder / "ward 1.parquet")
    assert kept.height == 500 * 5
    assert sorted(p.name for p in folder.iterdir()) == ["ward 1.parquet", "ward 2.parquet"]
    median = kept.filter(scenario="owl")["utilisation"].sort()[249]
    assert median == row(found.filter(ward_code="ward 1"), "owl", "utilisation")["q50"]
    with pytest.raises(ValueError, match="keep_draws writes Parquet"):
        simulate(assumptions, draws=5, keep_draws=True)


def test_the_interpolation_costs_about_a_point(assumptions):
    found = interpolation_error(assumptions, points=60)
    drawn = {r["quantity"]: r for r in found.filter(points="as drawn").iter_rows(named=True)}
    for quantity in ("share_72h", "share_24h", "ceiling_72h", "ceiling_24h"):
        assert drawn[quantity]["mean_absolute_error"] < 0.02, quantity
        assert abs(drawn[quantity]["mean_error"]) < 0.012, quantity
    loaded = found.filter(points="loaded", quantity="share_72h").row(0, named=True)
    assert loaded["mean_absolute_error"] < 0.03


# -- scenarios ---------------------------------------------------------------------------------------------------------------------


def test_common_draws_make_differences_narrow(assumptions):
    found = compare_scenarios(assumptions, draws=4_000)
    ratio = found.filter(scenario="verified", measure="ratio", quantity="inbound_hours").row(0, named=True)
    unverified = assumptions["unverified_share"].quantile(np.array([0.95, 0.5, 0.05]))
    assert [ratio[q] for q in ("q05", "q50", "q95")] == pytest.approx(1 - unverified, abs=0.01)
    same = found.filter(scenario="lancashire", quantity="outbound_hours", measure="ratio").row(0, named=True)
    assert same["q05"] == same["q95"] == 1  # bulletins are written once, whatever the list
    assert set(found["unit"]) == {"times", "hours a week", "percentage points"}


def test_flip_values_are_their_closed_forms(assumptions):
    fixed = assumptions.override(unverified_share=0.2)
    rows = flip_values(fixed, draws=100).filter(scenario="verified", flips=True)
    at = {r["input"]: r["q50"] for r in rows.iter_rows(named=True)}
    assert at["reply ratio"] == pytest.approx(1 / 0.8)
    assert at["unverified_reply_ratio"] == pytest.approx(0.8 / 0.2)

    # At the minutes found, checking costs what it saves: the plain arithmetic of a week says so too.
    v = medians(fixed, unverified_share=0.2)
    open_week = weekly_load(v, np.array([450.0]), verified=False)
    found = flip_values(fixed.override(**{k: x for k, x in v.items() if fixed[k].distribution != "choice"}), draws=10)
    minutes = found.filter(scenario="verified", input="minutes_per_check")["q50"].item()
    closed = weekly_load(v | {"minutes_per_check": minutes}, np.array([450.0]), verified=True)
    spent = [w["inbound_hours"][0] + np.ravel(w["outbound_hours"])[0] for w in (open_week, closed)]
    assert spent[0] == pytest.approx(spent[1], rel=1e-9)


def test_what_lists_share_never_flips(assumptions):
    found = flip_values(assumptions, draws=50)
    never = found.filter(~pl.col("flips"))
    assert set(never["text"]) == {"never flips"}
    assert {"reply_share", "minutes_per_message", "usable_share"} <= set(never.filter(scenario="owl")["input"])
    assert never["q50"].null_count() == never.height
    differing = found.filter("flips", scenario="owl")["input"].to_list()
    assert differing == ["subscribers"]


def test_one_mailbox_for_the_borough_answers_more_in_time(assumptions):
    found = compare_mailboxes(assumptions, wards=10, draws=60)
    share = {r["arrangement"]: r["mean"] for r in found.filter(quantity="share_72h").iter_rows(named=True)}
    assert share["one for the borough"] > share["a mailbox a ward"]
    values = found.select("q05", "q50", "q95", "mean").to_numpy().astype(float)
    assert (values[~np.isnan(values)] >= 0).all()


def test_the_wards_mailboxes_are_weighed_by_their_mail(assumptions, tmp_path):
    found = compare_mailboxes(assumptions, wards=3, draws=99).filter(
        arrangement="a mailbox a ward", quantity="share_72h"
    )
    simulate(assumptions, wards=3, draws=99, keep_draws=True, folder=tmp_path)
    kept = pl.concat([pl.read_parquet(path) for path in sorted(tmp_path.iterdir())]).filter(scenario="open")
    weighed = kept.group_by("draw").agg((pl.col("share_72h") * pl.col("messages")).sum() / pl.col("messages").sum())
    assert found["mean"].item() == pytest.approx(weighed["share_72h"].mean(), rel=1e-9)


def test_break_even_is_hours_over_messages(assumptions):
    found = break_even_contours(assumptions, messages=[1, 10], draws=2_000)
    assert found["officers"].unique().sort().to_list() == [1, 2, 3, 4]
    for r in found.iter_rows(named=True):
        assert r["minutes"] * r["messages_per_week"] / 60 == pytest.approx(r["reading_hours"])
        assert r["minutes_low"] < r["minutes"] < r["minutes_high"]
    by_officers = found.filter(messages_per_week=10)["minutes"]
    assert by_officers.is_sorted()


def test_each_published_count_is_a_point_with_its_bar(assumptions):
    found = break_even_points(assumptions, reference.load_evidence("subscriber"), draws=4_000)
    hamlets = found.filter(place="Tower Hamlets").row(0, named=True)
    assert hamlets["subscribers"] == 400
    assert hamlets["messages_low"] < hamlets["messages"] < hamlets["messages_high"]
    assert hamlets["messages"] == pytest.approx(2.4, abs=0.2)
    assert "Hertfordshire" not in set(found["place"])
    assert found.sort("subscribers")["overloaded"].is_sorted()


def test_sensitivity_names_the_inputs_and_ties_what_cannot_be_told_apart(assumptions):
    found = sensitivity(assumptions, n=512)
    assert set(found["outcome"]) == {"ln utilisation", "overloaded", "share_72h"}
    log = found.filter(outcome="ln utilisation")
    # Nearly a sum of logarithms: first-order indices add up to one, and total effects equal them.
    assert log["first"].sum() == pytest.approx(1, abs=0.08)
    variance = {
        a.name: (np.log(a.high / a.low) / 3.29) ** 2 for a in assumptions.inputs if a.distribution == "lognormal"
    }
    assert log.filter(input="subscribers_mature")["total"].item() == pytest.approx(
        variance["subscribers_mature"] / 1.66, rel=0.25
    )
    assert log["rank"][0] == 1
    assert (found["total_low"] <= found["total_high"]).all()
    assert found["label"].null_count() == 0
    top = found.filter(outcome="overloaded", rank=1)
    assert top.height > 1  # with 3-4 % of draws overloaded, no input can be called the first


# -- a reader's own -----------------------------------------------------------------------------------------------------------------

GOOD = {"subscribers": (900.0, "people"), "reply_share": (0.01, "share"), "staff_per_ward": (2.0, "officers")}


def test_a_scenario_of_ones_own(assumptions, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "name,value,unit\nsubscribers,900,people\nreply_share,0.01,share\nstaff_per_ward,2,officers\noffice_closes,20,hour of the day\n",
        encoding="utf-8",
    )
    mine = reference.own_scenario(str(path), assumptions)
    assert (mine.subscribers_from, mine.subscribers) == ("exactly", 900)
    both = dataclasses.replace(assumptions, scenarios=(assumptions.scenario("open"), mine))
    found = simulate(both, draws=300)
    assert row(found, "own", "subscribers")["q05"] == row(found, "own", "subscribers")["q95"] == 900
    assert row(found, "own", "present_hours")["q95"] <= 80
    assert row(found, "open", "present_hours")["q95"] > 80  # its overrides stay with it


@pytest.mark.parametrize(
    "written",
    ["{}", "{}\n", "{}\n,,\n", "{}\n\n\n", "{}\n , ,\n", "\ufeff{}\r\n"],
    ids=["no last line break", "as it was", "a row of commas", "blank lines", "a row of blanks", "BOM and CRLF"],
)
def test_a_scenario_may_end_as_spreadsheets_end(assumptions, tmp_path, written):
    path = tmp_path / "own.csv"
    rows = "name,value,unit\nsubscribers, 900 ,people\n,,\nreply_share,0.01,share"
    path.write_bytes(written.format(rows).encode())
    mine = reference.own_scenario(str(path), assumptions)
    assert (mine.subscribers, dict(mine.overrides)["reply_share"]) == (900, 0.01)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"minutes_per_message": (-3.0, "minutes")}, "minutes_per_message -3 is outside 0.1 to 240 minutes"),
        ({"staff_per_ward": (0.0, "officers")}, "staff_per_ward 0 is outside 1 to 20 officers"),
        ({"staff_per_ward": (2.5, "officers")}, "staff_per_ward 2.5 is not a whole number"),
        ({"reply_share": (1.5, "share")}, "reply_share 1.5 is outside 0 to 1 share"),
        ({"reply_share": (0.5, "")}, "reply_share has no unit: give it in 'share'"),
        ({"reply_share": (3.0, "%")}, "reply_share has the unit '%': give it in 'share'"),
        ({"subscribers": (-1.0, "people")}, "subscribers -1 is outside 0 to 100000 people"),
        ({"reply_share": ("many", "share")}, "reply_share 'many' is not a number"),
        ({"reply_share": (None, "share")}, "reply_share None is not a number"),
        ({"reply_share": (float("nan"), "share")}, "reply_share nan is not a number"),
        ({"office_closes": (8.0, "hour of the day")}, "open before they close: 9.0-8.0"),
    ],
)
def test_nonsense_is_refused_by_field_and_range(assumptions, changed, words):
    own_scenario(assumptions, GOOD)
    with pytest.raises(AssumptionError) as caught:
        own_scenario(assumptions, GOOD | changed, where="/home/me/own.csv")
    assert words in str(caught.value)


def test_a_misspelt_field_names_the_nearest(assumptions, tmp_path):
    with pytest.raises(UnknownName, match="unknown assumption 'reply_shear': did you mean 'reply_share'"):
        own_scenario(assumptions, {"reply_shear": (0.1, "share")})
    with pytest.raises(UnknownName, match="did you mean 'usable_share'"):
        assumptions.override(usable_shar=0.2)
    with pytest.raises(UnknownName, match="unknown level 'borough'"):
        assumptions.declare("borough")
    with pytest.raises(UnknownName, match="unknown scenario 'opens': did you mean 'open'"):
        sensitivity(assumptions, n=8, scenario="opens")
    path = tmp_path / "own.csv"
    path.write_text("name,value\nreply_share,0.1\n", encoding="utf-8")
    with pytest.raises(AssumptionError, match="a scenario has the columns name, value, unit"):
        reference.own_scenario(str(path), assumptions)
    with pytest.raises(AssumptionError, match="no such file"):
        reference.own_scenario("/nowhere.csv", assumptions)


@pytest.mark.parametrize("changed", [{"draws": 0}, {"weeks": 4}, {"wards": pl.DataFrame({"ward": ["a"]})}])
def test_a_run_of_nothing_is_refused(assumptions, changed):
    with pytest.raises(ValueError, match="draws must be|weeks must be|wards must have"):
        simulate(assumptions, **changed)


# -- how it grows ---------------------------------------------------------------------------------------------------------------------


def test_time_grows_with_wards_and_draws_and_memory_with_neither_wards(assumptions):
    """The full size (680 wards × 10,000 draws) is measured by tests/bench_load.py; this holds its shape: four times the
    wards take about four times the processor time, and no more memory."""
    simulate(assumptions, draws=10)

    def cost(wards: int, draws: int) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            simulate(assumptions, draws=draws, wards=wards, workers=1)
            taken.append(time.process_time() - start)
        return min(taken)

    small = cost(2, 4_000)
    assert cost(8, 4_000) < 6 * small
    assert cost(2, 16_000) < 6 * small

    def peak(wards: int) -> int:
        tracemalloc.start()
        simulate(assumptions, draws=4_000, wards=wards, workers=1)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(12) < 1.3 * peak(3)
