"""How well are poses read off pictures nobody trained on? Joint errors beside the mean pose's.

Pictures are the studio's, taken of the recordings of a split with a seed of their own, or those of
a folder that `python -m data_builders.imagescript` wrote (`--pictures FOLDER`). Whoever is asked is
given a picture and the box of one person: the language model (`UniPose.estimate`), a mesh recovery
network (`--network FOLDER`), or both. `--eyes photo` lets the language model see by the networks
for photographs, `--eyes auto` by whichever eyes agree with the keypoints.

Errors are means over people in millimetres, pelvis on pelvis, over SMPL's first 22 joints (all
vertices for MPVPE), in the axes of who looks at the person. The truth has the person's own shape;
an answer has the shape it says, or the mean one. An answer that is no pose counts as the training's
mean pose, and `failed` says how many there were. Run as `python -m eval.estimation --data FOLDER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.studio import Motions, Studio, StudioConfig
from eval.pictures import SeenPerson, built_people, mean_rotations, studio_people
from eval.program import ModelOptions, print_result, print_table, run, track
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import BlindModelError, ConfigError, PoseParseError
from unipose.metrics import mpjpe, mpvpe, pa_mpjpe, root_aligned
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery import MeshRecoveryNetwork
from unipose.vision.mesh_recovery_protocol import MeshRecovery, recover_meshes

HELD_OUT_STUDIO = 7_000_000
"""Seeds of the studio from here on are no training's."""
OTHER_STUDIO = 8_000_000
"""Of the pictures of training recordings whose mean pose is the baseline."""
ROWS = 64


@runtime_checkable
class Estimator(Protocol):
    """Who is asked for the pose of one person in a picture."""

    def estimate(self, image: np.ndarray, *, box: tuple[float, float, float, float]) -> Pose:
        """Return one pose, as whoever looks at the crop sees it; PoseParseError if it is none."""
        ...


class NetworkEstimator:
    """Any mesh recovery network, asked as an assistant is."""

    def __init__(self, network: MeshRecovery) -> None:
        self.network = network

    def estimate(self, image: np.ndarray, *, box: tuple[float, float, float, float]) -> Pose:
        """Return what the network says of the person in the box, its shape too."""
        crops = Crops.around(torch.tensor([box], dtype=torch.float32))
        return recover_meshes(self.network, torch.from_numpy(np.array(image)), crops).pose()


@dataclass(frozen=True, kw_only=True)
class EstimationOptions(ModelOptions):
    """Options of eval.estimation."""

    data: Path = Path()
    """Folder with a manifest.csv and the recordings that the studio's people move by."""
    model: Path | None = None
    """Folder of a language model that sees; with neither this nor a network the embedded one."""
    network: Path | None = None
    """Folder of a mesh recovery network."""
    pictures: Path | None = None
    """Folder of a built ImageScript; without it the studio takes the pictures."""
    people: int = 300
    """How many people are looked at."""
    mean_of: int = 300
    """How many people of the training split the mean pose is taken of."""
    side_px: int = 256
    """Height and width of the studio's pictures."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pictures is None and self.data == Path():
            raise ConfigError("name a folder of recordings (--data) or of pictures (--pictures)")
        if min(self.people, self.mean_of) < 1:
            raise ConfigError("at least one of --people and of --mean-of is needed")


def held_out_people(options: EstimationOptions, body: Body) -> list[SeenPerson]:
    """Return the people in the pictures that the options ask for."""
    if options.pictures is not None:
        return built_people(
            options.pictures, body, split=options.split, count=options.people, seed=options.seed
        )
    return studio_people(_studio(options, body, options.split, HELD_OUT_STUDIO), options.people)


def training_mean(options: EstimationOptions, body: Body) -> Float[Tensor, "24 3 3"]:
    """Return the mean pose of people in pictures of the training split, as they are seen."""
    if options.pictures is not None:
        people = built_people(
            options.pictures, body, split="train", count=options.mean_of,
            seed=options.seed, pixels=False,
        )  # fmt: skip
    else:
        people = studio_people(_studio(options, body, "train", OTHER_STUDIO), options.mean_of)
    return mean_rotations(torch.stack([person.rotations for person in people]))


def _studio(options: EstimationOptions, body: Body, split: str, seeds: int) -> Studio:
    """Return the studio of a split: poses as they were recorded, none mixed."""
    motions = Motions.read(
        options.data, "" if split == "all" else split, fps=10.0, only=options.only
    )
    if not motions.takes:
        raise ConfigError(f"no recording is left in split {split!r} with --only {options.only!r}")
    config = StudioConfig(
        seed=seeds + options.seed, mixed=0.0, height_px=options.side_px, width_px=options.side_px
    )
    return Studio(config, motions, body)


def estimate_all(
    estimator: Estimator, people: list[SeenPerson], description: str
) -> list[Pose | None]:
    """Return what is answered for each person; None where the answer is no pose."""
    found: list[Pose | None] = []
    for person in track(people, description):
        assert person.pixels is not None
        try:
            found.append(estimator.estimate(person.pixels, box=person.box))
        except PoseParseError:
            found.append(None)
    return found


def errors_mm(
    answers: list[Pose | None],
    people: list[SeenPerson],
    mean: Float[Tensor, "24 3 3"],
    body: Body,
) -> dict[str, float | int]:
    """Return the mean errors of the answers (millimetres) and how many were no pose."""
    poses_or_mean = [Pose(rotations=mean[None]) if answer is None else answer for answer in answers]
    rows: dict[str, list[Tensor]] = {"mpjpe_mm": [], "pa_mpjpe_mm": [], "mpvpe_mm": []}
    for start in range(0, len(people), ROWS):
        some = people[start : start + ROWS]
        truth = _mesh(body, [p.rotations for p in some], [p.betas for p in some])
        said = poses_or_mean[start : start + ROWS]
        answer = _mesh(body, [p.rotations[0] for p in said], [_shape(p, body) for p in said])
        joints = answer[0][:, :POSED_JOINTS], truth[0][:, :POSED_JOINTS]
        rows["mpjpe_mm"].append(mpjpe(*joints))
        rows["pa_mpjpe_mm"].append(pa_mpjpe(*joints))
        rows["mpvpe_mm"].append(mpvpe(answer[1], truth[1]))
    found: dict[str, float | int] = {
        name: float(torch.cat(some).mean() * 1000) for name, some in rows.items()
    }
    return found | {"failed": sum(answer is None for answer in answers)}


def _shape(pose: Pose, body: Body) -> Tensor | None:
    return None if pose.betas is None or pose.body != body.id else pose.betas[0]


def _mesh(
    body: Body, rotations: list[Tensor], betas: list[Tensor | None]
) -> tuple[Float[Tensor, "pose 24 3"], Float[Tensor, "pose vertex 3"]]:
    """Return joints and vertices (metres) from the pelvis; the mean shape where none is known."""
    shapes = torch.stack([torch.zeros(10) if some is None else some for some in betas])
    with torch.no_grad():
        mesh = body(torch.stack(rotations).float(), shapes)
    return root_aligned(mesh.joints), mesh.vertices - mesh.joints[:, :1]


def measure(options: EstimationOptions) -> dict[str, object]:
    """Return the errors of each who was asked, and those of the mean pose.

    Raises BlindModelError if the language model has no eyes.
    """
    body = load_body()
    asked: dict[str, Estimator] = {}
    if options.model is not None or options.network is None:
        asked["model"] = options.load_assistant()
    if options.network is not None:
        asked["network"] = NetworkEstimator(MeshRecoveryNetwork.from_pretrained(options.network))
    return score(asked, options, body)


def score(asked: dict[str, Estimator], options: EstimationOptions, body: Body) -> dict[str, object]:
    """Return `measure`'s figures for anybody who can be asked, the first one's on top."""
    for estimator in asked.values():
        if isinstance(estimator, UniPose) and estimator.model.eyes is None:
            raise BlindModelError()
    people, mean = held_out_people(options, body), training_mean(options, body)
    by: dict[str, dict[str, float | int]] = {
        name: errors_mm(estimate_all(one, people, f"asking the {name}"), people, mean, body)
        for name, one in asked.items()
    }
    baseline = errors_mm([Pose(rotations=mean[None])] * len(people), people, mean, body)
    first = next(iter(by))
    result: dict[str, object] = {
        name: by[first][name] for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm", "failed")
    }
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm"):
        result[f"mean_pose_{name}"] = baseline[name]
    pictures = "studio" if options.pictures is None else options.pictures.name
    result |= {"asked": first, "people": len(people), "pictures": pictures}
    return result | {"split": options.split, "seed": options.seed, "by": by}


def main(options: EstimationOptions) -> None:
    """Estimate poses from held-out pictures and measure how far off they are."""
    result = measure(options)
    by = result["by"]
    assert isinstance(by, dict)
    rows = [(name, *(found[key] for key in FIGURES), found["failed"]) for name, found in by.items()]
    rows.append(("mean pose", *(result[f"mean_pose_{key}"] for key in FIGURES), ""))
    if not options.json:
        print_table(
            f"Poses from pictures ({result['people']} people, {result['pictures']}, split "
            f"{options.split!r}; mm)",
            ["", "MPJPE", "PA-MPJPE", "MPVPE", "failed"],
            rows,
        )
    print_result(result, as_json=options.json)


FIGURES = ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm")


if __name__ == "__main__":
    run(main, EstimationOptions)
