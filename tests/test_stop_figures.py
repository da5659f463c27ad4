"""Stop and search in words: every text of every area names its definition, its year and what is unknown, and claims no cause."""

from __future__ import annotations

import re
from datetime import date

import polars as pl
import pytest

from wardbook import open as open_book
from wardbook import places, reference
from wardbook.figures import maps
from wardbook.figures import stops as figures
from wardbook.figures.export import Absent
from wardbook.measures import stops, wards
from wardbook.measures.stops import YearOnYear
from wardbook.periods import FinancialYear

YEAR = FinancialYear(2023)
AREAS = [places.LONDON, *places.boroughs()["borough"]]
CODES = places.boroughs()["borough_code"].to_list()
CAUSAL = r"\b(because|due to|cause[sd]?|led to|leads? to|result(s|ed) in|driven|drives|thanks to|explains?|targeted|biased)\b"


@pytest.fixture(scope="module")
def book():
    return open_book(notebook="04_stop_and_search", borough="London")


@pytest.fixture(scope="module")
def table(book):
    counts, population = book.edition.table("stops_by_ethnicity"), book.edition.table("population")
    return stops.disproportionality(counts, population, [places.area(name) for name in AREAS], CODES, YEAR)


def all_figures(book, table, year=YEAR):
    """The eight figures of `04_stop_and_search` for the book's area."""
    edition, area, london = book.edition, book.area, places.area(places.LONDON)
    coverage, population = edition.table("stop_coverage"), edition.table("population")
    people = stops.residents(population, area, CODES)["residents"].sum()
    monthly = stops.monthly_rates(edition.table("stops"), coverage, area, people)
    objects = stops.of_year(edition.table("stops_by_object"), area, year)
    results = stops.outcome_rates(stops.of_areas(edition.table("stops_by_object"), [area, london], year), by="area")
    grouped = stops.of_year(edition.table("stops_by_group_outcome"), area, year)
    events = edition.table("ward_stops").filter(financial_year=str(year)).rename({"stops": "events"})
    rates = wards.ward_rates(events.drop("financial_year"), edition.table("wards"), population)
    return [
        figures.by_month(book, monthly, year, stops.year_on_year(monthly, year), people),
        figures.ratios(book, table.filter(area=area.name)),
        figures.ranked(book, table),
        figures.age_and_sex(book, stops.age_and_sex(edition.table("stops_by_person"), area, year), year),
        figures.objects(book, stops.outcome_rates(objects, by="object_of_search"), year),
        figures.outcomes(book, results, year),
        figures.by_group(book, stops.outcome_rates(grouped, by=["definition", "group"]), year),
        maps.ward_stops_map(book, wards.in_area(rates, area.code), edition.table("wards"), period=str(year)),
    ]


@pytest.mark.parametrize("name", AREAS)
def test_every_text_of_every_area_keeps_the_rules(name, table):
    book = open_book(notebook="04_stop_and_search", borough=name)
    made = all_figures(book, table)
    drawn = [figure for figure in made if not isinstance(figure, Absent)]
    assert len(drawn) >= 7
    for figure in drawn:
        texts = [figure.title, figure.subtitle, figure.alt_text, figure.sentence, figure.challenge]
        assert str(YEAR) in figure.title, "a title without its year"
        assert len(figure.title.split()) <= 15, figure.title
        assert " where " in figure.alt_text
        for text in texts:
            assert not re.search(CAUSAL, text, re.I), text
            assert not re.search(r"\bnan\b|\binf\b|None\b|  |\.\.|\b1 (searches|months)\b", text), text
            if re.search(r"\b(ratio|ethnic)", text, re.I):
                assert re.search(r"self-defined|officer-defined", text), f"no definition: {text}"
    for figure in drawn[1:3]:
        assert "unknown" in figure.sentence and figures.CAUTION in figure.sentence
        assert {"rate_group", "rate_reference", "unknown_share"} <= set(figure.data.columns)
    assert re.search(r"per 1,000 Black residents and [\d.]+ per 1,000 White residents", drawn[1].sentence)
    if not book.area.is_london:
        assert re.search(r"per 1,000 Black residents and [\d.]+ per 1,000 White residents", drawn[2].sentence)


def row_of(table, group, ethnicity):
    return table.row(
        by_predicate=(pl.col("area") == "Sutton") & (pl.col("group") == group) & (pl.col("ethnicity") == ethnicity),
        named=True,
    )


def test_the_ratio_sentence_says_the_rows_numbers(table):
    row = row_of(table, "Black", "self-defined")
    said = figures.ratio_sentence(row)
    for value in ("20.0", "5.0", "3.99", "3.44", "4.63", "3.26", "2.16", "9.10", "25.6%", "1.38"):
        assert value in said, (value, said)
    assert "Mixed" not in said
    officer = row | {"ethnicity": "officer-defined", "mapping_low": 2.0, "mapping_none": 3.0, "mapping_high": 4.0}
    assert "With all of them counted as Black the ratio is 2.00" in figures.ratio_sentence(officer)


def test_a_ratio_that_cannot_be_given_says_why(book, table):
    mixed = row_of(table, "Mixed", "officer-defined")
    assert figures.ratio_sentence(mixed).endswith("cannot say, officers' codes have no Mixed group.")
    blank = ["ratio", "lower", "upper", "known_only", "bound_low", "bound_high"]
    few = table.filter(area="Sutton").with_columns(
        *(pl.lit(None, pl.Float64).alias(name) for name in blank), pl.lit("too few").alias("why")
    )
    assert isinstance(figures.ratios(book, few), Absent)
    none_black = pl.concat(
        [few.filter(group="Black"), table.filter(pl.col("area") == "Sutton", pl.col("group") != "Black")]
    )
    figure = figures.ratios(book, none_black)
    assert figure.title == "Too few searches in Sutton to give a Black to White ratio, 2023-24"
    assert "Black to White (self-defined) in Sutton, 2023-24: cannot say, too few." in figure.sentence
    assert "Recompute" not in figure.challenge


@pytest.mark.parametrize(
    ("ratio", "lower", "upper", "title"),
    [
        (2.0, 1.5, 2.5, "Black to White search ratio in Sutton is 2.0 (self-defined), 2023-24"),
        (0.5, 0.4, 0.6, "Black to White search ratio in Sutton is 0.5 (self-defined), 2023-24"),
        (1.1, 0.9, 1.3, "Black to White search rates in Sutton little different (self-defined), 2023-24"),
    ],
)
def test_titles_of_a_high_a_low_and_an_even_ratio(book, table, ratio, lower, upper, title):
    rows = table.filter(pl.col("area") == "Sutton", pl.col("ratio").is_not_null()).with_columns(
        ratio=pl.lit(ratio), lower=pl.lit(lower), upper=pl.lit(upper)
    )
    assert figures.ratios(book, rows).title == title


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ((100, 200, 100.0, 70.0, 140.0), "rose, from 100 to 200, +100.0% a day (counting noise +70.0% to +140.0%"),
        ((200, 100, -50.0, -60.0, -40.0), "fell, from 200 to 100, −50.0% a day"),
        ((100, 101, 1.0, -20.0, 25.0), "were little different, from 100 to 101, +1.0% a day"),
        ((2, 1, None, None, None), "too few were recorded to describe a change"),
    ],
)
def test_the_year_before_in_words(change, wanted):
    found = YearOnYear(YEAR - 1, YEAR, 11, change[0], change[1], ("December 2022 ends on the 17th",), *change[2:])
    said = figures.year_on_year_sentence(found, "Sutton")
    assert wanted in said
    assert "(December 2022 ends on the 17th: that calendar month is left out of both)" in said


def test_no_month_in_common_cannot_be_compared():
    found = YearOnYear(YEAR - 1, YEAR, 0, 0, 0, ("April 2022 is not in the edition",), None, None, None)
    assert "cannot say" in figures.year_on_year_sentence(found, "Sutton")


def test_a_partial_month_is_drawn_hollow_and_in_no_line(book):
    coverage = book.edition.table("stop_coverage")
    monthly = stops.monthly_rates(book.edition.table("stops"), coverage, book.area, 1000)
    figure = figures.by_month(book, monthly, YEAR, stops.year_on_year(monthly, YEAR), 1000)
    spec = str(figure.chart.to_dict())
    assert "December 2022 ends on the 17th" in spec
    panel = figure.chart.vconcat[0]
    line = panel.layer[0].data
    december = line.filter(pl.col("month") == date(2022, 12, 1))
    assert december["rate_per_1000"].to_list() == [None]
    assert "December 2022 ends on the 17th" in figure.sentence


def test_which_year_is_shown_is_said(book):
    coverage = book.edition.table("stop_coverage")
    later = figures.period_sentence(book, stops.stop_year(coverage, FinancialYear(2024)))
    assert later == (
        "Stops and searches shown are those of 2023-24, not of 2024-25: the edition's stops of 2024-25 are April 2024 to August 2024 only."
    )
    assert (
        figures.period_sentence(book, stops.stop_year(coverage, YEAR))
        == "Stops and searches shown are those of 2023-24."
    )


def test_published_figures_beside_ours(book, table):
    ours = stops.headline_figures(book.edition.table("stops"), table, YEAR)
    shown = figures.published_table(ours, reference.published_stops(), YEAR)
    total = shown.row(0, named=True)
    assert (total["published"], total["here"], total["difference_percent"]) == ("137,494 to 139,180", 134_848, -1.9)
    said = figures.published_sentence(shown)
    assert "134,848" in said and "−1.9%" in said and "16.1%" in said
    missing = shown.row(-1, named=True)
    assert (missing["published"], missing["difference_percent"]) == ("not found", None)
    other = figures.published_table({}, reference.published_stops(), FinancialYear(2019))
    assert other.is_empty()
    assert figures.published_sentence(other).startswith("No figure of this year")


def test_few_searches_give_no_shares(book):
    few = pl.DataFrame({"area": ["London"], "outcome": ["Arrest"], "searches": [3]})
    rates = stops.outcome_rates(few, by="area")
    assert isinstance(figures.outcomes(book, rates, YEAR), Absent)
    person = pl.DataFrame({"age_band": ["18-24"], "sex": ["Male"], "searches": [3], "share": [1.0]})
    assert isinstance(figures.age_and_sex(book, person, YEAR), Absent)
    groups = stops.outcome_rates(
        few.with_columns(definition=pl.lit("self-defined"), group=pl.lit("Black")), by=["definition", "group"]
    )
    assert isinstance(figures.by_group(book, groups, YEAR), Absent)
    things = pl.DataFrame(
        {
            "object_of_search": ["Fireworks", "Controlled drugs", "Firearms"],
            "outcome": ["Arrest"] * 3,
            "searches": [8, 30, 20],
        }
    )
    figure = figures.objects(book, stops.outcome_rates(things, by="object_of_search"), YEAR)
    assert figure.data.filter(object_of_search="Fireworks").select("arrests", "arrest_share_lower").row(0) == (
        None,
        None,
    )
