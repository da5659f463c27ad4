"""The corpus of bad input, every case, and what Hypothesis makes of the same readers and of the parameters."""

import json
import re
import signal
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bad_input import cases
from bad_input.cases import CLEAR, READERS, SAME, TABLES, Reported
from wardbook import periods, places
from wardbook.sources.reading import SourceError


@contextmanager
def no_hang(seconds: int = 20):
    """Fail what is still going on after some seconds; a hang would otherwise only end with the machine's patience."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"still going after {seconds} seconds"))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@cache
def good(reader: str) -> cases.Read:
    """What a reader makes of its good input."""
    make, read = READERS[reader]
    with tempfile.TemporaryDirectory() as folder:
        return read(make(Path(folder)))


def told_clearly(error: Exception) -> str:
    """The text of a message that a reader can do something about: short, with what was expected and what was found."""
    text = str(error)
    assert len(text) < 7000 and "Traceback" not in text, text[:300]
    if isinstance(error, SourceError):
        assert error.expected and error.found and ": expected " in text and "; found " in text, text
    return text


@pytest.mark.parametrize(
    ("reader", "make", "outcome"),
    [pytest.param(reader, *case, id=f"{reader}: {kind}") for reader, kind, *case in cases.cases()],
)
def test_bad_input_ends_in_a_clear_error_or_a_reported_handling(reader, make, outcome, tmp_path):
    made, read = make(tmp_path), READERS[reader][1]
    if outcome == SAME or isinstance(outcome, Reported):
        with no_hang():
            rows, total, account = read(made)
        if outcome == SAME:
            assert (rows, total, account) == good(reader)
        else:
            assert total == pytest.approx(good(reader)[1] + outcome.more)
            assert any(outcome.note in key for key in account), account
        return
    before = set(tmp_path.parent.iterdir())
    with no_hang(), pytest.raises(CLEAR) as caught:
        read(made)
    text = told_clearly(caught.value)
    assert re.search(outcome, text), text[:500]
    if isinstance(made, Path) and made.suffix and isinstance(caught.value, SourceError):
        assert made.name in text or len(made.name) > 255
    assert set(tmp_path.parent.iterdir()) == before, "something was written outside"


# Beyond the corpus ----------------------------------------------------------------------------------------------------

# Each example makes its own folder, and how long one takes says more of the machine than of the reader.
searching = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Cells as they go wrong: numbers that are nearly one, signs and spaces of other alphabets, dates, codes, and anything.
NUMBERS = ["", " ", "nan", "inf", "-0", "+1", "1e3", "0x10", "1_0", "１２", "٣", "−5", "1\u00a0000", "2024-02-30"]
TEXTS = ["31/12/9999", "0000-00-00T00:00:00Z", "E09000030\u200b", "=1+1", "\r", "\x1a", "\ufeff", '"', "\u2028"]
WRONG = st.text(max_size=12) | st.sampled_from(NUMBERS + TEXTS) | st.integers().map(str) | st.floats().map(str)


def tried(reader: str, make) -> None:
    """Read something; only a clear error may come of it, and no row may be unaccounted for."""
    with tempfile.TemporaryDirectory() as folder, no_hang(), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            READERS[reader][1](make(Path(folder)))
        except CLEAR as error:
            told_clearly(error)


@pytest.mark.parametrize("reader", TABLES)
@searching
@given(data=st.data())
def test_no_cell_brings_a_reader_down(reader, data):
    rows = [list(row) for row in TABLES[reader].rows]
    for _ in range(data.draw(st.integers(1, 3))):
        row, column = (data.draw(st.integers(0, len(of) - 1)) for of in (rows, rows[0]))
        rows[row][column] = data.draw(WRONG)
    content = TABLES[reader].content(rows).encode("utf-8", "surrogatepass")
    tried(reader, lambda folder: cases.table(reader, folder, content))


@pytest.mark.parametrize("reader", [*TABLES, *cases.BINARY, "ons boroughs"])
def test_no_bytes_bring_a_reader_down(reader, tmp_path):
    made = READERS[reader][0](tmp_path)
    content = (tmp_path / TABLES[reader].name if reader in TABLES else made).read_bytes()

    @searching
    @given(st.integers(0, len(content)), st.integers(0, 40), st.binary(max_size=40))
    def search(at, lost, instead):
        changed = content[:at] + instead + content[at + lost :]
        make = cases.table if reader in TABLES else lambda _, folder, content: cases.put(folder, made.name, content)
        tried(reader, lambda folder: make(reader, folder, changed))

    search()


NAMES = st.sampled_from(["latitude", "street", "id", "date", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("reader", cases.ANSWERS)
@searching
@given(data=st.data())
def test_no_value_brings_a_reader_of_answers_down(reader, data):
    first, *rest = cases.ANSWERS[reader][1]
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(first)), JSON, min_size=1, max_size=3))
    value = json.dumps([first | changes, *rest]).encode()
    tried(reader, lambda folder: cases.answer(reader, folder, value))


@searching
@given(st.text() | st.integers() | st.floats() | st.none())
@example("x" * 10_000_000)
@example("\0\x1b[31m\udcff")
def test_no_name_of_a_borough_brings_the_places_down(name):
    try:
        assert places.area(name).code in {places.LONDON_CODE, *places.boroughs()["borough_code"]}
    except places.UnknownName as error:
        told_clearly(error)


@searching
@given(st.text() | st.from_regex(r"\d{4}[-/–]\d{2,4}"))
@example("0000-01")
def test_whatever_is_read_as_a_year_has_months(text):
    try:
        year = periods.read_period(text)
    except places.UnknownName as error:
        told_clearly(error)
    else:
        assert len(year.months) == 12 and periods.read_period(str(year)) == year
