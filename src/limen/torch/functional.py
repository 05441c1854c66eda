"""A function of tensors, from whatever names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from limen.errors import DtypeError
from limen.function import ActivationFunction
from limen.registry import resolve
from limen.torch.autograd import value
from limen.torch.key import key_of

__all__ = ["Named", "admitted", "evaluate"]

Named = ActivationFunction | str | Callable[..., Any]
"""A function, its name, its formula, or a Python function to trace."""

_FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def evaluate(function: Named, *inputs: Tensor) -> Tensor:
    """The function's value, element by element, with derivatives of any order.

    Args:
        function: an `ActivationFunction`, the name of one, the text of a formula, or a Python
            function to trace.
        *inputs: a tensor (a gate and a value for a gated function) of any shape, layout and device,
            of float64, float32, float16 or bfloat16; integers become the default dtype.

    Returns:
        A tensor of the input's shape, dtype, device and memory format.

    Raises:
        DtypeError: for complex tensors, and dtypes limen does not compute with.

    Example:
        >>> import torch
        >>> import limen.torch as lt
        >>> x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
        >>> y = lt.evaluate("x * tanh(softplus(x))", x)
        >>> torch.autograd.grad(y.sum(), x)[0]
        tensor([0.0592, 0.6000, 1.0490])
    """
    return value(admitted(inputs), _key_of_named(function), (0,) * len(inputs))


@torch.compiler.assume_constant_result  # a compiler shall read neither names nor formulas
def _key_of_named(function: Named) -> str:
    return key_of(resolve(function))


def admitted(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Tensors as users have them, brought to one shape and a dtype that limen computes with."""
    if len(inputs) > 1:
        return _together(inputs)
    return inputs if inputs[0].dtype in _FLOATS else [_floating(inputs[0])]


def _together(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Inputs of one dtype and one shape, by PyTorch's rules."""
    floating = [_floating(x) for x in inputs]
    dtype = floating[0].dtype
    for x in floating[1:]:
        if x.dtype != dtype:
            dtype = torch.promote_types(dtype, x.dtype)
    return torch.broadcast_tensors(*(x if x.dtype == dtype else x.to(dtype) for x in floating))


def _floating(x: Tensor) -> Tensor:
    if x.dtype in _FLOATS:
        return x
    if x.is_complex() or x.is_floating_point():
        raise DtypeError(
            f"the input has dtype {x.dtype}; limen computes with float64, float32, float16 and "
            "bfloat16 (integers become the default dtype)"
        )
    return x.to(torch.get_default_dtype())
