"""Reader for data.police.uk: stop and search, one file a force and month.

The files have no record id, no borough and no ward: a place comes only from the coordinates (`sources.placing`), which
data.police.uk moves to the nearest of a list of points. What each label means is said in `wardbook.vocabulary`.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook.sources import reading
from wardbook.sources.reading import Loaded, Quality, SourceError
from wardbook.vocabulary import NOT_STATED, SELF_DEFINED, UNRECOGNISED, broad_group, outcome_group, without_code

SEARCH_TYPES = ("Person search", "Person and Vehicle search", "Vehicle search")

_REMOVAL = "Removal of more than just outer clothing"
# Section 60AA (removing a disguise) is another power than section 60 (searching without suspicion).
_SECTION_60 = r"(?i)public order act.*section 60(?:$|[^0-9a-z])"
_OTHER_MONTHS = 0.03  # the share of rows outside the file's month above which it is no file of that month
_LONDON = {"latitude": (51.2, 51.75), "longitude": (-0.6, 0.4)}


def _local(time: pl.Expr) -> pl.Expr:
    # %z reads any offset, though only +00:00 has been seen; a time without one is null.
    utc = time.str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us", strict=False)
    return utc.dt.convert_time_zone("Europe/London")


def _label(*names: str) -> dy.String:
    return dy.String(nullable=True, **reading.spelt(*names))


def _degrees(name: str) -> dy.Float64:
    return dy.Float64(nullable=True, description="degrees", **reading.spelt(name))


def _yes_or_no(*names: str) -> dy.Enum:
    return dy.Enum(["true", "false"], nullable=True, description="True or False", **reading.spelt(*names))


class StopRows(dy.Schema):
    """A published stop, under our names; the API's answers have the files' names in their own way, but for two."""

    time = dy.String(
        check=lambda time: _local(time).is_not_null(),
        description="a time such as 2024-05-31T23:30:00+00:00",
        **reading.spelt("Date", "datetime"),
    )
    search_type = _label("Type")
    latitude = _degrees("Latitude")
    longitude = _degrees("Longitude")
    gender = _label("Gender")
    age_range = _label("Age range")
    self_defined = dy.String(
        nullable=True,
        check=lambda label: without_code(label).is_in(list(SELF_DEFINED)),
        description="one of the self-defined ethnicities listed in wardbook.vocabulary",
        **reading.spelt("Self-defined ethnicity"),
    )
    officer_defined = _label("Officer-defined ethnicity")
    legislation = _label("Legislation")
    object_of_search = _label("Object of search")
    outcome = _label("Outcome")
    outcome_linked = _yes_or_no("Outcome linked to object of search")
    more_than_outer_clothing = _yes_or_no(_REMOVAL, "removal_of_more_than_outer_clothing")


STOPS_SCHEMA = pl.Schema(
    {
        "file_month": pl.Date,
        "force": pl.String,
        "local_time": pl.Datetime("us", "Europe/London"),
        "month": pl.Date,
        **{name: column.dtype for name, column in StopRows.columns().items() if name != "time"},
        "outcome_linked": pl.Boolean,
        "more_than_outer_clothing": pl.Boolean,
        "is_section_60": pl.Boolean,
        "is_repeat": pl.Boolean,
        "line": pl.Int64,
    }
)


def month_and_force(path: Path, kind: str) -> tuple[date, str]:
    """The month and the force that a file's name says, or its folder's, where a name has no month.

    Parameters
    ----------
    kind : what the name ends in: "stop-and-search" or "street".
    """
    match = re.fullmatch(rf"(?:(20\d\d-\d\d)-)?(.+)-{kind}\.csv", path.name)
    month = (match and match[1]) or path.parent.name
    if not match or not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month):
        raise SourceError(path, f"a name like 2024-05-metropolitan-{kind}.csv", f"{path.parent.name}/{path.name}")
    return date.fromisoformat(f"{month}-01"), match[2]


def read_stops(path: Path | str) -> Loaded:
    """Stops and searches of one force and month, every row kept, times in local time, labels as published.

    Times are published in UTC while files are cut by local month: 23:30 UTC on 31 May is 00:30 on 1 June, and belongs
    to June. Exact duplicates stay, because two people searched in one stop leave two equal rows; they are counted.

    Returns
    -------
    Loaded
        `STOPS_SCHEMA`, in the file's order. `line` is the row's line in the file; `month` the first of its local month;
        `is_repeat` marks a row that equals an earlier one in every published column;
        latitude and longitude in degrees (WGS 84), as published even outside London.

    Raises
    ------
    SourceError
        for a missing column, a name without month or force, a self-defined label of neither vocabulary, a time,
        coordinate or true/false cell that cannot be read (naming value, column and line), or another month's rows.
    """
    path = Path(path)
    raw = reading.read_text_table(path).with_row_index("line", offset=2)
    file_month, force = month_and_force(path, "stop-and-search")
    return tidy_stops(raw, path, file_month, force)


def tidy_stops(raw: pl.DataFrame, path: Path, file_month: date, force: str) -> Loaded:
    """What `read_stops` returns, from a text table under the publisher's names with a `line`; the API's answers come here too."""
    cells = pl.col(pl.String).str.strip_chars()
    raw = raw.with_columns(pl.when(cells != "").then(cells))
    names = reading.published(StopRows)
    if not {*names["more_than_outer_clothing"]} & {*raw.columns}:
        raw = raw.with_columns(pl.lit(None, pl.String).alias(_REMOVAL))  # filled since February 2024 only
    table, quality = reading.open_rows(raw, path, names)
    # Of rows equal in every published column, each after the first; the frame below keeps too few columns to tell.
    table = table.with_columns((~pl.struct(pl.exclude("line")).is_first_distinct()).alias("is_repeat"))
    answers = pl.col("outcome_linked", "more_than_outer_clothing")
    typed = reading.read_typed(table.with_columns(answers.str.to_lowercase()), StopRows, quality)
    frame = typed.with_columns(
        table["line"],
        table["is_repeat"],
        answers == "true",
        pl.lit(file_month).alias("file_month"),
        pl.lit(force).alias("force"),
        _local(pl.col("time")).alias("local_time"),
        pl.col("legislation").str.contains(_SECTION_60).fill_null(False).alias("is_section_60"),
    ).with_columns(pl.col("local_time").dt.date().dt.month_start().alias("month"))
    _refuse_other_months(frame, path)
    _note_oddities(frame, quality)
    frame = frame.select(STOPS_SCHEMA.names()).cast(dict(STOPS_SCHEMA))
    return Loaded(frame, quality.close(frame.height))


def _refuse_other_months(frame: pl.DataFrame, path: Path) -> None:
    """Refuse a file more than 3 % of whose rows are of another month than its name says: a copy would double that month.

    The 40 real months at hand hold none, once their times are local; a few are a clock's fault, and reported.
    """
    outside = frame.filter(pl.col("month") != pl.col("file_month"))
    if outside.height > _OTHER_MONTHS * frame.height:
        months = outside["month"].value_counts().sort("count", "month", descending=[True, False])
        found = f"{outside.height:,} of {frame.height:,} rows of other months, {months['count'][0]:,} of {months['month'][0]:%B %Y}"
        month = f"{frame['file_month'][0]:%B %Y}"
        raise SourceError(path, f"stops of {month}", f"{found} (another month's file under this name?)")


def _note_oddities(frame: pl.DataFrame, quality: Quality) -> None:
    """Count what is odd and stays as published: coordinates that place nothing in London, blanks, labels nobody knows."""
    (south, north), (west, east) = _LONDON.values()
    latitude, longitude = pl.col("latitude"), pl.col("longitude")
    placed = latitude.is_not_null() & longitude.is_not_null()
    inside = latitude.is_between(south, north) & longitude.is_between(west, east)
    kinds = {
        "without coordinates": ~placed,
        "coordinates outside London's bounding box": placed & ~inside,
        "exact duplicate rows": pl.col("is_repeat"),
        "rows dated outside the file's month": pl.col("month") != pl.col("file_month"),
        "self-defined ethnicity not stated": broad_group(pl.col("self_defined")) == NOT_STATED,
        "self-defined ethnicity blank": pl.col("self_defined").is_null(),
        "age blank": pl.col("age_range").is_null(),
        "legislation blank, counted as not section 60": pl.col("legislation").is_null(),
        "outcome link blank": pl.col("outcome_linked").is_null(),
        "vehicle-only searches": pl.col("search_type") == "Vehicle search",
        "search type not known": ~pl.col("search_type").is_in(SEARCH_TYPES).fill_null(False),
    }
    for kind, count in frame.select(mask.sum().alias(kind) for kind, mask in kinds.items()).to_dicts()[0].items():
        quality.note(kind, count)
    strange = frame.filter(outcome_group(pl.col("outcome")) == UNRECOGNISED)["outcome"]
    for label, count in strange.value_counts().sort("outcome").iter_rows():
        quality.note(f"outcome label not recognised: {label}", count)
