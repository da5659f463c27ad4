"""A figure and the set it leaves as: SVG, PNG, CSV and TXT, each of which can stand alone in a paper."""

from __future__ import annotations

import hashlib
import re
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import escape

import altair as alt
import polars as pl

from wardbook.figures import theme
from wardbook.figures.table import Shown, guarded_csv, read_csv, rounded

__all__ = ["Absent", "Figure", "Interactive", "Said", "Shown", "guarded_csv", "read_csv", "read_txt"]

FORMATS = ("svg", "png", "csv", "txt")

# The parts of a text file under the headings they have there, which is how `read_txt` knows them.
_TXT = {
    "Title": "title",
    "Subtitle": "subtitle",
    "In a sentence": "sentence",
    "Alt text": "alt_text",
    "If challenged": "challenge",
    "Source": "source",
    "Licence": "licence",
}
_NO_CHART = "No chart"


def read_txt(path: Path) -> dict[str, str]:
    """What a chart's text file says: the fields of `Figure` that are text, or `reason` where there is no chart.

    A blank is one blank, as `Figure.txt` wraps its lines.

    Raises
    ------
    ValueError
        for a text file that no figure wrote.
    """
    blocks = [block.strip().splitlines() for block in path.read_text(encoding="utf-8").split("\n\n") if block.strip()]
    parts = {block[0]: " ".join(block[1:]) for block in blocks}
    if _NO_CHART in parts:
        return {"reason": parts[_NO_CHART]}
    if missing := [name for name in _TXT if name not in parts]:
        raise ValueError(f"{path} is not the text of a chart: it has no {', '.join(missing)}")
    return {part: parts[name] for name, part in _TXT.items()}


def _filled(text: str) -> str:
    """The text in lines of a hundred; nothing is cut, so that joining the lines by blanks gives it back."""
    return textwrap.fill(text, 100, break_on_hyphens=False, break_long_words=False)


def _own_ids(svg: str, prefix: str) -> str:
    """The ids of clips and gradients counted within the drawing: as drawn, they count every chart of the process so far."""
    made = dict.fromkeys(re.findall(r'\bid="((?:clip|gradient_)\d+)"', svg))
    renamed = {ident: f"{prefix}-part-{number}" for number, ident in enumerate(made, 1)}
    return re.sub(
        r'(?<=\bid=")(?:clip|gradient_)\d+(?=")|(?<=url\(#)(?:clip|gradient_)\d+(?=\))',
        lambda found: renamed.get(found[0], found[0]),
        svg,
    )


def _lines(text: str, width: int) -> list[str]:
    """The text in lines; "self-defined" and "--only" stay whole."""
    return textwrap.wrap(text, width, break_on_hyphens=False)


@dataclass(frozen=True)
class Figure:
    """A chart with everything a reader needs to use it and a challenger needs to check it.

    `data` is exactly what is plotted. In a notebook it shows as an SVG, beside a line with the title, the row count and a
    hash of the data: nbval compares both, so a number that moved turns the notebook red even where no table prints it.
    """

    name: str
    chart: alt.TopLevelMixin
    data: pl.DataFrame
    title: str
    subtitle: str
    alt_text: str
    sentence: str
    challenge: str
    source: str
    licence: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", rounded(self.data))
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise ValueError(
                f"a figure's name is lower-case words joined by hyphens, since files are named by it: {self.name!r}"
            )

    @property
    def rows(self) -> str:
        """How many rows the data has: 1 row, 8 rows."""
        return f"{self.data.height} row{'s' if self.data.height != 1 else ''}"

    @property
    def complete(self) -> alt.VConcatChart:
        """The chart with its title, subtitle, challenge line and source, as it is exported."""
        titled = self.chart.properties(
            title=alt.TitleParams(text=_lines(self.title, 66), subtitle=_lines(self.subtitle, 92))
        )
        foot = [*_lines(self.challenge, 112), *_lines(f"Source: {self.source}. {self.licence}.", 112)]
        return alt.vconcat(
            titled,
            title=alt.TitleParams(
                text=foot, orient="bottom", fontSize=11, fontWeight="normal", lineHeight=15, offset=16, frame="bounds"
            ),
        ).configure(**theme.config())

    def csv(self) -> str:
        """The plotted data, one header row."""
        return guarded_csv(self.data)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the SHA-256 of the plotted data."""
        return hashlib.sha256(self.data.write_csv().encode()).hexdigest()[:12]

    @cached_property
    def _drawn(self) -> str:
        # A notebook shows a figure and then saves it, and a PNG is made of its SVG: drawn once.
        import vl_convert

        return _own_ids(vl_convert.vegalite_to_svg(rounded(self.complete.to_dict())), f"wb-{self.name}")

    def svg(self) -> str:
        """The chart as an accessible SVG: `role="img"`, `<title>` and `<desc>` first, tied by id."""
        drawn = self._drawn
        head = re.match(r"<svg\b[^>]*>", drawn)
        if head is None:
            raise RuntimeError(f"the chart {self.name!r} was not drawn as an SVG")
        ident = f"wb-{self.name}"
        opening = head[0].replace("<svg", f'<svg role="img" aria-labelledby="{ident}-title {ident}-desc"', 1)
        described = f'<title id="{ident}-title">{escape(self.title)}</title><desc id="{ident}-desc">{escape(self.alt_text)}</desc>'
        return opening + described + drawn[head.end() :]

    def png(self) -> bytes:
        """The chart at twice its size in pixels, on white, its title and source in the file."""
        import vl_convert

        from wardbook.figures import sizes

        # The same bytes as `vegalite_to_png` of the chart, in half the time.
        drawn = vl_convert.svg_to_png(self._drawn, scale=2)
        return sizes.labelled_png(drawn, self.title, self.alt_text, self.source)

    def interactive(self) -> Interactive:
        """The chart in a frame where a mark says its data under the pointer: to explore with, not to save."""
        import vl_convert

        chart = rounded(self.complete.to_dict())
        chart["config"]["mark"] = {"tooltip": {"content": "data"}}
        width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', self._drawn).groups()
        # `bundle` puts Vega itself into the page, which then asks no network for it.
        return Interactive(self.title, vl_convert.vegalite_to_html(chart, bundle=True), float(width), float(height))

    def txt(self) -> str:
        """Everything about the chart that is not in its CSV; `read_txt` reads it back."""
        parts = {name: getattr(self, part) for name, part in _TXT.items()}
        parts["Data"] = f"{self.name}.csv, {self.rows}, fingerprint {self.fingerprint}"
        return "\n\n".join(f"{name}\n{_filled(text)}" for name, text in parts.items()) + "\n"

    def export(self, folder: Path | str, *, size: str = "column") -> list[Path]:
        """Put the set into a folder at a size to paste: "column" of a page or "slide"; the paths.

        A relative folder counts from the project's root, as everywhere in a notebook.
        """
        from wardbook.edition import from_root
        from wardbook.figures import sizes

        return sizes.write_set(from_root(folder), self.name, self.svg(), self.csv(), self.txt(), size=size)

    def save(self, folder: Path) -> list[Path]:
        """Write the set into a folder, and return the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{kind}" for kind in FORMATS]
        paths[0].write_text(self.svg(), encoding="utf-8")
        paths[1].write_bytes(self.png())
        paths[2].write_text(self.csv(), encoding="utf-8")
        paths[3].write_text(self.txt(), encoding="utf-8")
        return paths

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        summary = f"{self.title}\n{self.subtitle}\n{self.alt_text}\n{self.rows} plotted, fingerprint {self.fingerprint}"
        return {"image/svg+xml": self.svg(), "text/plain": summary}


@dataclass(frozen=True)
class Interactive:
    """A page with one chart, shown in a notebook as a frame that can run its own script and reach nothing else."""

    title: str
    page: str
    width: float
    height: float

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        page, title = (escape(text, {'"': "&quot;"}) for text in (self.page, self.title))
        size = f"width: {self.width + 20:.0f}px; height: {self.height + 40:.0f}px"
        frame = f'<iframe sandbox="allow-scripts" title="{title}" style="border: 0; {size}" srcdoc="{page}"></iframe>'
        return {"text/html": frame, "text/plain": f"{self.title} (interactive)"}


@dataclass(frozen=True)
class Absent:
    """A figure that cannot be drawn honestly: it says why in the figure's place, and leaves a text file instead of a set."""

    name: str
    reason: str

    @property
    def sentence(self) -> str:
        """What stands where the figure's sentence would."""
        return f"No chart: {self.reason}."

    def save(self, folder: Path) -> list[Path]:
        """Write the reason where the figure's text would be, so that no hole is left."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.txt"
        path.write_text(f"{_NO_CHART}\n{_filled(self.reason)}\n", encoding="utf-8")
        return [path]

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": f"No chart: {self.reason}"}


class Said:
    """Generated sentences shown as prose, a paragraph each, with the same text for nbval to compare."""

    def __init__(self, *sentences: str):
        self.text = "\n\n".join(line for sentence in sentences for line in sentence.splitlines() if line)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        # A name that holds an asterisk or an underscore is text, not emphasis.
        return {"text/markdown": re.sub(r"([*_`<\[])", r"\\\1", self.text), "text/plain": self.text}
