"""The website as a councillor's browser shows it: find an area, check a claim, read a mark, take a chart away."""

import functools
import http.server
import json
import os
import random
import re
import threading
from urllib.parse import quote

import polars as pl
import pytest

from conftest import EVERY, is_wider, violations
from made_runs import Page, a_figure, a_run
from wardbook import claim, periods
from wardbook.book import open_book
from wardbook.figures import wording
from wardbook.figures.table import rounded
from wardbook.run import answers, page, runner, site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NEWEST, BEFORE = "year to 2026-02", "year to 2025-02"


@pytest.fixture(scope="module")
def built(tmp_path_factory, book):
    """A site of three areas, their pages made without a notebook, with a sample's answers or with `--every-borough` all."""
    out = tmp_path_factory.mktemp("out")
    total = {"offence_group": "total recorded offences excluding fraud", "change_percent": 1.7, "against_london": ""}
    figures = [a_figure(), a_figure("ranking", "Burglary is ranked first")]
    for area in ("Hackney", "London", "Tower Hamlets"):
        a_run(out, figures, {"changes": pl.DataFrame([total])}, area=area, period=NEWEST)
        a_run(out, [], area=area, period="2015-16")
    a_run(out, [], area="Wandsworth", period="2015-16")  # which has no newer one
    held = answers.box_windows

    def some(book, series):
        pairs = held(book, series)
        return pairs if os.environ.get(EVERY) else [pairs[n] for n in sorted({len(pairs) // 2, len(pairs) - 1})]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "box_windows", some)
        return site.write_site(out, out / "site").parent


ALSO_SERVED = pytest.mark.parametrize("address", ["file", "http"], indirect=True)


@pytest.fixture(scope="module")
def address(request, built):
    """The site's address: of its folder, or (`ALSO_SERVED`) on a server of this machine."""
    if getattr(request, "param", "file") == "file":
        yield built.as_uri()
        return
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=built)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(open_page, address):
    """Open a page of the site; when the test is over, nothing outside it was asked for and the console was silent."""
    visited = []

    def visit(path="index.html", *arguments, **more):
        visited.append(open_page(f"{address}/{path}", *arguments, **more))
        return visited[-1]

    yield visit
    for opened in visited:
        outside = [url for url in opened.asked if not re.match(rf"{re.escape(address)}/|data:|blob:", url)]
        assert outside == []
        assert [text for text in opened.said if "favicon" not in text] == []


def ask(opened, area, offence, *, before=None, after=None):
    opened.locator("#claim").scroll_into_view_if_needed()
    opened.wait_for_selector(".ask[data-ready]")
    opened.get_by_label("Where", exact=True).select_option(area)
    opened.get_by_label("Which offence", exact=True).fill(offence)
    opened.get_by_label("Which offence", exact=True).blur()
    if after:
        opened.get_by_label("When", exact=True).select_option(after)
    if before:
        opened.get_by_label("Compared with", exact=True).select_option(before)
    opened.get_by_role("button", name="Answer").click()
    return opened.locator(".ask .answer")


# What is built --------------------------------------------------------------------------------------------------------


def test_each_area_has_its_newest_run_and_the_pages_are_small(built):
    front = Page((built / "index.html").read_text(encoding="utf-8"))
    hrefs = [attrs["href"] for tag, attrs in front.tags if tag == "a" and attrs["href"].startswith("./")]
    listed = [f"./{slug}/index.html" for slug in ("london", "hackney", "tower-hamlets", "wandsworth")]
    own = [f"./london/{name}.html" for name in ("index", *page.OWN_PAGES)]
    assert hrefs == [*listed, *listed[1:], *own], "the list, then the map, then London's own pages"
    assert all((built / href).is_file() for href in hrefs)
    assert "no page yet" in front.text and front.text.count("(2015-16)") == 1
    for slug in ("london", "hackney", "tower-hamlets"):
        assert NEWEST in (built / slug / "index.html").read_text(encoding="utf-8")
    assert (built / "index.html").stat().st_size < 300_000
    assert (built / "answers.js").stat().st_size < 3_000_000


def test_the_cells_of_the_map_are_the_32_boroughs_each_in_a_place_of_its_own():
    cells = pl.read_csv(site.CELLS)
    assert sorted(cells["borough_code"]) == sorted(area.code for area in answers.areas()[1:])
    assert cells.select("column", "row").is_unique().all()


@pytest.mark.parametrize("changed", ["book.py", "places.py", "breaks.csv"])
def test_answers_that_an_earlier_site_holds_are_kept_until_what_they_are_made_from_changes(
    built, book, monkeypatch, changed
):
    """Seen: neither the module that picks a snapshot nor the one that names areas was among the rules of an answer."""
    earlier = (built / "answers.js").read_text(encoding="utf-8")
    monkeypatch.setattr(answers.change, "compare", None)  # to judge anything would fail
    assert answers.answers(book, earlier) == earlier
    digest = runner.sha256
    monkeypatch.setattr(runner, "sha256", lambda path: "other" if path.name == changed else digest(path))
    monkeypatch.setattr(runner, "_code", runner._code.__wrapped__)
    with pytest.raises(TypeError):
        answers.answers(book, earlier)


def test_the_wards_of_a_borough_add_up_to_the_table(built, book):
    wards = json.loads((built / "hackney" / "wards.js").read_text(encoding="utf-8")[len('wardbook.take("wards",') : -3])
    robbery, at = wards["groups"].index("Robbery"), wards["years"].index("2019-20")
    assert "Fraud and forgery" not in wards["groups"], "since April 2013 it is in no police record"
    table = book.table("ward_offences").join(book.table("wards").filter(borough_code="E09000012"), on="ward_code")
    year = periods.read_period("2019-20")
    table = table.filter(year.within(pl.col("month")), offence_group="robbery", snapshot="2026-02")
    assert sum(counts[at] for counts in wards["counts"][robbery]) == table["offences"].sum() > 500
    assert len(wards["years"]) == 16
    assert wards["limits"]["100"] == [81.4, 121.6], "Byar's interval of 100, as printed in public-health tables"


# In a browser ---------------------------------------------------------------------------------------------------------


@ALSO_SERVED
def test_typing_hack_and_enter_lands_on_hackney_and_from_there_another_is_a_choice_away(visit):
    opened = visit()
    opened.get_by_label("Type a borough").fill("hack")
    assert opened.locator("tr[data-find]:visible").count() == 1
    opened.keyboard.press("Enter")
    opened.wait_for_url("**/hackney/index.html")
    assert "Hackney" in opened.locator("h1").inner_text()
    opened.get_by_role("link", name="Wardbook: all areas").click()
    opened.locator(".map a", has_text="Tower").click()
    opened.wait_for_url("**/tower-hamlets/index.html")
    opened.get_by_label("Switch to").select_option("Hackney")
    opened.wait_for_url("**/hackney/index.html")


@ALSO_SERVED
@pytest.mark.parametrize(("area", "offence"), [("London", "burglary"), ("Croydon", "knife crime")])
def test_a_claim_asked_by_mouse_is_answered_as_the_command_answers(visit, area, offence):
    box = ask(visit(), area, offence)
    answer = claim.answer(open_book(area), offence, *map(periods.read_period, (BEFORE, NEWEST)))
    assert box.locator(".sentence").inner_text() == answer.sentence
    assert all(f"{answer.row[when]:,}" in box.inner_text() for when in ("before", "after"))
    assert box.locator(".caveat").inner_text() == answer.figure.words["caveat"]


@ALSO_SERVED
def test_a_claim_asked_by_keyboard_has_a_link_that_gives_the_same_answer_in_a_fresh_window(visit, open_page):
    opened = visit("hackney/index.html")
    opened.locator("#claim a").focus()
    opened.keyboard.press("Tab")
    opened.wait_for_selector(".ask[data-ready]")
    assert opened.evaluate("document.activeElement.value") == "Hackney", "the page's own area"
    opened.keyboard.press("Tab")
    opened.keyboard.type("car crime")
    opened.keyboard.press("Enter")
    sentence = opened.locator(".answer .sentence").first.inner_text()
    assert sentence.startswith("Vehicle crime in Hackney")
    link = opened.get_by_role("link", name="Link to this answer").get_attribute("href")
    fresh = open_page(link)
    assert fresh.locator(".answer .sentence").first.inner_text() == sentence


def test_the_box_answers_in_a_tenth_of_a_second(visit):
    opened = visit()
    ask(opened, "Hackney", "burglary")
    ask_again = "const at = performance.now(); document.querySelector('.ask form').requestSubmit()"
    assert opened.evaluate(f"() => {{ {ask_again}; return performance.now() - at }}") < 100


def test_what_the_box_does_not_hold_is_refused_with_its_reason_or_its_command(visit):
    opened = visit()
    box = ask(opened, "Hackney", "burglaris")
    assert "Nearest: burglar" in box.inner_text()
    box = ask(opened, "Hackney", "stop and search")
    assert "no offence" in box.inner_text()
    opened.evaluate("hash => location.hash = hash", "#ask/Hackney/burglary/2011-12/" + quote(NEWEST))
    opened.wait_for_selector(".answer code")
    assert "wardbook claim --borough Hackney --offence burglary --from 2011-12" in box.inner_text()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (["%"], ""),
        (["Hackney", "<img src=x onerror=hit=1>", "2023-24", "2024-25"], "“<img src=x onerror=hit=1>” is not known"),
        (['"><script>hit=1</script>', "burglary", "2023-24", "2024-25"], "hit=1</script>” is no area here"),
        (["Hackney", "x" * 5000, "2023-24", "2024-25"], "is not known"),
        (["Hackney", "\u202e\u2028\x1b[31m=1+1", "2023-24", "2024-25"], "is not known"),
        (["Hackney", "constructor", "2023-24", "2024-25"], "“constructor” is not known"),
        (["Hackney", "burglary", "'; touch hit; '", "2024-25"], r"--from ''\''; touch hit; '\''' --to"),
    ],
)
def test_what_the_address_bar_says_is_text_and_no_more(visit, parts, says):
    """Seen: a period with a quote in it ended the quote of the command that a reader is shown to copy."""
    coded = "/".join(part if part == "%" else quote(part, safe="") for part in parts)
    opened = visit(f"index.html#ask/{coded}", 390)
    opened.wait_for_selector(".ask[data-ready]")
    assert says in " ".join(opened.locator(".ask .answer").inner_text().split())
    assert opened.evaluate("typeof hit") == "undefined"
    assert not is_wider(opened, 390)


@ALSO_SERVED
def test_each_format_is_downloaded(visit):
    opened = visit("hackney/index.html")
    box = ask(opened, "Hackney", "burglary")
    starts = {"SVG": rb"<svg(?s:.)+Source: ", "CSV": b"period,offences\n"}
    starts["PNG"] = rb"\x89PNG(?s:.){5000}"  # an empty canvas is smaller
    chart = opened.locator("#chart-ranking")
    chart.locator("summary").click()
    for where, kinds in ((box, starts), (chart, ("SVG", "PNG"))):
        for kind in kinds:
            with opened.expect_download() as download:
                where.get_by_role("button", name=kind, exact=True).click()
            assert re.match(starts[kind], download.value.path().read_bytes()), kind


def test_the_sentence_is_copied_with_its_citation(visit):
    opened = visit()
    box = ask(opened, "Hackney", "burglary")
    opened.evaluate("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve() }")
    box.get_by_role("button", name="Copy sentence with citation").click()
    copied = opened.evaluate("window.copied")
    assert copied.startswith(f"“{box.locator('.sentence').inner_text()}” Wardbook, edition ")
    assert quote("year to 2026-02") in copied


@ALSO_SERVED
def test_a_mark_says_its_numbers_under_the_pointer_and_by_keyboard(visit):
    opened = visit("hackney/index.html")
    plot = opened.locator("#chart-ranking .plot.page")
    plot.focus()
    opened.keyboard.press("ArrowRight")
    bubble = opened.locator(".bubble")
    assert bubble.inner_text() == "burglary: count 1234"
    opened.keyboard.press("ArrowRight")
    assert bubble.inner_text() == "robbery: count 56"
    opened.keyboard.press("Escape")
    assert not bubble.is_visible()
    plot.locator("[data-say]").first.hover()
    assert bubble.inner_text() == "burglary: count 1234"


def test_the_ward_map_draws_any_offence_beside_its_table(visit):
    opened = visit("hackney/index.html")
    opened.locator("#wards").scroll_into_view_if_needed()
    opened.wait_for_selector(".wards tbody tr")
    assert opened.locator(".wards tbody tr").count() == opened.locator(".wards .plot path").count() == 21
    opened.get_by_label("Offence", exact=True).select_option(label="Shoplifting")
    opened.get_by_label("Year", exact=True).select_option(label="2015-16")
    assert "Shoplifting, 2015-16, by ward" in opened.locator(".wards caption").inner_text()
    rates = [float(text.replace(",", "")) for text in opened.locator(".wards tbody td:nth-child(3)").all_inner_texts()]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    "path", ["index.html", "hackney/index.html", *(f"london/{name}.html" for name in ("index", "rankings", "claims"))]
)
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(visit, path, width):
    opened = visit(path, width)
    if opened.locator(".ask").count():
        ask(opened, "Hackney", "burglary")
    if opened.locator(".wards").count():
        opened.locator("#wards").scroll_into_view_if_needed()
        opened.wait_for_selector(".wards tbody tr")
    assert violations(opened) == []
    assert not is_wider(opened, width)


def test_without_a_script_every_page_is_whole(visit):
    opened = visit("index.html", java_script_enabled=False)
    assert opened.locator("tr[data-find]:visible").count() == 33
    assert not opened.locator("#find, .ask").first.is_visible()
    opened = visit("hackney/index.html", java_script_enabled=False)
    assert opened.locator("article .plot.page svg:visible").count() == 2
    assert not opened.locator(".wards, .switch").first.is_visible()


# The same sentence as the command ---------------------------------------------------------------------------------------


def test_the_box_and_the_command_give_the_same_sentence(open_page, built, book):
    opened = open_page((built / "index.html").as_uri())
    opened.evaluate("load('answers', ROOT + 'answers.js')")
    keys = opened.evaluate("Object.keys(wardbook.held.answers.rows)")
    named = opened.evaluate("wardbook.held.answers.offences.map(one => one.item)")
    pick = random.Random(22)
    asked = []
    while len(asked) < (200 if os.environ.get(EVERY) else 20):
        number, before, after = re.fullmatch(r"(\d+) ((?:year to )?\S+) (.+)", pick.choice(keys)).groups()
        asked.append([pick.choice(answers.areas()).name, named[int(number)], before, after])
    told = "answer(wardbook.held.answers, ...one)"
    boxed = opened.evaluate(f"asked => asked.map(one => {told}).map(one => one.sentence ?? one.refused)", asked)
    for (area, item, before, after), sentence in zip(asked, boxed):
        try:
            wanted = claim.answer(open_book(area), item, *map(periods.read_period, (before, after))).sentence
        except claim.ClaimRefused as refused:
            wanted = f"{refused}."
        assert sentence == wanted, (area, item, before, after)


def test_numbers_are_written_as_the_words_of_figures_write_them(open_page, built):
    opened = open_page((built / "index.html").as_uri())
    pick = random.Random(5)
    values = [12.25, 12.75, 0.25, 0.05, 0.049999, -0.04, 1234.25, 99.95, 100.0, -6.25]
    values += [pick.uniform(-300, 300) for _ in range(300)] + [pick.randrange(-4000, 4000) / 16 for _ in range(300)]
    written = "values => values.map(value => [written.percent(value, 1), written.signed(value, 1)])"
    boxed = opened.evaluate(written, values)
    assert boxed == [[wording.percent(rounded(v), 1), wording.signed(rounded(v), 1)] for v in values]


def test_a_folder_that_holds_something_else_is_not_replaced(tmp_path):
    held = a_run(tmp_path, [], area="Sutton", period="2024-25") / page.RECORD
    with pytest.raises(site.RunError, match=f"{tmp_path} is there and is no site"):
        site.write_site(tmp_path, tmp_path)
    assert held.is_file()


def test_a_run_that_is_broken_or_none_of_ours_is_left_out(tmp_path):
    a_run(tmp_path, [], area="Sutton", period="2024-25")
    broken = a_run(tmp_path, [], area="Barnet", period="2024-25")
    (broken / page.RECORD).write_text("{")
    other = tmp_path / "elsewhere" / "2024-25"
    other.mkdir(parents=True)
    (other / page.RECORD).write_text('{"period": "2024-25"}')
    assert site.newest_runs(tmp_path) == {"sutton": tmp_path / "sutton" / "2024-25"}
