"""Ward maps: shapes of the right vintage or none, and cells that part London among its wards."""

import polars as pl
import pytest
import shapely

from test_ons import write_outlines
from wardbook import open as open_book
from wardbook.figures import maps
from wardbook.places import WardVintageError
from wardbook.sources import ons


@pytest.fixture(scope="module")
def wards():
    return open_book(notebook="03_comparison").edition.table("wards")


def codes_of(wards, vintage, borough=None):
    mine = wards.filter(pl.col("vintages").str.contains(vintage))
    return (mine.filter(borough_code=borough) if borough else mine)["ward_code"].to_list()


def outline_file(folder, codes, year=2024, crs=27700, kind="gpkg"):
    """A file of made-up outlines, a row of squares, their names in columns that tell their vintage."""
    shapes = [shapely.box(530_000 + 100 * i, 180_000, 530_100 + 100 * i, 180_100) for i in range(len(codes))]
    names = {f"WD{year % 100}CD": codes, f"WD{year % 100}NM": [f"Ward {code}" for code in codes]}
    return write_outlines(folder / f"ons/wards-{year}/wards.{kind}", names, shapes, crs)


# -- the schematic ------------------------------------------------------------------------------------------------------


def test_at_most_two_per_cent_of_london_is_blank_on_the_schematic(raw, wards):
    london = ons.read_borough_outlines(raw / "ons/London_Boroughs.gpkg").union_all()
    drawn = maps.schematic_cells(wards).union_all()
    assert 1 - drawn.intersection(london).area / london.area <= 0.02


# -- outlines -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpkg", "shp", "geojson"])
def test_outlines_that_hold_every_ward_are_drawn_and_their_vintage_said(tmp_path, wards, kind):
    codes = codes_of(wards, "2024", "E09000001")
    path = outline_file(tmp_path, codes, kind=kind, crs=4326 if kind == "geojson" else 27700)
    for where in (path, tmp_path):
        plan = maps.ward_plan(wards, codes, str(where))
        assert (plan.vintage, plan.subtitle) == (2024, "Ward boundaries of 2024")
        assert sorted(plan.cells["ward_code"]) == codes


def test_outlines_of_another_vintage_are_refused_with_the_rate(tmp_path, wards):
    path = outline_file(tmp_path, codes_of(wards, "2018"), 2018)
    says = r"to be drawn: only \d+ of 684 ward codes .* the outlines of 2018; .*another vintage"
    with pytest.raises(WardVintageError, match=says):
        maps.ward_plan(wards, codes_of(wards, "2024"), str(path))


def test_a_subset_that_fits_two_vintages_is_drawn_in_the_newest(tmp_path, wards):
    codes = codes_of(wards, "2024", "E09000030")
    with pytest.raises(FileNotFoundError, match="no ward outlines at .*wards-YEAR"):
        maps.ward_plan(wards, codes, str(tmp_path))
    plan = maps.ward_plan(wards, codes)
    assert (plan.vintage, "schematic" in plan.subtitle.lower()) == (None, True)
    outline_file(tmp_path, codes, 2018)
    outline_file(tmp_path, codes, 2024)
    assert maps.ward_plan(wards, codes, str(tmp_path)).vintage == 2024
