"""Value and derivatives against ball arithmetic of the original formula, on a dense sample.

The sample holds tails, kinks, roots, both zeros, subnormal numbers, infinities and NaN. The
promise: at most 1 ULP for the value and the first derivative and 2 for the second in float32, 1 in
float16 and bfloat16, and 4 in float64 but for the outliers listed below.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

ULP = {"float32": (1, 1, 2), "float64": (4, 4, 4), "float16": (1, 1), "bfloat16": (1, 1)}

OUTLIERS = tomllib.loads((Path(__file__).parent / "float64_outliers.toml").read_text())
NEXT_TO_NOTHING = 1e-290
NEXT_TO_OVERFLOW = 8.9e307


def allowed(found, order: int) -> npt.NDArray[np.float64]:
    """How many ULP off each result may be: the promise, and the listed outliers of float64."""
    most = np.full(len(found.balls), float(ULP[found.format.name][order]))
    if found.format.name != "float64":
        return most
    x = found.inputs[0]
    where = found.function.name, order
    for name, n, low, high, ulp in OUTLIERS["beside_roots"]:
        if (name, n) == where:
            most[(low <= x) & (x <= high)] = ulp
    small = np.array([bool(abs(ball[order]) < NEXT_TO_NOTHING) for ball in found.balls])
    for name, n, ulp in OUTLIERS["beside_underflow"]:
        if (name, n) == where:
            most[small] = ulp
    if list(where) in OUTLIERS["beside_overflow"]:
        most[np.abs(x) > NEXT_TO_OVERFLOW] = np.inf
    return most


def allowed_times_flow(found, order: int) -> npt.NDArray[np.float64]:
    """The same for a product with the flow."""
    most = allowed(found, order)
    if found.format.name == "float64":
        # The product may lie low in its binade where the derivative lies high, or the reverse.
        most[most > ULP["float64"][order]] *= 4
        # A derivative too large for float64 is infinite before a small flow can make it finite.
        most[[bool(abs(ball[order]) > found.format.largest) for ball in found.balls]] = np.inf
    return most


@pytest.mark.parametrize(
    ("dtype", "order"),
    [(dtype, order) for dtype, most in ULP.items() for order in range(len(most))],
)
def test_accuracy(case, plain, dtype, order):
    found = case(plain, dtype)
    (x,) = found.inputs
    derivative = found.function.derivative(order) if order else found.function
    computed = derivative(x)
    assert computed.dtype == x.dtype
    errors = found.errors(computed, lambda i: found.balls[i][order])
    assert not (wrong := found.report(errors, allowed(found, order))), wrong


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_accuracy_of_gated_functions(case, gated, dtype):
    found = case(gated, dtype)
    gate, value = found.inputs
    for order, computed in (
        (0, found.function(gate, value)),
        (1, found.function.derivative("gate")(gate, value)),
    ):
        errors = found.errors(computed, lambda i, order=order: found.balls[i][order])
        assert not (wrong := found.report(errors, allowed(found, order))), wrong


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backward_is_the_flow_times_the_derivative(case, plain, dtype):
    found = case(plain, dtype)
    (x,) = found.inputs
    flow = np.random.default_rng(3).standard_normal(len(x)).astype(x.dtype)
    computed = found.function.backward(flow, x)
    exact = flow.astype(np.float64).tolist()
    errors = found.errors(computed, lambda i: found.balls[i][1] * exact[i])
    assert not (wrong := found.report(errors, allowed_times_flow(found, 1))), wrong


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backward_of_gated_functions_is_a_pair(case, reference, gated, dtype):
    found = case(gated, dtype)
    gate, value = found.inputs
    flow = np.random.default_rng(3).standard_normal(len(gate)).astype(gate.dtype)
    exact = flow.astype(np.float64).tolist()
    to_gate, to_value = found.function.backward(flow, gate, value)
    errors = found.errors(to_gate, lambda i: found.balls[i][1] * exact[i])
    assert not (wrong := found.report(errors, allowed_times_flow(found, 1))), wrong
    by_value = reference(found.function, "value", 1)
    points = zip(gate.astype(np.float64).tolist(), value.astype(np.float64).tolist(), strict=True)
    slopes = [by_value.enclose(*point, format_=found.format)[1] for point in points]
    errors = found.errors(to_value, lambda i: slopes[i] * exact[i])
    assert not (wrong := found.report(errors, allowed_times_flow(found, 0))), wrong
