"""ActivationFunction: the object people hold."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from limen import display
from limen.binding import Binding
from limen.errors import FormulaError, LimenError, TooLongError, UnknownNameError
from limen.evaluation import Evaluation
from limen.formula.budget import MOST_WORK, within_budget
from limen.formula.definition import Definition, check_default
from limen.formula.derive import derivative
from limen.formula.expression import Expression, apply, constant, input_, parameter
from limen.formula.show import to_latex, to_text
from limen.formula.stabilize import canonical
from limen.launchers import Launchers

__all__ = ["ActivationFunction", "AtKinks"]

_SHOWN = 60  # characters of a name in an error

AtKinks = float | Mapping[float, float] | None
"""The derivative at kinks: None for the formula's own, one number for all, or one for each."""


class ActivationFunction(Evaluation):
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
        is_closed: bool = False,
    ) -> None:
        self._definition = definition
        self._surrogate = surrogate
        self._binding = Binding(self, relatives, is_closed=is_closed)
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
        is_closed = self._binding.is_closed
        return _restored, (self._definition, self.at_kinks, self._surrogate, is_closed)

    # --- Derivatives ---------------------------------------------------------------------

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
        by = _whole(by)
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
        """The same function with other values of its parameters.

        Raises:
            UnknownNameError: for a parameter that it has not.
            FormulaError: for a value that is no finite number.
        """
        unknown = set(parameters) - set(self.parameters)
        if unknown & set(self.inputs):
            raise TypeError(f"inputs are given by position: {self._definition.signature}")
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise UnknownNameError(
                f"{self.name} has no parameter {sorted(unknown)[0]!r}; it has: {known}"
            )
        values = {n: check_default(n, v) for n, v in parameters.items()}
        definition = Definition(self.name, self.inputs, self.parameters | values, self.expression)
        # One number for all kinks: where they are may depend on the parameters.
        is_one_of_many = bool(self.parameters) and not isinstance(self.at_kinks, float)
        return ActivationFunction(
            definition,
            at_kinks=self.at_kinks,
            surrogate=self._surrogate,
            relatives=self._binding.relatives if is_one_of_many else None,
        )

    def with_kinks(self, at_kinks: AtKinks) -> ActivationFunction:
        """The same function with another choice of the derivative at kinks."""
        return ActivationFunction(self._definition, at_kinks=at_kinks, surrogate=self._surrogate)

    def surrogate(self, other: ActivationFunction | str) -> ActivationFunction:
        """The same function with another function's derivative in the backward pass.

        Args:
            other: a function of one input, or the name of one.

        Raises:
            FormulaError: for a function of other inputs.
            TypeError: for what is no function.
        """
        if isinstance(other, str):
            from limen.registry import resolve

            other = resolve(other)
        if not isinstance(other, ActivationFunction):
            raise TypeError(f"surrogate: expected a function or the name of one, given {other!r}")
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
        binding = source._binding
        return ActivationFunction(
            definition, relatives=binding.relatives_of(name), is_closed=binding.is_closed
        )

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

        Raises:
            UnknownNameError: for another direction or dtype.
        """
        from limen.kernels.printer import DTYPES

        if direction not in ("forward", "backward") or dtype not in DTYPES:
            raise UnknownNameError(
                f"no {direction!r} kernel for {dtype!r}: forward or backward, {', '.join(DTYPES)}"
            )
        return self._binding.source(direction, dtype)


def _whole(order: Any) -> int:
    try:
        return operator.index(order)
    except TypeError:
        raise TypeError(
            f"derivative: expected its order, or the name of an input or parameter, given {order!r}"
        ) from None


def _too_long(name: str, order: int) -> TooLongError:
    return TooLongError(
        f"the derivative of order {order} is too long, of {name[:_SHOWN]}: rewriting it and those "
        f"before it takes more than {MOST_WORK:,} steps; orders up to {order - 1} work"
    )


def _restored(
    definition: Definition,
    at_kinks: AtKinks,
    surrogate: ActivationFunction | None,
    is_closed: bool = False,
) -> ActivationFunction:
    return ActivationFunction(
        definition, at_kinks=at_kinks, surrogate=surrogate, is_closed=is_closed
    )


def _checked_kinks(at_kinks: AtKinks) -> float | dict[float, float] | None:
    if at_kinks is None:
        return None
    if isinstance(at_kinks, Mapping):
        return {
            check_default("at_kinks", p): check_default("at_kinks", v) for p, v in at_kinks.items()
        }
    return check_default("at_kinks", at_kinks)
