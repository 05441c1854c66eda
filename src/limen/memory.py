"""A pool of large blocks for new arrays, because fresh pages cost more than the mathematics.

The system clears every fresh page when it is first touched, which takes longer than evaluating
most functions on it. A block whose array is no longer used is therefore kept, up to a limit, and
given to the next array of about its size. Blocks are backed by huge pages where the system has
them.

    limen.memory.limit(2**30)   # keep at most 1 GiB of unused blocks; also $LIMEN_POOL_LIMIT
    limen.memory.release()      # give all unused blocks back to the system
"""

from __future__ import annotations

import mmap
import os
import threading
from collections import deque
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import LimenError

__all__ = ["LARGE", "empty", "empty_like", "held", "limit", "release"]

Array = NDArray[Any]

LARGE = 1 << 20
"""Bytes from which arrays come from the pool, which takes a microsecond: smaller ones the system
allocator serves as well, without giving their pages back between one and the next."""

_HUGE_PAGE = 1 << 21
_STEPS = 8  # sizes of blocks in each doubling: at most an eighth of a block is unused
_SHARE = 4  # by default, unused blocks take at most this fraction of the machine's memory
_FALLBACK = 1 << 30


class _Block:
    """Memory lent to one array at a time; `used` is how many of its bytes the last one has."""

    __slots__ = ("pages", "pool", "size", "start", "used")

    def __init__(self, size: int, pool: _Pool) -> None:
        self.size = self.used = size
        self.pool = pool
        self.pages, self.start = _pages(size)


def _pages(size: int) -> tuple[Any, int]:
    """Fresh bytes, and where in them the block begins.

    Where the system lets us choose they are in huge pages, and a forked child's own.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return bytearray(size), 0
    try:
        pages = mmap.mmap(-1, size + _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:  # NumPy's name for it, which callers know
        raise MemoryError(f"no {size:,} bytes are to be had: {error}") from None
    if hasattr(mmap, "MADV_HUGEPAGE") and size >= _HUGE_PAGE:
        with suppress(OSError):  # a kernel without them: plain pages will do
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages, -address(np.frombuffer(pages, np.uint8)) % _HUGE_PAGE


class _Lease(np.ndarray[Any, np.dtype[np.uint8]]):
    """The bytes of a block on behalf of an array and its views: when the last dies, it goes back.

    It is an array itself because others are made on its memory in one call; of a type of its own,
    because NumPy would pass over a plain one and have them depend on the block's pages alone.
    """

    __slots__ = ("block",)

    block: _Block

    def __del__(self) -> None:
        self.block.pool.take_back(self.block)


class _Pool:
    """Blocks that no array uses, the longest unused first.

    A lease may end at any moment, in the middle of our own work too (garbage collection): it only
    appends to `_returned`, which is atomic. Whoever has the lock next puts the block in its place,
    unless the next array takes it from there.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._returned: deque[_Block] = deque()
        self._unused: list[_Block] = []
        self._size = 0  # of all that are unused

    def lend(self, size: int) -> _Lease:
        """So many bytes, of any value."""
        try:  # the block that came last, if it was as large, without a lock: that would cost more
            block = self._returned.pop()
            if block.used != size:
                self._returned.append(block)
                block = self._found(size)
        except IndexError:
            block = self._found(size)
        lease = _Lease(size, np.uint8, block.pages, block.start)
        lease.block = block
        return lease

    def _found(self, size: int) -> _Block:
        wanted = _block_size(size)
        with self._lock:
            self._settle()
            block = self._taken(wanted) or _Block(wanted, self)
        self.settle()
        block.used = size
        return block

    def _taken(self, wanted: int) -> _Block | None:
        for place in range(len(self._unused) - 1, -1, -1):  # the last is the likeliest in cache
            if self._unused[place].size == wanted:
                self._size -= wanted
                return self._unused.pop(place)
        return None

    def take_back(self, block: _Block) -> None:
        self._returned.append(block)
        if len(self._returned) > 1 or self._size + block.size > self.limit:
            self.settle()

    def settle(self) -> None:
        """Keeps to the limit, unless someone is at it: they, or the next, will see what came."""
        while self._returned and self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        while self._returned:
            block = self._returned.popleft()
            self._unused.append(block)
            self._size += block.size
        while self._size > self.limit:
            self._size -= self._unused.pop(0).size

    def release(self) -> int:
        with self._lock:
            self._settle()
            freed, self._size = self._size, 0
            self._unused.clear()
        return freed

    def held(self) -> int:
        with self._lock:
            self._settle()
            return self._size


def _block_size(size: int) -> int:
    """The size of block for an array: a whole number of steps of its power of two."""
    step = max(1 << 16, 1 << max(size.bit_length() - 1, 0)) // _STEPS
    return -(-size // step) * step


def _default_limit() -> int:
    given = os.environ.get("LIMEN_POOL_LIMIT", "")
    if given.isdecimal():
        return int(given)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _SHARE
    except (AttributeError, OSError, ValueError):
        return _FALLBACK


_pool = _Pool(_default_limit())


def _forget() -> None:
    """A forked child begins with nothing unused; arrays it inherited keep their blocks."""
    _pool.__init__(_pool.limit)  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


# --- What others use -------------------------------------------------------------------------


def address(array: Array) -> int:
    """Where an array begins, without `array.ctypes`: that imports, which Python's end forbids."""
    return int(array.__array_interface__["data"][0])


def empty(shape: tuple[int, ...], dtype: Any = np.float64) -> Array:
    """A new array of any values, in C order; a large one from the pool."""
    dtype = np.dtype(dtype)
    size = dtype.itemsize * prod(shape)
    if size < LARGE or dtype.hasobject:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, _pool.lend(size))


def empty_like(array: Array) -> Array:
    """A new array with the shape, dtype and memory order of another; a large one from the pool."""
    if array.nbytes < LARGE or array.dtype.hasobject:
        return np.empty_like(array, subok=False)
    if array.flags.c_contiguous:
        return np.ndarray(array.shape, array.dtype, _pool.lend(array.nbytes))
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    ordered = empty(tuple(array.shape[axis] for axis in axes), array.dtype)
    return ordered.transpose(*map(axes.index, range(array.ndim)))


def limit(size: int | None = None) -> int:
    """The most bytes of unused blocks that are kept for reuse.

    Args:
        size: the new limit, if it shall change; 0 keeps nothing.

    Returns:
        The limit. Unless set here or in $LIMEN_POOL_LIMIT, a quarter of the machine's memory.

    Raises:
        LimenError: for a size below 0.

    Example:
        >>> import limen
        >>> before = limen.memory.limit()
        >>> limen.memory.limit(2**28)
        268435456
        >>> limen.memory.limit(before) == before
        True
    """
    if size is not None:
        if size < 0:
            raise LimenError(f"a limit is 0 bytes or more, got {size}")
        _pool.limit = int(size)
        _pool.held()
    return _pool.limit


def release() -> int:
    """Gives all unused blocks back to the system.

    Returns:
        How many bytes they were.
    """
    return _pool.release()


def held() -> int:
    """How many bytes of unused blocks are kept at present."""
    return _pool.held()
