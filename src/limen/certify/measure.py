"""The error of a computed number in units in the last place (ULP), against an exact ball.

The error of `c` against the exact value `e` is |c - e| divided by the spacing of the target
format's numbers in e's binade, the subnormal spacing below it. An overflow is right when e rounds
to infinity. Every figure here is an upper bound: the ball's radius counts as error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limen.errors import DtypeError

if TYPE_CHECKING:
    from flint import arb

__all__ = ["FORMATS", "Format", "format_of", "is_tight", "ulp_error"]

# An enclosure is narrow enough when its radius is at most 2**-GUARD_BITS of the spacing:
# errors are then known to a quarter of a thousandth of an ULP.
GUARD_BITS = 12


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format (IEEE 754-2019, section 3.3).

    Attributes:
        name: the dtype's name.
        precision: bits of the significand, the leading one included.
        smallest_exponent: the smallest subnormal number is 2 to this power.
        largest_exponent: the largest finite numbers lie below 2 to this power, plus one.
    """

    name: str
    precision: int
    smallest_exponent: int
    largest_exponent: int

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return math.ldexp(2.0 - math.ldexp(1.0, 1 - self.precision), self.largest_exponent)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with a full significand."""
        return math.ldexp(1.0, self.smallest_exponent + self.precision - 1)

    def spacing_exponent(self, binade: int) -> int:
        """The spacing of the numbers in [2**binade, 2**(binade + 1)), as a power of two."""
        return max(binade - self.precision + 1, self.smallest_exponent)


FORMATS = {
    format_.name: format_
    for format_ in (
        Format("float64", 53, -1074, 1023),
        Format("float32", 24, -149, 127),
        Format("float16", 11, -24, 15),
        Format("bfloat16", 8, -133, 127),
    )
}
"""The formats limen computes in, by the name of their dtype."""


def format_of(dtype: object) -> Format:
    """The format of a dtype, a scalar type, or a dtype's name.

    Raises:
        DtypeError: for a dtype limen does not compute with.
    """
    name = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype)
    try:
        return FORMATS[name]
    except KeyError:
        raise DtypeError(f"no such format: {name}; limen has {', '.join(FORMATS)}") from None


def _binade(number: arb) -> int | None:
    """The k with 2**k <= |number| < 2**(k + 1), of an exact number; None for 0."""
    mantissa, exponent = number.man_exp()
    return int(mantissa.bit_length() + exponent) - 1 if mantissa else None


def _spacing_exponent(ball: arb, format_: Format) -> int:
    binade = _binade(ball.mid())
    if binade is None:
        return format_.smallest_exponent
    # Beyond the largest finite number the spacing stays that of the last binade.
    return format_.spacing_exponent(min(binade, format_.largest_exponent))


def is_tight(ball: arb, format_: Format) -> bool:
    """Whether a ball is narrow enough to measure errors in this format."""
    if not ball.is_finite():
        return False
    if ball.rel_accuracy_bits() > format_.precision + GUARD_BITS:
        return True
    radius = _binade(ball.rad())
    return radius is None or radius < _spacing_exponent(ball, format_) - GUARD_BITS


def ulp_error(computed: float, ball: arb, format_: Format) -> float:
    """The error of a computed number in ULP, against the ball that holds the exact value.

    Args:
        computed: a number of the format.
        ball: an enclosure of the exact value; an infinite or NaN ball stands for itself.
        format_: the format of `computed`.

    Returns:
        An upper bound of the error; infinite where the computed number is NaN or infinite and the
        exact value does not round to it, and where the ball proves nothing.

    Example:
        >>> from flint import arb
        >>> round(ulp_error(1 + 2**-23, arb(1), FORMATS["float32"]), 6)
        1.0
    """
    from flint import arb

    if ball.is_nan():
        return 0.0 if math.isnan(computed) else math.inf
    if math.isnan(computed):
        return math.inf
    if math.isinf(computed):
        # Halfway between the largest finite number and the next one that the format lacks.
        p = format_.precision
        edge = arb(((1 << (p + 1)) - 1, format_.largest_exponent - p))
        return 0.0 if (ball if computed > 0 else -ball) >= edge else math.inf
    if not ball.is_finite():
        return math.inf
    scale = arb((1, -_spacing_exponent(ball, format_)))
    return float(((arb(computed) - ball) * scale).abs_upper())
