"""What a refresh says it moved: each headline with both numbers and the reason, and nothing that did not move."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from test_edition import synthetic_build as synthetic_build
from wardbook import edition, refresh
from wardbook.tables import TOTAL

FILE = "mps/2025-03/MPS Borough Level Crime (made up).csv"


@pytest.fixture
def folder(synthetic_build, tmp_path):
    """A copy of the folder, to be changed."""
    return Path(shutil.copytree(synthetic_build[0], tmp_path / "raw"))


@pytest.fixture
def built(folder):
    """Builds the changed folder."""
    return lambda: edition.build(folder, folder.with_name("two"))


def compare(one, two):
    return refresh.compare(refresh.headlines(one), refresh.headlines(two))


def put_one_robbery_more(folder):
    """In April 2024 in Barnet."""
    here = (pl.col("BoroughName") == "Barnet") & (pl.col("MinorText") == "ROBBERY OF BUSINESS PROPERTY")
    table = pl.read_csv(folder / FILE)
    table.with_columns(pl.col("202404") + here.cast(pl.Int64)).write_csv(folder / FILE)


def test_one_offence_more_moves_the_headlines_it_is_in_and_no_other(synthetic_build, folder, built):
    """Planted: `<` for `ne_missing`, which is silent about what fell."""
    put_one_robbery_more(folder)
    one, two = synthetic_build[1], built()
    table, back = compare(one, two), compare(two, one)
    moved = [(headline, area, "2024-25") for area in ("all places", "Barnet") for headline in ("robbery", TOTAL)]
    assert table.select("headline", "area", "period").rows() == moved
    assert (table["after"] - table["before"]).to_list() == [1] * 4
    assert (back["after"] - back["before"]).to_list() == [-1] * 4
    assert set(table["why"]) == {"revision"}
    (folder / "mps/2025-03").rename(folder / "mps/2025-04")
    later = compare(one, built())
    assert later.height == 4 and set(later["why"]) == {"revision (2025-03 to 2025-04)"}


def test_a_year_that_was_not_held_is_a_new_month_and_one_no_longer_held_says_so(synthetic_build, folder, built):
    pl.read_csv(folder / FILE).drop("202503").write_csv(folder / FILE)
    one, two = synthetic_build[1], built()
    table, back = compare(one, two), compare(two, one)
    assert set(table["why"]) == {"no longer held"} and table["after"].is_null().all()
    assert set(table["period"]) == {"2024-25"}
    assert set(back["why"]) == {"new month"} and back["before"].is_null().all()
    assert "not held" in refresh.report(back)[1]


def test_a_changed_definition_is_told_from_a_revision(synthetic_build):
    made, robbery = refresh.headlines(synthetic_build[1]), pl.col("headline") == "robbery"
    other = made.with_columns(pl.when(robbery).then(pl.col("value") * 2).otherwise("value").alias("value"))
    redefined = other.with_columns(pl.when(robbery).then(pl.lit("0" * 64)).otherwise("rules").alias("rules"))
    table = refresh.compare(made, redefined)
    assert set(table["headline"]) == {"robbery"} and set(table["why"]) == {"definition"}
    assert set(refresh.compare(made, other)["why"]) == {"same files, read or counted differently"}


def test_build_prints_what_moved_and_a_first_build_or_one_over_a_broken_edition_does_not(folder, tmp_path, wardbook):
    def build():
        told = wardbook("build", "--raw", folder, "--out", "edition")
        assert told.exit_code == 0 and told.output.splitlines()[-1] == "edition"
        return told.output

    assert "headlines" not in build()
    assert "No headline moved." in build()
    put_one_robbery_more(folder)
    changed = build()
    assert "revision" in changed and "Barnet" in changed
    (tmp_path / "edition/wards.parquet").write_bytes(b"spoilt")
    assert "headlines" not in build()
