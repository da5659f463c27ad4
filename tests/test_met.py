"""The Met's recorded crime and knife crime: made-up files for each trap, then the published ones to the digit."""

from datetime import date

import polars as pl
import pytest

from wardbook import tables
from wardbook.places import REFERENCE, UNKNOWN
from wardbook.sources import met
from wardbook.sources.reading import SourceError

UPPER, MARCH_2025, TITLE = "upper-case", "2025-03 ward", "title-case"
MONTHS = ("202510", "202511", "202512")
BARNET, HILLINGDON, WESTMINSTER = "E09000003", "E09000017", "E09000033"
# One offence that only the upper-case taxonomy has: enough to say which a small file is in.
STALKING = ("VIOLENCE AGAINST THE PERSON", "STALKING AND HARASSMENT")
ROBBERY = ("ROBBERY", "ROBBERY OF PERSONAL PROPERTY")


def offences_of(taxonomy):
    """Every (major, minor) of a taxonomy, in order."""
    groups = pl.read_csv(REFERENCE / "offence_groups.csv")
    return groups.filter(taxonomy=taxonomy).select("major", "minor").unique().sort("major", "minor").rows()


def months_between(first, last):
    """The headers of the months from one to another: of 2010-04 to 2023-09, 201004 to 202309."""
    days = pl.date_range(date.fromisoformat(f"{first}-01"), date.fromisoformat(f"{last}-01"), "1mo", eager=True)
    return days.dt.strftime("%Y%m").to_list()


def crime_table(counts, months, offences=None, place="BoroughName"):
    """A wide table: each place of `counts` has that many of each offence in every month."""
    return pl.DataFrame(
        {"MajorText": major, "MinorText": minor, place: name, **dict.fromkeys(months, n)}
        for name, n in counts.items()
        for major, minor in offences or offences_of(UPPER)
    )


@pytest.fixture
def synthetic_crime(tmp_path):
    """Write a made-up wide file: one row a (major, minor), place and counts by month."""

    def write(rows, place="BoroughName", months=MONTHS, offence=("MajorText", "MinorText"), folder="2025-12"):
        level = "Ward" if "Ward" in place else "Borough"
        path = tmp_path / folder / f"MPS {level} Level Crime (made up).csv"
        path.parent.mkdir(exist_ok=True)
        records = [{**dict(zip(offence, pair)), place: where, **dict(zip(months, n))} for pair, where, n in rows]
        pl.DataFrame(records, infer_schema_length=None).write_csv(path)
        return path

    return write


# Wide files: shape ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["MajorText MinorText LookUp_BoroughName", "MajorText MinorText BoroughName", "Group SubGroup BOCU"],
)
def test_each_header_gives_the_same_borough_table(synthetic_crime, header):
    *offence, place = header.split()
    rows = [(STALKING, "Barnet", (1, 2, 3)), (ROBBERY, "Westminster", (4, 0, 6))]
    loaded = met.read_borough_crime(synthetic_crime(rows, place, offence=offence))
    assert loaded.frame.select("borough_code", "month", "major", "minor", "offences").sort(pl.all()).rows() == [
        (code, date(2025, month, 1), *offence, n)
        for code, offence, counts in ((BARNET, STALKING, (1, 2, 3)), (WESTMINSTER, ROBBERY, (4, 0, 6)))
        for month, n in zip((10, 11, 12), counts)
    ]
    assert not loaded.frame["at_airports"].any()
    assert (loaded.quality.rows_read, loaded.quality.set_aside, loaded.quality.oddities) == (2, {}, {})


@pytest.mark.parametrize("place", ["WardCode", "LookUp_WardCode"])
def test_each_header_gives_the_same_ward_table(synthetic_crime, place):
    rows = [(STALKING, "E05009317 ", (1, 0, 3)), *((STALKING, code, (9, 9, 9)) for code in ("N/K", "-1", "E09000030"))]
    loaded = met.read_ward_crime(synthetic_crime(rows, place))
    assert loaded.frame.select("ward_code", "offences").rows() == [("E05009317", n) for n in (1, 0, 3)]
    assert loaded.quality.set_aside == {"ward_code of no known form": 3}


@pytest.mark.parametrize(
    ("place", "column", "reader"),
    [("Barnet", "BoroughName", met.read_borough_crime), ("E05009317", "WardCode", met.read_ward_crime)],
)
def test_a_parquet_copy_with_headers_in_lower_case_reads_as_the_csv_does(synthetic_crime, place, column, reader):
    path = synthetic_crime([(STALKING, place, (1, 0, 3)), (ROBBERY, place, (4, None, 6))], column)
    copy = path.with_name("recorded-crime.parquet")
    table = pl.read_csv(path).rename(str.lower)
    # A converter makes decimals of a column with an empty cell.
    table.select(reversed(table.columns)).with_columns(pl.col("202511").cast(pl.Float64)).write_parquet(copy)
    one, two = reader(path), reader(copy)
    assert one.frame.equals(two.frame)
    assert (one.quality.rows_read, one.quality.oddities) == (two.quality.rows_read, two.quality.oddities)
    table.with_columns(pl.lit(1.5).alias("202511")).write_parquet(copy)
    with pytest.raises(SourceError, match="found '1.5', row 1"):
        reader(copy)


# Wide files: months ---------------------------------------------------------------------------------------------------


def test_a_stub_at_the_end_is_no_month_of_the_snapshot_and_a_quiet_month_no_stub(synthetic_crime):
    path = synthetic_crime([(STALKING, "Barnet", (700, 710, 690, 9))], months=(*MONTHS, "202601"))
    loaded = met.read_borough_crime(path)
    assert loaded.frame["month"].max() == date(2025, 12, 1)
    assert loaded.frame["snapshot"].unique().to_list() == ["2025-12"]
    assert list(loaded.quality.oddities) == ["stub month 202601 left out (offences in it)"]
    assert met.read_borough_crime(synthetic_crime([(STALKING, "Barnet", (15, 100, 100))])).quality.oddities == {}


def test_the_snapshot_is_what_the_folder_says(synthetic_crime, tmp_path):
    rows = [(STALKING, "Barnet", (1, 2, 3))]
    # Without such a folder, a "most recent" file was cut at its own last month.
    for folder, snapshot in {"2025-12": "2025-12", "2026-03": "2026-03", "download": "2025-12"}.items():
        loaded = met.read_borough_crime(synthetic_crime(rows, folder=folder))
        assert loaded.frame["snapshot"].unique().to_list() == [snapshot]
    for months in (MONTHS, MONTHS[::-1]):
        path = synthetic_crime(rows, months=months, folder="2025-11")
        with pytest.raises(SourceError, match="months up to the snapshot 2025-11 its folder .*; found a column 202512"):
            met.read_borough_crime(path)
    path = path.rename(tmp_path / "download/MPS Borough Level Crime (Historical).csv")
    with pytest.raises(SourceError, match="expected a folder named by the snapshot"):
        met.read_borough_crime(path)


# Offences: three taxonomies -------------------------------------------------------------------------------------------


@pytest.fixture
def read_offences(synthetic_crime):
    """Read a made-up borough file of these offences, six of each in Barnet."""
    return lambda offences: met.read_borough_crime(synthetic_crime([(pair, "Barnet", (1, 2, 3)) for pair in offences]))


@pytest.mark.parametrize(
    ("taxonomy", "majors", "minors"), [(UPPER, 13, 34), (MARCH_2025, 13, 31), (TITLE, 12, 57)], ids=str
)
def test_a_full_file_is_of_its_own_taxonomy_in_whatever_case_with_whatever_commas(
    read_offences, taxonomy, majors, minors
):
    offences = offences_of(taxonomy)
    assert (len({major for major, _ in offences}), len(offences)) == (majors, minors)
    plain = read_offences(offences)
    assert plain.frame["taxonomy"].unique().to_list() == [taxonomy]
    assert plain.frame.select("major", "minor").unique().sort(pl.all()).rows() == offences
    assert plain.frame["offences"].sum() == 6 * minors
    other = read_offences([tuple(text.lower().replace(" ", "  -, ") for text in pair) for pair in offences])
    assert other.frame.sort(pl.all()).equals(plain.frame.sort(pl.all()))
    said = {"rows whose offence is spelt in another way": len(offences)}
    assert (other.quality.oddities, plain.quality.oddities) == (said, {})


def test_a_file_too_small_to_tell_its_taxonomy_is_refused(read_offences):
    # With stalking in it or apart from it: the same two words, a third apart.
    says = f"expected offences that only one taxonomy has; found offences that fit {MARCH_2025} and {TITLE} and {UPPER}"
    with pytest.raises(SourceError, match=says):
        read_offences([("VIOLENCE AGAINST THE PERSON", "VIOLENCE WITHOUT INJURY")])


def test_the_labels_of_2022_to_2026_that_earlier_files_have_not(read_offences):
    """data/README point 24: a comma in the newest borough file, two labels of title-case files."""
    comma = [STALKING, ("PUBLIC ORDER OFFENCES", "PUBLIC FEAR, ALARM OR DISTRESS")]
    labels = [("Burglary", "Burglary Business and Community"), ("Possession of Weapons", "Other Knife Offences")]
    labels += [("Theft", "Theft from Person")]
    groups = ("business and community burglary", "burglary", "possession of weapons")
    for offences, filled in ((comma, ["public order offences"]), (labels, groups)):
        table = tables.borough_offences([read_offences(offences).frame]).filter(borough_code=BARNET)
        for group in filled:
            assert table.filter(offence_group=group)["offences"].to_list() == [1, 2, 3]
    assert table.filter(offence_group=tables.TOTAL)["offences"].to_list() == [3, 6, 9]


@pytest.mark.parametrize("taxonomy", [UPPER, MARCH_2025, TITLE])
def test_the_partition_holds_every_offence_but_fraud_once(taxonomy):
    groups = tables.groups_filled_by([taxonomy])
    parts = groups.filter(pl.col("offence_group").is_in(tables.PARTITION)).select("major", "minor")
    total = groups.filter(offence_group=tables.TOTAL).select("major", "minor")
    assert parts.sort(pl.all()).rows() == total.sort(pl.all()).rows()
    left = {pair for pair in offences_of(taxonomy) if "FRAUD" in pair[0].upper()}
    assert {*total.rows()} == {*offences_of(taxonomy)} - left


# Places ---------------------------------------------------------------------------------------------------------------


def test_the_airports_are_counted_in_hillingdon_and_marked_and_unknown_is_no_borough(synthetic_crime):
    rows = [
        (STALKING, "Hillingdon", (10, 20, 30)),
        (STALKING, "London Heathrow and London City Airports", (4, 5, 0)),
        (ROBBERY, "London Heathrow and London City Airports", (1, 0, 0)),
        (STALKING, "Unknown", (1, 2, 4)),
    ]
    loaded = met.read_borough_crime(synthetic_crime(rows))
    assert set(loaded.frame["borough_code"]) == {HILLINGDON, UNKNOWN}
    assert loaded.frame.filter("at_airports")["offences"].sum() == 10
    counted = {"offences at the airports, counted in Hillingdon": 10, "offences whose borough is unknown": 7}
    assert loaded.quality.oddities == counted
    table = tables.borough_offences([loaded.frame]).filter(offence_group=tables.TOTAL)
    assert table["offences"].sum() == 70 + 7
    table = table.filter(borough_code=HILLINGDON)
    assert table.select("offences", "airport_offences").rows() == [(15, 5), (25, 5), (30, 0)]


# The published files --------------------------------------------------------------------------------------------------


def test_published_violence_without_injury_differs_by_taxonomy(raw):
    # The months both files hold: January 2024 to March 2025.
    common = pl.col("month").is_between(date(2024, 1, 1), date(2025, 3, 1))
    counts = []
    for name in ("2025-03", "2025-12"):
        frame = met.read_ward_crime(raw / f"mps/{name}/MPS Ward Level Crime (most recent 24 months).csv").frame
        counts.append(dict(frame.filter(common).group_by("minor").agg(pl.col("offences").sum()).iter_rows()))
    march, december = counts
    assert (march["VIOLENCE WITHOUT INJURY"], december["VIOLENCE WITHOUT INJURY"]) == (203_862, 136_695)
    # One series, made of what each can fill: the two then agree to the size of a revision.
    assert december["VIOLENCE WITHOUT INJURY"] + december["STALKING AND HARASSMENT"] == pytest.approx(
        203_862, rel=0.005
    )
