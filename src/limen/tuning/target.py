"""What is fitted: a function of one number in float64, its symmetry and its roots."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.formula.expression import size, walk
from limen.formula.operations import COMPARISONS
from limen.function import ActivationFunction

__all__ = ["Reals", "Target", "spacing", "worst_factors"]

Reals = NDArray[np.float64]

# Dense near 0, out to where windows end; the ends are no numbers that functions like to be 0 at.
_GRID = np.sinh(np.linspace(-4.0001, 4.0002, 4003))

# What a kernel does in an instruction or two; and of so many, no table is cheaper.
_CHEAP = {
    "add", "multiply", "where", "minimum", "maximum", "clip", "abs", "sign", "input", "parameter",
    "constant", *COMPARISONS,
}  # fmt: skip
_FEW = 30

_SMOOTH = 4  # a jump of a higher one is below what a segment can be off


class Target:
    """A function as the fitter sees it.

    The float64 kernels, which compute in pairs, are within 2 units of the 53rd digit; that is
    exact next to what a float32 holds.
    """

    def __init__(self, function: ActivationFunction) -> None:
        self.function = function

    def __call__(self, x: Any) -> Reals:
        """The function's value."""
        value: Reals = self.function(np.asarray(x, np.float64))
        return value

    @property
    def is_cheap(self) -> bool:
        """Whether the general tier computes it in few instructions: straight pieces, say."""
        expression = self.function.expression
        return size(expression) <= _FEW and all(n.operation in _CHEAP for n in walk(expression))

    @cached_property
    def parity(self) -> str:
        """Whether the function is "even", "odd", or "none" of them."""
        x = np.geomspace(1e-6, 80.0, 997)
        right, left = self(x), self(-x)
        if np.array_equal(right, left, equal_nan=True):
            return "even"
        return "odd" if np.array_equal(right, -left, equal_nan=True) else "none"

    @cached_property
    def breaks_at_0(self) -> bool:
        """Whether one of the first derivatives jumps there, which no polynomial follows."""
        kinks = [self.function.derivative(order).kinks for order in range(_SMOOTH)]
        return any(isinstance(found, tuple) and 0.0 in found for found in kinks)

    @cached_property
    def roots(self) -> list[float]:
        """Where the function changes its sign, to the last digit of a float64."""
        values = self(_GRID)
        found = [0.0] if self(0.0) == 0 else []
        signs = np.sign(values)
        for k in np.flatnonzero((signs[:-1] * signs[1:]) < 0):
            if not (_GRID[k] < 0 < _GRID[k + 1] and found):
                found.append(self._bisected(_GRID[k], _GRID[k + 1]))
        return sorted(found)

    @cached_property
    def is_zero_unsigned(self) -> bool:
        """Whether it is 0 at -0: x + x**2 is, where x * (1 + x) is -0."""
        value = self(-0.0)
        return bool(value == 0 and not np.signbit(value))

    def _bisected(self, low: float, high: float) -> float:
        rises = self(high) > 0
        while low < (middle := (low + high) / 2) < high:
            if (self(middle) > 0) == rises:
                high = middle
            else:
                low = middle
        return high


def spacing(value: Reals) -> Reals:
    """The distance between the float32 numbers around a value."""
    _, exponent = np.frexp(value)
    found: Reals = np.ldexp(1.0, np.maximum(exponent - 24, -149))
    return found


def worst_factors(value: Reals, short: Reals | float) -> NDArray[np.float32]:
    """Factors whose products with a value are a power of two but for a little.

    There an error of the value counts most in ULP of the product: up to twice as many as elsewhere.

    Args:
        value: what is multiplied.
        short: by what share the products fall short of the power of two; 2**-22 or more.
    """
    mantissa, _ = np.frexp(value)
    with np.errstate(divide="ignore"):
        found = ((1 - short) / mantissa).astype(np.float32)
    return np.where(np.isfinite(found), found, np.float32(1))
