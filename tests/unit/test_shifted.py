"""Sums of exponentials that do not overflow, whatever the numbers in them are."""

from __future__ import annotations

import math

import pytest

import limen
from limen.formula import real
from limen.formula.analysis import digits
from limen.formula.expression import bind
from limen.formula.shifted import shifted
from limen.formula.stabilize import stable

SUMS = [
    "log(a + exp(b * x))",
    "log(cosh(b * x)) / a",
    "exp(b * x) / (a + exp(b * x))",
    "exp(b * x) / sqrt(a + exp(2 * b * x))",
    "log(1 + a * exp(b * x))",
    "(a + exp(b * x))**3 / (1 + exp(b * x))**3",
    "log(exp(b * x) + exp(a * x) + 1)",
    "x * cosh(b * x) / (a + cosh(b * x))",
]
FAR = (-800.0, -3.0, -0.5, 0.5, 3.0, 800.0)
_BITS = 6000  # of which a difference of exp(3 * 1.5 * 800) leaves enough


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("b", [1.5, -0.75])
@pytest.mark.parametrize("text", SUMS)
def test_no_step_overflows_for_either_sign_of_a_parameter(text: str, b: float, order: int) -> None:
    numbers = {"a": 2.5, "b": b}
    f = limen.activation(text, **numbers)
    f = f.derivative("b") if order else f
    form = shifted(stable(f.expression))
    for x in FAR:
        with digits.context().workprec(_BITS):
            exact = float(digits.value(bind(f.expression, numbers), x))
        # Slopes that vanish are differences here, as they are in the formula.
        slack = 1e-12 if order else 1e-300
        assert real.value(form, {"x": x, **numbers}) == pytest.approx(exact, 1e-12, slack), x


@pytest.mark.parametrize("name", limen.names())
def test_the_catalogue_has_no_such_sum(name: str) -> None:
    f = limen.get(name)
    for g in (f, *map(f.derivative, (*f.inputs, *f.parameters))):
        form = stable(g.expression)
        assert shifted(form) is form


def test_what_is_no_sum_stays_as_it_is() -> None:
    for text in ("exp(x)", "exp(-x**2) + x", "log(1 + x**2)", "cosh(x) - 1"):
        form = stable(limen.activation(text).expression)
        assert shifted(form) is form


def test_small_numbers_keep_their_digits() -> None:
    form = shifted(stable(limen.activation("log(1 + a * exp(b * x))", a=1.0, b=1.0).expression))
    found = real.value(form, {"x": -60.0, "a": 2.0, "b": 1.0})
    assert found == pytest.approx(2 * math.exp(-60), rel=1e-15)
