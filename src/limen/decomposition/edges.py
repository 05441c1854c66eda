"""The edges of a decomposition: the limits at infinity, NaN for NaN, the sign of zero."""

from __future__ import annotations

import math
from collections.abc import Mapping

from limen.formula.expression import (
    ZERO,
    Expression,
    apply,
    bind,
    constant,
    divide,
    input_,
    negate,
    parameter,
    substitute,
    walk,
)
from limen.function import ActivationFunction
from limen.kernels.domain import is_never_below, outside
from limen.kernels.edges import known_limits
from limen.kernels.guards import LIMIT_NAMES, keep_zero_sign, passes_nan, unless_nan
from limen.kernels.infinity import needs_limits
from limen.kernels.plan import lower

__all__ = ["FAR", "LARGE", "with_edges"]

LARGE = constant(1 << 60)
"""Its square is finite in every format that is computed in, and beside it the square of a number
of any use has no digit."""

# Beyond this, NaN comes of an overflow on the way, which in float32 begins at exp(88.8), or the
# domain is left.
FAR = 1 << 5
# Values that grow or vanish as x does have passed these where the limits are read off.
_HUGE, _TINY = constant(1 << 30), constant(1 / (1 << 30))
_FAR_OUT = {"_far_out": 2.0**60, "_farther_out": 2.0**61, "_infinity": math.inf, "_nan": math.nan}


def with_edges(
    f: ActivationFunction, form: Expression, learnable: tuple[str, ...]
) -> tuple[Expression, Mapping[str, float]]:
    """The form of a function with exact edges, and the numbers for the parameters it gained.

    Args:
        f: a function of one input.
        form: what is computed of it.
        learnable: the parameters whose values are not known.
    """
    name = f.inputs[0]
    x = input_(name)
    signed = keep_zero_sign(form, f.expression, x, f.parameters)
    if not needs_limits(form, f.parameters):
        return signed if passes_nan(form) else unless_nan(x, signed), {}
    if learnable:
        limits, numbers = (_limit(form, x, -1), _limit(form, x, 1)), _FAR_OUT
    else:
        limits = (parameter(LIMIT_NAMES[0]), parameter(LIMIT_NAMES[1]))
        at_ends = known_limits(f.expression, name, f.parameters)
        numbers = dict(zip(LIMIT_NAMES, at_ends, strict=True))
    # As `guards.with_limits`, but for any format: what is large is not the same in all.
    limit = apply("where", apply("less", x, ZERO), *limits)
    is_near = apply("less_equal", apply("abs", x), constant(FAR))
    known = {n: v for n, v in f.parameters.items() if n not in learnable}
    settled = _settled(signed, bind(form, known), x, limit)
    if any(map(_may_be_of_minus_infinity, walk(form))):
        is_finite = apply("less", apply("abs", x), parameter("_infinity"))
        settled = apply("where", is_finite, settled, limit)
    return apply("where", is_near, signed, unless_nan(x, settled)), {**_FAR_OUT, **numbers}


def _settled(signed: Expression, bound: Expression, x: Expression, limit: Expression) -> Expression:
    """The value far out, and the limit where an overflow has made NaN of it."""
    settled = apply("where", apply("equal", signed, signed), signed, limit)
    undefined = outside(lower(bound), x, float(FAR))
    return settled if undefined is None else apply("where", undefined, signed, settled)


def _may_be_of_minus_infinity(node: Expression) -> bool:
    """Whether it is a power of it: (-inf)**2.5 is infinite to a framework, and no number to us."""
    return node.operation == "power" and not is_never_below(lower(node.arguments[0]), ZERO)


def _limit(form: Expression, x: Expression, side: int) -> Expression:
    """The limit on one side as two values far out show it: a formula of the parameters alone."""
    points = map(parameter, ("_far_out", "_farther_out"))
    a, b = (substitute(form, {x: p if side > 0 else negate(p)}) for p in points)
    infinity = parameter("_infinity")
    found = apply("where", apply("equal", a, b), a, parameter("_nan"))
    largest = apply("maximum", apply("abs", a), apply("abs", b))
    found = apply("where", apply("less", largest, _TINY), divide(a, infinity), found)
    falls = apply("less", apply("maximum", a, b), negate(_HUGE))
    found = apply("where", falls, negate(infinity), found)
    grows = apply("less", _HUGE, apply("minimum", a, b))
    return apply("where", grows, infinity, found)
