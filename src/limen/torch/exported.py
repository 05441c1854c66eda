"""What graphs find that limen has no kernels for: a function's value in PyTorch's operations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from limen.torch.key import partial_of
from limen.torch.native import decomposed_value

__all__ = ["exported_value", "is_exporting", "lowered_value"]


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
def lowered_value(inputs: Sequence[Tensor], key: str, orders: Sequence[int]) -> Tensor:
    """A function's value in PyTorch operations, which are left to a compiler to fuse."""
    return decomposed_value(partial_of(key, tuple(orders)), inputs)
