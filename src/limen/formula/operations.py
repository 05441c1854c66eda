r"""The one table of elementary operations.

Everything limen knows of an operation that is not code for one kind of number stands in its row:
arity, derivative, limits, shape, printed forms. The derivative is itself a formula, in the
operation's arguments `a`, `b`, `c`, and is chosen for its numerics: sigmoid' is s(a)s(-a) and not
s(a)(1 - s(a)), which loses every digit where a neuron saturates. The set is closed under
differentiation.

Rooms that compute with a kind of number (float64, double-double, intervals, balls, frameworks)
implement the operations under the names of this table.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["COMPARISONS", "OPERATIONS", "Operation"]

_INF = math.inf
_PI_2 = math.pi / 2


@dataclass(frozen=True, slots=True)
class Operation:
    """One elementary operation.

    Attributes:
        name: what formulas, printers and implementations call it.
        arity: how many arguments it takes.
        derivative: the partial derivative by each argument, as a formula in `a`, `b`, `c`.
            Empty for comparisons, and for `where`, `minimum`, `maximum` and `clip`, whose
            derivative chooses a branch (`derive` says which one a tie takes).
        latex: how it is set, with `{a}`, `{b}`, `{c}` for the arguments; empty for `where`, whose
            cases take as many lines as choices follow each other.
        symbol: the infix operator in text, with its `precedence` (higher binds tighter).
        conditions: the arguments that are comparisons, not numbers.
        limits: the limits as the argument goes to -inf and +inf; None where there is none.
        domain: the open interval of arguments where a real value exists.
        trend: 1 increasing, -1 decreasing on the domain, 0 neither.
        parity: "odd", "even" or None.
    """

    name: str
    arity: int
    derivative: tuple[str, ...] = ()
    latex: str = ""
    symbol: str = ""
    precedence: int = 100
    conditions: frozenset[int] = field(default=frozenset())
    limits: tuple[float | None, float | None] = (None, None)
    domain: tuple[float, float] = (-_INF, _INF)
    trend: Literal[-1, 0, 1] = 0
    parity: Literal["odd", "even"] | None = None

    @property
    def is_comparison(self) -> bool:
        """Whether it yields true or false."""
        return self.name in _COMPARISON_SYMBOLS


_COMPARISON_SYMBOLS = {
    "less": ("<", "<"),
    "less_equal": ("<=", r"\le"),
    "greater": (">", ">"),
    "greater_equal": (">=", r"\ge"),
    "equal": ("==", "="),
    "not_equal": ("!=", r"\ne"),
}

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
"""What each comparison says of two numbers, of any kind that Python compares; of a difference's
sign and 0 as well."""


def _comparison(name: str) -> Operation:
    symbol, latex = _COMPARISON_SYMBOLS[name]
    return Operation(name, 2, latex=f"{{a}} {latex} {{b}}", symbol=symbol, precedence=10)


def _function(name: str, derivative: str, latex: str = "", **row: object) -> Operation:
    return Operation(
        name,
        1,
        derivative=(derivative,),
        latex=latex or rf"\operatorname{{{{{name}}}}}\left({{a}}\right)",
        **row,  # type: ignore[arg-type]
    )


def _named(name: str) -> str:
    return rf"\{name}\left({{a}}\right)"


_ROWS = (
    # Arithmetic. `subtract` and `negate` are spellings: a - b is built as a + (-1)*b.
    Operation("add", 2, ("1", "1"), "{a} + {b}", "+", 20),
    Operation("subtract", 2, ("1", "-1"), "{a} - {b}", "-", 20),
    Operation("multiply", 2, ("b", "a"), r"{a} \, {b}", "*", 30),
    Operation("divide", 2, ("1 / b", "-a / b**2"), r"\frac{{{a}}}{{{b}}}", "/", 30),
    Operation("negate", 1, ("-1",), "-{a}", "-", 40),
    # d/db of a**b needs a > 0, where it is real.
    Operation("power", 2, ("b * a**(b - 1)", "a**b * log(a)"), r"{a}^{{{b}}}", "**", 50),
    # Choices
    *map(_comparison, _COMPARISON_SYMBOLS),
    Operation("where", 3, conditions=frozenset({0})),
    Operation("minimum", 2, latex=r"\min\left({a}, {b}\right)"),
    Operation("maximum", 2, latex=r"\max\left({a}, {b}\right)"),
    Operation("clip", 3, latex=r"\operatorname{{clip}}\left({a}, {b}, {c}\right)"),
    _function(
        "abs",
        "where(a < 0, -1, 1)",
        r"\left|{a}\right|",
        limits=(_INF, _INF),
        parity="even",
    ),
    _function("sign", "0", limits=(-1.0, 1.0), trend=1, parity="odd"),
    # Powers, exponentials, logarithms
    _function(
        "sqrt",
        "1 / (2 * sqrt(a))",
        r"\sqrt{{{a}}}",
        limits=(None, _INF),
        domain=(0.0, _INF),
        trend=1,
    ),
    _function("exp", "exp(a)", r"e^{{{a}}}", limits=(0.0, _INF), trend=1),
    _function("expm1", "exp(a)", limits=(-1.0, _INF), trend=1),
    _function("log", "1 / a", _named("ln"), limits=(None, _INF), domain=(0.0, _INF), trend=1),
    _function("log1p", "1 / (1 + a)", limits=(None, _INF), domain=(-1.0, _INF), trend=1),
    # Circular and hyperbolic functions
    _function("sin", "cos(a)", _named("sin"), parity="odd"),
    _function("cos", "-sin(a)", _named("cos"), parity="even"),
    _function("sinh", "cosh(a)", _named("sinh"), limits=(-_INF, _INF), trend=1, parity="odd"),
    _function("cosh", "sinh(a)", _named("cosh"), limits=(_INF, _INF), parity="even"),
    _function("tanh", "sech(a)**2", _named("tanh"), limits=(-1.0, 1.0), trend=1, parity="odd"),
    _function("sech", "-sech(a) * tanh(a)", limits=(0.0, 0.0), parity="even"),
    _function(
        "atan",
        "1 / (1 + a**2)",
        _named("arctan"),
        limits=(-_PI_2, _PI_2),
        trend=1,
        parity="odd",
    ),
    # The error function
    _function("erf", "2 / sqrt(pi) * exp(-a**2)", limits=(-1.0, 1.0), trend=1, parity="odd"),
    _function("erfc", "-2 / sqrt(pi) * exp(-a**2)", limits=(2.0, 0.0), trend=-1),
    # exp(a**2) erfc(a), which neither overflows nor vanishes on the right
    _function("erfcx", "2 * a * erfcx(a) - 2 / sqrt(pi)", limits=(_INF, 0.0), trend=-1),
    # Stable compounds: each is one operation because spelling it out cancels or overflows.
    _function(
        "sigmoid", "sigmoid(a) * sigmoid(-a)", r"\sigma\left({a}\right)", limits=(0.0, 1.0), trend=1
    ),  # 1 / (1 + exp(-a))
    _function("softplus", "sigmoid(a)", limits=(0.0, _INF), trend=1),  # log(1 + exp(a))
    _function(
        "tanhshrink", "tanh(a)**2", limits=(-_INF, _INF), trend=1, parity="odd"
    ),  # a - tanh(a)
    # sin(a) + cos(a) = sqrt(2) sin(a + pi/4), exact beside its roots
    _function("sin_plus_cos", "sin_plus_cos(-a)"),
    # Constants that are not rational
    Operation("pi", 0, latex=r"\pi"),
    Operation("e", 0, latex="e"),
)

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
"""Every operation by name."""
