"""The charts of a trend and their words: a month against its expected range, groups side by side, two windows compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import altair as alt
import polars as pl

from wardbook.catalogue import sources
from wardbook.figures import theme, words
from wardbook.figures.charts import assemble, spaced
from wardbook.figures.export import Absent, Figure
from wardbook.figures.words import SHORT, fitting
from wardbook.measures import trends
from wardbook.measures.usual import TOO_FEW, Change
from wardbook.notebook import Book

_FEW = ("too few", "fewer than", "no offence")


def _span(first: date, last: date) -> str:
    start = f"{first:%B}" if first.year == last.year else f"{first:%B %Y}"
    return f"{last:%B %Y}" if first == last else f"{start} to {last:%B %Y}"


def _is_few(why: str) -> bool:
    return why.startswith(_FEW)


def _short(name: str) -> str:
    return SHORT.get(name, name)


# -- words -------------------------------------------------------------------------------------------------------------


def month_title(row: Mapping) -> str:
    """A finding about one group's newest judged months, at most fifteen words; a row of `monitor_groups`."""
    what, where = _short(row["group"]), row["area"]
    if row["verdict"] == "cannot say":
        if _is_few(row["why"]):
            return fitting(
                f"Too few recorded in {where} to say whether {what} is changing",
                f"{where}: {what}, too few recorded to say",
            )
        return fitting(
            f"Cannot say whether recorded {what} in {where} is changing",
            f"{where}: cannot say whether {what} is changing",
        )
    if row["verdict"] == "little different":
        return fitting(
            f"Recorded {what} in {where} was little different from what was expected",
            f"{where}: {what} little different from what was expected",
        )
    by = (
        f"{words.percent(row['change_percent'], digits=0)} {'above' if row['change_percent'] > 0 else 'below'} expected"
    )
    return fitting(f"Recorded {what} in {where} {row['verdict']}: {by}", f"{where}: {what} {row['verdict']}: {by}")


def month_sentence(row: Mapping, *, level: float = trends.LEVEL) -> str:
    """One group's newest judged months in two sentences: the total with both intervals, then the months outside."""
    what, where = row["group"], row["area"]
    if row["months"] == 0:
        return f"In {where}, whether recorded {what} is changing: cannot say, {row['why']}."
    when = _span(row["from_month"], row["to_month"])
    counts = f"{words.count(row['observed'])} against {words.count(row['expected'])} expected"
    start = f"In {where}, recorded {what}, {when}: {counts} from the months before"
    if row["change_percent"] is None:
        return f"{start}: {row['why']}, too few to describe a change."
    if row["verdict"] == "little different":
        verdict = "that is little different from what was expected"
    else:
        verdict = f"it {row['verdict']}"
    chance = words.percent(100 * row["false_alarm_rate"])
    return (
        f"{start}, {words.signed(row['change_percent'])} ({words.intervals(row)}): {verdict}. {_outside(row)} "
        f"({100 * level:g}%); had nothing changed, {chance} of months would be outside (simulated)."
    )


def _outside(row: Mapping) -> str:
    months, out = row["months"], row["above"] + row["below"]
    if out == 0:
        whole = "The one month was" if months == 1 else f"All {words.number(months)} months were"
        return f"{whole} within the expected range"
    ways = [f"{words.number(n)} {'was' if n == 1 else 'were'} {way}" for way in ("above", "below") if (n := row[way])]
    return f"Of {words.number(months)} months, {' and '.join(ways)} the expected range"


def breaks_sentence(breaks: pl.DataFrame) -> str:
    """What breaks a series, and that no level is compared across it."""
    if breaks.is_empty():
        return "No break is declared in this series."
    named = "; ".join(f"{_break_label(row)}: {row['what'].rstrip('.')}" for row in breaks.iter_rows(named=True))
    return f"Declared breaks, across which no level is compared: {named}."


def _break_label(row: Mapping) -> str:
    when = f"{row['from_month']:%b %Y}"
    return (
        f"{row['break_id']} ({when} to {row['to_month']:%b %Y})" if row["to_month"] else f"{row['break_id']} ({when})"
    )


def groups_sentence(rows: pl.DataFrame) -> str:
    """Which groups rose, which fell, which only varied, and of which nothing can be said and why."""
    parts = []
    for verdict in ("rose clearly", "fell clearly"):
        found = rows.filter(verdict=verdict)
        named = ", ".join(f"{r['group']} ({words.signed(r['change_percent'])})" for r in found.iter_rows(named=True))
        parts += [f"{verdict}: {named}"] if named else []
    varied = rows.filter(verdict="little different")
    parts.append(f"only varied: {words.groups_and_total(varied, 'group')}")
    unknown = rows.filter(verdict="cannot say")
    for why in unknown["why"].unique(maintain_order=True):
        parts.append(f"cannot say ({', '.join(unknown.filter(why=why)['group'])}): {why}")
    judged = rows.filter(pl.col("months") > 0)
    when = f", {_span(judged['from_month'].min(), judged['to_month'].max())}" if judged.height else ""
    return f"In {rows['area'][0]}{when}, against what was expected from the months before: {'; '.join(parts)}."


def signals_sentence(months: pl.DataFrame, rows: pl.DataFrame) -> str:
    """How many of all judged months were outside, beside the share that would be had nothing changed."""
    judged = months.filter(pl.col("signal") != "cannot say")
    if judged.is_empty():
        return "No month of any group could be judged."
    out = judged.filter(pl.col("signal") != "within").height
    rate = rows["false_alarm_rate"].drop_nulls()
    chance = f"; had nothing changed, about {words.percent(100 * rate.mean())} would be" if len(rate) else ""
    return (
        f"Since {judged['month'].min():%B %Y}, {words.count(out)} of {words.count(judged.height)} judged months of all groups "
        f"({words.percent(100 * out / judged.height)}) {'was' if out == 1 else 'were'} outside their expected range{chance} (simulated)."
    )


# -- one series --------------------------------------------------------------------------------------------------------


def monthly(
    book: Book, months: pl.DataFrame, row: Mapping, breaks: pl.DataFrame, *, name: str, level: float = trends.LEVEL
) -> Figure:
    """A monthly series with its expected range, the months outside marked, and every declared break as a labelled rule.

    Parameters
    ----------
    months, row : one group of `trends.monitor_groups`.
    breaks : the breaks declared for it.
    """
    data = months.select("month", "observed", "expected", "lower", "upper", "signal", "segment", "note")
    known = data.filter(pl.col("signal") != "cannot say")
    signals = known.filter(pl.col("signal") != "within")
    kinds = ["recorded", "expected range", "outside it"]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[theme.DARK_BLUE, theme.LIGHT_BLUE, theme.DARK_PINK]),
        legend=alt.Legend(orient="bottom", symbolOpacity=1) if known.height else None,
    )
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%Y", tickCount="year", grid=False, labelOverlap=True))
    y = alt.Y("observed:Q", title="a month", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    judged, outside = alt.Chart(known), alt.Chart(signals)
    layers = [
        *_break_layers(breaks, data["month"].min(), data["month"].max()),
        judged.transform_calculate(kind="'expected range'")
        .mark_area(opacity=0.45, interpolate="monotone")
        .encode(x=x, y=alt.Y("lower:Q", title="a month"), y2="upper:Q", detail="segment:N", color=colour),
        alt.Chart(data)
        .transform_calculate(kind="'recorded'")
        .mark_line(strokeWidth=1.5)
        .encode(x=x, y=y, color=colour),
        outside.transform_calculate(kind="'outside it'")
        .mark_point(size=45, filled=True, opacity=1)
        .encode(x=x, y=y, color=colour),
    ]
    band = f"; band: expected range ({100 * level:g}%)." if known.height else f". No expected range: {row['why']}."
    outside_text = f"{signals.height} of {known.height} judged months {'is' if signals.height == 1 else 'are'} outside their expected range"
    rate = row["false_alarm_rate"]
    chance = f" False alarms, simulated: {words.percent(100 * rate)} of months." if rate is not None else ""
    sentence = month_sentence(row, level=level)
    rules = "; ".join(_break_label(r) for r in breaks.iter_rows(named=True))
    title = month_title(row)
    return assemble(
        book,
        name,
        alt.layer(*layers).properties(width=theme.WIDTH - 70, height=260),
        data,
        title=title,
        subtitle=f"Recorded {row['group']} a month, {row['area']}, {_span(data['month'].min(), data['month'].max())}"
        f"{band}{chance}",
        alt_text=f"Line chart of recorded {row['group']} a month in {row['area']} where "
        + (outside_text if known.height else "no month could be judged")
        + (f", with dashed rules at declared breaks: {rules}" if rules else "")
        + f". {sentence}",
        sentence=sentence,
        claim=title,
        how=f"observed ÷ expected − 1, each summed over {_judged_span([row])} of the CSV" if row["months"] else "",
        moved=words.far(row) if row["months"] else "",
        source=_recorded(book),
    )


def _judged_span(rows: Sequence[Mapping]) -> str:
    """Which months of a CSV a verdict sums: its judged months may be more."""
    spans = {(row["from_month"], row["to_month"]) for row in rows if row["months"]}
    if len(spans) != 1:
        return "the judged months from from_month to to_month in tables/trends_summary.csv"
    (first, last), *_ = spans
    return f"the judged months from {first:%B %Y} to {last:%B %Y}"


def _recorded(book: Book) -> str:
    return f"{sources()['mps-borough-crime'].line} (to {_longest(book)})"


def _longest(book: Book) -> str:
    return max(book.edition.snapshots, key=lambda name: (len(book.edition.snapshots[name]), name))


def _break_layers(breaks: pl.DataFrame, first: date, last: date) -> list[alt.Chart]:
    """Spells as grey ground, breaks as dashed rules, their labels above the plot on lines of their own."""
    breaks = breaks.filter(pl.col("from_month") <= last, pl.coalesce("to_month", "from_month") >= first)
    if breaks.is_empty():
        return []
    marked = breaks.with_row_index("line").select(
        pl.max_horizontal("from_month", pl.lit(first)),
        (pl.col("from_month") >= first).alias("begins"),
        pl.when(pl.col("to_month") < last)
        .then("to_month")
        .when(pl.col("to_month").is_not_null())
        .then(last)
        .alias("to_month"),
        pl.Series("label", [_break_label(row) for row in breaks.iter_rows(named=True)]),
        "line",
    )
    layers = [
        alt.Chart(marked.filter(pl.col("to_month").is_not_null()))
        .mark_rect(color=theme.FAINT, opacity=0.7)
        .encode(x="from_month:T", x2="to_month:T"),
        alt.Chart(marked.filter("begins")).mark_rule(strokeDash=[5, 4], color=theme.DARK_GREY).encode(x="from_month:T"),
    ]
    for row in marked.iter_rows(named=True):
        late = row["from_month"] - first > (last - first) / 2
        layers.append(
            alt.Chart(marked.filter(line=row["line"]))
            .mark_text(align="right" if late else "left", dx=-3 if late else 3, fontSize=11, color=theme.DARK_GREY)
            .encode(x="from_month:T", y=alt.value(-8 - 14 * (marked.height - 1 - row["line"])), text="label:N")
        )
    return layers


# -- groups side by side -----------------------------------------------------------------------------------------------


def groups(
    book: Book, months: pl.DataFrame, rows: pl.DataFrame, breaks: pl.DataFrame, *, name: str = "groups", last: int = 36
) -> Figure:
    """One screen of small multiples: which offence groups changed, and which only varied; `last` months of each.

    Parameters
    ----------
    breaks : declared for these series; those in sight are drawn in every panel they apply to.
    """
    end = months["month"].max()
    seen = sorted(months["month"].unique().to_list())[-last:]
    data = months.filter(pl.col("month") >= seen[0]).select(
        "group", "month", "observed", "expected", "lower", "upper", "signal", "segment"
    )
    data = data.join(rows.select("group", "verdict", "change_percent"), on="group", maintain_order="left")
    cuts = breaks.filter(pl.coalesce("to_month", "from_month") > seen[0], pl.col("from_month") <= end)
    panels = [_panel(data.filter(group=row["group"]), row, cuts) for row in rows.iter_rows(named=True)]
    shown = "; ".join(_panel_label(row).replace("\n", ": ") for row in rows.iter_rows(named=True))
    title = words.groups_title(rows)
    labels = "; ".join(_break_label(row) for row in cuts.unique("break_id", maintain_order=True).iter_rows(named=True))
    dashed = f" Grey or dashed: {labels}." if labels else ""
    return assemble(
        book,
        name,
        alt.concat(*panels, columns=3, spacing={"row": 14, "column": 16}).resolve_scale(y="independent"),
        data,
        title=title,
        subtitle=f"Recorded offences a month by group, {rows['area'][0]}, {_span(seen[0], end)}; band: expected range; dots: "
        f"months outside it. Dark: changed more than years usually do.{dashed}",
        alt_text=f"Small line charts of recorded offences a month by group where {shown}.",
        sentence=groups_sentence(rows),
        claim=title,
        how=f"observed ÷ expected − 1, each summed by group over {_judged_span(rows.to_dicts())} of the CSV",
        moved="the column moved_this_far of tables/trends_summary.csv",
        source=_recorded(book),
    )


def _panel_label(row: Mapping) -> str:
    if row["verdict"] == "cannot say":
        return f"{_short(row['group'])}\n{'too few to say' if _is_few(row['why']) else 'cannot say'}"
    how = "only varied" if row["verdict"] == "little different" else row["verdict"]
    return f"{_short(row['group'])}\n{how}, {words.signed(row['change_percent'], digits=0)}"


def _panel(data: pl.DataFrame, row: Mapping, cuts: pl.DataFrame) -> alt.LayerChart:
    changed = row["verdict"] in ("rose clearly", "fell clearly")
    ink = theme.FOCUS if changed else theme.CONTEXT
    applies = (pl.col("offence_groups") == "all") | pl.col("offence_groups").str.split(" | ").list.contains(
        pl.lit(row["group"])
    )
    x = alt.X(
        "month:T",
        title=None,
        axis=alt.Axis(format="%Y", tickCount="year", grid=False, labelFontSize=10, labelOverlap=True),
    )
    axis = alt.Axis(tickCount=3, labelFontSize=10)
    judged = alt.Chart(data.filter(pl.col("signal") != "cannot say"))
    layers = [
        *_break_layers(cuts.filter(applies), data["month"].min(), data["month"].max())[:2],
        judged.mark_area(color=theme.LIGHT_BLUE, opacity=0.4).encode(
            x=x, y=alt.Y("lower:Q", title=None, axis=axis, scale=alt.Scale(zero=True)), y2="upper:Q", detail="segment:N"
        ),
        alt.Chart(data)
        .mark_line(color=ink, strokeWidth=1.5, strokeJoin="round")
        .encode(x=x, y=alt.Y("observed:Q", title=None, axis=axis)),
        alt.Chart(data.filter(pl.col("signal").is_in(["above", "below"])))
        .mark_point(color=theme.DARK_PINK, filled=True, opacity=1, size=25)
        .encode(x=x, y="observed:Q"),
    ]
    first, second = _panel_label(row).split("\n")
    heading = alt.TitleParams(
        text=first,
        subtitle=second,
        fontSize=11,
        subtitleFontSize=11,
        lineHeight=13,
        subtitleLineHeight=13,
        offset=4,
        anchor="start",
        frame="group",
        fontWeight="bold" if changed else "normal",
    )
    return alt.layer(*layers).properties(width=165, height=70, title=heading)


# -- series beside each other ------------------------------------------------------------------------------------------


def year_row(name: str, counts: pl.DataFrame, usual=None) -> dict:
    """The newest twelve months against the twelve before them: a row for `beside`; `counts` is `month`, `offences`."""
    (a, b), (c, d) = trends.last_two_years(counts["month"])
    total = [int(counts.filter(pl.col("month").is_between(*w))["offences"].sum()) for w in ((a, b), (c, d))]
    change = Change.between(*total, usual)
    low, high = change.usual_interval or (None, None) if not change.too_few else (None, None)
    noise = (None, None) if change.too_few else change.noise
    return {
        "series": name,
        "baseline": total[0],
        "outturn": total[1],
        "change_percent": None if change.too_few else change.percent,
        "noise_low": noise[0],
        "noise_high": noise[1],
        "usual_low": low,
        "usual_high": high,
        "verdict": "too few to say" if change.too_few else change.verdict,
        "baseline_from": a,
        "to_month": d,
    }


def _said(row: Mapping) -> str:
    text = f"{row['series']} {words.count(row['baseline'])} to {words.count(row['outturn'])}"
    if row["change_percent"] is None:
        return f"{text}: too few to say"
    return f"{text}, {words.signed(row['change_percent'])} ({words.intervals(row)}): {row['verdict']}"


def beside(
    book: Book,
    series: Mapping[str, pl.DataFrame],
    usual: Mapping,
    breaks: pl.DataFrame,
    *,
    name: str,
    measure: str,
    since: date,
) -> Figure | Absent:
    """Series stacked in panels of their own, as totals of twelve months, each against its own first total (= 100).

    Parameters
    ----------
    series : name → `month`, `offences`; all are cut at the last month that all of them hold.
    usual : name → usual variation, where one is known.
    breaks : drawn as dashed, labelled rules; the change over a year says which of them it crosses.
    since : the first month of the first total.
    """
    if lacking := [key for key, frame in series.items() if frame.is_empty()]:
        return Absent(name, f"cannot say: no monthly counts of {' or '.join(lacking)} in this period")
    ends = [frame["month"].max() for frame in series.values()]
    cut = {key: f.filter(pl.col("month").is_between(since, min(ends))) for key, f in series.items()}
    if min(frame.height for frame in cut.values()) < 24:
        return Absent(name, f"cannot say: fewer than 24 months of {measure} up to {min(ends):%B %Y}")
    rows = [year_row(key, frame, usual.get(key)) for key, frame in cut.items()]
    frames = []
    for key, frame in cut.items():
        totals = trends.rolling_year(frame)
        base = totals["total"][0]
        index = pl.col("total") * (100 / base) if base >= TOO_FEW else pl.lit(None, pl.Float64)
        frames.append(totals.select(pl.lit(key).alias("series"), "month", "total", index.alias("index")))
    data = pl.concat(frames)
    first, last = data["month"].min(), data["month"].max()
    ends_after = pl.coalesce("to_month", "from_month")
    crossed = breaks.filter(ends_after > rows[0]["baseline_from"], pl.col("from_month") <= last)
    drawn = breaks.filter(ends_after > first, pl.col("from_month") <= last)
    note = f" The comparison crosses {'; '.join(_break_label(r) for r in crossed.iter_rows(named=True))}."
    note = note if crossed.height else " The comparison crosses no declared break."
    panels = [_index_panel(data.filter(series=r["series"]), r, drawn, labelled=i == 0) for i, r in enumerate(rows)]
    held = set(series) & set(book.history.items("borough_offences"))
    keys = ["mps-borough-crime", "mps-knife-crime"] if held else ["mps-knife-crime"]
    title = beside_title(rows, book.area.name)
    said = "; ".join(_said(row) for row in rows)
    when = f"{_span(*_window(rows[0], 0))} and {_span(*_window(rows[0], 1))}"
    between = f"in {book.area.name}, between the twelve months {when}"
    sentence = f"{words.capital(between)}: {said}.{note}"
    return assemble(
        book,
        name,
        alt.vconcat(*panels, spacing=18),
        data,
        title=title,
        subtitle=f"{words.capital(measure)}, {book.area.name}: totals of twelve months to each month, {_span(first, last)}; "
        "each against its own first total (= 100), or as a count where that is too few",
        alt_text=f"Line charts in separate panels of {measure} where, {between}, {said}.",
        sentence=sentence,
        claim=title,
        how="the last total ÷ the total twelve rows before − 1, series by series, from the CSV",
        moved="",
        source="; ".join(sources()[key].line for key in keys),
    )


def _window(row: Mapping, which: int) -> tuple[date, date]:
    months = pl.date_range(row["baseline_from"], row["to_month"], interval="1mo", eager=True).to_list()
    return (months[0], months[11]) if which == 0 else (months[12], months[23])


def beside_title(rows: Sequence[Mapping], area: str) -> str:
    """What the first series did, and then the last, at most fifteen words."""
    how, other_how = _how(rows[0]), _how(rows[-1])

    def both(a: str, b: str) -> str:
        if len(rows) == 1:
            return f"{area}: recorded {a} {how}"
        said = f"{a} and {b} both {how}" if how == other_how else f"{a} {how}, {b} {other_how}"
        return f"{area}: recorded {said}"

    names = rows[0]["series"], rows[-1]["series"]
    return fitting(both(*names), both(*map(_short, names)), f"{area}: recorded {names[0]} {how}")


def _how(row: Mapping) -> str:
    """A verdict; one that calls a change clear without a history says on what it rests."""
    alone = row["usual_low"] is None and row["verdict"].endswith("clearly")
    return f"{row['verdict']} (counting noise alone)" if alone else row["verdict"]


def _index_panel(data: pl.DataFrame, row: Mapping, breaks: pl.DataFrame, *, labelled: bool) -> alt.LayerChart:
    few = data["index"].null_count() == data.height
    column = "total" if few else "index"
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=6, grid=False, labelOverlap=True))
    y = alt.Y(f"{column}:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4))
    line = alt.Chart(data).mark_line(color=theme.DARK_BLUE, strokeWidth=2).encode(x=x, y=y)
    end = data.tail(1).with_columns(pl.format("{}", pl.col("total")).alias("label"))
    text = (
        alt.Chart(end)
        .mark_text(align="left", dx=6, fontWeight="bold", color=theme.DARK_BLUE)
        .encode(x=x, y=y, text=alt.Text("total:Q", format=","))
    )
    rules = _break_layers(breaks, data["month"].min(), data["month"].max())
    layers = [*(rules if labelled else rules[:2]), line, text]
    if not few:
        hundred = pl.DataFrame({"at": [100.0]})
        layers.insert(0, alt.Chart(hundred).mark_rule(color=theme.CONTEXT).encode(y="at:Q"))
    change = "" if row["change_percent"] is None else f" ({words.signed(row['change_percent'], digits=0)} in a year)"
    unit = "counts, too few to index" if few else "first total = 100"
    heading = alt.TitleParams(
        text=f"{row['series']}: {row['verdict']}{change}; {unit}",
        fontSize=12,
        fontWeight="bold",
        anchor="start",
        frame="group",
        offset=8,
    )
    return alt.layer(*layers).properties(width=theme.WIDTH - 110, height=95, title=heading)


# -- assurance, and two windows ----------------------------------------------------------------------------------------


def assured(book: Book, counts: pl.DataFrame, row: Mapping, *, name: str, months: int = 24) -> Figure | Absent:
    """The months up to the end of a target's period on an XmR chart, with the level the target asks for.

    Parameters
    ----------
    counts : `month`, `offences` of the target's series.
    row : a row of `verdicts.assess_targets` with a baseline and a target for its change.
    """
    if row["target"] is None or row["baseline"] is None or counts.is_empty():
        return Absent(name, f"no target with counts to hold monthly figures of {book.area.name} against")
    from wardbook.periods import financial_year

    until = financial_year(row["period"]).last_month
    data = counts.filter(pl.col("month") <= until).tail(months)
    per_day = pl.col("offences") / pl.col("month").dt.month_end().dt.day() * (365.25 / 12)
    data = data.with_columns(per_day.alias("adjusted"))
    chart = trends.xmr(data["adjusted"].to_list())
    target = row["baseline"] / 12 * (1 + row["target"] / 100)
    answer = trends.assurance(chart, target, direction=row["direction"])
    data = data.with_columns(chart.points["rule"], pl.lit(target).alias("target"))
    data = data.with_columns(mean=pl.lit(chart.mean), lower=pl.lit(chart.lower), upper=pl.lit(chart.upper))
    title = fitting(
        f"{book.area.name} against the {_short(row['measure'])} target, month by month: {answer}",
        f"{book.area.name} against the target, month by month: {answer}",
    )
    sentence = (
        f"In {book.area.name}, recorded {row['measure']} ran at {words.count(chart.mean)} a month of equal length "
        f"({_span(data['month'][0], data['month'][-1])}), with natural limits of {words.count(max(0, chart.lower))} and "
        f"{words.count(chart.upper)}; the target of {words.as_set(row['target'])} on {row['baseline_period']} asks for "
        f"{words.count(target)} ({row['target_owner']}): {answer}."
        + (f" Note: {row['note'].rstrip('.')}." if row["note"] else "")
    )
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=8, grid=False, labelOverlap=True))
    y = alt.Y("adjusted:Q", title="a month", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    lines = pl.DataFrame(
        {"at": [chart.mean, chart.lower, chart.upper], "label": ["mean", "natural limit", "natural limit"]}
    )
    goal = pl.DataFrame({"at": [target]})
    extent = [*lines["at"], target, *data["adjusted"]]
    places = spaced([*lines["at"], target], 14 / 200 * (max(extent) - min(extent)))
    labels = pl.DataFrame({"at": places, "label": [*lines["label"], f"target {words.count(target)}: {answer}"]})
    layers = [
        alt.Chart(lines).mark_rule(color=theme.CONTEXT, strokeWidth=2).encode(y="at:Q"),
        alt.Chart(goal).mark_rule(color=theme.DARK_PINK, strokeWidth=2).encode(y="at:Q"),
        *(
            alt.Chart(labels.filter(pl.col("label").str.starts_with("target") == aim))
            .mark_text(align="left", dx=4, fontSize=11, color=ink)
            .encode(x=alt.value(theme.WIDTH - 180), y="at:Q", text="label:N")
            for aim, ink in ((False, theme.DARK_GREY), (True, theme.DARK_PINK))
        ),
        alt.Chart(data)
        .mark_line(color=theme.DARK_BLUE, point=alt.OverlayMarkDef(color=theme.DARK_BLUE))
        .encode(x=x, y=y),
    ]
    return assemble(
        book,
        name,
        alt.layer(*layers).properties(width=theme.WIDTH - 180, height=200),
        data,
        title=title,
        subtitle=f"Recorded {row['measure']} per month of equal length, {book.area.name}, "
        f"{_span(data['month'][0], data['month'][-1])}. Target: {row['target_owner']}",
        alt_text=f"Control chart of monthly recorded {row['measure']} where the limits are {words.count(max(0, chart.lower))} and "
        f"{words.count(chart.upper)} and the target is {words.count(target)}: {answer}.",
        sentence=sentence,
        claim=title,
        how="mean ± 2.66 × mean moving range of the column adjusted of the CSV, ranges of 3.267 times their mean or more left out "
        "of it once, against the column target",
        moved="",
        source=_recorded(book),
    )


def windows_title(found: trends.BeforeAfter, group: str, area: str) -> str:
    """What happened between two windows relative to the rest of London; unequal windows are in the title, whatever its length."""
    what = _short(group)
    beyond, short = (f" {how} the rest of London" if found.comparison else "" for how in ("relative to", "against"))
    if found.verdict == "cannot say":
        title = fitting(
            f"Too few recorded in {area} to compare two windows of {what}", f"{area}: {what}, too few to compare"
        )
    elif found.verdict == "little different":
        title = fitting(
            f"Recorded {what} in {area} was little different{beyond}",
            f"{area}: {what} little different{short}",
        )
    else:
        change = 100 * (found.ratio - 1)
        said = f"{found.verdict} by {words.percent(change, digits=int(abs(change) < 1))}"
        title = fitting(
            f"Recorded {what} in {area} {said}{beyond}",
            f"{area}: {what} {said}{short}",
            f"{area}: {what} {found.verdict}{short}",
        )
    alone = found.ratio is not None and found.usual is None and found.verdict != "little different"
    notes = ["counting noise alone"] * alone + ["unequal windows"] * (not found.equal)
    return f"{title} ({', '.join(notes)})" if notes else title


def windows_sentence(found: trends.BeforeAfter, group: str, area: str) -> str:
    """Two windows in a few sentences: counts, the ratio with both intervals, per-day rates where unequal, what is crossed."""
    a, b = (words.count(n) for n in found.counts)
    text = f"In {area}, recorded {group} numbered {a} in {_span(*found.first)} and {b} in {_span(*found.second)}"
    if found.comparison:
        a, b = (words.count(n) for n in found.comparison)
        text += f"; in the rest of London {a} and {b}"
    if found.ratio is None:
        return f"{text}: cannot say, {found.why}."
    # A number that rounds to 1.00 would say of a clear change that there is none.
    digits = 3 if any(round(value, 2) == 1 for value in (found.ratio, *found.noise, *(found.usual or ()))) else 2

    def span(low: float, high: float) -> str:
        return f"{low:.{digits}f} to {high:.{digits}f}"

    noise = f"counting noise {span(*found.noise)}"
    usual = f"; usual variation {span(*found.usual)}" if found.usual else f"; {found.why}"
    kind = "ratio of rate ratios" if found.comparison else "rate ratio"
    text += f": {kind} {found.ratio:.{digits}f} ({noise}{usual}): {found.verdict}."
    if not found.equal:
        text += (
            f" Beware, {found.title_note}; per day, {found.per_day[0]:.2f} against {found.per_day[1]:.2f}, "
            "and the months of the year are not the same."
        )
    if found.crosses:
        return f"{text} The comparison crosses: {'; '.join(what.rstrip('.') for what in found.crosses)}."
    return f"{text} The comparison crosses no declared break."


def windows(book: Book, found: trends.BeforeAfter, group: str, *, name: str) -> Figure | Absent:
    """The ratio of rate ratios as a dot with both intervals; a comparison of too few is a sentence."""
    title, sentence = (f(found, group, book.area.name) for f in (windows_title, windows_sentence))
    if found.ratio is None:
        return Absent(name, f"{sentence.rstrip('.')}")
    low, high = found.usual or (None, None)
    shape = {"usual_low": pl.Float64, "usual_high": pl.Float64}
    data = pl.DataFrame(
        {
            "first_window": [_span(*found.first)],
            "second_window": [_span(*found.second)],
            "first": [found.counts[0]],
            "second": [found.counts[1]],
            "rest_first": [found.comparison[0] if found.comparison else None],
            "rest_second": [found.comparison[1] if found.comparison else None],
            "per_day_first": [found.per_day[0]],
            "per_day_second": [found.per_day[1]],
            "ratio": [found.ratio],
            "noise_low": [found.noise[0]],
            "noise_high": [found.noise[1]],
            "usual_low": [low],
            "usual_high": [high],
        },
        schema_overrides=shape,
    )
    kinds = ["ratio", "counting noise", *(["usual variation"] if found.usual else [])]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[theme.DARK_BLUE, theme.MID_BLUE, theme.CONTEXT][: len(kinds)]),
        legend=alt.Legend(orient="bottom", symbolOpacity=1),
    )
    base = alt.Chart(data)
    scale = alt.Scale(zero=False, nice=True)
    axis = alt.Axis(tickCount=6, format=".2f")
    x_title = "ratio (1 = no change)" if not found.comparison else "ratio of rate ratios (1 = as the rest of London)"
    layers = [
        base.transform_calculate(kind="'counting noise'")
        .mark_rule(strokeWidth=4)
        .encode(x=alt.X("noise_low:Q", scale=scale, axis=axis, title=x_title), x2="noise_high:Q", color=colour),
        alt.Chart(pl.DataFrame({"one": [1.0]})).mark_rule(color=theme.DARK_GREY).encode(x="one:Q"),
        base.transform_calculate(kind="'ratio'")
        .mark_point(size=90, filled=True, opacity=1)
        .encode(x="ratio:Q", color=colour),
    ]
    if found.usual:
        bar = base.transform_calculate(kind="'usual variation'").mark_bar(height=18)
        layers.insert(0, bar.encode(x=alt.X("usual_low:Q", scale=scale), x2="usual_high:Q", color=colour))
    noted = f" {words.capital(found.title_note)}." if not found.equal else ""
    return assemble(
        book,
        name,
        alt.layer(*layers).properties(width=theme.WIDTH - 60, height=60),
        data,
        title=title,
        subtitle=f"Recorded {group}, {book.area.name}, {_span(*found.first)} against {_span(*found.second)}; "
        f"95% intervals.{noted}",
        alt_text=f"Dot and interval chart of a {'ratio of rate ratios' if found.comparison else 'rate ratio'} where i{sentence[1:]}",
        sentence=sentence,
        claim=title,
        how="(second ÷ first) ÷ (rest_second ÷ rest_first), from the CSV"
        if found.comparison
        else "per_day_second ÷ per_day_first, from the CSV",
        moved="",
        source=_recorded(book),
    )
