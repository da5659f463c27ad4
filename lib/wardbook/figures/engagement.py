"""Engagement in charts and sentences: the survey with its intervals, and published meetings and priorities by ward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import altair as alt
import polars as pl

from wardbook import tables
from wardbook.catalogue import sources
from wardbook.figures import charts, maps, theme, withhold, words
from wardbook.figures.export import Absent, Figure
from wardbook.measures import engagement as measures
from wardbook.measures.engagement import ABOVE, BELOW, FELL, ROSE, RankCorrelation
from wardbook.notebook import Book
from wardbook.sources.mopac import QUESTIONS

CAPTURED = sources()["police-uk-engagement"]
# As a chart has room for them; the sentences give the wording in full.
SHORT = {
    "good job local": "police do a good job locally",
    "contact ward officer": "know how to contact ward officer",
    "informed local": "informed about local policing",
    "listen to concerns": "police listen to concerns",
    "relied on to be there": "can be relied on to be there",
    "treat everyone fairly": "treat everyone fairly",
    "trust mps": "trust the Met",
    "understand issues": "police understand local issues",
}
UPCOMING = (
    "data.police.uk lists upcoming events only and police teams need not publish them there: none published is not none held, and what "
    "was not captured in time cannot be had later."
)


def _label(question: str) -> str:
    return SHORT.get(question, question)


# -- the survey ---------------------------------------------------------------------------------------------------------


def survey(book: Book, rows: pl.DataFrame, *, design_effect: float) -> Figure | Absent:
    """Each question's share with its interval, London's as a tick, and the two verdicts beside it.

    Parameters
    ----------
    rows : `measures.engagement.survey`.
    """
    drawn = rows.filter(pl.col("share").is_not_null())
    where = book.area.name
    if drawn.is_empty():
        return Absent("survey", f"the Public Attitude Survey in this edition has no value for {where}")
    to = f"twelve months to {drawn['to'][0]:%B %Y}"
    said = [_verdicts(row) for row in drawn.iter_rows(named=True)]
    plotted = drawn.with_columns(
        pl.Series("label", [_label(q) for q in drawn["question"]]),
        pl.Series("headline", [a for a, _ in said]),
        pl.Series("detail", [b for _, b in said]),
    )
    title = survey_title(rows, where)
    base = alt.Chart(plotted.select("label", "share", "low", "high", "london", "headline", "detail"))
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=240))
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("low:Q", scale=scale, title="share who agree", axis=alt.Axis(format=".0%", tickCount=5))
    width = theme.WIDTH - 400
    kinds = alt.Scale(domain=[where, "London"], range=[theme.DARK_BLUE, theme.DARK_PINK])
    colour = alt.Color("kind:N", scale=kinds)
    layers = [
        base.mark_rule(strokeWidth=4, color=theme.LIGHT_BLUE).encode(x=x, x2="high:Q", y=y),
        base.transform_calculate(kind=f"{where!r}")
        .mark_point(filled=True, size=75, opacity=1)
        .encode(x=alt.X("share:Q", scale=scale), y=y, color=colour),
        base.mark_text(align="left", dy=-7, fontWeight="bold", fontSize=11).encode(
            x=alt.value(width + 12), y=y, text="headline:N"
        ),
        base.mark_text(align="left", dy=7, fontSize=11).encode(x=alt.value(width + 12), y=y, text="detail:N"),
    ]
    if not book.area.is_london:
        tick = base.transform_calculate(kind="'London'").mark_tick(thickness=3, size=18)
        layers.insert(2, tick.encode(x=alt.X("london:Q", scale=scale), y=y, color=colour))
    listed = "; ".join(
        f"{_label(r['question'])} {_share(r)}, {a}" for r, (a, _) in zip(drawn.iter_rows(named=True), said)
    )
    return charts.assemble(
        book,
        "survey",
        alt.layer(*layers).properties(width=width, height=alt.Step(36)),
        rows,
        title=title,
        subtitle=f"Public Attitude Survey, {where}, {to}. Lines: 95% for about {words.count(measures.sample_of(book.area))} "
        f"interviews, design effect {design_effect:g} (assumed), and rounding",
        alt_text=f"Dot and interval chart of shares who agree where {listed}.",
        sentence=survey_sentence(rows, where),
        claim=title,
        how="share ± Wilson's interval for interviews ÷ design effect, from the CSV",
        moved="",
        source=sources()["mopac-attitudes"].line,
    )


def _share(row: Mapping) -> str:
    return f"{100 * row['share']:.0f}% ({100 * row['low']:.0f}% to {100 * row['high']:.0f}%)"


def _points(value: float) -> str:
    return f"{words.signed(value, digits=0)[:-1]} points"


def _verdicts(row: Mapping) -> tuple[str, str]:
    """Beside a row: where it stands, and what it did, with its numbers."""
    change = (
        row["change_verdict"]
        if row["change_points"] is None
        else f"{row['change_verdict']} ({_points(row['change_points'])})"
    )
    if row["against_london"] is None:
        return f"{change} in a year", _share(row)
    return f"{row['against_london']} ({_points(row['gap_points'])})", f"{_share(row)}; in a year {change}"


def survey_title(rows: pl.DataFrame, where: str) -> str:
    """On how many questions the borough differs from London, or how many moved, at most fifteen words."""
    known = rows.filter(pl.col("share").is_not_null())
    n, when = words.number(known.height), f"{known['to'][0]:%B %Y}"
    to = f"to {when}"
    if known["against_london"].is_null().all():
        moved = known.filter(pl.col("change_verdict").is_in([ROSE, FELL])).height
        return f"{words.capital(words.or_none(moved))} of {n} survey answers in {where} changed clearly, year {to}"
    below, above = (words.or_none(known.filter(against_london=v).height) for v in (BELOW, ABOVE))
    if below == above == "none":
        return words.fitting(
            f"{where} is little different from London on all {n} questions, year {to}",
            f"{where} is little different from London on all {n} questions, {when}",
        )
    return words.fitting(
        f"{where} is below London on {below}, above on {above} of {n} questions, year {to}",
        f"{where}: below London on {below}, above on {above} of {n}, {when}",
    )


def survey_sentence(rows: pl.DataFrame, where: str) -> str:
    """Which answers differ from London's and which moved within the year; how many verdicts that is."""
    known = rows.filter(pl.col("share").is_not_null())
    to = f"In the twelve months to {known['to'][0]:%B %Y}"

    def named(column: str, verdict: str, figure: str) -> str:
        return "; ".join(
            f"{QUESTIONS.get(r['question'], r['question'])} ({100 * r['share']:.0f}%, {_points(r[figure])})"
            for r in known.filter(pl.col(column) == verdict).iter_rows(named=True)
        )

    parts = []
    for column, verdict, figure, head in (
        ("against_london", BELOW, "gap_points", f"people in {where} are less likely than Londoners to"),
        ("against_london", ABOVE, "gap_points", f"people in {where} are more likely than Londoners to"),
        ("change_verdict", FELL, "change_points", "fewer than in the twelve months before"),
        ("change_verdict", ROSE, "change_points", "more than in the twelve months before"),
    ):
        if listed := named(column, verdict, figure):
            parts.append(f"{head} {listed}")
    verdicts = known.height * (1 if known["against_london"].is_null().all() else 2)
    body = (
        ". ".join([*parts[:1], *map(words.capital, parts[1:])])
        or f"no answer in {where} stands out from London's or from the year before"
    )
    missing = rows.filter(pl.col("share").is_null())
    gap = f" Not published: {', '.join(map(_label, missing['question']))}." if missing.height else ""
    inside = "" if known["against_london"].is_null().all() else " London contains the borough, which is allowed for."
    return (
        f"{to}, {body}.{gap} Verdicts at 95%: {verdicts}. Values cover twelve months, so only those four quarters apart are "
        f"compared.{inside}"
    )


def survey_years(book: Book, values: pl.DataFrame) -> Figure | Absent:
    """Values four quarters apart, a panel a question, with intervals and London's line; points, since quarters between overlap.

    Parameters
    ----------
    values : `measures.engagement.yearly_values`.
    """
    name, where = "survey-years", book.area.name
    if values["to"].n_unique() < 2:
        return Absent(name, f"fewer than two values four quarters apart for {where}")
    questions = [q for q in QUESTIONS if q in values["question"]]
    ends = {q: values.filter(question=q).sort("to") for q in questions}
    panels = [_panel(ends[q], _label(q), london=not book.area.is_london) for q in questions]
    first, last = values["to"].min(), values["to"].max()
    moves = {q: 100 * (f["share"][-1] - f["share"][0]) for q, f in ends.items()}
    clear = [q for q, f in ends.items() if f["high"][-1] < f["low"][0] or f["low"][-1] > f["high"][0]]
    down = [q for q in clear if moves[q] < 0]
    title = words.fitting(
        f"{words.capital(words.or_none(len(down)))} of {words.number(len(questions))} survey answers in {where} fell "
        f"clearly, {first:%Y} to {last:%Y}",
    )
    listed = "; ".join(
        f"{_label(q)} {100 * f['share'][0]:.0f}% ({f['to'][0]:%Y}) to {100 * f['share'][-1]:.0f}% ({f['to'][-1]:%Y})"
        for q, f in ends.items()
    )
    return charts.assemble(
        book,
        name,
        alt.vconcat(*[alt.hconcat(*panels[i : i + 2], spacing=24) for i in range(0, len(panels), 2)], spacing=14),
        values,
        title=title,
        subtitle=f"Public Attitude Survey, {where}{'' if book.area.is_london else ' (dots, 95%) and London (line)'}: twelve months to "
        f"{last:%B} of each year, {first:%Y} to {last:%Y}",
        alt_text=f"Dot and interval charts in separate panels of shares who agree where {listed}.",
        sentence=f"Between the twelve months to {first:%B %Y} and those to {last:%B %Y}, in {where}: {listed}. The survey's questions "
        "and how people were interviewed may have changed between; clearly means that the first and the last interval do not overlap; "
        f"no chart of single quarters is drawn, for neighbouring ones share "
        "three quarters of their interviews.",
        claim=title,
        how="the first and last rows of each question in the CSV; clearly means that their intervals do not overlap",
        moved="",
        source=sources()["mopac-attitudes"].line,
    )


def _panel(rows: pl.DataFrame, label: str, *, london: bool) -> alt.LayerChart:
    x = alt.X("to:T", title=None, axis=alt.Axis(format="%Y", tickCount="year", grid=False, labelOverlap=True))
    y = alt.Y("low:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=3))
    base = alt.Chart(rows)
    layers = [base.mark_line(color=theme.CONTEXT, strokeWidth=2).encode(x=x, y=alt.Y("london:Q"))] if london else []
    layers += [
        base.mark_rule(strokeWidth=2, color=theme.LIGHT_BLUE).encode(x=x, y=y, y2="high:Q"),
        base.mark_point(filled=True, size=35, opacity=1, color=theme.DARK_BLUE).encode(x=x, y="share:Q"),
    ]
    heading = alt.TitleParams(text=label, fontSize=12, anchor="start", frame="group", offset=6)
    return alt.layer(*layers).properties(width=(theme.WIDTH - 150) // 2, height=80, title=heading)


# -- events -------------------------------------------------------------------------------------------------------------


def not_captured(book: Book, total: pl.DataFrame) -> Absent | None:
    """Why nothing is shown of meetings and priorities, and the command that gets them; None where they can be shown.

    No ward of a borough was captured, or for London not every one.

    Parameters
    ----------
    total : `measures.engagement.whole_period`.
    """
    captured = total.filter(pl.col("status") != measures.NOT_CAPTURED).height
    if captured and not (book.area.is_london and captured < total.height):
        return None
    held = f"captures of {captured} of {total.height} wards only" if captured else "no capture of them"
    return Absent(
        "meetings-and-priorities",
        f"cannot say what police teams published for wards of {book.area.name}, for the edition holds {held} (to "
        "capture what is published now: wardbook fetch --source engagement, then wardbook build)",
    )


def events_map(book: Book, total: pl.DataFrame, wards: pl.DataFrame, *, span: str, outlines: str = "") -> Figure:
    """Published events per 1,000 residents a quarter on the ward map, the ranked list beside it.

    Parameters
    ----------
    total : `measures.engagement.whole_period`.
    span : the quarters in words.
    """
    name, where = "event-coverage", book.area.name
    known = total.filter(pl.col("events").is_not_null())
    rows = known.with_columns(pl.col("events_per_1000_a_quarter").alias("rate")).sort(
        "rate", "ward_code", descending=[True, False]
    )
    rows = rows.with_columns(pl.int_range(1, pl.len() + 1).cast(pl.Int64).alias("rank"))
    plan = maps.ward_plan(wards, rows["ward_code"], outlines)
    chart, drawn = maps.map_and_list(rows, plan, value="rate", unit="events per 1,000 residents a quarter")
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    none = rows.filter(status=measures.NONE_PUBLISHED)["ward"].to_list()
    gone = total.filter(status=measures.NOT_CAPTURED)["ward"].to_list()
    title = words.fitting(
        f"Published events in {where} run from {_rate(last)} to {_rate(first)} per 1,000 residents a quarter",
        f"Published events in {where}: {_rate(last)} to {_rate(first)} per 1,000 residents",
    )
    return charts.assemble(
        book,
        name,
        chart,
        drawn.select("ward_code", "ward", "rank", "events", "event_hours", "residents", "rate", "status", "class"),
        title=title,
        subtitle=f"Events that police teams published per 1,000 residents a quarter, wards of {where}, {span}. "
        f"{plan.subtitle}",
        alt_text=f"{plan.kind} and ranked chart of {rows.height} wards where published events run from {_rate(last)} in {last['ward']} "
        f"to {_rate(first)} in {first['ward']}.",
        sentence=f"In {span}, published events ran from {_rate(last)} per 1,000 residents a quarter in {last['ward']} to {_rate(first)} in "
        f"{first['ward']}. None published: {', '.join(none) or 'no ward'}. Not captured in some quarter, and so without a figure: "
        f"{', '.join(gone) or 'no ward'}. {UPCOMING} {plan.note}".rstrip(),
        claim=title,
        how="1,000 × events ÷ residents ÷ quarters, row by row, from the CSV",
        moved="",
        source=f"{CAPTURED.line}; {sources()['gla-ethnic-group'].line}",
    )


def _rate(row: Mapping) -> str:
    return f"{row['rate']:.2f}"


ALL_OFFENCES = tables.TOTAL


def beside_rate(total: pl.DataFrame, counts: pl.DataFrame, column: str) -> pl.DataFrame:
    """Each ward's published events beside another count per 1,000 residents: `other_per_1000`, null where it is not counted or
    withheld for being small.

    Parameters
    ----------
    total : `measures.engagement.whole_period`.
    counts : `ward_code` and the column of counts.
    """
    joined = total.join(counts.select("ward_code", pl.col(column).alias("count")), on="ward_code", how="left")
    uncounted = joined["count"].is_null()
    joined = withhold.withhold(joined, "count", totals=["borough_code"], hidden=uncounted, exempt=True)
    return joined.with_columns((1000 * pl.col("count") / pl.col("residents")).alias("other_per_1000"))


def against_crime(book: Book, rows: pl.DataFrame) -> Figure | Absent:
    """Published events against recorded offences by ward; `rows` from `beside_rate`."""
    what, source = f"recorded offences in {book.period}", sources()["mps-ward-crime"].line
    return _against(book, rows, name="events-and-crime", what=what, short="recorded crime", source=source)


def against_stops(book: Book, rows: pl.DataFrame, year: str) -> Figure | Absent:
    """Published events against stops and searches by ward; `rows` from `beside_rate`."""
    what, source = f"stops and searches in {year}", sources()["police-uk-stops"].line
    return _against(book, rows, name="events-and-stops", what=what, short="searches", source=source)


def _against(book: Book, rows: pl.DataFrame, *, name: str, what: str, short: str, source: str) -> Figure | Absent:
    where = book.area.name
    drawn = rows.drop_nulls(["events_per_1000_a_quarter", "other_per_1000"])
    found = measures.rank_correlation(drawn["events_per_1000_a_quarter"].to_list(), drawn["other_per_1000"].to_list())
    if found.rho is None:
        return Absent(
            name, f"cannot say whether wards of {where} with more {what} have more published events: {_why_not(found)}"
        )
    how = _direction(found)
    says = f"have {how} published events" if how else "do not differ clearly in published events"
    title = words.fitting(
        f"Wards of {where} with more {what} {says}",
        f"Wards with more {short} {says}",
        f"Wards with more {short}: {how or 'cannot tell'}",
    )
    x = alt.X(
        "other_per_1000:Q", title=f"{what} per 1,000 residents", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6)
    )
    y = alt.Y(
        "events_per_1000_a_quarter:Q",
        title="published events per 1,000 residents a quarter",
        scale=alt.Scale(zero=True),
    )
    plotted = drawn.select("ward", "events_per_1000_a_quarter", "other_per_1000").sort("other_per_1000")
    dots = alt.Chart(plotted).mark_point(filled=True, size=70, opacity=1, color=theme.DARK_BLUE).encode(x=x, y=y)
    ends = [
        alt.Chart(row).mark_text(dy=-11, fontSize=11, align=align).encode(x=x, y=y, text="ward:N")
        for row, align in ((plotted.head(1), "left"), (plotted.tail(1), "right"))
    ]
    return charts.assemble(
        book,
        name,
        alt.layer(dots, *ends).properties(width=theme.WIDTH - 130, height=240),
        drawn.select("ward_code", "ward", "events_per_1000_a_quarter", "other_per_1000"),
        title=title,
        subtitle=f"Published events a quarter and {what}, each per 1,000 residents, {drawn.height} wards of {where}",
        alt_text=f"Scatter chart of {drawn.height} wards where the rank correlation of published events with {what} is {_rho(found)}.",
        sentence=f"Across {drawn.height} wards of {where}, the rank correlation of published events with {what}, both per resident, is "
        f"{_rho(found)}: wards with more {what} {says}. It says which wards, not why.{withhold.note(rows)}",
        claim=title,
        how="Spearman's rank correlation of the two columns of the CSV",
        moved="",
        source=f"{CAPTURED.line}; {source}; {sources()['gla-ethnic-group'].line}",
    )


def _rho(found: RankCorrelation) -> str:
    if found.low is None:
        return _signed(found.rho)
    return f"{_signed(found.rho)} ({_signed(found.low)} to {_signed(found.high)})"


def _signed(value: float) -> str:
    return f"{abs(value):.2f}" if round(value, 2) == 0 else f"{'+' if value > 0 else words.MINUS}{abs(value):.2f}"


def _direction(found: RankCorrelation) -> str:
    if found.low is not None and found.low > 0:
        return "more"
    if found.high is not None and found.high < 0:
        return "fewer"
    return ""


def _why_not(found: RankCorrelation) -> str:
    if found.n < measures.TOO_FEW_WARDS:
        n = words.number(found.n) if found.n else "none"
        return f"{n} of its wards have both figures, and {words.number(measures.TOO_FEW_WARDS)} are wanted"
    return "its wards do not differ in one of the two"


def priorities(book: Book, rows: pl.DataFrame) -> Figure | Absent:
    """How old each ward's published priorities are, and for which an action has been published.

    Parameters
    ----------
    rows : `measures.engagement.priorities_in_force` with `ward`.
    """
    name, where = "priorities", book.area.name
    if rows.is_empty():
        return Absent(name, f"no priority was published for wards of {where} when they were captured")
    acted = rows.filter(pl.col("days_to_action").is_not_null())
    median = rows["age_days"].median()
    title = words.fitting(
        f"{acted.height} of {rows.height} published priorities in {where} have a published action",
    )
    state = (
        pl.when(pl.col("days_to_action").is_not_null())
        .then(pl.lit("action published"))
        .otherwise(pl.lit("no action yet"))
    )
    drawn = rows.with_columns(state.alias("state")).sort("age_days", "ward", descending=[True, False])
    chart = (
        alt.Chart(drawn.select("ward", "age_days", "state"))
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=alt.X("age_days:Q", title="days from issue to the newest capture", scale=alt.Scale(zero=True)),
            y=alt.Y("ward:N", sort=drawn["ward"].unique(maintain_order=True).to_list(), title=None),
            color=alt.Color(
                "state:N",
                scale=alt.Scale(domain=["action published", "no action yet"], range=[theme.DARK_BLUE, theme.ORANGE]),
            ),
        )
        .properties(width=theme.WIDTH - 260, height=alt.Step(18))
    )
    took = f" Where one has, it took {acted['days_to_action'].median():.0f} days in the median." if acted.height else ""
    return charts.assemble(
        book,
        name,
        chart,
        drawn.select(
            "ward_code", "ward", "issue", "issue_date", "action_date", "capture_date", "age_days", "days_to_action"
        ),
        title=title,
        subtitle=f"Priorities that police teams published, by days since issue, wards of {where}, as captured up to "
        f"{rows['capture_date'].max():%d %B %Y}",
        alt_text=f"Dot chart of {rows.height} priorities by ward where ages run from {rows['age_days'].min()} to "
        f"{rows['age_days'].max()} days and {acted.height} have a published action.",
        sentence=f"Of {rows.height} priorities published for wards of {where}, {acted.height} have a published action; the median one is "
        f"{median:.0f} days old.{took} A published action says what residents were told, not what was done.",
        claim=title,
        how="rows of the CSV with days_to_action, of all",
        moved="",
        source=CAPTURED.line,
    )


def data_sentence(table: pl.DataFrame) -> str:
    """How many ward-quarters had events, none, or no capture."""
    tally = [(status, table.filter(status=status).height) for status in measures.STATUSES]
    counted = ", ".join(f"{words.or_none(n)} {status}" for status, n in tally)
    return f"Of {table.height} ward-quarters ({quarters_text(table['quarter'].unique())}): {counted}. {UPCOMING}"


def quarters_text(quarters: Iterable[date]) -> str:
    """Calendar quarters in words, first to last; "no quarter" where there is none."""
    if not (quarters := list(quarters)):
        return "no quarter"
    names = ("January to March", "April to June", "July to September", "October to December")
    one = [f"{names[(q.month - 1) // 3]} {q.year}" for q in sorted(quarters)]
    return (
        one[0] if len(one) == 1 else f"{one[0]} and {one[-1]}" if len(one) == 2 else f"{one[0]}, and each to {one[-1]}"
    )
