"""The form of a formula for one tail as a short sum, in which what vanishes there is expanded.

Far to the left softplus(x) exp(-x) - sigmoid(-x) has no digit left: both terms are 1 - exp(x)/2
+ ... With each function written as the sum of the exponentials that it is there, the terms cancel
exactly, and exp(x)/2 - 2 exp(2x)/3 + ... is left. Unlike the forms of `saturate` this is no
identity: it holds from some |x| on, where the terms that are left out are too small to matter.

Source: Gruntz, On computing limits in a symbolic manipulation system (1996), for the scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from limen.formula.expression import ONE, TWO, Expression, apply, evaluate, names, negate
from limen.formula.normal import Sum, as_sum
from limen.formula.saturate import Tail, factored
from limen.formula.tail_sums import Expansion, NoSumError

__all__ = ["expanded"]

# From where on it may hold: the nearest of these at which it is short.
_BEGINNINGS = tuple(2.0 ** (k / 2) for k in (12, 10, 8, 7, 6, 5, 4, 2))
_MOST_TERMS = 9
_EXACT = 46.0  # terms that are smaller than the largest by exp of this, 2**-66, are left out


@lru_cache(maxsize=1 << 8)  # it takes long, and every plan asks again
def expanded(expression: Expression, side: int) -> tuple[Expression, float] | None:
    """The formula for x far out on one side, and the |x| from which on it holds.

    Args:
        expression: the stable form, of one input and no parameters.
        side: 1 or -1.
    """
    (x,) = names(expression, "input") or ("x",)
    found = None
    for begin in _BEGINNINGS:
        try:
            found = _short_sum(expression, Expansion(Tail(x, side), begin)), begin
        except (NoSumError, OverflowError, ZeroDivisionError):
            if found:
                break
    return found


def _short_sum(root: Expression, expansion: Expansion) -> Expression:
    def visit(node: Expression, *arguments: Sum) -> Sum:
        write = _SUMS.get(node.operation) if node.varies else None
        found = write(expansion, *arguments) if write else None
        return as_sum(node) if found is None else found

    kept = expansion.cut(evaluate(root, visit), _EXACT)
    if not 0 < len(kept.terms) <= _MOST_TERMS:
        raise NoSumError
    return factored(kept)


# --- Functions -------------------------------------------------------------------------------

_ONE = as_sum(ONE)


def _scaled(total: Sum, factor: Fraction | int) -> Sum:
    return total.scaled(Fraction(factor))


def _divide(e: Expansion, a: Sum, b: Sum) -> Sum:
    return e.product(a, e.to(b, Fraction(-1)))


def _power(e: Expansion, a: Sum, n: Sum) -> Sum | None:
    exponent = n.build()
    if not exponent.is_constant:
        return None
    return e.to(a, exponent.payload)


def _sqrt(e: Expansion, a: Sum) -> Sum:
    return e.to(a, Fraction(1, 2))


def _expm1(e: Expansion, a: Sum) -> Sum:
    return e.sum(e.exp(a), _scaled(_ONE, -1))


def _log1p(e: Expansion, a: Sum) -> Sum:
    return e.log(e.sum(_ONE, a))


def _sigmoid(e: Expansion, a: Sum) -> Sum | None:
    """1 / (1 + exp(-a)) on the right, exp(a) / (1 + exp(a)) on the left."""
    side = e.side(a)
    if not side:
        return None
    small = e.exp(_scaled(a, -side))
    gate = e.to(e.sum(_ONE, small), Fraction(-1))
    return gate if side > 0 else e.product(small, gate)


def _softplus(e: Expansion, a: Sum) -> Sum | None:
    """log(1 + exp(a)), and a more on the right."""
    side = e.side(a)
    if not side:
        return None
    rest = _log1p(e, e.exp(_scaled(a, -side)))
    return e.sum(a, rest) if side > 0 else rest


def _tanh(e: Expansion, a: Sum) -> Sum | None:
    """s (1 - 2 sigmoid(-2 s a))."""
    side = e.side(a)
    gate = _sigmoid(e, _scaled(a, -2 * side)) if side else None
    return None if gate is None else _scaled(e.sum(_ONE, _scaled(gate, -2)), side)


def _sech(e: Expansion, a: Sum) -> Sum | None:
    """2 exp(-s a) / (1 + exp(-2 s a))."""
    side = e.side(a)
    if not side:
        return None
    under = e.sum(_ONE, e.exp(_scaled(a, -2 * side)))
    return e.product(_scaled(e.exp(_scaled(a, -side)), 2), e.to(under, Fraction(-1)))


def _cosh(e: Expansion, a: Sum) -> Sum:
    return _scaled(e.sum(e.exp(a), e.exp(_scaled(a, -1))), Fraction(1, 2))


def _sinh(e: Expansion, a: Sum) -> Sum:
    return _scaled(e.sum(e.exp(a), _scaled(e.exp(_scaled(a, -1)), -1)), Fraction(1, 2))


def _erfc(e: Expansion, a: Sum) -> Sum | None:
    """exp(-a**2) erfcx(a) on the right, 2 - erfc(-a) on the left."""
    side = e.tail.heading(a.build())
    if not side:
        return None
    u = _scaled(a, side).build()
    decay = e.product(e.exp(as_sum(negate(u**2))), as_sum(apply("erfcx", u)))
    return decay if side > 0 else e.sum(as_sum(TWO), _scaled(decay, -1))


def _erf(e: Expansion, a: Sum) -> Sum | None:
    found = _erfc(e, a)
    return None if found is None else e.sum(_ONE, _scaled(found, -1))


def _abs(e: Expansion, a: Sum) -> Sum | None:
    u = a.build()
    side = e.tail.heading(u) or e.tail.sign_of_limit(u)
    return _scaled(a, side) if side and math.copysign(1, e.tail.value(u, e.begin)) == side else None


_SUMS: dict[str, Callable[..., Sum | None]] = {
    "add": Expansion.sum,
    "multiply": Expansion.product,
    "divide": _divide,
    "power": _power,
    "sqrt": _sqrt,
    "exp": Expansion.exp,
    "expm1": _expm1,
    "log": Expansion.log,
    "log1p": _log1p,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanh": _tanh,
    "sech": _sech,
    "cosh": _cosh,
    "sinh": _sinh,
    "erf": _erf,
    "erfc": _erfc,
    "abs": _abs,
}
