"""unipose-mini: a small language model beside a table of claims, kept as a baseline.

What a question claims is read off its words, what is true of a pose off its geometry; words look
claims up, and a perceptron plans a pose from them. Much of what it knows goes around its language
model (`eval.grounding` measures how much); `unipose.language.model` is the model without that.

One file: a baseline that is kept as it was trained, read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenizer.rotations import rotations_to_6d
from unipose.errors import ConfigError
from unipose.language.claim_teacher import INITIAL_CLAIM_LOGIT
from unipose.language.config import ConceptConfig
from unipose.language.eyes import EyesConfig
from unipose.language.model import FLOAT32, PoseLanguageModel, copy_tables
from unipose.language.pose_projector import JOINT_SCALE, perceptron
from unipose.language.precision import dtype_of, float32_on
from unipose.language.rendering import READ_POSE, WRITTEN_POSE, Batch

CONTEXT_SCALE = 0.02
"""Brings what is known of a pose to the size of a word's embedding; without it, it drowns them."""
TEACHER_FORCING_RATE = 0.75
"""Share of rows, drawn at random, that get the true claims in training in place of predicted ones;
claims of pictures are always predicted ones."""
SURE = 4.0
"""Power of the claim probabilities when words look them up, outside of training: unlikely claims
are left unsaid. Chosen on the validation split."""
STAYS = 2.0
"""Where the logit of keeping a guessed code starts: a guess is better than nothing learned yet."""
INFERENCE_KEEP_BIAS = 4.0
"""Added to that logit outside of training. Of the pictures it was trained on the model knows more
than the guess says, of others it does not: on the validation split, keeping more was better."""


@dataclass(frozen=True, kw_only=True)
class QuestionClaims:
    """What a question makes known before its answer is written."""

    embeddings: Float[Tensor, "row place width"]
    newest: Float[Tensor, "row group width"] | None
    """What the geometry of each row's newest read pose was read as; zeros in rows without."""
    facts: Float[Tensor, "row claim"] | None
    """Logits of what is true of that pose, and of the way to it from the one before."""
    claim_probabilities: Float[Tensor, "row claim"] | None
    """How likely each of these is; in training, most rows get the true claims."""
    looking: Bool[Tensor, " row"]
    """Which rows hold a picture."""
    told: Float[Tensor, "row claim"] | None = None
    """Logits of what the question claims."""


class ClaimMemory(nn.Module):
    """Lets a word look up claims: attention over all, those that are not true masked out."""

    HEADS = 4

    def __init__(self, claims: int, *, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.keys = nn.Parameter(torch.randn(self.HEADS, claims + 1, width // self.HEADS) * 0.5)
        self.values = nn.Parameter(torch.zeros(self.HEADS, claims + 1, width))

    def forward(
        self, hidden: Float[Tensor, "word width"], likely: Float[Tensor, "word claim"]
    ) -> Float[Tensor, "word width"]:
        """Return what each word recalls; the last key stands for recalling nothing."""
        query = self.query(hidden).unflatten(1, (self.HEADS, -1))
        scores = torch.einsum("whd,hfd->whf", query, self.keys) / query.shape[-1] ** 0.5
        mask = functional.pad((likely + 1e-4).log(), (0, 1))
        return torch.einsum("whf,hfo->wo", (scores + mask[:, None]).softmax(dim=-1), self.values)


def starts_at_zero(layer: nn.Module) -> None:
    """Set a linear layer to zero, so that training begins without it."""
    assert isinstance(layer, nn.Linear)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


class CodeDigits(nn.Module):
    """Embeds a code at a slot as the sum of its levels, and scores codes the same way.

    A codebook of finite scalar quantisation is a grid: 2,048 codes are 8 x 8 x 8 x 4 levels, and
    what a level means depends on the slot. 28 vectors per slot learn faster than 2,048 rows.
    """

    levels: Tensor
    grid: Tensor

    def __init__(self, digits: Int[Tensor, "code digit"], *, slots: int, width: int) -> None:
        super().__init__()
        with torch.device("cpu"):  # computed, so never on the meta device
            counts = digits.max(dim=0).values + 1
            levels = digits + counts.cumsum(0) - counts
            grid = torch.zeros(int(counts.sum()), len(digits)).scatter_(0, levels.T, 1.0)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("grid", grid, persistent=False)
        total = int(counts.sum())
        self.read = nn.Parameter(torch.randn(slots, total, width) * 0.1)
        self.write = nn.Parameter(torch.randn(slots, total, width) * 0.02)
        self.keep = nn.Linear(width, 1)

    def embed(self, codes: Int[Tensor, "pose slot"]) -> Float[Tensor, "pose slot width"]:
        """Return what each slot's code adds to its embedding."""
        slot = torch.arange(codes.shape[1], device=codes.device)[:, None]
        return self.read[slot, self.levels[codes]].sum(dim=2)

    def score(
        self,
        hidden: Float[Tensor, "pose slot width"],
        source: Int[Tensor, "pose slot"] | None,
    ) -> Float[Tensor, "pose slot code"]:
        """Return what each slot's levels add to the logits of all codes.

        Where there is a pose to start from (codes, not -1), each slot also decides how much it
        keeps of the levels that the code had there: what an edit does not speak of stays.
        """
        by_level = torch.einsum("psw,slw->psl", hidden, self.write)
        if source is not None:
            there = (source >= 0)[..., None]
            kept = self.grid.T[source.clamp(min=0)].to(hidden) * there
            by_level = by_level + functional.softplus(self.keep(hidden)) * kept
        return by_level @ self.grid.to(by_level)


class GuessGate(nn.Module):
    """Decides how much of a guess is kept: of its claims, and of its codes.

    A guess off a picture is wrong by some centimetres, so its claims with small margins are often
    wrong. Each claim learns a scale for the guess's logit, and a shift from the hidden state. Each
    slot of a written pose mixes the guess's code into its distribution with a learned weight, as
    pointer networks copy words: the mean of all likely poses is a worse guess.
    """

    def __init__(self, claims: int, *, width: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.ones(claims))
        self.shift = nn.Linear(width, claims)
        starts_at_zero(self.shift)
        self.stay = nn.Linear(width, 1)
        starts_at_zero(self.stay)
        nn.init.constant_(self.stay.bias, STAYS)

    def forward(
        self, facts: Float[Tensor, "row claim"], hidden: Float[Tensor, "row width"]
    ) -> Float[Tensor, "row claim"]:
        """Return logits of the claims, from those of the guess."""
        return facts * self.trust + self.shift(hidden)

    def keep(
        self,
        logits: Float[Tensor, "pose slot code"],
        hidden: Float[Tensor, "pose slot width"],
        guess: Int[Tensor, "pose slot"],
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits of codes that are partly the guess's, from those without it."""
        bias = 0.0 if self.training else INFERENCE_KEEP_BIAS
        stay = (self.stay(hidden).float() + bias).sigmoid()
        kept = functional.one_hot(guess, logits.shape[-1])
        return ((1 - stay) * logits.float().softmax(dim=-1) + stay * kept + 1e-9).log()


class ConceptPoseModel(PoseLanguageModel):
    """A pose language model with a table of claims beside it."""

    config_class = ConceptConfig
    config: ConceptConfig  # type: ignore[assignment]
    # keys of the published weights: "hear" gives question claim logits, "doubt" is the guess gate
    learning = (
        *PoseLanguageModel.learning, "slots", "reader", "context", "code_digits", "read_facts",
        "hear", "first_look", "last_look", "writer", "doubt",
    )  # fmt: skip

    def __init__(
        self,
        config: ConceptConfig,
        *,
        llm: PreTrainedModel | None = None,
        in_float32: Sequence[str] = FLOAT32,
    ) -> None:
        """Build what `config` says, around `llm` if one was read already."""
        super().__init__(config, llm=llm, in_float32=in_float32)
        codec, width = self.codec.config, self.llm.config.hidden_size
        self.code_digits = None
        if config.digits:
            with torch.device("cpu"):
                digits = self.codec.quantiser.digits
            if digits is None:
                raise ConfigError(f"{codec.quantiser} codes have no digits")
            self.code_digits = CodeDigits(digits, slots=self.length, width=width)
        self.slots = nn.Parameter(torch.randn(self.length, width) * 0.5)
        self.reader = None
        self.groups = groups = len(codec.groups)
        if config.geometry:
            self.reader = perceptron(
                2 * 22 * (3 + 6), config.geometry, groups=groups, outputs=width
            ).append(nn.LayerNorm(width))
            self.context = nn.Linear(groups * width, width)
            starts_at_zero(self.context)
            counts = [group.positions * codec.stages for group in codec.groups]
            self.group_of_slot = [i for i, count in enumerate(counts) for _ in range(count)]
        self.first_look = self.last_look = None
        if config.claims:
            if self.reader is None:
                raise ConfigError("claims are read off the geometry; give it a width")
            self.read_facts = nn.Linear(groups * width, config.claims)
            self.hear = nn.Linear(width, config.claims)
            nn.init.constant_(self.hear.bias, INITIAL_CLAIM_LOGIT)
            self.first_look = ClaimMemory(config.claims, width=width)
            self.last_look = ClaimMemory(config.claims, width=width)
            self.writer = perceptron(
                config.claims + groups * width, config.geometry, groups=groups, outputs=width
            )
            starts_at_zero(self.writer[-2])
        if self.eyes is None:
            self.doubt = None
        self.post_init()

    def restore_tables(self) -> None:
        """Compute the tables that are not saved."""
        super().restore_tables()
        digits = self.codec.quantiser.digits
        if self.code_digits is not None and digits is not None:
            copy_tables(self.code_digits, CodeDigits(digits, slots=1, width=1))

    def add_eyes(self, eyes: EyesConfig) -> None:
        """Add eyes, and a gate for the guesses of eyes that make them."""
        super().add_eyes(eyes)
        self.doubt = None
        if eyes.head is not None and self.config.claims:
            self.doubt = GuessGate(self.config.claims, width=self.llm.config.hidden_size)

    def hidden_states(
        self,
        batch: Batch,
        seen: Bool[Tensor, "row 1 new place"],
        positions: Int[Tensor, "row place"],
        cache: Cache | None = None,
        question: QuestionClaims | None = None,
    ) -> tuple[Float[Tensor, "row new width"], QuestionClaims]:
        """Return the last hidden states of new places, and the claims of their question."""
        claims = self.read_question(batch, question)
        hidden = self.run(claims.embeddings, seen, positions, cache)
        told = (
            self.question_claim_logits(hidden, batch, claims) if question is None else question.told
        )
        claims = replace(claims, told=told)
        return self.finish(hidden, batch, claims), claims

    def slot_logits(
        self,
        states: Float[Tensor, "pose slot width"],
        batch: Batch,
        rows: Int[Tensor, " pose"],
        question: QuestionClaims | None = None,
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits of the codes of poses that are written in some rows of a batch."""
        assert question is not None
        source = None if batch.sources is None else batch.sources[rows]
        guessed = (question.looking & batch.reading)[rows]
        return self.with_guess(self.code_logits(states, source), states, source, guessed)

    def read_question(self, batch: Batch, earlier: QuestionClaims | None = None) -> QuestionClaims:
        """Return input embeddings, and what is known of the poses that were read.

        Words are embedded as ever; codes of read poses and query slots get what is known besides,
        and the words of an answer what the newest read pose is like; patches are what the eyes saw,
        which do not open for a batch without pictures. `earlier` is what was known of the same rows
        when their question was read.
        """
        embeddings = self.llm.get_input_embeddings()(batch.ids)
        looking = earlier.looking if earlier else batch.looking
        if batch.pictures is not None or bool(batch.looking.any()):
            embeddings = self.with_pictures(embeddings, batch)
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
        probabilities = earlier.claim_probabilities if earlier else None
        if newest is not None:
            context = self.context(newest.flatten(1)) * CONTEXT_SCALE * batch.reading[:, None]
            context = context.to(embeddings)
            embeddings = embeddings + context[:, None] * batch.answering[..., None]
            if self.first_look is not None:
                if facts is None or probabilities is None:
                    facts = self.read_facts(newest.flatten(1))
                    probabilities = (
                        self._claim_probabilities(facts, batch.facts) * batch.reading[:, None]
                    )
                embeddings = self._look_up(self.first_look, embeddings, batch, probabilities)
        return QuestionClaims(
            embeddings=embeddings,
            newest=newest,
            facts=facts,
            claim_probabilities=probabilities,
            looking=looking,
        )

    def _look_up(
        self,
        memory: ClaimMemory,
        hidden: Float[Tensor, "row place width"],
        batch: Batch,
        probabilities: Float[Tensor, "row claim"],
    ) -> Float[Tensor, "row place width"]:
        """Return the hidden states with what the words of answers recall."""
        words = batch.answering
        if not bool(words.any()):
            return hidden
        sure = probabilities if self.training else probabilities**SURE
        recalled = memory(hidden[words], sure[words.nonzero()[:, 0]])
        return hidden.masked_scatter(words[..., None], (hidden[words] + recalled).to(hidden))

    def question_claim_logits(
        self, hidden: Float[Tensor, "row place width"], batch: Batch, question: QuestionClaims
    ) -> Float[Tensor, "row claim"] | None:
        """Return logits of what each question claims: each word and patch may claim something.

        Of a picture with a guess at the pose these are the guess's claims, through the guess gate.
        """
        if self.last_look is None:
            return None
        asking = batch.asking
        said = hidden.new_full((*asking.shape, self.config.claims), -torch.inf)
        said = said.masked_scatter(asking[..., None], self.hear(hidden[asking]).to(said))
        pooled = said.logsumexp(dim=1)
        if self.doubt is None or question.facts is None:
            return pooled
        guessed = question.looking & batch.reading
        places = torch.arange(asking.shape[1], device=asking.device)
        end = (asking * places).argmax(dim=1)
        seen = self.doubt(question.facts.detach(), hidden[torch.arange(len(hidden)), end])
        return torch.where(guessed[:, None], seen, pooled)

    def finish(
        self,
        hidden: Float[Tensor, "row place width"],
        batch: Batch,
        question: QuestionClaims,
    ) -> Float[Tensor, "row place width"]:
        """Return the hidden states after a last look at claims.

        Words of an answer look up what is true of the newest read pose, or of whom the pictures
        show; a written pose is planned from what the question claims of it and from the pose it
        starts from.
        """
        told = question.told
        if self.last_look is None or told is None:
            return hidden
        probabilities, image_rows = question.claim_probabilities, question.looking
        writing, looking = batch.writing, bool(image_rows.any())
        claims = None
        if looking or bool(writing.any()):
            # image rows always train on predicted claims
            forceable = ~image_rows if batch.telling is None else batch.telling & ~image_rows
            claims = self._claim_probabilities(told, batch.told, forceable)
        if looking and claims is not None:
            seen = claims * image_rows[:, None]
            if probabilities is not None:
                seen = probabilities * ~image_rows[:, None] + seen
            probabilities = seen
        if probabilities is not None:
            hidden = self._look_up(self.last_look, hidden, batch, probabilities)
        if claims is not None and bool(writing.any()):
            newest = None if question.newest is None else question.newest[writing]
            planned = self.plan(claims[writing], newest)
            written = batch.kinds == WRITTEN_POSE
            row = (writing.cumsum(0) - 1)[written.nonzero()[:, 0]]
            slot = batch.ids[written] - (self.first_code + self.codes + 4)
            hidden = hidden.masked_scatter(
                written[..., None], (hidden[written] + planned[row, slot]).to(hidden)
            )
        return hidden

    def _claim_probabilities(
        self,
        logits: Float[Tensor, "row claim"],
        truth: Bool[Tensor, "row claim"] | None,
        forceable: Bool[Tensor, " row"] | None = None,
    ) -> Float[Tensor, "row claim"]:
        """Return how likely each claim is; in training, most rows get the true claims.

        `forceable` are the rows that may get them (None: all).
        """
        likely = logits.sigmoid()
        if truth is None or not self.training:
            return likely
        forced = torch.rand(len(likely), 1, device=likely.device) < TEACHER_FORCING_RATE
        if forceable is not None:
            forced = forced & forceable[:, None]
        return torch.where(forced, truth.to(likely.dtype), likely)

    def plan(
        self,
        claims: Float[Tensor, "pose claim"],
        start: Float[Tensor, "pose group width"] | None,
    ) -> Float[Tensor, "pose slot width"]:
        """Return what claims, and the pose to start from, say about each slot."""
        if start is None:
            start = claims.new_zeros(len(claims), self.groups, self.llm.config.hidden_size)
        inputs = torch.cat([claims, start.flatten(1)], dim=1)
        return self.writer(inputs.to(dtype_of(self.writer)))[:, self.group_of_slot]

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

    def code_logits(
        self,
        hidden: Float[Tensor, "pose slot width"],
        source: Int[Tensor, "pose slot"] | None = None,
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits over pose codes alone: a slot can answer with nothing else."""
        logits = self.own_logits(hidden, slice(self.first_code, self.first_code + self.codes))
        if self.code_digits is None:
            return logits
        return logits + self.code_digits.score(hidden, source)

    def with_guess(
        self,
        logits: Float[Tensor, "pose slot code"],
        hidden: Float[Tensor, "pose slot width"],
        source: Int[Tensor, "pose slot"] | None,
        guessed: Bool[Tensor, " pose"],
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits of codes where `source` may be a guess, of which the gate keeps some."""
        if self.doubt is None or source is None or not bool(guessed.any()):
            return logits
        kept = self.doubt.keep(logits, hidden, source.clamp(min=0))
        return torch.where(guessed[:, None, None], kept, logits.to(kept.dtype))
