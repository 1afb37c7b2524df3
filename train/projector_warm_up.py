"""The pose projector begins by writing poses in the language model's own words.

A projector that is drawn at random shows the language model noise, and directions of its own inner
states are read as slowly; what a language model reads at once is text. So the projector is taught
alone first, on tens of thousands of poses and without the language model, to fill in a form:

    ... left knee sharply bent, ... left hand above behind right hand, ...

A token has a place; those of the parts are the same for every pose, what is true of them it fills
in. Each of these is the mean of the embeddings of the words that might stand there, by how likely
they are, and as large as one of them. All of them together also tell the whole pose, for who is to
change it. Claims teach here and are thrown away: what the projector shows afterwards is its own,
and learns on with everything else.
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

POSES, DRAWN = 40_000, 1000
"""Poses that are learned from, and how many are drawn at once."""
BATCH = 512
PEAK_RATE = 2e-3
MIXED = PoolConfig(mixed=0.4, tilt=0.15)


class FilledForm:
    """The form filled in: embeddings of poses as the projector is to show them."""

    def __init__(self, form: PoseForm, table: Float[Tensor, "token width"]) -> None:
        self.form, self.table = form, table.detach().float()
        statements = len(atoms())
        place = {place: k for k, place in enumerate(form.told)}
        self.says = torch.zeros(statements, len(form.told))
        self.means = torch.zeros(statements, len(form.told), self.table.shape[1])
        for statement, where, token in form.fillings:
            self.says[statement, place[where]] = 1.0
            self.means[statement, place[where]] = self.table[token]
        self.empty = self.table[torch.tensor(form.words)]

    def shown(self, truth: Float[Tensor, "pose statement"]) -> Float[Tensor, "pose told width"]:
        """Return what poses fill in, of size 1."""
        count = (truth @ self.says)[..., None]
        total = torch.einsum("ps,stw->ptw", truth, self.means)
        said = torch.where(count > 0, total / count.clamp(min=1), self.empty[self.form.told])
        return functional.layer_norm(said, said.shape[-1:])


def warm_up_projector(
    model: PoseLanguageModel, vocabulary: Vocabulary, pool: PosePool, *, steps: int
) -> float:
    """Teach a model's pose projector alone; return the share of what words tell that it misses.

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
    filled = FilledForm(form, model.llm.get_input_embeddings().weight)
    rotations, moved, truth = measured_poses(model, pool)
    numbers = numbers_of_pose(rotations, moved)
    size = projector.norm.weight.detach().mean()
    back = nn.Linear(len(form.told) * projector.up.in_features, numbers.shape[1])
    learns = next(projector.parameters()).requires_grad
    projector.requires_grad_(requires_grad=True)  # also where it is to stay as it then is
    optimizer = torch.optim.AdamW([*projector.parameters(), *back.parameters()], lr=PEAK_RATE)
    progress = trange(steps, desc="projector")
    missed = torch.zeros(())
    usual = filled.shown(truth[:BATCH])
    spread = usual.var(dim=0).mean()
    with torch.no_grad():
        projector.told.copy_(torch.tensor(form.told))
        projector.places.copy_(functional.layer_norm(filled.empty, filled.empty.shape[-1:]))
        projector.places[projector.told] = usual.mean(dim=0)
    projector.places.requires_grad = False  # words as they are
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(1.0, (step + 1) / 50, 1.05 - step / steps)
        chosen = torch.randint(len(truth), (BATCH,), generator=generator_of(seed=0, step=step))
        told, shown = projector.told_of(rotations[chosen], moved[chosen])
        missed = (shown / size - filled.shown(truth[chosen])).square().mean() / spread
        blurred = functional.mse_loss(back(told.flatten(1)), numbers[chosen])
        (missed + blurred).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            progress.set_postfix(missed=float(missed.detach()), blurred=float(blurred.detach()))
    projector.requires_grad_(requires_grad=learns)
    return float(missed.detach())


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
