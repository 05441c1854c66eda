"""The playground over real sockets: what it answers, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest
from playground_server import BUILD, NEVER, Server, ask, ended, psutil, started, until
from websockets.sync.client import ClientConnection

import limen
from limen.playground import limits

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
