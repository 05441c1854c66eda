"""The slow tier: one result at a time, with as many bits as it takes to decide.

Balls decide all but ties: there the exact value lies halfway between two numbers, and only an
exact ball, or fractions, can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from limen.certify.balls import arb, fmpq, working
from limen.certify.measure import Format, ulp_error
from limen.certify.reference import Reference
from limen.certify.wide import NOTHING

__all__ = ["Verdict", "judge"]

_FEWEST_BITS, _MOST_BITS = 128, 16384
_ASK_FRACTIONS_AT = 512  # bits that leave in doubt what is no tie only once in a great while


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one result.

    Attributes:
        error: an upper bound of its error in ULP; infinite for a plainly wrong result, and where
            nothing could be shown.
        is_correct: whether it is the nearest number, ties to even; None if undecided.
        is_known: whether the error was shown at all.
    """

    error: float
    is_correct: bool | None
    is_known: bool


def judge(
    reference: Reference, format_: Format, x: float | tuple[float, ...], result: float
) -> Verdict:
    """Judges what a kernel made of one finite input.

    Args:
        reference: the formula; its order says which derivative is meant.
        format_: the format of both numbers.
        x: the input, or one for each input of the function.
        result: the kernel's result.
    """
    point = x if isinstance(x, tuple) else (x,)
    verdict = Verdict(math.inf, None, False)
    precision = _FEWEST_BITS
    while precision <= _MOST_BITS:
        with working(precision, reference.order + 1):
            series = reference.series([arb(v) for v in point], precision, reference.order + 1)
            if series is NOTHING:
                # Off the formula's domain the value is NaN; of its derivatives nothing is promised.
                is_right = math.isnan(result) or reference.order > 0
                return Verdict(0.0 if is_right else math.inf, is_right, True)
            ball = series[reference.order] * math.factorial(reference.order)
            verdict = _against(ball, format_, result, precision)
        if verdict.is_correct is not None:
            return verdict
        if precision == _ASK_FRACTIONS_AT:
            exact = reference.exactly(*point)
            if exact is not None:
                return _against_fraction(exact, format_, result)
        precision *= 2
    return verdict


def _against(ball: arb, format_: Format, result: float, precision: int) -> Verdict:
    if not ball.is_finite():
        return Verdict(math.inf, None, False)
    with working(precision, 1):
        error = ulp_error(result, ball, format_)
        if not math.isfinite(result):
            return _against_infinite(ball, format_, result, error)
        size = abs(ball)
        near, far = (_over_spacing(bound, format_) for bound in (size.lower(), size.upper()))
        off = abs(arb(result) - ball)
        error = float((off * near).abs_upper())
        if off * near < arb(0.5):
            return Verdict(error, True, True)
        if off * far > arb(0.5):
            return Verdict(error, False, True)
        if off.is_exact() and near == far and off * near == arb(0.5):
            return Verdict(0.5, _is_even(result, format_), True)
    return Verdict(error, None, True)


def _against_infinite(ball: arb, format_: Format, result: float, error: float) -> Verdict:
    if math.isnan(result) or error == 0:
        return Verdict(error, error == 0, True)
    edge = arb((2, format_.largest_exponent)) - arb(
        (1, format_.largest_exponent - format_.precision)
    )
    is_below = (ball if result > 0 else -ball) < edge
    return Verdict(math.inf, False if is_below else None, bool(is_below))


def _against_fraction(exact: Fraction, format_: Format, result: float) -> Verdict:
    if not math.isfinite(result):
        with working(_MOST_BITS, 1):
            ball = arb(fmpq(exact.numerator, exact.denominator))
            error = ulp_error(result, ball, format_)
        return Verdict(error, error == 0, True)
    binade = _binade(abs(exact))
    binade = min(format_.smallest_exponent if binade is None else binade, format_.largest_exponent)
    off = abs(Fraction(result) - exact) / Fraction(2) ** format_.spacing_exponent(binade)
    half = Fraction(1, 2)
    is_correct = off < half or (off == half and _is_even(result, format_))
    return Verdict(float(off), is_correct, True)


def _binade(size: Fraction) -> int | None:
    if not size:
        return None
    k = size.numerator.bit_length() - size.denominator.bit_length()
    return k if size >= Fraction(2) ** k else k - 1


def _over_spacing(size: arb, format_: Format) -> arb:
    """One over the spacing of the numbers at an exact size."""
    mantissa, exponent = size.man_exp()
    binade = int(mantissa.bit_length() + exponent) - 1 if mantissa else format_.smallest_exponent
    return arb((1, -format_.spacing_exponent(min(binade, format_.largest_exponent))))


def _is_even(number: float, format_: Format) -> bool:
    """Whether the last bit of a number's significand is 0."""
    if not number:
        return True
    spacing = format_.spacing_exponent(math.frexp(number)[1] - 1)
    return int(math.ldexp(number, -spacing)) % 2 == 0
