"""Stop and search: how many, with what result, and how unlike between groups, with what is unknown carried through.

Counts are of searches, not of people; the place is where the search was, not where the person searched lives; nothing is
adjusted for age. Every function takes frames of the shape of the edition's `searches`, `searches_by_day`, `stops`,
`ward_stops` and `population`, cut to the area and months that are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import polars as pl

from wardbook.measures.rates import rate_ratio, with_shares
from wardbook.periods import Period, breaks_between, complete_years
from wardbook.places import Area
from wardbook.vocabulary import BLANK, NOT_STATED, outcome_group

GROUPS = ("Asian", "Black", "Mixed", "Other", "White")
OFFICER_GROUPS = ("Asian", "Black", "Other", "White")  # officers' codes have no Mixed
REFERENCE = "White"  # the group that others are compared with in a table
UNKNOWN = (NOT_STATED, BLANK)
UNKNOWN_GROUP = "unknown"  # the two together
DEFINITIONS = {"self-defined": "self_defined", "officer-defined": "officer_defined"}
GROUPS_OF = {"self-defined": GROUPS, "officer-defined": OFFICER_GROUPS}
KINDS = ("persons, other powers", "persons, section 60", "vehicle only")
# "Anything to threaten or harm anyone" is the object of every search under section 60, and of no other.
OBJECTS = {
    "Controlled drugs": "drugs",
    "Offensive weapons": "weapons",
    "Stolen goods": "stolen goods",
    "Anything to threaten or harm anyone": "section 60",
}
OTHER_OBJECT = "other or not recorded"
CHILD = pl.col("age_band").is_in(["under 10", "10-17", "under 18"])
ARREST = outcome_group(pl.col("outcome")) == "arrest"
POSITIVE = outcome_group(pl.col("outcome")).is_in(["arrest", "other outcome"])
TOO_FEW = 10  # searches of a group with the group known, below which no ratio and no share is given
FEW_SEARCHES, FEW_RESIDENTS = 100, 5_000  # below either, a borough's ratio is marked as resting on few
DRAWS, SEED = 1_000, 2024


def object_kind(published: pl.Expr) -> pl.Expr:
    """What was searched for in four plain kinds, section 60 one of them, and the rest."""
    return published.replace_strict(OBJECTS, default=OTHER_OBJECT, return_dtype=pl.String)


def known_group(column: str) -> pl.Expr:
    """A definition's group with both kinds of unknown made one, as a column `group`."""
    return pl.col(column).replace(dict.fromkeys(UNKNOWN, UNKNOWN_GROUP)).alias("group")


# -- which months, and how many ----------------------------------------------------------------------------------------


class AcrossBreak(ValueError):
    """Months on either side of a declared break, which cannot be compared."""


def refuse_across_break(months: Sequence[date], breaks: pl.DataFrame) -> None:
    """Refuse to lay months of stops beside one another where a break that cuts lies between any two of them.

    Parameters
    ----------
    breaks : rows of `periods.declared_breaks`.

    Raises
    ------
    AcrossBreak
        naming the months and what the break is.
    """
    first, last = min(months), max(months)
    between = breaks_between(breaks.filter(effect="cuts"), "stops", "stops", first, last)
    if between.height:
        what = between.row(0, named=True)
        raise AcrossBreak(
            f"stops of {first:%B %Y} and of {last:%B %Y} cannot be compared, since a break of {what['from_month']:%B %Y} "
            f"lies between them: {what['what']}"
        )


def newest_year(coverage: pl.DataFrame, not_after: date, *, financial: bool = False) -> Period:
    """The newest twelve complete months in a row that end by a month; where none do, the first that there are.

    A month inside a declared break of publication is never complete, so stops may end long before the period asked for.

    Parameters
    ----------
    coverage : the edition's `stop_coverage`.
    financial : only April to March?

    Raises
    ------
    ValueError
        if no twelve months in a row are complete.
    """
    years = complete_years(coverage.filter("complete")["month"])
    years = [year for year in years if year.is_financial_year or not financial]
    if not years:
        raise ValueError("no twelve months of stops in a row are complete: see the edition's table stop_coverage")
    return max((year for year in years if year.last <= not_after), default=years[0])


def monthly_rates(stops: pl.DataFrame, coverage: pl.DataFrame, residents: int) -> pl.DataFrame:
    """Searches by month and kind: persons under section 60 apart from the rest, vehicle-only searches apart from persons.

    Returns
    -------
    pl.DataFrame
        `month, kind, stops, rate_per_1000` (a month, residents of Census 2021), `complete, why_not`; every kind in every
        month, zero where there was none.
    """
    person = pl.when("is_section_60").then(pl.lit(KINDS[1])).otherwise(pl.lit(KINDS[0]))
    kind = pl.when(pl.col("search_type") == "Vehicle search").then(pl.lit(KINDS[2])).otherwise(person)
    counted = stops.group_by("month", kind.alias("kind")).agg(pl.col("stops").sum().cast(pl.Int64))
    grid, number = coverage.join(pl.DataFrame({"kind": KINDS}), how="cross"), pl.col("stops").fill_null(0)
    rate = (1000 * number / residents).alias("rate_per_1000")
    table = grid.join(counted, on=["month", "kind"], how="left")
    return table.select("month", "kind", number, rate, "complete", "why_not").sort("month", "kind")


def matched_months(coverage: pl.DataFrame, period: Period) -> tuple[list[date], list[date]]:
    """The months of a period that are complete and were a year before, too, and those a year before."""
    complete = set(coverage.filter("complete")["month"])
    pairs = [(b, a) for b, a in zip(period.earlier().months, period.months) if {b, a} <= complete]
    return [before for before, _ in pairs], [after for _, after in pairs]


@dataclass(frozen=True)
class Change:
    """Person searches of two sets of months, a day's against a day's: `change_percent` with its 95 % interval."""

    baseline: int
    outturn: int
    change_percent: float
    low: float
    high: float


def compare_months(
    monthly: pl.DataFrame, before: Sequence[date], after: Sequence[date], breaks: pl.DataFrame
) -> Change:
    """Person searches in `after` against those in `before`, by day; refused across a break and for a month not whole.

    The interval is of counting alone: too few years are published to learn how much searches usually vary.

    Parameters
    ----------
    monthly : from `monthly_rates`.
    """
    months = [*before, *after]
    refuse_across_break(months, breaks)
    whole = monthly.filter("complete", pl.col("kind") != KINDS[2], pl.col("month").is_in(months))
    if lacking := sorted(set(months) - set(whole["month"])):
        raise ValueError(f"stops of {lacking[0]:%B %Y} are not complete: they are no end point of a comparison")
    counts = [whole.filter(pl.col("month").is_in(list(part)))["stops"].sum() for part in (before, after)]
    days = [pl.Series(list(part)).dt.days_in_month().cast(pl.Int64).sum() for part in (before, after)]
    ratio = rate_ratio(counts[1], counts[0], days[1], days[0])
    return Change(*counts, *(100 * (value - 1) for value in (ratio.ratio, ratio.lower, ratio.upper)))


# -- shares: outcomes, children, clothing -------------------------------------------------------------------------------


def shares(searches: pl.DataFrame, part: pl.Expr, by: str | Sequence[str] = ()) -> pl.DataFrame:
    """The share of searches for which a condition holds, with Wilson's 95 % interval, for each value of `by`.

    Where the condition is null (clothing before February 2024) a search counts neither as having it nor among all.

    Returns
    -------
    pl.DataFrame
        `by`, `count`, `of` (searches where the condition is known), `share`, `lower`, `upper` (fractions), sorted; no
        row where of none the condition is known.
    """
    by = [by] if isinstance(by, str) else list(by)
    known = searches.with_columns(part.alias("__part")).drop_nulls("__part")
    number = pl.col("searches").cast(pl.Int64)
    table = known.group_by(by or [pl.lit("all").alias("__all")]).agg(
        number.filter("__part").sum().alias("count"), number.sum().alias("of")
    )
    table = table.sort(by or "of").select(*by, "count", "of")
    return with_shares(table, "count", "of").rename({"low": "lower", "high": "upper"})


def outcome_rates(searches: pl.DataFrame, by: str | Sequence[str] = ()) -> pl.DataFrame:
    """`shares` of arrest and of any positive outcome, under one another, named in `result`.

    Nothing is said of what was *found*: the Met's files do not link an outcome to the object searched for.
    """
    results = {"arrest": ARREST, "any positive outcome": POSITIVE}
    return pl.concat(
        shares(searches, part, by).with_columns(pl.lit(name).alias("result")) for name, part in results.items()
    )


def year_table(monthly: pl.DataFrame, persons: pl.DataFrame, area: Area, year: Period, residents: int) -> pl.DataFrame:
    """The rows of `tables/stops.csv`: a year's stops by power over residents, and what person searches led to.

    Parameters
    ----------
    monthly : from `monthly_rates`; persons : the year's rows of `searches`.

    Returns
    -------
    pl.DataFrame
        `area, period, measure, item, stops, of, rate_per_1000, share, lower, upper`: `of` is residents or searches.
    """
    of_year = monthly.filter(year.within(pl.col("month")))
    powers = of_year.group_by(item="kind").agg(pl.col("stops", "rate_per_1000").sum()).sort("item")
    results = outcome_rates(persons).rename({"result": "item", "count": "stops"})
    named = {"area": pl.lit(area.name), "period": pl.lit(str(year))}
    powers = powers.with_columns(**named, measure=pl.lit("searches"), of=pl.lit(residents, pl.Int64))
    results = results.with_columns(**named, measure=pl.lit("outcome of person searches"))
    columns = ["area", "period", "measure", "item", "stops", "of", "rate_per_1000", "share", "lower", "upper"]
    return pl.concat([powers, results], how="diagonal").select(columns)


# -- more thorough searches ---------------------------------------------------------------------------------------------

MINORS = "under 18"
MINOR = pl.col("age_band") == MINORS


def thorough_years(thorough: pl.DataFrame, years: Sequence[int]) -> pl.DataFrame:
    """More thorough searches by calendar year: `year, searches, under_18`, nought where there was none."""
    number = pl.col("searches")
    tally = thorough.group_by("year").agg(number.sum(), under_18=number.filter(MINOR).sum())
    table = pl.DataFrame({"year": years}, schema={"year": pl.Int32}).join(tally, on="year", how="left").sort("year")
    return table.with_columns(pl.col("searches", "under_18").fill_null(0).cast(pl.Int64))


def thorough_items(thorough: pl.DataFrame, here: pl.Expr) -> pl.DataFrame:
    """Each year's more thorough searches by age band, ethnic appearance and outcome, and under-18s by adult present.

    Parameters
    ----------
    here : condition on rows; whatever occurs anywhere in a year has its row, nought where it does not occur here. (Without
        one, a row withheld that stands alone would be the year's total.)

    Returns
    -------
    pl.DataFrame
        `year, measure, item, searches`; a measure's items add up to all of a year's, or to all of its under-18s'.
    """
    measures = dict.fromkeys(("age_band", "ethnic_appearance", "outcome"), thorough)
    number = pl.col("searches").filter(here).sum().cast(pl.Int64)
    parts = [
        rows.group_by("year", measure=pl.lit(name), item=pl.col(name)).agg(number)
        for name, rows in (measures | {"adult_present": thorough.filter(MINOR)}).items()
    ]
    return pl.concat(parts).sort("year", "measure", "item")


# -- who: rates, bounds, and the unknown spread -------------------------------------------------------------------------


def residents_by_group(counts: pl.DataFrame, population: pl.DataFrame, ethnicity: str) -> dict[str, float]:
    """Residents by group; for officers' groups those who are Mixed are shared as officers saw the searched who are."""
    people = dict(population.group_by("ethnic_group").agg(pl.col("residents").sum()).iter_rows())
    if ethnicity == "self-defined":
        return people
    mixed = counts.filter(pl.col("self_defined") == "Mixed", pl.col("officer_defined").is_in(OFFICER_GROUPS))
    seen = dict(mixed.group_by("officer_defined").agg(pl.col("searches").sum()).iter_rows())
    every = sum(seen.values()) or 1
    return {g: people.get(g, 0) + people.get("Mixed", 0) * seen.get(g, 0) / every for g in OFFICER_GROUPS}


def _spread(searches: np.ndarray) -> np.ndarray:
    """Searches by borough and group, [..., b, g], the unknowns of each cell (b, o) shared out as its known ones are.

    `searches` is [..., b, o, g], the last of g the unknown; a cell without known searches learns from all boroughs' of the same
    other definition, and failing that from all.
    """
    known, unknown = searches[..., :-1], searches[..., -1:]
    boroughs, every = known.sum(axis=-3, keepdims=True), known.sum(axis=(-3, -2), keepdims=True)
    source = np.where(boroughs.sum(axis=-1, keepdims=True) > 0, boroughs, every)
    source = np.where(known.sum(axis=-1, keepdims=True) > 0, known, source)
    size = source.sum(axis=-1, keepdims=True)
    share = np.divide(source, size, where=size > 0, out=np.zeros(source.shape))
    return (known + unknown * share).sum(axis=-2)


def _over(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Ratios; over nothing, infinite."""
    return np.divide(one, other, where=other > 0, out=np.full(one.shape, np.inf))


def _middle(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle 95 % of the draws, which are the first axis."""
    return tuple(np.quantile(drawn, (0.025, 0.975), axis=0, method="nearest"))


@cache
def _drawn(blocks: int, draws: int, seed: int) -> np.ndarray:
    """How often each of so many days or weeks is drawn again, a row a draw: the same for every area and object of as many."""
    return np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=draws).astype(float)


@dataclass(frozen=True)
class Spread:
    """Searches of an area by group, known and with the unknown spread, as counted and as drawn again.

    Not stating one's ethnicity is informative: of those whom officers saw as Black more do not state it. Here unknowns
    are spread by P(self-defined | officer-defined) among the searches of the same borough that have both (for
    officer-defined ethnicity the other way round); where a borough has no such search, all boroughs' serve.
    """

    ethnicity: str
    boroughs: tuple[str, ...]
    known: np.ndarray  # [g]
    unknown: int
    totals: np.ndarray  # [b, g]
    drawn: np.ndarray  # [draw, b, g]

    @staticmethod
    def of(counts: pl.DataFrame, ethnicity: str, draws: int = DRAWS, seed: int = SEED) -> Spread:
        """Count searches, and draw them again.

        Searches come in clusters, several from one operation, so the interval is a bootstrap by day (percentiles; Efron &
        Tibshirani 1993): whole days are drawn again. Of several boroughs together whole weeks are: what moves London's ratio
        goes on for days, and its error by week is 1.4 times that by day (the boroughs', 1.04 at the median). Counting alone
        would make London's interval a third as wide.

        Parameters
        ----------
        counts : `borough_code` (unplaced searches are one of their own), `day, self_defined, officer_defined, searches`; person
            searches only.
        ethnicity : of `DEFINITIONS`.
        """
        groups = GROUPS_OF[ethnicity]
        mine = DEFINITIONS[ethnicity]
        (other,) = set(DEFINITIONS.values()) - {mine}
        boroughs, others = tuple(counts["borough_code"].unique().sort()) or ("none",), (*GROUPS, *UNKNOWN)
        # A day without a search is a day that may be drawn, too.
        day = (pl.col("day") - pl.col("day").min()).dt.total_days()
        days = (counts.select(day.max()).item() or 0) + 1
        cells = np.zeros((days, len(boroughs), len(others), len(groups) + 1))
        named = [("borough_code", boroughs), (other, others), (mine, groups)]
        places = [
            pl.col(column).replace_strict(dict(zip(names, range(len(names)))), default=len(names))
            for column, names in named
        ]
        at = counts.select(day, *places).cast(pl.Int64)
        np.add.at(cells, tuple(at.to_numpy().T), counts["searches"].to_numpy())
        whole = cells.sum(axis=0)
        blocks = np.add.reduceat(cells, np.arange(0, days, 1 if len(boroughs) == 1 else 7), axis=0)
        again = _drawn(len(blocks), draws, seed) @ blocks.reshape(len(blocks), -1)
        return Spread(
            ethnicity,
            boroughs,
            known=whole[..., :-1].sum(axis=(0, 1)),
            unknown=int(whole[..., -1].sum()),
            totals=_spread(whole),
            drawn=_spread(again.reshape(draws, *whole.shape)),
        )

    def against(self, people: dict[str, float], reference: str = REFERENCE) -> pl.DataFrame:
        """Each group's searches per 1,000 residents over those of another, unknown ethnicity carried through.

        Parameters
        ----------
        people : from `residents_by_group`.

        Returns
        -------
        pl.DataFrame
            a row a group: `group`, `reference`, `ethnicity`; `rate_group`, `rate_reference`; `ratio` with the unknown spread,
            `lower` and `upper` its 95 % interval; `known_only` without them; `bound_low` and `bound_high` with all unknowns
            given to the reference group, and all to the group: whatever the unknown are, the ratio lies between;
            `unknown_share`; `searches_known`, `searches_reference_known`, `residents_group`, `residents_reference`; `times`,
            its searches over the reference's.
        """
        groups = GROUPS_OF[self.ethnicity]
        at, residents = groups.index(reference), np.array([float(people.get(g, 0)) for g in groups])
        drawn, unknown, known = self.drawn.sum(axis=1), self.unknown, int(self.known[at])
        lower, upper = _middle(_over(drawn * residents[at], drawn[:, [at]] * residents))
        every = self.known.sum() + unknown
        counted = {"group": groups, "searches": self.totals.sum(axis=0), "searches_known": self.known.astype(int)}
        table = pl.DataFrame(counted | {"residents_group": residents, "lower": lower, "upper": upper})
        number, own = pl.col("searches"), pl.col("searches_known")
        scale, rate = pl.lit(residents[at]) / pl.col("residents_group"), 1000 * number / pl.col("residents_group")
        return table.with_columns(
            reference=pl.lit(reference),
            ethnicity=pl.lit(self.ethnicity),
            times=number / number.get(at),
            rate_group=rate,
            rate_reference=rate.get(at),
            ratio=number / number.get(at) * scale,
            known_only=own / pl.lit(known) * scale,
            bound_low=own / pl.lit(known + unknown) * scale,
            bound_high=(own + unknown) / pl.lit(known) * scale,
            unknown_share=pl.lit(unknown / every if every else None, pl.Float64),
            searches_reference_known=pl.lit(known),
            residents_reference=pl.lit(residents[at]),
        )

    def within_boroughs(self, population: pl.DataFrame) -> pl.DataFrame:
        """The ratio of rates to White held within boroughs, a row a group: Mantel and Haenszel's weights.

        London's plain ratio mixes who is searched with where searches are. Searches without a place are left out.

        References
        ----------
        Rothman & Greenland (1998), Modern Epidemiology, 2nd ed., eq. 15-22 for person-time data.
        """
        groups, at = GROUPS_OF[self.ethnicity], GROUPS_OF[self.ethnicity].index(REFERENCE)
        table = population.group_by("borough_code", "ethnic_group").agg(pl.col("residents").sum())
        residents = {(b, g): n for b, g, n in table.iter_rows()}
        people = np.array([[residents.get((b, g), 0) for g in groups] for b in self.boroughs], float)
        # Searches without a place have no residents.
        both = np.where(people.sum(axis=1, keepdims=True) > 0, people + people[:, [at]], np.inf)

        def ratio(totals: np.ndarray) -> np.ndarray:
            mine = (totals * people[:, [at]] / both).sum(axis=-2)
            return _over(mine, (totals[..., [at]] * people / both).sum(axis=-2))

        return pl.DataFrame(dict(zip(_WITHIN, (ratio(self.totals), *_middle(ratio(self.drawn))))))


# -- the tables of ratios ----------------------------------------------------------------------------------------------

_KEY = ("area", "period", "ethnicity", "group", "reference")
_ESTIMATES = ("rate_group", "rate_reference", "ratio", "lower", "upper", "known_only", "bound_low", "bound_high")
_WITHIN = ("within_boroughs", "within_low", "within_high")
_MORE = ("mapping_low", "mapping_none", "mapping_high", "on_london_residents", *_WITHIN)
TABLE = {
    **dict.fromkeys(_KEY, pl.String),
    **dict.fromkeys((*_ESTIMATES, "unknown_share"), pl.Float64),
    **dict.fromkeys(("searches_known", "searches_reference_known"), pl.Int64),
    **dict.fromkeys(("residents_group", "residents_reference", *_MORE), pl.Float64),
    "why": pl.String,
}


def disproportionality(
    counts: pl.DataFrame,
    population: pl.DataFrame,
    areas: Sequence[Area],
    boroughs: Sequence[str],
    period: str,
) -> pl.DataFrame:
    """`Spread.against` White of every group in every area under both definitions: the rows of `tables/disproportionality.csv`.

    Parameters
    ----------
    counts : `searches_by_day` of the period.
    population : the edition's `population`.
    areas : boroughs and London (which counts searches without a place, over residents of the Met's `boroughs`).

    Returns
    -------
    pl.DataFrame
        columns `TABLE`. `mapping_…` (officers' groups): the ratio with all Mixed residents in the group, in neither, and
        in the reference group. `on_london_residents`: a borough's searches over London's residents, the second benchmark.
        `within_…` (London, self-defined): held within boroughs. Where either group has fewer than ten known searches, or
        officers have no such group, figures are null and `why` says so.
    """
    met, parts = population.filter(pl.col("borough_code").is_in(list(boroughs))), [pl.DataFrame(schema=TABLE)]
    for area in areas:
        here = pl.lit(value=True) if area.is_london else pl.col("borough_code") == area.code
        mine, people = counts.filter(here), met.filter(here)
        for ethnicity in DEFINITIONS:
            spread = Spread.of(mine, ethnicity)
            table = spread.against(residents_by_group(mine, people, ethnicity))
            if ethnicity == "officer-defined":
                table = table.with_columns(**_mappings(people))
            elif area.is_london:
                table = table.hstack(spread.within_boroughs(met))
            else:
                table = table.with_columns(on_london_residents=_mappings(met)["mapping_none"])
            parts.append(table.with_columns(area=pl.lit(area.name)))
    table = pl.concat(parts, how="diagonal_relaxed")
    order = pl.DataFrame({"group": [group for group in GROUPS if group != REFERENCE]})
    grid = table.select("area", "ethnicity").unique(maintain_order=True).join(order, how="cross", maintain_order="left")
    table = grid.join(table, on=grid.columns, how="left", maintain_order="left")
    few = pl.min_horizontal("searches_known", "searches_reference_known") < TOO_FEW
    why = pl.coalesce(
        pl.when(pl.col("searches_known").is_null()).then(pl.format("officers' codes have no {} group", "group")),
        pl.when(few).then(pl.lit(f"fewer than {TOO_FEW} searches of a group whose ethnicity is known")),
    )
    table = table.with_columns(why=why, period=pl.lit(period), reference=pl.lit(REFERENCE))
    table = table.with_columns(pl.when(pl.col("why").is_null()).then(pl.col(*_ESTIMATES, *_MORE)))
    return table.select(list(TABLE)).cast(TABLE)


def _mappings(people: pl.DataFrame) -> dict[str, pl.Expr]:
    """The ratio over these residents with those who are Mixed all in the group, in neither, all in the reference group."""
    plain = dict(people.group_by("ethnic_group").agg(pl.col("residents").sum()).iter_rows())
    one = pl.col("group").replace_strict(plain, default=None, return_dtype=pl.Float64)
    other, mixed, times = plain[REFERENCE], plain.get("Mixed", 0), pl.col("times")
    return {
        "mapping_low": times * other / (one + mixed),
        "mapping_none": times * other / one,
        "mapping_high": times * (other + mixed) / one,
    }


def disproportionality_by_object(
    counts: pl.DataFrame, population: pl.DataFrame, areas: Sequence[Area], boroughs: Sequence[str], period: str
) -> pl.DataFrame:
    """`disproportionality` for each kind of object, named in a first column `object`: pooling hides that they differ."""
    kinds = object_kind(pl.col("object_of_search"))
    parts = {
        kind: disproportionality(counts.filter(kinds == kind), population, areas, boroughs, period)
        for kind in OBJECTS.values()
    }
    return pl.concat(part.select(pl.lit(kind).alias("object"), pl.all()) for kind, part in parts.items())


def rests_on_few() -> pl.Expr:
    """Does a row of `disproportionality` rest on few searches or few residents? Such a borough is marked in a ranking."""
    known = pl.min_horizontal("searches_known", "searches_reference_known")
    residents = pl.min_horizontal("residents_group", "residents_reference")
    return (known < FEW_SEARCHES) | (residents < FEW_RESIDENTS)


def group_counts(counts: pl.DataFrame, areas: Sequence[Area], *, by_object: bool = False) -> pl.DataFrame:
    """The counts beneath the ratios, the unknown too: what the rule for small counts (`figures.withhold`) is asked about.

    Returns
    -------
    pl.DataFrame
        `area, ethnicity, group, searches`, with `object` after the area if by object: every group of both definitions, and
        `UNKNOWN_GROUP`, nought where there is none. Within a definition they add up to all of an area's searches.
    """
    by, parts = ["object"] if by_object else [], []
    kinds = counts.with_columns(object_kind(pl.col("object_of_search")).alias(name) for name in by)
    for area in areas:
        mine = kinds if area.is_london else kinds.filter(borough_code=area.code)
        for ethnicity, column in DEFINITIONS.items():
            groups = pl.DataFrame({"group": [*GROUPS_OF[ethnicity], UNKNOWN_GROUP]})
            grid = mine.select(by).unique().join(groups, how="cross") if by else groups
            counted = mine.group_by(*by, known_group(column)).agg(pl.col("searches").sum().cast(pl.Int64))
            table = grid.join(counted, on=[*by, "group"], how="left").with_columns(pl.col("searches").fill_null(0))
            parts.append(table.with_columns(area=pl.lit(area.name), ethnicity=pl.lit(ethnicity)))
    key = ["area", *by, "ethnicity", "group"]
    return pl.concat(part.select(*key, "searches") for part in parts).sort(key)


# -- where -------------------------------------------------------------------------------------------------------------


def ward_rates(ward_stops: pl.DataFrame, residents: pl.DataFrame, offences: pl.DataFrame) -> pl.DataFrame:
    """A period's stops by ward, over residents and, beside that, over recorded offences.

    Neither is the right denominator: those searched need not live there, and offences are recorded where police look.

    Parameters
    ----------
    ward_stops : `ward_code, placed_by, stops`.
    residents : `ward_code, residents`; offences : `ward_code, offences`, of the same twelve months.

    Returns
    -------
    pl.DataFrame
        every ward of `residents` by code: `ward_code, placed_by, stops, residents, offences, per_1000_residents,
        per_100_offences`; no stops where none were placed.
    """
    stops = ward_stops.group_by("ward_code").agg(pl.col("placed_by").first(), pl.col("stops").sum().cast(pl.Int64))
    people = residents.group_by("ward_code").agg(pl.col("residents").sum().cast(pl.Int64))
    crimes = offences.group_by("ward_code").agg(pl.col("offences").sum().cast(pl.Int64))
    table = people.join(stops, on="ward_code", how="left").join(crimes, on="ward_code", how="left")
    number = pl.col("stops").fill_null(0)
    return table.select(
        *("ward_code", "placed_by", number, "residents", "offences"),
        per_1000_residents=1000 * number / pl.col("residents"),
        per_100_offences=pl.when(pl.col("offences") > 0).then(100 * number / pl.col("offences")),
    ).sort("ward_code")
