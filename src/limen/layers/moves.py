"""The moves of a slab on its way through the layers, and which of them are native calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from limen.kernels.cache import compiling

if TYPE_CHECKING:
    from limen.kernels.routine import Call, Routine

__all__ = ["Chain", "Move", "native_calls"]

Array = NDArray[Any]


class Move(NamedTuple):
    """A step of one layer, or of the loss.

    Attributes:
        do: does it.
        calls: the native calls that do the same, for as long as all arrays stay; None for none.
    """

    do: Callable[[], object]
    calls: list[Call] | None


def native_calls(owner: object, step: str, *arrays: Any, **options: Any) -> list[Call] | None:
    """What a step of a layer ("compute", "flow", "teach") or a loss is, if it is native calls.

    A class that says anew what a step does does not mean the calls of the class it is made from.
    """
    for kind in type(owner).__mro__:
        if step in vars(kind):
            if f"{step}_calls" not in vars(kind):
                return None
            calls: list[Call] | None = getattr(owner, f"{step}_calls")(*arrays, **options)
            return calls
    return None


class Chain:
    """Moves in order, in arrays that stay: those that are native go as a whole.

    Args:
        moves: what they are.
        moving: those of their arrays (the very objects) that may be others each time.

    Attributes:
        routine: what all of them come to, where all are native.
    """

    def __init__(self, moves: Iterable[Move], moving: Sequence[Array]) -> None:
        with compiling:  # what is imported here must not be half there in a forked child
            from limen.kernels.routine import Routine, Routines

        self._steps: list[Callable[[], object]] = []
        self._routines: list[Routine] = []
        for is_native, group in groupby(moves, lambda move: move.calls is not None):
            if is_native:
                calls = [call for move in group for call in move.calls or ()]
                self._routines.append(Routine(calls, moving))
                together = Routines(self._routines[-1:])
                self._steps.append(partial(together, 0))
            else:
                self._steps += [move.do for move in group]
        is_whole = len(self._steps) == len(self._routines) == 1
        self.routine = self._routines[0] if is_whole else None

    def move(self, *arrays: Array) -> None:
        """Take other arrays, laid out alike, in the places of those that move."""
        for routine in self._routines:
            routine.move(*arrays)

    def __call__(self) -> None:
        """Make the moves."""
        for step in self._steps:
            step()
