"""What the numbers inside a kernel may be: bounds of every expression, in floating point.

Unlike the intervals of `formula.analysis`, which bound real values, these bound what is computed:
an overflow is an infinity that is there, and infinity minus infinity is NaN. Rounding keeps order,
so the bounds of sums, products and quotients are exact; those of functions are moved outward by far
more than a primitive's error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from limen.formula import real
from limen.formula.expression import Expression, walk
from limen.formula.operations import OPERATIONS
from limen.kernels.constants import as_pair

__all__ = ["ANYTHING", "Range", "ranges"]

_INF = math.inf
_SLACK = 2.0**-40


class Range(NamedTuple):
    """The bounds of a number, and whether it is one: it may be NaN where it is not.

    Attributes:
        low: what it is at least, if a number.
        high: what it is at most.
        is_number: whether it is never NaN.
    """

    low: float
    high: float
    is_number: bool

    @property
    def is_finite(self) -> bool:
        """Whether it is neither infinite nor NaN."""
        return self.is_number and self.low > -_INF and self.high < _INF

    def is_within(self, smallest: float, largest: float) -> bool:
        """Whether it is of one sign and its magnitude lies between two bounds."""
        return smallest <= self.low <= self.high <= largest or (
            smallest <= -self.high <= -self.low <= largest
        )


ANYTHING = Range(-_INF, _INF, False)
"""The range of what nothing is known of."""


def ranges(roots: Iterable[Expression], inputs: Mapping[str, Range]) -> dict[Expression, Range]:
    """The range of every number below the roots.

    Args:
        roots: lowered expressions.
        inputs: what is known of inputs and parameters; nothing of inputs that are missing, and that
            they are finite of parameters.
    """
    found: dict[Expression, Range] = {}
    for node in walk(*roots):
        found[node] = _range(node, found, inputs)
    return found


def _range(
    node: Expression, found: Mapping[Expression, Range], inputs: Mapping[str, Range]
) -> Range:
    if node.operation == "input":
        return inputs.get(node.payload, ANYTHING)
    if node.operation == "parameter":
        return inputs.get(node.payload, Range(-_LARGEST, _LARGEST, True))
    if node.is_constant or not node.arguments:
        value, _ = as_pair(node)
        return Range(value, value, True)
    if OPERATIONS[node.operation].is_comparison:
        return Range(0.0, 1.0, True)
    arguments = [found[a] for a in node.arguments]
    if node.operation == "where" and node.arguments[0].operation == "less":
        pair, branches = node.arguments[0].arguments, node.arguments[1:]
        if branches in (pair, pair[::-1]):
            return _extreme(min if branches == pair else max, *arguments[1:])
    if node.operation == "multiply" and node.arguments[0] is node.arguments[1]:
        return _multiply(_abs(arguments[0]), _abs(arguments[0]))
    return _BOUNDS.get(node.operation, _nothing_known)(*arguments)


_LARGEST = math.ldexp(2.0 - 2.0**-52, 1023)


def _nothing_known(*arguments: Range) -> Range:
    return ANYTHING


def _add(a: Range, b: Range) -> Range:
    meet = (a.high == _INF and b.low == -_INF) or (a.low == -_INF and b.high == _INF)
    low = -_INF if -_INF in (a.low, b.low) else a.low + b.low
    high = _INF if _INF in (a.high, b.high) else a.high + b.high
    return Range(low, high, a.is_number and b.is_number and not meet)


def _holds_zero(a: Range) -> bool:
    return a.low <= 0.0 <= a.high


def _is_infinite(a: Range) -> bool:
    return _INF in (-a.low, a.high)


def _product(a: float, b: float) -> float:
    return 0.0 if a == 0.0 or b == 0.0 else a * b


def _multiply(a: Range, b: Range) -> Range:
    clash = (_holds_zero(a) and _is_infinite(b)) or (_is_infinite(a) and _holds_zero(b))
    corners = [_product(p, q) for p in a[:2] for q in b[:2]]
    return Range(min(corners), max(corners), a.is_number and b.is_number and not clash)


def _divide(a: Range, b: Range) -> Range:
    if _holds_zero(b):
        return ANYTHING
    clash = _is_infinite(a) and _is_infinite(b)
    corners = [_quotient(p, q) for p in a[:2] for q in b[:2]]
    return Range(min(corners), max(corners), a.is_number and b.is_number and not clash)


def _quotient(a: float, b: float) -> float:
    return 0.0 if math.isinf(b) else _product(a, 1.0 / b) if math.isinf(a) else a / b


def _abs(a: Range) -> Range:
    smallest = 0.0 if _holds_zero(a) else min(abs(a.low), abs(a.high))
    return Range(smallest, max(abs(a.low), abs(a.high)), a.is_number)


def _where(condition: Range, a: Range, b: Range) -> Range:
    return Range(min(a.low, b.low), max(a.high, b.high), a.is_number and b.is_number)


def _extreme(choose: Callable[..., float], a: Range, b: Range) -> Range:
    """The smaller or the larger of two numbers."""
    # Of a comparison with NaN either may come out, which leaves the bounds of both.
    if not (a.is_number and b.is_number):
        return _where(ANYTHING, a, b)
    return Range(choose(a.low, b.low), choose(a.high, b.high), True)


def _monotone(
    name: str, low: float = -_INF, high: float = _INF, domain: float = -_INF
) -> Callable[[Range], Range]:
    """A rising function with the given bounds, NaN below `domain`."""
    function = real.FUNCTIONS[name]

    def bound(a: Range) -> Range:
        if a.low < domain:
            return ANYTHING
        least, most = _below(function(a.low)), -_below(-function(a.high))
        return Range(max(low, least), min(high, most), a.is_number)

    return bound


def _exp(a: Range) -> Range:
    bound = _monotone("exp", 0.0)(a)
    return bound._replace(high=min(1.0, bound.high)) if a.high <= 0.0 else bound


def _below(value: float) -> float:
    return min(value, _LARGEST) if math.isinf(value) else value - abs(value) * _SLACK


def _between(low: float, high: float) -> Callable[[Range], Range]:
    """A function that is bounded and defined everywhere."""
    return lambda a: Range(low, high, a.is_number)


def _wave(bound: float) -> Callable[[Range], Range]:
    """A sine, which has no value at infinity."""
    return lambda a: Range(-bound, bound, a.is_number and not _is_infinite(a))


_BOUNDS: dict[str, Callable[..., Range]] = {
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "abs": _abs,
    "where": _where,
    "sqrt": _monotone("sqrt", 0.0, domain=0.0),
    "exp": _exp,
    "expm1": _monotone("expm1", -1.0),
    "log": _monotone("log", domain=0.0),
    "log1p": _monotone("log1p", domain=-1.0),
    "sinh": _monotone("sinh"),
    "cosh": lambda a: Range(1.0, _INF, a.is_number),
    "tanh": _between(-1.0, 1.0),
    "sech": _between(0.0, 1.0),
    "sigmoid": _between(0.0, 1.0),
    "softplus": _monotone("softplus", 0.0),
    "tanhshrink": _monotone("tanhshrink"),
    "erf": _between(-1.0, 1.0),
    "erfc": _between(0.0, 2.0),
    "atan": _between(-2.0, 2.0),
    "sin": _wave(1.0),
    "cos": _wave(1.0),
    "sin_plus_cos": _wave(1.5),
}
