"""Power series whose balls are wide: what a formula does on a whole stretch of inputs at once.

A ball holds a midpoint and a radius, which serves exp on [2, 3] well and exp on [100, 1e38] not at
all: its lower end is lost, and with it log(1 + exp(x)). A wide exponential therefore stays as it
is, exp(exponent) times a factor, for as long as sums, products, quotients, powers and logarithms
can carry it; exp(-x) beside 1 is then what it should be, next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from limen.certify.balls import SERIES, arb, arb_series, length, undefined

__all__ = ["NOTHING", "WIDE", "Scaled", "difference", "least_size"]

_WIDE = arb(1)  # a ball of exponents with a larger radius has exponentials of no use
_VERY_SMALL = arb(-1000)
_MUCH = arb(1 << 16)  # exp(-_MUCH) is next to nothing, whatever its derivatives bring
_LARGE_ENOUGH = arb(200)  # exp of this is beyond the range of float32, and then some


class Scaled:
    """exp(exponent) * factor, both of them power series."""

    __slots__ = ("exponent", "factor")

    def __init__(self, exponent: arb_series, factor: arb_series) -> None:
        self.exponent = exponent
        self.factor = factor

    def __getitem__(self, place: int) -> arb:
        """The coefficient of a power, as far as a ball can hold it."""
        return _plain(self)[place]


class Nothing:
    """What a formula gives on numbers outside its domain: no number at all."""

    def __getitem__(self, place: int) -> arb:
        """No ball."""
        return arb("nan")


NOTHING = Nothing()
Wide = Any  # arb_series, Scaled, or, off the domain of a logarithm or a root, NOTHING


def _number(value: float) -> arb_series:
    """A constant, known to as many powers as are asked for now: a series remembers how many."""
    return arb_series([value] if value else [])


def least_size(number: Scaled, place: int = 0) -> tuple[arb, int]:
    """A lower bound of the size of a scaled series' coefficient, and its sign; 0 if undecided."""
    exponent = number.exponent[0].lower()
    if exponent > _LARGE_ENOUGH:
        exponent = _LARGE_ENOUGH
    shape = _shape(number)[place]
    sign = 1 if shape > 0 else -1 if shape < 0 else 0
    return exponent.exp() * abs(shape).lower(), sign


def _parts(a: Wide) -> tuple[arb_series, arb_series]:
    return (a.exponent, a.factor) if isinstance(a, Scaled) else (_number(0), a)


def _made(exponent: arb_series, factor: arb_series) -> Wide:
    if exponent.length() == 0:
        return factor
    if exponent[0].rad() <= _WIDE:
        return SERIES["exp"](exponent) * factor
    return Scaled(exponent, factor)


def _plain(a: Wide) -> arb_series:
    """The number as a series of balls; undefined where none would hold it usefully."""
    if not isinstance(a, Scaled):
        series: arb_series = a
        return series
    if a.exponent[0] < _VERY_SMALL:
        first, *others = a.exponent.coeffs()
        nearest = abs(first).lower()
        return _vanishing([c / nearest for c in others], nearest) * a.factor
    if a.exponent[0] <= _WIDE:
        plain: arb_series = SERIES["exp"](a.exponent) * a.factor
        return plain
    return undefined()


def _shape(a: Scaled) -> arb_series:
    """The series over exp of the exponent's first coefficient."""
    shape: arb_series = arb_series([0, *a.exponent.coeffs()[1:]]).exp() * a.factor
    return shape


def _difference(a: arb_series, b: arb_series) -> arb_series:
    """a - b; nothing at all where both are written alike, for they come from one expression."""
    return _number(0) if _is_same(a, b) else a - b


def _is_same(a: arb_series, b: arb_series) -> bool:
    if a is b:
        return True
    left, right = a.coeffs(), b.coeffs()
    return len(left) == len(right) and all(
        p.mid() == q.mid() and p.rad() == q.rad() for p, q in zip(left, right, strict=True)
    )


def _add(a: Wide, b: Wide) -> Wide:
    if not (isinstance(a, Scaled) or isinstance(b, Scaled)):
        return a + b
    (p, m), (q, n) = _parts(a), _parts(b)
    apart = _difference(p, q)
    if apart[0] <= 0:
        return _made(q, n + m * apart.exp())
    if apart[0] >= 0:
        return _made(p, m + n * (-apart).exp())
    return undefined()


def difference(a: Wide, b: Wide) -> arb:
    """A ball with the sign of a - b for every pair of values the two have together."""
    apart = _add(a, _negate(b))
    return (apart.factor if isinstance(apart, Scaled) else apart)[0]


def _multiply(a: Wide, b: Wide) -> Wide:
    if not (isinstance(a, Scaled) or isinstance(b, Scaled)):
        return a * b
    (p, m), (q, n) = _parts(a), _parts(b)
    return _made(_difference(p, -q), m * n)


def _divide(a: Wide, b: Wide) -> Wide:
    (p, m), (q, n) = _parts(a), _parts(b)
    return _made(_difference(p, q), SERIES["divide"](m, n))


def _power(a: Wide, b: Wide) -> Wide:
    if not isinstance(a, Scaled):
        is_root = b.length() <= 1 and b[0].is_exact() and not b[0].is_integer()
        return NOTHING if is_root and a[0] < 0 else SERIES["power"](a, b)
    return _made(a.exponent * b, SERIES["power"](a.factor, b))


def _sqrt(a: Wide) -> Wide:
    if not isinstance(a, Scaled):
        return NOTHING if a[0] < 0 else SERIES["sqrt"](a)
    return _made(a.exponent / 2, SERIES["sqrt"](a.factor))


def _log(a: Wide) -> Wide:
    if not isinstance(a, Scaled):
        return NOTHING if a[0] < 0 else SERIES["log"](a)
    return a.exponent + SERIES["log"](a.factor)


def _log1p(a: Wide) -> Wide:
    if isinstance(a, Scaled) or a[0] < -1 or a[0].rad() > _WIDE:
        return _log(_add(_number(1), a))
    return SERIES["log1p"](a)


def _exp(a: Wide) -> Wide:
    if isinstance(a, Scaled):
        return _exp_of_minus_much(a) if a.exponent[0] > 0 else SERIES["exp"](_plain(a))
    return Scaled(a, _number(1)) if a[0].rad() > _WIDE else SERIES["exp"](a)


def _exp_of_minus_much(a: Scaled) -> arb_series:
    """exp(w) where w <= -least: next to nothing, with all its derivatives."""
    least, sign = least_size(a)
    if not (sign < 0 and least >= length()):
        return undefined()
    return _vanishing((_shape(a) * (1 / a.factor[0])).coeffs()[1:], least)


def _vanishing(shape: list[arb], least: arb) -> arb_series:
    """Balls about 0 that hold exp(w) for every w(t) = w(0) (1 + shape t), w(0) <= -least.

    The k-th coefficient is exp(w(0)) times a polynomial of degree k in w(0), whose size
    |w|**j exp(-|w|) falls from |w| = j on: any smaller |w| than the least bounds it.
    """
    if least > _MUCH:
        least = _MUCH
    sizes = arb_series([arb(0), *(abs(c).upper() for c in shape)])
    bounds = (sizes * least).exp() * (-least).exp()
    return arb_series([arb(0, b.upper()) for b in bounds.coeffs()])


def _negate(a: Wide) -> Wide:
    return Scaled(a.exponent, -a.factor) if isinstance(a, Scaled) else -a


def _sigmoid(a: Wide) -> Wide:
    if not isinstance(a, Scaled):
        return SERIES["sigmoid"](a)
    if a.factor[0] > 0:
        return _divide(_number(1), _add(_number(1), _exp(_negate(a))))
    e = _exp(a)
    return _divide(e, _add(_number(1), e))


def _softplus(a: Wide) -> Wide:
    is_positive = a.factor[0] > 0 if isinstance(a, Scaled) else a[0] > 0
    if is_positive:
        return _add(a, _log(_add(_number(1), _exp(_negate(a)))))
    return SERIES["softplus"](_plain(a))


def _tanh(a: Wide) -> Wide:
    if not isinstance(a, Scaled):
        return SERIES["tanh"](a)
    return _add(_number(1), _multiply(_number(-2), _sigmoid(_multiply(_number(-2), a))))


def _half_sum(sign: int) -> Callable[[Wide], Wide]:
    """(exp(a) + sign * exp(-a)) / 2."""

    def of(a: Wide) -> Wide:
        away = _multiply(_number(sign / 2), _exp(_negate(a)))
        return _add(_multiply(_number(1 / 2), _exp(a)), away)

    return of


def _where_wide(name: str, wide: Callable[[Wide], Wide]) -> Callable[[Wide], Wide]:
    """The ordinary operation on narrow balls, another on wide ones."""
    narrow = SERIES[name]

    def of(a: Wide) -> Wide:
        return wide(a) if isinstance(a, Scaled) or a[0].rad() > _WIDE else narrow(a)

    return of


def _on_plain(operation: Callable[..., arb_series]) -> Callable[..., arb_series]:
    return lambda *arguments: operation(*map(_plain, arguments))


WIDE: dict[str, Callable[..., Wide]] = {
    **{name: _on_plain(operation) for name, operation in SERIES.items()},
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "sqrt": _sqrt,
    "log": _log,
    "log1p": _log1p,
    "exp": _exp,
    "expm1": _where_wide("expm1", lambda a: _add(_exp(a), _number(-1))),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanh": _tanh,
    "tanhshrink": lambda a: _add(a, _negate(_tanh(a))),
    "sinh": _where_wide("sinh", _half_sum(-1)),
    "cosh": _where_wide("cosh", _half_sum(1)),
}
"""The operations of `SERIES`, for balls of any width."""
