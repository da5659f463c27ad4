"""A claim heard at a meeting: what people call offences, any two periods, one sentence, and what is refused."""

import pytest

from wardbook import claim
from wardbook.book import open_book
from wardbook.periods import read_period
from wardbook.places import UnknownName


@pytest.fixture(scope="module")
def lambeth():
    return open_book("Lambeth")


def answered(book, offence, first, last):
    return claim.answer(book, offence, read_period(first), read_period(last))


def test_what_people_call_offences_is_understood_and_means_something_that_is_held(lambeth):
    items = {"violence": "violence against the person", "crime": "total recorded offences excluding fraud"}
    items |= {"car crime": "vehicle crime", "phone theft": "theft from the person"}
    items |= {"stabbings": "Knife Crime with Injury", "knife crime": "Knife Crime"}
    assert {words: claim.find_offence(lambeth, words)[1] for words in items} == items
    known = claim.offences(lambeth)
    assert [words for words in claim.synonyms()["words"] if words.casefold() not in known] == []


def test_an_unknown_name_lists_every_name_and_offers_no_other_offence(lambeth):
    with pytest.raises(UnknownName) as caught:
        claim.find_offence(lambeth, "wizardry")
    assert "did you mean" not in str(caught.value)
    every = ("phone theft", "violence with injury", "Knife Crime", "vandalism")
    assert all(words in str(caught.value) for words in every)
    with pytest.raises(UnknownName, match="did you mean 'shoplifting'"):
        claim.find_offence(lambeth, "shoplifing")


def test_the_lambeth_claim_of_december_2025(lambeth):
    said = answered(lambeth, "vehicle crime", "year to 2024-11", "year to 2025-11")
    assert said.sentence.startswith(
        "Vehicle crime in Lambeth fell 24.6%, from 3,063 in the year to November 2024 to 2,308 in the year to November 2025. "
        "The rest of London's fell 12.8%"
    )
    newest = answered(lambeth, "vehicle crime", "year to 2025-02", "year to 2026-02")
    assert "fell 30.4%" in newest.sentence and "fell 13.3%" in newest.sentence


def test_a_window_of_months_against_the_same_months(lambeth):
    said = answered(lambeth, "robbery", "2024-11 to 2025-01", "2025-11 to 2026-01")
    assert "in November 2024 to January 2025 to" in said.sentence


@pytest.mark.parametrize(("borough", "before", "after"), [("Merton", 0, 3), ("Sutton", 1, 0)])
def test_what_is_too_few_to_say_anything_of_says_its_counts_once(borough, before, after):
    """Sutton's one homicide and none "fell 100.0%"."""
    said = answered(open_book(borough), "homicide", "year to 2025-02", "year to 2026-02")
    assert f" went from {before} in the year to February 2025 to {after} in the year to February 2026." in said.sentence


def test_what_cannot_be_compared_says_why_and_gives_the_counts(lambeth):
    said = answered(lambeth, "violence", "2023-24", "2024-25")
    assert said.sentence.startswith("Violence against the person in Lambeth cannot be compared between 2023-24 (")
    assert "CONNECT" in said.sentence
    assert "fell" not in said.figure.title


@pytest.mark.parametrize(
    ("offence", "first", "last", "says"),
    [
        ("searches", "2023-24", "2024-25", "04_stop_and_search"),
        ("robbery", "2024-25", "2024-25", "are the same"),
        ("robbery", "2024-25", "2023-24", "in reverse order"),
        ("robbery", "2023-24", "year to 2025-12", "offences have seasons"),
        ("robbery", "2005-06", "2024-25", "the edition holds April 2010 to February 2026"),
        ("fraud and forgery", "2014-15", "2015-16", "Action Fraud"),  # which left the series: none is no count
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(lambeth, offence, first, last, says):
    with pytest.raises(claim.ClaimRefused, match=says):
        answered(lambeth, offence, first, last)


def test_how_many_changes_were_as_far_is_said_of_more_of_none_and_of_one():
    said = answered(open_book("London"), "robbery", "year to 2025-02", "year to 2026-02")
    assert "of 10 other years it moved as far" in said.sentence and "rest of London" not in said.sentence
    said = answered(open_book("London"), "theft from the person", "2013-14", "2014-15")
    assert said.sentence.endswith(" It moved as far in none of 10 other years.")
    said = answered(open_book("Sutton"), "stalking and harassment", "2010-11", "2011-12")
    assert said.sentence.endswith(" Of 320 other changes of boroughs, one was as far from the rest of London.")
