"""The studio: picture number `index` of a configuration, or film number `index`.

Everything is a function of (config, index, recordings, body): the same bytes in any process, in
any order.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from data_builders.pose_pool import PosePool
from data_builders.records import Dropped
from data_builders.studio.backgrounds import cast_shadow, paint
from data_builders.studio.config import StudioConfig
from data_builders.studio.contacts import TouchFinder
from data_builders.studio.labels import StudioFilm, StudioImage, StudioPerson
from data_builders.studio.motions import Motions, multiply
from data_builders.studio.pictures import PictureFolder
from data_builders.studio.scenes import Performer, Scene, draw_scene
from data_builders.studio.sensor import develop, make_curve
from data_builders.studio.shading import body_measures, shade, smooth_edges
from data_builders.studio.skinning import StudioBody
from data_builders.studio.textures import make_grain, make_textures
from data_builders.studio.visibility import KeypointJudge
from data_builders.studio.words import positions, shown_garments, shown_hair, who_phrases
from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.regions import REGIONS
from unipose.render.mesh_buffer import MeshBuffer
from unipose.render.rasterizer import Backend

LEAST_PX = 0.004
"""Share of the picture that the best seen person must take; else nothing may stand in front."""


class Studio:
    """Takes pictures and films of one body in recorded poses."""

    def __init__(
        self,
        config: StudioConfig,
        motions: Motions | PosePool,
        body: Body,
        *,
        backend: Backend = "numba",
    ) -> None:
        self.config = config
        self.motions = Motions.from_pool(motions) if isinstance(motions, PosePool) else motions
        self.body = StudioBody(body)
        self.backend: Backend = backend
        self.photos: tuple[UInt8[np.ndarray, "height width 3"], ...] = ()
        self.dropped: tuple[Dropped, ...] = ()
        """Background pictures that could not be used, and why."""
        if config.picture_folder is not None:
            side = max(config.height_px, config.width_px)
            folder = PictureFolder.read(config.picture_folder, side_px=side)
            self.photos, self.dropped = folder.pictures, folder.dropped
        self._measures = body_measures(self.body)
        self._touch = TouchFinder(self.body, config.contact_m)
        self._judge = KeypointJudge(self.body)
        self._textures = make_textures(config.seed)
        self._grain = make_grain(config.seed)
        self._curve = make_curve()
        self._region_of_face = self.body.regions.of_face.numpy().astype(np.uint8)

    def sample(self, index: int) -> StudioImage:
        """Return picture number `index` with all its labels."""
        scene = self.scene(index)
        return self._take(scene, 0, f"studio/{self.config.seed}/{index}")

    def film(self, index: int) -> StudioFilm:
        """Return film number `index`: the same people, frame by frame."""
        random = np.random.default_rng((self.config.seed, 1, index))
        scene = draw_scene(
            self.config, random, self.motions, self.body, self.photos, frames=self.config.frames
        )
        key = f"studio/{self.config.seed}/film/{index}"
        frames = tuple(self._take(scene, i, f"{key}:{i}") for i in range(self.config.frames))
        return StudioFilm(key=key, fps=self.config.fps, frames=frames)

    def scene(self, index: int) -> Scene:
        """Return what picture number `index` is taken of."""
        random = np.random.default_rng((self.config.seed, 0, index))
        return draw_scene(self.config, random, self.motions, self.body, self.photos, frames=1)

    def _take(self, scene: Scene, frame: int, key: str) -> StudioImage:
        buffer, solids = self._look(scene, frame, [*scene.props, *scene.occluders])
        counts = np.bincount(buffer.mesh.ravel(), minlength=256)[: len(scene.people)]
        if solids and counts.max() < LEAST_PX * buffer.mesh.size:
            buffer, solids = self._look(scene, frame, [])
        people = [performer.bodies[frame] for performer in scene.people]
        picture = np.zeros((*buffer.mesh.shape, 3))
        shade(
            buffer,
            self.body,
            self._measures,
            people,
            [performer.outfit for performer in scene.people],
            solids,
            scene.light,
            self._textures,
            picture,
        )
        depth = buffer.depth
        shadow = cast_shadow(
            [*(person.vertices for person in people), *(solid.vertices for solid in solids)],
            scene.light,
            scene.cloudy,
        )
        paint(buffer, scene.setting, scene.light, shadow, self._textures, picture, depth)
        smooth_edges(buffer, picture)
        pixels = develop(
            picture,
            curve=self._curve,
            grain=self._grain,
            at=(scene.grain[0] + 37 * frame, scene.grain[1] + 101 * frame),
            gain=scene.gain,
            noise=scene.noise,
            blur=scene.blur,
        )
        return self._label(scene, frame, buffer, pixels, key)

    def _look(self, scene: Scene, frame: int, solids: list) -> tuple[MeshBuffer, list]:
        buffer = MeshBuffer(
            camera=scene.cameras[frame],
            height_px=self.config.height_px,
            width_px=self.config.width_px,
        )
        for number, performer in enumerate(scene.people):
            buffer.draw(
                performer.bodies[frame].vertices, self.body.faces, number, backend=self.backend
            )
        for number, solid in enumerate(solids, start=len(scene.people)):
            buffer.draw(solid.vertices, solid.faces, number, backend=self.backend)
        return buffer, solids

    def _label(
        self,
        scene: Scene,
        frame: int,
        buffer: MeshBuffer,
        pixels: UInt8[np.ndarray, "height width 3"],
        key: str,
    ) -> StudioImage:
        count = len(scene.people)
        somebody = buffer.mesh < count
        instances = np.where(somebody, buffer.mesh + 1, 0).astype(np.uint8)
        parts = np.where(somebody, self._region_of_face[buffer.faces] + 1, 0).astype(np.uint8)
        covered = buffer.covered & ((1 << count) - 1)
        table = np.bincount(
            (instances.astype(np.int64) * 32 + parts).ravel(), minlength=(count + 1) * 32
        ).reshape(-1, 32)[1 : count + 1, 1 : len(REGIONS) + 1]
        boxes = [_box(instances == number + 1) for number in range(count)]
        middles = [None if box is None else (box[0] + box[2]) / 2 for box in boxes]
        places = positions(middles, float(buffer.width_px))
        outfits = [performer.outfit for performer in scene.people]
        garments = [shown_garments(outfit, px) for outfit, px in zip(outfits, table)]
        hair = [shown_hair(outfit, px) for outfit, px in zip(outfits, table)]
        seen = [i for i in range(count) if boxes[i] is not None]
        told = who_phrases(*([some[i] for i in seen] for some in (places, garments, hair)))
        phrases = dict(zip(seen, told))
        bodies = [performer.bodies[frame] for performer in scene.people]
        people = tuple(
            StudioPerson(
                number=i,
                body=self.body.id,
                box=boxes[i],
                seen_px=int(table[i].sum()),
                seen_share=float(table[i].sum() / max(1, np.count_nonzero(covered & (1 << i)))),
                garments=garments[i],
                hair=hair[i],
                position=places[i],
                phrases=phrases.get(i, ()),
                contacts=self._touch.of_oneself(i, bodies[i]),
                **_what_they_do(performer, frame),
                **self._where(performer, frame, i, scene.cameras[frame], instances, parts, buffer),
            )
            for i, performer in enumerate(scene.people)
        )
        return StudioImage(
            key=key,
            pixels=pixels,
            depth=buffer.depth.astype(np.float32),
            instances=instances,
            covered=covered,
            parts=parts,
            camera=scene.cameras[frame],
            people=people,
            contacts=tuple(
                contact
                for i in range(count)
                for k in range(i + 1, count)
                for contact in self._touch.between(i, bodies[i], k, bodies[k])
            ),
            setting=scene.setting.kind,
        )

    def _where(
        self,
        performer: Performer,
        frame: int,
        number: int,
        camera: Camera,
        instances: UInt8[np.ndarray, "height width"],
        parts: UInt8[np.ndarray, "height width"],
        buffer: MeshBuffer,
    ) -> dict:
        """Return the fields of a StudioPerson that say where body and keypoints are."""
        posed = performer.bodies[frame]
        found = {}
        for name, points in (("joints", posed.joints), ("whole_body", posed.whole_body)):
            px, depth = project(camera, points, instances.shape)
            found[name] = points
            found[f"{name}_px"] = px
            found[f"{name}_depth"] = depth
            found[f"{name}_seen"] = self._judge.judge(
                px, depth, camera, number, instances, parts, buffer.depth
            )
        outline, _ = project(camera, posed.vertices[::3], instances.shape)
        outline = outline[np.isfinite(outline).all(1)]
        if not len(outline):  # all of the person is behind the camera
            outline = np.full((1, 2), np.nan)
        low, high = outline.min(0), outline.max(0)
        turns = performer.clip.rotations[frame]
        return found | {
            "whole_box": (float(low[0]), float(low[1]), float(high[0]), float(high[1])),
            "rotations": turns,
            "root_in_camera": multiply(camera.camera_from_world.numpy(), turns[0]),
            "translation": performer.translations[frame],
            "betas": performer.betas,
        }


def _what_they_do(performer: Performer, frame: int) -> dict:
    clip = performer.clip
    return {
        "take": clip.take,
        "frame": clip.frame,
        "source": clip.source,
        "label": clip.label,
        "mirrored": clip.mirrored,
    }


def project(
    camera: Camera, points: Float[np.ndarray, "point 3"], shape: tuple[int, ...]
) -> tuple[Float[np.ndarray, "point 2"], Float[np.ndarray, " point"]]:
    """Return the pixels (x right, y down; NaN behind the camera) and the depths of world points."""
    height, width = shape[:2]
    offset = points - camera.position.numpy()
    x, y, z = ((offset * axis).sum(1) for axis in camera.camera_from_world.numpy())
    ahead = np.where(z > 0, z, np.nan)
    focal_px = camera.focal * height
    middle = np.array([width / 2, height / 2]) + np.array(camera.centre) * height
    return np.stack([x / ahead, y / ahead], axis=1) * focal_px + middle, z


def _box(mask: np.ndarray) -> tuple[float, float, float, float] | None:
    """Return left, top, right, bottom of the pixels of a mask; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
