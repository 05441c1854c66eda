"""A formula with its numbers put in, looked at from many points: its values, and what they lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from limen.formula.expression import Expression, bind, walk
from limen.formula.operations import OPERATIONS
from limen.kernels.rounding import loss, values

__all__ = ["CHEAP", "DEAR", "DISASTROUS", "Array", "Survey"]

Array = npt.NDArray[np.float64]

DEAR = 2.0**12
"""A kernel does something about it where rounding costs this many units of 2^-53: float64 has 29
bits more than float32, and a pair of float64 about 11 more than float64."""

CHEAP = 2.0**6
"""What a form that is put in the place of another may cost."""

DISASTROUS = 2.0**20
"""From here on a loss shows in float32."""

_NEXT_TO_NOTHING = 1e-290  # below this float64 itself has fewer digits

# What is made of these alone is a sum or product of inputs, exact enough beside plain roots.
_RATIONAL = {
    "add", "multiply", "divide", "where", "minimum", "maximum", "clip", "abs", "sign", "input",
    "parameter", "constant",
}  # fmt: skip

_CHOICES = {"where", "minimum", "maximum", "clip", "abs", "sign", "sqrt"}


@dataclass
class Survey:
    """A formula of one input, for one set of parameters.

    Attributes:
        formula: its stable form.
        x: the name of its input.
        parameters: the values of its parameters.
    """

    formula: Expression
    x: str
    parameters: Mapping[str, float]

    @cached_property
    def expression(self) -> Expression:
        """The formula with its parameters bound."""
        return bind(self.formula, self.parameters)

    def at(self, points: Array) -> Array:
        """The values in float64."""
        return values(self.expression, {self.x: points})

    def loss(self, points: Array) -> Array:
        """What is lost at each point; nothing where the value is next to nothing."""
        lost = loss(self.expression, {self.x: points})
        size = np.abs(self.at(points))
        return np.where((size > 0) & (size < _NEXT_TO_NOTHING), 0.0, lost)

    @cached_property
    def rounds(self) -> bool:
        """Whether values are rounded where sums and products of inputs would be exact."""
        return any(map(_rounds, walk(self.expression)))

    @cached_property
    def chooses(self) -> bool:
        """Whether it may be another formula on either side of a point."""
        return any(map(_chooses, walk(self.expression)))


def _rounds(node: Expression) -> bool:
    if not node.varies or node.operation in _RATIONAL:
        return False
    if node.operation == "power" and node.arguments[1].is_constant:
        return bool(node.arguments[1].payload.denominator != 1)
    return not OPERATIONS[node.operation].is_comparison


def _chooses(node: Expression) -> bool:
    if node.operation == "power":
        exponent = node.arguments[1]
        return not (exponent.is_constant and exponent.payload.denominator == 1)
    return node.operation in _CHOICES
