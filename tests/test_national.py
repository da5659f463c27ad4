"""Street-level crimes to counts: every row in one place, whatever its LSOA's vintage, in memory that does not grow."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from distributed import LocalCluster

import generate_months
from wardbook import national
from wardbook.sources.placing import place_points
from wardbook.sources.reading import SourceError

LOOKUP = pl.DataFrame(
    {"lsoa_code": ["E01000001", "E01000002", "E01000009"], "ward_code": ["E05000001", "E05000001", "E05000002"]}
)


def write(folder: Path, rows: list[dict], name: str = "2022-06-metropolitan-street.csv") -> Path:
    blank = dict.fromkeys(generate_months.HEADER, "") | {"Month": name[:7], "Crime type": "Drugs"}
    pl.DataFrame([blank | row for row in rows]).select(pl.all().replace({"": None})).write_csv(folder / name)
    return folder / name


def test_each_row_is_counted_once_and_accounted_for(tmp_path):
    inside, outside = {"Longitude": "0.1", "Latitude": "51.5"}, {"Longitude": "3.0", "Latitude": "51.5"}
    path = write(
        tmp_path,
        [
            {"LSOA code": "E01000001", "Crime ID": "a", **inside},
            {"LSOA code": "E01000002", "Crime ID": "a", **inside},
            {"LSOA code": "E01000009", "Crime type": "Anti-social behaviour", **inside},
            {"LSOA code": "E01000003", "Crime ID": "b", **inside},  # a code that ended in 2021
            {"LSOA code": "", "Crime ID": "c", "Location": "No Location"},
            {"LSOA code": "", "Crime ID": "d", **outside},
        ],
    )
    frame, quality = national.count_file(path, LOOKUP)
    assert frame.select("ward_code", "crime_type", "offences").rows() == [
        ("E05000001", "Drugs", 2),
        ("E05000002", "Anti-social behaviour", 1),
        ("unplaced", "Drugs", 3),
    ]
    assert frame.schema == national.STREET_SCHEMA
    assert (frame["force"][0], frame["month"][0]) == ("metropolitan", date(2022, 6, 1))
    assert (quality.rows_read, quality.rows_kept) == (6, 6)
    assert quality.oddities == {"No Location": 1, "LSOA code not of 2021": 1, "in no ward": 3}


ROW = {"LSOA code": "E01000001", "Crime ID": "a", "Longitude": "0.1", "Latitude": "51.5"}
CELLS = "expected 12 cells a line, as in the header; found"
CRIMES = "expected crimes of 2022-06, each of a type listed in wardbook.national; found"
DAMAGE = {
    "a cell too many": (lambda text: text.replace("Drugs,,", "Drugs,,,x", 1), f"{CELLS} 13 on line 2"),
    "a cell too many before the type": (lambda text: text.replace("E01000001", "E01000001,x", 1), f"{CRIMES} 2022-06"),
    "two rows run together": (lambda text: text.replace("Drugs,,\n", "Drugs,,", 1), f"{CELLS} 23 on line 2"),
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_file_whose_lines_are_not_even_is_refused(tmp_path, line_end, kind):
    change, says = DAMAGE[kind]
    path = write(tmp_path, [ROW] * 3)
    good = path.read_text()
    path.write_bytes(good.replace("\n", line_end).encode())
    assert national.count_file(path, LOOKUP)[0]["offences"].sum() == 3
    path.write_bytes(change(good).replace("\n", line_end).encode())
    with pytest.raises(SourceError, match=says) as caught:
        national.count_file(path, LOOKUP)
    assert str(caught.value).startswith(f"{path}: expected ")


@pytest.mark.parametrize("old", ["Drugs", "\n"])
def test_what_is_only_written_differently_is_counted_the_same(tmp_path, old):
    path = write(tmp_path, [ROW, ROW | {"LSOA code": "E01000009"}, ROW | {"LSOA code": ""}])
    right = national.count_file(path, LOOKUP)
    path.write_text(path.read_text().replace(old, {"Drugs": '"Drugs"', "\n": ",,,,\n"}[old]), encoding="utf-8")
    changed = national.count_file(path, LOOKUP)
    assert changed[0].equals(right[0]) and changed[1] == right[1]


def test_a_name_of_no_month_and_a_month_in_two_archives_are_refused(tmp_path):
    path = write(tmp_path, [{}], "2022-13-metropolitan-street.csv")
    with pytest.raises(SourceError, match="expected a name like 2024-05-metropolitan-street.csv"):
        national.count_file(path, LOOKUP)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, [{}], "2022-06-x-street.csv")
    path.unlink()
    with pytest.raises(SourceError, match="each force's month once"):
        national.street_files(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_generated_months_are_counted_as_a_spatial_join_and_a_cluster_count_them(tmp_path):
    """The generator's LSOAs lie in its wards, so placing by code and by point must agree."""
    at = generate_months.world(points=500)
    paths = generate_months.write_months(tmp_path, 6_000, 3, at=at)
    assert [path.name for path in paths] == [f"2026-0{n}-metropolitan-street.csv" for n in (5, 6, 7)]
    table, qualities = national.street_counts(paths, at.lookup)
    every = pl.concat(pl.read_csv(path, schema_overrides={"Crime ID": pl.String}) for path in paths)
    every = every.rename({"Longitude": "longitude", "Latitude": "latitude"})
    points = place_points(every, generate_months.outlines(), code="ward_code")
    wanted = points.group_by(pl.col("ward_code").fill_null("unplaced"), "Month", "Crime type").len()
    ours = table.select("ward_code", pl.col("month").dt.strftime("%Y-%m"), "crime_type", "offences").rows()
    assert sorted(ours) == sorted(wanted.rows())
    assert sum(quality.rows_read for quality in qualities) == table["offences"].sum() == 6_000
    with LocalCluster(processes=False, dashboard_address=None, silence_logs=50) as cluster:
        there = national.street_counts(paths, at.lookup, scheduler=cluster.scheduler_address)
    assert there[0].equals(table) and there[1] == qualities


def test_a_real_forces_months(raw, wardbook, tmp_path):
    made = tmp_path / "made"
    told = wardbook("build", "--street", raw, "--raw", raw, "--out", made)
    assert told.exit_code == 0, told.stderr
    table = pl.read_parquet(made / "street_offences.parquet")
    files = sorted(raw.rglob("*-street.csv"))
    assert len(json.loads((made / "street_offences.json").read_text())) == len(files)
    lines = sum(pl.read_csv(path, infer_schema=False).height for path in files)
    assert table["offences"].sum() == lines
    assert table.filter(ward_code="unplaced")["offences"].sum() < 0.1 * lines
    assert len(list(made.iterdir())) == 2
