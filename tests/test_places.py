"""Boroughs under every spelling, and ward codes that are joined whole or not at all."""

from __future__ import annotations

import polars as pl
import pytest

from wardbook import places
from wardbook.places import Area, UnknownName, WardVintageError, check_ward_vintage

# Boroughs -------------------------------------------------------------------------------------------------------------


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


# Wards ----------------------------------------------------------------------------------------------------------------

NOW = ["E05009317", "E05009318", "E05013570", "E05013806"]


def test_codes_of_the_right_vintage_match_in_full():
    padded = [f"{code} " for code in NOW]  # as one dashboard prints them
    for codes in (NOW[:3], [*NOW, *NOW], [], padded):
        check_ward_vintage(codes, NOW, data="made up", table="wards")


def test_a_partial_match_is_refused_with_its_rate():
    # Two of the five are still in use: a join would look partly right.
    old = ["E05000026", "E05000027", "E05000028", *NOW[:2]]
    with pytest.raises(WardVintageError) as caught:
        check_ward_vintage(old, NOW, data="made-up crime", table="the wards of 2024")
    assert str(caught.value) == (
        "made-up crime: only 2 of 5 ward codes (40.0%) are in the wards of 2024; these are wards of another vintage "
        "(for example E05000026, E05000027, E05000028), so nothing was joined"
    )


@pytest.mark.raw
def test_published_wards_of_seven_boroughs_fit_two_vintages(raw):
    from wardbook.sources import ons

    lookup = ons.read_lsoa_lookup(
        raw / "ons/LSOA_(2021)_to_Electoral_Ward_(2024)_to_LAD_(2024)_Best_Fit_Lookup_in_EW.csv"
    ).frame
    old = set(ons.read_wards(raw / "ons/wards-2018/London_Ward.shp").frame["ward_code"])
    kept = lookup.group_by("borough_code").agg(pl.col("ward_code").is_in(list(old)).all())
    both = kept.filter("ward_code", pl.col("borough_code").is_in(places.boroughs()["borough_code"].to_list()))
    assert both.height == 7
    assert places.area("Tower Hamlets").code in both["borough_code"].to_list()
