"""Arrays of float64 numbers, each with a bound of its error, and power series of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.certify.balls import arb
from limen.certify.taylor import NEXT_TO_NOTHING, size_of

__all__ = [
    "ARITHMETIC",
    "ONE",
    "SLACK",
    "UNIT",
    "ZERO",
    "Ball",
    "Jet",
    "constant",
    "of_wave",
    "power",
]

UNIT = math.ldexp(1.0, -53)
SLACK = 1.0 + math.ldexp(1.0, -20)
"""Covers the rounding of the bounds themselves."""


@dataclass(frozen=True, slots=True)
class Ball:
    """Numbers, or one for all, each with a bound of its error."""

    value: Any
    error: Any

    def __neg__(self) -> Ball:
        return self if self is ZERO else Ball(-self.value, self.error)

    def __add__(self, other: Ball) -> Ball:
        if self is ZERO or other is ZERO:
            return other if self is ZERO else self
        value = self.value + other.value
        return Ball(value, self.error + other.error + UNIT * np.abs(value))

    def __mul__(self, other: Ball) -> Ball:
        if self is ONE or other is ONE:
            return other if self is ONE else self
        if self is ZERO or other is ZERO:
            return ZERO
        value = self.value * other.value
        error = np.abs(self.value) * (other.error + UNIT * np.abs(other.value))
        error = error + (np.abs(other.value) + other.error) * self.error
        return Ball(value, error * SLACK + NEXT_TO_NOTHING)

    def inverse(self) -> Ball:
        """1 over the numbers; the error is infinite where they may be 0."""
        size = np.abs(self.value) - self.error
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            value = 1.0 / self.value
            error = np.where(size > 0, np.abs(value) * self.error / size, np.inf)
        return Ball(value, (error + UNIT * np.abs(value)) * SLACK + NEXT_TO_NOTHING)


ZERO, ONE = Ball(0.0, 0.0), Ball(1.0, 0.0)

Jet = tuple[Ball, ...]
"""A truncated power series, the value first."""


def of_wave(wave: Ball, slopeof_wave: Ball, steep: Ball, length: int) -> Jet:
    """The series of a wave about each angle: its derivatives follow each other in a circle."""
    circle = (wave, slopeof_wave, -wave, -slopeof_wave)
    jet, factor = [], ONE
    for k in range(length):
        jet.append(circle[k % 4] * factor)
        factor = factor * steep * Ball(1.0 / (k + 1), UNIT)
    return tuple(jet)


def _add(a: Jet, b: Jet) -> Jet:
    return tuple(p + q for p, q in zip(a, b, strict=True))


def _multiply(a: Jet, b: Jet) -> Jet:
    return tuple(_sum([a[i] * b[k - i] for i in range(k + 1)]) for k in range(len(a)))


def _inverse(a: Jet) -> Jet:
    """1 / a: its k-th coefficient is -(a1 r(k-1) + ... + ak r0) r0."""
    first = a[0].inverse()
    found = [first]
    for k in range(1, len(a)):
        found.append(-_sum([a[i] * found[k - i] for i in range(1, k + 1)]) * first)
    return tuple(found)


def power(a: Jet, n: int) -> Jet:
    """A whole power."""
    result: Jet = (ONE, *(ZERO,) * (len(a) - 1))
    for _ in range(abs(n)):
        result = _multiply(result, a)
    return result if n >= 0 else _inverse(result)


def _sum(balls: list[Ball]) -> Ball:
    first, *others = balls
    for ball in others:
        first = first + ball
    return first


ARITHMETIC: dict[str, Callable[..., Jet]] = {
    "add": _add,
    "multiply": _multiply,
    "divide": lambda a, b: _multiply(a, _inverse(b)),
}


def constant(ball: arb) -> Ball:
    """One number for all."""
    value = float(ball.mid())
    return Ball(value, size_of(ball.rad()) + 2 * UNIT * abs(value))
