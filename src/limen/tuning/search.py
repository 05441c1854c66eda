"""Looks for the table that costs least: how fine the cells, how far out, which degree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from limen.kernels.tuned.table import Table
from limen.tuning.layout import Grid, Layout, lay
from limen.tuning.segment import Form
from limen.tuning.target import Target

__all__ = ["candidates", "expected_cost", "grids"]

_ENDS = (
    (-9.0, 9.0), (-9.5, 8.0), (-6.5, 6.5), (-5.0, 6.0), (-9.0, 17.8), (-17.8, 9.0), (-12.5, 12.5),
)  # fmt: skip
_FOLDED_ENDS = (9.5, 6.5, 5.0, 12.5, 18.0)
_DEGREES = (5, 6, 7)
# In ULP, on the inputs that segments are tried on. The largest error of all inputs is up to 0.15
# more, and must stay below 1.
_TOLERANCE = 0.82
_PROMISING = 8  # layouts that are fitted thoroughly
_USEFUL = 0.5  # the share of inputs below which a table is of no use
# A c1 this close to a float32, relative to its spacing, needs no rest.
_EXACT = 2.0**-4
_FINITE = 1e30

# Nanoseconds, for a CPU of 2.6 GHz that starts two such instructions in a cycle. They only rank
# candidates: what counts is measured later.
_INSTRUCTION = 0.012
_FEWEST = 11  # instructions of every kernel: load, clamp, find the cell, check, store
_BESIDE_ROOT = 18  # instructions for a multiple root
_LEFT_OVER = 3.6  # to set an element aside and put its result back


def candidates(
    target: Target,
    is_flow: bool,
    general_cost: float,
    stricter: float = 0.0,
    progress: Callable[[float], None] | None = None,
) -> list[Layout]:
    """Tables that promise to be cheap, the cheapest first.

    Args:
        target: the function.
        is_flow: whether it will be a factor of products.
        general_cost: what an element costs in the general tier, in nanoseconds.
        stricter: by how many ULP less than usual segments may be off.
        progress: called with the share of layouts that are done.
    """
    tolerance = _TOLERANCE - stricter
    ways = list(product(grids(target), _forms(target, is_flow)))

    def cost(layout: Layout) -> float:
        return expected_cost(layout, general_cost)

    quick = []
    for place, way in enumerate(ways):
        quick.append(lay(target, *way, tolerance, is_thorough=False))
        if progress is not None:
            progress((place + 1) / len(ways))
    promising = sorted(range(len(ways)), key=lambda place: cost(quick[place]))[:_PROMISING]
    found = [lay(target, *ways[place], tolerance) for place in promising]
    return sorted((layout for layout in found if layout.share > _USEFUL), key=cost)


def expected_cost(layout: Layout, general_cost: float) -> float:
    """Nanoseconds to an element, with a small extra for errors."""
    left = (1 - layout.share) * (general_cost + _LEFT_OVER)
    return (_INSTRUCTION * _instructions(layout.table) + left) * (1 + 0.1 * layout.error)


def _instructions(table: Table) -> int:
    finding_cells = 1 if len(table.cells) == 64 else 3
    polynomial = 2 * table.degree + 2  # each power: a choice and a multiply-add
    extras = sum(row is not None for row in (table.rests, table.offsets))
    beside_root = 0 if table.root is None else _BESIDE_ROOT
    return _FEWEST + finding_cells + polynomial + extras + 4 * table.is_compensated + beside_root


def grids(target: Target) -> Iterator[Grid]:
    """The ways to lay cells that are tried."""
    folded = target.parity != "none"
    ends = [(0.0, high) for high in _FOLDED_ENDS] if folded else _ENDS
    for (low, high), count in product(ends, (64, 128)):
        yield Grid.over(low, high, count, zero_is_edge=not folded and target.breaks_at_0)


def _forms(target: Target, is_flow: bool) -> Iterator[Form]:
    roots = [root for root in target.roots if target.parity == "none" or root >= 0]
    slopes = [_slope(target, root) for root in roots]
    # A flow has no room for what a constant lacks: a product adds half an ULP to it.
    needs_limits = is_flow and not all(map(_is_single, _constant_tails(target)))
    # A product has one rounding more; the compensated form saves it one.
    for degree, is_compensated in product(_DEGREES, (True, False)):
        if is_compensated >= bool(roots) and is_flow >= (is_compensated > bool(roots)):
            yield Form(
                degree,
                is_compensated=is_compensated,
                has_rests=not all(map(_is_single, slopes)),
                has_offsets=is_compensated
                and (any(root != np.float32(root) for root in roots) or needs_limits),
                is_flow=is_flow,
            )


def _constant_tails(target: Target) -> list[float]:
    """What the function is far out, where it is the same number for a long way, and not 0."""
    ends = [[float(target(side * x)) for x in (1e3, 1e6)] for side in (-1.0, 1.0)]
    return [near for near, far in ends if near == far != 0 and abs(near) < _FINITE]


def _slope(target: Target, root: float) -> float:
    step = 1e-5
    right, left = target(root + step), target(root - step)
    return float((right - left) / (2 * step))


def _is_single(number: float) -> bool:
    lacking = abs(number - float(np.float32(number)))
    return lacking <= _EXACT * float(np.spacing(np.float32(abs(number))))
