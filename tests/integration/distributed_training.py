"""What `test_torch_distributed.py` has torchrun start: one model, trained by two processes.

torchrun --nproc-per-node 2 distributed_training.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as checkpoint
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

import limen.torch as lt

STEPS = 3


def model() -> nn.Sequential:
    """Gated, recomputed, compact; parameters of one number and of one for each channel."""
    torch.manual_seed(0)
    return lt.lean(
        nn.Sequential(
            nn.Linear(8, 16),
            lt.Activation("swish", learnable={"beta": 16}),
            nn.Linear(16, 16),
            lt.Activation("x * tanh(softplus(a * x))", a=1.5, learnable={"a": 1}),
            lt.MLP(16, 12, 16, activation="swiglu"),
            lt.Activation("leaky_relu", compact=True),
            nn.Linear(16, 4),
        )
    )


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 8, generator=generator)
    return x, torch.randn(32, 4, generator=generator)


def train(net: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Some steps of gradient descent; returns the gradients of the first."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    first: dict[str, Tensor] = {}
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        first = first or {
            name.removeprefix("module."): whole(parameter.grad).clone()
            for name, parameter in net.named_parameters()
        }
        optimizer.step()
    return first


def whole(tensor: Any) -> Tensor:
    """A tensor of which every process may hold a part."""
    full: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full.detach()


def sharded(net: nn.Sequential, **settings: Any) -> nn.Module:
    for layer in net:
        if any(True for _ in layer.parameters()):
            fully_shard(layer, **settings)
    return fully_shard(net, **settings)


def main(folder: Path) -> None:
    distributed.init_process_group("gloo")
    rank, size = distributed.get_rank(), distributed.get_world_size()
    x, y = (t.chunk(size)[rank] for t in batch())

    copies = DistributedDataParallel(model())
    gradients = train(copies, x, y)
    found: dict[str, Any] = {"copies": (gradients, copies.module.state_dict())}

    parts = sharded(model())
    gradients = train(parts, x, y)
    state = get_model_state_dict(parts)
    checkpoint.save(state, checkpoint_id=folder / "checkpoint")
    found["parts"] = (gradients, {name: whole(value) for name, value in state.items()})

    half = sharded(model(), mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16))
    gradients = train(half, x, y)
    found["half"] = (gradients, {n: whole(p) for n, p in half.named_parameters()})

    try:
        fully_shard(nn.Sequential(nn.Linear(8, 8), lt.Activation("swish", learnable="beta")))
    except ValueError as error:
        found["refusal"] = str(error)
    if rank == 0:
        torch.save(found, folder / "found.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
