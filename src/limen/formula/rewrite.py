"""Applies the rules of `rules` to sums, products and nodes in normal form.

Matching is by shape: `u` in a rule stands for any expression. In a sum, the first term of a rule
finds `u` and what its terms have in common; the partner must then be there with the same factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

from limen.formula.expression import Expression, negate, parameter, substitute
from limen.formula.normal import Product, Sum, as_product, as_sum
from limen.formula.operations import OPERATIONS
from limen.formula.rules import RULES, Rule

__all__ = ["match", "rewrite_node", "rewrite_product", "rewrite_sum", "spread"]

_U = parameter("u")
Canonical = Callable[[Expression], Expression]


def rewrite_node(node: Expression, canonical: Canonical) -> Expression | None:
    """The node after the first rule that fits it, or None."""
    for rule in _rules_for("node", (node,)):
        before, after = _sides(rule)
        bound = match(before, node)
        if bound is not None:
            return canonical(substitute(after, {_U: bound}))
    return None


def rewrite_product(product: Product, canonical: Canonical) -> bool:
    """Applies the first rule that fits, in place; whether one did."""
    rules = _rules_for("product", product.powers)
    return any(_rewrite_product_by(rule, product, canonical) for rule in rules)


def rewrite_sum(total: Sum, canonical: Canonical) -> bool:
    """Applies the first rule that fits, in place; whether one did."""
    rules = _rules_for("sum", (base for monomial in total.terms for base, _ in monomial))
    return any(_rewrite_sum_by(rule, total, canonical) for rule in rules)


def spread(total: Sum, product: Product) -> None:
    """Adds a product in place, a number times a sum term by term."""
    for term in as_sum(product.build()).products():
        total.plus(term)


def _rewrite_product_by(rule: Rule, product: Product, canonical: Canonical) -> bool:
    before, after = _sides(rule)
    pattern = as_product(before)
    for bound in _bindings(pattern, product, canonical):
        found = _instance(pattern, bound, canonical)
        if _divides(found, product):
            product.multiply(found, -1)
            product.multiply(as_product(canonical(substitute(after, {_U: bound}))))
            return True
    return False


def _rewrite_sum_by(rule: Rule, total: Sum, canonical: Canonical) -> bool:
    before, after = _sides(rule)
    first, second = map(as_product, before.arguments)
    for term in total.products():
        for bound in _bindings(first, term, canonical):
            if any(base.operation == rule.unless for base in as_product(bound).powers):
                continue
            found = _instance(first, bound, canonical)
            if not _divides(found, term):
                continue
            common = term.copy().multiply(found, -1)
            partner = common.copy().multiply(_instance(second, bound, canonical))
            others = as_sum(partner.build())
            if not others.terms or not _holds(total, others) or term.monomial in others.terms:
                continue
            total.minus(term)
            for other in others.products():
                total.minus(other)
            replaced = canonical(substitute(after, {_U: bound}))
            spread(total, common.multiply(as_product(replaced)))
            return True
    return False


def _bindings(pattern: Product, product: Product, canonical: Canonical) -> Iterator[Expression]:
    """What u may stand for, so that the pattern's anchor is one of the product's factors."""
    anchor = _anchor(pattern)
    for base in list(product.powers):
        bound = match(anchor, base)
        if bound is not None:
            yield bound
            if OPERATIONS[base.operation].parity is not None:
                yield canonical(negate(bound))


def _anchor(pattern: Product) -> Expression:
    """The factor of a pattern that finds u."""
    return next(base for base in pattern.powers if base is not _U)


def _instance(pattern: Product, bound: Expression, canonical: Canonical) -> Product:
    """The pattern with u in place, factor by factor, so that no rule rewrites it as a whole."""
    result = Product(pattern.coefficient)
    for base, exponent in pattern.powers.items():
        factor = substitute(base, {_U: bound})
        known = match(base, factor) is bound and base.operation in ("add", "where")
        result.multiply(
            Product().times(factor) if known else as_product(canonical(factor)), exponent
        )
    return result


def _holds(total: Sum, part: Sum) -> bool:
    """Whether a sum has all terms of another; an empty one, as for u = 0, is part of none."""
    return bool(part.terms) and all(
        total.terms.get(monomial) == c for monomial, c in part.terms.items()
    )


def _divides(part: Product, whole: Product) -> bool:
    """Whether what varies in a product is a factor of another; parameters may be divided by.

    Where nothing varies everything must be there: a rule that fits what is not there never ends.
    """
    needed = {b: n for b, n in part.powers.items() if b.varies} or part.powers
    return all(whole.powers.get(b, 0) / n >= 1 for b, n in needed.items())


@cache
def _sides(rule: Rule) -> tuple[Expression, Expression]:
    from limen.formula.parse import parse

    return parse(rule.before, parameters="u"), parse(rule.after, parameters="u")


@cache
def _rules(kind: str) -> tuple[tuple[frozenset[str], Rule], ...]:
    """The rules of a kind, each with the operations that must be there for it to fit."""
    return tuple((_needed(rule), rule) for rule in RULES if rule.kind == kind)


def _needed(rule: Rule) -> frozenset[str]:
    before, _ = _sides(rule)
    if rule.kind == "node":
        return frozenset({before.operation})
    terms = before.arguments if rule.kind == "sum" else (before,)
    bases = {base for term in terms for base in as_product(term).powers if base is not _U}
    return frozenset(base.operation for base in bases)


def _rules_for(kind: str, bases: Iterable[Expression]) -> list[Rule]:
    operations = {base.operation for base in bases}
    return [rule for needed, rule in _rules(kind) if needed <= operations]


def match(pattern: Expression, node: Expression) -> Expression | None:
    """What u stands for when the pattern is the node, or None."""
    bound: Expression | None = None
    stack = [(pattern, node)]
    while stack:
        p, n = stack.pop()
        if p is _U:
            if bound is not None and bound is not n:
                return None
            bound = n
        elif p is n:
            continue
        elif p.operation == n.operation and p.payload == n.payload and p.arguments:
            stack.extend(zip(p.arguments, n.arguments, strict=True))
        else:
            return None
    return bound
