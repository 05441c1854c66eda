"""Curves in a terminal: braille dots, eight to a character, one colour to a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.text import Text

__all__ = ["Line", "chart"]

Floats = npt.NDArray[np.float64]

# The bit of each dot of a braille character, by row and column of its 4 x 2 dots: Unicode 15,
# chapter 21.1, "Braille Patterns", U+2800 plus the sum of the bits.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
_ROWS, _COLUMNS = _BITS.shape


@dataclass(frozen=True, slots=True)
class Line:
    """A curve to draw: its values, and the style (of rich) to draw it in."""

    values: Floats
    style: str


def chart(
    x: Floats,
    lines: Sequence[Line],
    limits: tuple[float, float],
    *,
    width: int = 64,
    height: int = 16,
    plain: bool = False,
) -> Text:
    """Draws curves over one x axis.

    Args:
        x: ascending float64 of shape `(n,)`, more than two to a character for a smooth line.
        lines: what to draw; where two meet in one character the earlier gives the colour.
            A NaN ends a line.
        limits: the bottom and the top of the vertical axis.
        width: of the plotting area, in characters.
        height: of the plotting area, in characters.
        plain: use ASCII alone, for terminals without Unicode.

    Returns:
        `height + 2` lines of text, the last two being the x axis.
    """
    bottom, top = limits
    masks = [_dots(x, line.values, limits, width, height) for line in lines]
    zero_row = _dot(0.0, top, bottom, height * _ROWS) // _ROWS if bottom < 0 < top else None
    zero_column = _dot(0.0, x[0], x[-1], width * _COLUMNS) // _COLUMNS if x[0] < 0 < x[-1] else None
    labels = {0: f"{top:.3g}", height - 1: f"{bottom:.3g}"}
    if zero_row is not None:
        labels[zero_row] = "0"
    margin = max(map(len, labels.values()))
    text = Text()
    for row in range(height):
        text.append(f"{labels.get(row, ''):>{margin}} ", "dim")
        text.append("|" if plain else "┤" if row in labels else "│", "dim")
        for column in range(width):
            cells = [int(mask[row, column]) for mask in masks]
            drawn = next((i for i, cell in enumerate(cells) if cell), None)
            if drawn is not None:
                dots = chr(_BRAILLE + int(np.bitwise_or.reduce(cells)))
                text.append("*+ox"[drawn % 4] if plain else dots, lines[drawn].style)
            else:
                text.append(_axis(row == zero_row, column == zero_column, plain), "dim")
        text.append("\n")
    corner, rule = "+-" if plain else "└─"
    text.append(" " * (margin + 1) + corner + rule * width + "\n", "dim")
    text.append(" " * (margin + 2) + _ends(x, width, zero_column), "dim")
    return text


def _dots(
    x: Floats, values: Floats, limits: tuple[float, float], width: int, height: int
) -> npt.NDArray[np.int64]:
    """The braille bits of one curve, by character row and column."""
    bottom, top = limits
    tall, wide = height * _ROWS, width * _COLUMNS
    grid = np.zeros((tall, wide), bool)
    scale = (tall - 1) / (top - bottom)
    # One dot beyond the frame is as far as a line needs to leave it.
    down = np.clip((top - values) * scale, -1, tall)
    across = (x - x[0]) / (x[-1] - x[0]) * (wide - 1)
    for i in range(len(x) - 1):
        if not (math.isnan(down[i]) or math.isnan(down[i + 1])):
            _segment(grid, across[i], down[i], across[i + 1], down[i + 1])
    cells = grid.reshape(height, _ROWS, width, _COLUMNS)
    bits: npt.NDArray[np.int64] = np.einsum("hrwc,rc->hw", cells, _BITS)
    return bits


def _segment(grid: npt.NDArray[np.bool_], x0: float, y0: float, x1: float, y1: float) -> None:
    steps = max(1, math.ceil(max(abs(x1 - x0), abs(y1 - y0))))
    for k in range(steps + 1):
        row = round(y0 + (y1 - y0) * k / steps)
        column = round(x0 + (x1 - x0) * k / steps)
        if 0 <= row < grid.shape[0]:
            grid[row, column] = True


def _dot(value: float, first: float, last: float, count: int) -> int:
    """Which of `count` dots from `first` to `last` is nearest to a value."""
    return round((value - first) / (last - first) * (count - 1))


def _axis(on_row: bool, on_column: bool, plain: bool) -> str:
    if on_row and on_column:
        return "+" if plain else "┼"
    if on_row:
        return "-" if plain else "╌"
    if on_column:
        return "|" if plain else "╎"
    return " "


def _ends(x: Floats, width: int, zero_column: int | None) -> str:
    """The labels under the x axis: both ends, and 0 where it is inside."""
    low, high = f"{x[0]:.3g}", f"{x[-1]:.3g}"
    line = low + " " * (width - len(low) - len(high)) + high
    if zero_column is not None and len(low) < zero_column < width - len(high) - 1:
        line = line[:zero_column] + "0" + line[zero_column + 1 :]
    return line
