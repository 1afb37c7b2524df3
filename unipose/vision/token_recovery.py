"""TokenHMR: HMR 2.0 whose body pose is read from codes of a pose tokenizer, softly.

What one query token brings back from the Pose-ViT's features is mixed into a distribution over
2,048 codes at each of 160 places; the mean of the codes goes through the tokenizer's decoder, which
stays as it is (Dwivedi et al., TokenHMR, CVPR 2024). Names and shapes of all weights are those of
its checkpoints: `backbone.*` and `smpl_head.*` of the network, `decoder.*` and `quantizer.codebook`
of the tokenizer, which is a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokenizer.rotations import rotations_from_6d
from unipose.errors import MissingFileError
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.vision.mesh_recovery import (
    BETAS,
    ELSEWHERE,
    MeshHeadConfig,
    PoseViTRecovery,
    QueryDecoder,
)
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes
from unipose.vision.pose_vit import PAPER_POSE_VIT, PoseViTConfig
from unipose.vision.votes import JOINTS

BODY_JOINTS, HANDS = 21, 2
TOKENIZER_FILE = "tokenizer.pth"
"""Beside the network's checkpoint, as its authors hand them out."""


@dataclass(frozen=True, kw_only=True)
class CodeReadingConfig:
    """Sizes of what reads codes and of the tokenizer; the defaults are TokenHMR's."""

    tokens: int = 160
    codes: int = 2048
    hidden: int = 64
    blocks: int = 4
    token_hidden: int = 64
    channel_hidden: int = 256
    latent: int = 256
    width: int = 512
    lengths: tuple[int, ...] = (125, 90, 55, BODY_JOINTS)
    """From the tokens down to the joints."""
    dilations: tuple[int, ...] = (3, 1)


@dataclass(frozen=True, kw_only=True)
class TokenRecoveryConfig:
    """A Pose-ViT, HMR 2.0's decoder behind it, and the codes behind that."""

    vit: PoseViTConfig = field(default_factory=lambda: PAPER_POSE_VIT)
    head: MeshHeadConfig = field(
        default_factory=lambda: MeshHeadConfig(body="smpl", camera_places="origin")
    )
    codes: CodeReadingConfig = field(default_factory=CodeReadingConfig)


class TokenRecoveryNetwork(PoseViTRecovery):
    """Crops in, posed SMPL bodies out: a `MeshRecovery` whose head adapts, its tokenizer not."""

    smpl_head: _TokenHead

    def __init__(self, config: TokenRecoveryConfig | None = None) -> None:
        config = config or TokenRecoveryConfig()
        super().__init__(config.vit)
        self.config = config
        self.smpl_head = _TokenHead(config)
        self.tokenizer = _CodeDecoder(config.codes)

    def from_features(
        self, features: Float[Tensor, "person channel row column"]
    ) -> RecoveredMeshes:
        """Return the people that such maps show."""
        head = self.smpl_head
        answer = head.transformer(features.new_zeros(len(features), 1, 1), features.flatten(2).mT)
        answer = answer[:, 0]
        shares = head.decpose(answer).softmax(-1)
        body = self.tokenizer(shares).flatten(1)
        pose = torch.cat([head.decpose_grot(answer), body, head.decpose_hands(answer)], dim=1)
        pose = (pose + head.init_body_pose).float().unflatten(1, (JOINTS, 6))
        return RecoveredMeshes(
            rotations=rotations_from_6d(pose).mT,  # TokenHMR's six numbers are two rows
            betas=(head.decshape(answer) + head.init_betas).float(),
            camera=(head.deccam(answer) + head.init_cam).float(),
            body=self.config.head.body,
            camera_places=self.config.head.camera_places,
        )

    def load_published(self, path: str | Path, tokenizer: str | Path | None = None) -> None:
        """Load TokenHMR's checkpoint and its tokenizer's (None: `tokenizer.pth` beside it).

        All of the network and of the tokenizer's decoder, and nothing else; nothing in the files is
        executed. Raises MissingFileError, and WeightsError as `load_strictly` does.
        """
        path = Path(path)
        codes = path.with_name(TOKENIZER_FILE) if tokenizer is None else Path(tokenizer)
        if not codes.is_file():
            raise MissingFileError(
                codes, "TokenHMR needs its tokenizer.", "Put tokenizer.pth beside the checkpoint."
            )
        weights = read_checkpoint(path)
        own = {n: value for n, value in weights.items() if not n.startswith(ELSEWHERE)}
        decoding = read_checkpoint(codes, ("decoder.", "quantizer."))
        kept = {
            f"tokenizer.{name}": value
            for name, value in decoding.items()
            if "body_model" not in name
        }
        load_strictly(self, own | kept, path)


class _TokenHead(nn.Module):
    init_body_pose: Float[Tensor, "1 144"]
    init_betas: Float[Tensor, "1 10"]
    init_cam: Float[Tensor, "1 3"]

    def __init__(self, config: TokenRecoveryConfig) -> None:
        super().__init__()
        width = config.head.width
        self.transformer = QueryDecoder(config.head, 1, tokens=1, context=config.vit.width)
        self.decpose_grot = nn.Linear(width, 6)
        self.decpose_hands = nn.Linear(width, 6 * HANDS)
        self.decshape = nn.Linear(width, BETAS)
        self.deccam = nn.Linear(width, 3)
        self.decpose = _CodeClassifier(width, config.codes)
        for name, size in (("init_body_pose", 6 * JOINTS), ("init_betas", BETAS), ("init_cam", 3)):
            self.register_buffer(name, torch.zeros(1, size))


class _CodeClassifier(nn.Module):
    """From what the query brought back to scores of all codes at each place."""

    def __init__(self, width: int, config: CodeReadingConfig) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.mixer_trans = _Dense(width, config.tokens * config.hidden)
        self.mixer_head = nn.ModuleList(_Mixer(config) for _ in range(config.blocks))
        self.mixer_norm_layer = _Dense(config.hidden, config.hidden)
        self.class_pred_layer = nn.Linear(config.hidden, config.codes)

    def forward(self, answer: Float[Tensor, "person width"]) -> Float[Tensor, "person token code"]:
        tokens = self.mixer_trans(answer).unflatten(1, (self.tokens, -1))
        for mixer in self.mixer_head:
            tokens = mixer(tokens)
        return self.class_pred_layer(self.mixer_norm_layer(tokens))


class _Dense(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.ff = nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU())

    def forward(self, x: Float[Tensor, "*place inputs"]) -> Float[Tensor, "*place outputs"]:
        return self.ff(x)


class _Hidden(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        # place 2 is the published network's dropout, of strength zero
        self.ff = nn.Sequential(
            nn.Linear(size, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, size)
        )

    def forward(self, x: Float[Tensor, "*place size"]) -> Float[Tensor, "*place size"]:
        return self.ff(x)


class _Mixer(nn.Module):
    def __init__(self, config: CodeReadingConfig) -> None:
        super().__init__()
        self.layernorm1 = nn.LayerNorm(config.hidden)
        self.MLP_token = _Hidden(config.tokens, config.token_hidden)
        self.layernorm2 = nn.LayerNorm(config.hidden)
        self.MLP_channel = _Hidden(config.hidden, config.channel_hidden)

    def forward(
        self, x: Float[Tensor, "person token hidden"]
    ) -> Float[Tensor, "person token hidden"]:
        x = x + self.MLP_token(self.layernorm1(x).mT).mT
        return x + self.MLP_channel(self.layernorm2(x))


class _CodeDecoder(nn.Module):
    """The tokenizer's half that is needed: shares of codes to 21 joints' six numbers."""

    def __init__(self, config: CodeReadingConfig) -> None:
        super().__init__()
        self.quantizer = _Codebook(config)
        self.decoder = _JointDecoder(config)

    def forward(self, shares: Float[Tensor, "person token code"]) -> Float[Tensor, "person 21 6"]:
        return self.decoder(shares @ self.quantizer.codebook)


class _Codebook(nn.Module):
    codebook: Float[Tensor, "code latent"]

    def __init__(self, config: CodeReadingConfig) -> None:
        super().__init__()
        self.register_buffer("codebook", torch.zeros(config.codes, config.latent))


class _JointDecoder(nn.Module):
    def __init__(self, config: CodeReadingConfig) -> None:
        super().__init__()
        width = config.width
        layers: list[nn.Module] = [nn.Conv1d(config.latent, width, 3, padding=1), nn.ReLU()]
        for length in config.lengths:
            layers += [nn.Upsample(length), nn.Conv1d(width, width, 3, padding=1), nn.ReLU()]
        blocks = _Residuals(config)
        layers.append(nn.Sequential(blocks, nn.Conv1d(width, width, 3, padding=1)))
        layers.append(nn.Conv1d(width, 6, 3, padding=1))
        self.decoder = nn.Sequential(*layers)

    def forward(self, latents: Float[Tensor, "person token latent"]) -> Float[Tensor, "person _ 6"]:
        return self.decoder(latents.mT).mT


class _Residuals(nn.Module):
    def __init__(self, config: CodeReadingConfig) -> None:
        super().__init__()
        self.model = nn.Sequential(*(_TokenUnit(config.width, d) for d in config.dilations))

    def forward(
        self, x: Float[Tensor, "person width joint"]
    ) -> Float[Tensor, "person width joint"]:
        return self.model(x)


class _TokenUnit(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(
        self, x: Float[Tensor, "person width joint"]
    ) -> Float[Tensor, "person width joint"]:
        return x + self.conv2(self.conv1(x.relu()).relu())
