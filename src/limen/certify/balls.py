"""Every operation on truncated power series whose coefficients are balls (Arb, python-flint).

A series in t stands for a function of the leaf by which one derives, x + t: its coefficients are
f(x), f'(x), f''(x)/2, ... Composing series needs no derivative rules of ours, so the reference
checks limen's table of derivatives rather than repeating it.

Arb: Johansson 2017, Arb: Efficient Arbitrary-Precision Midpoint-Radius Interval Arithmetic,
IEEE Transactions on Computers 66(8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from limen.errors import LimenError

try:
    import flint
    from flint import arb, arb_series, fmpq, fmpq_series
except ImportError as error:  # pragma: no cover - the message is tested in a fresh process
    raise LimenError(
        'the rigorous reference needs python-flint: pip install "limen[certify]"'
    ) from error

__all__ = [
    "SERIES",
    "arb",
    "arb_series",
    "fmpq",
    "fmpq_series",
    "length",
    "undefined",
    "working",
]

Series = arb_series

_NAN = arb("nan")


def undefined() -> Series:
    """What an operation yields outside its domain, and a choice that precision cannot decide."""
    return arb_series([_NAN] * flint.ctx.cap)


# Arb's exp gives up at 2**128. Larger arguments are reduced here, up to this many bits, which
# covers a cubic of inputs a little beyond the range of float64; below minus that, exp is bounded.
_MOST_EXP_BITS = 9000
_LARGE = arb((1, 120))
_NEXT_TO_NOTHING = arb(0, arb((1, -(1 << _MOST_EXP_BITS))))


@contextmanager
def working(precision: int, length: int) -> Iterator[None]:
    """Sets python-flint's precision in bits and the length of its series for a while."""
    saved = flint.ctx.prec, flint.ctx.cap
    flint.ctx.prec, flint.ctx.cap = precision, length
    try:
        yield
    finally:
        flint.ctx.prec, flint.ctx.cap = saved


def length() -> int:
    """How many coefficients series have for now."""
    return int(flint.ctx.cap)


def _with_value(series: Series, value: arb) -> Series:
    """The series with a better enclosure of its first coefficient."""
    coefficients = series.coeffs()
    coefficients[:1] = [value]
    return arb_series(coefficients)


def _integer(a: arb) -> int:
    """The integer that an exact ball is."""
    integer = a.unique_fmpz()
    assert integer is not None
    return int(integer)


def _exp_of_large(a: arb) -> arb:
    """exp(a) for |a| too large for Arb: exp(a - n ln 2) 2**n, with the digits n costs added."""
    mantissa, exponent = a.mid().man_exp()
    bits = int(mantissa.bit_length() + exponent)
    if not a.rad() < 1 or bits > _MOST_EXP_BITS:  # of a wide ball, Arb takes the ends
        return _NEXT_TO_NOTHING if a < -1 - arb((1, _MOST_EXP_BITS)) else a.exp()
    with flint.ctx.workprec(flint.ctx.prec + bits + 8):
        log2 = arb.const_log2()
        n = _integer((a.mid() / log2).mid().floor())
        rest = a - n * log2
    return rest.exp() * arb((1, n))


def _exp(s: Series) -> Series:
    value = s[0]
    if abs(value) > _LARGE:
        return _with_value(s, arb(0)).exp() * _exp_of_large(value)
    return s.exp()


def _inverse(s: Series) -> Series:
    return undefined() if s[0].contains(0) else s.inv()


def _power(a: Series, b: Series) -> Series:
    exponent = b[0]
    if b.length() <= 1 and exponent.is_integer():
        n = _integer(exponent)
        return a**n if n >= 0 else _inverse(a**-n)
    if a[0].is_zero() and exponent > 0:
        return _power_of_zero(a, b)
    return _exp(b * a.log()) if a[0] > 0 else undefined()


def _power_of_zero(a: Series, b: Series) -> Series:
    """0**b and its derivatives: 0 as far as they are finite for certain."""
    if a.length() == 0 or not flint.ctx.cap > 1 or b[0] > flint.ctx.cap - 1:
        return arb_series([])
    return arb_series([arb(0), *[_NAN] * (flint.ctx.cap - 1)])


def _sqrt(s: Series) -> Series:
    if s.length() <= 1 and s[0].is_zero():
        return arb_series([])
    return s.sqrt() if s[0] >= 0 else undefined()


def _log(s: Series) -> Series:
    return s.log() if s[0] > 0 else undefined()


def _log1p(s: Series) -> Series:
    return _with_value(_log(1 + s), s[0].log1p())


def _expm1(s: Series) -> Series:
    e = _exp(s)
    return _with_value(e, s[0].expm1()) if abs(s[0]) < 1 else e - 1


def _sigmoid(s: Series) -> Series:
    if s[0] > 0:
        return (1 + _exp(-s)).inv()
    e = _exp(s)  # exp of something large and positive may be too large for a ball
    return e * (1 + e).inv()


def _softplus(s: Series) -> Series:
    e = _exp(s)
    return _with_value((1 + e).log(), e[0].log1p())


def _tanh(s: Series) -> Series:
    return -_tanh(-s) if s[0] < 0 else _with_value(-2 * _sigmoid(-2 * s), s[0].tanh())


def _sech(s: Series) -> Series:
    e = _exp(-s) if s[0] > 0 else _exp(s)
    return 2 * e * (1 + e * e).inv()


def _sinh(s: Series) -> Series:
    sinh = (_exp(s) - _exp(-s)) / 2
    return _with_value(sinh, s[0].sinh()) if abs(s[0]) < 1 else sinh


def _sin_plus_cos(s: Series) -> Series:
    sin, cos = s.sin_cos()
    return sin + cos


SERIES: dict[str, Callable[..., Series]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a * _inverse(b),
    "power": _power,
    "sqrt": _sqrt,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sin": lambda s: s.sin(),
    "cos": lambda s: s.cos(),
    "sinh": _sinh,
    "cosh": lambda s: (_exp(s) + _exp(-s)) / 2,
    "tanh": _tanh,
    "sech": _sech,
    "atan": lambda s: s.atan(),
    "erf": lambda s: s.erf(),
    "erfc": lambda s: s.erfc(),
    "erfcx": lambda s: _exp(s * s) * s.erfc(),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanhshrink": lambda s: s - _tanh(s),
    "sin_plus_cos": _sin_plus_cos,
    "pi": lambda: arb_series([arb.pi()]),
    "e": lambda: arb_series([arb.const_e()]),
}
"""Every operation that is not a choice: its function of series. Choices are the reference's."""
