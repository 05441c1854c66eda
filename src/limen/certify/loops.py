"""The compiled loops of the fast tier: bounds of errors in ULP, and what they decide.

Each knows the exact values as numbers with a margin. The first loop bounds every error from above,
with no branch, so that it vectorises; below 1/2 the result is the nearest number, and that is all
but a few. A second loop looks again at those that are not.

A fused multiply-add is allowed: the margins hold with and without.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from limen.certify.pieces import NO_TIES

__all__ = ["Loops", "compiled_loops"]


class Loops(NamedTuple):
    """Loops over inputs (see `compare`): the first three bound, the others look again."""

    line: Callable[..., int]
    curve: Callable[..., int]
    wave: Callable[..., int]
    sift_piece: Callable[..., tuple[int, int, int, int, int]]
    sift_wave: Callable[..., tuple[int, int, int, int, int]]


@cache
def compiled_loops() -> Loops:
    """The loops, compiled when they are first called."""
    import numba
    from numba import float64, int64

    loop = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
    inline = numba.njit(inline="always")

    @inline
    def over_spacing(size, precision, smallest, largest):  # type: ignore[no-untyped-def]
        """One over the spacing of the format's numbers at one of this size."""
        exponent = (np.float64(size).view(np.int64) >> 52) - 1023
        exponent = min(exponent, largest) - precision + 1
        return np.int64((1023 - max(exponent, smallest)) << 52).view(np.float64)

    @inline
    def bound(result, exact, margin, precision, smallest, largest):  # type: ignore[no-untyped-def]
        least = max(abs(exact) - margin, 0.0)
        over = over_spacing(least, precision, smallest, largest)
        return (abs(float64(result) - exact) + margin) * over

    @loop
    def line(x, c, centre, scale, margin, results, precision, smallest, largest, bounds):  # type: ignore[no-untyped-def]
        c0, c1 = c[0], c[1]
        correct = 0
        for i in range(x.size):
            exact = (float64(x[i]) - centre) * scale * c1 + c0
            error = bound(results[i], exact, margin, precision, smallest, largest)
            bounds[i] = error
            correct += error < 0.5
        return correct

    @loop
    def curve(x, c, centre, scale, margin, results, precision, smallest, largest, bounds):  # type: ignore[no-untyped-def]
        c0, c1, c2, c3, c4, c5, c6 = c[0], c[1], c[2], c[3], c[4], c[5], c[6]
        c7, c8, c9, c10, c11, c12 = c[7], c[8], c[9], c[10], c[11], c[12]
        correct = 0
        for i in range(x.size):
            z = (float64(x[i]) - centre) * scale
            exact = ((((c12 * z + c11) * z + c10) * z + c9) * z + c8) * z + c7
            exact = (((((exact * z + c6) * z + c5) * z + c4) * z + c3) * z + c2) * z + c1
            exact = exact * z + c0
            error = bound(results[i], exact, margin, precision, smallest, largest)
            bounds[i] = error
            correct += error < 0.5
        return correct

    @loop
    def wave(exact, margins, results, precision, smallest, largest, bounds):  # type: ignore[no-untyped-def]
        correct = 0
        for i in range(exact.size):
            error = bound(results[i], exact[i], margins[i], precision, smallest, largest)
            bounds[i] = error
            correct += error < 0.5
        return correct

    @inline
    def verdict(result, exact, margin, precision, smallest, largest, side):  # type: ignore[no-untyped-def]
        """1: the nearest number; -1: certainly not; -2: plainly wrong; 0: in doubt."""
        if result != result:
            return -2 if exact == exact else 0
        if abs(result) == np.inf:
            # Halfway between the largest finite number and the one that follows it.
            edge = (2.0 - 0.5 ** float64(precision)) * 2.0 ** float64(largest)
            towards = exact if result > 0 else -exact
            return 1 if towards - margin >= edge else -2 if towards + margin < edge else 0
        off = abs(result - exact)
        over = over_spacing(abs(exact) + margin, precision, smallest, largest)
        if (off - margin) * over > 0.5:
            return -1
        if side != NO_TIES and off * over == 0.5 and abs(exact) > margin:
            least = over_spacing(abs(exact) - margin, precision, smallest, largest)
            if least == over and side == 0:
                return 1 if int64(result * over) & 1 == 0 else -1
            if least == over:
                return 1 if (result > exact) == (side > 0) else -1
        return 0

    @inline
    def settle(i, found, bounds, open_, named, unnamed, more, wrong):  # type: ignore[no-untyped-def]
        """Notes a verdict; an input in doubt is judged later: a sign sets its bound aside."""
        if found == 1:
            more += 1
            if bounds[i] == np.inf:
                bounds[i] = 0.0
        elif found == -2:
            wrong += 1
            bounds[i] = np.inf
        elif found == 0 and named < open_.size:
            open_[named] = i
            bounds[i] = -bounds[i]
            named += 1
        elif found == 0:
            unnamed += 1
        return named, unnamed, more, wrong

    @loop
    def sift_piece(  # type: ignore[no-untyped-def]
        x, c, centre, scale, margin, results, precision, smallest, largest, side, bounds, open_
    ):
        named = unnamed = more = wrong = worst = 0
        for i in range(x.size):
            if not bounds[i] < 0.5:
                z = (float64(x[i]) - centre) * scale
                exact = c[12]
                for k in range(11, -1, -1):
                    exact = exact * z + c[k]
                result = float64(results[i])
                found = verdict(result, exact, margin, precision, smallest, largest, side)
                named, unnamed, more, wrong = settle(
                    i, found, bounds, open_, named, unnamed, more, wrong
                )
            if bounds[i] > bounds[worst]:
                worst = i
        return named, unnamed, more, wrong, worst

    @loop
    def sift_wave(  # type: ignore[no-untyped-def]
        exact, margins, results, precision, smallest, largest, side, bounds, open_
    ):
        named = unnamed = more = wrong = worst = 0
        for i in range(exact.size):
            if not bounds[i] < 0.5:
                result = float64(results[i])
                found = verdict(result, exact[i], margins[i], precision, smallest, largest, side)
                named, unnamed, more, wrong = settle(
                    i, found, bounds, open_, named, unnamed, more, wrong
                )
            if bounds[i] > bounds[worst]:
                worst = i
        return named, unnamed, more, wrong, worst

    return Loops(line, curve, wave, sift_piece, sift_wave)
