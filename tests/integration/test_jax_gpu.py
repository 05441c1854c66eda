"""limen.jax on a GPU, within what tests/integration/test_jax.py allows on CPUs.

Skipped where JAX sees no GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import limen

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

import limen.jax as lj  # noqa: E402


def has_gpu() -> bool:
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:
        return False


pytestmark = pytest.mark.skipif(not has_gpu(), reason="JAX sees no GPU")

NAMES = limen.names()
random = np.random.default_rng(0)
POINTS = random.normal(0, 3, 4000).clip(-10, 10).astype(np.float32)
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)


def on_gpu(x: Any) -> Any:
    return jax.device_put(x, jax.devices("gpu")[0])


def slopes(act: Any, inputs: list[Any]) -> Any:
    return jax.vjp(act, *inputs)[1](jnp.ones_like(inputs[0]))


def check(found: Any, exact: Any, what: str) -> None:
    found = np.asarray(found, np.float64)
    with np.errstate(divide="ignore"):
        smallness = np.maximum(0, -np.log(np.maximum(np.abs(exact), 1e-40)))
    with np.errstate(invalid="ignore"):
        is_close = np.abs(found - exact) <= np.abs(exact) * (2e-6 + 3e-7 * smallness) + 2e-7
    wrong = np.flatnonzero(~(is_close | (found == exact) | (np.isnan(found) & np.isnan(exact))))
    assert not wrong.size, f"{what}: {found[wrong[:4]]} for {exact[wrong[:4]]}"


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name: str) -> None:
    f, act = limen.get(name), lj.activation(name)
    arrays = [np.roll(np.concatenate([POINTS, SPECIAL]), 5 * k) for k in range(len(f.inputs))]
    value, *by = jax.jit(lambda *xs: (act(*xs), *slopes(act, xs)))(*map(on_gpu, arrays))
    assert value.devices() == {jax.devices("gpu")[0]}
    wide = [x.astype(np.float64) for x in arrays]
    check(value, f(*wide), name)
    for found, by_name in zip(by, f.inputs, strict=True):
        check(found, f.derivative(by_name)(*wide), f"{name} by {by_name}")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bits_are_rounded_once(dtype: str) -> None:
    for name in ("mish", "gelu", "softplus"):
        act = lj.activation(name)
        x = on_gpu(jnp.asarray(POINTS, dtype))
        np.testing.assert_array_equal(act(x), act(x.astype(jnp.float32)).astype(dtype))


def test_every_way_to_differentiate() -> None:
    f, act = limen.get("mish"), lj.activation("mish")
    x = on_gpu(POINTS[:8])
    wide = POINTS[:8].astype(np.float64)
    check(jax.vmap(jax.grad(act))(x), f.derivative(1)(wide), "grad")
    check(jnp.diagonal(jax.jacfwd(act)(x)), f.derivative(1)(wide), "jacfwd")
    hessian = jax.hessian(lambda x: act(x).sum())(x)
    check(jnp.diagonal(hessian), f.derivative(2)(wide), "hessian")
    check(jax.vmap(jax.grad(jax.grad(jax.grad(act))))(x), f.derivative(3)(wide), "third")


def test_saturated_tails_keep_their_digits() -> None:
    for name, at in (("logistic", 17.0), ("tanh", 9.5)):
        slope = float(jax.grad(lj.activation(name))(on_gpu(jnp.float32(at))))
        assert slope == pytest.approx(limen.get(name).derivative()(at), rel=1e-5)
    value = float(lj.activation("gelu")(on_gpu(jnp.float32(-6.0))))
    assert value == pytest.approx(limen.get("gelu")(-6.0), rel=1e-5)


def test_a_parameter_learns() -> None:
    act = lj.activation("swish")
    found = jax.jit(jax.grad(lambda beta: act(on_gpu(POINTS), beta=beta).sum()))(1.0)
    terms = limen.get("swish").derivative("beta")(POINTS.astype(np.float64))
    assert float(found) == pytest.approx(terms.sum(), rel=1e-4)
