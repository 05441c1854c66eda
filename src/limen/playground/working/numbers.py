"""Arrays as JSON: numbers with a few digits, or bytes where a picture is all that comes of them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain", "shades", "text_of"]

Array = NDArray[Any]


def plain(array: Any, digits: int = 6) -> Any:
    """Nested lists of numbers with `digits` significant digits; None for what is not finite."""
    values = np.asarray(array, np.float64)
    if values.ndim:
        return [plain(row, digits) for row in values]
    return float(f"{values:.{digits}g}") if np.isfinite(values) else None


def shades(responses: Array) -> Array:
    """Numbers as bytes, row by row: 128 is 0, and the largest in size is 1 or 255.

    Args:
        responses: shape `(rows, ...)`; what is not finite becomes 128.
    """
    finite = np.nan_to_num(responses.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    largest = np.abs(finite).reshape(len(finite), -1).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0).reshape(-1, *[1] * (finite.ndim - 1))
    return np.rint(finite / scale * 127 + 128).astype(np.uint8)


def text_of(array: Array) -> str:
    """Bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(array, np.uint8).tobytes()).decode()
