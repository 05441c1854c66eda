"""Values of a function that is being traced: what it computes with, in the place of numbers.

Python's operators, limen's functions and NumPy's of the same meaning build the expression. What a
formula cannot hold, such as an `if` on a traced value, is an error that names what can.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from limen.errors import FormulaError
from limen.formula.advice import FUNCTIONS, INFIX, advise
from limen.formula.expression import Expression, apply, constant
from limen.formula.operations import Operation

__all__ = ["Traced", "expression_of", "operation_functions"]

# The functions of NumPy and scipy.special whose name is not the table's.
_FOREIGN_NAMES = {
    "absolute": "abs",
    "arctan": "atan",
    "expit": "sigmoid",
    "fabs": "abs",
    "float_power": "power",
    "negative": "negate",
    "true_divide": "divide",
}
_OPERATIONS = {*FUNCTIONS, "negate", *(row.name for row in INFIX.values())}

_INSTEAD_OF_IF = (
    "a formula has no `if`: {value} is neither true nor false while the function is traced. "
    "Write limen.where(x < 0, a, b) for `a if x < 0 else b`, limen.minimum and limen.maximum for "
    "min() and max(), limen.clip(x, a, b) for bounds, and one where inside another for `and`, "
    "`or` and `a < x < b`"
)
_INSTEAD_OF_FLOAT = (
    "{value} is no number yet: for functions of `math`, and for float() and int(), write limen's "
    "own, as in limen.exp(x) for math.exp(x)"
)
_INSTEAD_OF_ARRAY = (
    "{value} is one number, not an array: an activation function says what happens to each element"
)
_INSTEAD_OF_LOGIC = (
    "conditions are not combined: write limen.where(a, limen.where(b, yes, no), no) for `a & b`, "
    "limen.where(a, yes, limen.where(b, yes, no)) for `a | b`, and swap the choices for `~a`"
)
_INSTEAD_OF_ROUNDING = "a formula has no rounding, floor division or remainder"


def _binary(operation: str) -> Any:
    return lambda self, other: _traced(operation, self, other)


def _reflected(operation: str) -> Any:
    return lambda self, other: _traced(operation, other, self)


def _refused(advice: str) -> Any:
    def refuse(self: Traced, *_: object, **__: object) -> Any:
        raise FormulaError(advice.format(value=repr(self)))

    return refuse


class Traced:
    """A value inside a Python function that is being traced: a formula that grows as it is used.

    It takes Python's operators, limen's functions, and NumPy's of the same meaning. Comparing it
    gives a condition for `where`; hence it has no truth value and no hash.
    """

    __slots__ = ("expression",)

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __repr__(self) -> str:
        from limen.formula.show import to_text

        return f"Traced({to_text(self.expression, shorten=60)})"

    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("subtract"), _reflected("subtract")
    __mul__, __rmul__ = _binary("multiply"), _reflected("multiply")
    __truediv__, __rtruediv__ = _binary("divide"), _reflected("divide")
    __pow__, __rpow__ = _binary("power"), _reflected("power")
    __lt__, __le__ = _binary("less"), _binary("less_equal")
    __gt__, __ge__ = _binary("greater"), _binary("greater_equal")
    __eq__, __ne__ = _binary("equal"), _binary("not_equal")
    __hash__ = None  # type: ignore[assignment]  # equality is a formula

    def __neg__(self) -> Traced:
        return _traced("negate", self)

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Traced:
        return _traced("abs", self)

    def __getattr__(self, name: str) -> Any:
        instead = f"write limen.{name}(x)" if name in FUNCTIONS else "it is one number of a formula"
        raise AttributeError(f"{self!r} has no {name!r}: {instead}")

    __bool__ = _refused(_INSTEAD_OF_IF)
    __float__ = __int__ = __complex__ = __index__ = _refused(_INSTEAD_OF_FLOAT)
    __len__ = __iter__ = __getitem__ = __contains__ = __array__ = _refused(_INSTEAD_OF_ARRAY)
    __matmul__ = __rmatmul__ = _refused(_INSTEAD_OF_ARRAY)
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _refused(_INSTEAD_OF_LOGIC)
    __invert__ = _refused(_INSTEAD_OF_LOGIC)
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refused(
        _INSTEAD_OF_ROUNDING
    )
    __round__ = __floor__ = __ceil__ = __trunc__ = _refused(_INSTEAD_OF_ROUNDING)

    def __array_ufunc__(
        self, function: Any, method: str, *arguments: object, **options: object
    ) -> Traced:
        """What NumPy calls for `numpy.exp(x)`, or for an array or a NumPy number times x."""
        if method != "__call__" or options:
            raise FormulaError(
                f"numpy.{function.__name__} works on a formula only as a plain call, without "
                "out=, where= and the like"
            )
        return _foreign(function.__name__, arguments)

    def __array_function__(
        self, function: Any, _: object, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> Traced:
        """What NumPy calls for `numpy.where(x < 0, a, b)` and its other functions."""
        if options:
            raise FormulaError(f"write numpy.{function.__name__} with positional arguments alone")
        return _foreign(function.__name__, arguments)


def _foreign(name: str, arguments: Sequence[object]) -> Traced:
    match name, arguments:
        case "square", (a,):
            return _traced("power", a, 2)
        case "reciprocal", (a,):
            return _traced("divide", 1, a)
        case "positive", (a,):
            return Traced(expression_of(a, name))
    operation = _FOREIGN_NAMES.get(name, name)
    if operation not in _OPERATIONS:
        raise FormulaError(advise(name, FUNCTIONS, called=True))
    return _traced(operation, *arguments)


def _traced(operation: str, *arguments: object) -> Traced:
    return Traced(apply(operation, *(expression_of(a, operation) for a in arguments)))


def expression_of(value: object, place: str) -> Expression:
    """What a traced value or a number stands for; a number has its binary64 value."""
    match value:
        case Traced():
            return value.expression
        case Fraction():
            return constant(value)
        case numbers.Real():
            try:
                return constant(float(value))
            except OverflowError:
                raise FormulaError(f"{place} is given a number too large for binary64") from None
    if getattr(value, "shape", None) == ():  # NumPy compares its numbers as arrays of no axes
        return expression_of(value.item(), place)  # type: ignore[attr-defined]
    if hasattr(value, "shape"):
        raise FormulaError(
            f"{place} builds a formula here and takes no arrays: make an activation function "
            f"with limen.activation and call that, or use NumPy's functions on arrays"
        )
    raise FormulaError(
        f"{place} takes traced values and real numbers, got {type(value).__name__}: {value!r:.60}"
    )


def operation_functions() -> dict[str, Callable[..., Traced]]:
    """The operations that are called by name (`where`, `exp`, ...), as functions of traced values.

    Each takes what a traced function has at hand, traced values and numbers, and returns a traced
    value; for an array it raises `FormulaError`.

    Example:
        >>> operation_functions()["exp"](2)
        Traced(exp(2))
    """
    return {name: _operation_function(row) for name, row in FUNCTIONS.items()}


@cache
def _operation_function(row: Operation) -> Callable[..., Traced]:
    def function(*arguments: object) -> Traced:
        return _traced(row.name, *arguments)

    places = "abc"[: row.arity]
    function.__name__ = function.__qualname__ = row.name
    function.__module__ = "limen"  # where it is found, by pickle too
    function.__doc__ = (
        f"`{row.name}({', '.join(places)})` in a formula.\n\n"
        f"Args:\n    {', '.join(places)}: traced values or numbers.\n\n"
        "Returns:\n    A traced value.\n\n"
        "Raises:\n    FormulaError: for arrays, and for a wrong number of arguments.\n"
    )
    kind = inspect.Parameter.POSITIONAL_ONLY
    signature = inspect.Signature([inspect.Parameter(place, kind) for place in places])
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function
