"""Every figure in a sentence: titles, sentences, alt text and challenge lines, computed from the row they describe.

No number is typed into a notebook's prose, because parameters change; and a title that follows the parameters needs its
own wording for a rise, a fall, little change and too few to say.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from wardbook.measures.usual import CANNOT_SAY, TOO_FEW
from wardbook.places import Area
from wardbook.tables import TOTAL

MINUS = "−"
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def count(value: float) -> str:
    """12,251."""
    return f"{value:,.0f}"


def percent(value: float, *, digits: int = 1) -> str:
    """3.1%, unsigned."""
    return f"{abs(value):,.{digits}f}%"


def signed(value: float, *, digits: int = 1) -> str:
    """+3.1% or −3.1%; a change that rounds to nothing has no sign."""
    text = percent(value, digits=digits)
    return text if round(value, digits) == 0 else ("+" if value > 0 else MINUS) + text


def as_set(target: float) -> str:
    """A target as it was set, to its last digit: −20%, −2.5%."""
    return f"{MINUS if target < 0 else '+' if target > 0 else ''}{abs(target):g}%"


def span(low: float, high: float) -> str:
    """−21.5% to +2.3%."""
    return f"{signed(low)} to {signed(high)}"


def number(value: int) -> str:
    """Small numbers in words, as the style guides ask; others in figures."""
    return _NUMBERS[value] if value < len(_NUMBERS) else f"{value:,}"


def or_none(value: int) -> str:
    """`number`, with "none" for 0: to stand without the noun it counts."""
    return number(value) if value else "none"


def possessive(name: str) -> str:
    """Lewisham's, Tower Hamlets'."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def probability(value: float | None) -> str:
    """A probability in words that do not claim more than the model gives."""
    if value is None:
        return ""
    if value < 0.01:
        return "below 1%"
    return "above 99%" if value > 0.99 else f"about {100 * value:.0f}%"


def counts_between(row: Mapping) -> str:
    """ "from 12,251 to 12,632", or the ranges that a leaflet's rounding leaves."""
    return f"from {_one_or_range(row, 'baseline')} to {_one_or_range(row, 'outturn')}"


def _one_or_range(row: Mapping, name: str) -> str:
    low, high = row.get(f"{name}_low", row[name]), row.get(f"{name}_high", row[name])
    return count(low) if low == high else f"{count(low)}–{count(high)}"


def _moved(row: Mapping) -> str:
    return "rose" if middle(row) > 0 else "fell" if middle(row) < 0 else "did not change"


def middle(row: Mapping) -> float | None:
    """The change, or the middle of its range where only a range is known: where a dot is drawn; None without either."""
    if row["change_percent"] is not None:
        return row["change_percent"]
    if row.get("change_low") is None:
        return None
    return (row["change_low"] + row["change_high"]) / 2


def change_figure(row: Mapping) -> str:
    """The change itself, or its range where only a range is known."""
    return (
        signed(row["change_percent"])
        if row["change_percent"] is not None
        else span(row["change_low"], row["change_high"])
    )


def too_few(row: Mapping) -> bool:
    """A row with counts that are too few to describe a change of."""
    return row["change_verdict"] == CANNOT_SAY and row["baseline"] is not None and row["outturn"] is not None


def is_level(row: Mapping) -> bool:
    """A row about a share and its target, not about a change of counts."""
    return row.get("result_percent") is not None


def intervals(row: Mapping) -> str:
    """Both intervals, or the sentence that there is only one."""
    noise = f"counting noise {span(row['noise_low'], row['noise_high'])}"
    if row["usual_low"] is None:
        return f"{noise}; no history to learn usual variation from"
    return f"{noise}; usual variation {span(row['usual_low'], row['usual_high'])}"


# -- one row ------------------------------------------------------------------------------------------------------------


# Names as a title has room for them; the subtitle and the sentence give them whole.
SHORT = {
    "total recorded offences excluding fraud": "offences",
    "violence without injury including stalking and harassment": "non-injury violence and harassment",
    "death or serious injury by illegal driving": "death or injury by illegal driving",
    "theft or taking of a motor vehicle": "vehicle theft",
    "theft or taking of vehicles": "vehicle theft",
    "theft from a vehicle": "theft from vehicles",
    "MOPAC 7 offences together": "MOPAC 7",
    "knife injury victims aged 1 to 24": "knife injury victims",
    "public confidence (police do a good job)": "confidence",
    "victim satisfaction gap (White less Black and Minority Ethnic, as printed)": "the satisfaction gap",
}
_TITLE_WORDS = 15


def fitting(*titles: str) -> str:
    """The first title of at most fifteen words; the last is short whatever the names."""
    return next((title for title in titles if len(title.split()) <= _TITLE_WORDS), titles[-1])


def change_title(row: Mapping) -> str:
    """A finding about one change, at most fifteen words."""
    what, where = SHORT.get(row["measure"], row["measure"]), row["area"]
    if too_few(row):
        return fitting(f"Too few recorded in {where} to say how {what} changed", f"Too few recorded in {where} to say")
    if row["noise_low"] is None:
        return fitting(f"Cannot say how {what} changed in {where}", f"Cannot say how this changed in {where}")
    if row["change_verdict"] == "little different":
        said = f"in {where} was little different {_when(row)}"
        return fitting(f"Recorded {what} {said}", f"The recorded count {said}")
    by = f"{row['change_verdict']} by {percent(middle(row), digits=0)}"
    said = f"in {where} {by} {_when(row)}"
    alone = "" if row["usual_low"] is not None else " (counting noise alone)"
    return fitting(
        f"Recorded {what} {said}{alone}",
        f"{capital(what)} {said}{alone}",
        f"The recorded count {said}{alone}",
        f"{where}: {by}{alone}, {row['baseline_period']} to {row['period']}",
    )


def _when(row: Mapping) -> str:
    """The period of a change on the year before it; both periods where years lie between them."""
    before, after = row["baseline_period"], row["period"]
    return f"in {after}" if int(after[:4]) - int(before[:4]) == 1 else f"between {before} and {after}"


def target_title(row: Mapping) -> str:
    """A finding about one target, at most fifteen words."""
    what = SHORT.get(row["measure"], row["measure"])
    if row["verdict"] == CANNOT_SAY:
        said = f"Cannot say whether {row['area']} met"
        return fitting(f"{said} a target for {what}", f"{said} this target")
    how = row["verdict"].replace(" within", ", but within")
    if is_level(row):
        return fitting(f"{row['area']} against the {what} target of {row['target']:g}%: {how}", f"{row['area']}: {how}")
    alone = "" if row["usual_low"] is not None else ", by counting noise alone"
    said = f"target of {as_set(row['target'])}: {how}{alone}"
    return fitting(f"{row['area']} against the {what} {said}", f"{row['area']} against a {said}")


def change_sentence(row: Mapping) -> str:
    """One change in one sentence, with both intervals."""
    where = f"In {row['area']}, recorded {row['measure']}"
    when = f"between {row['baseline_period']} and {row['period']}"
    if row["noise_low"] is None and not too_few(row):
        return f"{where}: cannot say, because {_lower(row['why'])}."
    if too_few(row):
        few = f"fewer than {TOO_FEW} together, or none to start from, are too few to describe a change"
        return f"{where} went {counts_between(row)} {when}: {few}."
    verdict = {"little different": "that is little different from no change"}.get(
        row["change_verdict"], f"it {row['change_verdict']}"
    )
    return f"{where} {_moved(row)} {counts_between(row)} {when}, {change_figure(row)} ({intervals(row)}): {verdict}."


def target_sentence(row: Mapping) -> str:
    """One target in a sentence or two: the change, the target, the verdict, the probability, and why where it cannot be said."""
    owner = row["target_owner"]
    if row["noise_low"] is None and not too_few(row):
        result = (
            f" The published result is {row['result_percent']:g}"
            + (" points." if row["unit"].startswith("percentage") else "%.")
            if row["result_percent"] is not None
            else ""
        )
        if row["verdict"] == CANNOT_SAY:
            return f"Cannot say whether {row['measure']} met its target ({owner}){_because(row)}.{result}"
        return f"{capital(row['measure'])} ({owner}): {row['verdict']}.{result}"
    if is_level(row):
        return (
            f"{capital(row['measure'])} in {row['area']} ({row['period']}): {row['result_percent']:g}% "
            f"({row['basis']}: {row['noise_low']:.1f}% to {row['noise_high']:.1f}%). "
            f"Against the target of {row['target']:g}% ({owner}), {row['verdict']}."
        )
    text = change_sentence(row)
    if row["verdict"] == CANNOT_SAY:
        return f"{text} Cannot say whether it met the target ({owner}){_because(row)}."
    chance = (
        f"; the probability that the underlying change met it is {probability(row['probability_met'])}"
        if row["probability_met"] is not None
        else ""
    )
    printed = (
        f" The published figure is {signed(row['printed_percent'])}." if row["printed_percent"] is not None else ""
    )
    return f"{text} Against the target of {as_set(row['target'])} ({owner}), {row['verdict']}{chance}.{printed}"


def _because(row: Mapping) -> str:
    return f": {_lower(row['why'])}" if row["why"] else ""


def verdict_phrase(row: Mapping) -> str:
    """The verdict; with its reason where there is none to give."""
    return row["verdict"] + (_because(row) if row["verdict"] == CANNOT_SAY else "")


def row_labels(row: Mapping, *, against_target: bool) -> tuple[str, str]:
    """The words beside a row of a chart: a verdict, and the counts under it."""
    if too_few(row):
        return "too few to say", f"{_one_or_range(row, 'baseline')} to {_one_or_range(row, 'outturn')}"
    if row["noise_low"] is None:
        return CANNOT_SAY, ""
    detail = f"{change_figure(row)} ({_one_or_range(row, 'baseline')} to {_one_or_range(row, 'outturn')})"
    if row.get("printed_verdict") and row["target"] is None:
        return f"printed: {row['printed_verdict']}; ours: {row['verdict']}", f"{detail}: {row['change_verdict']}"
    alone = "" if row["usual_low"] is not None else " (noise alone)"
    if against_target and row["target"] is not None:
        printed = f"printed: {row['printed_verdict']}; " if row.get("printed_verdict") else ""
        return row["verdict"] + alone, printed + detail
    return row["change_verdict"] + alone, detail


def _lower(text: str | None) -> str:
    text = (text or "").rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def capital(text: str) -> str:
    """The text with its first letter a capital, for the start of a sentence."""
    return text[:1].upper() + text[1:]


# -- a table of rows ------------------------------------------------------------------------------------------------------


def changes_title(rows: pl.DataFrame, *, kind: str = "offence groups") -> str:
    """How many of a table's changes stand out, at most fifteen words; their total is not one of them."""
    area, period = rows["area"][0], rows["period"][0]
    moved = rows.filter(pl.col("change_verdict").str.ends_with("clearly"))
    clear, total = _apart(moved, "measure")
    of = f"of {_apart(rows, 'measure')[0]} {kind}"
    many = capital(or_none(clear))
    if not total:
        return f"{many} {of} in {area} changed clearly in {period}"
    return fitting(
        f"{many} {of} in {area}, and their total, changed clearly in {period}",
        f"{many} {of}, and the total, changed clearly, {area}, {period}",
        f"{many} {of} and the total changed clearly, {area}",
    )


def _apart(rows: pl.DataFrame, column: str) -> tuple[int, bool]:
    """How many groups of offences rows name, and whether the total of them all is there too."""
    groups = rows.filter(pl.col(column) != TOTAL).height
    return groups, rows.height > groups


def groups_and_total(rows: pl.DataFrame, column: str) -> str:
    """12 and the total: how many groups of offences rows name, and the total of them all where it is among them."""
    groups, total = _apart(rows, column)
    if total:
        return f"{number(groups)} and the total" if groups else "the total"
    return or_none(groups)


def groups_title(rows: pl.DataFrame) -> str:
    """How many groups' series changed and how many only varied, at most fifteen words; their total is not one of them."""
    judged = rows.filter(pl.col("verdict") != CANNOT_SAY)
    where, n = rows["area"][0], _apart(judged, "group")[0]
    if judged.is_empty():
        return f"Cannot say which of {number(_apart(rows, 'group')[0])} offence groups in {where} changed"
    changed, total = _apart(judged.filter(pl.col("verdict") != "little different"), "group")
    of = f"{number(n)} offence groups in {where}"
    if changed == 0 and not total:
        return f"None of {of} changed clearly; all only varied"
    clear = or_none(changed) + (" and their total" if total else "")
    return fitting(
        f"Of {of}, {clear} changed clearly; {or_none(n - changed)} only varied",
        f"Of {of}, {clear} changed clearly",
    )


def printed_title(rows: pl.DataFrame) -> str:
    """How many printed changes stand after allowing for their number, at most fifteen words; rows from `bh_family`."""
    area, n = rows["area"][0], number(rows.height)
    noise, usual = (number(rows[c].sum()) for c in ("stands_by_noise", "stands_at_usual"))
    if rows["usual_low"].is_null().all():
        return f"Of {n} printed changes in {area}, after correction {noise} exceed counting noise"
    return f"Of {n} printed changes in {area}, after correction {noise} exceed noise, {usual} usual variation"


def printed_sentence(rows: pl.DataFrame) -> str:
    """Which printed changes stand after Benjamini and Hochberg's correction over the family, and by which variation."""
    if rows.is_empty():
        return "No table of printed verdicts on this area was found, so there is none to compare with."

    def named(column: str) -> str:
        return ", ".join(rows.filter(pl.col(column))["measure"]) or "none"

    unknown = rows.filter(pl.col("usual_low").is_null())["measure"]
    gap = f" No history of usual variation is known for {', '.join(unknown)}." if len(unknown) else ""
    return (
        f"Of the {number(rows.height)} changes printed for {rows['area'][0]} ({rows['period'][0]}), after allowing for their number "
        f"(Benjamini and Hochberg, 5%), these stand out from counting noise: {named('stands_by_noise')}. "
        f"At the year-to-year variation usual since 2010, as a sensitivity: {named('stands_at_usual')}.{gap}"
    )


def targets_title(rows: pl.DataFrame) -> str:
    """How the other targets of an area stand, at most fifteen words: a single one by name, several by their verdicts."""
    if rows.height == 1:
        row = rows.row(0, named=True)
        return target_title(row) if row["verdict"] != CANNOT_SAY else change_title(row)
    judged = rows.filter(pl.col("verdict") != CANNOT_SAY)
    met = judged.filter(pl.col("verdict").str.starts_with("met")).height
    area = rows["area"][0]
    if judged.is_empty():
        return f"None of {number(rows.height)} other targets for {area} can be judged"
    if judged.height == 1:
        return target_title(judged.row(0, named=True))
    return f"{area} met {or_none(met)} of {number(judged.height)} other targets that can be judged"


def changes_sentence(rows: pl.DataFrame) -> str:
    """Which rose, which fell, and how many only varied."""
    parts = []
    for verdict in ("rose clearly", "fell clearly"):
        found = rows.filter(change_verdict=verdict)
        if found.height:
            named = ", ".join(
                f"{row['measure']} ({change_figure(row)}{'' if row['usual_low'] is not None else ', counting noise alone'})"
                for row in found.iter_rows(named=True)
            )
            parts.append(f"{verdict}: {named}")
    rest, few = (rows.filter(change_verdict=verdict) for verdict in ("little different", CANNOT_SAY))
    parts.append(f"little different: {groups_and_total(rest, 'measure')}")
    if few.height:
        parts.append(f"cannot say: {groups_and_total(few, 'measure')}")
    area, period, before = rows["area"][0], rows["period"][0], rows["baseline_period"][0]
    crossed = f" {crossings(rows)}" if "crosses" in rows.columns and any(rows["crosses"].drop_nulls()) else ""
    groups, total = _apart(rows, "measure")
    of = f"{groups} series{' and their total' if total else ''}"
    return f"In {area}, {period} against {before}, of {of}: {'; '.join(parts)}.{crossed}"


def multiplicity(verdicts: int, *, whose: str = "This page holds") -> str:
    """What many verdicts on one page do: said once wherever there are several."""
    expected = 0.05 * verdicts
    share = "fewer than one" if expected < 0.95 else f"about {number(round(expected))}"
    return (
        f"{whose} {number(verdicts)} verdict{'s' if verdicts != 1 else ''} at 95%. "
        f"In a period when nothing but the usual variation happened, {share} of them would still be called clear."
    )


def changes_alt(rows: pl.DataFrame, *, against_target: bool) -> str:
    """Alt text: chart type, data, what it shows, row by row."""
    shown = []
    for row in rows.iter_rows(named=True):
        headline, detail = row_labels(row, against_target=against_target)
        target = f", target {as_set(row['target'])}" if row.get("target") is not None else ""
        shown.append(f"{row['measure']} {detail}{target}: {headline}".replace("  ", " "))
    kind = (
        "Chart without dots of changes"
        if rows["noise_low"].is_null().all()
        else "Dot and interval chart of percentage changes"
    )
    return f"{kind} where {'; '.join(shown)}."


def target_sentences(rows: pl.DataFrame) -> str:
    """One sentence or two a target, a line each; says so where there is none."""
    if rows.is_empty():
        return "No other target with a figure was found."
    return "\n".join(target_sentence(row) for row in rows.iter_rows(named=True))


def basis(row: Mapping) -> str:
    """What a verdict rests on, and what was declared beside it."""
    if not row["basis"]:
        return ""
    detect = row["detectable_fall_percent"]
    smallest = (
        f" At this volume only a fall of about {percent(detect, digits=0)} or more would be seen four times in five."
        if detect
        else ""
    )
    note = f" Note: {row['note']}." if row["note"] else ""
    return f"The verdict rests on {row['basis']}.{smallest}{note}"


def unknown_borough(area: Area, what: str, with_unknown: float | None) -> str:
    """What leaving out the offences of unknown borough does to London's change; for a borough, that it cannot be known."""
    if with_unknown is None:
        return f"Cannot say what {what} of unknown borough would add: no snapshot holds both periods."
    if area.is_london:
        return f"London is its 32 boroughs together; with the {what} whose borough is not known, its change is {signed(with_unknown)}."
    return f"Some {what} have no borough on record; how many of them were in {area.name} is not known."


def crossings(rows: pl.DataFrame) -> str:
    """What the comparisons of a table cross, each said once."""
    found = [text for cell in rows["crosses"].drop_nulls() for text in cell.split("; ") if text]
    unique = list(dict.fromkeys(found))
    return f"These comparisons cross: {'; '.join(unique)}." if unique else "These comparisons cross no declared break."


def recompute(row: Mapping) -> str:
    """How a reader with the counts gets the change."""
    if row["noise_low"] is None:
        return ""
    if row["baseline"] is not None and row["outturn"] is not None and row["baseline"]:
        return f"{count(row['outturn'])} ÷ {count(row['baseline'])} − 1 = {signed(100 * (row['outturn'] / row['baseline'] - 1))}"
    return f"baselines {_one_or_range(row, 'baseline')} reproduce the printed figures"


def far(row: Mapping) -> str:
    """ "137 of 192 borough changes moved at least this far", or that there is no history, or no change to describe."""
    if row["noise_low"] is None:
        return "too few offences to describe a change"
    if not row["moved_this_far"]:
        return "no earlier changes to compare with: counting noise alone"
    return f"{row['moved_this_far']} comparable changes, relative to London, moved at least this far"


def challenge(claim: str, how: str, moved: str, edition: str, command: str) -> str:
    """The line under a figure that lets anyone check it."""
    parts = [
        f"Claim: {claim}",
        how and f"Recompute: {how}",
        moved and f"How unusual: {moved}",
        f"Data: {edition}",
        f"Make it again: {command}",
    ]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."
