"""What a gate lets through: the function of one input that a gated function is a product with."""

from __future__ import annotations

from limen.errors import LimenError
from limen.formula.definition import GATED, PLAIN, Definition
from limen.formula.expression import ONE, input_, multiply, substitute
from limen.formula.stabilize import canonical
from limen.function import ActivationFunction

__all__ = ["gate_curve"]


def gate_curve(function: ActivationFunction) -> ActivationFunction:
    """The function f of a gated function `f(gate) * value`.

    It is the formula as it was given, at the value 1: what certificates hold it against.

    Raises:
        LimenError: for a gated function that is no such product.
    """
    gate, value = map(input_, GATED)
    (x,) = map(input_, PLAIN)
    alone = substitute(function.expression, {value: ONE})
    if canonical(multiply(alone, value)) is not canonical(function.expression):
        raise LimenError(
            f"{function.name} has two inputs and is no product of its value and a function of its "
            "gate: tables are for such products, and for functions of one input"
        )
    definition = Definition(
        f"{function.name} at value 1", PLAIN, function.parameters, substitute(alone, {gate: x})
    )
    return ActivationFunction(definition)
