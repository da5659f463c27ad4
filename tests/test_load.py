"""Officers' hours and the load model: published numbers, ciw as an oracle, laws, and what nonsense is refused."""

import math
import os

import ciw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import cells
from conftest import EVERY
from wardbook import facts, places
from wardbook.measures import hours, load
from wardbook.measures.queue import Mailbox, departures, run_mailbox
from wardbook.sources import dwo

RUNS = 200


@pytest.fixture(scope="module")
def inputs() -> pl.DataFrame:
    return facts.load_assumptions()


@pytest.fixture(scope="module")
def published() -> pl.DataFrame:
    """The edition's table from the published figures alone, year 2023-24."""
    return dwo.officer_hours(facts.officer_hours()).filter(financial_year="2023-24")


@pytest.fixture(scope="module")
def demand() -> pl.DataFrame:
    """Offences of 2023-24, residents of the census and wards, by borough, as the notebook takes them from the edition."""
    return cells.run_until("06_subscriber_load", "demand", borough="London")


@pytest.fixture(scope="module")
def rated(published, demand) -> pl.DataFrame:
    return hours.rate_hours(published, demand, weight={"offences": 1})


def of(table: pl.DataFrame, borough: str) -> dict:
    return table.row(by_predicate=pl.col("borough_code") == places.area(borough).code, named=True)


# -- officers' hours -------------------------------------------------------------------------------------------------------


def test_the_published_shares_abstracted_and_a_boroughs_rates_by_hand(rated, demand):
    published = {"London": 18.2, "Southwark": 10.9, "Tower Hamlets": 20.8, "Hackney": 25.4}
    assert {area: round(of(rated, area)["abstracted_percent"], 1) for area in published} == published
    row, there = of(rated, "Tower Hamlets"), of(demand, "Tower Hamlets")
    assert row["hours_per_1000_offences"] == pytest.approx(117_084 / (there["offences"] / 1000))
    assert row["hours_per_1000_residents"] == pytest.approx(117_084 / (there["residents"] / 1000))
    assert row["even_share_hours"] / 3_605_844 == pytest.approx(there["offences"] / demand["offences"].sum())
    assert row["hours_per_ward"] == pytest.approx(117_084 / 20)
    assert row["ward_hours_per_week"] == pytest.approx((117_084 - 24_383) / 20 / (365.25 / 7))
    # That London's are its boroughs' together the notebook itself asserts.
    assert (of(rated, "London")["hours"], rated.height) == (pytest.approx(3_605_844, abs=5), 33)
    assert of(rated, "London")["posts_per_ward"] == pytest.approx(3.2, abs=0.05)


def test_a_mix_of_weights_lies_between_its_parts_and_turns_no_units_into_weight(published, demand):
    mixes = {"offences": {"offences": 1}, "residents": {"residents": 1}, "both": {"offences": 2, "residents": 2}}
    rows = hours.compare_weights(published, demand, mixes)
    table = rows.pivot("weight", index="borough_code", values="even_share_hours")
    assert_frame_equal(table.select("both"), table.select(both=pl.mean_horizontal("offences", "residents")))
    scaled = demand.with_columns(pl.col("residents") * 1000.0)
    assert_frame_equal(hours.even_share(demand, mixes["both"]), hours.even_share(scaled, mixes["both"]))
    # By offences Westminster has a third of an even share, by residents more than one.
    westminster = rows.filter(borough_code=places.area("Westminster").code)
    above = dict(westminster.select("weight", "above_even_percent").iter_rows())
    assert above["offences"] < -60 and above["residents"] > 0


def test_hours_that_cannot_be_rated_are_refused(published, demand):
    with pytest.raises(ValueError, match=r"the same boroughs.*E09000030"):
        hours.rate_hours(published, demand.filter(pl.col("borough_code") != "E09000030"), weight={"residents": 1})
    with pytest.raises(ValueError, match="hours of one year"):
        hours.rate_hours(dwo.officer_hours(facts.officer_hours()), demand, weight={"offences": 1})


# -- the tables of facts ---------------------------------------------------------------------------------------------------


def test_a_row_of_hours_whose_kinds_do_not_add_up_is_refused_by_its_line(tmp_path):
    path = tmp_path / "officer_hours.csv"
    path.write_text(
        "borough,period,hours,abstracted,abstracted_percent,training,aid,staffing_up,court,source,address,quality,licence,note\n"
        "Barnet,2023-24,100,20,,10,5,4,9,MPS,x,A,none,\n"
    )
    with pytest.raises(ValueError, match=f"^{path}, line 2.*allowed: kinds that add up to abstracted"):
        facts.read_facts(path, facts.OfficerHours)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("subscribers,900,heads", r"own.csv, line 2, column unit: 'heads'; allowed: 'people', for subscribers"),
        ("subscriber,900,people", r"line 2, column name: 'subscriber'; .*did you mean 'subscribers'"),
        ("subscribers,-5,people", r"line 2, column value: -5.0; allowed: 0 to 100000 people"),
        ("staff_per_ward,2.5,officers", r"line 2, column value: 2.5; allowed: a whole number, 1 to 20 officers"),
        ("office_opens,18,hour of the day", r"own.csv: office hours must be .*18 to 17"),
    ],
)
def test_own_figures_that_make_no_sense_are_refused_by_line_and_column(tmp_path, inputs, rows, says):
    path = tmp_path / "own.csv"
    path.write_text(f"name,value,unit\n{rows}\n")
    with pytest.raises(ValueError, match=says):
        facts.scenario(path, inputs)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda i: load.simulate(i, draws=-1), "draws must be a whole number, 1 to 1,000,000: -1"),
        (lambda i: load.answered_in_time(i, weeks=0), "weeks must be a whole number, 1 to 520: 0"),
        (lambda i: load.fix(i, usable_share=8), r"usable_share 8 is outside 0.001 to 1 share"),
        (lambda i: load.fix(i, office_closes=8), "open before they close: 9 to 8"),
        (lambda i: load.answered_in_time(load.fix(i, subscribers=0)), "nothing to simulate"),
        (lambda i: load.erlang_c(math.nan, 2), "load must be 0 or more: nan"),
    ],
)
def test_nonsense_is_refused_by_name_and_value(inputs, call, says):
    with pytest.raises(ValueError, match=says):
        call(inputs)


# -- published and worked numbers ------------------------------------------------------------------------------------------


def test_erlang_c_of_the_textbooks():
    assert load.erlang_c(2, 3) == pytest.approx(4 / 9, rel=1e-14)
    assert load.erlang_c(100 / 30 * 3, 14) == pytest.approx(0.1741319335950498, rel=1e-12)
    assert (load.erlang_c(0, 2), load.erlang_c(3, 3), load.erlang_c(7, 3)) == (0, 1, 1)
    assert load.erlang_c(0.3, 1) == pytest.approx(0.3)  # one server: busy is what it is
    assert load.erlang_c(900, 1000) < 1e-3  # 900! would overflow


def test_the_priors_give_the_figures_of_two_independent_programs(inputs):
    """METHODS.md: median 0.086-0.089, 90 % 0.011-0.81, above 1 3.5-3.7 %, saturation 5,090-5,200."""
    table = {row["quantity"]: row for row in load.summarise(load.simulate(inputs, draws=100_000)).iter_rows(named=True)}
    rho = table["utilisation"]
    assert 0.085 <= rho["q50"] <= 0.09
    assert (rho["q05"], rho["q95"]) == (pytest.approx(0.011, abs=0.001), pytest.approx(0.81, abs=0.03))
    assert 0.034 <= rho["at_least_1"] <= 0.038
    assert table["saturation"]["q50"] == pytest.approx(5_100, abs=120)
    reading = load.summarise(load.simulate(load.fix(inputs, outbound_from_reading=1), draws=100_000))
    assert reading.filter(quantity="utilisation")["at_least_1"].item() == pytest.approx(0.19, abs=0.005)
    assert reading.filter(quantity="saturation")["q50"].item() == pytest.approx(3_145, abs=80)


def test_no_draw_leaves_the_range_that_is_possible(inputs):
    drawn = load.draw_inputs(inputs.filter(name="usable_share"), draws=1_000_000)["usable_share"]
    assert drawn.max() == 1 and drawn.min() > 0.001  # a share of hours above 1 is drawn six times in a million


def test_measured_hours_move_the_answer_as_their_size_says(inputs, rated):
    """London's 83 hours a ward and week are 16 % more than the priors' 72, so a ward can carry a longer list."""
    measured = of(rated, "London")["ward_hours_per_week"]
    assert measured == pytest.approx((3_605_844 - 656_609) / 679 / (365.25 / 7))
    tables = [load.summarise(load.simulate(inputs, ward_hours=h)) for h in (None, measured)]
    priors, with_hours = (table.rows_by_key("quantity", named=True, unique=True) for table in tables)
    assert with_hours["present_hours"]["q05"] == with_hours["present_hours"]["q95"] == pytest.approx(measured)
    assert with_hours["inbound_hours"] == priors["inbound_hours"]
    assert with_hours["saturation"]["q50"] / priors["saturation"]["q50"] == pytest.approx(1.21, abs=0.03)
    assert with_hours["utilisation"]["at_least_1"] == pytest.approx(0.024, abs=0.003)


@pytest.mark.parametrize(("replies", "expected"), [(0.01, 5100), (0.05, 1020)])
def test_the_worked_scale(inputs, replies, expected):
    """Two officers, an hour a day each, five days, 85 % present, 10 minutes a message, so many replies a week."""
    none = ("abstraction", "chase_share", "unprompted_share", "minutes_to_write", "sessions_per_week")
    nothing = dict.fromkeys(none, 0)
    there = {"staff_per_ward": 2, "usable_share": 1 / 8, "availability": 0.85}
    fixed = load.fix(inputs, minutes_per_message=10, messages_per_week=1, reply_share=replies, **there, **nothing)
    saturation = load.simulate(fixed, draws=10)["saturation"]
    assert saturation.to_list() == pytest.approx([expected] * 10)
    whole = load.own_point(load.fix(fixed, subscribers=expected), draws=10)
    assert whole["asked_percent_q50"].item() == pytest.approx(100)
    counted = load.own_point(fixed, mailbox_messages=51, ward_hours=68, draws=10)  # 68 ÷ 8 = 8.5 hours, 51 × 10 minutes
    assert counted["asked_percent_q50"].item() == pytest.approx(100)


# -- the queue -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "wait"), [("exponential", 4.0), ("fixed", 2.0)])
def test_waits_are_those_of_m_g_1(kind, wait):
    """Pollaczek and Khinchine at utilisation 0.8, a mean service of 1: 4.0 and 2.0."""
    random = np.random.default_rng(6)
    begin = np.cumsum(random.exponential(1 / 0.8, (RUNS, 6_000)), axis=1)
    services = random.exponential(1.0, begin.shape) if kind == "exponential" else np.ones(begin.shape)
    waits = (departures(begin, services) - begin - services)[:, 600:].mean(axis=1)
    error = waits.std(ddof=1) / math.sqrt(RUNS)
    assert error <= 0.02 * wait
    assert abs(waits.mean() - wait) <= 3 * error


WEEKS = 26


def ward(random: int, mailbox: Mailbox, **given):
    """A mailbox run of one message a week and ten minutes each where nothing else is given."""
    usual = {"runs": RUNS, "weeks": 52, "staff": 3, "presence": 0.6, "minutes": 330, "messages_per_week": 1}
    usual |= {"minutes_per_message": 10, "burst_share": 0.0, "bulletins_per_week": 1}
    return run_mailbox(np.random.default_rng(random), mailbox, **usual | given)


def ciw_shares(seed: int, per_hour: float, service, closes: float) -> list[float]:
    """Shares answered within 72 and 24 elapsed hours by one ciw server, Monday to Friday 9 to `closes`, from an empty start."""
    ends, numbers = [], []
    for day in range(5):
        ends += [24 * day + 9, 24 * day + closes]
        numbers += [0, 1]
    schedule = ciw.Schedule(numbers_of_servers=[*numbers, 0], shift_end_dates=[*ends, 168], preemption="resume")
    times = {"arrival_distributions": [ciw.dists.Exponential(per_hour)], "service_distributions": [service]}
    network = ciw.create_network(**times, number_of_servers=[schedule])
    ciw.seed(seed)
    run = ciw.Simulation(network)
    run.simulate_until_max_time((WEEKS + 2) * 168)
    times = {r.id_number: (r.arrival_date, r.exit_date) for r in run.get_all_records(only=["service"])}
    waiting = [i.arrival_date for i in run.nodes[1].all_individuals if i.arrival_date < WEEKS * 168]
    spent = [out - came for came, out in times.values() if came < WEEKS * 168]
    return [sum(t <= h for t in spent) / (len(spent) + len(waiting)) for h in (72, 24)]


@pytest.mark.parametrize(("utilisation", "closes"), [(0.5, 17.0), (0.85, 13.0), (1.0, 17.0)])
def test_shares_answered_are_those_of_ciw(utilisation, closes):
    usable = 5 * (closes - 9)  # hours a week
    sigma = math.sqrt(math.log1p(1.03))
    service = ciw.dists.Lognormal(-(sigma**2) / 2, sigma)
    seeds = range(24 if os.environ.get(EVERY) else 8)
    theirs = np.array([ciw_shares(seed, utilisation * usable / 168, service, closes) for seed in seeds])
    alone = {"staff": 1, "presence": 1.0, "minutes": 60 * usable, "minutes_per_message": 60.0, "weeks": WEEKS}
    mail = {"messages_per_week": utilisation * usable, "bulletins_per_week": 0.0}
    ours = ward(66, Mailbox(absence="always", closes=closes), **alone, **mail).shares
    for k in range(2):
        errors = [x[:, k].std(ddof=1) / math.sqrt(len(x)) for x in (theirs, ours)]
        assert abs(theirs[:, k].mean() - ours[:, k].mean()) <= 3 * math.hypot(*errors)


@pytest.mark.parametrize(
    ("absence", "expected", "within"),
    [("always", 0.998, 0.002), ("independent days", 0.955, 0.003), ("week-long", 0.90, 0.015)],
)
def test_presence_decides_the_ceiling(absence, expected, within):
    """METHODS.md, two staff in office hours: 99.8 %, 95.5 %, 90 %; leave by the week, abstraction by the day."""
    ceilings = ward(1, Mailbox(absence=absence), runs=1_000, staff=2, presence=0.75 * 0.81).ceilings
    assert np.nanmean(ceilings[:, 0]) == pytest.approx(expected, abs=within)


# -- what must be true of any load -----------------------------------------------------------------------------------------


def test_a_saturated_list_fills_the_hours_whether_its_members_are_checked_or_not(inputs):
    for verified in (0, 1):
        sure = load.fix(inputs, **load.central_values(inputs))
        sure = load.fix(sure, verified=verified, minutes_per_check=200, outbound_from_reading=1)
        full = load.simulate(sure, draws=1)["saturation"][0]
        signed_up = full / (1 - 0.09 * verified)  # the unverified signed up too
        assert load.simulate(load.fix(sure, subscribers=signed_up), draws=1)["utilisation"][0] == pytest.approx(1)


def test_hours_asked_add_up_and_stand_by_hand(inputs):
    """One ward at the stated central values, worked out here: 450 people, 0.8 bulletins, 8.6 minutes and 24 % chasing."""
    sure = load.simulate(load.fix(inputs, **load.central_values(inputs)), draws=3)
    asked = {row["what"]: row for row in load.asked_per_100(sure).iter_rows(named=True)}
    minutes = 8.6 * (1 + 0.24 * 0.8) / 60
    unprompted = 0.01 * 12 / (365.25 / 7)
    assert asked["replies to bulletins"]["per_ward_q50"] == pytest.approx(450 * 0.8 * 0.003 * minutes)
    assert asked["unprompted messages"]["per_100_q50"] == pytest.approx(100 * unprompted * minutes)
    assert asked["writing bulletins"]["per_ward_q50"] == pytest.approx(0.4)
    assert asked["sessions"]["per_100_q50"] == pytest.approx(100 / 450)
    sums = {"all messages": ("replies to bulletins", "unprompted messages")}
    sums["all outbound work"] = ("writing bulletins", "sessions", "checking members")
    for total, parts in sums.items():
        assert asked[total]["per_ward_q50"] == pytest.approx(sum(asked[part]["per_ward_q50"] for part in parts))


def test_no_hours_left_is_without_end_and_no_mail_is_nothing(inputs):
    none_left = load.fix(inputs, outbound_from_reading=1, sessions_per_week=50)
    point = load.own_point(none_left, draws=100).row(0, named=True)
    assert (point["reading_hours_q50"], point["asked_percent_q50"]) == (0.0, None)
    # Of four draws the 5 % and 95 % ends are the lowest and the highest: none is made up between two.
    few = load.simulate(inputs, draws=4)
    assert load.summarise(few)["q95"].to_list() == [few[name].max() for name in few.columns]
    silent = load.fix(inputs, reply_share=0, unprompted_share=0)
    assert load.own_point(silent, draws=100)["asked_percent_q95"].item() == 0
    neither = load.fix(none_left, reply_share=0, unprompted_share=0)
    assert load.own_point(neither, draws=100)["asked_percent_q95"].item() == 0
    assert load.summarise(load.simulate(silent, draws=100)).filter(quantity="saturation")["q50"].item() is None


def test_answers_in_time_fall_with_the_load_and_stay_below_the_ceiling(inputs):
    small = {"ward_hours": 83.24, "weeks": 26, "runs": 60, "draws": 2_000}
    table = load.answered_in_time(inputs, **small)
    assert table["deadline_hours"].unique(maintain_order=True).to_list() == [72, 24]
    for _, part in table.group_by("deadline_hours", maintain_order=True):
        assert part["answered_percent"].is_sorted(descending=True)
        assert part["answered_percent"].is_between(0, 100).all()
    # At twice the break-even work waits a year at the end, so that few messages are in time.
    assert table.filter(deadline_hours=72, load=2.0)["answered_percent"].item() < 5


def test_what_would_be_needed_makes_the_middle_just_full(inputs):
    found = load.needed_values(inputs, ward_hours=83.24)
    for row in found.filter(pl.col("input") != "load").iter_rows(named=True):
        drawn = load.simulate(load.fix(inputs, **{row["input"]: row["needed"]}), ward_hours=83.24)
        assert drawn["utilisation"].median() == pytest.approx(1, rel=2e-3), row["input"]
        assert row["within"] == (row["low"] <= row["needed"] <= row["high"])
    whole = found.row(0, named=True)["times"]
    assert whole == pytest.approx(1 / load.simulate(inputs, ward_hours=83.24)["utilisation"].median())


def test_the_thresholds_of_verification_do_what_they_say(inputs):
    """At each threshold, put into the model itself, the verified and the open list come out even (or half)."""
    sure = load.fix(inputs, **load.central_values(inputs))
    table = dict(load.verification_thresholds(sure, draws=3).select("threshold", "q50").iter_rows())

    def hours_of(**changed) -> float:
        drawn = load.simulate(load.fix(sure, **changed), draws=1)
        return drawn["inbound_hours"][0] + drawn["checking_hours"][0]

    open_list = hours_of()
    ratio = table["reply ratio"]
    oftener = {"reply_share": 0.003 * ratio, "unprompted_share": 0.01 * ratio}
    assert hours_of(verified=1, minutes_per_check=0, **oftener) == pytest.approx(open_list)
    often = {"unverified_reply_ratio": table["unverified ratio"], "minutes_per_check": 0}
    assert hours_of(verified=1, **often) == pytest.approx(hours_of(**often) / 2)
    assert hours_of(verified=1, minutes_per_check=table["minutes of checking"]) == pytest.approx(open_list)
