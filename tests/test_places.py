"""Boroughs under every spelling. That ward codes are joined whole or not at all is in test_edition and test_maps."""

import polars as pl
import pytest

from wardbook import places
from wardbook.places import Area, UnknownName


def test_the_mets_boroughs_are_32_and_the_city_is_none_of_them():
    table = places.boroughs()
    assert table.select(pl.all().n_unique()).row(0) == (32, 32)
    assert table["borough_code"].is_sorted()
    assert not {"City of London", "London"} & set(table["borough"])


def test_publishers_spellings_have_a_code_and_what_is_no_borough_has_none():
    codes = {"City of Westminster": "E09000033", "Barking &amp; Dagenham": "E09000002", "Kingston": "E09000021"}
    codes |= {"Hammersmith&amp;Fulham": "E09000013", "City of London": "E09000001"}
    none = ["London", "Unknown", "", "Tower Hamlet", "Aviation Security (SO18)", "Westminster North"]
    codes |= dict.fromkeys(none)
    assert {name: places.borough_code(name) for name in codes} == codes


@pytest.mark.parametrize(("code", "name"), [("E09000030", "Tower Hamlets"), ("E12000007", "London")])
def test_an_area_by_any_spelling_has_the_one_name(code, name):
    area = Area(code, name)
    assert {places.area(spelt) for spelt in (name, name.lower(), f" {name.upper()} ")} == {area}
    assert (area.slug, area.is_london) == (name.lower().replace(" ", "-"), name == "London")


def test_a_misspelt_borough_is_refused_with_the_nearest_and_the_city_with_the_reason():
    why = {"tower hamlet": "did you mean 'Tower Hamlets'?", "Lodnon": "did you mean 'London'?"}
    why["city of london"] = "it has a police force of its own, whose figures are not here"
    for typed, says in why.items():
        with pytest.raises(UnknownName) as caught:
            places.area(typed)
        assert str(caught.value) == f"unknown borough {typed!r}: {says} (data/reference/boroughs.csv)"
