"""Lets the CUDA-built torchvision of the package index be imported beside a CPU build of torch.

That torchvision cannot load its compiled operators without the CUDA libraries, and then stops at
the first operator it wants to describe (`operator torchvision::nms does not exist`); open_clip,
timm, parts of transformers and the `accelerate` command fall with it. Two operators lack nothing
but a declaration, so this file gives them one, just before torchvision is executed. It does nothing
beside a CUDA build of torch, and nothing where torchvision's own operators load.

    python -m unipose.torchvision_cpu     # once per environment; `make setup` does it

copies this file into site-packages and adds a `.pth` line, so that it holds for every program of
the environment. Nothing but `sys` is imported until somebody imports torchvision.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from torch import Tensor
    from torch.library import Library

INSTALLED_NAME = "_unipose_torchvision_cpu"
"""This file's name in site-packages, and the name of the `.pth` beside it."""

_declared: list[Library] = []  # torch forgets the declarations when their Library is collected


class _Watcher:
    """Stands in `sys.meta_path` and adds one step to torchvision's import."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def declare_then_run(module: ModuleType) -> None:
                declare_missing_operators()
                run(module)

            spec.loader.exec_module = declare_then_run
        return spec


def watch() -> None:
    """Prepare torchvision's first import; called from the `.pth` file when Python starts."""
    if not any(type(finder).__name__ == _Watcher.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())


def declare_missing_operators() -> bool:
    """Declare torchvision's two operators if its compiled ones cannot load; say whether it did."""
    from importlib.util import find_spec
    from pathlib import Path

    import torch

    if torch.version.cuda is not None or torch.version.hip is not None:
        return False
    if hasattr(torch.ops.torchvision, "nms"):
        return False
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for compiled in Path(spec.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(str(compiled))
        except OSError:  # a CUDA library is missing: this is the case we are here for
            continue
        return False
    operators = torch.library.Library("torchvision", "FRAGMENT")
    operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    operators.impl("nms", _nms, "CPU")
    _declared.append(operators)
    return True


def _nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return which boxes stay, best first, when overlapping worse ones are dropped."""
    import torch

    left, top, right, bottom = dets.unbind(1)
    area = (right - left) * (bottom - top)
    waiting = scores.argsort(descending=True, stable=True)
    kept: list[int] = []
    while waiting.numel():
        best, others = waiting[0], waiting[1:]
        kept.append(int(best))
        width = torch.minimum(right[best], right[others]) - torch.maximum(left[best], left[others])
        height = torch.minimum(bottom[best], bottom[others]) - torch.maximum(top[best], top[others])
        shared = width.clamp(min=0) * height.clamp(min=0)
        waiting = others[shared / (area[best] + area[others] - shared) <= iou_threshold]
    return torch.tensor(kept, dtype=torch.long)


def install() -> None:
    """Copy this file into site-packages and have Python load it at each start."""
    from pathlib import Path
    from sysconfig import get_path

    site = Path(get_path("purelib"))
    text = Path(__file__).read_text(encoding="utf-8")
    (site / f"{INSTALLED_NAME}.py").write_text(text, encoding="utf-8")
    line = f"import {INSTALLED_NAME}; {INSTALLED_NAME}.watch()\n"
    (site / f"{INSTALLED_NAME}.pth").write_text(line, encoding="utf-8")


if __name__ == "__main__":
    install()
