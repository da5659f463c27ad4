"""Street-level crimes of any number of months, forces and years, counted by ward, month and offence in bounded memory.

The archive of data.police.uk is one CSV a force and month, and a force's history is tens of millions of rows. Each file is
a partition: polars streams it to counts, and only counts are held, so memory follows the largest file and the answer, not
the history. On a Dask cluster the partitions are counted in parallel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
import polars as pl

from wardbook.folders import write_text
from wardbook.sources.police_uk import month_and_force
from wardbook.sources.reading import Quality, SourceError, check_file, find_columns, gss, read_text_table

# Categories, not text: the answer for all of England and Wales is tens of millions of rows.
STREET_SCHEMA = pl.Schema(
    {
        "month": pl.Date,
        **dict.fromkeys(("force", "ward_code", "crime_type"), pl.Categorical()),
        "offences": pl.Int32,
    }
)
UNPLACED = "unplaced"  # the ward_code of crimes whose LSOA is blank or not in the lookup
TABLE, ACCOUNT = "street_offences.parquet", "street_offences.json"

# Every type since December 2010; "Violent crime" and "Public disorder and weapons" were split in May 2013.
CRIME_TYPES = (
    "Anti-social behaviour",
    "Bicycle theft",
    "Burglary",
    "Criminal damage and arson",
    "Drugs",
    "Other crime",
    "Other theft",
    "Possession of weapons",
    "Public disorder and weapons",
    "Public order",
    "Robbery",
    "Shoplifting",
    "Theft from the person",
    "Vehicle crime",
    "Violence and sexual offences",
    "Violent crime",
)
_BLOCK = 1 << 17  # bytes looked at at once: few enough for a processor's cache

_COLUMNS = {
    "crime_id": "Crime ID",
    "month": "Month",
    "longitude": "Longitude",
    "lsoa_code": "LSOA code",
    "crime_type": "Crime type",
}


def street_files(folder: Path | str) -> list[Path]:
    """Every `YYYY-MM-<force>-street.csv` below a folder, sorted by name; a month of a force in two places is refused."""
    found: dict[str, Path] = {}
    for path in sorted(Path(folder).rglob("*-street.csv"), key=lambda path: (path.name, str(path))):
        month_and_force(path, "street")
        if path.name in found:
            raise SourceError(path, "each force's month once", f"it in {found[path.name].parent} too")
        found[path.name] = path
    return list(found.values())


def read_ward_lookup(path: Path | str) -> pl.DataFrame:
    """The ward each LSOA of England and Wales is best fitted to: `lsoa_code`, `ward_code`, by LSOA (codes of 2021)."""
    table = read_text_table(path)
    headers = find_columns(table, path, {"lsoa_code": ["LSOA21CD"], "ward_code": ["WD??CD"]})
    table = table.select(gss(theirs).alias(ours) for ours, theirs in headers.items())
    if table["lsoa_code"].is_duplicated().any():
        raise SourceError(path, "each LSOA once", f"{table.filter(pl.col('lsoa_code').is_duplicated())[0, 0]} twice")
    return table.sort("lsoa_code")


def _crimes(path: Path) -> pl.LazyFrame:
    """The columns that are counted, streamed from a file whose lines are even; any other is read whole, by `read_text_table`.

    That refuses it, naming the line, or finds it good all the same: with quotes, or with what a spreadsheet leaves behind.
    """
    rows = pl.scan_csv(path, infer_schema=False) if _is_even(path) else read_text_table(path).lazy()
    columns = [name.strip() for name in rows.collect_schema().names()]
    if missing := [name for name in _COLUMNS.values() if name not in columns]:
        raise SourceError(path, f"a column {missing[0]!r}", f"columns {', '.join(columns[:12])}")
    return rows.select(pl.nth(columns.index(theirs)).alias(ours) for ours, theirs in _COLUMNS.items())


def _is_even(path: Path) -> bool:
    """Has each line as many commas as the header, and is nothing there that two readers could take differently?

    polars, asked for five columns, sees neither a cell too many nor one too few. Told from the file's sums, at a twentieth of
    the time of a count line by line: whatever is cut out, put in or run together changes them. A quote, a NUL, a carriage
    return alone or a header twice leaves the answer to the reader of other tables.
    """
    header, commas, ends = None, 0, 0
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            if block.endswith(b"\r"):
                block += handle.read(1)
            if b"\0" in block or b'"' in block:
                return False
            if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):  # to count takes longer than all the rest
                return False
            if header is None:
                names = block.partition(b"\n")[0].split(b",")
                if len(set(names)) < len(names):
                    return False
                header = len(names) - 1
            cells = np.frombuffer(block, np.uint8)
            commas += int(np.count_nonzero(cells == ord(",")))
            ends += int(np.count_nonzero(cells == ord("\n")))
            whole = block.endswith(b"\n")
    return commas == (ends + (not whole)) * header


def _counted(path: Path, lookup: pl.DataFrame) -> pl.DataFrame:
    """Offences by ward (null where none is known), month and type, and how many of them lack what."""

    def count(rows: pl.LazyFrame) -> pl.DataFrame:
        lacking = (pl.col(name).null_count().alias(f"no_{name}") for name in ("longitude", "lsoa_code"))
        placed = rows.join(lookup.lazy(), on="lsoa_code", how="left")
        return (
            placed.group_by("ward_code", "month", "crime_type")
            .agg(pl.len().alias("offences"), *lacking)
            .collect(engine="streaming")
        )

    try:
        counted = count(rows := _crimes(path))
        if counted["month"].has_nulls():  # a row of nothing but commas, as spreadsheets leave at the end, is no crime
            counted = count(rows.filter(~pl.all_horizontal(pl.all().is_null())))
    except pl.exceptions.PolarsError as error:
        raise SourceError(path, "a street-level CSV", str(error).splitlines()[0]) from error
    return counted


def count_file(path: Path | str, lookup: pl.DataFrame) -> tuple[pl.DataFrame, Quality]:
    """One force's month, streamed to counts by ward and offence, and the account of its rows.

    A crime is placed by its LSOA where the lookup has the code. Files carry codes of 2011 to April 2022, of both years to
    July 2023 and of 2021 after that; an LSOA that changed in 2021 was given a code never used before, so a code of 2011
    that the lookup has is the same place, and one that it has not is `unplaced`.
    A row is an offence: a Crime ID is blank for anti-social behaviour and may repeat, and no row is dropped for that (nor
    are these counted: to read the ids takes longer than to place the crimes).

    Parameters
    ----------
    lookup : `lsoa_code`, `ward_code`, from `read_ward_lookup`.

    Raises
    ------
    SourceError
        for a file that lacks a column, that is not CSV throughout (a row cut short or with cells too many, a NUL, a carriage
        return alone), that holds no crime, another month than its name says, or a type that is not of `CRIME_TYPES`.
    """
    path = check_file(path, "csv")
    month, force = month_and_force(path, "street")
    counted = _counted(path, lookup)
    quality = Quality(str(path), rows_read=counted["offences"].sum())
    if not quality.rows_read:
        # A month without any crime has never been; a month not published must not be read as one.
        raise SourceError(path, "a crime or more", "a header alone")
    known = pl.col("crime_type").is_in(CRIME_TYPES).fill_null(False)
    strange = counted.filter(pl.col("month").ne_missing(f"{month:%Y-%m}") | ~known)
    if strange.height:
        sums = strange.group_by("month", "crime_type").agg(pl.col("offences").sum()).sort("month", "crime_type")
        named = "; ".join(f"{when}, {kind!r} ({n:,} crimes)" for when, kind, n in sums.head(3).iter_rows())
        raise SourceError(path, f"crimes of {month:%Y-%m}, each of a type listed in wardbook.national", named)
    unplaced = counted.filter(pl.col("ward_code").is_null())
    quality.note("No Location", counted["no_longitude"].sum())
    quality.note("LSOA code not of 2021", unplaced["offences"].sum() - unplaced["no_lsoa_code"].sum())
    quality.note("in no ward", unplaced["offences"].sum())
    named = {"ward_code": pl.col("ward_code").fill_null(UNPLACED), "force": pl.lit(force), "month": pl.lit(month)}
    frame = counted.with_columns(**named).select(STREET_SCHEMA.names()).sort("ward_code", "crime_type")
    frame = frame.cast(dict(STREET_SCHEMA))
    return frame, quality.close(frame["offences"].sum())


def street_counts(
    paths: Iterable[Path | str], lookup: pl.DataFrame, *, scheduler: str | None = None
) -> tuple[pl.DataFrame, list[Quality]]:
    """Crimes by force, ward, month and offence over any number of files, and an account a file.

    Parameters
    ----------
    paths : street files; with `scheduler`, at the same place on every machine of the cluster.
    lookup : as for `count_file`.
    scheduler : the address of a Dask scheduler; the files are then counted there, in parallel.

    Returns
    -------
    pl.DataFrame
        `STREET_SCHEMA`, by month, force, ward and offence; a file that was never published is not zero, so no grid is completed.
    """
    # In this order, and each file's counts sorted, the whole is sorted: nothing has to be held twice.
    paths = sorted(
        (Path(path).absolute() for path in paths), key=lambda path: (month_and_force(path, "street"), str(path))
    )
    if scheduler:
        from distributed import Client

        with Client(scheduler, set_as_default=False) as client:
            shared = client.scatter(lookup, hash=False)
            counted = client.gather(client.map(count_file, paths, lookup=shared, pure=False, retries=2))
    else:
        with ThreadPoolExecutor(4) as pool:  # some are looked through while others are counted
            counted = list(pool.map(count_file, paths, repeat(lookup)))
    return pl.concat([frame for frame, _ in counted], rechunk=False), [quality for _, quality in counted]


def build_street(folder: Path, lookup: Path, out: Path, *, scheduler: str | None = None) -> pl.DataFrame:
    """Count every street file below `folder` into `out/street_offences.parquet`, with its account beside it as JSON.

    Each of the two is written whole or not at all, the table last: a table has its account.
    """
    paths = street_files(folder)
    if not paths:
        raise SourceError(folder, "street-level files (YYYY-MM-<force>-street.csv)", "none")
    table, qualities = street_counts(paths, read_ward_lookup(lookup), scheduler=scheduler)
    out.mkdir(parents=True, exist_ok=True)
    account = [
        {
            "file": Path(quality.file).relative_to(Path(folder).absolute()).as_posix(),
            "rows_read": quality.rows_read,
            "oddities": quality.oddities,
        }
        for quality in qualities
    ]
    write_text(out / ACCOUNT, json.dumps(account, indent=1) + "\n")
    fresh = out / f".{TABLE}"
    try:
        table.write_parquet(fresh, compression="zstd")
        fresh.replace(out / TABLE)
    finally:
        fresh.unlink(missing_ok=True)
    return table
