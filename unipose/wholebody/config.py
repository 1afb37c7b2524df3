"""What a whole-body keypoint network is made of: RTMPose, CIGPose, and everything between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from unipose.body.keypoint_sets import (
    COCO_17,
    COCO_WHOLEBODY_133,
    CROWDPOSE_14,
    HALPE_26,
    KeypointSet,
    keypoint_set,
)
from unipose.errors import ConfigError
from unipose.wholebody.graphs import graph_of

Intervention = Literal["none", "largest", "threshold"]
BLOCKS = (3, 6, 6, 3)
"""Of CSPNeXt's stages at size l."""
SPLIT = 2
"""Bins of the 1D classification per pixel of the crop (SimCC; RTMPose's split ratio)."""


@dataclass(frozen=True, kw_only=True)
class WholeBodyConfig:
    """A network; without graph and intervention it is RTMPose, with both CIGPose.

    Raises ConfigError for sizes that are not positive, an unknown keypoint set, and an intervention
    whose numbers contradict each other.
    """

    keypoints: str = "coco-wholebody-133"
    """Name of the keypoint set."""
    width_px: int = 192
    height_px: int = 256
    deepen: float = 0.67
    widen: float = 0.75
    """Of CSPNeXt: how many blocks and channels, as shares of the size l (1, 1)."""
    embedding: int = 256
    """Channels of a keypoint's embedding (GAU's hidden width)."""
    query: int = 128
    """Channels of its queries and keys."""
    kernel: int = 7
    """Of the convolution that makes a map per keypoint."""
    graph_layers: int = 0
    """Rounds of the hierarchical graph network; 0: none."""
    intervention: Intervention = "none"
    """Which embeddings become canonical ones: the k with the largest confounder score, or those
    above a threshold."""
    train_replaced: int = 13
    """k in training, at most the number of keypoints."""
    test_replaced: int = 1
    """k at test; the published networks replace one keypoint of 133."""
    threshold: float = 0.5
    stride: int = 32
    """Pixels of the crop per place of the backbone's map; CSPNeXt's is 32."""
    averaged: bool = False
    """How crops shrink (`AffineCrops.cut`)."""

    def __post_init__(self) -> None:
        positive = (
            self.width_px, self.height_px, self.deepen, self.widen, self.embedding, self.query,
            self.kernel, self.stride,
        )  # fmt: skip
        if min(positive) <= 0 or self.kernel % 2 == 0:
            raise ConfigError(f"expected positive sizes and an odd kernel, got {self}")
        if min(self.graph_layers, self.train_replaced, self.test_replaced) < 0:
            raise ConfigError(
                "graph_layers, train_replaced and test_replaced are at least 0, got "
                f"{self.graph_layers}, {self.train_replaced} and {self.test_replaced}"
            )
        if self.embedding % 4:
            raise ConfigError(f"embedding must be a multiple of 4, got {self.embedding}")
        if self.graph_layers:
            graph_of(self.keypoint_set)

    @property
    def keypoint_set(self) -> KeypointSet:
        """The keypoints, in the order of the outputs; SkeletonError for an unknown name."""
        return keypoint_set(self.keypoints)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the crops."""
        return self.width_px, self.height_px

    @property
    def map_places(self) -> int:
        """Places of the backbone's last map."""
        return ceil(self.width_px / self.stride) * ceil(self.height_px / self.stride)

    @property
    def causal(self) -> bool:
        """Whether there is anything beyond RTMPose: then the outputs have a bias."""
        return self.graph_layers > 0 or self.intervention != "none"


_SIZES: dict[str, dict[str, float]] = {
    "t": {"deepen": 0.167, "widen": 0.375},
    "s": {"deepen": 0.33, "widen": 0.5},
    "m": {"deepen": 0.67, "widen": 0.75},
    "l": {"deepen": 1.0, "widen": 1.0},
    "x": {"deepen": 1.33, "widen": 1.25},
}
_SETS = {"wholebody": "coco-wholebody-133", "coco": "coco-17", "crowdpose": "crowdpose-14"}
TOLD_BY_NUMBER = (COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14, HALPE_26)
"""What so many keypoints are in published networks."""
_PIXELS = {"256x192": (256, 192), "384x288": (384, 288)}


def config_of_weights(shapes: Mapping[str, tuple[int, ...]]) -> WholeBodyConfig:
    """Return the network whose weights have these names (ours) and shapes.

    Raises ConfigError if they are those of no RTMPose or CIGPose.
    """
    try:
        count, _, kernel, _ = shapes["head.final_layer.weight"]
        columns, width = shapes["head.cls_x.weight"]
        rows, _ = shapes["head.cls_y.weight"]
        stem = shapes["backbone.stem.2.conv.weight"][0]
        query = shapes["head.gau.gamma"][1]
    except (KeyError, ValueError, IndexError) as error:
        raise ConfigError(f"these are no weights of RTMPose or CIGPose ({error})") from error
    blocks = tuple(
        len({name.split(".")[4] for name in shapes
             if name.startswith(f"backbone.stage{stage}.{2 if stage == 4 else 1}.blocks.")})
        for stage in range(1, 5)
    )  # fmt: skip
    fitting = [size["deepen"] for size in _SIZES.values() if _blocks(size["deepen"]) == blocks]
    names = [one.name for one in TOLD_BY_NUMBER if len(one) == count]
    if not fitting or not names:
        raise ConfigError(
            f"there is no network with {count} keypoints and {blocks} blocks; expected 17, 133, 14 "
            f"or 26 keypoints and one of {', '.join(_SIZES)}"
        )
    layers = {name.split(".")[3] for name in shapes if name.startswith("head.gcn.edgeconv_layers.")}
    return WholeBodyConfig(
        keypoints=names[0],
        width_px=columns // SPLIT,
        height_px=rows // SPLIT,
        deepen=fitting[0],
        widen=stem / 64,
        embedding=width,
        query=query,
        kernel=kernel,
        graph_layers=len(layers),
        intervention="largest" if "head.cim.canonical_features.weight" in shapes else "none",
        train_replaced=13 if count == len(COCO_WHOLEBODY_133) else 1,
    )


def _blocks(deepen: float) -> tuple[int, ...]:
    return tuple(max(round(blocks * deepen), 1) for blocks in BLOCKS)


def published(name: str) -> WholeBodyConfig:
    """Return a published network: "rtmpose-m-wholebody-256x192", "cigpose-l-crowdpose-384x288".

    Kind, size (t, s, m, l, x), keypoints (wholebody, coco, crowdpose), height x width. CIGPose's
    whole-body networks of 384x288 have embeddings of 512, all others 256. Raises ConfigError.
    """
    kind, *rest = name.split("-")
    if len(rest) != 3 or kind not in ("rtmpose", "cigpose") or not (
        rest[0] in _SIZES and rest[1] in _SETS and rest[2] in _PIXELS
    ):  # fmt: skip
        raise ConfigError(
            f"there is no published network {name!r}; expected one of rtmpose cigpose, of "
            f"{' '.join(_SIZES)}, of {' '.join(_SETS)}, of {' '.join(_PIXELS)}: for example "
            "cigpose-m-wholebody-256x192"
        )
    size, people, pixels = rest
    height, width = _PIXELS[pixels]
    causal = kind == "cigpose"
    wide = causal and people == "wholebody" and pixels == "384x288"
    return WholeBodyConfig(
        keypoints=_SETS[people],
        width_px=width,
        height_px=height,
        deepen=_SIZES[size]["deepen"],
        widen=_SIZES[size]["widen"],
        embedding=512 if wide else 256,
        query=256 if wide else 128,
        graph_layers=(2 if people == "crowdpose" else 1) if causal else 0,
        intervention="largest" if causal else "none",
        train_replaced=13 if people == "wholebody" else 1,
    )
