"""What comes from a caller becomes an array of real numbers, or an error that names the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import DtypeError, ShapeError
from limen.kernels.arrays import unmasked

__all__ = ["MODEL_DTYPES", "model_dtype", "real_array"]

# float16 and bfloat16 have no BLAS, and train only with a scaled loss: not offered.
MODEL_DTYPES = ("float32", "float64")


def real_array(
    array: ArrayLike, place: Callable[[], str], dtype: np.dtype[Any] | None = None
) -> NDArray[Any]:
    """`array` as real floats: in `dtype`, or as it is, with integers and booleans to float64.

    Args:
        array: whatever a caller gave.
        place: says what errors call it; writing that down would take longer than a small product.
        dtype: what to convert it to.
    """
    if type(array) is np.ndarray and dtype is not None and array.dtype is dtype:
        return array
    try:
        result = unmasked(array, "what is given")
    except (DtypeError, ShapeError) as error:
        raise type(error)(f"{place()}: {error}") from None
    kind = result.dtype.kind
    if kind not in "fiub" and result.dtype.name != "bfloat16":
        raise DtypeError(f"{place()}: expected real numbers, given dtype {result.dtype}")
    if dtype is None:
        dtype = np.dtype(np.float64) if kind in "iub" else result.dtype
    return result.astype(dtype, copy=False)


def model_dtype(dtype: Any) -> np.dtype[Any]:
    """`dtype` as a NumPy dtype that a model computes in."""
    for name in MODEL_DTYPES:
        try:
            if np.dtype(dtype) == name:
                return np.dtype(name)
        except TypeError:  # no dtype at all
            break
    raise DtypeError(f"Model: dtype must be one of {', '.join(MODEL_DTYPES)}, given {dtype!r}")
