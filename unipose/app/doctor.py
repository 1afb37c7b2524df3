"""What `unipose doctor` looks at: is every part there, and does it work?"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unipose.app.installation import extras, needed, problems_of
from unipose.errors import UniPoseError

WEIGHTS = Path(__file__).parents[1] / "weights"
ENDPOINT = "OPENAI_BASE_URL"
"""The variable by which clients of OpenAI's API name another address."""


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str
    optional: bool = False
    """Whether all that comes without asking works without it."""

    @property
    def mark(self) -> str:
        """Return how it is shown: ok, missing (what nobody needs), or FAIL."""
        return "ok" if self.good else "missing" if self.optional else "FAIL"


@dataclass(frozen=True, kw_only=True)
class CheckupOptions:
    """What of the user's own is looked at, too."""

    body: str | None = None
    """A file of an SMPL, SMPL-H or SMPL-X body."""
    endpoint: str | None = None
    """Address of an OpenAI-compatible server, up to and with /v1."""


def examine(options: CheckupOptions | None = None) -> list[Checkup]:
    """Return what was found, each thing tried for real: packages, torch, bodies, models."""
    options = options or CheckupOptions()
    return [
        Checkup(what="python", good=sys.version_info >= (3, 11), found=platform.python_version()),
        _packages(),
        _try("torch", _torch),
        _try("GPU", _gpu, optional=True),
        _try("torchvision", _torchvision),
        _try("body", _body),
        _try("own body", lambda: _own_body(options.body), optional=options.body is None),
        _try("weights", _weights),
        _try("model", _model),
        _try("base language model", _base),
        _try("conversation", _conversation),
        _try("photographs", _photographs),
        _try("endpoint", lambda: _endpoint(options.endpoint), optional=options.endpoint is None),
        *_extras(),
    ]


class _NotThereError(UniPoseError):
    """Something optional is not there; the message says how to get it."""


def _packages() -> Checkup:
    """Compare what is installed with what the project asks for; only what is wrong is listed."""
    wanted = needed()
    wrong = problems_of(wanted)
    found = "; ".join(wrong) + "; `make setup` mends it" if wrong else f"all {len(wanted)} there"
    return Checkup(what="packages", good=not wrong, found=found)


def _extras() -> Iterator[Checkup]:
    """Look at the packages that only some work needs, each with the command that brings it."""
    for extra in extras():
        found = ", ".join(extra.packages)
        if extra.problems:
            found = f"{'; '.join(extra.problems)}; {extra.command} brings it"
        yield Checkup(
            what=f"extra {extra.name}", good=not extra.problems, found=found, optional=True
        )


def _torch() -> str:
    import torch

    return f"{torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()}"


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        raise _NotThereError("none that torch sees; everything runs on the CPU, more slowly")
    one = torch.cuda.get_device_properties(0)
    count = torch.cuda.device_count()
    return f"{count} x {one.name}, {one.total_memory / 2**30:.0f} GB; --device cuda uses it"


def _torchvision() -> str:
    import torchvision

    return str(torchvision.__version__)


def _body() -> str:
    from unipose.body.body import load_body

    body = load_body()
    return f"{body.id}, {len(body.template):,} vertices"


def _own_body(file: str | None) -> str:
    from unipose.body.body import load_body

    if file is None:
        raise _NotThereError("none was named; --body FILE tries an SMPL, SMPL-H or SMPL-X file")
    body = load_body(Path(file))
    return f"{body.id}, {len(body.template):,} vertices"


def _weights() -> str:
    """List the weights that come along, each opened for its sizes alone."""
    from safetensors import safe_open

    sizes: dict[str, float] = {}
    for path in sorted(WEIGHTS.rglob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            assert file.keys()
        name = path.relative_to(WEIGHTS).parts[0].removesuffix(".safetensors")
        sizes[name] = sizes.get(name, 0) + path.stat().st_size / 1e6
    if not sizes:
        raise _NotThereError(f"there are none in {WEIGHTS}; clone the repository again")
    return ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items())


def _model() -> str:
    from unipose.app.examples import example_pose
    from unipose.app.sources import load_assistant

    assistant = load_assistant(None)
    said = assistant.describe(example_pose("squat"))
    return (
        f'{assistant.name} says of a squat: "{said}"; '
        f"{assistant.maker.name} makes and changes poses"
    )


def _base() -> str:
    from unipose.language.base_model import NAME, base_folder

    return f"{NAME}, {_megabytes(base_folder().iterdir())}"


def _conversation() -> str:
    from unipose.app.examples import example_pose
    from unipose.app.sources import load_assistant

    question = "which knee is bent more?"
    said = load_assistant(None).answer(question, example_pose("step"))
    return f'embedded; asked of a step "{question}": "{said}"'


def _photographs() -> str:
    from unipose.vision.network_files import SHA256, network_file

    names = sorted({name.partition(".")[0] for name in SHA256})
    files = [network_file(name) for name in names]
    size = _megabytes(part for file in files for part in (file, file.with_suffix(".bin")))
    return f"networks {', '.join(names)}; {size}"


def _megabytes(files: Iterator[Path]) -> str:
    return f"{sum(file.stat().st_size for file in files) / 1e6:.0f} MB"


def _endpoint(address: str | None) -> str:
    """Ask an OpenAI-compatible server for its models."""
    import httpx2

    address = address or os.environ.get(ENDPOINT)
    if not address:
        raise _NotThereError(
            f"none is configured; --endpoint ADDRESS or {ENDPOINT} names an OpenAI-compatible one"
        )
    key = os.environ.get("OPENAI_API_KEY", "none")
    try:
        answer = httpx2.get(
            f"{address.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"}, timeout=10
        )
        answer.raise_for_status()
        models = [str(one["id"]) for one in answer.json()["data"]]
    except (httpx2.HTTPError, httpx2.InvalidURL, KeyError, TypeError, ValueError) as error:
        raise _NotThereError(f"{address} does not answer as expected ({error})") from error
    return f"{address} answers; models: {', '.join(models) or 'none'}"


def _try(what: str, look: Callable[[], str], *, optional: bool = False) -> Checkup:
    try:
        return Checkup(what=what, good=True, found=look(), optional=optional)
    except _NotThereError as missing:
        return Checkup(what=what, good=False, found=str(missing), optional=optional)
    except (UniPoseError, ImportError, OSError, RuntimeError, ValueError) as error:
        problem = " ".join(str(error).split())
        found = f"{type(error).__name__}: {problem}"
        return Checkup(what=what, good=False, found=found, optional=optional)
