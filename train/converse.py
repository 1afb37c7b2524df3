"""Teach a language model to lead a conversation: `accelerate launch -m train.converse`.

The base is any instruction-tuned causal language model with a chat template (by default SmolLM2,
which `make setup` brings). LoRA adapters learn to answer with words or with a call, from
conversations that are written anew for every step (`data_builders.conversations`): wordings of the
train split, questions answered by measuring poses of the train split. The loss is on what the
assistant says. What is shipped are the adapters (peft's two files) in `--out`/model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from accelerate import DistributedType
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from data_builders.conversations.pose_bank import bank_of_films, bank_of_poses
from data_builders.conversations.script import ScriptWriter
from data_builders.conversations.typing_style import SLIPS
from data_builders.pose_pool import PosePool
from train.batch_prefetch import prefetch
from train.engines import save_run
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.errors import ConfigError, WeightsError
from unipose.language.attention import seen_places
from unipose.language.base_forward import own_masks
from unipose.language.base_model import base_folder
from unipose.language.call_loop import Speaker
from unipose.language.chat_rendering import ChatTemplate
from unipose.language.conversation_model import ADAPTER_CONFIG, ADAPTERS, ConversationModel
from unipose.language.rendering import IGNORE_INDEX, Batch, collate
from unipose.language.row_packing import pack
from unipose.language.vocabulary import train_text_tokenizer


@dataclass(frozen=True, kw_only=True)
class ConverseConfig(RunSettings):
    """One run."""

    llm: str = ""
    """An instruction-tuned causal language model, by path or name; empty is SmolLM2."""
    start: Path | None = None
    """Folder of adapters to go on from (of the same base and rank); None begins anew."""
    rank: int = 16
    alpha: int = 32
    turns: int = 5
    """Most turns of a conversation; the fewest is two. A step holds `batch` conversations ..."""
    packs: int = 4
    """... and so many packs of single turns that end with their call, behind the same turns ..."""
    pack: int = 16
    """... of so many turns each: most calls for the least tokens."""
    turns_before: tuple[int, ...] = (0, 0, 1, 2, 3)
    """How many turns stand before those of a pack: one of these numbers."""
    poses: int = 3000
    """Poses that are drawn once and talked about."""
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" talks about made-up poses."""
    weight_decay: float = 0.01
    clip: float = 1.0
    checked: int = 60
    """Turns in held-out wordings (val) whose calls are checked at each save; 0, or FSDP: none."""
    log_every: int = 10
    workers: int = 1
    """Processes that write conversations ahead of their step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.turns < 2 or self.rank < 1:
            raise ConfigError(
                f"turns are at least 2 and rank at least 1, got {self.turns} and {self.rank}"
            )


PRESETS = {
    "smol": ConverseConfig(
        out=Path("runs/converse"), steps=345, batch=4, peak_rate=1.5e-3, warmup=30, save_every=75,

    ),
    "debug": ConverseConfig(
        llm="debug", out=Path("runs/converse_debug"), steps=4, batch=4, peak_rate=1e-3, warmup=2,
        save_every=2, rank=4, poses=6, data=Path(), checked=0, turns=2,
        packs=1, pack=3, trackers=(),
    ),
}  # fmt: skip

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The chat template of the debug preset."""


def open_base(config: ConverseConfig) -> tuple[Any, ChatTemplate]:
    """Return the language model in its own number type, and its chat template."""
    if config.llm == "debug":
        text = train_text_tokenizer(["is the left knee bent?"], size=400)
        text.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
        text.chat_template = CHATML
        small = LlamaConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            vocab_size=len(text), tie_word_embeddings=True, max_position_embeddings=4096,
        )  # fmt: skip
        return LlamaForCausalLM(small), ChatTemplate(text)
    source = config.llm or str(base_folder())
    # on CPUs the backward pass of fused attention takes longer than all matrix products
    model = AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.bfloat16, attn_implementation="eager"
    )
    return model, ChatTemplate(AutoTokenizer.from_pretrained(source))


class ConverseStep(nn.Module):
    """The language model with its adapters; a forward pass is the summed loss of some rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.dtype: torch.dtype = model.dtype

    def forward(self, rows: Batch) -> Tensor:
        """Return the sum of the cross entropies of all that the assistant says."""
        seen, positions = seen_places(rows, read_both_ways=False)
        hidden = self.model.model(
            input_ids=rows.ids, position_ids=positions,
            attention_mask=own_masks(self.model, seen, positions, self.dtype),
        ).last_hidden_state  # fmt: skip
        said = rows.targets != IGNORE_INDEX
        logits = self.model.lm_head(hidden[said])
        return functional.cross_entropy(logits.float(), rows.targets[said], reduction="sum")


def add_adapters(model: nn.Module, config: ConverseConfig) -> dict:
    """Freeze the model and put LoRA beside its linear layers; return peft's config as data."""
    from peft import LoraConfig, inject_adapter_in_model  # slow to import
    from peft.tuners.lora import LoraLayer

    adapters = LoraConfig(
        r=config.rank, lora_alpha=config.alpha, target_modules="all-linear",
        exclude_modules=["lm_head"], task_type="CAUSAL_LM",
    )  # fmt: skip
    inject_adapter_in_model(adapters, model)
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False  # autocast does it, without copies in float32
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name)
    return describe_adapters(config.rank, config.alpha, base=config.llm)


def describe_adapters(rank: int, alpha: int, *, base: str = "") -> dict:
    """Return peft's description of adapters on all linear layers but the last."""
    return {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": alpha,
        "exclude_modules": ["lm_head"], "target_modules": "all-linear",
        "base_model_name_or_path": base or None,
    }  # fmt: skip


def save_adapters(weights: Mapping[str, Tensor], config: dict, folder: Path) -> None:
    """Write adapters as peft reads them, in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {
        "base_model.model." + name.replace(".default.weight", ".weight"): weight.bfloat16().cpu()
        for name, weight in weights.items()
        if "lora_" in name
    }
    save_file({n: w.contiguous() for n, w in named.items()}, folder / ADAPTERS)
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def load_adapters(model: nn.Module, folder: Path) -> None:
    """Read adapters as `save_adapters` wrote them. Raises WeightsError if they do not fit."""
    try:
        saved = load_file(folder / ADAPTERS)
    except (OSError, SafetensorError) as error:
        raise WeightsError(folder, f"holds no adapters to go on from ({error}).") from error
    own = {name: weight for name, weight in model.named_parameters() if "lora_" in name}
    named = {f"base_model.model.{n.replace('.default.weight', '.weight')}": n for n in own}
    if {n: tuple(own[named[n]].shape) for n in named} != {
        n: tuple(w.shape) for n, w in saved.items()
    }:
        raise WeightsError(folder, "the adapters are of another base or rank.")
    with torch.no_grad():
        for name, weight in saved.items():
            own[named[name]].copy_(weight)


def checked_calls(
    model: Speaker, writer: ScriptWriter, *, count: int, seed: int
) -> dict[str, float]:
    """Return the share of single turns that are answered with the right call, or without one."""
    random = Random(seed)
    right = 0
    for _ in range(count):
        script = writer.write(random, turns=1)
        messages = script.messages()
        wanted = messages.pop()
        while messages[-1].role != "user":
            wanted = messages.pop()
        right += model.answer(messages) == wanted.text
    return {"right_calls": right / count}


def main(config: ConverseConfig) -> None:
    """Train, log, save; resumes by itself from the newest checkpoint in the run folder."""
    accelerator = start_accelerator(
        clip=config.clip, trackers=config.trackers, folder=config.out, threads=config.threads,
        workers=config.workers,
    )  # fmt: skip
    torch.manual_seed(config.seed)
    writer, val_writer = writers(config)
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
        model, template = open_base(config)
    described = add_adapters(model, config)
    if config.start is not None:
        load_adapters(model, config.start)
    optimizer = torch.optim.AdamW(
        [weight for weight in model.parameters() if weight.requires_grad],
        lr=0.0, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip

    def draw(place: int) -> list[Batch]:
        random = Random(f"{config.seed} {place}")
        packs = []
        for _ in range(config.packs):
            scripts = writer.write_branches(
                random, turns=random.choice(config.turns_before), count=config.pack
            )
            rows = [template.render(script.messages(calls_alone=True)) for script in scripts]
            packs.append(pack(rows, learn_shared=False))
        talks = [
            writer.write(random, turns=random.randint(2, config.turns)).messages()
            for _ in range(config.batch)
        ]
        packs.append(pack([template.render(talk) for talk in talks]))
        return [collate([rows], pad=template.end) for rows in packs]

    here, processes = accelerator.process_index, accelerator.num_processes
    places = range(run.steps_done() * processes + here, config.steps * processes, processes)
    drawn = prefetch(draw, places, workers=config.workers)
    loop = StepLoop(
        accelerator, run, model, optimizer, config, name="converse",
        module=ConverseStep(model), clip=config.clip, log_every=config.log_every,
        saves_gathered=True,
    )  # fmt: skip
    for step, _ in loop.steps():
        model.train()
        packs = [rows.to(accelerator.device) for rows in next(drawn)]
        said = sum(int((rows.targets != IGNORE_INDEX).sum()) for rows in packs)
        total = torch.zeros((), device=accelerator.device)
        for i, rows in enumerate(packs):
            with loop.piece(last=i + 1 == len(packs)):
                # the frozen base is in bfloat16, what learns in float32
                with torch.autocast(accelerator.device.type, torch.bfloat16):
                    loss = loop.trained(rows) / said
                accelerator.backward(loss)
            total += loss.detach()
            del loss  # and its graph, before the next one is built
        loop.update([(step * processes + here, total, {"text": total})], step)
        if loop.logs(step):
            loop.log(step, {"loss": round(total.item(), 5)})
        if config.saves(step):
            weights = save_run(accelerator, run, step + 1, model, loop.optimizer)
            if loop.is_main:
                save_adapters(weights, described, config.out / "model")
                # under FSDP no process has all weights
                if config.checked and accelerator.distributed_type != DistributedType.FSDP:
                    model.eval()
                    talker = ConversationModel(model, template)
                    glance = checked_calls(talker, val_writer, count=config.checked, seed=1)
                    loop.tell(step + 1, glance)
    if loop.is_main:
        loop.end()


def writers(config: ConverseConfig) -> tuple[ScriptWriter, ScriptWriter]:
    """Return who writes in the wordings of train about people of train, and the same of val."""
    found = []
    for split in ("train", "val"):
        pool = PosePool.read_or_make(config.data, split, made_up=200)
        count = config.poses if split == "train" else min(config.poses, 300)
        found.append(
            ScriptWriter(
                bank_of_poses(pool, count, seed=config.seed),
                films=bank_of_films(pool, 12, seed=config.seed),
                wording_split=split,
                slips=2 * SLIPS if split == "train" else SLIPS,
            )
        )
    return found[0], found[1]


if __name__ == "__main__":
    run_program(main, PRESETS)
