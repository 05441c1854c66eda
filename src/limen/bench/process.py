"""The parent's side of an entrant: a child process that is asked and answers, or has died."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Self

from limen.bench.case import Case, to_json
from limen.bench.entrants import Entrant
from limen.errors import LimenError

__all__ = ["Process", "ProcessError", "environment"]

_TIMEOUT = 600.0  # seconds; compiling a training step is the longest that any answer takes
_LAST_WORDS = 400  # characters of what a dead child wrote


class ProcessError(LimenError):
    """An entrant that refused, died, or did not answer."""


def environment(threads: int, cache: str | None = None) -> dict[str, str]:
    """The environment of a child that may use so many threads.

    Every pool reads its size from a variable of its own when its library is loaded.

    Args:
        threads: how many.
        cache: a folder for compiled code in place of the user's, for cold starts.
    """
    count = str(threads)
    pools = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "LIMEN", "NUMBA")
    settings = {f"{pool}_NUM_THREADS": count for pool in pools}
    settings["NPROC"] = count  # XLA's pool
    flags = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    settings["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    settings["JAX_PLATFORMS"] = "cpu"
    # Inductor's own pool of compiling processes would outlive the compilation, and be measured.
    settings["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    if cache is not None:
        settings |= {"LIMEN_CACHE_DIR": cache, "TORCHINDUCTOR_CACHE_DIR": cache}
    return {**os.environ, **settings}


class Process:
    """An entrant's process, from its start to its end.

    Args:
        entrant: who.
        variables: the environment of the process.

    Attributes:
        hello: what it said of itself: its version.
        ready_seconds: how long it took from its start to that: Python and the framework's import.
    """

    def __init__(self, entrant: Entrant, variables: Mapping[str, str]) -> None:
        self.entrant = entrant
        self.hello: dict[str, Any] = {}
        self.ready_seconds = 0.0
        self._started = perf_counter()
        # A file and not a pipe: nobody reads along, and a full pipe would stop the child.
        self._words = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._child = subprocess.Popen(
            entrant.starts_with,
            env={**variables, **dict(entrant.variables)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            encoding="utf-8",
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def greet(self) -> None:
        """Waits for the child's first line.

        Raises:
            ProcessError: if it died or said nothing.
        """
        self.hello = self._answer()
        self.ready_seconds = perf_counter() - self._started

    def prepare(self, case: Case) -> dict[str, Any]:
        """Has the child bind a case, call it once and check the result.

        Raises:
            ProcessError: if it cannot, or died.
        """
        return self._ask({"do": "prepare", "case": to_json(case)})

    def time(self) -> dict[str, float]:
        """Has the child time a block of calls: seconds for each, and how many cores were busy."""
        return self._ask({"do": "time"})

    def release(self) -> None:
        """Has the child let its data go."""
        self._ask({"do": "release"})

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def close(self) -> None:
        """Ends the child: at once if it does not end with its input."""
        with contextlib.suppress(OSError):
            if self._child.stdin is not None:
                self._child.stdin.close()
        try:
            self._child.wait(0.5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join(1.0)
        if self._child.stdout is not None and not self._reader.is_alive():
            self._child.stdout.close()
        self._words.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
        except OSError:
            raise self._death() from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=_TIMEOUT)
        except Empty:
            self._child.kill()
            raise ProcessError(f"{self.entrant.title} did not answer in {_TIMEOUT:g} s") from None
        if not line:
            raise self._death()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProcessError(f"{self.entrant.title}: {answer['error']}")
        return answer

    def _read(self) -> None:
        assert self._child.stdout is not None
        with contextlib.suppress(ValueError):  # closed while it was being read
            for line in self._child.stdout:
                self._lines.put(line)
        self._lines.put("")  # the end

    def _death(self) -> ProcessError:
        code = self._child.wait()
        self._words.seek(0)
        words = " ".join(self._words.read().split())[-_LAST_WORDS:]
        return ProcessError(f"{self.entrant.title} ended with code {code}: {words}")
