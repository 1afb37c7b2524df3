"""Talk with a computer about 3D human pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unipose.assistant import UniPose
    from unipose.body.pose import Pose
    from unipose.files import open_pose, save_pose

__all__ = ["Pose", "UniPose", "open_pose", "save_pose"]

_HOMES = {
    "Pose": "unipose.body.pose",
    "UniPose": "unipose.assistant",
    "open_pose": "unipose.files",
    "save_pose": "unipose.files",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: `import unipose` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unipose' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
