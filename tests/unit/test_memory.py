"""The pool: blocks are reused, never shared, kept under a limit, and given back when told."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

import limen
from limen import memory
from limen.errors import LimenError

SIZE = memory.LARGE


@pytest.fixture(autouse=True)
def empty_pool() -> Iterator[None]:
    before = memory.limit()
    gc.collect()
    memory.release()
    yield
    memory.limit(before)
    memory.release()


def address(array: np.ndarray) -> int:
    return array.ctypes.data


def test_a_dead_arrays_block_is_used_again() -> None:
    first = memory.empty((SIZE,), np.uint8)
    place = address(first)
    del first
    assert memory.held() >= SIZE
    second = memory.empty((SIZE,), np.uint8)
    assert address(second) == place and memory.held() == 0


def test_a_block_that_just_came_back_is_lent_again_without_waiting() -> None:
    first = memory.empty((SIZE,), np.uint8)
    place = address(first)
    del first
    lent: list[np.ndarray] = []
    with memory._pool._lock:
        thread = threading.Thread(
            target=lambda: lent.append(memory.empty((SIZE // 4,), np.float32))
        )
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert address(lent[0]) == place


def test_what_is_beyond_the_limit_goes_back_when_its_array_dies() -> None:
    memory.limit(2 * SIZE)
    arrays = [memory.empty((SIZE,), np.uint8) for _ in range(4)]
    del arrays[0]
    assert len(memory._pool._returned) == 1
    arrays.clear()
    assert sum(block.size for block in memory._pool._returned) == 0
    memory.limit(0)
    memory.empty((SIZE,), np.uint8)  # and dies
    assert not memory._pool._returned


def test_a_block_that_just_came_back_serves_no_other_size() -> None:
    first = memory.empty((2 * SIZE,), np.uint8)
    del first
    second = memory.empty((4 * SIZE,), np.uint8)
    second[:] = 1
    assert memory.held() >= 2 * SIZE
    assert second.nbytes == 4 * SIZE


def test_views_keep_a_block_from_being_lent_again() -> None:
    first = memory.empty((SIZE,), np.float32)
    first[:] = 3.0
    corner = first[7:9].reshape(1, 2)
    del first
    second = memory.empty((SIZE,), np.float32)
    second[:] = 4.0
    assert (corner == 3.0).all()


def test_arrays_of_objects_are_numpys_own() -> None:
    like = np.full(SIZE, None)
    assert memory.empty_like(like)[-1] is None
    assert memory.empty_like(like[::2]).base is None


def test_living_arrays_never_share_memory() -> None:
    rng = np.random.default_rng(0)
    living: list[np.ndarray] = []
    for step in range(60):
        if living and rng.random() < 0.5:
            index, array = (k := int(rng.integers(len(living)))), living.pop(k)
            assert (array == array[0]).all(), f"overwritten by another: {index}"
        array = memory.empty((SIZE + int(rng.integers(4)) * SIZE // 8,), np.uint8)
        array[:] = step
        living.append(array)
    places = sorted((address(a), a.nbytes) for a in living)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(places))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[5:9],
        lambda a: a.reshape(2, -1).T,
        lambda a: a.view(np.uint16),
        lambda a: memoryview(a),
        lambda a: np.frombuffer(a, np.uint8),
    ],
)
def test_a_view_keeps_the_block(view: object) -> None:
    array = memory.empty((SIZE,), np.uint8)
    place = address(array)
    kept = view(array)  # type: ignore[operator]
    del array
    gc.collect()
    assert memory.held() == 0
    assert address(memory.empty((SIZE,), np.uint8)) != place
    del kept
    gc.collect()
    assert memory.held() > 0


def test_unused_blocks_stay_under_the_limit() -> None:
    memory.limit(3 * SIZE)
    arrays = [memory.empty((SIZE,), np.uint8) for _ in range(8)]
    del arrays
    assert 2 * SIZE <= memory.held() <= 3 * SIZE
    memory.limit(0)
    assert memory.held() == 0
    array = memory.empty((SIZE,), np.uint8)
    del array
    assert memory.held() == 0


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(LimenError, match="-1"):
        memory.limit(-1)


def test_release_says_how_much_it_gave_back() -> None:
    array = memory.empty((SIZE,), np.uint8)
    del array
    assert memory.release() >= SIZE
    assert memory.held() == 0 and memory.release() == 0


@pytest.mark.parametrize("order", ["C", "F", (1, 2, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_like_keeps_shape_dtype_and_order(order: object, dtype: type) -> None:
    x = np.zeros((64, 128, 160), dtype)
    x = x.transpose(order) if isinstance(order, tuple) else np.asarray(x, order=order)
    made = memory.empty_like(x)
    like = np.empty_like(x)
    assert (made.shape, made.dtype, made.strides) == (like.shape, like.dtype, like.strides)
    assert made.flags.writeable and made.flags.aligned and not np.may_share_memory(made, x)
    assert address(made) % 64 == 0


def test_results_come_from_the_pool_and_can_be_kept() -> None:
    relu = limen.get("relu")
    x = np.linspace(-1, 1, SIZE // 4, dtype=np.float32)
    kept = [relu(x) for _ in range(3)]
    assert len({address(y) for y in kept}) == 3
    for y in kept:
        np.testing.assert_array_equal(y, np.maximum(x, 0))
    place = address(kept.pop())
    del y
    assert address(relu(x)) == place


def test_many_threads_may_take_and_return() -> None:
    wrong: list[int] = []

    def work(mark: int) -> None:
        for _ in range(200):
            array = memory.empty((SIZE,), np.uint8)
            array[::4096] = mark
            if not (array[::4096] == mark).all():
                wrong.append(mark)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(1, 7)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not wrong and memory.held() <= 2 * len(workers) * SIZE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_has_its_own_memory() -> None:
    script = (
        "import os, numpy as np\n"
        "from limen import memory\n"
        "kept = memory.empty((1 << 22,), np.uint8)\n"
        "kept[:] = 1\n"
        "spare = memory.empty((1 << 22,), np.uint8)\n"
        "del spare\n"
        "memory._pool._lock.acquire()\n"  # as if another thread held it
        "child = os.fork()\n"
        "if child == 0:\n"
        "    kept[:] = 2\n"
        "    memory.empty((1 << 22,), np.uint8)[:] = 3\n"
        "    os._exit(0 if (kept == 2).all() and memory.held() else 1)\n"
        "memory._pool._lock.release()\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert (kept == 1).all()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(("said", "limit"), [("12345678", 12345678), ("²", memory.limit())])
def test_the_environment_sets_the_limit(said: str, limit: int) -> None:
    script = "from limen import memory; print(memory.limit())"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "LIMEN_POOL_LIMIT": said},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(limit)


@pytest.mark.parametrize("power", [45, 60])
def test_more_than_there_is_is_a_memory_error(power: int) -> None:
    with pytest.raises(MemoryError, match="bytes"):
        limen.get("relu")(np.broadcast_to(np.float32(1.0), (1 << power,)))
