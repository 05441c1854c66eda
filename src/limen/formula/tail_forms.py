"""How a function is written for a tail of a formula: see `saturate`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from limen.formula.expression import (
    HALF,
    ONE,
    TWO,
    ZERO,
    Expression,
    apply,
    constant,
    divide,
    negate,
)
from limen.formula.normal import Product, Sum, as_product, as_sum, expand

if TYPE_CHECKING:
    from limen.formula.saturate import Tail

__all__ = ["FORMS", "MODERATE", "is_simple", "one_exponential"]

MODERATE = (2.0**14, 300.0)
"""Points where terms are compared: so far out that one outgrows the others, and, where the
logarithm of a term is infinite there, a nearer one."""


def one_exponential(product: Product) -> Product:
    """exp(a) exp(b) as exp(a + b), and by no other rule."""
    exponent = ZERO
    rest = product.copy()
    for base, n in product.powers.items():
        if base.operation == "exp":
            rest.times(base, -n)
            exponent = exponent + constant(n) * base.arguments[0]
    exponent = as_sum(exponent).build()
    return rest if exponent is ZERO else rest.times(apply("exp", exponent))


def _tanh(tail: Tail, u: Expression) -> Expression | None:
    """tanh(u) = s (1 - 2 sigmoid(-2 s u))."""
    s = tail.heading(u)
    inner = apply("sigmoid", constant(-2 * s) * u)
    return constant(s) * (1 - TWO * tail.remainder(inner)) if s else None


def _erf(tail: Tail, u: Expression) -> Expression | None:
    """erf(u) = s (1 - erfc(s u))."""
    s = tail.heading(u)
    return constant(s) * (1 - _erfc_right(tail, constant(s) * u)) if s else None


def _erfc(tail: Tail, u: Expression) -> Expression | None:
    """erfc(u) = 2 - erfc(-u) on the left, exp(-u**2) erfcx(u) on the right."""
    s = tail.heading(u)
    if s < 0:
        return 2 - _erfc_right(tail, negate(u))
    decay = apply("exp", as_sum(negate(u**2)).build())
    return decay * tail.remainder(apply("erfcx", u)) if s else None


def _erfc_right(tail: Tail, u: Expression) -> Expression:
    return tail.remainder(apply("erfc", u))


def _sigmoid(tail: Tail, u: Expression) -> Expression | None:
    """sigmoid(u) = 1 - sigmoid(-u) on the right, exp(u) sigmoid(-u) on the left."""
    s = tail.heading(u)
    if s > 0:
        return 1 - _decay(tail, u)
    return _decay(tail, negate(u)) if s else None


def _decay(tail: Tail, u: Expression) -> Expression:
    """sigmoid(-u) = exp(-u) sigmoid(u)."""
    return apply("exp", as_sum(negate(u)).build()) * tail.remainder(apply("sigmoid", u))


def _sech(tail: Tail, u: Expression) -> Expression | None:
    """sech(u) = 2 exp(-s u) sigmoid(2 s u)."""
    s = tail.heading(u)
    if not s:
        return None
    decay = apply("exp", as_sum(constant(-s) * u).build())
    return TWO * decay * tail.remainder(apply("sigmoid", constant(2 * s) * u))


def _cosh(tail: Tail, u: Expression) -> Expression:
    """cosh(u) = (exp(u) + exp(-u)) / 2."""
    return HALF * (apply("exp", u) + apply("exp", as_sum(negate(u)).build()))


def _sinh(tail: Tail, u: Expression) -> Expression | None:
    """sinh(u) = (exp(u) - exp(-u)) / 2, where that does not cancel."""
    if not tail.heading(u):
        return None
    return HALF * (apply("exp", u) - apply("exp", as_sum(negate(u)).build()))


def _softplus(tail: Tail, u: Expression) -> Expression | None:
    """softplus(u) = u + softplus(-u) on the right."""
    return u + tail.remainder(apply("softplus", negate(u))) if tail.heading(u) > 0 else None


def _expm1(tail: Tail, u: Expression) -> Expression | None:
    """expm1(u) = exp(u) - 1, where that does not cancel."""
    return apply("exp", u) - 1 if tail.heading(u) else None


def _atan(tail: Tail, u: Expression) -> Expression | None:
    """atan(u) = s pi/2 - atan(1/u)."""
    s = tail.heading(u)
    if not s:
        return None
    return constant(s) * HALF * apply("pi") - tail.remainder(apply("atan", divide(ONE, u)))


def _abs(tail: Tail, u: Expression) -> Expression | None:
    """abs(u) = s u for what goes to infinity, or has a limit other than 0: from somewhere on."""
    s = tail.heading(u) or tail.sign_of_limit(u)
    return constant(s) * u if s else None


def _sqrt(tail: Tail, u: Expression) -> Expression | None:
    """sqrt(D + r) = sqrt(D) sqrt(1 + r / D), with D the term that outgrows the others."""
    spread = _spread(as_sum(u))
    leading = tail.top(spread)
    if leading is None or not any(base.operation == "exp" for base in leading.powers):
        return None
    if not _is_positive(tail, leading):
        return None
    rest = ONE + _over(spread.minus(leading), leading).build()
    root = one_exponential(as_product(apply("sqrt", leading.build())).copy())
    return root.build() * (ONE if rest is ONE else tail.remainder(apply("sqrt", rest)))


def _log(tail: Tail, u: Expression) -> Expression | None:
    """log(D + r) = log(D) + log1p(r / D), with D the term that outgrows the others."""
    total = as_sum(u)
    if len(total.terms) == 1:
        (product,) = total.products()
        if any(_log_of_factor(tail, b) for b in product.powers if b.operation != "input"):
            return _log_of_product(tail, product)
    found = _log_of(tail, total)
    if found is None and total.terms.get(frozenset()) == 1 and len(total.terms) > 1:
        return apply("log1p", total.minus(Product()).build())
    return found


def _log1p(tail: Tail, u: Expression) -> Expression | None:
    """log1p(u) as log(1 + u), where that is large, or its constants cancel."""
    total = as_sum(1 + u)
    total = expand(total.products()) or total
    if frozenset() not in total.terms:
        return _log(tail, total.build())
    return _log_of(tail, total) if tail.heading(u) > 0 else None


def _log_of(tail: Tail, total: Sum) -> Expression | None:
    spread = _spread(total)
    leading = tail.top(spread)
    if leading is None or not _is_positive(tail, leading):
        return None
    rest = _over(spread.minus(leading), leading)
    small = tail.remainder(apply("log1p", rest.build())) if rest.terms else ZERO
    return _log_of_product(tail, leading) + small


def _spread(total: Sum) -> Sum:
    """The sum multiplied out, with one exponential in each product."""
    spread = Sum()
    for product in (expand(total.products()) or total).products():
        for term in _exponentials_apart(product):
            spread.plus(one_exponential(term))
    return spread


def _over(total: Sum, leading: Product) -> Sum:
    """The sum divided by its leading term."""
    result = Sum()
    for product in total.products():
        result.plus(one_exponential(product.multiply(leading, -1)))
    return result


def _is_positive(tail: Tail, product: Product) -> bool:
    """Whether a product is, by the factors that are not positive in any case."""
    signed = {base: n for base, n in product.powers.items() if base.operation != "exp"}
    return tail.value(Product(product.coefficient, signed).build(), MODERATE[-1]) > 0


def is_simple(product: Product) -> bool:
    """Whether all that varies in a product are exponentials and powers of the input."""
    varying = {base.operation for base in product.powers if base.varies}
    return bool(varying) and varying <= {"exp", "input"}


def _exponentials_apart(product: Product) -> list[Product]:
    """cosh(u) as two exponentials, in a product."""
    for base, n in product.powers.items():
        if base.operation == "cosh" and n == 1:
            rest = product.copy().times(base, -1).scaled(Fraction(1, 2))
            (u,) = base.arguments
            return [
                rest.copy().times(apply("exp", as_sum(constant(s) * u).build())) for s in (1, -1)
            ]
    return [product]


def _log_of_product(tail: Tail, product: Product) -> Expression:
    """The logarithm of a positive product: of each factor that grows or vanishes, and the rest."""
    total, rest = ZERO, product.copy()
    for base, n in product.powers.items():
        logarithm = _log_of_factor(tail, base)
        if logarithm is not None:
            rest.times(base, -n)
            total = total + constant(n) * logarithm
            rest.coefficient *= tail.side ** (int(n) if base.operation == "input" else 0)
    other = rest.build()
    return total if other is ONE else total + apply("log", other)


def _log_of_factor(tail: Tail, base: Expression) -> Expression | None:
    """The logarithm of |base|, if that grows or vanishes; None where others may cancel it."""
    match base.operation, base.arguments:
        case "exp", (u,):
            return u
        case "input", _:
            return apply("log", constant(tail.side) * base)
        case "sigmoid", (u,) if tail.heading(u) < 0:
            return negate(apply("softplus", negate(u)))
        case "erfc", (u,) if tail.heading(u) > 0:
            return apply("log", apply("erfcx", u)) - u**2
    return None


FORMS: dict[str, Callable[..., Expression | None]] = {
    "tanh": _tanh,
    "erf": _erf,
    "erfc": _erfc,
    "sigmoid": _sigmoid,
    "sech": _sech,
    "cosh": _cosh,
    "sinh": _sinh,
    "softplus": _softplus,
    "expm1": _expm1,
    "atan": _atan,
    "abs": _abs,
    "sqrt": _sqrt,
    "log": _log,
    "log1p": _log1p,
}
