"""The page: a conversation in lines of JSON; poses and files under ids, and nobody else's."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from tests.fakes.visited_page import PageVisitor, fake_sessions
from unipose.app.page.page_session import MOST_FRAMES
from unipose.app.page.page_sessions import PageSessions
from unipose.app.page.router import STATIC
from unipose.app.pose_input import Progress
from unipose.body.pose import Pose

pytestmark = pytest.mark.slow


@pytest.fixture
def sessions() -> Iterator[PageSessions]:
    sessions = fake_sessions()
    yield sessions
    sessions.close()


@pytest.fixture
def visitor(sessions: PageSessions) -> PageVisitor:
    return PageVisitor(sessions)


def arm_recording() -> bytes:
    """Return an .npz of two seconds in which the left arm goes up."""
    turns = np.zeros((60, 24, 3))
    turns[:, 16, 2] = np.linspace(0, 1, 60)
    file = io.BytesIO()
    np.savez(file, poses=turns.reshape(60, 72), mocap_framerate=30.0)
    return file.getvalue()


def photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (900, 600), (90, 120, 160)).save(file, format="JPEG")
    return file.getvalue()


def test_a_named_pose_is_opened_edited_and_compared(visitor: PageVisitor):
    asked, answer = visitor.open("tree pose on the left leg")
    assert asked["entry"]["opened"] == "tree pose on the left leg"
    (first,) = answer["entry"]["poses"]
    assert answer["poses"][first]["origin"] == "tree pose on the left leg"
    edited = visitor.say("raise the left arm")[-1]
    (second,) = edited["entry"]["poses"]
    assert edited["poses"][second]["before"] == first
    assert edited["current"] == second
    compared = visitor.say("what changed?")[-1]["entry"]
    assert compared["compared"] == [first, second]


def test_words_come_in_pieces_before_the_answer(visitor: PageVisitor):
    visitor.open("squat")
    events = visitor.say("describe it")
    assert [event["kind"] for event in events[:3]] == ["entry", "text", "text"]
    said = "".join(event["text"] for event in events if event["kind"] == "text")
    assert events[-1]["entry"]["text"] == said


def test_a_conversation_is_there_again_when_the_page_is_loaded_again(visitor: PageVisitor):
    visitor.open("squat")
    visitor.say("describe it")
    before = visitor.conversation
    again = visitor.client.get("/")
    assert "set-cookie" not in again.headers
    assert visitor.conversation == before
    assert [entry["who"] for entry in before["entries"]] == ["you", "unipose"] * 2


def test_two_visitors_know_nothing_of_each_other(sessions: PageSessions):
    one, other = PageVisitor(sessions), PageVisitor(sessions)
    (pose,) = one.open("squat")[-1]["entry"]["poses"]
    assert other.conversation["entries"] == []
    assert other.client.get(f"/page/poses/{pose}/body.glb").status_code == 422
    assert one.client.get(f"/page/poses/{pose}/body.glb").status_code == 200


def test_a_body_is_a_whole_glb_on_the_floor_coloured_by_what_moved(visitor: PageVisitor):
    visitor.open("squat")
    first, second = (
        visitor.conversation["current"],
        visitor.say("raise the left arm")[-1]["current"],
    )
    plain = visitor.client.get(f"/page/poses/{second}/body.glb").content
    coloured = visitor.client.get(
        f"/page/poses/{second}/body.glb", params={"moved_from": first}
    ).content
    assert plain != coloured
    scene = trimesh.load_scene(io.BytesIO(coloured), file_type="glb")
    assert sum(len(mesh.vertices) for mesh in scene.geometry.values()) == 6890
    joints = visitor.client.get(f"/page/poses/{second}/moved", params={"moved_from": first}).json()[
        "joints"
    ]
    assert joints[0][0] == "left ankle"  # the fake bends the left knee
    assert joints == sorted(joints, key=lambda joint: -joint[1])


@pytest.mark.parametrize(
    ("kind", "begins"),
    [("npz", b"PK"), ("json", b"{"), ("bvh", b"HIERARCHY"), ("glb", b"glTF"), ("png", b"\x89PNG")],
)
def test_a_pose_is_downloaded_in_each_format(visitor: PageVisitor, kind: str, begins: bytes):
    pose = visitor.open("squat")[-1]["current"]
    answer = visitor.client.get(f"/page/poses/{pose}/file", params={"kind": kind})
    assert answer.content.startswith(begins)
    assert answer.headers["content-disposition"].endswith(f"pose-1.{kind}")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_recording_is_scrubbed_taken_from_and_downloaded(visitor: PageVisitor):
    assert visitor.bring("arm.npz", arm_recording()).json() == {"name": "arm.npz"}
    opened = visitor.open("arm.npz")[-1]
    card = opened["poses"][opened["current"]]
    assert card["seconds"] == pytest.approx(59 / 30)
    path = f"/page/poses/{card['id']}"
    moving = visitor.client.get(f"{path}/body.glb", params={"motion": True}).content
    length = int.from_bytes(moving[12:16], "little")
    assert json.loads(moving[20 : 20 + length])["animations"][0]["name"] == "motion"
    taken = visitor.client.post(f"{path}/moment", json={"seconds": 1.5}).json()
    new = taken["poses"][taken["current"]]
    assert (new["number"], new["at"], new["origin"]) == (2, 1.5, "arm.npz at 1.50 s")
    whole = visitor.client.get(f"{path}/file", params={"kind": "npz", "motion": True})
    assert len(np.load(io.BytesIO(whole.content))["body_pose"]) == 60
    late = visitor.client.post(f"{path}/moment", json={"seconds": 99})
    assert late.status_code == 422
    assert "ends at 1.97 s" in late.json()["detail"]


def test_a_photo_comes_back_small_and_drawn_anew(visitor: PageVisitor):
    visitor.bring("me.jpg", photo())
    asked, answer = visitor.open("me.jpg")
    (picture,) = asked["entry"]["pictures"]
    shown = visitor.client.get(f"/page/files/{picture}")
    assert shown.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(shown.content)).size == (480, 320)
    assert "read off me.jpg" in answer["entry"]["text"]


@pytest.fixture
def followed(monkeypatch) -> list[int]:
    """Films are followed by nobody here: their frames are counted, and the left arm goes up."""
    frames = [4]

    def follow(path: Path, progress: Progress) -> Pose:
        list(progress(range(frames[0]), frames[0], "frames"))
        turns = torch.zeros(10, 24, 3)
        turns[:, 16, 2] = torch.linspace(0, 1, 10)
        return Pose.from_axis_angle(turns, fps=10.0)

    monkeypatch.setattr("unipose.app.pose_actions.read_motion", follow)
    return frames


def test_a_film_shows_how_far_it_is_and_becomes_a_recording(visitor: PageVisitor, followed):
    visitor.bring("walk.mp4", b"no film that could be previewed")
    events = visitor.open("walk.mp4")
    told = [(event["done"], event["of"]) for event in events if event["kind"] == "progress"]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    card = events[-1]["poses"][events[-1]["current"]]
    assert (card["seconds"], card["origin"]) == (0.9, "the person in walk.mp4 (0.9 s)")
    assert "a recording of 0.9 s" in events[-1]["entry"]["text"]


def test_a_film_is_stopped_and_one_too_long_is_refused(
    visitor: PageVisitor, sessions: PageSessions, followed, monkeypatch
):
    visitor.bring("walk.mp4", b"no film that could be previewed")
    (session,) = sessions._sessions.values()
    seen: list[dict] = []

    def stop_at_the_second(event: dict) -> None:
        seen.append(event)
        if event.get("done") == 2:
            session.stop()

    session.open("walk.mp4", stop_at_the_second)
    assert [event.get("done") for event in seen] == [None, 1, 2, None]
    assert seen[-1]["entry"]["stopped"]
    assert session.conversation.poses == []
    followed[0] = MOST_FRAMES + 1
    answer = visitor.open("walk.mp4")[-1]["entry"]
    assert answer["failed"]
    assert "at most 3,000" in answer["text"]


def test_files_that_a_conversation_writes_are_downloaded_by_id(visitor: PageVisitor):
    visitor.open("squat")
    entry = visitor.say("save it as mine.npz")[-1]["entry"]
    ((file, name),) = entry["files"]
    assert name == "mine.npz"
    assert entry["text"].endswith("pose 1 is in mine.npz")  # no folder of the server
    got = visitor.client.get(f"/page/files/{file}")
    assert unquote(got.headers["content-disposition"]) == "attachment; filename*=UTF-8''mine.npz"
    shown = visitor.say("show me")[-1]["entry"]["pictures"]
    assert visitor.client.get(f"/page/files/{shown[0]}").content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "line", ["/pose /etc/passwd", "/pose ../secret.npz", "/save /tmp/x.npz", "/keep ../x.json",
             "open ../secret.npz", "/pose ~/x.npz", "/resume /etc/hostname"],
)  # fmt: skip
def test_no_line_reaches_files_outside_the_conversations_folder(sessions: PageSessions, line: str):
    visitor = PageVisitor(sessions)
    if line.startswith("/save"):
        visitor.open("squat")
    entry = visitor.say(line)[-1]["entry"]
    assert entry["failed"]
    assert "a folder cannot be named" in entry["text"]
    assert not Path("/tmp/x.npz").exists()


def test_nothing_outside_the_folder_is_opened_or_previewed(visitor: PageVisitor, tmp_path: Path):
    outside = tmp_path / "private.jpg"
    outside.write_bytes(photo())
    for name in (str(outside), f"../../../../../..{outside}", "..", "../files/x.jpg"):
        asked, answer = visitor.open(name)
        assert asked["entry"]["pictures"] == []
        assert answer["entry"]["failed"]


@pytest.mark.parametrize(
    "path",
    ["/page/static/../router.py", "/page/static/%2e%2e/router.py", "/page/static//etc/passwd",
     "/page/static/..%2frouter.py", "/page/files/..%2f..%2fetc%2fpasswd", "/page/files/mine.npz",
     "/page/gallery/..%2f..", "/page/static/vendor"],
)  # fmt: skip
def test_paths_lead_nowhere(visitor: PageVisitor, path: str):
    assert visitor.client.get(path).status_code == 404


def test_what_is_brought_is_bounded_and_named_plainly(sessions: PageSessions, monkeypatch):
    visitor = PageVisitor(sessions)
    assert visitor.bring("../../evil/w\u0000alk.npz", arm_recording()).json()["name"] == "w_alk.npz"
    program = visitor.bring("run.exe", b"MZ")
    assert program.status_code == 422
    assert "unknown ending '.exe'" in program.json()["detail"]
    monkeypatch.setattr("unipose.app.page.file_shelf.MOST_BYTES", 1000)
    assert visitor.bring("big.bvh", b"x" * 1001).status_code == 413
    chunks = visitor.client.put(
        "/page/files", params={"name": "big.bvh"}, content=(b"x" * 300 for _ in range(4))
    )
    assert chunks.status_code == 413
    (session,) = sessions._sessions.values()
    assert [file.name for file in session.shelf.folder.iterdir()] == ["w_alk.npz"]


def test_a_damaged_file_is_said_to_be_and_the_conversation_goes_on(visitor: PageVisitor):
    visitor.bring("broken.bvh", b"HIERARCHY\nnothing")
    entry = visitor.open("broken.bvh")[-1]["entry"]
    assert entry["failed"]
    assert entry["text"].startswith("broken.bvh: ")
    assert visitor.open("squat")[-1]["entry"]["poses"]


def test_only_so_many_conversations_are_kept_and_the_forgotten_say_so():
    sessions = fake_sessions(most=2)
    first, *others = (PageVisitor(sessions) for _ in range(3))
    assert len(sessions) == 2
    gone = first.client.get("/page/conversation")
    assert gone.status_code == 410
    assert "load the page again" in gone.json()["detail"]
    assert others[0].conversation["entries"] == []
    sessions.close()


def test_a_new_conversation_has_new_ids_and_no_files(visitor: PageVisitor):
    old = visitor.open("squat")[-1]["current"]
    visitor.say("save it as mine.npz")
    assert visitor.client.post("/page/new", json={}).json()["entries"] == []
    assert visitor.open("squat")[-1]["current"] != old
    assert visitor.client.get(f"/page/poses/{old}/body.glb").status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}, 200),
        ({"host": "localhost:7860"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "[::"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_foreign_names_and_foreign_sites_are_refused(
    visitor: PageVisitor, headers: dict[str, str], status: int
):
    answer = visitor.client.post("/page/say", json={"text": "/help"}, headers=headers)
    assert answer.status_code == status


def test_a_link_from_another_site_opens_the_page_and_nothing_else(visitor: PageVisitor):
    linked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert visitor.client.get("/", headers=linked).status_code == 200
    framed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert visitor.client.get("/page/static/main.js", headers=framed).status_code == 403


def test_every_answer_says_what_a_browser_may_do(visitor: PageVisitor):
    policy = visitor.page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    cookie = visitor.page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    pose = visitor.open("squat")[-1]["current"]
    for path in ("/page/static/main.js", f"/page/poses/{pose}/picture.jpg", "/page/conversation"):
        headers = visitor.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == policy


def test_the_pages_own_files_ask_nobody_else_for_anything():
    own = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]
    assert len(own) > 8
    for path in own:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text
        assert "style=" not in text or path.suffix != ".html"


def test_leaving_is_no_command_of_a_page(visitor: PageVisitor):
    assert "close the page" in visitor.say("/quit")[-1]["entry"]["text"]
    assert not visitor.say("/help")[-1]["entry"]["failed"]


def test_a_resumed_conversation_is_shown_under_new_ids(visitor: PageVisitor):
    first = visitor.open("squat")[-1]["current"]
    second = visitor.say("raise the left arm")[-1]["current"]
    visitor.say("/keep talk.json")
    assert "2 poses are back" in visitor.open("talk.json")[-1]["entry"]["text"]
    cards = visitor.conversation["poses"]
    assert not {first, second} & set(cards)
    assert cards[visitor.conversation["current"]]["before"] in cards
    assert visitor.client.get(f"/page/poses/{first}/body.glb").status_code == 422
