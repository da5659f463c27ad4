"""The command line: `wardbook run | export | site | claim | fetch | build | check | notebooks | lab`. The one module that prints.

Exit codes are for a scheduler: 0 done, 1 a notebook or a file that failed, 2 a name or a value that is not known.
What a command is for goes to standard output, and everything else to standard error.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

# Everything but these is imported by the command that needs it: help then answers at once.
app = typer.Typer(
    help="How is policing doing in a London borough, and how sure can we be?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text reads the same in a log
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; again in UTF-8 where the environment says ASCII (LC_ALL=C PYTHONUTF8=0), which polars' paths are not."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})
    app()


# Options that several commands have ----------------------------------------------------------------------------------


def _from_here(path: Path | None) -> Path | None:
    """A path typed on the command line counts from the working directory; what the library is given is absolute."""
    return None if path is None else Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - .. without following links


def _place(*names: str, **more: str) -> typer.models.OptionInfo:
    return typer.Option(*names, callback=_from_here, **more)


_BOROUGH = typer.Option(help='One of the Met\'s 32 boroughs, or "London" for all of them together.')
Borough = Annotated[str, _BOROUGH]
Results = Annotated[Path | None, _place("--out", help="Where results go.  [default: the project's outputs/]")]
Tables = Annotated[Path | None, _place("--edition", help="The tables.  [default: the project's data/edition]")]
Raw = Annotated[
    Path | None,
    typer.Option(
        "--raw",
        callback=lambda path: _from_here(path) or _raw(),
        help="The publishers' files.  [default: WARDBOOK_RAW, else the project's data/raw]",
    ),
]


# The commands ---------------------------------------------------------------------------------------------------------


@app.command()
def run(
    borough: Annotated[str | None, _BOROUGH] = None,
    every: Annotated[bool, typer.Option("--all", help="Every borough and London, and the website of them.")] = False,
    period: Annotated[str, typer.Option(help='"latest", "2024-25", or "year to 2025-11".')] = "latest",
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A notebook to run; again for more.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Another parameter; again for more.")
    ] = None,
    out: Results = None,
    edition: Tables = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --all: processes.  [default: one a processor]")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="tcp://…", help="With --all: a Dask cluster that sees the same folders."),
    ] = None,
) -> None:
    """Run the notebooks for a borough and period; the last two lines printed are the folder and its summary page."""
    if every == bool(borough):
        raise typer.BadParameter("Missing option '--borough', or --all for every borough (one of the two)")
    if not every and (workers or scheduler):
        raise typer.BadParameter("--workers and --scheduler go with --all")
    given = [_pair(text) for text in settings or []]
    if twice := [name for name, count in Counter(name for name, _ in given).items() if count > 1]:
        raise typer.BadParameter(f"{twice[0]!r} is set twice", param_hint="--set")
    what = {"only": only or None, "settings": dict(given)}
    what |= {"out": out or "outputs", "edition": edition or "data/edition"}
    if every:
        _run_all(period, workers=workers, scheduler=scheduler, **what)
        return
    with _told():
        from wardbook.run import runner
        from wardbook.run.page import PAGE

        folder = runner.run(borough, period, progress=_began, **what)
        print(_relative(folder))
        print(_relative(folder / PAGE))


def _run_all(period: str, *, out: Path | str, edition: Path | str, **what: object) -> None:
    with _told(stopped="what is whole stays; the same command does the rest"):
        from wardbook.places import from_root
        from wardbook.run import many
        from wardbook.run import site as sites

        def told(outcome: many.Outcome, number: int, total: int) -> None:
            print(f"{number} of {total} {outcome.area}: {outcome.state}", file=sys.stderr, flush=True)

        outcomes = many.run_all(period, out=out, edition=edition, told=told, **what)
        failed = [outcome for outcome in outcomes if outcome.state == "failed"]
        for outcome in failed:
            print(_relative(f"{outcome.area}: {outcome.why}"))
        counts = Counter(outcome.state for outcome in outcomes)
        print(f"{counts['done']} run, {counts['unchanged']} unchanged and left alone, {counts['failed']} failed")
        if not failed:
            print(_relative(sites.write_site(out, edition=edition)))
        print(_relative(from_root(out)))
        if failed:
            raise typer.Exit(1)


@app.command()
def export(
    borough: Borough,
    to: Annotated[Path, _place(help="The folder to put it in.")],
    chart: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A chart of the run; again for more.")] = None,
    workbook: Annotated[bool, typer.Option("--workbook", help="The run's tables as one workbook.")] = False,
    period: Annotated[str, typer.Option(help='"latest" that has been run, or another.')] = "latest",
    size: Annotated[str, typer.Option(help='"column" of an A4 page, "slide", "phone" or "page".')] = "column",
    out: Annotated[Path | None, _place(help="Where results are.  [default: the project's outputs/]")] = None,
) -> None:
    """Put charts or the tables of a finished run where you want them, at the size of a page column or a slide."""
    if not chart and not workbook:
        raise typer.BadParameter("name a chart, or ask for --workbook", param_hint="--chart")
    with _told():
        from wardbook.run import export as exporting

        folder = exporting.find_run(borough, period, out=out or "outputs")
        for path in exporting.export(folder, to, charts=chart or [], workbook=workbook, size=size):
            print(_relative(path))


@app.command()
def site(
    to: Annotated[Path | None, _place("--out", help="The site's folder.  [default: outputs/site]")] = None,
    runs: Annotated[Path | None, _place("--from", help="Where results are.  [default: the project's outputs/]")] = None,
    edition: Tables = None,
) -> None:
    """Make one website of the newest finished run of each area; the last line printed is its front page."""
    with _told():
        from wardbook.run import site as sites

        print(_relative(sites.write_site(runs or "outputs", to, edition or "data/edition")))


@app.command()
def claim(
    borough: Borough,
    offence: Annotated[str, typer.Option(help='An offence, such as "vehicle crime"; "list" prints every name taken.')],
    first: Annotated[str, typer.Option("--from", help='The earlier period: "2023-24", "year to 2024-11", …')] = "",
    last: Annotated[str, typer.Option("--to", help='The later one, or "latest".')] = "latest",
    out: Results = None,
    edition: Tables = None,
) -> None:
    """Answer a claim about one change in one sentence and one chart set; the last line printed is their folder."""
    if not first and offence != "list":
        raise typer.BadParameter("Missing option '--from'")
    with _told():
        from wardbook import claim as claims

        tables = edition or "data/edition"
        if offence == "list":
            known = claims.offences(claims.open_book(borough, edition=str(tables)))
            for words, (_, item) in sorted(known.items()):
                print(words if words == item.casefold() else f"{words} ({item})")
            return
        answer = claims.claim(borough, offence, first, last, out=out or "outputs", edition=tables)
        print(answer.sentence)
        print(_relative(answer.folder))


@app.command()
def fetch(
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--source", metavar="NAME", help='A source, or a part of its name such as "engagement"; again for more.'
        ),
    ] = None,
    borough: Annotated[str, typer.Option(help="Whose neighbourhoods; all other files hold all of London.")] = "London",
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="YYYY-MM", help="The first month.  [default: eleven before the last]"),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="The last month.  [default: the newest published]")
    ] = None,
    raw: Raw = None,
    mirror: Annotated[
        str | None,
        typer.Option(envvar="WARDBOOK_MIRROR", help="Ask this server for every address, as MIRROR/host/path."),
    ] = None,
) -> None:
    """Download what data/catalogue.toml lists; what is there already is kept. The last line printed is the folder."""
    with _told():
        from wardbook import fetch as fetching

        months = {name: text and fetching.month(text) for name, text in (("first", first), ("last", last))}
        outcomes = fetching.fetch(sources or [], borough=borough, **months, raw=raw, mirror=mirror)
        failed = [outcome for outcome in outcomes if outcome.status == "failed"]
        for outcome in failed:
            print(_relative(f"wardbook: {outcome.source}: {outcome.said}"), file=sys.stderr)
        print(*fetching.report(outcomes), _relative(raw), sep="\n")
        if failed:
            raise typer.Exit(1)


@app.command()
def build(
    out: Annotated[Path, _place(help="The folder of the edition; an edition there is replaced as a whole.")],
    raw: Raw = None,
    street: Annotated[
        Path | None, _place(help="Count the street-level crimes of every month below this folder instead.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://…", help="With --street: a Dask cluster that sees the same folder.")
    ] = None,
    allow_shorter: Annotated[
        bool, typer.Option("--allow-shorter", help="Replace an edition whose tables reach further back or on.")
    ] = False,
) -> None:
    """Make the tables and their manifest from the publishers' files; nothing is written unless all of it is good."""
    if scheduler and not street:
        raise typer.BadParameter("--scheduler goes with --street")
    with _told():
        from wardbook import accounts, refresh
        from wardbook import edition as editions

        try:
            if street:
                _count_street(raw, street, out, scheduler)
                return
            before = None
            with suppress(editions.EditionError):  # none, or none that is whole: then nothing is compared
                before = refresh.headlines(editions.open_edition(out))
            made = editions.build(raw, out, allow_shorter=allow_shorter)
        except (ValueError, editions.EditionError) as error:  # a file, or two together, that are not what they claim
            raise _Refused(f"{error}; nothing was written") from error
        print(*accounts.report(made, raw), sep="\n")
        if before is not None:
            heading = "headlines, the edition that was here against the new one:"
            print(heading, *refresh.report(refresh.compare(before, refresh.headlines(made))), sep="\n  ")
        print(_relative(made.path))


def _raw() -> Path:
    from wardbook.places import from_root

    return from_root(os.environ.get("WARDBOOK_RAW") or "data/raw")


def _count_street(raw: Path, street: Path, out: Path, scheduler: str | None) -> None:
    from wardbook import catalogue, national

    lookups = catalogue.files(raw, "ons-lsoa-lookup")
    if not lookups:
        raise ValueError(f"no LSOA lookup ({catalogue.sources()['ons-lsoa-lookup'].pattern}) in {raw}")
    table = national.build_street(street, lookups[-1], out, scheduler=scheduler)
    unplaced = table.filter(ward_code=national.UNPLACED)["offences"].sum()
    print(f"{table['offences'].sum():,} crimes, {unplaced:,} of them in no ward, in {table.height:,} counts")
    print(_relative(out / national.TABLE))


@app.command()
def check(
    edition: Annotated[
        Path | None,
        typer.Argument(help="The folder of an edition.", show_default="data/edition", callback=_from_here),
    ] = None,
) -> None:
    """Hold an edition against its manifest, reconcile its tables, and say what it may not be used for."""
    with _told():
        from wardbook import check as checks
        from wardbook import edition as editions

        opened = editions.open_edition(edition or editions.COMMITTED)
        findings = checks.check(opened)
        print(f"{_relative(opened.path)}: {opened.provenance}")
        headings = {"wrong": "Wrong", "note": "What it may not be used for", "ok": "Right"}
        for level, heading in headings.items():
            texts = [finding.text for finding in findings if finding.level == level]
            if texts:
                print(f"\n{heading}")
            for text in texts:
                print(f"- {text}")
        if any(finding.level == "wrong" for finding in findings):
            raise typer.Exit(1)


@app.command()
def notebooks() -> None:
    """Run the committed notebooks again in place, and clean them."""
    with _told():
        from wardbook.run import committed

        for name, new in committed.refresh_notebooks(progress=_began).items():
            print(f"{name}: {'changed' if new else 'as it was'}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Open JupyterLab on copies of the notebooks in work/, which git ignores. Further options go to JupyterLab."""
    with _told():
        from wardbook.run import committed

        for name in committed.copy_notebooks():
            print(f"work/{name} has your changes and was kept; rename it to get the committed one", file=sys.stderr)
        raise typer.Exit(committed.lab(context.args))


# What they share ------------------------------------------------------------------------------------------------------


class _Refused(RuntimeError):
    """A build that cannot be, in words for its reader."""


def _exit_code(error: Exception) -> int | None:
    """2 for a name or value that is not known, 1 for what failed, None for what would be a fault of this program.

    What a reader can do something about is an error of this package's own, and a ValueError where it is about their input.
    """
    ours = type(error).__module__.startswith("wardbook.")
    if ours and isinstance(error, ValueError):
        return 2
    return 1 if ours or isinstance(error, OSError) else None


@contextmanager
def _told(stopped: str = "what was there before is as it was") -> Iterator[None]:
    """Turn an error that a reader can do something about into one line and an exit code; others keep their traceback."""

    # An interrupted cell's task ends in an error that nobody is left to await, and asyncio would print all of it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    came: list[int] = []

    def end(number: int, frame: object) -> None:
        came.append(number)
        # A second one would break off the removal of an unfinished folder; polars makes two of one Ctrl-C by itself.
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt | SystemExit):
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        print(f"wardbook: stopped; {stopped}", file=sys.stderr)
        raise typer.Exit(130) from None
    except Exception as error:
        if came:  # of what is raised while it resolves a plan polars makes an error of its own
            raise typer.Exit(128 + came[0]) from None
        code = None if isinstance(error, typer.Exit) else _exit_code(error)
        if code is None:
            raise
        # A path may hold what a terminal would obey.
        shown = (
            letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in _relative(error)
        )
        print(f"wardbook: {''.join(shown)}", file=sys.stderr)
        raise typer.Exit(code) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    return name.strip(), value


def _relative(text: object) -> str:
    """A path, or a text that names some, with those below here as the reader would type them from here."""
    return str(text).replace(f"{Path.cwd()}{os.sep}", "")


def _began(notebook: str, cell: int, cells: int) -> None:
    """How far the notebooks have come: a line as each begins."""
    if cell == 1:
        print(f"{notebook}: {cells} cells", file=sys.stderr, flush=True)
