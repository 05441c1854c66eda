"""The playground attacked by pages it has let in: what is refused, ended, and left behind."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from playground_server import BUILD, NEVER, Server, ask, psutil, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from limen.playground import limits
from limen.playground.child import Child


def exchange(page: ClientConnection, message: str | bytes) -> str | bytes:
    page.send(message)
    return page.recv(timeout=20)


def test_a_script_in_a_formula_is_text(page: ClientConnection) -> None:
    text = "<script>alert(1)</script>"
    ask(page, do="explore", formula=text, parameters="", number=1)
    answer = until(page, "formula")[-1]
    assert (answer["text"], answer["column"]) == (text, 0)


def test_a_formula_that_takes_minutes_is_ended(server: Server, page: ClientConnection) -> None:
    ask(page, **BUILD)
    until(page, "frame")
    ask(page, do="train")
    start = time.monotonic()
    ask(page, do="explore", formula=NEVER, parameters="", number=1)
    ask(page, do="explore", formula="tanh", parameters="", number=2)  # forgotten for the next
    ask(page, do="explore", formula="sin(x)", parameters="", number=3)
    stopped = until(page, "stopped")[-1]
    assert stopped["role"] == "formulas"
    assert "12 seconds" in stopped["message"]
    assert time.monotonic() - start < limits.FORMULA_SECONDS + 5
    answers = until(page, "explored")
    assert {message["number"] for message in answers if "number" in message} == {3}
    # The model has learned all the time.
    ask(page, do="seen")
    assert until(page, "frame")[-1]["steps"] > 500
    assert len(server.children()) == 2


def test_a_process_that_is_killed_is_replaced(server: Server, page: ClientConnection) -> None:
    ask(page, **BUILD)
    until(page, "frame")
    model = next(c for c in server.children() if c.cmdline()[-1] == "model")
    model.kill()
    assert until(page, "stopped")[-1]["role"] == "model"
    ask(page, **BUILD)
    until(page, "frame")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no memory here")
def test_a_process_that_ends_by_itself_is_not_complained_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")  # ends at once, whatever it is told
    said = []

    async def tell(answer: str) -> None:
        said.append(json.loads(answer)["kind"])

    async def run() -> None:
        for _ in range(200):
            child = Child("model", tell)
            process = await child.start()
            while not said:
                await asyncio.sleep(0)
            said.clear()
            assert process.returncode == 0
            await child.close()

    asyncio.run(run())
    assert not caplog.records


def test_a_process_has_so_much_memory_and_no_more() -> None:
    code = (
        "from limen.playground.working.__main__ import _limit_memory; import numpy as np\n"
        "_limit_memory()\n"
        f"try: np.ones({limits.MEMORY} // 8 + 1)\nexcept MemoryError: print('ended')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "ended"


def test_ten_pages(server: Server) -> None:
    with ExitStack() as stack:
        pages = [stack.enter_context(server.open()) for _ in range(10)]
        for page in pages[limits.PAGES :]:
            message = json.loads(page.recv(timeout=10))
            assert message["kind"] == "full"
            assert "close one" in message["message"]
            with pytest.raises(ConnectionClosed):
                page.recv(timeout=10)
        server.wait_for_children(2 * limits.PAGES)
        for page in pages[: limits.PAGES]:
            ask(page, do="explore", formula="relu", parameters="", number=1)
        for page in pages[: limits.PAGES]:
            until(page, "formula", seconds=60)
        pages[0].close()
        server.wait_for_children(2 * limits.PAGES - 2)
        with server.open() as another:  # there is room again
            ask(another, do="explore", formula="relu", parameters="", number=1)
            until(another, "formula")
    server.wait_for_children(0)


def test_pages_that_vanish_leave_nothing(server: Server) -> None:
    before = psutil.Process(server.process.pid).num_threads()
    for _ in range(4):
        with server.open() as page:
            ask(page, **BUILD)
            ask(page, do="train")
            until(page, "frame")
            page.socket.shutdown(socket.SHUT_RDWR)  # no goodbye
    server.wait_for_children(0)
    assert psutil.Process(server.process.pid).num_threads() <= before + 1
    assert len(psutil.Process(server.process.pid).net_connections("tcp")) == 1  # it listens


@pytest.mark.parametrize("size", [limits.MESSAGE + 1, 50_000_000])
def test_a_giant_message_ends_the_page_alone(server: Server, size: int) -> None:
    with server.open() as other, server.open() as page:
        with pytest.raises(ConnectionClosed) as error:
            exchange(page, "x" * size)
        if size < 1_000_000:  # the server need not read the rest of a larger one before it goes
            assert error.value.rcvd is not None
            assert error.value.rcvd.code == 1009
        ask(other, do="explore", formula="relu", parameters="", number=1)
        until(other, "formula")
    server.wait_for_children(0)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 4000, '{"do": 3}', '{"do": "eval"}', '{"do": "explore"}',
     '{"do": "sample", "index": NaN}', '{"do": "sample", "index": -1}', '{"do": "__class__"}',
     '{"do": "explore", "formula": ["x"], "parameters": "", "number": 1}'],
)  # fmt: skip
def test_what_is_no_request_is_refused(page: ClientConnection, text: str) -> None:
    page.send(text)
    assert until(page, "refused")[-1]["message"]
    ask(page, do="explore", formula="relu", parameters="", number=1)
    until(page, "formula")  # and the page goes on


def test_bytes_end_the_page(server: Server) -> None:
    with server.open() as page, pytest.raises(ConnectionClosed):
        exchange(page, b"\x00\x01")
    server.wait_for_children(0)


def test_a_flood_is_held_back(server: Server, page: ClientConnection) -> None:
    ask(page, **BUILD)
    until(page, "frame")
    for _ in range(500):
        ask(page, do="sample", index=3)
    kinds = [message["kind"] for message in until(page, "busy", "stopped")]
    assert kinds[-1] == "busy"
    ask(page, do="explore", formula="relu", parameters="", number=1)
    until(page, "formula")
