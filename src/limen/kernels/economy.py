"""Rewrites compounds of one argument so that they share one exponential and one reciprocal.

tanh(softplus(u)) spelled out is an exponential, a quotient, a logarithm, an exponential and a
quotient; in e^(-|u|) it is a quotient of two polynomials. The forms here take nothing off anything:
every sum has terms of one sign, so they are as exact as what they replace. They serve kernels
only: formulas are shown, and derivatives taken, in the form that says what they are.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
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
# The same for y = 1 + sigmoid(u) = T/S with S = 1 + e. There N and D are divided by 4, so that no
# product of a large number with N overflows. The slope of log y is e/(S T).
_LOG = "log1p(sigmoid(u))"
_SLOPE = "sigmoid(u) * sigmoid(-u) / (1 + sigmoid(u))"
_S = f"(1 + {_E})"
_T = f"where(u < 0, 1 + 2 * {_E}, 2 + {_E})"
_SIGMOID_T = f"where(u < 0, {_E} * (1 + 2 * {_E}), 2 + {_E})"  # S sigmoid(u) T
_N1 = f"where(u < 0, {_E} * (1 / 2 + 3 / 4 * {_E}), 3 / 4 + {_E} / 2)"
_D1 = f"where(u < 0, 1 / 2 + {_E} * (3 / 2 + 5 / 4 * {_E}), 5 / 4 + {_E} * (3 / 2 + {_E} / 2))"


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
    Economy(
        "slope of tangent of logarithm",
        f"sech({_LOG})**2 * {_SLOPE}",
        f"{_E} * {_S} * {_T} / (4 * {_D1}**2)",
    ),
    Economy(
        "secant over its argument", f"sech({_LOG}) / (1 + sigmoid(u))", f"{_S}**2 / (2 * {_D1})"
    ),
    Economy("secant of logarithm", f"sech({_LOG})", f"{_S} * {_T} / (2 * {_D1})"),
    Economy("tangent of logarithm", f"tanh({_LOG})", f"{_N1} / {_D1}"),
    Economy("slope of logarithm", _SLOPE, f"{_E} / ({_S} * {_T})"),
    # Which may be above 1 by rounding, and then has no place in the tables of log1p.
    Economy(
        "logarithm beside its slope",
        _LOG,
        f"log1p(minimum(1, {_SIGMOID_T} / ({_S} * {_T})))",
        beside=_T,
    ),
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
    """The expression with every economy that fits, in products as long as they go.

    Those that share with something else come last: what they share with must stay.
    """
    alone = [economy for economy in ECONOMIES if economy.beside is None]
    sharing = [economy for economy in ECONOMIES if economy.beside is not None]
    return _with(sharing, _with(alone, root))


def _with(economies: Sequence[Economy], root: Expression) -> Expression:
    present = set(walk(root))
    anchors = {_anchor(economy).operation for economy in economies}

    def cheaper(node: Expression) -> Expression:
        """A product whose factors have been dealt with."""
        if anchors.isdisjoint(base.operation for base in as_product(node).powers):
            return node
        product = as_product(node).copy()
        changed = [_apply(economy, product, present) for economy in economies]
        return product.build() if any(changed) else node

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if node.operation not in _PRODUCTS:
            arguments = tuple(map(cheaper, arguments))
        return rebuild(node, arguments)

    return cheaper(evaluate(root, visit))


def _anchor(economy: Economy) -> Expression:
    """The factor of a product that is looked for first."""
    return next(iter(as_product(_formula(economy.before)).powers))


def _apply(economy: Economy, product: Product, present: Set[Expression]) -> bool:
    """Replaces what fits in place, as often as it does; whether it did."""
    before, after = map(_formula, (economy.before, economy.after))
    anchor = _anchor(economy)
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
