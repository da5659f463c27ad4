"""A power cut at any moment: SIGKILL at seeded random points of what writes files, and what is there afterwards.

Killed are a fetch, a build, a run, a batch of runs and the making of the site. Half of the kills come just before a seeded one
of the file operations below the folder (an audit hook counts them), the other half a seeded time after the start. After each,
what was whole is whole, nothing half is under a name that is read, and the next run finishes and leaves what an undisturbed
one leaves. All of it stands in a folder whose name holds blanks, quotes and braces, which nothing written may name.
`make faults` runs 200; tests/test_faults.py a few.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

from test_edition import synthetic_crime, synthetic_knife
from test_fetch import (
    API,
    RECENT,
    TOWER_HAMLETS,
    WARDS,
    Answer,
    Server,
    crime_csv,
    layer,
    serve_archive,
    serve_datastore,
    serve_dates,
    serve_neighbourhoods,
)
from wardbook import edition, fetch, web

HERE = Path(__file__).resolve().parent
MONTHS = [f"2024-{m:02d}" for m in range(1, 4)]
WAIT = 90


def hashed(folder: Path, hidden: bool = False) -> dict[str, str]:
    """Every file below a folder that a reader would find, by path, with its hash; with `hidden`, those begun by a dot too."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in found.items()
        if hidden or not any(part.startswith(".") for part in name.parts)
    }


# What is killed -------------------------------------------------------------------------------------------------------


def do_fetch(home: Path, which: str) -> None:
    """Everything of three publishers into home/raw; `which` is the server's address."""
    outcomes = fetch.fetch(
        ["mps-borough-crime", "police-uk-stops", "ons-wards-2024", "engagement"],
        **{"raw": home / "raw", "mirror": which, "borough": "Tower Hamlets"},
        **{"first": date(2024, 1, 1), "last": date(2024, 3, 1)},
        manners=web.Manners(now=lambda: datetime(2025, 6, 3, 22, 30, tzinfo=UTC)),
    )
    if failed := [outcome for outcome in outcomes if outcome.status == "failed"]:
        raise RuntimeError(failed)


def do_build(home: Path, which: str) -> None:
    """The edition of the raw folder `which` (A or B), in the place of whichever is there."""
    edition.build(home / which, home / "edition")


def do_run(home: Path, which: str) -> None:
    """A run of the notebooks `which` (A or B), in the place of whichever is there."""
    from wardbook.run import runner

    runner.run("Tower Hamlets", "2023-24", out=home / "outputs", folder=home / which)


def do_all(home: Path, which: str) -> None:
    """A batch of two areas, in the place of whichever is there."""
    from wardbook.run import many

    areas = {"areas": ["Camden", "Lewisham"], "workers": 2}
    outcomes = many.run_all("2023-24", out=home / "outputs", folder=home / which, **areas)
    if failed := [outcome for outcome in outcomes if outcome.state == "failed"]:
        raise RuntimeError(failed)


def do_site(home: Path, which: str) -> None:
    """The site of the runs `which` (A or B), with the claim box's answers for the newest windows alone."""
    from wardbook.run import answers, site

    whole = answers.box_windows
    with mock.patch.object(answers, "box_windows", lambda book, series: whole(book, series)[-1:]):
        site.write_site(home / which, home / "site")


WORK = {"fetch": do_fetch, "build": do_build, "run": do_run, "all": do_all, "site": do_site}
LEFT = {"fetch": "raw", "build": "edition", "run": "outputs", "all": "outputs", "site": "site"}
# By turns; a kernel and a cluster take longer than all the rest.
ORDER = ("fetch", "build", "site", "fetch", "build", "run", "fetch", "build", "fetch", "all")
ODD = 'wardbook\'s "faults" {é} %e '  # in the name of the folder of it all
OPERATIONS = {
    "open",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "shutil.rmtree",
    "shutil.move",
    "shutil.copyfile",
}


def child(kind: str, home: Path, which: str, at: int) -> None:
    """Do the work in a process of its own, which kills itself before operation `at` below `home` (0: never), and says how many."""
    count = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal count
        if event == "ctypes.dlsym" or (event in OPERATIONS and str(home) in str(arguments[0])):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    if kind in ("run", "all", "site"):  # slow to import: not by every child, and before the clock runs
        import_module("wardbook.run.site" if kind == "site" else "wardbook.run.many")
    print("ready", flush=True)
    sys.addaudithook(watch)
    WORK[kind](home, which)
    print(count, flush=True)


def started(kind: str, home: Path, which: str, at: int = 0) -> subprocess.Popen:
    """Start a child; returns once it has imported all it needs."""
    words = [sys.executable, str(HERE / "faults.py"), "--child", kind, str(home), which, str(at)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


# What must hold -------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """One kind of work: where, what undisturbed work leaves, how long it takes and how many file operations it has."""

    kind: str
    home: Path
    choices: list[str]
    whole: dict[str, dict[str, str]]
    seconds: float
    operations: int

    def there(self) -> dict[str, str]:
        folder = self.home / LEFT[self.kind]
        return hashed(folder) if folder.is_dir() else {}

    def after_a_kill(self) -> str:
        """What is wrong with what a killed process left; empty if nothing is."""
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


def scenes(base: Path, server: Server, kinds: tuple[str, ...] = tuple(WORK)) -> dict[str, Scene]:
    """The scenes, each with its work done whole once."""
    made = {}
    for kind in kinds:
        home = base / kind
        home.mkdir(parents=True)
        choices = ["A", "B"]
        if kind == "fetch":
            choices = [server.url]
            serve_datastore(
                server, "exy3m", {RECENT: Answer(crime_csv([f"2024{m:02d}" for m in range(1, 13)]), etag='"r"')}
            )
            serve_dates(server, *MONTHS)
            serve_archive(server, *MONTHS)
            server.answers[WARDS] = layer(250)
            serve_neighbourhoods(server)
            server.answers[f"{API}metropolitan/{TOWER_HAMLETS[-1]}/events"].faults = []
        elif kind == "build":
            for number, name in enumerate(choices):
                synthetic_crime(home / name, {"Barnet": 5 + number, "Tower Hamlets": 10})
                synthetic_knife(home / name)
        elif kind == "site":
            from made_runs import a_figure, a_run

            for name in choices:
                a_run(home / name, [a_figure(title=f"Burglary fell, says {name}")])
        else:
            from test_runner import saves, write_notebook

            for name in choices:
                write_notebook(home / name, "01_first", saves(charts_a=name, tables_a=name))
        whole: dict[str, dict[str, str]] = {}
        for which in choices:
            process, began = started(kind, home, which), time.monotonic()
            said, error = process.communicate(timeout=WAIT)
            if process.returncode:
                raise RuntimeError(f"{kind} failed undisturbed: {error}")
            made[kind] = Scene(kind, home, choices, whole, time.monotonic() - began, int(said.split()[-1]))
            whole[which] = made[kind].there()
        named = [path for path in (home / LEFT[kind]).rglob("*.*") if path.is_file() and b"faults" in path.read_bytes()]
        if named:
            raise RuntimeError(f"the machine's folder is named in {named}")
    return made


def kill(scene: Scene, dice: random.Random) -> tuple[str, bool]:
    """Kill once; what was wrong afterwards (empty if nothing), and whether the process was killed before its end."""
    which = scene.choices[0] if len(scene.choices) == 1 else scene.choices[dice.randrange(2)]
    if scene.kind == "fetch" and dice.random() < 0.5:
        shutil.rmtree(scene.home / "raw", ignore_errors=True)
    by_operation = dice.random() < 0.5
    at, wait = dice.randrange(1, scene.operations + 1), dice.random() * scene.seconds
    process = started(scene.kind, scene.home, which, at if by_operation else 0)
    if not by_operation:
        time.sleep(wait)
        process.kill()
    _, error = process.communicate(timeout=WAIT)
    killed = process.returncode == -signal.SIGKILL
    if not killed and process.returncode:
        return f"{scene.kind} failed by itself: {error[-500:]}", killed
    return scene.after_a_kill() or scene.recover(which), killed


def run(kills: int, seed: int, tell: Callable[[str], None], kinds: tuple[str, ...] = tuple(WORK)) -> list[str]:
    """Kill `kills` times, by turns; what was wrong, with the seed and number that show it again."""
    wrong, done, tries = [], Counter(), 0
    server = Server()
    try:
        with tempfile.TemporaryDirectory(prefix=ODD) as base:
            staged = scenes(Path(base).resolve(), server, kinds)
            order = [kind for kind in ORDER if kind in staged]
            while done.total() < kills and tries < 3 * kills:
                kind = order[done.total() % len(order)]
                found, killed = kill(staged[kind], random.Random(f"{seed}-{tries}"))
                tries += 1
                done[kind] += killed
                if found:
                    wrong.append(f"seed {seed}, try {tries}, {kind}: {found}")
                    tell(wrong[-1])
            tell(
                f"{done.total()} kills ({', '.join(f'{n} of {k}' for k, n in sorted(done.items()))}), {len(wrong)} wrong"
            )
            left = {kind: _leftovers(scene.home) for kind, scene in staged.items()}
            tell(f"unfinished folders left beside the results: {json.dumps(left)}")
    finally:
        server.close()
    return wrong if done.total() >= kills else [*wrong, f"only {done.total()} of {kills} were killed in time"]


def _leftovers(home: Path) -> int:
    return sum(1 for path in home.rglob(".*") if path.is_dir())


def main() -> int:
    """The command line: `--kills N --seed S`, or, for its own children, `--child KIND HOME WHICH AT`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2025)
    parser.add_argument("--child", nargs=4)
    given = parser.parse_args()
    if given.child:
        kind, home, which, at = given.child
        child(kind, Path(home), which, int(at))
        return 0
    return 1 if run(given.kills, given.seed, lambda text: print(text, flush=True)) else 0


if __name__ == "__main__":
    sys.exit(main())
