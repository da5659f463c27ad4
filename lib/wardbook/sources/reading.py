"""What every reader shares: is this file what it claims to be, and what was wrong with it?

A reader takes a path and returns a `Loaded`: one tidy frame with a declared schema, and a `Quality` that accounts for
every row of the file. A file that is not what it claims is refused with a `SourceError` that names the file, what was
expected and what was found; nothing is guessed and nothing is half read.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from wardbook import places
from wardbook.schemas import SchemaViolation, read_as

# More of anything than London has; beyond it lies a sum that no longer fits.
_MOST = 1_000_000_000
_UNPACKED = 100_000_000  # bytes a workbook may unpack to; the largest one wanted unpacks to ten million
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
    `set_aside` the rest by reason. `oddities` counts things kept but worth knowing, by kind. `headers` are the file's own
    names of our columns, for a message about a cell.
    """

    file: str
    rows_read: int = 0
    rows_kept: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    oddities: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

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
    "csv": (b"", "a CSV table"),
    "json": (b"", "a JSON document"),
}
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


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
    magic, what = _MAGIC[kind]
    try:
        there = path.is_file()
    except OSError as error:  # a name longer than the file system allows
        raise SourceError(shorten(str(path)), what, error.strerror) from error
    if not there:
        raise SourceError(path, what, "no such file")
    with path.open("rb") as handle:
        head = handle.read(512)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        wrong = "a file of zero bytes"
    elif text.startswith(b"version https://git-lfs"):
        wrong = "a Git LFS pointer (the file's stand-in; fetch the file itself with `git lfs pull`)"
    elif text.startswith(_PAGES):
        wrong = "a web page (an error page saved as data?)"
    elif not head.startswith(magic):
        wrong = f"a file that starts with {head[:8]!r}"
    else:
        if kind == "xlsx":
            _refuse_bomb(path, what)
        return path
    raise SourceError(path, what, wrong)


def _refuse_bomb(path: Path, what: str) -> None:
    """Unpack a workbook once, to nowhere: a few kilobytes can be made to unpack to more than the machine holds."""
    size = 0
    try:
        with zipfile.ZipFile(path) as book:
            for info in book.infolist():
                with book.open(info) as part:
                    while size <= _UNPACKED and (block := part.read(1 << 20)):
                        size += len(block)
    except ZIP_TROUBLES as error:
        raise SourceError(path, what, f"a damaged or encrypted zip file ({error})") from error
    if size > _UNPACKED:
        raise SourceError(path, what, f"a zip file that unpacks to more than {_UNPACKED:,} bytes")


def read_text_table(path: Path | str, *, separators: str = ",") -> pl.DataFrame:
    """Read a delimited file, or a Parquet copy of one, as text; nothing is parsed, and only blank rows at the end are dropped.

    Header names are stripped of a BOM and of stray blanks. What real exports end in is no fault: a last line without a line
    break, and cells or rows of nothing but separators. So that one check of the cells serves for both, a Parquet file's
    numbers and dates become the text that the delimited file would hold.

    Parameters
    ----------
    separators : what may stand between cells; the first of them that the header has does.

    Returns
    -------
    pl.DataFrame
        every column `String`, empty cells and rows of blanks null, one row a data row of the file.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return _read_parquet_as_text(path)
    path = check_file(path, "csv")
    expected = f"a UTF-8 table separated by {' or '.join(map(repr, separators))}"
    try:
        text = path.read_bytes().decode("utf-8-sig")
        handle = io.StringIO(text, newline="")
        header = handle.readline()
        separator = next((one for one in separators if one in header), separators[-1])
        handle.seek(0)
        # Not by polars: it renames a repeated header, and fills a short line with nothing.
        lines = csv.reader(handle, delimiter=separator, strict=True)
        # A ward lookup has been seen with a header " WardName".
        names = [name.strip() for name in next(lines, [])]
        while names and not names[-1]:
            names.pop()
        rows, filled = [], 0
        for cells in lines:
            blank = not any(map(str.strip, cells))
            if not blank and (len(cells) < len(names) or any(map(str.strip, cells[len(names) :]))):
                found = f"{len(cells)} on line {lines.line_num}"
                raise SourceError(path, f"{len(names)} cells a line, as in the header", found)
            rows.append([""] * len(names) if blank else cells[: len(names)])
            filled = filled if blank else len(rows)
    except UnicodeDecodeError as error:
        line, byte = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start : error.start + 1]
        found = f"{byte!r} on line {line}, which is not UTF-8 (of a spreadsheet: save it as 'CSV UTF-8')"
        raise SourceError(path, expected, found) from error
    except csv.Error as error:
        raise SourceError(path, expected, str(error)) from error
    if not names:
        raise SourceError(path, expected, "no header in the first line")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(path, "each column once", f"a header that repeats {', '.join(twice)}")
    columns = zip(*rows[:filled]) if filled else [()] * len(names)
    frame = pl.DataFrame(dict(zip(names, columns)), schema=dict.fromkeys(names, pl.String))
    if nul := [name for name in names if frame[name].str.contains("\0", literal=True).any()]:
        raise SourceError(path, expected, f"a NUL byte in column {nul[0]!r}")
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _read_parquet_as_text(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(check_file(path, "parquet"))
        # A converter makes decimals of whole numbers where a cell is empty.
        floats = frame.select(pl.selectors.float()).iter_columns()
        whole = [column.name for column in floats if (column == column.round()).all()]
        frame = frame.with_columns(pl.col(whole).cast(pl.Int64, strict=False)).cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise SourceError(
            path, "a whole Parquet file of text, numbers and dates", str(error).splitlines()[0]
        ) from error
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def read_sheet(path: Path | str, sheet: str) -> pl.DataFrame:
    """One sheet of a workbook as text, header names without stray blanks."""
    import fastexcel

    path = check_file(path, "xlsx")
    try:
        table = fastexcel.read_excel(path).load_sheet(sheet, dtypes="string").to_polars()
    except fastexcel.FastExcelError as error:
        raise SourceError(path, f"a workbook with a sheet {sheet!r}", " ".join(str(error).split())) from error
    return table.rename(str.strip)


def plain(header: str) -> str:
    """What the spellings of a header have in common: `Area Code`, `Area_Code` and `area_code` are one."""
    return re.sub(r"[^\w?]+|_+", "_", header.casefold())


def find_columns(frame: pl.DataFrame, path: Path | str, wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The file's header of each wanted column, by our name; refuse a file that lacks one, naming it and what is there.

    Parameters
    ----------
    wanted : our name → the publisher's spellings of it, any one of which will do, however it is spelt (`plain`); a question
        mark stands for any letter or digit.
    """
    headers = {}
    for ours, theirs in wanted.items():
        present = [name for name in frame.columns if any(fnmatch(plain(name), plain(one)) for one in theirs)]
        if not present:
            raise SourceError(
                path, f"a column {' or '.join(map(repr, theirs))}", f"columns {', '.join(frame.columns[:12])}"
            )
        if any(not frame[present[0]].equals(frame[other]) for other in present[1:]):
            raise SourceError(path, f"one column for {ours}", f"{' and '.join(map(repr, present))}, which differ")
        headers[ours] = present[0]
    return headers


def open_rows(
    table: pl.DataFrame, path: Path | str, wanted: Mapping[str, Sequence[str]]
) -> tuple[pl.DataFrame, Quality]:
    """A table's rows under our names (`find_columns`), each with its `line`, blank ones set aside; and the file's account.

    Raises
    ------
    SourceError
        for a missing column, or a file without a row: what is not published must not be read as nothing counted.
    """
    quality = Quality(str(path), rows_read=table.height, headers=find_columns(table, path, wanted))
    table = table.rename({theirs: ours for ours, theirs in quality.headers.items()})
    if "line" not in table.columns:
        table = table.with_row_index("line", offset=2)
    rows = table.filter(pl.any_horizontal(pl.exclude("line").str.strip_chars() != ""))
    quality.drop("blank row", table.height - rows.height)
    if rows.is_empty():
        raise SourceError(path, "a row or more", "a header alone")
    return rows, quality


def read_typed(table: pl.DataFrame, schema: type[dy.Schema], quality: Quality) -> pl.DataFrame:
    """The columns of `schema` from a text table, typed, blanks at a cell's ends left off; the first cell at fault is refused.

    A day may be written 2024-05-31 or 31/05/2024, with a time after it or without.

    Parameters
    ----------
    table : with the column `line`, as `open_rows` returns it.
    quality : the account of its file.

    Raises
    ------
    SourceError
        naming the file, what is allowed in the column, the value and its line.
    """
    cells = pl.col(pl.String).str.strip_chars()
    days = pl.col(name for name, column in schema.columns().items() if isinstance(column, dy.Date))
    days = days.str.replace(r"[ T]\d\d:\d\d\S*$", "").str.replace(r"^(\d\d)/(\d\d)/(\d{4})$", "$3-$2-$1")
    table = table.with_columns(pl.when(cells != "").then(cells)).with_columns(days)
    try:
        return read_as(table, schema, quality.file)
    except SchemaViolation as error:
        broken = error.violation
        where = f" in column {quality.headers.get(broken.column, broken.column)}" if broken.column else ""
        # A Parquet file has rows and no header, which is the first line of the others.
        at = f"row {broken.line - 1}" if Path(quality.file).suffix.lower() == ".parquet" else f"line {broken.line}"
        raise SourceError(quality.file, f"{broken.allowed}{where}", f"{broken.value!r}, {at}") from error


def spelt(*names: str) -> dict[str, Any]:
    """What a publisher calls a column of a schema, in any of these spellings: an argument of the column."""
    return {"metadata": {"published": names}}


def published(schema: type[dy.Schema]) -> dict[str, Sequence[str]]:
    """A schema's columns, each with its publisher's names (`spelt`), which are our own where it has none."""
    return {name: (column.metadata or {}).get("published", [name]) for name, column in schema.columns().items()}


def count(of: str = "offences", **more: Any) -> dy.Int64:
    """A column of counts."""
    return dy.Int64(min=0, max=_MOST, **more, description=f"a whole number of {of}, 0 or more")


def day(description: str = "a date from the year 2000 on", **more: Any) -> dy.Date:
    """A column of dates of years that data can be from."""
    return dy.Date(min=date(2000, 1, 1), max=date(2099, 12, 31), description=description, **more)


def parse_whole_numbers(
    frame: pl.DataFrame, columns: Sequence[str], quality: Quality, *, of: str = "offences"
) -> pl.DataFrame:
    """Turn text columns into Int64 counts; an empty cell is 0, anything else that is no whole number ≥ 0 is refused."""
    schema = type("Counts", (dy.Schema,), {name: count(of, nullable=True) for name in columns})
    return frame.with_columns(read_typed(frame, schema, quality).fill_null(0).iter_columns())


def gss(column: str) -> pl.Expr:
    """A column of GSS codes as they are meant: a dashboard leaves blanks at their end, a spreadsheet lower case."""
    return pl.col(column).str.strip_chars().str.to_uppercase()


def with_borough_codes(table: pl.DataFrame, column: str, path: Path | str, others: Mapping[str, str]) -> pl.DataFrame:
    """The table with `borough_code`, that of the Met borough a column names, or what `others` has for a name of none.

    It is null where the column is; any other name is refused.
    """
    names = table[column].drop_nulls().unique().sort()
    codes = {name: others.get(name) or places.borough_code(name) for name in names}
    met = {*places.boroughs()["borough_code"], *others.values()}
    if strange := [name for name, code in codes.items() if code not in met]:
        expected = ", ".join(["the Met's boroughs listed in data/reference/boroughs.csv", *others])
        raise SourceError(path, expected, ", ".join(map(repr, strange)))
    code = pl.col(column).replace_strict(codes, default=None, return_dtype=pl.String)
    return table.with_columns(code.alias("borough_code"))


def same_row_again(table: pl.DataFrame, quality: Quality) -> pl.DataFrame:
    """The table without rows that equal an earlier one in every published column, which are counted as set aside.

    Only where a row is a count of something: of two people in one stop, both rows are meant.
    """
    kept = table.unique(maintain_order=True, keep="first", subset=[name for name in table.columns if name != "line"])
    quality.drop("the same row again", table.height - kept.height)
    return kept
