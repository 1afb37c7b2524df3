"""The pose projector begins by writing poses in the language model's own words.

A projector that is drawn at random shows the language model noise, and directions of its own inner
states are read as slowly; what a language model reads at once is text. So the projector is taught
alone first, on tens of thousands of poses and without the language model, to fill in a form:

    ... left knee sharply bent, ... left hand above behind right hand, ...

A token has a place; those of the parts are the same for every pose, what is true of them it fills
in: a word as likely as it is true. What is told beside the words tells the whole pose, for who is
to say how much, or to change it. Claims teach here and are thrown away.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from tqdm import trange

from data_builders.pose_form import PoseForm
from data_builders.pose_pool import PoolConfig, PosePool
from train.program import generator_of
from unipose.errors import ConfigError
from unipose.language.model import PoseLanguageModel
from unipose.language.pose_projector import numbers_of_pose
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.facts import atoms, true_atoms
from unipose.posecodes.measure import Measured

POSES, DRAWN = 80_000, 1000
"""Poses that are learned from, and how many are drawn at once."""
BATCH = 512
PEAK_RATE = 2e-3
MIXED = PoolConfig(mixed=0.4, tilt=0.15)


class FilledForm:
    """The form filled in: which word stands at a place of which poses."""

    def __init__(self, form: PoseForm) -> None:
        place = {place: k for k, place in enumerate(form.told)}
        choice = {token: k for k, token in enumerate(form.choices)}
        self.says = torch.zeros(len(atoms()), len(place), len(choice))
        for statement, where, token in form.fillings:
            self.says[statement, place[where], choice[token]] = 1.0
        self.empty = torch.zeros(len(place), len(choice))
        for k, where in enumerate(form.told):
            self.empty[k, choice[form.words[where]]] = 1.0

    def chances(self, truth: Float[Tensor, "pose statement"]) -> Float[Tensor, "pose told word"]:
        """Return how likely each word is at each place; where two are true, each is half."""
        said = torch.tensordot(truth, self.says, dims=1)
        count = said.sum(dim=-1, keepdim=True)
        return torch.where(count > 0, said / count.clamp(min=1), self.empty)


def warm_up_projector(
    model: PoseLanguageModel, vocabulary: Vocabulary, pool: PosePool, *, steps: int
) -> float:
    """Teach a model's pose projector alone; return the share of filled in places it gets wrong.

    Raises ConfigError for a projector with other places than the form has.
    """
    projector = model.pose_projector
    assert projector is not None
    form = PoseForm.written(vocabulary)
    if (len(form.words), len(form.told)) != (len(projector.places), len(projector.told)):
        raise ConfigError(
            f"the form has {len(form.words)} places of which a pose fills in {len(form.told)}, the "
            f"projector {len(projector.places)} and {len(projector.told)}; leave --pose-places 0"
        )
    filled = FilledForm(form)
    rotations, joints, truth = measured_poses(model, pool)
    numbers = numbers_of_pose(rotations, joints)
    table = model.llm.get_input_embeddings().weight.detach().float()
    table = functional.layer_norm(table, table.shape[1:])
    with torch.no_grad():
        projector.told.copy_(torch.tensor(form.told))
        projector.places.copy_(table[form.words])
        projector.words.copy_(table[form.choices])
    learns = next(projector.parameters()).requires_grad
    projector.perceptron.requires_grad_(requires_grad=True)  # also if it is to stay as it then is
    back = nn.Linear(len(form.told) * len(projector.details), numbers.shape[1])
    optimizer = torch.optim.AdamW([*projector.perceptron.parameters(), *back.parameters()])
    wrong = torch.zeros(())
    progress = trange(steps, desc="projector")
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1.0, (step + 1) / 50, 1.05 - step / steps)
        chosen = torch.randint(len(truth), (BATCH,), generator=generator_of(seed=0, step=step))
        words, details = projector.told_of(rotations[chosen], joints[chosen])
        wanted = filled.chances(truth[chosen])
        untrue = -(words.log_softmax(-1) * wanted).sum(-1).mean()
        blurred = functional.mse_loss(back(details.flatten(1)), numbers[chosen])
        (untrue + blurred).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step == steps - 1:
            said = (wanted * filled.empty).sum(-1) == 0
            wrong = (wanted.gather(-1, words.argmax(-1, keepdim=True))[said] == 0).float().mean()
            progress.set_postfix(wrong=float(wrong), blurred=float(blurred.detach()))
    projector.perceptron.requires_grad_(requires_grad=learns)
    return float(wrong)


def measured_poses(
    model: PoseLanguageModel, pool: PosePool
) -> tuple[Tensor, Tensor, Float[Tensor, "pose statement"]]:
    """Return rotations and joints of poses as the projector takes them, and what is true."""
    parts = []
    for start in trange(0, POSES, DRAWN, desc="measuring"):
        rotations = pool.draw(DRAWN, generator_of(seed=1, step=start), MIXED)
        joints = model.joints(rotations, facing=True)
        truth = torch.from_numpy(true_atoms(Measured(joints.numpy()))).float()
        parts.append((rotations, joints, truth))
    rotations, joints, truth = (torch.cat(some) for some in zip(*parts, strict=True))
    return rotations, joints, truth
