"""Points to areas: which borough or ward a pair of coordinates lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from wardbook import places

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

OUTLINE, BEST_FIT = "outline", "best fit"


def place_points(frame: pl.DataFrame, outlines: GeoDataFrame, *, code: str) -> pl.DataFrame:
    """Add the code of the area each point lies in.

    Published points are few and repeated (data.police.uk moves each stop to the nearest of its map points), so each
    distinct pair is placed once and joined back. Without Ordnance Survey's grid file, WGS 84 becomes British National
    Grid to within a few metres: less than publishing moved the point, yet a point on a road that is a border may fall
    on either side.

    Parameters
    ----------
    frame : with `longitude` and `latitude` in degrees (WGS 84), null where there is no place.
    outlines : one row an area, with a column `code` and polygons in any declared coordinate system.
    code : the column of `outlines` to add, such as "borough_code" or "ward_code".

    Returns
    -------
    pl.DataFrame
        `frame` in its own order with a String column `code`: null where a coordinate is missing or no area holds the
        point, the lowest code where a point is on a shared border (so that a re-run places it the same).
    """
    import geopandas

    pairs = frame.select("longitude", "latitude").unique().drop_nulls().with_row_index("pair")
    points = geopandas.GeoSeries.from_xy(*pairs.select("longitude", "latitude").to_numpy().T, crs=4326).to_crs(27700)
    # `intersects`, not `within`: a point on a border is then in every area that shares it, and none is lost.
    # The few outlines are the query, so that each is prepared once for the many points.
    area, point = points.sindex.query(outlines.to_crs(27700).geometry, predicate="intersects")
    codes = pl.Series(code, outlines[code].to_list(), dtype=pl.String)
    found = pl.DataFrame({"pair": pl.Series(point, dtype=pairs.schema["pair"]), code: codes.gather(area)})
    placed = pairs.join(found.group_by("pair").agg(pl.col(code).min()), on="pair").drop("pair")
    return frame.join(placed, on=["longitude", "latitude"], how="left", maintain_order="left")


def place_in_wards(
    frame: pl.DataFrame, wards: GeoDataFrame, unchanged: list[str], lsoas: GeoDataFrame, lookup: pl.DataFrame
) -> pl.DataFrame:
    """Add the ward each stop of the Met's 32 boroughs lies in, and what placed it.

    Full-resolution outlines exist of 2018 only: they place the stops of boroughs whose wards are the same today. Elsewhere
    a stop lies in an LSOA, and that LSOA is in the ward the ONS fits it to best, as the ONS counts residents by ward. A
    best fit in another borough than the stop's own (a border drawn to within 20 m) is none.

    Parameters
    ----------
    frame : with `longitude`, `latitude` and `borough_code` (from outlines at full resolution).
    wards : `ward_code`, outlines; `unchanged` are the boroughs whose stops they place.
    lsoas, lookup : `lsoa_code`, outlines; and `lsoa_code`, `ward_code`, `borough_code`.

    Returns
    -------
    pl.DataFrame
        with `ward_code` and `placed_by` ("outline" or "best fit"; both null where no ward), and `best_fit_ward`, the best
        fit of every stop, so that the two ways can be held against each other where both are.
    """
    fits = lookup.select("lsoa_code", pl.col("ward_code").alias("fit"), pl.col("borough_code").alias("of"))
    frame = place_points(frame, lsoas, code="lsoa_code").join(fits, on="lsoa_code", how="left", maintain_order="left")
    frame = place_points(frame, wards.rename(columns={"ward_code": "outlined"}), code="outlined")
    met = pl.col("borough_code").is_in(places.boroughs()["borough_code"].implode())
    best_fit = pl.when(met & (pl.col("of") == pl.col("borough_code"))).then("fit")
    by_outline = pl.col("borough_code").is_in(unchanged)
    ward = pl.when(by_outline).then("outlined").otherwise(best_fit)
    how = pl.when(by_outline).then(pl.lit(OUTLINE)).otherwise(pl.lit(BEST_FIT))
    placed_by = pl.when(ward.is_not_null()).then(how)
    placed = frame.with_columns(best_fit.alias("best_fit_ward"), ward.alias("ward_code"), placed_by.alias("placed_by"))
    return placed.drop("lsoa_code", "fit", "of", "outlined")
