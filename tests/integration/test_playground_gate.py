"""The playground's gate: which requests come in, and what goes out with every answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playground_server import Server, ended, started
from websockets.exceptions import InvalidStatus


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
