"""JAX: functions of jax.nn, or the formula in jax.numpy, always through jax.jit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from limen.bench.case import Case, Step, refuse_idleness
from limen.bench.training import RATE, data
from limen.decomposition import written

__all__ = ["make"]

NAMED: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "celu": jax.nn.celu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "logistic": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "log_sigmoid": jax.nn.log_sigmoid,
    "leaky_relu": jax.nn.leaky_relu,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "hardswish": jax.nn.hard_silu,
    "hardtanh": jax.nn.hard_tanh,
    "squareplus": jax.nn.squareplus,
    "sparse_plus": jax.nn.sparse_plus,
    "sparse_sigmoid": jax.nn.sparse_sigmoid,
}
"""limen's names for what jax.nn has, at the same parameters."""


class WithJax:
    """JAX on the CPU."""

    version: str = jax.__version__

    def bind(self, case: Case) -> Callable[[], Any]:
        if isinstance(case, Step):
            return _step(case)
        f = case.function()
        refuse_idleness(f)
        named = NAMED.get(f.name) if case.is_standard() else None
        function = named or written(f, "jax")
        *inputs, grad_output = map(jnp.asarray, case.arrays(len(f.inputs)))
        if case.direction == "forward":
            compiled = jax.jit(lambda *a: (function(*a),))
            return lambda: jax.block_until_ready(compiled(*inputs))
        compiled = jax.jit(lambda g, *a: jax.vjp(function, *a)[1](g))
        return lambda: jax.block_until_ready(compiled(grad_output, *inputs))

    def spelling(self, case: Case) -> str:
        if isinstance(case, Step):
            return "jax.jit of the whole step"
        return "jax.nn" if case.name in NAMED and case.is_standard() else "formula"

    def fetch(self, result: Any) -> list[NDArray[Any]]:
        return [np.asarray(array) for array in result]


def _step(case: Step) -> Callable[[], Any]:
    """Loss, gradients and update in one compiled function, the old weights' memory reused."""
    x, y, weights = data(case)
    x, y = jnp.asarray(x), jnp.asarray(y)

    def loss(layers: Any) -> Any:
        flow = x
        for at, (weight, bias) in enumerate(layers):
            flow = flow @ weight.T + bias
            if at < len(layers) - 1:
                flow = jax.nn.mish(flow)
        return 0.5 * jnp.sum((flow - y) ** 2) / case.batch

    def update(layers: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(layers)
        return value, jax.tree.map(lambda w, g: w - RATE * g, layers, grads)

    compiled = jax.jit(update, donate_argnums=0)
    layers = [(jnp.asarray(w), jnp.zeros(case.width, jnp.float32)) for w in weights]

    def step() -> Any:
        nonlocal layers
        value, layers = compiled(layers)
        return [float(value)]

    return step


def make(threads: int) -> WithJax:
    """JAX; its pool was sized by the environment when it was loaded."""
    return WithJax()
