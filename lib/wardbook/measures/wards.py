"""Wards: rates smoothed for their small numbers, whether like wards lie together, and change only where it can be told."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import scipy

from wardbook.measures.rates import garwood
from wardbook.periods import Period, breaks_between
from wardbook.places import LONDON_CODE


def empirical_bayes(events, population) -> np.ndarray:
    """Rates drawn towards the rate of all areas, the more the smaller the area (Marshall 1991, Applied Statistics 40, 283).

    Rates per resident; the variance between areas is his moment estimate, and where that is negative 0: all areas get the
    common rate.
    """
    x, n, mean, between = _prior(events, population)
    weight = between / (between + mean / n) if mean > 0 else np.zeros_like(n)
    return mean + weight * (x / n - mean)


def _prior(events, population) -> tuple[np.ndarray, np.ndarray, float, float]:
    x, n = np.asarray(events, float), np.asarray(population, float)
    if np.any(n <= 0) or np.any(x < 0) or x.shape != n.shape:
        raise ValueError("every area needs a population above 0 and events of 0 or more")
    mean = x.sum() / n.sum()
    return x, n, mean, max(0.0, float((n * (x / n - mean) ** 2).sum() / n.sum() - mean / n.mean()))


def empirical_bayes_interval(events, population) -> tuple[np.ndarray, np.ndarray]:
    """Central 95 % intervals of the smoothed rates, from the gamma posterior whose mean is Marshall's estimate.

    A gamma prior of his mean and variance (Clayton & Kaldor 1987) has exactly that posterior mean. The prior is taken as
    known, so they are a little short; with no variance between areas they are Garwood's for the common rate.
    """
    x, n, mean, between = _prior(events, population)
    if between == 0:
        low, high = garwood(round(x.sum()))
        return np.full_like(n, low / n.sum()), np.full_like(n, high / n.sum())
    posterior = scipy.stats.gamma(x + mean**2 / between, scale=1 / (n + mean / between))
    return posterior.ppf(0.025), posterior.ppf(0.975)


def ward_years(ward_offences: pl.DataFrame, item: str, years: Sequence[Period]) -> pl.DataFrame:
    """One group's ward counts of these periods from the newest snapshot that holds them all in full: `ward_code`, `snapshot`
    and a column named by each period; no rows where no snapshot does.
    """
    needed = sorted({month for year in years for month in year.months})
    rows = ward_offences.filter(pl.col("offence_group") == item, pl.col("month").is_in(needed))
    held = rows.group_by("snapshot").agg(pl.col("month").n_unique().alias("months"))
    snapshot = held.filter(pl.col("months") == len(needed))["snapshot"].max()
    counted = rows.filter(pl.col("snapshot") == (snapshot or "")).group_by("ward_code", "snapshot")
    month = pl.col("month")
    sums = [pl.col("offences").filter(month.is_in(y.months)).sum().cast(pl.Int64).alias(str(y)) for y in years]
    return counted.agg(sums).sort("ward_code")


def ward_history(ward_offences: pl.DataFrame, item: str, period: Period, breaks: pl.DataFrame) -> pl.DataFrame:
    """One group's ward counts in this period and the same months of every earlier year held, without years that a break cuts.

    A period that a declared break of ward-level recording cuts is left out; those between two such breaks share a `spell`, and
    nothing is compared across spells.

    Parameters
    ----------
    breaks : `wardbook.periods.declared_breaks()`.

    Returns
    -------
    pl.DataFrame
        `ward_code`, `year` (the period as asked for), `last` (its last month), `spell`, `events`; no rows where none is held.
    """
    held = ward_offences.filter(offence_group=item)["month"]
    oldest = held.min() or date.max
    years = [year for year in map(period.earlier, range(60)) if year.first >= oldest]
    if not years:
        kinds = {"year": pl.String, "last": pl.Date, "spell": pl.Int64, "events": pl.Int64}
        return pl.DataFrame(schema={"ward_code": pl.String} | kinds)
    crossed = breaks_between(breaks.filter(effect="cuts"), "ward_offences", item, years[-1].first, period.last)
    cuts = crossed["from_month"].to_list()
    whole = [year for year in years if not any(year.first < cut <= year.last for cut in cuts)]
    spells = pl.DataFrame(
        [(str(year), year.last, sum(cut <= year.first for cut in cuts)) for year in whole],
        schema={"year": pl.String, "last": pl.Date, "spell": pl.Int64},
        orient="row",
    )
    counts = ward_years(ward_offences, item, whole).drop("snapshot")
    return (
        counts.unpivot(index="ward_code", variable_name="year", value_name="events")
        .join(spells, on="year")
        .sort("last", "ward_code")
    )


def ward_rates(counts: pl.DataFrame, wards: pl.DataFrame, population: pl.DataFrame) -> pl.DataFrame:
    """Every ward's raw and smoothed rate per 1,000 residents with its interval; all of London's wards are the region.

    One region for every borough: a borough's 15 to 28 wards are too few to learn from how wards differ.

    Parameters
    ----------
    counts : `ward_code`, `events`.
    wards : the edition's table; the wards of 2024 are used.
    population : the edition's table, summed over its groups.
    """
    residents = population.group_by("ward_code").agg(pl.col("residents").sum().cast(pl.Int64))
    places = wards.filter(pl.col("vintages").str.contains("2024")).drop("vintages")
    table = counts.join(places, on="ward_code").join(residents, on="ward_code").sort("ward_code")
    if table.height != counts.height:
        raise ValueError(f"{counts.height - table.height} wards have no residents or are no wards of 2024")
    x, n = table["events"].to_numpy(), table["residents"].to_numpy()
    low, high = empirical_bayes_interval(x, n) if len(x) else (x, x)
    made = {"raw_rate": x / n, "eb_rate": empirical_bayes(x, n) if len(x) else x, "eb_low": low, "eb_high": high}
    return table.with_columns(pl.Series(f"{name}_per_1000", 1000 * values) for name, values in made.items())


def in_area(table: pl.DataFrame, code: str) -> pl.DataFrame:
    """An area's wards (London: all), the highest smoothed rate first, each with its `rank` among them."""
    rows = table if code == LONDON_CODE else table.filter(borough_code=code)
    rows = rows.sort("eb_rate_per_1000", "ward_code", descending=[True, False])
    return rows.with_columns(pl.int_range(1, pl.len() + 1).cast(pl.Int64).alias("rank"))


@dataclass(frozen=True)
class Moran:
    """Moran's I, what it would be without clustering, and its one-sided pseudo p-value; `n` areas, `k` neighbours."""

    i: float
    expected: float
    p: float
    n: int
    k: int


def morans_i(values, eastings, northings, *, k: int = 5, permutations: int = 999, seed: int = 1) -> Moran | None:
    """Do neighbouring wards have like rates? Weights: the k nearest centroids, each ward's summing to 1.

    None where it cannot be told: fewer than k + 2 wards, or no difference between them.
    """
    values = np.asarray(values, float)
    if len(values) < k + 2 or np.ptp(values) < 1e-12 * max(1e-12, abs(values.mean())):
        return None
    with warnings.catch_warnings():
        # esda loads tqdm's notebook bar, which warns where ipywidgets are not installed: nothing here draws one.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from esda.moran import Moran as EsdaMoran
        from libpysal.weights import KNN

    weights = KNN.from_array(np.column_stack([eastings, northings]), k=k)
    before = np.random.get_state()  # noqa: NPY002 - esda permutes with the global state: it is set, then given back
    try:
        np.random.seed(seed)  # noqa: NPY002
        found = EsdaMoran(values, weights, permutations=permutations)
    finally:
        np.random.set_state(before)  # noqa: NPY002
    return Moran(float(found.I), float(found.EI), float(found.p_sim), len(values), k)
