"""Outlines, lookups and census tables: made-up files for each trap, then the published wards."""

import geopandas
import polars as pl
import pytest
from shapely.geometry import Polygon, box

from wardbook.sources import ons
from wardbook.sources.reading import SourceError

SQUARES = [box(530_000, 180_000, 531_000, 181_000), box(531_000, 180_000, 532_000, 181_000)]
BOW_TIE = Polygon([(530_000, 180_000), (531_000, 181_000), (531_000, 180_000), (530_000, 181_000)])
SPIKE = Polygon([*SQUARES[0].exterior.coords[:3], (530_000, 180_000), (530_000, 182_000), (530_000, 180_000)])
WARDS = {"WD24CD": ["E05000002", "E05000001 "], "WD24NM": ["West Made-up", "East Made-up"]}
GLA_WARDS = {"NAME": ["West"], "GSS_CODE": ["E05000002"], "LAGSSCODE": ["E09000030"]}


def write_outlines(path, columns, shapes=None, crs=27700):
    """Made-up outlines: squares of a kilometre in east London, or the given shapes on the grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = SQUARES[: len(next(iter(columns.values())))] if shapes is None else shapes
    geopandas.GeoDataFrame(columns, geometry=shapes, crs=27700).to_crs(crs).to_file(path)
    return path


@pytest.fixture
def synthetic_outlines(tmp_path):
    return lambda name, *more, **named: write_outlines(tmp_path / name, *more, **named)


def without_crs(path):
    path.with_suffix(".prj").unlink()
    return path


def test_wards_of_a_geopackage(synthetic_outlines):
    path = synthetic_outlines("wards.gpkg", WARDS)
    loaded = ons.read_wards(path)
    assert loaded.frame.rows() == [
        ("E05000001", "East Made-up", None, 2024, 531_500.0, 180_500.0),
        ("E05000002", "West Made-up", None, 2024, 530_500.0, 180_500.0),
    ]
    assert (loaded.quality.rows_kept, loaded.quality.oddities) == (2, {})
    outlines = ons.read_ward_outlines(path)[0]
    assert list(outlines.columns) == ["ward_code", "vintage", "geometry"]
    assert outlines["ward_code"].to_list() == ["E05000001", "E05000002"]
    assert outlines.crs.to_epsg() == 27700 and outlines.area.to_list() == [1e6, 1e6]


def test_wards_of_a_shapefile_take_their_vintage_from_the_folder(synthetic_outlines):
    loaded = ons.read_wards(synthetic_outlines("wards-2018/London_Ward.shp", GLA_WARDS))
    assert loaded.frame.rows() == [("E05000002", "West", "E09000030", 2018, 530_500.0, 180_500.0)]
    with pytest.raises(SourceError, match="expected one vintage: .* found column 'GSS_CODE' in folder 'download'"):
        ons.read_wards(synthetic_outlines("download/London_Ward.shp", GLA_WARDS))


@pytest.mark.parametrize(("shape", "area"), [(BOW_TIE, 0.5e6), (SPIKE, 1e6)], ids=["bow tie", "spike"])
def test_invalid_outlines_are_repaired_and_counted(synthetic_outlines, shape, area):
    path = synthetic_outlines("wards.gpkg", WARDS, [shape, SQUARES[1]])
    assert ons.read_wards(path).quality.oddities == {"invalid outlines repaired": 1}
    outlines = ons.read_ward_outlines(path)[0]
    assert outlines.is_valid.all()
    assert set(outlines.geom_type) <= {"Polygon", "MultiPolygon"}
    assert outlines.area.to_list() == [1e6, area]


def test_a_missing_coordinate_system_is_the_grid_only_if_it_looks_like_it(synthetic_outlines):
    grid = without_crs(synthetic_outlines("wards-2018/London_Ward.shp", GLA_WARDS))
    loaded = ons.read_wards(grid)
    assert loaded.quality.oddities == {"no coordinate system declared, read as British National Grid": 1}
    assert ons.read_ward_outlines(grid)[0].crs.to_epsg() == 27700
    # East of Greenwich, degrees are positive like metres.
    east = [box(540_000, 180_000, 541_000, 181_000)]
    degrees = without_crs(synthetic_outlines("wards-2018/degrees.shp", GLA_WARDS, east, crs=4326))
    with pytest.raises(SourceError, match=r"degrees.shp: expected British National Grid .* found coordinates from 0.0"):
        ons.read_wards(degrees)


@pytest.mark.parametrize("column", ["gss_code", "LAD24CD"])
def test_boroughs(synthetic_outlines, column):
    outlines = ons.read_borough_outlines(synthetic_outlines("b.gpkg", {column: ["E09000030", "E09000012"]}))
    assert outlines["borough_code"].to_list() == ["E09000012", "E09000030"]
    assert list(outlines.columns) == ["borough_code", "geometry"]
    with pytest.raises(SourceError, match="a borough_code like .* found 'E07000240'"):
        ons.read_borough_outlines(synthetic_outlines("c.gpkg", {"gss_code": ["E09000030", "E07000240"]}))


# ---- tables

LOOKUP = """\ufeffLSOA21CD,LSOA21NM,WD24CD,WD24NM,LAD24CD,LAD24NM
E01000002,Made-up 001B,E05000001,East Made-up,E09000030,Tower Hamlets
E01000001,Made-up 001A,E05000002,West Made-up,E09000030,Tower Hamlets
E01012049,Middlesbrough 014A,E05009861,Ladgate,E06000002,Middlesbrough
"""
HOUSEHOLDS = """date,geography,geography code,Accommodation type: Total: All households,Accommodation type: Detached
2021,Hartlepool,E06000001,40932,8086
2021,Tower Hamlets,E09000030,120,5
2021,Hackney,E09000012,110,4
"""


@pytest.mark.parametrize(("ward", "code"), [("WD24NM", "WD24CD"), (" WardName", "WardCode")])
def test_the_lookup_keeps_london_whatever_its_headers(tmp_path, ward, code):
    path = tmp_path / "lookup.csv"
    path.write_text(LOOKUP.replace("WD24NM", ward).replace("WD24CD", code), encoding="utf-8")
    loaded = ons.read_lsoa_lookup(path)
    assert loaded.frame.select("lsoa_code", "ward_code", "ward", "borough_code").rows() == [
        ("E01000001", "E05000002", "West Made-up", "E09000030"),
        ("E01000002", "E05000001", "East Made-up", "E09000030"),
    ]
    assert loaded.quality.set_aside == {"not in a London borough": 1}


# ---- the workbook

GROUPS = {"White British": 5, "White Other": 4, "Mixed Other": 3, "Asian Indian": 2, "Black Other": 1, "Other Arab": 0}
SHEET = [
    ["LSOA code", "local authority name", "local authority code", "All usual residents", *GROUPS],
    ["E01000002", "Tower Hamlets", "E09000030", 15, *GROUPS.values()],
    ["E01000001", "Tower Hamlets", "E09000030", 16, *[*list(GROUPS.values())[:-1], 1]],
]


def synthetic_workbook(path, rows, sheet="2021"):
    """Write a made-up workbook of one sheet; a column of several types is text, as a spreadsheet's may be."""

    def column(cells):
        mixed = len({type(cell) for cell in cells if cell is not None}) > 1
        return [cell if cell is None or not mixed else str(cell) for cell in cells]

    path.parent.mkdir(parents=True, exist_ok=True)
    header, *cells = rows
    table = {name: column([row[at] for row in cells]) for at, name in enumerate(header)}
    pl.DataFrame(table).write_excel(path, sheet)
    return path


def test_ethnic_groups_are_summed_to_five(tmp_path):
    outside = ["E01012049", "Middlesbrough", "E06000002", 15, *GROUPS.values()]
    loaded = ons.read_ethnic_groups(synthetic_workbook(tmp_path / "groups.xlsx", [*SHEET, outside]))
    first = {"Asian": 2, "Black": 1, "Mixed": 3, "Other": 1, "White": 9}
    assert loaded.frame.rows()[:5] == [("E01000001", "E09000030", *group) for group in first.items()]
    assert loaded.frame["residents"].sum() == 31
    assert (loaded.quality.rows_read, loaded.quality.rows_kept) == (3, 2)


# ---- the published files


def test_published_wards(raw):
    simplified = ons.read_wards(raw / "ons/wards-2024/london_ward.gpkg")
    full = ons.read_wards(raw / "ons/wards-2018/London_Ward.shp")
    assert (simplified.frame.height, full.frame.height) == (684, 657)
    assert full.frame["borough_code"].n_unique() == 33
    assert simplified.quality.oddities == full.quality.oddities == {}
    # A few codes outlive a review, which is why a join on the wrong vintage looks partly right.
    assert len(set(simplified.frame["ward_code"]) & set(full.frame["ward_code"])) == 154
    tower_hamlets = full.frame.filter(borough_code="E09000030")["ward_code"]
    assert tower_hamlets.is_in(simplified.frame["ward_code"].to_list()).all()
