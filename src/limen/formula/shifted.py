"""Sums of exponentials with the largest in front, whatever the numbers in them are.

log(a + exp(b x)) is m + log(a exp(-m) + exp(b x - m)) for any m: with m = max(b x, 0) no step
overflows. The forms for the tails are as good, and shorter, but ask for the values of parameters;
this serves where those are learnt, where there are two inputs, and where there is no such form.

Source: Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions,
IMA J. Numer. Anal. 41 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from limen.formula.expression import (
    HALF,
    ONE,
    ZERO,
    Expression,
    add,
    apply,
    constant,
    divide,
    evaluate,
    multiply,
    negate,
    power,
    rebuild,
    walk,
)

__all__ = ["shifted"]


@dataclass(frozen=True)
class _Scaled:
    """factor * exp(exponent)."""

    factor: Expression
    exponent: Expression = ZERO

    @property
    def whole(self) -> Expression:
        """The two in one; the number alone where there is no exponential."""
        if self.exponent is ZERO:
            return self.factor
        return multiply(self.factor, apply("exp", self.exponent))


@lru_cache(maxsize=1 << 10)
def shifted(root: Expression) -> Expression:
    """The same, with the largest exponential of each sum in front of it.

    Args:
        root: a stable form; it stays as it is where nothing overflows, or vanishes, before the
            result does.
    """
    if not any(map(_tames, walk(root))):
        return root
    found: _Scaled = evaluate(root, _visit)
    return found.whole


_GROWING = frozenset({"add", "multiply", "divide", "power", "sqrt", "abs", "softplus"})


def _tames(node: Expression) -> bool:
    """Whether it makes a moderate number of what may have overflowed, or vanished."""
    match node.operation, node.arguments:
        case "log1p", (a,):
            return _grows(a)
        case "power", (_, n) if n.is_constant and n.payload.denominator == 1:
            return False
        case ("log", (a,)) | ("sqrt", (a,)) | ("power", (a, _)):
            return _grows(a) or _vanishes(a)
        case "divide", (a, b):
            return _grows(b) or (_vanishes(a) and _vanishes(b))
        case "multiply", (a, b):
            return (_is_sum(a) and _vanishes(b)) or (_vanishes(a) and _is_sum(b))
    return False


def _is_sum(node: Expression) -> bool:
    """Whether it is a sum with an exponential, or a power of one."""
    if node.operation == "power":
        return _is_sum(node.arguments[0])
    return node.operation == "add" and _grows(node)


def _grows(node: Expression) -> bool:
    """Whether it is an exponential, or made of one in a way that grows as well."""
    if node.operation in ("exp", "cosh", "sinh"):
        return node.varies
    return node.operation in _GROWING and any(map(_grows, node.arguments))


def _vanishes(node: Expression) -> bool:
    """Whether it decays like an exponential: as a product with one does, or a sum of such."""
    match node.operation, node.arguments:
        case "multiply", factors:
            return any(map(_vanishes, factors))
        case "add", terms:
            return all(map(_vanishes, terms))
        case ("divide", (a, _)) | ("power", (a, _)):
            return _vanishes(a)
    return node.operation in ("exp", "sigmoid", "sech") and node.varies


def _visit(node: Expression, *arguments: _Scaled) -> _Scaled:
    match node.operation, arguments:
        case "exp", (a,) if node.varies:
            return _Scaled(ONE, a.whole)
        case "cosh" | "sinh" | "sech" | "sigmoid", (a,):
            return _of_exponentials(node.operation, a.whole)
        case "add", (a, b):
            return _sum(a, b)
        case "multiply", (a, b):
            return _Scaled(multiply(a.factor, b.factor), add(a.exponent, b.exponent))
        case "divide", (a, b):
            return _Scaled(divide(a.factor, b.factor), _difference(a.exponent, b.exponent))
        case "power", (a, n) if a.exponent is not ZERO:
            return _Scaled(power(a.factor, n.whole), multiply(n.whole, a.exponent))
        case "sqrt", (a,):
            return _Scaled(apply("sqrt", a.factor), multiply(HALF, a.exponent))
        case "abs", (a,) if a.exponent is not ZERO:
            return _Scaled(apply("abs", a.factor), a.exponent)
        case "softplus", (a,) if a.exponent is not ZERO:
            rest = apply("softplus", negate(apply("abs", a.whole)))
            return _sum(_Scaled(apply("maximum", a.factor, ZERO), a.exponent), _Scaled(rest))
        case "log", (a,) if a.exponent is not ZERO:
            return _Scaled(add(a.exponent, apply("log", a.factor)))
        case "log1p", (a,) if a.exponent is not ZERO:
            one_more = _sum(_Scaled(ONE), a)
            far = add(one_more.exponent, apply("log", one_more.factor))
            is_small = apply("less", a.exponent, ZERO)
            return _Scaled(apply("where", is_small, apply("log1p", a.whole), far))
    return _Scaled(rebuild(node, tuple(a.whole for a in arguments)))


def _of_exponentials(operation: str, u: Expression) -> _Scaled:
    """A function that is made of exponentials, with the larger one in front."""
    size = apply("abs", u)
    twice = constant(-2) * size
    match operation:
        case "cosh":
            return _Scaled(HALF + HALF * apply("exp", twice), size)
        case "sinh":
            return _Scaled(constant(-HALF.payload) * apply("sign", u) * apply("expm1", twice), size)
        case "sech":
            return _Scaled(divide(constant(2), ONE + apply("exp", twice)), negate(size))
    return _Scaled(divide(ONE, ONE + apply("exp", negate(size))), apply("minimum", u, ZERO))


def _sum(a: _Scaled, b: _Scaled) -> _Scaled:
    if a.exponent is b.exponent:
        return _Scaled(add(a.factor, b.factor), a.exponent)
    largest = apply("maximum", a.exponent, b.exponent)
    parts = (_Scaled(t.factor, _difference(t.exponent, largest)).whole for t in (a, b))
    return _Scaled(add(*parts), largest)


def _difference(a: Expression, b: Expression) -> Expression:
    return ZERO if a is b else add(a, negate(b))
