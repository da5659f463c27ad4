"""Boroughs under every spelling, and ward codes that are joined whole or not at all."""

from __future__ import annotations

import polars as pl
import pytest

from wardbook import places
from wardbook.places import Area, UnknownName, WardVintageError, check_ward_vintage

# Boroughs -------------------------------------------------------------------------------------------------------------


def test_the_mets_boroughs_are_32_and_the_city_is_none_of_them():
    table = places.boroughs()
    assert table.columns == ["borough_code", "borough"]
    assert (table.height, table["borough_code"].n_unique(), table["borough"].n_unique()) == (32, 32, 32)
    assert table["borough_code"].is_sorted()
    assert "City of London" not in table["borough"].to_list()


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("City of Westminster", "E09000033"),
        ("Barking &amp; Dagenham", "E09000002"),
        ("Hammersmith&amp;Fulham", "E09000013"),
        ("Kingston", "E09000021"),
        ("City of London", "E09000001"),
    ],
)
def test_publishers_spellings(spelling, code):
    assert places.borough_code(spelling) == code


@pytest.mark.parametrize(
    "name", ["London", "Unknown", "", "Tower Hamlet", "Aviation Security (SO18)", "Westminster North"]
)
def test_what_is_no_borough_has_no_code(name):
    assert places.borough_code(name) is None


@pytest.mark.parametrize("name", ["Tower Hamlets", " tower hamlets ", "TOWER HAMLETS"])
def test_an_area_by_any_spelling_has_the_one_name(name):
    area = places.area(name)
    assert area == Area("E09000030", "Tower Hamlets")
    assert area.slug == "tower-hamlets"
    assert not area.is_london


@pytest.mark.parametrize("name", ["London", "london", " LONDON "])
def test_london_is_the_32_boroughs_together(name):
    area = places.area(name)
    assert area == Area("E12000007", "London")
    assert (area.slug, area.is_london) == ("london", True)
    assert area.code not in places.boroughs()["borough_code"].to_list()


def test_the_city_of_london_is_refused_as_a_borough_of_the_met():
    for name in ("City of London", "city of london"):
        with pytest.raises(UnknownName) as caught:
            places.area(name)
        why = "it has a police force of its own, whose figures are not here"
        assert str(caught.value) == f"unknown borough {name!r}: {why} (data/reference/boroughs.csv)"


@pytest.mark.parametrize(("typed", "nearest"), [("tower hamlet", "Tower Hamlets"), ("Lodnon", "London")])
def test_a_misspelt_borough_is_refused_with_the_nearest(typed, nearest):
    with pytest.raises(UnknownName) as caught:
        places.area(typed)
    assert str(caught.value) == f"unknown borough {typed!r}: did you mean {nearest!r}? (data/reference/boroughs.csv)"
    assert (caught.value.kind, caught.value.value) == ("borough", typed)
    assert isinstance(caught.value, ValueError)


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
    assert isinstance(caught.value, ValueError)


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
