"""The statements of a kernel's loop, in the extended dialect: a number is a pair of float64.

What the plain dialect spells otherwise stands in `plain_statements`.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from limen.formula.expression import Expression, evaluate, walk
from limen.formula.operations import OPERATIONS
from limen.kernels.constants import as_pair
from limen.kernels.plan import GRAD_OUTPUT, Plan

__all__ = [
    "DTYPES",
    "RELATIONS",
    "Passages",
    "Statements",
    "array",
    "bare",
    "infix",
    "is_number",
    "scalar",
]

DTYPES = ("float64", "float32", "float16", "bfloat16")
"""The dtypes kernels exist for."""

Passages = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""For each dtype the calls by which an element becomes a number of the kernel, and back."""

_CALLS = {
    "add": "add",
    "multiply": "mul",
    "divide": "div",
    "negate": "neg",
    "abs": "absolute",
    "where": "select",
}
# operation: primitive, whether its arguments are swapped, whether it is negated
RELATIONS = {
    "less": ("less", False, False),
    "less_equal": ("less_equal", False, False),
    "greater": ("less", True, False),
    "greater_equal": ("less_equal", True, False),
    "equal": ("equal", False, False),
    "not_equal": ("equal", False, True),
}
"""How each comparison is spelled."""
_SYMBOLS = {"less": "<", "less_equal": "<=", "equal": "=="}

_WAVES = [f"{m}{w}" for m in ("", "moderate_") for w in ("sin", "cos", "sin_plus_cos")]
_RESERVED = {
    *OPERATIONS,
    *_CALLS.values(),
    *("narrow", "narrow_to_odd", "reciprocal", "square", "sub", "widen"),
    *("decay", "fma", "gaussian", "inverse", "inverse_root", "log1p_of_fraction", "root"),
    *_WAVES,
    *(f"{wave}_of_product" for wave in _WAVES),
    *keyword.kwlist,
    *("far", "float32", "float64", "i", "kernel", "out", "range", "start", GRAD_OUTPUT),
}


class Statements:
    """The statements that compute a plan's outputs for the element `i`, line by line.

    Args:
        plan: what to compute.
        dtype: of the arrays.
        used: gathers the names of what is called.
        suffix: what the names of the arrays end with in this loop.
    """

    passages: ClassVar[Passages] = {"float64": (("widen",), ("narrow",))}

    def __init__(self, plan: Plan, dtype: str, used: set[str], suffix: str = "") -> None:
        self.plan = plan
        self.dtype = dtype
        self.lines: list[str] = []
        self.text: dict[Expression, str] = {}
        self.uses = Counter(a for node in walk(*plan.outputs) for a in node.arguments)
        self.uses.update(plan.outputs)
        self._used = used
        self._suffix = suffix
        self._counts: Counter[str] = Counter()

    def body(self) -> list[str]:
        """The lines that load the inputs, compute the outputs and store them."""
        self.load(self.plan.inputs)
        for output, name, wide in zip(
            self.plan.outputs, outputs(self.plan), self.plan.wide, strict=True
        ):
            self.compute(output)
            stored = self.stored(self.text[output], wide)
            self.lines.append(f"        {name}{self._suffix}[i] = {stored}")
        return self.lines

    def load(self, inputs: Iterable[str]) -> None:
        """Loads one element of each input."""
        for name in inputs:
            self._assign(name, self._wrap(0, f"{array(name)}{self._suffix}[i]"))

    def stored(self, value: str, wide: bool) -> str:
        """What is stored of a number; a wide one as float64."""
        return self._wrap(1, value)

    def compute(self, root: Expression) -> None:
        """Computes an expression and what it needs, each node once."""
        for node in walk(root):
            if node not in self.text:
                self.text[node] = self._named(node, self.spell(node))

    def _named(self, node: Expression, spelling: str) -> str:
        """The spelling itself, or the variable it was assigned to."""
        if (
            not node.arguments
            or is_number(node)
            or node.operation in RELATIONS
            or self.stays_in_line(node, spelling)
        ):
            return spelling
        self._counts[node.operation] += 1
        return self._assign(f"{node.operation}_{self._counts[node.operation]}", spelling)

    def _assign(self, name: str, spelling: str) -> str:
        self.lines.append(f"        {name} = {bare(spelling)}")
        return name

    def _wrap(self, direction: int, inner: str) -> str:
        for name in self.passages[self.dtype][direction]:
            inner = self.call(name, inner)
        return inner

    def call(self, name: str, *arguments: str) -> str:
        """A call of a primitive."""
        self._used.add(name)
        return f"{name}({', '.join(map(bare, arguments))})"

    # --- Spelling of one node --------------------------------------------------------------

    def spell(self, node: Expression) -> str:
        """The text of a node whose arguments have theirs."""
        if node.operation == "input":
            return str(node.payload)
        if node.operation == "parameter":
            return scalar(node.payload)
        if is_number(node):
            return self.constant(node)
        arguments = [self.text[a] for a in node.arguments]
        if node.operation in RELATIONS:
            return self.relation(node, *arguments)
        return self.operation(node, *arguments)

    def stays_in_line(self, node: Expression, spelling: str) -> bool:
        """Whether a spelling is short enough to stand inside another."""
        return False

    def operation(self, node: Expression, *arguments: str) -> str:
        """The text of an operation on numbers."""
        return self.call(_CALLS.get(node.operation, node.operation), *arguments)

    def constant(self, node: Expression) -> str:
        """The text of a constant."""
        high, low = as_pair(node)
        return f"({high!r}, {low!r})"

    def relation(self, node: Expression, a: str, b: str) -> str:
        """The text of a comparison."""
        name, swapped, negated = RELATIONS[node.operation]
        call = self.call(name, b, a) if swapped else self.call(name, a, b)
        return f"not {call}" if negated else call


def infix(node: Expression, a: str, b: str) -> str:
    """The text of a comparison of float64 numbers."""
    name, swapped, negated = RELATIONS[node.operation]
    first, second = (b, a) if swapped else (a, b)
    return f"{bare(first)} {'!=' if negated else _SYMBOLS[name]} {bare(second)}"


def outputs(plan: Plan) -> list[str]:
    """The names of the arrays written."""
    many = len(plan.outputs) > 1
    return [f"out_{k + 1}" if many else "out" for k in range(len(plan.outputs))]


def array(name: str) -> str:
    """The name of an input's array."""
    return f"{name}_array"


def scalar(name: str) -> str:
    """A parameter's name, out of the way of the names the printer makes itself."""
    taken = name in _RESERVED or name[-1] in "_0123456789" or name.endswith(("_array", "_block"))
    return f"{name}_" if taken else name


def is_number(node: Expression) -> bool:
    """Whether the node is a constant, rational or not."""

    def visit(node: Expression, *arguments: bool) -> bool:
        return node.operation not in ("input", "parameter") and all(arguments)

    if node.varies or node.operation in RELATIONS:
        return False
    return bool(evaluate(node, visit))


def bare(text: str) -> str:
    """Without the parentheses around the whole, unless they make a pair."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 1 and character == ",":
            return text
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text
