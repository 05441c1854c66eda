"""Quotients, roots and powers in steps that do not overflow before their result does."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce

from limen.formula.expression import (
    ONE,
    Expression,
    apply,
    divide,
    evaluate,
    multiply,
    power,
    rebuild,
)
from limen.formula.normal import as_sum

__all__ = ["raised", "shrunk_first", "spread_denominators", "square_root"]

_FEW = 8  # so many factors are multiplied one by one


def shrunk_first(root: Expression) -> Expression:
    """c (x u) as (c x) u for an input x and a number c below 1: x u may overflow before c helps."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if node.operation == "multiply" and _is_small(node.arguments[0]):
            return _into(*arguments) or rebuild(node, arguments)
        return rebuild(node, arguments)

    result: Expression = evaluate(root, visit)
    return result


def _into(factor: Expression, product: Expression) -> Expression | None:
    """The product with the factor at its first input; None where there is no input."""
    if product.operation == "input":
        return apply("multiply", factor, product)
    if product.operation == "multiply":
        for one, other in (product.arguments, product.arguments[::-1]):
            found = _into(factor, one)
            if found is not None:
                return apply("multiply", found, other)
    return None


def _is_small(node: Expression) -> bool:
    return node.is_constant and 0 < abs(node.payload) < 1


def spread_denominators(root: Expression) -> Expression:
    """a / b**n as a * q * q * ... with q = 1 / b: one division, and b**n need not overflow."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if node.operation != "divide":
            return rebuild(node, arguments)
        over, under = arguments
        factors = _factors(under)
        powers = [f for f in factors if f.operation == "power" and f.arguments[1].is_constant]
        rest = reduce(multiply, (f for f in factors if f not in powers), ONE)
        quotient = divide(over, rest)
        for factor in powers:
            quotient = _divided_often(quotient, *factor.arguments)
        return quotient

    result: Expression = evaluate(root, visit)
    return result


def _divided_often(over: Expression, base: Expression, exponent: Expression) -> Expression:
    n: Fraction = exponent.payload
    if n.denominator == 2:
        base, n = apply("sqrt", base), 2 * n
    if n.denominator != 1 or n > _FEW:
        return divide(over, power(base, exponent))
    reciprocal = divide(ONE, base)
    return reduce(multiply, [reciprocal] * int(n), over)


def _factors(product: Expression) -> list[Expression]:
    found = []
    stack = [product]
    while stack:
        item = stack.pop()
        if item.operation == "multiply":
            stack += reversed(item.arguments)
        else:
            found.append(item)
    return found


def square_root(square: Expression, large: Expression) -> Expression:
    """sqrt(c + k x**2) is sqrt(k) |x| where x is so large that its square would overflow.

    Args:
        square: what the root is taken of.
        large: a number whose square is finite; the root of the square of a larger one is the number
            itself, to every digit.
    """
    root = apply("sqrt", square)
    moving = [p for p in as_sum(square).products() if any(b.varies for b in p.powers)]
    if square.operation != "add" or len(moving) != 1:
        return root
    (x, *more) = [b for b in moving[0].powers if b.varies]
    if more or x.operation != "input" or moving[0].powers[x] != 2:
        return root
    if moving[0].coefficient < 0:
        return root  # of a square that is large it is NaN
    factor = apply("sqrt", moving[0].times(x, -2).build())
    is_moderate = apply("less", apply("abs", x), large)
    return apply("where", is_moderate, root, multiply(factor, apply("abs", x)))


def raised(base: Expression, exponent: Expression, large: Expression) -> Expression:
    """Whole and half powers by repeated squaring and a root, which also serve negative bases.

    Args:
        base: of the power.
        exponent: of the power, which stays as it is where it is neither whole nor half.
        large: as for `square_root`.
    """
    if not exponent.is_constant or exponent.payload.denominator > 2:
        return power(base, exponent)
    n: Fraction = abs(exponent.payload)
    whole, half = divmod(n, 1)
    result = _whole_power(base, int(whole))
    if half:
        result = multiply(result, square_root(base, large))
    return result if exponent.payload > 0 else divide(ONE, result)


def _whole_power(base: Expression, n: int) -> Expression:
    factors = []
    while n:
        if n & 1:
            factors.append(base)
        n >>= 1
        if n:
            base = multiply(base, base)
    return reduce(multiply, factors, ONE)
