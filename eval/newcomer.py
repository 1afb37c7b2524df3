"""What a newcomer waits for and downloads: from an empty clone to the first two answers.

The last commit of `--repository` is cloned into an empty folder, `make setup` runs there with
caches of its own that are empty, and the command is asked about a recording and a photograph
(`--recording`, `--photo`; without them a named pose is written as .bvh and drawn). Seconds by the
clock; `disk_mb` is all that lies on the disk afterwards, clone, environment and caches;
`packages_mb` the largest packages. The folder is removed. Run as `python -m eval.newcomer`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.program import print_result, print_table, run
from unipose.errors import ConfigError

QUESTION = "is the left knee bent?"
SIZES = (
    "import json; from unipose.app.installation import package_sizes_mb as sizes; "
    "print(json.dumps(sizes()))"
)


@dataclass(frozen=True, kw_only=True)
class NewcomerOptions:
    """Options of eval.newcomer."""

    repository: Path = Path()
    """What is cloned."""
    folder: Path | None = None
    """Where the clone and its caches are put for a while; None: the folder for temporary files."""
    recording: Path | None = None
    """A recording to ask about."""
    photo: Path | None = None
    """A photograph to ask about."""
    starts: int = 3
    """How often `unipose --help` is started; the median counts."""
    largest: int = 12
    """How many packages are listed."""
    json: bool = False
    """Print one JSON object as the last line."""


def timed(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[float, str]:
    """Return how long a command takes (seconds) and what it prints.

    Raises ConfigError, with the last line of what it said, if it fails.
    """
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise ConfigError(f"{' '.join(command)} failed: {said[-1]}")
    return time.perf_counter() - start, done.stdout.strip()


def disk_mb(folder: Path) -> float:
    """Return what a folder takes on the disk (megabytes), whole blocks counted."""
    paths = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    return sum(path.lstat().st_blocks * 512 for path in paths) / 1e6


def empty_caches(folder: Path) -> dict[str, str]:
    """Return an environment whose caches lie in a folder and are empty, without an active venv."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAKE") and name not in ("VIRTUAL_ENV", "PYTHONPATH", "MFLAGS")
    }
    caches = str(folder / "caches")
    return kept | {"PIP_NO_CACHE_DIR": "1", "XDG_CACHE_HOME": caches, "UNIPOSE_CACHE": caches}


def children_cpu_s() -> float:
    """Return the seconds that finished programs of this one took of a processor."""
    spent = os.times()
    return spent.children_user + spent.children_system


def measure(options: NewcomerOptions, folder: Path) -> dict[str, object]:
    """Clone into a folder, set up, ask; return the figures."""
    environment, clone = empty_caches(folder), folder / "unipose"
    source = options.repository.resolve().as_uri()
    cloning, _ = timed(["git", "clone", "--quiet", source, str(clone)], folder, environment)
    before = children_cpu_s()
    setting_up, _ = timed(["make", "setup", f"PYTHON={sys.executable}"], clone, environment)
    setup_cpu_s = children_cpu_s() - before
    unipose = str(clone / ".venv/bin/unipose")
    helps = [timed([unipose, "--help"], clone, environment)[0] for _ in range(options.starts)]
    pose, recording, photo = (folder / name for name in ("pose.npz", "pose.bvh", "pose.png"))
    if options.recording is None or options.photo is None:
        timed([unipose, "poses", "squat", "--out", str(pose)], clone, environment)
        for made in (recording, photo):
            timed([unipose, "convert", str(pose), str(made)], clone, environment)
    files = [options.recording or recording, options.photo or photo]
    asked = [
        timed([unipose, "ask", str(file.resolve()), QUESTION], clone, environment)
        for file in files
    ]  # fmt: skip
    python = str(clone / ".venv/bin/python")
    sizes = json.loads(timed([python, "-c", SIZES], clone, environment)[1])
    return {
        "clone_s": cloning, "setup_s": setting_up, "setup_cpu_s": setup_cpu_s,
        "import_s": statistics.median(helps),
        "recording_answer_s": asked[0][0], "photo_answer_s": asked[1][0],
        "until_both_answers_s": cloning + setting_up + sum(seconds for seconds, _ in asked),
        "disk_mb": disk_mb(folder), "clone_mb": disk_mb(clone / ".git"),
        "environment_mb": disk_mb(clone / ".venv"), "caches_mb": disk_mb(folder / "caches"),
        "packages_mb": dict(list(sizes.items())[: options.largest]), "packages": len(sizes),
        "answers": [said for _, said in asked], "load_average": os.getloadavg()[0],
    }  # fmt: skip


def main(options: NewcomerOptions) -> None:
    """Measure what a newcomer waits for and downloads."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(options, Path(folder))
    if not options.json:
        rows = [(name, value) for name, value in result.items() if isinstance(value, int | float)]
        print_table("From an empty clone to two answers", ["", "value"], rows)
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, NewcomerOptions)
