"""The server: the page's files, and a WebSocket for each open page."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from limen.errors import LimenError, MissingPackageError
from limen.playground import limits
from limen.playground.gate import PROTOCOL, Gate

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

__all__ = ["application", "serve"]

HOST = "127.0.0.1"
_TRY_AGAIN_LATER = 1013  # of a WebSocket, https://www.iana.org/assignments/websocket
_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


def serve(port: int = 0, *, ready: Callable[[str], None] = print) -> None:
    """Serves the playground on 127.0.0.1, until Ctrl-C.

    Args:
        port: where to listen; 0 takes a free one.
        ready: is called with the address, its token in the fragment, when the server listens.

    Raises:
        MissingPackageError: without the packages of the extra `playground`.
        LimenError: when the port is taken.
    """
    uvicorn = _needed()
    token = secrets.token_urlsafe(32)
    with _listening(port) as listening:
        taken: int = listening.getsockname()[1]
        config = uvicorn.Config(
            application(token, taken),
            ws="websockets-sansio",
            ws_max_size=limits.MESSAGE,
            ws_max_queue=4,
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        ready(f"http://{HOST}:{taken}/#{token}")
        uvicorn.Server(config).run(sockets=[listening])


def application(token: str, port: int) -> Gate:
    """The ASGI application, behind its gate.

    Args:
        token: what a page has to show.
        port: where it is served.
    """
    from starlette.applications import Starlette
    from starlette.routing import Route, WebSocketRoute

    visits = _Visits()
    files_of_page = Route("/{name:path}", _file, methods=["GET"])
    return Gate(
        Starlette(routes=[WebSocketRoute("/live", visits.receive), files_of_page]), token, port
    )


class _Visits:
    """The open pages, and how many may be."""

    def __init__(self) -> None:
        self._open = 0

    async def receive(self, websocket: WebSocket) -> None:
        """Lets a page stay until it is closed."""
        from limen.playground.visit import Visit

        await websocket.accept(subprotocol=PROTOCOL)
        if self._open >= limits.PAGES:
            message = f"{limits.PAGES} pages are open already: close one, then reload this one."
            await websocket.send_text(json.dumps({"kind": "full", "message": message}))
            await websocket.close(_TRY_AGAIN_LATER)
            return
        self._open += 1
        try:
            await Visit(websocket).last()
        finally:
            self._open -= 1


async def _file(request: Request) -> Response:
    from starlette.responses import PlainTextResponse, Response

    name = request.path_params["name"] or "index.html"
    found = _pages().get(name)
    if found is None:
        return PlainTextResponse("There is no such page.\n", status_code=404)
    return Response(found, media_type=_TYPES[name.rpartition(".")[2]])


def _pages() -> dict[str, bytes]:
    """The files of the page by name: these, and no path that a request may hold."""
    folder = files("limen.playground").joinpath("page")
    named = ((file.name, file) for file in folder.iterdir())
    return {name: file.read_bytes() for name, file in named if name.rpartition(".")[2] in _TYPES}


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()  # so that a browser that is quicker than the server waits for it
    except OSError as error:
        listening.close()
        raise LimenError(
            f"port {port} of {HOST}: {error.strerror}; --port 0 takes a free one"
        ) from None
    return listening


def _needed() -> Any:
    try:
        import starlette  # noqa: F401
        import uvicorn
        import websockets  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f'the playground needs {error.name}: pip install "limen[playground]"'
        ) from error
    return uvicorn
