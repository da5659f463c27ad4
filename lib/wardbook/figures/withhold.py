"""Small numbers: the one rule by which counts of 1 to 4 are left out of what is shown or exported.

It is applied to tables by group and by small area (wards; searches by ethnic group, object, age and sex, and outcome), as
they are shown or saved, never to the edition, whose counts stay whole so that totals reconcile. Publishers' totals of a
borough or of London, by month, offence or power, are exempt, and so are published events. Nothing is rounded.

The rule: a count of 1 to 4 is withheld, with every rate and share made from it alone; and where the totals that are shown
would give it away, one further cell is withheld, the smallest that is enough, or as many as it takes. A nought is shown. Whether a total
gives a cell away is not guessed from patterns but computed: the cells withheld are the unknowns of the system of all
shown totals, and one is given away if that system leaves it a single value. A total of 1 to 4 is itself withheld. The same
counts give the same cells, so that two tables made of them withhold alike.

Why this and no more: data.police.uk publishes each search as a record, so this protects nobody's secret. It keeps a
reader from making a pattern of three searches, and a group of neighbours from being told by one table what no publisher
said in a sentence. Hence no noise, no rounding, and no claim that modelled figures which mix many cells (a ratio with its
unknowns spread, the sharing of Mixed residents) could not be taken apart by someone who has the records anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import polars as pl

LARGEST = 4  # counts of 1 to this are withheld
COLUMN = "withheld"  # says so in a row that is; only in a table where something is
REASON = f"count of 1 to {LARGEST}, or one that would give such a count away"
WORD = "withheld"
NOTE = (
    f"Counts of 1 to {LARGEST} by group or small area are withheld, and where a total would give one away a further one: this prevents "
    "over-reading of figures that are public at record level."
)


def is_small(count: float | None) -> bool:
    """Is it a count that is withheld?"""
    return count is not None and 1 <= count <= LARGEST


def hidden_cells(
    counts: Sequence[int],
    totals: Iterable[Collection[int]] = (),
    *,
    already: Collection[int] = (),
    exempt: bool = False,
) -> set[int]:
    """The positions that are withheld: the small ones, and those without which a shown total would give one away.

    Parameters
    ----------
    counts : every cell, those that are not shown for another reason too.
    totals : positions that are summed in something shown (here or in another table); a small sum counts as withheld too.
    already : positions not shown for another reason.
    exempt : are the totals a publisher's, and so shown even where they are small?
    """
    sums = [sorted(set(total)) for total in totals]
    small = [not exempt and is_small(sum(counts[i] for i in total)) for total in sums]
    system = _System(counts, [total for total, few in zip(sums, small) if not few], frozenset(already))
    primary = {i for i, n in enumerate(counts) if is_small(n)} | set(already)
    secret = [[i] for i, n in enumerate(counts) if is_small(n)] + [total for total, few in zip(sums, small) if few]
    hidden = set(primary)
    while (given := system.gives_away(secret, hidden)) is not None:
        # The smallest that is enough, else the smallest; a nought only where nothing else is left.
        rest = sorted(system.reach(given, hidden) - hidden, key=lambda i: (counts[i] == 0, counts[i], i))
        if not rest:
            break  # every cell of the total is withheld, and its size alone gives them away: all are 1
        enough = (i for i in rest if counts[i] and not system.determines(given, hidden | {i}))
        hidden.add(next(enough, rest[0]))
    else:
        # What was withheld on the way and turned out not to be needed is shown.
        for i in sorted(hidden - primary, key=lambda i: (-counts[i], i)):
            if system.gives_away(secret, hidden - {i}) is None:
                hidden.remove(i)
    return hidden


class _System:
    """The totals that are shown, as equations in the cells that are not."""

    def __init__(self, counts: Sequence[int], totals: list[list[int]], uncertain: Collection[int]):
        self.counts, self.totals, self.uncertain = counts, [frozenset(total) for total in totals], uncertain

    def reach(self, cells: Iterable[int], hidden: Collection[int]) -> set[int]:
        """Every cell of the totals that these cells are tied to by cells withheld."""
        reached, pending = set(cells), list(self.totals)
        while grown := [total for total in pending if total & reached & hidden]:
            pending = [total for total in pending if not total & reached & hidden]
            reached = reached.union(*grown)
        return reached

    def _rows(self, unknown: Iterable[int], hidden: Collection[int]) -> list[frozenset[int]]:
        near = self.reach(unknown, hidden) & set(hidden)
        return list({total & near for total in self.totals if total & near})

    def gives_away(self, secret: list[list[int]], hidden: set[int]) -> list[int] | None:
        """The first of these cells or sums that the equations leave a single value."""
        for strict in (False, True):
            for cells in secret:
                if self.determines(cells, hidden, strict=strict):
                    return cells
        return None

    def determines(self, cells: list[int], hidden: set[int], *, strict: bool = False) -> bool:
        """Do the equations fix the sum of these cells? If strict, they and that no cell withheld is a nought."""
        unknown = [i for i in cells if i in hidden]
        if not unknown:
            return any(self.counts[i] for i in cells)
        rows = self._rows(unknown, hidden)
        if not set().union(*rows) >= set(unknown):
            return False  # one of them is in no total
        if len(rows) == 1 and not strict:
            return set(unknown) >= rows[0]
        place = {i: n for n, i in enumerate(sorted(set().union(*rows)))}
        matrix, wanted = np.zeros((len(rows), len(place))), np.zeros(len(place))
        for n, row in enumerate(rows):
            matrix[n, [place[i] for i in row]] = 1
        wanted[[place[i] for i in unknown if i in place]] = 1
        if not strict:
            found = np.linalg.lstsq(matrix.T, wanted, rcond=None)[0]
            return bool(np.abs(matrix.T @ found - wanted).max() < 1e-9)
        maybe = any(self.counts[i] == 0 for i in place)
        least = [0 if maybe or i in self.uncertain else 1 for i in place]
        right = [sum(self.counts[i] for i in row) for row in rows]
        if len(rows) == 1:
            return right[0] == sum(least)
        from scipy.optimize import linprog

        bounds = [(low, None) for low in least]
        ends = [linprog(sign * wanted, A_eq=matrix, b_eq=right, bounds=bounds, method="highs") for sign in (1, -1)]
        # Status 3: without an upper end.
        return all(end.status == 0 for end in ends) and abs(ends[0].fun + ends[1].fun) < 1 - 1e-6


def withhold(
    frame: pl.DataFrame,
    count: str,
    *,
    derived: Sequence[str] = (),
    totals: Sequence[str | pl.Expr] = (),
    hidden: pl.Series | None = None,
    exempt: bool = False,
) -> pl.DataFrame:
    """A table as it may be shown: small counts, and what is made from them, are null, and a column says so.

    Parameters
    ----------
    count : the column of counts; their sum is taken to be shown somewhere.
    derived : the columns made from it, row by row.
    totals : what else is summed in something shown: a column's name for the sum over each of its values, or a condition.
    hidden : rows not shown for another reason, true or false; null here too, without this reason.
    exempt : are the totals a publisher's, and so shown even where they are small?

    Returns
    -------
    pl.DataFrame
        the same rows; where any is withheld, with a column `withheld`. As it was, where none is.
    """
    counts = frame[count].fill_null(0).to_list()
    # The sums over a column's values hold the sum of all.
    sets: list[list[int]] = [] if any(isinstance(total, str) for total in totals) else [list(range(frame.height))]
    for total in totals:
        if isinstance(total, str):
            sets += frame.with_row_index("__at").group_by(total, maintain_order=True).agg("__at")["__at"].to_list()
        else:
            sets.append(frame.select(total.alias("__in")).to_series().arg_true().to_list())
    already = set() if hidden is None else set(hidden.arg_true().to_list())
    cells = hidden_cells(counts, sets, already=already, exempt=exempt)
    for rows, told in ((cells - already, True), (already, False)):
        frame = blank(
            frame, pl.Series([i in rows for i in range(frame.height)], dtype=pl.Boolean), [count, *derived], told=told
        )
    return frame


def blank(frame: pl.DataFrame, rows: pl.Series, columns: Sequence[str], *, told: bool = True) -> pl.DataFrame:
    """These columns null in these rows, and (if told) a column that says why; the same table where there are none."""
    if not rows.any():
        return frame
    frame = frame.with_columns(pl.when(~rows).then(pl.col(name)).alias(name) for name in columns)
    if not told:
        return frame
    kept = pl.lit(None, pl.String) if COLUMN not in frame.columns else pl.col(COLUMN)
    return frame.with_columns(pl.when(rows).then(pl.lit(REASON)).otherwise(kept).alias(COLUMN))


def note(*frames: pl.DataFrame) -> str:
    """The sentence that says what is withheld and why, with a blank before it; nothing where nothing is."""
    return f" {NOTE}" if any(COLUMN in frame.columns for frame in frames) else ""


# -- wards --------------------------------------------------------------------------------------------------------------

_RATES = ("raw_rate_per_1000", "eb_rate_per_1000", "eb_low_per_1000", "eb_high_per_1000")


def ward_counts(wards: pl.DataFrame, count: str = "events", derived: Sequence[str] = _RATES) -> pl.DataFrame:
    """A table of wards with small counts withheld; the sum of each borough's wards is taken to be known, however small."""
    return withhold(wards, count, derived=derived, totals=["borough_code"], exempt=True)


def ranked_wards(rates: pl.DataFrame) -> pl.DataFrame:
    """`ward_counts` of ranked wards: those withheld have no rank and come last, by code, so that the order tells nothing."""
    shown = ward_counts(rates)
    if COLUMN not in shown.columns:
        return shown
    told = pl.col(COLUMN).is_null()
    shown = shown.sort(~told, pl.when(told).then("rank"), "ward_code")
    return shown.with_columns(pl.when(told).then(pl.int_range(1, pl.len() + 1).cast(pl.Int64)).alias("rank"))


# -- ethnic groups ------------------------------------------------------------------------------------------------------


def hidden_groups(searches: dict[str, int], unknown: Collection[str]) -> set[str]:
    """The groups of one definition of ethnicity whose searches are withheld, wherever they show in an area and year.

    The sum over all groups is shown, and the sum of the unknown ones (as a share): so one unknown hides the other first.
    """
    names = sorted(searches, key=lambda name: (name not in unknown, name))
    everything, pair = range(len(names)), [i for i, name in enumerate(names) if name in unknown]
    return {names[i] for i in hidden_cells([searches[name] for name in names], [everything, pair])}
