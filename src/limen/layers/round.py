"""The round of a batch, through the layers and back, in arrays that stay.

From the second step on, everything is where it was: so a round is written down once, slab by slab,
as native calls where it can be. A model of Linear layers and activation functions with a native
loss goes its whole round without Python, each slab on a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from limen.kernels.cache import compiling
from limen.layers.moves import Chain, Move
from limen.layers.slabs import share, share_natively

if TYPE_CHECKING:
    from limen.layers.passing import Pass, Slab

__all__ = ["Round"]

Array = NDArray[Any]

# Native calls cannot be interrupted: rounds that take seconds go layer by layer.
_LONGEST = 1 << 34  # multiplications there; about twice as many back


class Round:
    """A batch's way through the layers, its score, and the way back.

    Args:
        way: the way, which has taken a batch, and knows where the flows go.
        target: what the loss has made of the batch's targets.
        score: the move that scores a slab, whose number and target it is told.
    """

    def __init__(self, way: Pass, target: Array, score: Callable[[int, Array], Move]) -> None:
        self._slabs, self._effort = way.slabs, way.effort
        self._dtypes = self._slabs[0].start.dtype, target.dtype
        self._chains = []
        for k, slab in enumerate(self._slabs):
            part = target[slab.rows]
            moves = [*slab.moves_forward(), score(k, part), *slab.moves_back()]
            self._chains.append(Chain(moves, (slab.start, part)))
        routines = [chain.routine for chain in self._chains if chain.routine is not None]
        self._whole = None
        if len(routines) == len(self._chains):
            with compiling:
                from limen.kernels.routine import Routines

            self._whole = Routines(routines)

    @staticmethod
    def is_worth_it(way: Pass) -> bool:
        """Whether a way, which has taken a batch, has a round."""
        return way.effort <= _LONGEST and _are_rows(way.slabs)

    def fits(self, target: Array) -> bool:
        """Whether the batch that the way has taken, and its target, lie as the first ones."""
        dtypes = self._slabs[0].start.dtype, target.dtype
        return dtypes == self._dtypes and _are_rows(self._slabs)

    def __call__(self, target: Array) -> None:
        """Send the batch that the way has taken there and back."""
        for slab, chain in zip(self._slabs, self._chains, strict=True):
            chain.move(slab.start, target[slab.rows])
        if self._whole is not None:
            share_natively(self._whole, self._effort)
        else:
            share(Chain.__call__, self._chains, self._effort)


def _are_rows(slabs: Sequence[Slab]) -> bool:
    """Whether what goes into the slabs lies in memory row by row."""
    return all(slab.start.flags.c_contiguous for slab in slabs)
