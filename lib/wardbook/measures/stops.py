"""Stop and search: rates, outcomes, and disproportionality with what is unknown carried through.

Counts are of searches, not of people; the place is where the search was, not where the person searched lives; nothing is
adjusted for age. Every function takes the edition's tables, or frames of their shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from scipy import stats as distributions

from wardbook.measures.rates import rate_ratio, wilson
from wardbook.periods import FinancialYear, complete_years
from wardbook.places import LONDON, LONDON_CODE, Area
from wardbook.sources.police_uk import BLANK, NOT_STATED, outcome_group

GROUPS = ("Asian", "Black", "Mixed", "Other", "White")
OFFICER_GROUPS = ("Asian", "Black", "Other", "White")  # officers' codes have no Mixed
UNKNOWN = (NOT_STATED, BLANK)
DEFINITIONS = {"self-defined": "self_defined", "officer-defined": "officer_defined"}
OUTCOMES = ("arrest", "other outcome", "no further action", "not recorded", "unrecognised label")
TOO_FEW = 10  # searches of a group with the group known, below which no ratio and no share is given
KINDS = ("persons, other powers", "persons, section 60", "vehicle only")


# -- which year, which months -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Covered:
    """The year of stops a notebook shows: `year`, and why it is not the one asked for ("" if it is)."""

    year: FinancialYear
    why: str


def stop_year(coverage: pl.DataFrame, wanted: FinancialYear) -> Covered:
    """The newest financial year of complete months that is not after the wanted one; failing that, the oldest there is.

    Stops cover other years than recorded crime does, so a run's period may have none. What is shown instead is named in
    every title, and the reason is a sentence.

    Raises
    ------
    ValueError
        if no financial year has twelve complete months.
    """
    years = complete_years(coverage.filter("complete")["month"])
    if not years:
        raise ValueError("the edition's stops cover no financial year in full: see its table stop_coverage")
    year = max((y for y in years if y <= wanted), default=min(years))
    if year == wanted:
        return Covered(year, "")
    months = coverage.filter(pl.col("month").is_in(wanted.months)).sort("month")
    short = months.filter(~pl.col("complete"))
    if months.is_empty():
        why = f"the edition has no stops of {wanted}"
    elif months.height < 12:
        lacking = [f"{month:%B %Y}" for month in wanted.months if month not in set(months["month"])]
        first, last = months["month"][0], months["month"][-1]
        whole = wanted.months.index(last) - wanted.months.index(first) + 1 == months.height
        only = f"are {first:%B %Y} to {last:%B %Y} only" if whole else f"lack {', '.join(lacking)}"
        why = f"the edition's stops of {wanted} {only}"
    else:
        why = f"{wanted} is not complete: {short['month'][0]:%B %Y} {short['why_not'][0]}"
    return Covered(year, why)


def _of_area(table: pl.DataFrame, area: Area) -> pl.DataFrame:
    """An area's rows; London's are everybody's, the unplaced with them."""
    return table if area.is_london else table.filter(pl.col("borough_code") == area.code)


def of_year(table: pl.DataFrame, area: Area, year: FinancialYear) -> pl.DataFrame:
    """The rows of one of the edition's yearly stop tables that are an area's and a year's."""
    return _of_area(table.filter(financial_year=str(year)), area)


def of_areas(table: pl.DataFrame, areas: Sequence[Area], year: FinancialYear) -> pl.DataFrame:
    """`of_year` of several areas under one another, each once, with a column `area`."""
    parts = [of_year(table, area, year).with_columns(pl.lit(area.name).alias("area")) for area in dict.fromkeys(areas)]
    return pl.concat(parts)


def residents(population: pl.DataFrame, area: Area, boroughs: Sequence[str]) -> pl.DataFrame:
    """Residents of Census 2021: `ethnic_group`, `residents`; London is the Met's `boroughs` together, without the City."""
    codes = list(boroughs) if area.is_london else [area.code]
    rows = population.filter(pl.col("borough_code").is_in(codes)).group_by("ethnic_group")
    return rows.agg(pl.col("residents").sum().cast(pl.Int64)).sort("ethnic_group")


# -- how many -----------------------------------------------------------------------------------------------------------


def monthly_rates(stops: pl.DataFrame, coverage: pl.DataFrame, area: Area, people: int) -> pl.DataFrame:
    """Searches by month and kind: persons under section 60 apart from the rest, vehicle-only searches apart from persons.

    Returns
    -------
    pl.DataFrame
        `month, kind, stops, rate_per_1000` (a month, residents of Census 2021), `complete, why_not`; every kind in every
        month, zero where there was none.
    """
    kind = (
        pl.when(pl.col("search_type") == "Vehicle search")
        .then(pl.lit(KINDS[2]))
        .when("is_section_60")
        .then(pl.lit(KINDS[1]))
        .otherwise(pl.lit(KINDS[0]))
    )
    counted = _of_area(stops, area).group_by("month", kind.alias("kind")).agg(pl.col("stops").sum().cast(pl.Int64))
    months = coverage.select("month", "complete", "why_not")
    return (
        months.join(pl.DataFrame({"kind": KINDS}), how="cross")
        .join(counted, on=["month", "kind"], how="left")
        .with_columns(pl.col("stops").fill_null(0))
        .with_columns((1000 * pl.col("stops") / people).alias("rate_per_1000"))
        .select("month", "kind", "stops", "rate_per_1000", "complete", "why_not")
        .sort("month", "kind")
    )


@dataclass(frozen=True)
class YearOnYear:
    """Person searches in the months that two years both have in full; `left_out` says which they do not and why."""

    before: FinancialYear
    after: FinancialYear
    months: int
    baseline: int
    outturn: int
    left_out: tuple[str, ...]
    change_percent: float | None
    low: float | None
    high: float | None


def year_on_year(monthly: pl.DataFrame, year: FinancialYear) -> YearOnYear:
    """Person searches of a year against the year before, over the calendar months complete in both.

    A month that is cut short in one year is left out of both, so that unequal spans are never compared. The interval is
    counting noise alone, per day (February may have 29): too few years are published here to learn usual variation from.
    """
    persons = monthly.filter(pl.col("kind") != KINDS[2]).group_by("month", "complete", "why_not")
    held = {row["month"]: row for row in persons.agg(pl.col("stops").sum()).iter_rows(named=True)}
    pairs, left_out = [], []
    for before, after in zip((year - 1).months, year.months):
        missing = [m for m in (before, after) if m not in held]
        partial = [m for m in (before, after) if m in held and not held[m]["complete"]]
        if missing:
            left_out.append(f"{missing[0]:%B %Y} is not in the edition")
        elif partial:
            left_out.append(f"{partial[0]:%B %Y} {held[partial[0]]['why_not'].split(';')[0]}")
        else:
            pairs.append((before, after))
    counts = [sum(held[pair[i]]["stops"] for pair in pairs) for i in (0, 1)]
    percents: tuple[float | None, ...] = (None, None, None)
    if pairs and sum(counts) >= TOO_FEW and counts[0]:
        days = [sum(pl.Series([pair[i]]).dt.month_end()[0].day for pair in pairs) for i in (0, 1)]
        found = rate_ratio(counts[1], counts[0], days[1], days[0])
        percents = tuple(100 * (value - 1) for value in (found.ratio, found.lower, found.upper))
    return YearOnYear(year - 1, year, len(pairs), *counts, tuple(left_out), *percents)


# -- with what result ---------------------------------------------------------------------------------------------------


def outcome_rates(stops: pl.DataFrame, by: str | Sequence[str] = ()) -> pl.DataFrame:
    """What became of those searched: the share of each outcome, with Wilson's 95 % interval, for each value of `by`.

    The words for outcomes changed in January 2018; both vocabularies are grouped alike (`sources.police_uk`). Shares are of
    all searches, those without a recorded outcome included, whose own share is a row. Nothing is said of what was *found*:
    the Met's files do not link an outcome to the object searched for.

    Parameters
    ----------
    stops : `outcome` as published, a count in `stops` or `searches`, and the columns named in `by`.
    by : column or columns to group by; none gives one set of rows.

    Returns
    -------
    pl.DataFrame
        `by`, `outcome_group`, `searches` (of the group), `of` (all searches there), `share`, `lower`, `upper` (fractions);
        every group of `OUTCOMES` that occurs in `stops`, zero where it does not occur in a row of `by`.

    Raises
    ------
    ValueError
        if there is no column of counts, or `by` names a column that is not there.
    """
    by = [by] if isinstance(by, str) else list(by)
    counts = [name for name in ("stops", "searches") if name in stops.columns]
    if not counts or "outcome" not in stops.columns:
        raise ValueError(f"stops need a column 'outcome' and one of 'stops' or 'searches': {', '.join(stops.columns)}")
    if lost := [name for name in by if name not in stops.columns]:
        raise ValueError(f"stops have no column {lost[0]!r} to group by: {', '.join(stops.columns)}")
    known = stops.with_columns(
        outcome_group(pl.when(pl.col("outcome") != "not recorded").then("outcome")).alias("outcome_group"),
        pl.col(counts[0]).cast(pl.Int64).alias("searches"),
    )
    key = [*by, "outcome_group"]
    found = known.group_by(key).agg(pl.col("searches").sum())
    whole = (
        known.group_by(by).agg(pl.col("searches").sum().alias("of"))
        if by
        else known.select(of=pl.col("searches").sum())
    )
    wanted = [name for name in OUTCOMES if name in found["outcome_group"]]
    table = (
        whole.filter(pl.col("of") > 0)
        .join(pl.DataFrame({"outcome_group": wanted}, schema={"outcome_group": pl.String}), how="cross")
        .join(found, on=key, how="left", nulls_equal=True)
        .with_columns(pl.col("searches").fill_null(0))
        .sort(*by, pl.col("outcome_group").replace_strict(dict(zip(OUTCOMES, range(len(OUTCOMES))))))
    )
    intervals = [wilson(x, n) for x, n in table.select("searches", "of").iter_rows()]
    return table.select(*key, "searches", "of", (pl.col("searches") / pl.col("of")).alias("share")).with_columns(
        pl.Series("lower", [low for low, _ in intervals], dtype=pl.Float64),
        pl.Series("upper", [high for _, high in intervals], dtype=pl.Float64),
    )


def homogeneity(counts: Sequence[int], of: Sequence[int]) -> float:
    """The p-value of Pearson's chi-squared test that the shares of all groups are one; 1 where nobody, or everybody, has it.

    One test of all groups, so that neither the two furthest apart nor the smallest group decides.
    """
    table = np.array([counts, np.subtract(of, counts)])
    if len(of) < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(distributions.chi2_contingency(table, correction=False).pvalue)


# -- who ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RelativeRate:
    """Two groups' searches per 1,000 residents and their ratio, under what is known and what is not.

    `ratio` is the primary estimate (unknowns spread), `lower` and `upper` its 95 % interval; `known_only` leaves unknowns
    out; `bound_low` and `bound_high` give all unknowns to the reference group, and all to the group. With officers' groups
    `mapping_low` and `mapping_high` are the ratio with all Mixed residents in the group, and all in the reference group;
    `mapping_none` with them in neither (the ratio itself with self-defined groups).
    """

    group: str
    reference: str
    ethnicity: str
    searches_group: float
    searches_reference: float
    known_group: int
    known_reference: int
    residents_group: float
    residents_reference: float
    rate_group: float
    rate_reference: float
    ratio: float
    lower: float
    upper: float
    known_only: float
    bound_low: float
    bound_high: float
    unknown_share: float
    mapping_low: float
    mapping_none: float
    mapping_high: float


def relative_rate(
    counts: pl.DataFrame,
    population: pl.DataFrame,
    group: str,
    reference: str,
    *,
    ethnicity: str = "self-defined",
    level: float = 0.95,
) -> RelativeRate:
    """Searches per 1,000 residents of one group over those of another, unknown ethnicity carried through.

    Not stating one's ethnicity is informative: of those whom officers saw as Black more do not state it. Leaving unknowns
    out assumes the opposite. Here unknowns are spread by P(self-defined | officer-defined) among the searches of the same
    borough that have both (for officer-defined ethnicity the other way round); where a borough has no such search, all
    boroughs' serve. The interval is of counting noise in every count, those that P is learnt from included (delta method
    on the log ratio, counts Poisson); searches come in clusters, so it is rather too narrow than too wide. How Mixed
    residents are shared is taken as known, by the interval and by the bounds.

    Officers' groups have no Mixed. The ratio then shares Mixed residents among the groups as officers saw those searched
    who call themselves Mixed; what other mappings make of it is stated beside it.

    Parameters
    ----------
    counts : `self_defined, officer_defined, searches`, and `borough_code` where there are several boroughs (unplaced
        searches are one of their own); person searches only. "not stated" and "blank" are unknown.
    population : `ethnic_group, residents`, of the same area.
    group, reference : of `GROUPS`; with officer-defined ethnicity not Mixed.
    ethnicity : "self-defined" or "officer-defined".

    Returns
    -------
    RelativeRate
        rates per 1,000 residents over the period of `counts`; NaN or infinite where a group has no search at all.

    Raises
    ------
    ValueError
        for a group, an ethnicity or a label that is not known, or residents of 0.
    """
    spread = Spread.of(counts, ethnicity)
    _check_pair(group, reference, spread.groups, ethnicity, level)
    if population.filter(pl.col("residents") < 0).height:
        raise ValueError("residents are counts of 0 or more")
    people = _denominators(counts, population, ethnicity)
    for name in (group, reference):
        if not people.get(name):
            raise ValueError(f"no residents of the group {name!r} in the population given")
    known = {name: spread.known_of(name) for name in (group, reference)}
    totals = {name: spread.total(name) for name in (group, reference)}
    scale = people[reference] / people[group]
    ratio = _over(totals[group], totals[reference]) * scale
    half = distributions.norm.ppf(0.5 + level / 2) * spread.log_ratio_error(group, reference)
    unknown = spread.unknown
    mapped = [ratio] * 3
    if ethnicity == "officer-defined":
        plain = dict(population.group_by("ethnic_group").agg(pl.col("residents").sum()).iter_rows())
        one, other, mixed = (plain.get(name, 0) for name in (group, reference, "Mixed"))
        plain_ratio = _over(totals[group], totals[reference])
        mapped = [plain_ratio * _over(*pair) for pair in ((other, one + mixed), (other, one), (other + mixed, one))]
    return RelativeRate(
        group=group,
        reference=reference,
        ethnicity=ethnicity,
        searches_group=totals[group],
        searches_reference=totals[reference],
        known_group=known[group],
        known_reference=known[reference],
        residents_group=people[group],
        residents_reference=people[reference],
        rate_group=1000 * totals[group] / people[group],
        rate_reference=1000 * totals[reference] / people[reference],
        ratio=ratio,
        lower=_around(ratio, half)[0],
        upper=_around(ratio, half)[1],
        known_only=_over(known[group], known[reference]) * scale,
        bound_low=_over(known[group], known[reference] + unknown) * scale,
        bound_high=_over(known[group] + unknown, known[reference]) * scale,
        unknown_share=unknown / spread.all if spread.all else math.nan,
        mapping_low=mapped[0],
        mapping_none=mapped[1],
        mapping_high=mapped[2],
    )


def mantel_haenszel(
    counts: pl.DataFrame, population: pl.DataFrame, group: str, reference: str, *, level: float = 0.95
) -> tuple[float, float, float]:
    """The ratio of rates held within boroughs: (ratio, lower, upper), self-defined ethnicity, unknowns spread.

    London's plain ratio mixes who is searched with where searches are: a group that lives where more is searched has a
    higher rate without anyone there being treated otherwise. Mantel and Haenszel's weights compare within each borough.
    Searches without a place have no borough and are left out.

    Parameters
    ----------
    counts : as for `relative_rate`, with `borough_code`.
    population : `borough_code, ethnic_group, residents`.

    References
    ----------
    Rothman & Greenland (1998), Modern Epidemiology, 2nd ed., eq. 15-22 for person-time data; the interval is
    `relative_rate`'s, with the weights as fixed.
    """
    _check_pair(group, reference, GROUPS, "self-defined", level)
    pivot = population.group_by("borough_code", "ethnic_group").agg(pl.col("residents").sum())
    wide = {(b, g): n for b, g, n in pivot.iter_rows()}
    placed = counts.filter(pl.col("borough_code").is_in(population["borough_code"].unique().to_list()))
    spread = Spread.of(placed, "self-defined")
    one, other = (np.array([wide.get((b, g), 0) for b in spread.boroughs], float) for g in (group, reference))
    together = one + other
    share = {group: np.divide(other, together, where=together > 0, out=np.zeros_like(together))}
    share[reference] = np.divide(one, together, where=together > 0, out=np.zeros_like(together))
    ratio = _over(spread.total(group, share[group]), spread.total(reference, share[reference]))
    half = distributions.norm.ppf(0.5 + level / 2) * spread.log_ratio_error(
        group, reference, share[group], share[reference]
    )
    return ratio, *_around(ratio, half)


def _around(ratio: float, half: float) -> tuple[float, float]:
    """An interval on the log scale; everything from 0 up where a count is 0."""
    return (ratio * math.exp(-half), ratio * math.exp(half)) if math.isfinite(half) else (0.0, math.inf)


def _check_pair(group: str, reference: str, allowed: Sequence[str], ethnicity: str, level: float) -> None:
    for name in (group, reference):
        if name not in allowed:
            raise ValueError(f"{ethnicity} groups are {', '.join(allowed)}: {name!r}")
    if group == reference:
        raise ValueError(f"a group is compared with another, not with itself: {group!r}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, for example 0.95: {level!r}")


@dataclass(frozen=True)
class Spread:
    """Searches by borough, other definition and group, with the unknowns of each (borough, other definition) beside them.

    `known[b, o, g]` and `unknown_by[b, o]`: the unknowns of a cell (b, o) are shared out as its known searches are.
    """

    boroughs: tuple[str, ...]
    groups: tuple[str, ...]
    known: np.ndarray
    unknown_by: np.ndarray

    @staticmethod
    def of(counts: pl.DataFrame, ethnicity: str) -> Spread:
        """Arrange counts for spreading; see `relative_rate`."""
        if ethnicity not in DEFINITIONS:
            raise ValueError(f"ethnicity is {' or '.join(map(repr, DEFINITIONS))}: {ethnicity!r}")
        mine = DEFINITIONS[ethnicity]
        (other,) = set(DEFINITIONS.values()) - {mine}
        groups = GROUPS if ethnicity == "self-defined" else OFFICER_GROUPS
        for column, known in (("self_defined", GROUPS), ("officer_defined", OFFICER_GROUPS)):
            strange = set(counts[column].unique()) - set(known) - set(UNKNOWN)
            if strange:
                raise ValueError(
                    f"{column} holds {min(map(str, strange))!r}: allowed are {', '.join((*known, *UNKNOWN))}"
                )
        if counts.filter(pl.col("searches") < 0).height:
            raise ValueError("searches are counts of 0 or more")
        if "borough_code" not in counts.columns:
            counts = counts.with_columns(pl.lit("all").alias("borough_code"))
        boroughs = tuple(counts["borough_code"].unique().sort())
        # What officers did not record is a kind of its own: its known part says how its unknown part is likely made up.
        others = (*GROUPS, *UNKNOWN)
        known = np.zeros((len(boroughs), len(others), len(groups)))
        unknown = np.zeros((len(boroughs), len(others)))
        place = {name: i for i, name in enumerate(boroughs)}
        for b, o, g, n in counts.select("borough_code", other, mine, "searches").iter_rows():
            if g in groups:
                known[place[b], others.index(o), groups.index(g)] += n
            else:
                unknown[place[b], others.index(o)] += n
        return Spread(boroughs, groups, known, unknown)

    @property
    def unknown(self) -> int:
        """Searches whose group is not known."""
        return int(self.unknown_by.sum())

    @property
    def all(self) -> int:
        """All searches."""
        return int(self.known.sum()) + self.unknown

    def known_of(self, group: str) -> int:
        """Searches known to be of a group."""
        return int(self.known[:, :, self.groups.index(group)].sum())

    @cached_property
    def _source(self) -> np.ndarray:
        """For each (borough, other) the known counts its unknowns are shared by, as weights [b, o, b', o'] of cells."""
        nb, no, _ = self.known.shape
        size = self.known.sum(axis=2)
        weights = np.zeros((nb, no, nb, no))
        for b in range(nb):
            for o in range(no):
                if not self.unknown_by[b, o]:
                    continue
                if size[b, o]:
                    weights[b, o, b, o] = 1
                elif size[:, o].sum():
                    weights[b, o, :, o] = 1
                else:
                    weights[b, o] = 1
        return weights

    @cached_property
    def _shares(self) -> np.ndarray:
        """P(group | borough, other definition), zero where nothing is known at all."""
        pooled = np.einsum("boxy,xyg->bog", self._source, self.known)
        size = pooled.sum(axis=2, keepdims=True)
        return np.divide(pooled, size, where=size > 0, out=np.zeros_like(pooled))

    def total(self, group: str, weights: np.ndarray | None = None) -> float:
        """A group's searches with its share of the unknowns, each borough times its weight (1 without)."""
        g = self.groups.index(group)
        by_borough = (self.known[:, :, g] + self.unknown_by * self._shares[:, :, g]).sum(axis=1)
        return float(by_borough @ (np.ones(len(self.boroughs)) if weights is None else weights))

    def _slopes(self, group: str, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """How `total` moves with each known and each unknown count."""
        g = self.groups.index(group)
        weight = np.ones(len(self.boroughs)) if weights is None else weights
        by_known = np.zeros_like(self.known)
        by_known[:, :, g] += weight[:, None]
        size = np.einsum("boxy,xyg->bo", self._source, self.known)
        per_cell = np.divide(weight[:, None] * self.unknown_by, size, where=size > 0, out=np.zeros_like(size))
        # One more known search of group k in a cell that cell (b, o) learns from moves the share of g by (1[k = g] − share) ÷ size.
        by_known -= np.einsum("bo,boxy->xy", per_cell * self._shares[:, :, g], self._source)[:, :, None]
        by_known[:, :, g] += np.einsum("bo,boxy->xy", per_cell, self._source)
        return by_known, weight[:, None] * self._shares[:, :, g]

    def log_ratio_error(
        self, group: str, reference: str, weights: np.ndarray | None = None, other_weights: np.ndarray | None = None
    ) -> float:
        """Standard error of the log of the ratio of two totals, every count Poisson; infinite where one of them is 0."""
        one, other = self.total(group, weights), self.total(reference, other_weights)
        if not one or not other:
            return math.inf
        known_a, unknown_a = self._slopes(group, weights)
        known_b, unknown_b = self._slopes(reference, other_weights)
        variance = (self.known * (known_a / one - known_b / other) ** 2).sum()
        variance += (self.unknown_by * (unknown_a / one - unknown_b / other) ** 2).sum()
        return float(np.sqrt(variance))


def _over(a: float, b: float) -> float:
    return a / b if b else (math.inf if a else math.nan)


def _denominators(counts: pl.DataFrame, population: pl.DataFrame, ethnicity: str) -> dict[str, float]:
    """Residents by group; for officers' groups those who are Mixed are shared as officers saw the searched who are."""
    people = dict(population.group_by("ethnic_group").agg(pl.col("residents").sum()).iter_rows())
    if ethnicity == "self-defined":
        return people
    seen = dict(
        counts.filter(self_defined="Mixed").group_by("officer_defined").agg(pl.col("searches").sum()).iter_rows()
    )
    known = sum(seen.get(name, 0) for name in OFFICER_GROUPS)
    share = {name: seen.get(name, 0) / known if known else 0.0 for name in OFFICER_GROUPS}
    return {name: people.get(name, 0) + people.get("Mixed", 0) * share[name] for name in OFFICER_GROUPS}


def disproportionality(
    counts: pl.DataFrame,
    population: pl.DataFrame,
    areas: Sequence[Area],
    boroughs: Sequence[str],
    year: FinancialYear,
    *,
    reference: str = "White",
) -> pl.DataFrame:
    """`relative_rate` of every group in every area under both definitions: the rows of `tables/disproportionality.csv`.

    Parameters
    ----------
    counts : the edition's `stops_by_ethnicity`.
    population : the edition's `population`.
    areas : boroughs and London (which counts searches without a place, over residents of `boroughs`).

    Returns
    -------
    pl.DataFrame
        the interface's columns, then `searches_known, searches_reference_known, residents_group,
        residents_reference`; `mapping_low, mapping_none, mapping_high`
        (officers' groups); `on_london_residents` (a borough's searches over London's residents, the second benchmark);
        `within_boroughs, within_low, within_high` (London, self-defined: Mantel-Haenszel); and `why`. Where either group
        has fewer than ten searches with a known group, or the definition has no such group, figures are null and `why`
        says so.
    """
    year_counts = counts.filter(financial_year=str(year))
    london = residents(population, Area(LONDON_CODE, LONDON), boroughs)
    rows = []
    for area in areas:
        mine, people = _of_area(year_counts, area), residents(population, area, boroughs)
        for ethnicity in DEFINITIONS:
            for group in GROUPS:
                if group != reference:
                    rows.append(
                        _row(area, year, ethnicity, group, reference, mine, people, london, population, boroughs)
                    )
    return pl.DataFrame(rows, schema=_TABLE)


_ESTIMATES = ("rate_group", "rate_reference", "ratio", "lower", "upper", "known_only", "bound_low", "bound_high")
_TABLE = {
    **dict.fromkeys(("area", "period", "ethnicity", "group", "reference"), pl.String),
    **dict.fromkeys(("rate_group", "rate_reference", "ratio", "lower", "upper", "known_only"), pl.Float64),
    **dict.fromkeys(("bound_low", "bound_high", "unknown_share"), pl.Float64),
    **dict.fromkeys(("searches_known", "searches_reference_known"), pl.Int64),
    **dict.fromkeys(("residents_group", "residents_reference"), pl.Float64),
    **dict.fromkeys(("mapping_low", "mapping_none", "mapping_high", "on_london_residents"), pl.Float64),
    **dict.fromkeys(("within_boroughs", "within_low", "within_high"), pl.Float64),
    "why": pl.String,
}


def _row(area, year, ethnicity, group, reference, mine, people, london, population, boroughs) -> dict:
    row = dict.fromkeys(_TABLE) | {
        "area": area.name,
        "period": str(year),
        "ethnicity": ethnicity,
        "group": group,
        "reference": reference,
    }
    for name in (group, reference):
        if ethnicity == "officer-defined" and name not in OFFICER_GROUPS:
            return row | {"why": f"officers' codes have no {name} group"}
    found = relative_rate(mine, people, group, reference, ethnicity=ethnicity)
    row |= {"searches_known": found.known_group, "searches_reference_known": found.known_reference}
    row |= {name: getattr(found, name) for name in ("unknown_share", "residents_group", "residents_reference")}
    if mine["searches"].sum() == 0:
        row["unknown_share"] = None
    if min(found.known_group, found.known_reference) < TOO_FEW:
        return row | {"why": f"fewer than {TOO_FEW} searches of a group whose ethnicity is known"}
    row |= {name: getattr(found, name) for name in _ESTIMATES}
    if ethnicity == "officer-defined":
        row |= {name: getattr(found, name) for name in ("mapping_low", "mapping_none", "mapping_high")}
    elif area.is_london:
        row |= zip(
            ("within_boroughs", "within_low", "within_high"),
            mantel_haenszel(mine, population.filter(pl.col("borough_code").is_in(list(boroughs))), group, reference),
        )
    else:
        # The same searches over other residents: only the denominators change.
        benchmark = dict(london.iter_rows())
        searches = _over(found.searches_group, found.searches_reference)
        row["on_london_residents"] = searches * (benchmark[reference] / benchmark[group])
    return row


def composition(counts: pl.DataFrame, area: Area, year: FinancialYear) -> pl.DataFrame:
    """Self-defined against officer-defined ethnicity of a year's person searches: a row a pair, `searches`.

    Shows what a ratio hides: how many did not state it, whom officers saw them as, and where Mixed goes.
    """
    rows = of_year(counts, area, year)
    table = rows.group_by("self_defined", "officer_defined").agg(pl.col("searches").sum().cast(pl.Int64))
    return table.sort("self_defined", "officer_defined")


def age_and_sex(persons: pl.DataFrame, area: Area, year: FinancialYear) -> pl.DataFrame:
    """Person searches by age band and sex as recorded: `age_band, sex, searches, share` (of all, not recorded included)."""
    rows = of_year(persons, area, year)
    table = rows.group_by("age_band", "sex").agg(pl.col("searches").sum().cast(pl.Int64)).sort("age_band", "sex")
    return table.with_columns((pl.col("searches") / pl.col("searches").sum()).alias("share"))


def year_table(
    monthly: pl.DataFrame, outcomes: pl.DataFrame, area: Area, year: FinancialYear, people: int
) -> pl.DataFrame:
    """The rows of `tables/stops.csv`: a year's stops by kind and by outcome, each with its rate or share.

    Returns
    -------
    pl.DataFrame
        `area, period, measure, item, stops, of, rate_per_1000, share, lower, upper`: per 1,000 residents for kinds (`of`
        residents), a share with Wilson's interval for outcomes of person searches (`of` searches).
    """
    kinds = monthly.filter(pl.col("month").is_in(year.months)).group_by("kind").agg(pl.col("stops").sum())
    order = dict(zip(KINDS, range(len(KINDS))))
    kinds = kinds.sort(pl.col("kind").replace_strict(order)).select(pl.col("kind").alias("item"), "stops")
    every = pl.DataFrame({"item": ["all stops and searches"], "stops": [kinds["stops"].sum()]})
    rates = pl.concat([every, kinds]).with_columns(
        pl.lit("searches").alias("measure"),
        pl.lit(people, pl.Int64).alias("of"),
        (1000 * pl.col("stops") / people).alias("rate_per_1000"),
        *(pl.lit(None, pl.Float64).alias(name) for name in ("share", "lower", "upper")),
    )
    shares = outcomes.select(
        pl.col("outcome_group").alias("item"),
        pl.col("searches").alias("stops"),
        pl.lit("outcome of person searches").alias("measure"),
        "of",
        pl.lit(None, pl.Float64).alias("rate_per_1000"),
        "share",
        "lower",
        "upper",
    )
    named = [pl.lit(area.name).alias("area"), pl.lit(str(year)).alias("period")]
    columns = ["measure", "item", "stops", "of", "rate_per_1000", "share", "lower", "upper"]
    return pl.concat([rates.select(columns), shares.select(columns)]).select(*named, *columns)


def headline_figures(stops: pl.DataFrame, ratios: pl.DataFrame, year: FinancialYear) -> dict[str, float]:
    """Our figures for a year by the `figure_id` of `published_stops.csv`: London's, vehicle-only and unplaced stops included.

    Parameters
    ----------
    ratios : `disproportionality` of the same year, London among its areas; the share unknown is of person searches.
    """
    rows = stops.filter(pl.col("month").is_in(year.months))
    london = ratios.filter(area=LONDON, ethnicity="self-defined", group="Black", period=str(year))
    every = outcome_rates(rows)
    arrests = every.filter(outcome_group="arrest").row(0, named=True)
    return {
        "met-stops": arrests["of"],
        "met-arrests": arrests["searches"],
        "met-arrest-share": 100 * arrests["share"],
        "england-wales-ratio": london["ratio"][0],
        "met-unknown-ethnicity": 100 * london["unknown_share"][0],
    }
