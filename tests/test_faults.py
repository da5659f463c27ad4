"""Faults of the machine: a power cut, a full disk, folders that cannot be written, other clocks, languages and places, two at once.

Whatever happens, what was whole stays whole, no half file is read as a file, the message is for a reader, and the tables that
come out are the same bytes.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import faults
from conftest import EVERY, hashed
from test_edition import BARNET, synthetic_crime, synthetic_knife, synthetic_outlines, synthetic_stops
from wardbook import fetch, folders

WARDBOOK = Path(sys.executable).with_name("wardbook")


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """A small made-up folder of publishers' files; read it, do not change it."""
    folder = tmp_path_factory.mktemp("raw") / "raw"
    synthetic_crime(folder, {"Barnet": 5, "Tower Hamlets": 10})
    synthetic_knife(folder)
    # Around midnight and the end of summer time, where another time zone would put a stop in another month.
    stops = synthetic_stops(folder, "2024-04", [*range(1, 31), *range(2, 30)])
    text = stops.read_text().replace("2024-04-30T12:00:00", "2024-04-30T23:30:00")
    stops.write_text(text.replace("2024-04-01T12", "2024-03-31T23"))
    synthetic_outlines(folder, "London_Boroughs.gpkg", {"gss_code": [BARNET, "E09000030"]})
    return folder


# What a reader does: build, answer a claim, save a table from a notebook's view, run a notebook.
WORK = """
import sys
from pathlib import Path
from wardbook import claim, edition
from wardbook.book import open_book
from wardbook.run import runner
raw, out = Path(sys.argv[1]), Path(sys.argv[2])
edition.build(raw, out / "edition")
claim.claim("Lambeth", "vehicle crime", "2023-24", "2024-25", out=out / "outputs")
book = open_book(notebook="x", output_dir=str(out / "outputs"))
book.save("engagement", book.table("engagement"))
book.save("stops", book.table("stop_coverage"))
runner.run("Sutton", "2023-24", only=["05_engagement"], out=out / "outputs")
"""


def work(raw: Path, out: Path, *, cwd: Path | None = None, umask: int = -1, **environment: str) -> dict[str, str]:
    """Do it in a process with this environment (a variable that is empty is not there); the hash of every file that comes out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "TZ"))}
    words = [sys.executable, "-W", "error", "-W", "ignore:IPython parent", "-c", WORK, str(raw), str(out)]
    environment = {name: value for name, value in (kept | environment).items() if value}
    done = subprocess.run(words, cwd=cwd, env=environment, umask=umask, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return hashed(out, hidden=True)


@pytest.fixture(scope="module")
def usual(raw, tmp_path_factory) -> dict[str, str]:
    """What comes out in an ordinary environment."""
    made = work(raw, tmp_path_factory.mktemp("usual"), TZ="Europe/London", LC_ALL="C.UTF-8")
    kinds = {"parquet", "json", "csv", "png", "svg", "txt", "ipynb", "html", "xlsx"}
    assert {name.rpartition(".")[2] for name in made} == kinds
    return made


FAR_AWAY = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HOME": ""}
BARE = {"FONTCONFIG_FILE": "/dev/null", "FONTCONFIG_PATH": "/nonexistent", "HOME": "/nonexistent"}
BARE |= {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "PYTHONHASHSEED": "7"}


@pytest.mark.parametrize(
    ("environment", "there"),
    [(FAR_AWAY | {"umask": 0o077}, "a b"), (BARE, 'a b\'s "c" {d} %e é')],
    ids=["far away, C and ASCII, HOME unset, umask 077", "no fonts, no home, no network, an odd path"],
)
def test_the_same_bytes_come_out_in_another_environment(raw, usual, tmp_path, environment, there):
    home = tmp_path / there
    shutil.copytree(raw, home / "raw")
    environment = {"LC_ALL": "C.UTF-8", "TZ": "Europe/London"} | environment
    assert work(home / "raw", home / "out", cwd=Path("/"), **environment) == usual


def test_a_path_of_any_letters_may_be_typed_where_the_environment_says_ascii(raw, usual, tmp_path):
    home = tmp_path / "a b é"
    shutil.copytree(raw, home / "raw")
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    words = [WARDBOOK, "build", "--raw", home / "raw", "--out", home / "edition"]
    done = subprocess.run(words, env=ascii_only, capture_output=True, timeout=90)
    assert done.returncode == 0 and done.stdout.endswith(f"{home}/edition\n".encode()), done.stderr
    usually = {f"edition/{name}": digest for name, digest in hashed(home / "edition").items()}
    assert usually == {name: digest for name, digest in usual.items() if name.startswith("edition/")}


# What cannot be written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["build", "run", "claim"])
def test_a_folder_that_cannot_be_written_is_named_in_one_line(raw, tmp_path, command):
    """A file in the way stops root too, whom permissions do not hold back."""
    (tmp_path / "file").write_text("")
    lambeth = ["--borough", "Lambeth"]
    claim = [*lambeth, "--offence", "vehicle crime", "--from", "2023-24", "--to", "2024-25"]
    words = {"build": ["--raw", raw], "run": lambeth, "claim": claim}[command]
    typed = [WARDBOOK, command, *words, "--out", tmp_path / "file" / "here"]
    done = subprocess.run(typed, env=faults.environment(), capture_output=True, text=True, timeout=90)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("wardbook: ")]
    assert str(tmp_path / "file") in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# Two at once ----------------------------------------------------------------------------------------------------------


def test_of_two_fetches_at_once_the_second_is_told_to_wait(tmp_path):
    handle = folders.lock(tmp_path)
    with pytest.raises(fetch.FetchError, match="another fetch is at work in"):
        fetch.fetch(raw=tmp_path, mirror="http://127.0.0.1:9")
    os.close(handle)
    assert list(tmp_path.iterdir()) == [], "it wrote all the same"
    alone = fetch.fetch(raw=tmp_path, mirror="http://127.0.0.1:9")  # by itself it goes on
    assert {outcome.status for outcome in alone} == {"failed"}


def test_without_the_systems_swap_a_folder_is_put_in_place_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_swap", lambda work, target: False)
    for text in ("one", "two"):
        with folders.beside(tmp_path / "target") as work:
            (work / "a").write_text(text)
            folders.put_in_place(work, tmp_path / "target")
        assert (tmp_path / "target" / "a").read_text() == text
        assert [path.name for path in tmp_path.iterdir()] == ["target"]


# At any moment --------------------------------------------------------------------------------------------------------


FEW = {("fetch", "run"): ("SIGINT", "full disk", "two at once"), ("all",): ("SIGKILL", "SIGINT")}


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "only"), [(faults.WORK, faults.CODES)] if os.environ.get(EVERY) else FEW.items())
def test_no_fault_at_a_seeded_point_loses_anything(kinds, only):
    """Some faults in a fetch, a run and a batch; with `--every-borough` every fault in every work."""
    said, many = [], len(kinds) * len(only)
    assert faults.run(many, 1, said.append, tuple(kinds), tuple(only)) == []
    assert said[-1] == f"{many} faults, 0 wrong"


@pytest.mark.slow
def test_killed_just_before_each_of_its_last_operations_a_build_leaves_a_whole_edition(tmp_path):
    """Fails where a folder is put in place by two renames: between them there is none of its name."""
    if sys.platform != "linux":
        pytest.skip("two names are swapped in one step on Linux only")
    scene = faults.scenes(tmp_path, None, ("build",))["build"]
    for at in range(scene.operations - 4, scene.operations + 1):
        which = scene.choices[at % 2]
        process = faults.started("build", scene.home, which, "SIGKILL", at)
        process.communicate(timeout=faults.WAIT)
        assert process.returncode == -signal.SIGKILL
        assert scene.after_a_fault() == ""
    assert scene.recover("A") == ""
