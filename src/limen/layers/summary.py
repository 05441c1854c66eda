"""The summary of a model: its layers, shapes and counts, and what is linear without need."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.merging import linear_runs

if TYPE_CHECKING:
    from limen.layers.model import Model

__all__ = ["Row", "Summary", "linear_notes"]


class Row(NamedTuple):
    """One layer of a summary."""

    layer: str
    output: str
    parameters: int


class Summary:
    """What `model.summary()` returns; it shows itself as a table.

    Attributes:
        rows: name, output shape and parameter count, layer by layer.
        parameters: how many numbers learn.
        linear_runs: the positions of Linear layers in a row that are one linear function.
    """

    def __init__(self, model: Model) -> None:
        self.rows = _rows(model)
        self.parameters = sum(row.parameters for row in self.rows)
        self.linear_runs = linear_runs(model)
        self._notes = linear_notes(model)
        self._title = f"Model, {model.dtype}, seed {model.seed}"

    def __str__(self) -> str:
        cells = [("layer", "output", "parameters")]
        cells += [(row.layer, row.output, f"{row.parameters:,}") for row in self.rows]
        first, second, third = (max(map(len, column)) for column in zip(*cells, strict=True))
        lines = [f"{a:<{first}}  {b:<{second}}  {c:>{third}}" for a, b, c in cells]
        rule = "-" * len(lines[0])
        total = f"{self.parameters:,} parameters learn"
        return "\n".join([self._title, lines[0], rule, *lines[1:], rule, total, *self._notes])

    __repr__ = __str__


def linear_notes(model: Model) -> list[str]:
    """A warning for each run of Linear layers that is one linear function, and which."""
    notes = []
    for run in linear_runs(model):
        first, last = model.layers[run[0]], model.layers[run[-1]]
        assert isinstance(first, Linear) and isinstance(last, Linear)
        between = [f"{model.layers[i]!r}" for i in run if not isinstance(model.layers[i], Linear)]
        affine = f" but {', '.join(between)}, which bends nothing" if between else ""
        everything = " So is the whole model." if len(run) == len(model.layers) else ""
        one = model.merged(run[0])
        bias = f" + b, b of shape ({one.outputs},)" if one.bias else ""
        notes.append(
            f"Layers {run[0]} to {run[-1]} are ONE linear function: no activation lies between "
            f"them{affine}.{everything}\n"
            f"  It is y = x @ W.T{bias}, W of shape {one.weight.shape}, "
            f"{sum(p.size for p in one.parameters()):,} parameters: "
            f"model.merged({run[0]}) gives it."
        )
    return notes


def _rows(model: Model) -> list[Row]:
    rows: list[Row] = []
    width: int | None = None  # unknown until the first Linear layer says so
    for layer in model.layers:
        if isinstance(layer, Linear):
            width = layer.outputs
        elif width is not None:
            width = layer.outputs_for(width)
        output = f"(batch, {width})" if width is not None else _relative(layer)
        size = sum(parameter.size for parameter in layer.parameters())
        rows.append(Row(f"{layer.index}  {layer!r}", output, size))
    return rows


def _relative(layer: Layer) -> str:
    return "half the input" if layer.outputs_for(2) == 1 else "as the input"
