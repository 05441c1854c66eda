"""A function as one kernel of a GPU, which PyTorch's jiterator compiles when it is first needed.

Step by step, a decomposition reads and writes the GPU's memory once for each of its twenty or more
operations. Printed as CUDA (see `decomposition`), it is one kernel, and so is a backward pass. The
arithmetic is the same: in float32 for float32 and the 16-bit formats, which are rounded once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from limen.decomposition.source import flow_source, value_source
from limen.function import ActivationFunction

__all__ = ["Jitted"]

_MOST = 8  # tensors that PyTorch's jiterator takes, and gives


class Jitted:
    """The kernels of a function, as PyTorch's jiterator has them.

    Args:
        function: the function.
    """

    __slots__ = ("_flows", "_function", "_is_proven", "_value")

    def __init__(self, function: ActivationFunction) -> None:
        self._function = function
        self._value: Callable[..., Any] | None = None
        self._flows: Callable[..., Any] | None = None
        self._is_proven: dict[Any, bool] = {}

    def value(self, inputs: Sequence[Tensor]) -> Tensor | None:
        """The function's value; None where there is no such kernel."""
        if self._value is None:
            self._value = _made(value_source(self._function), len(inputs), 1)
        out = self._run(self._value, inputs)
        return None if out is None else _like(inputs[0], out)

    def flows(self, grad_output: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor] | None:
        """The flow by each input; None where there is no such kernel."""
        if self._flows is None:
            self._flows = _made(flow_source(self._function), 1 + len(inputs), len(inputs))
        outs = self._run(self._flows, (grad_output, *inputs))
        if outs is None:
            return None
        outs = (outs,) if isinstance(outs, Tensor) else outs
        return [_like(x, out) for x, out in zip(inputs, outs, strict=True)]

    def _run(self, kernel: Callable[..., Any], tensors: Sequence[Tensor]) -> Any:
        """A kernel's result; what cannot be compiled is known from then on."""
        kind = kernel, tensors[0].dtype, tensors[0].device
        is_proven = self._is_proven.get(kind)
        if is_proven is False:
            return None
        given = [x.resolve_neg() for x in tensors]  # which the kernel would read as they lie
        if is_proven:
            return kernel(*given)
        try:
            result = kernel(*given)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._is_proven[kind] = False
            warnings.warn(
                f"{self._function.name} has no kernel of its own on {tensors[0].device}, and runs "
                f"there step by step, which is slower: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        if result is not None and tensors[0].numel():  # for none, nothing is compiled
            self._is_proven[kind] = True
        return result


def _made(source: str, inputs: int, outputs: int) -> Callable[..., Any]:
    if inputs > _MOST:

        def refused(*_: Tensor) -> None:
            raise RuntimeError(f"PyTorch compiles kernels of at most {_MOST} tensors")

        return refused
    from torch.cuda import jiterator

    if outputs == 1:
        return jiterator._create_jit_fn(source)
    return jiterator._create_multi_output_jit_fn(source, outputs)


def _like(x: Tensor, out: Tensor) -> Tensor:
    """The result in the memory format of an input, in which it nearly always is."""
    if x.is_contiguous() and out.is_contiguous():
        return out
    strides = torch.empty_like(x, device="meta").stride()
    return out if out.stride() == strides else torch.empty_like(x).copy_(out)
