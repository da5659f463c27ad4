"""What a notebook opens first: its parameters validated, its edition verified, and one place to save what it makes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from wardbook import edition as editions
from wardbook import periods, places, reference
from wardbook.edition import Edition
from wardbook.measures.verdicts import History

if TYPE_CHECKING:
    from wardbook.figures.export import Absent, Figure


@dataclass(frozen=True)
class Book:
    """A notebook's view of one area and period: what `wardbook.open` returns."""

    area: places.Area
    period: periods.FinancialYear
    edition: Edition
    output_dir: Path | None
    targets_file: str = ""
    claims_file: str = ""
    notebook: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def provenance(self) -> str:
        """One line for the top of a notebook: area, period, edition, package version."""
        return f"{self.area.name}, {self.period} · {self.edition.provenance} · wardbook {version('wardbook')}"

    @property
    def command(self) -> str:
        """The one command that makes this notebook's figures again."""
        own = {"targets_file": self.targets_file, "claims_file": self.claims_file, **self.settings}
        said = [
            shlex.quote(f"{name}={str(value).lower() if value is True else value}")
            for name, value in own.items()
            if value
        ]
        start = f"wardbook run --borough {shlex.quote(self.area.name)} --period {self.period} --only {self.notebook}"
        return " --set ".join([start, *said])

    @cached_property
    def history(self) -> History:
        """Counts by complete financial year and the declared breaks, for the measures that compare years."""
        return History(self.edition.borough_years, self.edition.knife_years, periods.declared_breaks())

    @cached_property
    def targets(self) -> pl.DataFrame:
        """The published targets, a reader's own (parameter `targets_file`) after them."""
        return reference.targets(self.targets_file, known=self.history)

    @cached_property
    def results(self) -> pl.DataFrame:
        """The published results that targets are held against."""
        return reference.published_results()

    def save(self, *figures: Figure | Absent) -> None:
        """Save figures as SVG, PNG, CSV and TXT under the run's `charts/`; without an `output_dir` nothing is written."""
        for figure in figures:
            if self.output_dir is not None:
                figure.save(self.output_dir / "charts")

    def save_table(self, name: str, table: pl.DataFrame) -> None:
        """Save a table as CSV under the run's `tables/`; without an `output_dir` nothing is written."""
        from wardbook.figures.export import guarded_csv

        if self.output_dir is not None:
            folder = self.output_dir / "tables"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.csv").write_text(guarded_csv(table), encoding="utf-8", newline="")


def open_book(
    *,
    notebook: str,
    borough: str = "Tower Hamlets",
    period: str = "latest",
    edition: str = "data/edition",
    output_dir: str = "",
    targets_file: str = "",
    claims_file: str = "",
    settings: Mapping[str, object] | None = None,
) -> Book:
    """Validate a notebook's parameters and open its edition.

    Parameters
    ----------
    notebook : the notebook's own name, for the command under its figures.
    borough : one of the Met's 32, or "London".
    period : "latest" (the newest financial year the edition holds in full) or a financial year such as "2023-24".
    edition : folder of an edition; a relative path counts from the project's root.
    output_dir : folder for charts and tables, or "" to save nothing; a relative path counts from the project's root.
    targets_file, claims_file : a reader's own targets or claims, or "".
    settings : the notebook's other parameters, for that command; one that is empty or False is left out of it.

    Raises
    ------
    wardbook.places.UnknownName
        for an unknown borough or period, naming the nearest.
    wardbook.edition.EditionError
        for an edition that is not what its manifest says.
    """
    opened = editions.open_edition(edition)
    return Book(
        area=places.area(borough),
        period=periods.resolve_period(period, comparable_years(opened), covered_by=f"edition {opened.id}"),
        edition=opened,
        output_dir=editions.from_root(output_dir) if output_dir else None,
        targets_file=targets_file,
        claims_file=claims_file,
        notebook=notebook,
        settings=settings or {},
    )


def comparable_years(edition: Edition) -> list[periods.FinancialYear]:
    """The financial years a notebook can be run for: those held in full, in one snapshot with the year before."""
    return [year for year in edition.crime_years if edition.snapshot_for(year - 1, year)]
