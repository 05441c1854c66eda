"""What every layer is: a forward pass that keeps its representation, a backward pass its flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import OrderError, ShapeError
from limen.layers.arrays import real_array
from limen.layers.parameter import Parameter

if TYPE_CHECKING:
    from limen.kernels.routine import Call

__all__ = ["Layer"]

Array = NDArray[Any]
# An activation function costs about a nanosecond an element, a product a hundredth of one.
_AS_MULTIPLICATIONS = 64


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

    def enter(self, index: int) -> None:
        """Take a place in a model, which parameters are named after."""
        self.index = index
        for parameter in self.parameters():
            parameter.name = f"{index}.{parameter.name}"

    def __copy__(self) -> Layer:
        """A twin: layers that share parameters would learn each other's lessons."""
        return self.twin()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """For copy: a copy is a layer of its own, in no model until one takes it in."""
        vars(self).update(state)
        for parameter in self.parameters():
            parameter.name = parameter.name.removeprefix(f"{self.index}.")
        self.index = None

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
        """The forward step alone: keeps nothing, so that any thread may call it for its rows."""

    @abstractmethod
    def flow(self, x: Array, grad_output: Array, grad_input: Array) -> None:
        """The backward step alone, into `grad_input`; any thread may call it for its rows."""

    def teach(self, x: Array, grad_output: Array, grads: Sequence[Array]) -> None:  # noqa: B027
        """The gradients of the parameters, summed over these rows, into `grads`."""

    # The same steps as native calls, for arrays that stay where they are: a training step makes
    # them again and again. None where a layer has none, or these arrays do not lend themselves.

    def compute_calls(self, x: Array, out: Array) -> list[Call] | None:
        """The native calls that `compute` comes to."""
        return None

    def flow_calls(self, x: Array, grad_output: Array, grad_input: Array) -> list[Call] | None:
        """The native calls that `flow` comes to."""
        return None

    def teach_calls(
        self, x: Array, grad_output: Array, grads: Sequence[Array]
    ) -> list[Call] | None:
        """The native calls that `teach` comes to: none at all, where nothing learns."""
        return []

    def multiplications(self, outputs: int) -> int:
        """What a sample costs on the way forward, in multiplications of a matrix product."""
        return _AS_MULTIPLICATIONS * outputs

    works_in_place = False
    """Whether `compute` may write over its input."""

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that learn; none, for most kinds of layers."""
        return ()

    def initialise(self, generator: np.random.Generator, dtype: np.dtype[Any]) -> None:
        """Give every parameter without a value its first one, and all of them `dtype`."""
        self.dtype = dtype
        self._kept = {}  # what flowed through a copy was another's
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
        output = self.compute(x)
        self.keep(x, output)
        return output

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
        grad_output = real_array(grad_output, lambda: f"{self.place}, grad_output", output.dtype)
        if grad_output.shape != output.shape:
            raise ShapeError(
                f"{self.place}: grad_output must have the shape of the output, {output.shape}, "
                f"given {grad_output.shape}"
            )
        grad_input = np.empty_like(x) if input_flow else None
        if grad_input is not None:
            self.flow(x, grad_output, grad_input)
        self.teach(x, grad_output, [parameter.grad_memory() for parameter in self.parameters()])
        self.keep_flow(grad_output, grad_input)
        return grad_input

    def keep(self, x: Array, output: Array) -> None:
        """Keep what a forward pass leaves; the flow of the pass before is gone."""
        self._kept = {"input": x, "output": output}

    def keep_flow(self, grad_output: Array, grad_input: Array | None) -> None:
        """Keep what a backward pass leaves."""
        self._kept |= {"grad_output": grad_output, "grad_input": grad_input}

    def checked(self, x: ArrayLike) -> Array:
        """`x` as an array that this layer computes with."""
        array = real_array(x, lambda: self.place, self.dtype)
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
        """What errors call the layer, such as "layer 2, Linear(64, 10)"."""
        return f"{self!r}" if self.index is None else f"layer {self.index}, {self!r}"
