"""Loops of a training step that no formula of one element says: written by hand, one pass each.

They compute what NumPy would compute operation by operation, in the same order and with the same
roundings (but for the order of a sum), without an array between one operation and the next. Every
loop is compiled when it is first called, for the dtypes it is called with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels.cache import compiling

if TYPE_CHECKING:
    from limen.kernels.routine import Call

__all__ = [
    "Loop",
    "Tiled",
    "adam",
    "add",
    "sgd",
    "sgd_with_momentum",
]

Array = NDArray[Any]

# What is worth the way to another thread; and what lasts a millisecond, as long as it takes to get
# a sleeping one going many times over.
_TILE, _WORTH_WAKING = 1 << 16, 1 << 20


class Loop:
    """A function of flat contiguous arrays and numbers, as native code.

    Args:
        function: the loop in Python: arrays first, then numbers, which get the first array's dtype.
        written: the positions of the arrays it writes to.
        sums: whether it writes float64 sums; its numbers are float64.
        any_order: whether the order of its sums is up to the compiler.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        written: tuple[int, ...],
        *,
        sums: bool = False,
        any_order: bool = False,
    ) -> None:
        self._function, self._written = function, written
        self._sums, self._any_order = sums, any_order
        self._compiled: dict[tuple[np.dtype[Any], ...], Callable[..., Any]] = {}

    def __call__(self, arrays: tuple[Array, ...], *numbers: float) -> None:
        """Runs the loop on arrays of float32 or float64."""
        self._for(arrays, len(numbers))(*arrays, *numbers)

    def call(self, arrays: tuple[Array, ...], numbers: Array) -> Call:
        """The same as a native call, of the numbers that are in a float64 array then."""
        with compiling:
            from limen.kernels.entry import address_of, entry_of
            from limen.kernels.routine import Call

        loop = self._for(arrays, len(numbers))
        return Call(entry_of(loop), (address_of(loop), arrays, numbers, arrays[0].size), loop)

    def _for(self, arrays: tuple[Array, ...], numbers: int) -> Callable[..., Any]:
        key = tuple([array.dtype for array in arrays])
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = self._compile(key, numbers)
        return compiled

    def _compile(self, dtypes: tuple[np.dtype[Any], ...], numbers: int) -> Callable[..., Any]:
        from numba import types

        from limen.kernels.cache import compile_loop

        elements = [getattr(types, dtype.name) for dtype in dtypes]
        arrays = [
            types.Array(element, 1, "C", readonly=k not in self._written)
            for k, element in enumerate(elements)
        ]
        # What may change a value stays off; a sum in several lanes is a sum in another order.
        options = {"fastmath": {"reassoc", "nsz"}} if self._any_order else {}
        number = types.float64 if self._sums else elements[0]
        signature = types.void(*arrays, *[number] * numbers)
        return compile_loop(self._function, signature, **options)


class Tiled:
    """A loop over long arrays that stay where they are, in tiles that hands share.

    Args:
        loop: takes each element by itself.
        runs: what it takes, run by run: flat arrays, all of one length. A tile has all of its runs
            before the next one begins, so that what they share is in the cache.
        numbers: how many numbers the loop takes besides.
    """

    def __init__(self, loop: Loop, runs: Sequence[Sequence[Array]], numbers: int = 0) -> None:
        with compiling:
            from limen.kernels.routine import Routine, Routines

        self._numbers = np.zeros(numbers)
        size = runs[0][0].size
        tiles = [slice(start, start + _TILE) for start in range(0, size, _TILE)]
        parts = [[tuple([a[tile] for a in arrays]) for arrays in runs] for tile in tiles]
        routines = [Routine([loop.call(p, self._numbers) for p in part], ()) for part in parts]
        self._routines = Routines(routines, wakes=size >= _WORTH_WAKING)

    def __call__(self, *numbers: float) -> None:
        """Runs the loop."""
        self._numbers[:] = numbers
        self._routines(len(self._routines) - 1)


def _add(total: Array, other: Array) -> None:
    for i in range(total.size):
        total[i] += other[i]


def _sgd(value: Array, grad: Array, rate: float, decay: float) -> None:
    for i in range(value.size):
        value[i] -= rate * (decay * value[i] + grad[i])


def _sgd_with_momentum(
    value: Array, grad: Array, velocity: Array, rate: float, decay: float, momentum: float
) -> None:
    for i in range(value.size):
        direction = momentum * velocity[i] + (decay * value[i] + grad[i])
        velocity[i] = direction
        value[i] -= rate * direction


def _adam(
    value: Array,
    grad: Array,
    mean: Array,
    square: Array,
    shrink: float,
    decay: float,
    first: float,
    rest: float,
    second: float,
    second_rest: float,
    root: float,
    epsilon: float,
    rate: float,
) -> None:
    for i in range(value.size):
        held = shrink * value[i]
        slope = decay * held + grad[i]
        m = first * mean[i] + rest * slope
        v = second * square[i] + second_rest * (slope * slope)
        mean[i] = m
        square[i] = v
        value[i] = held - rate * (m / (sqrt(v) / root + epsilon))


add = Loop(_add, (0,))
"""`a += b`."""
sgd = Loop(_sgd, (0,))
"""`w -= rate (decay w + g)`, of value and gradient."""
sgd_with_momentum = Loop(_sgd_with_momentum, (0, 2))
"""The same along a velocity, `b = momentum b + decay w + g`."""
adam = Loop(_adam, (0, 2, 3))
"""A step of Adam; see `limen.layers.optimizer.Adam`, which gives its numbers."""
