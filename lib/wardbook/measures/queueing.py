"""A ward's mailbox as a queue: event by event on a clock of usable minutes, and the closed forms it is checked against.

Nothing here steps through time. On the *operational clock* Φ, which only runs while somebody is there and free to
read, a mailbox is an ordinary first-come-first-served queue; what is asked of it, "answered within 72 hours", is put
back into elapsed time by comparing departures with Φ at the deadline. Hourly steps are biased and a thousand times
slower.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

WEEK_HOURS, DAY_HOURS, WORKDAYS = 168.0, 24.0, 5
ABSENCE = ("always", "independent days", "week-long")
GROWS = "grows without end"
_BUFFER_WEEKS = 2  # after the last message counted, so that its deadline falls on the clock


# -- closed forms ------------------------------------------------------------------------------------------------------


def erlang_c(load: float, servers: int) -> float:
    """Probability that an arrival must wait in M/M/c; 1 where the queue has no stationary state.

    From Erlang's B by its recursion, which neither overflows nor cancels.

    Parameters
    ----------
    load : arrivals × mean service, in servers kept busy (erlangs), ≥ 0.
    servers : whole number ≥ 1.

    Raises
    ------
    ValueError
        naming the argument and its range.

    References
    ----------
    Cooper (1981), Introduction to Queueing Theory, eq. 3.5.1 and 3.5.7.
    """
    if not (math.isfinite(load) and load >= 0):
        raise ValueError(f"load must be 0 or more: {load!r}")
    if servers != int(servers) or servers < 1:
        raise ValueError(f"servers must be a whole number, 1 or more: {servers!r}")
    if load >= servers:
        return 1.0
    blocked = 1.0
    for n in range(1, int(servers) + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


@dataclass(frozen=True)
class Wait:
    """A stationary mean wait before service: `mean` in the unit of the service time, None where `text` says it grows."""

    mean: float | None
    text: str
    exact: bool


def waiting_time(arrival_rate: float, mean_service: float, *, scv: float = 1.0, servers: int = 1) -> Wait:
    """Mean wait before service in M/G/c: Pollaczek-Khinchine for one server, an approximation for more.

    Parameters
    ----------
    arrival_rate, mean_service : per unit of time, and in that unit.
    scv : squared coefficient of variation of service: 1 exponential, 0 fixed.
    servers : above 1 with `scv` other than 1 the result is (1 + scv)/2 times M/M/c's wait (Lee and Longton 1959), which
        `exact=False` marks; it errs by up to +78 % (three servers, scv 4, low load).

    Raises
    ------
    ValueError
        naming the argument and its range.
    """
    for name, value in (("arrival_rate", arrival_rate), ("mean_service", mean_service), ("scv", scv)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be 0 or more: {value!r}")
    load = arrival_rate * mean_service
    waits = erlang_c(load, servers)
    if load >= servers:
        return Wait(None, GROWS, True)
    mean = waits * mean_service / (servers - load) * (1 + scv) / 2
    return Wait(mean, f"{mean:.3g}", servers == 1 or scv == 1)


def answered_within(load: float, servers: int, services: float) -> float:
    """Share of M/M/c arrivals whose service begins within `services` mean service times (Erlang's service level)."""
    if load >= servers:
        return 0.0
    return 1 - erlang_c(load, servers) * math.exp(-(servers - load) * services)


# -- events ------------------------------------------------------------------------------------------------------------


def departures(arrivals: np.ndarray, services: np.ndarray) -> np.ndarray:
    """When each message is answered by one server, first come first served, on the operational clock.

    `D = cumsum(S) + maximum.accumulate(Φ(a) − (cumsum(S) − S))`, Lindley's recursion written without a loop, added up
    so that a departure is never before its own arrival plus its service by rounding.

    Parameters
    ----------
    arrivals : (…, n) Φ(a), not falling along the last axis, in usable minutes.
    services : (…, n) minutes, ≥ 0.
    """
    before = np.cumsum(services, axis=-1) - services
    return services + (before + np.maximum.accumulate(arrivals - before, axis=-1))


def departures_of_servers(arrivals: np.ndarray, services: np.ndarray, servers: int) -> np.ndarray:
    """The same with one officer a message and `servers` officers (Kiefer and Wolfowitz 1955), runs side by side.

    Kept to measure what pooling hides: a loop over messages, so slower by far than `departures`.

    Parameters
    ----------
    arrivals, services : (runs, n); `services` in minutes of the one officer who takes the message.
    """
    free = np.zeros((len(arrivals), servers))  # when each officer is next free, earliest first
    out = np.empty(arrivals.shape)
    for i in range(arrivals.shape[1]):
        out[:, i] = np.maximum(free[:, 0], arrivals[:, i]) + services[:, i]
        free[:, 0] = out[:, i]
        free.sort(axis=1)
    return out


@dataclass(frozen=True)
class Mailbox:
    """How a ward's mailbox is kept, whatever its load: every field is a labelled assumption.

    `absence` is one of `ABSENCE`; hours are of the day, `bulletin_weekday` 0 is Monday; `reply_delay` in hours.
    `leave_part` is how much of absence, on the log scale, comes in whole weeks where it is "week-long": that of leave
    (0.75 present) in leave and abstraction together (0.61); abstraction is by the day in either pattern.
    `working` counts the hours of Monday to Friday only towards a deadline: 72 is three working days.
    """

    absence: str = "independent days"
    opens: float = 9
    closes: float = 17
    bulletin_weekday: int = 1
    bulletin_hour: float = 12
    reply_delay: float = 24
    leave_part: float = 0.58
    scv: float = 1.03
    deadlines: tuple[float, ...] = (72, 24)
    working: bool = False

    def __post_init__(self):
        if self.absence not in ABSENCE:
            raise ValueError(f"absence must be one of {', '.join(ABSENCE)}: {self.absence!r}")
        if not 0 <= self.opens < self.closes <= 24:
            raise ValueError(
                f"office hours must be within 0 to 24 and open before they close: {self.opens}-{self.closes}"
            )


class Clock:
    """Φ: usable minutes gone by, of independent runs; `clock(hours)` for (runs, n) hours since a Monday, 00:00."""

    def __init__(self, rate: np.ndarray, opens: float, closes: float):
        """`rate` is (runs, days): usable minutes an office hour, 0 on a day when nobody is there."""
        self.rate, self.opens, self.length = rate, opens, closes - opens
        self.gone = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(rate * self.length, axis=1)], axis=1)

    def __call__(self, hours: np.ndarray) -> np.ndarray:
        day = np.clip(hours / DAY_HOURS, 0, self.rate.shape[1] - 1e-9).astype(np.intp)
        within = np.clip(hours - DAY_HOURS * day - self.opens, 0, self.length)
        day += np.arange(len(hours))[:, None] * self.rate.shape[1]
        runs = np.arange(len(hours))[:, None]  # `gone` has one column more than `rate`
        return self.gone.ravel()[day + runs] + self.rate.ravel()[day] * within


def make_clock(
    random: np.random.Generator,
    mailbox: Mailbox,
    *,
    runs: int,
    weeks: int,
    staff: int,
    presence: float,
    minutes: float,
    balanced: bool = False,
) -> Clock:
    """A clock for `weeks` weeks: `staff` officers each present with probability `presence`, `minutes` usable a week.

    `minutes` is what a week brings on average, under every absence pattern: patterns differ in when, not in how much.
    `balanced` spreads presence evenly over the runs, so that their average brings the average: less noise, but runs
    that are no longer independent of each other.
    """

    def chance(*shape: int) -> np.ndarray:
        if not balanced:
            return random.random((runs, *shape))
        order = np.argsort(random.random((runs, *shape)), axis=0)
        return (order + random.random(shape)) / runs

    present = np.ones((runs, weeks, WORKDAYS))
    if mailbox.absence != "always":
        by_week = 0.0 if mailbox.absence == "independent days" else mailbox.leave_part
        here = chance(weeks, WORKDAYS, staff) < presence ** (1 - by_week)
        if by_week:
            here &= chance(weeks, 1, staff) < presence**by_week
        present = here.sum(axis=3) / (staff * presence)
    rate = np.zeros((runs, weeks, 7))
    rate[:, :, :WORKDAYS] = present * minutes / (WORKDAYS * (mailbox.closes - mailbox.opens))
    return Clock(rate.reshape(runs, -1), mailbox.opens, mailbox.closes)


def bulletin_hours(mailbox: Mailbox, per_week: float, weeks: int, phases: np.ndarray) -> np.ndarray:
    """(runs, n) hours at which bulletins go out, rising, those after the last week ∞.

    Each on the assumed weekday, several of a week spread over its working days; `phases` (runs, 0-1) says how much of
    the interval had gone by when the first week began, so that one a month does not always open a run.
    """
    if per_week <= 0:
        return np.full((len(phases), 1), np.inf)
    week = np.floor((np.arange(math.ceil(weeks * per_week) + 1) + phases[:, None]) / per_week)
    place = np.zeros(week.shape)
    for k in range(1, week.shape[1]):
        place[:, k] = np.where(week[:, k] == week[:, k - 1], place[:, k - 1] + 1, 0)
    day = (mailbox.bulletin_weekday + np.floor(place * WORKDAYS / max(1, math.ceil(per_week)))) % WORKDAYS
    return np.where(week < weeks, week * WEEK_HOURS + day * DAY_HOURS + mailbox.bulletin_hour, np.inf)


def mail_arrivals(
    random: np.random.Generator,
    mailbox: Mailbox,
    *,
    runs: int,
    weeks: int,
    per_week: float,
    burst_share: float,
    bulletins_per_week: float,
    phases: np.ndarray | None = None,
) -> np.ndarray:
    """(runs, n) hours at which messages arrive, rising, the end padded with ∞: replies in bursts, the rest at any hour.

    Given how many there are, Poisson arrivals are independent draws: no event is made before it is needed.

    Parameters
    ----------
    per_week : messages a week on average.
    burst_share : the part of them that are replies to a bulletin, delayed exponentially by `mailbox.reply_delay`.
    """
    phases = random.random(runs) if phases is None else phases
    sent = bulletin_hours(mailbox, bulletins_per_week, weeks, phases)
    number = np.isfinite(sent).sum(axis=1, keepdims=True)
    replies_mean = per_week * burst_share * number / max(bulletins_per_week, 1e-12)
    others = random.poisson(per_week * (1 - burst_share) * weeks, size=(runs, 1))
    replies = random.poisson(replies_mean)
    hours = random.random((runs, int(others.max()))) * weeks * WEEK_HOURS
    hours[np.arange(hours.shape[1]) >= others] = np.inf
    which = (random.random((runs, int(replies.max()))) * number).astype(np.intp)
    sent.sort(axis=1)  # those after the last week to the end
    burst = np.take_along_axis(sent, which, axis=1) + random.exponential(mailbox.reply_delay, size=which.shape)
    burst[(np.arange(burst.shape[1]) >= replies) | (burst > weeks * WEEK_HOURS)] = np.inf
    hours = np.concatenate([hours, burst], axis=1)
    hours.sort(axis=1)
    return hours


def service_minutes(random: np.random.Generator, shape: tuple[int, ...], mean: float, scv: float) -> np.ndarray:
    """Lognormal minutes with this mean and squared coefficient of variation (the shape call centres measure)."""
    sigma = math.sqrt(math.log1p(scv))
    return mean * np.exp(sigma * random.standard_normal(shape) - sigma**2 / 2)


def deadline_hours(hours: np.ndarray, allowed: float, *, working: bool) -> np.ndarray:
    """When an answer is due: `allowed` elapsed hours on, or as many hours of Monday to Friday."""
    if not working:
        return hours + allowed
    week, into = np.divmod(np.where(np.isfinite(hours), hours, 0.0), WEEK_HOURS)
    days = WORKDAYS * DAY_HOURS
    more_weeks, into = np.divmod(np.minimum(into, days) + allowed, days)
    # A deadline that would fall on Saturday at 00:00 is Friday's end, the same moment on every clock here.
    return np.where(np.isfinite(hours), (week + more_weeks) * WEEK_HOURS + into, np.inf)


@dataclass(frozen=True)
class Answered:
    """What became of the messages of independent runs; shares are over all messages of all runs, by run in `by_run`.

    `shares` and `ceilings` are in the order of `mailbox.deadlines`; `backlogs` are messages waiting at the end of
    `backlog_weeks`.
    """

    shares: tuple[float, ...]
    ceilings: tuple[float, ...]
    backlogs: tuple[float, ...]
    by_run: np.ndarray  # (runs, deadlines): share answered in time of each run, NaN where a run had no message


def run_mailbox(
    random: np.random.Generator,
    mailbox: Mailbox,
    *,
    runs: int,
    weeks: int,
    staff: int,
    presence: float,
    minutes: float,
    messages_per_week: float,
    minutes_per_message: float,
    burst_share: float,
    bulletins_per_week: float,
    servers: int = 1,
    backlog_weeks: tuple[int, ...] = (4, 52),
) -> Answered:
    """Run a mailbox from an empty start for `weeks` weeks and see what is answered in time.

    The ceilings are those of a mailbox without load: each message alone, on the same clock.

    Parameters
    ----------
    minutes : usable minutes a week of all officers together.
    servers : 1 pools the officers into one faster server; c gives a message to one of c officers, c times slower.
    backlog_weeks : beyond `weeks` a backlog is that of the end of `weeks`.
    """
    clock = make_clock(
        random, mailbox, runs=runs, weeks=weeks + _BUFFER_WEEKS, staff=staff, presence=presence, minutes=minutes
    )
    hours = mail_arrivals(
        random,
        mailbox,
        runs=runs,
        weeks=weeks,
        per_week=messages_per_week,
        burst_share=burst_share,
        bulletins_per_week=bulletins_per_week,
    )
    real = np.isfinite(hours)
    services = np.where(real, service_minutes(random, hours.shape, minutes_per_message, mailbox.scv), 0.0)
    begin = clock(np.where(real, hours, weeks * WEEK_HOURS))
    if servers == 1:
        out = departures(begin, services)
    else:
        out = departures_of_servers(begin, services * servers, servers)
    due = [clock(deadline_hours(np.where(real, hours, 0), h, working=mailbox.working)) for h in mailbox.deadlines]
    number = max(int(real.sum()), 1)
    alone = begin + services * servers
    shares = tuple(float((real & (out <= d)).sum() / number) for d in due)
    ceilings = tuple(float((real & (alone <= d)).sum() / number) for d in due)
    ends = [np.full((runs, 1), min(week, weeks) * WEEK_HOURS) for week in backlog_weeks]
    backlogs = tuple(float((real & (hours <= end) & (out > clock(end))).sum() / runs) for end in ends)
    with np.errstate(invalid="ignore"):
        by_run = np.stack([(real & (out <= d)).sum(axis=1) / real.sum(axis=1) for d in due], axis=1)
    return Answered(shares, ceilings, backlogs, by_run)


def pooling_gap(
    utilisations: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
    servers: Sequence[int] = (2, 3),
    *,
    scv: float = 1.03,
    runs: int = 200,
    messages: int = 4_000,
    officer_minutes: float = 110.0,
    minutes_per_message: float = 10.0,
    seed: int = 20250623,
) -> pl.DataFrame:
    """What pooling hides: the same mail with one fast server and with `servers` officers, one officer a message.

    Waits are of Poisson mail on a clock that never stops, in one officer's mean minutes a message. Pooled mail waits longer
    but is then answered faster, so the whole time to an answer is too short in the pooled model, most so at light load. The
    shares are on office hours, all present, with `officer_minutes` usable a week and officer: there pooling flatters by a few points.

    Returns
    -------
    polars.DataFrame
        `utilisation`, `officers`; `wait_pooled`, `wait_officers`, `time_pooled`, `time_officers` (to the answer);
        `standard_error` (of `wait_officers`); `wait_formula` (M/G/c's approximation) and `formula_error` (over the
        simulated wait, less 1); `share_72h_pooled`, `share_72h_officers`, `share_24h_pooled`, `share_24h_officers`.
    """
    rows = []
    for c, utilisation in itertools.product(servers, utilisations):
        random = np.random.default_rng([seed, c, round(1000 * utilisation)])
        begin = np.cumsum(random.exponential(1 / (utilisation * c), (runs, messages)), axis=1)
        services = service_minutes(random, begin.shape, 1.0, scv)
        kept = slice(messages // 10, None)  # after the empty start
        pooled = (departures(begin, services / c) - begin)[:, kept]
        each = (departures_of_servers(begin, services, c) - begin)[:, kept]
        wait = (each - services[:, kept]).mean(axis=1)
        formula = waiting_time(utilisation * c, 1.0, scv=scv, servers=c).mean
        shares = {}
        for kind, count in (("pooled", 1), ("officers", c)):
            found = run_mailbox(
                np.random.default_rng([seed, c]),
                Mailbox(absence="always", scv=scv),
                runs=max(1, runs // 4),
                weeks=26,
                staff=c,
                presence=1.0,
                minutes=officer_minutes * c,
                messages_per_week=utilisation * officer_minutes * c / minutes_per_message,
                minutes_per_message=minutes_per_message,
                burst_share=0.0,
                bulletins_per_week=0.0,
                servers=count,
            )
            shares |= {f"share_{h:g}h_{kind}": share for h, share in zip(Mailbox.deadlines, found.shares)}
        rows.append(
            {"utilisation": utilisation, "officers": c}
            | {"wait_pooled": float((pooled - services[:, kept] / c).mean()), "wait_officers": float(wait.mean())}
            | {"time_pooled": float(pooled.mean()), "time_officers": float(each.mean())}
            | {"standard_error": float(wait.std(ddof=1) / math.sqrt(runs)), "wait_formula": formula}
            | {"formula_error": formula / float(wait.mean()) - 1}
            | shares
        )
    return pl.DataFrame(rows)
