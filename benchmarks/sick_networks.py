"""Networks made sick on purpose, and healthy ones, to measure a diagnosis on.

All learn the same task: which of four outputs of a random network is the largest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from limen.insight.observing import Observation, observe
from limen.layers import SGD, Activation, Adam, CrossEntropy, Linear, Model
from limen.layers.optimizer import Optimizer
from limen.registry import resolve

__all__ = ["CASES", "HEALTHY", "Case", "observed"]

_INPUTS, _CLASSES, _SAMPLES = 16, 4, 2048


@dataclass(frozen=True)
class Case:
    """A kind of network.

    Attributes:
        sickness: the kind of finding it must get; None for a healthy one.
        functions: that it is made with.
        depth: hidden layers.
        spoil: what makes it sick, if its training does not.
        optimizer: that it is trained with.
        width: of each hidden layer.
        epochs: of training.
    """

    sickness: str | None
    functions: tuple[str, ...]
    depth: int = 3
    spoil: Callable[[Model], None] | None = None
    optimizer: Callable[[], Optimizer] = Adam
    width: int = 64
    epochs: int = 16


def observed(case: Case, function: str, seed: int) -> Observation:
    """Trains one network under observation, as a user would."""
    x, y = _task(seed)
    f = resolve(function)
    layers: list[Linear | Activation] = []
    inputs = _INPUTS
    for _ in range(case.depth):
        layers += [Linear(inputs, case.width * len(f.inputs)), Activation(f)]
        inputs = case.width
    model = Model([*layers, Linear(inputs, _CLASSES)], seed=seed)
    if case.spoil is not None:
        case.spoil(model)
    half = _SAMPLES // 2
    # Every fourth step, so that what is measured is the same on any machine.
    with np.errstate(all="ignore"), observe(model, probe=(x[half:], y[half:]), every=4) as seen:
        model.fit(
            x[:half], y[:half], loss=CrossEntropy(), optimizer=case.optimizer(),
            epochs=case.epochs, progress=False,
        )  # fmt: skip
    return seen


def _task(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng([seed, 5])
    x = random.normal(size=(_SAMPLES, _INPUTS)).astype(np.float32)
    first, second = random.normal(size=(_INPUTS, 32)), random.normal(size=(32, _CLASSES))
    return x, (np.tanh(x @ first / 2.0) @ second).argmax(axis=1)


def _weights(factor: float) -> Callable[[Model], None]:
    def spoil(model: Model) -> None:
        for layer in model.layers:
            if isinstance(layer, Linear):
                layer.weight.value *= factor

    return spoil


def _alike(model: Model) -> None:
    for layer in model.layers:
        if isinstance(layer, Linear):
            layer.weight.value[...] = layer.weight.value.std()
            if layer.bias is not None:
                layer.bias.value[...] = 0.0


def _far_on(model: Model) -> None:
    for layer in model.layers[:-1]:
        if isinstance(layer, Linear) and layer.bias is not None:
            layer.bias.value += 20.0


_RECTIFIERS = ("relu", "gelu", "silu", "relu6", "elu", "mish")
_SATURATING = ("logistic", "tanh", "hardtanh", "relu6")
HEALTHY = (
    *_RECTIFIERS, "tanh", "logistic", "hardtanh", "softsign", "leaky_relu", "softplus", "swiglu",
)  # fmt: skip

CASES: dict[str, Case] = {
    "dead by a large rate": Case("dead", ("relu",), optimizer=lambda: SGD(4.0)),
    "saturated by large weights": Case("saturated", _SATURATING, spoil=_weights(20.0)),
    "a step without surrogate": Case("step", ("heaviside",)),
    "exploding by large weights": Case(
        "exploding", ("relu", "leaky_relu", "gelu", "silu"), depth=8, spoil=_weights(6.0),
        optimizer=lambda: SGD(1e-9),
    ),
    # Adam mends logistic's within an epoch: it scales each layer's flow by itself.
    "fading through many layers": Case(
        "fading", ("logistic", "hardsigmoid"), depth=8, optimizer=lambda: SGD(0.1)
    ),
    "collapsed by equal weights": Case(
        "collapsed", ("relu", "tanh", "gelu", "logistic"), spoil=_alike
    ),
    "linear by large biases": Case("linear", ("relu", "silu", "gelu"), spoil=_far_on),
    "healthy, 1 hidden layer": Case(None, HEALTHY, depth=1),
    "healthy, 3 hidden layers": Case(None, HEALTHY),
    "healthy, wide": Case(None, HEALTHY, depth=2, width=256),
    "healthy, SGD": Case(None, HEALTHY, depth=2, optimizer=lambda: SGD(0.1)),
}  # fmt: skip
"""Every kind of network, by name."""
