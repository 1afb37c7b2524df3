"""One small picture of each kind that we draw; `python -m tests.render.golden_pictures` keeps them.

They are looked at when they are kept, and from then on compared with what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from unipose.app.examples import example_pose
from unipose.body.body import Body, load_body
from unipose.body.camera import Camera
from unipose.body.keypoint_points import keypoint_points
from unipose.body.keypoint_sets import keypoint_set
from unipose.body.keypoints import Keypoints
from unipose.body.people import PersonInImage
from unipose.body.pose import Pose
from unipose.body.regions import REGIONS, find_regions
from unipose.render.comparison import draw_comparison
from unipose.render.drawing import contact_sheet, draw_pose, draw_sequence
from unipose.render.overlay import draw_bodies
from unipose.render.shading import PEOPLE, TOUCHING, linear
from unipose.render.skeleton import draw_keypoints
from unipose.render.turntable import draw_turntable

FOLDER = Path(__file__).parent / "golden"
SIZE = 144


def lit_room() -> np.ndarray:
    """Return something that stands for a photo: a wall and a floor."""
    wall = np.linspace((150, 132, 118), (196, 182, 168), 110)
    floor = np.linspace((92, 84, 78), (126, 116, 108), 50)
    rows = np.concatenate([wall, floor]).astype(np.uint8)
    return np.repeat(rows[:, None], 200, axis=1)


def people(body: Body) -> list[PersonInImage]:
    """Return two people before a camera, the hand of one near the other."""
    camera = Camera.look_at(
        torch.zeros(3), torch.tensor([0.0, 0.0, -1.0]), field_of_view=math.radians(40)
    )
    found = []
    for x, name in ((-0.45, "wave"), (0.4, "step")):
        pose = example_pose(name)
        place = torch.tensor([[x, -0.95, -3.4]])
        found.append(
            PersonInImage(pose=Pose(rotations=pose.rotations, translation=place), camera=camera)
        )
    return found


def touching(body: Body) -> np.ndarray:
    regions = find_regions(body)
    colours = []
    for number, name in ((0, "left hand"), (1, "right upper arm")):
        own = linear(PEOPLE[number]).repeat(len(body.template), 1)
        own[regions.of_vertex == REGIONS.index(name)] = linear(TOUCHING)
        colours.append(own)
    return draw_bodies(lit_room(), people(body), body, colours=colours, opacity=1.0)


def moving(body: Body) -> np.ndarray:
    start, end = example_pose("stand").axis_angle, example_pose("step").axis_angle
    turns = torch.cat([start + (end - start) * share for share in (0.0, 0.5, 1.0)])
    places = torch.tensor([[0.0, 0.0, 0.3 * i] for i in range(3)])
    walk = Pose.from_axis_angle(turns, translation=places, fps=10.0)
    return list(draw_sequence(walk, body, size=SIZE))[2]


def keypoints(body: Body) -> np.ndarray:
    (person, _) = people(body)
    assert person.pose is not None
    assert person.camera is not None
    names = keypoint_set("coco17")
    with torch.no_grad():
        mesh = body.mesh(person.pose)
    points = keypoint_points(body, names).places(mesh.joints, mesh.vertices)
    pixels = person.camera.project(points, height_px=160, width_px=200)
    return draw_keypoints(lit_room(), [Keypoints.of(names, pixels)])


KINDS: dict[str, Callable[[Body], np.ndarray]] = {
    "pose": lambda body: draw_pose(example_pose("balance"), body, size=SIZE),
    "sheet": lambda body: contact_sheet(
        Pose(rotations=torch.cat([example_pose(n).rotations for n in ("sit", "squat", "reach")])),
        body,
        size=SIZE // 2,
        labels=["sit", "squat", "reach"],
    ),
    "comparison": lambda body: draw_comparison(
        example_pose("stand"), example_pose("wave"), body, size=SIZE
    ),
    "turntable": lambda body: list(draw_turntable(example_pose("wave"), body, frames=4, size=SIZE))[
        1
    ],
    "sequence": moving,
    "overlay": lambda body: draw_bodies(lit_room(), people(body), body),
    "touching": touching,
    "keypoints": keypoints,
}


def main() -> None:
    """Draw all pictures into the folder of golden ones."""
    FOLDER.mkdir(exist_ok=True)
    body = load_body()
    for name, draw in KINDS.items():
        Image.fromarray(draw(body)).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
