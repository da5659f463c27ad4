"""Finished runs for tests of what is made of them, without a notebook: a chart or two, tables, a record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import altair as alt
import polars as pl

from wardbook import places
from wardbook.figures.figure import LICENCE, Figure
from wardbook.figures.table import guarded_csv
from wardbook.run import answers


@contextmanager
def newest_answers() -> Iterator[None]:
    """Have the claim box of a site hold the newest windows of each offence alone, which takes no time to answer."""
    whole = answers.box_windows
    with mock.patch.object(answers, "box_windows", lambda book, series: whole(book, series)[-1:]):
        yield


WORDS = {
    "subtitle": "Recorded offences, Sutton",
    "alt": "Bar chart of offences where burglary is 1,234.",
    "sentence": "Burglary fell to 1,234.",
    "caveat": "These are offences the police recorded.",
    "how": "the sum of two counts",
    "absent": "",
    "source": "A publication from the Publisher",
    "licence": LICENCE,
    "command": "wardbook run --borough Sutton",
    "provenance": "edition 0",
    "notebook": "03_comparison",
}


def a_figure(name="change-funnel", title="Recorded burglary fell", data=None, *, absent="", **words):
    """A bar chart of two offences, or a figure without a chart that says why."""
    if data is None:
        data = pl.DataFrame({"name": ["burglary", "robbery"], "count": [1234, 56], "share": [0.125, 3.5]})
    chart = alt.Chart(data).mark_bar().encode(x="count:Q", y="name:N")
    return Figure.of(name, None if absent else chart, data, WORDS | {"title": [title], "absent": absent} | words)


def a_run(out, figures, tables=None, *, area="Sutton", period="2024-25", notebook="03_comparison", name="", **record):
    """A finished run's folder."""
    where = places.area(area)
    folder = Path(out) / where.slug / period.replace(" ", "-")
    for part in ("charts", "tables"):
        (folder / part).mkdir(parents=True)
    for figure in figures:
        figure.save(folder / "charts")
    for table, rows in (tables or {}).items():
        (folder / "tables" / f"{table}.csv").write_text(guarded_csv(rows), encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): "" for path in folder.rglob("*") if path.is_file()}
    whole = {"area": name or where.name, "area_code": where.code, "period": period, "period_words": period}
    whole |= {"edition": "ccbcbe198f0f", "wardbook": "0.1.0", "reference": {}}
    whole |= {"inputs": {"mps/2025-11/MPS Borough Level Crime (Historical).csv": "0"}}
    whole |= {"notebooks": {notebook: {"parameters": {}, "files": files}}}
    (folder / "run.json").write_text(json.dumps(whole | record), encoding="utf-8")
    return folder


class Page(HTMLParser):
    """A page as a reader of its markup meets it: tags with attributes, and the text outside script and style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._in = [], "", []
        self.feed(text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in.append(tag)

    def handle_endtag(self, tag):
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self._in[-1:]):
            self.text += data
