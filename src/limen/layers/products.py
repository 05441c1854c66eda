"""The matrix products of layers: by one native call where BLAS can be reached, else by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels.cache import compiling
from limen.layers import blas

__all__ = ["multiply"]

Array = NDArray[Any]


def multiply(a: Array, b: Array, out: Array, row: Array | None = None) -> None:
    """`out = a @ b`, plus `row` in each of its rows; which way it goes, shapes and layouts decide.

    Args:
        a: a matrix, perhaps the transpose of one; or a vector.
        b: a matrix, perhaps the transpose of one.
        out: for the result; it overlaps none of the others.
        row: as long as the rows of `out`.
    """
    if _native_product()(a, b, out, row):
        return
    np.matmul(a, b, out=out)
    if row is not None:
        out += row


@cache
def _native_product() -> Callable[..., Any]:
    with compiling:  # what is imported here must not be half there in a forked child
        from limen.kernels.products import product_call

        return product_call(blas.products()) or _no_product


def _no_product(*arrays: Any) -> None:
    """The native call where there is none."""
