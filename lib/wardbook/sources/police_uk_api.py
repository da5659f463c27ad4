"""Readers for answers of the data.police.uk API: stops, street-level crimes, neighbourhoods and captures of them.

The API lists only *upcoming* events and *current* priorities, so a history exists only as far as it was captured, and a
neighbourhood with none published must be told from one that was not asked: `wardbook fetch --source engagement` writes a
manifest for each day, and `read_captures` goes by it and opens nothing that it does not name.

Persons are left out twice, when an answer is stored (`stored`) and when it is read. Keys are taken by a list of what is
wanted, so a key that names somebody cannot come along, and no error repeats an answer's values. `people` is never asked
for. In free text a name is known only by the rank before it; one without a rank cannot be told from any other word.
"""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import polars as pl

from wardbook.sources import police_uk
from wardbook.sources.reading import Loaded, Quality, SourceError, check_file, check_record, read_text_table

CRIMES_SCHEMA = pl.Schema(
    {
        "id": pl.Int64,
        "month": pl.Date,
        "category": pl.String,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
        "street_id": pl.Int64,
        "street": pl.String,
        "police": pl.String,
        "outcome": pl.String,
        "outcome_month": pl.Date,
    }
)
NEIGHBOURHOODS_SCHEMA = pl.Schema(
    {
        "neighbourhood_id": pl.String,
        "ward_code": pl.String,
        "name": pl.String,
        "description": pl.String,
        "population": pl.Int64,
        "latitude": pl.Float64,
        "longitude": pl.Float64,
    }
)
_CAPTURED = {"neighbourhood_id": pl.String, "ward_code": pl.String, "capture_date": pl.Date}
EVENTS_SCHEMA = pl.Schema(
    _CAPTURED
    | {"start": pl.Datetime("us", "Europe/London"), "end": pl.Datetime("us", "Europe/London")}
    | dict.fromkeys(("type", "title", "description"), pl.String)
)
PRIORITIES_SCHEMA = pl.Schema(
    _CAPTURED | {"issue_date": pl.Date, "action_date": pl.Date, "issue": pl.String, "action": pl.String}
)
CAPTURES_SCHEMA = pl.Schema(_CAPTURED | {"kind": pl.String, "status": pl.String, "count": pl.Int64})
PUBLISHED, NONE_PUBLISHED, FAILED = STATUSES = ("published", "none published", "failed")
KINDS = ("neighbourhood", "events", "priorities")
MANIFEST = "captures.csv"

# What is kept of each answer; contact details, links, premises and whatever is added one day are not.
_KEPT = {
    "neighbourhood": ("id", "name", "description", "population", "centre"),
    "events": ("title", "type", "description", "start_date", "end_date"),
    "priorities": ("issue", "issue-date", "action", "action-date"),
}
_KINDS_OF = {
    "neighbourhood": {"id": (str,), "name": (str,), "description": (str,), "population": (str, int), "centre": (dict,)},
    "events": dict.fromkeys(_KEPT["events"], (str,)),
    "priorities": dict.fromkeys(_KEPT["priorities"], (str,)),
}
_TIMES = ("start_date", "end_date", "issue-date", "action-date")
_NUMBERS = dict.fromkeys(("latitude", "longitude"), (str, int, float))
_RANK = (
    r"(?:acting |temporary |detective |chief |special |police |dedicated ward |t/|a/|d/)*"
    r"(?:constable|sergeant|sgt|inspector|insp|superintendent|supt|commander|officer|"
    r"community support officer|pcso|pcsos|dwo|tdc|pcs|pc|ps|sc|dc|ds|dci|di|ci)"
)
# A rank, perhaps a number, then one to four words with a capital: the words and the number go, the rank stays.
_NAMED = re.compile(
    rf"(?<!\w)(?P<rank>(?i:{_RANK}))\b\.?(?:[ \t]+\d+\w*\b)?"
    r"(?:(?:,|[ \t]+(?:and|&))?[ \t]+(?:[A-Z]\.?(?=[ \t,.])|[A-Z][\w'’-]+)){1,4}"
)
_CALLED = re.compile(r"(?<!\w)(?:Mr|Mrs|Miss|Ms|Dr|Cllr|Councillor|Sir|Rev)\b\.?(?:[ \t]+[A-Z][\w'’-]*\.?){1,3}")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_BLOCKS = {"p", "br", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6"}
_CSV_HEADERS = {
    "Type": "type",
    "Date": "datetime",
    "Part of a policing operation": "operation",
    "Policing operation": "operation_name",
    "Gender": "gender",
    "Age range": "age_range",
    "Self-defined ethnicity": "self_defined_ethnicity",
    "Officer-defined ethnicity": "officer_defined_ethnicity",
    "Legislation": "legislation",
    "Object of search": "object_of_search",
    "Outcome": "outcome",
    "Outcome linked to object of search": "outcome_linked_to_object_of_search",
    "Removal of more than just outer clothing": "removal_of_more_than_outer_clothing",
}


_CRIME_KINDS = {
    **{"id": (int,), "month": (str,), "category": (str,), "location_type": (str,)},
    **{"location": (dict,), "outcome_status": (dict,)},
}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style") and self.hidden > 0
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def plain_text(published: str | None) -> str | None:
    """HTML reduced to its text, one line a block, entities resolved, officers' names and addresses left out; null if empty."""
    if not published:
        return None
    parser = _Text()
    parser.feed(str(published))
    parser.close()
    lines = (" ".join(line.split()) for line in html.unescape("".join(parser.parts)).splitlines())
    text = without_names("\n".join(line for line in lines if line))
    return text or None


def without_names(text: str) -> str:
    """Free text with a named officer reduced to the rank, a titled person to "[name]" and an e-mail address to "[address]"."""
    text = _ADDRESS.sub("[address]", text)
    return _CALLED.sub("[name]", _NAMED.sub(lambda match: f"{match['rank']} [name]", text))


def stored(kind: str, answer: object, path: Path | str) -> list | dict:
    """What of an answer may be written to disk: the keys that are wanted, texts plain and without names.

    Raises
    ------
    SourceError
        for an answer of another shape, naming its keys and never its values.
    """
    records = answer if isinstance(answer, list) else [answer]
    kept = _KEPT[kind]
    must = {"neighbourhood": "id", "events": "start_date", "priorities": "issue-date"}[kind]
    if isinstance(answer, list) == (kind == "neighbourhood"):
        raise SourceError(path, f"{'one object' if kind == 'neighbourhood' else 'a list'} of {kind}", _shape(answer))
    for record in records:
        if not isinstance(record, dict) or must not in record:
            raise SourceError(path, f"a key {must!r} in each of the {kind}", _shape(record))
        check_record(record, path, _KINDS_OF[kind])
        check_record(record.get("centre") or {}, path, _NUMBERS)
        for name in _TIMES:
            if record.get(name) and not _is_local_time(record[name]):
                raise SourceError(path, f"a time without a zone, such as 2025-06-10T19:00:00, under {name!r}", "none")
        if kind == "neighbourhood" and not record["id"]:
            raise SourceError(path, "an id of one letter or more", "none")
    texts = {"name", "title", "type", "description", "issue", "action"}
    tidy = [{key: plain_text(r[key]) if key in texts else r[key] for key in kept if key in r} for r in records]
    return tidy if isinstance(answer, list) else tidy[0]


def _is_local_time(text: str) -> bool:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return False
    return time.tzinfo is None and 2000 <= time.year < 2100


def _month(text: str, path: Path) -> date:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        raise SourceError(path, "a month such as 2024-06", repr(text))
    return date.fromisoformat(f"{text}-01")


def _shape(answer: object) -> str:
    if isinstance(answer, dict):
        return f"an object with the keys {', '.join(sorted(map(str, answer))[:12]) or '(none)'}"
    return f"a list of {len(answer)}" if isinstance(answer, list) else f"a {type(answer).__name__}"


def read_json(path: Path | str) -> list | dict:
    """A JSON document, refused where it is an error page, cut short, or not in UTF-8."""
    path = check_file(path, "json")
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # the decoder's own text can quote the file
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a byte that is not UTF-8"
        raise SourceError(path, "a JSON document", f"something else from {where} (cut short?)") from None


def _number(text: object) -> float | None:
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return value if abs(value) <= 180 else None


def coordinates(place: dict | None) -> tuple[float | None, float | None]:
    """Latitude and longitude of a place in degrees; both null where either is null, missing or not a number."""
    pair = tuple(_number((place or {}).get(name)) for name in ("latitude", "longitude"))
    return (None, None) if None in pair else pair  # type: ignore[return-value]


def ward_of(neighbourhood_id: str) -> str | None:
    """The ward whose code an id carries (`E05013806N`); null for the others, since ids are opaque (`00BKX6`, `NC04`)."""
    match = re.fullmatch(r"(E05\d{6})N?", neighbourhood_id)
    return match[1] if match else None


class NotPublished(SourceError):
    """An empty answer of `stops-force`: the month is not published. Missing is not zero."""


def read_stops(path: Path | str) -> Loaded:
    """Stops and searches from an answer of `stops-force`, saved as FORCE-YYYY-MM.json, as `police_uk.read_stops` has them.

    `line` is the record's place in the answer, counted from 1.

    Raises
    ------
    NotPublished
        for an empty answer.
    """
    path = Path(path)
    match = re.fullmatch(r"([a-z-]+)-(\d{4})-(0[1-9]|1[0-2])\.json", path.name)
    if not match:
        raise SourceError(path, "a name like metropolitan-2024-09.json", repr(path.name))
    answer = read_json(path)
    if not isinstance(answer, list) or not all(isinstance(r, dict) and "datetime" in r for r in answer):
        raise SourceError(path, "a list of stops, each with a datetime", _shape(answer))
    if not answer:
        raise NotPublished(path, "a stop or more", "an empty answer: the month is not published")
    for r in answer:
        check_record(r, path, dict.fromkeys(_CSV_HEADERS.values(), (str, bool)) | {"location": (dict,)})
        check_record(r.get("location") or {}, path, _NUMBERS)
    text = {True: "True", False: "False", None: None}
    cells = [
        {ours: text.get(r.get(theirs), r.get(theirs)) for ours, theirs in _CSV_HEADERS.items()}
        | {name.capitalize(): (r.get("location") or {}).get(name) for name in ("latitude", "longitude")}
        for r in answer
    ]
    schema = dict.fromkeys([*_CSV_HEADERS, "Latitude", "Longitude"], pl.String)
    table = pl.DataFrame(cells, schema=schema, strict=False).with_row_index("line", offset=1)
    return police_uk.tidy_stops(table, path, date(int(match[2]), int(match[3]), 1), match[1])


def read_crimes(paths: Iterable[Path | str]) -> Loaded:
    """Street-level crimes from the answers of `crimes-street` for several areas, each crime once.

    The same crime can be in two neighbouring areas' answers (133 of 4,952 in the first two boroughs tried): `id` tells.
    An area without any crime answers with an empty list; if none has one, the month is not published.

    Returns
    -------
    Loaded
        `CRIMES_SCHEMA`, sorted by id; coordinates in degrees, null where they are not numbers. `police` is Force or BTP.
    """
    paths = [Path(path) for path in paths]
    rows: dict[int, tuple] = {}
    quality = Quality(str(paths[0].parent) if paths else "", "police-uk-street")
    for path in paths:
        answer = read_json(path)
        if not isinstance(answer, list) or not all(isinstance(r, dict) and {"id", "month"} <= set(r) for r in answer):
            raise SourceError(path, "a list of crimes, each with an id and a month", _shape(answer))
        for r in answer:
            check_record(r, path, _CRIME_KINDS)
            place, outcome = r.get("location") or {}, r.get("outcome_status") or {}
            check_record(place, path, _NUMBERS | {"street": (dict,)})
            check_record(outcome, path, {"category": (str,), "date": (str,)})
            street = place.get("street") or {}
            check_record(street, path, {"id": (int,), "name": (str,)})
            if r["id"] is None or r["month"] is None or max(abs(r["id"]), abs(street.get("id") or 0)) >= 1 << 63:
                raise SourceError(path, "a month, and ids that are whole numbers of a sane size", "a crime without")
            ended = outcome.get("date")
            row = (
                *(r["id"], _month(r["month"], path), r.get("category"), *coordinates(place)),
                *(street.get("id"), html.unescape(street.get("name") or "") or None, r.get("location_type")),
                *(outcome.get("category"), _month(ended, path) if ended else None),
            )
            if rows.setdefault(r["id"], row)[:3] != row[:3]:
                raise SourceError(path, "one crime an id", f"id {r['id']} with another month or category")
        quality.rows_read += len(answer)
    if not rows:
        raise SourceError(paths[0] if paths else "", "a crime or more", "empty answers: the month is not published")
    frame = pl.DataFrame(list(rows.values()), schema=CRIMES_SCHEMA, orient="row").sort("id")
    quality.drop("the same crime in a neighbouring area's answer", quality.rows_read - frame.height)
    police_uk.note_places(frame, quality)
    return Loaded(frame, quality.close(frame.height))


def read_neighbourhoods(paths: Iterable[Path | str]) -> Loaded:
    """Neighbourhoods from one answer a file, or from a list of references: `NEIGHBOURHOODS_SCHEMA`, sorted by id.

    `population` is published as text; "0" and what is no number are null. Names may hold HTML entities.
    """
    rows: dict[str, tuple] = {}
    paths, count = list(paths), 0
    for path in paths:
        answer = read_json(path)
        for record in answer if isinstance(answer, list) else [answer]:
            r = stored("neighbourhood", record, path)
            people = str(r.get("population") or "")
            residents = int(people) if re.fullmatch(r"[0-9]{1,9}", people) and int(people) else None
            named = (r["id"], ward_of(r["id"]), r.get("name"), r.get("description"))
            row = (*named, residents, *coordinates(r.get("centre")))
            count += 1
            if rows.setdefault(r["id"], row) != row:
                raise SourceError(path, "one neighbourhood an id", f"two with the id {r['id']!r}")
    if not rows:
        raise SourceError(paths[0] if paths else "", "a neighbourhood or more", "an empty answer")
    frame = pl.DataFrame(list(rows.values()), schema=NEIGHBOURHOODS_SCHEMA, orient="row").sort("neighbourhood_id")
    quality = Quality(str(paths[0]), "police-uk-engagement", rows_read=count)
    quality.drop("the same neighbourhood again", count - frame.height)
    police_uk.note_places(frame, quality)
    return Loaded(frame, quality.close(frame.height))


@dataclass(frozen=True)
class Captures:
    """What was captured: `events` (EVENTS_SCHEMA), `priorities` (PRIORITIES_SCHEMA) and `captures` (CAPTURES_SCHEMA).

    `captures` has a row for each neighbourhood, day and kind that was asked for, `status` saying published, none published
    or failed; a neighbourhood and day without a row was not asked.
    """

    events: pl.DataFrame
    priorities: pl.DataFrame
    captures: pl.DataFrame


def answer_path(day: Path, neighbourhood_id: str, kind: str) -> Path:
    """Where a day's folder keeps an answer; an id is opaque, so whatever is no plain character is escaped."""
    folder = quote(neighbourhood_id, safe="")
    if folder.strip(".") == "":
        raise SourceError(day, "an id that can name a folder", repr(neighbourhood_id))
    return day / folder / f"{kind}.json"


def read_manifest(day: Path) -> list[dict[str, str]]:
    """The rows of a day's manifest: `neighbourhood_id`, `kind`, `status`, `count`; none where there is no manifest."""
    path = day / MANIFEST
    if not path.is_file():
        return []
    table = read_text_table(path)
    if table.columns != ["neighbourhood_id", "kind", "status", "count"]:
        raise SourceError(path, "columns neighbourhood_id, kind, status, count", ", ".join(table.columns))
    strange = table.filter(~(pl.col("status").is_in(STATUSES) & pl.col("kind").is_in(KINDS)))
    if strange.height:
        raise SourceError(path, f"one of {', '.join(STATUSES)} for {', '.join(KINDS)}", "another status or kind")
    key = table.select("neighbourhood_id", "kind")
    if table["neighbourhood_id"].has_nulls() or key.is_duplicated().any():
        raise SourceError(path, "each neighbourhood and kind once", "one twice, or a row without a neighbourhood")
    if not table["count"].fill_null("0").str.contains(r"^[0-9]{1,6}$").all():
        raise SourceError(path, "counts of 0 or more, whole", "another count")
    return table.to_dicts()


def write_manifest(day: Path, rows: Iterable[dict]) -> None:
    """Replace a day's manifest as a whole, sorted, so that a capture broken off and taken up again ends the same."""
    work = day / f".{MANIFEST}"
    with work.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, ["neighbourhood_id", "kind", "status", "count"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["neighbourhood_id"], row["kind"])))
    work.replace(day / MANIFEST)


def _local(column: str) -> pl.Expr:
    # Published without a time zone: a meeting at 19:00 is at 19:00 in London.
    time = pl.col(column).str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    return time.dt.replace_time_zone("Europe/London", ambiguous="earliest", non_existent="null")


def _day(column: str) -> pl.Expr:
    return pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)


def tidy_events(records: list[dict], key: tuple[str, str | None, date]) -> pl.DataFrame:
    """Events of one capture (`EVENTS_SCHEMA`); an event without an end keeps a null one."""
    names = {"start_date": "start", "end_date": "end", "type": "type", "title": "title", "description": "description"}
    return _tidy(records, key, names, EVENTS_SCHEMA, {"start": _local("start"), "end": _local("end")})


def tidy_priorities(records: list[dict], key: tuple[str, str | None, date]) -> pl.DataFrame:
    """Priorities of one capture (`PRIORITIES_SCHEMA`); without an action, both of its columns are null."""
    names = {"issue-date": "issue_date", "action-date": "action_date", "issue": "issue", "action": "action"}
    days = {name: _day(name) for name in ("issue_date", "action_date")}
    return _tidy(records, key, names, PRIORITIES_SCHEMA, days)


def _tidy(records: list[dict], key: tuple, names: dict, schema: pl.Schema, parsed: dict) -> pl.DataFrame:
    rows = [{ours: r.get(theirs) for theirs, ours in names.items()} for r in records]
    table = pl.DataFrame(rows, schema=dict.fromkeys(names.values(), pl.String), strict=False).with_columns(**parsed)
    keyed = table.with_columns(pl.lit(v, dtype=t).alias(n) for v, (n, t) in zip(key, _CAPTURED.items()))
    return keyed.select(schema.names()).cast(dict(schema))


def read_captures(raw: Path | str) -> Captures:
    """Every capture below a raw folder, day by day, as the manifests name them; nothing else that lies there is opened.

    Raises
    ------
    SourceError
        for an answer that its manifest names and that is missing, cut short or of another shape.
    """
    events, priorities, captures = [EVENTS_SCHEMA.to_frame()], [PRIORITIES_SCHEMA.to_frame()], []
    for manifest in sorted(Path(raw).glob(f"police_uk_api/engagement/*/{MANIFEST}")):
        try:
            captured = date.fromisoformat(manifest.parent.name)
        except ValueError:
            raise SourceError(manifest, "a folder named by the day (YYYY-MM-DD)", repr(manifest.parent.name)) from None
        for row in read_manifest(manifest.parent):
            key = (row["neighbourhood_id"], ward_of(row["neighbourhood_id"]), captured)
            captures.append((*key, row["kind"], row["status"], int(row["count"] or 0)))
            if row["status"] == PUBLISHED and row["kind"] != "neighbourhood":
                path = answer_path(manifest.parent, row["neighbourhood_id"], row["kind"])
                records = stored(row["kind"], read_json(path), path)
                if len(records) != int(row["count"] or 0):
                    raise SourceError(path, f"the {row['count']} {row['kind']} its manifest counts", f"{len(records)}")
                if row["kind"] == "events":
                    events.append(tidy_events(records, key))
                else:
                    priorities.append(tidy_priorities(records, key))
    order = ["capture_date", "neighbourhood_id"]
    return Captures(
        pl.concat(events).sort(*order, "start", "title", "description"),
        pl.concat(priorities).sort(*order, "issue_date", "issue", "action_date"),
        pl.DataFrame(captures, schema=CAPTURES_SCHEMA, orient="row").sort(*order, "kind"),
    )
