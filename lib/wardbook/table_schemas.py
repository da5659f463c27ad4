"""What each table of the edition may hold: `build` writes nothing else, `check` accepts nothing else.

A key is unique, a count is not negative, a share lies within 0 and 1, and no number is NaN. What each column means stands
in `data/dictionary.csv`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import dataframely as dy
import polars as pl

from wardbook.schemas import LINE
from wardbook.sources.police_uk_api import Engagement, EngagementCaptures, Priorities


def _code(*forms: str, of: str) -> Callable[..., dy.String]:
    return partial(dy.String, regex=f"^({'|'.join(forms)})$", description=f"the GSS code of {of}")


def _borough(*others: str) -> Callable[..., dy.String]:
    return _code(r"E09\d{6}", *others, of=" or ".join(["a London borough", *others]))


# What a column of a key holds, by its name; one that is not here is a text that is not empty.
_KEYS: dict[str, Callable[..., dy.Column]] = {
    "borough_code": _borough(),
    "ward_code": _code(r"E05\d{6}", of="a ward"),
    "area_code": _code(r"E09\d{6}|E05\d{6}|E12000007|unknown", of="an area"),
    "level": partial(dy.String, regex="^(borough|ward|London)$", description="borough, ward or London"),
    "month": partial(
        dy.Date,
        min=date(2000, 1, 1),
        check=lambda month: month.dt.day() == 1,
        description="the first day of a month",
    ),
    "day": dy.Date,
    "quarter_end": dy.Date,
    "year": partial(dy.Int32, min=2000),
    "financial_year": partial(dy.String, regex=r"^\d{4}-\d{2}$", description="a financial year such as 2024-25"),
    "snapshot": partial(dy.String, regex=r"^\d{4}-\d{2}$", description="a snapshot such as 2026-02"),
    "is_section_60": dy.Bool,
}
_text = partial(dy.String, min_length=1)


def _schema(
    key: str, counts: str = "", *, least: int = 0, borough: tuple[str, ...] = (), is_key: bool = True, **more: Any
) -> type[dy.Schema]:
    """The schema of a table: the columns of its key, its counts, and what else it holds or what holds of it.

    `borough` is what may stand for a borough's code, `least` the lowest count.
    """
    of_key = _KEYS | {"borough_code": _borough(*borough)}
    columns: dict[str, Any] = {name: of_key.get(name, _text)(primary_key=is_key) for name in key.split()}
    columns |= {name: dy.Int32(min=least) for name in counts.split()}
    return type("Rows", (dy.Schema,), columns | more)


def _within(part: str, whole: str) -> Any:
    return dy.rule()(lambda cls: pl.col(part) <= pl.col(whole))


def _each_once(*counts: str) -> Any:
    return dy.rule()(lambda cls: pl.struct(n for n in cls.column_names() if n not in (LINE, *counts)).is_unique())


# Columns that a schema does not name are let through: a table may gain one before its schema does.
SCHEMAS: dict[str, type[dy.Schema]] = {
    "borough_offences": _schema(
        "borough_code month offence_group snapshot",
        "offences airport_offences",
        borough=("unknown",),
        airport_offences_within_offences=_within("airport_offences", "offences"),
    ),
    "ward_offences": _schema("ward_code month offence_group snapshot", "offences"),
    "knife_offences": _schema(
        "borough_code month subtype", "offences positive_outcomes team_offences", borough=("unknown",)
    ),
    "outcomes": _schema(
        "borough_code month offence_group",
        "outcomes positive_outcomes",
        borough=("unknown",),
        positive_outcomes_within_outcomes=_within("positive_outcomes", "outcomes"),
    ),
    "vawg_offences": _schema("level area_code month kind", "offences"),
    "stops": _schema("borough_code month is_section_60 search_type outcome", "stops", least=1, borough=("unplaced",)),
    "searches": _schema(
        "borough_code month object_of_search is_section_60 self_defined officer_defined outcome age_band",
        "searches",
        least=1,
        borough=("unplaced",),
        is_key=False,
        # Nothing was published of it before 2024: it can be no key.
        more_than_outer_clothing=dy.Bool(nullable=True),
        each_combination_once=_each_once("searches"),
    ),
    "searches_by_day": _schema(
        "borough_code day object_of_search self_defined officer_defined", "searches", least=1, borough=("unplaced",)
    ),
    "thorough_searches": _schema(
        "borough_code year age_band ethnic_appearance adult_present outcome",
        "searches",
        least=1,
        borough=("unknown",),
        months=dy.Int32(min=1, max=12),
    ),
    "ward_placing": _schema(
        "borough_code financial_year",
        "same_ward",
        borough=("unplaced",),
        stops=dy.Int32(min=1),
        same_ward_within_stops=_within("same_ward", "stops"),
    ),
    "ward_stops": _schema("ward_code financial_year", "stops", least=1),
    "stop_coverage": _schema(
        "force month",
        "unplaced exact_duplicates without_age without_ethnicity",
        rows=dy.Int32(min=1),
        last_day=dy.Date(),
        why_not=dy.String(nullable=True),
        complete=dy.Bool(),
        a_reason_where_a_month_is_not_complete=dy.rule()(lambda cls: pl.col("complete") == pl.col("why_not").is_null()),
    ),
    "confidence": _schema("borough_code quarter_end question", borough=("E12000007",), share=dy.Float64(min=0, max=1)),
    "households": _schema("borough_code", households=dy.Int64(min=1)),
    "population": _schema("ward_code borough_code ethnic_group", "residents"),
    "wards": _schema(
        "ward_code",
        ward=_text(),
        borough_code=_borough()(nullable=True),
        vintages=dy.String(regex=r"^\d{4}( \d{4})*$", description="years with a blank between"),
        easting=dy.Float64(min=0, max=700_000),
        northing=dy.Float64(min=0, max=1_300_000),
    ),
    "officer_hours": _schema(
        "borough_code financial_year",
        borough=("E12000007",),
        hours=dy.Int64(min=1),
        **{
            name: dy.Int64(min=0, nullable=True)
            for name in ("abstracted", "training", "aid", "staffing_up", "court", "other")
        },
        abstracted_percent=dy.Float64(min=0, max=100),
        release=_text(),
    ),
    "engagement": Engagement,
    "priorities": Priorities,
    "engagement_captures": EngagementCaptures,
}
