"""The inputs that are no ordinary numbers: both zeros, both infinities, and every NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.certify.compare import TILE
from limen.certify.judge import judge
from limen.certify.line import Line
from limen.certify.measure import ulp_error
from limen.certify.reference import Reference
from limen.certify.sweep import Kernel
from limen.formula.expression import input_, negate, substitute
from limen.formula.stabilize import canonical
from limen.function import ActivationFunction

__all__ = ["Specials", "special_values"]

Array = npt.NDArray[np.generic]

_WIDEST = 129  # elements: more than any part of a loop takes at once
_FEWEST_TIMES = 64  # that numbers stand in the longest array


@dataclass(slots=True)
class Specials:
    """Results at special inputs.

    Attributes:
        values: for each, the result and whether it is right; None where that is not known.
        inputs: how many inputs these are.
        correct: how many results are right.
        undecided: how many of them are not known to be right or wrong.
    """

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: int = 0
    correct: int = 0
    undecided: int = 0

    def add(self, name: str, result: object, right: bool | None) -> None:
        """One more input."""
        self.values[name] = {"result": str(result), "right": right}
        self.inputs += 1
        self.correct += right is True
        self.undecided += right is None


def special_values(
    function: ActivationFunction, reference: Reference, line: Line, kernel: Kernel
) -> Specials:
    """Runs a kernel at both zeros, both infinities, every NaN, kinks, and the ends of the line.

    The limit at infinity is the reference's, or none where it finds none; an odd function tells
    the two zeros apart; NaN gives NaN. At a kink, and for the smallest and the largest numbers, few
    inputs depend on how a comparison ends: what is right there is seen among all inputs, and here
    that it is so at any place of an array.
    """
    found = Specials()
    x = np.array([0.0, -0.0, np.inf, -np.inf], np.float32).astype(line.dtype)
    out, same = _everywhere(kernel, np.concatenate([x, _ends(line)]))
    signs = np.signbit(out[:2].astype(np.float32))
    loses_sign = _is_odd(function, reference.order) and signs[0] == signs[1]
    for name, at, result in zip(("0", "-0", "inf", "-inf"), x, out, strict=False):
        numbers = float(at), float(result)
        if math.isinf(numbers[0]):
            right = _is_limit(function, reference, line, *numbers)
        else:
            right = judge(reference, line.format, *numbers).is_correct
            if right and loses_sign and signs[0] != np.signbit(numbers[0]):
                right = False
        found.add(name, float(result), right if same else False)
    kinks = _near_kinks(function, line)
    if kinks.size:
        _, same = _everywhere(kernel, kinks)
        said = "the same at every place of an array" if same else "not the same everywhere"
        found.values["kinks"] = {"result": said, "right": same}
    nans, kept = 0, 0
    for negative in (False, True):
        every = line.nans(negative)
        results = np.empty_like(every[:TILE])
        for start in range(0, len(every), TILE):
            tile = every[start : start + TILE]
            kernel(tile, results[: len(tile)])
            kept += int(np.count_nonzero(np.isnan(results[: len(tile)])))
        nans += len(every)
    found.values["nan"] = {"result": f"NaN for {kept:,} of {nans:,}", "right": kept == nans}
    found.inputs += nans
    found.correct += kept
    return found


def _everywhere(kernel: Kernel, x: Array) -> tuple[Array, bool]:
    """What a kernel makes of a few numbers, and whether it does wherever they stand.

    A kernel's loop takes many elements at once, then fewer, and the last ones singly: the numbers
    go through each of its parts.
    """
    many = np.tile(x, TILE // len(x))
    out = np.empty_like(x)
    for at in range(len(x)):
        kernel(x[at : at + 1], out[at : at + 1])
    wanted, bits = np.resize(out, many.shape), f"u{x.itemsize}"
    same = True
    for size in (*range(1, _WIDEST), len(many)):
        results = np.empty_like(many[:size])
        kernel(many[:size], results)
        is_same = results.view(bits) == wanted[:size].view(bits)
        same &= bool((is_same | (np.isnan(results) & np.isnan(wanted[:size]))).all())
    return out, same


def _ends(line: Line) -> Array:
    """The smallest and the largest numbers, on both sides of 0."""
    return np.concatenate([line.at([1, line.stop - 1], negative) for negative in (False, True)])


def _near_kinks(function: ActivationFunction, line: Line) -> Array:
    """The numbers nearest to where branches meet."""
    kinks = function.kinks
    if not isinstance(kinks, tuple) or not kinks:
        return np.empty(0, line.dtype)
    nearest = np.array(kinks, np.float32)
    beside = [np.nextafter(nearest, np.float32(side)) for side in (-np.inf, np.inf)]
    found = np.unique(np.concatenate([nearest, *beside]).astype(line.dtype))
    return found[: TILE // _FEWEST_TIMES]


def _is_odd(function: ActivationFunction, order: int) -> bool:
    """Whether the derivative is an odd function, for certain."""
    x = input_(function.inputs[0])
    form = canonical(function.derivative(order).expression)
    return canonical(substitute(form, {x: negate(x)})) is canonical(negate(form))


def _is_limit(
    function: ActivationFunction, reference: Reference, line: Line, x: float, result: float
) -> bool | None:
    """Whether a result is the limit; None where neither reference nor analysis knows one."""
    limit = reference.enclose(x, format_=line.format)[reference.order]
    if not limit.is_nan():
        return ulp_error(result, limit, line.format) <= 0.5
    known = function.derivative(reference.order).limits[x > 0]
    if known is None:
        return math.isnan(result)
    if isinstance(known, float):
        return float(np.array([known]).astype(line.dtype)[0]) == result
    return None
