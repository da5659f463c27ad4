"""An attack on the ward tables of overlapping periods: what is withheld in one is not to be had from another."""

from itertools import product

import polars as pl
import pytest

import cells
from attack import Attacker, tried
from conftest import remember_rulers, sampled
from wardbook import places
from wardbook.measures import change, wards
from wardbook.periods import read_period

BOROUGHS, PERIODS = tuple(sampled("Sutton")), ("2023-24", "2024-25")
ITEM = "arson"  # rare enough that most wards have one to four


@pytest.fixture(scope="module")
def ward_runs():
    """Notebook 03 of boroughs in two overlapping periods: (borough, period) → its frames by name, as they are saved."""
    found = {}
    with remember_rulers(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(change, "YEARLY_GROUPS", (change.TOTAL, "residential burglary"))  # a ruler each takes a second
        for borough, period in product(BOROUGHS, PERIODS):
            left = cells.run("03_comparison", borough=borough, period=period, offence_group=ITEM)
            drawn = {name: figure.data for name, figure in left.figures.items() if not figure.absent}
            found[borough, period] = {"wards": left.tables["wards"], **drawn}
    return found


def test_differencing_the_ward_tables_of_overlapping_periods_gives_no_small_count_away(ward_runs, committed):
    """Planted: `wards.ward_history` drawn as it is, without `withhold.ward_counts`."""
    names = committed.table("wards").select("ward", "ward_code", "borough_code")
    offences = committed.table("ward_offences").filter(offence_group=ITEM)
    small = 0
    for borough in BOROUGHS:
        local = names.filter(borough_code=places.area(borough).code)
        attackers, known = {}, {}
        for period in PERIODS:
            tables = ward_runs[borough, period]
            told = [(period, row["ward_code"], row) for row in tables["wards"].iter_rows(named=True)]
            codes = dict(tables["wards"].select("ward", "ward_code").iter_rows())
            for name in ("ward-rates", "ward-years"):
                drawn = tables[name].to_dicts() if name in tables else []
                told += [(row.get("year", period), codes[row["ward"]], row) for row in drawn]
            for year, ward, row in told:
                if year not in known:
                    counts = wards.ward_years(offences, ITEM, [read_period(year)]).join(local, on="ward_code")
                    known[year] = dict(counts.select("ward_code", year).iter_rows())
                    attackers[year] = Attacker(known[year])
                    attackers[year].learns(known[year], sum(known[year].values()))
                rate = next((row[name] for name in ("raw_rate_per_1000", "raw_rate", "rate") if name in row), None)
                attackers[year].learns([ward], row["events"])
                attackers[year].learns([ward], None if rate is None else rate * row["residents"] / 1000)
            hidden = tables["wards"].filter(pl.col("events").is_null())
            assert hidden["eb_rate_per_1000"].is_null().all() and hidden["rank"].is_null().all()
        for year, attacker in attackers.items():
            small += tried(attacker, {ward: ([ward], count) for ward, count in known[year].items()})
    assert small > 25, "nothing small was there to be found"
