"""Points to areas: made-up squares, then the Met's stops in the GLA's outlines."""

import geopandas
import polars as pl
import pytest
from shapely.geometry import box

from wardbook.sources.ons import read_borough_outlines, read_ward_outlines, read_wards
from wardbook.sources.placing import place_points

WEST = box(-0.10, 51.50, -0.05, 51.55)
EAST = box(-0.05, 51.50, 0.00, 51.55)


def synthetic_squares(codes=("A", "B"), crs=27700):
    """Two made-up areas that share the border at longitude -0.05."""
    return geopandas.GeoDataFrame({"area_code": list(codes)}, geometry=[WEST, EAST], crs=4326).to_crs(crs)


def points(*pairs):
    return pl.DataFrame(pairs, schema={"longitude": pl.Float64, "latitude": pl.Float64}, orient="row")


def placed(frame, outlines):
    return place_points(frame, outlines, code="area_code")["area_code"].to_list()


def test_points_get_the_code_of_their_area_in_their_own_order():
    frame = points((-0.01, 51.52), (-0.08, 51.52), (-0.01, 51.52), (-0.5, 51.52)).with_row_index("row")
    answer = place_points(frame, synthetic_squares(), code="area_code")
    expected = pl.Series("area_code", ["B", "A", "B", None], pl.String)
    assert answer.equals(frame.with_columns(expected))


@pytest.mark.parametrize("codes", [("A", "B"), ("B", "A")])
def test_a_point_on_a_shared_border_gets_the_lowest_code(codes):
    # The corner both squares were drawn from: exact after projection, as a point along the edge would not be.
    assert placed(points((-0.05, 51.50), (-0.05, 51.55)), synthetic_squares(codes)) == ["A", "A"]


def test_points_nowhere_get_none():
    nowhere = points((None, 51.52), (-0.08, None), (float("nan"), 51.52), (51.52, -0.08), (-0.08, 151.0))
    assert placed(nowhere, synthetic_squares()) == [None] * 5


def test_outlines_may_be_on_any_declared_grid():
    frame = points((-0.01, 51.52), (-0.08, 51.52))
    assert placed(frame, synthetic_squares(crs=4326)) == placed(frame, synthetic_squares(crs=3857)) == ["B", "A"]


def test_points_are_turned_from_wgs84_to_the_grid():
    # A point of Ordnance Survey's transformation test, Caister water tower: 651409.804 E, 313177.450 N. The two datums
    # are about 120 m apart here; without the grid file the answer is within 5 m.
    near = box(651_409.8 - 5, 313_177.4 - 5, 651_409.8 + 5, 313_177.4 + 5)
    here = geopandas.GeoDataFrame({"area_code": ["C"]}, geometry=[near], crs=27700)
    assert placed(points((1.716073973, 52.658007833)), here) == ["C"]


def test_published_stops_outside_london(raw, stop_files):
    stops = pl.concat(loaded.frame for loaded in stop_files.values())
    answer = place_points(stops, read_borough_outlines(raw / "ons/London_Boroughs.gpkg"), code="borough_code")
    with_place = answer.filter(pl.col("latitude").is_not_null())
    assert with_place["borough_code"].null_count() == 518
    assert round(518 / answer.height, 4) == 0.0015
    assert answer["borough_code"].drop_nulls().n_unique() == 33

    path = raw / "ons/wards-2018/London_Ward.shp"
    answer = place_points(answer, read_ward_outlines(path)[0], code="ward_code")
    both = answer.join(read_wards(path).frame, on="ward_code", suffix="_of_ward")
    assert both.height == with_place.height - 518
    assert both["borough_code"].equals(both["borough_code_of_ward"])


# Placing a real month --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["borough_code", "ward_code"])
def test_unique_points_are_placed_as_every_row_is_by_a_spatial_join(raw, stop_files, code):
    if code == "borough_code":
        outlines = read_borough_outlines(raw / "ons/London_Boroughs.gpkg")
    else:
        outlines = read_ward_outlines(raw / "ons/wards-2018/London_Ward.shp")[0]
    frame = stop_files["2023-07"].frame
    found = place_points(frame, outlines, code=code)[code].to_list()
    rows = frame.select("longitude", "latitude").to_numpy()
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*rows.T, crs=4326)).to_crs(27700)
    joined = geopandas.sjoin(points, outlines[[code, "geometry"]].to_crs(27700), how="left", predicate="intersects")
    every = joined.groupby(level=0)[code].min()  # on a border, the lowest code
    assert len(every) == frame.height > 10_000
    expected = [None if value != value else value for value in every.sort_index()]
    assert found == expected
    assert frame.height > sum(one is not None for one in found) > 0.85 * frame.height
