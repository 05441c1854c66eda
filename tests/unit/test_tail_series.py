"""The form of a formula for a tail as a short sum: what cancels is gone, what is left is exact."""

from __future__ import annotations

import pytest

from limen.formula import real
from limen.formula.analysis import digits
from limen.formula.derive import derivative
from limen.formula.expression import input_
from limen.formula.parse import parse
from limen.formula.show import to_text
from limen.formula.stabilize import canonical, stable
from limen.formula.tail_series import expanded

mp = digits.context()

FORMULAS = [
    "log(1 + exp(x)) / exp(x)",
    "softplus(x) * exp(-x) - sigmoid(-x)",
    "log(softplus(x)) + exp(x) - 1",
    "x * tanh(log(1 + exp(x)))",
    "tanh(x) - erf(x)",
    "sqrt(1 + exp(x)) - exp(x / 2)",
    "sech(x) - 2 * exp(-abs(x))",
    "cosh(x) / sinh(x) - tanh(x)",
    "x / (1 + expm1(-x)) - x * exp(x)",
]


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("formula", FORMULAS)
def test_it_has_the_values_of_the_formula(formula: str, side: int, order: int) -> None:
    form = canonical(parse(formula))
    for _ in range(order):
        form = canonical(derivative(form, input_("x")))
    found = expanded(stable(form), side)
    if found is None:
        pytest.skip("no short sum")  # of exp(exp(x)), or of nothing at all
    short, begin = found
    with mp.workprec(6000):
        for size in (begin, 1.37 * begin, 3 * begin, 10 * begin):
            exact, at = (digits.value(e, side * mp.mpf(size)) for e in (form, short))
            assert abs(exact - at) <= mp.mpf(2) ** -60 * abs(exact), (to_text(short), size)


@pytest.mark.parametrize(
    ("formula", "side", "expected"),
    [
        ("softplus(x) * exp(-x) - sigmoid(-x)", -1, "exp(x) / 2"),
        ("tanh(x) - 1", 1, "-2 * exp(-2 * x)"),
        ("sqrt(1 + exp(x)) - exp(x / 2)", 1, "exp(-x / 2) / 2"),
        ("log(softplus(x)) - x", -1, "-exp(x) / 2"),
    ],
)
def test_its_largest_term_is_what_is_left(formula: str, side: int, expected: str) -> None:
    found = expanded(stable(parse(formula)), side)
    assert found is not None
    x = {"x": side * 200.0}
    assert real.value(found[0], x) == pytest.approx(
        real.value(parse(expected), x), rel=1e-14, abs=0
    )


def test_it_begins_where_it_is_short() -> None:
    near, far = (
        expanded(stable(parse(f"log(1 + exp({k} * x)) - 1 / x")), -1) for k in ("4", "1 / 4")
    )
    assert near is not None and far is not None
    assert near[1] < far[1]


def test_what_has_no_short_sum_is_none() -> None:
    assert expanded(stable(parse("log(cos(x) + exp(sin(x)) + 3 * sinh(sin(x)))")), 1) is None
