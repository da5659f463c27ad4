"""Reader for the Met's workbook of dedicated ward officers' hours and strengths ("MPS Dedicated Ward Officer Abstractions and Strengths").

**Unverified**: written from a description of the workbook (DWO_Abstraction.xlsx, London Datastore e16kd) and tested on input made
from that description, never on the file; the account of every file that is read says so. A duty hour is any row's; it is abstracted
where the row says that the officer was taken from ward duty. The page states no licence: figures are cited as facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import places
from wardbook.periods import financial_year_label
from wardbook.sources.reading import Loaded, SourceError, day, open_rows, published, read_sheet, read_typed, spelt

KEY = "dwo-abstraction"
RELEASE = "workbook DWO_Abstraction.xlsx"
# The publisher's kinds of abstraction, put together as the published sums are; a kind that is not here is `other`.
KINDS = {"training": "training", "aid": "aid", "local aid": "aid", "staffing up": "staffing_up"}
KINDS |= dict.fromkeys(("court", "cad", "custody"), "court")
COLUMNS = ("training", "aid", "staffing_up", "court", "other")
_MONTHS = ("%d %B %Y", "%d %b %Y")  # with a first day put before them
_YES, _NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


class DutyRows(dy.Schema):
    """The sheet `Sheet1`."""

    month = day("a date, or a month such as April 2023", **spelt("Month of Abstraction"))
    borough = dy.String(nullable=True, **spelt("Borough"))
    abstracted = dy.Enum([*_YES, *_NO], **spelt("Abstracted From Duty"))
    kind = dy.String(nullable=True, **spelt("Abstraction Type"))
    minutes = dy.Float64(min=0, max=1e9, description="a number, 0 or more", **spelt("Abstraction Minutes"))


def read_minutes(path: Path | str) -> Loaded:
    """Minutes of duty by borough, month and kind: the sheet `Sheet1`.

    Returns
    -------
    Loaded
        `borough_code`, `month`, `abstracted`, `kind`, `minutes`, sorted: `kind` is one of `COLUMNS` where `abstracted`, null
        elsewhere. Rows of no borough of the Met's are set aside; kinds that are not among `KINDS` are counted as `other` and
        named in the account.

    Raises
    ------
    SourceError
        naming file, column, line and value.
    """
    table, quality = open_rows(read_sheet(path, "Sheet1"), path, published(DutyRows))
    quality.note("rows of a workbook known from its description alone", table.height)
    first = "1 " + pl.col("month").str.strip_chars()
    days = pl.coalesce(first.str.to_date(form, strict=False).cast(pl.String) for form in _MONTHS)
    lower = pl.col("abstracted", "kind").str.strip_chars().str.to_lowercase()
    table = read_typed(table.with_columns(pl.coalesce(days, "month").alias("month"), lower), DutyRows, quality)
    kind = pl.col("kind").replace_strict(KINDS, default="other", return_dtype=pl.String)
    table = table.with_columns(
        pl.col("borough").map_elements(places.borough_code, return_dtype=pl.String).alias("borough_code"),
        pl.col("month").dt.truncate("1mo"),
        pl.col("abstracted").is_in(_YES),
        pl.col("kind").alias("published_kind"),
    ).with_columns(pl.when("abstracted").then(kind).alias("kind"))
    for name, rows in table.filter(kind="other").group_by("published_kind", maintain_order=True).len().iter_rows():
        quality.note(f"abstraction for {name or 'no stated kind'}, counted as other", rows)
    kept = table.filter(pl.col("borough_code").is_in(places.boroughs()["borough_code"].implode()))
    quality.drop("of no borough of the Met's", table.height - kept.height)
    if kept.is_empty():
        raise SourceError(path, "boroughs of London in the column 'Borough'", "none")
    key = ["borough_code", "month", "abstracted", "kind"]
    frame = kept.group_by(key).agg(pl.col("minutes").sum()).sort(key)
    return Loaded(frame, quality.close(kept.height))


def officer_hours(published: pl.DataFrame, minutes: Sequence[pl.DataFrame] = ()) -> pl.DataFrame:
    """The edition's table: ward officers' duty hours by borough (and London) and financial year, and those abstracted, by kind.

    A year that the workbook holds in full, all twelve months of it, is the workbook's; every other is the published figure's.

    Parameters
    ----------
    published : `facts.officer_hours()`.
    minutes : frames of `read_minutes`, no month in two of them.

    Returns
    -------
    polars.DataFrame
        by `borough_code`, `financial_year`: `hours`, `abstracted`, `training`, `aid` (local aid too), `staffing_up`, `court`
        (CAD and custody too), `other` (whole hours; null where only a share was published), `abstracted_percent`,
        `release` (where the row is from).
    """
    code = {**dict(places.boroughs().select("borough", "borough_code").iter_rows()), places.LONDON: places.LONDON_CODE}
    hours = ["hours", "abstracted", *COLUMNS]
    stated = published.with_columns(
        pl.col("borough").cast(pl.String).replace_strict(code).alias("borough_code"),
        pl.col("period").alias("financial_year"),
        pl.when(pl.col("training").is_not_null()).then(0).alias("other"),
        pl.coalesce("abstracted_percent", 100 * pl.col("abstracted") / pl.col("hours")).alias("abstracted_percent"),
        pl.col("note").alias("release"),
    )
    tables = [stated, *([_by_year(pl.concat(minutes))] if minutes else [])]
    columns = ["borough_code", "financial_year", *hours, "abstracted_percent", "release"]
    together = pl.concat(table.select(columns).cast(dict.fromkeys(hours, pl.Int64)) for table in tables)
    # The workbook's come last, and stay.
    return together.unique(["borough_code", "financial_year"], keep="last", maintain_order=True).sort(columns[:2])


def _by_year(minutes: pl.DataFrame) -> pl.DataFrame:
    """Whole hours of each borough and London in the years of which all twelve months are there."""
    minutes = minutes.with_columns(financial_year_label(pl.col("month")))
    whole = minutes.group_by("financial_year").agg(pl.col("month").n_unique().alias("months")).filter(months=12)
    minutes = minutes.join(whole, on="financial_year", how="semi")
    both = pl.concat([minutes, minutes.with_columns(pl.lit(places.LONDON_CODE).alias("borough_code"))])
    total = pl.col("minutes").sum()
    sums = both.group_by("borough_code", "financial_year").agg(
        total.alias("hours"),
        pl.col("minutes").filter("abstracted").sum().alias("abstracted"),
        *(pl.col("minutes").filter(pl.col("kind") == kind).sum().alias(kind) for kind in COLUMNS),
    )
    return sums.with_columns(
        (100 * pl.col("abstracted") / pl.col("hours")).alias("abstracted_percent"),
        (pl.col("hours", "abstracted", *COLUMNS) / 60).round(),
        pl.lit(RELEASE).alias("release"),
    )
