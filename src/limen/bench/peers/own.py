"""limen, as its users call it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.bench.case import Case, Step
from limen.bench.training import ACTIVATION, LAYERS, RATE, data

__all__ = ["make"]


class Own:
    """Calls of an `ActivationFunction`, into new arrays or into given ones."""

    version = metadata.version("limen")

    def __init__(self, into: str) -> None:
        self._into_given = into == "given"

    def bind(self, case: Case) -> Callable[[], Any]:
        if isinstance(case, Step):
            return _step(case)
        f = case.function()
        *inputs, grad_output = case.arrays(len(f.inputs))
        results = [np.empty_like(grad_output) for _ in inputs] if self._into_given else None
        if case.direction == "forward":
            out = None if results is None else results[0]
            return partial(f, *inputs, out=out)
        pair = results if results is None or f.is_gated else results[0]
        return partial(f.backward, grad_output, *inputs, out=pair)

    def spelling(self, case: Case) -> str:
        if isinstance(case, Step):
            return "limen.Model"
        title = case.function().source(case.direction).splitlines()[0]
        return "tuned tier" if "tuned:" in title else "general tier"

    def fetch(self, result: Any) -> list[NDArray[Any]]:
        if isinstance(result, float):
            return [np.array(result)]
        return list(result) if isinstance(result, tuple | list) else [result]


def _step(case: Step) -> Callable[[], Any]:
    """A step of a `limen.Model`, as `fit` takes it batch after batch."""
    # Functions are measured without them, from the first call on.
    from limen.layers import SGD, Activation, HalfSquaredError, Linear, Model

    x, y, weights = data(case)
    parts = [[Linear(case.width, case.width), Activation(ACTIVATION)] for _ in range(LAYERS)]
    model = Model([layer for part in parts for layer in part][:-1])
    for layer, weight in zip(model.layers[::2], weights, strict=True):
        assert isinstance(layer, Linear)
        assert layer.bias is not None
        layer.weight.value[...] = weight
        layer.bias.value[...] = 0
    step = model.training_step(HalfSquaredError(), SGD(RATE))
    return lambda: step(x, y)


def make(threads: int, into: str = "new") -> Own:
    """limen, its threads told by the environment of the process."""
    return Own(into)
