"""The pose language model: a causal language model that reads and writes poses as codes.

A row of a question and its answer runs through it once:

    embed         words and codes by the table; with a projector, a pose that is read by what its
                  codes decode to; patches of a picture by what the eyes see
    run           the language model's own layers, under mixed attention
    text_logits   the next word, or the start of a pose
    code_logits   a code for each slot of a pose: from the slots' own states, or from a pose expert
                  that attends to the states of the row

Whatever is said of a pose, and whatever pose is made of words, comes out of the language model's
states: nothing goes around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache

from tokenizer.codec import CodecConfig, PoseTokenizer
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.errors import BlindModelError, ConfigError
from unipose.language.base_forward import (
    CLOSE,
    layer_dtype,
    output_products,
    own_logits,
    own_masks,
)
from unipose.language.claim_teacher import ClaimTeacher
from unipose.language.config import PoseLanguageConfig
from unipose.language.eyes import Eyes, EyesConfig
from unipose.language.pictures import Picture, Pictures
from unipose.language.pose_expert import PoseExpert, PoseExpertConfig, level_grid
from unipose.language.pose_projector import PoseProjector
from unipose.language.precision import float32_on
from unipose.language.rendering import PATCH, READ_POSE, Batch

FLOAT32 = ("codec", "joints_at_rest")
"""Parts that turn codes into rotations and joints; other numbers are too coarse for these."""


class PoseLanguageModel(PreTrainedModel):
    """A causal language model with pose codes in its vocabulary and the tokenizer that made them.

    The codec is frozen. `joints_at_rest` (24, 3) are the resting joints of the body whose poses it
    speaks about, needed to turn codes into joints.
    """

    config_class = PoseLanguageConfig
    config: PoseLanguageConfig
    base_model_prefix = "llm"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    joints_at_rest: Tensor
    llm: Any
    learning: tuple[str, ...] = (
        "lora_", "embed_tokens", "lm_head", "pose_projector", "expert", "eyes",
    )  # fmt: skip
    """All but the base's own layers: in training in float32, over a base of any number type."""

    def __init__(
        self,
        config: PoseLanguageConfig,
        *,
        llm: PreTrainedModel | None = None,
        in_float32: Sequence[str] = FLOAT32,
    ) -> None:
        """Build what `config` says, around `llm` if one was read already.

        `in_float32` are the parts that `from_pretrained` loads in float32 whatever it is told.
        """
        super().__init__(config)
        self._keep_in_fp32_modules_strict = set(in_float32)
        kind = dict(config.llm)
        kind.pop("dtype", None)
        llm_config = AutoConfig.for_model(kind.pop("model_type"), **kind)
        codec_config = CodecConfig.from_dict(config.codec)
        self.codes, self.length = codec_config.codes, codec_config.length
        if llm_config.vocab_size < config.text_tokens + self.codes + 4 + self.length:
            raise ConfigError(
                f"the language model's vocabulary of {llm_config.vocab_size} has no room for "
                f"{config.text_tokens} text tokens, {self.codes} codes and {self.length} slots"
            )
        if llm is None:
            llm = AutoModelForCausalLM.from_config(llm_config)
        else:
            for module in llm.modules():  # or post_init would draw its weights anew
                setattr(module, "_is_hf_initialized", True)  # noqa: B010
        self.llm = llm
        if config.lora:
            self.add_adapters(config.lora)
        # from_pretrained builds on the meta device; the codec's tables are computed, not loaded
        with torch.device("cpu"):
            self.codec = PoseTokenizer(codec_config).requires_grad_(requires_grad=False).eval()
        self.register_buffer("joints_at_rest", torch.zeros(24, 3))
        self.pose_projector = self.expert = self.eyes = None
        self.teacher: ClaimTeacher | None = None
        width = llm_config.hidden_size
        if config.pose_projector:
            self.pose_projector = PoseProjector(
                config.pose_projector,
                config.pose_places,
                config.pose_told,
                config.pose_words,
                width,
            )
        if config.expert:
            self.add_expert(PoseExpertConfig(**config.expert))
        if config.eyes:
            self.add_eyes(EyesConfig.from_dict(config.eyes))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave the weights as the modules made them."""

    @classmethod
    def from_pretrained(cls, *arguments: Any, **options: Any) -> Any:
        """Load a model as Hugging Face does, then compute again the tables that are not saved.

        Hugging Face builds on the meta device and hands back every buffer outside the state dict
        uninitialised; the codec's tables follow from its config.
        """
        loaded = super().from_pretrained(*arguments, **options)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model.restore_tables()
        return loaded

    def restore_tables(self) -> None:
        """Compute the tables that are not saved."""
        copy_tables(self.codec, PoseTokenizer(self.codec.config))
        if self.expert is not None:
            self.expert.register_buffer("grid", level_grid(self.codec.config), persistent=False)

    def train(self, mode: bool = True) -> PoseLanguageModel:
        """Set the training mode of all but the frozen codec, which is not touched."""
        self.training = mode
        for child in self.children():
            if child is not self.codec:
                child.train(mode)
        return self

    def add_adapters(self, lora: dict) -> None:
        """Put LoRA adapters beside all linear layers of the language model but the last."""
        from peft import LoraConfig, inject_adapter_in_model  # slow to import, and seldom needed

        self.config.lora = lora
        adapters = LoraConfig(target_modules="all-linear", exclude_modules=["lm_head"], **lora)
        inject_adapter_in_model(adapters, self.llm)

    def add_expert(self, config: PoseExpertConfig) -> None:
        """Let an expert write poses in place of the slots; it is still untrained."""
        self.config.expert = config.to_dict()
        width = self.llm.config.hidden_size
        self.expert = PoseExpert(config, self.codec.config, context=width)

    def add_eyes(self, eyes: EyesConfig) -> None:
        """Let the model see: frozen encoders and a projector, all of them still untrained."""
        self.config.eyes = eyes.to_dict()
        self.eyes = Eyes(eyes, width=self.llm.config.hidden_size)

    @torch.no_grad()
    def look(
        self, pixels: UInt8[Tensor, "height width 3"], box: Sequence[float] | None = None
    ) -> Picture:
        """Return a picture (RGB) as a part of a question: pixels, or what guessing eyes saw.

        `box` is left, top, right, bottom in pixels. Raises ConfigError for a box without an area,
        BlindModelError if the model has no eyes.
        """
        if self.eyes is None:
            raise BlindModelError()
        prepared = self.eyes.prepare(pixels, box)
        return prepared if self.eyes.head is None else self.encode_image(prepared)

    @torch.no_grad()
    def encode_image(self, prepared: Picture) -> Picture:
        """Return what the eyes see in one picture, and guess if they do, in half precision."""
        alone = Pictures.stacked([prepared])
        assert self.eyes is not None
        assert alone is not None
        alone = alone.to(self.device)
        seen = self.eyes.encode_images(alone)
        guess = meshes = None
        if self.eyes.head is not None:
            meshes = self.eyes.guess(seen.pose, alone.pose.to(self.eyes.place))
            guess = self.codec.encode(meshes.pose().sixd)[0].cpu()
            meshes = meshes.to("cpu")
        picture = seen.to("cpu").apart()[0]
        clip = None if picture.clip is None else picture.clip.half()
        return replace(
            prepared, clip=clip, pose=picture.pose.half(), seen=True, guess=guess, meshes=meshes
        )

    @property
    def patches(self) -> int:
        """Places of a row that one picture takes; 0 if the model cannot see."""
        return 0 if self.eyes is None else self.eyes.patches

    @property
    def pictures(self) -> int:
        """Pictures that one question may hold."""
        return 0 if self.eyes is None else self.eyes.config.most

    @property
    def first_code(self) -> int:
        """Id of the first pose code."""
        return self.config.text_tokens

    def joints(
        self, rotations: Float[Tensor, "pose 22 3 3"], *, facing: bool = False
    ) -> Float[Tensor, "pose 22 3"]:
        """Return joints (metres, pelvis at the origin); `facing` turns every pose to the front."""
        if facing:
            rotations = face_front(rotations)
        return forward_kinematics(rotations, self.joints_at_rest)

    def hidden_states(
        self,
        batch: Batch,
        seen: Bool[Tensor, "row 1 new place"],
        positions: Int[Tensor, "row place"],
        cache: Cache | None = None,
        question: Any = None,
    ) -> tuple[Float[Tensor, "row new width"], Any]:
        """Return the last hidden states of new places, and what is kept of a question beside them.

        This model keeps nothing beside its cache; others are handed what they kept as `question`.
        """
        return self.run(self.embed(batch), seen, positions, cache), None

    def embed(self, batch: Batch) -> Float[Tensor, "row place width"]:
        """Return input embeddings: of words, of codes that are read, of patches."""
        embeddings = self.llm.get_input_embeddings()(batch.ids)
        if batch.pictures is not None or bool(batch.looking.any()):
            embeddings = self.with_pictures(embeddings, batch)
        shown = self.shown_poses(batch)
        if shown is not None:
            read = batch.kinds == READ_POSE
            embeddings = embeddings.masked_scatter(read[..., None], shown.to(embeddings.dtype))
        return embeddings

    def shown_poses(self, batch: Batch) -> Float[Tensor, "pose place width"] | None:
        """Return the embeddings of all poses that are read, row after row; None without any."""
        if self.pose_projector is None or batch.read is None:
            return None
        with torch.no_grad(), float32_on(batch.read.device):
            rotations = self.codec.rotations(batch.read)
            joints = self.joints(rotations, facing=True)
        return self.pose_projector(rotations, joints)

    def expert_places(self, batch: Batch) -> Bool[Tensor, "row place"]:
        """Return the places that the expert attends to: it has the codes of a read pose itself."""
        return batch.real & (batch.kinds != READ_POSE)

    def with_pictures(
        self, embeddings: Float[Tensor, "row place width"], batch: Batch
    ) -> Float[Tensor, "row place width"]:
        """Return the embeddings with what the eyes see at the places of patches."""
        if self.eyes is None:
            raise BlindModelError()
        patches = batch.kinds == PATCH
        shown = 0 if batch.pictures is None else len(batch.pictures)
        places = int(patches.sum())
        if batch.pictures is None or places != shown * self.patches:
            raise ConfigError(
                f"{shown} pictures of {self.patches} patches need {shown * self.patches} places, "
                f"the batch has {places}; was it rendered with this model's vocabulary?"
            )
        seen = self.eyes(batch.pictures).flatten(0, 1)  # place width
        return embeddings.masked_scatter(patches[..., None], seen.to(embeddings.dtype))

    def run(
        self,
        embeddings: Float[Tensor, "row new width"],
        seen: Bool[Tensor, "row 1 new place"],
        positions: Int[Tensor, "row place"],
        cache: Cache | None = None,
    ) -> Float[Tensor, "row new width"]:
        """Return the language model's last hidden states; `positions` are those of all places."""
        given, new = embeddings.dtype, embeddings.shape[1]
        if not torch.is_autocast_enabled(embeddings.device.type):
            embeddings = embeddings.to(layer_dtype(self.llm))
        hidden = self.llm.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=own_masks(self.llm, seen, positions, embeddings.dtype),
            position_ids=positions[:, -new:],
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        return hidden.to(given)

    def text_logits(self, hidden: Float[Tensor, "place width"]) -> Float[Tensor, "place token"]:
        """Return logits over text and, in the last column, the start of a pose."""
        start = self.first_code + self.codes
        words, opens = (
            self.own_logits(hidden, rows)
            for rows in (slice(self.first_code), slice(start, start + 1))
        )
        return torch.cat([words, opens], dim=-1)

    def code_logits(
        self, hidden: Float[Tensor, "pose slot width"]
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits over pose codes alone: a slot can answer with nothing else."""
        return self.own_logits(hidden, slice(self.first_code, self.first_code + self.codes))

    def slot_logits(
        self,
        states: Float[Tensor, "pose slot width"],
        batch: Batch,
        rows: Int[Tensor, " pose"],
        question: Any = None,
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits of the codes of poses that are written in some rows of a batch."""
        return self.code_logits(states)

    def own_logits(
        self, hidden: Float[Tensor, "*place width"], rows: slice
    ) -> Float[Tensor, "*place token"]:
        """Return logits of some rows of the output layer, scaled and capped as the base does."""
        head = self.llm.get_output_embeddings()
        if not torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(head.weight.dtype)
        return own_logits(self.llm.config, output_products(head, hidden, rows))

    @torch.no_grad()
    def check_text_logits(self, ids: Int[Tensor, " place"]) -> None:
        """Compare the logits of a plain text with those of the base's own forward pass.

        Raises ConfigError if they differ: the base does something to its logits, embeddings or
        attention that is not known here.
        """
        ids = ids[None].to(self.device)
        places = torch.arange(ids.shape[1], device=ids.device)
        seen = (places[None, :] <= places[:, None])[None, None]
        embeddings = self.llm.get_input_embeddings()(ids)
        ours = self.text_logits(self.run(embeddings, seen, places[None])[0])[:, :-1].float()
        own = self.llm(input_ids=ids, use_cache=False).logits[0, :, : self.first_code].float()
        size = own.std(dim=-1).mean().clamp(min=1e-6)
        rounding = CLOSE + 8 * torch.finfo(layer_dtype(self.llm)).eps
        off = float((ours - own).square().mean().sqrt() / size)
        if not off <= rounding:
            raise ConfigError(
                f"the logits of {self.llm.config.model_type!r} are off by {off:.1%} of their size "
                f"when computed as this model does; it can be no base"
            )


def copy_tables(module: nn.Module, fresh: nn.Module) -> None:
    """Take the buffers that are not saved from a fresh module, in its number types."""
    saved = fresh.state_dict().keys()
    for name, table in fresh.named_buffers():
        if name not in saved:
            owner, _, own = name.rpartition(".")
            place = module.get_buffer(name).device
            module.get_submodule(owner).register_buffer(own, table.to(place), persistent=False)
