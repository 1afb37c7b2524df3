"""The benchmark of whole-body keypoints on what is small and known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from eval.keypoint_people import KeypointPeople
from eval.keypoint_speed import evaluation_seconds, time_in_turns
from eval.wholebody import WholeBodyOptions, main
from eval.wholebody_heads import (
    BODY_PARTS,
    COMMON,
    draw_scores,
    heads_beside_each_other,
    intervention_figures,
)
from unipose.body.keypoint_sets import COCO_17
from unipose.errors import ConfigError
from unipose.metrics.keypoint_precision import KeypointTruth
from unipose.vision.pose_vit_keypoints import PoseViTKeypoints, load_pose_vit
from unipose.wholebody.config import WholeBodyConfig
from unipose.wholebody.keypoint_head import KeypointLogits

HEAD = WholeBodyConfig(
    width_px=96, height_px=128, embedding=16, query=8, kernel=1, stride=16, graph_layers=1,
    intervention="largest",
)  # fmt: skip


def people(count: int = 6) -> KeypointPeople:
    random = np.random.default_rng(0)
    marks = random.integers(0, 3, (count, 133)).astype(float)
    return KeypointPeople(
        size=(96, 128), crops=random.integers(0, 256, (count, 128, 96, 3), dtype=np.uint8),
        truth=KeypointTruth(
            image=np.arange(count), points=random.uniform(0, 100, (count, 133, 2)), marks=marks,
            boxes=np.tile([0.0, 0, 100, 100], (count, 1)), area=np.full(count, 5e3),
            crowd=np.zeros(count, dtype=bool),
        ),
    )  # fmt: skip


def save_head(folder, seed: int, config: WholeBodyConfig = HEAD) -> None:
    torch.manual_seed(seed)
    PoseViTKeypoints(config, load_pose_vit()).save_pretrained(folder, dtype=torch.bfloat16)


@pytest.mark.slow
def test_heads_stand_beside_each_other_with_their_spread(tmp_path):
    plain = replace(HEAD, graph_layers=0, intervention="none")
    for kind, config in (("plain", plain), ("scored", HEAD)):
        for seed in (0, 1):
            save_head(tmp_path / f"{kind}-{seed}" / "model", seed, config)
    found = heads_beside_each_other(tmp_path, people())
    assert {"plain_ap", "plain_ap_spread", "scored_body_ar", "scored_ar_spread"} <= found.keys()
    assert all(
        0 <= float(found[f"{kind}_{name}"]) <= 1 for kind in ("plain", "scored") for name in COMMON
    )
    with pytest.raises(ConfigError, match="holds no heads"):
        heads_beside_each_other(tmp_path / "plain-0", people())


def test_what_the_intervention_does_is_told_and_drawn(tmp_path):
    torch.manual_seed(0)
    scores = torch.rand(6, 133)
    replaced = scores == scores.amax(dim=1, keepdim=True)
    nothing = torch.zeros(6, 133, 1)
    said = [KeypointLogits(x=nothing, y=nothing, scores=scores, replaced=replaced)]
    found = intervention_figures(said, people(), tmp_path / "scores.png")
    every = sum(found[f"replaced_{part}"] * len(c) for part, c in BODY_PARTS.items())
    assert every == pytest.approx(100), "one keypoint of each person"
    assert 0 < found["score_seen"] < 1
    assert 0.3 < found["score_tells"] < 0.7, "made-up scores know nothing"
    assert (tmp_path / "scores.png").is_file()
    assert intervention_figures([KeypointLogits(x=nothing, y=nothing)], people(), None) == {}


def test_scores_are_drawn_up_and_down(tmp_path):
    random = np.random.default_rng(0)
    groups = {"seen": random.normal(0.2, 0.1, 500), "hidden": random.normal(0.6, 0.1, 500)}
    draw_scores(groups, tmp_path / "scores.png")
    with Image.open(tmp_path / "scores.png") as picture:
        pixels = np.asarray(picture)
    blue = np.argwhere((pixels == (60, 140, 240)).all(-1)).mean(0)
    orange = np.argwhere((pixels == (245, 120, 50)).all(-1)).mean(0)
    assert blue[0] < orange[0]
    assert blue[1] < orange[1]


def test_the_lowest_quarter_of_the_times_counts():
    looked = {"a": 0, "b": 0}

    def look(name):
        def counted(boxes):
            looked[name] += len(boxes)

        return counted

    times = time_in_turns(
        {name: look(name) for name in looked}, [(0.0, 0.0, 1.0, 1.0)], repeats=3, clock="wall"
    )
    assert looked == {"a": 6, "b": 6}  # each timed call has one before it that nobody counts
    assert all(seconds > 0 for seconds in times.values())
    assert evaluation_seconds(images=2) > 0


def test_results_are_measured_against_annotations(tmp_path, capsys):
    keypoints = [[10.0 * i, 5.0 * i, 2] for i in range(17)]
    flat = [value for row in keypoints for value in row]
    truth = {
        "images": [{"id": 1}],
        "annotations": [
            {"image_id": 1, "id": 1, "bbox": [0, 0, 170, 90], "area": 9000, "keypoints": flat}
        ],
    }
    results = [{"image_id": 1, "category_id": 1, "score": 0.9, "keypoints": flat}]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "found.json").write_text(json.dumps(results))
    options = WholeBodyOptions(
        sections=("results",), truth=tmp_path / "truth.json", results=tmp_path / "found.json",
        keypoints=COCO_17.name, json=True,
    )  # fmt: skip
    main(options)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["ap"] == pytest.approx(1)
    with pytest.raises(ConfigError, match="belong together"):
        replace(options, results=None)
    with pytest.raises(ConfigError, match="no section 'other'"):
        replace(options, sections=("other",))
    (tmp_path / "found.json").write_text(json.dumps([{"image_id": 1, "keypoints": [1, 2, 3]}]))
    from unipose.errors import FileError

    with pytest.raises(FileError, match="with 17 keypoints"):
        main(options)
