"""A table as it is shown and saved: numbers to eight significant digits, cells that start no formula in a spreadsheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

# What is plotted, tabled, printed or hashed has eight significant digits: beyond any use, and above the last bits, in which
# processors differ (numpy's exp and log do). This is the one place that says so.
SIGNIFICANT = 8
# Half-way between two of them lie numbers that can occur (305 of 2,560 is 11.9140625 %): there the last bit would decide.
_OFF_HALF_WAY = 1 + 1e-11
_FORMULA = r"\s*[=+@\-\x{FF1D}\x{FF0B}\x{FF20}\x{FF0D}]|[\t\r]"  # the full-width forms start one too


def rounded(value: Any) -> Any:
    """A frame, or any nesting of lists and dictionaries, with every fraction to eight significant digits."""
    if isinstance(value, pl.DataFrame):
        return value.with_columns(
            (pl.col(pl.Float64, pl.Float32).cast(pl.Float64) * _OFF_HALF_WAY).round_sig_figs(SIGNIFICANT)
        )
    if isinstance(value, float):
        return float(f"{value * _OFF_HALF_WAY:.{SIGNIFICANT}g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return value


def guarded_csv(frame: pl.DataFrame) -> str:
    """A frame as CSV whose cells cannot start a formula in a spreadsheet: a reader's own targets reach these files."""
    text = pl.col(pl.String)
    guarded = pl.when(text.str.contains(f"^(?:{_FORMULA})")).then("'" + text).otherwise(text)
    return rounded(frame).with_columns(guarded.name.keep()).write_csv()


def read_csv(path: Path) -> pl.DataFrame:
    """A frame as `guarded_csv` wrote it, without the guards: what a cell says is text here, whatever it begins with."""
    frame = pl.read_csv(path, infer_schema_length=None)
    return frame.with_columns(pl.col(pl.String).str.replace(f"^'({_FORMULA})", "${1}"))


@dataclass(frozen=True)
class Shown:
    """A table shown whole in a notebook, as HTML for reading and as text that nbval compares."""

    frame: pl.DataFrame

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        frame, bare = rounded(self.frame), {"tbl_hide_dataframe_shape": True, "tbl_hide_column_data_types": True}
        with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=400, **bare):
            return {"text/html": frame._repr_html_(), "text/plain": frame.write_csv()}
