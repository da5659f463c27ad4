"""What a check must find: made-up editions with one thing wrong each, then the committed one's own limits."""

from __future__ import annotations

import hashlib
import json
from datetime import date

import polars as pl
import pytest

from wardbook import accounts, check, places, tables
from wardbook.edition import edition_id, open_edition
from wardbook.periods import breaks_between, declared_breaks, financial_year_of
from wardbook.places import LONDON_CODE, UNKNOWN

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
    [("E05009317", "Bethnal Green East", TOWER_HAMLETS, "2018 2024"), ("E05013631", "Edgware", BARNET, "2024")],
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
    [(BARNET, MONTHS[0], "Knife Crime", 10, 2, 9), (UNKNOWN, MONTHS[0], "Knife Crime", 2, 0, 3)],
    schema=["borough_code", "month", "subtype", "offences", "positive_outcomes", "team_offences"],
    orient="row",
).cast({pl.Int64: pl.Int32})
COVERAGE = pl.DataFrame(
    {
        "force": ["metropolitan"] * 2,
        "month": MONTHS[:2],
        "rows": [90, 110],
        "unplaced": [10, 12],
        "complete": [True, False],
        "why_not": [None, "ends on the 17th"],
        **dict.fromkeys(("exact_duplicates", "without_age", "without_ethnicity"), [0, 0]),
        "last_day": [date(2024, 4, 30), date(2024, 5, 17)],
    }
).cast({pl.Int64: pl.Int32})
VAWG = pl.DataFrame(
    [
        ("borough", BARNET, MONTHS[0], "all", 10),
        ("ward", "E05013631", MONTHS[0], "all", 9),
        ("London", LONDON_CODE, MONTHS[0], "a", 6),
        ("London", LONDON_CODE, MONTHS[0], "b", 4),
    ],
    schema=["level", "area_code", "month", "kind", "offences"],
    orient="row",
).cast({pl.Int64: pl.Int32})
OUTCOMES = pl.DataFrame(
    [(BARNET, MONTHS[0], "burglary", 7, 2), (BARNET, MONTHS[0], tables.ALL_BUSINESS, 7, 2)],
    schema=["borough_code", "month", "offence_group", "outcomes", "positive_outcomes"],
    orient="row",
).cast({pl.Int64: pl.Int32})
POPULATION = pl.DataFrame({"borough_code": CODES[:-1]}).with_columns(
    pl.format("E05{}", pl.col("borough_code").str.slice(3)).alias("ward_code"),
    pl.lit("White").alias("ethnic_group"),
    pl.lit(1000, dtype=pl.Int32).alias("residents"),
)
SURVEY = pl.DataFrame({"borough_code": [BARNET], "quarter_end": [date(2023, 12, 31)], "question": "q", "share": 0.5})


@pytest.fixture
def synthetic_edition(tmp_path):
    """Write made-up tables as an edition and open it."""

    def write(**frames):
        entries = {}
        for name, frame in frames.items():
            frame.write_parquet(tmp_path / f"{name}.parquet")
            digest = hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).hexdigest()
            entries[name] = {"rows": frame.height, "sha256": digest, "sources": []}
        manifest = {"tables": entries, "inputs": [], "sources": {}, "reference": {}}
        manifest["edition"] = edition_id(manifest)
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        return open_edition(tmp_path)

    return write


def texts(edition, level):
    return [finding.text for finding in check.check(edition) if finding.level == level]


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
        knife_offences=KNIFE,
        stop_coverage=COVERAGE,
        vawg_offences=VAWG,
        outcomes=OUTCOMES,
        population=POPULATION,
        confidence=SURVEY,
    )


# What is wrong, and what it may not be used for -----------------------------------------------------------------------


def test_an_edition_that_adds_up_has_nothing_wrong_and_says_its_limits(two_levels):
    assert texts(two_levels, "wrong") == []
    assert len(texts(two_levels, "ok")) == 1 + len(check.RELATIONS)
    notes = texts(two_levels, "note")
    for says in (
        "borough comparisons: more than 3% of offences have no borough in 0 months: none",
        "ward offences: ward sums fall short of the boroughs by 94.2% to 94.2% a month",
        "violence against women and girls: 10.0% of offences have no ward",
        "stop and search: incomplete months, no end point of a comparison: May 2024 (ends on the 17th)",
        "stop and search: 11.0% of stops have no place in London",
        "survey: to December 2023; each value covers the twelve months before it",
        "no engagement captures: nothing that needs it can be said",
    ):
        assert any(note.startswith(says) for note in notes), says


def without(frame, **row):
    """All rows but those whose every named column holds the value."""
    return frame.filter(~pl.all_horizontal(pl.col(name) == value for name, value in row.items()))


def added(frame, column, by=1, **row):
    """The rows whose every named column holds the value, their count raised."""
    here = pl.all_horizontal(pl.col(name) == value for name, value in row.items())
    return frame.with_columns(pl.when(here).then(pl.col(column) + by).otherwise(column).cast(pl.Int32).alias(column))


WHOLE = synthetic_boroughs()
TWICE = pl.concat([without(synthetic_boroughs("2025-11"), borough_code=BARNET, month=MONTHS[0]), WHOLE])
CELL = {"borough_code": BARNET, "month": MONTHS[1]}
LATER = pl.col("month").dt.offset_by("1y")
# Right in sum, wrong in each year.
FEWER, MORE = (added(KNIFE, "team_offences", by, borough_code=BARNET) for by in (-1, 1))
WRONG = {
    "a cell": ("borough_offences", without(WHOLE, **CELL, offence_group="robbery"), "in 1 rows, first borough_code E09"),
    "a borough's month": ("borough_offences", without(WHOLE, **CELL), "in 12 rows, first"),
    "a month of all": ("borough_offences", without(WHOLE, month=MONTHS[1]), "in 396 rows, first"),
    "a borough": ("borough_offences", without(WHOLE, borough_code=BARNET), "in 48 rows, first"),
    "one of two snapshots": ("borough_offences", TWICE, "in 12 rows, first"),
    "a group": ("borough_offences", without(WHOLE, offence_group="burglary"), "in 132 rows, first"),
    "no total": ("borough_offences", without(WHOLE, offence_group=tables.TOTAL), "in 132 rows, first"),
    "a part": ("borough_offences", added(WHOLE, "offences", **CELL, offence_group="robbery"), "are their sums: not so in 1"),
    "a team's offence": ("knife_offences", added(KNIFE, "team_offences", borough_code=BARNET), "first year 2024"),
    "a team's year": ("knife_offences", pl.concat([FEWER, MORE.with_columns(LATER)]), "in 2 rows"),
    "a kind": ("vawg_offences", added(VAWG, "offences", kind="a"), "first month 2024-04-01, borough 10, ward 9, London 11"),
    "more in wards": ("vawg_offences", added(VAWG, "offences", 2, level="ward"), "borough 10, ward 11, London 10"),
    "an outcome": ("outcomes", added(OUTCOMES, "outcomes", offence_group="burglary"), "sum to all business crime: not so"),
    "a borough's residents": ("population", POPULATION.tail(31), "in 1 rows, first borough_code E09000002"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_add_up_is_wrong_and_the_first_row_is_named(synthetic_edition, kind):
    name, frame, says = WRONG[kind]
    (wrong,) = texts(synthetic_edition(**{name: frame}), "wrong")
    assert wrong.startswith(f"{name.replace('_', ' ')}: ") and says in wrong


# Shortfalls and revisions ---------------------------------------------------------------------------------------------


# The committed edition: what data/README says of these files --------------------------------------------------------


@pytest.fixture(scope="module")
def committed():
    return open_edition()


@pytest.fixture(scope="module")
def shortfall(committed):
    return accounts.ward_shortfall(committed)


def test_committed_ward_sums_fall_short_of_placed_offences_by_a_step_at_connect(shortfall):
    placed = shortfall.filter(pl.col("area_code") != LONDON_CODE, snapshot="2026-02")
    years = placed.group_by(financial_year_of(pl.col("month")).alias("year")).agg(pl.col("total", "in_wards").sum())
    percent = dict(years.sort("year").select("year", 100 * (1 - pl.col("in_wards") / pl.col("total"))).iter_rows())
    assert list(percent) == list(range(2010, 2026))
    assert [percent.pop(year) for year in (2023, 2024, 2025)] == pytest.approx([0.27, 3.26, 1.39], abs=0.02)
    assert list(percent.values()) == pytest.approx([0] * 13, abs=0.005)


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


def test_committed_shortfalls_of_london_and_the_boroughs(committed, shortfall):
    london = shortfall.filter(area_code=LONDON_CODE)
    assert london["snapshot"].unique().sort().to_list() == ["2025-12", "2026-02"]
    assert [f"{london['shortfall'].min():.1%}", f"{london['shortfall'].max():.1%}"] == ["0.8%", "19.1%"]
    table = shortfall.filter(pl.col("area_code") != LONDON_CODE, snapshot="2025-12")
    boroughs = table.group_by("area_code").agg((1 - pl.col("in_wards").sum() / pl.col("total").sum()).alias("s"))
    shares = {code: round(100 * share, 1) for code, share in boroughs.iter_rows()}
    # With Heathrow Villages in Hillingdon, where its code puts it, no borough is far from the others.
    assert (len(shares), min(shares.values()), max(shares.values())) == (32, 1.0, 3.5)
    assert (shares[TOWER_HAMLETS], shares[HILLINGDON]) == (3.5, 2.1)
    # Before the move to CONNECT every offence with a borough had a ward: the whole shortfall was of unknown borough.
    assert table.filter(month=date(2024, 1, 1))["shortfall"].unique().to_list() == [0.0]
    # In five borough-months of 2025 the wards hold more than the borough, by up to 0.5 %.
    negative = table.filter(pl.col("shortfall") < 0)["shortfall"]
    assert (len(negative), round(negative.min(), 3)) == (5, -0.005)


def test_committed_ward_sums_change_the_sign_of_seven_boroughs(committed):
    def changes(table, snapshot):
        years = table.filter(offence_group=tables.TOTAL, snapshot=snapshot).with_columns(
            financial_year_of(pl.col("month")).cast(pl.String).alias("year")
        )
        sums = years.group_by("borough_code", "year").agg(pl.col("offences").sum()).pivot("year", index="borough_code")
        return sums.select("borough_code", percent=100 * (pl.col("2024") / pl.col("2023") - 1))

    wards = committed.table("ward_offences").join(committed.table("wards"), on="ward_code")
    boroughs = changes(committed.table("borough_offences"), "2025-11")
    both = changes(wards, "2025-03").join(boroughs, on="borough_code", suffix="_by_borough")
    here = both.filter(borough_code=TOWER_HAMLETS).select(pl.col(pl.Float64).round(1)).row(0)
    assert here == (-3.4, 1.2)
    assert both.filter(pl.col("percent").sign() != pl.col("percent_by_borough").sign()).height == 7


def test_committed_revisions_of_every_snapshot_at_both_levels(committed):
    table = accounts.all_revisions(committed)
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


def test_committed_accounts_say_who_converted_what_under_which_licence(committed):
    table = accounts.origins(committed)
    assert table["files"].sum() == len(committed.manifest["inputs"])
    crime = table.filter(pl.col("source").str.ends_with("borough level")).select("licence", "files").rows()
    assert sorted(crime) == [("Open Government Licence v2.0", 2), ("Open Government Licence v3.0", 3)]
    converted = table.filter(pl.col("by_way_of").str.contains("converted|saved|simplified"))
    assert converted["files"].sum() == 8 + 2 + 1  # the Met's Parquet files, the survey's two, the wards of 2024
    files = accounts.inputs(committed)
    assert files["files"].sum() == len(committed.manifest["inputs"])
    wards = files.filter(pl.col("source").str.ends_with("ward level")).row(0, named=True)
    assert (wards["files"], wards["rows_read"], wards["rows_kept"]) == (4, 76_414, 76_414)
    assert wards["what_was_odd"] == (
        "rows of a repeated (place, offence), summed: 100; stub month 202402 left out (offences in it): 40"
    )


def test_committed_months_with_many_offences_of_unknown_borough(committed):
    totals = accounts.month_totals(committed).unique("month", keep="last", maintain_order=True)
    flagged = totals.filter(pl.col("unknown_share") > check.UNKNOWN_SHARE_LIMIT)
    shares = dict(flagged.select("month", (100 * pl.col("unknown_share")).round(1)).iter_rows())
    assert [shares[date(*day)] for day in ((2023, 10, 1), (2023, 3, 1), (2020, 3, 1))] == [9.8, 6.1, 19.1]
    assert len(shares) == 23
