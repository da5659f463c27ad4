"""From tidy source frames to the edition's tables: one function a table, frames in, frames out.

Every table is keyed by GSS code, sorted by its key (an unsorted group-by differs every run), and holds whole counts.
What each column means stands in `data/dictionary.csv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import polars as pl

from wardbook import places
from wardbook.sources import met

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
ALL_BUSINESS = "all business crime"
ALL_KINDS = "all"  # the kind of a count of violence against women and girls that is not told by kind


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


def _boroughs_and_unknown() -> list[str]:
    return [*places.boroughs()["borough_code"], places.UNKNOWN]


def _completed(sums: pl.DataFrame, **key: pl.Series | list[str]) -> pl.DataFrame:
    """The counts of every combination of the key's values, 0 where there is no row.

    Publishers omit rows with no offences; an average over what is left would be too high.
    """
    axes = [pl.DataFrame({name: values}).unique() for name, values in key.items()]
    grid = reduce(lambda one, other: one.join(other, how="cross"), axes)
    counts = pl.exclude(list(key)).fill_null(0).cast(pl.Int32)
    return grid.join(sums, on=list(key), how="left").with_columns(counts)


def _by_group(frames: Sequence[pl.DataFrame], key: str, codes: Sequence[str] | None) -> pl.DataFrame:
    """Sum long crime frames to (key, month, offence group, snapshot), the grid completed with zeros, per snapshot."""
    together = pl.concat(frames)
    if "at_airports" not in together.columns:
        together = together.with_columns(pl.lit(False).alias("at_airports"))
    # Sorting five million rows by their texts takes minutes, by their places in a list seconds.
    place = pl.Enum(sorted(codes or together[key].unique()))
    group = pl.Enum(sorted(met.offence_groups()["offence_group"].unique()))
    tables = []
    for (snapshot,), part in together.group_by("snapshot", maintain_order=True):
        groups = groups_filled_by(part["taxonomy"].unique().to_list())
        sums = (
            part.join(groups, on=["taxonomy", "major", "minor"])
            .cast({key: place, "offence_group": group})
            .group_by(key, "month", "offence_group")
            .agg(pl.col("offences").sum(), pl.col("offences").filter("at_airports").sum().alias("airport_offences"))
        )
        places_of = pl.Series(codes or part[key].unique(), dtype=place)
        offence_groups = groups["offence_group"].cast(group)
        table = _completed(sums, **{key: places_of, "month": part["month"], "offence_group": offence_groups})
        tables.append(table.with_columns(pl.lit(snapshot).alias("snapshot")))
    return pl.concat(tables).sort(key, "month", "offence_group", "snapshot").cast({pl.Enum: pl.String})


def _without_superseded(table: pl.DataFrame) -> pl.DataFrame:
    """The table with only the total of each snapshot whose every month and group a single newer one also holds.

    Such a snapshot is there to say how much a refresh revised, and for nothing else: two periods are compared within the
    newest snapshot that holds both.
    """
    cells = table.select("snapshot", "month", "offence_group").unique()
    of = {name: cells.filter(snapshot=name).drop("snapshot") for name in cells["snapshot"].unique().sort()}
    superseded = [
        old
        for old in of
        if any(old < new and of[old].join(of[new], on=["month", "offence_group"], how="anti").is_empty() for new in of)
    ]
    return table.filter(~pl.col("snapshot").is_in(superseded) | (pl.col("offence_group") == TOTAL))


def borough_offences(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Recorded offences: borough (or `unknown`) × month × offence group × snapshot.

    `offences` of Hillingdon include those at the airports, repeated in `airport_offences` so that they can be told.
    Groups overlap (burglary holds residential burglary): never sum over them.
    """
    table = _by_group(frames, "borough_code", _boroughs_and_unknown())
    return table.select("borough_code", "month", "offence_group", "snapshot", "offences", "airport_offences")


def ward_offences(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Recorded offences: ward × month × offence group × snapshot. Never summed to a borough: a share that moves has no ward.

    Of a snapshot that a newer one holds in full only the total is kept, for its revisions: sixteen years of wards are large.
    """
    table = _without_superseded(_by_group(frames, "ward_code", None))
    return table.select("ward_code", "month", "offence_group", "snapshot", "offences")


def knife_offences(frame: pl.DataFrame) -> pl.DataFrame:
    """Knife crime: borough (or `unknown`) × month × subtype: offences, positive outcomes, and the teams' offences.

    `team_offences` are the same offences counted by Safer Neighbourhood Team, held to check them against the boroughs.
    """
    offences, positive = pl.col("measure") == "Offences", pl.col("measure") == "Positive Outcomes"
    sums = frame.group_by("borough_code", "month", "subtype").agg(
        pl.col("offences").filter(~pl.col("by_team") & offences).sum().alias("offences"),
        pl.col("offences").filter(~pl.col("by_team") & positive).sum().alias("positive_outcomes"),
        pl.col("offences").filter(pl.col("by_team") & offences).sum().alias("team_offences"),
    )
    table = _completed(sums, borough_code=_boroughs_and_unknown(), month=frame["month"], subtype=frame["subtype"])
    return table.sort("borough_code", "month", "subtype")


def outcomes(frame: pl.DataFrame) -> pl.DataFrame:
    """Outcomes of business crime: borough (or `unknown`) × month × offence group: outcomes, and the positive ones.

    Groups overlap; `ALL_BUSINESS` holds every outcome once, fraud included.
    """
    groups = groups_filled_by(frame["taxonomy"].unique().to_list())
    every = groups.unique(["taxonomy", "major", "minor"]).with_columns(pl.lit(ALL_BUSINESS).alias("offence_group"))
    groups = pl.concat([groups, every])
    sums = (
        frame.join(groups, on=["taxonomy", "major", "minor"])
        .group_by("borough_code", "month", "offence_group")
        .agg(pl.col("outcomes").sum(), pl.col("outcomes").filter("positive").sum().alias("positive_outcomes"))
    )
    key = {"borough_code": _boroughs_and_unknown(), "month": frame["month"], "offence_group": groups["offence_group"]}
    return _completed(sums, **key).sort(list(key))


def vawg_offences(frame: pl.DataFrame, ward_names: pl.DataFrame) -> pl.DataFrame:
    """Violence against women and girls: borough (or `unknown`) and ward × month, and London × month × kind.

    The three are the same offences counted three times (`level` says which), never to be added; wards fall short of their
    boroughs by what the Met placed in no ward, or in one that was abolished or is another borough's.

    Parameters
    ----------
    frame : as `dashboards.read_vawg` returns it.
    ward_names : `ward_code`, `ward`, `borough_code` of the wards in force, a row for every name a ward has had.
    """
    located = frame.filter(pl.col("borough_code").is_not_null()).with_columns(pl.lit(ALL_KINDS).alias("kind"))
    by_kind = frame.filter(pl.col("kind").is_not_null()).with_columns(pl.lit(places.LONDON_CODE).alias("area_code"))
    # A name is a ward's within its borough only: there are ten pairs of namesakes in London, and publishers spell
    # saints, ampersands and apostrophes in their own ways.
    plain = (
        pl.col("ward").str.to_lowercase().str.replace_all("&", "and").str.replace_all(r"[^a-z0-9]+", "").alias("name")
    )
    names = ward_names.select("borough_code", plain, "ward_code").unique()
    if twice := sorted(names.filter(pl.struct("borough_code", "name").is_duplicated())["ward_code"]):
        raise ValueError(f"two wards of one borough share a name: {', '.join(twice)}")
    in_wards = located.with_columns(plain).join(names, on=["borough_code", "name"])
    parts = (
        ("borough", located.rename({"borough_code": "area_code"}), _boroughs_and_unknown(), [ALL_KINDS]),
        ("ward", in_wards.rename({"ward_code": "area_code"}), ward_names["ward_code"], [ALL_KINDS]),
        ("London", by_kind, [places.LONDON_CODE], by_kind["kind"]),
    )
    tables = []
    for level, rows, codes, kinds in parts:
        sums = rows.group_by("area_code", "month", "kind").agg(pl.col("offences").sum())
        table = _completed(sums, area_code=codes, month=frame["month"], kind=kinds)
        tables.append(table.select(pl.lit(level).alias("level"), pl.all()))
    return pl.concat(tables).sort("level", "area_code", "month", "kind")


def confidence(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Public Attitude Survey: borough (and London) × quarter × question: the share agreeing over the twelve months before."""
    newest_first = sorted(frames, key=lambda frame: frame["quarter_end"].max(), reverse=True)
    table = pl.concat(frame.select("borough_code", "quarter_end", "question", "share") for frame in newest_first)
    # Where two snapshots of the survey give the same quarter, the newer one is the publisher's last word.
    key = ["borough_code", "quarter_end", "question"]
    return table.unique(key, keep="first", maintain_order=True).sort(key)


def ward_names(outlines: Sequence[pl.DataFrame], wards: pl.DataFrame) -> pl.DataFrame:
    """Every name that a ward of the Met in force has had: `ward_code`, `ward`, `borough_code`."""
    met = places.boroughs()["borough_code"]
    now = wards.filter(pl.col("vintages").str.contains("2024"), pl.col("borough_code").is_in(met.implode()))
    every = pl.concat(frame.select("ward_code", "ward") for frame in outlines).unique()
    return every.join(now.select("ward_code", "borough_code"), on="ward_code")


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
