"""The form of a formula for a tail: the same function, with what cancels or overflows gone."""

from __future__ import annotations

import math

import pytest

from limen.formula import real
from limen.formula.analysis import digits
from limen.formula.derive import derivative
from limen.formula.expression import Expression, input_
from limen.formula.parse import parse
from limen.formula.saturate import saturated
from limen.formula.stabilize import canonical, stable

mp = digits.context()

# Where terms are compared, some of them are unknowns already.
NESTED = [
    "log(log(3 + exp(x)))",
    "log(log(log(3 + exp(x))))",
    "log(1 + softplus(x) * exp(x))",
    "log(softplus(x) + exp(x))",
    "log(3 + tanh(x) + exp(x))",
    "x / (3 + tanh(x) * exp(x))",
    "exp(x) / (1 + exp(x) * softplus(x))",
    "1 / (1 + log(3 + exp(x)))",
    "x * log(1 + sigmoid(x) * exp(x))",
    "1 / (1 + exp(2 * x) * (log(3 + exp(x)) - x))",
    "1 / (1 + exp(-3 * x) * sigmoid(x))",
]

FORMULAS = [
    "1 - tanh(x)**4",
    "erf(x)**2 - 1",
    "tanh(x) - erf(x)",
    "sigmoid(x)**3 - sigmoid(2 * x)",
    "softplus(x + 1) - 2 * softplus(x) + softplus(x - 1)",
    "log(cosh(x))",
    "log(exp(x) + exp(2 * x) + 1)",
    "log(1 + x * exp(x) + x**2)",
    "log((1 + exp(5 * x)) / (1 + exp(5 * (x - 1))))",
    "exp(3 * x) * sigmoid(-2 * x)",
    "exp(x) * sech(x) + sinh(x) / cosh(2 * x)",
    "x * (pi / 2 + atan(x))",
    "atan(x**3) - pi / 2 * sign(x)",
    "exp(x) / (1 + (exp(x) - 2)**2)",
    "abs(x) - x * tanh(x) + expm1(-x) * erfc(x)",
    "sqrt(1 + sin(x)**2) / (1 + exp(x) + exp(2 * x)) + tanh(x)",
    "(1 - exp(-x)) / (1 + 2 * exp(-x)) - exp(x) / (3 + exp(x) / (5 + exp(2 * x)))",
    "1 / x**2 + sigmoid(x) - sigmoid(x)**2 - exp(-x) * sigmoid(x)",
    "log(2 + exp(-3 * x))",
    "log(1 + exp(x) + exp(7 * x))",
    *NESTED,
]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("formula", FORMULAS)
def test_it_is_the_same_function_in_its_tail(formula: str, side: int) -> None:
    check(stable(parse(formula)), side)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("formula", NESTED)
def test_so_are_derivatives_of_what_saturates_inside(formula: str, order: int) -> None:
    form = canonical(parse(formula))
    for _ in range(order):
        form = canonical(derivative(form, input_("x")))
    for side in (1, -1):
        check(stable(form), side)


def check(form: Expression, side: int) -> None:
    """The tail's form has the values of the formula."""
    tail = saturated(form, side) or form
    with mp.workprec(2000):
        for k in (9, 13, 20, 47, 90, 177):
            exact, found = (digits.value(e, side * mp.mpf(k) / 8) for e in (form, tail))
            assert abs(exact - found) <= mp.mpf(2) ** -150 * abs(exact)


@pytest.mark.parametrize(
    ("formula", "x", "expected"),
    [
        ("1 - tanh(x)**4", 100.0, 8 * math.exp(-200)),
        ("1 - tanh(x)**4", -100.0, 8 * math.exp(-200)),
        ("log(cosh(x))", -5000.0, 5000 - math.log(2)),
        ("exp(3 * x) * sigmoid(-2 * x)", 400.0, math.exp(400)),
        ("x * (1 / 2 + atan(x) / pi)", -1e20, -1 / math.pi),
        ("exp(x) / (1 + (exp(x) - 2)**2)", 700.0, math.exp(-700)),
        ("log(1 + x * exp(x) + x**2)", 1e4, 1e4 + math.log(1e4)),
        ("log(2 + exp(-3 * x))", -300.0, 900.0),
        ("log(3 + exp(x**3))", 100.0, 1e6),
        ("log(1 + exp(exp(x)))", 300.0, math.exp(300)),
        ("log(3 + exp(x / 200))", 1e6, 5e3),
        ("(2 * x + 3 - 2 * x**4 / (x**3 + 1)) / (1 + 2 / x)", 1e14, 3.0),
        ("(exp(x) - exp(2 * x) / (2 + exp(x))) / (1 + exp(-x))", 200.0, 2.0),
        ("exp(-3 * x) / (2 + exp(-3 * x))", -300.0, 1.0),
        ("exp(-2 * x) / (1 + exp(-3 * x) * sigmoid(x))", -400.0, 1.0),
    ],
)
def test_nothing_cancels_or_overflows_there(formula: str, x: float, expected: float) -> None:
    tail = saturated(stable(parse(formula)), 1 if x > 0 else -1)
    assert tail is not None
    assert real.value(tail, {"x": x}) == pytest.approx(expected, rel=1e-13, abs=0)


def test_a_formula_with_nothing_to_saturate_has_no_other_form() -> None:
    assert saturated(stable(parse("sin(x) * exp(-x**2)")), 1) is None
