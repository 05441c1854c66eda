"""Local extrema, read from the monotone segments of a function and the values where pieces meet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from limen.formula.analysis.answers import Extremum, Stretch
from limen.formula.analysis.monotone import Joint, Segment

__all__ = ["extrema_of"]


@dataclass(frozen=True, slots=True)
class _Level:
    """A point, or a stretch on which the function is constant, with its one value."""

    low: float
    high: float
    value: float
    low_included: bool = True
    high_included: bool = True

    def meets(self, other: _Level) -> bool:
        """Whether the next level on the right goes on at the same height."""
        touching = self.high_included or other.low_included
        return touching and self.high == other.low and self.value == other.value

    def joined(self, other: _Level) -> _Level:
        return _Level(self.low, other.high, self.value, self.low_included, other.high_included)

    @property
    def place(self) -> float | Stretch:
        if self.low == self.high:
            return self.low
        return Stretch(self.low, self.high, self.low_included, self.high_included)


_Part = _Level | Segment | None  # None: nothing there


def extrema_of(segments: Sequence[Segment], joints: Iterable[Joint]) -> tuple[Extremum, ...]:
    """The local extrema.

    A stretch on which the function is constant counts as one extremum, if the function is higher
    (lower) wherever it goes on: ReLU has a minimum on all of (-inf, 0].
    """
    parts = _parts(segments, {joint.point.x: joint for joint in joints})
    found = []
    for before, level, after in zip([None, *parts], parts, [*parts[1:], None], strict=False):
        if not isinstance(level, _Level):
            continue
        sides = _side(before, level, -1), _side(after, level, 1)
        kind = _kind(*sides)
        if kind is not None:
            found.append(Extremum(kind, level.place, level.value))
    return tuple(found)


def _kind(left: int, right: int) -> Literal["minimum", "maximum"] | None:
    """From what the function does on both sides: 1 higher, -1 lower, 0 nothing there."""
    if left + right > 0 and min(left, right) >= 0:
        return "minimum"
    if left + right < 0 and max(left, right) <= 0:
        return "maximum"
    return None


def _side(part: _Part, level: _Level, direction: int) -> int:
    """Whether the function is higher (1) or lower (-1) just beside a level; 0 for nothing."""
    if part is None:
        return 0
    if isinstance(part, _Level):
        return _compare(part.value, level.value)
    near = part.start if direction > 0 else part.stop
    return _compare(near, level.value) or direction * part.trend


def _compare(a: float, b: float) -> int:
    return (a > b) - (a < b)


def _parts(segments: Sequence[Segment], joints: dict[float, Joint]) -> list[_Part]:
    """Segments and levels from left to right, equal neighbouring levels as one."""
    parts: list[_Part] = []
    end: float | None = None  # how far the parts reach
    for segment in segments:
        low, high = segment.low.x, segment.high.x
        if end is not None and low != end:
            parts.append(None)
        if low in joints and low != end:
            _append(parts, _at_joint(joints[low]))
        elif end is not None and low not in joints:
            _append(parts, _Level(low, low, segment.start))
        _append(parts, _flat(segment) if segment.trend == 0 else segment)
        if high in joints:
            _append(parts, _at_joint(joints[high]))
        end = high
    return parts


def _at_joint(joint: Joint) -> _Part:
    return None if joint.value is None else _Level(joint.point.x, joint.point.x, joint.value)


def _flat(segment: Segment) -> _Level:
    low, high = segment.low.x, segment.high.x
    return _Level(low, high, segment.start, math.isinf(low), math.isinf(high))


def _append(parts: list[_Part], part: _Part) -> None:
    last = parts[-1] if parts else None
    if isinstance(part, _Level) and isinstance(last, _Level) and last.meets(part):
        parts[-1] = last.joined(part)
    else:
        parts.append(part)
