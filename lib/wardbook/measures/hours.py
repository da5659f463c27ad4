"""Ward officers' hours: what there is, per offence and resident, and beside an even share by a stated demand.

The question is the Resource Allocation Formula's: are officers where the demand is? No weight is right, so a share is always
of a stated one, and `compare_weights` shows how far it depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from wardbook.measures.load import WEEKS_A_YEAR
from wardbook.places import LONDON_CODE

# Duty hours of a full-time post in a year, after leave and sickness: a convention, to give hours a scale.
HOURS_A_POST = 1650
DEMAND = ("offences", "residents", "wards")


def even_share(demand: pl.DataFrame, weight: Mapping[str, float]) -> pl.DataFrame:
    """Each borough's share of London by a stated demand weight.

    Parameters
    ----------
    demand : a row a borough: `borough_code` and the columns that `weight` names.
    weight : column → weight, 0 or more and not all 0, in any unit: `{"offences": 1}`, `{"offences": 2, "residents": 1}`.

    Returns
    -------
    polars.DataFrame
        `borough_code`, `even_share` (fraction; adds up to 1).
    """
    total = sum(weight.values())
    share = sum(value / total * pl.col(name) / pl.col(name).sum() for name, value in weight.items())
    return demand.select("borough_code", even_share=share)


def rate_hours(hours: pl.DataFrame, demand: pl.DataFrame, *, weight: Mapping[str, float]) -> pl.DataFrame:
    """Duty hours of one year by borough and London: abstracted, per offence, resident and ward, beside an even share.

    London's rates are those of the 32 boroughs' sums, not means of their rates. An even share is of London's duty hours.

    Parameters
    ----------
    hours : rows of one year of the edition's `officer_hours`, London's among them.
    demand : a row a borough: `borough_code`, `offences` and `residents` (of stated years), `wards`.
    weight : as in `even_share`.

    Returns
    -------
    polars.DataFrame
        London first, then by code: `borough_code`, `period`, `hours`, `abstracted`, `abstracted_percent`,
        `hours_per_1000_offences`, `hours_per_1000_residents`, `even_share_hours`, `hours_per_ward`, `posts_per_ward` (at
        `HOURS_A_POST`), `ward_hours_per_week` (not abstracted, of one ward).

    Raises
    ------
    ValueError
        for several years, or a borough on one side only: it would leave the ranking unseen.
    """
    if hours["financial_year"].n_unique() != 1:
        raise ValueError(f"hours of one year, not of {hours['financial_year'].unique().sort().to_list()}")
    london = pl.col("borough_code") == LONDON_CODE
    lonely = set(hours.filter(~london)["borough_code"]) ^ set(demand["borough_code"])
    if lonely or hours.filter(london).height != 1:
        raise ValueError(f"hours and demand must be of the same boroughs, and hours of London too: {sorted(lonely)}")
    total = demand.select(pl.lit(LONDON_CODE).alias("borough_code"), pl.col(DEMAND).sum(), even_share=pl.lit(1.0))
    columns = ["borough_code", *DEMAND, "even_share"]
    shares = demand.join(even_share(demand, weight), on="borough_code").select(columns)
    together = hours.join(pl.concat([total.select(columns), shares]), on="borough_code")
    here = pl.col("hours") - pl.col("abstracted")
    return together.sort(~london, "borough_code").select(
        "borough_code",
        pl.col("financial_year").alias("period"),
        "hours",
        "abstracted",
        "abstracted_percent",
        hours_per_1000_offences=1000 * pl.col("hours") / pl.col("offences"),
        hours_per_1000_residents=1000 * pl.col("hours") / pl.col("residents"),
        even_share_hours=pl.col("even_share") * pl.col("hours").filter(london).first(),
        hours_per_ward=pl.col("hours") / pl.col("wards"),
        posts_per_ward=pl.col("hours") / pl.col("wards") / HOURS_A_POST,
        ward_hours_per_week=here / pl.col("wards") / WEEKS_A_YEAR,
    )


def compare_weights(
    hours: pl.DataFrame, demand: pl.DataFrame, weights: Mapping[str, Mapping[str, float]]
) -> pl.DataFrame:
    """How each borough's hours stand to its even share, under several demand weights: does the answer depend on the weight?

    Parameters
    ----------
    hours, demand : as in `rate_hours`.
    weights : label → weight.

    Returns
    -------
    polars.DataFrame
        a row a borough × label, in the order given: `borough_code`, `weight`, `hours`, `even_share_hours`,
        `above_even_percent` (duty hours over the even share, less 1).
    """
    rated = {label: rate_hours(hours, demand, weight=weight) for label, weight in weights.items()}
    tables = pl.concat(table.with_columns(weight=pl.lit(label)) for label, table in rated.items())
    above = 100 * (pl.col("hours") / pl.col("even_share_hours") - 1)
    columns = ("borough_code", "weight", "hours", "even_share_hours")
    return tables.filter(pl.col("borough_code") != LONDON_CODE).select(*columns, above_even_percent=above)
