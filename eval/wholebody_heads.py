"""Heads of keypoint networks beside each other, and what the intervention of one of them does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from data_builders.studio.labels import HIDDEN, SEEN
from eval.keypoint_people import KeypointPeople
from eval.program import print_table
from unipose.body.keypoints import Keypoints
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole
from unipose.vision.pose_vit_keypoints import PoseViTKeypoints
from unipose.wholebody.keypoint_head import KeypointLogits
from unipose.wholebody.network import normalised_crops
from unipose.wholebody.simcc import decode_simcc

BATCH = 64
BODY_PARTS = {
    "head": [*range(5), *range(23, 91)], "torso": [5, 6, 11, 12], "arms": [7, 8, 9, 10],
    "hands": list(range(91, 133)), "legs": [13, 14, 15, 16], "feet": list(range(17, 23)),
}  # fmt: skip
"""As the paper's Table 7 divides the 133 keypoints."""
COMMON = ("body_ap", "body_ar", "near_seen", "near_hidden", "ap", "ar")
"""Figures that every head has, in the table."""
PLOT_PX, BARS = (640, 260), 40


@torch.inference_mode()
def maps_of(network: PoseViTKeypoints, people: KeypointPeople) -> Float[Tensor, "p c row column"]:
    """Return the backbone's maps, which all heads look at."""
    parts = [people.crops[i : i + BATCH] for i in range(0, len(people), BATCH)]
    return torch.cat([network.features(normalised_crops(part)) for part in parts])


@torch.inference_mode()
def said_of(
    network: PoseViTKeypoints, maps: Float[Tensor, "p c row column"]
) -> list[KeypointLogits]:
    """Return a head's logits, in batches."""
    return [network.head(part) for part in maps.split(BATCH)]


def scores_of_head(
    network: PoseViTKeypoints,
    maps: Float[Tensor, "p c row column"],
    people: KeypointPeople,
    picture: Path | None = None,
) -> dict[str, float]:
    """Return the figures of a head on people whose maps are known (`KeypointPeople.scores`).

    With an intervention also what it does (`intervention_figures`), drawn into `picture`.
    """
    said = said_of(network, maps)
    decoded = [decode_simcc(one.x, one.y) for one in said]
    places, scores = (torch.cat(some) for some in zip(*decoded, strict=True))
    keypoint_set = network.config.keypoint_set
    figures = people.scores(Keypoints.of(keypoint_set, places, scores, present=scores > 0))
    return figures | intervention_figures(said, people, picture)


def heads_beside_each_other(
    folder: Path, people: KeypointPeople, picture: Path | None = None
) -> dict[str, object]:
    """Return for each kind of head mean and spread (standard deviation) over its seeds.

    `folder` holds KIND-SEED/model. Raises ConfigError if it holds none.
    """
    scores: dict[str, list[dict[str, float]]] = {}
    maps = None
    for model in sorted(folder.glob("*-*/model")):
        network = PoseViTKeypoints.from_pretrained(model)
        maps = maps_of(network, people) if maps is None else maps
        kind = model.parent.name.rpartition("-")[0]
        scores.setdefault(kind, []).append(scores_of_head(network, maps, people, picture))
    if not scores:
        raise ConfigError(f"{folder} holds no heads; train.wholebody_heads --preset compare does")
    figures: dict[str, object] = {}
    told = [name for name in next(iter(scores.values()))[0] if name in COMMON]
    rows = []
    for kind, some in scores.items():
        row: list[str | float] = [kind, float(len(some))]
        for name in some[0]:
            values = [one[name] for one in some]
            mean, spread = float(np.mean(values)), float(np.std(values, ddof=len(values) > 1))
            figures |= {f"{kind}_{name}": mean, f"{kind}_{name}_spread": spread}
            if name in told:
                row.append(f"{100 * mean:.2f} ± {100 * spread:.2f}")
        rows.append(row)
    print_table("heads, per cent", ("head", "seeds", *told), rows)
    return figures


def intervention_figures(
    said: Sequence[KeypointLogits], people: KeypointPeople, picture: Path | None
) -> dict[str, float]:
    """Return how often parts are replaced, and scores of seen and hidden keypoints.

    `replaced_PART`: of a part's keypoints, how often each is the one that is replaced (per cent; by
    chance 100 over their number). `score_seen`, `score_hidden`: medians of the confounder scores of
    keypoints inside the picture; `score_tells`: how often a hidden keypoint of a person scores
    higher than a seen one of the same person (0.5 is chance). `picture`: where both distributions
    are drawn. Nothing, where a head has no intervention.
    """
    kept = [(one.scores, one.replaced) for one in said]
    if any(scores is None for scores, _ in kept):
        return {}
    scores = torch.cat([scores for scores, _ in kept if scores is not None]).numpy()
    replaced = torch.cat([some for _, some in kept if some is not None]).numpy()
    marks = people.marks[:, : scores.shape[1]]
    figures: dict[str, float] = {}
    for part, columns in BODY_PARTS.items():
        there = [column for column in columns if column < scores.shape[1]]
        if there:
            figures[f"replaced_{part}"] = 100 * float(replaced[:, there].mean())
    groups = {name: scores[marks == mark] for name, mark in (("seen", SEEN), ("hidden", HIDDEN))}
    for name, some in groups.items():
        figures[f"score_{name}"] = float(np.median(some))
        figures[f"score_{name}_range"] = float(np.subtract(*np.percentile(some, (75, 25))))
    figures["score_tells"] = _tells(scores, marks)
    if picture is not None:
        draw_scores(groups, picture)
    return figures


def _tells(scores: np.ndarray, marks: np.ndarray) -> float:
    """Return how often a hidden keypoint of somebody scores higher than a seen one of theirs."""
    shares = []
    for row, mark in zip(scores, marks, strict=True):
        hidden, seen = row[mark == HIDDEN], row[mark == SEEN]
        if len(hidden) and len(seen):
            shares.append((hidden[:, None] > seen).mean())
    return float(np.mean(shares))


def draw_scores(groups: dict[str, np.ndarray], out: Path) -> None:
    """Draw how often each score occurs, of seen keypoints upwards, of hidden ones downwards."""
    width, height = PLOT_PX
    low, high = np.percentile(np.concatenate([*groups.values()]), (0.5, 99.5))
    edges = np.linspace(low, high, BARS + 1)
    picture = Image.new("RGB", PLOT_PX, "white")
    drawing = ImageDraw.Draw(picture)
    middle, reach = height // 2, height // 2 - 34
    step = (width - 40) / BARS
    for (name, some), sign, colour in zip(
        groups.items(), (-1, 1), ((60, 140, 240), (245, 120, 50)), strict=True
    ):
        counts = np.histogram(some.clip(low, high), edges)[0]
        for i, share in enumerate(counts / max(1, counts.max())):
            ends = sorted((middle, middle + sign * int(reach * share)))
            left = 20 + i * step
            drawing.rectangle((left, ends[0], left + step - 2, ends[1]), fill=colour)
        at = 20 + (float(np.median(some)) - low) / (high - low) * (width - 40)
        drawing.line((at, middle, at, middle + sign * (reach + 10)), fill=colour, width=2)
        told = f"{name} keypoints, median {np.median(some):.3f}"
        drawing.text((24, 4 if sign < 0 else height - 30), told, fill=colour)
    drawing.text((20, height - 15), f"confounder score {low:.3f}", fill="black")
    drawing.text((width - 60, height - 15), f"{high:.3f}", fill="black")
    with written_whole(out) as temporary:
        picture.save(temporary)
