"""What observing needs from a kind of network: limen's own, and PyTorch's, each have theirs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from limen.function import ActivationFunction
from limen.insight.observing.tally import Look, Tally

__all__ = ["Audience", "Network", "Represented", "look_at", "slopes_of"]

Array = NDArray[Any]


class Represented(NamedTuple):
    """What a layer makes of the probe."""

    tally: Tally
    look: Look
    representation: Array  # (samples, features)


class Audience(Protocol):
    """What a network reports to."""

    @property
    def step(self) -> int:
        """The present one, counted from 0."""

    def begins(self, inputs: int) -> bool:
        """A pass with so many samples; whether to look at it."""

    def tally(self, key: Any, name: str, function: ActivationFunction | str, width: int) -> Tally:
        """The account of a layer, opened when it is first met."""

    def rows(self, count: int, width: int) -> Array | slice:
        """Which of so many rows to look at."""

    def probe_rows(self, count: int, width: int) -> Array | slice:
        """Which rows of a probe."""

    def ends(self, seconds: float) -> None:
        """What a look cost."""

    def costs(self, seconds: float) -> None:
        """What looking cost beside."""


class Network(ABC):
    """A network that can be watched."""

    @abstractmethod
    def start(self) -> None:
        """Begins to report."""

    @abstractmethod
    def stop(self) -> None:
        """Leaves nothing behind."""

    @abstractmethod
    def represent(self, x: Any) -> Iterable[Represented]:
        """What each layer met so far makes of some data; leaves the network as it is."""


def slopes_of(function: ActivationFunction, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """The derivative by each input that the learning flow is multiplied with.

    That of the surrogate where there is one, and the one chosen at kinks.
    """
    found = function.backward(np.ones_like(inputs[0]), *inputs)
    return found if function.is_gated else (found,)


def look_at(function: ActivationFunction, x: Array, post: Array) -> Look:
    """A look at rows that went through a function; a gated one takes them in halves."""
    if not function.is_gated:
        return Look(x, post, slopes_of(function, (x,)))
    value, gate = np.split(x, 2, axis=-1)
    return Look(gate, post, slopes_of(function, (gate, value)))
