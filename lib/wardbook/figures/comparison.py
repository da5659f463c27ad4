"""Charts of all boroughs side by side, allowing for chance: funnels and one ranked list; with their words."""

from __future__ import annotations

import math

import altair as alt
import polars as pl

from wardbook.catalogue import sources
from wardbook.figures import charts, theme, withhold, words
from wardbook.figures.export import Absent, Figure
from wardbook.measures.comparison import VERDICTS
from wardbook.measures.usual import CANNOT_SAY, MET, TOO_FEW
from wardbook.notebook import Book
from wardbook.periods import FinancialYear
from wardbook.places import LONDON_CODE

_LIMITS = ("lower_998", "lower_95", "upper_95", "upper_998")
_WIDTH, _HEIGHT = theme.WIDTH - 110, 340  # px, of a funnel
NEIGHBOURS = (
    "The ONS publishes statistical nearest neighbours of each borough as a set to compare it with: not fetched, so not in this "
    "edition. No set of our own making stands in for them; the comparison is with all 32 boroughs."
)


def _source(key: str, snapshot: str) -> str:
    return f"{sources()[key].line} (to {snapshot})"


# -- the funnel of changes ------------------------------------------------------------------------------------------------


def change_funnel(book: Book, table: pl.DataFrame, item: str) -> Figure | Absent:
    """One group's outturn against each borough's own baseline times London's ratio, with the limits of chance.

    Parameters
    ----------
    table : rows of `measures.comparison.change_funnel` with `borough`, `period`, `baseline_period` and `snapshot`.
    """
    rows = table.filter(pl.col("offence_group") == item, pl.col("p").is_not_null())
    if rows.height < 5:
        return Absent("change-funnel", f"cannot say: too few recorded {item} offences in almost every borough")
    span = f"{rows['baseline_period'][0]} to {rows['period'][0]}"
    title = change_title(book, table, item)
    crossed = "; crosses a declared break" if rows["crosses"][0] else ""
    return _funnel(
        book,
        rows,
        name="change-funnel",
        title=title,
        x=("baseline", f"offences in {rows['baseline_period'][0]} (log scale)"),
        y="against what its own baseline and London's change give",
        subtitle=f"Recorded {item}, {rows.height} boroughs, {span}: outturn ÷ (own baseline × London's ratio){crossed}. "
        "Limits: chance and the variation among boroughs",
        sentence=change_sentence(book, table, item),
        how="outturn ÷ expected from the CSV, expected = baseline × London's ratio",
        source=_source("mps-borough-crime", rows["snapshot"][0]),
    )


def change_title(book: Book, table: pl.DataFrame, item: str) -> str:
    """Higher, lower, as expected, or too few to say: at most fifteen words."""
    rows, what = table.filter(offence_group=item), words.SHORT.get(item, item)
    if book.area.is_london:
        return _outside_title(rows, f"change in {what}")
    row = rows.row(by_predicate=pl.col("borough_code") == book.area.code, named=True)
    where = book.area.name
    if row["verdict"] == CANNOT_SAY:
        return words.fitting(f"Too few recorded in {where} to compare its change in {what}", f"Too few in {where}")
    said, corrected = _unlike(row), _corrected(row)
    return words.fitting(
        f"Recorded {what} in {where} {said}{corrected}",
        f"{where}: recorded {what} {said}{corrected}",
        f"{where}: {what} {said}{corrected}",
        f"{where}: change in {what} {row['verdict']}{corrected}",
        f"{where}: change {row['verdict']}{corrected}",
    )


def _corrected(row: dict) -> str:
    """What a title adds where a borough lies outside the limits and is no finding."""
    return "" if row["finding"] or row["p"] >= 0.05 else "; no finding after correction"


def _unlike(row: dict) -> str:
    """How a borough moved beside London, in words that hold whether both rose or both fell."""
    if row["verdict"] == VERDICTS["expected"]:
        return "did not differ clearly from London's change"
    own, london = (_way(row[name] - row["baseline"]) for name in ("outturn", "expected"))
    if own != london:
        return f"{own} while London's {london}"
    more = (own == "rose") == (row["verdict"] == VERDICTS["high"])
    return f"{own} {'more' if more else 'less'} than London's"


def _way(change: float) -> str:
    return "rose" if change > 0 else "fell" if change < 0 else "stayed level"


def _outside_title(rows: pl.DataFrame, what: str) -> str:
    """For London: how many boroughs lie outside the limits, and how many of them are findings."""
    n = rows.filter(pl.col("p").is_not_null()).height
    out, found = rows.filter(pl.col("p") < 0.05).height, rows["finding"].sum()
    said = f"{words.or_none(out)} of {n} boroughs outside the limits"
    after = f", {words.or_none(found)} after correction" if out else ""
    return words.fitting(f"{words.capital(what)}: {said}{after}", f"{words.capital(said)}{after}")


def change_sentence(book: Book, table: pl.DataFrame, item: str) -> str:
    """The borough's change in one sentence, then how many findings the whole family holds."""
    rows = table.filter(offence_group=item)
    spread = rows.filter(pl.col("tau2").is_not_null())
    tau = f" {_scatter(spread['tau2'][0])}" if len(spread) else ""
    if book.area.is_london:
        out = rows.filter(pl.col("verdict").is_in([VERDICTS["low"], VERDICTS["high"]]))
        named = ", ".join(f"{r['borough']} ({words.signed(_gap(r))})" for r in out.sort("ratio").iter_rows(named=True))
        low = f"Outside the 95% limits in {item}: {named}, against their own baselines and London's change."
        low = low if named else f"No borough lies outside the 95% limits in {item}."
        return f"{low}{tau} {family_sentence(table)}"
    row = rows.row(by_predicate=pl.col("borough_code") == book.area.code, named=True)
    went = f"In {row['borough']}, recorded {item} went from {words.count(row['baseline'])} to {words.count(row['outturn'])}"
    went += f" between {row['baseline_period']} and {row['period']}"
    if row["verdict"] == CANNOT_SAY:
        return (
            f"{went}: cannot say, for fewer than {TOO_FEW} together, or none to start from, are too few to compare. "
            f"{family_sentence(table)}"
        )
    limits = f"95% limits {words.span(100 * (row['lower_95'] - 1), 100 * (row['upper_95'] - 1))}"
    return (
        f"{went}; London's ratio applied to its own baseline gives {words.count(row['expected'])}, so it is "
        f"{words.signed(_gap(row))} from that ({limits}): {row['verdict']}{_after(row)}.{tau} {family_sentence(table)}"
    )


def _after(row: dict) -> str:
    """What a sentence adds where a borough lies outside the limits."""
    after = "a finding" if row["finding"] else "no finding"
    return f", and {after} once the number of comparisons is allowed for" if row["p"] < 0.05 else ""


def _gap(row: dict) -> float:
    return 100 * (row["ratio"] - 1)


def _scatter(tau2: float) -> str:
    """How far boroughs lie from London's change beyond counting noise: tau is a standard deviation of the log ratio."""
    if not tau2:
        return "Counting noise alone explains how far boroughs lie from London's change."
    return (
        f"Beyond counting noise, boroughs lie some {100 * tau2**0.5:.0f}% either way from London's change "
        "(one standard deviation), and the limits allow for it."
    )


def family_sentence(table: pl.DataFrame) -> str:
    """The family and its findings, as every funnel of many groups has to say."""
    family, found = table["family"][0], table["findings"][0]
    few, groups = table.height - family, table["offence_group"].n_unique()
    left = f", less {words.number(few)} with too few offences" if few else ""
    named = ", ".join(
        f"{row['borough']} {row['offence_group']} ({words.signed(_gap(row))})"
        for row in table.filter("finding").sort("p").head(6).iter_rows(named=True)
    )
    found_text = f"{words.or_none(found)} {'stand' if found > 1 else 'stands'}"
    more = " among them" if found > 6 else ""
    return (
        f"Of {family} comparisons (32 boroughs × {groups} groups{left}), {found_text} after Benjamini and Hochberg's "
        f"correction at 5%{':' + more + ' ' + named if found else ''}."
    )


def simulated_sentence(shares: dict[float, float]) -> str:
    """How often a family with no real change would hold a finding: measured, printed beside the funnel."""
    parts = ", ".join(f"{100 * share:.0f}% of runs with {100 * tau:.0f}%" for tau, share in shares.items())
    return (
        "Simulated for boroughs with these baselines, none of which differs but by chance and a given variation among boroughs, "
        f"this one funnel holds a finding in {parts}."
    )


# -- the funnel of levels -------------------------------------------------------------------------------------------------


def household_funnel(book: Book, rows: pl.DataFrame) -> Figure:
    """Residential burglary against households: the one level whose denominator is what can be burgled.

    Parameters
    ----------
    rows : `measures.comparison.level_funnel` with `borough`, `period` and `snapshot`.
    """
    rate, span = 1000 * rows["events"].sum() / rows["exposure"].sum(), rows["period"][0]
    if book.area.is_london:
        title = _outside_title(rows, "burglary per household")
        out = rows.filter(pl.col("p") < 0.05).sort("ratio")
        named = ", ".join(f"{r['borough']} ({words.signed(_gap(r))})" for r in out.iter_rows(named=True))
        where = f"the 95% limits for residential burglary per household in {span}"
        sentence = f"Outside {where}: {named}." if named else f"No borough lies outside {where}."
    else:
        row = rows.row(by_predicate=pl.col("borough_code") == book.area.code, named=True)
        level = "within London's range" if row["verdict"] == VERDICTS["expected"] else row["verdict"]
        title = words.fitting(
            f"Residential burglary per household in {row['borough']} is {level}{_corrected(row)}",
            f"Burglary per household in {row['borough']} is {level}{_corrected(row)}",
        )
        own = 1000 * row["events"] / row["exposure"]
        sentence = (
            f"{row['borough']} recorded {words.count(row['events'])} residential burglaries in {span}, {own:.1f} per 1,000 "
            f"households where London's 32 boroughs have {rate:.1f} ({words.signed(_gap(row))}; 95% limits "
            f"{words.span(100 * (row['lower_95'] - 1), 100 * (row['upper_95'] - 1))}): {row['verdict']}{_after(row)}."
        )
    phi = (
        f" Counting noise explains little of how boroughs differ (their variance is {rows['phi'][0]:.0f} times it), so the "
        "limits are wide: a level says more of where a borough is than of its year."
    )
    return _funnel(
        book,
        rows,
        name="burglary-per-household",
        title=title,
        x=("exposure", "households, Census 2021 (log scale)"),
        y="against London's rate per household",
        subtitle=f"Recorded residential burglary per household ÷ London's, 32 boroughs, {span}. "
        "Limits: chance and the variation among boroughs",
        sentence=sentence + phi,
        how="events ÷ expected from the CSV, expected = households × London's rate",
        source=f"{_source('mps-borough-crime', rows['snapshot'][0])}; {sources()['ons-households'].line}",
    )


def _funnel(
    book: Book,
    rows: pl.DataFrame,
    *,
    x: tuple[str, str],
    y: str,
    how: str,
    title: str,
    **said: str,
) -> Figure:
    """Dots in a funnel: the borough in focus dark and named, others grey, named only beyond the 95 % limits."""
    field, axis_title = x
    rows = rows.sort(field, "borough_code")
    percent = [(100 * (pl.col(name) - 1)).alias(f"{name}_percent") for name in ("ratio", *_LIMITS)]
    here = pl.col("borough_code") == book.area.code
    named = pl.when(here | (pl.col("p") < 0.05)).then(pl.col("borough")).otherwise(pl.lit("")).alias("label")
    wanted = [c for c in ("borough", "baseline", "outturn", "events", "exposure") if c in rows.columns]
    wanted += ["expected", "ratio", *_LIMITS, "z", "p", "verdict", "finding"]
    drawn = rows.with_columns(*percent, named, here.alias("focus"))
    ends = [0.93 * rows[field].min(), 1.08 * rows[field].max()]
    scale = alt.Scale(type="log", domain=ends, nice=False)
    extent = drawn.select(pl.col("^.*_percent$")).to_numpy()
    domain = [float(extent.min()) - 4, float(extent.max()) + 4]
    sign = "(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + abs(datum.value) + '%'"
    ys = alt.Scale(domain=domain, nice=False)
    across = alt.X(
        f"{field}:Q", scale=scale, axis=alt.Axis(title=axis_title, format=",.0f", values=_ticks(*ends), grid=False)
    )
    base = alt.Chart(drawn.drop("finding"))
    layers = []
    for limit in _LIMITS:
        dash = [1, 0] if limit.endswith("95") else [4, 4]
        up = alt.Y(f"{limit}_percent:Q", scale=ys, axis=alt.Axis(labelExpr=sign, title=y, tickCount=7, grid=False))
        layers.append(base.mark_line(strokeDash=dash, strokeWidth=1.2, color=theme.MID_BLUE).encode(x=across, y=up))
    last = drawn.row(-1, named=True)
    marks = [(limit, "99.8%" if "998" in limit else "95%") for limit in _LIMITS]
    at = charts.spaced([last[f"{limit}_percent"] for limit, _ in marks], 13 / _HEIGHT * (domain[1] - domain[0]))
    text = pl.DataFrame({"x": [ends[1]] * 4, "y": at, "label": [t for _, t in marks]})
    shade = alt.Color(
        "focus:N", scale=alt.Scale(domain=[False, True], range=[theme.CONTEXT, theme.DARK_BLUE]), legend=None
    )
    up = alt.Y("ratio_percent:Q", scale=ys)
    order = drawn.sort("focus").drop("finding")
    layers += [
        alt.Chart(pl.DataFrame({"none": [0.0]})).mark_rule(color=theme.DARK_GREY).encode(y=alt.Y("none:Q", scale=ys)),
        alt.Chart(text)
        .mark_text(align="left", dx=4, fontSize=11)
        .encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=ys), text="label:N"),
        alt.Chart(order)
        .mark_point(filled=True, size=70, opacity=1, stroke="white", strokeWidth=0.6)
        .encode(x=across, y=up, color=shade),
        *_names(_placed(order, field, ends, domain), scale, ys),
    ]
    outside = drawn.filter(pl.col("p") < 0.05)
    listed = ", ".join(f"{r['borough']} {words.signed(r['ratio_percent'])}" for r in outside.iter_rows(named=True))
    mine = drawn.filter("focus")
    if len(mine):
        focus = f"{book.area.name} is at {words.signed(mine['ratio_percent'][0])}, {mine['verdict'][0]}; "
    else:
        focus = "" if book.area.is_london else f"{book.area.name} is left out, with too few recorded; "
    beyond = f"those outside the 95% limits are {listed}" if listed else "none is outside the 95% limits"
    return charts.assemble(
        book,
        chart=alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT),
        data=drawn.select(wanted),
        title=title,
        alt_text=f"Funnel chart of {rows.height} boroughs where {focus}{beyond}.",
        claim=title,
        how=how,
        moved="",
        **said,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round values for a logarithmic axis, which names none of its own between powers of ten."""
    return [m * 10**e for e in range(7) for m in (1, 1.5, 2, 3, 5, 7) if low <= m * 10**e <= high]


def _placed(drawn: pl.DataFrame, field: str, ends: list[float], domain: list[float]) -> pl.DataFrame:
    """The labelled dots with a free place for each label, the focus first: `x`, `y` (in the axes' units) and `align`.

    A label stands to the right of its dot, or to the left in the right half, so that none runs off the chart; one for which
    no place near its dot is free is left out, since the alt text and the CSV have every name.
    """
    across, down = _WIDTH / math.log(ends[1] / ends[0]), _HEIGHT / (domain[1] - domain[0])  # px a unit
    middle, made = (ends[0] * ends[1]) ** 0.5, []
    at = [
        (across * math.log(v / ends[0]), down * (domain[1] - r))
        for v, r in drawn.select(field, "ratio_percent").iter_rows()
    ]
    dots, taken = [(x - 5, x + 5, y - 5, y + 5) for x, y in at], []

    def free(box: tuple, others: list) -> bool:
        return not any(box[0] < b[1] and b[0] < box[1] and box[2] < b[3] and b[2] < box[3] for b in others)

    rows = drawn.filter(pl.col("label") != "").sort("focus", "p", descending=[True, False])
    for row in rows.iter_rows(named=True):
        left, below = row[field] > middle, row["ratio"] < 1
        x = across * math.log(row[field] / ends[0]) + (-9 if left else 9)
        wide, tries = 6.5 * len(row["label"]), []
        for shift in (7, -7, 17, -17, 27, -27):  # px away from no change first
            y = down * (domain[1] - row["ratio_percent"]) + (shift if below else -shift)
            tries.append((x - wide if left else x, x if left else x + wide, y - 6, y + 6))
        box = next((b for others in (dots + taken, taken) for b in tries if free(b, others)), None)
        if box is not None:
            taken.append(box)
            place = {"x": ends[0] * math.exp(x / across), "y": domain[1] - (box[2] + 6) / down}
            made.append({"label": row["label"], "focus": row["focus"], **place, "align": "right" if left else "left"})
    shape = {"label": pl.String, "focus": pl.Boolean, "x": pl.Float64, "y": pl.Float64, "align": pl.String}
    return pl.DataFrame(made, schema=shape)


def _names(placed: pl.DataFrame, x: alt.Scale, y: alt.Scale) -> list[alt.Chart]:
    """The labels, each over a white edge that keeps it legible on a line."""
    made = []
    for (align, focus), rows in placed.group_by("align", "focus", maintain_order=True):
        for edge in ({"stroke": "white", "strokeWidth": 3}, {}):
            mark = alt.Chart(rows).mark_text(align=align, fontWeight="bold" if focus else "normal", **edge)
            made.append(mark.encode(x=alt.X("x:Q", scale=x), y=alt.Y("y:Q", scale=y), text="label:N"))
    return made


def _with_basis(row: dict) -> str:
    return row["verdict"] + ("" if row["has_history"] else " (noise alone)")


# -- the ranked list ------------------------------------------------------------------------------------------------------


def ranked(book: Book, rows: pl.DataFrame, *, span: str, crosses: list[str]) -> Figure | Absent:
    """MOPAC 7 for all 32 boroughs and London, the largest fall first, with the interval that the verdicts use.

    Parameters
    ----------
    rows : `measures.comparison.ranked_changes`.
    crosses : what the comparison crosses, in words: it stands in the sentence.
    """
    if rows.is_empty():
        return Absent("mopac-7-boroughs", "cannot say: no snapshot of the edition holds both years of MOPAC 7")
    target = rows["target"][0]
    only = rows.filter(pl.col("borough_code") != LONDON_CODE)
    met = only.filter(pl.col("verdict").is_in(MET[:2])).height
    row = rows.row(by_predicate=pl.col("borough_code") == book.area.code, named=True)
    goal = words.signed(target, digits=0)
    clear, lost = (only.filter(verdict=v).height for v in (MET[0], MET[3]))
    title = (
        f"{words.capital(words.or_none(met))} of {only.height} boroughs met London's {goal}, {words.or_none(clear)} clearly; "
        f"{words.or_none(lost)} missed it clearly"
    )
    place = only["borough_code"].to_list().index(book.area.code) + 1 if not book.area.is_london else None
    ranked_as = f", place {place} of {only.height} by fall" if place else ""
    counted = {verdict: only.filter(verdict=verdict).height for verdict in MET}
    tally = ", ".join(f"{verdict} {words.or_none(n)}" for verdict, n in counted.items())
    said = (
        f"In {book.area.name}, recorded MOPAC 7 offences moved by {words.signed(row['change_percent'])} ({span}; interval "
        f"{words.span(row['wider_low'], row['wider_high'])}){ranked_as}: against London's target of {goal}, tracked here, "
        f"{_with_basis(row)}. Of the {only.height} boroughs: {tally}. Where intervals overlap, the order says little."
    )
    note = f" The comparison crosses: {'; '.join(dict.fromkeys(crosses))}." if crosses else ""
    shade = pl.when(pl.col("borough_code") == book.area.code).then(pl.lit("focus"))
    said_of = pl.Series("said", [_with_basis(r) for r in rows.iter_rows(named=True)])
    drawn = rows.with_columns(shade.otherwise(pl.lit("other")).alias("shade"), said_of)
    order = drawn["borough"].to_list()
    y = alt.Y("borough:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    sign = "(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + abs(datum.value) + '%'"
    ends = [float(rows["wider_low"].min()) - 3, max(float(rows["wider_high"].max()), 0.0) + 3]
    scale = alt.Scale(domain=ends, nice=False)
    axis = alt.Axis(labelExpr=sign, title="change in recorded MOPAC 7 offences", tickCount=7)
    colour = alt.Color(
        "shade:N", scale=alt.Scale(domain=["focus", "other"], range=[theme.DARK_BLUE, theme.CONTEXT]), legend=None
    )
    base = alt.Chart(drawn)
    rule = alt.Chart(pl.DataFrame({"at": [float(target)], "label": [f"London's target {goal}"]}))
    width = theme.WIDTH - 340
    layers = [
        base.mark_rule(strokeWidth=3).encode(
            x=alt.X("wider_low:Q", scale=scale, axis=axis), x2="wider_high:Q", y=y, color=colour
        ),
        alt.Chart(pl.DataFrame({"none": [0.0]}))
        .mark_rule(color=theme.DARK_GREY)
        .encode(x=alt.X("none:Q", scale=scale)),
        rule.mark_rule(color=theme.DARK_PINK, strokeWidth=2).encode(x=alt.X("at:Q", scale=scale)),
        rule.mark_text(color=theme.DARK_PINK, y=-8).encode(x=alt.X("at:Q", scale=scale), text="label:N"),
        base.mark_point(filled=True, size=60, opacity=1, stroke=theme.DARK_GREY, strokeWidth=0.6).encode(
            x=alt.X("change_percent:Q", scale=scale), y=y, color=colour
        ),
        base.mark_text(align="left", fontSize=11).encode(x=alt.value(width + 10), y=y, text="said:N"),
    ]
    listed = "; ".join(
        f"{r['borough']} {words.signed(r['change_percent'])} {_with_basis(r)}" for r in rows.iter_rows(named=True)
    )
    return charts.assemble(
        book,
        "mopac-7-boroughs",
        alt.layer(*layers).properties(width=width, height=alt.Step(17)),
        rows,
        title=title,
        subtitle=f"Recorded MOPAC 7 offences, 32 boroughs and London, {span}. Lines: usual variation or counting noise, the "
        "wider (95%). How violence, one of the seven, is recorded changed in 2014-15",
        alt_text=f"Ranked interval chart of changes where the boroughs are, from the largest fall: {listed}.",
        sentence=said + note,
        claim=title,
        how="outturn ÷ baseline − 1, row by row, from the CSV",
        moved="",
        source=_source("mps-borough-crime", rows["snapshot"][0]),
    )


# -- tables and notes -----------------------------------------------------------------------------------------------------


def group_table(book: Book, table: pl.DataFrame) -> pl.DataFrame:
    """The focus borough's row in every group's funnel; for London, the rows of all boroughs outside the limits."""
    outside = pl.col("p") < 0.05
    rows = table.filter(outside if book.area.is_london else pl.col("borough_code") == book.area.code)
    return rows.sort("p", "offence_group", nulls_last=True).select(
        *(["borough"] if book.area.is_london else []),
        "offence_group",
        "baseline",
        "outturn",
        pl.col("expected").round(0),
        (100 * (pl.col("ratio") - 1)).round(1).alias("from_expected_percent"),
        (100 * (pl.col("lower_95") - 1)).round(1).alias("lower_95_percent"),
        (100 * (pl.col("upper_95") - 1)).round(1).alias("upper_95_percent"),
        pl.col("p").round(4),
        "verdict",
        pl.when("finding").then(pl.lit("finding")).otherwise(pl.lit("none")).alias("after_correction"),
    )


def ward_table(local: pl.DataFrame, moved: pl.DataFrame, item: str) -> pl.DataFrame:
    """`tables/wards.csv`: each ward's count, rates, interval and rank, and its change where that can be told; small counts
    withheld, in each of the two years too.
    """
    local = withhold.ranked_wards(local)
    columns = ["ward_code", "baseline", "outturn", "change_percent", "change_low", "change_high", "change_verdict"]
    if moved.is_empty():
        types = [pl.String, pl.Int64, pl.Int64, *[pl.Float64] * 3, pl.String]
        moved = pl.DataFrame(schema=dict(zip(columns, types)))
    kept = local.select(pl.lit(item).alias("offence_group"), pl.exclude("easting", "northing"))
    named = {"baseline": "change_baseline", "outturn": "change_outturn"}
    table = kept.join(moved.select(columns), on="ward_code", how="left", maintain_order="left").rename(named)
    percent = ["change_percent", "change_low", "change_high"]
    for count in named.values():
        table = withhold.ward_counts(table, count, derived=percent)
    reason = [withhold.COLUMN] if withhold.COLUMN in table.columns else []
    return table.select(pl.exclude(reason), *reason)


def crossings_sentence(table: pl.DataFrame, item: str) -> str:
    """What the comparison of the two years crosses."""
    crossed = table.filter(offence_group=item)["crosses"][0]
    if not crossed:
        return "The comparison of the two years crosses no declared break."
    return (
        f"The comparison of the two years crosses: {crossed}. All boroughs cross it together, and London's ratio takes out what "
        "it did to all alike, not what it did to one."
    )


def flagged_sentence(months: pl.DataFrame, period: FinancialYear, limit: float) -> str:
    """The months of the two years in which so many offences have no borough that a comparison of boroughs is flagged."""
    newest = months.unique("month", keep="last", maintain_order=True)
    span = [*(period - 1).months, *period.months]
    flagged = newest.filter(pl.col("month").is_in(span) & (pl.col("unknown_share") > limit)).sort("month")
    if flagged.is_empty():
        return f"In no month of the two years did more than {100 * limit:.0f}% of offences have no borough."
    named = ", ".join(f"{r['month']:%B %Y} ({100 * r['unknown_share']:.2f}%)" for r in flagged.iter_rows(named=True))
    return f"Flagged: more than {100 * limit:.0f}% of London's offences have no borough in {named}; they are in no borough's count."
