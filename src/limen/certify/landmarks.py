"""The points of a formula where errors gather: roots, extrema, inflections and kinks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from limen.certify.reference import Reference

__all__ = ["landmarks"]

_GRID = (*np.linspace(-16.03, 16.02, 321), 0.0)


def landmarks(reference: Reference, grid: Iterable[float] = _GRID) -> list[float]:
    """Doubles beside which the value, a derivative, or a comparison's difference changes sign.

    Args:
        reference: a formula of one input, with as many derivatives as matter.
        grid: where to look for changes of sign; between two neighbours at most one is found.

    Returns:
        The points, sorted, each the nearest double or the one next to it.
    """
    points = sorted(set(map(float, grid)))
    signs = [reference.signs(x) for x in points]
    found = set()
    for left, right, at_left, at_right in zip(
        points[:-1], points[1:], signs[:-1], signs[1:], strict=True
    ):
        for which, (a, b) in enumerate(zip(at_left, at_right, strict=True)):
            if a == 0 and b != 0:  # a grid point is a root itself, or ends a stretch of zeros
                found.add(left)
            elif a is not None and b is not None and a * b < 0:
                found.add(_bisect(reference, which, left, right))
    return sorted(found)


def _bisect(reference: Reference, which: int, left: float, right: float) -> float:
    at_left = reference.signs(left)[which]
    while left < (middle := (left + right) / 2) < right:
        at_middle = reference.signs(middle)[which]
        if not at_middle:
            return middle
        left, right = (middle, right) if at_middle == at_left else (left, middle)
    return left
