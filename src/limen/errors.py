"""The errors limen raises: typed, saying what was wrong, where, and what would work."""

from __future__ import annotations

__all__ = [
    "DeviceError",
    "DtypeError",
    "FileError",
    "FormulaError",
    "LimenError",
    "MissingPackageError",
    "OrderError",
    "ShapeError",
    "TooLongError",
    "UnknownNameError",
]

# A caret line longer than a terminal helps nobody; show this much on either side of the column.
_CONTEXT = 36


class LimenError(Exception):
    """The base of every error that limen raises on purpose."""


class FormulaError(LimenError, ValueError):
    """A formula that cannot be an activation function.

    Args:
        message: what was wrong and what would work.
        text: the formula as written, when it was text.
        column: the column in `text`, counted from 0, where the trouble starts.
    """

    def __init__(self, message: str, text: str | None = None, column: int | None = None) -> None:
        self.message = message
        self.text = text
        self.column = column
        super().__init__(message if text is None or column is None else self._pointed())

    def _pointed(self) -> str:
        assert self.text is not None and self.column is not None
        start = max(0, self.column - _CONTEXT)
        stop = min(len(self.text), self.column + _CONTEXT)
        head, tail = "…" if start else "", "…" if stop < len(self.text) else ""
        excerpt = "".join(c if c.isprintable() else "·" for c in self.text[start:stop])
        caret = " " * (len(head) + self.column - start) + "^"
        return f"{self.message} (column {self.column + 1})\n  {head}{excerpt}{tail}\n  {caret}"


class TooLongError(FormulaError):
    """A formula, mostly a derivative of high order, that takes more work than limen does."""


class ShapeError(LimenError, ValueError):
    """An array whose shape does not fit; names the place, the expected and the given shape."""


class DtypeError(LimenError, TypeError):
    """An array whose dtype limen does not compute with."""


class DeviceError(LimenError, RuntimeError):
    """Tensors of one call that are on different devices."""


class OrderError(LimenError, RuntimeError):
    """A call that came before the call it depends on, such as backward before forward."""


class FileError(LimenError, ValueError):
    """A model file that is damaged, hostile, or not one of ours."""


class UnknownNameError(LimenError, LookupError):
    """A name that the catalogue does not hold; the message lists near ones."""


class MissingPackageError(LimenError, ImportError):
    """A room of limen whose framework is not installed; names what installs it."""
