"""How much mail can a ward's officers answer? Hours asked, hours there are, and what would have to be true for overload.

No police force has published how much mail its subscribers write, so the product is the break-even and the hours; a
distribution over stated assumptions restates those. Two loads draw on the same officers: *outbound* (bulletins, sessions)
and *inbound* (replies and unprompted mail). Utilisation is inbound hours over the hours left for reading and answering.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import polars as pl
import scipy

from wardbook.measures.queue import InputError, Mailbox, run_mailbox
from wardbook.measures.queue import erlang_c as erlang_c
from wardbook.places import UnknownName

DISTRIBUTIONS = ("lognormal", "beta", "discrete", "fixed")
WEEKS_A_YEAR = 365.25 / 7
SEED = 20250623
_QUANTILES = {"q05": 0.05, "q50": 0.5, "q95": 0.95}
_Z90 = NormalDist().inv_cdf(0.95) * 2  # a 90 % interval spans this many standard deviations


# -- inputs ------------------------------------------------------------------------------------------------------------


def fix(inputs: pl.DataFrame, **values: float) -> pl.DataFrame:
    """The inputs with some of them known: a value in place of its distribution.

    Parameters
    ----------
    inputs : `facts.load_assumptions()`.
    values : by name, in the input's own unit.

    Raises
    ------
    InputError
        for a value outside the input's range, or hours that contradict each other.
    UnknownName
        for a name that is none.
    """
    for name, value in values.items():
        row = _row(inputs, name)
        if not (math.isfinite(value) and row["minimum"] <= value <= row["maximum"]):
            allowed = f"{row['minimum']:g} to {row['maximum']:g} {row['unit']}"
            raise InputError(f"{name} {value!r} is outside {allowed} ({row['label']})")
    known = {name: float(value) for name, value in values.items()}
    value = pl.col("name").replace_strict(known, default=None, return_dtype=pl.Float64)
    changed = inputs.with_columns(
        *(pl.coalesce(value, name).alias(name) for name in ("value", "low", "high")),
        distribution=pl.when(value.is_null()).then("distribution").otherwise(pl.lit("fixed")),
        shape=pl.when(value.is_null()).then("shape"),
    )
    mailbox_of(changed)
    return changed


def _row(inputs: pl.DataFrame, name: str) -> dict:
    if name not in inputs["name"]:
        raise UnknownName("input", name, inputs["name"], "data/reference/load_assumptions.csv")
    return inputs.row(by_predicate=pl.col("name") == name, named=True)


def central_values(inputs: pl.DataFrame) -> dict[str, float]:
    """Each input at its stated central value, by name."""
    return dict(inputs.select("name", "value").iter_rows())


def mailbox_of(inputs: pl.DataFrame, absence: str = "independent days") -> Mailbox:
    """How the mailbox is kept: office hours, the bulletin's hour, the decay of replies; `InputError` if they contradict."""
    v = central_values(inputs)
    kept = ("office_opens", "office_closes", "bulletin_weekday", "bulletin_hour", "reply_delay", "minutes_scv")
    return Mailbox(absence, *(v[name] for name in kept))


# What a run may be set to: lowest, highest, and whether it must be whole.
SETTINGS = {
    "draws": (1, 1_000_000, True),
    "weeks": (1, 520, True),
    "runs": (1, 10_000, True),
    "seed": (0, 2**32 - 1, True),
    "deadline_hours": (1, 1000, False),
    "offences_weight": (0, 1, False),
}


def check_settings(**settings: float) -> None:
    """Refuse a number outside `SETTINGS`, or not whole where it must be, before anything is computed.

    Raises
    ------
    InputError
        naming the setting, its value and what is allowed.
    """
    for name, value in settings.items():
        low, high, whole = SETTINGS[name]
        kind = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            raise InputError(f"{name} must be a {'whole ' if whole else ''}number, {low:,} to {high:,}: {value!r}")


def draw_inputs(
    inputs: pl.DataFrame, *, draws: int = 10_000, seed: int = SEED, ward_hours: float | None = None
) -> dict[str, np.ndarray | float]:
    """Draws of every input by name, (draws,) arrays, or a number where it is fixed.

    A Latin hypercube: each input's draws are spread evenly over its distribution, so that medians settle with few. What takes
    `drawn` below passes it on to here.

    Parameters
    ----------
    ward_hours : measured duty hours a week of one ward, without those abstracted, in place of what staff, contracts,
        availability and abstraction would make of them.
    """
    check_settings(draws=draws)
    cube = scipy.stats.qmc.LatinHypercube(inputs.height, rng=np.random.default_rng(seed)).random(draws).T
    values = {row["name"]: _quantile(row, u) for row, u in zip(inputs.iter_rows(named=True), cube)}
    return values if ward_hours is None else values | {"ward_hours": ward_hours}


def _quantile(row: dict, u: np.ndarray) -> np.ndarray | float:
    """An input's values at the cumulative probabilities `u`."""
    if row["distribution"] == "lognormal":
        drawn = row["value"] * np.exp(math.log(row["high"] / row["low"]) / _Z90 * scipy.special.ndtri(u))
        return np.clip(drawn, row["minimum"], row["maximum"])
    if row["distribution"] == "beta":
        return scipy.special.betaincinv(*map(float, row["shape"].split("|")), u)
    if row["distribution"] == "discrete":
        values, shares = np.array([part.split(":") for part in row["shape"].split("|")], dtype=float).T
        return values[np.minimum(np.searchsorted(np.cumsum(shares), u), len(values) - 1)]
    return row["value"]


# -- a week ------------------------------------------------------------------------------------------------------------


def weekly_load(values: Mapping[str, np.ndarray | float]) -> dict[str, np.ndarray]:
    """Hours asked and hours there are in a ward and week, as plain arithmetic on arrays of one shape.

    Every result of the model starts here. `outbound_from_reading` says who pays for outbound work: at 0 the usable
    share is of the hours left after it, at 1 it comes out of the reading hours alone.

    Parameters
    ----------
    values : by name of input, in the units of `load_assumptions.csv`; with `ward_hours` those are the hours present.

    Returns
    -------
    dict of arrays
        `subscribers` (without the unverified where members are), `replies`, `unprompted`, `messages` (a week), `minutes` (a
        message, kinds averaged), `bulletin_hours`, `session_hours`, `checking_hours`, `outbound_hours`, `inbound_hours`,
        `present_hours`, `reading_hours` (≥ 0), `utilisation` (∞ with mail and no reading hours), `saturation` (subscribers
        at utilisation 1; ∞ if they never write).
    """
    v = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    unverified, verified = v["unverified_share"], v["verified"]
    members = v["subscribers"] * (1 - verified * unverified)
    oftener = 1 + (1 - verified) * unverified * (v["unverified_reply_ratio"] - 1)
    replies = v["messages_per_week"] * v["reply_share"] * oftener
    unprompted = v["unprompted_share"] * 12 / WEEKS_A_YEAR * oftener
    minutes = v["minutes_per_message"] * (1 + v["chase_share"] * (v["chase_multiplier"] - 1))
    bulletins = v["messages_per_week"] * v["minutes_to_write"] / 60
    sessions = v["sessions_per_week"] * v["minutes_per_session"] / 60
    # A list that keeps its size replaces its leavers; those who fail the check were checked too.
    joining = v["messages_per_week"] * v["unsubscribe_per_message"] / np.maximum(1 - unverified, 1e-9)
    checking = verified * joining * v["minutes_per_check"] / 60  # hours a member
    stated = v["staff_per_ward"] * v["contracted_hours"] * v["availability"] * (1 - v["abstraction"])
    present = v.get("ward_hours", stated)
    weight = v["usable_share"] + v["outbound_from_reading"] * (1 - v["usable_share"])
    most = np.maximum(v["usable_share"] * present - weight * (bulletins + sessions), 0.0)
    reading = np.maximum(most - weight * checking * members, 0.0)
    asked = (replies + unprompted) * minutes / 60
    inbound = members * asked
    with np.errstate(divide="ignore", invalid="ignore"):
        utilisation = np.where(inbound > 0, inbound / reading, 0.0)
        full = asked + weight * checking
        saturation = np.where(full > 0, most / full, np.where(most > 0, np.inf, 0.0))
    return {
        "subscribers": members,
        "replies": members * replies,
        "unprompted": members * unprompted,
        "messages": members * (replies + unprompted),
        "minutes": minutes,
        "bulletin_hours": bulletins,
        "session_hours": sessions,
        "checking_hours": checking * members,
        "outbound_hours": bulletins + sessions + checking * members,
        "inbound_hours": inbound,
        "present_hours": present,
        "reading_hours": reading,
        "utilisation": utilisation,
        "saturation": saturation,
    }


def simulate(inputs: pl.DataFrame, *, draws: int = 10_000, **drawn: float | None) -> pl.DataFrame:
    """One ward's `weekly_load` over the stated ranges of all inputs together: a row a draw, a column a quantity.

    Raises
    ------
    InputError
        for less than one draw.
    """
    load = weekly_load(draw_inputs(inputs, draws=draws, **drawn))
    return pl.DataFrame({name: np.broadcast_to(values, draws) for name, values in load.items()})


def summarise(simulated: pl.DataFrame) -> pl.DataFrame:
    """The middle and the 90 % range of each quantity.

    Returns
    -------
    polars.DataFrame
        `quantity`, `q05`, `q50`, `q95` (draws by rank: null where that one is without end), `at_least_1` (share
        of draws, of `utilisation` only: a restatement of the inputs' ranges, for a test and a note, never a headline).
    """
    over = float((simulated["utilisation"] >= 1).mean())
    rows = [{"quantity": x.name} | _range(x) for x in simulated]
    at_least_1 = pl.when(quantity="utilisation").then(over)
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(at_least_1=at_least_1)


def _range(x: pl.Series) -> dict[str, float | None]:
    """5 %, 50 % and 95 % by rank, so that ∞ stays in its place; null where it is ∞."""
    values = {name: x.quantile(q, interpolation="higher") for name, q in _QUANTILES.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def asked_per_100(simulated: pl.DataFrame) -> pl.DataFrame:
    """Hours a week that a list asks for every 100 subscribers, inbound and outbound, and of one ward with its whole list.

    Outbound work does not grow with the list: for every 100 it is what a list of the drawn size spreads it over.

    Returns
    -------
    polars.DataFrame
        `direction`, `what`, then `per_100_q05` … `per_100_q95` and `per_ward_q05` … `per_ward_q95` (hours a week).
    """
    minutes = pl.col("minutes") / 60
    parts = {
        ("inbound", "replies to bulletins"): pl.col("replies") * minutes,
        ("inbound", "unprompted messages"): pl.col("unprompted") * minutes,
        ("inbound", "all messages"): pl.col("inbound_hours"),
        ("outbound", "writing bulletins"): pl.col("bulletin_hours"),
        ("outbound", "sessions"): pl.col("session_hours"),
        ("outbound", "checking members"): pl.col("checking_hours"),
        ("outbound", "all outbound work"): pl.col("outbound_hours"),
    }
    rows = []
    for (direction, what), hours in parts.items():
        both = simulated.select(per_100=100 * hours / pl.col("subscribers"), per_ward=hours)
        ranges = {f"{per}_{q}": x for per in both.columns for q, x in _range(both[per].fill_nan(0.0)).items()}
        rows.append({"direction": direction, "what": what} | ranges)
    return pl.DataFrame(rows)


# -- break-even ----------------------------------------------------------------------------------------------------------


def break_even_lines(
    inputs: pl.DataFrame, *, ward_hours: Mapping[str, float], messages: Sequence[float], **drawn: int
) -> pl.DataFrame:
    """Minutes a message at which a ward's reading hours are just filled, by messages a week: above a line there is too much.

    One line each for one to four officers, their hours by the stated assumptions, and for measured hours.

    Parameters
    ----------
    ward_hours : label → measured duty hours a week of one ward, not abstracted: one line each.
    messages : messages a ward and week at which the lines are given.

    Returns
    -------
    polars.DataFrame
        `line` (label), `officers` (null where hours are measured), `messages_per_week`, `minutes`, `minutes_low`,
        `minutes_high` (middle and 90 % range of what is not known of the hours), `reading_hours` (middle, a week).
    """
    lines = [(f"{n} officer" if n == 1 else f"{n} officers", n, None) for n in (1, 2, 3, 4)]
    lines += [(label, None, hours) for label, hours in ward_hours.items()]
    rows = []
    for label, number, hours in lines:
        known = fix(inputs, staff_per_ward=number) if number else inputs
        there = _range(simulate(known, ward_hours=hours, **drawn)["reading_hours"])
        middle, *ends = there["q50"], there["q05"], there["q95"]
        rows += [(label, number, float(n), *(60 * hours / n for hours in (middle, *ends)), middle) for n in messages]
    columns = ["line", "officers", "messages_per_week", "minutes", "minutes_low", "minutes_high", "reading_hours"]
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)


def place_lists(inputs: pl.DataFrame, lists: pl.DataFrame, **drawn: float | None) -> pl.DataFrame:
    """Published lists beside the hours: the mail a list of that size would bring, and what it asks of the hours there.

    The count is published (or derived, as `per_ward_how` says); how much its subscribers write is assumed.

    Parameters
    ----------
    lists : `facts.subscriber_evidence()`; rows without `per_ward` are left out.

    Returns
    -------
    polars.DataFrame
        the rows' `place`, `what`, `date`, `figure`, `per_ward`, `per_ward_how`, `publication`, `quality`; `messages`,
        `minutes`, `inbound_hours` and `reading_hours`, each `_q05`, `_q50`, `_q95`; `asked_percent_q05` … (inbound hours
        of the hours there; null where there are none).
    """
    values = draw_inputs(inputs, **drawn)
    kept = ("place", "what", "date", "figure", "per_ward", "per_ward_how", "publication", "quality")
    rows = []
    for row in lists.filter(pl.col("per_ward").is_not_null()).iter_rows(named=True):
        load = weekly_load(values | {"subscribers": row["per_ward"]})
        rows.append({name: row[name] for name in kept} | _asked_of(load, load["messages"]))
    return pl.DataFrame(rows, infer_schema_length=None)


def own_point(inputs: pl.DataFrame, *, mailbox_messages: float | None = None, **drawn: float | None) -> pl.DataFrame:
    """One ward at its own figures, what it did not give over its stated range: its point on the break-even chart.

    Parameters
    ----------
    inputs : with a reader's values (`fix`).
    mailbox_messages : messages a week that the ward counted, in place of what its list is assumed to write.

    Returns
    -------
    polars.DataFrame
        one row, the columns of `place_lists` that are not a published count's.
    """
    load = weekly_load(draw_inputs(inputs, **drawn))
    messages = load["messages"] if mailbox_messages is None else np.asarray(float(mailbox_messages))
    return pl.DataFrame([_asked_of(load, messages)], infer_schema_length=None)


def _asked_of(load: Mapping[str, np.ndarray], messages: np.ndarray) -> dict[str, float | None]:
    """The range of what so many messages ask, and of the hours there: `messages_q05`, … `asked_percent_q95`."""
    inbound, reading = messages * load["minutes"] / 60, load["reading_hours"]
    with np.errstate(divide="ignore", invalid="ignore"):
        asked = np.where(inbound > 0, 100 * inbound / reading, 0.0)
    drawn = {"messages": messages, "minutes": load["minutes"], "inbound_hours": inbound}
    drawn |= {"reading_hours": reading, "asked_percent": asked}
    ranges = {name: _range(pl.Series(np.atleast_1d(array))) for name, array in drawn.items()}
    return {f"{name}_{q}": x for name, of in ranges.items() for q, x in of.items()}


def answered_in_time(
    inputs: pl.DataFrame,
    *,
    deadlines: tuple[float, ...] | None = None,
    absence: str = "independent days",
    weeks: int = 52,
    runs: int = 200,
    seed: int = SEED,
    **drawn: float | None,
) -> pl.DataFrame:
    """Share of messages answered in time by a ward at half, once and twice its break-even, beside the ceiling without load.

    The ward's hours and minutes a message are the middle of the draws.
    Presence decides more than load: a message that comes while nobody is there for three days is late whatever the load.

    Parameters
    ----------
    deadlines : elapsed hours; by default the inputs' `response_hours` and `pledge_hours`.
    absence : one of `queue.ABSENCE`.
    weeks : from an empty mailbox; a load above 1 has no steady state, so its share depends on them.

    Returns
    -------
    polars.DataFrame
        a row a deadline × load: `deadline_hours`, `load` (0: the ceiling), `answered_percent`, `standard_error` (percentage
        points, of the simulation alone).

    Raises
    ------
    InputError
        for weeks or runs below 1, an unknown absence, or a ward in which there is nothing to answer or nobody to.
    """
    check_settings(weeks=weeks, runs=runs)
    v, mailbox = central_values(inputs), mailbox_of(inputs, absence)
    load = simulate(inputs, seed=seed, **drawn).median().row(0, named=True)
    if load["reading_hours"] <= 0 or load["messages"] <= 0:
        raise InputError("nothing to simulate: no hours left to read in, or nobody writes")
    deadlines = deadlines or (v["response_hours"], v["pledge_hours"])
    minutes = 60 * load["reading_hours"]
    # As many officers as their contracted hours can hold the hours there are, each present for an equal part of them.
    staff = max(int(v["staff_per_ward"]), math.ceil(load["present_hours"] / v["contracted_hours"]))
    there = {"staff": staff, "presence": load["present_hours"] / (staff * v["contracted_hours"]), "minutes": minutes}
    mail = {"minutes_per_message": load["minutes"], "burst_share": load["replies"] / load["messages"]}
    mail |= {"bulletins_per_week": v["messages_per_week"]}
    run, shares = {"deadlines": deadlines, "runs": runs, "weeks": weeks}, {}
    for times in (0.5, 1.0, 2.0):
        mail["messages_per_week"] = times * minutes / load["minutes"]
        answered = run_mailbox(np.random.default_rng(seed), mailbox, **run, **there, **mail)
        # The ceiling is the same at any load: the largest sample of messages gives it.
        shares |= {times: answered.shares, 0.0: answered.ceilings}
    rows = [
        (deadline, times, 100 * np.nanmean(share), 100 * np.nanstd(share, ddof=1) / math.sqrt(runs))
        for times, share_by_deadline in shares.items()
        for deadline, share in zip(deadlines, share_by_deadline.T)
    ]
    columns = ["deadline_hours", "load", "answered_percent", "standard_error"]
    return pl.DataFrame(rows, schema=columns, orient="row").sort("deadline_hours", "load", descending=[True, False])


# -- what decides it -------------------------------------------------------------------------------------------------------


def tornado(inputs: pl.DataFrame, **drawn: float | None) -> pl.DataFrame:
    """One input at a time set to its low and to its high end, the others over their ranges: which one matters most?

    The same draws serve every row, so that differences between rows are not noise.

    Returns
    -------
    polars.DataFrame
        a row an input that moves it, the furthest first: `input`, `label`, `unit`, `basis`, `low`, `high`, `at_low`,
        `at_high` (middle utilisation; null where that is without end), `middle` (with every input over its range), `times`
        (the larger of the two ends over the smaller).
    """
    values = draw_inputs(inputs, **drawn)
    rows = []
    for row in inputs.iter_rows(named=True):
        ends = [_middle_utilisation(values | {row["name"]: row[end]}) for end in ("low", "high")]
        kept = {name: row[name] for name in ("label", "unit", "basis", "low", "high")}
        rows.append({"input": row["name"]} | kept | dict(zip(("at_low", "at_high"), ends)))
    ends = pl.col("at_low", "at_high")
    larger, smaller = pl.max_horizontal("at_low", "at_high"), pl.min_horizontal("at_low", "at_high")
    return (
        pl.DataFrame(rows)
        .filter(pl.col("at_low") != pl.col("at_high"))
        .with_columns(middle=pl.lit(_middle_utilisation(values)), times=larger / smaller)
        .sort("times", "input", descending=[True, False])
        .with_columns(pl.when(ends.is_finite()).then(ends), times=pl.when(pl.col("times").is_finite()).then("times"))
    )


def _middle_utilisation(values: Mapping[str, np.ndarray | float]) -> float:
    return float(np.median(weekly_load(values)["utilisation"]))


# Inputs that a reader may think of as the one to make officers drown in mail.
NEEDED = ("subscribers", "messages_per_week", "reply_share", "unprompted_share", "minutes_per_message", "usable_share")


def needed_values(inputs: pl.DataFrame, **drawn: float | None) -> pl.DataFrame:
    """What would have to be true for overload: the value of one input at which the middle utilisation is 1, others as drawn.

    Returns
    -------
    polars.DataFrame
        `input`, `label`, `unit`, `basis`, `value` (central), `low`, `high`, `needed` (null where no value that is possible
        does it), `times` (needed over central), `within` (is it inside the input's 90 % range?). The first row,
        `load`, is how many times all mail together would have to grow.
    """
    values = draw_inputs(inputs, **drawn)

    def excess(x: float, name: str) -> float:
        return min(_middle_utilisation(values | {name: x}), 1e9) - 1

    middle = _middle_utilisation(values)
    times = 1 / middle if 0 < middle < math.inf else None
    rows = [{"input": "load", "label": "all messages together", "unit": "times", "value": 1.0, "needed": times}]
    for name in NEEDED:
        row = _row(inputs, name)
        low, high = max(row["minimum"], 1e-6), row["maximum"]
        needed = None
        if excess(low, name) * excess(high, name) < 0:
            # On the logarithm: the ranges that are possible span five powers of ten.
            ends = math.log(low), math.log(high)
            needed = math.exp(scipy.optimize.brentq(lambda x, name=name: excess(math.exp(x), name), *ends, xtol=1e-6))
        kept = {name: row[name] for name in ("label", "unit", "basis", "value", "low", "high")}
        rows.append({"input": name} | kept | {"needed": needed})
    columns = ["input", "label", "unit", "basis", "value", "low", "high", "needed"]
    value = pl.col("value")
    return pl.DataFrame(rows, infer_schema_length=None).select(
        *columns,
        times=pl.when(value != 0).then(pl.col("needed") / value),
        within=pl.col("needed").is_between("low", "high"),
    )


def verification_thresholds(inputs: pl.DataFrame, **drawn: int) -> pl.DataFrame:
    """What it would take for verifying members to change the load: thresholds, since no effect has been published.

    What both lists share cancels in their ratio. With u the unverified share: a list of verified members brings as much
    mail as the open one if those write 1/(1−u) times as often; it brings half of it if the unverified wrote (1−u)/u times
    as often as the others; and checking costs more than it saves above u × mail × minutes over those who join.

    Returns
    -------
    polars.DataFrame
        `threshold` ("reply ratio", "unverified ratio", "minutes of checking"), `unit`, `q05`, `q50`, `q95` (null where
        nobody ever leaves, so that nobody new is checked).
    """
    v = {name: np.atleast_1d(x) for name, x in draw_inputs(inputs, **drawn).items()}
    load = weekly_load(v | {"verified": 0.0})
    unverified, joining = v["unverified_share"], v["messages_per_week"] * v["unsubscribe_per_message"]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = load["inbound_hours"] * 60 / load["subscribers"]
        thresholds = {
            ("reply ratio", "times"): 1 / (1 - unverified),
            ("unverified ratio", "times"): (1 - unverified) / unverified,
            ("minutes of checking", "minutes a new member"): np.where(joining > 0, unverified * each / joining, np.inf),
        }
    return pl.DataFrame(
        [{"threshold": name, "unit": unit} | _range(pl.Series(x)) for (name, unit), x in thresholds.items()],
        infer_schema_length=None,
    )
