"""What a model makes of some data on its way: one stage for each Linear layer with its Activation.

The model is left as it was: nothing it keeps from its own passes is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import LimenError, ShapeError
from limen.layers import Activation, Linear, Model

__all__ = ["Stage", "samples", "stages"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """A Linear layer with the Activation layer behind it; either may be missing.

    Attributes:
        name: where it is in its model: "layer 1", "blocks.0.act".
        function: the name of the activation function, None where there is none.
        pre_activation: `(samples, neurons)`, of a gated function the gate; None without a function.
        output: the representation, `(samples, neurons)`.
        weight: the Linear layer's, `(neurons, inputs)`; None without one.
    """

    name: str
    function: str | None
    pre_activation: Array | None
    output: Array
    weight: Array | None

    @property
    def threshold(self) -> Array:
        """What changes its sign on the hyperplane of each neuron."""
        return self.output if self.pre_activation is None else self.pre_activation

    @property
    def width(self) -> int:
        """How many neurons there are."""
        return int(self.output.shape[1])

    @property
    def title(self) -> str:
        """The name, and the function."""
        return self.name if self.function is None else f"{self.name}: {self.function}"


def stages(model: Any, x: Array) -> list[Stage]:
    """Sends data through a model and keeps what every stage makes of it.

    Args:
        model: a `limen.Model` or a `torch.nn.Module`.
        x: `(samples, inputs)`, or whatever shape a PyTorch model takes.

    Returns:
        The stages, in the order the data meet them.

    Raises:
        ShapeError: where the data do not fit the model.
        LimenError: for a model of another kind.
    """
    if isinstance(model, Model):
        return _of_model(model, x)
    if any(kind.__module__.startswith("torch.nn.") for kind in type(model).__mro__):
        from limen.insight.plot.torch_stages import of_module

        return of_module(model, x)
    raise LimenError(f"expected a limen.Model or a torch.nn.Module, given {model!r}")


def samples(x: Any, y: Any = None) -> tuple[Array, Array | None]:
    """Data and their classes as arrays, rows that match.

    Raises:
        ShapeError: where `x` has fewer than two axes, or `y` does not name a class for each row.
    """
    x = _array(x)
    if x.ndim < 2:
        raise ShapeError(f"expected x of shape (samples, inputs), given {x.shape}")
    if not len(x):
        raise ShapeError(f"expected at least one sample, given x of shape {x.shape}")
    if y is None:
        return x, None
    y = _array(y)
    if y.shape != x.shape[:1]:
        raise ShapeError(f"expected one class for each of {len(x)} samples, given y of {y.shape}")
    return x, y


def _array(values: Any) -> Array:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _of_model(model: Model, x: Array) -> list[Stage]:
    found: list[Stage] = []
    linear: Linear | None = None
    values = model.checked(x)
    for index, layer in enumerate(model.layers):
        before, values = values, layer.compute(values)
        if isinstance(layer, Activation):
            gate = before[:, before.shape[1] // 2 :] if layer.is_gated else before
            found.append(_stage(f"layer {index}", layer.function.name, gate, values, linear))
            linear = None
        elif isinstance(layer, Linear):
            ends = index + 1 == len(model.layers)
            if ends or not isinstance(model.layers[index + 1], Activation):
                found.append(_stage(f"layer {index}", None, None, values, layer))
                linear = None
            else:
                linear = layer
        else:
            found.append(_stage(f"layer {index}", None, None, values, None))
    return found


def _stage(
    name: str, function: str | None, before: Array | None, output: Array, linear: Linear | None
) -> Stage:
    weight = None if linear is None else linear.weight.value
    if weight is not None and before is not None:
        weight = weight[-before.shape[1] :]  # of a gated function the gate's, the second half
    return Stage(name, function, before, output, weight)
