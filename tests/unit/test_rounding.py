"""The running error analysis: it sees what is lost, and only that."""

from __future__ import annotations

import numpy as np
import pytest

from limen.formula.analysis import digits
from limen.formula.operations import OPERATIONS
from limen.formula.parse import parse
from limen.formula.stabilize import stable
from limen.kernels.rounding import leaves_range, loss, values


def lost(formula: str, *points: float) -> np.ndarray:
    return loss(parse(formula), {"x": np.array(points)})


def test_nothing_is_lost_where_nothing_cancels() -> None:
    points = np.linspace(-30, 30, 101)
    for formula in ("x * tanh(softplus(x))", "exp(-x**2)", "erfc(x)", "where(x < 0, 0, x)"):
        assert np.all(loss(stable(parse(formula)), {"x": points}) < 2.0**12)
    assert lost("x**2 - 2", 1.4142135)[0] < 8  # a square of a float32 is exact


@pytest.mark.parametrize(
    ("formula", "x", "least", "most"),
    [
        ("x - sin(x)", 1e-4, 1e8, 1e10),
        ("1 - tanh(x)", 15.0, 1e12, 1e15),
        ("x - sin(x)", 1e-9, np.inf, np.inf),
        ("exp(x) - 1", 1e-7, 1e6, 1e9),
        ("x - sin(x)", 1.0, 1, 100),
    ],
)
def test_a_cancellation_is_as_dear_as_it_is(
    formula: str, x: float, least: float, most: float
) -> None:
    assert least <= lost(formula, x)[0] <= most


def test_the_bound_holds_for_what_float64_computes() -> None:
    points = np.random.default_rng(0).uniform(-8, 8, 300)
    formula = parse("(exp(x) - 1.5) * sin(x) - x * tanh(x) / (1 + x**2) + erf(x)**3")
    computed = values(formula, {"x": points})
    bound = loss(formula, {"x": points}) * 2.0**-53
    for x, v, most in zip(points.tolist(), computed.tolist(), bound.tolist(), strict=True):
        exact = digits.value(formula, x)
        assert abs(v - exact) <= 2 * most * abs(exact)


def test_no_number_no_loss() -> None:
    assert np.isnan(lost("log(x)", -1.0)[0])


def test_every_operation_has_its_values() -> None:
    points = np.array([0.3, 0.7])
    for name, row in OPERATIONS.items():
        if row.arity == 1:
            found = values(parse(f"{name}(x)") if not row.symbol else parse("-x"), {"x": points})
            assert np.all(np.isfinite(found))


@pytest.mark.parametrize(
    ("formula", "x", "has_left"),
    [
        ("1 / (1 + exp(x))", 800.0, True),
        ("sigmoid(x)", -740.0, True),  # subnormal
        ("exp(-x) * 2", 800.0, True),
        ("x * exp(-x)", 0.0, False),  # 0, and no underflow
        ("x - x", 3.0, False),
        ("x**2", 0.0, False),
        ("1 / (1 + exp(x))", 700.0, False),
    ],
)
def test_a_step_that_leaves_the_range_is_seen(formula: str, x: float, has_left: bool) -> None:
    assert leaves_range(parse(formula), {"x": np.array([x])})[0] == has_left


def test_values_without_subnormal_steps() -> None:
    at = {"x": np.array([-720.0])}
    assert values(parse("exp(x) * exp(300)"), at)[0] > 0
    assert values(parse("exp(x) * exp(300)"), at, flushes=True)[0] == 0
