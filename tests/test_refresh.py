"""What a refresh says it moved: each headline with both numbers and the reason, and nothing that did not move."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from test_edition import synthetic_build as synthetic_build
from wardbook import edition, refresh
from wardbook.cli import app

FILE = "mps/2025-03/MPS Borough Level Crime (made up).csv"
HEAD = ["headline", "area", "period", "before", "after", "why"]


@pytest.fixture
def folder(synthetic_build, tmp_path):
    """A copy of the folder, to be changed."""
    return Path(shutil.copytree(synthetic_build[0], tmp_path / "raw"))


@pytest.fixture
def built(folder, tmp_path):
    """Builds the changed folder."""
    return lambda: edition.build(folder, tmp_path / "two")


def compare(one, two):
    return refresh.compare(refresh.headlines(one), refresh.headlines(two))


def edit(path, change):
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [change(row) for row in csv.DictReader(handle)]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def one_robbery_more(row):
    if (row["BoroughName"], row["MinorText"]) == ("Barnet", "ROBBERY OF BUSINESS PROPERTY"):
        row["202404"] = str(int(row["202404"]) + 1)
    return row


def test_the_same_files_move_nothing(synthetic_build, built):
    table = compare(synthetic_build[1], built())
    assert table.columns == HEAD and table.is_empty()
    assert refresh.report(table) == ["No headline moved."]


def test_one_offence_more_moves_the_headlines_it_is_in_and_no_other(synthetic_build, folder, built):
    """Planted: `<` for `ne_missing`, which is silent about what fell."""
    edit(folder / FILE, one_robbery_more)
    one, two = synthetic_build[1], built()
    table = compare(one, two)
    total = "total recorded offences excluding fraud"
    assert table.select("headline", "area", "period").rows() == [
        ("robbery", "all places", "2024-25"),
        (total, "all places", "2024-25"),
        ("robbery", "Barnet", "2024-25"),
        (total, "Barnet", "2024-25"),
    ]
    assert (table["after"] - table["before"]).to_list() == [1] * 4
    assert set(table["why"]) == {"revision"}
    back = compare(two, one)
    assert (back["after"] - back["before"]).to_list() == [-1] * 4


def test_a_new_snapshot_is_a_revision_that_names_both(synthetic_build, folder, built):
    edit(folder / FILE, one_robbery_more)
    (folder / "mps/2025-03").rename(folder / "mps/2025-04")
    table = compare(synthetic_build[1], built())
    assert table.height == 4 and set(table["why"]) == {"revision (2025-03 to 2025-04)"}


def test_a_year_that_was_not_held_is_a_new_month_and_one_no_longer_held_says_so(synthetic_build, folder, built):
    edit(folder / FILE, lambda row: {k: v for k, v in row.items() if k != "202503"})
    one, two = synthetic_build[1], built()
    table = compare(one, two)
    assert set(table["why"]) == {"no longer held"} and table["after"].is_null().all()
    assert set(table["period"]) == {"2024-25"}
    back = compare(two, one)
    assert set(back["why"]) == {"new month"} and back["before"].is_null().all()
    assert "not held" in refresh.report(back)[1]


def test_a_changed_definition_is_told_from_a_revision(synthetic_build):
    made, robbery = refresh.headlines(synthetic_build[1]), pl.col("headline") == "robbery"
    other = made.with_columns(pl.when(robbery).then(pl.col("value") * 2).otherwise("value").alias("value"))
    redefined = other.with_columns(pl.when(robbery).then(pl.lit("0" * 64)).otherwise("rules").alias("rules"))
    table = refresh.compare(made, redefined)
    assert set(table["headline"]) == {"robbery"} and set(table["why"]) == {"definition"}
    assert set(refresh.compare(made, other)["why"]) == {"same files, read or counted differently"}


def test_a_shapefile_whose_names_and_codes_changed_is_a_changed_file(synthetic_build, folder, built):
    """Planted: a manifest that names the .shp alone, by which its table was the same files, read differently."""
    one = synthetic_build[1]
    part = folder / "ons/wards-2018/made_up.dbf"
    # The date of the last change, which GDAL does not read: the table stays as it is.
    part.write_bytes(part.read_bytes()[:1] + b"\x7d\x01\x01" + part.read_bytes()[4:])
    two = built()
    assert one.manifest["tables"] == two.manifest["tables"]
    hashes = [{d for e in m.manifest["inputs"] for d in edition.input_hashes(e).values()} for m in (one, two)]
    assert len(hashes[0] ^ hashes[1]) == 2


def test_build_prints_the_table_and_a_first_build_or_a_broken_edition_does_not(folder, tmp_path):
    out = tmp_path / "edition"
    arguments = ["build", "--raw", str(folder), "--out", str(out)]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0 and "headlines" not in first.output
    again = CliRunner().invoke(app, arguments)
    assert "No headline moved." in again.output
    edit(folder / FILE, one_robbery_more)
    changed = CliRunner().invoke(app, arguments)
    assert "revision" in changed.output and "Barnet" in changed.output
    assert changed.output.splitlines()[-1] == again.output.splitlines()[-1], "the last line is the edition's folder"
    (out / "wards.parquet").write_bytes(b"spoilt")
    spoilt = CliRunner().invoke(app, arguments)
    assert spoilt.exit_code == 0 and "headlines" not in spoilt.output
