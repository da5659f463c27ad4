"""Stops and searches: made-up months for each trap, then the Met's 29 months as published."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from wardbook.sources.police_uk import read_stops
from wardbook.sources.reading import SourceError
from wardbook.vocabulary import UNRECOGNISED, broad_group, outcome_group

NAME = "2024-06-metropolitan-stop-and-search.csv"
STOP = {
    "Type": "Person search",
    "Date": "2024-06-10T12:00:00+00:00",
    "Part of a policing operation": "False",
    "Policing operation": "",
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
    "Removal of more than just outer clothing": "False",
}


@pytest.fixture
def synthetic_month(tmp_path):
    """Write a synthetic month: one made-up stop a dict of what differs from `STOP`."""

    def write(*stops, name=NAME, folder="download", without=()):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        pl.DataFrame([STOP | stop for stop in stops]).drop(without).write_csv(path)
        return path

    return write


def test_a_stop_belongs_to_its_local_month(synthetic_month):
    for utc, local_hour, month in (
        ("2024-05-31T23:30:00+00:00", 0, date(2024, 6, 1)),
        ("2024-06-30T23:30:00+00:00", 0, date(2024, 7, 1)),
        ("2024-01-31T23:30:00+00:00", 23, date(2024, 1, 1)),
    ):
        loaded = read_stops(synthetic_month({"Date": utc}, *[{}] * 40))
        stop = loaded.frame.row(0, named=True)
        assert stop["local_time"] == datetime.fromisoformat(utc)
        assert stop["local_time"].astimezone(ZoneInfo("Europe/London")).hour == local_hour
        assert (stop["file_month"], stop["month"]) == (date(2024, 6, 1), month)
        outside = int(month != date(2024, 6, 1))
        assert loaded.quality.oddities.get("rows dated outside the file's month", 0) == outside


@pytest.mark.parametrize(("outside", "rows"), [(3, 100), (4, 134), (0, 1)])
def test_up_to_three_rows_in_a_hundred_may_be_of_another_month(synthetic_month, outside, rows):
    may = {"Date": "2024-05-20T12:00:00+00:00"}
    loaded = read_stops(synthetic_month(*[may] * outside, *[{}] * (rows - outside)))
    assert loaded.quality.oddities.get("rows dated outside the file's month", 0) == outside
    with pytest.raises(SourceError, match=rf"found {outside + 1} of {rows} rows of other months, {outside + 1} of May"):
        read_stops(synthetic_month(*[may] * (outside + 1), *[{}] * (rows - outside - 1)))


def test_the_month_comes_from_the_name_then_from_the_folder(synthetic_month):
    short = "metropolitan-stop-and-search.csv"
    for name, folder in ((NAME, "2023-01"), (short, "2024-06")):
        assert read_stops(synthetic_month({}, name=name, folder=folder)).frame["file_month"][0] == date(2024, 6, 1)
    for name in (short, f"2024-13-{short}", "stops.csv"):
        with pytest.raises(SourceError, match=f"expected a name like .* found .*{name}"):
            read_stops(synthetic_month({}, name=name))


def test_section_60_is_the_power_to_search_without_suspicion(synthetic_month):
    act = "Criminal Justice and Public Order Act 1994"
    others = [f"{act} (section 60AA)", "Police and Criminal Evidence Act 1984 (section 60)", ""]
    path = synthetic_month(*({"Legislation": power} for power in (f"{act} (section 60)", *others)))
    assert read_stops(path).frame["is_section_60"].to_list() == [True, False, False, False]


# Labels as data.police.uk has published them, since April 2017 and before: some of each group, and all that are easy to lump.
SELF_DEFINED = {
    "Asian": ["Asian/Asian British - Chinese", "Asian or Asian British - Any other Asian ethnic background (A9)"]
    + ["Chinese or other ethnic group - Chinese (O1)"],
    "Black": ["Black/African/Caribbean/Black British - African", "Black or Black British - Caribbean (B1)"],
    "Mixed": ["Mixed/Multiple ethnic groups - White and Asian", "Mixed - Any other Mixed ethnic background (M9)"],
    "Other": ["Other ethnic group - Arab", "Chinese or other ethnic group - Any other ethnic group (O9)"],
    "White": ["White - Gypsy or Irish Traveller", "White - White Irish (W2)"],
    "not stated": ["Other ethnic group - Not stated", "Not Stated (NS)"],
    "blank": [None],
}


OUTCOMES = {
    "arrest": ["Arrest", "Suspect arrested"],
    "no further action": ["A no further action disposal", "Nothing found - no further action"]
    + ["Suspected psychoactive substances seized - No further action"],
    "other outcome": ["Community resolution", "Local resolution", "Summons / charged by post", "Offender cautioned"],
    "not recorded": ["Article found - Detailed outcome unavailable", None],
    UNRECOGNISED: ["Sent to the Tower"],
}


@pytest.mark.parametrize(("grouped", "groups"), [(broad_group, SELF_DEFINED), (outcome_group, OUTCOMES)])
def test_labels_of_both_vocabularies_have_one_group(grouped, groups):
    pairs = [(group, label) for group, labels in groups.items() for label in labels]
    table = pl.DataFrame(pairs, ["group", "label"], orient="row")
    assert table.select(grouped(pl.col("label"))).to_series().to_list() == table["group"].to_list()


def test_whether_clothing_was_removed_is_not_known_where_no_column_says(synthetic_month):
    removal = "Removal of more than just outer clothing"
    told = read_stops(synthetic_month({removal: "True"}, {removal: ""}, {})).frame["more_than_outer_clothing"]
    assert told.to_list() == [True, None, False]
    untold = read_stops(synthetic_month({}, folder="older", without=(removal,)))
    assert untold.frame["more_than_outer_clothing"].to_list() == [None]


# ---- the Met's files, April 2022 to August 2024; every row is counted again in test_recount
