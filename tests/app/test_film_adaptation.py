"""`unipose adapt`: from a film and a keypoint file to poses before and after, and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes.films_to_adapt import BODY, bent_dictionary, make_adapter, make_film
from tests.fakes.keypoint_detector import FakeKeypointDetector
from unipose.adaptation.adapter import Adapter, AdapterConfig
from unipose.adaptation.labelling import AskingNamer, OwnNamer
from unipose.adaptation.segments import read_segments
from unipose.app import film_adaptation
from unipose.app.adaptation_setup import AdaptationRequest
from unipose.app.adapted_film import write_followed
from unipose.app.film_adaptation import FilmAdaptation, follow_people, frame_numbers
from unipose.body.keypoint_sets import COCO_17
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.errors import ConfigError, FileError, FileNote, PoseQueryError
from unipose.files import open_pose
from unipose.files.film import open_film
from unipose.files.keypoint_writing import write_people
from unipose.priors.sampled_models import InProcessModel
from unipose.retrieval.motion_text import MotionTextConfig, MotionTextModel

FRAMES = 12
SMALL_SPACE = MotionTextConfig(
    latent=8, depth=1, heads=2, feed_forward=8, text_width=8, text_hidden=8
)


def plain(items, count, description):
    return items


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    film = make_film(frames=FRAMES)
    for i, pixels in enumerate(film.pixels):
        picture = np.zeros((200, 200, 3), dtype=np.uint8) + pixels[:, :1, :1].reshape(3).numpy()
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def keypoints(tmp_path: Path) -> Path:
    film = make_film(frames=FRAMES)
    rows = [
        ImagePeople(
            image=str(i), size_px=(200, 200),
            people=(
                PersonInImage(
                    box=(20.0, 20.0, 180.0, 180.0), keypoints=film.keypoints[i].mapped_to(COCO_17)
                ),
            ),
        )
        for i in range(FRAMES)
    ]  # fmt: skip
    return write_people(rows, tmp_path / "keypoints.json")


def adaptation(out: Path, **changed: object) -> FilmAdaptation:
    adapter = make_adapter(AdapterConfig(epochs=2, rate=1e-2, fill_threshold=-1.0))
    settings = {
        "adapter": adapter, "body": BODY, "mode": "fill_in", "out": out,
        "keypoints": "from a file", "namer": OwnNamer(dictionary=bent_dictionary()),
        "progress": plain,
    } | changed  # fmt: skip
    return FilmAdaptation(**settings)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_film_becomes_poses_labels_a_report_and_a_film(
    tmp_path: Path, frames: Path, keypoints: Path
):
    film, out = open_film(frames, fps=30.0), tmp_path / "out"
    (one,) = follow_people(film, keypoints, plain)
    assert (one.number, one.first, len(one)) == (1, 0, FRAMES)
    overlay = tmp_path / "overlay.mp4"
    report = adaptation(out, overlay=overlay).run(film, [one])
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(report))
    assert (report["keypoints"], report["labels"]) == ("from a file", "self")
    (row,) = report["people"]
    assert row["keypoints_filled_in"] == pytest.approx(6 / 23)  # COCO's set has no feet
    after = open_pose(out / "person-1-after.npz")
    assert (len(after), after.fps) == (FRAMES, 30.0)
    assert (out / "side-by-side.mp4").stat().st_size > 1000
    labels = read_segments(out / "labels.json")
    assert labels[0].label in bent_dictionary().labels
    assert row["actions"][0] == {
        "start_s": 0.0, "end_s": 0.4, "action": labels[0].label, "used": True,
    }  # fmt: skip
    over = next(iter(open_film(overlay).frames())).pixels
    head = over.shape[0] - 200  # a line for what everybody does
    assert head > 10
    assert over[:head].min() < 100  # its letters
    assert not (out / "keypoints.json").exists()  # they came from a file

    # the corrected file is taken, true poses give errors, and what was done is not done again
    truth = Pose(rotations=after.rotations, betas=after.betas)
    again = adaptation(out, labels=out / "labels.json", namer=None, truth=truth)
    (row,) = again.run(film, [one])["people"]
    assert row["after"]["pa_mpjpe_mm"] == pytest.approx(0.0, abs=0.05)
    assert row["before"]["mpjpe_mm"] > row["after"]["mpjpe_mm"]


@pytest.mark.slow
def test_one_who_fails_does_not_touch_the_others(
    tmp_path: Path, frames: Path, keypoints: Path, capsys: pytest.CaptureFixture[str]
):
    film = open_film(frames, fps=30.0)
    (one,) = follow_people(film, keypoints, plain)
    out = tmp_path / "out"
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps([
        {"person": 1, "start": 0, "end": FRAMES, "label": "fly"},
        {"person": 2, "start": 0, "end": FRAMES, "label": "bend the elbow"},
    ]))  # fmt: skip
    run = adaptation(out, labels=labels, namer=None)
    report = run.run(film, [one, replace(one, number=2)])
    assert "no label 'fly'" in report["people"][0]["failed"]
    assert report["people"][1]["frames"] == FRAMES
    assert "person 1 is left out" in capsys.readouterr().err
    with pytest.raises(PoseQueryError, match="nobody could be adapted"):
        adaptation(out, labels=labels, namer=None).run(film, [one])


def other_weights(network: torch.nn.Module) -> None:
    with torch.no_grad():
        next(network.parameters()).add_(0.01)


def other_points(adapter: Adapter) -> None:
    assert adapter.dictionary is not None
    adapter.dictionary = replace(adapter.dictionary, points=torch.eye(2).flip(0))


def other_space(adapter: Adapter) -> None:
    adapter.space = MotionTextModel(SMALL_SPACE)


def test_the_same_adaptation_has_the_same_mark(tmp_path: Path):
    one, other = (adaptation(tmp_path)._mark(make_film()) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    "change",
    [
        lambda adapter: other_weights(adapter.network),
        lambda adapter: other_weights(adapter.denoiser),
        other_space, other_points,
        lambda adapter: setattr(adapter, "config", AdapterConfig(epochs=3)),
    ],
)  # fmt: skip
def test_an_adaptation_that_starts_elsewhere_has_another_mark(
    tmp_path: Path, change: Callable[[Adapter], None]
):
    changed = adaptation(tmp_path)
    change(changed.adapter)
    assert changed._mark(make_film()) != adaptation(tmp_path)._mark(make_film())


def test_an_adaptation_by_other_weights_of_the_space_has_another_mark(tmp_path: Path):
    one, other = adaptation(tmp_path), adaptation(tmp_path)
    for each in (one, other):
        torch.manual_seed(0)
        other_space(each.adapter)
    assert isinstance(other.adapter.space, torch.nn.Module)
    other_weights(other.adapter.space)
    assert one._mark(make_film()) != other._mark(make_film())


def test_an_adaptation_to_another_body_has_another_mark(tmp_path: Path):
    taller = deepcopy(BODY)
    taller.template.mul_(1.1)
    film = make_film()
    assert adaptation(tmp_path, body=taller)._mark(film) != adaptation(tmp_path)._mark(film)


def test_an_adaptation_to_other_keypoints_or_another_speed_has_another_mark(tmp_path: Path):
    film, same = make_film(), adaptation(tmp_path)
    missing = replace(film.keypoints, present=film.keypoints.present.logical_not())
    aside = replace(film.crops, centre=film.crops.centre + 1)
    films = (
        film, replace(film, keypoints=missing), replace(film, fps=25.0), replace(film, crops=aside)
    )  # fmt: skip
    assert len({same._mark(one) for one in films}) == 4


def test_without_a_file_our_own_networks_look(frames: Path, monkeypatch: pytest.MonkeyPatch):
    class Detector(FakeKeypointDetector):
        def bodies(self, pixels, followed=()):
            keypoints = make_film(frames=2).keypoints[0].mapped_to(COCO_17)
            return [PersonInImage(box=(20.0, 20.0, 180.0, 180.0), keypoints=keypoints)]

        def follow(self, pixels, before):
            return self.bodies(pixels)

    monkeypatch.setattr(film_adaptation, "KeypointDetector", Detector)
    (one,) = follow_people(open_film(frames, fps=30.0), None, plain)
    assert one.keypoints.keypoint_set.name == "coco-17"
    assert len(one) == FRAMES


def test_who_is_seen_for_too_few_frames_is_told(tmp_path: Path, frames: Path):
    film = open_film(frames, fps=30.0)
    seen = make_film(frames=FRAMES).keypoints

    def rows(other: range) -> Path:
        """Return keypoints of somebody in all frames, and of somebody else in some."""
        images = []
        for i in range(FRAMES):
            one = seen[i].mapped_to(COCO_17)
            far = replace(one, points=one.points + 1000.0)
            people = [PersonInImage(keypoints=one)] if len(other) < 5 else []
            people += [PersonInImage(keypoints=far)] if i in other else []
            images.append(ImagePeople(image=str(i), people=tuple(people), size_px=(200, 200)))
        return write_people(images, tmp_path / f"{len(other)}.json")

    with pytest.warns(FileNote, match="left out 1 track shorter than 10 frames: frames 5 to 7; "):
        (one,) = follow_people(film, rows(range(5, 8)), plain)
    assert len(one) == FRAMES
    with pytest.raises(
        FileError, match=r"nobody for 10 frames or more\. left out 1 track .*3 to 9"
    ):
        follow_people(film, rows(range(3, 10)), plain)


def test_keypoints_that_were_followed_are_read_as_they_are(
    tmp_path: Path, frames: Path, keypoints: Path
):
    film = open_film(frames, fps=30.0)
    (one,) = follow_people(film, keypoints, plain)
    later = replace(one, first=2, boxes=one.boxes[:10], keypoints=one.keypoints[:10])
    (again,) = follow_people(film, write_followed([later], tmp_path / "seen.json"), plain)
    assert (again.first, len(again)) == (2, 10)
    assert np.allclose(again.boxes, later.boxes, atol=1e-2)
    assert np.allclose(again.keypoints.points, later.keypoints.points, atol=1e-2)


def test_frames_of_a_keypoint_file_are_counted_from_0_or_1_and_may_be_missing():
    assert frame_numbers(["2", "3", "5"], 12) == [2, 3, 5]
    assert frame_numbers(["1", "3", "12"], 12) == [0, 2, 11]
    assert frame_numbers(["7", "8"], None) == [7, 8]
    assert frame_numbers(["a.png", "b.png"], 12) == [0, 1]
    assert frame_numbers(["397133", "397140"], 12) == [0, 1]


def test_a_keypoint_file_of_another_film_is_refused(frames: Path, keypoints: Path):
    (frames / "11.png").unlink()
    with pytest.raises(FileError, match="keypoints of 12 frames, the film has 11"):
        follow_people(open_film(frames, fps=30.0), keypoints, plain)


def test_a_model_that_sees_names_the_segments(capsys: pytest.CaptureFixture[str]):
    film = make_film(frames=8, label="")

    def answer(question, numbers):
        first = "frames 0" in question.key
        return ["LABEL: bend the elbow" if first else "I see nothing"] * len(numbers)

    model = InProcessModel(name="fake", identity={}, answer=answer)
    namer = AskingNamer(model=model, labels=bent_dictionary().labels, samples=2, workers=1)
    named = namer.named(film, make_adapter())
    assert [one.label for one in named] == ["bend the elbow", ""]
    assert "frames 4 to 7" in capsys.readouterr().err


def test_our_own_space_names_the_nearest_action():
    film = make_film(frames=8, label="")
    named = OwnNamer(dictionary=bent_dictionary()).named(film, make_adapter())
    assert {one.label for one in named} == {"stretch the elbow"}
    sure = OwnNamer(dictionary=bent_dictionary(), least=1.1)
    assert {one.label for one in sure.named(film, make_adapter())} == {""}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"labels": Path("a.json"), "ask": "self"}, "come from a file"),
        ({"ask": "http://127.0.0.1/v1"}, "needs the name of a model"),
        ({"motion_clip": Path("m.pt")}, "name it with --clip"),
        ({"true_keypoints": True}, "what the file of --keypoints holds"),
    ],
)
def test_contradictions_are_named(options: dict, problem: str):
    with pytest.raises(ConfigError, match=problem):
        AdaptationRequest(out=Path("out"), **options)
    assert AdaptationRequest(out=Path("out")).source == "detected by the embedded networks"
