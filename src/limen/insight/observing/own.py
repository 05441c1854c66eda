"""Watching a limen model."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.function import ActivationFunction
from limen.insight.observing.network import Audience, Network, Represented, look_at
from limen.insight.observing.tally import Look, Tally
from limen.layers import Activation, Linear, Model

__all__ = ["OwnNetwork"]

Array = NDArray[Any]


class OwnNetwork(Network):
    """A `limen.Model`, told of every pass as one of its watchers."""

    def __init__(self, model: Model, audience: Audience) -> None:
        self._model, self._audience = model, audience
        # Those whose flow is yet to come back: the tally, the step, its look and the rows.
        self._open: list[tuple[int, Tally, Look, Any]] = []

    def start(self) -> None:
        """Joins the model's watchers, and compiles what looking needs."""
        self._model.watchers = (*self._model.watchers, self)
        self._warm()

    def stop(self) -> None:
        """Leaves them."""
        self._model.watchers = tuple(w for w in self._model.watchers if w is not self)
        self._open.clear()

    def passed(self, x: Array) -> None:
        """A batch went forward; the layers keep what it left."""
        self._open.clear()
        if not self._audience.begins(_count(x)):
            return
        began = perf_counter()
        layers = self._model.layers
        rows: Any = None
        for k, layer in enumerate(layers):
            if isinstance(layer, Activation) and isinstance(layer.function, ActivationFunction):
                given, output = np.atleast_2d(layer.input), np.atleast_2d(layer.output)
                if rows is None:
                    widest = max(_width(layer) for layer in layers)
                    rows = self._audience.rows(len(given), widest)
                look = look_at(layer.function, given[rows], output[rows])
                tally = self._tally(k, layer, look)
                tally.add(self._audience.step, look)
                self._open.append((k, tally, look, rows))
        self._audience.ends(perf_counter() - began)

    def returned(self) -> None:
        """A learning flow came back."""
        if not self._open:
            return
        began = perf_counter()
        for k, tally, look, rows in self._open:
            flow = np.atleast_2d(self._model.layers[k].grad_output)[rows]
            tally.add_flow(self._audience.step, flow, look.slopes)
        self._open.clear()
        self._audience.costs(perf_counter() - began)

    def predicted(self, x: Array) -> None:
        """A batch went forward and left nothing: its rows are sent through again."""
        self._open.clear()
        if not self._audience.begins(_count(x)):
            return
        began = perf_counter()
        x = np.atleast_2d(x)
        rows = self._audience.rows(len(x), max(_width(layer) for layer in self._model.layers))
        for tally, look in self._through(x[rows]):
            tally.add(self._audience.step, look)
        self._audience.ends(perf_counter() - began)

    def represent(self, x: Any) -> Iterator[Represented]:
        """What each Activation layer makes of some data; no layer keeps anything."""
        for tally, look in self._through(np.atleast_2d(self._model.checked(x))):
            yield Represented(tally, look, look.post)

    def _through(self, x: Array) -> Iterator[tuple[Tally, Look]]:
        for k, layer in enumerate(self._model.layers):
            output = layer.compute(x)
            if isinstance(layer, Activation) and isinstance(layer.function, ActivationFunction):
                look = look_at(layer.function, x, output)
                yield self._tally(k, layer, look), look
            x = output

    def _tally(self, k: int, layer: Activation, look: Look) -> Tally:
        function = layer.function
        assert isinstance(function, ActivationFunction)
        width = look.pre.shape[1]
        tally = self._audience.tally(k, f"layer {k}", function, width)
        before = self._model.layers[k - 1] if k else None
        if isinstance(before, Linear):
            bias = before.bias.value if before.bias else None
            tally.draw(before.weight.value, bias)
        return tally

    def _warm(self) -> None:
        for layer in self._model.layers:
            if isinstance(layer, Activation) and isinstance(layer.function, ActivationFunction):
                rows = np.zeros((1, len(layer.function.inputs)), self._model.dtype)
                look_at(layer.function, rows, rows)


def _count(x: Array) -> int:
    return 1 if x.ndim == 1 else len(x)


def _width(layer: Any) -> int:
    return int(layer.output.shape[-1]) if layer.has_run else 1
