"""The statements of a kernel's loop for 16 bits where results may be ties: see `ties`.

A number is a float64 where it fits one whatever the inputs are, else a pair.
"""

from __future__ import annotations

from math import frexp
from typing import ClassVar

from limen.formula.expression import Expression
from limen.kernels.constants import as_pair
from limen.kernels.plan import Plan
from limen.kernels.statements import Passages, Statements, infix
from limen.kernels.ties import fitting, split

__all__ = ["AlgebraicStatements"]


class AlgebraicStatements(Statements):
    """The same as `Statements`, of a relaxed plan.

    Args:
        plan, dtype, used: as there.
    """

    passages: ClassVar[Passages] = {
        "float16": (("load_float16",), ("narrow_to_odd", "store_float16")),
        "bfloat16": (("load_bfloat16",), ("narrow_to_odd", "store_bfloat16")),
    }

    def __init__(self, plan: Plan, dtype: str, used: set[str]) -> None:
        super().__init__(plan, dtype, used)
        self._fits = {n: fits for o in plan.outputs for n, fits in fitting(o, dtype).items()}

    def compute(self, root: Expression) -> None:
        """Computes an output and what it needs; it is stored as a pair."""
        super().compute(root)
        self.text[root] = self._pair(root)
        self._fits[root] = False

    def operation(self, node: Expression, *arguments: str) -> str:
        """The text of an operation on numbers."""
        fits = self._fits[node]
        match node.operation:
            case "where" if fits:
                return self.call("choose", *arguments)
            case "where":
                return self.call("select", arguments[0], *map(self._pair, node.arguments[1:]))
            case "abs" if fits:
                return self.call("size", *arguments)
            case "multiply" if fits:
                return f"({arguments[0]} * {arguments[1]})"
            case "multiply":
                return self._product(*node.arguments)
            case "add" if all(self._fits[a] for a in node.arguments):
                return self.call("total", *arguments)
        return super().operation(node, *map(self._pair, node.arguments))

    def constant(self, node: Expression) -> str:
        """The text of a constant."""
        high, low = as_pair(node)
        return f"({high!r}, {low!r})" if low else f"({high!r})"

    def relation(self, node: Expression, a: str, b: str) -> str:
        """The text of a comparison."""
        if all(self._fits[argument] for argument in node.arguments):
            return infix(node, a, b)
        return super().relation(node, *map(self._pair, node.arguments))

    def _pair(self, node: Expression) -> str:
        """The text of a number as a pair."""
        text = self.text[node]
        return self.call("widen", text) if self._fits[node] else text

    def _product(self, a: Expression, b: Expression) -> str:
        """The text of a product that may not fit a float64."""
        if a.is_constant and (parts := split(a))[1] != 1:  # no pair is 1/3
            above, below = parts[0], float(parts[1])
            return self.call("div", self._multiple(above, b), f"({below!r}, 0.0)")
        if a.is_constant:
            return self._multiple(a, b)
        if self._fits[a] and self._fits[b]:
            return self.call("product", self.text[a], self.text[b])
        if self._fits[a]:
            return self.call("times", self.text[b], self.text[a])
        if self._fits[b]:
            return self.call("times", self.text[a], self.text[b])
        return self.call("mul", self.text[a], self.text[b])

    def _multiple(self, factor: Expression, of: Expression) -> str:
        """The text of a multiple, a pair."""
        number, text = self.constant(factor), self.text[of]
        if as_pair(factor)[1]:
            return self.call("mul", self._pair(of), number)
        if self._fits[of]:
            return self.call("product", text, number)
        is_power_of_two = abs(frexp(as_pair(factor)[0])[0]) == 0.5
        return self.call("scaled" if is_power_of_two else "times", text, number)
