"""Far out, value and derivatives, against ball arithmetic: what overflows, cancels or nests.

Each formula is a way to lose all digits in a tail, which the forms for tails have to mend; none is
in the catalogue.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import limen
from limen.certify.measure import FORMATS, is_tight, ulp_error
from limen.certify.reference import Reference
from limen.formula.parse import parse
from limen.function import ActivationFunction

ULP = {"float32": 1.0, "float64": 2.0}
SIZES = [3.5, 9.0, 16.0, 25.0, 40.0, 70.0, 88.5, 100.0, 240.0, 300.0, 719.0, 1e4, 1e8, 1e14, 1e25]
SMALLEST, LARGEST = 1e-290, 1e300  # what float64 arrays are held to

# Terms are compared where some are unknowns already: logarithms and gates within.
NESTED = [
    "log(log(3 + exp(x)))",
    "log(log(log(3 + exp(x))))",
    "log(1 + softplus(x) * exp(x))",
    "x / (3 + tanh(x) * exp(x))",
    "exp(x) / (1 + exp(x) * softplus(x))",
    "x * log(1 + sigmoid(x) * exp(x))",
]
# Exponentials overflow before anything else does.
STEEP = [
    "log(2 + exp(-3 * x))",
    "log(3 + exp(x**3))",
    "log(1 + exp(x) + exp(7 * x))",
    "log(x**2 + x + 1 + exp(4 * x) * x**2)",
    "log(x**2 + exp(4 * x) * x**2)",
    "log(2 + cosh(3 * x))",
]
# An overflow on the way leaves a number that looks like any other.
TAMED = [
    "1 / (1 + log(3 + exp(x)))",
    "x / (2 + log(1 + 2 * exp(x)))",
    "tanh(1 / log(3 + exp(x)))",
    "log(1 + sqrt(1 + exp(2 * x)))",
]
# What vanishes has a logarithm, and a root, that is far from that of 0.
VANISHING = [
    "sqrt(sigmoid(x))",
    "log(x**2 * sigmoid(x))",
    "log1p(erf(x))",
]
# The two terms of a quotient's derivative agree to ever more digits.
QUOTIENTS = [
    "exp(x) / (2 + exp(x))",
    "exp(2 * x) / (3 + exp(2 * x))",
    "(1 - exp(-x)) / (1 + 2 * exp(-x))",
    "x * exp(x) / (2 + exp(x))",
    "x * (1 + x * (1 + x * (1 + x))) / (1 + x**4)",
    "sinh(x) / (1 + cosh(x))",
    "log((1 + exp(5 * x)) / (1 + exp(5 * (x - 1)))) / 5",
]
# All orders of an exponential but one cancel.
ORDERS = [
    "log(1 + exp(x)) / exp(x)",
    "log(softplus(x)) + exp(x) - 1",
    "x * tanh(log(1 + exp(x)))",
]
# Straight pieces whose slopes cancel: hardtanh is one.
STRAIGHT = ["(abs(x + 1) - abs(x - 1)) / 2", "abs(x - 3) + x", "abs(x - 2000) - x"]

FORMULAS = [*NESTED, *STEEP, *TAMED, *VANISHING, *QUOTIENTS, *ORDERS, *STRAIGHT]


@pytest.mark.parametrize("dtype", ULP)
@pytest.mark.parametrize("formula", FORMULAS)
def test_far_out(formula: str, dtype: str) -> None:
    reference = Reference(parse(formula), order=2)
    format_ = FORMATS[dtype]
    x = np.array([*(-size for size in reversed(SIZES)), *SIZES], dtype)
    balls = [reference.enclose(point, format_=format_) for point in x.tolist()]
    f = limen.activation(formula)
    for order, computed in enumerate((f(x), f.derivative()(x), f.derivative(2)(x))):
        for point, number, ball in zip(x.tolist(), computed.tolist(), balls, strict=True):
            exact = ball[order]
            if not is_tight(exact, format_):
                continue  # 8,192 bits do not decide between what cancels
            if dtype == "float32" or SMALLEST < abs(exact) < LARGEST:
                error = ulp_error(number, exact, format_)
                assert error <= ULP[dtype], f"derivative {order} at {point!r}: {error:.4g} ULP"
            assert not math.isnan(number)


# A kernel that all values of its parameters share, as where they are learnt, has no windows.
OPEN = [
    ("log(a + exp(b * x))", {"a": 2.0, "b": 3.0}),
    ("log(a + exp(b * x))", {"a": 0.25, "b": -1.5}),
    ("1 / (1 + log(a + exp(b * x)))", {"a": 2.0, "b": 1.0}),
    ("exp(b * x) / (a + exp(b * x))", {"a": 3.0, "b": 2.0}),
    ("x * log(a + cosh(b * x))", {"a": 0.5, "b": 0.75}),
    ("x**2 / sqrt(a + exp(b * x))", {"a": 1.5, "b": -2.0}),
    ("log(a + abs(exp(b * x)))**0.5", {"a": 2.0, "b": 1.0}),
    ("softplus(b * x)**p", {"b": 2.0, "p": 1.5}),
]


@pytest.mark.parametrize(("formula", "values"), OPEN)
def test_with_parameters_whose_values_a_kernel_is_not_told(
    formula: str, values: dict[str, float]
) -> None:
    f = limen.activation(formula, **dict.fromkeys(values, 1.25)).with_parameters(**values)
    x = np.array([*(-size for size in reversed(SIZES)), *SIZES], np.float32)
    check(f, "x", f(x), f.backward(np.ones_like(x), x), x)
    for name in values:
        check(f, name, f(x), f.derivative(name)(x), x)


GATED = [
    "log(exp(gate) + exp(value))",
    "value / (1 + log(2 + exp(gate)))",
    "value * exp(gate) / (1 + exp(gate))",
    "log(cosh(gate) + exp(value) + 1)",
]
PAIRS = np.array([*product([-1e4, -719.0, -20.0, 0.5, 30.0, 800.0, 1e8], repeat=2)], np.float32)


@pytest.mark.parametrize("formula", GATED)
def test_of_two_inputs(formula: str) -> None:
    f = limen.activation(formula)
    gate, value = PAIRS.T.copy()
    slopes = f.backward(np.ones_like(gate), gate, value)
    for name, slope in zip(f.inputs, slopes, strict=True):
        check(f, name, f(gate, value), slope, gate, value)


def check(
    f: ActivationFunction, by: str, value: np.ndarray, slope: np.ndarray, *inputs: np.ndarray
) -> None:
    """Compares a value, and the derivative by an input or parameter, with ball arithmetic."""
    reference = Reference(f.expression, inputs=f.inputs, parameters=f.parameters, by=by, order=1)
    format_ = FORMATS["float32"]
    for place, point in enumerate(zip(*(array.tolist() for array in inputs), strict=True)):
        balls = reference.enclose(*point, format_=format_)
        for number, exact in zip((value[place], slope[place]), balls, strict=True):
            error = ulp_error(float(number), exact, format_) if is_tight(exact, format_) else 0.0
            assert error <= 1, f"{error:.4g} ULP at {point}: {number!r}, not {exact}"
