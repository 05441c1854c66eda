"""The conjugate of a root: sqrt(a) - b as (a - b^2) / (sqrt(a) + b), in which nothing cancels.

It only makes sense last, because it trades a short formula for an accurate one.
"""

from __future__ import annotations

from fractions import Fraction

from limen.formula.expression import ZERO, Expression, apply
from limen.formula.normal import Product, Sum, as_product, expand
from limen.formula.rewrite import spread

__all__ = ["conjugate"]


def conjugate(total: Sum) -> Sum | None:
    """r + t as (r^2 - t^2) / (r - t), on the side where a root r and another term t cancel.

    Taken only if the new numerator is a single term, so that nothing cancels any more. Source:
    Goldberg, What every computer scientist should know about floating-point arithmetic (1991).
    """
    products = total.products()
    roots = [p for p in products if _has_root_of_sum(p)]
    if len(roots) != 1:
        return None
    for partner in products:
        if partner is not roots[0]:
            turned = _conjugate_pair(roots[0], partner)
            if turned is not None:
                rest = Sum(dict(total.terms)).minus(roots[0]).minus(partner)
                spread(rest, as_product(turned))
                return rest
    return None


def _conjugate_pair(root: Product, partner: Product) -> Expression | None:
    square = partner.copy().multiply(partner)
    over = expand([root.copy().multiply(root), Product(-square.coefficient, square.powers)])
    if over is None or len(over.terms) != 1:
        return None
    factor = Product(root.coefficient, {b: n for b, n in root.powers.items() if not _is_root(b, n)})
    opposite = partner
    if partner.powers and not factor.powers:  # then the partner's sign is known on that side
        sign = -1 if factor.coefficient > 0 else 1
        opposite = as_product(apply("abs", Product(Fraction(1), partner.powers).build())).copy()
        opposite.coefficient *= sign * abs(partner.coefficient)
    under = Sum().plus(root).minus(opposite).build()
    turned = over.products()[0].multiply(as_product(under), -1).build()
    towards = factor.multiply(partner)
    towards.coefficient = Fraction(1 if towards.coefficient > 0 else -1)
    if all(n % 2 == 0 for n in towards.powers.values()):
        return turned if towards.coefficient < 0 else None
    side = towards.build()
    together = Sum().plus(root).plus(partner).build()
    return apply("where", apply("less", side, ZERO), turned, together)


def _has_root_of_sum(product: Product) -> bool:
    return any(_is_root(base, exponent) for base, exponent in product.powers.items())


def _is_root(base: Expression, exponent: Fraction) -> bool:
    return exponent == Fraction(1, 2) and base.operation == "add"
