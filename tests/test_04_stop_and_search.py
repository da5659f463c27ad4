"""Notebook 04: its words for every area, its figures against plain Python and others' measurements, the guard, the attack."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from math import floor, log10

import numpy as np
import polars as pl
import pytest

import cells
import wardbook
from attack import Attacker, tried
from conftest import EVERY, relative_rate, remembered
from wardbook import edition, places
from wardbook.figures import withhold
from wardbook.figures.figure import Figure
from wardbook.measures import stops
from wardbook.periods import read_period
from wardbook.run.page import write_page

NAME = "04_stop_and_search"
FIVE = ["Tower Hamlets", "Kingston upon Thames", "London", "Croydon", "Havering"]
AREAS = [*dict.fromkeys([*FIVE, *wardbook.boroughs()])] if os.environ.get(EVERY) else FIVE
# The attack costs as much as all the rest: two boroughs with small counts in `make test`.
ATTACKED = [area for area in AREAS if area != "London"] if os.environ.get(EVERY) else FIVE[:2]
YEAR = read_period("2023-24")
FIGURES = {
    "disproportionality", "disproportionality-boroughs", "disproportionality-by-object", "search-outcomes",
    "arrest-share-by-group", "definitions", "children", "clothing", "thorough-searches", "ward-stops",
    "ward-stops-list", "stops-by-month",
}  # fmt: skip
RATIOS = ("disproportionality", "disproportionality-boroughs", "disproportionality-by-object", "definitions")
CAUSAL = r"because|due to|caus\w*|led by|leads? to|results? (?:in|from)|owing|driven|effect|impact|therefore|thanks"


@pytest.fixture(scope="module", autouse=True)
def one_table_of_ratios():
    """The ratios of all areas are the same whichever is in focus: made once for this module's runs."""

    def key(counts, population, areas, boroughs, period):
        return counts["searches"].sum(), counts.width, tuple(area.code for area in areas), period

    with remembered(stops, "disproportionality", key):
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What the notebook leaves of an area, of those attacked with page and workbook: area → (`cells.Left`, folder)."""
    made, png = {}, Figure.png
    Figure.png = lambda self, size="page": b""  # the same drawing as the SVG, and slow

    def run(area):
        if area not in ATTACKED:
            return cells.shared(NAME, borough=area, period="latest"), None
        if area not in made:
            folder = tmp_path_factory.mktemp("run") / places.area(area).slug
            left = cells.run(NAME, borough=area, period="latest", output_dir=folder)
            files = {path.relative_to(folder).as_posix(): "" for path in folder.rglob("*") if path.is_file()}
            record = {"area": area, "area_code": places.area(area).code, "period": "2025-26", "period_words": "a year"}
            record |= {"wardbook": "0", "edition": "0", "inputs": {}, "notebooks": {NAME: {"files": files}}}
            (folder / "run.json").write_text(json.dumps(record))
            write_page(folder)
            made[area] = left, folder
        return made[area]

    yield run
    Figure.png = png


# Words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", AREAS)
def test_every_template_renders_in_plain_words(runs, area):
    left, _ = runs(area)
    assert set(left.figures) == FIGURES
    assert not cells.check_words(left)
    years = ("2023-24", "2024", "2019", "2025")
    for figure in left.figures.values():
        assert any(word in figure.words["subtitle"] for word in years), f"{figure.name}: no period in its subtitle"


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(runs, area, snapshot):
    assert cells.golden(runs(area)[0]) == snapshot


@pytest.mark.parametrize("area", AREAS)
def test_every_ratios_sentence_names_the_definition_both_rates_and_the_unknown_and_no_cause(runs, area):
    """Planted: a sentence without the share unknown, and one that says "because"."""
    left, _ = runs(area)
    for name in RATIOS:
        figure, told = left.figures[name], 0
        text = figure.words["sentence"]
        for row in figure.data.filter(group="Black").drop_nulls("ratio").to_dicts():
            if row["area"] != area:
                continue
            told += 1
            rates = [f"{row[rate]:.1f}" for rate in ("rate_group", "rate_reference")]
            whole = [text] if name.endswith(("nality", "boroughs")) else cells.sentences(text.replace(": no ", ", no "))
            assert any(
                f"{row['ethnicity']} ethnicity" in part
                and all(re.search(rf"\b{re.escape(rate)} ", part) for rate in rates)
                and f"{100 * row['unknown_share']:.0f}%" in part
                for part in whole
            ), f"{name}: {text}"
        assert told or figure.absent or area == "London" or "no ratio" in text
    for text in left.texts:
        assert not re.search(rf"\b(?:{CAUSAL})\b", re.sub(r"led to arrest", "", text), re.I), text


def test_months_after_the_break_stand_in_no_sentence_with_those_before(runs):
    """Planted: "a third of what it was before September 2024" in the sentence of `stops-by-month`."""
    after = r"(?:September|October|November|December) 2024|(?:January|February|March|April) 2025"
    before = r"(?:April|May|June|July|August) 202[234]|January 2023|year earlier|usual|before|2023-24"
    compares = r"\b(?:fell|rose|more|fewer|less|than|against|drop|third|half|down|up|still)\b"
    checked = 0
    for area in FIVE:
        left, _ = runs(area)
        for figure in (one for name, one in left.figures.items() if name != "thorough-searches"):
            for sentence in cells.sentences(figure.words["sentence"]):
                if re.search(after, sentence):
                    checked += 1
                    assert not re.search(before, sentence), sentence
                    assert not re.search(compares, sentence), sentence
    assert checked >= len(FIVE)


def test_it_runs_for_periods_before_the_searches_held_and_says_so():
    left = cells.run(NAME, borough="Havering", period="2018-19")
    assert not cells.check_words(left)
    covered = left.statements["covered"].parts[0]["text"]
    assert "year to December 2023" in covered and "these are the first there are" in covered
    assert left.figures["clothing"].absent, "nothing was published of clothing by then"
    assert left.figures["stops-by-month"].title.endswith("than a year earlier, to November 2023")


# Figures --------------------------------------------------------------------------------------------------------------


def test_london_is_what_was_measured_beforehand(runs):
    left, _ = runs("London")
    objects = left.figures["disproportionality-by-object"].data
    known = dict(objects.select("object", "known_only").iter_rows())
    assert [known[kind] for kind in ("drugs", "stolen goods", "weapons")] == pytest.approx([2.8, 2.6, 5.8], abs=0.1)
    arrests = left.figures["arrest-share-by-group"].data.filter(object="weapons")
    shares = dict(arrests.select("group", "share").iter_rows())
    assert (100 * shares["Black"], 100 * shares["White"]) == pytest.approx((19.2, 22.5), abs=0.3)


def test_the_bootstrap_by_day_is_as_much_wider_than_counting_as_was_found():
    """Pooled, about twice; with only the known, or without section 60, as METHODS says of searches in clusters."""
    held = edition.open_edition()
    days = held.table("searches_by_day").filter(pl.col("day").dt.month_start().is_in(YEAR.months))
    people = held.table("population").filter(pl.col("borough_code").is_in(places.boroughs()["borough_code"].implode()))

    def wider(rows):
        both = [relative_rate(one, people) for one in (rows, rows.drop("day"))]
        one, other = (np.log(rate.upper / rate.lower) for rate in both)
        return one / other

    sixty = stops.object_kind(pl.col("object_of_search")) == "section 60"
    assert 1.85 < wider(days) < 2.2
    assert 1.5 < wider(days.filter(pl.col("self_defined").is_in(stops.GROUPS))) < 1.75
    assert 1.3 < wider(days.filter(~sixty)) < 1.6


# The attack -----------------------------------------------------------------------------------------------------------
#
# A cell is (object, self-defined group, what became of it, child or not), (object, officer-defined group), and so on: whatever is
# shown is a sum of cells, and an attacker solves all of it together.

RESULTS = ("arrest", "other outcome", "none")


def truth(area):
    """The year's person searches of a borough: (object, self-defined, officer-defined, result, child) → searches."""
    kinds, counted = {**stops.OBJECTS}, Counter()
    table = edition.open_edition().table("searches").filter(borough_code=places.area(area).code)
    for row in table.filter(YEAR.within(pl.col("month"))).iter_rows(named=True):
        kind = kinds.get(row["object_of_search"], stops.OTHER_OBJECT)
        own, officer = (
            "unknown" if row[column] in stops.UNKNOWN else row[column] for column in stops.DEFINITIONS.values()
        )
        result = {"Arrest": "arrest", "A no further action disposal": "none", "not recorded": "none"}
        result = result.get(row["outcome"], "other outcome")
        child = row["age_band"] in ("under 10", "10-17", "under 18")
        counted[kind, own, officer, result, child] += row["searches"]
    return counted


def read(folder):
    """Every CSV of a run (a table's named "table …"), the text of its other files, the page's too, and its workbook's sheets."""
    named = {("table " if path.parent.name == "tables" else "") + path.stem: path for path in folder.rglob("*.csv")}
    tables = {name: pl.read_csv(path, infer_schema_length=None) for name, path in named.items()}
    files = [path for path in folder.rglob("*") if path.suffix in (".txt", ".svg", ".html")]
    texts = [" ".join(re.sub(r"<[^>]*>", " | ", path.read_text(encoding="utf-8")).split()) for path in files]
    empty = pl.DataFrame(schema={"object": pl.String, "group": pl.String, "count": pl.Int64, "of": pl.Int64})
    tables = {"arrest-share-by-group": empty} | tables  # a figure that cannot be drawn leaves no table
    sheets = pl.read_excel(next(folder.glob("*.xlsx")), sheet_id=0, engine="calamine", has_header=False)
    return tables, texts, sheets


def numbers(frame):
    """Every number in a frame, sorted."""
    values = [value for column in frame for value in column.to_list() if value is not None]
    return np.unique([float(value) for value in values if re.fullmatch(r"-?[\d.]+(?:e-?\d+)?", str(value))])


OBJECTS = (*stops.OBJECTS.values(), stops.OTHER_OBJECT)


@pytest.mark.slow
@pytest.mark.parametrize("area", ATTACKED)
def test_no_small_count_of_searches_comes_out_of_all_that_is_shown(runs, area):
    """Planted: `hidden_counts` without the sums over groups; `withhold_outcomes` that withholds arrests alone.

    Long, for an attacker has all that is shown at once: each table, sentence and chart tells its equations here.
    """
    left, folder = runs(area)
    tables, texts, sheets = read(folder)
    counted = truth(area)
    own = [(o, g, r, c) for o in OBJECTS for g in (*stops.GROUPS, "unknown") for r in RESULTS for c in (False, True)]
    seen = [(o, g) for o in OBJECTS for g in (*stops.OFFICER_GROUPS, "unknown")]
    attacker = Attacker([*own, *seen])

    def some(**asked):
        return [
            cell
            for cell in own
            if all(cell[["object", "group", "result", "child"].index(name)] in value for name, value in asked.items())
        ]

    def officers(objects, group):
        return [(o, group) for o in objects]

    outcomes = tables["search-outcomes"]
    every = outcomes["of"].sum()
    for row in outcomes.iter_rows(named=True):
        kind = [row["object"]]
        attacker.learns(some(object=kind), row["of"])
        attacker.learns([cell for cell in seen if cell[0] in kind], row["of"])
        attacker.learns(some(object=kind, result=["arrest"]), row["count"])
        attacker.learns(some(object=kind, result=["arrest", "other outcome"]), row["count_positive"])
        for share, results in (("share", ["arrest"]), ("share_positive", ["arrest", "other outcome"])):
            attacker.learns(some(object=kind, result=results), row[share] and row[share] * row["of"])
    missing = [kind for kind in OBJECTS if kind not in outcomes["object"].to_list()]
    attacker.learns(some(object=missing), 0)
    attacker.learns([cell for cell in seen if cell[0] in missing], 0)
    for row in tables["table stops"].filter(measure="outcome of person searches").iter_rows(named=True):
        results = ["arrest"] if row["item"] == "arrest" else ["arrest", "other outcome"]
        attacker.learns(some(result=results), row["stops"])

    def hears_ratio(row, objects, total):
        for group, name in ((row["group"], "searches_known"), (row["reference"], "searches_reference_known")):
            if group in stops.GROUPS and not (row["ethnicity"] == "officer-defined" and group == "Mixed"):
                mine = row["ethnicity"] == "self-defined"
                attacker.learns(some(object=objects, group=[group]) if mine else officers(objects, group), row[name])
        mine = some(object=objects, group=["unknown"])
        mine = mine if row["ethnicity"] == "self-defined" else officers(objects, "unknown")
        attacker.learns(mine, row["unknown_share"] and row["unknown_share"] * total)

    for name in ("table disproportionality", "disproportionality", "definitions", "disproportionality-boroughs"):
        for row in tables[name].filter(pl.col("area") == area).iter_rows(named=True):
            hears_ratio(row, OBJECTS, every)
    totals = dict(outcomes.select("object", "of").iter_rows())
    for name in ("table disproportionality_by_object", "disproportionality-by-object"):
        for row in tables[name].filter(pl.col("area") == area).iter_rows(named=True):
            hears_ratio(row, [row["object"]], totals.get(row["object"], 0))
    for row in tables["arrest-share-by-group"].iter_rows(named=True):
        mine = {"object": [row["object"]], "group": [row["group"]]}
        attacker.learns(some(**mine), row["of"])
        attacker.learns(some(**mine, result=["arrest"]), row["count"])
    for row in tables["children"].iter_rows(named=True):
        attacker.learns(some(group=[row["group"]]), row["of"])
        attacker.learns(some(group=[row["group"]], child=[True]), row["count"])

    def count(**asked):
        index = {"object": 0, "group": 1, "officer": 2, "result": 3, "child": 4}
        return sum(n for key, n in counted.items() if all(key[index[name]] in value for name, value in asked.items()))

    secrets = {}
    for group in (*stops.GROUPS, "unknown"):
        secrets["all", group] = some(group=[group]), count(group=[group])
        for child in (True, False):
            secrets["child", group, child] = some(group=[group], child=[child]), count(group=[group], child=[child])
        for kind in OBJECTS:
            secrets[kind, group] = some(object=[kind], group=[group]), count(object=[kind], group=[group])
            for results in (["arrest"], ["other outcome", "none"]):
                asked = {"object": [kind], "group": [group], "result": results}
                secrets[kind, group, results[0]] = some(**asked), count(**asked)
    for group in (*stops.OFFICER_GROUPS, "unknown"):
        secrets["officers", group] = officers(OBJECTS, group), count(officer=[group])
        for kind in OBJECTS:
            secrets["officers", kind, group] = officers([kind], group), count(object=[kind], officer=[group])
    for kind in OBJECTS:
        for result in RESULTS:
            secrets["result", kind, result] = (
                some(object=[kind], result=[result]),
                count(object=[kind], result=[result]),
            )
    # A publisher's total by power, and all of a power's where it led to one thing alone, are no secret.
    exempt = {key for key, (_, n) in secrets.items() if key[0] == "result" and n == totals.get(key[1], 0)}
    assert tried(attacker, {key: value for key, value in secrets.items() if key not in exempt}) > 0

    # What is withheld in a table is in none of its row's figures, and the workbook's sheet has the table's numbers alone.
    for name in ("disproportionality", "disproportionality_by_object"):
        frame = tables[f"table {name}"].filter(pl.col("why").str.starts_with(withhold.WORD))
        figures = [column for column, kind in stops.TABLE.items() if kind != pl.String and "residents" not in column]
        assert frame.select(figures).null_count().row(0) == (frame.height,) * len(figures)
    for name in ("disproportionality", "disproportionality_by_object", "stops", "thorough_searches"):
        titles = [title for title in sheets if title.casefold().replace(" ", "_").startswith(name[:28])]
        sheet = sheets[min(titles, key=len)]
        held = numbers(tables[f"table {name}"])
        # The workbook rounds percentages to a decimal and fractions to four digits.
        shortened = [float(f"{one:.{max(3 - floor(log10(abs(one))), 0)}f}") for one in held if one]
        held = np.concatenate([held, np.round(held, 1), shortened])
        nearest = [np.abs(held - one).min() / max(abs(one), 1) for one in numbers(sheet.slice(5))]
        assert max(nearest) < 1e-6, "a number in the workbook that its table does not hold"
    # The page, the charts and the notebook's words name no share of what is withheld.
    gone = outcomes.filter(pl.col("count").is_null())["object"].to_list()
    gone += tables["children"].filter(pl.col("count").is_null())["group"].to_list()
    arrests = tables["arrest-share-by-group"].filter(pl.col("count").is_null())
    gone += arrests.select(pl.format("{}, {}", "object", "group")).to_series().to_list()
    for label in gone:
        for text in [*texts, *left.texts]:
            assert not re.search(rf"(?<!, ){re.escape(label)}:? [\d.]+%", text, re.I), f"{label}: {text[:200]}"


@pytest.mark.slow
@pytest.mark.parametrize("area", ATTACKED)
def test_no_small_count_of_clothing_thorough_searches_or_wards_comes_out(runs, area):
    """Planted: `withhold_thorough` that shows the number of under-18s of every year."""
    _, folder = runs(area)
    tables, _, _ = read(folder)
    held, code = edition.open_edition(), places.area(area).code
    small = 0

    all_of_london = held.table("thorough_searches").filter(pl.col("months") == 12)
    mine = all_of_london.filter(borough_code=code)
    columns = ("age_band", "ethnic_appearance", "adult_present", "outcome")
    for (year,), rows in mine.group_by("year"):
        found = [tuple(row[column] for column in columns) for row in rows.to_dicts()]
        labels = [sorted(all_of_london[column].unique()) for column in columns]
        grid = [(a, e, p, o) for a in labels[0] for e in labels[1] for p in labels[2] for o in labels[3]]
        values = Counter(dict(zip(found, rows["searches"])))
        attacker, secrets = Attacker(grid), {}
        (told,) = tables["thorough-searches"].filter(year=year).to_dicts()
        attacker.learns(grid, told["searches"])
        attacker.learns([cell for cell in grid if cell[0] == "under 18"], told["under_18"])
        for n, column in enumerate(columns):
            items = tables["table thorough_searches"].filter(year=year, measure=column)
            listed = dict(items.select("item", "searches").iter_rows())
            for label in labels[n]:
                names = [cell for cell in grid if cell[n] == label and (n != 2 or cell[0] == "under 18")]
                # What has no row is nought, unless it is an answer about under-18s whose number is withheld.
                attacker.learns(names, listed.get(label, 0))
                secrets[year, column, label] = names, sum(values[cell] for cell in names)
        small += tried(attacker, secrets)

    people = held.table("population").filter(borough_code=code)
    wards = dict.fromkeys(people["ward_code"].unique().sort(), 0)
    rows = held.table("ward_stops").filter(financial_year="2023-24").filter(pl.col("ward_code").is_in(list(wards)))
    wards |= dict(rows.group_by("ward_code").agg(pl.col("stops").sum()).iter_rows())
    attacker = Attacker(list(wards))
    attacker.learns(list(wards), sum(wards.values()))
    for row in tables["ward-stops"].iter_rows(named=True):
        attacker.learns([row["ward_code"]], row["stops"])
        for rate, over in (
            ("per_1000_residents", row["residents"] / 1000),
            ("per_100_offences", row["offences"] / 100),
        ):
            attacker.learns([row["ward_code"]], row[rate] and row[rate] * over)
    small += tried(attacker, {ward: ([ward], n) for ward, n in wards.items()})

    removed = held.table("searches").filter(read_period("year to 2024-08").within(pl.col("month")), borough_code=code)
    removed = removed.drop_nulls("more_than_outer_clothing")
    grid = [(child, out) for child in (True, False) for out in (True, False)]
    child = pl.col("age_band").is_in(["under 10", "10-17", "under 18"])
    values = {
        cell: removed.filter(child == cell[0], pl.col("more_than_outer_clothing") == cell[1])["searches"].sum()
        for cell in grid
    }
    attacker = Attacker(grid)
    for row in tables["clothing"].filter(area=area).iter_rows(named=True):
        names = [cell for cell in grid if cell[0] or row["age"] == "All ages"]
        attacker.learns(names, row["of"])
        attacker.learns([cell for cell in names if cell[1]], row["count"])
    small += tried(attacker, {cell: ([cell], n) for cell, n in values.items()})
    assert small > 3
