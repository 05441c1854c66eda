"""Curves drawn with braille dots."""

from __future__ import annotations

import numpy as np

from limen.insight.terminal import Line, chart

X = np.linspace(-1.0, 1.0, 201)


def drawn(
    values: np.ndarray, *, width: int = 10, height: int = 5, plain: bool = False
) -> list[str]:
    """The rows of a chart of one curve over [-1, 1], labels and frame cut off."""
    text = chart(X, [Line(values, "")], (-1.0, 1.0), width=width, height=height, plain=plain)
    return [line[-width:] for line in text.plain.split("\n")[:height]]


def dots(rows: list[str]) -> np.ndarray:
    """The picture as one boolean a dot: Unicode's numbering of braille dots, read back."""
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    grid = np.zeros((4 * len(rows), 2 * len(rows[0])), bool)
    for r, row in enumerate(rows):
        for c, mark in enumerate(row):
            if 0x2800 <= ord(mark) < 0x2900:
                for bit, (down, right) in enumerate(order):
                    grid[4 * r + down, 2 * c + right] = (ord(mark) - 0x2800) >> bit & 1
    return grid


def test_a_straight_line_runs_from_corner_to_corner() -> None:
    grid = dots(drawn(X))
    assert grid[-1, 0]
    assert grid[0, -1]
    heights = [np.flatnonzero(column).mean() for column in grid.T]
    assert np.all(np.diff(heights) < 0)
    assert np.allclose(heights, np.linspace(19, 0, 20), atol=1.0)


def test_the_top_is_up() -> None:
    grid = dots(drawn(np.full_like(X, 1.0)))
    assert grid[0].all()
    assert not grid[1:].any()


def test_a_nan_ends_a_line() -> None:
    values = np.where(X < 0, -0.9, 0.9)
    values[100] = np.nan
    grid = dots(drawn(values))
    assert not grid[4:16].any()  # nothing drawn between the two levels
    assert grid[:4].any()
    assert grid[16:].any()


def test_a_jump_without_a_nan_is_joined() -> None:
    grid = dots(drawn(np.where(X < 0, -0.9, 0.9)))
    assert grid[4:16].any(axis=1).all()


def test_what_leaves_the_frame_is_cut_off() -> None:
    grid = dots(drawn(100 * X))
    assert grid[:, :9].sum() == 0
    assert grid[:, 11:].sum() == 0


def test_plain_uses_ascii_alone() -> None:
    text = chart(X, [Line(X, ""), Line(-X, "")], (-1.0, 1.0), plain=True).plain
    assert text.isascii()
    assert "*" in text
    assert "+" in text


def test_the_first_curve_gives_the_colour_where_two_meet() -> None:
    lines = [Line(X, "blue"), Line(X, "red")]
    styles = {str(span.style) for span in chart(X, lines, (-1.0, 1.0)).spans}
    assert "blue" in styles
    assert "red" not in styles


def test_the_axes_are_labelled() -> None:
    rows = chart(X, [Line(X, "")], (-1.0, 1.0), width=40, height=9).plain.split("\n")
    assert rows[0].startswith(" 1 ")
    assert rows[4].startswith(" 0 ")
    assert rows[8].startswith("-1 ")
    assert rows[-1].split() == ["-1", "0", "1"]
    assert rows[-1].index("0") == next(row for row in rows if "╎" in row).index("╎")
