"""Plain sine, cosine and arctangent: relative error below 2^-50 beside roots too.

A moderate x is taken into [-pi/2, pi/2] by multiples of pi in three parts (Cody and Waite,
"Software Manual for the Elementary Functions", 1980); beyond, by a table (`half_turns`), in three
times the time. Whichever does it, a number has one sine: the functions that serve all numbers
compute both and choose.
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.exact import quick_two_sum, two_product, two_sum
from limen.kernels.primitives.half_turns import half_turns, negate_where_odd
from limen.kernels.primitives.lanes import (
    ROUNDER,
    Real,
    absolute,
    copysign,
    fma,
    horner,
    rint,
    select,
)

#: Below it x stands for sin x, -0 too.
_TINY = 2.0**-28
#: The largest |x| that counts as moderate.
_MODERATE = 2.0**19


def _moderate_sine(x: Real, phase: float, x_low: Real | None = None) -> Real:
    """sin(x + x_low + phase pi) for a moderate x: (-1)^n sin(r), with x + phase pi = n pi + r."""
    turns = fma(x, fitted.INVERSE_PI, phase) if phase else x * fitted.INVERSE_PI
    shifted = turns + ROUNDER
    n = shifted - ROUNDER
    k = n - phase if phase else n
    first = fma(k, -fitted.SHORT_PI[0], x)
    second = k * fitted.SHORT_PI[1]
    r = first - second
    rest = fma(k, -fitted.SHORT_PI[2], (first - r) - second)
    r = r + (rest if x_low is None else rest + x_low)
    z = r * r
    value = fma(horner(z, fitted.SINE_OF_RADIANS) * z, r, r)
    value = ((shifted.bits() << 63) ^ value.bits()).as_real()
    return value if phase else select(absolute(x) < _TINY, x, value)


def _any_sine(x: Real, phase: float) -> Real:
    """sin(x + phase pi) for any x: (-1)^n sin(pi f), with x / pi + phase = n + f."""
    far = _sine_of_half_turns(*half_turns(x, phase))
    return select(absolute(x) <= _MODERATE, _moderate_sine(x, phase), far)


def _any_sine_of_product(a: Real, b: Real, phase: float) -> Real:
    """sin(a b + phase pi) for any product, of which no digit is lost."""
    x, x_low = two_product(a, b)
    n, f, f_low = half_turns(x, phase)
    m, g, g_low = half_turns(x_low, 0.0)
    total, lost = two_sum(f, g)
    carry = rint(total)
    far = _sine_of_half_turns(n + m + carry, *quick_two_sum(total - carry, lost + (f_low + g_low)))
    return select(absolute(x) <= _MODERATE, _moderate_sine(x, phase, x_low), far)


def _sine_of_half_turns(n: Real, f: Real, f_low: Real) -> Real:
    """(-1)^n sin(pi (f + f_low)) for |f| <= 1/2."""
    z = f * f
    low = fma(f_low, fitted.PI[0], f * fitted.PI[1])
    value = fma(f, fitted.PI[0], fma(horner(z, fitted.SINE) * z, f, low))
    return negate_where_odd(value, n)


def sin(x: Real) -> Real:
    """The sine of x radians; NaN at infinity."""
    return _any_sine(x, 0.0)


def cos(x: Real) -> Real:
    """The cosine of x radians; NaN at infinity."""
    return _any_sine(x, 0.5)


def sin_plus_cos(x: Real) -> Real:
    """sin x + cos x = sqrt(2) sin(x + pi/4), whose roots lie at -pi/4 + k pi."""
    return _any_sine(x, 0.25) * fitted.SQRT_2


def sin_of_product(a: Real, b: Real) -> Real:
    """The sine of a b radians, which are not rounded."""
    return _any_sine_of_product(a, b, 0.0)


def cos_of_product(a: Real, b: Real) -> Real:
    """The cosine of a b radians."""
    return _any_sine_of_product(a, b, 0.5)


def sin_plus_cos_of_product(a: Real, b: Real) -> Real:
    """The sum of both."""
    return _any_sine_of_product(a, b, 0.25) * fitted.SQRT_2


def moderate_sin(x: Real) -> Real:
    """The sine of x radians, |x| <= 2^19."""
    return _moderate_sine(x, 0.0)


def moderate_cos(x: Real) -> Real:
    """The cosine of x radians, |x| <= 2^19."""
    return _moderate_sine(x, 0.5)


def moderate_sin_plus_cos(x: Real) -> Real:
    """The sum of both."""
    return _moderate_sine(x, 0.25) * fitted.SQRT_2


def moderate_sin_of_product(a: Real, b: Real) -> Real:
    """The sine of a b radians, |a b| <= 2^19, which are not rounded."""
    x, x_low = two_product(a, b)
    return _moderate_sine(x, 0.0, x_low)


def moderate_cos_of_product(a: Real, b: Real) -> Real:
    """The cosine of a b radians, |a b| <= 2^19."""
    x, x_low = two_product(a, b)
    return _moderate_sine(x, 0.5, x_low)


def moderate_sin_plus_cos_of_product(a: Real, b: Real) -> Real:
    """The sum of both."""
    x, x_low = two_product(a, b)
    return _moderate_sine(x, 0.25, x_low) * fitted.SQRT_2


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
