"""Far out: another form of the formula where terms cancel or overflow, or a series in 1/|x|."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from limen.formula.analysis import digits
from limen.formula.analysis.series import NoSeriesError, series_at_infinity
from limen.formula.expression import Expression, bind, size
from limen.formula.saturate import saturated
from limen.formula.shifted import shifted
from limen.formula.stabilize import stable
from limen.formula.tail_series import expanded
from limen.kernels.patches import Window
from limen.kernels.rounding import loss
from limen.kernels.series_windows import EXACT, agrees, fit
from limen.kernels.survey import DISASTROUS, GROSS, Array, Survey

__all__ = ["far_windows", "in_window", "tail_form"]

_POINTS = 2.0 ** np.concatenate([np.arange(0, 100) / 4, np.arange(25, 128)])  # float32's range
# Where exp(-x), and exp(-2x), is too small for primitives, and exp(x) not yet infinite.
_RIM = np.outer([0.5, 1.0], [708.6, 709.0, 709.6]).ravel()
# A form for a tail may be so many times longer, and so many operations; sums are short in any case.
_LONGER, _LONG = 3, 20
_SHORT_SUM = 2  # the last of the forms for a tail, which takes the longest to find
_LENGTH = 48  # of a series at infinity
_FURTHER, _STEP = 24, 2  # so much further out it may begin to serve, and what is tried, in points


def tail_form(
    expression: Expression, side: int, parameters: Mapping[str, float], which: int
) -> tuple[Expression, float] | None:
    """Another form of a function for one tail, for one set of parameters; None if there is none.

    Args:
        expression: the stable form.
        side: 1 or -1.
        parameters: the values of its parameters: at some of them terms cancel.
        which: 0 for the form in which functions are written by their distance to their limits, 1
            for the one with the largest exponentials in front, 2 for a short sum.

    Returns:
        The form, and the |x| from which on it may be taken.
    """
    bound = stable(bind(expression, parameters))
    if which == _SHORT_SUM:
        return expanded(bound, side)
    form = shifted(bound) if which else saturated(bound, side)
    return None if form is None or form is bound else (form, 1.0)


def in_window(
    expression: Expression, window: Window, parameters: Mapping[str, float]
) -> Expression:
    """The form of a function, given its stable one, in a window without coefficients."""
    found = tail_form(expression, window.side, parameters, window.start)
    return found[0] if found else expression


def far_windows(survey: Survey, side: int) -> list[Window]:
    """The windows far out on one side: the form for that tail, then a series."""
    sizes = _sizes(survey, side)
    lost = survey.loss(side * sizes)
    at, lost = _seen(survey, survey.expression, side * sizes, lost)
    found = []
    if np.any(_is_bad(survey, lost, at)):
        served = _best_tail(survey, side * sizes, at, lost)
        if served is not None:
            which, first, lost = served
            edge = float(1 / sizes[first])
            found.append(Window((side * math.inf, 0.0), edge, side, False, which, ()))
    series = _series(survey, side * sizes, lost) if survey.rounds else None
    return [*found, series] if series else found


def _sizes(survey: Survey, side: int) -> Array:
    """Where a tail is looked at: closer where the range of float64 ends, if that does harm."""
    if np.any(np.isinf(survey.loss(side * _RIM))):
        return np.sort(np.concatenate([_POINTS, _RIM]))
    return _POINTS


def _seen(survey: Survey, form: Expression, points: Array, lost: Array) -> tuple[Array, Array]:
    """What is seen of a form far out, and lost: where steps make NaN of the limit, it is given."""
    at, stored = survey.computed(form, points), survey.stored(form, points)
    is_known = ~(loss(form, {survey.x: points}) > survey.working.dear)
    is_given = np.isnan(at) & is_known & (stored == stored[-1]) & _is_guarded(survey, points, at)
    return np.where(is_given, stored, at), np.where(is_given, 0.0, lost)


def _is_guarded(survey: Survey, points: Array, at: Array) -> npt.NDArray[np.bool_]:
    """Where the limit is given for NaN; nowhere, if there is NaN before."""
    begin, sizes = survey.working.guarded, np.abs(points)
    found: npt.NDArray[np.bool_] = (begin < sizes) & ~np.isnan(at[begin == sizes])
    return found


def _best_tail(
    survey: Survey, points: Array, at: Array, lost: Array
) -> tuple[int, int, Array] | None:
    """Which form leaves the fewest points bad, from where on, and what is lost with it."""
    side = 1 if points[0] > 0 else -1
    bad = _is_bad(survey, lost, at)
    best, fewest = None, int(np.count_nonzero(bad)) + 1
    for which in range(_SHORT_SUM + 1):
        if which == _SHORT_SUM and all(map(survey.is_infinite, points[bad].tolist())):
            break
        form = tail_form(survey.formula, side, survey.parameters, which)
        tail = _tail(survey, *form, points, at, lost) if form else None
        if tail is not None:
            still = ~(tail[1] <= survey.working.dear)
            left = int(np.count_nonzero(still))
            if left < fewest:
                best, fewest, bad = (which, *tail), left, still
        if not fewest:
            break
    return best


def _is_bad(survey: Survey, lost: Array, at: Array) -> npt.NDArray[np.bool_]:
    """Where digits are lost, or the value is no number."""
    return (lost > survey.working.dear) | ~np.isfinite(at)


def _tail(
    survey: Survey, other: Expression, least: float, points: Array, at: Array, lost: Array
) -> tuple[int, Array] | None:
    """From where on the form for a tail serves, and what is lost with it; None if it does not."""
    if least == 1 and size(other) > _LONGER * size(survey.expression) + _LONG:
        return None
    sizes, cheap = np.abs(points), survey.working.cheap
    then, lost_then = _seen(survey, other, points, survey.loss_of(other, points))
    lost_then = np.where(
        (lost == 0) & (np.fmax(abs(at), abs(then)) < survey.working.nothing), 0.0, lost_then
    )
    worse = ~(lost_then <= np.fmax(lost, cheap)) & np.isfinite(at) & ~np.isnan(lost)
    worse |= _are_others(survey, at, then) & (np.fmax(lost, lost_then) < DISASTROUS)
    worse |= least > sizes
    first = int(np.flatnonzero(worse)[-1]) + 1 if np.any(worse) else 0
    # Where an overflow makes NaN far out, a kernel gives the limit in any case; not so near.
    is_limit = (then == then[-1]) & _is_guarded(survey, points, at)
    bad = _is_bad(survey, lost, at) & np.where(np.isnan(at), ~is_limit, at != then)
    lasting = first + np.flatnonzero(bad[first:-2] & bad[first + 1 : -1] & bad[first + 2 :])
    if not len(lasting) or not _is_same(survey.expression, other, points[lasting[0]]):
        return None
    begin = int(lasting[0])
    while begin > first and not lost[begin - 1] <= cheap:
        begin -= 1
    # What overflows does so between two points.
    serves = (lost_then <= survey.working.dear) & ~_are_others(survey, at, then) & (least <= sizes)
    first = begin - 1 if begin > first or (begin and serves[begin - 1]) else first
    if least > 1 and not _is_same(survey.expression, other, points[first]):
        return None
    return first, np.concatenate([lost[:first], lost_then[first:]])


def _are_others(survey: Survey, at: Array, then: Array) -> npt.NDArray[np.bool_]:
    """Where a form for far out gives another value: abs(x - 1000) is x - 1000 from 1000 on."""
    with np.errstate(invalid="ignore"):
        return np.abs(at - then) > GROSS * np.abs(at) + survey.working.nothing


def _is_same(expression: Expression, other: Expression, point: float) -> bool:
    with digits.context().workprec(600):
        a, b = digits.value(expression, point), digits.value(other, point)
        return bool(abs(a - b) <= EXACT * abs(a))


def _after(are: npt.NDArray[np.bool_]) -> int:
    """The place after the last of some."""
    found = np.flatnonzero(are)
    return int(found[-1]) + 1 if len(found) else 0


def _series(survey: Survey, points: Array, lost: Array) -> Window | None:
    """The series at infinity, where digits are lost there for good."""
    side = 1 if points[0] > 0 else -1
    expression = survey.expression
    first, near = (_after(lost <= level) for level in (survey.working.dear, survey.working.wide))
    if first == len(lost):
        return None
    centre = side * digits.context().inf
    try:
        series = series_at_infinity(expression, side, _LENGTH)
    except (NoSeriesError, ZeroDivisionError, ValueError, OverflowError):
        return None
    for place in range(first - (first - near) // _STEP * _STEP, first + _FURTHER, _STEP):
        if place < len(lost):
            window = fit(series, centre, side, float(side / points[place]))
            if window and agrees(window, expression, centre):
                return window
    return None
