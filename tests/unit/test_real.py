"""The functions of floats: IEEE's answers at the edges, a few ULP in between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.formula import real
from limen.formula.analysis import digits
from limen.formula.expression import apply, input_
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse

X = input_("x")
INF, NAN = math.inf, math.nan


def at(text: str, x: float) -> float:
    return real.value(parse(text), {"x": x})


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("exp(x)", 1000.0, INF),
        ("expm1(x)", -INF, -1.0),
        ("sinh(x)", -1000.0, -INF),
        ("cosh(x)", -1000.0, INF),
        ("log(x)", 0.0, -INF),
        ("log(x)", -1.0, NAN),
        ("log1p(x)", -1.0, -INF),
        ("log1p(x)", -2.0, NAN),
        ("sqrt(x)", -1.0, NAN),
        ("1 / x", -0.0, -INF),
        ("1 / x", 0.0, INF),
        ("x / x", 0.0, NAN),
        ("sin(x)", INF, NAN),
        ("sin(x) + cos(x)", -INF, NAN),
        ("x**2", 1e200, INF),
        ("x**3", -1e200, -INF),
        ("x**-1", -0.0, -INF),
        ("x**0.5", -4.0, NAN),
        ("x**0.3", -INF, NAN),
        ("x**-0.7", -INF, NAN),
        ("x**-3", -INF, -0.0),
        ("sigmoid(x)", -INF, 0.0),
        ("softplus(x)", -INF, 0.0),
        ("softplus(x)", INF, INF),
        ("tanh(x)", INF, 1.0),
        ("maximum(x, 0)", NAN, NAN),
        ("minimum(0, x)", NAN, NAN),
        ("clip(x, -1, 1)", NAN, NAN),
        ("where(x < 0, 1, 2)", NAN, 2.0),
        ("where(x != 0, 1, 2)", NAN, 1.0),
        ("where(x >= 0, 1, 2)", -0.0, 1.0),
        ("abs(x)", -0.0, 0.0),
        ("sign(x)", NAN, NAN),
    ],
)
def test_edges(text: str, x: float, expected: float) -> None:
    assert at(text, x) == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    "name", [n for n, row in OPERATIONS.items() if row.parity == "odd"] + ["expm1", "log1p"]
)
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    assert math.copysign(1.0, real.FUNCTIONS[name](-0.0)) == -1.0


# `sin_plus_cos` rounds four times: its sine, a sum, the root of 2 and a product.
ULPS = {"sech": 4, "softplus": 3, "sigmoid": 3, "sin_plus_cos": 3, "tanhshrink": 6, "erfc": 6}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(n for n, row in OPERATIONS.items() if row.arity == 1)),
    st.one_of(st.floats(-40, 40), st.floats(-1, 1), st.floats(-1e-5, 1e-5)),
)
def test_functions_of_one_argument_are_accurate(name: str, x: float) -> None:
    e = apply(name, X)
    exact = digits.value(e, x)
    value = real.value(e, {"x": x})
    if not digits.context().isfinite(exact):
        assert not math.isfinite(value)
        return
    # sin + cos is measured on the scale of its argument: its root is no double.
    spacing = math.ulp(max(abs(float(exact)), abs(x) * 2.0**-50 if "sin" in name else 0.0))
    assert abs(value - exact) <= ULPS.get(name, 2) * spacing
