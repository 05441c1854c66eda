"""The zeros of a smooth formula between two points: all of them, or an honest refusal.

A product vanishes where a factor does, and sinh(u), tanh(u), log1p(u), ... where u does; what is
left are sums. Towards infinity, or towards an end where the sum vanishes or is singular, an
expansion says from where on it keeps its sign (`asymptotics`). In between, intervals are bisected
until each holds no zero (the interval of the sum excludes 0) or at most one (the interval of its
derivative does; the signs at both ends decide). Zeros found so are refined to 60 digits.

Source: Moore, Kearfott, Cloud, Introduction to Interval Analysis (2009), chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from limen.errors import FormulaError
from limen.formula.analysis import digits
from limen.formula.analysis.asymptotics import Side, sign_from
from limen.formula.analysis.period import period
from limen.formula.analysis.search import (
    Budget,
    EndlessError,
    Point,
    UndecidedError,
    enclosure,
    slope,
)
from limen.formula.expression import MINUS_ONE, ZERO, Expression, add, input_, substitute
from limen.formula.stabilize import canonical

__all__ = ["sign_between", "zeros"]

X = input_("x")

# A cell this small, relative to its place, is not divided further: a double zero, probably.
_SMALLEST = 2.0**-40
# A cell this small in which bisection has not ended is looked through for a double zero.
_SUSPICIOUS = 2.0**-5
# Where a cell is cut; the first place where the sign is certain.
_CUTS = (0.5, 0.47, 0.54, 0.41, 0.6, 0.33)
_MOST_ZEROS = 256
# What looking at a cell closely and refining a zero cost, in evaluations by intervals.
_DEAR = 5
_REFINING = 250


def zeros(expression: Expression, low: Point, high: Point, budget: Budget) -> list[Point]:
    """Every zero of a smooth formula in x, in the open interval between two points.

    Args:
        expression: canonical, without choices, smooth between the points, not zero everywhere.
        low: the lower end; the formula may be singular there.
        high: the upper end.
        budget: how much work it may take.

    Raises:
        EndlessError: when there are infinitely many.
        UndecidedError: when the search came to no end.
    """
    found: dict[float, Point] = {}
    for factor in _factors(expression):
        for point in _zeros_of_factor(factor, low, high, budget):
            if low.x < point.x < high.x:
                found[point.x] = point
    return [found[x] for x in sorted(found)]


_NEVER_ZERO = frozenset({"exp", "cosh", "sech", "sigmoid", "softplus", "erfc", "erfcx", "pi", "e"})
_ZERO_WITH_ARGUMENT = frozenset(
    {"sqrt", "expm1", "log1p", "sinh", "tanh", "atan", "erf", "tanhshrink"}
)


def _factors(expression: Expression) -> Iterator[Expression]:
    """Formulas whose zeros together are those of the expression."""
    stack = [expression]
    while stack:
        node = stack.pop()
        if node.operation in _NEVER_ZERO or node.is_constant:
            continue
        if node.operation == "multiply":
            stack.extend(node.arguments)
        elif node.operation == "divide" or node.operation in _ZERO_WITH_ARGUMENT:
            stack.append(node.arguments[0])
        elif node.operation == "power":
            if digits.value(node.arguments[1], 0) > 0:
                stack.append(node.arguments[0])
        elif node.operation == "log":
            stack.append(canonical(add(node.arguments[0], MINUS_ONE)))
        else:
            yield node


def _zeros_of_factor(g: Expression, low: Point, high: Point, budget: Budget) -> list[Point]:
    if g is X:
        return [Point.at(Fraction(0))]
    rate = slope(g)
    if rate is ZERO:
        if abs(digits.value(g, 0)) > digits.SAME:
            return []
        raise UndecidedError  # zero everywhere, in a guise that canonical form does not see through
    if rate.is_constant:
        return [_zero_of_line(g, rate)]
    if g.operation in _PHASES and slope(g.arguments[0]).is_constant:
        return _zeros_of_wave(g, low, high)
    if math.isinf(low.x) or math.isinf(high.x):
        turn = period(g)
        if turn is not None:
            return _zeros_of_periodic(g, turn, budget)
    return list(_zeros_of_sum(g, low, high, budget))


def _zero_of_line(g: Expression, rate: Expression) -> Point:
    at_zero = canonical(substitute(g, {X: ZERO}))
    if at_zero.is_constant:
        return Point.at(-at_zero.payload / rate.payload)
    return Point.at(-digits.value(at_zero, 0) / digits.number(rate.payload))


# The zeros of sin, cos and sin + cos are at this many quarters of pi, and every pi from there.
_PHASES = {"sin": 0, "cos": 2, "sin_plus_cos": 3}


def _zeros_of_wave(g: Expression, low: Point, high: Point) -> list[Point]:
    if math.isinf(low.x) or math.isinf(high.x):
        raise EndlessError
    (argument,) = g.arguments
    mp = digits.context()
    rate = digits.number(slope(argument).payload)
    offset = digits.value(argument, 0)
    turns = sorted((rate * end.x + offset) / mp.pi for end in (low, high))
    phase = digits.number(Fraction(_PHASES[g.operation], 4))
    first, last = (int(mp.floor(turns[0] - phase)), int(mp.ceil(turns[1] - phase)))
    if last - first > _MOST_ZEROS:
        raise UndecidedError
    return [Point.at(((n + phase) * mp.pi - offset) / rate) for n in range(first, last + 1)]


def _zeros_of_periodic(g: Expression, turn: Any, budget: Budget) -> list[Point]:
    """None, if there is none in one period, from a point where there surely is none."""
    starts = (share * float(turn) for share in (0.1, 0.17, 0.23, 0.41))
    start = next((x for x in starts if _sign(enclosure(g)(x, x))), None)
    if start is None:
        raise UndecidedError
    low, high = Point.at(Fraction(start)), Point.at(start + turn)
    if any(True for _ in _zeros_of_sum(g, low, high, budget)):
        raise EndlessError
    return []


# --- The search -------------------------------------------------------------------------------


def _sign(bounds: tuple[float, float]) -> int:
    return 1 if bounds[0] > 0 else -1 if bounds[1] < 0 else 0


def _zeros_of_sum(g: Expression, low: Point, high: Point, budget: Budget) -> Iterator[Point]:
    """Every zero between the points, by bisection."""
    value, rate = enclosure(g), enclosure(slope(g))
    left, right = _clear_end(g, low, 1), _clear_end(g, high, -1)
    if left >= right:
        return
    cells = [(left, _sign_at(g, left), right, _sign_at(g, right))]
    while cells:
        a, sign_a, b, sign_b = cells.pop()
        budget.spend(value.size)
        if _sign(value(a, b)):
            continue
        budget.spend(rate.size)
        if _sign(rate(a, b)):
            if sign_a != sign_b:
                budget.spend(value.size * _REFINING)
                yield _refined(g, a, b)
            continue
        budget.spend(value.size * _DEAR)
        multiple = _multiple_zero(g, a, b)
        if multiple is not None:
            point, below, above = multiple
            yield point
            cells += [(above, _sign_at(g, above), b, sign_b)] if above < b else []
            cells += [(a, sign_a, below, _sign_at(g, below))] if a < below else []
            continue
        if b - a <= _SMALLEST * max(1.0, abs(a), abs(b)):
            raise UndecidedError
        middle, sign = _cut(g, a, b)
        cells += [(middle, sign, b, sign_b), (a, sign_a, middle, sign)]


def _multiple_zero(g: Expression, a: float, b: float) -> tuple[Point, float, float] | None:
    """A zero of g and of its derivative at a simple fraction, with its clear surroundings.

    Bisection alone cannot end at such a zero, as neither interval ever excludes 0.
    """
    if b - a > _SUSPICIOUS * max(abs(a), abs(b), 1.0):
        return None
    point = Point.at(_simplest(a, b))
    if not (a < point.x < b and _vanishes(g, point) and _vanishes(slope(g), point)):
        return None
    return point, _clear_end(g, point, -1), _clear_end(g, point, 1)


def _simplest(a: float, b: float) -> Fraction:
    """A fraction with a small denominator between two floats, or the middle."""
    middle = Fraction(a + (b - a) / 2)
    for most in (1, 2, 10, 60, 1000):
        simple = middle.limit_denominator(most)
        if a < simple < b:
            return simple
    return middle


def _vanishes(g: Expression, point: Point) -> bool:
    value = digits.regular(g, point.place)
    return value is not None and value == 0


def _clear_end(g: Expression, end: Point, side: Side) -> float:
    """The point nearest an end such that there is no zero between the two."""
    if math.isfinite(end.x) and _sign(enclosure(g)(end.x, end.x)):
        return end.x
    found = sign_from(g, end.fraction, side)
    if found is None or found[1] == 0:
        raise UndecidedError
    if math.isinf(end.x):
        return -side * found[0]
    return math.nextafter(end.x + side / found[0], end.x)


def _sign_at(g: Expression, x: float) -> int:
    """The certain sign at a float: by intervals, or else by 60 digits."""
    sign = _sign(enclosure(g)(x, x))
    if sign:
        return sign
    value = digits.value(g, x)
    return 0 if value != value else int(digits.context().sign(value))


def _cut(g: Expression, a: float, b: float) -> tuple[float, int]:
    """A point between, and its sign; half way in asinh, which takes tails in long steps."""
    low, high = math.asinh(a), math.asinh(b)
    for share in _CUTS:
        middle = math.sinh(low + share * (high - low))
        sign = _sign(enclosure(g)(middle, middle)) if a < middle < b else 0
        if sign:
            return middle, sign
    middle = math.sinh((low + high) / 2 + 0.01 * (high - low))
    sign = _sign_at(g, middle)
    if sign == 0 or not a < middle < b:
        raise UndecidedError
    return middle, sign


def _refined(g: Expression, a: float, b: float) -> Point:
    mp = digits.context()
    start = _bisected(g, a, b)
    root = mp.findroot(
        lambda x: digits.value(g, x),
        start,
        solver="anderson",
        tol=mp.mpf(10) ** -100,
        verify=False,
        maxsteps=60,
    )
    return Point.at(root)


def _bisected(g: Expression, a: float, b: float) -> tuple[float, float]:
    """A bracket within a few digits: cheap steps before the dear ones."""
    value = enclosure(g)
    sign_a = _sign_at(g, a)
    while b - a > 1e-9 * max(abs(a), abs(b), 1e-3):
        middle = a + (b - a) / 2
        sign = _sign(value(middle, middle))
        if sign == 0:
            break
        a, b = (middle, b) if sign == sign_a else (a, middle)
    return a, b


# --- Signs ------------------------------------------------------------------------------------


def sign_between(g: Expression, low: Point, high: Point) -> int:
    """The sign of a formula between two points where it has no zero.

    Raises:
        UndecidedError: when no sample shows it.
    """
    for x in _samples(low.x, high.x):
        try:
            sign = _sign_at(g, x)
        except (FormulaError, OverflowError, ValueError):
            continue
        if sign:
            return sign
    raise UndecidedError


def _samples(low: float, high: float) -> Iterator[float]:
    if math.isinf(low) and math.isinf(high):
        yield from (0.7, -0.9, 3.3, -4.1)
    elif math.isinf(low):
        yield from (high - step * max(1.0, abs(high)) for step in (0.7, 0.1, 4.3))
    elif math.isinf(high):
        yield from (low + step * max(1.0, abs(low)) for step in (0.7, 0.1, 4.3))
    else:
        yield from (low + share * (high - low) for share in (0.5, 0.37, 0.71, 0.05, 0.93))
