"""Months shaped like data.police.uk's street files, at any scale, from a seed.

Points are few and shared (crimes are moved to the nearest of a list of map points), each point lies in one LSOA, the
offences are in about the published proportions, anti-social behaviour has no id, and some rows have no place. LSOAs and
wards are those of a lookup where one is given; else a grid, whose wards are squares that a spatial join finds again.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

HEADER = (
    *("Crime ID", "Month", "Reported by", "Falls within", "Longitude", "Latitude", "Location"),
    *("LSOA code", "LSOA name", "Crime type", "Last outcome category", "Context"),
)
# Shares of the Met's street-level crimes, rounded.
MIX = {
    "Anti-social behaviour": 0.21,
    "Bicycle theft": 0.015,
    "Burglary": 0.05,
    "Criminal damage and arson": 0.05,
    "Drugs": 0.04,
    "Other crime": 0.012,
    "Other theft": 0.1,
    "Possession of weapons": 0.006,
    "Public order": 0.05,
    "Robbery": 0.03,
    "Shoplifting": 0.062,
    "Theft from the person": 0.075,
    "Vehicle crime": 0.1,
    "Violence and sexual offences": 0.2,
}
WITHOUT_PLACE = 0.012
# London, roughly, in British National Grid metres: 25 × 27 square wards of 2 km.
WEST, SOUTH, SIDE, COLUMNS, ROWS = 505_000, 155_000, 2_000, 25, 27
LSOAS_A_WARD = 7


@dataclass(frozen=True)
class World:
    """The map points that crimes are moved to, each in an LSOA; and each LSOA's ward."""

    points: pl.DataFrame  # longitude, latitude, lsoa_code, location
    lookup: pl.DataFrame  # lsoa_code, ward_code


def world(points: int = 60_000) -> World:
    """Points in a grid of square wards, each ward cut into vertical strips that are its LSOAs."""
    import geopandas

    chance = np.random.default_rng(1)
    x, y = chance.uniform(0, COLUMNS, points), chance.uniform(0, ROWS, points)
    # A published coordinate has six decimals (11 cm): kept off the borders, a point is in one ward by any reckoning.
    x = np.floor(x) + 0.01 + 0.98 * (x % 1)
    y = np.floor(y) + 0.01 + 0.98 * (y % 1)
    ward = np.floor(y).astype(int) * COLUMNS + np.floor(x).astype(int)
    lsoa = ward * LSOAS_A_WARD + np.floor((x % 1) * LSOAS_A_WARD).astype(int)
    east, north = WEST + SIDE * x, SOUTH + SIDE * y
    degrees = geopandas.GeoSeries.from_xy(east, north, crs=27700).to_crs(4326)
    codes = [f"E01{number:06}" for number in range(ROWS * COLUMNS * LSOAS_A_WARD)]
    placed = {
        "longitude": np.round(degrees.x, 6),
        "latitude": np.round(degrees.y, 6),
        "lsoa_code": np.array(codes)[lsoa],
    }
    streets = [f"On or near Street {number}" for number in range(points)]
    wards = [f"E05{number // LSOAS_A_WARD:06}" for number in range(len(codes))]
    lookup = pl.DataFrame({"lsoa_code": codes, "ward_code": wards})
    return World(pl.DataFrame(placed | {"location": streets}), lookup)


def outlines():
    """The square wards as a GeoDataFrame: `ward_code`, `geometry` (EPSG:27700)."""
    import geopandas
    from shapely import box

    cells = [(WEST + SIDE * column, SOUTH + SIDE * row) for row in range(ROWS) for column in range(COLUMNS)]
    shapes = [box(x, y, x + SIDE, y + SIDE) for x, y in cells]
    codes = [f"E05{number:06}" for number in range(ROWS * COLUMNS)]
    return geopandas.GeoDataFrame({"ward_code": codes}, geometry=shapes, crs=27700)


def month_names(count: int) -> list[str]:
    """The last `count` months of which all LSOA codes are of 2021 and then those before: newest last, to 2026-07."""
    return [f"{2016 + (number + 7) // 12}-{(number + 7) % 12 + 1:02}" for number in range(120 - count, 120)]


def write_months(folder: Path, crimes: int, months: int, *, at: World) -> list[Path]:
    """Write `months` street files with `crimes` rows between them into `folder/YYYY-MM/`; their paths."""
    paths = []
    for number, month in enumerate(month_names(months)):
        rows = crimes * (number + 1) // months - crimes * number // months
        path = folder / month / f"{month}-metropolitan-street.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        _month(rows, month, at, np.random.default_rng([1, number])).write_csv(path)
        paths.append(path)
    return paths


def _month(rows: int, month: str, at: World, chance: np.random.Generator) -> pl.DataFrame:
    # Points are not equally busy: a third of the crimes are at a tenth of them.
    picked = (chance.beta(0.7, 1.6, rows) * at.points.height).astype(int)
    shares = np.array(list(MIX.values()))
    kinds = pl.Series("Crime type", np.array(list(MIX))[chance.choice(len(MIX), rows, p=shares / shares.sum())])
    placeless = pl.Series(chance.random(rows) < WITHOUT_PLACE)
    number = pl.Series(chance.integers(0, 2**62, rows))
    ident = number.hash(1).cast(pl.String).str.zfill(20) + number.hash(2).cast(pl.String).str.zfill(20)
    with_id, met = kinds != "Anti-social behaviour", pl.lit("Metropolitan Police Service")
    outcome = pl.lit("Investigation complete; no suspect identified")
    place = at.points[picked].rename({"longitude": "Longitude", "latitude": "Latitude", "lsoa_code": "LSOA code"})
    name = pl.format("Somewhere {}A", pl.col("LSOA code").str.slice(-4)).alias("LSOA name")
    frame = place.with_columns(name).with_columns(
        kinds,
        pl.when(~placeless).then(pl.col("Longitude", "Latitude", "LSOA code", "LSOA name")),
        pl.when(placeless).then(pl.lit("No Location")).otherwise("location").alias("Location"),
        pl.when(with_id).then(ident + pl.lit("0" * 24)).alias("Crime ID"),
        pl.lit(month).alias("Month"),
        met.alias("Reported by"),
        met.alias("Falls within"),
        pl.when(with_id).then(outcome).alias("Last outcome category"),
        pl.lit(None, pl.String).alias("Context"),
    )
    return frame.select(HEADER)
