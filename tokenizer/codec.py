"""The pose tokenizer: one body pose becomes a short string of codes, and codes become a pose."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tokenizer.code_search import search_levels
from tokenizer.networks import ConvolutionDecoder, ConvolutionEncoder, PartDecoder, PartEncoder
from tokenizer.quantisers import Kind, Quantiser
from tokenizer.rotations import rotations_from_6d, rotations_to_6d


class CodecError(ValueError):
    """A tokenizer's configuration or file cannot be used, or codes are not codes."""


@dataclass(frozen=True)
class JointGroup:
    """Joints that share codes, from the root outwards, and how many positions they get."""

    joints: tuple[int, ...]
    positions: int


WHOLE_BODY = tuple(range(22))
TRUNK, LEFT_LEG, RIGHT_LEG = (3, 6, 9, 12, 15), (1, 4, 7, 10), (2, 5, 8, 11)
LEFT_ARM, RIGHT_ARM = (13, 16, 18, 20), (14, 17, 19, 21)


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """How one body pose becomes a short string of codes."""

    groups: tuple[JointGroup, ...]
    network: Literal["convolution", "perceptron"]
    width: int
    depth: int = 2
    """Hidden layers of a perceptron; the convolutional network has a fixed depth."""
    quantiser: Kind
    stages: int = 1
    latent: int
    codes: int = 2048
    levels: tuple[int, ...] = ()
    """Levels per latent dimension of finite scalar quantisation."""
    search_rounds: int = 0
    """Rounds in which `encode` looks for better levels of "residual_fsq"; 0 only rounds to them."""

    def __post_init__(self) -> None:
        joints = sorted(joint for group in self.groups for joint in group.joints)
        if joints != list(range(len(joints))):
            raise CodecError(f"each joint belongs to exactly one group, got joints {joints}")
        if self.network == "convolution" and len(self.groups) != 1:
            raise CodecError("the convolutional network codes the whole body as one group")
        if self.search_rounds and self.quantiser != "residual_fsq":
            raise CodecError(f"search_rounds need residual_fsq, got {self.quantiser}")
        if self.stages > 1 and not self.quantiser.startswith("residual"):
            raise CodecError(f"{self.stages} stages need a residual quantiser")
        if self.quantiser.endswith("fsq") and (
            math.prod(self.levels) != self.codes or len(self.levels) != self.latent
        ):
            raise CodecError(
                f"levels {self.levels} give {math.prod(self.levels)} codes in {len(self.levels)} "
                f"dimensions, not {self.codes} in {self.latent}"
            )

    @property
    def joints(self) -> int:
        """How many joints are coded."""
        return sum(len(group.joints) for group in self.groups)

    @property
    def length(self) -> int:
        """How many codes one pose takes."""
        return self.stages * sum(group.positions for group in self.groups)

    @classmethod
    def from_dict(cls, values: dict) -> CodecConfig:
        """Return the config that `asdict` wrote (JSON has lists where we have tuples)."""
        groups = tuple(JointGroup(tuple(g["joints"]), g["positions"]) for g in values["groups"])
        return cls(**{**values, "groups": groups, "levels": tuple(values["levels"])})


PAPER = CodecConfig(
    groups=(JointGroup(WHOLE_BODY, 80),),
    network="convolution",
    width=512,
    quantiser="ema",
    latent=256,
)
"""UniPose as published: 22 joints x 6D -> 80 codes of 2048 (supplement B.1)."""


class PoseTokenizer(nn.Module):
    """Encoder, quantiser and decoder of poses; knows rotations and nothing else."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        if config.network == "convolution":
            (group,) = config.groups
            sizes = {"joints": config.joints, "positions": group.positions}
            self.encoder = ConvolutionEncoder(**sizes, width=config.width, latent=config.latent)
            self.decoder = ConvolutionDecoder(**sizes, width=config.width, latent=config.latent)
        else:
            groups = [(list(group.joints), group.positions) for group in config.groups]
            sizes = {"width": config.width, "depth": config.depth, "latent": config.latent}
            self.encoder = PartEncoder(groups, **sizes)
            self.decoder = PartDecoder(groups, **sizes)
        self.quantiser = Quantiser(
            config.quantiser,
            latent=config.latent,
            codes=config.codes,
            levels=config.levels,
            stages=config.stages,
        )

    def forward(
        self, sixd: Float[Tensor, "batch joint 6"]
    ) -> tuple[Float[Tensor, "batch joint 3 3"], Int[Tensor, "batch code"], Float[Tensor, ""]]:
        """Return reconstructed rotations, codes, and the quantiser's commitment loss."""
        quantised, codes, commitment = self.quantiser(self.encoder(sixd))
        return rotations_from_6d(self.decoder(quantised)), codes, commitment

    @torch.no_grad()
    def encode(self, sixd: Float[Tensor, "batch joint 6"]) -> Int[Tensor, "batch code"]:
        """Return the codes of poses given as 6D rotations (22 joints, root first)."""
        if sixd.shape[1:] != (self.config.joints, 6) or not bool(torch.isfinite(sixd).all()):
            raise CodecError(
                f"expected finite 6D rotations (batch, {self.config.joints}, 6), "
                f"got {tuple(sixd.shape)}"
            )
        quantised, codes, _ = self.quantiser(self.encoder(sixd))
        if not self.config.search_rounds:
            return codes
        found = search_levels(
            quantised,
            rotations_from_6d(sixd),
            lambda latents: rotations_from_6d(self.decoder(latents)),
            groups=[(group.joints, group.positions) for group in self.config.groups],
            step=self.quantiser.level_step,
            bound=self.quantiser.codebooks.amax(dim=1).sum(dim=0),
            rounds=self.config.search_rounds,
        )
        return self.quantiser.nearest(found)

    @torch.no_grad()
    def decode(self, codes: Int[Tensor, "batch code"]) -> Float[Tensor, "batch joint 6"]:
        """Return the 6D rotations (orthonormal) that codes stand for."""
        if codes.shape[1:] != (self.config.length,) or bool(
            ((codes < 0) | (codes >= self.config.codes)).any()
        ):
            raise CodecError(
                f"expected {self.config.length} codes in 0..{self.config.codes - 1} per pose, "
                f"got {tuple(codes.shape)} in {codes.min()}..{codes.max()}"
            )
        return rotations_to_6d(self.rotations(codes))

    def rotations(self, codes: Int[Tensor, "batch code"]) -> Float[Tensor, "batch joint 3 3"]:
        """Return the rotation matrices that codes stand for."""
        return rotations_from_6d(self.decoder(self.quantiser.latents(codes)))

    @torch.no_grad()
    def mixed_codes(
        self, probabilities: Float[Tensor, "batch code choice"]
    ) -> Int[Tensor, "batch code"]:
        """Return the codes nearest to the mean under a distribution over codes at each place."""
        return self.quantiser.nearest(self.quantiser.mixed_latents(probabilities))

    def mixed_rotations(
        self, probabilities: Float[Tensor, "batch code choice"]
    ) -> Float[Tensor, "batch joint 3 3"]:
        """Return rotations of the probability-weighted mix of codes (TokenHMR's soft decode).

        Differentiable with respect to the probabilities.
        """
        return rotations_from_6d(self.decoder(self.quantiser.mixed_latents(probabilities)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `codec.json` and `codec.safetensors` into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "codec.json").write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(state, folder / "codec.safetensors")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> PoseTokenizer:
        """Load what `save_pretrained` wrote; CodecError names the file and what is wrong."""
        folder = Path(folder)
        try:
            config = CodecConfig.from_dict(json.loads((folder / "codec.json").read_text()))
            state = load_file(folder / "codec.safetensors")
        except FileNotFoundError as error:
            raise CodecError(
                f"{folder} is no pose tokenizer: it should hold codec.json and codec.safetensors"
            ) from error
        except (KeyError, TypeError, json.JSONDecodeError, SafetensorError) as error:
            raise CodecError(
                f"{folder}: codec.json or codec.safetensors is broken: {error}"
            ) from error
        codec = cls(config)
        try:
            codec.load_state_dict(state, strict=True)
        except RuntimeError as error:
            raise CodecError(f"{folder}: the weights do not fit codec.json: {error}") from error
        return codec.eval()
