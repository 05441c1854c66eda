"""Small pictures for the page, as the data of SVG paths in a box of 100 by 24."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from limen.insight.observing.seen import Distribution

__all__ = ["HEIGHT", "WIDTH", "bars", "histogram"]

WIDTH, HEIGHT = 100, 24
_MOST_BARS = 200  # two to a unit of the box


def histogram(seen: Distribution, bins: int = 40) -> str:
    """The outline of a histogram, from its lowest to its highest value.

    Heights are square roots, so that a peak of exact zeros leaves the rest to be seen (Tukey's
    rootogram, in "Some graphic and semigraphic displays", 1972).
    """
    _, density = seen.histogram(bins)
    return _area(np.sqrt(np.asarray(density, np.float64)))


def bars(shares: NDArray[Any]) -> str:
    """The outline of shares of 1, from the largest to the smallest, one step to each.

    Of more than 200, evenly chosen ones stand for all.
    """
    ordered = -np.sort(-np.asarray(shares, np.float64))
    if len(ordered) > _MOST_BARS:
        ordered = ordered[np.linspace(0, len(ordered) - 1, _MOST_BARS).astype(int)]
    return _area(ordered, top=1.0)


def _area(heights: NDArray[Any], top: float | None = None) -> str:
    heights = np.where(np.isfinite(heights), heights, 0.0)
    top = top or float(heights.max(initial=0.0)) or 1.0
    edges = np.linspace(0, WIDTH, len(heights) + 1)
    down = HEIGHT * (1 - heights / top)
    steps = "".join(f"V{y:.4g}H{x:.4g}" for x, y in zip(edges[1:], down, strict=True))
    return f"M0 {HEIGHT}{steps}V{HEIGHT}Z"
