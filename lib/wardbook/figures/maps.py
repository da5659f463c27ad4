"""Ward maps: rates in classes on a schematic map, beside the ranked list that a reader can check the map against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import altair as alt
import geopandas as gpd
import polars as pl
import shapely

from wardbook.catalogue import sources
from wardbook.figures import charts, theme, withhold, words
from wardbook.figures.export import Absent, Figure
from wardbook.figures.marks import by_size, key
from wardbook.measures.usual import TOO_FEW
from wardbook.measures.wards import NO_RESIDENT_RATE, Moran
from wardbook.notebook import Book
from wardbook.places import WardVintageError, ward_vintages

REACH = 2_500  # m from the nearest centroid beyond which no ward is drawn
_CROWN = "© Crown copyright and database right"
LICENCE = f"{charts.LICENCE}. Contains OS data {_CROWN}; Contains National Statistics data {_CROWN}"
LISTED = 30  # wards in the list beside the map; the CSV has all

_SHADES = (theme.LIGHT_BLUE, theme.MID_BLUE, theme.DARK_BLUE)
_COLUMNS = ["ward_code", "ward", "rank", "events", "residents", "raw_rate_per_1000", "eb_rate_per_1000"]
_COLUMNS += ["eb_low_per_1000", "eb_high_per_1000", "class"]
DAYTIME = (
    "Residents are those of Census 2021. Many who are victims do not live in the ward, so where many work, shop or go out a rate "
    "per resident is high for that reason alone."
)


def schematic_cells(wards: pl.DataFrame) -> gpd.GeoDataFrame:
    """A cell for each ward of 2024: what lies nearer to its centroid than to any other, at most 2.5 km from it.

    All of London is tessellated, so a borough's edge is where its neighbour's cells begin. The edition holds no copy of a
    boundary file; a cell is no ward's outline, has no meaningful area, and is said to be schematic.

    Returns
    -------
    gpd.GeoDataFrame
        `ward_code`, `borough_code`, `geometry` in British National Grid (EPSG:27700), by ward code.
    """
    current = wards.filter(pl.col("vintages").str.contains("2024")).sort("ward_code")
    points = shapely.points(current.select("easting", "northing").to_numpy())
    cells = shapely.get_parts(
        shapely.voronoi_polygons(
            shapely.MultiPoint(points), extend_to=shapely.box(*shapely.total_bounds(shapely.buffer(points, 2 * REACH)))
        )
    )
    inside = shapely.STRtree(points).query(cells, predicate="contains")
    mine = dict(zip(inside[1], inside[0]))
    shapes = [shapely.intersection(cells[mine[i]], shapely.buffer(point, REACH)) for i, point in enumerate(points)]
    columns = current.select("ward_code", "borough_code").to_dict(as_series=False)
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:27700")


@dataclass(frozen=True)
class Plan:
    """The shapes of a ward map: `cells` (`ward_code`, `geometry`), and of which vintage they are; none for the schematic.

    `subtitle` says in a chart's subtitle what they are; `note` is a sentence on what fits and what was repaired, or "".
    """

    cells: gpd.GeoDataFrame
    vintage: int | None
    subtitle: str
    note: str

    @property
    def kind(self) -> str:
        """What an alt text calls it."""
        return "Ward map" if self.vintage else "Schematic map"


def ward_plan(wards: pl.DataFrame, codes: Iterable[str], outlines: str = "") -> Plan:
    """Shapes for these wards: their outlines where a file of them is named, otherwise the schematic cells.

    Parameters
    ----------
    wards : the edition's table of wards.
    codes : the ward codes to be drawn.
    outlines : a file of ward outlines (.gpkg, .shp or .geojson), or a raw folder that holds some in `ons/wards-YEAR/`; a
        relative path counts from the project's root. Simplified outlines do for drawing.

    Raises
    ------
    WardVintageError
        where no file holds every code, naming the nearest one's rate: a map with holes would be read as wards without crime.
    FileNotFoundError
        where there are no outlines at the path.
    """
    codes = sorted(set(codes))
    if not outlines:
        return Plan(schematic_cells(wards), None, "Schematic map: cells around ward centroids, no boundaries", "")
    from wardbook.edition import from_root
    from wardbook.sources import ons

    path = from_root(outlines)
    kinds = (".gpkg", ".shp", ".geojson")
    files = [path] if path.is_file() else sorted(f for f in path.rglob("wards-*/*") if f.suffix.lower() in kinds)
    if not files:
        raise FileNotFoundError(
            f"no ward outlines at {outlines}: a file that ends in {', '.join(kinds)}, or a folder with some in ons/wards-YEAR/ "
            "(wardbook fetch --source ons gets them)"
        )
    read = [ons.read_ward_shapes(file) for file in files]
    rates = [
        (len(set(codes) & set(table["ward_code"])) / max(1, len(codes)), table, quality) for table, quality in read
    ]
    fits = sorted((r for r in rates if r[0] == 1), key=lambda r: r[1]["vintage"].iloc[0], reverse=True)
    if not fits:
        rate, table, _ = max(rates, key=lambda r: r[0])
        raise WardVintageError(
            f"the outlines at {outlines} hold {rate:.1%} of the {len(codes)} wards to be drawn at best (those of "
            f"{table['vintage'].iloc[0]}): these are wards of another vintage, so no map was drawn"
        )
    _, table, quality = fits[0]
    vintage = int(table["vintage"].iloc[0])
    years = sorted({int(other["vintage"].iloc[0]) for _, other, _ in fits} | set(ward_vintages(codes, wards)))
    note = f"Ward outlines are those of {vintage}."
    if len(years) > 1:
        note += f" These wards' codes are the same in {' and '.join(map(str, years))}."
    odd = "; ".join(f"{kind}: {n}" for kind, n in quality.oddities.items())
    note += f" Noted on reading them: {odd}." if odd else ""
    return Plan(table, vintage, f"Ward boundaries of {vintage}", note)


def _decimals(rate: float) -> int:
    """Enough to tell a low rate from none."""
    return 1 if rate >= 1 else 2 if rate >= 0.1 else 3


def _rate(value: float) -> str:
    return f"{value:,.{_decimals(value)}f}"


def class_breaks(values: pl.Series) -> list[float]:
    """Two breaks that part the rates into thirds, rounded to what a legend can say; fewer where the rates hardly differ."""
    thirds = [values.quantile(q, "linear") for q in (1 / 3, 2 / 3)]
    cuts = {round(cut, _decimals(cut) if values.max() < 20 or cut < 1 else 0) for cut in thirds}
    return sorted(cut for cut in cuts if values.min() < cut <= values.max())


def _classes(values: pl.Series, breaks: list[float]) -> tuple[list[str], list[str]]:
    said = [_rate(value).removesuffix(".0") for value in breaks or [values.mean()]]
    names = [f"{low} to under {high}" for low, high in zip(said, said[1:])]
    names = [f"under {said[0]}", *names, f"{said[-1]} or more"] if breaks else [f"about {said[0]}"]
    return [names[sum(value >= b for b in breaks)] for value in values], names


def ward_map(
    book: Book,
    rates: pl.DataFrame,
    wards: pl.DataFrame,
    item: str,
    *,
    period: str,
    moran: Moran | None,
    outlines: str = "",
) -> Figure | Absent:
    """Smoothed ward rates on the ward map, ranked wards with intervals beside it.

    Parameters
    ----------
    rates : `measures.wards.in_area`; empty where no ward snapshot holds the period.
    wards : the edition's table of wards.
    """
    name = "ward-rates"
    if item in NO_RESIDENT_RATE:
        return Absent(name, f"{item} has no resident rate: those at risk of it are not the ward's residents")
    if rates.is_empty():
        return Absent(name, f"cannot say: no snapshot of ward-level offences holds all of {period} of {item}")
    where, events = book.area.name, rates["events"].sum()
    if events < max(TOO_FEW, rates.height):  # on average fewer than one a ward: a map of chance
        return Absent(
            name,
            f"cannot say: too few recorded {item} offences to tell {rates.height} wards of {where} apart ({_offences(events)} "
            f"in {period})",
        )
    drawn = _drawn(rates, wards, outlines)
    if drawn is None:
        return Absent(
            name, f"too few recorded {item} offences in each ward of {where} to show any in {period}: all are withheld"
        )
    what = words.SHORT.get(item, item)
    differ = "hardly differs" if drawn.overlap else "differs"
    title = words.fitting(
        f"Recorded {what} per resident {differ} between wards of {where}",
        f"{words.capital(what)} per resident {differ} between wards of {where}",
        f"The rate per resident {differ} between wards of {where}",
    )
    more = (
        f" The list shows the {LISTED} highest of {rates.height}; the City of London, another force, is left out."
        if rates.height > LISTED
        else ""
    )
    return _figure(
        book,
        name,
        drawn,
        title=title,
        subtitle=f"Recorded {item} per 1,000 residents, wards of {where}, {period}, smoothed (95% intervals). "
        f"{drawn.plan.subtitle}.{more}",
        sentence=f"{_ends(drawn.told, item, period, drawn.overlap)} {moran_sentence(moran, where)} {DAYTIME}",
        over="all of London's wards",
        source=f"{sources()['mps-ward-crime'].line} (to {rates['snapshot'][0]}); {sources()['gla-ethnic-group'].line}",
    )


def ward_cells(plan: Plan, rows: pl.DataFrame, value: str, number: str) -> alt.LayerChart:
    """Wards in two or three classes of a rate, each with its number: the same as in the list that stands beside it.

    Parameters
    ----------
    rows : `ward_code`, the value (null where it is withheld: grey) and the number (null: none is written).
    """
    values = rows[value].drop_nulls()
    classes, names = _classes(values, class_breaks(values))
    told = iter(classes)
    drawn = rows.select(
        pl.col(number).alias("rank"),
        pl.Series("class", [withhold.WORD if v is None else next(told) for v in rows[value]]),
    )
    cells = plan.cells.set_index("ward_code").loc[rows["ward_code"].to_list()]
    shades = list(_SHADES[-len(names) :])
    if len(values) < rows.height:
        names, shades = [*names, withhold.WORD], [*shades, theme.CONTEXT]
    colour = alt.Color("class:N", scale=alt.Scale(domain=names, range=shades), legend=None)
    shapes = alt.Data(values=_features(cells, drawn, real=bool(plan.vintage)))
    inside = cells.geometry.representative_point()
    centres = drawn.with_columns(
        pl.Series("x", inside.x.to_list()).round(0),
        pl.Series("y", inside.y.to_list()).round(0),
        pale=pl.col("class").is_in([names[0], withhold.WORD]),
    ).drop_nulls("rank")
    ink = alt.condition("datum.pale", alt.value(theme.DARK_GREY), alt.value("white"))
    size = by_size("font * 0.85")
    numbers = alt.Chart(centres).mark_text(fontSize=size, fontWeight="bold")
    return alt.layer(
        alt.Chart(shapes)
        .mark_geoshape(stroke="white", strokeWidth=0.8 if rows.height < 100 else 0.3)
        .encode(color=colour),
        numbers.encode(longitude="x:Q", latitude="y:Q", text="rank:N", color=ink),
        key([("bar", name, shade) for name, shade in zip(names, shades)]),
    ).project(type="identity", reflectY=True)


@dataclass(frozen=True)
class _Drawn:
    """A map of smoothed rates before it is put into words: `told` are the rows that are not withheld, in their order."""

    chart: alt.HConcatChart
    data: pl.DataFrame
    told: pl.DataFrame
    plan: Plan

    @property
    def overlap(self) -> bool:
        """Do even the first and the last ward's intervals?"""
        first, last = self.told.row(0, named=True), self.told.row(-1, named=True)
        return first["eb_low_per_1000"] <= last["eb_high_per_1000"]


def _drawn(rates: pl.DataFrame, wards: pl.DataFrame, outlines: str) -> _Drawn | None:
    """The rates as they may be shown, mapped; None where every ward's is withheld."""
    rates = withhold.ranked_wards(rates)
    told = rates.drop_nulls("rank")
    if told.is_empty():
        return None
    plan = ward_plan(wards, rates["ward_code"], outlines)
    chart, data = map_and_list(rates, plan)
    return _Drawn(chart, data, told, plan)


def _figure(book: Book, name: str, drawn: _Drawn, *, title: str, sentence: str, over: str, source: str) -> Figure:
    """The map as a figure; `over` says which wards the smoothing learnt from."""
    n = drawn.data.height
    return charts.assemble(
        book,
        name,
        drawn.chart,
        _plotted(drawn.data),
        title=title,
        alt_text=f"{drawn.plan.kind} and ranked interval chart of {n} wards where the smoothed rate runs from {_spread(drawn.told)}"
        f"{_left_out(drawn.data)}.",
        sentence=f"{sentence} {drawn.plan.note}".rstrip() + withhold.note(drawn.data),
        claim=title,
        how=f"raw rate = 1000 × events ÷ residents from the CSV, then Marshall's empirical Bayes over {over}",
        moved="",
        source=f"{source}; {sources()['ons-wards-2024'].line}",
        licence=LICENCE,
    )


def _plotted(drawn: pl.DataFrame) -> pl.DataFrame:
    return drawn.select(*_COLUMNS, *(name for name in (withhold.COLUMN,) if name in drawn.columns))


def _left_out(rates: pl.DataFrame) -> str:
    """How many wards are drawn without a value, for the alt text."""
    n = rates["rank"].null_count()
    return f", those of {words.number(n)} ward{'s' if n != 1 else ''} withheld" if n else ""


def map_and_list(
    rates: pl.DataFrame, plan: Plan, *, value: str = "eb_rate_per_1000", unit: str = "per 1,000 residents, smoothed"
) -> tuple[alt.HConcatChart, pl.DataFrame]:
    """A map in classes with the ranked list beside it, and the rows with the class each is drawn in.

    Parameters
    ----------
    rates : ranked rows with `ward_code, ward, rank`, the value and, where it has an interval, `eb_low_per_1000` and
        `eb_high_per_1000`.
    plan : the shapes, from `ward_plan`.
    unit : the legend's title.
    """
    values = rates[value]
    known = values.drop_nulls()
    found, names = _classes(known, class_breaks(known))
    told = iter(found)
    drawn = rates.with_columns(
        pl.Series("class", [withhold.WORD if value is None else next(told) for value in values]),
        pl.format("{}. {}", "rank", "ward").alias("label"),
    )
    cells = plan.cells.set_index("ward_code").loc[drawn["ward_code"].to_list()]
    shape = alt.Data(values=_features(cells, drawn, real=bool(plan.vintage)))
    legend = alt.Legend(title=unit, orient="bottom", direction="vertical", titleFontSize=11, titleLimit=300)
    shades = list(_SHADES[-len(names) :])
    if len(known) < len(values):
        names, shades = [withhold.WORD, *names], [theme.CONTEXT, *shades]
    colour = alt.Color("class:N", scale=alt.Scale(domain=names, range=shades), legend=legend)
    here = {"type": "identity", "reflectY": True}
    side, few = 270, rates.height <= LISTED
    layers = [alt.Chart(shape).mark_geoshape(stroke="white", strokeWidth=0.8 if few else 0.3).encode(color=colour)]
    if few:
        inside = cells.geometry.representative_point()
        centres = drawn.select(
            "rank",
            pl.Series("x", inside.x.to_list()).round(0),
            pl.Series("y", inside.y.to_list()).round(0),
            pl.col("class").is_in(names[:-2] or [""]).alias("pale"),
        )
        ink = alt.condition("datum.pale", alt.value(theme.DARK_GREY), alt.value("white"))
        text = alt.Chart(centres).mark_text(fontSize=11, fontWeight="bold")
        centres = centres.drop_nulls("rank")
        layers.append(text.encode(longitude="x:Q", latitude="y:Q", text="rank:N", color=ink))
    drawing = alt.layer(*layers).project(**here).properties(width=side, height=side + 60)
    return alt.hconcat(drawing, _ranked_list(drawn.drop_nulls("label").head(LISTED), colour, value), spacing=24), drawn


def _features(cells: gpd.GeoDataFrame, drawn: pl.DataFrame, *, real: bool) -> list[dict]:
    """GeoJSON features in whole metres: a schematic cell has no finer detail, and the notebook stays small."""
    # Simplified together, so that neighbours keep one border.
    simple = (
        shapely.coverage_simplify(cells.geometry.to_numpy(), 40) if real else cells.geometry.simplify(25).to_numpy()
    )
    rounded = shapely.set_precision(simple, 1)
    return [
        {"type": "Feature", "rank": rank, "class": kind, "geometry": shapely.geometry.mapping(shape)}
        for (rank, kind), shape in zip(drawn.select("rank", "class").iter_rows(), rounded)
    ]


def _ranked_list(rows: pl.DataFrame, colour: alt.Color, value: str) -> alt.LayerChart:
    y = alt.Y(
        "label:N",
        sort=rows["label"].to_list(),
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelLimit=260, labelFontSize=11),
    )
    zero = alt.Scale(zero=True)
    x = alt.X(f"{value}:Q", scale=zero, axis=alt.Axis(title="per 1,000 residents", tickCount=4))
    layers = []
    if "eb_low_per_1000" in rows.columns:
        rule = alt.Chart(rows).mark_rule(strokeWidth=2, color=theme.CONTEXT)
        layers.append(rule.encode(x=alt.X("eb_low_per_1000:Q", scale=zero), x2="eb_high_per_1000:Q", y=y))
    dot = alt.Chart(rows).mark_point(filled=True, size=55, opacity=1).encode(x=x, y=y, color=colour)
    return alt.layer(*layers, dot).properties(width=150, height=alt.Step(17))


def _offences(n: int) -> str:
    return f"{words.count(n)} offence{'s' if n != 1 else ''}"


def _spread(rates: pl.DataFrame) -> str:
    first, last = rates.row(0, named=True), rates.row(-1, named=True)
    high, low = (f"{_rate(row['eb_rate_per_1000'])} in {row['ward']}" for row in (first, last))
    return f"{high} to {low}"


def _ends(rates: pl.DataFrame, item: str, period: str, overlap: bool) -> str:
    first, last = rates.row(0, named=True), rates.row(-1, named=True)

    def one(row: dict) -> str:
        rate, low, high = (_rate(row[f"eb_{name}_per_1000"]) for name in ("rate", "low", "high"))
        return f"{row['ward']} ({rate} per 1,000 residents, {low} to {high}; {_offences(row['events'])})"

    tail = ": even these two intervals overlap" if overlap else ""
    return (
        f"In {period}, the smoothed rate of recorded {item} is highest in {one(first)} and lowest in {one(last)}{tail}. "
        "Ranks of wards whose intervals overlap are not told apart."
    )


def _plain(value: float) -> str:
    return f"{round(value, 2) + 0:.2f}".replace("-", words.MINUS)


def moran_sentence(moran: Moran | None, where: str) -> str:
    """Whether like wards lie together, in words."""
    if moran is None:
        return f"Cannot say whether like wards of {where} lie together: too few wards, or no difference between them."
    said = (
        "wards with like rates lie together"
        if moran.p < 0.05 and moran.i > moran.expected
        else ("wards with unlike rates lie together" if moran.p < 0.05 else "no clustering can be told from chance")
    )
    return (
        f"Moran's I of the smoothed rates is {_plain(moran.i)} ({_plain(moran.expected)} without clustering, pseudo p {moran.p:.3f}; "
        f"{moran.n} wards, {moran.k} nearest centroids): {said}."
    )


def ward_changes_sentence(rows: pl.DataFrame, item: str, where: str, shift: float | None) -> str:
    """How many wards can be said to have changed, beside what the borough's offences without a ward did."""
    if shift is None or rows.is_empty():
        return f"How wards of {where} changed: cannot say, for no snapshot of ward-level offences holds both years."
    tally = [
        (v, rows.filter(change_verdict=v).height or "none")
        for v in ("fell clearly", "rose clearly", "little different")
    ]
    said = ", ".join(f"{verdict} {n}" for verdict, n in tally)
    cannot = rows.filter(change_verdict="cannot say").height or "none"
    own, whole = rows["snapshot"][0], rows["borough_snapshot"][0]
    apart = (
        f" (the wards' counts are of the snapshot {own} and the borough's of {whole}, so revisions between the two are in it)"
        if own != whole
        else ""
    )
    return (
        f"Recorded {item} by ward in {where}, by counting noise: {said}, cannot say {cannot}, of {rows.height}. The "
        f"share of offences that have a ward moved between the years, which alone changes every ward's count by "
        f"{words.signed(shift)}{apart}; a ward whose own interval is narrower than that cannot be judged. Wards have no "
        "history to learn their usual variation from; by counting noise about one in twenty would be called clear when "
        "nothing had changed, at usual variation more."
    )
