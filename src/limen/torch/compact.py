"""Two bits for the backward pass of a function made of straight lines.

Its derivative takes a few values only, so which of them is all that must be kept of a
pre-activation. A point where it takes that value then stands in for the pre-activation, and the
gradient is the one that exact mode gives, bit for bit.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limen.errors import FormulaError
from limen.formula.expression import Expression, evaluate
from limen.formula.operations import COMPARISONS
from limen.function import ActivationFunction
from limen.torch.key import function_of
from limen.torch.native import as_array, fresh_like, value_of

__all__ = ["check_is_piecewise_linear", "compact_value"]

_MOST = 3  # different slopes; the fourth code says NaN
_NAN = 3
_PER_BYTE = 4
_TILE = 1 << 15  # elements that are worked on in cache

Array = NDArray[Any]


def compact_value(key: str, x: Tensor) -> Tensor:
    """The function's value, for whose derivative two bits an element are kept."""
    if not torch.is_grad_enabled() or not x.requires_grad:
        return value_of(function_of(key), (x,))
    return _Compact.apply(key, x)


def check_is_piecewise_linear(f: ActivationFunction) -> None:
    """Refuses a function whose slope is not one of a few numbers.

    Raises:
        FormulaError: saying that.
    """
    if f.is_gated or not _slope_is_chosen(f) or len(_stand_ins(f)) > _MOST:
        raise FormulaError(
            f"{f.name} has no compact mode: that is for functions of x made of at most {_MOST} "
            "different slopes, such as relu or hardtanh"
        )


def _slope_is_chosen(f: ActivationFunction) -> bool:
    """Whether the derivative depends on the input through choices alone."""

    def visit(node: Expression, *are_steps: bool) -> bool:
        if node.operation in COMPARISONS:
            return True
        return node.operation != "input" and all(are_steps)

    return bool(evaluate(f.derivative().expression, visit))


@lru_cache(1024)
def _stand_ins(f: ActivationFunction) -> tuple[float, ...]:
    """A point for each value of the derivative."""
    kinks = f.kinks if isinstance(f.kinks, tuple) else ()
    ends = (min(kinks, default=0.0) - 1, max(kinks, default=0.0) + 1)
    stops = sorted({*kinks, *ends})
    between = [(a + b) / 2 for a, b in pairwise(stops)]
    slope = f.derivative()
    found = {float(slope(x)): x for x in (*stops, *between)}
    return tuple(found.values())


def _packed(f: ActivationFunction, x: Array) -> NDArray[np.uint8]:
    """Which slope, in two bits for each element."""
    slope, points = f.derivative(), np.array(_stand_ins(f)).astype(x.dtype)
    slopes = slope(points)
    codes = np.zeros((-(-x.size // _PER_BYTE), _PER_BYTE), np.uint8)
    flat = codes.reshape(-1)
    for start in range(0, x.size, _TILE):
        found = slope(x[start : start + _TILE])
        tile = flat[start : start + found.size]
        for code, value in enumerate(slopes[1:], 1):
            tile[found == value] = code
        tile[np.isnan(found)] = _NAN
    codes <<= np.arange(0, 2 * _PER_BYTE, 2, dtype=np.uint8)
    return np.bitwise_or.reduce(codes, axis=1)


def _handed_on(f: ActivationFunction, packed: NDArray[np.uint8], flow: Array, out: Array) -> None:
    """The flow through the slopes that codes stand for."""
    points = np.full(1 << 2, np.nan)
    points[: len(_stand_ins(f))] = _stand_ins(f)
    points = points.astype(flow.dtype)
    shifts = np.arange(0, 2 * _PER_BYTE, 2, dtype=np.uint8)
    for start in range(0, flow.size, _TILE):
        stop = min(start + _TILE, flow.size)
        codes = packed[start // _PER_BYTE : -(-stop // _PER_BYTE), None] >> shifts & 3
        f.backward(flow[start:stop], points[codes.reshape(-1)[: stop - start]], out=out[start:stop])


def _flat(x: Tensor) -> Array:
    """The elements in C order."""
    return as_array(x.contiguous()).reshape(-1)


class _Compact(torch.autograd.Function):
    """A value that keeps codes of its slopes."""

    @staticmethod
    def forward(ctx: Any, key: str, x: Tensor) -> Tensor:
        f = function_of(key)
        ctx.key = key
        ctx.save_for_backward(torch.from_numpy(_packed(f, _flat(x))))
        return value_of(f, (x,))

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        return None, _CompactFlow.apply(ctx.key, ctx.saved_tensors[0], grad_output)


class _CompactFlow(torch.autograd.Function):
    """The flow through kept slopes, which is linear in what comes in."""

    @staticmethod
    def forward(ctx: Any, key: str, packed: Tensor, grad_output: Tensor) -> Tensor:
        ctx.key = key
        ctx.save_for_backward(packed)
        grad_output = grad_output.contiguous()
        out = fresh_like(grad_output)
        _handed_on(function_of(key), packed.numpy(), _flat(grad_output), _flat(out))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        return None, None, _CompactFlow.apply(ctx.key, ctx.saved_tensors[0], grad)
