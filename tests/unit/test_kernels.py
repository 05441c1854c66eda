"""Kernels: 16-bit formats, threads, forks, the cache folder, what no caller may break."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numba
import numpy as np
import pytest

import limen
from limen.kernels import cache, threads
from limen.kernels.primitives import formats
from limen.kernels.undisturbed import undisturbed
from limen.kernels.watch import Signal

MISH = limen.get("mish")


def converted(load: object, store: object, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    @numba.njit
    def run(bits, wide, back):  # type: ignore[no-untyped-def]
        for i in range(bits.size):
            wide[i] = load(bits[i])
            back[i] = store(wide[i])

    wide, back = np.empty(bits.size), np.empty_like(bits)
    run(bits, wide, back)
    return wide, back


FORMATS = [
    (np.float16, formats.load_float16, formats.store_float16),
    (ml_dtypes.bfloat16, formats.load_bfloat16, formats.store_bfloat16),
]


@pytest.mark.parametrize(("dtype", "load", "store"), FORMATS)
def test_every_16_bit_number_goes_through(dtype: type, load: object, store: object) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    wide, back = converted(load, store, bits)
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of signalling NaN
        np.testing.assert_array_equal(wide, bits.view(dtype).astype(np.float64))
    numbers = ~np.isnan(wide)
    np.testing.assert_array_equal(back[numbers], bits[numbers])
    assert all(np.isnan(float(number)) for number in back.view(dtype)[~numbers])


@pytest.mark.parametrize(("dtype", "load", "store"), FORMATS)
def test_rounding_is_to_nearest_even_in_one_step(dtype: type, load: object, store: object) -> None:
    @numba.njit
    def run(wide, back):  # type: ignore[no-untyped-def]
        for i in range(wide.size):
            back[i] = store(wide[i])

    largest = np.array(ml_dtypes.finfo(dtype).max, dtype).view(np.uint16)
    grid = np.arange(int(largest) + 1, dtype=np.uint16).view(dtype).astype(float)
    low, high = grid[:-1], grid[1:]
    middle = (low + high) / 2  # exact in float64
    wide = np.concatenate(
        [middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf), [1e300, 1e-300, 5e-324]]
    )
    even = np.where(np.arange(low.size) % 2 == 0, low, high)
    overflow = [np.inf, 0, 0]
    expected = np.concatenate([even, low, high, overflow])
    for sign in (1, -1):
        back = np.empty(wide.size, np.uint16)
        run(sign * wide, back)
        np.testing.assert_array_equal(back.view(dtype).astype(float), sign * expected)


def test_threads_may_call_one_function_at_once() -> None:
    x = np.random.default_rng(0).standard_normal(1 << 18).astype(np.float32)
    fresh = limen.activation("x * tanh(softplus(x)) + 0.125 * x")
    expected = fresh(x[: 1 << 10])
    results: list[bool] = []

    def work() -> None:
        for _ in range(5):
            results.append(bool((fresh(x)[: 1 << 10] == expected).all()))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert results == [True] * 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_may_call_kernels_and_compile() -> None:
    script = (
        "import os, numpy as np, limen\n"
        "x = np.ones(1 << 18, np.float32)\n"
        "expected = limen.get('mish')(x)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    same = (limen.get('mish')(x) == expected).all()\n"
        "    new = limen.activation('x * x * x + 0.375')(x)[0] == 1.375\n"
        "    os._exit(0 if same and new else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert (limen.get('mish')(x) == expected).all()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_fork_while_a_thread_compiles_for_the_first_time(tmp_path: Path) -> None:
    # Numba's imports log, and a fork holds the lock of logging: whoever waits must not hold it.
    script = (
        "import os, threading, time, limen\n"
        "f = limen.get('mish')\n"
        "f.derivative().formula, f.limits\n"
        "worker = threading.Thread(target=f, args=(1.0,))\n"
        "worker.start()\n"
        "time.sleep(0.2)\n"  # Numba loads for half a second
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if f(1.0) > 0.8 else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "worker.join()\n"
    )
    environment = {**os.environ, "LIMEN_CACHE_DIR": str(tmp_path)}
    run = [sys.executable, "-W", "ignore", "-c", script]
    subprocess.run(run, env=environment, check=True, timeout=60)


def test_a_task_that_fails_says_so_after_all_have_ended() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        threads.run([fail, lambda: done.append(1), lambda: done.append(2)])
    assert sorted(done) == [1, 2]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no way to choose CPUs")
@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_kept_apart_where_all_cpus_are_taken(fails: bool) -> None:
    cpus = os.sched_getaffinity(0)
    seen: list[set[int]] = []

    def look() -> None:
        seen.append(os.sched_getaffinity(0))
        time.sleep(0.05)  # so that nobody takes two of them

    def own() -> None:
        look()
        if fails:
            raise ValueError("on purpose")

    for count in (len(cpus), len(cpus) + 1):
        seen.clear()
        with suppress(ValueError):
            threads.run([*[look] * (count - 1), own])
        assert os.sched_getaffinity(0) == cpus
        if 1 < count == len(cpus):
            here = min(seen, key=len)
            assert len(here) == 1 and seen.count(cpus - here) == count - 1


def test_a_watcher_sees_a_change_and_does_not_wait_for_ever() -> None:
    signal_, seen = Signal(), []

    def watch() -> None:
        until = time.monotonic() + 10
        while not signal_.number and time.monotonic() < until:
            signal_.watch(0)
        seen.append(signal_.number)

    watcher = threading.Thread(target=watch)
    watcher.start()
    signal_.number = 7
    watcher.join(timeout=20)
    assert seen == [7]
    signal_.watch(0)  # returns at once
    begun = time.monotonic()
    signal_.watch(7)
    assert time.monotonic() - begun < 1


BLOCKED = {"relu": -1.0, "relu6": 7.0, "hardtanh": 2.0, "softshrink": 0.1, "hardshrink": 0.1}


@pytest.mark.parametrize(("name", "x"), BLOCKED.items())
def test_a_choice_hands_the_gradient_on_without_arithmetic(name: str, x: float) -> None:
    function = limen.get(name)
    loop = function.source("backward").partition("for i in range")[2]
    assert "* grad_output" not in loop
    for gradient in (np.inf, np.nan, 1.0):
        assert function.backward(np.float32(gradient), np.float32(x)) == 0


def test_a_folder_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    script = "from limen.kernels.cache import folder; print(folder())"
    for mode, used in ((0o700, True), (0o777, False)):
        place = tmp_path / oct(mode)
        place.mkdir()
        place.chmod(mode)
        found = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "LIMEN_CACHE_DIR": str(place)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (found.stdout.strip() == str(place)) is used


def test_without_a_cache_folder_kernels_still_work(tmp_path: Path) -> None:
    blocked = tmp_path / "a_file"
    blocked.write_text("not a folder")
    script = "import limen; assert limen.get('silu')(0.0) == 0"
    environment = {**os.environ, "LIMEN_CACHE_DIR": str(blocked)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)


@pytest.mark.parametrize("damage", [b"", b"\xe9\xff not what was written"])
def test_damaged_files_in_the_cache_folder_are_passed_over(tmp_path: Path, damage: bytes) -> None:
    environment = {**os.environ, "LIMEN_CACHE_DIR": str(tmp_path)}
    script = "import limen; assert limen.get('silu')(0.0) == 0"
    run = [sys.executable, "-c", script]
    subprocess.run(run, env=environment, check=True, timeout=120)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".nbi" for path in files)
    for path in files:
        path.write_bytes(damage)
    subprocess.run(run, env=environment, check=True, timeout=120)


def test_a_tampered_source_file_is_never_run(tmp_path: Path) -> None:
    environment = {**os.environ, "LIMEN_CACHE_DIR": str(tmp_path)}
    script = "import limen; assert limen.get('silu')(0.0) == 0"
    run = [sys.executable, "-c", script]
    subprocess.run(run, env=environment, check=True, timeout=120)
    files = list(tmp_path.glob("*.py"))
    assert files and tmp_path.stat().st_mode & 0o077 in (0, 0o55)
    for file in files:
        file.write_text("raise SystemExit('tampered')")
    subprocess.run(run, env=environment, check=True, timeout=120)


def test_the_generator_is_part_of_a_kernels_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = MISH._binding.plan("forward")
    before = cache._digest(plan, "float32")
    assert cache._digest(plan, "float64") != before
    monkeypatch.setattr(cache, "_generator", lambda: "another generator")
    assert cache._digest(plan, "float32") != before


def interrupt() -> None:
    """What Ctrl-C does: the main thread stops waiting."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no way to signal a thread")
def test_ctrl_c_interrupts_the_caller_and_not_the_compiler() -> None:
    ended: list[int] = []

    def compile_something() -> None:
        time.sleep(0.4)
        ended.append(1)

    threading.Timer(0.1, interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        undisturbed(compile_something)
    assert not ended
    time.sleep(0.6)
    assert ended
    with pytest.raises(ValueError, match="on purpose"):
        undisturbed(lambda: int("on purpose"))


def test_a_kernel_is_whole_after_ctrl_c_while_it_compiled(tmp_path: Path) -> None:
    script = (
        "import os, signal, threading, limen\n"
        "limen.get('relu')(1.0)\n"
        "for k in range(1, 4):\n"
        "    f = limen.activation(f'x * tanh(softplus(x)) + {k} * x')\n"
        "    f.limits\n"
        "    try:\n"
        "        threading.Timer(0.03 * k, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "        f(0.0)\n"
        "        threading.Event().wait(0.1)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    assert f(0.0) == 0.0\n"
    )
    environment = {**os.environ, "LIMEN_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no way to signal a thread")
def test_the_caller_waits_for_all_tasks_even_when_interrupted() -> None:
    done: list[int] = []

    def slow() -> None:
        time.sleep(0.5)
        done.append(1)

    interruption = threading.Timer(0.1, interrupt)
    with pytest.raises(KeyboardInterrupt):
        threads.run([slow, interruption.start])
    assert done == [1]


INTERRUPTED = """
import os, random, signal, time
from limen.kernels import threads

def cpus():
    return getattr(os, "sched_getaffinity", lambda _: None)(0)

before = cpus()

def interrupt(*_):
    raise KeyboardInterrupt

chance, interrupted = random.Random(0), 0
signal.signal(signal.SIGALRM, interrupt)
for _ in range(300):
    done, ended = [], None
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(3e-5, 6e-4))
        threads.run([lambda done=done: (time.sleep(5e-4), done.append(1)), lambda: None])
        time.sleep(2e-3)  # for the alarm of a call that was quicker
    except KeyboardInterrupt:
        ended, interrupted = len(done), interrupted + 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(1e-3)
    assert ended in (None, len(done)), "a task went on"
    assert cpus() == before, "the caller may not go where it could"
assert interrupted
"""


def test_ctrl_c_at_any_time_ends_a_call_and_leaves_no_task_behind() -> None:
    # In a process of its own: the alarm may also ring in what pytest and Hypothesis do meanwhile.
    environment = {**os.environ, "LIMEN_NUM_THREADS": "2"}
    run = [sys.executable, "-W", "ignore", "-c", INTERRUPTED]
    for _ in range(3):  # the first calls of a process also start threads and compile
        subprocess.run(run, env=environment, check=True, timeout=60)


def test_a_call_is_served_where_the_system_gives_no_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_workers", threads._Workers())
    done: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(threads._thread, "start_new_thread", refuse)
        assert undisturbed(lambda: 7) == 7
        threads.run([lambda: done.append(1), lambda: done.append(2)])
    threads.run([lambda: done.append(3), lambda: done.append(4)])
    assert sorted(done) == [1, 2, 3, 4]
