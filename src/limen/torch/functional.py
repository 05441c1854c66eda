"""A function of tensors, from whatever names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from limen.errors import DeviceError, DtypeError, FormulaError, ShapeError
from limen.function import ActivationFunction
from limen.registry import resolve
from limen.torch.autograd import value
from limen.torch.key import key_of
from limen.torch.native import DTYPES
from limen.vector import VECTOR_FUNCTIONS, VectorFunction

__all__ = ["Named", "admitted", "check_module", "evaluate", "meant"]

Named = ActivationFunction | str | Callable[..., Any]
"""A function, its name, its formula, or a Python function to trace."""


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
        DtypeError: for what is no tensor of numbers in memory, complex tensors, and dtypes limen
            does not compute with.
        ShapeError: for a gate and a value whose shapes do not go together.
        DeviceError: for a gate and a value on different devices.
        TypeError: for another number of tensors than the function has inputs.

    Example:
        >>> import torch
        >>> import limen.torch as lt
        >>> x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
        >>> y = lt.evaluate("x * tanh(softplus(x))", x)
        >>> torch.autograd.grad(y.sum(), x)[0]
        tensor([0.0592, 0.6000, 1.0490])
    """
    if has_torch_function(inputs):  # someone overrides or watches calls, by PyTorch's protocol
        found: Tensor = handle_torch_function(evaluate, inputs, function, *inputs)
        return found
    names, key = _called(function)
    if len(inputs) != len(names):
        raise TypeError(f"expected a tensor for each of {', '.join(names)}, got {len(inputs)}")
    return value(admitted(inputs), key, (0,) * len(inputs))


def meant(function: Named, **parameters: float) -> ActivationFunction:
    """What a caller means by a function, a name, a formula or a Python function.

    Raises:
        FormulaError: for a vector function; it says what PyTorch has. For a module as well.
    """
    if isinstance(function, torch.nn.Module):
        raise FormulaError(
            f"{type(function).__name__} is a module and no function: limen.torch.equivalent(module)"
            " gives limen's in its place, where there is one"
        )
    vector = VECTOR_FUNCTIONS.get(function) if isinstance(function, str) else function
    if isinstance(vector, VectorFunction):
        module = vector.name.title().replace("_", "")
        raise FormulaError(
            f"{vector.name} looks at a whole dimension and is no function of single neurons: take "
            f"torch.nn.{module}(dim=-1)"
        )
    return resolve(function, **parameters)


def check_module(who: str, model: object) -> None:
    """Refuses what is no module."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"{who}: expected a torch.nn.Module, given {model!r}")


@torch.compiler.assume_constant_result  # a compiler reads neither names nor formulas
def _called(function: Named) -> tuple[tuple[str, ...], str]:
    """The names of a function's inputs, and its text."""
    found = meant(function)
    return found.inputs, key_of(found)


def admitted(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Tensors as users have them, brought to one shape and a dtype that limen computes with."""
    if len(inputs) > 1:
        return _together(inputs)
    (x,) = inputs
    is_plain = isinstance(x, Tensor) and x.dtype in DTYPES and x.layout is torch.strided
    return inputs if is_plain else [_floating(x)]


def _together(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Inputs of one dtype and one shape, by PyTorch's rules."""
    floating = [_floating(x) for x in inputs]
    dtype, device = floating[0].dtype, floating[0].device
    for x in floating[1:]:
        if x.device != device:
            raise DeviceError(
                f"the input is on {device}, and a parameter or the other input on {x.device}: "
                f'move the module, or that tensor, with .to("{device}")'
            )
        if x.dtype != dtype:
            dtype = torch.promote_types(dtype, x.dtype)
    alike = [x if x.dtype == dtype else x.to(dtype) for x in floating]
    try:
        return torch.broadcast_tensors(*alike)
    except RuntimeError:
        shapes = ", ".join(str(tuple(x.shape)) for x in alike)
        raise ShapeError(f"the shapes do not go together: {shapes}") from None


def _floating(x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise DtypeError(f"expected a tensor, got {type(x).__name__}: torch.as_tensor makes one")
    if x.layout is torch.jagged:
        raise DtypeError(
            "the input is a nested tensor; limen computes with dense tensors: take x.values(), and "
            "torch.nested.nested_tensor_from_jagged(y, x.offsets()) of the result"
        )
    if x.layout is not torch.strided:
        raise DtypeError(
            f"the input has layout {x.layout}; limen computes with dense tensors: take "
            "x.to_dense(), or the function of x.values() where it is 0 at 0"
        )
    if x.dtype in DTYPES:
        return x
    if x.is_complex() or x.is_floating_point():
        raise DtypeError(
            f"the input has dtype {x.dtype}; limen computes with float64, float32, float16 and "
            "bfloat16 (integers become the default dtype)"
        )
    return x.to(torch.get_default_dtype())
