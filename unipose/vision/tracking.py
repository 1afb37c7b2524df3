"""People are followed through a film: which person of a frame is which of the frames before.

As ByteTrack does (Zhang et al. 2022): the people that the detector is sure of are assigned first,
to the places where constant velocity leads; those it is less sure of then keep tracks alive, and
never start one. The assignment is the best one over all pairs (scipy), and nothing is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from unipose.body.keypoint_sets import COCO_17
from unipose.body.people import ImagePeople, PersonInImage, Track
from unipose.errors import ConfigError, PoseError
from unipose.metrics.boxes import box_overlap
from unipose.metrics.keypoints import object_keypoint_similarity

FEWEST_KEYPOINTS = 3
"""Two people who share fewer are compared by their boxes."""
OUTLINE_SHARE = 0.53
"""Of a box, how much is the person: OKS wants the area of the outline."""
VELOCITY_MEMORY_S = 0.15
"""Over about so long the velocity is a mean of steps."""
COASTING_S = 1.0
"""Who is not seen is expected to stop after moving on for about so long."""
GROWTH_PER_S = 2.0
"""How much less exact a place gets while nobody is seen there, in its own size per second."""


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """When a person of a frame is the one of a track; ConfigError if the numbers contradict."""

    sure: float = 0.5
    """From this confidence on a person may start a track."""
    unsure: float = 0.1
    """From this confidence on a person may continue a track."""
    gate: float = 0.2
    """Least OKS, or IoU of boxes, with the place where the track should be."""
    unsure_gate: float = 0.4
    """The same for people the detector is not sure of."""
    wait_s: float = 1.0
    """A track that nobody continues for longer has ended."""
    fewest: int = 3
    """Tracks of fewer sightings are dropped."""

    def __post_init__(self) -> None:
        if not 0 <= self.unsure <= self.sure <= 1:
            raise ConfigError(f"expected 0 <= unsure <= sure <= 1: {self.unsure}, {self.sure}")
        if not (0 < self.gate <= 1 and 0 < self.unsure_gate <= 1):
            raise ConfigError(f"expected gates in (0, 1], got {self.gate}, {self.unsure_gate}")
        if not (self.wait_s >= 0 and self.fewest >= 1):
            raise ConfigError(
                f"expected wait_s >= 0 and fewest >= 1, got {self.wait_s}, {self.fewest}"
            )


class PeopleTracker:
    """Follows people while a film is read; `tracks` gives what there is so far."""

    def __init__(self, config: TrackerConfig | None = None, *, fps: float | None = None) -> None:
        self.config = config or TrackerConfig()
        self.fps = fps
        self._followed: list[_Followed] = []
        self._alive: list[_Followed] = []
        self._frame = -1
        self._seconds = float("-inf")

    def update(
        self, image: ImagePeople, seconds: float, *, frame: int | None = None
    ) -> tuple[int | None, ...]:
        """Take the people of the next frame; return the number of each one's track, or None.

        None are people that the detector is not sure of, and who continue no track. Numbers count
        from 0 in the order in which tracks start; the order of people within a frame changes
        nothing. `frame` counts from 0, without it by calls: of a film of which every third frame
        is read, calls are what tells gaps (`Track.gaps`).

        Raises PoseError if time goes back or a frame comes twice.
        """
        frame = self._frame + 1 if frame is None else frame
        if frame <= self._frame or not seconds >= self._seconds:
            raise PoseError(
                f"frames have to go up: frame {frame} at {seconds} s comes after frame "
                f"{self._frame} at {self._seconds} s"
            )
        config, before = self.config, self._frame
        self._frame, self._seconds = frame, seconds
        self._alive = [one for one in self._alive if seconds - one.seconds[-1] <= config.wait_s]
        seen = [_Seen.of(person, i) for i, person in enumerate(image.people)]
        known = sorted((one for one in seen if one is not None), key=_Seen.order)
        sure = [one for one in known if one.person.confidence >= config.sure]
        unsure = [one for one in known if config.unsure <= one.person.confidence < config.sure]

        pairs = _assigned(self._alive, sure, seconds, config.gate)
        taken = {id(track) for track, _ in pairs}
        active = [t for t in self._alive if id(t) not in taken and t.frames[-1] == before]
        pairs += _assigned(active, unsure, seconds, config.unsure_gate)
        started = {one.at for _, one in pairs}
        for one in sure:
            if one.at not in started:
                track = _Followed(number=len(self._followed))
                self._followed.append(track)
                self._alive.append(track)
                pairs.append((track, one))

        numbers: list[int | None] = [None] * len(image.people)
        for track, one in pairs:
            track.add(one, frame, seconds)
            numbers[one.at] = track.number
        return tuple(numbers)

    def tracks(self) -> list[Track]:
        """Return the tracks so far, in the order in which they start, without those too short."""
        return [
            Track(
                frames=tuple(one.frames),
                people=tuple(one.people),
                seconds=tuple(one.seconds),
                fps=self.fps,
            )
            for one in self._followed
            if len(one.frames) >= self.config.fewest
        ]


def track_people(
    frames: Iterable[tuple[int, float, ImagePeople]],
    config: TrackerConfig | None = None,
    *,
    fps: float | None = None,
) -> list[Track]:
    """Return the people of a film over time, from (frame number, seconds, people) of each frame.

    People need a box or keypoints in the picture. Raises as `PeopleTracker.update`.
    """
    tracker = PeopleTracker(config, fps=fps)
    for frame, seconds, image in frames:
        tracker.update(image, seconds, frame=frame)
    return tracker.tracks()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """Where a person of a frame is, in pixels."""

    person: PersonInImage
    at: int
    """In the frame's list of people."""
    box: Float[Tensor, "4"]
    points: Float[Tensor, "17 2"]
    """COCO's, whatever the detector has."""
    present: Bool[Tensor, "17"]

    @classmethod
    def of(cls, person: PersonInImage, at: int) -> _Seen | None:
        """Return where they are; None without a box and without keypoints in the picture."""
        points, present = torch.zeros(17, 2), torch.zeros(17, dtype=torch.bool)
        if person.keypoints is not None and person.keypoints.points.shape[-1] == 2:
            mapped = person.keypoints
            if mapped.keypoint_set != COCO_17:
                mapped = mapped.mapped_to(COCO_17)
            points, present = mapped.points[0].float(), mapped.present[0]
        if person.box is not None:
            box = torch.tensor(person.box, dtype=torch.float32)
        elif bool(present.any()):
            box = torch.cat([points[present].amin(0), points[present].amax(0)])
        else:
            return None
        return cls(person=person, at=at, box=box, points=points, present=present)

    def order(self) -> tuple[float, ...]:
        """Return what people of a frame are sorted by, so that their order in it does not count."""
        return (-self.person.confidence, *self.box.tolist(), *self.points.flatten().tolist())


@dataclass(kw_only=True, eq=False)
class _Followed:
    number: int
    frames: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    people: list[PersonInImage] = field(default_factory=list)
    last: _Seen | None = None
    velocity: Float[Tensor, "2"] = field(default_factory=lambda: torch.zeros(2))
    """Of the whole person, pixels per second: that of single keypoints is mostly noise."""

    def add(self, seen: _Seen, frame: int, seconds: float) -> None:
        if self.last is not None and seconds > self.seconds[-1]:
            passed = seconds - self.seconds[-1]
            step = _step(self.last, seen) / passed
            share = -math.expm1(-passed / VELOCITY_MEMORY_S) if len(self.frames) > 1 else 1.0
            self.velocity = (1 - share) * self.velocity + share * step
        self.frames.append(frame)
        self.seconds.append(seconds)
        self.people.append(seen.person)
        self.last = seen

    def shift_at(self, seconds: float) -> Float[Tensor, "2"]:
        """Return how far they should have moved since they were seen, in pixels."""
        unseen = seconds - self.seconds[-1]
        return self.velocity * COASTING_S * -math.expm1(-unseen / COASTING_S)

    def growth_at(self, seconds: float) -> float:
        """Return by what factor their place is less exact than a person's own size."""
        unknown_velocity = 2 if len(self.frames) == 1 else 1
        return 1 + unknown_velocity * GROWTH_PER_S * (seconds - self.seconds[-1])


def _step(before: _Seen, after: _Seen) -> Float[Tensor, "2"]:
    """Return how far a person moved: their keypoints' median, or the middle of their box."""
    both = before.present & after.present
    if int(both.sum()) >= FEWEST_KEYPOINTS:
        return (after.points - before.points)[both].median(dim=0).values
    return ((after.box - before.box).view(2, 2)).mean(dim=0)


def _assigned(
    tracks: Sequence[_Followed], people: Sequence[_Seen], seconds: float, gate: float
) -> list[tuple[_Followed, _Seen]]:
    """Return the pairs of the assignment with the most similarity, without those below the gate.

    Similarity with a vague place counts less, as the density of a wider distribution does: who was
    hidden does not take over who hides them.
    """
    if not tracks or not people:
        return []
    growth = torch.tensor([track.growth_at(seconds) for track in tracks])
    alike = _similarity(tracks, people, seconds, growth)
    alike = torch.where(alike >= gate, alike / growth.square()[:, None], 0.0)
    rows, columns = linear_sum_assignment(alike.double().numpy(), maximize=True)
    return [(tracks[t], people[p]) for t, p in zip(rows, columns) if float(alike[t, p]) > 0]


def _similarity(
    tracks: Sequence[_Followed],
    people: Sequence[_Seen],
    seconds: float,
    growth: Float[Tensor, " track"],
) -> Float[Tensor, "track person"]:
    """Return OKS where a pair shares keypoints, and IoU of boxes where not."""
    last = [track.last for track in tracks if track.last is not None]
    shift = torch.stack([track.shift_at(seconds) for track in tracks])
    boxes = torch.stack([one.box for one in last]) + shift.repeat(1, 2)
    seen_boxes = torch.stack([one.box for one in people])
    present = torch.stack([one.present for one in last])
    seen_present = torch.stack([one.present for one in people])
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    similarity = object_keypoint_similarity(
        torch.stack([one.points for one in people]),
        torch.stack([one.points for one in last]) + shift[:, None],
        present=present,
        area_px=OUTLINE_SHARE * sides.prod(dim=1) * growth.square(),
        sigmas=COCO_17.sigmas,
        found_present=seen_present,
    ).T
    shared = (present[:, None] & seen_present[None]).sum(-1)
    overlap = box_overlap(_grown(boxes[:, None], growth), _grown(seen_boxes[None], growth))
    return torch.where(shared >= FEWEST_KEYPOINTS, similarity, overlap)


def _grown(
    boxes: Float[Tensor, "any_track any_person 4"], growth: Float[Tensor, " track"]
) -> Float[Tensor, "track any_person 4"]:
    """Return boxes larger by each track's growth, about their middles."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1) / 2 * growth[:, None, None]
    return torch.cat([middle - half, middle + half], dim=-1)
