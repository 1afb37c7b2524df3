"""The two-stage graph network over keypoints: neighbours first, then groups (CIGPose, eq. 4).

The published code walks lists of edges for each person. Here each layer is a few matrix products
over all people at once, which gives the same numbers (W [a; b - a] = (W1 - W2) a + W2 b) and can
be exported; batch norm sees the same samples, people x edges, as there. Names of layers are those
of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.wholebody.graphs import KeypointGraph

Nodes = Float[Tensor, "person node channel"]


class NodeNorm(nn.BatchNorm1d):
    """Batch norm of channels over people and nodes (or edges) alike."""

    def forward(self, nodes: Nodes) -> Nodes:  # type: ignore[override]
        """Return the normalised embeddings."""
        return super().forward(nodes.flatten(0, 1)).view_as(nodes)


class EdgeConv(nn.Module):
    """Sum over a node's neighbours of SiLU(BN(W [x_i; x_j - x_i])) (Wang et al. 2019)."""

    def __init__(self, width: int, directed: Sequence[tuple[int, int]], nodes: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(2 * width, width, 1, bias=False), NodeNorm(width))
        start, end = torch.tensor(list(directed)).T
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("end", end, persistent=False)
        self.start: Tensor
        self.end: Tensor
        incoming = torch.zeros(nodes, len(start))
        incoming[end, torch.arange(len(start))] = 1
        self.register_buffer("incoming", incoming, persistent=False)
        self.incoming: Tensor

    def forward(self, nodes: Nodes) -> Nodes:
        """Return the sums of messages, which come along the directed edges."""
        weight: Tensor = self.conv[0].weight  # type: ignore[assignment]  # of a Conv2d
        own, difference = weight.flatten(1).chunk(2, dim=1)
        here = F.linear(nodes, own - difference)
        there = F.linear(nodes, difference)
        messages = here[:, self.end] + there[:, self.start]
        return self.incoming.to(nodes) @ F.silu(self.conv[1](messages))


class GroupAttention(nn.Module):
    """How much each channel of a keypoint counts, by what the groups it belongs to tell others."""

    def __init__(self, width: int, graph: KeypointGraph, nodes: int) -> None:
        super().__init__()
        narrow, groups = width // 4, range(len(graph.groups))
        member = torch.zeros(len(graph.groups), nodes)
        for group, numbers in enumerate(graph.groups):
            member[group, list(numbers)] = 1
        self.register_buffer("means", member / member.sum(1, keepdim=True), persistent=False)
        self.means: Tensor
        count = member.sum(0)
        self.register_buffer("shares", (member / count.clamp(min=1)).mT, persistent=False)
        self.shares: Tensor
        self.register_buffer("alone", (count == 0).float()[:, None], persistent=False)
        self.alone: Tensor
        self.conv_down_linear = nn.Linear(width, narrow)
        self.bn_down = NodeNorm(narrow)
        everybody = [(a, b) for a in groups for b in groups if a != b]
        self.edge_conv_groups = EdgeConv(narrow, everybody, len(graph.groups))
        self.aggregate_linear = nn.Linear(narrow, width)

    def forward(self, nodes: Nodes) -> Nodes:
        """Return weights from 0 to 1; 1 for a keypoint of no group."""
        narrow = F.silu(self.bn_down(self.conv_down_linear(nodes)))
        told = self.edge_conv_groups(self.means.to(nodes) @ narrow)
        weights = torch.sigmoid(self.aggregate_linear(told))
        return self.shares.to(nodes) @ weights + self.alone.to(nodes)


class HierarchicalGraph(nn.Module):
    """Layers of x <- SiLU(EdgeConv(x) * GroupAttention(EdgeConv(x)) + x)."""

    def __init__(self, width: int, graph: KeypointGraph, nodes: int, layers: int) -> None:
        super().__init__()
        self.conv_input = nn.Linear(width, width)
        self.bn_input = NodeNorm(width)
        self.edgeconv_layers = nn.ModuleList(
            EdgeConv(width, graph.directed, nodes) for _ in range(layers)
        )
        self.attention_modules = nn.ModuleList(
            GroupAttention(width, graph, nodes) for _ in range(layers)
        )
        self.bn_layers = nn.ModuleList(NodeNorm(width) for _ in range(layers))

    def forward(self, nodes: Nodes) -> Nodes:
        """Return the embeddings after all layers."""
        nodes = F.silu(self.bn_input(self.conv_input(nodes)))
        for gather, attention, norm in zip(
            self.edgeconv_layers, self.attention_modules, self.bn_layers, strict=True
        ):
            gathered = norm(gather(nodes))
            nodes = F.silu(gathered * attention(gathered) + nodes)
        return nodes
