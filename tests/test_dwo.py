"""The Met's workbook of ward officers' hours, on input made from its description: the file itself was never seen here."""

from datetime import date

import pytest

from test_ons import synthetic_workbook
from wardbook import edition, facts, places
from wardbook.sources import dwo

MINUTES = ["Month of Abstraction", "BCU", "Borough", "Team", "Abstracted From Duty", "Abstraction Type"]
MINUTES += ["Abstraction Minutes", "Ward_Code"]
UNSEEN = "rows of a workbook known from its description alone"
APRIL = date(2023, 4, 1)


def duty(month=APRIL, borough="Tower Hamlets", *, kind=None, minutes=600.0, abstracted=None) -> list:
    """A row of the sheet: duty on the ward, or away from it for a `kind`."""
    abstracted = ("Yes" if kind else "No") if abstracted is None else abstracted
    return [month, "CE", borough, f"{borough} - Somewhere", abstracted, kind, minutes, "E05009317"]


def workbook(path, rows):
    return synthetic_workbook(path, [MINUTES, *rows], sheet="Sheet1")


def test_minutes_are_summed_by_borough_month_and_kind(tmp_path):
    rows = [
        *(duty(), duty(minutes=30.5), duty(kind="Training", minutes=120), duty(kind="AID", minutes=60)),
        *(duty(kind="Local Aid", minutes=40), duty(kind="CAD", minutes=10), duty(kind="Custody", minutes=5)),
        *(duty(kind="Football", minutes=7), duty(borough="Aviation", minutes=1), duty(borough="City of London")),
    ]
    loaded = dwo.read_minutes(workbook(tmp_path / "DWO_Abstraction.xlsx", rows))
    assert set(loaded.frame["borough_code"]) == {"E09000030"}
    found = dict(loaded.frame.select("kind", "minutes").iter_rows())
    assert found == {None: 630.5, "training": 120, "aid": 100, "court": 15, "other": 7}
    assert loaded.frame.filter("abstracted")["minutes"].sum() == 120 + 100 + 15 + 7
    assert (loaded.quality.rows_read, loaded.quality.rows_kept) == (10, 8)
    assert loaded.quality.set_aside == {"of no borough of the Met's": 2}
    assert loaded.quality.oddities == {UNSEEN: 10, "abstraction for football, counted as other": 1}


@pytest.mark.parametrize("month", [APRIL, "2023-04-01", "01/04/2023", "April 2023", "Apr 2023", date(2023, 4, 30)])
def test_a_month_is_read_however_it_is_written(tmp_path, month):
    frame = dwo.read_minutes(workbook(tmp_path / "DWO_Abstraction.xlsx", [duty(month)])).frame
    assert frame["month"].to_list() == [APRIL]


def year(start: int, *, months: int = 12, **changes) -> list[list]:
    return [duty(date(start + (3 + n) // 12, (3 + n) % 12 + 1, 1), **changes) for n in range(months)]


def test_a_whole_year_of_the_workbook_takes_the_published_figures_place_and_no_other(tmp_path):
    rows = [*year(2023), *year(2023, kind="Training", minutes=200), *year(2024, months=11)]
    rows += year(2023, borough="Barnet")
    minutes = dwo.read_minutes(workbook(tmp_path / "DWO_Abstraction.xlsx", rows)).frame
    table = dwo.officer_hours(facts.officer_hours(), [minutes])
    mine = table.filter(borough_code="E09000030", financial_year="2023-24").row(0, named=True)
    assert (mine["hours"], mine["abstracted"], mine["training"], mine["aid"]) == (160, 40, 40, 0)
    assert mine["abstracted_percent"] == pytest.approx(25) and mine["release"] == dwo.RELEASE
    london = table.filter(borough_code=places.LONDON_CODE)
    hours = dict(london.select("financial_year", "hours").iter_rows())
    assert hours == {"2019-20": 2_477_081, "2022-23": 3_512_153, "2023-24": 280}
    percents = dict(london.select("financial_year", "abstracted_percent").iter_rows())
    assert (percents["2019-20"], percents["2022-23"]) == (11.6, 19.6)
    assert table.filter(borough_code="E09000028")["hours"].to_list() == [120_758]
    assert table.select("borough_code", "financial_year").is_unique().all()
    assert table.equals(table.sort("borough_code", "financial_year"))


def test_a_build_holds_the_hours_of_its_workbook_and_else_those_published(tmp_path):
    workbook(tmp_path / "raw" / "mps" / "dwo" / "DWO_Abstraction.xlsx", year(2024))
    made = edition.build(tmp_path / "raw", tmp_path / "edition")
    entry = made.manifest["tables"]["officer_hours"]
    assert entry["sources"] == [dwo.KEY]
    assert made.manifest["sources"][dwo.KEY]["licence"] == "No licence stated"
    assert made.manifest["inputs"][0]["oddities"] == {UNSEEN: 12}
    table = made.table("officer_hours")
    assert table.filter(financial_year="2024-25", borough_code="E09000030")["hours"].item() == 120
    assert table.filter(financial_year="2023-24").height == 33
    with pytest.raises(edition.EditionError, match="holds no table 'stops': it has .*officer_hours"):
        made.table("stops")
