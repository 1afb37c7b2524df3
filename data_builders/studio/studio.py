"""The studio: picture number `index` of a configuration, or film number `index`.

Everything is a function of (config, index, recordings, body): the same bytes in any process, in
any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8

from data_builders.pose_pool import PosePool
from data_builders.records import Dropped
from data_builders.studio.backgrounds import paint
from data_builders.studio.block_random import BlockRandom
from data_builders.studio.config import StudioConfig
from data_builders.studio.contacts import TouchFinder
from data_builders.studio.labels import StudioFilm, StudioImage, StudioPerson
from data_builders.studio.masks import Masks, collect_masks, outline, project
from data_builders.studio.motions import Motions, multiply
from data_builders.studio.pictures import PictureFolder
from data_builders.studio.scenes import Performer, Scene, draw_scene
from data_builders.studio.sensor import develop, make_curve
from data_builders.studio.shading import Solid, body_measures, shade
from data_builders.studio.shadows import cast_shadow
from data_builders.studio.skinning import StudioBody
from data_builders.studio.textures import make_grain, make_textures
from data_builders.studio.visibility import KeypointJudge
from data_builders.studio.words import positions, shown_garments, shown_hair, who_phrases
from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.render.mesh_buffer import MeshBuffer

LEAST_PX = 0.004
"""Share of the picture that somebody must take; else nothing may stand in front."""

LEAST_SHARE = 0.3
"""Share of that person that must be seen."""


class Studio:
    """Takes pictures and films of one body in recorded poses."""

    def __init__(
        self,
        config: StudioConfig,
        motions: Motions | PosePool,
        body: Body,
    ) -> None:
        self.config = config
        self.motions = Motions.from_pool(motions) if isinstance(motions, PosePool) else motions
        self.body = StudioBody(body)
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
        random = BlockRandom(self.config.seed, 1, index)
        scene = draw_scene(
            self.config, random, self.motions, self.body, self.photos, frames=self.config.frames
        )
        key = f"studio/{self.config.seed}/film/{index}"
        frames = tuple(self._take(scene, i, f"{key}:{i}") for i in range(self.config.frames))
        return StudioFilm(key=key, fps=self.config.fps, frames=frames)

    def scene(self, index: int) -> Scene:
        """Return what picture number `index` is taken of."""
        random = BlockRandom(self.config.seed, 0, index)
        return draw_scene(self.config, random, self.motions, self.body, self.photos, frames=1)

    def _take(self, scene: Scene, frame: int, key: str) -> StudioImage:
        solids = [*scene.props, *scene.occluders]
        buffer, masks = self._look(scene, frame, solids)
        if solids and not _somebody_is_seen(masks):
            solids = []
            buffer, masks = self._look(scene, frame, solids)
        people = [performer.bodies[frame] for performer in scene.people]
        picture = np.zeros((*buffer.mesh.shape, 3), dtype=np.float32)
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
        pixels = develop(
            picture,
            buffer.mesh,
            curve=self._curve,
            grain=self._grain,
            at=(scene.grain[0] + 37 * frame, scene.grain[1] + 101 * frame),
            gain=scene.gain,
            noise=scene.noise,
            blur=scene.blur,
        )
        return self._label(scene, frame, buffer, masks, pixels, key)

    def _look(self, scene: Scene, frame: int, solids: list[Solid]) -> tuple[MeshBuffer, Masks]:
        buffer = MeshBuffer(
            camera=scene.cameras[frame],
            height_px=self.config.height_px,
            width_px=self.config.width_px,
        )
        for number, performer in enumerate(scene.people):
            buffer.draw(performer.bodies[frame].vertices, self.body.faces, number)
        for number, solid in enumerate(solids, start=len(scene.people)):
            buffer.draw(solid.vertices, solid.faces, number)
        return buffer, collect_masks(buffer, self._region_of_face, len(scene.people))

    def _label(
        self,
        scene: Scene,
        frame: int,
        buffer: MeshBuffer,
        masks: Masks,
        pixels: UInt8[np.ndarray, "height width 3"],
        key: str,
    ) -> StudioImage:
        count = len(scene.people)
        bodies = [performer.bodies[frame] for performer in scene.people]
        phrases = _tell_apart(scene, masks, float(buffer.width_px))
        people = tuple(
            StudioPerson(
                number=i,
                body=self.body.id,
                box=masks.box(i),
                seen_px=(seen := int(masks.seen_px[i])),
                seen_share=seen / max(1, int(masks.whole_px[i])),
                contacts=self._touch.of_oneself(i, bodies[i]),
                **phrases[i],
                **_what_they_do(performer, frame),
                **self._where(performer, frame, i, scene.cameras[frame], masks, buffer),
            )
            for i, performer in enumerate(scene.people)
        )
        return StudioImage(
            key=key,
            pixels=pixels,
            depth=buffer.depth,
            instances=masks.instances,
            covered=masks.covered,
            parts=masks.parts,
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
        masks: Masks,
        buffer: MeshBuffer,
    ) -> dict[str, Any]:
        """Return the fields of a StudioPerson that say where body and keypoints are."""
        size = (buffer.height_px, buffer.width_px)
        posed = performer.bodies[frame]
        joints = len(posed.joints)
        px, depth = project(camera, np.concatenate([posed.joints, posed.whole_body]), *size)
        seen = self._judge.judge(px, depth, camera, number, masks, buffer.depth)
        turns = performer.clip.rotations[frame]
        return {
            "joints": posed.joints,
            "joints_px": px[:joints],
            "joints_depth": depth[:joints],
            "joints_seen": seen[:joints],
            "whole_body": posed.whole_body,
            "whole_body_px": px[joints:],
            "whole_body_depth": depth[joints:],
            "whole_body_seen": seen[joints:],
            "whole_box": outline(camera, posed.vertices, *size),
            "rotations": turns,
            "root_in_camera": multiply(camera.camera_from_world.numpy(), turns[0]),
            "translation": performer.translations[frame],
            "betas": performer.betas,
        }


def _somebody_is_seen(masks: Masks) -> bool:
    """Return whether enough of at least one person is seen to be worth a picture."""
    least_px = LEAST_PX * masks.instances.size
    return any(
        seen >= least_px and seen >= LEAST_SHARE * whole
        for seen, whole in zip(masks.seen_px.tolist(), masks.whole_px.tolist())
    )


def _tell_apart(scene: Scene, masks: Masks, width: float) -> list[dict[str, Any]]:
    """Return the fields of each StudioPerson that say how to tell them from the others."""
    outfits = [performer.outfit for performer in scene.people]
    table = masks.part_px.tolist()
    boxes = [masks.box(i) for i in range(len(outfits))]
    places = positions([box and (box[0] + box[2]) / 2 for box in boxes], width)
    garments = [shown_garments(outfit, px) for outfit, px in zip(outfits, table)]
    hair = [shown_hair(outfit, px) for outfit, px in zip(outfits, table)]
    seen = [i for i, box in enumerate(boxes) if box is not None]
    phrases = who_phrases(
        [places[i] for i in seen], [garments[i] for i in seen], [hair[i] for i in seen]
    )
    by_person = dict(zip(seen, phrases))
    return [
        {
            "garments": garments[i],
            "hair": hair[i],
            "position": places[i],
            "phrases": by_person.get(i, ()),
        }
        for i in range(len(outfits))
    ]


def _what_they_do(performer: Performer, frame: int) -> dict[str, Any]:
    clip = performer.clip
    return {
        "take": clip.take,
        "frame": clip.frame,
        "source": clip.source,
        "label": clip.label,
        "mirrored": clip.mirrored,
    }
