"""A parameter: an array that learns, and the gradient that teaches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen import memory
from limen.errors import OrderError, ShapeError
from limen.layers.arrays import real_array

__all__ = ["Parameter", "joined", "lies_behind", "not_to_be_replaced", "side_by_side"]


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
        self._grad_home: NDArray[Any] | None = None  # where the first gradient will be

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
            self._value = np.array(array, order="C")
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
            home = self._grad_home
            self._grad = np.zeros_like(self.value) if home is None else home
        return self._grad

    def lies_at(self, value: NDArray[Any], grad: NDArray[Any]) -> bool:
        """Whether these are its arrays; to be asked at every step."""
        return self._value is value and self._grad is grad

    def convert(self, dtype: np.dtype[Any]) -> None:
        """Turn value and gradient into `dtype`: the model's."""
        self._value = np.array(self.value, dtype, order="C")
        self._grad = None if self._grad is None else self._grad.astype(dtype)

    def move(self, value_home: NDArray[Any], grad_home: NDArray[Any]) -> None:
        """Go on in other memory, of the parameter's size: beside the model's other parameters."""
        value, self._value = self.value, value_home.reshape(self.shape)
        self._value[...] = value
        grad, self._grad_home = self._grad, grad_home.reshape(self.shape)
        if grad is not None:
            self._grad_home[...] = grad
            self._grad = self._grad_home

    def _checked(self, array: ArrayLike, what: str) -> NDArray[Any]:
        checked = real_array(array, lambda: f"{self.name}.{what}")
        if checked.shape != self.shape:
            raise ShapeError(
                f"{self.name}.{what}: expected shape {self.shape}, given {checked.shape}"
            )
        return checked

    def __repr__(self) -> str:
        dtype = self._value.dtype if self._value is not None else "not set yet"
        return f"<Parameter {self.name}: shape {self.shape}, {dtype}>"


def not_to_be_replaced(layer: object, name: str) -> AttributeError:
    """What to raise where another parameter is put in the place of a layer's own.

    A training step and an optimizer hold on to it: another in its place would never learn.
    """
    return AttributeError(
        f"{getattr(layer, 'place', layer)}: {name} is the layer's own for good, as training steps "
        f"and optimizers know it; give it other numbers: layer.{name}.value = ..."
    )


def side_by_side(parameters: Sequence[Parameter], dtype: np.dtype[Any]) -> None:
    """Move parameters into one memory, so that an optimizer can move them all in one stretch."""
    sizes = [parameter.size for parameter in parameters]
    values, grads = np.empty(sum(sizes), dtype), np.zeros(sum(sizes), dtype)
    ends = np.cumsum(sizes, dtype=int)
    for parameter, size, end in zip(parameters, sizes, ends, strict=True):
        parameter.move(values[end - size : end], grads[end - size : end])


def lies_behind(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether `b` begins where `a` ends, in one memory."""
    return (
        a.base is not None
        and a.base is b.base
        and memory.address(a) + a.nbytes == memory.address(b)
    )


def joined(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The same numbers in as few flat arrays as there are, of those that lie side by side."""
    groups: list[list[NDArray[Any]]] = []
    for array in arrays:
        if groups and lies_behind(groups[-1][-1], array):
            groups[-1].append(array)
        else:
            groups.append([array])
    return [_flat(group) for group in groups]


def _flat(group: Sequence[NDArray[Any]]) -> NDArray[Any]:
    base = group[0].base
    if len(group) == 1 or base is None:
        return group[0].reshape(-1)
    start = (memory.address(group[0]) - memory.address(base)) // base.itemsize
    flat: NDArray[Any] = base[start : start + sum(array.size for array in group)]
    return flat
