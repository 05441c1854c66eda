"""Writes the errors of exported programs into the page "export".

    python tools/export_errors.py

Needs PyTorch, onnx, onnxscript and onnxruntime.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import limen
import limen.torch as lt

PAGE = Path(__file__).parents[1] / "docs" / "export.md"
EPSILON = 2.0**-23
LARGEST = 1e18  # float32 squares of what is larger overflow
SMALLEST = 1e-35  # on the way to what is smaller, something may underflow
_BETWEEN = re.compile(r"(<!-- export errors -->\n).*(<!-- end -->)", re.S)

Array = NDArray[np.float32]


class Errors(NamedTuple):
    """The largest of a program's errors, of a function's float32 values."""

    relative_to_one: float
    """In units of 2**-23 * max(1, |value|), for |x| <= 1e18, infinities and NaN."""
    ulp: float
    """In ULP, for |x| <= 8 and values of at least 1e-35."""


class Each(nn.Module):
    """One input through many functions: one program for all."""

    def __init__(self, names: list[str], learnable: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            lt.Activation(name, learnable=tuple(limen.get(name).parameters) if learnable else ())
            for name in names
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Each function's value."""
        return tuple(layer(x) for layer in self.layers)


def inputs() -> Array:
    """Numbers from the smallest to 1e18, closer together up to 120; infinities, zeros and NaN."""
    sizes = [np.logspace(-44, np.log10(LARGEST), 4001), np.linspace(0, 120, 24001), [0, np.inf]]
    x = np.concatenate(sizes).astype(np.float32)
    return np.concatenate([x, -x, [np.float32(np.nan)]])


def programs(names: list[str], learnable: bool = False) -> tuple[Any, Any]:
    """The exported program of each function, and the same as an ONNX model."""
    example = torch.zeros(4, 2)
    batch = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(Each(names, learnable), (example,), dynamic_shapes=batch)
    return exported, torch.onnx.export(exported, dynamo=True, verbose=False).model_proto


def run_onnx(model: Any, x: NDArray[Any]) -> list[NDArray[Any]]:
    """What onnxruntime makes of an input."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs: list[NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: x})
    return outputs


def errors(found: Array, exact: NDArray[np.float64], x: Array) -> Errors:
    """The errors of float32 values; infinite where one is not finite and the other another."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(np.float32)
        distance = np.abs(found - exact)
        distance[(found == rounded) & np.isinf(rounded)] = 0
        distance[np.isnan(found) & np.isnan(exact)] = 0
        distance[np.isnan(distance)] = np.inf
        size = np.where(np.isfinite(rounded), np.abs(rounded), 1)
    scaled = distance / (EPSILON * np.maximum(1, size))
    ulp = (distance / np.spacing(size))[(np.abs(x) <= 8) & (size >= SMALLEST)]
    return Errors(float(scaled.max()), float(ulp.max()))


def measured(names: list[str], exported: Any, model: Any) -> Iterator[tuple[str, Errors, Errors]]:
    """The errors of each function of one input: PyTorch's program, and onnxruntime's."""
    x = inputs()
    given = np.stack([x, x], 1)
    with torch.no_grad():
        ours = [y.numpy()[:, 0] for y in exported.module()(torch.from_numpy(given))]
    theirs = [y[:, 0] for y in run_onnx(model, given)]
    for name, one, other in zip(names, ours, theirs, strict=True):
        f = limen.get(name)
        with np.errstate(over="ignore"):
            exact = f(x.astype(np.float64))
        yield name, errors(one, exact, x), errors(other, exact, x)


def table() -> str:
    """The page's table."""
    names = [name for name in limen.names() if not limen.get(name).is_gated]
    lines = [
        "| function | PyTorch | ONNX | PyTorch, ULP | ONNX, ULP |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, torchs, onnxs in measured(names, *programs(names)):
        figures = (torchs.relative_to_one, onnxs.relative_to_one, torchs.ulp, onnxs.ulp)
        lines.append(f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BETWEEN.sub(lambda m: m[1] + table() + m[2], page), encoding="utf-8")
    print(f"written: {PAGE}")
