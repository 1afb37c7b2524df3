"""The loop of a training program: rates, gradients, log, progress, checkpoints, in one place.

    loop = StepLoop(accelerator, run, network, optimizer, config, name="motion denoiser")
    for step, generator in loop.steps():
        network.train()
        loop.learn(step, *train_step(loop.trained, batch_of(generator)))
        if loop.saves(step):
            loop.save(step, validate(network))
    if loop.is_main:
        network.save_pretrained(config.out / "model")
        loop.end(validate(network, test))

What is drawn and what is lost stay in the program, in sight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import trange

from train.engines import SPREADING, resume_moments
from train.program import check_engine, generator_of
from train.run_folder import RunFolder
from train.settings import RunSettings, check_finite, set_rate
from unipose.errors import ConfigError


class StepLoop:
    """The steps of a run that are still to do; making it loads the newest checkpoint.

    `learner` is what a checkpoint holds, `module` what a step calls, if that is something around
    the learner. `clip` is the largest norm of the gradients (None or 0: any). `saves_gathered` says
    that the program saves with `train.engines.save_run`, without which an engine that spreads
    weights or optimiser states is refused. Raises ConfigError for that, and if the engine that was
    launched does not train the module; FileError for a damaged checkpoint.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        run: RunFolder,
        learner: nn.Module,
        optimizer: torch.optim.Optimizer,
        config: RunSettings,
        *,
        name: str,
        module: nn.Module | None = None,
        clip: float | None = None,
        log_every: int = 50,
        saves_gathered: bool = False,
    ) -> None:
        self.accelerator, self.run, self.learner, self.config = accelerator, run, learner, config
        self.name, self.clip, self.log_every = name, clip, log_every
        self.is_main: bool = accelerator.is_main_process
        self.spread: bool = accelerator.distributed_type in SPREADING
        if self.spread and not saves_gathered:
            raise ConfigError(
                f"{name} cannot be saved under {accelerator.distributed_type.value}, which spreads "
                "what a checkpoint holds; launch train/configs/ddp.yaml, one_gpu.yaml, or cpu2.yaml"
            )
        self.done = run.resume(learner, optimizer)
        self.trained: Any
        self.trained, self.optimizer = accelerator.prepare(module or learner, optimizer)
        check_engine(accelerator, self.trained)
        if self.done:
            resume_moments(accelerator, learner, self.optimizer, run.checkpoints()[-1])
        self.progress = trange(
            self.done, config.steps, initial=self.done, total=config.steps, desc=name,
            disable=not self.is_main,
        )  # fmt: skip

    def steps(self) -> Iterator[tuple[int, torch.Generator]]:
        """Yield each step with what this process draws by, its rate set."""
        for step in self.progress:
            set_rate(self.optimizer, self.config.rate(step))
            process = self.accelerator.process_index
            yield step, generator_of(seed=self.config.seed, step=step, process=process)
            if self.config.saves(step):
                self.accelerator.wait_for_everyone()

    def learn(self, step: int, loss: Float[Tensor, ""], parts: Mapping[str, Tensor]) -> None:
        """Take the step that lowers `loss`. Raises NonFiniteLossError, and changes nothing then."""
        self.accelerator.backward(loss)
        self.update([(step, loss.detach(), parts)], step)
        if self.logs(step):
            values = {name: part.item() for name, part in parts.items()}
            self.log(step, {"loss": loss.item()} | values)

    @contextmanager
    def piece(self, *, last: bool) -> Iterator[None]:
        """Run one piece of a step inside of this, forward and backward: gradients add up.

        Processes exchange them once, with the last piece; `update` then takes the step.
        """
        self.accelerator.gradient_state._set_sync_gradients(last)  # DeepSpeed steps where it is set
        with nullcontext() if last else self.accelerator.no_sync(self.trained):
            yield

    def update(self, drawn: Sequence[tuple[int, Tensor, Mapping[str, Tensor]]], step: int) -> None:
        """Take a step along gradients that were added up; `drawn` is as for `check_finite`."""
        norm = None
        if self.clip:
            norm = self.accelerator.clip_grad_norm_(self.trained.parameters(), self.clip)
        # where losses are scaled (float16), the scaler looks after gradients by itself
        check_finite(step, drawn, norm=norm if self.accelerator.scaler is None else None)
        self.optimizer.step()
        self.optimizer.zero_grad()  # before the next forward pass, which needs the memory

    def logs(self, step: int) -> bool:
        """Return whether the losses of a step are logged, by this process."""
        due = step % self.log_every == 0 or step + 1 == self.config.steps
        return due and self.is_main

    def log(self, step: int, losses: Mapping[str, float]) -> None:
        """Write the losses of a step to the run's log, and beside the bar."""
        self.run.log(step=step, **losses)
        self.progress.set_postfix({name: f"{value:.4g}" for name, value in losses.items()})

    def saves(self, step: int) -> bool:
        """Return whether this process saves after a step."""
        return self.config.saves(step) and self.is_main

    def save(self, step: int, scores: Mapping[str, float]) -> None:
        """Log the scores of validation and write a checkpoint."""
        self.tell(step + 1, scores)
        self.run.save(step + 1, self.learner, self.optimizer)

    def tell(self, when: int | str, scores: Mapping[str, float]) -> None:
        """Write scores to the run's log and above the bar: after so many steps, or of a split."""
        place = {"split": when} if isinstance(when, str) else {"step": when}
        self.run.log(**place, **scores)
        said = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
        self.progress.write(f"{self.name}, {when}: {said}")

    def end(self, scores: Mapping[str, float] | None = None) -> None:
        """Log what the test split says, if it was asked, and let the trackers finish."""
        if scores is not None:
            self.tell("test", scores)
        self.run.close()
