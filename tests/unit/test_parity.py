"""Powers of negative numbers whose exponent is a parameter, against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import limen
from limen.formula.parse import parse
from limen.kernels.plan import forward_plan

SIZES = np.array([0.5, 2.0, 3.0, 200.0, 257.0, 300.0, 1000.0])
X = np.concatenate([-SIZES, [-0.0, 0.0], SIZES])
EXPONENTS = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 7.0, -0.5, 0.3, 2.5)
FLOATS = ["float64", "float32"]


def same(found: np.ndarray, wanted: Any, dtype: str) -> None:
    """The same numbers to a few places, the sign of zero and NaN included."""
    np.testing.assert_allclose(found, wanted, rtol=8 * float(np.finfo(dtype).eps))
    is_number = ~np.isnan(found)
    np.testing.assert_array_equal(np.signbit(found)[is_number], np.signbit(wanted)[is_number])


def raised(x: np.ndarray, p: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        return x.astype(float) ** p


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", EXPONENTS)
def test_powers_are_numpys(p: float, dtype: str) -> None:
    same(limen.activation("x**p", p=p)(X.astype(dtype)), raised(X, p), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("p", EXPONENTS)
def test_derivatives_of_powers(p: float, order: int, dtype: str) -> None:
    x = X[X != 0]  # 0 * (1/0) is none
    factor = p * (p - 1) ** (order - 1)
    found = limen.activation("x**p", p=p).derivative(order)(x.astype(dtype))
    np.testing.assert_allclose(found, factor * raised(x, p - order), rtol=4 * np.finfo(dtype).eps)


def test_a_flow_goes_back_through_negative_numbers() -> None:
    f, x = limen.activation("x**p", p=3.0), np.array([-2.0, -300.0, 2.0])
    np.testing.assert_allclose(f.backward(1.0, x), 3 * x**2, rtol=1e-15)
    np.testing.assert_array_equal(limen.activation("x**p", p=2.0).backward(1.0, -0.0), -0.0)


@pytest.mark.parametrize(
    ("formula", "p", "expected"),
    [
        ("(x - 500)**p", 3.0, lambda x: (x - 500) ** 3),
        ("(x - 500)**p", 2.5, lambda x: raised(x - 500, 2.5)),
        ("cos(x)**p", 3.0, lambda x: np.cos(x) ** 3),
        ("x**(2 * p) * x", 1.0, lambda x: x**3),
        ("x**p * x**q", 2.0, lambda x: x**5),
        ("(-1)**p * x", 3.0, lambda x: -x),
        ("maximum(x, -1)**p", 2.0, lambda x: np.maximum(x, -1) ** 2),
    ],
)
def test_whatever_the_base_is(formula: str, p: float, expected: Any) -> None:
    others = {"q": 3.0} if "q" in formula else {}
    found = limen.activation(formula, p=p, **others)(X)
    np.testing.assert_allclose(found, expected(X), rtol=1e-13, atol=1e-13)


def test_one_kernel_serves_every_exponent() -> None:
    f = limen.activation("x**p", p=2.0)
    kernels = set()
    for p in EXPONENTS:
        one = f.with_parameters(p=p)
        same(one(X), raised(X, p), "float64")
        kernels.add(one._binding.kernel("forward", "float64")[0])
    assert len(kernels) == 1


def test_a_layer_learns_an_exponent() -> None:
    layer = limen.Activation(limen.activation("1 + x**p", p=2.0), learnable=["p"])
    for p in (2.0, 3.0, 2.5):
        layer.learnable["p"].value[...] = p
        np.testing.assert_allclose(layer.forward(X[:, None])[:, 0], 1 + raised(X, p), rtol=1e-14)


def test_a_gate_may_be_a_power() -> None:
    f = limen.activation("gate**p * value", p=3.0)
    np.testing.assert_allclose(f(X, X), X**4, rtol=1e-15)
    by_gate, by_value = f.backward(1.0, X, X)
    np.testing.assert_allclose(by_gate, 3 * X**3, rtol=1e-15)
    np.testing.assert_allclose(by_value, X**3, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_limits_are_those_of_the_exponent(dtype: str) -> None:
    ends = np.array([-np.inf, np.inf], dtype)
    for p, expected in [(2.0, [np.inf] * 2), (3.0, ends), (-1.0, [-0.0, 0.0])]:
        same(limen.activation("x**p", p=p)(ends), np.array(expected), dtype)
    for p in (2.5, 0.3, -0.7):
        assert np.isnan(limen.activation("x**p", p=p)(ends)[0])


@pytest.mark.parametrize(
    "base", ["abs(x)", "exp(x)", "1 + x**2", "softplus(x)", "maximum(x, 0)", "clip(x, 0, 6)"]
)
def test_a_base_without_negative_values_has_no_sign_to_ask_for(base: str) -> None:
    plan = forward_plan(parse(f"({base})**p", "p"), ("x",), {"p": 2.0})
    assert not plan.parities
    signed = forward_plan(parse("x**p + x**(p - 1) * x**p", "p"), ("x",), {"p": 2.0})
    assert len(signed.parities) == 2  # each exponent's once


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)])
def test_the_derivative_of_a_whole_power_at_0(p: float, expected: float) -> None:
    f = limen.activation("3 * x**p", p=1.5).with_parameters(p=p)
    assert f.derivative()(0.0) == expected
    assert np.isnan(f.derivative()(np.nan))
