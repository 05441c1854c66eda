"""The statements of a kernel's loop, in the plain dialect: a number is a float64.

It serves arrays of at most 32 bits, so it knows how large an input may be, and with that
(`ranges`) leaves out idle guards and calls primitives that cost less and serve fewer arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import frexp
from typing import ClassVar

from limen.formula.expression import (
    MINUS_ONE,
    ONE,
    TWO,
    Expression,
    constant,
    multiply,
    names,
    negate,
    power,
    walk,
)
from limen.formula.stabilize import canonical
from limen.kernels.constants import as_pair
from limen.kernels.guards import relaxed, unguarded
from limen.kernels.parity import KNOWN as PARITY
from limen.kernels.plan import LIMIT_NAMES, Plan, lower
from limen.kernels.ranges import ANYTHING, Range, ranges
from limen.kernels.statements import Passages, Statements, infix, is_number

__all__ = ["PlainStatements", "relaxed_plan", "waves"]

_LARGEST_INPUT = 2.0**128
# The arguments that the primitives `log1p_of_fraction` and `inverse` serve (roots: see below).
_FRACTION = (0.0, 1.0)
_NEWTON = (2.0**-1000, 2.0**1000)
# Sines of larger arguments take three times as long. The primitives draw the line a little higher.
_WAVES = {"sin", "cos", "sin_plus_cos"}
_MODERATE = 2.0**18
# Infix expressions longer than this get a line of their own.
_LINE = 72
_INFIX = {"add": "+", "multiply": "*", "divide": "/"}


def relaxed_plan(plan: Plan) -> Plan:
    """The plan without the guards that no input of 32 bits needs."""
    if not plan.is_guarded:
        return plan
    plan = replace(plan, outputs=tuple(map(unguarded, plan.outputs)))
    known = ranges(plan.outputs, _inputs(plan))
    return replace(
        plan, outputs=tuple(relaxed(output, known, plan.limits) for output in plan.outputs)
    )


def waves(plan: Plan) -> list[Expression]:
    """What sines are taken of: there are cheaper ones for moderate arguments."""
    sines = (n for n in walk(*plan.outputs) if n.operation in _WAVES and n.varies)
    return list(dict.fromkeys(sine.arguments[0] for sine in sines))


def _inputs(plan: Plan) -> dict[str, Range]:
    """What is known of the inputs: where there are limits, they stand in for an infinite one."""
    parities = dict.fromkeys(plan.parities, PARITY)
    if not plan.is_guarded:
        return parities
    limits = dict.fromkeys(LIMIT_NAMES, ANYTHING)
    return {plan.inputs[-1]: Range(-_LARGEST_INPUT, _LARGEST_INPUT, True), **limits, **parities}


class PlainStatements(Statements):
    """The same as `Statements`, of a relaxed plan.

    Args:
        plan, dtype, used, suffix: as there.
        is_calm: whether all arguments of sines are moderate.
    """

    passages: ClassVar[Passages] = {
        "float32": (("float64",), ("float32",)),
        "float16": (("load_float16",), ("store_float16",)),
        "bfloat16": (("load_bfloat16",), ("store_bfloat16",)),
    }

    def __init__(
        self, plan: Plan, dtype: str, used: set[str], suffix: str = "", *, is_calm: bool = False
    ) -> None:
        super().__init__(plan, dtype, used, suffix)
        self._is_calm = is_calm
        self._ranges = ranges(plan.outputs, _inputs(plan))
        # c u and -c u: the second is the first with its sign turned, and so shares its functions.
        self.uses.update([o for o in map(_opposite, self.uses) if o is not None and o in self.uses])
        self._fused = dict(self._find_fused())
        self._squares = dict(self._find_squares())
        self._roots = set(self._find_roots())

    def far(self) -> list[str]:
        """The lines that count the arguments of sines that are not moderate."""
        found = waves(self.plan)
        needed = {name for wave in found for name in names(wave, "input")}
        self.load(name for name in self.plan.inputs if name in needed)
        for wave in found:
            self.compute(wave)
            size = self.call("absolute", self.text[wave])
            self.lines.append(f"        far += {size} > {_MODERATE!r}")
        return self.lines

    def _find_fused(self) -> Iterator[tuple[Expression, tuple[Expression, Expression]]]:
        """The sums of a product that nothing else needs, with the product and the other term."""
        for node in walk(*self.plan.outputs):
            if node.operation == "add" and not _is_negation(node.arguments[1]):
                a, b = node.arguments
                for product, other in ((b, a), (a, b)):
                    if product.operation == "multiply" and self.uses[product] == 1:
                        yield node, (product, other)
                        break

    def _find_squares(self) -> Iterator[tuple[Expression, Expression]]:
        """-z**2 for the arguments z of the error function: their exponential is part of it."""
        for node in walk(*self.plan.outputs):
            if node.operation in ("erf", "erfc"):
                z = node.arguments[0]
                yield lower(canonical(negate(power(z, TWO)))), z

    def _find_roots(self) -> Iterator[Expression]:
        """The square roots that only divide."""
        divisions = Counter(
            node.arguments[1] for node in walk(*self.plan.outputs) if node.operation == "divide"
        )
        for divisor, count in divisions.items():
            divides_only = divisor.operation == "sqrt" and count == self.uses[divisor]
            if divides_only and _has_quick_root(self._ranges[divisor.arguments[0]]):
                yield divisor

    def compute(self, root: Expression) -> None:
        """Computes an expression and what it needs, but for what goes into something else."""
        self.text |= {product: "" for product, _ in self._fused.values()}
        self.text |= dict.fromkeys(self._roots, "")
        super().compute(root)

    def stored(self, value: str, wide: bool) -> str:
        """What is stored of a number; a wide one as it is."""
        return value if wide else super().stored(value, wide)

    # --- Spelling of one node --------------------------------------------------------------

    def operation(self, node: Expression, *arguments: str) -> str:
        """The text of an operation, the cheapest that its arguments allow."""
        of = [self._ranges[a] for a in node.arguments]
        match node.operation:
            case "exp" if node.arguments[0] in self._squares:
                z = self._squares[node.arguments[0]]
                self.compute(z)
                return self.call("gaussian", self.text[z])
            case "exp" if of[0].high <= 0.0:
                return self.call("decay", self._negated(node.arguments[0]))
            case "log1p" if of[0].is_within(*_FRACTION):
                return self.call("log1p_of_fraction", *arguments)
            case "sqrt" if _has_quick_root(of[0]):
                return self.call("root", *arguments)
            case "divide" if node.arguments[1] in self._roots:
                inverse = self.call("inverse_root", self.text[node.arguments[1].arguments[0]])
                return inverse if node.arguments[0] is ONE else f"({arguments[0]} * {inverse})"
            case "divide" if of[1].is_within(*_NEWTON):
                inverse = self.call("inverse", arguments[1])
                return inverse if node.arguments[0] is ONE else f"({arguments[0]} * {inverse})"
            case "divide" if node.varies and not node.arguments[1].varies:
                # LLVM moves what does not vary out of the loop.
                return f"({arguments[0]} * (1.0 / {arguments[1]}))"
            case "multiply" if (opposite := _opposite(node)) is not None and opposite in self.uses:
                self.compute(opposite)
                return f"(-{self.text[opposite]})"
            case operation if operation in _WAVES:
                return self._wave(node)
            case "add" if node in self._fused:
                product, other = self._fused[node]
                return self.call("fma", *(self.text[f] for f in (*product.arguments, other)))
            case "add" if _is_negation(node.arguments[1]):
                return f"({arguments[0]} - {self.text[node.arguments[1].arguments[1]]})"
            case operation if operation in _INFIX:
                return f"({arguments[0]} {_INFIX[operation]} {arguments[1]})"
        return super().operation(node, *arguments)

    def stays_in_line(self, node: Expression, spelling: str) -> bool:
        """Whether a spelling is short enough to stand inside another."""
        return node.operation in _INFIX and self.uses[node] <= 1 and len(spelling) <= _LINE

    def constant(self, node: Expression) -> str:
        """The text of a constant."""
        high, _ = as_pair(node)
        return repr(high) if high >= 0 else f"({high!r})"

    def relation(self, node: Expression, a: str, b: str) -> str:
        """The text of a comparison."""
        return infix(node, a, b)

    def _wave(self, node: Expression) -> str:
        """A sine, of a product that is not rounded where the argument is one."""
        name = f"moderate_{node.operation}" if self._is_calm else node.operation
        argument = node.arguments[0]
        if _is_rounded(argument):
            return self.call(f"{name}_of_product", *(self.text[a] for a in argument.arguments))
        return self.call(name, self.text[argument])

    def _negated(self, node: Expression) -> str:
        """The text of -node."""
        if node.operation == "multiply" and node.arguments[0].is_constant:
            factor, rest = -node.arguments[0].payload, self.text[node.arguments[1]]
            return rest if factor == 1 else f"{self.constant(constant(factor))} * {rest}"
        return f"-{self.text[node]}"


def _has_quick_root(of: Range) -> bool:
    """Whether the primitives `root` and `inverse_root` serve these arguments."""
    return of.low > 0.0 and of.is_within(*_NEWTON)


def _opposite(node: Expression) -> Expression | None:
    """c u for a node -c u with a positive c other than 1."""
    if node.operation != "multiply" or _is_negation(node) or not is_number(node.arguments[0]):
        return None
    factor, rest = node.arguments
    return multiply(negate(factor), rest) if as_pair(factor)[0] < 0 else None


def _is_negation(node: Expression) -> bool:
    return node.operation == "multiply" and node.arguments[0] is MINUS_ONE


def _is_rounded(node: Expression) -> bool:
    """Whether it is a product of two floats that has more digits than a float."""
    if node.operation != "multiply" or node.arguments[0] is node.arguments[1]:
        return False
    factor, _ = node.arguments
    if not is_number(factor):
        return True
    high, low = as_pair(factor)
    return low == 0.0 and abs(frexp(high)[0]) != 0.5
