"""`unipose doctor`: is everything there, and does it work together?"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from unipose.errors import UniPoseError


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str


def examine() -> list[Checkup]:
    """Return what was found, each thing tried for real: packages, torch, body, model."""
    return [
        Checkup(what="python", good=sys.version_info >= (3, 11), found=platform.python_version()),
        *_packages(),
        _try("torch", _torch),
        _try("torchvision", _torchvision),
        _try("body", _body),
        _try("model", _model),
        _try("conversation", _conversation),
        _try("photographs", _photographs),
    ]


def _packages() -> Iterator[Checkup]:
    """Compare what is installed with what the project asks for; only what is wrong is listed."""
    from packaging.requirements import Requirement

    wrong = []
    wanted = [Requirement(line) for line in requires("unipose") or []]
    wanted = [need for need in wanted if need.marker is None or need.marker.evaluate()]
    for need in wanted:
        try:
            found = version(need.name)
        except PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(found, prereleases=True):
            wrong.append(f"{need.name} {found} is not {need.specifier}")
    found = "; ".join(wrong) + "; `make setup` mends it" if wrong else f"all {len(wanted)} there"
    yield Checkup(what="packages", good=not wrong, found=found)


def _torch() -> str:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return f"{torch.__version__} on {device}, {torch.get_num_threads()} threads of {os.cpu_count()}"


def _torchvision() -> str:
    import torchvision

    return str(torchvision.__version__)


def _body() -> str:
    from unipose.body.body import load_body

    body = load_body()
    return f"{body.id}, {len(body.template):,} vertices"


def _model() -> str:
    from unipose.app.examples import example_pose
    from unipose.app.sources import load_assistant

    said = load_assistant(None).describe(example_pose("squat"))
    return f'embedded; it says of a squat: "{said}"'


def _conversation() -> str:
    from unipose.app.examples import example_pose
    from unipose.app.sources import load_assistant

    question = "which knee is bent more?"
    said = load_assistant(None).answer(question, example_pose("step"))
    return f'embedded; asked of a step "{question}": "{said}"'


def _photographs() -> str:
    from unipose.vision.network_files import SHA256, network_file

    names = sorted({name.partition(".")[0] for name in SHA256})
    for name in names:
        network_file(name)
    return f"networks {', '.join(names)}"


def _try(what: str, look: Callable[[], str]) -> Checkup:
    try:
        return Checkup(what=what, good=True, found=look())
    except (UniPoseError, ImportError, OSError, RuntimeError) as error:
        problem = " ".join(str(error).split())
        return Checkup(what=what, good=False, found=f"{type(error).__name__}: {problem}")
