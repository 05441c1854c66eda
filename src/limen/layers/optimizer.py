"""Optimizers: how a gradient moves a parameter. PyTorch's conventions, in place.

State and scratch arrays are made at a parameter's first step and reused ever after.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import isfinite, sqrt
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from limen.layers.parameter import Parameter

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]

Array = NDArray[Any]


class Optimizer(ABC):
    """Moves parameters against their gradients.

    Attributes:
        learning_rate: may be changed between steps.
        weight_decay: the pull of every parameter towards zero.
    """

    _arrays: int  # how many arrays of state and scratch a parameter needs

    def __init__(self, learning_rate: float, weight_decay: float) -> None:
        self.learning_rate = _number(learning_rate, "learning_rate", self)
        self.weight_decay = _number(weight_decay, "weight_decay", self)
        self._state: WeakKeyDictionary[Parameter, list[Array]] = WeakKeyDictionary()
        self._steps: WeakKeyDictionary[Parameter, int] = WeakKeyDictionary()

    def step(self, parameters: Iterable[Parameter]) -> None:
        """Move every parameter once, in place, along its `grad`.

        Raises:
            OrderError: when a parameter has no gradient yet.
        """
        for parameter in parameters:
            value, grad = parameter.value, parameter.grad
            arrays = self._state.get(parameter)
            if arrays is None or arrays[0].dtype != value.dtype:
                arrays = [np.zeros_like(value) for _ in range(self._arrays)]
                self._state[parameter] = arrays
                self._steps[parameter] = 0
            self._steps[parameter] += 1
            self._move(value, grad, arrays, self._steps[parameter])

    @abstractmethod
    def _move(self, value: Array, grad: Array, arrays: list[Array], step: int) -> None:
        """One step for one parameter; `step` counts from 1."""

    def _options(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate}

    def __repr__(self) -> str:
        options = self._options()
        if self.weight_decay:
            options["weight_decay"] = self.weight_decay
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in options.items())})"


class SGD(Optimizer):
    """Stochastic gradient descent: `b = momentum b + g`, then `w = w - learning_rate b`.

    `g` is the gradient plus `weight_decay * w` (`torch.optim.SGD`, without dampening).

    Args:
        learning_rate: the length of a step.
        momentum: how much of the last step's direction stays.
        weight_decay: L2 penalty.

    Example:
        >>> import limen
        >>> limen.SGD(0.1, momentum=0.9)
        SGD(learning_rate=0.1, momentum=0.9)
    """

    _arrays = 2

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.momentum = _fraction(momentum, "momentum", self)

    def _move(self, value: Array, grad: Array, arrays: list[Array], step: int) -> None:
        velocity, move = arrays
        direction = _decayed(grad, value, self.weight_decay, out=move)
        if self.momentum:
            velocity *= self.momentum
            velocity += direction
            direction = velocity
        np.multiply(direction, self.learning_rate, out=move)
        value -= move

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), **({"momentum": self.momentum} if self.momentum else {})}


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square.

    `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, and
    `w = w - learning_rate m' / (sqrt(v') + epsilon)` with `m' = m / (1 - b1^t)`,
    `v' = v / (1 - b2^t)`; Kingma and Ba, "Adam", ICLR 2015, in the form of `torch.optim.Adam`.
    `weight_decay` adds `weight_decay * w` to g; `AdamW` keeps it apart.

    Args:
        learning_rate: the length of a typical step.
        betas: how much of the two running means stays.
        epsilon: keeps the division finite.
        weight_decay: L2 penalty.
    """

    _arrays = 4

    def __init__(
        self,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        first, second = betas
        self.betas = _fraction(first, "betas[0]", self), _fraction(second, "betas[1]", self)
        self.epsilon = _number(epsilon, "epsilon", self)

    def _move(self, value: Array, grad: Array, arrays: list[Array], step: int) -> None:
        decayed = _decayed(grad, value, self.weight_decay, out=arrays[3])
        self._adapt(value, decayed, arrays, step)

    def _adapt(self, value: Array, grad: Array, arrays: list[Array], step: int) -> None:
        mean, square, scratch, move = arrays  # `grad` may live in `move`: read it first
        first, second = self.betas
        mean *= first
        np.multiply(grad, 1.0 - first, out=scratch)
        mean += scratch
        np.multiply(grad, grad, out=scratch)
        scratch *= 1.0 - second
        square *= second
        square += scratch
        np.sqrt(square, out=scratch)
        scratch /= sqrt(1.0 - second**step)
        scratch += self.epsilon
        np.divide(mean, scratch, out=move)
        move *= self.learning_rate / (1.0 - first**step)
        value -= move

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "betas": self.betas}


class AdamW(Adam):
    """Adam with decoupled weight decay: `w = (1 - learning_rate weight_decay) w`, then Adam's step.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, in the form of
    `torch.optim.AdamW`.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, betas, epsilon, weight_decay)

    def _move(self, value: Array, grad: Array, arrays: list[Array], step: int) -> None:
        value *= 1.0 - self.learning_rate * self.weight_decay
        self._adapt(value, grad, arrays, step)


def _decayed(grad: Array, value: Array, weight_decay: float, out: Array) -> Array:
    if not weight_decay:
        return grad
    np.multiply(value, weight_decay, out=out)
    out += grad
    return out


def _number(value: float, what: str, optimizer: Optimizer) -> float:
    number = float(value)
    if not (isfinite(number) and number >= 0.0):
        raise ValueError(f"{type(optimizer).__name__}: {what} must be 0 or more, given {value!r}")
    return number


def _fraction(value: float, what: str, optimizer: Optimizer) -> float:
    number = _number(value, what, optimizer)
    if number >= 1.0:
        raise ValueError(f"{type(optimizer).__name__}: {what} must be below 1, given {value!r}")
    return number
