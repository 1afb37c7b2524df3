"""Teaching the Pose-ViT: crops and labels agree, shards and runs resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.test_programs import same
from train import mesh_recovery
from train.crop_batches import CropBatch, draw_batch
from train.crop_shards import CropShards, People, ShardConfig, render_shards
from train.mesh_recovery import PRESETS, Learner, train_step
from train.run_folder import RunFolder
from unipose.body.body import load_body
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError, FileError
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery import MeshRecoveryNetwork
from unipose.vision.votes import nearness, places_of

DEBUG = PRESETS["debug"]
CONFIG = ShardConfig(
    studio=replace(DEBUG.studio, height_px=128, width_px=128), data=Path(), split="train",
    pictures=8, per_shard=4, height_px=80, width_px=64,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    render_shards(folder, CONFIG, workers=0)
    return folder


@pytest.fixture(scope="module")
def people(folder: Path) -> People:
    shards = CropShards(folder, CONFIG)
    return shards[torch.arange(len(shards))]


def test_a_missing_shard_is_rendered_again_to_the_same_bytes(folder: Path, tmp_path: Path):
    second = sorted(folder.glob("shard-*.npy"))[1]
    before = second.read_bytes()
    second.unlink()
    render_shards(folder, CONFIG, workers=0)
    assert second.read_bytes() == before
    more = render_shards(folder, replace(CONFIG, pictures=9), workers=0)
    assert len(more.shards) == 3
    assert second.read_bytes() == before


@pytest.mark.slow
def test_worker_processes_render_the_same_bytes(folder: Path, tmp_path: Path):
    render_shards(tmp_path, CONFIG, workers=2)
    for path in sorted(tmp_path.glob("shard-*.npy")):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_crops_of_another_studio_are_not_mixed_in(folder: Path):
    other = replace(CONFIG, studio=replace(CONFIG.studio, seed=1))
    with pytest.raises(ConfigError, match="another studio"):
        render_shards(folder, other, workers=0)


def test_a_damaged_shard_is_named(tmp_path: Path):
    render_shards(tmp_path, replace(CONFIG, pictures=4), workers=0)
    path = tmp_path / "shard-00000.npy"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(FileError, match="shard-00000"):
        CropShards(tmp_path, replace(CONFIG, pictures=4))
    np.save(path, np.zeros(3))
    with pytest.raises(FileError, match="another layout"):
        CropShards(tmp_path, replace(CONFIG, pictures=4))


def test_people_are_found_by_number_across_shards(folder: Path, people: People):
    shards = CropShards(folder, CONFIG)
    numbers = torch.tensor([len(shards) - 1, 0, 3])
    some = shards[numbers]
    assert torch.equal(some.pixels, people.pixels[numbers])
    assert torch.equal(some.joints, people.joints[numbers])


def test_labels_fit_the_camera_they_are_seen_by(people: People):
    seen = people.joints[..., :2] / people.joints[..., 2:] * people.focal_px[:, None, None]
    seen = seen + people.principal_px[:, None]
    inside = people.inside.bool()
    torch.testing.assert_close(seen[inside], people.joints_px[inside], atol=0.01, rtol=1e-3)
    body = load_body()
    posed = body.joints(people.rotations, people.betas)
    torch.testing.assert_close(
        posed - posed[:, :1], people.joints - people.joints[:, :1], atol=1e-3, rtol=0
    )


def test_the_pose_in_the_crops_camera_gives_the_joints_in_the_crops_camera(people: People):
    body = load_body()
    for generator in (None, torch.Generator().manual_seed(3)):
        batch = draw_batch(people, 64, generator, covered=0.3)
        plain = torch.zeros_like(batch.betas) if generator else batch.betas
        posed = body.joints(batch.rotations, batch.betas if generator is None else plain)
        posed = posed - posed[:, :1]
        tolerance = 1e-3 if generator is None else 0.3  # a mirrored body is not quite symmetric
        torch.testing.assert_close(posed, batch.joints, atol=tolerance, rtol=0)


def test_where_a_joint_is_painted_the_crop_shows_it_whatever_was_done_to_the_crop():
    # one bright spot where the left wrist is: whatever is done to the crop must keep it there
    count = 40
    generator = torch.Generator().manual_seed(0)
    side = torch.full((count,), 150.0)
    crops = Crops(centre=torch.full((count, 2), 100.0), side=side)
    pixels = torch.zeros(count, 80, 64, 3, dtype=torch.uint8)
    pixels[:, 40:44, 36:40] = 255  # its middle: stored pixel (38, 42) of 64 x 80
    spot = torch.tensor([100 + (38 - 32) * 150 / 80, 100 + (42 - 40) * 150 / 80])
    wrist = SMPL.index["left_wrist"]
    points = torch.zeros(count, 24, 2)
    points[:, wrist] = spot
    parts = torch.zeros(count, 40, 32, dtype=torch.uint8)
    parts[:, 20:22, 18:20] = 1 + REGIONS.index("left hand")
    people = People(
        pixels=pixels, crops=crops, parts=parts,
        depth=torch.full((count, 40, 32), 30, dtype=torch.int8),
        boxes=torch.tensor([[70.0, 50.0, 130.0, 150.0]]).expand(count, 4),
        rotations=torch.eye(3).expand(count, 24, 3, 3), betas=torch.zeros(count, 10),
        joints=torch.randn(count, 24, 3, generator=generator) + torch.tensor([0.0, 0.0, 5.0]),
        joints_px=points, inside=torch.ones(count, 24), focal_px=torch.full((count,), 200.0),
        principal_px=torch.full((count, 2), 100.0),
    )  # fmt: skip
    again = torch.Generator().set_state(generator.get_state())
    batch = draw_batch(people, 64, generator)
    images = batch.images.sum(1) - batch.images.sum(1).amin(dim=(1, 2), keepdim=True)
    places = (torch.arange(64) + 0.5) / 64 - 0.5
    total = images.sum((1, 2))
    found = torch.stack(
        [(images.sum(1) * places).sum(1) / total, (images.sum(2) * places).sum(1) / total], dim=1
    )
    spots = people_spot(people, batch, wrist)
    torch.testing.assert_close(found, spots, atol=0.01, rtol=0)
    assert 5 < int((spots[:, 0] < 0).sum()) < 35  # some were mirrored
    fine = draw_batch(people, 256, again)
    shows = fine.parts > 0
    names = [REGIONS[int(fine.parts[i][shows[i]][0]) - 1] for i in range(count)]
    # all joints but the wrist share one place
    still = (batch.points[:, wrist] == batch.points[:, SMPL.index["head"]]).all(1)
    assert names == [f"{'right' if mirrored else 'left'} hand" for mirrored in still.tolist()]
    person, row, column = shows.nonzero().unbind(1)
    cells = (torch.stack([column, row], dim=1) + 0.5) / 64 - 0.5
    torch.testing.assert_close(cells, spots[person], atol=0.04, rtol=0)
    away = fine.surface.norm(dim=-1)  # from the pelvis; turned, the distance is as it was
    depth = people.joints[:, 0, 2] + 0.3
    ray = torch.cat([(spot - 100) / 200, torch.ones(1)])
    truth = (depth[:, None] * ray - people.joints[:, 0]).norm(dim=1)
    torch.testing.assert_close(away[shows], truth[person], atol=0.2, rtol=0)


def people_spot(people: People, batch: CropBatch, wrist: int) -> torch.Tensor:
    """Where the painted wrist is in each crop: the left one, or the right one where mirrored."""
    right = SMPL.index["right_wrist"]
    painted = []
    for i in range(len(batch.points)):
        others = batch.points[i, SMPL.index["head"]]  # all joints but the wrist share one place
        wrist_moved = not torch.allclose(batch.points[i, wrist], others)
        painted.append(batch.points[i, wrist if wrist_moved else right])
    return torch.stack(painted)


def test_a_cell_of_the_crop_shows_the_body_where_it_is(people: People):
    body = load_body()
    batch = draw_batch(people, 64, None)
    vertices = body(batch.rotations, betas=batch.betas).vertices
    vertices = vertices - body.joints(batch.rotations, batch.betas)[:, :1]
    for seen, shows, mesh in zip(batch.surface, batch.parts > 0, vertices, strict=True):
        apart = torch.cdist(seen[shows], mesh).amin(1)
        assert float(apart.quantile(0.9)) < 0.08  # of a cell of 4 cm, a corner


def test_the_same_step_draws_the_same_batch(people: People):
    one, again = (
        draw_batch(people, 64, torch.Generator().manual_seed(9), covered=0.3) for _ in range(2)
    )
    assert all(torch.equal(getattr(one, n), getattr(again, n)) for n in vars(one))
    other = draw_batch(people, 64, torch.Generator().manual_seed(10), covered=0.3)
    assert not torch.equal(one.images, other.images)


def test_a_step_reaches_eye_and_head_and_learns(people: People):
    torch.manual_seed(0)
    learner, body = Learner(MeshRecoveryNetwork(DEBUG.network)), load_body()
    batch = draw_batch(people, 64, None)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    losses = []
    for step in range(12):
        loss, parts = train_step(learner, body, batch, DEBUG)
        optimizer.zero_grad()
        loss.backward()
        if step == 1:
            silent = [n for n, p in learner.named_parameters() if not p.grad.abs().sum() > 0]
            assert silent == []
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert {"joints", "points", "rotations", "betas", "voted joints", "parts"} <= parts.keys()


def test_held_out_pictures_share_neither_poses_nor_rooms_with_the_training():
    train, val, test = (mesh_recovery._shards(DEBUG, split) for split in mesh_recovery.SPLITS)
    assert len({shards.studio.seed for shards in (train, val, test)}) == 3
    assert [shards.split for shards in (train, val, test)] == ["train", "val", "test"]
    assert train.studio.mixed > 0 == val.studio.mixed == test.studio.mixed


def test_the_place_of_a_joint_is_where_it_is_in_the_crop():
    vit = DEBUG.network.vit
    places = places_of(vit)
    assert len(places) == vit.rows * vit.columns
    torch.testing.assert_close(places[0], torch.tensor([8 + 8, 8.0]) / 64 - 0.5)
    torch.testing.assert_close(places[1] - places[0], torch.tensor([16 / 64, 0.0]))
    points = torch.zeros(1, 24, 2)
    points[0, 0] = places[4]
    points[0, 1] = (places[4] + places[5]) / 2
    points[0, 2] = torch.tensor([2.0, 0.0])  # outside
    near = nearness(points, vit)[0]
    assert near[:, 0].tolist() == [float(i == 4) for i in range(len(places))]
    torch.testing.assert_close(near[4:6, 1], torch.tensor([0.5, 0.5]))
    assert float(near[:, 2].sum()) == 0


def test_a_resumed_run_equals_an_unbroken_one_and_ends_with_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = replace(DEBUG, crops=tmp_path / "crops")
    mesh_recovery.main(replace(config, out=tmp_path / "unbroken"))
    real = RunFolder.save

    class PowerCutError(Exception):
        pass

    def save_then_fail(self: RunFolder, at: int, *rest: object) -> None:
        real(self, at, *rest)
        raise PowerCutError

    monkeypatch.setattr(RunFolder, "save", save_then_fail)
    broken = replace(config, out=tmp_path / "broken")
    with pytest.raises(PowerCutError):
        mesh_recovery.main(broken)
    monkeypatch.setattr(RunFolder, "save", real)
    mesh_recovery.main(broken)
    assert same(tmp_path / "unbroken", tmp_path / "broken")

    network = MeshRecoveryNetwork.from_pretrained(tmp_path / "broken" / "model")
    assert network.config == DEBUG.network
    log = (tmp_path / "broken" / "metrics.jsonl").read_text()
    assert '"split": "test"' in log
    assert "mean_pose_pa_mpjpe_mm" in log
