"""Rewrites compounds of one argument so that they share one exponential and one reciprocal.

tanh(softplus(u)) spelled out is an exponential, a quotient, a logarithm, an exponential and a
quotient; in e^(-|u|) it is a quotient of two polynomials. The forms here take nothing off anything:
every sum has terms of one sign, so they are as exact as what they replace. They serve kernels
only: formulas are shown, and derivatives taken, in the form that says what they are.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cache

from limen.formula.expression import Expression, evaluate, parameter, rebuild, substitute, walk
from limen.formula.normal import Product, as_product
from limen.formula.parse import parse
from limen.formula.rewrite import match
from limen.formula.stabilize import canonical

__all__ = ["ECONOMIES", "Economy", "economical"]

_U = parameter("u")

# With e = e^(-|u|), which no sign of u makes large, softplus(u) = log y has y = 1 + e for negative
# u, and y = (1 + e)/e for positive u. Then tanh(log y) = (y^2 - 1)/(y^2 + 1) is N/D, and
# sech(log y) = 2y/(y^2 + 1).
_E = "exp(-abs(u))"
_N = f"where(u < 0, {_E} * (2 + {_E}), 1 + 2 * {_E})"
_D = f"where(u < 0, 2 + {_E} * (2 + {_E}), 1 + 2 * {_E} + 2 * {_E}**2)"
_Y = f"(1 + {_E}) * where(u < 0, 1, {_E})"
# The same for y = 1 + sigmoid(u). Both are divided by 4: no product with N then overflows.
_LOG = "log1p(sigmoid(u))"
_N1 = "sigmoid(u) * (1 / 2 + sigmoid(u) / 4)"
_D1 = f"(1 / 2 + {_N1})"


@dataclass(frozen=True, slots=True)
class Economy:
    """One cheaper form of a product that kernels compute.

    Attributes:
        name: what it is about.
        before: the product replaced, of any `u`; its first factor finds `u`.
        after: the formula put in its place.
        beside: what else must be computed anyway, where the form is cheaper for that alone.
    """

    name: str
    before: str
    after: str
    beside: str | None = None


ECONOMIES: tuple[Economy, ...] = (
    Economy("logistic and secant", "sech(softplus(u)) * sigmoid(u)", f"2 * {_E} / {_D}"),
    Economy("secant of softplus", "sech(softplus(u))", f"2 * {_Y} / {_D}"),
    Economy("tangent of softplus", "tanh(softplus(u))", f"{_N} / {_D}"),
    Economy("secant over its argument", f"sech({_LOG}) / (1 + sigmoid(u))", f"1 / (2 * {_D1})"),
    Economy("secant of logarithm", f"sech({_LOG})", f"(1 + sigmoid(u)) / (2 * {_D1})"),
    Economy("tangent of logarithm", f"tanh({_LOG})", f"{_N1} / {_D1}"),
    # The slope of 1 + tanh(u), which is 2 sigmoid(2u).
    Economy(
        "square of secant",
        "sech(u)**2",
        "4 * sigmoid(2 * u) * sigmoid(-2 * u)",
        beside="sigmoid(2 * u)",
    ),
)
"""All economies, in the order they are tried. Source: A&S 4.5.1 to 4.5.6."""

_PRODUCTS = {"multiply", "divide", "power", "sqrt"}


def economical(root: Expression) -> Expression:
    """The expression with every economy that fits, in products as long as they go."""
    present = set(walk(root))

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if node.operation not in _PRODUCTS:
            arguments = tuple(_cheaper(argument, present) for argument in arguments)
        return rebuild(node, arguments)

    return _cheaper(evaluate(root, visit), present)


def _cheaper(node: Expression, present: Set[Expression]) -> Expression:
    """A product whose factors have been dealt with, among what else is present."""
    operations = {base.operation for base in as_product(node).powers}
    if not operations & {"tanh", "sech"}:
        return node
    product = as_product(node).copy()
    changed = [_apply(economy, product, present) for economy in ECONOMIES]
    return product.build() if any(changed) else node


def _apply(economy: Economy, product: Product, present: Set[Expression]) -> bool:
    """Replaces what fits in place, as often as it does; whether it did."""
    before, after = map(_formula, (economy.before, economy.after))
    anchor = next(iter(as_product(before).powers))
    found = False
    for base in list(product.powers):
        bound = match(anchor, base)
        if bound is None or not _is_beside(economy, bound, present):
            continue
        pattern = as_product(substitute(before, {_U: bound}))
        times = _how_often(pattern, product)
        if times:
            product.multiply(pattern, -times)
            product.multiply(as_product(substitute(after, {_U: bound})), times)
            found = True
    return found


def _how_often(pattern: Product, product: Product) -> int:
    """The largest whole power of the pattern that is a factor of the product."""
    ratios = [product.powers.get(base, 0) / n for base, n in pattern.powers.items()]
    return max(0, int(min(ratios)))


def _is_beside(economy: Economy, u: Expression, present: Set[Expression]) -> bool:
    """Whether what an economy shares with is present."""
    if economy.beside is None:
        return True
    return canonical(substitute(_formula(economy.beside), {_U: u})) in present


@cache
def _formula(text: str) -> Expression:
    return parse(text, parameters="u")
