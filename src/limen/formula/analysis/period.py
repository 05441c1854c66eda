"""Periodic formulas: functions of sin and cos of multiples of the input, and of nothing else."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from limen.formula.analysis import digits
from limen.formula.expression import Expression, evaluate

__all__ = ["period"]

# Frequencies whose ratio has larger parts than this are taken to have no common period.
_MOST_TURNS = 64


class _Kind(NamedTuple):
    """How a part of a formula depends on x.

    `number` is the slope of a linear part, or the angular frequency of a wave.
    """

    name: Literal["fixed", "linear", "wave", "other"]
    number: Any = 0


_FIXED, _OTHER = _Kind("fixed"), _Kind("other")
_WAVES = frozenset({"sin", "cos", "sin_plus_cos"})


def period(expression: Expression) -> Any:
    """A period of a formula in x, as `mpf`; None when it is not seen to be periodic.

    Of waves so short that two places in one are taken for equal, nothing is seen.

    Example:
        >>> from limen.formula.expression import apply, input_
        >>> float(period(apply("sin", 4 * input_("x")) + 1))
        1.5707963267948966
    """
    kind = evaluate(expression, _visit)
    if kind.name != "wave" or abs(kind.number) > digits.STEEP:
        return None
    return 2 * digits.context().pi / abs(kind.number)


def _visit(node: Expression, *parts: _Kind) -> _Kind:
    if node.operation == "input":
        return _Kind("linear", digits.number(1))
    if all(part.name == "fixed" for part in parts):
        return _FIXED
    if any(part.name == "other" for part in parts):
        return _OTHER
    if all(part.name in ("fixed", "wave") for part in parts):
        return _together([part.number for part in parts if part.name == "wave"])
    if any(part.name == "wave" for part in parts):
        return _OTHER
    return _of_linear(node, parts)


def _of_linear(node: Expression, parts: tuple[_Kind, ...]) -> _Kind:
    """An operation on linear and fixed parts."""
    if node.operation in _WAVES:
        return _Kind("wave", parts[0].number)
    if node.operation == "add":
        slope = parts[0].number + parts[1].number
        return _Kind("linear", slope) if slope else _OTHER
    if node.operation == "multiply" and node.arguments[0].is_constant:
        return _Kind("linear", parts[1].number * digits.number(node.arguments[0].payload))
    if node.operation in ("multiply", "divide"):
        fixed = [a for a, part in zip(node.arguments, parts, strict=True) if part.name == "fixed"]
        if len(fixed) == 1 and not (node.operation == "divide" and parts[0].name == "fixed"):
            factor = digits.value(fixed[0], 0)
            slope = sum(part.number for part in parts)
            return _Kind(
                "linear", slope * factor if node.operation == "multiply" else slope / factor
            )
    return _OTHER


def _together(frequencies: list[Any]) -> _Kind:
    """The greatest frequency that all the others are multiples of."""
    common = abs(frequencies[0])
    for frequency in frequencies[1:]:
        ratio = abs(frequency) / common
        for turns in range(1, _MOST_TURNS):
            whole = ratio * turns
            if abs(whole - digits.context().nint(whole)) <= digits.SAME * whole:
                common = common / turns
                break
        else:
            return _OTHER
    return _Kind("wave", common)
