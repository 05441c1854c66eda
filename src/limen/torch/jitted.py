"""A function as one kernel of a GPU, which PyTorch's jiterator compiles when it is first needed.

Step by step, a decomposition reads and writes the GPU's memory once for each of its twenty or more
operations. Printed as CUDA (see `decomposition`), it is one kernel, and so is a backward pass. The
arithmetic is the same: in float32 for float32 and the 16-bit formats, which are rounded once.

The jiterator is no promised part of PyTorch. A kernel is therefore used only once it has agreed, on
its device, with the steps that it was printed from.
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
# Where kernel and steps are compared, and how: what is wrong is wrong by more than this.
_ENDS, _POINTS = 8.0, 161
_RTOL, _ATOL = 0.02, 1e-4

Steps = Callable[..., Any]


class Jitted:
    """The kernels of a function, as PyTorch's jiterator has them.

    Args:
        function: the function.
        value_by_steps: computes its value of a sequence of inputs step by step.
        flows_by_steps: the same of what comes in and the inputs, for its flows.
    """

    __slots__ = (
        "_flows",
        "_flows_by_steps",
        "_function",
        "_is_proven",
        "_value",
        "_value_by_steps",
    )

    def __init__(
        self, function: ActivationFunction, value_by_steps: Steps, flows_by_steps: Steps
    ) -> None:
        self._function = function
        self._value_by_steps, self._flows_by_steps = value_by_steps, flows_by_steps
        self._value: Callable[..., Any] | None = None
        self._flows: Callable[..., Any] | None = None
        self._is_proven: dict[Any, bool] = {}

    def value(self, inputs: Sequence[Tensor]) -> Tensor | None:
        """The function's value; None where there is no such kernel."""
        if self._value is None:
            self._value = _made(value_source(self._function), len(inputs), 1)
        out = self._run(self._value, inputs, lambda *xs: self._value_by_steps(self._function, xs))
        return None if out is None else _like(inputs[0], out)

    def flows(self, grad_output: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor] | None:
        """The flow by each input; None where there is no such kernel."""
        if self._flows is None:
            self._flows = _made(flow_source(self._function), 1 + len(inputs), len(inputs))
        outs = self._run(
            self._flows,
            (grad_output, *inputs),
            lambda flow, *xs: self._flows_by_steps(self._function, flow, xs),
        )
        if outs is None:
            return None
        return [_like(x, out) for x, out in zip(inputs, _many(outs), strict=True)]

    def _run(self, kernel: Callable[..., Any], tensors: Sequence[Tensor], steps: Steps) -> Any:
        """A kernel's result; None where it cannot be compiled or computes something else."""
        first = tensors[0]
        kind = kernel, first.dtype, first.device
        if kind not in self._is_proven:
            if not first.numel() or (first.is_cuda and torch.cuda.is_current_stream_capturing()):
                return None  # nothing can be compiled while a graph is captured
            self._is_proven[kind] = self._agree(kernel, steps, first, len(tensors))
        if not self._is_proven[kind]:
            return None
        return kernel(*[x.resolve_neg() for x in tensors])  # it would read them as they lie

    def _agree(self, kernel: Callable[..., Any], steps: Steps, like: Tensor, count: int) -> bool:
        """Whether a kernel computes what the steps do, on some numbers; says so if not."""
        points = torch.linspace(-_ENDS, _ENDS, _POINTS, device=like.device).to(like.dtype)
        given = [points.roll(17 * k) for k in range(count)]
        try:
            found, expected = kernel(*given), steps(*given)
            pairs = zip(_many(found), _many(expected), strict=True)
            if all(torch.allclose(a, b, _RTOL, _ATOL, equal_nan=True) for a, b in pairs):
                return True
            cause: object = "PyTorch's jiterator computes something else"
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            cause = error
        warnings.warn(
            f"{self._function.name} has no kernel of its own on {like.device}, and runs there step "
            f"by step, which is slower: {cause}",
            RuntimeWarning,
            stacklevel=2,
        )
        return False


def _many(found: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [found] if isinstance(found, Tensor) else found


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
