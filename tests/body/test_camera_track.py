"""Calibrated cameras over time: projection, lens, and the data sets' own forms."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.camera import CameraTrack
from unipose.errors import ConfigError

GENERATOR = torch.Generator().manual_seed(3)
POINTS = torch.rand(4, 9, 3, dtype=torch.float64, generator=GENERATOR) * 2 - 1


def track(**known: object) -> CameraTrack:
    turn = torch.linalg.qr(torch.rand(4, 3, 3, dtype=torch.float64, generator=GENERATOR))[0]
    turn = turn * torch.linalg.det(turn)[:, None, None]
    base: dict[str, object] = {
        "rotation": turn,
        "translation": torch.tensor([0.1, -0.2, 4.0], dtype=torch.float64).expand(4, 3),
        "focal_px": torch.tensor([1145.05, 1143.78], dtype=torch.float64).expand(4, 2),
        "centre_px": torch.tensor([512.54, 515.45], dtype=torch.float64).expand(4, 2),
    }
    return CameraTrack(**(base | known))  # type: ignore[arg-type]


def opencv_pixels(
    camera: CameraTrack, frame: int, point: Float[Tensor, "3"], k: list[float]
) -> tuple[float, float]:
    """Project one point by the formulas of OpenCV's documentation, written out one by one."""
    x, y, z = (camera.rotation[frame] @ point + camera.translation[frame]).tolist()
    x, y = x / z, y / z
    k1, k2, p1, p2, k3, k4, k5, k6 = (*k, 0, 0, 0)[:8]
    r2 = x * x + y * y
    scale = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    u = x * scale + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * scale + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    (fx, fy), (cx, cy) = camera.focal_px[frame].tolist(), camera.centre_px[frame].tolist()
    return fx * u + cx, fy * v + cy


@pytest.mark.parametrize(
    "k",
    [
        [-0.208, 0.248, -0.0014, -0.00098, -0.0030],
        [0.51, -2.65, 0.0008, -0.0003, 1.53, 0.39, -2.48, 1.46],
    ],
)
def test_pixels_agree_with_the_formulas_of_opencv(k: list[float]):
    camera = track(distortion=torch.tensor(k, dtype=torch.float64).expand(4, -1))
    pixels = camera.project(POINTS)
    for frame in range(4):
        for i in range(9):
            expected = opencv_pixels(camera, frame, POINTS[frame, i], k)
            assert pixels[frame, i].tolist() == pytest.approx(expected, abs=1e-6)


def test_rays_undo_the_lens():
    k = torch.tensor([-0.208, 0.248, -0.0014, -0.00098, -0.003], dtype=torch.float64)
    camera = track(distortion=k.expand(4, -1))
    seen = camera.to_camera(POINTS)
    rays = camera.rays(camera.project(POINTS))
    torch.testing.assert_close(rays, seen[..., :2] / seen[..., 2:], atol=1e-9, rtol=0)


def test_human36m_has_its_own_tangential_part():
    one = torch.float64
    camera = CameraTrack.from_human36m(
        rotation=torch.eye(3, dtype=one), position_mm=torch.tensor([0.0, 0.0, -4000.0], dtype=one),
        focal_px=torch.tensor([1000.0, 1000.0], dtype=one),
        centre_px=torch.tensor([500.0, 500.0], dtype=one),
        radial=torch.zeros(3, dtype=one), tangential=torch.tensor([0.01, 0.02], dtype=one),
    )  # fmt: skip
    # x = 0.25, y = 0.5 on the plane: x (p1 y + p2 x) + p2 r2, y (p1 y + p2 x) + p1 r2
    pixel = camera.project(torch.tensor([[[1.0, 2.0, 0.0]]], dtype=one))[0, 0]
    assert pixel.tolist() == pytest.approx([500 + 250 + 2.5 + 6.25, 500 + 500 + 5.0 + 3.125])


def test_matrices_of_3dpw_give_the_pinhole():
    intrinsics = torch.tensor([[1961.0, 0, 540], [0, 1969.0, 960], [0, 0, 1]], dtype=torch.float64)
    poses = torch.eye(4, dtype=torch.float64).repeat(4, 1, 1)
    poses[:, 2, 3] = torch.arange(3.0, 7.0)
    pixels = CameraTrack.from_matrices(intrinsics, poses).project(POINTS)
    x, y, z = (POINTS + poses[:, None, :3, 3]).unbind(-1)
    torch.testing.assert_close(pixels[..., 0], 1961 * x / z + 540)
    torch.testing.assert_close(pixels[..., 1], 1969 * y / z + 960)


def test_points_of_the_camera_are_found_again_in_the_world():
    camera = track()
    torch.testing.assert_close(camera.to_world(camera.to_camera(POINTS)), POINTS)


def test_a_world_that_is_turned_is_seen_as_before():
    camera, z_up = track(), torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64)
    seen = camera.in_turned_world(z_up).project(POINTS @ z_up.mT)
    torch.testing.assert_close(seen, camera.project(POINTS))


def test_a_pinhole_of_one_frame_sees_the_same():
    focal = torch.tensor([1100.0, 1100.0], dtype=torch.float64).expand(4, 2)
    camera = track(focal_px=focal, translation=torch.rand(4, 3, dtype=torch.float64) + 4)
    pinhole = camera.pinhole(size_px=(1000, 1002), frame=2)
    seen = pinhole.project(POINTS[2], width_px=1000, height_px=1002)
    torch.testing.assert_close(seen, camera.project(POINTS)[2])
    with pytest.raises(ConfigError, match="0 x 1002 pixels"):
        camera.pinhole(size_px=(0, 1002))


def test_a_point_behind_the_camera_has_no_pixel():
    camera = track(rotation=torch.eye(3, dtype=torch.float64).expand(4, 3, 3))
    behind = torch.tensor([0.0, 0.0, -5.0], dtype=torch.float64).expand(4, 1, 3)
    assert camera.project(behind).isnan().all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"focal_px": torch.zeros(4, 2)}, "positive"),
        ({"distortion": torch.zeros(4, 4)}, "5 or 8"),
        ({"distortion": torch.zeros(4, 8), "lens": "human36m"}, "expected 5"),
        ({"translation": torch.full((4, 3), torch.nan)}, "NaN"),
        ({"rotation": torch.diag(torch.tensor([1.0, 1, -1])).expand(4, 3, 3)}, "not a rotation"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        track(**wrong)
