"""What the tests of the playground share: a server for each file of them, and an open page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playground_server import Server
    from websockets.sync.client import ClientConnection


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    from playground_server import ended, started

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
