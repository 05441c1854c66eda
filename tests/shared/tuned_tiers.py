"""The catalogue's tables, both tiers' kernels of a function, and awkward inputs to both."""

from __future__ import annotations

import numpy as np
import pytest

import limen
from limen.binding import Binding
from limen.kernels.tuned import store
from limen.kernels.tuned.kernel import is_supported
from limen.kernels.tuned.store import Entry
from limen.tuning.make import named_by

needs_avx512 = pytest.mark.skipif(not is_supported(), reason="needs AVX-512")

SHIPPED = sorted(store.SHIPPED.glob("*.json"))
ENTRIES = [Entry.from_json(path.read_text("utf-8")) for path in SHIPPED]


def owner_of(entry: Entry) -> limen.ActivationFunction:
    """The catalogue's function that an entry is of, or of whose derivative."""
    return named_by(entry.title)[0]


def function_of(entry: Entry) -> limen.ActivationFunction:
    """The same, or its derivative."""
    f, order = named_by(entry.title)
    return f.derivative("gate" if f.is_gated else order) if order else f


def is_of_gate(entry: Entry) -> bool:
    return owner_of(entry).is_gated


HOSTILE = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, -12.7, 9.1, 200.0],
    np.float32,
)


def tiers(f: limen.ActivationFunction, direction: str):
    """The kernels of both tiers as functions of their inputs; two outputs one after the other."""
    found = []
    for kernel, numbers in (
        Binding.of(f).general(direction, "float32"),
        Binding.of(f).kernel(direction, "float32"),
    ):

        def run(*inputs: np.ndarray, kernel=kernel, numbers=numbers) -> np.ndarray:
            outputs = 2 if f.is_gated and direction == "backward" else 1
            out = np.full((outputs, inputs[0].size), 7.0, np.float32)
            kernel(*inputs, *out, *numbers)
            return out.ravel()

        found.append(run)
    return found


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    both_nan = np.isnan(a) & np.isnan(b)
    return bool(np.all((a.view(np.uint32) == b.view(np.uint32)) | both_nan))


def inputs_of(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (5 * random.standard_normal(count)).astype(np.float32)


SOME = np.concatenate([HOSTILE, inputs_of(50), [-1.0, 1.0]]).astype(np.float32)
FACTORS = np.concatenate([HOSTILE, [1.0, -1.0, 1e-30, 2e38]]).astype(np.float32)


def nearly_the_same(expected: np.ndarray, found: np.ndarray) -> bool:
    """Whether what is no ordinary number has the same bits, and all others the next to them."""
    settled = ~np.isfinite(expected) | (expected == 0)
    steps = np.abs(expected.view(np.int32).astype(np.int64) - found.view(np.int32))
    return same_bits(expected[settled], found[settled]) and bool(np.max(steps[~settled]) <= 1)
