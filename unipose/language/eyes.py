"""The model's eyes: CLIP and the Pose-ViT, both frozen, and the projector that learns to tell.

Every picture becomes `patches` places of a row. In UniPose these are CLIP's 24 x 24 patches with
the Pose-ViT's map laid over them (supplement B.3); a small model may leave CLIP out, and may keep
the mesh recovery head behind the Pose-ViT: its guess at the pose is then read beside the patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.errors import ConfigError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.language.pictures import Picture, Pictures
from unipose.vision.clip import MINI_CLIP, ClipConfig, ClipEye
from unipose.vision.crops import Crops
from unipose.vision.mesh_recovery import MeshHead, MeshHeadConfig
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes
from unipose.vision.pixels import IMAGENET_MEAN, IMAGENET_STD, normalised
from unipose.vision.pose_vit import PAPER_POSE_VIT, PoseViT, PoseViTConfig
from unipose.vision.projector import ProjectorConfig, VisualProjector

PAPER_EYE = ClipConfig()
"""OpenAI's ViT-L/14 at 336 px, the last layer but one."""

LARGEST_CROP_PX = 1024
"""Side of the square that is cut out around a person; the eyes look at less."""

NEARER = 0.9
"""Share of a crop's sides that a second glance looks at."""

LOOKS = 2
MARGIN = 0.1
"""Of the longer side of the box around the joints: hair, hands and shoes reach beyond them."""


@dataclass(frozen=True, kw_only=True)
class EyesConfig:
    """What the model sees with; the projector's widths follow from the others'."""

    pose: PoseViTConfig = PAPER_POSE_VIT
    clip: ClipConfig | None = PAPER_EYE
    """None leaves CLIP out: then a picture has as many places as the Pose-ViT's square map."""
    head: MeshHeadConfig | None = None
    """Of the network that the Pose-ViT was trained in; None: the patches alone (UniPose)."""
    most: int = 2
    """Pictures that one question may hold."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ConfigError(f"eyes see at least one picture, got most={self.most}")

    def to_dict(self) -> dict[str, Any]:
        """Return what goes into the model's config.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EyesConfig:
        """Return the configuration that `to_dict` wrote."""
        pose = dict(values["pose"])
        pose["stem"] = tuple(tuple(stage) for stage in pose.get("stem", ()))
        clip, head = values.get("clip"), values.get("head")
        return cls(
            pose=PoseViTConfig(**pose),
            clip=None if clip is None else ClipConfig(**clip),
            head=None if head is None else MeshHeadConfig(**head),
            most=values.get("most", 2),
        )


class Eyes(nn.Module):
    """Two frozen encoders and a projector; the first is None in a model without CLIP."""

    def __init__(self, config: EyesConfig, *, width: int) -> None:
        super().__init__()
        self.config = config
        self.clip = None if config.clip is None else ClipEye(_with_own_file(config.clip))
        self.pose = PoseViT(config.pose)
        self.head = None if config.head is None else MeshHead(config.head, config.pose)
        self.projector = VisualProjector(
            ProjectorConfig(
                clip=0 if self.clip is None else self.clip.width,
                pose=config.pose.width,
                width=width,
            )
        )
        for encoder in self.encoders:
            encoder.requires_grad_(requires_grad=False).eval()

    @property
    def encoders(self) -> list[nn.Module]:
        """What sees and never learns here."""
        return [part for part in (self.clip, self.pose, self.head) if part is not None]

    @property
    def place(self) -> Tensor:
        """A weight of the Pose-ViT: it has the device and the precision of what the eyes take."""
        return self.pose.pos_embed

    @property
    def patches(self) -> int:
        """Places that one picture takes."""
        return (self.config.pose.rows if self.clip is None else self.clip.grid) ** 2

    def train(self, mode: bool = True) -> Eyes:
        """Set the training mode of the projector; the encoders are not touched."""
        self.training = mode
        self.projector.train(mode)
        return self

    def prepare(
        self, pixels: UInt8[Tensor, "height width 3"], box: Sequence[float] | None = None
    ) -> Picture:
        """Return a picture (RGB) as the eyes take it: the square around a person, or its middle.

        `box` is left, top, right, bottom in pixels. Raises ConfigError for a box without an area.
        """
        height, width = pixels.shape[:2]
        around = None
        if box is not None:
            pixels = around_box(pixels, box)
            left, top, right, bottom = (float(edge) for edge in box)
            around = (left, top, right, bottom)
        clip = None if self.clip is None else self.clip.prepare([pixels])[0]
        return Picture(
            clip=clip, pose=self.pose.prepare([pixels])[0], box=around, size_px=(width, height)
        )

    @torch.no_grad()
    def encode_images(self, pictures: Pictures) -> Pictures:
        """Return what the encoders see; pictures that were seen before come back as they are."""
        if pictures.seen:
            return pictures
        dtype = self.place.dtype
        clip = None
        if self.clip is not None and pictures.clip is not None:
            clip = self.clip(pictures.clip.to(dtype))
        return Pictures(clip=clip, pose=self.pose(pictures.pose.to(dtype)), seen=True)

    @torch.no_grad()
    def guess(
        self,
        features: Float[Tensor, "image channel row column"],
        crops: Float[Tensor, "image 3 side side"],
    ) -> RecoveredMeshes:
        """Return pose, shape and weak camera of the person in each picture.

        `features` are the Pose-ViT's of the crops. The mean of four glances, as they are and from
        nearer by, each also in a mirror. Raises ConfigError for eyes without a head.
        """
        if self.head is None:
            raise ConfigError("these eyes have no mesh recovery head to guess with")
        middle = nearer(crops)
        plain, near = self.head(features), self.head(self.pose(middle))
        mirrored, near_mirrored = (
            self.head(self.pose(seen.flip(3))).mirrored() for seen in (crops, middle)
        )
        glances = [plain, _of_whole(near), mirrored, _of_whole(near_mirrored)]
        sixd = torch.stack([rotations_to_6d(glance.rotations) for glance in glances])
        return replace(
            plain,
            rotations=rotations_from_6d(sixd.mean(0)),
            betas=torch.stack([glance.betas for glance in glances]).mean(0),
            camera=torch.stack([glance.camera for glance in glances]).mean(0),
        )

    @torch.no_grad()
    def find(self, pixels: UInt8[Tensor, "height width 3"]) -> tuple[float, ...] | None:
        """Return a box (left, top, right, bottom; pixels) around the joints that are seen.

        The middle square is looked at first, then again what was found there. None if these eyes
        do not look for joints. Several people give no useful box: name one.
        """
        if self.head is None or self.head.voting is None:
            return None
        crops = Crops.whole(*pixels.shape[:2])
        box = torch.empty(4)
        for _ in range(LOOKS):
            cut = crops.cut(pixels, self.config.pose.image_px)
            features = self.pose(normalised(cut, IMAGENET_MEAN, IMAGENET_STD).to(self.place))
            joints = crops.to_picture(self.head.voting(features).points.cpu())[0]
            low, high = joints.amin(0), joints.amax(0)
            margin = MARGIN * (high - low).max()
            box = torch.cat([low - margin, high + margin])
            crops = Crops.around(box[None])
        return tuple(box.tolist())

    def load_published(self, path: str | Path) -> None:
        """Load `backbone.*`, and `smpl_head.*` if these eyes have a head, all of them.

        Nothing in the file is executed. Raises WeightsError as `load_strictly` does.
        """
        self.pose.load_published(path)
        if self.head is not None:
            weights = read_checkpoint(Path(path), ("smpl_head.",))
            load_strictly(self.head, part_of(weights, "smpl_head."), Path(path))

    def forward(self, pictures: Pictures) -> Float[Tensor, "image patch width"]:
        """Return the pictures as embeddings for the language model, patch by patch."""
        seen = self.encode_images(pictures)
        dtype = next(self.projector.parameters()).dtype
        clip = None if seen.clip is None else seen.clip.to(dtype)
        return self.projector(clip, seen.pose.to(dtype))


def around_box(
    pixels: UInt8[Tensor, "height width 3"], box: Sequence[float]
) -> UInt8[Tensor, "side side 3"]:
    """Return the square around a person, as sharp as the picture; black beyond it."""
    crops = Crops.around(torch.tensor([list(box)], dtype=torch.float32))
    side = max(1, min(round(float(crops.side)), LARGEST_CROP_PX))
    return crops.cut(pixels, side)[0].movedim(0, 2).round().clamp(0, 255).to(torch.uint8)


def nearer(crops: Float[Tensor, "image 3 side side"]) -> Float[Tensor, "image 3 side side"]:
    """Return the middle of the crops in the crops' size."""
    same = NEARER * torch.eye(2, 3, dtype=crops.dtype, device=crops.device)
    grid = functional.affine_grid(
        same.expand(len(crops), 2, 3), list(crops.shape), align_corners=False
    )
    return functional.grid_sample(crops, grid, align_corners=False)


def _of_whole(near: RecoveredMeshes) -> RecoveredMeshes:
    """Return what was said of `nearer` crops as said of the whole ones, whose sides span more."""
    return replace(near, camera=near.camera * near.camera.new_tensor([NEARER, 1.0, 1.0]))


def _with_own_file(config: ClipConfig) -> ClipConfig:
    """Return the configuration with the place of a file that comes with the library."""
    if config.model == MINI_CLIP.name:
        return replace(config, model=str(MINI_CLIP))
    return config
