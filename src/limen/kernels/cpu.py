"""Runs a kernel over arrays of any layout, in tiles and on several threads where it pays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from ctypes import addressof, c_int64, create_string_buffer
from functools import lru_cache, partial
from math import fsum, isfinite
from time import thread_time
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from limen import memory
from limen.kernels import hands, sweep
from limen.kernels.board import BOARD
from limen.kernels.cache import Kernel
from limen.kernels.entry import address_of, entry_of, signature_of
from limen.kernels.routine import Call

__all__ = ["Launcher"]

Array = NDArray[np.generic]

# A hand that is awake joins within a microsecond; to wake one costs the caller a few, and it comes
# some 50 later: that pays for work that lasts, and for work that comes again and again.
_WORTH_JOINING = 5e-6  # seconds of one thread
_WORTH_WAKING = 2.5e-5
_FIRST_GUESS = 2e-9  # seconds for an element, of a kernel that has not been timed
_TIMED_FROM = 1 << 12  # elements: shorter runs time the clock
_TIMED = 4  # runs, before larger arrays may go the quick way: the first finds cold caches

# From here on an output is in no cache by the time someone reads it, and storing past the cache
# saves reading the memory that is about to be overwritten. It pays where memory is the bottleneck
# and not arithmetic: at 2^27 bytes relu takes 0.40 ns for an element instead of 0.57, its backward
# pass 0.66 instead of 0.80; a kernel of 1.1 ns loses a tenth.
_STREAM_FROM = 1 << 26  # bytes
_MEMORY_COST = 9e-11  # seconds for a byte read or written


class Launcher:
    """A kernel with its numbers, ready to run.

    Args:
        kernel: a compiled kernel: of flat arrays, those read first, and then numbers.
        numbers: the values of its numbers.

    Attributes:
        record: the address of the kernel's record (see `sweep.py`).
    """

    def __init__(self, kernel: Kernel, numbers: Sequence[float]) -> None:
        self._kernel = kernel  # whose machine code the record points to
        self._numbers = np.array(numbers, np.float64)
        entry, address, shape = _described(kernel)
        self._record = _words((entry, address, self._numbers.ctypes.data, 0, 0, 0, *shape))
        self.record = addressof(self._record)
        self._cost, self._runs = 0.0, 0
        self._learn(_FIRST_GUESS)

    def run(
        self, inputs: Sequence[Array], outputs: Sequence[Array], terms: Sequence[Launcher] = ()
    ) -> list[float]:
        """Runs the kernel over arrays of one shape, and sums what other kernels make of them.

        Args:
            inputs: the arrays read.
            outputs: the arrays written, which may overlap those read in any way.
            terms: kernels of the same inputs and one float64 output, which is summed, not stored.

        Returns:
            For each of `terms` the sum over all elements: of tiles in C order, pairwise in each,
            then exactly.
        """
        size = outputs[0].size
        if not size:
            return [0.0] * len(terms)
        axes = tuple(range(outputs[0].ndim)) if terms else _axis_order(outputs[0])
        flat_in, flat_out, finish = _flattened(inputs, outputs, axes)
        addresses = _words(memory.address(a) for a in (*flat_in, *flat_out))
        partials = np.empty((len(terms), -(-size // sweep.TILE)) if terms else (0, 0))
        sums = _words((*partials.shape, memory.address(partials), *(t.record for t in terms)))
        cost = self._cost + sum(term._cost for term in terms)
        helpers = self._helpers(size)
        how = _way(flat_in, flat_out, cost / (1 + helpers))
        table, to_sum = addressof(addresses), addressof(sums) if terms else 0
        share, scratch = hands.native_share(), _scratch()
        begun = thread_time()  # without what the thread waits for, such as the GIL
        done = share(self.record, table, scratch, how, to_sum, size, helpers)
        spent = thread_time() - begun
        if not terms and done >= _TIMED_FROM:
            self._runs += 1
            self._learn(spent / done)
        for copy in finish:
            copy()
        return [_total(row.tolist()) for row in partials]

    def call(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Call | None:
        """The same as a native call on one thread, for arrays that stay where they are.

        Args:
            inputs: the arrays read, of one shape.
            outputs: the arrays written.

        Returns:
            The call; None where arrays overlap, are empty, no row in memory, or larger than caches.
        """
        arrays = (*inputs, *outputs)
        are_rows = all(a.flags.c_contiguous and a.flags.aligned for a in arrays)
        size = outputs[0].size
        if not are_rows or not size or _way(inputs, outputs, self._cost) != sweep.DIRECT:
            return None
        entry, kernel, numbers = self._record[: sweep.NUMBERS + 1]
        return Call(entry, (kernel, arrays, numbers, size), self)

    def _helpers(self, size: int) -> int:
        """How many hands may help with so many elements."""
        if size >= self._record[sweep.WOKEN]:
            return hands.ready()
        return BOARD.allow() if size >= self._record[sweep.JOINED] else 0

    def _learn(self, cost: float) -> None:
        """Keeps the shortest time of an element, and from where on others should help."""
        if cost < self._cost or self._cost in (0.0, _FIRST_GUESS):
            self._cost = cost
            self._record[sweep.JOINED] = max(int(_WORTH_JOINING / cost), 2 * sweep.TILE)
            self._record[sweep.WOKEN] = max(int(_WORTH_WAKING / cost), 2 * sweep.TILE)
        most = _STREAM_FROM // int(self._record[-1]) - 1
        self._record[sweep.LIMIT] = most if self._runs >= _TIMED else _TIMED_FROM


@lru_cache(maxsize=1024)
def _described(kernel: Kernel) -> tuple[int, int, tuple[int, ...]]:
    """The entry and the address of a kernel, and how many arrays of which elements it takes."""
    arrays = [kind for kind in signature_of(kernel) if isinstance(kind, types.Array)]
    inputs = sum(not kind.mutable for kind in arrays)
    sizes = [kind.dtype.bitwidth // 8 for kind in arrays]
    return entry_of(kernel), address_of(kernel), (inputs, len(arrays) - inputs, *sizes)


def _total(parts: list[float]) -> float:
    """The exact sum, rounded once; NaN and infinities as in plain addition."""
    return fsum(parts) if all(map(isfinite, parts)) else sum(parts)


def _way(inputs: Sequence[Array], outputs: Sequence[Array], cost: float) -> int:
    """How results reach the outputs, at so many seconds an element.

    In place, LLVM's vector loop does not apply (it may not alias); beside the array it does, so
    the code and hence the bits are the same as out of place.
    """
    if any(np.may_share_memory(i, o) for i in inputs for o in outputs):
        return sweep.COPIED
    moved = sum(array.itemsize for array in (*inputs, *outputs))
    is_streamed = outputs[0].nbytes >= _STREAM_FROM and cost < _MEMORY_COST * moved
    return sweep.STREAMED if is_streamed else sweep.DIRECT


_local = threading.local()


def _scratch() -> int:
    """The address of a scratch that the thread keeps."""
    try:
        address: int = _local.address
    except AttributeError:
        _local.kept = create_string_buffer(sweep.SCRATCH)
        address = _local.address = addressof(_local.kept)
    return address


def _words(values: Iterable[int]) -> Any:
    """A table of words, as native code reads it."""
    listed = tuple(values)
    return (c_int64 * len(listed))(*listed)


# --- Layout ----------------------------------------------------------------------------------


def _flattened(
    inputs: Sequence[Array], outputs: Sequence[Array], axes: tuple[int, ...]
) -> tuple[list[Array], list[Array], list[Callable[[], None]]]:
    """Flat views in one common order of elements, and what to copy back afterwards.

    Arrays that are contiguous in the given order of axes are viewed; others are copied. Overlap
    that is not element on element would let a tile overwrite what a later one reads: such an input
    is copied as well.
    """
    flat_out: list[Array] = []
    finish: list[Callable[[], None]] = []
    for output in outputs:
        view = _view(output, axes)
        if view is None:
            view = memory.empty((output.size,), output.dtype)
            ordered = output.transpose(axes)
            finish.append(partial(np.copyto, ordered, view.reshape(ordered.shape)))
        flat_out.append(view)
    return [_read(a, axes, outputs) for a in inputs], flat_out, finish


def _read(array: Array, axes: tuple[int, ...], outputs: Sequence[Array]) -> Array:
    view = _view(array, axes)
    if view is None or any(_is_shifted(array, output) for output in outputs):
        return array.transpose(axes).flatten()
    return view


def _is_shifted(a: Array, b: Array) -> bool:
    same = memory.address(a) == memory.address(b) and a.strides == b.strides
    return not same and np.may_share_memory(a, b)


def _axis_order(array: Array) -> tuple[int, ...]:
    """The axes from the slowest to the fastest in memory."""
    strides = array.strides
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(strides[axis])))


def _view(array: Array, axes: tuple[int, ...]) -> Array | None:
    ordered = array.transpose(axes)
    return ordered.reshape(-1) if ordered.flags.c_contiguous and ordered.flags.aligned else None
