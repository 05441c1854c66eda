"""The operators that graphs hold: a function's value, and the flow by each of its inputs.

They take the function as text, and for each input the order of the derivative by it, so that they
are closed under differentiation: the derivative of a value is a flow, and that of a flow is flows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from limen.torch.key import partial_of
from limen.torch.native import flows_through, value_of

__all__ = ["batched", "flows", "value", "value_again"]


@torch.library.custom_op("limen::value", mutates_args=())
def value(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    """A function's value, or that of a derivative, element by element."""
    return value_of(partial_of(key, tuple(orders)), inputs)


@torch.library.custom_op("limen::flows", mutates_args=())
def flows(
    grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Sequence[int]
) -> list[Tensor]:
    """The flow by each input: grad_output times the derivative by it."""
    return flows_through(partial_of(key, tuple(orders)), grad_output, inputs)


@torch.library.custom_op("limen::value_again", mutates_args=())
def value_again(inputs: Sequence[Tensor], key: str, orders: Sequence[int], after: Tensor) -> Tensor:
    """The value in a backward pass: `after` is a gradient, and only there to be waited for."""
    return value_of(partial_of(key, tuple(orders)), inputs)


@value.register_fake
def _(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    return torch.empty_like(inputs[0])


@value_again.register_fake
def _(inputs: Sequence[Tensor], key: str, orders: Sequence[int], after: Tensor) -> Tensor:
    return torch.empty_like(inputs[0])


@flows.register_fake
def _(
    grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Sequence[int]
) -> list[Tensor]:
    return [torch.empty_like(x) for x in inputs]


def batched(tensors: Sequence[Tensor], dims: Sequence[int | None], size: int) -> list[Tensor]:
    """Tensors of which some have a batch dimension, all with it in front."""
    return [
        x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
        for x, dim in zip(tensors, dims, strict=True)
    ]


@value.register_vmap
def _(info: Any, in_dims: Any, inputs: Any, key: str, orders: Any) -> tuple[Tensor, int]:
    return value(batched(inputs, in_dims[0], info.batch_size), key, orders), 0


@flows.register_vmap
def _(
    info: Any, in_dims: Any, grad_output: Tensor, inputs: Any, key: str, orders: Any
) -> tuple[list[Tensor], list[int]]:
    flow, *rest = batched([grad_output, *inputs], [in_dims[0], *in_dims[1]], info.batch_size)
    return flows(flow, rest, key, orders), [0] * len(rest)
