"""Matrix products on one thread, while limen's own threads share the rows.

OpenBLAS keeps its threads spinning for some 25 milliseconds after each product: on a machine whose
cores are all in use, an activation function between two products gets no second core. One pool
of threads for both ends that. How many threads BLAS takes is a setting of the whole process:
it is lent while a pass runs, and given back after.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ONE_THREAD", "can_be_held", "products", "vector_products"]


class _Library:
    """A loaded OpenBLAS: its products, how many threads these take, and a way to say so.

    Not by threadpoolctl, which found it: there one thread of the process may say so, for ever.
    """

    def __init__(self, path: str) -> None:
        loaded = ctypes.CDLL(path)
        # As NumPy and distributions build it.
        names = itertools.product(("scipy_", ""), ("64_", "_64", ""))
        for before, after in names:
            setter = getattr(loaded, f"{before}openblas_set_num_threads{after}", None)
            if setter is not None:
                self.set_threads = setter
                self.threads = getattr(loaded, f"{before}openblas_get_num_threads{after}")
                self.products = _addresses(loaded, f"{before}%sgemm_{after}")
                self.vector_products = _addresses(loaded, f"{before}%sgemv_{after}")
                return
        raise LookupError(path)


def _addresses(loaded: ctypes.CDLL, name: str) -> dict[np.dtype[Any], int]:
    """The addresses of one of the library's routines, in the interface of Fortran."""
    letters: dict[str, np.dtype[Any]] = {"s": np.dtype(np.float32), "d": np.dtype(np.float64)}
    found = {dtype: getattr(loaded, name % letter, None) for letter, dtype in letters.items()}
    return {d: ctypes.cast(f, ctypes.c_void_p).value or 0 for d, f in found.items() if f}


@cache
def _libraries() -> tuple[_Library, ...]:
    """NumPy's BLAS, where it is an OpenBLAS with threads of its own; nothing where it is not."""
    from threadpoolctl import ThreadpoolController

    np.matmul(np.ones((2, 2)), np.ones((2, 2)))  # loaded now, if it was not
    every = ThreadpoolController().lib_controllers
    # Where OpenMP has the threads, each caller would set a number of its own.
    found = [c for c in every if getattr(c, "threading_layer", "") == "pthreads"]
    # A wheel of NumPy brings its own BLAS beside itself: other people's libraries stay as they are.
    beside = Path(np.__file__).resolve().parents[1]
    own = [c for c in found if "numpy" in _below(c.filepath, beside)]
    try:
        return tuple(_Library(c.filepath) for c in own or found if c.user_api == "blas")
    except LookupError:
        return ()


def _below(path: str, folder: Path) -> str:
    place = Path(path).resolve()
    return str(place.relative_to(folder)) if place.is_relative_to(folder) else ""


def can_be_held() -> bool:
    """Whether BLAS lets itself be held to one thread: Apple's Accelerate does not."""
    return bool(_libraries())


def products() -> dict[np.dtype[Any], int]:
    """The address of BLAS's product (`gemm`, as Fortran calls it) for each dtype, if known."""
    return _libraries()[0].products if _libraries() else {}


def vector_products() -> dict[np.dtype[Any], int]:
    """The same of its product of a matrix with a vector (`gemv`)."""
    return _libraries()[0].vector_products if _libraries() else {}


class _OneThread:
    """A context in which BLAS works on one thread; any number of callers may be in it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._others: list[tuple[_Library, int]] = []  # libraries on more, and on how many

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                counts = ((library, library.threads()) for library in _libraries())
                self._others = [(library, count) for library, count in counts if count != 1]
                for library, _ in self._others:
                    library.set_threads(1)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for library, count in self._others:
                    library.set_threads(count)

    def forget(self) -> None:
        """In a forked child nobody is inside: who was, went on in the parent alone."""
        self._lock = threading.Lock()
        if self._inside:
            self._inside = 0
            for library, count in self._others:
                library.set_threads(count)


ONE_THREAD = _OneThread()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ONE_THREAD.forget)
