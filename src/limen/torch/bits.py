"""Numbers from 0 to 3, four in a byte."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST", "PER_BYTE", "packed", "unpacked"]

MOST = 4
"""So many different numbers there are."""

PER_BYTE = 4

_SHIFTS = np.arange(0, 2 * PER_BYTE, 2, dtype=np.uint8)
Codes = NDArray[Any]  # of uint8


def packed(codes: Codes) -> Codes:
    """The bytes of a row of numbers, the last filled up with zeros."""
    padded = np.zeros((-(-codes.size // PER_BYTE), PER_BYTE), np.uint8)
    padded.reshape(-1)[: codes.size] = codes
    return np.bitwise_or.reduce(padded << _SHIFTS, axis=1).astype(np.uint8)


def unpacked(held: Codes, start: int, stop: int) -> Codes:
    """The numbers from one place to another, which begins a byte."""
    wanted = held[start // PER_BYTE : -(-stop // PER_BYTE), None]
    return (wanted >> _SHIFTS & 3).reshape(-1)[: stop - start]
