"""Where a command's models come from; importing them takes seconds."""

from __future__ import annotations

from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from unipose.assistant import Eyes, UniPose
from unipose.language.conversation_model import ConversationModel
from unipose.vision.detector import PeopleDetector


def load_assistant(
    folder: Path | None, *, device: str = "cpu", dtype: str | None = None, eyes: Eyes = "auto"
) -> UniPose:
    """Return the model in `folder`, or the embedded one, loaded without a progress bar."""
    disable_progress_bar()
    return UniPose.load(folder, device=device, dtype=dtype, eyes=eyes)


def load_speaker(adapters: Path | None, *, device: str = "cpu") -> ConversationModel:
    """Return the conversation model with these adapters, or the embedded one."""
    disable_progress_bar()
    return ConversationModel.load(adapters, device=device)


def load_detector(name: str) -> PeopleDetector:
    """Return an object detector of Hugging Face that knows people, by folder or name."""
    disable_progress_bar()
    return PeopleDetector.load(name)
