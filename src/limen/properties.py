"""What can be known of an activation function, and how it shows itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

from limen.formula.analysis import analyze
from limen.formula.analysis.answers import UNKNOWN, Endless, Extremum, Range, Stretch, Unknown
from limen.formula.expression import Expression, bind

__all__ = ["Properties"]


class Properties(ABC):
    """The analysis of a function of one input, each property worked out when it is asked for.

    A property is exact, or says what it is not: None where there is none, `limen.UNKNOWN` where
    it could not be decided. A gated function's are all unknown.
    """

    @property
    @abstractmethod
    def expression(self) -> Expression:
        """The formula as it was given."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, float]:
        """The value of each parameter."""

    @property
    @abstractmethod
    def is_gated(self) -> bool:
        """Whether it takes a gate and a value."""

    @cached_property
    def bound_expression(self) -> Expression:
        """The formula with the values of the parameters in it."""
        return bind(self.expression, self.parameters)

    @cached_property
    def kinks(self) -> tuple[float, ...] | Unknown | Endless:
        """The points where the value or the derivative jumps."""
        return UNKNOWN if self.is_gated else analyze.kinks(self.bound_expression)

    @cached_property
    def limits(self) -> tuple[float | Unknown | None, float | Unknown | None]:
        """The limits at -inf and at +inf."""
        return (UNKNOWN, UNKNOWN) if self.is_gated else analyze.limits(self.bound_expression)

    @cached_property
    def range(self) -> Range | Unknown:
        """The smallest interval that holds every value."""
        return UNKNOWN if self.is_gated else analyze.range(self.bound_expression)

    @cached_property
    def roots(self) -> tuple[float | Stretch, ...] | Unknown | Endless:
        """Where the function is zero."""
        return UNKNOWN if self.is_gated else analyze.roots(self.bound_expression)

    @cached_property
    def extrema(self) -> tuple[Extremum, ...] | Unknown | Endless:
        """The local minima and maxima."""
        return UNKNOWN if self.is_gated else analyze.extrema(self.bound_expression)

    @cached_property
    def is_monotonic(self) -> bool | Unknown:
        """Whether it never turns."""
        return UNKNOWN if self.is_gated else analyze.is_monotonic(self.bound_expression)

    @cached_property
    def lipschitz(self) -> float | Unknown:
        """The largest slope in size; inf where it is unbounded or the value jumps."""
        return UNKNOWN if self.is_gated else analyze.lipschitz(self.bound_expression)

    @cached_property
    def is_bounded(self) -> bool | Unknown:
        """Whether all values lie between two numbers."""
        return UNKNOWN if self.is_gated else analyze.is_bounded(self.bound_expression)
