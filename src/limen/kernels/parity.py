"""Powers of what may be negative, with an exponent that is known only when a kernel is called.

(-2)**2 is 4 and (-2)**3 is -8, and with an exponent that is not whole there is no value. Which of
the three it is does not depend on an element, so no kernel finds out: it is one number, the power
of -1, which Python works out and passes along with the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from limen.formula.expression import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expression,
    apply,
    divide,
    evaluate,
    multiply,
    names,
    parameter,
    power,
    rebuild,
    substitute,
    walk,
)
from limen.kernels.domain import is_never_below, is_parity
from limen.kernels.ranges import Range

__all__ = ["KNOWN", "signed_power", "with_parities", "without_vanished"]

KNOWN = Range(-1.0, 1.0, False)
"""What a kernel may take a parity for: it is NaN where an exponent is not whole."""


def signed_power(base: Expression, exponent: Expression) -> Expression | None:
    """base**exponent for a base of any sign; None where nothing is to be said of the sign.

    The power of -1 in it stands for the number that is passed.
    """
    if not names(exponent, "parameter") or is_never_below(base, ZERO):
        return None
    size, sign = power(apply("abs", base), exponent), power(MINUS_ONE, exponent)
    # An odd power of -0.0 is -0.0, or 1 / -0.0.
    odd = apply("where", apply("less", exponent, ZERO), divide(ONE, base), base)
    at_zero = apply("where", apply("less", sign, ZERO), odd, size)
    beyond = apply("where", apply("less", base, ZERO), multiply(sign, size), size)
    return apply("where", apply("equal", base, ZERO), at_zero, beyond)


def without_vanished(root: Expression) -> Expression:
    """p x**(p - 1) as 0 where p is 0: the derivative of x**0 is 0 at 0 too, where 1/x is not."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        built = rebuild(node, arguments)
        if built.operation != "multiply" or not any(map(_is_open_power, _factors(built))):
            return built
        fixed = [f for f in _factors(built) if not f.varies and names(f, "parameter")]
        if not fixed:
            return built
        return apply("where", apply("equal", reduce(multiply, fixed), ZERO), ZERO, built)

    result: Expression = evaluate(root, visit)
    return result


def _is_open_power(node: Expression) -> bool:
    """Whether it is a power of what varies, with an exponent that a parameter is part of."""
    if node.operation != "power" or not node.arguments[0].varies:
        return False
    return bool(names(node.arguments[1], "parameter"))


def _factors(product: Expression) -> Iterator[Expression]:
    """The factors of a product, through the choices that were made of parts of it."""
    match product.operation, product.arguments:
        case "multiply", factors:
            for factor in factors:
                yield from _factors(factor)
        case "where", (_, yes, no) if yes is ZERO:
            yield from _factors(no)
        case _:
            yield product


def with_parities(
    outputs: Sequence[Expression],
) -> tuple[tuple[Expression, ...], dict[str, Expression]]:
    """The outputs with parameters in the place of the powers of -1, and the power that each is.

    No parameter of a formula begins with an underscore.
    """
    found = {f"_parity_{k}": n for k, n in enumerate(filter(is_parity, walk(*outputs)), 1)}
    passed = {node: parameter(name) for name, node in found.items()}
    return tuple(substitute(output, passed) for output in outputs), found
