"""The gate: who may speak to the server, and what browsers are told to forbid.

Everything on the machine, and every page in the browser, can reach a port of 127.0.0.1. So

- `Host` has to be this server's own name and port: another name that points to 127.0.0.1 (DNS
  rebinding) is refused;
- `Origin`, where a browser sends it, has to be this server's own page; a WebSocket must send it;
- a WebSocket has to show the token. It comes to the page in the fragment of the address, which
  browsers never send, and goes back as a WebSocket subprotocol, a header. A cookie would go to
  every port of 127.0.0.1 by itself, to other people's servers too.

The page's files hold nothing private, so they need no token.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["HEADERS", "PROTOCOL", "Gate"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROTOCOL = "limen-playground"
"""The subprotocol that a page asks for, its token beside it."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every response. The page needs its own files and its own WebSocket, and nothing else."""

_FORBIDDEN, _MISDIRECTED = 403, 421
_POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1; a WebSocket that is not accepted yet is answered 403


class Gate:
    """An ASGI application around another, which it protects.

    Args:
        app: what is behind the gate.
        token: what a WebSocket has to show.
        port: the server's.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request in, or answers it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._host_is_ours(scope) and self._may_speak(scope):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        elif not self._host_is_ours(scope):
            await _answer(_MISDIRECTED, "This server goes by the name 127.0.0.1 only.", send)
        elif not self._origin_is_ours(scope, missing=True):
            await _answer(_FORBIDDEN, "Other sites may not ask this server.", send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _host_is_ours(self, scope: Scope) -> bool:
        hosts = _values(scope, b"host")
        return len(hosts) == 1 and hosts[0].lower() in self._hosts

    def _origin_is_ours(self, scope: Scope, *, missing: bool) -> bool:
        """Whether the page that asks is ours; `missing` is the answer where no page says so."""
        origins = _values(scope, b"origin")
        if not origins:
            return missing
        # Of one name with the host: pages of "localhost" and of "127.0.0.1" are strangers.
        return origins == [f"http://{_values(scope, b'host')[0].lower()}"]

    def _may_speak(self, scope: Scope) -> bool:
        shown = [word for word in scope.get("subprotocols", ()) if word != PROTOCOL]
        return (
            self._origin_is_ours(scope, missing=False)
            and len(shown) == 1
            and hmac.compare_digest(shown[0].encode(), self._token)
        )


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0].decode().lower() not in HEADERS]
            message["headers"] = [*kept, *((k.encode(), v.encode()) for k, v in HEADERS.items())]
        await send(message)

    return sending


async def _answer(status: int, text: str, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    sending = _with_headers(send)
    await sending({"type": "http.response.start", "status": status, "headers": headers})
    await sending({"type": "http.response.body", "body": f"{text}\n".encode()})
