"""The motion dictionary: known actions as points of the space, exemplars and anchors.

An exemplar lends its root's turns to the motion that is compared with its label, so that only the
local poses are pulled (semantics-aware adaptation, section 4.1). Of actions that were never
recorded it is the exemplar of the nearest recorded one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor

from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.errors import FileError, MissingFileError, PoseQueryError
from unipose.files.checkpoints import read_checkpoint
from unipose.files.json_table import read_json_value

LABELS, POINTS = "dictionary.json", "dictionary.safetensors"
LARGEST_BYTES = 1 << 26


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionDictionary:
    """Labels and what the space knows of them."""

    labels: tuple[str, ...]
    points: Float[Tensor, "label feature"]
    """Unit vectors of the labels' texts."""
    recorded: tuple[str, ...]
    """Labels of which a motion was recorded."""
    roots: Float[Tensor, "recorded frame 3 3"]
    """The root's turns in the exemplar of each of them."""
    exemplar: Int[Tensor, " label"]
    """Which of `recorded` lends its root to each label."""
    anchors: Float[Tensor, "anchor feature"]
    """Middles of clusters of recorded motions: directions for films without labels."""
    anchor_roots: Float[Tensor, "anchor frame 3 3"]
    fill_threshold: float = 0.75
    """Cosine from which a motion counts as its action in this space (MotionCLIP's: 0.75)."""

    def __len__(self) -> int:
        return len(self.labels)

    def index(self, label: str) -> int:
        """Return a label's position; PoseQueryError, with like ones, for an unknown label."""
        try:
            return self.labels.index(label)
        except ValueError:
            like = [known for known in self.labels if set(label.split()) & set(known.split())]
            hint = f" (like it: {', '.join(like[:5])})" if like else ""
            raise PoseQueryError(
                f"the motion dictionary has no label {label!r}{hint}; `unipose adapt --help` says "
                "how labels are found"
            ) from None

    def save(self, folder: Path) -> None:
        """Write the dictionary beside its model, in half precision."""
        folder.mkdir(parents=True, exist_ok=True)
        text = {
            "fill_threshold": self.fill_threshold, "recorded": self.recorded, "labels": self.labels,
        }  # fmt: skip
        (folder / LABELS).write_text(json.dumps(text, indent=0) + "\n")
        tensors = {
            "points": self.points, "roots": rotations_to_6d(self.roots),
            "anchors": self.anchors, "anchor_roots": rotations_to_6d(self.anchor_roots),
        }  # fmt: skip
        halves = {name: value.half().contiguous() for name, value in tensors.items()}
        save_file(halves | {"exemplar": self.exemplar.short().contiguous()}, folder / POINTS)

    @classmethod
    def load(cls, folder: str | Path) -> MotionDictionary:
        """Read what `save` wrote. Raises MissingFileError or FileError."""
        folder = Path(folder)
        if not (folder / LABELS).is_file():
            raise MissingFileError(folder / LABELS, "the motion-text model has no dictionary.")
        words = read_json_value(folder / LABELS, largest_bytes=LARGEST_BYTES)
        found = read_checkpoint(folder / POINTS)
        try:
            return cls(
                labels=tuple(words["labels"]),
                recorded=tuple(words["recorded"]),
                points=torch.nn.functional.normalize(found["points"].float(), dim=1),
                roots=rotations_from_6d(found["roots"].float()),
                exemplar=found["exemplar"].long(),
                anchors=torch.nn.functional.normalize(found["anchors"].float(), dim=1),
                anchor_roots=rotations_from_6d(found["anchor_roots"].float()),
                fill_threshold=float(words["fill_threshold"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(folder, f"is no whole motion dictionary (it lacks {error}).") from error


def nearest(
    points: Float[Tensor, "point feature"], among: Float[Tensor, "other feature"]
) -> Int[Tensor, " point"]:
    """Return which of the others has the largest cosine with each point."""
    return (points @ among.mT).argmax(1)
