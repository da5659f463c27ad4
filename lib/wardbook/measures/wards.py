"""Wards: rates smoothed for their small numbers, whether like wards lie together, and change only where it can be told."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from wardbook.measures.rates import garwood
from wardbook.measures.usual import CANNOT_SAY, Change
from wardbook.periods import FinancialYear, financial_year_of
from wardbook.places import LONDON_CODE, UNKNOWN, Area

# Where those at risk are not the ward's residents: most victims come from elsewhere, or are shops.
NO_RESIDENT_RATE = ("business and community burglary", "robbery of business property", "shoplifting")
NO_RESIDENT_RATE += ("theft from the person",)


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


def empirical_bayes_interval(events, population, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Central intervals of the smoothed rates, from the gamma posterior whose mean is Marshall's estimate.

    A gamma prior of his mean and variance (Clayton & Kaldor 1987) has exactly that posterior mean. The prior is taken as
    known, so they are a little short; with no variance between areas they are Garwood's for the common rate.
    """
    x, n, mean, between = _prior(events, population)
    if between == 0:
        low, high = garwood(round(x.sum()), level=level)
        return np.full_like(n, low / n.sum()), np.full_like(n, high / n.sum())
    posterior = stats.gamma(x + mean**2 / between, scale=1 / (n + mean / between))
    return posterior.ppf((1 - level) / 2), posterior.ppf(0.5 + level / 2)


def ward_years(ward_offences: pl.DataFrame, item: str, years: Sequence[FinancialYear]) -> pl.DataFrame:
    """One group's ward counts of these years from the newest snapshot that holds them all in full: `ward_code`, `snapshot`
    and a column named by each year; no rows where no snapshot does.
    """
    starts = [year.start for year in years]
    rows = ward_offences.filter(offence_group=item).with_columns(financial_year_of(pl.col("month")).alias("year"))
    rows = rows.filter(pl.col("year").is_in(starts))
    held = rows.group_by("snapshot").agg(pl.col("month").n_unique().alias("months"))
    snapshot = held.filter(pl.col("months") == 12 * len(starts))["snapshot"].max()
    counted = rows.filter(pl.col("snapshot") == (snapshot or "")).group_by("ward_code", "snapshot")
    sums = [pl.col("offences").filter(pl.col("year") == y.start).sum().cast(pl.Int64).alias(str(y)) for y in years]
    return counted.agg(sums).sort("ward_code")


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
    if table.is_empty():
        names = ("raw_rate", "eb_rate", "eb_low", "eb_high")
        return table.with_columns(pl.lit(None, pl.Float64).alias(f"{name}_per_1000") for name in names)
    low, high = empirical_bayes_interval(x, n)
    made = {"raw_rate": x / n, "eb_rate": empirical_bayes(x, n), "eb_low": low, "eb_high": high}
    return table.with_columns(pl.Series(f"{name}_per_1000", 1000 * values) for name, values in made.items())


def in_area(table: pl.DataFrame, code: str) -> pl.DataFrame:
    """An area's wards (London: all), the highest smoothed rate first, each with its `rank` among them."""
    rows = table if code == LONDON_CODE else table.filter(borough_code=code)
    rows = rows.sort("eb_rate_per_1000", "ward_code", descending=[True, False])
    return rows.with_columns(pl.int_range(1, pl.len() + 1).cast(pl.Int64).alias("rank"))


def placed_shift(in_wards: tuple[int, int], in_borough: tuple[int, int]) -> float:
    """What the change in the share of offences that have a ward does by itself to every ward's count, in per cent.

    Parameters
    ----------
    in_wards, in_borough : the wards' sum and the borough's count, baseline and outturn.
    """
    before, after = (w / max(b, 1) for w, b in zip(in_wards, in_borough))
    return 100 * (after / before - 1) if before else 0.0


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


def ward_changes(wards: pl.DataFrame, shift_percent: float) -> pl.DataFrame:
    """How each ward's count changed, by counting noise; `cannot say` where what has no ward moved by more than the interval.

    Parameters
    ----------
    wards : `baseline`, `outturn` and any other columns.
    shift_percent : what the borough's change in the share of offences with a ward does by itself to every ward's count, %.
    """
    rows = []
    for b, o in wards.select("baseline", "outturn").iter_rows():
        change = Change.between(b, o)
        if change.too_few or abs(shift_percent) >= (change.noise[1] - change.noise[0]) / 2:
            verdict = CANNOT_SAY
        else:  # clear only if what moved in or out of the wards cannot have made it
            low, high = change.noise[0] - abs(shift_percent), change.noise[1] + abs(shift_percent)
            verdict = "fell clearly" if high < 0 else "rose clearly" if low > 0 else "little different"
        described = (None, None, None) if change.too_few else (change.percent, *change.noise)
        rows.append((*described, verdict))
    names = ["change_percent", "change_low", "change_high", "change_verdict"]
    types = dict.fromkeys(names[:3], pl.Float64) | {names[3]: pl.String}
    return wards.hstack(pl.DataFrame(rows, schema=types, orient="row")) if rows else wards


def changes_in_area(
    ward_offences: pl.DataFrame,
    borough_years: pl.DataFrame,
    local: pl.DataFrame,
    item: str,
    last: FinancialYear,
    area: Area,
) -> tuple[pl.DataFrame, float | None]:
    """`ward_changes` of an area's wards on the year before (`snapshot` and `borough_snapshot` say whose counts), and the shift
    they were judged by; no rows where no ward snapshot holds both years.

    The shift compares the wards' sums of one snapshot with the borough's counts of one other where none has both levels for
    both years, so the revisions between the two are in it: that errs towards saying less.
    """
    years = [last - 1, last]
    counts = ward_years(ward_offences, item, years).rename({str(years[0]): "baseline", str(years[1]): "outturn"})
    mine = local.select("ward_code", "ward").join(counts, on="ward_code", how="inner", maintain_order="left")
    rows = borough_years.filter(pl.col("offence_group") == item, pl.col("borough_code") != UNKNOWN)
    rows = rows if area.is_london else rows.filter(borough_code=area.code)
    full = [s for s in rows["snapshot"].unique() if {y.start for y in years} <= set(rows.filter(snapshot=s)["year"])]
    if mine.is_empty() or not full:
        return mine.clear(), None
    totals = [int(rows.filter(snapshot=max(full), year=year.start)["offences"].sum()) for year in years]
    shift = placed_shift((int(mine["baseline"].sum()), int(mine["outturn"].sum())), (totals[0], totals[1]))
    return ward_changes(mine.with_columns(borough_snapshot=pl.lit(max(full))), shift), shift
