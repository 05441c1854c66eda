"""The playground over real sockets: what it answers, what it refuses, and what it leaves behind."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import limen

pytest.importorskip("starlette", reason="needs the extra playground")
pytest.importorskip("uvicorn", reason="needs the extra playground")
pytest.importorskip("websockets", reason="needs the extra playground")
psutil = pytest.importorskip("psutil", reason="looks for processes left behind")

from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import ClientConnection, connect  # noqa: E402

from limen.insight.comparing.data import load  # noqa: E402
from limen.playground import limits  # noqa: E402
from limen.playground.child import Child  # noqa: E402
from limen.playground.gate import PROTOCOL  # noqa: E402
from limen.playground.working.seeing import View  # noqa: E402
from limen.playground.working.session import Session  # noqa: E402
from limen.playground.working.stepping import walk  # noqa: E402

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


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started() as server:
        yield server
        code, out, errors = ended(server)
    assert code == 130
    # Whatever the tests of this module did to it: no traceback, no word about anyone's token.
    assert errors.strip() == "interrupted"
    assert server.token not in out + errors


@pytest.fixture
def page(server: Server) -> Iterator[ClientConnection]:
    with server.open() as page:
        yield page
    server.wait_for_children(0)


def ask(page: ClientConnection, **request: Any) -> None:
    page.send(json.dumps(request))


def exchange(page: ClientConnection, message: str | bytes) -> str | bytes:
    page.send(message)
    return page.recv(timeout=20)


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


# --- The gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css"),
     ("/icon.svg", "image/svg+xml")],
)  # fmt: skip
def test_files_come_with_every_header(server: Server, path: str, kind: str) -> None:
    response = server.get(path)
    assert response.status == 200
    assert response.getheader("content-type", "").startswith(kind)
    policy = response.getheader("content-security-policy", "")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.getheader("x-content-type-options") == "nosniff"
    assert response.getheader("referrer-policy") == "no-referrer"
    assert response.getheader("server") is None


def test_the_page_has_no_inline_script_or_style(server: Server) -> None:
    text = server.get("/").content.decode()  # type: ignore[attr-defined]
    assert text.count("<script") == 1
    assert "<style" not in text
    assert "style=" not in text
    assert "onclick=" not in text


@pytest.mark.parametrize("path", ["/../gate.py", "/%2e%2e/gate.py", "/page/app.js", "//etc/passwd",
                                  "/live", "/__init__.py", "/index.html/"])  # fmt: skip
def test_no_other_file_is_served(server: Server, path: str) -> None:
    assert server.get(path).status == 404


def test_files_are_only_read(server: Server) -> None:
    assert server.get("/", method="POST").status == 405


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:80", ""])
def test_a_wrong_host_is_refused(server: Server, host: str) -> None:
    assert server.get("/", Host=host).status in (400, 421)
    if host:
        with pytest.raises(InvalidStatus) as error, server.open(host=host):
            pass
        assert error.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1",
                                    "http://127.0.0.1", "http://localhost"])  # fmt: skip
def test_a_foreign_origin_is_refused(server: Server, origin: str) -> None:
    assert server.get("/", Origin=origin).status == 403
    with pytest.raises(InvalidStatus) as error, server.open(origin=origin):
        pass
    assert error.value.response.status_code == 403


def test_the_same_port_by_another_name_is_foreign(server: Server) -> None:
    with pytest.raises(InvalidStatus), server.open(origin=f"http://localhost:{server.port}"):
        pass


def test_a_websocket_without_origin_is_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus), server.open(origin=None):
        pass


@pytest.mark.parametrize("change", [lambda t: "", lambda t: "wrong", lambda t: t[:-1],
                                    lambda t: t + "A", lambda t: t.swapcase()])  # fmt: skip
def test_a_missing_or_wrong_token_is_refused(server: Server, change: Callable[[str], str]) -> None:
    with pytest.raises(InvalidStatus) as error, server.open(token=change(server.token)):
        pass
    assert error.value.response.status_code == 403
    assert server.children() == []


def test_every_server_has_a_token_of_its_own(server: Server) -> None:
    with started() as other:
        assert other.token != server.token
        assert len(other.token) >= 43  # 256 bits
        assert ended(other)[0] == 130


# --- What it answers ------------------------------------------------------------------------------


def test_a_formula_is_explored(page: ClientConnection) -> None:
    ask(page, do="explore", formula="x * tanh(softplus(x))", parameters="", number=7)
    messages = until(page, "explored")
    assert {message["number"] for message in messages} == {7}
    curve = next(message for message in messages if message["kind"] == "curve")
    x = np.array(curve["x"])
    np.testing.assert_allclose(curve["y"], x * np.tanh(np.log1p(np.exp(x))), rtol=6e-6)
    found = {m["name"]: m["text"] for m in messages if m["kind"] == "property"}
    assert found["range"].startswith("[-0.3088434130172504")
    assert set(found) == {
        "kinks", "limits", "range", "roots", "extrema", "monotonic", "lipschitz", "bounded"
    }  # fmt: skip


def test_parameters_are_taken(page: ClientConnection) -> None:
    ask(page, do="explore", formula="x * sigmoid(b * x)", parameters="b=2", number=1)
    curve = until(page, "curve")[-1]
    x = np.array(curve["x"])
    np.testing.assert_allclose(curve["y"], x / (1 + np.exp(-2 * x)), rtol=6e-6)


@pytest.mark.parametrize(
    ("formula", "column", "said"),
    [("x * tnah(x)", 4, "tnah"), ("x +", 3, ""), ("__import__('os')", None, ""),
     ("softmax", None, "row"), ("rulu", None, "relu")],
)  # fmt: skip
def test_what_is_wrong_is_said_in_its_column(
    page: ClientConnection, formula: str, column: int | None, said: str
) -> None:
    ask(page, do="explore", formula=formula, parameters="", number=1)
    answer = until(page, "formula")[-1]
    assert answer["wrong"]
    assert said in answer["wrong"]
    if column is not None:
        assert (answer["text"], answer["column"]) == (formula, column)


def test_a_model_learns_in_frames(page: ClientConnection) -> None:
    ask(page, **BUILD)
    built = until(page, "built")[-1]
    assert [column["width"] for column in built["columns"]] == [8, 8, 2]
    first = until(page, "frame")[-1]
    assert first["steps"] == 0
    ask(page, do="train")
    ask(page, do="seen")
    frame = first
    end = time.monotonic() + 30
    while frame["test_accuracy"] < 0.93 and time.monotonic() < end:
        frame = until(page, "frame")[-1]
        ask(page, do="seen")
    assert frame["test_accuracy"] >= 0.93 > first["test_accuracy"]
    assert frame["train_loss"] < first["train_loss"]
    ask(page, do="pause")
    until(page, "state")


def test_a_slow_page_slows_nothing_but_its_pictures(page: ClientConnection) -> None:
    ask(page, **BUILD)
    ask(page, do="train")
    until(page, "frame")  # not seen yet, says the page: no other frame may come
    with pytest.raises(TimeoutError):
        until(page, "frame", seconds=1.0)
    ask(page, do="seen")
    behind = until(page, "frame")[-1]
    assert behind["steps"] > 100  # meanwhile, it learned
    start, count = time.monotonic(), 0
    while time.monotonic() < start + 1.0:
        ask(page, do="seen")
        until(page, "frame")
        count += 1
    assert count <= 1.0 / limits.FRAME_SECONDS + 2


def test_a_diverging_training_says_so(page: ClientConnection) -> None:
    wild = BUILD | {
        "optimizer": "sgd",
        "rate": 1e4,
        "loss": "half_squared_error",
        "formula": "x**3",
    }
    ask(page, **wild)
    until(page, "frame")
    ask(page, do="train")
    assert "smaller learning rate" in until(page, "diverged")[-1]["message"]
    ask(page, do="seen")
    assert until(page, "frame")[-1]["training"] is False


def test_dead_neurons_are_found(page: ClientConnection) -> None:
    ask(page, **BUILD | {"optimizer": "sgd", "rate": 30.0})
    until(page, "frame")
    for _ in range(5):
        ask(page, do="step")
        until(page, "state")
    ask(page, do="seen")
    frame = until(page, "frame", given=lambda frame: frame["steps"] >= 1)[-1]
    assert sum(share == 1 for shares in frame["blocked"].values() for share in shares) >= 8


# --- The same as the library ----------------------------------------------------------------------


def request(**changes: Any) -> Message:
    return BUILD | {"parameters": {}} | changes


@pytest.mark.parametrize(
    ("optimizer", "loss"), [("adam", "cross_entropy"), ("momentum", "half_squared_error")]
)
def test_it_trains_as_fit_does_whoever_looks(optimizer: str, loss: str) -> None:
    session = Session(request(optimizer=optimizer, loss=loss, formula="gelu"))
    other = Session(request(optimizer=optimizer, loss=loss, formula="gelu"))
    view = View(session)
    for _ in range(3 * session.batches):
        session.learn()
        view.frame((1, 2))
        walk(session, 5)
    other.model.fit(
        other.data.train_inputs, other.targets, loss=other.loss, optimizer=other.optimizer,
        epochs=3, batch_size=32, progress=False,
    )  # fmt: skip
    for mine, theirs in zip(session.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, theirs.value)


@pytest.mark.parametrize("formula", ["relu", "tanh", "swiglu"])
def test_a_walk_shows_the_models_own_numbers(formula: str) -> None:
    session = Session(request(formula=formula))
    for _ in range(20):
        session.learn()
    found = walk(session, 3)
    x, y = session.data.train_inputs[3], session.data.train_targets[3]
    session.model.backward(session.loss.backward(session.model.forward(x), y))
    layers = session.model.layers
    ways = [(stage["way"], stage["layer"]) for stage in found["stages"]]
    assert ways == [
        *(("forward", k) for k in (0, 1, 2, 3, 4)),
        ("loss", 4),
        *(("backward", k) for k in (4, 3, 2, 1, 0)),
    ]
    for stage in found["stages"]:
        last = np.array(stage["tables"][0]["rows"], dtype=float)[:, 1:]
        layer: Any = layers[stage["layer"]]
        if stage["way"] == "forward":
            shown = last[:, -1] if stage["layer"] % 2 == 0 or formula == "swiglu" else last[:, 1]
            np.testing.assert_allclose(shown, layer.output, rtol=1e-4)
        elif stage["way"] == "backward":
            np.testing.assert_allclose(last[:, 0], layer.grad_output, rtol=1e-4)
    weights = np.array(found["stages"][-1]["tables"][0]["rows"], dtype=float)[:, 2:]
    np.testing.assert_allclose(weights, layers[0].weight.grad, rtol=1e-4)  # type: ignore[attr-defined]
    assert "BACKWARD" in found["paper"]


def test_a_neuron_in_full() -> None:
    session = Session(request(formula="tanh"))
    found = View(session).neuron(3, 4)
    model, inputs = session.model, session.data.train_inputs
    model.forward(inputs)
    before = model.layers[2].output[:, 4]
    assert sum(found["histogram"]["counts"]) == len(inputs)
    assert found["low"] == pytest.approx(np.tanh(before).min(), rel=1e-4)
    assert found["blocked"] == np.mean(1 - np.tanh(before) ** 2 < 1e-3)
    linear: Any = model.layers[2]
    np.testing.assert_allclose(found["weights"], linear.weight.value[4], rtol=1e-3)


def test_digits_have_images_and_a_confusion() -> None:
    session = Session(request(data="digits", widths=[12]))
    frame = View(session).frame(None)
    assert np.sum(frame["confusion"]) == len(load("digits").test_targets)
    assert set(frame["maps"]) == {"1", "2"}


# --- Attacks behind the gate ----------------------------------------------------------------------


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


# --- The end --------------------------------------------------------------------------------------


def test_ctrl_c_ends_all_of_it() -> None:
    with started() as server, server.open() as page:
        ask(page, **BUILD)
        ask(page, do="train")
        until(page, "frame")
        processes = server.children()
        assert len(processes) == 2
        code, _, errors = ended(server)
    assert code == 130
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_server_takes_its_processes_along() -> None:
    with started() as server, server.open() as page:
        ask(page, do="explore", formula=NEVER, parameters="", number=1)
        time.sleep(2.0)
        processes = server.children()
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.communicate(timeout=10)
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def test_a_port_that_is_taken(server: Server) -> None:
    from limen.playground import serve

    with pytest.raises(limen.LimenError, match=f"port {server.port}"):
        serve(server.port, ready=lambda address: pytest.fail(address))


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from limen.playground import serve

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(limen.MissingPackageError, match=r"limen\[playground\]"):
        serve()
