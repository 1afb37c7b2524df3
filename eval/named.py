"""Does everyday language give the pose it names? Held-out wordings of the named poses.

Each wording that no training has seen ("someone sits cross-legged") is generated from, and the pose
that comes is compared with all named poses: right is the named one nearest to it, by the mean
distance of the joints of poses that face the front, against the nearest of each name's variants
(and mirror images where the name allows them). `encoded` is what the pose tokenizer alone makes of
each name's centre, the ceiling; `chance` is one in the number of names, and `family` whether at
least its family is right. Run as `python -m eval.named`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from eval.program import print_result, print_table, run
from eval.truth import ask_for_poses
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.posecodes.named_poses import NamedPoses
from unipose.render.drawing import contact_sheet

FIGURES = ("named_top1", "family", "encoded", "chance")
SHOWN = 24
"""Poses of a picture."""


@dataclass(frozen=True, kw_only=True)
class NamedOptions:
    """Options of eval.named."""

    model: Path | None = None
    """Folder of a model; without it the embedded one."""
    wordings: Literal["train", "test"] = "test"
    """Those that training may see, or those that are only tested."""
    limit: int | None = None
    """At most so many wordings, evenly spread."""
    picture: Path | None = None
    """Draw some of the poses that were made, a PNG."""
    json: bool = False
    """Print one JSON object as the last line."""


class NearestName:
    """Says which named pose a pose is nearest to."""

    def __init__(self, named: NamedPoses) -> None:
        self.named, self.rest = named, load_body().rest_joints
        poses = [named.poses_and_mirrors(name) for name in named.names]
        self.owner = torch.repeat_interleave(
            torch.arange(len(poses)), torch.tensor([len(some) for some in poses])
        )
        self.joints = self._joints(torch.cat(poses))

    def __call__(self, rotations: Float[Tensor, "pose 22 3 3"]) -> Int[Tensor, " pose"]:
        """Return the number of each pose's nearest name."""
        joints = self._joints(rotations)
        apart = torch.stack([(self.joints - one).norm(dim=-1).mean(dim=-1) for one in joints])
        return self.owner[apart.argmin(dim=1)]

    def _joints(self, rotations: Float[Tensor, "pose 22 3 3"]) -> Float[Tensor, "pose 22 3"]:
        return forward_kinematics(face_front(rotations), self.rest)


def main(options: NamedOptions) -> None:
    """Generate poses from held-out wordings of named poses, and see which ones they are."""
    named = NamedPoses.load()
    nearest = NearestName(named)
    names = list(named.names)
    asked = [(i, said) for i, name in enumerate(names)
             for said in named.wordings(name, options.wordings)]  # fmt: skip
    if options.limit is not None:
        asked = asked[:: max(1, len(asked) // options.limit)]
    assistant = UniPose.load(options.model, eyes="own")
    poses, made = ask_for_poses(
        lambda rows: assistant.generate_batch([asked[i][1] for i in rows]), len(asked), "generating"
    )
    rotations = poses.rotations[:, :POSED_JOINTS]
    wanted = torch.tensor([i for i, _ in asked])
    found = nearest(rotations).where(torch.from_numpy(made), -1)
    families = [named.poses_by_name[name].family for name in names]
    pairs = zip(wanted.tolist(), found.tolist(), strict=True)
    same = [b >= 0 and families[a] == families[b] for a, b in pairs]
    centres = torch.cat([named.centre(name).rotations for name in names])
    maker = assistant.maker
    encoded = maker.pose(maker.codes(Pose.from_rotations(centres)))
    again = nearest(encoded.rotations[:, :POSED_JOINTS])
    result: dict[str, object] = {
        "named_top1": 100 * float((found == wanted).float().mean()),
        "family": 100 * sum(same) / len(same),
        "encoded": 100 * float((again == torch.arange(len(names))).float().mean()),
        "chance": 100 / len(names),
        "answers_that_were_no_pose": int((~made).sum()),
        "wordings": len(asked),
        "names": len(names),
    }
    if options.picture is not None:
        chosen = list(range(0, len(asked), max(1, len(asked) // SHOWN)))[:SHOWN]
        sheet = contact_sheet(
            Pose.from_rotations(rotations[chosen]), load_body(), columns=6, size=220,
            labels=[asked[i][1] for i in chosen], same_view=False,
        )  # fmt: skip
        Image.fromarray(sheet).save(options.picture)
    print_table(
        f"Named poses from {options.wordings} wordings ({len(asked)}; %)",
        ["", "share"],
        [
            (name, float(str(result[name])))
            for name in ("named_top1", "family", "encoded", "chance")
        ],
    )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, NamedOptions)
