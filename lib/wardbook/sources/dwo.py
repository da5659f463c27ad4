"""Reader for the Met's workbook of dedicated ward officers' hours and strengths ("MPS Dedicated Ward Officer Abstractions and Strengths").

**Unverified**: written from a description of the workbook (DWO_Abstraction.xlsx, London Datastore e16kd) and tested on input made
from that description, never on the file; the account of every file that is read says so. A duty hour is any row's; it is abstracted
where the row says that the officer was taken from ward duty. The page states no licence: figures are cited as facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from wardbook import places
from wardbook.periods import financial_year_of
from wardbook.sources.reading import Loaded, Quality, SourceError, check_file, refuse_cells, sane_years, take_columns

KEY = "dwo-abstraction"
RELEASE = "workbook DWO_Abstraction.xlsx"
# The publisher's kinds of abstraction, put together as the published sums are; a kind that is not here is `other`.
KINDS = {
    "training": "training",
    **dict.fromkeys(("aid", "local aid"), "aid"),
    "staffing up": "staffing_up",
    **dict.fromkeys(("court", "cad", "custody"), "court"),
}
COLUMNS = ("training", "aid", "staffing_up", "court", "other")
MINUTES_SCHEMA = pl.Schema(
    {"borough_code": pl.String, "month": pl.Date, "abstracted": pl.Boolean, "kind": pl.String, "minutes": pl.Float64}
)
STRENGTHS_SCHEMA = pl.Schema(
    {
        "month": pl.Date,
        "business_group": pl.String,
        "ocu": pl.String,
        "department": pl.String,
        "team": pl.String,
        "rank": pl.String,
        "fte": pl.Float64,
    }
)
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d %B %Y", "%d %b %Y")
_YES, _NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


def _read_sheet(path: Path, sheet: str, wanted: dict[str, list[str]]) -> pl.DataFrame:
    """A sheet as text with each row's `line`, its columns under our names, rows of nothing left out."""
    import fastexcel

    check_file(path, "xlsx")
    try:
        table = fastexcel.read_excel(path).load_sheet(sheet, dtypes="string").to_polars()
    except fastexcel.FastExcelError as error:
        raise SourceError(path, f"a workbook with a sheet {sheet!r}", " ".join(str(error).split())) from error
    table = take_columns(table.rename(str.strip), path, wanted).select(list(wanted))
    cells = pl.col(list(wanted)).str.strip_chars()
    table = table.with_columns(pl.when(cells != "").then(cells).name.keep()).with_row_index("line", offset=2)
    table = table.filter(pl.any_horizontal(pl.col(list(wanted)).is_not_null()))
    if table.is_empty():
        raise SourceError(path, f"rows in the sheet {sheet!r}", "none")
    return table


def _parse(
    table: pl.DataFrame, path: Path, *, month: str, number: str, published: dict[str, list[str]]
) -> pl.DataFrame:
    """The table with its date column as the first of the month and its number column as a number ≥ 0, or refused."""
    day = pl.coalesce(
        *(pl.col(month).str.head(10).str.to_date(form, strict=False) for form in _DATES[:2]),
        *(("1 " + pl.col(month)).str.to_date(form, strict=False) for form in _DATES[2:]),
    )
    parsed = table.with_columns(day.dt.truncate("1mo").alias(month), pl.col(number).cast(pl.Float64, strict=False))
    refuse_cells(
        table,
        month,
        ~sane_years(parsed[month]),
        path,
        "a date, or a month such as April 2023",
        named=published[month][0],
    )
    good = (parsed[number].is_finite() & (parsed[number] >= 0)).fill_null(False)
    refuse_cells(table, number, ~good, path, "a number, 0 or more", named=published[number][0])
    return parsed


def read_minutes(path: Path | str) -> Loaded:
    """Minutes of duty by borough, month and kind: the sheet `Sheet1`.

    Returns
    -------
    Loaded
        `MINUTES_SCHEMA`, sorted: `kind` is one of `COLUMNS` where `abstracted`, null elsewhere. Rows of no borough of the
        Met's are set aside; kinds that are not among `KINDS` are counted as `other` and named in the account.

    Raises
    ------
    SourceError
        naming file, column, line and value.
    """
    path = Path(path)
    wanted = {
        "month": ["Month of Abstraction"],
        "borough": ["Borough"],
        "from_duty": ["Abstracted From Duty"],
        "kind": ["Abstraction Type"],
        "minutes": ["Abstraction Minutes"],
    }
    table = _read_sheet(path, "Sheet1", wanted)
    quality = Quality(str(path), KEY, rows_read=table.height)
    quality.note("rows of a workbook known from its description alone", table.height)
    from_duty = table["from_duty"].str.to_lowercase()
    strange = ~from_duty.is_in([*_YES, *_NO]).fill_null(False)
    refuse_cells(table, "from_duty", strange, path, f"one of {', '.join([*_YES, *_NO])}", named="Abstracted From Duty")
    table = _parse(table, path, month="month", number="minutes", published=wanted).with_columns(
        pl.col("borough").map_elements(places.borough_code, return_dtype=pl.String).alias("borough_code"),
        from_duty.is_in(_YES).alias("abstracted"),
        pl.col("kind").str.to_lowercase().alias("published_kind"),
    )
    kind = pl.col("published_kind").replace_strict(KINDS, default="other", return_dtype=pl.String)
    table = table.with_columns(pl.when("abstracted").then(kind).alias("kind"))
    for name, rows in table.filter(kind="other").group_by("published_kind", maintain_order=True).len().iter_rows():
        quality.note(f"abstraction for {name or 'no stated kind'}, counted as other", rows)
    kept = table.filter(pl.col("borough_code").is_in(places.boroughs()["borough_code"].implode()))
    quality.drop("of no borough of the Met's", table.height - kept.height)
    if kept.is_empty():
        raise SourceError(path, "boroughs of London in the column 'Borough'", repr(table["borough"][0]))
    frame = kept.group_by("borough_code", "month", "abstracted", "kind").agg(pl.col("minutes").sum())
    frame = frame.select(MINUTES_SCHEMA.names()).sort("borough_code", "month", "abstracted", "kind")
    return Loaded(frame, quality.close(kept.height))


def read_strengths(path: Path | str) -> Loaded:
    """Ward officers in post by month, team and rank (full-time equivalents): the sheet `Strengths`, as published.

    Ranks are here and nowhere in the hours: what tells constables from PCSOs and sergeants.

    Returns
    -------
    Loaded
        `STRENGTHS_SCHEMA`, in the sheet's order.

    Raises
    ------
    SourceError
        naming file, column, line and value.
    """
    path = Path(path)
    # "Buisness" is the publisher's.
    wanted = {"month": ["Date"], "business_group": ["Buisness Group", "Business Group"], "ocu": ["OCU"]}
    wanted |= {"department": ["Department"], "team": ["Team"], "rank": ["Rank"], "fte": ["FTE"]}
    table = _read_sheet(path, "Strengths", wanted)
    quality = Quality(str(path), KEY, rows_read=table.height)
    quality.note("rows of a workbook known from its description alone", table.height)
    refuse_cells(table, "rank", table["rank"].is_null(), path, "a rank", named="Rank")
    frame = _parse(table, path, month="month", number="fte", published=wanted).select(STRENGTHS_SCHEMA.names())
    return Loaded(frame, quality.close(frame.height))


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
    start = financial_year_of(pl.col("month"))
    label = pl.format("{}-{}", start, ((start + 1) % 100).cast(pl.String).str.zfill(2))
    minutes = minutes.with_columns(label.alias("financial_year"))
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
