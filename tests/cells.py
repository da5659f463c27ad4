"""Runs a notebook's code cells in this process, with parameters of a test's own: no kernel, every figure and sentence at hand."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from types import SimpleNamespace
from typing import Any

import IPython.display
import numpy as np
import polars as pl
import pytest

from conftest import ROOT
from wardbook import edition as editions
from wardbook.book import Book
from wardbook.figures.figure import Figure, Statements
from wardbook.figures.table import guarded_csv
from wardbook.places import from_root

# One copy of the committed edition's tables for all runs of a process: kept runs would each hold their own.
committed = cache(editions.open_edition)

# Words that no reader is to meet, whatever a column is called.
BANNED = "counting noise|usual variation|outturn|draws|little different|not cut|no of|1 were|1 months|offences is|– lie"


@dataclass
class Left:
    """What a notebook left: its names, its figures and its sentences without a chart."""

    names: dict[str, Any]
    figures: dict[str, Figure] = field(default_factory=dict)
    statements: dict[str, Statements] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)

    @property
    def titles(self) -> list[str]:
        """Every title of every figure."""
        return [title for figure in self.figures.values() for title in figure.words["title"]]

    @property
    def texts(self) -> list[str]:
        """Every text a reader meets."""
        words = [figure.words for figure in self.figures.values()]
        parts = ("subtitle", "sentence", "caveat", "alt", "how", "absent")
        drawn = [word[part] for word in words for part in parts if word.get(part)]
        return [*self.titles, *drawn, *chain(*self.told.values())]

    @property
    def told(self) -> dict[str, list[str]]:
        """The sentences of every statement without a chart."""
        return {name: [f"{part['lead']} {part['text']}" for part in one.parts] for name, one in self.statements.items()}


@cache
def code(name: str) -> tuple[tuple[bool, str], ...]:
    """A notebook's code cells: is it the parameters' cell, and its source."""
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    return tuple(("parameters" in cell["metadata"].get("tags", []), "".join(cell["source"])) for cell in cells)


def _stepped(name: str, names: dict[str, Any], parameters: dict[str, Any]) -> Iterator[None]:
    """Run a notebook's cells one by one in these names, with these parameters in place of its own."""
    for is_parameters, source in code(name):
        exec(compile(source, f"{name}.ipynb", "exec"), names)
        if is_parameters:
            assert set(parameters) <= set(names), f"{name} has no parameter {set(parameters) - set(names)}"
            names |= parameters
        yield


def run(name: str, *, plain: bool = True, **parameters: Any) -> Left:
    """Run a notebook with these parameters in place of its own; its words must be `plain`."""
    left = Left({"__name__": "notebook"})
    with _watched(left):
        for _ in _stepped(name, left.names, parameters | {"output_dir": ""}):
            pass
    assert not plain or not (wrong := check_words(left)), wrong
    return left


@cache
def shared(name: str, **parameters: Any) -> Left:
    """`run` with these parameters, once for all tests of a process: what it left is to be read, not changed."""
    return run(name, **parameters)


def run_until(name: str, wanted: str, **parameters: Any) -> Any:
    """Run a notebook's cells until one has given a name its value; the value. Nothing is drawn after it."""
    names: dict[str, Any] = {"__name__": "notebook"}
    next(_ for _ in _stepped(name, names, parameters) if wanted in names)
    return names[wanted]


def golden(left: Left) -> dict[str, Any]:
    """What a notebook left, as its golden holds it: every text a reader meets, and a line on every frame drawn or saved."""
    drawn, absent = ("title", "subtitle", "sentence", "caveat", "alt", "how"), ("title", "absent")
    figures = {}
    for name, figure in left.figures.items():
        figures[name] = {part: figure.words[part] for part in (absent if figure.absent else drawn)}
        figures[name]["data"] = _line(figure.data)
    tables = {name: _line(frame) for name, frame in left.tables.items()}
    return {"figures": figures, "statements": left.told, "tables": tables}


def _line(frame: pl.DataFrame) -> str:
    """A frame in one line: its rows, its columns, and a fingerprint of its CSV."""
    digest = hashlib.sha256(guarded_csv(frame).encode()).hexdigest()[:12]
    return f"{frame.height} rows, {digest}: {', '.join(frame.columns)}"


@contextmanager
def _watched(left: Left) -> Iterator[None]:
    open_edition = editions.open_edition

    def kept(method, into):
        real = getattr(Book, method)

        def watched(self, name, *arguments, **more):
            told = real(self, name, *arguments, **more)
            into[name] = arguments[0] if method == "save" else told
            return told

        return watched

    def opened(path=editions.COMMITTED):
        return committed() if from_root(path) == editions.COMMITTED else open_edition(path)

    with pytest.MonkeyPatch.context() as patch:
        for method, into in (("figure", left.figures), ("say", left.statements), ("save", left.tables)):
            patch.setattr(Book, method, kept(method, into))
        patch.setattr(editions, "open_edition", opened)
        patch.setattr(IPython.display, "display", lambda *shown: None)  # charts are made and not drawn
        yield


def sentences(text: str) -> list[str]:
    """A text's sentences: a full stop followed by a blank ends one."""
    return [part for part in re.split(r"(?<=[.!?]) ", text) if part]


def check_words(left: Left) -> list[str]:
    """What is wrong with a notebook's words: a title of more than twelve, a sentence of more than twenty-five, a banned word."""
    wrong = [f"title of {len(title.split())} words: {title}" for title in left.titles if len(title.split()) > 12]
    said = [figure.words["sentence"] for figure in left.figures.values() if not figure.absent]
    said += chain(*left.told.values())
    wrong += [f"{len(one.split())} words: {one}" for text in said for one in sentences(text) if len(one.split()) > 25]
    banned = rf"\b(?i:{BANNED})\b|\bNone\b(?! of)|\b[Nn]one of [^,.]* it \w+|\bnan\b|  |\{{\{{"
    return wrong + [f"{bad[0]!r} in: {text}" for text in left.texts if (bad := re.search(banned, text))]


# -- the last bits of a number ------------------------------------------------------------------------------------------------


def shaken(part: Any, draw: np.random.Generator) -> Any:
    """A frame's columns or a chart's specification, every fraction times 1 ± 1e-13 at random: more than processors differ by."""
    if isinstance(part, float):
        return part * (1 + draw.choice([-1e-13, 1e-13]))
    if isinstance(part, dict):
        return {name: shaken(value, draw) for name, value in part.items()}
    return [shaken(value, draw) for value in part] if isinstance(part, list) else part


def drawn_twice(monkeypatch: Any, name: str, **parameters: Any) -> list[str]:
    """Run a notebook with every figure made again from shaken numbers: what is drawn is the same, or the test fails."""
    made, compared, draw = Figure.of.__func__, [], np.random.default_rng(1)

    def twice(cls, figure_name, chart, data, words, **how):
        one = made(cls, figure_name, chart, data, words, **how)
        if chart is not None:
            other = SimpleNamespace(to_dict=lambda **form: shaken(chart.to_dict(**form), draw))
            moved = pl.DataFrame(shaken(data.to_dict(as_series=False), draw), schema=data.schema)
            again = made(cls, figure_name, other, moved, words, **how)
            assert again.spec == one.spec and again.csv() == one.csv(), figure_name
            compared.append(figure_name)
        return one

    monkeypatch.setattr(Figure, "of", classmethod(twice))
    run(name, **parameters)
    return compared
