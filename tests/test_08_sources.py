"""Notebook 08: its words for every area, and its numbers against the edition's tables and manifest."""

import polars as pl
import pytest

import cells
import wardbook
from conftest import sampled_runs

FIVE = ["Tower Hamlets", "Croydon", "Kingston upon Thames", "Hillingdon", "London"]
RUNS = [*sampled_runs(*((area, "latest") for area in FIVE)), ("Croydon", "2011-12")]


@pytest.mark.parametrize(("area", "period"), RUNS)
def test_every_template_renders_for_every_area_in_plain_words(area, period):
    drawn = cells.shared("08_sources", borough=area, period=period).figures
    assert set(drawn) == {"holdings", "revisions", "unplaced"}


@pytest.mark.parametrize("area", FIVE)
def test_every_word_and_number_is_the_goldens(area, snapshot):
    assert cells.golden(cells.shared("08_sources", borough=area, period="latest")) == snapshot


def test_a_revision_is_the_newest_release_over_the_one_before():
    left = cells.shared("08_sources", borough="Tower Hamlets", period="latest")
    row = left.figures["revisions"].data.filter(older_snapshot="2025-11", month=pl.date(2025, 11, 1)).row(0, named=True)
    total = {"borough_code": "E09000030", "offence_group": "total recorded offences excluding fraud"}
    counts = wardbook.open().table("borough_offences").filter(month=pl.date(2025, 11, 1), **total)
    held = dict(counts.select("snapshot", "offences").iter_rows())
    assert (row["older"], row["newer"]) == (held["2025-11"], held["2026-02"])
    assert row["revision_percent"] == pytest.approx(100 * (held["2026-02"] / held["2025-11"] - 1))


def test_the_files_licences_and_conversions_are_those_of_the_manifest():
    left = cells.shared("08_sources", borough="London", period="latest")
    inputs = wardbook.open().edition.manifest["inputs"]
    table = left.tables["sources"]
    assert table["files"].sum() == len(inputs) and table["licence"].is_not_null().all()
    kept, read = (sum(entry[rows] for entry in inputs) for rows in ("rows_kept", "rows_read"))
    assert f"{kept:,} of {read:,}" in left.statements["by-way-of"].parts[1]["lead"]
