"""From a crop of one person to a posed body: HMR 2.0's head behind a Pose-ViT.

One query token looks at the Pose-ViT's features through a transformer decoder; from what it brings
back, pose, shape and camera are read as corrections of the mean ones, once or several times. Names
and shapes of all weights are those of HMR 2.0's checkpoints (`backbone.*`, `smpl_head.*`). A small
network may have one query for each joint, which starts from what the map's places vote for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.body.pose import OPEN_BODY
from unipose.errors import ConfigError
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.files.saved_network import load_weights, read_config, save_network
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes
from unipose.vision.pixels import IMAGENET_MEAN, IMAGENET_STD
from unipose.vision.pose_vit import PAPER_POSE_VIT, PoseViT, PoseViTConfig
from unipose.vision.votes import JOINTS, Votes, Voting

BETAS = 10

ELSEWHERE = ("smpl.", "discriminator.", "initialized")
"""What HMR 2.0's checkpoints hold beside the network: the licensed body, a training aid, a flag."""


@dataclass(frozen=True, kw_only=True)
class MeshHeadConfig:
    """Sizes; the defaults are HMR 2.0's (39.5 M weights)."""

    width: int = 1024
    depth: int = 6
    heads: int = 8
    head_width: int = 64
    feed_forward: int = 1024
    iterations: int = 1
    reads_estimate: bool = False
    """The query is made of the present estimate (else it is a learned one: HMR 2.0)."""
    votes: bool = False
    """One query for each joint, made of what the places of the map vote for."""
    body: str = OPEN_BODY
    """Whose betas it says ("smpl" for published weights)."""
    camera_places: Literal["pelvis", "origin"] = "pelvis"
    """See `RecoveredMeshes` ("origin" for published weights)."""

    def __post_init__(self) -> None:
        if self.votes and self.reads_estimate:
            raise ConfigError("a query is made of the estimate or of votes, not of both")
        if self.iterations < 1:
            raise ConfigError(f"expected at least 1 iteration, got {self.iterations}")
        if self.iterations > 1 and not self.reads_estimate:
            raise ConfigError("further iterations need reads_estimate: without it none knows more")


@dataclass(frozen=True, kw_only=True)
class MeshRecoveryConfig:
    """A Pose-ViT and the head behind it."""

    vit: PoseViTConfig = field(default_factory=lambda: PAPER_POSE_VIT)
    head: MeshHeadConfig = field(default_factory=MeshHeadConfig)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MeshRecoveryConfig:
        """Return the config that `dataclasses.asdict` wrote (lists for tuples are fine)."""
        vit = dict(values["vit"])
        vit["stem"] = tuple(tuple(int(n) for n in stage) for stage in vit["stem"])
        return cls(vit=PoseViTConfig(**vit), head=MeshHeadConfig(**values["head"]))


HMR2 = MeshRecoveryConfig(head=MeshHeadConfig(body="smpl", camera_places="origin"))
"""The published HMR 2.0, whose betas and camera are those of the licensed SMPL body."""


class PoseViTRecovery(nn.Module):
    """A `MeshRecovery` of a Pose-ViT and a head behind it, which alone adapts."""

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    smpl_head: Any
    """Set by the network, after its backbone: first weights are drawn in this order."""

    def __init__(self, vit: PoseViTConfig) -> None:
        super().__init__()
        self.backbone = PoseViT(vit)

    def forward(self, crops: Float[Tensor, "person 3 side side"]) -> RecoveredMeshes:
        """Return pose, shape and camera of the person in each normalised crop."""
        return self.from_features(self.backbone(crops))

    def frozen_features(
        self, crops: Float[Tensor, "person 3 side side"]
    ) -> Float[Tensor, "person channel row column"]:
        """Return the Pose-ViT's map, in which no adaptable weight has a part."""
        return self.backbone(crops)

    def from_features(
        self, features: Float[Tensor, "person channel row column"]
    ) -> RecoveredMeshes:
        """Return the people that such maps show."""
        return self.smpl_head(features)

    @property
    def image_px(self) -> int:
        """Side of the square crops that it takes (pixels)."""
        return self.backbone.config.image_px

    def adaptable_parameters(self) -> list[nn.Parameter]:
        """Return the head's weights; what the Pose-ViT sees is shared with others."""
        return list(self.smpl_head.parameters())


class MeshRecoveryNetwork(PoseViTRecovery):
    """Crops in, posed bodies out: a `MeshRecovery`."""

    smpl_head: MeshHead

    def __init__(self, config: MeshRecoveryConfig) -> None:
        super().__init__(config.vit)
        self.config = config
        self.smpl_head = MeshHead(config.head, config.vit)

    def load_published(self, path: str | Path) -> None:
        """Load HMR 2.0's checkpoint: all of `backbone.*` and `smpl_head.*`, and nothing else.

        To ask it as it was published, its config has to be `HMR2`.
        Nothing in the file is executed. Raises WeightsError as `load_strictly` does. (TokenHMR's
        head is another one, which answers in codes: `token_recovery.TokenRecoveryNetwork`.)
        """
        path = Path(path)
        weights = read_checkpoint(path)
        load_strictly(
            self, {n: value for n, value in weights.items() if not n.startswith(ELSEWHERE)}, path
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` into `folder`."""
        save_network(self, self.config, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> MeshRecoveryNetwork:
        """Load what `save_pretrained` wrote (half precision or single), in single precision."""

        def config_of(**values: Any) -> MeshRecoveryConfig:
            return MeshRecoveryConfig.from_dict(values)

        config = read_config(folder, config_of, holds="mesh recovery network")
        return load_weights(cls(config), folder)


class MeshHead(nn.Module):
    """The decoder and three linear layers that correct the mean pose, shape and camera."""

    init_body_pose: Float[Tensor, "1 144"]
    """Mean pose: 24 x 6D; the root's as in RecoveredMeshes."""
    init_betas: Float[Tensor, "1 10"]
    init_cam: Float[Tensor, "1 3"]

    def __init__(self, config: MeshHeadConfig, vit: PoseViTConfig) -> None:
        super().__init__()
        self.config = config
        self.voting = Voting(vit) if config.votes else None
        numbers = JOINTS * 6 + BETAS + 3 if config.reads_estimate else 1
        if config.votes:
            numbers = vit.width + 2 + 3
        tokens = JOINTS if config.votes else 1
        self.transformer = QueryDecoder(config, numbers, tokens=tokens, context=vit.width)
        self.decpose = nn.Linear(config.width, JOINTS // tokens * 6)
        self.decshape = nn.Linear(config.width, BETAS)
        self.deccam = nn.Linear(config.width, 3)
        for layer in (self.decpose, self.decshape, self.deccam):  # begin near the mean
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
            nn.init.zeros_(layer.bias)
        facing = torch.eye(3).repeat(JOINTS, 1, 1)
        facing[0] = LEVEL
        self.register_buffer("init_body_pose", rotations_to_6d(facing).flatten()[None])
        self.register_buffer("init_betas", torch.zeros(1, BETAS))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def set_mean(
        self, rotations: Float[Tensor, "person 24 3 3"], camera: Float[Tensor, "person 3"]
    ) -> None:
        """Start from the mean of these poses and cameras (6D entries are averaged as they are)."""
        mean = rotations_from_6d(rotations_to_6d(rotations).mean(0))
        self.init_body_pose.copy_(rotations_to_6d(mean).flatten()[None])
        self.init_cam.copy_(camera.mean(0)[None])

    def forward(
        self, features: Float[Tensor, "person channel row column"], votes: Votes | None = None
    ) -> RecoveredMeshes:
        """Return what a map of features says of the person (`votes`: if they are counted)."""
        people = len(features)
        context = features.flatten(2).mT  # person patch channel
        if self.voting is not None and votes is None:
            votes = self.voting(features)
        pose, betas, camera = (
            mean.expand(people, -1)
            for mean in (self.init_body_pose, self.init_betas, self.init_cam)
        )
        for _ in range(self.config.iterations):
            query = context.new_zeros((people, 1, 1))
            if votes is not None:
                query = torch.cat([votes.features, votes.points, votes.joints], dim=2)
            elif self.config.reads_estimate:
                query = torch.cat([pose, betas, camera], dim=1)[:, None]
            answer = self.transformer(query, context)  # person token width
            pose = pose + self.decpose(answer).flatten(1)
            answer = answer.mean(1)
            betas = betas + self.decshape(answer)
            camera = camera + self.deccam(answer)
        with torch.autocast(features.device.type, enabled=False):
            rotations = rotations_from_6d(pose.float().unflatten(1, (JOINTS, 6)))
        return RecoveredMeshes(
            rotations=rotations,
            betas=betas.float(),
            camera=camera.float(),
            body=self.config.body,
            camera_places=self.config.camera_places,
        )


class QueryDecoder(nn.Module):
    """Tokens that look at a Pose-ViT's features, layer by layer."""

    def __init__(self, config: MeshHeadConfig, numbers: int, *, tokens: int, context: int) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(numbers, config.width)
        self.pos_embedding = nn.Parameter(torch.randn(1, tokens, config.width))
        self.transformer = _Layers(config, context)

    def forward(
        self,
        query: Float[Tensor, "person token number"],
        context: Float[Tensor, "person patch channel"],
    ) -> Float[Tensor, "person token width"]:
        """Return what each token brings back."""
        return self.transformer(self.to_token_embedding(query) + self.pos_embedding, context)


class _Layers(nn.Module):
    """Self-attention, a look at the features, a perceptron; all pre-norm, `depth` times."""

    def __init__(self, config: MeshHeadConfig, context: int) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    _PreNorm(config.width, _SelfAttention(config.width, inner, config.heads)),
                    _PreNorm(
                        config.width, _CrossAttention(config.width, inner, config.heads, context)
                    ),
                    _PreNorm(config.width, _FeedForward(config.width, config.feed_forward)),
                ]
            )
            for _ in range(config.depth)
        )

    def forward(
        self, x: Float[Tensor, "person token width"], context: Float[Tensor, "person patch channel"]
    ) -> Float[Tensor, "person token width"]:
        for itself, features, perceptron in self.layers:  # type: ignore[misc]
            x = x + itself(x)
            x = x + features(x, context)
            x = x + perceptron(x)
        return x


class _PreNorm(nn.Module):
    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = fn

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.fn(self.norm(x), *context)


class _SelfAttention(nn.Module):
    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width), nn.Identity())

    def forward(
        self, x: Float[Tensor, "person token width"]
    ) -> Float[Tensor, "person token width"]:
        return self.to_out(_attend(*self.to_qkv(x).chunk(3, dim=-1), heads=self.heads))


class _CrossAttention(nn.Module):
    def __init__(self, width: int, inner: int, heads: int, context: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_kv = nn.Linear(context, 2 * inner, bias=False)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width), nn.Identity())

    def forward(
        self, x: Float[Tensor, "person token width"], context: Float[Tensor, "person patch channel"]
    ) -> Float[Tensor, "person token width"]:
        return self.to_out(
            _attend(self.to_q(x), *self.to_kv(context).chunk(2, dim=-1), heads=self.heads)
        )


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        # places 2 and 4 are the published network's dropout, of strength zero
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width)
        )

    def forward(
        self, x: Float[Tensor, "person token width"]
    ) -> Float[Tensor, "person token width"]:
        return self.net(x)


def _attend(
    q: Float[Tensor, "person token inner"],
    k: Float[Tensor, "person patch inner"],
    v: Float[Tensor, "person patch inner"],
    *,
    heads: int,
) -> Float[Tensor, "person token inner"]:
    """Return softmax attention over several heads."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    return (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
