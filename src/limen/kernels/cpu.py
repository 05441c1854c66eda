"""Launches a kernel on arrays of any layout, in tiles and on several threads where it pays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels import threads
from limen.kernels.cache import Kernel

__all__ = ["launch"]

Array = NDArray[np.generic]

# Handing work to a sleeping thread costs some 30 microseconds: about this many elements.
PARALLEL_FROM = 1 << 16
# In place, a tile is computed beside the array and copied: both stay in the first-level cache.
_TILE = 1 << 12


def launch(
    kernel: Kernel,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    numbers: Sequence[float],
) -> None:
    """Runs a kernel over arrays of one shape.

    An output may be one of the inputs, or overlap one in any way.

    Args:
        kernel: a function of flat arrays and floats.
        inputs: the arrays read.
        outputs: the arrays written.
        numbers: the parameters.
    """
    size = outputs[0].size
    if not size:
        return
    is_simple = size < PARALLEL_FROM and all(a.flags.c_contiguous for a in (*inputs, *outputs))
    if is_simple and not _overlap(inputs, outputs):
        kernel(*map(_flat, inputs), *map(_flat, outputs), *numbers)
        return
    flat_in, flat_out, finish = _flattened(inputs, outputs)
    how = _tiled if _overlap(flat_in, flat_out) else _whole
    run = partial(how, kernel, flat_in, flat_out, tuple(numbers))
    parts = min(threads.available(), size // (PARALLEL_FROM // 2))
    if parts < 2:
        run(0, size)
    else:
        # A slab is a whole number of cache lines, so that no two threads write one line.
        slab = -(-size // parts + 63) & ~63
        threads.run([partial(run, s, min(s + slab, size)) for s in range(0, size, slab)])
    for copy in finish:
        copy()


def _flat(array: Array) -> Array:
    return array if array.ndim == 1 else array.reshape(-1)


def _overlap(inputs: Sequence[Array], outputs: Sequence[Array]) -> bool:
    return any(np.may_share_memory(i, o) for i in inputs for o in outputs)


def _whole(
    kernel: Kernel,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    numbers: tuple[float, ...],
    start: int,
    stop: int,
) -> None:
    kernel(*(a[start:stop] for a in (*inputs, *outputs)), *numbers)


def _tiled(
    kernel: Kernel,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    numbers: tuple[float, ...],
    start: int,
    stop: int,
) -> None:
    """Computes each tile beside the array, then copies it.

    In place, LLVM's vector loop does not apply (it may not alias); beside the array it does, so
    the code and hence the bits are the same as out of place.
    """
    scratch = _scratch(outputs)
    for at in range(start, stop, _TILE):
        end = min(at + _TILE, stop)
        tiles = [s[: end - at] for s in scratch]
        kernel(*(a[at:end] for a in inputs), *tiles, *numbers)
        for output, tile in zip(outputs, tiles, strict=True):
            output[at:end] = tile


_local = threading.local()


def _scratch(outputs: Sequence[Array]) -> list[Array]:
    """One tile for each output, kept by the thread."""
    kept: dict[Any, Array] = _local.__dict__
    found = []
    for place, output in enumerate(outputs):
        key = (place, output.dtype)
        if key not in kept:
            kept[key] = np.empty(_TILE, output.dtype)
        found.append(kept[key])
    return found


# --- Layout ----------------------------------------------------------------------------------


def _flattened(
    inputs: Sequence[Array], outputs: Sequence[Array]
) -> tuple[list[Array], list[Array], list[Callable[[], None]]]:
    """Flat views in one common order of elements, and what to copy back afterwards.

    Arrays that are contiguous in the order of the first output's axes are viewed; others are
    copied. Overlap that is not element on element would let a tile overwrite what a later one
    reads: such an input is copied as well.
    """
    axes = _axis_order(outputs[0])
    flat_out: list[Array] = []
    finish: list[Callable[[], None]] = []
    for output in outputs:
        view = _view(output, axes)
        if view is None:
            view = np.empty(output.size, output.dtype)
            ordered = output.transpose(axes)
            finish.append(partial(np.copyto, ordered, view.reshape(ordered.shape)))
        flat_out.append(view)
    return [_read(a, axes, outputs) for a in inputs], flat_out, finish


def _read(array: Array, axes: tuple[int, ...], outputs: Sequence[Array]) -> Array:
    view = _view(array, axes)
    if view is None or any(_is_shifted(array, output) for output in outputs):
        return np.ascontiguousarray(array.transpose(axes)).reshape(-1).copy()
    return view


def _is_shifted(a: Array, b: Array) -> bool:
    same = a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    return not (same and a.strides == b.strides) and np.may_share_memory(a, b)


def _axis_order(array: Array) -> tuple[int, ...]:
    """The axes from the slowest to the fastest in memory."""
    strides = array.strides
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(strides[axis])))


def _view(array: Array, axes: tuple[int, ...]) -> Array | None:
    ordered = array.transpose(axes)
    return ordered.reshape(-1) if ordered.flags.c_contiguous else None
