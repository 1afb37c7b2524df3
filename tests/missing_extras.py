"""Tests that need an extra of the project are skipped where it is not installed, and say so.

A file or a test that fails because a package of an extra is not there counts as skipped; the reason
names the package and the command that brings it. Whatever else is missing stays an error.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

MISSING = re.compile(r"No module named '([\w]+)[\w.]*'")
PACKAGES = {
    "deepspeed": "training", "bitsandbytes": "training", "tensorboard": "training",
    "datasets": "data", "pyarrow": "data", "datatrove": "data", "faiss": "data",
    "sacrebleu": "texts", "rouge_score": "texts", "nltk": "texts",
    "ray": "ray", "onnx": "onnx", "onnxruntime": "onnx", "h5py": "mat73",
    "psutil": "dev", "playwright": "dev", "schemathesis": "dev", "nbclient": "dev",
    "nbformat": "dev", "mkdocs": "dev",
}  # fmt: skip
"""Import names of what only extras bring."""


def reason(said: str) -> str | None:
    """Return why a test is skipped, if what it says is that a package of an extra is missing."""
    for found in MISSING.finditer(said):
        name = found[1]
        if name in PACKAGES and find_spec(name) is None:
            return f"needs {name}: make setup-all, or pip install -e '.[{PACKAGES[name]}]'"
    return None
