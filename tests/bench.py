"""Every promise about speed, measured beside what it is compared with: `make bench`, or `python tests/bench.py --scale 0.01`.

Each comparison runs side by side in one session; each variant in a process of its own, for its memory. Medians and ratios
are printed with the machine, and `outputs/bench.json` gets `{machine, scale, load, results: [{name, ours, other, ratio,
limit, passed}]}`. A ratio is other ÷ ours where the limit is a floor, and ours ÷ other where it is a ceiling.
"""

import argparse
import itertools
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import generate_months
from conftest import RAW, ROOT

FULL = 12_000_000  # crimes, in 120 months
results: list[dict] = []


def say(name: str, ours: float, other: float, limit: float, kind: str) -> None:
    """Record one result: `kind` says whether the limit is the least or the most that the ratio may be."""
    ratio = other / ours if kind == "at least" else ours / other
    passed = bool(ratio >= limit if kind == "at least" else ratio <= limit)
    result = {"name": name, "ours": ours, "other": other, "ratio": ratio, "limit": limit, "kind": kind}
    results.append(result | {"passed": passed})
    told = f"{name}: ours {ours:.3g}, other {other:.3g}, ratio {ratio:.3g} ({kind} {limit})"
    print(told, "ok" if passed else "MISSED", flush=True)


def timed(work: Callable, *given, **more) -> tuple[float, Any]:
    """The seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    came = work(*given, **more)
    return time.perf_counter() - start, came


def machine() -> dict:
    """What it ran on, and how busy that was."""
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.+)", cpuinfo.read_text() if cpuinfo.exists() else "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": models[0] if models else platform.processor(),
        "processors": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": f"{platform.platform()}, Python {platform.python_version()}, polars {pl.__version__}",
        "load_at_start": [round(value, 2) for value in os.getloadavg()],
    }


# Street crimes to ward × month × offence -------------------------------------------------------------------------------


def ours(files: list[Path], at: Path) -> pl.DataFrame:
    from wardbook import national

    table, _ = national.street_counts(files, pl.read_parquet(at / "lookup.parquet"))
    return table.select("ward_code", "month", "crime_type", "offences")


def bare(files: list[Path], at: Path) -> pl.DataFrame:
    scan = pl.scan_csv(files, infer_schema=False)
    return scan.group_by("LSOA code", "Month", "Crime type").len().collect(engine="streaming")


def sjoin(files: list[Path], at: Path) -> pl.DataFrame:
    """The plain way: pandas, a point a row, one spatial join; file by file, or it would not fit."""
    import geopandas
    import pandas

    wards, found = geopandas.read_file(at / "wards.gpkg"), []
    for path in files:
        rows = pandas.read_csv(path)
        points = geopandas.GeoSeries.from_xy(rows.Longitude, rows.Latitude, crs=4326).to_crs(27700)
        joined = geopandas.sjoin(geopandas.GeoDataFrame(rows, geometry=points), wards, how="left", predicate="within")
        joined["ward_code"] = joined["ward_code"].fillna("unplaced")
        found.append(joined.groupby(["ward_code", "Month", "Crime type"]).size())
    table = pandas.concat(found).rename("offences").reset_index()
    return pl.DataFrame({name: table[name].to_list() for name in table.columns})


def duckdb(files: list[Path], at: Path) -> pl.DataFrame:
    import duckdb as engine
    import duckdb_extension_spatial

    folder = Path(duckdb_extension_spatial.__file__).parent / "extensions"
    (extension,) = folder.glob(f"v{engine.__version__}/spatial.duckdb_extension*")
    db = engine.connect(config={"allow_unsigned_extensions": True})
    db.execute(f"LOAD '{extension}'")
    shapes = at / "wards_wkt.parquet"
    db.execute(f"CREATE TABLE wards AS SELECT ward_code, ST_GeomFromText(shape) AS shape FROM '{shapes}'")
    listed = ", ".join(f"'{path}'" for path in files)
    # always_xy, or longitude and latitude change places.
    query = f"""
        SELECT coalesce(w.ward_code, 'unplaced') AS ward_code, c."Month", c."Crime type", count(*) AS offences
        FROM (SELECT "Month", "Crime type",
                     ST_Transform(ST_Point(Longitude::DOUBLE, Latitude::DOUBLE), 'EPSG:4326', 'EPSG:27700', true) AS point
              FROM read_csv([{listed}], header = true, all_varchar = true)) c
        LEFT JOIN wards w ON ST_Within(c.point, w.shape)
        GROUP BY ALL"""
    answer = at / "duckdb.parquet"
    db.execute(f"COPY ({query}) TO '{answer}' (FORMAT parquet)")
    return pl.read_parquet(answer)


STREET: dict[str, Callable] = {"ours": ours, "bare polars": bare, "geopandas.sjoin": sjoin, "duckdb spatial": duckdb}


def one(variant: str, folder: Path, months: int) -> None:
    """Run one variant in this process and print its seconds, its peak memory in MB and what it counted."""
    files = sorted(folder.glob("*/*-street.csv"))[:months]
    if variant == "ours":
        ours(files[:1], folder)  # imports
    elif variant == "geopandas.sjoin":
        import geopandas  # noqa: F401
    seconds, table = timed(STREET[variant], files, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ward, month, kind, counted = map(pl.col, table.columns)
    texts = ward.cast(pl.String), month.cast(pl.String).str.head(7), kind.cast(pl.String)
    plain = table.select(*texts, counted.cast(int))
    digest = str(plain.sort(pl.all()).hash_rows(1).implode().hash(1)[0])
    print(json.dumps({"seconds": seconds, "megabytes": peak, "rows": int(plain[:, -1].sum()), "digest": digest}))


def street(folder: Path, scale: float, repeats: int) -> None:
    """The comparisons of street crimes, and how time and memory grow."""
    crimes = int(FULL * scale)
    at = generate_months.world()
    print(f"street crimes: {crimes:,} in 120 months", flush=True)
    generate_months.write_months(folder, crimes, 120, at=at)
    at.lookup.write_parquet(folder / "lookup.parquet")
    wards = generate_months.outlines()
    wards.to_file(folder / "wards.gpkg")
    shapes = {"ward_code": wards["ward_code"].to_list(), "shape": wards.to_wkt()["geometry"].to_list()}
    pl.DataFrame(shapes).write_parquet(folder / "wards_wkt.parquet")

    def measure(variant: str, where: Path = folder, months: int = 120) -> dict:
        command = [sys.executable, __file__, "--one", variant, str(where), str(months)]
        return json.loads(subprocess.check_output(command))

    found: dict[str, list[dict]] = {variant: [] for variant in STREET}
    for number, variant in itertools.product(range(repeats), STREET):
        if variant != "geopandas.sjoin" or not number:  # minutes at full scale, and far from its limit
            found[variant].append(measure(variant))
    seconds = {variant: statistics.median(run["seconds"] for run in runs) for variant, runs in found.items()}
    counted = {runs[0]["rows"] for runs in found.values()}
    digests = {variant: runs[0]["digest"] for variant, runs in found.items() if variant != "bare polars"}
    if counted != {crimes} or len(set(digests.values())) != 1:
        sys.exit(f"the ways give different answers: {counted}, {digests}")
    mine = seconds["ours"]
    for variant, limit in {"geopandas.sjoin": 14, "duckdb spatial": 3}.items():
        say(f"street crimes, seconds: {variant} on every row ÷ ours", mine, seconds[variant], limit, "at least")
    say("street crimes, seconds: ours ÷ bare polars scan and group-by", mine, seconds["bare polars"], 1.2, "at most")
    peak = max(run["megabytes"] for run in found["ours"])
    say("street crimes, peak memory in MB ÷ 2 GB", peak, 2048, 1, "at most")

    # Growth in the number of months: a tenth, and all twice over (another force's history).
    small = measure("ours", months=12)
    for path in folder.glob("*/*-street.csv"):
        place = folder / "twice" / path.parent.name
        place.mkdir(parents=True, exist_ok=True)
        for name in (path.name, path.name.replace("metropolitan", "another")):
            (place / name).hardlink_to(path)
    shutil.copy(folder / "lookup.parquet", folder / "twice")
    twice = measure("ours", folder / "twice", 240)
    tenth, double = (run["seconds"] / (run["rows"] / 1e6) for run in (small, twice))
    say("street crimes, seconds a million: twenty times as many ÷ a tenth", double, tenth, 1.3, "at most")
    say("street crimes, peak memory: twice as many ÷ all", twice["megabytes"], peak, 1.3, "at most")


# The batch --------------------------------------------------------------------------------------------------------------


def batches(folder: Path, boroughs: list[str]) -> None:
    """Boroughs by `run_all` on two workers against one by one, in one session; the files must be the same."""
    from wardbook.run import many, runner

    together, outcomes = timed(many.run_all, areas=boroughs, out=folder / "together", workers=2)
    if failed := [outcome for outcome in outcomes if outcome.state != "done"]:
        sys.exit(f"a run failed: {failed[0]}")
    apart, alone = timed(lambda: [runner.run(borough, out=folder / "alone") for borough in boroughs])
    print(f"{len(boroughs)} boroughs, seconds: one by one {apart:.1f}, together {together:.1f}")
    pairs = [(run, folder / "together" / run.relative_to(folder / "alone")) for run in alone]
    equal = sum(subprocess.run(["diff", "-rq", *pair]).returncode == 0 for pair in pairs)
    say("runs that are the same files either way ÷ runs", len(alone), equal, 1, "at least")


# The mailbox -------------------------------------------------------------------------------------------------------------


def mailbox() -> None:
    """Half a year of a ward's mail, half loaded, by our recursion and by ciw, which works event by event: seconds a run."""
    import numpy as np

    from test_load import WEEKS, ciw_shares, ward
    from wardbook.measures.queue import Mailbox

    import ciw  # isort: skip  # an import is no simulation

    hours = 40
    alone = {"staff": 1, "presence": 1.0, "minutes": 60.0 * hours, "minutes_per_message": 60.0, "weeks": WEEKS}
    mail = {"messages_per_week": hours / 2, "bulletins_per_week": 0.0}
    sigma = np.sqrt(np.log1p(1.03))
    service = ciw.dists.Lognormal(-(sigma**2) / 2, sigma)
    mine, ran = timed(ward, 1, Mailbox(absence="always"), **alone, **mail)
    theirs, seeds = timed(lambda: [ciw_shares(seed, hours / 2 / 168, service, 17.0) for seed in range(5)])
    say("a ward's mail, seconds a run: ciw ÷ ours", mine / len(ran.shares), theirs / len(seeds), 100, "at least")


# The house before this one -----------------------------------------------------------------------------------------------

BEFORE = "d897c52"
HIDDEN = {"VIRTUAL_ENV", "PYTHONPATH", "PYTEST_CURRENT_TEST"}  # of the process that asks, not of the houses
# What of it and of this house is compared, and the most that this one's processor seconds may be of that one's.
COMPARED = {
    "run": (["wardbook", "run", "--borough", "Tower Hamlets"], 0.4),
    "all": (["wardbook", "run", "--all"], 0.4),
    "tests": (["pytest", "-q", "-n", "2", "--dist", "loadfile", "--nbval", "tests", "notebooks"], 0.35),
}


def plain_environment() -> dict[str, str]:
    """The environment without what belongs to the process that asks."""
    return {name: value for name, value in os.environ.items() if name not in HIDDEN}


def processor_seconds(house: Path, command: list[str]) -> float:
    """User and system seconds of a command and its children, run in a clone of the project, its outputs removed first."""
    subprocess.run(["git", "clean", "-fdxq", "outputs"], cwd=house, check=True)
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    here = {"cwd": house, "env": plain_environment() | {"WARDBOOK_RAW": str(RAW)}}
    done = subprocess.run([house / ".venv" / "bin" / command[0], *command[1:]], capture_output=True, **here)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(f"  {' '.join(command)} in {house.name} ended with {done.returncode}", flush=True)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def before(folder: Path, names: list[str], repeats: int) -> None:
    """This commit beside the last of the house before, each a clone with its own locked packages, turn by turn."""
    houses = {"ours": "HEAD", "before": BEFORE}
    for name, commit in houses.items():
        subprocess.run(["git", "clone", "-q", ROOT, folder / name], check=True)
        subprocess.run(["git", "checkout", "-q", "--detach", commit], cwd=folder / name, check=True)
        uv = [os.environ.get("UV", "uv"), "sync", "--locked", "--compile-bytecode", "-q"]
        subprocess.run(uv, cwd=folder / name, env=plain_environment(), check=True)
    for name in names:
        command, most = COMPARED[name]
        times: dict[str, list[float]] = {house: [] for house in houses}
        for _ in range(repeats if name == "run" else 1):
            for house, spent in times.items():
                spent.append(processor_seconds(folder / house, command))
        ours, other = (statistics.median(times[house]) for house in houses)
        say(f"{' '.join(command[:3])}, processor seconds: ours ÷ those of {BEFORE}", ours, other, most, "at most")


def imports() -> None:
    """Seconds that `import wardbook` takes, beyond Python's own start."""
    code = "import time\nstart = time.perf_counter()\nimport wardbook\nprint(time.perf_counter() - start)"
    outputs = (subprocess.check_output([sys.executable, "-c", code]) for _ in range(7))
    say("import wardbook, seconds ÷ 0.3", statistics.median(map(float, outputs)), 0.3, 1, "at most")


PARTS = ["imports", "street", "mailbox", "batch", *COMPARED]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--scale", type=float, default=1.0, help="of 12 million crimes and five boroughs")
    asked.add_argument("--only", choices=PARTS, action="append")
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--out", type=Path, default=ROOT / "outputs" / "bench.json")
    given = asked.parse_args()
    wanted = given.only or PARTS
    described = machine()
    print(", ".join(f"{name} {value}" for name, value in described.items()), flush=True)
    from wardbook import boroughs

    chosen = boroughs()[: max(1, round(5 * given.scale))]
    with tempfile.TemporaryDirectory(prefix="wardbook-bench-") as scratch:
        folder = Path(scratch)
        parts = {"imports": imports, "mailbox": mailbox, "batch": lambda: batches(folder / "batch", chosen)}
        parts["street"] = lambda: street(folder / "street", given.scale, given.repeats)
        for name in (name for name in parts if name in wanted):
            parts[name]()
        if compared := [name for name in COMPARED if name in wanted]:
            before(folder, compared, given.repeats)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": described, "scale": given.scale, "results": results}, indent=1)
    given.out.write_text(f"{text}\n", encoding="utf-8")
    missed = [result["name"] for result in results if result["passed"] is False]
    print(f"{given.out}: {len(results)} results, {len(missed)} missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
