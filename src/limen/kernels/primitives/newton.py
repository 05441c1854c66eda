"""Reciprocals and square roots without division, of numbers that are neither tiny nor huge.

Division and the square root are the slow instructions of float64 arithmetic: a vector of them takes
as long as twenty to fifty vectors of products. The iterations here take nine and thirteen
instructions that all CPUs have.
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.lanes import Real, fma, horner

__all__ = ["inverse", "inverse_root", "root"]

#: The bits of a float are, scaled, about its logarithm: those of 1 plus those of a = sqrt(6) - 3/2,
#: less those of d, are a guess of 1/d. Of all a, this one has the smallest error, 1 - a = 0.0505.
_GUESS = 0x7FDE6238502484B8
#: The same for 1/sqrt(d), with half the bits of d: an error of at most 0.0343. Source: Robertson, A
#: Brief History of InvSqrt (2012).
_ROOT_GUESS = 0x5FE6EB50C7B537A9


def inverse(d: Real) -> Real:
    """1 / d, with a relative error below 2^-52, for |d| between 2^-1000 and 2^1000."""
    guess = (_GUESS - d.bits()).as_real()
    # 1/d = guess / (1 - e) = guess (1 + e)(1 + e^2)(1 + e^4) ...
    e = fma(-d, guess, 1.0)
    square = e * e
    guess = fma(guess, e, guess)
    guess = fma(guess, square, guess)
    guess = fma(guess, square * square, guess)
    # Here e^8 is 2^-34; a step of Newton's takes off its square, and the roundings so far.
    return fma(guess, fma(-d, guess, 1.0), guess)


def inverse_root(d: Real) -> Real:
    """1 / sqrt(d), with a relative error below 2^-51, for d between 2^-1000 and 2^1000."""
    guess, _, correction = _guessed_root(d)
    return fma(guess, correction, guess)


def root(d: Real) -> Real:
    """sqrt(d), the same."""
    _, product, correction = _guessed_root(d)
    return fma(product, correction, product)


def _guessed_root(d: Real) -> tuple[Real, Real, Real]:
    """A guess of 1/sqrt(d), its product with d, and what share of themselves both lack."""
    guess = (_ROOT_GUESS - (d.bits() >> 1)).as_real()
    # 1/sqrt(d) = guess / sqrt(1 - e)
    e = fma(-(d * guess), guess, 1.0)
    guess = fma(guess * e, horner(e, fitted.INVERSE_ROOT), guess)
    product = d * guess
    e = fma(-product, guess, 1.0)
    return guess, product, e * fma(e, 0.375, 0.5)
