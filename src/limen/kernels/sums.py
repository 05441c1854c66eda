"""Sums over all elements that depend on neither the number of threads nor the layout."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from limen.kernels import cpu
from limen.kernels.arrays import Array, bits
from limen.kernels.cache import Kernel

__all__ = ["summed"]

_BLOCK = 1 << 12  # summed by itself, in NumPy's pairwise order
_PASS = 1 << 16  # elements whose terms are held at once


def summed(
    kernel: Kernel, inputs: Sequence[Array], numbers: Sequence[float], count: int
) -> list[float]:
    """Runs a kernel of `count` float64 outputs and adds up each of them.

    Args:
        kernel: writes one term for each element and output.
        inputs: the arrays read, of one shape.
        numbers: the kernel's parameters.
        count: the number of outputs.

    Returns:
        One sum for each output: of fixed blocks in C order, then exactly.
    """
    flat = [bits(np.ascontiguousarray(a).reshape(-1)) for a in inputs]
    terms = [np.empty(min(_PASS, flat[0].size)) for _ in range(count)]
    blocks: list[list[float]] = [[] for _ in terms]
    for start in range(0, flat[0].size, _PASS):
        parts = [a[start : start + _PASS] for a in flat]
        views = [t[: parts[0].size] for t in terms]
        cpu.launch(kernel, parts, views, numbers)
        for found, view in zip(blocks, views, strict=True):
            found += [float(view[i : i + _BLOCK].sum()) for i in range(0, view.size, _BLOCK)]
    return [_total(found) for found in blocks]


def _total(parts: list[float]) -> float:
    """The exact sum, rounded once; NaN and infinities as in plain addition."""
    return math.fsum(parts) if all(map(math.isfinite, parts)) else sum(parts)
