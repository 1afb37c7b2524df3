"""Every error a user can meet: what was expected, what came, what to do."""

from __future__ import annotations

from pathlib import Path


class UniPoseError(Exception):
    """Base of all errors raised on purpose; the command line prints them in one line."""


class ConfigError(UniPoseError, ValueError):
    """A configuration contradicts itself or asks for something that does not exist."""


class PoseError(UniPoseError, ValueError):
    """An array that should be a pose is not one (shape, not finite, not a rotation)."""


class LiftingError(PoseError):
    """Keypoints or poses that no lifter can use; the message names the first such frame."""


class SkeletonError(UniPoseError, ValueError):
    """A skeleton lacks a joint that is needed, or names one that is unknown."""


class PoseParseError(UniPoseError, ValueError):
    """A model's answer should hold a pose and does not."""


class FileError(UniPoseError, ValueError):
    """A file cannot be used; the message names the file, what is wrong and what to do."""

    def __init__(self, path: str | Path, problem: str, remedy: str = "") -> None:
        self.path = Path(path)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}" + (f" {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[object, ...]:  # how it passes from a worker process
        return type(self), (self.path, self.problem, self.remedy)


class MissingFileError(FileError, FileNotFoundError):
    """A file that was asked for is not there."""


class FileNote(UserWarning):
    """A file was read, but not everything in it is certain; the message says what was assumed."""


class BodyFileError(FileError):
    """A body model file is of the wrong family, incomplete, or holds something that is not data."""


class WeightsError(FileError):
    """Weights on disk do not fit the model that should load them."""


class PoseQueryError(UniPoseError, ValueError):
    """A question cannot be answered as asked (an empty prompt, a pose that is not there)."""


class BlindModelError(PoseQueryError):
    """A picture was shown to a model without eyes."""

    def __init__(self) -> None:
        super().__init__(
            "this model cannot see; load one that was trained with pictures (--model FOLDER), or "
            "give it a pose file"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), ()


class AnswerParseError(UniPoseError, ValueError):
    """A model's answer should hold a table or a word of a list and does not; its text is told."""


class SourceError(FileError):
    """A public data set is not where it was said to be, or is there only in part."""


class EmptySourceError(SourceError):
    """Nothing that a data set holds could be used; the message counts what was left out."""


class UnusableRecordError(UniPoseError, ValueError):
    """One record of a data set cannot be used; readers leave it out and say why."""


class EndpointError(UniPoseError, ConnectionError):
    """A server that should answer refuses us or stays broken."""
