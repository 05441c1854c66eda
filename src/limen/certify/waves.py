"""Far out, where a wave turns over between one input and the next.

Beyond a few thousand, no polynomial serves more than a handful of inputs of sin(x). There the
formula itself is computed in float64 for every input, each number with a bound of its error
(`jets`), from exactly reduced angles (`angles`).

Parts of the formula that are settled that far out, such as tanh(x) or exp(-x), come from ball
arithmetic over the whole stretch. What is left to compute are sums, products, quotients and powers,
as power series of the order of the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.certify.angles import PRECISION, REDUCED, line_of, reduction, sin_cos
from limen.certify.balls import arb, working
from limen.certify.jets import (
    ARITHMETIC,
    ONE,
    SLACK,
    UNIT,
    ZERO,
    Ball,
    Jet,
    constant,
    of_wave,
    power,
)
from limen.certify.line import Line
from limen.certify.pieces import Stretch
from limen.certify.reference import Reference
from limen.certify.taylor import ball_between, size_of

__all__ = ["Wave", "far_out", "waves_from"]

_SETTLED = math.ldexp(1.0, -60)  # a part of the formula this narrow is a constant
_WAVES = ("sin", "cos", "sin_plus_cos")
_MOST_POWER = 8
_TILE = 1 << 12  # inputs at a time: what is computed on the way stays in the cache
_RADIANS = 16.0  # up to so many, pieces are fewer than inputs by far

Floats = npt.NDArray[np.float64]
Step = Callable[[dict[int, Jet], Floats], Jet]


def waves_from(reference: Reference, line: Line) -> int | None:
    """The magnitude from which waves are computed one by one; None for a formula without waves."""
    slopes = [
        size_of(angle[0])
        for place, node in enumerate(reference.nodes)
        if node.operation in _WAVES and node.varies
        for sign in (1.0, -1.0)
        if (angle := line_of(reference, reference.arguments[place][0], *(sign * x for x in _FAR)))
    ]
    if not slopes:
        return None
    start = _RADIANS / max(slopes)
    return line.magnitude(start) if start < line.format.largest else None


_FAR = (math.ldexp(1.0, 40), math.ldexp(1.5, 40))


@dataclass(frozen=True, slots=True)
class Wave(Stretch):
    """Inputs of one binade on which `enclose` computes the formula.

    Attributes:
        enclose: takes inputs, gives the exact values with bounds of their errors.
    """

    enclose: Callable[[Floats], tuple[Floats, Floats]]


def far_out(reference: Reference, line: Line, stretch: Stretch) -> Wave | None:
    """The formula on a stretch of one binade, or None where it holds what cannot be computed.

    Args:
        reference: the formula, of one input; its order says which derivative is meant.
        line: the numbers of the format.
        stretch: inputs of one binade.
    """
    low, high = line.number(stretch.first), line.number(stretch.stop - 1)
    ends = (-high, -low) if stretch.negative else (low, high)
    program = _Program(reference, ends, math.frexp(low)[1] - line.format.precision)
    if not program.steps:
        return None
    return Wave(stretch.negative, stretch.first, stretch.stop, program.run)


class _Program:
    """The formula's nodes as steps: settled ones are constants, the others are computed."""

    def __init__(self, reference: Reference, ends: tuple[float, float], exponent: int) -> None:
        self._length = reference.order + 1
        self._reference = reference
        self._ends = ends
        self._exponent = exponent
        self._root = len(reference.nodes) - 1
        self._values = reference.everything(ball_between(*ends), PRECISION, self._length)
        self.steps = self._plan()

    def _plan(self) -> list[tuple[int, Step]]:
        """What to do for each node that matters, arguments first; nothing if one cannot be done."""
        needed, steps = {self._root}, []
        with working(PRECISION, self._length):
            for place in range(self._root, -1, -1):
                if place in needed:
                    step, arguments = self._step(place)
                    if step is None:
                        return []
                    steps.append((place, step))
                    needed.update(arguments)
        return steps[::-1]

    def run(self, x: Floats) -> tuple[Floats, Floats]:
        """The exact values at some inputs, and bounds of their errors."""
        values, errors = np.empty_like(x), np.empty_like(x)
        for start in range(0, len(x), _TILE):
            tile = slice(start, start + _TILE)
            values[tile], errors[tile] = self._tile(x[tile])
        return values, errors

    def _tile(self, x: Floats) -> tuple[Any, Any]:
        jets: dict[int, Jet] = {}
        for place, step in self.steps:
            jets[place] = step(jets, x)
        found = jets[self._root][-1]
        value = found.value * math.factorial(self._length - 1)
        error = found.error * math.factorial(self._length - 1) * SLACK + UNIT * np.abs(value)
        return value, error

    def _step(self, place: int) -> tuple[Step | None, Sequence[int]]:
        """What to do for a node, and which of its arguments that takes."""
        node = self._reference.nodes[place]
        arguments = self._reference.arguments[place]
        settled = self._settled(self._values[place])
        if settled is not None:
            return settled, ()
        if node.operation in _WAVES:
            angle = line_of(self._reference, arguments[0], *self._ends)
            return (None if angle is None else self._wave(node.operation, angle)), ()
        if node.operation == "input":
            padding = (ZERO,) * (self._length - 1)
            return (lambda jets, x: (Ball(x, 0.0), ONE, *padding)[: self._length]), ()
        if node.operation == "where":
            condition, yes, no = arguments
            taken = yes if self._values[condition] else no
            is_decided = self._values[condition] is not None
            return ((lambda jets, x: jets[taken]) if is_decided else None), (taken,)
        if node.operation == "power":
            base, exponent = arguments
            whole = self._values[exponent][0].unique_fmpz()
            n = 0 if whole is None else int(whole)
            if not 0 < abs(n) <= _MOST_POWER:
                return None, ()
            return (lambda jets, x: power(jets[base], n)), (base,)
        found = ARITHMETIC.get(node.operation)
        if found is None:
            return None, ()
        return (lambda jets, x: found(*(jets[a] for a in arguments))), arguments

    def _settled(self, value: Any) -> Step | None:
        """A constant, if ball arithmetic over the whole stretch leaves no doubt about it."""
        coefficients = [value[k] for k in range(self._length)]
        if not all(c.is_finite() and _is_settled(c) for c in coefficients):
            return None
        jet = tuple(constant(c) for c in coefficients)
        return lambda jets, x: jet

    def _wave(self, operation: str, angle: tuple[arb, arb]) -> Step:
        slope, offset = angle
        numbers = reduction(slope, offset, self._exponent)
        steep = constant(slope)

        def step(jets: dict[int, Jet], x: Floats) -> Jet:
            sin, cos = np.empty_like(x), np.empty_like(x)
            sin_cos()(x, sin, cos, *numbers)
            s, c = (Ball(v, 8 * UNIT * np.abs(v) + REDUCED) for v in (sin, cos))
            if operation == "cos":
                s, c = c, -s
            elif operation == "sin_plus_cos":
                s, c = s + c, c + -s
            return of_wave(s, c, steep, self._length)

        return step


def _is_settled(ball: arb) -> bool:
    radius, size = size_of(ball.rad()), float(abs(ball.mid()))
    return radius <= _SETTLED * max(size, math.ldexp(1.0, -200))
