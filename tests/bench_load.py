"""How fast the load model is: `.venv/bin/python tests/bench_load.py [--full]`. Not collected by pytest.

Identical work means the same number of messages at the same utilisation under the same office hours. Every time is the median
of several, on processor time, so that a busy machine does not change the ratio.
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import time

import ciw
import numpy as np

from wardbook import reference
from wardbook.measures.queueing import Mailbox, departures, run_mailbox, service_minutes
from wardbook.measures.workload import interpolation_error, simulate

REPEATS, UTILISATION, WEEKS = 5, 0.7, 52
SIGMA = math.sqrt(math.log1p(1.03))


def median_seconds(call, repeats: int = REPEATS) -> float:
    """Median processor time of `call`, after one call that is not counted."""
    taken = []
    call()
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def ciw_run(schedule, per_hour: float, hours: float) -> int:
    """One ciw run; returns how many messages it finished."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(per_hour)],
        service_distributions=[ciw.dists.Lognormal(-(SIGMA**2) / 2, SIGMA)],
        number_of_servers=[schedule],
    )
    ciw.seed(1)
    run = ciw.Simulation(network)
    run.simulate_until_max_time(hours)
    return len(run.get_all_records(only=["service"]))


def stationary() -> tuple[float, float]:
    """Seconds a message: ciw, and the event code, on a queue that never closes."""
    hours, runs = 5_000.0, 50
    done = ciw_run(1, UTILISATION, hours)

    def ours() -> None:
        random = np.random.default_rng(1)
        begin = np.cumsum(random.exponential(1 / UTILISATION, (runs, done)), axis=1)
        departures(begin, service_minutes(random, begin.shape, 1.0, 1.03))

    return median_seconds(lambda: ciw_run(1, UTILISATION, hours)) / done, median_seconds(ours) / done / runs


def office_hours() -> tuple[float, float]:
    """The same on weekdays from 9 to 17, a service interrupted at closing taken up again."""
    ends = [24 * day + hour for day in range(5) for hour in (9, 17)]
    schedule = ciw.Schedule(numbers_of_servers=[0, 1] * 5 + [0], shift_end_dates=[*ends, 168], preemption="resume")
    per_week, runs = UTILISATION * 40, 50
    done = ciw_run(schedule, per_week / 168, WEEKS * 168)

    def ours() -> None:
        run_mailbox(
            np.random.default_rng(1),
            Mailbox(absence="always"),
            runs=runs,
            weeks=WEEKS,
            staff=1,
            presence=1.0,
            minutes=2_400.0,
            messages_per_week=per_week,
            minutes_per_message=60.0,
            burst_share=0.0,
            bulletins_per_week=0.0,
        )

    ciw_time = median_seconds(lambda: ciw_run(schedule, per_week / 168, WEEKS * 168)) / done
    return ciw_time, median_seconds(ours) / (per_week * WEEKS * runs)


def main() -> None:
    """Print the ratios, the growth with wards and draws, and with `--full` the size of London."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also 680 wards × 5 scenarios × 10,000 draws")
    options = parser.parse_args()
    for name, (theirs, ours), least in (("stationary", stationary(), 100), ("office hours", office_hours(), 30)):
        verdict = "as asked" if theirs / ours >= least else "BELOW"
        print(
            f"{name}: ciw {1e6 * theirs:.1f} µs a message, ours {1e6 * ours:.3f}: {theirs / ours:.0f} times ({verdict}: {least})"
        )
    assumptions = reference.load_assumptions()
    start = time.process_time()
    simulate(assumptions, draws=10)
    print(f"the tables of event simulations: {time.process_time() - start:.1f} s of processor time, once a process")
    for wards, draws in ((5, 2_500), (10, 2_500), (20, 2_500), (5, 5_000), (5, 10_000), (20, 10_000)):
        taken = median_seconds(lambda w=wards, d=draws: simulate(assumptions, draws=d, wards=w, workers=1), 3)
        print(
            f"{wards} wards × {draws:,} draws: {taken:.2f} s, {1e9 * taken / wards / draws / 5:.0f} ns a ward, draw and scenario"
        )
    print(interpolation_error(assumptions))
    if options.full:
        clock, start = time.perf_counter(), time.process_time()
        rows = simulate(assumptions, wards=680).height
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        taken = time.perf_counter() - clock
        print(
            f"680 wards × 5 × 10,000: {taken:.0f} s ({time.process_time() - start:.0f} of processor), {peak:.2f} GB, {rows:,} rows"
        )


if __name__ == "__main__":
    main()
