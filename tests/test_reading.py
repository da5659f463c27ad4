"""Is a file what it claims to be? Failed downloads, tables and counts that are none, accounts that must add up."""

import polars as pl
import pytest

from wardbook.sources.reading import Quality, SourceError, check_file, read_text_table

# The file itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start", ["<html>", "\ufeff  <!DOCTYPE html>", "\r\n<HTML lang=en>", '<?xml version="1.0"?><Error>']
)
def test_a_web_page_is_told_however_it_begins(tmp_path, start):
    path = tmp_path / "made_up.csv"
    path.write_text(f"{start}Access denied", encoding="utf-8")
    with pytest.raises(SourceError, match="made_up.csv: expected a CSV table; found a web page"):
        check_file(path, "csv")


# The table in it ------------------------------------------------------------------------------------------------------


def test_every_cell_is_text_and_every_line_a_row(tmp_path):
    (tmp_path / "made_up.csv").write_text("code,count\n007,\n\n E05 ,1.50\n")
    table = read_text_table(tmp_path / "made_up.csv")
    assert table.schema == {"code": pl.String, "count": pl.String}
    assert table.rows() == [("007", None), (None, None), (" E05 ", "1.50")]


# The account of the file ----------------------------------------------------------------------------------------------


def test_an_account_adds_up_or_is_refused():
    quality = Quality("made_up.csv", rows_read=10)
    for kind, count in (("blank line", 2), ("blank line", 1), ("no place", 0)):
        quality.drop(kind, count)
        quality.note(kind, count)
    assert (quality.close(7).set_aside, quality.oddities) == ({"blank line": 3}, {"blank line": 3})
    for kept in (6, 8):
        with pytest.raises(AssertionError, match=f"10 rows read but {kept} kept and .'blank line': 3. set aside"):
            quality.close(kept)
