"""Mutation testing of the measures that verdicts and rates rest on: `make mutants`.

mutmut changes one expression at a time and runs the tests that reach it; a mutant that no test notices survives. Prints the share
killed of each module and every survivor, and fails below 94 %. tests/README.md states the last result and why survivors do.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import RAW, ROOT

WORK = ROOT / "mutants"  # git ignores it; a run of all goes on from the mutants judged there: delete it to begin anew
LEAST = 0.94
MODULES = ("rates", "change", "comparison", "stops")
# What mutmut notes of a mutant is how its tests ended: 1 and 3, one failed; the others, they ran out of time. Anything else, even an
# error of mutmut's own, is no kill.
KILLED = {1, 3, 24, -24, 36, 152}
# Slow to import, and not harmed by a fork; no plugin of pytest's, which would warn that it is there already.
PRELOADED = ("numpy", "scipy.stats", "scipy.optimize", "pandas", "altair", "geopandas", "statsmodels.api")


def main() -> int:
    """Run mutmut in a copy of the project, and judge what it found."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sample", type=int, help="so many of each module, drawn by --seed, in place of all of them")
    asked.add_argument("--seed", type=int, default=2025)
    given = asked.parse_args()
    ignored = shutil.ignore_patterns("raw", "__pycache__", "*.egg-info")
    for name in ("lib", "tests", "data", "notebooks"):
        there = WORK / ("src" if name == "lib" else name)
        shutil.copytree(ROOT / name, there, dirs_exist_ok=True, ignore=ignored)
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENCE"):
        shutil.copy2(ROOT / name, WORK / name)
    (WORK / "preload.txt").write_text("".join(f"{name}\n" for name in PRELOADED), encoding="utf-8")
    mutmut("nothing")  # makes the mutants and times the tests
    made = {module: sorted(codes_of(module)) for module in MODULES}
    draw, most = random.Random(given.seed).sample, given.sample
    chosen = {m: draw(names, most) if most and most < len(names) else names for m, names in made.items()}
    # Named ones are run again, and matched each with each, which takes long for thousands; without names, those not judged yet.
    mutmut(*(() if chosen == made else (name for names in chosen.values() for name in names)))
    if left := [name for module, names in chosen.items() for name in alive_of(module, names)]:
        meet_whole_files()
        mutmut(*left)
    low = False
    for module, names in chosen.items():
        alive = alive_of(module, names)
        share = 1 - len(alive) / len(names)
        low |= share < LEAST
        print(f"{module}: {len(names) - len(alive)} of {len(names)} killed ({share:.1%})")
        print("".join(f"  {name}: {code}\n" for name, code in alive.items()), end="")
    return int(low)


def codes_of(module: str) -> dict[str, int | None]:
    """How the tests of each of a module's mutants ended; None where they have not run, which is no kill."""
    notes = WORK / f"mutants/src/wardbook/measures/{module}.py.meta"
    return json.loads(notes.read_text(encoding="utf-8"))["exit_code_by_key"]


def alive_of(module: str, names: list[str]) -> dict[str, int | None]:
    """The mutants among these that no test has failed for, each with how its tests ended."""
    codes = codes_of(module)
    return {name: codes[name] for name in sorted(names) if codes[name] not in KILLED}


def meet_whole_files() -> None:
    """Have a module's mutants met by every test of its file.

    mutmut notes by which tests a function is called. What a module-scoped fixture calls is called in the first test that uses the
    fixture, and so the others, which look at what it made, are not run: a quick way to most kills, but no word about survivors.
    """
    path = WORK / "mutants/mutmut-stats.json"
    stats = json.loads(path.read_text(encoding="utf-8"))
    met = stats["tests_by_mangled_function_name"]
    for module in MODULES:
        tests = [name for name in stats["duration_by_test"] if name.startswith(f"tests/test_{module}.py::")]
        for function in {name.rpartition("__mutmut_")[0] for name in codes_of(module)}:
            met[function] = list(dict.fromkeys([*met.get(function, []), *tests]))
    path.write_text(json.dumps(stats), encoding="utf-8")


def mutmut(*names: str) -> None:
    """Run mutmut on these mutants, in the copy; it exits with an error where a name matches none, which is no error here."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(os.cpu_count() or 1), *names]
    # Every mutant is a process of its own, and one without bytecode compiles a thousand mutants to try one.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=WORK, env=kept | {"WARDBOOK_RAW": str(RAW)})


if __name__ == "__main__":
    sys.exit(main())
