"""What a step is: batches that add up, losses that are finite, threads, a model in two files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from data_builders.pose_talk import PoseTalk
from tests.fakes.base_models import write_base
from tests.train.test_programs import same, stop_after
from train import align, pose_codes
from train.settings import NonFiniteLossError, check_finite
from train.threads import choose_threads, set_threads
from train.training_loop import PoseLanguageStep, shares_of
from unipose.assistant import UniPose
from unipose.errors import ConfigError
from unipose.language.rendering import IGNORE_INDEX, Batch

DEBUG = align.PRESETS["debug"]


def over_a_base(folder: Path, **changed: object) -> align.AlignConfig:
    """Return the debug preset over a tiny base, of which all but adapters and tables is frozen."""
    write_base(folder / "llm", "llama")
    return replace(DEBUG, llm=str(folder / "llm"), lora_rank=2, **changed)


def losses_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def batch_of(words: int) -> Batch:
    """Return a batch that supervises so many words and no pose."""
    targets = torch.full((1, 8), IGNORE_INDEX)
    targets[0, :words] = 5
    return Batch(
        ids=torch.zeros_like(targets),
        kinds=torch.zeros_like(targets),
        spans=torch.zeros_like(targets),
        real=torch.ones_like(targets, dtype=torch.bool),
        targets=targets,
        answering=torch.zeros_like(targets, dtype=torch.bool),
    )


def test_a_batch_counts_for_its_share_of_all_that_a_step_supervises():
    shares = shares_of([batch_of(6), batch_of(2), batch_of(4)])
    assert [float(share["text"]) for share in shares] == pytest.approx([6 / 12, 2 / 12, 4 / 12])
    assert [float(share["codes"]) for share in shares] == [0, 0, 0]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_place_is_drawn_once_by_one_process_in_one_step(processes: int):
    config = replace(DEBUG, accumulate=4)
    places = [
        place
        for step in range(5)
        for process in range(processes)
        for place in config.places(step, process, processes)
    ]
    assert places == list(range(5 * 4 * processes))


@pytest.mark.slow
def test_two_batches_added_up_teach_what_one_of_both_teaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    base = replace(DEBUG, steps=2, save_every=1, practice=0, pieces=1, log_every=1)
    align.main(replace(base, out=tmp_path / "added", batch=4, accumulate=2))
    draw = PoseTalk.draw

    def both(self: PoseTalk, count: int, *, seed: int, step: int) -> list[object]:
        return [
            *draw(self, count // 2, seed=seed, step=2 * step),
            *draw(self, count // 2, seed=seed, step=2 * step + 1),
        ]

    monkeypatch.setattr(PoseTalk, "draw", both)
    monkeypatch.setattr(align, "text_tokenizer", _tokenizer_of(tmp_path / "added"))
    align.main(replace(base, out=tmp_path / "at_once", batch=8))
    added, at_once = losses_of(tmp_path / "added"), losses_of(tmp_path / "at_once")
    # the claims that are told to words in training are drawn for each batch anew
    for name in ("facts", "told", "geometry"):
        assert added[0][name] == pytest.approx(at_once[0][name], rel=0.05)
    assert added[0]["text"] == pytest.approx(at_once[0]["text"], rel=1e-3)


def _tokenizer_of(run: Path):
    from transformers import AutoTokenizer

    return lambda *_: AutoTokenizer.from_pretrained(run / "text")


@pytest.mark.slow
def test_a_run_that_accumulates_resumes_as_if_unbroken(tmp_path: Path):
    config = replace(DEBUG, accumulate=2, batch=4)
    align.main(replace(config, out=tmp_path / "unbroken"))
    broken = replace(config, out=tmp_path / "broken")
    stop_after(align, broken, step=2)
    align.main(broken)
    assert same(tmp_path / "unbroken", tmp_path / "broken")


@pytest.mark.slow
def test_a_step_that_is_not_finite_stops_with_its_place_and_part_and_saves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    forward, calls = PoseLanguageStep.forward, []

    def broken(
        self: PoseLanguageStep, *given: object
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, parts = forward(self, *given)
        calls.append(1)
        if len(calls) == 11:  # of the second place of the third step
            parts["geometry"] = parts["geometry"] * torch.nan
            loss = loss * torch.nan
        return loss, parts

    monkeypatch.setattr(PoseLanguageStep, "forward", broken)
    config = replace(DEBUG, out=tmp_path, accumulate=2, save_every=1, batch=4)
    with pytest.raises(NonFiniteLossError, match=r"step 2 .* geometry, .* place 5") as e:
        align.main(config)
    assert (e.value.step, e.value.places, e.value.parts) == (2, (5,), ("geometry",))
    assert [file.name for file in sorted(tmp_path.glob("step-*"))][
        -1
    ] == "step-00000002.safetensors"


def test_a_gradient_that_is_not_finite_is_named_with_all_places_of_its_step():
    drawn = [(4, torch.tensor(1.0), {"text": torch.tensor(1.0)}), (5, torch.tensor(2.0), {})]
    with pytest.raises(NonFiniteLossError, match="the gradient, of what was drawn at place 4, 5"):
        check_finite(2, drawn, norm=torch.tensor(torch.inf))
    check_finite(2, drawn, norm=torch.tensor(3.0))


def test_other_programs_stop_at_a_loss_that_is_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        pose_codes,
        "train_step",
        lambda *_: (
            torch.tensor(torch.nan, requires_grad=True),
            {"joints": torch.tensor(torch.inf)},
        ),
    )
    with pytest.raises(NonFiniteLossError, match="step 0 is not finite: joints"):
        pose_codes.main(replace(pose_codes.PRESETS["debug"], out=tmp_path))


@pytest.mark.slow
def test_poses_read_by_their_geometry_are_learned_without_claims(tmp_path: Path):
    align.main(replace(DEBUG, claim_weight=0.0, out=tmp_path))
    last = losses_of(tmp_path)[-1]
    assert last["facts"] == last["told"] == last["shown"] == 0
    assert last["codes"] > 0
    assert "practised codes" not in last


@pytest.mark.parametrize(
    ("environment", "options", "threads"),
    [
        ({}, {}, 16),
        ({}, {"workers": 1}, 16),
        ({}, {"workers": 8}, 14),
        ({"LOCAL_WORLD_SIZE": "4"}, {"workers": 1}, 4),
        ({"LOCAL_WORLD_SIZE": "16"}, {"workers": 4}, 1),
        ({"OMP_NUM_THREADS": "1"}, {}, 1),
        ({"OMP_NUM_THREADS": "1", "ACCELERATE_MIXED_PRECISION": "no"}, {}, 16),
        ({"OMP_NUM_THREADS": "3", "ACCELERATE_MIXED_PRECISION": "no"}, {}, 3),
        ({"OMP_NUM_THREADS": "1", "TORCHELASTIC_RUN_ID": "a", "LOCAL_WORLD_SIZE": "2"}, {}, 8),
        ({"OMP_NUM_THREADS": "1"}, {"asked": 5}, 5),
    ],
)
def test_threads_are_the_share_of_the_cores_unless_the_user_said_otherwise(
    environment: dict[str, str], options: dict[str, int], threads: int
):
    assert choose_threads(cores=16, environment=environment, **options) == threads


def test_threads_are_set_told_and_kept_in_the_run_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = torch.get_num_threads()
    try:
        pose_codes.main(replace(pose_codes.PRESETS["debug"], out=tmp_path, threads=3))
        assert torch.get_num_threads() == 3
        assert "1 process(es) of 3 thread(s)" in capsys.readouterr().err
        assert json.loads((tmp_path / "machine.json").read_text())["threads"] == 3
    finally:
        torch.set_num_threads(before)
    with pytest.raises(ConfigError, match="threads is at least 1"):
        set_threads(asked=-1)


@pytest.mark.slow
def test_the_frozen_base_is_written_once_beside_what_learns(tmp_path: Path):
    config = over_a_base(tmp_path, steps=2, save_every=1, out=tmp_path / "run")
    stop_after(align, config, step=2)  # after one model was saved
    folder = tmp_path / "run" / "model"
    frozen, learned = folder / "frozen.safetensors", folder / "learned.safetensors"
    first = frozen.stat().st_mtime_ns, load_file(learned)["slots"]
    align.main(config)
    align.main(replace(config, steps=2))
    assert frozen.stat().st_mtime_ns == first[0]
    assert not (folder / "model.safetensors").exists()
    names = load_file(frozen).keys()
    assert any("q_proj.base_layer" in name for name in names)
    assert not any("lora_" in name or "embed_tokens" in name for name in names)
    loaded = UniPose.load(folder).model.state_dict()
    for name, value in {**load_file(frozen), **load_file(learned)}.items():
        assert torch.equal(loaded[name], value), name


@pytest.mark.slow
def test_a_model_goes_on_over_its_base_in_the_number_type_of_the_base(tmp_path: Path):
    align.main(over_a_base(tmp_path, dtype="bfloat16", steps=2, out=tmp_path / "run"))
    loaded = UniPose.load(tmp_path / "run" / "model", base_as_stored=True).model
    types = {name: weight.dtype for name, weight in loaded.named_parameters()}
    base = {n for n in types if n.startswith(("llm.model.layers", "llm.model.norm"))}
    base -= {name for name in base if "lora_" in name}
    assert {types[name] for name in base} == {torch.bfloat16}
    assert {kind for name, kind in types.items() if name not in base} == {torch.float32}
