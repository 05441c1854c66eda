"""The server's end of a process that works for a page: asked in lines, ended when it is late."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Literal

from limen.playground import limits
from limen.playground.requests import Request

__all__ = ["Child", "Role"]

Role = Literal["formulas", "model"]
Tell = Callable[[str], Awaitable[None]]
_LONGEST_LINE = 16 * 1024 * 1024
_SECONDS = {"explore": limits.FORMULA_SECONDS, "build": limits.BUILD_SECONDS}
_LATE = {
    "formulas": "This formula takes longer than {seconds:g} seconds, so limen stopped working on "
    "it. A shorter one, or one less deeply nested, will do.",
    "model": "The model took longer than {seconds:g} seconds, so limen stopped it. Build it anew "
    "with a simpler formula or fewer neurons.",
}
_DIED = {
    "formulas": "This formula takes more memory or time than a page is given. A shorter one, or "
    "one less deeply nested, will do.",
    "model": "The model took more memory or time than a page is given. Build it anew with a "
    "simpler formula or fewer neurons.",
}


class Child:
    """A process of `limen.playground.working`, started when it is first asked.

    A request is a line of JSON; answers are lines `<request> <more or last> <JSON>`, of which the
    server only reads the head. Request 0 is what the process says by itself.

    Args:
        role: what the process does.
        tell: is awaited with each answer, which goes to the page as it is. While it waits, nothing
            more is read: a slow page slows its process down, and fills nobody's memory.
    """

    def __init__(self, role: Role, tell: Tell) -> None:
        self._role, self._tell = role, tell
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._asked = 0
        self._deadlines: dict[int, asyncio.TimerHandle] = {}
        self._waiting: Request | None = None
        self._late: float | None = None

    async def ask(self, request: Request) -> None:
        """Sends a request; its answers go to `tell`.

        Of the formulas that come while another is explored, only the newest is of interest.
        """
        if self._role == "formulas" and self._deadlines:
            self._waiting = request
            return
        if len(self._deadlines) >= limits.PENDING:
            await self._say("busy", "One moment: the model is still busy with what you asked.")
            return
        process = await self.start()
        assert process.stdin is not None
        self._asked += 1
        seconds = _SECONDS.get(request["do"], limits.ANSWER_SECONDS)
        loop = asyncio.get_running_loop()
        self._deadlines[self._asked] = loop.call_later(seconds, self._end, seconds)
        line = json.dumps({"request": self._asked, **request})
        with contextlib.suppress(ConnectionError):  # it ended: `_read` says so
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()

    async def start(self) -> asyncio.subprocess.Process:
        """Makes sure that the process runs."""
        async with self._starting:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "limen.playground.working", self._role),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=_LONGEST_LINE,
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C in the terminal is the server's to handle
                )
                self._reader = asyncio.create_task(self._read(self._process))
            return self._process

    async def close(self) -> None:
        """Ends the process, and waits until it is gone."""
        self._waiting = None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        if self._process is not None:
            await self._gone(self._process)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            request, more, answer = line.decode().rstrip("\n").split(" ", 2)
            if more == "last":
                self._settle(int(request))
            if answer:
                await self._tell(answer)
            if self._waiting is not None and not self._deadlines:
                newest, self._waiting = self._waiting, None
                await self.ask(newest)
        await self._ended(process)

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        """The process is gone: says why, and goes on with the next formula."""
        late, self._late = self._late, None
        await self._gone(process)
        message = _DIED[self._role] if late is None else _LATE[self._role].format(seconds=late)
        await self._say("stopped", message)
        if self._waiting is not None:
            newest, self._waiting = self._waiting, None
            await self.ask(newest)

    async def _gone(self, process: asyncio.subprocess.Process) -> None:
        self._process = None
        for request in list(self._deadlines):
            self._settle(request)
        _kill(process)
        await process.wait()
        transport = process._transport  # type: ignore[attr-defined]  # closes its pipes now
        transport.close()

    def _settle(self, request: int) -> None:
        deadline = self._deadlines.pop(request, None)
        if deadline is not None:
            deadline.cancel()

    def _end(self, seconds: float) -> None:
        """Ends a process that is late: `_read` finds that there is no more to read."""
        if self._process is not None:
            self._late = seconds
            _kill(self._process)

    async def _say(self, kind: str, message: str) -> None:
        await self._tell(json.dumps({"kind": kind, "role": self._role, "message": message}))


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kills the process, if it runs.

    Its own `kill` looks first whether the process has ended, and so takes the exit status away from
    asyncio, which then complains (https://github.com/python/cpython/issues/127049).
    """
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        elif process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """One thread for a process: pages share the machine, and their models are small."""
    pools = ("LIMEN", "OMP", "OPENBLAS", "MKL")
    return {**os.environ, **{f"{pool}_NUM_THREADS": "1" for pool in pools}}
