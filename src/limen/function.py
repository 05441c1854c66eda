"""ActivationFunction: the object people hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from limen import display, memory
from limen.binding import BY, Binding
from limen.errors import FormulaError, LimenError, ShapeError, TooLongError, UnknownNameError
from limen.formula.budget import MOST_WORK, within_budget
from limen.formula.definition import Definition, check_default
from limen.formula.derive import derivative
from limen.formula.expression import Expression, apply, constant, input_, parameter
from limen.formula.show import to_latex, to_text
from limen.formula.stabilize import canonical
from limen.formula.trace import Traced, compose
from limen.kernels.arrays import (
    FLOATS,
    Array,
    as_input,
    kernel_dtype,
    output,
    together,
)
from limen.launchers import Launchers
from limen.properties import Properties

__all__ = ["ActivationFunction", "AtKinks"]

_SHOWN = 60  # characters of a name in an error

AtKinks = float | Mapping[float, float] | None
"""The derivative at kinks: None for the formula's own, one number for all, or one for each."""


class ActivationFunction(Properties):
    """An activation function: callable, differentiable, printable.

    Make one with `limen.activation`, fetch one with `limen.get`. It never changes.

    Attributes:
        name: what it is called.
        inputs: `("x",)`, or `("gate", "value")` for a gated function.
        parameters: the value of each parameter, by name.
        at_kinks: the derivative chosen at kinks, None for the formula's own.

    Example:
        >>> import limen
        >>> silu = limen.get("silu")
        >>> silu([-1.0, 0.0, 1.0])
        array([-0.26894142,  0.        ,  0.73105858])
        >>> silu.backward(1.0, [-1.0, 0.0, 1.0])
        array([0.07232949, 0.5       , 0.92767051])
        >>> silu.derivative().formula
        'sigmoid(x) * (1 + x * sigmoid(-x))'
    """

    def __init__(
        self,
        definition: Definition,
        *,
        at_kinks: AtKinks = None,
        surrogate: ActivationFunction | None = None,
        relatives: dict[Any, Any] | None = None,
    ) -> None:
        self._definition = definition
        self._surrogate = surrogate
        self._binding = Binding(self, relatives)
        self._launchers = Launchers(self._binding)
        self.at_kinks = _checked_kinks(at_kinks)

    # --- What it is ----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What it is called."""
        return self._definition.name

    @property
    def definition(self) -> Definition:
        """The formula with its inputs and parameters, as other formulas use it."""
        return self._definition

    @property
    def expression(self) -> Expression:
        """The formula as it was given."""
        return self._definition.expression

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self._definition.inputs

    @property
    def parameters(self) -> dict[str, float]:
        """The value of each parameter."""
        return dict(self._definition.parameters)

    @property
    def is_gated(self) -> bool:
        """Whether it takes a gate and a value (or learnable parameters as further inputs)."""
        return len(self.inputs) > 1

    @cached_property
    def formula(self) -> str:
        """The formula as text that `limen.activation` reads."""
        return to_text(self.expression)

    @cached_property
    def latex(self) -> str:
        """The formula in LaTeX."""
        return to_latex(self.expression)

    def __repr__(self) -> str:
        return display.as_text(self)

    def _repr_latex_(self) -> str:
        return display.as_latex(self)

    def _repr_html_(self) -> str:
        return display.as_html(self)

    def plot(self, axes: Any = None) -> Any:
        """Draws the function with its derivative (needs matplotlib: `limen[plot]`).

        Args:
            axes: matplotlib axes to draw on; new ones if left out.

        Returns:
            The axes.
        """
        from limen import picture

        return picture.plot(self, axes)

    def _key(self) -> tuple[Any, ...]:
        kinks = self.at_kinks
        chosen = tuple(sorted(kinks.items())) if isinstance(kinks, Mapping) else kinks
        return self.name, self.expression, tuple(self.parameters.items()), chosen, self._surrogate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActivationFunction) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        """Kernels and caches stay behind: the formula says it all."""
        return _restored, (self._definition, self.at_kinks, self._surrogate)

    # --- Value and gradient --------------------------------------------------------------

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
        if out is not None and _share_memory(targets):
            return None
        is_done = self._launchers.quick_backward(grad_output, *inputs, *targets)
        return tuple(targets) if is_done else None

    def derivative(self, by: int | str = 1) -> ActivationFunction:
        """The derivative, an activation function like any other.

        Args:
            by: the order of the derivative by `x`, or the name of an input or parameter.

        Raises:
            FormulaError: for a negative order, or an order for a gated function.
            TooLongError: where the derivative grows beyond what limen rewrites in some 15 seconds;
                it names the highest order that works.
            UnknownNameError: for a name that is neither an input nor a parameter.
        """
        if isinstance(by, str):
            source = self if by in self.parameters else self._surrogate or self
            return self._derived(source, self.slope(by), f"{self.name} by {by}")
        if self.is_gated:
            raise FormulaError(f"{self.name} has two inputs: derivative('gate') or ('value')")
        if by < 0:
            raise FormulaError(f"the order of a derivative is 0 or more, got {by}")
        found = self
        with within_budget():
            for order in range(1, by + 1):
                source = found._surrogate or found
                try:
                    slope = found.slope(self.inputs[0])
                except TooLongError as error:
                    raise error if order == 1 else _too_long(self.name, order) from None
                found = found._derived(source, slope, self.name + "'" * order)
        return found

    # --- Variants ------------------------------------------------------------------------

    def with_parameters(self, **parameters: float) -> ActivationFunction:
        """The same function with other values of its parameters."""
        unknown = set(parameters) - set(self.parameters)
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise UnknownNameError(
                f"{self.name} has no parameter {sorted(unknown)[0]!r}; it has: {known}"
            )
        values = {n: check_default(n, v) for n, v in parameters.items()}
        definition = Definition(self.name, self.inputs, self.parameters | values, self.expression)
        return ActivationFunction(
            definition,
            at_kinks=self.at_kinks,
            surrogate=self._surrogate,
            # One number for all kinks: where they are may depend on the parameters.
            relatives=None if isinstance(self.at_kinks, float) else self._binding.relatives,
        )

    def with_kinks(self, at_kinks: AtKinks) -> ActivationFunction:
        """The same function with another choice of the derivative at kinks."""
        return ActivationFunction(self._definition, at_kinks=at_kinks, surrogate=self._surrogate)

    def surrogate(self, other: ActivationFunction | str) -> ActivationFunction:
        """The same function with another function's derivative in the backward pass.

        Args:
            other: a function of one input, or the name of one.
        """
        if isinstance(other, str):
            from limen.registry import resolve

            other = resolve(other)
        if other.inputs != self.inputs:
            raise FormulaError(f"{other.name} has inputs {other.inputs}, not {self.inputs}")
        return ActivationFunction(self._definition, at_kinks=self.at_kinks, surrogate=other)

    @property
    def surrogate_function(self) -> ActivationFunction | None:
        """The function whose derivative the backward pass takes, if it is another's."""
        return self._surrogate

    def _derived(
        self, source: ActivationFunction, slope: Expression, name: str
    ) -> ActivationFunction:
        """A derivative as a function: of the parameters of the function it was derived from."""
        definition = Definition(name, self.inputs, source.parameters, slope)
        return ActivationFunction(definition, relatives=source._binding.relatives_of(name))

    def slope(self, name: str) -> Expression:
        """The derivative by an input or parameter, with the choices at kinks in it."""
        if self._surrogate is not None and name in self.inputs:
            return self._surrogate.slope(name)
        if name in self.inputs:
            leaf = input_(name)
        elif name in self.parameters:
            leaf = parameter(name)
        else:
            raise UnknownNameError(f"{self.name} has neither input nor parameter {name!r}")
        slope = canonical(derivative(canonical(self.expression), leaf))
        if name in self.inputs:
            for point, value in self._kink_values().items():
                is_there = apply("equal", leaf, constant(point))
                slope = apply("where", is_there, constant(value), slope)
        return slope

    def _kink_values(self) -> dict[float, float]:
        if self.at_kinks is None:
            return {}
        if isinstance(self.at_kinks, Mapping):
            return dict(self.at_kinks)
        kinks = self.kinks
        if not isinstance(kinks, tuple):
            raise LimenError(
                f"the kinks of {self.name} are {kinks!r}: pass a mapping {{point: derivative}}"
            )
        return dict.fromkeys(kinks, self.at_kinks)

    # --- Kernels -------------------------------------------------------------------------

    def source(self, direction: str = "forward", dtype: str = "float32") -> str:
        """The source of the kernel, as it is compiled.

        Args:
            direction: "forward" or "backward".
            dtype: "float64", "float32", "float16" or "bfloat16".
        """
        from limen.kernels.printer import DTYPES

        if direction not in ("forward", "backward") or dtype not in DTYPES:
            raise UnknownNameError(
                f"no {direction!r} kernel for {dtype!r}: forward or backward, {', '.join(DTYPES)}"
            )
        return self._binding.source(direction, dtype)

    # --- Arrays --------------------------------------------------------------------------

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


def _too_long(name: str, order: int) -> TooLongError:
    return TooLongError(
        f"the derivative of order {order} is too long, of {name[:_SHOWN]}: rewriting it and those "
        f"before it takes more than {MOST_WORK:,} steps; orders up to {order - 1} work"
    )


def _share_memory(arrays: Sequence[Any]) -> bool:
    """Whether what is written to one array could overwrite another."""
    return any(np.shares_memory(a, b) for a, b in combinations(arrays, 2))


def _fresh(inputs: tuple[Any, ...]) -> Array | None:
    """An output for the quick way; None where a result must be more than a plain array."""
    first = inputs[0] if inputs else None
    if type(first) is np.ndarray and first.ndim and kernel_dtype(first) in FLOATS:
        return memory.empty_like(first)
    return None


def _restored(
    definition: Definition, at_kinks: AtKinks, surrogate: ActivationFunction | None
) -> ActivationFunction:
    return ActivationFunction(definition, at_kinks=at_kinks, surrogate=surrogate)


def _checked_kinks(at_kinks: AtKinks) -> float | dict[float, float] | None:
    if at_kinks is None:
        return None
    if isinstance(at_kinks, Mapping):
        return {
            check_default("at_kinks", p): check_default("at_kinks", v) for p, v in at_kinks.items()
        }
    return check_default("at_kinks", at_kinks)
