"""Readers for answers of the data.police.uk API: stops, and captures of events and priorities.

The API lists only *upcoming* events and *current* priorities, so a history exists only as far as it was captured, and a
neighbourhood with none published must be told from one that was not asked: `wardbook fetch --source engagement` writes a
manifest for each day, and `read_captures` goes by it and opens nothing that it does not name.

No free text is kept. Titles and descriptions name people in more ways than any pattern knows, so a text is only looked
through for the words of a fixed list of kinds, and what is kept is the kind's own wording from that list (`kind_of`): no
word of the publisher's can come along. `Event` and `Priority` do that as they are decoded, both when an answer is stored
and when it is read, and no error repeats an answer's values. `people` is never asked for.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import dataframely as dy
import msgspec
import polars as pl

from wardbook.sources import police_uk, reading
from wardbook.sources.reading import Loaded, Quality, SourceError

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


def _one_of(names: Iterable[str], **more: bool) -> dy.String:
    names = list(names)
    allowed = f"one of {', '.join(names)}{' or nothing' if more.get('nullable') else ''}"
    return dy.String(regex=f"^({'|'.join(map(re.escape, names))})$", description=allowed, **more)


def _ward() -> dy.String:
    return dy.String(nullable=True, regex=r"^E05\d{6}$", description="the GSS code of a ward")


def _time() -> dy.Datetime:
    return dy.Datetime(time_zone="Europe/London", time_unit="us", nullable=True)


class Engagement(dy.Schema):
    """A row is an event as listed on a day; two may look alike."""

    ward_code = _ward()
    neighbourhood_id = dy.String(min_length=1)
    capture_date = dy.Date()
    start = _time()
    end = _time()
    # No text of the publisher's: it may name a person in a way that nobody foresaw.
    type = _one_of([*EVENT_KINDS, OTHER])
    title = _one_of(EVENT_KINDS, nullable=True)


class Priorities(dy.Schema):
    """A row is a priority as listed on a day; two may look alike."""

    ward_code = _ward()
    neighbourhood_id = dy.String(min_length=1)
    capture_date = dy.Date()
    issue_date = dy.Date(nullable=True)
    action_date = dy.Date(nullable=True)
    issue = _one_of([*PRIORITY_KINDS, OTHER])


class EngagementCaptures(dy.Schema):
    """A row is a neighbourhood × day × what was asked for."""

    neighbourhood_id = dy.String(primary_key=True, min_length=1)
    ward_code = _ward()
    capture_date = dy.Date(primary_key=True)
    kind = _one_of(KINDS, primary_key=True)
    status = _one_of(STATUSES)
    count = dy.Int64(min=0)


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


# Published without a time zone: a meeting at 19:00 is at 19:00 in London.
_LocalTime = Annotated[datetime, msgspec.Meta(tz=False)]


class Event(msgspec.Struct):
    """An event, as answered and as stored: its times, its kind as `type`, and a `title` where that is a kind's name alone.

    Whatever else an answer holds (contact details, places, links) is not looked at.
    """

    start_date: _LocalTime | None
    end_date: _LocalTime | None = None
    type: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        _check_years(self.start_date, self.end_date)
        self.type = kind_of(f"{self.title or ''} {self.type or ''}", EVENT_KINDS)
        title = " ".join((self.title or "").casefold().split())
        self.title = title if title in EVENT_KINDS else None


class Priority(msgspec.Struct, rename="kebab"):
    """A priority, as answered and as stored: its days, and its kind as `issue`."""

    issue_date: _LocalTime | None
    action_date: _LocalTime | None = None
    issue: str | None = None

    def __post_init__(self) -> None:
        _check_years(self.issue_date, self.action_date)
        self.issue = kind_of(self.issue, PRIORITY_KINDS)


def _check_years(*times: datetime | None) -> None:
    if not all(2000 <= time.year < 2100 for time in times if time):
        raise ValueError("a time that is not of this century")


_ANSWERS = {"events": list[Event], "priorities": list[Priority]}


_PLACED = ("time", "latitude", "longitude")


class _Place(msgspec.Struct):
    latitude: str | float | None = None
    longitude: str | float | None = None


# Under the files' names in the API's own spelling; time and place are answered in another way.
_NAMED = [
    reading.plain(names[-1]) for ours, names in reading.published(police_uk.StopRows).items() if ours not in _PLACED
]
_Stop = msgspec.defstruct(
    "_Stop",
    [
        ("datetime", str),
        *((name, str | bool | None, None) for name in ("operation", "operation_name", *_NAMED)),
        ("location", _Place | None, None),
    ],
)


def _decode(body: bytes, kind: Any, path: Path | str) -> Any:
    try:
        return msgspec.json.decode(body.decode("utf-8-sig"), type=kind)
    except (ValueError, RecursionError) as error:  # its text names keys and types, no values
        found = f"another, or one cut short ({error})"
        raise SourceError(path, "a JSON answer of the documented shape", found) from None


def read_json(path: Path | str, kind: Any = list) -> Any:
    """A JSON answer of this type, refused where it is an error page, cut short, or of another shape."""
    return _decode(reading.check_file(path, "json").read_bytes(), kind, path)


def stored(kind: str, body: bytes, path: Path | str) -> list[Event] | list[Priority]:
    """What of an answer of this kind may be written to disk; encoded and read again, it stays as it is.

    Raises
    ------
    SourceError
        for an answer of another shape, naming its keys and never its values.
    """
    return _decode(body, _ANSWERS[kind], path)


def ward_of(neighbourhood_id: str) -> str | None:
    """The ward whose code an id carries (`E05013806N`); null for the others, since ids are opaque (`00BKX6`, `NC04`)."""
    match = re.fullmatch(r"(E05\d{6})N?", neighbourhood_id)
    return match[1] if match else None


def read_stops(path: Path | str) -> Loaded:
    """Stops and searches from an answer of `stops-force`, saved as FORCE-YYYY-MM.json, as `police_uk.read_stops` has them.

    `line` is the record's place in the answer, counted from 1. An empty answer is a month that is not published, which the
    account says: missing is not zero.
    """
    path = Path(path)
    match = re.fullmatch(r"([a-z-]+)-(\d{4})-(0[1-9]|1[0-2])\.json", path.name)
    if not match:
        raise SourceError(path, "a name like metropolitan-2024-09.json", repr(path.name))
    answer = read_json(path, list[_Stop])
    if not answer:
        quality = Quality(str(path))
        quality.note("an empty answer: the month is not published", 1)
        return Loaded(police_uk.STOPS_SCHEMA.to_frame(), quality)
    columns = {name: [getattr(stop, name) for stop in answer] for name in _Stop.__struct_fields__ if name != "location"}
    places = [stop.location or _Place() for stop in answer]
    columns |= {name: [getattr(place, name) for place in places] for name in _Place.__struct_fields__}
    cells = {name: [value if value is None else str(value) for value in values] for name, values in columns.items()}
    table = pl.DataFrame(cells, dict.fromkeys(cells, pl.String)).with_row_index("line", offset=1)
    return police_uk.tidy_stops(table, path, date(int(match[2]), int(match[3]), 1), match[1])


@dataclass(frozen=True)
class Captures:
    """What was captured: `events` (`Engagement`), `priorities` (`Priorities`) and `captures` (`EngagementCaptures`).

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


class _Manifest(dy.Schema):
    """A row is an answer that was asked for, and what came of it."""

    neighbourhood_id = dy.String(primary_key=True, min_length=1)
    kind = dy.Enum(KINDS, primary_key=True)
    status = dy.Enum(STATUSES)
    count = dy.Int64(min=0, max=999_999, nullable=True)


def read_manifest(day: Path) -> list[dict[str, Any]]:
    """The rows of a day's manifest: `neighbourhood_id`, `kind`, `status`, `count`; none where there is no manifest."""
    path = day / MANIFEST
    if not path.is_file():
        return []
    rows, quality = reading.open_rows(reading.read_text_table(path), path, reading.published(_Manifest))
    return reading.read_typed(rows, _Manifest, quality).to_dicts()


def write_manifest(day: Path, rows: Iterable[dict]) -> None:
    """Replace a day's manifest as a whole, sorted, so that a capture broken off and taken up again ends the same."""
    work, columns = day / f".{MANIFEST}", dict.fromkeys(_Manifest.columns(), pl.String)
    pl.DataFrame(list(rows), columns, strict=False).sort("neighbourhood_id", "kind").write_csv(work)
    work.replace(day / MANIFEST)


def read_captures(raw: Path | str) -> Captures:
    """Every capture below a raw folder, day by day, as the manifests name them; nothing else that lies there is opened.

    Raises
    ------
    SourceError
        for an answer that its manifest names and that is missing, cut short or of another shape.
    """
    captures, rows = [], {kind: [] for kind in KINDS}
    for manifest in sorted(Path(raw).glob(f"police_uk_api/engagement/*/{MANIFEST}")):
        try:
            captured = date.fromisoformat(manifest.parent.name)
        except ValueError:
            raise SourceError(manifest, "a folder named by the day (YYYY-MM-DD)", repr(manifest.parent.name)) from None
        for row in read_manifest(manifest.parent):
            name, kind, count = row["neighbourhood_id"], row["kind"], row["count"] or 0
            captures.append((name, ward_of(name), captured, kind, row["status"], count))
            if row["status"] == PUBLISHED:
                path = answer_path(manifest.parent, name, kind)
                records = stored(kind, reading.check_file(path, "json").read_bytes(), path)
                if len(records) != count:
                    raise SourceError(path, f"the {count} {kind} its manifest counts", f"{len(records)}")
                rows[kind] += [(ward_of(name), name, captured, *msgspec.structs.astuple(record)) for record in records]
    key = ["neighbourhood_id", "capture_date"]
    return Captures(
        _frame(rows["events"], Engagement, "start", "end").sort(*key, "start", "type", "end"),
        _frame(rows["priorities"], Priorities, "issue_date", "action_date").sort(
            *key, "issue_date", "issue", "action_date"
        ),
        _frame(captures, EngagementCaptures).sort(*key, "kind"),
    )


def _frame(rows: list[tuple], schema: type[dy.Schema], *times: str) -> pl.DataFrame:
    columns = schema.create_empty().schema
    table = pl.DataFrame(rows, columns | dict.fromkeys(times, pl.Datetime("us")), orient="row")
    if schema is Engagement:  # what has days only would be moved to the day before in summer
        local = pl.col(times).dt.replace_time_zone("Europe/London", ambiguous="earliest", non_existent="null")
        table = table.with_columns(local)
    return table.cast(dict(columns))
