"""Ward maps: rates in classes on a schematic map, beside the ranked list that a reader can check the map against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import altair as alt
import geopandas as gpd
import polars as pl
import shapely

from wardbook.catalogue import sources
from wardbook.figures import charts, marks, theme, withhold, words
from wardbook.figures.export import Absent, Figure
from wardbook.notebook import Book
from wardbook.places import WardVintageError, ward_vintages

REACH = 2_500  # m from the nearest centroid beyond which no ward is drawn
_CROWN = "© Crown copyright and database right"
_BOUNDARIES = f"Contains OS data {_CROWN}; Contains National Statistics data {_CROWN}"
LISTED = 30  # wards in the list beside the map; the CSV has all
_SHADES = (theme.LIGHT_BLUE, theme.MID_BLUE, theme.DARK_BLUE)
_COLUMNS = ["ward_code", "ward", "rank", "events", "residents", "raw_rate_per_1000", "eb_rate_per_1000"]
_COLUMNS += ["eb_low_per_1000", "eb_high_per_1000", "class"]


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
    said = [_rate(value) for value in breaks or [values.mean()]]
    names = [f"{low} to under {high}" for low, high in zip(said, said[1:])]
    names = [f"under {said[0]}", *names, f"{said[-1]} or more"] if breaks else [f"about {said[0]}"]
    return [names[sum(value >= b for b in breaks)] for value in values], names


def class_map(rows: pl.DataFrame, rate: str, plan: Plan) -> tuple[alt.LayerChart, pl.DataFrame]:
    """Wards in at most three classes of a rate with breaks a legend can say, what is withheld grey, and the rows with `class`.

    Parameters
    ----------
    rows : `ward_code`, `easting`, `northing`, `rank` (null where withheld), the rate, and `label`, drawn on the ward, or null.
    """
    known = rows[rate].drop_nulls()
    told, kinds = _classes(known, class_breaks(known))
    each = iter(told)
    rows = rows.with_columns(pl.Series("class", [withhold.WORD if v is None else next(each) for v in rows[rate]]))
    colours = dict(zip([*kinds, withhold.WORD], [*_SHADES[-len(kinds) :], theme.CONTEXT]))
    shown = [kind for kind in colours if kind in set(rows["class"])]
    cells = plan.cells.set_index("ward_code").loc[rows["ward_code"].to_list()]
    shapes = alt.Chart(alt.Data(values=_features(cells, rows, real=bool(plan.vintage))))
    scale = alt.Scale(domain=shown, range=[colours[kind] for kind in shown])
    text = alt.Chart(rows.drop_nulls("label").select("easting", "northing", "label", "class"))
    chart = alt.layer(
        shapes.mark_geoshape(stroke="white", strokeWidth=0.7).encode(
            color=alt.Color("class:N", scale=scale, legend=None)
        ),
        text.mark_text(fontWeight="bold", fontSize=marks.by_size("font"), color="white").encode(
            longitude="easting:Q", latitude="northing:Q", text="label:N"
        ),
        marks.key([("bar", kind, colours[kind]) for kind in shown]),
    )
    return chart.project(type="identity", reflectY=True).properties(height=420), rows


def ward_stops_map(
    book: Book, rates: pl.DataFrame, wards: pl.DataFrame, *, period: str, outlines: str = ""
) -> Figure | Absent:
    """Smoothed ward rates of stops and searches, where a full-resolution outline of the right vintage placed them.

    Parameters
    ----------
    rates : `measures.wards.in_area` of the edition's `ward_stops`; empty where no outline was at hand.
    """
    name, where = "ward-stops", book.area.name
    if rates.is_empty() or book.area.is_london:
        why = (
            "the edition's outlines of full resolution are those of 2018, and London's wards have changed in most boroughs since"
            if book.area.is_london
            else f"no outline of full resolution of the present wards of {where} was at hand; simplified ones are never used to place stops"
        )
        return Absent(name, f"cannot say which wards of {where} stops were in: {why}")
    drawn = _drawn(rates, wards, outlines)
    if drawn is None:
        return Absent(name, f"too few stops in each ward of {where} to show any in {period}: all are withheld")
    differ = "hardly differ" if drawn.overlap else "differ"
    return _figure(
        book,
        name,
        drawn,
        title=words.fitting(f"Stops and searches per resident {differ} between wards of {where}, {period}"),
        subtitle=f"Stops and searches per 1,000 residents, wards of {where}, {period}, smoothed (95% intervals). "
        f"{drawn.plan.subtitle}",
        sentence=f"In {period}, the smoothed rate of stops and searches per 1,000 residents ran from {_spread(drawn.told)}. Ranks of "
        "wards whose intervals overlap are not told apart. data.police.uk moves each stop to the nearest of a set of points, so that "
        "one near a ward's edge may be placed next door; one without a place is in no ward. Those searched need not live in the ward.",
        over="the wards that could be placed",
        source="; ".join(sources()[key].line for key in ("police-uk-stops", "gla-ethnic-group", "gla-wards-2018")),
    )


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


def _figure(
    book: Book, name: str, drawn: _Drawn, *, title: str, sentence: str, over: str, source: str, **said
) -> Figure:
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
        licence=f"{charts.LICENCE}. {_BOUNDARIES}",
        **said,
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


def _spread(rates: pl.DataFrame) -> str:
    first, last = rates.row(0, named=True), rates.row(-1, named=True)
    high, low = (f"{_rate(row['eb_rate_per_1000'])} in {row['ward']}" for row in (first, last))
    return f"{high} to {low}"
