"""Keypoint files of detectors, in the layouts they are written in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from unipose.body.keypoint_sets import COCO_17, HUMAN36M_17, OPENPOSE_25, OPENPOSE_67, OPENPOSE_137
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.errors import FileError, MissingFileError
from unipose.files.keypoint_files import read_keypoint_file, read_keypoints
from unipose.files.keypoint_writing import write_keypoints, write_people


def flat(count: int, *, start: float = 100.0) -> list[float]:
    """Return x, y, score of so many keypoints: (start, start + 0.5, 0.9), (start + 1, ...), ..."""
    return [v for i in range(count) for v in (start + i, start + i + 0.5, 0.9)]


def save(folder: Path, content: object, name: str = "file.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(content))
    return file


def the_person(images: list[ImagePeople]) -> PersonInImage:
    (image,) = images
    (person,) = image.people
    return person


def the_keypoints(person: PersonInImage) -> Keypoints:
    assert person.keypoints is not None
    return person.keypoints


def test_openpose_frames_give_their_people_and_missing_keypoints(tmp_path: Path):
    body = flat(25)
    ear = 3 * OPENPOSE_25.index["left_ear"]
    body[ear : ear + 3] = [0, 0, 0]
    content = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": body,
               "face_keypoints_2d": [], "hand_left_keypoints_2d": [],
               "hand_right_keypoints_2d": []},
               {"pose_keypoints_2d": flat(25, start=300)}]}  # fmt: skip
    (image,) = read_keypoint_file(save(tmp_path, content, "clip_000000000007_keypoints.json"))
    assert image.image == "clip_000000000007"
    first, second = (the_keypoints(person) for person in image.people)
    assert first.keypoint_set is OPENPOSE_25
    assert not first.present[0, OPENPOSE_25.index["left_ear"]]
    assert first.points[0, OPENPOSE_25.index["pelvis"]].tolist() == [108.0, 108.5]
    assert second.present.all()
    assert second.scores[0, 0] == pytest.approx(0.9)


def test_a_folder_of_frames_is_read_in_order(tmp_path: Path):
    for frame in (2, 0, 1):
        content = {"people": [{"pose_keypoints_2d": flat(18, start=100 + frame)}]}
        save(tmp_path, content, f"a_{frame:012d}_keypoints.json")
    images = read_keypoint_file(tmp_path)
    assert [image.image for image in images] == [f"a_{i:012d}" for i in range(3)]
    assert [float(the_keypoints(i.people[0]).points[0, 0, 0]) for i in images] == [100, 101, 102]


def test_frames_are_in_the_order_in_which_people_count_and_companions_of_macos_are_none(
    tmp_path: Path,
):
    for frame in (10, 2, 1):
        save(tmp_path, {"people": [{"pose_keypoints_2d": flat(25)}]}, f"a_{frame}_keypoints.json")
    (tmp_path / "._a_1_keypoints.json").write_bytes(b"\0\5\x16\7")
    assert [image.image for image in read_keypoint_file(tmp_path)] == ["a_1", "a_2", "a_10"]


def test_frames_of_openpose_s_first_version_are_read(tmp_path: Path):
    content = {"version": 1.1, "people": [{"pose_keypoints": flat(18), "face_keypoints": []}]}
    found = the_keypoints(the_person(read_keypoint_file(save(tmp_path, content))))
    assert found.points[0, found.keypoint_set.index["left_ankle"]].tolist() == [113, 113.5]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("shares", [False, True])
def test_controlnet_s_keypoints_are_pixels_of_its_canvas(
    tmp_path: Path, listed: bool, shares: bool
):
    width, height = (640, 480) if shares else (1, 1)
    places = [v / (width, height, 0.9)[i % 3] for i, v in enumerate(flat(18))]
    frame = {"people": [{"pose_keypoints_2d": places, "face_keypoints_2d": None,
             "hand_left_keypoints_2d": None, "hand_right_keypoints_2d": None}], "animals": [],
             "canvas_height": 480, "canvas_width": 640}  # fmt: skip
    (image,) = read_keypoint_file(save(tmp_path, [frame] if listed else frame))
    assert (image.image, image.size_px) == ("file", (640, 480))
    points = the_keypoints(image.people[0]).points[0]
    assert points[3].tolist() == pytest.approx([103, 103.5])


@pytest.mark.parametrize(("people", "keypoints"), [("people", "pose_keypoints_2d"),
                                                   ("bodies", "joints")])  # fmt: skip
def test_alphapose_writes_all_frames_in_openpose_s_layout(
    tmp_path: Path, people: str, keypoints: str
):
    content = {
        f"{i}.jpg": {"version": "AlphaPose v0.3", people: [{keypoints: flat(18, start=100.0 * i)}]}
        for i in (1, 2)
    }
    first, second = read_keypoint_file(save(tmp_path, content))
    assert (first.image, second.image) == ("1.jpg", "2.jpg")
    assert the_keypoints(second.people[0]).points[0, 1].tolist() == [201, 201.5]
    assert second.people[0].detector == "alphapose"
    (alone,) = read_keypoint_file(save(tmp_path, content["2.jpg"], "2.json"))  # with --sep-json
    assert the_keypoints(alone.people[0]).points[0, 1].tolist() == [201, 201.5]


@pytest.mark.parametrize("missing", [[-1, -1, 0], [float("nan")] * 3])
def test_a_keypoint_that_is_written_as_none_is_missing(tmp_path: Path, missing: list[float]):
    content = [{"image_id": 0, "category_id": 1, "keypoints": missing + flat(16), "score": 0.5}]
    found = the_keypoints(the_person(read_keypoint_file(save(tmp_path, content))))
    assert found.present[0].tolist() == [False] + [True] * 16


@pytest.mark.parametrize(("with_face", "expected"), [(False, OPENPOSE_67), (True, OPENPOSE_137)])
def test_hands_and_face_join_the_body(tmp_path: Path, with_face: bool, expected: object):
    content = {"people": [{"pose_keypoints_2d": flat(25), "hand_left_keypoints_2d": flat(21),
               "hand_right_keypoints_2d": flat(21, start=400),
               "face_keypoints_2d": flat(70, start=700) if with_face else []}]}  # fmt: skip
    found = the_keypoints(the_person(read_keypoint_file(save(tmp_path, content))))
    assert found.keypoint_set is expected
    assert found.points[0, found.keypoint_set.index["right_thumb1"]].tolist() == [401.0, 401.5]


def test_coco_annotations_say_what_is_hidden_and_whose_picture_it_is(tmp_path: Path):
    marks = [v for i in range(17) for v in ((10 + i, 20 + i, 2) if i % 3 else (0, 0, 0))]
    marks[5] = 1
    content = {
        "images": [{"id": 7, "file_name": "000000000007.jpg", "width": 640, "height": 480},
                   {"id": 9, "file_name": "empty.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "keypoints": marks,
                         "bbox": [5, 6, 50, 60], "num_keypoints": 11}],
    }  # fmt: skip
    first, empty = read_keypoint_file(save(tmp_path, content))
    assert (first.image, first.size_px) == ("000000000007.jpg", (640, 480))
    assert empty.people == ()
    person = the_person([first])
    assert person.box == (5, 6, 55, 66)
    found = the_keypoints(person)
    assert found.present[0].tolist() == [i % 3 > 0 for i in range(17)]
    assert found.scores[0, 1:3].tolist() == [0.5, 1.0]


def test_whole_body_annotations_have_133_keypoints(tmp_path: Path):
    counts = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21,
              "righthand_kpts": 21}  # fmt: skip
    parts = {name: [v for i in range(n) for v in (100 + i, 5, 2)] for name, n in counts.items()}
    content = {"images": [{"id": 1}], "annotations": [{"image_id": 1, **parts}]}
    found = the_keypoints(the_person(read_keypoint_file(save(tmp_path, content))))
    assert found.keypoint_set.name == "coco-wholebody-133"
    assert found.points[0, found.keypoint_set.index["left_heel"], 0] == 102


@pytest.mark.parametrize(
    ("entry", "detector", "box"),
    [
        ({"image_id": 139, "bbox": [1, 2, 3, 4]}, "coco result", (1, 2, 4, 6)),
        ({"image_id": "1.jpg", "box": [1, 2, 3, 4], "idx": [0.0]}, "alphapose", (1, 2, 4, 6)),
    ],
)
def test_results_have_scores(tmp_path: Path, entry: dict, detector: str, box: tuple):
    content = [entry | {"category_id": 1, "keypoints": flat(17), "score": 2.5}]
    person = the_person(read_keypoint_file(save(tmp_path, content)))
    assert (person.detector, person.box, person.confidence) == (detector, box, 2.5)
    assert the_keypoints(person).keypoint_set is COCO_17


def test_halpe_results_are_told_by_their_number(tmp_path: Path):
    content = [{"image_id": "a.jpg", "keypoints": flat(26), "score": 1.0}]
    found = the_keypoints(the_person(read_keypoint_file(save(tmp_path, content))))
    assert found.points[0, found.keypoint_set.index["pelvis"], 0] == 119


def test_mmpose_films_and_pictures(tmp_path: Path):
    instance = {"keypoints": [[i, 2.0 * i] for i in range(17)], "keypoint_scores": [0.5] * 17,
                "bbox": [[1.0, 2.0, 30.0, 40.0]], "bbox_score": 0.75}  # fmt: skip
    film = {"meta_info": {"dataset_name": "coco"},
            "instance_info": [{"frame_id": 1, "instances": [instance, instance]},
                              {"frame_id": 2, "instances": []}]}  # fmt: skip
    one, two = read_keypoint_file(save(tmp_path, film))
    assert (one.image, len(one.people), two.people) == ("1", 2, ())
    person = the_person(read_keypoint_file(save(tmp_path, [instance], "photo.json")))
    assert (person.box, person.confidence) == ((1, 2, 30, 40), 0.75)
    assert the_keypoints(person).points[0, 16].tolist() == [16, 32]


def test_ultralytics_results(tmp_path: Path):
    content = [{"name": "person", "class": 0, "confidence": 0.9,
                "box": {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0},
                "keypoints": {"x": [float(i) for i in range(17)], "y": [5.0] * 17,
                              "visible": [0.0] + [0.8] * 16}}]  # fmt: skip
    person = the_person(read_keypoint_file(save(tmp_path, content)))
    assert person.box == (1, 2, 30, 40)
    found = the_keypoints(person)
    assert not found.present[0, 0]
    assert found.points[0, 3].tolist() == [3, 5]


def test_an_archive_says_which_set_it_holds(tmp_path: Path):
    points = torch.rand(5, 17, 3, dtype=torch.float64)
    points[2, 4] = torch.nan
    before = Keypoints.of(HUMAN36M_17, points)
    after = read_keypoints(write_keypoints(before, tmp_path / "a.npz"))
    assert after.keypoint_set is HUMAN36M_17
    assert torch.equal(after.points, before.points)
    assert torch.equal(after.present, before.present)
    assert len(read_keypoint_file(tmp_path / "a.npz")) == 5


def test_a_plain_array_needs_a_set_and_what_its_third_column_is(tmp_path: Path):
    file = tmp_path / "a.npy"
    np.save(file, np.full((4, 17, 3), 12.0))
    with pytest.raises(FileError, match='of="coco-17"'):
        read_keypoint_file(file)
    with pytest.raises(FileError, match="third one is a score or z"):
        read_keypoint_file(file, of="coco-17")
    images = read_keypoint_file(file, of="coco-17", third="score")
    assert the_keypoints(images[0].people[0]).points.shape == (1, 17, 2)


@pytest.mark.parametrize("layout", ["coco", "openpose"])
def test_people_are_written_and_read_again(tmp_path: Path, layout: str):
    points = torch.rand(1, 25, 2, dtype=torch.float64) * 500
    points[0, 3] = torch.nan
    keypoints = Keypoints.of(OPENPOSE_25, points)
    person = PersonInImage(keypoints=keypoints, box=(1.0, 2.0, 30.0, 40.0), confidence=0.5)
    images = [ImagePeople(image="12", people=(person,))]
    file = write_people(
        images, tmp_path / "out.json", "openpose" if layout == "openpose" else "coco"
    )
    again = the_person(read_keypoint_file(file, of=OPENPOSE_25))
    found = the_keypoints(again)
    torch.testing.assert_close(found.points, keypoints.points, atol=6e-4, rtol=0)
    assert torch.equal(found.present, keypoints.present)
    if layout == "coco":
        assert (again.box, again.confidence) == (person.box, 0.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, "no keypoint file that we know"),
        ([], "empty list"),
        ([{"image_id": 1, "keypoints": flat(19)}], "19 keypoints.*17 \\(coco-17\\)"),
        ([{"image_id": 1, "keypoints": flat(17)[:-1]}], "x, y, score"),
        ([{"image_id": 1, "keypoints": ["a"] * 51}], "no regular array"),
        ({"people": [{"pose_keypoints_2d": flat(15)}]}, "15 keypoints; expected OpenPose's 25"),
        ({"people": [{}]}, "without 'pose_keypoints_2d'"),
        (
            {"people": [{"pose_keypoints_2d": [v / 1000 for v in flat(25)]}]},
            "shares of the picture",
        ),
        ({"instance_info": [{"frame_id": 1}]}, "without 'instances'"),
        ([{"keypoints": [[1, 2]], "keypoint_scores": [1, 2]}], "n keypoint_scores"),
    ],
)
def test_a_file_that_is_none_is_refused_with_what_was_expected(
    tmp_path: Path, content: object, message: str
):
    with pytest.raises(FileError, match=message):
        read_keypoint_file(save(tmp_path, content))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"nobody\.json"):
        read_keypoint_file(tmp_path / "nobody.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(FileError, match="nested"):
        read_keypoint_file(tmp_path / "deep.json")


def test_only_keypoints_of_openpose_are_written_as_openpose(tmp_path: Path):
    person = PersonInImage(keypoints=Keypoints.of(COCO_17, torch.rand(1, 17, 2)))
    images = [ImagePeople(image="1", people=(person,))]
    with pytest.raises(FileError, match="Map the keypoints onto openpose-25"):
        write_people(images, tmp_path / "a.json", "openpose")
