"""What every layer is: a forward pass that keeps its representation, a backward pass its flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import OrderError, ShapeError
from limen.layers.arrays import real_array
from limen.layers.buffer import Buffers
from limen.layers.parameter import Parameter

__all__ = ["Layer"]

Array = NDArray[Any]


class Kept:
    """An array that a pass leaves behind; reading it before that pass is an OrderError."""

    def __init__(self, left_by: str) -> None:
        self.left_by = left_by

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Layer | None, owner: type) -> Any:
        if layer is None:
            return self
        array = layer._kept.get(self.name)
        if array is None:
            raise OrderError(f"{layer.place} has no {self.name} yet: call {self.left_by} first")
        return array

    def __set__(self, layer: Layer, array: Array | None) -> None:
        layer._kept[self.name] = array


class Layer(ABC):
    """A step of a model, open to look into.

    After `forward`: `input` and `output` (the representation). After `backward`: `grad_output`
    (the learning flow that came in), `grad_input` (the one handed on), and the gradients of the
    layer's parameters. Arrays have shape `(batch, width)`, or `(width,)` for one sample.

    Attributes:
        index: the layer's position in its model, None outside of one.
        dtype: the model's dtype, None outside of one.
    """

    input = Kept("model.forward")
    output = Kept("model.forward")
    grad_output = Kept("model.backward")
    grad_input = Kept("model.backward")

    def __init__(self) -> None:
        self.index: int | None = None
        self.dtype: np.dtype[Any] | None = None
        self._kept: dict[str, Array | None] = {}
        self._buffers = Buffers()

    # What a kind of layer says about itself.

    @property
    @abstractmethod
    def formula(self) -> str:
        """The forward step in one line."""

    @property
    @abstractmethod
    def backward_formula(self) -> str:
        """The backward step in one line."""

    @abstractmethod
    def outputs_for(self, inputs: int) -> int:
        """The width of the output for a width of the input; ShapeError where it cannot be."""

    @abstractmethod
    def twin(self) -> Layer:
        """A layer of the same kind and parameter values, outside of any model."""

    @abstractmethod
    def compute(self, x: Array, out: Array | None = None) -> Array:
        """The forward step alone: keeps nothing, so that any thread may call it."""

    @abstractmethod
    def _flow(self, x: Array, grad_output: Array, grad_input: Array | None) -> None:
        """Fill `grad_input`, unless None, and the gradients of the parameters."""

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that learn; none, for most kinds of layers."""
        return ()

    def initialise(self, generator: np.random.Generator, dtype: np.dtype[Any]) -> None:
        """Give every parameter without a value its first one, and all of them `dtype`."""
        self.dtype = dtype
        for parameter in self.parameters():
            parameter.convert(dtype)

    # The two passes.

    def forward(self, x: ArrayLike) -> Array:
        """Compute the representation, and keep it with the input.

        Args:
            x: real array of shape `(batch, inputs)`, or `(inputs,)` for one sample.

        Returns:
            `layer.output`, of shape `(batch, outputs)` or `(outputs,)`.

        Raises:
            ShapeError, DtypeError: naming the layer, the expected and the given.
        """
        x = self.checked(x)
        shape = (*x.shape[:-1], self.outputs_for(x.shape[-1]))
        self.grad_output = self.grad_input = None
        self.input = x
        self.output = self.compute(x, out=self._buffers.take("output", shape, x.dtype))
        return self.output

    def backward(self, grad_output: ArrayLike, *, input_flow: bool = True) -> Array | None:
        """Hand the learning flow on, and fill the gradients of the parameters.

        Args:
            grad_output: gradient of the loss with respect to `layer.output`, of its shape.
            input_flow: False where nobody asks for `grad_input`, as below a first layer.

        Returns:
            `layer.grad_input`, of the shape of `layer.input`; None without `input_flow`.

        Raises:
            OrderError: before any forward pass.
            ShapeError, DtypeError: naming the layer, the expected and the given.
        """
        x, output = self.input, self.output
        grad_output = real_array(grad_output, f"{self.place}, grad_output", output.dtype)
        if grad_output.shape != output.shape:
            raise ShapeError(
                f"{self.place}: grad_output must have the shape of the output, {output.shape}, "
                f"given {grad_output.shape}"
            )
        grad_input = self._buffers.take("grad_input", x.shape, x.dtype) if input_flow else None
        self._flow(x, grad_output, grad_input)
        self.grad_output, self.grad_input = grad_output, grad_input
        return grad_input

    def renew(self) -> None:
        """Leave the arrays of earlier passes to their holders; the next pass makes new ones."""
        self._buffers = Buffers()

    def checked(self, x: ArrayLike) -> Array:
        """`x` as an array that this layer computes with."""
        array = real_array(x, self.place, self.dtype)
        if array.ndim not in (1, 2):
            raise ShapeError(
                f"{self.place}: expected shape (batch, inputs), or (inputs,) for one sample, "
                f"given {array.shape}"
            )
        self.outputs_for(array.shape[-1])
        return array

    @property
    def has_run(self) -> bool:
        """Whether there is a representation, so that a flow can come back."""
        return self._kept.get("output") is not None

    @property
    def place(self) -> str:
        """How errors call the layer: "layer 2, Linear(64, 10)"."""
        return f"{self!r}" if self.index is None else f"layer {self.index}, {self!r}"
