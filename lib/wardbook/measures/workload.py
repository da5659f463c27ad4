"""How many subscribers can a ward's officers serve? What the load model answers, and what would have to be true.

No police force has published how much mail its subscribers write, so the answer is a distribution over stated
assumptions, and the useful output is what would have to be true (`break_even_contours`, `needed_values`), not one
number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from wardbook.measures.growth import (
    bass_peak,
    bass_share,
    fit_growth,
    fizzle_thresholds,
    observed_points,
    place_on_curve,
    subscriber_path,
)
from wardbook.measures.load_model import (
    LEVELS_OF,
    SEED,
    SUBSCRIBER_PRIORS,
    Assumption,
    AssumptionError,
    Assumptions,
    Draws,
    Scenario,
    interpolation_error,
    outcomes_of,
    own_scenario,
    quantities_of,
    simulate,
    summarise,
    weekly_load,
)
from wardbook.measures.queueing import Wait, answered_within, erlang_c, pooling_gap, run_mailbox, waiting_time
from wardbook.places import LONDON_CODE, boroughs

__all__ = [
    "Assumption",
    "AssumptionError",
    "Assumptions",
    "Scenario",
    "Wait",
    "answered_within",
    "area_wards",
    "bass_peak",
    "bass_share",
    "borough_wards",
    "break_even_contours",
    "break_even_points",
    "compare_levels",
    "compare_mailboxes",
    "compare_readings",
    "compare_scenarios",
    "erlang_c",
    "fit_growth",
    "fizzle_thresholds",
    "flip_values",
    "interpolation_error",
    "list_over_years",
    "needed_values",
    "observed_points",
    "own_scenario",
    "place_ealing",
    "place_on_curve",
    "pooling_gap",
    "prior_ends",
    "saturation_subscribers",
    "sensitivity",
    "simulate",
    "sobol_indices",
    "subscriber_path",
    "typical_ward",
    "waiting_time",
    "weekly_load",
]


def _quantile_row(x: np.ndarray) -> dict:
    values = summarise(np.asarray(x, dtype=float))[:5]
    return {f"q{round(100 * q):02d}": float(y) if math.isfinite(y) else None for q, y in zip(LEVELS_OF, values)}


def saturation_subscribers(assumptions: Assumptions, *, draws: int = 10_000, seed: int = SEED) -> pl.DataFrame:
    """How many subscribers fill the reading hours of a ward, and of one of its officers, under each scenario.

    Returns
    -------
    polars.DataFrame
        a row a scenario × `per` ("ward", "officer"): `scenario`, `per`, `q05`, `q25`, `q50`, `q75`, `q95`
        (subscribers; null where nobody writes, so that no list is too long).
    """
    source = Draws(assumptions, draws, seed)
    values, rows = source.ward(1), []
    for scenario in assumptions.scenarios:
        v, load = source.week(values, scenario)
        for per, x in (("ward", load["saturation"]), ("officer", load["saturation"] / v["staff_per_ward"])):
            rows.append({"scenario": scenario.scenario, "per": per, **_quantile_row(x)})
    return pl.DataFrame(rows, infer_schema_length=None)


def compare_readings(
    assumptions: Assumptions,
    *,
    draws: int = 10_000,
    weeks: int = 52,
    seed: int = SEED,
    scenario: str = "open",
    working: bool = False,
) -> pl.DataFrame:
    """The answer under each way to read what the evidence leaves open, on the same draws.

    Whether outbound work shortens all present hours alike, or is paid for out of the reading hours alone, moves the
    answer more than any prior. The evidence's six minutes a message (1.5 to 24) can be the spread of single messages
    about a mean, as here, or of the mean itself.

    Returns
    -------
    polars.DataFrame
        a row a reading × quantity: `reading`, `label`, `quantity` (of `simulate`, and `saturation`, subscribers of a ward
        at utilisation 1), `q05` … `q95` (null where not finite), `overloaded` (share of draws with utilisation 1 or more),
        `no_hours` (share of draws in which outbound work leaves no hour to read in).
    """
    minutes = replace(assumptions["minutes_per_message"], parameters=(6.0,), low=1.5, high=24.0)
    wider = replace(assumptions, inputs=tuple(minutes if a.name == minutes.name else a for a in assumptions.inputs))
    readings = (
        ("shared", "outbound work shortens all present hours alike", assumptions.override(outbound_from_reading=0)),
        (
            "from reading",
            "outbound work is paid out of reading hours alone",
            assumptions.override(outbound_from_reading=1),
        ),
        ("wider minutes", "as the first, minutes a message 6 (1.5 to 24)", wider.override(outbound_from_reading=0)),
    )
    rows = []
    for reading, label, under in readings:
        source, chosen = Draws(under, draws, seed), under.scenario(scenario)
        mailbox = under.under(chosen).mailbox(working=working)
        v, load = source.week(source.ward(1), chosen)
        found = dict(
            zip(quantities_of(mailbox, weeks), outcomes_of(v, load, source.curves(v, load, mailbox, weeks), weeks))
        )
        made = {"reading": reading, "label": label}
        odds = {"overloaded": float((load["utilisation"] >= 1).mean())}
        odds["no_hours"] = float((load["reading_hours"] <= 0).mean())
        for quantity, x in (found | {"saturation": load["saturation"]}).items():
            rows.append(made | {"quantity": quantity, **_quantile_row(x)} | odds)
    return pl.DataFrame(rows, infer_schema_length=None)


def prior_ends(
    assumptions: Assumptions, *, draws: int = 10_000, seed: int = SEED, scenario: str = "open"
) -> pl.DataFrame:
    """How far each prior alone moves the odds of overload: set at either end of its 90%, the others as drawn.

    Returns
    -------
    polars.DataFrame
        a row an uncertain input, the furthest first: `input`, `label`, `low`, `high` (its 5% and 95%), `overloaded_low`,
        `overloaded_high` (share of draws), `overloaded` (the worse of the two).
    """
    source, chosen = Draws(assumptions, draws, seed), assumptions.scenario(scenario)
    values, size, rows = source.ward(1), SUBSCRIBER_PRIORS.get(chosen.subscribers_from), []
    for a in assumptions.inputs:
        if a.is_fixed or (a.name in SUBSCRIBER_PRIORS.values() and a.name != size):
            continue
        found = []
        for x in map(float, a.quantile(np.array([0.05, 0.95]))):
            set_to = replace(chosen, subscribers_from="exactly", subscribers=x) if a.name == size else chosen
            load = source.week(values if a.name == size else values | {a.name: x}, set_to)[1]
            found += [x, float((load["utilisation"] >= 1).mean())]
        rows.append(
            {"input": a.name, "label": a.label, "low": found[0], "high": found[2]}
            | {"overloaded_low": found[1], "overloaded_high": found[3], "overloaded": max(found[1], found[3])}
        )
    return pl.DataFrame(rows).sort("overloaded", "input", descending=[True, False])


def compare_scenarios(
    assumptions: Assumptions, *, draws: int = 10_000, weeks: int = 52, seed: int = SEED, working: bool = False
) -> pl.DataFrame:
    """Each scenario against the first, draw by draw: common inputs cancel, which is why these bands are the narrow ones.

    Returns
    -------
    polars.DataFrame
        a row a scenario × measure: `scenario`, `against`, `measure` ("ratio" or "difference"), `quantity`, `unit`,
        `q05` … `q95`.
    """
    source, mailbox = Draws(assumptions, draws, seed), assumptions.mailbox(working=working)
    values, names, rows = source.ward(1), list(quantities_of(mailbox, weeks)), []
    found = []
    for scenario in assumptions.scenarios:
        v, load = source.week(values, scenario)
        box = assumptions.under(scenario).mailbox(working=working)
        found.append(dict(zip(names, outcomes_of(v, load, source.curves(v, load, box, weeks), weeks))))
    base, first = found[0], assumptions.scenarios[0].scenario
    for scenario, mine in zip(assumptions.scenarios[1:], found[1:]):
        made = {"scenario": scenario.scenario, "against": first}
        for name in ("subscribers", "inbound_hours", "outbound_hours", "utilisation"):
            both = (base[name] > 0) & np.isfinite(base[name]) & np.isfinite(mine[name])
            if both.any():
                ratio = _quantile_row(mine[name][both] / base[name][both])
                rows.append(made | {"measure": "ratio", "quantity": name, "unit": "times", **ratio})
        for name, unit in (("inbound_hours", "hours a week"), ("outbound_hours", "hours a week")):
            rows.append(
                made
                | {"measure": "difference", "quantity": name, "unit": unit, **_quantile_row(mine[name] - base[name])}
            )
        for name in (n for n in names if n.startswith("share_")):
            change = 100 * (mine[name] - base[name])
            rows.append(
                made | {"measure": "difference", "quantity": name, "unit": "percentage points", **_quantile_row(change)}
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def flip_values(assumptions: Assumptions, *, draws: int = 10_000, seed: int = SEED) -> pl.DataFrame:
    """What it would take for verification to change the answer, and the inputs that can never do it.

    No effect of verification has been published, so these are thresholds, not effects. An input that both lists share
    cancels in their ratio: whatever its value, the ranking stays.

    Returns
    -------
    polars.DataFrame
        `scenario`, `against`, `input`, `label`, `unit`, `flips` (bool), `q05` … `q95` of the value, `text` ("never
        flips", or what happens there).
    """
    source = Draws(assumptions, draws, seed)
    base = assumptions.scenarios[0]
    v, load = source.week(source.ward(1), base)
    unverified = np.broadcast_to(v["unverified_share"], draws)
    each = np.divide(load["messages"], load["subscribers"], out=np.zeros(draws), where=load["subscribers"] > 0)
    checks = v["messages_per_week"] * v["unsubscribe_per_message"]
    with np.errstate(divide="ignore", invalid="ignore"):
        thresholds = (
            ("reply ratio", "how much oftener verified members write than now", "times", 1 / (1 - unverified),
             "above it a verified list brings as much mail as an open one"),
            ("unverified_reply_ratio", "how much oftener unverified members must write than verified ones", "times",
             (1 - unverified) / unverified, "below it verification cannot halve the mail"),
            ("minutes_per_check", "minutes of checking a new member, for a list that keeps its size", "minutes",
             np.where(checks > 0, unverified * each * load["minutes"] / checks, np.inf),
             "above it checking takes more officer time than it saves"),
        )  # fmt: skip
    rows = []
    for scenario in assumptions.scenarios[1:]:
        made = {"scenario": scenario.scenario, "against": base.scenario}
        differs = {name for name, _ in scenario.overrides}
        if scenario.verified:
            for name, label, unit, x, text in thresholds:
                rows.append(
                    made
                    | {"input": name, "label": label, "unit": unit, "flips": True, **_quantile_row(x), "text": text}
                )
            differs |= {"unverified_reply_ratio", "minutes_per_check", "unverified_share"}
        if (scenario.subscribers_from, scenario.subscribers) != (base.subscribers_from, base.subscribers):
            text = "above it the open list brings more mail than the other, all else equal"
            size = source.week(source.ward(1), scenario)[1]["subscribers"]
            rows.append(
                made | {"input": "subscribers", "label": "subscribers of the open list", "unit": "people", "flips": True}
                | {**_quantile_row(size), "text": text}
            )  # fmt: skip
        for a in assumptions.inputs:
            if not a.is_fixed and a.name not in differs and a.name not in _NO_PART:
                rows.append(
                    made | {"input": a.name, "label": a.label, "unit": a.unit, "flips": False, "text": "never flips"}
                )
    return pl.DataFrame(rows, infer_schema_length=None)


# Inputs of the lists' size and of the time they take to grow: they are the scenario, or no part of a week.
_NO_PART = ("subscribers_mature", "subscribers_first_year", "subscriber_spread", "half_time")


def compare_levels(
    assumptions: Assumptions, *, wards: int = 680, draws: int = 2_000, seed: int = SEED, scenario: str = "open"
) -> pl.DataFrame:
    """How many of London's wards are overloaded, with what is unknown declared one value for London, or one for each ward.

    Habits nobody has measured, if all wards share them, make overload everywhere or nowhere; if each ward has its
    own, it is always somewhere. Each ward's own odds are the same in the first two rows, which differ in the
    declaration alone; in the third London's lists are also uncertain together, and wards spread about them. Staff
    stay each ward's own.

    Returns
    -------
    polars.DataFrame
        a row a declaration: `level`, `declared` (in words), `wards`, `mean`, `q05`, `q25`, `q50`, `q75`, `q95`
        (shares of wards overloaded), `none_overloaded` (share of draws in which no ward is).
    """
    sizes = tuple(SUBSCRIBER_PRIORS.values())
    declarations = (
        ("ward", "every input one value a ward", ()),
        ("london", "every input but staff and list sizes one value for London", ("staff_per_ward", *sizes)),
        ("london", "every input but staff one value for London, wards' lists spread about it", ("staff_per_ward",)),
    )
    rows = []
    for level, words, own in declarations:
        declared = assumptions.declare(level)
        declared = declared.declare("ward", *own) if own else declared
        source, counts = Draws(declared, draws, seed), np.zeros(draws)
        for number in range(1, wards + 1):
            counts += source.week(source.ward(number), declared.scenario(scenario))[1]["utilisation"] >= 1
        made = {"level": level, "declared": words, "wards": wards, "mean": float(counts.mean() / wards)}
        rows.append(made | _quantile_row(counts / wards) | {"none_overloaded": float((counts == 0).mean())})
    return pl.DataFrame(rows)


def compare_mailboxes(
    assumptions: Assumptions,
    *,
    wards: int = 20,
    draws: int = 200,
    weeks: int = 52,
    seed: int = SEED,
    scenario: str = "open",
    working: bool = False,
) -> pl.DataFrame:
    """One mailbox a ward against one for the borough: the same mail and officers, event by event.

    Returns
    -------
    polars.DataFrame
        a row an arrangement × quantity: `arrangement`, `quantity` (shares answered in time, `utilisation`,
        `wards_overloaded`), `q05` … `q95`,
        `mean`. Of the wards' own mailboxes the share is over all the borough's mail.
    """
    chosen = assumptions.scenario(scenario)
    source, mailbox = Draws(assumptions, draws, seed), assumptions.under(chosen).mailbox(working=working)
    weeks_of = [source.week(source.ward(i), chosen) for i in range(1, wards + 1)]
    mail = np.array([load["messages"] for _, load in weeks_of])
    own = np.array([source.curves(v, load, mailbox, weeks).at(load["utilisation"])[0] for v, load in weeks_of])
    with np.errstate(invalid="ignore"):
        separate = (own * mail[:, :, None]).sum(axis=0) / mail.sum(axis=0)[:, None]
    reading = np.array([load["reading_hours"] for _, load in weeks_of]).sum(axis=0)
    staff = np.array([np.broadcast_to(v["staff_per_ward"], draws) for v, _ in weeks_of]).sum(axis=0)
    together, random = np.empty(separate.shape), np.random.default_rng([seed, 2])
    minutes = np.array([load["inbound_hours"] * 60 for _, load in weeks_of]).sum(axis=0) / np.maximum(
        mail.sum(axis=0), 1e-9
    )
    bursts = np.array([load["burst"] * load["messages"] for _, load in weeks_of]).sum(axis=0)
    sent = np.array([np.broadcast_to(v["messages_per_week"], draws) for v, _ in weeks_of]).mean(axis=0)
    v = weeks_of[0][0]
    presence = np.broadcast_to(v["availability"] * (1 - v["abstraction"]), draws)
    for i in range(draws):
        total = mail[:, i].sum()
        together[i] = run_mailbox(
            random,
            mailbox,
            runs=2,
            weeks=weeks,
            staff=int(staff[i]),
            presence=float(presence[i]),
            minutes=60 * reading[i],
            messages_per_week=total,
            minutes_per_message=minutes[i],
            burst_share=float(np.clip(bursts[i] / max(total, 1e-9), 0, 1)),
            bulletins_per_week=sent[i],
        ).shares
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = mail.sum(axis=0) * minutes / 60 / reading
    each = np.array([load["utilisation"] for _, load in weeks_of])
    rows = []
    for name, shares, loads in (("a mailbox a ward", separate, each), ("one for the borough", together, pooled[None])):
        quantities = {f"share_{h:g}h": shares[:, k] for k, h in enumerate(mailbox.deadlines)}
        quantities |= {"utilisation": np.median(loads, axis=0), "mailboxes_overloaded": (loads >= 1).mean(axis=0)}
        for quantity, x in quantities.items():
            rows.append({"arrangement": name, "quantity": quantity, **_quantile_row(x), "mean": float(x.mean())})
    return pl.DataFrame(rows, infer_schema_length=None)


# Met Engage's launch in all of London, and the two board meetings in Ealing at which its count may have been reported.
_LAUNCH = date(2025, 6, 23)
_EALING = (date(2025, 7, 8), date(2025, 10, 14))


def place_ealing(assumptions: Assumptions, evidence: pl.DataFrame) -> pl.DataFrame:
    """Ealing's published sign-ups on the curve the priors draw, at both dates they may have been counted (`place_on_curve`)."""
    row = evidence.filter(pl.col("place") == "Ealing").row(0, named=True)
    size, months = assumptions["subscribers_mature"], assumptions["half_time"]
    wards = row["figure"] / row["per_ward"]
    placed = place_on_curve(
        row["figure"],
        [(day - _LAUNCH).days for day in _EALING],
        final=tuple(wards * x for x in (size.parameters[0], size.low, size.high)),
        half_time=tuple(x / 12 for x in (months.parameters[0], months.low, months.high)),
    )
    return placed.with_columns(pl.Series("date", _EALING)).select("date", pl.exclude("date"))


def list_over_years(
    assumptions: Assumptions, saturation: pl.DataFrame, *, years: float = 15.0, **churn: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """An open list at the priors' medians, week by week with rejoining on and off, and what "fizzles out" would take.

    Parameters
    ----------
    saturation : `saturation_subscribers`; the median of a ward is what its officers can answer.
    churn : `churn_unanswered` and `churn_silence` of `subscriber_path`.

    Returns
    -------
    tuple of polars.DataFrame
        `subscriber_path` with a column `rejoining` ("on", "off"); `fizzle_thresholds`.
    """
    sent = float(assumptions["messages_per_week"].quantile(np.array([0.5]))[0])
    full = saturation.filter(per="ward")["q50"][0]
    shared = {
        "final": float(assumptions["subscribers_mature"].quantile(np.array([0.5]))[0]),
        "half_time": float(assumptions["half_time"].quantile(np.array([0.5]))[0]) / 12,
        "unsubscribe_per_message": float(assumptions["unsubscribe_per_message"].quantile(np.array([0.5]))[0]),
        "capacity": math.inf if full is None else full,
        "years": years,
    }
    paths = [
        subscriber_path(**shared, messages_per_week=sent, rejoining=on, **churn).with_columns(
            pl.lit("on" if on else "off").alias("rejoining")
        )
        for on in (True, False)
    ]
    answered = {"churn_unanswered": churn.get("churn_unanswered", 0.0)}
    return pl.concat(paths), fizzle_thresholds(**shared, messages_per_week=(sent, 0.0), **answered)


# -- the wards of an area ----------------------------------------------------------------------------------------------


def area_wards(wards: pl.DataFrame, population: pl.DataFrame, code: str) -> pl.DataFrame:
    """An area's wards of 2024 with their residents: `ward_code`, `ward`, `borough_code`, `residents`, by code."""
    residents = population.group_by("ward_code").agg(pl.col("residents").sum().cast(pl.Int64))
    found = wards.filter(pl.col("vintages").str.contains("2024"))
    # The City of London's wards are another force's.
    met = boroughs()["borough_code"].to_list()
    found = found.filter(pl.col("borough_code").is_in(met if code == LONDON_CODE else [code]))
    table = found.select("ward_code", "ward", "borough_code").join(residents, on="ward_code", how="left")
    if table.is_empty() or table["residents"].has_nulls():
        raise ValueError(f"no wards of 2024 with residents for {code}")
    return table.sort("ward_code")


def typical_ward(wards: pl.DataFrame) -> pl.DataFrame:
    """One ward of the area's average size, for `simulate`."""
    return pl.DataFrame({"ward_code": ["typical ward"], "residents": [wards["residents"].mean()]})


def borough_wards(wards: pl.DataFrame) -> int:
    """How many wards share one mailbox if a borough has one: the area's, or for London a borough's on average."""
    return round(wards.height / wards["borough_code"].n_unique())


# -- break-even ----------------------------------------------------------------------------------------------------------


def break_even_contours(
    assumptions: Assumptions,
    *,
    officers: Sequence[int] = (1, 2, 3, 4),
    messages: Sequence[float] | None = None,
    draws: int = 10_000,
    seed: int = SEED,
) -> pl.DataFrame:
    """Minutes a message at which a ward's reading hours are just filled, by messages a week and officers.

    Above a contour the mail is more than those officers can read; the prior says nothing about where a ward lies,
    only how many hours an officer has.

    Returns
    -------
    polars.DataFrame
        `officers`, `messages_per_week`, `minutes`, `minutes_low`, `minutes_high` (median and 90 % of the prior of
        hours), `reading_hours` (median a week).
    """
    messages = np.geomspace(0.05, 1000, 86) if messages is None else np.asarray(messages, dtype=float)
    rows = []
    for number in officers:
        source = Draws(assumptions.override(staff_per_ward=number), draws, seed)
        hours = source.week(source.ward(1), assumptions.scenarios[0])[1]["reading_hours"]
        low, _, middle, _, high = summarise(hours)[:5]
        for m in messages:
            at = {"minutes": 60 * middle / m, "minutes_low": 60 * low / m, "minutes_high": 60 * high / m}
            rows.append({"officers": number, "messages_per_week": float(m), **at, "reading_hours": middle})
    return pl.DataFrame(rows)


def break_even_points(
    assumptions: Assumptions, evidence: pl.DataFrame, *, draws: int = 10_000, seed: int = SEED
) -> pl.DataFrame:
    """Where each published subscriber count would lie on the break-even chart, with the prior's 90 % bar.

    The count is published (or derived, as `per_ward_how` says); how much its subscribers write is the prior's, which
    nobody has.

    Parameters
    ----------
    evidence : `reference.load_evidence("subscriber")`; rows without `per_ward` are left out.

    Returns
    -------
    polars.DataFrame
        `place`, `what`, `date`, `subscribers`, `per_ward_how`, `messages`, `messages_low`, `messages_high` (a ward
        and week), `minutes`, `minutes_low`, `minutes_high` (a message), `overloaded` (share of draws), `publication`,
        `quality`.
    """
    rows = []
    for row in evidence.filter(pl.col("per_ward").is_not_null()).iter_rows(named=True):
        source = Draws(assumptions, draws, seed)
        exactly = Scenario("point", row["place"], "exactly", row["per_ward"])
        load = source.week(source.ward(1), exactly)[1]
        mail, minutes = summarise(load["messages"])[[2, 0, 4]], summarise(load["minutes"])[[2, 0, 4]]
        rows.append(
            {"place": row["place"], "what": row["what"], "date": row["date"], "subscribers": float(row["per_ward"])}
            | {"per_ward_how": row["per_ward_how"]}
            | dict(zip(("messages", "messages_low", "messages_high"), mail.tolist()))
            | dict(zip(("minutes", "minutes_low", "minutes_high"), minutes.tolist()))
            | {"overloaded": float((load["utilisation"] >= 1).mean())}
            | {"publication": row["publication"], "quality": row["quality"]}
        )
    return pl.DataFrame(rows)


# name → does load rise with it
_NEEDED = {
    "subscribers": True,
    "reply_share": True,
    "unprompted_share": True,
    "messages_per_week": True,
    "minutes_per_message": True,
    "chase_multiplier": True,
    "usable_share": False,
    "availability": False,
    "staff_per_ward": False,
}


def needed_values(
    assumptions: Assumptions, *, scenario: str = "open", draws: int = 4_000, seed: int = SEED
) -> pl.DataFrame:
    """ "The claim holds only if …": the value of each input, alone, at which overload has even odds, the others as their priors.

    Returns
    -------
    polars.DataFrame
        `input`, `label`, `unit`, `now` (prior median), `needed` (null where no value in its range does), `times`
        (needed over now), `beyond` (prior probability of that or worse), `text` ("holds only at or above", "… at or
        below", "no value in its range does"). The first row, `all load together`, is how many times the whole load
        would have to grow.
    """
    source, chosen = Draws(assumptions, draws, seed), assumptions.scenario(scenario)
    values = source.ward(1)
    load = source.week(values, chosen)[1]
    middle = float(summarise(load["utilisation"])[2])
    times = 1 / middle if middle > 0 else None
    whole = {
        "input": "load",
        "label": "all load together",
        "unit": "times",
        "now": 1.0,
        "needed": times,
        "times": times,
    }
    rows = [whole | {"beyond": float((load["utilisation"] >= 1).mean()), "text": "holds only at or above"}]

    def odds(name: str, x: float) -> float:
        if name == "subscribers":
            found = source.week(values, replace(chosen, subscribers_from="exactly", subscribers=x))[1]
        else:
            found = source.week(values | {name: x}, chosen)[1]
        return float((found["utilisation"] >= 1).mean())

    for name, rising in _NEEDED.items():
        a = assumptions["subscribers_mature" if name == "subscribers" else name]
        now = (
            float(summarise(load["subscribers"])[2]) if name == "subscribers" else float(a.quantile(np.array([0.5]))[0])
        )
        low, high = math.log(max(a.minimum, 1e-6)), math.log(a.maximum)
        needed = None
        if odds(name, a.maximum if rising else max(a.minimum, 1e-6)) >= 0.5:
            for _ in range(40):
                mid = (low + high) / 2
                if (odds(name, math.exp(mid)) >= 0.5) == rising:
                    high = mid
                else:
                    low = mid
            needed = math.exp((low + high) / 2)
        prior = load["subscribers"] if name == "subscribers" else np.atleast_1d(values[name])
        beyond = None if needed is None else float((prior >= needed).mean() if rising else (prior <= needed).mean())
        text = f"holds only at or {'above' if rising else 'below'}" if needed else "no value in its range does"
        rows.append(
            {"input": name, "label": "subscribers per ward" if name == "subscribers" else a.label, "unit": a.unit, "now": now}
            | {"needed": needed, "times": needed / now if needed and now else None, "beyond": beyond, "text": text}
        )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


# -- sensitivity ---------------------------------------------------------------------------------------------------------


def sobol_indices(
    names: Sequence[str], outcome: Callable[[np.ndarray], Mapping[str, np.ndarray]], *, n: int, seed: int
) -> pl.DataFrame:
    """Sobol indices of functions on the unit cube, by SALib, with 95 % bootstrap intervals and ranks that admit ties.

    Parameters
    ----------
    outcome : (rows, names) uniforms → name of outcome → (rows,).
    n : base sample, a power of 2; the function sees n × (names + 2) rows.

    Returns
    -------
    polars.DataFrame
        a row an outcome × input, by rank: `outcome`, `input`, `first`, `first_low`, `first_high`, `total`,
        `total_low`, `total_high`, `rank` (1 + inputs whose total effect is clearly larger), `tied` (inputs whose
        interval overlaps this one's). Indices are null where the outcome never varies.

    References
    ----------
    Saltelli and others (2010), Computer Physics Communications 181, 259-270; Jansen's total effect.
    """
    if n < 8 or n & (n - 1):
        raise ValueError(f"n must be a power of 2, 8 or more: {n!r}")
    from SALib.analyze import sobol as analyse
    from SALib.sample import sobol as sample

    problem = {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}
    cube = sample.sample(problem, n, calc_second_order=False, seed=seed)
    # An input at exactly 0 or 1 is infinite for a lognormal.
    found, frames = outcome(np.clip(cube, 1e-9, 1 - 1e-9)), []
    for name, y in found.items():
        if np.ptp(y) == 0:
            blank = dict.fromkeys(("first", "first_low", "first_high", "total", "total_low", "total_high"))
            frames += [{"outcome": name, "input": i, **blank, "rank": 1, "tied": len(names) - 1} for i in names]
            continue
        index = analyse.analyze(problem, np.asarray(y, dtype=float), calc_second_order=False, seed=seed)
        low, high = index["ST"] - index["ST_conf"], index["ST"] + index["ST_conf"]
        rows = []
        for k, i in enumerate(names):
            first, first_wide = float(index["S1"][k]), float(index["S1_conf"][k])
            rows.append(
                {"outcome": name, "input": i, "first": first, "first_low": first - first_wide}
                | {"first_high": first + first_wide, "total": float(index["ST"][k]), "total_low": float(low[k])}
                | {"total_high": float(high[k]), "rank": int((low > high[k]).sum()) + 1}
                | {"tied": int(((low <= high[k]) & (high >= low[k])).sum()) - 1}
            )
        frames += sorted(rows, key=lambda r: -r["total"])
    return pl.DataFrame(frames, infer_schema_length=None)


def sensitivity(
    assumptions: Assumptions,
    *,
    n: int = 1024,
    seed: int = SEED,
    scenario: str = "open",
    weeks: int = 52,
    working: bool = False,
) -> pl.DataFrame:
    """Which unknown decides it: Sobol indices on ln utilisation, on overload, and on the share answered within 72 hours.

    On utilisation itself the indices do not converge (a lognormal's tail); its logarithm is nearly a sum. They describe
    these priors, not the world: a narrow prior that is wrong has a small index.

    Returns
    -------
    polars.DataFrame
        as `sobol_indices`, with `label`, `flag` and `level` of each input. Outcomes: "ln utilisation", "overloaded",
        "share_72h" (named by the first deadline).
    """
    chosen = assumptions.scenario(scenario)
    mailbox = assumptions.under(chosen).mailbox(working=working)
    unused = {"subscriber_spread", "half_time", "subscribers_first_year", "subscribers_mature"} - {
        SUBSCRIBER_PRIORS.get(chosen.subscribers_from, "subscriber_spread")
    }
    idle = (
        {"unverified_share"}
        if not chosen.verified and assumptions["unverified_reply_ratio"].parameters == (1,)
        else set()
    )
    idle |= set() if chosen.verified else {"unsubscribe_per_message", "minutes_per_check"}
    idle |= {"survey_response_share"} if assumptions["minutes_per_survey_answer"].parameters == (0,) else set()
    moving = [
        a
        for a in assumptions.inputs
        if not a.is_fixed and a.name not in unused | idle | {n for n, _ in chosen.overrides}
    ]

    def outcome(cube: np.ndarray) -> dict[str, np.ndarray]:
        # Half-way along each prior where an input is not moved: its median.
        source = Draws(assumptions, len(cube), seed)
        still = {a.name: a.quantile(np.full(len(cube), 0.5)) for a in assumptions.inputs if not a.is_fixed}
        values = {a.name: a.parameters[0] for a in assumptions.inputs if a.is_fixed} | still
        values |= {a.name: a.quantile(u) for a, u in zip(moving, cube.T)}
        if chosen.subscribers_from in SUBSCRIBER_PRIORS:
            name = SUBSCRIBER_PRIORS[chosen.subscribers_from]
            v = values | dict(chosen.overrides)
            load = weekly_load(v, np.broadcast_to(v[name], len(cube)), verified=chosen.verified)
            load = {k: np.broadcast_to(np.asarray(x, dtype=float), len(cube)) for k, x in load.items()}
        else:
            v, load = source.week(values | {"u": np.full(len(cube), 0.5)}, chosen)
        rho = load["utilisation"]
        share = source.curves(v, load, mailbox, weeks).at(rho)[0][:, 0]
        name = f"share_{mailbox.deadlines[0]:g}h"
        return {
            "ln utilisation": np.log(np.clip(rho, 1e-12, 1e12)),
            "overloaded": (rho >= 1).astype(float),
            name: np.where(np.isfinite(rho), share, 0.0),
        }

    table = sobol_indices([a.name for a in moving], outcome, n=n, seed=seed)
    about = pl.DataFrame([{"input": a.name, "label": a.label, "flag": a.flag, "level": a.level} for a in moving])
    return table.join(about, on="input", how="left", maintain_order="left")
