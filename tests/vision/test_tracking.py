"""People stay themselves through a film: where they cross, are missed, go and come back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch

from tests.fakes.walkers import person, walker_points
from unipose.body.keypoint_sets import BLAZEPOSE_33, COCO_17, KeypointSet
from unipose.body.people import ImagePeople, PersonInImage, Track
from unipose.errors import ConfigError, PoseError
from unipose.vision.tracking import PeopleTracker, TrackerConfig, track_people

FPS = 10.0
Frames = list[tuple[int, float, ImagePeople]]


def film(count: int, people_of: Callable[[int], list[PersonInImage]]) -> Frames:
    return [
        (i, i / FPS, ImagePeople(image=str(i), people=tuple(people_of(i)))) for i in range(count)
    ]


def crossing(keypoint_set: KeypointSet | None = COCO_17, *, hidden_px: float = 0.0) -> Frames:
    """Two people walk towards and past each other; A hides B where they are so near."""
    noise = torch.Generator().manual_seed(1)

    def people_of(i: int) -> list[PersonInImage]:
        people = []
        for name, x, y in (("A", 100 + 12 * i, 240), ("B", 580 - 12 * i, 250)):
            points = walker_points(x, y=y, phase=i / 10)
            points += torch.randn(17, 2, generator=noise)
            if name == "B" and abs(480 - 24 * i) < hidden_px:
                continue
            people.append(
                person(
                    points,
                    name=name,
                    with_keypoints=keypoint_set is not None,
                    keypoint_set=keypoint_set or COCO_17,
                )
            )
        return people

    return film(40, people_of)


def names(track: Track) -> set[str]:
    return {one.detector for one in track.people}


@pytest.mark.parametrize("keypoint_set", [COCO_17, BLAZEPOSE_33, None], ids=["coco", "33", "boxes"])
def test_two_people_who_cross_keep_their_tracks(keypoint_set: KeypointSet | None) -> None:
    tracks = track_people(crossing(keypoint_set), fps=FPS)
    assert [names(track) for track in tracks] in ([{"A"}, {"B"}], [{"B"}, {"A"}])
    assert [len(track) for track in tracks] == [40, 40]
    assert tracks[0].fps == FPS
    assert tracks[0].seconds == pytest.approx([i / FPS for i in range(40)])


@pytest.mark.parametrize("keypoint_set", [COCO_17, None], ids=["coco", "boxes"])
def test_who_is_hidden_while_they_cross_does_not_take_over_who_hides_them(
    keypoint_set: KeypointSet | None,
) -> None:
    tracks = track_people(crossing(keypoint_set, hidden_px=80.0))
    assert sorted((*names(track), len(track)) for track in tracks) == [("A", 40), ("B", 33)]


def test_the_order_of_people_within_a_frame_changes_nothing() -> None:
    frames = crossing()
    shuffled = []
    for number, seconds, image in frames:
        people = list(image.people)
        random.Random(number).shuffle(people)
        shuffled.append((number, seconds, ImagePeople(image=image.image, people=tuple(people))))
    once, again = track_people(frames), track_people(shuffled)
    assert [t.people for t in once] == [t.people for t in again]
    assert [t.people for t in once] == [t.people for t in track_people(frames)]


def test_a_person_who_is_missed_for_three_frames_keeps_their_track() -> None:
    frames = film(
        20, lambda i: [] if i in (8, 9, 10) else [person(walker_points(100 + 15 * i, phase=i / 9))]
    )
    (track,) = track_people(frames)
    assert track.gaps == [range(8, 11)]
    assert len(track) == 17


def leaving(away: int) -> Frames:
    """One stays; the other is gone for some frames from the tenth on and comes back there."""

    def people_of(i: int) -> list[PersonInImage]:
        staying = person(walker_points(150, phase=0.0), name="A")
        going = person(walker_points(500, phase=0.0), name="B")
        return [staying] if 10 <= i < 10 + away else [staying, going]

    return film(45, people_of)


def test_who_comes_back_soon_is_the_same_and_who_comes_back_late_is_another() -> None:
    soon = track_people(leaving(8))
    assert sorted(len(track) for track in soon) == [37, 45]
    late = track_people(leaving(15))
    assert sorted(len(track) for track in late) == [10, 20, 45]
    patient = track_people(leaving(15), TrackerConfig(wait_s=2.0))
    assert sorted(len(track) for track in patient) == [30, 45]


def test_an_unsure_person_continues_a_track_and_never_starts_one() -> None:
    def people_of(i: int) -> list[PersonInImage]:
        unsure = 0.3 if 5 <= i < 9 else 0.9
        known = person(walker_points(100 + 5 * i, phase=0.0), confidence=unsure)
        return [known, person(walker_points(500, phase=0.0), confidence=0.3)]

    (track,) = track_people(film(15, people_of))
    assert len(track) == 15
    assert not track.gaps


def test_short_tracks_are_dropped_and_live_numbers_say_who_is_who() -> None:
    tracker = PeopleTracker(TrackerConfig(fewest=3))
    walker = [person(walker_points(100 + 5 * i, phase=0.0)) for i in range(5)]
    ghost = person(walker_points(500, phase=0.0), confidence=0.6)
    faint = person(walker_points(400, phase=0.0), confidence=0.2)
    nowhere = PersonInImage()
    first = ImagePeople(image="0", people=(ghost, nowhere, walker[0], faint))
    assert tracker.update(first, 0.0) == (1, None, 0, None)
    for i in range(1, 5):
        image = ImagePeople(image=str(i), people=(walker[i],))
        assert tracker.update(image, i / FPS) == (0,)
    (track,) = tracker.tracks()
    assert track.people == tuple(walker)


def test_frames_that_go_back_and_contradicting_numbers_are_refused() -> None:
    tracker = PeopleTracker()
    tracker.update(ImagePeople(image="a"), 1.0)
    with pytest.raises(PoseError, match="frames have to go up"):
        tracker.update(ImagePeople(image="b"), 0.5)
    with pytest.raises(PoseError, match="frames have to go up"):
        tracker.update(ImagePeople(image="b"), 1.5, frame=0)
    for wrong in ({"sure": 0.1, "unsure": 0.5}, {"gate": 0.0}, {"wait_s": -1.0}, {"fewest": 0}):
        with pytest.raises(ConfigError, match="expected"):
            TrackerConfig(**wrong)  # type: ignore[arg-type]
