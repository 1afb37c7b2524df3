"""The pose projector begins by saying what is true of a pose, in the language model's own states.

A projector that is drawn at random shows the language model noise: thousands of poses pass before
it knows a bent knee, and each of them costs a pass through thirty layers. So it is taught alone
first, on tens of thousands of poses and without the language model. Each statement ("left knee
straight") has a direction: the language model's hidden state of its words, less what all statements
share. Where a statement is true, the place that shows it points that way, where not, the other way;
attention that compares a statement's words with the places then finds the answer. It is larger than
these states: what is as small as the embeddings of words is drowned by what the first layers add.
Claims teach here and are thrown away.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
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

POSES, DRAWN = 40_000, 1000
"""Poses that are learned from, and how many are drawn at once."""
BATCH = 512
PEAK_RATE = 2e-3
SCALE = 8.0
"""Than the states themselves: at their size the fourth layer has drowned what is shown (the area
under the curve falls from 0.94 to 0.59), at eight times it lasts through twenty (0.89)."""
LAYER = 8
"""After which layer a statement's words have become one state."""
MIXED = PoolConfig(mixed=0.4, tilt=0.15)


def warm_up_projector(
    model: PoseLanguageModel, vocabulary: Vocabulary, pool: PosePool, encode: Encode, *, steps: int
) -> float:
    """Teach a model's pose projector alone; return its cross entropy at the end."""
    projector = model.pose_projector
    assert projector is not None
    states = states_of_statements(model, vocabulary)
    directions = functional.normalize(states - states.mean(dim=0), dim=1)
    with torch.no_grad():  # what is shown looks like a state, and is as large
        size = SCALE * (states - states.mean(dim=0)).square().mean().sqrt()
        projector.norm.weight.fill_(float(size))
        projector.norm.bias.copy_(states.mean(dim=0))
    place = places_of_statements(model.config.pose_places)
    rotations, moved, truth = measured_poses(model, pool, encode)
    sharpness, bias = nn.Parameter(torch.ones(len(place))), nn.Parameter(torch.zeros(len(place)))
    learns = next(projector.parameters()).requires_grad
    projector.requires_grad_(requires_grad=True)  # also where it is to stay as it then is
    optimizer = torch.optim.AdamW([*projector.parameters(), sharpness, bias], lr=PEAK_RATE)
    progress = trange(steps, desc="projector")
    missed = torch.zeros(())
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1.0, (step + 1) / 50, 1.05 - step / steps)
        generator = generator_of(seed=0, step=step)
        chosen = torch.randint(len(truth), (BATCH,), generator=generator)
        shown = projector(rotations[chosen], moved[chosen]) - projector.norm.bias.detach()
        logits = torch.einsum("psw,sw->ps", shown[:, place], directions) / size
        missed = functional.binary_cross_entropy_with_logits(
            logits * sharpness + bias, truth[chosen]
        )
        missed.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            progress.set_postfix(missed=float(missed.detach()))
    projector.requires_grad_(requires_grad=learns)
    return float(missed.detach())


def measured_poses(
    model: PoseLanguageModel, pool: PosePool, encode: Encode
) -> tuple[Tensor, Tensor, Float[Tensor, "pose statement"]]:
    """Return rotations and moved joints of poses as the projector takes them, and what is true."""
    rest = model.joints_at_rest[:22] - model.joints_at_rest[:1]
    parts = []
    for start in trange(0, POSES, DRAWN, desc="measuring"):
        drawn = pool.draw(DRAWN, generator_of(seed=1, step=start), MIXED)
        rotations = model.codec.rotations(encode(drawn)).detach()
        joints = model.joints(rotations, facing=True)
        truth = torch.from_numpy(true_atoms(Measured(joints.numpy()))).float()
        parts.append((rotations, joints - rest, truth))
    rotations, moved, truth = (torch.cat(some) for some in zip(*parts, strict=True))
    return rotations, moved, truth


def places_of_statements(places: int) -> Int[Tensor, " statement"]:
    """Return which place shows each statement: those of the same two parts stand together."""
    statements = [fact.members[0] for fact in atoms()]
    families = sorted({(s.first, s.second or "") for s in statements})
    return torch.tensor([families.index((s.first, s.second or "")) % places for s in statements])


@torch.no_grad()
def states_of_statements(
    model: PoseLanguageModel, vocabulary: Vocabulary
) -> Float[Tensor, "statement width"]:
    """Return the hidden state of each statement's words, where they have become one."""
    states = []
    for fact in atoms():
        ids = torch.tensor([vocabulary.encode(f" {in_words(fact.members[0])}:")])
        hidden = model.llm(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
        states.append(hidden[min(LAYER, len(hidden) - 1)][0, -1].float())
    return torch.stack(states)
