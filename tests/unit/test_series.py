"""Power series of formulas, beside points and at infinity, against mpmath's derivatives."""

from __future__ import annotations

import pytest

from limen.formula.analysis import digits
from limen.formula.analysis.series import NoSeriesError, series_at, series_at_infinity
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse

mp = digits.context()
LENGTH = 12
FUNCTIONS = [
    name
    for name, row in OPERATIONS.items()
    if row.arity == 1 and name not in ("negate", "abs", "sign")
]


def value_of(series, t):
    return sum(c * t**k for k, c in enumerate(series.terms, series.start))


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("point", [0, 0.75])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_its_series(name: str, point: float, side: int) -> None:
    expression = parse(f"{name}(x + 0.5)")
    series = series_at(expression, mp.mpf(point), side, LENGTH)
    taylor = mp.taylor(lambda t: digits.value(expression, t), mp.mpf(point), LENGTH - 1)
    for k, coefficient in enumerate(taylor):
        assert abs(series.term(k) - side**k * coefficient) <= 1e-40


@pytest.mark.parametrize(
    ("formula", "point", "start", "first"),
    [
        ("x - sin(x)", 0, 3, "1/6"),
        ("sin(x) / x", 0, 0, "1"),
        ("cos(x) / x**2 - 1 / x**2", 0, 0, "-1/2"),
        ("exp(x) - e * x", 1, 2, "e/2"),
        ("sqrt(x**4 + x**6)", 0, 2, "1"),
        ("1 / (x - 2)", 2, -1, "1"),
        ("where(x < 0, exp(x) - 1 - x, x - sin(x))", 0, 3, "1/6"),
        ("clip(x, 0.0, 1.0) + abs(x) + sign(x) * x + minimum(x, x**2)", 0, 1, "3"),
    ],
)
def test_terms_that_cancel_are_gone(formula: str, point: int, start: int, first: str) -> None:
    series = series_at(parse(formula), mp.mpf(point), 1, LENGTH)
    assert series.start == start
    assert abs(series.terms[0] - digits.value(parse(first), 0)) <= 1e-40


@pytest.mark.parametrize(
    "formula",
    [
        "atan(x) + pi / 2",
        "sqrt(x**2 + 2) - sqrt(x**2 + 1)",
        "x * erfcx(abs(x))",
        "tanh(x) * (x**2 + 1)**3 / (x**4 + x + 5)",
        "softplus(x) + softplus(-x) + tanhshrink(x) + sech(x) + erf(x) + erfc(x)",
        "(2 + sigmoid(x)) * sin(1 / x)",
        "(abs(x)**3 + 1)**(1 / 3) - abs(x)",
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_series_at_infinity(formula: str, side: int) -> None:
    series = series_at_infinity(parse(formula), side, 40)
    for far in (200, 1000, 10**9):
        exact = digits.value(parse(formula), side * mp.mpf(far))
        assert abs(value_of(series, 1 / mp.mpf(far)) - exact) <= 1e-30 * abs(exact)


@pytest.mark.parametrize("formula", ["log(x)", "exp(1 / x)", "sqrt(x)", "sin(1 / x)"])
def test_no_series_at_zero(formula: str) -> None:
    with pytest.raises(NoSeriesError):
        series_at(parse(formula), mp.mpf(0), 1, LENGTH)


def test_what_is_exponentially_small_is_left_out() -> None:
    assert series_at(parse("exp(-1 / x**2)"), mp.mpf(0), 1, LENGTH).is_zero
