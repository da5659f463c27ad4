"""Faults of the machine at any moment: what a fetch, a build, a run, a batch or the making of the site leaves behind.

Each is killed outright, stopped by Ctrl-C, ended by SIGTERM, out of disk, or started twice at once. Half of the signals come
just before a seeded one of the file operations below the folder (an audit hook counts them), the other half a seeded time
after the start; a full disk is a seeded size past which no file grows. After each, what was whole is whole, nothing half is
under a name that is read, a command that could say something said it in words, no process lives on, and the next run finishes
and leaves what an undisturbed one leaves. All of it stands in a folder whose name holds blanks, quotes and braces.
`make faults` has 300; tests/test_faults.py some.
"""

import argparse
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import typer

from conftest import hashed
from wardbook import cli, edition, fetch, web
from wardbook.run import many, runner, site

MONTHS = [f"2024-{m:02d}" for m in range(1, 4)]
WAIT = 120


# What is disturbed ----------------------------------------------------------------------------------------------------


def do_fetch(home: Path, which: str) -> None:
    """Everything of three publishers into home/raw; `which` is the server's address."""
    sources = ["mps-borough-crime", "police-uk-stops", "ons-wards-2024", "engagement"]
    asked = {"borough": "Tower Hamlets", "first": date(2024, 1, 1), "last": date(2024, 3, 1)}
    manners = web.Manners(now=lambda: datetime(2025, 6, 3, 22, 30, tzinfo=UTC))
    try:
        outcomes = fetch.fetch(sources, raw=home / "raw", mirror=which, manners=manners, **asked)
    except fetch.FetchError as error:  # as the command line does
        raise OSError(error) from error
    _refuse(outcome for outcome in outcomes if outcome.status == "failed")


def do_build(home: Path, which: str) -> None:
    """The edition of the raw folder `which` (A or B), in the place of whichever is there."""
    edition.build(home / which, home / "edition")


def do_run(home: Path, which: str) -> None:
    """A run of the notebooks `which` (A or B), in the place of whichever is there."""
    runner.run("Tower Hamlets", "2023-24", out=home / "outputs", folder=home / which)


def do_all(home: Path, which: str) -> None:
    """A batch of two areas, in the place of whichever is there."""
    areas = ["Camden", "Lewisham"]
    outcomes = many.run_all("2023-24", out=home / "outputs", folder=home / which, areas=areas, workers=2)
    _refuse(outcome for outcome in outcomes if outcome.state == "failed")


def do_site(home: Path, which: str) -> None:
    """The site of the runs `which` (A or B), with the claim box's answers for the newest windows alone."""
    from made_runs import newest_answers

    with newest_answers():
        site.write_site(home / which, home / "site")


def _refuse(failed) -> None:
    if failed := list(failed):
        raise OSError(failed)


WORK = {"fetch": do_fetch, "build": do_build, "run": do_run, "all": do_all, "site": do_site}
LEFT = {"fetch": "raw", "build": "edition", "run": "outputs", "all": "outputs", "site": "site"}
# What a process that was disturbed ends with.
CODES = {"SIGKILL": -signal.SIGKILL, "SIGINT": 130, "SIGTERM": 143, "full disk": 1, "two at once": 0}
ODD = 'wardbook\'s "faults" {é} %e '  # in the name of the folder of it all
OPERATIONS = {"open", "shutil.rmtree", "shutil.move", "shutil.copyfile"}
OPERATIONS |= {f"os.{what}" for what in ("rename", "remove", "rmdir", "mkdir")}


def send(number: int, pid: int) -> None:
    """Send a process a signal as it comes: Ctrl-C goes to all that a terminal started."""
    os.killpg(pid, number) if number == signal.SIGINT else os.kill(pid, number)


def child(kind: str, home: Path, which: str, fault: str, at: int) -> None:
    """Do the work in a process of its own, told as a command tells it; it says how many operations there were.

    Disturbed just before operation `at` below `home` (0: never), or with no file allowed to grow past `at` bytes.
    """
    count = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal count
        if event == "ctypes.dlsym" or (event in OPERATIONS and str(home) in str(arguments[0])):
            count += 1
            if count == at:
                send(signal.Signals[fault], os.getpid())

    try:
        with cli._told():
            print("ready", flush=True)
            if fault == "full disk":
                resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
            else:
                sys.addaudithook(watch)
            WORK[kind](home, which)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    print(count, flush=True)


def environment() -> dict[str, str]:
    """The environment without what `make check-all` measures with: on a full disk it could not write, and would say so at length."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def started(kind: str, home: Path, which: str, fault: str = "", at: int = 0, mark: str = "") -> subprocess.Popen:
    """Start a child; returns once it has imported all it needs. It and all that it starts carry the mark."""
    words = [sys.executable, __file__, "--child", kind, str(home), which, fault, str(at)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    marked = environment() | {"WARDBOOK_FAULT": mark}
    process = subprocess.Popen(words, **pipes, start_new_session=True, env=marked)
    process.stdout.readline()
    return process


def living(mark: str) -> list[int]:
    """The processes that carry a mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another's
            if f"WARDBOOK_FAULT={mark}\0".encode() in place.read_bytes():
                found.append(int(place.parent.name))
    return found


def orphans(mark: str) -> list[str]:
    """What the processes with a mark are that still live some seconds after they should not, and are ended now."""
    deadline = time.monotonic() + 20
    while (left := living(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    named = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in left]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return named


# What must hold -------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """One kind of work: where, what undisturbed work leaves, how long it takes and how many file operations it has."""

    kind: str
    home: Path
    choices: list[str]
    whole: dict[str, dict[str, str]]
    seconds: float = 0.0
    operations: int = 0

    def there(self) -> dict[str, str]:
        folder = self.home / LEFT[self.kind]
        return hashed(folder) if folder.is_dir() else {}

    def unfinished(self) -> set[str]:
        """Folders and files begun by a dot: never read, swept a day later."""
        return {path.relative_to(self.home).as_posix() for path in self.home.rglob(".*")}

    def after_a_fault(self) -> str:
        """What is wrong with what a disturbed process left; empty if nothing is."""
        there = self.there()
        if self.kind == "fetch":
            (whole,) = self.whole.values()
            # The ledger and a day's manifest grow row by row; each version of them is a whole one.
            grown = {name for name in there if name.endswith(("ledger.csv", "captures.csv"))}
            odd = [name for name, digest in there.items() if name not in grown and whole.get(name) != digest]
            odd += [name for name in grown if not (self.home / "raw" / name).read_text().endswith("\n")]
            return f"not as fetched whole: {odd}" if odd else ""
        for area in ("camden/", "lewisham/") if self.kind == "all" else ("",):
            kept = [_below(area, files) for files in (there, *self.whole.values())]
            if kept[0] not in kept[1:]:
                return f"neither the earlier nor the new one: {sorted(kept[0])}"
        if self.kind == "build":
            edition.open_edition(self.home / "edition")
        return ""

    def recover(self, which: str) -> str:
        """Do the work again, undisturbed; what is wrong then, empty if nothing is."""
        WORK[self.kind](self.home, which)
        wanted, there = self.whole[which], self.there()
        return "" if there == wanted else f"after the next run: {set(there.items()) ^ set(wanted.items())}"


def _below(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name.startswith(folder)}


def scenes(base: Path, server, kinds: Sequence[str] = tuple(WORK)) -> dict[str, Scene]:
    """The scenes, each with its work done whole once."""
    made = {}
    for kind in kinds:
        home = base / kind
        home.mkdir(parents=True)
        scene = made[kind] = Scene(kind, home, [server.url] if kind == "fetch" else ["A", "B"], {})
        _set(scene, server)
        for which in scene.choices:
            process, began = started(kind, home, which), time.monotonic()
            said, error = process.communicate(timeout=WAIT)
            if process.returncode:
                raise RuntimeError(f"{kind} failed undisturbed: {error}")
            scene.seconds, scene.operations = time.monotonic() - began, int(said.split()[-1])
            scene.whole[which] = scene.there()
    return made


def _set(scene: Scene, server) -> None:
    """Put there what the work starts from."""
    import test_fetch as served
    from made_runs import a_figure, a_run
    from test_edition import synthetic_crime, synthetic_knife
    from test_runner import saves, write_notebook

    if scene.kind == "fetch":
        rows = served.crime_csv([f"2024{m:02d}" for m in range(1, 13)])
        served.serve_datastore(server, "exy3m", {served.RECENT: served.Answer(rows, etag='"r"')})
        served.serve_dates(server, *MONTHS)
        served.serve_archive(server, *MONTHS)
        server.answers[served.WARDS] = served.layer(250)
        served.serve_neighbourhoods(server)
        server.answers[f"{served.API}metropolitan/{served.TOWER_HAMLETS[-1]}/events"].faults = []
        return
    for number, name in enumerate(scene.choices):
        if scene.kind == "build":
            synthetic_crime(scene.home / name, {"Barnet": 5 + number, "Tower Hamlets": 10})
            synthetic_knife(scene.home / name)
        elif scene.kind == "site":
            a_run(scene.home / name, [a_figure(title=f"Burglary fell, says {name}")])
        else:
            write_notebook(scene.home / name, "01_first", saves(charts_a=name, tables_a=name))


def disturb(scene: Scene, fault: str, dice: random.Random) -> tuple[str, bool]:
    """Disturb once; what was wrong afterwards (empty if nothing), and whether the fault came before the work's end."""
    which = dice.choice(scene.choices)
    if scene.kind == "fetch" and dice.random() < 0.5:
        shutil.rmtree(scene.home / "raw", ignore_errors=True)
    by_operation, mark, before = dice.random() < 0.5, uuid.uuid4().hex, scene.unfinished()
    at, wait = dice.randrange(1, scene.operations + 1), dice.random() * scene.seconds
    if fault == "full disk":
        at = int(1.1 ** dice.uniform(0, 145))  # 1 byte to a megabyte
    elif not by_operation:
        at = 0
    if fault == "two at once":
        processes = [started(scene.kind, scene.home, one, "", 0, mark) for one in (which, dice.choice(scene.choices))]
    else:
        processes = [started(scene.kind, scene.home, which, fault, at, mark)]
    if fault in signal.Signals.__members__ and not at:
        time.sleep(wait)
        if processes[0].poll() is None:
            send(signal.Signals[fault], processes[0].pid)
    ends = [(*process.communicate(timeout=WAIT), process.returncode) for process in processes]
    for said, error, code in ends:
        waits = fault == "two at once" and scene.kind == "fetch" and "another fetch is at work" in error
        if code not in (0, CODES[fault], waits) and not said:  # it says its count when all is done
            return f"it ended with {code}: {error[-1500:]}", True
        if "Traceback" in error or (code == 1 and "wardbook: " not in error):
            return f"it said: {error[-1500:]}", True
    if left := orphans(mark):
        return f"it left processes: {left}", True
    if fault not in ("SIGKILL", "SIGINT", "SIGTERM") and (left := scene.unfinished() - before):
        return f"it left {left}", True
    wrong = scene.after_a_fault() or scene.recover(which)
    return wrong, fault == "two at once" or any(not said for said, _, _ in ends)


def run(faults: int, seed: int, tell: Callable, kinds: Sequence[str] = tuple(WORK), only: Sequence[str] = tuple(CODES)):
    """Disturb so many times, each kind of work by each fault in turn; what was wrong, with the seed and number to show it again."""
    from test_fetch import Server

    wrong, done, tries = [], 0, 0
    server, turns = Server(), list(itertools.product(only, kinds))
    try:
        with tempfile.TemporaryDirectory(prefix=ODD) as base:
            staged = scenes(Path(base).resolve(), server, kinds)
            while done < faults and tries < 3 * faults:
                fault, kind = turns[done % len(turns)]
                found, came = disturb(staged[kind], fault, random.Random(f"{seed}-{tries}"))
                tries += 1
                done += came
                if found:
                    wrong.append(f"seed {seed}, try {tries}, {fault}, {kind}: {found}")
                    tell(wrong[-1])
            tell(f"{done} faults, {len(wrong)} wrong")
    finally:
        server.close()
    return wrong if done >= faults else [*wrong, f"only {done} of {faults} came in time"]


def main() -> int:
    """The command line: `--faults N --seed S`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2025)
    given = parser.parse_args()
    return 1 if run(given.faults, given.seed, lambda text: print(text, flush=True)) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), *sys.argv[4:6], int(sys.argv[6]))
    else:
        sys.exit(main())
