"""Linear layers in a row are one linear function: which they are, and what they amount to.

`W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)`: without an activation in between, a second
Linear layer adds nothing to what a model can express. An affine activation, such as identity,
changes nothing about that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from limen.errors import ShapeError
from limen.formula.expression import names
from limen.function import ActivationFunction
from limen.layers.activation import Activation
from limen.layers.layer import Layer
from limen.layers.linear import Linear

if TYPE_CHECKING:
    from limen.layers.model import Model

__all__ = ["linear_runs", "merged"]


def linear_runs(model: Model) -> list[range]:
    """The positions of the layers of each run of Linear layers that is one linear function."""
    runs: list[range] = []
    start: int | None = None
    last = linears = 0
    for index, layer in enumerate([*model.layers, None]):
        if isinstance(layer, Linear):
            start, last, linears = index if start is None else start, index, linears + 1
        elif layer is None or affine_form(layer) is None:
            if start is not None and linears > 1:
                runs.append(range(start, last + 1))
            start, linears = None, 0
    return runs


def merged(model: Model, index: int) -> Linear:
    """The one Linear layer, in float64, that the run around layer `index` amounts to."""
    for run in linear_runs(model):
        if index in run:
            return _product([model.layers[position] for position in run])
    raise ShapeError(
        f"layer {index} is in no run of Linear layers without an activation between them; "
        f"runs: {[(run[0], run[-1]) for run in linear_runs(model)] or 'none'}"
    )


def affine_form(layer: Layer) -> tuple[float, float] | None:
    """Slope and offset of an Activation layer that evaluates an affine function, else None."""
    function = layer.function if isinstance(layer, Activation) else None
    if not isinstance(function, ActivationFunction) or function.is_gated:
        return None
    forward = ActivationFunction(function.definition)  # without a surrogate's derivative
    slope = forward.derivative()
    # Without kinks: a step function, too, has a derivative that does not depend on x.
    if names(slope.expression, "input") or forward.kinks != ():
        return None
    return float(slope(0.0)), float(forward(0.0))


def _product(layers: list[Layer]) -> Linear:
    first = layers[0]
    assert isinstance(first, Linear)
    weight, bias = np.eye(first.inputs), np.zeros(first.inputs)
    biased = False
    for layer in layers:
        if isinstance(layer, Linear):
            matrix = layer.weight.value.astype(np.float64)
            weight, bias = matrix @ weight, matrix @ bias
            if layer.bias:
                bias, biased = bias + layer.bias.value, True
        else:
            form = affine_form(layer)
            assert form is not None
            slope, offset = form
            weight, bias = slope * weight, slope * bias + offset
            biased = biased or offset != 0.0
    result = Linear(first.inputs, weight.shape[0], bias=biased)
    result.weight.value = weight
    if result.bias:
        result.bias.value = bias
    return result
