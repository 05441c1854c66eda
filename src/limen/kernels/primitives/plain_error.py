"""Plain error function and its complement: relative error below 2^-50, in erfc's tail too.

For |x| <= 0.625, erf x = x P(x^2). Beyond, erfc x = e^(-x^2) t Q(t) with t = 1/(x + 5/2): one
polynomial in such a t serves the whole half line (Shepherd and Laframboise, "Chebyshev
approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", 1981).
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.exact import two_product
from limen.kernels.primitives.lanes import Real, absolute, at_most, copysign, fma, horner, select
from limen.kernels.primitives.plain_exponential import scaled_exp

#: erfc x underflows to 0 beyond 27.2.
_LAST = 27.3


def _erf_near(x: Real) -> Real:
    """erf x for |x| <= 0.625."""
    z = at_most(x * x, fitted.ERF_JOINT**2)
    return x * horner(z, fitted.ERF)


def _erfc_far(magnitude: Real) -> Real:
    """erfc for a magnitude of at least 0.625. Both parts of the square go into the exponential."""
    x = at_most(magnitude, _LAST)
    square, rest = two_product(x, x)
    t = 1.0 / (x + fitted.ERFC_SHIFT)
    v = fma(t, fitted.ERFC_MAP[0], fitted.ERFC_MAP[1])
    return scaled_exp(-square, correction=-rest) * (horner(v, fitted.ERFC) * t)


def erf(x: Real) -> Real:
    """The error function."""
    magnitude = absolute(x)
    far = copysign(1.0 - _erfc_far(magnitude), x)
    return select(magnitude > fitted.ERF_JOINT, far, _erf_near(x))


def erfc(x: Real) -> Real:
    """1 - erf x, to full relative accuracy in the right tail."""
    magnitude = absolute(x)
    tail = _erfc_far(magnitude)
    far = select(x < 0.0, 2.0 - tail, tail)
    return select(magnitude > fitted.ERF_JOINT, far, 1.0 - _erf_near(x))
