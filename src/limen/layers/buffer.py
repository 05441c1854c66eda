"""Memory that is made once and lent again: what keeps allocation out of the training loop."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffer", "Buffers"]


class Buffer:
    """One piece of memory, lent as an array of any shape that fits; it grows when one does not.

    The smaller last batch of an epoch is a view of the same memory as the full ones.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._memory: NDArray[Any] = np.empty(0, dtype)
        self._views: dict[tuple[int, ...], NDArray[Any]] = {}

    def take(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of `shape`, its content left from the last use."""
        view = self._views.get(shape)
        if view is None:
            size = prod(shape)
            if size > self._memory.size:
                self._memory = np.empty(size, self.dtype)
                self._views.clear()
            view = self._views[shape] = self._memory[:size].reshape(shape)
        return view


class Buffers:
    """Buffers by the role they play ("output", "grad_input", ...)."""

    def __init__(self) -> None:
        self._by_role: dict[tuple[str, np.dtype[Any]], Buffer] = {}

    def take(self, role: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array for `role`; two calls with one role lend the same memory."""
        buffer = self._by_role.get((role, dtype))
        if buffer is None:
            buffer = self._by_role[role, dtype] = Buffer(dtype)
        return buffer.take(shape)
