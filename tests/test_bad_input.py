"""The corpus of bad input, every case, and what Hypothesis makes of the same readers and of the parameters."""

from __future__ import annotations

import json
import re
import signal
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bad_input import cases
from bad_input.cases import CLEAR, READERS, REFUSED, SAME
from wardbook import periods, places
from wardbook.run import runner
from wardbook.sources import police_uk_api
from wardbook.sources.reading import Quality, SourceError

HERE = Path(cases.__file__).parent
SECONDS = 20


@contextmanager
def no_hang(seconds: int = SECONDS):
    """Fail what is still going on after some seconds; a hang would otherwise only end with the machine's patience."""

    def ring(number, frame):
        pytest.fail(f"still going after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """What each reader makes of its good input, read once."""
    made = {}

    def good(reader: str):
        if reader not in made:
            make, read = READERS[reader]
            made[reader] = read(make(tmp_path_factory.mktemp("good")))
        return made[reader]

    return good


def told_clearly(error: Exception, folder: Path) -> None:
    """A message that a reader can do something about: short, and with the file, what was expected and what was found."""
    text = str(error)
    assert len(text) < 7000 and "Traceback" not in text, text[:300]
    if isinstance(error, SourceError):
        assert error.expected and error.found, text
        assert ": expected " in text and "; found " in text, text


@pytest.mark.parametrize("case", cases.cases(), ids=lambda case: case.id)
def test_bad_input_ends_in_a_clear_error_or_a_reported_handling(case, good, tmp_path):
    wanted = good(case.reader)
    made = case.make(tmp_path)
    read = READERS[case.reader][1]
    before = set(tmp_path.parent.iterdir())
    with no_hang():
        if case.outcome == REFUSED:
            with pytest.raises((*CLEAR, ValueError) if case.reader == "raw folder" else CLEAR) as caught:
                read(made)
            told_clearly(caught.value, tmp_path)
            assert re.search(case.says, str(caught.value)), str(caught.value)[:500]
            if (
                isinstance(made, Path)
                and isinstance(caught.value, SourceError)
                and len(made.name) < 255
                and made.is_file()
            ):
                assert str(tmp_path) in str(caught.value) and made.name in str(caught.value)
            assert not (tmp_path / "edition").exists() or case.reader == "edition", "a refused build wrote something"
            assert set(tmp_path.parent.iterdir()) == before, "something was written outside"
            return
        got = read(made)
    total = wanted.total if case.total is None else case.total if case.total >= 0 else wanted.total + case.total
    assert got.total == pytest.approx(total), f"the total was {wanted.total} and is {got.total}"
    if case.outcome == SAME:
        assert got.said == wanted.said
        assert got.frame == wanted.frame if isinstance(wanted.frame, (str, bytes)) else got.frame.equals(wanted.frame)
    else:
        assert any(case.says in key for key in got.said) or not case.says, got.said


def test_the_corpus_has_twelve_kinds_or_more_for_every_reader():
    kinds = Counter(case.reader for case in cases.cases())
    assert set(kinds) == set(READERS)
    assert min(kinds.values()) >= 12
    assert len({case.id for case in cases.cases()}) == sum(kinds.values())


def test_the_readers_of_the_catalogue_are_all_in_the_corpus():
    from wardbook import catalogue

    asked = {source.reader for source in catalogue.sources().values()}
    said = {
        **{"met.read_borough_crime": "met borough", "met.read_ward_crime": "met ward"},
        **{"dashboards.read_knife_crime": "met knife CSV", "dashboards.read_vawg": "met VAWG"},
        **{"dashboards.read_outcomes": "met outcomes", "police_uk.read_stops": "stops CSV"},
        **{"police_uk_api.read_stops": "API stops"},
        **{"police_uk_api.read_captures": "API captures", "mopac.read_attitudes": "mopac"},
        **{"ons.read_wards": "ons wards", "ons.read_borough_outlines": "ons boroughs"},
        **{"ons.read_lsoa_lookup": "ons lookup", "ons.read_households": "ons households"},
        **{"ons.read_ethnic_groups": "ons ethnic groups", "dwo.read_minutes": "dwo minutes"},
        **{"ons.read_lsoa_outlines": "ons LSOAs", "thorough.read_thorough_searches": "thorough searches"},
    }
    assert asked == set(said)
    assert set(said.values()) <= set(READERS)


def test_readme_holds_the_table_of_the_corpus():
    assert cases.table() in (HERE / "README.md").read_text(encoding="utf-8"), (
        "python tests/bad_input/cases.py prints it"
    )


# Beyond the corpus ----------------------------------------------------------------------------------------------------

# Each example makes its own folder, and how long one takes says more of the machine than of the reader.
searching = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DELIMITED = {
    "met borough": cases.BOROUGH,
    "met ward": cases.WARD,
    "met knife CSV": cases.KNIFE,
    "met VAWG": cases.VAWG,
    "met outcomes": cases.OUTCOMES,
    "stops CSV": cases.STOPS,
    "mopac": cases.SURVEY,
    "ons lookup": cases.LSOAS,
    "ons households": cases.HOMES,
    "own targets": cases.TARGETS,
    "own claims": cases.CLAIMS,
}
# Cells as they go wrong: numbers that are nearly one, signs and spaces of other alphabets, dates, codes, and anything.
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "nan", "inf", "-0", "+1", "1e3", "0x10", "1_0", "１２", "٣", "−5", "1\u00a0000", "2024-02-30"]
    ),
    st.sampled_from(
        ["31/12/9999", "0000-00-00T00:00:00Z", "E09000030\u200b", "=1+1", "\r", "\x1a", "\ufeff", '"', "\u2028"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


def tried(reader: str, make) -> None:
    """Read something; only a clear error may come of it, and no row may be unaccounted for."""
    with tempfile.TemporaryDirectory() as folder, no_hang(), warnings.catch_warnings():
        warnings.simplefilter("error")
        given = make(Path(folder))
        try:
            READERS[reader][1](given)
        except CLEAR as error:
            told_clearly(error, Path(folder))


@pytest.mark.parametrize("reader", DELIMITED)
def test_no_cell_brings_a_reader_down(reader):
    table = DELIMITED[reader]

    @searching
    @given(
        st.lists(
            st.tuples(st.integers(0, len(table.rows) - 1), st.integers(0, len(table.rows[0]) - 1), CELLS),
            min_size=1,
            max_size=3,
        )
    )
    def search(changes):
        rows = [list(row) for row in table.rows]
        for row, column, value in changes:
            rows[row][column] = value
        tried(
            reader, lambda folder: cases.put(folder, table.name, table.content(rows).encode("utf-8", "surrogatepass"))
        )

    search()


@pytest.mark.parametrize("reader", [*DELIMITED, "captures manifest"])
def test_no_bytes_bring_a_reader_of_tables_down(reader):
    table = DELIMITED.get(reader, cases.MANIFEST)
    content = table.content().encode()

    @searching
    @given(st.integers(0, len(content)), st.integers(0, 40), st.binary(max_size=20))
    def search(at, gone, instead):
        changed = content[:at] + instead + content[at + gone :]
        wrap = cases.captures if reader == "captures manifest" else lambda f, c: cases.put(f, table.name, c)
        tried(reader, lambda folder: wrap(folder, changed))

    search()


BINARY = {"met knife Parquet": cases.parquet, "ons ethnic groups": cases.sheet, "ons wards": cases.outlines}


@pytest.mark.parametrize("reader", [*BINARY, "archive", "ons boroughs"])
def test_no_bytes_bring_a_reader_of_binaries_down(reader, tmp_path):
    path = READERS[reader][0](tmp_path)
    content = path.read_bytes()

    @searching
    @given(st.integers(0, len(content)), st.integers(0, 40), st.binary(max_size=40))
    def search(at, gone, instead):
        changed = content[:at] + instead + content[at + gone :]
        tried(reader, lambda folder: cases.put(folder, path.name, changed))

    search()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["latitude", "street", "id", "date", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("reader", cases.ANSWERS)
def test_no_value_brings_a_reader_of_answers_down(reader):
    records = cases.ANSWERS[reader][1]

    @searching
    @given(st.dictionaries(st.sampled_from(sorted(records[0])), JSON, min_size=1, max_size=3))
    def search(changes):
        value = json.dumps([records[0] | changes, *records[1:]]).encode()

        def make(folder):
            if reader == "API captures":
                return cases.captures(folder, value=value)
            path = cases.answer(folder, reader, value)
            return path if reader == "API stops" else [path]

        tried(reader, make)

    search()


@searching
@given(st.text() | st.integers() | st.floats() | st.none())
def test_no_name_of_a_borough_brings_the_places_down(name):
    try:
        assert places.area(name).code in {places.LONDON_CODE, *places.boroughs()["borough_code"]}
    except places.UnknownName as error:
        told_clearly(error, Path())


@searching
@given(st.text() | st.from_regex(r"\d{4}[-/–]\d{2,4}"))
@example("0000-01")
@example("9999-00")
def test_whatever_is_read_as_a_year_has_months(text):
    try:
        year = periods.read_period(text)
    except places.UnknownName as error:
        told_clearly(error, Path())
    else:
        assert len(year.months) == 12 and periods.read_period(str(year)) == year


@searching
@given(
    st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.integers()),
    st.sampled_from([1, 0.5, True, "x"]),
)
def test_a_setting_is_of_its_type_or_refused(value, default):
    try:
        got = runner._converted("times", value, default)
    except runner.SettingError as error:
        told_clearly(error, Path())
    else:
        assert type(got) is type(default)


@searching
@given(st.text(), st.text())
def test_no_text_brings_down_what_leaves_names_out(text, name):
    assert police_uk_api.kind_of(text, police_uk_api.EVENT_KINDS) in {*police_uk_api.EVENT_KINDS, police_uk_api.OTHER}
    try:
        folder = police_uk_api.answer_path(Path("/day"), name, "events")
    except SourceError as error:
        told_clearly(error, Path())
    else:
        assert folder.parent.parent == Path("/day") and ".." not in folder.parts


@searching
@given(st.integers(0, 5), st.dictionaries(st.text(max_size=3), st.integers(0, 5)), st.integers(0, 10))
def test_an_account_closes_only_when_it_adds_up(kept, dropped, read):
    quality = Quality("made up", "made up", rows_read=read)
    for reason, count in dropped.items():
        quality.drop(reason, count)
    if kept + sum(dropped.values()) == read:
        assert quality.close(kept).rows_kept == kept
    else:
        with pytest.raises(AssertionError):
            quality.close(kept)
