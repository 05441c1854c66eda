"""Angles far out, reduced exactly, and their sines and cosines.

An input is m * 2**e with a whole m of at most 24 bits, so slope * x / (2 pi), modulo 1, is m times
a fraction that depends on e alone, known to as many bits as are needed, and its products with m
are exact in parts of 26 bits (Payne and Hanek 1983, Radian Reduction for Trigonometric Functions,
SIGNUM Newsletter 18).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from limen.certify.balls import arb, arb_series, working
from limen.certify.reference import Reference
from limen.certify.taylor import ball_between

__all__ = ["PRECISION", "REDUCED", "line_of", "reduction", "sin_cos"]

PRECISION = 512
"""Bits for the whole turns of the largest float32, and the digits after them."""
REDUCED = math.ldexp(1.0, -76)
"""What the parts leave out of an angle, in radians, and to spare."""

_BITS = 26  # of a part of a fraction: its product with a 24-bit integer is exact
_PARTS = 4


def line_of(reference: Reference, place: int, low: float, high: float) -> tuple[arb, arb] | None:
    """Slope and offset of a node that is a line on a stretch; None where it is none."""
    low, high = sorted((low, high))
    over = reference.everything(ball_between(low, high), PRECISION, 3)[place]
    if not isinstance(over, arb_series) or not over[1].is_finite() or not over[2].is_zero():
        return None
    at = reference.everything(arb(low), PRECISION, 2)[place]
    with working(PRECISION, 1):
        if over[1].rel_accuracy_bits() < PRECISION // 2:
            return None
        return at[1], at[0] - at[1] * arb(low)


def reduction(slope: arb, offset: arb, exponent: int) -> tuple[float, ...]:
    """What `sin_cos` takes to reduce slope * x + offset, x being a multiple of 2**exponent."""
    parts = _parts(slope / (2 * arb.pi()) * arb((1, exponent)))
    start = _parts(offset / (2 * arb.pi()))
    return (math.ldexp(1.0, -exponent), *parts, start[0] + start[1], start[2] + start[3])


def _parts(turns: arb) -> list[float]:
    """A number modulo 1 as parts of 26 bits each."""
    fraction = turns.mid() - turns.mid().floor().mid()
    found = []
    for _ in range(_PARTS):
        fraction = fraction.mid() * arb((1, _BITS))
        whole = int(fraction.floor().unique_fmpz() or 0)
        fraction = (fraction - whole).mid()
        found.append(whole)
    return [math.ldexp(p, -_BITS * (k + 1)) for k, p in enumerate(found)]


@cache
def sin_cos() -> Callable[..., None]:
    """The loop from inputs to sines and cosines.

    Both are good to 8 units of float64, and to what the parts leave out of the angle: the reduced
    angle y has 4 units (of its last sum, the product with pi/2, and pi/2 itself), which sin and cos
    do not enlarge on [-pi/4, pi/4]; their polynomials add 3.
    """
    import numba

    # Taylor polynomials on [-pi/4, pi/4], where the next term is below 2**-60.
    s = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(10)]
    c = [(-1.0) ** k / math.factorial(2 * k) for k in range(10)]
    s1, s2, s3, s4, s5, s6, s7, s8, s9 = s[1:]
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = c[1:]
    half_pi = math.pi / 2

    @numba.njit(nogil=True, error_model="numpy")
    def loop(x, sin, cos, scale, p1, p2, p3, p4, b12, b34):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            m = x[i] * scale
            first = m * p1  # exact, as is all up to `rest`
            first = first - np.floor(first) + m * p2
            first = first - np.floor(first)
            first = first + b12
            quarters = 4.0 * (first - np.floor(first))
            nearest = np.floor(quarters + 0.5)
            rest = (quarters - nearest) + 4.0 * (m * p3 + (m * p4 + b34))
            y = rest * half_pi
            z = y * y
            p = (((((s9 * z + s8) * z + s7) * z + s6) * z + s5) * z + s4) * z + s3
            p = y + y * (z * ((p * z + s2) * z + s1))
            q = (((((c9 * z + c8) * z + c7) * z + c6) * z + c5) * z + c4) * z + c3
            q = 1.0 + z * ((q * z + c2) * z + c1)
            is_odd = nearest == 1.0 or nearest == 3.0
            a = q if is_odd else p
            b = p if is_odd else q
            sin[i] = -a if nearest == 2.0 or nearest == 3.0 else a
            cos[i] = -b if nearest == 1.0 or nearest == 2.0 else b

    return loop
