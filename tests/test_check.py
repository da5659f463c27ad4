"""What a check must find: made-up editions with one thing wrong each, then the committed one's own limits."""

from __future__ import annotations

import hashlib
import json
from datetime import date

import polars as pl
import pytest

from wardbook import check, places, tables
from wardbook.check import Finding
from wardbook.edition import edition_id, open_edition
from wardbook.periods import breaks_between, declared_breaks
from wardbook.places import LONDON, UNKNOWN

BARNET, HILLINGDON, TOWER_HAMLETS = "E09000003", "E09000017", "E09000030"
MONTHS = [date(2024, month, 1) for month in (4, 5, 6, 7)]
CODES = [*places.boroughs()["borough_code"], UNKNOWN]
COUNTS = [pl.col("offences", "airport_offences").cast(pl.Int32)]


def synthetic_boroughs(snapshot="2025-12", months=MONTHS, *, each=10, unknown=1):
    """Every borough and month with `each` offences of every group that adds up, and fewer of unknown borough."""
    grid = pl.DataFrame({"borough_code": CODES}).join(pl.DataFrame({"month": months}), how="cross")
    parts = grid.join(pl.DataFrame({"offence_group": [*tables.PARTITION, tables.TOTAL]}), how="cross")
    n = pl.when(pl.col("borough_code") == UNKNOWN).then(unknown).otherwise(each)
    total = pl.col("offence_group") == tables.TOTAL
    return parts.with_columns(
        pl.lit(snapshot).alias("snapshot"),
        (n * pl.when(total).then(len(tables.PARTITION)).otherwise(1)).alias("offences"),
        pl.lit(0).alias("airport_offences"),
    ).with_columns(COUNTS)


WARDS = pl.DataFrame(
    [
        ("E05009317", "Bethnal Green East", TOWER_HAMLETS, "2018 2024"),
        ("E05013631", "Edgware", BARNET, "2024"),
        ("E05000026", "Abbey", "E09000002", "2018"),
    ],
    schema=["ward_code", "ward", "borough_code", "vintages"],
    orient="row",
).with_columns(easting=pl.lit(534894.1), northing=pl.lit(183162.2))


def synthetic_wards(counts, snapshot="2025-12", months=MONTHS, group=tables.TOTAL):
    return pl.DataFrame(
        [(ward, month, group, snapshot, n) for ward, n in counts.items() for month in months],
        schema=["ward_code", "month", "offence_group", "snapshot", "offences"],
        orient="row",
    ).with_columns(pl.col("offences").cast(pl.Int32))


KNIFE = pl.DataFrame(
    [
        (BARNET, MONTHS[0], "Knife Crime", 10, 2, 9),
        (TOWER_HAMLETS, MONTHS[0], "Knife Crime", 30, 4, 30),
        (UNKNOWN, MONTHS[0], "Knife Crime", 2, 0, 3),
    ],
    schema=["borough_code", "month", "subtype", "offences", "positive_outcomes", "team_offences"],
    orient="row",
).cast({pl.Int64: pl.Int32})
COVERAGE = pl.DataFrame(
    {
        "force": ["metropolitan"] * 2,
        "month": MONTHS[:2],
        "rows": [90, 110],
        "unplaced": [10, 12],
        "complete": [True, True],
        "why_not": pl.Series([None, None], dtype=pl.String),
        **dict.fromkeys(("exact_duplicates", "without_age", "without_ethnicity"), [0, 0]),
        "last_day": [date(2024, 4, 30), date(2024, 5, 31)],
    }
).cast({pl.Int64: pl.Int32})


@pytest.fixture
def synthetic_edition(tmp_path):
    """Write made-up tables as an edition and open it."""

    def write(**frames):
        folder = tmp_path / "edition"
        folder.mkdir(exist_ok=True)
        entries = {}
        for name, frame in frames.items():
            frame.write_parquet(folder / f"{name}.parquet")
            digest = hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest()
            entries[name] = {"rows": frame.height, "sha256": digest, "sources": []}
        manifest = {"tables": entries, "inputs": [], "sources": {}, "reference": {}}
        manifest["edition"] = edition_id(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return open_edition(folder)

    return write


def found(edition, level):
    return [finding.text for finding in check.check(edition) if finding.level == level]


# What is wrong --------------------------------------------------------------------------------------------------------


def test_an_edition_that_adds_up_has_nothing_wrong(synthetic_edition):
    edition = synthetic_edition(
        borough_offences=synthetic_boroughs(),
        ward_offences=synthetic_wards({"E05009317": 100, "E05013631": 99}),
        wards=WARDS,
        knife_offences=KNIFE,
        stop_coverage=COVERAGE,
    )
    assert found(edition, "wrong") == []
    assert set(found(edition, "ok")) >= {
        "5 tables match the manifest's SHA-256, its rows and their schemas",
        "borough offences, snapshot 2025-12: every borough × month × group from April 2024 to July 2024",
        "borough offences: the eleven groups sum to the total excluding fraud, every borough and month",
        "no stub month",
        "no offences apart under the airports",
        "ward offences: 100% of the ward codes are wards of 2024",
        "knife crime: the teams sum exactly to the boroughs, force-wide, every financial year and subtype",
    }
    assert {type(finding) for finding in check.check(edition)} == {Finding}


def without(frame, **row):
    """All rows but those whose every named column holds the value."""
    return frame.filter(~pl.all_horizontal(pl.col(name) == value for name, value in row.items()))


@pytest.mark.parametrize(
    ("hole", "said"),
    [
        ({"borough_code": BARNET, "month": MONTHS[1], "offence_group": "robbery"}, "1583 rows where 1584 are wanted"),
        ({"borough_code": BARNET, "month": MONTHS[1]}, "1572 rows where 1584 are wanted"),
        ({"month": MONTHS[1]}, "1 months missing"),
        ({"borough_code": BARNET}, "borough offences, snapshot 2025-12: "),
    ],
    ids=["a cell", "a borough's month", "a month of all", "a borough"],
)
def test_a_hole_in_the_grid_is_wrong(synthetic_edition, hole, said):
    wrong = found(synthetic_edition(borough_offences=without(synthetic_boroughs(), **hole)), "wrong")
    assert any(said in text for text in wrong)


def test_a_hole_in_one_snapshot_is_wrong_though_another_is_whole(synthetic_edition):
    whole, holed = synthetic_boroughs(), without(synthetic_boroughs("2025-11"), borough_code=BARNET, month=MONTHS[0])
    wrong = found(synthetic_edition(borough_offences=pl.concat([holed, whole])), "wrong")
    assert len(wrong) == 1
    assert wrong[0].startswith("borough offences, snapshot 2025-11: 1572 rows where 1584 are wanted")


def scaled(frame, month, by):
    """One month's counts made larger or smaller, in every group alike."""
    count = pl.when(pl.col("month") == month).then((pl.col("offences") * by).cast(pl.Int32)).otherwise("offences")
    return frame.with_columns(count.alias("offences"))


@pytest.mark.parametrize("place", [0, 1, -1], ids=["first", "middle", "last"])
def test_a_stub_month_is_wrong(synthetic_edition, place):
    frame = scaled(synthetic_boroughs(unknown=10), MONTHS[place], 0.1)
    wrong = found(synthetic_edition(borough_offences=frame), "wrong")
    assert wrong == [f"stub months: {MONTHS[place]:%B %Y}"]


def test_a_quiet_month_is_no_stub(synthetic_edition):
    frame = scaled(synthetic_boroughs(unknown=10), MONTHS[0], 0.7)
    assert "no stub month" in found(synthetic_edition(borough_offences=frame), "ok")


@pytest.mark.parametrize("group", ["robbery", tables.TOTAL])
def test_groups_that_do_not_add_up_are_wrong(synthetic_edition, group):
    cell = (pl.col("borough_code") == BARNET) & (pl.col("month") == MONTHS[2]) & (pl.col("offence_group") == group)
    changed = pl.when(cell).then(pl.col("offences") + 1).otherwise("offences")
    frame = synthetic_boroughs().with_columns(changed.cast(pl.Int32).alias("offences"))
    wrong = found(synthetic_edition(borough_offences=frame), "wrong")
    assert wrong == ["borough offences: the groups do not sum to the total in 1 borough-months"]


def test_a_group_left_out_does_not_add_up(synthetic_edition):
    frame = without(synthetic_boroughs(), offence_group="burglary")
    wrong = found(synthetic_edition(borough_offences=frame), "wrong")
    assert wrong == ["borough offences: the groups do not sum to the total in 132 borough-months"]


def test_a_table_without_its_total_is_wrong(synthetic_edition):
    # Nothing to hold the groups against is not the same as nothing found.
    frame = without(synthetic_boroughs(), offence_group=tables.TOTAL)
    assert found(synthetic_edition(borough_offences=frame), "wrong") != []


def test_teams_that_do_not_sum_to_the_boroughs_are_wrong(synthetic_edition):
    assert found(synthetic_edition(knife_offences=KNIFE), "wrong") == []
    more = pl.when(pl.col("borough_code") == BARNET).then(pl.col("team_offences") + 1).otherwise("team_offences")
    wrong = found(synthetic_edition(knife_offences=KNIFE.with_columns(more.alias("team_offences"))), "wrong")
    assert wrong == ["knife crime: teams and boroughs differ in 1 year × subtype totals"]


def test_teams_are_held_against_the_boroughs_year_by_year(synthetic_edition):
    # Right in sum, wrong in each year.
    later = KNIFE.with_columns(pl.lit(date(2025, 4, 1)).alias("month"), pl.col("team_offences") + 1)
    sooner = KNIFE.with_columns((pl.col("team_offences") - 1).alias("team_offences"))
    wrong = found(synthetic_edition(knife_offences=pl.concat([sooner, later])), "wrong")
    assert wrong == ["knife crime: teams and boroughs differ in 2 year × subtype totals"]


def test_ward_codes_of_another_vintage_are_wrong(synthetic_edition):
    wards = synthetic_wards({"E05009317": 100, "E05000026": 100})
    wrong = found(synthetic_edition(ward_offences=wards, wards=WARDS), "wrong")
    assert len(wrong) == 1
    assert wrong[0].startswith("ward offences: only 1 of 2 ward codes (50.0%) are in the wards of 2024; ")


def test_wards_with_nothing_to_hold_them_against_are_a_note(synthetic_edition):
    edition = synthetic_edition(ward_offences=synthetic_wards({"E05009317": 100}))
    assert "ward offences: no table of wards to hold their codes against" in found(edition, "note")
    assert found(edition, "wrong") == []


def test_a_borough_missing_from_the_census_is_wrong(synthetic_edition):
    codes = pl.DataFrame({"borough_code": ["E09000001", *CODES[:-1]]})
    population = codes.with_columns(
        pl.format("E05{}", pl.col("borough_code").str.slice(3)).alias("ward_code"),
        pl.lit("White").alias("ethnic_group"),
        pl.lit(1000, dtype=pl.Int32).alias("residents"),
    )
    right = "population: 33,000 residents in 33 wards of 33 boroughs"
    assert right in found(synthetic_edition(population=population), "ok")
    wrong = found(synthetic_edition(population=population.head(32)), "wrong")
    assert wrong == ["population: 32 boroughs where 33 are wanted"]


# What it may not be used for ------------------------------------------------------------------------------------------


def test_a_table_that_is_absent_is_noted(synthetic_edition):
    notes = found(synthetic_edition(wards=WARDS), "note")
    for name in ("borough offences", "ward offences", "knife offences", "stop coverage", "population", "confidence"):
        assert f"no {name}: nothing that needs it can be said" in notes


def test_months_with_many_offences_of_unknown_borough_are_noted(synthetic_edition):
    # 12 of 332 offences of each group are 3.6 %; 9 of 329 are 2.7 %.
    few, many = synthetic_boroughs(months=MONTHS[:3], unknown=9), synthetic_boroughs(months=MONTHS[3:], unknown=12)
    notes = found(synthetic_edition(borough_offences=pl.concat([few, many])), "note")
    assert "borough comparisons: more than 3% of offences have no borough in 1 months: 2024-25 (1 months)" in notes


def test_offences_at_the_airports_are_noted(synthetic_edition):
    here = (pl.col("borough_code") == HILLINGDON) & (pl.col("month") == MONTHS[1])
    here &= pl.col("offence_group").is_in(["robbery", tables.TOTAL])
    frame = synthetic_boroughs().with_columns(pl.when(here).then(3).otherwise(0).alias("airport_offences"))
    notes = found(synthetic_edition(borough_offences=frame), "note")
    (note,) = [text for text in notes if text.startswith("Hillingdon")]
    assert note == (
        "Hillingdon: 3 offences recorded apart under the airports, May 2024 to May 2024, are counted in it and marked; "
        "London City Airport is in Newham"
    )


def test_months_of_stops_cut_short_are_noted(synthetic_edition):
    partial = COVERAGE.with_columns(
        pl.Series("complete", [True, False]), pl.Series("why_not", [None, "ends on the 17th"])
    )
    notes = found(synthetic_edition(stop_coverage=partial), "note")
    assert "stop and search: incomplete months, no end point of a comparison: May 2024 (ends on the 17th)" in notes
    assert "stop and search: 11.0% of stops have no place in London and are in London totals only" in notes
    whole = found(synthetic_edition(stop_coverage=COVERAGE), "note")
    assert "stop and search: incomplete months, no end point of a comparison: none" in whole


def test_what_a_survey_value_covers_is_noted(synthetic_edition):
    survey = pl.DataFrame(
        {"borough_code": [BARNET], "quarter_end": [date(2023, 12, 31)], "question": ["q"], "share": [0.5]}
    )
    notes = found(synthetic_edition(confidence=survey), "note")
    assert (
        "survey: to December 2023; each value covers the twelve months before it, so only values four quarters apart compare"
        in notes
    )


def test_offences_without_a_team_are_noted(synthetic_edition):
    # Barnet and Tower Hamlets: 39 of 40; those of no borough count in neither.
    notes = found(synthetic_edition(knife_offences=KNIFE), "note")
    assert any(text.startswith("knife crime: within the 32 boroughs 2.5% of offences have no team") for text in notes)


# Shortfalls and revisions ---------------------------------------------------------------------------------------------


@pytest.fixture
def two_levels(synthetic_edition):
    """Boroughs of 110 offences a month, 105 of them in a ward of Barnet and 99 in one of Tower Hamlets; 11 unknown."""
    return synthetic_edition(
        borough_offences=synthetic_boroughs(),
        ward_offences=pl.concat(
            [
                synthetic_wards({"E05009317": 99, "E05013631": 105}),
                synthetic_wards({"E05009317": 9, "E05013631": 9}, group="robbery"),
                synthetic_wards({"E05009317": 50}, snapshot="2025-03"),
            ]
        ),
        wards=WARDS,
    )


def test_a_boroughs_shortfall_is_the_share_without_a_ward(two_levels):
    table = check.ward_shortfall(two_levels)
    assert table.columns == ["snapshot", "borough_code", "month", "offences", "in_wards", "shortfall"]
    assert table["snapshot"].unique().to_list() == ["2025-12"]  # no snapshot is mixed with another
    assert table.height == 2 * 4
    assert table.filter(borough_code=TOWER_HAMLETS)["shortfall"].to_list() == pytest.approx([0.1] * 4)
    assert table.filter(borough_code=BARNET).select("offences", "in_wards").unique().row(0) == (110, 105)


def test_londons_shortfall_counts_what_has_no_borough(two_levels):
    table = check.london_shortfall(two_levels)
    total = 32 * 110 + 11
    assert table.select("snapshot", "total", "in_wards").unique().row(0) == ("2025-12", total, 204)
    assert table["month"].to_list() == MONTHS
    assert table["shortfall"].to_list() == pytest.approx([1 - 204 / total] * 4)
    notes = found(two_levels, "note")
    (note,) = [text for text in notes if text.startswith("ward offences: ward sums fall short")]
    assert "by 94.2% to 94.2% a month" in note


def test_an_areas_shortfall_stands_above_londons(two_levels):
    table = check.area_shortfall(two_levels, places.area("Tower Hamlets"))
    assert table.columns == ["area", "snapshot", "month", "total", "in_wards", "shortfall"]
    assert table["area"].to_list() == ["Tower Hamlets"] * 4 + [LONDON] * 4
    assert table["total"].to_list() == [110] * 4 + [3531] * 4
    alone = check.area_shortfall(two_levels, places.area("London"))
    assert alone.equals(table.filter(area=LONDON))


def test_no_snapshot_with_both_levels_is_noted(synthetic_edition):
    edition = synthetic_edition(
        borough_offences=synthetic_boroughs("2025-11"), ward_offences=synthetic_wards({"E05009317": 99}), wards=WARDS
    )
    assert check.ward_shortfall(edition).is_empty()
    notes = found(edition, "note")
    assert "ward offences: no snapshot has both levels, so the shortfall of ward sums is not known" in notes


def test_revisions_are_of_the_newest_snapshot_against_each_one_before(synthetic_edition):
    frames = [
        synthetic_boroughs("2025-10", each=50),
        synthetic_boroughs("2025-11", MONTHS[:3]),
        scaled(synthetic_boroughs("2025-12", MONTHS[1:]), MONTHS[1], 2),
    ]
    edition = synthetic_edition(borough_offences=pl.concat(frames))
    table = check.all_revisions(edition).filter(area_code=BARNET, older_snapshot="2025-11")
    assert table.select("month", "older", "newer").rows() == [(MONTHS[1], 110, 220), (MONTHS[2], 110, 110)]
    assert set(check.all_revisions(edition)["newer_snapshot"]) == {"2025-12"}


def test_one_snapshot_has_no_revisions(synthetic_edition):
    assert check.all_revisions(synthetic_edition(borough_offences=synthetic_boroughs())).is_empty()


# The committed edition: what data/README says of these files --------------------------------------------------------


@pytest.fixture(scope="module")
def committed():
    return open_edition()


def test_committed_ward_sums_fall_short_of_placed_offences_by_a_step_at_connect(committed):
    table = check.placed_shortfall(committed).filter(snapshot="2026-02")
    percent = dict(table.select("financial_year", 100 * pl.col("shortfall")).iter_rows())
    assert list(percent) == [f"{year}-{year % 100 + 1:02}" for year in range(2010, 2026)]
    assert [percent.pop(year) for year in ("2023-24", "2024-25", "2025-26")] == pytest.approx(
        [0.27, 3.26, 1.39], abs=0.02
    )
    assert list(percent.values()) == pytest.approx([0] * 13, abs=0.005)
    assert table["months"].to_list() == [12] * 15 + [11]


@pytest.mark.parametrize("group", ["robbery", tables.TOTAL])
def test_no_change_of_a_ward_across_march_2024_is_without_its_declared_step(group):
    table = declared_breaks()
    for first, last in ((date(2023, 4, 1), date(2025, 3, 1)), (date(2024, 2, 1), date(2024, 3, 1))):
        step = breaks_between(table, "ward_offences", group, first, last).filter(effect="cuts")
        assert "CRIS to CONNECT (wards)" in step["break_id"].to_list()
        assert "3.26% in 2024-25" in step["what"][-1]
    assert breaks_between(table, "ward_offences", group, date(2024, 3, 1), date(2026, 2, 1)).is_empty()
    across = breaks_between(table, "vawg_offences", "all", date(2023, 4, 1), date(2025, 3, 1))
    assert across["effect"].to_list() == ["cuts"]


def test_committed_ward_sums_of_a_month_fall_short_of_all_offences_too(committed):
    table = check.london_shortfall(committed)
    assert table["snapshot"].unique().sort().to_list() == ["2025-12", "2026-02"]
    percent = dict(table.filter(snapshot="2025-12").select("month", (100 * pl.col("shortfall")).round(1)).iter_rows())
    spell = [percent[date(2024, month, 1)] for month in range(3, 9)]
    assert (min(spell), max(spell)) == (5.0, 6.4)
    notes = found(committed, "note")
    assert any("by 0.8% to 19.1% a month, and the share moves" in text for text in notes)


def test_committed_shortfalls_of_the_boroughs(committed):
    table = check.ward_shortfall(committed).filter(snapshot="2025-12")
    assert table["borough_code"].n_unique() == 32
    boroughs = table.group_by("borough_code").agg((1 - pl.col("in_wards").sum() / pl.col("offences").sum()).alias("s"))
    shares = {code: round(100 * share, 1) for code, share in boroughs.iter_rows()}
    # With Heathrow Villages in Hillingdon, where its code puts it, no borough is far from the others.
    assert (min(shares.values()), max(shares.values())) == (1.0, 3.5)
    assert (shares[TOWER_HAMLETS], shares[HILLINGDON]) == (3.5, 2.1)
    # Before the move to CONNECT every offence with a borough had a ward: the whole shortfall was of unknown borough.
    assert table.filter(month=date(2024, 1, 1))["shortfall"].unique().to_list() == [0.0]
    # In five borough-months of 2025 the wards hold more than the borough, by up to 0.5 %.
    negative = table.filter(pl.col("shortfall") < 0)
    assert (negative.height, negative["month"].min(), round(negative["shortfall"].min(), 3)) == (
        5,
        date(2025, 6, 1),
        -0.005,
    )


def test_committed_area_shortfall(committed):
    table = check.area_shortfall(committed, places.area("Tower Hamlets"))
    assert table.group_by("area", maintain_order=True).len().rows() == [("Tower Hamlets", 191), (LONDON, 191)]
    assert check.area_shortfall(committed, places.area("London")).height == 191


def test_committed_ward_sums_change_the_sign_of_seven_boroughs(committed):
    year = pl.when(pl.col("month") < date(2024, 4, 1)).then(pl.lit("before")).otherwise(pl.lit("after"))
    wards = (
        committed.table("ward_offences")
        .filter(offence_group=tables.TOTAL, snapshot="2025-03")
        .join(committed.table("wards").select("ward_code", "borough_code"), on="ward_code")
        .group_by("borough_code", year.alias("year"))
        .agg(pl.col("offences").sum())
        .pivot("year", index="borough_code", values="offences")
    )
    boroughs = committed.borough_years.filter(
        pl.col("year").is_in([2023, 2024]), offence_group=tables.TOTAL, snapshot="2025-11"
    ).pivot("year", index="borough_code", values="offences")
    both = wards.join(boroughs, on="borough_code").with_columns(
        (100 * (pl.col("after") / pl.col("before") - 1)).alias("by_wards"),
        (100 * (pl.col("2024") / pl.col("2023") - 1)).alias("by_borough"),
    )
    here = both.filter(borough_code=TOWER_HAMLETS).select(pl.col("by_borough", "by_wards").round(1)).row(0)
    assert here == (1.2, -3.4)
    assert both.filter(pl.col("by_wards").sign() != pl.col("by_borough").sign()).height == 7


def test_committed_revisions_of_every_snapshot_at_both_levels(committed):
    table = check.all_revisions(committed)
    spans = table.group_by("table", "older_snapshot", maintain_order=True).agg(
        pl.col("month").min().alias("from"), pl.col("month").max().alias("to"), pl.col("area_code").n_unique()
    )
    assert spans.rows() == [
        ("borough_offences", "2025-11", date(2010, 4, 1), date(2025, 11, 1), 33),
        ("borough_offences", "2025-12", date(2024, 1, 1), date(2025, 12, 1), 33),
        ("ward_offences", "2025-03", date(2023, 4, 1), date(2025, 3, 1), 679),
        ("ward_offences", "2025-12", date(2024, 1, 1), date(2025, 12, 1), 679),
    ]
    march = table.filter(month=date(2025, 3, 1)).group_by("table", "older_snapshot").agg(pl.col("older").sum())
    # data/README point 7, without the five and the four of fraud.
    counts = {(name, snapshot): n for name, snapshot, n in march.iter_rows()}
    assert counts["borough_offences", "2025-11"] == 75_645 - 5
    assert counts["borough_offences", "2025-12"] == 75_671 - 5
    assert counts["ward_offences", "2025-12"] == 73_593 - 4


def test_committed_origins_say_who_converted_what_under_which_licence(committed):
    table = check.origins(committed)
    assert table["files"].sum() == len(committed.manifest["inputs"])
    crime = table.filter(pl.col("source").str.ends_with("borough level")).select("licence", "files").rows()
    assert sorted(crime) == [("Open Government Licence v2.0", 2), ("Open Government Licence v3.0", 3)]
    converted = table.filter(pl.col("by_way_of").str.contains("converted|saved|simplified"))
    assert converted["files"].sum() == 8 + 2 + 1  # the Met's Parquet files, the survey's two, the wards of 2024
    both = committed.manifest["sources"]["mps-borough-crime"]["attribution"]
    assert both.count("Contains public sector information") == 2


def test_committed_months_with_many_offences_of_unknown_borough(committed):
    totals = check.month_totals(committed).unique("month", keep="last", maintain_order=True)
    flagged = totals.filter(pl.col("unknown_share") > check.UNKNOWN_SHARE_LIMIT)
    shares = dict(flagged.select("month", (100 * pl.col("unknown_share")).round(1)).iter_rows())
    assert shares[date(2023, 10, 1)] == 9.8
    assert shares[date(2023, 3, 1)] == 6.1
    assert shares[date(2020, 3, 1)] == 19.1
    assert len(shares) == 23


def test_committed_accounts_by_source(committed):
    table = check.inputs(committed)
    assert table["files"].sum() == len(committed.manifest["inputs"])
    wards = table.filter(pl.col("source").str.ends_with("ward level")).row(0, named=True)
    assert (wards["files"], wards["rows_read"], wards["rows_kept"]) == (4, 76_414, 76_414)
    assert wards["what_was_odd"] == (
        "rows of a repeated (place, offence), summed: 100; stub month 202402 left out (offences in it): 40"
    )
