"""The Met's dashboards: made-up files for each trap. The published ones are counted again in test_recount."""

from datetime import date

import polars as pl
import pytest

from test_met import BARNET, HILLINGDON, WESTMINSTER
from wardbook import tables
from wardbook.places import LONDON_CODE, UNKNOWN
from wardbook.sources import dashboards

TOWER_HAMLETS = "E09000030"
KNIFE = {
    "month_year": "01/04/2024",
    "area_type": "Borough",
    "borough_snt": "Barnet",
    "area_name": "Barnet",
    "area_code": BARNET,
    "crime_subtype": "Knife Crime",
    "measure": "Offences",
    "count": "3",
    "refresh_date": "18/06/2024",
}


def read_knife(folder, *rows):
    """Read a made-up dashboard file: one row a dict of what differs from a borough's three offences."""
    path = folder / "made-up-dashboard.csv"
    pl.DataFrame([KNIFE | row for row in rows], infer_schema_length=None).write_csv(path)
    return dashboards.read_knife_crime(path)


def team(name, code, count, **differs):
    of_team = {"area_type": "Safer Neighbourhood Teams", "borough_snt": f"Barnet {name}", "area_name": name}
    return of_team | {"area_code": code, "count": str(count)} | differs


# Knife crime ----------------------------------------------------------------------------------------------------------


def test_teams_are_never_added_to_their_boroughs(tmp_path):
    positive = {"measure": "Positive Outcomes"}
    teams = [team("Edgware", "E05013631 ", 6), team("High Barnet", "E05013634", 3)]
    teams += [team("Edgware", "E05013631 ", 4, **positive)]
    loaded = read_knife(tmp_path, {"count": "10"}, {"count": "4"} | positive, *teams)
    assert loaded.frame["borough_code"].unique().to_list() == [BARNET]
    assert loaded.frame.filter("by_team")["offences"].sum() == 13
    assert loaded.frame["refreshed"].unique().to_list() == [date(2024, 6, 18)]
    assert loaded.quality.oddities == {"area codes that end in a blank": 2}
    table = tables.knife_offences(loaded.frame).filter(borough_code=BARNET)
    assert table.rows() == [(BARNET, date(2024, 4, 1), "Knife Crime", 10, 4, 9)]


@pytest.mark.parametrize("code", ["N/K", "-1", "NON ATHENA FORCE", None])
def test_sentinels_are_of_no_borough(tmp_path, code):
    no_team = team("N/K", code, 2, borough_snt="Other / NK")
    loaded = read_knife(tmp_path, {}, no_team, {"borough_snt": None, "area_code": code})
    assert loaded.frame.filter(borough_code=UNKNOWN)["offences"].sort().to_list() == [2, 3]
    assert loaded.quality.oddities == {"rows of no borough (N/K, -1, NON ATHENA FORCE, null)": 2}
    table = tables.knife_offences(loaded.frame)
    assert table.filter(borough_code=UNKNOWN).select("offences", "team_offences").row(0) == (3, 2)


# Violence against women and girls -------------------------------------------------------------------------------------


def read_vawg(folder, places, kinds, name="vawg-offences.parquet"):
    """Read a made-up file of two sheets: rows by place as (borough, ward, count), rows by kind as (kind, count)."""
    rows = [(dashboards.LOCATION, borough, ward, None, n) for borough, ward, n in places]
    rows += [(dashboards.CLASSIFICATION, None, None, kind, n) for kind, n in kinds]
    header = ["sheet", "borough_name", "ward_name_clean_2", "crimsec_group", "count"]
    table = pl.DataFrame(rows, schema=header, orient="row", infer_schema_length=None)
    table = table.with_columns(pl.lit(date(2024, 1, 1)).alias("recorded_date_months")).with_row_index("bcu")
    table.write_csv(folder / name) if name.endswith("csv") else table.write_parquet(folder / name)
    return dashboards.read_vawg(folder / name)


WARDS = pl.DataFrame(
    {
        "ward_code": ["E05009317", "E05009317", "E05009331", "E05013631", "E05013570", "E05009999"],
        "ward": ["Bethnal Green East", "Bethnal Green", "St Peter's", "Abbey", "Heathrow Villages", "Abbey"],
        "borough_code": [*[TOWER_HAMLETS] * 3, BARNET, HILLINGDON, WESTMINSTER],
    }
)


@pytest.mark.parametrize("name", ["vawg-offences.parquet", "vawg-offences.csv"])
def test_a_ward_is_known_by_its_name_within_its_borough(tmp_path, name):
    here = {"St. Peters": 11, "Bethnal Green": 1, "Bethnal Green East": 2, "Abbey": 13, None: 17}
    rows = [("Barnet", "Abbey", 5), ("Westminster", "ABBEY", 7)]
    rows += [("Tower Hamlets", ward, count) for ward, count in here.items()]
    frame = read_vawg(tmp_path, rows, [("Rape", 6), ("Homicide", 50)], name).frame
    table = tables.vawg_offences(frame, WARDS)
    wards = dict(table.filter(level="ward").select("area_code", "offences").iter_rows())
    assert wards == {"E05013631": 5, "E05009999": 7, "E05009331": 11, "E05009317": 3, "E05013570": 0}
    boroughs = table.filter(level="borough")
    assert boroughs.height == 33 and boroughs["offences"].sum() == 56
    assert boroughs.filter(area_code=TOWER_HAMLETS)["offences"].to_list() == [44]
    kinds = table.filter(level="London").select("area_code", "kind", "offences").rows()
    assert kinds == [(LONDON_CODE, "Homicide", 50), (LONDON_CODE, "Rape", 6)]


def test_heathrow_under_another_police_area_is_in_hillingdon_and_the_rest_of_it_nowhere(tmp_path):
    heathrow = [("Other", "Heathrow Villages", 3), ("Hillingdon", "Heathrow Villages", 4)]
    loaded = read_vawg(tmp_path, [*heathrow, ("Other", "N/K", 5), ("Unknown", None, 6)], [("Rape", 18)])
    assert loaded.quality.oddities == {
        "offences at the airports, counted in Hillingdon": 3,
        "offences whose borough is unknown": 11,
    }
    table = tables.vawg_offences(loaded.frame, WARDS).filter(pl.col("offences") > 0)
    assert table.select("level", "area_code", "offences").rows() == [
        ("London", LONDON_CODE, 18),
        ("borough", HILLINGDON, 7),
        ("borough", UNKNOWN, 11),
        ("ward", "E05013570", 7),
    ]


# Outcomes of business crime -------------------------------------------------------------------------------------------

OUTCOME = {
    "date": "2024-06-01",
    "measure": "Business Crime Outcomes",
    "borough": "Barnet",
    "crime_section": "THEFT",
    "crime_group": "SHOPLIFTING",
    "outcome": "Caution Adult",
    "positive_outcome": "Y",
    "outcome_count": 3,
    "refresh_date": "2025-06-05",
}
# One offence that only the taxonomy of 2025-03 has: enough to say which a small file is in.
DWELLING = {"crime_section": "BURGLARY", "crime_group": "BURGLARY IN A DWELLING"}


def test_outcomes_are_counted_by_group_and_the_positive_ones_among_them(tmp_path):
    rows = [
        {},
        {"positive_outcome": "N", "outcome_count": 7, "outcome": None},
        DWELLING | {"positive_outcome": "N", "outcome_count": 5},
        {"borough": "Other", "outcome_count": 2},
        {"crime_section": "FRAUD AND FORGERY", "crime_group": "FRAUD AND FORGERY", "outcome_count": 11},
    ]
    path = tmp_path / "business-crime-outcomes.parquet"
    pl.DataFrame([OUTCOME | row for row in rows], infer_schema_length=None).write_parquet(path)
    loaded = dashboards.read_outcomes(path)
    assert loaded.quality.oddities == {"rows that name no outcome": 1, "outcomes whose borough is unknown": 2}
    table = tables.outcomes(loaded.frame).filter(pl.col("outcomes") > 0)
    counts = table.select("borough_code", "offence_group", "outcomes", "positive_outcomes")
    barnet = counts.filter(borough_code=BARNET).drop("borough_code").rows_by_key("offence_group", unique=True)
    assert barnet["shoplifting"] == barnet["theft"] == (10, 3)
    assert (barnet["burglary"], barnet[tables.TOTAL], barnet[tables.ALL_BUSINESS]) == ((5, 0), (15, 3), (26, 14))
    assert table.filter(borough_code=UNKNOWN, offence_group="theft")["outcomes"].to_list() == [2]
