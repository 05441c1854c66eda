"""Extended error function, its complement, and x - tanh x: relative error below 2^-60.

They share one device: a smooth function tabulated as polynomials of degree 6 about evenly spaced
centers, so close that of c0 + c1 d + c2 d^2 + ... only c0 and c1 need two parts. For the error
functions the smooth function is erf(x)/x near 0 and erfc(x) e^(x^2) (1 + x), in 1/(1 + x), beyond.
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_extended as fitted
from limen.kernels.primitives import fitted_pieces, lanes, pairs
from limen.kernels.primitives.exact import quick_two_sum, two_product
from limen.kernels.primitives.extended_exponential import scaled_exp
from limen.kernels.primitives.lanes import Real, Truth, at_most, estrin, fma, rint
from limen.kernels.primitives.pairs import Pair
from limen.kernels.primitives.tables import Table, row_number

_ERROR_PIECES = Table("error_pieces", fitted_pieces.ERROR_PIECES)
_TANHSHRINK_PIECES = Table("tanhshrink_pieces", fitted_pieces.TANHSHRINK_PIECES)
#: Row 0 is about t = 9/256; the row about x^2/2 = 0 is the 151st.
_FIRST_FAR, _FIRST_NEAR = -9.0, 150.0
#: Beyond it x - tanh x is x.
_NO_TANH = 2.0**70
#: erfc x underflows to 0 beyond.
_LAST = 27.3


def _piecewise(table: Table, variable: Pair, spacing: float, first_row: Real | float) -> Pair:
    """The value at `variable` of the polynomial about the nearest multiple of `spacing`."""
    j = rint(variable[0] * (1.0 / spacing))
    constant, constant_low, slope, slope_low, *higher = table.look_up(row_number(j + first_row))
    d = fma(j, -spacing, variable[0])
    product, error = two_product(slope, d)
    total, lost = quick_two_sum(constant, product)
    curved = fma(estrin(d, higher), d, slope_low)
    low = fma(curved, d, fma(slope, variable[1], constant_low)) + (lost + error)
    return quick_two_sum(total, low)


def _hold(x: Pair, bound: float) -> Pair:
    """The smaller of x and `bound`."""
    high = at_most(x[0], bound)
    return high, lanes.select(high.equals(x[0]), x[1], 0.0)


def _near_or_far(x: Pair) -> tuple[Truth, Pair]:
    """Whether |x| <= 0.625, and erf|x| where it is, else erfc|x|."""
    size = _hold(pairs.magnitude(x), _LAST)
    near = size[0] <= fitted.ERF_JOINT
    square = pairs.square(size)
    inverse = pairs.reciprocal(pairs.add_constant(1.0, size))
    variable = pairs.select(near, pairs.scale(square, 0.5), inverse)
    first_row = lanes.select(near, _FIRST_NEAR, _FIRST_FAR)
    smooth = _piecewise(_ERROR_PIECES, variable, 1 / 256, first_row)
    decay = pairs.multiply(scaled_exp(pairs.negate(square)), inverse)
    return near, pairs.multiply(smooth, pairs.select(near, size, decay))


def erfc_over_decay(x: Pair) -> Pair:
    """erfc(x) exp(x^2) for x between 0.625 and 27.3; elsewhere, that of the nearer end."""
    least = fitted.ERF_JOINT  # a smaller x, which the caller does not take, has no row
    held = pairs.select(x[0] < least, (least, 0.0), _hold(x, _LAST))
    inverse = pairs.reciprocal(pairs.add_constant(1.0, held))
    return pairs.multiply(_piecewise(_ERROR_PIECES, inverse, 1 / 256, _FIRST_FAR), inverse)


def erf(x: Pair) -> Pair:
    """The error function."""
    near, value = _near_or_far(x)
    far = pairs.add_to_constant(1.0, pairs.negate(value))
    return pairs.with_sign(pairs.select(near, value, far), x[0])


def erfc(x: Pair) -> Pair:
    """1 - erf x, to full relative accuracy in the right tail."""
    near, value = _near_or_far(x)
    # On the left, 2 - erfc|x|; near 0, 1 - erf x.
    taken_off = pairs.select(near, pairs.with_sign(value, x[0]), value)
    rest = pairs.add_to_constant(lanes.select(near, 1.0, 2.0), pairs.negate(taken_off))
    return pairs.select(near | (x[0] < 0.0), rest, value)


def tanhshrink(x: Pair) -> Pair:
    """x - tanh x: x^3 P(x^2) for |x| <= 1; beyond, |x| - 1 + 2w/(1 + w) with w = e^(-2|x|)."""
    size = pairs.magnitude(x)
    w = scaled_exp(pairs.scale(size, -2.0))
    far = pairs.add(
        pairs.add_constant(-1.0, size),
        pairs.divide(pairs.scale(w, 2.0), pairs.add_to_constant(1.0, w)),
    )
    small = _hold(size, 1.0)
    square = pairs.square(small)
    smooth = _piecewise(_TANHSHRINK_PIECES, square, 1 / 128, 0.0)
    near = pairs.multiply(pairs.multiply(square, small), smooth)
    value = pairs.with_sign(pairs.select(size[0] > 1.0, far, near), x[0])
    return pairs.select(size[0] < _NO_TANH, value, x)
