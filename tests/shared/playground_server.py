"""A playground for tests, in a process of its own, and how to talk to it as a page does."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra playground")
pytest.importorskip("uvicorn", reason="needs the extra playground")
pytest.importorskip("websockets", reason="needs the extra playground")
psutil = pytest.importorskip("psutil", reason="looks for processes left behind")

from websockets.sync.client import ClientConnection, connect  # noqa: E402

from limen.playground.gate import PROTOCOL  # noqa: E402

Message = dict[str, Any]
BUILD = {
    "do": "build", "formula": "relu", "parameters": "", "data": "moons", "widths": [8, 8],
    "seed": 0, "loss": "cross_entropy", "optimizer": "adam", "rate": 0.01, "batch": 32,
    "pace": 1000,
}  # fmt: skip
NEVER = "sin(" * 98 + "x" + ")" * 98
"""Its kernels, forward and back, take a minute to compile, and its properties minutes."""


@dataclass
class Server:
    """A playground in a process of its own, as `limen playground` starts it."""

    process: subprocess.Popen[str]
    port: int
    token: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def get(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={"Host": self.host} | headers)
        response = connection.getresponse()
        response.content = response.read()  # type: ignore[attr-defined]
        connection.close()
        return response

    def open(
        self, *, token: str | None = None, origin: str | None = "", host: str | None = None
    ) -> ClientConnection:
        origin = f"http://{self.host}" if origin == "" else origin
        words = [PROTOCOL, self.token if token is None else token]
        return connect(
            f"ws://{host or self.host}/live",
            sock=socket.create_connection(("127.0.0.1", self.port), timeout=10),
            origin=origin,  # type: ignore[arg-type]
            subprotocols=[word for word in words if word],  # type: ignore[arg-type]
            proxy=None,
            max_size=None,
            compression=None,
        )

    def children(self) -> list[Any]:
        return psutil.Process(self.process.pid).children(recursive=True)  # type: ignore[no-any-return]

    def wait_for_children(self, count: int) -> None:
        end = time.monotonic() + 10
        while len(self.children()) != count:
            assert time.monotonic() < end, f"{len(self.children())} processes, not {count}"
            time.sleep(0.05)


@contextmanager
def started() -> Iterator[Server]:
    code = "from limen.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "playground", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    place, _, token = address.partition("/#")
    server = Server(process, int(place.rpartition(":")[2]), token)
    try:
        yield server
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=10)


def ended(server: Server) -> tuple[int, str, str]:
    server.process.send_signal(signal.SIGINT)
    out, errors = server.process.communicate(timeout=20)
    return server.process.returncode, out, errors


def ask(page: ClientConnection, **request: Any) -> None:
    page.send(json.dumps(request))


def until(
    page: ClientConnection, *kinds: str, seconds: float = 40, given: Callable[[Message], Any] = bool
) -> list[Message]:
    """Everything up to the first message of one of the kinds."""
    found: list[Message] = []
    end = time.monotonic() + seconds
    while True:
        found.append(json.loads(page.recv(timeout=max(0.0, end - time.monotonic()))))
        if found[-1]["kind"] in kinds and given(found[-1]):
            return found
