"""The Public Attitude Survey: made-up tables in both dialects. The published ones are counted again in test_recount."""

from datetime import date

import polars as pl
import pytest

from wardbook.places import LONDON_CODE
from wardbook.sources.mopac import QUESTIONS, question_id, read_attitudes

HACKNEY, RICHMOND = "E09000012", "E09000027"
SEMICOLONS = """Date;Survey;Borough;Measure;Proportion;MPS
31/12/2022;PAS;Hackney;\"""Good Job"" local";0,5;0,67
31/03/2023;PAS;Richmond Upon Thames;Trust MPS;0,71;0,7
31/03/2023;PAS;Hackney;Trust MPS;1;0,70
"""
# The same table as another export wrote it.
COMMAS = """Date,Survey,Borough,Measure,Proportion,MPS
31/12/2022,PAS,Hackney,\"""Good Job"" local","0,5","0,67"
31/03/2023,PAS,Richmond Upon Thames,Trust MPS,"0,71","0,7"
31/03/2023,PAS,Hackney,Trust MPS,1,"0,70"
"""
LONDON = "Date;Survey;Borough;Measure;Proportion\r\n31/03/2023;PAS;MPS;Trust MPS;0,69\r\n"


def read(folder, text):
    path = folder / "PAS_made_up.csv"
    path.write_text(text)
    return read_attitudes(path)


@pytest.mark.parametrize("text", [SEMICOLONS, COMMAS, "\ufeff" + SEMICOLONS.replace("\n", "\r\n")])
def test_both_dialects_read_alike(tmp_path, text):
    loaded = read(tmp_path, text)
    assert loaded.frame.rows() == [
        (date(2022, 12, 31), HACKNEY, "good job local", 0.5),
        (date(2023, 3, 31), HACKNEY, "trust mps", 1.0),
        (date(2023, 3, 31), RICHMOND, "trust mps", 0.71),
    ]
    assert (loaded.quality.rows_read, loaded.quality.rows_kept, loaded.quality.oddities) == (3, 3, {})


def test_london_rows_stand_under_londons_code(tmp_path):
    assert read(tmp_path, LONDON).frame.rows() == [(date(2023, 3, 31), LONDON_CODE, "trust mps", 0.69)]


def test_question_ids_are_stable():
    published = ['"Good Job" local', ' "GOOD  job"  Local', "Trust MPS", "Contact ward officer"]
    ids = pl.DataFrame({"m": published}).select(question_id(pl.col("m")))["m"].to_list()
    assert ids == ["good job local", "good job local", "trust mps", "contact ward officer"]
    assert set(ids) < set(QUESTIONS)
