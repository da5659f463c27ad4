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
    refuse_cells,
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
def test_a_file_of_its_kind_passes(tmp_path, kind):
    path = synthetic_file(tmp_path, kind)
    assert check_file(path, kind) == path
    assert check_file(str(path), kind) == path


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_failed_download_is_named_whatever_its_kind(tmp_path, kind, failed_download):
    content, finding = failed_download
    path = tmp_path / f"made_up.{kind}"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        check_file(path, kind)
    assert str(caught.value).startswith(f"{path}: expected {EXPECTED[kind]}; found {finding}")
    assert caught.value.path == path
    assert caught.value.expected == EXPECTED[kind]
    assert caught.value.found.startswith(finding)


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_missing_file_is_named(tmp_path, kind):
    for path in (tmp_path / f"nowhere.{kind}", tmp_path):
        with pytest.raises(SourceError) as caught:
            check_file(path, kind)
        assert str(caught.value) == f"{path}: expected {EXPECTED[kind]}; found no such file"


@pytest.mark.parametrize(
    "start", ["<html>", "\ufeff  <!DOCTYPE html>", "\r\n<HTML lang=en>", '<?xml version="1.0"?><Error>']
)
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_web_page_is_told_however_it_begins(tmp_path, kind, start):
    path = tmp_path / f"made_up.{kind}"
    path.write_text(f"{start}Access denied", encoding="utf-8")
    with pytest.raises(SourceError, match=f"made_up.{kind}: expected {EXPECTED[kind]}; found a web page"):
        check_file(path, kind)


def test_an_lfs_pointer_says_how_to_fetch_the_file(tmp_path):
    path = tmp_path / "made_up.gpkg"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n")
    with pytest.raises(SourceError, match="git lfs pull"):
        check_file(path, "gpkg")


@pytest.mark.parametrize("left", ["half", "all but a byte"])
@pytest.mark.parametrize("kind", BINARY)
def test_the_first_part_of_a_file_is_refused(tmp_path, kind, left):
    path = synthetic_file(tmp_path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 if left == "half" else -1])
    with pytest.raises(SourceError) as caught:
        check_file(path, kind)
    assert str(caught.value).startswith(f"{path}: expected {EXPECTED[kind]}; found a truncated file (")


@pytest.mark.parametrize("kind", ["gpkg", "shp"])
def test_the_size_found_and_the_size_declared_are_both_named(tmp_path, kind):
    path = synthetic_file(tmp_path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(SourceError, match=f"found a truncated file \\({len(whole) - 1:,} of {len(whole):,} bytes\\)"):
        check_file(path, kind)


@pytest.mark.parametrize("kind", BINARY)
def test_a_file_cut_inside_its_header_is_refused(tmp_path, kind):
    path = synthetic_file(tmp_path, kind)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(SourceError, match=f"made_up.{kind}: expected .*; found a truncated file"):
        check_file(path, kind)


@pytest.mark.parametrize("kind", BINARY)
def test_a_file_of_another_kind_is_refused_with_its_first_bytes(tmp_path, kind):
    path = tmp_path / f"made_up.{kind}"
    path.write_text("geography,count\n" * 20)
    with pytest.raises(SourceError) as caught:
        check_file(path, kind)
    assert str(caught.value) == f"{path}: expected {EXPECTED[kind]}; found a file that starts with b'geograph'"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named_not_guessed(synthetic_table, encoding):
    path = synthetic_table("Borough,Count\nBarnet,1\n".encode(encoding))
    with pytest.raises(SourceError, match="made_up.csv: expected a CSV table; found binary data or UTF-16 text"):
        read_text_table(path)


def test_a_table_in_another_encoding_is_refused(synthetic_table):
    with pytest.raises(SourceError, match="made_up.csv: expected a UTF-8 table separated by ','; found "):
        read_text_table(synthetic_table("Name,Count\nCafé,1\n".encode("latin-1")))


@pytest.mark.raw
@pytest.mark.parametrize(
    "name",
    [
        "gla/GLA Census LSOA Ethnic group 2011-2021.xlsx",
        "ons/London_Boroughs.gpkg",
        "ons/wards-2024/london_ward.gpkg",
        "ons/wards-2018/London_Ward.shp",
        "mps/monthly-crime-dashboard.parquet",
    ],
)
def test_published_files_pass_whole_and_are_refused_cut(raw, tmp_path, name):
    source = raw / name
    kind = source.suffix.lstrip(".")
    assert check_file(source, kind) == source
    cut = tmp_path / source.name
    for share in (0.5, 0.999):
        cut.write_bytes(source.read_bytes()[: int(share * source.stat().st_size)])
        with pytest.raises(SourceError, match="found a truncated file"):
            check_file(cut, kind)


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
    "header", ["202401,202402,202401", "202401,202402, 202401"], ids=["equal", "equal but for a blank"]
)
def test_a_header_that_repeats_a_column_is_refused(synthetic_table, header):
    # Taken as they come, one of two columns of the same month would be lost.
    path = synthetic_table(f"{header}\n1,2,3\n")
    with pytest.raises(
        SourceError, match="made_up.csv: expected each column once; found a header that repeats 202401$"
    ):
        read_text_table(path)


def test_a_line_with_too_many_cells_is_refused(synthetic_table):
    with pytest.raises(SourceError, match="made_up.csv: expected .*; found "):
        read_text_table(synthetic_table("a,b\n1,2\n3,4,5\n"))


def test_a_line_with_too_few_cells_is_refused(synthetic_table):
    # The last line of a download cut short: its missing months are not months without offences.
    with pytest.raises(SourceError, match="made_up.csv: expected .*; found "):
        read_text_table(synthetic_table("place,202401,202402,202403\nBarnet,5,6,7\nBrent,5,"))


def test_another_separator_and_quoted_ones_are_read(synthetic_table):
    assert read_text_table(synthetic_table("a;b\n1,5;2\n"), separator=";").row(0) == ("1,5", "2")
    assert read_text_table(synthetic_table('a,b\n"1,5",2\n')).row(0) == ("1,5", "2")
    with pytest.raises(SourceError, match="expected a UTF-8 table separated by ';'; found "):
        read_text_table(synthetic_table(b"a;b\n\xe9;2\n"), separator=";")


def test_blank_lines_alone_are_no_table(synthetic_table):
    with pytest.raises(SourceError, match="made_up.csv: expected a UTF-8 table"):
        read_text_table(synthetic_table("\n\n"))


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
    table = pl.DataFrame({"202401": ["1", "2", "3"], "202402": ["4", value, "x"]})
    with pytest.raises(SourceError) as caught:
        parse_whole_numbers(table, ["202401", "202402"], "made_up.csv")
    assert str(caught.value) == (
        f"made_up.csv: expected whole numbers of offences, 0 or more; found {value!r} in column '202402', line 3"
    )


def test_counts_are_integers_and_an_empty_cell_is_none():
    table = pl.DataFrame({"place": ["Barnet", "Brent"], "202401": [" 7 ", None], "202402": ["0", "12"]})
    parsed = parse_whole_numbers(table, ["202401", "202402"], "made_up.csv")
    assert parsed.rows() == [("Barnet", 7, 0), ("Brent", 0, 12)]
    assert parsed.schema == {"place": pl.String, "202401": pl.Int64, "202402": pl.Int64}


def test_the_error_says_what_was_to_be_counted():
    with pytest.raises(SourceError, match="expected whole numbers of households, 0 or more; found 'x'"):
        parse_whole_numbers(pl.DataFrame({"n": ["x"]}), ["n"], "made_up.csv", of="households")


def test_refuse_cells_names_the_first_bad_cell_and_its_line():
    table = pl.DataFrame({"line": [2, 5, 9], "share": ["0.1", "7", "8"]})
    refuse_cells(table, "share", pl.Series([False, False, False]), "made_up.csv", "a share")
    with pytest.raises(SourceError, match="made_up.csv: expected a share; found '7' in column 'share', line 5$"):
        refuse_cells(table, "share", pl.Series([False, True, True]), "made_up.csv", "a share")
    with pytest.raises(SourceError, match="in column 'Proportion', line 9$"):
        refuse_cells(table, "share", pl.Series([False, False, True]), "f.csv", "a share", named="Proportion")


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
