"""A picture of what contacts did: before and after, over the photo and from the side."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.people import ImagePeople
from unipose.contact.assignments import assign
from unipose.contact.contact_votes import ContactVotes
from unipose.contact.optimiser import SceneOptimiser
from unipose.contact.refining import ContactRefiner, RefinedScene
from unipose.contact.region_points import NONE
from unipose.contact.scene_batch import SceneBatch
from unipose.render.drawing import PAPER, side_by_side
from unipose.render.overlay import draw_bodies
from unipose.render.shading import PEOPLE, TOUCHING, linear

HEIGHT_PX = 420
FIELD_OF_VIEW = math.radians(30)


def draw_refined(
    refined: RefinedScene, refiner: ContactRefiner, pixels: UInt8[np.ndarray, "_ _ 3"] | None
) -> UInt8[np.ndarray, "height width 3"]:
    """Return four panels: before and after over the photo (or from the front), then from the side.

    Regions that are said to touch are red; of two sides those that ended up nearer.
    """
    body = refiner.body
    colours = touching_colours(refined, refiner)
    panels: list[np.ndarray] = []
    titles = []
    for name, scene in (("before", refined.before), ("after", refined.after)):
        over = pixels
        camera = scene.people[0].camera
        if over is None or camera is None:
            over, camera = _blank(), _camera(refined.before, body, azimuth=0.0)
        drawn = draw_bodies(over, scene.people, body, colours=colours, camera=camera)
        panels.append(_scaled(drawn))
        titles.append(name)
    for name, scene in (("before", refined.before), ("after", refined.after)):
        camera = _camera(scene, body, azimuth=90.0)
        panels.append(draw_bodies(_blank(), scene.people, body, colours=colours, camera=camera))
        titles.append(f"{name}, from the side")
    return side_by_side(panels, titles)


def touching_colours(
    refined: RefinedScene, refiner: ContactRefiner
) -> list[Float[Tensor, "vertex 3"]]:
    """Return each person's colours, with the regions that are said to touch in red."""
    people = len(refined.after.people)
    vertices = len(refiner.body.template)
    colours = [linear(PEOPLE[i]).repeat(vertices, 1) for i in range(people)]
    said = refiner.believed(refined.votes)
    if refined.fell_back or not said.votes:
        return colours
    optimiser: SceneOptimiser = refiner.optimiser(people)
    batch = SceneBatch.of([refined.after], refiner.body).to(refiner.body.template.device)
    for pair in said.votes:
        one = ContactVotes(people=people, samples=((pair,),))
        wanted = assign([one], refiner.vocabularies[people]).wanted
        matrix = optimiser.distances(batch, wanted.to(batch.turns.device))[0].cpu()
        a, b = divmod(int(matrix.argmin()), matrix.shape[1])
        if a == NONE or not torch.isfinite(matrix[a, b]):
            continue
        for person, region in ((0, a), (people - 1, b)):
            colours[person][optimiser.points.masks[region]] = linear(TOUCHING)
    return colours


def _camera(scene: ImagePeople, body: Body, *, azimuth: float) -> Camera:
    """Return a camera around the people that has all of them in the picture."""
    points = []
    for person in scene.people:
        assert person.pose is not None
        points.append(body.mesh(person.pose).vertices[0])
    cloud = torch.cat(points)
    middle = (cloud.amax(0) + cloud.amin(0)) / 2
    angle = math.radians(azimuth)
    towards = torch.tensor([math.sin(angle), 0.15, math.cos(angle)])
    radius = float((cloud - middle).norm(dim=1).max())
    place = middle + towards * (radius / math.sin(FIELD_OF_VIEW / 2))
    return Camera.look_at(place, middle, field_of_view=FIELD_OF_VIEW)


def _blank() -> UInt8[np.ndarray, "height width 3"]:
    return np.full((HEIGHT_PX, HEIGHT_PX, 3), PAPER, dtype=np.uint8)


def _scaled(pixels: UInt8[np.ndarray, "_ _ 3"]) -> UInt8[np.ndarray, "height width 3"]:
    width = max(1, round(pixels.shape[1] * HEIGHT_PX / pixels.shape[0]))
    return np.asarray(Image.fromarray(pixels).resize((width, HEIGHT_PX)))
