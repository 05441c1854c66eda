"""Finds the windows of a kernel: where digits are lost, and the series that keeps them.

Finding them is a search, not a proof: what is missed costs accuracy, as certificates measure, and
nothing else. Every series is compared with the function before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.formula.analysis import digits
from limen.formula.analysis.series import NoSeriesError, series_at
from limen.formula.expression import Expression, walk
from limen.kernels.patches import Window
from limen.kernels.rounding import values
from limen.kernels.series_windows import agrees, both_sides, continues, fit
from limen.kernels.survey import KERNELS, Array, Survey, Working
from limen.kernels.tails import far_windows

__all__ = ["MOST_WINDOWS", "find_windows"]

MOST_WINDOWS = 16
"""More roots are far oscillation, which primitives deal with as well as they can."""

# The window of a plain root, and the widest of any.
_NARROWEST, _WIDEST = 2.0**-11, 2.0
_GRID = np.sinh(np.arange(-176, 177) / 40)  # dense near 0, out to 40
_SMALL = np.ldexp(1.37, np.arange(-100, -2))
_STEPS = np.ldexp(1.0, np.arange(-50, 2))
# How many terms a series takes, for windows above and up to a width.
_LENGTHS = (
    (2.0**-3, _WIDEST, 48),
    (2.0**-8, 2.0**-3, 26),
    (_NARROWEST / 2, 2.0**-8, 14),
)


def find_windows(
    expression: Expression, x: str, parameters: Mapping[str, float], working: Working = KERNELS
) -> list[Window]:
    """The windows a function needs, for one set of parameters; a later one takes precedence.

    Args:
        expression: the stable form.
        x: the name of its input.
        parameters: the values of its parameters.
        working: what it is computed in.
    """
    survey = Survey(expression, x, parameters, working)
    return [*far_windows(survey, -1), *far_windows(survey, 1), *_near(survey)]


def _near(survey: Survey) -> list[Window]:
    """The windows beside points."""
    found: dict[float, Any] = {}
    for centre in _centres(survey):
        reach = _dear(survey, float(centre))
        if reach is not None:
            found.setdefault(float(centre), (centre, reach))
        if len(found) == MOST_WINDOWS:
            break
    windows = [w for centre, reach in found.values() for w in _beside(survey, centre, reach)]
    if survey.working.serves_roots:
        return windows
    return [w for w in windows if w.start != 1 or not w.centre[0]]  # small numbers lie around 0


def _centres(survey: Survey) -> Iterator[Any]:
    """Where terms may cancel: 0, roots, double roots, and roots of denominators."""
    small = survey.loss(np.concatenate([-_SMALL, _SMALL]))
    if np.any(small > survey.working.dear):
        yield digits.number(0)
    at = survey.at(_GRID)
    yield from _touching(survey.expression, np.abs(at))
    for node in walk(survey.expression):
        if node.operation == "divide" and node.arguments[1].varies:
            under = node.arguments[1]
            yield from islice(_roots(under, values(under, {survey.x: _GRID})), MOST_WINDOWS)
    yield from _roots(survey.expression, at)


def _roots(function: Expression, at: Array) -> Iterator[Any]:
    """Where a function changes its sign, from 0 outwards."""
    usable = (at != 0) & np.isfinite(at)
    signed = zip(_GRID[usable].tolist(), (at[usable] < 0).tolist(), strict=True)
    brackets = [(p, q) for (p, v), (q, w) in pairwise(signed) if v != w]
    for low, high in sorted(brackets, key=lambda bracket: abs(bracket[0] + bracket[1])):
        root = _root(function, low, high)
        if root is not None and (root == 0 or abs(root) >= _NARROWEST):
            yield root


def _root(function: Expression, low: float, high: float) -> Any:
    mp = digits.context()
    try:
        root = mp.findroot(lambda at: digits.value(function, at), (low, high), solver="anderson")
    except (ValueError, ZeroDivisionError, ArithmeticError):
        return None
    return _snapped(root) if low <= root <= high else None


def _snapped(point: Any) -> Any:
    """The float that a point is but for its last digits, where there is one."""
    near = digits.number(float(point))
    return near if abs(point - near) <= 1e-45 * max(abs(near), 1) else point


def _touching(function: Expression, sizes: Array) -> Iterator[Any]:
    """Double roots: where a value dips below both neighbours, and Newton's method finds 0."""
    before, here, after = sizes[:-2], sizes[1:-1], sizes[2:]
    dips = (here < np.minimum(before, after)) & (here <= 0.5 * np.maximum(before, after))
    for k in np.flatnonzero(dips & np.isfinite(before) & np.isfinite(after)).tolist():
        centre = _double_root(function, *_GRID[k : k + 3].tolist())
        if centre is not None:
            yield centre


def _double_root(function: Expression, low: float, start: float, high: float) -> Any:
    """Where a function touches 0 without crossing it, by Newton's method for its slope."""
    point = digits.number(start)
    try:
        for _ in range(60):
            c = series_at(function, point, 1, 3)
            if c.start >= 2:
                return _snapped(point)
            if c.end < 3 or not c.term(2):
                return None
            step = -c.term(1) / (2 * c.term(2))
            point += step
            if not low <= point <= high:
                return None
            if abs(step) <= digits.SAME * max(abs(point), 1):
                break
        point = _snapped(point)
        c = series_at(function, point, 1, 3)
    except (NoSeriesError, ZeroDivisionError, ValueError):
        return point if abs(digits.value(function, point)) <= digits.SAME else None
    return point if abs(c.term(0)) <= digits.SAME * abs(c.term(2)) else None


# --- One window ------------------------------------------------------------------------------


def _dear(survey: Survey, centre: float) -> float | None:
    """How far from a centre digits are lost; None where they are not, or not there."""
    steps = _STEPS[abs(centre) * 2.0**-46 < _STEPS]
    lost = np.fmax(survey.loss(centre + steps), survey.loss(centre - steps))
    reach = _extent(steps, lost > survey.working.dear)
    if reach is None:
        return None
    is_narrow, serves_roots = reach <= 8 * _NARROWEST, survey.working.serves_roots
    if is_narrow and serves_roots:
        # A root like most: its neighbours are far enough from it.
        return _NARROWEST if survey.rounds or reach > _NARROWEST else None
    if is_narrow and centre:
        return None
    return min(_extent(steps, lost > survey.working.wide) or reach, _WIDEST)


def _extent(steps: Array, are_dear: npt.NDArray[np.bool_]) -> float | None:
    """How far the first steps that are dear reach, with the next."""
    dear = np.flatnonzero(are_dear)
    if not len(dear):
        return None
    gaps = np.flatnonzero(np.diff(dear) > 1)
    return 2 * float(steps[dear[gaps[0]] if len(gaps) else dear[-1]])


def _beside(survey: Survey, centre: Any, reach: float) -> list[Window]:
    """The window beside a point, or one for each side; none where there is no series."""
    right = _fitted(survey.expression, centre, 1, reach)
    if right and not survey.chooses:
        return [both_sides(right, _keeps_centre(survey, right))]
    left = _fitted(survey.expression, centre, -1, reach)
    if left and right and continues(left, right):
        return [both_sides(right, _keeps_centre(survey, right))]
    return [w for w in (left, right) if w]


def _keeps_centre(survey: Survey, window: Window) -> bool:
    """Whether the formula says something else at the centre than its series, and not by rounding.

    At a root all digits may be rounding: log(sqrt(2 x)) at 1/2.
    """
    (at,) = survey.at(np.array([window.centre[0]])).tolist()
    expected = window.coefficients[0][0] if window.start == 0 else 0.0
    scale = abs(window.coefficients[0][0]) * window.reach ** max(window.start, 0)
    return window.centre[1] == 0 and not abs(at - expected) <= 1e-9 * scale


def _fitted(expression: Expression, centre: Any, side: int, reach: float) -> Window | None:
    """The widest window that a series fills, up to a reach."""
    for narrowest, widest, length in _LENGTHS:
        if reach <= narrowest:
            continue
        try:
            series = series_at(expression, centre, side, length)
        except (NoSeriesError, ZeroDivisionError, ValueError, OverflowError):
            return None
        while narrowest < reach <= widest:
            window = fit(series, centre, side, reach)
            if window and agrees(window, expression, centre):
                return window
            reach = math.ldexp(reach, -1)
    return None
