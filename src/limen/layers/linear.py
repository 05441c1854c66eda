"""The Linear layer: every output neuron is a weighted sum of the input neurons."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import ShapeError
from limen.layers.layer import Layer
from limen.layers.parameter import Parameter, not_to_be_replaced
from limen.layers.products import add_rows, add_rows_calls, multiply, multiply_calls

if TYPE_CHECKING:
    from limen.kernels.routine import Call

__all__ = ["Linear"]

Array = NDArray[Any]


class Linear(Layer):
    """A layer of weighted sums: `y = x @ W.T + b`, as in PyTorch.

    Weights and bias start uniform in [-1/sqrt(inputs), 1/sqrt(inputs)], drawn with the seed of
    the model: PyTorch's default (`torch.nn.Linear.reset_parameters`, which writes it as He's
    uniform rule with a = sqrt(5); He et al., "Delving Deep into Rectifiers", ICCV 2015). A value
    assigned before the layer joins a model is kept.

    Args:
        inputs: neurons coming in.
        outputs: neurons going out.
        bias: whether there is a `b`.

    Attributes:
        weight: `Parameter` of shape `(outputs, inputs)`.
        bias: `Parameter` of shape `(outputs,)`, or None.

    Example:
        >>> import limen
        >>> layer = limen.Linear(2, 1)
        >>> layer.weight.value, layer.bias.value = [[3.0, 4.0]], [1.0]
        >>> model = limen.Model([layer], dtype="float64")
        >>> model.forward([1.0, 2.0])
        array([12.])
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.inputs = _positive(inputs, "inputs")
        self.outputs = _positive(outputs, "outputs")
        self._weight = Parameter("weight", (outputs, inputs))
        if not isinstance(bias, bool | np.bool_ | int):
            raise TypeError(f"Linear: bias must be True or False, given {bias!r}")
        self._bias = Parameter("bias", (outputs,)) if bias else None

    @property
    def weight(self) -> Parameter:
        """The weights."""
        return self._weight

    @weight.setter
    def weight(self, weight: object) -> None:
        raise not_to_be_replaced(self, "weight")

    @property
    def bias(self) -> Parameter | None:
        """The biases, if there are any."""
        return self._bias

    @bias.setter
    def bias(self, bias: object) -> None:
        raise not_to_be_replaced(self, "bias")

    @property
    def formula(self) -> str:
        """The forward step in one line."""
        return "y[j] = sum_i W[j,i] x[i]" + (" + b[j]" if self.bias else "")

    @property
    def backward_formula(self) -> str:
        """The backward step in one line."""
        return "grad_input[i] = sum_j grad_output[j] W[j,i]"

    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, and the bias if there is one."""
        return (self.weight, self.bias) if self.bias else (self.weight,)

    def outputs_for(self, inputs: int) -> int:
        """`outputs`, for `inputs` and no other number."""
        if inputs != self.inputs:
            raise ShapeError(f"{self.place}: expected {self.inputs} inputs, given {inputs}")
        return self.outputs

    def initialise(self, generator: np.random.Generator, dtype: np.dtype[Any]) -> None:
        """Draw what has no value yet; give all of it `dtype`."""
        bound = 1.0 / sqrt(self.inputs)
        for parameter in self.parameters():
            if not parameter.is_set:
                parameter.value = generator.uniform(-bound, bound, parameter.shape)
        super().initialise(generator, dtype)

    def compute(self, x: Array, out: Array | None = None) -> Array:
        """The weighted sums; `out` must not be `x`."""
        weight, bias = self._weight.value, self._bias
        if out is None:
            out = np.empty((*x.shape[:-1], self.outputs), x.dtype)
        multiply(x, weight.T, out, None if bias is None else bias.value)
        return out

    def flow(self, x: Array, grad_output: Array, grad_input: Array) -> None:
        """The flow through the weights, against the direction of the sums."""
        multiply(grad_output, self._weight.value, grad_input)

    def teach(self, x: Array, grad_output: Array, grads: Sequence[Array]) -> None:
        """The gradients by weights and biases, summed over the samples."""
        if x.ndim == 1:
            x, grad_output = x[np.newaxis], grad_output[np.newaxis]
        multiply(grad_output.T, x, grads[0])
        if self._bias:
            add_rows(grad_output, grads[1])

    def compute_calls(self, x: Array, out: Array) -> list[Call] | None:
        """One product, which begins with the biases."""
        bias = self._bias
        return multiply_calls(x, self._weight.value.T, out, None if bias is None else bias.value)

    def flow_calls(self, x: Array, grad_output: Array, grad_input: Array) -> list[Call] | None:
        """One product."""
        return multiply_calls(grad_output, self._weight.value, grad_input)

    def teach_calls(
        self, x: Array, grad_output: Array, grads: Sequence[Array]
    ) -> list[Call] | None:
        """One product, and the sum of its rows."""
        calls = multiply_calls(grad_output.T, x, grads[0])
        if self._bias is None or calls is None:
            return calls
        sums = add_rows_calls(grad_output, grads[1])
        return None if sums is None else calls + sums

    def multiplications(self, outputs: int) -> int:
        """One for every weight."""
        return self.inputs * self.outputs

    def twin(self) -> Linear:
        """A Linear layer of the same values, outside of any model."""
        other = Linear(self.inputs, self.outputs, bias=self.bias is not None)
        for mine, theirs in zip(self.parameters(), other.parameters(), strict=True):
            if mine.is_set:
                theirs.value = mine.value
        return other

    def __repr__(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f"Linear({self.inputs}, {self.outputs}{bias})"


def _positive(count: int, what: str) -> int:
    if isinstance(count, bool) or not isinstance(count, int | np.integer):
        raise TypeError(f"Linear: {what} must be a whole number, given {count!r}")
    if count < 1:
        raise ShapeError(f"Linear: {what} must be at least 1, given {count}")
    return int(count)
