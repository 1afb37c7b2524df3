"""How good are lifters, alone and with the loss that learns? Errors and plausibility, by seeds.

`--runs` is the folder that `python -m train.lifter_runs` wrote: NET.LOSS.SEED, of which the model
of the last step and the one that validation chose are measured on a split that neither saw.

Per network and loss (`plain`, `margin`, `nce`), the mean over seeds and its standard deviation
`_std`: `mpjpe_mm`, `p_mpjpe_mm`, `pck150`, `auc`, `lse`, `lle`, `bsle` as NET.LOSS.FIGURE (last
step) and NET.LOSS.chosen.FIGURE. `NET.gain_mm`: by how much MPJPE is lower than alone, seed by
seed, with the loss that is better on validation; `NET.LOSS.gain_mm` for each. `step_cost_ratio` is
a training step's processor time beside the plain one's, `poses_per_s` training without SEAL.
`NET.LOSS.gbi_FIGURE` is what following the loss-net's gradient changes (`--gbi-steps`).

All figures are means over frames, root on root. The papers' H36M, 3DHP and H3WB figures need the
licensed data and do not compare with these. Run as `python -m eval.lifting --json`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data_builders.lifting.lifting_splits import (
    DataName,
    LiftingSource,
    protocol_of_source,
    read_split,
)
from eval.lifting_pictures import draw_lifting
from eval.program import print_result, print_table, run, track
from unipose.errors import ConfigError, MissingFileError
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.lifting.gradient_inference import follow_energy
from unipose.lifting.lifting_data import LiftingData
from unipose.lifting.lifting_scores import (
    FIGURES,
    lift_all,
    mean_scores,
    scores_by_action,
    spread,
)
from unipose.lifting.loss_net import LossNetConfig
from unipose.lifting.saved_lifter import load_lifter
from unipose.lifting.trainable_loss import SealConfig, TrainableLoss

GBI_FIGURES = ("mpjpe_mm", "p_mpjpe_mm", "lse", "lle", "bsle")


@dataclass(frozen=True, kw_only=True)
class LiftingOptions:
    """Options of eval.lifting."""

    runs: Path = Path("runs/lifting")
    """Folder of runs."""
    data: DataName = "mocap"
    folder: Path = Path("../shared/mocap")
    """Of the data set."""
    keypoints: str = "human36m-17"
    fps: float = 10.0
    split: Literal["val", "test"] = "test"
    gbi_steps: int = 50
    """Steps along the energy's gradient; 0 leaves them out."""
    actions: bool = False
    """Print the figures of each action too (first seed, last step)."""
    picture: Path | None = None
    """Folder for pictures: energies on joints, the path of inference, curves."""
    json: bool = False
    """Print one JSON object as the last line."""

    @property
    def source(self) -> LiftingSource:
        """Return where the frames come from."""
        return LiftingSource(
            data=self.data, folder=self.folder, keypoints=self.keypoints, fps=self.fps
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LiftingRun:
    """One finished run."""

    folder: Path
    net: str
    loss: str
    seed: int

    @property
    def summary(self) -> dict[str, float]:
        """Return what training cost."""
        return json.loads((self.folder / "summary.json").read_text("utf-8"))

    @property
    def on_validation(self) -> float:
        """Return the MPJPE (mm) that the last check on validation found."""
        rows = (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()
        return json.loads(rows[-1])["mpjpe_mm"]

    @property
    def chose_the_last(self) -> bool:
        """Whether validation chose the model of the last step."""
        chosen = json.loads((self.folder / "chosen" / "scores.json").read_text("utf-8"))
        rows = (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()
        return chosen["step"] == json.loads(rows[-1])["step"]

    @property
    def config(self) -> dict[str, Any]:
        """Return the settings of the run."""
        return json.loads((self.folder / "config.json").read_text("utf-8"))

    def loss_net(self, joints: int) -> TrainableLoss:
        """Return the loss-net that was trained beside the lifter."""
        config = self.config
        sizes = LossNetConfig(
            joints=joints, width=config["loss_width"], stages=config["loss_stages"]
        )
        seal = TrainableLoss(SealConfig(net=sizes, loss=config["seal"]))
        path = self.folder / "loss_net.safetensors"
        load_strictly(seal, read_checkpoint(path), path)
        return seal.eval()


def finished_runs(folder: Path) -> list[LiftingRun]:
    """Return the runs of a folder that are done. Raises MissingFileError if there is none."""
    found = []
    for path in sorted(folder.glob("*.*.*/summary.json")):
        net, loss, seed = path.parent.name.split(".")
        if seed.isdecimal():
            found.append(LiftingRun(folder=path.parent, net=net, loss=loss, seed=int(seed)))
    if not found:
        raise MissingFileError(
            folder, "holds no finished run.", "Train them: python -m train.lifter_runs --out FOLDER"
        )
    return found


def follow_gradient(
    seal: TrainableLoss, seen: Tensor, path: Float[Tensor, "frame joint 3"], data: LiftingData,
    steps: int,
) -> dict[str, list[float]]:  # fmt: skip
    """Return each figure (and the mean energy) before the first step and after each."""
    curves: dict[str, list[float]] = defaultdict(list)
    for poses in follow_energy(seal.energy, seen, path, steps=steps):
        scores = mean_scores(poses, data)
        for name in GBI_FIGURES:
            curves[name].append(scores[name])
        with torch.no_grad():
            curves["energy"].append(float(seal.energy(seen, poses).mean()))
    return dict(curves)


def score_run(
    one: LiftingRun, data: LiftingData, options: LiftingOptions
) -> dict[str, float | dict[str, list[float]]]:
    """Return what one run is measured by: figures of both models, costs, inference by gradients.

    Raises ConfigError for a lifter of other keypoints than the data's.
    """
    protocol, found = protocol_of_source(options.source), {}
    for kind, prefix in (("last", ""), ("chosen", "chosen.")):
        if kind == "chosen" and one.chose_the_last:
            found |= {f"chosen.{name}": found[name] for name in FIGURES}
            continue
        net, config = load_lifter(one.folder / kind)
        if config.keypoints != data.keypoint_set.name:
            raise ConfigError(
                f"{one.folder} lifts {config.keypoints}, the data has {data.keypoint_set.name}"
            )
        said = lift_all(net, data)
        scores = mean_scores(said, data, protocol)
        found |= {f"{prefix}{name}": value for name, value in scores.items()}
        if kind == "last" and one.loss != "plain" and options.gbi_steps and one.seed == 0:
            some = torch.arange(0, len(data), max(1, len(data) // 2000))
            part = _rows(data, some)
            found["gbi"] = follow_gradient(
                one.loss_net(len(data.keypoint_set)), part.seen, _judged(one, part, said[some]),
                part, options.gbi_steps,
            )  # fmt: skip
    return found | one.summary | {"validation_mm": one.on_validation}


def summarise(
    scored: Sequence[tuple[LiftingRun, dict[str, float | dict[str, list[float]]]]],
) -> dict[str, object]:
    """Return the figures of all runs by network and loss: means, deviations, gains, costs."""
    rows: dict[tuple[str, str], dict[str, list[float]]] = {}
    by_seed: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    curves: dict[str, dict[str, list[float]]] = {}
    for one, found in scored:
        own = rows.setdefault((one.net, one.loss), defaultdict(list))
        for name, value in found.items():
            if isinstance(value, dict):
                curves[f"{one.net}.{one.loss}"] = value
            else:
                own[name].append(value)
        by_seed[one.net, one.loss][one.seed] = own["mpjpe_mm"][-1]
    result: dict[str, object] = {}
    for (net, loss), own in rows.items():
        for name in (*FIGURES, *(f"chosen.{name}" for name in FIGURES)):
            mean, deviation = spread(own[name])
            result[f"{net}.{loss}.{name}"] = mean
            result[f"{net}.{loss}.{name}_std"] = deviation
        result[f"{net}.{loss}.seeds"] = len(own["mpjpe_mm"])
    result |= _gains(rows, by_seed)
    for name, curve in curves.items():
        result |= {f"{name}.gbi_{f}": curve[f][-1] - curve[f][0] for f in (*GBI_FIGURES, "energy")}
    return result | {"gbi": curves}


def measure(options: LiftingOptions, data: LiftingData | None = None) -> dict[str, object]:
    """Return the figures of all finished runs."""
    runs = finished_runs(options.runs)
    data = data or read_split(options.source, options.split)
    result = summarise([(one, score_run(one, data, options)) for one in track(runs, "measuring")])
    if options.actions:
        result["actions"] = {
            f"{one.net}.{one.loss}": scores_by_action(
                lift_all(load_lifter(one.folder / "last")[0], data), data,
                protocol_of_source(options.source),
            )
            for one in runs if one.seed == 0
        }  # fmt: skip
    return result | {"frames": len(data), "split": options.split}


def _judged(run: LiftingRun, part: LiftingData, said: Tensor) -> Tensor:
    """Return the poses that a run's loss-net has learned to judge: SEAL-static's are another's."""
    other = run.config.get("static_from")
    return said if other is None else lift_all(load_lifter(Path(other))[0], part)


def _rows(data: LiftingData, some: Tensor) -> LiftingData:
    return LiftingData(
        keypoint_set=data.keypoint_set, seen=data.seen[some], truth=data.truth[some],
        sequence=data.sequence[some], names=data.names, fps=data.fps,
    )  # fmt: skip


def _gains(
    rows: dict[tuple[str, str], dict[str, list[float]]],
    by_seed: dict[tuple[str, str], dict[int, float]],
) -> dict[str, object]:
    """Return how much lower the error is with SEAL, and what a step costs."""
    found: dict[str, object] = {}
    for net in dict.fromkeys(net for net, _ in rows):
        if (net, "plain") not in rows:
            continue
        plain = by_seed[net, "plain"]
        found[f"{net}.poses_per_s"] = spread(rows[net, "plain"]["poses_per_s"])[0]
        losses = [loss for of, loss in rows if of == net and loss != "plain"]
        for loss in losses:
            paired = [
                plain[seed] - error for seed, error in by_seed[net, loss].items() if seed in plain
            ]
            if paired:
                gain, deviation = spread(paired)
                found |= {f"{net}.{loss}.gain_mm": gain, f"{net}.{loss}.gain_std_mm": deviation}
        with_gain = [loss for loss in losses if f"{net}.{loss}.gain_mm" in found]
        if with_gain:
            best = min(with_gain, key=lambda loss: spread(rows[net, loss]["validation_mm"])[0])
            found[f"{net}.seal"] = best
            for name in ("gain_mm", "gain_std_mm"):
                found[f"{net}.{name}"] = found[f"{net}.{best}.{name}"]
            found[f"{net}.step_cost_ratio"] = (
                spread(rows[net, best]["step_cpu_s"])[0]
                / spread(rows[net, "plain"]["step_cpu_s"])[0]
            )  # fmt: skip
    return found


def main(options: LiftingOptions) -> None:
    """Measure lifters alone and with a trainable loss, over seeds."""
    data = read_split(options.source, options.split)
    result = measure(options, data)
    if not options.json:
        _print(result, options)
    if options.picture is not None:
        runs = [one for one in finished_runs(options.runs) if one.seed == 0]
        gbi = result["gbi"]
        assert isinstance(gbi, dict)
        lifters: dict[str, tuple[nn.Module, TrainableLoss]] = {
            f"{one.net}.{one.loss}": (
                load_lifter(one.folder / "last")[0], one.loss_net(len(data.keypoint_set))
            )
            for one in runs if one.loss != "plain"
        }  # fmt: skip
        logs = {f"{one.net}.{one.loss}": one.folder / "metrics.jsonl" for one in runs}
        draw_lifting(options.picture, data, lifters, gbi, logs)
    print_result(result, as_json=options.json)


def _print(result: dict[str, object], options: LiftingOptions) -> None:
    settings = [name.removesuffix(".seeds") for name in result if name.endswith(".seeds")]
    for prefix, what in (("", "last step"), ("chosen.", "chosen on validation")):
        table = [
            (
                name, str(result[f"{name}.seeds"]),
                *(
                    f"{result[f'{name}.{prefix}{figure}']:.2f} ± "
                    f"{result[f'{name}.{prefix}{figure}_std']:.2f}"
                    for figure in FIGURES
                ),
            )
            for name in settings
        ]  # fmt: skip
        print_table(
            f"Lifting, {options.data}, split {options.split!r}, {result['frames']} frames ({what})",
            ["", "seeds", "MPJPE", "P-MPJPE", "PCK", "AUC", "LSE", "LLE", "BSLE"],
            table,
        )
    actions = result.get("actions", {})
    assert isinstance(actions, dict)
    for name, by_action in actions.items():
        print_table(
            f"{name}, by action", ["", *FIGURES],
            [(action, *(scores[f] for f in FIGURES)) for action, scores in by_action.items()],
        )  # fmt: skip


if __name__ == "__main__":
    run(main, LiftingOptions)
