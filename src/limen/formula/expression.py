"""Expressions: hash-consed nodes, so that equal formulas are the same object.

An expression is a leaf (`input`, `parameter`, `constant`) or an operation of the one table
in `operations` applied to expressions. Nodes are immutable and interned: building the same node
twice gives the same object, so identity is equality, common parts of a formula are found for
free, and a derivative of any order shares whatever repeats.

Constants are exact: an integer, a fraction, or the binary64 value a literal stands for.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any
from weakref import WeakValueDictionary

from limen.errors import FormulaError
from limen.formula.operations import COMPARISONS, OPERATIONS

__all__ = [
    "Expression",
    "add",
    "apply",
    "as_number",
    "bind",
    "constant",
    "divide",
    "evaluate",
    "input_",
    "multiply",
    "names",
    "negate",
    "parameter",
    "power",
    "size",
    "substitute",
    "walk",
]

Number = int | float | Fraction

# Exact constants grow as they are folded: unchecked, a short text could ask for minutes of work.
# The square of any binary64 number has fewer bits than this.
MOST_BITS = 4096


class Expression:
    """One node of a formula. Build it with the functions of this module, or with operators.

    Attributes:
        operation: a key of `OPERATIONS`, or "input", "parameter", "constant".
        arguments: the expressions the operation is applied to; empty for a leaf.
        payload: the name of an input or parameter, the `Fraction` of a constant, else None.
        varies: whether it depends on an input; what does not is one number while a kernel runs.
    """

    __slots__ = ("__weakref__", "arguments", "operation", "payload", "varies")

    operation: str
    arguments: tuple[Expression, ...]
    payload: Any
    varies: bool

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("expressions are immutable: build a new one")

    def __reduce__(self) -> tuple[Any, ...]:
        return _intern, (self.operation, self.arguments, self.payload)

    def __add__(self, other: Expression | Number) -> Expression:
        return add(self, _coerce(other))

    def __radd__(self, other: Number) -> Expression:
        return add(_coerce(other), self)

    def __sub__(self, other: Expression | Number) -> Expression:
        return add(self, negate(_coerce(other)))

    def __rsub__(self, other: Number) -> Expression:
        return add(_coerce(other), negate(self))

    def __mul__(self, other: Expression | Number) -> Expression:
        return multiply(self, _coerce(other))

    def __rmul__(self, other: Number) -> Expression:
        return multiply(_coerce(other), self)

    def __truediv__(self, other: Expression | Number) -> Expression:
        return divide(self, _coerce(other))

    def __rtruediv__(self, other: Number) -> Expression:
        return divide(_coerce(other), self)

    def __pow__(self, exponent: Expression | Number) -> Expression:
        return power(self, _coerce(exponent))

    def __rpow__(self, base: Number) -> Expression:
        return power(_coerce(base), self)

    def __neg__(self) -> Expression:
        return negate(self)

    def __repr__(self) -> str:
        from limen.formula.show import to_text

        return f"Expression({to_text(self, shorten=200)})"

    @property
    def is_constant(self) -> bool:
        """Whether this is an exact rational constant (not `pi`, not `sqrt(2)`)."""
        return self.operation == "constant"


_table: WeakValueDictionary[tuple[Any, ...], Expression] = WeakValueDictionary()
_lock = threading.Lock()


def _unlock_in_child() -> None:
    """A child that is forked while another thread builds a node must not wait for that thread."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)


def _intern(operation: str, arguments: tuple[Expression, ...], payload: Any) -> Expression:
    key = (operation, payload, *map(id, arguments))
    with _lock:
        node = _table.get(key)
        if node is None:
            node = object.__new__(Expression)
            object.__setattr__(node, "operation", operation)
            object.__setattr__(node, "arguments", arguments)
            object.__setattr__(node, "payload", payload)
            varies = operation == "input" or any(a.varies for a in arguments)
            object.__setattr__(node, "varies", varies)
            _table[key] = node
        return node


def input_(name: str) -> Expression:
    """An input of the activation function: a pre-activation."""
    return _intern("input", (), name)


def parameter(name: str) -> Expression:
    """A named parameter, a binary64 number that the kernel takes at run time."""
    return _intern("parameter", (), name)


def constant(value: Number) -> Expression:
    """An exact constant; a float stands for its binary64 value."""
    if isinstance(value, float) and not math.isfinite(value):
        raise FormulaError(f"a constant must be finite, got {value}")
    exact = Fraction(value)
    if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > MOST_BITS:
        raise FormulaError("a constant this large or this long has no use in a formula")
    return _intern("constant", (), exact)


def _coerce(value: Expression | Number) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, int | float | Fraction):
        return constant(value)
    raise TypeError(f"cannot use {type(value).__name__} in a formula")


ZERO = constant(0)
ONE = constant(1)
MINUS_ONE = constant(-1)
TWO = constant(2)
HALF = constant(Fraction(1, 2))


def apply(operation: str, *arguments: Expression) -> Expression:
    """Applies an operation of the table; sums, products and powers of constants are folded.

    Raises:
        FormulaError: for an unknown operation or a wrong number of arguments.
    """
    row = OPERATIONS.get(operation)
    if row is None:
        raise FormulaError(f"unknown operation {operation!r}")
    if len(arguments) != row.arity:
        count = "1 argument" if row.arity == 1 else f"{row.arity} arguments"
        raise FormulaError(f"{operation} takes {count}, got {len(arguments)}")
    arguments = tuple(
        _as_condition(a) if i in row.conditions else as_number(a) for i, a in enumerate(arguments)
    )
    fold = _FOLDS.get(operation)
    return fold(*arguments) if fold else _intern(operation, arguments, None)


def as_number(node: Expression) -> Expression:
    """The node itself, or 1 and 0 for a comparison."""
    if node.operation in COMPARISONS:
        return _intern("where", (node, ONE, ZERO), None)
    return node


def _as_condition(node: Expression) -> Expression:
    return node if node.operation in COMPARISONS else _intern("not_equal", (node, ZERO), None)


def add(a: Expression, b: Expression) -> Expression:
    """a + b, exactly folded when both are constants or one is 0."""
    a, b = as_number(a), as_number(b)
    if a.is_constant and b.is_constant:
        return constant(a.payload + b.payload)
    if a is ZERO:
        return b
    if b is ZERO:
        return a
    return _intern("add", (a, b), None)


def negate(a: Expression) -> Expression:
    """-a, as a product with -1."""
    return multiply(MINUS_ONE, a)


def multiply(a: Expression, b: Expression) -> Expression:
    """a * b; a constant factor is kept in front."""
    a, b = as_number(a), as_number(b)
    if b.is_constant and not a.is_constant:
        a, b = b, a
    if a.is_constant:
        if b.is_constant:
            return constant(a.payload * b.payload)
        if a is ONE:
            return b
        if b.operation == "multiply" and b.arguments[0].is_constant:
            return multiply(constant(a.payload * b.arguments[0].payload), b.arguments[1])
        if a is ZERO:
            return ZERO
    return _intern("multiply", (a, b), None)


def divide(a: Expression, b: Expression) -> Expression:
    """a / b, exact for constants."""
    a, b = as_number(a), as_number(b)
    if b is ZERO:
        raise FormulaError("division by the constant 0")
    if b.is_constant:
        return multiply(constant(1 / b.payload), a)
    if a is ZERO:
        return ZERO
    return _intern("divide", (a, b), None)


def power(a: Expression, b: Expression) -> Expression:
    """a ** b. The exponent is free of inputs; an integer power of a constant is folded."""
    a, b = as_number(a), as_number(b)
    if b.varies:
        raise FormulaError(
            "an exponent must not depend on an input: write exp(b * log(a)) where a is positive"
        )
    if b is ONE:
        return a
    if b is ZERO:
        return ONE
    if a.is_constant and b.is_constant and b.payload.denominator == 1:
        if a.payload == 0 and b.payload < 0:
            raise FormulaError("division by the constant 0")
        if _power_bits(a.payload, int(b.payload)) > MOST_BITS:
            raise FormulaError("a constant power this large has no use in a formula")
        return constant(a.payload ** int(b.payload))
    return _intern("power", (a, b), None)


def _power_bits(base: Fraction, exponent: int) -> int:
    """A lower bound of the bits of a constant power, exact for powers of two."""
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    return (bits - 1) * abs(exponent)


_FOLDS: dict[str, Callable[..., Expression]] = {
    "add": add,
    "multiply": multiply,
    "divide": divide,
    "power": power,
    "subtract": lambda a, b: add(a, negate(b)),
    "negate": negate,
}


def walk(*roots: Expression) -> Iterator[Expression]:
    """Every node below the roots once, arguments before the nodes that use them; no recursion."""
    seen: set[Expression] = set()
    for root in roots:
        stack: list[tuple[Expression, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.arguments) if a not in seen)


def evaluate(root: Expression, visit: Callable[..., Any]) -> Any:
    """Folds an expression bottom-up: `visit(node, *values_of_its_arguments)`, each node once."""
    values: dict[Expression, Any] = {}
    for node in walk(root):
        values[node] = visit(node, *(values[a] for a in node.arguments))
    return values[root]


def rebuild(node: Expression, arguments: tuple[Expression, ...]) -> Expression:
    """The same operation on other arguments."""
    if not arguments or all(a is b for a, b in zip(arguments, node.arguments, strict=True)):
        return node
    return apply(node.operation, *arguments)


def substitute(root: Expression, replacements: Mapping[Expression, Expression]) -> Expression:
    """Replaces nodes, such as inputs and parameters, by other expressions."""

    def visit(node: Expression, *arguments: Expression) -> Expression:
        found = replacements.get(node)
        return rebuild(node, arguments) if found is None else found

    result: Expression = evaluate(root, visit)
    return result


def bind(root: Expression, values: Mapping[str, float]) -> Expression:
    """Puts numbers in the place of parameters."""
    return substitute(root, {parameter(name): constant(value) for name, value in values.items()})


def size(*roots: Expression) -> int:
    """How many different nodes the expressions hold together."""
    return sum(1 for _ in walk(*roots))


def names(root: Expression, kind: str) -> tuple[str, ...]:
    """The names of all leaves of a kind, "input" or "parameter", in order of appearance."""
    return tuple(node.payload for node in walk(root) if node.operation == kind)
