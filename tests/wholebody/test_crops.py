"""Crops for keypoint networks: mmpose's maps, pixels where they should be, nothing stretched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unipose.errors import PoseQueryError
from unipose.wholebody.crops import AffineCrops, moved_by

GOLDEN = Path(__file__).parents[3] / "shared" / "facts" / "cigpose_golden.json"


def test_maps_are_those_of_mmpose():
    if not GOLDEN.is_file():
        pytest.skip("the file of the authors' numbers is not beside the project")
    warp = json.loads(GOLDEN.read_text())["warp"]
    crops = AffineCrops.around([tuple(float(edge) for edge in warp["bbox"])], (192, 256))
    assert crops.centre[0].tolist() == warp["center"]
    assert crops.scale[0].tolist() == warp["scale_fixed"]
    assert np.allclose(crops.from_picture()[0], warp["M_rot0"], atol=1e-9)
    turned = AffineCrops(
        centre=crops.centre, scale=crops.scale, size=crops.size, angle=np.deg2rad([30.0])
    )
    assert np.allclose(turned.from_picture()[0], warp["M_rot30"], atol=3e-6)


def test_a_crop_of_its_own_size_is_the_picture_itself():
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    crops = AffineCrops(
        centre=np.array([[14.0, 20.0]]), scale=np.array([[12.0, 16.0]]), size=(12, 16),
        angle=np.zeros(1),
    )  # fmt: skip
    assert np.array_equal(crops.cut(picture)[0], picture[12:28, 8:20])


def test_what_lies_beyond_the_picture_is_black_and_nothing_is_stretched():
    picture = np.full((40, 30, 3), 200, dtype=np.uint8)
    crops = AffineCrops.around([(-6.0, 0.0, 6.0, 16.0)], (12, 16), padding=1.0)
    cut = crops.cut(picture)[0]
    assert (cut[:, :5] == 0).all()
    assert (cut[1:, 7:] == 200).all()
    far = AffineCrops.around([(500.0, 500.0, 520.0, 520.0)], (12, 16))
    assert not far.cut(picture).any()


def test_points_go_there_and_back():
    random = np.random.default_rng(1)
    crops = AffineCrops.around(np.add(random.uniform(0, 50, (5, 4)), (0, 0, 60, 60)), (96, 128))
    crops = AffineCrops(
        centre=crops.centre, scale=crops.scale, size=crops.size, angle=random.uniform(-1, 1, 5)
    )
    points = random.uniform(-20, 200, (5, 7, 2))
    there = moved_by(points, crops.from_picture())
    assert np.allclose(moved_by(there, crops.to_picture()), points)


def test_averaging_leaves_no_pixel_out():
    picture = np.zeros((160, 160, 3), dtype=np.uint8)
    picture[::4] = 240  # every fourth row is bright
    crops = AffineCrops.around([(0.0, 0.0, 160.0, 160.0)], (40, 40), padding=1.0)
    assert np.ptp(crops.cut(picture)[0][2:-2]) > 200 or crops.cut(picture)[0][20, 20, 0] in (0, 240)
    assert abs(int(crops.cut(picture, averaged=True)[0][20, 20, 0]) - 60) <= 1


@pytest.mark.parametrize(
    "box", [(5.0, 5.0, 5.0, 9.0), (9.0, 5.0, 5.0, 9.0), (0.0, 0.0, float("nan"), 4.0)]
)
def test_a_box_without_an_area_is_named(box):
    with pytest.raises(PoseQueryError, match=r"with an area, got .* for person 1"):
        AffineCrops.around([(0.0, 0.0, 1.0, 1.0), box], (12, 16))
