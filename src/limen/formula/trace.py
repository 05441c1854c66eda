"""From a Python function to a definition: the function is called once, with formulas as arguments.

The function's own operators and calls build the expression (`traced`). Its text is never read or
evaluated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from limen.errors import FormulaError
from limen.formula.definition import (
    GATED,
    MOST_NODES,
    PLAIN,
    Definition,
    check_constants,
    check_default,
    check_parameters,
)
from limen.formula.expression import Expression, as_number, input_, names, parameter, size
from limen.formula.traced import Traced, expression_of

__all__ = ["compose", "trace"]


def compose(
    definition: Definition, arguments: Sequence[object], parameters: Mapping[str, object]
) -> Traced:
    """A definition called inside a function that is being traced.

    Args:
        definition: what is called.
        arguments: traced values or numbers by position, inputs first.
        parameters: traced values or numbers by name.

    Raises:
        FormulaError: when the arguments do not fit the definition.
    """
    return Traced(
        definition(
            [expression_of(a, definition.name) for a in arguments],
            {name: expression_of(value, definition.name) for name, value in parameters.items()},
        )
    )


def trace(function: Callable[..., object], name: str | None = None) -> Definition:
    """The definition that a Python function computes, found by calling it once.

    Its arguments without a default are the inputs: one, or two for a gated function (the gate
    first); those with a number as default are parameters.

    Args:
        function: a function such as `def swish(x, beta=1.0): return x * limen.sigmoid(beta * x)`.
        name: what to call it; its own name if left out.

    Returns:
        The definition, in the inputs' usual names `x`, or `gate` and `value`.

    Raises:
        FormulaError: when its arguments or its result cannot be a formula's.

    Example:
        >>> trace(lambda u, a=2.0: u * abs(a * u)).expression
        Expression(x * abs(a * x))
    """
    name = name or getattr(function, "__name__", type(function).__name__).strip("<>")
    signature = _signature(function, name)
    places = [p for p in signature.parameters.values() if p.default is p.empty]
    inputs = {1: PLAIN, 2: GATED}.get(len(places))
    if inputs is None:
        raise FormulaError(
            f"{name} has {len(places)} arguments without a default: an activation function has "
            "one input (or two, gate and value), and its parameters have defaults, as in "
            "def swish(x, beta=1.0)"
        )
    parameters = {
        p.name: check_default(p.name, p.default)
        for p in signature.parameters.values()
        if p.default is not p.empty
    }
    check_parameters(parameters)
    call = signature.bind_partial()
    for place, input_name in zip(places, inputs, strict=True):
        call.arguments[place.name] = Traced(input_(input_name))
    for parameter_name in parameters:
        call.arguments[parameter_name] = Traced(parameter(parameter_name))
    expression = _result(function(*call.args, **call.kwargs), name)
    _check_leaves(expression, inputs, parameters, name)
    return Definition(name, inputs, parameters, expression)


def _signature(function: Callable[..., object], name: str) -> inspect.Signature:
    if not callable(function):
        raise FormulaError(
            "a formula is text or a Python function, "
            f"got {type(function).__name__}: {function!r:.60}"
        )
    if isinstance(function, type):
        raise FormulaError(f"{name} is a class: a formula is text or a Python function")
    if type(function).__name__ == "PjitFunction":  # of JAX, which traces in a way of its own
        raise FormulaError(f"{name} is compiled by JAX: write limen's, as in limen.tanh(x)")
    try:
        if type(function).__name__ == "ufunc":  # NumPy's own, which tells of out= and where=
            raise ValueError
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise FormulaError(
            f"{name} does not tell its arguments: wrap it, as in lambda x: {name}(x)"
        ) from None
    for place in signature.parameters.values():
        if place.kind in (place.VAR_POSITIONAL, place.VAR_KEYWORD):
            raise FormulaError(f"{name} takes *{place.name}: name each input and parameter")
    return signature


def _result(value: object, name: str) -> Expression:
    if value is None:
        raise FormulaError(f"{name} returned None: does it end with `return`?")
    expression = as_number(expression_of(value, f"the result of {name}"))
    if size(expression) > MOST_NODES:
        raise FormulaError(f"{name} builds a formula of more than {MOST_NODES:,} nodes")
    check_constants(expression)
    return expression


def _check_leaves(
    expression: Expression, inputs: Sequence[str], parameters: Mapping[str, float], name: str
) -> None:
    """Refuses a traced value that was kept from the tracing of another function."""
    strangers = {*names(expression, "input")} - {*inputs}
    strangers |= {*names(expression, "parameter")} - {*parameters}
    if strangers:
        raise FormulaError(
            f"{name} uses {' and '.join(sorted(strangers))}, traced for another function: "
            "take all values from its own arguments"
        )
