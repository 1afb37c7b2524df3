"""Detectors in the layout of Hugging Face whose weights say what a test wants them to say."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

NAMES = {0: "dog", 1: "person"}


def write_yolos(
    folder: Path, boxes: list[tuple[float, float, float, float]], *, names: dict | None = None
) -> Path:
    """Write a detector that sees people in `boxes` (centre x, y, width, height; 0 to 1), a dog
    beside each, and nothing else."""
    config = YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=[32, 32], patch_size=16, num_detection_tokens=2 * len(boxes),
        id2label=names or NAMES, label2id={name: i for i, name in (names or NAMES).items()},
        use_mid_position_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = YolosForObjectDetection(config)
    with torch.no_grad():
        # every detection token carries its own number through an otherwise silent network
        for weight in model.parameters():
            weight.zero_()
        tokens = model.vit.embeddings.detection_tokens[0]
        for token in range(len(tokens)):
            tokens[token, token] = 1.0
        model.vit.layernorm.weight.fill_(1.0)
        for head, outputs in (
            (
                model.class_labels_classifier,
                [_says(token % 2 == 0) for token in range(len(tokens))],
            ),
            (model.bbox_predictor, [_logit(boxes[token // 2]) for token in range(len(tokens))]),
        ):
            for layer in head.layers[:-1]:
                layer.weight.copy_(torch.eye(16))
            for token, said in enumerate(outputs):
                head.layers[-1].weight[:, token] = torch.tensor(said) / STRENGTH
    model.save_pretrained(folder)
    YolosImageProcessor(size={"shortest_edge": 32, "longest_edge": 64}).save_pretrained(folder)
    return folder


STRENGTH = 15**0.5
"""What one number out of sixteen is after the layer norm (the others are below zero: cut off)."""


def _says(person: bool) -> list[float]:
    return [-9.0, 9.0, 0.0] if person else [9.0, -9.0, 0.0]


def _logit(box: tuple[float, ...]) -> list[float]:
    return torch.logit(torch.tensor(box)).tolist()
