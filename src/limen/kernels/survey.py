"""A formula with its numbers put in, looked at from many points: its values, and what they lose."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.formula.analysis import digits
from limen.formula.expression import Expression, bind, walk
from limen.formula.operations import OPERATIONS
from limen.kernels.rounding import leaves_range, loss, values

__all__ = [
    "CHEAP",
    "DEAR",
    "DISASTROUS",
    "GROSS",
    "KERNELS",
    "NOTHING",
    "Array",
    "Survey",
    "Working",
]

Array = npt.NDArray[np.float64]

DEAR = 2.0**12
"""A kernel does something about it where rounding costs this many units of 2^-53: float64 has 29
bits more than float32, and a pair of float64 about 11 more than float64."""

CHEAP = 2.0**6
"""What a form that is put in the place of another may cost."""

DISASTROUS = 2.0**20
"""From here on a loss shows in float32."""

NOTHING = 1e-290
"""Below this float64 itself has fewer digits, or soon will."""

# What is made of these alone is a sum or product of inputs, exact enough beside plain roots.
_RATIONAL = {
    "add", "multiply", "divide", "where", "minimum", "maximum", "clip", "abs", "sign", "input",
    "parameter", "constant",
}  # fmt: skip

_CHOICES = {"where", "minimum", "maximum", "clip", "abs", "sign", "sqrt"}


_OFF = DISASTROUS * 2.0**-53
_BITS = (1100, 2400)  # what is larger than `NOTHING` shows beside 1; twice, for certainty

GROSS = 2.0**-8
"""A value that is so far off, relative to it, has lost what matters."""


@dataclass(frozen=True)
class Working:
    """What a formula is computed in: the bits of a step, and how much of them may be lost.

    Attributes:
        name: what is remembered is filed under it.
        dtype: what each step is rounded to.
        steps: what is computed for a formula.
        dear: something is done about it where rounding costs so many units of the last place.
        cheap: what a form that is put in the place of another may cost.
        wide: a series that is needed serves as far as rounding costs more than this.
        guarded: the limit takes the place of NaN where the input is larger than this.
        serves_roots: whether it has series beside plain roots other than 0, for the last digits.
    """

    name: str
    dtype: type[np.floating[Any]]
    steps: Callable[[Expression], Expression]
    dear: float
    cheap: float
    wide: float
    guarded: float
    serves_roots: bool

    @property
    def nothing(self) -> float:
        """What is smaller may be 0 as well."""
        return max(NOTHING, float(np.finfo(self.dtype).tiny))


KERNELS = Working(
    "", np.float64, lambda formula: formula, DEAR, CHEAP, DEAR, guarded=2.0**8, serves_roots=True
)
"""float64, as kernels compute for float32; pairs of float64 have the same windows."""


@dataclass
class Survey:
    """A formula of one input, for one set of parameters.

    Attributes:
        formula: its stable form.
        x: the name of its input.
        parameters: the values of its parameters.
        working: what it is computed in.
    """

    formula: Expression
    x: str
    parameters: Mapping[str, float]
    working: Working = KERNELS
    _known: dict[tuple[float, int], Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def expression(self) -> Expression:
        """The formula with its parameters bound."""
        return bind(self.formula, self.parameters)

    def at(self, points: Array) -> Array:
        """The values in float64."""
        return values(self.expression, {self.x: points})

    def loss(self, points: Array) -> Array:
        """What is lost at each point; nothing where the value is next to nothing."""
        size = np.abs(self.at(points))
        lost = self.loss_of(self.expression, points)
        return np.where((size > 0) & (size < NOTHING), 0.0, lost)

    def loss_of(self, form: Expression, points: Array) -> Array:
        """What a form loses at each point; all where a step has left the range of numbers."""
        lost = loss(self.working.steps(form), {self.x: points})
        lost = np.where(self._strays(form, points), np.inf, lost)
        if self.working.dtype is np.float64:
            return lost
        tiny = float(np.finfo(self.working.dtype).tiny)
        with np.errstate(all="ignore"):
            exact = self.stored(form, points)
            off = np.abs(self.computed(form, points) - exact)
            is_off = ~(off <= GROSS * np.abs(exact) + tiny) & np.isfinite(exact)
        return np.where(is_off, np.inf, lost)

    def _strays(self, form: Expression, points: Array) -> npt.NDArray[np.bool_]:
        """Where a step has left the range of float64, and the value is another for that.

        Asked at inputs of 24 bits, whose products are exact: what rounding does is for `loss`.
        """
        points = points.astype(np.float32).astype(float)
        has_left = leaves_range(form, {self.x: points})
        found: npt.NDArray[np.bool_] = np.zeros(points.shape, bool)
        if np.any(has_left):
            at = values(form, {self.x: points}, flushes=True)
            is_number = np.isfinite(values(form, {self.x: points}))
            for place in np.flatnonzero(has_left & is_number).tolist():
                found[place] = self._differs(float(at[place]), float(points[place]))
        return found

    def is_infinite(self, point: float) -> bool:
        """Whether the value at a point is beyond float64, so that there is nothing to mend."""
        exact = self._exact(point, _BITS[0])
        return not abs(exact) < sys.float_info.max

    def _differs(self, computed: float, point: float) -> bool:
        """Whether a value is another than the formula's, where many digits tell that."""
        for bits in _BITS:
            exact = self._exact(point, bits)
            if not digits.context().isfinite(exact):
                return False
            size = _OFF * abs(exact) + NOTHING
            if abs(exact - computed) <= size:
                return False
        return bool(abs(self._exact(point, _BITS[0]) - exact) <= size)

    def _exact(self, point: float, bits: int) -> Any:
        """The value of the formula with so many bits at each step."""
        found = self._known.get((point, bits))
        if found is None:
            with digits.context().workprec(bits):
                found = self._known[point, bits] = digits.value(self.expression, point)
        return found

    def stored(self, form: Expression, points: Array) -> Array:
        """The values of a form in float64, rounded once."""
        with np.errstate(all="ignore"):
            return values(form, {self.x: points}).astype(self.working.dtype).astype(float)

    def computed(self, form: Expression, points: Array) -> Array:
        """The values of a form of the formula as its steps give them."""
        return values(self.working.steps(form), {self.x: points}, self.working.dtype)

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
