"""The process of one entrant: reads a request a line, answers a line, both JSON.

    {"do": "prepare", "case": {...}}  binds the case, calls it once, checks what it gave
    {"do": "time"}                    times as many calls as make a measurable block
    {"do": "release"}                 lets the data go

The first line it writes says who it is. It ends with its input, so that no entrant outlives the
process that started it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter, process_time, sleep
from typing import Any, TextIO

from limen.bench.case import Case, Step, case_from
from limen.bench.peers.peer import Peer
from limen.bench.training import first_loss
from limen.formula import real

__all__ = ["check", "main", "run", "settle"]

_BLOCK = 5e-3  # seconds of calls in a turn: far above the clock's own noise
_WARM = 1e-2  # a call that takes longer finds the caches as cold as it leaves them
_CHECKED = 64  # elements of every result that are compared with the formula
_NEAR = 1e-3  # how near to the exact value, relatively, or absolutely for small ones,
_FORGIVEN = 0.2  # all but this share of them has to be
_LARGEST = 2.0**127  # beyond, a float32 may be infinite already
# Some systems count a process's seconds in ticks of 4 or 10 milliseconds: in a shorter pause, even
# a thread that never sleeps may have none.
_PAUSE, _LONGEST_PAUSE = 2.5e-2, 0.5


def main(name: str) -> None:
    """Runs an entrant of limen's on the standard streams of this process."""
    from limen.bench.entrants import ENTRANTS

    entrant = ENTRANTS[name]

    def make() -> Peer:
        module = import_module(f"limen.bench.peers.{entrant.module}")
        peer: Peer = module.make(int(os.environ["LIMEN_NUM_THREADS"]), **dict(entrant.options))
        return peer

    run(make)


def run(make: Callable[[], Peer]) -> None:
    """Makes a peer and answers for it until the input ends."""
    # Ctrl-C reaches the whole group; the parent decides what to do, and closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _answers()
    peer = make()
    _write(answers, {"version": peer.version})
    turn = _Turn(peer)
    for line in sys.stdin:
        try:
            answer = turn.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        settle()
        _write(answers, answer)


def _answers() -> TextIO:
    """The real standard output; what a framework prints goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _write(stream: TextIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


class _Turn:
    """The case at hand: its call, and how many calls make a block."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._call: Callable[[], Any] | None = None
        self._calls = 1
        self._warms_up = False

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "prepare":
            return self._prepare(case_from(request["case"]))
        if request["do"] == "time":
            return self._time()
        self._call = None
        gc.collect()
        return {}

    def _prepare(self, case: Case) -> dict[str, Any]:
        self._call = None
        gc.collect()
        start = perf_counter()
        call = self._peer.bind(case)
        bound = perf_counter()
        result = call()
        first = perf_counter() - bound
        check(case, self._peer.fetch(result))
        del result
        self._call, self._calls = call, _calls_in_a_block(call)
        self._warms_up = _timed(call, 1) < _WARM
        return {
            "bind_seconds": bound - start,
            "first_call_seconds": first,
            "calls": self._calls,
            "spelling": self._peer.spelling(case),
        }

    def _time(self) -> dict[str, Any]:
        if self._call is None:
            raise RuntimeError("nothing is prepared")
        if self._warms_up:  # others have had the caches meanwhile
            _timed(self._call, max(1, self._calls // 4))
        busy = process_time()
        seconds = _timed(self._call, self._calls)
        return {
            "seconds": seconds / self._calls,
            "cores": (process_time() - busy) / seconds,
        }


def _timed(call: Callable[[], Any], calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        call()
    return perf_counter() - start


def _calls_in_a_block(call: Callable[[], Any]) -> int:
    """So many calls that together they take a block's time.

    The second call of all may still compile something, and says nothing of those to come.
    """
    _timed(call, 1)
    calls = 1
    while (seconds := _timed(call, calls)) < _BLOCK / 4:
        calls *= 2
    return max(1, round(_BLOCK * calls / seconds))


def settle() -> None:
    """Waits until the threads of this process sleep.

    Pools spin for a while after their work, hoping for more, and would be measured as slowness of
    whoever comes next.
    """
    stop = perf_counter() + _LONGEST_PAUSE
    busy = process_time()
    while perf_counter() < stop:
        sleep(_PAUSE)
        was, busy = busy, process_time()
        if busy - was < _PAUSE / 10:
            return


def check(case: Case, results: list[Any]) -> None:
    """Refuses results that are not the function's: what is timed has to be the same work.

    A formula in float32 may well be far off where it cancels; another function is off in most
    places.

    Raises:
        ArithmeticError: saying where, and what should have come out.
    """
    if not results:
        return
    if isinstance(case, Step):
        loss, found = first_loss(case), float(results[0])
        if not abs(found - loss) <= _NEAR * loss:
            raise ArithmeticError(f"the first loss is {found:.9g}, not {loss:.9g}")
        return
    f = case.function()
    *inputs, grad_output = (a.astype(float) for a in case.arrays(len(f.inputs), _CHECKED))
    forward = case.direction == "forward"
    wanted = [f.expression] if forward else [f.derivative(name).expression for name in f.inputs]
    for expression, result in zip(wanted, results, strict=True):
        off = []
        for at, point in enumerate(zip(*inputs, strict=True)):
            exact = real.value(
                expression, {**f.parameters, **dict(zip(f.inputs, point, strict=True))}
            )
            exact *= 1.0 if forward else float(grad_output[at])
            found = float(result[at])
            if abs(exact) < _LARGEST and not abs(found - exact) <= _NEAR * (1 + abs(exact)):
                off.append(
                    f"at {', '.join(f'{x:.9g}' for x in point)} {found:.9g}, not {exact:.9g}"
                )
        if len(off) > _FORGIVEN * len(grad_output):
            raise ArithmeticError(f"{case.name}, {case.direction}, is another function: {off[0]}")


if __name__ == "__main__":
    main(sys.argv[1])
