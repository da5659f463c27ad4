"""What every reader shares: is this file what it claims to be, and what was wrong with it?

A reader takes a path and returns a `Loaded`: one tidy frame with a declared schema, and a `Quality` that accounts for
every row of the file. A file that is not what it claims is refused with a `SourceError` that names the file, what was
expected and what was found; nothing is guessed and nothing is half read.
"""

from __future__ import annotations

import csv
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook.schemas import SchemaViolation, read_as

# More of anything than London has; beyond it lies a sum that no longer fits.
_MOST = 1_000_000_000
_UNPACKED = 500_000_000  # bytes a workbook may unpack to; the largest one wanted unpacks to ten million
_LATEST_YEAR = 2099
# What zipfile raises for a damaged archive: by its own name rarely, and by what a wrong offset or flag leads to.
ZIP_TROUBLES = (zipfile.BadZipFile, zlib.error, struct.error, lzma.LZMAError)
ZIP_TROUBLES += (EOFError, OSError, ValueError, RuntimeError, OverflowError)


def shorten(text: str, most: int = 600) -> str:
    """A text as a message may carry it: what stands in a cell can be ten million characters long."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


class SourceError(ValueError):
    """A publisher's file that cannot be read as what it claims to be.

    Parameters
    ----------
    path : the file, as it was given.
    expected : what a right file holds, in words.
    found : what this one holds.
    """

    def __init__(self, path: Path | str, expected: str, found: str):
        self.path, self.expected, self.found = Path(path), expected, shorten(found)
        super().__init__(f"{self.path}: expected {expected}; found {self.found}")


@dataclass
class Quality:
    """The account of one file: every row is kept or set aside for a named reason.

    `rows_read` counts data rows of the file (not its header); `rows_kept` those that reach the frame;
    `set_aside` the rest by reason. `oddities` counts things kept but worth knowing, by kind.
    """

    file: str
    source: str
    rows_read: int = 0
    rows_kept: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    oddities: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, count: int) -> None:
        """Record an oddity; a count of 0 is not an oddity and leaves no trace."""
        if count:
            self.oddities[kind] = self.oddities.get(kind, 0) + int(count)

    def drop(self, reason: str, count: int) -> None:
        """Record rows set aside; a count of 0 leaves no trace."""
        if count:
            self.set_aside[reason] = self.set_aside.get(reason, 0) + int(count)

    def close(self, rows_kept: int) -> Quality:
        """Finish the account, and refuse one that does not add up (a bug in a reader, never in a file)."""
        self.rows_kept = int(rows_kept)
        if self.rows_kept + sum(self.set_aside.values()) != self.rows_read:
            raise AssertionError(
                f"{self.file}: {self.rows_read} rows read but {self.rows_kept} kept and {self.set_aside} set aside"
            )
        return self


@dataclass(frozen=True)
class Loaded:
    """What a reader returns: the tidy frame and the account of the file it came from."""

    frame: pl.DataFrame
    quality: Quality


_MAGIC = {
    "xlsx": (b"PK\x03\x04", "an Excel workbook (a zip file)"),
    "gpkg": (b"SQLite format 3\x00", "a GeoPackage (an SQLite file)"),
    "parquet": (b"PAR1", "a Parquet file"),
    "shp": (b"\x00\x00\x27\x0a", "a shapefile"),
}


def check_file(path: Path | str, kind: str) -> Path:
    """Refuse a file that cannot be of its `kind` ("csv", "json", "xlsx", "gpkg", "parquet", "shp") before it is parsed.

    Downloads fail in ways a parser reports badly or not at all: an error page saved under the data's name, a Git LFS
    pointer from a clone without LFS, nothing at all, or the first part of a file. Each is told apart here.

    Raises
    ------
    SourceError
        naming the file, the expectation and the finding.
    """
    path = Path(path)
    what = _MAGIC[kind][1] if kind in _MAGIC else {"csv": "a CSV table", "json": "a JSON document"}[kind]
    try:
        there = path.is_file()
    except OSError as error:  # a name longer than the file system allows
        raise SourceError(shorten(str(path)), what, error.strerror) from error
    if not there:
        raise SourceError(path, what, "no such file")
    size = path.stat().st_size
    if size == 0:
        raise SourceError(path, what, "a file of zero bytes")
    with path.open("rb") as handle:
        head = handle.read(512)
        handle.seek(max(0, size - 4))
        tail = handle.read(4)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        raise SourceError(
            path, what, "a Git LFS pointer (the file's stand-in; fetch the file itself with `git lfs pull`)"
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        raise SourceError(path, what, "a web page (an error page saved as data?)")
    if kind in _MAGIC and not head.startswith(_MAGIC[kind][0]):
        raise SourceError(path, what, f"a file that starts with {head[:8]!r}")
    if kind == "csv" and b"\x00" in head:
        raise SourceError(path, what, "binary data or UTF-16 text (NUL bytes in the first lines)")
    if kind == "parquet" and tail != b"PAR1":
        raise SourceError(path, what, "a truncated file (no Parquet footer)")
    if kind == "xlsx" and not zipfile.is_zipfile(path):
        raise SourceError(path, what, "a truncated file (the zip's directory is missing)")
    if kind == "xlsx":
        _refuse_bomb(path, what)
    if kind in ("gpkg", "shp") and size < 100:
        raise SourceError(path, what, f"a truncated file ({size} bytes, less than its header of 100)")
    if kind == "gpkg":
        # SQLite header: page size at byte 16, page count at byte 28 (big endian). A download cut short has fewer bytes.
        page = int.from_bytes(head[16:18], "big")
        page = 65536 if page == 1 else page
        pages = int.from_bytes(head[28:32], "big")
        if size < page * pages:
            raise SourceError(path, what, f"a truncated file ({size:,} of {page * pages:,} bytes)")
    if kind == "shp":
        # Shapefile header: file length in 16-bit words at byte 24.
        length = 2 * int.from_bytes(head[24:28], "big")
        if size < length:
            raise SourceError(path, what, f"a truncated file ({size:,} of {length:,} bytes)")
    return path


def _refuse_bomb(path: Path, what: str) -> None:
    """Unpack a workbook once, to nowhere: a few kilobytes can be made to unpack to more than the machine holds."""
    size = 0
    try:
        with zipfile.ZipFile(path) as book:
            for info in book.infolist():
                with book.open(info) as part:
                    while block := part.read(1 << 20):
                        size += len(block)
                        if size > _UNPACKED:
                            raise SourceError(path, what, f"a zip file that unpacks to more than {_UNPACKED:,} bytes")
    except SourceError:
        raise
    except ZIP_TROUBLES as error:
        raise SourceError(path, what, f"a damaged or encrypted zip file ({error})") from error


def _count_lines(lines: Iterator[list[str]], names: list[str]) -> tuple[int, tuple[int, int] | None]:
    """How many lines hold anything, and the first of them whose cells are not as many as the header's.

    Empty cells past the header's last are what a spreadsheet leaves behind, and no cells at all; so is a row of blanks.
    """
    count, uneven = 0, None
    for cells in lines:
        filled = any(cell.strip() for cell in cells)
        beyond = any(cell.strip() for cell in cells[len(names) :])
        count += filled
        if filled and uneven is None and (len(cells) < len(names) or beyond):
            uneven = lines.line_num, len(cells)
    return count, uneven


def read_text_table(path: Path | str, *, separator: str = ",") -> pl.DataFrame:
    """Read a delimited file, or a Parquet copy of one, as text; nothing is parsed, and only blank rows at the end are dropped.

    Header names are stripped of a BOM and of stray blanks. What real exports end in is no fault: a last line without a line
    break, and cells or rows of nothing but separators. So that one check of the cells serves for both, a Parquet file's
    numbers and dates become the text that the delimited file would hold.

    Returns
    -------
    pl.DataFrame
        every column `String`, empty cells null, one row a data row of the file.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return _read_parquet_as_text(path)
    path = check_file(path, "csv")
    expected = f"a UTF-8 table separated by {separator!r}"
    content = path.read_bytes()
    if b"\x00" in content:
        raise SourceError(path, expected, f"a NUL byte in line {content[: content.index(0)].count(10) + 1}")
    try:
        # polars renames a repeated header and fills a short line with nothing; both are refused here, before it can.
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = csv.reader(handle, delimiter=separator, strict=True)
            # A ward lookup has been seen with a header " WardName".
            names = [name.strip() for name in next(lines, [])]
            while names and not names[-1]:
                names.pop()
            count, uneven = _count_lines(lines, names)
        if uneven:
            raise SourceError(path, f"{len(names)} cells a line, as in the header", f"{uneven[1]} on line {uneven[0]}")
        frame = pl.read_csv(path, separator=separator, infer_schema=False, encoding="utf8", truncate_ragged_lines=True)
    except (csv.Error, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise SourceError(path, expected, str(error).splitlines()[0].removeprefix("found ")) from error
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise SourceError(path, "each column once", f"a header that repeats {', '.join(twice)}")
    # polars takes a lone carriage return for a character, Python's reader for the end of a line: neither may win unsaid.
    empty = pl.all_horizontal(pl.all().str.strip_chars().fill_null("") == "")
    frame = frame.with_columns(pl.when(~empty).then(pl.all()).name.keep())
    read = frame.filter(~empty).height
    if read != count:
        raise SourceError(path, expected, f"{count:,} lines by one reading and {read:,} by another (line endings?)")
    frame = frame[:, : len(names)]
    frame.columns = names
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(filled[-1] + 1 if len(filled) else 0)


def _read_parquet_as_text(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(check_file(path, "parquet"))
    except pl.exceptions.PolarsError as error:
        raise SourceError(path, "a Parquet file", str(error).splitlines()[0]) from error
    if nested := [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]:
        raise SourceError(path, f"text, numbers or dates in column {nested[0]}", str(frame.schema[nested[0]]))
    cells = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        # A converter makes decimals of whole numbers where a cell is empty.
        if kind.is_float() and (frame[name].is_null() | (frame[name] == frame[name].round())).all():
            column = column.cast(pl.Int64, strict=False)
        text = column.cast(pl.String)
        cells.append(pl.when(text != "").then(text).alias(name))
    return frame.select(cells)


def line_of(path: Path | str, row: int) -> str:
    """Where a row of `read_text_table` stands in its file: a line after the header, or a row of a Parquet file."""
    return f"row {row + 1}" if Path(path).suffix.lower() == ".parquet" else f"line {row + 2}"


def take_columns(frame: pl.DataFrame, path: Path | str, wanted: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Rename header variants to one name each; refuse a file that lacks a column, naming it and what is there.

    Parameters
    ----------
    wanted : our name → the publisher's spellings of it, any one of which will do, in capitals or not.
    """
    by_name = {name.casefold(): name for name in frame.columns}
    renames = {}
    for ours, theirs in wanted.items():
        present = [by_name[name.casefold()] for name in theirs if name.casefold() in by_name]
        if not present:
            raise SourceError(
                path, f"a column {' or '.join(map(repr, theirs))}", f"columns {', '.join(frame.columns[:12])}"
            )
        if any(not frame[present[0]].equals(frame[other]) for other in present[1:]):
            raise SourceError(path, f"one column for {ours}", f"{' and '.join(map(repr, present))}, which differ")
        renames[present[0]] = ours
    return frame.rename(renames)


def read_typed(table: pl.DataFrame, schema: type[dy.Schema], path: Path | str) -> pl.DataFrame:
    """A text table's columns as their schema's types; the first cell that is not what the schema allows is refused.

    Raises
    ------
    SourceError
        naming the file, what is allowed in the column, the value and its line.
    """
    try:
        return read_as(table, schema, path)
    except SchemaViolation as error:
        broken = error.violation
        where = f" in column {broken.column}" if broken.column else ""
        line = "" if broken.line is None else f", {line_of(path, broken.line - 2)}"
        raise SourceError(path, f"{broken.allowed}{where}", f"{broken.value!r}{line}") from error


def check_record(record: Mapping, path: Path | str, kinds: Mapping[str, tuple[type, ...]]) -> None:
    """Refuse a JSON object whose value under a key is of another kind; the message names key and kind, never the value.

    A key that is not there, and null, are left to the reader.
    """
    for key, allowed in kinds.items():
        value = record.get(key)
        # `type`, since True is an int to isinstance.
        if value is not None and type(value) not in allowed:
            expected = " or ".join(kind.__name__ for kind in allowed)
            raise SourceError(path, f"a value of type {expected} under {key!r}", f"one of type {type(value).__name__}")


def gss(column: str) -> pl.Expr:
    """A column of GSS codes as they are meant: a dashboard leaves blanks at their end, a spreadsheet lower case."""
    return pl.col(column).str.strip_chars().str.to_uppercase()


def same_row_again(table: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    """The table without rows that equal an earlier one in every published column, which are counted as set aside.

    Only where a row is a count of something: of two people in one stop, both rows are meant.
    """
    kept = table.unique(maintain_order=True, keep="first", subset=[name for name in table.columns if name != "line"])
    quality.drop("the same row again", table.height - kept.height)
    return kept


def sane_years(dates: pl.Series, first: int = 2000) -> pl.Series:
    """Is each date of a year that data can be from? A missing one is not."""
    return dates.dt.year().is_between(first, _LATEST_YEAR).fill_null(False)


def refuse_cells(
    table: pl.DataFrame, column: str, bad: pl.Series, path: Path | str, expected: str, *, named: str | None = None
) -> None:
    """Refuse a file for the first cell where `bad` holds, naming its value, column (or `named`) and line (`line`)."""
    if bad.any():
        row = bad.arg_max()
        found = f"{table[column][row]!r} in column {named or column!r}, line {table['line'][row]}"
        raise SourceError(path, expected, found)


def parse_whole_numbers(
    frame: pl.DataFrame, columns: Sequence[str], path: Path | str, *, of: str = "offences"
) -> pl.DataFrame:
    """Turn text columns into Int64 counts; an empty cell is 0, anything else that is no whole number ≥ 0 is refused.

    The error names the first bad value, its column and its line in the file.
    """
    parsed = frame.with_columns(pl.col(c).str.strip_chars().cast(pl.Int64, strict=False).alias(c) for c in columns)
    for name in columns:
        bad = frame[name].is_not_null() & (parsed[name].is_null() | ~parsed[name].is_between(0, _MOST))
        if bad.any():
            row = bad.arg_max()
            found = f"{frame[name][row]!r} in column {name!r}, {line_of(path, row)}"
            raise SourceError(path, f"whole numbers of {of}, 0 or more", found)
    return parsed.with_columns(pl.col(columns).fill_null(0))
