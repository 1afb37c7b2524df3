"""Training evaluators: resuming, choosing, never on test; batches that can be drawn again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data_builders.pose_pool import PosePool
from tests.train.test_programs import same
from train import retrieval
from train.program import generator_of, read_config
from train.retrieval import (
    PRESETS,
    VALIDATION_SEED,
    ExampleWriter,
    RetrievalTraining,
    build_model,
    keep_best,
)
from train.run_folder import RunFolder
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.retrieval.model import RetrievalModel

KINDS = pytest.mark.parametrize("kind", ["pose", "pair"])


class PowerCutError(Exception):
    """What stops a run in these tests."""


@KINDS
@pytest.mark.slow
def test_a_resumed_run_equals_an_unbroken_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    debug = replace(PRESETS["debug"], kind=kind)
    retrieval.main(replace(debug, out=tmp_path / "unbroken"))
    broken = replace(debug, out=tmp_path / "broken")
    real = RunFolder.save

    def save_then_fail(self: RunFolder, at: int, *rest: object) -> None:
        real(self, at, *rest)
        if at == 2:
            raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save", save_then_fail)
        with pytest.raises(PowerCutError):
            retrieval.main(broken)
    retrieval.main(broken)
    assert same(tmp_path / "unbroken" / kind, tmp_path / "broken" / kind)
    best = [tmp_path / name / kind / "best" for name in ("unbroken", "broken")]
    for name in ("retrieval.json", "retrieval.safetensors", "words.json"):
        assert (best[0] / name).read_bytes() == (best[1] / name).read_bytes()
    assert RetrievalModel.load(best[0]).config.kind == kind


@pytest.mark.parametrize("wrong", [{"choose_on": "test"}, {"split": "test"}, {"split": "all"}])
def test_the_test_split_is_refused(wrong: dict[str, str]):
    with pytest.raises(ConfigError, match=r"eval\.retrieval"):
        replace(PRESETS["mini"], **wrong)


def test_the_test_split_is_refused_on_the_command_line(capsys: pytest.CaptureFixture[str]):
    with pytest.raises((ConfigError, SystemExit)):
        read_config(PRESETS, ["--preset", "mini", "--choose-on", "test"])


@pytest.mark.slow
def test_only_recordings_to_learn_and_to_choose_on_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def read(folder: Path, split: str) -> PosePool:
        asked.append(split)
        return PosePool.random(48, seed=len(asked))

    monkeypatch.setattr(PosePool, "read", read)
    retrieval.main(replace(PRESETS["debug"], out=tmp_path, data=Path("somewhere"), steps=1))
    assert asked == ["train", "val"]


@KINDS
def test_a_step_can_be_drawn_again(kind: str):
    writer = ExampleWriter(load_body().rest_joints, replace(PRESETS["debug"], kind=kind))
    pool = PosePool.random(64, seed=1)
    one, again, other = (
        writer.draw(pool, 12, generator_of(seed=0, step=step)) for step in (5, 5, 6)
    )
    assert one.texts == again.texts
    assert all(torch.equal(a, b) for a, b in zip(one.rotations, again.rotations, strict=True))
    assert one.texts != other.texts
    assert len(one.rotations) == {"pose": 1, "pair": 2}[kind]


def test_pairs_that_do_not_differ_are_left_out():
    writer = ExampleWriter(load_body().rest_joints, replace(PRESETS["debug"], kind="pair"))
    poses = PosePool.random(6, seed=0).rotations
    second = torch.cat([poses[:2], poses[2:].flip(0)])
    found = writer.compare(poses, second, seed=0)
    assert len(found.texts) == len(found.rotations[0]) == 4
    with pytest.raises(ConfigError, match="at rest"):
        writer.compare(poses, poses, seed=0)


def test_some_texts_are_cut_to_their_first_sentences():
    config = replace(PRESETS["debug"], few_words=1.0)
    whole = ExampleWriter(load_body().rest_joints, replace(config, few_words=0.0))
    cut = ExampleWriter(load_body().rest_joints, config)
    pool = PosePool.random(64, seed=1)
    longer, shorter = (w.draw(pool, 30, generator_of(seed=0, step=0)).texts for w in (whole, cut))
    assert all(a.startswith(b) for a, b in zip(longer, shorter, strict=True))
    assert longer != shorter


@KINDS
def test_validation_meets_the_same_recorded_poses_every_time(kind: str):
    config = replace(PRESETS["debug"], kind=kind, few_words=1.0)
    pool = PosePool.random(64, seed=2)
    one, again = (ExampleWriter(load_body().rest_joints, config).held_out(pool) for _ in range(2))
    assert one.texts == again.texts
    known = {tuple(pose[1:].flatten().tolist()) for pose in pool.rotations}
    if kind == "pose":
        assert {tuple(pose[1:].flatten().tolist()) for pose in one.rotations[0]} <= known
        assert len(one.texts) == config.gallery


def test_validation_texts_have_seeds_that_training_never_draws():
    assert VALIDATION_SEED >= 2**31


def test_only_better_weights_are_kept(tmp_path: Path):
    config = replace(PRESETS["debug"], out=tmp_path)
    config.folder.mkdir(parents=True)
    model = build_model(config, PosePool.random(64, seed=1), load_body().rest_joints)
    for step, score in ((2, 0.3), (4, 0.5), (6, 0.4), (8, 0.5)):
        keep_best(model, config, step=step, scores={"mean_recall": score})
    kept = json.loads((config.folder / "best" / "retrieval.json").read_text())
    assert (kept["trained"]["step"], kept["validation"]["mean_recall"]) == (4, 0.5)
    assert kept["trained"]["split"] == "train"


def test_the_published_rate_falls_to_a_tenth_twice():
    config = replace(PRESETS["paper"], steps=120)
    rates = [config.rate(step) for step in (0, 79, 80, 109, 110, 119)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-5, 2e-6, 2e-6])


def test_the_published_sizes_are_those_of_the_paper():
    paper = PRESETS["paper"]
    assert isinstance(paper, RetrievalTraining)
    assert (paper.batch, paper.peak_rate) == (512, 2e-4)
    assert (paper.model.tokens, paper.model.width, paper.model.features) == (40, 512, 512)
    assert not paper.model.words_learn


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path):
    launch = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    arguments = ["-m", "train.retrieval", "--preset", "debug", "--out", str(tmp_path)]
    subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *launch, *arguments],
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=600,
    )
    assert RetrievalModel.load(tmp_path / "pose" / "best").config.kind == "pose"
