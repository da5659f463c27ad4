"""Every target an area has, judged; and every offence group's change over a year, judged the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from wardbook.measures import usual as t
from wardbook.periods import FinancialYear, breaks_between, financial_year
from wardbook.places import UNKNOWN, Area

# Offence groups shown when an area's year is looked at as a whole; the first holds all the others.
YEARLY_GROUPS = (
    "total recorded offences excluding fraud",
    "violence with injury",
    "violence without injury including stalking and harassment",
    "homicide",
    "sexual offences",
    "robbery",
    "residential burglary",
    "business and community burglary",
    "theft from the person",
    "shoplifting",
    "bicycle theft",
    "theft from a vehicle",
    "theft or taking of a motor vehicle",
    "criminal damage",
    "drug offences",
    "possession of weapons",
    "public order offences",
)

TARGET_COLUMNS = pl.Schema(
    {
        "target_set": pl.String,
        "measure": pl.String,
        "area": pl.String,
        "target_owner": pl.String,
        "baseline_period": pl.String,
        "period": pl.String,
        "unit": pl.String,
        "baseline": pl.Int64,
        "baseline_low": pl.Int64,
        "baseline_high": pl.Int64,
        "outturn": pl.Int64,
        "outturn_low": pl.Int64,
        "outturn_high": pl.Int64,
        "result_percent": pl.Float64,
        "change_percent": pl.Float64,
        "change_low": pl.Float64,
        "change_high": pl.Float64,
        "noise_low": pl.Float64,
        "noise_high": pl.Float64,
        "usual_low": pl.Float64,
        "usual_high": pl.Float64,
        "target": pl.Float64,
        "verdict": pl.String,
        "change_verdict": pl.String,
        "noise_verdict": pl.String,
        "printed_verdict": pl.String,
        "printed_percent": pl.Float64,
        "probability_met": pl.Float64,
        "p_noise": pl.Float64,
        "p_usual": pl.Float64,
        "moved_this_far": pl.String,
        "detectable_fall_percent": pl.Float64,
        "basis": pl.String,
        "why": pl.String,
        "note": pl.String,
        "direction": pl.String,
        "snapshot": pl.String,
        "source": pl.String,
        "quality": pl.String,
    }
)


@dataclass(frozen=True)
class History:
    """What counts there are, by area and complete financial year, and what was declared to break them.

    `borough_offences`: `borough_code`, `offence_group`, `snapshot`, `year`, `offences`; `knife_offences`: the same with
    the subtype as `offence_group`; `breaks`: `data/reference/breaks.csv`.
    """

    borough_offences: pl.DataFrame
    knife_offences: pl.DataFrame
    breaks: pl.DataFrame
    _usual: dict = field(default_factory=dict, compare=False)

    def series(self, name: str, item: str, snapshot: str | None = None) -> pl.DataFrame:
        """One group's counts of the 32 boroughs by year, in one snapshot."""
        table = self.borough_offences if name == "borough_offences" else self.knife_offences
        rows = table.filter(pl.col("offence_group") == item, pl.col("borough_code") != UNKNOWN)
        return rows if snapshot is None else rows.filter(snapshot=snapshot)

    def items(self, name: str) -> list[str]:
        """The offence groups (or knife crime subtypes) of a series."""
        table = self.borough_offences if name == "borough_offences" else self.knife_offences
        return table["offence_group"].unique().sort().to_list()

    def snapshot_for(self, name: str, item: str, *years: FinancialYear) -> str | None:
        """The newest snapshot that holds these years of this group: two periods are compared within one snapshot."""
        held = self.series(name, item).select("snapshot", "year").unique()
        wanted = {y.start for y in years}
        fits = [s for s in held["snapshot"].unique() if wanted <= set(held.filter(snapshot=s)["year"])]
        return max(fits, default=None)

    def count(self, name: str, item: str, area: Area, year: FinancialYear, snapshot: str) -> int:
        """Offences in one area and year; London is the 32 boroughs together."""
        rows = self.series(name, item, snapshot).filter(year=year.start)
        return int((rows if area.is_london else rows.filter(borough_code=area.code))["offences"].sum())

    def pairs(self, name: str, item: str, lag: int, snapshot: str) -> list[tuple[int, int]]:
        """The pairs of years `lag` apart with no break between them that is declared to cut."""
        held = sorted(self.series(name, item, snapshot)["year"].unique().to_list())
        cuts = self.breaks.filter(pl.col("effect").is_in(["cuts", "ends"]) | (pl.col("teaches") == "no"))
        free = []
        for year in held:
            first, last = FinancialYear(year).first_month, FinancialYear(year + lag).last_month
            if year + lag in held and breaks_between(cuts, name, item, first, last).is_empty():
                free.append((year, year + lag))
        return free

    def usual(
        self, name: str, item: str, area: Area, lag: int, *, before: FinancialYear | None = None
    ) -> t.UsualVariation | None:
        """The usual variation of a group over `lag` years: of all boroughs, or London's own before `before`."""
        snapshot = self.series(name, item)["snapshot"].max()
        if snapshot is None or lag < 1:
            return None
        # The newest snapshot may hold two years only; the one with the longest history says most.
        lengths = self.series(name, item).group_by("snapshot").agg(pl.col("year").n_unique().alias("n"))
        snapshot = lengths.sort("n", "snapshot")["snapshot"][-1]
        pairs = self.pairs(name, item, lag, snapshot)
        if area.is_london:
            pairs = [p for p in pairs if before is None or p[1] <= before.start]
        key = (name, item, area.is_london, tuple(pairs))
        if key not in self._usual:
            rows = self.series(name, item, snapshot)
            window = _window(pairs)
            if area.is_london:
                totals = rows.group_by("year").agg(pl.col("offences").sum())
                self._usual[key] = t.london_variation(totals, pairs, window=window)
            else:
                changes = t.placebo_changes(rows, pairs)
                self._usual[key] = t.usual_variation(changes, window=window) if pairs else None
        return self._usual[key]

    def crosses(self, name: str, item: str, first: FinancialYear, last: FinancialYear) -> list[str]:
        """What a comparison of two years crosses, in words."""
        return breaks_between(self.breaks, name, item, first.first_month, last.last_month)["what"].to_list()


def _window(pairs: Sequence[tuple[int, int]]) -> str:
    if not pairs:
        return ""
    first, last = FinancialYear(pairs[0][0]), FinancialYear(pairs[-1][1])
    lag = pairs[0][1] - pairs[0][0]
    apart = "one year apart" if lag == 1 else f"{lag} years apart"
    return f"{len(pairs)} pairs of financial years {apart}, {first} to {last}, free of breaks that are cut out"


def assess_targets(
    area: Area, targets: pl.DataFrame, results: pl.DataFrame, history: History, *, period: FinancialYear
) -> pl.DataFrame:
    """Every target the area has, whatever its period, with its verdict; a row that cannot be judged says why.

    Parameters
    ----------
    targets : `data/reference/targets.csv`, a reader's own rows after it.
    results : `data/reference/published_results.csv`.
    period : the year for targets whose period is "latest", compared with the year before it.

    Returns
    -------
    pl.DataFrame
        `TARGET_COLUMNS`, in the order of `targets`. Changes and their intervals are in per cent.
    """
    mine = targets.filter(pl.col("area").is_in([area.name, "every borough"]))
    rows = [_assess(area, row, results, history, period) for row in mine.iter_rows(named=True)]
    return pl.DataFrame(rows, schema=TARGET_COLUMNS)


def _assess(area: Area, row: dict, results: pl.DataFrame, history: History, period: FinancialYear) -> dict:
    out = dict.fromkeys(TARGET_COLUMNS.names())
    out |= {
        name: row[name]
        for name in (
            "target_set",
            "measure",
            "target_owner",
            "baseline_period",
            "period",
            "target",
            "direction",
            "source",
            "quality",
        )
    }
    out |= {
        "area": area.name,
        # For London itself the target is its own, not one that is only tracked here.
        "target_owner": row["target_owner"].removesuffix(", tracked here") if area.is_london else row["target_owner"],
        "note": row["note"] or "",
        "moved_this_far": "",
        "verdict": t.CANNOT_SAY,
        "change_verdict": t.CANNOT_SAY,
    }
    out["unit"] = {
        "change_percent": "change, %",
        "level_percent": "%",
        "gap_points": "percentage points",
        "level_count": "number",
    }.get(row["kind"], "")
    published = results.filter(target_set=row["target_set"], measure=row["measure"], area=area.name)
    result = published.row(0, named=True) if published.height else None
    if result:
        out["printed_verdict"] = result["printed_verdict"] or None
        out["printed_percent"] = result["change_percent"]
        if result["note"]:
            out["note"] = _sentences(out["note"], result["note"])
    match row["series"]:
        case "borough_offences" | "knife_offences":
            _from_counts(out, area, row, history, period)
        case "published" if result is None:
            out["why"] = "no published result was found"
        case "published" if result["change"] is not None:
            _from_printed_change(out, area, row, result, history)
        case "published":
            _from_printed_level(out, row, result)
        case "across sources":
            _across_sources(out, area, row, results, history)
        case _:
            out["why"] = row["note"] or "no numeric target and no measure was published"
            out["note"] = ""
    return out


def _fill(out: dict, change: t.Change, target: float | None, direction: str) -> None:
    """The columns every count-based row has; counts too few to describe a change of are given without one."""
    baselines, outturns = [b for b, _ in change.pairs], [o for _, o in change.pairs]
    known = len(set(change.pairs)) == 1
    out |= {
        "baseline": baselines[0] if known else None,
        "baseline_low": min(baselines),
        "baseline_high": max(baselines),
        "outturn": outturns[0] if len(set(outturns)) == 1 else None,
        "outturn_low": min(outturns),
        "outturn_high": max(outturns),
    }
    if change.too_few:
        out["why"] = (
            f"{max(baselines)} and {max(outturns)} are too few: fewer than {t.TOO_FEW} together, or none to start from"
        )
        return
    low, high = change.percents
    out |= {
        "change_low": low,
        "change_high": high,
        "change_percent": low if known else out["change_percent"],
        "noise_low": change.noise[0],
        "noise_high": change.noise[1],
        "verdict": change.against(target, direction=direction),
        "change_verdict": change.verdict,
        "noise_verdict": t.Change(change.pairs, None).verdict,
        "probability_met": change.probability_met(target, direction=direction),
        "p_noise": change.p_noise,
        "p_usual": change.p_usual,
        "moved_this_far": change.moved_this_far,
        "detectable_fall_percent": change.detectable,
    }
    if change.usual_interval:
        out["usual_low"], out["usual_high"] = change.usual_interval
        out["basis"] = (
            f"usual variation ({change.usual.n} changes: {change.usual.window}) or counting noise, whichever is wider"
        )
    else:
        out["basis"] = "counting noise alone: this series has no history to learn usual variation from"
    if target is not None and out["verdict"] == t.CANNOT_SAY:
        out["why"] = "the figures that the rounding allows lie on both sides of the target"


def _from_counts(out: dict, area: Area, row: dict, history: History, period: FinancialYear) -> None:
    series, item = row["series"], row["item"]
    last = period if row["period"] == "latest" else financial_year(row["period"])
    first = last - 1 if not row["baseline_period"] else financial_year(row["baseline_period"])
    out["baseline_period"], out["period"] = str(first), str(last)
    snapshot = history.snapshot_for(series, item, first, last)
    if snapshot is None:
        out["why"] = f"no snapshot holds both {first} and {last} of {item}"
        return
    counts = (history.count(series, item, area, first, snapshot), history.count(series, item, area, last, snapshot))
    usual = history.usual(series, item, area, last.start - first.start, before=first)
    out["snapshot"] = snapshot
    _fill(out, t.Change.between(*counts, usual), row["target"], row["direction"])
    if area.is_london and usual is None and out["basis"]:
        apart = last.start - first.start
        out["basis"] = f"counting noise alone: London has too few earlier changes between years {apart} apart"
    if row["target"] is None:
        out["why"] = out["why"] or row["note"] or None
        out["note"] = ""
    out["note"] = _sentences(out["note"], *history.crosses(series, item, first, last))


def _sentences(*notes: str) -> str:
    """Notes one after another; each is a sentence or more, without the last full stop."""
    return ". ".join(note.rstrip(".") for note in notes if note)


def _from_printed_change(out: dict, area: Area, row: dict, result: dict, history: History) -> None:
    low, high = t.baselines_allowed(result["change"], result["change_percent"])
    out["change_percent"] = result["change_percent"]
    usual = None
    if row["item"] and not area.is_london:
        series = "knife_offences" if row["item"].startswith("Knife") else "borough_offences"
        usual = history.usual(series, row["item"], area, 1)
    _fill(out, t.Change(tuple((b, b + result["change"]) for b in (low, high)), usual), row["target"], row["direction"])
    out["change_percent"] = result["change_percent"]
    if area.is_london:
        out["basis"] = "counting noise alone: London has no earlier change to be judged against"
    elif usual:
        out["basis"] += " (learnt since 2010, after this period: a sensitivity)"
    if row["target"] is None:
        out["why"] = f"the target was not published; {_bound(result)}"


def _bound(result: dict) -> str:
    """What a printed verdict says of the target it was judged against."""
    percent, missed = result["change_percent"], result["printed_verdict"] == "missed"
    if percent < 0:
        return f"'{result['printed_verdict']}' means that it required a fall {'above' if missed else 'of at most'} {-percent:.1f}%"
    return f"'{result['printed_verdict']}' after a rise of {percent:.1f}% bounds no fall it may have required"


def _from_printed_level(out: dict, row: dict, result: dict) -> None:
    target, direction = row["target"], row["direction"]
    if row["kind"] == "level_count":
        out["outturn"] = int(result["result_count"])
        out["why"] = f"{out['outturn']:,} at {result['result_date']} is not the outturn at the date of the target"
        return
    if row["kind"] == "gap_points":
        out["result_percent"] = round(result["result_percent"] - result["other_percent"], 1)
        out["why"] = (
            f"{result['result_percent']}% less {result['other_percent']}% is {out['result_percent']} points; "
            "no sample size was published, so no interval"
        )
        return
    out["result_percent"] = result["result_percent"]
    if result["sample"] is None:
        needed = t.sample_needed(result["result_percent"], target)
        out["why"] = (
            f"no sample size was published, so no interval: a simple random sample of {needed:,} or more would make the difference clear"
        )
        return
    out["verdict"], out["noise_low"], out["noise_high"] = t.level_verdict(
        result["result_percent"], target, sample=result["sample"], direction=direction
    )
    out["basis"] = "sampling error of the survey, design effect 1"


def _across_sources(out: dict, area: Area, row: dict, results: pl.DataFrame, history: History) -> None:
    """Serious acquisitive crime 2010/11: the baseline from the leaflet's four rows, as their rounding allows."""
    parts = ("residential burglary", "total robbery", "theft from vehicles", "theft or taking of vehicles")
    printed = results.filter(pl.col("target_set") == "Tower Hamlets 2009/10", pl.col("measure").is_in(parts))
    ranges = [
        (result["change"], *t.baselines_allowed(result["change"], result["change_percent"]))
        for result in printed.iter_rows(named=True)
    ]
    low, high = (sum(r[0] + r[i] for r in ranges) for i in (1, 2))
    year = financial_year(row["period"])
    snapshot = history.snapshot_for("borough_offences", row["item"], year)
    if snapshot is None or len(ranges) != len(parts):
        out["why"] = f"no snapshot holds {year}"
        return
    outturn = history.count("borough_offences", row["item"], area, year, snapshot)
    out["snapshot"] = snapshot
    _fill(
        out,
        t.Change(((low, outturn), (high, outturn)), history.usual("borough_offences", row["item"], area, 1)),
        row["target"],
        row["direction"],
    )


def assess_changes(
    area: Area, history: History, *, period: FinancialYear, groups: Sequence[str] = YEARLY_GROUPS
) -> pl.DataFrame:
    """How each offence group changed in `period` on the year before, judged without any target.

    Returns
    -------
    pl.DataFrame
        one row a group: `measure`, `baseline`, `outturn`, `change_percent`, both intervals, `change_verdict`,
        `moved_this_far`, `crosses` (declared breaks, empty if none), `snapshot`; knife crime last, where held.
    """
    rows = []
    wanted = [("borough_offences", group) for group in groups] + [("knife_offences", "Knife Crime")]
    for series, item in wanted:
        blank = {
            "target_set": "",
            "target_owner": "",
            "baseline_period": "",
            "period": str(period),
            "kind": "change_percent",
            "target": None,
        }
        row = blank | {
            "measure": item.lower() if series == "knife_offences" else item,
            "series": series,
            "item": item,
            "direction": "fall",
        }
        out = dict.fromkeys(TARGET_COLUMNS.names()) | {
            "moved_this_far": "",
            "measure": row["measure"],
            "area": area.name,
            "note": "",
            "change_verdict": t.CANNOT_SAY,
        }
        _from_counts(out, area, row | {"note": "", "source": "", "quality": ""}, history, period)
        rows.append(out)
    keep = [
        "measure",
        "area",
        "baseline_period",
        "period",
        "baseline",
        "outturn",
        "change_percent",
        "noise_low",
        "noise_high",
    ]
    keep += [
        "usual_low",
        "usual_high",
        "change_verdict",
        "noise_verdict",
        "p_noise",
        "p_usual",
        "moved_this_far",
        "detectable_fall_percent",
        "basis",
        "why",
        "note",
        "snapshot",
    ]
    return pl.DataFrame(rows, schema=TARGET_COLUMNS).select(keep).rename({"note": "crosses"})


def bh_family(table: pl.DataFrame) -> pl.DataFrame:
    """Which changes of a table stand after Benjamini and Hochberg's correction: by counting noise, and at usual variation.

    Adds `stands_by_noise` and `stands_at_usual`; the family is the table's rows that have counts.
    """
    counted = table.filter(pl.col("p_noise").is_not_null())
    return counted.with_columns(
        pl.Series("stands_by_noise", t.stands_out(counted["p_noise"]), dtype=pl.Boolean),
        pl.Series("stands_at_usual", t.stands_out(counted["p_usual"].fill_null(1.0)), dtype=pl.Boolean),
    )


def london_with_unknown(history: History, item: str, first: FinancialYear, last: FinancialYear) -> float | None:
    """London's change in per cent had offences of unknown borough been counted too: how much leaving them out matters."""
    snapshot = history.snapshot_for("borough_offences", item, first, last)
    if snapshot is None:
        return None
    rows = history.borough_offences.filter(offence_group=item, snapshot=snapshot)
    before, after = (rows.filter(year=y.start)["offences"].sum() for y in (first, last))
    return 100 * (after / before - 1) if before else None
