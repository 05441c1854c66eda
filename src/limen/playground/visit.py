"""A visit: one open page, its two processes, and what goes between them."""

from __future__ import annotations

import asyncio
import json

from starlette.websockets import WebSocket, WebSocketDisconnect

from limen.playground.child import Child
from limen.playground.requests import RefusedError, read

__all__ = ["Visit"]


class Visit:
    """One open page, from its WebSocket's first message to its last.

    Args:
        socket: accepted already.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._sending = asyncio.Lock()
        self._formulas = Child("formulas", self._tell)
        self._model = Child("model", self._tell)

    async def last(self) -> None:
        """Answers the page until it is closed; then nothing of the visit is left."""
        try:
            await asyncio.gather(self._formulas.start(), self._model.start())
            while True:
                await self._take(await self._socket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass  # the page is closed; bytes in the place of text are a KeyError
        finally:
            await asyncio.gather(self._formulas.close(), self._model.close())

    async def _take(self, text: str) -> None:
        try:
            request = read(text)
        except RefusedError as error:
            await self._tell(json.dumps({"kind": "refused", "message": str(error)}))
            return
        await (self._formulas if request["do"] == "explore" else self._model).ask(request)

    async def _tell(self, text: str) -> None:
        async with self._sending:
            await self._socket.send_text(text)
