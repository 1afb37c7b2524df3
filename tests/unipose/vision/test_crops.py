"""Crops: which pixels they hold, and the way from a crop's camera to the picture's and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unipose.errors import ConfigError
from unipose.vision.crops import Crops, project, resample


def some_crops(count: int, seed: int = 0) -> Crops:
    generator = torch.Generator().manual_seed(seed)
    return Crops(
        centre=torch.rand(count, 2, generator=generator) * 400,
        side=20 + 300 * torch.rand(count, generator=generator),
    )


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_tall_box_fills_the_crop_and_a_wide_one_its_middle_columns():
    boxes = torch.tensor([[10.0, 20.0, 40.0, 120.0], [0.0, 0.0, 90.0, 30.0]])
    crops = Crops.around(boxes, scale=1.2)
    torch.testing.assert_close(crops.centre, torch.tensor([[25.0, 70.0], [45.0, 15.0]]))
    torch.testing.assert_close(
        crops.side, torch.tensor([120.0, 144.0])
    )  # 100 x 1.2; 90 / 0.75 x 1.2
    corners = crops.to_crop(boxes.view(2, 2, 2))
    assert float(corners[..., 0].abs().max()) <= 0.375  # inside the middle three quarters
    with pytest.raises(ConfigError, match="left, top, right, bottom"):
        Crops.around(torch.tensor([[5.0, 5.0, 5.0, 9.0]]))


def test_places_in_a_crop_and_pixels_of_the_picture_are_each_others_inverse():
    crops, points = some_crops(5), random(5, 7, 2) * 100
    torch.testing.assert_close(crops.to_picture(crops.to_crop(points)), points, atol=1e-2, rtol=0)
    corner = crops.to_picture(torch.full((5, 1, 2), -0.5))[:, 0]
    torch.testing.assert_close(corner, crops.centre - crops.side[:, None] / 2)


def test_a_crop_of_the_whole_picture_is_the_picture():
    picture = torch.randint(0, 256, (40, 40, 3), dtype=torch.uint8)
    crop = Crops.whole(40, 40).cut(picture, 40)
    torch.testing.assert_close(crop[0], picture.movedim(2, 0).float(), atol=1e-2, rtol=0)
    assert Crops.whole(30, 80).side.tolist() == [30.0]


def test_a_crop_in_the_middle_of_the_pixels_is_cut_out_exactly_and_black_beyond_the_picture():
    picture = torch.randint(1, 256, (50, 60, 3), dtype=torch.uint8)
    crops = Crops(centre=torch.tensor([[30.0, 25.0], [0.0, 0.0]]), side=torch.tensor([20.0, 20.0]))
    inside, corner = crops.cut(picture, 20)
    torch.testing.assert_close(
        inside, picture[15:35, 20:40].movedim(2, 0).float(), atol=1e-2, rtol=0
    )
    assert float(corner[:, :9, :].abs().max()) == 0
    torch.testing.assert_close(
        corner[:, 10:, 10:], picture[:10, :10].movedim(2, 0).float(), atol=1e-2, rtol=0
    )


def test_a_shrinking_crop_skips_no_pixel():
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::4] = 255  # every fourth column: a picture of one quarter brightness
    crop = Crops.whole(256, 256).cut(torch.from_numpy(stripes), 32)[0]
    assert float((crop - 63.75).abs().max()) < 1
    pillow = np.asarray(Image.fromarray(stripes).resize((32, 32), Image.Resampling.BOX))
    assert float((crop.movedim(0, 2) - torch.tensor(pillow).float()).abs().max()) < 1.5


def test_a_point_painted_in_the_picture_is_where_the_crop_says():
    for shrink in (1, 3):
        picture = torch.zeros(120 * shrink, 140 * shrink, 3, dtype=torch.uint8)
        at = torch.tensor([[[70.0, 40.0]]]) * shrink
        x, y = (int(n) for n in at[0, 0])
        picture[y - shrink : y + shrink, x - shrink : x + shrink] = 255
        crops = Crops(
            centre=torch.tensor([[61.0, 50.0]]) * shrink, side=torch.tensor([64.0 * shrink])
        )
        crop = crops.cut(picture, 64)[0, 0]
        ys, xs = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
        found = torch.stack([(crop * xs).sum(), (crop * ys).sum()]) / crop.sum()
        expected = (crops.to_crop(at)[0, 0] + 0.5) * 64
        torch.testing.assert_close(found, expected, atol=0.05, rtol=0)


def test_resampling_is_one_bilinear_step_for_each_picture_of_a_batch():
    pixels = random(3, 3, 20, 30)
    centre, side = torch.tensor([[15.0, 10.0]] * 3), torch.tensor([10.0, 13.0, 20.0])
    together = resample(pixels, centre, side, 16, 12)
    assert together.shape == (3, 3, 16, 12)
    alone = resample(pixels[1:2], centre[1:2], side[1:2], 16, 12)
    torch.testing.assert_close(together[1:2], alone)


def test_the_turn_to_a_crop_is_a_rotation_that_looks_at_its_middle():
    crops = some_crops(6)
    focal, principal = torch.full((6,), 300.0), torch.tensor([[200.0, 150.0]] * 6)
    turns = crops.turns(focal, principal)
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(6, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(6))
    ahead = turns[:, :, 2]  # the crop camera's viewing axis, seen by the picture's camera
    seen = ahead[:, :2] / ahead[:, 2:] * focal[:, None] + principal
    torch.testing.assert_close(seen, crops.centre, atol=1e-3, rtol=1e-4)
    middle = Crops(centre=principal[:1], side=torch.tensor([50.0]))
    torch.testing.assert_close(middle.turns(focal[:1], principal[:1])[0], torch.eye(3))


@given(st.integers(0, 10_000))
def test_weak_camera_and_translation_are_each_others_inverse(seed: int):
    crops = some_crops(4, seed)
    focal, principal = torch.full((4,), 350.0), torch.tensor([[180.0, 130.0]] * 4)
    generator = torch.Generator().manual_seed(seed)
    camera = torch.rand(4, 3, generator=generator) + torch.tensor([0.3, -0.5, -0.5])
    place = crops.translation(camera, focal, principal)
    assert bool((place[:, 2] > 0).all())
    torch.testing.assert_close(
        crops.weak_camera(place, focal, principal), camera, atol=2e-4, rtol=1e-3
    )


def test_a_far_person_falls_on_the_same_pixels_through_the_crop_and_through_the_picture():
    crops = Crops(centre=torch.tensor([[260.0, 90.0]]), side=torch.tensor([80.0]))
    focal, principal = torch.tensor([5000.0]), torch.tensor([[200.0, 150.0]])
    camera = torch.tensor([[0.9, 0.1, -0.2]])
    body = random(1, 24, 3) * 0.4
    place = crops.translation(camera, focal, principal)
    seen = body + place[:, None]
    in_picture = seen[..., :2] / seen[..., 2:] * focal + principal[:, None]
    in_crop = crops.to_picture(project(body, camera))
    assert float(place[0, 2]) > 100  # far away: both cameras are nearly parallel projections
    torch.testing.assert_close(in_crop, in_picture, atol=0.7, rtol=0)


def test_the_weak_cameras_scale_is_two_over_the_metres_of_a_side():
    points = torch.tensor([[[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]])
    seen = project(points, torch.tensor([[1.0, 0.0, 0.0]]))
    torch.testing.assert_close(seen[0, :, 1], torch.tensor([-0.5, 0.5]))
