"""Wardbook: how is policing doing in a London borough, and how sure can we be?

`wardbook.open(...)` is the first call of every notebook; `wardbook.boroughs()` lists what it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from wardbook.book import Book


def open(borough: str = "Tower Hamlets", period: str = "latest", **parameters: Any) -> Book:
    """Open an edition for one borough and period: see `wardbook.book.open_book`."""
    from wardbook.book import open_book

    return open_book(borough, period, **parameters)


def boroughs() -> list[str]:
    """The names `borough` takes: the Met's 32 boroughs, and London for all of them together."""
    from wardbook import places

    return [*sorted(places.boroughs()["borough"]), places.LONDON]
