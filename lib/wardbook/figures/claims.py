"""What became of the claims, as charts and sentences: frames of `measures.claims` in, figures and words out."""

from __future__ import annotations

import altair as alt
import polars as pl

from wardbook.figures import charts, theme, words
from wardbook.figures.export import Absent, Figure
from wardbook.measures.claims import UNCHECKED, VERDICTS, calendar_months, window
from wardbook.notebook import Book

# Where a line is drawn in words: police counts that vary three times as much as Poisson counts are nothing unusual
# (month to month 1.6 to 3.5 times, year to year more, on the files of this edition).
OVERDISPERSION = 3.0
NOT_JUDGED = "not judged (rhetoric)"
LICENCE = "Published figures, restated with their sources and recomputed here"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July")
_MONTHS += ("August", "September", "October", "November", "December")


def _figure(book: Book, *, claim: str, how: str, moved: str = "", **said) -> Figure:
    return charts.assemble(book, claim=claim, how=how, moved=moved, title=claim, licence=LICENCE, **said)


def verdict_counts(checked: pl.DataFrame) -> pl.DataFrame:
    """How many claims have each verdict, in the verdicts' order: `verdict`, `claims`."""
    found = checked["verdict"].fill_null(NOT_JUDGED).to_list()
    return pl.DataFrame(
        {"verdict": [*VERDICTS, NOT_JUDGED], "claims": [found.count(v) for v in (*VERDICTS, NOT_JUDGED)]}
    )


def verdicts_title(checked: pl.DataFrame) -> str:
    """How many of the claims reproduce, at most fifteen words."""
    n = dict(verdict_counts(checked).iter_rows())
    return f"{n[VERDICTS[0]]} of {checked.height} public statements reproduce; {n[UNCHECKED]} cannot be checked"


def verdicts_sentence(checked: pl.DataFrame) -> str:
    """What became of all claims, in one sentence."""
    n = dict(verdict_counts(checked).iter_rows())
    return (
        f"Of {checked.height} statements, {words.number(n[VERDICTS[0]])} reproduce, {words.number(n[VERDICTS[1]])} do not, "
        f"{words.number(n[VERDICTS[2]])} are true of part, {words.number(n[UNCHECKED])} cannot be checked from what is "
        f"published, and {words.number(n[NOT_JUDGED])} are rhetoric and left unjudged."
    )


def verdicts_chart(book: Book, checked: pl.DataFrame, *, name: str) -> Figure:
    """How many claims have each verdict, as bars."""
    counts = verdict_counts(checked)
    base = alt.Chart(counts).encode(
        x=alt.X("claims:Q", title="statements", axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("verdict:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)),
    )
    bars = base.mark_bar(color=theme.DARK_BLUE, height=18)
    text = base.mark_text(align="left", dx=5).encode(text="claims:Q")
    shown = "; ".join(f"{verdict} {n}" for verdict, n in counts.iter_rows())
    return _figure(
        book,
        name=name,
        chart=(bars + text).properties(width=theme.WIDTH - 220, height=alt.Step(30)),
        data=counts,
        claim=verdicts_title(checked),
        how="count the column verdict of tables/claims.csv",
        subtitle=f"Statements by what became of them when they were recomputed; {_about(checked)}",
        alt_text=f"Bar chart of statements by verdict where {shown}.",
        sentence=verdicts_sentence(checked),
        source="data/reference/claims.csv, each row with its own source",
    )


def _about(checked: pl.DataFrame) -> str:
    """Which areas and years the statements are about, where they say."""
    areas = checked["area"].filter(checked["area"] != "").unique(maintain_order=True)
    years = checked.select(
        pl.concat_str("baseline_period", "period", separator=" ").str.extract_all(r"\b(?:19|20)\d\d\b")
    )
    years = years.to_series().explode().drop_nulls()
    return f"about {', '.join(areas)}, {years.min()} to {years.max()}"


def documents_table(checked: pl.DataFrame) -> pl.DataFrame:
    """How many claims of each document have each verdict: a row a document, in the file's order."""
    judged = checked.with_columns(pl.col("verdict").fill_null(NOT_JUDGED))
    totals = judged.group_by("document", maintain_order=True).agg(
        pl.len().alias("statements"),
        *((pl.col("verdict") == verdict).sum().alias(verdict) for verdict in (*VERDICTS, NOT_JUDGED)),
    )
    return totals


def _spelt(text: str) -> str:
    """ "2006-08 to 2008-04" as August 2006 to April 2008: it would read as financial years."""
    ends = [(_MONTHS[int(part[5:]) - 1], part[:4]) for part in text.split(" to ")]
    return " to ".join(" ".join(end) for end in ends)


def season_sentence(before: str, after: str) -> str:
    """Which calendar months two windows do not hold equally often."""
    first, second = calendar_months(before), calendar_months(after)
    more = [
        [_MONTHS[m - 1] for m in range(1, 13) if (a := one[m]) > (b := other[m]) and a + b]
        for one, other in ((first, second), (second, first))
    ]
    if not any(more):
        return "Both windows hold the same calendar months."
    return (
        f"The earlier window holds {', '.join(more[0]) or 'no month'} more often than the later one, and the later one "
        f"{', '.join(more[1]) or 'no month'} more often than the earlier."
    )


def _standing(rows: pl.DataFrame) -> int:
    return rows.filter(pl.col("overdispersion_limit") > OVERDISPERSION).height


def windows_title(rows: pl.DataFrame) -> str:
    """How many changes between two windows stand at a given overdispersion, at most fifteen words."""
    n, of = words.number(_standing(rows)), words.number(rows.height)
    return f"At an overdispersion of {words.number(int(OVERDISPERSION))}, {n} of {of} changes stay clear of chance"


def windows_sentence(rows: pl.DataFrame) -> str:
    """What the changes between two windows rest on, in three sentences."""
    row = rows.row(0, named=True)
    covers = rows.filter((pl.col("noise_low") <= 0) & (pl.col("noise_high") >= 0))["measure"].to_list()
    lost = rows.filter(pl.col("overdispersion_limit").is_between(1, OVERDISPERSION)).sort("overdispersion_limit")
    limits = ", ".join(f"{r['measure']} (at {r['overdispersion_limit']:.1f})" for r in lost.iter_rows(named=True))
    return (
        f"Of {words.number(rows.height)} changes between {_spelt(row['baseline_period'])} and {_spelt(row['period'])}, "
        f"{', '.join(covers) or 'none'} cannot be told from no change by counting noise alone, and at an overdispersion "
        f"below {OVERDISPERSION:g} also {limits or 'none'}. {season_sentence(row['baseline_period'], row['period'])} "
        "The rows overlap, so they are not so many separate findings."
    )


def windows_chart(book: Book, rows: pl.DataFrame, *, name: str) -> Figure | Absent:
    """Changes between two windows: the count, its interval, the change a day, and the overdispersion each one bears."""
    if rows.is_empty():
        return Absent(name, "no claim compares two windows")
    keep = ("measure", "before", "after", "recomputed_percent", "noise_low", "noise_high", "per_day_percent")
    data = rows.select(*keep, "overdispersion_limit")
    labels = [
        (
            f"{words.signed(r['recomputed_percent'])} ({words.count(r['before'])} to {words.count(r['after'])})",
            "within counting noise"
            if r["noise_low"] <= 0 <= r["noise_high"]
            else f"clear up to an overdispersion of {r['overdispersion_limit']:,.1f}",
        )
        for r in data.iter_rows(named=True)
    ]
    plotted = data.with_columns(
        pl.Series("headline", [a for a, _ in labels]), pl.Series("detail", [b for _, b in labels])
    )
    edge = theme.WIDTH - 330
    base = alt.Chart(plotted)
    y = alt.Y("measure:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=10))
    axis = alt.Axis(
        labelExpr="(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + abs(datum.value) + '%'",
        tickCount=4,
        labelFlush=False,
        title="change in recorded offences",
    )
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(
            domain=["change", "change a day", "counting noise"],
            range=[theme.DARK_BLUE, theme.DARK_PINK, theme.MID_BLUE],
        ),
        legend=alt.Legend(orient="bottom", symbolOpacity=1),
    )
    layers = [
        base.transform_calculate(kind="'counting noise'")
        .mark_rule(strokeWidth=4)
        .encode(x=alt.X("noise_low:Q", axis=axis), x2="noise_high:Q", y=y, color=colour),
        alt.Chart(pl.DataFrame({"zero": [0.0]})).mark_rule(color=theme.DARK_GREY).encode(x="zero:Q"),
        base.transform_calculate(kind="'change'")
        .mark_point(size=70, filled=True, opacity=1)
        .encode(x="recomputed_percent:Q", y=y, color=colour),
        base.transform_calculate(kind="'change a day'")
        .mark_tick(thickness=2, size=20)
        .encode(x="per_day_percent:Q", y=y, color=colour),
        base.mark_text(align="left", dy=-7, fontWeight="bold").encode(x=alt.value(edge + 14), y=y, text="headline:N"),
        base.mark_text(align="left", dy=8, fontSize=11).encode(x=alt.value(edge + 14), y=y, text="detail:N"),
    ]
    row = rows.row(0, named=True)
    spans = row["baseline_period"], row["period"]
    days = [(end - first).days for first, end in map(window, spans)]
    same = calendar_months(spans[0]) == calendar_months(spans[1])
    unlike = "" if same else ", which hold different calendar months"
    shown = "; ".join(f"{m} {a}, {b}" for m, (a, b) in zip(data["measure"], labels))
    return _figure(
        book,
        name=name,
        chart=alt.layer(*layers).properties(width=edge, height=alt.Step(44)),
        data=data,
        claim=windows_title(rows),
        how="after ÷ before − 1, row by row, from the CSV; limit (ln(after ÷ before) ÷ (1.96 × √(1/before + 1/after)))²",
        moved="no earlier windows to compare with: counting noise alone",
        subtitle=f"Recorded offences, {row['area']}, {_spelt(row['baseline_period'])} ({days[0]} days) against "
        f"{_spelt(row['period'])} ({days[1]} days){unlike}. Lines: counting noise alone (95%).",
        alt_text=f"Dot and interval chart of percentage changes where {shown}.",
        sentence=windows_sentence(rows),
        source="; ".join(rows["source"].unique(maintain_order=True)),
    )
