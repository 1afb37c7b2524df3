"""Pictures of a trainable loss: energies as colours, inference as a film strip, curves.

Poses are seen from the side of the camera (left) and turned by a right angle (right), since what a
lifter gets wrong is the depth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor, nn

from unipose.files.atomic import written_whole
from unipose.lifting.gradient_inference import energy_of_joints, follow_energy
from unipose.lifting.lifting_data import LiftingData
from unipose.lifting.lifting_scores import lift_all, pose_scores
from unipose.lifting.trainable_loss import TrainableLoss

PAPER, INK, TRUE, FAINT = (250, 249, 246), (40, 44, 52), (150, 185, 150), (205, 203, 196)
LINES = ((43, 108, 176), (214, 110, 40), (90, 150, 80), (140, 90, 170), (180, 60, 80), (90, 90, 90))
TILE, SCALE = 220, 100
"""Pixels: of a pose's square, and per metre."""
SMOOTH = 3


def draw_lifting(
    folder: Path,
    data: LiftingData,
    lifters: Mapping[str, tuple[nn.Module, TrainableLoss]],
    gbi: Mapping[str, Mapping[str, Sequence[float]]],
    logs: Mapping[str, Path],
) -> None:
    """Write energy.png and path.png of each lifter, and curves of inference and of training."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (net, seal) in lifters.items():
        _save(folder / f"{name}.energy.png", energy_sheet(data, net, seal))
        _save(folder / f"{name}.path.png", path_strip(data, net, seal))
    for name, curves in gbi.items():
        panels = {of: {name: list(values)} for of, values in curves.items()}
        _save(folder / f"{name}.gbi.png", curve_sheet(panels, across="step of inference"))
    read = {
        name: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for name, path in logs.items()
    }
    for net in dict.fromkeys(name.split(".")[0] for name in read):
        own = {name: rows for name, rows in read.items() if name.split(".")[0] == net}
        panels = {
            figure: {
                name: [row[figure] for row in rows if figure in row] for name, rows in own.items()
            }
            for figure in ("mpjpe_mm", "p_mpjpe_mm", "lse", "bsle", "energy_said", "energy_truth")
        }
        _save(folder / f"{net}.training.png", curve_sheet(panels, across="check on validation"))


def energy_sheet(
    data: LiftingData, net: nn.Module, seal: TrainableLoss, *, poses: int = 6
) -> UInt8[np.ndarray, "height width 3"]:
    """Return poses from the best to the worst lifted, joints as red as the energy's slope there."""
    some, said = _spread_over_errors(data, net, poses)
    heat = energy_of_joints(seal.energy, data.seen[some], said)
    with torch.no_grad():
        energies = seal.energy(data.seen[some], said)
        true = seal.energy(data.seen[some], data.truth[some])
    heat = (heat / heat.quantile(0.98)).clamp(0, 1)
    error = pose_scores(said, data.truth[some], data.keypoint_set)["mpjpe_mm"]
    tiles = [
        _pose_tile(
            said[i], data.truth[some[i]], data, heat[i],
            f"{error[i]:.0f} mm  E {energies[i]:+.3f}, true {true[i]:+.3f}",
        )
        for i in range(len(some))
    ]  # fmt: skip
    return np.concatenate([np.concatenate(tiles[i : i + 3], 1) for i in range(0, len(tiles), 3)])


def path_strip(
    data: LiftingData, net: nn.Module, seal: TrainableLoss, *, poses: int = 2
) -> UInt8[np.ndarray, "height width 3"]:
    """Return poses before the gradient is followed, and on their way, the truth beneath."""
    some, said = _spread_over_errors(data, net, 2 * poses)
    some, said = some[poses:], said[poses:]  # the worse half
    path = follow_energy(seal.energy, data.seen[some], said, steps=200)
    rows = []
    for i in range(len(some)):
        tiles = []
        for step in (0, 50, 200):
            error = pose_scores(path[step], data.truth[some], data.keypoint_set)
            text = f"step {step}: P {error['p_mpjpe_mm'][i]:.0f} mm, LSE {error['lse'][i]:.1f}"
            tiles.append(_pose_tile(path[step, i], data.truth[some[i]], data, None, text))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def _spread_over_errors(
    data: LiftingData, net: nn.Module, count: int
) -> tuple[Tensor, Float[Tensor, "pose joint 3"]]:
    """Return frames whose errors are spread from small to large, and what is said of them."""
    said = lift_all(net, data)
    order = (said - data.truth).norm(dim=-1).mean(1).argsort()
    at = torch.linspace(0.02, 0.98, count) * (len(order) - 1)
    some = order[at.long()]
    return some, said[some]


def _pose_tile(
    said: Float[Tensor, "joint 3"],
    truth: Float[Tensor, "joint 3"],
    data: LiftingData,
    heat: Float[Tensor, " joint"] | None,
    text: str,
) -> UInt8[np.ndarray, "height width 3"]:
    size = TILE * SMOOTH
    picture = Image.new("RGB", (2 * size, size), PAPER)
    drawing = ImageDraw.Draw(picture)
    for side, across in ((0, 0), (1, 2)):
        middle = (truth.amin(0) + truth.amax(0)) / 2
        for joints, colour, width in ((truth, TRUE, 4), (said, INK, 2)):
            flat = (joints - middle)[:, [across, 1]] * SCALE * SMOOTH
            flat = flat + torch.tensor([size * (side + 0.5), size * 0.53])
            for a, b in data.keypoint_set.edges:
                ends = [tuple(flat[a].tolist()), tuple(flat[b].tolist())]
                drawing.line(ends, fill=colour, width=width * SMOOTH)
            if heat is not None and colour is INK:
                for (x, y), warm in zip(flat.tolist(), heat.tolist(), strict=True):
                    reach = (2.5 + 4 * warm) * SMOOTH
                    fill = (round(60 + 180 * warm), round(140 - 90 * warm), round(230 - 190 * warm))
                    drawing.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)
    small = picture.resize((2 * TILE, TILE), Image.Resampling.BOX)
    writing = ImageDraw.Draw(small)
    writing.text((8, 6), text, fill=INK)
    writing.text((8, TILE - 16), "as the camera sees it", fill=(120, 120, 120))
    writing.text((TILE + 8, TILE - 16), "from the side", fill=(120, 120, 120))
    return np.asarray(small)


def curve_sheet(
    panels: Mapping[str, Mapping[str, Sequence[float]]], *, across: str
) -> UInt8[np.ndarray, "height width 3"]:
    """Return one small diagram for each figure, with a line for each name; empty ones left out."""
    drawn = [
        _diagram(figure, lines, across)
        for figure, lines in panels.items()
        if any(len(values) > 1 for values in lines.values())
    ]
    while len(drawn) % 3:
        drawn.append(np.full_like(drawn[0], PAPER))
    return np.concatenate([np.concatenate(drawn[i : i + 3], 1) for i in range(0, len(drawn), 3)])


def _diagram(
    figure: str, lines: Mapping[str, Sequence[float]], across: str
) -> UInt8[np.ndarray, "height width 3"]:
    width, height, left, top = 330, 210, 52, 40
    picture = Image.new("RGB", (width * 2, height * 2), PAPER)
    drawing = ImageDraw.Draw(picture)
    values = [value for line in lines.values() for value in line]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    frame = [left * 2, top * 2, (width - 12) * 2, (height - 30) * 2]
    drawing.rectangle(frame, outline=FAINT, width=2)
    for colour, line in zip(LINES, lines.values()):
        points = [
            (
                frame[0] + (frame[2] - frame[0]) * i / max(1, len(line) - 1),
                frame[3] - (frame[3] - frame[1]) * (value - low) / span,
            )
            for i, value in enumerate(line)
        ]
        if len(points) > 1:
            drawing.line(points, fill=colour, width=4, joint="curve")
    small = picture.resize((width, height), Image.Resampling.BOX)
    writing = ImageDraw.Draw(small)
    writing.text((8, 4), figure, fill=INK)
    for number, (colour, name) in enumerate(zip(LINES, lines)):
        writing.text((8 + 105 * number, 20), name, fill=colour)
    writing.text((4, top - 4), f"{high:.4g}", fill=INK)
    writing.text((4, height - 42), f"{low:.4g}", fill=INK)
    writing.text((left, height - 22), across, fill=(120, 120, 120))
    return np.asarray(small)


def _save(path: Path, pixels: UInt8[np.ndarray, "height width 3"]) -> None:
    with written_whole(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="png")
