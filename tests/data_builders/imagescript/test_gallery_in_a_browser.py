"""The gallery in a real Chromium: what a reader sees and clicks, and that nothing else runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_builders.imagescript.gallery import write_gallery
from tests.fakes.image_talk import (
    COUNTS,
    TOTAL,
    make_person,
    make_picture,
    make_row,
    write_image_talk,
    write_rows,
)

pytestmark = pytest.mark.slow

HOSTILE = "</li><script>window.hacked = 1</script><img src='x' onerror='window.hacked = 1'>"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Visit:
    """A page that is open, with all that it asked for and complained about."""

    def __init__(self, page, gallery: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.goto(gallery.as_uri())

    def choose(self, what: str, value: str) -> None:
        self.page.locator(f"[data-filter={what}][data-value={value}]").click()

    def shown(self) -> int:
        return self.page.locator("main .card:visible").count()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    write_image_talk(folder, COUNTS | {"imagescript-r": (0, 0, 0)})
    person = make_person(0, label=HOSTILE, source=HOSTILE, contacts=[HOSTILE])
    wide = {"bytes": make_picture(800, 300), "path": None}
    hostile = make_row(
        "imagescript-r", 0, key=HOSTILE, captions=[HOSTILE], person=person, image=wide, by=HOSTILE
    )
    usual = [make_row("imagescript-r", i) for i in range(1, 3)]
    write_rows(folder, "imagescript-r", [hostile, *usual])
    return write_gallery(folder)


@pytest.fixture
def visit(gallery: Path, tmp_path: Path) -> Iterator[Visit]:
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        pytest.fail("this test needs Chromium: install the system's package `chromium`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("this test drives Chromium with playwright: install the extra `dev`")
    with sync_playwright() as play:
        context = play.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=program,
            args=list(ARGUMENTS),
            viewport={"width": 1400, "height": 900},
        )
        yield Visit(context.new_page(), gallery)
        context.close()


def test_every_card_and_picture_is_there_and_nothing_is_asked_of_anybody(visit: Visit):
    assert visit.shown() == TOTAL
    widths = visit.page.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth)")
    assert len(widths) >= TOTAL
    assert min(widths) > 0
    assert [url for url in visit.asked if not url.startswith(("file:", "data:"))] == []
    assert visit.complaints == []


def test_hostile_texts_run_nothing_and_are_read_as_they_are(visit: Visit):
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.get_by_text(HOSTILE).count() >= 3
    visit.page.get_by_role("button", name=f"Enlarge {HOSTILE}").click()
    assert HOSTILE in visit.page.locator("dialog .texts").inner_text()
    assert visit.page.evaluate("window.hacked") is None
    assert visit.complaints == []


def test_keypoints_can_be_switched_off(visit: Visit):
    overlays = visit.page.locator("svg.overlay:visible")
    assert overlays.count() > TOTAL
    visit.page.get_by_label("Keypoints").uncheck()
    assert overlays.count() == 0


def test_the_overlay_lies_on_the_picture(visit: Visit):
    # The figure's box, in the page's own pixels, is where the picture of 800 x 300 draws it:
    # both are fitted into a square, so a wide picture leaves bands above and below.
    measured = visit.page.evaluate(
        """() => {
          const tile = document.querySelector('svg[viewBox="0 0 800 300"]').parentElement;
          const place = (element) => { const r = element.getBoundingClientRect();
            return [r.left, r.top, r.width, r.height]; };
          return {tile: place(tile), box: place(tile.querySelector('.box'))}; }"""
    )
    left, top, size, height = measured["tile"]
    scale = size / 800
    band = (height - 300 * scale) / 2
    expected = [left + 38 * scale, top + band + 5 * scale, 32 * scale, 85 * scale]
    assert measured["box"] == pytest.approx(expected, abs=2.0)


def test_filters_and_search_leave_what_fits(visit: Visit):
    visit.choose("config", "imagediff-a")
    assert visit.shown() == sum(COUNTS["imagediff-a"])
    visit.choose("split", "test")
    assert visit.shown() == COUNTS["imagediff-a"][2]
    visit.choose("config", "imagediff-a")
    visit.choose("split", "test")
    visit.page.get_by_role("searchbox").fill("ABOUT nothing at all")
    assert visit.shown() == 0
    assert visit.page.get_by_text("Nothing fits").is_visible()
    visit.page.get_by_role("searchbox").fill("imagescript-a/3 Really")
    assert visit.shown() == 1


def test_a_click_enlarges_and_keys_go_on(visit: Visit):
    visit.page.locator("main .card .pictures").first.click()
    dialog = visit.page.locator("dialog")
    first = dialog.inner_text()
    assert "studio" in first
    visit.page.keyboard.press("ArrowRight")
    assert dialog.inner_text() != first
    visit.page.keyboard.press("ArrowLeft")
    assert dialog.inner_text() == first
    visit.page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_it_fits_a_phone_and_both_lights(visit: Visit):
    visit.page.set_viewport_size({"width": 400, "height": 800})
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 400
    paper = "getComputedStyle(document.body).backgroundColor"
    before = visit.page.evaluate(paper)
    visit.page.get_by_role("button", name="Light or dark").click()
    assert visit.page.evaluate(paper) != before
