"""A recording is changed by words in one of its frames and written on its own skeleton again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unipose.app.options import ReadOptions, RecordingEditOptions
from unipose.app.pose_actions import Assistant
from unipose.app.pose_changes import only_moved
from unipose.app.pose_input import check_drawn, refuse_own
from unipose.app.recording_picture import draw_recordings
from unipose.app.wording import SAID_NOTHING
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import FileError, FileNote, PoseError, PoseQueryError, SkeletonError
from unipose.files.atomic import written_whole
from unipose.files.bvh import read_bvh
from unipose.files.edited_bvh import write_edited_bvh
from unipose.files.motion import Motion
from unipose.files.notes import add_note
from unipose.files.retarget import retarget
from unipose.files.retarget_back import eased, source_change, turned_motion
from unipose.files.source_bones import SourceBones, find_bones
from unipose.files.standing_feet import RootFollowing, follow_feet


@dataclass(frozen=True, kw_only=True)
class RecordingEdit:
    """What is to be changed, and how."""

    file: Path
    out: Path
    text: str
    reading: ReadOptions
    options: RecordingEditOptions
    body: Body | None = None

    def __post_init__(self) -> None:
        refuse_own(self.out, self.file)
        if self.reading.at is not None and self.reading.frame is not None:
            raise PoseQueryError("say which pose by its second or by its frame, not by both")
        if self.options.picture is not None:
            check_drawn(self.options.picture, self.file, ending=".png")

    def run(self, load: Callable[[], Assistant]) -> EditedRecording:
        """Read, describe, edit and write; `load` gives the model once the file has been read.

        Raises FileError for a file that is no BVH, a frame that is not there, or a joint that
        would have to turn and cannot.
        """
        try:
            return self._run(load)
        except (PoseError, SkeletonError) as error:
            raise FileError(self.file, f"{error}.") from error

    def _run(self, load: Callable[[], Assistant]) -> EditedRecording:
        motion = self._read(self.file)
        frame = motion.frame_number(at=self.reading.at, frame=self.reading.frame or 0)
        if self.reading.at is None and self.reading.frame is None and len(motion) > 1:
            add_note(
                self.file,
                f"holds {len(motion):,} poses; this is the first, --at SECONDS or --frame N picks "
                "one",
            )
        bones = find_bones(motion)
        before = self._pose(motion, frame, bones)
        assistant = load()
        described = assistant.describe(before)
        edited = assistant.edit(before, self.text)
        # the model codes every pose anew: joints that nobody spoke of come back degrees off
        wanted = only_moved(before, edited, degrees=self.options.least)
        change = source_change(motion, bones, frame, before, wanted)
        if change.lost:
            add_note(
                self.file,
                f"the skeleton has no joint for {', '.join(change.lost)}; what they turn is lost.",
            )
        weights = eased(frame, self.options.blend, len(motion))
        turned = turned_motion(motion, change, weights)
        moved, root = follow_feet(motion, turned, bones, weights)
        write_edited_bvh(self.file, self.out, motion, moved)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileNote)  # what was said of the file is said
            again = self._read(self.out)
            after = self._pose(again, frame, find_bones(again))
        if self.options.picture is not None:
            picture = draw_recordings(motion, again, bones, frame, turned=[*change.turns])
            with written_whole(self.options.picture) as temporary:
                picture.save(temporary, format="PNG")
        return EditedRecording(
            frame=frame,
            fps=motion.fps,
            before=described,
            after=assistant.describe(after),
            turned=change.degrees(motion),
            root=root,
            changed_frames=sorted(f for f, _ in weights) if change.turns else [],
            files=[str(path) for path in (self.out, self.options.picture) if path is not None],
        )

    def _read(self, path: Path) -> Motion:
        reading = self.reading
        return read_bvh(
            path, fps=reading.fps, up=reading.up, skeleton=reading.skeleton, person=reading.person
        )

    def _pose(self, motion: Motion, frame: int, bones: SourceBones) -> Pose:
        body = load_body() if self.body is None else self.body
        rest = body.rest_joints.double().cpu().numpy()
        pose = retarget(motion, rest, frames=np.array([frame]), body=body.id, bones=bones)
        return replace(pose, fps=None)


@dataclass(frozen=True, kw_only=True)
class EditedRecording:
    """What was done to a recording."""

    frame: int
    fps: float
    before: str
    """The pose of that frame in words."""
    after: str
    """The pose in words that the written file holds there."""
    turned: dict[str, float]
    """Joint of the file -> degrees."""
    root: RootFollowing
    changed_frames: list[int]
    files: list[str]

    def fields(self) -> dict[str, object]:
        """Return what the command prints as JSON."""
        return {
            "frame": self.frame,
            "before": self.before,
            "after": self.after,
            "turned_degrees": {name: round(by, 2) for name, by in self.turned.items()},
            "changed_frames": self.changed_frames,
            "feet_that_stand": list(self.root.feet),
            "root_moved_cm": round(self.root.moved_cm, 2),
            "root": str(self.root),
            "files": self.files,
        }

    def lines(self) -> list[str]:
        """Return what the command prints."""
        joints = ", ".join(f"{name} {degrees:.0f}" for name, degrees in self.turned.items())
        frames = self.changed_frames
        span = f"frames {frames[0]} to {frames[-1]}" if len(frames) > 1 else f"frame {self.frame}"
        return [
            f"before, frame {self.frame} ({self.frame / self.fps:.2f} s): "
            + (self.before or SAID_NOTHING),
            f"after: {self.after or SAID_NOTHING}",
            f"turned in {span}, degrees: {joints}" if joints else "turned: nothing",
            f"root: {self.root}",
            *self.files,
        ]
