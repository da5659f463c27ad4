"""The police API's answers: every capture at hand by the edge case it shows, then made-up answers for what is not there.

`events` and `people` answers are not among the captures: those here are synthetic, made from the documented shape.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from wardbook.sources import police_uk, police_uk_api
from wardbook.sources.police_uk_api import (
    CRIMES_SCHEMA,
    EVENTS_SCHEMA,
    NEIGHBOURHOODS_SCHEMA,
    PRIORITIES_SCHEMA,
    coordinates,
    plain_text,
    read_captures,
    read_crimes,
    read_json,
    read_neighbourhoods,
    read_stops,
    stored,
    tidy_events,
    tidy_priorities,
    ward_of,
    without_names,
)
from wardbook.sources.reading import SourceError

PLANTED = "Quillfeather"
KEY = ("E05013806N", "E05013806", date(2025, 6, 3))


@pytest.fixture
def saved(tmp_path):
    """Save an answer as JSON; returns its path."""

    def save(answer, name="answer.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        return path

    return save


@pytest.fixture(scope="module")
def captured(raw):
    """An answer at hand, by its name without `.json`."""
    folder = raw / "police_uk_api" / "neighbourhoods"
    if not folder.is_dir():
        pytest.skip("no captured answers here: set WARDBOOK_RAW to a folder with police_uk_api/neighbourhoods")
    return lambda name: read_json(folder / f"{name}.json")


# The captured answers, each edge case by name -------------------------------------------------------------------------


@pytest.mark.raw
def test_every_captured_answer_is_named_in_a_test(raw):
    known = {*NEIGHBOURHOODS, *PLACES, *PRIORITIES, *WITHOUT_ANYTHING_TO_KEEP}
    assert {path.stem for path in (raw / "police_uk_api" / "neighbourhoods").glob("*.json")} == known


NEIGHBOURHOODS = {
    "neighbourhood": ("NC04", "City Centre", 1000, 52.6389),
    "neighbourhood-html-in-name": ("NC04", "Leake & Keyworth", 1000, 52.6389),
    "neighbourhood-invalid-population": ("NC04", "City Centre", None, 52.6389),
    "neighbourhood-empty-force-url": ("AB12", "Banks & Hesketh", 1000, 52.6389),
    "neighbourhood-reference": ("NC04", "City Centre", None, None),
}


@pytest.mark.raw
@pytest.mark.parametrize("name", NEIGHBOURHOODS)
def test_captured_neighbourhoods(raw, captured, name):
    loaded = read_neighbourhoods([raw / "police_uk_api" / "neighbourhoods" / f"{name}.json"])
    assert loaded.frame.schema == NEIGHBOURHOODS_SCHEMA
    row = loaded.frame.row(0, named=True)
    assert tuple(row[key] for key in ("neighbourhood_id", "name", "population", "latitude")) == NEIGHBOURHOODS[name]
    assert row["ward_code"] is None, "the id of another force's neighbourhood is no ward's"
    assert "<" not in (row["description"] or "")
    assert "contact_details" not in stored("neighbourhood", captured(name), name)


PLACES = {
    "location": (52.633888, -1.138924),
    "location-invalid-coordinate": (None, None),
    "neighbourhood-location": (52.6389, -1.13619),
    "neighbourhood-location-invalid-coordinates": (None, None),
    "neighbourhood-location-null-coordinates": (None, None),
    "neighbourhood-location-null-type": (52.2253, -2.17512),
}


@pytest.mark.raw
@pytest.mark.parametrize("name", PLACES)
def test_captured_places_have_coordinates_or_null(captured, name):
    assert coordinates(captured(name)) == PLACES[name]


PRIORITIES = {
    "neighbourhood-priority": (date(2015, 10, 8), date(2015, 12, 22)),
    "neighbourhood-priority-html": (date(2018, 9, 20), date(2019, 1, 14)),
    "neighbourhood-priority-no-action": (date(2016, 4, 14), None),
}


@pytest.mark.raw
@pytest.mark.parametrize("name", PRIORITIES)
def test_captured_priorities(captured, name):
    frame = tidy_priorities(stored("priorities", [captured(name)], name), KEY)
    assert frame.schema == PRIORITIES_SCHEMA
    row = frame.row(0, named=True)
    assert (row["issue_date"], row["action_date"]) == PRIORITIES[name]
    assert (row["action"] is None) == (row["action_date"] is None)
    assert "<p>" not in row["issue"] + (row["action"] or "")


@pytest.mark.raw
def test_the_officer_a_captured_priority_names_is_left_out(captured):
    action = tidy_priorities(stored("priorities", [captured("neighbourhood-priority-html")], "x"), KEY)["action"][0]
    assert action.endswith("local Police Team. Sgt [name]")


WITHOUT_ANYTHING_TO_KEEP = (
    "contact-details",
    "contact-details-none",
    "engagement-method",
    "engagement-method-empty-url",
    "link",
    "link-no-description",
)


@pytest.mark.raw
@pytest.mark.parametrize("name", WITHOUT_ANYTHING_TO_KEEP)
@pytest.mark.parametrize("kind", police_uk_api.KINDS)
def test_captured_contact_details_and_links_load_and_are_kept_as_nothing(captured, name, kind):
    answer = captured(name)
    with pytest.raises(SourceError) as caught:
        stored(kind, answer if kind == "neighbourhood" else [answer], name)
    assert not [v for v in answer.values() if v and v in str(caught.value)], "an error repeats no value"


@pytest.mark.raw
def test_captured_stops_are_those_of_a_file_in_shape_and_a_third_of_them_in_number(raw):
    loaded = read_stops(raw / "police_uk_api/stops-force/metropolitan-2024-09.json")
    assert loaded.frame.schema == police_uk.STOPS_SCHEMA
    assert (loaded.frame.height, loaded.quality.set_aside) == (3_253, {})
    assert loaded.quality.oddities["without coordinates"] == 117
    # Six are dated 31 August in UTC: after 23:00, so of September in London.
    assert "rows dated outside the file's month" not in loaded.quality.oddities
    assert loaded.frame["month"].unique().to_list() == [date(2024, 9, 1)]
    assert loaded.frame["force"].unique().to_list() == ["metropolitan"]
    assert loaded.frame["outcome_linked"].sum() == 0
    assert loaded.frame["is_section_60"].sum() == 15
    assert loaded.frame["more_than_outer_clothing"].sum() == 55


# Stops by local month as the publisher answered for each, September 2024 to April 2025.
ANSWERED = (3_253, 3_400, 3_389, 2_836, 3_646, 3_506, 3_824, 3_541)
# The labels that are gone from September 2024: a break of publication, not of policing.
GONE = {"not stated", "blank", "Other"}


@pytest.mark.raw
def test_captured_months_are_cut_in_publication_and_not_at_random(raw, stop_files):
    files = sorted((raw / "police_uk_api/stops-force").glob("metropolitan-*.json"))[: len(ANSWERED)]
    after = pl.concat(read_stops(path).frame for path in files)
    months = after.group_by("month").len().sort("month")
    assert months["month"].to_list() == [date(2024 + n // 12, n % 12 + 1, 1) for n in range(8, 16)]
    assert all(abs(n - wanted) <= 10 for n, wanted in zip(months["len"], ANSWERED, strict=True))
    before = pl.concat(stop_files[f"2024-0{month}"].frame for month in range(3, 9))
    grouped = [
        frame.with_columns(police_uk.broad_group(pl.col("self_defined")).alias("group")) for frame in (before, after)
    ]
    shares = [frame["group"].is_in(list(GONE)).mean() for frame in grouped]
    assert shares[0] > 0.3 > 0.001 > shares[1]
    assert set(after["officer_defined"].unique()) == {"Asian", "Black", "White", None}
    assert "Vehicle search" not in after["search_type"].to_list()
    # The labels that are left: 97 % as many rows a month as in the six months before.
    left = set(after["self_defined"].drop_nulls())
    kept = [frame.filter(pl.col("self_defined").is_in(list(left))).height for frame in grouped]
    assert round((kept[1] / 8) / (kept[0] / 6), 2) == 0.97


@pytest.mark.raw
def test_a_published_month_in_the_shape_of_the_api_reads_to_the_same_frame(raw, saved):
    """All rows of August 2024, rewritten as the API would answer them: numbers as text, flags as flags, null for blank."""
    path = raw / "police_uk/2024-08/2024-08-metropolitan-stop-and-search.csv"
    from_file = police_uk.read_stops(path)
    table = pl.read_csv(path, infer_schema=False)
    flags = {"True": True, "False": False, None: None}

    def record(row):
        made = {theirs: row[ours] for ours, theirs in police_uk_api._CSV_HEADERS.items()}
        for name in ("operation", "outcome_linked_to_object_of_search", "removal_of_more_than_outer_clothing"):
            made[name] = flags[made[name]]
        street = {"id": 1, "name": "On or near made-up Street"}
        place = {"latitude": row["Latitude"], "longitude": row["Longitude"], "street": street}
        return made | {"location": place if row["Latitude"] else None, "involved_person": True}

    from_api = read_stops(saved([record(row) for row in table.iter_rows(named=True)], "metropolitan-2024-08.json"))
    assert from_api.frame.height == 10_638
    assert from_api.frame.drop("line").equals(from_file.frame.drop("line"))
    assert from_api.quality.oddities == from_file.quality.oddities


@pytest.mark.raw
def test_a_captured_month_that_is_not_published_is_refused(raw):
    path = raw / "police_uk_api/stops-force/metropolitan-2025-06.json"
    with pytest.raises(police_uk_api.NotPublished, match="found an empty answer: the month is not published"):
        read_stops(path)


@pytest.mark.raw
def test_captured_street_crimes_of_neighbouring_boroughs_are_counted_once(raw):
    paths = sorted(raw.glob("police_uk_api/crimes-street/2018-01/*.json"))
    loaded = read_crimes(paths)
    assert loaded.frame.schema == CRIMES_SCHEMA
    assert (loaded.quality.rows_read, loaded.frame.height) == (5_085, 4_952)
    assert loaded.quality.set_aside == {"the same crime in a neighbouring area's answer": 133}
    assert loaded.frame["id"].is_unique().all()
    assert loaded.frame["police"].value_counts(sort=True)["police"].to_list() == ["Force", "BTP"]
    barking = [p for p in paths if "E050000" in p.name]
    redbridge = [p for p in paths if "E050004" in p.name]
    apart = [read_crimes(those).frame["id"] for those in (barking, redbridge)]
    assert len(set(apart[0]) & set(apart[1])) > 0, "the same crime is in two boroughs' answers"


@pytest.mark.raw
def test_a_captured_part_of_a_ward_without_crimes_is_an_answer(raw):
    empty = raw / "police_uk_api/crimes-street/2018-01/crime_month_2018_01_area_E05000477_1.json"
    whole = empty.with_name(empty.name.replace("_1.json", "_0.json"))
    assert read_json(empty) == []
    assert read_crimes([whole, empty]).frame.height == read_crimes([whole]).frame.height
    with pytest.raises(SourceError, match="not published"):
        read_crimes([empty])


# Made-up answers ------------------------------------------------------------------------------------------------------


def test_a_stop_of_the_api_is_the_stop_of_the_file(saved, tmp_path):
    """One made-up stop in both shapes, read to the same row."""
    import csv

    from test_police_uk import STOP

    stop = STOP | {"Outcome linked to object of search": "", "Policing operation": ""}
    record = {theirs: stop[ours] or None for ours, theirs in police_uk_api._CSV_HEADERS.items()}
    record |= {"operation": False, "removal_of_more_than_outer_clothing": False}
    record["location"] = {
        "latitude": stop["Latitude"],
        "longitude": stop["Longitude"],
        "street": {"id": 1, "name": "x"},
    }
    path = tmp_path / "2024-06-metropolitan-stop-and-search.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(stop))
        writer.writeheader()
        writer.writerow(stop)
    from_file = police_uk.read_stops(path).frame.drop("line")
    from_api = read_stops(saved([record, record], "metropolitan-2024-06.json"))
    assert from_api.frame[0].drop("line").equals(from_file)
    assert from_api.frame.select("line", "is_repeat").rows() == [(1, False), (2, True)]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"error": "x"}, "an object with the keys error"),
        ([{"date": "x"}], "a list of 1"),
        (b"<html>", "a web page"),
        (b'[{"datetime": "2024-06', "something else from line 1"),
        (b"", "a file of zero bytes"),
        (b"\xff\xfe[]", "not UTF-8"),
    ],
)
def test_what_is_no_answer_is_refused(saved, answer, found):
    with pytest.raises(SourceError, match=found):
        read_stops(saved(answer, "metropolitan-2024-06.json"))


@pytest.mark.parametrize("name", ["stops.json", "metropolitan-2024-13.json", "metropolitan-2024-6.json"])
def test_an_answer_says_force_and_month_in_its_name(saved, name):
    with pytest.raises(SourceError, match="a name like metropolitan-2024-09.json"):
        read_stops(saved([], name))


def test_one_id_with_two_months_is_refused(saved):
    crimes = [{"id": 1, "month": "2024-06"}, {"id": 1, "month": "2024-07"}]
    with pytest.raises(SourceError, match="id 1 with another month"):
        read_crimes([saved(crimes)])


@pytest.mark.parametrize(
    ("neighbourhood", "ward"),
    [("E05013806N", "E05013806"), ("E05013806", "E05013806"), ("00BKX6", None), ("NC04", None), ("XE05013806N", None)],
)
def test_a_ward_is_known_from_an_id_only_where_its_code_is_in_it(neighbourhood, ward):
    assert ward_of(neighbourhood) == ward


@pytest.mark.parametrize(
    ("published", "people"), [("0", None), ("1234", 1234), ("A", None), ("", None), (None, None), ("-5", None)]
)
def test_a_population_of_nought_is_not_known(saved, published, people):
    frame = read_neighbourhoods([saved({"id": "E05013806N", "name": "x", "population": published})]).frame
    assert frame["population"].to_list() == [people]
    assert frame["ward_code"].to_list() == ["E05013806"]


@pytest.mark.parametrize(
    ("published", "text"),
    [
        ("<p>One &amp; two</p>\n<p>Three<br>four</p>", "One & two\nThree\nfour"),
        ("&lt;b&gt;bold&lt;/b&gt; &amp;pound;5", "<b>bold</b> £5"),
        ("<script>alert(1)</script><style>p {}</style>left", "left"),
        ("  no \n tags ", "no\ntags"),
        ("a < b", "a < b"),
        ("<p></p>", None),
        ("", None),
        (None, None),
    ],
)
def test_html_is_reduced_to_its_text(published, text):
    assert plain_text(published) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Meet PC {PLANTED} at noon", "Meet PC [name] at noon"),
        (f"Meet Sgt Zebulon {PLANTED}.", "Meet Sgt [name]."),
        (f"PCSO 7123KF Zebulon {PLANTED} and team", "PCSO [name] and team"),
        (
            f"Acting Detective Inspector Z. {PLANTED}-Smythe, all welcome",
            "Acting Detective Inspector [name], all welcome",
        ),
        (f"PCs {PLANTED} and Zebulon will be there", "PCs [name] will be there"),
        (f"with Cllr Mrs {PLANTED}", "with [name]"),
        (f"write to zebulon.{PLANTED.lower()}@example.police.uk today", "write to [address] today"),
        ("The officer said that police officers meet", "The officer said that police officers meet"),
        ("Speak to your local PC or PCSO", "Speak to your local PC or PCSO"),
    ],
)
def test_officers_named_after_their_rank_are_left_out(text, left):
    assert without_names(text) == left
    assert without_names(left) == left


EVENT = {
    "title": "Street briefing",
    "type": "meeting",
    "description": "<p>All welcome</p>",
    "start_date": "2025-06-10T19:00:00",
    "end_date": "2025-06-10T20:30:00",
    "address": "c/o somebody",
    "contact_details": {"name": PLANTED},
    "invented-later": PLANTED,
}


def test_a_synthetic_event_is_at_london_time_and_without_persons():
    frame = tidy_events(
        stored("events", [EVENT, EVENT | {"start_date": "2025-12-10T19:00:00", "end_date": None}], "x"), KEY
    )
    assert frame.schema == EVENTS_SCHEMA
    london = ZoneInfo("Europe/London")
    assert frame["start"].to_list() == [
        datetime(2025, 6, 10, 19, tzinfo=london),
        datetime(2025, 12, 10, 19, tzinfo=london),
    ]
    assert [t.utcoffset().seconds // 3600 for t in frame["start"]] == [1, 0]
    assert frame["end"].null_count() == 1
    assert PLANTED not in frame.write_csv()


@pytest.mark.parametrize(
    "people", [[{"name": PLANTED, "rank": "PC", "bio": PLANTED}], {"name": PLANTED}, [PLANTED], PLANTED]
)
@pytest.mark.parametrize("kind", police_uk_api.KINDS)
def test_a_synthetic_people_answer_in_place_of_another_is_refused_without_repeating_it(people, kind):
    with pytest.raises(SourceError) as caught:
        stored(kind, people, "answer.json")
    assert PLANTED not in str(caught.value)


DAY = "police_uk_api/engagement/2025-06-03"


def manifest(*rows) -> bytes:
    return "\n".join(["neighbourhood_id,kind,status,count", *rows, ""]).encode()


def test_synthetic_captures_are_read_as_the_manifest_names_them(saved, tmp_path):
    saved(
        manifest("A1,events,published,1", "A1,priorities,none published,0", "B2,events,failed,"), f"{DAY}/captures.csv"
    )
    saved([EVENT], f"{DAY}/A1/events.json")
    for name in ("A1/people.json", "B2/events.json", "C3/events.json", "people.json"):
        saved([{"name": PLANTED, "start_date": "2025-06-03T10:00:00", "title": PLANTED}], f"{DAY}/{name}")
    got = read_captures(tmp_path)
    assert got.captures.select("neighbourhood_id", "kind", "status", "count").rows() == [
        ("A1", "events", "published", 1),
        ("A1", "priorities", "none published", 0),
        ("B2", "events", "failed", 0),
    ]
    assert got.events["title"].to_list() == ["Street briefing"]
    assert got.priorities.is_empty()
    assert PLANTED not in got.events.write_csv() + got.priorities.write_csv() + got.captures.write_csv()


def test_without_captures_the_frames_are_empty_and_have_their_columns(tmp_path):
    got = read_captures(tmp_path)
    assert (got.events.schema, got.priorities.schema) == (EVENTS_SCHEMA, PRIORITIES_SCHEMA)
    assert got.captures.schema == police_uk_api.CAPTURES_SCHEMA
    assert got.events.height + got.priorities.height + got.captures.height == 0


@pytest.mark.parametrize(
    ("content", "folder", "found"),
    [
        (manifest("A1,events,perhaps,1"), DAY, "another status or kind"),
        (manifest("A1,people,published,1"), DAY, "another status or kind"),
        (b"id,kind\nA1,events\n", DAY, "found id, kind"),
        (manifest("A1,events,published,1"), DAY, "no such file"),
        (manifest("..,events,published,1"), DAY, "an id that can name a folder; found '..'"),
        (manifest("A1,events,published,1"), "police_uk_api/engagement/June", "found 'June'"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(saved, tmp_path, content, folder, found):
    saved(content, f"{folder}/captures.csv")
    with pytest.raises(SourceError, match=found):
        read_captures(tmp_path)


def test_an_opaque_id_cannot_leave_its_folder(tmp_path):
    assert police_uk_api.answer_path(tmp_path, "../../x", "events") == tmp_path / "..%2F..%2Fx" / "events.json"


def test_frames_of_two_captures_go_together():
    frames = [tidy_events([], KEY), tidy_events(stored("events", [EVENT], "x"), KEY)]
    assert pl.concat(frames).height == 1
