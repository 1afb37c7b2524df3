"""The mesh head: HMR 2.0's layout and arithmetic, mean values, poses out of crops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.checkpoints import save_lightning
from tokenizer.rotations import rotations_to_6d
from unipose.body.body import load_body
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery import (
    MeshHead,
    MeshHeadConfig,
    MeshRecoveryConfig,
    MeshRecoveryNetwork,
)
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes
from unipose.vision.pose_vit import PoseViTConfig

SMALL = MeshRecoveryConfig(
    vit=PoseViTConfig(
        image_px=64, dropped_px=8, width=24, depth=1, heads=2, feed_forward=48, stem=((2, 8, 0),)
    ),
    head=MeshHeadConfig(width=16, depth=2, heads=2, head_width=8, feed_forward=20),
)


def published_head_names() -> set[str]:
    """The `smpl_head.*` names of HMR 2.0's checkpoint."""
    layer = {
        *(f"{i}.norm.{kind}" for i in range(3) for kind in ("weight", "bias")),
        "0.fn.to_qkv.weight", "0.fn.to_out.0.weight", "0.fn.to_out.0.bias",
        "1.fn.to_kv.weight", "1.fn.to_q.weight", "1.fn.to_out.0.weight", "1.fn.to_out.0.bias",
        "2.fn.net.0.weight", "2.fn.net.0.bias", "2.fn.net.3.weight", "2.fn.net.3.bias",
    }  # fmt: skip
    names = {f"transformer.transformer.layers.{i}.{name}" for i in range(6) for name in layer}
    names |= {"transformer.to_token_embedding.weight", "transformer.to_token_embedding.bias"}
    names |= {"transformer.pos_embedding", "init_body_pose", "init_betas", "init_cam"}
    return names | {
        f"{name}.{kind}"
        for name in ("decpose", "decshape", "deccam")
        for kind in ("weight", "bias")
    }


def test_the_published_head_has_the_published_names_and_size():
    with torch.device("meta"):
        network = MeshRecoveryNetwork(MeshRecoveryConfig())
    head = network.smpl_head
    shapes = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    assert shapes.keys() == published_head_names()
    layer = "transformer.transformer.layers.0"
    assert shapes[f"{layer}.0.fn.to_qkv.weight"] == (1536, 1024)
    assert shapes[f"{layer}.1.fn.to_kv.weight"] == (1024, 1280)
    assert shapes["transformer.to_token_embedding.weight"] == (1024, 1)
    assert shapes["decpose.weight"] == (144, 1024)
    assert shapes["init_body_pose"] == (1, 144)
    assert sum(p.numel() for p in head.parameters()) == 39_547_037
    assert sum(p.numel() for p in network.parameters()) == 670_459_037


def test_an_untrained_head_answers_with_nearly_the_mean_person_facing_the_camera():
    torch.manual_seed(0)
    head = MeshHead(SMALL.head, SMALL.vit).eval()
    with torch.no_grad():
        found = head(torch.randn(3, 24, 4, 3))
    assert float((found.rotations[:, 0] - LEVEL).abs().max()) < 0.1
    assert float((found.rotations[:, 1:] - torch.eye(3)).abs().max()) < 0.1
    body = load_body()
    pose = RecoveredMeshes(
        rotations=torch.cat([LEVEL[None], torch.eye(3).expand(23, 3, 3)])[None],
        betas=torch.zeros(1, 10),
        camera=torch.tensor([[0.9, 0.0, 0.0]]),
    ).pose()
    joints = body.joints(pose.rotations)[0]
    torch.testing.assert_close(joints, body.rest_joints)  # a T-pose that faces +z


def test_the_mean_is_what_the_correction_starts_from():
    head = MeshHead(SMALL.head, SMALL.vit).eval()
    turn = torch.linalg.matrix_exp(
        torch.tensor([[0.0, -0.3, 0.1], [0.3, 0.0, 0.2], [-0.1, -0.2, 0.0]])
    )
    head.set_mean(turn.expand(5, 24, 3, 3), torch.tensor([[0.7, 0.1, 0.2]]).expand(5, 3))
    for layer in (head.decpose, head.decshape, head.deccam):
        torch.nn.init.zeros_(layer.weight)
    found = head(torch.randn(2, 24, 4, 3))
    torch.testing.assert_close(found.rotations, turn.expand(2, 24, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.camera, torch.tensor([[0.7, 0.1, 0.2]] * 2))


def test_each_iteration_reads_the_estimate_before_it():
    torch.manual_seed(0)
    config = replace(SMALL.head, reads_estimate=True)
    once, twice = (MeshHead(replace(config, iterations=n), SMALL.vit).eval() for n in (1, 2))
    twice.load_state_dict(once.state_dict())
    features = torch.randn(1, 24, 4, 3)
    first = once(features)
    by_hand = MeshHead(config, SMALL.vit).eval()
    by_hand.load_state_dict(once.state_dict())
    by_hand.init_body_pose += once.decpose(_answer(once, features))
    by_hand.init_betas.copy_(first.betas)
    by_hand.init_cam.copy_(first.camera)
    torch.testing.assert_close(twice(features).rotations, by_hand(features).rotations)
    assert not torch.equal(twice(features).betas, first.betas)
    with pytest.raises(ConfigError, match="reads_estimate"):
        replace(SMALL.head, iterations=2)


@torch.no_grad()
def _answer(head: MeshHead, features: torch.Tensor) -> torch.Tensor:
    query = torch.cat([head.init_body_pose, head.init_betas, head.init_cam], dim=1)[:, None]
    return head.transformer(query, features.flatten(2).mT)[:, 0].detach()


def test_gradients_reach_all_weights():
    network = MeshRecoveryNetwork(SMALL)
    found = network(torch.randn(2, 3, 64, 64))
    (found.rotations.sum() + found.betas.sum() + found.camera.sum()).backward()
    # one query alone attends to itself whatever its query and key are
    alone = [n for n, p in network.named_parameters() if not p.grad.abs().sum() > 0]
    assert alone == ["smpl_head.transformer.to_token_embedding.weight"]  # multiplies a zero
    estimating = replace(SMALL, head=replace(SMALL.head, reads_estimate=True))
    network = MeshRecoveryNetwork(estimating)
    found = network(torch.randn(2, 3, 64, 64))
    (found.rotations.sum() + found.betas.sum() + found.camera.sum()).backward()
    assert [n for n, p in network.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_one_person_of_a_batch_is_the_person_alone():
    network = MeshRecoveryNetwork(SMALL).eval()
    crops = torch.randn(3, 3, 64, 64)
    together, alone = network(crops), network(crops[1:2])
    torch.testing.assert_close(together.rotations[1:2], alone.rotations, atol=1e-5, rtol=1e-4)
    assert network(crops[:0]).rotations.shape == (0, 24, 3, 3)


def test_a_person_at_the_edge_is_turned_towards_the_camera():
    crops = Crops(centre=torch.tensor([[300.0, 100.0]]), side=torch.tensor([100.0]))
    turns = crops.turns(torch.tensor([200.0]), torch.tensor([[100.0, 100.0]]))
    found = RecoveredMeshes(
        rotations=torch.cat([LEVEL[None], torch.eye(3).expand(23, 3, 3)])[None],
        betas=torch.zeros(1, 10),
        camera=torch.tensor([[0.9, 0.0, 0.0]]),
    )
    front = found.pose(turns).rotations[0, 0] @ torch.tensor([0.0, 0.0, 1.0])
    # 45 degrees to the right of the camera's axis; the camera is at +z and to the left
    torch.testing.assert_close(front, torch.tensor([-0.7071, 0.0, 0.7071]), atol=1e-4, rtol=0)


def test_hmr2s_checkpoint_is_loaded_strictly_and_its_body_left_alone(tmp_path: Path):
    source, network = MeshRecoveryNetwork(SMALL), MeshRecoveryNetwork(SMALL)
    state = dict(source.state_dict())
    beside = {
        "smpl.v_template": torch.zeros(6890, 3),
        "discriminator.D_conv1.weight": torch.zeros(2),
        "initialized": torch.tensor(data=True),
    }
    save_lightning(tmp_path / "hmr2.ckpt", state | beside)
    network.load_published(tmp_path / "hmr2.ckpt")
    assert all(torch.equal(v, state[n]) for n, v in network.state_dict().items())
    save_lightning(tmp_path / "strange.ckpt", state | {"vertex_head.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"unexpected 1: vertex_head\.weight"):
        network.load_published(tmp_path / "strange.ckpt")
    state.pop("smpl_head.init_cam")
    save_lightning(tmp_path / "less.ckpt", state)
    with pytest.raises(WeightsError, match=r"missing 1: smpl_head\.init_cam"):
        network.load_published(tmp_path / "less.ckpt")


def test_a_saved_network_comes_back_equal(tmp_path: Path):
    network = MeshRecoveryNetwork(SMALL).eval()
    network.save_pretrained(tmp_path / "model")
    loaded = MeshRecoveryNetwork.from_pretrained(tmp_path / "model")
    crops = torch.randn(1, 3, 64, 64)
    assert loaded.config == SMALL
    assert torch.equal(loaded(crops).rotations, network(crops).rotations)
    with pytest.raises(MissingFileError, match=r"config\.json"):
        MeshRecoveryNetwork.from_pretrained(tmp_path / "nothing")
    (tmp_path / "model" / "config.json").write_text('{"vit": {}}')
    with pytest.raises(WeightsError, match="no config"):
        MeshRecoveryNetwork.from_pretrained(tmp_path / "model")


def test_the_left_arm_is_at_the_right_of_a_picture_of_somebody_who_faces_the_camera():
    body = load_body()
    rotations = torch.cat([LEVEL[None], torch.eye(3).expand(23, 3, 3)])[None]
    joints = body.joints(rotations)[0]
    left, right = SMPL.indices("left_wrist", "right_wrist")
    assert float(joints[left, 0]) > 0 > float(joints[right, 0])
    assert rotations_to_6d(rotations).shape == (1, 24, 6)
