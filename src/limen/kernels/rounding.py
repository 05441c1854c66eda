"""Where a formula loses digits: a running error analysis over many points at once.

Each operation of a kernel rounds. How far that carries the value is, to first order, the sum over
all operations of |d value / d result| times the rounding error of the result. Divided by the value,
it says how many units of 2^-53 the result is off by: near 1 where nothing cancels, 2^30 where the
terms of a sum agree to 30 bits.

Source: Bauer, Computational graphs and rounding error, SIAM J. Numer. Anal. 11 (1974).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.formula import real
from limen.formula.derive import partials
from limen.formula.expression import Expression, walk
from limen.formula.operations import OPERATIONS

__all__ = ["exact_bits", "leaves_range", "loss", "values"]

Array = npt.NDArray[Any]

_PRIMITIVE = 4.0  # what a primitive is off by, in units of 2^-53; arithmetic by 1
_ARITHMETIC = frozenset({"add", "multiply", "divide", "sqrt"})
_EXACT = frozenset({"input", "parameter", "where", "minimum", "maximum", "clip", "abs", "sign"})
_PLACES = "abc"
# The bits of an input and of a number of the kernel; for float64 arrays both are twice as many.
_INPUT, _WORD = 24, 53
_WIDE = np.float64
_SMALLEST = np.finfo(_WIDE).tiny
_POSITIVE = frozenset({"exp", "sigmoid", "softplus", "sech", "erfc", "erfcx"})
_VANISHING = _POSITIVE | {"multiply", "divide", "power"}  # whose results may be too small


def values(
    expression: Expression,
    environment: Mapping[str, Array],
    dtype: type[np.floating[Any]] = _WIDE,
    *,
    flushes: bool = False,
) -> Array:
    """The values of a formula, at many points.

    Args:
        expression: a formula.
        environment: an array, or a number, for each input and parameter.
        dtype: what the result of each step is rounded to.
        flushes: whether steps of float64 have no subnormal results, as those of primitives may not.

    Returns:
        The values, in float64 in any case.
    """
    with np.errstate(all="ignore"):
        return _values(expression, environment, dtype, flushes)[expression]


def loss(expression: Expression, environment: Mapping[str, Array]) -> Array:
    """How far rounding carries the value, relative to it, in units of 2^-53.

    It is infinite where a value of 0 may be rounding alone, and NaN where the value is no finite
    number.

    Args:
        expression: a formula.
        environment: an array for each input, a number for each parameter.
    """
    with np.errstate(all="ignore"):
        found = _values(expression, environment)
        value = found[expression]
        error = np.zeros_like(value, dtype=float)
        bits = exact_bits(expression, _INPUT)
        for node, slope in _slopes(expression, found).items():
            off = _rounding(node)
            if off and bits[node] > _WORD:
                carried = np.abs(slope * found[node])
                error = error + off * np.where(slope == 0, 0.0, carried)
        relative = np.where(error == 0, 0.0, error / np.abs(value))
        return np.where(np.isfinite(value), relative, np.nan)


def leaves_range(expression: Expression, environment: Mapping[str, Array]) -> Array:
    """Where a step of a formula is too large for float64, or too small for all its digits.

    The running error analysis knows nothing of that: 1 / (1 + exp(x)) is right where exp(x) is
    infinite, and 1 / (1 + log(1 + exp(x))) is not.

    Args:
        expression: a formula.
        environment: an array for each input, a number for each parameter.
    """
    with np.errstate(all="ignore"):
        found = _values(expression, environment)
        left = np.zeros_like(found[expression], dtype=bool)
        for node in walk(expression):
            if node.varies and node.arguments and found[node].dtype != bool:
                size = np.abs(found[node])
                left = left | np.isinf(size) | ((size < _SMALLEST) & ~_is_zero(node, found))
    return left


def _is_zero(node: Expression, found: Mapping[Expression, Array]) -> Array:
    """Where a step whose result is 0 has not lost it: of sums, and of what is 0 for 0."""
    if node.operation not in _VANISHING:
        return np.equal(found[node], 0)
    zeros = [found[a] == 0 for a in node.arguments if a.varies]
    is_zero: Array = np.logical_or.reduce(np.broadcast_arrays(*zeros))
    return is_zero & (node.operation not in _POSITIVE)


def _rounding(node: Expression) -> float:
    """The rounding error of a node's own operation, relative to its result."""
    if node.is_constant:
        return 0.0 if real.from_fraction(node.payload) == node.payload else 1.0
    if node.operation in _EXACT or OPERATIONS[node.operation].is_comparison:
        return 0.0
    return 1.0 if node.operation in _ARITHMETIC else _PRIMITIVE


def exact_bits(expression: Expression, of_input: int) -> dict[Expression, float]:
    """How many significant bits a node's exact value has; infinite where that is not known.

    A product of inputs is exact in a kernel, which computes with twice the bits of an input.

    Args:
        expression: a formula.
        of_input: how many significant bits an input has.
    """
    found: dict[Expression, float] = {}
    for node in walk(expression):
        inner = [found[a] for a in node.arguments]
        found[node] = math.inf
        if node.operation == "input":
            found[node] = of_input
        elif node.is_constant and not node.payload.denominator & (node.payload.denominator - 1):
            found[node] = _odd_part(abs(node.payload.numerator)).bit_length()
        elif node.operation in ("multiply", "negate", "abs"):
            found[node] = sum(inner)
        elif node.operation == "where":
            found[node] = max(inner[1:])
        elif node.operation == "power" and node.arguments[1].is_constant:
            exponent = node.arguments[1].payload
            whole = exponent.denominator == 1 and exponent > 0
            found[node] = inner[0] * int(exponent) if whole else math.inf
    return found


def _odd_part(number: int) -> int:
    return number // (number & -number) if number else 0


def _values(
    expression: Expression,
    environment: Mapping[str, Array],
    dtype: type[np.floating[Any]] = _WIDE,
    flushes: bool = False,
) -> dict[Expression, Array]:
    shape = np.broadcast(*environment.values()).shape if environment else ()
    found: dict[Expression, Array] = {}
    for node in walk(expression):
        if node.is_constant:
            found[node] = np.asarray(real.from_fraction(node.payload))
        elif node.operation in ("input", "parameter"):
            found[node] = np.asarray(environment[node.payload], float)
        else:
            found[node] = _FUNCTIONS[node.operation](*(found[a] for a in node.arguments))
        if (dtype is not _WIDE or flushes) and found[node].dtype != bool:
            found[node] = _stored(found[node], dtype)
    found[expression] = np.broadcast_to(found[expression], shape)
    return found


def _stored(array: Array, dtype: type[np.floating[Any]]) -> Array:
    """The values rounded to a dtype; without subnormal numbers, which XLA and others round to 0."""
    rounded = array.astype(dtype).astype(_WIDE)
    return np.where(np.abs(rounded) < np.finfo(dtype).tiny, 0.0 * rounded, rounded)


def _slopes(root: Expression, found: Mapping[Expression, Array]) -> dict[Expression, Array]:
    """d root / d node, for every node."""
    nodes = list(walk(root))
    slopes: dict[Expression, Array] = {root: np.ones_like(found[root], dtype=float)}
    for node in reversed(nodes):
        slope = slopes.get(node)
        if slope is None or not node.varies or not node.arguments:
            continue
        for argument, partial in zip(node.arguments, _partials(node, found), strict=True):
            if partial is not None:
                carried = np.where((partial == 0) | (slope == 0), 0.0, slope * partial)
                slopes[argument] = slopes.get(argument, 0.0) + carried
    return slopes


def _partials(node: Expression, found: Mapping[Expression, Array]) -> list[Array | None]:
    arguments = [found[a] for a in node.arguments]
    match node.operation:
        case "where":
            condition = arguments[0].astype(bool)
            return [None, condition * 1.0, ~condition * 1.0]
        case "minimum" | "maximum" | "clip":
            return [(found[node] == a) * 1.0 for a in arguments]
        case "add":
            return [np.asarray(1.0), np.asarray(1.0)]
        case "multiply":
            return [arguments[1], arguments[0]]
        case "power":
            a, b = arguments
            return [b * _FUNCTIONS["power"](a, b - 1), None]
    environment = dict(zip(_PLACES, arguments, strict=False))
    return [_values(p, environment)[p] for p in partials(node.operation)] or [None] * len(arguments)


def _elementwise(name: str) -> Callable[..., Array]:
    row = OPERATIONS[name]
    function = np.frompyfunc(real.FUNCTIONS[name], row.arity, 1)
    return lambda *arguments: np.asarray(function(*arguments), float)


# NumPy's own functions where it has them: `real` says what they mean, one number at a time.
_FUNCTIONS: dict[str, Callable[..., Array]] = {
    name: _elementwise(name) for name in OPERATIONS if OPERATIONS[name].arity
} | {
    "add": np.add,
    "multiply": np.multiply,
    "divide": np.divide,
    "negate": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "atan": np.arctan,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "where": np.where,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "pi": lambda: np.asarray(np.pi),
    "e": lambda: np.asarray(np.e),
    "power": np.power,
    "sech": lambda a: 1.0 / np.cosh(a),
    "sigmoid": lambda a: np.where(a < 0, np.exp(a), 1.0) / (1.0 + np.exp(-np.abs(a))),
    "softplus": lambda a: np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a))),
}
