"""Words: every title and sentence that a run can print, for every area; and the wording of each kind of finding."""

from __future__ import annotations

import re

import polars as pl
import pytest

import wardbook
from wardbook.figures import words
from wardbook.measures import usual as t
from wardbook.measures import verdicts
from wardbook.notebook import open_book
from wardbook.places import area
from wardbook.sources import met
from wardbook.tables import TOTAL

LONGEST = 15  # words in a title (STYLE.md, "Charts for people who make policy")
CAUSAL = (
    *("because of", "caused", "causes", "due to", "led to", "thanks to", "as a result", "resulted in", "drove"),
    *("driven by", "responsible for", "owing to", "attributable", "impact of", "effect of", "contributed"),
)


@pytest.fixture(scope="module")
def book():
    return open_book(notebook="01_targets")


@pytest.fixture(scope="module")
def judged(book):
    return {
        name: verdicts.assess_targets(area(name), book.targets, book.results, book.history, period=book.period)
        for name in wardbook.boroughs()
    }


@pytest.fixture(scope="module")
def years(book):
    return {name: verdicts.assess_changes(area(name), book.history, period=book.period) for name in wardbook.boroughs()}


@pytest.fixture(scope="module")
def target_rows(judged):
    return [row for table in judged.values() for row in table.iter_rows(named=True)]


@pytest.fixture(scope="module")
def change_rows(years):
    return [row for table in years.values() for row in table.iter_rows(named=True)]


def a_row(baseline: int, outturn: int, *, usual: t.UsualVariation | None = None, target: float | None = None) -> dict:
    """A row as `verdicts` makes it, from two counts."""
    change = t.Change.between(baseline, outturn, usual)
    low, high = change.usual_interval or (None, None)
    row = {
        "measure": "robbery",
        "area": "Tower Hamlets",
        "target_owner": "the ward panel",
        "baseline_period": "2022-23",
        "period": "2023-24",
        "unit": "change, %",
        "baseline": baseline,
        "outturn": outturn,
        "baseline_low": baseline,
        "baseline_high": baseline,
        "outturn_low": outturn,
        "outturn_high": outturn,
        "change_percent": None if change.too_few else change.percent,
        "change_low": None if change.too_few else change.percent,
        "change_high": None if change.too_few else change.percent,
        "noise_low": change.noise[0],
        "noise_high": change.noise[1],
        "usual_low": low,
        "usual_high": high,
        "target": target,
        "verdict": change.against(target, direction="fall"),
        "change_verdict": change.verdict,
        "printed_verdict": None,
        "printed_percent": None,
        "result_percent": None,
        "probability_met": change.probability_met(target, direction="fall"),
        "moved_this_far": change.moved_this_far,
        "detectable_fall_percent": change.detectable,
        "basis": "",
        "why": None,
        "note": "",
    }
    if change.too_few:
        unsaid = dict.fromkeys(name for name in row if name.startswith(("change_", "noise_", "usual_")))
        row |= unsaid | {"change_verdict": t.CANNOT_SAY, "why": f"{baseline} and {outturn} are too few"}
    return row


USUAL = t.UsualVariation(2.0, 0.001, 1.0, tuple(x / 10 for x in range(-20, 21)), "a window")


# -- every title and sentence of the edition ----------------------------------------------------------------------------


def too_long(titles) -> dict[str, int]:
    return {title: len(title.split()) for title in titles if len(title.split()) > LONGEST}


def test_the_title_of_every_target_of_every_area_has_at_most_fifteen_words(target_rows):
    assert too_long(words.target_title(row) for row in target_rows) == {}


def test_the_title_of_every_targets_change_has_at_most_fifteen_words(target_rows):
    assert too_long(words.change_title(row) for row in target_rows) == {}


def test_the_title_of_every_change_of_every_area_has_at_most_fifteen_words(change_rows):
    assert too_long(words.change_title(row) for row in change_rows) == {}


def other_targets(table: pl.DataFrame) -> pl.DataFrame:
    """The rows that 01_targets shows under "Other targets with figures"."""
    elsewhere = ~pl.col("target_set").str.starts_with("MOPAC 7")
    return table.filter(elsewhere & pl.col("printed_verdict").is_null() & pl.col("change_low").is_not_null())


def test_the_titles_of_the_notebooks_charts_have_at_most_fifteen_words_for_every_area(judged):
    for table in judged.values():
        printed = table.filter(pl.col("printed_verdict").is_not_null() & (pl.col("target_set") != "MOPAC 7"))
        titles = [words.targets_title(other_targets(table))]
        titles.append(words.target_title(table.row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)))
        if printed.height:
            titles.append(words.printed_title(verdicts.bh_family(printed)))
        assert too_long(titles) == {}


def test_the_title_of_every_areas_year_has_at_most_fifteen_words(years):
    assert too_long(words.changes_title(table) for table in years.values()) == {}


def test_titles_say_recorded_or_that_nothing_can_be_said_and_print_their_period(change_rows):
    for row in change_rows:
        title = words.change_title(row)
        assert title.startswith(("Recorded ", "Too few recorded ", "Cannot say ")), title
        assert row["area"] in title
        if title.startswith("Recorded"):
            assert row["period"] in title


def sentences_of(rows) -> list[str]:
    told = [words.change_sentence(row) for row in rows]
    return told + [words.target_sentence(row) for row in rows if row.get("target_owner") is not None]


def test_the_sentence_of_every_described_change_has_both_intervals_or_says_there_is_one(target_rows, change_rows):
    described = [row for row in target_rows + change_rows if row["change_verdict"] != "cannot say"]
    assert len(described) > 400
    for row in described:
        told = words.change_sentence(row)
        assert f"counting noise {words.span(row['noise_low'], row['noise_high'])}" in told
        if row["usual_low"] is None:
            assert "no history to learn usual variation from" in told
        else:
            assert f"usual variation {words.span(row['usual_low'], row['usual_high'])}" in told
        assert row["baseline_period"] in told
        assert row["period"] in told


def test_no_sentence_or_title_says_why_a_count_moved(target_rows, change_rows, years, judged):
    told = sentences_of(target_rows) + sentences_of(change_rows)
    told += [words.change_title(row) for row in target_rows + change_rows]
    told += [words.target_title(row) for row in target_rows] + [words.basis(row) for row in target_rows]
    told += [words.changes_sentence(table) for table in years.values()]
    told += [words.crossings(table) for table in years.values()]
    told += [words.targets_title(other_targets(table)) for table in judged.values()]
    pattern = re.compile("|".join(rf"\b{phrase}\b" for phrase in CAUSAL), re.IGNORECASE)
    found = {match[0]: text for text in told if (match := pattern.search(text))}
    assert found == {}


def test_no_sentence_has_a_hole_in_it(target_rows, change_rows):
    told = sentences_of(target_rows) + sentences_of(change_rows)
    told += [words.verdict_phrase(row) for row in target_rows] + [words.basis(row) for row in target_rows]
    for text in told:
        assert not re.search(r"\bNone\b(?! of)|\bnan\b|\binf\b|  |\.\.|: \.|,\s*\.|\(\)", text), text


def test_no_sentence_uses_an_acronym_for_people(target_rows):
    for row in target_rows:
        assert not re.search(r"\bBAME\b|\bBME\b", words.target_sentence(row))


def test_each_target_sentence_says_whose_target_it_is_and_the_verdict(target_rows):
    for row in target_rows:
        told = words.target_sentence(row)
        assert row["target_owner"] in told
        assert row["verdict"] in told.lower()
        if row["verdict"] == "cannot say":
            assert "Cannot say whether " in told


# -- the wording of each kind of finding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "outturn", "title", "sentence_ends"),
    [
        (1_000, 1_500, "Recorded robbery in Tower Hamlets rose clearly by 50% in 2023-24", "it rose clearly."),
        (1_000, 600, "Recorded robbery in Tower Hamlets fell clearly by 40% in 2023-24", "it fell clearly."),
        (
            1_000,
            990,
            "Recorded robbery in Tower Hamlets was little different in 2023-24",
            "that is little different from no change.",
        ),
        (
            3,
            5,
            "Too few recorded in Tower Hamlets to say how robbery changed",
            "fewer than 10 together, or none to start from, are too few to describe a change.",
        ),
    ],
)
def test_a_rise_a_fall_little_change_and_too_few_each_have_their_own_wording(baseline, outturn, title, sentence_ends):
    row = a_row(baseline, outturn, usual=USUAL)
    assert words.change_title(row) == title
    assert words.change_sentence(row).startswith("In Tower Hamlets, recorded robbery ")
    assert words.change_sentence(row).endswith(sentence_ends)


@pytest.mark.parametrize(
    ("measure", "where", "usual", "title"),
    [
        ("robbery", "Enfield", USUAL, "Recorded robbery in Enfield rose clearly by 50% between 2018-19 and 2024-25"),
        (
            "theft from the person",
            "Kensington and Chelsea",
            None,
            "Kensington and Chelsea: rose clearly by 50% (counting noise alone), 2018-19 to 2024-25",
        ),
    ],
)
def test_a_change_over_several_years_is_dated_to_both(measure, where, usual, title):
    row = a_row(1_000, 1_500, usual=usual)
    row |= {"measure": measure, "area": where, "baseline_period": "2018-19", "period": "2024-25"}
    assert words.change_title(row) == title and len(title.split()) <= LONGEST
    same = a_row(1_000, 990, usual=USUAL) | {"baseline_period": "2018-19", "period": "2024-25"}
    assert words.change_title(same).endswith("was little different between 2018-19 and 2024-25")


def test_a_short_name_is_no_other_groups_name():
    groups = set(met.offence_groups()["offence_group"])
    assert "serious" not in words.SHORT["death or serious injury by illegal driving"]
    assert "injury" in words.SHORT["death or serious injury by illegal driving"]
    taken = {name: short for name, short in words.SHORT.items() if name in groups and short in groups - {name}}
    assert taken == {}


def test_a_change_that_cannot_be_said_gives_its_reason():
    row = dict.fromkeys(a_row(10, 10)) | {
        "measure": "gun crime",
        "area": "Sutton",
        "why": "No published outturn was found",
        "verdict": "cannot say",
        "change_verdict": "cannot say",
        "target_owner": "the ward panel",
    }
    assert words.change_title(row) == "Cannot say how gun crime changed in Sutton"
    assert words.change_sentence(row) == (
        "In Sutton, recorded gun crime: cannot say, because no published outturn was found."
    )
    assert words.target_title(row) == "Cannot say whether Sutton met a target for gun crime"
    assert words.target_sentence(row) == (
        "Cannot say whether gun crime met its target (the ward panel): no published outturn was found."
    )


def test_no_change_at_all_is_said_so():
    assert "robbery did not change from 500 to 500" in words.change_sentence(a_row(500, 500, usual=USUAL))


@pytest.mark.parametrize(
    ("outturn", "target", "usual", "title"),
    [
        (600, -20, USUAL, "Tower Hamlets against the robbery target of −20%: met clearly"),
        (780, -20, USUAL, "Tower Hamlets against the robbery target of −20%: met, but within usual variation"),
        (820, -20, USUAL, "Tower Hamlets against the robbery target of −20%: missed, but within usual variation"),
        (1_000, -20, USUAL, "Tower Hamlets against the robbery target of −20%: missed clearly"),
        (600, -20, None, "Tower Hamlets against the robbery target of −20%: met clearly, by counting noise alone"),
        (600, None, USUAL, "Cannot say whether Tower Hamlets met a target for robbery"),
    ],
)
def test_each_verdict_has_its_title_and_counting_noise_alone_is_said(outturn, target, usual, title):
    assert words.target_title(a_row(1_000, outturn, usual=usual, target=target)) == title


def test_a_target_sentence_has_the_change_the_target_its_owner_the_verdict_and_the_probability():
    told = words.target_sentence(a_row(1_000, 780, usual=USUAL, target=-20.0))
    assert told.startswith(
        "In Tower Hamlets, recorded robbery fell from 1,000 to 780 between 2022-23 and 2023-24, −22.0% ("
    )
    assert "Against the target of −20% (the ward panel), met within usual variation" in told
    assert re.search(r"the probability that the underlying change met it is about \d\d%\.$", told)


def test_a_range_is_printed_as_a_range():
    row = a_row(481, 431) | {"baseline_low": 479, "baseline_high": 483, "outturn_low": 429, "outturn_high": 433}
    assert words.counts_between(row) == "from 479–483 to 429–433"
    unknown = row | {
        "baseline": None,
        "outturn": None,
        "change_percent": None,
        "change_low": -10.5,
        "change_high": -10.3,
    }
    assert words.change_figure(unknown) == "−10.5% to −10.3%"
    assert words.recompute(unknown) == "baselines 479–483 reproduce the printed figures"


def test_the_words_beside_a_row_of_a_chart():
    judged = a_row(1_000, 600, usual=USUAL, target=-20)
    assert words.row_labels(judged, against_target=True) == ("met clearly", "−40.0% (1,000 to 600)")
    assert words.row_labels(judged, against_target=False)[0] == "fell clearly"
    assert words.row_labels(a_row(1_000, 600, target=-20), against_target=True)[0] == "met clearly (noise alone)"
    assert words.row_labels(a_row(2, 3), against_target=True) == ("too few to say", "2 to 3")
    printed = a_row(1_000, 990, usual=USUAL) | {"printed_verdict": "achieved"}
    assert words.row_labels(printed, against_target=True) == (
        "printed: achieved; ours: cannot say",
        "−1.0% (1,000 to 990): little different",
    )
    nothing = dict.fromkeys(a_row(1_000, 600)) | {"measure": "robbery", "change_verdict": "cannot say"}
    assert words.row_labels(nothing, against_target=True) == ("cannot say", "")


def test_a_survey_share_whose_sample_is_known_is_told_as_a_share_and_not_as_a_change_of_counts(book):
    """No result in the reference table has its sample yet; the first one that gets it must not stop the notebook."""
    confidence = pl.col("measure") == "public confidence"
    results = book.results.with_columns(pl.when(confidence).then(20_000).otherwise("sample").alias("sample"))
    targets = book.targets.filter(confidence)
    row = verdicts.assess_targets(area("London"), targets, results, book.history, period=book.period).row(0, named=True)
    assert row["verdict"] == "met clearly"
    told = words.target_sentence(row)
    assert "53.1%" in told
    assert "met clearly" in told
    assert "counting noise" not in words.target_title(row)
    assert "+51" not in words.target_title(row)


# -- numbers in words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (3.14, 1, "+3.1%"),
        (-3.14, 1, "−3.1%"),
        (-0.04, 1, "0.0%"),
        (0.04, 1, "0.0%"),
        (0, 1, "0.0%"),
        (-0.06, 1, "−0.1%"),
        (-0.4, 0, "0%"),
        (-19.95, 0, "−20%"),
        (1234.56, 1, "+1,234.6%"),
        (-100, 0, "−100%"),
    ],
)
def test_a_signed_percentage_has_a_true_minus_and_no_sign_where_it_rounds_to_nothing(value, digits, text):
    assert words.signed(value, digits=digits) == text


def test_other_numbers_are_written_as_readers_expect():
    assert words.percent(-3.14) == "3.1%"
    assert words.count(12_251) == "12,251"
    assert words.span(-21.5, 2.3) == "−21.5% to +2.3%"
    assert [words.number(n) for n in (0, 1, 9, 10, 1_234)] == ["no", "one", "nine", "10", "1,234"]


def test_possessives():
    assert words.possessive("Lewisham") == "Lewisham's"
    assert words.possessive("Tower Hamlets") == "Tower Hamlets'"
    assert words.possessive("London") == "London's"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.0, "below 1%"),
        (0.0099, "below 1%"),
        (0.01, "about 1%"),
        (0.5, "about 50%"),
        (0.99, "about 99%"),
        (0.995, "above 99%"),
        (1.0, "above 99%"),
    ],
)
def test_a_probability_never_claims_to_be_certain(value, text):
    assert words.probability(value) == text


@pytest.mark.parametrize(
    ("verdicts_held", "said"),
    [(5, "fewer than one"), (18, "fewer than one"), (19, "about one"), (40, "about two"), (300, "about 15")],
)
def test_a_page_says_how_many_verdicts_it_holds_and_how_many_would_be_clear_by_chance(verdicts_held, said):
    told = words.multiplicity(verdicts_held)
    assert told.startswith(f"This page holds {words.number(verdicts_held)} verdicts at 95%.")
    assert f"{said} of them would still be called clear" in told


# -- tables of rows -----------------------------------------------------------------------------------------------------


def table_of(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame([row | {"crosses": row["note"]} for row in rows], infer_schema_length=None)


def test_a_table_of_changes_says_how_many_are_clear_and_which():
    rose = a_row(1_000, 1_500, usual=USUAL) | {"measure": "shoplifting"}
    fell, few = a_row(1_000, 600, usual=USUAL), a_row(1, 3, usual=USUAL) | {"measure": "homicide"}
    same = a_row(1_000, 990, usual=USUAL) | {"measure": "arson"}
    table = table_of(rose, fell, same, few)
    assert words.changes_title(table) == "Two of 4 offence groups in Tower Hamlets changed clearly in 2023-24"
    assert words.changes_title(table_of(same)) == "None of 1 offence groups in Tower Hamlets changed clearly in 2023-24"
    total = a_row(9_000, 9_900, usual=USUAL) | {"measure": TOTAL}
    assert words.changes_title(table_of(rose, fell, same, few, total | {"change_verdict": "little different"})) == (
        "Two of 4 offence groups in Tower Hamlets changed clearly in 2023-24"
    )
    assert words.changes_title(table_of(rose, same, total | {"change_verdict": "rose clearly"})) == (
        "One of 2 offence groups in Tower Hamlets, and their total, changed clearly in 2023-24"
    )
    assert words.changes_sentence(table) == (
        "In Tower Hamlets, 2023-24 against 2022-23, of 4 series: rose clearly: shoplifting (+50.0%); "
        "fell clearly: robbery (−40.0%); little different: one; cannot say: one."
    )
    alt = words.changes_alt(table, against_target=False)
    assert alt.startswith(
        "Dot and interval chart of percentage changes where shoplifting +50.0% (1,000 to 1,500): rose clearly"
    )
    assert alt.endswith("homicide 1 to 3: too few to say.")


def test_several_targets_are_summed_up_by_their_verdicts():
    met, missed = a_row(1_000, 600, usual=USUAL, target=-20.0), a_row(1_000, 1_000, usual=USUAL, target=-20.0)
    unsaid = a_row(1_000, 990, usual=USUAL) | {"why": "none was published"}
    assert words.targets_title(table_of(met, missed, unsaid)) == (
        "Tower Hamlets met one of two other targets that can be judged"
    )
    assert words.targets_title(table_of(missed, missed)) == (
        "Tower Hamlets met none of two other targets that can be judged"
    )
    assert words.targets_title(table_of(unsaid, unsaid)) == "None of two other targets for Tower Hamlets can be judged"
    assert words.targets_title(table_of(met, unsaid)) == (
        "Tower Hamlets against the robbery target of −20%: met clearly"
    )
    assert words.targets_title(table_of(met)) == words.target_title(met)
    assert words.targets_title(table_of(unsaid)) == words.change_title(unsaid)
    assert words.target_sentences(table_of(met, missed)).count("\n") == 1
    assert words.target_sentences(table_of(met).clear()) == "No other target with a figure was found."


def test_the_leaflets_seven_are_summed_up_after_allowing_for_their_number(judged):
    rows = verdicts.bh_family(judged["Tower Hamlets"].filter(target_set="Tower Hamlets 2009/10"))
    assert words.printed_title(rows) == (
        "Of seven printed changes in Tower Hamlets, after correction three exceed noise, one usual variation"
    )
    told = words.printed_sentence(rows)
    assert "counting noise: total robbery, theft from vehicles, theft or taking of vehicles." in told
    assert "as a sensitivity: theft from vehicles." in told
    assert "No history of usual variation is known for serious youth violence, gun crime." in told
    assert words.printed_sentence(rows.clear()) == (
        "No table of printed verdicts on this area was found, so there is none to compare with."
    )


def test_what_a_table_crosses_is_said_once(years):
    assert words.crossings(table_of(a_row(1, 1))) == "These comparisons cross no declared break."
    twice = [a_row(1, 1) | {"note": "one break; another"}, a_row(1, 1) | {"note": "one break"}]
    assert words.crossings(table_of(*twice)) == "These comparisons cross: one break; another."
    assert "CRIS to CONNECT" in words.crossings(years["Tower Hamlets"])


def test_the_basis_says_what_a_verdict_rests_on_what_could_be_seen_and_what_was_declared():
    row = a_row(90, 50) | {"basis": "counting noise alone", "note": "a break"}
    assert words.basis(row) == (
        "The verdict rests on counting noise alone. At this volume only a fall of about 34% or more would be seen "
        "four times in five. Note: a break."
    )
    assert words.basis(row | {"basis": None}) == ""


def test_offences_of_unknown_borough_are_said_for_london_and_owned_up_to_for_a_borough():
    assert words.unknown_borough(area("London"), "offences", -17.7).endswith("its change is −17.7%.")
    assert "how many of them were in Sutton is not known" in words.unknown_borough(area("Sutton"), "offences", -17.7)
    assert words.unknown_borough(area("London"), "offences", None).startswith("Cannot say")


# -- the challenge line -------------------------------------------------------------------------------------------------


def test_a_challenge_line_has_its_five_parts_in_order_and_one_full_stop_each():
    line = words.challenge("crime fell.", "a ÷ b", "3 of 9 moved", "edition abc", "wardbook run --borough Brent")
    assert line == (
        "Claim: crime fell. Recompute: a ÷ b. How unusual: 3 of 9 moved. Data: edition abc. "
        "Make it again: wardbook run --borough Brent."
    )
    assert words.challenge("c", "", "", "e", "m") == "Claim: c. Data: e. Make it again: m."


def test_a_change_is_recomputed_from_its_counts_and_placed_among_the_others(judged):
    row = judged["Tower Hamlets"].row(by_predicate=pl.col("target_set") == "MOPAC 7", named=True)
    assert words.recompute(row) == "12,632 ÷ 12,251 − 1 = +3.1%"
    assert re.fullmatch(r"\d+ of 192 comparable changes, relative to London, moved at least this far", words.far(row))
    assert words.far(a_row(9, 9)) == "no earlier changes to compare with: counting noise alone"
    assert words.far(a_row(5, 1)) == "too few offences to describe a change", "not for want of earlier changes"
    uncounted = dict.fromkeys(row) | {"measure": "robbery", "change_verdict": "cannot say"}
    assert words.recompute(uncounted) == ""


@pytest.mark.parametrize(
    ("target", "text"), [(-20.0, "−20%"), (-2.5, "−2.5%"), (-4.2, "−4.2%"), (10.0, "+10%"), (0.0, "0%")]
)
def test_a_target_is_said_as_it_was_set_and_never_rounded(target, text):
    assert words.as_set(target) == text
    row = a_row(1_000, 780, usual=USUAL, target=target)
    assert f"target of {text}" in words.target_title(row)
    assert f"target of {text} (" in words.target_sentence(row)
