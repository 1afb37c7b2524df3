"""BlazePose's weights: taken once out of a package that carries them, checked, kept in the cache.

    python -m unipose.vision.blazepose_files      # `make setup` does it

The Apache-2.0 wheel of MediaPipe holds the networks as TensorFlow Lite files. Its code is never
installed or imported: its own requirements contradict ours, and it is not built for every Python.
pip fetches the wheel, whose hash stands in `requirements-blazepose.lock`, for whatever platform it
was made, and the files come out of it as out of any zip.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from unipose.errors import MissingFileError, UniPoseError, WeightsError
from unipose.files.atomic import written_whole
from unipose.files.cache import cache_folder

LOCK = Path(__file__).parents[2] / "requirements-blazepose.lock"
WHEEL_OF = ("--python-version", "3.12", "--platform", "manylinux2014_x86_64")
"""The wheel that is taken, on every platform: it is read, not run."""
FILES = {
    "pose_detection": "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "pose_landmark_full": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
"""Name of a network -> SHA-256 of its file."""


def blazepose_folder() -> Path:
    """Return the folder of the networks' files. Raises MissingFileError that says how to get it."""
    folder = cache_folder() / "blazepose"
    for name in FILES:
        if not (folder / f"{name}.tflite").is_file():
            raise MissingFileError(
                folder / f"{name}.tflite",
                "the pose network for photographs is not there.",
                "`make setup` brings it (python -m unipose.vision.blazepose_files).",
            )
    return folder


def checked(path: Path) -> Path:
    """Return the path of a network's file. Raises WeightsError if it is not the one we know."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    expected = FILES[path.stem]
    if digest != expected:
        raise WeightsError(
            path,
            f"expected the SHA-256 {expected[:12]}..., got {digest[:12]}...",
            "Delete it and fetch it again: python -m unipose.vision.blazepose_files",
        )
    return path


def take_out(wheel: Path) -> None:
    """Copy the networks out of the wheel into the cache; each file appears whole."""
    folder = cache_folder() / "blazepose"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        members = {Path(name).stem: name for name in archive.namelist() if name.endswith(".tflite")}
        for name in FILES:
            if name not in members:
                raise WeightsError(wheel, f"holds no {name}.tflite.")
            with written_whole(folder / f"{name}.tflite") as temporary:
                temporary.write_bytes(archive.read(members[name]))
            checked(folder / f"{name}.tflite")


def main() -> None:
    """Fetch what is missing; nothing is fetched when all is there."""
    try:
        for name in FILES:
            checked(blazepose_folder() / f"{name}.tflite")
    except (MissingFileError, WeightsError):
        pass
    else:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
            "--only-binary", ":all:", *WHEEL_OF, "--dest", folder, "--requirement", str(LOCK),
        ]  # fmt: skip
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own arguments
            raise SystemExit("error: pip could not fetch the pose network for photographs")
        try:
            take_out(next(Path(folder).glob("*.whl")))
        except UniPoseError as error:
            raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
