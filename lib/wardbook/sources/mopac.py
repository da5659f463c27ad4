"""Reader for the Public Attitude Survey of the Mayor's Office for Policing and Crime (MOPAC), by borough and London.

Each value covers **the twelve months before** its quarter's end, so neighbouring quarters share three quarters of their
interviews and only values four quarters apart are independent. About 600 people a borough are asked a year (a 95 %
interval of about ±4 percentage points); values are published rounded to whole per cent. London's value contains the
borough's own interviews.
"""

from __future__ import annotations

from pathlib import Path

import dataframely as dy
import polars as pl

from wardbook import places
from wardbook.sources import reading
from wardbook.sources.reading import Loaded, SourceError, spelt

# The id of each published measure and what a share of it says, in plain words (not the questionnaire's own).
QUESTIONS = {
    "good job local": "say the police do a good job in their local area",
    "contact ward officer": "know how to contact their ward officer",
    "informed local": "feel well informed about what the police are doing locally",
    "listen to concerns": "agree that the police listen to the concerns of local people",
    "relied on to be there": "agree that the police can be relied on to be there when needed",
    "treat everyone fairly": "agree that the police treat everyone fairly, whoever they are",
    "trust mps": "agree that the Metropolitan Police Service is an organisation they can trust",
    "understand issues": "agree that the police understand the issues that affect the community",
}
_LONDON_NAMES = {"MPS": places.LONDON_CODE, "London": places.LONDON_CODE}


def _ends_a_quarter(end: pl.Expr) -> pl.Expr:
    return (end == end.dt.month_end()) & (end.dt.month() % 3 == 0)


class AttitudeRows(dy.Schema):
    """The dashboard's table: the survey's rows."""

    quarter_end = reading.day("the last day of a quarter as dd/mm/yyyy", check=_ends_a_quarter, **spelt("Date"))
    borough = dy.String(**spelt("Borough"))
    question = dy.String(**spelt("Measure"))
    share = dy.Float64(min=0, max=1, description="a share from 0 to 1", **spelt("Proportion"))


def question_id(measure: pl.Expr) -> pl.Expr:
    """A stable id for a published measure, in lower case and without quotes: `"Good Job" local` is good job local."""
    return measure.str.replace_all('"', "").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def read_attitudes(path: Path | str) -> Loaded:
    """Share of people who agree, by borough (or London) × quarter × question, each over the twelve months before.

    Reads both dialects in which the dashboard's table has been saved: semicolons with decimal commas, and commas with
    quoted decimal commas. The borough file repeats London's value beside each row, which is left there: London's own file
    has it, and its rows stand under London's code.

    Returns
    -------
    Loaded
        `quarter_end`, `borough_code`, `question`, `share`, sorted by the first three; shares are fractions 0–1.

    Raises
    ------
    SourceError
        for a missing column, an unknown borough, a date that ends no quarter, a share outside 0–1, or two different
        values for one borough, quarter and question.
    """
    table = reading.read_text_table(path, separators=";,")
    wanted = reading.published(AttitudeRows) | {"survey": ["Survey"]}
    table, quality = reading.open_rows(table, path, wanted)
    # The dashboard also holds a survey of victims; its measures are other people's answers.
    ours = table.filter(pl.col("survey").str.strip_chars() == "PAS")
    quality.drop("not the Public Attitude Survey", table.height - ours.height)
    if ours.is_empty():
        raise SourceError(path, "rows of the survey 'PAS'", "none")
    point = pl.col("share").str.replace(",", ".", literal=True)
    typed = reading.read_typed(ours.with_columns(point, question_id(pl.col("question"))), AttitudeRows, quality)
    frame = reading.with_borough_codes(typed.with_columns(ours["line"]), "borough", path, _LONDON_NAMES)
    spellings = frame.group_by("borough_code", "borough").len().group_by("borough_code")
    second = spellings.agg(pl.col("len").sum() - pl.col("len").max())["len"].sum()
    quality.note("rows under a second spelling of a borough's name", second)
    for question in sorted(set(frame["question"]) - set(QUESTIONS)):
        quality.note(f"question without a plain wording: {question}", frame.filter(question=question).height)

    key = ["quarter_end", "borough_code", "question"]
    kept = frame.unique([*key, "share"], keep="first", maintain_order=True)
    quality.drop("the same row again", frame.height - kept.height)
    clash = (
        kept.filter(pl.struct(key).is_duplicated()).sort(*key, "line").select("borough", "question", "share", "line")
    )
    if clash.height:
        raise SourceError(path, "one value a borough, quarter and question", f"{clash.row(0)} and {clash.row(1)}")
    return Loaded(kept.select(*key, "share").sort(key), quality.close(kept.height))
