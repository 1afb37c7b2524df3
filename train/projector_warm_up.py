"""The pose projector begins by speaking the language model's own words.

A projector that is drawn at random shows the language model noise, and directions of its own inner
states are read as slowly; what a language model reads at once is words. So the projector is taught
alone first, on tens of thousands of poses and without the language model, to show a pose as one
would write it down, a place for each pair of parts:

    left knee            right bent elbow       left hand / right hand
    "left knee straight" "right elbow bent"     "left hand right hand above wide"

Each place is the mean of the embeddings of these words, as large as one of them. All places
together also tell the whole pose, for who is to change it. Claims teach here and are thrown away:
what the projector shows afterwards is its own, and learns on with everything else.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from tqdm import trange

from data_builders.pose_lessons import relation_in_words
from data_builders.pose_pool import PoolConfig, PosePool
from train.program import generator_of
from unipose.language.model import PoseLanguageModel
from unipose.language.pose_projector import numbers_of_pose
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.facts import atoms, true_atoms
from unipose.posecodes.measure import Measured
from unipose.posecodes.statements import Statement

POSES, DRAWN = 40_000, 1000
"""Poses that are learned from, and how many are drawn at once."""
BATCH = 512
PEAK_RATE = 2e-3
MIXED = PoolConfig(mixed=0.4, tilt=0.15)
TOUCHING = "near"
"""Second part of all statements that a part is close to some other."""
NOTHING_SAID = "none"


def warm_up_projector(
    model: PoseLanguageModel, vocabulary: Vocabulary, pool: PosePool, *, steps: int
) -> float:
    """Teach a model's pose projector alone; return the share of what words tell that it misses."""
    projector = model.pose_projector
    assert projector is not None
    words = WordsOfPoses(model, vocabulary)
    rotations, moved, truth = measured_poses(model, pool)
    numbers = numbers_of_pose(rotations, moved)
    size = projector.norm.weight.detach().mean()
    back = nn.Linear(model.config.pose_places * projector.norm.weight.numel(), numbers.shape[1])
    learns = next(projector.parameters()).requires_grad
    projector.requires_grad_(requires_grad=True)  # also where it is to stay as it then is
    optimizer = torch.optim.AdamW([*projector.parameters(), *back.parameters()], lr=PEAK_RATE)
    progress = trange(steps, desc="projector")
    missed = torch.zeros(())
    usual = words.shown(truth[:BATCH])
    spread = usual.var(dim=0).mean()
    with torch.no_grad():
        projector.places.copy_(usual.mean(dim=0))
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1.0, (step + 1) / 50, 1.05 - step / steps)
        chosen = torch.randint(len(truth), (BATCH,), generator=generator_of(seed=0, step=step))
        shown = projector(rotations[chosen], moved[chosen]) / size
        missed = (shown - words.shown(truth[chosen])).square().mean() / spread
        blurred = functional.mse_loss(back(shown.flatten(1)), numbers[chosen])
        (missed + blurred).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            progress.set_postfix(missed=float(missed.detach()), blurred=float(blurred.detach()))
    projector.requires_grad_(requires_grad=learns)
    return float(missed.detach())


class WordsOfPoses:
    """What is true of a pose as the mean embedding of its words, at each place."""

    def __init__(self, model: PoseLanguageModel, vocabulary: Vocabulary) -> None:
        self.table = model.llm.get_input_embeddings().weight.detach().float()
        self.vocabulary = vocabulary
        statements = [fact.members[0] for fact in atoms()]
        groups = statement_groups()
        places = model.config.pose_places
        self.place = torch.tensor([groups.index(parts_of(s)) % places for s in statements])
        self.parts = torch.stack([
            torch.stack([self._mean(" ".join(parts)) for parts in groups[i::places]]).mean(dim=0)
            for i in range(places)
        ])  # fmt: skip
        self.states = torch.stack([self._mean(state_in_words(s)) for s in statements])
        self.nothing = self._mean(NOTHING_SAID)

    def shown(self, truth: Float[Tensor, "pose statement"]) -> Float[Tensor, "pose place width"]:
        """Return the words of poses, of size 1."""
        chosen = functional.one_hot(self.place, len(self.parts)).float()
        said = truth[:, :, None] * chosen
        count = said.sum(dim=1)[..., None]
        total = torch.einsum("psg,sw->pgw", said, self.states)
        states = torch.where(count > 0, total / count.clamp(min=1), self.nothing)
        return functional.layer_norm(self.parts + states, states.shape[-1:])

    def _mean(self, words: str) -> Float[Tensor, " width"]:
        ids = self.vocabulary.encode(" " + words.replace("_", " "))
        return self.table[torch.tensor(ids)].mean(dim=0)


def parts_of(statement: Statement) -> tuple[str, str]:
    """Return which two parts a statement is about; of what a part is close to, the part alone."""
    if statement.relation in ("close", "on_hip"):
        return statement.first, TOUCHING
    return statement.first, statement.second or ""


def statement_groups() -> list[tuple[str, str]]:
    """Return the pairs of parts that statements are about: each has a place of a read pose."""
    return sorted({parts_of(fact.members[0]) for fact in atoms()})


def state_in_words(statement: Statement) -> str:
    """Return what a statement says of its parts: "spread"; of touches, what is touched."""
    if parts_of(statement)[1] == TOUCHING:
        return statement.second or "hip"
    return relation_in_words(statement)


def measured_poses(
    model: PoseLanguageModel, pool: PosePool
) -> tuple[Tensor, Tensor, Float[Tensor, "pose statement"]]:
    """Return rotations and moved joints of poses as the projector takes them, and what is true."""
    rest = model.joints_at_rest[:22] - model.joints_at_rest[:1]
    parts = []
    for start in trange(0, POSES, DRAWN, desc="measuring"):
        rotations = pool.draw(DRAWN, generator_of(seed=1, step=start), MIXED)
        joints = model.joints(rotations, facing=True)
        truth = torch.from_numpy(true_atoms(Measured(joints.numpy()))).float()
        parts.append((rotations, joints - rest, truth))
    rotations, moved, truth = (torch.cat(some) for some in zip(*parts, strict=True))
    return rotations, moved, truth
