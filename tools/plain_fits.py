"""The polynomials and constants of limen.kernels.primitives.plain."""

from __future__ import annotations

import struct

from fitting import Module, Polynomial, fit, off_zero, root, split, split_short
from mpmath import mp, mpf

HALF_LN2 = mp.log(2) / 2
#: Between the arguments of the table for log(1 + x): fifteen and a half reach from 0 to 1.
STEP = mpf("0.0647")
#: Where erf is 1; below which erfcx is e^(x^2) erfc x; where erfc ends; the shift in the variable
#: 1/(x + shift) of erfc.
ERF_END = mpf("5.93")
ERFCX_JOINT = mpf("0.625")
ERFC_END = mpf("26.7")
ERFC_SHIFT = mpf("3.5")


def over_inverse(x_low: mpf, x_high: mpf, shift: mpf) -> tuple[mpf, mpf]:
    """The affine map of [-1, 1] to the range of 1/(x + shift), as (slope, constant)."""
    ends = 1 / (mpf(x_high) + shift), 1 / (mpf(x_low) + shift)
    return (ends[1] - ends[0]) / 2, (ends[1] + ends[0]) / 2


def scaled_erfc(v: mpf) -> mpf:
    """erfc(x) exp(x^2) (x + shift), where v in [-1, 1] stands for 1/(x + shift)."""
    slope, constant = over_inverse(mpf(0), ERFC_END, ERFC_SHIFT)
    t = slope * v + constant
    x = 1 / t - ERFC_SHIFT
    return mp.exp(x * x) * mp.erfc(x) / t


def erf_exponent(x: mpf) -> mpf:
    """The R of erf x = 1 - e^(-x R(x))."""
    return -mp.log(mp.erfc(x)) / x


def lowered(value: mpf, steps: int) -> float:
    """The float64 whose bits, as an integer, are 2^48 `steps` fewer than those of `value`."""
    (bits,) = struct.unpack("<q", struct.pack("<d", float(value)))
    (result,) = struct.unpack("<d", struct.pack("<q", bits - (steps << 48)))
    return float(result)


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
        "EXP_OF_SIXTEENTH",
        "(e^r - 1 - r) / r^2 for |r| <= ln(2)/32",
        off_zero(lambda r: (mp.expm1(r) - r) / r**2),
        -HALF_LN2 / 16 * mpf("1.001"),
        HALF_LN2 / 16 * mpf("1.001"),
        5,
        share=lambda r: (mp.expm1(r) - r) / mp.expm1(r),
    ),
    Polynomial(
        "LOG",
        "(log((1 + s)/(1 - s)) / s - 2) / z with z = s^2, for |s| <= 0.1716",
        root(lambda s: (mp.log((1 + s) / (1 - s)) / s - 2) / s**2),
        mpf(0),
        mpf("0.02945"),
        6,
        share=lambda z: z / 3,
    ),
    Polynomial(
        "LOG1P_OF_EXP",
        "(log((1 + s)/(1 - s)) / s - 2) / z with z = s^2, for 0 <= s <= 1/3",
        root(lambda s: (mp.log((1 + s) / (1 - s)) / s - 2) / s**2),
        mpf(0),
        mpf(1) / 9,
        9,
        share=lambda z: z / 3,
    ),
    Polynomial(
        "LOG1P_OF_STEP",
        "(log(1 + r) - r) / r^2 for |r| <= STEP/2",
        off_zero(lambda r: (mp.log1p(r) - r) / r**2),
        -STEP / 2 * mpf("1.001"),
        STEP / 2 * mpf("1.001"),
        7,
        share=lambda r: r / 2,
    ),
    Polynomial(
        "INVERSE_ROOT",
        "(1/sqrt(1 - e) - 1) / e for the e = 1 - d guess^2 of newton.py",
        off_zero(lambda e: ((1 - e) ** mpf("-0.5") - 1) / e),
        mpf("-0.0699"),
        mpf("0.0675"),
        2,
        share=lambda e: abs(e) / 2,
        is_best=True,
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
        "SINE_OF_RADIANS",
        "(sin(r) / r - 1) / z with z = r^2, for |r| <= pi/2",
        root(lambda r: (mp.sin(r) / r - 1) / r**2),
        mpf(0),
        (mp.pi / 2) ** 2 * mpf("1.001"),
        8,
        share=root(lambda r: abs(mp.sin(r) - r) / mp.sin(r)),
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
        "-log(erfc x) / x for 0 <= x <= 5.93",
        erf_exponent,
        mpf(2) ** -100,
        ERF_END,
        20,
        share=lambda x: x * erf_exponent(x) * mp.erfc(x) / mp.erf(x),
        is_best=True,
    ),
    Polynomial(
        "ERFC",
        "erfc(x) exp(x^2) (x + ERFC_SHIFT), 0 <= x <= 26.7, in v = a / (x + ERFC_SHIFT) + b",
        scaled_erfc,
        mpf(-1),
        mpf(1),
        21,
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
    """The text of fitted_plain.py."""
    module = Module("Constants and polynomials of the plain primitives.")
    module.add("LOG2_E", "1 / ln(2)", float(1 / mp.log(2)))
    module.add(
        "LN2",
        "ln(2) in two parts; multiples of the first up to 2^20 are exact",
        split_short(mp.log(2), 33, 2),
    )
    module.add("SIXTEENTHS", "16 / ln(2)", float(16 / mp.log(2)))
    module.add(
        "LN2_16",
        "ln(2)/16 in two parts; multiples of the first up to 2^16 are exact",
        split_short(mp.log(2) / 16, 37, 2),
    )
    exact = [mpf(2) ** (mpf(j) / 16) for j in range(16)]
    module.add(
        "POWERS",
        "2^(j/16) for j = 0 ... 15, with j 2^48 taken off the bits as an integer",
        tuple(lowered(power, j) for j, power in enumerate(exact)),
    )
    module.add(
        "LACKS",
        "What the rounding of 2^(j/16) has taken off it, relative to it",
        tuple(float((power - float(power)) / power) for power in exact),
    )
    step = float(STEP)
    module.add("STEP", "The step j of the tables for log(1 + x)", step)
    module.add("PER_STEP", "1 / STEP", float(1 / mpf(step)))
    ends = [1 + j * mpf(step) for j in range(16)]
    module.add("RECIPROCALS", "1 / (1 + j STEP)", tuple(float(1 / end) for end in ends))
    module.add("LOGARITHMS", "log(1 + j STEP)", tuple(float(mp.log(end)) for end in ends))
    module.add("PI", "pi in two parts", split(mp.pi, 2))
    module.add("INVERSE_PI", "1 / pi", float(1 / mp.pi))
    first, _ = split_short(mp.pi, 30, 2)
    module.add(
        "SHORT_PI",
        "pi in three parts; quarters of integers up to 2^20 times the first two are exact",
        (first, *split_short(mp.pi - first, 30, 2)),
    )
    module.add("HALF_PI", "pi/2 in two parts", split(mp.pi / 2, 2))
    module.add("QUARTER_PI", "pi/4 in two parts", split(mp.pi / 4, 2))
    module.add("SQRT_2", "sqrt(2)", float(mp.sqrt(2)))
    module.add(
        "TAN_EIGHTH_PI", "tan(pi/8), tan(3 pi/8)", (float(mp.sqrt(2) - 1), float(mp.sqrt(2) + 1))
    )
    module.add("ERF_END", "Where erf is 1", float(ERF_END))
    module.add("ERFCX_JOINT", "Below it erfcx x is e^(x^2) erfc x", float(ERFCX_JOINT))
    module.add("ERFC_SHIFT", "The shift in the variable of erfc's polynomial", float(ERFC_SHIFT))
    slope, constant = over_inverse(mpf(0), ERFC_END, ERFC_SHIFT)
    module.add(
        "ERFC_MAP",
        "a and b of the variable v in ERFC",
        (float(1 / slope), float(-constant / slope)),
    )
    for polynomial in PLAIN_POLYNOMIALS:
        module.add(polynomial.name, polynomial.meaning, fit(polynomial))
    return module.text()
