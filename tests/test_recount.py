"""Every publisher's file counted again, a row at a time, and held against the edition, cell by cell.

Long, so behind `--every-borough`, which `make check-all` gives. The standard library alone counts: nothing here imports wardbook or
polars; another process turns Parquet and the sheet of a workbook into CSV and does no more. What is not counted again is where a
point lies (tests/test_placing.py) and the name of a ward. Each test prints what it tried: `pytest -s` shows it.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conftest import EVERY, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get(EVERY), reason="a long check: give --every-borough"),
]
TOTAL = "total recorded offences excluding fraud"
_AS_CSV = {
    ".parquet": "import sys, polars as pl; pl.read_parquet(sys.argv[1]).write_csv(sys.stdout.buffer)",
    ".xlsx": "import sys, fastexcel; fastexcel.read_excel(sys.argv[1]).load_sheet('2021').to_polars().write_csv(sys.stdout.buffer)",
}
tried = Counter()


def rows(path: Path, separator: str = ",") -> Iterator[dict[str, str]]:
    """The rows of a file as text, headers in lower case."""
    with ExitStack() as opened:
        if code := _AS_CSV.get(path.suffix):
            command = [sys.executable, "-c", code, str(path)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
            handle = opened.enter_context(process).stdout
        else:
            handle = opened.enter_context(path.open(encoding="utf-8-sig", newline=""))
        reader = csv.reader(handle, delimiter=separator)
        header = [name.strip().lower() for name in next(reader)]
        yield from (dict(zip(header, cells)) for cells in reader if any(cells))


def published(raw: Path, *patterns: str, read=rows) -> Iterator[tuple[Path, dict[str, str]]]:
    """Each row of the publishers' files of these names, and its file."""
    for path in sorted(path for pattern in patterns for path in raw.glob(pattern)):
        tried["files"] += 1
        for row in read(path):
            tried["rows"] += 1
            yield path, row


def held(table: str, key: str, *counts: str) -> Counter:
    """A table of the edition by the columns of its key (parted by blanks) and the count's name."""
    sums = Counter()
    for row in rows(ROOT / f"data/edition/{table}.parquet"):
        for count in counts:
            sums[table, *(row[column] for column in key.split()), count] += float(row[count])
    return sums


def agree(counted: dict, edition: dict) -> None:
    """Every count that is not nought on one side is the same on the other."""
    assert tried["files"] and counted
    differ = [(key, counted.get(key, 0), edition.get(key, 0)) for key in counted.keys() | edition.keys()]
    differ = [one for one in differ if one[1] != one[2]]
    assert not differ, (len(differ), differ[:5])
    total = sum(edition.values())
    print(f"\n{tried['files']} files, {tried['rows']:,} rows, {len(edition):,} counts, {total:,.0f} in all: held")
    tried.clear()


BOROUGHS = {
    name.casefold(): row["borough_code"]
    for row in rows(ROOT / "data/reference/boroughs.csv")
    for name in [row["borough"], *filter(None, row["other_spellings"].split(" | "))]
} | {"london heathrow and london city airports": "E09000017", "mps": "E12000007"}
GROUPS = defaultdict(lambda: defaultdict(list))
for row in rows(ROOT / "data/reference/offence_groups.csv"):
    GROUPS[row["taxonomy"]][row["offence_group"]].append((row["major"], row["minor"]))


def borough(name: str) -> str:
    return BOROUGHS.get(name.strip().casefold(), "unknown")


@pytest.mark.parametrize("level", ["borough", "ward"])
def test_recorded_crime(raw, level):
    tables, cells, kind = defaultdict(list), defaultdict(Counter), {}
    for path, row in published(raw, f"mps/*/MPS {level.title()} Level*.csv", f"mps/*/recorded-crime-{level}*.parquet"):
        tables[path].append(row)
    for path, table in tables.items():
        snapshot, minors = path.parent.name, {row["minortext"] for row in table}
        kind[snapshot] = "2025-03 ward" if "BURGLARY IN A DWELLING" in minors else "upper-case"
        for month in [name for name in table[0] if re.fullmatch(r"\d{6}", name)]:
            counts = [int(float(row[month] or 0)) for row in table]
            # One file begins with 40 offences of a month that another file holds whole.
            for row, count in zip(table, counts if sum(counts) > 1_000 else []):
                name = row.get("lookup_boroughname") or row.get("boroughname")
                code = borough(name) if level == "borough" else row.get("wardcode") or row["lookup_wardcode"]
                cells[snapshot, code, f"{month[:4]}-{month[4:]}-01"][row["majortext"], row["minortext"]] += count
    totals = Counter()
    for row in rows(ROOT / f"data/edition/{level}_offences.parquet"):
        here = cells[row["snapshot"], row[f"{level}_code"], row["month"]]
        count = sum(here[pair] for pair in GROUPS[kind[row["snapshot"]]][row["offence_group"]])
        assert int(row["offences"]) == count, row
        totals[row["snapshot"]] += count * (row["offence_group"] == TOTAL)
        tried["cells"] += 1
    counted = Counter()
    for (snapshot, _, _), here in cells.items():
        counted[snapshot] += sum(n for (major, _), n in here.items() if "FRAUD" not in major)
    print(f"\n{level}: {tried['cells']:,} cells of the edition")
    agree(counted, totals)


def test_knife_crime(raw):
    counted = Counter()
    for _, row in published(raw, "mps/monthly-crime-dashboard.parquet"):
        # A team's name begins with its borough's.
        begun = [name for name in BOROUGHS if f"{row['borough_snt'].casefold()} ".startswith(f"{name} ")]
        what = {"Offences": "offences", "Positive Outcomes": "positive_outcomes"}[row["measure"]]
        if row["area_type"] != "Borough":
            what = f"team_{what}"
        place = borough(max(begun, key=len, default=""))
        counted["knife_offences", place, row["month_year"][:10], row["crime_subtype"], what] += int(row["count"])
    counted = {key: count for key, count in counted.items() if key[-1] != "team_positive_outcomes"}
    what = "offences", "positive_outcomes", "team_offences"
    agree(counted, held("knife_offences", "borough_code month subtype", *what))


def test_violence_against_women_and_girls(raw):
    counted = Counter()
    for _, row in published(raw, "mps/*/vawg-offences.*"):
        area, kind = ("borough", borough(row["borough_name"])), "all"
        if row["sheet"] != "Offence count location":
            area, kind = ("London", "E12000007"), row["crimsec_group"]
        elif area[1] == "unknown" and row["ward_name_clean_2"] == "Heathrow Villages":
            area = "borough", "E09000017"
        counted["vawg_offences", *area, row["recorded_date_months"][:10], kind, "offences"] += int(row["count"])
    edition = held("vawg_offences", "level area_code month kind", "offences")
    sums = Counter()
    for (_, level, _, month, _, _), count in edition.items():
        sums[level, month] += count
    assert all(0 < sums["ward", month] <= sums["borough", month] == sums["London", month] for _, month in sums)
    agree(counted, {key: count for key, count in edition.items() if key[1] != "ward"})


def test_outcomes_of_business_crime(raw):
    of = defaultdict(lambda: ["all business crime"])
    for group, pairs in GROUPS["2025-03 ward"].items():
        for pair in pairs:
            of[pair] = [*of[pair], group]
    counted = Counter()
    for _, row in published(raw, "mps/*/business-crime-outcomes.*"):
        for group in of[row["crime_section"], row["crime_group"]]:
            key = "outcomes", borough(row["borough"]), f"{row['date'][:7]}-01", group
            count = int(row["outcome_count"])
            counted[*key, "outcomes"] += count
            counted[*key, "positive_outcomes"] += count * (row["positive_outcome"] == "Y")
    agree(counted, held("outcomes", "borough_code month offence_group", "outcomes", "positive_outcomes"))


def stop_rows(path: Path) -> Iterator[dict[str, str]]:
    """A month's stops, those of the API under the names that the files' columns have."""
    names = {"datetime": "date", "officer_defined_ethnicity": "officer-defined ethnicity", "age_range": "age range"}
    names |= {"object_of_search": "object of search", "self_defined_ethnicity": "self-defined ethnicity"}
    if path.suffix == ".csv":
        yield from rows(path)
    else:
        for record in json.loads(path.read_text(encoding="utf-8")):
            yield {names.get(name, name): "" if value is None else str(value) for name, value in record.items()}


def test_stops_and_searches(raw):
    """By month, power, type and outcome; person searches by month, object, officer-defined ethnicity, age and outcome."""
    counted, seen = Counter(), defaultdict(set)
    patterns = "police_uk/*/*-metropolitan-stop-and-search.csv", "police_uk_api/stops-force/*.json"
    for path, row in published(raw, *patterns, read=stop_rows):
        time = datetime.fromisoformat(row["date"]).astimezone(ZoneInfo("Europe/London"))
        month, day = f"{time:%Y-%m}-01", f"{time:%Y-%m-%d}"
        section_60 = row["legislation"] == "Criminal Justice and Public Order Act 1994 (section 60)"
        outcome = row["outcome"] or "not recorded"
        counted["stops", month, str(section_60).lower(), row["type"], outcome, "stops"] += 1
        if row["type"] != "Vehicle search":
            what = row["object of search"] or "not recorded", row["officer-defined ethnicity"] or "blank"
            age = row["age range"] or "not recorded"
            counted["searches", month, *what, age, outcome, "searches"] += 1
            counted["searches_by_day", day, *what, "searches"] += 1
        again = tuple(row.values()) in seen[path]
        seen[path].add(tuple(row.values()))
        blank = not row["age range"], not row["self-defined ethnicity"]
        for name, is_so in zip(("rows", "exact_duplicates", "without_age", "without_ethnicity"), (True, again, *blank)):
            counted["stop_coverage", month, name] += is_so
    edition = held("stops", "month is_section_60 search_type outcome", "stops")
    edition |= held("searches", "month object_of_search officer_defined age_band outcome", "searches")
    edition |= held("searches_by_day", "day object_of_search officer_defined", "searches")
    edition |= held("stop_coverage", "month", "rows", "exact_duplicates", "without_age", "without_ethnicity")
    agree(counted, edition)


def test_more_thorough_searches(raw):
    """Of the releases laid under one another each month is counted in one, and equal rows once."""
    by_month = defaultdict(lambda: defaultdict(set))
    names = ("area", "borough", "age_group", "sex", "stop_reason", "outcome_reason")
    for _, row in published(raw, "mps/*/thorough-searches.parquet"):
        now, then, first = row["positive_outcome_of_stop"], row["postive_outcome_of_stop"], row["positve_outcome"]
        release = 1 if then else 2 if first else 0 if row["col_0"] else 3
        seen = re.sub("Unknown|#N/A|Not Recorded", "", row["ethnic_appearance"]).strip()
        adult = row["appropriate_adult_present"] or row["approporiate_adult_present_if_required?"]
        search = (row["stop_date"][:10], *(row[n] for n in names), seen, now or then or first, adult.strip())
        by_month[row["stop_date"][:7]][release].add(search)
    counted = Counter()
    for month, releases in by_month.items():
        for search in releases[min(releases)]:
            age = "under 18" if search[3].strip() == "Under 18" else ""
            counted[month[:4], borough(search[2]), age] += 1
    edition = Counter()
    for (_, year, code, age, _), count in held("thorough_searches", "year borough_code age_band", "searches").items():
        edition[year, code, age if age == "under 18" else ""] += count
    agree(counted, edition)


def test_residents_households_and_the_survey(raw):
    wards = {row["lsoa21cd"]: row["wd24cd"] for _, row in published(raw, "ons/LSOA_*.csv")}
    counted = Counter()
    for _, row in published(raw, "gla/*Ethnic*.xlsx"):
        code, groups = row["local authority code"], list(row)[list(row).index("all usual residents") + 1 :]
        for name in groups if code.startswith("E09") else []:
            counted["population", wards[row["lsoa code"]], code, name.split()[0].title(), "residents"] += float(
                row[name] or 0
            )
    for _, row in published(raw, "ons/census2021-ts044-ltla.csv"):
        if row["geography code"].startswith("E09"):
            homes = float(row["accommodation type: total: all households"])
            counted["households", row["geography code"], "households"] = homes
    for _, row in published(raw, "mopac/PAS_*.csv", read=survey_rows):
        day, month, year = row["date"].split("/")
        question = " ".join(row["measure"].replace('"', "").lower().split())
        key = "confidence", borough(row["borough"]), f"{year}-{month}-{day}", question, "share"
        counted[key] = float(row["proportion"].replace(",", "."))
    edition = held("population", "ward_code borough_code ethnic_group", "residents")
    edition |= held("households", "borough_code", "households")
    edition |= held("confidence", "borough_code quarter_end question", "share")
    agree(counted, edition)


def survey_rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig") as handle:
        separator = ";" if ";" in handle.readline() else ","
    return rows(path, separator)
