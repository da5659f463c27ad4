"""The words of figures: Jinja templates over rows, one file a notebook in `words/`, one table a figure.

A table has a `title` and, for where that one does not fit, a `short` one; `subtitle`, `alt`, `sentence`, `caveat`, `how`; and
`absent`, which says why there is no chart. An `alt` that ends in "where" goes on with `each`, filled for every row. A text
that needs what is not there is an error, never a blank. Numbers are written by the filters below and nowhere else.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from wardbook.figures import theme
from wardbook.figures.table import rounded

FOLDER = Path(__file__).parent / "words"
MINUS = "−"
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PARTS = ("subtitle", "alt", "sentence", "caveat", "how", "absent", "lead")


def count(value: float | None, digits: int | None = 0) -> str:
    """A count, or a figure as it was printed with so many decimals: 12,345, 4.9, −11,693; a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits or 0}f}".replace("-", MINUS)


def percent(value: float | None, digits: int | None = None) -> str:
    """A percentage without its sign: 22%, 1.7%; one decimal under ten, none from there on, unless told."""
    if value is None:
        return "–"
    size = abs(value)
    shown = f"{size:,.{(1 if round(size, 1) < 10 else 0) if digits is None else digits}f}"
    return (shown.removesuffix(".0") if digits is None else shown) + "%"


def signed(value: float | None, digits: int | None = None) -> str:
    """A percentage with its sign: +22%, −1.7%, 0%."""
    return _with_sign(value, percent(value, digits))


def share(value: float | None, digits: int = 0) -> str:
    """A fraction as a percentage: 0.31 is 31%."""
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def points(value: float | None) -> str:
    """A signed difference of two shares: +4 points."""
    if value is None:
        return "–"
    text = f"{abs(value):.0f}"
    return f"{_with_sign(value, text)} point{'' if text == '1' else 's'}"


def signed_number(value: float, digits: int = 2) -> str:
    """A number with its sign: +0.12, −0.40."""
    return _with_sign(value, f"{abs(value):.{digits}f}")


def _with_sign(value: float | None, size: str) -> str:
    """A size as it is printed, with the sign of its value; what is printed as nought, or is not there, has none."""
    return ("+" if value > 0 else MINUS) + size if value is not None and re.search("[1-9]", size) else size


def kinds(joined: str) -> list[str]:
    """Offence groups joined by bars, each as it is said."""
    return [str(environment().globals["say"].kind(name)).strip() for name in joined.split(" | ")]


def number(value: int) -> str:
    """A small whole number as a word."""
    return _SMALL[value] if 0 <= value < len(_SMALL) else f"{value:,}"


def capital(text: str) -> str:
    """The text with its first letter a capital."""
    return text[:1].upper() + text[1:]


def possessive(name: str) -> str:
    """Whose: Hackney's, Tower Hamlets'."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def listed(items: list[str], joint: str = "and") -> str:
    """Things one after another: a, b and c."""
    items = [str(item) for item in items]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}" if items else ""


@cache
def environment() -> jinja2.Environment:
    """The templates' environment: what is not given is an error; `say` holds the phrases of `words/macros.j2`."""
    loader = jinja2.FileSystemLoader(FOLDER)
    made = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, autoescape=False)
    filters = (count, percent, signed, share, points, signed_number, kinds, number, capital, possessive, listed)
    made.filters |= {function.__name__: function for function in filters}
    made.globals["say"] = made.get_template("macros.j2").module
    return made


@cache
def templates(notebook: str) -> dict[str, dict[str, Any]]:
    """The tables of a notebook's file of words, by figure."""
    return tomllib.loads((FOLDER / f"{notebook}.toml").read_text(encoding="utf-8"))


def say(notebook: str, figure: str, *, drawn: bool = True, **facts: Any) -> dict[str, Any]:
    """The words of one figure, filled from facts: rows as dictionaries, numbers to eight significant digits.

    Where nothing is drawn, `title` (a list, the longest first) and `absent` are all that is said.

    Raises
    ------
    KeyError
        for a figure without words; jinja2.UndefinedError for a text that names a fact not given.
    """
    table, facts = templates(notebook)[figure], rounded(facts)
    told = (*_PARTS, "title", "short") if drawn else ("title", "short", "absent")
    words = dict.fromkeys(_PARTS, "") | {part: _fill(table.get(part, ""), facts) for part in told}
    words["title"] = [title for title in (words["title"], words.pop("short")) if title]
    if drawn and "each" in table:
        each = (_fill(table["each"], facts | {"row": row}) for row in facts["rows"])
        words["alt"] += f" {'; '.join(filter(None, each))}."
    return words


def has_words(notebook: str, figure: str) -> bool:
    """Is there a table of words for this figure of this notebook?"""
    return (FOLDER / f"{notebook}.toml").is_file() and figure in templates(notebook)


_NEEDED = {
    "title": "what the chart shows, in at most 12 words",
    "alt": "[chart type] of [data] where [what it shows]",
    "source": "[publication] from the [organisation]",
}


def own_words(name: str, **given: str) -> dict[str, Any]:
    """The words of a figure whose notebook has none for it, as they were given.

    Raises
    ------
    ValueError
        naming each that is missing and what it is to say, or one that no figure has.
    """
    if strange := [word for word in given if word not in (*_NEEDED, *_PARTS)]:
        known = ", ".join(dict.fromkeys((*_NEEDED, *_PARTS)))
        raise ValueError(f"the figure {name!r} has no words called {', '.join(strange)}; it has {known}")
    if missing := [f'{word}="{what}"' for word, what in _NEEDED.items() if not given.get(word)]:
        raise ValueError(f"the figure {name!r} still needs {', '.join(missing)}")
    return {part: given.get(part, "") for part in _PARTS} | {"title": [given["title"]], "alt": given["alt"]}


def statements(notebook: str, name: str, **facts: Any) -> list[dict[str, str]]:
    """Sentences that stand alone, each with its `lead` (printed bold) and `text`; those that come out empty are left out."""
    facts = rounded(facts)
    parts = [{part: _fill(one[part], facts) for part in ("lead", "text")} for one in templates(notebook)[name]["parts"]]
    return [part for part in parts if part["lead"] or part["text"]]


def with_words(frame: pl.DataFrame, notebook: str, name: str, **facts: Any) -> pl.DataFrame:
    """A frame with a column of words for each text of a table of templates, filled row by row (`row`, and the facts).

    A table that is `like` another has its texts too.
    """
    table, facts = dict(templates(notebook)[name]), rounded(facts)
    table = templates(notebook).get(table.pop("like", ""), {}) | table
    rows = rounded(frame).to_dicts()
    return frame.with_columns(
        pl.Series(column, [_fill(text, {"row": row, **facts}) for row in rows], dtype=pl.String)
        for column, text in table.items()
    )


def key(notebook: str, name: str, **facts: Any) -> list[tuple[str, str, str]]:
    """The key of a chart, as `marks.key` takes it, from "shape colour: words" of each kind of mark; colours are `theme`'s."""
    items = [item.split(": ", 1) for item in templates(notebook)[name]["key"]]
    filled = [(*look.split(), _fill(words, facts)) for look, words in items]
    return [(shape, words, getattr(theme, colour.upper())) for shape, colour, words in filled if words]


def plain(name: str) -> str:
    """An offence group as it is said: `theft or taking of a motor vehicle` is theft of vehicles."""
    return capital(str(environment().globals["say"].series(name)).strip())


def _fill(text: str, facts: dict[str, Any]) -> str:
    return joined(_template(text).render(**facts))


@cache
def _template(text: str) -> jinja2.Template:
    return environment().from_string(text)  # which compiles


def joined(text: str) -> str:
    """A filled template as one line: its line breaks, and blanks before a stop, are for whoever reads the template."""
    return re.sub(r" (?=[.,;:)])|(?<=\() ", "", " ".join(text.split()))
