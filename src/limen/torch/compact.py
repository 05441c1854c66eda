"""Less than the input for the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._C._functorch import is_batchedtensor, is_legacy_batchedtensor

from limen.errors import FormulaError
from limen.kernels import threads
from limen.kernels.code_loops import CODES, PER_BYTE
from limen.torch.inverse import Inverse
from limen.torch.key import function_of, native_of
from limen.torch.native import as_array, fresh_like, handed_on, value_of
from limen.torch.slopes import Slopes

__all__ = ["compact_value", "mode_of"]

# Elements that are worked on in cache; and of so many tiles, a share is worth another thread.
_TILE, _MANY = 1 << 16, 16

Array = NDArray[Any]
Mode = Slopes | Inverse


@lru_cache(1024)
def mode_of(key: str) -> Mode:
    """How the backward pass of a function does without its input.

    Raises:
        FormulaError: where it cannot.
    """
    f = function_of(key)
    if not f.is_gated:
        for kind in (Slopes, Inverse):
            mode = kind(f)
            if mode.is_possible():
                return mode
    raise FormulaError(
        f"{f.name} has no compact mode: that is for functions of x made of at most "
        f"{CODES - 1} slopes, such as relu or hardtanh, and for smooth ones that turn at most "
        "twice and whose slope has limits, such as gelu"
    )


def compact_value(key: str, x: Tensor) -> Tensor:
    """The function's value, which keeps what `mode_of` says for the backward pass."""
    if not torch.is_grad_enabled() or not x.requires_grad:
        return value_of(native_of(key, (0,)), (x,))
    return _Compact.apply(key, x)


class _Compact(torch.autograd.Function):
    """A value that keeps codes, and its output if that is needed."""

    @staticmethod
    def forward(ctx: Any, key: str, x: Tensor) -> Tensor:
        ctx.key, mode = key, mode_of(key)
        y = value_of(native_of(key, (0,)), (x,))
        held = _coded(mode, _flat(x)) if mode.keeps_codes else np.empty(0, np.uint8)
        ctx.save_for_backward(torch.from_numpy(held), *[y] * mode.keeps_output)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        held, *kept = ctx.saved_tensors
        if is_legacy_batchedtensor(grad_output) or is_batchedtensor(grad_output):
            if kept and torch.is_grad_enabled():
                raise _first_only(ctx.key)
            ones = torch.ones(grad_output.shape, dtype=grad_output.dtype)  # of one of the batch
            return None, handed_on(grad_output, _flow(ctx.key, ones, held, *kept))
        if torch.is_grad_enabled():
            kept = [_FirstOnly.apply(ctx.key, y) for y in kept]
        return None, _CompactFlow.apply(ctx.key, grad_output, held, *kept)


class _FirstOnly(torch.autograd.Function):
    """A kept output, which does not tell the second derivative: it must not be taken for zero."""

    @staticmethod
    def forward(ctx: Any, key: str, y: Tensor) -> Tensor:
        ctx.key = key
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        raise _first_only(ctx.key)


def _first_only(key: str) -> FormulaError:
    return FormulaError(
        f"{function_of(key).name} with compact=True has first derivatives only; without it, of "
        "any order"
    )


class _CompactFlow(torch.autograd.Function):
    """The flow through kept slopes, which is linear in what comes in."""

    @staticmethod
    def forward(ctx: Any, key: str, grad_output: Tensor, *kept: Tensor) -> Tensor:
        ctx.key = key
        ctx.save_for_backward(*kept)
        return _flow(key, grad_output, *kept)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        kept = ctx.saved_tensors
        return None, _CompactFlow.apply(ctx.key, grad, *kept), *[None] * len(kept)


def _flow(key: str, grad_output: Tensor, *kept: Tensor) -> Tensor:
    """The flow through kept slopes."""
    held, y = kept[0].numpy(), _flat(kept[1]) if len(kept) > 1 else None
    flow = grad_output.contiguous()
    out = fresh_like(flow)
    given, result, mode = _flat(flow), _flat(out), mode_of(key)
    no_codes = np.zeros(_TILE // PER_BYTE, np.uint8)

    def hand_on(part: slice) -> None:
        codes = held[_bytes(part)] if mode.keeps_codes else no_codes
        mode.hand_on(given[part], codes, None if y is None else y[part], result[part])

    _by_tiles(given.size, hand_on)
    return out


def _coded(mode: Mode, x: Array) -> NDArray[np.uint8]:
    held = np.empty(-(-x.size // PER_BYTE), np.uint8)
    _by_tiles(x.size, lambda part: mode.keep(x[part], held[_bytes(part)]))
    return held


def _bytes(part: slice) -> slice:
    """Where the codes of a tile are held."""
    return slice(part.start // PER_BYTE, -(-part.stop // PER_BYTE))


def _by_tiles(size: int, work: Callable[[slice], None]) -> None:
    """Does work on each tile of so many elements, on as many threads as PyTorch may use."""
    tiles = [slice(a, min(a + _TILE, size)) for a in range(0, size, _TILE)]

    def share(first: int, hands: int) -> None:
        for tile in tiles[first::hands]:
            work(tile)

    with threads.at_most(torch.get_num_threads()):  # the kernels of a single tile, too
        hands = threads.available() if len(tiles) >= _MANY else 1
        threads.run([partial(share, first, hands) for first in range(hands)])


def _flat(x: Tensor) -> Array:
    """The elements in C order."""
    return as_array(x.contiguous()).reshape(-1)
