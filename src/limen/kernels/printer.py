"""Prints a plan as the source of a kernel: one readable loop over the elements.

Two dialects print the same plan. In the plain one a number is a float64, and arithmetic is
written infix; it serves float32 and the 16-bit formats. In the extended one a number is a pair of
float64 (a double-double), and arithmetic is a call; it serves float64. Either way a kernel
computes at twice the precision of what it stores and rounds once.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from limen.formula.expression import Expression, evaluate, walk
from limen.formula.operations import OPERATIONS
from limen.kernels.constants import as_pair
from limen.kernels.plan import GRAD_OUTPUT, Plan

__all__ = ["DTYPES", "to_source"]

# How an element of each dtype becomes a number of the kernel, and back.
_LOAD_STORE = {
    "float64": ("widen({})", "narrow({})"),
    "float32": ("float64({})", "float32({})"),
    "float16": ("load_float16({})", "store_float16({})"),
    "bfloat16": ("load_bfloat16({})", "store_bfloat16({})"),
}
DTYPES = tuple(_LOAD_STORE)
"""The dtypes kernels exist for."""

# Expressions longer than this get a line of their own.
_LINE = 72
_INFIX = {"add": "+", "multiply": "*", "divide": "/"}
_CALLS = {"add": "add", "multiply": "mul", "divide": "div", "negate": "neg", "abs": "absolute"}
_RESERVED = {
    *OPERATIONS,
    *_CALLS.values(),
    *("narrow", "reciprocal", "select", "square", "sub", "widen"),
    *keyword.kwlist,
    *("float32", "float64", "i", "kernel", "out", "range", GRAD_OUTPUT),
}


def to_source(plan: Plan, dtype: str, title: str) -> str:
    """The source of the kernel that a plan describes, for one dtype.

    Args:
        plan: what to compute.
        dtype: a name of `DTYPES`.
        title: what the docstring of the source says first.

    Returns:
        A Python module that defines `kernel(*inputs, *outputs, *parameters)`.
    """
    return _Printer(plan, dtype).module(title)


@dataclass
class _Printer:
    plan: Plan
    dtype: str
    lines: list[str] = field(default_factory=list)
    text: dict[Expression, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def is_extended(self) -> bool:
        return self.dtype == "float64"

    def module(self, title: str) -> str:
        body = self._loop()
        arrays = [*map(_array, self.plan.inputs), *self._outputs()]
        arguments = ", ".join([*arrays, *map(_scalar, self.plan.parameters)])
        return "\n".join(
            [
                f'"""{title}"""',
                "",
                *self._imports(),
                "",
                "",
                f"def kernel({arguments}):",
                *self._prologue(),
                f"    for i in range({arrays[0]}.size):",
                *body,
                "",
            ]
        )

    def _imports(self) -> Iterable[str]:
        formats = sorted(name for name in self.used if "16" in name)
        numbers = sorted(name for name in self.used if name in ("float64", "float32"))
        primitives = sorted(self.used - {*formats, *numbers})
        if numbers:
            yield f"from numba import {', '.join(numbers)}"
            yield ""
        if formats:
            yield f"from limen.kernels.primitives.formats import {', '.join(formats)}"
        if primitives:
            module = "extended" if self.is_extended else "plain"
            yield f"from limen.kernels.primitives.{module} import {', '.join(primitives)}"

    def _outputs(self) -> list[str]:
        many = len(self.plan.outputs) > 1
        return [f"out_{k + 1}" if many else "out" for k in range(len(self.plan.outputs))]

    def _prologue(self) -> list[str]:
        if not self.is_extended:
            return []
        self.used |= {"widen"} if self.plan.parameters else set()
        return [f"    {_scalar(p)} = widen({_scalar(p)})" for p in self.plan.parameters]

    def _loop(self) -> list[str]:
        for name in self.plan.inputs:
            self._assign(_element(name), self._wrap(0, f"{_array(name)}[i]"))
        uses = Counter(a for node in walk(*self.plan.outputs) for a in node.arguments)
        uses.update(self.plan.outputs)
        for output, name, wide in zip(
            self.plan.outputs, self._outputs(), self.plan.wide, strict=True
        ):
            self._print(output, uses)
            value = self.text[output]
            stored = f"{self._narrowed(value)}" if wide else self._wrap(1, value)
            self.lines.append(f"        {name}[i] = {stored}")
        return self.lines

    def _wrap(self, direction: int, inner: str) -> str:
        template = _LOAD_STORE[self.dtype][direction]
        self.used.add(template.split("(")[0])
        return template.format(inner)

    def _narrowed(self, value: str) -> str:
        return self._wrap(1, value) if self.is_extended else value

    def _print(self, root: Expression, uses: Counter[Expression]) -> None:
        for node in walk(root):
            if node not in self.text:
                self.text[node] = self._named(node, self._spell(node), uses[node])

    def _named(self, node: Expression, spelling: str, uses: int) -> str:
        """The spelling itself, or the variable it was assigned to."""
        if not node.arguments or _is_number(node) or node.operation in _RELATIONS:
            return spelling
        is_infix = node.operation in _INFIX and not self.is_extended
        if is_infix and uses <= 1 and len(spelling) <= _LINE:
            return spelling
        self.counts[node.operation] += 1
        return self._assign(f"{node.operation}_{self.counts[node.operation]}", spelling)

    def _assign(self, name: str, spelling: str) -> str:
        self.lines.append(f"        {name} = {_bare(spelling)}")
        return name

    # --- Spelling of one node --------------------------------------------------------------

    def _spell(self, node: Expression) -> str:
        if node.operation == "input":
            return _element(node.payload)
        if node.operation == "parameter":
            return _scalar(node.payload)
        if _is_number(node):
            return self._constant(node)
        arguments = [self.text[a] for a in node.arguments]
        if node.operation in _RELATIONS:
            return self._relation(node.operation, *arguments)
        if node.operation == "where":
            return self._call("select", *arguments)
        if node.operation in _INFIX and not self.is_extended:
            return f"({arguments[0]} {_INFIX[node.operation]} {arguments[1]})"
        return self._call(_CALLS.get(node.operation, node.operation), *arguments)

    def _constant(self, node: Expression) -> str:
        high, low = as_pair(node)
        if self.is_extended:
            return f"({high!r}, {low!r})"
        return repr(high) if high >= 0 else f"({high!r})"

    def _relation(self, operation: str, a: str, b: str) -> str:
        name, swapped, negated = _RELATIONS[operation]
        if swapped:
            a, b = b, a
        if self.is_extended:
            call = self._call(name, a, b)
        else:
            call = f"{_bare(a)} {_SYMBOLS[name]} {_bare(b)}"
        return (
            f"not {call}"
            if negated and self.is_extended
            else call.replace(" == ", " != ")
            if negated
            else call
        )

    def _call(self, name: str, *arguments: str) -> str:
        self.used.add(name)
        return f"{name}({', '.join(map(_bare, arguments))})"


# operation: primitive, whether its arguments are swapped, whether it is negated
_RELATIONS = {
    "less": ("less", False, False),
    "less_equal": ("less_equal", False, False),
    "greater": ("less", True, False),
    "greater_equal": ("less_equal", True, False),
    "equal": ("equal", False, False),
    "not_equal": ("equal", False, True),
}
_SYMBOLS = {"less": "<", "less_equal": "<=", "equal": "=="}


def _is_number(node: Expression) -> bool:
    """Whether the node is a constant, rational or not."""

    def visit(node: Expression, *arguments: bool) -> bool:
        return node.operation not in ("input", "parameter") and all(arguments)

    return bool(evaluate(node, visit)) and node.operation not in _RELATIONS


def _bare(text: str) -> str:
    """Without the parentheses around the whole, unless they make a pair."""
    if not (text.startswith("(") and text.endswith(")")) or "," in text:
        return text
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


def _array(name: str) -> str:
    return f"{name}_array"


def _element(name: str) -> str:
    return name


def _scalar(name: str) -> str:
    """A parameter's name, out of the way of the names the printer makes itself."""
    taken = name in _RESERVED or name[-1] in "_0123456789" or name.endswith("_array")
    return f"{name}_" if taken else name
