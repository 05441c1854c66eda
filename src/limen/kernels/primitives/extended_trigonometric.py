"""Extended sine, cosine and arctangent: relative error below 2^-60, beside roots too.

The sine of pi f comes from a table of sine and cosine at multiples a of pi/128 and the addition
theorem: sin(a + d) = sin a cos d + cos a sin d with |d| <= pi/256, where all but sin a + d cos a is
small enough for float64. The arctangent likewise: atan t = atan c + atan((t - c)/(1 + c t)).
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_extended as fitted
from limen.kernels.primitives import lanes, pairs
from limen.kernels.primitives.exact import quick_two_sum, two_product
from limen.kernels.primitives.half_turns import half_turns_of_pair, negate_where_odd
from limen.kernels.primitives.lanes import Real, absolute, at_most, estrin, fma, rint
from limen.kernels.primitives.pairs import Pair
from limen.kernels.primitives.tables import Table, row_number

_SINES = Table("sines", fitted.SINES)
_ARCTANGENTS = Table("arctangents", fitted.ARCTANGENTS)
_TINY = 2.0**-34
_HUGE = 2.0**900


def _sine_of_half_turns(f: Pair) -> Pair:
    """sin(pi f) for |f| <= 1/2."""
    j = rint(f[0] * 128.0)
    sine, sine_low, cosine, cosine_low = _SINES.look_up(row_number(j + 64.0))
    g = fma(j, -1 / 128, f[0])
    d, d_low = two_product(g, fitted.PI[0])
    d, d_low = quick_two_sum(d, fma(g, fitted.PI[1], fma(f[1], fitted.PI[0], d_low)))
    z = d * d
    product, error = two_product(cosine, d)
    total, lost = quick_two_sum(sine, product)
    low = fma(estrin(z, fitted.COSINE) * z, sine, fma(cosine_low, d, sine_low + error))
    low = fma(estrin(z, fitted.SINE) * z * d, cosine, low)
    return quick_two_sum(total, fma(d_low, fma(-sine, d, cosine), lost + low))


def _sine(x: Pair, phase: float) -> Pair:
    """sin(x + phase pi)."""
    x_low = lanes.select(absolute(x[1]) < absolute(x[0]), x[1], 0.0)
    n, f = half_turns_of_pair((x[0], x_low), phase)
    high, low = _sine_of_half_turns(f)
    return negate_where_odd(high, n), negate_where_odd(low, n)


def sin(x: Pair) -> Pair:
    """The sine of x radians; NaN at infinity."""
    return pairs.select(absolute(x[0]) < _TINY, x, _sine(x, 0.0))


def cos(x: Pair) -> Pair:
    """The cosine of x radians; NaN at infinity."""
    return _sine(x, 0.5)


def sin_plus_cos(x: Pair) -> Pair:
    """sin x + cos x = sqrt(2) sin(x + pi/4), whose roots lie at -pi/4 + k pi."""
    high, low = _sine(x, 0.25)
    product, error = two_product(high, fitted.SQRT_2[0])
    return quick_two_sum(product, fma(high, fitted.SQRT_2[1], fma(low, fitted.SQRT_2[0], error)))


def atan(x: Pair) -> Pair:
    """The arctangent, through t = min(|x|, 1/|x|) and the nearest c of 0, 1/32, ... 1."""
    size = pairs.magnitude(x)
    high = at_most(size[0], _HUGE)
    size = high, lanes.select(high.equals(size[0]), size[1], 0.0)
    inverted = high > 1.0
    numerator = pairs.select(inverted, (1.0, 0.0), size)
    denominator = pairs.select(inverted, size, (1.0, 0.0))
    j = rint(numerator[0] / denominator[0] * 32.0)
    c = j * (1 / 32)
    v = pairs.divide(
        pairs.add(numerator, _times(denominator, -c)),
        pairs.add_smaller(denominator, _times(numerator, c)),
    )
    v = pairs.select(inverted, pairs.negate(v), v)
    base = _ARCTANGENTS.look_up(row_number(lanes.select(inverted, j + 33.0, j)))
    z = v[0] * v[0]
    v = v[0], fma(estrin(z, fitted.ATAN) * z, v[0], v[1])
    value = pairs.with_sign(pairs.add_smaller((base[0], base[1]), v), x[0])
    return pairs.select(absolute(x[0]) < _TINY, x, value)


def _times(a: Pair, factor: Real) -> Pair:
    product, error = two_product(a[0], factor)
    return product, fma(a[1], factor, error)
