"""What the tests share: where the publishers' files are, the edition and the stops read once, runs that are sampled, a browser."""

import hashlib
import json
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]
RAW = (ROOT / os.environ.get("WARDBOOK_RAW", "../shared/data/raw")).resolve()  # what is relative counts from the root
EVERY = "WARDBOOK_TEST_EVERY_BOROUGH"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Nothing but the page may ask for anything: what a browser does of its own accord is turned off.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


def pytest_addoption(parser):
    parser.addoption("--every-borough", action="store_true", help="all 32 boroughs where the tests sample some")


def pytest_configure(config):
    # In the environment, since what is sampled is chosen while tests are collected.
    if config.getoption("--every-borough"):
        os.environ[EVERY] = "1"


def pytest_collection_modifyitems(config, items):
    """Tests marked `whole` are for `make check-all` alone; those that read the publishers' files are marked `raw`."""
    for item in items:
        if "raw" in getattr(item, "fixturenames", ()) and item.path.name != "test_faults.py":
            item.add_marker("raw")
    if not config.getoption("--every-borough"):
        held = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=held)
        items[:] = [item for item in items if item not in held]


def hashed(folder: Path, hidden: bool = False) -> dict[str, str]:
    """Every file below a folder that a reader would find, by path, with its hash; with `hidden`, those begun by a dot too."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in found.items()
        if hidden or not any(part.startswith(".") for part in name.parts)
    }


def sampled(*names: str) -> dict[str, str]:
    """The areas named, and with `--every-borough` all the boroughs too, each with its code."""
    from wardbook import places

    every = places.boroughs()["borough"] if os.environ.get(EVERY) else ()
    return {name: places.area(name).code for name in dict.fromkeys([*names, *every])}


def sampled_runs(*runs: tuple[str, str]) -> list[tuple[str, str]]:
    """The areas and periods named, and with `--every-borough` every area in each of those periods."""
    from wardbook import places

    every = [*places.boroughs()["borough"], places.LONDON] if os.environ.get(EVERY) else ()
    periods = dict.fromkeys(period for _, period in runs)
    return [*dict.fromkeys([*runs, *((area, period) for period in periods for area in every)])]


def older_runs() -> list[tuple[str, str]]:
    """Three areas in three years before the newest: each once, and all in all with `--every-borough`."""
    areas = ("Tower Hamlets", "Sutton", "London")
    runs = [(area, period) for period in ("2018-19", "2012-13", "2023-24") for area in areas]
    return runs if os.environ.get(EVERY) else runs[::4]


def sampled_kinds(*kinds: str) -> list[str]:
    """The kinds of offence named, and with `--every-borough` all that are compared by the year."""
    from wardbook.measures import change

    return [*dict.fromkeys([*kinds, *(change.YEARLY_GROUPS if os.environ.get(EVERY) else ())])]


def changed_edition(folder: Path, name: str, change) -> Path:
    """A copy of the committed edition with a table that is changed, and a manifest that agrees."""
    import polars as pl

    from wardbook import edition

    shutil.copytree(edition.COMMITTED, folder)
    table = pl.read_parquet(folder / f"{name}.parquet")
    change(table).cast(table.schema).write_parquet(folder / f"{name}.parquet")
    make_hash_again(folder, name)
    return folder


def make_hash_again(folder: Path, name: str, entry: dict | None = None, **changes) -> None:
    """Have an edition's manifest agree with a changed table, as a careful editor would; the table's `entry` and the rest as given."""
    from wardbook import edition

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | changes
    manifest["tables"][name] |= {"sha256": edition.sha256(folder / f"{name}.parquet")} | (entry or {})
    manifest["edition"] = edition.edition_id(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def relative_rate(counts, people, ethnicity="self-defined", **drawn):
    """Black people's searches per resident over White people's: a row of `Spread.against`, its columns as attributes."""
    import polars as pl

    from wardbook.measures import stops

    plain = {"borough_code": pl.lit("all"), "day": pl.date(2023, 4, 1)}
    counts = counts.with_columns(**{name: value for name, value in plain.items() if name not in counts.columns})
    residents = stops.residents_by_group(counts, people, ethnicity)
    table = stops.Spread.of(counts, ethnicity, **drawn).against(residents)
    return SimpleNamespace(**table.row(by_predicate=pl.col("group") == "Black", named=True))


@contextmanager
def remembered(module, name, key):
    """A module's function that computes once for all runs within what has the same key, which is made of its arguments."""
    function, held = getattr(module, name), {}

    def once(*given):
        if (at := key(*given)) not in held:
            held[at] = function(*given)
        return held[at]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, once)
        yield


def remember_rulers():
    """The ruler of two windows is the same for every area: learnt once for all runs within."""
    from wardbook.measures import change

    def key(monthly, before, after, breaks, series):
        return series, before, after, tuple(sorted(monthly["offence_group"].unique())), monthly.height

    return remembered(change, "learn_ruler", key)


@pytest.fixture(scope="module")
def one_ruler():
    """`remember_rulers` for all tests of a file."""
    with remember_rulers():
        yield


@pytest.fixture(scope="session")
def raw() -> Path:
    """The folder with the publishers' files."""
    if not RAW.is_dir():
        pytest.skip("publishers' files are not here: set WARDBOOK_RAW to a folder with them (see README, `Data`)")
    return RAW


@pytest.fixture
def wardbook(tmp_path, monkeypatch):
    """Type a command in tmp_path; the answer has `.exit_code`, `.stdout` and `.stderr`."""
    from typer.testing import CliRunner

    from wardbook import cli

    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli.app, [str(word) for word in words], prog_name="wardbook")


def once_whole(find, wanted, wait=lambda ms: time.sleep(ms / 1000)):
    """The JSON of the file that `find` returns, once it is as `wanted`, within a minute.

    Jupyter writes in place: who reads in between finds no file, or an empty or a cut one, and looks again.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(StopIteration, json.JSONDecodeError):
            if wanted(read := json.loads(find().read_text(encoding="utf-8"))):
                return read
        wait(200)
    raise TimeoutError(f"nothing as {wanted} within a minute")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """JupyterLab as `wardbook lab` starts it, on copies of the notebooks in tmp_path/work: what it says of itself."""
    from wardbook.run import committed

    for name in ("_RUNTIME", "_CONFIG", "_DATA", "LAB_WORKSPACES", "LAB_SETTINGS"):
        monkeypatch.setenv(f"JUPYTER{name}_DIR", str(tmp_path / name))
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    committed.copy_notebooks(work=tmp_path / "work")
    options = ["--no-browser", "--port=0", "--allow-root"]
    server = threading.Thread(target=lambda: committed.lab(options, work=tmp_path / "work"))
    server.start()
    said = once_whole(lambda: next((tmp_path / "_RUNTIME").glob("jpserver-*.json")), bool)
    yield said
    ended = httpx.post(f"{said['url']}api/shutdown", headers={"Authorization": f"token {said['token']}"})
    ended.raise_for_status()
    server.join(timeout=60)
    assert not server.is_alive()


@pytest.fixture(scope="session")
def committed():
    """The committed edition."""
    from wardbook import edition

    return edition.open_edition()


@pytest.fixture(scope="session")
def book():
    """London's book of the committed edition."""
    from wardbook.book import open_book

    return open_book("London")


@pytest.fixture(scope="session")
def stop_files(raw):
    """Every month of the Met's stops, read once for all tests: month (YYYY-MM) → `Loaded`."""
    from wardbook.sources.police_uk import read_stops

    return {
        path.name[:7]: read_stops(path) for path in sorted(raw.glob("police_uk/*/*-metropolitan-stop-and-search.csv"))
    }


@pytest.fixture(scope="module")
def browser():
    """A real Chromium; where there is none a test is skipped, saying so, but in CI it fails."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None and os.environ.get("CI"):
        pytest.fail("no Chromium on PATH: in CI a page that no browser has shown is not tested")
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH: install chromium, or use CI's")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page) -> list:
    """What axe finds on a page with every disclosure open."""
    from axe_playwright_python.sync_playwright import Axe

    open_all(page)
    found = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": WCAG}})
    return [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found.response["violations"]]


def open_all(page) -> None:
    """Open every disclosure."""
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")


def is_wider(page, width: int) -> bool:
    """Is a page wider than so many pixels, so that it scrolls sideways?"""
    return page.evaluate("document.documentElement.scrollWidth") > width


@pytest.fixture
def open_page(browser):
    """Open an address at a width; the page, on which `.asked` are its requests and `.said` what the console said."""
    opened = []

    def open_page(address, width=1280, **more):
        page = browser.new_page(viewport={"width": width, "height": 900}, **more)
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(address)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
