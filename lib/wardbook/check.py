"""`wardbook check`: does an edition add up, and what may it not be used for?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from wardbook import accounts, places, tables
from wardbook.edition import Edition, dated_by
from wardbook.periods import financial_year_label, financial_year_of
from wardbook.schemas import violations
from wardbook.sources import met
from wardbook.table_schemas import SCHEMAS

RECENT = 24  # months of recorded crime without a "Historical" file
UNKNOWN_SHARE_LIMIT = 0.03  # a month with a larger share of offences of unknown borough is named


@dataclass(frozen=True)
class Finding:
    """One line of a check: `level` is "ok", "note" (a limit on use) or "wrong" (the edition does not add up)."""

    level: str
    text: str


def check(edition: Edition) -> list[Finding]:
    """Read an edition's tables again to their ends, hold each to its schema, and reconcile their counts.

    Hashes were verified when it was opened; they prove that a table is the one the manifest names, not that it is right.
    """
    unsound = {name: texts for name in edition.tables if (texts := _unsound(edition, name))}
    findings = [Finding("wrong", f"table {name}: {text}") for name, texts in unsound.items() for text in texts]
    if not unsound:
        findings = [
            Finding("ok", f"{len(edition.tables)} tables match the manifest's SHA-256, its rows and their schemas")
        ]
    sound = set(edition.tables) - set(unsound)  # what is not right by itself cannot be reconciled
    for name, relation, broken in RELATIONS:
        if name in sound:
            rows = broken(edition.table(name))
            text = f"{name.replace('_', ' ')}: {relation}"
            if rows.height:
                first = ", ".join(f"{key} {value}" for key, value in rows.row(0, named=True).items())
                text += f": not so in {rows.height:,} rows, first {first}"
            findings.append(Finding("wrong" if rows.height else "ok", text))
    findings += [Finding("note", text) for text in _limits(edition, sound)]
    return findings


def _unsound(edition: Edition, name: str) -> list[str]:
    """What is wrong with a table by itself: its file, its rows, its cells, its sources and the months it names."""
    entry = edition.manifest["tables"][name]
    read = {source["source"] for source in edition.manifest["inputs"]}
    texts = [f"no input of its source {key}" for key in entry["sources"] if key not in read]
    try:
        frame = pl.read_parquet(edition.path / f"{name}.parquet")
    except (OSError, pl.exceptions.PolarsError) as error:
        return [*texts, f"cannot be read to its end: {str(error).splitlines()[0]}"]
    if frame.height != entry["rows"]:
        texts.append(f"{frame.height:,} rows where the manifest names {entry['rows']:,}")
    if (column := dated_by(frame.columns)) and "from" in entry:
        span, named = (str(frame[column].min()), str(frame[column].max())), (entry["from"], entry["to"])
        if span != named:
            texts.append(f"{' to '.join(span)} where the manifest names {' to '.join(named)}")
    if name not in SCHEMAS:
        return [*texts, "no schema in lib/wardbook/table_schemas.py"]
    return texts + [str(violation) for violation in violations(frame, SCHEMAS[name])]


# -- what must hold: the rows where it does not ------------------------------------------------------------------------


def _holes(table: pl.DataFrame) -> pl.DataFrame:
    codes = pl.DataFrame({"borough_code": [*places.boroughs()["borough_code"], places.UNKNOWN]})
    grids = []
    for (snapshot,), part in table.group_by("snapshot", maintain_order=True):
        months = pl.DataFrame({"month": pl.date_range(part["month"].min(), part["month"].max(), "1mo", eager=True)})
        groups = pl.DataFrame({"offence_group": sorted({*part["offence_group"], *tables.PARTITION, tables.TOTAL})})
        grid = codes.join(months, how="cross").join(groups, how="cross")
        grids.append(grid.with_columns(pl.lit(snapshot).alias("snapshot")))
    grid = pl.concat(grids)
    return grid.join(table, on=grid.columns, how="anti")


def _sums_off(table: pl.DataFrame) -> pl.DataFrame:
    from scipy.linalg import null_space

    definitions = met.offence_groups().filter(taxonomy="upper-case")
    found = []
    for _, part in table.group_by("snapshot", maintain_order=True):
        held = definitions.filter(pl.col("offence_group").is_in(part["offence_group"].unique().implode()))
        made_of = held.with_columns(n=1.0).pivot("offence_group", index=["major", "minor"], values="n").fill_null(0)
        groups = made_of.columns[2:]
        # Each column of the null space is a sum of groups that comes to nothing whatever the offences are.
        sums = null_space(made_of.select(groups).to_numpy())
        counts = part.pivot("offence_group", index=["borough_code", "month", "snapshot"], values="offences")
        off = np.abs(counts.select(groups).to_numpy() @ sums) > 1e-6
        found.append(counts.filter(off.any(axis=1)).select("borough_code", "month", "snapshot"))
    return pl.concat(found)


def _teams_off(table: pl.DataFrame) -> pl.DataFrame:
    years = table.group_by(financial_year_of(pl.col("month")).alias("year"), "subtype")
    return years.agg(pl.col("offences", "team_offences").sum()).filter(pl.col("offences") != pl.col("team_offences"))


def _outcomes_off(table: pl.DataFrame) -> pl.DataFrame:
    key, counts = ["borough_code", "month"], ["outcomes", "positive_outcomes"]
    parts = table.filter(pl.col("offence_group").is_in([*tables.PARTITION, "fraud and forgery"]))
    sums = parts.group_by(key).agg(pl.col(counts).sum())
    return table.filter(offence_group=tables.ALL_BUSINESS).join(sums, on=[*key, *counts], how="anti")


def _levels_off(table: pl.DataFrame) -> pl.DataFrame:
    borough, ward, london = (
        pl.col("offences").filter(pl.col("level") == level).sum().alias(level)
        for level in ("borough", "ward", "London")
    )
    months = table.group_by("month").agg(borough, ward, london)
    return months.filter((pl.col("borough") != pl.col("London")) | (pl.col("ward") > pl.col("borough")))


def _boroughs_missing(table: pl.DataFrame) -> pl.DataFrame:
    return places.boroughs().select("borough_code").join(table, on="borough_code", how="anti")


RELATIONS: tuple[tuple[str, str, Callable[[pl.DataFrame], pl.DataFrame]], ...] = (
    ("borough_offences", "a row for every borough, month and offence group of a snapshot", _holes),
    ("borough_offences", "the groups that are made of others are their sums", _sums_off),
    ("knife_offences", "the teams sum to the boroughs in every financial year and subtype", _teams_off),
    ("outcomes", "the twelve groups sum to all business crime", _outcomes_off),
    ("vawg_offences", "the kinds sum to the boroughs in every month, and the wards to no more", _levels_off),
    ("population", "residents in every borough", _boroughs_missing),
)


# -- what it may not be used for ---------------------------------------------------------------------------------------


def _limits(edition: Edition, sound: set[str]) -> Iterator[str]:
    for name in LIMITED:
        if name not in edition.tables:
            yield f"no {name.replace('_', ' ')}: nothing that needs it can be said"
    held = {name: edition.table(name) for name in LIMITED if name in sound}
    if "borough_offences" in held:
        totals = accounts.month_totals(edition).unique("month", keep="last", maintain_order=True)
        flagged = totals.filter(pl.col("unknown_share") > UNKNOWN_SHARE_LIMIT)
        years = flagged.group_by(financial_year_label(pl.col("month"))).len().sort("financial_year")
        named = ", ".join(f"{name} ({n} months)" for name, n in years.iter_rows()) or "none"
        yield f"borough comparisons: more than 3% of offences have no borough in {flagged.height} months: {named}"
        if (months := held["borough_offences"]["month"].n_unique()) <= RECENT:
            yield f"changes: of recorded crime {months} months are held: no other years to judge a change by"
        yield (
            f"Hillingdon: {totals['airports'].sum():,} offences recorded apart under the airports are counted in it and "
            "marked; London City Airport is in Newham"
        )
    if {"borough_offences", "ward_offences", "wards"} <= sound:
        short = accounts.ward_shortfall(edition).filter(area_code=places.LONDON_CODE)["shortfall"]
        yield (
            f"ward offences: ward sums fall short of the boroughs by {short.min():.1%} to {short.max():.1%} a month, and the "
            "share moves: never sum wards to a borough; a ward's change over time is shown only beside its borough's shortfall"
            if len(short)
            else "ward offences: no snapshot has both levels, so the shortfall of ward sums is not known"
        )
    if "outcomes" in held:
        months = held["outcomes"]["month"]
        yield (
            f"outcomes: of business crime only, {months.min():%B %Y} to {months.max():%B %Y}, by the month of the outcome, "
            "not of the offence"
        )
    if "vawg_offences" in held:
        sums = dict(held["vawg_offences"].group_by("level").agg(pl.col("offences").sum()).iter_rows())
        yield f"violence against women and girls: {1 - sums['ward'] / sums['borough']:.1%} of offences have no ward"
    if "stop_coverage" in held:
        months = held["stop_coverage"]
        partial = months.filter(~pl.col("complete")).select("month", "why_not").iter_rows()
        named = "; ".join(f"{month:%B %Y} ({why_not})" for month, why_not in partial) or "none"
        yield f"stop and search: incomplete months, no end point of a comparison: {named}"
        share = months["unplaced"].sum() / months["rows"].sum()
        yield f"stop and search: {share:.1%} of stops have no place in London and are in London totals only"
    if "confidence" in held:
        yield (
            f"survey: to {held['confidence']['quarter_end'].max():%B %Y}; each value covers the twelve months before it, so "
            "only values four quarters apart compare"
        )
    if "engagement_captures" in held:
        days = held["engagement_captures"]["capture_date"]
        yield (
            f"events and priorities: captured on {days.n_unique()} days, {days.min():%B %Y} to {days.max():%B %Y}; "
            "none published is not none held"
            if len(days)
            else "events and priorities: none captured (`wardbook fetch --source engagement`, then `wardbook build`)"
        )


# The tables whose limits are told, or whose absence.
LIMITED = (
    *("borough_offences", "ward_offences", "outcomes", "vawg_offences", "stop_coverage", "confidence"),
    "engagement_captures",
)
