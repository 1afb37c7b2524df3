"""Teaching whole-body keypoints: what is drawn, how fast is learned, a run that resumes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from train import wholebody, wholebody_heads
from train.averaged_weights import AveragedWeights
from train.keypoint_batches import (
    FIRST_STAGE,
    PersonSample,
    augmented_crop,
    draw_keypoint_batch,
    half_body,
)
from train.wholebody import (
    PRESETS,
    KeypointLearner,
    WholeBodyTraining,
    make_optimizer,
    train_step,
)
from unipose.body.keypoint_sets import COCO_17
from unipose.errors import ConfigError
from unipose.wholebody.config import WholeBodyConfig
from unipose.wholebody.network import WholeBodyNetwork

TINY = WholeBodyConfig(
    keypoints="coco-17", width_px=96, height_px=128, deepen=0.1, widen=0.125, embedding=16, query=8,
    kernel=3, graph_layers=1, intervention="largest", train_replaced=1,
)  # fmt: skip


def marked_person(seed: int = 0) -> PersonSample:
    """A person each of whose keypoints is a dot of a shade of its own."""
    random = np.random.default_rng(seed)
    picture = np.zeros((200, 200, 3), dtype=np.uint8)
    points = random.uniform(60, 140, (17, 2)).round()
    for x, y in points.astype(int):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    return PersonSample(
        pixels=picture,
        points=points.astype(np.float32),
        marks=np.full(17, 2),
        box=(50.0, 50.0, 150.0, 150.0),
    )


@pytest.mark.parametrize("seed", range(6))
def test_keypoints_move_with_the_pixels(seed):
    person, random = marked_person(seed), np.random.default_rng(seed)
    crop, points, _ = augmented_crop(person, TINY, replace(FIRST_STAGE, covered=0.0), random)
    inside = [(x, y) for x, y in points.round().astype(int) if 2 <= x < 94 and 2 <= y < 126]
    shown = [int(crop[y - 1 : y + 2, x - 1 : x + 2].max()) for x, y in inside]
    assert len(inside) > 3
    assert np.mean(np.array(shown) > 60) > 0.9


def test_a_mirrored_left_wrist_is_a_right_one():
    person = marked_person()
    left, right = COCO_17.indices("left_wrist", "right_wrist")
    person = replace(person, marks=np.where(np.arange(17) == left, 2, 0))
    marks = [
        augmented_crop(person, TINY, FIRST_STAGE, np.random.default_rng(seed))[2]
        for seed in range(20)
    ]
    assert {int(np.flatnonzero(row)[0]) for row in marks} == {left, right}


def test_the_same_seed_draws_the_same_batch():
    people = [marked_person(i) for i in range(3)]
    one, same = (draw_keypoint_batch(people, TINY, FIRST_STAGE, seed=(1, 2)) for _ in range(2))
    other = draw_keypoint_batch(people, TINY, FIRST_STAGE, seed=(1, 3))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.points, other.points)
    assert one.images.shape == (3, 3, 128, 96)


def test_half_a_body_is_the_upper_one_or_the_lower_one():
    person = marked_person()
    found = {half_body(person, COCO_17, np.random.default_rng(seed)) for seed in range(20)}
    assert len(found) == 2
    assert (
        half_body(replace(person, marks=np.r_[[2] * 8, [0] * 9]), COCO_17, np.random.default_rng(0))
        is None
    )


def test_the_rate_rises_holds_and_falls_from_phase_to_phase():
    config = WholeBodyTraining(
        network=TINY, steps=100, batch=1, peak_rate=1.0, warmup=10,
        phases=((0.3, 1.0), (0.6, 0.1), (0.8, 0.1), (1.0, 0.01)),
    )  # fmt: skip
    rates = [config.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10:30] == pytest.approx([1.0] * 20)
    assert rates[45] == pytest.approx(0.55)
    assert rates[60:80] == pytest.approx([0.1] * 20)
    assert rates[99] < 0.02
    assert config.augmentation(0) is config.first
    assert config.augmentation(99) is config.second
    with pytest.raises(ConfigError, match="phases go up to 1"):
        replace(config, phases=((0.5, 1.0),))


def test_norms_and_biases_are_not_decayed():
    network = WholeBodyNetwork(TINY)
    optimizer = make_optimizer(network, replace(PRESETS["small"], network=TINY, muon=False))
    plain = {id(weight) for weight in optimizer.param_groups[1]["params"]}
    named = dict(network.named_parameters())
    for name in ("head.gau.ln.g", "head.gau.gamma", "head.cim.canonical_features.weight"):
        assert id(named[name]) not in plain
    for name in ("head.gcn.bn_input.weight", "head.cls_x.bias", "backbone.stem.0.bn.weight"):
        assert id(named[name]) in plain


@pytest.mark.slow
def test_backbone_and_head_learn_where_marked_dots_are():
    torch.manual_seed(0)
    config = replace(PRESETS["small"], network=TINY, muon=False, half=False, score_weight=0.0)
    learner = KeypointLearner(WholeBodyNetwork(TINY)).train()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    batch = draw_keypoint_batch([marked_person(i) for i in range(4)], TINY, None)
    before = learner.network.backbone.stem[0].conv.weight.detach().clone()
    losses = []
    for _ in range(40):
        loss, _ = train_step(learner, batch, config)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.6 * losses[0]
    assert not torch.equal(before, learner.network.backbone.stem[0].conv.weight)


def test_the_average_follows_the_weights():
    layer = torch.nn.Linear(1, 1)
    average = AveragedWeights(layer)
    torch.nn.init.constant_(layer.weight, 5.0)
    before = float(average.weights()["weight"])
    average.update(layer, 0)
    share = (1 - 2e-4) * np.exp(-1 / 2000) + 2e-4
    assert float(average.weights()["weight"]) == pytest.approx(before + share * (5 - before))


@pytest.mark.slow
def test_a_run_that_was_stopped_equals_an_unbroken_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = replace(PRESETS["debug"], out=tmp_path / "whole", threads=1)
    wholebody.main(whole)
    broken = replace(whole, out=tmp_path / "broken")
    kept = wholebody.train_step

    def stops(*args, **named):
        if stops.left == 0:
            raise KeyboardInterrupt
        stops.left -= 1
        return kept(*args, **named)

    stops.left = 3
    monkeypatch.setattr(wholebody, "train_step", stops)
    with pytest.raises(KeyboardInterrupt):
        wholebody.main(broken)
    monkeypatch.setattr(wholebody, "train_step", kept)
    wholebody.main(broken)
    first, second = (
        WholeBodyNetwork.from_pretrained(folder / "model").state_dict()
        for folder in (whole.out, broken.out)
    )
    assert all(torch.allclose(first[name].float(), second[name].float()) for name in first)
    scores = json.loads((whole.out / "metrics.jsonl").read_text().splitlines()[-1])
    assert scores["split"] == "test"
    assert 0 <= scores["near"] <= 1


@pytest.mark.slow
def test_heads_over_the_same_maps_are_taught_and_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = replace(wholebody_heads.PRESETS["debug"], out=tmp_path / "heads", threads=1)
    wholebody_heads.main(config)
    from unipose.vision.pose_vit_keypoints import PoseViTKeypoints

    network = PoseViTKeypoints.from_pretrained(tmp_path / "heads" / "scored-0" / "model")
    assert network(torch.zeros(1, 3, 128, 96)).x.shape == (1, 133, 192)
    assert (tmp_path / "heads" / "plain-0" / "model" / "model.safetensors").exists()
    wholebody_heads.main(config)  # there is nothing left to do
    with pytest.raises(ConfigError, match="expected kinds of"):
        replace(config, kinds=("other",))


@pytest.mark.slow
def test_a_head_of_the_whole_body_starts_from_one_of_the_body(tmp_path):
    from unipose.vision.pose_vit_keypoints import PoseViTKeypoints, load_pose_vit

    vit = load_pose_vit()
    body = PoseViTKeypoints(replace(wholebody_heads.PLAIN, keypoints="coco-17"), vit)
    body.save_pretrained(tmp_path / "body")
    whole = PoseViTKeypoints(wholebody_heads.KINDS["scored"][0], vit)
    wholebody_heads.start_from_head(whole, tmp_path / "body")
    rows = whole.head.final_layer.weight
    wrist, finger = COCO_17.index["left_wrist"], whole.config.keypoint_set.index["left_thumb4"]
    assert torch.equal(rows[:17], body.head.final_layer.weight)
    assert torch.equal(rows[finger], body.head.final_layer.weight[wrist])
    assert torch.equal(whole.head.cls_x.weight, body.head.cls_x.weight)
    assert wholebody_heads.nearest_of_body("face-40") == "nose"
    assert wholebody_heads.nearest_of_body("right_heel") == "right_ankle"
