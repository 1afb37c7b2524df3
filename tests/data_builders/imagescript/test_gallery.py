from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_builders.imagescript.gallery import write_gallery
from data_builders.imagescript.overlay import overlay_svg, skeleton_svg
from data_builders.imagescript.sampling import sample_records
from tests.fakes.image_talk import (
    TOTAL,
    make_person,
    make_picture,
    make_row,
    write_image_talk,
    write_rows,
)
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133
from unipose.errors import ConfigError, FileError

HOSTILE = (
    "</li></script><script>window.hacked = 1</script><img src=x onerror='hacked=1'>\" {{cards}}"
)


class Page(HTMLParser):
    """Every tag with its attributes, in order, and all that is text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def cards(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "article"]

    def pictures(self) -> list[Image.Image]:
        sources = [str(a["src"]).partition(",")[2] for tag, a in self.tags if tag == "img"]
        return [Image.open(io.BytesIO(base64.b64decode(source))) for source in sources]


def page_of(folder: Path, **options) -> str:
    return write_gallery(folder, **options).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    write_image_talk(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return page_of(folder)


def test_a_small_data_set_is_shown_whole(page):
    found = Page(page)
    assert len(found.cards()) == TOTAL
    assert f"{TOTAL} of {TOTAL} records" in found.text
    assert all(min(picture.size) > 0 for picture in found.pictures())


def test_samples_are_of_all_kinds_splits_and_sources(folder):
    chosen, total = sample_records(folder, samples=10, seed=0)
    kinds = [sample.config.split("-")[0] for sample in chosen]
    assert total == TOTAL
    assert [kinds.count(k) for k in ("imagescript", "imagediff", "reasoning")] == [6, 2, 2]
    assert {sample.split for sample in chosen} == {"train", "val", "test"}
    people = [sample.row.get("person") or sample.row["person_b"] for sample in chosen]
    assert {person["source"] for person in people} == {"studio", "coco"}


def test_what_one_kind_has_not_the_others_give(tmp_path):
    write_image_talk(tmp_path, {"imagediff-a": (3, 2, 0)})
    assert len(sample_records(tmp_path, samples=4, seed=0)[0]) == 4


def test_no_record_is_drawn_twice(folder):
    chosen, _ = sample_records(folder, samples=TOTAL, seed=1)
    assert len({(s.config, s.split, s.row["key"]) for s in chosen}) == TOTAL


def test_other_seeds_draw_other_records(folder):
    drawn = [sample_records(folder, samples=5, seed=seed)[0] for seed in range(4)]
    assert len({tuple(sample.row["key"] for sample in some) for some in drawn}) > 1


def test_the_same_seed_gives_the_same_page(folder):
    assert page_of(folder, samples=4, seed=3) == page_of(folder, samples=4, seed=3)


def test_the_page_asks_no_host_and_no_file(page):
    bare = re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", page)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", bare)
    links = [a.get(n) for _, a in Page(page).tags for n in ("src", "href") if a.get(n)]
    assert all(str(link).startswith("data:") for link in links)


def test_hostile_texts_stay_texts(tmp_path):
    person = make_person(0, label=HOSTILE, source=HOSTILE, contacts=[HOSTILE], body=HOSTILE)
    row = make_row("reasoning", 0, key=HOSTILE, person=person, who=[HOSTILE], captions=[HOSTILE])
    write_rows(tmp_path, "reasoning", [row])
    write_rows(tmp_path, "imagescript-r", [make_row("imagescript-r", 0, by=HOSTILE)])
    found = Page(page_of(tmp_path))
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on")]
    assert found.text.count(HOSTILE) >= 6
    assert HOSTILE in {card["data-source"] for card in found.cards()}


def test_only_the_pages_own_script_may_run(page):
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_kinds_of_captions_are_named(page):
    kinds = re.findall(r"<li><b>(\w+)</b>", page)
    assert set(kinds) == {"plain", "aggregated", "filtered"}
    assert len(kinds) == 3 * 8  # eight records of imagescript-a


def test_keypoints_lie_where_they_are_in_the_stored_picture():
    svg = overlay_svg((96, 80), [1.5, 2.0, 30.0, 40.0], make_person()["keypoints_2d"])
    assert 'viewBox="0 0 96 80"' in svg
    assert "M1.5 2H30V40H1.5Z" in svg
    assert '<path class="bone left hidden" d="M62 36L66 44"/>' in svg
    assert '<path class="dot left hidden" d="M66 44h0"/>' in svg
    assert '<path class="bone middle" d="' in svg
    assert "nan" not in svg


def test_a_point_that_is_not_known_is_not_drawn():
    points = {"names": COCO_17.names, "points": [[float(i), 2.0] for i in range(17)]}
    visible = np.isin(COCO_17.names, ("left_hip", "left_knee")).astype(float)
    assert overlay_svg((9, 9), None, points | {"visible": visible}).count("<path") == 2
    visible[COCO_17.index["left_knee"]] = 0
    assert overlay_svg((9, 9), None, points | {"visible": visible}).count("<path") == 1
    assert overlay_svg((9, 9), None, None).count("<path") == 0


def test_fingers_hang_on_their_own_hand():
    whole = COCO_WHOLEBODY_133
    points = np.full((len(whole), 2), np.nan)
    named = ("left_hand_root", "left_thumb1", "left_thumb2", "right_middle_finger1")
    points[whole.indices(*named)] = [[0, 0], [1, 1], [2, 2], [9, 9]]
    svg = overlay_svg((9, 9), None, {"names": whole.names, "points": points, "visible": [1] * 133})
    assert '<path class="small bone left" d="M0 0L1 1M1 1L2 2"/>' in svg
    assert '<path class="small dot right" d="M9 9h0"/>' in svg


def test_a_skeleton_shows_the_left_at_the_viewers_right_and_up_above():
    joints = np.full((22, 3), np.nan)
    joints[[0, 1, 2, 15]] = [[0, 0, 0], [0.2, 0, 0], [-0.2, 0, 0], [0, 0.8, 0]]
    svg = skeleton_svg(joints)
    x_left, y_left = map(float, re.findall(r'bone left" d="M0 0L(\S+) (\S+)"', svg)[0])
    x_right, _ = map(float, re.findall(r'bone right" d="M0 0L(\S+) (\S+)"', svg)[0])
    x_head, y_head = map(float, re.findall(r'dot middle" d="M0 0h0M(\S+) (\S+?)h0"', svg)[0])
    assert x_left > 0 > x_right
    assert y_head < y_left - 50
    assert x_head == 0
    assert "nan" not in svg


def test_of_no_known_joint_there_is_no_skeleton():
    assert skeleton_svg(np.full((22, 3), np.nan)) == ""


def test_large_pictures_are_shown_smaller_and_their_overlay_keeps_the_stored_pixels(tmp_path):
    large = {"bytes": make_picture(1600, 900), "path": None}
    write_rows(tmp_path, "reasoning", [make_row("reasoning", 1, image=large)])
    page = page_of(tmp_path)
    assert Page(page).pictures()[0].size == (512, 288)
    assert 'class="overlay" viewBox="0 0 1600 900"' in page


def test_a_noisy_picture_costs_no_more_than_others(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    picture = {"bytes": buffer.getvalue(), "path": None}
    write_rows(tmp_path, "reasoning", [make_row("reasoning", 1, image=picture)])
    assert len(page_of(tmp_path)) < 110_000


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    broken = {"bytes": make_picture()[:500], "path": None}
    write_rows(tmp_path, "reasoning", [make_row("reasoning", 0, image=broken)])
    with pytest.raises(FileError, match="reasoning/0: its picture cannot be read"):
        write_gallery(tmp_path)
    assert not (tmp_path / "gallery.html").exists()


def test_an_empty_folder_gets_no_page(tmp_path):
    with pytest.raises(FileError, match="holds no records"):
        write_gallery(tmp_path)


def test_no_samples_are_no_gallery(tmp_path):
    with pytest.raises(ConfigError, match="at least 1"):
        write_gallery(tmp_path, samples=0)
