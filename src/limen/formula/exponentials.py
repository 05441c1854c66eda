"""Products of exponentials as one, and powers of what decays or grows like one."""

from __future__ import annotations

from collections.abc import Callable

from limen.formula.expression import TWO, ZERO, Expression, apply, constant, negate
from limen.formula.normal import Product, Sum, as_product

__all__ = ["merge_exponentials", "merged", "raise_as_exponentials"]

Canonical = Callable[[Expression], Expression]


def merge_exponentials(product: Product, canonical: Canonical) -> bool:
    """exp(a) * exp(b) as exp(a + b): one exponential, and no overflow on the way."""
    found = [(b, n) for b, n in product.powers.items() if b.operation == "exp"]
    if not found or (len(found) == 1 and found[0][1] == 1):
        return False
    exponent = ZERO
    for base, n in found:
        product.times(base, -n)
        exponent = exponent + constant(n) * base.arguments[0]
    product.multiply(as_product(canonical(apply("exp", exponent))))
    return True


def merged(total: Sum, canonical: Canonical) -> Sum:
    """The sum with one exponential in each product, so that exp(x)**2 meets exp(2x)."""
    result = Sum()
    for product in total.products():
        merge_exponentials(product, canonical)
        result.plus(product)
    return result


# --- Powers ----------------------------------------------------------------------------------


def raise_as_exponentials(product: Product, canonical: Canonical) -> bool:
    """sigmoid(u)**p as exp(-p softplus(-u)), in place: the power is moderate where sigmoid(u) is 0.

    Only for powers that take a logarithm in any case, not for whole and half ones.
    """
    for base, n in product.powers.items():
        exponent = constant(n)
        power = base
        if base.operation == "power" and not base.arguments[1].is_constant:
            power, exponent = base.arguments[0], exponent * base.arguments[1]
        elif n.denominator <= 2:
            continue
        logarithm = _LOGARITHMS.get(power.operation)
        if logarithm and power.varies:
            exponential = apply("exp", exponent * logarithm(*power.arguments))
            product.times(base, -n).multiply(as_product(canonical(exponential)))
            return True
    return False


def _log_cosh(u: Expression) -> Expression:
    """The term that outgrows the others, and what is left, which vanishes or is as large."""
    return u + apply("softplus", negate(TWO * u)) - apply("log", TWO)


_LOGARITHMS: dict[str, Callable[[Expression], Expression]] = {
    "exp": lambda u: u,
    "sigmoid": lambda u: negate(apply("softplus", negate(u))),
    "cosh": _log_cosh,
    "sech": lambda u: negate(_log_cosh(u)),
}
