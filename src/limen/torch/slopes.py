"""Two bits for the backward pass of a function made of straight lines.

Its derivative takes a few values only, so which of them is all that must be kept of a
pre-activation. A point where it takes that value then stands in for the pre-activation, and the
gradient is the one that exact mode gives, bit for bit.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.formula.expression import Expression, evaluate
from limen.formula.operations import COMPARISONS
from limen.function import ActivationFunction
from limen.torch import bits

__all__ = ["Slopes"]

_NAN = bits.MOST - 1  # the code of NaN

Array = NDArray[Any]


class Slopes:
    """The few slopes of a function made of straight lines.

    Args:
        function: a function of one input.
    """

    describes = "compact: 2 bits kept an element, gradient exact"
    keeps_codes = True
    keeps_output = False

    def __init__(self, function: ActivationFunction) -> None:
        self._function = function

    def is_possible(self) -> bool:
        """Whether the derivative depends on the input through choices alone, of few slopes."""

        def visit(node: Expression, *are_steps: bool) -> bool:
            if node.operation in COMPARISONS:
                return True
            return node.operation != "input" and all(are_steps)

        slope = self._function.derivative().expression
        return bool(evaluate(slope, visit)) and len(self._points) < bits.MOST

    @cached_property
    def _points(self) -> tuple[float, ...]:
        """A point for each value of the derivative."""
        kinks = self._function.kinks if isinstance(self._function.kinks, tuple) else ()
        ends = (min(kinks, default=0.0) - 1, max(kinks, default=0.0) + 1)
        stops = sorted({*kinks, *ends})
        between = [(a + b) / 2 for a, b in pairwise(stops)]
        slope = self._function.derivative()
        return tuple({float(slope(x)): x for x in (*stops, *between)}.values())

    def codes(self, x: Array) -> NDArray[np.uint8]:
        """Which slope each element meets."""
        slope = self._function.derivative()
        found = slope(x)
        codes = np.zeros(x.size, np.uint8)
        for code, value in enumerate(slope(np.array(self._points).astype(x.dtype))[1:], 1):
            codes[found == value] = code
        codes[np.isnan(found)] = _NAN
        return codes

    def hand_on(self, flow: Array, codes: NDArray[np.uint8], y: Array | None, out: Array) -> None:
        """The flow through the slopes that codes stand for."""
        points = np.full(bits.MOST, np.nan)
        points[: len(self._points)] = self._points
        self._function.backward(flow, points.astype(flow.dtype)[codes], out=out)
