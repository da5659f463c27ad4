"""The tables of a run as one accessible workbook: a cover, contents, notes, and one table a sheet with no merged cell.

The Government Statistical Service's own library, gptables, lays it out, so what its guidance asks for is not decided here.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from wardbook.figures import wording

WORKBOOK = "tables.xlsx"

_TITLES = {
    "targets": "Every target, its result and its verdict",
    "changes": "What changed in the year, by offence group",
    "trends": "Recorded offences month by month, and what was expected",
    "trends_summary": "The last months against what was expected, by offence group",
    "comparison": "Every borough against its own baseline and London's change",
    "wards": "Wards of the borough: rates and changes",
    "stops": "Stops and searches in the year",
    "stop_coverage": "Which months of stop and search are whole",
    "disproportionality": "Searches per resident, by ethnic group and area",
    "disproportionality_by_object": "Searches per resident, by what was searched for and ethnic group",
    "thorough_searches": "More thorough searches, by year",
    "claims": "Every public statement, and what became of it",
    "claims_together": "Statements that do not agree, side by side",
    "claim": "The claim about the area in focus",
    "sources": "The published files that everything is computed from",
    "breaks": "Where a series was broken, and what that means",
}
_NOTES = {
    "verdicts": "A verdict holds a change against how far boroughs usually moved from the rest of London. Where it says “cannot "
    "say” or “too few to say”, the column on the reason gives it. Of many verdicts together some stand out by chance alone.",
    "empty": "An empty cell has no value: nothing was published, or nothing can be computed. It is never a zero.",
    "recorded": "Counts are offences or stops that the police recorded. Recording changes; a known change is named in its row.",
    "rounded": "Percentages are rounded to one decimal, other fractions to four digits, and nothing beyond whole numbers. "
    "The CSV files have every digit.",
}
# Headings that a column's own name, its underscores taken out and its unit written behind, would not give.
_HEADINGS = {
    "before": "Offences before",
    "after": "Offences after",
    "before_period": "Compared with",
    "as_far": "Others as far from London",
    "of": "Others looked at",
    "why": "Reason",
    "against_london": "Beside the rest of London",
    "london_change_percent": "Change, rest of London (%)",
    "relative_percent": "Change beside the rest of London (%)",
    "usual_low_percent": "Usual range beside London, from (%)",
    "usual_high_percent": "Usual range beside London, to (%)",
}
_UNITS = {"_percent": " (%)", "_per_1000": " (for each 1,000)", "_hours": " (hours)", "_share": " (share, 0 to 1)"}


def heading(column: str) -> str:
    """A column's name for a reader, with its unit: `change_percent` is Change (%)."""
    if column in _HEADINGS:
        return _HEADINGS[column]
    for ending, unit in _UNITS.items():
        if column.endswith(ending):
            column = column.removesuffix(ending) + unit
    return wording.capital(column.replace("_", " "))


def write_workbook(record: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], folder: Path) -> Path | None:
    """Write a run's tables into a workbook in its folder; its path, or None where no table has a row.

    Every cell of text is text: the workbook is made without formulas or links, whatever a name in the data begins with.
    """
    if not any(table.height for table in tables.values()):
        return None
    with warnings.catch_warnings():
        # gptables leaves its theme's file open and calls pandas in a way that pandas is about to drop.
        warnings.simplefilter("ignore")
        _write(record, tables, folder / WORKBOOK)
    return folder / WORKBOOK


def _write(record: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], place: Path) -> None:
    import gptables
    import pandas

    frames = {name: _frame(table).dropna(how="all").reset_index(drop=True) for name, table in tables.items()}
    plain = {name: wording.capital(name.replace("_", " ")) for name, frame in frames.items() if not frame.empty}
    titles = {name: _TITLES.get(name, words) for name, words in plain.items()}
    sheets = {
        name[:31]: gptables.GPTable(
            table=frames[name],
            table_name=f"table_{name}",
            title=f"{title}: {record['area']}, {record['period_words']} $$recorded$$",
            subtitles=[f"From tables/{name}.csv of this run, rounded $$rounded$$ $$verdicts$$"],
            instructions="This worksheet holds one table. Some cells are empty. $$empty$$",
            source=f"Wardbook {record['wardbook']}, edition {record['edition']}",
            index_columns={},
        )
        for name, title in titles.items()
    }
    cover = gptables.Cover(
        title=f"Policing in {record['area']}, {record['period_words']}: the tables",
        intro=[
            "Each worksheet holds one table. The numbers are those of the CSV files of the same run, rounded for reading.",
            *(f"{name[:31]}: {title}." for name, title in titles.items()),
        ],
        about=[
            f"Edition {record['edition']}, from {len(record['inputs'])} published files; Wardbook {record['wardbook']}.",
            "Contains public sector information licensed under the Open Government Licence v3.0.",
            "Contains OS data © Crown copyright and database right; Contains National Statistics data © Crown copyright and "
            "database right.",
        ],
    )
    made = gptables.produce_workbook(
        str(place),
        sheets,
        cover=cover,
        notes_table=pandas.DataFrame({"reference": list(_NOTES), "Note text": list(_NOTES.values())}),
        # Measuring every cell of a long table is slow.
        auto_width={name[:31]: len(frames[name]) <= 500 for name in titles},
        workbook_options={"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    # A clock in the file would make two runs differ.
    made.set_properties({"title": cover.title, "created": datetime(1980, 1, 1)})  # noqa: DTZ001 - no time of anywhere
    made.close()


def _frame(table: pl.DataFrame) -> Any:
    """A table as gptables takes it: numbers as numbers, dates as they are written, nothing where there is nothing."""
    import pandas

    columns = {heading(name): [_cell(value, name) for value in table[name].to_list()] for name in table.columns}
    return pandas.DataFrame({name: pandas.Series(values, dtype=object) for name, values in columns.items()})


def _cell(value: Any, column: str) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        if column.endswith("_percent") and abs(value) >= 0.05:
            return round(value, 1)
        return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        # gptables makes a link of [text](address), and a note of what stands between two pairs of dollar signs.
        text = re.sub(r"\](?=\()", "] ", value).replace("$$", "$ $")
        # It refuses a cell of signs alone, which a screen reader may pass over.
        if text == "%":
            return "per cent"
        return f"sign {text}" if re.fullmatch(r"[^a-zA-Z0-9\s]+", text) else text.strip() or None
    return value
