"""Where the pictures are drawn: figures, and the colours that all of them share.

Whatever is neither white nor black comes from here or follows matplotlib's own settings, so that a
picture drawn under `plt.style.use("dark_background")` is a dark picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from limen.picture import COLOUR, DERIVATIVE_COLOUR, ink, library

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    Canvas = Figure | SubFigure

__all__ = ["CLASSES", "canvas", "class_colours", "legend", "tidy", "titled"]

# Paul Tol's "bright" scheme, the order changed so that the first two are limen's own: told apart by
# colour-blind readers, on white and on black (https://personal.sron.nl/~pault, 2021).
CLASSES = (
    COLOUR, DERIVATIVE_COLOUR, "#228833", "#aa3377", "#ccbb44", "#66ccee", "#ee6677", "#8c8c8c",
    "#9467bd", "#8c564b",
)  # fmt: skip


def canvas(figure: Canvas | None, size: tuple[float, float]) -> Any:
    """The figure given, or a new one of `size` inches.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    if figure is not None:
        return figure
    pyplot = library("matplotlib.pyplot")
    made = pyplot.figure(figsize=size, layout="constrained")
    if "inline" in library("matplotlib").get_backend():
        # A notebook shows what a cell returns; a figure that pyplot holds would be shown twice.
        pyplot.close(made)
    return made


def class_colours(count: int) -> list[Any]:
    """One colour to a class; beyond ten classes, steps of matplotlib's "turbo"."""
    if count <= len(CLASSES):
        return list(CLASSES[:count])
    turbo = library("matplotlib").colormaps["turbo"]
    return [turbo(share) for share in np.linspace(0.05, 0.95, count)]


def titled(axes: Any, text: str, size: float = 10) -> None:
    """A title on the left; a `$` in it is a dollar and starts no formula of matplotlib's."""
    axes.set_title(text, loc="left", fontsize=size, parse_math=False)


def legend(target: Any, handles: Sequence[Any], names: Sequence[str], **style: Any) -> None:
    """A legend whose names are shown as they are: matplotlib leaves out those that start with _."""
    shown = target.legend(handles, [str(k) for k in range(len(names))], frameon=False, **style)
    for text, name in zip(shown.get_texts(), names, strict=True):
        text.set(text=name, parse_math=False)


def tidy(axes: Any) -> None:
    """A light grid behind, no frame above and to the right."""
    axes.grid(color=ink(0.12), linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
