"""Boroughs and wards: codes, names, spellings, and which vintage a set of ward codes belongs to.

Keys are GSS codes; names are for display. Publishers spell names differently, so a name is only ever turned into a code
here, against `data/reference/boroughs.csv`.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "data" / "reference"
LONDON = "London"
LONDON_CODE = "E12000007"
UNKNOWN = "unknown"  # the borough_code of offences whose borough the Met did not record


def from_root(path: Path | str) -> Path:
    """A path as given if absolute, else counted from the project's root: nbval and papermill run in different folders."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path


class UnknownName(ValueError):
    """A name that is not one of the allowed ones; the message names the nearest match and where the list is."""

    def __init__(self, kind: str, value: object, allowed: Iterable[str], where: str, *, why: str = ""):
        self.kind, self.value, self.allowed = kind, value, list(allowed)
        text = str(value)[:120]  # a value may be a whole file; no name is as long as this
        value = value if text == str(value) else f"{text}…"
        folded = {a.casefold(): a for a in self.allowed}
        # A near name is a slip of the pen, or the start of a name: "vehicle crime" is no slip for "violent crime".
        begun = sorted((n for key, n in folded.items() if len(text) > 3 and key.startswith(text.casefold())), key=len)
        near = begun[:1] or [folded[m] for m in difflib.get_close_matches(text.casefold(), folded, n=1, cutoff=0.8)]
        hint = why or (f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(self.allowed)}")
        super().__init__(f"unknown {kind} {value!r}: {hint} ({where})")


@dataclass(frozen=True)
class Area:
    """A borough, or London (the Met's 32 boroughs together): GSS code, name and folder name."""

    code: str
    name: str

    @property
    def slug(self) -> str:
        """Lower-case name with hyphens, for folders: `tower-hamlets`."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def is_london(self) -> bool:
        return self.code == LONDON_CODE


@cache
def boroughs() -> pl.DataFrame:
    """The Met's 32 boroughs: `borough_code`, `borough`, by code. The City of London is another force and not among them."""
    table = pl.read_csv(REFERENCE / "boroughs.csv")
    return (
        table.filter(pl.col("police_force") == "Metropolitan Police Service")
        .select("borough_code", "borough")
        .sort("borough_code")
    )


def _key(name: str) -> str:
    text = html.unescape(name).casefold().replace("&", " and ").replace(".", " ")
    return " ".join(text.split())


@cache
def _spellings() -> dict[str, str]:
    table = pl.read_csv(REFERENCE / "boroughs.csv")
    codes = {}
    for code, name, others in table.select("borough_code", "borough", "other_spellings").iter_rows():
        for spelling in [name, *(others or "").split(" | ")]:
            if spelling:
                codes[_key(spelling)] = code
    return codes


def borough_code(name: str) -> str | None:
    """The GSS code for a borough under any publisher's spelling, the City of London included; None if it is no borough."""
    return _spellings().get(_key(name))


def leading_borough(text: str) -> str | None:
    """The code of the Met borough whose name a text begins with ("Lambeth Stockwell West & Larkhall"); None if with none.

    The longest name wins, so that "Richmond upon Thames Barnes" is not cut at a spelling that is a part of the name.
    """
    met, key = set(boroughs()["borough_code"]), _key(text)
    fits = [name for name, code in _spellings().items() if code in met and f"{key} ".startswith(f"{name} ")]
    return _spellings()[max(fits, key=len)] if fits else None


def area(name: str) -> Area:
    """The area a reader names: one of the Met's 32 boroughs, or "London" for all of them together.

    Raises
    ------
    UnknownName
        naming the nearest match, or saying why the City of London is none.
    """
    table = boroughs()
    if str(name).strip().casefold() == LONDON.casefold():
        return Area(LONDON_CODE, LONDON)
    code = borough_code(str(name).strip())
    if code is None or code not in set(table["borough_code"]):
        # The nearest name to the City of London is London, which is everything but it.
        why = "it has a police force of its own, whose figures are not here" if code else ""
        allowed = [LONDON, *table["borough"].to_list()]
        raise UnknownName("borough", name, allowed, "data/reference/boroughs.csv", why=why)
    return Area(code, table.row(by_predicate=pl.col("borough_code") == code, named=True)["borough"])


class WardVintageError(ValueError):
    """Ward codes joined to a table of another vintage."""


def check_ward_vintage(codes: Iterable[str], wards: Iterable[str], *, data: str, table: str) -> None:
    """Refuse data some of whose distinct ward codes are not in `wards`.

    A join on the wrong vintage looks partly right (149 of 657 codes of 2018 are still in use), so a partial match is
    never made. Codes are compared without the trailing blanks one dashboard leaves on them.

    Raises
    ------
    WardVintageError
        naming the data, the table and the match rate.
    """
    wanted = {code.strip() for code in codes}
    if missing := sorted(wanted - {ward.strip() for ward in wards}):
        fits = len(wanted) - len(missing)
        raise WardVintageError(
            f"{data}: only {fits} of {len(wanted)} ward codes ({fits / len(wanted):.1%}) are in {table}; "
            f"these are wards of another vintage (for example {', '.join(missing[:3])}), so nothing was joined"
        )
