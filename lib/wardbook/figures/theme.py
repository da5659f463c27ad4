"""How a chart looks: the Government Analysis Function's palette, one font, and nothing else decided elsewhere.

What the theme cannot guarantee: turquoise and orange drop below 3:1 on anything but white and are never used as
text; a chart of more than four colours is a chart to redraw.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict

DARK_BLUE, TURQUOISE, DARK_PINK = "#12436D", "#28A197", "#801650"
ORANGE, DARK_GREY = "#F46A25", "#3D3D3D"
MID_BLUE, LIGHT_BLUE = "#2073BC", "#6BACE6"
FOCUS, CONTEXT = DARK_BLUE, "#BFBFBF"
FAINT, QUIET, USUAL = "#E3E3E3", "#7F7F7F", "#DCE3EA"

# Liberation Sans comes with vl-convert, so text is measured alike on every machine; Arial has the same widths.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


def config(font: float) -> dict:
    """The Vega-Lite configuration of every chart for text of this size in px: white ground, horizontal text, quiet axes."""
    by = font / 12

    def px(size: float) -> float:
        return round(size * by, 1)

    text = {"labelColor": DARK_GREY, "titleColor": DARK_GREY, "labelFontSize": px(12), "titleFontSize": px(12)}
    text["titleFontWeight"] = "normal"
    lines = {"gridColor": FAINT, "domainColor": DARK_GREY, "tickColor": DARK_GREY}
    return {
        "background": "white",
        "font": FONT,
        "padding": 12,
        "view": {"stroke": None},
        "axis": {**text, **lines, "labelLimit": 320 * by, "tickSize": 5 * by, "labelPadding": 3 * by},
        "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleY": -8, "titleX": 0},
        "legend": {**text, "orient": "bottom", "title": None, "symbolStrokeWidth": 2},
        "text": {"color": DARK_GREY, "fontSize": px(12)},
    }


# How wide letters are, in thousandths of the font's size: Helvetica's published metrics, which Liberation Sans shares.
_WIDE = {
    278: " !,./:;[]\\ft·|",
    191: "'",
    222: "ijl’‘",
    333: "()-r`",
    355: '"',
    500: "Jckszvxy",
    584: "+<=>~−",
    722: "CDHNRUw",
    667: "ABEKPSVXY&",
}
_WIDE |= {611: "FTZ", 778: "GOQ", 833: "Mm", 889: "%", 944: "W", 1015: "@", 1000: "—…"}
_LETTERS = defaultdict(lambda: 556, {letter: width for width, letters in _WIDE.items() for letter in letters})


def text_width(text: str, font: float, *, bold: bool = False) -> float:
    """How wide a text is drawn, in px; bold is a little wider."""
    return sum(map(_LETTERS.__getitem__, text)) * font / 1000 * (1.08 if bold else 1)


def wrap(text: str, width: float, font: float, *, bold: bool = False) -> list[str]:
    """A text in lines no wider than so many px; a word that is wider, as a reader's own may be, is broken."""
    lines: list[str] = []
    for word in text.split():
        if text_width(word, font, bold=bold) > width:
            lines += textwrap.wrap(word, max(1, int(width / font)))
            continue
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, font, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
