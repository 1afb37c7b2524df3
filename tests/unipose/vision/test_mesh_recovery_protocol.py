"""Any mesh recovery network: what it offers, and how its answers become people in a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.fakes.mesh_recovery import OwnMeshRecovery
from tests.fakes.smpl_files import smpl_arrays
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseError
from unipose.files.smpl_parameters import mean_pelvis
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery import (
    HMR2,
    MeshHeadConfig,
    MeshRecoveryConfig,
    MeshRecoveryNetwork,
)
from unipose.vision.mesh_recovery_protocol import (
    LEVEL,
    MeshRecovery,
    RecoveredMeshes,
    recover_meshes,
)
from unipose.vision.pose_vit import PoseViTConfig

SIZE_PX = (120, 90)
BOXES = [(10.0, 10.0, 40.0, 80.0), (60.0, 5.0, 100.0, 60.0)]
PICTURE = torch.randint(
    0, 256, (90, 120, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)


def pose_vit_network() -> MeshRecoveryNetwork:
    vit = PoseViTConfig(
        image_px=32, dropped_px=8, patch_px=16, width=16, depth=1, heads=2, feed_forward=32
    )
    head = MeshHeadConfig(width=16, depth=1, heads=2, head_width=8, feed_forward=16)
    return MeshRecoveryNetwork(MeshRecoveryConfig(vit=vit, head=head)).eval()


@pytest.fixture(params=[pose_vit_network, OwnMeshRecovery], ids=["Pose-ViT", "one's own"])
def network(request: pytest.FixtureRequest) -> MeshRecovery:
    torch.manual_seed(0)
    return request.param()


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def some_meshes(count: int = 2, **known: str) -> RecoveredMeshes:
    generator = torch.Generator().manual_seed(1)
    pose = Pose.from_axis_angle(torch.randn(count, 24, 3, generator=generator) * 0.4)
    camera = torch.rand(count, 3, generator=generator) * 0.4 + torch.tensor([0.7, -0.2, -0.2])
    return RecoveredMeshes(
        rotations=pose.rotations,
        betas=torch.randn(count, 10, generator=generator),
        camera=camera,
        **known,  # type: ignore[arg-type]
    )


def in_crops(found: RecoveredMeshes, crops: Crops, body: Body) -> torch.Tensor:
    """The joints on the picture's pixels, by the crop's weak perspective alone."""
    joints = body.joints(found.rotations, found.betas)  # axes of the crop's camera
    joints = joints - joints[:, :1] + torch.nn.functional.pad(found.camera[:, None, 1:], (0, 1))
    return crops.to_picture(joints[..., :2] * found.camera[:, :1, None] / 2)


def test_a_network_answers_for_each_crop_by_itself(network: MeshRecovery):
    assert isinstance(network, MeshRecovery)
    crops = Crops.around(torch.tensor(BOXES))
    both = recover_meshes(network, PICTURE, crops)
    second = recover_meshes(network, PICTURE, Crops.around(torch.tensor(BOXES[1:])))
    assert both.rotations.shape == (2, 24, 3, 3)
    torch.testing.assert_close(both.camera[1:], second.camera)
    torch.testing.assert_close(both.betas[1:], second.betas)
    assert not torch.allclose(both.betas[:1], second.betas)
    nobody = recover_meshes(network, PICTURE, Crops.around(torch.zeros(0, 4)))
    assert (len(nobody), nobody.people(Crops.around(torch.zeros(0, 4)), SIZE_PX)) == (0, ())


def test_crops_come_in_the_size_and_the_colours_that_a_network_asks_for(network: MeshRecovery):
    seen = []
    assert isinstance(network, nn.Module)
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    grey = torch.full((90, 120, 3), 51, dtype=torch.uint8)
    recover_meshes(network, grey, Crops.around(torch.tensor([[50.0, 40.0, 60.0, 50.0]])))
    side = network.image_px
    expected = (0.2 - torch.tensor(network.mean)) / torch.tensor(network.std)
    torch.testing.assert_close(seen[0], expected[:, None, None].expand(1, 3, side, side))


def test_adapting_changes_only_what_may_adapt(network: MeshRecovery):
    crops = torch.randn(2, 3, network.image_px, network.image_px)
    before = [weight.detach().clone() for weight in network.parameters()]
    optimizer = torch.optim.SGD(network.adaptable_parameters(), lr=0.1)
    found = network(crops)
    (found.rotations.square().sum() + found.betas.sum() + found.camera.sum()).backward()
    optimizer.step()
    changed = {id(w) for w, was in zip(network.parameters(), before) if not torch.equal(w, was)}
    assert changed
    assert changed <= {id(weight) for weight in network.adaptable_parameters()}


def test_the_camera_sees_people_where_their_crops_show_them(network: MeshRecovery, body: Body):
    crops = Crops.around(torch.tensor(BOXES))
    found = recover_meshes(network, PICTURE, crops)
    found = replace(found, camera=found.camera.clamp(min=0.3))
    for i, person in enumerate(found.people(crops, SIZE_PX, boxes=BOXES, detector="mine")):
        joints = body.mesh(person.pose).joints
        seen = person.camera.project(joints, height_px=90, width_px=120)
        shown = in_crops(found, crops, body)[i : i + 1]
        torch.testing.assert_close(seen[:, 0], shown[:, 0], atol=0.01, rtol=0)  # the pelvis
        torch.testing.assert_close(seen, shown, atol=1.0, rtol=0)
        assert (person.box, person.detector) == (BOXES[i], "mine")


@pytest.mark.parametrize("distance", [10, 1000])
def test_the_farther_the_camera_the_nearer_to_weak_perspective(body: Body, distance: float):
    found, crops = some_meshes(), Crops.around(torch.tensor(BOXES))
    focal = distance * float(crops.side[0] * found.camera[0, 0]) / 2
    for i, person in enumerate(found.people(crops, SIZE_PX, focal_px=focal, body=body)):
        joints = body.mesh(person.pose).joints
        seen = person.camera.project(joints, height_px=90, width_px=120)
        shown = in_crops(found, crops, body)[i : i + 1]
        torch.testing.assert_close(seen, shown, atol=60 / distance, rtol=0)
        torch.testing.assert_close(seen[:, 0], shown[:, 0], atol=1e-2, rtol=0)
    assert -float(found.in_picture(crops, SIZE_PX, focal_px=focal)[0].translation[0, 2]) == (
        pytest.approx(distance, abs=0.2)
    )


def test_a_known_focal_length_turns_people_at_the_edge_and_a_long_lens_nobody():
    found, crops = some_meshes(), Crops.around(torch.tensor(BOXES))
    far, _ = found.in_picture(crops, SIZE_PX)
    near, camera = found.in_picture(crops, SIZE_PX, focal_px=100.0)
    assert torch.equal(far.rotations, found.pose().rotations)
    turns = crops.turns(torch.full((2,), 100.0), torch.tensor([[60.0, 45.0]] * 2))
    torch.testing.assert_close(near.rotations, found.pose(turns).rotations)
    assert camera.focal == pytest.approx(100 / 90)
    with pytest.raises(ConfigError, match="positive focal length"):
        found.in_picture(crops, SIZE_PX, focal_px=0.0)


def test_smpls_own_origin_is_told_from_the_pelvis(tmp_path: Path):
    np.savez(tmp_path / "smpl.npz", **smpl_arrays())
    smpl = load_body(tmp_path / "smpl.npz")
    found = some_meshes(body="smpl", camera_places="origin")
    crops = Crops.around(torch.tensor(BOXES))
    pose, camera = found.in_picture(crops, SIZE_PX, body=smpl)
    # as HMR 2.0 does: SMPL posed in the camera's axes, plus the camera's translation
    focal, middle = torch.full((2,), camera.focal * 90), torch.tensor([[60.0, 45.0]] * 2)
    place = crops.translation(found.camera, focal, middle)
    published = smpl(found.rotations, found.betas, place).joints
    torch.testing.assert_close(smpl.mesh(pose).joints @ LEVEL, published, atol=1e-4, rtol=0)
    blind = found.in_picture(crops, SIZE_PX)[0]  # without the licensed file: the mean pelvis
    rest = mean_pelvis("smpl")
    expected = (place + rest) @ LEVEL - rest
    torch.testing.assert_close(blind.translation, expected)
    with pytest.raises(PoseError, match="belong to the body 'smpl'"):
        found.in_picture(crops, SIZE_PX, body=load_body())
    assert (HMR2.head.body, HMR2.head.camera_places) == ("smpl", "origin")


def test_poses_go_back_into_the_crops_axes_and_mirrors_undo_each_other():
    found = some_meshes()
    again = found.posed_as(found.pose())
    assert torch.equal(again.rotations, found.rotations)
    twice = found.mirrored().mirrored()
    torch.testing.assert_close(twice.rotations, found.rotations)
    assert torch.equal(twice.camera, found.camera)
    assert torch.equal(found.mirrored().camera[:, 1], -found.camera[:, 1])


def test_a_network_that_answers_for_somebody_else_is_named():
    class Deaf(OwnMeshRecovery):
        def forward(self, crops: torch.Tensor) -> RecoveredMeshes:
            return super().forward(crops[:1])

    with pytest.raises(ConfigError, match="2 crops and answered 1"):
        recover_meshes(Deaf(), PICTURE, Crops.around(torch.tensor(BOXES)))
    with pytest.raises(ConfigError, match="expected 2 boxes, got 1"):
        some_meshes().people(Crops.around(torch.tensor(BOXES)), SIZE_PX, boxes=BOXES[:1])
