"""The polynomials, tables and constants of limen.kernels.primitives.extended."""

from __future__ import annotations

from fitting import (
    Function,
    Module,
    Polynomial,
    fit,
    largest_piece_error,
    off_zero,
    piece,
    root,
    split,
    split_short,
)
from mpmath import mp, mpf
from plain_fits import HALF_LN2

#: Where erf and erfc meet.
ERF_JOINT = mpf("0.625")


def erfc_over_t(t: mpf) -> mpf:
    """erfc(x) exp(x^2) / t with t = 1/(x + 1)."""
    x = 1 / t - 1
    return mp.exp(x * x) * mp.erfc(x) / t


def sine_row(j: int) -> tuple[float, ...]:
    """Sine and cosine of pi j/128, each in two parts."""
    angle = mp.pi * j / 128
    return (*split(mp.sin(angle), 2), *split(mp.cos(angle) if abs(j) != 64 else mpf(0), 2))


def log_row(j: int) -> tuple[float, ...]:
    """A float64 close to 128/j, and minus its logarithm in two parts."""
    inverse = float(mpf(128) / j)
    return (inverse, *split(-mp.log(inverse), 2))


def atan_rows() -> tuple[tuple[float, ...], ...]:
    """atan(j/32), then their complements to pi/2, each in two parts."""
    angles = [mp.atan(mpf(j) / 32) for j in range(33)]
    return tuple(split(a, 2) for a in angles) + tuple(split(mp.pi / 2 - a, 2) for a in angles)


def pieces(
    name: str, function: Function, centers: list[mpf], half_width: mpf, degree: int
) -> tuple[tuple[float, ...], ...]:
    """One row of `piece` for each center; prints the largest error."""
    rows = tuple(piece(function, center, half_width, degree) for center in centers)
    error = largest_piece_error(rows, centers, half_width, function)
    print(f"{name:32s} degree {degree:2d}  error 2^{error:.1f}  {len(rows)} rows")
    return rows


EXTENDED_POLYNOMIALS = [
    Polynomial(
        "EXP",
        "(e^r - 1 - r - r^2/2) / r^3 for |r| <= ln(2)/128",
        off_zero(lambda r: (mp.expm1(r) - r - r * r / 2) / r**3),
        -HALF_LN2 / 64,
        HALF_LN2 / 64,
        4,
        share=lambda r: r**2 / 6,
    ),
    Polynomial(
        "LOG",
        "(log(1 + r) - r + r^2/2) / r^3 for |r| <= 0.0056",
        off_zero(lambda r: (mp.log1p(r) - r + r * r / 2) / r**3),
        -mpf("0.0056"),
        mpf("0.0056"),
        5,
        share=lambda r: r**2 / 3,
    ),
    Polynomial(
        "SINE",
        "(sin(d) / d - 1) / z with z = d^2, for |d| <= pi/256",
        root(lambda d: (mp.sin(d) / d - 1) / d**2),
        mpf(0),
        (mp.pi / 256) ** 2,
        2,
        share=lambda z: z / 6,
    ),
    Polynomial(
        "COSINE",
        "(cos(d) - 1) / z with z = d^2, for |d| <= pi/256",
        root(lambda d: (mp.cos(d) - 1) / d**2),
        mpf(0),
        (mp.pi / 256) ** 2,
        2,
        share=lambda z: z / 2,
    ),
    Polynomial(
        "ATAN",
        "(atan(v) / v - 1) / z with z = v^2, for |v| <= 1/63",
        root(lambda v: (mp.atan(v) / v - 1) / v**2),
        mpf(0),
        1 / mpf(63) ** 2,
        4,
        share=lambda z: z / 3,
    ),
]


def extended_module() -> str:
    """The text of fitted_extended.py."""
    module = Module("Constants, polynomials and tables of the extended primitives.")
    module.add("LOG2_E_64", "64 / ln(2)", float(64 / mp.log(2)))
    module.add(
        "LN2_64",
        "ln(2)/64; multiples of the first part up to 2^17 are exact",
        split_short(mp.log(2) / 64, 36, 2),
    )
    module.add(
        "LN2",
        "ln(2); multiples of the first part up to 2^20 are exact",
        split_short(mp.log(2), 33, 2),
    )
    module.add("PI", "pi", split(mp.pi, 2))
    module.add("SQRT_2", "sqrt(2)", split(mp.sqrt(2), 2))
    module.add("ERF_JOINT", "Where the pieces of erf and erfc meet", float(ERF_JOINT))
    for polynomial in EXTENDED_POLYNOMIALS:
        module.add(polynomial.name, polynomial.meaning, fit(polynomial))
    powers = tuple(split(mpf(2) ** (mpf(j) / 64), 2) for j in (*range(33), *range(-31, 0)))
    module.add("POWERS", "2^(j/64) for j = 0 ... 32, then for -31 ... -1", powers)
    logarithms = tuple(log_row(j) for j in range(90, 257))
    module.add("LOGARITHMS", "c, close to 128/j, and -log c, for j = 90 ... 256", logarithms)
    module.add(
        "SINES",
        "sin, cos of pi j/128 for j = -64 ... 64",
        tuple(sine_row(j) for j in range(-64, 65)),
    )
    module.add("ARCTANGENTS", "atan(j/32), then pi/2 - atan(j/32), for j = 0 ... 32", atan_rows())
    return module.text()


def extended_pieces_module() -> str:
    """The text of fitted_pieces.py."""
    module = Module(
        "Piecewise polynomials of the extended primitives; rows as fitting.piece returns."
    )
    width = mpf(1) / 512
    far = [mpf(j) / 256 for j in range(9, 159)]
    near = [mpf(j) / 256 for j in range(51)]
    rows = pieces("ERFC_PIECES", erfc_over_t, far, width, 6) + pieces(
        "ERF_PIECES", lambda u: root(lambda x: mp.erf(x) / x)(2 * u), near, width, 6
    )
    module.add(
        "ERROR_PIECES",
        "erfc(x) exp(x^2) / t with t = 1/(x + 1), about t = 9/256 ... 158/256;"
        "\n#: then erf(x) / x in u = x^2/2, about u = 0 ... 50/256",
        rows,
    )
    cubic = root(lambda x: (x - mp.tanh(x)) / x**3)
    module.add(
        "TANHSHRINK_PIECES",
        "(x - tanh x) / x^3 in z = x^2, about z = 0 ... 128/128",
        pieces("TANHSHRINK_PIECES", cubic, [mpf(j) / 128 for j in range(129)], 2 * width, 6),
    )
    return module.text()
