"""The network as a grid of neurons: a row for each layer, a picture for each neuron."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import ShapeError
from limen.insight.plot.canvas import canvas, titled
from limen.insight.plot.plane import Plane
from limen.insight.plot.stages import Stage, samples, stages
from limen.picture import ink, library

if TYPE_CHECKING:
    from limen.insight.plot.canvas import Canvas

__all__ = ["neurons"]

Array = NDArray[Any]

_CELL = 1.25  # inches
_LABEL = 0.7
_LONGEST = 26  # characters of a row's label
_STRONGEST = 0.05  # the share of samples whose mean stands for what a neuron responds to
# Purple and green, as in ColorBrewer's PRGn: told apart by colour-blind readers, and from the
# colours of the classes.
_NEGATIVE, _POSITIVE = "#8e5ba6", "#3f9a4f"


def neurons(
    model: Any,
    x: ArrayLike,
    y: ArrayLike | None = None,
    figure: Canvas | None = None,
    *,
    shown: int = 10,
    image: tuple[int, int] | None = None,
) -> Any:
    """Draws the network as a grid: a row for each layer, a picture for each of its neurons.

    With two inputs, each picture is the plane: green where the neuron's output is positive, purple
    where it is negative, each to its own scale; the line is the neuron's hyperplane, where its
    pre-activation is 0. A layer's hyperplanes fold where layers before it bend. The first column
    shows all the lines of a layer together, and last the class with the largest output.

    With images, the first row shows the weights of each neuron (green positive, purple negative)
    and every further row the mean of the 5% of the samples to which the neuron responds most.

    Args:
        model: a `limen.Model` or a `torch.nn.Module`.
        x: data, `(samples, inputs)`: two inputs, or as many as an image has pixels.
        y: class of each sample, `(samples,)`, for the colours of the points.
        figure: where to draw; a new figure by default.
        shown: how many neurons of a layer to show, from the first.
        image: rows and columns of an image; by default it is square.

    Returns:
        The figure.

    Raises:
        ShapeError: where the inputs are neither two nor an image.
        LimenError: where no sample of two inputs is finite.
        MissingPackageError: if matplotlib is not installed.

    Example:
        >>> from matplotlib.figure import Figure
        >>> import limen, numpy as np
        >>> model = limen.Model([limen.Linear(2, 3), limen.Activation("relu"), limen.Linear(3, 2)])
        >>> figure = limen.plot.neurons(model, np.eye(2), figure=Figure())
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['all lines', '0', '1', '2', 'largest output', '0', '1', '']
    """
    x, y = samples(x, y)
    if x.shape[1:] == (2,):
        return _on_the_plane(model, Plane(x, y), figure, shown)
    return _as_images(model, x, _image_shape(x, image), figure, shown)


def _image_shape(x: Array, image: tuple[int, int] | None) -> tuple[int, int]:
    pixels = int(np.prod(x.shape[1:]))
    if image is None and x.ndim > 2:
        image = (int(x.shape[-2]), int(x.shape[-1]))
    elif image is None:
        image = (isqrt(pixels), isqrt(pixels))
    if image[0] * image[1] != pixels:
        raise ShapeError(
            f"neurons are drawn over two inputs or as images, given {pixels} inputs, which are no "
            f"{image[0]} x {image[1]} image: name its shape, image=(rows, columns), or see the "
            "layers with limen.plot.representations"
        )
    return image


def _on_the_plane(model: Any, plane: Plane, figure: Canvas | None, shown: int) -> Any:
    found = [stage for stage in stages(model, plane.points) if stage.output.ndim == 2]
    figure, grid = _grid(found, figure, shown, 1)
    for row, stage in zip(grid, found, strict=True):
        is_last = stage is found[-1]
        said = plane.decisions(row[0], stage) if is_last else plane.lines(row[0], stage)
        titled(row[0], said, 8)
        _bare(row[0])
        for neuron, axes in enumerate(row[1:]):
            if neuron < min(shown, stage.width):
                _respond(plane, axes, stage, neuron)
            else:
                axes.set_axis_off()
    _label(grid, found, shown, [""] * len(found))
    return figure


def _respond(plane: Plane, axes: Any, stage: Stage, neuron: int) -> None:
    values = stage.output[:, neuron]
    plane.field(axes, values, _diverging())
    plane.line(axes, stage.threshold[:, neuron])
    plane.scatter(axes)
    titled(axes, f"{neuron}" + _constant(values), 8)
    _bare(axes)


def _as_images(
    model: Any, x: Array, shape: tuple[int, int], figure: Canvas | None, shown: int
) -> Any:
    found = stages(model, x)
    figure, grid = _grid(found, figure, shown, 0)
    flat = x.reshape(len(x), -1)
    kinds = []
    for place, (row, stage) in enumerate(zip(grid, found, strict=True)):
        weight = stage.weight if place == 0 else None
        if weight is not None and weight.shape[1] != flat.shape[1]:
            weight = None
        kinds.append(f"top {_STRONGEST:.0%} of data" if weight is None else "weights")
        output = stage.output.reshape(len(x), -1)
        for neuron, axes in enumerate(row):
            if neuron >= min(shown, output.shape[1]):
                axes.set_axis_off()
            elif weight is not None:
                _weights(axes, weight[neuron].reshape(shape))
                titled(axes, f"{neuron}", 8)
            else:
                axes.imshow(_strongest(flat, output[:, neuron]).reshape(shape), cmap="gray")
                titled(axes, f"{neuron}" + _constant(output[:, neuron]), 8)
            _bare(axes)
    _label(grid, found, shown, kinds)
    return figure


def _weights(axes: Any, weight: Array) -> None:
    size = float(np.abs(weight).max()) or 1.0
    axes.imshow(weight, cmap=_diverging(), vmin=-size, vmax=size)


def _strongest(x: Array, output: Array) -> Array:
    """The mean of the samples to which a neuron responds most."""
    count = max(1, round(_STRONGEST * len(x)))
    mean: Array = x[np.argsort(output, kind="stable")[-count:]].mean(axis=0)
    return mean


def _constant(values: Array) -> str:
    return " constant" if np.ptp(values) == 0 else ""


def _grid(found: list[Stage], figure: Canvas | None, shown: int, extra: int) -> tuple[Any, Any]:
    columns = extra + min(shown, max(stage.width for stage in found))
    size = (_LABEL + _CELL * columns, 0.3 + (_CELL + 0.2) * len(found))
    figure = canvas(figure, size)
    return figure, figure.subplots(len(found), columns, squeeze=False)


def _label(grid: Any, found: list[Stage], shown: int, kinds: Sequence[str]) -> None:
    """Names the rows: the layer, how many neurons it has, and what kind of picture this is."""
    for row, stage, kind in zip(grid, found, kinds, strict=True):
        title = stage.title if len(stage.title) <= _LONGEST else stage.title[: _LONGEST - 1] + "…"
        count = f"{shown} of {stage.width}" if stage.width > shown else f"{stage.width}"
        text = f"{title}\n{count} neurons" if stage.width > 1 else f"{title}\n1 neuron"
        row[0].set_ylabel(f"{text}\n{kind}".rstrip(), fontsize=8, parse_math=False)


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(ink(0.25))


def _diverging() -> Any:
    """From purple over the background to green."""
    ground = library("matplotlib").rcParams["axes.facecolor"]
    colours = library("matplotlib.colors").LinearSegmentedColormap
    return colours.from_list("sign", [_NEGATIVE, ground, _POSITIVE])
