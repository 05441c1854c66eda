"""The rigorous reference: against mpmath, at ties, in tails, at infinity; and the measure."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from limen.certify.landmarks import landmarks
from limen.certify.measure import FORMATS, format_of, is_tight, ulp_error
from limen.certify.reference import Reference
from limen.certify.sample import dtype_of, every_input, sample
from limen.errors import DtypeError
from limen.formula.parse import parse

FLOAT32, FLOAT64 = FORMATS["float32"], FORMATS["float64"]


def enclose(text: str, x: float, order: int = 0, format_=FLOAT64, **parameters: float):
    expression = parse(text, parameters=parameters)
    return Reference(expression, parameters=parameters, order=order).enclose(x, format_=format_)


def as_mpf(ball: arb) -> mpmath.mpf:
    mantissa, exponent = ball.mid().man_exp()
    return mpmath.ldexp(int(mantissa), int(exponent))


# mpmath as a second opinion: another library, another algorithm, numerical differentiation.
SECOND_OPINION = {
    "1 / (1 + exp(-x))": lambda x: 1 / (1 + mpmath.exp(-x)),
    "x * tanh(log(1 + exp(x)))": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "x * (1 + erf(x / sqrt(2))) / 2": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
    "erfc(x) * expm1(x) + sech(x)": lambda x: mpmath.erfc(x) * mpmath.expm1(x) + mpmath.sech(x),
    "sin(x)**3 / (2 + cos(x)) - atan(x)": lambda x: (
        mpmath.sin(x) ** 3 / (2 + mpmath.cos(x)) - mpmath.atan(x)
    ),
    "sinh(x) / cosh(x) + log1p(x**2)": lambda x: (
        mpmath.sinh(x) / mpmath.cosh(x) + mpmath.log(1 + x**2)
    ),
    "softplus(x) - sigmoid(x) * tanhshrink(x)": lambda x: (
        mpmath.log(1 + mpmath.exp(x)) - (x - mpmath.tanh(x)) / (1 + mpmath.exp(-x))
    ),
    "(x**2 + 1)**0.25 + (x**2 + e)**-3 * pi": lambda x: (
        (x**2 + 1) ** mpmath.mpf(0.25) + mpmath.pi / (x**2 + mpmath.e) ** 3
    ),
    "abs(x) * minimum(x, 1) + clip(x, -2, 2) * sign(x)": lambda x: (
        abs(x) * min(x, 1) + max(-2, min(x, 2)) * mpmath.sign(x)
    ),
    "sin_plus_cos(x) * sqrt(1 + x**4)": lambda x: (
        (mpmath.sin(x) + mpmath.cos(x)) * mpmath.sqrt(1 + x**4)
    ),
}


@pytest.mark.parametrize("text", SECOND_OPINION)
@pytest.mark.parametrize("x", [-7.3, -0.4, 1e-3, 0.75, 3.1])
def test_value_and_three_derivatives_agree_with_mpmath(text, x):
    with mpmath.workdps(80):
        for n, ball in enumerate(enclose(text, x, order=3)):
            expected = mpmath.diff(SECOND_OPINION[text], mpmath.mpf(x), n)
            assert is_tight(ball, FLOAT64)
            assert abs(as_mpf(ball) - expected) <= 1e-16 * max(abs(expected), 1e-12)


def test_cancellation_costs_bits_not_digits():
    # 1 - s(x) in the tail needs 200 bits; the answer is exp(-90) to the last place.
    (ball,) = enclose("1 - 1 / (1 + exp(-x))", 90.0)
    assert ulp_error(math.exp(-90.0), ball, FLOAT64) < 1


def test_far_beyond_the_range_of_exp():
    value, slope = enclose("x * tanh(exp(x))", 1e308, order=1)
    assert float(value) == 1e308
    assert float(slope) == 1.0
    assert float(enclose("exp(-x**2)", 1e154)[0]) == 0.0
    assert float(enclose("log(1 / (1 + exp(-x)))", -1.5e300)[0]) == -1.5e300


@pytest.mark.parametrize(
    ("text", "x", "derivatives"),
    [
        ("where(x < 0, 0, x)", 0.0, [0, 1]),
        ("where(x > 0, x, 0)", 0.0, [0, 0]),
        ("abs(x)", 0.0, [0, 1]),
        ("abs(x)", -0.0, [0, 1]),
        ("maximum(x, 3 * x)", 0.0, [0, 1]),
        ("minimum(3 * x, x)", 0.0, [0, 3]),
        ("clip(x, -1, 1)", 1.0, [1, 1]),
        ("clip(x, -1, 1)", -1.0, [-1, 1]),
        ("sign(x)", 0.0, [0, 0]),
        ("minimum(x / 3, x / 3)", 1.5, [0.5, Fraction(1, 3)]),
        ("where(x / 3 < 0.1 + 0.2, 0, 1)", 1.0, [1, 0]),
    ],
)
def test_a_tie_takes_the_branch_the_formula_takes(text, x, derivatives):
    for ball, expected in zip(enclose(text, x, order=1), derivatives, strict=True):
        assert is_tight(ball, FLOAT64)
        over, under = Fraction(expected).as_integer_ratio()
        assert (ball * under).contains(over)


def test_a_tie_that_balls_cannot_see_is_decided_in_fractions():
    # x/3 is no ball of radius 0, yet 3*(x/3) == x exactly.
    assert enclose("where(x / 3 < 1 / 3, 0, 1)", 1.0) == [1]
    assert enclose("where((x + 1) * (x - 1) / 7 == (x**2 - 1) / 7, 5, 6)", 0.3) == [5]


def test_a_branch_not_taken_leaves_nothing_behind():
    assert float(enclose("where(x > 0, x, log(-x))", 2.0, order=1)[1]) == 1
    assert float(enclose("where(x < 0, 1 / x, exp(x))", 0.0, order=2)[2]) == 1


def test_outside_the_domain_nothing_is_defined():
    for text, x in (("log(x)", -1.0), ("sqrt(x)", -1.0), ("1 / x", 0.0), ("1 + log(x)**3", -1.0)):
        assert all(ball.is_nan() for ball in enclose(text, x, order=2))


def test_a_choice_that_no_precision_decides_proves_nothing():
    assert all(
        ball.is_nan() for ball in enclose("where(exp(x)**2 < exp(2 * x), 1, x)", 1.0, order=1)
    )


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("1 / (1 + exp(-x))", 0.0, 1.0),
        ("x / (1 + exp(-x))", 0.0, math.inf),
        ("x**3", -math.inf, math.inf),
        ("x / (1 + abs(x))", -1.0, 1.0),
        ("x + sin(x)**2", -math.inf, math.inf),
        ("sin(x)", math.nan, math.nan),
    ],
)
def test_limits_at_infinity(text, left, right):
    for x, expected in ((-math.inf, left), (math.inf, right)):
        (ball,) = enclose(text, x)
        found = float(ball)
        assert found == pytest.approx(expected, abs=1e-300, nan_ok=True)


def test_derivative_by_a_parameter_and_by_the_second_input():
    beta = Reference(parse("x * sigmoid(beta * x)", parameters=["beta"]), by="beta", order=1,
                     parameters={"beta": 1.0})  # fmt: skip
    s = 1 / (1 + math.exp(-2))
    assert float(beta.enclose(2.0, format_=FLOAT64)[1]) == pytest.approx(4 * s * (1 - s), rel=1e-15)
    swiglu = Reference(parse("gate * sigmoid(gate) * value"), inputs=("gate", "value"), by="value",
                       order=1)  # fmt: skip
    assert float(swiglu.enclose(2.0, 5.0, format_=FLOAT64)[1]) == pytest.approx(2 * s, rel=1e-15)


class TestUlpError:
    def test_is_the_distance_in_spacings(self):
        assert ulp_error(1.0, arb(1), FLOAT32) == 0
        assert ulp_error(1.0 + 2**-23, arb(1), FLOAT32) == pytest.approx(1)
        assert ulp_error(0.75, arb(1) - arb(2) ** -26, FLOAT32) == pytest.approx(2**22, rel=1e-6)

    def test_below_the_normal_numbers_the_spacing_stays(self):
        assert ulp_error(0.0, arb((1, -149)), FLOAT32) == 1
        assert ulp_error(0.0, arb((1, -160)), FLOAT32) == pytest.approx(2**-11)
        assert ulp_error(5e-324, arb((1, -1075)), FLOAT64) == 0.5

    def test_overflow_is_right_where_the_exact_value_rounds_to_infinity(self):
        largest = arb(FLOAT32.largest)
        half = arb((1, 103))
        assert ulp_error(math.inf, largest + half, FLOAT32) == 0
        assert ulp_error(math.inf, largest + half * 0.999, FLOAT32) == math.inf
        assert ulp_error(-math.inf, largest + half, FLOAT32) == math.inf
        assert ulp_error(FLOAT32.largest, largest + half, FLOAT32) == pytest.approx(0.5)

    def test_nan_is_right_only_where_nothing_is_defined(self):
        assert ulp_error(math.nan, arb("nan"), FLOAT32) == 0
        assert ulp_error(math.nan, arb(1), FLOAT32) == math.inf
        assert ulp_error(1.0, arb("nan"), FLOAT32) == math.inf

    def test_the_ball_s_radius_counts(self):
        assert ulp_error(1.0, arb(1, 2**-23), FLOAT32) >= 1

    @given(st.floats(width=32, allow_nan=False, allow_infinity=False))
    def test_rounding_to_float32_costs_half_an_ulp_at_most(self, x):
        exact = arb(x) * (1 + arb((1, -30)))
        assert ulp_error(float(np.float32(x)), exact, FLOAT32) <= 0.5


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_those_of_the_dtypes(name):
    format_, dtype = FORMATS[name], dtype_of(FORMATS[name])
    import ml_dtypes

    info = ml_dtypes.finfo(dtype)
    assert format_.largest == float(info.max)
    assert format_.smallest_normal == float(info.smallest_normal)
    assert math.ldexp(1, format_.smallest_exponent) == float(info.smallest_subnormal)
    assert format_of(dtype) is format_ is format_of(dtype.type)


def test_an_unknown_format_is_named():
    with pytest.raises(DtypeError, match=r"int32.*float64"):
        format_of(np.int32)


@pytest.mark.parametrize("name", FORMATS)
class TestSample:
    def test_holds_what_it_promises(self, name):
        format_ = FORMATS[name]
        numbers = sample(name, [1.0])
        wide = numbers.astype(np.float64)
        assert numbers.dtype == dtype_of(format_)
        assert np.isnan(wide[-1])
        assert not np.isnan(wide[:-1]).any()
        assert (np.diff(wide[1:-2]) >= 0).all()
        for expected in (
            0.0,
            math.inf,
            format_.largest,
            format_.smallest_normal,
            math.ldexp(1.0, format_.smallest_exponent),
            1.0 + math.ldexp(8.0, 1 - format_.precision),
        ):
            assert expected in wide
            assert -expected in wide or expected > 1
        assert np.signbit(wide[wide == 0]).tolist() == [True, False]

    def test_is_reproducible_and_has_seeds(self, name):
        first, again, other = (sample(name, seed=seed) for seed in (0, 0, 1))
        assert first.tobytes() == again.tobytes()
        assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_input_of_a_16_bit_format(name):
    numbers = every_input(name).astype(np.float64)
    assert np.isnan(numbers).sum() == 1
    assert len(np.unique(numbers)) == len(numbers) - 1  # both zeros are one to np.unique
    assert np.isinf(numbers).sum() == 2


def test_landmarks_are_kinks_roots_extrema_and_inflections():
    hardswish = Reference(parse("x * clip(x + 3, 0, 6) / 6"), order=2)
    assert {-3.0, -1.5, 0.0, 3.0} <= set(landmarks(hardswish))
    silu = Reference(parse("x * sigmoid(x)"), order=2)
    assert landmarks(silu) == pytest.approx([-2.39935728, -1.27846454, 0.0, 2.39935728])


def test_without_flint_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['flint'] = None\n"
        "from limen.errors import LimenError\n"
        "try:\n    import limen.certify.reference\n"
        "except LimenError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "limen[certify]"' in done.stdout
