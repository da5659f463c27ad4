"""The command line: what it says, where it says it, and what it exits with."""

import json
import re
import shlex
import signal
from pathlib import Path
from unittest import mock

import pytest
import typer

from test_runner import two_notebooks, write_notebook
from wardbook import check, cli, edition
from wardbook.check import Finding
from wardbook.places import ROOT
from wardbook.run import committed, runner


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The project's notebooks, for this test: two that save a table each."""
    folder = tmp_path / "notebooks"
    monkeypatch.setattr(runner, "NOTEBOOKS", folder)
    return two_notebooks(folder)


# run ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run --borough Hackny", "unknown borough 'Hackny': did you mean 'Hackney'?"),
        ("run --borough Lewisham --set time=2", "unknown parameter 'time': did you mean 'times'?"),
        ("run --borough Lewisham --set times=two", "parameter 'times' takes a whole number, not 'two'"),
        ("run --borough Lewisham --set borough=x", "parameter 'borough' is given by --borough, not by --set"),
        ("run --borough Lewisham --set times", "'times' is not NAME=VALUE"),
        ("run --borough Lewisham --set times=2 --set times=3", "'times' is set twice"),
        ("run", "Missing option '--borough'"),
        ("run --all --borough Lewisham", "one of the two"),
        ("run --borough Lewisham --workers 2", "--workers and --scheduler go with --all"),
        ("run --all --only 03_third", "unknown notebook '03_third'"),
        ("claim --borough Lambeth --offence robbery --from 2024-25 --to 2023-24", "in reverse order"),
        ("claim --borough Lambeth --offence robbery", "Missing option '--from'"),
        ("fetch --source mps-borough-crimes", "did you mean 'mps-borough-crime'?"),
        ("fetch --from 2024-05 --to 2024-04", "--from comes before --to"),
    ],
)
def test_a_name_that_is_not_known_is_2_and_nothing_is_written(wardbook, folder, tmp_path, words, says):
    command, *rest = shlex.split(words)
    told = wardbook(command, "--raw" if command == "fetch" else "--out", "out", *rest)
    assert (told.exit_code, told.stdout) == (2, "")
    assert says in told.stderr
    assert not (tmp_path / "out").exists()
    assert "Usage" in told.stderr or re.fullmatch("wardbook: .+\n", told.stderr)


def test_the_last_lines_are_the_folder_that_was_filled_and_its_page(wardbook, folder, tmp_path):
    told = wardbook("run", "--borough", "tower hamlets", "--period", "2023/24", "--out", "out", "--set", "times=3")
    assert told.exit_code == 0, told.stderr
    filled = str(Path("out", "tower-hamlets", "2023-24"))
    assert told.stdout.splitlines() == [filled, str(Path(filled, "summary.html"))]
    assert (tmp_path / filled / "summary.html").is_file()
    assert told.stderr.splitlines() == ["01_first: 3 cells", "02_second: 3 cells"]
    record = json.loads((tmp_path / filled / "run.json").read_text())
    assert record["notebooks"]["01_first"]["parameters"]["times"] == 3
    assert (tmp_path / filled / "tables" / "b.csv").exists()


# build ----------------------------------------------------------------------------------------------------------------


def test_a_relative_raw_folder_counts_from_here_and_that_of_the_environment_from_the_project(
    wardbook, tmp_path, monkeypatch
):
    build = mock.Mock(side_effect=edition.EditionError("enough"))
    monkeypatch.setattr(edition, "build", build)
    monkeypatch.setenv("WARDBOOK_RAW", "../somewhere")
    wardbook("build", "--raw", "there", "--out", "made")
    wardbook("build", "--out", "made")
    monkeypatch.delenv("WARDBOOK_RAW")
    wardbook("build", "--out", "made")
    folders = [tmp_path / "there", ROOT / ".." / "somewhere", ROOT / "data" / "raw"]
    assert [call.args for call in build.call_args_list] == [(raw, tmp_path / "made") for raw in folders]


def test_build_accounts_for_every_file(wardbook, tmp_path):
    raw = tmp_path / "raw" / "ons"
    raw.mkdir(parents=True)
    (raw / "census2021-ts044-ltla.csv").write_text(
        "date,geography,geography code,Accommodation type: Total: All households\n"
        "2021,Tower Hamlets,E09000030,120000\n2021,Hartlepool,E06000001,40000\n"
    )
    for name in ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "f.txt", ".DS_Store"]:
        (tmp_path / "raw" / name).write_text("?")
    told = wardbook("build", "--raw", "raw", "--out", "made")
    assert told.exit_code == 0, told.stderr
    assert ": 1 file, 2 rows read, 1 kept\n  not in a London borough: 1\n" in told.stdout
    assert "borough level: no file that a table draws on (" in told.stdout
    *_, unused, tables, place = told.stdout.splitlines()
    assert unused.endswith("recognises or needs them: 6 files (a.txt; b.txt; c.txt; d.txt; e.txt; …)")
    assert tables.startswith("edition ") and tables.endswith(": households (1), officer_hours (35)")
    assert (tmp_path / place / "manifest.json").exists()


# check ----------------------------------------------------------------------------------------------------------------


def test_check_is_1_for_an_edition_that_does_not_add_up(wardbook, monkeypatch):
    findings = [Finding("ok", "this adds up"), Finding("wrong", "this does not"), Finding("note", "never sum wards")]
    monkeypatch.setattr(check, "check", lambda _: findings)
    told = wardbook("check")
    assert told.exit_code == 1
    first, rest = told.stdout.split("\n\n", 1)
    assert f"edition {edition.open_edition().id}" in first
    note = "What it may not be used for\n- never sum wards"
    assert rest == f"Wrong\n- this does not\n\n{note}\n\nRight\n- this adds up\n"


# notebooks and lab ----------------------------------------------------------------------------------------------------


def test_notebooks_says_which_changed_and_which_failed(wardbook, folder, tmp_path):
    told = wardbook("notebooks")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.splitlines() == ["01_first: changed", "02_second: changed"]
    path = write_notebook(folder, "01_first", "1 / 0")
    before = path.read_bytes()
    told = wardbook("notebooks")
    assert told.exit_code == 1
    assert "\nwardbook: 01_first failed in cell [2] `1 / 0`: ZeroDivisionError" in told.stderr
    assert path.read_bytes() == before


def test_lab_copies_says_what_it_kept_and_hands_its_options_on(wardbook, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(committed, "WORK", tmp_path / "work")
    asked = []
    monkeypatch.setattr(committed, "lab", lambda words: asked.append(words) or 3)
    assert wardbook("lab", "--no-browser", "--port=1").exit_code == 3
    assert asked == [["--no-browser", "--port=1"]]
    (tmp_path / "work" / "01_first.ipynb").write_text("mine")
    assert wardbook("lab").stderr.startswith("work/01_first.ipynb has your changes and was kept")


# claim ----------------------------------------------------------------------------------------------------------------


def test_a_claim_is_answered_in_a_sentence_and_a_chart_set_with_the_command_that_makes_it(wardbook, tmp_path):
    asked = "claim --borough lambeth --offence 'car crime' --from 2023-24 --to 2024-25"
    told = wardbook(*shlex.split(asked), "--out", "out")
    assert told.exit_code == 0, told.stderr
    sentence, folder = told.stdout.splitlines()
    assert folder == "out/lambeth/claims/vehicle-crime-2023-24-2024-25"
    (chart,) = (tmp_path / folder).glob("*.json")
    assert f"wardbook {asked}".replace("lambeth", "Lambeth") in chart.read_text()
    assert sentence.startswith("Vehicle crime in Lambeth ")
    assert "CRIS to CONNECT" in sentence, "a comparison that crosses a declared break says so"
    assert {path.suffix for path in (tmp_path / folder).iterdir()} == {".json", ".svg", ".png", ".csv", ".txt"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_does_not_break_off_what_the_first_one_began_to_remove(number, code):
    """Seen with one Ctrl-C: polars raises a KeyboardInterrupt of its own for it, beside Python's."""
    removed = []
    with pytest.raises((typer.Exit, SystemExit)) as ended, cli._told():
        try:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(code)
        finally:
            signal.raise_signal(number)
            removed.append(1)
    assert removed and code in (getattr(ended.value, "exit_code", 0), getattr(ended.value, "code", 0))


def test_a_stop_of_which_polars_made_an_error_is_a_stop():
    """A SIGTERM while it resolved a plan ended a build with 1 and the plan."""
    with pytest.raises(typer.Exit) as ended, cli._told():
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit as stop:
            raise RuntimeError(f"{stop}, Resolved plan until failure") from None
    assert ended.value.exit_code == 143


@pytest.mark.parametrize(
    "text", ["<script>", "\"'`;$(ls)", "a\nb", "\x1b[31m\a", "\u2028\u202e", "\ufffe", "\udcff", "=1+1", "x" * 5000]
)
def test_whatever_is_typed_in_any_field_is_refused_in_printable_words(wardbook, tmp_path, text):
    sutton, chart, since = ["--borough", "Sutton"], ["--to", "there", "--chart"], ["--from", "2023-24"]
    settings = ("draws", "seed", "targets_file", "claims_file", text)
    for words in (
        *(["run", "--borough", text], ["run", *sutton, "--period", text], ["run", *sutton, "--only", text]),
        *(["run", *sutton, "--set", f"{name}={text}"] for name in settings),
        *(["run", *sutton, "--edition", text[:200]], ["check", text[:200]], ["fetch", "--source", text]),
        *(["claim", *since, "--borough", text, "--offence", "crime"], ["claim", *since, *sutton, "--offence", text]),
        *(["claim", *since, *sutton, "--offence", "crime", name, text] for name in ("--from", "--to")),
        *(["export", "--borough", text, *chart, "a"], ["export", *sutton, *chart, text], ["fetch", "--from", text]),
    ):
        told = wardbook(*words)
        assert told.exit_code in (1, 2) and isinstance(told.exception, SystemExit), words
        assert told.output.replace("\n", "").isprintable(), words
        assert told.stdout == "" and told.stderr.count("wardbook: ") <= 1, words
    assert list(tmp_path.iterdir()) == []
