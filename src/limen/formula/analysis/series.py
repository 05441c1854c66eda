"""Power series of a formula, to one side of a point or of infinity.

Near a point c the series is in the distance t > 0, with x = c + t on the right and c - t on the
left; at infinity in t = 1/|x|. Seen from one side every comparison is decided, by the first term
of a difference, so a formula with choices has a series there as well. A quotient may have a pole
(a series starts at any power, negative ones included): where numerator and denominator vanish
together, the quotient is a plain series all the same.

At infinity what is exponentially small is left out: tanh is 1 and exp(-x) is 0 there. A series is
therefore to be compared with the function before it is used.
"""

from __future__ import annotations

from typing import Any

from limen.formula.analysis import digits
from limen.formula.analysis.series_arithmetic import (
    ARITHMETIC,
    NoSeriesError,
    Series,
    constant_series,
    minus,
    padded,
)
from limen.formula.analysis.series_functions import FUNCTIONS, at_pole
from limen.formula.expression import Expression, evaluate
from limen.formula.operations import COMPARISONS

__all__ = ["NoSeriesError", "Series", "series_at", "series_at_infinity"]

_NUMBERS = frozenset({"pi", "e"})


def series_at(expression: Expression, point: Any, side: int, length: int) -> Series:
    """The series of a formula in one variable beside a point, in t with x = point + side * t.

    Args:
        expression: the formula, its parameters bound.
        point: an `mpf`.
        side: 1 or -1.
        length: how many terms to work with; some are lost where terms cancel.

    Raises:
        NoSeriesError: where there is none, an essential singularity for instance.
    """
    x = [digits.number(point), digits.number(side)] if point else [digits.number(side)]
    return _series(expression, padded(x, length, start=0 if point else 1), length)


def series_at_infinity(expression: Expression, side: int, length: int) -> Series:
    """The series in t = 1/|x| far out on one side, without what is exponentially small."""
    return _series(expression, padded([digits.number(side)], length, start=-1), length)


def _series(expression: Expression, x: Series, length: int) -> Series:
    def visit(node: Expression, *arguments: Any) -> Any:
        if node.operation == "constant":
            return constant_series(digits.number(node.payload), length)
        if node.operation == "input":
            return x
        if node.operation in COMPARISONS:
            return COMPARISONS[node.operation](minus(*arguments).sign, 0)
        if node.operation in _NUMBERS:
            return constant_series(digits.value(node, 0), length)
        if node.operation in ARITHMETIC:
            return ARITHMETIC[node.operation](*arguments)
        (u,) = arguments
        return at_pole(node.operation, u) if u.start < 0 else FUNCTIONS[node.operation](u)

    found = evaluate(expression, visit)
    assert isinstance(found, Series)
    return found
