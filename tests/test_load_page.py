"""The page with sliders: its formula is the model's, it needs no network, and it works from the file system in a browser."""

from __future__ import annotations

import json
import re
import shutil

import polars as pl
import pytest

from wardbook import load_page, reference
from wardbook import open as open_book
from wardbook.measures import workload

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SET = {"subscribers": 6000, "replies": 5.0, "minutes": 20.0, "officers": 2, "hours": 4.0}


@pytest.fixture(scope="module")
def priors():
    return reference.load_assumptions()


@pytest.fixture(scope="module")
def page(tmp_path_factory, priors):
    """The page as a run leaves it."""
    folder = tmp_path_factory.mktemp("a run")
    book = open_book(notebook="06_subscriber_load", borough="Tower Hamlets", output_dir=str(folder))
    points = workload.break_even_points(priors, reference.load_evidence("subscriber"), draws=400)
    load_page.save_page(book, priors, points, workload.break_even_contours(priors, draws=400))
    return folder / load_page.NAME


def embedded(page) -> dict:
    """The numbers the page carries."""
    return json.loads(re.search(r"^const data = (.*);$", page.read_text(encoding="utf-8"), re.MULTILINE)[1])


def test_the_model_itself_fills_the_hours_at_the_worked_scale(priors):
    first, second, empty, _, last = load_page.check_points(priors)
    assert (first["subscribers"], second["subscribers"]) == (5100, 1020)
    assert first["utilisation"] == second["utilisation"] == pytest.approx(1)
    assert empty["utilisation"] == 0
    assert last["utilisation"] == pytest.approx(6000 * 0.1 * 60 / 60 / 0.1)


def test_the_page_opens_within_its_sliders_and_near_the_model(page, priors):
    start = embedded(page)["start"]
    for name, (_, _, low, high, step, _) in load_page.SLIDERS.items():
        assert low <= start[name] <= high and start[name] / step == pytest.approx(round(start[name] / step))
    # METHODS: mature median utilisation 0.085.
    assert load_page.utilisation(priors, start) == pytest.approx(0.085, rel=0.15)


def test_the_page_asks_for_nothing_and_says_modelled(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|//cdn|\bsrc=|\bhref=|@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert "default-src 'none'" in text
    assert "Modelled, not measured" in text and "wardbook run --borough 'Tower Hamlets'" in text
    for name in load_page.SLIDERS:
        assert f'<label for="{name}">' in text and f'id="{name}"' in text
    assert text.count("</script>") == 1


def test_a_place_cannot_end_the_script(priors):
    book = open_book(notebook="06_subscriber_load", borough="Sutton")
    points = workload.break_even_points(priors, reference.load_evidence("subscriber"), draws=50)
    strange = points.with_columns(pl.lit("</script><b>").alias("place"), pl.lit("<i>").alias("publication"))
    text = load_page.render_page(book, priors, strange, workload.break_even_contours(priors, draws=50))
    assert text.count("</script>") == 1 and "<i>" not in text


def test_nothing_is_written_without_a_folder(priors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    book = open_book(notebook="06_subscriber_load", borough="Sutton")
    points = workload.break_even_points(priors, reference.load_evidence("subscriber"), draws=50)
    load_page.save_page(book, priors, points, workload.break_even_contours(priors, draws=50))
    assert not any(tmp_path.iterdir())


# -- in a browser -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, page):
    """The page open from the file system, with every request it makes and everything it complains of."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.asked, tab.said = [], []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.goto(page.as_uri())
    yield tab
    tab.close()


def move(tab, values: dict) -> None:
    """Set each slider as a hand on it would."""
    for name, value in values.items():
        tab.locator(f"#{name}").fill(f"{value:g}")


@pytest.mark.browser
def test_moving_the_sliders_changes_chart_and_sentence_to_the_models_value(opened, page, priors):
    before = opened.locator("#drawn").inner_html()
    assert opened.locator("#said").inner_text().startswith("Modelled: 450 subscribers write")
    move(opened, SET)
    assert opened.locator("#drawn").inner_html() != before
    shown = float(opened.locator("#said").get_attribute("data-utilisation"))
    assert shown == pytest.approx(load_page.utilisation(priors, SET), rel=1e-12)
    said = opened.locator("#said").inner_text()
    assert "6,000 subscribers write 300.0 messages a week" in said and f"{100 * shown:,.0f}%" in said
    assert "grows without end" in said and "filled at about 480 subscribers" in said
    assert "grows without end" in opened.locator("#chart-desc").text_content()
    assert opened.asked == [page.as_uri()], "a request left the page"
    assert not opened.said


@pytest.mark.browser
@pytest.mark.parametrize("name", list(load_page.SLIDERS))
def test_each_slider_moves_with_the_arrow_keys_and_changes_the_chart(opened, name):
    before = opened.locator("#chart").inner_html(), opened.locator("#said").inner_text()
    opened.locator(f"#{name}").focus()
    for _ in range(3):
        opened.keyboard.press("ArrowRight")
    assert (opened.locator("#chart").inner_html(), opened.locator("#said").inner_text()) != before
    shown = opened.locator(f"#{name}").get_attribute("aria-valuetext")
    assert shown == opened.locator(f"#{name}-value").inner_text()
    opened.get_by_role("button", name="Back to the medians").click()
    opened.wait_for_function("before => document.getElementById('said').innerText === before", arg=before[1])


@pytest.mark.browser
def test_nobody_writing_and_a_list_of_nobody_are_said(opened):
    move(opened, {"replies": 0})
    assert "no list is too long" in opened.locator("#said").inner_text()
    move(opened, {"replies": 10, "subscribers": 0})
    assert "0 subscribers write 0.0 messages" in opened.locator("#said").inner_text()
    assert not re.search(r"NaN|Infinity|undefined", opened.locator("body").inner_html().split("<script>")[0])


@pytest.mark.browser
def test_a_page_whose_formula_is_not_the_models_shows_nothing(browser, page, tmp_path):
    text = page.read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.html"
    wrong.write_text(text.replace("* v.minutes / 60 / (", "* v.minutes / 61 / (", 1), encoding="utf-8")
    tab = browser.new_page()
    tab.goto(wrong.as_uri())
    assert "does not compute what the model computes" in tab.locator("main").inner_text()
    tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_window(opened, width):
    opened.set_viewport_size({"width": width, "height": 800})
    opened.wait_for_function(
        "() => Math.abs(document.getElementById('chart').viewBox.baseVal.width - document.getElementById('chart').clientWidth) < 2"
    )
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    outside = opened.evaluate(
        "[...document.querySelectorAll('#chart text')].filter(t => { const b = t.getBoundingClientRect(), c = "
        "document.getElementById('chart').getBoundingClientRect(); return b.left < c.left - 1 || b.right > c.right + 1; })"
        ".map(t => t.textContent)"
    )
    assert outside == []
