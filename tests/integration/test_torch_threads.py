"""Calls from PyTorch are shared by PyTorch's own threads; by limen's hands where there are none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import limen

torch = pytest.importorskip("torch")
lt = pytest.importorskip("limen.torch")

from limen.torch.native import _team  # noqa: E402 - needs PyTorch

SIZE = (1 << 21) + 77

needs_team = pytest.mark.skipif(
    not torch.backends.openmp.is_available() or not sys.platform.startswith("linux"),
    reason="PyTorch has no OpenMP here",
)


def both(x: torch.Tensor, name: str = "mish") -> list[torch.Tensor]:
    leaf = x.detach().requires_grad_()
    y = lt.Activation(name)(leaf)
    y.backward(torch.ones_like(y))
    return [y.detach(), leaf.grad]


def run(code: str) -> str:
    head = (
        "import os, torch, limen, limen.torch as lt\nfrom limen.kernels.board import BOARD, STATE\n"
    )
    text = head + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["mish", "swiglu", "tanh"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_bits_do_not_depend_on_who_shares(name: str, dtype: torch.dtype) -> None:
    before = torch.get_num_threads()
    x = torch.randn(2 * SIZE, dtype=dtype)
    found = []
    try:
        for threads in (1, 2, 2, 3):
            torch.set_num_threads(threads)
            found.append(both(x, name))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@needs_team
def test_hands_have_nothing_to_do_where_pytorch_has_threads() -> None:
    works = run(
        """
        torch.set_num_threads(2)
        act, x = lt.Activation("mish"), torch.ones(1 << 21)
        for calls in (8, 8):  # the first ones time the kernel
            before = BOARD.words[STATE]
            for _ in range(calls):
                act(x)
        print(BOARD.words[STATE] - before)
        """
    )
    assert works == "0"


@pytest.fixture
def asked() -> Iterator[list[int]]:
    """How many threads each call asks the team for, which does all their parts one by one."""
    found: list[int] = []
    current = [0, 0]

    @ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)
    def parallel(part: int, work: int, threads: int, flags: int) -> int:
        found.append(threads)
        for number in range(threads):
            current[:] = number, threads
            ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(part)(work)
        return 0

    number = ctypes.CFUNCTYPE(ctypes.c_int64)(lambda: current[0])
    count = ctypes.CFUNCTYPE(ctypes.c_int64)(lambda: current[1])
    team, before = _team(), torch.get_num_threads()
    words = list(team._words)
    for k, function in enumerate((parallel, number, count)):
        team._words[k] = ctypes.cast(function, ctypes.c_void_p).value
    yield found
    team._words[:] = words
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("threads", "variable", "expected"),
    [(2, "", 2), (3, "", 2), (3, "3", 3), (3, "1", 1), (1, "", 1)],
)
def test_a_team_is_as_large_as_pytorch_and_limen_may_be(
    monkeypatch: pytest.MonkeyPatch, asked: list[int], threads: int, variable: int, expected: int
) -> None:
    monkeypatch.setenv("LIMEN_NUM_THREADS", str(variable))
    torch.set_num_threads(threads)
    act, x = lt.Activation("mish"), torch.randn(SIZE)
    for _ in range(8):  # the first ones time the kernel, and learn what the variable says
        y = act(x)
    asked.clear()
    y = act(x)
    assert asked == ([expected] if expected > 1 else [])
    assert torch.equal(y, torch.from_numpy(limen.get("mish")(x.numpy())))
    asked.clear()
    act(torch.ones(64))
    assert asked == []


@needs_team
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_no_team_and_does_not_wait_for_it() -> None:
    # OpenMP's threads are not there after a fork, and a loop that wants them waits for ever.
    said = run(
        """
        torch.set_num_threads(2)
        act, x = lt.Activation("mish"), torch.ones(1 << 21)
        for _ in range(8):
            act(x)
        child = os.fork()
        if not child:
            limen.get("mish")(x.numpy())  # which allows hands again, for others too
            for _ in range(8):
                act(x)
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert said == "7"


@needs_team
def test_without_a_team_hands_share() -> None:
    expected = both(torch.arange(SIZE) / SIZE)
    team = _team()
    words = list(team._words)
    team.disband()
    try:
        found = both(torch.arange(SIZE) / SIZE)
    finally:
        team._words[:] = words
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_many_threads_call_at_once() -> None:
    x = torch.randn(SIZE)
    expected = both(x)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: both(x), range(16)):
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
