"""Plain erfcx, exp(x^2) erfc x: relative error below 2^-50, far out on the right too.

Between 0.625 and 26.6 it is the polynomial that erfc uses; beyond, the asymptotic series
(1 - z + 3 z^2 - 15 z^3 + ...) / (x sqrt(pi)) with z = 1/(2 x^2) (A&S 7.1.23).
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.exact import two_product
from limen.kernels.primitives.lanes import Real, absolute, at_most, fma, horner, select
from limen.kernels.primitives.plain_error import erfc
from limen.kernels.primitives.plain_exponential import scaled_exp

#: Where the polynomial ends, and where exp(x^2) is infinite.
_JOINT, _LAST = 26.6, 26.7
_INVERSE_ROOT_PI = 0.5641895835477563
#: (-1)^n (2n - 1)!!
ASYMPTOTIC = (1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0, -135135.0)


def _right(x: Real) -> Real:
    """erfcx for x from 0.625 on."""
    t = 1.0 / (at_most(x, _JOINT) + fitted.ERFC_SHIFT)
    middle = horner(fma(t, fitted.ERFC_MAP[0], fitted.ERFC_MAP[1]), fitted.ERFC) * t
    inverse = 1.0 / x
    far = horner(inverse * inverse * 0.5, ASYMPTOTIC) * (inverse * _INVERSE_ROOT_PI)
    return select(x > _JOINT, far, middle)


def erfcx(x: Real) -> Real:
    """exp(x^2) erfc x; infinite from x = -26.6 down."""
    magnitude = absolute(x)
    square, rest = two_product(*[at_most(magnitude, _LAST)] * 2)
    grown = scaled_exp(square, correction=rest)
    right = _right(magnitude)
    far = select(x < 0.0, 2.0 * grown - right, right)
    return select(magnitude > fitted.ERFCX_JOINT, far, grown * erfc(x))
