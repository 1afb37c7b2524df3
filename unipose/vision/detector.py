"""Who is in a picture: boxes around all people, by any object detector of Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from safetensors import SafetensorError

from unipose.body.people import Box
from unipose.errors import ConfigError, WeightsError

PEOPLE = ("person", "human", "people")
"""How detectors name what we look for; COCO's is the first."""

_DAMAGE = (
    OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError,
)  # fmt: skip
"""What transformers raises for a folder that is no detector, or a damaged one."""


class PeopleDetector:
    """A detector that its user names: DETR, RT-DETR, YOLOS, ... by folder or by name."""

    def __init__(self, model: Any, processor: Any) -> None:
        names = model.config.id2label
        self.people = {number for number, name in names.items() if name.casefold() in PEOPLE}
        if not self.people:
            raise ConfigError(
                "this detector does not know people; expected a class named "
                f"{' or '.join(PEOPLE)}, it has {', '.join(list(names.values())[:8])}, ..."
            )
        self.model, self.processor = model.eval(), processor

    @classmethod
    def load(cls, name: str | Path) -> PeopleDetector:
        """Load a detector from safetensors; nothing in its files is executed.

        Raises WeightsError if there is none at `name`, ConfigError if it does not know people.
        """
        from transformers import AutoImageProcessor, AutoModelForObjectDetection  # slow to import

        try:
            processor = AutoImageProcessor.from_pretrained(str(name), trust_remote_code=False)
            model, report = AutoModelForObjectDetection.from_pretrained(
                str(name), use_safetensors=True, trust_remote_code=False, dtype=torch.float32,
                output_loading_info=True,
            )  # fmt: skip
        except _DAMAGE as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightsError(name, f"holds no object detector ({said.rstrip('.')}).") from error
        missing = [*report["missing_keys"], *report["mismatched_keys"]]
        if missing:
            raise WeightsError(
                name, f"lacks {len(missing)} weights of its detector, the first is {missing[0]!r}."
            )
        return cls(model, processor)

    @torch.inference_mode()
    def find(self, pixels: UInt8[np.ndarray, "height width 3"], *, least: float = 0.5) -> list[Box]:
        """Return a box inside the picture (RGB) for each person, from left to right.

        `least` is how sure the detector must be (0 to 1).
        """
        height, width = pixels.shape[:2]
        inputs = self.processor(images=Image.fromarray(pixels), return_tensors="pt")
        found = self.processor.post_process_object_detection(
            self.model(**inputs), threshold=least, target_sizes=[(height, width)]
        )[0]
        edge = torch.tensor([width, height, width, height], dtype=torch.float32)
        boxes = [
            box.clamp(min=0).minimum(edge).tolist()
            for box, label in zip(found["boxes"].float(), found["labels"].tolist(), strict=True)
            if label in self.people
        ]
        inside = [box for box in boxes if box[0] < box[2] and box[1] < box[3]]
        return [tuple(box) for box in sorted(inside, key=lambda box: box[0] + box[2])]
