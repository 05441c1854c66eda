"""The backward pass of a function from its output, and from which side of its extrema it was on.

Between two extrema a function never turns, so its output says where it was, and hence the slope.
The next layer keeps the output as well: it costs nothing. What it costs is digits: the output has
been rounded, and the slope is read off a table.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.function import ActivationFunction
from limen.torch import bits

__all__ = ["Inverse"]

_FAR = 32.0  # where the table ends: beyond, the slope of a function with limits is its limit
_STEPS = 512  # points of the table in a unit of x
_TRIED = 200_001  # points where the error is measured, few of them the table's own
_BESIDE = 4e-3  # of an extremum: there the rounding of the output costs most

Array = NDArray[Any]


class _Piece(NamedTuple):
    """A stretch without a turn, from an extremum or from far out.

    Attributes:
        turn: the value at the extremum; NaN without one. Beside it the slope goes as the root of
            the distance from that value, and so do the table's places.
        places: increasing.
        slopes: the derivative at each.
    """

    turn: float
    places: Array
    slopes: Array


class Inverse:
    """The slope of a function as a function of its output.

    Args:
        function: a function of one input.
    """

    keeps_output = True

    def __init__(self, function: ActivationFunction) -> None:
        self._function = function

    def is_possible(self) -> bool:
        """Whether it turns a few times only, and its slope has limits."""
        f = self._function
        if f.surrogate_function is not None or not isinstance(f.extrema, tuple):
            return False
        ends = (*f.derivative().limits, f.derivative().lipschitz)
        if f.kinks or not all(isinstance(end, float) and math.isfinite(end) for end in ends):
            return False
        return len(self._bounds) < bits.MOST

    @property
    def keeps_codes(self) -> bool:
        """Whether there is more than one piece."""
        return len(self._bounds) > 0

    @property
    def describes(self) -> str:
        """What is kept, and what it costs."""
        kept = "the output and 2 bits kept an element" if self.keeps_codes else "the output kept"
        return f"compact: {kept}, gradient within {self.error:.1g} of the largest slope"

    @cached_property
    def error(self) -> float:
        """The largest error of a slope in float32, as a share of the largest slope."""
        beside = [t + np.linspace(-_BESIDE, _BESIDE, _TRIED) for t in self._turns]
        x = np.concatenate([np.linspace(-_FAR - 1, _FAR + 1, _TRIED), *beside]).astype(np.float32)
        exact = self._function.derivative()(x.astype(np.float64))
        found = self._slopes(self.codes(x), self._function(x))
        return float(np.abs(found - exact).max() / np.abs(exact).max())

    @cached_property
    def _bounds(self) -> Array:
        """Where one piece ends and the next begins: extrema, and a place between any two."""
        turns = self._turns
        return np.sort([*turns, *(turns[:-1] + turns[1:]) / 2])

    @cached_property
    def _turns(self) -> Array:
        extrema = self._function.extrema
        return np.array([e.x for e in extrema]) if isinstance(extrema, tuple) else np.array([])

    @cached_property
    def _pieces(self) -> list[_Piece]:
        ends = [-_FAR, *self._bounds, _FAR]
        return [self._piece(a, b) for a, b in pairwise(ends)]

    def _piece(self, start: float, stop: float) -> _Piece:
        x = np.linspace(start, stop, int((stop - start) * _STEPS) + 2)
        turn = next((self._function(t) for t in (start, stop) if t in self._turns), math.nan)
        places = _places(self._function(x), turn)
        order = np.argsort(places, kind="stable")
        return _Piece(turn, places[order], self._function.derivative()(x)[order])

    def codes(self, x: Array) -> NDArray[np.uint8]:
        """Which piece each element is on."""
        return np.searchsorted(self._bounds, x.astype(np.float64)).astype(np.uint8)

    def hand_on(self, flow: Array, codes: NDArray[np.uint8], y: Array | None, out: Array) -> None:
        """The flow through the slopes that outputs and pieces stand for."""
        assert y is not None, "the output is kept"
        out[...] = flow * self._slopes(codes, y)

    def _slopes(self, codes: NDArray[np.uint8], y: Array) -> Array:
        slopes = np.empty(y.size)
        for code, piece in enumerate(self._pieces):
            chosen = codes == code
            places = _places(y[chosen].astype(np.float64), piece.turn)
            slopes[chosen] = np.interp(places, piece.places, piece.slopes)
        slopes[np.isnan(y)] = np.nan
        return slopes


def _places(y: Array, turn: float) -> Array:
    """Where values stand in a table."""
    return y if math.isnan(turn) else np.sqrt(np.abs(y - turn))
