"""The functions of a series, with and without a pole. What series are for is said in `series`.

Sources: Knuth, The Art of Computer Programming, volume 2, section 4.7, for the recurrences;
A&S 7.1.23 for erfcx at infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from limen.formula.analysis import digits
from limen.formula.analysis.series_arithmetic import (
    NoSeriesError,
    Series,
    constant_series,
    minus,
    over,
    plus,
    raised,
    scaled,
    stripped,
    times,
)
from limen.formula.expression import apply, input_

__all__ = ["FUNCTIONS", "at_pole"]


def _through(name: str, factor: Callable[[Series], Series]) -> Callable[[Series], Series]:
    """f(u) by its derivative: f(u)' = factor(u) u'."""

    def function(u: Series) -> Series:
        dense = u.dense()
        value = _value(name, u.term(0))
        slope = [k * c for k, c in enumerate(dense)][1:]
        if not any(slope):
            return constant_series(value, max(len(dense), 1))
        rising = times(factor(u), stripped(0, slope)).dense()
        return stripped(0, [value, *(c / (k + 1) for k, c in enumerate(rising))])

    return function


def _value(name: str, u: Any) -> Any:
    found = digits.regular(apply(name, input_("x")), u)
    if found is None:
        raise NoSeriesError
    return found


def _exp(u: Series) -> Series:
    """y = exp(u) by k y_k = sum of j u_j y_(k-j)."""
    terms = u.dense() or [digits.number(0)]
    mp = digits.context()
    y = [mp.exp(terms[0])]
    weighted = [j * c for j, c in enumerate(terms)]
    for k in range(1, len(terms)):
        y.append(mp.fdot(weighted[1 : k + 1], y[k - 1 :: -1]) / k)
    return Series(0, tuple(y))


def _shifted(u: Series, number: int) -> Series:
    return plus(u, constant_series(digits.number(number), max(len(u.dense()), 1)))


def _cos_sin(u: Series) -> tuple[list[Any], list[Any]]:
    terms = u.dense() or [digits.number(0)]
    mp = digits.context()
    cos, sin = [_value("cos", terms[0])], [_value("sin", terms[0])]
    weighted = [j * c for j, c in enumerate(terms)]
    for k in range(1, len(terms)):
        sin.append(mp.fdot(weighted[1 : k + 1], cos[k - 1 :: -1]) / k)
        cos.append(-mp.fdot(weighted[1 : k + 1], sin[k - 1 :: -1]) / k)
    return cos, sin


def _sigmoid(u: Series) -> Series:
    if u.term(0) > 0:
        return raised(_shifted(_exp(scaled(u, -1)), 1), -1)
    e = _exp(u)
    return over(e, _shifted(e, 1))


def _tanh(u: Series) -> Series:
    e = FUNCTIONS["expm1"](scaled(u, 2))
    return over(e, _shifted(e, 2))


def _cosh(u: Series) -> Series:
    return scaled(plus(_exp(u), _exp(scaled(u, -1))), digits.number(Fraction(1, 2)))


def _bell(u: Series) -> Series:
    """erf'(u) = 2/sqrt(pi) exp(-u**2)."""
    mp = digits.context()
    return scaled(_exp(scaled(times(u, u), -1)), 2 / mp.sqrt(mp.pi))


FUNCTIONS: dict[str, Callable[[Series], Series]] = {
    "exp": _exp,
    "expm1": _through("expm1", _exp),
    "log": _through("log", lambda u: raised(u, -1)),
    "log1p": _through("log1p", lambda u: raised(_shifted(u, 1), -1)),
    "sin": lambda u: u if u.is_zero else stripped(0, _cos_sin(u)[1]),
    "cos": lambda u: stripped(0, _cos_sin(u)[0]),
    "sin_plus_cos": _through("sin_plus_cos", lambda u: _cosine_less_sine(u)),
    "sinh": _through("sinh", _cosh),
    "cosh": _cosh,
    "tanh": _tanh,
    "sech": lambda u: raised(_cosh(u), -1),
    "atan": _through("atan", lambda u: raised(_shifted(times(u, u), 1), -1)),
    "erf": _through("erf", _bell),
    "erfc": _through("erfc", lambda u: scaled(_bell(u), -1)),
    "erfcx": lambda u: times(_exp(times(u, u)), FUNCTIONS["erfc"](u)),
    "sigmoid": _sigmoid,
    "softplus": _through("softplus", _sigmoid),
    "tanhshrink": lambda u: minus(u, _tanh(u)),
}


def _cosine_less_sine(u: Series) -> Series:
    cos, sin = _cos_sin(u)
    return stripped(0, [c - s for c, s in zip(cos, sin, strict=True)])


# --- Functions of a series with a pole -------------------------------------------------------


def at_pole(name: str, u: Series) -> Series:
    """f(u) for u that goes to infinity, without what is exponentially small."""
    sign, length = u.sign, len(u.terms)
    limit = _SATURATED.get(name, (None, None))[sign > 0]
    if limit is not None:
        return constant_series(digits.number(limit), length)
    one = digits.number(1)
    match name:
        case "softplus":  # on the right; on the left it is 0, above
            return u
        case "tanhshrink":
            return minus(u, constant_series(sign * one, length))
        case "erfcx" if sign > 0:
            return _erfcx_far(u)
        case "atan":
            quarter = constant_series(sign * digits.context().pi / 2, length)
            return minus(quarter, FUNCTIONS["atan"](raised(u, -1)))
    raise NoSeriesError


def _erfcx_far(u: Series) -> Series:
    """(1 - z + 3 z**2 - 15 z**3 + ...) / (u sqrt(pi)) with z = 1/(2 u**2).

    It does not converge, but comes as near as its smallest term.
    """
    z = scaled(raised(times(u, u), -1), digits.number(Fraction(1, 2)))
    total = term = constant_series(digits.number(1), len(u.terms))
    for odd in range(1, len(u.terms), 2):
        term = scaled(times(term, z), -odd)
        total = plus(total, term)
    return scaled(times(total, raised(u, -1)), 1 / digits.context().sqrt(digits.context().pi))


_SATURATED: dict[str, tuple[int | None, int | None]] = {
    "exp": (0, None),
    "expm1": (-1, None),
    "tanh": (-1, 1),
    "sech": (0, 0),
    "erf": (-1, 1),
    "erfc": (2, 0),
    "sigmoid": (0, 1),
    "softplus": (0, None),
}
"""What is left of a function at -infinity and at +infinity; None: more than a number."""
