"""Extended erfcx, exp(x^2) erfc x: relative error below 2^-60, far out on the right too.

Between 0.625 and 27.3 it is the pieces that erfc uses; beyond, the asymptotic series
(1 - z + 3 z^2 - 15 z^3 + ...) / (x sqrt(pi)) with z = 1/(2 x^2) (A&S 7.1.23).
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_extended as fitted
from limen.kernels.primitives import pairs
from limen.kernels.primitives.extended_arithmetic import div, mul, square, sub
from limen.kernels.primitives.extended_error import erfc, erfc_over_decay
from limen.kernels.primitives.extended_exponential import exp
from limen.kernels.primitives.lanes import horner
from limen.kernels.primitives.pairs import Pair

_JOINT, _LAST = 27.3, 26.7
_INVERSE_ROOT_PI = (0.5641895835477563, 7.66772980658294e-18)
#: (-1)^n (2n - 1)!! from n = 2 on, z being at most 2^-10.5
_ASYMPTOTIC = (3.0, -15.0, 105.0, -945.0, 10395.0, -135135.0, 2027025.0, -34459425.0)


def _far(x: Pair) -> Pair:
    """erfcx for x from 27.3 on."""
    inverse = div((x[0].lift(1.0), x[0].lift(0.0)), x)
    z = pairs.scale(square(inverse), 0.5)
    rest = horner(z[0], _ASYMPTOTIC) * z[0] * z[0]
    series = pairs.add_to_constant(1.0, pairs.add_smaller(pairs.negate(z), (rest, rest.lift(0.0))))
    root = (x[0].lift(_INVERSE_ROOT_PI[0]), x[0].lift(_INVERSE_ROOT_PI[1]))
    return mul(series, mul(inverse, root))


def erfcx(x: Pair) -> Pair:
    """exp(x^2) erfc x; infinite from x = -26.6 down."""
    magnitude = pairs.magnitude(x)
    held = pairs.select(magnitude[0] < _LAST, magnitude, (_LAST, 0.0))
    held = pairs.select(x[0].equals(x[0]), held, x)
    grown = exp(square(held))
    right = pairs.select(magnitude[0] > _JOINT, _far(magnitude), erfc_over_decay(magnitude))
    far = pairs.select(x[0] < 0.0, sub(pairs.scale(grown, 2.0), right), right)
    return pairs.select(magnitude[0] > fitted.ERF_JOINT, far, mul(grown, erfc(x)))
