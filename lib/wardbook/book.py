"""What a notebook opens first: one area, one period and the one before it, an edition, and one place to save what it makes."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from wardbook import edition as editions
from wardbook import periods, places
from wardbook.catalogue import sources
from wardbook.edition import Edition
from wardbook.periods import Period

if TYPE_CHECKING:
    import altair as alt

    from wardbook.figures.figure import Figure, Statements
    from wardbook.figures.table import Shown

# The tables that hold offences by month, with the column that says which offences, and the publisher's files they are from.
MONTHLY = {
    "borough_offences": ("offence_group", "mps-borough-crime"),
    "knife_offences": ("subtype", "mps-knife-crime"),
}


@dataclass(frozen=True)
class Book:
    """A notebook's view of one area and period: what `wardbook.open` returns.

    `period` is what is looked at, `before` the same months a year earlier.
    """

    area: places.Area
    period: Period
    edition: Edition
    output_dir: Path | None = None
    notebook: str = ""
    command: str = ""

    @property
    def before(self) -> Period:
        """The same months a year earlier."""
        return self.period.earlier()

    @property
    def provenance(self) -> str:
        """One line: area, period, edition, package version."""
        return f"{self.area.name}, {self.period.words} · {self.edition.provenance} · wardbook {version('wardbook')}"

    def __repr__(self) -> str:
        lines = [
            self.provenance,
            "tables: " + ", ".join(self.tables),
            "book.table(name) opens one and book.tables[name] says what its columns are; book.monthly() is offences by month; "
            "book.figure(name, chart, data, title=..., alt=..., source=...) saves a chart",
        ]
        # Narrower than a notebook's cell, which would break a long line inside a word.
        return "\n".join(textwrap.fill(line, 90, break_on_hyphens=False) for line in lines)

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The edition's tables by name, each with what its columns are: `column`, `meaning`, `unit`, `example`."""
        dictionary = pl.read_csv(places.ROOT / "data" / "dictionary.csv", infer_schema=False)
        return {name: dictionary.filter(table=name).drop("table") for name in self.edition.tables}

    def table(self, name: str) -> pl.DataFrame:
        """One table of the edition."""
        return self.edition.table(name)

    def monthly(self, series: str = "borough_offences", *windows: Period) -> pl.DataFrame:
        """Offences by borough (and `unknown`), offence group and month: one snapshot, and older ones of the months before it.

        Two periods are compared within one snapshot: it is the newest that holds these windows in full (without any: the
        newest period and the one before it). Since mid-2026 a release begins in 2020, too late to say what is usual: of the
        months before its first, its groups are as the newest older release has them, after its own rows.

        Returns
        -------
        pl.DataFrame
            `borough_code`, `offence_group`, `month`, `offences`, `snapshot`.

        Raises
        ------
        LookupError
            where no snapshot holds them all.
        """
        group, _ = MONTHLY[series]
        table = self.edition.table(series).rename({group: "offence_group"})
        if "snapshot" not in table.columns:
            table = table.with_columns(pl.lit(f"{table['month'].max():%Y-%m}").alias("snapshot"))
        needed = {month for window in windows or (self.before, self.period) for month in window.months}
        held = table.select("snapshot", "month").unique()
        fits = [s for s in held["snapshot"].unique() if needed <= set(held.filter(snapshot=s)["month"])]
        if not fits:
            named = " and ".join(window.words for window in windows or (self.before, self.period))
            raise LookupError(f"no snapshot of {series} in {self.edition.path} holds {named} in full")
        rows = table.filter(snapshot=max(fits))
        older = table.filter(pl.col("month") < rows["month"].min(), pl.col("snapshot") < max(fits))
        older = older.filter(pl.col("snapshot") == pl.col("snapshot").max().over("month"))
        older = older.join(rows, on="offence_group", how="semi")
        columns = ["borough_code", "offence_group", "month", "offences", "snapshot"]
        return pl.concat([rows.select(columns), older.select(columns)])

    def holds(self, series: str, *windows: Period) -> bool:
        """Can these windows (without any: the period and the one before it) be compared in this series?"""
        try:
            return series in self.edition.tables and not self.monthly(series, *windows).is_empty()
        except LookupError:
            return False

    def source(self, *series: str, snapshot: str = "") -> str:
        """The source line of what is drawn from these tables."""
        named = [sources()[MONTHLY[name][1]] for name in series]
        titles = "; ".join(source.title for source in named)
        publishers = "; ".join(dict.fromkeys(source.publisher for source in named))
        return f"{titles}{f' (to {snapshot})' if snapshot else ''} from the {publishers}"

    # -- what a notebook leaves ---------------------------------------------------------------------------------------

    def save(self, name: str, frame: pl.DataFrame) -> Shown:
        """Save a table as CSV under the run's `tables/` (nothing without an `output_dir`), and show it."""
        from wardbook.figures.table import Shown, guarded_csv

        if self.output_dir is not None:
            folder = self.output_dir / "tables"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.csv").write_text(guarded_csv(frame), encoding="utf-8", newline="")
        return Shown(frame)

    def figure(
        self,
        name: str,
        chart: alt.TopLevelMixin | None,
        data: pl.DataFrame,
        *,
        source: str = "",
        licence: str = "",
        table: str = "",
        **facts: Any,
    ) -> Figure:
        """A figure from a chart, exactly the data it plots, and the words its notebook has for it; saved, and shown whole.

        A notebook without words of its own gives them here: `title` (at most 12 words, what the chart shows), `alt` ("[chart
        type] of [data] where [what it shows]"), and, if it likes, `subtitle`, `sentence`, `caveat` and `how`.

        Parameters
        ----------
        name : lower-case words joined by hyphens; the table of this name in `words/<notebook>.toml` is its words.
        chart : an Altair chart (a plot, layers, either with `.facet(field)`, or plots in one concatenation), or None where there
            is nothing that can be drawn honestly: its words then say why.
        data : what is plotted; `rows` in its words.
        source : "[publication] from the [organisation]".
        table : the table of its words, if it is not named like the figure.
        facts : whatever else its words name, or the words themselves.

        Raises
        ------
        ValueError
            naming every word that a figure without a table of words still needs, or for a chart that does not fit every size.
        """
        from wardbook.figures import wording
        from wardbook.figures.figure import LICENCE, Figure
        from wardbook.figures.table import rounded

        if wording.has_words(self.notebook, table or name):
            given = {"rows": rounded(data).to_dicts(), **self.facts, **facts}
            words = wording.say(self.notebook, table or name, drawn=chart is not None, **given)
        else:
            words = wording.own_words(name, source=source, **facts)
        words |= {
            "source": source,
            "licence": licence or LICENCE,
            "command": self.command,
            "provenance": self.provenance,
            "notebook": self.notebook,
        }
        # Held to the schema where it is written: in Lab, and by nbval; not each time it is run into a folder.
        figure = Figure.of(name, chart, data, words, validated=self.output_dir is None)
        if self.output_dir is not None:
            figure.save(self.output_dir / "charts")
        return figure

    def say(self, name: str, **facts: Any) -> Statements:
        """Sentences without a chart, from the table of this name in the notebook's words; saved with the run's words."""
        from wardbook.figures import wording
        from wardbook.figures.figure import Statements

        said = Statements(name, wording.statements(self.notebook, name, **self.facts, **facts))
        if self.output_dir is not None:
            said.save(self.output_dir / "words")
        return said

    @property
    def facts(self) -> dict[str, Any]:
        """What every template may name: the area, the period and the one before it, in words."""
        return {
            "area": self.area.name,
            "is_london": self.area.is_london,
            "period": self.period.words,
            "before_period": self.before.words,
        }


def open_book(
    borough: str = "Tower Hamlets",
    period: str = "latest",
    *,
    notebook: str = "",
    edition: str = "data/edition",
    output_dir: str = "",
    **settings: object,
) -> Book:
    """Validate a notebook's parameters and open its edition.

    Parameters
    ----------
    borough : one of the Met's 32, or "London".
    period : "latest" (the newest twelve complete months), a financial year such as "2024-25", or "year to 2025-11".
    notebook : the notebook's own name, for its words and for the command under its figures.
    edition : folder of an edition; a relative path counts from the project's root.
    output_dir : folder for charts and tables, or "" to save nothing; a relative path counts from the project's root.
    settings : the notebook's other parameters, for that command; one that is empty or False is left out of it.

    Raises
    ------
    wardbook.places.UnknownName
        for an unknown borough or period, naming the nearest.
    wardbook.edition.EditionError
        for an edition that is not what its manifest says.
    """
    opened = editions.open_edition(edition)
    area = places.area(borough)
    held = sorted(opened.table("borough_offences")["month"].unique())
    window = periods.read_period(period, newest=periods.complete_years(held)[-1].last)
    both = [*window.earlier().months, *window.months]
    if not set(both) <= set(held):
        first, last = periods.year_to(held[-1]), f"{held[0]:%B %Y} to {held[-1]:%B %Y}"
        where = f"edition {opened.id} holds {last}; a period is compared with the same months a year before"
        raise places.UnknownName("period", period, [str(first)], where)
    # A number that is 0 equals False, and is given.
    given = {name: value for name, value in settings.items() if value is not False and value not in ("", None)}
    words = [f"{name}={value}" for name, value in given.items()]
    asked = ["--borough", area.name, "--period", str(window), *(["--only", notebook] if notebook else [])]
    command = shlex.join(["wardbook", "run", *asked, *(part for word in words for part in ("--set", word))])
    return Book(
        area=area,
        period=window,
        edition=opened,
        output_dir=places.from_root(output_dir) if output_dir else None,
        notebook=notebook,
        command=command,
    )
