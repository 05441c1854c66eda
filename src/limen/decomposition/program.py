"""A formula in another library's operations: one program for whatever table it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from limen.formula import real
from limen.formula.expression import Expression, input_, parameter, walk

__all__ = ["Program", "dependents"]

Operations = Mapping[str, Callable[..., Any]]


class Program:
    """A formula as a list of calls of someone else's functions, in order, each value once.

    What no input changes is worked out beforehand, and a value is let go after its last use, as
    in a formula that is typed in.

    Args:
        expression: the formula.
        inputs: the names of its inputs, in the order in which the program takes them.
        parameters: the value of each parameter, which may be infinite.
        operations: the function for each operation of limen's table that may come up.
        number: makes the constants.
        learnable: the names of parameters that the program takes after the inputs instead.

    Raises:
        KeyError: the name of an operation that is not in the table.

    Example:
        >>> from limen.formula.parse import parse
        >>> import math
        >>> program = Program(parse("x * tanh(x)"), ["x"], {}, {
        ...     "multiply": lambda a, b: a * b, "tanh": math.tanh})
        >>> program(1.0)
        0.7615941559557649
    """

    def __init__(
        self,
        expression: Expression,
        inputs: Sequence[str],
        parameters: Mapping[str, float],
        operations: Operations,
        number: Callable[[float], Any] = float,
        learnable: Sequence[str] = (),
    ) -> None:
        nodes = list(walk(expression))
        leaves = [*map(input_, inputs), *map(parameter, learnable)]
        varying = dependents(expression, leaves)
        inner = [node for node in nodes if node in varying and node.arguments]
        fixed = [node for node in nodes if node not in varying]
        place = {node: at for at, node in enumerate((*leaves, *fixed, *inner))}
        self._fixed = [number(real.value(node, parameters)) for node in fixed]
        self._result = place[nodes[-1]]
        self._calls = [
            (operations[node.operation], tuple(place[a] for a in node.arguments)) for node in inner
        ]
        self._done_with = _last_uses([slots for _, slots in self._calls], self._result)

    def __call__(self, *arguments: Any) -> Any:
        """The formula's value."""
        values = [*arguments, *self._fixed]
        for (function, slots), ends in zip(self._calls, self._done_with, strict=True):
            values.append(function(*[values[slot] for slot in slots]))
            for slot in ends:
                values[slot] = None
        return values[self._result]


def dependents(root: Expression, leaves: Iterable[Expression]) -> set[Expression]:
    """The nodes of a formula that depend on some leaves, with the leaves."""
    found = set(leaves)
    for node in walk(root):
        if not found.isdisjoint(node.arguments):
            found.add(node)
    return found


def _last_uses(calls: list[tuple[int, ...]], result: int) -> list[tuple[int, ...]]:
    """For each call, the values that no later call needs."""
    ends: list[tuple[int, ...]] = []
    needed = {result}
    for slots in reversed(calls):
        ends.append(tuple(set(slots) - needed))
        needed.update(slots)
    return ends[::-1]
