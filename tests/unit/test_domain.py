"""Far out NaN is an overflow on the way, and the limit the value, but where the domain is left."""

from __future__ import annotations

import math

import numpy as np
import pytest

import limen
from limen.formula.expression import input_
from limen.formula.parse import parse
from limen.kernels.domain import is_never_below, outside
from limen.kernels.plan import lower

X = input_("x")
FAR = 256.0
NAN = math.nan
DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("formula", "x", "expected"),
    [
        ("sqrt(x - 1000)", [256, 257, 500, 999, 1001, 1e30], [NAN, NAN, NAN, NAN, 1, 1e15]),
        ("tanh(log(x - 1000))", [300, 1e20, -300], [NAN, 1, NAN]),
        ("log(x - 600) / x", [300, 601, -1e9], [NAN, 0, NAN]),
        ("where(x > 300, 1 / log(x - 400), x)", [301, 299, 400 + math.e], [NAN, 299, 1]),
        ("exp(-x) * sqrt(cos(x))", [98 * math.pi, 99 * math.pi, 1e9], [0, NAN, 0]),
        ("log1p(-x / 500)", [499, 501, -500], [math.log(1 / 500), NAN, math.log(2)]),
        ("(500 - x)**1.5", [300, 501, 1e30], [200**1.5, NAN, NAN]),
        ("(500 - x)**0.3", [300, 501, 1e30], [200**0.3, NAN, NAN]),
        ("sqrt(maximum(x, 0)) / (1 + sqrt(maximum(x, 0)))", [-300, 1e30], [0, 1]),
    ],
)
def test_where_there_is_no_value_far_out(
    formula: str, x: list[float], expected: list[float], dtype: type
) -> None:
    found = limen.activation(formula)(np.array(x, dtype))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
def test_derivatives_end_where_their_domain_does(dtype: type) -> None:
    slope = limen.activation("sqrt(x - 1000)").derivative()
    np.testing.assert_allclose(slope(np.array([300, 1100], dtype)), [NAN, 0.05])
    slope = limen.activation("x**0.3").derivative()
    assert np.isnan(slope(np.array([-200, -300, -1e30, -np.inf], dtype))).all()


@pytest.mark.parametrize("c", [700.0, 2000.0])
def test_a_parameter_moves_the_end_of_the_domain(c: float) -> None:
    f = limen.activation("log(x - c)", c=1000.0).with_parameters(c=c)
    np.testing.assert_array_equal(np.isnan(f([300, c - 1, c + 1, np.inf])), [1, 1, 0, 0])


def test_overflows_still_give_the_limit_beside_a_domain() -> None:
    f = limen.activation("exp(x) / sqrt(exp(2 * x) - c)", c=1.0)
    found = f(np.array([-1000.0, 300.0, 800.0, 1e300]))
    np.testing.assert_allclose(found, [NAN, 1, 1, 1])


@pytest.mark.parametrize(
    ("formula", "asks"),
    [
        ("sqrt(1 + x**2) * log(2 + cos(x))", False),
        ("log(x)", False),  # on one side always, on the other never
        ("where(x < 1, x, log(x))", False),
        ("where(x < 0, sqrt(-x), sqrt(x))", False),
        ("where(abs(x) < 100, log(sin(x)), x)", False),
        ("clip(x, 0, 6)**0.3", False),
        ("sqrt(x - 1000)", True),
        ("sqrt(sin(x))", True),
        ("where(x < 0, log(x + 500), x)", True),
    ],
)
def test_only_a_domain_that_ends_far_out_is_asked_for(formula: str, asks: bool) -> None:
    assert (outside(lower(parse(formula)), X, FAR) is not None) == asks


def test_a_choice_tells_what_is_not_negative() -> None:
    zero = parse("0")
    for formula in ("maximum(x, 0)", "where(x >= 0, x, -x)", "where(0 < x, x, exp(x))"):
        is_known = is_never_below(lower(parse(formula)), zero)
        assert is_known == ("-x" not in formula)
    for formula in ("x", "maximum(x, -1)", "where(x < 1, x, 1)", "where(x < 0, x, 0)"):
        assert not is_never_below(lower(parse(formula)), zero)
