"""A parameter: an array that learns, and the gradient that teaches it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import OrderError, ShapeError
from limen.layers.arrays import real_array

__all__ = ["Parameter"]


class Parameter:
    """An array that learns: a weight matrix, a bias, or a parameter of an activation function.

    A value set by hand before the layer joins a `limen.Model` is kept; otherwise the model
    initialises it. `grad` is overwritten, not summed up, by each `model.backward`.

    Attributes:
        name: its place in the model ("0.weight"), or only "weight" outside of one.
        shape: the shape of `value` and of `grad`.
    """

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name = name
        self.shape = shape
        self._value: NDArray[Any] | None = None
        self._grad: NDArray[Any] | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is a value: set by hand, by a model, or from a file."""
        return self._value is not None

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def value(self) -> NDArray[Any]:
        """The numbers that learn. Assigning copies, into the same memory where there is some."""
        if self._value is None:
            raise OrderError(
                f"{self.name} has no value yet: put its layer into a limen.Model([...]), "
                "or assign its value"
            )
        return self._value

    @value.setter
    def value(self, value: ArrayLike) -> None:
        array = self._checked(value, "value")
        if self._value is None:
            self._value = np.array(array)
        else:
            self._value[...] = array

    @property
    def grad(self) -> NDArray[Any]:
        """The gradient of the loss with respect to `value`, from the last backward pass."""
        if self._grad is None:
            raise OrderError(f"{self.name} has no gradient yet: call model.backward first")
        return self._grad

    @grad.setter
    def grad(self, grad: ArrayLike) -> None:
        self.grad_memory()[...] = self._checked(grad, "grad")

    def grad_memory(self) -> NDArray[Any]:
        """The array of the gradient, made at first need, for a backward pass to write into."""
        if self._grad is None:
            self._grad = np.zeros_like(self.value)
        return self._grad

    def convert(self, dtype: np.dtype[Any]) -> None:
        """Turn value and gradient into `dtype`: the model's."""
        self._value = np.array(self.value, dtype)
        self._grad = None if self._grad is None else self._grad.astype(dtype)

    def _checked(self, array: ArrayLike, what: str) -> NDArray[Any]:
        checked = real_array(array, f"{self.name}.{what}")
        if checked.shape != self.shape:
            raise ShapeError(
                f"{self.name}.{what}: expected shape {self.shape}, given {checked.shape}"
            )
        return checked

    def __repr__(self) -> str:
        dtype = self._value.dtype if self._value is not None else "not set yet"
        return f"<Parameter {self.name}: shape {self.shape}, {dtype}>"
