"""How much placing unique points saves over placing every row: `python tests/bench_placing.py` (not a test).

For the boroughs' and the wards' outlines, over all months of the Met's stops at hand: median time of five runs, and peak
memory. Each variant runs in a process of its own, since NumPy and GEOS are not seen by tracemalloc and a process's peak
never falls; from its peak is taken what the process held before (Python, geopandas, the outlines, the rows).
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from wardbook.sources.ons import read_borough_outlines, read_ward_outlines
from wardbook.sources.placing import place_points
from wardbook.sources.police_uk import read_stops

ROOT = Path(__file__).resolve().parents[1]
OUTLINES = {
    "borough_code": ("ons/London_Boroughs.gpkg", read_borough_outlines),
    "ward_code": ("ons/wards-2018/London_Ward.shp", read_ward_outlines),
}
RUNS = 5


def unique_points(frame, outlines, code):
    return place_points(frame, outlines, code=code)[code].to_list()


def every_row(frame, outlines, code):
    """The plain way: one spatial join of all rows, the lowest code where a point is on a border."""
    import geopandas

    rows = frame.select("longitude", "latitude").to_numpy()
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*rows.T, crs=4326)).to_crs(27700)
    joined = geopandas.sjoin(points, outlines[[code, "geometry"]].to_crs(27700), how="left", predicate="intersects")
    codes = joined.groupby(level=0)[code].min().sort_index()
    return [None if value != value else value for value in codes]


VARIANTS = {"unique points": unique_points, "every row": every_row}


def _peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(variant: str, code: str, folder: str, rows: str) -> dict:
    """Run one variant in this process: seconds of each run, MB above what was held before, and a digest of the answer."""
    path, read = OUTLINES[code]
    frame, outlines = pl.read_parquet(rows), read(Path(folder) / path)
    VARIANTS[variant](frame.head(50), outlines, code)  # imports and the spatial index are not what is compared
    held, seconds = _peak(), []
    for _ in range(RUNS):
        start = time.perf_counter()
        answer = VARIANTS[variant](frame, outlines, code)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            peak = _peak() - held
    digest = pl.Series(answer, dtype=pl.String).fill_null("").hash(seed=1).implode().hash(seed=1)[0]
    return {"seconds": seconds, "megabytes": peak, "digest": digest}


def main() -> None:
    folder = (ROOT / os.environ.get("WARDBOOK_RAW", "../shared/data/raw")).resolve()
    files = sorted(folder.glob("police_uk/*/*-metropolitan-stop-and-search.csv"))
    if not files:
        sys.exit(f"no stops in {folder}: set WARDBOOK_RAW to a folder with the publishers' files")
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "rows.parquet"
        frame = pl.concat(read_stops(path).frame.select("longitude", "latitude") for path in files)
        frame.write_parquet(rows)
        print(f"{len(files)} months, {frame.height:,} stops, {frame.drop_nulls().n_unique():,} points")
        for code in OUTLINES:
            found = {}
            for variant in VARIANTS:
                command = [sys.executable, __file__, variant, code, str(folder), str(rows)]
                found[variant] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            one, every = found["unique points"], found["every row"]
            if one["digest"] != every["digest"]:
                sys.exit(f"{code}: the two ways give different answers")
            quick, slow = (statistics.median(way["seconds"]) for way in (one, every))
            small, large = one["megabytes"], every["megabytes"]
            print(
                f"{code}: every row ÷ unique points: time {slow / quick:.1f} ({slow:.2f} s ÷ {quick:.3f} s, median of {RUNS}), "
                f"peak memory {large / small:.1f} ({large:.0f} MB ÷ {small:.0f} MB above what was held before); same answers"
            )


if __name__ == "__main__":
    if len(sys.argv) == 5:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
