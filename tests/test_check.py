"""What a check must find: the committed edition adds up, and does not with one thing of it changed; and its own limits."""

from datetime import date

import polars as pl
import pytest

from wardbook import accounts, check, tables
from wardbook.periods import financial_year_of
from wardbook.places import LONDON_CODE

BARNET, HILLINGDON, TOWER_HAMLETS = "E09000003", "E09000017", "E09000030"


def test_the_committed_edition_adds_up_and_says_its_limits(committed):
    findings = check.check(committed)
    assert [finding.level for finding in findings] == ["ok"] * (1 + len(check.RELATIONS)) + ["note"] * 9
    said = "; ".join(finding.text for finding in findings)
    for limit in (
        "more than 3% of offences have no borough in 23 months: 2019-20 (1 months), 2021-22 (8 months)",
        "ward sums fall short of the boroughs by 0.8% to 19.1% a month",
        "violence against women and girls: 3.0% of offences have no ward",
        "no end point of a comparison: December 2022 (ends on the 17th; 5,706 rows where the months around it have",
        "stop and search: 9.4% of stops have no place in London",
        "survey: to December 2023; each value covers the twelve months before it",
        "events and priorities: none captured",
    ):
        assert limit in said


# What does not add up -------------------------------------------------------------------------------------------------

MAY, BEFORE = {"month": date(2024, 5, 1)}, {"month": date(2023, 5, 1)}
HERE = MAY | {"borough_code": BARNET}
CRIME, TEAMS = "borough_offences", {"subtype": "Knife Crime", "borough_code": BARNET}


LEFT_OUT = [HERE | {"offence_group": "robbery"}, HERE, MAY, {"borough_code": BARNET}, HERE | {"snapshot": "2025-11"}]
LEFT_OUT += [{"offence_group": name} for name in ("burglary", tables.TOTAL)]


@pytest.mark.parametrize("row", LEFT_OUT, ids=str)
def test_every_row_that_is_left_out_is_missed(committed, row):
    table = committed.table(CRIME).filter(pl.col("month") >= date(2024, 1, 1))
    left_out = pl.all_horizontal(pl.col(name) == value for name, value in row.items())
    missed = check._holes(table.filter(~left_out))
    gone = table.filter(left_out).select(missed.columns)
    assert len(gone) and missed.sort(pl.all()).equals(gone.sort(pl.all()))


ROBBERY = HERE | {"offence_group": "robbery", "snapshot": "2026-02"}
# By table: which column of which rows is changed by how much, and what the first row that does not add up is of.
CHANGED = [
    (CRIME, "offences", [(ROBBERY, 1)], [BARNET]),
    ("knife_offences", "team_offences", [(TEAMS | MAY, 1)], [2024]),
    # Right in sum, wrong in each year.
    ("knife_offences", "team_offences", [(TEAMS | MAY, 1), (TEAMS | BEFORE, -1)], [2023, 2024]),
    ("vawg_offences", "offences", [(MAY | {"kind": "Rape"}, 1)], [MAY["month"]]),
    ("vawg_offences", "offences", [(MAY | {"area_code": "E05013631"}, 9_999)], [MAY["month"]]),
    ("outcomes", "outcomes", [(HERE | {"offence_group": "burglary"}, 1)], [BARNET]),
    ("population", "borough_code", [({"borough_code": BARNET}, None)], [BARNET]),
]


@pytest.mark.parametrize(("name", "column", "rows", "first"), CHANGED)
def test_a_changed_count_does_not_add_up(committed, name, column, rows, first):
    table = committed.table(name)
    for row, more in rows:
        here = pl.all_horizontal(pl.col(key) == value for key, value in row.items())
        assert table.filter(here).height
        table = table.with_columns(pl.when(here).then(pl.col(column) + more).otherwise(column).alias(column))
    wrong = [broken(table) for of, _, broken in check.RELATIONS if of == name]
    assert sorted(rows.row(n)[0] for rows in wrong for n in range(rows.height)) == first


# What data/README says of these files -------------------------------------------------------------------------------


def test_committed_ward_sums_fall_short_of_placed_offences_by_a_step_at_connect(committed):
    shortfall = accounts.ward_shortfall(committed)
    placed = shortfall.filter(pl.col("area_code") != LONDON_CODE, snapshot="2026-02")
    years = placed.group_by(financial_year_of(pl.col("month")).alias("year")).agg(pl.col("total", "in_wards").sum())
    percent = dict(years.sort("year").select("year", 100 * (1 - pl.col("in_wards") / pl.col("total"))).iter_rows())
    assert list(percent) == list(range(2010, 2026))
    assert [percent.pop(year) for year in (2023, 2024, 2025)] == pytest.approx([0.27, 3.26, 1.39], abs=0.02)
    assert list(percent.values()) == pytest.approx([0] * 13, abs=0.005)
    table = shortfall.filter(pl.col("area_code") != LONDON_CODE, snapshot="2025-12")
    boroughs = table.group_by("area_code").agg((1 - pl.col("in_wards").sum() / pl.col("total").sum()).alias("s"))
    shares = {code: round(100 * share, 1) for code, share in boroughs.iter_rows()}
    # With Heathrow Villages in Hillingdon, where its code puts it, no borough is far from the others.
    assert (len(shares), min(shares.values()), max(shares.values())) == (32, 1.0, 3.5)
    assert (shares[TOWER_HAMLETS], shares[HILLINGDON]) == (3.5, 2.1)
    # Before the move to CONNECT every offence with a borough had a ward: the whole shortfall was of unknown borough.
    assert table.filter(month=date(2024, 1, 1))["shortfall"].unique().to_list() == [0.0]
    # In five borough-months of 2025 the wards hold more than the borough, by up to 0.5 %.
    assert table.filter(pl.col("shortfall") < 0).height == 5
