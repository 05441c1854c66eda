"""The fast tier: a kernel's results on a piece, beside the piece's polynomial, in float64.

For every input it decides, by the piece's proven margin, whether the result is the exact value's
nearest number, and bounds the error from above. Inputs that the margin leaves in doubt are handed
back; there are a few hundred among 2**32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.certify.loops import compiled_loops
from limen.certify.measure import FORMATS, Format
from limen.certify.pieces import NO_TIES, Piece
from limen.certify.waves import Wave

__all__ = ["TILE", "Finding", "compare"]

TILE = 1 << 15
"""Inputs at a time: with a kernel's results and the bounds they stay in the second-level cache."""

# Inputs in doubt that a tile of float32 names, of one in a few tiles; others are counted. Of the
# 16-bit formats, each can be judged.
_MOST_OPEN = 64


@dataclass(slots=True)
class Finding:
    """What was found on a stretch of inputs.

    Attributes:
        inputs: how many.
        correct: how many results are certainly the nearest number.
        wrong: how many are NaN, or infinite, where the exact value does not round to that.
        largest: an upper bound of the largest error in ULP among the decided inputs.
        at: the input where it is, and the result there.
        open: inputs in doubt, with their results and a bound of the error, which may be infinite.
        unnamed: how many more were in doubt; their errors are at most `largest`, too.
    """

    inputs: int = 0
    correct: int = 0
    wrong: int = 0
    largest: float = 0.0
    at: tuple[float, float] = (math.nan, math.nan)
    open: list[tuple[float, float, float]] = field(default_factory=list)
    unnamed: int = 0

    def add(self, other: Finding) -> None:
        """Takes another stretch's findings in."""
        self.inputs += other.inputs
        self.correct += other.correct
        self.wrong += other.wrong
        self.open += other.open
        self.unnamed += other.unnamed
        if other.largest > self.largest or math.isnan(self.at[0]):
            self.largest, self.at = other.largest, other.at


def compare(
    stretch: Piece | Wave,
    format_: Format,
    x: npt.NDArray[np.float32],
    results: npt.NDArray[np.float32],
    bounds: npt.NDArray[np.float64],
) -> Finding:
    """Compares results with what a stretch knows of the exact values.

    Args:
        stretch: the piece or wave that holds all inputs.
        format_: the format of the results.
        x: the inputs.
        results: what the kernel made of them.
        bounds: working space for as many numbers.

    Returns:
        The findings. Inputs in doubt are not among the correct ones.
    """
    numbers = (format_.precision, format_.smallest_exponent, format_.largest_exponent)
    loops = compiled_loops()
    side = NO_TIES
    known: tuple[Any, ...]
    if isinstance(stretch, Piece):
        c, side = stretch.coefficients, stretch.side
        known = (x, c, stretch.centre, stretch.scale, stretch.margin)
        bound, sift = (loops.curve if c[2:].any() else loops.line), loops.sift_piece
    else:
        known = stretch.enclose(x.astype(np.float64))
        bound, sift = loops.wave, loops.sift_wave
    finding = Finding(len(x))
    finding.correct = bound(*known, results, *numbers, bounds)
    if finding.correct == len(x):
        worst = int(np.argmax(bounds[: len(x)]))
    else:
        open_ = np.empty(_MOST_OPEN if format_ is FORMATS["float32"] else len(x), np.int64)
        found = sift(*known, results, *numbers, side, bounds, open_)
        named, finding.unnamed, more, finding.wrong, worst = found
        finding.correct += more
        finding.open = [(float(x[i]), float(results[i]), -float(bounds[i])) for i in open_[:named]]
    finding.largest = max(0.0, float(bounds[worst]))
    finding.at = float(x[worst]), float(results[worst])
    return finding
