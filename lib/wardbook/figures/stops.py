"""Stop and search in charts and sentences: each names whose definition of ethnicity it uses and what is unknown."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import polars as pl

from wardbook.catalogue import sources
from wardbook.figures import charts, theme, withhold, words
from wardbook.figures.export import Absent, Figure
from wardbook.measures import stops as measures
from wardbook.measures.stops import GROUPS, KINDS, TOO_FEW, Covered, YearOnYear
from wardbook.notebook import Book
from wardbook.periods import FinancialYear
from wardbook.places import LONDON
from wardbook.places import area as place_named

CAUTION = "Counts searches, not people; not adjusted for age; by where the search was, not where the person lives."
NO_FIND_RATE = (
    "The find rate: cannot say. The Met's files leave the link between outcome and object of search blank before February 2024 and "
    "say False in every row after it."
)
INFRA_MARGINAL = (
    "Equal arrest shares would not show equal treatment, nor unequal ones unequal treatment: groups may differ in how the suspicion "
    "of those searched is spread, and an average says nothing of the threshold for searching (infra-marginality)."
)
_CHILDREN, _UNDER_18 = ("10-17", "under 10"), "under 18"
_RATIO = "searches per resident, group ÷ White"


def _source(*more: str) -> str:
    keys = ("police-uk-stops", *more)
    return "; ".join(sources()[key].line for key in keys)


# -- how many -----------------------------------------------------------------------------------------------------------


def period_sentence(book: Book, covered: Covered) -> str:
    """Which year of stops is shown, and why it is not the run's own period."""
    if not covered.why:
        return f"Stops and searches shown are those of {covered.year}."
    return f"Stops and searches shown are those of {covered.year}, not of {book.period}: {covered.why}."


def by_month(book: Book, monthly: pl.DataFrame, year: FinancialYear, change: YearOnYear, people: int) -> Figure:
    """Searches per 1,000 residents by month and kind; a month that is not complete is hollow and named."""
    of_year = monthly.filter(pl.col("month").is_in(year.months))
    totals = dict(of_year.group_by("kind").agg(pl.col("stops").sum()).iter_rows())
    persons = totals[KINDS[0]] + totals[KINDS[1]]
    rate = 1000 * persons / people
    where = book.area.name
    title = words.fitting(f"{where} had {rate:.1f} person searches per 1,000 residents in {year}")
    partial = monthly.filter(~pl.col("complete")).unique("month", keep="first", maintain_order=True)
    rare = monthly.filter(pl.col("kind") != KINDS[0])
    chart = alt.vconcat(
        _month_panel(monthly.filter(kind=KINDS[0]), partial, 190, labelled=True),
        _month_panel(rare, partial, 90, labelled=False),
        spacing=14,
    ).resolve_scale(color="shared")
    ends = of_year.filter(kind=KINDS[0]).sort("month")
    shown = "; ".join(f"{kind} {words.count(totals[kind])}" for kind in KINDS)
    return charts.assemble(
        book,
        "stops-by-month",
        chart,
        monthly.with_columns(pl.col("rate_per_1000").round(4)),
        title=title,
        subtitle=f"Stops and searches per 1,000 residents (Census 2021) by month and kind, {where}, {_span(monthly)}. Hollow: "
        "month not complete",
        alt_text=f"Line chart of monthly searches per 1,000 residents where person searches under powers other than section 60 go from "
        f"{ends['rate_per_1000'][0]:.2f} in {ends['month'][0]:%B %Y} to {ends['rate_per_1000'][-1]:.2f} in "
        f"{ends['month'][-1]:%B %Y}; in {year}: {shown}.",
        sentence=f"In {where}, {words.count(persons)} person searches were recorded in {year}, {rate:.1f} per 1,000 residents, "
        f"{words.count(totals[KINDS[1]]) if totals[KINDS[1]] else 'none'} of them under section 60; "
        f"{words.count(totals[KINDS[2]])} more were of vehicles only. "
        f"{year_on_year_sentence(change, where)} {CAUTION}",
        claim=title,
        how=f"sum of stops of both kinds of person search, {year} ÷ {words.count(people)} residents × 1,000",
        moved="",
        source=_source("gla-ethnic-group"),
    )


def _month_panel(rows: pl.DataFrame, partial: pl.DataFrame, height: int, *, labelled: bool) -> alt.LayerChart:
    """Lines by kind over the complete months, rings for the others; two panels, since section 60 is rare beside the rest."""
    ordinary, *_ = KINDS
    what = "persons, other powers" if rows["kind"][0] == ordinary else "section 60, vehicle only"
    title = f"{what}: a month, per 1,000 residents"
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=list(KINDS), range=[theme.DARK_BLUE, theme.DARK_PINK, theme.TURQUOISE])
    )
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=8, labelOverlap=True, grid=False))
    axis = alt.Axis(title=title, tickCount=4 if labelled else 3)
    y = alt.Y("rate_per_1000:Q", scale=alt.Scale(zero=True), axis=axis)
    whole = rows.select("month", "kind", pl.when("complete").then("rate_per_1000").alias("rate_per_1000"))
    point = alt.OverlayMarkDef(size=22)
    layers = [alt.Chart(whole).mark_line(strokeWidth=2, point=point).encode(x=x, y=y, color=colour)]
    if partial.height:
        named = [f"{r['month']:%B %Y} {r['why_not'].split(';')[0]}" for r in partial.iter_rows(named=True)]
        label = partial.select("month").with_columns(pl.Series("label", named))
        hollow = rows.filter(~pl.col("complete")).select("month", "kind", "rate_per_1000")
        layers += [
            alt.Chart(label).mark_rule(strokeDash=[4, 4], color=theme.DARK_GREY).encode(x=x),
            alt.Chart(hollow).mark_point(size=45, filled=False).encode(x=x, y=y, color=colour),
        ]
        if labelled:
            layers.append(alt.Chart(label).mark_text(align="left", dx=5, y=6, fontSize=11).encode(x=x, text="label:N"))
    return alt.layer(*layers).properties(width=theme.WIDTH - 110, height=height)


def _span(monthly: pl.DataFrame) -> str:
    return f"{monthly['month'].min():%B %Y} to {monthly['month'].max():%B %Y}"


def year_on_year_sentence(change: YearOnYear, where: str) -> str:
    """Person searches against the year before, over the months both years have in full."""
    both = f"{change.before} and {change.after}"
    if not change.months:
        return f"Change from {change.before}: cannot say, for no calendar month is complete in both years."
    cut = f" ({'; '.join(change.left_out)}: that calendar month is left out of both)" if change.left_out else ""
    if len(change.left_out) > 1:
        cut = f" ({len(change.left_out)} calendar months are left out of both: {'; '.join(change.left_out)})"
    if change.change_percent is None:
        return f"Over the {change.months} months that {both} both have in full{cut}, too few were recorded to describe a change."
    moved = "rose" if change.change_percent > 0 else "fell" if change.change_percent < 0 else "did not change"
    if change.low <= 0 <= change.high:
        moved = "were little different"
    return (
        f"Over the {change.months} months that {both} both have in full{cut}, person searches in {where} {moved}, "
        f"from {words.count(change.baseline)} to {words.count(change.outturn)}, {words.signed(change.change_percent)} a day "
        "(counting noise "
        f"{words.span(change.low, change.high)}; with so few years usual variation is not known)."
    )


def coverage_sentence(coverage: pl.DataFrame, year: FinancialYear) -> str:
    """What the year's files hold: unplaced, exact duplicates, gaps, and which months are not complete."""
    mine = coverage.filter(pl.col("month").is_in(year.months))
    rows = mine["rows"].sum()
    partial = coverage.filter(~pl.col("complete")).sort("month")
    named = "; ".join(f"{r['month']:%B %Y} ({r['why_not']})" for r in partial.iter_rows(named=True)) or "none"
    return (
        f"The Met's files of {year} hold {words.count(rows)} rows: {words.count(mine['unplaced'].sum())} "
        f"({100 * mine['unplaced'].sum() / rows:.1f}%) have no place in London and are counted in London's totals alone; "
        f"{words.count(mine['exact_duplicates'].sum())} equal an earlier row in every column and are kept, since two people in one "
        f"stop leave two equal rows; {words.count(mine['without_age'].sum())} have no age. Months not complete, "
        f"{coverage['month'].min():%B %Y} to {coverage['month'].max():%B %Y}: {named}."
    )


# -- for what, with what result -----------------------------------------------------------------------------------------


def objects(book: Book, rates: pl.DataFrame, year: FinancialYear) -> Figure | Absent:
    """What was searched for, as shares of person searches, each with how many of those searches ended in arrest.

    Parameters
    ----------
    rates : `outcome_rates(..., by="object_of_search")` of the area and year.
    """
    if rates.is_empty():
        return Absent("search-objects", f"no person search is recorded in {book.area.name} in {year}")
    arrests = rates.filter(outcome_group="arrest").select("object_of_search", "searches", "of", "lower", "upper")
    total = arrests["of"].sum()
    rows = arrests.rename({"searches": "arrests", "of": "searches"}).sort(
        "searches", "object_of_search", descending=[True, False]
    )
    few = rows["searches"] < TOO_FEW
    rows = rows.with_columns((pl.col("searches") / total).alias("share"))
    rows = withhold.withhold(rows, "arrests", derived=["lower", "upper"], hidden=few)
    rows = withhold.withhold(rows, "searches", derived=["share", "arrests", "lower", "upper"])
    rows = rows.with_columns(
        pl.Series("said", [_ended(r) for r in rows.iter_rows(named=True)], dtype=pl.String),
    ).rename({"lower": "arrest_share_lower", "upper": "arrest_share_upper"})
    first = rows.row(0, named=True)
    if first["searches"] is None:
        return Absent(
            "search-objects", f"too few person searches in {book.area.name} in {year} to say what they were for"
        )
    what = first["object_of_search"].lower()
    title = words.fitting(
        f"{100 * first['share']:.0f}% of person searches in {book.area.name} were for {what}, {year}",
        f"Searches in {book.area.name}: {100 * first['share']:.0f}% were for {what}, {year}",
        f"{100 * first['share']:.0f}% were for {what}, {year}",
    )
    base = alt.Chart(rows.select("object_of_search", "share", "said", pl.col("share").fill_null(0).alias("at")))
    y = alt.Y("object_of_search:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=230))
    x = alt.X("share:Q", title="share of person searches", axis=alt.Axis(format=".0%", tickCount=5))
    bars = base.mark_bar(color=theme.DARK_BLUE, height=14).encode(x=x, y=y)
    text = base.mark_text(align="left", dx=5, fontSize=11).encode(x="at:Q", y=y, text="said:N")
    listed = "; ".join(f"{r['object_of_search']} {_percent(r['share'])}" for r in rows.iter_rows(named=True))
    return charts.assemble(
        book,
        "search-objects",
        (bars + text).properties(width=theme.WIDTH - 260, height=alt.Step(24)),
        rows.drop("said"),
        title=title,
        subtitle=f"Person searches by what was searched for, {book.area.name}, {year}, with the share that ended in arrest "
        "(Wilson 95%)",
        alt_text=f"Bar chart of shares of {words.count(total)} person searches by object where {listed}.",
        sentence=f"Of {words.count(total)} person searches in {book.area.name} in {year}, {words.count(first['searches'])} "
        f"({100 * first['share']:.1f}%) were for {what}. {NO_FIND_RATE}{withhold.note(rows)}",
        claim=title,
        how=f"{words.count(first['searches'])} ÷ {words.count(total)}",
        moved="",
        source=_source(),
    )


def _percent(share: float | None) -> str:
    return withhold.WORD if share is None else f"{100 * share:.1f}%"


def _ended(row: Mapping) -> str:
    """Beside an object: how many of its searches ended in arrest, or why that is not said."""
    if row["searches"] is None:
        return withhold.WORD
    if row["searches"] < TOO_FEW:
        return f"too few to give an arrest share ({words.count(row['searches'])} searches)"
    if row["arrests"] is None:
        return f"arrests {withhold.WORD}"
    return (
        f"{100 * row['arrests'] / row['searches']:.0f}% ended in arrest ({100 * row['lower']:.0f}% to "
        f"{100 * row['upper']:.0f}%)"
    )


def shown_outcomes(rows: pl.DataFrame) -> pl.DataFrame:
    """`outcome_rates(..., by="area")` with small counts withheld, area by area."""
    areas = rows.partition_by("area", maintain_order=True)
    made = [withhold.withhold(part, "searches", derived=["share", "lower", "upper"]) for part in areas]
    return pl.concat(made, how="diagonal") if made else rows


def shown_year(table: pl.DataFrame) -> pl.DataFrame:
    """`measures.stops.year_table` with small counts of outcomes withheld; kinds of search are the publisher's totals."""
    parts = table.partition_by("measure", maintain_order=True)
    figures = ["share", "lower", "upper"]
    made = [
        part if part["measure"][0] == "searches" else withhold.withhold(part, "stops", derived=figures)
        for part in parts
    ]
    return pl.concat(made, how="diagonal")


def outcomes(book: Book, rows: pl.DataFrame, year: FinancialYear) -> Figure | Absent:
    """What became of those searched, with Wilson's intervals: this area, and London behind it.

    Parameters
    ----------
    rows : `outcome_rates` of person searches with a column `area`, this area's first.
    """
    rows = shown_outcomes(rows)
    here = rows.filter(area=book.area.name)
    if here.is_empty() or here["of"][0] < TOO_FEW:
        return Absent("search-outcomes", f"too few person searches in {book.area.name} in {year} to give shares")
    by = {row["outcome_group"]: row for row in here.iter_rows(named=True)}
    arrest, nothing = (by.get(name, {"share": None}) for name in ("arrest", "no further action"))
    if arrest["share"] is None:
        return Absent(
            "search-outcomes", f"too few person searches in {book.area.name} in {year} ended in arrest to give shares"
        )
    title = words.fitting(
        f"{100 * arrest['share']:.0f}% of person searches in {book.area.name} ended in arrest, {year}",
    )
    drawn = rows.with_columns(pl.format("{} ({})", "outcome_group", "area").alias("label"))
    order = [f"{outcome} ({area})" for outcome in by for area in dict.fromkeys((book.area.name, LONDON))]
    shade = pl.when(pl.col("area") == book.area.name).then(pl.lit("focus")).otherwise(pl.lit("other"))
    said = pl.Series("said", [_share(r) for r in drawn.iter_rows(named=True)])
    plotted = drawn.with_columns(shade.alias("shade"), said).drop("searches", "of", "area")
    colour = alt.Color(
        "shade:N", scale=alt.Scale(domain=["focus", "other"], range=[theme.DARK_BLUE, theme.CONTEXT]), legend=None
    )
    chart = _share_chart(plotted, colour, title="share of person searches", sort=order, step=24)
    listed = "; ".join(f"{r['label']} {_share(r)}" for r in drawn.iter_rows(named=True))
    against = rows.filter(pl.col("area") != book.area.name, outcome_group="arrest")
    beside = "" if against.is_empty() else f" In London {_share(against.row(0, named=True))} ended in arrest."
    return charts.assemble(
        book,
        "search-outcomes",
        chart,
        rows,
        title=title,
        subtitle=f"Outcomes of person searches, {book.area.name}{'' if book.area.is_london else ' and London'}, {year}. Lines: "
        "Wilson 95% intervals",
        alt_text=f"Dot and interval chart of shares of person searches where {listed}.",
        sentence=f"Of {words.count(arrest['of'])} person searches in {book.area.name} in {year}, {_share(arrest)} ended in arrest and "
        f"{_share(nothing)} in no further action.{beside} {NO_FIND_RATE}{withhold.note(rows)}",
        claim=title,
        how=f"{words.count(arrest['searches'])} ÷ {words.count(arrest['of'])}",
        moved="",
        source=_source(),
    )


def _share_chart(
    rows: pl.DataFrame, colour: alt.Color, *, title: str, sort: list[str] | None, step: int
) -> alt.LayerChart:
    """Shares as dots with their intervals, in words beside them; a share that is withheld keeps its words, at the axis."""
    base = alt.Chart(rows.with_columns(pl.col("upper").fill_null(0).alias("at")))
    y = alt.Y("label:N", sort=sort, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=260))
    x = alt.X("lower:Q", title=title, axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(zero=True))
    layers = [
        base.mark_rule(strokeWidth=4).encode(x=x, x2="upper:Q", y=y, color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x="share:Q", y=y, color=colour),
        base.mark_text(align="left", dx=8, fontSize=11).encode(x="at:Q", y=y, text="said:N"),
    ]
    return alt.layer(*layers).properties(width=theme.WIDTH - 330, height=alt.Step(step))


def _share(row: Mapping) -> str:
    if row["share"] is None:
        return withhold.WORD
    return f"{100 * row['share']:.1f}% ({100 * row['lower']:.1f}% to {100 * row['upper']:.1f}%)"


def by_group(book: Book, rows: pl.DataFrame, year: FinancialYear) -> Figure | Absent:
    """The share of searches that ended in arrest by ethnic group, both definitions, the unknown as rows of their own.

    Parameters
    ----------
    rows : `outcome_rates(..., by=["definition", "group"])` of the area and year.
    """
    shown = shown_arrests(rows)
    known = shown.filter(pl.col("of") >= TOO_FEW)
    if known.is_empty():
        return Absent("arrest-share-by-group", f"too few person searches in {book.area.name} in {year} to give shares")
    label = pl.format("{}, {}", "group", "definition")
    rank = pl.col("group").replace_strict({g: i for i, g in enumerate((*GROUPS, *measures.UNKNOWN))}, default=9)
    drawn = known.with_columns(label.alias("label")).sort(pl.col("definition") == "officer-defined", rank)
    drawn = drawn.with_columns(pl.Series("said", [_share(r) for r in drawn.iter_rows(named=True)]))
    own = drawn.filter(definition="self-defined").filter(pl.col("group").is_in(GROUPS), pl.col("share").is_not_null())
    high, low = (own.sort("share", "group").row(i, named=True) for i in (-1, 0)) if own.height else (None, None)
    if own.height < 2:
        title = f"Arrest shares by self-defined ethnicity in {book.area.name}, {year}: too few to compare"
        differ = ""
    else:
        p = measures.homogeneity(own["searches"].to_list(), own["of"].to_list())
        how = "differ" if p < 0.05 else "cannot be told apart"
        title = words.fitting(
            f"Arrest shares {how} between self-defined ethnic groups searched in {book.area.name}, {year}",
            f"Arrest shares {how} between self-defined groups in {book.area.name}, {year}",
        )
        differ = (
            f"By self-defined ethnicity, the share of person searches that ended in arrest in {book.area.name} in {year} ran from "
            f"{_share(low)} for {low['group']} to {_share(high)} for {high['group']}; all groups together, they "
            f"{how} (chi-squared test, p {'below 0.001' if p < 0.001 else f'{p:.3f}'}). "
        )
    colour = alt.Color(
        "definition:N",
        scale=alt.Scale(domain=list(measures.DEFINITIONS), range=[theme.DARK_BLUE, theme.TURQUOISE]),
    )
    plotted = drawn.select("label", "definition", "share", "lower", "upper", "said")
    chart = _share_chart(plotted, colour, title="share that ended in arrest", sort=None, step=22)
    listed = "; ".join(f"{r['label']} {r['said']}" for r in drawn.iter_rows(named=True))
    return charts.assemble(
        book,
        "arrest-share-by-group",
        chart,
        drawn.drop("outcome_group", "label", "said"),
        title=title,
        subtitle=f"Share of person searches that ended in arrest, by self-defined and by officer-defined ethnicity, {book.area.name}, "
        f"{year}. Lines: Wilson 95% intervals",
        alt_text=f"Dot and interval chart of arrest shares where {listed}.",
        sentence=f"{differ}{INFRA_MARGINAL}{withhold.note(shown)}",
        claim=title,
        how="searches ÷ of, row by row, from the CSV",
        moved="",
        source=_source(),
    )


def shown_arrests(rows: pl.DataFrame) -> pl.DataFrame:
    """The arrests of `outcome_rates(..., by=["definition", "group"])`, small counts of searches and of arrests withheld.

    Searches of a group are withheld wherever they show, and so are its arrests; groups of too few to give a share are not
    drawn, so that where one of those had few arrests those of another are withheld with it.
    """
    parts = []
    for part in rows.filter(outcome_group="arrest").partition_by("definition", maintain_order=True):
        hidden = withhold.hidden_groups(dict(part.select("group", "of").iter_rows()), measures.UNKNOWN)
        gone = part["group"].is_in(sorted(hidden))
        figures = ["share", "lower", "upper"]
        part = withhold.withhold(part, "searches", derived=figures, hidden=gone | (part["of"] < TOO_FEW))
        # Those not drawn for being few are no withheld count.
        parts.append(withhold.blank(part, gone, ["of", "searches", *figures]))
    return pl.concat(parts, how="diagonal") if parts else rows


# -- who ----------------------------------------------------------------------------------------------------------------


def shown_ratios(table: pl.DataFrame, counts: pl.DataFrame, year: FinancialYear) -> pl.DataFrame:
    """`measures.stops.disproportionality` as it may be shown: a group whose searches are withheld has no figures, and `why`.

    Where the unknown are themselves withheld, so is every ratio by that definition: all are bounded by them.

    Parameters
    ----------
    counts : the edition's `stops_by_ethnicity`, of which the table was made.
    """
    gone = []
    for name in table["area"].unique(maintain_order=True):
        rows = measures.of_year(counts, place_named(name), year)
        for ethnicity, column in measures.DEFINITIONS.items():
            searches = dict(rows.group_by(column).agg(pl.col("searches").sum()).iter_rows())
            hidden = withhold.hidden_groups(searches, measures.UNKNOWN)
            unknown = sum(searches.get(kind, 0) for kind in measures.UNKNOWN)
            every = withhold.is_small(unknown) or bool(hidden & {"White"})
            gone += [(name, ethnicity, g) for g in (GROUPS if every else sorted(hidden & set(GROUPS)))]
    key = ["area", "ethnicity", "group"]
    listed = pl.DataFrame(gone, schema=dict.fromkeys(key, pl.String), orient="row").with_columns(
        pl.lit(True).alias("gone")
    )
    marked = table.join(listed, on=key, how="left", maintain_order="left")["gone"].fill_null(False)
    marked &= table["searches_known"].is_not_null()
    figures = [name for name in table.columns[5:] if name != "why"]
    why = pl.lit(f"{withhold.WORD}: {withhold.REASON}")
    # Officers' codes have no Mixed: their residents are shared by cells of the composition, and would give one away.
    few = counts.filter(financial_year=str(year)).filter(pl.col("searches").is_between(1, withhold.LARGEST))
    codes = few["borough_code"].unique()
    by_cell = [name for name in table["area"].unique() if place_named(name).code in codes]
    shared = (table["ethnicity"] == "officer-defined") & table["area"].is_in(by_cell)
    table = withhold.blank(table, shared, ["residents_group", "residents_reference"], told=False)
    return table.with_columns(
        *(pl.when(~marked).then(name).alias(name) for name in figures),
        pl.when(marked).then(why).otherwise("why").alias("why"),
    )


def ratio_sentence(row: Mapping) -> str:
    """One ratio with both rates, its interval, the other estimates and the share unknown; why, where there is none."""
    whose = f"{row['group']} to {row['reference']} ({row['ethnicity']})"
    if row["ratio"] is None:
        return f"{whose} in {row['area']}, {row['period']}: cannot say, {row['why']}."
    unknown = f"{100 * row['unknown_share']:.1f}% of searches have no known group"
    text = (
        f"In {row['area']} in {row['period']}, by {row['ethnicity']} ethnicity, person searches ran at {row['rate_group']:.1f} per 1,000 "
        f"{row['group']} residents and {row['rate_reference']:.1f} per 1,000 {row['reference']} residents, a ratio of "
        f"{row['ratio']:.2f} with unknowns spread "
        f"({row['lower']:.2f} to {row['upper']:.2f} by counting noise; {row['known_only']:.2f} leaving out unknowns; between "
        f"{row['bound_low']:.2f} and {row['bound_high']:.2f} whatever the unknowns are; {unknown})."
    )
    if row["mapping_low"] is not None:
        text += (
            f" Officers' codes have no Mixed group: residents who are Mixed are shared as officers saw those searched who are. With all "
            f"of them counted as {row['group']} the ratio is {row['mapping_low']:.2f}, with them in neither group "
            f"{row['mapping_none']:.2f}, with all of them counted as {row['reference']} {row['mapping_high']:.2f}."
        )
    if row["within_boroughs"] is not None:
        text += (
            f" Compared within each borough (Mantel and Haenszel), so that where searches happen is not read as who is searched, it is "
            f"{row['within_boroughs']:.2f} ({row['within_low']:.2f} to {row['within_high']:.2f})."
        )
    if row["on_london_residents"] is not None:
        text += (
            f" Against all of London's residents instead of the borough's, for those searched need not live there, it is "
            f"{row['on_london_residents']:.2f}."
        )
    return text


def _ratio_title(row: Mapping) -> str:
    pair, where = f"{row['group']} to {row['reference']}", row["area"]
    if row["ratio"] is None:
        return words.fitting(f"Too few searches in {where} to give a {pair} ratio, {row['period']}")
    if row["lower"] <= 1 <= row["upper"]:
        return words.fitting(
            f"{pair} search rates in {where} little different ({row['ethnicity']}), {row['period']}",
        )
    return words.fitting(
        f"{pair} search ratio in {where} is {row['ratio']:.1f} ({row['ethnicity']}), {row['period']}",
    )


def ratios(book: Book, rows: pl.DataFrame) -> Figure | Absent:
    """Every group against White, under both definitions: primary estimate and interval, known only, worst-case bounds.

    Parameters
    ----------
    rows : the area's rows of `measures.stops.disproportionality`.
    """
    name = "disproportionality"
    drawn = rows.filter(pl.col("ratio").is_not_null())
    if drawn.is_empty():
        return Absent(name, f"cannot say: {'; '.join(rows['why'].drop_nulls().unique().sort())}")
    focus = rows.row(by_predicate=(pl.col("group") == "Black") & (pl.col("ethnicity") == "self-defined"), named=True)
    drawn = drawn.with_columns(
        pl.format("{}, {}", "group", "ethnicity").alias("label"),
        pl.Series("said", [_ratio_label(r) for r in drawn.iter_rows(named=True)]),
        pl.Series(
            "detail",
            [f"{r['rate_group']:.1f} v {r['rate_reference']:.1f} per 1,000" for r in drawn.iter_rows(named=True)],
        ),
    )
    chart = _ratio_layers(drawn, y="label", height=34, names=drawn["label"].to_list(), colour=None)
    listed = "; ".join(f"{r['label']} {r['said']}" for r in drawn.iter_rows(named=True))
    unknown = {r["ethnicity"]: f"{100 * r['unknown_share']:.1f}%" for r in drawn.iter_rows(named=True)}
    named = ", ".join(f"{definition} {share}" for definition, share in unknown.items())
    title = _ratio_title(focus)
    missing = rows.filter(pl.col("ratio").is_null())
    gaps = "".join(f" {r['group']}, {r['ethnicity']}: cannot say, {r['why']}." for r in missing.iter_rows(named=True))
    return charts.assemble(
        book,
        name,
        chart,
        drawn.drop("label", "said", "detail"),
        title=title,
        subtitle=f"Person searches per resident of each group ÷ those per White resident, {book.area.name}, {rows['period'][0]}. "
        f"Dot and dark line: unknowns spread, 95%; ring: known only; grey: worst-case bounds. Group not known: {named}",
        alt_text=f"Dot and interval chart of ratios to White where {listed}.",
        sentence=f"{ratio_sentence(focus)}{gaps} {CAUTION}",
        claim=title,
        how=_recompute(focus),
        moved="",
        source=_source("gla-ethnic-group"),
    )


def _recompute(row: Mapping) -> str:
    """Both estimates from counts and residents, so that a reader can do them by hand."""
    if row["ratio"] is None:
        return ""
    known, reference = words.count(row["searches_known"]), words.count(row["searches_reference_known"])
    one, other = words.count(row["residents_group"]), words.count(row["residents_reference"])
    return (
        f"{row['rate_group']:.2f} ÷ {row['rate_reference']:.2f} = {row['ratio']:.2f}; known only ({known} ÷ {one}) ÷ "
        f"({reference} ÷ {other}) = {row['known_only']:.2f}"
    )


def _ratio_label(row: Mapping) -> str:
    return f"{row['ratio']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})"


def _ratio_layers(
    drawn: pl.DataFrame, *, y: str, height: int, names: list[str], colour: alt.Color | None
) -> alt.LayerChart:
    low = min(0.5, drawn["bound_low"].min())
    high = max(2.0, drawn["bound_high"].max())
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if 0.9 * low <= t <= 1.1 * high]
    scale = alt.Scale(type="log", domain=[0.92 * low, 1.08 * high], nice=False)
    across = alt.X("bound_low:Q", scale=scale, axis=alt.Axis(title=f"{_RATIO} (log scale)", values=ticks, format="~g"))
    down = alt.Y(
        f"{y}:N", sort=names, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220, labelPadding=8)
    )
    columns = ["ratio", "lower", "upper", "known_only", "bound_low", "bound_high", "said", "detail", y]
    columns += [c for c in ("shade",) if c in drawn.columns]
    stacked = height > 25  # room for two lines of text in a row; otherwise they stand side by side
    base = alt.Chart(drawn.select(columns))
    ink = colour or alt.value(theme.DARK_BLUE)
    width = theme.WIDTH - (330 if stacked else 410)

    def at(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale)

    layers = [
        base.mark_rule(strokeWidth=2, color="#9A9A9A").encode(x=across, x2="bound_high:Q", y=down),
        alt.Chart(pl.DataFrame({"one": [1.0]})).mark_rule(color=theme.DARK_GREY).encode(x=at("one")),
        base.mark_rule(strokeWidth=6).encode(x=at("lower"), x2="upper:Q", y=down, color=ink),
        base.mark_point(size=42, filled=True, fill="white", stroke=theme.DARK_GREY, strokeWidth=1.4, opacity=1).encode(
            x=at("known_only"), y=down
        ),
        base.mark_point(size=60, filled=True, opacity=1).encode(x=at("ratio"), y=down, color=ink),
        base.mark_text(align="left", fontSize=11, dy=-6 if stacked else 0).encode(
            x=alt.value(width + 10), y=down, text="said:N"
        ),
        base.mark_text(align="left", fontSize=11, dy=7 if stacked else 0).encode(
            x=alt.value(width + (10 if stacked else 140)), y=down, text="detail:N"
        ),
    ]
    return alt.layer(*layers).properties(width=width, height=alt.Step(height))


def ranked(
    book: Book, table: pl.DataFrame, *, group: str = "Black", ethnicity: str = "self-defined"
) -> Figure | Absent:
    """One ratio in all 32 boroughs, the highest first, each with interval and worst-case bounds."""
    name = "disproportionality-boroughs"
    rows = table.filter(pl.col("area") != LONDON, pl.col("group") == group, pl.col("ethnicity") == ethnicity)
    drawn = rows.filter(pl.col("ratio").is_not_null()).sort("ratio", "area", descending=[True, False])
    if drawn.is_empty():
        return Absent(name, f"cannot say: {'; '.join(rows['why'].drop_nulls().unique().sort())}")
    shade = pl.when(pl.col("area") == book.area.name).then(pl.lit("focus")).otherwise(pl.lit("other"))
    drawn = drawn.with_columns(
        shade.alias("shade"),
        pl.Series("said", [_ratio_label(r) for r in drawn.iter_rows(named=True)]),
        pl.Series(
            "detail",
            [
                f"{r['rate_group']:.0f} v {r['rate_reference']:.0f}; {100 * r['unknown_share']:.0f}%"
                for r in drawn.iter_rows(named=True)
            ],
        ),
    )
    colour = alt.Color(
        "shade:N", scale=alt.Scale(domain=["focus", "other"], range=[theme.DARK_BLUE, theme.LIGHT_BLUE]), legend=None
    )
    order = drawn["area"].to_list()
    above, surely = drawn.filter(pl.col("lower") > 1).height, drawn.filter(pl.col("bound_low") > 1).height
    period = rows["period"][0]
    title = words.fitting(
        f"{group} to {rows['reference'][0]} search ratio ({ethnicity}) above 1 in {above} of {rows.height} boroughs, {period}"
    )
    left = rows.filter(pl.col("ratio").is_null())["area"].to_list()
    gaps = f" Cannot say, too few searches: {', '.join(left)}." if left else ""
    mine = ""
    if book.area.name in order:
        row = drawn.row(order.index(book.area.name), named=True)
        mine = (
            f" {book.area.name} is place {order.index(book.area.name) + 1} from the highest, {_ratio_label(row)}, with searches at "
            f"{row['rate_group']:.1f} per 1,000 {group} residents and {row['rate_reference']:.1f} per 1,000 {row['reference']} "
            f"residents and {100 * row['unknown_share']:.1f}% of its searches of unknown group."
        )
    unknown = f"{100 * drawn['unknown_share'].min():.0f}% to {100 * drawn['unknown_share'].max():.0f}%"
    ends = f"{_named(drawn.row(0, named=True))} to {_named(drawn.row(-1, named=True))}"
    return charts.assemble(
        book,
        name,
        _ratio_layers(drawn, y="area", height=17, names=order, colour=colour),
        drawn.drop("shade", "said", "detail"),
        title=title,
        subtitle=f"Person searches per {group} resident ÷ per {rows['reference'][0]} resident, {ethnicity} ethnicity, 32 boroughs, "
        f"{period}. Dot and line: unknowns spread, 95%; ring: known only; grey: worst-case bounds. Right: "
        "ratio, searches per 1,000 residents of each, share of searches of unknown group",
        alt_text=f"Ranked interval chart of {group} to {rows['reference'][0]} ratios of searches per resident, {ethnicity}, where the "
        "boroughs are, from the highest: " + "; ".join(_named(r) for r in drawn.iter_rows(named=True)) + ".",
        sentence=f"By {ethnicity} ethnicity, person searches per {group} resident over those per {rows['reference'][0]} resident run "
        f"from {ends}. With unknowns spread the interval lies above 1 in {above} of {rows.height} boroughs; whatever the unknowns are, "
        f"the ratio is above 1 in {surely}: they are {unknown} of a borough's searches.{mine}{gaps} "
        "Few residents of a group make a high ratio where those searched live elsewhere. "
        f"{CAUTION}",
        claim=title,
        how="rate_group ÷ rate_reference, row by row, from the CSV",
        moved="",
        source=_source("gla-ethnic-group"),
    )


def _named(row: Mapping) -> str:
    return f"{row['area']} {_ratio_label(row)}"


def shown_bands(rows: pl.DataFrame) -> pl.DataFrame:
    """`measures.stops.age_and_sex` with the two bands of children made one where few were under 10.

    The number under 18 is shown; with the bands apart, two children under 10 would withhold hundreds of 10 to 17.
    """
    if not any(withhold.is_small(n) for n in rows.filter(age_band="under 10")["searches"]):
        return rows
    band = pl.when(pl.col("age_band").is_in(_CHILDREN)).then(pl.lit(_UNDER_18)).otherwise("age_band")
    together = rows.group_by(band.alias("age_band"), "sex").agg(pl.col("searches", "share").sum())
    return together.sort("age_band", "sex")


def age_and_sex(book: Book, rows: pl.DataFrame, year: FinancialYear) -> Figure | Absent:
    """Person searches by age band and sex as recorded: shares, for the edition has no residents by age."""
    rows, total = shown_bands(rows), rows["searches"].sum()
    if total < TOO_FEW:
        return Absent("age-and-sex", f"too few person searches in {book.area.name} in {year} to give shares")
    by = {name: rows.group_by(name).agg(pl.col("searches").sum()) for name in ("age_band", "sex")}
    minor, male_only, ageless = (
        pl.col("age_band").is_in([*_CHILDREN, _UNDER_18]),
        pl.col("sex") == "Male",
        pl.col("age_band") == "not recorded",
    )
    young, male, unknown = (rows.filter(which)["searches"].sum() for which in (minor, male_only, ageless))
    if withhold.is_small(male):
        return Absent("age-and-sex", f"too few person searches in {book.area.name} in {year} to give shares")
    rows = withhold.withhold(rows, "searches", derived=["share"], totals=[minor, male_only, ageless])
    order = sorted(
        by["age_band"]["age_band"], key=lambda band: (band == "not recorded", not band.startswith("under"), band)
    )
    domain = [name for name in ("Male", "Female", "Other", "not recorded") if name in by["sex"]["sex"]]
    palette = [theme.DARK_BLUE, theme.TURQUOISE, theme.ORANGE, theme.CONTEXT]
    title = words.fitting(
        f"{100 * male / total:.0f}% of person searches in {book.area.name} were of males, {year}",
    )
    chart = (
        alt.Chart(rows)
        .mark_bar(height=16)
        .encode(
            x=alt.X(
                "share:Q", title="share of person searches", axis=alt.Axis(format=".0%", tickCount=6), stack="zero"
            ),
            y=alt.Y("age_band:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=alt.Color("sex:N", scale=alt.Scale(domain=domain, range=palette[: len(domain)])),
            order=alt.Order("sex_order:Q"),
        )
        .transform_calculate(sex_order=f"indexof({domain!r}, datum.sex)")
        .properties(width=theme.WIDTH - 150, height=alt.Step(28))
    )
    listed = "; ".join(f"{r['age_band']} {r['sex']} {_percent(r['share'])}" for r in rows.iter_rows(named=True))
    few = withhold.is_small(young)
    under_18 = f"a number {withhold.WORD}" if few else f"{words.count(young)} ({100 * young / total:.1f}%)"
    no_age = f"a number {withhold.WORD}" if withhold.is_small(unknown) else f"{100 * unknown / total:.1f}%"
    return charts.assemble(
        book,
        "age-and-sex",
        chart,
        rows,
        title=title,
        subtitle=f"Person searches by age band and sex as recorded, {book.area.name}, {year}: shares of {words.count(total)} searches",
        alt_text=f"Stacked bar chart of shares of person searches by age and sex where {listed}.",
        sentence=f"Of {words.count(total)} person searches in {book.area.name} in {year}, {words.count(male)} "
        f"({100 * male / total:.1f}%) were of males and {under_18} of people recorded as under 18; {no_age} have no age. "
        f"Shares, not rates: residents by age are not in the edition.{withhold.note(rows)}",
        claim=title,
        how=f"{words.count(male)} ÷ {words.count(total)}",
        moved="",
        source=_source(),
    )


# -- tables -------------------------------------------------------------------------------------------------------------


def ratio_table(rows: pl.DataFrame) -> pl.DataFrame:
    """The area's ratios as a reader meets them: both rates, the estimate and its interval, the others, the share unknown."""
    shown = ["rate_group", "rate_reference", "ratio", "lower", "upper", "known_only", "bound_low", "bound_high"]
    return rows.select(
        "group",
        "ethnicity",
        *(pl.col(name).round(2) for name in shown),
        (100 * pl.col("unknown_share")).round(1).alias("unknown_percent"),
        "why",
    )


def composition_table(table: pl.DataFrame) -> pl.DataFrame:
    """Self-defined ethnicity in rows, officer-defined in columns: person searches."""
    order = {name: i for i, name in enumerate((*GROUPS, *measures.UNKNOWN))}
    table = shown_composition(table)
    wide = table.pivot("officer_defined", index="self_defined", values="searches", sort_columns=True).fill_null(
        pl.lit("0")
    )
    wide = wide.sort(pl.col("self_defined").replace_strict(order, default=9))
    columns = sorted(wide.columns[1:], key=lambda name: order.get(name, 9))
    return wide.select("self_defined", *(pl.col(name).alias(f"seen_as_{name.lower()}") for name in columns))


def shown_composition(table: pl.DataFrame) -> pl.DataFrame:
    """`measures.stops.composition` with `searches` as text: the count, or that it is withheld.

    Its row and column sums are shown in other tables, except those of a group that is withheld there; nor may such a group's
    cells be added up here, so all of them are withheld.
    """
    totals, gone = (
        [pl.col("self_defined").is_in(measures.UNKNOWN), pl.col("officer_defined").is_in(measures.UNKNOWN)],
        [],
    )
    for column in measures.DEFINITIONS.values():
        searches = dict(table.group_by(column).agg(pl.col("searches").sum()).sort(column).iter_rows())
        hidden = withhold.hidden_groups(searches, measures.UNKNOWN)
        gone += [pl.col(column) == name for name in sorted(hidden)]
        totals += [pl.col(column) == name for name in searches if name not in hidden]
    apart = table.select(pl.any_horizontal(pl.lit(False), *gone).alias("gone")).to_series() if gone else None
    shown = withhold.withhold(table, "searches", totals=totals, hidden=apart)
    return shown.with_columns(pl.col("searches").cast(pl.String).fill_null(withhold.WORD))


def published_table(ours: Mapping[str, float], published: pl.DataFrame, year: FinancialYear) -> pl.DataFrame:
    """A year's published figures beside those computed here; no rows where none of that year is at hand.

    Parameters
    ----------
    ours : `measures.stops.headline_figures`.
    published : `reference.published_stops()`.
    """
    rows = []
    for row in published.filter(period=str(year)).iter_rows(named=True):
        low, high, here = row["low"], row["high"], ours.get(row["figure_id"])
        printed = "not found" if low is None else f"{low:,g}" if high in (None, low) else f"{low:,g} to {high:,g}"
        gap = None
        if here is not None and low is not None:
            nearest = min((x for x in (low, high) if x is not None), key=lambda x: abs(here - x))
            inside = high is not None and low <= here <= high
            gap = 0.0 if inside else 100 * (here / nearest - 1)
        rows.append(
            (
                row["measure"],
                row["area"],
                row["period"],
                printed,
                None if here is None else float(here),
                gap,
                row["publication"],
                row["note"],
            )
        )
    names = ["measure", "area", "period", "published", "here", "difference_percent", "publication", "note"]
    types = [pl.String] * 4 + [pl.Float64] * 2 + [pl.String] * 2
    return pl.DataFrame(rows, schema=dict(zip(names, types)), orient="row").with_columns(
        pl.col("here").round(2), pl.col("difference_percent").round(1)
    )


def published_sentence(table: pl.DataFrame) -> str:
    """How far the Met's total and arrest share computed here are from those published, and what is not explained."""
    if table.is_empty():
        return "No figure of this year published elsewhere is at hand to hold these against."
    total, share = table.row(0, named=True), table.row(2, named=True)
    return (
        f"The files hold {words.count(total['here'])} stops and searches of {total['period']}; the published figures imply "
        f"{total['published']} ({words.signed(total['difference_percent'])} from the nearer end), and {share['here']:.1f}% ended in arrest "
        f"where {share['published']}% was published. Publishers do not say why the totals differ: monthly files are not revised when "
        "records are completed late, and the two may count searches of vehicles and of several people in one stop differently."
    )
