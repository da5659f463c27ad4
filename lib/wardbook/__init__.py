"""Wardbook: how is policing doing in a London borough, and how sure can we be?

`wardbook.open(...)` is the first call of every notebook; `wardbook.boroughs()` lists what it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from wardbook.notebook import Book


def open(**parameters: Any) -> Book:
    """Open an edition for one borough and period: see `wardbook.notebook.open_book`."""
    from wardbook.notebook import open_book

    return open_book(**parameters)


def boroughs() -> list[str]:
    """The names `borough` takes: the Met's 32 boroughs, and London for all of them together."""
    from wardbook import places

    return [*sorted(places.boroughs()["borough"]), places.LONDON]
