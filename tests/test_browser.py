"""The pages and JupyterLab as a reader's browser shows them, in a real Chromium; see `browser` in conftest."""

import itertools
import json
import os
import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError

from conftest import EVERY, is_wider, once_whole, open_all, violations
from made_runs import newest_answers
from wardbook.run import committed, runner, site
from wardbook.run import page as pages

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run of London, whose page is the longest: of three notebooks, and with `--every-borough` of all."""
    out = tmp_path_factory.mktemp("out")
    wanted = None if os.environ.get(EVERY) else ["01_targets", "03_comparison", "04_stop_and_search"]
    runner.run("London", "2024-25", only=wanted, out=out)
    return out


@pytest.fixture
def address(runs):
    return (runs / "london" / "2024-25" / "summary.html").as_uri()


def test_the_page_asks_for_nothing_the_console_is_silent_and_axe_finds_no_violation_of_wcag_22_aa(open_page, address):
    page = open_page(address)
    open_all(page)
    page.wait_for_timeout(300)
    assert (page.asked, page.said) == ([address], [])
    assert violations(page) == []


def test_a_phone_shows_no_sideways_scroll_and_neither_does_twice_the_size(open_page, address):
    for width in (360, 640):  # 640 at 1280 is a zoom of 200 %
        page = open_page(address, width)
        open_all(page)
        assert not is_wider(page, width)
        # What is wider than the page scrolls in its own box, which the keyboard reaches.
        wide = page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1"
            " && getComputedStyle(e).overflowX === 'auto' && e.tabIndex !== 0).map(e => e.outerHTML.slice(0, 80))"
        )
        assert wide == []


def test_the_keyboard_alone_reaches_every_link_and_disclosure_and_shows_where_it_is(open_page, address):
    page = open_page(address)
    open_all(page)
    every = "[...document.querySelectorAll('a[href], summary, input, [tabindex=\"0\"]')]"
    stops = page.evaluate(f"{every}.map((e, n) => e.dataset.stop = n).length")
    reached = set()
    for _ in range(stops + 5):
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement.dataset.stop")
        outline = "(s => [s.outlineStyle, s.outlineWidth])(getComputedStyle(document.activeElement))"
        style, width = page.evaluate(outline)
        if stop is not None:
            reached.add(int(stop))
            assert style != "none" and float(width.removesuffix("px")) >= 2, stop
    assert reached == set(range(stops))
    page.locator("[data-stop='0']").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main", "the first stop skips to the page"


def test_it_prints_on_sixteen_pages_of_a4_at_most_with_no_chart_cut(open_page, address, tmp_path):
    page = open_page(address)
    page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    pdf = (tmp_path / "page.pdf").read_bytes()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 16
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 695, "height": 900})  # what A4 leaves between its margins
    charts = page.evaluate(
        "[...document.querySelectorAll('.plot svg')].filter(e => e.checkVisibility()).map(e => {"
        " const box = e.getBoundingClientRect(), whole = e.closest('.chart');"
        " return [box.right, whole.getBoundingClientRect().height, getComputedStyle(whole).breakInside]})"
    )
    rights, heights, breaks = zip(*charts)
    assert max(rights) <= 695 and set(breaks) == {"avoid"} and len(charts) >= 8
    assert max(heights) < 275 / 25.4 * 96, "a chart with its words fits on one page"
    assert page.evaluate("[...document.querySelectorAll('nav, .skip, .links')].some(e => e.checkVisibility())") is False


# Five questions of a councillor ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site_of_the_run(runs):
    """The website of that run, its claim box with the newest year alone."""
    with newest_answers():
        return site.write_site(runs, runs / "site")


@pytest.mark.parametrize(
    ("click", "answered_by"),
    [
        (None, ".short"),
        ("Is crime up, and is it just us?", "#chart-year-change .sentence"),
        ("Did they meet a target?", "#chart-live-targets .sentence"),
        ("Are searches fair?", "#chart-disproportionality .sentence"),
        ("Can I quote this? Sources, dates and licences", ".citation"),
    ],
)
def test_a_councillors_question_is_answered_within_two_clicks(open_page, site_of_the_run, click, answered_by):
    page = open_page(site_of_the_run.as_uri())
    for name in filter(None, ("London", click)):
        page.get_by_role("link", name=name, exact=True).first.click()
    answer = page.locator(answered_by)
    answer.wait_for()
    page.wait_for_timeout(300)
    box = answer.bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 900, "on the screen without scrolling"
    run = pages.read_run(site_of_the_run.parents[1] / "london" / "2024-25")
    told = {f"#chart-{name} .sentence": figure.words["sentence"] for name, figure in run.figures.items()}
    told |= {".short": run.statements[0]["text"], ".citation": f"edition {run.record['edition']}"}
    assert told[answered_by] in answer.inner_text()


def test_at_most_2500_words_stand_before_what_is_folded(open_page, address):
    page = open_page(address)
    words = page.evaluate(
        "() => { const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); let text = '', node;"
        " while ((node = walker.nextNode())) { const part = node.parentElement;"
        " if (part.checkVisibility() && !part.closest('svg, .sr, script, style')) text += ' ' + node.textContent; }"
        " return text.match(/\\S+/g).length }"
    )
    assert 500 < words <= 2500


# Each chart where it is read ----------------------------------------------------------------------------------------------

# The box of what is drawn of the chart itself, without its title and source and what a clip may hide; the frame's size first.
DRAWN = """() => {
  const svg = document.querySelector('svg'), frame = svg.getBoundingClientRect(), ends = [[], [], [], []];
  for (const part of svg.querySelectorAll('path, text, line, rect, circle')) {
    const style = getComputedStyle(part), box = part.getBoundingClientRect();
    if (part.closest('defs, [clip-path], .role-title') || (part.tagName === 'rect' && part.parentElement === svg)) continue;
    if ((style.fill === 'none' && style.stroke === 'none') || style.opacity === '0' || !(box.width || box.height)) continue;
    [box.left, box.top, box.right, box.bottom].forEach((end, side) => ends[side].push(end));
  }
  const [left, top, right, bottom] = [Math.min(...ends[0]), Math.min(...ends[1]), Math.max(...ends[2]), Math.max(...ends[3])];
  return [frame.width, frame.height, left - frame.left, top - frame.top, right - frame.left, bottom - frame.top];
}"""


@pytest.fixture(scope="module")
def charts(runs):
    """Every chart of two areas with `--every-borough`, each fourth of one without."""
    folders = [runs / "london" / "2024-25"]
    if os.environ.get(EVERY):
        notebooks = [section.notebook for section in pages.SECTIONS]
        folders.append(runner.run("Kingston upon Thames", "latest", only=notebooks, out=runs))
    drawn = [figure for folder in folders for figure in pages.read_run(folder).figures.values() if not figure.absent]
    return drawn if os.environ.get(EVERY) else drawn[::4]


def test_on_a_slide_each_chart_fills_three_quarters_and_on_a_phone_none_is_cropped(open_page, charts):
    page = open_page("about:blank", 1920)
    for figure, size in itertools.product(charts, ("slide", "phone")):
        page.set_content(figure.svg(size))
        width, height, left, top, right, bottom = page.evaluate(DRAWN)
        filled = [(right - left) / width, (bottom - top) / height]
        # A map keeps its shape: it fills one of the two.
        least = max(filled) if "geoshape" in json.dumps(figure.spec) else min(filled)
        assert size == "phone" or least >= 0.75, figure.name
        assert min(left, top) >= -1 and right <= width + 1 and bottom <= height + 1, (figure.name, size)


# JupyterLab -----------------------------------------------------------------------------------------------------------


def test_a_notebook_runs_whole_in_jupyterlab_with_no_outside_request(open_page, lab, tmp_path):
    address, token = lab["url"].rstrip("/"), lab["token"]
    path = tmp_path / "work" / committed.FIRST
    before = json.loads(path.read_text(encoding="utf-8"))
    page = open_page(f"{address}/lab/tree/{path.name}?token={token}")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    busy = "() => !!document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=busy]')"
    for _ in range(3):
        # Idle is what a kernel that is not connected yet is called too: what is asked of it then is lost, and is asked again.
        page.wait_for_timeout(3_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        with suppress(TimeoutError):
            page.wait_for_function(busy, timeout=20_000)
            break
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=180_000)
    page.keyboard.press("Control+s")
    saved = once_whole(lambda: path, lambda read: read != before, page.wait_for_timeout)
    cells = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    # A second run of the same kernel would count on: 1 to n is each cell run once, in order, in this session.
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)) and saved != before
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs and not [output for output in outputs if output["output_type"] == "error"]
    assert [url for url in page.asked if not re.match(rf"{re.escape(address)}/|data:|blob:", url)] == []
