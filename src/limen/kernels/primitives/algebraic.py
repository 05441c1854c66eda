"""The primitives of sums, products, quotients and roots of 16 bits, whose results may be ties.

What fits a float64 is one; other numbers are tuples (high, low), as those of
`limen.kernels.primitives.extended`.
"""

from __future__ import annotations

from functools import partial

from limen.kernels.primitives import algebraic_arithmetic as arithmetic
from limen.kernels.primitives.binding import BOOLEAN, EXTENDED, PLAIN, bind, bind_numbers
from limen.kernels.primitives.extended import (
    absolute,
    equal,
    less,
    less_equal,
    select,
    widen,
)

__all__ = [
    "absolute",
    "add",
    "choose",
    "div",
    "equal",
    "less",
    "less_equal",
    "mul",
    "narrow_to_odd",
    "product",
    "scaled",
    "select",
    "size",
    "sqrt",
    "times",
    "total",
    "widen",
]

_function = partial(bind_numbers, EXTENDED)

total = bind(arithmetic.total, EXTENDED, PLAIN, PLAIN)
product = bind(arithmetic.product, EXTENDED, PLAIN, PLAIN)
choose = bind(arithmetic.choose, PLAIN, BOOLEAN, PLAIN, PLAIN)
size = bind(arithmetic.size, PLAIN, PLAIN)

scaled = bind(arithmetic.scaled, EXTENDED, EXTENDED, PLAIN)
times = bind(arithmetic.times, EXTENDED, EXTENDED, PLAIN)
add = _function(arithmetic.add)
mul = _function(arithmetic.mul)
div = _function(arithmetic.div)
sqrt = _function(arithmetic.sqrt)
narrow_to_odd = bind(arithmetic.narrow_to_odd, PLAIN, EXTENDED)
