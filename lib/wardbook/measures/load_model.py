"""The load model itself: assumptions and scenarios, the arithmetic of a week, and Monte Carlo over wards.

Two loads draw on the same officers: *outbound* (writing bulletins, running sessions and surveys, checking who joins)
and *inbound* (replies and unprompted mail). Utilisation is inbound hours over the hours left for reading and
answering. What a policy maker would ask of it is in `workload`, which exports this module too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from scipy import special

from wardbook.measures.answered import Curves, surface
from wardbook.measures.queueing import GROWS, Mailbox, run_mailbox
from wardbook.places import UnknownName

SEED = 20250623
LEVELS, FLAGS = ("london", "ward"), ("published", "derived", "assumption")
FILE = "data/reference/load_assumptions.csv"
WEEKS_A_YEAR = 365.25 / 7
LEVELS_OF = (0.05, 0.25, 0.5, 0.75, 0.95)
SUBSCRIBERS_FROM = ("mature", "first year", "per ward", "share of residents", "exactly")
SUBSCRIBER_PRIORS = {"mature": "subscribers_mature", "first year": "subscribers_first_year"}
_Z90 = special.ndtri(0.95) * 2  # a 90 % interval spans this many standard deviations


class AssumptionError(ValueError):
    """An assumption that makes no sense; the message names the field, what is allowed and the file."""


@dataclass(frozen=True)
class Assumption:
    """One input of the model: a row of `load_assumptions.csv`, with its unit, distribution, evidence, flag and level.

    `low` and `high` are the 90 % interval of the prior; `minimum` and `maximum` what a reader may set. `parameters`
    is the median of a lognormal (its spread is that of the interval), the two of a beta, the values and shares of a
    discrete one, or the value itself.
    """

    name: str
    label: str
    unit: str
    distribution: str
    parameters: tuple
    low: float | None
    high: float | None
    minimum: float | None
    maximum: float | None
    level: str
    flag: str
    evidence: str
    source: str

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Values at the cumulative probabilities `u` (0-1): draws, if they are uniform. Beta's are read off a table of 4,097."""
        if self.distribution == "lognormal":
            sigma = math.log(self.high / self.low) / _Z90
            return self.parameters[0] * np.exp(sigma * special.ndtri(u))
        if self.distribution == "beta":
            return np.interp(u, *self._table)
        if self.distribution == "discrete":
            values, shares = np.array(self.parameters).T
            return values[np.minimum(np.searchsorted(np.cumsum(shares), u), len(values) - 1)]
        return np.full(np.shape(u), self.parameters[0])

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        u = np.linspace(0, 1, 4097)
        return u, special.betaincinv(*self.parameters, u)

    @property
    def is_fixed(self) -> bool:
        return self.distribution in ("fixed", "choice")

    def check(self, value: float, where: str = FILE) -> float:
        """The value, if it is a number in the allowed range."""
        if self.distribution == "choice":
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise AssumptionError(f"{self.name} {value!r} is not a number ({self.unit}; {where})")
        if not self.minimum <= value <= self.maximum:
            allowed = f"{self.minimum:g} to {self.maximum:g} {self.unit}"
            raise AssumptionError(f"{self.name} {value:g} is outside {allowed} ({self.label}; {where})")
        if self.name == "staff_per_ward" and value != int(value):
            raise AssumptionError(f"{self.name} {value:g} is not a whole number ({self.label}; {where})")
        return float(value)


@dataclass(frozen=True)
class Scenario:
    """A kind of list: where its size comes from, whether members are verified, and what else is set (name, value)."""

    scenario: str
    label: str
    subscribers_from: str = "mature"
    subscribers: float | None = None
    verified: bool = False
    description: str = ""
    source: str = ""
    overrides: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Assumptions:
    """All inputs and the scenarios; `override` and `declare` return changed copies, so a result can name what it used."""

    inputs: tuple[Assumption, ...]
    scenarios: tuple[Scenario, ...] = (Scenario("open", "Open sign-up"),)

    @cached_property
    def _by_name(self) -> dict[str, Assumption]:
        return {a.name: a for a in self.inputs}

    def __getitem__(self, name: str) -> Assumption:
        if name not in self._by_name:
            raise UnknownName("assumption", name, self._by_name, FILE)
        return self._by_name[name]

    def scenario(self, name: str) -> Scenario:
        """The scenario of this name, or `UnknownName`."""
        found = {s.scenario: s for s in self.scenarios}
        if name not in found:
            raise UnknownName("scenario", name, found, "data/reference/load_scenarios.csv")
        return found[name]

    def override(self, **values: float | str) -> Assumptions:
        """Fix inputs at these values; each is checked against its range (`AssumptionError`)."""
        fixed = {}
        for name, value in values.items():
            value = self[name].check(value)
            kind = "choice" if self[name].distribution == "choice" else "fixed"
            fixed[name] = replace(self[name], distribution=kind, parameters=(value,), low=None, high=None)
        changed = replace(self, inputs=tuple(fixed.get(a.name, a) for a in self.inputs))
        changed.mailbox()  # hours that contradict each other
        return changed

    def declare(self, level: str, *names: str) -> Assumptions:
        """Declare inputs (all, if none is named) `london`, one value per draw, or `ward`, one per ward and draw."""
        if level not in LEVELS:
            raise UnknownName("level", level, LEVELS, FILE)
        chosen = {self[name].name for name in names} or set(self._by_name)
        return replace(self, inputs=tuple(replace(a, level=level) if a.name in chosen else a for a in self.inputs))

    def under(self, scenario: Scenario) -> Assumptions:
        """These assumptions with what the scenario sets."""
        return self.override(**dict(scenario.overrides))

    def mailbox(self, *, working: bool = False) -> Mailbox:
        """How the mailbox is kept; `working` counts only the hours of Monday to Friday towards a deadline."""
        at = {a.name: a.parameters[0] for a in self.inputs if a.is_fixed}
        try:
            return Mailbox(
                at["absence"],
                at["office_opens"],
                at["office_closes"],
                int(at["bulletin_weekday"]),
                at["bulletin_hour"],
                at["reply_delay"],
                scv=at["minutes_scv"],
                deadlines=(at["response_hours"], at["pledge_hours"]),
                working=working,
            )
        except ValueError as error:
            raise AssumptionError(f"{error} ({FILE})") from error


def own_scenario(
    assumptions: Assumptions, values: Mapping[str, tuple[float, str]], *, label: str = "Your own", where: str = FILE
) -> Scenario:
    """A reader's scenario from name → (value, unit); `subscribers` is the list's size in a ward, `verified` 1 or 0.

    The unit is asked for because a share typed as per cent, or hours as minutes, would pass every range.

    Raises
    ------
    AssumptionError
        naming the field and the range or unit it must have.
    UnknownName
        for a field that is none.
    """
    known = {
        a.name: a for a in assumptions.inputs if a.name not in SUBSCRIBER_PRIORS.values() and a.distribution != "choice"
    }
    size = replace(assumptions["subscribers_mature"], name="subscribers", label="subscribers per ward")
    yes = replace(size, name="verified", label="members verified: 1 yes, 0 no", unit="1 or 0", maximum=1)
    known |= {"subscribers": size, "verified": yes}
    found = {}
    for name, (value, unit) in values.items():
        if name not in known:
            raise UnknownName("assumption", name, known, where)
        if unit != known[name].unit:
            given = f"has the unit {unit!r}" if unit else "has no unit"
            raise AssumptionError(f"{name} {given}: give it in {known[name].unit!r} ({where})")
        found[name] = known[name].check(value, where)
    subscribers, verified = found.pop("subscribers", None), bool(found.pop("verified", 0))
    assumptions.override(**found)  # what is possible one by one may contradict itself together
    kind = "first year" if subscribers is None else "exactly"
    return Scenario("own", label, kind, subscribers, verified, "The reader's own", where, tuple(found.items()))


# -- a week ------------------------------------------------------------------------------------------------------------


def weekly_load(values: Mapping[str, np.ndarray | float], subscribers: np.ndarray, *, verified: bool) -> dict:
    """Hours asked and hours there are in a week, as plain arithmetic on arrays of one shape.

    Every result of the model starts here. `outbound_from_reading` says who pays for outbound work: at 0 the usable
    share is of the hours left after it, at 1 it comes out of the reading hours alone.

    Parameters
    ----------
    values : by name of input, in the units of `load_assumptions.csv`.
    subscribers : sign-ups in the ward; a verified list is these without their unverified share.

    Returns
    -------
    dict of arrays
        `subscribers`, `messages` (a week), `minutes` (a message, kinds averaged), `outbound_hours`, `inbound_hours`,
        `present_hours`, `reading_hours` (≥ 0), `utilisation` (∞ with mail and no reading hours), `burst` (share of
        mail that answers a bulletin), `saturation` (subscribers at utilisation 1; ∞ if they never write), `checks`
        (identity checks).
    """
    v = values
    unverified = v["unverified_share"]
    # Arrays even where a reader has fixed all of them: Python's own floats raise where 0 is divided by 0.
    replies = np.asarray(v["messages_per_week"] * v["reply_share"], dtype=float)
    unprompted = np.asarray(v["unprompted_share"] * 12 / WEEKS_A_YEAR, dtype=float)
    oftener = 1.0 if verified else 1 + unverified * (v["unverified_reply_ratio"] - 1)
    members = subscribers * (1 - unverified) if verified else subscribers * 1.0
    each = (replies + unprompted) * oftener
    minutes = v["minutes_per_message"] * (1 + v["chase_share"] * (v["chase_multiplier"] - 1))
    # A list that keeps its size replaces its leavers; those who fail the check were checked too.
    checks = (
        v["messages_per_week"] * v["unsubscribe_per_message"] / np.maximum(1 - unverified, 1e-9) if verified else 0.0
    )
    surveys = v["surveys_per_year"] / WEEKS_A_YEAR
    fixed = (
        v["messages_per_week"] * v["minutes_to_write"]
        + v["sessions_per_week"] * v["minutes_per_session"]
        + surveys * v["minutes_per_survey"]
    ) / 60
    answers = surveys * v["survey_response_share"] * v["minutes_per_survey_answer"]
    growing = (answers + checks * v["minutes_per_check"]) / 60
    present = v["staff_per_ward"] * v["contracted_hours"] * v["availability"] * (1 - v["abstraction"])
    weight = v["usable_share"] + v["outbound_from_reading"] * (1 - v["usable_share"])
    most = v["usable_share"] * present - weight * fixed
    reading = np.maximum(most - weight * growing * members, 0.0)
    inbound = members * each * minutes / 60
    with np.errstate(divide="ignore", invalid="ignore"):
        burst = np.where(replies + unprompted > 0, replies / (replies + unprompted), 0.0)
        utilisation = np.where(inbound > 0, inbound / reading, 0.0)
        asked = each * minutes / 60 + weight * growing
        saturation = np.where(asked > 0, np.maximum(most, 0) / asked, np.where(most > 0, np.inf, 0))
    return {
        "subscribers": members,
        "messages": members * each,
        "minutes": minutes,
        "outbound_hours": fixed + growing * members,
        "inbound_hours": inbound,
        "present_hours": present,
        "reading_hours": reading,
        "utilisation": utilisation,
        "burst": burst,
        "saturation": saturation,
        "checks": checks * members,
    }


class Draws:
    """Draws of every input, ward by ward, from one stream an input: what one input or ward takes moves no other.

    The same draws serve every scenario (common random numbers), so differences between scenarios are not noise.
    """

    def __init__(self, assumptions: Assumptions, draws: int, seed: int):
        if draws < 1:
            raise ValueError(f"draws must be 1 or more: {draws!r}")
        self.assumptions, self.draws, self.seed = assumptions, draws, seed
        self.numbers = {a.name: i for i, a in enumerate(assumptions.inputs, start=1)}
        self.shared = {
            a.name: a.parameters[0] if a.is_fixed else a.quantile(self._uniform(self.numbers[a.name], 0))
            for a in assumptions.inputs
            if a.is_fixed or a.level == "london"
        }

    def _uniform(self, stream: int, ward: int) -> np.ndarray:
        return np.random.default_rng([self.seed, stream, ward]).random(self.draws)

    def ward(self, number: int) -> dict:
        """By name of input: (draws,) arrays, or a number where it is fixed; `number` counts wards from 1."""
        own = {
            a.name: a.quantile(self._uniform(self.numbers[a.name], number))
            for a in self.assumptions.inputs
            if a.name not in self.shared and a.name not in SUBSCRIBER_PRIORS.values()
        }
        return self.shared | own | {"u": self._uniform(0, number)}

    def week(self, values: dict, scenario: Scenario, residents: float | None = None) -> tuple[dict, dict]:
        """The inputs of a scenario and its `weekly_load`, broadcast to (draws,)."""
        v = values | dict(scenario.overrides)
        z, kind = special.ndtri(v["u"]), scenario.subscribers_from
        if kind in SUBSCRIBER_PRIORS:
            prior = self.assumptions[SUBSCRIBER_PRIORS[kind]]
            if prior.name in self.shared:
                between = v["subscriber_spread"] * z if not prior.is_fixed else 0.0
                subscribers = self.shared[prior.name] * np.exp(between)
            else:
                subscribers = prior.quantile(v["u"])
        elif kind == "exactly":
            subscribers = np.full(self.draws, float(scenario.subscribers))
        else:
            here = v["residents_per_ward"] if residents is None else residents
            mean = scenario.subscribers * (here if kind == "share of residents" else 1.0)
            # A published total is a mean over wards: their spread must not add to it.
            subscribers = mean * np.exp(v["subscriber_spread"] * z - v["subscriber_spread"] ** 2 / 2)
        load = weekly_load(v, np.broadcast_to(subscribers, self.draws), verified=scenario.verified)
        return v, {name: np.broadcast_to(np.asarray(x, dtype=float), self.draws) for name, x in load.items()}

    def curves(self, v: dict, load: dict, mailbox: Mailbox, weeks: int) -> Curves:
        def full(x) -> np.ndarray:
            return np.broadcast_to(np.asarray(x, dtype=float), self.draws)

        presence = full(v["availability"] * (1 - v["abstraction"]))
        with np.errstate(divide="ignore"):
            length = load["minutes"] / (60 * load["reading_hours"])
        length = np.where(np.isfinite(length), length, 1e9)
        return Curves(
            mailbox, weeks, full(v["staff_per_ward"]), presence, load["burst"], full(v["messages_per_week"]), length
        )


def quantities_of(mailbox: Mailbox, weeks: int) -> dict[str, str]:
    """Name → unit of what `simulate` reports; deadlines and weeks are in the names."""
    hours = [f"{h:g}h" for h in mailbox.deadlines]
    return (
        {"subscribers": "people", "messages": "messages a week"}
        | dict.fromkeys(("outbound_hours", "inbound_hours", "present_hours", "reading_hours"), "hours a week")
        | {"utilisation": "inbound over reading hours"}
        | {f"share_{h}": "share of messages" for h in hours}
        | {f"ceiling_{h}": "share of messages" for h in hours}
        | {"backlog_4_weeks": "messages", f"backlog_{weeks}_weeks": "messages"}
        | {"wait_hours": "elapsed hours, stationary", "saturation_per_officer": "subscribers per officer"}
    )


def outcomes_of(v: dict, load: dict, curves: Curves, weeks: int) -> list[np.ndarray]:
    """The draws of `quantities_of`, in its order."""
    rho, reading = load["utilisation"], load["reading_hours"]
    shares, waiting = curves.at(rho)
    none_left = ~np.isfinite(rho)
    if none_left.any():
        shares = np.where(none_left[:, None], 0.0, shares)
        waiting = np.where(none_left[:, None], load["messages"][:, None] * [min(4, weeks), weeks], waiting)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Pollaczek-Khinchine in weeks of capacity, bursts left aside.
        wait = 168 * rho / (1 - rho) * (1 + v["minutes_scv"]) / 2 * load["minutes"] / (60 * reading)
    wait = np.where(rho == 0, 0.0, np.where(rho < 1, wait, np.inf))
    named = ("subscribers", "messages", "outbound_hours", "inbound_hours", "present_hours", "reading_hours")
    return [
        *(load[name] for name in named),
        rho,
        *shares.T,
        *curves.ceilings.T,
        # No more can wait than has come.
        *np.minimum(waiting, load["messages"][:, None] * [min(4, weeks), weeks]).T,
        wait,
        load["saturation"] / v["staff_per_ward"],
    ]


def summarise(x: np.ndarray) -> np.ndarray:
    """Quantiles (of rank, so that ∞ stays in its place), mean, and the share of draws at 1 or more."""
    ranks = [math.ceil(q * len(x)) - 1 for q in LEVELS_OF]
    kept = np.partition(x, ranks)
    return np.array([*kept[ranks], x.mean(), (x >= 1).mean()])


def simulate(
    assumptions: Assumptions,
    *,
    draws: int = 10_000,
    weeks: int = 52,
    seed: int = SEED,
    wards: pl.DataFrame | int = 1,
    working: bool = False,
    keep_draws: bool = False,
    folder: Path | None = None,
    workers: int = 2,
) -> pl.DataFrame:
    """Monte Carlo over the priors: what each ward's mailbox is asked and answers in time, under every scenario.

    What is answered in time is read off event simulations (`answered.Curves`; `interpolation_error` measures the cost),
    over `weeks` weeks from an empty start. Memory holds one ward a worker, whatever the number of wards.

    Parameters
    ----------
    wards : how many wards alike, or a frame with `ward_code` and, if known, `residents`.
    working : count only the hours of Monday to Friday towards a deadline.
    keep_draws : also write every draw, one Parquet file a ward, into `folder`.
    workers : threads; results do not depend on it.

    Returns
    -------
    polars.DataFrame
        a row a ward × scenario × quantity: `ward_code`, `scenario`, `quantity`, `unit`, `q05`, `q25`, `q50`, `q75`,
        `q95`, `mean` (null where it is not a finite number), `overloaded` (share of draws with utilisation 1 or more;
        null for the other quantities) and `text` ("grows without end" where the median wait does, "no limit" where
        nobody writes).

    Raises
    ------
    ValueError
        for less than one draw or five weeks, `keep_draws` without `folder`, or wards without a code.
    """
    if weeks < 5:
        raise ValueError(f"weeks must be 5 or more, since the backlog of week 4 stands beside the last: {weeks!r}")
    if keep_draws and folder is None:
        raise ValueError("keep_draws writes Parquet: give the folder")
    if isinstance(wards, int):
        wards = pl.DataFrame({"ward_code": [f"ward {i}" for i in range(1, wards + 1)]})
    if "ward_code" not in wards.columns:
        raise ValueError("wards must have a column ward_code")
    codes = wards["ward_code"].to_list()
    residents = wards["residents"].to_list() if "residents" in wards.columns else [None] * len(codes)
    source = Draws(assumptions, draws, seed)
    boxes = [assumptions.under(s).mailbox(working=working) for s in assumptions.scenarios]
    quantities = quantities_of(boxes[0], weeks)
    tables = {(box, n) for s, box in zip(assumptions.scenarios, boxes) for n in _staff(assumptions, s)}
    if keep_draws:
        folder.mkdir(parents=True, exist_ok=True)

    def one_ward(number: int) -> np.ndarray:
        values, rows, kept = source.ward(number), [], []
        known: dict = {}
        for scenario, box in zip(assumptions.scenarios, boxes):
            v, load = source.week(values, scenario, residents[number - 1])
            # Lists that differ only in size share their curves; the work of checks or answers grows with the list.
            alone = scenario.verified or np.any(v["minutes_per_survey_answer"])
            like = (box, scenario.overrides, scenario.scenario if alone else "")
            if like not in known:
                known[like] = source.curves(v, load, box, weeks)
            found = outcomes_of(v, load, known[like], weeks)
            rows.append([summarise(x) for x in found])
            if keep_draws:
                kept.append(_every_draw(codes[number - 1], scenario.scenario, dict(zip(quantities, found))))
        if keep_draws:
            pl.concat(kept).write_parquet(folder / f"{codes[number - 1]}.parquet")
        return np.array(rows)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(lambda at: surface(at[0], weeks, at[1]), sorted(tables, key=repr)))  # once each, before the wards
        table = np.array(list(pool.map(one_ward, range(1, len(codes) + 1))))
    return _frame(table, codes, [s.scenario for s in assumptions.scenarios], quantities)


def _staff(assumptions: Assumptions, scenario: Scenario) -> list[int]:
    staff = assumptions.under(scenario)["staff_per_ward"]
    return [int(x) for x in (staff.parameters if staff.is_fixed else (value for value, _ in staff.parameters))]


def _every_draw(code: str, scenario: str, found: Mapping[str, np.ndarray]) -> pl.DataFrame:
    frame = pl.DataFrame({name: np.where(np.isfinite(x), x, np.nan) for name, x in found.items()})
    made = [pl.lit(code).alias("ward_code"), pl.lit(scenario).alias("scenario"), pl.int_range(pl.len()).alias("draw")]
    return frame.select(*made, pl.all().fill_nan(None))


def _frame(table: np.ndarray, codes: list[str], scenarios: list[str], quantities: Mapping[str, str]) -> pl.DataFrame:
    """(wards, scenarios, quantities, summaries) as a tidy frame without an infinite number."""
    names = list(quantities)
    index = np.indices(table.shape[:3]).reshape(3, -1)
    finite = np.where(np.isfinite(table), table, np.nan).reshape(index.shape[1], -1)
    columns = [*(f"q{round(100 * q):02d}" for q in LEVELS_OF), "mean", "overloaded"]
    frame = pl.DataFrame(
        {
            "ward_code": np.array(codes, dtype=object)[index[0]].tolist(),
            "scenario": np.array(scenarios, dtype=object)[index[1]].tolist(),
            "quantity": np.array(names, dtype=object)[index[2]].tolist(),
        }
        | dict(zip(columns, finite.T))
    ).with_columns(pl.col(columns).fill_nan(None))
    quantity, grows = pl.col("quantity"), pl.col("quantity").is_in(["wait_hours", "utilisation"])
    return frame.select(
        "ward_code",
        "scenario",
        "quantity",
        quantity.replace_strict(dict(quantities), return_dtype=pl.String).alias("unit"),
        *columns[:-1],
        pl.when(quantity == "utilisation").then("overloaded").alias("overloaded"),
        pl.when(grows & pl.col("q50").is_null())
        .then(pl.lit(GROWS))
        .when(grows & pl.col("q95").is_null())
        .then(pl.lit(f"{GROWS} in the heavier draws"))
        .when((quantity == "saturation_per_officer") & pl.col("q50").is_null())
        .then(pl.lit("no limit"))
        .alias("text"),
    )


def interpolation_error(
    assumptions: Assumptions,
    *,
    points: int = 120,
    weeks: int = 52,
    seed: int = SEED,
    runs: int = 40,
    working: bool = False,
) -> pl.DataFrame:
    """What reading answers off a table costs: the table against event simulations of their own, at points from the priors.

    Most draws carry little load, where any interpolation is good: so the same points are also loaded to 0.2-2.

    Returns
    -------
    polars.DataFrame
        `points` ("as drawn", "loaded"), `quantity`, `unit`, `mean_error` (signed), `mean_absolute_error`,
        `largest_error`,
        `standard_error` (of one reference simulation: what the errors hold that is not interpolation's).
    """
    mailbox, source = assumptions.mailbox(working=working), Draws(assumptions, points, seed)
    v, load = source.week(source.ward(1), assumptions.scenarios[0])
    curves = source.curves(v, load, mailbox, weeks)
    random = np.random.default_rng([seed, 1])
    names = [f"share_{h:g}h" for h in mailbox.deadlines] + [f"ceiling_{h:g}h" for h in mailbox.deadlines]
    names += ["backlog_4_weeks", f"backlog_{weeks}_weeks"]
    rows = []
    for kind, rho in (
        ("as drawn", load["utilisation"]),
        ("loaded", np.exp(random.uniform(np.log(0.2), np.log(2), points))),
    ):
        shares, waiting = curves.at(rho)
        # Backlogs in weeks of capacity: in messages, one long message would outweigh the rest.
        read = np.concatenate([shares, curves.ceilings, waiting * curves.length[:, None]], axis=1)
        truth, spread = np.full(read.shape, np.nan), []
        for i in range(points):
            minutes = 60 * load["reading_hours"][i]
            mail = rho[i] * minutes / load["minutes"][i]
            if not np.isfinite(mail) or mail * weeks < 1:
                continue
            found = run_mailbox(
                random,
                mailbox,
                runs=int(np.clip(runs * 50 / mail, 10, 20 * runs)),
                weeks=weeks,
                staff=int(np.broadcast_to(v["staff_per_ward"], points)[i]),
                presence=float(np.broadcast_to(v["availability"] * (1 - v["abstraction"]), points)[i]),
                minutes=minutes,
                messages_per_week=mail,
                minutes_per_message=load["minutes"][i],
                burst_share=load["burst"][i],
                bulletins_per_week=float(np.broadcast_to(v["messages_per_week"], points)[i]),
                backlog_weeks=(4, weeks),
            )
            truth[i] = [*found.shares, *found.ceilings, *(b * curves.length[i] for b in found.backlogs)]
            by_run = found.by_run[np.isfinite(found.by_run[:, 0]), 0]
            spread.append(by_run.std() / math.sqrt(max(len(by_run), 1)))
        error = (read - truth)[np.isfinite(truth[:, 0])]
        for k, name in enumerate(names):
            rows.append(
                {
                    "points": kind,
                    "quantity": name,
                    "unit": "weeks of capacity" if name.startswith("backlog") else "share of messages",
                    "mean_error": float(error[:, k].mean()),
                    "mean_absolute_error": float(np.abs(error[:, k]).mean()),
                    "largest_error": float(np.abs(error[:, k]).max()),
                    "standard_error": float(np.mean(spread)) if k == 0 else None,
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)
