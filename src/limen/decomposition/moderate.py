"""The same formula in steps that do not overflow before the result does."""

from __future__ import annotations

from functools import reduce

from limen.decomposition.edges import LARGE
from limen.formula.expression import (
    Expression,
    add,
    apply,
    divide,
    evaluate,
    multiply,
    rebuild,
    walk,
)
from limen.kernels.overflow import raised, spread_denominators, square_root

__all__ = ["moderate"]


def moderate(root: Expression) -> Expression:
    """The same in steps that do not overflow before the result does."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        match node.operation, arguments:
            case "sqrt", (square,):
                return square_root(square, LARGE)
            case "power", (base, exponent):
                return raised(base, exponent, LARGE)
            case "multiply", (scale, sum_) if _is_half(scale) and _may_overflow(sum_):
                return _scaled(sum_, scale)
            case "multiply", (scale, product) if product.operation == "multiply":
                if not scale.varies:  # 0.9 * (x * x), whose square may overflow alone
                    return multiply(multiply(scale, product.arguments[0]), product.arguments[1])
        return rebuild(node, arguments)

    steady: Expression = evaluate(spread_denominators(_input_by_input(root)), visit)
    return steady


def _input_by_input(root: Expression) -> Expression:
    """Products with what depends on one input multiplied first.

    value * gate * sigmoid(gate) as value * (gate * sigmoid(gate)), whose second factor is small
    where the product of the two inputs may overflow.
    """
    if sum(node.operation == "input" for node in walk(root)) < 2:
        return root

    def visit(node: Expression, *arguments: Expression) -> Expression:
        built = rebuild(node, arguments)
        if built.operation != "multiply":
            return built
        groups: dict[frozenset[Expression], list[Expression]] = {}
        for factor in _factors(built):
            inputs = frozenset(leaf for leaf in walk(factor) if leaf.operation == "input")
            groups.setdefault(inputs, []).append(factor)
        numbers = groups.pop(frozenset(), [])
        if not groups:
            return built
        largest = max(groups, key=lambda inputs: len(groups[inputs]))
        groups[largest] = numbers + groups[largest]  # what makes it smaller comes first
        return reduce(multiply, (reduce(multiply, factors) for factors in groups.values()))

    ordered: Expression = evaluate(root, visit)
    return ordered


def _factors(product: Expression) -> list[Expression]:
    if product.operation != "multiply":
        return [product]
    return [factor for part in product.arguments for factor in _factors(part)]


def _is_half(node: Expression) -> bool:
    """Whether it is 1/2, 1/4, ..., by which a product is exact."""
    if not node.is_constant or node.payload.numerator != 1:
        return False
    n: int = node.payload.denominator
    return n > 1 and n & (n - 1) == 0


def _may_overflow(node: Expression) -> bool:
    """Whether it is a sum with an input in it, or made of one."""
    match node.operation, node.arguments:
        case "add", terms:
            return any(term.operation == "input" for term in terms)
        case "divide", (over, _):
            return _may_overflow(over)
        case "where", (_, *branches):
            return any(map(_may_overflow, branches))
    return False


def _shrunk(term: Expression, scale: Expression) -> Expression:
    """The product of the two, in each branch of a choice.

    XLA makes (a + b)/2 of a/2 + b/2, and the sum overflows; it finds no a/2 in a choice of halves.
    """
    match term.operation, term.arguments:
        case "where", (condition, a, b):
            return apply("where", condition, _shrunk(a, scale), _shrunk(b, scale))
        case "multiply", (factor, other) if not factor.varies:
            return multiply(multiply(scale, factor), other)
    return multiply(scale, term)


def _scaled(node: Expression, scale: Expression) -> Expression:
    """The product of the two, term by term where a sum may overflow."""
    if not _may_overflow(node):
        return multiply(scale, node)
    match node.operation, node.arguments:
        case "add", (a, b):
            return add(_shrunk(a, scale), _shrunk(b, scale))
        case "divide", (over, under):
            return divide(_scaled(over, scale), under)
        case _, (condition, a, b):
            return apply("where", condition, _scaled(a, scale), _scaled(b, scale))
    raise AssertionError(node.operation)
