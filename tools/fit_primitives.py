"""Fit the polynomials and constants of limen.kernels.primitives and write them as Python modules.

python tools/fit_primitives.py            rewrite src/limen/kernels/primitives/fitted_*.py
python tools/fit_primitives.py --check    exit with 1 where those files are not what it would write
"""

from __future__ import annotations

import sys
from pathlib import Path

from fitting import Module, Polynomial, fit, largest_piece_error, piece, split, split_short
from mpmath import mp, mpf

FOLDER = Path(__file__).resolve().parents[1] / "src" / "limen" / "kernels" / "primitives"
HALF_LN2 = mp.log(2) / 2
ERF_JOINT = mpf("0.625")
ERFC_SHIFT = 2.5
ERFC_END = mpf("27.3")


def off_zero(function):
    """`function` moved imperceptibly away from 0, where it would divide 0 by 0."""
    return lambda v: function(v + mpf(2) ** -250)


def root(function):
    """`function` of the square root of its argument, for polynomials in x^2."""
    return off_zero(lambda z: mp.re(function(mp.sqrt(z))))


def over_inverse(x_low, x_high, shift):
    """The affine map of [-1, 1] to the range of 1/(x + shift), as (slope, constant)."""
    ends = 1 / (mpf(x_high) + shift), 1 / (mpf(x_low) + shift)
    return (ends[1] - ends[0]) / 2, (ends[1] + ends[0]) / 2


def scaled_erfc(v):
    """erfc(x) exp(x^2) (x + shift), where v in [-1, 1] stands for 1/(x + shift)."""
    slope, constant = over_inverse(ERF_JOINT, ERFC_END, ERFC_SHIFT)
    t = slope * v + constant
    x = 1 / t - ERFC_SHIFT
    return mp.exp(x * x) * mp.erfc(x) / t


PLAIN_POLYNOMIALS = [
    Polynomial(
        "EXP",
        "(e^r - 1 - r) / r^2 for |r| <= ln(2)/2",
        off_zero(lambda r: (mp.expm1(r) - r) / r**2),
        -HALF_LN2 * mpf("1.001"),
        HALF_LN2 * mpf("1.001"),
        9,
        share=lambda r: (mp.expm1(r) - r) / mp.exp(r),
    ),
    Polynomial(
        "LOG",
        "(log((1 + s)/(1 - s)) / s - 2) / z with z = s^2, for 1/sqrt(2) <= (1 + s)/(1 - s) <= sqrt(2)",
        root(lambda s: (mp.log((1 + s) / (1 - s)) / s - 2) / s**2),
        mpf(0),
        mpf("0.02945"),
        6,
        share=lambda z: z / 3,
    ),
    Polynomial(
        "LOG1P_OF_EXP",
        "(log(1 + e) / e - 1) / e for 0 <= e <= 1",
        lambda e: (mp.log1p(e) / e - 1) / e,
        mpf(0),
        mpf(1),
        20,
        share=lambda e: abs(mp.log1p(e) - e) / mp.log1p(e),
    ),
    Polynomial(
        "SINE",
        "(sin(pi f) / f - pi) / z with z = f^2, for |f| <= 1/2",
        root(lambda f: (mp.sin(mp.pi * f) / f - mp.pi) / f**2),
        mpf(0),
        mpf("0.25"),
        8,
        share=root(lambda f: abs(mp.sin(mp.pi * f) - mp.pi * f) / mp.sin(mp.pi * f)),
    ),
    Polynomial(
        "ATAN",
        "(atan(q) / q - 1) / z with z = q^2, for |q| <= tan(pi/8)",
        root(lambda q: (mp.atan(q) / q - 1) / q**2),
        mpf(0),
        mp.tan(mp.pi / 8) ** 2 * mpf("1.001"),
        10,
        share=lambda z: z / 3,
    ),
    Polynomial(
        "ERF",
        "erf(x) / x in z = x^2, for |x| <= 0.625",
        root(lambda x: mp.erf(x) / x),
        mpf(0),
        ERF_JOINT**2,
        10,
    ),
    Polynomial(
        "ERFC",
        "erfc(x) exp(x^2) (x + ERFC_SHIFT), 0.625 <= x <= 27.3, in v = a / (x + ERFC_SHIFT) + b",
        scaled_erfc,
        mpf(-1),
        mpf(1),
        20,
    ),
    Polynomial(
        "TANHSHRINK",
        "(x - tanh x) / x^3 in z = x^2, for |x| <= 1",
        root(lambda x: (x - mp.tanh(x)) / x**3),
        mpf(0),
        mpf(1),
        15,
    ),
]


def plain_module() -> str:
    module = Module("Constants and polynomials of the plain primitives.")
    module.add("LOG2_E", "1 / ln(2)", float(1 / mp.log(2)))
    module.add(
        "LN2", "ln(2) in two parts; multiples of the first up to 2^20 are exact", split_short(mp.log(2), 33, 2)
    )
    module.add("PI", "pi in two parts", split(mp.pi, 2))
    module.add("HALF_PI", "pi/2 in two parts", split(mp.pi / 2, 2))
    module.add("QUARTER_PI", "pi/4 in two parts", split(mp.pi / 4, 2))
    module.add("SQRT_2", "sqrt(2)", float(mp.sqrt(2)))
    module.add("TAN_EIGHTH_PI", "tan(pi/8), tan(3 pi/8)", (float(mp.sqrt(2) - 1), float(mp.sqrt(2) + 1)))
    module.add("ERF_JOINT", "Where the polynomials of erf and erfc meet", float(ERF_JOINT))
    module.add("ERFC_SHIFT", "The shift in the variable of erfc's polynomial", float(ERFC_SHIFT))
    slope, constant = over_inverse(ERF_JOINT, ERFC_END, ERFC_SHIFT)
    module.add("ERFC_MAP", "a and b of the variable v in ERFC", (float(1 / slope), float(-constant / slope)))
    for polynomial in PLAIN_POLYNOMIALS:
        module.add(polynomial.name, polynomial.meaning, fit(polynomial))
    return module.text()


def erfc_over_t(t):
    """erfc(x) exp(x^2) / t with t = 1/(x + 1)."""
    x = 1 / t - 1
    return mp.exp(x * x) * mp.erfc(x) / t


def sine_row(j):
    angle = mp.pi * j / 128
    return (*split(mp.sin(angle), 2), *split(mp.cos(angle) if abs(j) != 64 else mpf(0), 2))


def log_row(j):
    inverse = float(mpf(128) / j)
    return (inverse, *split(-mp.log(inverse), 2))


def atan_rows():
    angles = [mp.atan(mpf(j) / 32) for j in range(33)]
    return tuple(split(a, 2) for a in angles) + tuple(split(mp.pi / 2 - a, 2) for a in angles)


def pieces(name, function, centers, half_width, degree):
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
    module = Module("Constants, polynomials and tables of the extended primitives.")
    module.add("LOG2_E_64", "64 / ln(2)", float(64 / mp.log(2)))
    module.add("LN2_64", "ln(2)/64; multiples of the first part up to 2^17 are exact", split_short(mp.log(2) / 64, 36, 2))
    module.add("LN2", "ln(2); multiples of the first part up to 2^20 are exact", split_short(mp.log(2), 33, 2))
    module.add("PI", "pi", split(mp.pi, 2))
    module.add("SQRT_2", "sqrt(2)", split(mp.sqrt(2), 2))
    module.add("ERF_JOINT", "Where the pieces of erf and erfc meet", float(ERF_JOINT))
    for polynomial in EXTENDED_POLYNOMIALS:
        module.add(polynomial.name, polynomial.meaning, fit(polynomial))
    powers = tuple(split(mpf(2) ** (mpf(j) / 64), 2) for j in (*range(33), *range(-31, 0)))
    module.add("POWERS", "2^(j/64) for j = 0 ... 32, then for -31 ... -1", powers)
    logarithms = tuple(log_row(j) for j in range(90, 183))
    module.add("LOGARITHMS", "c, close to 128/j, and -log c, for j = 90 ... 182", logarithms)
    module.add("SINES", "sin, cos of pi j/128 for j = -64 ... 64", tuple(sine_row(j) for j in range(-64, 65)))
    module.add("ARCTANGENTS", "atan(j/32), then pi/2 - atan(j/32), for j = 0 ... 32", atan_rows())
    return module.text()


def extended_pieces_module() -> str:
    module = Module("Piecewise polynomials of the extended primitives; rows as fitting.piece returns.")
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


MODULES = {
    "fitted_extended.py": extended_module,
    "fitted_pieces.py": extended_pieces_module,
    "fitted_plain.py": plain_module,
}


def main() -> int:
    outdated = []
    for name, write in MODULES.items():
        path, text = FOLDER / name, write()
        if not path.exists() or path.read_text() != text:
            outdated.append(name)
            if "--check" not in sys.argv:
                path.write_text(text)
    print("outdated:" if "--check" in sys.argv else "rewritten:", ", ".join(outdated) or "none")
    return 1 if outdated and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
