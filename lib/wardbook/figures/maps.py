"""Ward maps: rates in classes on a schematic map, beside the ranked list that a reader can check the map against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import altair as alt
import geopandas as gpd
import polars as pl
import shapely

from wardbook.figures import marks, theme, withhold
from wardbook.figures.figure import LICENCE as OPEN
from wardbook.places import check_ward_vintage, from_root

REACH = 2_500  # m from the nearest centroid beyond which no ward is drawn
_CROWN = "© Crown copyright and database right"
LICENCE = f"{OPEN}. Contains OS data {_CROWN}; Contains National Statistics data {_CROWN}"
_SHADES = (theme.LIGHT_BLUE, theme.MID_BLUE, theme.DARK_BLUE)


def schematic_cells(wards: pl.DataFrame) -> gpd.GeoDataFrame:
    """A cell for each ward of 2024: what lies nearer to its centroid than to any other, at most 2.5 km from it.

    All of London is tessellated, so a borough's edge is where its neighbour's cells begin. The edition holds no copy of a
    boundary file; a cell is no ward's outline, has no meaningful area, and is said to be schematic.

    Returns
    -------
    gpd.GeoDataFrame
        `ward_code`, `borough_code`, `geometry` in British National Grid (EPSG:27700), by ward code.
    """
    current = wards.filter(pl.col("vintages").str.contains("2024")).sort("ward_code")
    points = shapely.points(current.select("easting", "northing").to_numpy())
    cells = shapely.get_parts(
        shapely.voronoi_polygons(
            shapely.MultiPoint(points), extend_to=shapely.box(*shapely.total_bounds(shapely.buffer(points, 2 * REACH)))
        )
    )
    inside = shapely.STRtree(points).query(cells, predicate="contains")
    mine = dict(zip(inside[1], inside[0]))
    shapes = [shapely.intersection(cells[mine[i]], shapely.buffer(point, REACH)) for i, point in enumerate(points)]
    columns = current.select("ward_code", "borough_code").to_dict(as_series=False)
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:27700")


@dataclass(frozen=True)
class Plan:
    """The shapes of a ward map: `cells` (`ward_code`, `geometry`), and of which vintage they are; none for the schematic.

    `subtitle` says in a chart's subtitle what they are; `note` is a sentence on what fits and what was repaired, or "".
    """

    cells: gpd.GeoDataFrame
    vintage: int | None
    subtitle: str
    note: str


def ward_plan(wards: pl.DataFrame, codes: Iterable[str], outlines: str = "") -> Plan:
    """Shapes for these wards: their outlines where a file of them is named, otherwise the schematic cells.

    Parameters
    ----------
    wards : the edition's table of wards.
    codes : the ward codes to be drawn.
    outlines : a file of ward outlines (.gpkg, .shp or .geojson), or a raw folder that holds some in `ons/wards-YEAR/`; a
        relative path counts from the project's root. Simplified outlines do for drawing.

    Raises
    ------
    WardVintageError
        where no file holds every code, with the newest one's match rate: a map with holes would be read as wards without crime.
    FileNotFoundError
        where there are no outlines at the path.
    """
    codes = sorted(set(codes))
    if not outlines:
        return Plan(schematic_cells(wards), None, "Schematic map: cells around ward centroids, no boundaries", "")
    from wardbook.sources import ons

    path = from_root(outlines)
    kinds = (".gpkg", ".shp", ".geojson")
    files = [path] if path.is_file() else sorted(f for f in path.rglob("wards-*/*") if f.suffix.lower() in kinds)
    if not files:
        raise FileNotFoundError(
            f"no ward outlines at {outlines}: a file that ends in {', '.join(kinds)}, or a folder with some in ons/wards-YEAR/ "
            "(wardbook fetch --source ons gets them)"
        )
    read = {int(table["vintage"].iloc[0]): (table, quality) for table, quality in map(ons.read_ward_outlines, files)}
    # The newest outlines that hold all of these wards, else the newest, which are refused.
    vintage = max(read, key=lambda year: (set(codes) <= set(read[year][0]["ward_code"]), year))
    table, quality = read[vintage]
    check_ward_vintage(codes, table["ward_code"], data="the wards to be drawn", table=f"the outlines of {vintage}")
    odd = "; ".join(f"{kind}: {n}" for kind, n in quality.oddities.items())
    note = f"Ward outlines are those of {vintage}." + (f" Noted on reading them: {odd}." if odd else "")
    return Plan(table, vintage, f"Ward boundaries of {vintage}", note)


def _decimals(rate: float) -> int:
    """Enough to tell a low rate from none."""
    return 1 if rate >= 1 else 2 if rate >= 0.1 else 3


def _rate(value: float) -> str:
    return f"{value:,.{_decimals(value)}f}"


def class_breaks(values: pl.Series) -> list[float]:
    """Two breaks that part the rates into thirds, rounded to what a legend can say; fewer where the rates hardly differ."""
    thirds = [values.quantile(q, "linear") for q in (1 / 3, 2 / 3)]
    cuts = {round(cut, _decimals(cut) if values.max() < 20 or cut < 1 else 0) for cut in thirds}
    return sorted(cut for cut in cuts if values.min() < cut <= values.max())


def _classes(values: pl.Series) -> tuple[list[str], dict[str, str]]:
    """The class of each value (null: withheld), and the shade of each class there is, in their order."""
    known = values.drop_nulls()
    breaks = class_breaks(known)
    said = [_rate(value) for value in breaks or [known.mean()]]
    between = [f"{low} to under {high}" for low, high in zip(said, said[1:])]
    names = [f"under {said[0]}", *between, f"{said[-1]} or more"] if breaks else [f"about {said[0]}"]
    classes = [withhold.WORD if v is None else names[sum(v >= cut for cut in breaks)] for v in values]
    shades = dict(zip([*names, withhold.WORD], [*_SHADES[-len(names) :], theme.CONTEXT]))
    return classes, {name: shade for name, shade in shades.items() if name in classes}


def class_map(rows: pl.DataFrame, rate: str, plan: Plan) -> tuple[alt.LayerChart, pl.DataFrame]:
    """Wards in at most three classes of a rate with breaks a legend can say, what is withheld grey, and the rows with `class`.

    Parameters
    ----------
    rows : `ward_code`, `rank` (null where withheld), the rate, and `label`, drawn on the ward, or null.
    """
    classes, shades = _classes(rows[rate])
    rows = rows.with_columns(pl.Series("class", classes))
    cells = plan.cells.set_index("ward_code").loc[rows["ward_code"].to_list()]
    inside = cells.geometry.representative_point()
    labels = rows.select(
        "label",
        pl.Series("x", inside.x.to_list()).round(0),
        pl.Series("y", inside.y.to_list()).round(0),
        pale=pl.col("class").is_in([next(iter(shades)), withhold.WORD]),
    )
    ink = alt.condition("datum.pale", alt.value(theme.DARK_GREY), alt.value("white"))
    words = alt.Chart(labels.drop_nulls("label")).mark_text(fontWeight="bold", fontSize=marks.by_size("font"))
    shapes = alt.Chart(alt.Data(values=_features(cells, rows, real=bool(plan.vintage))))
    scale = alt.Scale(domain=list(shades), range=list(shades.values()))
    chart = alt.layer(
        shapes.mark_geoshape(stroke="white", strokeWidth=0.8 if rows.height < 100 else 0.3).encode(
            color=alt.Color("class:N", scale=scale, legend=None)
        ),
        words.encode(longitude="x:Q", latitude="y:Q", text="label:N", color=ink),
        marks.key([("bar", name, shade) for name, shade in shades.items()]),
    )
    return chart.project(type="identity", reflectY=True).properties(height=420), rows


def _features(cells: gpd.GeoDataFrame, drawn: pl.DataFrame, *, real: bool) -> list[dict]:
    """GeoJSON features in whole metres: a schematic cell has no finer detail, and the notebook stays small."""
    # Simplified together, so that neighbours keep one border.
    simple = (
        shapely.coverage_simplify(cells.geometry.to_numpy(), 40) if real else cells.geometry.simplify(25).to_numpy()
    )
    rounded = shapely.set_precision(simple, 1)
    return [
        {"type": "Feature", "rank": rank, "class": kind, "geometry": shapely.geometry.mapping(shape)}
        for (rank, kind), shape in zip(drawn.select("rank", "class").iter_rows(), rounded)
    ]
