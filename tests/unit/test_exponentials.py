"""Exponentials in a product as one, and powers of functions that decay or grow exponentially."""

from __future__ import annotations

import math

import numpy as np
import pytest

import limen
from limen.formula.analysis import digits
from limen.formula.derive import derivative
from limen.formula.expression import bind, input_, walk
from limen.formula.parse import parse
from limen.formula.stabilize import canonical, stable

mp = digits.context()


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("exp(x) / (2 + exp(x))", "2 * exp(x) / (2 + exp(x))**2"),
        ("exp(2 * x) / (3 + exp(2 * x))", "6 * exp(2 * x) / (3 + exp(2 * x))**2"),
        ("log(2 + exp(-3 * x))", "-3 * exp(-3 * x) / (2 + exp(-3 * x))"),
    ],
)
def test_a_derivative_whose_terms_cancel_is_one_fraction(formula: str, expected: str) -> None:
    slope = canonical(derivative(canonical(parse(formula)), input_("x")))
    assert slope is canonical(parse(expected))


POWERS = [
    ("sigmoid(x)**p", -800.0, math.exp(-8)),
    ("sech(x)**p", 800.0, math.exp(0.01 * math.log(2) - 8)),
    ("cosh(x)**p", -800.0, math.exp(8 - 0.01 * math.log(2))),
    ("exp(x)**p", 1000.0, math.exp(10)),
    ("exp(-x)**p * sigmoid(2 * x)**p", -1000.0, math.exp(-10)),
]


@pytest.mark.parametrize(("formula", "x", "expected"), POWERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_power_is_moderate_where_its_base_is_not(
    formula: str, x: float, expected: float, dtype: str
) -> None:
    ulp = float(np.finfo(dtype).eps)
    for f in (
        limen.activation(formula, p=0.01),
        limen.activation(formula.replace("**p", "**0.01")),
    ):
        found = f(np.array([x], dtype))
        assert found[0] == pytest.approx(expected, rel=4 * max(ulp, 2e-16))
        slope = f.derivative()(np.array([x], dtype))
        assert abs(slope[0]) == pytest.approx(0.01 * expected, rel=4 * max(ulp, 2e-16))


@pytest.mark.parametrize("p", [0.01, -1.7, 3.0])
@pytest.mark.parametrize("formula", [formula for formula, _, _ in POWERS])
def test_the_power_is_the_same(formula: str, p: float) -> None:
    written = parse(formula, parameters="p")
    forms = [bind(stable(written), {"p": p}), stable(bind(written, {"p": p}))]
    with mp.workprec(300):
        for x in (-30.5, -2.0, -0.125, 0.25, 1.0, 17.0):
            exact, *found = (digits.value(e, x) for e in (bind(written, {"p": p}), *forms))
            assert all(abs(exact - v) <= mp.mpf(2) ** -250 * abs(exact) for v in found)


def test_whole_and_half_powers_stay_as_they_are() -> None:
    """They take no logarithm: products and a root are cheaper, and as exact."""
    for formula in ("sigmoid(x)**2", "sqrt(sigmoid(x))", "sech(x)**1.5"):
        assert not any(node.operation == "exp" for node in walk(stable(parse(formula))))
