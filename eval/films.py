"""How well are people followed through films? Checked on the studio's films, whose truth is known.

A person counts in the frames in which they are seen well enough (as in eval.estimation).
`mpjpe_mm` and `pa_mpjpe_mm` are means over frames (pelvis on pelvis, SMPL's first 22 joints, axes
of the viewer), and `acceleration` is the mean error of the joints' acceleration (m/s2): of every
frame by itself (`plain_`), and of the motions of `unipose track`. Both are taken where both say
something; `followed` is the share of the frames that the motions cover, and `motions_a_person` how
many pieces a person comes in. `frames_per_s` is that of tracking: reading and drawing are left out.

Run as `python -m eval.films --data FOLDER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.studio.labels import StudioFilm, is_well_seen
from eval.estimation import HELD_OUT_STUDIO
from eval.pictures import person_of_studio
from eval.program import EvalOptions, print_result, print_table, run, track
from unipose.body.body import Body, load_body
from unipose.body.people import Box, ImagePeople
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.files.film import FilmFrame
from unipose.metrics import acceleration_error, mpjpe, pa_mpjpe, root_aligned
from unipose.metrics.boxes import box_overlap
from unipose.vision.film_motion import FilmMotion, FilmMotionConfig, follow_film, people_in_frames
from unipose.vision.gaps import runs
from unipose.vision.landmark_estimator import LandmarkEstimator

LEAST_OVERLAP = 0.3
"""Of boxes, from which somebody found is the true person."""


@dataclass(frozen=True, kw_only=True)
class FilmOptions(EvalOptions):
    """Options of eval.films."""

    films: int = 6
    """How many films of the studio are tracked."""
    seconds: float = 4.0
    """How long each is."""
    fps: float = 15.0
    """Of the films."""
    alone: bool = False
    """One person in each film; otherwise one to four, as in the studio's pictures."""
    side_px: int = 384
    """Height and width."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.films < 1 or self.seconds * self.fps < 3:
            raise ConfigError("at least one film of three frames is needed")


@dataclass(frozen=True, kw_only=True, eq=False)
class TruePerson:
    """One person of a film: what is true in each frame in which they are seen well enough."""

    boxes: dict[int, Box]
    joints: dict[int, Float[Tensor, "22 3"]]
    """From the pelvis (metres), as whoever looks at them sees them."""


def true_people(film: StudioFilm, body: Body) -> list[TruePerson]:
    """Return the people of a film, those who are never seen well left out."""
    people: dict[int, TruePerson] = {}
    for number, image in enumerate(film.frames):
        for person in image.people:
            if person.box is None or not is_well_seen(person):
                continue
            one = people.setdefault(person.number, TruePerson(boxes={}, joints={}))
            one.boxes[number] = person.box
            seen = person_of_studio(image, person)
            one.joints[number] = _joints(
                Pose(rotations=seen.rotations[None], betas=torch.from_numpy(person.betas)[None]),
                body,
            )[0]
    return list(people.values())


def overlap(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    return float(box_overlap(torch.tensor(a), torch.tensor(b)))


def _joints(pose: Pose, body: Body) -> Float[Tensor, "pose 22 3"]:
    """Return joints from the pelvis (metres)."""
    betas = torch.zeros(len(pose), 10) if pose.betas is None else pose.betas
    with torch.no_grad():
        joints = body(pose.rotations.float(), betas.float()).joints
    return root_aligned(joints)[:, :POSED_JOINTS]


def plain_joints(
    person: TruePerson, seen: Sequence[ImagePeople], body: Body
) -> dict[int, Float[Tensor, "22 3"]]:
    """Return what each frame by itself says of a person: of whoever is where they are."""
    found = {}
    for number, box in person.boxes.items():
        near = [(overlap(box, one.box), one) for one in seen[number].people if one.box is not None]
        share, best = max(near, key=lambda pair: pair[0], default=(0.0, None))
        if best is not None and best.pose is not None and share >= LEAST_OVERLAP:
            found[number] = _joints(best.pose, body)[0]
    return found


def moving_joints(
    person: TruePerson, motions: Sequence[FilmMotion], fps: float, body: Body
) -> tuple[dict[int, Float[Tensor, "22 3"]], int]:
    """Return what the motions say of a person, and how many of them are theirs."""
    found: dict[int, Float[Tensor, "22 3"]] = {}
    pieces = 0
    for motion in motions:
        first = round(motion.start_s * fps)
        rows = [n for n in person.boxes if first <= n < first + len(motion.poses)]
        at = dict(zip(motion.track.frames, motion.track.people))
        near = [
            overlap(person.boxes[n], box) >= LEAST_OVERLAP
            for n in rows
            if n in at and (box := at[n].box) is not None
        ]
        if not near or sum(near) * 2 < len(near):
            continue
        pieces += 1
        joints = _joints(motion.poses, body)
        found |= {n: joints[n - first] for n in rows}
    return found, pieces


def errors(
    found: dict[int, Float[Tensor, "22 3"]], person: TruePerson, frames: Sequence[int], fps: float
) -> dict[str, list[float]]:
    """Return errors in these frames: millimetres, and m/s2 where three follow each other."""
    said = torch.stack([found[n] for n in frames])
    truth = torch.stack([person.joints[n] for n in frames])
    result = {
        "mpjpe_mm": (1000 * mpjpe(said, truth)).tolist(),
        "pa_mpjpe_mm": (1000 * pa_mpjpe(said, truth)).tolist(),
        "acceleration": [],
    }
    there = torch.zeros(max(frames) + 1, dtype=torch.bool)
    there[list(frames)] = True
    at = {n: i for i, n in enumerate(frames)}
    for start, end in runs(there):
        if end - start >= 3:
            part = slice(at[start], at[start] + end - start)
            result["acceleration"] += acceleration_error(said[part], truth[part], fps=fps).tolist()
    return result


def measure(options: FilmOptions) -> dict[str, object]:
    """Return the figures, means over frames."""
    body, estimator, config = load_body(), LandmarkEstimator(), FilmMotionConfig()
    split = "" if options.split == "all" else options.split
    studio = Studio(
        StudioConfig(
            seed=HELD_OUT_STUDIO + options.seed, mixed=0.0, fps=options.fps,
            frames=round(options.seconds * options.fps),
            height_px=options.side_px, width_px=options.side_px,
            people=(1.0,) if options.alone else StudioConfig().people,
        ),
        Motions.read(options.data, split, fps=options.fps, only=options.only),
        body,
    )  # fmt: skip
    rows: dict[str, list[float]] = {}
    people = well = followed = pieces = frames_count = 0
    took = 0.0
    for index in track(range(options.films), "tracking films"):
        film = studio.film(index)
        frames = [
            FilmFrame(number=n, seconds=n / film.fps, pixels=image.pixels)
            for n, image in enumerate(film.frames)
        ]
        start = perf_counter()
        seen = list(people_in_frames(frames, estimator, config))
        motions = follow_film(seen, fps=film.fps, config=config)
        took += perf_counter() - start
        frames_count += len(frames)
        for person in true_people(film, body):
            plain = plain_joints(person, [image for _, image in seen], body)
            moving, count = moving_joints(person, motions, film.fps, body)
            people, well = people + 1, well + len(person.boxes)
            followed, pieces = followed + len(moving), pieces + count
            both = sorted(plain.keys() & moving.keys())
            if both:
                for prefix, found in (("plain_", plain), ("", moving)):
                    for name, values in errors(found, person, both, film.fps).items():
                        rows.setdefault(prefix + name, []).extend(values)
    if not rows:
        raise ConfigError("nobody of these films was found")
    return {
        **{name: float(np.mean(values)) for name, values in rows.items() if values},
        "followed": followed / max(well, 1), "motions_a_person": pieces / max(people, 1),
        "frames_per_s": frames_count / took, "people": people, "frames": frames_count,
    }  # fmt: skip


def main(options: FilmOptions) -> None:
    """Measure how well people are followed through the studio's films."""
    result = measure(options)
    print_table(
        "films", ("", "frame by frame", "tracked"),
        [(name, float(str(result[f"plain_{name}"])), float(str(result[name])))
         for name in ("mpjpe_mm", "pa_mpjpe_mm", "acceleration")],
    )  # fmt: skip
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, FilmOptions)
