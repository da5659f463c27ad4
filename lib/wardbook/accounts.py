"""What an edition's account shows in numbers: inputs and how they came, revisions, what has no ward or borough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from wardbook import catalogue, places, tables
from wardbook.edition import Edition


def inputs(edition: Edition) -> pl.DataFrame:
    """The account of the publishers' files, summed by source: files, rows read, kept and set aside, oddities by kind."""
    rows = []
    for key, source in edition.manifest["sources"].items():
        files = [entry for entry in edition.manifest["inputs"] if entry["source"] == key]
        odd = sum((Counter(entry[kind]) for entry in files for kind in ("oddities", "set_aside")), Counter())
        rows.append(
            {
                "source": source["title"],
                "files": len(files),
                "rows_read": sum(entry["rows_read"] for entry in files),
                "rows_kept": sum(entry["rows_kept"] for entry in files),
                "what_was_odd": "; ".join(f"{kind}: {n:,}" for kind, n in sorted(odd.items())),
            }
        )
    return pl.DataFrame(rows)


def report(edition: Edition, raw: Path) -> Iterator[str]:
    """What a build read of a raw folder, what it left out and why, and what it wrote, as lines to print."""
    read = {row["source"]: row for row in inputs(edition).iter_rows(named=True)}
    for source in catalogue.sources().values():
        if row := read.get(source.title):
            files = f"{row['files']} file{'s' if row['files'] > 1 else ''}"
            yield f"{source.title}: {files}, {row['rows_read']:,} rows read, {row['rows_kept']:,} kept"
            if row["what_was_odd"]:
                yield f"  {row['what_was_odd']}"
        else:
            yield f"{source.title}: no file that a table draws on ({source.pattern})"

    # A shapefile is several files of one name; the manifest names the .shp.
    used = {(raw / entry["file"]).with_suffix("") for entry in edition.manifest["inputs"]}
    left = [
        path.relative_to(raw).as_posix()
        for path in sorted(raw.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.with_suffix("") not in used
        if path != raw / "ledger.csv"
    ]
    if left:
        shown = "; ".join(left[:5]) + ("; …" if len(left) > 5 else "")
        yield f"not used, no source in data/catalogue.toml recognises or needs them: {len(left)} files ({shown})"
    rows = ", ".join(f"{name} ({entry['rows']:,})" for name, entry in sorted(edition.manifest["tables"].items()))
    yield f"edition {edition.id}, tables and their rows: {rows}"


def origins(edition: Edition) -> pl.DataFrame:
    """How each source's files came and under which licence: `source`, `by_way_of` (empty: as published), `licence`, `files`."""
    titles = {key: source["title"] for key, source in edition.manifest["sources"].items()}
    rows = [
        {"source": titles[e["source"]], "by_way_of": e.get("by_way_of", ""), "licence": e["licence"]}
        for e in edition.manifest["inputs"]
    ]
    shape = dict.fromkeys(("source", "by_way_of", "licence"), pl.String)
    return pl.DataFrame(rows, schema=shape).group_by(list(shape)).agg(pl.len().alias("files")).sort(list(shape))


def month_totals(edition: Edition) -> pl.DataFrame:
    """Total recorded offences excluding fraud by snapshot and month: `total`, `unknown`, `airports`, `unknown_share`."""
    return (
        edition.table("borough_offences")
        .filter(offence_group=tables.TOTAL)
        .group_by("snapshot", "month")
        .agg(
            pl.col("offences").sum().alias("total"),
            pl.col("offences").filter(pl.col("borough_code") == places.UNKNOWN).sum().alias("unknown"),
            pl.col("airport_offences").sum().alias("airports"),
        )
        .with_columns((pl.col("unknown") / pl.col("total")).alias("unknown_share"))
        .sort("snapshot", "month")
    )


def all_revisions(edition: Edition) -> pl.DataFrame:
    """How the newest snapshot changed every month that an older one also holds: total offences excluding fraud.

    Every monthly refresh revises history, so a figure is only ever compared within one snapshot.

    Returns
    -------
    pl.DataFrame
        `table`, `older_snapshot`, `newer_snapshot`, `area_code`, `month`, `older`, `newer`, one row an area and month of
        `borough_offences` and of `ward_offences`.
    """
    key = ["table", "older_snapshot", "newer_snapshot", "area_code", "month"]
    frames = []
    for name, code in (("borough_offences", "borough_code"), ("ward_offences", "ward_code")):
        if name in edition.tables:
            rows = edition.table(name).filter(offence_group=tables.TOTAL).rename({code: "area_code"})
            newest = rows["snapshot"].max()
            older = rows.filter(pl.col("snapshot") != newest).rename(
                {"snapshot": "older_snapshot", "offences": "older"}
            )
            newer = rows.filter(snapshot=newest).select("area_code", "month", newer="offences")
            both = older.join(newer, on=["area_code", "month"])
            both = both.with_columns(table=pl.lit(name), newer_snapshot=pl.lit(newest))
            frames.append(both.select(*key, "older", "newer"))
    return pl.concat(frames).sort(key)


def ward_shortfall(edition: Edition) -> pl.DataFrame:
    """The share of an area's offences without a ward, where one snapshot has both levels.

    London's offences of unknown borough are among those without a ward. Of the boroughs' own there were none before
    2023-24 and up to 3 per cent a year after: the step that `data/reference/breaks.csv` declares for wards.

    Returns
    -------
    pl.DataFrame
        `snapshot`, `area_code` (a borough or London), `month`, `total`, `in_wards`, `shortfall`.
    """
    key = ["snapshot", "area_code", "month"]
    wards = edition.table("wards").select("ward_code", area_code="borough_code")
    placed = edition.table("ward_offences").filter(offence_group=tables.TOTAL).join(wards, on="ward_code")
    in_wards = placed.group_by(key).agg(pl.col("offences").sum().alias("in_wards"))
    totals = edition.table("borough_offences").filter(offence_group=tables.TOTAL)
    boroughs = (
        totals.select("snapshot", "month", area_code="borough_code", total="offences")
        .join(in_wards, on=["snapshot", "month"], how="semi")
        .join(in_wards, on=key, how="left")
        .with_columns(pl.col("in_wards").fill_null(0))
        .select(*key, "total", "in_wards")
    )
    london = boroughs.with_columns(area_code=pl.lit(places.LONDON_CODE)).group_by(key).agg(pl.all().sum())
    return (
        pl.concat([boroughs.filter(pl.col("area_code") != places.UNKNOWN), london])
        .with_columns((1 - pl.col("in_wards") / pl.col("total")).alias("shortfall"))
        .sort(key)
    )
