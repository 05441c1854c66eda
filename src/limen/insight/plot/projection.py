"""Each layer's representation of some data, projected to the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.insight.plot.canvas import canvas, class_colours, legend, titled
from limen.insight.plot.stages import samples, stages
from limen.picture import COLOUR, ink

if TYPE_CHECKING:
    from limen.insight.plot.canvas import Canvas

__all__ = ["Projection", "project", "representations"]

Array = NDArray[Any]

_CELL = 2.4  # inches
_COLUMNS = 4
_LONGEST = 30  # characters of a title


class Projection(NamedTuple):
    """Points of the plane, and the share of the variance that they keep."""

    points: Array
    explained: float


def project(values: Array) -> Projection:
    """The first two principal components, by singular value decomposition.

    Pearson, "On lines and planes of closest fit to systems of points in space", Philosophical
    Magazine 2, 1901: centre the rows, `values - mean = U S V^T`, keep `U S` for the two largest
    singular values; they explain `(s1² + s2²) / sum s²` of the variance. Each axis points to where
    its largest coordinate is positive, so that the same data give the same picture.

    Args:
        values: `(samples, neurons)`, finite.

    Returns:
        Points of shape `(samples, 2)`; of one neuron the second coordinate is 0.

    Example:
        >>> points, explained = project(np.array([[0.0, 1.0, 7.0], [4.0, 1.0, 7.0]]))
        >>> abs(points[:, 0]), float(explained)
        (array([2., 2.]), 1.0)
    """
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(values), 2))
    kept = min(2, len(sizes))
    points[:, :kept] = left[:, :kept] * sizes[:kept]
    furthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    points *= np.where(furthest < 0, -1.0, 1.0)
    total = float(np.square(sizes).sum())
    return Projection(points, float(np.square(sizes[:kept]).sum()) / total if total else 1.0)


def representations(
    model: Any, x: ArrayLike, y: ArrayLike | None = None, figure: Canvas | None = None
) -> Any:
    r"""Draws what each layer makes of the data: its representation, projected to the plane.

    Each picture has the two principal components of one representation as its axes and says how
    much of the variance they explain; what they leave out is not seen. Samples with a value that is
    not finite are left out and counted.

    Args:
        model: a `limen.Model` or a `torch.nn.Module`.
        x: data, `(samples, inputs)`, or whatever shape a PyTorch model takes.
        y: class of each sample, `(samples,)`, for the colours.
        figure: where to draw; a new figure by default.

    Returns:
        The figure.

    Raises:
        MissingPackageError: if matplotlib is not installed.

    Example:
        >>> from matplotlib.figure import Figure
        >>> import limen, numpy as np
        >>> model = limen.Model([limen.Linear(2, 1), limen.Activation("relu")])
        >>> figure = limen.plot.representations(model, np.eye(2), figure=Figure())
        >>> figure.axes[0].get_title(loc="left")
        'input (2)\n100.0% explained'
    """
    x, y = samples(x, y)
    pictures = [("input", x), *((stage.title, stage.output) for stage in stages(model, x))]
    pictures = [(name, values) for name, values in pictures if len(values) == len(x)]
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = canvas(figure, (_CELL * columns, (_CELL + 0.3) * rows + 0.4 * (y is not None)))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, values) in zip(grid, pictures, strict=False):
        _draw(axes, name, values.reshape(len(x), -1), y)
    for axes in grid[len(pictures) :]:
        axes.set_axis_off()
    if y is not None:
        classes = [str(label) for label in np.unique(y)]
        style = {"fontsize": 8, "markerscale": 2, "handletextpad": 0.1, "columnspacing": 1.0}
        place = {"loc": "outside lower center", "ncols": min(10, len(classes))}
        legend(figure, grid[0].collections, classes, **place, **style)
    return figure


def _draw(axes: Any, name: str, values: Array, y: Array | None) -> None:
    finite = np.isfinite(values).all(axis=1)
    points, explained = project(values[finite]) if finite.any() else (np.zeros((0, 2)), 0.0)
    style = {"s": 7, "linewidths": 0, "alpha": 0.8}
    if y is None:
        axes.scatter(*points.T, color=COLOUR, **style)
    else:
        classes = np.unique(y)
        for label, colour in zip(classes, class_colours(len(classes)), strict=True):
            axes.scatter(*points[y[finite] == label].T, color=[colour], **style)
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    said = f"{explained:.1%} explained"
    if not finite.all():
        said += f", {int((~finite).sum())} not finite"
    titled(axes, f"{short} ({values.shape[1]})\n{said}", 9)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(ink(0.25))
