"""Where a command's models come from; importing them takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from transformers.utils.logging import disable_progress_bar

from unipose.assistant import Box, UniPose
from unipose.language.conversation_model import ConversationModel


def load_assistant(folder: Path | None, *, device: str = "cpu", dtype: str = "float32") -> UniPose:
    """Return the model in `folder`, or the embedded one, loaded without a progress bar."""
    disable_progress_bar()
    return UniPose.load(folder, device=device, dtype=dtype)


def load_speaker(adapters: Path | None, *, device: str = "cpu") -> ConversationModel:
    """Return the conversation model with these adapters, or the embedded one."""
    disable_progress_bar()
    return ConversationModel.load(adapters, device=device)


def find_people(pixels: UInt8[np.ndarray, "_ _ 3"], detector: str) -> list[Box]:
    """Return a box around each person in a photo, by the named detector, from left to right."""
    from unipose.vision.detector import PeopleDetector  # slow to import, and seldom needed

    disable_progress_bar()
    return list(PeopleDetector.load(detector).find(pixels))
