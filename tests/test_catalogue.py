"""The catalogue: a file is credited to its source in whichever layout it lies, with the licence it came under."""

from wardbook.catalogue import sources
from wardbook.run.page import used_sources


def test_a_file_is_its_own_sources_and_credited_to_it_in_every_layout():
    """Planted: the attribution list by `pattern` alone, by which a run on fetched files named no source."""
    for key, source in sources().items():
        for pattern in (source.pattern, *source.also):
            file = pattern.replace("*", "x")
            assert [name for name, other in sources().items() if other.recognises(file)] == [key], pattern
            assert [credited.key for credited, _ in used_sources([file])] == [key], pattern


def test_a_copy_says_by_whom_it_was_converted_and_its_licence_and_what_is_as_published_says_neither():
    source = sources()["mps-ward-crime"]
    copy = source.copy_of("mps/2026-02/recorded-crime-ward-historical.parquet")
    assert copy.licence == "Open Government Licence v2.0" and "v2.0" in copy.attribution
    assert "converted the published CSV to Parquet" in copy.by_way_of
    published = source.copy_of("mps/2025-12/MPS Ward Level Crime (most recent 24 months).csv")
    assert (published.by_way_of, published.licence) == ("", source.licence)
