"""Everything one can ask the model: the `UniPose` class, with plain inputs and outputs."""

from unipose.assistant.assistant import UniPose
from unipose.assistant.loading import MINI
from unipose.assistant.picture_reading import Eyes
from unipose.assistant.pose_answer import PoseAnswer

__all__ = ["MINI", "Eyes", "PoseAnswer", "UniPose"]
