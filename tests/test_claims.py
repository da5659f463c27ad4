"""Public claims: what the file says, what each comes to, what a reader may add, and `wardbook.claim`."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import polars as pl
import pytest

import wardbook
from wardbook import claim as claims
from wardbook import places
from wardbook.figures import claims as figures
from wardbook.figures.export import Figure
from wardbook.measures import claims as measures
from wardbook.notebook import open_book
from wardbook.places import UnknownName

# Before and after May 2008, 21 months each: METHODS, "The documents the workbook starts from".
WINDOWS = {
    "total notifiable offences": (1610463, 1466101),
    "violence against the person": (319171, 307270),
    "serious sexual offences": (11698, 12129),
    "youth violence": (41287, 35574),
    "robbery": (73301, 56842),
    "residential burglary": (109686, 105496),
    "motor vehicle crime": (222748, 179952),
    "murder": (291, 229),
    "domestic offences": (94432, 92869),
    "racist and religious offences": (17008, 17180),
    "homophobic offences": (1850, 2174),
}
# Change, printed percentage, baselines and outturns the rounding allows: the same.
LEAFLET = {
    "residential burglary": (-6, -0.6, 924, 1090, 918, 1084),
    "total robbery": (-136, -12.7, 1067, 1075, 931, 939),
    "theft from vehicles": (-768, -31.5, 2435, 2441, 1667, 1673),
    "theft or taking of vehicles": (-101, -11.2, 898, 905, 797, 804),
    "serious youth violence": (44, 21.4, 206, 206, 250, 250),
    "knife crime": (-50, -10.4, 479, 483, 429, 433),
    "gun crime": (25, 38.5, 65, 65, 90, 90),
}


@pytest.fixture(scope="module")
def book():
    return open_book(notebook="07_claims")


@pytest.fixture(scope="module")
def published():
    return claims.read_claims()


@pytest.fixture(scope="module")
def checked(book, published):
    return measures.check_claims(published, book.history)


def only(table: pl.DataFrame, **wanted: str) -> dict:
    found = table.filter(**wanted)
    assert found.height == 1, f"{found.height} rows of {wanted}"
    return found.row(0, named=True)


# -- the file -----------------------------------------------------------------------------------------------------------


def test_the_file_holds_at_least_forty_claims_each_with_its_source_and_what_it_takes(published):
    assert published.height >= 40
    assert published["claim_id"].is_unique().all()
    for column in ("document", "office", "where", "claim", "measure", "source", "quality"):
        assert (published[column] != "").all(), column
    assert set(published["kind"]) == set(measures.KINDS)
    assert (published.filter(pl.col("kind") != "rhetoric")["what_it_takes"] != "").all()
    assert set(published["quality"]) <= {"A", "B", "C", "D"}, "general knowledge is never published"


def test_no_claim_names_a_person(published):
    # A title before a name; offices ("Borough Commander, Tower Hamlets") have none after them.
    person = re.compile(
        r"\b(Mr|Mrs|Ms|Miss|Dr|Sir|Dame|Lord|Lady|Cllr|Councillor|Inspector|Sergeant|PC|Superintendent|"
        r"Commander|Commissioner|Mayor)\.? (?!for\b|of\b)[A-Z][a-z]+"
    )
    assert person.search("said Commander Smith"), "the pattern must be able to fail"
    for row in published.iter_rows(named=True):
        for column in published.select(pl.col(pl.String)).columns:
            assert not person.search(row[column]), f"{row['claim_id']}, {column}: {row[column]}"


def test_every_figure_of_the_two_tables_is_in_the_file(published):
    windows = published.filter(pl.col("claim_id").str.starts_with("mpm-"), pl.col("before").is_not_null())
    assert {r["measure"]: (r["before"], r["after"]) for r in windows.iter_rows(named=True)} == WINDOWS
    leaflet = published.filter(pl.col("area") == "Tower Hamlets", pl.col("check") == "change")
    found = {r["measure"]: (r["change"], r["percent"]) for r in leaflet.iter_rows(named=True)}
    assert found == {name: row[:2] for name, row in LEAFLET.items()}


# -- the verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", WINDOWS)
def test_the_eleven_changes_reproduce_with_their_days_and_overdispersion(checked, measure):
    before, after = WINDOWS[measure]
    row = only(checked.filter(pl.col("claim_id").str.starts_with("mpm-")), measure=measure)
    assert row["verdict"] == "reproduces"
    assert row["direction"] == ("fall" if after < before else "rise")
    assert row["recomputed_percent"] == pytest.approx(100 * (after / before - 1), abs=1e-9)
    assert row["per_day_percent"] == pytest.approx(100 * (after / 641 / (before / 639) - 1), abs=1e-9)
    assert row["noise_low"] < row["recomputed_percent"] < row["noise_high"]
    limit = (math.log(after / before) / (1.959964 * math.sqrt(1 / before + 1 / after))) ** 2
    assert row["overdispersion_limit"] == pytest.approx(limit, rel=1e-5)
    # Below 1 the counting-noise interval already covers no change, and only then.
    assert (row["noise_low"] <= 0 <= row["noise_high"]) == (limit < 1)


def test_murder_and_sexual_offences_lose_significance_at_an_overdispersion_of_about_two(checked):
    limits = dict(
        checked.filter(pl.col("per_day_percent").is_not_null()).select("measure", "overdispersion_limit").iter_rows()
    )
    assert limits["murder"] == pytest.approx(1.9, abs=0.05)
    assert limits["serious sexual offences"] == pytest.approx(2.0, abs=0.05)
    assert sorted(limits, key=limits.get)[:3] == ["racist and religious offences", "murder", "serious sexual offences"]


def test_the_windows_hold_twenty_one_months_but_other_days_and_months(checked):
    row = only(checked, claim_id="mpm-windows")
    assert row["verdict"] == "reproduces"
    assert row["recomputed"] == "21 and 21 months, 639 and 641 days"
    assert row["why"] == "the windows hold different calendar months"
    before, after = (measures.calendar_months(row[name]) for name in ("baseline_period", "period"))
    assert [m for m in range(1, 13) if before[m] > after[m]] == [2, 3, 4]
    assert [m for m in range(1, 13) if before[m] < after[m]] == [5, 6, 7]
    assert "February, March, April more often" in figures.season_sentence(row["baseline_period"], row["period"])
    assert figures.season_sentence("2023-04 to 2024-03", "2024-04 to 2025-03") == (
        "Both windows hold the same calendar months."
    )


def test_the_season_mix_is_that_of_the_calendar_months():
    # Twice as many offences in July as in any other month; one year against a window that lacks July.
    months = pl.DataFrame({"month": pl.date_range(pl.date(2010, 4, 1), pl.date(2012, 3, 1), "1mo", eager=True)})
    months = months.with_columns(pl.when(pl.col("month").dt.month() == 7).then(200).otherwise(100).alias("offences"))
    assert measures.season_shift(months, "2006-07 to 2006-07", "2006-08 to 2006-08") == pytest.approx(-50)
    assert measures.season_shift(months, "2006-08 to 2007-07", "2007-08 to 2008-07") == pytest.approx(0)


@pytest.mark.parametrize("measure", LEAFLET)
def test_the_seven_leaflet_rows_reproduce_with_their_ranges(checked, measure):
    row = only(checked.filter(area="Tower Hamlets", check="change"), measure=measure)
    assert row["verdict"] == "reproduces"
    ends = tuple(row[name] for name in ("baseline_low", "baseline_high", "outturn_low", "outturn_high"))
    assert ends == LEAFLET[measure][2:]
    assert "so the check is weak" in row["why"], "a change and a percentage alone rule out little"


def test_the_leaflets_verdicts_cannot_be_checked_and_are_bounded(checked):
    rows = checked.filter(pl.col("claim_id").str.ends_with("-verdict"))
    assert rows.height == 7
    assert set(rows["verdict"]) == {"cannot be checked"}
    assert only(rows, measure="residential burglary")["recomputed"] == "missed: it required a fall above 0.6%"
    assert only(rows, measure="gun crime")["recomputed"].startswith("missed: a rise bounds no fall")
    assert sorted(rows["printed_verdict"]) == ["achieved"] * 4 + ["missed"] * 3


def test_over_thirty_per_cent_is_true_of_part(checked):
    row = only(checked, claim_id="th-vehicle-crime-over-30")
    assert row["verdict"] == "true of part"
    assert row["recomputed"].startswith(
        "theft from vehicles −31.5%; theft or taking of vehicles −11.2%; together −26.0%"
    )
    low, high = 100 * -869 / (2435 + 898), 100 * -869 / (2441 + 905)
    assert row["recomputed_percent"] == pytest.approx((low + high) / 2)
    assert (row["baseline_low"], row["baseline_high"]) == (3333, 3346)
    assert "theft from vehicles" in row["why"] and "taking" not in row["why"]


@pytest.mark.parametrize(
    ("bound", "verdict"), [(-20, "reproduces"), (-26, "true of part"), (-40, "does not reproduce")]
)
def test_a_bound_on_several_rows_may_hold_of_all_some_or_none(published, bound, verdict):
    changed = published.with_columns(
        pl.when(pl.col("check") == "vehicle_pair")
        .then(pl.lit(float(bound)))
        .otherwise(pl.col("percent"))
        .alias("percent")
    )
    assert only(measures.check_claims(changed), claim_id="th-vehicle-crime-over-30")["verdict"] == verdict


def test_shares_bounds_and_the_revised_base(checked):
    arrests = only(checked, claim_id="stops-arrest-share")
    assert arrests["verdict"] == "reproduces" and "14.19%" in arrests["recomputed"]
    assert arrests["noise_low"] < 14.19 < arrests["noise_high"]
    decrease = only(checked, claim_id="stops-decrease")
    assert decrease["verdict"] == "does not reproduce"
    assert decrease["recomputed"] == "535,307 − 547,003 = −11,696" and "547,000" in decrease["why"]
    boys = only(checked, claim_id="none-of-26")
    assert boys["verdict"] == "cannot be checked" and "10.9%" in boys["recomputed"]
    assert measures.zero_upper_bound(26) == pytest.approx(0.10883, abs=5e-6)
    # The bound is the share at which seeing none in 26 has a chance of one in twenty.
    assert (1 - measures.zero_upper_bound(26)) ** 26 == pytest.approx(0.05)
    assert only(checked, claim_id="mps-satisfaction-gap")["recomputed"] == "78.8 − 73.9 = 4.9"
    assert only(checked, claim_id="four-million-cases")["verdict"] == "true of part"
    assert only(checked, claim_id="year-1917")["verdict"] == "does not reproduce"
    specials = only(checked, claim_id="specials-applications")
    assert specials["verdict"] == "cannot be checked" and "2,800 short" in specials["recomputed"]


def test_a_priority_is_an_aim_and_is_shown_across_sources(book, checked):
    row = only(checked, claim_id="th-priority-acquisitive")
    assert row["verdict"] == "cannot be checked" and "across sources" in row["recomputed"]
    counts = book.edition.table("borough_offences").filter(
        pl.col("borough_code") == "E09000030",
        pl.col("offence_group") == "serious acquisitive crime",
        pl.col("month").is_between(pl.date(2010, 4, 1), pl.date(2011, 3, 1)),
    )
    assert row["outturn_low"] == row["outturn_high"] == counts["offences"].sum()
    assert (row["baseline_low"], row["baseline_high"]) == (918 + 931 + 1667 + 797, 1084 + 939 + 1673 + 804)
    without = only(measures.check_claims(claims.read_claims()), claim_id="th-priority-acquisitive")
    assert without["verdict"] == "cannot be checked" and without["recomputed"] is None


def test_rhetoric_is_left_unjudged_and_everything_else_is_judged(checked):
    rhetoric = checked.filter(pl.col("kind") == "rhetoric")
    assert rhetoric.height and rhetoric["verdict"].is_null().all() and rhetoric["recomputed"].is_null().all()
    judged = checked.filter(pl.col("kind") != "rhetoric")
    assert judged["verdict"].is_in(measures.VERDICTS).all()
    assert (judged.filter(pl.col("verdict") != "reproduces")["why"].fill_null("") != "").all(), "it must say why"
    # In the file a reader opens, an unjudged claim's cell is empty.
    assert pl.read_csv(checked.write_csv().encode())["verdict"].null_count() == rhetoric.height


def supported(row: dict) -> bool:
    """A claim recomputed in plain Python, from its own cells and nothing of the library."""
    if row["check"] == "change" and row["before"] is not None:
        change = 100 * (row["after"] - row["before"]) / row["before"]
        right = row["direction"] in ("", "fall" if change < 0 else "rise")
        return right and (row["percent"] is None or abs(change - row["percent"]) <= 0.5 * 10 ** -row["decimals"] + 1e-9)
    if row["check"] == "change":
        guess = abs(round(100 * row["change"] / row["percent"]))
        near = range(max(1, guess - guess // 5), guess + guess // 5 + 2)
        return any(abs(100 * row["change"] / b - row["percent"]) <= 0.05 + 1e-9 for b in near)
    if row["check"] == "proportion":
        return round(100 * row["successes"] / row["trials"], int(row["decimals"])) == row["percent"]
    if row["check"] == "arithmetic":
        return round(row["after"] - row["before"], 1) == row["change"]
    if row["check"] == "target":
        met = row["percent"] <= row["target"] if row["direction"] == "fall" else row["percent"] >= row["target"]
        return row["printed_verdict"] == ("achieved" if met else "missed")
    return row["claim_id"] == "mpm-windows"  # held by a test of its own


def test_no_claim_is_said_to_reproduce_that_its_own_figures_do_not_support(checked):
    said = checked.filter(verdict="reproduces")
    assert said.height == 31
    assert [row["claim_id"] for row in said.iter_rows(named=True) if not supported(row)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"claim_id": "th-gun-crime", "percent": 38.2},
        {"claim_id": "th-robbery", "percent": 12.7},
        {"claim_id": "mpm-murder", "direction": "rise"},
        {"claim_id": "mpm-murder", "after": 391.0},
        {"claim_id": "stops-arrest-share", "percent": 14.91},
        {"claim_id": "mps-satisfaction-gap", "change": 5.9},
        {"claim_id": "mps-gun-crime-target", "printed_verdict": "achieved"},
        {"claim_id": "mpm-windows", "printed": 22.0},
    ],
    ids=lambda wrong: " ".join(map(str, wrong.values())),
)
def test_a_figure_that_is_wrong_is_not_said_to_reproduce(published, wrong):
    column = next(name for name in wrong if name != "claim_id")
    here = pl.col("claim_id") == wrong["claim_id"]
    changed = published.with_columns(pl.when(here).then(pl.lit(wrong[column])).otherwise(pl.col(column)).alias(column))
    found = only(measures.check_claims(changed), claim_id=wrong["claim_id"])
    assert found["verdict"] in ("does not reproduce", "true of part")
    assert found["why"].startswith("not so") or "baseline" in found["why"] or "sign" in found["why"]


def test_a_claim_on_rows_that_do_not_reproduce_cannot_be_checked(book, published):
    here = pl.col("claim_id") == "th-theft-from-vehicles"
    changed = published.with_columns(pl.when(here).then(31.5).otherwise(pl.col("percent")).alias("percent"))
    found = measures.check_claims(changed, book.history)
    for claim_id in ("th-vehicle-crime-over-30", "th-priority-acquisitive"):
        row = only(found, claim_id=claim_id)
        assert row["verdict"] == "cannot be checked" and "rests on" in row["why"]


def test_whole_per_cents_counts_of_none_and_a_rise_that_was_wanted(published):
    blank = dict.fromkeys(measures.CLAIMS.names()) | {"kind": "trend", "direction": "", "parts": ""}
    rows = [
        blank | {"claim_id": "a", "check": "change", "change": -1.0, "percent": -33.0, "decimals": 0.0},
        blank | {"claim_id": "b", "check": "change", "before": 0.0, "after": 5.0, "direction": "rise"},
        blank | {"claim_id": "c", "check": "change", "before": 12.0, "after": 0.0, "percent": -100.0},
        blank | {"claim_id": "d", "check": "target", "percent": 2.0, "direction": "rise", "printed_verdict": "missed"},
        blank | {"claim_id": "e", "check": "target", "percent": -2.0, "direction": "rise", "printed_verdict": "missed"},
    ]
    found = {r["claim_id"]: r for r in measures.check_claims(pl.DataFrame(rows, schema=measures.CLAIMS)).to_dicts()}
    assert (found["a"]["baseline_low"], found["a"]["baseline_high"]) == (3, 3)
    assert found["b"]["verdict"] == "cannot be checked" and "from none" in found["b"]["why"]
    assert found["c"]["verdict"] == "reproduces" and found["c"]["overdispersion_limit"] is None
    assert found["d"]["recomputed"] == "missed: it required a rise above 2.0%"
    assert found["e"]["recomputed"] == "missed: a fall bounds no rise that may have been required"


# -- a reader's own -----------------------------------------------------------------------------------------------------

OWN = "claim_id,document,office,claim,kind,check,source,before,after,percent,direction\n"


def write(tmp_path, *lines: str, header: str = OWN):
    path = tmp_path / "own.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_a_readers_row_gets_the_same_treatment(tmp_path, published):
    path = write(
        tmp_path,
        "mine,A paper,A council,Murder fell by a fifth,trend,change,A paper,291,229,-21.3,fall",
        "half,A paper,A council,Murder fell by a third,trend,change,A paper,291,229,-33,fall",
        "none,A paper,A council,Murder rose by a third,trend,change,A paper,291,229,33,rise",
        "praise,A paper,A council,A fine year,rhetoric,none,A paper,,,,",
    )
    table = measures.check_claims(claims.read_claims(path))
    assert table.height == published.height + 4
    mine, theirs = only(table, claim_id="mine"), only(table, claim_id="mpm-murder")
    assert mine["verdict"] == "reproduces"
    for name in ("recomputed_percent", "noise_low", "noise_high", "overdispersion_limit"):
        assert mine[name] == theirs[name]
    assert only(table, claim_id="half")["verdict"] == "true of part"
    assert only(table, claim_id="none")["verdict"] == "does not reproduce"
    assert only(table, claim_id="praise")["verdict"] is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a,D,O,C,trand,change,S,1,2,100,", "line 2: unknown kind 'trand': did you mean 'trend'?"),
        ("a,D,O,C,trend,chnage,S,1,2,100,", "line 2: unknown check 'chnage': did you mean 'change'?"),
        ("a,D,O,C,trend,change,S,1,2,,", "line 2: check 'change' needs before and after and percent, or"),
        ("a,D,O,C,trend,change,S,one,2,3,", "line 2: before 'one' is not a number"),
        ("a,D,O,C,trend,change,S,1.5,2,3,", "line 2: before 1.5 is not a count"),
        ("a,D,O,C,trend,change,S,-1,2,3,", "line 2: before -1 is not a count"),
        ("a,D,O,C,trend,change,S,1,2,3%,", "line 2: percent '3%' is not a number"),
        ("a,D,O,C,trend,change,S,1,2,,down", "line 2: unknown direction 'down'"),
        ("a,D,O,C,trend,change,,1,2,100,", "line 2: source is empty"),
        ("mpm-murder,D,O,C,trend,change,S,1,2,100,", "line 2: claim_id 'mpm-murder' is there twice"),
    ],
)
def test_a_readers_row_that_cannot_be_checked_names_file_line_and_value(tmp_path, line, says):
    with pytest.raises(claims.ClaimsFileError) as error:
        claims.read_claims(write(tmp_path, line))
    assert "own.csv" in str(error.value) and says in str(error.value)


@pytest.mark.parametrize(
    ("header", "line", "says"),
    [
        ("claim_id,claim\n", "a,b", "lacks the columns document, office"),
        (OWN.replace("percent", "per_cent"), "a,D,O,C,trend,change,S,1,2,3,", "mean nothing here: per_cent"),
        (
            OWN.replace("before,after", "successes,trials"),
            "a,D,O,C,figure,proportion,S,5,4,3,",
            "successes 5 of trials 4",
        ),
        (
            OWN.replace("before,after", "successes,trials"),
            "a,D,O,C,figure,zero_of_n,S,1,4,,",
            "use the check 'proportion'",
        ),
        (
            OWN.replace("before,after", "parts,period"),
            "a,D,O,C,trend,vehicle_pair,S,th-robery,,-3,fall",
            "unknown claim 'th-robery': did you mean 'th-robbery'?",
        ),
    ],
)
def test_a_readers_file_of_another_shape_is_refused(tmp_path, header, line, says):
    with pytest.raises(claims.ClaimsFileError, match=re.escape(says)):
        claims.read_claims(write(tmp_path, line, header=header))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(claims.ClaimsFileError, match=r"none\.csv.*claims_file"):
        claims.read_claims(str(tmp_path / "none.csv"))


# -- figures ------------------------------------------------------------------------------------------------------------


def test_the_figures_count_what_the_tables_hold(book, checked, tmp_path):
    counts = figures.verdict_counts(checked)
    assert counts["claims"].sum() == checked.height
    assert figures.documents_table(checked)["statements"].sum() == checked.height
    windows = claims.window_table(book, checked)
    assert set(windows["measure"]) == set(WINDOWS)
    # Eight of the eleven bear an overdispersion of 3: all but racist and religious offences, murder, sexual offences.
    assert "eight of 11" in figures.windows_title(windows)
    overview = figures.verdicts_chart(book, checked, name="verdicts")
    assert overview.subtitle.endswith(
        "about Tower Hamlets, London, England and Wales, Greater Manchester, 2006 to 2025"
    )
    assert "murder (at 1.9), serious sexual offences (at 2.0)" in figures.windows_sentence(windows)
    # Only groups that the file has are given a season mix, and a few months cannot move a total by much.
    season = dict(windows.select("measure", "season_percent").iter_rows())
    assert season["youth violence"] is None and 0 < abs(season["total notifiable offences"]) < 2
    for figure in (
        figures.windows_chart(book, windows, name="windows"),
        figures.verdicts_chart(book, checked, name="verdicts"),
    ):
        assert len(figure.title.split()) <= 15
        assert figure.alt_text.startswith(("Dot and interval chart of", "Bar chart of")) and "where" in figure.alt_text
        assert len(figure.save(tmp_path)) == 4


# -- a claim about one change -------------------------------------------------------------------------------------------


def count(book, code: str, group: str, year: int) -> int:
    """Offences in a financial year, from the edition's months."""
    table = book.edition.table("borough_offences").filter(
        pl.col("borough_code") == code if code else pl.col("borough_code") != "unknown",
        pl.col("offence_group") == group,
        pl.col("snapshot") == "2025-11",
        pl.col("month").is_between(pl.date(year, 4, 1), pl.date(year + 1, 3, 1)),
    )
    return table["offences"].sum()


def test_lambeth_vehicle_crime_is_answered_from_the_edition(book, tmp_path):
    answer = claims.claim("lambeth", "Vehicle crime", "2023-24", "2024/25", out=tmp_path)
    before, after = (count(book, "E09000022", "vehicle crime", year) for year in (2023, 2024))
    assert (answer.row["baseline"], answer.row["outturn"]) == (before, after) and before > 1000
    assert f"from {before:,} to {after:,} between 2023-24 and 2024-25" in answer.sentence
    assert "CRIS to CONNECT" in answer.sentence and "counting noise" in answer.sentence
    assert "usual variation" in answer.sentence
    name = "vehicle-crime-2023-24-2024-25"
    assert answer.folder == tmp_path / "lambeth" / "claims" / name
    assert sorted(path.name for path in answer.folder.iterdir()) == [
        f"{name}.{kind}" for kind in ("csv", "png", "svg", "txt")
    ]
    text = " ".join((answer.folder / f"{name}.txt").read_text(encoding="utf-8").split())
    again = "wardbook claim --borough Lambeth --offence 'vehicle crime' --from 2023-24 --to 2024-25"
    assert again in text and "of 288 comparable changes, relative to London, moved at least this far" in text
    assert "Declared breaks crossed: The Met moved its records" in text
    plotted = pl.read_csv(answer.folder / f"{name}.csv")
    assert plotted.height == 1 and plotted["baseline"][0] == before and plotted["outturn"][0] == after


def test_a_claim_takes_london_years_apart_and_counts_too_few(book, tmp_path):
    london = claims.claim("London", "homicide", "2010-11", "2024-25", out=tmp_path)
    assert london.row["baseline"] == count(book, "", "homicide", 2010)
    assert london.sentence.count("pandemic") == 1
    few = claims.claim("Sutton", "homicide", "2015-16", "2016-17", out=tmp_path)
    assert "too few" in few.sentence and few.sentence.endswith("declared breaks crossed: none.")
    assert len(list(few.folder.iterdir())) == 4
    told = " ".join((few.folder / "homicide-2015-16-2016-17.txt").read_text(encoding="utf-8").split())
    assert "2015-16 to 2016-17. Too few to describe a change." in told, "no interval is drawn, and none is spoken of"
    assert "Chart without dots of changes where homicide 0 to 1: too few to say" in told
    assert "How unusual: too few offences to describe a change" in told and "counting noise" not in told
    drawn = (few.folder / "homicide-2015-16-2016-17.svg").read_text(encoding="utf-8")
    assert "counting noise<" not in drawn and "change in recorded offences" not in drawn, "an empty axis and its legend"
    knife = claims.claim("Tower Hamlets", "knife crime", "2022-23", "2024-25", out=tmp_path)
    assert (knife.row["baseline"], knife.row["outturn"]) == (502, 687)  # EVIDENCE, 4e
    assert "CRIS to CONNECT" in knife.sentence


def test_a_claim_over_several_years_is_dated_to_both(book):
    here = replace(book, area=places.area("Lambeth"))
    rows = claims.compare_claim(here, "shoplifting", "2018-19", "2024-25")
    title = claims.claim_figure(here, rows, name="claim").title
    assert title.endswith("between 2018-19 and 2024-25") and len(title.split()) <= 15


@pytest.mark.parametrize("area", wardbook.boroughs())
def test_every_area_is_answered_in_one_sentence_with_a_figure(book, area):
    here = replace(book, area=places.area(area))
    rows = claims.compare_claim(here, "vehicle crime", "2023-24", "2024-25")
    figure = claims.claim_figure(here, rows, name="claim")
    assert isinstance(figure, Figure) and len(figure.title.split()) <= 15
    assert figure.sentence.startswith(f"In {area}, recorded vehicle crime") and "\n" not in figure.sentence


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (("Lambet", "robbery", "2023-24", "2024-25"), UnknownName, "did you mean 'Lambeth'?"),
        (("Lambeth", "vehicle crimes", "2023-24", "2024-25"), UnknownName, "did you mean 'vehicle crime'?"),
        (("Lambeth", "robbery", "2023-25", "2024-25"), UnknownName, "unknown period '2023-25'"),
        (("Lambeth", "robbery", "2023-24", "latest"), UnknownName, "--to is a financial year"),
        (("Lambeth", "robbery", "2024-25", "2023-24"), claims.ClaimRefused, "in reverse order"),
        (("Lambeth", "robbery", "2024-25", "2024-25"), claims.ClaimRefused, "the same year"),
        (("Lambeth", "robbery", "2008-09", "2024-25"), claims.ClaimRefused, "it lacks 2008-09"),
        (("Lambeth", "robbery", "2024-25", "2025-26"), claims.ClaimRefused, "it lacks 2025-26"),
        (("Lambeth", "knife crime", "2019-20", "2024-25"), claims.ClaimRefused, "it holds 2022-23 to 2024-25"),
    ],
)
def test_what_cannot_be_compared_is_refused_and_nothing_is_written(tmp_path, words, error, says):
    with pytest.raises(error, match=re.escape(says)):
        claims.claim(*words, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_not_every_snapshot_can_fill_is_refused(book, tmp_path):
    table = book.history.borough_offences
    lacking = table.filter((pl.col("offence_group") != "robbery") | (pl.col("snapshot") != "2025-12"))
    gone = table.filter(pl.col("offence_group") != "robbery")
    for left, says in ((lacking, "the snapshot 2025-12 cannot tell it apart"), (gone, "no borough file")):
        here = open_book(notebook="07_claims", borough="Lambeth")
        here.edition.__dict__["borough_years"] = left
        with pytest.raises(claims.ClaimRefused, match=says):
            claims.compare_claim(here, "robbery", "2023-24", "2024-25")


def test_years_of_two_snapshots_are_not_compared(book):
    here = open_book(notebook="07_claims", borough="Lambeth")
    table = here.edition.borough_years
    here.edition.__dict__["borough_years"] = table.filter((pl.col("snapshot") == "2025-12") | (pl.col("year") < 2024))
    with pytest.raises(claims.ClaimRefused, match="each is in another snapshot"):
        claims.compare_claim(here, "robbery", "2023-24", "2024-25")


def test_the_committed_file_has_the_columns_in_the_schemas_order():
    header = (places.REFERENCE / "claims.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert sorted(header) == sorted(measures.CLAIMS.names())
