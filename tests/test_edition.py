"""The edition: built from a made-up folder of every publisher, refused when it is not right, then the committed one.

Over four hundred lines, most of them the made-up folder, which other tests build from too.
"""

import hashlib
import json
import shutil
from calendar import monthrange
from datetime import date
from pathlib import Path

import geopandas
import polars as pl
import pytest
from shapely.geometry import box

from conftest import hashed, make_hash_again
from test_dashboards import KNIFE
from test_met import TITLE, UPPER, crime_table, months_between, offences_of
from test_ons import write_outlines
from test_police_uk import STOP
from test_police_uk_api import STOP_RECORD
from test_thorough import synthetic_searches
from wardbook import check, edition, places, tables, tables_stops
from wardbook.edition import EditionError, open_edition
from wardbook.periods import financial_year_of
from wardbook.places import WardVintageError
from wardbook.sources.reading import SourceError
from wardbook.table_schemas import SCHEMAS

TWO_YEARS = months_between("2023-04", "2025-03")
BARNET, TOWER_HAMLETS = "E09000003", "E09000030"
TOGETHER = "violence without injury including stalking and harassment"
NOW, THEN = ["E05009317", "E05009318"], ["E05009317", "E05000026"]  # wards of 2024, and of 2018
BOROUGHS = {"gss_code": [BARNET, TOWER_HAMLETS]}
WARDS_2018 = {"NAME": ["Bethnal Green", "Bow East"], "GSS_CODE": NOW, "LAGSSCODE": [TOWER_HAMLETS] * 2}
WARDS_2024 = {"WD24CD": NOW, "WD24NM": ["Bethnal Green East", "Bow East"]}


# A made-up folder of publishers' files --------------------------------------------------------------------------------


def synthetic_crime(
    raw, counts, *, level="Borough", snapshot="2025-03", months=TWO_YEARS, offences=None, file="made up"
):
    """A wide file: each place of `counts` has that many of each offence in every month."""
    path = raw / "mps" / snapshot / f"MPS {level} Level Crime ({file}).csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    crime_table(counts, months, offences, {"Borough": "BoroughName", "Ward": "WardCode"}[level]).write_csv(path)
    return path


def synthetic_knife(raw):
    path = raw / "mps/monthly-crime-dashboard.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    borough = KNIFE | {"borough_snt": "Tower Hamlets", "area_code": None, "count": "7"}
    team = borough | {"area_type": "Safer Neighbourhood Teams", "area_code": "E05009317 "}
    rows = [row | {"month_year": month} for month in ("01/04/2024", "01/05/2024") for row in (borough, team)]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def synthetic_stops(raw, month, days):
    """A month of stops, one on each of `days`, in a place of Tower Hamlets."""
    path = raw / f"police_uk/{month}/{month}-metropolitan-stop-and-search.csv"
    path.parent.mkdir(parents=True)
    pl.DataFrame([STOP | {"Date": f"{month}-{day:02}T12:00:00+00:00"} for day in days]).write_csv(path)
    return path


def synthetic_outlines(raw, name, columns):
    """Areas side by side, of a twentieth of a degree; the second holds the place of every made-up stop."""
    places = range(len(next(iter(columns.values()))))
    squares = [box(-0.10 + 0.05 * n, 51.50, -0.05 + 0.05 * n, 51.55) for n in places]
    return write_outlines(raw / "ons" / name, columns, geopandas.GeoSeries(squares, crs=4326).to_crs(27700))


def synthetic_folder(raw):
    """Something of every publisher: two boroughs, two wards, two financial years."""
    synthetic_crime(raw, {"Barnet": 5, "Tower Hamlets": 10, "Unknown": 1})
    synthetic_crime(raw, dict.fromkeys(NOW, 4), level="Ward")
    synthetic_knife(raw)
    synthetic_stops(raw, "2024-05", [*range(1, 32), 31])
    synthetic_stops(raw, "2024-06", range(1, 18))
    synthetic_outlines(raw, "wards-2024/made_up.gpkg", WARDS_2024)
    synthetic_outlines(raw, "wards-2018/made_up.shp", WARDS_2018)
    synthetic_outlines(raw, "London_Boroughs.gpkg", BOROUGHS)
    synthetic_outlines(raw, "lsoa-2021/made_up.shp", {"LSOA21CD": ["E01000000", "E01000001"]})
    (raw / "mopac").mkdir()
    survey = "Date;Survey;Borough;Measure;Proportion;MPS\n31/12/2023;PAS;Barnet;Trust MPS;0,7;0,69\n"
    (raw / "mopac/PAS_made_up.csv").write_text(survey)
    households = "geography code,Accommodation type: Total: All households\nE09000003,7\nE07000001,9\n"
    (raw / "ons/census2021-ts044-ltla.csv").write_text(households)
    lookup = "LSOA21CD,WD24CD,WD24NM,LAD24CD\n" + "".join(
        f"E0100000{n},{w},x,{TOWER_HAMLETS}\n" for n, w in enumerate(NOW)
    )
    (raw / "ons/LSOA_(2021)_to_Electoral_Ward_(2024)_made_up.csv").write_text("\ufeff" + lookup)
    return raw


@pytest.fixture(scope="module")
def synthetic_build(tmp_path_factory):
    """A made-up folder of every publisher and the edition built from it; read it, do not change it."""
    home = tmp_path_factory.mktemp("made-up")
    raw = synthetic_folder(home / "raw")
    return raw, edition.build(raw, home / "edition")


@pytest.fixture
def copied(synthetic_build, tmp_path):
    """A copy of the made-up edition, to be spoilt."""
    return Path(shutil.copytree(synthetic_build[1].path, tmp_path / "edition"))


@pytest.fixture
def raw_folder(tmp_path):
    """The folder that `built` builds from, empty."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


@pytest.fixture
def built(raw_folder):
    """Build what stands in `raw_folder` into the edition beside it."""
    return lambda **options: edition.build(raw_folder, raw_folder.with_name("edition"), **options)


def texts(made, level="wrong"):
    return [finding.text for finding in check.check(made) if finding.level == level]


# Building -------------------------------------------------------------------------------------------------------------


def test_every_table_its_files_allow_is_made_sorted_by_its_key(synthetic_build):
    made = synthetic_build[1]
    empty = {"engagement", "engagement_captures", "priorities"}
    assert set(made.tables) == empty | {
        *("borough_offences", "confidence", "households", "knife_offences", "officer_hours", "searches"),
        *("searches_by_day", "stop_coverage", "stops", "ward_offences", "ward_placing", "ward_stops", "wards"),
    }
    assert {path.name for path in made.path.iterdir()} == {"manifest.json", *(f"{n}.parquet" for n in made.tables)}
    for name in made.tables:
        table, key = made.table(name), SCHEMAS[name].primary_key() or made.table(name).columns[:-1]
        assert table.height == made.manifest["tables"][name]["rows"]
        assert table.is_empty() == (name in empty), "nothing is invented"
        assert table.equals(table.sort(key)), name
    assert made.table("stops")["stops"].sum() == 49
    assert made.table("ward_stops").rows() == [(NOW[1], "2024-25", "outline", 49)]
    assert made.table("wards").row(0)[:4] == (NOW[0], "Bethnal Green East", TOWER_HAMLETS, "2018 2024")
    again = open_edition(made.path)
    assert (again.id, again.manifest) == (made.id, made.manifest)
    assert again.provenance == f"edition {made.id} (12 publishers' files)"


def test_the_manifest_accounts_for_every_file(synthetic_build):
    """Planted: one that names of a shapefile the .shp alone, by which a change of its codes was none."""
    raw, made = synthetic_build
    inputs = {entry["file"]: entry for entry in made.manifest["inputs"]}
    named = {name: digest for entry in inputs.values() for name, digest in edition.input_hashes(entry).items()}
    assert named == hashed(raw)
    for name, entry in inputs.items():
        assert entry["bytes"] == (raw / name).stat().st_size
        assert entry["rows_read"] == entry["rows_kept"] + sum(entry["set_aside"].values())
    assert inputs["ons/census2021-ts044-ltla.csv"]["set_aside"] == {"not in a London borough": 1}
    stops = inputs["police_uk/2024-05/2024-05-metropolitan-stop-and-search.csv"]
    assert stops["oddities"] == {"exact duplicate rows": 1}
    assert {entry["source"] for entry in inputs.values()} == set(made.manifest["sources"])
    tables_hashed = hashed(made.path)
    for name, entry in made.manifest["tables"].items():
        assert entry["sha256"] == tables_hashed[f"{name}.parquet"]
        assert set(entry["sources"]) <= set(made.manifest["sources"])


def test_a_borough_or_ward_and_offence_with_no_row_is_nought_in_every_month(raw_folder, built):
    synthetic_crime(raw_folder, {"Barnet": 5})
    synthetic_crime(raw_folder, {NOW[0]: 2}, level="Ward")
    stalking = [("VIOLENCE AGAINST THE PERSON", "STALKING AND HARASSMENT")]
    synthetic_crime(raw_folder, {NOW[1]: 2}, level="Ward", offences=stalking, snapshot="2025-04")
    made = built()
    for name, here in (("borough_offences", {"borough_code": TOWER_HAMLETS}), ("ward_offences", {"ward_code": NOW[1]})):
        absent = made.table(name).filter(**here, offence_group="robbery")
        assert absent["offences"].to_list() == [0] * 24, name


def synthetic_answer(raw, month, days):
    """The API's answer for a month: a stop on each of `days`, in another ward of Tower Hamlets; without days, none."""
    path = raw / f"police_uk_api/stops-force/metropolitan-{month}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    stop = STOP_RECORD | {"location": {"latitude": "51.525", "longitude": "-0.05"}}
    path.write_text(json.dumps([stop | {"datetime": f"{month}-{day:02}T12:00:00+00:00"} for day in days]))


def test_months_of_the_api_join_those_of_the_files_each_once(raw_folder, built):
    synthetic_outlines(raw_folder, "London_Boroughs.gpkg", BOROUGHS)
    synthetic_stops(raw_folder, "2024-08", range(1, 32))
    synthetic_answer(raw_folder, "2024-09", range(1, 31))
    synthetic_answer(raw_folder, "2025-06", [])
    made = built()
    coverage = made.table("stop_coverage")
    assert coverage.select("month", "rows").rows() == [(date(2024, 8, 1), 31), (date(2024, 9, 1), 30)]
    assert coverage["complete"].to_list() == [True, False], "a month inside the declared break of publication"
    assert made.table("searches_by_day")["day"].n_unique() == 61
    assert made.manifest["tables"]["searches"]["sources"] == ["police-uk-stops", "police-uk-stops-api", "gla-boroughs"]


def test_stops_are_placed_in_wards_by_outline_where_no_ward_of_the_borough_changed_and_elsewhere_by_lsoa(
    synthetic_build, built, raw_folder
):
    shutil.copytree(synthetic_build[0], raw_folder, dirs_exist_ok=True)
    boroughs = {"LAD24CD": [TOWER_HAMLETS] * 2}
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", WARDS_2024 | boroughs)
    lookup = "".join(f"E0100000{n},{NOW[0]},x,{TOWER_HAMLETS}\n" for n in (0, 1))
    path = raw_folder / "ons/LSOA_(2021)_to_Electoral_Ward_(2024)_made_up.csv"
    path.write_text("LSOA21CD,WD24CD,WD24NM,LAD24CD\n" + lookup)
    made = built()
    # The outlines of 2018, which have all of its wards, place them, and the best fit is held against it.
    assert made.table("ward_stops").rows() == [(NOW[1], "2024-25", "outline", 49)]
    assert made.table("ward_placing").rows() == [(TOWER_HAMLETS, "2024-25", 49, 0)]
    used = made.manifest["tables"]["ward_stops"]["sources"]
    assert used[-3:] == ["gla-wards-2018", "ons-lsoa-2021", "ons-lsoa-lookup"]
    # Where one ward was redrawn, its neighbours' stops are in doubt too.
    redrawn = {"WD24CD": [*NOW, "E05099999"], "WD24NM": ["a", "b", "c"], "LAD24CD": [TOWER_HAMLETS] * 3}
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", redrawn)
    assert built(allow_shorter=True).table("ward_stops").rows() == [(NOW[0], "2024-25", "best fit", 49)]
    path.write_text(path.read_text().replace(TOWER_HAMLETS, BARNET))
    assert built(allow_shorter=True).table("ward_stops").is_empty(), "a best fit in another borough is none"


def test_more_thorough_searches_are_those_of_the_newest_file(raw_folder, built):
    for snapshot, rows in {"2025-11": [{}], "2026-02": [{}, {"stop_date": "2021-06-04", "borough": "Hackney"}]}.items():
        (raw_folder / f"mps/{snapshot}").mkdir(parents=True)
        synthetic_searches(raw_folder / f"mps/{snapshot}", rows=rows)
    assert built().table("thorough_searches")["searches"].sum() == 2


# Refusing -------------------------------------------------------------------------------------------------------------


def as_of_2026(raw):
    """The Historical file of 2026: from a later month, under the new headers."""
    path = synthetic_crime(raw, {"Barnet": 5, "Tower Hamlets": 10, "Unknown": 1}, months=TWO_YEARS[12:])
    header = {"MajorText": "Group", "MinorText": "SubGroup", "BoroughName": "BOCU"}
    pl.read_csv(path, infer_schema=False).rename(header).write_csv(path)


STOPS = "police_uk/2024-0{0}/2024-0{0}-metropolitan-stop-and-search.csv"
LATER = {"level": "Ward", "months": TWO_YEARS[12:]}
# What becomes of a raw folder, and what a build says of it.
SPOILT = {
    "a month under another's name": lambda raw: shutil.copyfile(raw / STOPS.format(5), raw / STOPS.format(6)),
    "a link to nothing": lambda raw: (raw / "mps/2025-03/MPS Borough Level Crime (link).csv").symlink_to("nowhere.csv"),
    "a month of crime twice": lambda raw: synthetic_crime(raw, {NOW[0]: 5}, file="twice", **LATER),
    "a month of stops twice": lambda raw: synthetic_answer(raw, "2024-05", range(1, 32)),
    "a later first month": as_of_2026,
    "an earlier last month": lambda raw: (raw / STOPS.format(6)).unlink(),
    "a table less": lambda raw: (raw / "mps/monthly-crime-dashboard.parquet").unlink(),
}
SAYS = {
    "a month under another's name": "2024-06-met.*: expected .*; found 32 of 32 rows of other months, 32 of May 2024",
    "a link to nothing": r"Crime \(link\).csv: expected .*; found no such file",
    "a month of crime twice": r"\(twice\).csv: two files give April 2024, 2025-03: keep one of them",
    "a month of stops twice": "05.json: two files give May 2024, metropolitan: keep one of them",
    "a later first month": "borough_offences held 2023-04-01 to 2025-03-01 and would hold 2024-04.*--allow-shorter",
    "an earlier last month": "stops held 2024-05-01 to 2024-06-01 and would hold 2024-05-01 to 2024-05-01",
    "a table less": "knife_offences held 2024-04-01 to 2024-05-01 and would hold nothing",
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_folder_that_is_not_right_is_refused_and_the_edition_stays(synthetic_build, copied, tmp_path, kind):
    raw = Path(shutil.copytree(synthetic_build[0], tmp_path / "raw"))
    SPOILT[kind](raw)
    (copied / "stops.parquet").write_bytes(b"a table that is spoilt has no less of a history")
    before = hashed(copied)
    with pytest.raises((SourceError, EditionError, ValueError), match=SAYS[kind]):
        edition.build(raw, copied)
    assert hashed(copied) == before and sorted(path.name for path in tmp_path.iterdir()) == ["edition", "raw"]


def test_what_is_no_edition_is_neither_replaced_nor_opened(synthetic_build, copied, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("years of work")
    for out in (tmp_path / "thesis", tmp_path / "thesis/chapter.txt"):
        with pytest.raises(EditionError, match="something else than an edition .no manifest.*nothing was written"):
            edition.build(synthetic_build[0], out)
    assert (tmp_path / "thesis/chapter.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edition", "thesis"]
    with pytest.raises(EditionError, match="thesis is no edition: it has no manifest.json .*wardbook build --raw DIR"):
        open_edition(tmp_path / "thesis")
    (copied / "households.parquet").unlink()
    with pytest.raises(EditionError, match="the table 'households' that its manifest names is missing"):
        open_edition(copied)


def test_a_raw_folder_that_is_not_there_or_holds_nothing_known_is_refused(raw_folder, tmp_path, built):
    with pytest.raises(SourceError, match="nowhere: expected a folder of publishers' files .* found no such folder"):
        edition.build(tmp_path / "nowhere", tmp_path / "edition")
    (raw_folder / "notes.txt").write_text("nothing to read")
    with pytest.raises(SourceError, match="raw: expected at least one publisher's file .*mps/.*; found none of them"):
        built()
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


# Tampering ------------------------------------------------------------------------------------------------------------


def rewrite(path, **columns):
    """Some columns of a table made anew, the number of rows kept."""
    frame = pl.read_parquet(path)
    frame.with_columns(**{n: v.cast(frame.schema[n]) for n, v in columns.items()}).write_parquet(path)


def first_row(column, value):
    return pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(pl.col(column))


def test_one_changed_byte_is_refused(copied):
    path = copied / "borough_offences.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(EditionError, match=r"borough_offences.parquet is not the table .* \(its SHA-256 differs\)"):
        open_edition(copied)


def damaged(path):
    content = path.read_bytes()
    path.write_bytes(content[:300] + bytes(600) + content[900:])


def doubled(path):
    frame = pl.read_parquet(path)
    pl.concat([frame, frame]).write_parquet(path)


TWICE, ANOTHER_SPAN, NO_INPUTS = {"entry": {"rows": 2}}, {"entry": {"from": "2010-04-01"}}, {"inputs": []}
AIRPORTS = {"airport_offences": pl.col("offences") + 1}
FEWER = "are their sums: not so in 1 rows, first borough_code E09000002, month 2023-04-01, snapshot 2025-03"
TAMPERING = {
    "rows doubled": ("households", doubled, TWICE, "each borough_code once"),
    "a negative count": ("ward_offences", {"offences": first_row("offences", -5)}, {}, "-5; allowed: a whole number"),
    "a share that is no number": ("confidence", {"share": pl.lit(float("nan"))}, {}, "nan; allowed"),
    "more at airports than offences": ("borough_offences", AIRPORTS, {}, "airport offences within offences"),
    "a count less": ("borough_offences", {"offences": first_row("offences", 4)}, {}, FEWER),
    "damage in the middle": ("ward_offences", damaged, {}, "cannot be read to its end"),
    "a wrong row count": ("households", {}, TWICE, "rows where the manifest names"),
    "another span": ("knife_offences", {}, ANOTHER_SPAN, "where the manifest names 2010-04-01"),
    "inputs emptied": ("confidence", {}, NO_INPUTS, "no input of its source mopac-attitudes"),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_with_every_hash_made_again_is_caught_with_the_table_named(copied, kind):
    """Planted: a check that trusts the hash, and one that stops at the first table."""
    table, change, manifest, says = TAMPERING[kind]
    path = copied / f"{table}.parquet"
    rewrite(path, **change) if isinstance(change, dict) else change(path)
    make_hash_again(copied, table, **manifest)
    wrong = texts(open_edition(copied))
    assert any(text.startswith((f"table {table}: ", "borough offences: ")) and says in text for text in wrong), wrong


@pytest.mark.parametrize("part", ["tables", "inputs", "sources", "reference"])
def test_the_id_covers_tables_inputs_and_definitions(copied, part):
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest[part] = type(manifest[part])()
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EditionError, match="is not that of the tables and inputs"):
        open_edition(copied)
    (copied / "manifest.json").write_text(json.dumps(manifest)[:100])
    with pytest.raises(EditionError, match="manifest.json is no manifest of an edition"):
        open_edition(copied)


# The history cannot shrink --------------------------------------------------------------------------------------------


def test_a_shorter_history_that_is_allowed_is_in_the_manifest_until_the_next_build(synthetic_build, copied, tmp_path):
    raw = Path(shutil.copytree(synthetic_build[0], tmp_path / "raw"))
    as_of_2026(raw)
    made = edition.build(raw, copied, allow_shorter=True)
    was_and_is = {"was": "2023-04-01 to 2025-03-01", "is": "2024-04-01 to 2025-03-01"}
    assert made.manifest["shorter"] == {"borough_offences": was_and_is}
    assert open_edition(made.path).table("borough_offences")["month"].min() == date(2024, 4, 1)
    assert "changes: of recorded crime 12 months are held: no other years to judge a change by" in texts(made, "note")
    # Once it is the one there, the same again loses nothing; an older release that is kept keeps the history.
    assert "shorter" not in edition.build(raw, copied).manifest
    synthetic_crime(raw, {"Barnet": 5}, snapshot="2025-04", months=["202504"])
    table = edition.build(raw, copied).table("borough_offences")
    assert (table["month"].min(), table["month"].max()) == (date(2024, 4, 1), date(2025, 4, 1))


# Wards of another vintage, and two taxonomies -------------------------------------------------------------------------


def test_a_ward_file_of_another_vintage_is_refused(raw_folder, built, tmp_path):
    synthetic_crime(raw_folder, dict.fromkeys(THEN, 400), level="Ward")
    # That the codes are known of an earlier year does not make them right.
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", WARDS_2018 | {"GSS_CODE": THEN})
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", WARDS_2024)
    says = "only 1 of 2 ward codes .50.0%. are in the wards of 2024; .*for example E05000026.*, so nothing was joined"
    with pytest.raises(WardVintageError, match=says):
        built()
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_without_the_wards_of_2024_nothing_is_said_of_the_vintage(raw_folder, built):
    # No outline of 2024 is at hand: that the codes are of another vintage would be a guess, and here a false one.
    synthetic_crime(raw_folder, dict.fromkeys(NOW, 4), level="Ward")
    codes = {"NAME": ["a"], "GSS_CODE": ["E05000026"], "LAGSSCODE": ["E09000002"]}
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", codes)
    made = built()
    assert {"ward_offences", "wards"} <= set(made.tables) and texts(made) == []


def test_a_series_across_taxonomies_is_made_only_of_what_both_can_fill(raw_folder, built):
    barnet, recent = {"Barnet": 5}, TWO_YEARS[12:]
    synthetic_crime(raw_folder, barnet, offences=offences_of(TITLE), months=TWO_YEARS[:12], file="Historical")
    synthetic_crime(raw_folder, barnet, months=recent, file="most recent 24 months")
    synthetic_crime(raw_folder, barnet, months=recent, snapshot="2025-04")  # its taxonomy takes nothing away
    made = built()
    table = made.table("borough_offences")
    held = {name: set(table.filter(snapshot=name)["offence_group"]) for name in ("2025-03", "2025-04")}
    assert held["2025-03"] == set(tables.groups_filled_by([TITLE, UPPER])["offence_group"])
    assert held["2025-04"] - held["2025-03"] >= {"stalking and harassment", "violence without injury"}
    assert {TOGETHER, tables.TOTAL} < held["2025-03"] & held["2025-04"]
    # One offence in the title-case file, two in the upper-case one: five of each a month, by snapshot and year.
    years = table.filter(borough_code=BARNET, offence_group=TOGETHER).group_by(
        "snapshot", financial_year_of(pl.col("month")).alias("year")
    )
    sums = years.agg(pl.col("offences").sum()).sort(pl.all()).rows()
    assert sums == [("2025-03", 2023, 5 * 12), ("2025-03", 2024, 10 * 12), ("2025-04", 2024, 10 * 12)]
    assert texts(made) == []


def test_of_a_ward_snapshot_that_a_newer_one_holds_in_full_only_the_total_is_kept(raw_folder, built):
    for snapshot, months in {"2025-03": TWO_YEARS, "2025-04": TWO_YEARS, "2025-05": TWO_YEARS[1:]}.items():
        synthetic_crime(raw_folder, dict.fromkeys(NOW, 5), level="Ward", snapshot=snapshot, months=months)
    table = built().table("ward_offences")
    groups = {name: part["offence_group"].n_unique() for (name,), part in table.group_by("snapshot")}
    # The newest lacks a month of the two before it, so the second stays whole; the first is held by the second.
    assert groups["2025-03"] == 1 < groups["2025-04"] == groups["2025-05"]
    assert set(table.filter(snapshot="2025-03")["month"]) == set(table.filter(snapshot="2025-04")["month"])


# Which months of stops are whole --------------------------------------------------------------------------------------


def stops_of(month, rows=60, *, last_day=None, unplaced=0, without_age=0, force="made up"):
    """A made-up month of stops, spread over its days."""
    last = last_day or monthrange(month.year, month.month)[1]
    n = pl.int_range(rows)
    return pl.select(
        force=pl.lit(force),
        month=pl.lit(month),
        local_time=pl.datetime(month.year, month.month, 1 + (last - 1) * n // (rows - 1), 12),
        borough_code=pl.when(n < unplaced).then(pl.lit(tables_stops.UNPLACED)).otherwise(pl.lit(BARNET)),
        age_range=pl.when(n >= without_age).then(pl.lit("18-24")),
        self_defined=pl.lit("White - Irish"),
        is_repeat=False,
    )


WINTER = pl.date_range(date(2022, 9, 1), date(2023, 3, 1), "1mo", eager=True).to_list()


DECEMBERS = [
    ({}, None),
    ({"last_day": 17}, "ends on the 17th"),
    ({"unplaced": 57}, "95% without a place"),
    ({"without_age": 58}, "almost no ages or ethnicities"),
    ({"rows": 20, "last_day": 17}, "ends on the 17th; 20 rows where the months around it have about 60"),
    ({"rows": 31}, None),
    ({"without_age": 54}, None),
]


@pytest.mark.parametrize(("december", "why"), DECEMBERS)
def test_a_month_that_is_not_whole_says_why_and_one_a_little_unlike_its_neighbours_is_whole(december, why):
    other = WINTER[3]
    months = [stops_of(month, **(december if month == other else {})) for month in WINTER]
    # Neither a month far off nor another force's is a neighbour.
    months += [stops_of(date(2023, 9, 1), rows=20), stops_of(other, rows=20, force="another")]
    table = tables_stops.stop_coverage(pl.concat(months))
    assert table.height == 9
    assert table.filter(~pl.col("complete")).select("month", "why_not").rows() == ([(other, why)] if why else [])


# The committed edition ------------------------------------------------------------------------------------------------


def test_the_committed_edition_is_right_small_and_of_these_reference_tables(committed):
    files = list(committed.path.iterdir())
    assert {path.name for path in files} == {"manifest.json", *(f"{name}.parquet" for name in committed.tables)}
    assert set(committed.tables) == set(SCHEMAS)
    assert sum(path.stat().st_size for path in files) < 12_000_000
    for name, digest in committed.manifest["reference"].items():
        assert hashlib.sha256((places.REFERENCE / name).read_bytes()).hexdigest() == digest, name


HERE = {"borough_code": TOWER_HAMLETS}
EVERYWHERE = {2022: 152_679, 2023: 150_987, 2024: 124_545}
ALL, INJURY = ({"snapshot": "2025-11", "offence_group": name} for name in (tables.TOTAL, "violence with injury"))
# By table: which rows, what is summed, and what somebody else printed of each financial year.
PRINTED = [
    ("knife_offences", HERE | {"subtype": "Knife Crime"}, "offences", {2022: 502, 2023: 599, 2024: 687}),
    ("knife_offences", {"subtype": "Knife Crime"}, "team_offences", {2024: 16_156}),
    ("vawg_offences", {"level": "borough"}, "offences", EVERYWHERE),
    ("vawg_offences", {"level": "London"}, "offences", EVERYWHERE),
    ("vawg_offences", {"area_code": TOWER_HAMLETS}, "offences", {2022: 5_932, 2023: 6_063, 2024: 5_087}),
    ("borough_offences", INJURY, "offences", {2013: 58_274, 2014: 69_598}),
    ("borough_offences", ALL, "airport_offences", {2019: 37, 2023: 4_627}),
]


@pytest.mark.parametrize(("name", "rows", "counted", "years"), PRINTED)
def test_the_committed_counts_are_those_that_were_printed(committed, name, rows, counted, years):
    table = committed.table(name).filter(**rows).group_by(financial_year_of(pl.col("month"))).agg(pl.col(counted).sum())
    assert {year: n for year, n in table.iter_rows() if year in years} == years


def test_the_committed_stops_by_ward(committed):
    stops = committed.table("ward_stops")
    assert stops["ward_code"].n_unique() == 679
    placed = stops.filter(placed_by="outline").unique("ward_code").join(committed.table("wards"), on="ward_code")
    assert (placed.height, placed["borough_code"].n_unique(), set(placed["vintages"])) == (149, 7, {"2018 2024"})


def test_every_column_of_every_table_is_in_the_dictionary(committed):
    dictionary = pl.read_csv(places.ROOT / "data/dictionary.csv", infer_schema=False)
    assert dictionary.columns == ["table", "column", "meaning", "unit", "example"]
    expected = [(name, column) for name in committed.tables for column in committed.table(name).columns]
    assert sorted(dictionary.select("table", "column").rows()) == sorted(expected)
    assert not any(cell is None or not cell.strip() for row in dictionary.rows() for cell in row)


# The publishers' files ------------------------------------------------------------------------------------------------


@pytest.mark.whole
def test_building_from_the_publishers_files_gives_the_committed_bytes_and_no_copy_of_a_file(raw, tmp_path):
    made = edition.build(raw, tmp_path / "edition")
    assert hashed(made.path) == hashed(edition.COMMITTED)
    assert len(made.manifest["inputs"]) == 60
    assert not set(hashed(raw).values()) & set(hashed(edition.COMMITTED).values())
