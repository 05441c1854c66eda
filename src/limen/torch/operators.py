"""The operators that graphs hold: a function's value, and the flow by each of its inputs.

They take the function as text, and for each input the order of the derivative by it, so that they
are closed under differentiation: the derivative of a value is a flow, and that of a flow is flows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.library import define, impl, register_fake, register_vmap

from limen.errors import ShapeError
from limen.torch.key import native_of
from limen.torch.native import flows_through, value_of

__all__ = ["computed_flows", "computed_value", "flows", "value", "value_again"]


# Not `torch.library.custom_op`, whose calls take twice as long.
_KERNEL = "CompositeExplicitAutograd"
define("limen::value", "(Tensor[] inputs, str key, int[] orders) -> Tensor")
define("limen::value_again", "(Tensor[] inputs, str key, int[] orders, Tensor after) -> Tensor")
define("limen::flows", "(Tensor grad_output, Tensor[] inputs, str key, int[] orders) -> Tensor[]")

value = torch.ops.limen.value.default
value_again = torch.ops.limen.value_again.default
flows = torch.ops.limen.flows.default


def computed_value(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    """A function's value, or that of a derivative, element by element."""
    _check(inputs)
    return value_of(native_of(key, tuple(orders)), inputs)


def computed_flows(
    grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Sequence[int]
) -> list[Tensor]:
    """The flow by each input: grad_output times the derivative by it."""
    _check((grad_output, *inputs))
    return list(flows_through(native_of(key, tuple(orders)), grad_output, inputs))


def _check(tensors: Sequence[Tensor]) -> None:
    """Kernels read memory: who calls an operator by hand must not lead them beyond its end."""
    first = tensors[0]
    for x in tensors[1:]:
        if x.shape != first.shape or x.dtype != first.dtype or x.device != first.device:
            given = ", ".join(f"{x.dtype} {tuple(x.shape)} on {x.device}" for x in tensors)
            raise ShapeError(f"limen's operators take tensors of one kind and shape, got {given}")


impl("limen::value", _KERNEL, computed_value)
impl("limen::flows", _KERNEL, computed_flows)


@impl("limen::value_again", _KERNEL)
def _(inputs: Sequence[Tensor], key: str, orders: Sequence[int], after: Tensor) -> Tensor:
    """The value in a backward pass: `after` is a gradient, and only there to be waited for."""
    return computed_value(inputs, key, orders)


@register_fake("limen::value")
def _(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    return torch.empty_like(inputs[0])


@register_fake("limen::value_again")
def _(inputs: Sequence[Tensor], key: str, orders: Sequence[int], after: Tensor) -> Tensor:
    return torch.empty_like(inputs[0])


@register_fake("limen::flows")
def _(
    grad_output: Tensor, inputs: Sequence[Tensor], key: str, orders: Sequence[int]
) -> list[Tensor]:
    return [torch.empty_like(x) for x in inputs]


def _batched(tensors: Sequence[Tensor], dims: Sequence[int | None], size: int) -> list[Tensor]:
    """Tensors of which some have a batch dimension, all with it in front."""
    return [
        x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)
        for x, dim in zip(tensors, dims, strict=True)
    ]


@register_vmap("limen::value")
def _(info: Any, in_dims: Any, inputs: Any, key: str, orders: Any) -> tuple[Tensor, int]:
    return value(_batched(inputs, in_dims[0], info.batch_size), key, orders), 0


@register_vmap("limen::flows")
def _(
    info: Any, in_dims: Any, grad_output: Tensor, inputs: Any, key: str, orders: Any
) -> tuple[list[Tensor], list[int]]:
    flow, *rest = _batched([grad_output, *inputs], [in_dims[0], *in_dims[1]], info.batch_size)
    return flows(flow, rest, key, orders), [0] * len(rest)
