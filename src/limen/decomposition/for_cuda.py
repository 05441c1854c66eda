"""A program that writes a kernel: calls of these functions add the lines of its source.

The lines are those of one element, in a C++ function template of the type `T` that is computed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = [
    "Line", "abs", "atan", "clip", "cos", "cosh", "erf", "erfc", "erfcx", "exp", "expm1", "log",
    "log1p", "maximum", "minimum", "sign", "sin", "sinh", "sqrt", "tanh", "text", "where",
]  # fmt: skip

_FEW = 4  # multiplications make a power as large as this


class Line:
    """A value in a source that grows by a line with each operation on it.

    Args:
        source: the lines so far.
        text: the value's name in them.

    Example:
        >>> source = []
        >>> x = Line(source, "x")
        >>> exp(x * 2.0)
        v1
        >>> source
        ['const auto v0 = x * T(2.0);', 'const auto v1 = exp(v0);']
    """

    def __init__(self, source: list[str], text: str) -> None:
        self.source, self._text = source, text

    def then(self, expression: str) -> Line:
        """The value of an expression, which is computed next."""
        name = f"v{len(self.source)}"
        self.source.append(f"const auto {name} = {expression};")
        return Line(self.source, name)

    def __repr__(self) -> str:
        return self._text

    def __pow__(self, exponent: Any) -> Line:
        if isinstance(exponent, int) and 0 < exponent <= _FEW:
            return self.then(" * ".join([self._text] * exponent))
        return self.then(f"pow({self}, {text(exponent)})")

    def __rpow__(self, base: float) -> Line:
        return self.then(f"pow({text(base)}, {self})")


def _operator(sign: str, is_turned: bool = False) -> Callable[[Line, Any], Line]:
    def method(self: Line, other: Any) -> Line:
        a, b = text(self), text(other)
        return self.then(f"{b} {sign} {a}" if is_turned else f"{a} {sign} {b}")

    return method


for _name, _sign in {"add": "+", "mul": "*", "truediv": "/"}.items():
    setattr(Line, f"__{_name}__", _operator(_sign))
    setattr(Line, f"__r{_name}__", _operator(_sign, is_turned=True))
# Python turns a comparison itself: `0.0 < x` asks `x > 0.0`.
for _name, _sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    setattr(Line, f"__{_name}__", _operator(_sign))


def text(value: Any) -> str:
    """A value, or a number, as the source has it."""
    if isinstance(value, Line):
        return repr(value)
    number = float(value)
    if math.isnan(number):
        return "T(NAN)"
    if math.isinf(number):
        return "T(INFINITY)" if number > 0 else "T(-INFINITY)"
    return f"T({number!r})"


def _call(name: str) -> Callable[[Line], Line]:
    return lambda a: a.then(f"{name}({a})")


abs = _call("fabs")
sqrt, exp, expm1, log, log1p = map(_call, ("sqrt", "exp", "expm1", "log", "log1p"))
sin, cos, sinh, cosh, tanh, atan = map(_call, ("sin", "cos", "sinh", "cosh", "tanh", "atan"))
erf, erfc, erfcx = map(_call, ("erf", "erfc", "erfcx"))


def where(condition: Line, yes: Any, no: Any) -> Line:
    """A choice."""
    return condition.then(f"{condition} ? {text(yes)} : {text(no)}")


def _one_of_two(relation: str) -> Callable[[Any, Any], Line]:
    """The one of two that is in a relation to the other, the first of equals; NaN for NaN."""

    def choose(a: Any, b: Any) -> Line:
        line, first, second = a if isinstance(a, Line) else b, text(a), text(b)
        is_first = f"{first} {relation} {second} || {first} != {first}"
        return line.then(f"({is_first}) ? {first} : {second}")

    return choose


maximum, minimum = map(_one_of_two, (">=", "<="))


def clip(a: Any, low: Any, high: Any) -> Line:
    """`minimum(maximum(a, low), high)`."""
    return minimum(maximum(a, low), high)


def sign(a: Line) -> Line:
    """-1, 0 or 1; 0 for NaN, as in PyTorch."""
    return a.then(f"T({a} > T(0)) - T({a} < T(0))")
