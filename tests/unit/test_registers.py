"""Tables of sixteen constants in vector registers: every lane finds its own entry."""

from __future__ import annotations

import re

import numba
import numpy as np
import pytest

from limen.kernels.pipeline import Inlined, Interleaved
from limen.kernels.primitives import registers
from limen.kernels.primitives.binding import PLAIN, bind_numbers
from limen.kernels.primitives.lanes import Real
from limen.kernels.primitives.registers import HAS_PERMUTATION, Sixteen

ENTRIES = tuple(1.5 + place for place in range(16))
TABLE = Sixteen("test", ENTRIES)
ARRAYS = {"float64": numba.float64[::1], "float32": numba.float32[::1]}


def looked_up(words: np.ndarray, dtype: str, pipeline: type) -> tuple[np.ndarray, str]:
    """What a loop finds for words, given as the bits of float64 numbers, and its machine code."""

    def picked(x: Real) -> Real:
        return TABLE.look_up(x.bits())

    pick, array = bind_numbers(PLAIN, picked), ARRAYS[dtype]

    @numba.njit([numba.void(numba.float64[::1], array)], pipeline_class=pipeline)
    def loop(x, y):
        for i in range(x.size):
            y[i] = pick(x[i])

    out = np.empty(words.size, dtype)
    loop(words.view(np.float64), out)
    return out, next(iter(loop.inspect_asm().values()))


@pytest.mark.parametrize("has_permutation", [True, False])
@pytest.mark.parametrize("pipeline", [Inlined, Interleaved])
@pytest.mark.parametrize("dtype", ARRAYS)
@pytest.mark.parametrize("count", [1, 3, 8, 37, 1000])
def test_every_lane_finds_its_own_entry(
    count: int, dtype: str, pipeline: type, has_permutation: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registers, "HAS_PERMUTATION", has_permutation and HAS_PERMUTATION)
    words = np.random.default_rng(count).integers(0, 1 << 64, count, np.uint64)
    found, _ = looked_up(words, dtype, pipeline)
    np.testing.assert_array_equal(found, np.array(ENTRIES, dtype)[words & np.uint64(15)])


@pytest.mark.skipif(not HAS_PERMUTATION, reason="needs AVX-512")
@pytest.mark.parametrize("dtype", ARRAYS)
def test_a_loop_over_vectors_calls_nothing(dtype: str) -> None:
    _, assembly = looked_up(np.zeros(8, np.uint64), dtype, Interleaved)
    # From a label to a jump back to it: the loop, without what comes before it or after.
    loops = re.findall(r"\n(\.LBB\w+):((?:(?!\n\.L).)*?\n\tj\w+\t\1\n)", assembly, re.DOTALL)
    vectors = [body for _, body in loops if re.search(r"vperm[it]2pd", body)]
    assert vectors
    assert not any(re.search(r"\bcall", body) for body in vectors)
