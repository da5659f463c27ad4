"""`wardbook fetch` against a server of our own on loopback: real shapes, and every way in which publishers misbehave.

Every address is asked of it as /host/path (`mirror`). What it serves is made up here, except in the test from nothing to
outputs, which serves the publishers' files where they are at hand. Clocks and sleeps are replaced; no test waits for one.
Over four hundred lines, since one server has to speak for all publishers.
"""

import copy
import csv
import gzip
import hashlib
import io
import json
import os
import re
import stat
import threading
import time
import zipfile
from contextlib import ExitStack, nullcontext
from datetime import UTC, date, datetime
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import parse_qs, quote, urlsplit

import geopandas
import polars as pl
import pytest
from shapely.geometry import box, mapping

from conftest import hashed
from test_dashboards import KNIFE as KNIFE_ROW
from test_met import crime_table, months_between
from test_ons import GLA_WARDS, HOUSEHOLDS, write_outlines
from test_police_uk import STOP
from test_police_uk_api import EVENT, PLANTED
from wardbook import catalogue, fetch, web
from wardbook.sources import ons, police_uk_api

NOW = datetime(2025, 6, 3, 22, 30, tzinfo=UTC)  # half past eleven in London
TODAY = "2025-06-03"
API = "/data.police.uk/api/"
ARCHIVE = "/data.police.uk/data/archive/"
DATASTORE = "/data.london.gov.uk/api/dataset/"
STOPS = "2024-06-metropolitan-stop-and-search.csv"
JUNE = {"first": date(2024, 6, 1), "last": date(2024, 6, 1)}


class Answer:
    """What the server says to one address: a body and how it goes wrong. `faults` are used up one a request."""

    def __init__(self, body: bytes | list | dict = b"", *, etag="", faults=(), ranges=True):
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.etag, self.faults, self.ranges = etag, list(faults), ranges


class Server(ThreadingHTTPServer):
    """A loopback server that keeps what it was asked, and how much it sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Message]] = []
        self.sent, self.lock = 0, threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def handle_error(self, *args):  # a client that was killed is the point of a test
        pass

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        server, (path, _, query) = self.server, self.path.partition("?")
        server.asked.append((self.path, self.headers))
        answer = server.answers.get(path)
        if callable(answer):
            answer = answer(parse_qs(query))
        status, headers = (200, {}) if answer else (404, {})
        answer = answer or Answer(b"no such page")
        fault = answer.faults.pop(0) if answer.faults else {}
        body = answer.body
        if answer.etag:
            headers["ETag"] = answer.etag
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if answer.etag and self.headers.get("If-None-Match") == answer.etag:
            status, body = 304, b""
        elif asked and answer.ranges and "status" not in fault and status == 200:
            first, last = int(asked[1]), int(asked[2] or len(body) - 1)
            headers["Content-Range"] = f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}"
            status, body = 206, body[first : last + 1]
        headers |= {"Content-Length": str(len(body))} | fault.get("headers", {})
        self.send_response(fault.get("status", status))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = body[: fault.get("cut", int(headers["Content-Length"]))]
        # Counted before it goes: the client may have read it, and a test asked, before this thread goes on.
        with server.lock:
            server.sent += len(body)
        self.wfile.write(body[: len(body) // 2])
        time.sleep(fault.get("silence", 0))
        self.wfile.write(body[len(body) // 2 :])
        self.close_connection = "cut" in fault


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.at, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds

    def manners(self, **more) -> web.Manners:
        return web.Manners(**{"sleep": self.sleep, "monotonic": lambda: self.at, "now": lambda: NOW} | more)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(server, clock, tmp_path):
    """Fetch into tmp_path/raw; returns the outcomes as (file or month, status) and keeps them whole in `.last`."""

    def run(*sources, **more):
        run.last = fetch.fetch(sources, raw=tmp_path / "raw", mirror=server.url, manners=clock.manners(), **more)
        return [(outcome.file, outcome.status) for outcome in run.last]

    return run


@pytest.fixture
def asking(server, clock):
    """Something that asks the server, with the manners given."""
    with ExitStack() as opened:

        def asking(**manners) -> web.Web:
            one = web.Web(server.url, clock.manners(**manners))
            opened.enter_context(one.client)
            return one

        yield asking


tree = partial(hashed, hidden=True)


# What publishers serve ------------------------------------------------------------------------------------------------


def as_csv(*rows: dict) -> bytes:
    return pl.DataFrame(rows, infer_schema_length=None).write_csv().encode()


def stops_csv(month="2024-06", rows=3) -> bytes:
    return as_csv(*(STOP | {"Date": f"{month}-{day + 1:02d}T12:00:00+00:00"} for day in range(rows)))


def crime_csv(months, names=("Barnet", "Tower Hamlets"), count=40) -> bytes:
    """Recorded crime as the Met publishes it: every offence of one taxonomy, a column a month."""
    return crime_table(dict.fromkeys(names, count), months).write_csv().encode()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            # A ZipInfo has a fixed date: the bytes stand in tests' names, which two workers must find alike.
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def serve_dates(server, *months):
    server.answers[f"{API}crimes-street-dates"] = Answer(
        [{"date": month, "stop-and-search": ["metropolitan"]} for month in months]
    )


def serve_archive(server, *months, **more: bytes):
    members = {f"{month}/{month}-metropolitan-stop-and-search.csv": stops_csv(month) for month in months}
    server.answers[f"{ARCHIVE}{max(months)}.zip"] = Answer(zipped(members | more), etag='"zip"')


def serve_datastore(server, dataset, files: dict[str, Answer]):
    paths = {f"/data.london.gov.uk/download/{dataset}/{quote(name)}": answer for name, answer in files.items()}
    server.answers |= paths | {f"{DATASTORE}{dataset}": Answer(listing(*(f"https:/{path}" for path in paths)))}
    if dataset == "exy3m":
        server.answers.setdefault(RELEASED, Answer(WHOLE, etag='"whole"'))


def listing(*addresses) -> dict:
    """A page of the London Datastore that lists these addresses."""
    return {"resources": {str(n): {"url": address} for n, address in enumerate(addresses)}}


KNIFE = "M1045_MonthlyCrimeDashboard_KnifeCrimeData.csv"


def knife_csv(count=7) -> bytes:
    return as_csv(KNIFE_ROW | {"count": count})


RELEASE = catalogue.sources()["mps-borough-crime"].fetch["releases"][0]
RELEASED = "/" + RELEASE["url"].removeprefix("https://")
WHOLE = crime_csv(months_between(*RELEASE["months"]), names=("Barnet",), count=4)
RECENT = "MPS Borough Level Crime (most recent 24 months).csv"
HISTORICAL = "MPS Borough Level Crime (Historical).csv"
OF_CRIME = [RELEASE["into"], f"mps/2024-02/{RECENT}", f"mps/2024-02/{HISTORICAL}"]
TOWER_HAMLETS = ("E05009317N", "E05009318N", "E05009319N")


def serve_neighbourhoods(server, ids=TOWER_HAMLETS):
    """Three neighbourhoods: one with an event and a priority, one with none, one whose events cannot be had."""
    listed = [{"id": name, "name": "A &amp; B"} for name in (*ids, "E05000405N", "00BKX6")]
    server.answers[f"{API}metropolitan/neighbourhoods"] = Answer(listed)
    event = EVENT | {"title": f"Coffee with PC {PLANTED}", "description": f"<p>Meet Sgt 1234 {PLANTED}</p>"}
    priority = {"issue": f"<p>Bicycle theft, {PLANTED}</p>", "issue-date": "2025-05-01T00:00:00", "action-date": None}
    for number, name in enumerate(ids):
        at = f"{API}metropolitan/{name}"
        server.answers[at] = Answer({"id": name, "name": "A &amp; B", "description": f"PCSO {PLANTED}"})
        server.answers[f"{at}/events"] = Answer([event] if number == 0 else [])
        server.answers[f"{at}/priorities"] = Answer([priority] if number == 0 else [])
        server.answers[f"{at}/people"] = Answer([{"name": PLANTED, "rank": "PC", "bio": PLANTED}])
    server.answers[f"{API}metropolitan/{ids[-1]}/events"].faults = [{"status": 500}] * 5


# Waiting one's turn ---------------------------------------------------------------------------------------------------

A = "https://example.org/a"


@pytest.mark.parametrize(
    ("faults", "slept", "said"),
    [
        ([(429, "7")], [7], ""),
        ([(503, ""), (502, ""), (500, ""), (504, "")], [1, 2, 4, 8], ""),
        ([(503, "soon")], [1], ""),
        ([(503, "")] * 9, [1, 2, 4, 8], "answered 503 Service Unavailable, 5 times running"),
        ([(429, "3600")], [], "asks to wait 3,600 seconds"),
        ([(404, "")], [], "answered 404"),
    ],
)
def test_a_busy_server_is_asked_again_after_the_wait_it_names_or_a_growing_one_up_to_a_limit(
    server, clock, asking, faults, slept, said
):
    busy = [{"status": status, "headers": {"Retry-After": wait}} for status, wait in faults]
    server.answers["/example.org/a"] = Answer({"ok": 1}, faults=busy)
    with pytest.raises(web.FetchError, match=said) if said else nullcontext():
        assert asking().json(A, dict) == {"ok": 1}
    assert clock.slept == slept


def test_the_police_api_is_asked_fifteen_times_a_second_and_no_faster(server, clock, run):
    serve_dates(server, *(f"{year}-{m:02d}" for year in range(2020, 2025) for m in range(1, 13)))
    server.answers[f"{API}stops-force"] = Answer([])
    told = run("police-uk-stops-api", first=date(2020, 1, 1), last=date(2024, 12, 1))
    assert {status for _, status in told} == {"not published"}, "the answers are empty"
    assert len(server.asked) == 61
    assert clock.at == pytest.approx(60 / 15)


# Redirects, and answers that are not what was asked for ---------------------------------------------------------------


def test_redirects_are_followed_but_not_for_ever(server, asking):
    server.answers["/example.com/new"] = Answer([1])
    new, loop = ({"status": 307, "headers": {"Location": to}} for to in ("https://example.com/new", "/loop"))
    server.answers |= {"/example.org/a": Answer(faults=[new]), "/example.org/loop": Answer(faults=[loop] * 20)}
    assert asking().json(A, list) == [1]
    with pytest.raises(web.FetchError, match="maximum allowed redirects"):
        asking().read("https://example.org/loop")


@pytest.mark.parametrize("away", ["http://example.org/x", "http://127.0.0.1/x", "file:///etc/passwd", "ftp://a.b/c"])
def test_no_address_and_no_redirect_leads_to_anything_but_https(server, asking, away):
    server.answers["/example.org/a"] = Answer(faults=[{"status": 302, "headers": {"Location": away}}])
    for address in (A, away):
        with pytest.raises(web.FetchError, match="only https addresses are asked"):
            asking().read(address)
    assert server.paths() == ["/example.org/a"]


PAGE = b"<!DOCTYPE html>\n<html><title>Sorry</title></html>"


def test_an_answer_without_end_is_not_read_to_its_end(server, asking, monkeypatch):
    monkeypatch.setattr(web, "_LARGEST_FILE", 1_000_000)
    packed = gzip.compress(bytes(30_000_000))
    server.answers["/example.org/a"] = Answer(packed, faults=[{"headers": {"Content-Encoding": "gzip"}}])
    with pytest.raises(web.FetchError, match="more than 1,000,000 bytes: not what was asked for"):
        asking().read(A)


BIG = bytes(range(256)) * 400


@pytest.mark.parametrize(
    "fault",
    [{"cut": 40_000}, {"headers": {"Content-Length": str(len(BIG) + 5)}, "cut": len(BIG)}, {"silence": 1.0}],
    ids=str,
)
def test_a_body_that_breaks_off_is_asked_for_again_and_then_given_up(server, clock, tmp_path, asking, fault):
    server.answers["/example.org/a"] = Answer(BIG, faults=[fault])
    asking(read_seconds=0.2).download(A, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BIG
    assert clock.slept == [1]
    server.answers["/example.org/a"].faults = [{"cut": 40_000}] * 5
    with pytest.raises(web.FetchError, match="peer closed connection .*, 5 times running"):
        asking().download(A, tmp_path / "b")


# Archives: only the members that are wanted ---------------------------------------------------------------------------


def test_months_are_read_from_part_of_the_newest_archive_that_holds_them_whatever_is_there(server, run, tmp_path):
    """Killed between two months of one archive, a run once took the second from an older archive, or from none."""
    serve_dates(server, "2024-05", "2024-06")
    serve_archive(server, "2024-05", "2024-06", kent=os.urandom(3_000_000))
    serve_archive(server, "2024-03")
    asked = {"first": date(2024, 2, 1), "last": date(2024, 8, 1)}
    got = {PurePosixPath(file).name[:7]: status for file, status in run("police-uk-stops", **asked)}
    answered = {month: "fetched" if month in (6, 5, 3) else "not published" for month in (8, 7, 6, 5, 4, 3, 2)}
    assert list(got.items()) == [(f"2024-0{month}", status) for month, status in answered.items()]
    assert server.sent < 1_000_000, "the archive has three million bytes"
    file = f"police_uk/2024-06/{STOPS}"
    assert (tmp_path / "raw" / file).read_bytes() == stops_csv()
    ledger = list(csv.DictReader((tmp_path / "raw/ledger.csv").read_text().splitlines()))
    address = f"https://data.police.uk/data/archive/2024-06.zip#2024-06/{STOPS}"
    size, digest = str(len(stops_csv())), hashlib.sha256(stops_csv()).hexdigest()
    assert list(ledger[0]) == ["file", "source", "address", "time", "bytes", "sha256", "etag"]
    row = (file, "police-uk-stops", address, "2025-06-03T22:30:00+00:00", size, digest, "")
    assert tuple(ledger[0].values()) == row
    before = tree(tmp_path / "raw")
    server.asked.clear()
    assert run("police-uk-stops", **JUNE) == [(file, "kept")]
    assert not [path for path in server.paths() if path.startswith(ARCHIVE)]
    may = tmp_path / "raw/police_uk/2024-05/2024-05-metropolitan-stop-and-search.csv"
    for spoil in (may.unlink, lambda: (tmp_path / "raw" / file).write_bytes(stops_csv()[:100])):
        spoil()
        assert [status for _, status in run("police-uk-stops", **asked)].count("fetched") == 1
        assert tree(tmp_path / "raw") == before


def test_the_members_that_are_wanted_are_taken_out_of_a_zip_though_another_publisher_fails(server, run, tmp_path):
    census = {"census2021-ts044-ltla.csv": HOUSEHOLDS.encode(), "census2021-ts044-oa.csv": b"not wanted"}
    server.answers["/www.nomisweb.co.uk/output/census/2021/census2021-ts044.zip"] = Answer(zipped(census), ranges=False)
    made = write_outlines(tmp_path / "shapes/London_Ward.shp", GLA_WARDS)
    shapes = {f"a/b/{path.name}": path.read_bytes() for path in sorted(made.parent.iterdir())}
    served = {"London-wards-2018.zip": Answer(zipped(shapes | {"a/b/London_Borough.shp": b"not wanted"}))}
    serve_datastore(server, "statistical-gis-boundary-files-london", served)
    got = run("mps-knife-crime", "gla-wards-2018", "ons-households")
    assert [status for _, status in got] == ["failed", *["fetched"] * (len(shapes) + 1)]
    assert ons.read_wards(tmp_path / "raw/ons/wards-2018/London_Ward.shp").frame["ward_code"].to_list() == ["E05000002"]
    placed = {f"ons/wards-2018/{PurePosixPath(name).name}" for name in shapes}
    assert set(tree(tmp_path / "raw")) == placed | {"ledger.csv", "ons/census2021-ts044-ltla.csv"}


def test_a_member_larger_than_it_says_or_than_is_sane_is_refused(tmp_path, monkeypatch):
    body = zipped({"a.csv": b"a" * 5_000_000})
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (info,) = archive.infolist()
        monkeypatch.setattr(web, "_LARGEST_FILE", 1_000_000)
        with pytest.raises(web.FetchError, match="unpacks to 5,000,000 bytes: refused"):
            web.copy_member(archive, info, tmp_path / "a")
        info.file_size = 1_000
        with pytest.raises(web.FetchError, match="cannot be unpacked: Bad CRC-32"):
            web.copy_member(archive, info, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_an_archive_that_changes_while_it_is_read_is_not_mixed(server, asking, tmp_path):
    """The directory of one version and a member of another: the check sum of the member tells."""
    members = {"a.csv": os.urandom(600_000), "b.csv": os.urandom(600_000)}
    server.answers["/example.org/a"] = Answer(zipped(members))
    with asking().open_zip(A, tmp_path / "whole") as archive:
        server.answers["/example.org/a"] = Answer(zipped({name: body[::-1] for name, body in members.items()}))
        with pytest.raises(web.FetchError, match="cannot be unpacked"):
            web.copy_member(archive, archive.infolist()[0], tmp_path / "a")


# What publishers overwrite --------------------------------------------------------------------------------------------


def test_each_snapshot_is_kept_and_none_is_written_over(server, run, tmp_path):
    first = crime_csv(["202401", "202402"])
    new = Answer(first, etag='"r1"')
    serve_datastore(server, "exy3m", {HISTORICAL: Answer(crime_csv(["202311", "202312"]), etag='"h1"'), RECENT: new})
    assert run("mps-borough-crime") == [(file, "fetched") for file in OF_CRIME]
    assert [status for _, status in run("mps-borough-crime")] == ["kept", "unchanged", "unchanged"]
    assert server.asked[-1][1]["If-None-Match"] == '"h1"'
    assert server.paths().count(RELEASED) == 1, "the whole history is asked for once"

    new.body, new.etag = crime_csv(["202402", "202403"]), '"r2"'
    assert run("mps-borough-crime")[1] == (f"mps/2024-03/{RECENT}", "fetched")
    assert (tmp_path / f"raw/mps/2024-02/{RECENT}").read_bytes() == first

    new.body, new.etag = crime_csv(["202402", "202403"], count=41), '"r3"'
    assert run("mps-borough-crime")[1] == (f"mps/2024-03/{RECENT}", "kept")
    assert "the publisher has since changed this snapshot" in run.last[1].said
    assert (tmp_path / f"raw/mps/2024-03/{RECENT}").read_bytes() == crime_csv(["202402", "202403"])


def test_a_release_that_is_not_the_whole_history_is_not_kept_and_stops_nothing(server, run, tmp_path):
    serve_datastore(server, "exy3m", {RECENT: Answer(crime_csv(["202401", "202402"]))})
    server.answers[RELEASED] = Answer(crime_csv(months_between("2020-08", "2023-09")))
    assert run("mps-borough-crime") == [(OF_CRIME[0], "failed"), (OF_CRIME[1], "fetched")]
    assert "expected the months 2010-04 to 2023-09; found 2020-08 to 2023-09" in run.last[0].said
    assert "by hand: https://data.london.gov.uk/dataset/mps-rec" in run.last[0].said
    assert not (tmp_path / "raw/mps/2023-09").exists()


# What is there already ------------------------------------------------------------------------------------------------


def test_a_file_put_there_by_hand_is_kept(server, run, tmp_path):
    by_hand = tmp_path / "raw/mps/2024-04" / KNIFE
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(knife_csv(count=1))
    households = tmp_path / "raw/ons/census2021-ts044-ltla.csv"
    households.parent.mkdir()
    households.write_text("by hand")
    serve_datastore(server, "e5n6w", {KNIFE: Answer(knife_csv(count=2))})
    assert [status for _, status in run("mps-knife-crime", "ons-households")] == ["kept", "kept"]
    assert households.read_text() == "by hand"
    assert by_hand.read_bytes() == knife_csv(count=1)


# Open Geography -------------------------------------------------------------------------------------------------------

WARDS_2024 = "Wards_December_2024_Boundaries_UK_BFC"
WARDS = f"/services1.arcgis.com/ESMARspQHYMw9BZ9/arcgis/rest/services/{WARDS_2024}/FeatureServer/0/query"


def layer(rows, *, page=200, lose=0):
    """A FeatureServer of these features, or of so many square wards, `page` at a time; `lose` of them never come."""
    rows = [square_ward(n) for n in range(rows)] if isinstance(rows, int) else rows

    def answer(query):
        if "returnCountOnly" in query:
            return Answer({"count": len(rows)})
        at, size = int(query["resultOffset"][0]), min(page, int(query["resultRecordCount"][0]))
        came = rows[: len(rows) - lose][at : at + size]
        return Answer({"type": "FeatureCollection", "features": came[::-1]})

    return answer


def square_ward(n):
    x, y = -0.1 + 0.001 * (n % 30), 51.5 + 0.001 * (n // 30)
    names = {"WD24CD": f"E05{n:06d}", "WD24NM": f"Ward {n}", "LAD24CD": "E09000030"}
    return {"type": "Feature", "properties": names, "geometry": mapping(box(x, y, x + 0.001, y + 0.001))}


@pytest.mark.parametrize("page", [200, 90])
def test_a_layer_is_put_together_from_its_pages(server, run, tmp_path, page):
    server.answers[WARDS] = layer(450, page=page)
    assert run("ons-wards-2024") == [("ons/wards-2024/wards.geojson", "fetched")]
    assert len(server.asked) == 1 + -(-450 // page)
    frame = ons.read_wards(tmp_path / "raw/ons/wards-2024/wards.geojson").frame
    assert frame["ward_code"].to_list() == [f"E05{n:06d}" for n in range(450)]
    assert 529_000 < frame["easting"].min() < 533_000
    assert run("ons-wards-2024")[0][1] == "kept"


def test_a_lookup_becomes_the_csv_that_its_page_offers(server, run, tmp_path):
    names = ("LSOA21CD", "LSOA21NM", "WD24CD", "WD24NM", "LAD24CD", "LAD24NM")
    rows = [(f"E0100000{n}", "x, y", "E05009317", "Bethnal Green", "E09000030", "Tower Hamlets") for n in (2, 1)]
    features = [{"properties": dict(zip(names, row)), "geometry": None} for row in rows]
    server.answers[WARDS.replace(WARDS_2024, "LSOA21_WD24_LAD24_EW_LU")] = layer(features)
    file = "ons/LSOA_(2021)_to_Electoral_Ward_(2024)_to_LAD_(2024)_Best_Fit_Lookup_in_EW.csv"
    assert run("ons-lsoa-lookup") == [(file, "fetched")]
    assert (tmp_path / "raw" / file).read_text().splitlines()[1].startswith('E01000001,"x, y",E05009317')


# What is not what it should be ----------------------------------------------------------------------------------------


def linked(name: str) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


LONDON = "https://data.london.gov.uk"
CUT = Answer(knife_csv(), faults=[{"headers": {"Content-Length": "150"}}])  # the rest is lost in silence
NO_UTF_8 = zipped({"é/London_Ward.shp": b"x"}).replace("é".encode(), b"\xff\xff")
WRONG_MONTH = {f"2024-06/{STOPS}": stops_csv("2024-05")}
# By source: what its page or its file is, and what is said of it.
WRONG_FILES = {
    "a web page": ("mps-knife-crime", Answer(PAGE), "expected a CSV table; found a web page"),
    "too small a content length": ("mps-knife-crime", CUT, "expected"),
    "another file": ("mps-knife-crime", Answer(stops_csv()), "expected a column"),
    "a member above": ("gla-wards-2018", Answer(zipped({"../London_Ward.shp": b"x"})), "points out of its folder"),
    "a link": ("gla-wards-2018", Answer(linked("a/London_Ward.shp")), "is a link"),
    "no shapefile": ("gla-wards-2018", Answer(zipped({"readme.txt": b"x"})), "has no member like"),
    "half a shapefile": ("gla-wards-2018", Answer(zipped({"a/London_Ward.shp": b"x"})), "expected a shapefile"),
    "a zip cut short": ("gla-wards-2018", Answer(zipped({"a": b"abc" * 50})[:-40]), "File is not a zip file"),
    "no UTF-8": ("gla-wards-2018", Answer(NO_UTF_8), "expected a zip archive"),
}
WRONG_PAGES = {
    "no such file": ("mps-knife-crime", listing(f"{LONDON}/M1045_TNOCrimeData.csv"), "lists no file like"),
    "a page that is none": ("mps-knife-crime", PAGE, "found a web page (an error page saved as data?)"),
    "a deep answer": ("mps-knife-crime", b"[" * 100_000, "answer of the documented shape; found"),
    "another month": ("police-uk-stops", zipped(WRONG_MONTH), "3 of 3 rows of other months, 3 of May 2024"),
    "another type": ("mps-knife-crime", listing(7), "Expected `str`, got `int` - at `$.resources[...].url`"),
    "no address": ("mps-knife-crime", listing(f"https://[::1/{KNIFE}"), "Invalid port"),
    "a file of this machine": ("mps-knife-crime", listing(f"file:///etc/{KNIFE}"), "only https addresses are asked"),
    # A slash that was quoted came back inside the name, and with it a file of the server's choosing.
    "a quoted slash": ("mopac-attitudes", listing(f"{LONDON}/PAS_{'%2F..' * 5}%2Fevil.csv"), "lists no file like"),
    "a quoted backslash": ("mopac-attitudes", listing(f"{LONDON}/PAS_{'%5C..' * 5}%5Cevil.csv"), "lists no file like"),
    "areas that never come": ("ons-wards-2024", layer(450, lose=10), "440 of 450 areas came"),
    "no count": ("ons-wards-2024", {"error": {"code": 400}}, "Object missing required field `count`"),
    "no areas": ("ons-wards-2024", {"count": 5}, "Object missing required field `features`"),
}


WRONG = WRONG_FILES | WRONG_PAGES


@pytest.mark.parametrize(("source", "served", "said"), WRONG.values(), ids=WRONG)
def test_what_is_not_what_it_should_be_is_refused_and_changes_nothing(server, run, tmp_path, source, served, said):
    page = catalogue.sources()[source].fetch["url"].replace("https:/", "").format(month="2024-06")
    serve_dates(server, "2024-06")
    if isinstance(served, Answer):
        name = KNIFE if source == "mps-knife-crime" else "London-wards-2018.zip"
        serve_datastore(server, PurePosixPath(page).name, {name: copy.deepcopy(served)})  # a fault is used up
    else:
        server.answers[page] = served if callable(served) else Answer(served)
    held = tmp_path / "raw/mps/2024-04" / KNIFE
    held.parent.mkdir(parents=True)
    held.write_bytes(knife_csv())
    before = tree(tmp_path / "raw")
    assert run(source, **JUNE) == [(source, "failed")]
    assert said in run.last[0].said
    assert f"nothing was replaced; by hand: {catalogue.sources()[source].address} → " in run.last[0].said
    assert tree(tmp_path / "raw") == before and [path.name for path in tmp_path.iterdir()] == ["raw"]


# The police API -------------------------------------------------------------------------------------------------------


def test_stops_of_the_api_are_asked_for_by_force_and_month(server, run):
    serve_dates(server, "2024-06")
    record = {"datetime": "2024-06-10T12:00:00+00:00", "type": "Person search", "location": None}
    server.answers[f"{API}stops-force"] = Answer([record])
    file = "police_uk_api/stops-force/metropolitan-2024-06.json"
    assert run("police-uk-stops-api", **JUNE)[0] == (file, "fetched")
    assert parse_qs(urlsplit(server.paths()[-1]).query) == {"force": ["metropolitan"], "date": ["2024-06"]}


def test_a_capture_tells_none_published_from_not_captured_names_nobody_and_goes_on_later(
    server, run, wardbook, tmp_path, monkeypatch
):
    serve_neighbourhoods(server)
    monkeypatch.setattr(fetch, "Manners", lambda: Clock().manners())
    asked = ("--source", "engagement", "--borough", "Tower Hamlets")
    told = wardbook("fetch", *asked, "--raw", "raw", "--mirror", server.url)
    assert told.exit_code == 1, "one answer could not be had"
    assert {PurePosixPath(path).name for path in server.paths()} == {"neighbourhoods", "events", "priorities"}
    people = tmp_path / f"raw/police_uk_api/engagement/{TODAY}/E05009317N/people.json"
    people.write_text(json.dumps([{"name": PLANTED, "rank": "PC"}]))  # put there by somebody else
    captured = police_uk_api.read_captures(tmp_path / "raw")
    of_events = captured.captures.filter(kind="events")
    assert of_events.select("neighbourhood_id", "capture_date", "status", "count").rows() == [
        ("E05009317N", date.fromisoformat(TODAY), "published", 1),
        ("E05009318N", date.fromisoformat(TODAY), "none published", 0),
        ("E05009319N", date.fromisoformat(TODAY), "failed", 0),
    ]
    assert captured.events["start"][0].isoformat() == "2025-06-10T19:00:00+01:00"
    assert captured.events.select("type", "title").rows() == [("drop-in surgery", None)]
    assert captured.priorities.select("ward_code", "issue", "action_date").rows() == [("E05009317", "theft", None)]
    tables = [frame.write_csv() for frame in (captured.events, captured.priorities, captured.captures)]
    files = [path.read_text() for path in (tmp_path / "raw").rglob("*") if path.is_file() and path != people]
    assert not [text for text in (*tables, *files, told.stdout, told.stderr) if PLANTED in text]

    server.asked.clear()
    assert [status for _, status in run("engagement", borough="Tower Hamlets")] == ["fetched"]
    assert server.paths() == [f"{API}metropolitan/neighbourhoods", f"{API}metropolitan/E05009319N/events"]
    again = police_uk_api.read_captures(tmp_path / "raw").captures.filter(kind="events")
    assert again["status"].to_list() == ["published", "none published", "none published"]


def test_a_capture_stops_asking_a_server_that_no_longer_answers(server, run):
    serve_neighbourhoods(server)
    for path, answer in server.answers.items():
        if "E05" in path:
            answer.faults = [{"status": 500}] * 50
    run("engagement", borough="Tower Hamlets")
    assert "five answers running failed" in run.last[-1].said


# The command ----------------------------------------------------------------------------------------------------------


def test_without_a_network_one_sentence_names_the_page_and_the_folder(wardbook):
    told = wardbook("fetch", "--source", "police-uk-stops", "--raw", "raw", "--mirror", "http://127.0.0.1:9")
    assert (told.exit_code, told.stdout) == (1, "raw\n")
    (line,) = told.stderr.splitlines()
    assert line.startswith("wardbook: police-uk-stops: data.police.uk could not be reached; nothing was replaced; by")
    assert "https://data.police.uk/data/ → police_uk/*/*-metropolitan-stop-and-search.csv (below raw)" in line


# From nothing to outputs ----------------------------------------------------------------------------------------------


def features(path, columns=None):
    """The rows of a file of outlines as a FeatureServer gives them."""
    table = geopandas.read_file(path).rename(columns=columns or {}).to_crs(4326)
    codes = [name for name in table.columns if re.search(r"\d\d(CD|NM)$", name)]
    return json.loads(table[[*codes, "geometry"]].to_json())["features"]


def serve_publishers(server, raw):
    """Every publisher's address, answered with the files it published; what is not at hand is made up."""
    history = pl.read_csv(raw / f"mps/2025-11/{HISTORICAL}", infer_schema=False)
    server.answers[RELEASED] = Answer(history.drop(months_between("2023-10", "2023-11")).write_csv().encode())
    knife = pl.read_parquet(raw / "mps/monthly-crime-dashboard.parquet").drop("sheet").rename(str.title)
    shapes = zipped({f"a/b/{path.name}": path.read_bytes() for path in sorted(raw.glob("ons/wards-2018/*"))})
    crime = (f"mps/2025-11/{RECENT}", "mps/2025-12/MPS Ward Level Crime (most recent 24 months).csv")
    shorter = history.drop(months_between("2010-04", "2020-07")).write_csv().encode()
    for dataset, patterns, made in (
        ("exy3m", crime, {HISTORICAL: Answer(shorter)}),
        ("e5n6w", (), {KNIFE: Answer(knife.write_csv(datetime_format="%d/%m/%Y").encode())}),
        ("statistical-gis-boundary-files-london", (), {"London-wards-2018.zip": Answer(shapes)}),
        ("mopac-surveys-245jx", ("mopac/PAS_*.csv",), {}),
        ("london_boroughs", ("ons/London_Boroughs.gpkg",), {}),
        ("2021-census-ethnic-group", ("gla/*Ethnic*.xlsx",), {}),
    ):
        files = [path for pattern in patterns for path in sorted(raw.glob(pattern))]
        serve_datastore(server, dataset, {path.name: Answer(path.read_bytes()) for path in files} | made)
    lookup = pl.read_csv(next(raw.glob("ons/LSOA*.csv")), infer_schema=False).to_dicts()
    districts = {"gss_code": "LAD24CD", "name": "LAD24NM"}
    small_areas = "Lower_layer_Super_Output_Areas_December_2021_Boundaries_EW_BGC_V5"
    for name, rows in {
        WARDS_2024: features(raw / "ons/wards-2024/london_ward.gpkg"),
        WARDS_2024.replace("Wards", "Local_Authority_Districts"): features(raw / "ons/London_Boroughs.gpkg", districts),
        small_areas: features(next(raw.glob("ons/lsoa-2021/*.shp"))),
        "LSOA21_WD24_LAD24_EW_LU": [{"properties": row, "geometry": None} for row in lookup],
    }.items():
        server.answers[WARDS.replace(WARDS_2024, name)] = layer(rows)
    census = {"census2021-ts044-ltla.csv": (raw / "ons/census2021-ts044-ltla.csv").read_bytes()}
    server.answers["/www.nomisweb.co.uk/output/census/2021/census2021-ts044.zip"] = Answer(zipped(census), ranges=False)
    months_of_stops = ["2023-12", "2024-01", "2024-02", "2024-03"]
    serve_dates(server, *months_of_stops)
    names = [f"{month}/{month}-metropolitan-stop-and-search.csv" for month in months_of_stops]
    members = {name: (raw / "police_uk" / name).read_bytes() for name in names}
    server.answers[f"{ARCHIVE}2024-03.zip"] = Answer(zipped(members), etag='"2024-03"')
    serve_neighbourhoods(server)
    server.answers[f"{API}metropolitan/{TOWER_HAMLETS[-1]}/events"].faults = []


@pytest.mark.whole
def test_from_nothing_to_outputs(server, raw, wardbook, tmp_path):
    serve_publishers(server, raw)
    span = ("--from", "2023-12", "--to", "2024-03")
    told = wardbook("fetch", "--borough", "Tower Hamlets", *span, "--raw", "raw", "--mirror", server.url)
    assert told.exit_code == 0, told.stderr
    ledger = list(csv.DictReader((tmp_path / "raw/ledger.csv").read_text().splitlines()))
    held = tree(tmp_path / "raw")
    assert not [row for row in ledger if held[row["file"]] != row["sha256"] or "https://" not in row["address"]]
    assert {row["source"] for row in ledger} == {source.key for source in fetch.choose([])}

    told = wardbook("build", "--raw", "raw", "--out", "edition")
    assert told.exit_code == 0, told.stderr
    missing = {line.partition(": no file ")[0] for line in told.stdout.splitlines() if ": no file " in line}
    unasked = [source for source in catalogue.sources().values() if source not in fetch.choose([])]
    spare = catalogue.sources()["ons-boroughs-2024"]  # the outlines of the GLA are finer
    assert missing == {source.title for source in (*unasked, spare)}, "these are fetched when named, or put by hand"
    words = ("--only", "01_targets", "--edition", "edition", "--out", "outputs")
    told = wardbook("run", "--borough", "Tower Hamlets", *words)
    assert told.exit_code == 0, told.stderr
    folder = tmp_path / told.stdout.splitlines()[-2]  # the last line is its summary page
    assert all(list(folder.glob(kind)) for kind in ("run.json", "charts/*.svg", "tables/*.csv"))
