"""P-STMO's pre-training: windows of keypoints, most frames and a few joints of which are hidden."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tqdm import trange

from train.program import generator_of
from unipose.errors import ConfigError
from unipose.lifting.lifting_data import LiftingData
from unipose.lifting.p_stmo import MaskedPoseModel, PStmo

BATCH = 160
"""As published (Shan et al. 2022)."""
LOG_EVERY = 20


def pre_train(
    net: torch.nn.Module,
    data: LiftingData,
    *,
    steps: int,
    seed: int,
    rate: float,
    log: Callable[..., None],
) -> None:
    """Teach the lifter's encoder to fill in hidden keypoints; its heads stay as they are.

    `log` is told now and then the mean distance (screens) of what is filled in. Raises ConfigError
    for another network than P-STMO.
    """
    if not isinstance(net, PStmo):
        raise ConfigError(f"only P-STMO is pre-trained on masked poses, not {type(net).__name__}")
    masked = MaskedPoseModel(net.config)
    optimizer = torch.optim.Adam(masked.parameters(), lr=rate)
    for step in trange(steps, desc="masked poses", mininterval=5.0):
        torch.manual_seed(hash((seed, step)))  # dropout
        generator = generator_of(seed=seed, step=step)
        middles = torch.randint(len(data), (BATCH,), generator=generator)
        loss = masked.loss(data.windows(middles, net.frames)[0], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % LOG_EVERY == 0 or step + 1 == steps:
            log(masked_step=step + 1, masked=loss.item())
    net.encoder.load_state_dict(masked.encoder.state_dict(), strict=True)
