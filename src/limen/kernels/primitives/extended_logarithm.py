"""Extended logarithms, softplus and powers: relative error below 2^-60, beside 1 too.

x = 2^k m, and log m = -log c + log(1 + r) with c close to 1/m from a table, c = 1 around m = 1, and
r = c m - 1 exactly. (Tang, "Table-driven implementation of the logarithm function in IEEE
floating-point arithmetic", 1990.)
"""

from __future__ import annotations

from math import inf, nan

from limen.kernels.primitives import fitted_extended as fitted
from limen.kernels.primitives import lanes, pairs
from limen.kernels.primitives.exact import quick_two_sum, two_product, two_sum
from limen.kernels.primitives.extended_arithmetic import mul
from limen.kernels.primitives.extended_exponential import power_of_two, scaled_exp
from limen.kernels.primitives.lanes import Real, Truth, absolute, at_most, estrin, fma
from limen.kernels.primitives.pairs import Pair
from limen.kernels.primitives.plain_logarithm import split_exponent
from limen.kernels.primitives.tables import Table, row_number

_LOGARITHMS = Table("logarithms", fitted.LOGARITHMS)
_FIRST_ROW = 90.0
#: Below it x stands for log(1 + x).
_TINY = 2.0**-66


def _log_in_parts(m: Pair, less_one: Pair | None, known: Truth | None) -> tuple[Pair, Pair]:
    """log m for m in [1/sqrt(2), 2], as a tabulated pair and a small one.

    `less_one` is m - 1 with digits that m has not; it is used about m = 1 where it is `known`.
    """
    c, base, base_low = _LOGARITHMS.look_up(row_number(fma(m[0], 128.0, -_FIRST_ROW)))
    product, error = two_product(c, m[0])
    r, r_low = quick_two_sum(product - 1.0, fma(c, m[1], error))
    if less_one is not None:
        about_one = c.equals(1.0) & known if known else c.equals(1.0)
        r, r_low = pairs.select(about_one, less_one, (r, r_low))
    square, square_error = two_product(r, r)
    value, lost = quick_two_sum(r, square * -0.5)
    cubic = fma(estrin(r, fitted.LOG), r * square, square_error * -0.5)
    return (base, base_low), (value, lost + (fma(-r, r_low, r_low) + cubic))


def _log(x: Pair, less_one: Pair | None = None) -> Pair:
    """log x for positive finite x; `less_one` is x - 1, where that is known to more digits."""
    k, m = split_exponent(x[0])
    m_low = x[1] * 0.5 * power_of_two(at_most(1.0 - k, 1023.0))
    (base, base_low), (value, low) = _log_in_parts((m, m_low), less_one, k.equals(0.0))
    base, base_lost = quick_two_sum(k * fitted.LN2[0], base)
    total, lost = quick_two_sum(base, value)
    return quick_two_sum(total, low + (lost + (base_lost + fma(k, fitted.LN2[1], base_low))))


def _at_the_ends(x: Real, value: Pair) -> Pair:
    """`value` where x is positive and finite; the logarithm's limits and NaN elsewhere."""
    end = lanes.select(x > 0.0, x, lanes.select(x.equals(0.0), -inf, nan))
    return pairs.select((x > 0.0) & (x < inf), value, (end, 0.0))


def log(x: Pair) -> Pair:
    """The natural logarithm; -inf at 0, NaN below."""
    return _at_the_ends(x[0], _log(x))


def _one_plus(x: Pair) -> Pair:
    total, lost = two_sum(1.0, x[0])
    return quick_two_sum(total, lanes.select(x[0] < inf, lost + x[1], 0.0))


def log1p(x: Pair) -> Pair:
    """log(1 + x); -inf at -1, NaN below."""
    one_plus = _one_plus(x)
    value = _at_the_ends(one_plus[0], _log(one_plus, x))
    return pairs.select(absolute(x[0]) < _TINY, x, value)


def softplus(x: Pair) -> Pair:
    """log(1 + e^x) = max(x, 0) + log(1 + e^(-|x|))."""
    e = scaled_exp(pairs.negate(pairs.magnitude(x)))
    tabulated, small = _log_in_parts(pairs.add_to_constant(1.0, e), e, None)
    log1p_of_e = pairs.add_smaller(tabulated, small)
    base = pairs.select((x[0] > 0.0) & (x[0] < inf), x, (0.0, 0.0))
    return pairs.select(x[0].equals(inf), (inf, 0.0), pairs.add(base, log1p_of_e))


def power(x: Pair, exponent: Pair) -> Pair:
    """x^exponent for x >= 0 and a constant exponent: e^(exponent log x). NaN below 0.

    The relative error is that of the logarithm, 2^-67, times |exponent log x|.
    """
    value = scaled_exp(mul(_log(x), exponent))
    sign = exponent[0]
    at_infinity = lanes.select(sign > 0.0, inf, lanes.select(sign < 0.0, 0.0, 1.0))
    at_zero = lanes.select(sign > 0.0, 0.0, lanes.select(sign < 0.0, inf, 1.0))
    end = lanes.select(x[0] > 0.0, at_infinity, lanes.select(x[0].equals(0.0), at_zero, nan))
    return pairs.select((x[0] > 0.0) & (x[0] < inf), value, (end, 0.0))
