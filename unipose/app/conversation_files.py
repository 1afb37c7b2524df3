"""A conversation on disk: one JSON file with its turns and its poses.

{"unipose_conversation": 1, "turns": [{"state": "pose 1", "messages": [["user", "..."], ...]}],
"poses": [{"origin": "...", "axis_angle": [[x, y, z] * 24], "body": "..."}], "steps": [1, 2]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from unipose.app.pose_actions import HeldPose
from unipose.body.pose import Pose
from unipose.errors import FileError, MissingFileError, UniPoseError
from unipose.files.atomic import written_whole
from unipose.language.chat_rendering import Message
from unipose.posecodes.held_poses import HeldPoses

FORMAT = 1
_ROLES = ("user", "assistant", "tool")


@dataclass(kw_only=True)
class SpokenTurn:
    """One turn as the language model reads it again."""

    state: str
    """The poses at its beginning; empty without poses."""
    opened: str = ""
    """The pose that was opened by hand just before."""
    messages: list[Message] = field(default_factory=list)


def save_conversation(turns: list[SpokenTurn], held: HeldPoses[HeldPose], path: Path) -> Path:
    """Write a conversation; a recording that a pose was taken from is not part of it."""
    content = {
        "unipose_conversation": FORMAT,
        "turns": [
            {
                "state": turn.state,
                "opened": turn.opened,
                "messages": [[message.role, message.text] for message in turn.messages],
            }
            for turn in turns
        ],
        "poses": [_pose_as_data(item) for item in held.items],
        "steps": held.steps,
        "undone": held.undone,
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def is_kept_conversation(path: Path) -> bool:
    """Return whether a file begins as one that was kept."""
    with path.open("rb") as file:
        return file.read(40).lstrip().startswith(b'{"unipose_conversation"')


def load_conversation(path: Path) -> tuple[list[SpokenTurn], HeldPoses[HeldPose]]:
    """Read the turns and the poses of a conversation.

    Raises MissingFileError if it is not there, FileError if it is no conversation.
    """
    if not path.is_file():
        raise MissingFileError(path, "there is no such conversation.", "/keep FILE writes one.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["unipose_conversation"] != FORMAT:
            raise ValueError(f"format {content['unipose_conversation']!r}")
        turns = [
            SpokenTurn(
                state=str(turn["state"]),
                opened=str(turn.get("opened", "")),
                messages=[_message(*message) for message in turn["messages"]],
            )
            for turn in content["turns"]
        ]
        poses = [_pose_of_data(data) for data in content["poses"]]
        steps, undone = ([int(n) for n in content[name]] for name in ("steps", "undone"))
        before = [held.before for held in poses if held.before is not None]
        if not all(1 <= number <= len(poses) for number in (*steps, *undone, *before)) or (
            bool(steps) != bool(poses)
        ):
            raise ValueError("steps that name no pose")
    except (ValueError, KeyError, TypeError, AttributeError, UniPoseError) as error:
        raise FileError(
            path, f"is no conversation that was kept ({error}).", "Expected what /keep FILE writes."
        ) from error
    held = HeldPoses[HeldPose]()
    held.items, held.steps, held.undone = poses, steps, undone
    return turns, held


def _message(role: str, text: str) -> Message:
    if role not in _ROLES or not isinstance(text, str):
        raise ValueError(f"a message of {role!r}")
    return Message.of(role, text)  # type: ignore[arg-type]


def _pose_as_data(held: HeldPose) -> dict[str, Any]:
    pose = held.pose
    return {
        "origin": held.origin,
        "before": held.before,
        "from_photo": held.from_photo,
        "axis_angle": pose.axis_angle[0].tolist(),
        "betas": None if pose.betas is None else pose.betas[0].tolist(),
        "translation": None if pose.translation is None else pose.translation[0].tolist(),
        "body": pose.body,
    }


def _pose_of_data(data: dict[str, Any]) -> HeldPose:
    def batch(name: str) -> torch.Tensor | None:
        return None if data[name] is None else torch.tensor([data[name]], dtype=torch.float32)

    turns = torch.tensor([data["axis_angle"]], dtype=torch.float32)
    if turns.shape != (1, 24, 3) or not bool(torch.isfinite(turns).all()):
        raise ValueError(f"a pose of shape {tuple(turns.shape)}")
    pose = Pose.from_axis_angle(
        turns, betas=batch("betas"), translation=batch("translation"), body=str(data["body"])
    )
    before = data.get("before")
    return HeldPose(
        pose=pose,
        origin=str(data["origin"]),
        before=None if before is None else int(before),
        from_photo=bool(data.get("from_photo", False)),
    )
