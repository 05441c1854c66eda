"""What an optimizer moves at once: parameters that lie side by side, as if they were one.

Each number of a parameter moves by itself. So the parameters of a model, which share one memory,
are moved in one go; a long stretch goes in tiles, on several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.errors import DtypeError
from limen.kernels.loops import Loop, Tiled
from limen.layers.arrays import MODEL_DTYPES
from limen.layers.parameter import Parameter, joined, lies_behind

__all__ = ["Rule", "State", "Stretch", "stretches"]

Array = NDArray[Any]


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


class Rule(NamedTuple):
    """How numbers move.

    Attributes:
        loop: takes value and gradient, as many of the arrays that go with them as `running` says,
            and numbers.
        running: how many.
        numbers: what they are.
    """

    loop: Loop
    running: int
    numbers: tuple[float, ...]


class Stretch:
    """Parameters side by side, with the same number of steps behind them.

    Args:
        states: of the parameters.
        running: how many arrays go with each from step to step.
    """

    def __init__(self, states: Sequence[State], running: int) -> None:
        self.states = states
        (value,), (grad,) = joined([s.value for s in states]), joined([s.grad for s in states])
        if not states[0].running:
            _begin(states, [np.zeros_like(value) for _ in range(running)])
        together = [joined(arrays)[0] for arrays in zip(*(s.running for s in states), strict=True)]
        self._arrays = [value, grad, *together]
        self._moves: dict[Loop, Tiled] = {}

    def move(self, rule: Rule) -> None:
        """One step of every number."""
        move = self._moves.get(rule.loop)
        if move is None:
            arrays = self._arrays[: 2 + rule.running]
            move = self._moves[rule.loop] = Tiled(rule.loop, [arrays], len(rule.numbers))
        move(*rule.numbers)

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
