"""What `test_torch_distributed.py` starts: workers that load data through limen's functions.

python loading.py fork | spawn
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import limen
import limen.torch as lt

LARGE = 1 << 20  # for several threads


class Activated(Dataset[Tensor]):
    """Examples that go through a NumPy function, a tensor function and a layer on their way."""

    def __init__(self) -> None:
        self.mish = limen.get("mish")
        self.layer = lt.Activation("swish", learnable="beta").requires_grad_(False)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        x = np.linspace(-8, 8, LARGE, dtype=np.float32) + np.float32(index)
        numbers: Tensor = torch.from_numpy(self.mish(x))
        return self.layer(lt.evaluate("tanh", numbers))


def main(context: str) -> None:
    data = Activated()
    here = [data[index] for index in range(len(data))]  # threads are up, kernels compiled
    flow = torch.zeros(LARGE, requires_grad=True)
    lt.evaluate("gelu", flow).sum().backward()
    workers = 2 if context == "fork" else 1  # a spawned one imports PyTorch
    loader = DataLoader(data, None, num_workers=workers, multiprocessing_context=context)
    assert all(torch.equal(x, y) for x, y in zip(loader, here, strict=True))
    print("the same")


if __name__ == "__main__":
    main(sys.argv[1])
