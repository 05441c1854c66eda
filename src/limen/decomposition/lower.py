"""From a function to a program in a framework's operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, get_args

from limen.decomposition.program import Program
from limen.decomposition.table import AS_WRITTEN, TABLE, Framework
from limen.formula.expression import (
    ZERO,
    Expression,
    apply,
    constant,
    evaluate,
    input_,
    parameter,
    rebuild,
    substitute,
)
from limen.formula.parse import parse
from limen.formula.stabilize import stable
from limen.function import ActivationFunction
from limen.kernels.edges import known_limits
from limen.kernels.guards import (
    LIMIT_NAMES,
    keep_zero_sign,
    needs_limits,
    passes_nan,
    unless_nan,
)

__all__ = ["Framework", "decomposed", "power", "written"]

_ARGUMENTS = ("a", "b", "c")
# Beyond this, NaN can only come of an overflow on the way, which in float32 begins at exp(88.8).
_FAR = constant(1 << 5)


def decomposed(f: ActivationFunction, framework: Framework) -> Program:
    """A function's value as a program of calls of a framework's functions.

    Args:
        f: the function; the program has its parameters' values.
        framework: "torch", "jax", or "exported" for PyTorch operations that ONNX has too.

    Returns:
        The program: of as many arrays as the function has inputs, of float32 or float64.
    """
    names = _names(framework)
    expression, numbers = stable(f.expression), f.parameters
    if len(f.inputs) == 1:
        expression, limits = _with_edges(f, expression)
        numbers |= dict(zip(LIMIT_NAMES, limits, strict=False))
    return Program(_lowered(expression, names), f.inputs, numbers, _functions(names))


def written(f: ActivationFunction, framework: Framework) -> Program:
    """The formula as it stands, in the functions that users of a framework would type."""
    names = _names(framework, as_written=True)
    return Program(_lowered(f.expression, names), f.inputs, f.parameters, _functions(names))


def _with_edges(f: ActivationFunction, form: Expression) -> tuple[Expression, Sequence[float]]:
    """The limits at infinity, NaN for NaN, and the sign of zero; and what the limits are."""
    name = f.inputs[0]
    x = input_(name)
    signed = keep_zero_sign(form, f.expression, x, f.parameters)
    if needs_limits(form, f.parameters):
        # As `guards.with_limits`, but for any format: what is large is not the same in all.
        limit = apply("where", apply("less", x, ZERO), *map(parameter, LIMIT_NAMES))
        is_near = apply("less_equal", apply("abs", x), _FAR)
        settled = apply("where", apply("equal", signed, signed), signed, limit)
        edged = apply("where", is_near, signed, unless_nan(x, settled))
        return edged, known_limits(f.expression, name, f.parameters)
    return signed if passes_nan(form) else unless_nan(x, signed), ()


_Names = tuple[tuple[str, str], ...]


@cache
def _names(framework: Framework, as_written: bool = False) -> _Names:
    """What each operation is called."""
    column = get_args(Framework).index(framework)
    cells = {operation: row[column] for operation, row in TABLE.items()}
    return tuple({**cells, **(AS_WRITTEN.get(framework, {}) if as_written else {})}.items())


def _lowered(root: Expression, names: _Names) -> Expression:
    """The same with the formulas of the table in the place of operations that are missing."""
    cells = dict(names)

    def visit(node: Expression, *arguments: Expression) -> Expression:
        cell = cells[node.operation] if arguments and node.varies else ""
        if not cell.startswith("="):
            return rebuild(node, arguments)
        leaves = map(parameter, _ARGUMENTS)
        built = substitute(_formula(cell), dict(zip(leaves, arguments, strict=False)))
        return _lowered(built, names)

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
