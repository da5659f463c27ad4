"""A ward's mailbox as a queue, event by event on a clock of usable minutes.

Nothing here steps through time. On the *operational clock* Φ, which runs only while somebody is there and free to read, a
mailbox is an ordinary first-come-first-served queue; "answered within 72 hours" is put back into elapsed time by comparing
departures with Φ at the deadline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WEEK_HOURS, DAY_HOURS, WORKDAYS = 168.0, 24.0, 5
ABSENCE = ("always", "independent days", "week-long")
_BUFFER_WEEKS = 2  # after the last message counted, so that its deadline falls on the clock


class InputError(ValueError):
    """An input that makes no sense; the message names it, its value and what is allowed."""


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


@dataclass(frozen=True)
class Mailbox:
    """How a ward's mailbox is kept, whatever its load: every field is a labelled assumption.

    `absence` is one of `ABSENCE`; hours are of the day, `bulletin_weekday` 0 is Monday; `reply_delay` in hours.
    `leave_part` is how much of absence, on the log scale, comes in whole weeks where it is "week-long": that of leave
    (0.75 present) in leave and abstraction together (0.61); abstraction is by the day in either pattern.
    """

    absence: str = "independent days"
    opens: float = 9
    closes: float = 17
    bulletin_weekday: int = 1
    bulletin_hour: float = 12
    reply_delay: float = 24
    scv: float = 1.03
    leave_part: float = 0.58

    def __post_init__(self):
        if self.absence not in ABSENCE:
            raise InputError(f"absence must be one of {', '.join(ABSENCE)}: {self.absence!r}")
        if not 0 <= self.opens < self.closes <= 24:
            hours = f"{self.opens:g} to {self.closes:g} (office_opens, office_closes)"
            raise InputError(f"office hours must be within 0 to 24 and open before they close: {hours}")


class Clock:
    """Φ: usable minutes gone by, of independent runs; `clock(hours)` for (runs, n) hours since a Monday, 00:00."""

    def __init__(self, rate: np.ndarray, opens: float, closes: float):
        """`rate` is (runs, days): usable minutes an office hour, 0 on a day when nobody is there."""
        self.rate, self.opens, self.length = rate, opens, closes - opens
        self.elapsed = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(rate * self.length, axis=1)], axis=1)

    def __call__(self, hours: np.ndarray) -> np.ndarray:
        day = np.clip(hours / DAY_HOURS, 0, self.rate.shape[1] - 1e-9).astype(np.intp)
        within = np.clip(hours - DAY_HOURS * day - self.opens, 0, self.length)
        runs = np.arange(len(hours))[:, None]
        return self.elapsed[runs, day] + self.rate[runs, day] * within


def make_clock(
    random: np.random.Generator, mailbox: Mailbox, *, runs: int, weeks: int, staff: int, presence: float, minutes: float
) -> Clock:
    """A clock for `weeks` weeks: `staff` officers each present with probability `presence`, `minutes` usable a week.

    `minutes` is what a week brings on average, under every absence pattern: patterns differ in when, not in how much.
    """
    present = np.ones((runs, weeks, WORKDAYS))
    if mailbox.absence != "always":
        by_week = 0.0 if mailbox.absence == "independent days" else mailbox.leave_part
        here = random.random((runs, weeks, WORKDAYS, staff)) < presence ** (1 - by_week)
        here &= random.random((runs, weeks, 1, staff)) < presence**by_week
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
    sent = np.where(week < weeks, week * WEEK_HOURS + day * DAY_HOURS + mailbox.bulletin_hour, np.inf)
    return np.sort(sent, axis=1)


def mail_arrivals(
    random: np.random.Generator,
    mailbox: Mailbox,
    *,
    runs: int,
    weeks: int,
    per_week: float,
    burst_share: float,
    bulletins_per_week: float,
) -> np.ndarray:
    """(runs, n) hours at which messages arrive, rising, the end padded with ∞: replies in bursts, the rest at any hour.

    Given how many there are, Poisson arrivals are independent draws: no event is made before it is needed.

    Parameters
    ----------
    per_week : messages a week on average.
    burst_share : the part of them that are replies to a bulletin, delayed exponentially by `mailbox.reply_delay`.
    """
    sent = bulletin_hours(mailbox, bulletins_per_week, weeks, random.random(runs))
    number = np.isfinite(sent).sum(axis=1, keepdims=True)
    replies_mean = per_week * burst_share * number / max(bulletins_per_week, 1e-12)
    others = random.poisson(per_week * (1 - burst_share) * weeks, size=(runs, 1))
    replies = random.poisson(replies_mean)
    hours = random.random((runs, int(others.max()))) * weeks * WEEK_HOURS
    hours[np.arange(hours.shape[1]) >= others] = np.inf
    which = (random.random((runs, int(replies.max()))) * number).astype(np.intp)
    burst = np.take_along_axis(sent, which, axis=1) + random.exponential(mailbox.reply_delay, size=which.shape)
    burst[(np.arange(burst.shape[1]) >= replies) | (burst > weeks * WEEK_HOURS)] = np.inf
    return np.sort(np.concatenate([hours, burst], axis=1), axis=1)


def service_minutes(random: np.random.Generator, shape: tuple[int, ...], mean: float, scv: float) -> np.ndarray:
    """Lognormal minutes with this mean and squared coefficient of variation (the shape call centres measure)."""
    sigma = math.sqrt(math.log1p(scv))
    return mean * np.exp(sigma * random.standard_normal(shape) - sigma**2 / 2)


@dataclass(frozen=True)
class Answered:
    """Share of messages answered in time, by run and deadline: (runs, deadlines), NaN where a run had no message.

    `ceilings` are those of the same messages, each alone on the same clock: what presence allows without any load.
    """

    shares: np.ndarray
    ceilings: np.ndarray


def run_mailbox(
    random: np.random.Generator,
    mailbox: Mailbox,
    *,
    deadlines: tuple[float, ...] = (72, 24),
    runs: int,
    weeks: int,
    staff: int,
    presence: float,
    minutes: float,
    messages_per_week: float,
    minutes_per_message: float,
    burst_share: float,
    bulletins_per_week: float,
) -> Answered:
    """Run a mailbox from an empty start for `weeks` weeks and see what is answered within each deadline.

    Parameters
    ----------
    deadlines : elapsed hours, weekends and nights included.
    minutes : usable minutes a week of all officers together; `minutes_per_message` is a mean.
    """
    there = {"runs": runs, "staff": staff, "presence": presence, "minutes": minutes}
    clock = make_clock(random, mailbox, weeks=weeks + _BUFFER_WEEKS, **there)
    mail = {"per_week": messages_per_week, "burst_share": burst_share, "bulletins_per_week": bulletins_per_week}
    hours = mail_arrivals(random, mailbox, runs=runs, weeks=weeks, **mail)
    real = np.isfinite(hours)
    hours = np.where(real, hours, weeks * WEEK_HOURS)
    services = np.where(real, service_minutes(random, hours.shape, minutes_per_message, mailbox.scv), 0.0)
    begin = clock(hours)
    due = [clock(hours + allowed) for allowed in deadlines]

    def in_time(answered: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.stack([(real & (answered <= d)).sum(axis=1) / real.sum(axis=1) for d in due], axis=1)

    return Answered(in_time(departures(begin, services)), in_time(begin + services))
