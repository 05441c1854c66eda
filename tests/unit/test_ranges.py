"""Ranges hold what kernels compute; guards that they show to be idle change nothing."""

from __future__ import annotations

import math
from math import inf

import numpy as np
import pytest

import limen
from limen.formula import real
from limen.formula.expression import ZERO, apply, constant, evaluate, input_, walk
from limen.formula.parse import parse
from limen.kernels.guards import passes_nan, relaxed, with_limits
from limen.kernels.infinity import Limits
from limen.kernels.plan import forward_plan, lower
from limen.kernels.printer import to_source
from limen.kernels.ranges import Range, ranges

X = input_("x")
FLOAT32 = {"x": Range(-(2.0**128), 2.0**128, True)}
POINTS = [
    s * v for v in (0.0, 1e-45, 1e-3, 0.7, 1.0, 3.0, 20.0, 90.0, 800.0, 3e38) for s in (1, -1)
]
FORMULAS = [
    "x * tanh(softplus(x))",
    "erfc(-x) * exp(-x**2) + x * sigmoid(x)",
    "exp(x) - exp(-x)",
    "x / (1 + abs(x))",
    "sqrt(1 + x**2) - x",
    "log(1 + exp(-abs(x))) / (x**2 + 3)",
    "sin(x) * cos(3 * x) / (2 + sin(x))",
    "where(x < 0, expm1(x), atan(x))",
    "x * x * x * x",
    "cosh(x) * sech(x)",
    "1 / x",
    "log(2 + maximum(sin(x), minimum(exp(x), 0))) * clip(x, -1, 3)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_values_lie_in_their_ranges(formula):
    (root,) = forward_plan(parse(formula), ("x",), {}).outputs
    found = ranges([root], FLOAT32)
    limits = {"_at_minus_infinity": 0.0, "_at_plus_infinity": 0.0}
    for x in POINTS:
        values = {}

        def visit(node, *arguments, values=values, x=x):
            values[node] = (
                real.value(node, {"x": x, **limits})
                if not node.arguments
                else real.FUNCTIONS[node.operation](*arguments)
            )
            return values[node]

        evaluate(root, visit)
        for node, value in values.items():
            if math.isnan(value):
                assert not found[node].is_number, (x, node)
            else:
                assert found[node].low <= value <= found[node].high, (x, node, value)


def test_what_is_known():
    node = parse("1 + exp(-abs(x))")
    assert ranges([node], FLOAT32)[node].is_within(1.0, 2.0)
    assert not ranges([node], {})[node].is_number
    product = parse("x * exp(x)")
    assert not ranges([product], FLOAT32)[product].is_number  # 0 times infinity
    for text, low, high in (("minimum(exp(-abs(x)) + 2, 2.5)", 2, 2.5), ("maximum(x, 3)", 3, inf)):
        bounded = lower(parse(text))
        assert ranges([bounded], FLOAT32)[bounded].is_within(low, high)
        assert not ranges([bounded], {})[bounded].is_number
    decay = parse("exp(x)")
    assert ranges([decay], {"x": Range(-2.0, -1.0, True)})[decay].is_within(0.1353, 0.3679)


def test_idle_guards_go_and_others_stay():
    for formula, is_idle in (("x * sigmoid(x)", True), ("x * exp(x)", False)):
        guarded = with_limits(parse(formula), X)
        found = relaxed(guarded, ranges([guarded], FLOAT32), Limits())
        assert (found is not guarded) and passes_nan(found) if is_idle else found is guarded
        checks = [n for n in walk(found) if n.operation == "equal"]
        assert (not checks) == is_idle


def test_a_nan_check_of_the_input_stays():
    guarded = with_limits(apply("where", apply("less", X, ZERO), constant(1), constant(2)), X)
    found = relaxed(guarded, ranges([guarded], FLOAT32), Limits())
    assert any(n.operation == "equal" for n in walk(found))


@pytest.mark.parametrize("formula", ["sin(x)", "x + sin(0.3 * x)**2", "x * cos(x * x)"])
def test_a_sine_does_not_know_the_arguments_beside_it(formula):
    f = limen.activation(formula)
    x = np.linspace(-700, 700, 5000, dtype=np.float32)
    beside = np.stack([x, np.full_like(x, 1e30)]).T.ravel()
    np.testing.assert_array_equal(f(beside)[::2], f(x))


def test_only_the_plain_dialect_saves():
    plan = forward_plan(parse("x * exp(-abs(x)) / (3 + exp(-abs(x)))"), ("x",), {})
    plain, extended = (to_source(plan, dtype, "f") for dtype in ("float32", "float64"))
    for primitive in ("decay(", "inverse("):
        assert primitive in plain and primitive not in extended
