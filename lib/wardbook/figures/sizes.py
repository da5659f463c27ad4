"""A chart at the size it is pasted at: a page column or a slide; its plot alone, for a page that says the rest in HTML.

All of it starts from the SVG that a run leaves, so a writer needs neither the notebook nor the edition again. What Vega
draws is known here by the classes it gives its groups; a chart that is put together otherwise is left whole.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from wardbook.figures import theme
from wardbook.figures.export import FORMATS
from wardbook.places import UnknownName

_NS = "http://www.w3.org/2000/svg"
_KNOWN = {"svg", "title", "desc", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath"}
# What a drawing needs. The rest of what Vega writes serves its own scripts, or names each of hundreds of marks to a screen
# reader that is told by the role to read the chart as one image.
# fmt: off
_DRAWN = {
    "id", "role", "aria-labelledby", "viewBox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy",
    "cx", "cy", "r", "rx", "ry", "d", "points", "transform", "fill", "fill-opacity", "stroke", "stroke-width",
    "stroke-dasharray", "stroke-opacity", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "opacity",
    "text-anchor", "dominant-baseline", "font-family", "font-size", "font-weight", "font-style", "clip-path",
    "preserveAspectRatio",
}
# fmt: on

SIZES = {
    "column": "160 mm wide, the text column of an A4 page; its PNG has 300 dots an inch",
    "slide": "1920 by 1080 pixels, the chart as large as fits above its source line",
}
_COLUMN_MM, _DPI = 160, 300
_SLIDE, _MARGIN = (1920, 1080), 40

ElementTree.register_namespace("", _NS)


def check_size(size: str) -> str:
    """The size, if it is one of `SIZES`.

    Raises
    ------
    wardbook.places.UnknownName
        for another, naming the nearest.
    """
    if size not in SIZES:
        raise UnknownName("size", size, list(SIZES), "sizes are for a page or a slide")
    return size


# -- the parts of a drawing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Placed:
    """An element with its parent, the groups it lies in, and how far down these have moved it."""

    element: ElementTree.Element
    parent: ElementTree.Element
    depth: int
    y: float
    classes: tuple[str, ...]


def _walk(
    element: ElementTree.Element, depth: int = 0, y: float = 0.0, classes: tuple[str, ...] = ()
) -> Iterator[_Placed]:
    for child in element:
        own = child.get("class", "").split()
        moved = re.match(r"translate\(\s*[-\d.e]+[ ,]+([-\d.e]+)", child.get("transform", ""))
        at = y + (float(moved[1]) if moved else 0.0)
        yield _Placed(child, element, depth, at, (*classes, *own))
        yield from _walk(child, depth + 1, at, (*classes, *own))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _lines_at(group: _Placed) -> list[float]:
    """The baseline of each line of text in a group."""
    found = []
    for placed in _walk(group.element, y=group.y):
        if _tag(placed.element) == "text":
            spans = [float(span.get("dy", 0)) for span in placed.element if _tag(span) == "tspan"]
            found += [placed.y + sum(spans[: n + 1]) for n in range(len(spans))] or [placed.y]
    return found


def _said(element: ElementTree.Element) -> str:
    return re.sub(r"\s+", "", "".join(element.itertext()))


def _titles(root: ElementTree.Element, title: str) -> tuple[_Placed | None, _Placed | None]:
    """The groups of the title above the plot and of the challenge line and source below it."""
    groups = [placed for placed in _walk(root) if "role-title" in placed.element.get("class", "").split()]
    inner = sorted((placed for placed in groups if "concat_0_group" in placed.classes), key=lambda placed: placed.depth)
    outer = [placed for placed in groups if "concat_0_group" not in placed.classes]
    head = inner[0] if inner and _said(inner[0].element).startswith(re.sub(r"\s+", "", title)) else None
    foot = outer[-1] if outer and _said(outer[-1].element).startswith("Claim:") else None
    return head, foot


def _cropped(svg: str, title: str, *, keep_title: bool) -> ElementTree.Element:
    """The drawing without its challenge line and source, and without its title and subtitle if so asked."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = (float(number) for number in root.get("viewBox").split())
    top, bottom = 0.0, height
    head, foot = _titles(root, title)
    if head is not None and not keep_title:
        top = max(_lines_at(head)) + 6
        head.parent.remove(head.element)
    if foot is not None:
        bottom = min(_lines_at(foot)) - 14
        foot.parent.remove(foot.element)
    _slim(root)
    # The white ground is as large as the whole drawing was; the page's own is white.
    for ground in [child for child in root if _tag(child) == "rect"]:
        root.remove(ground)
    root.attrib |= {
        "role": "img",
        "viewBox": f"0 {top:g} {width:g} {bottom - top:g}",
        "width": f"{width:g}",
        "height": f"{bottom - top:g}",
        "font-family": theme.FONT,
    }
    return root


def _slim(element: ElementTree.Element) -> None:
    """Drop what draws nothing or could do anything but draw: a name in the data may hold markup."""
    for child in list(element):
        if _tag(child) not in _KNOWN or child.get("opacity") == "0" or child.get("display") == "none":
            element.remove(child)
            continue
        _slim(child)
        unseen = {"background", "foreground"} & set(child.get("class", "").split()) and not child.get("fill")
        if (_tag(child) == "g" and not len(child)) or (unseen and not child.get("stroke")):
            element.remove(child)
    for name in [name for name in element.attrib if name not in _DRAWN]:
        del element.attrib[name]
    for name in ("opacity", "stroke-opacity", "fill-opacity"):
        if element.get(name) == "1":
            del element.attrib[name]
    for name in ("font-family", "role"):  # one font and one role, which the whole drawing has
        element.attrib.pop(name, None)
    for name in ("d", "transform"):
        if name in element.attrib:
            element.set(name, re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", element.get(name)))


def _written(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")


def plot_alone(svg: str, title: str) -> str:
    """The plot without title, subtitle, challenge line and source, its `<title>` and `<desc>` kept, for a page that says these."""
    return _written(_cropped(svg, title, keep_title=False))


# -- sizes -----------------------------------------------------------------------------------------------------------------


def sized_svg(svg: str, title: str, source: str, size: str) -> str:
    """The chart as an SVG of a size: whole for a column; for a slide without the challenge line, which the text file has."""
    if check_size(size) == "column":
        head = re.match(r"<svg\b[^>]*>", svg)[0]
        width, height = (float(number) for number in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head).groups())
        resized = re.sub(r'(?<= )width="[^"]*"', f'width="{_COLUMN_MM}mm"', head, count=1)
        resized = re.sub(r'(?<= )height="[^"]*"', f'height="{_COLUMN_MM * height / width:.2f}mm"', resized, count=1)
        return resized + svg[len(head) :]
    chart = _cropped(svg, title, keep_title=True)
    width, height = _SLIDE
    lines = textwrap.wrap(f"Source: {source}.", 190, break_on_hyphens=False)
    foot = 26 * len(lines)
    outer = ElementTree.Element(
        f"{{{_NS}}}svg",
        {
            "role": "img",
            "aria-labelledby": chart.get("aria-labelledby", ""),
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
        },
    )
    # A description is one of the drawing it comes first in.
    for child in [child for child in chart if _tag(child) in ("title", "desc")]:
        chart.remove(child)
        outer.append(child)
    ElementTree.SubElement(outer, f"{{{_NS}}}rect", {"width": str(width), "height": str(height), "fill": "white"})
    for name in ("role", "aria-labelledby"):
        chart.attrib.pop(name, None)
    chart.attrib |= {
        "x": str(_MARGIN),
        "y": str(_MARGIN),
        "width": str(width - 2 * _MARGIN),
        "height": str(height - 3 * _MARGIN - foot),
        "preserveAspectRatio": "xMidYMid meet",
    }
    outer.append(chart)
    for n, line in enumerate(lines):
        ElementTree.SubElement(
            outer,
            f"{{{_NS}}}text",
            {
                "x": str(_MARGIN),
                "y": str(height - _MARGIN - foot + 26 * (n + 1)),
                "font-family": theme.FONT,
                "font-size": "20px",
                "fill": theme.DARK_GREY,
            },
        ).text = line
    return _written(outer)


def labelled_png(drawn: bytes, title: str, description: str, source: str, *, dpi: int | None = None) -> bytes:
    """A PNG with title, description and source in its text chunks, so that they go with the picture wherever it is pasted.

    A chart has few colours: where they fit a palette the file is a fifth of its size, and every pixel is as it was.
    """
    import numpy as np
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    image = Image.open(io.BytesIO(drawn)).convert("RGB")
    found = image.getcolors(256)
    if found is not None:
        pixels = np.asarray(image).astype(np.uint32)
        packed = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
        colours, places = np.unique(packed, return_inverse=True)
        flat = [int(colour) >> shift & 255 for colour in colours for shift in (16, 8, 0)]
        image = Image.fromarray(places.reshape(packed.shape).astype(np.uint8))
        image.putpalette(flat)
    notes = PngInfo()
    for key, text in {"Title": title, "Description": description, "Source": source}.items():
        notes.add_itxt(key, text)
    made = io.BytesIO()
    image.save(made, "PNG", pnginfo=notes, **({"dpi": (dpi, dpi)} if dpi else {}))
    return made.getvalue()


def _png(svg: str, size: str, said: dict[str, str]) -> bytes:
    import vl_convert

    if size == "slide":
        return labelled_png(vl_convert.svg_to_png(svg), said["title"], said["alt_text"], said["source"])
    wide = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
    # The drawing in its own units: what a renderer makes of millimetres is its own affair.
    plain = re.sub(r'(width|height)="([\d.]+)mm"', "", svg[: svg.index(">")]) + svg[svg.index(">") :]
    scale = _COLUMN_MM / 25.4 * _DPI / wide
    return labelled_png(
        vl_convert.svg_to_png(plain, scale=scale), said["title"], said["alt_text"], said["source"], dpi=_DPI
    )


def write_set(folder: Path, name: str, svg: str, csv: str, txt: str, *, size: str) -> list[Path]:
    """Write one chart's set at a size into a folder, each file whole or not at all; the paths."""
    from wardbook.figures.export import read_txt

    check_size(size)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {kind: folder / f"{name}.{kind}" for kind in FORMATS}
    fresh = {kind: folder / f".{name}.{kind}.new" for kind in FORMATS}
    try:
        # A byte order mark is how Excel knows that a CSV is UTF-8; LibreOffice and every reader of CSV skip it.
        fresh["csv"].write_text(csv, encoding="utf-8-sig", newline="")
        fresh["txt"].write_text(txt, encoding="utf-8", newline="\n")
        said = read_txt(fresh["txt"])
        drawn = sized_svg(svg, said["title"], f"{said['source']}. {said['licence']}", size)
        fresh["svg"].write_text(drawn, encoding="utf-8", newline="\n")
        fresh["png"].write_bytes(_png(drawn, size, said))
        for kind in FORMATS:
            fresh[kind].replace(paths[kind])
    finally:
        for path in fresh.values():
            path.unlink(missing_ok=True)
    return list(paths.values())
