"""Small numbers: the one rule by which counts of 1 to 4 are left out of what is shown or exported.

It is applied to tables by group and by small area (wards; searches by ethnic group, object, age and sex, and outcome), as
they are shown or saved, never to the edition, whose counts stay whole so that totals reconcile. Publishers' totals of a
borough or of London, by month, offence or power, are exempt, and so are published events. Nothing is rounded.

The rule: a count of 1 to 4 is withheld, with every rate and share made from it alone; and where the totals that are shown
would give it away, one further cell is withheld, the smallest that is enough, or as many as it takes. A nought is shown. Whether totals
give a cell away is not guessed from patterns but computed: the cells withheld are the unknowns of the equations that the
shown totals are, and one is given away if it is a combination of these. A total of 1 to 4 is itself withheld. The same
counts give the same cells, so that two tables made of them withhold alike.

Why this and no more: data.police.uk publishes each search as a record, so this protects nobody's secret. It keeps a
reader from making a pattern of three searches, and a group of neighbours from being told by one table what no publisher
said in a sentence. Hence no noise, no rounding, and no claim that modelled figures which mix many cells (a ratio with its
unknowns spread, the sharing of Mixed residents) could not be taken apart by someone who has the records anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
import polars as pl
import scipy

from wardbook.measures.stops import MINORS, UNKNOWN_GROUP

LARGEST = 4  # counts of 1 to this are withheld
COLUMN = "withheld"  # says so in a row that is; only in a table where something is
REASON = f"count of 1 to {LARGEST}, or one that would give such a count away"
WORD = "withheld"


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
    sums = [frozenset(total) for total in totals]
    few = [not exempt and is_small(sum(counts[i] for i in total)) for total in sums]
    shown = [total for total, small in zip(sums, few) if not small]
    ones = [frozenset([i]) for i, n in enumerate(counts) if is_small(n)]
    secret = ones + [total for total, small in zip(sums, few) if small]
    primary = frozenset().union(*ones) | frozenset(already)

    def given_away(hidden: set[int]) -> frozenset[int] | None:
        gives = _giving(hidden, shown, counts, already)
        return next((cells for cells in secret if gives(cells)), None)

    hidden = set(primary)
    while (given := given_away(hidden)) is not None:
        # The smallest that is enough, else the smallest of the same totals; a nought only where nothing else is left of them.
        near = frozenset().union(*(total for total in shown if total & given))
        far = _tied(given, hidden, shown)
        rest = sorted(far - hidden, key=lambda i, near=near: (i not in near, counts[i] == 0, counts[i], i))
        if not rest:
            break  # every cell of the total is withheld, and its size alone gives them away: all are 1
        enough = (i for i in rest if counts[i] and not _giving(hidden | {i}, shown, counts, already)(given))
        hidden.add(next(enough, rest[0]))
    else:
        # What was withheld on the way and turned out not to be needed is shown.
        for i in sorted(hidden - primary, key=lambda i: (-counts[i], i)):
            if given_away(hidden - {i}) is None:
                hidden.remove(i)
    return hidden


def _tied(cells: Collection[int], hidden: Collection[int], shown: Sequence[frozenset[int]]) -> set[int]:
    """Every cell of the totals that these cells are tied to by cells withheld."""
    tied, pending = set(cells), list(shown)
    while grown := [total for total in pending if total & tied & hidden]:
        pending = [total for total in pending if not total & tied & hidden]
        tied = tied.union(*grown)
    return tied


def _giving(
    hidden: Collection[int], shown: Sequence[frozenset[int]], counts: Sequence[int], already: Collection[int]
) -> Callable[[frozenset[int]], bool]:
    """Do the shown totals leave the sum of some cells one value? The question, asked of cells.

    They do where no solution of their equations moves it. In a solution a cell is 1 or more, since a nought would be shown, and
    0 or more if it is one of `already` or of a total of which a nought is withheld.
    """
    rows, names = {total & hidden for total in shown if total & hidden}, sorted(hidden)
    noughts = {i for i in hidden if counts[i] == 0} - set(already)
    least = [float(not (i in already or any(i in row and row & noughts for row in rows))) for i in names]
    rows = sorted(map(sorted, rows))
    matrix = np.array([[float(i in row) for i in names] for row in rows]).reshape(len(rows), len(names))
    excess = [sum(counts[i] for i in row) for row in rows] - matrix @ least
    free = scipy.linalg.null_space(np.vstack([matrix, np.eye(len(names))[_never_above(matrix, excess)]]))

    def gives(cells: frozenset[int]) -> bool:
        if not (unknown := cells & hidden):
            return any(counts[i] for i in cells)
        moved = np.array([i in unknown for i in names], dtype=float) @ free
        return bool(np.abs(moved).max(initial=0) < 1e-9)

    return gives


def _never_above(matrix: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Which unknowns, all 0 or more, are 0 in every solution of `matrix @ x = sums`: two that sum to 0, whatever row says so.

    One linear program tells all (Freund, Roundy and Todd 1985): of a solution times any number from 1 up, as many as can be
    are 1 or more.
    """
    size = matrix.shape[1]
    # What each has up to 1, what it has above that, and the number.
    equal = np.hstack([matrix, matrix, -np.reshape(sums, (-1, 1))])
    gain, ends = [-1] * size + [0] * (size + 1), [(0, 1)] * size + [(0, None)] * size + [(1, None)]
    return scipy.optimize.linprog(gain, A_eq=equal, b_eq=np.zeros(len(matrix)), bounds=ends).x[:size] < 0.5


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
        gone = pl.Series([i in rows for i in range(frame.height)], dtype=pl.Boolean)
        frame = blank(frame, gone, [count, *derived], told=told)
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


# -- searches by ethnic group, object and outcome ------------------------------------------------------------------------


def hidden_counts(counts: pl.DataFrame, by: str | None = None, *, above: pl.DataFrame | None = None) -> pl.DataFrame:
    """Which counts of `measures.stops.group_counts` are withheld: `area`, `by`, `ethnicity` and a list, `gone`, of groups.

    Shown beside them are the sums over an area's groups, and with `by` (what was searched for, which is a power of the
    publisher's) those over each of its values.

    Parameters
    ----------
    above : what was withheld of the same counts without `by`.
    """
    key = ["area", "ethnicity", *([by] if by else [])]
    if above is None:
        counts = counts.with_columns(already=pl.lit(False))
    else:
        already = pl.col("gone").list.contains(pl.col("group")).fill_null(False)
        counts = counts.join(above, on=["area", "ethnicity"], how="left").with_columns(already=already)
    if by:
        # Of four searches or fewer every group is withheld, those without any too: that two are one and one is not told.
        few = pl.col("searches").sum().over("area", "ethnicity", by) <= LARGEST
        counts = counts.with_columns(already=pl.col("already") | few)
    parts = []
    for _, part in counts.group_by("area", "ethnicity", maintain_order=True):
        totals = [by, "group"] if by else []
        shown = withhold(part, "searches", totals=totals, hidden=part["already"], exempt=by is not None)
        parts.append(shown.filter(pl.col("searches").is_null()).select(*key, "group"))
    return pl.concat(parts).group_by(key, maintain_order=True).agg(pl.col("group").alias("gone"))


def withhold_ratios(ratios: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Ratios as they may be shown: a row with a count withheld beneath it has no figures, and `why` says so.

    Every figure of a row is made of three counts, the group's, the reference's and the unknown: one that is withheld
    takes all of them along.

    Parameters
    ----------
    ratios : `measures.stops.disproportionality`, or the same by object.
    gone : `hidden_counts` of the counts that they were made of.
    """
    key = [name for name in gone.columns if name != "gone"]
    beneath = (pl.col("group"), pl.col("reference"), pl.lit(UNKNOWN_GROUP))
    hidden = [pl.col("gone").list.contains(count) for count in beneath]
    table = ratios.join(gone, on=key, how="left", maintain_order="left")
    told = ~pl.any_horizontal(hidden).fill_null(False)
    figures = [c for c, kind in ratios.schema.items() if kind.is_numeric() and not c.startswith("residents_")]
    why = pl.when(~told & pl.col("why").is_null()).then(pl.lit(f"{WORD}: {REASON}")).otherwise("why")
    return table.with_columns(pl.when(told).then(pl.col(figures)), why.alias("why")).drop("gone")


def withhold_shares(shares: pl.DataFrame, by: str | None = None, *, hidden: pl.Series | None = None) -> pl.DataFrame:
    """`measures.stops.shares` as they may be shown: those who have it and those who have not are two counts.

    Shown beside them are all of a row (`of`), and the sums of both over each value of `by`, or over all rows, where neither
    is small.

    Parameters
    ----------
    hidden : the rows whose `of` is withheld elsewhere. A row of four or fewer is withheld whatever it holds.
    """
    gone = pl.repeat(False, shares.height, eager=True) if hidden is None else hidden
    few = gone | (shares["of"] <= LARGEST)
    across = pl.lit("all") if by is None else pl.col(by)
    rows = shares.select(pl.int_range(pl.len()).alias("row"), across.alias("over"), "count", "of")
    both = pl.concat(
        rows.select("row", "over", pl.lit(side).alias("side"), count.alias("number"))
        for side, count in (("with", pl.col("count")), ("without", pl.col("of") - pl.col("count")))
    )
    sums = both.group_by("over", "side", maintain_order=True).agg(pl.col("number").sum())
    small = sums.filter(pl.col("number").is_between(1, LARGEST))["over"].implode()
    told = sums.filter(~pl.col("over").is_in(small))
    totals = [pl.col("row") == row for row in rows.filter(~gone)["row"]]
    totals += [(pl.col("over") == over) & (pl.col("side") == side) for over, side, _ in told.iter_rows()]
    shown = withhold(both, "number", totals=totals or [pl.lit(False)], hidden=pl.concat([few, few]), exempt=True)
    apart = few | rows["row"].is_in(shown.filter(pl.col("number").is_null())["row"].implode())
    return blank(blank(shares, gone, ["of"]), apart, ["count", "share", "lower", "upper"])


def withhold_outcomes(arrest: pl.DataFrame, positive: pl.DataFrame) -> pl.DataFrame:
    """Shares arrested, and beside them (`…_positive`) with any positive outcome, as they may be shown.

    Beside arrests, the number of all positive outcomes gives away those that are no arrest, and those without any.

    Parameters
    ----------
    arrest, positive : `measures.stops.shares` of the two, with the same rows.
    """
    parts = pl.DataFrame({"other": positive["count"] - arrest["count"], "none": positive["of"] - positive["count"]})
    few = positive["of"] <= LARGEST
    gone = [withhold(parts, name, hidden=few)[name].is_null() for name in parts.columns]
    arrest = withhold_shares(arrest)
    columns = ["count", "share", "lower", "upper"]
    positive = blank(positive, gone[0] | gone[1] | arrest["count"].is_null(), columns)
    beside = positive.select(pl.col(columns).name.suffix("_positive"))
    return pl.concat([arrest, beside], how="horizontal")


def withhold_thorough(years: pl.DataFrame, items: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`measures.stops.thorough_years` and `thorough_items` as they may be shown; a year's total is the publisher's.

    The number of under-18s stands in both tables: where it is shown, no age is withheld that it would give away, and where it is
    withheld it is in both, with how many of them an adult was present.
    """
    both = years.select("year", "under_18", older=pl.col("searches") - pl.col("under_18"))
    both = both.unpivot(index="year", value_name="searches")
    told = [withhold(rows, "searches", exempt=True) for rows in both.partition_by("year", maintain_order=True)]
    unsaid = pl.concat(told, how="diagonal").filter(pl.col("searches").is_null())["year"].implode()
    years = blank(years, years["year"].is_in(unsaid), ["under_18"])
    minor = (pl.col("measure") == "age_band") & (pl.col("item") == MINORS)
    shown = minor & ~pl.col("year").is_in(unsaid)
    groups = items.partition_by("year", "measure", maintain_order=True)
    told = [withhold(rows, "searches", totals=[shown], exempt=True) for rows in groups]
    items = pl.concat(told, how="diagonal").select(items.columns)
    elsewhere = items.select((minor | (pl.col("measure") == "adult_present")) & pl.col("year").is_in(unsaid))
    return years, blank(items, elsewhere.to_series(), ["searches"])
