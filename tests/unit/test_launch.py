"""The same bits however a kernel is launched: which way, on how many threads, in which layout."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from math import fsum

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import limen
from limen.kernels import builtin, cpu, quick, sweep, threads

NAMES = ["relu", "silu", "elu", "snake"]
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
DIRECTIONS = ["forward", "backward"]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, 88.8, -104.0]


def numbers(size: int, dtype: type, seed: int = 0) -> np.ndarray:
    """Normal numbers of many sizes, with special values among them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(size) * 10.0 ** rng.integers(-3, 3, size)
    places = rng.integers(0, size, min(size, len(SPECIAL)))
    x[places] = SPECIAL[: len(places)]
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def caller(f: limen.ActivationFunction, direction: str) -> Callable[..., np.ndarray]:
    return f if direction == "forward" else lambda x, out=None: f.backward(x[::-1], x, out=out)


def each_alone(name: str, direction: str, x: np.ndarray) -> bytes:
    """What becomes of each element by itself, in the tail of a vector loop."""
    f = limen.get(name)
    if direction == "forward":
        return np.concatenate([f(x[k : k + 1]) for k in range(x.size)]).tobytes()
    flow = x[::-1]
    parts = [f.backward(flow[k : k + 1], x[k : k + 1]) for k in range(x.size)]
    return np.concatenate(parts).tobytes()


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_an_element_alone_and_among_others(name: str, dtype: type, direction: str) -> None:
    x = numbers(101, dtype)  # 101 leaves a tail in every vector loop
    assert caller(limen.get(name), direction)(x).tobytes() == each_alone(name, direction, x)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(NAMES),
    direction=st.sampled_from(DIRECTIONS),
    dtype=st.sampled_from(DTYPES),
    size=st.integers(1, 3000),
    shift=st.integers(0, 17),
    step=st.sampled_from([1, 2, 3, -1, -2]),
    seed=st.integers(0, 1000),
)
def test_layout_does_not_change_a_bit(
    name: str, direction: str, dtype: type, size: int, shift: int, step: int, seed: int
) -> None:
    call = caller(limen.get(name), direction)
    x = numbers(size, dtype, seed)
    expected = call(x).tobytes()
    room = np.zeros(size * abs(step) + 32, dtype)
    placed = room[shift : shift + size * abs(step) : abs(step)][:: 1 if step > 0 else -1]
    placed[:] = x
    assert call(placed).tobytes() == expected
    out = np.zeros(size + 32, dtype)[shift : shift + size]
    assert call(x, out=out) is out and out.tobytes() == expected
    assert call(placed, out=placed).tobytes() == expected  # in place, last: it is overwritten


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_way_gives_the_same_bits(
    name: str, dtype: type, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directly, in tiles, past the cache, on one thread and on three, quick and long."""
    x = numbers(7 * sweep.TILE * 4 + 77, dtype)
    for _ in range(3):
        expected = caller(limen.get(name), direction)(x)
    results = {}
    monkeypatch.setattr(cpu, "_WORTH_JOINING", 0.0)
    monkeypatch.setattr(cpu, "_WORTH_WAKING", 0.0)
    f = limen.get(name).with_parameters()  # whose kernels have been timed by nobody
    call = caller(f, direction)
    monkeypatch.setattr(f._launchers, f"quick_{direction}", lambda *arrays: None)
    for count in ("1", "3"):
        monkeypatch.setenv("LIMEN_NUM_THREADS", count)
        monkeypatch.setattr(cpu, "_MEMORY_COST", 1.0)
        monkeypatch.setattr(cpu, "_STREAM_FROM", 1 << 40)
        results[f"{count} threads"] = call(x)
        for shift in (0, 1, 7):
            monkeypatch.setattr(cpu, "_STREAM_FROM", 1)
            out = np.zeros(x.size + 8, dtype)
            results[f"{count} streamed at {shift}"] = call(x, out=out[shift : shift + x.size])
            assert not out[:shift].any() and not out[shift + x.size :].any()
    y = x.copy()
    results["in place"] = call(y, out=y)
    for way, found in results.items():
        assert found.tobytes() == expected.tobytes(), way


def test_overlap_of_any_kind_reads_before_it_writes() -> None:
    silu = limen.get("silu")
    for shift in (1, 5, 1000, -3):
        room = numbers(5000, np.float32)
        x = room[1000:3000].copy()
        source, target = room[1000:3000], room[1000 + shift : 3000 + shift]
        silu(source, out=target)
        assert target.tobytes() == silu(x).tobytes()


def test_a_gated_function_gives_both_gradients_in_one_pass_and_in_place() -> None:
    swiglu = limen.get("swiglu")
    flow, gate, value = (numbers(4001, np.float32, seed) for seed in (1, 2, 3))
    expected = swiglu.backward(flow, gate, value)
    for _ in range(3):
        a, b = flow.copy(), value.copy()
        found = swiglu.backward(a, gate, b, out=(a, b))
        assert found[0] is a and found[1] is b
        assert [g.tobytes() for g in found] == [g.tobytes() for g in expected]


# --- The quick way ---------------------------------------------------------------------------


@pytest.fixture
def opened() -> limen.ActivationFunction:
    f = limen.activation("x * sigmoid(x) + 0.25 * x")
    for dtype in (np.float32, np.float64):
        for _ in range(2):
            f(np.ones(3, dtype), out=np.ones(3, dtype))
            f.backward(np.ones(3, dtype), np.ones(3, dtype))
    return f


def test_two_gradients_may_interleave_but_not_overwrite_each_other() -> None:
    glu = limen.get("glu")
    g, gate, value = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    expected = glu.backward(g, gate, value)
    memory = np.empty((80, 2), np.float32)
    found = glu.backward(g, gate, value, out=(memory[:50, 0], memory[:50, 1]))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    row = memory.reshape(-1)
    with pytest.raises(limen.ShapeError, match="apart in memory"):
        glu.backward(g, gate, value, out=(row[:50], row[20:70]))
    # By now the quick way is open.
    out = np.empty_like(g), np.empty_like(g)
    assert glu._launchers.quick_backward(g, gate, value, *out) is True
    for found in (out, glu.backward(g, gate, value), glu.backward(g, gate, value, out=out)):
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert glu.backward(g, gate, value, out=out)[1] is out[1]


def test_the_quick_way_is_open_here_and_taken(opened: limen.ActivationFunction) -> None:
    x = np.ones((2, 3), np.float32)
    assert opened._launchers.quick_forward(x, np.empty_like(x)) is True
    assert opened._launchers.quick_forward(x, x) is True
    assert opened._launchers.quick_backward(x, x.copy(), np.empty_like(x)) is True
    assert opened._launchers.quick_forward(np.ones(0), np.ones(0)) is True


class Marked(np.ndarray):
    """An array of a class of its own."""


def refused() -> dict[str, tuple[object, ...]]:
    x = np.ones(6, np.float32)
    frozen = np.ones(6, np.float32)
    frozen.flags.writeable = False
    unaligned = np.zeros(25, np.uint8)[1:].view(np.float32)
    room = np.ones(20, np.float32)
    big = np.ones(1 << 20, np.float32)
    return {
        "nothing": (),
        "one array": (x,),
        "three arrays": (x, x, x),
        "a number": (1.0, x),
        "a list": ([1.0], x),
        "none": (x, None),
        "shape": (x, np.ones(5, np.float32)),
        "axes": (x.reshape(2, 3), x),
        "same size": (x.reshape(2, 3), np.ones((3, 2), np.float32)),
        "dtype": (x, np.ones(6)),
        "other dtype": (np.ones(6, np.int32), np.ones(6, np.int32)),
        "swapped": (x.astype(">f4"), x.astype(">f4")),
        "read-only": (x, frozen),
        "strided": (room[::2], np.ones(10, np.float32)),
        "strided out": (np.ones(10, np.float32), room[::2]),
        "unaligned": (unaligned, x),
        "overlap": (room[:10], room[5:15]),
        "class": (x.view(Marked), np.ones(6, np.float32)),
        "class out": (np.ones(6, np.float32), x.view(Marked)),
        "many": (big, big.copy()),
    }


@pytest.mark.parametrize("what", refused())
def test_what_is_not_plain_is_refused_and_left_alone(
    what: str, opened: limen.ActivationFunction
) -> None:
    arrays = refused()[what]
    before = [bytes(memoryview(np.ascontiguousarray(a))) for a in arrays if a is not None]
    assert opened._launchers.quick_forward(*arrays) is None
    after = [bytes(memoryview(np.ascontiguousarray(a))) for a in arrays if a is not None]
    assert before == after


def test_the_quick_way_keeps_no_references(opened: limen.ActivationFunction) -> None:
    x, y = np.ones(8, np.float32), np.ones(8, np.float32)
    counts = [sys.getrefcount(item) for item in (x, y)]
    for _ in range(1000):
        opened(x, out=y)
        opened._launchers.quick_forward(x, 1)
    assert [sys.getrefcount(item) for item in (x, y)] == counts


def test_the_quick_way_is_closed_where_arrays_look_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    builtin.is_open.cache_clear()
    monkeypatch.setattr(builtin, "DATA", 3)
    try:
        assert quick.quick_call([]) is None
        f = limen.activation("x * sigmoid(x) + 0.375 * x")
        assert len({float(f(np.float32(2.0))) for _ in range(5)}) == 1
        assert f._launchers.quick_forward(np.ones(2), np.ones(2)) is None
    finally:
        builtin.is_open.cache_clear()


def test_threads_share_the_quick_way(opened: limen.ActivationFunction) -> None:
    x = numbers(5000, np.float32)
    expected = opened(x).tobytes()
    wrong: list[int] = []

    def work(k: int) -> None:
        for size in range(k, 5000, 97):
            y = x[:size].copy()
            if opened(y, out=y).tobytes() != expected[: 4 * size]:
                wrong.append(size)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not wrong


def test_threads_that_open_the_quick_way_at_once_all_get_there() -> None:
    """Of two launchers made at the same time only one is kept: nothing may point to the other."""
    for round_ in range(15):
        f = limen.get("tanh").with_parameters() if round_ % 2 else limen.activation("x * abs(x)")
        expected = 0.25 if round_ % 2 == 0 else np.tanh(0.5)
        wrong: list[float] = []

        def work(
            f: limen.ActivationFunction = f, expected: float = expected, wrong: list[float] = wrong
        ) -> None:
            for _ in range(200):
                y = f(np.full(64, 0.5))
                wrong.extend(y[abs(y - expected) > 1e-15].tolist())

        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert not wrong


def test_the_quick_way_keeps_what_it_leads_to() -> None:
    f = limen.activation("x * sigmoid(x) - 0.25 * x")
    x = np.linspace(-2, 2, 64)
    expected = f(x).tobytes()
    f(x)
    quick_forward = f._launchers.quick_forward
    del f
    gc.collect()
    filler = [np.full(size, 7, np.int64) for size in range(1, 64) for _ in range(50)]
    y = np.empty_like(x)
    assert quick_forward(x, y) is True and y.tobytes() == expected and filler


# --- Parameter gradients ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 63, sweep.TILE, sweep.TILE + 1, 9 * sweep.TILE + 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameter_gradients_are_exact_sums(size: int, dtype: type) -> None:
    swish = limen.get("swish").with_parameters(beta=1.25)
    rng = np.random.default_rng(size)
    x, flow = (rng.standard_normal(size).astype(dtype) for _ in range(2))
    terms = flow.astype(float) * swish.derivative("beta")(x.astype(float))
    grad, found = swish.backward(flow, x, parameters=True)
    assert found["beta"] == pytest.approx(fsum(terms), rel=1e-14, abs=1e-14 * size)
    assert grad.tobytes() == swish.backward(flow, x).tobytes()


def test_parameter_gradients_depend_on_neither_threads_nor_layout_nor_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elu = limen.get("elu")
    x = numbers(300 * 301, np.float32).reshape(300, 301)
    x[~np.isfinite(x)] = 1
    flow = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    expected, sums = elu.backward(flow, x, parameters=True)
    monkeypatch.setattr(cpu, "_WORTH_JOINING", 0.0)
    monkeypatch.setattr(cpu, "_WORTH_WAKING", 0.0)
    elu = elu.with_parameters()  # whose kernels have been timed by nobody
    for count in ("1", "2", "5"):
        monkeypatch.setenv("LIMEN_NUM_THREADS", count)
        for order in "CF":
            for is_in_place in (False, True):
                a, b = (np.array(array, order=order) for array in (flow, x))  # type: ignore[call-overload]
                out = a if is_in_place else None
                grad, found = elu.backward(a, b, out=out, parameters=True)
                assert found == sums and np.array_equal(grad, expected)


def test_parameter_gradients_hold_at_the_ends() -> None:
    """The slope by a parameter has limits of its own, not those of the value."""
    swish = limen.get("swish")
    for x in (np.inf, -np.inf, 1e300, -1e300):
        assert swish.backward(1.0, x, parameters=True)[1] == {"beta": 0.0}


def test_parameter_gradients_need_no_memory_to_speak_of() -> None:
    swish = limen.get("swish")
    x = np.ones(1 << 22, np.float32)
    out = np.empty_like(x)
    swish.backward(x, x, out=out, parameters=True)
    tracemalloc.start()
    try:
        swish.backward(x, x, out=out, parameters=True)
        assert tracemalloc.get_traced_memory()[1] < 1 << 18
    finally:
        tracemalloc.stop()


LATE = """
import numpy as np
import limen

silu, x = limen.get("silu"), np.ones(1 << 21, np.float32)
for _ in range(2):
    silu(x), silu.backward(x, x)


class Late:
    def __del__(self, silu=silu, x=x, print=print):
        print(silu(x)[-1] + silu.backward(x, x)[0])


late = Late()
"""


def test_a_call_while_python_ends_works_and_does_not_hang() -> None:
    environment = os.environ | {"LIMEN_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.stderr == ""
    assert float(done.stdout) == pytest.approx(0.7310586 + 0.9276705)


@pytest.mark.parametrize("said", ["0", "-2", "two", "²", ""])
def test_what_is_no_number_of_threads_asks_for_none(monkeypatch, said):
    monkeypatch.setenv("LIMEN_NUM_THREADS", said)
    assert threads.wanted() == len(os.sched_getaffinity(0))
