"""A second computation of the headline figures: the standard library alone, on the edition's tables as plain rows.

Nothing here imports wardbook or polars but the fixtures that fetch what is compared; what is computed shares no code with
the package. Where the publishers' files are at hand the recorded crime is read from them, by csv, and grouped by hand.
"""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from conftest import sampled

ROOT = Path(__file__).resolve().parents[1]
BOROUGHS = sampled("Tower Hamlets", "Westminster", "Sutton", "Lambeth", "Richmond upon Thames")
TABLES = ("borough_offences", "knife_offences", "stops", "searches", "population", "households")
SEVEN = (
    "violence with injury",
    "robbery",
    "burglary",
    "theft from the person",
    "theft from a vehicle",
    "theft or taking of a motor vehicle",
    "criminal damage",
)
ARRESTS = {"Arrest", "Suspect arrested"}  # before and since 2018 the files used other words
UNKNOWN = ("not stated", "blank")
_DUMP = """
import sys, polars as pl
for name in sys.argv[2:]:
    pl.read_parquet(f"data/edition/{name}.parquet").write_csv(f"{sys.argv[1]}/{name}.csv")
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The edition's tables as lists of dictionaries of text: another process turns Parquet into CSV and does no more."""
    folder = tmp_path_factory.mktemp("plain")
    subprocess.run([sys.executable, "-c", _DUMP, str(folder), *TABLES], cwd=ROOT, check=True)
    found = {}
    for name in TABLES:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            found[name] = list(csv.DictReader(handle))
    found["by group"] = defaultdict(list)
    for row in found["borough_offences"]:
        found["by group"][row["borough_code"], row["offence_group"]].append(row)
    return found


@pytest.fixture(scope="module")
def theirs():
    """What the package says of a borough, by figure: the only place that calls it."""
    from datetime import date

    import polars as pl

    import wardbook
    from wardbook.measures import change, comparison, stops
    from wardbook.measures.rates import rate_ratio
    from wardbook.periods import declared_breaks, read_period
    from wardbook.places import boroughs

    def say(borough):
        book = wardbook.open(borough, "2024-25")
        area, codes, breaks = book.area, boroughs()["borough_code"].to_list(), declared_breaks()

        def compared(group, before, after, series="borough_offences"):
            first, last = read_period(before), read_period(after)
            rows = book.monthly(series, first, last).filter(offence_group=group)
            judged = change.compare(rows, first, last, breaks, series)
            return judged.row(by_predicate=pl.col("borough_code") == area.code, named=True)

        seven = compared("MOPAC 7", "2011-12", "2015-16")
        total = compared(change.TOTAL, "2023-24", "2024-25")
        noise = rate_ratio(total["after"], total["before"])
        year = stops.newest_year(book.table("stop_coverage"), book.period.last, financial=True)
        population = book.table("population")
        people = population.filter(borough_code=area.code)["residents"].sum()
        persons = book.table("searches").filter(year.within(pl.col("month")), borough_code=area.code)
        days = book.table("searches_by_day").filter(pl.col("day").dt.month_start().is_in(year.months))
        ratio = stops.disproportionality(days, population, [area], codes, str(year))
        ratio = ratio.filter(group="Black", ethnicity="self-defined").row(0, named=True)
        months = pl.col("month").is_between(date(2024, 4, 1), date(2025, 3, 1))
        table = book.table("borough_offences").filter(months, offence_group="residential burglary")
        counts = table.filter(snapshot=table["snapshot"].max()).group_by("borough_code")
        homes = counts.agg(events=pl.col("offences").sum()).join(book.table("households"), on="borough_code")
        funnel = comparison.level_funnel(homes.rename({"households": "exposure"}))
        burgled = funnel.filter(borough_code=area.code).row(0, named=True)
        return {
            "stop year": str(year),
            "MOPAC 7": seven["change_percent"],
            "MOPAC 7 beside London": seven["relative_percent"],
            "MOPAC 7 as far": (seven["as_far"], seven["of"]),
            "total": total["change_percent"],
            "interval": (100 * (noise.lower - 1), 100 * (noise.upper - 1)),
            "residential burglary": compared("residential burglary", "2023-24", "2024-25")["change_percent"],
            "knife crime": compared("Knife Crime", "2023-24", "2024-25", "knife_offences")["change_percent"],
            "searches per 1,000": 1000 * persons["searches"].sum() / people,
            "arrest share": stops.outcome_rates(persons).row(0, named=True)["share"],
            "known only": ratio["known_only"],
            "bounds": (ratio["bound_low"], ratio["bound_high"]),
            "primary": ratio["ratio"],
            "burglary per household": burgled["events"] / burgled["exposure"],
            "burglary expected": burgled["expected"],
        }

    return say


# Plain arithmetic -----------------------------------------------------------------------------------------------------


def months_of(start):
    """The months of a financial year as they stand in the tables."""
    return [f"{start}-{m:02}-01" for m in range(4, 13)] + [f"{start + 1}-{m:02}-01" for m in range(1, 4)]


def recorded(rows, code, groups, *years):
    """Offences of a borough in each financial year, from the newest snapshot that holds all of them in full."""
    wanted = {month for year in years for month in months_of(year)}
    held, sums = defaultdict(set), defaultdict(int)
    for row in (row for group in groups for row in rows["by group"][code, group] if row["month"] in wanted):
        held[row["snapshot"]].add(row["month"])
        sums[row["snapshot"], row["month"]] += int(row["offences"])
    snapshot = max(s for s, months in held.items() if months == wanted)
    return [sum(sums[snapshot, month] for month in months_of(year)) for year in years]


def percent(before, after):
    return 100 * (after / before - 1)


def beta_below(x, a, b):
    """The regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_below(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 5000):
        step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / (1 + step * d), 1 + step / c
        value *= d * c
        step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / (1 + step * d), 1 + step / c
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            return front * value
    raise ArithmeticError("the continued fraction did not settle")


def share_at(probability, a, b):
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_below(middle, a, b) < probability else (low, middle)
    return (low + high) / 2


def counting_noise(before, after):
    """Clopper and Pearson's interval of the share that the later count is of both, as a change in per cent."""
    low, high = share_at(0.025, after, before + 1), share_at(0.975, after + 1, before)
    return percent(1 - low, low), percent(1 - high, high)


def ratios(rows, code, year):
    """Black to White searches per resident: known only, both bounds, and with unknowns spread by officers' view."""
    cells = defaultdict(int)
    months = months_of(int(year[:4]))
    for row in rows["searches"]:
        if row["borough_code"] == code and row["month"] in months:
            cells[row["self_defined"], row["officer_defined"]] += int(row["searches"])
    residents = defaultdict(int)
    for row in rows["population"]:
        if row["borough_code"] == code:
            residents[row["ethnic_group"]] += int(row["residents"])
    known = {g: sum(n for (s, _), n in cells.items() if s == g) for g in ("Asian", "Black", "Mixed", "Other", "White")}
    unknown = sum(n for (s, _), n in cells.items() if s in UNKNOWN)
    spread = {"Black": 0.0, "White": 0.0}
    for seen in {o for _, o in cells}:
        of_known = {g: cells.get((g, seen), 0) for g in known}
        lost = sum(cells.get((u, seen), 0) for u in UNKNOWN)
        assert not lost or sum(of_known.values()), "a borough that needs all boroughs' shares: take another"
        for group in spread:
            spread[group] += of_known[group] + (lost * of_known[group] / sum(of_known.values()) if lost else 0)
    scale = residents["White"] / residents["Black"]
    return {
        "known only": known["Black"] / known["White"] * scale,
        "bounds": (
            known["Black"] / (known["White"] + unknown) * scale,
            (known["Black"] + unknown) / known["White"] * scale,
        ),
        "primary": spread["Black"] / spread["White"] * scale,
    }


def beside_london(rows, code):
    """The seven offences' change over four years beside that of the other 31, and how many other changes were as far."""
    codes = sorted({place for place, _ in rows["by group"]} - {"unknown"})
    years = {place: recorded(rows, place, set(SEVEN), *range(2010, 2020)) for place in codes}

    def moved(place, year):
        own = years[place][year + 4 - 2010] / years[place][year - 2010]
        rest = [sum(years[p][y - 2010] for p in codes if p != place) for y in (year, year + 4)]
        return math.log(own / (rest[1] / rest[0]))

    mine = moved(code, 2011)
    others = [moved(place, year) for place in codes for year in range(2010, 2016) if year != 2011]
    return 100 * (math.exp(mine) - 1), (sum(abs(o) >= abs(mine) - 1e-12 for o in others), len(others))


def computed(rows, code, stop_year):
    """The ten figures, in the order in which a reader meets them."""
    total = recorded(rows, code, {"total recorded offences excluding fraud"}, 2023, 2024)
    knife = [
        sum(
            int(r["offences"])
            for r in rows["knife_offences"]
            if r["borough_code"] == code and r["subtype"] == "Knife Crime" and r["month"] in months_of(year)
        )
        for year in (2023, 2024)
    ]
    months = months_of(int(stop_year[:4]))
    persons, arrests = 0, 0
    for row in rows["stops"]:
        if row["borough_code"] == code and row["month"] in months and row["search_type"] != "Vehicle search":
            persons += int(row["stops"])
            arrests += int(row["stops"]) if row["outcome"] in ARRESTS else 0
    people = sum(int(r["residents"]) for r in rows["population"] if r["borough_code"] == code)
    homes = {r["borough_code"]: int(r["households"]) for r in rows["households"] if r["borough_code"] != "E09000001"}
    burglaries = {b: recorded(rows, b, {"residential burglary"}, 2023, 2024) for b in homes}
    rate = sum(after for _, after in burglaries.values()) / sum(homes.values())
    beside, as_far = beside_london(rows, code)
    return {
        "MOPAC 7": percent(*recorded(rows, code, set(SEVEN), 2011, 2015)),
        "MOPAC 7 beside London": beside,
        "MOPAC 7 as far": as_far,
        "total": percent(*total),
        "interval": counting_noise(*total),
        "residential burglary": percent(*burglaries[code]),
        "knife crime": percent(*knife),
        "searches per 1,000": 1000 * persons / people,
        "arrest share": arrests / persons,
        **ratios(rows, code, stop_year),
        "burglary per household": burglaries[code][1] / homes[code],
        "burglary expected": rate * homes[code],
    }


# The comparison -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("borough", BOROUGHS)
def test_ten_headlines_come_out_the_same_without_polars_or_the_package(rows, theirs, borough):
    """Planted: unknowns left out of `_spread`; vehicle-only searches counted as searches of persons."""
    said = theirs(borough)
    stop_year = said.pop("stop year")
    ours = computed(rows, BOROUGHS[borough], stop_year)
    assert ours.keys() == said.keys()
    for name, value in ours.items():
        assert said[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_the_tables_that_are_added_up_hold_the_same_words_for_an_arrest(rows):
    """Were a third word for an arrest published, both computations would have to learn it."""
    said = {row["outcome"] for row in rows["stops"] if "arrest" in row["outcome"].lower()}
    assert said == ARRESTS & said and said


@pytest.mark.raw
def test_recorded_crime_comes_out_the_same_from_the_publishers_file(rows, raw):
    """Seen to fail when an offence of the file was taken for one of another name."""
    (path,) = (raw / "mps/2025-11").glob("*Historical*.csv")
    wanted = {
        "robbery": {("ROBBERY", "ROBBERY OF BUSINESS PROPERTY"), ("ROBBERY", "ROBBERY OF PERSONAL PROPERTY")},
        "theft from a vehicle": {("VEHICLE OFFENCES", "THEFT FROM A VEHICLE")},
        "criminal damage": {("ARSON AND CRIMINAL DAMAGE", "CRIMINAL DAMAGE")},
    }
    sums = defaultdict(int)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            for group, kinds in wanted.items():
                if (row["MajorText"].upper(), row["MinorText"].upper()) in kinds:
                    for year in (2011, 2015):
                        columns = [month[:4] + month[5:7] for month in months_of(year)]
                        sums[row["BoroughName"], group, year] += sum(int(row[column] or 0) for column in columns)
    for borough, code in BOROUGHS.items():
        for group in wanted:
            held = recorded(rows, code, {group}, 2011, 2015)
            assert held == [sums[borough, group, 2011], sums[borough, group, 2015]], (borough, group)
