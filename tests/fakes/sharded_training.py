"""Two processes train one small model by FSDP2 and gather it; the test starts this by torchrun."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import torch
import torch.distributed as dist
from accelerate import DistributedType
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from train.engines import gathered


def main() -> None:
    dist.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (2,))
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3, bias=False))
    whole[0].bias.requires_grad_(False)
    sharded = copy.deepcopy(whole)
    for layer in sharded:
        fully_shard(layer, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    models = (whole, sharded)
    optimizers = [
        torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=0.1)
        for model in models
    ]
    inputs = torch.randn(8, 4)
    for _ in range(2):
        for model, optimizer in zip(models, optimizers):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
    weights, states = gathered(
        SimpleNamespace(distributed_type=DistributedType.FSDP),
        sharded,
        SimpleNamespace(optimizer=optimizers[1]),
    )
    if dist.get_rank() == 0:
        torch.testing.assert_close(weights, dict(whole.state_dict()))
        torch.testing.assert_close(states, optimizers[0].state_dict()["state"])
        print(f"gathered {len(weights)} weights and {len(states)} states")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
