"""Two bits an element: what is written down is read back, for rows of every length."""

from __future__ import annotations

import numpy as np
import pytest

from limen.kernels.code_loops import CODES, PER_BYTE, pack_pieces, pack_values, unpack, wide


def held_for(size: int) -> np.ndarray:
    return np.full(-(-size // PER_BYTE), 0xFF, np.uint8)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 1001])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_read_back(size, dtype):
    values = np.array([1.5, -0.0, 1e-30, np.nan], dtype)
    codes = np.random.default_rng(size).integers(0, CODES, size)
    held, out = held_for(size), np.empty(size, dtype)
    pack_values((values[codes], values, held))
    unpack((held, values, out))
    np.testing.assert_array_equal(out, values[codes])


@pytest.mark.parametrize("size", [1, 7, 1001])
def test_pieces_are_counted_from_below(size):
    x = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    bounds, held, out = np.array([-0.5, 0.25, np.inf]), held_for(size), np.empty(size, np.uint8)
    pack_pieces((x, bounds, held))
    unpack((held, np.arange(CODES, dtype=np.uint8), out))
    np.testing.assert_array_equal(out, np.searchsorted(bounds, x))


@pytest.mark.parametrize(("given", "read"), [("f2", "f8"), ("f4", "f4"), ("f8", "f8")])
def test_loops_compute_with_two_dtypes(given, read):
    assert wide(np.ones(3, given)).dtype == read
