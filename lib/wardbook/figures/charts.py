"""The chart builders: tables in, figures out. Nothing here computes a number that a measure has not."""

from __future__ import annotations

import math
from collections.abc import Mapping

import altair as alt
import polars as pl

from wardbook.catalogue import sources
from wardbook.figures import theme, words
from wardbook.figures.export import Absent, Figure
from wardbook.measures.usual import UsualVariation
from wardbook.notebook import Book

LICENCE = "Contains public sector information licensed under the Open Government Licence v3.0"
_BOTH = "Bars: usual variation; lines: counting noise (95%)."
_NOISE = "Lines: counting noise alone (95%)."


def assemble(
    book: Book,
    name: str,
    chart: alt.TopLevelMixin,
    data: pl.DataFrame,
    *,
    claim: str,
    how: str,
    moved: str,
    source: str,
    licence: str = LICENCE,
    **said: str,
) -> Figure:
    """A figure with its challenge line: what is claimed, how it recomputes, how unusual it is, from what, by which command."""
    line = words.challenge(claim, how, moved, book.edition.provenance, book.command)
    return Figure(name=name, chart=chart, data=data, challenge=line, source=source, licence=licence, **said)


def verdicts(book: Book, rows: pl.DataFrame, *, name: str, title: str, measure: str, sentence: str) -> Figure | Absent:
    """Changes as dots with both intervals, each target as a labelled rule, the words of each verdict beside it.

    Parameters
    ----------
    rows : rows of `verdicts.assess_targets` or `assess_changes`; those without counts are left to the table.
    title, sentence : from `figures.words`.
    measure : what the subtitle says is measured.
    """
    has_target = "target" in rows.columns
    # Counts too few to describe a change keep their place in the chart, with the words instead of a dot.
    counted = pl.col("baseline").is_not_null() & pl.col("outturn").is_not_null()
    drawn = rows.filter(pl.col("noise_low").is_not_null() | counted)
    if has_target:
        drawn = drawn.filter(pl.col("result_percent").is_null())  # a share against its target is no change to plot
    if rows.is_empty():
        return Absent(name, f"none was published for {book.area.name} that could be found")
    if drawn.is_empty():
        why = "; ".join(rows["why"].drop_nulls().unique(maintain_order=True))
        return Absent(name, f"cannot say: {why}")
    if not has_target:
        drawn = drawn.with_columns(pl.lit(None, pl.Float64).alias("target"), pl.lit("").alias("printed_verdict"))
    labels = [words.row_labels(row, against_target=has_target) for row in drawn.iter_rows(named=True)]
    keep = [
        "measure",
        "area",
        "baseline_period",
        "period",
        "baseline",
        "outturn",
        "change_percent",
        "noise_low",
        "noise_high",
    ]
    keep += ["usual_low", "usual_high", "target", "change_verdict"] + [
        c for c in ("verdict", "printed_verdict", "target_owner") if c in rows.columns
    ]
    if "baseline_low" in rows.columns:
        keep[6:6] = ["baseline_low", "baseline_high", "outturn_low", "outturn_high", "change_low", "change_high"]
    dots = pl.Series("plotted_change", [words.middle(row) for row in drawn.iter_rows(named=True)], dtype=pl.Float64)
    data = drawn.select(keep).with_columns(dots)

    repeated = drawn["measure"].is_duplicated()
    names = [
        f"{row['measure']} ({row['period']})" if twice else row["measure"]
        for twice, row in zip(repeated, drawn.iter_rows(named=True))
    ]
    plotted = drawn.with_columns(
        pl.Series("label", names),
        pl.Series("headline", [a for a, _ in labels]),
        pl.Series("detail", [b for _, b in labels]),
        dots.alias("dot"),
        pl.Series(
            "target_label",
            [
                None if row["target"] is None else f"target {words.as_set(row['target'])}"
                for row in drawn.iter_rows(named=True)
            ],
            dtype=pl.String,
        ),
    )
    spread = plotted.select(
        pl.min_horizontal("noise_low", "usual_low", "target").min().alias("a"),
        pl.max_horizontal("noise_high", "usual_high", "target").max().alias("b"),
    ).row(0)
    low, high = (x if x is not None else 0.0 for x in spread)
    domain = [10 * math.floor(min(low, -5) / 10 - 0.2), 10 * math.ceil(max(high, 5) / 10 + 0.2)]
    colours = alt.Scale(
        domain=["change", "counting noise", "usual variation", "target"],
        range=[theme.DARK_BLUE, theme.MID_BLUE, theme.CONTEXT, theme.DARK_PINK],
    )

    colour = alt.Color(
        "kind:N",
        scale=colours,
        legend=alt.Legend(values=_legend(plotted), orient="bottom", symbolOpacity=1) if _legend(plotted) else None,
    )
    base = alt.Chart(
        plotted.select(
            "label",
            "noise_low",
            "noise_high",
            "usual_low",
            "usual_high",
            "dot",
            "target",
            "target_label",
            "headline",
            "detail",
        )
    )
    y = alt.Y(
        "label:N",
        sort=names,
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10, labelExpr=_wrapped("datum.label")),
    )
    axis = alt.Axis(
        labelExpr="(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + abs(datum.value) + '%'",
        tickCount=6,
        labelFlush=False,  # flush labels are pushed inwards, into their neighbours
        labelOverlap=True,
        labelSeparation=6,
        title="change in recorded offences",
    )
    axis = axis if _legend(plotted) else None  # counts too few to describe a change have no place on it
    x = alt.Scale(domain=domain, nice=False)
    edge = theme.WIDTH - 330
    layers = [
        base.transform_calculate(kind="'usual variation'")
        .mark_bar(height=16)
        .encode(x=alt.X("usual_low:Q", scale=x, axis=axis), x2="usual_high:Q", y=y, color=colour),
        base.transform_calculate(kind="'counting noise'")
        .mark_rule(strokeWidth=4)
        .encode(x=alt.X("noise_low:Q", scale=x), x2="noise_high:Q", y=y, color=colour),
        *(
            [alt.Chart(pl.DataFrame({"zero": [0.0]})).mark_rule(color=theme.DARK_GREY).encode(x="zero:Q")]
            if axis
            else []
        ),
        base.transform_calculate(kind="'target'")
        .mark_tick(thickness=3, size=30)
        .encode(x=alt.X("target:Q", scale=x), y=y, color=colour),
        base.mark_text(dy=-21, fontSize=11, color=theme.DARK_PINK).encode(
            x=alt.X("target:Q", scale=x), y=y, text="target_label:N"
        ),
        base.transform_calculate(kind="'change'")
        .mark_point(size=80, filled=True, opacity=1)
        .encode(x=alt.X("dot:Q", scale=x), y=y, color=colour),
        base.mark_text(align="left", dy=-7, fontWeight="bold").encode(x=alt.value(edge + 14), y=y, text="headline:N"),
        base.mark_text(align="left", dy=8, fontSize=11).encode(x=alt.value(edge + 14), y=y, text="detail:N"),
    ]
    chart = alt.layer(*layers).properties(width=edge, height=alt.Step(48))
    return assemble(
        book,
        name,
        chart,
        data,
        title=title,
        subtitle=_subtitle(measure, drawn),
        alt_text=words.changes_alt(drawn, against_target=has_target),
        sentence=sentence,
        claim=title,
        how=words.recompute(drawn.row(0, named=True))
        if drawn.height == 1 or has_target
        else "outturn ÷ baseline − 1, row by row, from the CSV",
        moved=words.far(drawn.row(0, named=True))
        if drawn.height == 1 or has_target
        else "the column moved_this_far of the table",
        source=_sources(book, drawn),
    )


def printed_verdicts(book: Book, rows: pl.DataFrame, *, name: str) -> Figure | Absent:
    """The changes that a publication printed with a verdict, beside ours; `rows` from `verdicts.bh_family`."""
    if rows.is_empty():
        return Absent(name, f"no table of printed verdicts on {book.area.name} was found")
    return verdicts(
        book,
        rows,
        name=name,
        title=words.printed_title(rows),
        measure="Recorded offences",
        sentence=words.printed_sentence(rows),
    )


def _legend(plotted: pl.DataFrame) -> list[str]:
    kinds = ["change", "counting noise"] if plotted["noise_low"].drop_nulls().len() else []
    kinds += ["usual variation"] if plotted["usual_low"].drop_nulls().len() else []
    return kinds + (["target"] if plotted["target"].drop_nulls().len() else [])


def spaced(at: list[float], gap: float) -> list[float]:
    """Places for labels at least `gap` apart, each at its own or above it, in the order given."""
    found = list(at)
    order = sorted(range(len(at)), key=lambda i: at[i])
    for below, i in zip(order, order[1:]):
        found[i] = max(found[i], found[below] + gap)
    return found


def _wrapped(label: str, width: int = 26) -> str:
    """A Vega expression that breaks a label at the first blank after `width` characters."""
    cut = f"indexof({label}, ' ', {width})"
    return (
        f"length({label}) > {width + 8} && {cut} > 0 ? [slice({label}, 0, {cut}), slice({label}, {cut} + 1)] : {label}"
    )


def _subtitle(measure: str, rows: pl.DataFrame) -> str:
    spans = rows.select("baseline_period", "period").unique(maintain_order=True).rows()
    when = ", ".join(f"{b} to {p}" for b, p in spans)
    owners = rows["target_owner"].unique(maintain_order=True).to_list() if "target_owner" in rows.columns else []
    whose = f" Target: {'; '.join(owners)}." if owners and rows["target"].drop_nulls().len() else ""
    intervals = _BOTH if rows["usual_low"].drop_nulls().len() else _NOISE
    if rows["noise_low"].is_null().all():
        intervals = "Too few to describe a change."
    return f"{measure}, {rows['area'][0]}, {when}.{whose} {intervals}"


def _sources(book: Book, rows: pl.DataFrame) -> str:
    named = []
    if "source" in rows.columns:
        named += [s for s in rows["source"].unique(maintain_order=True).to_list() if s]
    for snapshot in rows["snapshot"].drop_nulls().unique().sort():
        key = "mps-borough-crime" if snapshot in book.edition.snapshots else "mps-knife-crime"
        named.append(f"{sources()[key].line} (to {snapshot})")
    return "; ".join(named)


def placebo(book: Book, row: Mapping, usual: UsualVariation | None, *, name: str) -> Figure | Absent:
    """How far other borough changes moved, scaled to this borough's volume, with this change as a labelled rule."""
    if usual is None or not row["moved_this_far"] or row["baseline"] is None:
        reason = row["basis"] or row["why"] or "no change to place"
        return Absent(name, f"cannot say how unusual the change in {row['measure']} in {row['area']} is: {reason}")
    error = usual.standard_error(row["baseline"], row["outturn"])
    here, change = f"{row['area']}, {row['baseline_period']} to {row['period']}", row["change_percent"]
    others = [100 * (math.exp(move * error) - 1) for move in usual.moves]
    what = ["borough change relative to London, at this volume"] * len(others)
    data = pl.DataFrame({"change_percent": [*others, change], "what": [*what, here]})
    k, n = (int(part) for part in row["moved_this_far"].split(" of "))
    whose = words.possessive(row["area"])
    title = f"{words.capital(words.number(k))} of {n} borough changes, London's taken out, were as large as {whose} {words.signed(change)}"
    x = alt.X("change_percent:Q", bin=alt.Bin(maxbins=40), title="change relative to London, %")
    bars = alt.Chart(data.head(n)).mark_bar(color=theme.CONTEXT).encode(x=x, y=alt.Y("count()", title=None))
    mark = alt.Chart(pl.DataFrame({"at": [change], "label": [f"{row['area']} {words.signed(change)}"]}))
    rule = mark.mark_rule(color=theme.DARK_BLUE, strokeWidth=3).encode(x="at:Q")
    text = mark.mark_text(align="center", y=-8, color=theme.DARK_BLUE, fontWeight="bold").encode(
        x="at:Q", text="label:N"
    )
    return assemble(
        book,
        name,
        (bars + rule + text).properties(width=theme.WIDTH - 110, height=200),
        data,
        title=title,
        subtitle=f"Number of borough changes in {row['measure']} by size, relative to London: {usual.window}; "
        "scaled to the volume here",
        alt_text=f"Histogram of {n} borough changes where {k} lie at least as far from no change as "
        f"{whose} {words.signed(change)}.",
        sentence=f"{words.capital(words.number(k))} of {n} borough changes in {row['measure']} ({usual.window}) moved at "
        f"least as far, relative to London and allowing for volume, as {whose} {words.signed(change)}.",
        claim=title,
        how="count the rows of the CSV at least as far from 0, on the log scale, as the last row",
        moved="",
        source=f"{sources()['mps-borough-crime'].line} (to {row['snapshot']})",
    )
