"""Where a formula has no value, because a logarithm, a root or a power has none there.

Far out a kernel takes NaN for an overflow on the way, and returns the limit. That is wrong where
NaN is the answer: sqrt(x - 1000) at 999. What tells the two apart is whether an argument is below
the domain, which the kernel of such a formula asks; most formulas have none that could be.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import chain

from limen.formula.expression import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expression,
    apply,
    evaluate,
    names,
)
from limen.formula.real import from_fraction
from limen.kernels.ranges import Range, ranges

__all__ = ["is_never_below", "is_parity", "outside"]

_EDGES = {"sqrt": ZERO, "log": ZERO, "log1p": MINUS_ONE, "power": ZERO}
_DEEPEST = 8  # choices within choices that are looked into
_LARGEST = sys.float_info.max

_Ranges = Mapping[Expression, Range]


def outside(value: Expression, x: Expression, far: float) -> Expression | None:
    """What is not 0 where a value has left its domain; None where it never does far out.

    Args:
        value: a lowered expression.
        x: the input.
        far: from where on |x| is far out. A function that has no value on a whole side has no
            limit there either, which needs no telling apart.
    """
    spans = Range(-_LARGEST, -far, True), Range(far, _LARGEST, True)
    left, right = (_on_one_side(value, ranges([value], {x.payload: span})) for span in spans)
    return _chosen(apply("less", x, ZERO), left, right)


def _on_one_side(value: Expression, known: _Ranges) -> Expression | None:
    def visit(node: Expression, *parts: tuple[Expression, ...]) -> tuple[Expression, ...]:
        if is_parity(node):
            return (apply("not_equal", node, node),)
        if node.operation != "where":
            return tuple(dict.fromkeys([*chain(*parts), *_left(node, known)]))
        # What a comparison makes of NaN is an answer: its own parts do not count.
        condition, branches = node.arguments[0], parts[1:]
        verdict = _verdict(condition, known)
        if verdict is not None:
            return branches[0 if verdict else 1]
        chosen = _chosen(condition, *map(_any, branches))
        return () if chosen is None else (chosen,)

    return _any(evaluate(value, visit))


def is_parity(node: Expression) -> bool:
    """Whether it is a power of -1 with an exponent of parameters, NaN for one that is not whole."""
    return node.operation == "power" and node.arguments[0] is MINUS_ONE


def _left(node: Expression, known: _Ranges) -> Iterator[Expression]:
    """Where the argument of an operation is below its domain, if that is so on part of a side."""
    edge = _EDGES.get(node.operation)
    if edge is None:
        return
    argument = node.arguments[0]
    may_change = argument.varies or names(argument, "parameter")
    may_be_above = known[argument].high >= from_fraction(edge.payload)
    if may_change and may_be_above and not _is_above(argument, edge, known):
        yield apply("less", argument, edge)


def _verdict(condition: Expression, known: _Ranges) -> bool | None:
    """What an inequality says on all of a side; None where that differs, or is not known."""
    smaller, larger = _in_order(condition)
    if smaller is None or larger is None:
        return None
    a, b = known[smaller], known[larger]
    if a.high < b.low:
        return True if a.is_number and b.is_number else None
    return False if a.low > b.high else None


def _any(conditions: tuple[Expression, ...]) -> Expression | None:
    """Not 0 where one of the conditions holds; None for none."""
    if not conditions:
        return None
    *others, last = conditions
    return reduce(lambda rest, one: apply("where", one, ONE, rest), reversed(others), last)


def _chosen(
    condition: Expression, yes: Expression | None, no: Expression | None
) -> Expression | None:
    return yes if yes is no else apply("where", condition, yes or ZERO, no or ZERO)


def is_never_below(node: Expression, edge: Expression) -> bool:
    """Whether a lowered expression is at least a number, whatever its inputs, or NaN."""
    return _is_above(node, edge, ranges([node], {}))


def _is_above(
    node: Expression,
    edge: Expression,
    known: _Ranges,
    given: frozenset[Expression] = frozenset(),
    depth: int = _DEEPEST,
) -> bool:
    """The same, where some expressions are given to be; maximum(x, 0) is a choice between two."""
    if node in given or known[node].low >= from_fraction(edge.payload):
        return True
    if node.operation != "where" or not depth:
        return False
    condition, yes, no = node.arguments
    smaller, larger = _in_order(condition)
    for branch, other, bound in ((yes, larger, smaller), (no, smaller, larger)):
        is_told = bound is not None and known[bound].low >= from_fraction(edge.payload)
        told = given | {other} if is_told and other is not None else given
        if not _is_above(branch, edge, known, told, depth - 1):
            return False
    return True


def _in_order(condition: Expression) -> tuple[Expression | None, Expression | None]:
    """What is smaller and what is larger where an inequality holds, and the reverse where not."""
    a, b = condition.arguments
    match condition.operation:
        case "less" | "less_equal":
            return a, b
        case "greater" | "greater_equal":
            return b, a
    return None, None
