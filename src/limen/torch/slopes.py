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
from limen.kernels.code_loops import CODES, pack_values, unpack, wide

__all__ = ["Slopes"]

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

    @cached_property
    def _slope(self) -> ActivationFunction:
        return self._function.derivative()

    def is_possible(self) -> bool:
        """Whether the derivative depends on the input through choices alone, of few slopes."""

        def visit(node: Expression, *are_steps: bool) -> bool:
            if node.operation in COMPARISONS:
                return True
            return node.operation != "input" and all(are_steps)

        return bool(evaluate(self._slope.expression, visit)) and len(self._points) < CODES

    @cached_property
    def _points(self) -> tuple[float, ...]:
        """A point for each value of the derivative."""
        kinks = self._function.kinks if isinstance(self._function.kinks, tuple) else ()
        ends = (min(kinks, default=0.0) - 1, max(kinks, default=0.0) + 1)
        stops = sorted({*kinks, *ends})
        between = [(a + b) / 2 for a, b in pairwise(stops)]
        return tuple({float(self._slope(x)): x for x in (*stops, *between)}.values())

    def _points_as(self, dtype: np.dtype[Any]) -> Array:
        """The points, as many as there are codes: NaN is one for those that stand for no value."""
        return np.array([*self._points, *[np.nan] * (CODES - len(self._points))], dtype)

    def keep(self, x: Array, held: NDArray[np.uint8]) -> None:
        """Writes down which slope each element meets."""
        x = wide(x)
        pack_values((self._slope(x), self._slope(self._points_as(x.dtype)), held))

    def hand_on(self, flow: Array, held: NDArray[np.uint8], y: Array | None, out: Array) -> None:
        """The flow through the slopes that are written down."""
        x = np.empty(flow.size, flow.dtype)
        unread = f"u{flow.itemsize}"  # loops know no 16-bit numbers, but move them
        unpack((held, self._points_as(flow.dtype).view(unread), x.view(unread)))
        self._function.backward(flow, x, out=out)
