"""The catalogue: a file is credited to its source in whichever layout it lies, with the licence it came under."""

from __future__ import annotations

import pytest

from wardbook.catalogue import sources
from wardbook.run.page import used_sources

# The committed edition's layout, and the one that a fetch or a hand-made copy leaves.
LAYOUTS = {
    "mps-borough-crime": [
        "mps/2025-11/MPS Borough Level Crime (Historical).csv",
        "mps/2026-02/recorded-crime-borough-historical.parquet",
    ],
    "mps-ward-crime": ["mps/2025-12/MPS Ward Level Crime (x).csv", "mps/2026-02/recorded-crime-ward.parquet"],
    "mps-knife-crime": [
        "mps/monthly-crime-dashboard.parquet",
        "mps/2026-02/M1045_MonthlyCrimeDashboard_KnifeCrimeData.csv",
    ],
    "mopac-attitudes": ["mopac/PAS_Total.csv", "mopac/2023-12/PAS_Total.csv"],
    "ons-wards-2024": ["ons/wards-2024/london_ward.gpkg", "ons/wards-2024/wards.geojson"],
}


@pytest.mark.parametrize("key", LAYOUTS)
def test_a_fetched_layout_is_credited_as_the_committed_one_is(key):
    """Planted: the attribution list by `pattern` alone, by which a run on fetched files named no source."""
    credited = [[source.key for source, _ in used_sources([file])] for file in LAYOUTS[key]]
    assert credited == [[key]] * len(LAYOUTS[key])


def test_every_pattern_of_a_source_is_its_own_and_no_others():
    for key, source in sources().items():
        for pattern in (source.pattern, *source.also):
            file = pattern.replace("*", "x")
            assert [name for name, other in sources().items() if other.recognises(file)] == [key], pattern


def test_a_copy_says_by_whom_it_was_converted_and_its_licence_and_what_is_as_published_says_neither():
    source = sources()["mps-ward-crime"]
    copy = source.copy_of("mps/2026-02/recorded-crime-ward-historical.parquet")
    assert copy.licence == "Open Government Licence v2.0" and "v2.0" in copy.attribution
    assert "converted the published CSV to Parquet" in copy.by_way_of
    published = source.copy_of("mps/2025-12/MPS Ward Level Crime (most recent 24 months).csv")
    assert (published.by_way_of, published.licence) == ("", source.licence)
