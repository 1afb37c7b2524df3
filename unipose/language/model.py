"""The pose language model: a causal language model that reads and writes poses as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache

from tokenizer.codec import CodecConfig, PoseTokenizer
from tokenizer.rotations import rotations_to_6d
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
from unipose.language.claim_memory import ClaimMemory, perceptron, starts_at_zero
from unipose.language.code_digits import CodeDigits
from unipose.language.config import PoseLanguageConfig
from unipose.language.doubt import Doubt
from unipose.language.eyes import Eyes, EyesConfig
from unipose.language.known import Known
from unipose.language.pictures import Picture, Pictures
from unipose.language.precision import dtype_of, float32_on
from unipose.language.rendering import PATCH, READ_POSE, WRITTEN_POSE, Batch

JOINT_SCALE = 0.5
"""Metres; brings joint positions to the size of a network's inputs."""


CONTEXT_SCALE = 0.02
"""Brings what is known of a pose to the size of a word's embedding; without it, it drowns them."""

UNHEARD = -8.0
"""Where the logit of a claim starts at each word: unlikely, also after fifty words."""

TRUTH = 0.75
"""How often, in training, words and slots are told the truth instead of what the model believes; of
pictures, never."""


SURE = 4.0
"""Power of what is believed when words look it up: the doubtful is left unsaid. Not in training,
where it is learned how far to believe; chosen on the validation split."""


FLOAT32 = ("codec", "joints_at_rest")
"""Parts that turn codes into rotations and joints; other numbers are too coarse for these."""

LEARNING = (
    "lora_", "embed_tokens", "lm_head", "slots", "reader", "context", "code_digits", "read_facts",
    "hear", "first_look", "last_look", "writer", "doubt", "eyes",
)  # fmt: skip
"""All else but the base's own layers: in training in float32, over a base of any number type."""


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
        width = llm_config.hidden_size
        # from_pretrained builds on the meta device; the codec's tables are computed, not loaded
        with torch.device("cpu"):
            self.codec = PoseTokenizer(codec_config).requires_grad_(requires_grad=False).eval()
            digits = self.codec.quantiser.digits
        self.register_buffer("joints_at_rest", torch.zeros(24, 3))
        self.code_digits = None
        if config.digits:
            if digits is None:
                raise ConfigError(f"{codec_config.quantiser} codes have no digits")
            self.code_digits = CodeDigits(digits, slots=self.length, width=width)
        self.slots = nn.Parameter(torch.randn(self.length, width) * 0.5)
        self.reader = None
        self.groups = groups = len(codec_config.groups)
        if config.geometry:
            self.reader = perceptron(
                2 * 22 * (3 + 6), config.geometry, groups=groups, outputs=width
            ).append(nn.LayerNorm(width))
            self.context = nn.Linear(groups * width, width)
            starts_at_zero(self.context)
            counts = [group.positions * codec_config.stages for group in codec_config.groups]
            self.group_of_slot = [i for i, count in enumerate(counts) for _ in range(count)]
        self.first_look = self.last_look = None
        if config.claims:
            if self.reader is None:
                raise ConfigError("claims are read off the geometry; give it a width")
            self.read_facts = nn.Linear(groups * width, config.claims)
            self.hear = nn.Linear(width, config.claims)
            nn.init.constant_(self.hear.bias, UNHEARD)
            self.first_look = ClaimMemory(config.claims, width=width)
            self.last_look = ClaimMemory(config.claims, width=width)
            self.writer = perceptron(
                config.claims + groups * width, config.geometry, groups=groups, outputs=width
            )
            starts_at_zero(self.writer[-2])
        self.eyes = self.doubt = None
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
        _restore_tables(model.codec, PoseTokenizer(model.codec.config))
        digits = model.codec.quantiser.digits
        if model.code_digits is not None and digits is not None:
            _restore_tables(model.code_digits, CodeDigits(digits, slots=1, width=1))
        return loaded

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

    def add_eyes(self, eyes: EyesConfig) -> None:
        """Let the model see: frozen encoders and a projector, all of them still untrained."""
        self.config.eyes = eyes.to_dict()
        width = self.llm.config.hidden_size
        self.eyes = Eyes(eyes, width=width)
        if eyes.head is not None and self.config.claims:
            self.doubt = Doubt(self.config.claims, width=width)

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
        return prepared if self.eyes.head is None else self.see(prepared)

    @torch.no_grad()
    def see(self, prepared: Picture) -> Picture:
        """Return what the eyes see in one picture, and guess if they do, in half precision."""
        alone = Pictures.stacked([prepared])
        assert self.eyes is not None
        assert alone is not None
        alone = alone.to(self.device)
        seen = self.eyes.see(alone)
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

    def embed(self, batch: Batch, earlier: Known | None = None) -> Known:
        """Return input embeddings, and what is known of the poses that were read.

        Words are embedded as ever; codes of read poses and query slots get what is known besides,
        and the words of an answer what the newest read pose is like; patches are what the eyes saw,
        which do not open for a batch without pictures. `earlier` is what was known of the same rows
        when their question was read.
        """
        embeddings = self.llm.get_input_embeddings()(batch.ids)
        looking = earlier.looking if earlier else batch.looking
        if batch.pictures is not None or bool(batch.looking.any()):
            embeddings = self._with_pictures(embeddings, batch)
        read = batch.kinds == READ_POSE
        newest = earlier.newest if earlier else None
        if bool(read.any()):
            codes = (batch.ids[read] - self.first_code).view(-1, self.length)
            row = read.nonzero()[:: self.length, 0]
            follows = row[1:] == row[:-1]
            before = torch.arange(len(row), device=row.device)
            before[1:] -= follows.long()
            geometry = self.read_geometry(codes, codes[before])
            embeddings = embeddings.masked_scatter(
                read[..., None],
                (embeddings[read] + self._pose_embeddings(codes, geometry).flatten(0, 1)).to(
                    embeddings
                ),
            )
            if geometry is not None:
                last = functional.pad(~follows, (0, 1), value=True)
                newest = geometry.new_zeros(len(batch.ids), *geometry.shape[1:])
                newest = newest.index_put((row[last],), geometry[last])
        written = batch.kinds == WRITTEN_POSE
        if bool(written.any()):
            slot = batch.ids[written] - (self.first_code + self.codes + 4)
            added = self.slots[slot]
            if batch.sources is not None:
                row = written.nonzero()[:, 0]
                started = self._pose_embeddings(batch.sources.clamp(min=0), newest)
                added = added + started[row, slot] * batch.reading[row, None]
            embeddings = embeddings.masked_scatter(
                written[..., None], (embeddings[written] + added).to(embeddings)
            )
        facts = earlier.facts if earlier else None
        believed = earlier.believed if earlier else None
        if newest is not None:
            context = self.context(newest.flatten(1)) * CONTEXT_SCALE * batch.reading[:, None]
            context = context.to(embeddings)
            embeddings = embeddings + context[:, None] * batch.answering[..., None]
            if self.first_look is not None:
                if facts is None or believed is None:
                    facts = self.read_facts(newest.flatten(1))
                    believed = self._believed(facts, batch.facts) * batch.reading[:, None]
                embeddings = self._look_up(self.first_look, embeddings, batch, believed)
        return Known(
            embeddings=embeddings, newest=newest, facts=facts, believed=believed, looking=looking
        )

    def _with_pictures(
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

    def _look_up(
        self,
        memory: ClaimMemory,
        hidden: Float[Tensor, "row place width"],
        batch: Batch,
        believed: Float[Tensor, "row claim"],
    ) -> Float[Tensor, "row place width"]:
        """Return the hidden states with what the words of answers recall."""
        words = batch.answering
        if not bool(words.any()):
            return hidden
        sure = believed if self.training else believed**SURE
        recalled = memory(hidden[words], sure[words.nonzero()[:, 0]])
        return hidden.masked_scatter(words[..., None], (hidden[words] + recalled).to(hidden))

    def listen(
        self, hidden: Float[Tensor, "row place width"], batch: Batch, known: Known
    ) -> Float[Tensor, "row claim"] | None:
        """Return logits of what each question claims: each word and patch may claim something.

        Of a picture with a guess at the pose it is what the guess claims, as far as the model does
        not doubt it.
        """
        if self.last_look is None:
            return None
        asking = batch.asking
        said = hidden.new_full((*asking.shape, self.config.claims), -torch.inf)
        said = said.masked_scatter(asking[..., None], self.hear(hidden[asking]).to(said))
        heard = said.logsumexp(dim=1)
        if self.doubt is None or known.facts is None:
            return heard
        guessed = known.looking & batch.reading
        places = torch.arange(asking.shape[1], device=asking.device)
        end = (asking * places).argmax(dim=1)
        seen = self.doubt(known.facts.detach(), hidden[torch.arange(len(hidden)), end])
        return torch.where(guessed[:, None], seen, heard)

    def finish(
        self,
        hidden: Float[Tensor, "row place width"],
        batch: Batch,
        known: Known,
        told: Float[Tensor, "row claim"] | None,
    ) -> Float[Tensor, "row place width"]:
        """Return the hidden states after a last look at claims.

        Words of an answer look up what is true of the newest read pose, or of whom the pictures
        show; a written pose is planned from what the question claims of it (`told`, logits) and
        from the pose it starts from.
        """
        if self.last_look is None or told is None:
            return hidden
        believed, writing, looking = known.believed, batch.writing, bool(known.looking.any())
        claims = None
        if looking or bool(writing.any()):
            # nobody tells what a picture shows: what is said of it learns to live with doubt
            hearing = ~known.looking if batch.telling is None else batch.telling & ~known.looking
            claims = self._believed(told, batch.told, hearing)
        if looking and claims is not None:
            seen = claims * known.looking[:, None]
            believed = seen if believed is None else believed * ~known.looking[:, None] + seen
        if believed is not None:
            hidden = self._look_up(self.last_look, hidden, batch, believed)
        if claims is not None and bool(writing.any()):
            newest = None if known.newest is None else known.newest[writing]
            planned = self.plan(claims[writing], newest)
            written = batch.kinds == WRITTEN_POSE
            hidden = hidden.masked_scatter(
                written[..., None], (hidden[written] + planned.flatten(0, 1)).to(hidden)
            )
        return hidden

    def _believed(
        self,
        logits: Float[Tensor, "row claim"],
        truth: Bool[Tensor, "row claim"] | None,
        known: Bool[Tensor, " row"] | None = None,
    ) -> Float[Tensor, "row claim"]:
        """Return how likely each claim is; in training, most rows are told the truth.

        `known` are the rows whose truth is known (None: all).
        """
        likely = logits.sigmoid()
        if truth is None or not self.training:
            return likely
        told = torch.rand(len(likely), 1, device=likely.device) < TRUTH
        if known is not None:
            told = told & known[:, None]
        return torch.where(told, truth.to(likely.dtype), likely)

    def plan(
        self,
        claims: Float[Tensor, "pose claim"],
        start: Float[Tensor, "pose group width"] | None,
    ) -> Float[Tensor, "pose slot width"]:
        """Return what claims, and the pose to start from, say about each slot."""
        if start is None:
            start = claims.new_zeros(len(claims), self.groups, self.llm.config.hidden_size)
        known = torch.cat([claims, start.flatten(1)], dim=1)
        return self.writer(known.to(dtype_of(self.writer)))[:, self.group_of_slot]

    def _pose_embeddings(
        self,
        codes: Int[Tensor, "pose slot"],
        geometry: Float[Tensor, "pose group width"] | None,
    ) -> Float[Tensor, "pose slot width"]:
        """Return what a known pose adds to the embedding of each of its places."""
        added = self.slots.expand(len(codes), -1, -1)
        if geometry is not None:
            added = added + geometry[:, self.group_of_slot]
        if self.code_digits is not None:
            added = added + self.code_digits.embed(codes)
        return added

    def read_geometry(
        self, codes: Int[Tensor, "pose slot"], before: Int[Tensor, "pose slot"]
    ) -> Float[Tensor, "pose group width"] | None:
        """Return what the joints of poses say, beside how they differ from the poses before."""
        if self.reader is None:
            return None
        with torch.no_grad(), float32_on(codes.device):
            now, then = (self.measure(self.codec.rotations(some)) for some in (codes, before))
        return self.reader(torch.cat([now, now - then], dim=1).to(dtype_of(self.reader)))

    def measure(self, rotations: Float[Tensor, "pose 22 3 3"]) -> Float[Tensor, "pose number"]:
        """Return joints (facing the front) and rotations, relative to the pose at rest."""
        rest = self.joints_at_rest[:22] - self.joints_at_rest[:1]
        joints = (self.joints(rotations, facing=True) - rest) / JOINT_SCALE
        turned = rotations_to_6d(rotations) - rotations_to_6d(torch.eye(3, device=rest.device))
        return torch.cat([joints.flatten(1), turned.flatten(1)], dim=1)

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
            self._own_logits(hidden, rows)
            for rows in (slice(self.first_code), slice(start, start + 1))
        )
        return torch.cat([words, opens], dim=-1)

    def code_logits(
        self,
        hidden: Float[Tensor, "pose slot width"],
        source: Int[Tensor, "pose slot"] | None = None,
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits over pose codes alone: a slot can answer with nothing else."""
        logits = self._own_logits(hidden, slice(self.first_code, self.first_code + self.codes))
        if self.code_digits is None:
            return logits
        return logits + self.code_digits.score(hidden, source)

    def _own_logits(
        self, hidden: Float[Tensor, "*place width"], rows: slice
    ) -> Float[Tensor, "*place token"]:
        """Return logits of some rows of the output layer, scaled and capped as the base does."""
        return own_logits(
            self.llm.config, output_products(self.llm.get_output_embeddings(), hidden, rows)
        )

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

    def with_guess(
        self,
        logits: Float[Tensor, "pose slot code"],
        hidden: Float[Tensor, "pose slot width"],
        source: Int[Tensor, "pose slot"] | None,
        guessed: Bool[Tensor, " pose"],
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits of codes where `source` may be a guess that is kept as far as believed."""
        if self.doubt is None or source is None or not bool(guessed.any()):
            return logits
        kept = self.doubt.keep(logits, hidden, source.clamp(min=0))
        return torch.where(guessed[:, None, None], kept, logits.to(kept.dtype))


def _restore_tables(module: nn.Module, fresh: nn.Module) -> None:
    """Take the buffers that are not saved from a fresh module, in its number types."""
    saved = fresh.state_dict().keys()
    for name, table in fresh.named_buffers():
        if name not in saved:
            owner, _, own = name.rpartition(".")
            place = module.get_buffer(name).device
            module.get_submodule(owner).register_buffer(own, table.to(place), persistent=False)
