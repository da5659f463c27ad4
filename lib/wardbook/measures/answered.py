"""What is answered in time, for any load, without simulating again: a table of event simulations and the way between its nodes.

Millions of draws ask the same question at slightly different numbers. With capacity as the unit (1 a week), a mailbox
is told by six of them: officers, presence, the share of mail that comes in bursts, bulletins a week, the length of
one message and utilisation. Each node is an event simulation; between nodes the answer is linear.
`workload.interpolation_error` measures what that costs, against simulations at points drawn from the priors.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from wardbook.measures.queueing import (
    _BUFFER_WEEKS,
    WEEK_HOURS,
    Mailbox,
    deadline_hours,
    departures,
    mail_arrivals,
    make_clock,
    service_minutes,
)

PRESENCE = (0.3, 0.6, 0.85)
BURST = (0.0, 0.5, 1.0)
BULLETINS = (0.25, 0.5, 1.0, 2.0, 4.0)  # a week
LENGTH = (0.01, 0.04, 0.15, 0.5)  # minutes of one message over usable minutes a week
UTILISATION = (0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 0.95, 1.1, 1.3, 1.7)
_MESSAGES, _RUNS = 16_000, 16  # a node's messages at the highest utilisation, and its least number of runs
_SEED = 20250401


def _curve(mailbox: Mailbox, weeks: int, staff: int, presence: float, burst: float, bulletins: float, length: float):
    """(utilisations, deadlines + 2): shares answered in time, and work waiting after 4 and `weeks` weeks, in weeks of capacity.

    One set of messages, thinned to each utilisation, so that a curve falls as load rises and the nodes' noise is
    shared. At utilisation 0 each message is alone: the ceiling.
    """
    top = UTILISATION[-1]
    runs = int(np.clip(_MESSAGES * length / top / weeks, _RUNS, 8 * _RUNS))
    random = np.random.default_rng(_SEED)
    clock = make_clock(
        random,
        mailbox,
        runs=runs,
        weeks=weeks + _BUFFER_WEEKS,
        staff=staff,
        presence=presence,
        minutes=1.0,
        balanced=True,
    )
    hours = mail_arrivals(
        random,
        mailbox,
        runs=runs,
        weeks=weeks,
        per_week=top / length,
        burst_share=burst,
        bulletins_per_week=bulletins,
        phases=(np.arange(runs) + 0.5) / runs,
    )
    real = np.isfinite(hours)
    hours = np.where(real, hours, 0.0)
    # One run after another on one line, each run's clock set forward by more than all its work could fill.
    ahead = np.broadcast_to(np.arange(runs)[:, None] * 2 * (top + 1) * (weeks + _BUFFER_WEEKS), hours.shape)[real]
    begin = clock(hours)[real] + ahead
    due = np.stack([clock(deadline_hours(hours, h, working=mailbox.working))[real] + ahead for h in mailbox.deadlines])
    ends = []
    for week in (min(4, weeks), weeks):
        at = clock(np.full((runs, 1), week * WEEK_HOURS))
        ends.append(
            np.where((hours <= week * WEEK_HOURS)[real], np.broadcast_to(at, hours.shape)[real] + ahead, np.inf)
        )
    ends = np.stack(ends)
    services = service_minutes(random, begin.shape, length, mailbox.scv)
    mark = random.random(begin.shape) * top
    limits = np.concatenate([due, ends])
    rows = [[*(begin + services <= due).mean(axis=1), *np.zeros(len(ends))]]
    for utilisation in UTILISATION[1:]:
        kept = np.flatnonzero(mark < utilisation)
        work = services[kept]
        # The work that came by chance is set to what should come on average: near 1 a per cent of it is a backlog.
        out = departures(begin[kept], work * (utilisation * weeks * runs / work.sum()))
        late = np.array([np.count_nonzero(out > limit[kept]) for limit in limits])
        rows.append([*(1 - late[: len(due)] / len(kept)), *(late[len(due) :] * length / runs)])
    table = np.array(rows)
    table[:, : len(due)] = np.minimum.accumulate(table[:, : len(due)])
    table[:, len(due) :] = np.maximum.accumulate(table[:, len(due) :])
    return table


@lru_cache(maxsize=32)
def surface(mailbox: Mailbox, weeks: int, staff: int) -> np.ndarray:
    """All nodes of one number of officers: (presence × burst × bulletins × length, utilisation × outcomes)."""
    presences = PRESENCE[-1:] if mailbox.absence == "always" else PRESENCE
    table = np.empty(
        (len(PRESENCE), len(BURST), len(BULLETINS), len(LENGTH), len(UTILISATION), len(mailbox.deadlines) + 2)
    )
    for i, presence in enumerate(presences):
        for j, burst in enumerate(BURST):
            for k, bulletins in enumerate(BULLETINS if burst else BULLETINS[:1]):
                for n, length in enumerate(LENGTH):
                    at = (slice(None) if len(presences) == 1 else i, j, k if burst else slice(None), n)
                    table[at] = _curve(mailbox, weeks, staff, presence, burst, bulletins, length)
    return table.reshape(-1, len(UTILISATION) * table.shape[-1])


def _between(x: np.ndarray, nodes: np.ndarray | tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The node below each x and the weight of the next; beyond the ends the end's value holds."""
    nodes = np.asarray(nodes)
    x = np.clip(x, nodes[0], nodes[-1])
    at = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return at, (x - nodes[at]) / (nodes[at + 1] - nodes[at])


# The scale on which answers are nearly straight: that nobody is there has the probability (1 − presence)^officers.
_SCALES = (
    (PRESENCE, lambda x: -((1 - np.asarray(x)) ** 3)),
    (BURST, np.asarray),
    (BULLETINS, lambda x: np.log(np.maximum(x, BULLETINS[0]))),
    (LENGTH, np.asarray),
)


class Curves:
    """The answer as a function of utilisation alone, for n draws whose other five numbers are fixed.

    Scenarios that differ only in how much mail comes share one of these, which is most of the arithmetic.
    """

    def __init__(self, mailbox: Mailbox, weeks: int, staff, presence, burst, bulletins, length):
        """Arrays of (n,): officers (whole), presence, burst share, bulletins a week, length (weeks of capacity a message)."""
        self.weeks, self.length, self.outcomes = weeks, length, len(mailbox.deadlines) + 2
        kinds, row = np.unique(staff, return_inverse=True)
        tables = np.concatenate([surface(mailbox, weeks, int(officers)) for officers in kinds])
        rows, weights = row[:, None], np.ones((len(row), 1))
        for x, (nodes, scale) in zip((presence, burst, bulletins, length), _SCALES):
            at, up = _between(scale(x), scale(nodes))
            rows = np.concatenate([rows * len(nodes) + at[:, None], rows * len(nodes) + at[:, None] + 1], axis=1)
            weights = np.concatenate([weights * (1 - up)[:, None], weights * up[:, None]], axis=1)
        # A sparse product: sixteen corners a draw, and no BLAS threads to fight those of the caller.
        corners = np.arange(0, weights.size + 1, weights.shape[1])
        sparse = csr_array((weights.ravel(), rows.ravel(), corners), shape=(len(row), len(tables)))
        self.table = (sparse @ tables).reshape(len(row), len(UTILISATION), self.outcomes)

    @property
    def ceilings(self) -> np.ndarray:
        """(n, deadlines): the share answered in time without any load."""
        return self.table[:, 0, : self.outcomes - 2]

    def at(self, utilisation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares answered in time (n, deadlines), and messages waiting after 4 and `weeks` weeks (n, 2); both always finite.

        Beyond the last node the backlog grows as load less capacity, and the share shrinks as the time before mail is
        late. A utilisation that is not finite (no hours left) answers nothing; its backlog is then the caller's to
        count.
        """
        at, up = _between(utilisation, UTILISATION)
        rows, up, top = np.arange(len(at)), up[:, None], UTILISATION[-1]
        found = self.table[rows, at] * (1 - up) + self.table[rows, at + 1] * up
        beyond = np.maximum(utilisation - top, 0.0)[:, None]
        shares = found[:, :-2] * (top - 1) / (top - 1 + beyond)
        waiting = found[:, -2:] + np.where(np.isfinite(beyond), beyond, 0.0) * [min(4, self.weeks), self.weeks]
        return shares, waiting / self.length[:, None]
