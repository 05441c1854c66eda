"""Value and gradient of an activation function: how arrays reach its kernels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import memory
from limen.binding import BY
from limen.errors import ShapeError
from limen.formula.definition import Definition
from limen.formula.trace import compose
from limen.formula.traced import Traced
from limen.kernels.arrays import FLOATS, Array, as_input, kernel_dtype, output, together
from limen.launchers import Launchers
from limen.properties import Properties

if TYPE_CHECKING:
    from limen.function import ActivationFunction

__all__ = ["Evaluation"]


class Evaluation(Properties):
    """The calls of a function: plain arrays go the quick way, everything else the long one."""

    _definition: Definition
    _launchers: Launchers

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""

    @abstractmethod
    def with_parameters(self, **parameters: float) -> ActivationFunction:
        """The same function with other values of its parameters."""

    def __call__(self, *inputs: Any, out: Array | None = None, **parameters: Any) -> Any:
        """The function's value, element by element.

        Args:
            *inputs: one array (two for a gated function) of any shape and layout, of float64,
                float32, float16 or bfloat16; numbers, lists and integer arrays become float64.
            out: where to write; the input itself is allowed.
            **parameters: other values of parameters, for this call.

        Returns:
            An array of the input's shape, dtype and memory order; a scalar for a scalar.

        Raises:
            DtypeError: for complex, object and text data, or an `out` of another dtype.
            ShapeError: for an `out` of another shape.
        """
        fresh = _fresh(inputs) if out is None and not parameters else None
        if not parameters:
            target = fresh if out is None else out
            if self._launchers.quick_forward(*inputs, target):
                return target
        if Traced in map(type, (*inputs, *parameters.values())):
            return compose(self._definition, inputs, parameters)
        if parameters:
            return self.with_parameters(**parameters)(*inputs, out=out)
        arrays = self._admitted(inputs)
        result = output(out, arrays[0], fresh)
        if not self._launchers.quick_forward(*arrays, result):
            self._launchers.launcher("forward", kernel_dtype(result)).run(arrays, [result])
        return result if out is not None or result.ndim else result[()]

    def backward(
        self, grad_output: Any, *inputs: Any, out: Any = None, parameters: bool = False
    ) -> Any:
        """Hands the learning flow on: grad_output * f'(input), element by element.

        Args:
            grad_output: the gradient of the loss by the function's value; a number or an array
                that broadcasts to the input's shape.
            *inputs: what the function was called with.
            out: where to write (a pair for a gated function); `grad_output` itself is allowed.
            parameters: whether to return the gradients by the parameters as well.

        Returns:
            The gradient by the input, shaped like it (a pair for a gated function). With
            `parameters`, that and a dictionary of one float for each parameter: the sum over all
            elements, in an order that depends on neither threads nor layout.

        Raises:
            DtypeError: for data limen does not compute with, or an `out` of another dtype.
            ShapeError: for shapes that do not fit.
        """
        fresh = _fresh(inputs) if out is None and not self.is_gated else None
        if not parameters and not self.is_gated:
            target = fresh if out is None else out
            if self._launchers.quick_backward(grad_output, *inputs, target):
                return target
        elif not parameters and (flows := self._quick_flows(grad_output, inputs, out)):
            return flows
        arrays = self._admitted(inputs)
        first = arrays[0]
        flow = self._admitted_flow(grad_output, first)
        given = out if isinstance(out, tuple | list) else (out,)
        if out is None:
            given *= len(arrays)
        if len(given) != len(arrays) or (out is not None and _share_memory(given)):
            wanted = f"{len(arrays)} arrays, one for each input, apart in memory"
            raise ShapeError(f"out must be {wanted}")
        results = [output(o, first, fresh) for o in given]
        names = list(self.parameters) if parameters else []
        sums: list[float] = []
        if names or not self._launchers.quick_backward(flow, *arrays, *results):
            dtype = kernel_dtype(first)
            terms = [self._launchers.launcher(f"{BY}{name}", dtype) for name in names]
            sums = self._launchers.launcher("backward", dtype).run([flow, *arrays], results, terms)
        found = [r if out is not None or r.ndim else r[()] for r in results]
        grad_input = tuple(found) if self.is_gated else found[0]
        return (grad_input, dict(zip(names, sums, strict=True))) if parameters else grad_input

    def _quick_flows(
        self, grad_output: Any, inputs: tuple[Any, ...], out: Any
    ) -> tuple[Array, ...] | None:
        """The quick way of a gated function's backward pass; None for all that is not plain."""
        targets = [_fresh(inputs) for _ in self.inputs] if out is None else out
        if not isinstance(targets, tuple | list) or len(targets) != len(inputs):
            return None
        is_done = self._launchers.quick_backward(grad_output, *inputs, *targets)
        return tuple(targets) if is_done else None

    def _admitted(self, inputs: tuple[Any, ...]) -> list[Array]:
        if len(inputs) != len(self.inputs):
            raise TypeError(
                f"{self.name} takes {' and '.join(self.inputs)}: {len(self.inputs)} "
                f"array{'s' * self.is_gated}, got {len(inputs)}"
            )
        arrays = [as_input(a, n) for a, n in zip(inputs, self.inputs, strict=True)]
        return together(arrays, self.inputs)

    def _admitted_flow(self, grad_output: Any, like: Array) -> Array:
        flow = as_input(grad_output, "grad_output").astype(like.dtype, copy=False)
        if flow.shape == like.shape:
            return flow
        spread = memory.empty_like(like)
        try:
            np.copyto(spread, flow)
            return spread
        except ValueError:
            raise ShapeError(
                f"grad_output has shape {flow.shape}, the input of {self.name} has {like.shape}"
            ) from None


def _share_memory(arrays: Sequence[Any]) -> bool:
    """Whether what is written to one array could overwrite another."""
    return any(np.shares_memory(a, b) for a, b in combinations(arrays, 2))


def _fresh(inputs: tuple[Any, ...]) -> Array | None:
    """An output for the quick way; None where a result must be more than a plain array."""
    first = inputs[0] if inputs else None
    if type(first) is np.ndarray and first.ndim and kernel_dtype(first) in FLOATS:
        return memory.empty_like(first)
    return None
