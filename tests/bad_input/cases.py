"""The corpus of bad input: what may stand in the place of a publisher's file, an answer or a reader's own file, made by code.

A case says what must happen: refused, with a message that names the file, the row or column, the value and what is allowed; read
as if nothing were wrong (`SAME`); or read, and the file's account says so (`Reported`). Nothing may end in another error, in a
hang, in rows left out unsaid or in a changed total. What one reader alone can meet is in that reader's own tests. One thing no
reader of one file can see: a table cut off exactly between two lines. What a build says of it is what is missing: boroughs,
months (`stop_coverage`), wards.
"""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import generate_months
from test_dashboards import DWELLING, KNIFE, OUTCOME
from test_dwo import MINUTES, duty
from test_met import ROBBERY, STALKING
from test_mopac import SEMICOLONS
from test_ons import HOUSEHOLDS, LOOKUP, SHEET, SQUARES, WARDS, synthetic_workbook, write_outlines
from test_police_uk import STOP
from test_police_uk_api import EVENT, STOP_RECORD
from test_thorough import synthetic_searches
from wardbook import facts, national, places, register
from wardbook.schemas import SchemaViolation
from wardbook.sources import dashboards, dwo, met, mopac, ons, police_uk, police_uk_api, thorough
from wardbook.sources.reading import SourceError

CLEAR = (SourceError, SchemaViolation, places.UnknownName)
HTML = b"<!DOCTYPE html>\n<html><title>503 Service Unavailable</title></html>\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 12345\n"
SAME = "read as if nothing were wrong"


@dataclass(frozen=True)
class Reported:
    """Read; the account says `note`, and the total is the good input's and `more`."""

    note: str
    more: float = 0


# One bad input: its reader, its kind, what puts it below a folder and returns what the reader is given, and what must come of
# it: `SAME`, `Reported`, or the pattern of what the refusal must say.
Case = tuple[str, str, Callable[[Path], Any], str | Reported]


def put(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Readers ------------------------------------------------------------------------------------------------------------------

# What came of an input: something to compare, its total, and what its account says.
Read = tuple[Any, float, dict[str, int]]


def _loaded(reader: Callable, column: str, given: Any) -> Read:
    loaded = reader(given)
    return _counted(loaded.frame, column, loaded.quality.set_aside | loaded.quality.oddities)


def _counted(frame: pl.DataFrame, column: str = "", account: dict[str, int] | None = None) -> Read:
    return frame.rows(), frame[column].sum() if column else frame.height, account or {}


def _captured(raw: Path) -> Read:
    return _counted(police_uk_api.read_captures(raw).events)


def _boroughs(path: Path) -> Read:
    codes = ons.read_borough_outlines(path)["borough_code"]
    return _counted(pl.DataFrame({"code": codes.to_list()}))


def _streets(path: Path) -> Read:
    lookup = pl.DataFrame({"lsoa_code": ["E01000001", "E01000002"], "ward_code": ["E05000001", "E05000002"]})
    frame, quality = national.count_file(path, lookup)
    return _counted(frame, "offences", quality.oddities)


def _targets(path: Path) -> Read:
    items = {"borough_offences": ["robbery", "burglary"], "knife_offences": ["Knife Crime"]}
    return _counted(facts.own_targets(path, items), "target")


def _claims(path: Path) -> Read:
    return _counted(register.read_claims(str(path)).filter(pl.col("document") == "A paper"), "before")


# Good input: delimited files ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """A delimited file: its good rows, the header first; a column it cannot do without, one of free text, and its reader."""

    name: str
    rows: list[list[str]]
    must: str
    text: str
    read: Callable[[Any], Read]
    separator: str = ","

    def content(self, rows: list[list[str]] | None = None) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=self.separator, lineterminator="\n").writerows(rows or self.rows)
        return out.getvalue()

    def having(self, column: str, value: str, row: int = 1) -> str:
        rows = [list(cells) for cells in self.rows]
        rows[row][rows[0].index(column)] = value
        return self.content(rows)

    def beside(self, header: str, *cells: str) -> str:
        return self.content([[*row, value] for row, value in zip(self.rows, [header, *cells])])


def records(*dicts: dict) -> list[list[str]]:
    return [list(dicts[0]), *[[str(v) for v in row.values()] for row in dicts]]


def lines_of(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.lstrip("\ufeff").splitlines()]


MONTHS = ["202510", "202511", "202512"]
TEAM = {"area_type": "Safer Neighbourhood Teams", "borough_snt": "Barnet Edgware", "area_code": "E05013631"}
SHEETS = [
    (dashboards.LOCATION, "Barnet", "Edgware", "", 5),
    (dashboards.LOCATION, "Other", "N/K", "", 2),
    (dashboards.CLASSIFICATION, "", "", "Rape", 7),
]
VAWG_HEADER = ["sheet", "borough_name", "ward_name", "kind", "count", "month"]
TARGETS = """\
target_set,measure,kind,series,item,area,target_owner,baseline_period,period,direction,target,source
Ward panel 2013,robbery of any kind,change,borough_offences,robbery,Lewisham,Ward panel,2011-12,2015-16,fall,-10,minutes
Ward panel 2013,robbery of any kind,change,borough_offences,robbery,Hackney,Ward panel,2011-12,2015-16,fall,-10,minutes
"""
CLAIMS = """\
claim_id,document,office,claim,kind,check,source,before,after,percent,direction
mine,A paper,A council,Murder fell,trend,change,A paper,291,229,-21.3,fall
none,A paper,A council,Murder fell,trend,change,A paper,291,229,-20,fall
"""
STREET = dict.fromkeys(generate_months.HEADER, "x") | {"Month": "2022-06", "Crime type": "Drugs"}
OWN = ("own targets", "own claims")  # a reader's own files: a further column is refused, since one may be misspelt
TABLES = {
    "met borough": Table(
        "2025-12/MPS Borough Level Crime (made up).csv",
        [
            ["MajorText", "MinorText", "BoroughName", *MONTHS],
            [*STALKING, "Barnet", "100", "110", "120"],
            [*ROBBERY, "Westminster", "40", "50", "60"],
            [*STALKING, "Tower Hamlets", "30", "35", "32"],
        ],
        *("BoroughName", "BoroughName", partial(_loaded, met.read_borough_crime, "offences")),
    ),
    "met ward": Table(
        "2025-12/MPS Ward Level Crime (made up).csv",
        [
            ["MajorText", "MinorText", "WardName", "WardCode", *MONTHS],
            [*STALKING, "Bethnal Green", "E05009317", "100", "110", "120"],
            [*ROBBERY, "Heathrow Villages", "E05013570", "40", "50", "60"],
        ],
        *("WardCode", "WardName", partial(_loaded, met.read_ward_crime, "offences")),
    ),
    "met knife crime": Table(
        "M1045_MonthlyCrimeDashboard_KnifeCrimeData.csv",
        records(KNIFE, KNIFE | {"month_year": "01/05/2024", "count": "4"}, KNIFE | TEAM),
        *("count", "area_name", partial(_loaded, dashboards.read_knife_crime, "offences")),
    ),
    "met VAWG": Table(
        "vawg-offences.csv",
        [VAWG_HEADER, *[[*map(str, row), m] for m in ("2024-01-01", "2024-02-01") for row in SHEETS]],
        *("count", "ward_name", partial(_loaded, dashboards.read_vawg, "offences")),
    ),
    "met outcomes": Table(
        "business-crime-outcomes.csv",
        records(OUTCOME | DWELLING, OUTCOME | DWELLING | {"borough": "Hackney"}),
        *("positive_outcome", "outcome", partial(_loaded, dashboards.read_outcomes, "outcomes")),
    ),
    "stops": Table(
        "2024-06-metropolitan-stop-and-search.csv",
        records(STOP, STOP | {"Date": "2024-06-11T12:00:00+00:00"}, STOP | {"Date": "2024-06-30T12:00:00+00:00"}),
        *("Date", "Object of search", partial(_loaded, police_uk.read_stops, "")),
    ),
    "street": Table(
        "2022-06-metropolitan-street.csv",
        records(*(STREET | {"LSOA code": code} for code in ("E01000001", "E01000002", ""))),
        *("Crime type", "Location", _streets),
    ),
    "mopac": Table(
        "PAS_made_up.csv",
        list(csv.reader(SEMICOLONS.splitlines(), delimiter=";")),
        *("Proportion", "Measure", partial(_loaded, mopac.read_attitudes, "share"), ";"),
    ),
    "ons lookup": Table("lookup.csv", lines_of(LOOKUP), "WD24CD", "WD24NM", partial(_loaded, ons.read_lsoa_lookup, "")),
    "ons households": Table(
        "households.csv",
        lines_of(HOUSEHOLDS),
        *("geography code", "geography", partial(_loaded, ons.read_households, "households")),
    ),
    "own targets": Table("own.csv", lines_of(TARGETS), "target", "measure", _targets),
    "own claims": Table("own.csv", lines_of(CLAIMS), "claim_id", "claim", _claims),
}

# Good input: other files ------------------------------------------------------------------------------------------------


ANSWERS: dict[str, tuple[str, list[dict]]] = {
    "API stops": ("metropolitan-2024-06.json", [STOP_RECORD, STOP_RECORD | {"datetime": "2024-06-11T12:00:00+00:00"}]),
    "API captures": ("police_uk_api/engagement/2025-06-03/E05013806N/events.json", [EVENT]),
}


def table(reader: str, folder: Path, content: str | bytes | None = None) -> Path:
    """A delimited file of a reader's: the good one, or one of this content."""
    return put(folder, TABLES[reader].name, TABLES[reader].content() if content is None else content)


def answer(reader: str, folder: Path, value: Any = None, **changes: Any) -> Any:
    """An answer of the API: the good one, one with its first record changed, or `value` (bytes, or to be made JSON)."""
    name, good = ANSWERS[reader]
    value = [good[0] | changes, *good[1:]] if value is None else value
    path = put(folder, name, value if isinstance(value, bytes) else json.dumps(value))
    if reader == "API stops":
        return path
    put(path.parents[1], "captures.csv", "neighbourhood_id,kind,status,count\nE05013806N,events,published,1\n")
    return folder


def parquet(folder: Path, lists: bool = False) -> Path:
    count = pl.concat_list("count") if lists else pl.col("count").cast(pl.Int64)
    days = pl.col("month_year", "refresh_date").str.to_date("%d/%m/%Y")
    header, *rows = TABLES["met knife crime"].rows
    path = folder / "monthly-crime-dashboard.parquet"
    pl.DataFrame(rows, header, orient="row").with_columns(days, count).write_parquet(path)
    return path


def sheet(folder: Path, rows: list[list] = SHEET, name: str = "2021") -> Path:
    return synthetic_workbook(folder / "groups.xlsx", rows, sheet=name)


DUTIES = [MINUTES, duty("2023-04-01"), duty("2023-04-01", kind="Training", minutes=60)]


def duties(folder: Path, rows: list[list] = DUTIES, name: str = "Sheet1") -> Path:
    return synthetic_workbook(folder / "DWO_Abstraction.xlsx", rows, sheet=name)


def outlines(folder: Path, columns: dict = WARDS, shapes: list = SQUARES, name: str = "wards.gpkg", crs=27700) -> Path:
    return write_outlines(folder / name, columns, shapes, crs)


def boroughs(folder: Path) -> Path:
    return outlines(folder, {"LAD24CD": ["E09000030", "E09000012"]}, name="boroughs.geojson", crs=4326)


READERS: dict[str, tuple[Callable[[Path], Any], Callable[[Any], Read]]] = {
    **{name: (partial(table, name), made.read) for name, made in TABLES.items()},
    "API captures": (partial(answer, "API captures"), _captured),
    "API stops": (partial(answer, "API stops"), partial(_loaded, police_uk_api.read_stops, "")),
    "knife Parquet": (parquet, TABLES["met knife crime"].read),
    "thorough searches": (synthetic_searches, partial(_loaded, thorough.read_thorough_searches, "")),
    "dwo minutes": (duties, partial(_loaded, dwo.read_minutes, "minutes")),
    "ons ethnic groups": (sheet, partial(_loaded, ons.read_ethnic_groups, "residents")),
    "ons wards": (outlines, partial(_loaded, ons.read_wards, "")),
    "ons boroughs": (boroughs, _boroughs),
}
BINARY = ("knife Parquet", "thorough searches", "dwo minutes", "ons ethnic groups", "ons wards")

# Kinds --------------------------------------------------------------------------------------------------------------------


def delimited(reader: str) -> Iterator[Case]:
    """What can happen to any delimited file."""
    good = TABLES[reader]
    text, (header, *_) = good.content(), good.rows
    lines, at, beside = text.splitlines(keepends=True), header.index(good.must), good.beside("Made up", *"x" * 9)
    kinds: list[tuple[str, bytes | str, str]] = [
        ("truncated in a line", text[: -len(lines[-1]) // 2 - 1], "cells a line|unexpected end"),
        ("no last line break", text[:-1], SAME),
        ("HTML with status 200", HTML, "a web page"),
        ("gzip saved as CSV", gzip.compress(text.encode(), mtime=0), "binary|UTF-8|NUL"),
        ("BOM", "\ufeff" + text, SAME),
        ("UTF-16", text.encode("utf-16"), "(?i)utf-8"),
        ("duplicated header", good.beside(good.must, *"x" * 9), "repeats"),
        ("missing column", good.content([[*row[:at], *row[at + 1 :]] for row in good.rows]), "column"),
        ("blanks around headers", good.content([[f" {name} " for name in header], *good.rows[1:]]), SAME),
        ("carriage returns", text.replace("\n", "\r"), SAME),
        ("a stray carriage return", lines[0] + lines[1][:9] + "\r" + lines[1][9:] + "".join(lines[2:]), "cells|column|line"),
        ("no UTF-8", text.encode().replace(b"\n", b"\xff\n"), "utf-8" if reader == "street" else "on line 1, which is not UTF-8"),
        ("NUL byte", good.having(good.text, "x\0y", row=-1), "NUL"),
        ("ten-megabyte cell", good.having(good.text, "x" * 10_000_000), SAME if reader == "street" else "field larger"),
        ("a stray quote", lines[0] + '"' + "".join(lines[1:]), ""),
        ("rows of blanks at the end", f"{text}   \n {good.separator} \n" + good.separator * (len(header) + 3) + "\n\n", SAME),
        ("further column", beside, "no such column here|mean nothing" if reader in OWN else SAME),
        ("header alone", lines[0], "a row or more" if reader in OWN else ""),
    ]  # fmt: skip
    for kind, content, outcome in kinds:
        yield reader, kind, partial(table, reader, content=content), outcome


def spoilt(reader: str, how: Callable[[bytes], bytes], folder: Path) -> Path:
    """A reader's good file with its bytes changed."""
    path = READERS[reader][0](folder)
    path.write_bytes(how(path.read_bytes()))
    return path


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "truncated to half": lambda b: b[: len(b) // 2],
    "a web page": lambda b: HTML,
    "a Git LFS pointer": lambda b: POINTER,
    "noise in the middle": lambda b: b[: len(b) // 3] + bytes(range(256)) * 2 + b[2 * (len(b) // 3) :],
    "line ends of a text transfer": lambda b: b.replace(b"\r\n", b"\n").replace(b"\x00\x00", b"\x00"),
}

COUNT, DAY, SHARE = "a whole number of offences, 0 or more", "a date from the year 2000 on", "a share from 0 to 1"
BOROUGH, HOMES = "the Met's boroughs", "Accommodation type: Total: All households"
# File, column, value and what is allowed there, or what the account says of it; the row is the first (of others, given).
CELLS: list[tuple] = [
    *[("met borough", "202512", value, COUNT) for value in ("1,5", "-3", "1.5", "9" * 19)],
    ("met borough", "BoroughName", "Hackny", BOROUGH),
    ("met borough", "BoroughName", "BARNET ", SAME),
    ("met borough", "MinorText", "PIRACY", r"PIRACY \(330 offences\)"),
    ("met ward", "WardCode", "e05009317  ", SAME),
    ("met knife crime", "month_year", "31/02/2024", DAY),
    ("met knife crime", "month_year", "2024-02-01 or so", DAY),
    ("met knife crime", "month_year", "01/04/2031", "the day the dashboard was refreshed"),
    ("met knife crime", "month_year", "01/05/2024", "one count a month area"),
    ("met knife crime", "area_type", "Ward", "one of Borough, Safer Neighbourhood Teams"),
    ("met VAWG", "count", "6", "by place as by kind"),
    ("met VAWG", "borough_name", "", "a borough or a kind in every row"),
    ("met VAWG", "sheet", "Victims", "one of Offence count location"),
    ("met outcomes", "positive_outcome", "?", "one of Y, N"),
    ("stops", "Latitude", "51,5", "degrees in column Latitude.*'51,5', line 2"),
    ("stops", "Latitude", "1e308", Reported("outside London")),
    ("stops", "Date", "2024-06-10T12:00:00", "a time such as"),
    ("stops", "Self-defined ethnicity", "Martian", "one of the self-defined ethnicities.*'Martian'"),
    ("stops", "Outcome linked to object of search", "maybe", "True or False"),
    ("stops", "Outcome", "Sent to Mars", Reported("outcome label not recognised")),
    ("stops", "Type", "Dog search", Reported("search type not known")),
    ("street", "Crime type", "Piracy", r"crimes of 2022-06, each of a type listed in wardbook.national; found .*'Piracy' \(1 crimes\)"),
    ("street", "Month", "2022-05", r"crimes of 2022-06, .* found 2022-05, 'Drugs' \(1 crimes\)"),
    ("mopac", "Proportion", "71", SHARE),
    ("mopac", "Date", "30/12/2022", "the last day of a quarter"),
    ("mopac", "Measure", "Likes hats", Reported("without a plain wording")),
    ("ons lookup", "LAD24CD", " e09000030 ", SAME),
    ("ons lookup", "WD24CD", "-1", "the GSS code of a ward"),
    ("ons lookup", "LSOA21CD", "E01000001", "each lsoa_code once"),
    ("ons households", HOMES, "120,000", "a whole number of households, 1 or more.*line 3", 2),
    ("own targets", "target", "-10,5", "column target: '-10,5'; allowed: a number"),
    ("own targets", "target", "-200", "column target: -200.0; allowed: a number from -100 to 1,000,000"),
    ("own targets", "kind", "none", "column kind: 'none'; allowed: one of change, level, count, gap, aim$"),
    ("own targets", "area", "Hackney", "each target_set, measure, area, period once"),
    ("own targets", "area", "Lewisam", "did you mean 'Lewisham'"),
    ("own targets", "area", "x" * 10_000, "unknown borough"),
    ("own claims", "percent", "-21,3", "a percentage as a plain number"),
    ("own claims", "claim_id", "none", "each claim_id once"),
]  # fmt: skip


def of_rows() -> Iterator[Case]:
    """What can be wrong with a table's cells, or with its rows or columns together."""
    for reader, column, value, outcome, *row in CELLS:
        content = TABLES[reader].having(column, value, *row)
        yield reader, f"{column}: {value[:30]!r}", partial(table, reader, content=content), outcome
    crime, knife, survey = TABLES["met borough"], TABLES["met knife crime"], TABLES["mopac"]
    first, stops = crime.rows[1], TABLES["stops"].rows
    dwelling = ["BURGLARY", "BURGLARY IN A DWELLING", *first[2:]]
    for reader, kind, content, outcome in [
        ("met borough", "a month left out", crime.content([[*row[:4], row[5]] for row in crime.rows]), "none left out"),
        ("met borough", "a part month", crime.having("202512", "5"), Reported("looks cut short", -115)),
        ("met borough", "the same row again", crime.content([*crime.rows, first]), Reported("the same row again")),
        ("met borough", "a repeated key", crime.content([*crime.rows, [*first[:-1], "1"]]), Reported("summed", 211)),
        ("met borough", "two columns of boroughs", crime.beside("BOCU", "Brent", "Brent", "Brent"), "which differ"),
        ("met borough", "two taxonomies", crime.content([*crime.rows, dwelling]), "one taxonomy"),
        ("met borough", "a ward-level file", TABLES["met ward"].content(), "a borough-level file"),
        ("met knife crime", "the same row again", knife.content([*knife.rows, knife.rows[1]]), Reported("the same row again")),
        ("met ward", "a borough-level file", crime.content(), "a column 'WardCode' or"),
        ("stops", "the header again", TABLES["stops"].content([*stops, stops[0]]), "found 'Latitude', line 5"),
        ("mopac", "unquoted decimal commas", survey.content().replace(";", ","), "cells"),
        ("mopac", "a repeated key", survey.content([*survey.rows, [*survey.rows[1][:4], "0,6", "0,67"]]), "one value a borough"),
        ("mopac", "another survey alone", survey.content().replace("PAS", "USS"), "rows of the survey 'PAS'"),
    ]:  # fmt: skip
        yield reader, kind, partial(table, reader, content=content), outcome


def bomb(folder: Path) -> Path:
    path = folder / "groups.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(110_000_000))
    return path


def of_workbooks() -> Iterator[Case]:
    header, first, second = SHEET

    def cell(at: int, value: Any) -> Callable:
        return partial(sheet, rows=[header, [*first[:at], value, *first[at + 1 :]], second])

    def hours(at: int, value: Any) -> Callable:
        return partial(duties, rows=[DUTIES[0], DUTIES[1], [*DUTIES[2][:at], value, *DUTIES[2][at + 1 :]]])

    yield from [
        ("ons ethnic groups", "missing column", partial(sheet, rows=[row[1:] for row in SHEET]), "a column 'LSOA code'"),
        ("ons ethnic groups", "a group renamed", partial(sheet, rows=[[*header[:-1], "Arab"], first, second]), "ethnic groups whose"),
        ("ons ethnic groups", "groups that do not add up", cell(4, 6), "groups that add up"),
        ("ons ethnic groups", "a negative count", cell(4, -5), "a whole number of residents.*White British; found -5, line 2"),
        ("ons ethnic groups", "zip bomb", bomb, "unpacks to"),
        ("knife Parquet", "a column of lists", partial(parquet, lists=True), "whole Parquet file of text.*cannot cast"),
        ("dwo minutes", "a month that is none", hours(0, "soon"), "column Month of Abstraction; found 'soon', line 3"),
        ("dwo minutes", "neither yes nor no", hours(4, "perhaps"), "Abstracted From Duty; found 'perhaps', line 3"),
        ("dwo minutes", "not a number", hours(6, "nan"), "a number, 0 or more"),
        ("dwo minutes", "no borough at all", partial(duties, rows=[MINUTES, duty(borough="Leeds")]), "boroughs of London"),
        ("dwo minutes", "another sheet", partial(duties, name="Data"), "a sheet 'Sheet1'"),
    ]  # fmt: skip
    for column, value, outcome in [
        ("postive_outcome_of_stop", None, "an answer to whether the outcome was positive"),
        ("stop_date", "31/02/2024", "a day from the year 2000"),
        ("ethnic_appearance", "Martian", "one of Asian"),
    ]:
        yield "thorough searches", f"{column}: {value}", lambda f, c={column: value}: synthetic_searches(f, c), outcome
    yield "thorough searches", "missing column", lambda f: synthetic_searches(f, without="col_0"), "a column 'col_0'"


def of_outlines() -> Iterator[Case]:
    def part(folder: Path, ending: str) -> Path:
        columns = {"NAME": ["West"], "GSS_CODE": ["E05000002"]}
        path = outlines(folder, columns, SQUARES[:1], "wards-2018/London_Ward.shp")
        path.with_suffix(ending).write_bytes(path.with_suffix(ending).read_bytes()[:40])
        return path

    yield from [
        ("ons wards", "missing column", partial(outlines, columns={"name": ["a", "b"]}), r"a column named like WD\\d\\dCD"),
        ("ons wards", "two vintages", partial(outlines, columns=WARDS | {"WD18CD": ["x", "y"]}), "one column for ward_code"),
        ("ons wards", "a vintage its folder denies", partial(outlines, name="wards-2018/wards.gpkg"), "one vintage"),
        ("ons wards", "a code that is none", partial(outlines, columns=WARDS | {"WD24CD": ["N/K", "E05000001"]}), "a ward_code like"),
        ("ons wards", "a repeated key", partial(outlines, columns=WARDS | {"WD24CD": ["E05000001"] * 2}), "each area once"),
        ("ons wards", "no outline", partial(outlines, shapes=[SQUARES[0], None]), "an outline in every row"),
        *[("ons wards", f"a shapefile's {end} cut", partial(part, ending=end), "expected") for end in (".shx", ".dbf", ".shp")],
    ]  # fmt: skip
    deep = b'{"type": "FeatureCollection", "features": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for kind, how in {
        "truncated": BYTES["truncated to half"],
        "an error in JSON": lambda b: b'{"error": {"code": 400, "message": "no"}}',
        "deeply nested JSON": lambda b: deep,
        "coordinates that are text": lambda b: b.replace(b"51.", b'"x"'),
    }.items():
        yield "ons boroughs", kind, partial(spoilt, "ons boroughs", how), "expected"


def of_answers() -> Iterator[Case]:
    for reader, must in {"API stops": "datetime", "API captures": "start_date"}.items():
        good = ANSWERS[reader][1]
        text = json.dumps(good).encode()
        for kind, value, outcome in [
            ("truncated", text[: len(text) // 2], "cut short"),
            ("UTF-16", text.decode().encode("utf-16"), "not UTF-8|cut short"),
            ("an error in JSON", {"error": "no"}, "expected"),
            ("deeply nested JSON", b"[" * 100_000 + b"]" * 100_000, "cut short"),
            ("an empty list", [], Reported("not published", -2) if reader == "API stops" else "expected"),
            ("renamed key", json.loads(text.replace(f'"{must}"'.encode(), b'"renamed"')), "expected"),
            ("extra key", [r | {"made up": {"x": [1]}} for r in good], SAME),
            ("an object for a text", [r | {"type": {"a": "x"}} for r in good], "expected .*type"),
        ]:
            yield reader, kind, partial(answer, reader, value=value), outcome
    for reader, changes, outcome in [
        ("API stops", {"location": {"latitude": "-0.05", "longitude": "51.515"}}, Reported("outside London")),
        ("API stops", {"location": "51.5,-0.05"}, "a value of type dict|Expected `object"),
        ("API captures", {"start_date": "2025-06-10T19:00:00+09:00"}, "a time without a zone|no timezone"),
    ]:
        yield reader, str(changes), partial(answer, reader, **changes), outcome


def cases() -> list[Case]:
    """Every case."""
    found = [case for reader in TABLES for case in delimited(reader)]
    found += [
        (reader, kind, partial(spoilt, reader, how), "expected .*; found")
        for reader in BINARY
        for kind, how in BYTES.items()
    ]
    for reader in OWN:
        found.append((reader, "a folder in place of a file", lambda folder: folder, "no such file"))
        found.append((reader, "a name of five thousand letters", lambda folder: folder / ("x" * 5000), "name too long"))
    return [*found, *of_rows(), *of_workbooks(), *of_outlines(), *of_answers()]
