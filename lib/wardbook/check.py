"""`wardbook check`: does an edition add up, and what may it not be used for?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from wardbook import places, tables
from wardbook.accounts import (  # noqa: F401  # a check's numbers, beside its findings
    all_revisions,
    area_shortfall,
    inputs,
    london_shortfall,
    month_totals,
    origins,
    placed_shortfall,
    ward_shortfall,
)
from wardbook.edition import Edition, dated_by
from wardbook.periods import financial_year_of
from wardbook.schemas import violations
from wardbook.sources import met
from wardbook.table_schemas import SCHEMAS

UNKNOWN_SHARE_LIMIT = 0.03  # a month with a larger share of offences of unknown borough is flagged in comparisons


@dataclass(frozen=True)
class Finding:
    """One line of a check: `level` is "ok", "note" (a limit on use) or "wrong" (the edition does not add up)."""

    level: str
    text: str


def check(edition: Edition) -> list[Finding]:
    """Read an edition's tables again to their ends, hold each to its schema, and reconcile them with one another.

    Hashes were verified when it was opened; they prove that a table is the one the manifest names, not that it is right.
    """
    unsound = _unsound(edition)
    findings = [Finding("wrong", text) for texts in unsound.values() for text in texts]
    if not findings:
        findings = [
            Finding("ok", f"{len(edition.tables)} tables match the manifest's SHA-256, its rows and their schemas")
        ]
    steps = {
        "borough_offences": (_grid_complete, _groups_add_up, _no_stub_month, _unknown_and_airports),
        "ward_offences": (_ward_vintage, _ward_shortfall),
        "knife_offences": (_knife_teams,),
        "outcomes": (_outcomes,),
        "vawg_offences": (_vawg,),
        "stop_coverage": (_stop_months,),
        "population": (_population,),
        "confidence": (_confidence,),
        "engagement_captures": (_captures,),
    }
    for name, functions in steps.items():
        if name not in edition.tables:
            findings.append(Finding("note", f"no {name.replace('_', ' ')}: nothing that needs it can be said"))
            continue
        beside = {"wards", "borough_offences"} if name == "ward_offences" else set()
        if not {name, *beside} & set(unsound):  # what is not right by itself cannot be reconciled
            for function in functions:
                findings += function(edition)
    return findings


def _unsound(edition: Edition) -> dict[str, list[str]]:
    """What is wrong with each table by itself: its file, its rows, its cells, its sources and the months it names."""
    read = {entry["source"] for entry in edition.manifest["inputs"]}
    wrong: dict[str, list[str]] = {}
    for name, entry in edition.manifest["tables"].items():
        texts = [f"no input of its source {key}" for key in entry["sources"] if key not in read]
        if name not in SCHEMAS:
            texts.append("no schema in lib/wardbook/table_schemas.py")
        try:
            frame = pl.read_parquet(edition.path / f"{name}.parquet")
        except (OSError, pl.exceptions.PolarsError) as error:
            texts.append(f"cannot be read to its end: {str(error).splitlines()[0]}")
        else:
            if frame.height != entry["rows"]:
                texts.append(f"{frame.height:,} rows where the manifest names {entry['rows']:,}")
            if (column := dated_by(frame.columns)) and "from" in entry:
                span, named = (str(frame[column].min()), str(frame[column].max())), (entry["from"], entry["to"])
                if span != named:
                    texts.append(f"{' to '.join(span)} where the manifest names {' to '.join(named)}")
            texts += map(str, violations(frame, SCHEMAS[name], first_line=1) if name in SCHEMAS else [])
        if texts:
            wrong[name] = [f"table {name}: {text}" for text in texts]
    return wrong


def _verdict(good: bool, right: str, wrong: str) -> list[Finding]:
    return [Finding("ok", right) if good else Finding("wrong", wrong)]


def _grid_complete(edition: Edition) -> list[Finding]:
    findings = []
    for (snapshot,), part in edition.table("borough_offences").group_by("snapshot", maintain_order=True):
        wanted = part["borough_code"].n_unique() * part["month"].n_unique() * part["offence_group"].n_unique()
        span = part["month"].min(), part["month"].max()
        calendar = pl.date_range(*span, interval="1mo", eager=True)
        gaps = set(calendar) - set(part["month"].unique())
        good = part.height == wanted and not gaps and part["borough_code"].n_unique() == 33
        findings += _verdict(
            good,
            f"borough offences, snapshot {snapshot}: every borough × month × group from {span[0]:%B %Y} to {span[1]:%B %Y}",
            f"borough offences, snapshot {snapshot}: {part.height} rows where {wanted} are wanted, {len(gaps)} months missing",
        )
    return findings


def decompositions(taxonomy: str) -> dict[str, list[str]]:
    """The offence groups that are exactly made of others, each with its parts: the largest that do not overlap."""
    pairs = {
        name: set(rows.select("major", "minor").iter_rows())
        for (name,), rows in met.offence_groups().filter(taxonomy=taxonomy).group_by("offence_group")
    }
    made = {}
    for name, whole in sorted(pairs.items()):
        left, parts = set(whole), []
        inside = sorted((n for n, p in pairs.items() if p < whole), key=lambda n: (-len(pairs[n]), n))
        for part in inside:
            if pairs[part] <= left:
                left -= pairs[part]
                parts.append(part)
        if parts and not left:
            made[name] = parts
    return made


def _sums_to(table: pl.DataFrame, whole: str, parts: Iterable[str], count: str = "offences") -> int:
    """In how many borough-months a group is not the sum of others; every row of the group counts."""
    key = [name for name in ("borough_code", "month", "snapshot") if name in table.columns]
    added = table.filter(pl.col("offence_group").is_in(list(parts))).group_by(key).agg(pl.col(count).sum())
    both = table.filter(offence_group=whole).join(added, on=key, how="full", suffix="_added")
    return both.filter(pl.col(count).ne_missing(pl.col(f"{count}_added"))).height


def _groups_add_up(edition: Edition) -> list[Finding]:
    table = edition.table("borough_offences")
    wrong = _sums_to(table, tables.TOTAL, tables.PARTITION)
    findings = _verdict(
        not wrong,
        "borough offences: the eleven groups sum to the total excluding fraud, every borough and month",
        f"borough offences: the groups do not sum to the total in {wrong} borough-months",
    )
    held = set(table["offence_group"].unique())
    made = {whole: parts for whole, parts in decompositions("upper-case").items() if {whole, *parts} <= held}
    made.pop(tables.TOTAL, None)
    off = {whole: n for whole, parts in made.items() if (n := _sums_to(table, whole, parts))}
    if made:
        findings += _verdict(
            not off,
            f"borough offences: each of the {len(made)} groups that are made of others is their sum",
            f"borough offences: not the sum of their parts: {', '.join(f'{k} in {n} borough-months' for k, n in off.items())}",
        )
    return findings


def _no_stub_month(edition: Edition) -> list[Finding]:
    totals = month_totals(edition)
    low = totals.filter(pl.col("total") < 0.5 * pl.col("total").median().over("snapshot"))
    return _verdict(low.is_empty(), "no stub month", f"stub months: {', '.join(f'{m:%B %Y}' for m in low['month'])}")


def _unknown_and_airports(edition: Edition) -> list[Finding]:
    totals = month_totals(edition).unique("month", keep="last", maintain_order=True).sort("month")
    flagged = totals.filter(pl.col("unknown_share") > UNKNOWN_SHARE_LIMIT)
    years = ", ".join(
        f"{name} ({n} months)"
        for name, n in flagged.select(tables.financial_year_label(pl.col("month")))
        .group_by("financial_year")
        .len()
        .sort("financial_year")
        .iter_rows()
    )
    airports = totals.filter(pl.col("airports") > 0)
    return [
        Finding(
            "note", f"borough comparisons: more than 3% of offences have no borough in {flagged.height} months: {years}"
        ),
        Finding(
            "note",
            f"Hillingdon: {totals['airports'].sum():,} offences recorded apart under the airports, {airports['month'].min():%B %Y} to "
            f"{airports['month'].max():%B %Y}, are counted in it and marked; London City Airport is in Newham",
        )
        if not airports.is_empty()
        else Finding("ok", "no offences apart under the airports"),
    ]


def _ward_vintage(edition: Edition) -> list[Finding]:
    if "wards" not in edition.tables:
        return [Finding("note", "ward offences: no table of wards to hold their codes against")]
    known = edition.table("wards").filter(pl.col("vintages").str.contains("2024"))["ward_code"]
    if known.is_empty():
        return [Finding("note", "ward offences: no wards of 2024 at hand to hold their codes against")]
    try:
        places.check_ward_vintage(
            edition.table("ward_offences")["ward_code"].unique(), known, data="ward offences", table="the wards of 2024"
        )
    except places.WardVintageError as error:
        return [Finding("wrong", str(error))]
    return [Finding("ok", "ward offences: 100% of the ward codes are wards of 2024")]


def _ward_shortfall(edition: Edition) -> list[Finding]:
    if not {"wards", "borough_offences"} <= set(edition.tables):
        return []
    gaps = ward_shortfall(edition)
    if gaps.is_empty():
        return [
            Finding("note", "ward offences: no snapshot has both levels, so the shortfall of ward sums is not known")
        ]
    monthly = london_shortfall(edition)
    low, high = monthly["shortfall"].min(), monthly["shortfall"].max()
    return [
        Finding(
            "note",
            f"ward offences: ward sums fall short of the boroughs by {low:.1%} to {high:.1%} a month, and the share moves: "
            "never sum wards to a borough; a ward's change over time is shown only beside its borough's shortfall",
        )
    ]


def knife_by_year(edition: Edition) -> pl.DataFrame:
    """Knife crime by financial year and subtype, for the whole force: the boroughs' offences beside their teams'."""
    return (
        edition.table("knife_offences")
        .with_columns(financial_year_of(pl.col("month")).alias("year"))
        .group_by("year", "subtype")
        .agg(pl.col("offences").sum(), pl.col("team_offences").sum())
        .sort("year", "subtype")
    )


def _knife_teams(edition: Edition) -> list[Finding]:
    years = knife_by_year(edition)
    wrong = years.filter(pl.col("offences") != pl.col("team_offences"))
    placed = edition.table("knife_offences").filter(
        pl.col("borough_code") != places.UNKNOWN, pl.col("subtype") == "Knife Crime"
    )
    short = 1 - placed["team_offences"].sum() / placed["offences"].sum()
    return [
        *_verdict(
            wrong.is_empty(),
            "knife crime: the teams sum exactly to the boroughs, force-wide, every financial year and subtype",
            f"knife crime: teams and boroughs differ in {wrong.height} year × subtype totals",
        ),
        Finding(
            "note",
            f"knife crime: within the 32 boroughs {short:.1%} of offences have no team, so teams do not give a borough's total",
        ),
    ]


def _outcomes(edition: Edition) -> list[Finding]:
    table = edition.table("outcomes")
    parts = (*tables.PARTITION, "fraud and forgery")
    wrong = sum(_sums_to(table, tables.ALL_BUSINESS, parts, count) for count in ("outcomes", "positive_outcomes"))
    total = table.filter(offence_group=tables.ALL_BUSINESS)
    return [
        *_verdict(
            not wrong,
            "outcomes: the twelve groups sum to all business crime, every borough and month",
            f"outcomes: the groups do not sum to all business crime in {wrong} borough-months",
        ),
        Finding(
            "note",
            f"outcomes: of business crime only, {total['positive_outcomes'].sum():,} of {total['outcomes'].sum():,} positive, "
            f"{total['month'].min():%B %Y} to {total['month'].max():%B %Y}, by the month of the outcome, not of the offence",
        ),
    ]


def _vawg(edition: Edition) -> list[Finding]:
    months = (
        edition.table("vawg_offences")
        .group_by("month")
        .agg(
            pl.col("offences").filter(pl.col("level") == level).sum().alias(level)
            for level in ("borough", "ward", "London")
        )
    )
    off = months.filter((pl.col("borough") != pl.col("London")) | (pl.col("ward") > pl.col("borough"))).height
    short = 1 - months["ward"].sum() / months["borough"].sum()
    return [
        *_verdict(
            not off,
            "violence against women and girls: the kinds sum to the boroughs in every month, and the wards to no more",
            f"violence against women and girls: kinds, boroughs and wards do not add up in {off} months",
        ),
        Finding("note", f"violence against women and girls: {short:.1%} of offences have no ward"),
    ]


def _stop_months(edition: Edition) -> list[Finding]:
    table = edition.table("stop_coverage")
    partial = table.filter(~pl.col("complete"))
    named = "; ".join(f"{row['month']:%B %Y} ({row['why_not']})" for row in partial.iter_rows(named=True))
    share = table["unplaced"].sum() / table["rows"].sum()
    return [
        Finding("note", f"stop and search: incomplete months, no end point of a comparison: {named or 'none'}"),
        Finding("note", f"stop and search: {share:.1%} of stops have no place in London and are in London totals only"),
    ]


def _population(edition: Edition) -> list[Finding]:
    table = edition.table("population")
    total = table["residents"].sum()
    return _verdict(
        table["borough_code"].n_unique() == 33,
        f"population: {total:,} residents in {table['ward_code'].n_unique()} wards of 33 boroughs",
        f"population: {table['borough_code'].n_unique()} boroughs where 33 are wanted",
    )


def _confidence(edition: Edition) -> list[Finding]:
    table = edition.table("confidence")
    return [
        Finding(
            "note",
            f"survey: to {table['quarter_end'].max():%B %Y}; each value covers the twelve months before it, "
            "so only values four quarters apart compare",
        )
    ]


def _captures(edition: Edition) -> list[Finding]:
    table = edition.table("engagement_captures")
    if table.is_empty():
        what = "events and priorities: none captured (`wardbook fetch --source engagement`, then `wardbook build`)"
        return [Finding("note", what)]
    events = table.filter(kind="events")
    failed = events.filter(status="failed").height
    return [
        Finding(
            "note",
            f"events and priorities: {events['capture_date'].n_unique()} captures of {events['neighbourhood_id'].n_unique()} "
            f"neighbourhoods, {events['capture_date'].min():%B %Y} to {events['capture_date'].max():%B %Y}, {failed} failed; "
            "none published is not none held",
        )
    ]
