"""What memory and calls cost: fresh, pooled, given and in-place outputs; stores past the cache.

    python benchmarks/memory.py [exponents of two...]

Large arrays: nanoseconds for an element of float32, beside a plain copy of the same array. Small
ones: nanoseconds for a whole call of 64 elements. With one thread, time is that of the thread, so
that other work on the machine disturbs less; with two it is the wall's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from time import perf_counter, thread_time

import numpy as np

import limen
from limen import memory
from limen.kernels import cpu

Call = Callable[[], object]
NAMES = ("relu", "silu", "mish")


def fastest(call: Call, clock: Callable[[], float], seconds: float = 0.2) -> float:
    """The shortest time of a call, after two to warm up."""
    call(), call()
    stop, best = perf_counter() + seconds, np.inf
    while perf_counter() < stop:
        start = clock()
        call()
        best = min(best, clock() - start)
    return best


def often(call: Call) -> Call:
    """A thousand calls."""

    def many() -> None:
        for _ in range(1000):
            call()

    return many


def without_pool(call: Call) -> Call:
    """The call with an allocator that keeps nothing."""

    def fresh() -> None:
        before = memory.limit()
        memory.limit(0)
        call()
        memory.limit(before)

    return fresh


def stored(call: Call, *, past_cache: bool) -> Call:
    """The call with results stored past the cache, or never so."""

    def chosen() -> None:
        before = cpu._MEMORY_COST
        cpu._MEMORY_COST = 1.0 if past_cache else 0.0
        try:
            call()
        finally:
            cpu._MEMORY_COST = before

    return chosen


def ways(size: int) -> dict[str, Call]:
    """The ways to get a large result."""
    x = memory.empty((size,), np.float32)
    x[:] = np.random.default_rng(0).standard_normal(size, np.float32)
    flow, y = x.copy(), np.ones_like(x)
    calls: dict[str, Call] = {"numpy.copyto": lambda: np.copyto(y, x)}
    calls["copy into fresh pages"] = lambda: x.copy()
    for name in NAMES:
        f = limen.get(name)
        calls |= {
            f"{name}, fresh pages": without_pool(lambda f=f: f(x)),
            f"{name}, from the pool": lambda f=f: f(x),
            f"{name}, out=, through the cache": stored(lambda f=f: f(x, out=y), past_cache=False),
            f"{name}, out=, past the cache": stored(lambda f=f: f(x, out=y), past_cache=True),
            f"{name}, in place": lambda f=f: f(y, out=y),
            f"{name}.backward, out=": lambda f=f: f.backward(flow, x, out=y),
        }
    swish = limen.get("swish")
    calls["swish.backward, out="] = lambda: swish.backward(flow, x, out=y)
    calls["... and by beta"] = lambda: swish.backward(flow, x, out=y, parameters=True)
    return calls


def large(exponent: int) -> None:
    """One line for each way, on one thread and on two."""
    size = 1 << exponent
    print(f"\n2^{exponent} elements, ns for an element{'1 thread':>24} {'2 threads':>10}")
    for what, call in ways(size).items():
        times = []
        for count, clock in (("1", thread_time), ("2", perf_counter)):
            os.environ["LIMEN_NUM_THREADS"] = count
            times.append(1e9 * fastest(call, clock) / size)
        print(f"  {what:40} {times[0]:10.3f} {times[1]:10.3f}", flush=True)
    del os.environ["LIMEN_NUM_THREADS"]


def small(size: int = 64) -> None:
    """One line for each kind of call."""
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    flow, y = x.copy(), np.empty_like(x)
    print(f"calls on {size} elements of float32, ns")
    calls: dict[str, Call] = {"numpy.copyto(y, x)": lambda: np.copyto(y, x)}
    calls["numpy.exp(x, out=y)"] = lambda: np.exp(x, out=y)
    for name in ("relu", "swish", "silu", "tanh", "gelu", "mish"):
        f = limen.get(name)
        calls[f"{name}(x, out=y)"] = lambda f=f: f(x, out=y)
        calls[f"{name}(x)"] = lambda f=f: f(x)
        # Again and again in place, numbers would shrink to subnormals, which are another matter.
        calls[f"copyto(y, x); {name}(y, out=y)"] = lambda f=f: (np.copyto(y, x), f(y, out=y))
        calls[f"{name}.backward(flow, x, out=y)"] = lambda f=f: f.backward(flow, x, out=y)
    for what, call in calls.items():
        print(f"  {what:46} {1e9 * fastest(often(call), thread_time, 0.1) / 1000:7.0f}")


if __name__ == "__main__":
    small()
    for exponent in map(int, sys.argv[1:] or ("18", "22", "25")):
        large(exponent)
