"""Draw a scene: who performs what, dressed how, where, in which light, seen by which camera."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from math import cos, isfinite, pi, sin

import numpy as np
from jaxtyping import Float, UInt8

from data_builders.studio.backgrounds import Background, draw_setting, widen
from data_builders.studio.block_random import BlockRandom
from data_builders.studio.cameras import draw_view, place_cameras
from data_builders.studio.clothing import Outfit, draw_outfit
from data_builders.studio.config import StudioConfig
from data_builders.studio.motions import Clip, Motions
from data_builders.studio.placing import slide
from data_builders.studio.shading import Light, Solid
from data_builders.studio.skinning import PosedBody, StudioBody
from data_builders.studio.solids import draw_occluder, draw_props
from unipose.body.camera import Camera
from unipose.body.skeletons import SMPL


@dataclass(frozen=True, kw_only=True, eq=False)
class Performer:
    """One person of a scene, standing where they belong."""

    clip: Clip
    betas: Float[np.ndarray, " 10"]
    outfit: Outfit
    translations: Float[np.ndarray, "frame 3"]
    """Of the root (metres, world)."""
    bodies: list[PosedBody]
    """One per frame."""

    def move(self, x: float, y: float, z: float) -> None:
        """Move the person in place (only while the scene is set up)."""
        self.translations[:] += np.array([x, y, z])
        for posed in self.bodies:
            posed.move(x, y, z)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """All that is in front of the camera, and the camera, over some frames."""

    people: list[Performer]
    cameras: list[Camera]
    light: Light
    cloudy: float
    """0: sharp shadows; 1: almost none."""
    setting: Background
    props: list[Solid]
    occluders: list[Solid]
    gain: float
    """Exposure."""
    noise: float
    """Standard deviation of the sensor's noise (of 255)."""
    blur: bool
    grain: tuple[int, int]
    """Where in the tile of noise the sensor's begins."""


def draw_scene(
    config: StudioConfig,
    random: BlockRandom,
    motions: Motions,
    body: StudioBody,
    photos: tuple[UInt8[np.ndarray, "height width 3"], ...],
    *,
    frames: int,
) -> Scene:
    """Return a scene; everything is a function of the generator."""
    people = _draw_people(config, random, motions, body, frames)
    close = random.random() < config.truncated
    view = draw_view(random, close=close, tilt=config.tilt, moving=frames > 1)
    shown = _points_to_frame(random, people, close=close)
    cameras = place_cameras(view, shown, config.width_px / config.height_px)
    places = np.stack([camera.position.numpy() for camera in cameras])
    photo = None
    if photos and random.random() < config.pictures:
        photo = photos[random.below(len(photos))]
    setting = draw_setting(random, photo)
    standing = np.concatenate([person.bodies[i].joints for person in people for i in (0, -1)])
    props = draw_props(random, standing, places[0]) if setting.kind in ("room", "open air") else []
    furniture = [solid.vertices for solid in props]
    setting = widen(setting, np.concatenate([places, standing, *furniture]))
    occluders = []
    if random.random() < config.occluded:
        for _ in range(1 + int(random.random() < 0.3)):
            victim = people[random.below(len(people))]
            occluders.append(draw_occluder(random, cameras[0], victim.bodies[0].joints))
    cloudy = random.uniform(0.0, 1.0)
    return Scene(
        people=people,
        cameras=cameras,
        light=_draw_light(random, view.azimuth, cloudy),
        cloudy=cloudy,
        setting=setting,
        props=props,
        occluders=occluders,
        gain=random.uniform(0.75, 1.25),
        noise=config.noise * random.uniform(0.0, 8.0) * random.uniform(0.0, 1.0),
        blur=random.random() < 0.25 * config.noise,
        grain=(random.below(256), random.below(256)),
    )


def _draw_people(
    config: StudioConfig,
    random: BlockRandom,
    motions: Motions,
    body: StudioBody,
    frames: int,
) -> list[Performer]:
    count = 1 + bisect(list(accumulate(config.people)), random.random())
    count = min(count, len(config.people))
    if count == 2 and motions.paired and random.random() < config.partners:
        return _draw_partners(config, random, motions, body, frames)
    people: list[Performer] = []
    for _ in range(count):
        mirrored = bool(random.random() < config.mirrored)
        if frames == 1 and random.random() < config.mixed:
            clip = motions.draw_mixed(random, mirrored=mirrored)
        else:
            clip = motions.draw(random, frames=frames, fps=config.fps, mirrored=mirrored)
        clip = clip.turned(random.uniform(-pi, pi))
        person = _stand(config, random, body, clip, keep_place=False)
        if people:
            _join(config, random, people, person)
        people.append(person)
    return people


def _draw_partners(
    config: StudioConfig,
    random: BlockRandom,
    motions: Motions,
    body: StudioBody,
    frames: int,
) -> list[Performer]:
    """Return two people who dance with each other, where they danced."""
    mirrored = bool(random.random() < config.mirrored)
    clips = motions.draw_partners(random, frames=frames, fps=config.fps, mirrored=mirrored)
    angle = random.uniform(-pi, pi)
    people = [_stand(config, random, body, clip.turned(angle), keep_place=True) for clip in clips]
    x, _, z = np.mean([person.translations[0] for person in people], axis=0).tolist()
    for person in people:
        person.move(-x, 0.0, -z)
    return people


def _stand(
    config: StudioConfig,
    random: BlockRandom,
    body: StudioBody,
    clip: Clip,
    *,
    keep_place: bool,
) -> Performer:
    """Return a person on the floor: the lowest point of all frames is at y = 0."""
    betas = np.array([random.normal(0.0, config.shape) for _ in range(10)])
    betas = betas.clip(-2.2 * config.shape, 2.2 * config.shape)
    path = clip.path.copy()
    if not keep_place:
        path[:, [0, 2]] -= path[0, [0, 2]]
    bodies = [body.stand(turns, betas, place) for turns, place in zip(clip.rotations, path)]
    lowest = min(float(posed.box[0, 1]) for posed in bodies)
    person = Performer(
        clip=clip, betas=betas, outfit=draw_outfit(random), translations=path, bodies=bodies
    )
    person.move(0.0, -lowest, 0.0)
    return person


def _join(
    config: StudioConfig, random: BlockRandom, people: list[Performer], person: Performer
) -> None:
    """Move the person beside those who are there: at a distance, or just touching them."""
    angle = random.uniform(-pi, pi)
    ahead_x, ahead_z = sin(angle), cos(angle)
    touching = random.random() < config.touching
    gap = config.touch_gap_m if touching else random.uniform(0.05, 1.3)
    aside = random.uniform(-0.25, 0.25)
    person.move(aside * ahead_z, 0.0, -aside * ahead_x)
    moments = sorted({0, len(person.bodies) // 2, len(person.bodies) - 1})
    way = max(
        slide(
            [other.bodies[i].vertices for other in people],
            person.bodies[i].vertices,
            (ahead_x, ahead_z),
        )
        for i in moments
    )
    way = (way if isfinite(way) else 0.5) + gap
    person.move(ahead_x * way, 0.0, ahead_z * way)


def _points_to_frame(
    random: BlockRandom, people: list[Performer], *, close: bool
) -> list[Float[np.ndarray, "_ 3"]]:
    """Return what the camera should show, per frame: everybody, somebody, or part of somebody."""
    chosen = people
    if len(people) > 1 and random.random() < 0.3:
        chosen = [people[random.below(len(people))]]
    frames = [
        np.concatenate([person.bodies[i].vertices[::13] for person in chosen])
        for i in range(len(people[0].bodies))
    ]
    if close:
        names = ("head", "spine3", "pelvis", "left_knee", "right_knee", "left_wrist", "right_wrist")
        joint = SMPL.index[random.pick(names, (0.3, 0.3, 0.2, 0.05, 0.05, 0.05, 0.05))]
        radius = random.uniform(0.35, 0.65)
        centres = [chosen[0].bodies[i].joints[joint] for i in range(len(frames))]
        frames = [
            points[((points - centre) ** 2).sum(1) < radius**2]
            for points, centre in zip(frames, centres)
        ]
    return frames


def _draw_light(random: BlockRandom, azimuth: float, cloudy: float) -> Light:
    """Return light that mostly comes from the camera's half of the sky."""
    angle, height = azimuth + random.normal(0.0, 1.2), random.uniform(0.45, 1.3)
    warm = random.uniform(-0.12, 0.12)
    lamp = np.array([1 + warm, 1.0, 1 - warm]) * (random.uniform(0.55, 1.0) * (1 - 0.5 * cloudy))
    sky = np.array([1 - warm / 2, 1.0, 1 + warm / 2]) * (random.uniform(0.3, 0.5) + 0.25 * cloudy)
    flat = cos(height)
    return Light(
        to_lamp=np.array([sin(angle) * flat, sin(height), cos(angle) * flat]),
        lamp=lamp,
        sky=sky,
        ground=sky * random.uniform(0.35, 0.7),
    )
