"""Hands: threads that share a call natively. Who does what may differ, what comes out may not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import limen
from limen.kernels import board, cpu, hands, sweep, threads
from limen.kernels.board import BOARD

SIZE = 3 * sweep.TILE * 8 + 5


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything is worth sharing, with up to three hands; and goes the long way, to be seen."""
    monkeypatch.setattr(cpu, "_WORTH_JOINING", 0.0)
    monkeypatch.setattr(cpu, "_WORTH_WAKING", 0.0)
    monkeypatch.setattr(cpu, "_TIMED", 1 << 30)
    monkeypatch.setenv(threads.VARIABLE, "4")
    yield
    monkeypatch.undo()
    BOARD.allow()


def fresh(name: str) -> limen.ActivationFunction:
    """A function whose kernels have been timed by nobody."""
    return limen.activation(limen.get(name).formula, **limen.get(name).parameters)


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Of each call that goes the long way: its elements, and how many the caller did itself."""
    seen: list[tuple[int, int]] = []
    share = hands.native_share()

    def watched(*words: int) -> int:
        done = share(*words)
        seen.append((words[5], done))
        return done

    monkeypatch.setattr(hands, "native_share", lambda: watched)
    return seen


@pytest.mark.usefixtures("eager")
def test_the_number_of_threads_does_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal(SIZE)
    results = []
    for count in ("1", "2", "3", "4"):
        monkeypatch.setenv(threads.VARIABLE, count)
        f = fresh("swish")
        for _ in range(20):
            y, sums = f.backward(x, x, parameters=True)
            results.append((y.tobytes(), sums["beta"], f(x).tobytes()))
    assert len(set(results)) == 1


@pytest.mark.usefixtures("eager")
def test_hands_do_a_part_of_the_work(shares: list[tuple[int, int]]) -> None:
    x = np.linspace(-5, 5, 1 << 20)
    f = fresh("gelu")
    for _ in range(200):
        f(x)
        if any(done < size for size, done in shares):
            return
    pytest.fail("no hand came")


def test_the_quick_way_shares_and_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).standard_normal((1 << 9, 1 << 9)).astype(np.float32)
    f, out = fresh("gelu"), np.empty_like(x)
    monkeypatch.setenv(threads.VARIABLE, "1")
    alone = f(x)
    monkeypatch.setenv(threads.VARIABLE, "2")
    for _ in range(50):
        assert f(x, out=out) is out
        np.testing.assert_array_equal(out.view(np.int32), alone.view(np.int32))
    out[...] = x
    f(out, out=out)
    np.testing.assert_array_equal(out.view(np.int32), alone.view(np.int32))


def test_what_the_environment_says_is_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-5, 5, 1 << 18).astype(np.float32)
    f, out = fresh("tanh"), np.empty_like(x)
    for count in (2, 1, 3, 2):
        monkeypatch.setenv(threads.VARIABLE, str(count))
        for _ in range(8):
            f(x, out=out)
        assert BOARD.words[board.ALLOWED] == count - 1
    monkeypatch.delenv(threads.VARIABLE)
    f(x, out=out)
    assert BOARD.words[board.ALLOWED] == threads.available() - 1


@pytest.mark.usefixtures("eager")
def test_a_task_asks_for_no_hands(shares: list[tuple[int, int]]) -> None:
    x, f = np.linspace(-5, 5, SIZE), fresh("silu")
    f(x)
    shares.clear()
    allowed = BOARD.words[board.ALLOWED]
    threads.alone(lambda: [f(x) for _ in range(20)] and None)
    assert all(done == size for size, done in shares)
    assert BOARD.words[board.ALLOWED] == allowed  # that of everyone else
    shares.clear()
    with board.taken():
        for _ in range(20):
            f(x)
        assert not BOARD.take()
    assert all(done == size for size, done in shares)
    lock = BOARD.take()
    assert lock
    BOARD.give_back(lock)


@pytest.mark.usefixtures("eager")
def test_many_callers_at_once_get_what_is_theirs() -> None:
    f = fresh("mish")
    inputs = [np.random.default_rng(k).standard_normal(SIZE + 1000 * k) for k in range(4)]
    expected = [f(x).tobytes() for x in inputs]
    wrong: list[int] = []

    def call(k: int) -> None:
        for _ in range(50):
            if f(inputs[k]).tobytes() != expected[k]:
                wrong.append(k)

    callers = [threading.Thread(target=call, args=(k,)) for k in range(len(inputs))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(120)
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no way to choose CPUs")
@pytest.mark.usefixtures("eager")
def test_hands_wake_on_other_cpus_than_the_callers() -> None:
    cpus = os.sched_getaffinity(0)
    x, f = np.linspace(-5, 5, SIZE), fresh("mish")
    f(x)
    words, hand = BOARD.words, BOARD.words[board.STARTED] - 1
    thread = words[board.THREAD + 8 * hand]
    os.sched_setaffinity(thread, cpus)
    deadline = time.monotonic() + 60
    while os.sched_getaffinity(thread) == cpus and time.monotonic() < deadline:
        time.sleep(0.05)  # by now hands sleep
        words[board.CREDIT] = board.MOST_CREDIT
        f(x)
    here = os.sched_getaffinity(0)
    assert here == cpus  # the caller's own are left alone
    if len(cpus) > 1:
        assert len(os.sched_getaffinity(thread)) == len(cpus) - 1


@pytest.mark.usefixtures("eager")
def test_a_call_is_served_where_the_system_gives_no_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, f = np.linspace(-5, 5, SIZE), fresh("softplus")
    expected = f(x).tobytes()

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    more = BOARD.words[board.STARTED] + 2
    with monkeypatch.context() as patch:
        patch.setenv(threads.VARIABLE, str(more + 1))
        patch.setattr(hands._thread, "start_new_thread", refuse)
        patch.setattr(threads._thread, "start_new_thread", refuse)
        assert f(x).tobytes() == expected
    assert f(x).tobytes() == expected


SCRIPT = """
import os, numpy as np, limen
f, x = limen.get("gelu"), np.linspace(-5, 5, 1 << 18).astype(np.float32)
out = np.empty_like(x)
expected = f(x).tobytes()
for _ in range(30):
    f(x, out=out)
"""
FORK = """
for _ in range(3):
    child = os.fork()
    if child == 0:
        for _ in range(30):
            f(x, out=out)
        os._exit(0 if out.tobytes() == expected else 1)
    f(x, out=out)
    assert os.waitpid(child, 0)[1] == 0
"""
FORK_WITHIN = """
from limen.kernels.board import BOARD, taken
with taken():
    child = os.fork()
if child == 0:
    lock = BOARD.take()
    os._exit(0 if lock and not BOARD.take() else 1)
assert os.waitpid(child, 0)[1] == 0
"""
LEAVE = """
import atexit
atexit.register(lambda: [f(x, out=out) for _ in range(3)])  # hands are awake, or told to sleep
for _ in range(30):
    f(x, out=out)
"""
LATE = """
from time import monotonic, sleep
from limen.kernels import board, hands
hands._close()
patience = monotonic() + 60
while not board.BOARD.are_asleep() and monotonic() < patience:
    sleep(1e-3)  # on a busy machine a hand waits for its turn, even to fall asleep
assert board.BOARD.are_asleep()
work = board.BOARD.words[board.STATE]
g = limen.get("tanh")
for _ in range(30):
    f(x, out=out)
    g(x)
assert out.tobytes() == expected
assert board.BOARD.words[board.ALLOWED] == 0 and board.BOARD.are_asleep()
assert board.BOARD.words[board.STATE] == work  # nor was there anything for them to do
"""
# For a process that hangs: on a busy machine one that does not has taken most of a minute.
HANGS = 240


@pytest.mark.parametrize(
    "what",
    [FORK, FORK_WITHIN, LEAVE, LATE],
    ids=["forked", "forked in a task", "at the end", "late"],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_processes_that_fork_and_that_end(what: str) -> None:
    environment = {**os.environ, threads.VARIABLE: "3"}
    run = [sys.executable, "-W", "ignore", "-c", SCRIPT + what]
    for _ in range(3):
        subprocess.run(run, env=environment, check=True, timeout=HANGS)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("size", [1, sweep.TILE - 1, 2 * sweep.TILE, 2 * sweep.TILE + 1, 70_001])
def test_every_element_is_done_once(size: int) -> None:
    x = np.arange(size, dtype=np.float64)
    f = limen.activation("x + 1")
    y = x.copy()
    for k in range(1, 100):
        f(y, out=y)
        np.testing.assert_array_equal(y, x + k)
