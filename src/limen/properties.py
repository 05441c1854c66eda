"""What can be known of an activation function, and how it shows itself."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from limen.formula.answers import UNKNOWN, Endless, Extremum, Range, Stretch, Unknown
from limen.formula.expression import Expression, constant, parameter, substitute

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Properties"]


class Properties:
    """The analysis of a function of one input, each property worked out when it is asked for.

    A property is exact, or says what it is not: None where there is none, `limen.UNKNOWN` where
    it could not be decided. A gated function's are all unknown.
    """

    expression: Expression
    parameters: Mapping[str, float]
    is_gated: bool

    @cached_property
    def bound_expression(self) -> Expression:
        """The formula with the values of the parameters in it."""
        values = {parameter(n): constant(v) for n, v in self.parameters.items()}
        return substitute(self.expression, values)

    def _analysis(self, what: str) -> Any:
        if self.is_gated:
            return UNKNOWN
        from limen.formula import analyze

        return getattr(analyze, what)(self.bound_expression)

    @cached_property
    def kinks(self) -> tuple[float, ...] | Unknown | Endless:
        """The points where the value or the derivative jumps."""
        return self._analysis("kinks")

    @cached_property
    def limits(self) -> tuple[float | Unknown | None, float | Unknown | None]:
        """The limits at -inf and at +inf."""
        return (UNKNOWN, UNKNOWN) if self.is_gated else self._analysis("limits")

    @cached_property
    def range(self) -> Range | Unknown:
        """The smallest interval that holds every value."""
        return self._analysis("range")

    @cached_property
    def roots(self) -> tuple[float | Stretch, ...] | Unknown | Endless:
        """Where the function is zero."""
        return self._analysis("roots")

    @cached_property
    def extrema(self) -> tuple[Extremum, ...] | Unknown | Endless:
        """The local minima and maxima."""
        return self._analysis("extrema")

    @cached_property
    def is_monotonic(self) -> bool | Unknown:
        """Whether it never turns."""
        return self._analysis("is_monotonic")

    @cached_property
    def lipschitz(self) -> float | Unknown:
        """The largest slope in size; inf where it is unbounded or the value jumps."""
        return self._analysis("lipschitz")

    @cached_property
    def is_bounded(self) -> bool | Unknown:
        """Whether all values lie between two numbers."""
        return self._analysis("is_bounded")
