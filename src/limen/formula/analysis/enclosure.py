"""The bounds of a whole formula over a stretch of its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from limen.formula.analysis import interval
from limen.formula.expression import Expression, walk

__all__ = ["Enclosure"]


class Enclosure:
    """The interval extension of a formula, flattened once for many evaluations.

    Args:
        expression: a formula; every input stands for the same variable, parameters are replaced.

    Example:
        >>> from limen.formula.expression import apply, input_
        >>> low, high = Enclosure(apply("exp", input_("x")))(0.0, 1.0)
        >>> low <= 1.0 and 2.718281828459045 < high
        True
    """

    __slots__ = ("_fixed", "_steps", "size")

    def __init__(self, expression: Expression) -> None:
        slot: dict[Expression, int] = {}
        self._fixed: list[Any] = []
        self._steps: list[tuple[int, Callable[..., Any], tuple[int, ...]]] = []
        for node in walk(expression):
            slot[node] = index = len(slot)
            self._fixed.append(None)
            if node.operation == "constant":
                self._fixed[index] = interval.of_fraction(node.payload)
            elif node.operation == "input":
                self._steps.append((index, _INPUT, ()))
            else:
                function = interval.FUNCTIONS[node.operation]
                places = tuple(slot[a] for a in node.arguments)
                if node.operation == "multiply" and places[0] == places[1]:
                    function, places = interval.square, places[:1]
                self._steps.append((index, function, places))
        self.size = len(self._steps)
        """How many operations one evaluation takes."""

    def __call__(self, low: float, high: float) -> interval.Interval:
        """The bounds over [low, high]."""
        values = self._fixed.copy()
        for index, function, places in self._steps:
            if len(places) == 2:
                values[index] = function(values[places[0]], values[places[1]])
            elif len(places) == 1:
                values[index] = function(values[places[0]])
            elif function is _INPUT:
                values[index] = (low, high)
            else:
                values[index] = function(*(values[place] for place in places))
        result: interval.Interval = values[-1]
        return result


def _INPUT() -> None:  # marks the step that reads the variable  # noqa: N802
    raise AssertionError
