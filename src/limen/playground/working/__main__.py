"""A process that works for one page: requests in on one pipe, answers out on another."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from limen.errors import LimenError
from limen.playground import limits
from limen.playground.requests import Request

__all__ = ["Pipe", "main"]

Message = dict[str, Any]


class Pipe:
    """The process's end of the pipes; a thread reads, so that a closed pipe ends the process."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what anything prints is no answer
        self._inbox: queue.Queue[Request] = queue.Queue(limits.PENDING)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(0, 1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._inbox.put(json.loads(line))
        os._exit(0)  # the server is gone, and whatever is being computed with it

    def take(self, timeout: float | None = None) -> Request | None:
        """The next request; None when there is none within `timeout` seconds."""
        try:
            return self._inbox.get(timeout=timeout) if timeout != 0 else self._inbox.get_nowait()
        except queue.Empty:
            return None

    def say(self, message: Message | None, request: int = 0, *, last: bool = False) -> None:
        """Sends an answer; None only says that it was the last one."""
        text = "" if message is None else json.dumps(message, allow_nan=False)
        line = f"{request} {'last' if last else 'more'} {text}\n"
        self._out.write(line.encode())
        self._out.flush()

    def answer(self, request: Request, answers: Iterable[Message]) -> None:
        """Sends all answers to a request; what went wrong is an answer too."""
        number = request["request"]
        try:
            for message in answers:
                self.say(message, number)
        except LimenError as error:
            self.say({"kind": "wrong", "do": request["do"], "message": str(error)}, number)
        except MemoryError:
            text = "This takes more memory than a page is given: something smaller will do."
            self.say({"kind": "wrong", "do": request["do"], "message": text}, number)
        self.say(None, number, last=True)


def main(role: str) -> None:
    """Works until the server closes the pipe."""
    pipe = Pipe()
    _limit_memory()
    np.seterr(all="ignore")  # a training that diverges is shown as such; nobody reads warnings here
    if role == "formulas":
        from limen.playground.working.formulas import explore

        while (request := pipe.take()) is not None:
            _limit_computing()
            pipe.answer(request, explore(request))
    else:
        from limen.playground.working.training import Trainer

        Trainer(pipe).work()


def _limit_memory() -> None:
    if sys.platform != "win32":  # there, time is all that is limited
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limits.MEMORY, limits.MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_computing() -> None:
    """From now on for one formula; the system ends the process that goes beyond."""
    if sys.platform != "win32":
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(usage.ru_utime + usage.ru_stime) + limits.CPU_SECONDS
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


if __name__ == "__main__":
    main(sys.argv[1])
