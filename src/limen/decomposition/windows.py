"""Where a decomposition is told more than its formula: what `kernels.windows` finds, for float32.

A kernel computes in twice the digits of an array, and in a far wider range. What is computed in the
array's own format overflows earlier and loses more, so it has windows of its own: found by the same
search, in the same forms and series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from limen.decomposition.edges import FAR
from limen.decomposition.moderate import moderate
from limen.formula.expression import Expression, apply, constant, input_, substitute
from limen.formula.stabilize import stable
from limen.function import ActivationFunction
from limen.kernels.edges import known_patches
from limen.kernels.patches import Window, apply_patches, as_numbers, windows_of
from limen.kernels.survey import DEAR, Working
from limen.kernels.tails import in_window

__all__ = ["SINGLE", "with_windows"]

SINGLE = Working(
    "_single", np.float32, moderate, DEAR, 2.0**3, 2.0**5, guarded=FAR, serves_roots=False
)
"""float32, one step after another. In float64 the same windows lose no digit either."""


def with_windows(f: ActivationFunction) -> Expression:
    """What is computed for a function of one input, where its parameters are known.

    Neither the formula nor what stands in its place sees an input far from where it is taken: what
    is differentiated step by step multiplies the other's derivative with 0, and must find a number.
    """
    x, form = input_(f.inputs[0]), stable(f.expression)
    numbers = known_patches(f.expression, f.inputs[0], f.parameters, SINGLE)
    windows = list(windows_of(numbers))
    result = substitute(moderate(form), {x: _between(x, windows)})
    for window in windows:
        seen = _seen(x, window)

        def tail(window: Window, seen: Expression = seen) -> Expression:
            return substitute(moderate(in_window(form, window, f.parameters)), {x: seen})

        result = apply_patches(result, seen, as_numbers([window]), tail)
    return result


def _between(x: Expression, windows: Sequence[Window]) -> Expression:
    """The input, but no farther out than the windows for the tails begin."""
    for side in (-1, 1):
        edges = [1 / w.reach for w in windows if w.centre[0] == side * math.inf]
        if edges:
            x = apply("minimum" if side > 0 else "maximum", x, constant(side * min(edges)))
    return x


def _seen(x: Expression, window: Window) -> Expression:
    """The input where a window is; beside it, a number that is not in it."""
    centre, reach, side = window.centre[0], window.reach, window.side
    if math.isinf(centre):
        return apply("maximum" if side > 0 else "minimum", x, constant(side / reach))
    low, high = (constant(centre + sign * 2 * reach) for sign in (-1, 1))
    return apply("clip", x, low, high)
