"""Writing an expression as a line: one loop for text and LaTeX, which differ in their style.

A style says how one node looks in terms of its arguments; this loop writes from left to right and
sets brackets where an argument binds too loosely. It keeps its own stack and stops at a limit: a
formula whose parts repeat is small in memory and can be astronomically long on paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from limen.errors import FormulaError
from limen.formula.expression import Expression

__all__ = ["Layout", "Part", "Style", "write"]

MOST_WRITTEN = 1_000_000
"""A line longer than this is refused."""

Part = str | tuple[Expression, int]
"""A piece of a line: text, or an expression with the precedence that spares it brackets."""

Layout = tuple[int, tuple[Part, ...]]
"""How a node looks: its own precedence, and its parts."""


@dataclass(frozen=True, slots=True)
class Style:
    """How nodes are written: each one's layout, the brackets, the sign for what is left out."""

    layout: Callable[[Expression], Layout]
    brackets: tuple[str, str]
    ellipsis: str


def write(root: Expression, style: Style, shorten: int | None) -> str:
    """The expression as a line.

    Args:
        root: the expression.
        style: how nodes are written.
        shorten: the most characters; what nests too deeply to fit is left out. None: everything.

    Raises:
        FormulaError: when all of it would pass a million characters.
    """
    whole = _line(root, style, MOST_WRITTEN if shorten is None else shorten, None)
    if whole is not None:
        return whole
    if shorten is None:
        raise FormulaError(
            f"this formula takes more than {MOST_WRITTEN:,} characters: write a part of it, with "
            "shorten=200"
        )
    shown, depth = style.ellipsis, 1
    while (line := _line(root, style, shorten, depth)) is not None:
        shown, depth = line, depth + 1
    return shown


def _line(root: Expression, style: Style, limit: int, depth: int | None) -> str | None:
    """The line down to a depth, or None when it passes the limit."""
    pieces: list[str] = []
    room = limit
    stack: list[tuple[Part, int | None]] = [((root, 0), depth)]
    while stack:
        part, below = stack.pop()
        if isinstance(part, str):
            pieces.append(part)
            room -= len(part)
            if room < 0:
                return None
            continue
        node, required = part
        if below == 0 and node.arguments:
            stack.append((style.ellipsis, None))
            continue
        precedence, parts = style.layout(node)
        if precedence < required:
            opening, closing = style.brackets
            parts = (opening, *parts, closing)
        below = None if below is None else below - 1
        stack.extend((part, below) for part in reversed(parts))
    return "".join(pieces)
