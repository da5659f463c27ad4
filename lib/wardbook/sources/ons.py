"""Readers for the files of the Office for National Statistics and the Greater London Authority: places and the census.

Everything with geometry leaves here in the British National Grid (EPSG:27700, metres) and valid. A ward's code means
something only together with its vintage: codes are kept when names change and reused across reviews.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl

from wardbook.sources import reading
from wardbook.sources.reading import Loaded, Quality, SourceError, spelt

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

BROAD_GROUPS = ("Asian", "Black", "Mixed", "Other", "White")
_LONDON_BOROUGH = r"^E09\d{6}$"


class LsoaRows(dy.Schema):
    """The best-fit lookup, its rows of London."""

    lsoa_code = dy.String(
        primary_key=True, regex=r"^E01\d{6}$", description="the GSS code of an LSOA", **spelt("LSOA??CD")
    )
    ward_code = dy.String(regex=r"^E05\d{6}$", description="the GSS code of a ward", **spelt("WD??CD", "WardCode"))
    ward = dy.String(nullable=True, **spelt("WD??NM", "WardName"))
    borough_code = dy.String(**spelt("LAD??CD"))


class HouseholdRows(dy.Schema):
    """The census table of households, its rows of London."""

    borough_code = dy.String(primary_key=True, **spelt("geography code"))
    households = dy.Int64(
        min=1,
        max=1_000_000_000,
        description="a whole number of households, 1 or more",
        **spelt("Accommodation type: Total: All households"),
    )


class ResidentRows(dy.Schema):
    """The key and the total of the sheet of ethnic groups, its rows of London."""

    lsoa_code = dy.String(primary_key=True, **spelt("LSOA code"))
    borough_code = dy.String(**spelt("local authority code"))
    total = reading.count("residents", **spelt("All usual residents"))


def _outlines(
    path: Path, form: str, wanted: dict[str, str], optional: tuple[str, ...] = ()
) -> tuple[GeoDataFrame, Quality, dict[str, str]]:
    """Outlines in EPSG:27700, valid, sorted by the first of `wanted` (our column → a pattern for the publisher's), a code of a `form`.

    Returned with the account of the file and, for each column found, our name → the publisher's.
    """
    import geopandas
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
    from shapely.errors import GEOSException

    kind = path.suffix.lower().lstrip(".")
    if kind not in ("gpkg", "shp", "geojson"):
        raise SourceError(path, "outlines as .gpkg, .geojson or .shp", f"a file that ends in {path.suffix!r}")
    reading.check_file(path, "json" if kind == "geojson" else kind)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            table = geopandas.read_file(path)
    except (DataSourceError, DataLayerError, FeatureError, GeometryError, GEOSException, UnicodeDecodeError) as error:
        raise SourceError(path, "outlines that GDAL can open", str(error).splitlines()[0]) from error
    if warned:
        raise SourceError(path, "outlines that GDAL reads without a warning", str(warned[0].message).splitlines()[0])
    if not isinstance(table, geopandas.GeoDataFrame):
        raise SourceError(path, "outlines", f"a table without any (columns {', '.join(table.columns)})")
    published = {}
    for ours, pattern in wanted.items():
        fits = [name for name in table.columns if re.fullmatch(pattern, name.strip(), re.IGNORECASE)]
        if len(fits) > 1:
            raise SourceError(path, f"one column for {ours}", " and ".join(map(repr, fits)))
        if fits:
            published[ours] = fits[0]
        elif ours not in optional:
            raise SourceError(path, f"a column named like {pattern}", f"columns {', '.join(table.columns)}")
    quality = Quality(str(path), rows_read=len(table))
    missing = table.geometry.isna() | table.geometry.is_empty
    if len(table) == 0 or missing.any():
        raise SourceError(path, "an outline in every row", f"{missing.sum()} of {len(table)} rows without one")

    if table.crs is None:
        quality.note("no coordinate system declared, read as British National Grid", len(table))
    table = table.set_crs(27700) if table.crs is None else table.to_crs(27700)
    # Degrees read as metres lie within a kilometre of the grid's origin, out at sea.
    west, south, east, north = table.total_bounds
    if not (1_000 < west < east < 700_000 and 1_000 < south < north < 1_300_000):
        found = f"coordinates from {west:g}, {south:g} to {east:g}, {north:g}"
        raise SourceError(path, "British National Grid metres, or a declared coordinate system within it", found)
    broken = ~table.geometry.is_valid
    quality.note("invalid outlines repaired", broken.sum())
    # "structure" keeps a polygon a polygon; the default may leave stray lines, in which no point is found.
    if broken.any():
        repaired = table.geometry.make_valid(method="structure", keep_collapsed=False)
        table = table.set_geometry(table.geometry.where(~broken, repaired))
    columns = {ours: table[published[ours]].astype(str).str.strip() if ours in published else None for ours in wanted}
    tidy = geopandas.GeoDataFrame(columns, geometry=table.geometry)
    code = next(iter(wanted))
    tidy[code] = tidy[code].str.upper()
    if (strange := tidy[~tidy[code].str.fullmatch(form)][code]).size:
        raise SourceError(path, f"a {code} like {form} in every row", repr(strange.iloc[0]))
    if tidy[code].duplicated().any():
        raise SourceError(path, "each area once", f"{tidy[code][tidy[code].duplicated()].iloc[0]} twice")
    return tidy.sort_values(code, ignore_index=True), quality, published


def _wards(path: Path) -> tuple[GeoDataFrame, Quality]:
    wanted = {
        "ward_code": r"WD\d\dCD|GSS_CODE",
        "ward": r"WD\d\dNM|NAME",
        "borough_code": r"LAD\d\dCD|LAGSSCODE|LB_GSS_CD",
    }
    table, quality, published = _outlines(path, r"E05\d{6}", wanted, optional=("borough_code",))
    column = re.fullmatch(r"WD(\d\d)CD", published["ward_code"].strip(), re.IGNORECASE)
    folder = re.fullmatch(r"wards-(\d{4})", path.resolve().parent.name)
    years = {int(match[1]) % 100 + 2000 for match in (column, folder) if match}
    if len(years) != 1:
        found = f"column {published['ward_code']!r} in folder {path.resolve().parent.name!r}"
        raise SourceError(path, "one vintage: a code column like WD24CD or a folder like wards-2018", found)
    table["vintage"] = years.pop()
    return table, quality


def read_ward_outlines(path: Path | str) -> tuple[GeoDataFrame, Quality]:
    """Ward outlines, `ward_code`, `vintage`, `geometry` (valid, EPSG:27700), sorted by code; and what was repaired or taken as given.

    Simplified outlines (the 2024 ones) are for drawing alone: their areas are off by up to 39 per cent, so a stop near a
    border would be placed in a neighbour's ward.
    """
    table, quality = _wards(Path(path))
    return table[["ward_code", "vintage", "geometry"]], quality


def read_wards(path: Path | str) -> Loaded:
    """Wards with name, borough, vintage and centroid, from outlines of any vintage (GeoPackage or shapefile).

    Returns
    -------
    Loaded
        `ward_code`, `ward`, `borough_code`, `vintage`, `easting`, `northing`, sorted by code: `borough_code` is null where
        the file has none; `vintage` is the year of the codes (column WD24CD → 2024, or a folder named wards-2018); easting
        and northing are metres.

    Raises
    ------
    SourceError
        for a file that holds no wards or does not say of which year, or that is on no known grid.
    """
    table, quality = _wards(Path(path))
    columns = {name: table[name].to_list() for name in ("ward_code", "ward", "borough_code", "vintage")}
    centre = {"easting": table.geometry.centroid.x.to_list(), "northing": table.geometry.centroid.y.to_list()}
    frame = pl.DataFrame(columns | centre, schema_overrides={"borough_code": pl.String})
    return Loaded(frame, quality.close(frame.height))


def read_lsoa_outlines(path: Path | str) -> GeoDataFrame:
    """LSOAs of 2021 to place points in: `lsoa_code`, `geometry` (valid, EPSG:27700), sorted by code."""
    return _outlines(Path(path), r"E01\d{6}", {"lsoa_code": r"LSOA21CD"})[0]


def read_borough_outlines(path: Path | str) -> GeoDataFrame:
    """London's 33 boroughs, the City included: `borough_code`, `geometry` (valid, EPSG:27700), sorted by code."""
    return _outlines(Path(path), r"E09\d{6}", {"borough_code": r"gss_code|LAD\d\dCD"})[0]


def _keep_london(table: pl.DataFrame, schema: type[dy.Schema], path: Path | str) -> tuple[pl.DataFrame, Quality]:
    """The rows of London's boroughs under our names, codes as they are meant, each with its `line`; and the account."""
    table, quality = reading.open_rows(table, path, reading.published(schema))
    table = table.with_columns(reading.gss(name) for name in schema.column_names() if name.endswith("_code"))
    london = table.filter(pl.col("borough_code").str.contains(_LONDON_BOROUGH))
    if london.is_empty():
        raise SourceError(path, "London boroughs (codes E09…)", "none")
    quality.drop("not in a London borough", table.height - london.height)
    return london, quality


def read_lsoa_lookup(path: Path | str) -> Loaded:
    """The ward and borough each London LSOA (a neighbourhood of about 1,800 people) is best fitted to, by LSOA code.

    Returns
    -------
    Loaded
        `LsoaRows`, sorted by code; rows outside London are set aside.
    """
    london, quality = _keep_london(reading.read_text_table(path), LsoaRows, path)
    frame = reading.read_typed(london, LsoaRows, quality).sort("lsoa_code")
    return Loaded(frame, quality.close(frame.height))


def read_households(path: Path | str) -> Loaded:
    """Households by London borough (Census 2021, TS044), the denominator of burglary rates.

    Returns
    -------
    Loaded
        `HouseholdRows`, sorted by code; rows outside London are set aside.
    """
    london, quality = _keep_london(reading.read_text_table(path), HouseholdRows, path)
    frame = reading.read_typed(london, HouseholdRows, quality).sort("borough_code")
    return Loaded(frame, quality.close(frame.height))


def read_ethnic_groups(path: Path | str) -> Loaded:
    """Residents by LSOA and broad ethnic group (Census 2021), summed from the 19 groups, each named by its first word.

    The groups must add up to the sheet's own total in every LSOA (they do, to 8,799,882 in London): a group that was
    renamed or left out would otherwise shift every rate.

    Returns
    -------
    Loaded
        `lsoa_code`, `borough_code`, `ethnic_group`, `residents`, sorted: five rows an LSOA. The quality account counts
        LSOAs, the sheet's rows.
    """
    london, quality = _keep_london(reading.read_sheet(path, "2021"), ResidentRows, path)
    groups = [name for name in london.columns if name not in (*quality.headers, "line", "local authority name")]
    firsts = {name: name.split()[0] for name in groups}
    if set(firsts.values()) != set(BROAD_GROUPS):
        expected = f"ethnic groups whose names begin with {', '.join(BROAD_GROUPS)}"
        raise SourceError(path, expected, f"columns {', '.join(groups)}")
    counts = reading.parse_whole_numbers(london, groups, quality, of="residents").select(groups)
    table = reading.read_typed(london, ResidentRows, quality).with_columns(counts.iter_columns())
    wrong = table.with_columns(pl.sum_horizontal(groups).alias("sum")).filter(pl.col("sum") != pl.col("total"))
    if wrong.height:
        first = wrong.row(0, named=True)
        found = f"{first['sum']:,} against {first['total']:,} in {first['lsoa_code']} ({wrong.height} such LSOAs)"
        raise SourceError(path, "groups that add up to 'All usual residents'", found)
    key = ["lsoa_code", "borough_code", "ethnic_group"]
    long = table.unpivot(groups, index=key[:2], variable_name="group", value_name="residents")
    named = long.with_columns(pl.col("group").replace_strict(firsts, return_dtype=pl.String).alias("ethnic_group"))
    frame = named.group_by(key).agg(pl.col("residents").sum()).sort(key)
    return Loaded(frame, quality.close(table.height))
