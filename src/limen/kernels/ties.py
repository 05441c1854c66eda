"""Which kernels of 16 bits compute in pairs: those whose results may lie just beside a tie.

A 16-bit number that lies halfway between two others in decimal or in fractions is common: of
0.01 x, of x (x + 3) / 6, of 3x/2 - 1/2 far out. What lies next to nothing beside it, float64
rounds to the tie itself, which is then rounded the wrong way. This happens to sums, products,
quotients and roots. Their kernels compute in pairs of float64, whose lower part has an exponent of
its own, and let the result's last place say that there is more (see `narrow_to_odd`). The values of
exp and the like come so close to a tie only by chance, and a chance among 65,536 inputs is small:
certificates show that they do not.
"""

from __future__ import annotations

import math
from dataclasses import replace

from limen.formula.expression import (
    Expression,
    apply,
    constant,
    divide,
    evaluate,
    multiply,
    rebuild,
    walk,
)
from limen.formula.operations import COMPARISONS
from limen.kernels.constants import as_pair
from limen.kernels.plan import Plan
from limen.kernels.rounding import exact_bits
from limen.kernels.statements import is_number

__all__ = ["fitting", "may_meet_ties", "over_one_denominator", "split"]

_INPUT_BITS = {"float16": 11, "bfloat16": 8}
_WORD = 53
_ALGEBRAIC = frozenset(
    {"constant", "input", "parameter", "add", "multiply", "divide", "sqrt", "abs", "where"}
    | COMPARISONS.keys()
)
_LARGEST_DENOMINATOR = 1 << 20  # a product of numerator and scale stays a short number

Ratio = tuple[Expression, int]


def may_meet_ties(plan: Plan, dtype: str) -> bool:
    """Whether a kernel's numbers must be pairs of float64 although its arrays are of 16 bits.

    Args:
        plan: what it computes.
        dtype: of the arrays.
    """
    if dtype not in _INPUT_BITS or any(plan.wide):
        return False
    called = (n.operation for n in walk(*plan.outputs) if not is_number(n))
    if not _ALGEBRAIC.issuperset(called):
        return False
    return not all(fitting(output, dtype)[output] for output in plan.outputs)


def fitting(root: Expression, dtype: str) -> dict[Expression, bool]:
    """For each node whether it fits a float64, whatever the inputs are.

    Args:
        root: a formula.
        dtype: of its inputs, of 16 bits.
    """
    bits = exact_bits(root, _INPUT_BITS[dtype])
    fits: dict[Expression, bool] = {}
    for node in walk(root):
        if node.operation in ("input", "parameter"):
            fits[node] = True
        elif node.operation == "where":
            fits[node] = all(fits[branch] for branch in node.arguments[1:])
        elif node.operation == "abs":
            fits[node] = fits[node.arguments[0]]
        elif is_number(node):
            fits[node] = as_pair(node)[1] == 0.0
        else:
            fits[node] = bits[node] <= _WORD
    return fits


def over_one_denominator(plan: Plan) -> Plan:
    """The plan with outputs n / q: what is divided by whole numbers is divided once, and last."""
    return replace(plan, outputs=tuple(_whole(*_ratio(output)) for output in plan.outputs))


def _ratio(root: Expression) -> Ratio:
    """n and an odd q with root = n / q."""

    def visit(node: Expression, *arguments: Ratio) -> Ratio:
        if node.is_constant:
            return split(node)
        match node.operation, arguments:
            case "multiply", ((a, p), (b, q)) if p * q <= _LARGEST_DENOMINATOR:
                return multiply(a, b), p * q
            case "divide", ((a, p), (b, q)):
                return divide(_scaled(a, q), _scaled(b, p)), 1
            case "abs", ((a, p),):
                return rebuild(node, (a,)), p
            case "where", (condition, *branches):
                (yes, no), q = _together(*branches)
                return apply("where", condition[0], yes, no), q
            case "add", (_, _):
                terms, q = _together(*arguments)
                return rebuild(node, terms), q
            case operation, (_, _) if operation in COMPARISONS:
                return rebuild(node, _together(*arguments)[0]), 1
        return rebuild(node, tuple(_whole(*argument) for argument in arguments)), 1

    result: Ratio = evaluate(root, visit)
    return result


def split(number: Expression) -> Ratio:
    """A constant without the odd part of its denominator, and that."""
    denominator = number.payload.denominator
    odd = denominator // (denominator & -denominator)
    return (number, 1) if odd > _LARGEST_DENOMINATOR else (constant(number.payload * odd), odd)


def _together(*ratios: Ratio) -> tuple[tuple[Expression, ...], int]:
    """The numerators over the least common denominator, and that."""
    q = math.lcm(*(p for _, p in ratios))
    if q > _LARGEST_DENOMINATOR:
        return tuple(_whole(*ratio) for ratio in ratios), 1
    return tuple(_scaled(numerator, q // p) for numerator, p in ratios), q


def _scaled(numerator: Expression, factor: int) -> Expression:
    return numerator if factor == 1 else multiply(constant(factor), numerator)


def _whole(numerator: Expression, denominator: int) -> Expression:
    return numerator if denominator == 1 else divide(numerator, constant(denominator))
