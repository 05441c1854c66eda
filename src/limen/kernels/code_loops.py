"""Loops that keep two bits an element for the backward pass, and hand the flow on by them.

Two bits are a code from 0 to 3: which of a few slopes an element meets, or on which piece of a
function it is. A byte holds the codes of four elements that stand a quarter of the row apart, so
that each quarter is a loop over neighbours.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels.loops import Loop

__all__ = ["CODES", "PER_BYTE", "flow_by_output", "pack_pieces", "pack_values", "unpack", "wide"]

CODES, PER_BYTE = 4, 4

Array = NDArray[Any]


def wide(x: Array) -> Array:
    """The same numbers in a dtype that loops compute with."""
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def _pack_values(found: Array, values: Array, held: Array) -> None:
    second, third, quarter = values[1], values[2], held.size
    for i in range(quarter):
        held[i] = 0
    for k in range(4):
        start = k * quarter
        for i in range(min(quarter, found.size - start)):
            v = found[start + i]
            held[i] |= ((v == second) + 2 * (v == third) + 3 * (v != v)) << 2 * k


def _pack_pieces(x: Array, bounds: Array, held: Array) -> None:
    first, second, third, quarter = bounds[0], bounds[1], bounds[2], held.size
    for i in range(quarter):
        held[i] = 0
    for k in range(4):
        start = k * quarter
        for i in range(min(quarter, x.size - start)):
            v = x[start + i]
            held[i] |= ((v > first) + (v > second) + (v > third)) << 2 * k


def _unpack(held: Array, table: Array, out: Array) -> None:
    a, b, c, d, quarter = table[0], table[1], table[2], table[3], held.size
    for k in range(4):
        start = k * quarter
        for i in range(min(quarter, out.size - start)):
            code = held[i] >> 2 * k & 3
            out[start + i] = (d if code == 3 else c) if code > 1 else (b if code == 1 else a)


def _flow_by_output(
    flow: Array,
    held: Array,
    output: Array,
    turns: Array,
    origins: Array,
    scales: Array,
    starts: Array,
    parts: Array,
    slopes: Array,
    out: Array,
) -> None:
    cells, quarter = parts.size // turns.size, held.size
    for k in range(4):
        first = k * quarter
        for i in range(first, min(first + quarter, flow.size)):
            value, piece = 1.0 * output[i], held[i - first] >> 2 * k & 3
            turn = turns[piece]
            place = value if turn != turn else sqrt(abs(value - turn))
            at = (place - origins[piece]) * scales[piece]
            at = min(at, 1.0 * cells) if at > 0.0 else 0.0
            cell = min(int(at), cells - 1)
            row = piece * cells + cell
            at = (at - cell) * parts[row]
            part = min(int(at), int(parts[row]) - 1)
            before, after = slopes[starts[row] + part], slopes[starts[row] + part + 1]
            slope = before + (after - before) * (at - part)
            out[i] = flow[i] * (slope if value == value else value)


pack_values = Loop(_pack_values, (2,))
"""The code of each number: which of three values it is, the first if none; 3 for NaN. NaN stands
for a value that is not wanted."""
pack_pieces = Loop(_pack_pieces, (2,))
"""The code of each number: how many of three bounds it is above."""
unpack = Loop(_unpack, (2,))
"""The entry of a table that each code stands for."""
flow_by_output = Loop(_flow_by_output, (9,))
"""The flow times a slope that is looked up by piece and output, in `limen.torch.inverse`'s tables.
"""
