"""limen.jax with people's own formulas, over the whole range of float32."""

from __future__ import annotations

import numpy as np
import pytest
from tests.shared.own_formulas import OWN, POINTS, off

import limen

jax = pytest.importorskip("jax")

import limen.jax as lj  # noqa: E402


@pytest.mark.parametrize("text", OWN)
def test_values_and_derivatives(text: str) -> None:
    act = lj.activation(text, **OWN[text])
    slope = jax.grad(act)
    for order, function in enumerate((act, slope, jax.grad(slope))):
        assert not off(jax.jit(jax.vmap(function))(POINTS), text, order), order


def test_half_a_sum_does_not_overflow_where_xla_adds_first() -> None:
    """XLA makes (a + b)/2 of a/2 + b/2."""
    act = lj.activation("squareplus")
    x = np.array([1e38, 2e38, 3e38], np.float32)
    np.testing.assert_allclose(act(x), x, rtol=2e-7)
    np.testing.assert_allclose(jax.vmap(jax.grad(act))(x), 1, rtol=2e-7)
    learnt = jax.jit(lambda x, b: act(x, b=b))
    np.testing.assert_allclose(learnt(x, np.float32(4)), x, rtol=2e-7)
    assert limen.get("squareplus")(x[-1]) == x[-1]


LEARNT = {
    "log(a + exp(b * x))": {"a": 3.0, "b": -2.0},
    "log(cosh(b * x)) / b": {"b": 0.5},
    "exp(b * x) / (2 + exp(b * x))": {"b": 1.5},
}


@pytest.mark.parametrize("text", LEARNT)
def test_parameters_are_learnt_where_an_exponential_overflows(text: str) -> None:
    act = lj.activation(text, **LEARNT[text])
    b = LEARNT[text]["b"]
    for function in (
        lambda x, b: act(x, b=b),
        *(jax.grad(lambda x, b: act(x, b=b), k) for k in (0, 1)),
    ):
        found = jax.jit(jax.vmap(function, (0, None)))(POINTS, np.float32(b))
        is_moderate = np.abs(POINTS) < 1e7
        assert np.all(np.isfinite(found[is_moderate])), function
    values = jax.vmap(act)(POINTS)
    learnt = jax.vmap(lambda x: act(x, b=np.float32(b)))(POINTS)
    np.testing.assert_allclose(learnt, values, rtol=5e-6, atol=1e-7)
