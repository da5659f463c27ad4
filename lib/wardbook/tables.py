"""From tidy source frames to the edition's tables: one function a table, frames in, frames out.

Every table is keyed by GSS code, sorted by its key (an unsorted group-by differs every run), and holds whole counts.
What each column means stands in `data/dictionary.csv`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from wardbook import places
from wardbook.sources import met
from wardbook.tables_stops import UNPLACED, financial_year_label, person_searches, stop_coverage, stops  # noqa: F401

# The offence groups that hold each offence once; they sum to the total recorded offences excluding fraud.
PARTITION = (
    "arson and criminal damage",
    "burglary",
    "drug offences",
    "miscellaneous crimes against society",
    "possession of weapons",
    "public order offences",
    "robbery",
    "sexual offences",
    "theft",
    "vehicle offences",
    "violence against the person",
)
TOTAL = "total recorded offences excluding fraud"


def groups_filled_by(taxonomies: Sequence[str]) -> pl.DataFrame:
    """The offence groups that every one of `taxonomies` can fill, as `offence_group`, `taxonomy`, `major`, `minor`.

    A group that one taxonomy cannot tell apart is left out of all of them: a series that changes its meaning halfway is
    worse than none.
    """
    groups = met.offence_groups().filter(pl.col("taxonomy").is_in(list(taxonomies)))
    filled = (
        groups.group_by("offence_group")
        .agg(pl.col("taxonomy").n_unique().alias("n"))
        .filter(pl.col("n") == len(set(taxonomies)))
    )
    return groups.join(filled, on="offence_group", how="semi")


def _by_group(frames: Sequence[pl.DataFrame], key: str, places_wanted: Sequence[str] | None) -> pl.DataFrame:
    """Sum long crime frames to (key, month, offence group, snapshot), the grid completed with zeros, per snapshot."""
    tables = []
    together = pl.concat(frames)
    for (snapshot,), part in together.group_by("snapshot", maintain_order=True):
        groups = groups_filled_by(part["taxonomy"].unique().to_list())
        if "at_airports" not in part.columns:
            part = part.with_columns(pl.lit(False).alias("at_airports"))
        sums = (
            part.join(groups, on=["taxonomy", "major", "minor"])
            .group_by(key, "month", "offence_group")
            .agg(pl.col("offences").sum(), pl.col("offences").filter("at_airports").sum().alias("airport_offences"))
        )
        # Publishers omit rows with no offences; an average over what is left would be too high.
        wanted = pl.DataFrame({key: sorted(places_wanted or part[key].unique().to_list())})
        grid = wanted.join(part.select("month").unique(), how="cross").join(
            groups.select("offence_group").unique(), how="cross"
        )
        tables.append(
            grid.join(sums, on=[key, "month", "offence_group"], how="left").with_columns(
                pl.lit(snapshot).alias("snapshot"),
                pl.col("offences", "airport_offences").fill_null(0).cast(pl.Int32),
            )
        )
    return pl.concat(tables).sort(key, "month", "offence_group", "snapshot")


def borough_offences(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Recorded offences: borough (or `unknown`) × month × offence group × snapshot.

    `offences` of Hillingdon include those at the airports, repeated in `airport_offences` so that they can be told.
    Groups overlap (burglary holds residential burglary): never sum over them.
    """
    codes = [*places.boroughs()["borough_code"], places.UNKNOWN]
    table = _by_group(frames, "borough_code", codes)
    return table.select("borough_code", "month", "offence_group", "snapshot", "offences", "airport_offences")


def ward_offences(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Recorded offences: ward × month × offence group × snapshot. Never summed to a borough: about 1-6 % have no ward."""
    return _by_group(frames, "ward_code", None).select("ward_code", "month", "offence_group", "snapshot", "offences")


def knife_offences(frame: pl.DataFrame) -> pl.DataFrame:
    """Knife crime: borough (or `unknown`) × month × subtype: offences, positive outcomes, and the teams' offences.

    `team_offences` are the same offences counted by Safer Neighbourhood Team, held to check them against the boroughs.
    """
    codes = pl.DataFrame({"borough_code": [*places.boroughs()["borough_code"], places.UNKNOWN]})
    offences, positive = pl.col("measure") == "Offences", pl.col("measure") == "Positive Outcomes"
    sums = frame.group_by("borough_code", "month", "subtype").agg(
        pl.col("offences").filter(~pl.col("by_team") & positive).sum().alias("positive_outcomes"),
        pl.col("offences").filter(pl.col("by_team") & offences).sum().alias("team_offences"),
        pl.col("offences").filter(~pl.col("by_team") & offences).sum().alias("offences"),
    )
    grid = codes.join(frame.select("month").unique(), how="cross").join(frame.select("subtype").unique(), how="cross")
    counts = ["offences", "positive_outcomes", "team_offences"]
    key = ["borough_code", "month", "subtype"]
    return (
        grid.join(sums, on=key, how="left")
        .with_columns(pl.col(counts).fill_null(0).cast(pl.Int32))
        .select(*key, *counts)
        .sort(key)
    )


def confidence(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Public Attitude Survey: borough (and London) × quarter × question: the share agreeing over the twelve months before."""
    newest_first = sorted(frames, key=lambda frame: frame["quarter_end"].max(), reverse=True)
    table = pl.concat(frame.select("borough_code", "quarter_end", "question", "share") for frame in newest_first)
    # Where two snapshots of the survey give the same quarter, the newer one is the publisher's last word.
    key = ["borough_code", "quarter_end", "question"]
    return table.unique(key, keep="first", maintain_order=True).sort(key)


def engagement(events: pl.DataFrame) -> pl.DataFrame:
    """Events that police teams listed: ward × event × capture date. What is told of them beyond the title is not kept."""
    table = events.select("ward_code", "neighbourhood_id", "capture_date", "start", "end", "type", "title")
    return table.sort("neighbourhood_id", "capture_date", "start", "title")


def priorities(listed: pl.DataFrame) -> pl.DataFrame:
    """Priorities that police teams listed: ward × priority × capture date, with the day an action was published, not its text."""
    table = listed.select("ward_code", "neighbourhood_id", "capture_date", "issue_date", "action_date", "issue")
    return table.sort("neighbourhood_id", "capture_date", "issue_date", "issue")


def engagement_captures(captures: pl.DataFrame) -> pl.DataFrame:
    """What was asked for, when, and whether anything was listed: tells none published from not captured."""
    return captures.sort("neighbourhood_id", "capture_date", "kind")


def population(lsoas: pl.DataFrame, lookup: pl.DataFrame) -> pl.DataFrame:
    """Residents on Census day 2021: ward (2024 codes) × broad ethnic group, from LSOAs by the ONS best-fit lookup."""
    joined = lsoas.join(lookup.select("lsoa_code", "ward_code"), on="lsoa_code", how="left")
    lost = joined.filter(pl.col("ward_code").is_null())
    if not lost.is_empty():
        raise ValueError(
            f"{lost['lsoa_code'].n_unique()} LSOAs of the census file are not in the ward lookup, for example {lost['lsoa_code'][0]}"
        )
    return (
        joined.group_by("ward_code", "borough_code", "ethnic_group")
        .agg(pl.col("residents").sum().cast(pl.Int32))
        .sort("ward_code", "borough_code", "ethnic_group")
    )


def wards(outlines: Sequence[pl.DataFrame], lookup: pl.DataFrame | None) -> pl.DataFrame:
    """Wards of every vintage at hand: code, newest name, borough, the vintages its code belongs to, centroid (BNG, m)."""
    together = pl.concat(
        frame.select("ward_code", "ward", "borough_code", "vintage", "easting", "northing") for frame in outlines
    )
    # The same wards in two files (outlines put there by hand, and fetched ones) are one vintage, not two.
    together = together.unique(["ward_code", "vintage"], keep="first", maintain_order=True)
    if lookup is not None:
        known = lookup.select("ward_code", pl.col("borough_code").alias("from_lookup")).unique("ward_code")
        together = together.join(known, on="ward_code", how="left").with_columns(
            pl.coalesce("borough_code", "from_lookup").alias("borough_code")
        )
    return (
        together.sort("vintage")
        .group_by("ward_code", maintain_order=True)
        .agg(
            pl.col("ward").last(),
            pl.col("borough_code").drop_nulls().last(),
            pl.col("vintage").cast(pl.String).str.join(" ").alias("vintages"),
            pl.col("easting").last().round(1),
            pl.col("northing").last().round(1),
        )
        .sort("ward_code")
    )
