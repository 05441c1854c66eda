"""Guards make a kernel's edges exact: the limits at infinity, NaN for NaN, the sign of zero.

They are choices around the expression of the value. A kernel of float32 or less can do without most
of them: `relaxed` takes off what the ranges of its numbers show to be idle.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from limen.formula import real
from limen.formula.expression import (
    ZERO,
    Expression,
    apply,
    constant,
    evaluate,
    negate,
    parameter,
    rebuild,
    substitute,
    walk,
)
from limen.formula.stabilize import canonical
from limen.kernels.domain import outside
from limen.kernels.infinity import Limits, with_own_limits
from limen.kernels.ranges import Range

__all__ = [
    "LIMIT_NAMES",
    "is_choice",
    "is_nan_check",
    "keep_zero_sign",
    "passes_nan",
    "relaxed",
    "unguarded",
    "unless_nan",
    "with_limits",
]

LIMIT_NAMES = ("_at_minus_infinity", "_at_plus_infinity")
"""The parameters that carry the limits, which depend on the values of the others. No parameter of a
formula begins with an underscore."""

_GROWING = frozenset({"exp", "expm1", "sinh", "cosh"})
_LARGEST = constant(sys.float_info.max)
# Beyond this, NaN comes of an overflow on the way (infinity minus infinity, or times 0), and the
# limit is the value, unless the domain is left there (`outside`). A pole that far out has no use.
_FAR = constant(1 << 8)
# Above all inputs of 32 bits, and where `infinity` has infinite ones stop.
_HUGE = 1 << 300


def with_limits(value: Expression, x: Expression) -> Expression:
    """The value, and the limits where x is infinite, or where the value has got lost far out."""
    limit = apply("where", apply("less", x, ZERO), *map(parameter, LIMIT_NAMES))
    size = apply("abs", x)
    settled, undefined = _settled(value, limit), outside(value, x, float(_FAR.payload))
    if undefined is not None:
        settled = apply("where", undefined, value, settled)  # which is NaN
    inside = apply("where", apply("less_equal", size, _FAR), value, settled)
    is_finite = apply("less_equal", size, _LARGEST)
    return apply("where", is_finite, inside, unless_nan(x, limit))


def _settled(value: Expression, limit: Expression) -> Expression:
    """The value where overflows on the way have left it a number, else the limit.

    A quotient may be infinite because an exponential in its numerator overflows first; where there
    is no limit, an infinite value stays.
    """
    known = apply("where", apply("equal", value, value), value, limit)
    if not any(map(_may_overflow_first, walk(value))):
        return known
    limit_or_value = apply("where", apply("equal", limit, limit), limit, value)
    is_finite = apply("less_equal", apply("abs", value), _LARGEST)
    return apply("where", is_finite, value, limit_or_value)


def _may_overflow_first(node: Expression) -> bool:
    if node.operation != "divide" or not node.arguments[1].varies:
        return False
    return any(n.operation in _GROWING and n.varies for n in walk(node.arguments[0]))


def unless_nan(x: Expression, other: Expression) -> Expression:
    """`other`, but NaN where x is."""
    return apply("where", apply("equal", x, x), other, x)


def relaxed(root: Expression, ranges: Mapping[Expression, Range], limits: Limits) -> Expression:
    """The expression without the guards that are idle where x is finite, of `with_limits`."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if node.operation != "where":
            return rebuild(node, arguments)
        condition, yes, no = arguments
        if yes is no or _always_holds(node.arguments[0], ranges):
            return yes
        if _is_finite_input(condition) and no.operation == "where" and passes_nan(yes):
            size, largest = condition.arguments
            limited = apply("where", apply("less", largest, size), no.arguments[1], yes)
            return with_own_limits(yes, size.arguments[0], limits) or limited
        return rebuild(node, (condition, yes, no))

    relaxed_root: Expression = evaluate(root, visit)
    return relaxed_root


def _always_holds(condition: Expression, ranges: Mapping[Expression, Range]) -> bool:
    """Whether a check of a result (not of an input, which may be NaN) asks for what is known."""
    if is_nan_check(condition):
        checked = condition.arguments[0]
        return checked.varies and checked.operation != "input" and ranges[checked].is_number
    if _is_finite_check(condition) and not _is_finite_input(condition):
        return ranges[condition.arguments[0].arguments[0]].is_finite
    return False


def is_nan_check(condition: Expression) -> bool:
    """Whether it is what `unless_nan` asks: whether something equals itself."""
    return condition.operation == "equal" and condition.arguments[0] is condition.arguments[1]


def _is_finite_check(condition: Expression) -> bool:
    return condition.operation == "less_equal" and condition.arguments[1] is _LARGEST


def _is_finite_input(condition: Expression) -> bool:
    size = condition.arguments[0] if _is_finite_check(condition) else condition
    return size.operation == "abs" and size.arguments[0].operation == "input"


def unguarded(root: Expression) -> Expression:
    """The expression without what serves inputs of more than 32 bits (`overflow.square_root`)."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if node.operation == "where" and _holds_for_all(arguments[0]):
            return arguments[1]  # the guards around keep NaN, where it does not stay by itself
        return rebuild(node, arguments)

    spared: Expression = evaluate(root, visit)
    return spared


def _holds_for_all(condition: Expression) -> bool:
    """Whether it is a bound that every finite input of 32 bits keeps."""
    if condition.operation != "less" or condition.arguments[0].operation != "abs":
        return False
    size, bound = condition.arguments
    return size.arguments[0].operation == "input" and bound.is_constant and bound.payload > _HUGE


def is_choice(node: Expression) -> bool:
    """Whether it is a choice between numbers that no input changes, or between such choices."""
    if node.operation != "where":
        return False
    condition, *branches = node.arguments
    chosen = branches[:1] if is_nan_check(condition) else branches
    return all(not branch.varies or is_choice(branch) for branch in chosen)


def passes_nan(root: Expression) -> bool:
    """Whether NaN goes through by itself: comparisons with it are false, sums are NaN."""

    def visit(node: Expression, *passes: bool) -> bool:
        if node.operation == "where":
            condition, yes, no = passes
            taken_when_nan = no if node.arguments[0].operation != "not_equal" else yes
            return (condition and taken_when_nan) or (yes and no)
        return node.operation == "input" or any(passes)

    return bool(evaluate(root, visit))


def keep_zero_sign(
    lowered: Expression, original: Expression, x: Expression, parameters: Mapping[str, float]
) -> Expression:
    """An odd function keeps the sign of zero, also where its sum of terms would lose it."""
    name = x.payload
    environment = dict(parameters)
    at_plus, at_minus = (real.value(lowered, {**environment, name: zero}) for zero in (0.0, -0.0))
    if at_plus != 0 or math.copysign(1, at_plus) != math.copysign(1, at_minus):
        return lowered
    form = canonical(original)
    if canonical(substitute(form, {x: negate(x)})) is not canonical(negate(form)):
        return lowered
    return apply("where", apply("equal", x, ZERO), x, lowered)
