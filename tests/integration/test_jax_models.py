"""limen.jax in other people's models, on several devices, and in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import limen

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

import limen.jax as lj  # noqa: E402

STEPS = 200
X = np.linspace(-2, 2, 64, dtype=np.float32)[:, None]
Y = np.sin(2 * X)


def falls(losses: list[float]) -> bool:
    return losses[-1] < 0.25 * losses[0] and bool(np.all(np.isfinite(losses)))


# --- Equinox -------------------------------------------------------------------------------------


def test_an_equinox_mlp_learns() -> None:
    eqx, optax = pytest.importorskip("equinox"), pytest.importorskip("optax")
    model = eqx.nn.MLP(1, 1, 32, 2, activation=lj.activation("mish"), key=jax.random.key(0))
    adam = optax.adam(0.01)

    @eqx.filter_jit
    def step(model: Any, state: Any) -> Any:
        loss = eqx.filter_value_and_grad(lambda m: jnp.mean((jax.vmap(m)(X) - Y) ** 2))
        value, grads = loss(model)
        updates, state = adam.update(grads, state)
        return value, eqx.apply_updates(model, updates), state

    state, losses = adam.init(eqx.filter(model, eqx.is_array)), []
    for _ in range(STEPS):
        value, model, state = step(model, state)
        losses.append(float(value))
    assert falls(losses)


def test_an_equinox_module_holds_it_and_teaches_its_parameter() -> None:
    eqx = pytest.importorskip("equinox")

    class Layer(eqx.Module):
        weight: Any
        beta: Any
        act: lj.Activation  # no static field needed: it has no leaves
        marked: lj.Activation = eqx.field(static=True, default=lj.activation("tanh"))

        def __call__(self, x: Any) -> Any:
            return self.marked(self.act(x * self.weight, beta=self.beta))

    layer = Layer(jnp.ones(8), jnp.ones(8), lj.activation("swish"))
    assert len(jax.tree.leaves(layer)) == 2
    grads = jax.jit(jax.grad(lambda layer: layer(X).sum()))(layer)
    f, tanh = limen.get("swish"), limen.get("tanh")
    slope = tanh.derivative()(f(X)) * f.derivative("beta")(X)
    np.testing.assert_allclose(grads.beta, np.full(8, slope.sum()), rtol=1e-5)


# --- Flax ----------------------------------------------------------------------------------------


def test_a_linen_module_learns() -> None:
    nn, optax = pytest.importorskip("flax.linen"), pytest.importorskip("optax")

    class Net(nn.Module):
        act: lj.Activation

        @nn.compact
        def __call__(self, x: Any) -> Any:
            beta = self.param("beta", nn.initializers.ones, (32,))
            return nn.Dense(1)(self.act(nn.Dense(32)(x), beta=beta))

    net = Net(lj.activation("swish"))
    assert net == Net(lj.activation("swish")) and hash(net) == hash(Net(lj.activation("swish")))
    params, adam = net.init(jax.random.key(0), X), optax.adam(0.02)

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        value, grads = jax.value_and_grad(lambda p: jnp.mean((net.apply(p, X) - Y) ** 2))(params)
        updates, state = adam.update(grads, state)
        return value, optax.apply_updates(params, updates), state

    state, losses, start = adam.init(params), [], params["params"]["beta"]
    for _ in range(STEPS):
        value, params, state = step(params, state)
        losses.append(float(value))
    assert falls(losses)
    assert np.all(params["params"]["beta"] != start)


def test_an_nnx_module_learns() -> None:
    nnx, optax = pytest.importorskip("flax.nnx"), pytest.importorskip("optax")

    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.first = nnx.Linear(1, 32, rngs=rngs)
            self.act = lj.activation("x * tanh(softplus(x))")
            self.last = nnx.Linear(32, 1, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return self.last(self.act(self.first(x)))

    net = Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(net, optax.adam(0.02), wrt=nnx.Param)

    @nnx.jit
    def step(net: Any, optimizer: Any) -> Any:
        value, grads = nnx.value_and_grad(lambda net: jnp.mean((net(X) - Y) ** 2))(net)
        optimizer.update(net, grads)
        return value

    assert falls([float(step(net, optimizer)) for _ in range(STEPS)])


# --- Other processes -----------------------------------------------------------------------------


def fresh(code: str, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


SHARDED = """
import jax, jax.numpy as jnp, numpy as np, limen, limen.jax as lj
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("batch", "neurons"))
x = np.random.default_rng(0).normal(0, 3, (64, 32)).astype(np.float32)
spread = jax.device_put(x, NamedSharding(mesh, P("batch", "neurons")))
act = lj.activation("mish")
for function in (act, jax.jit(act), act.derivative()):
    out = function(spread)
    assert out.sharding == spread.sharding, out.sharding
    assert len(out.addressable_shards) == 4 and out.addressable_shards[0].data.shape == (32, 16)
    np.testing.assert_array_equal(out, function(x))
steep = jax.jit(jax.grad(lambda x: act(x).sum()))(spread)
assert steep.sharding == spread.sharding
np.testing.assert_allclose(steep, limen.get("mish").derivative()(x), rtol=2e-6, atol=2e-7)
swish, beta = lj.activation("swish"), jnp.linspace(0.5, 2, 32)
beta = jax.device_put(beta, NamedSharding(mesh, P("neurons")))
grads = jax.jit(jax.grad(lambda b: swish(spread, beta=b).sum()))(beta)
slopes = [limen.get("swish", beta=float(b)).derivative("beta")(x[:, i]).sum()
          for i, b in enumerate(beta)]
np.testing.assert_allclose(grads, slopes, rtol=1e-5, atol=1e-4)
compiled = jax.jit(act).lower(spread).compile().as_text()
assert not any(word in compiled for word in ("all-gather", "all-reduce", "collective-permute"))
if hasattr(jax, "shard_map"):  # the one before JAX 0.6 knows no custom derivatives
    each = jax.shard_map(act, mesh=mesh, in_specs=P("batch"), out_specs=P("batch"))
    np.testing.assert_array_equal(each(x), act(x))
print(len(jax.devices()))
"""


def test_shards_stay_where_they_are() -> None:
    assert fresh(SHARDED, XLA_FLAGS="--xla_force_host_platform_device_count=4") == "4"


# Of values 2e-14, and more for small ones as in test_jax; 2e-15 where roots are.
DOUBLE = """
import jax; jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp, numpy as np, limen, limen.jax as lj
random = np.random.default_rng(0)
x = random.normal(0, 3, 3000).clip(-10, 10)
far = random.choice([-1.0, 1.0], 600) * 10 ** random.uniform(1, 100, 600)
NAMES = ("arctan", "bent_identity", "gelu", "gelu_tanh", "geglu", "isru", "laplace", "logish",
         "mish", "phish", "selu", "silu", "snake", "softplus", "squareplus", "tanhshrink")
def tangent(f):
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]
for name in NAMES:
    f, act = limen.get(name), lj.activation(name)
    if f.is_gated:
        assert act(x, x[::-1]).dtype == np.float64
        np.testing.assert_allclose(act(x, x[::-1]), f(x, x[::-1]), rtol=2e-14, atol=2e-15)
        continue
    orders = jax.jit(lambda x: (act(x), tangent(act)(x), tangent(tangent(act))(x)))
    for order in range(3):
        for points, besides in ((x, 2e-15), (far, 2e-15 if name == "snake" else 1e-290)):
            found, exact = np.asarray(orders(points)[order]), f.derivative(order)(points)
            assert found.dtype == np.float64
            with np.errstate(divide="ignore", invalid="ignore"):
                small = np.maximum(0, -np.log(np.abs(exact)))
                room = np.abs(exact) * (2e-14 + 1e-15 * small.clip(0, 800)) + besides
                wrong = ~((np.abs(found - exact) <= room) | (found == exact))
            assert not wrong.any(), (name, order, points[wrong][:3], found[wrong][:3])
assert lj.activation("mish")(1.0).dtype == lj.activation("mish")(1).dtype == np.float64
assert lj.activation("heaviside")(jnp.ones(2, jnp.float32)).dtype == np.float32
assert lj.activation("swish")(jnp.float32(1), beta=jnp.float64(2)).dtype == np.float32
erfcx, points = limen.activation("erfcx(x)"), np.linspace(-5, 60, 3000)
np.testing.assert_allclose(lj.activation(erfcx)(points), erfcx(points), rtol=1e-14)
print("exact")
"""


def test_float64_has_its_own_digits() -> None:
    assert fresh(DOUBLE) == "exact"
