"""The register of statements and of plans: what the files say, what each statement comes to, and what a reader may add."""

import math
import re
from dataclasses import replace

import polars as pl
import pytest

from test_targets import LEAFLET
from wardbook import claim, periods, register
from wardbook.book import open_book
from wardbook.measures import claims as measures
from wardbook.schemas import SchemaViolation

# Before and after May 2008, 21 months each, with the printed percentage: METHODS, "The documents the workbook starts from".
WINDOWS = {
    "total notifiable offences": (1610463, 1466101, -9.0),
    "violence against the person": (319171, 307270, -3.7),
    "serious sexual offences": (11698, 12129, 3.7),
    "youth violence": (41287, 35574, -13.8),
    "robbery": (73301, 56842, -22.5),
    "residential burglary": (109686, 105496, -3.8),
    "motor vehicle crime": (222748, 179952, -19.2),
    "murder": (291, 229, -21.3),
    "domestic offences": (94432, 92869, -1.7),
    "racist and religious offences": (17008, 17180, 1.0),
    "homophobic offences": (1850, 2174, 17.5),
}


@pytest.fixture(scope="module")
def published():
    return register.read_claims()


@pytest.fixture(scope="module")
def checked(book, published):
    return claim.check_register(book, published)


def only(table: pl.DataFrame, **wanted: str) -> dict:
    rows = table.filter(**wanted)
    assert rows.height == 1, f"{rows.height} rows of {wanted}"
    return rows.row(0, named=True)


# -- the file -----------------------------------------------------------------------------------------------------------


def test_each_statement_of_the_file_has_its_place_and_speaker(published):
    assert published.select("office", "where", "claim", "measure", "source", "quality").null_count().row(0) == (0,) * 6
    assert "not stated" not in set(published["said_by"])
    judged = pl.col("kind").is_in(list(measures.CLAIMED))
    assert set(published.filter(~judged)["kind"]) == {"forecast", "slip"}
    assert published.filter(judged)["what_it_takes"].is_not_null().all()
    assert set(published["quality"]) <= {"A", "B", "C", "D"}, "general knowledge is never published"
    beside = published["beside"].drop_nulls().str.split(" | ").explode()
    assert set(beside) <= set(published["claim_id"])


def test_no_statement_names_a_person(published):
    # A title before a name; offices ("Borough Commander, Tower Hamlets") have none after them.
    person = re.compile(
        r"\b(Mr|Mrs|Ms|Miss|Dr|Sir|Dame|Lord|Lady|Cllr|Councillor|Inspector|Sergeant|PC|Superintendent|"
        r"Commander|Commissioner|Mayor)\.? (?!for\b|of\b)[A-Z][a-z]+"
    )
    assert person.search("said Commander Smith"), "the pattern must be able to fail"
    texts = [text for column in published.select(pl.col(pl.String)) for text in column.drop_nulls()]
    assert [text for text in texts if person.search(text)] == []


# -- the verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", WINDOWS)
def test_the_eleven_percentages_reproduce_with_their_days_and_overdispersion(checked, measure):
    before, after, printed = WINDOWS[measure]
    rows = checked.filter(pl.col("where").str.starts_with("Table of 21 months"))
    row = only(rows, measure=measure)
    assert (row["before"], row["after"], row["percent"]) == WINDOWS[measure]
    assert row["verdict"] == measures.REPRODUCES and row["holds"] == "percent | direction"
    assert round(100 * (after / before - 1), 1) == printed
    assert row["recomputed_percent"] == pytest.approx(100 * (after / before - 1), abs=1e-9)
    assert row["per_day_percent"] == pytest.approx(100 * (after / 641 / (before / 639) - 1), abs=1e-9)
    assert row["noise_low"] < row["recomputed_percent"] < row["noise_high"]
    limit = (math.log(after / before) / (1.959964 * math.sqrt(1 / before + 1 / after))) ** 2
    assert row["overdispersion_limit"] == pytest.approx(limit, rel=1e-5)
    # Below 1 the exact interval already covers no change, and only then.
    assert (row["noise_low"] <= 0 <= row["noise_high"]) == (limit < 1)
    # METHODS: murder and sexual offences lose significance at an overdispersion of about 2.
    assert measure not in ("murder", "serious sexual offences") or limit == pytest.approx(1.95, abs=0.1)


def test_the_windows_hold_twenty_one_months_but_other_days_and_months(checked):
    row = only(checked, claim_id="mpm-windows")
    assert row["verdict"] == measures.REPRODUCES and row["apart"]
    assert (row["months"], row["days_before"], row["days_after"]) == (21, 639, 641)
    before, after = (measures.calendar_months(row[name]) for name in ("baseline_period", "period"))
    assert [m for m in range(1, 13) if before[m] > after[m]] == [2, 3, 4]
    assert [m for m in range(1, 13) if before[m] < after[m]] == [5, 6, 7]


@pytest.mark.parametrize("measure", LEAFLET)
def test_the_seven_leaflet_rows_reproduce_with_their_ranges(checked, measure):
    row = only(checked.filter(area="Tower Hamlets", check="change"), measure=measure)
    assert row["verdict"] == measures.REPRODUCES
    change, percent, _, baselines = LEAFLET[measure]
    assert (row["change"], row["percent"]) == (change, percent)
    assert (row["baseline_low"], row["baseline_high"]) == baselines
    assert (row["outturn_low"], row["outturn_high"]) == tuple(base + change for base in baselines)
    # METHODS: knife crime (−21.5 %, +2.3 %), gun crime's exact interval (−0.5 %, +93.5 %).
    noise = {"knife crime": (-21.5, 2.3), "gun crime": (-0.5, 93.5)}
    if measure in noise:
        assert (row["noise_low"], row["noise_high"]) == pytest.approx(noise[measure], abs=0.1)


def test_over_thirty_per_cent_is_true_of_part(checked):
    row = only(checked, claim_id="th-vehicle-crime-over-30", verdict=measures.IN_PART, holds="theft from vehicles")
    assert (row["baseline_low"], row["baseline_high"]) == (2435 + 898, 2441 + 905)
    assert row["recomputed_percent"] == pytest.approx((100 * -869 / 3333 + 100 * -869 / 3346) / 2)


def test_vehicle_crime_in_lambeth_fell_and_the_row_says_of_which_kinds(checked):
    row = only(checked, claim_id="lambeth-vehicle", verdict=measures.REPRODUCES)
    four, two = row["items"]
    assert (four["offence_group"], four["before"], four["after"]) == ("vehicle offences", 3632, 2674)
    assert (two["offence_group"], two["before"], two["after"]) == ("vehicle crime", 3063, 2308)
    assert (round(four["change_percent"], 1), round(two["change_percent"], 1)) == (-26.4, -24.6)
    # As the command answers it.
    years = map(periods.read_period, ("year to 2024-11", "year to 2025-11"))
    answer = claim.answer(open_book("Lambeth"), "vehicle offences", *years).row
    pairs = {"recomputed_percent": "change_percent", "london_percent": "london_change_percent"}
    assert all(row[name] == answer[other] for name, other in pairs.items())


def test_shares_bounds_the_revised_base_and_what_is_no_claim(checked):
    arrests = only(checked, claim_id="stops-arrest-share")
    assert arrests["percent"] is None and round(arrests["recomputed_percent"], 2) == 14.19
    assert arrests["noise_low"] < 14.19 < arrests["noise_high"]
    decrease = only(checked, claim_id="stops-decrease")
    assert decrease["verdict"] == measures.AGREES and decrease["difference"] == -11696
    boys = only(checked, claim_id="none-of-26")
    assert (round(boys["upper_bound"], 1), round(boys["upper_bound_other"], 1)) == (10.9, 5.3)
    # The bound is the share at which seeing none in 26 has a chance of one in twenty.
    assert (1 - measures.zero_upper_bound(26)) ** 26 == pytest.approx(0.05)
    assert only(checked, claim_id="mps-satisfaction-gap")["difference"] == pytest.approx(4.9)


def test_a_priority_is_an_aim_and_is_shown_across_sources(book, checked):
    row = only(checked, claim_id="th-priority-acquisitive")
    assert row["verdict"] == measures.UNCHECKED
    here = {"borough_code": "E09000030", "offence_group": "serious acquisitive crime", "snapshot": "2026-02"}
    year = periods.read_period("2010-11").within(pl.col("month"))
    counts = book.table("borough_offences").filter(year, **here)
    assert row["outturn_low"] == row["outturn_high"] == counts["offences"].sum()
    assert (row["baseline_low"], row["baseline_high"]) == (918 + 931 + 1667 + 797, 1084 + 939 + 1673 + 804)
    without = only(measures.check(register.read_claims()), claim_id="th-priority-acquisitive")
    assert without["verdict"] == measures.UNCHECKED and without["recomputed_percent"] is None


def test_what_is_measured_of_hours_wards_and_plans(checked):
    owl = only(checked, claim_id="owl-officers-time", verdict=measures.IN_PART)
    assert owl["recomputed_percent"] == pytest.approx(100 * 24383 / 117084, abs=0.01)  # EVIDENCE, 2b, to whole hours
    vauxhall = only(checked, claim_id="lambeth-vauxhall")
    assert (vauxhall["rank"], vauxhall["of"]) == (2, 25)


def supported(row: dict) -> bool:
    """A statement recomputed in plain Python, from its own cells and nothing of the library."""
    if row["check"] == "change" and row["before"] is not None:
        change = 100 * (row["after"] - row["before"]) / row["before"]
        right = row["direction"] in (None, "fall" if change < 0 else "rise")
        return right and abs(change - row["percent"]) <= 0.5 * 10 ** -row["decimals"] + 1e-9
    if row["check"] == "change":
        guess = abs(round(100 * row["change"] / row["percent"]))
        near = range(max(1, guess - guess // 5), guess + guess // 5 + 2)
        return any(abs(100 * row["change"] / b - row["percent"]) <= 0.05 + 1e-9 for b in near)
    if row["check"] == "arithmetic":
        return abs(row["after"] - row["before"] - row["change"]) <= 0.5 * 10 ** -row["decimals"] + 1e-9
    met = row["percent"] <= row["target"] if row["direction"] == "fall" else row["percent"] >= row["target"]
    return met == (row["printed_verdict"] == "achieved")


def test_every_arithmetical_verdict_is_confirmed_by_a_second_computation(checked):
    target = (pl.col("check") == "target") & pl.col("target").is_not_null()
    checks = pl.col("check").is_in(["change", "arithmetic"]) | target
    rows = checked.filter(checks, pl.col("verdict") != measures.AGREES)
    assert rows.height == 30
    for row in rows.iter_rows(named=True):
        assert supported(row) == (row["verdict"] == measures.REPRODUCES), row["claim_id"]


def test_a_figure_a_little_off_agrees_and_one_further_off_does_not(published):
    base = dict.fromkeys(published.columns) | {"kind": "trend", "check": "change", "before": 1000.0, "after": 900.0}
    rows = [base | {"claim_id": str(p), "percent": p, "decimals": 1} for p in (-10.0, -10.1, -10.2)]
    # "A tenth" is −9.6 % in whole per cent, and as it is written where no decimals are told; no change is no fall of 1 %.
    whole = [(904.0, -10.0, None), (908.0, -10.0, 0), (1000.0, -1.0, 0)]
    rows += [base | {"claim_id": str(a), "after": a, "percent": p, "decimals": d} for a, p, d in whole]
    verdicts = measures.check(pl.DataFrame(rows, schema=published.schema))["verdict"].to_list()
    assert verdicts == [
        measures.REPRODUCES,
        measures.AGREES,
        measures.DIFFERS,
        measures.REPRODUCES,
        *[measures.DIFFERS] * 2,
    ]


# -- a reader's own -----------------------------------------------------------------------------------------------------

OWN = "claim_id,document,office,claim,kind,check,source,before,after,percent,direction\n"


RECORDED = "item,area,period,baseline_period"


def write(tmp_path, *lines: str, header: str = OWN):
    path = tmp_path / "own.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_a_readers_row_gets_the_same_treatment(tmp_path, published, book):
    path = write(
        tmp_path,
        "mine,A paper,A council,Murder fell by a fifth,trend,change,A paper,291,229,-21.3,fall",
        "half,A paper,A council,Murder fell by a third,trend,change,A paper,291,229,-33,fall",
        "none,A paper,A council,Murder rose by a third,trend,change,A paper,291,229,33,rise",
        "praise,A paper,A council,A fine year,rhetoric,none,A paper,,,,",
    )
    claims = register.read_claims(path)
    assert claims.height == published.height + 4 and claims["said_by"][-1] == "not stated"
    table = measures.check(claims)
    mine, theirs = only(table, claim_id="mine"), only(table, claim_id="mpm-murder")
    assert mine["verdict"] == measures.REPRODUCES
    for name in ("recomputed_percent", "noise_low", "noise_high", "overdispersion_limit"):
        assert mine[name] == theirs[name]
    others = [only(table, claim_id=name)["verdict"] for name in ("half", "none", "praise")]
    assert others == [measures.IN_PART, measures.DIFFERS, measures.NOT_A_CLAIM]


@pytest.mark.parametrize(
    ("header", "line", "says"),
    [
        ("before,after,percent", "trend,change,S,,2,,", "before: None; allowed: the check 'change' needs before and"),
        ("successes,trials,percent", "figure,proportion,S,5,4,3,", "successes: 5; allowed: at most the trials, 4"),
        ("before,after,percent", "trend,change,S,291,229,21.3,fall", "percent: 21.3; allowed: less than 0 of a fall"),
        (RECORDED, "trend,recorded,S,robbery,Lambet,2024-25,2023-24,fall", "area: 'Lambet'; allowed: .*'Lambeth'?"),
        (RECORDED, "trend,recorded,S,robbery,Lambeth,2024-25,2023-25,fall", "baseline_period: '2023-25'; allowed: "),
        (RECORDED, "trend,recorded,S,robery,Lambeth,2024-25,2023-24,fall", "item: 'robery'; allowed: .*'robbery'?"),
    ],
)
def test_a_readers_row_that_cannot_be_checked_is_refused(tmp_path, book, header, line, says):
    path = write(tmp_path, f"a,D,O,C,{line}", header=OWN.replace("before,after,percent", header))
    with pytest.raises(SchemaViolation, match=rf"own\.csv, line 2, column {says}"):
        register.read_claims(path, claim.offences(book))


# -- an edition that lacks a table --------------------------------------------------------------------------------------


def test_what_an_edition_does_not_hold_leaves_a_statement_unchecked(book, published):
    held = book.edition.manifest["tables"]
    lacking = {name: held[name] for name in ("borough_offences", "population")}
    bare = replace(book, edition=replace(book.edition, manifest=book.edition.manifest | {"tables": lacking}))
    rows = published.filter(pl.col("claim_id").is_in(["lambeth-visible", "lambeth-vauxhall"]))
    assert set(claim.check_register(bare, rows)["verdict"]) == {measures.UNCHECKED}
