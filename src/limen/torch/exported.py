"""What graphs find that limen has no kernels for: a function's value in PyTorch's operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from limen.decomposition import only_chooses
from limen.torch.key import function_of, partial_of, up
from limen.torch.native import decomposed_value, handed_on

__all__ = ["Lowered", "exported_value", "is_exporting", "is_fused"]


def is_exporting() -> bool:
    """Whether a program is made that shall run elsewhere; ONNX is also traced in an older way."""
    return bool(torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export())


# Dynamo, which a strict export traces with too, takes a call of these as one: what is inside are
# formulas, of which it knows nothing. They are gone when the call is traced in its turn, into ATen
# operations.
@torch.compiler.allow_in_graph
def exported_value(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    """A function's value in PyTorch operations that ONNX has too, for graphs without limen."""
    return decomposed_value(partial_of(key, tuple(orders)), inputs, "exported")


@torch.compiler.allow_in_graph
def _lowered_value(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    """A function's value in PyTorch operations, which are left to a compiler to fuse."""
    return decomposed_value(partial_of(key, tuple(orders)), inputs)


@torch.compiler.assume_constant_result  # a compiler reads no formulas
def is_fused(key: str) -> bool:
    """Whether a compiler's code for a function is as exact as a kernel, and faster.

    So it is for functions that compute nothing, such as relu: fused with their neighbours they cost
    nothing. For all others the operators are faster on the CPU: forward and backward of gelu on
    2^18 numbers took 1.6 ms as operators and 4.4 ms fused, those of mish 1.9 and 9.1.
    """
    return only_chooses(function_of(key))


class Lowered(torch.autograd.Function):
    """A value in PyTorch's own operations, which a compiler fuses with what is around it.

    For devices without kernels, and for functions that `is_fused` names.
    """

    @staticmethod
    def forward(ctx: Any, key: str, orders: Sequence[int], *inputs: Tensor) -> Tensor:
        """The value."""
        ctx.key, ctx.orders = key, orders
        ctx.save_for_backward(*inputs)
        return _lowered_value(inputs, key, orders)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Any, ...]:
        """The flow by each input, in PyTorch operations as well."""
        inputs = ctx.saved_tensors
        slopes = [_lowered_value(inputs, ctx.key, up(ctx.orders, k)) for k in range(len(inputs))]
        return None, None, *[handed_on(grad_output, slope) for slope in slopes]
