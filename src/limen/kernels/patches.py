"""Where a formula is a small difference of large terms, its series instead: windows of a kernel.

Beside a root, where a singularity is removable, and where terms of equal size meet at infinity,
the terms of a sum agree to more bits than a kernel can spare. A window is a stretch of the line
where the kernel takes a polynomial: in the distance to a point, known in twice the working
precision, or in 1/|x| far out. `find` places the windows; here is what one is, and how it prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from limen.formula.expression import (
    ONE,
    ZERO,
    Expression,
    add,
    apply,
    constant,
    divide,
    multiply,
    negate,
)

__all__ = ["Pair", "Window", "apply_patches", "as_numbers", "windows_of"]

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the line, and the polynomial that stands for the function there.

    Attributes:
        centre: the point t is measured from; an infinite one for t = 1/|x|.
        reach: how large |t| may be.
        side: 1 or -1 for t > 0 or t < 0 alone, 0 for both.
        keeps_centre: whether the formula itself decides at t = 0, where it may be undefined.
        start: the power of t that the first coefficient belongs to; without any, which of the
            forms that the formula has in that tail.
        coefficients: those of t**start, t**(start + 1), ...; none where the formula takes a form
            it has in that tail.
    """

    centre: Pair
    reach: float
    side: int
    keeps_centre: bool
    start: int
    coefficients: tuple[Pair, ...]


def as_numbers(windows: Sequence[Window]) -> list[float]:
    """The windows as numbers in a row, for the cache."""
    numbers: list[float] = []
    for w in windows:
        header = (w.reach, w.side, w.keeps_centre, w.start, len(w.coefficients))
        numbers += [*w.centre, *map(float, header)]
        numbers += [part for pair in w.coefficients for part in pair]
    return numbers


def windows_of(numbers: Sequence[float]) -> Iterator[Window]:
    """The windows of what `as_numbers` gave."""
    rest = iter(numbers)
    for high in rest:
        low, reach, side, keeps, start, count = (next(rest) for _ in range(6))
        pairs = tuple((next(rest), next(rest)) for _ in range(int(count)))
        yield Window((high, low), reach, int(side), bool(keeps), int(start), pairs)


def apply_patches(
    lowered: Expression,
    x: Expression,
    numbers: Sequence[float],
    tail: Callable[[Window], Expression],
) -> Expression:
    """The function with the polynomial of each window in its place.

    Args:
        lowered: what the kernel computes elsewhere.
        x: the input.
        numbers: what `as_numbers` gave.
        tail: the form of the function in a window without coefficients.
    """
    for window in windows_of(numbers):
        if math.isinf(window.centre[0]):
            lowered = _far(window, x, lowered, tail)
        else:
            lowered = _near(window, x, lowered)
    return lowered


def _near(window: Window, x: Expression, other: Expression) -> Expression:
    t = x
    for part in window.centre:
        t = add(t, constant(-part))
    size = apply("abs", t)
    inside = apply("where", _below(size, window.reach), _polynomial(window, t), other)
    if window.side:
        on_side = apply("less", ZERO, t) if window.side > 0 else apply("less", t, ZERO)
        return apply("where", on_side, inside, other)
    return apply("where", apply("equal", t, ZERO), other, inside) if window.keeps_centre else inside


def _far(
    window: Window, x: Expression, other: Expression, tail: Callable[[Window], Expression]
) -> Expression:
    """Far out the powers of |x| are multiplied one by one: none overflows before the value does."""
    if window.coefficients:
        value = _polynomial(window, divide(ONE, apply("abs", x)))
    else:
        value = tail(window)
    edge = constant(1 / window.reach)
    is_far = apply("less", edge, x) if window.side > 0 else apply("less", x, negate(edge))
    return apply("where", is_far, value, other)


def _below(size: Expression, reach: float) -> Expression:
    return apply("less", size, constant(reach))


def _polynomial(window: Window, t: Expression) -> Expression:
    """t**start (c0 + c1 t + ...), in t**2 where every other coefficient is 0."""
    numbers = [constant(Fraction(high) + Fraction(low)) for high, low in window.coefficients]
    step, variable = (
        (2, multiply(t, t)) if not any(n is not ZERO for n in numbers[1::2]) else (1, t)
    )
    *lower, value = numbers[::step]
    for number in reversed(lower):
        value = add(number, multiply(variable, value))
    if window.start >= 0:
        return reduce(multiply, [t] * window.start, value)
    return reduce(divide, [t] * -window.start, value)
