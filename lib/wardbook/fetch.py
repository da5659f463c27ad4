"""`wardbook fetch`: the publishers' files, as `data/catalogue.toml` names them, into a raw folder that is never edited.

A file is downloaded beside its place, read by the reader that will read it, and only then put there in one rename, after
its address, time, size and SHA-256 are in the ledger; so a run that is killed leaves no half file, and run again ends with
the same files. What lies there already, fetched or put there by hand, is kept. Nothing fetched is executed or unpickled;
a file's place comes from the catalogue and never from a name inside an answer.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date
from functools import cached_property
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from wardbook import catalogue, places
from wardbook.sources import police_uk_api
from wardbook.sources.reading import SourceError, check_file
from wardbook.web import (
    FetchError,
    Manners,
    NotThere,
    Progress,
    Unchanged,
    Unreachable,
    Web,
    copy_member,
    open_zip,
    silent,
)

if TYPE_CHECKING:
    import polars as pl

FORCE = "metropolitan"
LEDGER = "ledger.csv"
_COLUMNS = ["file", "source", "address", "time", "bytes", "sha256", "etag"]


class NoNetwork(FetchError):
    """No publisher could be reached at all; the message names the pages to download from by hand, and the folders."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `status` is fetched, kept, unchanged, not published or failed; `said` explains."""

    source: str
    file: str
    status: str
    bytes: int = 0
    said: str = ""


@dataclass
class _Ledger:
    """`ledger.csv`: what was fetched, from where, when. Replaced as a whole, so that it is never half a line."""

    path: Path

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        with self.path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    def last(self, **wanted: str) -> dict[str, str] | None:
        rows = (row for row in reversed(self.rows) if all(row.get(name) == value for name, value in wanted.items()))
        return next(rows, None)

    def add(self, row: dict[str, str]) -> None:
        last = self.last(file=row["file"])
        if last and (last["sha256"], last["etag"]) == (row["sha256"], row["etag"]):
            return
        self.rows.append(row)
        work = self.path.with_name(f".{LEDGER}")
        with work.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        work.replace(self.path)


def _hash(path: Path) -> str:
    import pooch

    return pooch.file_hash(str(path))


def check(source: catalogue.Source, path: Path) -> pl.DataFrame | None:
    """Read a file as the build will, and refuse it (`SourceError`) if it is not what the catalogue says it is."""
    module, function = source.reader.split(".")
    if function == "check_file":  # no table draws on it yet
        check_file(path, path.suffix.lstrip("."))
        return None
    read = getattr(import_module(f"wardbook.sources.{module}"), function)
    loaded = read([path]) if function == "read_crimes" else read(path)
    return getattr(loaded, "frame", None)


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
        self.ledger = _Ledger(self.raw / LEDGER)
        self.staging = self.raw / ".staging"

    def note(self, source: catalogue.Source, file: str, status: str, size: int = 0, said: str = "") -> None:
        self.outcomes.append(Outcome(source.key, file, status, size, said))

    def fail(self, source: catalogue.Source, file: str, error: Exception) -> None:
        said = str(error).replace(f"{self.staging}{os.sep}", "")
        hand = f"; nothing was replaced; by hand: {by_hand([source], self.raw)}"
        self.note(source, file, "failed", said=said + hand)

    def json(self, source: catalogue.Source, path: str = "", *, form: dict | None = None, **query: str) -> Any:
        url = f"{source.fetch['url']}{path}{'?' + urlencode(query) if query else ''}"
        label = f"{path.strip('/') or source.key} {(form or query).get('date', '')}".rstrip()
        return self.web.json(url, label=label, form=form, limit=source.fetch.get("limit"))

    def there(self, source: catalogue.Source, file: str) -> bool:
        """Is the file in its place, and as it was fetched? One without a line in the ledger was put there by hand."""
        target, row = self.raw / file, self.ledger.last(file=file)
        if target.is_file() and (row is None or row["sha256"] == _hash(target)):
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

    def place(
        self,
        source: catalogue.Source,
        staged: Path,
        file: str,
        address: str,
        etag: str = "",
        *,
        status: str = "",
        said: str = "",
    ) -> None:
        """Put a file that passed its checks in its place; the ledger first, so that no file is without a line."""
        target, digest, size = self.raw / file, _hash(staged), staged.stat().st_size
        same = target.is_file() and _hash(target) == digest
        if target.is_file() and not same and "{snapshot}" in source.fetch["into"]:
            said = "the publisher has since changed this snapshot; the older one stays. To have the newer, move it away"
            self.note(source, file, "kept", said=said)
            return
        when = self.web.manners.now().astimezone(UTC).isoformat(timespec="seconds")
        values = (file, source.key, address, when, str(size), digest, etag)
        self.ledger.add(dict(zip(_COLUMNS, values)))
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)
        self.note(source, file, status or ("unchanged" if same else "fetched"), size, said)

    def write_json(
        self, source: catalogue.Source, file: str, answer: Any, address: str, *, checked: bool = True
    ) -> None:
        staged = self.stage(file)
        staged.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if checked:
            check(source, staged)
        self.place(source, staged, file, address)

    # -- months ------------------------------------------------------------------------------------------------------

    @cached_property
    def dates(self) -> dict[str, list[str]]:
        """What `crimes-street-dates` says is published: month → the forces whose stops are."""
        source = catalogue.sources()["police-uk-stops-api"]
        answer = self.json(source, "crimes-street-dates")
        if not isinstance(answer, list) or not answer or not all(isinstance(r, dict) and "date" in r for r in answer):
            raise FetchError(
                f"{source.fetch['url']}crimes-street-dates: expected a list of months; found something else"
            )
        return {str(r["date"]): r.get("stop-and-search") or [] for r in answer}

    def months(self, source: catalogue.Source) -> list[str]:
        """The months asked for, newest first, without those that are known not to be published (each is said)."""
        newest = max(self.dates)
        last = self.last or date.fromisoformat(f"{newest}-01")
        first = self.first or date(last.year - (last.month < 12), (last.month % 12) + 1, 1)
        span = range(last.year * 12 + last.month - 1, first.year * 12 + first.month - 2, -1)
        wanted, oldest = [], min(self.dates)
        for month in (f"{n // 12}-{n % 12 + 1:02d}" for n in span):
            # The list goes back three years; older months are in the archives all the same.
            stops = source.fetch["kind"] != "street"
            listed = month in self.dates and (not stops or FORCE in self.dates[month])
            if month > newest or (month >= oldest and not listed):
                self.note(source, month, "not published", said="crimes-street-dates does not have it")
            else:
                wanted.append(month)
        return wanted

    # -- one way a kind of publisher ---------------------------------------------------------------------------------

    def datastore(self, source: catalogue.Source) -> None:
        """The files of a London Datastore page whose names fit; a page may list several releases of one name."""
        spec, into = source.fetch, source.fetch["into"]
        if "{snapshot}" not in into and self.held(source):
            return
        self.releases(source)
        answer = self.json(source)
        resources = answer.get("resources") if isinstance(answer, dict) else None
        listed: dict[str, dict] = {}
        for resource in resources.values() if isinstance(resources, dict) else resources or []:
            name = unquote(PurePosixPath(urlsplit(str(resource.get("url", ""))).path).name)
            when = (str(resource.get("temporal_coverage_to") or ""), str(resource.get("check_timestamp") or ""))
            if re.fullmatch(spec["choose"], name) and when >= listed.get(name, {}).get("when", ("", "")):
                listed[name] = {"url": resource["url"], "when": when}
        if not listed:
            raise FetchError(f"{spec['url']} lists no file like {spec['choose']}")
        snapshot = ""
        # "Historical" goes by the snapshot of the file it continues in, since its own months do not tell.
        for name, entry in sorted(listed.items(), key=lambda item: ("Historical" in item[0], item[0])):
            url = entry["url"]
            known = self.ledger.last(address=url)
            known = known if known and (self.raw / known["file"]).is_file() else None
            staged = self.stage(f"{source.key}/{snapshot or 'new'}/{name}")
            try:
                etag = self.web.download(url, staged, etag=known["etag"] if known else "")
            except Unchanged:
                self.note(
                    source, known["file"], "unchanged", said=_starts_later(source, name, self.raw / known["file"])
                )
                snapshot = snapshot or PurePosixPath(known["file"]).parent.name
                continue
            if "member" in spec:
                self.unpack(source, staged, spec["member"], into, url)
                continue
            frame = check(source, staged)
            if "{snapshot}" in into:
                snapshot = snapshot or _snapshot(frame)
            said = _starts_later(source, name, staged)
            self.place(source, staged, into.format(snapshot=snapshot, name=name), url, etag, said=said)

    def releases(self, source: catalogue.Source) -> None:
        """Older files of a source, each at its own address: asked for once, and kept, for the page may list shorter ones.

        One that cannot be had does not stop what the page lists.
        """
        for release in source.fetch.get("releases", ()):
            file = release["into"]
            if self.there(source, file):
                continue
            staged = self.stage(file)
            try:
                etag = self.web.download(release["url"], staged)
                months = _months_of(check(source, staged))
                if months != tuple(release["months"]):
                    raise SourceError(staged, f"the months {' to '.join(release['months'])}", " to ".join(months))
                self.place(source, staged, file, release["url"], etag)
            except (FetchError, SourceError) as error:
                self.fail(source, file, error)

    def unpack(self, source: catalogue.Source, whole: Path, member: str, into: str, url: str) -> None:
        """The members of a downloaded zip that fit, checked together (a shapefile is several files), then placed."""
        staged = []
        with zipfile.ZipFile(whole) as archive:
            for info in archive.infolist():
                if re.fullmatch(member, info.filename):
                    staged.append(self.stage(into.format(name=PurePosixPath(info.filename).name)))
                    copy_member(archive, info, staged[-1], self.web.progress)
        read = [path for path in staged if path.match(source.pattern)]
        if not read:
            raise FetchError(f"{url} has no member like {member}")
        for path in read:
            check(source, path)
        for path in staged:
            self.place(source, path, path.relative_to(self.staging).as_posix(), url)

    def archive(self, source: catalogue.Source) -> None:
        """Members of a remote zip, reading only those. A monthly archive holds the three years up to its month.

        Which archive a month is read from depends on the months asked for, never on those that are there already: a later
        archive may hold a revised file, and a run that was broken off must end with the same ones.
        """
        spec = source.fetch
        months = self.months(source) if "{month}" in spec["url"] else [""]
        files = {month: spec["into"].format(month=month) for month in months}
        missing = {month for month in months if not self.there(source, files[month])}
        while missing:
            newest = months[0]
            url = spec["url"].format(month=newest)
            whole = self.stage(PurePosixPath(urlsplit(url).path).name)
            held: set[str] = set()
            try:
                with open_zip(self.web, url, whole, limit=spec.get("limit")) as archive:
                    members = {info.filename: info for info in archive.infolist()}
                    held = {month for month in months if spec["member"].format(month=month) in members}
                    for month in sorted(held & missing, reverse=True):
                        info, staged = members[spec["member"].format(month=month)], self.stage(files[month])
                        copy_member(archive, info, staged, self.web.progress)
                        check(source, staged)
                        self.place(source, staged, files[month], f"{url}#{quote(info.filename)}")
            except NotThere:
                if not newest:
                    raise
            if newest in missing - held:
                self.note(source, newest or files[newest], "not published", said=f"not in {url}")
            months = [month for month in months if month not in held | {newest}]
            missing &= set(months)

    def arcgis(self, source: catalogue.Source) -> None:
        """A layer of the Open Geography portal, page by page, held to the count the server gives for the whole."""
        spec, file = source.fetch, source.fetch["into"]
        if self.held(source):
            return
        code, asked = spec["fields"].split(",")[0], {"where": spec["where"]}
        counted = self.json(source, **asked, returnCountOnly="true", f="json")
        if not isinstance(counted, dict) or not isinstance(counted.get("count"), int):
            raise FetchError(f"{spec['url']}: expected a count of areas; found {str(counted)[:100]}")
        outlines = file.endswith(".geojson")
        asked |= {"outFields": spec["fields"], "orderByFields": code, "f": "geojson", "outSR": "4326"}
        asked |= {"geometryPrecision": "6", "returnGeometry": str(outlines).lower()}
        asked |= {"resultRecordCount": "200" if outlines else "2000"}
        features: dict[str, dict] = {}
        while True:
            page = self.json(source, **asked, resultOffset=str(len(features)))
            if not isinstance(page, dict) or not isinstance(page.get("features"), list):
                raise FetchError(f"{spec['url']}: expected a page of features; found {str(page)[:100]}")
            before = len(features)
            features |= {(feature.get("properties") or {}).get(code): feature for feature in page["features"]}
            if len(features) in (before, counted["count"]):
                break
        if len(features) != counted["count"] or None in features:
            raise FetchError(f"{spec['url']}: {len(features):,} of {counted['count']:,} areas came")
        rows = [features[key] for key in sorted(features)]
        staged = self.stage(file)
        with staged.open("w", encoding="utf-8", newline="") as handle:
            if outlines:
                json.dump({"type": "FeatureCollection", "features": rows}, handle, ensure_ascii=False)
            else:
                writer = csv.DictWriter(handle, spec["fields"].split(","), extrasaction="ignore", lineterminator="\n")
                writer.writeheader()
                writer.writerows(row["properties"] for row in rows)
        check(source, staged)
        self.place(source, staged, file, f"{spec['url']}?{urlencode({'where': spec['where']})}")

    def ons_page(self, source: catalogue.Source) -> None:
        """The current file of a data set of ons.gov.uk, whose every page answers as JSON under /data."""
        file, host = source.fetch["into"], "https://" + str(urlsplit(source.fetch["url"]).hostname)
        if self.held(source):
            return
        try:
            edition = self.json(source, "/data")["datasets"][0]["uri"]
            name = self.web.json(f"{host}{edition}/data", label=source.key)["downloads"][0]["file"]
        except (KeyError, IndexError, TypeError):
            raise FetchError(f"{source.fetch['url']}: no download is listed") from None
        url, staged = f"{host}/file?{urlencode({'uri': f'{edition}/{name}'})}", self.stage(file)
        etag = self.web.download(url, staged)
        check(source, staged)
        self.place(source, staged, file, url, etag)

    def stops(self, source: catalogue.Source) -> None:
        for month in self.months(source):
            file = source.fetch["into"].format(month=month)
            if self.there(source, file):
                continue
            answer = self.json(source, "stops-force", force=FORCE, date=month)
            if answer == []:
                self.note(source, month, "not published", said="the answer is empty")
                continue
            self.write_json(source, file, answer, f"{source.fetch['url']}stops-force?force={FORCE}&date={month}")

    def street(self, source: catalogue.Source) -> None:
        """Crimes by ward outline, a part of a ward at a time; areas overlap a little, which reading sorts out."""
        from wardbook.sources import ons

        outlines = catalogue.files(self.raw, "ons-wards-2024")
        if not outlines:
            raise FetchError("crimes by ward need the wards' outlines: fetch --source ons-wards-2024 first")
        wards = ons.read_ward_outlines(outlines[0])
        wards = wards[wards["ward_code"].isin(self.wards)]
        # A metre or two of outline does not matter: the crimes themselves are moved to the nearest of a list of points.
        wards = wards.set_geometry(wards.geometry.simplify(5)).to_crs(4326).explode(ignore_index=True)
        wards["part"] = wards.groupby("ward_code").cumcount()
        for month in self.months(source):
            answers = {}
            for ward, part, shape in zip(wards["ward_code"], wards["part"], wards.geometry):
                names = {"month": month, "month_": month.replace("-", "_"), "name": f"{ward}_{part}"}
                if not self.there(source, file := source.fetch["into"].format(**names)):
                    poly = ":".join(f"{lat:.5f},{lng:.5f}" for lng, lat, *_ in shape.exterior.coords[:-1])
                    answers[file] = self.json(source, "crimes-street/all-crime", form={"date": month, "poly": poly})
            if answers and not any(answers.values()):
                self.note(source, month, "not published", said="every answer is empty")
                continue
            for file, answer in answers.items():
                self.write_json(
                    source, file, answer, f"{source.fetch['url']}crimes-street/all-crime", checked=bool(answer)
                )

    @cached_property
    def wards(self) -> set[str]:
        """The ward codes of the area, from the committed edition."""
        import polars as pl

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
        folder = source.fetch["into"].format(day=today)
        day = self.raw / folder
        listed = self.json(source, f"{FORCE}/neighbourhoods")
        if not isinstance(listed, list) or not all(isinstance(r, dict) and r.get("id") for r in listed):
            raise FetchError(
                f"{source.fetch['url']}{FORCE}/neighbourhoods: expected a list of ids; found something else"
            )
        ids = sorted(str(r["id"]) for r in listed if police_uk_api.ward_of(str(r["id"])) in self.wards)
        if not ids:
            raise FetchError(f"none of the {len(listed)} neighbourhoods has the id of a ward of {self.area.name}")
        day.mkdir(parents=True, exist_ok=True)
        rows = {(row["neighbourhood_id"], row["kind"]): row for row in police_uk_api.read_manifest(day)}
        asked, in_a_row = 0, 0
        for name, kind in ((name, kind) for name in ids for kind in police_uk_api.KINDS):
            if rows.get((name, kind), {}).get("status", "failed") != "failed":
                continue
            asked += 1
            path = f"{FORCE}/{quote(name, safe='')}/{kind}"
            target = police_uk_api.answer_path(day, name, kind)
            status, count = police_uk_api.FAILED, ""
            try:
                answer = police_uk_api.stored(kind, self.json(source, path), path)
                status, count = ("published", len(answer)) if answer else ("none published", 0)
                staged = self.stage(target.relative_to(self.raw).as_posix())
                staged.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
                target.parent.mkdir(parents=True, exist_ok=True)
                staged.replace(target)
                in_a_row = 0
            except (FetchError, SourceError) as error:
                in_a_row += 1
                self.note(source, f"{folder}/{name}/{kind}", "failed", said=str(error))
            rows[name, kind] = {"neighbourhood_id": name, "kind": kind, "status": status, "count": str(count)}
            police_uk_api.write_manifest(day, rows.values())
            if in_a_row == 5:
                raise FetchError("five answers running failed: the rest of today's capture is left for another run")
        manifest = self.stage(f"{folder}/{police_uk_api.MANIFEST}")
        shutil.copyfile(day / police_uk_api.MANIFEST, manifest)
        self.place(
            source,
            manifest,
            f"{folder}/{police_uk_api.MANIFEST}",
            f"{source.fetch['url']}{FORCE}/",
            status="fetched" if asked else "unchanged",
        )


def _snapshot(frame: pl.DataFrame) -> str:
    """The last complete month in a file, as its reader has it (a stub of a month is left out by the reader)."""
    if "snapshot" in frame.columns:
        return str(frame["snapshot"][0])
    return str(frame["month" if "month" in frame.columns else "quarter_end"].max())[:7]


def _months_of(frame: pl.DataFrame) -> tuple[str, str]:
    return f"{frame['month'].min():%Y-%m}", f"{frame['month'].max():%Y-%m}"


def _starts_later(source: catalogue.Source, name: str, path: Path) -> str:
    """Says so where a publisher's "Historical" file begins after its older releases, whose months it no longer holds."""
    older = [release for release in source.fetch.get("releases", ()) if PurePosixPath(release["into"]).name == name]
    if not older:
        return ""
    first, release = _months_of(check(source, path))[0], min(older, key=lambda release: release["months"])
    if first <= release["months"][0]:
        return ""
    return (
        f"it begins in {first}, the release kept as {release['into']} in {release['months'][0]}: "
        "keep both, the months before are in no newer file"
    )


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


def by_hand(sources: Sequence[catalogue.Source], raw: Path) -> str:
    """Where to download by hand, and what to call it: "page → folder"."""
    pages: dict[str, list[str]] = {}
    for source in sources:
        pages.setdefault(source.address, []).append(" or ".join([source.pattern, *source.also]))
    return "; ".join(f"{page} → {', '.join(pages[page])}" for page in pages) + f" (below {raw})"


def fetch(
    sources: Sequence[str] = (),
    *,
    borough: str = places.LONDON,
    first: date | None = None,
    last: date | None = None,
    raw: Path | str,
    mirror: str | None = None,
    progress: Progress | None = None,
    manners: Manners | None = None,
) -> list[Outcome]:
    """Fetch sources into a raw folder; a source that fails does not stop the others, and is in what is returned.

    Parameters
    ----------
    sources : names for `choose`; none for all.
    borough : whose neighbourhoods and wards; the other files hold all of London.
    first, last : months, for what is published by month; without them the last twelve published.
    mirror : ask every address of this server instead, as MIRROR/host/path.
    progress : called with a label and a size in bytes (or None), gives a context that is told of bytes as they come.

    Raises
    ------
    UnknownName
        for a source or borough that is not known; nothing was asked.
    NoNetwork
        if no publisher could be reached.
    """
    chosen, area = choose(sources), places.area(borough)
    if first and last and first > last:
        raise places.UnknownName("month", f"{first:%Y-%m}", [f"{last:%Y-%m}"], "--from comes before --to")
    raw, manners = Path(raw), manners or Manners()
    raw.mkdir(parents=True, exist_ok=True)
    with _alone(raw):
        return _fetch(chosen, area, first, last, raw, mirror, progress or silent, manners)


@contextmanager
def _alone(raw: Path) -> Iterator[None]:
    """Hold the raw folder for one fetch: two at once would take each other's half-made files away.

    The lock is on the folder itself and goes with the process, however that ends.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder = os.open(raw, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchError(f"another fetch is at work in {raw}: run this one again when it has ended") from None
        yield
    finally:
        os.close(folder)


def _fetch(
    chosen: list[catalogue.Source],
    area: places.Area,
    first: date | None,
    last: date | None,
    raw: Path,
    mirror: str | None,
    progress: Progress,
    manners: Manners,
) -> list[Outcome]:
    web = Web(mirror, manners, progress, raw / ".parts")
    run, down, began = _Run(raw, area, first, last, web), set(), manners.monotonic()
    shutil.rmtree(run.staging, ignore_errors=True)
    try:
        for source in chosen:
            host = urlsplit(source.fetch["url"]).hostname
            try:
                if host in down:
                    raise Unreachable(host)
                getattr(run, source.fetch["kind"].replace("-", "_"))(source)
            except Unreachable as error:
                down.add(str(error))
                said = f"{error} could not be reached: download by hand, {by_hand([source], raw)}"
                run.note(source, source.key, "failed", said=said)
                if not web.reached and manners.monotonic() - began > 10:
                    break
            except (FetchError, SourceError, zipfile.BadZipFile) as error:
                run.fail(source, source.key, error)
    finally:
        web.client.close()
        shutil.rmtree(run.staging, ignore_errors=True)
        if web.parts.is_dir() and not any(web.parts.iterdir()):
            web.parts.rmdir()
    if down and not web.reached:
        raise NoNetwork(f"no network ({', '.join(sorted(down))} not reached): download by hand, {by_hand(chosen, raw)}")
    return run.outcomes
