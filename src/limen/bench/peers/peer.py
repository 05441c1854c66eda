"""What every entrant can do: bind a case to its data, and give back what it computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from limen.bench.case import Case

__all__ = ["Peer"]

Call = Callable[[], Any]


class Peer(Protocol):
    """One framework, loaded in this process.

    Attributes:
        version: of the framework.
    """

    version: str

    def bind(self, case: Case) -> Call:
        """A call that does the work once, on data that is already there."""

    def spelling(self, case: Case) -> str:
        """How the entrant writes what it was asked to do; asked after the first call."""

    def fetch(self, result: Any) -> list[NDArray[Any]]:
        """What such a call gave, as NumPy arrays; empty where there is nothing to check."""
