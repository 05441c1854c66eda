"""The stable form: the same function, written so that floating point keeps its digits.

`canonical` brings a formula into normal form with the named rules of `rules` applied. Canonical
forms are closed under differentiation and are what a derivative is taken of. `stable` adds the
step that only makes sense last, because it trades a short formula for an accurate one: the
conjugate of a cancelling square root.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import lru_cache

from limen.formula.budget import within_budget
from limen.formula.conjugate import conjugate
from limen.formula.exponentials import merge_exponentials, merged, raise_as_exponentials
from limen.formula.expression import (
    ONE,
    ZERO,
    Expression,
    apply,
    constant,
    evaluate,
    negate,
    rebuild,
    walk,
)
from limen.formula.normal import Product, Sum, as_product, as_sum, expand
from limen.formula.operations import COMPARISONS, OPERATIONS
from limen.formula.rewrite import rewrite_node, rewrite_product, rewrite_sum, spread

__all__ = ["canonical", "stable"]

_MOST_SUMS = 3  # a longer product of sums does not collapse when it is multiplied out


@lru_cache(maxsize=1 << 12)
def canonical(root: Expression) -> Expression:
    """The normal form of a formula with all rules applied."""
    return _rewritten(root, numeric=False)


@lru_cache(maxsize=1 << 10)
def stable(root: Expression) -> Expression:
    """The form that kernels compute: canonical, with cancelling square roots turned."""
    return _rewritten(canonical(root), numeric=True)


def _rewritten(root: Expression, numeric: bool) -> Expression:
    inner = _inside_chains(root)

    def visit(node: Expression, *arguments: Expression) -> Expression:
        built = rebuild(node, arguments)
        return built if node in inner else _simplify(built, numeric)

    with within_budget():
        result: Expression = evaluate(root, visit)
    return result


_CHAINS = {"add": "sum", "multiply": "product", "divide": "product"}


def _inside_chains(root: Expression) -> set[Expression]:
    """The sums within sums and products within products: read as one, they are simplified once."""
    nodes = list(walk(root))
    uses = Counter(argument for node in nodes for argument in node.arguments)
    return {
        argument
        for node in nodes
        if node.operation in _CHAINS
        for argument in node.arguments
        if _CHAINS.get(argument.operation) == _CHAINS[node.operation] and uses[argument] == 1
    }


def _simplify(node: Expression, numeric: bool) -> Expression:
    match node.operation:
        case "add":
            return _simplify_sum(as_sum(node), numeric)
        case "multiply" | "divide" | "power" | "sqrt":
            return _simplify_product(as_product(node).copy())
        case "where" if node.arguments[1] is node.arguments[2]:
            return node.arguments[1]
    if numeric and node.operation in COMPARISONS:
        return _solved(node)
    return _simplify_function(node)


# --- Comparisons -----------------------------------------------------------------------------

_MIRRORED = {
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
}


def _solved(node: Expression) -> Expression:
    """k*x + c < d as x < (d - c) / k: adding 2 to a tiny x would round the difference away."""
    left, right = node.arguments
    total = as_sum(left + negate(right))
    bound = -total.terms.pop(frozenset(), Fraction(0))
    if len(total.terms) != 1:
        return node
    ((monomial, factor),) = total.terms.items()
    side = Product(Fraction(1), dict(monomial)).build()
    if side.operation != "input":
        return node
    operation = node.operation if factor > 0 else _MIRRORED.get(node.operation, node.operation)
    return apply(operation, side, constant(bound / factor))


# --- Functions of one argument ---------------------------------------------------------------


def _simplify_function(node: Expression) -> Expression:
    if not node.arguments or OPERATIONS[node.operation].arity != 1:
        return node
    if node.arguments[0] is ZERO and node.operation in ("exp", "cos", "cosh", "sech"):
        return ONE
    turned = _by_parity(node)
    if turned is not None:
        return turned
    if node.operation == "log":
        node = _log_of_sum(node)
    return rewrite_node(node, canonical) or node


def _by_parity(node: Expression) -> Expression | None:
    """f(-u) as -f(u) or f(u), so that both spellings are one node.

    Not abs(-u): the derivative of abs(3 - x) at 3 is -1.
    """
    parity = OPERATIONS[node.operation].parity
    (argument,) = node.arguments
    if argument is ZERO and parity == "odd":
        return ZERO
    if parity is None or node.operation == "abs" or as_product(argument).coefficient >= 0:
        return None
    mirrored = _simplify_function(apply(node.operation, canonical(negate(argument))))
    return negate(mirrored) if parity == "odd" else mirrored


def _log_of_sum(node: Expression) -> Expression:
    """log(1 + u) as log1p(u), for a sum of any length. Source: Kahan (1987)."""
    total = as_sum(node.arguments[0])
    if total.terms.get(frozenset()) != 1 or len(total.terms) < 2:
        return node
    rest = Sum({monomial: c for monomial, c in total.terms.items() if monomial})
    return apply("log1p", canonical(rest.build()))


# --- Products --------------------------------------------------------------------------------


_PRODUCT_STEPS = (raise_as_exponentials, merge_exponentials, rewrite_product)


def _simplify_product(product: Product) -> Expression:
    while any(step(product, canonical) for step in _PRODUCT_STEPS):
        pass
    return _multiply_out(product) or product.build()


def _multiply_out(product: Product) -> Expression | None:
    """A product of sums, multiplied out where all but one term cancels: (r + x)(r - x)."""
    sums = [b for b, n in product.powers.items() if b.operation == "add" and n >= 1]
    if not 2 <= len(sums) <= _MOST_SUMS:
        return None
    pair = Product(Fraction(1), {b: Fraction(1) for b in sums})
    expanded = expand([pair])
    if expanded is None or len(expanded.terms) > 1:
        return None
    rest = product.copy().multiply(pair, -1)
    return rest.multiply(expanded.products()[0]).build() if expanded.terms else ZERO


# --- Sums ------------------------------------------------------------------------------------


def _simplify_sum(total: Sum, numeric: bool) -> Expression:
    while rewrite_sum(total, canonical):
        pass
    if len(total.terms) < 2:
        return _simplify_product(total.products()[0]) if total.terms else ZERO
    common = _common_factor(total)
    if common.powers:
        inner = _simplify_sum(_divided(total, common), numeric)
        return _simplify_product(common.multiply(as_product(inner)))
    if numeric and _shift_by_parameter(total):
        return total.build()
    together = _conjugated(total) if numeric else None
    if together is None:
        together = _common_denominator(total, numeric)
    return as_product(total.build()).build() if together is None else together


def _shift_by_parameter(total: Sum) -> bool:
    """p + tanh(u) as (p - 1) + 2 sigmoid(2u), in place: exact digits in the tail where p is 1.

    A parameter's value is not known here, and may be the one at which the two cancel. The form
    serves positive p, which is how such functions are written; any p is right.
    """
    for term in total.products():
        for base in term.powers:
            if base.operation not in ("tanh", "erf") or term.powers[base] != 1:
                continue
            common = term.copy().times(base, -1)
            for other in total.products():
                shift = other.copy().multiply(common, -1)
                if shift.powers and all(map(_is_fixed, shift.powers)):
                    sign = 1 if shift.coefficient > 0 else -1
                    complement = _complement(base, sign)
                    total.minus(term)
                    spread(total, common.copy().multiply(as_product(complement)))
                    total.minus(common.scaled(sign))
                    return True
    return False


def _complement(base: Expression, sign: int) -> Expression:
    """sign + f(u) for an f with the limits -1 and 1, as a function that vanishes on one side."""
    inner = constant(sign) * base.arguments[0]
    if base.operation == "tanh":
        return constant(2 * sign) * apply("sigmoid", canonical(constant(2) * inner))
    return constant(sign) * apply("erfc", canonical(negate(inner)))


def _is_fixed(base: Expression) -> bool:
    """Whether an expression depends on parameters alone."""
    return not base.varies


def _common_factor(total: Sum) -> Product:
    """What every term carries: of powers all positive or all negative, the smallest."""
    first, *rest = total.products()
    common = Product()
    for base, n in first.powers.items():
        found = [n, *(p.powers.get(base, Fraction(0)) for p in rest)]
        if min(found) > 0:
            common.times(base, min(found))
        elif max(found) < 0:
            common.times(base, max(found))
    return common


def _divided(total: Sum, factor: Product) -> Sum:
    result = Sum()
    for product in total.products():
        spread(result, product.multiply(factor, -1))
    return result


def _common_denominator(total: Sum, numeric: bool) -> Expression | None:
    """All terms over one denominator, kept only where the numerator gets shorter by it."""
    products = total.products()
    lowest: dict[Expression, Fraction] = {}
    for product in products:
        for base, n in product.powers.items():
            lowest[base] = min(n, lowest.get(base, Fraction(0)))
    under = Product(Fraction(1), {b: n for b, n in lowest.items() if n < 0})
    if not under.powers and not any(b.operation == "add" for b in lowest):
        return None
    numerator = expand(p.copy().multiply(under, -1) for p in products)
    if numerator is None:
        return None
    numerator = merged(numerator, canonical)
    shorter = len(numerator.terms) < len(products) or _is_factor_of(numerator, under)
    if shorter or (numeric and under.powers and _conjugated(numerator) is not None):
        over = _simplify_sum(numerator, numeric)
        return _simplify_product(under.multiply(as_product(over)))
    return None


def _is_factor_of(numerator: Sum, under: Product) -> bool:
    """Whether the numerator, up to a number, is one of the sums in the denominator."""
    product = as_product(numerator.build())
    return len(product.powers) == 1 and next(iter(product.powers)) in under.powers


def _conjugated(total: Sum) -> Expression | None:
    turned = conjugate(total)
    return None if turned is None else _simplify_sum(turned, numeric=False)
