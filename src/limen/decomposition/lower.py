"""From a function to a program in a framework's operations."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_float
from functools import cache, partial
from importlib import import_module
from typing import Any, get_args

from limen.decomposition.edges import with_edges
from limen.decomposition.moderate import moderate
from limen.decomposition.program import Program, dependents
from limen.decomposition.table import AS_WRITTEN, TABLE, Framework
from limen.decomposition.windows import with_windows
from limen.errors import UnknownNameError
from limen.formula.expression import (
    Expression,
    bind,
    evaluate,
    input_,
    parameter,
    rebuild,
    substitute,
    walk,
)
from limen.formula.operations import COMPARISONS
from limen.formula.parse import parse
from limen.formula.shifted import shifted
from limen.formula.stabilize import stable
from limen.function import ActivationFunction

__all__ = ["Framework", "decomposed", "only_chooses", "power", "written"]

_ARGUMENTS = ("a", "b", "c")
_BEYOND_SINGLE = 1 << 128
_CHOICES = frozenset(
    {"input", "constant", "where", "minimum", "maximum", "clip", "abs", *COMPARISONS}
)


def decomposed(
    f: ActivationFunction,
    framework: Framework,
    learnable: tuple[str, ...] = (),
    number: Callable[[float], Any] = float,
    dtype: Any = None,
) -> Program:
    """A function's value as a program of calls of a framework's functions.

    Args:
        f: the function; the program has its parameters' values.
        framework: "torch", "jax", or "exported" for PyTorch operations that ONNX has too.
        learnable: parameters that the program takes after the inputs instead.
        number: makes the constants.
        dtype: that of PyTorch's that is computed in; numbers alone do not tell it.

    Returns:
        The program: of as many arrays as the function has inputs, of float32 or float64, and as
        many as there are learnable parameters.

    Raises:
        UnknownNameError: for a learnable parameter that the function has not.
    """
    for name in learnable:
        if name not in f.parameters:
            known = ", ".join(f.parameters) or "none"
            raise UnknownNameError(f"{f.name} has no parameter {name!r}; it has: {known}")
    if len(f.inputs) == 1 and not learnable:
        expression = with_windows(f)  # which asks for the numbers
    else:
        expression = moderate(shifted(stable(f.expression)))
    numbers = f.parameters
    if len(f.inputs) == 1:
        expression, added = with_edges(f, expression, learnable)
        numbers |= added
    leaves = (*map(input_, f.inputs), *map(parameter, learnable))
    names = _names(framework)
    lowered, functions = _lowered(expression, names, leaves), _functions(names)
    if dtype is not None:
        functions = functions | {"where": partial(functions["where"], dtype=dtype)}
    return Program(lowered, f.inputs, numbers, functions, number, learnable)


def written(f: ActivationFunction, framework: Framework) -> Program:
    """The formula as it stands, in the functions that users of a framework would type."""
    names = _names(framework, as_written=True)
    lowered = _lowered(f.expression, names, tuple(map(input_, f.inputs)))
    return Program(lowered, f.inputs, f.parameters, _functions(names))


def only_chooses(f: ActivationFunction) -> bool:
    """Whether a function hands on its input, or numbers that float32 holds, and computes nothing.

    Its decomposition gives the exact values then, and its derivative only chooses as well.
    """
    nodes = tuple(walk(bind(stable(f.expression), f.parameters)))
    constants = (node.payload for node in nodes if node.is_constant)
    return all(node.operation in _CHOICES for node in nodes) and all(
        abs(number) < _BEYOND_SINGLE and is_single(float(number)) for number in constants
    )


def is_single(number: float) -> bool:
    """Whether float32 holds a number exactly; if it is none, as well."""
    return number != number or c_float(number).value == number


_Names = tuple[tuple[str, str], ...]


@cache
def _names(framework: Framework, as_written: bool = False) -> _Names:
    """What each operation is called."""
    column = get_args(Framework).index(framework)
    cells = {operation: row[column] for operation, row in TABLE.items()}
    return tuple({**cells, **(AS_WRITTEN.get(framework, {}) if as_written else {})}.items())


def _lowered(root: Expression, names: _Names, leaves: tuple[Expression, ...]) -> Expression:
    """The same with the formulas of the table in the place of operations that are missing."""
    cells, varying = dict(names), dependents(root, leaves)

    def visit(node: Expression, *arguments: Expression) -> Expression:
        cell = cells[node.operation] if arguments and node in varying else ""
        if not cell.startswith("="):
            return rebuild(node, arguments)
        places = map(parameter, _ARGUMENTS)
        built = substitute(_formula(cell), dict(zip(places, arguments, strict=False)))
        return _lowered(built, names, leaves)

    lowered: Expression = evaluate(root, visit)
    return lowered


@cache
def _formula(cell: str) -> Expression:
    return parse(cell.removeprefix("="), _ARGUMENTS)


def power(a: Any, b: Any) -> Any:
    """a**b; with a whole number as an exponent where it is one, which is quicker and exact."""
    return a ** (int(b) if isinstance(b, float) and b.is_integer() else b)


@cache
def _functions(names: _Names) -> dict[str, Callable[..., Any]]:
    """The functions that are named."""
    return {operation: _found(cell) for operation, cell in names if not cell.startswith("=")}


def _found(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
