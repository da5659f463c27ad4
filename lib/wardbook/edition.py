"""The edition: the tables that notebooks read, and the manifest that says what they were made from.

`build` makes an edition from a folder of publishers' files; `open_edition` opens one and refuses it if a table is not
the one its manifest names; `check` reconciles it and says what it may not be used for.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from wardbook import catalogue, places, tables, tables_stops
from wardbook.folders import beside, is_other, put_in_place, sha256
from wardbook.schemas import violations
from wardbook.sources.reading import Quality, SourceError
from wardbook.table_schemas import SCHEMAS

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from wardbook.sources import police_uk_api

COMMITTED = places.ROOT / "data" / "edition"
MANIFEST = "manifest.json"
# The hand-kept tables that a build's counts depend on.
_REFERENCES = ("boroughs.csv", "breaks.csv", "offence_groups.csv", "officer_hours.csv")
Tables = dict[str, tuple[pl.DataFrame, list[str]]]  # a table's name → the table, the catalogue keys it draws on


class EditionError(OSError):
    """An edition that is missing, incomplete, or not the one its manifest describes."""


def edition_id(manifest: dict) -> str:
    """Twelve hex digits of the hash over all that a manifest says: tables and their rows, inputs, sources, definitions."""
    rest = {name: value for name, value in manifest.items() if name != "edition"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:12]


def dated_by(columns: Iterable[str]) -> str | None:
    """The column that says what time a table's rows are of; None where they are of no time."""
    return next(
        (c for c in ("month", "quarter_end", "capture_date", "day", "financial_year", "year") if c in columns), None
    )


@dataclass(frozen=True)
class Edition:
    """An opened edition. `id` is that of its manifest, which names every table, its rows, and its inputs (`edition_id`)."""

    path: Path
    manifest: dict

    @property
    def id(self) -> str:
        return self.manifest["edition"]

    @cached_property
    def _frames(self) -> dict[str, pl.DataFrame]:
        return {}

    @property
    def tables(self) -> list[str]:
        """The names of the tables it holds."""
        return sorted(self.manifest["tables"])

    def table(self, name: str) -> pl.DataFrame:
        """One table, read once.

        Raises
        ------
        EditionError
            if its source was not in the folder the edition was built from.
        """
        if name not in self.manifest["tables"]:
            raise EditionError(
                f"{self.path} holds no table {name!r}: it has {', '.join(self.tables)} (its source was not in the raw folder)"
            )
        if name not in self._frames:
            self._frames[name] = pl.read_parquet(self.verified(name))
        return self._frames[name]

    def verified(self, name: str) -> bytes:
        """A table's file, if it is the one that the manifest names: a build may put another edition in this place meanwhile.

        Raises
        ------
        EditionError
            if it is missing or another, with what puts it right.
        """
        file = self.path / f"{name}.parquet"
        if not file.is_file():
            raise EditionError(f"{self.path}: the table {name!r} that its manifest names is missing")
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.manifest["tables"][name]["sha256"]:
            raise EditionError(
                f"{self.path}: {name}.parquet is not the table its manifest describes (its SHA-256 differs): it was changed "
                "after the build, or built again after it was opened. Run again what read it; if that says the same, "
                "rebuild it with `wardbook build` and say so in CHANGELOG.md"
            )
        return content

    @property
    def provenance(self) -> str:
        """One line that says which edition this is, for the top of a notebook and under every figure."""
        return f"edition {self.id} ({len(self.manifest['inputs'])} publishers' files)"


def open_edition(path: Path | str = COMMITTED) -> Edition:
    """Open an edition and verify every table against the manifest's SHA-256.

    Verifying takes a few milliseconds and is what makes a number traceable: an edition whose table was edited is refused,
    not read.

    Raises
    ------
    EditionError
        naming the table that is missing or changed, and the command that puts it right.
    """
    folder = places.from_root(path)
    if not (folder / MANIFEST).is_file():
        raise EditionError(
            f"{folder} is no edition: it has no {MANIFEST} (make one with `wardbook build --raw DIR --out {path}`)"
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        digests = {name: entry["sha256"] for name, entry in manifest["tables"].items()}
        right = manifest["edition"] == edition_id(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EditionError(f"{folder / MANIFEST} is no manifest of an edition: {error}") from error
    if not right:
        raise EditionError(
            f"{folder}: the edition's id {manifest['edition']} is not that of the tables and inputs its manifest names"
        )
    opened = Edition(folder, manifest)
    for name in digests:
        opened.verified(name)
    return opened


# -- building ---------------------------------------------------------------------------------------------------------


@dataclass
class _Folder:
    """A raw folder being read: the frames asked for and the account of every file."""

    raw: Path
    qualities: list[tuple[Path, str, Quality]] = field(default_factory=list)

    def read(self, *keys: str, once: tuple[str, ...] = ()) -> list[pl.DataFrame]:
        """The frames of some sources' files; two that give the same key `once` are refused: added up it would be double."""
        frames, seen = [], set()
        for key, path in [(one, path) for one in keys for path in catalogue.files(self.raw, one)]:
            loaded = catalogue.sources()[key].read(path)
            if path.suffix == ".csv" and path.read_bytes()[-1:] not in (b"\n", b"\r"):
                loaded.quality.note("last line without a line break (whole, or cut inside its last cell)", 1)
            held = set(loaded.frame.select(once).unique().iter_rows()) if once else set()
            if twice := sorted(seen & held):
                values = [f"{value:%B %Y}" if isinstance(value, date) else value for value in twice[0]]
                raise ValueError(f"{path}: two files give {', '.join(values)}: keep one of them in the raw folder")
            seen |= held
            self.qualities.append((path, key, loaded.quality))
            frames.append(loaded.frame)
        return frames

    def newest(self, key: str, column: str) -> pl.DataFrame | None:
        """The newest of several snapshots that each hold every month: two of them added up would double the counts."""
        return max(self.read(key), key=lambda frame: frame[column].max(), default=None)

    def captures(self) -> police_uk_api.Captures:
        """The captures below the folder; every file they are made of is accounted for."""
        from wardbook.sources import police_uk_api

        key = "police-uk-engagement"
        for manifest in catalogue.files(self.raw, key):
            for path in [manifest, *sorted(manifest.parent.rglob("*.json"))]:
                answers = 1 if path == manifest else len(police_uk_api.read_json(path))
                self.qualities.append((path, key, Quality(str(path), rows_read=answers).close(answers)))
        return police_uk_api.read_captures(self.raw)

    def outlines(self, key: str, reader: Callable[[Path], GeoDataFrame] | None = None) -> GeoDataFrame | None:
        """Outlines for placing points; a file is accounted for as one input, however often it is read."""
        reader = reader or catalogue.sources()[key].read
        shapes = [(path, reader(path)) for path in catalogue.files(self.raw, key)]
        for path, shape in shapes:
            if all(path != seen for seen, *_ in self.qualities):
                self.qualities.append((path, key, Quality(str(path), rows_read=len(shape)).close(len(shape))))
        return shapes[0][1] if shapes else None


def _make_tables(folder: _Folder) -> Tables:
    """Every table the folder's files allow, with the catalogue keys it draws on."""
    from wardbook import facts
    from wardbook.sources import dwo

    made: Tables = {}
    for name, key, once, make in (
        ("borough_offences", "mps-borough-crime", ("month", "snapshot"), tables.borough_offences),
        ("ward_offences", "mps-ward-crime", ("month", "snapshot"), tables.ward_offences),
        ("confidence", "mopac-attitudes", (), tables.confidence),
        ("households", "ons-households", ("borough_code",), lambda frames: pl.concat(frames).sort("borough_code")),
    ):
        if frames := folder.read(key, once=once):
            made[name] = make(frames), [key]
    for name, key, column, make in (
        ("knife_offences", "mps-knife-crime", "refreshed", tables.knife_offences),
        ("outcomes", "mps-business-outcomes", "refreshed", tables.outcomes),
        ("thorough_searches", "mps-thorough-searches", "month", tables_stops.thorough_searches),
    ):
        if (frame := folder.newest(key, column)) is not None:
            made[name] = make(frame), [key]
    lookups = folder.read("ons-lsoa-lookup", once=("lsoa_code",))
    lookup = pl.concat(lookups) if lookups else None
    made |= _ward_tables(folder, lookup, made.get("ward_offences"))
    made |= _stop_tables(folder, made["wards"][0] if "wards" in made else None, lookup)
    minutes = folder.read(dwo.KEY, once=("month",))
    if made or minutes:  # the published figures alone are no edition
        made["officer_hours"] = dwo.officer_hours(facts.officer_hours(), minutes), [dwo.KEY] if minutes else []
    captured = folder.captures()
    # Where nothing is captured, empty tables say so as missing ones could not.
    if captured.captures.height or "wards" in made:
        used = ["police-uk-engagement"] if captured.captures.height else []
        made["engagement"] = captured.events, used
        made["priorities"] = captured.priorities, used
        made["engagement_captures"] = captured.captures, used
    return made


def _ward_tables(folder: _Folder, lookup: pl.DataFrame | None, offences: tuple | None) -> Tables:
    """The tables that need wards; ward-level crime under other codes than theirs is refused."""
    made: Tables = {}
    residents = folder.read("gla-ethnic-group", once=("lsoa_code",)) if lookup is not None else []
    if residents:
        used = ["gla-ethnic-group", "ons-lsoa-lookup"]
        made["population"] = tables.population(pl.concat(residents), lookup), used
    outlines = folder.read("gla-wards-2018", "ons-wards-2024")
    if not outlines:
        return made
    wards, used = tables.wards(outlines, lookup), ["gla-wards-2018", "ons-wards-2024", "ons-lsoa-lookup"]
    made["wards"] = wards, used
    if (frame := folder.newest("mps-vawg", "month")) is not None:
        made["vawg_offences"] = tables.vawg_offences(frame, tables.ward_names(outlines, wards)), ["mps-vawg", *used]
    # The MPS codes in use since 2022 are all in the 2024 set; codes of 2018 would match about a quarter of it.
    current = wards.filter(pl.col("vintages").str.contains("2024"))["ward_code"]
    if offences is not None and len(current):
        codes = offences[0]["ward_code"].unique()
        places.check_ward_vintage(codes, current, data="MPS ward-level crime", table="the wards of 2024")
    return made


def _stop_tables(folder: _Folder, wards: pl.DataFrame | None, lookup: pl.DataFrame | None) -> Tables:
    """The tables of stops: the months of the archive's files and of the API's answers, each once."""
    from wardbook.sources import ons

    borough_key = "gla-boroughs" if catalogue.files(folder.raw, "gla-boroughs") else "ons-boroughs-2024"
    boroughs = folder.outlines(borough_key)
    keys = ("police-uk-stops", "police-uk-stops-api")
    frames = folder.read(*keys, once=("file_month", "force")) if boroughs is not None else []
    if not sum(frame.height for frame in frames):
        return {}
    in_wards = ["gla-wards-2018", "ons-lsoa-2021", "ons-lsoa-lookup"]
    wards_2018 = folder.outlines(in_wards[0], lambda path: ons.read_ward_outlines(path)[0])
    lsoas = folder.outlines(in_wards[1])
    by_name = tables_stops.make(pl.concat(frames), boroughs, wards, wards_2018, lsoas, lookup)
    used = [*(key for key in keys if catalogue.files(folder.raw, key)), borough_key]
    return {name: (table, used + in_wards * name.startswith("ward_")) for name, table in by_name.items()}


def build(raw: Path | str, out: Path | str, *, allow_shorter: bool = False) -> Edition:
    """Make every table the raw folder allows, and the manifest, in `out`; nothing is written unless all of it is good.

    Deterministic under `uv.lock`: the same inputs give the same bytes; the manifest holds no clock, commit or path.

    Parameters
    ----------
    raw : folder of publishers' files, laid out as `data/catalogue.toml` says.
    out : folder of the edition; replaced as a whole.
    allow_shorter : replace an edition whose tables reach further back or on; the manifest then says which and from what.

    Raises
    ------
    SourceError
        naming the file that cannot be read; `out` is then as it was.
    EditionError
        naming the tables that would lose months, or the cell of a table that its schema does not allow.
    """
    raw, out = places.from_root(raw), places.from_root(out)
    if not raw.is_dir():
        raise SourceError(raw, "a folder of publishers' files (see README, `Data`)", "no such folder")
    if is_other(out, MANIFEST):
        raise EditionError(
            f"{out} holds something else than an edition (no {MANIFEST}): name another, nothing was written"
        )
    folder = _Folder(raw)
    made = _make_tables(folder)
    if not made:
        patterns = "; ".join(source.pattern for source in catalogue.sources().values())
        raise SourceError(raw, f"at least one publisher's file ({patterns})", "none of them")
    for name, (frame, _) in made.items():
        if broken := violations(frame, SCHEMAS[name]):
            raise EditionError(f"table {name}, {broken[0]}")
    shorter = _shortened(out, made)
    if shorter and not allow_shorter:
        lost = "; ".join(f"{name} held {old} and would hold {new}" for name, (old, new) in shorter.items())
        raise EditionError(
            f"{out} would lose history: {lost}. Put the older files back into {raw} "
            "(the catalogue names the last full release), or allow it with --allow-shorter"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with beside(out) as work:
        manifest = _write(work, folder, made, shorter)
        put_in_place(work, out)
    return Edition(out, manifest)


def _span(frame: pl.DataFrame) -> dict[str, str]:
    """The first and the last time of a table's rows; empty where they are of no time."""
    column = dated_by(frame.columns)
    return {"from": str(frame[column].min()), "to": str(frame[column].max())} if column and frame.height else {}


def _shortened(out: Path, made: Tables) -> dict[str, tuple[str, str]]:
    """The tables that start later or end earlier than in the edition in `out`, or are not there: what was, what would be.

    By the manifest alone, so that an edition with a spoilt table keeps its history too. A table that drew on no
    publisher's file has none to lose.
    """
    try:
        before = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["tables"]
        spans = {name: (e["from"], e["to"]) for name, e in before.items() if "from" in e and e["sources"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    lost = {}
    for name, (first, last) in sorted(spans.items()):
        span = _span(made[name][0]) if name in made else {}
        if not span or span["from"] > first or span["to"] < last:
            lost[name] = f"{first} to {last}", f"{span['from']} to {span['to']}" if span else "nothing"
    return lost


def input_hashes(entry: dict) -> dict[str, str]:
    """The SHA-256 of every file of an input as the manifest has it, by its path in the raw folder."""
    return {entry["file"]: entry["sha256"]} | entry.get("parts", {})


def _input(path: Path, key: str, quality: Quality, raw: Path) -> dict:
    """The manifest's entry of one publisher's file, with the parts of a shapefile, whose .shp holds neither names nor codes."""
    name = path.relative_to(raw).as_posix()
    copy = catalogue.sources()[key].copy_of(name)
    beside_it = [path.with_suffix(kind) for kind in (".cpg", ".dbf", ".prj", ".shx")] if path.suffix == ".shp" else []
    parts = {part.relative_to(raw).as_posix(): sha256(part) for part in beside_it if part.is_file()}
    entry = {
        "file": name,
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "source": key,
        "licence": copy.licence,
        "rows_read": quality.rows_read,
        "rows_kept": quality.rows_kept,
        "set_aside": quality.set_aside,
        "oddities": quality.oddities,
    }
    if parts:
        entry["parts"] = parts
    if copy.by_way_of:
        entry["by_way_of"] = copy.by_way_of
    return entry


def _credit(key: str, inputs: list[dict]) -> dict[str, str]:
    """What the manifest says of a source: every licence and attribution that one of its inputs came under."""
    source = catalogue.sources()[key]
    copies = [source.copy_of(entry["file"]) for entry in inputs if entry["source"] == key]
    return {name: getattr(source, name) for name in ("title", "publisher", "address")} | {
        name: "; ".join(sorted({getattr(copy, name) for copy in copies})) for name in ("licence", "attribution")
    }


def _write(work: Path, folder: _Folder, made: Tables, shorter: dict[str, tuple[str, str]]) -> dict:
    used = {key for _, key, _ in folder.qualities}
    entries = {}
    for name, (frame, keys) in made.items():
        # Through memory: of a full disk, Python's own error says which file and why, in one line. In one piece, since how
        # many pieces a frame is in, and so how it is written, depends on the machine's processors.
        content = io.BytesIO()
        frame.rechunk().write_parquet(content, compression="zstd", compression_level=10, row_group_size=1 << 20)
        file = work / f"{name}.parquet"
        file.write_bytes(content.getvalue())
        entries[name] = {"rows": frame.height, "sha256": sha256(file), "sources": [k for k in keys if k in used]}
        entries[name] |= _span(frame)
    inputs = [_input(*read, folder.raw) for read in folder.qualities]
    manifest = {
        "tables": entries,
        "inputs": sorted(inputs, key=lambda entry: entry["file"]),
        "sources": {key: _credit(key, inputs) for key in used},
        "reference": {name: sha256(places.REFERENCE / name) for name in _REFERENCES},
    }
    if shorter:
        manifest["shorter"] = {name: {"was": old, "is": new} for name, (old, new) in shorter.items()}
    manifest["edition"] = edition_id(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True)
    (work / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
    return manifest
