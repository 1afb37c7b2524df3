"""Put trained networks of adaptation in place: `python -m train.export_adaptation SPACE DENOISER`.

They are written in half precision, and run in single precision all the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from unipose.adaptation.default_models import DENOISER
from unipose.adaptation.denoiser import MotionDenoiser
from unipose.adaptation.dictionary import MotionDictionary
from unipose.retrieval.motion_text import EMBEDDED_SPACE, MotionTextModel


def main(space: Path, denoiser: Path) -> None:
    """Load both and write them to unipose/weights."""
    MotionTextModel.from_pretrained(space).half().save_pretrained(EMBEDDED_SPACE)
    MotionDictionary.load(space).save(EMBEDDED_SPACE)
    MotionDenoiser.from_pretrained(denoiser).half().save_pretrained(DENOISER)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(f"expected 2 folders: {(__doc__ or '').splitlines()[0]}")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
