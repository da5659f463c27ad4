"""The few layers most charts are made of: each a short function that returns an Altair chart to add to others.

A chart is drawn at four sizes from one specification. What depends on the size is an expression over parameters that the
figure sets: `font` (the text's size in px), `narrow` (a phone, where the words of a row stand above its marks), `dense` (rows too
close for words in two lines), `crowded` (too close for words in one) and `plot_height` (of the plot, or of one panel, in px).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import polars as pl

from wardbook.figures import theme

SIGNED_PERCENT = "(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + format(abs(datum.value), ',.3~f') + '%'"
PERCENT = "format(datum.value, ',.3~f') + '%'"
COUNT = "format(datum.value, ',~f')"
SHARE = "format(datum.value, '.3~%')"  # of a fraction
PHONE_LETTERS = 50  # what one line of a row's words holds on a phone
NAME_LETTERS = 24  # after so many a row's name goes on in a second line
TALL = "tall-rows"  # the name of a layer whose rows need a third line on a phone
FOCUS, CONTEXT, LONDON, QUIET = theme.FOCUS, theme.CONTEXT, theme.ORANGE, theme.QUIET
TARGET, USUAL = theme.DARK_PINK, theme.USUAL
KINDS = [FOCUS, theme.DARK_GREY, QUIET]  # of points: the area in focus, those that stand out, the rest


def by_size(expression: str) -> alt.ExprRef:
    """A mark's property as an expression over `font`, `narrow`, `dense`, `crowded`, `width` and `height`."""
    return alt.ExprRef(expr=expression)


def dot(size: float) -> dict:
    """The size of a round mark, as a share of the text's square."""
    return {"size": by_size(f"font * font * {size}")}


def stroke(width: float) -> dict:
    """The width of a line, as a share of the text's size."""
    return {"strokeWidth": by_size(f"font * {width}")}


def _ink(strong: str | None, colour: str, other: str, plain: str) -> dict | alt.Value:
    """A colour for rows where a column is true and another for the rest; a plain one for all where there is no column."""
    if strong is None:
        return alt.ColorValue(plain)
    return alt.condition(f"datum['{strong}']", alt.value(colour), alt.value(other))


def _frame(frame: pl.DataFrame, *columns: str | None) -> alt.Chart:
    return alt.Chart(frame.select(list(dict.fromkeys(c for c in columns if c is not None))))


# -- axes -------------------------------------------------------------------------------------------------------------------


def number_axis(*, title: str | None = None, labels: str = COUNT, ticks: int = 5) -> alt.Axis:
    """An axis of numbers with quiet lines; `labels` is how one is written."""
    return alt.Axis(title=title, labelExpr=labels, tickCount=ticks, labelFlush=False, labelOverlap=True, domain=False)


def span(frame: pl.DataFrame, *columns: str, include: Sequence[float] = (0,)) -> alt.Scale:
    """A scale over everything these columns hold, with a little room at either end."""
    values = [v for c in columns for v in frame[c].drop_nulls().to_list()] + list(include)
    low, high = min(values), max(values)
    pad = (high - low or 1) * 0.06
    return alt.Scale(domain=[low - (pad if low < 0 else 0), high + pad], nice=False, zero=False)


def doublings(frame: pl.DataFrame, *columns: str) -> alt.Scale:
    """A scale of ratios over everything these columns hold, 1 included: twice as much and half as much are as far from 1."""
    values = [1.0, *(v for c in columns for v in frame[c].drop_nulls().to_list() if 0 < v < math.inf)]
    return alt.Scale(type="log", domain=[min(values) / 1.06, max(values) * 1.06], nice=False)


def times_axis() -> alt.Axis:
    """The axis of a scale of ratios, a label at each doubling."""
    values = [2.0**power for power in range(-6, 9)]
    return alt.Axis(title=None, values=values, labelExpr="format(datum.value, '~r')", labelOverlap=True, domain=False)


def rows(label: str) -> alt.Y:
    """The y of a chart of rows, in the order of the frame that `row_words` draws their names from."""
    return alt.Y(f"{label}:N", sort=None, axis=None, title=None)


# -- rows: a name, a mark, words -------------------------------------------------------------------------------------------


def row_words(
    frame: pl.DataFrame, label: str, head: str, rest: str | None = None, *, strong: str | None = None
) -> alt.LayerChart:
    """Each row's name left of the plot and its words right of it, in one line where rows are close; on a phone all of it above.

    Parameters
    ----------
    label, head, rest : columns with the row's name, its figure and what is said of it.
    strong : a column that says whether the row is to be drawn to stand out.
    """
    parts = [head] if rest is None else [head, rest]
    frame = frame.with_columns(pl.concat_str(parts, separator=" · ", ignore_nulls=True).alias("whole"))
    # Where head and rest are too long for one line of a phone, each has its own, and the rows are further apart.
    tall = frame.height > 0 and frame["whole"].str.len_chars().max() > PHONE_LETTERS
    # Where rows are closer than their words are high, only those that stand out, the first and the last keep them.
    frame = frame.with_columns(kept=_kept(pl.col(strong) if strong else pl.lit(False)))
    shown = by_size("crowded && !datum.kept ? 0 : 1")
    # Said outright: which rows a layer draws, and so which come first, depends on the size.
    y = rows(label).scale(domain=frame[label].to_list())
    colour = _ink(strong, FOCUS, theme.DARK_GREY, theme.DARK_GREY)

    def text(column: str, when: str, at: str, up: float, *, align: str = "left", size: float = 1, **mark) -> alt.Chart:
        place = {"dy": by_size(f"font * {up}"), "fontSize": by_size(f"font * {size}"), "limit": 2000}
        place["opacity"] = shown
        base = _frame(frame, label, column, strong, "kept").transform_filter(when)
        if align == "right":
            base, column = base.transform_calculate(in_lines=in_lines), "in_lines"
        drawn = base.mark_text(align=align, baseline="middle", **place, **mark)
        return drawn.encode(x=alt.XValue(by_size(at)), y=y, text=f"{column}:N", color=colour)

    beside, aside, above = "!narrow && !dense", "width + font", "narrow"
    name = f"datum['{label}']"
    cut = f"indexof({name}, ' ', {NAME_LETTERS})"  # a long name is broken at the first blank after so many letters
    long = f"!dense && length({name}) > {NAME_LETTERS + 8} && {cut} > 0"
    in_lines = f"{long} ? [slice({name}, 0, {cut}), slice({name}, {cut} + 1)] : {name}"
    layers = [
        text(label, f"!narrow && !({long})", "-font * 0.8", 0, align="right"),
        text(label, f"!narrow && {long}", "-font * 0.8", -0.55, align="right", lineHeight=by_size("font * 1.1")),
        text(label, above, "0", -3.6 if tall else -2.45, fontWeight="bold", size=0.9),
        text("whole", "!narrow && dense", aside, 0),
        text(head, beside, aside, -0.62 if rest else 0, fontWeight="bold"),
    ]
    if rest:
        layers.append(text(rest, beside, aside, 0.62, size=0.9))
    if rest and tall:
        layers += [text(head, above, "0", -2.45, size=0.92), text(rest, above, "0", -1.3, size=0.92)]
    else:
        layers.append(text("whole", above, "0", -1.3, size=0.92))
    return alt.layer(*[one.properties(name=TALL) if tall and n == 0 else one for n, one in enumerate(layers)])


def _kept(picked: pl.Expr) -> pl.Expr:
    """The rows that keep their names where there is no room for all: those picked, and the first and the last unless next to one."""
    row, next_to = pl.int_range(pl.len()), picked.shift(1, fill_value=False) | picked.shift(-1, fill_value=False)
    return picked | (((row == 0) | (row == pl.len() - 1)) & ~next_to)


def _left_names(base: alt.Chart, **more) -> alt.Chart:
    """Names left of a plot whose rows are closer than those of `row_words`."""
    mark = {"align": "right", "baseline": "middle", "fontSize": by_size("font * 0.95"), "dx": by_size("-font * 0.8")}
    return base.mark_text(**mark, **more).encode(x=alt.XValue(0))


def _across(x: str, scale: alt.Scale | None = None, axis: alt.Axis | None = None) -> alt.X:
    return alt.X(f"{x}:Q", scale=scale or alt.Undefined, axis=axis)


def dots(
    frame: pl.DataFrame, x: str, y: str, *, colour: str = FOCUS, strong: str | None = None, hollow: bool = False, **look
) -> alt.Chart:
    """A dot for each row; with `strong`, a column of true and false, the others grey; `look` is the `scale` and `axis` of x."""
    drawn = _frame(frame, x, y, strong).mark_point(**dot(0.62), filled=not hollow, opacity=1, strokeWidth=2)
    return drawn.encode(x=_across(x, **look), y=rows(y), color=_ink(strong, colour, QUIET, colour))


def ticks(frame: pl.DataFrame, x: str, y: str, *, colour: str = LONDON) -> alt.Chart:
    """An upright tick for each row, such as London's change or a target."""
    upright = {"shape": "stroke", "angle": 90, "opacity": 1, **stroke(0.22), **dot(1.6)}
    return _frame(frame, x, y).mark_point(color=colour, **upright).encode(x=f"{x}:Q", y=rows(y))


def ranges(
    frame: pl.DataFrame, low: str, high: str, y: str, *, colour: str = USUAL, thick: float = 1.1, **look
) -> alt.Chart:
    """A bar from low to high for each row: a usual range, or an interval (`thick` under 0.3); `look` as in `dots`."""
    drawn = _frame(frame, low, high, y).mark_bar(height=by_size(f"font * {thick}"), color=colour)
    return drawn.encode(x=_across(low, **look), x2=f"{high}:Q", y=rows(y))


def bars(frame: pl.DataFrame, x: str, y: str, *, axis: alt.Axis | None = None, strong: str | None = None) -> alt.Chart:
    """A bar from nought for each row; with `strong` the others grey."""
    across = alt.X(f"{x}:Q", axis=axis, scale=alt.Scale(zero=True))
    height = by_size(f"min(font * 1.15, plot_height / {max(frame.height, 1)} * 0.8)")  # a gap between any two
    drawn = _frame(frame, x, y, strong).mark_bar(height=height)
    return drawn.encode(x=across, y=rows(y), color=_ink(strong, FOCUS, CONTEXT, FOCUS))


# -- many areas at once --------------------------------------------------------------------------------------------------------


def _kinds(column: str) -> tuple[alt.Color, dict]:
    """The colour of points by kind ("focus", "outside", "inside"), and that of their names."""
    colour = alt.Color(f"{column}:N", legend=None, scale=alt.Scale(domain=["focus", "outside", "inside"], range=KINDS))
    return colour, alt.condition(f"datum['{column}'] == 'focus'", alt.value(FOCUS), alt.value(theme.DARK_GREY))


def funnel(
    points: pl.DataFrame,
    limits: pl.DataFrame,
    x: str,
    y: str,
    name: str,
    *,
    labelled: str,
    middle: float = 0,
    include: Sequence[float] = (),
    log: bool = False,
    title: str = "",
    labels: str = COUNT,
) -> alt.LayerChart:
    """A funnel plot: a point for each area within the limits at its volume, some of them named, and a line at the middle.

    Parameters
    ----------
    points : x, y, name, `kind` ("focus", "outside" or "inside") and `labelled`, a column of true and false.
    limits : x, `low`, `high`: the funnel, an open end null; what lies beyond the points, and what is to be included, is cut off.
    """
    reach = [*points[y].drop_nulls(), middle, *include]
    pad = 0.15 * (max(reach) - min(reach) or 1)
    vertical = alt.Scale(domain=[min(reach) - pad, max(reach) + pad], nice=False, zero=False)
    volume = alt.Scale(type="log" if log else "linear", zero=False if not log else alt.Undefined, nice=False)
    across = alt.X(f"{x}:Q", scale=volume, axis=number_axis(title=title or None))
    up = alt.Y(f"{y}:Q", scale=vertical, title=None, axis=number_axis(labels=labels))
    colour, ink = _kinds("kind")
    place = pl.col(x).log() if log else pl.col(x)
    points = points.with_columns(right=place > (place.min() + place.max()) / 2)
    # A name stands away from the middle and from the edge that is nearer.
    names = points.filter(labelled).select(x, y, name, "kind", "right")
    away = {"dy": by_size(f"datum['{y}'] < {middle} ? font * 0.95 : -font * 0.95"), "fontSize": by_size("font * 0.95")}

    def words(when: str, align: str) -> alt.Chart:
        drawn = alt.Chart(names).transform_filter(when).mark_text(align=align, **away)
        return drawn.encode(x=across, y=up, text=f"{name}:N", color=ink)

    ends = {"low": vertical.domain[0], "high": vertical.domain[1]}
    band = alt.Chart(limits.select(x, *(pl.col(c).fill_null(end) for c, end in ends.items())))
    band = band.mark_area(color=USUAL, clip=True)
    line = alt.Chart(pl.DataFrame({"middle": [float(middle)]})).mark_rule(color=QUIET, strokeWidth=1.5)
    spots = _frame(points, x, y, "kind").mark_point(filled=True, opacity=1, **dot(0.5))
    return alt.layer(
        band.encode(x=across, y=alt.Y("low:Q", scale=vertical), y2="high:Q"),
        line.encode(y=alt.Y("middle:Q", scale=vertical)),
        spots.encode(x=across, y=up, color=colour),
        words("!datum.right", "left"),
        words("datum.right", "right"),
    ).properties(height=330)


def ranked(
    frame: pl.DataFrame,
    x: str,
    low: str,
    high: str,
    name: str,
    *,
    axis: alt.Axis,
    scale: alt.Scale | None = None,
    level: float | None = None,
    thick: float = 0.6,
    colour: str = USUAL,
) -> alt.LayerChart:
    """A ranked list too long for `row_words`: a dot and a range in each row, in the frame's order, and its name left of it.

    All names are drawn where there is room, else the first, the last and those in focus.

    Parameters
    ----------
    frame : x, low, high, name and `kind` ("focus", "outside" or "inside").
    level : where an upright line stands, such as London's; thick : of the range, as a share of the row.
    """
    rows = frame.with_columns(
        place=pl.int_range(1, pl.len() + 1),
        always=_kept(pl.col("kind") == "focus"),
    )
    count = max(frame.height, 1)
    up = alt.Y("place:Q", scale=alt.Scale(domain=[0.2, count + 0.8], reverse=True, nice=False), axis=None)
    across = alt.X(f"{x}:Q", scale=scale or span(frame, x, low, high), axis=axis)
    colours, ink = _kinds("kind")
    base = _frame(rows, "place", x, low, high, name, "kind", "always")
    width = alt.value(by_size(f"min(plot_height / {count} * {thick}, font)"))
    look = {"y": up, "text": f"{name}:N", "color": ink}
    told = _left_names(base.transform_filter("datum.always"), fontWeight="bold")
    quiet = _left_names(base.transform_filter(f"!datum.always && plot_height / {count} > font * 0.9"))
    layers = [
        base.mark_rule(color=colour).encode(x=alt.X(f"{low}:Q"), x2=f"{high}:Q", y=up, strokeWidth=width),
        base.mark_point(filled=True, opacity=1, **dot(0.42)).encode(x=across, y=up, color=colours),
        told.encode(**look),
        quiet.encode(**look),
    ]
    if level is not None:
        rule = alt.Chart(pl.DataFrame({"level": [float(level)]})).mark_rule(color=LONDON, strokeWidth=2)
        layers.insert(1, rule.encode(x="level:Q"))
    return alt.layer(*layers).properties(height=max(17 * count, 100))


def zero(value: float = 0, *, colour: str = theme.DARK_GREY) -> alt.Chart:
    """An upright line at no change, or at another value that rows are held against."""
    base = alt.Chart(pl.DataFrame({"nought": [float(value)]}))
    return base.mark_rule(color=colour, opacity=by_size("narrow ? 0.4 : 1")).encode(x="nought:Q")


def key(items: Sequence[tuple[str, str, str]], *, left: float = 0) -> alt.LayerChart:
    """What the marks are, above the plot: (shape, words, colour), the shape "dot", "hollow", "tick", "bar", "line" or "dashes".

    A mark's key looks like the mark. On a phone each stands on a line of its own.

    Parameters
    ----------
    left : how far left of the plot it begins, in letters' heights: over the names of a chart of rows there is room.
    """
    looks = {
        "dot": {"filled": True, **dot(0.62)},
        "hollow": {"filled": False, "strokeWidth": 2, **dot(0.62)},
        "tick": {"shape": "stroke", "angle": 90, **stroke(0.22), **dot(1.6)},
        "bar": {"shape": "square", "filled": True, **dot(1.1)},
        "line": {"shape": "stroke", **stroke(0.2), **dot(2)},
        "dashes": {"shape": "stroke", "strokeWidth": 2, "strokeDash": [2, 3], **dot(3)},
    }
    layers, at = [], 0.5 - left
    for number, (shape, words, colour) in enumerate(items):
        one = alt.Chart(pl.DataFrame({"words": [words]}))
        y = alt.YValue(by_size(f"narrow ? -font * {1.3 * (len(items) - number) + 1.1} : -font * 1.9"))
        mark = one.mark_point(opacity=1, color=colour, **looks[shape])
        text = one.mark_text(align="left", baseline="middle", fontSize=by_size("font * 0.92"), color=theme.DARK_GREY)
        layers.append(mark.encode(x=alt.XValue(by_size(f"font * (narrow ? 0.5 : {at})")), y=y))
        layers.append(text.encode(x=alt.XValue(by_size(f"font * (narrow ? 1.4 : {at + 0.9})")), y=y, text="words:N"))
        at += theme.text_width(words, 0.92) + 2.4
    return alt.layer(*layers)


# -- series over time -------------------------------------------------------------------------------------------------------


def month_axis(months: int | None = None) -> alt.Axis:
    """An axis of months, each January by its year; so is the first label, where no January may have one.

    `months`: how many there are, if there may be so few that labels would fall between them.
    """
    label = (
        "month(datum.value) == 0 ? timeFormat(datum.value, '%Y') : datum.index == 0 ? "
        "[timeFormat(datum.value, '%b'), timeFormat(datum.value, '%Y')] : timeFormat(datum.value, '%b')"
    )
    ticks = alt.TimeIntervalStep("month", 1) if months and months < 9 else 8
    return alt.Axis(
        title=None, labelExpr=label, labelOverlap=True, labelSeparation=6, tickCount=ticks, labelFlush=False, grid=False
    )


def year_axis() -> alt.Axis:
    """An axis of years for a small panel."""
    label = "timeFormat(datum.value, '%Y')"  # not `format`, by which a mark would name its month too
    return alt.Axis(labelExpr=label, tickCount=4, grid=False, labelOverlap=True, labelSeparation=6)


def lines(
    frame: pl.DataFrame,
    x: str,
    y: str,
    *,
    series: str | None = None,
    strong: str | None = None,
    colour: str = FOCUS,
    axis: alt.Axis | None = None,
) -> alt.Chart:
    """A line over months; several by `series`, those not `strong` grey."""
    encode = {
        "x": alt.X(f"{x}:T", axis=month_axis(frame[x].n_unique())),
        "y": alt.Y(f"{y}:Q", axis=axis or number_axis(), scale=alt.Scale(zero=True), title=None),
    }
    if series:
        encode["detail"] = f"{series}:N"
    drawn = _frame(frame, x, y, series, strong).mark_line(**stroke(0.17))
    return drawn.encode(**encode, color=_ink(strong, colour, CONTEXT, colour))


def band(frame: pl.DataFrame, x: str, low: str, high: str) -> alt.Chart:
    """What was to be expected, month by month."""
    drawn = _frame(frame, x, low, high).mark_area(color=USUAL, interpolate="step-after", opacity=1)
    return drawn.encode(x=alt.X(f"{x}:T", axis=month_axis(frame[x].n_unique())), y=f"{low}:Q", y2=f"{high}:Q")


def panel_words(base: alt.Chart, head: str, rest: str, *, when: str, strong: str | None = None) -> alt.LayerChart:
    """The heading of each panel of a facet, in two lines above it: a column's words bold, and another's under them.

    Parameters
    ----------
    base : the chart that the facet's layers share; `when` is the expression that holds in one row of each panel.
    strong : a column that says whether the panel is to be drawn to stand out.
    """
    colour = _ink(strong, FOCUS, theme.DARK_GREY, theme.DARK_GREY)

    def text(column: str, up: float, **mark) -> alt.Chart:
        drawn = base.transform_filter(when).mark_text(align="left", baseline="bottom", limit=2000, **mark)
        return drawn.encode(x=alt.XValue(0), y=alt.YValue(by_size(f"-font * {up}")), text=f"{column}:N", color=colour)

    small = {"fontSize": by_size("font * (narrow ? 0.82 : 1)")}
    return text(head, 1.5, fontWeight="bold", **small) + text(rest, 0.35, **small)


def panels(
    data: pl.DataFrame, by: str, *layers: alt.Chart, columns: int = 3, height: int = 110, own_scale: bool = False
):
    """Small multiples: these layers, made of `alt.Chart()` without data, once for each value of a column, in the frame's order.

    `own_scale`: does each panel have a y axis of its own?
    """
    # Vega-Lite draws a facet's own heading in one size whatever the chart's, and does not heed `labels`: its text is none.
    order = data[by].unique(maintain_order=True).to_list()
    facet = alt.Facet(f"{by}:N", sort=order, header=alt.Header(labelExpr="''", labelPadding=0, title=None))
    made = alt.layer(*layers).properties(height=height).facet(facet=facet, columns=columns, data=data)
    return made.resolve_scale(y="independent") if own_scale else made


def breaks(frame: pl.DataFrame, x: str, words: str) -> alt.LayerChart:
    """A dashed, labelled rule where a series was broken."""
    # Above the plot, where no line has a peak; by turns under its edge, so that two near each other can be read.
    base = _frame(frame.with_columns(turn=pl.int_range(pl.len()) % 2), x, words, "turn")
    rule = base.mark_rule(strokeDash=[5, 4], color=theme.DARK_GREY).encode(x=f"{x}:T")
    small = {"fontSize": by_size("font * 0.85"), "color": theme.DARK_GREY, "dx": by_size("datum.turn ? 5 : -2")}
    text = base.mark_text(align="left", baseline="top", dy=by_size("font * (datum.turn ? 0.15 : -0.84)"), **small)
    return rule + text.encode(x=f"{x}:T", y=alt.YValue(0), text=f"{words}:N")


def level(value: float, words: str) -> alt.LayerChart:
    """A level line with words on it: a target, a path's end."""
    base = alt.Chart(pl.DataFrame({"level": [float(value)], "words": [words]}))
    place = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -3, "fontSize": by_size("font * 0.9")}
    text = base.mark_text(color=TARGET, **place).encode(x=alt.XValue(0), y="level:Q", text="words:N")
    return base.mark_rule(color=TARGET, strokeWidth=2).encode(y="level:Q") + text
