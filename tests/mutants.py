"""Mutation testing of the measures that verdicts and rates rest on: `make mutants`.

mutmut changes one expression at a time and runs the tests that reach it; a mutant that no test notices survives. Prints the share
killed of each module and every survivor, and fails below 85 %. CONTRIBUTING states the last result and why survivors do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAST = 0.85
MODULES = ("rates", "targets", "comparison", "stops")
# What mutmut notes of a mutant: the exit code of its tests. 0: they all passed; 33: no test reaches it; 5: none was found.
SURVIVED = {0, 5, 33, None}


def main() -> int:
    """Run mutmut in the project's root, or go on where it was stopped, and judge what it found."""
    # The tests run in a copy of the project, where a relative folder of the publishers' files would be another one.
    raw = (ROOT / os.environ.get("WARDBOOK_RAW", "../shared/data/raw")).resolve()
    command = [str(Path(sys.executable).with_name("mutmut")), "run", *sys.argv[1:]]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"WARDBOOK_RAW": str(raw)})
    low = False
    for module in MODULES:
        notes = json.loads((ROOT / f"mutants/lib/wardbook/measures/{module}.py.meta").read_text(encoding="utf-8"))
        codes = notes["exit_code_by_key"]
        alive = sorted(name for name, code in codes.items() if code in SURVIVED)
        share = 1 - len(alive) / len(codes)
        low |= share < LEAST
        print(f"{module}: {len(codes) - len(alive)} of {len(codes)} killed ({share:.1%})")
        print("".join(f"  {name.rpartition('.')[2]}\n" for name in alive), end="")
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
