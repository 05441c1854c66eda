"""Plain error function and its complement: relative error below 2^-50, in erfc's tail too.

erf x = 1 - e^(-x R(x)), with one polynomial R for all x >= 0: its error counts e^(-x^2) times.
For x >= 0, erfc x = e^(-x^2) t Q(t) with t = 1/(x + 7/2): one polynomial in such a t serves the
whole half line (Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in
0 <= x < infinity", 1981).
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.exact import two_product
from limen.kernels.primitives.lanes import (
    Real,
    absolute,
    at_most,
    copysign,
    fma,
    four_horners,
    select,
    two_horners,
)
from limen.kernels.primitives.newton import inverse
from limen.kernels.primitives.plain_exponential import below_one, decay, rise

#: Beyond it erfc x is below 2^-1022, which counts as 0.
_LAST = 26.63


def _square(magnitude: Real) -> tuple[Real, Real]:
    """x^2 and its rounding error, for a magnitude held where the functions have ended."""
    x = at_most(magnitude, _LAST)
    return two_product(x, x)


def gaussian(x: Real) -> Real:
    """e^(-x^2), by the instructions that the error functions have in them too."""
    square, rest = _square(absolute(x))
    return decay(square, -rest)


def _tail(magnitude: Real) -> Real:
    """erfc for a magnitude. Both parts of the square go into the exponential."""
    t = inverse(at_most(magnitude, _LAST) + fitted.ERFC_SHIFT)
    v = fma(t, fitted.ERFC_MAP[0], fitted.ERFC_MAP[1])
    return gaussian(magnitude) * (two_horners(v, fitted.ERFC) * t)


def erf(x: Real) -> Real:
    """The error function."""
    size = at_most(absolute(x), fitted.ERF_END)
    return copysign(rise(size * four_horners(size, fitted.ERF)), x)


def erfc(x: Real) -> Real:
    """1 - erf x, to full relative accuracy in the right tail."""
    tail = below_one(_tail(absolute(x)), absolute(x))
    return select(x < 0.0, 2.0 - tail, tail)
