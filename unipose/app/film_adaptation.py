"""`unipose adapt`: a mesh recovery network adapts to everybody in a film, and tells what it gained.

OUT becomes a folder: for each person the poses before and after, keypoints by which they were
followed and labels of their segments (both to be corrected by hand and given again), a report, and
the film side by side. A run that was stopped goes on with the person and the epoch where it was;
one person who fails does not touch the others.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from unipose.adaptation.adapter import MODES, Adapted, Adapter, PersonFilm
from unipose.adaptation.labelling import ActionNamer
from unipose.adaptation.segments import cut_film, read_segments, write_segments
from unipose.app.adapted_film import (
    AdaptedPerson,
    FollowedPerson,
    Progress,
    actions_of,
    draw_adapted,
    draw_before_and_after,
    write_followed,
)
from unipose.app.wording import short_tracks
from unipose.body.body import Body
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, Track
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, FileError, PoseQueryError, UniPoseError
from unipose.files import open_pose, save_pose
from unipose.files.atomic import written_whole
from unipose.files.film import FOLDER_FPS, FilmReader
from unipose.files.keypoint_files import read_keypoint_file
from unipose.files.notes import add_note
from unipose.files.weights_mark import network_mark, tensors_mark
from unipose.metrics import acceleration_error, mpjpe, mpvpe, pa_mpjpe, root_aligned
from unipose.vision.crops import Crops
from unipose.vision.film_people import bodies_in_frames
from unipose.vision.keypoint_detector import KeypointDetector
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes
from unipose.vision.tracking import TrackerConfig, track_people

Source = Literal["detected by the embedded networks", "from a file", "ground truth"]
DETECTED: Source = "detected by the embedded networks"
FEWEST_FRAMES = 10
"""Of a person who is adapted to."""
KEYPOINT_REMEDY = "keypoints from a file (--keypoints) follow whom the networks lose"
MARGIN = 0.1
"""Of its longer side, around the keypoints where a file has no box."""


def follow_people(
    film: FilmReader, keypoints: Path | None, progress: Progress
) -> list[FollowedPerson]:
    """Return the people of a film, by its keypoint file or by the embedded networks.

    A FileNote says who is there for too short. Raises FileError if nobody is there for long enough,
    or if the file has pictures that the film does not have.
    """
    fps = film.fps or FOLDER_FPS
    if keypoints is not None:
        rows = read_keypoint_file(keypoints)
        if film.count is not None and len(rows) > film.count:
            raise FileError(
                keypoints, f"has keypoints of {len(rows)} frames, the film has {film.count}."
            )
        numbers = frame_numbers([row.image for row in rows], film.count)
        seen = sorted(
            ((i, i / fps, _with_boxes(row)) for i, row in zip(numbers, rows, strict=True)),
            key=lambda one: one[0],
        )
    else:
        frames = progress(film.frames(), film.count, "looking for people")
        seen = [
            (frame.number, frame.seconds, ImagePeople(image=str(frame.number), people=tuple(found)))
            for frame, found in bodies_in_frames(frames, KeypointDetector())
        ]
    everybody = track_people(seen, TrackerConfig(fewest=1), fps=fps)
    tracks = [one for one in everybody if len(one) >= FEWEST_FRAMES]
    left_out = short_tracks(
        [(one.frames[0], one.frames[-1]) for one in everybody if len(one) < FEWEST_FRAMES],
        f"{FEWEST_FRAMES} frames", KEYPOINT_REMEDY,
    )  # fmt: skip
    if not tracks:
        told = f"shows nobody for {FEWEST_FRAMES} frames or more. {left_out}"
        raise FileError(film.path, told.strip())
    if left_out:
        add_note(film.path, left_out)
    return [_followed(track, number) for number, track in enumerate(tracks, start=1)]


def frame_numbers(images: Sequence[str], count: int | None) -> list[int]:
    """Return the frame, from 0, that each picture of a keypoint file is.

    COCO's results do not name pictures without people, so numbers count, from 0, or from 1 if the
    last is the number of frames; pictures with other names are the frames one after the other.
    """
    if all(image.isdecimal() for image in images):
        numbers = [int(image) for image in images]
        if count is None or max(numbers, default=0) <= count:
            first = int(max(numbers, default=0) == count)
            return [number - first for number in numbers]
    return list(range(len(images)))


def _with_boxes(row: ImagePeople) -> ImagePeople:
    """Return the people with boxes around their keypoints where the file has none."""
    people = []
    for one in row.people:
        if one.box is None and one.keypoints is not None and bool(one.keypoints.present.any()):
            points = one.keypoints.points[0][one.keypoints.present[0]]
            low, high = points.amin(0), points.amax(0)
            room = MARGIN * float((high - low).max())
            edges = torch.cat([low - room, high + room]).tolist()
            people.append(replace(one, box=tuple(edges)))
        elif one.box is not None and one.keypoints is not None:
            people.append(one)
    return replace(row, people=tuple(people))


def _followed(track: Track, number: int) -> FollowedPerson:
    """Return a track without gaps: boxes go straight in between, keypoints are missing there."""
    first, last = track.frames[0], track.frames[-1]
    boxes = np.array([one.box for one in track.people], dtype=float)
    every = np.arange(first, last + 1)
    between = np.stack([np.interp(every, track.frames, column) for column in boxes.T], axis=1)
    seen = track.keypoints
    shape = (len(every), len(seen.keypoint_set))
    at = torch.tensor(track.frames) - first
    points, scores = torch.zeros(*shape, 2), torch.zeros(shape)
    present = torch.zeros(shape, dtype=torch.bool)
    points[at], scores[at], present[at] = seen.points.float(), seen.scores.float(), seen.present
    return FollowedPerson(
        number=number,
        first=first,
        boxes=tuple((a, b, c, d) for a, b, c, d in between.tolist()),
        keypoints=Keypoints.of(seen.keypoint_set, points, scores, present=present),
    )


def cut_people(
    film: FilmReader, people: Sequence[FollowedPerson], side_px: int, progress: Progress
) -> list[tuple[Tensor, Crops]]:
    """Return each person's crops, of `side_px` pixels, and where they were cut out.

    Raises FileError if the film ends before a person does.
    """
    crops = [Crops.around(torch.tensor(one.boxes)) for one in people]
    cut: list[list[Tensor]] = [[] for _ in people]
    for frame in progress(film.frames(), film.count, "cutting people out"):
        pixels = torch.from_numpy(np.array(frame.pixels))
        for one, where, parts in zip(people, crops, cut):
            row = frame.number - one.first
            if row == len(parts) and row < len(one):
                crop = Crops(centre=where.centre[row : row + 1], side=where.side[row : row + 1])
                parts.append(crop.cut(pixels, side_px)[0].round().byte())
    for one, parts in zip(people, cut):
        if len(parts) != len(one):
            raise FileError(
                film.path, f"has no whole frames {one.first} to {one.first + len(one) - 1}."
            )
    return [(torch.stack(parts), where) for parts, where in zip(cut, crops)]


@dataclass(kw_only=True)
class FilmAdaptation:
    """What the command was asked for."""

    adapter: Adapter
    body: Body
    mode: str
    out: Path
    keypoints: Source
    namer: ActionNamer | None = None
    labels: Path | None = None
    truth: Pose | None = None
    overlay: Path | None = None
    """Where the film with the adapted bodies goes."""
    progress: Progress

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"there is no mode {self.mode!r}, only {', '.join(MODES)}")
        self.given = read_segments(self.labels) if self.labels is not None else []

    def run(self, film: FilmReader, people: Sequence[FollowedPerson]) -> dict[str, Any]:
        """Adapt to each person; return the report, which is also written."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self.keypoints == DETECTED:
            write_followed(people, self.out / "keypoints.json")
        crops = cut_people(film, people, self.adapter.network.image_px, self.progress)
        fps = film.fps or FOLDER_FPS
        found: list[AdaptedPerson] = []
        rows, segments = [], []
        for one, (pixels, where) in zip(people, crops):
            start = perf_counter()
            try:
                person = self._person(one, pixels, where, fps)
                named_s = perf_counter() - start
                adapted = self._adapt(one, person)
            except UniPoseError as error:
                print(f"note: person {one.number} is left out: {error}", file=sys.stderr)
                rows.append({"person": one.number, "failed": str(error)})
                continue
            found.append(self._in_film(one, person, adapted, film))
            segments += person.segments
            took_s = perf_counter() - start - named_s
            rows.append(self._saved(one, adapted, where, film, fps) | {
                "actions": actions_of(person.segments, one.first, fps),
                "labelling_ms_per_frame": 1000 * named_s / len(one),
                "ms_per_frame": 1000 * took_s / len(one),
            })  # fmt: skip
        if not found:
            raise PoseQueryError("nobody could be adapted to; the notes say why")
        asked = self.namer.name if self.namer is not None else str(self.labels or "nobody")
        write_segments(segments, self.out / "labels.json", asked=asked)
        report = {
            "film": str(film.path), "mode": self.mode, "keypoints": self.keypoints,
            "labels": asked, "people": rows,
        }  # fmt: skip
        with written_whole(self.out / "report.json") as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")
        beside = self.out / "side-by-side.mp4"
        draw_before_and_after(film, found, beside, self.body, self.progress)
        if self.overlay is not None:
            draw_adapted(film, found, self.overlay, self.body, self.progress)
        return report

    def _in_film(
        self, one: FollowedPerson, person: PersonFilm, adapted: Adapted, film: FilmReader
    ) -> AdaptedPerson:
        before, after = (
            meshes.to("cpu").people(person.crops, film.size_px, body=self.body)
            for meshes in (adapted.before, adapted.after)
        )
        return AdaptedPerson(person=one, before=before, after=after, segments=person.segments)

    def _person(self, one: FollowedPerson, pixels: Tensor, where: Crops, fps: float) -> PersonFilm:
        segments = [part for part in self.given if part.person == one.number]
        if not segments:
            segments = cut_film(len(one), fps=fps, person=one.number)
        person = PersonFilm(
            pixels=pixels, crops=where, keypoints=one.keypoints, fps=fps, segments=segments
        )
        if self.namer is not None and not self.given:
            person = replace(person, segments=self.namer.named(person, self.adapter))
        return person

    def _adapt(self, one: FollowedPerson, person: PersonFilm) -> Adapted:
        state = self.out / f".person-{one.number}-{self._mark(person)}.safetensors"
        bar = iter(self.progress(range(self.adapter.config.epochs), self.adapter.config.epochs,
                                 f"adapting to person {one.number}"))  # fmt: skip
        next(bar, None)

        def step(epoch: int, _: RecoveredMeshes) -> None:
            next(bar, None)

        return self.adapter.adapt(person, MODES[self.mode], state=state, on_epoch=step)

    def _mark(self, person: PersonFilm) -> str:
        """Return a hash of all that an adaptation hangs on: other labels are another one."""
        found, seen, crops = hashlib.blake2b(digest_size=6), person.keypoints, person.crops
        settings = (self.mode, self.adapter.config, person.segments, person.fps)
        for part in (*settings, seen.keypoint_set.name, self._start_mark):
            found.update(repr(part).encode())
        tensors = (person.pixels, seen.points, seen.scores, seen.present, crops.centre, crops.side)
        for values in tensors:
            found.update(values.contiguous().numpy().tobytes())
        return found.hexdigest()

    @cached_property
    def _start_mark(self) -> str:
        """What everybody's adaptation starts from: networks, actions and the body, as one text."""
        adapter = self.adapter
        known = {} if adapter.dictionary is None else vars(adapter.dictionary)
        marks = [self.body.id, repr((adapter.network.mean, adapter.network.std))]
        for part in (adapter.network, adapter.denoiser, adapter.space, self.body):
            weights = network_mark(part) if isinstance(part, nn.Module) else ""
            marks.append(f"{type(part).__name__} {weights}")
        marks.append(tensors_mark([one for one in known.items() if isinstance(one[1], Tensor)]))
        marks.append(repr([one for one in known.items() if not isinstance(one[1], Tensor)]))
        return " ".join(marks)

    def _saved(
        self, one: FollowedPerson, adapted: Adapted, where: Crops, film: FilmReader, fps: float
    ) -> dict[str, Any]:
        """Write the poses; return the person's row of the report."""
        row: dict[str, Any] = {
            "person": one.number, "first_frame": one.first, "frames": len(one),
            "keypoints_counted": float(adapted.labels.counted.float().mean()),
            "keypoints_filled_in": float(adapted.labels.filled.float().mean()),
        }  # fmt: skip
        if len(adapted.cosines):
            row["cosines"] = [round(float(c), 4) for c in adapted.cosines[-1]]
        for name, meshes in (("before", adapted.before), ("after", adapted.after)):
            pose, _ = meshes.to("cpu").in_picture(where, film.size_px, body=self.body)
            path = save_pose(replace(pose, fps=fps), self.out / f"person-{one.number}-{name}.npz")
            row[name] = {"file": path.name}
            if self.truth is not None:
                row[name] |= self._errors(pose, one, fps)
        return row

    def _errors(self, pose: Pose, one: FollowedPerson, fps: float) -> dict[str, float]:
        """Return the errors of poses before the film's camera (mm, m/s2)."""
        assert self.truth is not None
        if len(self.truth) < one.first + len(one):
            raise PoseQueryError(
                f"the truth has {len(self.truth)} poses, the film shows person {one.number} up to "
                f"frame {one.first + len(one) - 1}"
            )
        truth = self.truth[one.first : one.first + len(one)]
        with torch.no_grad():
            said, true = self.body.mesh(pose), self.body.mesh(truth)
        joints = [root_aligned(mesh.joints)[:, :POSED_JOINTS] for mesh in (said, true)]
        vertices = [mesh.vertices - mesh.joints[:, :1] for mesh in (said, true)]
        return {
            "mpjpe_mm": 1000 * float(mpjpe(*joints).mean()),
            "pa_mpjpe_mm": 1000 * float(pa_mpjpe(*joints).mean()),
            "mpvpe_mm": 1000 * float(mpvpe(*vertices).mean()),
            "accel_error": float(acceleration_error(*joints, fps=fps).mean()),
        }


def read_truth(path: Path, body: Body) -> Pose:
    """Return the true poses of a film's frames. Raises FileError for poses of another body."""
    pose = open_pose(path, body=body)
    if pose.betas is not None and pose.body != body.id:
        raise FileError(path, f"holds poses of {pose.body!r}, expected {body.id!r}.")
    return pose
