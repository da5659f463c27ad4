"""The edition: built from a made-up folder of every publisher, refused when it is not right, then the committed one."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from calendar import monthrange
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from test_thorough import synthetic_searches
from wardbook import catalogue, check, edition, places, tables
from wardbook.edition import EditionError, open_edition
from wardbook.periods import financial_year
from wardbook.places import WardVintageError
from wardbook.sources.police_uk import STOPS_SCHEMA
from wardbook.sources.reading import SourceError

UPPER, MARCH_2025, TITLE = "upper-case", "2025-03 ward", "title-case"
TWO_YEARS = [f"{y}{m:02}" for y in (2023, 2024, 2025) for m in range(1, 13)][3:27]  # April 2023 to March 2025
BARNET, TOWER_HAMLETS = "E09000003", "E09000030"
STALKING = ("VIOLENCE AGAINST THE PERSON", "STALKING AND HARASSMENT")
TOGETHER = "violence without injury including stalking and harassment"
NOW, THEN = ["E05009317", "E05009318"], ["E05009317", "E05000026"]  # wards of 2024, and of 2018


# A made-up folder of publishers' files --------------------------------------------------------------------------------


def offences_of(taxonomy):
    groups = pl.read_csv(places.REFERENCE / "offence_groups.csv")
    return groups.filter(taxonomy=taxonomy).select("major", "minor").unique().sort("major", "minor").rows()


def synthetic_crime(
    raw, counts, *, level="Borough", snapshot="2025-03", months=TWO_YEARS, offences=None, file="made up"
):
    """A wide file: each place of `counts` has that many of each offence in every month."""
    path = raw / "mps" / snapshot / f"MPS {level} Level Crime ({file}).csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    place = "WardCode" if level == "Ward" else "BoroughName"
    pl.DataFrame(
        [
            {"MajorText": major, "MinorText": minor, place: name, **dict.fromkeys(months, n)}
            for name, n in counts.items()
            for major, minor in offences or offences_of(UPPER)
        ]
    ).write_csv(path)
    return path


def synthetic_knife(raw):
    path = raw / "mps/monthly-crime-dashboard.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        ("Borough", "Tower Hamlets", None, 7),
        ("Safer Neighbourhood Teams", "Tower Hamlets Bow East", "E05009317 ", 7),
    ]
    months = [date(2024, month, 1) for month in (4, 5)]
    pl.DataFrame(
        [
            {
                "month_year": month,
                "area_type": kind,
                "borough_snt": name,
                "area_name": name,
                "area_code": code,
                "count": n,
            }
            for month in months
            for kind, name, code, n in rows
        ],
        schema_overrides={"area_code": pl.String},
    ).with_columns(
        pl.lit("Knife Crime").alias("crime_subtype"),
        pl.lit("Offences").alias("measure"),
        pl.lit(date(2024, 6, 18)).alias("refresh_date"),
    ).write_parquet(path)
    return path


def synthetic_stops(raw, month, days):
    """A month of stops, one on each of `days`, in a place of Tower Hamlets."""
    path = raw / f"police_uk/{month}/{month}-metropolitan-stop-and-search.csv"
    path.parent.mkdir(parents=True)
    stop = {
        "Type": "Person search",
        "Date": "",
        "Latitude": "51.515",
        "Longitude": "-0.05",
        "Gender": "Male",
        "Age range": "18-24",
        "Self-defined ethnicity": "White - Irish",
        "Officer-defined ethnicity": "White",
        "Legislation": "Misuse of Drugs Act 1971 (section 23)",
        "Object of search": "Controlled drugs",
        "Outcome": "Arrest",
        "Outcome linked to object of search": "False",
    }
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, stop)
        writer.writeheader()
        writer.writerows(stop | {"Date": f"{month}-{day:02}T12:00:00+00:00"} for day in days)
    return path


def synthetic_outlines(raw, name, columns):
    import geopandas
    from shapely.geometry import box

    path = raw / "ons" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    west = [-0.10 + 0.05 * n for n in range(len(next(iter(columns.values()))))]
    squares = [box(x, 51.50, x + 0.05, 51.55) for x in west]
    geopandas.GeoDataFrame(columns, geometry=squares, crs=4326).to_crs(27700).to_file(path)
    return path


def synthetic_folder(raw):
    """Something of every publisher: two boroughs, two wards, two financial years."""
    synthetic_crime(raw, {"Barnet": 5, "Tower Hamlets": 10, "Unknown": 1})
    synthetic_crime(raw, dict.fromkeys(NOW, 4), level="Ward")
    synthetic_knife(raw)
    synthetic_stops(raw, "2024-05", [*range(1, 32), 31])
    synthetic_stops(raw, "2024-06", range(1, 18))
    synthetic_outlines(raw, "wards-2024/made_up.gpkg", {"WD24CD": NOW, "WD24NM": ["Bethnal Green East", "Bow East"]})
    codes = {"NAME": ["Bethnal Green", "Bow East"], "GSS_CODE": NOW, "LAGSSCODE": [TOWER_HAMLETS] * 2}
    synthetic_outlines(raw, "wards-2018/made_up.shp", codes)
    synthetic_outlines(raw, "London_Boroughs.gpkg", {"gss_code": [BARNET, TOWER_HAMLETS]})
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


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


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
    """An empty folder for publishers' files."""
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


# Building -------------------------------------------------------------------------------------------------------------


def test_every_table_its_files_allow_is_made(synthetic_build):
    made = synthetic_build[1]
    assert made.tables == [
        "borough_offences",
        "confidence",
        "engagement",
        "engagement_captures",
        "households",
        "knife_offences",
        "officer_hours",
        "priorities",
        "searches",
        "searches_by_day",
        "stop_coverage",
        "stops",
        "ward_offences",
        "ward_stops",
        "wards",
    ]
    assert {path.name for path in made.path.iterdir()} == {
        "manifest.json",
        *(f"{name}.parquet" for name in made.tables),
    }
    for name in made.tables:
        held = made.table(name).height
        assert held == made.manifest["tables"][name]["rows"]
        assert (held > 0) == (name not in ("engagement", "engagement_captures", "priorities")), "nothing is invented"
    assert made.table("stops")["stops"].sum() == 49
    assert made.table("ward_stops").rows() == [(NOW[1], "2024-25", "outline", 49)]
    assert made.table("wards").filter(ward_code=NOW[0]).row(0)[1:4] == (
        "Bethnal Green East",
        TOWER_HAMLETS,
        "2018 2024",
    )


def test_an_edition_opened_is_the_one_built(synthetic_build):
    made = synthetic_build[1]
    again = open_edition(made.path)
    assert (again.id, again.manifest) == (made.id, made.manifest)
    assert re.fullmatch(r"[0-9a-f]{12}", made.id)
    assert again.provenance == f"edition {made.id} (11 publishers' files)"


def test_the_same_files_in_another_place_give_the_same_bytes(synthetic_build, tmp_path):
    raw, made = synthetic_build
    elsewhere = shutil.copytree(raw, tmp_path / "another name", copy_function=shutil.copyfile)
    edition.build(elsewhere, tmp_path / "one")
    assert hashes(tmp_path / "one") == hashes(made.path)
    # In the place of an earlier edition, as in an empty folder.
    edition.build(elsewhere, tmp_path / "one")
    (tmp_path / "empty").mkdir()
    edition.build(elsewhere, tmp_path / "empty")
    assert hashes(tmp_path / "empty") == hashes(tmp_path / "one") == hashes(made.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another name", "empty", "one"]


def test_tables_are_sorted_by_their_key(synthetic_build):
    made = synthetic_build[1]
    keys = {
        "borough_offences": 4,
        "ward_offences": 4,
        "knife_offences": 3,
        "stops": 5,
        "searches": 9,
        "searches_by_day": 5,
        "ward_stops": 3,
        "wards": 1,
    }
    for name, width in keys.items():
        table = made.table(name)
        key = table.columns[:width]
        assert table.equals(table.sort(key)), name
        assert table.select(key).is_unique().all(), name


def test_the_manifest_accounts_for_every_file(synthetic_build):
    raw, made = synthetic_build
    inputs = {entry["file"]: entry for entry in made.manifest["inputs"]}
    read = {
        path.relative_to(raw).as_posix()
        for path in raw.rglob("*")
        if path.suffix in (".csv", ".gpkg", ".parquet", ".shp")
    }
    assert set(inputs) == read
    for name, entry in inputs.items():
        content = (raw / name).read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert entry["rows_read"] == entry["rows_kept"] + sum(entry["set_aside"].values())
    named = {name for entry in inputs.values() for name in edition.input_hashes(entry)}
    assert named - read == {f"ons/wards-2018/made_up.{kind}" for kind in ("cpg", "dbf", "prj", "shx")}
    for entry in inputs.values():
        for name, digest in edition.input_hashes(entry).items():
            assert digest == hashlib.sha256((raw / name).read_bytes()).hexdigest()
    households = inputs["ons/census2021-ts044-ltla.csv"]
    assert (households["rows_read"], households["set_aside"]) == (2, {"not in a London borough": 1})
    assert inputs["police_uk/2024-05/2024-05-metropolitan-stop-and-search.csv"]["oddities"] == {
        "exact duplicate rows": 1
    }
    assert {entry["source"] for entry in inputs.values()} == set(made.manifest["sources"])
    for key, entry in made.manifest["sources"].items():
        assert entry["attribution"] == catalogue.sources()[key].attribution
    knife = inputs["mps/monthly-crime-dashboard.parquet"]
    assert "converted the published workbook" in knife["by_way_of"]
    assert {entry["licence"] for entry in inputs.values()} == {"Open Government Licence v3.0"}
    for name, entry in made.manifest["tables"].items():
        assert entry["sha256"] == hashlib.sha256((made.path / f"{name}.parquet").read_bytes()).hexdigest()
        assert set(entry["sources"]) <= set(made.manifest["sources"])
    for name in ("engagement", "engagement_captures", "priorities"):
        assert made.manifest["tables"][name] | {"sha256": ""} == {"rows": 0, "sha256": "", "sources": []}
        assert made.table(name).is_empty()
    references = made.manifest["reference"]
    assert (
        references["offence_groups.csv"]
        == hashlib.sha256((places.REFERENCE / "offence_groups.csv").read_bytes()).hexdigest()
    )


def holds_no_clock_commit_or_path(manifest, *folders):
    """Fail if the text of a manifest would differ on another day, commit or machine."""
    text = json.dumps(manifest, ensure_ascii=False)
    for folder in ("/work", "/home", "/tmp", "/Users", "\\\\", *map(str, folders)):
        assert folder not in text
    assert not re.search(r"\d{4}-\d{2}-\d{2}[T ]\d{2}|\d{2}:\d{2}(:\d{2})?|\b[0-9a-f]{40}\b|\b1[6-9]\d{8}\b", text)
    # Every date in it is a date of the data.
    data = {value for entry in manifest["tables"].values() for name, value in entry.items() if name in ("from", "to")}
    data = {value for value in data if len(value) == 10}  # a table by financial year names years
    assert set(re.findall(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", text)) == data
    assert all(not Path(entry["file"]).is_absolute() and ".." not in entry["file"] for entry in manifest["inputs"])


def test_the_manifest_holds_no_clock_commit_or_path(synthetic_build):
    raw, made = synthetic_build
    holds_no_clock_commit_or_path(made.manifest, raw, raw.parent)


@pytest.mark.parametrize(
    "pattern", ["mps/2025-03/*Borough*", "mps/*.parquet", "mopac/*", "ons/wards-2024/*", "ons/census*"]
)
def test_a_folder_of_one_source_is_enough(synthetic_build, raw_folder, tmp_path, pattern):
    everything, whole = synthetic_build
    (file,) = everything.glob(pattern)
    (raw_folder / file.relative_to(everything)).parent.mkdir(parents=True)
    shutil.copyfile(file, raw_folder / file.relative_to(everything))
    made = edition.build(raw_folder, tmp_path / "edition")
    drawn = [name for name, entry in made.manifest["tables"].items() if entry["sources"]]
    assert len(drawn) == len(made.manifest["inputs"]) == len(made.manifest["sources"]) == 1
    assert set(made.tables) - {"engagement", "engagement_captures", "officer_hours", "priorities"} == set(drawn)
    assert set(made.tables) < set(whole.tables)
    assert [f for f in check.check(open_edition(made.path)) if f.level == "wrong"] == []


def test_a_table_whose_source_was_absent_is_refused_by_name(raw_folder, tmp_path):
    synthetic_crime(raw_folder, {"Barnet": 5})
    synthetic_knife(raw_folder)
    made = edition.build(raw_folder, tmp_path / "edition")
    assert made.tables == ["borough_offences", "knife_offences", "officer_hours"]
    for name in ("stops", "ward_offences", "borough_offence"):
        with pytest.raises(EditionError) as caught:
            made.table(name)
        assert f"holds no table '{name}': it has borough_offences, knife_offences" in str(caught.value)
    notes = [finding.text for finding in check.check(made) if finding.level == "note"]
    assert "no ward offences: nothing that needs it can be said" in notes


def test_a_borough_and_offence_with_no_row_is_nought_in_every_month(raw_folder, tmp_path):
    offences = offences_of(UPPER)
    synthetic_crime(raw_folder, {"Barnet": 5}, offences=offences)
    synthetic_crime(raw_folder, {"Brent": 3}, offences=offences[1:], months=["202504"], snapshot="2025-04")
    synthetic_crime(raw_folder, {NOW[0]: 2}, level="Ward", offences=offences)
    path = synthetic_crime(raw_folder, {NOW[1]: 2}, level="Ward", offences=[STALKING], snapshot="2025-04")
    made = edition.build(raw_folder, tmp_path / "edition")
    table = made.table("borough_offences")
    groups = table["offence_group"].n_unique()
    assert table["borough_code"].n_unique() == 33
    assert table.height == 33 * groups * (24 + 1)
    absent = table.filter(borough_code=TOWER_HAMLETS, offence_group="robbery", snapshot="2025-03")
    assert absent["month"].to_list() == [*financial_year(2023).months, *financial_year(2024).months]
    assert absent["offences"].to_list() == [0] * 24
    assert table.filter(borough_code="E09000005", offence_group="arson")["offences"].sum() == 0
    assert table.filter(borough_code="E09000005", offence_group="criminal damage")["offences"].sum() == 3
    assert not table["offences"].has_nulls()
    assert not table["airport_offences"].has_nulls()
    wards = made.table("ward_offences").filter(ward_code=NOW[1])
    assert path.is_file()
    assert wards.height == groups * 24
    assert wards.filter(offence_group="robbery")["offences"].to_list() == [0] * 24


@pytest.mark.parametrize("changed", [False, True])
def test_stops_are_placed_in_wards_only_where_none_of_the_boroughs_wards_changed(raw_folder, tmp_path, changed):
    # Only outlines of 2018 place a point in a ward: where one ward was redrawn, its neighbours' stops are in doubt too.
    synthetic_stops(raw_folder, "2024-05", range(1, 32))
    synthetic_outlines(raw_folder, "London_Boroughs.gpkg", {"gss_code": [BARNET, TOWER_HAMLETS]})
    codes = {"NAME": ["a", "b"], "GSS_CODE": NOW, "LAGSSCODE": [TOWER_HAMLETS] * 2}
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", codes)
    now = [*NOW, "E05099999"] if changed else NOW
    columns = {"WD24CD": now, "WD24NM": now, "LAD24CD": [TOWER_HAMLETS] * len(now)}
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", columns)
    made = edition.build(raw_folder, tmp_path / "edition")
    assert made.table("stops")["stops"].sum() == 31
    assert made.table("ward_stops").rows() == ([] if changed else [(NOW[1], "2024-25", "outline", 31)])


def synthetic_answer(raw, month, days):
    """The API's answer for a month: a stop on each of `days`, in another ward of Tower Hamlets; without days, none."""
    path = raw / f"police_uk_api/stops-force/metropolitan-{month}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    stop = {"type": "Person search", "self_defined_ethnicity": "White - Irish", "officer_defined_ethnicity": "White"}
    place = {"latitude": "51.525", "longitude": "-0.05"}
    path.write_text(
        json.dumps([stop | {"datetime": f"{month}-{day:02}T12:00:00+00:00", "location": place} for day in days])
    )
    return path


def test_months_of_the_api_join_those_of_the_files_each_once(raw_folder, tmp_path):
    synthetic_outlines(raw_folder, "London_Boroughs.gpkg", {"gss_code": [BARNET, TOWER_HAMLETS]})
    synthetic_stops(raw_folder, "2024-08", range(1, 32))
    synthetic_answer(raw_folder, "2024-09", range(1, 31))
    synthetic_answer(raw_folder, "2025-06", [])
    made = edition.build(raw_folder, tmp_path / "edition")
    coverage = made.table("stop_coverage")
    assert coverage.select("month", "rows").rows() == [(date(2024, 8, 1), 31), (date(2024, 9, 1), 30)]
    assert coverage["complete"].to_list() == [True, False], "a month inside the declared break of publication"
    assert made.table("searches_by_day")["day"].n_unique() == 61
    empty = next(entry for entry in made.manifest["inputs"] if entry["file"].endswith("2025-06.json"))
    assert empty["oddities"] == {"an empty answer: the month is not published": 1}
    assert made.manifest["tables"]["searches"]["sources"] == ["police-uk-stops", "police-uk-stops-api", "gla-boroughs"]
    synthetic_answer(raw_folder, "2024-08", range(1, 32))
    with pytest.raises(ValueError, match="two files give August 2024 of metropolitan"):
        edition.build(raw_folder, tmp_path / "edition")


def test_every_boroughs_stops_are_placed_in_wards_by_their_lsoa(raw_folder, tmp_path):
    synthetic_stops(raw_folder, "2024-05", range(1, 32))
    synthetic_outlines(raw_folder, "London_Boroughs.gpkg", {"gss_code": [BARNET, TOWER_HAMLETS]})
    now = {"WD24CD": NOW, "WD24NM": NOW, "LAD24CD": [TOWER_HAMLETS] * 2}
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", now)
    synthetic_outlines(raw_folder, "lsoa-2021/made_up.shp", {"LSOA21CD": ["E01000000", "E01000001"]})
    lookup = (
        "LSOA21CD,WD24CD,WD24NM,LAD24CD\n"
        + f"E01000000,{NOW[0]},x,{TOWER_HAMLETS}\nE01000001,{NOW[0]},x,{TOWER_HAMLETS}\n"
    )
    (raw_folder / "ons/LSOA_(2021)_to_Electoral_Ward_(2024)_made_up.csv").write_text(lookup)
    made = edition.build(raw_folder, tmp_path / "edition")
    assert made.table("ward_stops").rows() == [(NOW[0], "2024-25", "best fit", 31)]
    assert "ward_placing" not in made.tables
    # With the outlines of 2018, which have all of its wards, they place them, and the best fit is held against it.
    codes = {"NAME": ["a", "b"], "GSS_CODE": NOW, "LAGSSCODE": [TOWER_HAMLETS] * 2}
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", codes)
    made = edition.build(raw_folder, tmp_path / "edition")
    assert made.table("ward_stops").rows() == [(NOW[1], "2024-25", "outline", 31)]
    assert made.table("ward_placing").rows() == [(TOWER_HAMLETS, "2024-25", 31, 0)]
    used = made.manifest["tables"]["ward_stops"]["sources"]
    assert used[-3:] == ["gla-wards-2018", "ons-lsoa-2021", "ons-lsoa-lookup"]


def test_more_thorough_searches_are_those_of_the_newest_file(raw_folder, tmp_path):
    for snapshot, rows in {"2025-11": [{}], "2026-02": [{}, {"stop_date": "2021-06-04", "borough": "Hackney"}]}.items():
        folder = raw_folder / f"mps/{snapshot}"
        folder.mkdir(parents=True)
        synthetic_searches(folder, rows=rows)
    made = edition.build(raw_folder, tmp_path / "edition")
    assert made.table("thorough_searches")["searches"].sum() == 2


# Refusing -------------------------------------------------------------------------------------------------------------


def truncated_workbook():
    return b"PK\x03\x04" + bytes(200)


def truncated_geopackage():
    return b"SQLite format 3\x00" + b"\x10\x00" + bytes(10) + (9).to_bytes(4, "big") + bytes(80)


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("mps/2025-03/MPS Borough Level Crime (b).csv", b"<!DOCTYPE html><html></html>", "a web page"),
        ("police_uk/2024-07/2024-07-metropolitan-stop-and-search.csv", b"version https://git-lfs", "a Git LFS pointer"),
        ("mopac/PAS_empty.csv", b"", "a file of zero bytes"),
        ("gla/Ethnic group.xlsx", truncated_workbook(), "a truncated file"),
        ("ons/wards-2024/b.gpkg", truncated_geopackage(), "a truncated file"),
        ("mps/monthly-crime-dashboard.parquet", b"PAR1" + bytes(90), "a truncated file"),
        ("ons/census2021-ts044-ltla.csv", b"geography,all\nE09000001,1\n", "columns geography, all"),
        (
            "police_uk/2024-07/2024-07-metropolitan-stop-and-search.csv",
            Path("police_uk/2024-05/2024-05-metropolitan-stop-and-search.csv"),
            "32 of 32 rows of other months, 32 of May 2024",
        ),
    ],
    ids=[
        "web page",
        "LFS pointer",
        "zero bytes",
        "truncated xlsx",
        "truncated gpkg",
        "truncated parquet",
        "missing column",
        "a month of stops under another's name",
    ],
)
@pytest.mark.parametrize("before", [False, True], ids=["new", "over a good edition"])
def test_an_unreadable_file_is_named_and_nothing_is_written(synthetic_build, tmp_path, name, content, finding, before):
    raw = Path(shutil.copytree(synthetic_build[0], tmp_path / "raw"))
    out = tmp_path / "edition"
    if before:
        shutil.copytree(synthetic_build[1].path, out)
    (raw / name).parent.mkdir(exist_ok=True, parents=True)
    (raw / name).write_bytes((raw / content).read_bytes() if isinstance(content, Path) else content)
    with pytest.raises(SourceError) as caught:
        edition.build(raw, out)
    assert caught.value.path == raw / name
    assert str(caught.value).startswith(f"{raw / name}: expected ")
    assert caught.value.found.startswith(finding)
    assert sorted(path.name for path in tmp_path.iterdir()) == (["edition", "raw"] if before else ["raw"])
    if before:
        assert hashes(out) == hashes(synthetic_build[1].path)


def test_a_disk_that_fails_halfway_leaves_the_edition_as_it_was(synthetic_build, copied, tmp_path, monkeypatch):
    before, written, write = hashes(copied), [], pl.DataFrame.write_parquet

    def fail(self, file, **options):
        written.append(file)
        if len(written) == 3:
            raise OSError("no space left")
        write(self, file, **options)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.raises(OSError, match="no space left"):
        edition.build(synthetic_build[0], copied)
    assert hashes(copied) == before
    assert [path.name for path in tmp_path.iterdir()] == ["edition"]


def test_a_folder_that_is_no_edition_is_not_replaced(synthetic_build, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("years of work")
    with pytest.raises(
        EditionError, match=r"thesis is not empty and is no edition \(no manifest.json\).*nothing was written"
    ):
        edition.build(synthetic_build[0], tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_a_file_in_the_place_of_the_edition_is_not_replaced(synthetic_build, tmp_path):
    (tmp_path / "edition").write_text("years of work")
    with pytest.raises(EditionError, match="edition"):
        edition.build(synthetic_build[0], tmp_path / "edition")
    assert (tmp_path / "edition").read_text() == "years of work"


def test_a_raw_folder_that_is_not_there_or_holds_nothing_known_is_refused(raw_folder, tmp_path):
    with pytest.raises(SourceError, match="nowhere: expected a folder of publishers' files .* found no such folder"):
        edition.build(tmp_path / "nowhere", tmp_path / "edition")
    (raw_folder / "notes.txt").write_text("nothing to read")
    with pytest.raises(SourceError, match="raw: expected at least one publisher's file .*mps/.*; found none of them"):
        edition.build(raw_folder, tmp_path / "edition")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("level", ["Borough", "Ward"])
def test_two_files_that_give_one_month_twice_are_refused(raw_folder, tmp_path, level):
    counts = {"Borough": {"Barnet": 5}, "Ward": {NOW[0]: 5}}[level]
    synthetic_crime(raw_folder, counts, level=level, months=TWO_YEARS[:13])
    synthetic_crime(raw_folder, counts, level=level, months=TWO_YEARS[12:], file="another")
    with pytest.raises(ValueError, match="two files give April 2024 of the snapshot 2025-03: keep one of them"):
        edition.build(raw_folder, tmp_path / "edition")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
    # The same months of another snapshot are a revision, not a repetition.
    (raw_folder / f"mps/2025-03/MPS {level} Level Crime (another).csv").unlink()
    synthetic_crime(raw_folder, counts, level=level, snapshot="2025-04")
    made = edition.build(raw_folder, tmp_path / "edition")
    assert made.table(f"{level.lower()}_offences")["snapshot"].unique().sort().to_list() == ["2025-03", "2025-04"]


def test_what_is_no_edition_is_not_opened(tmp_path, copied):
    with pytest.raises(EditionError, match="nowhere is no edition: it has no manifest.json .*wardbook build --raw DIR"):
        open_edition(tmp_path / "nowhere")
    (copied / "households.parquet").unlink()
    with pytest.raises(EditionError, match="the table 'households' that its manifest names is missing"):
        open_edition(copied)


def test_an_edition_is_found_whatever_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert edition.from_root("data/edition") == edition.COMMITTED == places.ROOT / "data/edition"
    assert edition.from_root(tmp_path) == tmp_path


# Tampering ------------------------------------------------------------------------------------------------------------


def change_count(folder, *, table="borough_offences", by=1, group="robbery"):
    """Add to one count of a copied edition, as an editor would: the table is a good table, but not the one built."""
    path = folder / f"{table}.parquet"
    frame = pl.read_parquet(path).with_row_index("row")
    row = frame.filter(pl.col("offence_group") == group, pl.col("offences") > 0)["row"][0]
    changed = pl.when(pl.col("row") == row).then(pl.col("offences") + by).otherwise("offences").cast(pl.Int32)
    frame.with_columns(changed.alias("offences")).drop("row").write_parquet(path)


def make_hash_again(folder, table, *, edition_too=True, change=lambda manifest: None):
    """Make the manifest agree with a changed table, as a careful editor would; `change` edits the rest of it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    file = folder / f"{table}.parquet"
    manifest["tables"][table]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    change(manifest)
    if edition_too:
        manifest["edition"] = edition.edition_id(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


NOT_THE_TABLE = r"borough_offences.parquet is not the table its manifest describes \(its SHA-256 differs\)"


def test_one_changed_byte_is_refused(copied):
    path = copied / "borough_offences.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(EditionError, match=NOT_THE_TABLE):
        open_edition(copied)


def test_one_changed_count_is_refused(copied):
    change_count(copied)
    with pytest.raises(EditionError, match=NOT_THE_TABLE):
        open_edition(copied)


@pytest.mark.parametrize("group", ["robbery", tables.TOTAL])
def test_a_changed_count_with_its_hash_made_again_is_caught_by_the_check(copied, group):
    right = "borough offences: the eleven groups sum to the total excluding fraud, every borough and month"
    assert right in [finding.text for finding in check.check(open_edition(copied)) if finding.level == "ok"]
    change_count(copied, group=group)
    make_hash_again(copied, "borough_offences")
    wrong = [finding.text for finding in check.check(open_edition(copied)) if finding.level == "wrong"]
    assert "borough offences: the groups do not sum to the total in 1 borough-months" in wrong


def test_a_changed_count_of_a_group_that_overlaps_is_caught_too(copied):
    # MOPAC 7 is in no partition, but it is the sum of seven groups that the table holds.
    change_count(copied, group="MOPAC 7")
    make_hash_again(copied, "borough_offences")
    assert [finding.text for finding in check.check(open_edition(copied)) if finding.level == "wrong"] != []


def test_an_edition_that_bears_another_ones_id_is_refused(copied):
    # The id stands under every figure: it must be the one of these tables.
    change_count(copied)
    make_hash_again(copied, "borough_offences", edition_too=False)
    with pytest.raises(EditionError, match="edition"):
        open_edition(copied)


@pytest.mark.parametrize("left", [100, 0])
def test_a_manifest_cut_short_is_refused(copied, left):
    path = copied / "manifest.json"
    path.write_text(path.read_text()[:left])
    with pytest.raises(EditionError, match="manifest.json"):
        open_edition(copied)


def rewrite(table, **columns):
    """A change of a table's file: some columns made anew, the number of rows kept."""

    def change(path):
        frame = pl.read_parquet(path)
        frame.with_columns(**{n: v.cast(frame.schema[n]) for n, v in columns.items()}).write_parquet(path)

    return table, change, None


def first_row(column, value):
    return pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(pl.col(column))


def doubled(path):
    frame = pl.read_parquet(path)
    pl.concat([frame, frame]).write_parquet(path)


def another_type(path):
    pl.read_parquet(path).cast({"searches": pl.Float64}).write_parquet(path)


def without_counts(path):
    pl.read_parquet(path).drop("stops").write_parquet(path)


def damaged(path):
    content = path.read_bytes()
    path.write_bytes(content[:300] + bytes(600) + content[900:])


def rows_twice(manifest):
    manifest["tables"]["households"]["rows"] *= 2


def without_inputs(manifest):
    manifest["inputs"] = []


def another_span(manifest):
    manifest["tables"]["knife_offences"]["from"] = "2010-04-01"


def one_row_more(manifest):
    manifest["tables"]["stops"]["rows"] += 1


TAMPERING = {
    "rows doubled": ("households", doubled, rows_twice, "each borough_code once"),
    "a negative count": (*rewrite("ward_offences", offences=first_row("offences", -5)), "-5; allowed: a whole number"),
    "a share past 1": (*rewrite("confidence", share=pl.lit(1.7)), "1.7; allowed: a number from 0 to 1"),
    "a share that is no number": (*rewrite("confidence", share=pl.lit(float("nan"))), "nan; allowed"),
    "an empty cell": (*rewrite("stops", stops=first_row("stops", None)), "None; allowed"),
    "a month that is none": (*rewrite("stops", month=pl.col("month").dt.offset_by("3d")), "the first day of a month"),
    "a code of nothing": (*rewrite("wards", ward_code=first_row("ward_code", "E05")), "'E05'; allowed: the GSS code"),
    "more positive than offences": (
        *rewrite("borough_offences", airport_offences=pl.col("offences") + 1),
        "airport offences within offences",
    ),
    "a column of another type": ("searches_by_day", another_type, None, "'Float64'; allowed"),
    "a column left out": ("ward_stops", without_counts, None, "no such column"),
    "a truncated file": ("stops", lambda p: p.write_bytes(p.read_bytes()[:-40]), None, "cannot be read to its end"),
    "damage in the middle": ("ward_offences", damaged, None, "cannot be read to its end"),
    "a wrong row count": ("stops", lambda p: None, one_row_more, "rows where the manifest names"),
    "another span": ("knife_offences", lambda p: None, another_span, "where the manifest names 2010-04-01"),
    "inputs emptied": ("confidence", lambda p: None, without_inputs, "no input of its source mopac-attitudes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_with_every_hash_made_again_is_caught_with_the_table_named(copied, kind):
    """Planted: a check that trusts the hash, and one that stops at the first table."""
    table, change, manifest, says = TAMPERING[kind]
    change(copied / f"{table}.parquet")
    make_hash_again(copied, table, **({"change": manifest} if manifest else {}))
    wrong = [finding.text for finding in check.check(open_edition(copied)) if finding.level == "wrong"]
    assert any(text.startswith(f"table {table}: ") and says in text for text in wrong), wrong


@pytest.mark.parametrize("part", ["rows", "inputs", "sources", "reference"])
def test_the_id_covers_tables_rows_inputs_and_definitions(copied, part):
    manifest = json.loads((copied / "manifest.json").read_text())
    if part == "rows":
        one_row_more(manifest)
    else:
        manifest[part] = type(manifest[part])()
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EditionError, match="is not that of the tables and inputs"):
        open_edition(copied)


# The history cannot shrink --------------------------------------------------------------------------------------------


def shorter_folder(raw, first):
    """Recorded crime as the Historical file of 2026 has it: from a later month, under the new headers."""
    months = pl.date_range(first, date(2025, 3, 1), interval="1mo", eager=True).dt.strftime("%Y%m").to_list()
    path = synthetic_crime(raw, {"Barnet": 5, "Unknown": 1}, months=months, file="Historical")
    header = {"MajorText": "Group", "MinorText": "SubGroup", "BoroughName": "BOCU"}
    pl.read_csv(path, infer_schema=False).rename(header).write_csv(path)
    return path


def test_an_edition_with_a_shorter_history_is_refused_with_table_and_months(raw_folder, tmp_path):
    out = tmp_path / "edition"
    shorter_folder(raw_folder, date(2010, 4, 1))
    edition.build(raw_folder, out)
    before = hashes(out)
    shorter_folder(raw_folder, date(2020, 8, 1))
    with pytest.raises(EditionError) as caught:
        edition.build(raw_folder, out)
    assert "borough_offences held 2010-04-01 to 2025-03-01 and would hold 2020-08-01 to 2025-03-01" in str(caught.value)
    assert "--allow-shorter" in str(caught.value)
    assert hashes(out) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    made = edition.build(raw_folder, out, allow_shorter=True)
    assert made.manifest["shorter"] == {
        "borough_offences": {"was": "2010-04-01 to 2025-03-01", "is": "2020-08-01 to 2025-03-01"}
    }
    assert open_edition(out).table("borough_offences")["month"].min() == date(2020, 8, 1)
    # Once it is the one there, the same again loses nothing.
    assert "shorter" not in edition.build(raw_folder, out).manifest


def test_an_older_release_that_is_kept_keeps_the_history(raw_folder, tmp_path):
    shorter_folder(raw_folder, date(2010, 4, 1))
    edition.build(raw_folder, tmp_path / "edition")
    months = [f"2025{month:02}" for month in range(4, 10)]
    synthetic_crime(raw_folder, {"Barnet": 5}, snapshot="2025-09", months=months)
    table = edition.build(raw_folder, tmp_path / "edition").table("borough_offences")
    assert (table["month"].min(), table["month"].max()) == (date(2010, 4, 1), date(2025, 9, 1))


def test_a_table_that_ends_earlier_or_is_gone_is_refused_by_name(synthetic_build, copied, tmp_path):
    raw = Path(shutil.copytree(synthetic_build[0], tmp_path / "raw"))
    shutil.rmtree(raw / "police_uk/2024-06")
    with pytest.raises(
        EditionError, match="stops held 2024-05-01 to 2024-06-01 and would hold 2024-05-01 to 2024-05-01"
    ):
        edition.build(raw, copied)
    (raw / "mps/monthly-crime-dashboard.parquet").unlink()
    with pytest.raises(EditionError, match="knife_offences held 2024-04-01 to 2024-05-01 and would hold nothing"):
        edition.build(raw, copied)
    # A table that is spoilt has no less of a history.
    (copied / "stops.parquet").write_bytes(b"spoilt")
    with pytest.raises(EditionError, match="stops held 2024-05-01 to 2024-06-01"):
        edition.build(raw, copied)
    edition.build(raw, copied, allow_shorter=True)


# Ward codes of the wrong vintage --------------------------------------------------------------------------------------


def test_ward_codes_of_2018_are_not_joined_to_wards_of_2024(raw_folder, tmp_path):
    synthetic_crime(raw_folder, dict.fromkeys(THEN, 4), level="Ward")
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", {"WD24CD": NOW, "WD24NM": ["a", "b"]})
    # That the codes are known of an earlier year does not make them right.
    codes = {"NAME": ["a", "c"], "GSS_CODE": THEN, "LAGSSCODE": [TOWER_HAMLETS, "E09000002"]}
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", codes)
    with pytest.raises(WardVintageError) as caught:
        edition.build(raw_folder, tmp_path / "edition")
    assert str(caught.value) == (
        "MPS ward-level crime: only 1 of 2 ward codes (50.0%) are in the wards of 2024; these are wards of another vintage "
        "(for example E05000026), so nothing was joined"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_without_the_wards_of_2024_nothing_is_said_of_the_vintage(raw_folder, tmp_path):
    # No outline of 2024 is at hand: that the codes are of another vintage would be a guess, and here a false one.
    synthetic_crime(raw_folder, dict.fromkeys(NOW, 4), level="Ward")
    codes = {"NAME": ["a"], "GSS_CODE": ["E05000026"], "LAGSSCODE": ["E09000002"]}
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", codes)
    made = edition.build(raw_folder, tmp_path / "edition")
    assert {"ward_offences", "wards"} <= set(made.tables)
    assert [f.text for f in check.check(made) if f.level == "wrong"] == []


@pytest.mark.raw
def test_published_wards_of_2018_are_refused_with_their_rate(raw, raw_folder, tmp_path):
    from wardbook.sources import ons

    codes = ons.read_wards(raw / "ons/wards-2018/London_Ward.shp").frame["ward_code"]
    synthetic_crime(raw_folder, dict.fromkeys(codes, 1), level="Ward", offences=[STALKING], months=["202401"])
    for name in ("wards-2018", "wards-2024"):
        (raw_folder / "ons").mkdir(exist_ok=True)
        (raw_folder / "ons" / name).symlink_to(raw / "ons" / name)
    # 149 of them are still in the Met's own files; the other five are wards of the City of London.
    with pytest.raises(WardVintageError, match=r"only 154 of 657 ward codes \(23.4%\) are in the wards of 2024"):
        edition.build(raw_folder, tmp_path / "edition")


def ward_file_of_2022(raw, codes):
    """As the description of 2022's ward files has it: title case with its own labels, 25 columns of which the first is a stub."""
    months = [f"{y}{m:02}" for y in (2020, 2021, 2022) for m in range(1, 13)][5:30]
    offences = [*offences_of(TITLE), ("Burglary", "Burglary Business and Community")]
    path = synthetic_crime(
        raw, dict.fromkeys(codes, 400), level="Ward", snapshot="2022-06", months=months, offences=offences
    )
    table = pl.read_csv(path).rename({"WardCode": "LookUp_WardCode"})
    table.with_columns(pl.lit(0).alias(months[0])).write_csv(path)


def test_a_ward_file_of_2022_is_refused_by_its_vintage_or_read_with_its_labels_and_without_its_stub(
    raw_folder, tmp_path
):
    codes = {"NAME": ["a", "c"], "GSS_CODE": THEN, "LAGSSCODE": [TOWER_HAMLETS, "E09000002"]}
    synthetic_outlines(raw_folder, "wards-2018/made_up.shp", codes)
    synthetic_outlines(raw_folder, "wards-2024/made_up.gpkg", {"WD24CD": NOW, "WD24NM": ["a", "b"]})
    ward_file_of_2022(raw_folder, THEN)
    with pytest.raises(WardVintageError, match=r"only 1 of 2 ward codes \(50.0%\) are in the wards of 2024"):
        edition.build(raw_folder, tmp_path / "edition")
    ward_file_of_2022(raw_folder, NOW)
    made = edition.build(raw_folder, tmp_path / "edition")
    table = made.table("ward_offences").filter(ward_code=NOW[0])
    assert (table["month"].min(), table["month"].max()) == (date(2020, 7, 1), date(2022, 6, 1))
    # The label without a dash is a second row of the same offence.
    assert set(table.filter(offence_group="business and community burglary")["offences"]) == {800}
    assert set(table.filter(offence_group="possession of weapons")["offences"]) == {400 * 6}
    (entry,) = [entry for entry in made.manifest["inputs"] if entry["source"] == "mps-ward-crime"]
    assert entry["oddities"]["stub month 202006 left out (offences in it)"] == 1
    assert entry["oddities"]["rows whose offence is spelt in another way"] == 2


# Two taxonomies in one snapshot ---------------------------------------------------------------------------------------


def test_a_series_across_taxonomies_is_made_only_of_what_both_can_fill(raw_folder, tmp_path):
    historical, recent = TWO_YEARS[:12], TWO_YEARS[12:]
    synthetic_crime(raw_folder, {"Barnet": 5}, offences=offences_of(TITLE), months=historical, file="Historical")
    synthetic_crime(raw_folder, {"Barnet": 5}, offences=offences_of(UPPER), months=recent, file="most recent 24 months")
    made = edition.build(raw_folder, tmp_path / "edition")
    groups = set(made.table("borough_offences")["offence_group"])
    assert groups == set(tables.groups_filled_by([TITLE, UPPER])["offence_group"])
    assert "stalking and harassment" not in groups
    assert "violence without injury" not in groups
    assert {TOGETHER, tables.TOTAL} < groups

    # One offence in the title-case file, two in the upper-case one: five of each a month.
    rows = made.borough_years.filter(
        borough_code=places.area("Barnet").code, offence_group=TOGETHER, snapshot="2025-03"
    )
    counts = rows.sort("year")["offences"].to_list()
    assert counts == [5 * 12, 10 * 12]
    assert [f for f in check.check(made) if f.level == "wrong"] == []


def test_another_snapshots_taxonomy_takes_nothing_away(raw_folder, tmp_path):
    synthetic_crime(raw_folder, {"Barnet": 5}, offences=offences_of(TITLE), snapshot="2025-03")
    synthetic_crime(raw_folder, {"Barnet": 5}, offences=offences_of(UPPER), snapshot="2025-04")
    table = edition.build(raw_folder, tmp_path / "edition").table("borough_offences")
    held = {name: set(table.filter(snapshot=name)["offence_group"]) for name in ("2025-03", "2025-04")}
    assert held["2025-04"] - held["2025-03"] >= {"stalking and harassment", "violence without injury"}
    assert TOGETHER in held["2025-03"] & held["2025-04"]


def test_of_a_ward_snapshot_that_a_newer_one_holds_in_full_only_the_total_is_kept(raw_folder, tmp_path):
    wards = {"counts": dict.fromkeys(NOW, 5), "level": "Ward"}
    for snapshot, months in {"2025-03": TWO_YEARS, "2025-04": TWO_YEARS, "2025-05": TWO_YEARS[1:]}.items():
        synthetic_crime(raw_folder, **wards, snapshot=snapshot, months=months)
    table = edition.build(raw_folder, tmp_path / "edition").table("ward_offences")
    groups = {name: part["offence_group"].n_unique() for (name,), part in table.group_by("snapshot")}
    # The newest lacks a month of the two before it, so the second stays whole; the first is held by the second.
    assert groups["2025-03"] == 1 < groups["2025-04"] == groups["2025-05"]
    assert set(table.filter(snapshot="2025-03")["month"]) == set(table.filter(snapshot="2025-04")["month"])


# Which snapshot holds what --------------------------------------------------------------------------------------------


def test_two_periods_are_compared_within_one_snapshot_or_not_at_all(raw_folder, tmp_path):
    months = pl.date_range(date(2021, 4, 1), date(2025, 3, 1), interval="1mo", eager=True).dt.strftime("%Y%m").to_list()
    synthetic_crime(raw_folder, {"Barnet": 5}, snapshot="2025-01", months=months[:36])
    synthetic_crime(raw_folder, {"Barnet": 5}, snapshot="2025-03", months=months[24:])
    synthetic_crime(raw_folder, {"Barnet": 5}, snapshot="2025-05", months=months[30:])
    made = edition.build(raw_folder, tmp_path / "edition")
    year = {start: financial_year(start) for start in range(2020, 2026)}
    assert made.snapshots == {
        "2025-01": [year[2021], year[2022], year[2023]],
        "2025-03": [year[2023], year[2024]],
        "2025-05": [year[2024]],
    }
    assert made.crime_years == [year[2021], year[2022], year[2023], year[2024]]
    assert made.snapshot_for(year[2021], year[2023]) == "2025-01"
    assert made.snapshot_for(year[2023], year[2024]) == "2025-03"
    assert made.snapshot_for(year[2023]) == "2025-03"
    assert made.snapshot_for(year[2024]) == "2025-05"
    assert made.snapshot_for(year[2022], year[2024]) is None
    assert made.snapshot_for(year[2020]) is None
    counts = made.borough_years.filter(borough_code=BARNET, offence_group="arson")
    assert counts.select("snapshot", "year").rows() == [
        ("2025-01", 2021),
        ("2025-01", 2022),
        ("2025-01", 2023),
        ("2025-03", 2023),
        ("2025-03", 2024),
        ("2025-05", 2024),
    ]
    assert counts["offences"].unique().to_list() == [60]


# Which months of stops are whole --------------------------------------------------------------------------------------


def stops_of(month, rows=60, *, last_day=None, unplaced=0, without_age=0, without_ethnicity=0):
    """A made-up month of placed stops, spread over its days."""
    last = last_day or monthrange(month.year, month.month)[1]
    london = ZoneInfo("Europe/London")
    stop = dict.fromkeys(STOPS_SCHEMA) | {"force": "made up", "month": month, "search_type": "Person search"}
    frame = pl.DataFrame(
        [
            stop
            | {
                "local_time": datetime(
                    month.year, month.month, 1 + (last - 1) * n // (rows - 1), 12, n % 60, tzinfo=london
                ),
                "borough_code": tables.UNPLACED if n < unplaced else BARNET,
                "age_range": None if n < without_age else "18-24",
                "self_defined": None if n < without_ethnicity else "White - Irish",
            }
            for n in range(rows)
        ],
        schema=STOPS_SCHEMA | {"borough_code": pl.String},
    )
    return frame


SPRING = [date(2022, month, 1) for month in (9, 10, 11, 12)] + [date(2023, month, 1) for month in (1, 2, 3)]


def coverage(**december):
    """The coverage of seven months, of which December differs."""
    months = [stops_of(month, **(december if month == date(2022, 12, 1) else {})) for month in SPRING]
    return tables.stop_coverage(pl.concat(months))


def test_seven_ordinary_months_are_complete():
    table = coverage()
    assert table["month"].to_list() == SPRING
    assert table["complete"].all()
    assert table["why_not"].null_count() == 7
    assert table["rows"].to_list() == [60] * 7
    assert table["last_day"].to_list()[3:5] == [date(2022, 12, 31), date(2023, 1, 31)]


@pytest.mark.parametrize(
    ("december", "why"),
    [
        ({"last_day": 17}, "ends on the 17th"),
        ({"last_day": 30}, "ends on the 30th"),
        ({"last_day": 21}, "ends on the 21st"),
        ({"last_day": 22}, "ends on the 22nd"),
        ({"last_day": 23}, "ends on the 23rd"),
        ({"last_day": 11}, "ends on the 11th"),
        ({"rows": 20}, "20 rows where the months around it have about 60"),
        ({"unplaced": 57}, "95% without a place"),
        ({"without_age": 58}, "almost no ages or ethnicities"),
        ({"without_ethnicity": 58}, "almost no ages or ethnicities"),
        ({"rows": 20, "last_day": 17}, "ends on the 17th; 20 rows where the months around it have about 60"),
    ],
)
def test_a_month_that_is_not_whole_says_why(december, why):
    table = coverage(**december)
    assert table.filter(~pl.col("complete"))["month"].to_list() == [date(2022, 12, 1)]
    assert table.filter(month=date(2022, 12, 1))["why_not"].to_list() == [why]


@pytest.mark.parametrize("december", [{"rows": 31}, {"unplaced": 30}, {"without_age": 54}, {"rows": 200}])
def test_a_month_a_little_unlike_its_neighbours_is_whole(december):
    assert coverage(**december)["complete"].all()


def test_a_month_is_held_against_the_three_either_side_of_its_own_force():
    far = stops_of(date(2023, 9, 1), rows=20)
    other = stops_of(date(2022, 12, 1), rows=20).with_columns(pl.lit("another").alias("force"))
    table = tables.stop_coverage(pl.concat([*map(stops_of, SPRING), far, other]))
    assert table["complete"].all()
    assert table.height == 9


def test_a_month_cut_short_in_its_file_is_marked_in_the_edition(synthetic_build):
    table = synthetic_build[1].table("stop_coverage")
    assert table.select("month", "rows", "exact_duplicates", "complete", "why_not").rows() == [
        (date(2024, 5, 1), 32, 1, True, None),
        (date(2024, 6, 1), 17, 0, False, "ends on the 17th"),
    ]


# The committed edition ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed():
    return open_edition()


def test_the_committed_edition_is_right(committed):
    findings = check.check(committed)
    assert [finding.text for finding in findings if finding.level == "wrong"] == []
    assert {finding.level for finding in findings} == {"ok", "note"}


def test_the_committed_edition_holds_every_table_built_so_far(committed):
    assert set(committed.tables) == {
        "borough_offences",
        "confidence",
        "engagement",
        "engagement_captures",
        "households",
        "knife_offences",
        "officer_hours",
        "outcomes",
        "population",
        "priorities",
        "searches",
        "searches_by_day",
        "stop_coverage",
        "stops",
        "thorough_searches",
        "vawg_offences",
        "ward_offences",
        "ward_placing",
        "ward_stops",
        "wards",
    }
    for name, entry in committed.manifest["tables"].items():
        assert committed.table(name).height == entry["rows"]


def test_the_committed_edition_is_small_and_holds_nothing_else(committed):
    files = list(committed.path.iterdir())
    assert {path.name for path in files} == {"manifest.json", *(f"{name}.parquet" for name in committed.tables)}
    assert sum(path.stat().st_size for path in files) < 12_000_000


def test_the_committed_manifest_holds_no_clock_commit_or_path(committed):
    holds_no_clock_commit_or_path(committed.manifest, places.ROOT)


def test_the_committed_edition_counts_by_these_reference_tables(committed):
    for name, digest in committed.manifest["reference"].items():
        assert hashlib.sha256((places.REFERENCE / name).read_bytes()).hexdigest() == digest, name


def test_the_committed_edition_knows_december_2022_is_cut_short(committed):
    table = committed.table("stop_coverage")
    assert (table["month"].min(), table["month"].max(), table.height) == (date(2022, 4, 1), date(2025, 4, 1), 37)
    partial = table.filter(~pl.col("complete"))
    cut = pl.date_range(date(2024, 9, 1), date(2025, 4, 1), interval="1mo", eager=True).to_list()
    assert partial["month"].to_list() == [date(2022, 12, 1), *cut]
    assert set(partial["why_not"][1:]) == {"in a break of publication: stops cut in publication"}
    assert partial["why_not"][0].startswith("ends on the 17th; 5,706 rows where the months around it have about ")


def test_the_committed_edition_can_compare_what_the_targets_need(committed):
    year = financial_year
    for years in ((year(2011), year(2015)), (year(2023), year(2024)), (year(2024),)):
        assert committed.snapshot_for(*years) == "2026-02"
    assert committed.snapshot_for(year(2024), year(2025)) is None
    assert [str(y) for y in (committed.crime_years[0], committed.crime_years[-1])] == ["2010-11", "2024-25"]
    assert len(committed.crime_years) == 15


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("borough_offences", date(2010, 4, 1), date(2026, 2, 1)),
        ("ward_offences", date(2010, 4, 1), date(2026, 2, 1)),
        ("knife_offences", date(2022, 3, 1), date(2026, 2, 1)),
        ("vawg_offences", date(2014, 1, 1), date(2026, 2, 1)),
        ("outcomes", date(2023, 6, 1), date(2025, 5, 1)),
    ],
)
def test_the_committed_history_has_every_month(committed, name, first, last):
    months = committed.table(name)["month"].unique().sort()
    assert months.to_list() == pl.date_range(first, last, interval="1mo", eager=True).to_list()


def test_the_committed_wards_are_one_snapshot_of_679(committed):
    table = committed.table("ward_offences")
    newest = table.filter(snapshot="2026-02")
    assert newest.group_by("month").agg(pl.col("ward_code").n_unique())["ward_code"].unique().to_list() == [679]
    older = table.filter(pl.col("snapshot") != "2026-02")
    assert set(older["snapshot"]) == {"2025-03", "2025-12"} and set(older["offence_group"]) == {tables.TOTAL}


def test_the_committed_counts_of_violence_against_women_and_girls(committed):
    table = committed.table("vawg_offences").with_columns(tables.financial_year_label(pl.col("month")))
    years = ["2022-23", "2023-24", "2024-25"]
    for level in ("borough", "London"):
        sums = dict(table.filter(level=level).group_by("financial_year").agg(pl.col("offences").sum()).iter_rows())
        assert [sums[year] for year in years] == [152_679, 150_987, 124_545]
    here = table.filter(area_code=TOWER_HAMLETS).group_by("financial_year").agg(pl.col("offences").sum())
    assert [dict(here.iter_rows())[year] for year in years] == [5_932, 6_063, 5_087]
    assert table.filter(level="ward")["area_code"].n_unique() == 679


def test_the_committed_outcomes(committed):
    every = committed.table("outcomes").filter(offence_group=tables.ALL_BUSINESS)
    assert (every["positive_outcomes"].sum(), every["outcomes"].sum()) == (64_026, 872_784)


def test_the_committed_edition_places_stops_in_every_ward_and_by_outline_in_seven_boroughs(committed):
    table = committed.table("ward_stops")
    assert table["ward_code"].n_unique() == 679
    by_outline = table.filter(placed_by="outline").select("ward_code").unique()
    placed = by_outline.join(committed.table("wards"), on="ward_code")
    assert (by_outline.height, placed.height) == (149, 149)
    assert placed["borough_code"].n_unique() == 7
    assert TOWER_HAMLETS in placed["borough_code"].to_list()
    assert set(placed["vintages"]) == {"2018 2024"}


def test_every_column_of_every_table_is_in_the_dictionary(committed):
    dictionary = pl.read_csv(places.ROOT / "data/dictionary.csv", infer_schema=False)
    assert dictionary.columns == ["table", "column", "meaning", "unit", "example"]
    rows = dictionary.select("table", "column").rows()
    assert len(set(rows)) == len(rows)
    wanted = {(name, column) for name in committed.tables for column in committed.table(name).columns}
    assert set(rows) == wanted
    for column in ("meaning", "unit", "example"):
        assert not dictionary[column].is_null().any()
        assert (dictionary[column].str.strip_chars() != "").all()


# The publishers' files ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(raw, tmp_path_factory):
    """The edition built from the publishers' files, twice."""
    home = tmp_path_factory.mktemp("built")
    return [edition.build(raw, home / name) for name in ("one", "two")]


@pytest.mark.raw
@pytest.mark.slow
def test_building_twice_gives_the_same_bytes_and_they_are_the_committed_ones(built):
    one, two = (hashes(made.path) for made in built)
    assert one == two
    assert one == hashes(edition.COMMITTED)


@pytest.mark.raw
@pytest.mark.slow
def test_a_real_manifest_holds_no_clock_commit_or_path(raw, built):
    holds_no_clock_commit_or_path(built[0].manifest, raw, built[0].path)
    assert len(built[0].manifest["inputs"]) == 60


@pytest.mark.raw
def test_no_file_of_the_edition_is_a_publishers_file(raw):
    published = {hashlib.sha256(path.read_bytes()).hexdigest() for path in raw.rglob("*") if path.is_file()}
    assert not published & set(hashes(edition.COMMITTED).values())
