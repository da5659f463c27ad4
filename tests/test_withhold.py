"""Small numbers: the rule itself, then an attack on everything that runs of three boroughs and two periods leave."""

from __future__ import annotations

import ast
import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from conftest import sampled
from wardbook import edition as editions
from wardbook import places
from wardbook.figures import export, withhold
from wardbook.figures import stops as figures
from wardbook.measures import comparison, stops, wards
from wardbook.periods import FinancialYear

ROOT = Path(__file__).resolve().parents[1]
BOROUGHS, PERIODS = tuple(sampled("Tower Hamlets", "Richmond upon Thames", "Sutton")), ("2023-24", "2024-25")
ITEM = "arson"  # rare enough that most wards have one to four
UNKNOWN = ("not stated", "blank")


# The rule -------------------------------------------------------------------------------------------------------------


def test_one_to_four_are_withheld_and_nothing_else_where_no_total_is_shown():
    assert withhold.hidden_cells([0, 1, 4, 5, 100]) == {1, 2}
    assert [withhold.is_small(n) for n in (None, 0, 1, 4, 5)] == [False, False, True, True, False]


def test_a_total_takes_one_further_cell_the_smallest_never_a_nought():
    assert withhold.hidden_cells([0, 3, 40, 7], [[0, 1, 2, 3]]) == {1, 3}
    assert withhold.hidden_cells([0, 3, 2, 7], [[0, 1, 2, 3]]) == {1, 2}, "two that are small hide each other"
    assert withhold.hidden_cells([0, 0, 7], [[0, 1, 2]]) == set()


def test_a_sum_that_can_be_made_in_one_way_only_gives_its_cells_away():
    """Two that are withheld and sum to two are one and one, for a nought would be shown."""
    assert withhold.hidden_cells([1, 1, 9], [[0, 1, 2]]) == {0, 1, 2}


def test_a_small_total_is_withheld_too_unless_a_publisher_shows_it():
    assert withhold.hidden_cells([2, 0, 30], [[0, 1], [0, 1, 2]]) == {0, 2}
    assert withhold.hidden_cells([1, 0, 0], [[0, 1, 2]], exempt=True) == {0, 1}


def test_in_two_directions_a_pair_in_each_row_and_column_is_not_enough():
    """Three rows' and columns' sums can give a cell away although each has two cells withheld."""
    counts = [3, 20, 30, 40, 5, 60, 70, 80, 6]
    totals = [[3 * r + c for c in range(3)] for r in range(3)] + [[3 * r + c for r in range(3)] for c in range(3)]
    hidden = withhold.hidden_cells(counts, totals)
    assert 0 in hidden and not determined(counts, totals, hidden) & {0}
    assert len(hidden) == 4, "the cell, one in its row, one in its column, and where these two meet"


def determined(counts, totals, hidden, least=0):
    """The withheld cells that linear algebra alone gives away: those in which no solution differs."""
    names = sorted(hidden)
    rows = [[1.0 if i in total else 0.0 for i in names] for total in totals if hidden & set(total)]
    if not rows:
        return set()
    _, size, vectors = np.linalg.svd(np.array(rows))
    free = vectors[(size > 1e-9).sum() :]
    return {name for n, name in enumerate(names) if np.abs(free[:, n]).max(initial=0) < 1e-9}


def test_no_random_table_with_all_its_margins_shown_gives_a_small_cell_away():
    random = np.random.default_rng(9)
    for _ in range(60):
        height, width = random.integers(2, 6, 2)
        counts = random.poisson(random.choice([2, 6, 30], height * width)).tolist()
        totals = [[width * r + c for c in range(width)] for r in range(height)]
        totals += [[width * r + c for r in range(height)] for c in range(width)]
        shown = [t for t in totals if not withhold.is_small(sum(counts[i] for i in t))]
        hidden = withhold.hidden_cells(counts, totals)
        given = {i for i in determined(counts, shown, hidden) if withhold.is_small(counts[i])}
        assert not given, (counts, hidden)
        assert all(counts[i] for i in hidden) or len(hidden) == len(counts)


def test_a_table_says_which_rows_are_withheld_and_nulls_what_is_made_of_them():
    frame = pl.DataFrame({"group": ["a", "b", "c"], "searches": [3, 8, 90], "share": [0.03, 0.08, 0.89]})
    shown = withhold.withhold(frame, "searches", derived=["share"])
    assert shown["searches"].to_list() == shown["share"].map_elements(lambda s: 90 if s else None).to_list()
    assert shown[withhold.COLUMN].to_list() == [withhold.REASON, withhold.REASON, None]
    assert withhold.withhold(frame.tail(2), "searches").equals(frame.tail(2)), "nothing small, nothing changed"
    assert "prevents over-reading of figures that are public at record level" in withhold.note(shown)
    assert withhold.note(frame) == ""


def test_one_unknown_kind_hides_the_other_before_it_hides_a_group():
    searches = {"Black": 40, "White": 90, "not stated": 200, "blank": 2}
    assert withhold.hidden_groups(searches, UNKNOWN) == {"blank", "not stated"}
    assert withhold.hidden_groups(searches | {"blank": 0, "not stated": 3}, UNKNOWN) == {"not stated", "Black"}


def test_wards_withheld_have_no_rank_and_their_order_tells_nothing():
    wards = pl.DataFrame(
        {
            "ward_code": ["E1", "E2", "E3", "E4"],
            "borough_code": ["B"] * 4,
            "events": [50, 3, 20, 9],
            "rank": [1, 2, 3, 4],
            **{f"{name}_per_1000": [4.0, 3.0, 2.0, 1.0] for name in ("raw_rate", "eb_rate", "eb_low", "eb_high")},
        }
    )
    shown = withhold.ranked_wards(wards)
    assert shown["ward_code"].to_list() == ["E1", "E3", "E2", "E4"]
    assert shown["rank"].to_list() == [1, 2, None, None]
    assert shown.tail(2).select("events", "raw_rate_per_1000", "eb_rate_per_1000", "eb_low_per_1000").null_count().row(
        0
    ) == (2, 2, 2, 2)


def test_the_edition_is_left_whole():
    edition = editions.open_edition()
    for name in ("stops_by_ethnicity", "stops_by_object", "stops_by_person", "stops_by_group_outcome"):
        small = edition.table(name).filter(pl.col("searches").is_between(1, 4))
        assert small.height > 100, f"{name} has been thinned: its totals no longer reconcile"


# The attack -----------------------------------------------------------------------------------------------------------


def played(name, folder, **parameters):
    """Run a notebook's code in this process, saving to a folder; what its cells showed, as text."""
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    space, shown = {}, []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), name, "exec"), space)
        if "parameters" in cell["metadata"].get("tags", []):
            space |= parameters | {"output_dir": str(folder)}
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
            if isinstance(value, export.Figure):
                shown += [value.title, value.alt_text, value.sentence]  # drawn when it is saved
            elif hasattr(value, "_repr_mimebundle_"):
                shown.append(value._repr_mimebundle_()["text/plain"])
    return shown


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Outputs of boroughs in two overlapping periods: (borough, period) → (tables, texts)."""
    home, found = tmp_path_factory.mktemp("attacked"), {}
    patch = pytest.MonkeyPatch()
    patch.setattr(export.Figure, "png", lambda self: b"")  # the same picture as the SVG, and slow
    patch.setattr(comparison, "simulated_findings", lambda baselines: {0.0: 0.0})  # 3 s, of no borough
    try:
        for borough, period in product(BOROUGHS, PERIODS):
            folder = home / places.area(borough).slug / period
            own = {"borough": borough, "period": period}
            texts = played("03_comparison", folder, offence_group=ITEM, **own)
            texts += played("04_stop_and_search", folder, **own)
            texts += [p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.suffix in (".txt", ".svg")]
            tables = {p.stem: pl.read_csv(p, infer_schema_length=None) for p in sorted(folder.rglob("*.csv"))}
            found[borough, period] = tables, texts
    finally:
        patch.undo()
    return found


@pytest.fixture(scope="module")
def edition():
    return editions.open_edition()


class Attacker:
    """Collects what outputs say of named counts, and solves for the rest: a count is a whole number of 0 or more."""

    def __init__(self):
        self.equations = []

    def learns(self, names, total):
        if total is not None:
            self.equations.append((frozenset(names), round(total)))

    def finds(self, name):
        """The range of values that all equations together leave a count."""
        reached, rows, pending = {name}, [], list(self.equations)
        while grown := [e for e in pending if e[0] & reached]:
            rows += grown
            pending = [e for e in pending if not e[0] & reached]
            reached |= frozenset().union(*(e[0] for e in grown))
        if not rows:
            return 0, np.inf
        place = {n: i for i, n in enumerate(sorted(reached))}
        matrix = np.zeros((len(rows), len(place)))
        for i, (names, _) in enumerate(rows):
            matrix[i, [place[n] for n in names]] = 1
        wanted = np.zeros(len(place))
        wanted[place[name]] = 1
        right = [total for _, total in rows]
        low, high = (linprog(s * wanted, A_eq=matrix, b_eq=right, bounds=(0, None), method="highs") for s in (1, -1))
        assert low.status == 0, f"the outputs contradict each other about {name}"
        return low.fun, -high.fun if high.status == 0 else np.inf


def year_of(tables):
    return tables["disproportionality"]["period"][0]


def truth(edition, code, year):
    """Every protected count of a borough's searches in a year, by name."""
    mine = {"borough_code": code, "financial_year": year}
    cells = {
        ("cell", s, o): n
        for s, o, n in edition.table("stops_by_ethnicity")
        .filter(**mine)
        .select("self_defined", "officer_defined", "searches")
        .iter_rows()
    }
    ages = edition.table("stops_by_person").filter(**mine).select("age_band", "sex", "searches").iter_rows()
    cells |= {("age", a, s): n for a, s, n in ages}
    objects = stops.outcome_rates(edition.table("stops_by_object").filter(**mine), by="object_of_search")
    for o, kind, n, of in objects.select("object_of_search", "outcome_group", "searches", "of").iter_rows():
        cells["object", o] = of
        if kind == "arrest":
            cells["object arrests", o] = n
    for kind, n in (
        stops.outcome_rates(edition.table("stops_by_object").filter(**mine))
        .select("outcome_group", "searches")
        .iter_rows()
    ):
        cells["outcome", kind] = n
    grouped = stops.outcome_rates(edition.table("stops_by_group_outcome").filter(**mine), by=["definition", "group"])
    for d, g, n in grouped.filter(outcome_group="arrest").select("definition", "group", "searches").iter_rows():
        cells["arrests", d, g] = n
    return cells


def listen(attacker, tables, texts, borough, known):
    """Tell the attacker everything that the outputs of one run say of a borough's searches."""
    composed = next(text for text in texts if text.startswith("self_defined,seen_as_"))
    rows = [line.split(",") for line in composed.splitlines()]
    people = ["Asian", "Black", "Mixed", "Other", "White", *UNKNOWN]
    cells = [name for name in known if name[0] == "cell"]
    for row in rows[1:]:
        for head, value in zip(rows[0][1:], row[1:]):
            officer = next(p for p in people if p.lower() == head.removeprefix("seen_as_"))
            if value != withhold.WORD:
                attacker.learns([("cell", row[0], officer)], int(value))
    outcomes = tables["search-outcomes"].filter(area=borough)
    total = outcomes["of"].drop_nulls()[0]
    attacker.learns(cells, total)
    axis = {"self-defined": 1, "officer-defined": 2}
    for row in tables["disproportionality"].filter(area=borough).iter_rows(named=True):
        at = axis[row["ethnicity"]]
        for group, searches in (("group", "searches_known"), ("reference", "searches_reference_known")):
            if row[searches] is not None:
                attacker.learns([c for c in cells if c[at] == row[group]], row[searches])
        if row["unknown_share"] is not None:
            attacker.learns([c for c in cells if c[at] in UNKNOWN], total * row["unknown_share"])
    arrests = outcomes.filter(outcome_group="arrest")["searches"][0]
    for definition, at in axis.items():
        attacker.learns([n for n in known if n[:2] == ("arrests", definition)], arrests)
        for row in tables["arrest-share-by-group"].filter(definition=definition).iter_rows(named=True):
            attacker.learns([c for c in cells if c[at] == row["group"]], row["of"])
            share = None if row["share"] is None else row["share"] * row["of"]
            for said in (row["searches"], share):
                attacker.learns([("arrests", definition, row["group"])], said)
    for row in outcomes.iter_rows(named=True):
        for said in (row["searches"], None if row["share"] is None else row["share"] * row["of"]):
            attacker.learns([("outcome", row["outcome_group"])], said)
    for row in tables["stops"].filter(measure="outcome of person searches").iter_rows(named=True):
        attacker.learns([("outcome", row["item"])], row["stops"])
    attacker.learns([n for n in known if n[0] == "outcome"], total)
    attacker.learns([n for n in known if n[0] == "object"], total)
    attacker.learns([n for n in known if n[0] == "object arrests"], arrests)
    for row in tables["search-objects"].iter_rows(named=True):
        for said in (row["searches"], None if row["share"] is None else row["share"] * total):
            attacker.learns([("object", row["object_of_search"])], said)
        attacker.learns([("object arrests", row["object_of_search"])], row["arrests"])
    ages = [n for n in known if n[0] == "age"]
    attacker.learns(ages, total)
    bands = {"under 18": ("10-17", "under 10")}
    for row in tables["age-and-sex"].iter_rows(named=True):
        names = [n for n in ages if n[1] in bands.get(row["age_band"], (row["age_band"],)) and n[2] == row["sex"]]
        for said in (row["searches"], None if row["share"] is None else row["share"] * total):
            attacker.learns(names, said)
    said = next(text for text in texts if "were of males and" in text and "Shares, not rates" in text)
    said = " ".join(said.split())
    if found := re.search(r"([\d,]+) \([\d.]+%\) were of males and ([\d,]+) \([\d.]+%\) of people recorded", said):
        male, young = (int(n.replace(",", "")) for n in found.groups())
        attacker.learns([n for n in ages if n[2] == "Male"], male)
        attacker.learns([n for n in ages if n[1] in ("10-17", "under 10")], young)
    if total < 1000 and (found := re.search(r"under 18; ([\d.]+)% have no age", said)):
        attacker.learns([n for n in ages if n[1] == "not recorded"], total * float(found[1]) / 100)


@pytest.mark.slow
def test_differencing_all_outputs_of_overlapping_runs_gives_no_small_count_of_searches_away(runs, edition):
    """Planted: no further cell for a total in `withhold.hidden_cells`; `shown_composition` without its margins."""
    tried = 0
    for borough in BOROUGHS:
        attackers, known = {}, {}
        for period in PERIODS:
            tables, texts = runs[borough, period]
            year = year_of(tables)
            known[year] = truth(edition, places.area(borough).code, year)
            listen(attackers.setdefault(year, Attacker()), tables, texts, borough, known[year])
        for year, attacker in attackers.items():
            for name, count in known[year].items():
                low, high = attacker.finds(name)
                assert low <= count <= high, f"the attack itself is wrong about {name}"
                if withhold.is_small(count):
                    tried += 1
                    assert high - low >= 0.99, f"{borough}, {year}: {name} is given away as {count}"
    assert tried > 50, "nothing small was there to be found"


@pytest.mark.slow
def test_differencing_the_ward_tables_of_overlapping_periods_gives_no_small_count_away(runs, edition):
    """Planted: `comparison.ward_table` that withholds `events` but not the two years it compares."""
    held, tried = edition.table("ward_offences"), 0
    names = edition.table("wards").select("ward_code", "borough_code")
    for borough in BOROUGHS:
        attackers, known = {}, {}
        for period in PERIODS:
            tables, _ = runs[borough, period]
            year = FinancialYear(int(period[:4]))
            asked = {"events": ([year], year), "change_baseline": ([year - 1, year], year - 1)}
            asked["change_outturn"] = ([year - 1, year], year)
            for column, (years, of) in asked.items():
                counts = wards.ward_years(held, ITEM, years).join(names, on="ward_code")
                counts = counts.filter(borough_code=places.area(borough).code)
                if counts.is_empty():
                    continue
                key = (counts["snapshot"][0], str(of))
                known[key] = dict(counts.select("ward_code", str(of)).iter_rows())
                attacker = attackers.setdefault(key, Attacker())
                attacker.learns(known[key], sum(known[key].values()))
                charted = [tables["ward-rates"]] if column == "events" and "ward-rates" in tables else []
                for table in [tables["wards"], *charted]:
                    for row in table.iter_rows(named=True):
                        attacker.learns([row["ward_code"]], row[column])
                        if column == "events" and row["raw_rate_per_1000"] is not None:
                            rate = row["raw_rate_per_1000"] * row["residents"] / 1000
                            attacker.learns([row["ward_code"]], rate)
            wards_told = tables["wards"].filter(pl.col("events").is_null())
            assert wards_told["eb_rate_per_1000"].is_null().all() and wards_told["rank"].is_null().all()
            either = pl.col("change_baseline").is_null() | pl.col("change_outturn").is_null()
            assert tables["wards"].filter(either)["change_percent"].is_null().all()
        for key, attacker in attackers.items():
            for ward, count in known[key].items():
                low, high = attacker.finds(ward)
                assert low <= count <= high
                if withhold.is_small(count):
                    tried += 1
                    assert high - low >= 0.99, f"{borough}, {key}: {ward} is given away as {count}"
    assert tried > 40, "nothing small was there to be found"


@pytest.mark.slow
def test_no_text_says_a_share_or_a_count_of_what_its_table_withholds(runs):
    """Planted: an alternative text of `figures.stops.objects` that lists the shares as they were before any was withheld."""
    checked = 0
    for tables, texts in runs.values():
        flat = [" ".join(text.split()) for text in texts]
        labels = []
        for name, label in (
            ("search-objects", pl.col("object_of_search")),
            ("age-and-sex", pl.format("{} {}", "age_band", "sex")),
            ("arrest-share-by-group", pl.format("{}, {}", "group", "definition")),
        ):
            table = tables[name]
            if withhold.COLUMN in table.columns:
                gone = table.filter(pl.col("share").is_null())
                labels += gone.select(label.alias("label"))["label"].to_list()
                assert any(withhold.NOTE in text for text in flat), "what is withheld is not said"
        for label, text in product(labels, flat):
            checked += 1
            assert not re.search(rf"{re.escape(label)}:? [\d.]+%", text), f"{label}: {text[:300]}"
    assert checked > 100


def test_published_tables_of_a_small_borough_hide_an_unknown_kind_in_every_table():
    """Richmond upon Thames, 2024-25: four searches without an officer's view of ethnicity."""
    edition, year = editions.open_edition(), FinancialYear(2024)
    counts, area = edition.table("stops_by_ethnicity"), places.area("Richmond upon Thames")
    codes = places.boroughs()["borough_code"]
    table = stops.disproportionality(counts, edition.table("population"), [area], codes, year)
    shown = figures.shown_ratios(table, counts, year).filter(ethnicity="officer-defined")
    assert shown.filter(group="Mixed")["why"][0] == "officers' codes have no Mixed group"
    rest = shown.filter(pl.col("group") != "Mixed")
    assert rest["why"].str.starts_with("withheld: ").all()
    assert rest.select("searches_known", "ratio", "unknown_share", "bound_low").null_count().row(0) == (3, 3, 3, 3)
    own = figures.shown_ratios(table, counts, year).filter(ethnicity="self-defined")
    assert own["ratio"].equals(table.filter(ethnicity="self-defined")["ratio"])
