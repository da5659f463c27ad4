"""Reader for the Public Attitude Survey of the Mayor's Office for Policing and Crime (MOPAC), by borough and London.

Each value covers **the twelve months before** its quarter's end, so neighbouring quarters share three quarters of their
interviews and only values four quarters apart are independent. About 600 people a borough are asked a year (a 95 %
interval of about ±4 percentage points); values are published rounded to whole per cent. London's value contains the
borough's own interviews.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from wardbook import places
from wardbook.sources.reading import (
    Loaded,
    Quality,
    SourceError,
    check_file,
    read_text_table,
    refuse_cells,
    sane_years,
    take_columns,
)

ATTITUDES_SCHEMA = pl.Schema(
    {
        "quarter_end": pl.Date,
        "borough_code": pl.String,
        "question": pl.String,
        "share": pl.Float64,
        "london_share": pl.Float64,
    }
)

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
_COLUMNS = {name: [name] for name in ("Date", "Survey", "Borough", "Measure", "Proportion")}
_LONDON_NAMES = ("mps", "london")


def question_id(measure: pl.Expr) -> pl.Expr:
    """A stable id for a published measure, in lower case and without quotes: `"Good Job" local` is good job local."""
    return measure.str.replace_all('"', "").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _share(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _codes(names: pl.Series, path: Path) -> dict[str, str]:
    """Each spelling in the file → its code; London's rows (named "MPS") → London's."""
    codes = {}
    for name in names.unique().sort():
        code = places.LONDON_CODE if name.casefold() in _LONDON_NAMES else places.borough_code(name)
        if code is None:
            raise SourceError(path, "boroughs listed in data/reference/boroughs.csv, or MPS", repr(name))
        codes[name] = code
    return codes


def read_attitudes(path: Path | str) -> Loaded:
    """Share of people who agree, by borough (or London) × quarter × question, each over the twelve months before.

    Reads both dialects in which the dashboard's table has been saved: semicolons with decimal commas, and commas with
    quoted decimal commas. The borough file carries London's value beside each row; London's own file does not, and its
    rows stand under London's code with a null `london_share`.

    Returns
    -------
    Loaded
        `ATTITUDES_SCHEMA`, sorted by quarter, borough and question; shares are fractions 0–1.

    Raises
    ------
    SourceError
        for a missing column, an unknown borough, a date that ends no quarter, a share outside 0–1, or two different
        values for one borough, quarter and question.
    """
    path = check_file(path, "csv")
    with path.open("rb") as handle:
        separator = ";" if b";" in handle.readline() else ","
    raw = read_text_table(path, separator=separator).with_row_index("line", offset=2)
    table = take_columns(raw, path, _COLUMNS)
    quality = Quality(str(path), "mopac-attitudes", rows_read=table.height)
    # The dashboard also holds a survey of victims; its measures are other people's answers.
    other = (pl.col("Survey").str.strip_chars() != "PAS").fill_null(True)
    quality.drop("not the Public Attitude Survey", table.filter(other).height)
    table = table.filter(~other)
    if table.is_empty():
        raise SourceError(path, "rows of the survey 'PAS'", "none")

    refuse_cells(table, "Borough", table["Borough"].is_null(), path, "a borough in every row")
    refuse_cells(table, "Measure", table["Measure"].is_null(), path, "a measure in every row")
    has_london = "MPS" in table.columns
    frame = table.select(
        pl.col("Date").str.strip_chars().str.to_date("%d/%m/%Y", strict=False).alias("quarter_end"),
        pl.col("Borough").str.strip_chars(),
        question_id(pl.col("Measure")).alias("question"),
        _share("Proportion").alias("share"),
        (_share("MPS") if has_london else pl.lit(None, pl.Float64)).alias("london_share"),
        "line",
    )
    end = frame["quarter_end"]
    quarter = (end == end.dt.month_end()) & (end.dt.month() % 3 == 0) & sane_years(end)
    refuse_cells(table, "Date", ~quarter.fill_null(False), path, "the last day of a quarter as dd/mm/yyyy")
    for name, column in (
        {"share": "Proportion", "london_share": "MPS"}.items() if has_london else [("share", "Proportion")]
    ):
        refuse_cells(table, column, ~frame[name].is_between(0, 1).fill_null(False), path, "a share from 0 to 1")

    codes = _codes(frame["Borough"], path)
    frame = frame.with_columns(pl.col("Borough").replace_strict(codes, return_dtype=pl.String).alias("borough_code"))
    spellings = (
        frame.group_by("borough_code", "Borough")
        .len()
        .group_by("borough_code")
        .agg(pl.col("len").sum() - pl.col("len").max())
    )
    quality.note("rows under a second spelling of a borough's name", spellings["len"].sum())
    for question in sorted(set(frame["question"]) - set(QUESTIONS)):
        quality.note(f"question without a plain wording: {question}", frame.filter(question=question).height)

    key = ["quarter_end", "borough_code", "question"]
    kept = frame.unique([*key, "share", "london_share"], keep="first", maintain_order=True)
    quality.drop("the same row again", frame.height - kept.height)
    clash = kept.filter(pl.struct(key).is_duplicated()).sort(*key, "line")
    if clash.height:
        one, two = clash.head(2).iter_rows(named=True)
        what = f"{one['Borough']}, {one['question']}, {one['quarter_end']}"
        values = " and ".join(f"{row['share']} (MPS {row['london_share']}) in line {row['line']}" for row in (one, two))
        raise SourceError(path, "one value a borough, quarter and question", f"{what}: {values}")
    frame = kept.select(ATTITUDES_SCHEMA.names()).cast(dict(ATTITUDES_SCHEMA)).sort(key)
    return Loaded(frame, quality.close(frame.height))
