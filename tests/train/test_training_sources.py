"""Training programs on mixed sources: two steps of each, and errors before there is a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data_builders.image_talk import ImageTalkConfig
from data_builders.pose_talk import TalkConfig
from data_builders.training_sources import TrainingPoses, parse_sources
from tests.fakes.tiny_model import tiny_assistant
from tests.fakes.training_sources import write_sources
from train import align, instruct, pose_codes, visual
from train.batch_prefetch import prefetch
from train.held_out import HeldOut, read_poses
from train.program import read_config
from train.vision_training import encoder_of
from unipose.body.body import load_body
from unipose.errors import ConfigError, EmptySourceError, MissingFileError, SourceError
from unipose.language.templates import Task

PROGRAMS = pytest.mark.parametrize("program", [align, pose_codes, visual, instruct])


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_sources(tmp_path_factory.mktemp("sources"))


def run(program, folder: Path, sources: tuple[str, ...], **changes) -> list[dict]:
    config = replace(
        program.PRESETS["debug"], out=folder, steps=2, warmup=0, sources=sources, **changes
    )
    program.main(config)
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_align_trains_on_mixed_sources(asked, tmp_path, capsys):
    mixed = (
        f"{asked['amass']}&share=0.5", f"{asked['posescript']}&share=0.3",
        f"{asked['posefix']}&share=0.1", f"{asked['imagescript']}&share=0.1", asked["bedlam"],
    )  # fmt: skip
    logged = run(align, tmp_path / "run", mixed)
    assert all(torch.isfinite(torch.tensor(logged[-1][name])) for name in ("text", "codes"))
    told = capsys.readouterr().err
    assert "amass: 25.0% of samples, 100 poses" in told
    assert "records were left out" in told
    again = run(align, tmp_path / "again", mixed, workers=0)
    assert logged == again


@pytest.mark.slow
def test_pose_codes_trains_on_mixed_sources(asked, tmp_path):
    logged = run(pose_codes, tmp_path, (f"{asked['amass']}&share=3", asked["posescript"]))
    assert 0 < logged[-1]["mpjpe_mm"] < 2000


@pytest.mark.slow
def test_visual_and_instruct_train_on_sources_with_pictures(asked, tmp_path):
    pictured = (f"{asked['bedlam']}&share=2", f"{asked['imagescript']}&share=1")
    shares = ((Task.ESTIMATE, 0.5), (Task.IMAGE_TO_TEXT, 0.25), (Task.IMAGE_DIFF, 0.25))
    logged = run(visual, tmp_path / "visual", pictured, image_talk=ImageTalkConfig(shares=shares))
    assert logged[-1]["text"] > 0
    mixed = (*pictured, f"{asked['posescript']}&share=7")
    logged = run(instruct, tmp_path / "instruct", mixed)
    assert logged[-1]["text"] > 0


def test_shares_of_both_kinds_say_how_many_samples_are_about_pictures(asked):
    debug = instruct.PRESETS["debug"]
    mixed = (f"{asked['bedlam']}&share=3", f"{asked['posescript']}&share=7")
    assert replace(debug, sources=mixed).picture_share == pytest.approx(0.3)
    assert replace(debug, sources=mixed[1:]).picture_share == debug.seen


@PROGRAMS
def test_sources_are_asked_for_on_the_command_line_and_checked_at_once(program):
    both = ["bedlam=/data/a?share=2", "imagescript=/data/b"]
    config = read_config(program.PRESETS, ["--preset", "debug", "--sources", *both])
    assert config.sources == tuple(both)
    for wrong, told in (("bedlam=/a?share=0", "above 0"), ("bedlan=/a", "no source is called")):
        with pytest.raises(ConfigError, match=told):
            replace(program.PRESETS["debug"], sources=(wrong,))
    if program is visual:
        with pytest.raises(ConfigError, match="amass has none"):
            replace(visual.PRESETS["debug"], sources=("amass=/data",))


@PROGRAMS
def test_a_source_that_is_not_there_or_empty_stops_before_a_model_is_loaded(
    program, tmp_path, monkeypatch
):
    def no_model(*_: object, **__: object) -> None:
        raise AssertionError("a model was made")

    for name in ("build_model", "open_start"):
        monkeypatch.setattr(program, name, no_model, raising=False)
    gone = replace(
        program.PRESETS["debug"], out=tmp_path / "run", sources=(f"bedlam={tmp_path / 'gone'}",)
    )
    with pytest.raises(SourceError, match="no such folder"):
        program.main(gone)
    empty = replace(gone, sources=(f"imagescript={tmp_path}",))
    with pytest.raises((EmptySourceError, MissingFileError), match="the split"):
        program.main(empty)


@pytest.mark.slow
def test_a_process_of_its_own_draws_the_same_batches(asked):
    assistant = tiny_assistant()
    mixed = [f"{asked['amass']}&share=2", asked["posescript"], asked["posefix"]]
    talk = TrainingPoses.read(Path(), parse_sources(mixed)).talk(
        joints_at_rest=load_body().rest_joints, encode=encoder_of(assistant.model),
        vocabulary=assistant.vocabulary, config=TalkConfig(),
    )  # fmt: skip

    def ids(place: int) -> list[list[int]]:
        return [row.ids for row in talk.draw(6, seed=0, step=place)]

    alone = list(prefetch(ids, range(4), workers=0))
    assert list(prefetch(ids, range(4), workers=1)) == alone
    assert len({str(some) for some in alone}) == 4


def test_held_out_people_are_of_the_sources_validation_split(asked):
    pool = read_poses(Path(), parse_sources([asked["amass"], asked["posescript"]]))
    assert len(pool) == 51
    assert HeldOut(load_body().rest_joints, poses=pool, count=3, seed=0).count == 3
    alone = read_poses(Path(), parse_sources([asked["imagescript"]]))  # no moments of a recording
    assert not alone.moves
    assert HeldOut(load_body().rest_joints, poses=alone, count=1, seed=0).count == 1
    with pytest.raises(ConfigError, match="--checked 0"):
        read_poses(Path(), parse_sources([asked["bedlam"]]))
