"""Matrix products as calls of a routine, for arrays that stay as they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.kernels.products import LONGEST, lay_address
from limen.kernels.routine import Call

__all__ = ["product_calls", "row_sum_calls"]

Array = NDArray[Any]


def product_calls(
    gemm: int, a: Array, b: Array, out: Array, row: Array | None = None
) -> list[Call] | None:
    """The calls that put `a @ b`, plus `row` in each of its rows, into `out`.

    Args:
        gemm: the address of BLAS's product for the dtype of all, in the interface of Fortran.
        a: a matrix, perhaps the transpose of one.
        b: a matrix, perhaps the transpose of one.
        out: for the result.
        row: as long as the rows of `out`, and lying in one piece.

    Returns:
        The calls; None where `products.product_call` would not do it either.
    """
    others = [array for array in (a, b, row) if array is not None]
    of_a, of_b, of_out = (_lying(matrix) for matrix in (a, b, out))
    if not of_a or not of_b or not of_out or not of_out.is_in_rows or not _are_apart(out, others):
        return None
    # BLAS thinks in columns: it is asked for the transpose of the result, `b.T @ a.T`.
    sizes = (*out.shape[::-1], a.shape[1], of_b.lead, of_a.lead, of_out.lead)
    columns, rows, inner, b_lead, a_lead, out_lead = _each(np.array(sizes, np.int64))
    zero, one = _each(np.array([0, 1], out.dtype))
    factors = (of_b.letter, of_a.letter, columns, rows, inner, one, b, b_lead, a, a_lead)
    product = Call(gemm, (*factors, zero if row is None else one, out, out_lead))
    if row is None:
        return [product]
    return [Call(lay_address(), (out, row, len(out), row.nbytes, out.strides[0])), product]


def row_sum_calls(gemv: int, matrix: Array, out: Array) -> list[Call] | None:
    """The calls that put the sum of a matrix's rows into `out`, as a product with ones.

    Args:
        gemv: the address of BLAS's product of a matrix with a vector, as above.
        matrix: lies in memory row by row.
        out: as long as its rows, and lying in one piece.

    Returns:
        The calls; None where the matrix lies otherwise, or is a vector in truth.
    """
    lying = _lying(matrix)
    if not lying or not lying.is_in_rows or not _are_apart(out, [matrix]):
        return None
    columns, rows, lead, step = _each(np.array([*matrix.shape[::-1], lying.lead, 1], np.int64))
    zero, one = _each(np.array([0, 1], out.dtype))
    ones = np.ones(len(matrix), out.dtype)
    factors = (lying.letter, columns, rows, one, matrix, lead, ones, step)
    return [Call(gemv, (*factors, zero, out, step))]


class _Lying(NamedTuple):
    """How a matrix lies in memory.

    Attributes:
        is_in_rows: whether row by row; else column by column.
        lead: elements from one row, or column, to the next.
    """

    is_in_rows: bool
    lead: int

    @property
    def letter(self) -> Array:
        """How BLAS is told: to it, what lies row by row is as it is."""
        return np.frombuffer(b"N" if self.is_in_rows else b"T", np.uint8)


def _lying(matrix: Array) -> _Lying | None:
    if matrix.ndim != 2 or not matrix.flags.aligned:
        return None
    if not all(1 < length < LONGEST for length in matrix.shape):
        return None
    size, (down, along), (rows, columns) = matrix.itemsize, matrix.strides, matrix.shape
    for is_in_rows, lead, step, length in (
        (True, down, along, columns),
        (False, along, down, rows),
    ):
        if step == size and lead % size == 0 and length <= lead // size < LONGEST:
            return _Lying(is_in_rows, lead // size)
    return None


def _are_apart(out: Array, others: Sequence[Array]) -> bool:
    """Whether the result shares its dtype with the others, and memory with none."""
    return all(a.dtype == out.dtype and not np.may_share_memory(out, a) for a in others)


def _each(numbers: Array) -> list[Array]:
    """Arrays that begin with each of the numbers: what stands for their addresses."""
    return [numbers[k:] for k in range(len(numbers))]
