"""How the story's pictures look: matplotlib figures, drawn into the page in the theme's own ink.

A picture is an SVG in the page itself, not a file: its greys become shares of the page's text
colour and its white the page's ground, so that one drawing is right in a light and a dark theme.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from limen.picture import COLOUR, DERIVATIVE_COLOUR

__all__ = [
    "BLUE", "GREY", "ORANGE", "Picture", "border", "canvas", "data", "paint", "said", "spirals",
]  # fmt: skip

BLUE, ORANGE, GREY = COLOUR, DERIVATIVE_COLOUR, "0.5"
CLASSES = np.array([BLUE, ORANGE, "#2a9d62", "#a05bd0"])

mpl.rcParams.update(
    {
        # No ground of their own: what fades out, fades into the page.
        "axes.facecolor": "#ffffff00",
        "figure.facecolor": "#ffffff00",
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 11,
        "font.size": 10,
        "font.sans-serif": ["DejaVu Sans"],
        "legend.frameon": False,
        "svg.fonttype": "none",  # text stays text
    }
)

np.set_printoptions(suppress=True, linewidth=96)

_COLOUR = re.compile(r"(fill|stroke): #([0-9a-f]{6})(?:; \1-opacity: ([0-9.]+))?")
_NAMED = re.compile(r'(\bid="|"#|url\(#)([\w.-]+)')
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_number = itertools.count(1)


def said(value: float, how: str = "g") -> str:
    """A number as it stands in a sentence.

    >>> said(-0.25), said(4.2e-18, ".2g")
    ('−0.25', '4.2·10⁻¹⁸')
    """
    digits, _, power = format(value, how).replace("-", "−").partition("e")
    return digits + ("·10" + str(int(power.replace("−", "-"))).translate(_RAISED) if power else "")


class Picture:
    """A figure as a page shows it.

    Args:
        figure: what matplotlib drew.
        words: what there is to see: the caption, and the picture's text for screen readers.
    """

    def __init__(self, figure: Figure, words: str) -> None:
        self.figure, self.words = figure, words

    def __repr__(self) -> str:
        return f"<Picture: {self.words}>"

    def _repr_html_(self) -> str:
        """The picture in a page."""
        name = f"picture-{next(_number)}"
        return (
            f'<figure class="picture">{_svg(self.figure, name)}'
            f'<figcaption id="{name}">{escape(self.words)}</figcaption></figure>'
        )


def canvas(
    columns: int = 1, *, rows: int = 1, width: float = 7.4, height: float = 3.0, **options: Any
) -> tuple[Figure, Any]:
    """A figure with axes in rows and columns, without any window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def data(axes: Any, points: Any, labels: Any, *, size: float = 14, **options: Any) -> None:
    """Data as dots, each in the colour of its class."""
    options = {"edgecolors": "white", "linewidths": 0.4, "zorder": 3} | options
    axes.scatter(*np.asarray(points).T, s=size, c=CLASSES[np.asarray(labels)], **options)


def paint(
    axes: Any,
    value: Callable[[Any], Any],
    *,
    extent: tuple[float, float, float, float] = (-2, 2, -2, 2),
    reach: float | None = None,
    line: bool = True,
) -> None:
    """What a neuron says everywhere in the plane: orange above zero, blue below.

    Args:
        axes: where to draw.
        value: from points of shape `(n, 2)` to n numbers.
        extent: left, right, bottom, top.
        reach: the value at which a colour is full; the largest in size by default.
        line: whether to draw where the value is zero.
    """
    _, _, found = _over(value, extent)
    strength = np.clip(np.abs(found) / (reach or np.abs(found).max() or 1.0), 0, 1)
    colours = np.where(
        found[..., None] > 0, mpl.colors.to_rgb(DERIVATIVE_COLOUR), mpl.colors.to_rgb(COLOUR)
    )
    image = np.concatenate([colours, 0.65 * strength[..., None]], axis=-1)
    axes.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
    if line:
        border(axes, value, extent=extent)
    axes.set(xlim=extent[:2], ylim=extent[2:])


def border(
    axes: Any,
    value: Callable[[Any], Any],
    *,
    extent: tuple[float, float, float, float] = (-2, 2, -2, 2),
) -> None:
    """The line on which a neuron is zero."""
    across, up, found = _over(value, extent)
    if found.min() < 0 < found.max():
        axes.contour(across, up, found, levels=[0.0], colors=["0"], linewidths=1.2)


def _over(value: Callable[[Any], Any], extent: tuple[float, ...]) -> tuple[Any, Any, Any]:
    across, up = np.linspace(*extent[:2], 160), np.linspace(*extent[2:], 160)
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    found = np.asarray(value(grid.reshape(-1, 2)), dtype=float)
    return across, up, found.reshape(grid.shape[:2])


def spirals(samples: int = 600, *, seed: int = 0) -> tuple[Any, Any]:
    """Two spirals wound into each other: points of shape `(samples, 2)`, and which each is on."""
    random = np.random.default_rng(seed)
    labels, along = random.integers(0, 2, samples), np.sqrt(random.random(samples))
    angle = 2.5 * np.pi * along + np.pi * labels
    points = 2 * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + 0.04 * random.standard_normal((samples, 2)), labels


def _svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element, labelled by its caption, in the page's colours."""
    with mpl.rc_context({"svg.hashsalt": name}), io.StringIO() as file:
        # Without a date or a creator, the same figure is the same text.
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    names = {old: f"{name}-{n}" for n, old in enumerate(re.findall(r'\bid="([^"]+)"', text))}
    text = _NAMED.sub(lambda found: found[1] + names[found[2]], text)
    text = re.sub(r"font: ([^']*)'DejaVu Sans'[^;\"]*", r"font: \1sans-serif", text)
    text = _COLOUR.sub(_in_ink, text)
    # Letters have no colour of their own unless they are given one.
    label = f'<svg fill="currentColor" role="img" aria-labelledby="{name}"'
    return text.replace("<svg", label, 1)


def _in_ink(found: re.Match[str]) -> str:
    """A grey as a share of the text's colour, white as the ground; other colours stay."""
    kind, code, opacity = found.groups()
    levels = {int(code[i : i + 2], 16) for i in (0, 2, 4)}
    if len(levels) > 1:
        return found[0]
    (level,) = levels
    if level == 255:
        return f"{kind}: var(--color-background-primary)"
    share = (1 - level / 255) * float(opacity or 1)
    return f"{kind}: currentColor; {kind}-opacity: {share:.3g}"
