"""Readers for answers of the data.police.uk API: stops, street-level crimes, and captures of events and priorities.

The API lists only *upcoming* events and *current* priorities, so a history exists only as far as it was captured, and a
neighbourhood with none published must be told from one that was not asked: `wardbook fetch --source engagement` writes a
manifest for each day, and `read_captures` goes by it and opens nothing that it does not name.

No free text is kept. Titles and descriptions name people in more ways than any pattern knows, so a text is only looked
through for the words of a fixed list of kinds, and what is kept is the kind's own wording from that list (`kind_of`): no
word of the publisher's can come along. That is done twice, when an answer is stored (`stored`) and when it is read, and no
error repeats an answer's values. `people` is never asked for.
"""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
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
_CAPTURED = {"neighbourhood_id": pl.String, "ward_code": pl.String, "capture_date": pl.Date}
EVENTS_SCHEMA = pl.Schema(
    _CAPTURED
    | {"start": pl.Datetime("us", "Europe/London"), "end": pl.Datetime("us", "Europe/London")}
    | dict.fromkeys(("type", "title"), pl.String)
)
PRIORITIES_SCHEMA = pl.Schema(_CAPTURED | {"issue_date": pl.Date, "action_date": pl.Date, "issue": pl.String})
CAPTURES_SCHEMA = pl.Schema(_CAPTURED | {"kind": pl.String, "status": pl.String, "count": pl.Int64})
PUBLISHED, NONE_PUBLISHED, FAILED = STATUSES = ("published", "none published", "failed")
KINDS = ("events", "priorities")
MANIFEST = "captures.csv"
OTHER = "other"

# The kinds of event and of priority, each with the words that tell it; a text is of the kind whose words it has first.
# Each kind's own name is among its words: what is stored is read again, and must stay what it is.
EVENT_KINDS = {
    "ward panel meeting": r"(?:ward|neighbourhood) panel|panel meeting|ward meeting",
    "street briefing": r"street.?brief",
    "drop-in surgery": r"drop.?in|surger(?:y|ies)|contact point|coffee|cuppa|tea with",
    "crime-prevention stall": r"crime.?prevention|\bstall|marking|(?:bike|phone|property) (?:mark|regist)",
    "online meeting": r"on.?line|virtual|zoom|webinar|(?:microsoft|ms) teams",
}
PRIORITY_KINDS = {
    "violence against women and girls": r"violence against women|women'?s safety|vawg|domestic (?:abuse|violence)",
    "anti-social behaviour": r"anti.?social|\basb\b|street drink|begg(?:ing|ars)|noise|nuisance|rough sleep",
    "drugs": r"drugs?\b|cannabis|nitrous|crack (?:house|cocaine)",
    "burglary": r"burglar",
    "robbery": r"robber|mugg",
    "vehicle crime": r"(?:motor.?)?vehicle (?:crime|theft)|theft (?:of|from) (?:motor.?)?vehicle|catalytic|car crime",
    "theft": r"shop.?lift|theft|thie(?:f|ves)|snatch|steal|stolen|pickpocket",
    "violence": r"violen|weapon|knife|kniv|stabb|gang",
    "road safety": r"speeding|road safety|traffic|parking|e-?scooter|dangerous driv",
}
# What the words stand in, and the times beside it; contact details, places, links and whatever is added one day are not
# looked at.
_TEXTS = {"events": ("title", "type"), "priorities": ("issue",)}
_TIMES = {"events": ("start_date", "end_date"), "priorities": ("issue-date", "action-date")}
_NUMBERS = dict.fromkeys(("latitude", "longitude"), (str, int, float))
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


def kind_of(text: str | None, kinds: Mapping[str, str]) -> str:
    """The kind whose words come first in a published text, in the list's own wording; `OTHER` where none do.

    Parameters
    ----------
    text : as published: HTML, with entities, or nothing.
    kinds : `EVENT_KINDS` or `PRIORITY_KINDS`.
    """
    plain = re.sub(r"<[^>]*>", " ", html.unescape(text or "")).casefold()
    at = {kind: match.start() for kind, words in kinds.items() if (match := re.search(words, plain))}
    return min(at, key=at.__getitem__, default=OTHER)


def _title(text: str | None, kinds: Mapping[str, str]) -> str | None:
    plain = " ".join((text or "").casefold().split())
    return next((kind for kind in kinds if kind == plain), None)


def stored(kind: str, answer: object, path: Path | str) -> list[dict]:
    """What of an answer may be written to disk: its times, and the kind of each event or priority; no text of it.

    An event's `type` is its kind and its `title` the same where the published title is that kind's name and nothing else;
    a priority's `issue` is its kind. What is returned is of the answer's shape: read again, it stays as it is.

    Raises
    ------
    SourceError
        for an answer of another shape, naming its keys and never its values.
    """
    texts, times = _TEXTS[kind], _TIMES[kind]
    if not isinstance(answer, list):
        raise SourceError(path, f"a list of {kind}", _shape(answer))
    for record in answer:
        if not isinstance(record, dict) or times[0] not in record:
            raise SourceError(path, f"a key {times[0]!r} in each of the {kind}", _shape(record))
        check_record(record, path, dict.fromkeys(texts + times, (str,)))
        for name in times:
            if record.get(name) and not _is_local_time(record[name]):
                raise SourceError(path, f"a time without a zone, such as 2025-06-10T19:00:00, under {name!r}", "none")
    return [_kinds(kind, record) | {name: _iso(record.get(name)) for name in times} for record in answer]


def _kinds(kind: str, record: dict) -> dict[str, str | None]:
    if kind == "priorities":
        return {"issue": kind_of(record.get("issue"), PRIORITY_KINDS)}
    text = " ".join(record.get(name) or "" for name in _TEXTS[kind])
    return {"type": kind_of(text, EVENT_KINDS), "title": _title(record.get("title"), EVENT_KINDS)}


def _iso(time: str | None) -> str | None:
    # Written anew: what separates the day from the hour in a published time can be any character.
    return datetime.fromisoformat(time).isoformat(timespec="seconds") if time else None


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
    # Captures of before asked for the neighbourhood itself too: its name and description, which nothing reads.
    table = table.filter(pl.col("kind").ne_missing("neighbourhood"))
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
    """Events of one capture, as `stored` has them (`EVENTS_SCHEMA`); an event without an end keeps a null one."""
    names = {"start_date": "start", "end_date": "end", "type": "type", "title": "title"}
    return _tidy(records, key, names, EVENTS_SCHEMA, {"start": _local("start"), "end": _local("end")})


def tidy_priorities(records: list[dict], key: tuple[str, str | None, date]) -> pl.DataFrame:
    """Priorities of one capture, as `stored` has them (`PRIORITIES_SCHEMA`); without an action, its day is null."""
    names = {"issue-date": "issue_date", "action-date": "action_date", "issue": "issue"}
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
            if row["status"] == PUBLISHED:
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
        pl.concat(events).sort(*order, "start", "type", "end"),
        pl.concat(priorities).sort(*order, "issue_date", "issue", "action_date"),
        pl.DataFrame(captures, schema=CAPTURES_SCHEMA, orient="row").sort(*order, "kind"),
    )
