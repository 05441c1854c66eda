"""Definitions: a formula with its inputs and its parameters' defaults, and what calling it means.

Text and Python functions both end here, and both use a definition inside another formula by the
same substitution.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from limen.errors import FormulaError
from limen.formula import real
from limen.formula.expression import (
    Expression,
    constant,
    input_,
    names,
    parameter,
    substitute,
    walk,
)
from limen.formula.operations import OPERATIONS

__all__ = [
    "GATED",
    "INPUTS",
    "MOST_NODES",
    "PLAIN",
    "Definition",
    "check_constants",
    "check_parameters",
    "inputs_of",
]

PLAIN = ("x",)
GATED = ("gate", "value")
INPUTS = (*PLAIN, *GATED)
"""The names of inputs: a formula uses `x`, or `gate` and `value`."""

MOST_NODES = 5_000
"""A formula of more different nodes than this is refused: the longest of the catalogue has 20."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Definition:
    """A function that formulas can call.

    Attributes:
        name: what messages call it.
        inputs: `("x",)`, or `("gate", "value")`.
        parameters: the default of each parameter, in order.
        expression: the formula, in leaves of these names.
    """

    name: str
    inputs: tuple[str, ...]
    parameters: Mapping[str, float]
    expression: Expression

    def __call__(
        self, arguments: Sequence[Expression], keywords: Mapping[str, Expression]
    ) -> Expression:
        """The formula with other expressions for its inputs and parameters.

        Args:
            arguments: the values by position, inputs first.
            keywords: the values by name; a parameter that is not given takes its default.

        Returns:
            The expression.

        Raises:
            FormulaError: for an argument too many, twice, unknown, or missing.
        """
        given = self._bind(arguments, keywords)
        leaves = {name: input_(name) for name in self.inputs}
        leaves |= {name: parameter(name) for name in self.parameters}
        defaults = {name: constant(value) for name, value in self.parameters.items()}
        return substitute(
            self.expression, {leaf: (defaults | given)[name] for name, leaf in leaves.items()}
        )

    def _bind(
        self, arguments: Sequence[Expression], keywords: Mapping[str, Expression]
    ) -> dict[str, Expression]:
        places = (*self.inputs, *self.parameters)
        if len(arguments) > len(places):
            count = "1 argument" if len(places) == 1 else f"{len(places)} arguments"
            raise FormulaError(
                f"{self.name} takes at most {count}, got {len(arguments)}: write {self.signature}"
            )
        given = dict(zip(places, arguments, strict=False))
        for name, value in keywords.items():
            if name not in places:
                raise FormulaError(f"{self.name} has no {name!r}: write {self.signature}")
            if name in given:
                raise FormulaError(f"{self.name} is given {name!r} twice: write {self.signature}")
            given[name] = value
        for name in self.inputs:
            if name not in given:
                raise FormulaError(f"{self.name} needs its {name!r}: write {self.signature}")
        return given

    @property
    def signature(self) -> str:
        """How to call it, such as `swish(x, beta=1.0)`."""
        parts = [*self.inputs, *(f"{name}={value!r}" for name, value in self.parameters.items())]
        return f"{self.name}({', '.join(parts)})"


def check_parameters(parameters: Iterable[str]) -> tuple[str, ...]:
    """The names of parameters, checked.

    A parameter may share its name with a function of the catalogue, which is only ever called, but
    not with an input, an operation or a constant: `e` is Euler's number everywhere.

    Raises:
        FormulaError: for a name that cannot be a parameter's; says why.
    """
    checked = tuple(parameters)
    for name in checked:
        if not NAME.fullmatch(name) or iskeyword(name):
            raise FormulaError(
                f"{name!r} cannot name a parameter: use ASCII letters, digits and underscores, "
                "with a letter in front, and no word of Python"
            )
        if name in INPUTS:
            raise FormulaError(f"{name!r} is an input: give the parameter another name")
        if name in OPERATIONS:
            kind = "operation" if OPERATIONS[name].arity else "constant"
            raise FormulaError(f"{name!r} is limen's {kind}: give the parameter another name")
    return checked


def check_default(name: str, value: object) -> float:
    """A parameter's default as a finite float.

    Raises:
        FormulaError: when it is not a finite real number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise FormulaError(
            f"the parameter {name!r} takes a number, such as {name}=1.0; got {value!r}"
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FormulaError(f"the parameter {name!r} takes a finite number, got {number}")
    return number


def check_constants(expression: Expression) -> None:
    """Refuses a formula with a part that is always the same and no finite real number.

    Raises:
        FormulaError: for a part such as sqrt(-1), log(0), exp(1000) or 1e200 * 1e200.
    """
    open_: set[Expression] = set()
    for node in walk(expression):
        if node.operation in ("input", "parameter") or not open_.isdisjoint(node.arguments):
            open_.add(node)
            for part in node.arguments:
                if part not in open_:
                    _check_constant(part)
    if expression not in open_:
        _check_constant(expression)


def _check_constant(part: Expression) -> None:
    if math.isfinite(real.value(part, {})):
        return
    from limen.formula.analysis import digits

    number = digits.value(part, 0)  # finite after all, as exp(1000) * exp(-1000) is
    if math.isfinite(float(number)):
        return
    from limen.formula.show import to_text

    # A number that was folded is not as it was written: 1e308 * 10 has become 1e309.
    text = digits.context().nstr(number, 6) if part.is_constant else to_text(part, shorten=60)
    what = "no real number" if math.isnan(number) else "no number that binary64 can hold"
    raise FormulaError(f"{text} is {what}")


def inputs_of(expression: Expression) -> tuple[str, ...]:
    """The inputs of the activation function that an expression is.

    A constant function takes `x`; one that uses only `gate` or only `value` takes both.

    Raises:
        FormulaError: when it mixes `x` with `gate` or `value`, or has other inputs.
    """
    used = set(names(expression, "input"))
    if used <= set(PLAIN):
        return PLAIN
    if used <= set(GATED):
        return GATED
    raise FormulaError(
        "a formula is of x, or of gate and value; this one is of " + " and ".join(sorted(used))
    )
