"""How good and how fast are whole-body keypoints? Networks, heads beside each other, evaluation.

- `golden`: the largest relative error of our networks beside reference numbers of the authors' code
  (`--golden FILE`).
- `speed`: milliseconds a person of RTMPose-m (133 keypoints, 256 x 192) with random weights, for
  one person and for 16; what CIGPose's head adds; torch, bfloat16, onnxruntime where it is there.
- `evaluation`: seconds of COCO-WholeBody's six runs on a made-up set of COCO's validation size.
- `heads`: heads that differ in one thing alone (`train.wholebody_heads --preset compare`), each
  with several seeds, on the studio's test people behind things: AP and AR (mean and spread), and
  what the intervention does: how often each part's keypoints are replaced, scores of seen and
  hidden keypoints (drawn by `--picture`).
- `shipped`: the small network that comes along on the same people.
- `photos`: the same network and BlazePose's company in given boxes of photographs (`--photos`).
- `results`: a file of results in COCO's layout against annotations (`--truth`, `--results`).

Run as `python -m eval.wholebody --data FOLDER`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from eval.golden_keypoints import golden_errors
from eval.keypoint_people import KeypointPeople, studio_people_of
from eval.keypoint_speed import Clock, evaluation_seconds, network_speeds
from eval.program import EvalOptions, print_result, print_table, run
from eval.wholebody_heads import heads_beside_each_other, maps_of, scores_of_head
from eval.wholebody_photos import photo_figures
from unipose.app.keypoint_finders import SHIPPED
from unipose.body.keypoint_sets import keypoint_set
from unipose.errors import ConfigError
from unipose.files.keypoint_evaluation import read_detections, read_truth
from unipose.metrics.keypoint_precision import (
    evaluate_crowds,
    evaluate_keypoints,
    evaluate_whole_body,
)
from unipose.vision.pose_vit_keypoints import PoseViTKeypoints

SECTIONS = ("golden", "speed", "evaluation", "heads", "shipped", "photos", "results")


@dataclass(frozen=True, kw_only=True)
class WholeBodyOptions(EvalOptions):
    """Options of eval.wholebody."""

    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv, by whose recordings the studio's people move."""
    sections: tuple[str, ...] = SECTIONS
    """What is measured; what lacks its files is left out."""
    golden: Path = Path("../shared/facts/cigpose_golden.json")
    """Reference numbers of the authors' code."""
    heads: Path = Path("runs/wholebody_heads")
    """Folders KIND-SEED of `train.wholebody_heads`."""
    shipped: Path = SHIPPED
    """Folder of the small network."""
    photos: Path = Path("../shared/photos")
    """Folder of marked photographs (see eval.photographs)."""
    pictures: int = 500
    """Of the studio."""
    images: int = 5000
    """Of the made-up evaluation."""
    repeats: int = 20
    """How often each network is timed."""
    clock: Clock = "wall"
    """What times are of: cpu on a machine that others use, too."""
    truth: Path | None = None
    """Annotations in COCO's layout ..."""
    results: Path | None = None
    """... and results for them."""
    keypoints: str = "coco-wholebody-133"
    """Whose keypoints these are."""
    picture: Path | None = None
    """Where the scores of seen and hidden keypoints are drawn (.png)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.sections if name not in SECTIONS]
        if unknown:
            raise ConfigError(
                f"there is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}"
            )
        if (self.truth is None) != (self.results is None):
            raise ConfigError("--truth and --results belong together")


@dataclass
class Findings:
    """Figures by name, and what was left out."""

    figures: dict[str, object] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def measured_networks(options: WholeBodyOptions, found: Findings) -> None:
    """Measure what needs no people: reference numbers, times."""
    if "golden" in options.sections:
        if options.golden.is_file():
            errors = golden_errors(options.golden)
            print_table("relative error", ("network", "error"),
                        [(name, f"{error:.1e}") for name, error in errors.items()])  # fmt: skip
            found.figures["golden_max_rel_error"] = max(errors.values())
        else:
            found.left_out.append("golden")
    if "speed" in options.sections:
        speeds = network_speeds(repeats=options.repeats, clock=options.clock)
        print_table("speed, ms a person", ("", ""), list(speeds.items()))
        found.figures |= speeds
        if "onnx_ms_1" not in speeds:
            found.left_out.append("onnx (onnx and onnxruntime are not installed)")
        if "rtmlib_ms_1" not in speeds:
            found.left_out.append("rtmlib (it is not installed)")
    if "evaluation" in options.sections:
        found.figures["evaluation_s"] = evaluation_seconds(
            images=options.images, clock=options.clock
        )


def measured_people(options: WholeBodyOptions, found: Findings) -> None:
    """Measure heads and the shipped network on the studio's people."""
    wanted = [name for name in ("heads", "shipped") if name in options.sections]
    there = {"heads": options.heads.is_dir(), "shipped": options.shipped.is_dir()}
    found.left_out += [name for name in wanted if not there[name]]
    if not any(there[name] for name in wanted):
        return
    people: KeypointPeople = studio_people_of(options.data, options.split, options.pictures)
    found.figures |= {"people": len(people), "hidden_share": people.hidden_share}
    if "heads" in wanted and there["heads"]:
        found.figures |= heads_beside_each_other(options.heads, people, options.picture)
    if "shipped" in wanted and there["shipped"]:
        network = PoseViTKeypoints.from_pretrained(options.shipped)
        scores = scores_of_head(network, maps_of(network, people), people)
        found.figures |= {f"shipped_{name}": value for name, value in scores.items()}


def measured_results(options: WholeBodyOptions) -> dict[str, object]:
    """Return the precision of a file of results, by the rules of its keypoints' data set."""
    assert options.truth is not None and options.results is not None  # noqa: PT018
    wanted = keypoint_set(options.keypoints)
    truth = read_truth(options.truth, wanted)
    found = read_detections(options.results, wanted)
    if len(wanted) == 133:
        runs = evaluate_whole_body(truth.people, found, wanted.sigmas)
        hands = np.mean([runs["lefthand"].ap, runs["righthand"].ap])
        rows = [(part, said.ap, said.ar) for part, said in runs.items()]
        print_table("results", ("part", "AP", "AR"), [*rows, ("hands, mean", float(hands), "")])
        return {
            f"{part}_{name}": v for part, said in runs.items() for name, v in asdict(said).items()
        }
    if truth.crowd_index:
        said, classes = evaluate_crowds(truth.people, found, wanted.sigmas, truth.crowd_index)
        return {**asdict(said), **{f"ap_{name}": value for name, value in classes.items()}}
    return dict(asdict(evaluate_keypoints(truth.people, found, wanted.sigmas)))


def main(options: WholeBodyOptions) -> None:
    """Measure whole-body keypoints."""
    found = Findings()
    measured_networks(options, found)
    measured_people(options, found)
    if "photos" in options.sections:
        if options.photos.is_dir() and options.shipped.is_dir():
            found.figures |= photo_figures(options.photos, options.shipped)
        else:
            found.left_out.append("photos")
    if options.truth is not None and "results" in options.sections:
        found.figures |= measured_results(options)
    print_result(found.figures | {"left_out": found.left_out}, as_json=options.json)


if __name__ == "__main__":
    run(main, WholeBodyOptions)
