"""The expansion of a formula at infinity, operation by operation.

Every operation reduces to a few: sums and products, powers, logarithms and exponentials of an
expansion, Taylor's formula where the argument tends to a number, and identities such as
tanh(u) = (1 - y)/(1 + y) with y = exp(-2u). A choice takes the branch that its condition has from
the start on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from limen.formula.analysis import digits
from limen.formula.analysis.expansion import (
    UNIT,
    Expansion,
    Rational,
    Rest,
    Scale,
    TooNearError,
    UnsupportedError,
    plain,
)
from limen.formula.analysis.taylor import taylor
from limen.formula.expression import Expression, apply, constant, evaluate, input_
from limen.formula.operations import COMPARISONS

__all__ = ["UndefinedError", "expand"]

X = input_("x")
_TOP = Scale(1, 0, ())
_LOG = Scale(0, 1, ())


class UndefinedError(Exception):
    """The formula has no real value there."""


def expand(expression: Expression, start: float) -> Expansion:
    """The expansion of a formula in x as x goes to infinity.

    Args:
        expression: a formula in x without parameters.
        start: from where on the expansion shall hold.

    Raises:
        TooNearError: when a later start could help.
        UnsupportedError: when none would.
        UndefinedError: when the formula has no real value from the start on.
    """

    def visit(node: Expression, *arguments: Any) -> Any:
        if node.operation == "input":
            return Expansion(start, {_TOP: digits.number(1)})
        if node.operation in ("constant", "pi", "e"):
            return Expansion.constant(digits.value(node, 0), start)
        if node.operation == "where":
            return _chosen(*arguments)
        broken = next((a for a in arguments if isinstance(a, Exception)), None)
        if broken is not None:
            return broken
        try:
            return _OPERATIONS[node.operation](*arguments)
        except (UndefinedError, UnsupportedError, TooNearError) as problem:
            return problem  # a branch that is not taken may be anything

    result = evaluate(expression, visit)
    if isinstance(result, Exception):
        raise result
    assert isinstance(result, Expansion)
    return result


def _chosen(condition: Any, yes: Any, no: Any) -> Any:
    if isinstance(condition, Exception):
        return condition
    return yes if condition else no


# --- Arithmetic -------------------------------------------------------------------------------


def _one(u: Expansion) -> Expansion:
    return Expansion.constant(digits.number(1), u.start)


def _minus(u: Expansion, v: Expansion) -> Expansion:
    return u.plus(v.scaled(-1))


def _normalised(u: Expansion) -> tuple[Scale, Any, Expansion]:
    """u as c * scale * (1 + small): the leading term, and the factor in brackets."""
    scale, c = u.leading
    return scale, c, u.scaled(1 / c, scale.to(-1))


def _power_of(u: Expansion, n: Rational) -> Expansion:
    if u.is_zero:
        if n > 0:
            return u
        raise UndefinedError
    if n.denominator == 1 and 0 < n <= 4:
        result = u
        for _ in range(int(n) - 1):
            result = result.times(u)
        return result
    scale, c, factor = _normalised(u)
    if c < 0 and n.denominator != 1:
        raise UndefinedError
    raised = digits.context().power(c, digits.number(n))
    return taylor(X ** constant(n), factor).scaled(raised, scale.to(n))


def _power(u: Expansion, n: Expansion) -> Expansion:
    exponent = n.terms.get(UNIT, digits.number(0))
    return _power_of(u, _rational(exponent))


def _rational(c: Any) -> Rational:
    """The fraction that an exponent is, if it is one of a float's precision."""
    exact = digits.fraction(c)
    simple = exact.limit_denominator(10**6)
    if abs(digits.number(simple) - c) <= digits.SAME * abs(c):
        return plain(simple)
    if exact == Fraction(float(exact)):
        return exact
    raise UnsupportedError


# --- Exponentials and logarithms --------------------------------------------------------------


def _exp(u: Expansion) -> Expansion:
    exponent, small = [], {}
    power: Rational = 0
    value = digits.number(1)
    for scale, c in u.terms.items():
        if scale.growth < 0:
            small[scale] = c
        elif scale.growth == 0:
            value = digits.context().exp(c)
        elif scale.logs == 0 and not scale.exponent:
            exponent.append((scale.power, c))
        elif scale == _LOG:
            power = _rational(c)
        else:
            return _exp_of_fast(u)
    scale = Scale(power, 0, tuple(exponent))
    if u.rest is None or u.rest.scale.growth < 0:
        rest = Expansion(u.start, small, [u.rest] if u.rest else [])
        return taylor(apply("exp", X), rest).scaled(value, scale)
    if u.rest.scale.growth == 0 and not small:
        bounds = math.exp(u.rest.low), math.exp(u.rest.high)
        wave = Rest(UNIT, bounds[0] * (1 - 1e-12), bounds[1] * (1 + 1e-12), u.rest.oscillates)
        return Expansion(u.start, {}, [wave]).scaled(value, scale)
    raise UnsupportedError


def _exp_of_fast(u: Expansion) -> Expansion:
    """exp(u) where u outgrows every power: beyond exp(t**4), or between 0 and exp(-t**4)."""
    sign = u.sign()
    quartic = Expansion(u.start, {Scale(4, 0, ()): digits.number(-sign)})
    if u.plus(quartic).sign() != sign:
        raise TooNearError
    scale = Scale(0, 0, ((4, digits.number(sign)),))
    bounds = (1.0, math.inf) if sign > 0 else (0.0, 1.0)
    return Expansion(u.start, {}, [Rest(scale, *bounds, nonzero=True)])


def _log(u: Expansion) -> Expansion:
    if u.is_zero:
        raise UndefinedError
    scale, c, factor = _normalised(u)
    if c < 0:
        raise UndefinedError
    if scale.logs:
        raise UnsupportedError
    terms = {Scale(q, 0, ()): p for q, p in scale.exponent}
    if scale.power:
        terms[_LOG] = digits.number(scale.power)
    value = digits.context().log(c)
    if value:
        terms[UNIT] = value
    return Expansion(u.start, terms).plus(taylor(apply("log", X), factor))


# --- The functions of the table ---------------------------------------------------------------


def _tends_to_number(u: Expansion) -> bool:
    largest = [*list(u.terms)[:1], *([u.rest.scale] if u.rest else [])]
    if u.rest and u.rest.scale.growth >= 0:
        return False
    return all(scale.growth <= 0 for scale in largest)


def _smooth(name: str, far: Callable[[Expansion, int], Expansion]) -> Callable[..., Expansion]:
    """A function smooth everywhere: Taylor's formula near a number, `far(u, sign)` at infinity."""

    def expand_function(u: Expansion) -> Expansion:
        if _tends_to_number(u):
            return taylor(apply(name, X), u)
        return far(u, u.sign())

    return expand_function


def _sigmoid_far(u: Expansion, sign: int) -> Expansion:
    small = _exp(u.scaled(-sign))
    inverse = _power_of(_one(u).plus(small), -1)
    return inverse if sign > 0 else small.times(inverse)


def _softplus_far(u: Expansion, sign: int) -> Expansion:
    small = taylor(apply("log1p", X), _exp(u.scaled(-sign)))
    return u.plus(small) if sign > 0 else small


def _tanh_far(u: Expansion, sign: int) -> Expansion:
    small = _exp(u.scaled(-2 * sign))
    ratio = _minus(_one(u), small).times(_power_of(_one(u).plus(small), -1))
    return ratio.scaled(sign)


def _sech_far(u: Expansion, sign: int) -> Expansion:
    small = _exp(u.scaled(-sign))
    return small.scaled(2).times(_power_of(_one(u).plus(small.times(small)), -1))


def _atan_far(u: Expansion, sign: int) -> Expansion:
    turned = taylor(apply("atan", X), _power_of(u, -1))
    right = Expansion.constant(digits.context().pi * sign / 2, u.start)
    return _minus(right, turned)


def _erfc_far(u: Expansion, sign: int) -> Expansion:
    """exp(-u^2)/(u sqrt(pi)) (1 - 1/(2u^2) + 3/(4u^4) - ...): each partial sum bounds the rest.

    Source: Abramowitz and Stegun (1964), 7.1.23 and 7.1.24.
    """
    if sign < 0:
        return _minus(_one(u).scaled(2), _erfc_far(u.scaled(-1), 1))
    square = u.times(u)
    inverse = _power_of(square, -1)
    series = _minus(_one(u), inverse.scaled(digits.number(Fraction(1, 2))))
    bound = Expansion(u.start, {}, [Rest(UNIT, 0.0, 0.75)])
    series = series.plus(inverse.times(inverse).times(bound))
    front = _exp(square.scaled(-1)).times(_power_of(u, -1))
    return front.times(series).scaled(1 / digits.context().sqrt(digits.context().pi))


def _erfcx_far(u: Expansion, sign: int) -> Expansion:
    return _exp(u.times(u)).times(_erfc_far(u, sign))


def _erf_far(u: Expansion, sign: int) -> Expansion:
    return _minus(_one(u), _erfc_far(u.scaled(sign), 1)).scaled(sign)


def _sinh(u: Expansion) -> Expansion:
    if _tends_to_number(u):
        return taylor(apply("sinh", X), u)
    return _minus(_exp(u), _exp(u.scaled(-1))).scaled(digits.number(Fraction(1, 2)))


def _cosh_far(u: Expansion, sign: int) -> Expansion:
    return _exp(u).plus(_exp(u.scaled(-1))).scaled(digits.number(Fraction(1, 2)))


def _wave(bound: float) -> Callable[[Expansion, int], Expansion]:
    """sin and its like at infinity: between -bound and bound, and at both again and again."""
    return lambda u, sign: Expansion(u.start, {}, [Rest(UNIT, -bound, bound, oscillates=True)])


def _expm1(u: Expansion) -> Expansion:
    if _tends_to_number(u):
        return taylor(apply("expm1", X), u)
    return _minus(_exp(u), _one(u))


def _log1p(u: Expansion) -> Expansion:
    if _tends_to_number(u) and u.terms.get(UNIT, 0) != -1:
        return taylor(apply("log1p", X), u)
    return _log(u.plus(_one(u)))


def _order(holds: Callable[[int, int], bool]) -> Callable[[Expansion, Expansion], bool]:
    return lambda u, v: holds(_minus(u, v).sign(), 0)


def _maximum(u: Expansion, v: Expansion) -> Expansion:
    return v if _minus(v, u).sign() > 0 else u


def _minimum(u: Expansion, v: Expansion) -> Expansion:
    return v if _minus(v, u).sign() < 0 else u


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": Expansion.plus,
    "multiply": Expansion.times,
    "divide": lambda u, v: u.times(_power_of(v, -1)),
    "power": _power,
    **{name: _order(holds) for name, holds in COMPARISONS.items()},
    "minimum": _minimum,
    "maximum": _maximum,
    "clip": lambda u, low, high: _minimum(_maximum(u, low), high),
    "abs": lambda u: u.scaled(u.sign() or 1),
    "sign": lambda u: Expansion.constant(digits.number(u.sign()), u.start),
    "sqrt": lambda u: _power_of(u, Fraction(1, 2)),
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sin": _smooth("sin", _wave(1.0)),
    "cos": _smooth("cos", _wave(1.0)),
    "sin_plus_cos": _smooth("sin_plus_cos", _wave(math.nextafter(math.sqrt(2.0), 2.0))),
    "sinh": _sinh,
    "cosh": _smooth("cosh", _cosh_far),
    "tanh": _smooth("tanh", _tanh_far),
    "sech": _smooth("sech", _sech_far),
    "atan": _smooth("atan", _atan_far),
    "erf": _smooth("erf", _erf_far),
    "erfc": _smooth("erfc", _erfc_far),
    "erfcx": _smooth("erfcx", _erfcx_far),
    "sigmoid": _smooth("sigmoid", _sigmoid_far),
    "softplus": _smooth("softplus", _softplus_far),
    "tanhshrink": _smooth("tanhshrink", lambda u, sign: _minus(u, _tanh_far(u, sign))),
}
"""`subtract` and `negate` are spellings: expressions hold sums and products only."""
