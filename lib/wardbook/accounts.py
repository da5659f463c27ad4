"""What an edition's account shows in numbers: inputs and how they came, revisions, what has no ward or borough."""

from __future__ import annotations

import polars as pl

from wardbook import places, tables
from wardbook.edition import Edition


def inputs(edition: Edition) -> pl.DataFrame:
    """The account of the publishers' files, summed by source: files, rows read, kept and set aside, oddities by kind."""
    rows = []
    for key, source in edition.manifest["sources"].items():
        files = [entry for entry in edition.manifest["inputs"] if entry["source"] == key]
        odd: dict[str, int] = {}
        for entry in files:
            for kind, n in (*entry["oddities"].items(), *entry["set_aside"].items()):
                odd[kind] = odd.get(kind, 0) + n
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
    shape = ["table", "older_snapshot", "newer_snapshot", "area_code", "month", "older", "newer"]
    frames = [
        pl.DataFrame(
            schema=dict.fromkeys(shape[:4], pl.String) | {"month": pl.Date, "older": pl.Int32, "newer": pl.Int32}
        )
    ]
    for name, code in (("borough_offences", "borough_code"), ("ward_offences", "ward_code")):
        if name in edition.tables:
            rows = edition.table(name).filter(offence_group=tables.TOTAL).rename({code: "area_code"})
            newest = rows["snapshot"].max()
            older, newer = rows.filter(pl.col("snapshot") != newest), rows.filter(snapshot=newest)
            both = older.join(newer.select("area_code", "month", newer="offences"), on=["area_code", "month"])
            renamed = both.rename({"snapshot": "older_snapshot", "offences": "older"})
            frames.append(renamed.with_columns(table=pl.lit(name), newer_snapshot=pl.lit(newest)).select(shape))
    return pl.concat(frames).sort(shape[:5])


def ward_shortfall(edition: Edition) -> pl.DataFrame:
    """The share of a borough's offences without a ward: snapshot × borough × month, where one snapshot has both levels."""
    wards = edition.table("wards").select("ward_code", "borough_code")
    ward_sums = (
        edition.table("ward_offences")
        .filter(offence_group=tables.TOTAL)
        .join(wards, on="ward_code")
        .group_by("snapshot", "borough_code", "month")
        .agg(pl.col("offences").sum().alias("in_wards"))
    )
    return (
        edition.table("borough_offences")
        .filter(offence_group=tables.TOTAL)
        .join(ward_sums, on=["snapshot", "borough_code", "month"])
        .select(
            "snapshot",
            "borough_code",
            "month",
            "offences",
            "in_wards",
            (1 - pl.col("in_wards") / pl.col("offences")).alias("shortfall"),
        )
        .sort("snapshot", "borough_code", "month")
    )


def london_shortfall(edition: Edition) -> pl.DataFrame:
    """The share of all the Met's recorded offences without a ward, by month: those of unknown borough are among them."""
    in_wards = ward_shortfall(edition).group_by("snapshot", "month").agg(pl.col("in_wards").sum())
    return (
        month_totals(edition)
        .join(in_wards, on=["snapshot", "month"])
        .select("snapshot", "month", "total", "in_wards", (1 - pl.col("in_wards") / pl.col("total")).alias("shortfall"))
        .sort("snapshot", "month")
    )


def placed_shortfall(edition: Edition) -> pl.DataFrame:
    """The share of the offences placed in a borough that have no ward, by snapshot and financial year, all boroughs together.

    Nothing before 2023-24 and up to 3 per cent a year after: the step that `data/reference/breaks.csv` declares for wards.
    """
    return (
        ward_shortfall(edition)
        .group_by("snapshot", tables.financial_year_label(pl.col("month")))
        .agg(pl.col("month").n_unique().alias("months"), pl.col("offences").sum(), pl.col("in_wards").sum())
        .with_columns((1 - pl.col("in_wards") / pl.col("offences")).alias("shortfall"))
        .sort("snapshot", "financial_year")
    )


def area_shortfall(edition: Edition, area: places.Area) -> pl.DataFrame:
    """`area`, `snapshot`, `month`, `total`, `in_wards`, `shortfall` of the newest snapshot with both levels: the area, then London."""
    shape = ["area", "snapshot", "month", "total", "in_wards", "shortfall"]
    frames = [london_shortfall(edition).with_columns(pl.lit(places.LONDON).alias("area")).select(shape)]
    if not area.is_london:
        here = ward_shortfall(edition).filter(borough_code=area.code).rename({"offences": "total"})
        frames.insert(0, here.with_columns(pl.lit(area.name).alias("area")).select(shape))
    both = pl.concat(frames)
    return both.filter(pl.col("snapshot") == both["snapshot"].max())
