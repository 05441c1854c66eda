"""One leg of the way through the layers: what is native goes as a whole, without the GIL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from limen.kernels.cache import compiling

if TYPE_CHECKING:
    from limen.kernels.routine import Call, Routine
    from limen.layers.layer import Layer

__all__ = ["Leg", "Move", "native_calls"]

Array = NDArray[Any]


class Move(NamedTuple):
    """A step of one layer.

    Attributes:
        do: does it.
        calls: the native calls that do the same, for as long as all arrays stay; None for none.
    """

    do: Callable[[], object]
    calls: list[Call] | None


def native_calls(layer: Layer, step: str, *arrays: Any) -> list[Call] | None:
    """What a step of a layer ("compute", "flow", "teach") comes to, if it is nothing but that.

    A class that says anew what a step does does not mean the calls of the class it is made from.
    """
    with compiling:
        from limen.kernels.routine import is_open

    for kind in type(layer).__mro__ if is_open() else ():
        if step in vars(kind):
            is_meant = f"{step}_calls" in vars(kind)
            calls: list[Call] | None = (
                getattr(layer, f"{step}_calls")(*arrays) if is_meant else None
            )
            return calls
    return None


class Leg:
    """Moves that are made in order, in arrays that stay: all but the one it begins with.

    Args:
        moves: what they are.
        start: the array it begins with at first.
    """

    def __init__(self, moves: Iterable[Move], start: Array) -> None:
        self._steps: list[Callable[[], object]] = []
        self._routines: list[Routine] = []
        for is_native, group in groupby(moves, lambda move: move.calls is not None):
            if is_native:
                with compiling:  # what is imported here must not be half there in a forked child
                    from limen.kernels.routine import Routine

                calls = [call for move in group for call in move.calls or ()]
                self._routines.append(Routine(calls, start))
                self._steps.append(self._routines[-1])
            else:
                self._steps += [move.do for move in group]

    def begin_with(self, start: Array) -> None:
        """Take another array, laid out as the first one, to begin with."""
        for routine in self._routines:
            routine.begin_with(start)

    def __call__(self) -> None:
        """Make the moves."""
        for step in self._steps:
            step()
