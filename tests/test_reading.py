"""Is a file what it claims to be? Failed downloads, tables and counts that are none, accounts that must add up."""

from __future__ import annotations

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


@pytest.fixture
def synthetic_table(tmp_path):
    def write(content):
        path = tmp_path / "made_up.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# The file itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXPECTED)
def test_whatever_failed_is_named(tmp_path, kind, failed_download):
    path = tmp_path / f"made_up.{kind}"
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


def test_the_header_says_what_stands_between_cells(synthetic_table):
    assert read_text_table(synthetic_table("a;b\n1,5;2\n"), separators=";,").row(0) == ("1,5", "2")
    assert read_text_table(synthetic_table('a,b\n"1;5",2\n'), separators=";,").row(0) == ("1;5", "2")


@pytest.mark.parametrize("header", ["Area Code", "Area_Code", "area code", "AREA_CODE"])
def test_a_header_is_known_however_it_is_spelt(header):
    table = pl.DataFrame({"place": ["Barnet"], header: ["1"]})
    assert take_columns(table, "f.csv", {"code": ["Code", "area_code"]}).columns == ["place", "code"]
    with pytest.raises(SourceError, match="^f.csv: expected a column 'Code' or 'area_code'; found columns place$"):
        take_columns(table.drop(header), "f.csv", {"code": ["Code", "area_code"]})


# The counts in the table ----------------------------------------------------------------------------------------------


def test_counts_are_integers_and_an_empty_cell_is_none():
    table = pl.DataFrame({"place": ["Barnet", "Brent"], "202401": [" 7 ", None], "202402": ["0", "12"]})
    parsed = parse_whole_numbers(table, ["202401", "202402"], "made_up.csv")
    assert parsed.rows() == [("Barnet", 7, 0), ("Brent", 0, 12)]
    assert parsed.schema == {"place": pl.String, "202401": pl.Int64, "202402": pl.Int64}


# The account of the file ----------------------------------------------------------------------------------------------


def test_an_account_adds_up_or_is_refused():
    quality = Quality("made_up.csv", "made-up", rows_read=10)
    for reason, count in (("blank line", 2), ("blank line", 1), ("no place", 0)):
        quality.drop(reason, count)
    for kind, count in (("duplicates", 4), ("duplicates", 1), ("swapped", 0)):
        quality.note(kind, count)
    assert (quality.close(7).set_aside, quality.oddities) == ({"blank line": 3}, {"duplicates": 5})
    for kept in (6, 8):
        with pytest.raises(AssertionError, match=f"10 rows read but {kept} kept and .'blank line': 3. set aside"):
            quality.close(kept)
