"""The training programs: two steps on the debug preset, then resumed; noise that really works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from train import align, instruct, pose_codes, visual
from train.program import read_config
from train.run_folder import RunFolder
from train.settings import cosine
from unipose.errors import ConfigError, FileError


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(sorted(folder.glob("step-*.safetensors"))[-1])


def same(one: Path, other: Path) -> bool:
    a, b = final_weights(one), final_weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


PROGRAMS = pytest.mark.parametrize(
    ("program", "shown"),
    [
        pytest.param(pose_codes, "codec", id="pose_codes"),
        pytest.param(align, "model", id="align", marks=pytest.mark.slow),
        pytest.param(visual, "model", id="visual", marks=pytest.mark.slow),
        pytest.param(instruct, "model", id="instruct", marks=pytest.mark.slow),
    ],
)


@PROGRAMS
def test_a_resumed_run_equals_an_unbroken_one(program: object, shown: str, tmp_path: Path):
    debug = program.PRESETS["debug"]
    program.main(replace(debug, out=tmp_path / "unbroken"))
    broken = replace(debug, out=tmp_path / "broken")
    stop_after(program, broken, step=2)
    program.main(broken)
    assert same(tmp_path / "unbroken", tmp_path / "broken")
    assert (tmp_path / "broken" / shown).is_dir()


def test_trackers_are_told_what_is_logged(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = replace(pose_codes.PRESETS["debug"], out=tmp_path / "run", trackers=("tensorboard",))
    pose_codes.main(config)
    (events,) = (tmp_path / "run").glob("**/events.out.tfevents*")
    told = EventAccumulator(str(events)).Reload()
    logged = [json.loads(line) for line in (config.out / "metrics.jsonl").read_text().splitlines()]
    last = next(line for line in reversed(logged) if "mpjpe_mm" in line)
    scalars = told.Scalars("mpjpe_mm")
    assert scalars[-1].step == last["step"]
    assert scalars[-1].value == pytest.approx(last["mpjpe_mm"])


@pytest.mark.parametrize("tracker", ["comet_ml", "no such tracker"])
def test_a_tracker_that_is_not_there_is_refused(tracker: str, tmp_path: Path):
    config = replace(pose_codes.PRESETS["debug"], out=tmp_path / "run", trackers=(tracker,))
    with pytest.raises(ConfigError, match=tracker):
        pose_codes.main(config)
    assert not (tmp_path / "run").exists()


def stop_after(program: object, config: object, *, step: int) -> None:
    """Run until the checkpoint of `step` is written, then stop as if the power had failed."""

    class PowerCutError(Exception):
        pass

    real = RunFolder.save

    def save_then_fail(self: RunFolder, at: int, *rest: object) -> None:
        real(self, at, *rest)
        if at == step:
            raise PowerCutError

    RunFolder.save = save_then_fail
    try:
        with pytest.raises(PowerCutError):
            program.main(config)
    finally:
        RunFolder.save = real


KILLED = """
import os, runpy, signal, sys

import torch
from train import run_folder

_, saves, where, program, *sys.argv[1:] = sys.argv
left, save = int(saves), run_folder.RunFolder.save


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def save_some(self, *state):
    global left
    left -= 1
    if left == 0 and where == "before":
        die()
    if left == 0 and where == "while":
        run_folder.Path.rename = die
    save(self, *state)
    if left == 0:
        die()


run_folder.RunFolder.save = save_some
runpy.run_module(program, run_name="__main__", alter_sys=True)
"""
"""Runs a program that is killed before, while or after it writes one of its checkpoints."""


@pytest.mark.slow
@PROGRAMS
def test_a_killed_run_loses_only_the_steps_since_its_checkpoint(
    program: object, shown: str, tmp_path: Path
):
    name, killed = program.__name__, tmp_path / "killed"
    arguments = ["--preset", "debug", "--steps", "12", "--save-every", "3", "--out"]
    ordinary = [sys.executable, "-m", name, *arguments]
    subprocess.run([*ordinary, tmp_path / "unbroken"], check=True)
    for saves, where, kept in (("1", "after", "03"), ("1", "while", "03"), ("2", "before", "06")):
        died = subprocess.run(
            [sys.executable, "-c", KILLED, saves, where, name, *arguments, killed], check=False
        )
        assert died.returncode == -signal.SIGKILL
        assert sorted(killed.glob("step-*"))[-1].stem.endswith(kept), (saves, where)
    subprocess.run([*ordinary, killed], check=True)
    assert same(tmp_path / "unbroken", killed)


TOLD = """
import hashlib, json, os, runpy, sys
from pathlib import Path

from accelerate import Accelerator

_, program, *sys.argv[1:] = sys.argv
prepare = Accelerator.prepare
trained = []


def remember(self, *parts, **how):
    prepared = prepare(self, *parts, **how)
    trained.extend(prepared if isinstance(prepared, tuple) else [prepared])
    return prepared


Accelerator.prepare = remember
runpy.run_module(program, run_name="__main__", alter_sys=True)
weights = trained[0].state_dict()
digest = hashlib.sha256()
for name in sorted(weights):
    digest.update(weights[name].float().numpy().tobytes())
out = Path(sys.argv[sys.argv.index("--out") + 1])
(out / f"weights-{os.environ['RANK']}.txt").write_text(digest.hexdigest())
"""
"""Runs a program; each process writes down what its weights are in the end."""


@pytest.mark.slow
@pytest.mark.parametrize(("program", "shown"), [(pose_codes, "codec"), (visual, "model")])
def test_two_processes_train_one_model(program: object, shown: str, tmp_path: Path):
    """What `align` learns on two processes is checked in `test_engines`."""
    script, out = tmp_path / "told.py", tmp_path / "run"
    script.write_text(TOLD)
    launch = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", str(script)]
    subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *launch, program.__name__,
         "--preset", "debug", "--out", str(out)],
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    first, second = ((out / f"weights-{rank}.txt").read_text() for rank in (0, 1))
    assert first == second
    program.main(replace(program.PRESETS["debug"], out=tmp_path / "alone"))
    assert (out / shown).is_dir()
    assert not same(out, tmp_path / "alone")  # two halves of a batch, not twice the same


def test_joint_noise_changes_one_limb_of_half_the_poses():
    sixd = torch.zeros(400, 22, 6)
    noisy = pose_codes.add_joint_noise(sixd, torch.Generator().manual_seed(0), 0.1)
    changed = (noisy != 0).any(dim=-1)
    assert 0.4 < changed.any(dim=1).float().mean() < 0.6
    assert changed.sum(dim=1).max() <= 5
    assert (sixd == 0).all()


def test_the_same_seed_draws_the_same_noise():
    sixd = torch.zeros(8, 22, 6)
    one, again = (
        pose_codes.add_joint_noise(sixd, torch.Generator().manual_seed(5), 0.1) for _ in range(2)
    )
    assert torch.equal(one, again)


def test_another_configuration_does_not_continue_a_run(tmp_path: Path):
    debug = replace(pose_codes.PRESETS["debug"], out=tmp_path, steps=2)
    pose_codes.main(debug)
    with pytest.raises(ConfigError, match="another configuration"):
        pose_codes.main(replace(debug, peak_rate=1.0))


def test_a_damaged_checkpoint_is_named(tmp_path: Path):
    debug = replace(pose_codes.PRESETS["debug"], out=tmp_path, steps=2)
    pose_codes.main(debug)
    newest = sorted(tmp_path.glob("step-*"))[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    with pytest.raises(FileError, match=newest.name):
        pose_codes.main(debug)


@pytest.mark.slow
def test_the_run_folder_says_what_was_started(tmp_path: Path):
    pose_codes.main(replace(pose_codes.PRESETS["debug"], out=tmp_path, steps=2))
    assert '"steps": 2' in (tmp_path / "config.json").read_text()
    assert (tmp_path / "code.txt").read_text().strip()
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") >= 2


def test_presets_are_chosen_by_name_and_flags_lie_over_them():
    config = read_config(pose_codes.PRESETS, ["--preset", "paper", "--batch", "8"])
    assert (config.codec.width, config.batch) == (512, 8)
    with pytest.raises(SystemExit, match="mini, smol, debug, paper"):
        read_config(pose_codes.PRESETS, ["--preset", "huge"])


def test_the_learning_rate_warms_up_and_ends_at_zero():
    rates = [cosine(step, steps=100, warmup=10, peak=1.0) for step in range(101)]
    assert rates[9] == pytest.approx(1.0)
    assert max(rates) == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0, abs=1e-9)
