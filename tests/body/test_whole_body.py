"""The 133 keypoints and the regions: in their order, on their side, on every body."""

from __future__ import annotations

import torch

from unipose.body.body import load_body
from unipose.body.regions import REGIONS, contact_word, find_regions
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import WHOLE_BODY_NAMES, read_table, transfer, whole_body_points

BODY = load_body()
PLACES = dict(
    zip(WHOLE_BODY_NAMES, whole_body_points(BODY).places(BODY.rest_joints, BODY.template))
)


def test_there_are_133_names_in_the_published_order():
    assert len(set(WHOLE_BODY_NAMES)) == 133
    chosen = {0: "nose", 16: "right_ankle", 17: "left_big_toe", 22: "right_heel", 23: "face-0"}
    chosen |= {90: "face-67", 91: "left_hand_root", 92: "left_thumb1", 132: "right_pinky_finger4"}
    assert {i: WHOLE_BODY_NAMES[i] for i in chosen} == chosen


def test_left_and_right_keypoints_are_mirror_images():
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for name, place in PLACES.items():
        if name.startswith("left_"):
            other = PLACES[name.replace("left_", "right_")] * flip
            assert float((place - other).norm()) < 0.01, name
            assert float(place[0]) > 0, name
    for left, right in ((16, 0), (26, 17), (45, 36), (54, 48), (35, 31)):
        other = PLACES[f"face-{right}"] * flip
        assert float((PLACES[f"face-{left}"] - other).norm()) < 0.008


def test_the_face_is_in_order():
    height = {name: float(place[1]) for name, place in PLACES.items()}
    assert height["face-24"] > height["left_eye"] > height["nose"] > height["face-51"]
    assert height["face-51"] > height["face-57"] > height["face-8"]
    nose = float(PLACES["nose"][2])
    assert all(float(PLACES[f"face-{i}"][2]) <= nose for i in range(68))


def test_fingers_run_from_the_palm_outwards():
    for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger"):
        reach = [float(PLACES[f"left_{finger}{i}"][0]) for i in range(1, 5)]
        assert reach == sorted(reach), finger


def test_a_table_moved_onto_its_own_body_stays():
    moved = transfer(read_table(), BODY, BODY)
    places = {
        name: sum(BODY.template[v] * share for v, share in shares.items())
        for name, shares in moved.items()
    }
    assert all(float((places[name] - PLACES[name]).norm()) < 1e-3 for name in places)


def test_every_region_has_vertices_on_its_side():
    regions = find_regions(BODY)
    for number, name in enumerate(REGIONS):
        some = BODY.template[regions.of_vertex == number]
        assert len(some) > 10, name
        if name.startswith("left"):
            assert float(some[:, 0].mean()) > 0.02
    front = BODY.template[regions.of_vertex == REGIONS.index("chest"), 2].mean()
    back = BODY.template[regions.of_vertex == REGIONS.index("upper back"), 2].mean()
    assert front > back
    joint = BODY.rest_joints[SMPL.index["head"]]
    assert BODY.template[regions.of_vertex == REGIONS.index("head"), 1].max() > joint[1]


def test_neighbouring_regions_are_known():
    near = find_regions(BODY).neighbours
    index = REGIONS.index
    assert bool(near[index("left forearm"), index("left hand")])
    assert not bool(near[index("left hand"), index("head")])
    assert bool((near == near.T).all())


def test_contact_questions_use_their_own_words():
    assert contact_word("left upper arm") == "left arm"
    assert contact_word("buttocks") == "butt"
    assert contact_word("chest") == "chest"
