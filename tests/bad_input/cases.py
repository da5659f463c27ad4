"""The corpus of bad input: every reader × every way in which its input has gone wrong or could, made by code.

A case says what must happen: `refused` (one of the errors in `CLEAR`, naming the file, what was expected and what was
found), `same` (read as if nothing were wrong), or `reported` (read, and the file's account says so). Nothing may end in
another error, in a hang, in rows left out unsaid or in a changed total. `python tests/bad_input/cases.py` prints the table
of README.md beside this file; tests/test_bad_input.py runs them all.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from test_dashboards import DWELLING, OUTCOME
from test_edition import THEN, synthetic_crime, synthetic_folder, synthetic_stops
from test_met import MARCH_2025, ROBBERY, STALKING, UPPER, offences_of
from test_ons import GROUPS, HOUSEHOLDS, LOOKUP, SHEET, SQUARES, WARDS, synthetic_workbook
from test_police_uk import STOP
from test_police_uk_api import EVENT
from test_thorough import synthetic_searches
from wardbook import claim, edition, facts, fetch, places, register, web
from wardbook import tables as groups
from wardbook.book import open_book
from wardbook.edition import EditionError
from wardbook.run import runner
from wardbook.schemas import SchemaViolation
from wardbook.sources import dashboards, dwo, met, mopac, ons, police_uk, police_uk_api, thorough
from wardbook.sources.reading import SourceError

CLEAR = (
    *(SourceError, places.UnknownName, places.WardVintageError, EditionError, web.FetchError),
    *(SchemaViolation, claim.ClaimRefused, runner.SettingError, runner.RunError),
)
HTML = b"<!DOCTYPE html>\n<html><title>503 Service Unavailable</title></html>\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 12345\n"
DEEP = 100_000


@dataclass(frozen=True)
class Read:
    """What came of an input: the frame, its total, and what its account says."""

    frame: Any
    total: float
    said: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One bad input. `make` puts it below a folder and returns what the reader is given; `total` is the right one if the
    good input's is not."""

    reader: str
    kind: str
    make: Callable[[Path], Any]
    outcome: str
    says: str = ""
    total: float | None = None

    @property
    def id(self) -> str:
        return f"{self.reader}: {self.kind}"


def put(folder: Path, name: str, content: bytes | str) -> Path:
    """Write a file below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Good input -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """A delimited file: its good content, and which of its columns can be spoilt how."""

    name: str
    rows: list[list[str]]  # the header is the first
    must: str  # a column without which it cannot be read
    text: str  # a column of free text or names
    separator: str = ","
    ends: bool = True

    def content(self, rows: list[list[str]] | None = None, separator: str = "", newline: str = "\n") -> str:
        separator = separator or self.separator

        def cell(text: str) -> str:
            quoted = '"' + text.replace('"', '""') + '"'
            return quoted if any(c in text for c in (separator, '"', "\n")) else text

        return newline.join([separator.join(map(cell, row)) for row in rows or self.rows] + [""])

    def having(self, changes: dict[str, str], row: int = 1) -> str:
        """The content with some cells of one row changed."""
        rows = [list(cells) for cells in self.rows]
        for name, value in changes.items():
            rows[row][rows[0].index(name)] = value
        return self.content(rows)

    def headed(self, old: str, new: str) -> str:
        return self.content([[new if name == old else name for name in self.rows[0]], *self.rows[1:]])

    def without(self, column: str) -> str:
        at = self.rows[0].index(column)
        return self.content([[*row[:at], *row[at + 1 :]] for row in self.rows])

    def plus(self, *rows: list[str]) -> str:
        return self.content([*self.rows, *rows])

    def beside(self, header: str, *cells: str) -> str:
        """The content with one more column."""
        return self.content([[*row, value] for row, value in zip(self.rows, [header, *cells])])


def records(dicts: list[dict]) -> list[list[str]]:
    return [list(dicts[0]), *[[str(v) for v in row.values()] for row in dicts]]


BOROUGH = Table(
    "2025-12/MPS Borough Level Crime (made up).csv",
    [
        ["MajorText", "MinorText", "BoroughName", "202510", "202511", "202512"],
        [*STALKING, "Barnet", "100", "110", "120"],
        [*ROBBERY, "Westminster", "40", "50", "60"],
        [*STALKING, "Tower Hamlets", "30", "35", "32"],
    ],
    "BoroughName",
    "BoroughName",
)
WARD = Table(
    "2025-12/MPS Ward Level Crime (made up).csv",
    [
        ["MajorText", "MinorText", "WardName", "WardCode", "LookUp_BoroughName", "202510", "202511", "202512"],
        [*STALKING, "Bethnal Green", "E05009317", "Tower Hamlets", "100", "110", "120"],
        [*ROBBERY, "Heathrow Villages", "E05013570", "Hillingdon", "40", "50", "60"],
        [*ROBBERY, "Heathrow Villages", "E05013570", "Aviation Security (SO18)", "30", "35", "32"],
    ],
    "WardCode",
    "WardName",
)
KNIFE_ROW = {
    "Month_Year": "01/04/2024",
    "Area Type": "Borough",
    "Borough_SNT": "Barnet",
    "Area Name": "Barnet",
    "Area Code": "E09000003",
    "Crime Subtype": "Knife Crime",
    "Measure": "Offences",
    "Count": "7",
    "Refresh_Date": "18/06/2024",
}
KNIFE_ROWS = [
    KNIFE_ROW,
    KNIFE_ROW | {"Month_Year": "01/05/2024", "Count": "9"},
    KNIFE_ROW | {"Measure": "Positive Outcomes", "Count": "2"},
    KNIFE_ROW
    | {
        "Area Type": "Safer Neighbourhood Teams",
        "Borough_SNT": "Barnet Edgware",
        "Area Code": "E05013631",
        "Count": "6",
    },
]
KNIFE = Table("M1045_MonthlyCrimeDashboard_KnifeCrimeData.csv", records(KNIFE_ROWS), "Count", "Area Name")
STOPS_NAME = "2024-06-metropolitan-stop-and-search.csv"
STOPS = Table(
    STOPS_NAME,
    records([STOP, STOP | {"Date": "2024-06-11T12:00:00+00:00"}, STOP | {"Date": "2024-06-30T12:00:00+00:00"}]),
    "Date",
    "Object of search",
)
SURVEY = Table(
    "PAS_made_up.csv",
    [
        ["Date", "Survey", "Borough", "Measure", "Proportion", "MPS"],
        ["31/12/2022", "PAS", "Hackney", '"Good Job" local', "0,5", "0,67"],
        ["31/03/2023", "PAS", "Richmond Upon Thames", "Trust MPS", "0,71", "0,7"],
        ["31/03/2023", "PAS", "Hackney", "Trust MPS", "1", "0,7"],
    ],
    "Proportion",
    "Measure",
    separator=";",
)
LSOAS = Table("lookup.csv", [line.lstrip("\ufeff").split(",") for line in LOOKUP.splitlines()], "WD24CD", "WD24NM")
HOMES = Table("households.csv", [line.split(",") for line in HOUSEHOLDS.splitlines()], "geography code", "geography")
MANIFEST = Table(
    "police_uk_api/engagement/2025-06-03/captures.csv",
    [
        ["neighbourhood_id", "kind", "status", "count"],
        ["E05013806N", "events", "published", "1"],
        ["E05013806N", "priorities", "none published", "0"],
        ["E05013807N", "events", "failed", ""],
    ],
    "status",
    "neighbourhood_id",
)
VAWG = Table(
    "vawg-offences.csv",
    records(
        [
            {
                "sheet": sheet,
                "borough_name": b,
                "ward_name_clean_2": w,
                "recorded_date_months": m,
                "crimsec_group": k,
                "count": n,
            }
            for m in ("2024-01-01", "2024-02-01")
            for sheet, b, w, k, n in [
                (dashboards.LOCATION, "Barnet", "Edgware", "", 5),
                (dashboards.LOCATION, "Other", "N/K", "", 2),
                (dashboards.CLASSIFICATION, "", "", "Rape", 7),
            ]
        ]
    ),
    "count",
    "ward_name_clean_2",
)
OUTCOMES = Table(
    "business-crime-outcomes.csv",
    records(
        [OUTCOME | DWELLING, OUTCOME | DWELLING | {"borough": "Hackney"}, OUTCOME | DWELLING | {"outcome_count": 9}]
    ),
    "positive_outcome",
    "outcome",
)
TARGET = {
    "target_set": "Ward panel 2013",
    "measure": "robbery of any kind",
    "kind": "change",
    "series": "borough_offences",
    "item": "robbery",
    "area": "Lewisham",
    "target_owner": "Lewisham ward panel, for Lewisham",
    "baseline_period": "2011-12",
    "period": "2015-16",
    "direction": "fall",
    "target": "-10",
    "source": "minutes of 3 May 2013",
}
TARGETS = Table("own.csv", records([TARGET, TARGET | {"area": "Hackney"}]), "target", "measure", ends=False)
CLAIMS = Table(
    "own.csv",
    [
        [
            "claim_id",
            "document",
            "office",
            "claim",
            "kind",
            "check",
            "source",
            "before",
            "after",
            "percent",
            "direction",
        ],
        ["mine", "A paper", "A council", "Murder fell", "trend", "change", "A paper", "291", "229", "-21.3", "fall"],
        ["none", "A paper", "A council", "Murder rose", "trend", "change", "A paper", "291", "229", "33", "rise"],
    ],
    "claim_id",
    "claim",
    ends=False,
)
STOP_RECORD = {theirs: STOP.get(ours) for ours, theirs in police_uk_api._CSV_HEADERS.items()} | {
    "operation": False,
    "operation_name": None,
    "outcome_linked_to_object_of_search": None,
    "removal_of_more_than_outer_clothing": False,
    "location": {"latitude": "51.515", "longitude": "-0.05", "street": {"id": 1, "name": "On or near A Street"}},
}
ANSWERS: dict[str, tuple[str, list[dict]]] = {
    "API stops": ("metropolitan-2024-06.json", [STOP_RECORD, STOP_RECORD | {"datetime": "2024-06-11T12:00:00+00:00"}]),
    "API captures": ("police_uk_api/engagement/2025-06-03/E05013806N/events.json", [EVENT]),
}


# Readers --------------------------------------------------------------------------------------------------------------


def _loaded(reader: Callable, column: str, given: Any) -> Read:
    loaded = reader(given)
    total = loaded.frame[column].sum() if column else loaded.frame.height
    return Read(loaded.frame, total, {**loaded.quality.set_aside, **loaded.quality.oddities})


def _captured(raw: Path) -> Read:
    got = police_uk_api.read_captures(raw)
    return Read(got.events, got.events.height, dict.fromkeys(got.captures["status"], 1))


def _outlined(path: Path, reader: Callable = ons.read_borough_outlines, code: str = "borough_code") -> Read:
    table = reader(path)
    return Read(pl.DataFrame({code: table[code].to_list()}), len(table))


HELD = {"borough_offences": ["robbery", "burglary"], "knife_offences": ["Knife Crime"]}


def _targets(path: Path) -> Read:
    own = facts.own_targets(path, HELD)
    return Read(own, own["target"].sum())


def _claims(path: Path) -> Read:
    table = register.read_claims(str(path)).filter(pl.col("document") == "A paper")
    return Read(table, table["before"].sum())


def _called(given: tuple[Callable, tuple]) -> Read:
    function, arguments = given
    return Read(function(*arguments), 0)


def _unpacked(path: Path) -> Read:
    """As `fetch` unpacks a downloaded archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            for info in infos:
                web.copy_member(archive, info, path.parent / "out" / "London_Ward.shp", web.silent)
            if not infos:
                raise web.FetchError(f"{path} has no member")
    except zipfile.BadZipFile as error:
        raise web.FetchError(f"{path}: expected a zip archive; found something else ({error})") from error
    return Read((path.parent / "out" / "London_Ward.shp").read_bytes(), path.stat().st_size)


def _built(raw: Path) -> Read:
    made = edition.build(raw, raw.parent / "edition")
    # One group of one snapshot: which groups there are depends on what every snapshot can fill.
    offences = made.table("borough_offences").filter(snapshot="2025-03", offence_group=groups.TOTAL)["offences"].sum()
    said = {key: n for entry in made.manifest["inputs"] for key, n in (entry["set_aside"] | entry["oddities"]).items()}
    if "stop_coverage" in made.tables:
        said |= {f"not complete: {why}": 1 for why in made.table("stop_coverage")["why_not"].drop_nulls()}
    said |= {f"snapshot {name}": 1 for name in made.snapshots}
    # The tables, not the edition's id: that covers the inputs, and a made-up GeoPackage holds the time it was written.
    return Read(" ".join(entry["sha256"] for entry in made.manifest["tables"].values()), offences, said)


def _opened(folder: Path) -> Read:
    made = edition.open_edition(folder)
    return Read(made.id, sum(made.table(name).height for name in made.tables))


READERS: dict[str, tuple[Callable[[Path], Any], Callable[[Any], Read]]] = {
    "met borough": (
        lambda f: put(f, BOROUGH.name, BOROUGH.content()),
        partial(_loaded, met.read_borough_crime, "offences"),
    ),
    "met ward": (lambda f: put(f, WARD.name, WARD.content()), partial(_loaded, met.read_ward_crime, "offences")),
    "met knife CSV": (
        lambda f: put(f, KNIFE.name, KNIFE.content()),
        partial(_loaded, dashboards.read_knife_crime, "offences"),
    ),
    "met VAWG": (lambda f: put(f, VAWG.name, VAWG.content()), partial(_loaded, dashboards.read_vawg, "offences")),
    "met outcomes": (
        lambda f: put(f, OUTCOMES.name, OUTCOMES.content()),
        partial(_loaded, dashboards.read_outcomes, "outcomes"),
    ),
    "met knife Parquet": (lambda f: parquet(f), partial(_loaded, dashboards.read_knife_crime, "offences")),
    "stops CSV": (lambda f: put(f, STOPS.name, STOPS.content()), partial(_loaded, police_uk.read_stops, "")),
    "mopac": (lambda f: put(f, SURVEY.name, SURVEY.content()), partial(_loaded, mopac.read_attitudes, "share")),
    "ons lookup": (lambda f: put(f, LSOAS.name, LSOAS.content()), partial(_loaded, ons.read_lsoa_lookup, "")),
    "ons households": (
        lambda f: put(f, HOMES.name, HOMES.content()),
        partial(_loaded, ons.read_households, "households"),
    ),
    "dwo minutes": (lambda f: duties(f), partial(_loaded, dwo.read_minutes, "minutes")),
    "ons ethnic groups": (lambda f: sheet(f), partial(_loaded, ons.read_ethnic_groups, "residents")),
    "ons wards": (lambda f: outlines(f), partial(_loaded, ons.read_wards, "")),
    "ons boroughs": (lambda f: boroughs(f), _outlined),
    "ons LSOAs": (lambda f: lsoas(f), partial(_outlined, reader=ons.read_lsoa_outlines, code="lsoa_code")),
    "thorough searches": (lambda f: synthetic_searches(f), partial(_loaded, thorough.read_thorough_searches, "")),
    "API stops": (lambda f: answer(f, "API stops"), partial(_loaded, police_uk_api.read_stops, "")),
    "API captures": (lambda f: captures(f), _captured),
    "captures manifest": (lambda f: captures(f), _captured),
    "own targets": (lambda f: put(f, TARGETS.name, TARGETS.content()), _targets),
    "own claims": (lambda f: put(f, CLAIMS.name, CLAIMS.content()), _claims),
    "archive": (lambda f: put(f, "London-wards.zip", zipped({"a/London_Ward.shp": b"x" * 500})), _unpacked),
    "raw folder": (lambda f: synthetic_folder(f / "raw"), _built),
    "edition": (lambda f: small_edition(f), _opened),
    "parameters": (lambda f: (places.area, ("Barnet",)), _called),
}


def parquet(
    folder: Path, *changes: dict, without: str = "", cast: dict | None = None, more: dict | None = None
) -> Path:
    """The knife crime dashboard as Parquet; `changes` are of its first rows."""
    rows = []
    for n, row in enumerate(KNIFE_ROWS):
        day = {name: datetime.strptime(row[name], "%d/%m/%Y") for name in ("Month_Year", "Refresh_Date")}  # noqa: DTZ007
        tidy = {
            key.lower().replace(" ", "_"): value for key, value in (row | day | {"Count": int(row["Count"])}).items()
        }
        rows.append(tidy | (changes[n] if n < len(changes) else {}))
    table = pl.DataFrame(rows, infer_schema_length=None, strict=False).drop(without or [])
    table = table.cast(cast or {}).with_columns(pl.lit(v).alias(k) for k, v in (more or {}).items())
    path = folder / "monthly-crime-dashboard.parquet"
    table.write_parquet(path)
    return path


def sheet(folder: Path, rows: list[list] = SHEET, name: str = "2021") -> Path:
    return synthetic_workbook(folder / "groups.xlsx", rows, sheet=name)


DUTIES = [
    ["Month of Abstraction", "Borough", "Abstracted From Duty", "Abstraction Type", "Abstraction Minutes"],
    ["2023-04-01 00:00:00", "Tower Hamlets", "No", "", 600],
    ["2023-04-01 00:00:00", "Tower Hamlets", "Yes", "Training", 60],
]


def duties(folder: Path, rows: list[list] = DUTIES, name: str = "Sheet1") -> Path:
    return synthetic_workbook(folder / "DWO_Abstraction.xlsx", rows, sheet=name)


def outlines(
    folder: Path, columns: dict = WARDS, shapes: list = SQUARES, name: str = "wards.gpkg", crs: int = 27700
) -> Path:
    import geopandas

    path = folder / name
    path.parent.mkdir(exist_ok=True)
    geopandas.GeoDataFrame(columns, geometry=shapes, crs=27700).to_crs(crs).to_file(path)
    return path


def boroughs(
    folder: Path, codes: tuple = ("E09000030", "E09000012"), name: str = "boroughs.geojson", **more: Any
) -> Path:
    return outlines(folder, {"LAD24CD": list(codes)}, name=name, crs=4326, **more)


def lsoas(folder: Path, codes: tuple = ("E01000001", "E01000002"), column: str = "LSOA21CD", **more: Any) -> Path:
    return outlines(folder, {column: list(codes)}, name="lsoa.gpkg", **more)


def answer(folder: Path, reader: str, value: Any = None, **changes: Any) -> Path:
    """An answer of the API: the good one, one with its first record changed, or `value` (bytes, or to be made JSON)."""
    name, good = ANSWERS[reader]
    value = [good[0] | changes, *good[1:]] if value is None else value
    return put(folder, name, value if isinstance(value, bytes) else json.dumps(value))


def captures(folder: Path, manifest: str | bytes | None = None, value: Any = None, **changes: Any) -> Path:
    put(folder, MANIFEST.name, MANIFEST.content() if manifest is None else manifest)
    answer(folder, "API captures", value, **changes)
    return folder


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, body in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, method
            archive.writestr(info, body)
    return out.getvalue()


def without_a_byte(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[:4] + content[5:])
    return path


def small_edition(folder: Path) -> Path:
    raw = folder / "raw"
    synthetic_crime(raw, {"Barnet": 5})
    return edition.build(raw, folder / "edition").path


# Kinds that every delimited file can have -----------------------------------------------------------------------------

REFUSED, SAME, REPORTED = "refused", "same", "reported"


def tables(reader: str, table: Table, wrap: Callable[[Path, str | bytes], Any] | None = None) -> Iterator[Case]:
    """What can happen to any delimited file. `wrap` makes of the content what the reader is given, if not a path."""
    wrap = wrap or (lambda folder, content: put(folder, table.name, content))
    own = not table.ends  # a reader's own file: further columns are refused there, since one may be misspelt
    good, header = table.content(), table.rows[0]
    lines = good.splitlines(keepends=True)
    for kind, content, outcome, says in [
        ("truncated in a line", good[: -len(lines[-1]) // 2 - 1], REFUSED, "cells a line|unexpected end"),
        ("a last line without a line break", good[:-1], SAME, ""),
        ("separators alone at the end", good + 3 * (table.separator * (len(header) - 1) + "\n"), SAME, ""),
        ("zero bytes", b"", REFUSED, "zero bytes"),
        ("HTML with status 200", HTML, REFUSED, "a web page"),
        ("Git LFS pointer", POINTER, REFUSED, "Git LFS pointer"),
        ("gzip saved as CSV", gzip.compress(good.encode(), mtime=0), REFUSED, "binary|UTF-8|NUL"),
        ("wrong delimiter", table.content(separator="|"), REFUSED, "column|cells"),
        ("BOM", "\ufeff" + good, SAME, ""),
        ("UTF-16", good.encode("utf-16"), REFUSED, "UTF-16"),
        ("CP1252", table.having({table.text: "Café"}).encode("cp1252"), REFUSED, "UTF-8"),
        ("duplicated header", table.beside(table.must, *[row[header.index(table.must)] for row in table.rows[1:]]), REFUSED, "repeats"),
        ("missing column", table.without(table.must), REFUSED, "column"),
        ("renamed header", table.headed(table.must, "Renamed"), REFUSED, "column"),
        ("extra column", table.beside("Made up", *["x"] * len(table.rows)), REFUSED if own else SAME, "no such column here|mean nothing" if own else ""),
        ("blanks around a header", table.headed(table.must, f" {table.must} "), SAME, ""),
        ("mixed line endings", lines[0].replace("\n", "\r\n") + "".join(lines[1:]), SAME, ""),
        ("carriage returns alone", good.replace("\n", "\r"), REFUSED, "line endings|cells|column|header alone|UTF-8 table"),
        ("one lone carriage return", lines[0] + lines[1].replace("\n", "\r") + "".join(lines[2:]), REFUSED, "cells|line endings|more fields"),
        ("NUL byte", table.having({table.text: "x\0y"}, row=-1), REFUSED, "NUL"),
        ("ten-megabyte cell", table.having({table.text: "x" * 10_000_000}), REFUSED, "field larger"),
        ("a stray quote", lines[0] + '"' + "".join(lines[1:]), REFUSED, ""),
        ("header alone", lines[0], REPORTED if own else REFUSED, ""),
        ("blank lines at the end", good + "\n\n", SAME, ""),
        ("rows of blanks at the end", f"{good}   \n {table.separator} \n", SAME, ""),
        ("separators past the last column", good.replace("\n", 4 * table.separator + "\n"), SAME, ""),
    ]:  # fmt: skip
        total = 0.0 if own and kind == "header alone" else None
        yield Case(reader, kind, lambda folder, content=content: wrap(folder, content), outcome, says, total)


def changed(reader: str, table: Table, rows: list[tuple]) -> Iterator[Case]:
    """Cases given as (kind, content, outcome, says, total)."""
    for kind, content, outcome, *rest in rows:
        make = partial(lambda content, folder: put(folder, table.name, content), content)
        yield Case(reader, kind, make, outcome, *rest)


def of_crime(reader: str, table: Table) -> Iterator[Case]:
    whole = "whole numbers of offences"
    last = table.rows[0][-1]
    yield from changed(
        reader,
        table,
        [
            ("decimal commas", table.having({last: "1,5"}), REFUSED, whole),
            ("a negative count", table.having({last: "-3"}), REFUSED, whole),
            ("a fractional count", table.having({last: "1.5"}), REFUSED, whole),
            ("a count past all sense", table.having({last: "9223372036854775807"}), REFUSED, whole),
            ("a month left out", table.without("202511"), REFUSED, "a column for every month"),
            ("a month renamed", table.headed(last, "Dec 2025"), REFUSED, "a column for every month"),
            ("a month that is none", table.headed(last, "202513"), REFUSED, "a column for every month"),
            ("a month out of range", table.headed("202510", "190001"), REFUSED, "a column for every month"),
            ("a month after the snapshot", table.beside("202601", "100", "100", "100"), REFUSED, "months up to the snapshot"),
            ("a stub month", table.beside("202509", "1", "1", "1"), REPORTED, "stub month 202509"),
            ("a part month", table.having({last: "5"}), REPORTED, "looks cut short", 462),
            ("the same row again", table.plus(table.rows[1]), REPORTED, "the same row again"),
            ("a repeated key", table.plus([*table.rows[1][:-1], "1"]), REPORTED, "summed", 788),
            ("another spelling of an offence", table.having({"MinorText": "Stalking, and - Harassment"}), REPORTED, "spelt in another way"),
            ("an offence of no taxonomy", table.having({"MinorText": "PIRACY"}), REFUSED, r"PIRACY \(330 offences\)"),
            ("two taxonomies in one file", table.having({"MajorText": "Theft", "MinorText": "Theft from Person"}, row=2), REFUSED, "one taxonomy"),
            ("the header again among the rows", table.plus(table.rows[0]), *((REFUSED, "one taxonomy|boroughs") if "Ward" not in reader.title() else (REPORTED, "no known form"))),
        ],
    )  # fmt: skip


def crime_cases() -> Iterator[Case]:
    yield from tables("met borough", BOROUGH)
    yield from of_crime("met borough", BOROUGH)
    yield from changed(
        "met borough",
        BOROUGH,
        [
            ("a borough that is none", BOROUGH.having({"BoroughName": "Hackny"}), REFUSED, "boroughs listed"),
            ("blanks and capitals in a name", BOROUGH.having({"BoroughName": "BARNET "}), SAME),
            ("two columns of boroughs", BOROUGH.beside("BOCU", "Brent", "Brent", "Brent"), REFUSED, "which differ"),
        ],
    )
    yield from tables("met ward", WARD)
    yield from of_crime("met ward", WARD)
    yield from changed(
        "met ward",
        WARD,
        [
            ("a GSS code with blanks", WARD.having({"WardCode": "E05009317  "}), SAME),
            ("a GSS code in lower case", WARD.having({"WardCode": "e05009317"}), SAME),
            ("a code that is none", WARD.plus([*ROBBERY, "x", "N/K", "x", "9", "9", "9"]), REPORTED, "no known form"),
            ("two columns of codes", WARD.beside("LookUp_WardCode", "E05000001", "x", "x"), REFUSED, "which differ"),
        ],
    )
    yield from tables("met knife CSV", KNIFE)
    count, month = "number, 0 or more", "Month_Year"
    yield from changed(
        "met knife CSV",
        KNIFE,
        [
            ("decimal commas", KNIFE.having({"Count": "1,5"}), REFUSED, count),
            ("a negative count", KNIFE.having({"Count": "-3"}), REFUSED, count),
            ("a fractional count", KNIFE.having({"Count": "1.5"}), REFUSED, count),
            ("a date out of range", KNIFE.having({month: "01/04/1066"}), REFUSED, "year 2000 on"),
            ("a month after the refresh", KNIFE.having({month: "01/04/2031"}), REFUSED, "refreshed"),
            ("a date that is none", KNIFE.having({month: "31/02/2024"}), REFUSED, "year 2000 on"),
            ("the same row again", KNIFE.plus(KNIFE.rows[1]), REPORTED, "the same row again"),
            ("a repeated key", KNIFE.plus([*KNIFE.rows[1][:-2], "8", KNIFE.rows[1][-1]]), REFUSED, "one count a month"),
            ("a GSS code with blanks", KNIFE.having({"Area Code": "E05013631 "}, row=4), REPORTED, "end in a blank"),
            ("a GSS code in lower case", KNIFE.having({"Area Code": "e05013631"}, row=4), SAME),
            ("a borough that is none", KNIFE.having({"Borough_SNT": "Hackny"}), REFUSED, "the Met's boroughs"),
            ("an area type that is none", KNIFE.having({"Area Type": "Ward"}), REFUSED, "area_type"),
        ],
    )
    yield from tables("met VAWG", VAWG)
    yield from changed(
        "met VAWG",
        VAWG,
        [
            ("a negative count", VAWG.having({"count": "-5"}), REFUSED, "number, 0 or more"),
            ("sheets that differ", VAWG.having({"count": "6"}), REFUSED, "by place as by kind"),
            ("a borough that is none", VAWG.having({"borough_name": "Hackny"}), REFUSED, "the Met's boroughs"),
            ("a sheet that is none", VAWG.having({"sheet": "Victims"}), REFUSED, "in column sheet"),
            ("a date that is none", VAWG.having({"recorded_date_months": "2024-02-30"}), REFUSED, "a date from"),
        ],
    )
    yield from tables("met outcomes", OUTCOMES)
    yield from changed(
        "met outcomes",
        OUTCOMES,
        [
            ("a negative count", OUTCOMES.having({"outcome_count": "-5"}), REFUSED, "number, 0 or more"),
            ("an answer that is none", OUTCOMES.having({"positive_outcome": "?"}), REFUSED, "one of Y, N"),
            ("a borough that is none", OUTCOMES.having({"borough": "Hackny"}), REFUSED, "the Met's boroughs"),
            ("an offence of no taxonomy", OUTCOMES.having({"crime_group": "PIRACY"}), REFUSED, "PIRACY"),
            ("a month after the refresh", OUTCOMES.having({"date": "2025-07-01"}), REFUSED, "refreshed"),
            ("the same row again", OUTCOMES.plus(OUTCOMES.rows[1]), REPORTED, "the same row again"),
        ],
    )
    yield from binaries("met knife Parquet", parquet, "monthly-crime-dashboard.parquet")
    for kind, make, outcome, *rest in [
        ("missing column", lambda f: parquet(f, without="area_code"), REFUSED, "a column 'area_code'"),
        ("extra column", lambda f: parquet(f, more={"sheet": "x"}), SAME),
        ("a negative count", lambda f: parquet(f, {"count": -1}), REFUSED, "number, 0 or more"),
        ("a fractional count", lambda f: parquet(f, {"count": 1.5}), REFUSED, "number, 0 or more"),
        ("a count past all sense", lambda f: parquet(f, {"count": 2**62}), REFUSED, "number, 0 or more"),
        ("counts as text", lambda f: parquet(f, cast={"count": pl.String}), SAME),
        ("dates as text", lambda f: parquet(f, cast={"month_year": pl.String}), SAME),
        ("codes as numbers", lambda f: parquet(f, without="area_code", more={"area_code": 7}), REPORTED),
        ("lists in cells", lambda f: parquet(f, without="area_name", more={"area_name": ["x"]}), REFUSED, "text, numbers or dates in column"),
        ("no refresh date", lambda f: parquet(f, {"refresh_date": None}), REFUSED, "a date from the year 2000 on"),
        ("a date out of range", lambda f: parquet(f, {"month_year": datetime(1066, 4, 1)}), REFUSED, "year 2000"),  # noqa: DTZ001
        ("a month after the refresh", lambda f: parquet(f, {"month_year": datetime(2031, 4, 1)}), REFUSED, "refreshed"),  # noqa: DTZ001
        ("a repeated key", lambda f: parquet(f, {}, {"month_year": datetime(2024, 4, 1)}), REFUSED, "one count a month"),  # noqa: DTZ001
        ("the same row again", lambda f: parquet(f, {}, {"month_year": datetime(2024, 4, 1), "count": 7}), REPORTED, "the same row again", 15),  # noqa: DTZ001
        ("a GSS code in lower case", lambda f: parquet(f, {}, {}, {}, {"area_code": "e05013631"}), SAME),
        ("a GSS code with blanks", lambda f: parquet(f, {}, {}, {}, {"area_code": "E05013631  "}), REPORTED, "end in a blank"),
        ("an area type that is none", lambda f: parquet(f, {"area_type": "Ward"}), REFUSED, "area_type"),
    ]:  # fmt: skip
        yield Case("met knife Parquet", kind, make, outcome, *rest)


def binaries(
    reader: str, good: Callable[[Path], Path], name: str, wrap: Callable = lambda path: path
) -> Iterator[Case]:
    """What can happen to any binary file."""

    def spoilt(folder: Path, how: Callable[[bytes], bytes]) -> Any:
        path = good(folder)
        path.write_bytes(how(path.read_bytes()))
        return wrap(path)

    for kind, how in {
        "truncated to half": lambda b: b[: len(b) // 2],
        "truncated by a byte": lambda b: b[:-1],
        "zero bytes": lambda b: b"",
        "HTML with status 200": lambda b: HTML,
        "Git LFS pointer": lambda b: POINTER,
        "CSV under its name": lambda b: b"a,b\n1,2\n" * 50,
        "gzip under its name": lambda b: gzip.compress(b, mtime=0),
        "noise in the middle": lambda b: (
            b[: len(b) // 3] + (bytes(range(256)) * len(b))[: len(b) // 3] + b[2 * (len(b) // 3) :]
        ),
        "its first bytes and nothing": lambda b: b[:8] + bytes(400),
        "converted to another encoding": lambda b: b.decode("latin-1").encode("utf-8"),
        "bytes lost in a text transfer": lambda b: b.replace(b"\r\n", b"\n").replace(b"\x00\x00", b"\x00"),
    }.items():
        yield Case(reader, kind, partial(spoilt, how=how), REFUSED, "expected .*; found")


def stops_cases() -> Iterator[Case]:
    yield from tables("stops CSV", STOPS)
    yield from changed(
        "stops CSV",
        STOPS,
        [
            ("decimal commas", STOPS.having({"Latitude": "51,515"}), REFUSED, "degrees"),
            ("a coordinate that is none", STOPS.having({"Latitude": "nan"}), REFUSED, "degrees"),
            ("coordinates past all sense", STOPS.having({"Latitude": "1e308"}), REPORTED, "outside London"),
            ("swapped latitude and longitude", STOPS.having({"Latitude": "-0.05", "Longitude": "51.515"}), REPORTED, "swapped"),
            ("coordinates outside London", STOPS.having({"Latitude": "53.48", "Longitude": "-2.24"}), REPORTED, "outside London"),
            ("one coordinate", STOPS.having({"Latitude": ""}), REPORTED, "without coordinates"),
            ("a date out of range", STOPS.having({"Date": "2999-06-10T12:00:00+00:00"}), REFUSED, "of June 2999"),
            ("rows of another month", STOPS.having({"Date": "2024-05-10T12:00:00+00:00"}), REFUSED, "another month's file"),
            ("a date that is none", STOPS.having({"Date": "2024-02-31T12:00:00+00:00"}), REFUSED, "times such as"),
            ("a time without a zone", STOPS.having({"Date": "2024-06-10T12:00:00"}), REFUSED, "times such as"),
            ("an old and a new vocabulary", STOPS.having({"Self-defined ethnicity": "White - White Irish (W2)"}), REPORTED, ""),
            ("an ethnicity of no vocabulary", STOPS.having({"Self-defined ethnicity": "Martian"}), REFUSED, "ethnicities"),
            ("a link that is neither true nor false", STOPS.having({"Outcome linked to object of search": "maybe"}), REFUSED, "True or False"),
            ("an outcome of no vocabulary", STOPS.having({"Outcome": "Sent to Mars"}), REPORTED, "outcome label not recognised"),
            ("a type that is none", STOPS.having({"Type": "Dog search"}), REPORTED, "search type not known"),
            ("the same row again", STOPS.plus(STOPS.rows[1]), REPORTED, "exact duplicate rows", 4),
            ("the header again among the rows", STOPS.plus(STOPS.rows[0]), REFUSED, "times such as"),
        ],
    )  # fmt: skip
    for name, says in {"stops.csv": "a name like", f"2024-13-{STOPS_NAME[8:]}": "a month"}.items():
        make = partial(lambda name, folder: put(folder, name, STOPS.content()), name)
        yield Case("stops CSV", f"named {name}", make, REFUSED, says)


def survey_cases() -> Iterator[Case]:
    yield from tables("mopac", SURVEY)
    share = "a share from 0 to 1"
    yield from changed(
        "mopac",
        SURVEY,
        [
            ("decimal points", SURVEY.content().replace("0,", "0."), SAME),
            ("commas between and in cells", SURVEY.content(separator=","), SAME),
            ("unquoted decimal commas", SURVEY.content().replace(";", ","), REFUSED, "cells"),
            ("per cent in place of shares", SURVEY.having({"Proportion": "71"}), REFUSED, share),
            ("a negative share", SURVEY.having({"Proportion": "-0,1"}), REFUSED, share),
            ("a share that is none", SURVEY.having({"Proportion": "nan"}), REFUSED, share),
            ("an empty share", SURVEY.having({"Proportion": ""}), REFUSED, share),
            ("a date out of range", SURVEY.having({"Date": "31/12/2999"}), REFUSED, "the last day of a quarter"),
            ("a day that ends no quarter", SURVEY.having({"Date": "30/12/2022"}), REFUSED, "the last day of a quarter"),
            ("American dates", SURVEY.having({"Date": "12/31/2022"}), REFUSED, "the last day of a quarter"),
            ("the same row again", SURVEY.plus(SURVEY.rows[1]), REPORTED, "the same row again"),
            ("a repeated key", SURVEY.plus([*SURVEY.rows[1][:4], "0,6", "0,67"]), REFUSED, "one value"),
            ("a borough that is none", SURVEY.having({"Borough": "Hackny"}), REFUSED, "boroughs listed"),
            ("a second spelling", SURVEY.plus(["30/06/2023", "PAS", "Richmond upon Thames", "Trust MPS", "0,5", "0,7"]), REPORTED, "second spelling", 2.71),
            ("another survey", SURVEY.plus(["31/03/2023", "USS", "Hackney", "Overall", "0,61", "0,61"]), REPORTED, "not the Public Attitude Survey"),
            ("a question of no wording", SURVEY.plus(["31/03/2023", "PAS", "Hackney", "Likes hats", "0,5", "0,5"]), REPORTED, "without a plain wording", 2.71),
        ],
    )  # fmt: skip


def ons_cases() -> Iterator[Case]:
    yield from tables("ons lookup", LSOAS)
    yield from changed(
        "ons lookup",
        LSOAS,
        [
            (
                "two vintages in one file",
                LSOAS.beside("WD18CD", "E05000001", "E05000002", "x"),
                REFUSED,
                "which differ",
            ),
            ("GSS codes with blanks", LSOAS.having({"LAD24CD": "E09000030 ", "LSOA21CD": "E01000002 "}), SAME),
            ("GSS codes in lower case", LSOAS.having({"LAD24CD": "e09000030", "WD24CD": "e05000001"}), SAME),
            ("a repeated key", LSOAS.plus(LSOAS.rows[1]), REFUSED, "each lsoa_code once"),
            ("a ward that is none", LSOAS.having({"WD24CD": "-1"}), REFUSED, "a ward_code like"),
            ("a row without a ward", LSOAS.having({"WD24CD": ""}), REFUSED, "a ward_code like"),
            ("no borough of London", LSOAS.content().replace("E09", "E06"), REFUSED, "London boroughs"),
            ("the header again among the rows", LSOAS.plus(LSOAS.rows[0]), REPORTED, "not in a London borough"),
        ],
    )
    yield from tables("ons households", HOMES)
    homes, whole = HOMES.rows[0][3], "whole numbers of households"
    yield from changed(
        "ons households",
        HOMES,
        [
            ("decimal commas", HOMES.having({homes: "1,5"}, row=2), REFUSED, whole),
            ("thousands with commas", HOMES.having({homes: "120,000"}, row=2), REFUSED, whole),
            ("a negative count", HOMES.having({homes: "-3"}, row=2), REFUSED, whole),
            ("a fractional count", HOMES.having({homes: "1.5"}, row=2), REFUSED, whole),
            ("a count past all sense", HOMES.having({homes: "9999999999"}, row=2), REFUSED, whole),
            ("an empty count", HOMES.having({homes: ""}, row=2), REFUSED, "households in every borough"),
            ("GSS codes with blanks", HOMES.having({"geography code": "E09000030 "}, row=2), SAME),
            ("GSS codes in lower case", HOMES.having({"geography code": "e09000030"}, row=2), SAME),
            ("a repeated key", HOMES.plus(HOMES.rows[2]), REFUSED, "each borough_code once"),
            ("no borough of London", HOMES.content().replace("E09", "E06"), REFUSED, "London boroughs"),
        ],
    )
    yield from binaries("ons ethnic groups", sheet, "groups.xlsx")
    header, first, second = SHEET
    outside = ["E01020000", "Leeds", "E08000035", 15, *GROUPS.values()]

    def cell(at: int, value: Any) -> list[list]:
        return [header, [*first[:at], value, *first[at + 1 :]], second]

    for kind, rows, outcome, *rest in [
        ("missing column", [row[1:] for row in SHEET], REFUSED, "a column 'LSOA code'"),
        ("renamed header", [["LSOA", *header[1:]], first, second], REFUSED, "a column 'LSOA code'"),
        ("a group renamed", [[*header[:-1], "Arab"], first, second], REFUSED, "ethnic groups whose names begin"),
        ("a group left out", [row[:-2] + row[-1:] for row in SHEET], REFUSED, "ethnic groups|add up"),
        ("a duplicated header", [[*header, header[-1]], [*first, 0], [*second, 1]], REFUSED, "add up|groups"),
        ("a negative count", cell(4, -5), REFUSED, "whole numbers of residents"),
        ("a fractional count", cell(4, "1.5"), REFUSED, "whole numbers of residents"),
        ("decimal commas", cell(4, "5,0"), REFUSED, "whole numbers of residents"),
        ("groups that do not add up", cell(4, 6), REFUSED, "groups that add up"),
        ("a repeated key", [*SHEET, first], REFUSED, "each lsoa_code once"),
        ("GSS codes with blanks", cell(2, "E09000030 "), SAME),
        ("GSS codes in lower case", cell(0, "e01000002"), SAME),
        ("outside London", [*SHEET, outside], REPORTED, "not in a London borough"),
        ("a header alone", [header], REFUSED, "London boroughs"),
        ("ten-megabyte cell", cell(1, "x" * 10_000_000), SAME),
    ]:
        yield Case("ons ethnic groups", kind, partial(lambda rows, folder: sheet(folder, rows), rows), outcome, *rest)
    yield Case("ons ethnic groups", "another sheet", lambda f: sheet(f, name="2011"), REFUSED, "a sheet '2021'")
    bomb = {"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": bytes(600_000_000)}
    yield Case("ons ethnic groups", "zip bomb", lambda f: put(f, "groups.xlsx", zipped(bomb)), REFUSED, "unpacks to")
    lost = "a member before the file's start"  # found by Hypothesis
    yield Case("ons ethnic groups", lost, lambda f: without_a_byte(sheet(f)), REFUSED, "damaged")
    names = {"../../evil.xml": b"<x/>", "xl/workbook.xml": b"<workbook/>"}
    yield Case("ons ethnic groups", "zip slip", lambda f: put(f, "groups.xlsx", zipped(names)), REFUSED, "expected")

    for reader, good, name in [("ons wards", outlines, "wards.gpkg")]:
        yield from binaries(reader, good, name)
    from shapely.geometry import box

    yorkshire = [box(430_000, 430_000, 431_000, 431_000), SQUARES[1]]
    shp = {"NAME": ["West"], "GSS_CODE": ["E05000002"]}

    def part(folder: Path, ending: str) -> Path:
        path = outlines(folder, shp, SQUARES[:1], "wards-2018/London_Ward.shp")
        path.with_suffix(ending).write_bytes(path.with_suffix(ending).read_bytes()[:40])
        return path

    def swapped(folder: Path) -> Path:
        import geopandas
        import shapely

        degrees = geopandas.GeoSeries(SQUARES, crs=27700).to_crs(4326)
        shapes = [shapely.transform(shape, lambda pairs: pairs[:, ::-1]) for shape in degrees]
        path = folder / "wards.gpkg"
        geopandas.GeoDataFrame(WARDS, geometry=shapes, crs=4326).to_file(path)
        return path

    for kind, make, outcome, *rest in [
        ("missing column", lambda f: outlines(f, {"name": ["a", "b"]}), REFUSED, "a column named like"),
        ("two vintages in one file", lambda f: outlines(f, WARDS | {"WD18CD": ["E05000003", "E05000004"]}), REFUSED, "one column for ward_code"),
        ("a vintage its folder denies", lambda f: outlines(f, name="wards-2018/wards.gpkg"), REFUSED, "one vintage"),
        ("GSS codes in lower case", lambda f: outlines(f, WARDS | {"WD24CD": ["e05000002", "E05000001 "]}), SAME),
        ("a code that is none", lambda f: outlines(f, WARDS | {"WD24CD": ["N/K", "E05000001"]}), REFUSED, "a code of nine"),
        ("a row without a code", lambda f: outlines(f, WARDS | {"WD24CD": [None, "E05000001"]}), REFUSED, "a code of nine"),
        ("a repeated key", lambda f: outlines(f, WARDS | {"WD24CD": ["E05000001"] * 2}), REFUSED, "each area once"),
        ("extra column", lambda f: outlines(f, WARDS | {"made_up": [1, 2]}), SAME),
        ("coordinates outside London", lambda f: outlines(f, shapes=yorkshire), REPORTED, "outside London"),
        ("swapped latitude and longitude", swapped, REFUSED, "British National Grid"),
        ("no outline", lambda f: outlines(f, shapes=[SQUARES[0], None]), REFUSED, "an outline in every row"),
        ("another format", lambda f: put(f, "wards.kml", b"<kml/>"), REFUSED, "outlines as"),
        ("a shapefile's index cut", lambda f: part(f, ".shx"), REFUSED, "expected"),
        ("a shapefile's table cut", lambda f: part(f, ".dbf"), REFUSED, "expected"),
        ("a shapefile cut", lambda f: part(f, ".shp"), REFUSED, "truncated"),
    ]:  # fmt: skip
        yield Case("ons wards", kind, make, outcome, *rest)

    def text(folder: Path, how: Callable[[bytes], bytes]) -> Path:
        path = boroughs(folder)
        path.write_bytes(how(path.read_bytes()))
        return path

    deep = b'{"type": "FeatureCollection", "features": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    for kind, how, outcome, *rest in [
        ("truncated", lambda b: b[: len(b) // 2], REFUSED, "expected"),
        ("zero bytes", lambda b: b"", REFUSED, "zero bytes"),
        ("HTML with status 200", lambda b: HTML, REFUSED, "a web page"),
        ("Git LFS pointer", lambda b: POINTER, REFUSED, "Git LFS"),
        ("UTF-16", lambda b: b.decode().encode("utf-16"), REFUSED, "expected"),
        ("BOM", lambda b: b"\xef\xbb\xbf" + b, SAME),
        ("JSON that is a string", lambda b: b'"boroughs"', REFUSED, "expected"),
        ("an error in JSON", lambda b: b'{"error": {"code": 400, "message": "no"}}', REFUSED, "expected"),
        ("deeply nested JSON", lambda b: deep, REFUSED, "expected"),
        ("no features", lambda b: b'{"type": "FeatureCollection", "features": []}', REFUSED, "expected"),
        ("renamed column", lambda b: b.replace(b"LAD24CD", b"Renamed"), REFUSED, "a column named like"),
        ("GSS codes in lower case", lambda b: b.replace(b"E0900", b"e0900"), SAME),
        ("GSS codes with blanks", lambda b: b.replace(b'E09000030"', b'E09000030 "'), SAME),
        ("a repeated key", lambda b: b.replace(b"E09000030", b"E09000012"), REFUSED, "each area once"),
        ("no borough of London", lambda b: b.replace(b"E0900", b"E0700"), REFUSED, "London boroughs"),
        ("a geometry of the wrong kind", lambda b: b.replace(b'"Polygon"', b'"Polyhedron"'), REFUSED, "expected"),
        ("coordinates that are text", lambda b: b.replace(b"51.", b'"x"'), REFUSED, "expected"),
    ]:
        yield Case("ons boroughs", kind, partial(text, how=how), outcome, *rest)

    yield from binaries("ons LSOAs", lsoas, "lsoa.gpkg")
    for kind, make, outcome, *rest in [
        ("another vintage", lambda f: lsoas(f, column="LSOA11CD"), REFUSED, "a column named like LSOA21CD"),
        ("codes of wards", lambda f: lsoas(f, ("E05000001", "E05000002")), REFUSED, "LSOAs"),
        ("a repeated key", lambda f: lsoas(f, ("E01000001", "E01000001")), REFUSED, "each area once"),
        ("GSS codes in lower case", lambda f: lsoas(f, ("e01000001", "E01000002 ")), SAME),
        ("coordinates outside London", lambda f: lsoas(f, shapes=yorkshire), REPORTED, ""),
    ]:
        yield Case("ons LSOAs", kind, make, outcome, *rest)


def thorough_cases() -> Iterator[Case]:
    yield from binaries("thorough searches", synthetic_searches, "thorough-searches.parquet")
    made = synthetic_searches
    for kind, make, outcome, *rest in [
        ("missing column", lambda f: made(f, without="col_0"), REFUSED, "a column 'col_0'"),
        ("no column of a release", lambda f: made(f, without="postive_outcome_of_stop"), REFUSED, "a column"),
        ("extra column", lambda f: made(f, more={"made_up": "x"}), SAME),
        ("a row of no release", lambda f: made(f, {"postive_outcome_of_stop": None}), REFUSED, "an answer in one of"),
        ("a day that is none", lambda f: made(f, {"stop_date": "31/02/2024"}), REFUSED, "a day from the year 2000"),
        ("a day out of range", lambda f: made(f, {"stop_date": "1066-10-14"}), REFUSED, "a day from the year 2000"),
        ("a day without text", lambda f: made(f, cast={"stop_date": pl.Binary}), REFUSED, "text in column stop_date"),
        ("an age band that is none", lambda f: made(f, {"age_group": "12"}), REFUSED, "age_band one of"),
        (
            "an appearance that is none",
            lambda f: made(f, {"ethnic_appearance": "Martian"}),
            REFUSED,
            "ethnic_appearance",
        ),
        ("an outcome that is none", lambda f: made(f, {"outcome_reason": "Sent to Mars"}), REFUSED, "outcome one of"),
        (
            "an answer that is none",
            lambda f: made(f, {"postive_outcome_of_stop": "Perhaps"}),
            REFUSED,
            "positive one of",
        ),
        ("a borough that is none", lambda f: made(f, {"borough": "Hackny"}), REFUSED, "the Met's boroughs"),
        ("an airport for a borough", lambda f: made(f, {"borough": "CO18 (City Airport)"}), REPORTED, "of no borough"),
        ("the same row again", lambda f: made(f, {}, again=True), REPORTED, "the same search again"),
        ("a header alone", lambda f: made(f, rows=[]), REFUSED, "a header alone"),
    ]:
        yield Case("thorough searches", kind, make, outcome, *rest)


def hours_cases() -> Iterator[Case]:
    yield from binaries("dwo minutes", duties, "DWO_Abstraction.xlsx")
    header, first, second = DUTIES

    def cell(at: int, value: Any) -> list[list]:
        return [header, first, [*second[:at], value, *second[at + 1 :]]]

    for kind, rows, outcome, *rest in [
        ("missing column", [row[1:] for row in DUTIES], REFUSED, "a column 'Month of Abstraction'"),
        ("renamed header", [["Month", *header[1:]], first, second], REFUSED, "a column 'Month of Abstraction'"),
        ("a month that is none", cell(0, "soon"), REFUSED, "'soon' in column 'Month of Abstraction', line 3"),
        ("a date out of range", cell(0, "2999-04-01"), REFUSED, "'2999-04-01' in column 'Month of Abstraction'"),
        ("neither yes nor no", cell(2, "perhaps"), REFUSED, "'perhaps' in column 'Abstracted From Duty', line 3"),
        ("a negative count", cell(4, -5), REFUSED, "'-5' in column 'Abstraction Minutes', line 3"),
        ("decimal commas", cell(4, "5,0"), REFUSED, "'5,0' in column 'Abstraction Minutes'"),
        ("not a number", cell(4, "nan"), REFUSED, "'nan' in column 'Abstraction Minutes'"),
        ("a kind that is new", cell(3, "Football"), REPORTED, "football, counted as other"),
        ("a place that is no borough", [*DUTIES, [*first[:1], "Aviation", *first[2:]]], REPORTED, "of no borough"),
        ("no borough of London", [header, [*first[:1], "Leeds", *first[2:]]], REFUSED, "boroughs of London"),
        ("another spelling of a borough", cell(1, " tower hamlets"), SAME),
        ("a row of nothing", [*DUTIES, ["", "", "", "", ""]], SAME),
        ("a header alone", [header], REFUSED, "rows in the sheet 'Sheet1'"),
    ]:
        yield Case("dwo minutes", kind, partial(lambda rows, folder: duties(folder, rows), rows), outcome, *rest)
    yield Case("dwo minutes", "another sheet", lambda f: duties(f, name="Data"), REFUSED, "a sheet 'Sheet1'")


def api_cases() -> Iterator[Case]:
    for reader, must in {"API stops": "datetime", "API captures": "start_date"}.items():

        def give(folder: Path, value: Any = None, reader: str = reader, **changes: Any) -> Any:
            if reader == "API captures":
                return captures(folder, value=value, **changes)
            return answer(folder, reader, value, **changes)

        good = json.dumps(ANSWERS[reader][1]).encode()
        records = ANSWERS[reader][1]
        for kind, value, outcome, *rest in [
            ("truncated", good[: len(good) // 2], REFUSED, "cut short"),
            ("zero bytes", b"", REFUSED, "zero bytes"),
            ("HTML with status 200", HTML, REFUSED, "a web page"),
            ("Git LFS pointer", POINTER, REFUSED, "Git LFS"),
            ("BOM", b"\xef\xbb\xbf" + good, SAME),
            ("UTF-16", good.decode().encode("utf-16"), REFUSED, "cut short"),
            ("CP1252", good.replace(b"meeting", b"caf\xe9").replace(b"A Street", b"caf\xe9"), REFUSED, "'utf-8' codec"),
            ("NUL byte", good[:-1] + b"\0]", REFUSED, "cut short"),
            ("JSON that is a string", "an answer", REFUSED, "expected"),
            ("JSON that is a number", 7, REFUSED, "expected"),
            ("JSON that is null", b"null", REFUSED, "expected"),
            ("an error in JSON", {"error": "no"}, REFUSED, "expected"),
            ("a list of texts", ["x"], REFUSED, "expected"),
            ("deeply nested JSON", b"[" * DEEP + b"]" * DEEP, REFUSED, "cut short"),
            ("an answer twice over", good + good, REFUSED, "cut short"),
            ("an empty list", [], REFUSED, "expected"),
            ("renamed key", json.loads(good.replace(f'"{must}"'.encode(), b'"renamed"')), REFUSED, "expected"),
            ("extra key", [r | {"made up": {"x": [1]}} for r in records], SAME),
            ("a key of null", [r | {must: None} for r in records], REFUSED if reader != "API captures" else SAME, "expected"),
            ("a list for a text", [r | {"type": ["x"]} for r in records], REFUSED, "documented shape"),
            ("an object for a text", [r | {"type": {"a": "x"}} for r in records], REFUSED, "documented shape"),
            ("a number for a text", [r | {"type": 10**400} for r in records], REFUSED, "documented shape"),
            ("a number past all sense", [r | {must: 10**400} for r in records], REFUSED, "expected"),
            ("ten-megabyte cell", [r | {"made up": "x" * 10_000_000} for r in records[:1]] + records[1:], SAME),
        ]:  # fmt: skip
            if kind == "a key of null" and reader == "API captures":
                outcome = REPORTED
                rest = ["published"]
            yield Case(reader, kind, partial(give, value=value), outcome, *rest)

    here = {"street": {"id": 1, "name": "x"}}
    for kind, place, outcome, says in [
        ("swapped latitude and longitude", here | {"latitude": "-0.05", "longitude": "51.515"}, REPORTED, "swapped"),
        ("coordinates outside London", here | {"latitude": "53.48", "longitude": "-2.24"}, REPORTED, "outside London"),
        ("a place of null", None, REPORTED, "without coordinates"),
        ("a place that is text", "51.5,-0.05", REFUSED, "Expected `object"),
        ("a place that is a list", [51.5, -0.05], REFUSED, "Expected `object"),
        ("a coordinate that is a list", {"latitude": [51], "longitude": "0"}, REFUSED, "Expected `"),
    ]:
        make = partial(lambda place, folder: answer(folder, "API stops", location=place), place)
        yield Case("API stops", kind, make, outcome, says)

    for kind, changes, says in [
        ("a time that is none", {"start_date": "soon"}, "Invalid RFC3339 encoded datetime"),
        ("a time with a zone", {"start_date": "2025-06-10T19:00:00+09:00"}, "no timezone"),
        ("a date out of range", {"end_date": "2999-06-10T19:00:00"}, "not of this century"),
    ]:
        yield Case("API captures", kind, partial(lambda c, folder: captures(folder, **c), changes), REFUSED, says)
    for kind, value in {"more than its manifest counts": [EVENT, EVENT], "fewer than its manifest counts": []}.items():
        yield Case(
            "API captures",
            kind,
            partial(lambda v, folder: captures(folder, value=v), value),
            REFUSED,
            "manifest counts",
        )

    def manifest(folder: Path, content: str | bytes) -> Path:
        return captures(folder, manifest=content)

    for case in tables("captures manifest", MANIFEST, manifest):
        # A day of which nothing could be asked has no rows.
        if case.kind == "header alone":
            case = Case(case.reader, case.kind, case.make, REPORTED, "", 0)
        yield case
    for kind, content, says in [
        ("a count that is none", MANIFEST.having({"count": "many"}), "in column count"),
        ("a negative count", MANIFEST.having({"count": "-1"}), "in column count"),
        ("a fractional count", MANIFEST.having({"count": "1.5"}), "in column count"),
        ("a repeated key", MANIFEST.plus(MANIFEST.rows[1]), "each neighbourhood_id, kind once"),
        ("a row without an id", MANIFEST.having({"neighbourhood_id": ""}), "in column neighbourhood_id"),
        ("a status that is none", MANIFEST.having({"status": "perhaps"}), "one of published, none published, failed"),
        ("an id that leaves the folder", MANIFEST.having({"neighbourhood_id": ".."}), "an id that can name a folder"),
    ]:
        yield Case("captures manifest", kind, partial(manifest, content=content), REFUSED, says)


def own_cases() -> Iterator[Case]:
    yield from tables("own targets", TARGETS)
    for kind, changes, says in [
        ("decimal commas", {"target": "-10,5"}, "column target: '-10,5'; allowed: a number"),
        ("a target that is none", {"target": "nan"}, "column target"),
        ("a target past all sense", {"target": "9" * 400}, "column target"),
        ("an empty target", {"target": ""}, "a target states its number"),
        ("a period that is none", {"period": "2015-17"}, "unknown period"),
        ("a period out of range", {"period": "9999-00"}, "unknown period"),
        ("a year before all years", {"baseline_period": "0000-01"}, "unknown period"),
        ("years in reverse", {"baseline_period": "2015-16", "period": "2011-12"}, "is not before"),
        ("an area that is none", {"area": "Lewisam"}, "did you mean 'Lewisham'"),
        ("an offence that is none", {"item": "robery"}, "did you mean 'robbery'"),
        ("an area of ten thousand letters", {"area": "x" * 10_000}, "unknown borough"),
        ("nobody's target", {"target_owner": ""}, "column target_owner"),
    ]:
        yield from changed("own targets", TARGETS, [(kind, TARGETS.having(changes), REFUSED, says)])
    yield from tables("own claims", CLAIMS)
    for kind, changes, says in [
        ("decimal commas", {"percent": "-21,3"}, "a percentage as a plain number"),
        ("a number past all sense", {"percent": "9" * 400}, "a percentage as a plain number"),
        ("a fractional count", {"before": "291.5"}, "a count: a whole number"),
        ("a negative count", {"before": "-291"}, "a count: a whole number"),
        ("a kind that is none", {"kind": "trendy"}, "one of figure, target"),
        ("a check that is none", {"check": "magic"}, "one of change"),
        ("a repeated id", {"claim_id": "none"}, "each claim_id once"),
        ("an empty id", {"claim_id": ""}, "column claim_id: None"),
        ("nothing to check", {"before": "", "percent": ""}, "needs"),
        ("an id of ten thousand letters for a direction", {"direction": "x" * 10_000}, "one of fall, rise"),
    ]:
        yield from changed("own claims", CLAIMS, [(kind, CLAIMS.having(changes), REFUSED, says)])
    for reader in ("own targets", "own claims"):
        yield Case(reader, "a folder in place of a file", lambda f: f, REFUSED, "no such file")
        yield Case(reader, "a name of five thousand letters", lambda f: f / ("x" * 5000), REFUSED, "name too long")
        yield Case(reader, "a NUL in the name", lambda f: f / "a\0b.csv", REFUSED, "no such file")


def archive_cases() -> Iterator[Case]:
    body = {"a/London_Ward.shp": b"x" * 500}
    whole = zipped(body)
    lying = bytearray(zipped({"a/London_Ward.shp": bytes(5_000_000)}))
    central = lying.rindex(b"PK\x01\x02")
    struct.pack_into("<I", lying, central + 24, 1_000)  # its announced size
    huge = bytearray(zipped(body))
    struct.pack_into("<I", huge, huge.rindex(b"PK\x01\x02") + 24, 4_000_000_000)
    secret, method = bytearray(whole), bytearray(whole)
    for at in (0, whole.rindex(b"PK\x01\x02") + 2):
        struct.pack_into("<H", secret, at + 6, 1)
        struct.pack_into("<H", method, at + 8, 99)
    rotten = bytearray(zipped(body, zipfile.ZIP_STORED))
    rotten[60] ^= 1
    for kind, content, says in [
        ("truncated", whole[:-40], "not a zip file"),
        ("zero bytes", b"", "not a zip file"),
        ("HTML with status 200", HTML, "not a zip file"),
        ("Git LFS pointer", POINTER, "not a zip file"),
        ("no member", zipped({}), "no member"),
        ("zip bomb that says so", bytes(huge), "unpacks to"),
        ("zip bomb that does not", bytes(lying), "more than the 1,000|cannot be unpacked"),
        ("zip slip", zipped({"../London_Ward.shp": b"x"}), "points out of its folder"),
        ("zip slip further in", zipped({"a/../../London_Ward.shp": b"x"}), "points out of its folder"),
        ("an absolute name", zipped({"/tmp/London_Ward.shp": b"x"}), "points out of its folder"),
        ("a name of Windows", zipped({"..\\London_Ward.shp": b"x"}), "points out of its folder"),
        ("a drive in the name", zipped({"C:London_Ward.shp": b"x"}), "points out of its folder"),
        ("symlink in an archive", zipped({"London_Ward.shp": b"/etc/passwd"}, mode=0o120777), "is a link"),
        ("encrypted", bytes(secret), "encrypted"),
        ("a method nobody knows", bytes(method), "cannot be unpacked"),
        ("a flipped bit", bytes(rotten), "cannot be unpacked"),
        ("a member before the file's start", whole[:4] + whole[5:], "cannot be unpacked"),
    ]:
        yield Case(
            "archive", kind, partial(lambda c, folder: put(folder, "London-wards.zip", c), content), REFUSED, says
        )


def folder_cases() -> Iterator[Case]:
    def spoilt(folder: Path, change: Callable[[Path], Any]) -> Path:
        raw = synthetic_folder(folder / "raw")
        change(raw)
        return raw

    def copy(raw: Path, name: str, to: str) -> None:
        (raw / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(next(raw.glob(name)), raw / to)

    def wards(raw: Path, codes: list[str]) -> None:
        synthetic_crime(raw, dict.fromkeys(codes, 4), level="Ward")

    def linked(raw: Path) -> None:
        (raw / "mps/2025-04").mkdir()
        (raw / "mps/2025-04/MPS Borough Level Crime (link).csv").symlink_to(raw / "nowhere.csv")

    stops, households = "police_uk/2024-05/*.csv", "ons/census2021-ts044-ltla.csv"
    older = {"months": ["202301", "202302"], "snapshot": "2023-02", "level": "Borough"}
    for kind, change, outcome, *rest in [
        ("one file of zero bytes", lambda raw: (raw / households).write_bytes(b""), REFUSED, "zero bytes"),
        ("one file of HTML", lambda raw: (raw / households).write_bytes(HTML), REFUSED, "a web page"),
        ("a link to nothing", linked, REFUSED, "no such file"),
        ("a snapshot twice", lambda raw: copy(raw, "mps/2025-03/*Borough*", "mps/2025-03/MPS Borough Level Crime copy.csv"), REFUSED, "two files give"),
        ("a month of stops twice", lambda raw: copy(raw, stops, f"police_uk/copy/2024-05-{STOPS_NAME[8:]}"), REFUSED, "two files give May 2024"),
        ("a lookup twice", lambda raw: copy(raw, "ons/LSOA*", "ons/LSOA_(2021)_to_Electoral_Ward_(2024)_copy.csv"), REFUSED, "two files give"),
        ("wards of another vintage", lambda raw: wards(raw, ["E05000026", "E05000027"]), REFUSED, "another vintage"),
        ("two vintages in one file", lambda raw: wards(raw, THEN), REFUSED, "another vintage"),
        ("two taxonomies in one file", lambda raw: synthetic_crime(raw, {"Barnet": 5}, offences=[*offences_of(UPPER), ("BURGLARY", "BURGLARY IN A DWELLING")]), REFUSED, "one taxonomy"),
        ("two taxonomies in one folder", lambda raw: synthetic_crime(raw, {"Barnet": 5}, offences=offences_of(MARCH_2025), **older), REPORTED, "snapshot 2023-02"),
        ("a part month of stops", lambda raw: None, REPORTED, "not complete: ends on the 17th"),
        ("a stub of a month of stops", lambda raw: synthetic_stops(raw, "2024-07", [31]), REPORTED, "not complete: 1 rows"),
        ("a file of no source", lambda raw: put(raw, "holiday.jpg", b"\xff\xd8"), SAME),
        ("nothing at all", lambda raw: shutil.rmtree(raw) or raw.mkdir(), REFUSED, "at least one publisher's file"),
        ("no folder", shutil.rmtree, REFUSED, "no such folder"),
    ]:  # fmt: skip
        yield Case("raw folder", kind, partial(spoilt, change=change), outcome, *rest)

    def broken(folder: Path, change: Callable[[Path], Any]) -> Path:
        path = small_edition(folder)
        change(path)
        return path

    table = "borough_offences.parquet"
    for kind, change, says in [
        ("truncated", lambda e: (e / table).write_bytes((e / table).read_bytes()[:-9]), "SHA-256 differs"),
        ("zero bytes", lambda e: (e / table).write_bytes(b""), "SHA-256 differs"),
        ("HTML with status 200", lambda e: (e / table).write_bytes(HTML), "SHA-256 differs"),
        ("Git LFS pointer", lambda e: (e / table).write_bytes(POINTER), "SHA-256 differs"),
        ("a table missing", lambda e: (e / table).unlink(), "is missing"),
        ("no manifest", lambda e: (e / "manifest.json").unlink(), "is no edition"),
        ("a manifest of zero bytes", lambda e: (e / "manifest.json").write_bytes(b""), "is no manifest"),
        ("a manifest cut short", lambda e: (e / "manifest.json").write_text('{"tables"'), "is no manifest"),
        ("a manifest in UTF-16", lambda e: (e / "manifest.json").write_bytes("{}".encode("utf-16")), "is no manifest"),
        ("JSON that is a string", lambda e: (e / "manifest.json").write_text('"x"'), "is no manifest"),
        ("JSON that is a list", lambda e: (e / "manifest.json").write_text("[]"), "is no manifest"),
        ("deeply nested JSON", lambda e: (e / "manifest.json").write_text("[" * DEEP + "]" * DEEP), "is no manifest"),
        ("another edition's manifest", lambda e: (e / "manifest.json").write_text((e / "manifest.json").read_text().replace('"edition": "', '"edition": "0')), "is not that of the tables"),
        ("a table whose name leaves the folder", lambda e: (e / "manifest.json").write_text((e / "manifest.json").read_text().replace('"borough_offences": {', '"../borough_offences": {')), "is not that|is no manifest|is missing"),
    ]:  # fmt: skip
        yield Case("edition", kind, partial(broken, change=change), REFUSED, says)


def parameter_cases() -> Iterator[Case]:
    def setting(value: Any, default: Any = 1) -> tuple[Callable, tuple]:
        return runner._converted, ("times", value, default)

    def resolved(text: str) -> None:
        open_book(period=text)

    for kind, given, says in [
        ("an empty borough", (places.area, ("",)), "unknown borough"),
        ("a borough of ten million letters", (places.area, ("x" * 10_000_000,)), "unknown borough"),
        ("a borough of NULs and escapes", (places.area, ("\0\x1b[31m",)), "unknown borough"),
        ("a borough of broken Unicode", (places.area, ("\udcff",)), "unknown borough"),
        ("a borough that is a path", (places.area, ("../../etc",)), "unknown borough"),
        ("a borough that is a number", (places.area, (7,)), "unknown borough"),
        ("a year that is none", (resolved, ("0000-01",)), "unknown period"),
        ("a year of four nines", (resolved, ("9999-00",)), "unknown period"),
        ("a year not covered", (resolved, ("1999-00",)), "unknown period"),
        ("years that do not follow", (resolved, ("2024-26",)), "unknown period"),
        ("a month that is none", (fetch.month, ("2024-13",)), "unknown month"),
        ("a month past all sense", (fetch.month, ("9999-12",)), "unknown month"),
        ("a source that is none", (fetch.choose, (["nosuch"],)), "unknown source"),
        ("a whole number that is none", setting("three"), "takes a whole number"),
        ("a whole number of five thousand digits", setting("9" * 5000), "takes a whole number"),
        ("an infinite number", setting("1e999", 0.5), "takes a number"),
        ("a number that is none", setting("nan", 0.5), "takes a number"),
        ("a text for yes or no", setting("maybe", True), "takes true or false"),
        ("a list", setting([1]), "takes a whole number"),
        ("a file that is not there", (runner._converted, ("own_file", "no/such.csv", "")), "no such file"),
        ("a file whose name has a NUL", (runner._converted, ("own_file", "a\0b", "")), "no such file"),
        ("a file whose name is too long", (runner._converted, ("own_file", "x" * 5000, "")), "no such file"),
    ]:
        yield Case("parameters", kind, partial(lambda given, folder: given, given), REFUSED, says)


@cache
def cases() -> tuple[Case, ...]:
    """Every case, in the table's order."""
    made = (
        crime_cases,
        stops_cases,
        survey_cases,
        ons_cases,
        hours_cases,
        thorough_cases,
        api_cases,
        own_cases,
        archive_cases,
        folder_cases,
    )
    return tuple(case for make in (*made, parameter_cases) for case in make())


def table() -> str:
    """The corpus as README.md shows it."""
    words = {SAME: "read as if nothing were wrong", REFUSED: "refused", REPORTED: "read and reported"}
    rows = [
        f"| {c.reader} | {c.kind} | {words[c.outcome]}{': ' + c.says.replace('|', ' or ') if c.says else ''} |"
        for c in sorted(cases(), key=lambda case: list(READERS).index(case.reader))
    ]
    return "\n".join(["| reader | what is wrong | what must happen |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(table())
