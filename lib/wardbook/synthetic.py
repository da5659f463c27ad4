"""A small synthetic example of what no public source holds yet: events and priorities, captured day by day.

Invented, seeded, and in the shapes of the data.police.uk API, so that it goes through the same readers as real captures.
Every title and issue begins with the words of `LABEL`, the edition's manifest marks its tables, and every chart and file made
from them says so. It is never mixed with a published figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from wardbook.sources import police_uk_api as api

LABEL = "Synthetic example"
BOROUGH = "E09000030"  # Tower Hamlets, whose 20 wards it is laid out over
SENTENCE = "Synthetic example data: invented to show the method, saying nothing true of any ward named."
_FIRST, _LAST = date(2025, 1, 1), date(2025, 6, 30)  # two quarters
_DAYS, _CAPTURES = 14, 13  # a capture a fortnight
_KINDS = ("street briefing", "ward panel meeting", "drop-in surgery")
_ISSUES = ("speeding", "street drinking", "noise at night", "bicycle theft")


def example(ward_codes: Sequence[str], *, seed: int = 2025) -> api.Captures:
    """Two quarters of fortnightly captures of events and priorities for these wards.

    Among the wards are the cases that must be told apart: one with nothing published at all, one not captured in the second
    quarter, one event without an end, one priority with an action and one without.

    Parameters
    ----------
    ward_codes : GSS codes; the ids are theirs with the letter that data.police.uk adds.
    seed : of all that is drawn.
    """
    random = np.random.default_rng(seed)
    codes = sorted(ward_codes)
    if not codes:
        empty = (schema.to_frame() for schema in (api.EVENTS_SCHEMA, api.PRIORITIES_SCHEMA, api.CAPTURES_SCHEMA))
        return api.Captures(*empty)
    days = [_FIRST + timedelta(days=_DAYS * i) for i in range(_CAPTURES)]
    events = {code: _events(random, i) for i, code in enumerate(codes)}
    priorities = {code: _priorities(random) for code in codes}
    second = date(2025, 4, 1)
    made: dict[str, list] = {"events": [], "priorities": [], "captures": []}
    for day in days:
        for i, code in enumerate(codes):
            key = (f"{code}N", code, day)
            if i == 1 and day >= second:
                made["captures"] += [(*key, kind, api.FAILED, 0) for kind in ("events", "priorities")]
                continue
            # The API lists what is still to come.
            listed = [event for event in events[code] if event["start_date"][:10] >= str(day)]
            current = [_as_of(one, day) for one in priorities[code] if one["issue-date"][:10] <= str(day)]
            for kind, records, tidy in (
                ("events", listed, api.tidy_events),
                ("priorities", current, api.tidy_priorities),
            ):
                status = api.PUBLISHED if records else api.NONE_PUBLISHED
                made["captures"].append((*key, kind, status, len(records)))
                made[kind].append(tidy(records, key))
    order = ["capture_date", "neighbourhood_id"]
    return api.Captures(
        pl.concat(made["events"]).sort(*order, "start", "title"),
        pl.concat(made["priorities"]).sort(*order, "issue_date", "issue"),
        pl.DataFrame(made["captures"], schema=api.CAPTURES_SCHEMA, orient="row").sort(*order, "kind"),
    )


def _events(random: np.random.Generator, ward: int) -> list[dict]:
    if ward == 0:
        return []
    found = []
    for n in range(int(random.poisson(2 + 6 * random.random()))):
        day = _FIRST + timedelta(days=int(random.integers(0, (_LAST - _FIRST).days + 1)))
        # Without a zone, as the API publishes it.
        start = datetime.combine(day, time(int(random.integers(10, 20))))
        end = start + timedelta(minutes=int(random.choice([30, 60, 90])))
        kind = _KINDS[int(random.integers(len(_KINDS)))]
        found.append(
            {
                "title": f"{LABEL}: {kind}",
                "type": "meeting",
                "start_date": start.isoformat(),
                "end_date": None if n == 0 and ward == 2 else end.isoformat(),
            }
        )
    return found


def _priorities(random: np.random.Generator) -> list[dict]:
    found = []
    for issue in random.choice(_ISSUES, size=2, replace=False):
        issued = _FIRST - timedelta(days=int(random.integers(10, 200)))
        acted = issued + timedelta(days=int(random.integers(30, 300)))
        found.append(
            {
                "issue": f"{LABEL}: {issue}",
                "issue-date": f"{issued}T00:00:00",
                "action": f"{LABEL}: what was done",
                "action-date": f"{acted}T00:00:00",
            }
        )
    return found


def _as_of(priority: dict, day: date) -> dict:
    """A priority as listed on a day: its action is there once it has been published."""
    acted = priority["action-date"][:10] <= str(day)
    return priority if acted else priority | {"action": None, "action-date": None}
