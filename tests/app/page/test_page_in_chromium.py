"""The page in a real Chromium, without models: what a visitor sees, does and takes away."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pytest
import torch
import trimesh
from fastapi import FastAPI

from tests.fakes.assistant import FakeAssistant
from tests.fakes.served import on_loopback
from tests.fakes.speaker import TableSpeaker
from tests.fakes.visited_page import TABLE
from unipose.app.conversation import Conversation
from unipose.app.page.page_sessions import PageSessions
from unipose.app.page.router import page_router
from unipose.body.pose import Pose
from unipose.files import save_pose
from unipose.language.chat_rendering import Message

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HOSTILE = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 1</script>"
ARGUMENTS = (
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 60_000


class SlowSpeaker(TableSpeaker):
    """Takes its time over each word, so that one can stop it."""

    def answer(
        self,
        messages: Sequence[Message],
        *,
        verbs: Collection[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        def slowly(piece: str) -> None:
            time.sleep(0.05)
            if on_text is not None:
                on_text(piece)

        return super().answer(messages, verbs=verbs, on_text=slowly)


class PageVisit:
    """A page that is open, with all that it asked for and complained about."""

    def __init__(self, page, address: str) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        page.goto(address)
        page.locator("#welcome").wait_for()

    def _hear(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def say(self, line: str) -> None:
        self.page.fill("#line", line)
        self.page.keyboard.press("Enter")
        self.page.locator(".entry.you", has_text=line[:20]).last.wait_for()
        self.rest()

    def rest(self) -> None:
        """Wait until no answer is being made."""
        self.page.locator("#send").wait_for()

    def bring(self, path: Path) -> None:
        """Drop a file onto the page, as a hand does."""
        self.page.evaluate(
            """([name, text]) => {
              const dropped = new DataTransfer();
              dropped.items.add(new File([text], name));
              for (const kind of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(
                new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true}));
            }""",
            [path.name, path.read_text()],
        )
        self.page.locator(".entry.you", has_text=path.name).wait_for()
        self.rest()

    def seen(self) -> bytes:
        """Return what the 3D view shows now."""
        self.page.wait_for_timeout(900)
        return self.page.locator("#view").screenshot()

    @property
    def outside(self) -> list[str]:
        ours = ("http://127.0.0.1:", "data:", "blob:http://127.0.0.1:")
        return [url for url in self.asked if not url.startswith(ours)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    table = TABLE | {HOSTILE: [HOSTILE], "talk long": ["so it goes " * 100]}

    def converse(folder: Path, stopped: threading.Event) -> Conversation:
        return Conversation(FakeAssistant, lambda: SlowSpeaker(table), files=folder)

    sessions = PageSessions(converse)
    app = FastAPI()
    app.include_router(page_router(sessions))
    with on_loopback(app) as address:
        yield address
    sessions.close()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.fail("this test needs Chromium: install the system's package `chromium`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("this test drives Chromium with playwright: install the extra `dev`")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address: str) -> Iterator[PageVisit]:
    context = browser.new_context(viewport={"width": 1200, "height": 760})
    yield PageVisit(context.new_page(), address)
    context.close()


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Path:
    turns = torch.zeros(30, 24, 3)
    turns[:, 1, 0] = torch.linspace(-0.8, 0.8, 30)
    turns[:, 16, 2] = torch.linspace(-1.2, 1.2, 30)
    places = torch.zeros(30, 3)
    places[:, 2] = torch.linspace(0, 1, 30)
    walk = Pose.from_axis_angle(turns, translation=places, fps=15.0)
    return save_pose(walk, tmp_path_factory.mktemp("walk") / "walk.bvh")


def test_a_visit_from_a_dropped_recording_to_a_body_that_is_taken_away(
    visit: PageVisit, walk: Path, tmp_path: Path
):
    page = visit.page
    visit.bring(walk)
    page.locator("#clock").wait_for()
    first = visit.seen()
    page.fill("#moment", "1.4")
    assert visit.seen() != first
    page.click("#take")
    page.locator(".card", has_text="Pose 2").wait_for()
    visit.say("describe it")
    assert "turned by" in page.locator(".entry.unipose").last.inner_text()
    before = visit.seen()
    box = page.locator("#view").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 160, middle[1], steps=4)
    page.mouse.up()
    turned = visit.seen()
    assert turned != before
    visit.say("raise the left arm")
    page.locator("#sides").wait_for()
    assert page.locator("#pose-name").inner_text() == "Pose 3"
    plain = visit.seen()
    page.check("#colour")
    page.locator("#moved-joints li").first.wait_for()
    assert visit.seen() != plain
    page.click("[data-side=both]")
    assert page.locator("#labels span").all_inner_texts() == ["pose 2", "pose 3"]
    page.click("#keep summary")
    with page.expect_download() as download:
        page.locator("#downloads a", has_text=".glb").first.click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    assert kept.name == "pose-3.glb"
    scene = trimesh.load_scene(kept)
    assert sum(len(mesh.vertices) for mesh in scene.geometry.values()) == 6890
    said = page.locator("#log").inner_text()
    page.reload()
    page.locator(".card", has_text="Pose 3").wait_for()
    assert page.locator("#log").inner_text() == said
    assert page.locator("#pose-name").inner_text() == "Pose 3"
    visit.seen()
    assert visit.outside == []
    assert visit.complaints == []


def test_hostile_texts_are_read_as_they_are(visit: PageVisit):
    visit.say(HOSTILE)
    texts = visit.page.locator(".entry .text").all_inner_texts()
    assert texts == [HOSTILE, HOSTILE]
    visit.page.reload()
    visit.page.locator(".entry.unipose").wait_for()
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.locator("#log img").count() == 0
    assert visit.complaints == []
    assert visit.outside == []


def test_an_answer_is_stopped_and_what_was_said_stays(visit: PageVisit):
    page = visit.page
    page.fill("#line", "talk long")
    page.keyboard.press("Enter")
    page.locator(".entry.unipose .text", has_text="so it goes").wait_for()
    page.keyboard.press("Escape")
    page.locator(".stopped").wait_for()
    words = page.locator(".entry.unipose .text").inner_text().split()
    assert 1 < len(words) < 290
    visit.say("/poses")
    assert page.locator(".entry.unipose").last.inner_text().startswith("no poses yet")


def test_a_pose_is_found_in_the_gallery(visit: PageVisit):
    page = visit.page
    page.click("#browse")
    page.fill("#search", "half squat")
    page.locator("#poses button").first.click()
    page.locator(".card", has_text="half squat").wait_for()
    visit.rest()
    page.locator("#pose-name").wait_for()
    page.click("#browse")
    page.fill("#search", "nobody does this")
    page.locator("dialog .none").wait_for()
    page.keyboard.press("Escape")  # empties the search
    page.keyboard.press("Escape")
    assert not page.locator("#gallery").is_visible()
    assert visit.complaints == []


def test_keys_write_recall_and_turn(visit: PageVisit):
    page = visit.page
    page.keyboard.press("/")
    page.keyboard.type("/pose squat")
    page.keyboard.press("Enter")
    page.locator(".card").wait_for()
    visit.rest()
    page.focus("#line")
    page.keyboard.press("ArrowUp")
    assert page.input_value("#line") == "/pose squat"
    page.keyboard.press("ArrowDown")
    assert page.input_value("#line") == ""
    before = visit.seen()
    page.focus("#view")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    turned = visit.seen()
    assert turned != before
    assert "Arrow keys turn it" in page.get_attribute("#view", "aria-label")


def test_it_fits_a_phone_and_both_lights(visit: PageVisit):
    page = visit.page
    visit.say("/pose squat")
    page.set_viewport_size({"width": 390, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    stage, composer = (page.locator(name).bounding_box() for name in ("#stage", "#composer"))
    assert stage["y"] + stage["height"] < composer["y"]
    assert composer["y"] + composer["height"] <= 780
    for name in ("#home-view", "#keep", "#send"):
        box = page.locator(name).bounding_box()
        assert box["x"] + box["width"] <= 390
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.get_by_role("button", name="Light or dark").click()
    after = page.evaluate(paper)
    assert after != before
    page.reload()
    assert page.evaluate(paper) == after


def test_what_goes_wrong_is_said(visit: PageVisit, tmp_path: Path):
    page = visit.page
    broken = tmp_path / "broken.bvh"
    broken.write_text("HIERARCHY\nnothing")
    visit.bring(broken)
    assert "broken.bvh" in page.locator(".entry.failed").inner_text()
    page.route("**/page/say", lambda route: route.abort())
    page.fill("#line", "hello?")
    page.keyboard.press("Enter")
    page.locator(".entry.failed", has_text="cannot be reached").wait_for()
    page.context.clear_cookies()
    page.unroute("**/page/say")
    page.fill("#line", "hello again")
    page.keyboard.press("Enter")
    page.locator(".entry.failed", has_text="load the page again").wait_for()
