"""The matrix products of layers: by native calls where BLAS can be reached, else by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels.cache import compiling
from limen.layers import blas

if TYPE_CHECKING:
    from limen.kernels.routine import Call

__all__ = ["add_rows", "add_rows_calls", "multiply", "multiply_calls"]

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


def multiply_calls(a: Array, b: Array, out: Array, row: Array | None = None) -> list[Call] | None:
    """The native calls that `multiply` comes to, if it does, on arrays that stay as they lie."""
    with compiling:
        from limen.kernels.product_calls import product_calls

    gemm = blas.products().get(out.dtype)
    return product_calls(gemm, a, b, out, row) if gemm else None


def add_rows(matrix: Array, out: Array) -> None:
    """`out = matrix.sum(0)`, as a product with ones: two to three times as fast."""
    np.matmul(_ones(len(matrix), matrix.dtype), matrix, out=out)


def add_rows_calls(matrix: Array, out: Array) -> list[Call] | None:
    """The native calls that `add_rows` comes to, if it does, on arrays that stay as they lie."""
    with compiling:
        from limen.kernels.product_calls import row_sum_calls

    gemv = blas.vector_products().get(out.dtype)
    return row_sum_calls(gemv, matrix, out) if gemv else None


@lru_cache(maxsize=64)
def _ones(length: int, dtype: np.dtype[Any]) -> Array:
    """As many ones; nobody writes to them."""
    ones: Array = np.ones(length, dtype)
    ones.flags.writeable = False
    return ones


@cache
def _native_product() -> Callable[..., Any]:
    with compiling:  # what is imported here must not be half there in a forked child
        from limen.kernels.products import product_call

        return product_call(blas.products()) or _no_product


def _no_product(*arrays: Any) -> None:
    """The native call where there is none."""
