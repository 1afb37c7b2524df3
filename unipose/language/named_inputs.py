"""A rendered batch as named tensors, under the names that transformers has for such things."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unipose.errors import ConfigError
from unipose.language.pictures import Pictures
from unipose.language.rendering import IGNORE_INDEX, Batch

PLACES = {
    "input_ids": "ids", "attention_mask": "real", "token_type_ids": "kinds", "span_ids": "spans",
    "answer_mask": "answering",
}  # fmt: skip
"""Inputs with a number for each place of a row, and what `rendering.Batch` calls them."""
OPTIONAL = {"labels": "targets", "source_codes": "sources", "pose_codes": "read"}
SEEN, PIXELS, CLIP = "picture_features", "pixel_values", "clip_values"


def inputs_of(batch: Batch, *, labelled: bool) -> dict[str, Tensor]:
    """Return a rendered batch as named tensors; `labels` only if they are learned from."""
    inputs = {name: getattr(batch, own) for name, own in PLACES.items()}
    for name, own in OPTIONAL.items():
        if getattr(batch, own) is not None and (labelled or name != "labels"):
            inputs[name] = getattr(batch, own)
    if batch.pictures is not None:
        inputs[SEEN if batch.pictures.seen else PIXELS] = batch.pictures.pose
        if batch.pictures.clip is not None:
            inputs[CLIP] = batch.pictures.clip
    return inputs


def batch_of(inputs: dict[str, Any]) -> Batch:
    """Return the batch that `inputs_of` took apart.

    Raises ConfigError for inputs that are missing or not known.
    """
    known = {*PLACES, *OPTIONAL, SEEN, PIXELS, CLIP}
    missing, strange = sorted(PLACES.keys() - inputs), sorted(inputs.keys() - known)
    if missing or strange:
        raise ConfigError(
            f"expected the inputs that UniPoseProcessor makes; missing: {missing or 'none'}, "
            f"not known: {strange or 'none'}"
        )
    places: dict[str, Any] = {own: inputs[name] for name, own in PLACES.items()}
    optional: dict[str, Any] = {own: inputs.get(name) for name, own in OPTIONAL.items()}
    if optional["targets"] is None:
        optional["targets"] = torch.full_like(places["ids"], IGNORE_INDEX)
    pictures = None
    if SEEN in inputs or PIXELS in inputs:
        seen = SEEN in inputs
        shown = inputs[SEEN if seen else PIXELS]
        pictures = Pictures(clip=inputs.get(CLIP), pose=shown, seen=seen)
    return Batch(**places, **optional, pictures=pictures)
