"""Optimizers: how a gradient moves a parameter. PyTorch's conventions, in place.

The arrays that go with a parameter are made at its first step and reused ever after.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import isfinite, sqrt
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from limen.kernels.loops import adam, sgd, sgd_with_momentum
from limen.layers.parameter import Parameter
from limen.layers.stretch import Rule, State, Stretch, stretches

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]


class Optimizer(ABC):
    """Moves parameters against their gradients.

    Attributes:
        learning_rate: may be changed between steps.
        weight_decay: the pull of every parameter towards zero.
    """

    _running: int  # how many arrays go with a parameter from step to step

    def __init__(self, learning_rate: float, weight_decay: float) -> None:
        self.learning_rate = _number(learning_rate, "learning_rate", self)
        self.weight_decay = _number(weight_decay, "weight_decay", self)
        self._states: WeakKeyDictionary[Parameter, State] = WeakKeyDictionary()
        self._last: tuple[tuple[Parameter, ...], list[Stretch]] = ((), [])

    def step(self, parameters: Iterable[Parameter]) -> None:
        """Move every parameter once, in place, along its `grad`.

        Raises:
            OrderError: when a parameter has no gradient yet.
        """
        # A training loop comes with the same ones, step by step.
        given = parameters if isinstance(parameters, tuple) else tuple(parameters)
        if given != self._last[0] or not all(s.is_current for s in self._last[1]):
            self._last = given, stretches([self._state(p) for p in given], self._running)
        for stretch in self._last[1]:
            for state in stretch.states:
                state.steps += 1
            stretch.move(self._rule(stretch.states[0].steps))

    def _state(self, parameter: Parameter) -> State:
        state = self._states.get(parameter)
        if state is None or state.value.dtype != parameter.value.dtype:
            state = self._states[parameter] = State(parameter)
        return state.look()

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: its options, and its parameters with what goes with them.

        It stays the optimizer of a model that is pickled or copied together with it.
        """
        states = [(p, s.steps, [a.copy() for a in s.running]) for p, s in self._states.items()]
        return {k: v for k, v in vars(self).items() if k not in ("_states", "_last")} | {
            "states": states
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = state.pop("states")
        vars(self).update(state, _states=WeakKeyDictionary(), _last=((), []))
        for parameter, steps, running in kept:
            restored = self._states[parameter] = State(parameter)
            restored.steps, restored.running = steps, running

    @abstractmethod
    def _rule(self, step: int) -> Rule:
        """How numbers move at a step; it counts from 1."""

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

    _running = 1  # the velocity, which takes no memory before there is a momentum

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        self.momentum = _fraction(momentum, "momentum", self)

    def _rule(self, step: int) -> Rule:
        numbers = self.learning_rate, self.weight_decay
        if self.momentum:
            return Rule(sgd_with_momentum, 1, (*numbers, self.momentum))
        return Rule(sgd, 0, numbers)

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

    Example:
        >>> import limen
        >>> limen.Adam(0.01)
        Adam(learning_rate=0.01, betas=(0.9, 0.999))
    """

    _running = 2

    def __init__(
        self,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        try:
            first, second = betas
        except (TypeError, ValueError):
            raise TypeError(f"{type(self).__name__}: betas are two, given {betas!r}") from None
        self.betas = _fraction(first, "betas[0]", self), _fraction(second, "betas[1]", self)
        self.epsilon = _number(epsilon, "epsilon", self)

    def _rule(self, step: int) -> Rule:
        return self._adapted(step, shrink=1.0, decay=self.weight_decay)

    def _adapted(self, step: int, *, shrink: float, decay: float) -> Rule:
        """Adam's step on `shrink w`, along `decay w + g`."""
        first, second = self.betas
        numbers = (shrink, decay, first, 1.0 - first, second, 1.0 - second)
        root, rate = sqrt(1.0 - second**step), self.learning_rate / (1.0 - first**step)
        return Rule(adam, 2, (*numbers, root, self.epsilon, rate))

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), "betas": self.betas}


class AdamW(Adam):
    """Adam with decoupled weight decay: `w = (1 - learning_rate weight_decay) w`, then Adam's step.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, in the form of
    `torch.optim.AdamW`.

    Example:
        >>> import limen
        >>> limen.AdamW(0.01)
        AdamW(learning_rate=0.01, betas=(0.9, 0.999), weight_decay=0.01)
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, betas, epsilon, weight_decay)

    def _rule(self, step: int) -> Rule:
        shrink = 1.0 - self.learning_rate * self.weight_decay
        return self._adapted(step, shrink=shrink, decay=0.0)


def _number(value: float, what: str, optimizer: Optimizer) -> float:
    number = _float(value)
    if number is None:
        raise TypeError(f"{type(optimizer).__name__}: {what} must be a number, given {value!r}")
    if not (isfinite(number) and number >= 0.0):
        raise ValueError(f"{type(optimizer).__name__}: {what} must be 0 or more, given {value!r}")
    return number


def _float(value: object) -> float | None:
    """The number, if it is one; True is 1.0, a step that nobody means, and so is text."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _fraction(value: float, what: str, optimizer: Optimizer) -> float:
    number = _number(value, what, optimizer)
    if number >= 1.0:
        raise ValueError(f"{type(optimizer).__name__}: {what} must be below 1, given {value!r}")
    return number
