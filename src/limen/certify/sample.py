"""Inputs that find errors: a dense, adversarial, reproducible sample of a format.

Uniform random numbers see almost nothing of a function: most of float32's numbers lie below 1e-6
in size, and errors live beside roots, kinks and the ends of ranges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.certify.measure import Format, format_of

__all__ = ["dtype_of", "every_input", "sample"]

# Where exp, and with it most activation functions, overflows, turns subnormal or vanishes in
# float16, float32 and float64, and where 1 + exp(-x) rounds to 1 in each.
_RANGE_ENDS = (8.32, 9.7, 11.09, 16.64, 17.33, 36.74, 37.43, 87.34, 88.73, 103.28, 103.98,
               708.4, 709.79, 745.14)  # fmt: skip
_NEAR = 8  # numbers on each side of a landmark
_FEW = 3  # and of an end of exp's range


def dtype_of(format_: Format) -> np.dtype[Any]:
    """The NumPy dtype of a format; bfloat16 is ml_dtypes'."""
    if format_.name == "bfloat16":
        import ml_dtypes

        name: type = ml_dtypes.bfloat16
        return np.dtype(name)
    return np.dtype(format_.name)


def every_input(dtype: object) -> npt.NDArray:
    """All numbers of a 16-bit format with both infinities, and one NaN."""
    numbers = np.arange(1 << 16).astype(np.uint16).view(dtype_of(format_of(dtype)))
    numbers = numbers[~np.isnan(numbers.astype(np.float32))]
    return np.append(numbers, numbers.dtype.type(np.nan))


def sample(
    dtype: object, landmarks: Iterable[float] = (), *, count: int = 1000, seed: int = 0
) -> npt.NDArray:
    """A dense sample of a format's numbers: sorted, each once, NaN last.

    It holds both zeros, both infinities, the ends of the subnormal and normal ranges, a power of
    two and a random number from every binade (every few, far from 1), a grid on [-20, 20], and
    the neighbours of the ends of exp's ranges and of the landmarks.

    Args:
        dtype: the format: a dtype or its name.
        landmarks: points whose neighbours matter: kinks, roots, extrema.
        count: how many further numbers are random.
        seed: another seed gives other random numbers.

    Returns:
        A one-dimensional array of the dtype.
    """
    format_ = format_of(dtype)
    random = np.random.default_rng(seed)
    binades = _binades(format_)
    ends = np.array([format_.smallest_normal, format_.largest, *np.ldexp([1, 2, 3, 7], binades[0])])
    positive = [
        _neighbours(ends, format_, 1),
        np.ldexp(1.0, binades),
        np.ldexp(random.uniform(1, 2, len(binades)), binades),
        _neighbours([*_RANGE_ENDS, *np.arange(1, 9)], format_, _FEW),
        random.uniform(20, 1000, count // 8),
        np.ldexp(random.uniform(1, 2, count // 8), random.integers(-20, 12, count // 8)),
    ]
    positive = np.abs(np.concatenate(positive))
    both = [
        np.linspace(-20, 20, 321),
        random.uniform(-12, 12, count // 2),
        random.uniform(-110, 20, count // 8),
        _neighbours(list(landmarks), format_, _NEAR),
        [0.0, np.inf, -np.inf],
    ]
    with np.errstate(over="ignore"):
        numbers = np.concatenate([positive, -positive, *both]).astype(dtype_of(format_))
    numbers = np.unique(numbers)
    apart = np.array([-0.0, 0.0, np.nan], numbers.dtype)  # np.unique takes both zeros for one
    return np.concatenate([numbers[numbers < 0], apart[:2], numbers[numbers > 0], apart[2:]])


def _binades(format_: Format) -> npt.NDArray[np.int64]:
    """Every binade from 2**-30 to 2**10, and about a hundred of the others."""
    first, last = format_.smallest_exponent, format_.largest_exponent
    step = max(1, (last - first) // 100)
    chosen = {*range(first, last, step), *range(max(first, -30), min(last, 10)), first, last}
    return np.array(sorted(chosen))


def _neighbours(points: Iterable[float], format_: Format, reach: int) -> npt.NDArray[np.float64]:
    """The numbers of the format up to `reach` steps from each point, the point included."""
    dtype = dtype_of(format_)
    integer = np.dtype(f"int{8 * dtype.itemsize}")
    centres = np.asarray(list(points), dtype=np.float64).astype(dtype)
    # Steps along the line of numbers are steps of the bit pattern, once negative numbers are
    # counted downwards from 0.
    pattern = centres.view(integer).astype(np.int64)
    lowest = np.iinfo(integer).min
    place = np.where(pattern < 0, lowest - pattern, pattern)
    places = (place[:, None] + np.arange(-reach, reach + 1)).ravel()
    patterns = np.where(places < 0, lowest - places, places).astype(integer)
    return patterns.view(dtype).astype(np.float64)
