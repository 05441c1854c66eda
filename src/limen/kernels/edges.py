"""What a kernel must be told of a function's edges: its limits at infinity, and its roots."""

from __future__ import annotations

import math
from collections.abc import Mapping

from limen.formula import real
from limen.formula.expression import Expression, bind
from limen.formula.shifted import shifted
from limen.formula.stabilize import canonical, stable
from limen.kernels.cache import recall
from limen.kernels.patches import as_numbers
from limen.kernels.survey import KERNELS, Working
from limen.kernels.windows import find_windows

__all__ = ["far_limits", "known_limits", "known_patches"]

# Far out, and less far for functions that overflow there.
_FAR = ((1e30, 1e60, 1e120), (2e1, 4e1, 8e1))
# Further points beside the last: what grows may do so with either sign in turn.
_BESIDE = (1.09, 1.21, 1.37, 1.53, 1.74, 1.89)
_STEEP = 1e9  # a value that changes by this from one point to the next goes to 0 or infinity


def known_patches(
    expression: Expression, x: str, parameters: Mapping[str, float], working: Working = KERNELS
) -> list[float]:
    """The windows a function needs, as `as_numbers` gives them, remembered."""
    # With numbers in the place of parameters a formula may have another form, and other windows.
    what = "windows_at_numbers" if parameters else "windows"
    return recall(
        what + working.name,
        bind(expression, parameters),
        lambda: as_numbers(find_windows(stable(expression), x, parameters, working)),
    )


def known_limits(expression: Expression, x: str, parameters: Mapping[str, float]) -> list[float]:
    """The limits at -inf and +inf by analysis, remembered; NaN where there is none.

    Where the analysis does not know, the values far out decide, or what the formula gives at
    infinity itself.
    """

    def compute() -> list[float]:
        from limen.formula.analysis.analyze import limits

        found = limits(bind(expression, parameters))
        return [
            _number(limit, expression, x, parameters, sign)
            for limit, sign in zip(found, (-1.0, 1.0), strict=True)
        ]

    return recall("limits", bind(expression, parameters), compute)


def far_limits(
    expression: Expression, x: str, parameters: Mapping[str, float]
) -> list[float] | None:
    """The limits as values far out show them; None where they do not.

    For a function that is one of many (a learnable parameter has a new value each step) this
    stands in for the analysis, which takes longer than the step.
    """
    found = [_far_limit(expression, x, parameters, sign) for sign in (-1.0, 1.0)]
    return None if None in found else [limit for limit in found if limit is not None]


def _number(
    limit: object, expression: Expression, x: str, parameters: Mapping[str, float], sign: float
) -> float:
    if limit is None:
        return math.nan
    if isinstance(limit, float):
        return limit
    far = _far_limit(expression, x, parameters, sign)
    if far is not None:
        return far
    return float(real.value(canonical(expression), {**parameters, x: sign * math.inf}))


def _far_limit(
    expression: Expression, x: str, parameters: Mapping[str, float], sign: float
) -> float | None:
    form = shifted(canonical(expression))
    for points in _FAR:
        values = [real.value(form, {**parameters, x: sign * point}) for point in points]
        a, b, c = map(abs, values)
        if c == 0 or (a > _STEEP * b and b > _STEEP * c):
            return math.copysign(0.0, values[-1])
        if b > _STEEP * a and c > _STEEP * b:
            beside = [real.value(form, {**parameters, x: sign * points[-1] * m}) for m in _BESIDE]
            if all((v < 0) == (values[-1] < 0) for v in beside):
                return math.copysign(math.inf, values[-1])
        if values[0] == values[1] == values[2]:
            return values[-1]
    return None
