"""Choices: a formula's absolute values, signs, extremes and bounds, each as the `where` it is.

A `where` says which branch a tie takes, and with it the derivative at a kink. The reference has
that from here, and not from the kernels it is to check.
"""

from __future__ import annotations

from limen.formula.expression import MINUS_ONE, ONE, ZERO, Expression, apply, evaluate, rebuild

__all__ = ["choices_spelled_out"]


def choices_spelled_out(expression: Expression) -> Expression:
    """The formula with every choice as a `where`: which branch a tie takes stands here."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        match node.operation, arguments:
            case "abs", (a,):
                return apply("where", apply("less", a, ZERO), -a, a)
            case "sign", (a,):
                positive = apply("where", apply("less", ZERO, a), ONE, ZERO)
                return apply("where", apply("less", a, ZERO), MINUS_ONE, positive)
            case "minimum", (a, b):
                return apply("where", apply("less", b, a), b, a)
            case "maximum", (a, b):
                return apply("where", apply("less", a, b), b, a)
            case "clip", (a, low, high):
                above = apply("where", apply("less", high, a), high, a)
                return apply("where", apply("less", a, low), low, above)
        return rebuild(node, arguments)

    result: Expression = evaluate(expression, visit)
    return result
