"""The training step that every entrant takes: the same model, loss and update.

    Linear(width, width), mish, Linear, mish, Linear; half the squared error, summed over a sample
    and averaged over the batch; plain gradient descent; float32; the loss comes back as a number.

Eight matrix products: three going forward, three for the weights, two for the learning flow (the
flow to the data is nobody's need). Each entrant writes it as its users do, and works in place
where it can; the batch is there already.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.bench.case import Step

__all__ = ["ACTIVATION", "LAYERS", "RATE", "Data", "data", "first_loss", "products"]

Floats = NDArray[np.float32]

ACTIVATION = "mish"
LAYERS = 3
RATE = 1e-3


class Data(NamedTuple):
    """A batch, and the weights to start from; biases start at 0.

    Attributes:
        x: samples, of shape `(batch, width)`.
        y: targets, likewise.
        weights: one of shape `(width, width)` for each Linear layer, as in y = x @ W.T.
    """

    x: Floats
    y: Floats
    weights: list[Floats]


def data(case: Step) -> Data:
    """The same numbers for every entrant."""
    draw = np.random.default_rng(0).standard_normal
    shape, square = (case.batch, case.width), (case.width, case.width)
    scale = np.float32(case.width**-0.5)
    weights = [draw(square, np.float32) * scale for _ in range(LAYERS)]
    return Data(draw(shape, np.float32), draw(shape, np.float32), weights)


def first_loss(case: Step) -> float:
    """The loss before any update, in float64 and by NumPy alone: no entrant judges another."""
    x, y, weights = data(case)
    flow = x.astype(float) @ weights[0].T
    for weight in weights[1:]:
        flow = (flow * np.tanh(np.logaddexp(0, flow))) @ weight.T
    return float(0.5 * np.square(flow - y).sum() / case.batch)


def products(case: Step) -> Any:
    """The bare matrix products of a step, into arrays that are there already."""
    x, flow, weights = data(case)
    out, grad = np.empty_like(x), np.empty_like(weights[0])

    def call() -> None:
        for weight in weights:
            np.matmul(x, weight.T, out=out)
        for weight in weights[1:]:
            np.matmul(flow, weight, out=out)
        for _ in weights:
            np.matmul(flow.T, x, out=grad)

    return call
