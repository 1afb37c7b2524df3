"""From a feature map to 1D classifications of each keypoint's column and row.

RTMPose's head (Jiang et al. 2023): a map per keypoint, an embedding of it, attention among all
keypoints (a gated attention unit), and one linear layer per axis. CIGPose (Li et al. 2026) puts two
things before the last one: embeddings that look confounded become canonical ones, and a graph
network passes messages along the skeleton.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.wholebody.config import SPLIT, WholeBodyConfig
from unipose.wholebody.graph_network import HierarchicalGraph
from unipose.wholebody.graphs import graph_of

Embeddings = Float[Tensor, "person keypoint channel"]
Columns = Float[Tensor, "person keypoint column"]
Rows = Float[Tensor, "person keypoint row"]
INIT_STD = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointLogits:
    """What the head says of each keypoint; all beyond `x` and `y` only where it is asked for."""

    x: Columns
    """Two bins per pixel of the crop (SPLIT)."""
    y: Rows
    scores: Float[Tensor, "person keypoint"] | None = None
    """How confounded an embedding looks (eq. 2), 0 to 1."""
    replaced: Bool[Tensor, "person keypoint"] | None = None
    """Which embeddings became canonical ones."""
    initial: tuple[Columns, Rows] | None = None
    """What the scores were read off."""
    observed: tuple[Columns, Rows] | None = None
    """What is said without replacing any, without a gradient: in training."""


class ScaleNorm(nn.Module):
    """x over its length, times one learned number (Nguyen & Salazar 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = width**-0.5
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Float[Tensor, "*batch channel"]) -> Float[Tensor, "*batch channel"]:
        """Return the normalised rows."""
        return x / (x.norm(dim=-1, keepdim=True) * self.scale).clamp(min=1e-5) * self.g


class ResidualScale(nn.Module):
    """A learned number for each channel of what goes around a block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Embeddings) -> Embeddings:
        """Return the scaled embeddings."""
        return x * self.scale


class GatedAttention(nn.Module):
    """A gated attention unit (Hua et al. 2022) as RTMPose has it: relu(q k / sqrt(s))^2."""

    def __init__(self, width: int, query: int) -> None:
        super().__init__()
        self.split = [2 * width, 2 * width, query]
        self.uv = nn.Linear(width, sum(self.split), bias=False)
        self.gamma = nn.Parameter(torch.rand(2, query))
        self.beta = nn.Parameter(torch.rand(2, query))
        self.o = nn.Linear(2 * width, width, bias=False)
        self.ln = ScaleNorm(width)
        self.res_scale = ResidualScale(width)

    def forward(self, x: Embeddings) -> Embeddings:
        """Return embeddings that have looked at each other."""
        gate, value, base = F.silu(self.uv(self.ln(x))).split(self.split, dim=-1)
        query = base * self.gamma[0] + self.beta[0]
        key = base * self.gamma[1] + self.beta[1]
        weights = F.relu(query @ key.transpose(1, 2) * self.split[2] ** -0.5).square()
        return self.res_scale(x) + self.o(gate * (weights @ value))


class CanonicalEmbeddings(nn.Module):
    """One embedding per keypoint that hangs on no picture: what stands in for confounded ones."""

    def __init__(self, keypoints: int, width: int) -> None:
        super().__init__()
        self.canonical_features = nn.Embedding(keypoints, width)

    def forward(self, found: Embeddings, replaced: Bool[Tensor, "person keypoint"]) -> Embeddings:
        """Return F' = M E + (1 - M) F (eq. 3 and 8)."""
        return torch.where(replaced[..., None], self.canonical_features.weight, found)


class KeypointHead(nn.Module):
    """The head of a `WholeBodyConfig`."""

    def __init__(self, config: WholeBodyConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        count, width = len(config.keypoint_set), config.embedding
        columns, rows = SPLIT * config.width_px, SPLIT * config.height_px
        self.final_layer = nn.Conv2d(channels, count, config.kernel, padding=config.kernel // 2)
        self.mlp = nn.Sequential(
            ScaleNorm(config.map_places), nn.Linear(config.map_places, width, bias=False)
        )
        self.gau = GatedAttention(width, config.query)
        if config.intervention != "none":
            self.initial_pred_x = nn.Linear(width, columns)
            self.initial_pred_y = nn.Linear(width, rows)
            self.cim = CanonicalEmbeddings(count, width)
        if config.graph_layers:
            self.gcn = HierarchicalGraph(
                width, graph_of(config.keypoint_set), count, config.graph_layers
            )
        self.cls_x = nn.Linear(width, columns, bias=config.causal)
        self.cls_y = nn.Linear(width, rows, bias=config.causal)
        self._initialise()

    def _initialise(self) -> None:
        """Set first weights as the published heads do: normal, small; gamma and beta uniform."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
                narrow = module is self.final_layer and not self.config.causal
                nn.init.normal_(module.weight, std=0.001 if narrow else INIT_STD)
            if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, maps: Float[Tensor, "person map row column"]) -> KeypointLogits:
        """Return the logits; in training also those without intervention."""
        found = self.encode(maps)
        if self.config.intervention == "none":
            x, y = self._classified(found)
            return KeypointLogits(x=x, y=y)
        initial, scores = self.scored(found)
        replaced = self.chosen(scores)
        # first this one: batch norm counts in this order
        x, y = self._classified(self.cim(found, replaced))
        observed = None
        if self.training:
            with torch.no_grad():
                observed = self._classified(found)
        return KeypointLogits(
            x=x, y=y, scores=scores, replaced=replaced, initial=initial, observed=observed
        )

    def encode(self, maps: Float[Tensor, "person map row column"]) -> Embeddings:
        """Return the embedding of each keypoint (F)."""
        return self.gau(self.mlp(self.final_layer(maps).flatten(2)))

    def scored(
        self, found: Embeddings
    ) -> tuple[tuple[Columns, Rows], Float[Tensor, "person keypoint"]]:
        """Return first logits, and 1 minus the mean of their largest probabilities (eq. 2).

        The embeddings get no gradient from here: only the two layers may learn.
        """
        initial = self.initial_pred_x(found.detach()), self.initial_pred_y(found.detach())
        with torch.no_grad():
            surest = [logits.softmax(dim=-1).amax(dim=-1) for logits in initial]
            return initial, 1 - (surest[0] + surest[1]) / 2

    def chosen(self, scores: Float[Tensor, "person keypoint"]) -> Bool[Tensor, "person keypoint"]:
        """Return which keypoints are replaced: the largest scores, or those over the threshold."""
        config = self.config
        if config.intervention == "threshold":
            return scores > config.threshold
        count = min(
            config.train_replaced if self.training else config.test_replaced,
            len(config.keypoint_set),
        )
        if count == 0:
            return torch.zeros_like(scores, dtype=torch.bool)
        # compared with all places rather than scattered: this is what ONNX can say
        largest = scores.topk(count, dim=1).indices
        places = torch.arange(scores.shape[1], device=scores.device)
        return (largest[..., None] == places).any(dim=1)

    def _classified(self, embeddings: Embeddings) -> tuple[Columns, Rows]:
        if self.config.graph_layers:
            embeddings = self.gcn(embeddings)
        return self.cls_x(embeddings), self.cls_y(embeddings)
