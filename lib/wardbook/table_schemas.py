"""What each table of the edition may hold: `build` writes nothing else, `check` accepts nothing else.

A key is unique, a count is not negative, a share lies within 0 and 1, and no number is NaN. What each column means stands
in `data/dictionary.csv`.
"""

from __future__ import annotations

import re
from datetime import date

import dataframely as dy
import polars as pl

from wardbook.schemas import LINE
from wardbook.sources.police_uk_api import Engagement, EngagementCaptures, Priorities  # noqa: F401


def _borough(*others: str, primary_key: bool = True) -> dy.String:
    allowed = " or ".join(["the GSS code of a London borough", *others])
    return dy.String(primary_key=primary_key, regex="^(" + "|".join([r"E09\d{6}", *others]) + ")$", description=allowed)


def _ward() -> dy.String:
    return dy.String(primary_key=True, regex=r"^E05\d{6}$", description="the GSS code of a ward")


def _month(*, primary_key: bool = True) -> dy.Date:
    return dy.Date(
        primary_key=primary_key,
        min=date(2000, 1, 1),
        check=lambda month: month.dt.day() == 1,
        description="the first day of a month",
    )


def _name(*, primary_key: bool = True) -> dy.String:
    return dy.String(primary_key=primary_key, min_length=1)


def _snapshot() -> dy.String:
    return dy.String(primary_key=True, regex=r"^\d{4}-\d{2}$", description="a snapshot such as 2026-02")


def _year() -> dy.String:
    return dy.String(primary_key=True, regex=r"^\d{4}-\d{2}$", description="a financial year such as 2024-25")


def _within(part: str, whole: str):
    return dy.rule()(lambda cls: pl.col(part) <= pl.col(whole))


class BoroughOffences(dy.Schema):
    """A row is a borough (or unknown) × month × offence group × snapshot."""

    borough_code = _borough("unknown")
    month = _month()
    offence_group = _name()
    snapshot = _snapshot()
    offences = dy.Int32(min=0)
    airport_offences = dy.Int32(min=0)

    airport_offences_within_offences = _within("airport_offences", "offences")


class WardOffences(dy.Schema):
    """A row is a ward × month × offence group × snapshot."""

    ward_code = _ward()
    month = _month()
    offence_group = _name()
    snapshot = _snapshot()
    offences = dy.Int32(min=0)


class KnifeOffences(dy.Schema):
    """A row is a borough (or unknown) × month × subtype of knife crime."""

    borough_code = _borough("unknown")
    month = _month()
    subtype = _name()
    offences = dy.Int32(min=0)
    positive_outcomes = dy.Int32(min=0)
    team_offences = dy.Int32(min=0)


class Outcomes(dy.Schema):
    """A row is a borough (or unknown) × month × offence group of business crime."""

    borough_code = _borough("unknown")
    month = _month()
    offence_group = _name()
    outcomes = dy.Int32(min=0)
    positive_outcomes = dy.Int32(min=0)

    positive_outcomes_within_outcomes = _within("positive_outcomes", "outcomes")


class VawgOffences(dy.Schema):
    """A row is a borough or a ward × month, or London × month × kind."""

    level = dy.String(primary_key=True, regex="^(borough|ward|London)$", description="borough, ward or London")
    area_code = dy.String(primary_key=True, regex=r"^(E09\d{6}|E05\d{6}|E12000007|unknown)$", description="a GSS code")
    month = _month()
    kind = _name()
    offences = dy.Int32(min=0)


class Stops(dy.Schema):
    """A row is a borough (or unplaced) × month × section 60 or not × search type × outcome."""

    borough_code = _borough("unplaced")
    month = _month()
    is_section_60 = dy.Bool(primary_key=True)
    search_type = _name()
    outcome = _name()
    stops = dy.Int32(min=1)


class Searches(dy.Schema):
    """A row is a borough × month × object × section 60 or not × both ethnicities × outcome × age band × clothing removed."""

    borough_code = _borough("unplaced", primary_key=False)
    month = _month(primary_key=False)
    object_of_search = _name(primary_key=False)
    is_section_60 = dy.Bool()
    self_defined = _name(primary_key=False)
    officer_defined = _name(primary_key=False)
    outcome = _name(primary_key=False)
    age_band = _name(primary_key=False)
    more_than_outer_clothing = dy.Bool(nullable=True)  # nothing was published of it before 2024: it can be no key
    searches = dy.Int32(min=1)

    @dy.rule()
    def each_combination_once(cls) -> pl.Expr:
        return pl.struct(name for name in cls.column_names() if name not in (LINE, "searches")).is_unique()


class SearchesByDay(dy.Schema):
    """A row is a borough × local day × object × both ethnicities."""

    borough_code = _borough("unplaced")
    day = dy.Date(primary_key=True)
    object_of_search = _name()
    self_defined = _name()
    officer_defined = _name()
    searches = dy.Int32(min=1)


class ThoroughSearches(dy.Schema):
    """A row is a borough × year × age band × ethnic appearance × adult present × outcome."""

    borough_code = _borough("unknown")
    year = dy.Int32(primary_key=True, min=2000)
    age_band = _name()
    ethnic_appearance = _name()
    adult_present = _name()
    outcome = _name()
    months = dy.Int32(min=1, max=12)
    searches = dy.Int32(min=1)


class WardPlacing(dy.Schema):
    """A row is a borough × year: stops placed by outline, and those of them that the best fit puts in the same ward."""

    borough_code = _borough("unplaced")
    financial_year = _year()
    stops = dy.Int32(min=1)
    same_ward = dy.Int32(min=0)

    same_ward_within_stops = _within("same_ward", "stops")


class WardStops(dy.Schema):
    """A row is a ward × year."""

    ward_code = _ward()
    financial_year = _year()
    stops = dy.Int32(min=1)


class StopCoverage(dy.Schema):
    """A row is a force × month."""

    force = _name()
    month = _month()
    rows = dy.Int32(min=1)
    unplaced = dy.Int32(min=0)
    exact_duplicates = dy.Int32(min=0)
    without_age = dy.Int32(min=0)
    without_ethnicity = dy.Int32(min=0)
    last_day = dy.Date()
    why_not = dy.String(nullable=True)
    complete = dy.Bool()

    @dy.rule()
    def a_reason_where_a_month_is_not_complete(cls) -> pl.Expr:
        return pl.col("complete") == pl.col("why_not").is_null()


class Confidence(dy.Schema):
    """A row is a borough or London × quarter × question."""

    borough_code = dy.String(primary_key=True, regex=r"^(E09\d{6}|E12000007)$", description="a borough or London")
    quarter_end = dy.Date(primary_key=True)
    question = _name()
    share = dy.Float64(min=0, max=1)


class Households(dy.Schema):
    """A row is a borough."""

    borough_code = _borough()
    households = dy.Int64(min=1)


class Population(dy.Schema):
    """A row is a ward × ethnic group."""

    ward_code = _ward()
    borough_code = _borough()
    ethnic_group = _name()
    residents = dy.Int32(min=0)


class Wards(dy.Schema):
    """A row is a ward of any vintage at hand."""

    ward_code = _ward()
    ward = dy.String(min_length=1)
    borough_code = dy.String(nullable=True, regex=r"^E09\d{6}$", description="the GSS code of a London borough")
    vintages = dy.String(regex=r"^\d{4}( \d{4})*$", description="years with a blank between")
    easting = dy.Float64(min=0, max=700_000)
    northing = dy.Float64(min=0, max=1_300_000)


class OfficerHours(dy.Schema):
    """A row is a borough (or London) × financial year: duty hours of ward officers, and those abstracted, by kind."""

    borough_code = _borough("E12000007")
    financial_year = _year()
    hours = dy.Int64(min=1)
    abstracted = dy.Int64(min=0, nullable=True)
    training = dy.Int64(min=0, nullable=True)
    aid = dy.Int64(min=0, nullable=True)
    staffing_up = dy.Int64(min=0, nullable=True)
    court = dy.Int64(min=0, nullable=True)
    other = dy.Int64(min=0, nullable=True)
    abstracted_percent = dy.Float64(min=0, max=100)
    release = _name(primary_key=False)


# By the table's name: `BoroughOffences` is the schema of `borough_offences`. Columns that a schema does not name are let
# through: a table may gain one before its schema does.
SCHEMAS: dict[str, type[dy.Schema]] = {
    re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower(): schema
    for name, schema in list(globals().items())
    if isinstance(schema, type) and issubclass(schema, dy.Schema)
}
