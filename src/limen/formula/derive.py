"""Derivatives of any order: the chain rule over the table of operations.

Where a formula branches, each branch is derived by itself, and a kink takes the derivative of the
branch that the formula takes there: on a tie `minimum` and `maximum` take their first argument,
and `clip` passes.
"""

from __future__ import annotations

from functools import cache

from limen.errors import FormulaError
from limen.formula.expression import ONE, ZERO, Expression, apply, parameter, substitute, walk
from limen.formula.operations import OPERATIONS

__all__ = ["derivative", "partials"]

# Derivatives share subexpressions, so they grow slowly; one that passes this has no use.
MOST_NODES = 20_000

_PLACES = tuple(parameter(name) for name in "abc")


@cache
def partials(operation: str) -> tuple[Expression, ...]:
    """The partial derivatives of an operation, in its arguments as the parameters a, b, c."""
    from limen.formula.parse import parse

    return tuple(parse(text, parameters="abc") for text in OPERATIONS[operation].derivative)


def derivative(root: Expression, leaf: Expression) -> Expression:
    """The derivative of an expression by one of its inputs or parameters.

    Args:
        root: the expression.
        leaf: an input or a parameter, as a node.

    Returns:
        The derivative as the chain rule gives it; `stabilize` gives it its good form.

    Raises:
        FormulaError: when the derivative grows past 20,000 nodes.
    """
    slopes: dict[Expression, Expression] = {}
    for count, node in enumerate(walk(root)):
        if count > MOST_NODES:
            raise FormulaError(f"the derivative of this formula passes {MOST_NODES} nodes")
        slopes[node] = ONE if node is leaf else _slope(node, slopes)
    return slopes[root]


def _slope(node: Expression, slopes: dict[Expression, Expression]) -> Expression:
    inner = [slopes[a] for a in node.arguments]
    if all(s is ZERO for s in inner) or OPERATIONS[node.operation].is_comparison:
        return ZERO
    match node.operation, node.arguments:
        case "where", (condition, _, _):
            return _choose(condition, inner[1], inner[2])
        case "minimum", (a, b):
            return _choose(apply("less", b, a), inner[1], inner[0])
        case "maximum", (a, b):
            return _choose(apply("less", a, b), inner[1], inner[0])
        case "clip", (a, low, high):
            above = _choose(apply("less", high, a), inner[2], inner[0])
            return _choose(apply("less", a, low), inner[1], above)
    places = dict(zip(_PLACES, node.arguments, strict=False))
    total = ZERO
    for partial, slope in zip(partials(node.operation), inner, strict=True):
        if slope is not ZERO:
            total = total + substitute(partial, places) * slope
    return total


def _choose(condition: Expression, yes: Expression, no: Expression) -> Expression:
    return yes if yes is no else apply("where", condition, yes, no)
