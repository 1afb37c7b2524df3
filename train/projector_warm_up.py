"""The pose projector begins by showing words: what is true of a pose, in the table's own rows.

A projector that is drawn at random shows the language model noise, and thousands of questions pass
until noise means something. So its outputs are first fitted, without the language model, to mean
rows of the words that say what is true; it takes minutes. Claims teach here and are thrown away:
from then on the projector learns with the language model, and shows what helps to answer.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from tqdm import trange

from data_builders.pose_lessons import in_words
from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.pose_talk import Encode
from train.program import generator_of
from unipose.language.model import PoseLanguageModel
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.facts import atoms, true_atoms
from unipose.posecodes.measure import Measured

BATCH = 128
PEAK_RATE = 2e-3
POSES = PoolConfig(mixed=0.5, tilt=0.15)
TRUTH_WEIGHT = 1.0


def warm_up_projector(
    model: PoseLanguageModel, vocabulary: Vocabulary, pool: PosePool, encode: Encode, *, steps: int
) -> None:
    """Fit a model's pose projector to words, and let a linear layer read off what is true."""
    projector = model.pose_projector
    assert projector is not None
    rest = model.joints_at_rest[:22] - model.joints_at_rest[:1]
    places = places_of_statements(model.length)
    words = rows_of_statements(model, vocabulary)
    names = places.T @ words / places.sum(0)[:, None].clamp(min=1)
    teacher = nn.Linear(words.shape[1], len(words))
    learning = [*projector.parameters(), *teacher.parameters()]
    optimizer = torch.optim.AdamW(learning, lr=PEAK_RATE)
    progress = trange(steps, desc="projector")
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1.0, (step + 1) / 50, 2 * (1 - step / steps))
        poses = pool.draw(BATCH, generator_of(seed=7, step=step), POSES)
        rotations = model.codec.rotations(encode(poses)).detach()
        joints = model.joints(rotations, facing=True)
        truth = torch.from_numpy(true_atoms(Measured(joints.numpy()))).float()
        wanted = torch.einsum("pa,aw,al->plw", truth, words, places) + 0.3 * names
        shown = projector(rotations, joints - rest)
        unlike = 1 - functional.cosine_similarity(shown, wanted, dim=-1).mean()
        size = projector.norm.weight.detach().mean()
        missed = functional.binary_cross_entropy_with_logits(
            teacher(shown.mean(dim=1) / size), truth
        )
        loss = unlike + TRUTH_WEIGHT * missed
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            progress.set_postfix(unlike=float(unlike.detach()), missed=float(missed.detach()))


def places_of_statements(length: int) -> Float[Tensor, "statement place"]:
    """Return which place shows which statement: those of the same parts stand together."""
    statements = [fact.members[0] for fact in atoms()]
    families = sorted({(s.first, s.second or "") for s in statements})
    places = torch.zeros(len(statements), length)
    for i, some in enumerate(statements):
        places[i, families.index((some.first, some.second or "")) % length] = 1.0
    return places


def rows_of_statements(
    model: PoseLanguageModel, vocabulary: Vocabulary
) -> Float[Tensor, "statement width"]:
    """Return the mean of the rows of each statement's words."""
    table = model.llm.get_input_embeddings().weight.detach().float()
    said = [vocabulary.encode(" " + in_words(fact.members[0])) for fact in atoms()]
    return torch.stack([table[torch.tensor(ids)].mean(0) for ids in said])
