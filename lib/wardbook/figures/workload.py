"""Subscriber load in charts and sentences: every number is modelled, drawn hollow or dashed, and says what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt
import polars as pl

from wardbook.figures import charts, theme, words
from wardbook.figures.export import Figure
from wardbook.measures.growth import Growth, GrowthPriors
from wardbook.measures.queueing import GROWS
from wardbook.measures.workload import Assumptions
from wardbook.notebook import Book

UNPUBLISHED = "It rests on assumptions nobody has published, and describes them rather than any ward."
PRIORS_NOT_WORLD = "The indices describe these priors, not the world: a narrow prior that is wrong has a small index."
_BANDS = "Hollow dot: median; box: middle half; dashes: 90% of draws"
_FILE = "data/reference/load_assumptions.csv"
_Q = ("q05", "q25", "q50", "q75", "q95")
# As a chart has room for them; the tables give the labels in full.
SHORT = {
    "subscribers_mature": "subscribers per ward",
    "subscribers_first_year": "subscribers per ward",
    "subscriber_spread": "spread of lists between wards",
    "reply_share": "recipients who write back",
    "usable_share": "share of hours usable to read",
    "unprompted_share": "subscribers who write unprompted",
    "messages_per_week": "bulletins a week",
    "minutes_per_message": "minutes a message",
    "staff_per_ward": "officers of a ward",
    "chase_multiplier": "extra minutes of chasing mail",
    "chase_share": "share of chasing mail",
    "abstraction": "hours taken elsewhere",
    "availability": "hours left after leave",
    "sessions_per_week": "engagement sessions a week",
    "minutes_per_session": "minutes a session",
    "minutes_to_write": "minutes to write a bulletin",
}


def _source(*more: str) -> str:
    levels = "service levels of the Neighbourhood Policing Guarantee (Home Office, 2025) and the Policing Pledge (2008)"
    return "; ".join(
        (
            f"Wardbook's load assumptions ({_FILE}), which name the publication or its absence row by row",
            *(more or (levels,)),
        )
    )


def _publications(points: pl.DataFrame) -> str:
    named = points["publication"].unique(maintain_order=True)
    return f"subscriber counts from {', '.join(named)} (data/reference/subscriber_evidence.csv)"


def _share(x: float) -> str:
    """3.5%, 19%, below 0.1%: a share of draws or of messages."""
    if x in (0, 1):
        return f"{100 * x:.0f}%"
    if x < 0.001:
        return "below 0.1%"
    return f"{100 * x:.{1 if x < 0.0995 or (x > 0.995 and x < 1) else 0}f}%"


def _rounded(x: float | None) -> str:
    """A number to two significant digits, for a quantile of a prior deserves no more; no limit where there is none."""
    if x is None:
        return "no limit"
    return words.count(float(f"{x:.2g}")) if x >= 10 else f"{x:.2g}" if x else "0"


def _filled(x: float | None) -> str:
    """How much of the reading hours is asked for; ∞ is null."""
    return "no hours left to read in" if x is None else _share(x)


def _row(table: pl.DataFrame, **by: object) -> dict:
    return table.row(by_predicate=pl.all_horizontal(pl.col(k) == v for k, v in by.items()), named=True)


def _bands(
    rows: pl.DataFrame, y: alt.Y, x: alt.X, *, lowest: float, highest: float, height: int = 12
) -> list[alt.Chart]:
    """A dashed line for 90%, a hollow box for the middle half, a hollow dot for the median; ∞ is drawn to the edge."""
    drawn = rows.with_columns(
        pl.col("q95").is_null().alias("endless"), *(pl.col(q).fill_null(highest).clip(lowest, highest) for q in _Q)
    )
    base, blue = alt.Chart(drawn), theme.DARK_BLUE
    layers = [
        base.mark_rule(color=blue, strokeDash=[4, 3]).encode(x=x, x2="q95", y=y),
        base.mark_bar(fill="white", stroke=blue, strokeWidth=1.2, height=height, cornerRadius=2).encode(
            x="q25:Q", x2="q75", y=y
        ),
        base.mark_point(fill="white", stroke=blue, size=60, opacity=1).encode(x="q50:Q", y=y),
    ]
    if drawn["endless"].any():
        layers.append(
            alt.Chart(drawn.filter("endless"))
            .mark_point(shape="triangle-right", fill="white", stroke=blue, size=60, opacity=1)
            .encode(x="q95:Q", y=y)
        )
    return layers


def _names(order: Sequence[str], width: int = 250) -> alt.Y:
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=width, labelExpr=_two_lines("datum.label"))
    return alt.Y("label:N", sort=list(order), title=None, axis=axis)


def _two_lines(label: str, width: int = 26) -> str:
    cut = f"indexof({label}, ' ', {width})"
    return (
        f"length({label}) > {width + 8} && {cut} > 0 ? [slice({label}, 0, {cut}), slice({label}, {cut} + 1)] : {label}"
    )


def _rule(at: float, text: str, *, dy: int = -6) -> list[alt.Chart]:
    data = pl.DataFrame({"at": [at], "said": [text]})
    base = alt.Chart(data)
    return [
        base.mark_rule(color=theme.DARK_PINK, strokeWidth=1.5).encode(x="at:Q"),
        base.mark_text(color=theme.DARK_PINK, align="center", baseline="bottom", dy=dy).encode(
            x="at:Q", y=alt.value(0), text="said:N"
        ),
    ]


# -- the first screen ---------------------------------------------------------------------------------------------------


def _moves_most(alone: float, ends: pl.DataFrame) -> str:
    """Whether the reading of outbound work moves the odds of overload more than any prior at the worse end of its 90%."""
    worst = ends.row(0, named=True)
    at = f"{SHORT.get(worst['input'], worst['label'])}, at the worse end of its 90%, {_share(worst['overloaded'])}"
    if alone > worst["overloaded"]:
        return (
            f"How outbound work is counted moves the odds of overload more than any prior does alone (the most: {at})."
        )
    return f"How outbound work is counted moves the odds of overload less than one prior does alone ({at})."


def answer(table: pl.DataFrame, assumptions: Assumptions, points: pl.DataFrame, ends: pl.DataFrame) -> str:
    """What the model says, in the order a reader needs it: how many, on whose reading, on what it rests.

    Parameters
    ----------
    table : `workload.compare_readings`.
    points, ends : `workload.break_even_points`, `workload.prior_ends`.
    """
    one, two = (
        {q: _row(table, reading=r, quantity=q) for q in ("saturation", "saturation_per_officer", "utilisation")}
        for r in ("shared", "from reading")
    )
    largest = points.sort("subscribers").row(-1, named=True)
    uncertain = [a for a in assumptions.inputs if not a.is_fixed]
    unknown = [a for a in uncertain if a.flag == "assumption"]
    none = two["utilisation"]["no_hours"]
    wider = _row(table, reading="wider minutes", quantity="saturation")
    return "\n".join(
        (
            "Modelled, not measured: a ward's officers could serve about "
            f"{_rounded(one['saturation']['q50'])} subscribers before mail fills their hours for reading and answering "
            "(90% of draws: "
            f"{_rounded(one['saturation']['q05'])} to {_rounded(one['saturation']['q95'])}), about "
            f"{_rounded(one['saturation_per_officer']['q50'])} an officer. The largest published list, "
            f"{words.possessive(largest['place'])}, "
            f"would be {words.count(largest['subscribers'])} a ward.",
            f"{_moves_most(two['utilisation']['overloaded'], ends)} If writing bulletins and holding sessions shortens all "
            f"present hours alike, mail overloads a ward in {_share(one['utilisation']['overloaded'])} of draws. If "
            "it is paid for out of "
            f"the reading hours alone, the campaigner's argument, in {_share(two['utilisation']['overloaded'])}: then "
            "the hours are filled "
            f"at about {_rounded(two['saturation']['q50'])} subscribers (90%: {_rounded(two['saturation']['q05'])} to "
            f"{_rounded(two['saturation']['q95'])}), and in {_share(none)} of draws outbound work alone leaves no hour "
            "to read in.",
            f"{UNPUBLISHED} Of the {len(uncertain)} inputs that are uncertain, {len(unknown)} have no published "
            "source, among them how "
            "often subscribers write, how long a message takes and how many hours officers may read.",
            "The prior for minutes a message was tuned so that the model reproduces the range found when the method "
            "was tried out: the "
            "evidence's six minutes (1.5 to 24) is read as the spread of single messages about an average of "
            f"{assumptions['minutes_per_message'].parameters[0]:g}. Read as the spread of that average instead, the "
            "hours are filled at "
            f"about {_rounded(wider['q50'])} subscribers (90%: {_rounded(wider['q05'])} to {_rounded(wider['q95'])}).",
        )
    )


def readings_title(alike: float, alone: float) -> str:
    """How often mail overloads a ward under both readings of outbound work, at most fifteen words."""
    if alike == alone == 0:
        return "Mail overloads a ward in no draw, whichever hours outbound work takes"
    if alike >= 0.5:
        return f"Mail overloads a ward in most draws: {_share(alike)}, or {_share(alone)} on the other reading"
    return f"Mail overloads a ward in {_share(alike)} of draws; {_share(alone)} if bulletins use reading hours"


def readings(book: Book, table: pl.DataFrame) -> Figure:
    """Utilisation under each way to read what the evidence leaves open; `table` from `workload.compare_readings`."""
    rows = table.filter(quantity="utilisation")
    alike, alone, wider = (_row(rows, reading=r) for r in ("shared", "from reading", "wider minutes"))
    title = readings_title(alike["overloaded"], alone["overloaded"])
    low, high = 0.003, 10.0
    plotted = rows.with_columns(
        pl.Series("said", [f"overloaded in {_share(r['overloaded'])}" for r in rows.iter_rows(named=True)]),
    )
    y = _names(plotted["label"], 230)
    scale = alt.Scale(type="log", domain=[low, high])
    axis = alt.Axis(values=[0.01, 0.1, 1, 10], labelExpr="format(100 * datum.value, ',~g') + '%'", grid=True)
    x = alt.X("q05:Q", scale=scale, axis=axis, title="reading hours asked, of those there are (log scale)")
    width = theme.WIDTH - 370
    said = alt.Chart(plotted).mark_text(align="left", fontSize=12).encode(x=alt.value(width + 8), y=y, text="said:N")
    layers = [*_rule(1.0, "all reading hours filled"), *_bands(plotted, y, x, lowest=low, highest=high)]
    shown = "; ".join(
        f"{r['label']}: median {_filled(r['q50'])}, 90% of draws {_filled(r['q05'])} to {_filled(r['q95'])}, overloaded in "
        f"{_share(r['overloaded'])}"
        for r in rows.iter_rows(named=True)
    )
    return charts.assemble(
        book,
        "load-readings",
        alt.layer(*layers, said).properties(width=width, height=alt.Step(46)),
        rows.drop("quantity"),
        title=title,
        subtitle="Reading hours asked by mail over those there are, one ward, open sign-up of three years or more, modelled. "
        f"{_BANDS}, arrow: no hours left",
        alt_text=f"Interval chart of modelled utilisation of reading hours where {shown}.",
        sentence=f"Modelled: mail asks more than all reading hours in {_share(alike['overloaded'])} of draws if "
        "outbound work shortens "
        f"all present hours alike, in {_share(alone['overloaded'])} if it is paid out of the reading hours alone, and in "
        f"{_share(wider['overloaded'])} on the other reading of minutes a message. {UNPUBLISHED}",
        claim=title,
        how="inbound hours ÷ reading hours, draw by draw (`workload.compare_readings`)",
        moved="",
        source=_source("published or derived where a row says so"),
    )


# -- break-even ---------------------------------------------------------------------------------------------------------


def _enough(contours: pl.DataFrame, points: pl.DataFrame) -> int | None:
    """The least officers whose median hours hold the heaviest published list at the priors' medians; None if not "
    "even the most."""
    need = (points["messages"] * points["minutes"]).max() / 60
    return contours.filter(pl.col("reading_hours") >= need)["officers"].min()


def break_even_title(alike: int | None, alone: int | None, most: int) -> str:
    """How many officers' hours hold every published list under both readings of outbound work, at most fifteen words."""

    def whose(n: int) -> str:
        return f"{words.number(n)} {'officer' if n == 1 else 'officers'}'{'s' if n == 1 else ''}"

    if alike is None:
        return f"The largest published list overfills {whose(most)} hours at prior medians"
    if alone == alike:
        return f"Published lists fit {whose(alike)} hours at prior medians, even if bulletins use them"
    other = f"{words.number(alone)} officers" if alone else f"overfill {words.number(most)}"
    return f"Published lists fit {whose(alike)} hours at prior medians; {other} if bulletins use them"


def _hours_of(contours: pl.DataFrame, officers: int) -> str:
    hours = contours.filter(officers=officers)["reading_hours"][0]
    return f"{hours:.1f} hours a week"


def break_even(book: Book, contours: pl.DataFrame, points: pl.DataFrame, alone: pl.DataFrame) -> Figure:
    """Messages a ward and week by minutes a message: where officers' hours are filled, and where published lists would lie.

    Parameters
    ----------
    contours, alone : `workload.break_even_contours`, as drawn and with outbound work paid out of the reading hours alone.
    points : `workload.break_even_points`.
    """
    title = break_even_title(_enough(contours, points), _enough(alone, points), contours["officers"].max())
    x_domain, y_domain = [0.05, 1000.0], [1.0, 240.0]
    x_scale, y_scale = alt.Scale(type="log", domain=x_domain), alt.Scale(type="log", domain=y_domain)
    grid = [0.1, 1, 10, 100, 1000]
    x_axis = alt.Axis(values=grid, format=",~g", grid=True)
    inside = contours.filter(pl.col("minutes").is_between(*y_domain), pl.col("messages_per_week").is_between(*x_domain))
    width = theme.WIDTH - 230
    x = alt.X("messages_per_week:Q", scale=x_scale, title=None, axis=alt.Axis(values=grid, labels=False, ticks=False))
    y = alt.Y(
        "minutes:Q",
        scale=y_scale,
        title="officer minutes a message (log scale)",
        axis=alt.Axis(values=[1, 3, 10, 30, 100]),
    )
    lines = (
        alt.Chart(inside)
        .mark_line(color=theme.DARK_BLUE, strokeDash=[6, 4], strokeWidth=1.6)
        .encode(x=x, y=y, detail="officers:N")
    )
    numbers = sorted(inside["officers"].unique())
    middle = numbers[len(numbers) // 2]
    hours = dict(contours.select("officers", "reading_hours").unique().iter_rows())
    band = contours.filter(officers=middle).with_columns(
        pl.col("minutes_low", "minutes_high").clip(*y_domain),
    )
    shade = alt.Chart(band.filter(pl.col("messages_per_week").is_between(*x_domain))).mark_area(
        color=theme.FAINT, opacity=0.6, clip=True
    )
    shade = shade.encode(x=x, y=alt.Y("minutes_low:Q", scale=y_scale), y2="minutes_high:Q")
    # Under the foot of each line, where it leaves the chart.
    feet = pl.DataFrame({"officers": numbers, "messages_per_week": [60 * hours[n] / y_domain[0] for n in numbers]})
    ends = feet.with_columns(pl.lit(y_domain[0]).alias("minutes"), pl.col("officers").cast(pl.String).alias("said"))
    ends = ends.with_columns(
        pl.when(pl.col("officers") == numbers[0])
        .then(pl.format("{} officer{}", "said", pl.lit("" if numbers[0] == 1 else "s")))
        .when(pl.col("officers") == numbers[-1])
        .then(pl.format("{} officers", "said"))
        .otherwise("said")
        .alias("said")
    )
    sides = ((ends.head(1), "right", 4), (ends[1:-1], "center", 0), (ends.tail(1), "left", -3))
    text = [
        alt.Chart(rows)
        .mark_text(align=align, dx=dx, dy=12, color=theme.DARK_BLUE, fontWeight="bold")
        .encode(x=x, y=y, text="said:N")
        for rows, align, dx in sides
    ]
    above = pl.DataFrame({"messages_per_week": [x_domain[1]], "minutes": [150.0], "said": ["more than they can read"]})
    text.append(
        alt.Chart(above)
        .mark_text(align="right", dx=-6, color=theme.DARK_PINK, fontSize=12)
        .encode(x=x, y=y, text="said:N")
    )
    listed = points.sort("subscribers").with_columns(
        pl.format(
            "{} ({}): {}", "place", pl.col("date").str.slice(0, 4), pl.col("subscribers").round(0).cast(pl.Int64)
        ).alias("label"),
        pl.col("messages").alias("messages_per_week"),
    )
    spread = alt.Chart(listed)
    dots = [
        spread.mark_rule(color=theme.DARK_BLUE, strokeDash=[2, 2]).encode(
            x=x, y=alt.Y("minutes_low:Q", scale=y_scale), y2="minutes_high:Q"
        ),
        spread.mark_point(fill="white", stroke=theme.DARK_BLUE, size=55, opacity=1).encode(x=x, y=y),
    ]
    top = alt.layer(shade, lines, *dots, *text).properties(width=width, height=260)
    names = alt.Y("label:N", sort=listed["label"].to_list(), title="published list: subscribers a ward", axis=alt.Axis(
        ticks=False, domain=False, orient="left", labelLimit=200))  # fmt: skip
    foot = alt.X("messages_low:Q", scale=x_scale, title="messages a ward and week (log scale)", axis=x_axis)
    rows = alt.layer(
        spread.mark_rule(color=theme.DARK_BLUE, strokeDash=[4, 3]).encode(x=foot, x2="messages_high:Q", y=names),
        spread.mark_point(fill="white", stroke=theme.DARK_BLUE, size=55, opacity=1).encode(
            x=alt.X("messages_per_week:Q", scale=x_scale), y=names
        ),
    ).properties(width=width, height=alt.Step(19))
    plotted = pl.concat(
        [
            inside.select(
                pl.lit("contour").alias("kind"),
                "officers",
                "messages_per_week",
                "minutes",
                "minutes_low",
                "minutes_high",
            ),
            listed.select(
                pl.lit("published list").alias("kind"),
                *("place", "date", "subscribers", "messages_per_week", "messages_low", "messages_high"),
                *("minutes", "minutes_low", "minutes_high", "overloaded", "per_ward_how", "publication", "quality"),
            ),
        ],
        how="diagonal",
    )
    shown = "; ".join(
        f"{r['place']} {r['date'][:4]} with {words.count(r['subscribers'])} subscribers a ward lies at "
        f"{r['messages']:.2g} messages "
        f"({r['messages_low']:.2g} to {r['messages_high']:.2g})"
        for r in listed.iter_rows(named=True)
    )
    minutes = points.row(0, named=True)
    heaviest = points.sort("overloaded").row(-1, named=True)
    return charts.assemble(
        book,
        "load-break-even",
        alt.vconcat(top, rows, spacing=20).resolve_scale(x="shared"),
        plotted,
        title=title,
        subtitle="Messages a ward and week by minutes each, modelled. Dashed: reading hours of 1 to 4 officers just filled "
        f"(grey: 90% for {middle}). Hollow: published lists, with the priors' medians and 90% bars",
        alt_text="Log-log line chart of modelled break-even between messages and minutes where "
        f"{words.number(len(numbers))} falling lines, one for each "
        f"number of officers, lie above the published lists at {minutes['minutes']:.0f} minutes: {shown}.",
        sentence=f"Modelled: at the priors' medians a message takes {minutes['minutes']:.0f} minutes ({minutes['minutes_low']:.0f} to "
        f"{minutes['minutes_high']:.0f}); the count that weighs most, {heaviest['place']}'s "
        f"{words.count(heaviest['subscribers'])} "
        f"subscribers a ward, would send {heaviest['messages']:.1f} messages a week ({heaviest['messages_low']:.1f} to "
        f"{heaviest['messages_high']:.1f}) and overload a ward in {_share(heaviest['overloaded'])} of draws. At the "
        "median three officers have "
        f"{_hours_of(contours, 3)} to read in if outbound work shortens all present hours alike, "
        f"{_hours_of(alone, 3)} if it is paid out of "
        "the reading hours alone, and every line moves with that. The counts are published or "
        "derived from one; how much their subscribers write is the prior's, which nobody has.",
        claim=title,
        how="60 × reading hours ÷ messages a week gives the minutes of a line; the CSV has both",
        moved="",
        source=_source(_publications(points)),
    )


# -- scenarios ----------------------------------------------------------------------------------------------------------


def _labels(assumptions: Assumptions) -> dict[str, str]:
    return {s.scenario: s.label for s in assumptions.scenarios}


def _deadlines(table: pl.DataFrame) -> list[str]:
    """72h, 24h: the deadlines a table holds, in its order."""
    found = table.filter(pl.col("quantity").str.starts_with("share_"))["quantity"].unique(maintain_order=True)
    return [name.removeprefix("share_") for name in found]


def _hours(deadline: str) -> str:
    return f"{deadline.removesuffix('h')} hours"


def scenarios_title(share: float, ceiling: float, within: str) -> str:
    """The median share answered in time beside what it would be without load, at most fifteen words."""
    if share < 0.5:
        return f"Fewer than half answered within {within}: median {_share(share)}, without load {_share(ceiling)}"
    return f"Median answered within {within}: {_share(share)} on an open list, {_share(ceiling)} without load"


def scenarios(book: Book, table: pl.DataFrame, assumptions: Assumptions, *, working: bool) -> Figure:
    """Share answered in time under each scenario beside the zero-load ceiling; `table` from `simulate` of one ward."""
    labels, deadlines = _labels(assumptions), _deadlines(table)
    parts = []
    for deadline in deadlines:
        ceiling = table.filter(quantity=f"ceiling_{deadline}").select("scenario", pl.col("q50").alias("ceiling"))
        rows = table.filter(quantity=f"share_{deadline}").join(ceiling, on="scenario", maintain_order="left")
        parts.append(rows.with_columns(pl.lit(deadline).alias("deadline")))
    plotted = pl.concat(parts).with_columns(pl.col("scenario").replace_strict(labels).alias("label"))
    plotted = plotted.select("deadline", "scenario", "label", *_Q, "mean", "ceiling")
    first = plotted.row(0, named=True)
    counted = "working" if working else "elapsed"
    title = scenarios_title(
        first["q50"], first["ceiling"], _hours(deadlines[0]).replace(" ", " working " if working else " ")
    )
    panels = []
    for number, deadline in enumerate(deadlines):
        rows = plotted.filter(deadline=deadline)
        y = _names(rows["label"], 170)
        if number:
            y = alt.Y("label:N", sort=rows["label"].to_list(), title=None, axis=None)
        x = alt.X(
            "q05:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], labelOverlap="greedy"),
            title=f"answered within {deadline.removesuffix('h')} {counted} hours",
        )
        tick = (
            alt.Chart(rows).mark_tick(color=theme.DARK_PINK, thickness=2, size=28, opacity=1).encode(x="ceiling:Q", y=y)
        )
        panels.append(
            alt.layer(tick, *_bands(rows, y, x, lowest=0, highest=1)).properties(width=200, height=alt.Step(36))
        )
    shown = "; ".join(
        f"{r['label']} within {_hours(r['deadline'])} {_share(r['q50'])} ({_share(r['q05'])} to {_share(r['q95'])}), ceiling "
        f"{_share(r['ceiling'])}"
        for r in plotted.iter_rows(named=True)
    )
    lines = [
        f"within {_hours(d)} a median of {_share(r['q50'])} (90% of draws {_share(r['q05'])} to {_share(r['q95'])}; without load "
        f"{_share(r['ceiling'])})"
        for d in deadlines
        for r in (_row(plotted, deadline=d, scenario=first["scenario"]),)
    ]
    return charts.assemble(
        book,
        "load-scenarios",
        alt.hconcat(*panels, spacing=24),
        plotted,
        title=title,
        subtitle=f"Share of messages answered in time by kind of list, {_ward_of(book)}, modelled. {_BANDS}. "
        "Pink tick: median ceiling without any load",
        alt_text=f"Interval chart of modelled shares of messages answered in time where {shown}.",
        sentence=f"Modelled, on an open list are answered {' and '.join(lines)}: {_lost(first)}. "
        f"{_hours(deadlines[0]).capitalize()} is the Neighbourhood Policing Guarantee's level since July 2025, "
        f"{_hours(deadlines[1])} was that of the Policing Pledge of December 2008; hours are {counted} hours.",
        claim=title,
        how="messages answered by their deadline ÷ messages, event simulation on the officers' clock",
        moved="",
        source=_source(),
    )


def _lost(row: Mapping) -> str:
    """Whether the median is further from the ceiling, or the ceiling from all."""
    absence, load = 1 - row["ceiling"], row["ceiling"] - row["q50"]
    more, less = ("absence from the mailbox", "load") if absence >= load else ("load", "absence from the mailbox")
    return f"at the median {more} takes more of them than {less}"


def _ward_of(book: Book) -> str:
    return f"a ward of {words.possessive(book.area.name)} average size"


def load_table(table: pl.DataFrame, assumptions: Assumptions) -> pl.DataFrame:
    """Per scenario what a ward is asked and has, medians with 90% of draws; a row a quantity, a column a scenario."""
    wanted = {
        "subscribers": ("subscribers", 0),
        "messages": ("messages a week", 1),
        "outbound_hours": ("outbound hours asked a week", 1),
        "inbound_hours": ("inbound hours asked a week", 2),
        "present_hours": ("hours present a week", 0),
        "reading_hours": ("reading hours there are a week", 1),
        "utilisation": ("utilisation of reading hours", 2),
        "wait_hours": ("stationary wait, elapsed hours", 1),
    }
    wanted |= {
        name: (name.replace("_", " ").replace("backlog", "backlog after") + ", messages", 1)
        for name in table["quantity"].unique(maintain_order=True)
        if name.startswith("backlog_")
    }
    rows = []
    for quantity, (label, digits) in wanted.items():
        found = {"quantity": label}
        for scenario, name in _labels(assumptions).items():
            found[name] = _cell(_row(table, scenario=scenario, quantity=quantity), digits)
        rows.append(found)
    odds = {"quantity": "draws in which mail overfills the hours"}
    for scenario, name in _labels(assumptions).items():
        odds[name] = _share(_row(table, scenario=scenario, quantity="utilisation")["overloaded"])
    return pl.DataFrame([*rows, odds])


def _cell(row: Mapping, digits: int) -> str:
    """Median and 90%, or that it grows without end."""

    def figure(x: float | None) -> str:
        return GROWS if x is None else f"{x:,.{digits}f}"

    if row["q50"] is None:
        return GROWS
    return f"{figure(row['q50'])} ({figure(row['q05'])} to {figure(row['q95'])})"


def _signed(x: float) -> str:
    """+0.04, −0.36; what rounds to nothing has no sign."""
    text = f"{abs(x):.2f}"
    return text if text == "0.00" else ("+" if x > 0 else words.MINUS) + text


def differences_table(table: pl.DataFrame, assumptions: Assumptions) -> pl.DataFrame:
    """Each list against the open one on the same draws; `table` from `workload.compare_scenarios`."""
    labels = _labels(assumptions)
    rows = []
    wanted = (pl.col("quantity") == "utilisation") | (pl.col("measure") == "difference")
    for r in table.filter(wanted).iter_rows(named=True):
        ratio = r["measure"] == "ratio"
        said = [f"{r[q]:.2f}" if ratio else _signed(r[q]) for q in _Q]
        found = {"list": labels[r["scenario"]], "unit": "times the open list's" if ratio else r["unit"]}
        found |= {"what": r["quantity"].replace("_", " ").replace("share", "answered within"), "median": said[2]}
        same = not ratio and not any(r[q] for q in _Q)
        rows.append(
            found
            | ({"median": "no difference", "90% of draws": ""} if same else {"90% of draws": f"{said[0]} to {said[4]}"})
        )
    return pl.DataFrame(rows)


def flips_table(table: pl.DataFrame, assumptions: Assumptions) -> pl.DataFrame:
    """What it would take for a list to change places with the open one: inputs that can, then those that never do."""
    labels, rows = _labels(assumptions), []
    for (scenario,), found in table.group_by("scenario", maintain_order=True):
        for r in found.filter("flips").iter_rows(named=True):
            value = f"{_rounded(r['q50'])} {r['unit']} ({_rounded(r['q05'])} to {_rounded(r['q95'])})"
            rows.append({"list": labels[scenario], "input": r["label"], "flips at": value, "meaning": r["text"]})
        still = found.filter(~pl.col("flips"))
        rows.append(
            {
                "list": labels[scenario],
                "input": f"{still.height} inputs both lists share",
                "flips at": "never flips",
                "meaning": "they cancel: " + ", ".join(SHORT.get(i, i.replace("_", " ")) for i in still["input"]),
            }
        )
    return pl.DataFrame(rows)


def saturation_table(table: pl.DataFrame, assumptions: Assumptions) -> pl.DataFrame:
    """Subscribers at which the reading hours are filled, by list, for a ward and an officer; "
    "`workload.saturation_subscribers`."""
    named = table.with_columns(pl.col("scenario").replace_strict(_labels(assumptions)).alias("list"))
    alike = named.group_by("per", *_Q, maintain_order=True).agg(pl.col("list").str.join("; "))
    return pl.DataFrame(
        [
            {"list": r["list"], "subscribers filling the hours of": f"one {r['per']}", "median": _rounded(r["q50"])}
            | {"90% of draws": f"{_rounded(r['q05'])} to {_rounded(r['q95'])}"}
            for r in alike.iter_rows(named=True)
        ]
    )


# -- the claim ----------------------------------------------------------------------------------------------------------


def needed_sentence(table: pl.DataFrame, *, reading: str = "") -> str:
    """ "The claim holds only if …", each input alone; `table` from `workload.needed_values`."""
    whole = _row(table, input="load")
    rest = table.filter(pl.col("input") != "load")
    under = f", {reading}," if reading else ""
    if whole["times"] is None:
        return f"Nobody writes{under} so the claim that mail overloads a ward cannot hold."
    if whole["times"] <= 1:
        return (
            f"The claim that mail overloads a ward{under} already has even odds or better under these priors, modelled."
        )
    possible = [
        f"{_label(r)} {r['text'].removeprefix('holds only ')} {_value(r)} ({_value(r, 'now')} at the prior's median)"
        for r in rest.filter(pl.col("needed").is_not_null()).iter_rows(named=True)
    ]
    never = [_label(r) for r in rest.filter(pl.col("needed").is_null()).iter_rows(named=True)]
    no = f" No value in its range of {' or '.join(never)} would do it alone." if never else ""
    return (
        f"The claim that mail overloads a ward has even odds{under} only if the whole load were {whole['times']:.1f} times as "
        f"large, or one input alone were beyond: {'; '.join(possible)}.{no}"
    )


def _label(row: Mapping) -> str:
    return SHORT.get(row["input"], row["label"])


def _value(row: Mapping, name: str = "needed") -> str:
    x = row[name]
    if row["unit"].startswith("share"):
        return f"{100 * x:.2g}%"
    if row["unit"] == "officers":
        return f"{math.floor(x)}"
    return _rounded(x)


def needed_table(table: pl.DataFrame) -> pl.DataFrame:
    """Each input alone at which overload has even odds; nothing where no value in its range does it."""
    rows = []
    for r in table.iter_rows(named=True):
        beyond = "" if r["beyond"] is None else "no draw" if r["beyond"] == 0 else _share(r["beyond"])
        needed = f"{r['text']} {_value(r)}" if r["needed"] is not None else r["text"]
        rows.append({"input": r["label"], "unit": r["unit"], "prior median": _value(r, "now"), "the claim": needed})
        rows[-1]["prior probability of that or worse"] = beyond
    return pl.DataFrame(rows)


# -- wards, London, mailboxes --------------------------------------------------------------------------------------------

LEVELS_DIFFER = (
    "They differ in one declaration: a habit that all wards share makes overload everywhere or nowhere, one that each "
    "ward has for "
    "itself is always somewhere. A ward's own odds are the same in the first two rows."
)


def levels(book: Book, table: pl.DataFrame) -> Figure:
    """Share of London's wards overloaded with unknowns declared each ward's own or London's; from `workload.compare_levels`."""
    own, shared = table.row(0, named=True), table.row(1, named=True)
    if own["none_overloaded"] == shared["none_overloaded"] == 1:
        title = "No ward is overloaded in any draw, however the unknowns are declared"
    else:
        title = (
            f"No ward is overloaded in {_share(shared['none_overloaded'])} of draws if unknowns are shared, "
            f"{_share(own['none_overloaded'])} if not"
        )
    said = [f"none in {_share(r['none_overloaded'])} of draws" for r in table.iter_rows(named=True)]
    plotted = table.with_columns(pl.col("declared").alias("label"), pl.Series("said", said))
    y = _names(plotted["label"], 230)
    high = max(0.1, table["q95"].max() * 1.08)
    x = alt.X(
        "q05:Q",
        scale=alt.Scale(domain=[0, high]),
        axis=alt.Axis(format=".0%", tickCount=5),
        title="share of wards overloaded",
    )
    width = theme.WIDTH - 380
    text = alt.Chart(plotted).mark_text(align="left").encode(x=alt.value(width + 8), y=y, text="said:N")
    shown = "; ".join(
        f"{r['declared']}: median {_share(r['q50'])}, 90% of draws {_share(r['q05'])} to {_share(r['q95'])}, none in "
        f"{_share(r['none_overloaded'])}"
        for r in table.iter_rows(named=True)
    )
    return charts.assemble(
        book,
        "load-levels",
        alt.layer(*_bands(plotted, y, x, lowest=0, highest=high), text).properties(width=width, height=alt.Step(46)),
        table,
        title=title,
        subtitle=f"Share of London's {words.count(own['wards'])} wards whose mail overfills the reading hours, open sign-up, "
        f"modelled. {_BANDS}",
        alt_text=f"Interval chart of the modelled share of wards overloaded where {shown}.",
        sentence=f"With every input each ward's own, {_share(own['q05'])} to {_share(own['q95'])} of London's wards "
        "are overloaded, modelled; "
        f"with habits London's, none is in {_share(shared['none_overloaded'])} of draws and {_share(shared['q95'])} "
        "or more are in one "
        f"draw in twenty. {LEVELS_DIFFER}",
        claim=title,
        how="wards with utilisation of 1 or more ÷ wards, draw by draw",
        moved="",
        source=_source("published or derived where a row says so"),
    )


def mailboxes_title(ward: float, borough: float, within: str) -> str:
    """One mailbox a ward against one for the borough, at most fifteen words."""
    if abs(borough - ward) < 0.01:
        return f"One mailbox or many: answered within {within} about as often, {_share(borough)} at the median"
    return (
        f"One borough mailbox: {_share(borough)} answered within {within} at the median, ward mailboxes {_share(ward)}"
    )


def mailboxes(book: Book, table: pl.DataFrame, *, wards: int) -> Figure:
    """One mailbox a ward against one pooled; `table` from `workload.compare_mailboxes`."""
    deadlines = _deadlines(table)
    plotted = table.filter(pl.col("quantity").str.starts_with("share_")).with_columns(
        pl.format(
            "{}, {} hours", "arrangement", pl.col("quantity").str.strip_prefix("share_").str.strip_suffix("h")
        ).alias("label")
    )
    order = [
        f"{arrangement}, {_hours(d)}"
        for d in deadlines
        for arrangement in plotted["arrangement"].unique(maintain_order=True)
    ]
    one, many = (
        _row(table, arrangement=a, quantity=f"share_{deadlines[0]}")
        for a in ("one for the borough", "a mailbox a ward")
    )
    title = mailboxes_title(many["q50"], one["q50"], _hours(deadlines[0]))
    y = _names(order, 230)
    x = alt.X(
        "q05:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", tickCount=5),
        title="share of the borough's mail answered",
    )
    said = plotted.with_columns(pl.Series("said", [_share(r["q50"]) for r in plotted.iter_rows(named=True)]))
    width = theme.WIDTH - 310
    text = alt.Chart(said).mark_text(align="left").encode(x=alt.value(width + 8), y=y, text="said:N")
    shown = "; ".join(
        f"{r['label']} {_share(r['q50'])} ({_share(r['q05'])} to {_share(r['q95'])})"
        for r in plotted.iter_rows(named=True)
    )
    overloaded = [
        _row(table, arrangement=a, quantity="mailboxes_overloaded")["mean"]
        for a in ("a mailbox a ward", "one for the borough")
    ]
    return charts.assemble(
        book,
        "load-mailboxes",
        alt.layer(*_bands(plotted, y, x, lowest=0, highest=1), text).properties(width=width, height=alt.Step(38)),
        plotted.drop("label"),
        title=title,
        subtitle=f"Share of the mail of {wards} wards answered in time, open sign-up, same mail and officers, modelled. {_BANDS}",
        alt_text=f"Interval chart of modelled shares of mail answered in time where {shown}.",
        sentence=f"Modelled for {wards} wards: on average {_share(overloaded[0])} of ward mailboxes are overloaded, "
        "and one mailbox for "
        f"all of them in {_share(overloaded[1])} of draws. Pooling treats the officers as one fast reader, which "
        "flatters the single "
        "mailbox, and who knows the ward is not in the model.",
        claim=title,
        how="the same messages and officers, event by event, in each arrangement",
        moved="",
        source=_source(),
    )


def pooling_table(table: pl.DataFrame) -> pl.DataFrame:
    """What pooling a ward's officers into one fast reader hides, with the error of the M/G/c formula as measured."""
    kinds = (("pooled", "pooled"), ("officers", "each officer"))
    percent = [(100 * pl.col(f"share_72h_{kind}")).round(0).cast(pl.Int64) for kind, _ in kinds]
    return table.select(
        "officers",
        "utilisation",
        *(pl.col(f"wait_{kind}").round(3).alias(f"wait, {label}") for kind, label in kinds),
        *(pl.col(f"time_{kind}").round(2).alias(f"time to answer, {label}") for kind, label in kinds),
        pl.Series("error of M/G/c's wait", [words.signed(100 * x, digits=0) for x in table["formula_error"]]),
        pl.format("{}% pooled, {}% each", *percent).alias("within 72 hours"),
    )


def pooling_sentence(table: pl.DataFrame) -> str:
    """How far the pooled model flatters, and how wrong M/G/c's formula was, both as simulated here."""
    gap = (table["share_72h_pooled"] - table["share_72h_officers"]).max()
    errors = table["formula_error"]
    return (
        "Pooling hides that one officer reads one message: modelled in units of one officer's minutes a message, mail "
        "waits longer in the "
        f"pooled mailbox but is then read faster, and the share answered within 72 hours is up to {100 * gap:.1f} "
        "points too high. The M/G/c "
        f"formula is an approximation, never used here: its wait was {words.signed(100 * errors.min(), digits=0)} to "
        f"{words.signed(100 * errors.max(), digits=0)} off the simulated one."
    )


def interpolation_sentence(table: pl.DataFrame) -> str:
    """What reading answers off a table of simulations costs, as measured against simulations of their own."""
    first = table["quantity"][0]
    drawn, loaded = (_row(table, points=p, quantity=first) for p in ("as drawn", "loaded"))
    return (
        "Shares are read off a table of event simulations. Measured against simulations of their own, the first "
        "deadline's share is off by "
        f"{100 * drawn['mean_absolute_error']:.1f} points on average at points drawn from the priors (at most "
        f"{100 * drawn['largest_error']:.1f}), "
        f"by {100 * loaded['mean_absolute_error']:.1f} (at most {100 * loaded['largest_error']:.1f}) where load is "
        "heavy; the reference's own "
        f"standard error is {100 * drawn['standard_error']:.1f}."
    )


def named_wards(table: pl.DataFrame, wards: pl.DataFrame) -> pl.DataFrame:
    """`simulate`'s rows with each ward's name and residents beside its code."""
    about = wards.select("ward_code", "ward", "borough_code", "residents")
    named = about.join(table, on="ward_code", how="inner", maintain_order="right_left")
    return named.with_columns(pl.col(pl.Float64).round_sig_figs(6))  # London's wards are 50,000 rows


# -- sensitivity --------------------------------------------------------------------------------------------------------

_OUTCOMES = {"ln utilisation": "ln utilisation", "overloaded": "overload"}


def bounded_indices(table: pl.DataFrame) -> pl.DataFrame:
    """Sobol indices with limits of their intervals kept within 0 to 1, where an index lies: estimates may fall beyond."""
    return table.with_columns(pl.col(r"^(first|total)(_low|_high)?$").clip(0, 1))


def sensitivity_title(table: pl.DataFrame) -> str:
    """How many inputs tie for the largest index on ln utilisation, and how many of them nobody published; at most "
    "fifteen words."""
    top = table.filter(outcome="ln utilisation", rank=1)
    unknown = top.filter(flag="assumption").height
    if top["total"].is_null().all():
        return "Nothing that is uncertain moves modelled utilisation"
    if top.height == 1:
        whose = ", and nobody has published it" if unknown else ""
        return f"One unknown moves modelled utilisation most: {SHORT.get(top['input'][0], top['label'][0])}{whose}"
    return (
        f"{words.capital(words.number(top.height))} unknowns tie for moving modelled utilisation most; "
        f"{words.number(unknown)} {'has' if unknown == 1 else 'have'} no published source"
    )


def sensitivity(book: Book, table: pl.DataFrame, *, most: int = 10) -> Figure:
    """Total Sobol indices with intervals on the three outcomes, tied ranks labelled; `table` from `workload.sensitivity`."""
    bounded = bounded_indices(table)
    order = bounded.filter(outcome="ln utilisation").head(most)["input"].to_list()
    star = pl.when(pl.col("flag") == "assumption").then(pl.lit(" *")).otherwise(pl.lit(""))
    ranks = pl.when(pl.col("tied") > 0).then(pl.format("={}", "rank")).otherwise(pl.col("rank").cast(pl.String))
    plotted = bounded.filter(pl.col("input").is_in(order)).with_columns(
        pl.concat_str(pl.col("input").replace(SHORT), star).alias("label"),
        pl.when(pl.col("total").is_null()).then(pl.lit("")).otherwise(ranks).alias("place"),
    )
    names = [plotted.filter(input=i)["label"][0] for i in order]
    title = sensitivity_title(table)
    panels = []
    for number, outcome in enumerate(table["outcome"].unique(maintain_order=True)):
        rows = plotted.filter(outcome=outcome)
        base = alt.Chart(rows)
        axis = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=230) if not number else None
        y = alt.Y("label:N", sort=names, title=None, axis=axis)
        x = alt.X(
            "total_low:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(values=[0, 0.5, 1], format="~g"),
            title=_outcome(outcome),
        )
        layers = [
            base.mark_rule(color=theme.DARK_BLUE, strokeDash=[4, 3]).encode(x=x, x2="total_high:Q", y=y),
            base.mark_point(fill="white", stroke=theme.DARK_BLUE, size=32, opacity=1).encode(x="total:Q", y=y),
            base.mark_text(align="left", fontSize=11, dx=4).encode(x=alt.value(105), y=y, text="place:N"),
        ]
        panels.append(alt.layer(*layers).properties(width=100, height=alt.Step(22)))
    said = [
        f"{SHORT.get(r['input'], r['label'])} {r['total']:.2f} ({r['total_low']:.2f} to {r['total_high']:.2f})"
        for r in plotted.filter(outcome="ln utilisation").iter_rows(named=True)
        if r["total"] is not None
    ]
    top = table.filter(outcome="ln utilisation", rank=1)
    tied = ", ".join(SHORT.get(i, i) for i in top["input"])
    over = table.filter(outcome="overloaded", rank=1).height
    return charts.assemble(
        book,
        "load-sensitivity",
        alt.hconcat(*panels, spacing=34),
        plotted.select("outcome", "input", "flag", "total", "total_low", "total_high", "rank", "tied"),
        title=title,
        subtitle="Total Sobol index of each input on three outcomes, open sign-up, modelled. Dashes: 95% bootstrap "
        "intervals; = marks a "
        "rank tied with another; * no published source",
        alt_text=f"Dot and interval chart of modelled total Sobol indices where those of ln utilisation are {'; '.join(said)}.",
        sentence=f"For modelled ln utilisation these share the first rank: {tied}. For overload {words.number(over)} inputs "
        "do: with so rare an outcome the intervals "
        f"hardly separate them. {PRIORS_NOT_WORLD}",
        claim=title,
        how="Sobol indices by SALib (Saltelli's sample, Jansen's total effect); ranks whose intervals overlap are tied",
        moved="",
        source=_source("published or derived where a row says so"),
    )


def _outcome(name: str) -> str:
    return _OUTCOMES.get(name, f"answered in {name.removeprefix('share_').removesuffix('h')} hours")


# -- over time ----------------------------------------------------------------------------------------------------------


def growth_title(band: Mapping) -> str:
    """What the held-out figure can and cannot say of the curve, at most fifteen words."""
    wide = _share(band["width"])
    if not band["covers"]:
        return f"The illustrative curve's band for June 2023 misses the published figure, spanning {wide}"
    return f"Three points cannot test this curve: June 2023's band is {wide} of the figure"


def growth(
    book: Book, found: Growth, observed: Sequence[tuple[float, float]], priors: GrowthPriors | None = None
) -> Figure:
    """Hertfordshire's published counts with an illustrative Bass curve, the last of them held out; `fit_growth` and "
    "its points."""
    band, last, line = (_row(found.forecasts, forecast=f) for f in ("Bass, posterior", "last value", "straight line"))
    title = growth_title(band)
    curve = found.curve.filter(pl.col("date") <= band["date"])
    x = alt.X(
        "date:Q",
        scale=alt.Scale(domain=[curve["date"].min(), band["date"] + 4.5], nice=False),
        title=None,
        axis=alt.Axis(format="d", values=list(range(2006, 2025, 2)), grid=False),
    )
    y = alt.Y(
        "posterior_q50:Q",
        scale=alt.Scale(domain=[0, 250_000], zero=True),
        title="members, then households",
        axis=alt.Axis(format=",d", tickCount=6),
    )
    base = alt.Chart(curve)
    points = pl.DataFrame(
        {
            "date": [d for d, _ in observed],
            "members": [m for _, m in observed],
            "kind": ["used"] * (len(observed) - 1) + ["held out"],
        }
    )
    naive = pl.DataFrame(
        {
            "date": [band["date"]] * 2,
            "members": [last["predicted"], line["predicted"]],
            "said": ["← last value", "← straight line"],
        }
    )
    ends = pl.DataFrame({"date": [band["date"]], "low": [band["low"]], "high": [band["high"]]})
    dark = {"color": theme.DARK_GREY}
    at = alt.Y("members:Q")
    used, held = points.filter(kind="used"), points.filter(kind="held out")
    blue, pink, bar = theme.DARK_BLUE, theme.DARK_PINK, alt.Chart(ends)

    def text(rows: pl.DataFrame, said: str | alt.Value, **mark: object) -> alt.Chart:
        return alt.Chart(rows).mark_text(**mark).encode(x=x, y=at, text=said)

    layers = [
        base.mark_area(color=theme.FAINT, opacity=0.7).encode(x=x, y="posterior_q05:Q", y2="posterior_q95:Q"),
        base.mark_line(color=blue, strokeDash=[6, 4]).encode(x=x, y=y),
        bar.mark_rule(color=blue, strokeDash=[4, 3], strokeWidth=2).encode(x=x, y="low:Q", y2="high:Q"),
        alt.Chart(used).mark_point(filled=True, size=70, opacity=1, **dark).encode(x=x, y=at),
        alt.Chart(held).mark_point(filled=True, shape="diamond", size=110, opacity=1, **dark).encode(x=x, y=at),
        text(naive, "said:N", align="left", dx=8, color=pink),
        text(held, alt.value("June 2023, held out"), align="right", dx=-10, dy=-12, **dark),
        text(used.head(1), alt.value("published, used"), align="left", dx=10, dy=6, **dark),
    ]
    quantiles = [pl.col(f"posterior_q{q}").alias(f"q{q}") for q in ("05", "50", "95")]
    forecast = pl.concat_str(pl.lit("forecast: "), "forecast").alias("series")
    data = pl.concat(
        [
            curve.select(pl.lit("modelled curve").alias("series"), "date", *quantiles),
            points.select(
                pl.concat_str(pl.lit("published, "), "kind").alias("series"), "date", pl.col("members").alias("q50")
            ),
            found.forecasts.select(forecast, "date", q05="low", q50="predicted", q95="high"),
        ],
        how="diagonal",
    )
    span = f"{words.count(band['low'])} to {words.count(band['high'])}"
    return charts.assemble(
        book,
        "load-growth",
        alt.layer(*layers).properties(width=theme.WIDTH - 110, height=250),
        data,
        title=title,
        subtitle="Hertfordshire OWL: published members (2012) and households (later), solid; illustrative Bass curve, "
        "modelled, dashed, with "
        "90% (grey); arrows: naive forecasts; the dashed bar adds the counts' error",
        alt_text="Line chart of published counts and an illustrative modelled curve where the 90% band for June 2023 "
        f"runs from {span}, "
        f"the published figure is {words.count(band['observed'])}, the last value {words.count(last['predicted'])} "
        "and a straight line "
        f"{words.count(line['predicted'])}.",
        sentence=f"Held out, June 2023's published {words.count(band['observed'])} households lie "
        f"{'within' if band['covers'] else 'outside'} the "
        f"modelled 90% band {span}, which is {_share(band['width'])} of the figure wide; a straight line gives "
        f"{words.count(line['predicted'])} ({words.signed(100 * line['error'])}), the last value "
        f"{words.count(last['predicted'])} "
        f"({words.signed(100 * last['error'])}). {found.sentence} That a median lies near says nothing for it. "
        f"{_assumed(priors or GrowthPriors())}",
        claim=title,
        how="(high − low) ÷ published figure, from the CSV",
        moved="",
        source=_source(
            "Hertfordshire's counts from St Albans Review, hertscommissioner.org, livingmags.info and herts.police.uk"
        ),
    )


def _assumed(priors: GrowthPriors) -> str:
    first, last = priors.launch
    return (
        f"Assumed: a launch between {first:.1f} and {last:.1f}, and an error of {100 * priors.error:.0f}% (one standard deviation) in each "
        "published count."
    )


def growth_table(found: Growth) -> pl.DataFrame:
    """Prior beside posterior of every parameter of the curve: median and 90%."""

    def cell(r: Mapping, kind: str) -> str:
        form = (
            (lambda x: f"{x:.1f}")
            if r["unit"] in ("year", "years")
            else (lambda x: _rounded(x) if x >= 10 else f"{x:.2g}")
        )
        return f"{form(r[f'{kind}_q50'])} ({form(r[f'{kind}_q05'])} to {form(r[f'{kind}_q95'])})"

    return pl.DataFrame(
        [
            {
                "parameter": r["parameter"].replace("_", " "),
                "unit": r["unit"],
                "prior": cell(r, "prior"),
                "posterior": cell(r, "posterior"),
            }
            for r in found.parameters.iter_rows(named=True)
        ]
    )


def ealing_title(placed: pl.DataFrame) -> str:
    """Ealing's count against the curve's band at both dates, at most fifteen words."""
    days = [f"day {d}" for d in placed.filter("covers")["days"]]
    out = [f"day {d}" for d in placed.filter(~pl.col("covers"))["days"]]
    count = words.count(placed["observed"][0])
    if not days:
        return f"Ealing's {count} sign-ups lie outside the illustrative band on either date"
    if not out:
        return f"Ealing's {count} sign-ups lie within the illustrative band on either date"
    return f"Ealing's {count} sign-ups lie within the illustrative band on {days[0]}, not {out[0]}"


def ealing(book: Book, placed: pl.DataFrame) -> Figure:
    """Ealing's published count at both dates it may have been taken, beside what the priors expect; from "
    "`workload.place_ealing`."""
    title, count = ealing_title(placed), placed["observed"][0]
    plotted = placed.with_columns(
        pl.format("day {} ({})", "days", pl.col("date").dt.strftime("%-d %B %Y")).alias("label")
    )
    y = _names(plotted["label"], 200)
    base, blue = alt.Chart(plotted), theme.DARK_BLUE
    scale = alt.Scale(type="log", domain=[10, 5000])
    x = alt.X(
        "q05:Q",
        scale=scale,
        title="people signed up (log scale)",
        axis=alt.Axis(values=[10, 100, 1000, 5000], format=",d"),
    )
    layers = [
        *_rule(count, f"published: {words.count(count)}"),
        base.mark_rule(color=blue, strokeDash=[4, 3], strokeWidth=2).encode(x=x, x2="q95:Q", y=y),
        base.mark_point(fill="white", stroke=blue, size=70, opacity=1).encode(x="q50:Q", y=y),
    ]
    shown = "; ".join(
        f"on {r['label']} the priors expect {_rounded(r['q50'])} ({_rounded(r['q05'])} to {_rounded(r['q95'])})"
        for r in plotted.iter_rows(named=True)
    )
    return charts.assemble(
        book,
        "load-ealing",
        alt.layer(*layers).properties(width=theme.WIDTH - 260, height=alt.Step(44)),
        plotted.drop("label"),
        title=title,
        subtitle="Met Engage sign-ups in Ealing since the launch of 23 June 2025: published figure, and what the "
        "priors of an illustrative "
        "curve expect, modelled. Hollow dot: median; dashes: 90%",
        alt_text=f"Interval chart of modelled sign-ups where the published figure is {words.count(count)} and {shown}.",
        sentence=f"The date of Ealing's published {words.count(count)} is not known: {shown}, modelled. It tests "
        "neither the priors nor the curve.",
        claim=title,
        how="the published figure against q05 and q95 of the CSV",
        moved="",
        source=_source("The View from W5; board meetings of 8 July and 14 October 2025"),
    )


def fizzle_sentence(table: pl.DataFrame) -> str:
    """What "fizzles out" would take, with rejoining on and off; `table` from `workload.fizzle_thresholds`."""
    parts = []
    for r in table.iter_rows(named=True):
        sent = f"{r['messages_per_week']:g} bulletins a week" if r["messages_per_week"] else "no bulletin ever"
        parts.append(f"with {sent} and rejoining {'on' if r['rejoining'] else 'off'} it {r['text']}")
    return (
        "Hypothesis, modelled: a list fizzles out when it falls below half its peak. "
        f"{words.capital('; '.join(parts))}. No churn from "
        "unanswered mail or from silence has been published, so both stand at 0 unless set. At constant rates a list "
        "that takes leavers "
        "back settles and stays; that follows from the curve, and a change half-way is not modelled."
    )


def fizzles_title(paths: pl.DataFrame) -> str:
    """Whether the list falls below half its peak with rejoining on and off, at most fifteen words."""
    on, off = (bool(paths.filter(rejoining=r)["fizzled"].any()) for r in ("on", "off"))
    if on and off:
        return "The modelled list fizzles out, whether or not leavers rejoin"
    if off:
        return "The modelled list fizzles out only where those who left never rejoin"
    return "The modelled list does not fizzle out, whether or not leavers rejoin"


def fizzles(book: Book, paths: pl.DataFrame, table: pl.DataFrame, *, unanswered: float, silence: float) -> Figure:
    """A list over the years with rejoining on and off.

    Parameters
    ----------
    paths : `workload.subscriber_path` twice, with a column `rejoining` ("on", "off").
    table : `workload.fizzle_thresholds`.
    unanswered, silence : the churn assumed, 0 where none is.
    """
    title = fizzles_title(paths)
    plotted = paths.with_columns((pl.col("week") * 7 / 365.25).alias("years")).select(
        "rejoining", "week", "years", "members", "peak", "fizzled"
    )
    ends = (
        plotted.group_by("rejoining", maintain_order=True)
        .last()
        .with_columns(pl.format("rejoining {}", "rejoining").alias("said"))
    )
    x = alt.X(
        "years:Q", title="years since launch", axis=alt.Axis(tickCount=8, grid=False), scale=alt.Scale(nice=False)
    )
    y = alt.Y("members:Q", title="members a ward", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    out = plotted.filter("fizzled").group_by("rejoining", maintain_order=True).first()
    layers = [
        alt.Chart(plotted.gather_every(4))
        .mark_line(strokeDash=[6, 4], color=theme.DARK_BLUE)
        .encode(x=x, y=y, detail="rejoining:N"),
        alt.Chart(ends).mark_text(align="left", dx=6, color=theme.DARK_BLUE).encode(x=x, y=y, text="said:N"),
    ]
    if out.height:
        mark = alt.Chart(out).encode(x=x, y=y)
        layers += [
            mark.mark_point(fill="white", stroke=theme.DARK_PINK, size=70, opacity=1),
            mark.mark_text(align="right", dx=-8, dy=10, color=theme.DARK_PINK).encode(
                text=alt.value("below half its peak")
            ),
        ]
    years = plotted["years"].max()
    shown = "; ".join(
        f"rejoining {r['rejoining']} ends at {words.count(r['members'])} members after a peak of {words.count(r['peak'])}"
        for r in ends.iter_rows(named=True)
    )
    return charts.assemble(
        book,
        "load-fizzles",
        alt.layer(*layers).properties(width=theme.WIDTH - 190, height=190),
        plotted.gather_every(4).with_columns(pl.col("years", "members", "peak").round(4)),
        title=title,
        subtitle=f"Members of a ward's list over {years:.0f} years at the priors' medians, modelled, illustrative. "
        "Churn by hypothesis: unanswered "
        f"mail {_share(unanswered)}, silence {_share(silence)} a week",
        alt_text=f"Line chart of modelled members over {years:.0f} years where {shown}.",
        sentence=fizzle_sentence(table),
        claim=title,
        how="members below half the highest so far, week by week, from the CSV",
        moved="",
        source=_source("unsubscribing from Mailchimp, October 2019: a stand-in, not a police figure"),
    )
