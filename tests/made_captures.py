"""Made-up captures of events and priorities, in the shapes of the data.police.uk API: invented, seeded, for tests alone.

They are written as answers with their manifests, so that whatever is tested goes through the readers of real captures. Among
the wards are the cases that must be told apart: one with nothing published at all, one not captured in the second quarter,
one event without an end, a priority with an action and one without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from wardbook.sources import police_uk_api as api

FIRST, LAST, SECOND = date(2025, 1, 1), date(2025, 6, 30), date(2025, 4, 1)  # two quarters
DAYS, CAPTURES = 14, 13  # a capture a fortnight
NAMED = "Sgt Zebulon Quillfeather"  # in every text: none of it may come through


def write_captures(raw: Path, ward_codes: Sequence[str], *, seed: int = 2025) -> api.Captures:
    """Write two quarters of fortnightly captures for these wards below a raw folder, and read them."""
    random, codes = np.random.default_rng(seed), sorted(ward_codes)
    events = {code: _events(random, i) for i, code in enumerate(codes)}
    priorities = {code: _priorities(random) for code in codes}
    for day in (FIRST + timedelta(days=DAYS * i) for i in range(CAPTURES)):
        folder, rows = raw / f"police_uk_api/engagement/{day}", []
        for i, code in enumerate(codes):
            # The API lists what is still to come, and priorities once they are issued.
            listed = {
                "events": [one for one in events[code] if one["start_date"][:10] >= str(day)],
                "priorities": [_as_of(one, day) for one in priorities[code] if one["issue-date"][:10] <= str(day)],
            }
            for kind, answer in listed.items():
                status = api.FAILED if i == 1 and day >= SECOND else api.PUBLISHED if answer else api.NONE_PUBLISHED
                count = len(answer) if status == api.PUBLISHED else 0
                row = {"neighbourhood_id": f"{code}N", "kind": kind, "status": status, "count": str(count)}
                rows.append(row)
                path = api.answer_path(folder, f"{code}N", kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(answer))
        api.write_manifest(folder, rows)
    return api.read_captures(raw)


def _events(random: np.random.Generator, ward: int) -> list[dict]:
    events = []
    for n in range(int(random.poisson(2 + 6 * random.random())) if ward else 0):
        day = FIRST + timedelta(days=int(random.integers(0, (LAST - FIRST).days + 1)))
        start = datetime.combine(day, time(int(random.integers(10, 20))))  # without a zone, as the API publishes it
        end = start + timedelta(minutes=int(random.choice([30, 60, 90])))
        kind = str(random.choice(list(api.EVENT_KINDS)))
        events.append(
            {
                "title": f"{kind.capitalize()} with {NAMED}",
                "type": "meeting",
                "description": f"<p>{NAMED} will be there</p>",
                "start_date": start.isoformat(),
                "end_date": None if n == 0 and ward == 2 else end.isoformat(),
            }
        )
    return events


def _priorities(random: np.random.Generator) -> list[dict]:
    priorities = []
    for issue in random.choice(list(api.PRIORITY_KINDS), size=2, replace=False):
        issued = FIRST - timedelta(days=int(random.integers(10, 200)))
        acted = issued + timedelta(days=int(random.integers(30, 300)))
        priorities.append(
            {
                "issue": f"<p>{str(issue).capitalize()}, reported to {NAMED}</p>",
                "issue-date": f"{issued}T00:00:00",
                "action": f"{NAMED} spoke to residents",
                "action-date": f"{acted}T00:00:00",
            }
        )
    return priorities


def _as_of(priority: dict, day: date) -> dict:
    """A priority as listed on a day: its action is there once it has been published."""
    acted = priority["action-date"][:10] <= str(day)
    return priority if acted else priority | {"action": None, "action-date": None}
