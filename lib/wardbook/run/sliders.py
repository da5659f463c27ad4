"""The break-even chart as one HTML file with sliders, for readers without Python: made from the chart's JSON, it asks for nothing.

What the page computes is one product and one quotient; the lines and the published lists are those of the chart.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from wardbook.figures.figure import Figure, read_figure
from wardbook.folders import write_text
from wardbook.run.page import environment

CHART, PAGE = "load-break-even", "load-sliders.html"
# name: label, unit, lowest, highest, step
SLIDERS = {
    "subscribers": ("Subscribers of the ward", "people", 0, 6000, 10),
    "messages": ("Messages they write", "a week for every 100 subscribers", 0, 10, 0.05),
    "minutes": ("Officer time for a message", "minutes", 1, 120, 0.5),
    "hours": ("Time there is to read and answer", "hours a week", 0.1, 40, 0.1),
}


def starting_values(figure: Figure) -> dict[str, float]:
    """Where the sliders stand when the page opens: at the chart's own point and its measured hours, to each slider's step."""
    own = figure.data.row(by_predicate=pl.col("kind") == "own", named=True)
    measured = figure.data.filter(pl.col("officers").is_null(), kind="line")
    values = {
        "subscribers": own["per_ward"],
        "messages": 100 * own["messages_q50"] / own["per_ward"] if own["per_ward"] else 0.0,
        "minutes": own["minutes_q50"],
        "hours": measured["reading_hours"][0],
    }
    return {
        name: round(min(max(round(values[name] / step) * step, low), high), 2)
        for name, (_, _, low, high, step) in SLIDERS.items()
    }


def write_sliders(folder: Path) -> Path | None:
    """Write the page into a run's folder beside its charts; None where the run has no break-even chart."""
    path = folder / "charts" / f"{CHART}.json"
    if not path.is_file():
        return None
    figure = read_figure(path)
    # Of each line one row: it is straight.
    rows = figure.data.unique(["kind", "line", "place", "date"], maintain_order=True)
    drawn = rows.select(
        "kind", "officers", "messages_q05", "messages_q50", "messages_q95", "minutes_q50", "reading_hours"
    )
    template = environment().get_template("sliders.html.j2")
    text = template.render(figure=figure, sliders=SLIDERS, start=starting_values(figure), rows=drawn.to_dicts())
    write_text(folder / PAGE, text)
    return folder / PAGE
