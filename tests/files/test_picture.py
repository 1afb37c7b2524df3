"""Pictures as files: read back, they have the frames, the rate and the length they should."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import FileError
from unipose.files import picture
from unipose.files.atomic import written_whole
from unipose.files.picture import gif_durations, write_picture


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw small and without smoothing: these tests are about files."""
    for name in ("draw_pose", "contact_sheet", "draw_sequence", "draw_turntable"):
        whole = getattr(picture, name)
        monkeypatch.setattr(picture, name, partial(draw_small, whole))


def draw_small(whole: Callable, pose: Pose, body: Body, **more: object) -> object:
    return whole(pose, body, **(more | {"size": 64, "supersample": 1}))


def waving(count: int, fps: float | None) -> Pose:
    axis_angle = torch.zeros(count, 24, 3)
    axis_angle[:, 16, 2] = torch.linspace(-1, 1, count)
    return Pose.from_axis_angle(axis_angle, fps=fps)


def test_one_pose_is_one_picture(body: Body, tmp_path: Path) -> None:
    with Image.open(write_picture(waving(1, None), tmp_path / "one.png", body)) as image:
        assert image.format == "PNG"
        assert image.height == 64


def test_the_same_pose_gives_the_same_file(body: Body, tmp_path: Path) -> None:
    files = [write_picture(waving(1, None), tmp_path / f"{i}.png", body) for i in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_long_sequence_is_a_sheet_of_poses_from_first_to_last(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def remember(pose: Pose, body: Body, **more: object) -> np.ndarray:
        return seen.update(more, pose=pose) or np.zeros((8, 8, 3), dtype=np.uint8)

    monkeypatch.setattr(picture, "contact_sheet", remember)
    many = waving(101, 10.0)
    write_picture(many, tmp_path / "many.png", body)
    assert len(seen["pose"]) == picture.SHEET_POSES
    assert torch.equal(seen["pose"].rotations[[0, -1]], many.rotations[[0, -1]])
    assert (seen["labels"][0], seen["labels"][-1]) == ("0.00 s", "10.00 s")


def test_a_film_has_a_frame_per_pose_at_the_rate_of_the_recording(
    body: Body, tmp_path: Path
) -> None:
    path = write_picture(waving(9, 12.5), tmp_path / "film.mp4", body)
    with av.open(str(path)) as film:
        (stream,) = film.streams.video
        assert float(stream.average_rate) == 12.5
        assert sum(1 for _ in film.decode(video=0)) == 9


def test_a_fast_recording_is_drawn_at_thirty_per_second(body: Body, tmp_path: Path) -> None:
    path = write_picture(waving(12, 120.0), tmp_path / "film.mp4", body)
    with av.open(str(path)) as film:
        assert float(film.streams.video[0].average_rate) == 30.0
        assert sum(1 for _ in film.decode(video=0)) == 3


def test_a_gif_lasts_as_long_as_the_recording(body: Body, tmp_path: Path) -> None:
    path = write_picture(waving(10, 25.0), tmp_path / "wave.gif", body)
    with Image.open(path) as image:
        assert image.n_frames == 10
        total = 0
        for frame in range(image.n_frames):
            image.seek(frame)
            total += image.info["duration"]
    assert total == 400


def test_the_clock_of_a_gif_does_not_drift() -> None:
    assert gif_durations(3, 30.0) == [30, 40, 30]
    assert sum(gif_durations(300, 30.0)) == 10_000
    assert sum(gif_durations(240, 23.976)) == pytest.approx(240 / 23.976 * 1000, abs=5)


def test_a_gif_keeps_the_colours_of_the_drawing(body: Body, tmp_path: Path) -> None:
    path = write_picture(waving(2, 5.0), tmp_path / "wave.gif", body)
    with Image.open(path) as image:
        levels = np.asarray(image.convert("RGB")).astype(int)
    assert (levels[..., 2] - levels[..., 0]).max() > 50
    assert (levels[..., 0] - levels[..., 2]).max() > 50


@pytest.mark.slow
def test_one_pose_is_seen_from_all_around(body: Body, tmp_path: Path) -> None:
    path = write_picture(waving(1, None), tmp_path / "one.gif", body)
    with Image.open(path) as image:
        assert image.n_frames == picture.TURN_FRAMES
        sides = []
        for frame in (0, picture.TURN_FRAMES // 2):  # from its front, and from its back
            image.seek(frame)
            levels = np.asarray(image.convert("RGB")).astype(int)
            blue = levels[..., 2] - levels[..., 0] > 40
            sides.append(np.flatnonzero(blue.any(0)).mean() / blue.shape[1])
    assert sides[0] > 0.55  # its left is on the viewer's right
    assert sides[1] < 0.45


@pytest.mark.parametrize(
    ("poses", "fps", "name", "problem"),
    [
        (3, None, "three.mp4", "no frame rate"),
        (3, 5.0, "three.bmp", "no kind of picture"),
        (picture.GIF_FRAMES + 1, 10.0, "long.gif", "too many for a .gif"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    body: Body, tmp_path: Path, poses: int, fps: float | None, name: str, problem: str
) -> None:
    with pytest.raises(FileError, match=problem):
        write_picture(waving(poses, fps), tmp_path / name, body)
    assert not list(tmp_path.iterdir())


def test_a_file_that_failed_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "pose.txt"
    path.write_text("old")

    def fail_half_way() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
