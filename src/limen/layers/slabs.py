"""Rows of a batch that go together through the layers, and the threads that share them.

Every sample goes through the layers by itself: a batch is cut into slabs of rows, and each slab
goes all the way, forward and back, on one thread. What one layer leaves is in the cache when the
next one reads it, and two threads meet once in a pass and not once in a layer.

Slabs are cut by shape and machine alone. A matrix product's last bits may depend on how it is cut:
so they do not depend on how many threads there happen to be.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from types import EllipsisType
from typing import TYPE_CHECKING, TypeVar

from limen.kernels import board, threads
from limen.layers import blas

if TYPE_CHECKING:
    from limen.kernels.routine import Routines

__all__ = ["Rows", "cut", "share", "share_natively"]

Item = TypeVar("Item")
Rows = slice | EllipsisType
"""An index of an array: some of its rows, or all there is."""

# Below this many multiplications (half a millisecond), waking a thread and waiting for it costs
# more than it gives.
_WORTH_SHARING = 1 << 26
# Below this many (some ten microseconds), nothing asks for threads, and what keeps work from doing
# so would be a tenth of it.
_ASKS_FOR_NONE = 1 << 20
# A slab for each CPU of the machine, but neither too low (OpenBLAS copies the whole second matrix
# for each: with 64 rows it reaches 70% of its speed, with 512 95%) nor too many: each slab has
# a gradient of its own.
_FEWEST_ROWS, _MOST_SLABS = 64, 8


def cut(rows: int, multiplications: int) -> list[Rows]:
    """The slabs of a batch whose way forward costs about so many multiplications."""
    if multiplications < _WORTH_SHARING:
        return [...]
    slabs = min(max(os.cpu_count() or 1, 2), _MOST_SLABS)
    height = -(-rows // (slabs * _FEWEST_ROWS)) * _FEWEST_ROWS
    return [slice(start, min(start + height, rows)) for start in range(0, rows, height)]


def share(work: Callable[[Item], object], items: Sequence[Item], multiplications: int) -> None:
    """Call `work` for every item, on as many threads as pays.

    Args:
        work: in any order, and for several items at once.
        items: what it takes.
        multiplications: what all of them cost, in those of a matrix product.

    Raises:
        BaseException: the first error of any of them, after the others have ended.
    """
    if multiplications < _ASKS_FOR_NONE:
        _one_by_one(work, items)
        return
    is_large = multiplications >= _WORTH_SHARING
    with board.taken():
        if not blas.can_be_held() or (is_large and len(items) == 1):
            # A few samples through wide layers: BLAS may cut what we do not.
            threads.alone(partial(_one_by_one, work, items))
            return
        # Nor may BLAS have threads where we take none. A step of 1.1 ms (128 samples, width 256)
        # takes 0.9 with them if they spin already, and 1.7 if they have to be woken.
        with blas.ONE_THREAD:
            if is_large:
                _spread(work, items)
            else:
                threads.alone(partial(_one_by_one, work, items))


def share_natively(routines: Routines, multiplications: int) -> None:
    """Do native routines, on as many threads as pays.

    Args:
        routines: one for each slab.
        multiplications: as for `share`.
    """
    is_large = multiplications >= _WORTH_SHARING
    if multiplications < _ASKS_FOR_NONE or (is_large and len(routines) == 1):
        routines(0)  # as there: too little, or for BLAS to cut
        return
    with blas.ONE_THREAD:
        routines(len(routines) - 1 if is_large else 0)


def _one_by_one(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    for item in items:
        work(item)


def _spread(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    left = deque(items)

    def serve() -> None:
        while left:
            try:
                item = left.popleft()
            except IndexError:  # another thread was faster
                return
            work(item)

    hands = range(min(len(items), threads.available()))
    # Each in a copy of the caller's context, where NumPy keeps what `np.errstate` says.
    threads.run([partial(copy_context().run, serve) for _ in hands])
