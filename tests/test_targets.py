"""Targets marked by their counts; the published ones, and a reader's own of every kind."""

import polars as pl
import pytest

from wardbook import facts
from wardbook.measures import targets as t
from wardbook.schemas import SchemaViolation

# The Tower Hamlets leaflet of 2009/10: change, printed percentage, verdict, and the baselines the rounding allows.
LEAFLET = {
    "residential burglary": (-6, -0.6, "missed", (924, 1090)),
    "total robbery": (-136, -12.7, "achieved", (1067, 1075)),
    "theft from vehicles": (-768, -31.5, "achieved", (2435, 2441)),
    "theft or taking of vehicles": (-101, -11.2, "achieved", (898, 905)),
    "serious youth violence": (44, 21.4, "missed", (206, 206)),
    "knife crime": (-50, -10.4, "achieved", (479, 483)),
    "gun crime": (25, 38.5, "missed", (65, 65)),
}


# No counts of an area's own, in the columns of `change.compare`.
NONE = pl.DataFrame(
    schema=dict.fromkeys(("crosses", "against_london", "why"), pl.String)
    | dict.fromkeys(("row", "before", "after", "as_far", "of", "apart"), pl.Int64)
    | dict.fromkeys(("relative_percent", "london_change_percent", "placed"), pl.Float64)
    | {"comparable": pl.Boolean}
)


@pytest.mark.parametrize("offence", LEAFLET)
def test_the_leaflets_rows_stand_as_printed_and_cannot_be_judged_without_their_targets(offence):
    change, percent, printed, baselines = LEAFLET[offence]
    rows = facts.published_results().filter(target_set="Tower Hamlets 2009/10", measure=offence)
    assert rows.select("change", "change_percent", "printed_verdict").row(0) == LEAFLET[offence][:3]
    assert t.baselines_allowed(change, percent) == baselines
    mark = t.mark_printed_change(change, percent, None, direction="fall", printed=printed)
    assert (mark.verdict, mark.result) == (t.CANNOT_SAY, percent)
    assert printed in mark.why


def test_londons_printed_results_of_2009_10_are_marked_as_they_were():
    printed = dict.fromkeys(("serious acquisitive crime", "theft from motor vehicle", "public confidence"), t.MET)
    printed |= dict.fromkeys(("gun crime", "serious youth violence"), t.MISSED)
    printed["victim satisfaction gap (White less Black and Minority Ethnic, as printed)"] = t.MISSED
    targets = facts.targets().filter(target_set="MPS 2009/10")
    rows = t.mark_rows(t.hold_against(targets, facts.published_results(), NONE))
    marked = dict(rows.select("measure", pl.col("verdict").str.strip_prefix("narrowly ")).iter_rows())
    assert {measure: marked[measure] for measure in printed} == printed


@pytest.mark.parametrize(
    ("held", "verdict", "why"),
    [
        ({}, t.MISSED, ""),
        # Fraud left the files in 2013: −100% was "met".
        ({"comparable": False, "why": "fraud left"}, t.CANNOT_SAY, "fraud left"),
        ({"baseline_period": "2023-24", "period": "2024-06 to 2024-08"}, t.CANNOT_SAY, "its two periods are not of"),
        ({"baseline_period": "2023-24", "period": "year to 2024-09"}, t.CANNOT_SAY, "its two periods overlap"),
        ({"comparable": False, "why": "moved", "placed": 0.98}, t.MISSED, "moved: spread evenly, they do not turn"),
        ({"comparable": False, "why": "moved", "placed": 0.92}, t.CANNOT_SAY, "moved: spread evenly, they turn"),
    ],
)
def test_counts_that_do_not_compare_meet_and_miss_nothing(held, verdict, why):
    target = {"target_set": "mine", "measure": "all", "area": "Hackney", "kind": "change", "series": "borough_offences"}
    target |= {"direction": "fall", "note": None, "target": -50.0, "baseline_period": "2023-24", "period": "2024-25"}
    counts = {"row": 0, "before": 20_000, "after": 10_800, "comparable": True} | held
    mine = pl.DataFrame([target | {name: held[name] for name in held if name in target}])
    counted = pl.concat([NONE, pl.DataFrame([counts]).drop(list(target), strict=False)], how="diagonal")
    row = t.mark_rows(t.hold_against(mine, facts.published_results(), counted)).row(0, named=True)
    assert row["verdict"] == verdict and row["why"].startswith(why) and row["outturn"] == 10_800
    assert (row["result"] is None) == (verdict == t.CANNOT_SAY)


def test_met_and_missed_are_facts_of_the_counts_and_narrowly_is_chance():
    # 800 of 1,000 would have done; in Lewisham's MOPAC 7 10,859.
    marks = {(1000, 700): (t.MET, 100), (1000, 795): (t.NARROWLY_MET, 5), (1000, 805): (t.NARROWLY_MISSED, -5)}
    marks |= {(1000, 950): (t.MISSED, -150), (13574, 10779): (t.NARROWLY_MET, 80)}
    for counts, expected in marks.items():
        mark = t.mark_change(*counts, -20, direction="fall")
        assert (mark.verdict, mark.margin) == expected, counts


def test_an_aim_runs_along_a_compound_path():
    # After five of ten years a halving asks for √½ of the baseline: 707 of 1,000.
    assert t.mark_aim(1000, 707, -50, years=10, elapsed=5).verdict == t.ON_TRACK
    assert t.mark_aim(1000, 708, -50, years=10, elapsed=5).verdict == t.OFF_TRACK
    assert t.mark_aim(1000, 707, -50, years=10, elapsed=5).margin == 0
    # 300 of the year to June 2024 and 300 of the same year are no rise "since"; nor is what an earlier year had.
    for elapsed in (0.99, 0, -1.25):
        early = t.mark_aim(1000, 100, -50, years=10, elapsed=elapsed)
        assert (early.verdict, early.result) == (t.TOO_EARLY, None)
    assert t.mark_aim(1000, 500, -50, years=10, elapsed=14).verdict == t.ON_TRACK  # it does not go on after its end
    assert "chance alone" in t.mark_aim(100, 90, -50, years=10, elapsed=1).why


def test_the_national_knife_aim_is_off_track_by_its_own_figures():
    row = facts.published_results().filter(measure="knife crime, England and Wales").row(0, named=True)
    mark = t.mark_aim(row["baseline"], row["outturn"], -50, years=10, elapsed=1)
    assert round(mark.result, 1) == -5.0
    assert (mark.verdict, mark.margin) == (t.OFF_TRACK, 50584 - 51527)  # 54,215 × ½^(1/10) = 50,584.2


def test_a_share_of_everything_has_no_error_and_a_surveys_has():
    assert t.mark_level(77.5, 90, direction="rise").verdict == t.MISSED
    assert t.mark_level(13.4, 10, direction="fall").margin == pytest.approx(-3.4)
    assert t.mark_level(53, 51.4, direction="rise", sample=400).verdict == t.NARROWLY_MET
    assert t.mark_level(65, 51.4, direction="rise", sample=400).verdict == t.MET


# -- a reader's own ------------------------------------------------------------------------------------------------------------

HEADER = (
    "target_set,measure,kind,series,item,area,target_owner,baseline_period,period,direction,target,years,"
    "baseline,outturn,result,sample,source\n"
)
HELD = {"borough_offences": ["robbery of business property", "robbery", "burglary"], "knife_offences": ["Knife Crime"]}
ROWS = {
    "change": "mine,robbery,change,borough_offences,robbery,Hackney,me,2023-24,2024-25,fall,-10,,,,,,my plan\n",
    "change of my own": "mine,graffiti,change,own,,Hackney,me,2023-24,2024-25,fall,-10,,200,150,,,my plan\n",
    "level": "mine,calls answered,level,own,,London,me,,2024-25,rise,90,,,,88.5,,my plan\n",
    "level of a survey": "mine,good job,level,own,,London,me,,2024-25,rise,60,,,,55,400,my plan\n",
    "count": "mine,officers,count,own,,Hackney,me,,2024-25,rise,64,,,,54,,my plan\n",
    "gap": "mine,gap,gap,own,,London,me,,2024-25,fall,3.8,,,,4.9,,my plan\n",
    "aim": "mine,knife crime,aim,knife_offences,Knife Crime,every area,me,year to 2024-06,latest,fall,-50,10,,,,,my plan\n",
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_of_each_kind_is_read(tmp_path, kind):
    path = tmp_path / "mine.csv"
    blank = "\n,,,,,,,,,,,,,,,,\n" if kind == "gap" else ""  # as spreadsheets leave a row
    path.write_text(HEADER + ROWS[kind].rstrip("\n") + blank)
    own = facts.own_targets(path, HELD)
    assert own.height == 1
    row = own.row(0, named=True)
    assert row["live"] == "yes"
    if row["series"] == "own":
        marked = t.mark_rows(t.hold_against(own, facts.published_results(), NONE)).row(0, named=True)
        assert marked["verdict"] in t.VERDICTS[:4]


@pytest.mark.parametrize(
    ("kind", "old", "new", "column", "says"),
    [
        ("change", ",robbery,Hackney", ",Robbery,Hackney", "item", "did you mean 'robbery'"),
        # 993 robberies were "met" against 900.
        ("change", ",change,", ",count,", "kind", "judged by how its counts moved"),
        ("change", ",2023-24,", ",,", "baseline_period", "the period it is counted from"),
        ("change of my own", ",200,150,", ",200,,", "outturn", "the two counts"),
        ("aim", ",10,", ",,", "", "over how many years"),
    ],
)
def test_a_wrong_row_is_refused_with_line_column_value_and_what_is_allowed(tmp_path, kind, old, new, column, says):
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + ROWS["count"] + ROWS[kind].replace(old, new, 1))
    with pytest.raises(SchemaViolation, match=says) as caught:
        facts.own_targets(path, HELD)
    assert (caught.value.violation.line, caught.value.violation.column) == (3, column)
