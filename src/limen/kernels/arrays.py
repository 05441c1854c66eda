"""What may be computed with: arrays of four dtypes, and what becomes one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import memory
from limen.errors import DtypeError, ShapeError

__all__ = [
    "FLOATS",
    "Array",
    "as_input",
    "check_array",
    "kernel_dtype",
    "named_dtype",
    "output",
    "together",
    "unmasked",
]

Array = NDArray[Any]

_ADAPTERS = {
    "torch": "take limen.torch.evaluate(f, x), or x.detach() where no gradient is asked for",
    "jax": "inside JAX's transforms take limen.jax.activation(f)(x)",
}
"""What computes with the arrays of other libraries."""

FLOATS = frozenset({"float64", "float32", "float16", "bfloat16"})
_names: dict[np.dtype[Any], str] = {}  # asking a dtype for its name takes longer than a kernel


def kernel_dtype(array: Array) -> str:
    """The name of the array's dtype, as kernels know it."""
    dtype = array.dtype
    name = _names.get(dtype)
    if name is None:
        name = _names[dtype] = dtype.name if dtype.isnative else f"swapped {dtype.name}"
    return name


def named_dtype(name: str) -> np.dtype[Any]:
    """The dtype that an array brought to us under this name."""
    return next(dtype for dtype, known in _names.items() if known == name)


def as_input(value: Any, what: str) -> Array:
    """The array a caller means: its own if it is one we compute with, else converted as NumPy does.

    Args:
        value: an array, a number, or a (nested) sequence of numbers.
        what: what to call it in an error.

    Raises:
        DtypeError: for complex, object, text and extended-precision data, and masked elements.
    """
    array = unmasked(value, what)
    if kernel_dtype(array) in FLOATS:
        return array
    if not array.dtype.isnative:
        return as_input(array.astype(array.dtype.newbyteorder("=")), what)
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    raise DtypeError(
        f"{what} has dtype {array.dtype}; limen computes with float64, float32, float16 and "
        "bfloat16 (integers become float64)"
    )


def unmasked(value: Any, what: str) -> Array:
    """What NumPy makes an array of; never one that has lost the mask of some of its elements."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DtypeError(
            f"{what} has masked elements, and limen knows no masks: compute with its .data and put "
            "the mask back, np.ma.array(result, mask=...), or fill it first, with .filled(0)"
        )
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ShapeError(f"{what} is no array: {error}") from None
    except (TypeError, RuntimeError) as error:  # of another library, whose reason comes along
        library = type(value).__module__.partition(".")[0]
        instead = _ADAPTERS.get(library, "give it an array that NumPy can read")
        raise DtypeError(
            f"{what} is a {type(value).__name__} that is no NumPy array: {instead}"
        ) from error


def together(arrays: Sequence[Array], names: Sequence[str]) -> list[Array]:
    """Several inputs brought to one dtype and one shape by NumPy's rules."""
    if len(arrays) == 1:
        return list(arrays)
    dtype = arrays[0].dtype
    if any(a.dtype != dtype for a in arrays):
        try:
            dtype = np.result_type(*arrays)
        except TypeError:
            dtype = np.dtype(np.float32)  # float16 and bfloat16 have no common 16-bit type
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(names, arrays, strict=True))
        raise ShapeError(f"the shapes do not go together: {shapes}") from None
    return [np.broadcast_to(a.astype(dtype, copy=False), shape) for a in arrays]


def check_array(given: object, what: str = "out") -> Array:
    """The array to write to; refuses what is none, and what may not be written to."""
    if not isinstance(given, np.ndarray):
        raise DtypeError(f"{what} must be a NumPy array, got {type(given).__name__}")
    if not given.flags.writeable:
        raise ShapeError(f"{what} is read-only")
    return given


def output(given: Any, like: Array, fresh: Array | None = None, what: str = "out") -> Array:
    """The array to write to: the caller's, checked, or a new one (`fresh`, if it will do).

    Raises:
        DtypeError, ShapeError: when the caller's array does not fit.
    """
    if given is None:
        will_do = fresh is not None and fresh.dtype == like.dtype and fresh.shape == like.shape
        return fresh if fresh is not None and will_do else memory.empty_like(like)
    array = check_array(given, what)
    if array.dtype != like.dtype:
        raise DtypeError(f"{what} has dtype {array.dtype}, the result has {like.dtype}")
    if array.shape != like.shape:
        raise ShapeError(f"{what} has shape {array.shape}, the result has {like.shape}")
    return array
