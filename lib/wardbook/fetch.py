"""`wardbook fetch`: the publishers' files, as `data/catalogue.toml` names them, into a raw folder that is never edited.

A file is downloaded beside its place, read by the reader that will read it, and only then put there in one rename, after
its address, time, size and SHA-256 are in the ledger; so a run that is killed leaves no half file, and run again ends with
the same files. What lies there already, fetched or put there by hand, is kept. Nothing fetched is executed or unpickled;
a file's place comes from the catalogue and never from a name inside an answer.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date
from functools import cached_property
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from wardbook import catalogue, folders, places
from wardbook.periods import Period, month_after
from wardbook.sources import police_uk_api
from wardbook.sources.reading import SourceError
from wardbook.web import FetchError, Manners, NotThere, Web, copy_member, read_zip

FORCE = "metropolitan"
LEDGER = "ledger.csv"
_COLUMNS = ["file", "source", "address", "time", "bytes", "sha256", "etag"]


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `status` is fetched, kept, unchanged, not published or failed; `said` explains."""

    source: str
    file: str
    status: str
    bytes: int = 0
    said: str = ""


# What publishers' listings answer -------------------------------------------------------------------------------------


class _Resource(msgspec.Struct):
    url: str = ""
    temporal_coverage_to: str | None = None
    check_timestamp: str | None = None


class _Dataset(msgspec.Struct):
    """A page of the London Datastore."""

    resources: dict[str, _Resource]


class _Count(msgspec.Struct):
    count: int


class _Feature(msgspec.Struct):
    properties: dict[str, str | int | float | None]
    geometry: msgspec.Raw = msgspec.Raw(b"null")
    type: str = "Feature"


class _Page(msgspec.Struct):
    """A page of a layer of the Open Geography portal."""

    features: list[_Feature]


class _Month(msgspec.Struct, rename={"stops": "stop-and-search"}):
    """A month of data.police.uk, and the forces whose stops it has."""

    date: Annotated[str, msgspec.Meta(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
    stops: list[str] = []


class _Neighbourhood(msgspec.Struct):
    id: str


# One run ----------------------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    """One `wardbook fetch`: where to, for whom, which months, and what became of each file."""

    raw: Path
    area: places.Area
    first: date | None
    last: date | None
    web: Web
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.staging, self.ledger = self.raw / ".staging", []
        if (self.raw / LEDGER).is_file():
            with (self.raw / LEDGER).open(encoding="utf-8", newline="") as handle:
                self.ledger = list(csv.DictReader(handle))

    def listed(self, column: str, value: str) -> dict[str, str] | None:
        """The ledger's last line of a file or an address."""
        return next((row for row in reversed(self.ledger) if row.get(column) == value), None)

    def note(self, source: catalogue.Source, file: str, status: str, size: int = 0, said: str = "") -> None:
        self.outcomes.append(Outcome(source.key, file, status, size, said))

    def fail(self, source: catalogue.Source, file: str, error: Exception) -> None:
        said = str(error).replace(f"{self.staging}{os.sep}", "")
        place = f"{' or '.join([source.pattern, *source.also])} (below {self.raw})"
        hand = f"; nothing was replaced; by hand: {source.address} → {place}"
        self.note(source, file, "failed", said=said + hand)

    def there(self, source: catalogue.Source, file: str) -> bool:
        """Is the file in its place, and as it was fetched? One without a line in the ledger was put there by hand."""
        target, row = self.raw / file, self.listed("file", file)
        if target.is_file() and (row is None or row["sha256"] == folders.sha256(target)):
            self.note(source, file, "kept", said="" if row else "put there by hand")
            return True
        return False

    def held(self, source: catalogue.Source) -> bool:
        """Does the folder hold a file of a source that is published once, under whatever name it was put there?"""
        files = [path.relative_to(self.raw).as_posix() for path in catalogue.files(self.raw, source.key)]
        return bool(files) and all(self.there(source, file) for file in files)

    def stage(self, file: str) -> Path:
        staged = self.staging / file
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    def record(self, source: catalogue.Source, path: Path, file: str, address: str, etag: str = "") -> None:
        """Write a file's line in the ledger, where it has none yet; replaced as a whole, it never ends in half a line."""
        digest, last = folders.sha256(path), self.listed("file", file)
        if last and (last["sha256"], last["etag"]) == (digest, etag):
            return
        when = self.web.manners.now().astimezone(UTC).isoformat(timespec="seconds")
        values = (file, source.key, address, when, str(path.stat().st_size), digest, etag)
        self.ledger.append(dict(zip(_COLUMNS, values)))
        work = self.stage(LEDGER)
        pl.DataFrame(self.ledger, dict.fromkeys(_COLUMNS, pl.String)).write_csv(work)
        work.replace(self.raw / LEDGER)

    def place(self, source: catalogue.Source, staged: Path, file: str, address: str, etag: str = "") -> None:
        """Put a file that passed its checks in its place; the ledger first, so that no file is without a line."""
        target = self.raw / file
        same = target.is_file() and folders.sha256(target) == folders.sha256(staged)
        if target.is_file() and not same and "{snapshot}" in source.fetch["into"]:
            said = "the publisher has since changed this snapshot; the older one stays. To have the newer, move it away"
            self.note(source, file, "kept", said=said)
            return
        self.record(source, staged, file, address, etag)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)
        self.note(source, file, "unchanged" if same else "fetched", target.stat().st_size)

    # -- months ------------------------------------------------------------------------------------------------------

    @cached_property
    def dates(self) -> dict[str, list[str]]:
        """What `crimes-street-dates` says is published: month → the forces whose stops are."""
        url = catalogue.sources()["police-uk-stops-api"].fetch["url"] + "crimes-street-dates"
        listed = self.web.json(url, list[_Month])
        if not listed:
            raise FetchError(f"{url}: expected a list of months; found none")
        return {month.date: month.stops for month in listed}

    def months(self, source: catalogue.Source) -> list[str]:
        """The months asked for, newest first, without those that are known not to be published (each is said)."""
        last = self.last or date.fromisoformat(f"{max(self.dates)}-01")
        first = self.first or month_after(last, -11)
        published = []
        for month in (f"{month:%Y-%m}" for month in reversed(Period(first, last).months)):
            # The list goes back three years; older months are in the archives all the same.
            if month < min(self.dates) or FORCE in self.dates.get(month, ()):
                published.append(month)
            else:
                self.note(source, month, "not published", said="crimes-street-dates does not have it")
        return published

    # -- one way a kind of publisher ---------------------------------------------------------------------------------

    def datastore(self, source: catalogue.Source) -> None:
        """The files of a London Datastore page whose names fit; a page may list several releases of one name."""
        spec, into = source.fetch, source.fetch["into"]
        if "{snapshot}" not in into and self.held(source):
            return
        for release in spec.get("releases", ()):
            self.release(source, release)
        listed: dict[str, list[_Resource]] = {}
        for resource in self.web.json(spec["url"], _Dataset).resources.values():
            # Unquoted first: a quoted slash would else come back inside a name, and lead out of the folder.
            name = PurePosixPath(unquote(resource.url.partition("?")[0]).replace("\\", "/")).name
            if re.fullmatch(spec["choose"], name):
                listed.setdefault(name, []).append(resource)
        if not listed:
            raise FetchError(f"{spec['url']} lists no file like {spec['choose']}")
        snapshot = ""
        # "Historical" goes by the snapshot of the file it continues in, since its own months do not tell.
        for name in sorted(listed, key=lambda name: ("Historical" in name, name)):
            newest = max(listed[name], key=lambda one: (one.temporal_coverage_to or "", one.check_timestamp or ""))
            known = self.listed("address", newest.url)
            known = known if known and (self.raw / known["file"]).is_file() else None
            staged = self.stage(f"{source.key}/{snapshot or 'new'}/{name}")
            etag = self.web.download(newest.url, staged, etag=known["etag"] if known else "")
            if etag is None:
                self.note(source, known["file"], "unchanged")
                snapshot = snapshot or PurePosixPath(known["file"]).parent.name
            elif "member" in spec:
                with read_zip(staged, newest.url) as archive:
                    self.unpack(source, archive, newest.url)
            else:
                loaded = source.read(staged)
                if "{snapshot}" in into:
                    snapshot = snapshot or _snapshot(loaded.frame)
                self.place(source, staged, into.format(snapshot=snapshot, name=name), newest.url, etag)

    def release(self, source: catalogue.Source, release: dict) -> None:
        """An older file of a source, at an address of its own: asked for once, and kept, for the page may list shorter ones.

        One that cannot be had does not stop what the page lists.
        """
        file, staged = release["into"], self.stage(release["into"])
        if self.there(source, file):
            return
        try:
            etag = self.web.download(release["url"], staged)
            months = source.read(staged).frame["month"]
            held, expected = f"{months.min():%Y-%m} to {months.max():%Y-%m}", " to ".join(release["months"])
            if held != expected:
                raise SourceError(staged, f"the months {expected}", held)
            self.place(source, staged, file, release["url"], etag)
        except (FetchError, SourceError) as error:
            self.fail(source, file, error)

    def unpack(self, source: catalogue.Source, archive: zipfile.ZipFile, url: str) -> None:
        """The members of a zip that fit, checked together (a shapefile is several files), then placed."""
        spec, staged = source.fetch, []
        for info in archive.infolist():
            if re.fullmatch(spec["member"], info.filename):
                staged.append(self.stage(spec["into"].format(name=PurePosixPath(info.filename).name)))
                copy_member(archive, info, staged[-1])
        read = [path for path in staged if path.match(source.pattern)]
        if not read:
            raise FetchError(f"{url} has no member like {spec['member']}")
        for path in read:
            source.read(path)
        for path in staged:
            self.place(source, path, path.relative_to(self.staging).as_posix(), url)

    def zip(self, source: catalogue.Source) -> None:
        """A zip at a fixed address, of which only the members that are wanted are read."""
        url = source.fetch["url"]
        if not self.held(source):
            with self.web.open_zip(url, self.stage(PurePosixPath(url).name)) as archive:
                self.unpack(source, archive, url)

    def archive(self, source: catalogue.Source) -> None:
        """Members of monthly zips, each of which holds the three years up to its month; only those members are read.

        Which archive a month is read from depends on the months asked for, never on those that are there already: a later
        archive may hold a revised file, and a run that was broken off must end with the same ones.
        """
        spec, months = source.fetch, self.months(source)
        files = {month: spec["into"].format(month=month) for month in months}
        missing = {month for month in months if not self.there(source, files[month])}
        while missing:
            newest = months[0]
            url = spec["url"].format(month=newest)
            held: set[str] = set()
            try:
                with self.web.open_zip(url, self.stage(PurePosixPath(url).name)) as archive:
                    members = {info.filename: info for info in archive.infolist()}
                    held = {month for month in months if spec["member"].format(month=month) in members}
                    for month in sorted(held & missing, reverse=True):
                        info, staged = members[spec["member"].format(month=month)], self.stage(files[month])
                        copy_member(archive, info, staged)
                        source.read(staged)
                        self.place(source, staged, files[month], f"{url}#{quote(info.filename)}")
            except NotThere:
                pass  # said below, and looked for in the archive of the month before
            if newest in missing - held:
                self.note(source, newest, "not published", said=f"not in {url}")
            months = [month for month in months if month not in held | {newest}]
            missing &= set(months)

    def arcgis(self, source: catalogue.Source) -> None:
        """A layer of the Open Geography portal, page by page, held to the count the server gives for the whole."""
        spec, file = source.fetch, source.fetch["into"]
        if self.held(source):
            return
        fields, outlines = spec["fields"].split(","), file.endswith(".geojson")
        address = f"{spec['url']}?{urlencode({'where': spec['where']})}"
        count = self.web.json(f"{address}&returnCountOnly=true&f=json", _Count).count
        asked = {"outFields": spec["fields"], "orderByFields": fields[0], "f": "geojson", "outSR": "4326"}
        asked |= {"geometryPrecision": "6", "returnGeometry": str(outlines).lower()}
        asked |= {"resultRecordCount": "200" if outlines else "2000"}
        features: dict[str, _Feature] = {}
        while len(features) < count:
            query = urlencode(asked | {"resultOffset": len(features)})
            page = self.web.json(f"{address}&{query}", _Page).features
            more = {str(feature.properties.get(fields[0])): feature for feature in page}
            if more.keys() <= features.keys():
                break
            features |= more
        if len(features) != count:
            raise FetchError(f"{spec['url']}: {len(features):,} of {count:,} areas came")
        rows, staged = [features[key] for key in sorted(features)], self.stage(file)
        if outlines:
            staged.write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": rows}))
        else:
            table = pl.DataFrame([row.properties for row in rows], dict.fromkeys(fields, pl.String), strict=False)
            table.write_csv(staged)
        source.read(staged)
        self.place(source, staged, file, address)

    def stops(self, source: catalogue.Source) -> None:
        """The police API's stops, a file a month."""
        for month in self.months(source):
            file = source.fetch["into"].format(month=month)
            if self.there(source, file):
                continue
            url, staged = f"{source.fetch['url']}stops-force?force={FORCE}&date={month}", self.stage(file)
            etag = self.web.download(url, staged)
            if source.read(staged).frame.is_empty():
                self.note(source, month, "not published", said="the answer is empty")
            else:
                self.place(source, staged, file, url, etag)

    @cached_property
    def wards(self) -> set[str]:
        """The ward codes of the area, from the committed edition."""
        from wardbook.edition import open_edition

        table = open_edition().table("wards").filter(pl.col("vintages").str.contains("2024"))
        codes = places.boroughs()["borough_code"] if self.area.is_london else [self.area.code]
        return set(table.filter(pl.col("borough_code").is_in(list(codes)))["ward_code"])

    def engagement(self, source: catalogue.Source) -> None:
        """Today's capture: what each neighbourhood of the area publishes now, and which of them could not be asked.

        An empty list is an answer ("none published"); a failed request is not ("failed"), and is made again by the next run
        of the day. Only kinds and times are written, no text, and `people` is never asked for.
        """
        today = self.web.manners.now().astimezone(ZoneInfo("Europe/London")).date().isoformat()
        folder, url = source.fetch["into"].format(day=today), f"{source.fetch['url']}{FORCE}/"
        day = self.raw / folder
        listed = self.web.json(f"{url}neighbourhoods", list[_Neighbourhood])
        ids = sorted(one.id for one in listed if police_uk_api.ward_of(one.id) in self.wards)
        if not ids:
            raise FetchError(f"none of the {len(listed)} neighbourhoods has the id of a ward of {self.area.name}")
        day.mkdir(parents=True, exist_ok=True)
        rows = {(row["neighbourhood_id"], row["kind"]): row for row in police_uk_api.read_manifest(day)}
        manifest, in_a_row = f"{folder}/{police_uk_api.MANIFEST}", 0
        captured = {key for key, row in rows.items() if row["status"] != police_uk_api.FAILED}
        asked = [key for key in product(ids, police_uk_api.KINDS) if key not in captured]
        for name, kind in asked:
            status, count = police_uk_api.FAILED, 0
            try:
                path = f"{FORCE}/{quote(name, safe='')}/{kind}"
                answer = police_uk_api.stored(kind, self.web.read(source.fetch["url"] + path), path)
                count, in_a_row = len(answer), 0
                status = police_uk_api.PUBLISHED if answer else police_uk_api.NONE_PUBLISHED
                target, staged = police_uk_api.answer_path(day, name, kind), self.stage("answer.json")
                staged.write_bytes(msgspec.json.encode(answer))
                target.parent.mkdir(exist_ok=True)
                staged.replace(target)
            except (FetchError, SourceError) as error:
                in_a_row += 1
                self.note(source, f"{folder}/{name}/{kind}", "failed", said=str(error))
            rows[name, kind] = {"neighbourhood_id": name, "kind": kind, "status": status, "count": count}
            police_uk_api.write_manifest(day, rows.values())
            if in_a_row == 5:
                raise FetchError("five answers running failed: the rest of today's capture is left for another run")
        self.record(source, self.raw / manifest, manifest, url)
        self.note(source, manifest, "fetched" if asked else "unchanged")


def _snapshot(frame: pl.DataFrame) -> str:
    """The last complete month in a file, as its reader has it (a stub of a month is left out by the reader)."""
    if "snapshot" in frame.columns:
        return str(frame["snapshot"][0])
    return str(frame["month" if "month" in frame.columns else "quarter_end"].max())[:7]


def month(text: str) -> date:
    """Read a month written `2024-04`.

    Raises
    ------
    UnknownName
        for anything else.
    """
    if re.fullmatch(r"(19|20)\d{2}-(0[1-9]|1[0-2])", text.strip()):
        return date.fromisoformat(f"{text.strip()}-01")
    raise places.UnknownName("month", text, ["2024-04"], "months are a year and a month such as 2024-04")


def choose(names: Sequence[str]) -> list[catalogue.Source]:
    """The sources that names mean: a key of the catalogue, or a part of one between hyphens (`mps`, `engagement`).

    Without names, every source but those marked `asked_only`.
    """
    known = {key: source for key, source in catalogue.sources().items() if source.fetch}
    if not names:
        return [source for source in known.values() if not source.fetch.get("asked_only")]
    chosen: dict[str, catalogue.Source] = {}
    for name in names:
        fits = {name: known[name]} if name in known else {k: s for k, s in known.items() if f"-{name}-" in f"-{k}-"}
        if not fits:
            raise places.UnknownName("source", name, known, "data/catalogue.toml")
        chosen |= fits
    return [source for key, source in known.items() if key in chosen]


def fetch(
    sources: Sequence[str] = (),
    *,
    borough: str = places.LONDON,
    first: date | None = None,
    last: date | None = None,
    raw: Path | str,
    mirror: str | None = None,
    manners: Manners | None = None,
) -> list[Outcome]:
    """Fetch sources into a raw folder; a source that fails does not stop the others, and is in what is returned.

    Parameters
    ----------
    sources : names for `choose`; none for all.
    borough : whose neighbourhoods and wards; the other files hold all of London.
    first, last : months, for what is published by month; without them the last twelve published.
    mirror : ask every address of this server instead, as MIRROR/host/path.

    Raises
    ------
    UnknownName
        for a source or borough that is not known; nothing was asked.
    """
    chosen, area = choose(sources), places.area(borough)
    if first and last and first > last:
        raise places.UnknownName("month", f"{first:%Y-%m}", [f"{last:%Y-%m}"], "--from comes before --to")
    raw = Path(raw)
    raw.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        # Two at once would take each other's half-made files away. The lock goes with the process, however that ends.
        try:
            held.callback(os.close, folders.lock(raw))
        except BlockingIOError:
            raise FetchError(f"another fetch is at work in {raw}: run this one again when it has ended") from None
        except (ImportError, OSError):  # Windows, and disks that lock no folder
            pass
        run = _Run(raw, area, first, last, Web(mirror, manners or Manners()))
        held.callback(run.web.client.close)
        shutil.rmtree(run.staging, ignore_errors=True)
        held.callback(shutil.rmtree, run.staging, ignore_errors=True)
        for source in chosen:
            try:
                getattr(run, source.fetch["kind"])(source)
            except (FetchError, SourceError) as error:
                run.fail(source, source.key, error)
    return run.outcomes


def report(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What became of each source, as lines to print: how many files, and of those that are not there, which and why."""
    for key in dict.fromkeys(outcome.source for outcome in outcomes):
        its = [outcome for outcome in outcomes if outcome.source == key and outcome.status != "failed"]
        counts = Counter(outcome.status for outcome in its)
        size = sum(outcome.bytes for outcome in its if outcome.status == "fetched")
        told = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
        if told:
            yield f"{catalogue.sources()[key].title}: {told}" + (f" ({size / 1e6:,.1f} MB)" if size else "")
        for outcome in its:
            if outcome.said and outcome.said != "put there by hand":
                yield f"  {outcome.status}: {outcome.file} ({outcome.said})"
