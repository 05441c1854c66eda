"""Widths: whether layers in a row fit, each taking as many inputs as come out before it.

A Linear layer says both widths; others, such as a gated activation, say what they make of one. So
what fits is known when a model is made, before any data.
"""

from __future__ import annotations

from collections.abc import Sequence

from limen.errors import ShapeError
from limen.layers.layer import Layer
from limen.layers.linear import Linear

__all__ = ["check_widths"]


def check_widths(layers: Sequence[Layer]) -> None:
    """Refuses neighbours that do not fit; the error names both.

    Raises:
        ShapeError: at the first layer that cannot take the width before it.
    """
    width, source = None, ""
    for index, layer in enumerate(layers):
        here = f"layer {index}, {layer!r}"
        if isinstance(layer, Linear):
            if width is not None and width != layer.inputs:
                raise ShapeError(
                    f"Model: {here}, expects {layer.inputs} inputs, "
                    f"but {source}, gives {width} outputs"
                )
            width, source = layer.outputs, here
        elif width is not None:
            try:
                after = layer.outputs_for(width)
            except ShapeError as error:
                raise ShapeError(f"Model: position {index}: {error} by {source}") from None
            if after != width:
                width, source = after, here
