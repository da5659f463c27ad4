"""The police API's answers: every capture at hand by the edge case it shows, then made-up answers for what is not there.

Of events and priorities one each is at hand of the Met's; `people` is not among them: what is made up is made from the
documented shape.
"""

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
import pytest

from test_police_uk import STOP
from wardbook.sources import police_uk, police_uk_api
from wardbook.sources.police_uk_api import EVENT_KINDS, KINDS, OTHER, PRIORITY_KINDS, STATUSES
from wardbook.sources.reading import SourceError

PLANTED = "Quillfeather"
LONDON = ZoneInfo("Europe/London")
DAY = "police_uk_api/engagement/2025-06-03"


def save(path, answer):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    return path


def manifest(*rows) -> str:
    return "\n".join(["neighbourhood_id,kind,status,count", *rows, ""])


@pytest.fixture
def capture(tmp_path):
    """Save a kind's answer as a capture of one ward on one day, and read it."""

    def capture(kind, answer):
        save(tmp_path / f"{DAY}/E05013806N/{kind}.json", answer)
        save(tmp_path / f"{DAY}/captures.csv", manifest(f"E05013806N,{kind},published,{len(answer)}"))
        return getattr(police_uk_api.read_captures(tmp_path), kind)

    return capture


@pytest.fixture(scope="module")
def captured(raw):
    """An answer at hand, by its name without `.json`."""
    return lambda name: json.loads((raw / "police_uk_api/neighbourhoods" / f"{name}.json").read_bytes())


# The captured answers, each edge case by name -------------------------------------------------------------------------

METS_OWN = "metropolitan/E05013655-priorities-item0-2026-09-12"
PRIORITIES = {
    "neighbourhood-priority-html": (date(2018, 9, 20), date(2019, 1, 14), "anti-social behaviour"),
    "neighbourhood-priority-no-action": (date(2016, 4, 14), None, "anti-social behaviour"),
    METS_OWN: (date(2026, 9, 1), date(2026, 9, 1), "violence against women and girls"),
}


@pytest.mark.parametrize("name", PRIORITIES)
def test_captured_priorities_keep_their_days_and_their_kind(captured, capture, name):
    answer = captured(name)
    frame = capture("priorities", [answer.get("raw", answer)])
    assert police_uk_api.Priorities.is_valid(frame)
    assert frame.select("issue_date", "action_date", "issue").row(0) == PRIORITIES[name]


def test_the_mets_own_event_keeps_its_times_and_its_kind(captured, capture):
    event = capture("events", captured("metropolitan/E05009386-events-2024-12"))
    times = datetime(2024, 12, 11, 13, 30, tzinfo=LONDON), datetime(2024, 12, 11, 15, tzinfo=LONDON)
    assert event.select("start", "end", "type", "title").rows() == [(*times, "crime-prevention stall", None)]


# Stops by local month as the publisher answered for each, September 2024 to April 2025.
ANSWERED = (3_253, 3_400, 3_389, 2_836, 3_646, 3_506, 3_824, 3_541)


def test_captured_months_hold_what_the_publisher_answered_for_each(raw):
    files = sorted((raw / "police_uk_api/stops-force").glob("metropolitan-*.json"))[: len(ANSWERED)]
    after = pl.concat(police_uk_api.read_stops(path).frame for path in files)
    months = after.group_by("month").len().sort("month")
    assert months["month"].to_list() == [date(2024 + n // 12, n % 12 + 1, 1) for n in range(8, 16)]
    assert all(abs(n - wanted) <= 10 for n, wanted in zip(months["len"], ANSWERED, strict=True))


# Made-up answers ------------------------------------------------------------------------------------------------------


STOP_RECORD = {
    "type": "Person search",
    "datetime": "2024-06-10T12:00:00+00:00",
    "operation": False,
    "operation_name": None,
    "gender": "Male",
    "age_range": "18-24",
    "self_defined_ethnicity": "White - Irish",
    "officer_defined_ethnicity": "White",
    "legislation": "Misuse of Drugs Act 1971 (section 23)",
    "object_of_search": "Controlled drugs",
    "outcome": "Arrest",
    "outcome_linked_to_object_of_search": None,
    "removal_of_more_than_outer_clothing": False,
    "location": {"latitude": "51.515", "longitude": "-0.05", "street": {"id": 1, "name": "On or near A Street"}},
}


def test_a_stop_of_the_api_is_the_stop_of_the_file(tmp_path):
    """One made-up stop in both shapes, read to the same row."""
    path = tmp_path / "2024-06-metropolitan-stop-and-search.csv"
    pl.DataFrame([STOP | {"Outcome linked to object of search": ""}]).write_csv(path)
    answer = save(tmp_path / "metropolitan-2024-06.json", [STOP_RECORD] * 2)
    from_api = police_uk_api.read_stops(answer).frame
    assert from_api[0].drop("line").equals(police_uk.read_stops(path).frame.drop("line"))
    assert from_api.select("line", "is_repeat").rows() == [(1, False), (2, True)]


def test_an_answer_says_force_and_month_in_its_name(tmp_path):
    for name in ("stops.json", "metropolitan-2024-13.json", "metropolitan-2024-6.json"):
        with pytest.raises(SourceError, match="a name like metropolitan-2024-09.json"):
            police_uk_api.read_stops(save(tmp_path / name, []))


def test_a_ward_is_known_from_an_id_only_where_its_code_is_in_it():
    ids = ("E05013806N", "E05013806", "00BKX6", "NC04", "XE05013806N")
    assert [police_uk_api.ward_of(one) for one in ids] == ["E05013806", "E05013806", None, None, None]


def test_a_text_is_of_the_kind_whose_words_it_has_first():
    events = {"Bethnal Green East Ward Panel": "ward panel meeting", "Meet your local policing team": OTHER}
    events["<p class=online>Open s&#117;rgery</p>"] = "drop-in surgery"
    priorities = {"ASB and drug use": "anti-social behaviour", "Drug use and ASB": "drugs"}
    for kinds, of_kind in ((EVENT_KINDS, events), (PRIORITY_KINDS, priorities)):
        # What is stored is read again: it must stay what it is.
        of_kind |= {kind: kind for kind in (*kinds, OTHER)}
        assert {text: police_uk_api.kind_of(text, kinds) for text in of_kind} == of_kind


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


@pytest.mark.parametrize("people", [[{"name": PLANTED, "rank": "PC", "bio": PLANTED}], [PLANTED], PLANTED], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_people_answer_in_place_of_another_is_refused_without_repeating_it(people, kind):
    with pytest.raises(SourceError) as caught:
        police_uk_api.stored(kind, json.dumps(people).encode(), "answer.json")
    assert PLANTED not in str(caught.value)


# Nineteen texts: eleven kinds of naming somebody, and eight more. Beside each, what of it may be in no cell and no file.
NAMING = {
    "Street briefing with Sgt Siobhan O'Quillan, drugs": "Siobhan O'Quillan",
    "Sgt Zebulon and PCSO Aloysius Quillfeather on burglary": "Zebulon Aloysius Quillfeather PCSO",
    "Zebulon Quillfeather, Dedicated Ward Officer: drop-in surgery": "Zebulon Quillfeather Dedicated",
    "Ward panel meeting, chair Insp de Quillfeather": "de Quillfeather Insp",
    "PC Żółkiewski's street briefing about ASB": "Żółkiewski PC",
    "meet pc quillfeather at the drop-in": "quillfeather pc",
    "Coffee with Zebulon, Aloysius and Barnaby": "Zebulon Aloysius Barnaby",
    "Online meeting: follow @QuillfeatherMPS": "@QuillfeatherMPS",
    "Ward panel: write to zebulon dot quillfeather at met dot police dot uk": "zebulon quillfeather dot met",
    "Burglary: ring 07700 900123": "07700 900123",
    "Anti-social behaviour: ring 020 8123 4567": "020 8123 4567",
    "Speeding, seen from 14 Quillfeather Road": "14 Quillfeather",
    "Robbery? Contact Inspector Quillfeather": "Inspector Quillfeather Contact",
    "Cllr Mrs Philippa Quillfeather opens the ward panel": "Cllr Philippa Quillfeather opens",
    "Online: facebook.com/zebulon.quillfeather": "facebook zebulon quillfeather",
    "Knife crime: zebulon.quillfeather@met.police.uk": "zebulon quillfeather met.police",
    "Квиллфезер at the street briefing": "Квиллфезер",
    "Drugs: &#90;&#101;bulon &Eacute;loise &lt;b&gt;Quillfeather": "Zebulon &#90; loise Quillfeather",
    "Vehicle crime, WhatsApp +44 7700 900123, car LB07 QFR": "WhatsApp +44 7700 900123 LB07 QFR",
}
CELLS = {*EVENT_KINDS, *PRIORITY_KINDS, OTHER, *STATUSES, *KINDS, "E05013806", "E05013806N"}


def test_nineteen_ways_of_naming_somebody_leave_nothing_behind(tmp_path):
    """As answered and as stored, through the readers and the edition's tables: every cell of text is on a list."""
    assert len(NAMING) == 19
    fields, days = ("title", "type", "description", "address"), {"start_date": "2025-06-10T19:00:00", "end_date": None}
    issue_days = {"issue-date": "2025-05-01T00:00:00", "action-date": "2025-05-02 00:00:00"}
    kept = {
        "events": [dict.fromkeys((*fields, "organiser"), text) | days for text in NAMING],
        "priorities": [dict.fromkeys(("issue", "action"), text) | issue_days for text in NAMING],
    }
    save(tmp_path / f"{DAY}/captures.csv", manifest(*(f"E05013806N,{kind},published,19" for kind in KINDS)))
    tables_made = []
    for _ in ("as answered", "as stored"):
        for kind, answer in kept.items():
            path = save(tmp_path / f"{DAY}/E05013806N/{kind}.json", answer)
            kept[kind] = msgspec.to_builtins(police_uk_api.stored(kind, path.read_bytes(), path))
        got = police_uk_api.read_captures(tmp_path)
        tables_made += [got.events, got.priorities, got.captures]
    assert [frame.height for frame in tables_made] == [19, 19, 2] * 2
    assert tables_made[0].equals(tables_made[3]) and tables_made[1].equals(tables_made[4])
    for frame in tables_made:
        cells = {value for column in frame.select(pl.col(pl.String)).iter_columns() for value in column.drop_nulls()}
        assert cells <= CELLS, cells - CELLS
        assert all(kind.is_temporal() or kind in (pl.String, pl.Int64) for kind in frame.dtypes)
    left = json.dumps(kept, ensure_ascii=False).casefold()
    for named in NAMING.values():
        assert not [word for word in named.casefold().split() if word in left], named
    kinds = {"burglary", "robbery", "drugs", "road safety", "vehicle crime", OTHER}
    assert kinds <= set(tables_made[1]["issue"]), "kinds are told all the same"


@pytest.mark.parametrize(
    ("content", "folder", "found"),
    [
        (manifest("A1,people,published,1"), DAY, "one of events, priorities in column kind"),
        (manifest("A1,events,published,1"), DAY, "no such file"),
        (manifest("A1,events,published,1"), "police_uk_api/engagement/June", "found 'June'"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path, content, folder, found):
    save(tmp_path / folder / "captures.csv", content)
    with pytest.raises(SourceError, match=found):
        police_uk_api.read_captures(tmp_path)


def test_an_opaque_id_cannot_leave_its_folder(tmp_path):
    assert police_uk_api.answer_path(tmp_path, "../../x", "events") == tmp_path / "..%2F..%2Fx" / "events.json"
    with pytest.raises(SourceError, match="an id that can name a folder"):
        police_uk_api.answer_path(tmp_path, "..", "events")
