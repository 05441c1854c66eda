"""The line of a format's numbers, in the order of their bits: how inputs are counted and named.

Positive numbers are ordered as their bit patterns are, so a stretch of inputs is a stretch of
integers, from 1 (the smallest subnormal number) to the largest finite number, on either side of 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limen.certify.measure import Format
from limen.certify.sample import dtype_of

__all__ = ["Line"]


class Line:
    """The numbers of a format of 16 or 32 bits, by sign and magnitude.

    Args:
        format_: the format.
    """

    def __init__(self, format_: Format) -> None:
        self.format = format_
        self.dtype = dtype_of(format_)
        self._unsigned = np.dtype(f"uint{8 * self.dtype.itemsize}")
        self._sign = 1 << (8 * self.dtype.itemsize - 1)
        top = np.array([format_.largest]).astype(self.dtype)
        self.stop = int(top.view(self._unsigned)[0]) + 1
        """The pattern after the largest finite number: that of infinity."""

    @property
    def size(self) -> int:
        """How many inputs there are, NaN included."""
        return 2 * self._sign

    def number(self, magnitude: int) -> float:
        """The positive number of a pattern."""
        return float(self.numbers(magnitude, magnitude + 1, False)[0])

    def magnitude(self, number: float) -> int:
        """The pattern of the format's number nearest to a positive one."""
        return int(np.array([number]).astype(self.dtype).view(self._unsigned)[0])

    def next_binade(self, magnitude: int) -> int:
        """The pattern at which the next binade of normal numbers begins."""
        bits = self.format.precision - 1
        return min(((magnitude >> bits) + 1) << bits, self.stop)

    def numbers(self, first: int, stop: int, negative: bool) -> npt.NDArray:
        """The numbers of the patterns from `first` to before `stop`, on one side of 0."""
        offset = self._sign if negative else 0
        patterns = np.arange(first + offset, stop + offset, dtype=self._unsigned)
        return patterns.view(self.dtype)

    def at(self, magnitudes: npt.ArrayLike, negative: bool) -> npt.NDArray:
        """The numbers of some patterns, on one side of 0."""
        offset = self._sign if negative else 0
        return (np.asarray(magnitudes, np.int64) + offset).astype(self._unsigned).view(self.dtype)

    def nans(self, negative: bool) -> npt.NDArray:
        """Every NaN of one sign."""
        return self.numbers(self.stop + 1, self._sign, negative)
