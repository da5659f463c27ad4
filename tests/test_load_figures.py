"""Subscriber load in charts and words: nothing modelled passes for measured, and every sentence follows its table."""

from __future__ import annotations

import json
import math
import re

import polars as pl
import pytest

from wardbook import open as open_book
from wardbook import places, reference
from wardbook.figures import workload as figures
from wardbook.measures import workload
from wardbook.measures.growth import subscriber_path

AREAS = [places.LONDON, *places.boroughs()["borough"]]
CAUSAL = r"\b(because|due to|cause[sd]?|led to|leads? to|result(s|ed) in|driven|drives|thanks to|explains?)\b"
DRAWS = 400


@pytest.fixture(scope="module")
def priors():
    return reference.load_assumptions()


@pytest.fixture(scope="module")
def evidence():
    return reference.load_evidence("subscriber")


@pytest.fixture(scope="module")
def book():
    return open_book(notebook="06_subscriber_load", borough="Tower Hamlets", settings={"draws": DRAWS})


@pytest.fixture(scope="module")
def tables(priors, evidence, book):
    """Every table of the notebook, on few draws, by the name it has there."""
    outbound_first = priors.override(outbound_from_reading=1)
    counts = workload.observed_points(evidence, "Hertfordshire")
    wards = workload.area_wards(book.edition.table("wards"), book.edition.table("population"), book.area.code)
    saturation = workload.saturation_subscribers(priors, draws=DRAWS)
    paths, thresholds = workload.list_over_years(priors, saturation)
    return {
        "both": workload.compare_readings(priors, draws=DRAWS),
        "points": workload.break_even_points(priors, evidence, draws=DRAWS),
        "ends": workload.prior_ends(priors, draws=DRAWS),
        "contours": workload.break_even_contours(priors, draws=DRAWS),
        "alone": workload.break_even_contours(outbound_first, draws=DRAWS),
        "needed": workload.needed_values(priors, draws=DRAWS),
        "saturation": saturation,
        "wards": wards,
        "typical": workload.simulate(priors, draws=DRAWS, wards=workload.typical_ward(wards)),
        "differences": workload.compare_scenarios(priors, draws=DRAWS),
        "flips": workload.flip_values(priors, draws=DRAWS),
        "indices": workload.sensitivity(priors, n=128),
        "declared": workload.compare_levels(priors, wards=60, draws=100),
        "boxes": workload.compare_mailboxes(priors, wards=5, draws=30),
        "gap": workload.pooling_gap(runs=10, messages=500),
        "counts": counts,
        "fitted": workload.fit_growth(counts[:-1], counts[-1], draws=20_000),
        "placed": workload.place_ealing(priors, evidence),
        "paths": paths,
        "thresholds": thresholds,
        "error": workload.interpolation_error(priors, points=8, runs=2),
    }


def all_figures(book, priors, tables):
    """The nine figures of `06_subscriber_load`."""
    return [
        figures.readings(book, tables["both"]),
        figures.break_even(book, tables["contours"], tables["points"], tables["alone"]),
        figures.scenarios(book, tables["typical"], priors, working=False),
        figures.sensitivity(book, tables["indices"]),
        figures.levels(book, tables["declared"]),
        figures.mailboxes(book, tables["boxes"], wards=5),
        figures.growth(book, tables["fitted"], tables["counts"]),
        figures.ealing(book, tables["placed"]),
        figures.fizzles(book, tables["paths"], tables["thresholds"], unanswered=0.0, silence=0.0),
    ]


@pytest.fixture(scope="module")
def drawn(book, priors, tables):
    return {figure.name: figure for figure in all_figures(book, priors, tables)}


def prose(priors, tables):
    return [
        figures.answer(tables["both"], priors, tables["points"], tables["ends"]),
        figures.needed_sentence(tables["needed"]),
        figures.pooling_sentence(tables["gap"]),
        figures.interpolation_sentence(tables["error"]),
        figures.fizzle_sentence(tables["thresholds"]),
    ]


def shown_tables(priors, tables):
    return [
        figures.needed_table(tables["needed"]),
        figures.saturation_table(tables["saturation"], priors),
        figures.load_table(tables["typical"], priors),
        figures.differences_table(tables["differences"], priors),
        figures.flips_table(tables["flips"], priors),
        figures.pooling_table(tables["gap"]),
        figures.growth_table(tables["fitted"]),
    ]


# -- nothing modelled passes for measured ------------------------------------------------------------------------------


def test_every_chart_says_modelled_and_names_no_cause_and_no_person(book, priors, tables, drawn):
    assert len(drawn) == 9
    for figure in drawn.values():
        assert "modelled" in figure.subtitle, figure.name
        assert len(figure.title.split()) <= 15, figure.title
        assert re.match(r"[A-Z][\w -]* chart of .* where ", figure.alt_text), figure.name
        assert "modelled" in figure.alt_text and "modelled" in figure.sentence.lower(), figure.name
        assert "data/reference/load_assumptions.csv" in figure.source
        assert "wardbook run --borough 'Tower Hamlets'" in figure.challenge
        assert "--only 06_subscriber_load --set draws=400" in figure.challenge
    texts = [
        text for f in drawn.values() for text in (f.title, f.subtitle, f.alt_text, f.sentence, f.challenge, f.source)
    ]
    for text in [*texts, *prose(priors, tables)]:
        assert not re.search(CAUSAL, text, re.I), text
        assert not re.search(r"\bnan\b|\binf\b|None\b|  |\.\.|e\+\d|−0\.0+\b", text), text


def marks(chart: dict):
    """Every mark of a Vega-Lite specification with its properties."""
    if "mark" in chart:
        yield chart["mark"] if isinstance(chart["mark"], dict) else {"type": chart["mark"]}
    for key in ("layer", "vconcat", "hconcat", "concat"):
        for part in chart.get(key, []):
            yield from marks(part)


def test_what_is_modelled_is_drawn_hollow_or_dashed(drawn):
    for figure in drawn.values():
        blue = [
            m for m in marks(json.loads(figure.complete.to_json())) if "#12436D" in (m.get("stroke"), m.get("color"))
        ]
        assert blue, figure.name
        for mark in blue:
            if mark["type"] in ("point", "bar"):
                assert mark.get("fill") == "white", f"{figure.name}: a filled {mark['type']}"
            elif mark["type"] in ("rule", "line"):
                assert mark.get("strokeDash"), f"{figure.name}: a solid {mark['type']}"
            else:
                assert mark["type"] == "text", f"{figure.name}: {mark['type']}"


def test_published_counts_are_solid_beside_the_modelled_curve(drawn):
    grey = [m for m in marks(json.loads(drawn["load-growth"].complete.to_json())) if m.get("color") == "#3D3D3D"]
    assert [m["filled"] for m in grey if m["type"] == "point"] == [True, True]


def test_no_reference_row_names_a_person():
    """An office and a publication, never a name: addresses of councillors' sites and authors' citations had some."""
    names = (
        r"\bcllr|\w\.mycouncillor|and others|et al|[a-z] and [A-Z][\w-]+(, | \()\d{4}|[A-Z]\w+ and [A-Z]\w+-[A-Z]\w+"
    )
    for file in ("load_assumptions", "load_scenarios", "subscriber_evidence", "workforce_evidence"):
        text = (places.REFERENCE / f"{file}.csv").read_text(encoding="utf-8")
        assert not re.search(names, text), (file, re.search(names, text)[0])


# -- numbers ------------------------------------------------------------------------------------------------------------


def test_no_table_holds_a_negative_or_an_infinite_number(priors, tables, drawn):
    signed = {"error", "formula_error", "difference"}  # what is a difference may be below nothing
    for name, table in [*tables.items(), *((f.name, f.data) for f in drawn.values())]:
        if not isinstance(table, pl.DataFrame) or name in ("differences", "error", "indices"):
            continue
        for column in table.select(pl.col(pl.Float64, pl.Int64)).columns:
            values = table[column].drop_nulls()
            assert values.is_finite().all() if values.dtype == pl.Float64 else True, f"{name}.{column}"
            assert column in signed or values.is_empty() or values.min() >= 0, f"{name}.{column}: {values.min()}"
    bounded = figures.bounded_indices(tables["indices"])
    assert bounded.select(pl.col("^total.*$")).min_horizontal().min() >= 0
    assert bounded.select(pl.col("^total.*$")).max_horizontal().max() <= 1
    for table in shown_tables(priors, tables):
        text = table.write_csv()
        assert not re.search(r"\bnan\b|\binf\b|None|e\+\d|−0\.0+\b", text), text


def quantile(tables, reading, quantity, name="q50"):
    return tables["both"].filter(reading=reading, quantity=quantity)[name][0]


def test_the_first_screen_says_what_its_table_says(priors, tables):
    text = figures.answer(tables["both"], priors, tables["points"], tables["ends"])
    assert "Modelled, not measured" in text and "nobody has published" in text and "tuned" in text
    for reading in ("shared", "from reading"):
        assert f"{figures._rounded(quantile(tables, reading, 'saturation'))} subscribers" in text
        assert figures._share(quantile(tables, reading, "utilisation", "overloaded")) in text
    assert (
        f"in {figures._share(quantile(tables, 'from reading', 'utilisation', 'no_hours'))} of draws outbound work alone"
        in text
    )
    uncertain = [a for a in priors.inputs if not a.is_fixed]
    assert (
        f"Of the {len(uncertain)} inputs that are uncertain, {sum(a.flag == 'assumption' for a in uncertain)} have"
        in text
    )


def test_the_two_readings_differ_more_than_the_two_priors_of_minutes(tables):
    odds = {r: quantile(tables, r, "utilisation", "overloaded") for r in ("shared", "from reading", "wider minutes")}
    assert odds["from reading"] > 3 * odds["shared"]
    assert abs(odds["wider minutes"] - odds["shared"]) < 0.02
    assert quantile(tables, "shared", "utilisation", "no_hours") == 0


def test_how_outbound_work_is_counted_is_said_to_move_most_only_where_it_does(priors, tables):
    worst = tables["ends"].row(0, named=True)
    text = figures.answer(tables["both"], priors, tables["points"], tables["ends"])
    assert "more than any prior does alone" in text and figures._share(worst["overloaded"]) in text
    other = tables["ends"].with_columns(overloaded=0.99)
    assert "less than one prior" in figures.answer(tables["both"], priors, tables["points"], other)
    assert worst["overloaded"] == max(worst["overloaded_low"], worst["overloaded_high"]) > 0.05
    # Nobody writes back: no overload comes of it.
    quiet = workload.prior_ends(priors.override(reply_share=0, unprompted_share=0), draws=50)
    assert quiet["overloaded"].sum() == 0


def test_what_takes_answers_is_absence_or_load_as_the_numbers_say():
    assert "absence from the mailbox takes more" in figures._lost({"q50": 0.967, "ceiling": 0.978})
    assert "load takes more" in figures._lost({"q50": 0.3, "ceiling": 0.978})


def test_sentences_quote_their_rows(tables, drawn):
    band = tables["fitted"].forecasts.filter(forecast="Bass, posterior").row(0, named=True)
    sentence = drawn["load-growth"].sentence
    for value in (band["observed"], band["low"], band["high"]):
        assert f"{value:,.0f}" in sentence
    assert figures._share(band["width"]) in sentence and "cannot test" in sentence
    assert "says nothing for it" in sentence
    heaviest = tables["points"].sort("overloaded").row(-1, named=True)
    assert f"{heaviest['messages']:.1f} messages a week" in drawn["load-break-even"].sentence
    own, shared = tables["declared"].row(0, named=True), tables["declared"].row(1, named=True)
    assert figures._share(shared["none_overloaded"]) in drawn["load-levels"].sentence
    assert (
        figures._share(own["q95"]) in drawn["load-levels"].sentence
        and figures.LEVELS_DIFFER in drawn["load-levels"].sentence
    )
    assert figures.PRIORS_NOT_WORLD in drawn["load-sensitivity"].sentence


def test_what_the_claim_needs_is_said_input_by_input(tables):
    text = figures.needed_sentence(tables["needed"])
    assert f"only if the whole load were {tables['needed']['times'][0]:.1f} times as large" in text
    never = tables["needed"].filter(pl.col("needed").is_null())["input"].to_list()
    assert "chase_multiplier" in never and "No value in its range of extra minutes of chasing mail" in text
    subscribers = tables["needed"].filter(input="subscribers")["needed"][0]
    assert f"subscribers per ward at or above {figures._rounded(subscribers)} " in text


def test_what_both_lists_share_never_flips(priors, tables):
    table = figures.flips_table(tables["flips"], priors)
    for (name,), rows in table.group_by("list"):
        assert rows.filter(pl.col("flips at") == "never flips").height == 1, name
    assert "minutes a message" in table.filter(pl.col("flips at") == "never flips")["meaning"][0]


# -- titles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alike", "alone", "words"),
    [
        (0.0, 0.0, "in no draw"),
        (0.0347, 0.1934, "in 3.5% of draws; 19% if bulletins use reading hours"),
        (0.62, 0.8, "in most draws: 62%"),
        (0.00004, 1.0, "in below 0.1% of draws; 100%"),
    ],
)
def test_the_readings_have_a_title_for_overload_none_and_most(alike, alone, words):
    title = figures.readings_title(alike, alone)
    assert words in title and len(title.split()) <= 15


@pytest.mark.parametrize(
    ("alike", "alone", "words"),
    [
        (1, 2, "fit one officer's hours at prior medians; two officers if bulletins use them"),
        (3, 3, "fit three officers' hours at prior medians, even if"),
        (2, None, "fit two officers' hours at prior medians; overfill four if"),
        (None, None, "overfills four officers' hours"),
    ],
)
def test_the_break_even_title_counts_officers(alike, alone, words):
    title = figures.break_even_title(alike, alone, 4)
    assert words in title and len(title.split()) <= 15


def test_other_titles_follow_their_numbers(book, tables):
    assert figures.scenarios_title(0.3, 0.98, "72 hours").startswith("Fewer than half")
    assert "97% on an open list" in figures.scenarios_title(0.97, 0.98, "72 hours")
    assert "about as often" in figures.mailboxes_title(0.99, 0.994, "72 hours")
    assert "cannot test" in figures.growth_title({"width": 0.46, "covers": True})
    assert "misses" in figures.growth_title({"width": 0.46, "covers": False})
    for covers, words in (
        ([True, True], "within the illustrative band on either"),
        ([False, False], "outside"),
        ([False, True], "day 113, not day 15"),
    ):
        assert words in figures.ealing_title(tables["placed"].with_columns(pl.Series("covers", covers)))
    for on, off, words in (
        (True, True, "fizzles out, whether"),
        (False, True, "only where"),
        (False, False, "does not fizzle"),
    ):
        paths = pl.DataFrame({"rejoining": ["on", "off"], "fizzled": [on, off]})
        assert words in figures.fizzles_title(paths)
    never = tables["declared"].with_columns(none_overloaded=1.0)
    assert "in any draw" in figures.levels(book, never).title
    one = tables["indices"].with_columns(pl.int_range(1, pl.len() + 1).over("outcome").alias("rank"))
    assert figures.sensitivity_title(one).startswith("One unknown moves modelled utilisation most")


def test_a_wait_without_end_is_said_and_never_a_number(book, priors):
    heavy = workload.simulate(priors.override(reply_share=1.0, usable_share=0.01), draws=200)
    cells = figures.load_table(heavy, priors)
    wait = cells.filter(pl.col("quantity").str.starts_with("stationary wait")).row(0)
    assert wait[1] == "grows without end"
    assert re.match(r"[\d,.]+ \(", cells.filter(quantity="backlog after 52 weeks, messages").row(0)[1])
    both = workload.compare_readings(priors.override(reply_share=1.0, usable_share=0.01), draws=200)
    assert figures.readings(book, both).title.startswith("Mail overloads a ward in most draws")


# -- what must rise or fall ---------------------------------------------------------------------------------------------


def test_more_officers_carry_more_and_more_messages_leave_fewer_minutes(tables):
    hours = tables["contours"].group_by("officers").agg(pl.col("reading_hours").first()).sort("officers")
    assert hours["reading_hours"].is_sorted() and hours["reading_hours"].n_unique() == 4
    for _, rows in tables["contours"].group_by("officers"):
        assert rows.sort("messages_per_week")["minutes"].is_sorted(descending=True)
    less = tables["alone"].join(tables["contours"], on=["officers", "messages_per_week"])
    assert (less["reading_hours"] <= less["reading_hours_right"]).all()


def test_published_lists_bring_mail_as_they_are_large(tables):
    rows = tables["points"].sort("subscribers")
    assert rows["messages"].is_sorted() and rows["overloaded"].is_sorted()


@pytest.mark.parametrize(("rejoining", "fizzles"), [(True, False), (False, True)])
def test_the_least_churn_at_which_a_list_fizzles_is_just_that(rejoining, fizzles):
    given = {"final": 450.0, "half_time": 2.0, "years": 10.0}
    found = workload.fizzle_thresholds(**given, messages_per_week=(0.8,)).filter(rejoining=rejoining).row(0, named=True)
    if not fizzles:
        assert found["churn_silence"] is None and "never" in found["text"]
        return
    for churn, gone in ((found["churn_silence"] * 1.001, True), (found["churn_silence"] * 0.98, False)):
        path = subscriber_path(**given, messages_per_week=0.8, rejoining=False, churn_silence=churn)
        assert path["fizzled"].any() == gone


# -- every area -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AREAS)
def test_every_area_has_its_wards_and_its_words(name, priors):
    book = open_book(notebook="06_subscriber_load", borough=name)
    wards = workload.area_wards(book.edition.table("wards"), book.edition.table("population"), book.area.code)
    assert wards["ward_code"].is_unique().all() and (wards["residents"] > 0).all()
    assert wards["borough_code"].unique().to_list() == [book.area.code] or book.area.is_london and wards.height > 600
    assert 12 <= workload.borough_wards(wards) <= 30
    table = workload.simulate(priors, draws=40, wards=workload.typical_ward(wards))
    figure = figures.scenarios(book, table, priors, working=False)
    whose = f"{name}'" if name.endswith("s") else f"{name}'s"
    assert f"a ward of {whose} average size, modelled" in figure.subtitle
    assert len(figure.title.split()) <= 15 and name in figure.challenge
    # Only a list that is a share of residents knows how large the area's wards are.
    size = table.filter(scenario="lancashire", quantity="subscribers")["mean"][0]
    assert size == pytest.approx(0.0771 * wards["residents"].mean(), rel=0.6) and math.isfinite(size)


def test_a_scenario_of_your_own_takes_the_last_place(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("name,value,unit\nsubscribers,5000,people\nminutes_per_message,20,minutes\n", encoding="utf-8")
    mine = reference.load_assumptions(str(path))
    assert [s.scenario for s in mine.scenarios][-1] == "own" and mine.scenarios[-1].label == "Your own"
    table = workload.simulate(mine, draws=200)
    assert "Your own" in figures.load_table(table, mine).columns
    assert table.filter(scenario="own", quantity="subscribers")["q50"][0] == 5000


def test_a_list_where_nobody_writes_is_no_limit_and_no_error(tmp_path):
    """All three fixed at 0 once divided Python's 0.0 by itself."""
    path = tmp_path / "silent.csv"
    zero = "messages_per_week,0,bulletins a week\nreply_share,0,share\nunprompted_share,0,share a month\n"
    path.write_text(f"name,value,unit\n{zero}", encoding="utf-8")
    mine = reference.load_assumptions(str(path))
    table = workload.simulate(mine, draws=100)
    cells = figures.load_table(table, mine)
    assert cells.filter(quantity="utilisation of reading hours")["Your own"][0] == "0.00 (0.00 to 0.00)"
    assert (
        "no limit"
        in figures.saturation_table(workload.saturation_subscribers(mine, draws=100), mine)["median"].to_list()
    )


def test_working_hours_are_said_where_they_count(book, priors, drawn):
    figure = figures.scenarios(book, workload.simulate(priors, draws=40, working=True), priors, working=True)
    assert "within 72 working hours" in figure.title and "hours are working hours" in figure.sentence
    assert "working" not in drawn["load-scenarios"].title + drawn["load-scenarios"].sentence


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("minutes_per_message,-5,minutes", "minutes_per_message -5 is outside 0.1 to 240 minutes"),
        ("staff_per_ward,0,officers", "staff_per_ward 0 is outside 1 to 20 officers"),
        ("reply_share,1.2,share", "reply_share 1.2 is outside 0 to 1 share"),
        ("minutes_per_message,5,", "minutes_per_message has no unit"),
    ],
)
def test_a_nonsense_scenario_is_refused_before_anything_runs(tmp_path, line, words):
    from wardbook.run import runner

    path = tmp_path / "nonsense.csv"
    path.write_text(f"name,value,unit\n{line}\n", encoding="utf-8")
    with pytest.raises(workload.AssumptionError, match=words):
        runner.run("Sutton", only=["06_subscriber_load"], settings={"scenario_file": str(path)}, out=tmp_path / "out")
    assert not (tmp_path / "out" / "sutton").exists()
