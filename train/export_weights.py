"""Write a trained model as the repository holds it: `python -m train.export_weights MODEL OUT`.

Half precision halves the file; models are loaded and run in single precision all the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from train.saved_model import save_model
from unipose.assistant import UniPose


def main(source: Path, out: Path) -> None:
    """Load the model in `source` and write it to `out` in half precision."""
    assistant = UniPose.load(source)
    save_model(assistant.model.half(), assistant.vocabulary, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m train.export_weights MODEL OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
