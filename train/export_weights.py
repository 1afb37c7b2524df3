"""Write what was trained as the repository holds it: `python -m train.export_weights TRAINED OUT`.

TRAINED is the folder of a model or of a pose tokenizer alone. Half precision halves the file; both
are loaded and run in single precision all the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tokenizer.codec import PoseTokenizer
from train.saved_model import save_model
from unipose.assistant import UniPose


def main(source: Path, out: Path) -> None:
    """Load the model or pose tokenizer in `source` and write it to `out` in half precision."""
    if (source / "codec.json").is_file():
        PoseTokenizer.from_pretrained(source).half().save_pretrained(out)
        return
    assistant = UniPose.load(source)
    save_model(assistant.model.half(), assistant.vocabulary, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m train.export_weights TRAINED OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
