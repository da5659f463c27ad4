"""The mailbox as a queue: published numbers, closed forms by replication, and ciw as an oracle that nobody here wrote."""

from __future__ import annotations

import math

import ciw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardbook.measures.queueing import (
    ABSENCE,
    GROWS,
    Mailbox,
    answered_within,
    bulletin_hours,
    deadline_hours,
    departures,
    departures_of_servers,
    erlang_c,
    mail_arrivals,
    make_clock,
    pooling_gap,
    run_mailbox,
    service_minutes,
    waiting_time,
)

same_examples = settings(derandomize=True, deadline=None, max_examples=40)
RUNS = 200  # independent replications of every comparison with a closed form


# -- published numbers ---------------------------------------------------------------------------------------------------


def test_erlang_c_of_the_textbooks():
    assert erlang_c(2, 3) == pytest.approx(4 / 9, rel=1e-14)
    load = 100 / 30 * 3  # contacts in 30 minutes, 3 minutes each
    assert erlang_c(load, 14) == pytest.approx(0.1741319335950498, rel=1e-12)
    assert answered_within(load, 14, 20 / 180) == pytest.approx(0.8883500191794669, rel=1e-12)


def test_erlang_c_at_its_ends():
    assert erlang_c(0, 2) == 0
    assert erlang_c(0.3, 1) == pytest.approx(0.3)  # one server: busy is what it is
    assert erlang_c(3, 3) == erlang_c(7, 3) == 1
    assert answered_within(3, 3, 100) == 0
    assert erlang_c(900, 1000) < 1e-3  # 900! would overflow


@pytest.mark.parametrize(("scv", "wait"), [(1, 4.0), (0, 2.0)])
def test_pollaczek_khinchine(scv, wait):
    found = waiting_time(0.8, 1.0, scv=scv)
    assert (found.mean, found.exact) == (pytest.approx(wait, rel=1e-14), True)


def test_a_full_queue_has_words_and_no_number():
    for rate in (1.0, 3.0):
        found = waiting_time(rate, 1.0)
        assert (found.mean, found.text) == (None, GROWS)
    assert waiting_time(0, 1.0).mean == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: erlang_c(-1, 2), "load must be 0 or more: -1"),
        (lambda: erlang_c(math.nan, 2), "load must be 0 or more: nan"),
        (lambda: erlang_c(1, 0), "servers must be a whole number, 1 or more: 0"),
        (lambda: erlang_c(1, 1.5), "servers must be a whole number, 1 or more: 1.5"),
        (lambda: waiting_time(1, -2), "mean_service must be 0 or more: -2"),
        (lambda: waiting_time(1, 2, scv=-1), "scv must be 0 or more: -1"),
        (
            lambda: Mailbox(absence="sometimes"),
            "absence must be one of always, independent days, week-long: 'sometimes'",
        ),
        (lambda: Mailbox(opens=17, closes=9), "open before they close: 17-9"),
    ],
)
def test_nonsense_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=".*") as caught:
        call()
    assert words in str(caught.value)


# -- against closed forms -------------------------------------------------------------------------------------------------

SERVICES = {
    "exponential": (1.0, lambda random, shape: random.exponential(1.0, shape)),
    "fixed": (0.0, lambda random, shape: np.ones(shape)),
    "lognormal": (1.03, lambda random, shape: service_minutes(random, shape, 1.0, 1.03)),
}


def mean_waits(utilisation: float, service, messages: int, seed: int) -> np.ndarray:
    """Mean wait of each of `RUNS` independent runs, the first part of each left out; a few runs at a time for the memory."""
    random, waits, warm = np.random.default_rng(seed), [], int(6 / (1 - math.sqrt(utilisation)) ** 2)
    for _ in range(RUNS // 20):
        begin = np.cumsum(random.exponential(1 / utilisation, (20, warm + messages)), axis=1)
        served = service(random, begin.shape)
        waits.append((departures(begin, served) - begin - served)[:, warm:].mean(axis=1))
    return np.concatenate(waits)


@pytest.mark.parametrize(
    ("kind", "utilisation"),
    [(k, u) for k in ("exponential", "fixed") for u in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)]
    + [("lognormal", 0.5), ("lognormal", 0.8), ("exponential", 0.95), ("fixed", 0.95)],
)
def test_the_pooled_simulation_is_m_m_1_and_m_g_1(kind, utilisation):
    scv, service = SERVICES[kind]
    # Messages for a standard error of about 0.7 % (M/M/1's asymptotic variance; a fixed service needs fewer, but is not asked to).
    u = utilisation
    relative = (2 + 5 * u - 4 * u**2 + u**3) / u / (1 - u) ** 2
    waits = mean_waits(u, service, int(relative / 0.007**2 / RUNS * (0.6 if kind == "fixed" else 1)), seed=6)
    standard_error = waits.std(ddof=1) / math.sqrt(RUNS)
    expected = waiting_time(u, 1.0, scv=scv).mean
    assert standard_error <= 0.01 * expected
    assert abs(waits.mean() - expected) <= 3 * standard_error


@pytest.mark.parametrize("servers", [1, 2, 3])
@pytest.mark.parametrize("utilisation", [0.5, 0.8])
def test_officers_one_by_one_are_m_m_c(servers, utilisation):
    random, load, messages, warm = np.random.default_rng(60 + servers), utilisation * servers, 12_000, 1_000
    begin = np.cumsum(random.exponential(1 / load, (RUNS, messages)), axis=1)
    served = random.exponential(1.0, begin.shape)
    wait = (departures_of_servers(begin, served, servers) - begin - served)[:, warm:]
    for each, expected in (
        ((wait > 1e-9).mean(axis=1), erlang_c(load, servers)),
        (wait.mean(axis=1), waiting_time(load, 1.0, servers=servers).mean),
    ):
        standard_error = each.std(ddof=1) / math.sqrt(RUNS)
        assert standard_error <= 0.01 * expected
        assert abs(each.mean() - expected) <= 3 * standard_error


def test_one_officer_by_himself_is_the_pooled_server():
    random = np.random.default_rng(1)
    begin = np.cumsum(random.exponential(1.2, (5, 400)), axis=1)
    served = random.exponential(1.0, begin.shape)
    np.testing.assert_allclose(departures_of_servers(begin, served, 1), departures(begin, served), rtol=1e-12)


def test_pooling_hides_the_officers_who_are_slower_one_by_one_and_m_g_c_errs_upwards():
    rows = pooling_gap((0.1, 0.9), (3,), scv=4.0, messages=4_000)
    light, heavy = rows.iter_rows(named=True)
    assert light["time_officers"] > 2.2 * light["time_pooled"]  # an idle pooled server is three officers at once
    assert heavy["time_officers"] < 1.2 * heavy["time_pooled"]
    assert (rows["wait_officers"] <= rows["wait_pooled"]).all()
    assert (
        rows["share_72h_officers"] - rows["share_72h_pooled"]
    ).abs().max() < 0.05  # of what is asked, it hides little
    assert light["share_24h_officers"] < light["share_24h_pooled"]
    assert 0.5 < light["formula_error"] < 1.0  # METHODS: up to +78 % at three servers, scv 4, low load
    assert abs(heavy["formula_error"]) < 0.25


# -- ciw on office hours ---------------------------------------------------------------------------------------------------

WEEKS = 26


def ciw_shares(seed: int, per_hour: float, service, closes: float) -> list[float]:
    """Shares answered within 72 and 24 elapsed hours by one ciw server, Monday to Friday 9 to `closes`, from an empty start."""
    ends, numbers = [], []
    for day in range(5):
        ends += [24 * day + 9, 24 * day + closes]
        numbers += [0, 1]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(per_hour)],
        service_distributions=[service],
        number_of_servers=[
            ciw.Schedule(numbers_of_servers=[*numbers, 0], shift_end_dates=[*ends, 168], preemption="resume")
        ],
    )
    ciw.seed(seed)
    run = ciw.Simulation(network)
    run.simulate_until_max_time((WEEKS + 2) * 168)
    times = {r.id_number: (r.arrival_date, r.exit_date) for r in run.get_all_records(only=["service"])}
    late = [i.arrival_date for i in run.nodes[1].all_individuals if i.arrival_date < WEEKS * 168]
    spent = [out - came for came, out in times.values() if came < WEEKS * 168]
    return [sum(t <= h for t in spent) / (len(spent) + len(late)) for h in (72, 24)]


@pytest.mark.parametrize(("utilisation", "closes"), [(0.5, 17.0), (0.85, 13.0)])
def test_office_hours_are_those_of_ciw(utilisation, closes):
    usable = 5 * (closes - 9)  # hours a week
    sigma = math.sqrt(math.log1p(1.03))
    per_week = utilisation * usable
    service = ciw.dists.Lognormal(-(sigma**2) / 2, sigma)
    theirs = np.array([ciw_shares(seed, per_week / 168, service, closes) for seed in range(24)])
    ours = run_mailbox(
        np.random.default_rng(66),
        Mailbox(absence="always", closes=closes),
        runs=RUNS,
        weeks=WEEKS,
        staff=1,
        presence=1.0,
        minutes=60 * usable,
        messages_per_week=per_week,
        minutes_per_message=60.0,
        burst_share=0.0,
        bulletins_per_week=0.0,
    )
    for k in range(2):
        errors = [x[:, k].std(ddof=1) / math.sqrt(len(x)) for x in (theirs, ours.by_run)]
        assert abs(theirs[:, k].mean() - ours.by_run[:, k].mean()) <= 3 * math.hypot(*errors)


# -- laws --------------------------------------------------------------------------------------------------------------------


@same_examples
@given(
    seed=st.integers(0, 2**32 - 1),
    mail=st.floats(0.1, 60),
    minutes=st.floats(10, 1000),
    burst=st.floats(0, 1),
    absence=st.sampled_from(ABSENCE),
    servers=st.integers(1, 3),
)
def test_littles_law_in_every_run(seed, mail, minutes, burst, absence, servers):
    """∫N over the window is the time messages spend in it, counted the one way by events and the other by messages."""
    random, mailbox, weeks = np.random.default_rng(seed), Mailbox(absence=absence), 6
    clock = make_clock(random, mailbox, runs=3, weeks=weeks, staff=3, presence=0.6, minutes=minutes)
    hours = mail_arrivals(
        random, mailbox, runs=3, weeks=weeks, per_week=mail, burst_share=burst, bulletins_per_week=0.8
    )
    for run in range(3):
        # Every message, even one that never comes to be read, has its place on the clock.
        came = clock(np.where(np.isfinite(hours), hours, 0))[run][np.isfinite(hours[run])][None]
        served = service_minutes(random, came.shape, 10.0, 1.03)
        out = departures(came, served) if servers == 1 else departures_of_servers(came, served * servers, servers)
        end = clock.gone[run, -1]
        times = np.concatenate([came[0], np.minimum(out[0], end), [end]])
        change = np.concatenate([np.ones(came.size), -np.ones(came.size), [0.0]])
        order = np.argsort(times, kind="stable")
        inside = np.cumsum(change[order])[:-1] @ np.diff(times[order])
        assert inside == pytest.approx((np.minimum(out, end) - came).sum(), rel=1e-9, abs=1e-9 * max(end, 1))


@same_examples
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 200))
def test_first_come_first_served_and_never_idle_with_mail(seed, n):
    random = np.random.default_rng(seed)
    came, served = np.sort(random.random(n) * 100), random.exponential(1.0, n)
    out = departures(came, served)
    assert (np.diff(out) >= -1e-9).all()
    begun = np.maximum(came, np.concatenate([[0.0], out[:-1]]))  # Lindley's recursion, spelt out
    np.testing.assert_allclose(out, begun + served, rtol=1e-9)


def test_more_officers_never_wait_longer():
    random = np.random.default_rng(5)
    came = np.cumsum(random.exponential(0.5, (20, 500)), axis=1)
    served = random.exponential(1.0, came.shape)
    outs = [departures_of_servers(came, served, c) for c in (1, 2, 3, 4)]
    for fewer, more in zip(outs, outs[1:]):
        assert (more <= fewer + 1e-9).all()


# -- the clock ---------------------------------------------------------------------------------------------------------------


def test_the_clock_runs_in_office_hours_of_weekdays_only():
    clock = make_clock(
        np.random.default_rng(0), Mailbox(absence="always"), runs=1, weeks=2, staff=2, presence=0.5, minutes=400
    )
    hours = np.array([[0, 9, 10, 17, 23, 24 + 9.5, 4 * 24 + 17, 5 * 24 + 12, 168, 168 + 13, 9e9]])
    np.testing.assert_allclose(clock(hours)[0], [0, 0, 10, 80, 80, 85, 400, 400, 400, 440, 800])


@pytest.mark.parametrize("absence", ABSENCE)
@pytest.mark.parametrize("balanced", [False, True])
def test_every_absence_pattern_brings_the_same_minutes(absence, balanced):
    clock = make_clock(
        np.random.default_rng(3),
        Mailbox(absence=absence),
        runs=400,
        weeks=30,
        staff=3,
        presence=0.6,
        minutes=100,
        balanced=balanced,
    )
    assert clock.gone[:, -1].mean() / 30 == pytest.approx(100, rel=0.02)
    alone = (clock.rate.reshape(400, 30, 7)[:, :, :5] == 0).mean()
    if absence == "independent days":
        assert alone == pytest.approx(0.4**3, abs=0.005)


def ceilings(absence: str, burst: float = 0.0) -> tuple[float, float]:
    return run_mailbox(
        np.random.default_rng(1),
        Mailbox(absence=absence),
        runs=1_000,
        weeks=52,
        staff=2,
        presence=0.75 * 0.81,
        minutes=330,
        messages_per_week=1,
        minutes_per_message=10,
        burst_share=burst,
        bulletins_per_week=1,
    ).ceilings


def test_presence_decides_the_ceiling_as_in_methods_md():
    """Two staff on weekday office hours: METHODS.md has 99.8 %, 95.5 % and 90 %; leave by the week, abstraction by the day."""
    assert ceilings("always")[0] == pytest.approx(0.998, abs=0.002)
    assert ceilings("independent days")[0] == pytest.approx(0.955, abs=0.003)
    assert ceilings("week-long")[0] == pytest.approx(0.90, abs=0.015)


@pytest.mark.parametrize(
    ("weekday", "hour", "a_week", "expected"), [(1, 12, 1.0, 0.98), (4, 16, 0.25, 0.16)], ids=["Tuesdays", "monthly"]
)
def test_bursts_matter_when_they_fill_the_next_three_days(weekday, hour, a_week, expected):
    """METHODS.md: half loaded, 90 % of the mail in bursts."""
    found = run_mailbox(
        np.random.default_rng(1),
        Mailbox(absence="always", bulletin_weekday=weekday, bulletin_hour=hour),
        runs=100,
        weeks=52,
        staff=3,
        presence=0.6,
        minutes=330,
        messages_per_week=0.5 * 33,
        minutes_per_message=10,
        burst_share=0.9,
        bulletins_per_week=a_week,
    )
    assert found.shares[0] == pytest.approx(expected, abs=0.015)


def test_bulletins_go_out_on_their_weekday_and_as_often_as_asked():
    phases = np.linspace(0, 0.99, 50)
    for per_week in (0.25, 0.8, 1.0, 2.5):
        sent = bulletin_hours(Mailbox(bulletin_weekday=1, bulletin_hour=12), per_week, 52, phases)
        hours = sent[np.isfinite(sent)]
        assert hours.size / 50 / 52 == pytest.approx(per_week, rel=0.01)
        assert (hours < 52 * 168).all()
        assert ((hours % 168 // 24) < 5).all()
        assert set((hours % 24).tolist()) == {12.0}
        if per_week <= 1:
            assert set((hours % 168 // 24).tolist()) == {1.0}
    assert not np.isfinite(bulletin_hours(Mailbox(), 0.0, 52, phases)).any()


def test_working_hours_leave_the_weekend_out():
    monday, friday, saturday = np.array([10.0]), np.array([4 * 24 + 16.0]), np.array([5 * 24 + 3.0])
    assert deadline_hours(friday, 24, working=False) == 5 * 24 + 16
    assert deadline_hours(monday, 24, working=True) == 34
    assert deadline_hours(friday, 24, working=True) == 168 + 16
    assert deadline_hours(saturday, 72, working=True) == 168 + 72
    assert deadline_hours(friday, 72, working=True) == 168 + 2 * 24 + 16


def test_backlogs_stay_finite_when_the_wait_does_not():
    found = run_mailbox(
        np.random.default_rng(2),
        Mailbox(),
        runs=40,
        weeks=52,
        staff=3,
        presence=0.6,
        minutes=300,
        messages_per_week=60,
        minutes_per_message=10,
        burst_share=0.3,
        bulletins_per_week=1,
    )
    assert found.backlogs[1] == pytest.approx(30 * 52, rel=0.05)  # load less capacity, 52 times
    assert found.backlogs[0] < found.backlogs[1]


def test_no_mail_is_no_backlog():
    found = run_mailbox(
        np.random.default_rng(2),
        Mailbox(),
        runs=4,
        weeks=10,
        staff=3,
        presence=0.6,
        minutes=300,
        messages_per_week=0.0,
        minutes_per_message=10,
        burst_share=0.3,
        bulletins_per_week=1,
    )
    assert found.backlogs == (0, 0)
