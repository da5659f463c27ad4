"""A figure: a chart's Vega-Lite, its data and its words, kept as one JSON and drawn from it at any of four sizes."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import textwrap
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import altair as alt
import msgspec
import polars as pl

from wardbook.figures import theme
from wardbook.figures.marks import TALL
from wardbook.figures.table import guarded_csv, rounded
from wardbook.figures.wording import capital
from wardbook.places import UnknownName

# A chart's parts are validated when it is drawn, as a whole, and not each again whenever it is copied.
alt.utils.schemapi.disable_debug_mode()
# Altair looks up which class a part of a chart is in a table of all its classes, which it would make anew for every channel.
_classes_by_schema = cache(partial(alt.utils.schemapi._FromDict, alt.VegaLiteSchema._default_wrapper_classes()))
alt.utils.schemapi._FromDict = lambda classes: _classes_by_schema()

FORMATS = ("json", "svg", "png", "csv", "txt")
HALF_A_SHEET = 420  # px that a drawing may be high for two with their words to stand on a sheet of A4
MOST_MARKS = 150  # told one by one, a line's points among them; a chart with more says its numbers in its table alone
LEAST_PLOT = 0.25  # of a chart's width on paper, under which its rows are given the height for words in two lines
LICENCE = "Contains public sector information licensed under the Open Government Licence v3.0"
# Marks that are not to be seen, and are drawn for their names alone.
UNSEEN = re.compile(r'<g [^>]*>(?:<path [^>]* opacity="0"[^>]*/>)+</g>')
# What a text file says of a figure, in this order.
_TEXT = {
    "title": "Title",
    "subtitle": "Subtitle",
    "sentence": "In a sentence",
    "caveat": "Before you use it",
    "alt": "Alt text",
    "how": "How it recomputes",
    "command": "The command that makes it",
    "provenance": "Made from",
    "source": "Source",
    "licence": "Licence",
}


@dataclass(frozen=True)
class Size:
    """Where a chart is read: its width in px, its height (None: as the chart needs), its text in px, what is laid out narrow."""

    width: int
    height: int | None
    font: float
    narrow: bool = False
    fill: bool = False  # is the height to be filled, rather than not to be passed?
    scale: float = 2.0  # pixels of its PNG for one px


SIZES = {
    "page": Size(720, None, 13),
    "phone": Size(360, None, 13, narrow=True),
    "print": Size(604, 472, 12, scale=300 / 96),  # 160 mm, two to a sheet of A4; 12 px are 9 points
    "slide": Size(1920, 1080, 26, fill=True, scale=1.0),
}


def check_size(size: str) -> Size:
    """The size of this name.

    Raises
    ------
    wardbook.places.UnknownName
        for another name, naming the nearest.
    """
    if size not in SIZES:
        raise UnknownName("size", size, list(SIZES), "sizes are where a chart is read")
    return SIZES[size]


@dataclass(frozen=True)
class Figure:
    """A chart with everything a reader needs to use it and a challenger needs to check it.

    `spec` is its Vega-Lite (None where it cannot be drawn honestly: `words["absent"]` then says why), `data` exactly what is
    plotted, `words` its texts: `title` (a list, the longest first), `subtitle`, `alt`, `sentence`, `caveat`, `how`, `source`,
    `licence`, `command`, `provenance`. `plots` are Vega's drawings of it by size as far as they are drawn, each with
    the px beside its plots; where it was saved, those that its page shows.

    In a notebook it shows as an SVG beside a text with its title, sentence, row count and a hash of the data: nbval compares
    both, so a number that moved turns the notebook red even where no table prints it.
    """

    name: str
    spec: dict | None
    data: pl.DataFrame
    words: dict[str, Any]
    plots: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            rule = "a figure's name is lower-case words joined by hyphens, since files are named by it"
            raise ValueError(f"{rule}: {self.name!r}")

    @classmethod
    def of(
        cls,
        name: str,
        chart: alt.TopLevelMixin | None,
        data: pl.DataFrame,
        words: dict[str, Any],
        *,
        validated: bool = True,
    ) -> Figure:
        """A figure from an Altair chart; numbers are kept to eight significant digits, the same on any processor.

        Parameters
        ----------
        validated : is the chart held to Vega-Lite's schema? It costs as much as drawing it.
        """
        spec = None if chart is None else _specification(chart, validated)
        if spec and data.height <= MOST_MARKS:
            _with_points(spec)
        return cls(name, spec, rounded(data), words)

    # -- one JSON -----------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Everything it is made of: `read_figure` reads it back, and every other format is drawn from it."""
        columns = {column: str(kind) for column, kind in self.data.schema.items()}
        rows = json.loads(self.data.write_json()) if self.data.height else []
        plots = {size: self._drawn(size) for size in self.sizes}
        whole = {"name": self.name, "words": self.words, "columns": columns, "rows": rows}
        whole |= {"plots": plots, "spec": self.spec}
        return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n"

    @property
    def absent(self) -> bool:
        """Is there no chart, but a reason?"""
        return self.spec is None

    @property
    def sizes(self) -> tuple[str, ...]:
        """Those a page shows it at: at `print` too where the page's would not fit half a sheet."""
        if self.absent:
            return ()
        high = sides(self._drawn("page")[0])[1] > HALF_A_SHEET
        return ("page", "phone", "print") if high else ("page", "phone")

    @property
    def title(self) -> str:
        """The longest of its titles."""
        return self.words["title"][0]

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the SHA-256 of the plotted data."""
        return hashlib.sha256(self.data.write_csv().encode()).hexdigest()[:12]

    @property
    def _rows(self) -> str:
        return f"{self.data.height} row{'s' if self.data.height != 1 else ''}"

    # -- drawn --------------------------------------------------------------------------------------------------------

    def svg(self, size: str = "page", *, bare: bool = False) -> str:
        """The chart at a size as an accessible SVG; `bare` is the plot alone, for a page that says its title and source, with points
        of its lines that are not to be seen.

        `role="img"`, `<title>` and `<desc>` come first, tied by id: Vega writes none.
        """
        if self.absent:
            raise ValueError(f"there is no chart {self.name!r}: {self.words['absent']}")
        plot = self._drawn(size)[0]
        drawn = plot if bare else _with_words(self, SIZES[size], UNSEEN.sub("", plot))
        return _described(drawn, f"wb-{self.name}", self.title, self.words["alt"])

    def _drawn(self, size: str) -> tuple[str, float]:
        """Vega's SVG of its plot at a size, and the px beside its plots."""
        if size not in self.plots:
            self.plots[size] = _draw(self, check_size(size))
        return self.plots[size]

    def png(self, size: str = "page") -> bytes:
        """The chart on white, its title, description and source in the file's own text."""
        drawn = converter().svg_to_png(self.svg(size), scale=SIZES[size].scale)
        return _labelled(drawn, self.title, self.words["alt"], self.words["source"])

    def csv(self) -> str:
        """The plotted data, one header row."""
        return guarded_csv(self.data)

    def txt(self) -> str:
        """Everything about it that is not in its CSV."""
        said = {**self.words, "title": self.title}
        if self.absent:
            said = {"title": self.title, "sentence": self.words["absent"]}
        parts = [f"{head}\n{_filled(said[part])}" for part, head in _TEXT.items() if said.get(part)]
        return "\n\n".join([*parts, f"Data\n{self.name}.csv, {self._rows}, fingerprint {self.fingerprint}"]) + "\n"

    def save(self, folder: Path, size: str = "page", formats: tuple[str, ...] = FORMATS) -> list[Path]:
        """Write it into a folder in these formats, and return the paths; one that has no chart leaves its words alone."""
        folder.mkdir(parents=True, exist_ok=True)
        makers = {"json": self.to_json, "csv": self.csv, "txt": self.txt}
        makers |= {"svg": lambda: self.svg(size), "png": lambda: self.png(size)}
        paths = {kind: folder / f"{self.name}.{kind}" for kind in formats if not self.absent or kind in ("json", "txt")}
        for kind, path in paths.items():
            content = makers[kind]()
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(paths.values())

    # -- in a notebook ------------------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if not self.absent:
            plotted = f"{self._rows} plotted, fingerprint {self.fingerprint}"
            text = "\n".join([self.title, self.words["subtitle"], self.words["alt"], plotted])
            display({"image/svg+xml": self.svg(), "text/plain": text}, raw=True)
        said = [f"{capital(self.words['absent'])}."] if self.absent else [self.words["sentence"], self.words["caveat"]]
        prose = "\n\n".join(sentence for sentence in said if sentence)
        display({"text/markdown": _plain(prose), "text/plain": prose}, raw=True)


def _specification(chart: alt.TopLevelMixin, validated: bool) -> dict:
    """A chart's Vega-Lite with rounded numbers, its data sets numbered: Altair names them by their unrounded values."""
    spec = rounded(chart.to_dict(validate=validated))
    # Charts in a row or one under another are of so many columns, which a size may have fewer of.
    if "hconcat" in spec:
        spec["concat"] = spec.pop("hconcat")
    if "vconcat" in spec:
        spec |= {"concat": spec.pop("vconcat"), "columns": 1}
    nested = any({"spec", "concat", "hconcat", "vconcat"} & part.keys() for part in spec.get("concat", ()))
    parted = any(unit.get("encoding", {}).keys() & {"row", "column", "facet"} for unit in units(spec))
    if parted or nested or "repeat" in spec or ("facet" in spec and "field" not in spec["facet"]):
        raise ValueError(
            "a figure's chart is one plot, layers, either of them with .facet(field, columns=…), or such plots without a "
            "facet in one alt.hconcat, alt.vconcat or alt.concat: anything else does not fit every size it is read at"
        )
    text = json.dumps(spec)
    for number, name in enumerate(spec.get("datasets", {}), 1):
        text = text.replace(f'"{name}"', f'"data-{number}"')
    return json.loads(text)


def _with_points(spec: dict) -> None:
    """Give each line a point at each of its values, not to be seen: a line has one name for all of them, a point its own."""
    for unit in units(spec):
        if isinstance(unit["mark"], dict) and unit["mark"]["type"] == "line":
            unit["mark"].setdefault("point", {"opacity": 0, "size": 80})


def read_figure(path: Path) -> Figure:
    """A figure as `to_json` wrote it.

    Raises
    ------
    ValueError
        for a file that no figure wrote.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        frame = pl.DataFrame(whole["rows"], schema=list(whole["columns"]), infer_schema_length=None)
        for column, kind in whole["columns"].items():
            if kind == "Date":
                frame = frame.with_columns(pl.col(column).cast(pl.String).str.to_date())
            elif hasattr(pl, kind):
                frame = frame.with_columns(pl.col(column).cast(getattr(pl, kind)))
        return Figure(whole["name"], whole["spec"], frame, whole["words"], whole.get("plots", {}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no figure: {error}") from error


@dataclass(frozen=True)
class Statements:
    """Sentences that stand without a chart, in order, each with a `lead` printed bold."""

    name: str
    parts: list[dict[str, str]]

    def save(self, folder: Path) -> Path:
        """Write them as one JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps({"name": self.name, "parts": self.parts}, ensure_ascii=False, indent=1) + "\n")
        return path

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        bold = "\n\n".join(f"**{_plain(part['lead'])}** {_plain(part['text'])}".strip() for part in self.parts)
        return {"text/markdown": bold, "text/plain": "\n".join(f"{p['lead']} {p['text']}" for p in self.parts)}


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is: a name that holds an asterisk or an underscore is no emphasis."""
    return re.sub(r"([*_`<\[])", r"\\\1", text)


# -- one specification, four sizes ----------------------------------------------------------------------------------------


def _draw(figure: Figure, size: Size) -> tuple[str, float]:
    """The chart as Vega's SVG, its plot as wide and as high as makes the whole fit the size, and the px beside its plots."""
    columns, height, limit = _columns(figure.spec, size), None, size.height
    if limit is not None:
        limit -= _words_room(figure, size)
    padding, target = 2 * _padding(size), size.width
    width = 0.95 * size.width / columns
    # On a phone the words of rows stand above them; beside any other chart stands what does on a page.
    if size is not SIZES["page"] and not (size.narrow and row_count(figure.spec)):
        beside = figure._drawn("page")[1] * size.font / SIZES["page"].font
        width = max((target - padding - beside) / columns, 60.0)
    seen, kept = None, width
    least = 30.0 if "facet" in figure.spec else 60.0  # of a plot, or of one panel
    drawn = cache(lambda *plot: converter().vegalite_to_svg(_sized(figure, size, *plot)))
    for _ in range(12):  # what stands around the plot hardly depends on it: mostly the second try fits
        plot = round(width), None if height is None else round(height)
        svg = drawn(*plot)
        wide, tall = sides(svg)
        if wide == seen and abs(target - wide) > 1:  # words fill the width, or more: the plot's does not matter to it
            width, target, seen = kept, wide, None
            continue
        over, seen, kept = target - wide, wide, width
        wrong = limit is not None and (abs(limit - tall) > 2 if size.fill else tall > limit)
        if abs(over) <= 1 and not wrong:
            if height is None or size.fill or columns * width > LEAST_PLOT * size.width:
                break
            # Rows so close that their words stand in one line left the marks no room: it takes the height that it needs.
            height, limit, target, seen = None, None, size.width, None
            continue
        width = max(width + over / columns, 60.0)
        if wrong:
            more = (limit - tall) / math.ceil(_facets(figure.spec) / columns)
            height = max(_plot_height(figure.spec, size, height) + more, least)
    return _own_ids(svg, f"wb-{figure.name}"), wide - padding - columns * plot[0]


def sides(svg: str) -> tuple[float, float]:
    """How wide and how high a drawing is, in px."""
    return tuple(float(side) for side in re.search(r' width="([\d.]+)" height="([\d.]+)"', svg).groups())


@cache
def converter() -> Any:
    """vl-convert, which brings Liberation Sans in memory: the system's copy it would open anew for every word it measures."""
    import vl_convert

    before = os.environ.get("FONTCONFIG_FILE")
    os.environ["FONTCONFIG_FILE"] = str(Path(__file__).with_name("fonts.conf"))
    try:
        vl_convert.svg_to_png('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')  # looks for fonts, once
    finally:
        if before is None:
            del os.environ["FONTCONFIG_FILE"]
        else:
            os.environ["FONTCONFIG_FILE"] = before
    return vl_convert


def _sized(figure: Figure, size: Size, width: float, height: float | None) -> dict:
    """The specification with the size's layout, text and plot."""
    inner = json.loads(json.dumps(figure.spec))
    top = {name: inner.pop(name) for name in ("$schema", "datasets", "usermeta") if name in inner}
    inner.pop("config", None)
    for unit in units(inner):
        if isinstance(unit["mark"], dict) and "limit" in unit["mark"]:
            # No name, as long as a reader's may be, makes the picture twice as wide; one of few letters is not measured for that.
            letters = f"length(join([datum['{unit['encoding']['text']['field']}']], ''))"
            unit["mark"]["limit"] = {"expr": f"{letters} * {size.font} > {size.width} ? {size.width} : 0"}
    plots = inner.get("concat", [inner.get("spec", inner)])
    data = {name: figure.spec[name] for name in ("data", "datasets") if name in figure.spec}
    for plot in plots:
        plot["width"], plot["height"] = round(width), round(_plot_height(data | plot, size, height))
    if "facet" in inner or "concat" in inner:
        inner["columns"] = _columns(figure.spec, size)
    if "facet" in inner:
        # Panels of one width, whatever their headings (`marks.panel_words`): these and the axes lie between them.
        own_axes = inner.get("resolve", {}).get("scale", {}).get("y") == "independent"
        inner["bounds"] = "flush"
        inner["spacing"] = {"row": round(3.8 * size.font), "column": round((4.2 if own_axes else 1.6) * size.font)}
    row = min(plot["height"] / (row_count(data | plot) or 1) for plot in plots)
    values = {"narrow": size.narrow, "font": size.font, "dense": row < 2.6 * size.font}
    values |= {"crowded": row < 0.85 * size.font, "plot_height": plots[0]["height"]}
    params = [{"name": name, "value": value} for name, value in values.items()]
    params += inner.pop("params", [])
    config = theme.config(size.font) | {"padding": _padding(size)}
    return {**top, "params": params, "config": config, "vconcat": [inner]}


def _padding(size: Size) -> int:
    return 4 if size.narrow else round(0.6 * size.font)


# -- its words above and below --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Text:
    """Lines of text, the font's size and the height of a line in px."""

    lines: list[str]
    font: float
    height: float
    weight: str = "normal"

    @property
    def room(self) -> float:
        return len(self.lines) * self.height

    def drawn(self, left: float, top: float) -> str:
        """The lines as SVG, one under another from a height on."""
        places = ((top + self.font + number * self.height, line) for number, line in enumerate(self.lines))
        spans = "".join(f'<tspan x="{left}" y="{y:.1f}">{escape(line)}</tspan>' for y, line in places)
        font = f'font-family="{theme.FONT}" font-size="{self.font:.1f}px" font-weight="{self.weight}"'
        return f'<text {font} fill="{theme.DARK_GREY}">{spans}</text>'


def _words(figure: Figure, size: Size) -> tuple[_Text, _Text, _Text]:
    """The title and subtitle of a figure, which stand above its plot, and its source, which stands below."""
    room, by, small = 0.98 * (size.width - 2 * _padding(size)), size.font / 12, max(size.font * 0.85, 11)
    source = f"Source: {figure.words['source']}. {figure.words['licence']}."
    return (
        _Text(fitting(figure.words["title"], room, 17 * by), 17 * by, 22 * by, "bold"),
        _Text(theme.wrap(figure.words["subtitle"], room, 13 * by), 13 * by, 17 * by),
        _Text(theme.wrap(source, room, small), small, 1.35 * small),
    )


def _words_room(figure: Figure, size: Size) -> int:
    """How many px higher a figure is with its words than without."""
    return math.ceil(sum(text.room for text in _words(figure, size)) + 2 * _padding(size))


def _with_words(figure: Figure, size: Size, plot: str) -> str:
    """A drawn plot with its title and subtitle above and its source below."""
    title, subtitle, source = _words(figure, size)
    (wide, tall), left = sides(plot), _padding(size)
    high, at = tall + _words_room(figure, size), left + title.room + subtitle.room
    opening, inside = plot.removesuffix("</svg>").split(">", 1)
    opening = re.sub(
        r' height="[\d.]+" viewBox="[^"]*"', f' height="{high:g}" viewBox="0 0 {wide:g} {high:g}"', opening
    )
    parts = [
        f'{opening}><rect width="{wide:g}" height="{high:g}" fill="white"/>',
        title.drawn(left, left),
        subtitle.drawn(left, left + title.room),
        f'<g transform="translate(0,{at:g})">{inside}</g>',
        source.drawn(left, at + tall),
    ]
    return "".join([*parts, "</svg>"])


def fitting(titles: list[str], width: float, font: float) -> list[str]:
    """The longest title that fits two lines of this width, or the shortest, in lines."""
    for title in titles:
        lines = theme.wrap(title, width, font, bold=True)
        if len(lines) <= 2:
            return lines
    return theme.wrap(titles[-1], width, font, bold=True)


def units(spec: dict) -> list[dict]:
    """The single charts in a specification, layers, facets and charts beside each other taken apart."""
    parts = spec.get("layer") or spec.get("concat") or ([spec["spec"]] if "spec" in spec else [])
    return [unit for part in parts for unit in units(part)] if parts else [spec]


def row_count(spec: dict) -> int:
    """How many rows a chart of rows has: the names on its y axis; 0 for any other chart."""
    names: set = set()
    for unit in units(spec):
        y = unit.get("encoding", {}).get("y", {})
        if y.get("type") in ("nominal", "ordinal") and "field" in y:
            source = unit.get("data", spec.get("data", {})).get("name")
            names |= {str(row.get(y["field"])) for row in spec.get("datasets", {}).get(source, [])}
    return len(names)


def _plot_height(spec: dict, size: Size, height: float | None) -> float:
    if height is not None:
        return height
    if rows := row_count(spec):
        tall = any(unit.get("name", "").startswith(TALL) for unit in units(spec))
        return rows * size.font * ((5.6 if tall else 4.4) if size.narrow else 2.8)
    plot = spec.get("spec", spec)
    return plot["height"] if isinstance(plot.get("height"), int | float) else 280


def _columns(spec: dict, size: Size) -> int:
    facets = _facets(spec)
    if "concat" in spec:
        return 1 if size.narrow else min(spec.get("columns", facets), facets)
    # Two abreast on a phone; three would leave an axis under an empty place.
    return min((1 if facets == 3 else 2) if size.narrow else spec.get("columns", 3), facets)


def _facets(spec: dict) -> int:
    """How many panels a chart has: one, where it is no small multiples and no charts beside each other."""
    if "concat" in spec:
        return len(spec["concat"])
    field = spec.get("facet", {}).get("field")
    rows = spec.get("datasets", {}).get(spec.get("data", {}).get("name"), [])
    return max(len({str(row.get(field)) for row in rows}), 1)


# -- what Vega leaves out -------------------------------------------------------------------------------------------------


def _described(svg: str, ident: str, title: str, description: str) -> str:
    head, rest = svg.split(">", 1)
    opening = head.replace("<svg", f'<svg role="img" aria-labelledby="{ident}-title {ident}-desc"', 1)
    return f'{opening}><title id="{ident}-title">{escape(title)}</title><desc id="{ident}-desc">{escape(description)}</desc>{rest}'


def _own_ids(svg: str, prefix: str) -> str:
    """The ids of clips and gradients counted within the drawing: as drawn, they count every chart of the process so far."""
    made = dict.fromkeys(re.findall(r'\bid="((?:clip|gradient_)\d+)"', svg))
    renamed = {ident: f"{prefix}-part-{number}" for number, ident in enumerate(made, 1)}
    places = r'(?<=\bid=")(?:clip|gradient_)\d+(?=")|(?<=url\(#)(?:clip|gradient_)\d+(?=\))'
    return re.sub(places, lambda part: renamed.get(part[0], part[0]), svg)


def _labelled(drawn: bytes, title: str, description: str, source: str) -> bytes:
    """A PNG with title, description and source in its text chunks, so that they go with the picture wherever it is pasted."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    for key, text in {"Title": title, "Description": description, "Source": source}.items():
        notes.add_itxt(key, text)
    made = io.BytesIO()
    # A chart has few colours: a palette makes the file a fifth of its size.
    flat = Image.open(io.BytesIO(drawn)).convert("RGB")
    few = flat.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(made, "PNG", pnginfo=notes)
    return made.getvalue()


def _filled(text: str) -> str:
    """The text in lines of a hundred; nothing is cut, so that joining the lines by blanks gives it back."""
    return textwrap.fill(text, 100, break_on_hyphens=False, break_long_words=False)
