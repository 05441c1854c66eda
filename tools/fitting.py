"""Machinery of tools/fit_primitives.py: fit polynomials, split constants, write modules of numbers.

A polynomial interpolates its function at Chebyshev nodes, in high precision, and its coefficients
are then rounded to float64; that is within a factor of about two of the best polynomial of that
degree, unless its share in the primitive differs much over the interval: then an exchange finds the
best one. The printed error is the largest one over a grid, relative to the primitive that the
polynomial is part of, with the rounded coefficients evaluated exactly: what is left is rounding in
evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mpmath import mp, mpf

mp.prec = 1400  # 1/pi for the largest exponent takes 1024 + 212 bits; the rest takes far fewer

GRID = 120
Function = Callable[[mpf], mpf]


class Polynomial(NamedTuple):
    """A polynomial to fit: `function` on [low, high].

    `share` is how much of the primitive's value the polynomial contributes at a point, relative
    to the whole: it turns the polynomial's relative error into the primitive's. With `is_best`
    the largest error of the primitive is the smallest that a polynomial of that degree can have.
    """

    name: str
    meaning: str
    function: Function
    low: mpf
    high: mpf
    degree: int
    share: Function = lambda v: mpf(1)
    is_best: bool = False


def off_zero(function: Function) -> Function:
    """`function` moved imperceptibly away from 0, where it would divide 0 by 0."""
    return lambda v: function(v + mpf(2) ** -250)


def root(function: Function) -> Function:
    """`function` of the square root of its argument, for polynomials in x^2."""
    return off_zero(lambda z: mp.re(function(mp.sqrt(z))))


def interpolate(function: Function, low: mpf, high: mpf, degree: int) -> list[mpf]:
    """Coefficients, constant term first, of the interpolant at Chebyshev nodes (Newton's form)."""
    count = degree + 1
    nodes = [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count))
        for i in range(count)
    ]
    differences = [function(node) for node in nodes]
    for order in range(1, count):
        for i in range(degree, order - 1, -1):
            step = nodes[i] - nodes[i - order]
            differences[i] = (differences[i] - differences[i - 1]) / step
    coefficients = [differences[degree]]
    for i in range(degree - 1, -1, -1):
        shifted = [mpf(0), *coefficients]
        for power, coefficient in enumerate(coefficients):
            shifted[power] -= nodes[i] * coefficient
        shifted[0] += differences[i]
        coefficients = shifted
    return coefficients


def exchange(polynomial: Polynomial, rounds: int = 20) -> list[mpf]:
    """Coefficients, constant term first, of the best polynomial: its weighted error alternates.

    Source: Remez, Sur la détermination des polynômes d'approximation de degré donnée (1934).
    """
    count = polynomial.degree + 2
    middle = (polynomial.low + polynomial.high) / 2
    half = (polynomial.high - polynomial.low) / 2
    size = 5 * GRID
    turns = [-mp.cos(mp.pi * i / (size - 1)) for i in range(size)]
    points = [middle + half * turn for turn in turns]
    wanted = [polynomial.function(point) for point in points]
    weights = [polynomial.share(p) / w for p, w in zip(points, wanted, strict=True)]
    chosen = [round(i * (size - 1) / (count - 1)) for i in range(count)]
    for _ in range(rounds):
        system = [[points[i] ** k for k in range(count - 1)] for i in chosen]
        for row, i in enumerate(chosen):
            system[row].append((-1) ** row / weights[i])
        *fitted, level = mp.lu_solve(mp.matrix(system), mp.matrix([wanted[i] for i in chosen]))
        errors = [
            (w - mp.polyval(fitted[::-1], p)) * weight
            for p, w, weight in zip(points, wanted, weights, strict=True)
        ]
        if max(map(abs, errors)) < abs(level) * mpf("1.01"):
            break
        chosen = _alternating(errors, count)
    return fitted


def _alternating(errors: Sequence[mpf], count: int) -> list[int]:
    """Where the error is largest between its changes of sign; so many places, the largest kept."""
    found: list[int] = []
    for i, error in enumerate(errors):
        if not found or (error > 0) != (errors[found[-1]] > 0):
            found.append(i)
        elif abs(error) > abs(errors[found[-1]]):
            found[-1] = i
    while len(found) > count:
        found.pop(0 if abs(errors[found[0]]) < abs(errors[found[-1]]) else -1)
    return found


def largest_error(polynomial: Polynomial, coefficients: Sequence[float]) -> float:
    """log2 of the largest error relative to the primitive, on a grid that avoids the ends."""
    step = (polynomial.high - polynomial.low) / GRID
    points = [polynomial.low + step * (i + mpf("0.37")) for i in range(GRID)]
    exact = [mpf(coefficient) for coefficient in reversed(coefficients)]
    return max(
        float(
            mp.log(
                abs((mp.polyval(exact, v) / polynomial.function(v) - 1) * polynomial.share(v))
                + mpf(2) ** -200,
                2,
            )
        )
        for v in points
    )


def fit(polynomial: Polynomial) -> tuple[float, ...]:
    """The rounded coefficients; prints the error they leave."""
    if polynomial.is_best:
        fitted = exchange(polynomial)
    else:
        low, high = mpf(polynomial.low), mpf(polynomial.high)
        fitted = interpolate(polynomial.function, low, high, polynomial.degree)
    coefficients = tuple(float(coefficient) for coefficient in fitted)
    error = largest_error(polynomial, coefficients)
    print(f"{polynomial.name:32s} degree {polynomial.degree:2d}  error 2^{error:.1f}")
    return coefficients


def split(value: mpf, parts: int) -> tuple[float, ...]:
    """`value` as an unevaluated sum of `parts` float64, each the rounding of what is left."""
    pieces = []
    for _ in range(parts):
        piece = float(value)
        pieces.append(piece)
        value -= piece
    return tuple(pieces)


def split_short(value: mpf, bits: int, parts: int) -> tuple[float, ...]:
    """As `split`, with a first part of only `bits` bits, so that small multiples are exact."""
    exponent = int(mp.floor(mp.log(abs(value), 2))) + 1 - bits
    first = float(mp.nint(mp.ldexp(value, -exponent)) * mpf(2) ** exponent)
    return (first, *split(value - first, parts - 1))


def piece(function: Function, center: mpf, half_width: mpf, degree: int) -> tuple[float, ...]:
    """Coefficients of the interpolant about `center`; the first two in two parts each."""
    fitted = interpolate(lambda d: function(center + d), -half_width, half_width, degree)
    return (*split(fitted[0], 2), *split(fitted[1], 2), *(float(c) for c in fitted[2:]))


def largest_piece_error(
    rows: Sequence[Sequence[float]], centers: Sequence[mpf], half_width: mpf, function: Function
) -> float:
    """log2 of the largest relative error of `rows`, as `piece` returns them."""
    worst = mpf(0)
    for row, center in zip(rows, centers, strict=True):
        coefficients = [mpf(row[0]) + row[1], mpf(row[2]) + row[3], *(mpf(c) for c in row[4:])]
        for d in (-half_width * mpf("0.99"), half_width * mpf("0.31"), half_width * mpf("0.99")):
            value = mp.polyval(coefficients[::-1], d)
            worst = max(worst, abs(value / function(center + d) - 1))
    return float(mp.log(worst, 2))


class Module:
    """The text of one module of constants."""

    def __init__(self, title: str) -> None:
        self.head = [
            f'"""{title}',
            "",
            "Written by tools/fit_primitives.py, which prints every error. Do not edit.",
            '"""',
            "",
        ]
        self.lines: list[str] = []

    def add(self, name: str, meaning: str, value: object) -> None:
        """One constant: a number, a tuple of numbers, or a tuple of rows."""
        self.lines.append(f"#: {meaning}")
        if not isinstance(value, tuple):
            self.lines.append(f"{name} = {value!r}")
            return
        self.lines.append(f"{name} = (")
        self.lines += [f"    {entry!r}," for entry in value]
        self.lines.append(")")

    def text(self) -> str:
        """The module."""
        pragmas = ["# fmt: off", ""]
        if any(len(line) > 100 for line in self.lines):
            pragmas.insert(0, "# ruff: noqa: E501")
        return "\n".join([*self.head, *pragmas, *self.lines, ""])
