"""Plain sine, cosine and arctangent: relative error below 2^-50 beside roots too."""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.half_turns import half_turns, negate_where_odd
from limen.kernels.primitives.lanes import Real, absolute, copysign, fma, horner, select

_TINY = 2.0**-28


def _sine(x: Real, phase: float) -> Real:
    """sin(x + phase pi): (-1)^n sin(pi f), with x / pi + phase = n + f."""
    n, f, f_low = half_turns(x, phase)
    z = f * f
    low = fma(f_low, fitted.PI[0], f * fitted.PI[1])
    value = fma(f, fitted.PI[0], fma(horner(z, fitted.SINE) * z, f, low))
    return negate_where_odd(value, n)


def sin(x: Real) -> Real:
    """The sine of x radians; NaN at infinity."""
    return select(absolute(x) < _TINY, x, _sine(x, 0.0))


def cos(x: Real) -> Real:
    """The cosine of x radians; NaN at infinity."""
    return _sine(x, 0.5)


def sin_plus_cos(x: Real) -> Real:
    """sin x + cos x = sqrt(2) sin(x + pi/4), whose roots lie at -pi/4 + k pi."""
    return _sine(x, 0.25) * fitted.SQRT_2


def atan(x: Real) -> Real:
    """The arctangent: of some |q| <= tan(pi/8), added to one of 0, pi/4 and pi/2."""
    magnitude = absolute(x)
    middle, large = magnitude > fitted.TAN_EIGHTH_PI[0], magnitude > fitted.TAN_EIGHTH_PI[1]
    numerator = select(large, -1.0, select(middle, magnitude - 1.0, magnitude))
    denominator = select(large, magnitude, select(middle, magnitude + 1.0, 1.0))
    base, base_low = (
        select(large, fitted.HALF_PI[part], select(middle, fitted.QUARTER_PI[part], 0.0))
        for part in (0, 1)
    )
    q = numerator / denominator
    z = q * q
    return copysign(base + (q + fma(horner(z, fitted.ATAN) * z, q, base_low)), x)
