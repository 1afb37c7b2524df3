"""Does a pose hold what its entry says? Measured by the posecodes and on the whole skin."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from data_builders.named_poses.body_contacts import BodyBalls, carrier_vertices, touch_vertices
from data_builders.named_poses.entries import Entry
from data_builders.named_poses.solve import outside
from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.posecodes.balance import centre_of_mass
from unipose.posecodes.bands import TOUCH_CM
from unipose.posecodes.quantities import measure, words
from unipose.posecodes.relations import judgements
from unipose.posecodes.shown_pose import ShownPose, show_pose

FLOOR_CM = 4.0
"""What carries is at most so far above the body's lowest point."""
SWAY_CM = 2.0
"""So far outside of the skin that carries may the centre of mass be."""
OVERLAP_CM = 5.0
"""So deep may the balls of two limbs be in each other: flesh gives way."""


def faults(
    entry: Entry, rotations: Float[Tensor, "22 3 3"], body: Body, balls: BodyBalls
) -> list[str]:
    """Return what does not hold, a sentence each; none: the pose is what the entry says."""
    shown = show_pose(Pose.from_rotations(rotations[None]), body)
    return [*_relations(entry, shown), *_ranges(entry, shown), *_skin(entry, shown, balls)]


def _relations(entry: Entry, shown: ShownPose) -> Iterator[str]:
    for relation in entry.relations:
        for judged in judgements(shown, relation.arguments):
            if judged.holds != relation.holds:
                yield f"{relation}: {judged.clause}"


def _ranges(entry: Entry, shown: ShownPose) -> Iterator[str]:
    for one in entry.ranges:
        value = measure(one.quantity, shown, *one.parts)
        if not one.low <= value <= one.high:
            yield f"{one}: it is {value:.0f}"


def _skin(entry: Entry, shown: ShownPose, balls: BodyBalls) -> Iterator[str]:
    mesh = shown.mesh
    for one, other in entry.touches:
        first, second = (mesh[touch_vertices(shown.body, name)] for name in (one, other))
        gap = 100 * float(KDTree(first).query(second)[0].min())
        if gap > TOUCH_CM:
            yield f"touch {one}, {other}: they are {words(gap, 'cm')} apart"
    centres = balls.means @ torch.from_numpy(mesh)[balls.vertices]
    deepest = float(balls.overlaps(centres[None]).max())
    if 100 * deepest > OVERLAP_CM:
        yield f"limbs are {words(100 * deepest, 'cm')} in each other"
    if entry.on:
        floor = mesh[:, 1].min()
        for carrier in entry.on:
            for vertices in carrier_vertices(shown.body, carrier):
                height = 100 * float(mesh[vertices, 1].min() - floor)
                if height > FLOOR_CM:
                    yield f"on {carrier}: it is {words(height, 'cm')} above the floor"
    if entry.on or entry.held:
        held, on = (
            [
                torch.from_numpy(mesh[vertices])[None]
                for carrier in carriers
                for vertices in carrier_vertices(shown.body, carrier)
            ]
            for carriers in (entry.held, entry.on)
        )
        own = torch.from_numpy(centre_of_mass(shown) @ shown.from_world).float()
        centre = own + shown.body.rest_joints[0]  # the centre is told from the pelvis
        out = 100 * float(outside(centre[None], held + on, on_floor=len(on))[0])
        if out > SWAY_CM:
            yield f"the centre of mass is {words(out, 'cm')} outside of what carries"
