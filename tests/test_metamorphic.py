"""What must not change a number, and what must change it in a known way: from publishers' files to measures.

Each test names, under "Planted", the bug that it was shown to catch. Every folder is made up, with counts that differ from
cell to cell, so that a mix-up of rows, months or places shows.
"""

import random
from collections import Counter

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import wardbook
from conftest import relative_rate
from test_edition import NOW, TOWER_HAMLETS, TWO_YEARS, UPPER, offences_of, synthetic_folder
from wardbook import accounts, edition, places
from wardbook.measures import change, wards
from wardbook.periods import declared_breaks, read_period

YEAR = read_period("2024-25")
ETHNIC = ("White - Irish", "Black/African/Caribbean/Black British - African", "Asian/Asian British - Indian", None)
OUTCOMES = ("Arrest", "A no further action disposal", "Community resolution")


# A folder whose every cell differs -------------------------------------------------------------------------------------


def write(path, rows):
    pl.DataFrame(rows).write_csv(path)


def read(path):
    return pl.read_csv(path, infer_schema=False).to_dicts()


def crime_rows(column, names, *, level=40):
    made = random.Random(7)
    return [
        {"MajorText": major, "MinorText": minor, column: name} | {m: made.randint(0, level) for m in TWO_YEARS}
        for name in names
        for major, minor in offences_of(UPPER)
    ]


def stop_rows(month, days, template):
    made = random.Random(month)
    choices = {"Longitude": ("-0.08", "-0.05", "-0.02"), "Self-defined ethnicity": ETHNIC}
    choices |= {"Officer-defined ethnicity": ("White", "Black", "Asian"), "Outcome": OUTCOMES}
    return [
        template
        | {"Date": f"{month}-{day:02}T12:{made.randint(0, 59):02}:00+00:00"}
        | {column: made.choice(values) for column, values in choices.items()}
        for day in [*range(1, days + 1)] * 4
    ]


def make_folder(raw):
    synthetic_folder(raw)
    write(raw / BOROUGH_FILE, crime_rows("BoroughName", ("Barnet", "Tower Hamlets", "Unknown")))
    write(raw / WARD_FILE, crime_rows("WardCode", NOW, level=15))
    for file, days in ((STOP_FILES[0], 31), (STOP_FILES[1], 30)):
        template = read(raw / file)[0]
        write(raw / file, stop_rows(file[10:17], days, template))
    return raw


BOROUGH_FILE = "mps/2025-03/MPS Borough Level Crime (made up).csv"
WARD_FILE = "mps/2025-03/MPS Ward Level Crime (made up).csv"
STOP_FILES = [f"police_uk/{m}/{m}-metropolitan-stop-and-search.csv" for m in ("2024-05", "2024-06")]
ROWS = [BOROUGH_FILE, WARD_FILE, *STOP_FILES, "mopac/PAS_made_up.csv"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder as made and the edition built from it; read it, do not change it."""
    home = tmp_path_factory.mktemp("meta")
    return edition.build(make_folder(home / "raw"), home / "edition")


@pytest.fixture
def rebuilt(tmp_path):
    """Make the folder again, let a test change it, build."""

    def build(change):
        raw = make_folder(tmp_path / "raw")
        change(raw)
        return edition.build(raw, tmp_path / "edition")

    return build


def changes(made):
    """Every offence group's change over the two years of the folder, in Tower Hamlets."""
    rows = change.compare(made.table("borough_offences"), YEAR.earlier(), YEAR, declared_breaks(), "borough_offences")
    return rows.filter(borough_code=TOWER_HAMLETS)


RESIDENTS = {"Asian": 9_000, "Black": 4_000, "Mixed": 1_000, "Other": 2_000, "White": 11_000}
PEOPLE = pl.DataFrame({"ethnic_group": RESIDENTS.keys(), "residents": RESIDENTS.values()})


def searched(made):
    """A year's person searches in Tower Hamlets."""
    table = made.table("searches_by_day").filter(pl.col("day").dt.month_start().is_in(YEAR.months))
    return table.filter(borough_code=TOWER_HAMLETS)


# Nothing changes ------------------------------------------------------------------------------------------------------


def shuffle_rows(raw):
    """Planted: a blank self-defined ethnicity filled from the row above it, in `tables_stops.person_searches`."""
    for file in ROWS:
        first, *rest = (raw / file).read_text(encoding="utf-8").splitlines(keepends=True)
        random.Random(3).shuffle(rest)
        (raw / file).write_text("".join([first, *rest]), encoding="utf-8")


def shuffle_months_and_files(raw):
    for file in (BOROUGH_FILE, WARD_FILE, *STOP_FILES):
        rows = read(raw / file)
        names = list(rows[0])
        random.Random(4).shuffle(names)
        write(raw / file, [{name: row[name] for name in names} for row in rows])
    # Read in the order of their names: the first becomes the last.
    (raw / BOROUGH_FILE).rename((raw / BOROUGH_FILE).with_name("MPS Borough Level Crime (z).csv"))
    (raw / "police_uk/2024-05").rename(raw / "police_uk/z")


def split_months(raw):
    """Planted: only the newest of a snapshot's files read."""
    rows = read(raw / BOROUGH_FILE)
    for name, months in (("one", TWO_YEARS[:11]), ("two", TWO_YEARS[11:])):
        part = [{key: row[key] for key in ["MajorText", "MinorText", "BoroughName", *months]} for row in rows]
        write((raw / BOROUGH_FILE).with_name(f"MPS Borough Level Crime ({name}).csv"), part)
    (raw / BOROUGH_FILE).unlink()


def rename_boroughs(raw):
    """Planted: `places.borough_code` taking a name as it is spelt."""
    rows, names = read(raw / BOROUGH_FILE), {"Barnet": "BARNET ", "Tower Hamlets": " tower  hamlets"}
    write(raw / BOROUGH_FILE, [row | {"BoroughName": names.get(row["BoroughName"], "Unknown")} for row in rows])


def add_a_borough_without_offences(raw):
    """Planted: the grid of `tables._by_group` made of the boroughs that the file names."""
    rows = read(raw / BOROUGH_FILE)
    none = [row | {"BoroughName": "Brent"} | dict.fromkeys(TWO_YEARS, 0) for row in rows[: len(rows) // 3]]
    write(raw / BOROUGH_FILE, none + rows)


@pytest.mark.parametrize(
    "done", [shuffle_rows, shuffle_months_and_files, split_months, rename_boroughs, add_a_borough_without_offences]
)
def test_what_holds_the_same_counts_makes_the_same_edition(original, rebuilt, done):
    made = rebuilt(done)
    assert made.tables == original.tables
    assert [name for name in made.tables if not made.table(name).equals(original.table(name))] == []


# The measures of change, on the committed edition ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def robberies():
    """Robberies of every borough and month held, and their changes over the year."""
    monthly = wardbook.open("London", str(YEAR)).monthly().filter(offence_group="robbery")
    return monthly, robbery_changes(monthly)


def robbery_changes(monthly):
    return change.compare(monthly, YEAR.earlier(), YEAR, declared_breaks(), "borough_offences").sort("borough_code")


def test_two_boroughs_that_change_names_change_places_and_nothing_else(robberies):
    """Planted: the rest of London less the borough in the row above, in `change.with_rest_of_london`."""
    monthly, before = robberies
    swap = pl.col("borough_code").replace({"E09000003": TOWER_HAMLETS, TOWER_HAMLETS: "E09000003"})
    after = robbery_changes(monthly.with_columns(swap).sample(fraction=1, shuffle=True, seed=5)).with_columns(swap)
    columns = ["borough_code", "before", "after", "relative_percent", "against_london", "as_far", "of"]
    assert_frame_equal(after.select(columns).sort("borough_code"), before.select(columns))


def test_months_that_change_places_within_a_year_change_nothing(robberies):
    """Planted: a window that leaves out its last month."""
    monthly, before = robberies
    month = pl.col("month")
    turned = pl.when(month.dt.month() == 3).then(month.dt.offset_by("-11mo")).otherwise(month.dt.offset_by("1mo"))
    whole = monthly.filter(month <= YEAR.last).with_columns(turned)
    columns = ["borough_code", "before", "after", "relative_percent"]
    assert robbery_changes(whole).select(columns).equals(before.select(columns))


def test_an_offence_that_moves_to_another_borough_moves_exactly_two_relative_changes(robberies):
    """Planted: the rest of London less the borough in the row above, in `change.with_rest_of_london`."""
    monthly, before = robberies
    more = pl.col("borough_code").replace_strict({"E09000003": 1, TOWER_HAMLETS: -1}, default=0)
    after = robbery_changes(monthly.with_columns(pl.col("offences") + more * (pl.col("month") == YEAR.last)))
    both = before.join(after, on="borough_code", suffix="_moved")
    moved = both.filter((pl.col("relative_percent") - pl.col("relative_percent_moved")).abs() > 1e-9)
    assert moved["borough_code"].to_list() == ["E09000003", TOWER_HAMLETS]
    assert (moved["relative_percent_moved"] > moved["relative_percent"]).to_list() == [True, False]
    london = both.filter(borough_code=places.LONDON_CODE)
    assert london["change_percent"].equals(london["change_percent_moved"].alias("change_percent"))


# What changes in a known way ------------------------------------------------------------------------------------------


def test_scaling_all_counts_scales_rates_and_leaves_ratios(original, rebuilt):
    """Planted: half an offence added to both counts of `Change.percents`, which moves every percentage a little."""

    def triple(raw):
        for file in (BOROUGH_FILE, WARD_FILE):
            rows = read(raw / file)
            write(raw / file, [row | {m: 3 * int(row[m]) for m in TWO_YEARS} for row in rows])
        for file in STOP_FILES:
            write(raw / file, [row for row in read(raw / file) for _ in range(3)])

    made = rebuilt(triple)
    before, after = changes(original), changes(made)
    counted = before["change_percent"].is_not_null()
    assert counted.sum() > 15
    assert after["before"].equals(3 * before["before"]) and after["after"].equals(3 * before["after"])
    percents = [table.filter(counted)["change_percent"].to_list() for table in (before, after)]
    assert percents[1] == pytest.approx(percents[0], rel=1e-12)
    one, three = (relative_rate(searched(edition), PEOPLE) for edition in (original, made))
    assert three.rate_group == pytest.approx(3 * one.rate_group, rel=1e-12)
    # Three times the searches on the same days are no more days: the interval is no narrower.
    for name in ("ratio", "known_only", "bound_low", "bound_high", "unknown_share", "lower", "upper"):
        assert getattr(three, name) == pytest.approx(getattr(one, name), rel=1e-12), name


def test_swapping_the_years_inverts_the_ratio(original, rebuilt):
    """Planted: a hundredth added to each percentage in `change.against_london`."""

    def swap(raw):
        rows = read(raw / BOROUGH_FILE)
        other = dict(zip(TWO_YEARS, TWO_YEARS[12:] + TWO_YEARS[:12]))
        write(raw / BOROUGH_FILE, [row | {m: row[other[m]] for m in TWO_YEARS} for row in rows])

    both = changes(original).join(changes(rebuilt(swap)), on="offence_group", suffix="_back")
    both = both.drop_nulls(["change_percent", "change_percent_back"])
    assert both.height > 15
    assert both["before"].to_list() == both["after_back"].to_list()
    ratios = (1 + both["change_percent"] / 100) * (1 + both["change_percent_back"] / 100)
    assert ratios.to_list() == pytest.approx([1] * both.height, rel=1e-9)


def test_wards_and_what_has_no_ward_sum_to_the_borough(rebuilt):
    """Planted: one ward lost in `tables.ward_offences`."""
    lost = 5

    def reconcile(raw):
        groups = {}
        for row in read(raw / WARD_FILE):
            mine = groups.setdefault((row["MajorText"], row["MinorText"]), dict.fromkeys(TWO_YEARS, lost))
            for month in TWO_YEARS:
                mine[month] += int(row[month])
        rows = read(raw / BOROUGH_FILE)
        for row in rows:
            if row["BoroughName"] == "Tower Hamlets":
                row |= groups[row["MajorText"], row["MinorText"]]
        write(raw / BOROUGH_FILE, rows)

    made = rebuilt(reconcile)
    kinds = Counter(pl.read_csv(places.REFERENCE / "offence_groups.csv").filter(taxonomy=UPPER)["offence_group"])
    here = accounts.ward_shortfall(made).filter(area_code=TOWER_HAMLETS)
    assert (here["total"] - here["in_wards"]).to_list() == [lost * kinds[change.TOTAL]] * 24
    for item in ("robbery", "shoplifting", "burglary"):
        months = made.table("borough_offences").filter(borough_code=TOWER_HAMLETS, offence_group=item)
        borough = months.filter(YEAR.within(pl.col("month")))["offences"].sum()
        in_wards = wards.ward_years(made.table("ward_offences"), item, [YEAR])[str(YEAR)].sum()
        assert borough == in_wards + 12 * lost * kinds[item]


def test_stops_of_boroughs_and_the_unplaced_sum_to_the_files(original, rebuilt):
    """Planted: stops without a place dropped in `edition._make_tables` before they are tallied."""

    def unplace(raw):
        rows = read(raw / STOP_FILES[0])
        for row in rows[::7]:
            row |= {"Latitude": None, "Longitude": None}
        write(raw / STOP_FILES[0], rows)

    made = rebuilt(unplace)
    tally, coverage = made.table("stops"), made.table("stop_coverage")
    placed = tally.group_by(pl.col("borough_code") == "unplaced").agg(pl.col("stops").sum()).rows()
    assert sum(n for _, n in placed) == coverage["rows"].sum() == original.table("stop_coverage")["rows"].sum()
    assert dict(placed)[True] == coverage["unplaced"].sum() > 0
    for name in ("searches", "searches_by_day"):
        assert made.table(name)["searches"].sum() == coverage["rows"].sum(), name
