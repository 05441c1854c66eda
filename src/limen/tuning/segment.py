"""Fits one segment of a table: a centre and a polynomial whose numbers are float32.

Coefficients are those of a weighted least squares fit on Chebyshev nodes, within a few per cent of
the best possible in the largest relative error. A centre is free, and well chosen it saves the
digits that c0 lacks: among thousands of float32 near the middle there is one where the function's
value, and its slope, are float32 to many more digits than 24 (Gal's accurate tables: Gal and
Bachelis, "An accurate elementary mathematical library for the IEEE floating point standard", ACM
Transactions on Mathematical Software 17(1), 1991).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.tuning.target import Reals, spacing, worst_factors

__all__ = ["Form", "Segment", "fit_regular", "fit_root", "fit_tail", "largest_error"]

_NEAR_MIDDLE = 0.15  # of half a segment: where a centre is looked for
_CENTRES = 1024  # how many are looked at
_ATTEMPTS = 16  # how many are tried where the value at 0 must be right
_SMALLEST = float(np.finfo(np.float32).smallest_normal)
_LARGEST = float(np.finfo(np.float32).max)
_SHORT = (2.0**-20, 0.002, 0.005, 0.012)  # see `worst_factors`


@dataclass(frozen=True, slots=True)
class Form:
    """What all segments of a table share: the shape of the computation.

    Attributes:
        degree: of the polynomials.
        is_compensated: whether the first-order term is added apart.
        has_rests: whether c1 is given to more digits than a float32 has.
        has_offsets: whether a constant term is given to more digits than a float32 has: that of a
            root that lies beside float32 numbers, or of a tail.
        is_flow: whether the function will be multiplied with gradients or with a gate's values.
    """

    degree: int
    is_compensated: bool
    has_rests: bool
    has_offsets: bool
    is_flow: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """A centre and its polynomial; every number is a float32."""

    centre: float
    coefficients: tuple[float, ...]
    rest: float = 0.0
    offset: float = 0.0

    @classmethod
    def of(
        cls, centre: float, coefficients: list[float], rest: float = 0.0, offset: float = 0.0
    ) -> Segment:
        """The segment with these numbers rounded, and none of them subnormal (those are slow)."""
        rounded = tuple(map(_single, coefficients))
        return cls(_single(centre), rounded, _single(rest), _single(offset))


def _single(number: float) -> float:
    rounded = float(np.float32(number))
    return 0.0 if abs(rounded) < _SMALLEST else rounded


def _nodes(low: float, high: float, degree: int) -> Reals:
    count = 4 * degree + 9
    u = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return (low + high) / 2 + (high - low) / 2 * u


def _is_moderate(value: Reals) -> bool:
    """Whether all values are numbers that a float32 holds with all its digits."""
    size = np.abs(value)
    return bool(np.all((size >= _SMALLEST) & (size <= _LARGEST)))


def fit_regular(
    function: Callable[[Reals], Reals], low: float, high: float, form: Form
) -> Segment | None:
    """The segment of a function without a root in [low, high]; None where it has none."""
    y = _nodes(low, high, form.degree)
    value = function(y)
    if not _is_moderate(value) or value.min() <= 0 <= value.max():
        return None
    middle, half = (low + high) / 2, (high - low) / 2
    powers = np.vander((y - middle) / half, form.degree + 1, increasing=True)
    fitted = np.linalg.lstsq(powers / value[:, None], np.ones_like(y), rcond=None)[0]
    shape = fitted.astype(np.float64)
    for centre in _accurate_centres(shape, middle, half):
        at_centre, slope = _value_and_slope(shape, (centre - middle) / half)
        c0, c1 = _single(at_centre), _single(slope / half)
        offset = _single(at_centre - c0) if form.has_offsets else 0.0
        t = y - centre
        upper = np.vander(t, form.degree + 1, increasing=True)[:, 2:]
        left = (value - c0 - offset - c1 * t) / value
        higher = np.linalg.lstsq(upper / value[:, None], left, rcond=None)[0]
        found = Segment.of(centre, [c0, c1, *higher], 0.0, offset)
        if not low <= 0 <= high or _is_nearest_at_zero(function, found, form):
            return found
    return None


def _is_nearest_at_zero(function: Callable[[Reals], Reals], segment: Segment, form: Form) -> bool:
    """Whether the value at 0, which people look at, is the float32 nearest the exact one."""
    zero = np.zeros(1)
    return bool(_results(segment, form, zero) == _rounded(function(zero)))


def _accurate_centres(shape: Reals, middle: float, half: float) -> list[float]:
    """The float32 near the middle where value and slope are float32 to the most digits.

    The best comes first. Where 0 is in the segment it may be the centre as well.
    """
    reach = _NEAR_MIDDLE * half
    candidates = np.linspace(middle - reach, middle + reach, _CENTRES).astype(np.float32)
    if abs(middle) <= half:
        candidates[0] = 0.0
    u = (candidates.astype(np.float64) - middle) / half
    value, slope = _value_and_slope(shape, u)
    lacking = np.abs(value - value.astype(np.float32))
    # The slope's error counts at the end of the segment; half of it is room to spare.
    slope_error = np.abs(slope / half - (slope / half).astype(np.float32)) * half / 2
    order = np.argsort((lacking + slope_error) / np.abs(value))
    return [float(c) for c in candidates[order[:_ATTEMPTS]]]


def _value_and_slope(shape: Reals, u: Any) -> tuple[Any, Any]:
    """A polynomial and its derivative, by Horner's rule."""
    value, slope = shape[-1], 0.0
    for coefficient in shape[-2::-1]:
        slope = slope * u + value
        value = value * u + coefficient
    return value, slope


def fit_root(
    function: Callable[[Reals], Reals], root: float, low: float, high: float, form: Form
) -> Segment | None:
    """The segment around a root of the function; None where it has no slope there."""
    centre = _single(root)
    offset = _single(float(function(np.array([centre]))[0])) if form.has_offsets else 0.0
    y = _nodes(low, high, form.degree)
    y = y[np.abs(y - centre) > 1e-3 * (high - low)]
    t = y - centre
    value = function(y)
    secant = (value - offset) / t
    if not _is_moderate(value) or secant.min() <= 0 <= secant.max():
        return None
    weights = t / value
    powers = np.vander(t, form.degree, increasing=True)
    c1 = float(np.linalg.lstsq(powers * weights[:, None], secant * weights, rcond=None)[0][0])
    first, rest = _single(c1), _single(c1 - _single(c1)) if form.has_rests else 0.0
    left = (secant - first - rest) * weights
    higher = np.linalg.lstsq(powers[:, 1:] * weights[:, None], left, rcond=None)[0]
    return Segment.of(centre, [0.0, first, *higher], rest, offset)


def fit_tail(
    function: Callable[[Reals], Reals], edge: float, sign: float, form: Form, tolerance: float
) -> Segment | None:
    """The constant, or the multiple of x, that a function is from an edge to infinity."""
    far = sign * 2.0**100
    ahead = sign * np.geomspace(abs(edge), 2.0**126, 4001) if sign * edge > 0 else None
    if ahead is None:
        return None
    ahead = ahead.astype(np.float32).astype(np.float64)
    value = function(ahead)
    if not np.all(np.isfinite(value)):
        return None
    limit = float(function(np.array([far]))[0])
    lacking = limit - _single(limit) if form.has_offsets else 0.0
    constant = Segment.of(0.0, [limit, *[0.0] * form.degree], 0.0, lacking)
    straight = Segment.of(0.0, [0.0, limit / far, *[0.0] * (form.degree - 1)])
    for tail in (constant, straight):
        is_zero = tail.coefficients[:2] == (0.0, 0.0)
        if not is_zero and largest_error(tail, form, ahead, value) <= tolerance:
            return tail
    return None


def largest_error(segment: Segment, form: Form, y: Reals, value: Reals) -> float:
    """The largest error in ULP at some float32, computed as the kernel computes.

    For a flow, that of products with the factors for which an error of the value counts most.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _largest_error(segment, form, y, value)


def _largest_error(segment: Segment, form: Form, y: Reals, value: Reals) -> float:
    c0, v, rest = _sum(segment, form, y)
    errors = [np.abs(_results(segment, form, y) - value) / spacing(value)]
    for short in _SHORT if form.is_flow else ():
        grad = worst_factors(value, short).astype(np.float64)
        product = _rounded(grad * v + _rounded(grad * rest) * form.is_compensated)
        exact = grad * value
        errors.append(np.abs(_rounded(grad * c0 + product) - exact) / spacing(exact))
    error = np.concatenate(errors)
    return float(np.max(error, initial=0.0)) if np.all(np.isfinite(error)) else np.inf


def _results(segment: Segment, form: Form, y: Reals) -> Reals:
    c0, v, rest = _sum(segment, form, y)
    return _rounded(c0 + (_rounded(v + rest) if form.is_flow else v))


def _sum(segment: Segment, form: Form, y: Reals) -> tuple[float, Reals, Reals]:
    """c0, the rest of the polynomial, and what rounding took of that."""
    c0, c1, *higher = segment.coefficients
    t = _rounded(y - segment.centre)
    q = np.full_like(t, higher[-1])
    for coefficient in higher[-2::-1]:
        q = _rounded(q * t + coefficient)
    if not form.is_compensated:
        return c0, _rounded(t * _rounded(t * q + c1)), np.zeros_like(t)
    second = _rounded(_rounded(q * t + segment.rest) * t + segment.offset)
    v = _rounded(t * c1 + second)
    return c0, v, _rounded(_rounded(t * c1 - v) + second)


def _rounded(x: Reals) -> NDArray[np.float64]:
    """To float32: a product of two float32 is exact before, so this is a fused multiply-add."""
    return x.astype(np.float32).astype(np.float64)
