"""Who may look on while data goes through a model."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["Watcher"]

Array = NDArray[Any]


class Watcher(Protocol):
    """Told by a model after each pass, if it stands in `model.watchers`.

    The arrays that layers keep may be overwritten by the next pass: copy what you want to keep.
    """

    def passed(self, x: Array) -> None:
        """A batch went forward; the layers keep what it left."""

    def returned(self) -> None:
        """A learning flow came back for the last batch; the layers keep that too."""

    def predicted(self, x: Array) -> None:
        """A batch went forward, and no layer kept anything."""
