"""Exact constants as text: literals where they suffice, short arithmetic where they do not.

A literal stands for its binary64 value, and constants are exact; so 3 * 0.1 is not 0.3, nor any
other literal. Parsing what is written here gives the same constant again.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

__all__ = ["literal", "numeral"]

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = (
    20,
    30,
    40,
    50,
    100,
)  # precedences, as in the table of operations
_MOST_FACTOR = 120  # 5!: what repeated differentiation multiplies by
_BITS = 53


def literal(value: Fraction) -> str | None:
    """The literal of a number that is not negative; None where no literal is exactly that."""
    if value.denominator == 1 and value.numerator < 10**16:
        return str(value.numerator) if value.numerator <= 2**53 else None
    try:
        nearest = float(value)
    except OverflowError:
        return None
    return repr(nearest) if Fraction(nearest) == value else None


@lru_cache(maxsize=4096)
def numeral(value: Fraction) -> tuple[int, str]:
    """An exact constant as text that parses back to it, with the precedence of that text.

    Example:
        >>> numeral(3 * Fraction(0.044715))
        (30, '3 * 0.044715')
    """
    if value < 0:
        precedence, text = numeral(-value)
        return (
            (_SIGN, f"-({text})") if precedence < _PRODUCT else (min(precedence, _SIGN), "-" + text)
        )
    plain = literal(value)
    if plain is not None:
        return _ATOM, plain
    odd = value.denominator // (value.denominator & -value.denominator)
    dyadic = value * odd
    if odd == 1:
        return _product(dyadic) or (_SUM, _sum(dyadic))
    precedence, text = numeral(dyadic)
    over, divisor = numeral(Fraction(odd))
    left = text if precedence >= _PRODUCT else f"({text})"
    return _PRODUCT, f"{left} / {divisor if over == _ATOM else f'({divisor})'}"


def _product(value: Fraction) -> tuple[int, str] | None:
    """`factor * literal**exponent`, as differentiation makes them; None when it is no such."""
    for factor in range(1, _MOST_FACTOR + 1):
        if value.numerator % (factor // (factor & -factor)):
            continue
        for exponent in (1, 2, 3, 4):
            root = _root(value / factor, exponent)
            if root is not None:
                power = f"{root}**{exponent}" if exponent > 1 else root
                if factor > 1:
                    return _PRODUCT, f"{factor} * {power}"
                return _POWER, power
    return None


def _root(value: Fraction, exponent: int) -> str | None:
    """The literal whose power is this value; beyond the first power, a short one or none."""
    if exponent == 1:
        return literal(value)
    try:
        text = f"{float(value) ** (1 / exponent):.12g}"
    except OverflowError:
        return None
    return text if Fraction(float(text)) ** exponent == value else None


def _sum(value: Fraction) -> str:
    """A sum of literals that makes a dyadic number, each the nearest to what is left."""
    terms = []
    left, scale = value.numerator, 1 - value.denominator.bit_length()
    while left:
        drop = max(abs(left).bit_length() - _BITS, 0)
        head = (left + (1 << drop >> 1)) >> drop
        terms.append(_term(head, drop + scale))
        left -= head << drop
    return " + ".join(terms).replace("+ -", "- ")


def _term(head: int, exponent: int) -> str:
    """`head * 2**exponent`, as a literal where it is one."""
    text = literal(abs(head) * Fraction(2) ** exponent) or f"{abs(head)} * 2**{exponent}"
    return text if head > 0 else "-" + text
