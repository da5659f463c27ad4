"""Is a file what it claims to be? Failed downloads, tables and counts that are none, accounts that must add up."""

from __future__ import annotations

import sqlite3
import struct
import zipfile

import polars as pl
import pytest

from wardbook.sources.reading import (
    Quality,
    SourceError,
    check_file,
    parse_whole_numbers,
    read_text_table,
    take_columns,
)

EXPECTED = {
    "csv": "a CSV table",
    "json": "a JSON document",
    "xlsx": "an Excel workbook (a zip file)",
    "gpkg": "a GeoPackage (an SQLite file)",
    "parquet": "a Parquet file",
    "shp": "a shapefile",
}
BINARY = ("xlsx", "gpkg", "parquet", "shp")


def synthetic_file(folder, kind):
    """The smallest file that is truly of its kind, as far as can be told without parsing it."""
    path = folder / f"made_up.{kind}"
    if kind in ("csv", "json"):
        path.write_text({"csv": "a,b\n1,2\n", "json": '{"a": 1}'}[kind])
    elif kind == "xlsx":
        with zipfile.ZipFile(path, "w") as book:
            book.writestr("xl/workbook.xml", "<workbook/>" * 20)
    elif kind == "gpkg":
        connection = sqlite3.connect(path)
        connection.execute("create table made_up (a)")
        connection.commit()
        connection.close()
    elif kind == "parquet":
        pl.DataFrame({"a": [1]}).write_parquet(path)
    else:
        # Header of 100 bytes, whose length field counts 16-bit words, and a record.
        path.write_bytes(struct.pack(">i20xi", 9994, 60) + bytes(92))
    return path


@pytest.fixture
def synthetic_table(tmp_path):
    def write(content):
        path = tmp_path / "made_up.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# The file itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_file_of_its_kind_passes_and_whatever_failed_is_named(tmp_path, kind, failed_download):
    path = synthetic_file(tmp_path, kind)
    assert check_file(str(path), kind) == path
    content, finding = failed_download
    path.write_bytes(content)
    for file, wrong in ((path, finding), (tmp_path / "nowhere", "no such file"), (tmp_path, "no such file")):
        with pytest.raises(SourceError) as caught:
            check_file(file, kind)
        assert str(caught.value).startswith(f"{file}: expected {EXPECTED[kind]}; found {wrong}")
        assert (caught.value.path, caught.value.expected) == (file, EXPECTED[kind])


@pytest.mark.parametrize(
    "start", ["<html>", "\ufeff  <!DOCTYPE html>", "\r\n<HTML lang=en>", '<?xml version="1.0"?><Error>']
)
def test_a_web_page_is_told_however_it_begins(tmp_path, start):
    path = tmp_path / "made_up.csv"
    path.write_text(f"{start}Access denied", encoding="utf-8")
    with pytest.raises(SourceError, match="made_up.csv: expected a CSV table; found a web page"):
        check_file(path, "csv")


@pytest.mark.parametrize("kind", BINARY)
def test_the_first_part_of_a_file_and_another_kind_are_refused(tmp_path, kind):
    path = synthetic_file(tmp_path, kind)
    whole = path.read_bytes()
    for left in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:left])
        with pytest.raises(SourceError, match=r"found a truncated file \("):
            check_file(path, kind)
    if kind in ("gpkg", "shp"):
        with pytest.raises(SourceError, match=f"\\({len(whole) - 1:,} of {len(whole):,} bytes\\)"):
            check_file(path, kind)
    path.write_text("geography,count\n" * 20)
    with pytest.raises(
        SourceError, match=f"expected {EXPECTED[kind][:7]}.*; found a file that starts with b'geograph'"
    ):
        check_file(path, kind)


# The table in it ------------------------------------------------------------------------------------------------------


def test_every_cell_is_text_and_every_line_a_row(synthetic_table):
    table = read_text_table(synthetic_table("code,count\n007,\n\n E05 ,1.50\n"))
    assert table.schema == {"code": pl.String, "count": pl.String}
    assert table.rows() == [("007", None), (None, None), (" E05 ", "1.50")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_byte_order_mark_and_blanks_are_no_part_of_a_header(synthetic_table, quote):
    header = ",".join(f"{quote}{name}{quote}" for name in ("LSOA21CD", " WardName", "Ward Code "))
    table = read_text_table(synthetic_table(f"\ufeff{header}\nE01,Abbey,E05\n"))
    assert table.columns == ["LSOA21CD", "WardName", "Ward Code"]
    assert table.row(0) == ("E01", "Abbey", "E05")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        # Taken as they come, one of two columns of the same month would be lost.
        ("202401,202402,202401\n1,2,3\n", "each column once; found a header that repeats 202401$"),
        ("202401,202402, 202401\n1,2,3\n", "each column once; found a header that repeats 202401$"),
        ("a,b\n1,2\n3,4,5\n", "2 cells a line, as in the header; found 3 on line 3"),
        # The last line of a download cut short: its missing months are not months without offences.
        ("place,202401,202402\nBarnet,5,6\nBrent,5", "3 cells a line, as in the header; found 2 on line 3"),
        ("\n\n", "a UTF-8 table separated by ','; found no header"),
    ],
)
def test_a_table_that_is_not_even_is_refused(synthetic_table, content, says):
    with pytest.raises(SourceError, match=f"made_up.csv: expected {says}"):
        read_text_table(synthetic_table(content))


def test_what_a_spreadsheet_leaves_at_the_end_is_no_fault(synthetic_table):
    whole = "place,n\nBarnet,5\nBrent,6\n"
    for ending in (whole[:-1], whole + ",,,,,\n" * 3, whole + "\n\n", whole.replace("\n", ",,\n"), whole + ",,,,,,,,"):
        assert read_text_table(synthetic_table(ending)).rows() == [("Barnet", "5"), ("Brent", "6")], ending


def test_another_separator_and_quoted_ones_are_read(synthetic_table):
    assert read_text_table(synthetic_table("a;b\n1,5;2\n"), separators=";").row(0) == ("1,5", "2")
    assert read_text_table(synthetic_table('a,b\n"1,5",2\n')).row(0) == ("1,5", "2")
    with pytest.raises(SourceError, match="expected a UTF-8 table separated by ';'; found "):
        read_text_table(synthetic_table(b"a;b\n\xe9;2\n"), separators=";")


def test_take_columns_gives_one_name_to_each_variant():
    wanted = {"major": ["MajorText", "Group"], "place": ["BoroughName", "BOCU"]}
    old = pl.DataFrame({"MajorText": ["A"], "BoroughName": ["Barnet"], "202401": ["1"]})
    new = pl.DataFrame({"Group": ["A"], "BOCU": ["Barnet"], "202401": ["1"]})
    assert take_columns(old, "f.csv", wanted).equals(take_columns(new, "f.csv", wanted))
    assert take_columns(old, "f.csv", wanted).columns == ["major", "place", "202401"]
    with pytest.raises(SourceError) as caught:
        take_columns(old.drop("BoroughName"), "f.csv", wanted)
    assert str(caught.value) == "f.csv: expected a column 'BoroughName' or 'BOCU'; found columns MajorText, 202401"


# The counts in the table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1.5", "-3", "x", "1,000", "1.0", "1e3", "99999999999999999999"])
def test_what_is_no_count_is_named_with_its_column_and_line(value):
    table = pl.DataFrame({"202401": ["1", "2", "3"], "202402": ["4", value, "5"]})
    with pytest.raises(SourceError) as caught:
        parse_whole_numbers(table, ["202401", "202402"], "made_up.csv", of="households")
    shown = value if value == "-3" else repr(value)
    where = f"in column 202402; found {shown}, line 3"
    assert str(caught.value) == f"made_up.csv: expected a whole number of households, 0 or more {where}"


def test_counts_are_integers_and_an_empty_cell_is_none():
    table = pl.DataFrame({"place": ["Barnet", "Brent"], "202401": [" 7 ", None], "202402": ["0", "12"]})
    parsed = parse_whole_numbers(table, ["202401", "202402"], "made_up.csv")
    assert parsed.rows() == [("Barnet", 7, 0), ("Brent", 0, 12)]
    assert parsed.schema == {"place": pl.String, "202401": pl.Int64, "202402": pl.Int64}


# The account of the file ----------------------------------------------------------------------------------------------


def test_an_account_that_adds_up_closes():
    quality = Quality("made_up.csv", "made-up", rows_read=10)
    quality.drop("blank line", 2)
    quality.drop("blank line", 1)
    quality.drop("no place", 0)
    quality.note("duplicates", 4)
    quality.note("duplicates", 1)
    quality.note("swapped", 0)
    assert quality.close(7) is quality
    assert (quality.rows_read, quality.rows_kept) == (10, 7)
    assert quality.set_aside == {"blank line": 3}
    assert quality.oddities == {"duplicates": 5}


@pytest.mark.parametrize("kept", [6, 8])
def test_an_account_that_does_not_add_up_is_refused(kept):
    quality = Quality("made_up.csv", "made-up", rows_read=10)
    quality.drop("blank line", 3)
    with pytest.raises(
        AssertionError, match=f"made_up.csv: 10 rows read but {kept} kept and .'blank line': 3. set aside"
    ):
        quality.close(kept)
