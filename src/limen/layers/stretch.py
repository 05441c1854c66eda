"""What an optimizer moves at once: parameters that lie side by side, as if they were one.

Each number of a parameter moves by itself. So the parameters of a model, which share one memory,
are moved in one go; a long stretch goes in tiles that stay in the cache, on several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import DtypeError
from limen.layers.arrays import MODEL_DTYPES
from limen.layers.parameter import Parameter, joined, lies_behind

__all__ = ["State", "Stretch", "Tile", "stretches"]

Array = NDArray[Any]
_TILE = 1 << 16  # numbers that are worth the way to another thread
_AS_MULTIPLICATIONS = 64  # from memory, a number's step takes about a nanosecond


class State:
    """A parameter, and what goes with it from step to step."""

    def __init__(self, parameter: Parameter) -> None:
        if parameter.value.dtype not in MODEL_DTYPES:
            raise DtypeError(
                f"{parameter.name}: an optimizer moves {' and '.join(MODEL_DTYPES)}, "
                f"given {parameter.value.dtype}"
            )
        self.parameter = parameter
        self.value, self.grad = parameter.value, parameter.grad
        self.running: list[Array] = []
        self.steps = 0

    def look(self) -> State:
        """Where the parameter is now: joining a model moves it."""
        self.value, self.grad = self.parameter.value, self.parameter.grad
        return self


class Tile(NamedTuple):
    """Some numbers of a stretch."""

    value: Array
    grad: Array
    running: list[Array]


class Stretch:
    """Parameters side by side, with the same number of steps behind them.

    Args:
        states: of the parameters.
        running: how many arrays go with each from step to step.

    Attributes:
        tiles: what is moved together.
        effort: what a step costs, in multiplications of a matrix product.
    """

    def __init__(self, states: Sequence[State], running: int) -> None:
        self.states = states
        (value,), (grad,) = joined([s.value for s in states]), joined([s.grad for s in states])
        if not states[0].running:
            _begin(states, [np.zeros_like(value) for _ in range(running)])
        together = [joined(arrays)[0] for arrays in zip(*(s.running for s in states), strict=True)]
        parts = [slice(start, start + _TILE) for start in range(0, value.size, _TILE)]
        self.effort = value.size * _AS_MULTIPLICATIONS
        self.tiles = [Tile(value[p], grad[p], [array[p] for array in together]) for p in parts]

    @property
    def is_current(self) -> bool:
        """Whether the parameters are still where they were."""
        return all(state.parameter.lies_at(state.value, state.grad) for state in self.states)


def stretches(states: Sequence[State], running: int) -> list[Stretch]:
    """As few stretches as the parameters make up in their order."""
    groups: list[list[State]] = []
    for state in states:
        if groups and _continues(groups[-1][-1], state):
            groups[-1].append(state)
        else:
            groups.append([state])
    return [Stretch(group, running) for group in groups]


def _continues(last: State, state: State) -> bool:
    """Whether a parameter lies right behind another one, in everything a step touches."""
    if last.steps != state.steps or len(last.running) != len(state.running):
        return False
    mine = (last.value, last.grad, *last.running)
    theirs = (state.value, state.grad, *state.running)
    return all(lies_behind(a, b) for a, b in zip(mine, theirs, strict=True))


def _begin(states: Sequence[State], running: list[Array]) -> None:
    """Give each parameter its part of the arrays that go with all of them."""
    start = 0
    for state in states:
        state.running = [array[start : start + state.value.size] for array in running]
        start += state.value.size
