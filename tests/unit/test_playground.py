"""The playground's checks and its bytes: without a server, a process, or a browser."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from limen.playground import limits
from limen.playground.gate import HEADERS, PROTOCOL, Gate
from limen.playground.requests import DATA, RefusedError, read
from limen.playground.working.numbers import plain, shades

BUILD: dict[str, Any] = {
    "do": "build", "formula": "relu", "parameters": "a=2, b = -1.5", "data": "moons",
    "widths": [8, 4], "seed": 0, "loss": "cross_entropy", "optimizer": "adam", "rate": 0.01,
    "batch": 32, "pace": 10,
}  # fmt: skip


def test_a_request_comes_through_checked() -> None:
    request = read(json.dumps(BUILD | {"more": "of it"}))
    assert request == BUILD | {"parameters": {"a": 2.0, "b": -1.5}}


@pytest.mark.parametrize(
    ("name", "value"),
    [("formula", "x" * (limits.FORMULA + 1)), ("formula", " "), ("formula", 3),
     ("parameters", "a"), ("parameters", "a=b"), ("parameters", "1=2"), ("parameters", "a=nan"),
     ("parameters", ",".join(f"a{k}=1" for k in range(99))), ("data", "mnist"), ("data", ["moons"]),
     ("widths", [8] * (limits.LAYERS + 1)), ("widths", [limits.NEURONS + 1]), ("widths", [0]),
     ("widths", [True]), ("widths", [2.5]), ("widths", "88"), ("seed", -1), ("seed", 2**32),
     ("rate", 0), ("rate", "fast"), ("rate", float("nan")), ("rate", float("inf")), ("rate", True),
     ("batch", 0), ("batch", 10**9), ("loss", "none"), ("optimizer", None), ("pace", 0)],
)  # fmt: skip
def test_a_value_beyond_its_limit_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(RefusedError, match=f"^{name}: "):
        read(json.dumps(BUILD | {name: value}))


@given(st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["do", "formula", "number", "index", "x"]), inner, max_size=4),
    max_leaves=9,
).map(json.dumps))  # fmt: skip
def test_nothing_but_a_refusal_comes_of_nonsense(text: str) -> None:
    with suppress(RefusedError):
        assert read(text)["do"] in ("train", "pause", "step", "seen", "explore", "sample")


def test_a_message_of_any_depth_is_refused() -> None:
    with pytest.raises(RefusedError):
        read("[" * limits.MESSAGE)
    with pytest.raises(RefusedError, match="characters"):
        read(" " * (limits.MESSAGE + 1))


def knock(headers: dict[str, str], words: list[str], kind: str = "websocket") -> Any:
    """What the gate of port 80 with the token `secret` does: "in", or what it sends first."""
    sent: list[MutableMapping[str, Any]] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        sent.append({"type": "in"})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "subprotocols": words,
    }
    asyncio.run(Gate(inside, "secret", 8000)(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["type"] if sent[0]["type"] != "http.response.start" else sent[0]["status"]


OURS = {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}


@pytest.mark.parametrize(
    ("headers", "words", "comes_in"),
    [(OURS, [PROTOCOL, "secret"], True),
     (OURS, [PROTOCOL], False),
     (OURS, ["secret", "secret"], False),
     (OURS, [PROTOCOL, "Secret"], False),
     (OURS, [PROTOCOL, "sécret"], False),
     (OURS | {"host": "localhost:8000"}, [PROTOCOL, "secret"], False),
     (OURS | {"host": "rebound.example:8000"}, [PROTOCOL, "secret"], False),
     ({"host": "127.0.0.1:8000"}, [PROTOCOL, "secret"], False),
     ({"origin": "http://127.0.0.1:8000"}, [PROTOCOL, "secret"], False),
     (OURS | {"origin": "http://127.0.0.1:8001"}, [PROTOCOL, "secret"], False)],
)  # fmt: skip
def test_who_comes_through_the_gate(
    headers: dict[str, str], words: list[str], comes_in: bool
) -> None:
    assert knock(headers, words) == ("in" if comes_in else "websocket.close")


def test_files_need_no_token_but_our_name() -> None:
    assert knock({"host": "localhost:8000"}, [], "http") == "in"
    assert knock({"host": "localhost:8001"}, [], "http") == 421
    assert knock(OURS | {"origin": "null"}, [], "http") == 403


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_shades() -> None:
    found = shades(np.array([[0.0, 1.0, -2.0], [0.0, 0.0, 0.0], [np.nan, np.inf, 5.0]]))
    assert found.tolist() == [[128, 192, 1], [128, 128, 128], [128, 128, 255]]


def test_plain_numbers_are_json() -> None:
    assert plain(np.array([[1 / 3, np.nan], [np.inf, -0.0]]), 3) == [[0.333, None], [None, 0.0]]
    json.dumps(plain(np.float32(0.1)), allow_nan=False)


def test_every_data_set_of_the_page_is_there() -> None:
    from limen.insight.comparing import data

    assert set(DATA) <= set(data.DATA)


def test_the_server_imports_nothing_that_computes() -> None:
    """Formulas are never parsed, and models never trained, in the server's own process."""
    pytest.importorskip("starlette")
    code = (
        "import sys; import limen.playground.visit, limen.playground.server as s; "
        "s.application('t', 1); print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "limen.playground.child" in loaded
    assert not loaded & {"numba", "numpy", "limen.formula.parse", "limen.layers", "limen.function"}


def test_the_browser_is_not_started_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arguments of a process can be read by everyone on the machine."""
    import webbrowser

    from limen import playground
    from limen.cli import app

    address, opened = "http://127.0.0.1:8000/#secret", []

    def open_browser(url: str) -> bool:
        path = Path(url.removeprefix("file://"))
        opened.append((url, path.read_text(), path.parent.stat().st_mode & 0o777, path))
        return True

    monkeypatch.setattr(webbrowser, "open", open_browser)
    monkeypatch.setattr(playground, "serve", lambda port, ready: ready(address))
    result = CliRunner().invoke(app, ["playground"])
    assert (result.exit_code, address in result.output) == (0, True)
    ((url, text, mode, path),) = opened
    assert "secret" not in url
    assert f"url={address}" in text
    assert mode == 0o700 or sys.platform == "win32"
    assert not path.exists()  # nothing stays behind
    CliRunner().invoke(app, ["playground", "--no-browser"])
    assert len(opened) == 1
