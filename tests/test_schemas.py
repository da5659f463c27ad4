"""A schema's failure in words: file, line, column, value and what is allowed, for a table and for a reader's own file."""

import dataframely as dy
import polars as pl
import pytest

from wardbook import facts, register
from wardbook.schemas import SchemaViolation, read_as, violations


class Rates(dy.Schema):
    """A made-up table with every kind of column the project's tables have."""

    code = dy.String(primary_key=True, regex=r"^E\d{2}$", description="a code such as E01")
    month = dy.Date(primary_key=True)
    offences = dy.Int64(min=0)
    share = dy.Float64(min=0, max=1, nullable=True)
    kind = dy.Enum(["rise", "fall"])

    @dy.rule()
    def share_only_where_there_are_offences(cls) -> pl.Expr:
        """Nothing is shared out of nothing."""
        return pl.col("share").is_null() | (pl.col("offences") > 0)


GOOD = {"code": "E01", "month": "2024-03-01", "offences": "3", "share": "0.5", "kind": "rise"}


def text(*rows):
    return pl.DataFrame([GOOD | row for row in rows], infer_schema_length=None).with_row_index("line", offset=2)


def test_good_text_becomes_typed_rows_without_what_the_schema_does_not_name():
    table = read_as(text({}, {"code": "E02 ", "share": None, "note": "mine"}), Rates, "own.csv")
    assert table.schema == Rates.create_empty().schema
    assert table["code"].to_list() == ["E01", "E02"] and table["share"].to_list() == [0.5, None]


AT_FAULT = [
    ({"offences": "many"}, "line 3, column offences: 'many'; allowed: a whole number, 0 or more"),
    ({"share": "0,5"}, "line 3, column share: '0,5'; allowed: a number from 0 to 1 or nothing"),
    ({"share": "nan"}, "line 3, column share: nan; allowed: a number from 0 to 1 or nothing"),
    ({"month": "2024-13-01"}, "line 3, column month: '2024-13-01'; allowed: a date (YYYY-MM-DD)"),
    ({"code": "Barnet"}, "line 3, column code: 'Barnet'; allowed: a code such as E01"),
    ({"offences": "0"}, "{'share': 0.5, 'offences': 0}; allowed: share only where there are offences"),
    ({"code": "E01"}, "'month': datetime.date(2024, 3, 1)} (and 1 more); allowed: each code, month once"),
]


@pytest.mark.parametrize(("row", "says"), AT_FAULT)
def test_a_cell_or_row_at_fault_is_named_with_what_is_allowed(row, says):
    with pytest.raises(SchemaViolation) as caught:
        read_as(text({}, {"code": "E02"} | row), Rates, "folder/own.csv")
    assert str(caught.value).startswith("folder/own.csv, line ") and str(caught.value).endswith(says)


def test_the_files_own_line_is_named():
    table = text({}, {"code": "E02", "offences": "x"}).with_columns(pl.Series("line", [2, 9]))
    with pytest.raises(SchemaViolation, match="own.csv, line 9, column offences: 'x'"):
        read_as(table, Rates, "own.csv")
    # Of two cells at fault the first that a reader comes to.
    with pytest.raises(SchemaViolation, match="own.csv, line 2, column share: 2.0"):
        read_as(text({"share": "2"}, {"code": "E02", "offences": "-1"}), Rates, "own.csv")


def test_a_table_of_the_wrong_type_is_told_before_its_rows_are_and_every_broken_rule_once():
    table = read_as(text({}, {"code": "E02"}, {"code": "E03"}), Rates, "own.csv")
    assert violations(table, Rates) == []
    wrong = violations(table.with_columns(pl.col("offences").cast(pl.Int32)).drop("kind"), Rates)
    told = [(one.column, one.line, one.value) for one in wrong]
    assert told == [("offences", None, "Int32"), ("kind", None, "no such column")]
    table = table.with_columns(pl.lit(-1, dtype=pl.Int64).alias("offences"), pl.lit(2.0).alias("share"))
    broken = violations(table, Rates)
    assert [(one.column, one.line, one.rows) for one in broken[:2]] == [("offences", 1, 3), ("share", 1, 3)]


# A reader's own file --------------------------------------------------------------------------------------------------


OWN = {"targets_file": facts.OwnTargets, "claims_file": register.Claims, "scenario_file": facts.OwnFigures}


@pytest.mark.parametrize(("name", "strange"), list(zip(OWN, ["\a", "\x1b", "\ufffe"])))
def test_an_own_file_that_is_no_table_or_has_a_control_character_ends_a_run_before_anything_runs(
    wardbook, tmp_path, name, strange
):
    """Seen as a traceback, since a file of the reader's own was told apart from a publisher's only where it could be read."""
    columns, own, out = list(OWN[name].columns()), tmp_path / "own.csv", tmp_path / "out"
    row = f"{','.join(columns)}\n,{','.join('a' for _ in columns[:-2])},b"
    for text, says in (
        ("<!DOCTYPE html><title>Log in</title>", "found a web page"),
        (f"{row}{strange}\n", f"own.csv, line 2, column {columns[-1]}: "),
    ):
        own.write_text(text, encoding="utf-8")
        told = wardbook("run", "--borough", "Sutton", "--set", f"{name}={own}", "--out", out)
        assert told.exit_code == 2 and says in told.stderr
        assert not out.exists() and strange not in told.stderr
