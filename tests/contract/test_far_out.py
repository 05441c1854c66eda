"""Far out, value and two derivatives, against ball arithmetic: what overflows, cancels or nests.

Each formula is a way to lose all digits in a tail, which the forms for tails have to mend; none is
in the catalogue.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import limen
from limen.certify.measure import FORMATS, ulp_error
from limen.certify.reference import Reference
from limen.formula.parse import parse

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


@pytest.mark.parametrize("dtype", ULP)
@pytest.mark.parametrize("formula", [*NESTED, *STEEP, *QUOTIENTS])
def test_far_out(formula: str, dtype: str) -> None:
    reference = Reference(parse(formula), order=2)
    format_ = FORMATS[dtype]
    x = np.array([*(-size for size in reversed(SIZES)), *SIZES], dtype)
    balls = [reference.enclose(point, format_=format_) for point in x.tolist()]
    f = limen.activation(formula)
    for order, computed in enumerate((f(x), f.derivative()(x), f.derivative(2)(x))):
        for point, number, ball in zip(x.tolist(), computed.tolist(), balls, strict=True):
            exact = ball[order]
            if dtype == "float32" or SMALLEST < abs(exact) < LARGEST:
                error = ulp_error(number, exact, format_)
                assert error <= ULP[dtype], f"derivative {order} at {point!r}: {error:.4g} ULP"
            assert exact.is_nan() or not math.isnan(number)
