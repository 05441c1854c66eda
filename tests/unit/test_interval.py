"""Intervals are dependable: they hold every value, and give up by promising nothing."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.formula import real
from limen.formula.analysis import digits, interval
from limen.formula.analysis.enclosure import Enclosure
from limen.formula.expression import Expression, apply, constant, input_
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse

X = input_("x")
UNARY = tuple(
    name for name, row in OPERATIONS.items() if row.arity == 1 and name not in ("negate",)
)


def _where(a: Expression, b: Expression, c: Expression) -> Expression:
    return apply("where", apply("less", a, b), c, b)


def _quotient(a: Expression, b: Expression) -> Expression:
    return constant(1) if b.is_constant and b.payload == 0 else a / b


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> Expression:
    """Formulas in x of all kinds, poles and broken domains included."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        numbers = st.floats(-4, 4).map(constant)
        return draw(st.one_of(st.just(X), st.just(X), numbers))
    inner = expressions(depth - 1)
    kind = draw(st.sampled_from(("unary", "sum", "product", "quotient", "power", "choice")))
    a = draw(inner)
    if kind == "unary":
        return apply(draw(st.sampled_from(UNARY)), a)
    if kind == "power":
        exponents = st.sampled_from((-2, -1, 2, 3, 4, 0.5, 1.5, -0.5))
        return a if a.is_constant else a ** draw(exponents)
    b = draw(inner)
    if kind == "choice":
        name = draw(st.sampled_from(("where", "minimum", "maximum", "clip")))
        if name == "where":
            return _where(a, b, draw(inner))
        if name == "clip":
            return apply("clip", a, constant(-1), constant(0.5))
        return apply(name, a, b)
    return {"sum": a + b, "product": a * b}.get(kind) or _quotient(a, b)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[float, float]:
    """An interval of the input: wide, thin, a point, or unbounded."""
    low = draw(st.floats(-30, 30))
    width = draw(st.sampled_from((0.0, 1e-9, 0.01, 1.0, 20.0, math.inf)))
    return (low, low + width) if draw(st.booleans()) else (low - width, low)


@settings(max_examples=400, deadline=None)
@given(expressions(), stretches(), st.floats(0, 1))
def test_the_interval_holds_the_value_of_every_point_inside(
    e: Expression, stretch: tuple[float, float], share: float
) -> None:
    low, high = stretch
    bounds = Enclosure(e)(low, high)
    near, far = max(low, -50.0), min(high, 50.0)
    x = min(max(near + share * (far - near), low), high)
    value = digits.value(e, x)
    if digits.context().isfinite(value):
        assert bounds[0] <= value <= bounds[1]


@pytest.mark.parametrize("name", UNARY)
def test_a_function_is_bounded_tightly_at_a_point(name: str) -> None:
    for x in (0.0, 1e-300, 1e-8, 0.3, 1.0, 1.7, 5.0, 40.0):
        low, high = Enclosure(apply(name, X))(x, x)
        value = digits.value(apply(name, X), x)
        if math.isfinite(low) and math.isfinite(high):
            assert low <= value <= high
            spread = high - low
            # The sum in sin(x + pi/4) is rounded on the scale of x.
            scale = max(abs(float(value)), x if name == "sin_plus_cos" else 0.0)
            assert spread <= 6e-15 * scale + 1e-320


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("1 / x", -1.0, 1.0),
        ("1 / x", 0.0, 0.0),
        ("x / x", 0.0, 0.0),
        ("sin(x) / x", 0.0, 0.0),
        ("x * exp(1 / x)", 0.0, 0.0),
        ("x**-3", -1.0, 2.0),
        ("log(x)", -1.0, 2.0),
        ("log1p(x)", -3.0, 0.0),
        ("sqrt(x)", -1e-30, 1.0),
        ("x**0.5", -1.0, 4.0),
    ],
)
def test_poles_and_broken_domains_promise_nothing(text: str, low: float, high: float) -> None:
    assert Enclosure(parse(text))(low, high) == interval.WHOLE


@pytest.mark.parametrize(
    ("text", "stretch", "bounds"),
    [
        ("1 / x", (0.0, 2.0), (0.5, math.inf)),
        ("1 / x", (2.0, math.inf), (0.0, 0.5)),
        ("abs(x)", (-3.0, 2.0), (0.0, 3.0)),
        ("x * x", (-3.0, 2.0), (0.0, 9.0)),
        ("x**3", (-2.0, 1.0), (-8.0, 1.0)),
        ("where(x < 0, 7, x)", (-1.0, 2.0), (-1.0, 7.0)),
        ("where(x < 0, 7, x)", (-1.0, -0.5), (7.0, 7.0)),
        ("where(x == 0, 7, 1)", (0.0, 0.0), (7.0, 7.0)),
        ("clip(x, -1, 2)", (-5.0, 1.5), (-1.0, 1.5)),
        ("sign(x)", (-5.0, 0.0), (-1.0, 0.0)),
        ("sin(x)", (0.0, 100.0), (-1.0, 1.0)),
        ("sin(x)", (1.0, 2.0), (math.sin(1.0), 1.0)),
        ("cos(x)", (3.0, 4.0), (-1.0, math.cos(4.0))),
        ("cosh(x)", (-1.0, 2.0), (1.0, math.cosh(2.0))),
        ("exp(x)", (-math.inf, 0.0), (0.0, 1.0)),
        ("tanh(x)", (-math.inf, math.inf), (-1.0, 1.0)),
    ],
)
def test_bounds_are_tight_where_one_can_say_them(
    text: str, stretch: tuple[float, float], bounds: tuple[float, float]
) -> None:
    low, high = Enclosure(parse(text))(*stretch)
    assert low == pytest.approx(bounds[0], rel=1e-14, abs=1e-300)
    assert high == pytest.approx(bounds[1], rel=1e-14, abs=1e-300)
    assert low <= bounds[0] + 1e-15
    assert high >= bounds[1] - 1e-15


def test_the_tables_know_every_operation() -> None:
    assert set(interval.FUNCTIONS) == set(OPERATIONS)
    assert set(real.FUNCTIONS) == set(OPERATIONS)


def test_a_fraction_that_is_no_double_lies_strictly_inside() -> None:
    low, high = interval.of_fraction(constant(1).payload / 3)
    assert low < high == math.nextafter(low, 1.0)


def test_a_fraction_beyond_the_doubles_is_enclosed() -> None:
    huge = constant(2).payload ** 2000
    assert interval.of_fraction(huge) == (sys.float_info.max, math.inf)
    assert interval.of_fraction(-huge) == (-math.inf, -sys.float_info.max)
