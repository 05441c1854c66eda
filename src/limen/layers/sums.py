"""The gradients of the parameters: those of each slab of rows, and their sums.

A gradient is a sum over the samples. Each slab adds up its own rows, in memory of its own; then
the slabs are added up in their order, so that the bits depend on no thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels.loops import Tiled, add
from limen.layers.parameter import Parameter, joined

__all__ = ["SlabGradients"]

Array = NDArray[Any]


class SlabGradients:
    """Where each slab puts its gradients.

    Args:
        parameters: layer by layer.
        slabs: how many there are; the first one writes to the parameters' own gradients.

    Attributes:
        of: for each slab and each layer, the gradients of its parameters.
    """

    def __init__(self, parameters: Sequence[Sequence[Parameter]], slabs: int) -> None:
        grads = [[parameter.grad_memory() for parameter in own] for own in parameters]
        flat = [grad for own in grads for grad in own]
        numbers = sum(grad.size for grad in flat)
        others = np.empty((slabs - 1, numbers), flat[0].dtype if flat else None)
        self.of = [grads, *(_like(grads, row) for row in others)]
        self._sums: list[Tiled] = []
        start = 0
        for grad in joined(flat) if slabs > 1 else ():
            parts = others[:, start : start + grad.size]
            self._sums.append(Tiled(add, [(grad, part) for part in parts]))
            start += grad.size

    def add_up(self) -> None:
        """Fills the parameters' gradients, once every slab has its own."""
        for add_slabs in self._sums:
            add_slabs()


def _like(grads: Sequence[Sequence[Array]], memory: Array) -> list[list[Array]]:
    """Arrays of the same shapes, one after the other in some memory."""
    start = 0
    made: list[list[Array]] = []
    for own in grads:
        made.append([])
        for grad in own:
            made[-1].append(memory[start : start + grad.size].reshape(grad.shape))
            start += grad.size
    return made
