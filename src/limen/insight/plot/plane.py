"""The plane of two inputs: what a neuron makes of every point of it, with the data on top."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import LimenError
from limen.insight.plot.canvas import class_colours
from limen.insight.plot.stages import Stage
from limen.picture import ink, library

__all__ = ["Plane"]

Array = NDArray[Any]

_RESOLUTION = 121  # points to a side
_MARGIN = 0.15  # beyond the data, as a share of their spread
_MOST_POINTS = 400  # more would hide what is behind them


class Plane:
    """A grid of points around data of two features.

    Args:
        x: the data, `(samples, 2)`; samples that are not finite are nowhere on it.
        y: their classes, `(samples,)`, or None.

    Raises:
        LimenError: where no sample is finite.

    Attributes:
        points: float64 `(121 * 121, 2)`, row by row, from the bottom left.
    """

    def __init__(self, x: Array, y: Array | None) -> None:
        which = np.isfinite(x).all(axis=1)
        if not which.any():
            raise LimenError("no sample is on the plane: x holds NaN or infinity in every row")
        x, y = x[which], None if y is None else y[which]
        low, high = x.min(axis=0), x.max(axis=0)
        beyond = _MARGIN * np.where(high > low, high - low, 1.0)
        self.low, self.high = low - beyond, high + beyond
        self.axes = [
            np.linspace(*ends, _RESOLUTION) for ends in zip(self.low, self.high, strict=True)
        ]
        across, up = np.meshgrid(*self.axes)
        self.points = np.stack([across.ravel(), up.ravel()], axis=1)
        every = -(-len(x) // _MOST_POINTS)
        self.x, self.y = x[::every], None if y is None else y[::every]
        self.classes = None if y is None else np.unique(y)

    def field(self, axes: Any, values: Array, colours: Any) -> None:
        """What a neuron answers everywhere, 0 in the middle of the colours."""
        size = float(np.nanmax(np.abs(values), initial=0.0, where=np.isfinite(values))) or 1.0
        self._image(axes, values, cmap=colours, vmin=-size, vmax=size)

    def line(self, axes: Any, values: Array, **style: Any) -> None:
        """Where values change their sign; nothing where they do not."""
        if np.nanmin(values) < 0 < np.nanmax(values):
            style = {"colors": [ink()], "linewidths": 1.1} | style
            axes.contour(*self.axes, self._square(values), levels=[0.0], **style)

    def lines(self, axes: Any, stage: Stage) -> str:
        """The lines of all neurons of a layer, and the data; returns what that is."""
        for values in stage.threshold.T:
            self.line(axes, values, colors=[ink(0.6)], linewidths=0.7)
        self.scatter(axes)
        self._frame(axes)
        return "all lines"

    def decisions(self, axes: Any, stage: Stage) -> str:
        """Which output is largest, in the colours of the classes; returns what that is.

        A single output is asked whether it, or what its function is given, is positive.
        """
        output = stage.output
        single = output.shape[1] == 1
        chosen = (stage.threshold[:, 0] > 0).astype(int) if single else output.argmax(axis=1)
        count = max(2, output.shape[1])
        colours = library("matplotlib.colors").ListedColormap(class_colours(count))
        self._image(axes, chosen, cmap=colours, vmin=-0.5, vmax=count - 0.5, alpha=0.35)
        self.scatter(axes)
        if not single:
            return "largest output"
        return "output > 0" if stage.function is None else "pre-activation > 0"

    def scatter(self, axes: Any) -> None:
        """The data, in the colours of their classes."""
        style = {"s": 4, "linewidths": 0, "zorder": 3}
        if self.y is None or self.classes is None:
            axes.scatter(*self.x.T, color=ink(0.6), **style)
            return
        for label, colour in zip(self.classes, class_colours(len(self.classes)), strict=True):
            axes.scatter(*self.x[self.y == label].T, color=[colour], **style)

    def _image(self, axes: Any, values: Array, **style: Any) -> None:
        extent = (self.low[0], self.high[0], self.low[1], self.high[1])
        axes.imshow(
            self._square(values), extent=extent, origin="lower", aspect="auto",
            interpolation="nearest", **style,
        )  # fmt: skip
        self._frame(axes)

    def _frame(self, axes: Any) -> None:
        axes.set(xlim=(self.low[0], self.high[0]), ylim=(self.low[1], self.high[1]))

    def _square(self, values: Array) -> Array:
        return values.reshape(_RESOLUTION, _RESOLUTION)
