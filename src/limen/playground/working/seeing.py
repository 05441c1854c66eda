"""What the neurons of a model respond to, and which hand nothing on any more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import Activation, Linear, Model
from limen.insight.comparing.trial import BLOCKED_BELOW
from limen.layers import Layer
from limen.playground.working.numbers import plain, shades, text_of
from limen.playground.working.session import Session

__all__ = ["View", "slopes"]

Array = NDArray[Any]
Message = dict[str, Any]

_MAP, _FEW = (24, 36), 64  # cells across a neuron's map: more where neurons are few
_REGION, _LARGE = 80, 64  # across the decision regions, and the map of a neuron that is open
_BINS, _CURVE = 40, 121
_MOST_WEIGHTS = 3000  # that lines are drawn for
_BESIDE = 1.15  # how far a plane reaches beyond its data


class View:
    """Looks at a session's model on its data, and on the plane where the data lie on one.

    Args:
        session: what to look at; looking changes nothing in it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        data = session.data
        self.is_plane = data.features == 2
        self.extent = _BESIDE * float(np.abs(data.train_inputs).max())
        # The layers that have neurons to show: every Activation, and the last Linear.
        last = len(session.model.layers) - 1
        self.columns = [k for k in range(last) if k % 2] + [last]
        self._widths = [
            session.model.layers[k].outputs_for(self._width_into(k)) for k in self.columns
        ]
        few = sum(self._widths) <= _FEW
        self._cells = _MAP[few] if self.is_plane else 0
        self._grid = self._plane(self._cells)
        self._region_grid = self._plane(_REGION) if self.is_plane else self._grid
        self._large_grid = self._plane(_LARGE) if self.is_plane else self._grid

    def describe(self) -> Message:
        """What the page has to know of the model before it learns."""
        data = self._session.data
        parameters = sum(p.size for p in self._session.model.parameters())
        points = {}
        if self.is_plane:
            points = {
                "train": [plain(data.train_inputs, 4), data.train_targets.tolist()],
                "test": [plain(data.test_inputs, 4), data.test_targets.tolist()],
            }
        return {
            "kind": "built",
            "data": data.name,
            "plane": self.is_plane,
            "extent": self.extent,
            "features": data.features,
            "classes": data.classes,
            "samples": [len(data.train_targets), len(data.test_targets)],
            "points": points,
            "columns": [
                {"layer": k, "width": width}
                for k, width in zip(self.columns, self._widths, strict=True)
            ],
            "cells": self._cells,
            "batches": self._session.batches,
            "parameters": parameters,
        }

    def frame(self, watched: tuple[int, int] | None) -> Message:
        """The model as it is now: scores, what each neuron responds to, who is blocked."""
        session = self._session
        message = {
            "kind": "frame",
            "steps": session.steps,
            "epoch": session.steps / session.batches,
            **{name: plain(value) for name, value in session.score().items()},
            "blocked": {k: plain(share, 4) for k, share in self._blocked().items()},
            "weights": self._weights(),
        }
        if self.is_plane:
            message |= {"maps": self._maps(), "region": self._region()}
        else:
            message |= {"maps": self._images(), "confusion": self._confusion()}
        if watched is not None:
            message["neuron"] = self.neuron(*watched)
        return message

    def neuron(self, layer: int, neuron: int) -> Message:
        """One neuron in full: weights, what it sees, where on the function's curve that is."""
        model, data = self._session.model, self._session.data
        if layer not in self.columns or neuron >= self._widths[self.columns.index(layer)]:
            return {"layer": -1, "neuron": 0}
        hidden = isinstance(model.layers[layer], Activation)
        linear: Any = model.layers[layer - 1 if hidden else layer]
        row = neuron
        if hidden and model.layers[layer].is_gated:
            row += linear.outputs // 2  # the gate of the pair, which decides what gets through
        before, response = self._at(data.train_inputs, layer, row, neuron)
        weights = linear.weight.value[row]
        length = float(np.linalg.norm(weights))
        bias = float(linear.bias.value[row])
        message = {
            "layer": layer,
            "neuron": neuron,
            "weights": plain(weights, 4),
            "bias": plain(bias, 5),
            "threshold": plain(-bias / length, 5) if length else None,
            "low": plain(response.min(), 5),
            "high": plain(response.max(), 5),
            "histogram": _histogram(before),
            "by_class": plain(
                [response[data.train_targets == c].mean() for c in range(data.classes)], 4
            ),
        }
        if hidden:
            message["curve"] = self._piece(before)
            message["blocked"] = plain(self._blocked()[layer][neuron], 4)
        if self.is_plane:
            _, over = self._at(self._large_grid, layer, row, neuron)
            message |= {"map": text_of(shades(over[np.newaxis])), "cells": _LARGE}
        return message

    def _at(self, inputs: Array, layer: int, row: int, neuron: int) -> tuple[Array, Array]:
        """Pre-activations and responses of a neuron; one of the last layer has but one of both."""
        kept = representations(self._session.model, inputs)
        before = (
            kept[layer - 1]
            if isinstance(self._session.model.layers[layer], Activation)
            else kept[layer]
        )
        return before[:, row], kept[layer][:, neuron]

    def _piece(self, before: Array) -> Message:
        """The function's curve where the neuron's pre-activations lie."""
        function = self._session.function
        seen = before[np.isfinite(before)].astype(np.float64)
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (-1.0, 1.0)
        x = np.linspace(min(low, -1.0), max(high, 1.0), _CURVE)
        others = [np.ones_like(x)] * (len(function.inputs) - 1)
        slope = function.backward(np.ones_like(x), x, *others)
        slope = slope[0] if function.is_gated else slope
        return {"x": plain(x), "y": plain(function(x, *others)), "dy": plain(slope)}

    def _blocked(self) -> dict[int, Array]:
        """For each Activation, the share of the train part on which a neuron hands nothing on.

        Blocked means a derivative below `BLOCKED_BELOW` in size: of a gated neuron, both.
        """
        model = self._session.model
        kept = representations(model, self._session.data.train_inputs)
        found = {}
        for k in self.columns[:-1]:
            slope = slopes(model.layers[k], kept[k - 1], kept[k])
            ended = ~(np.abs(slope) >= BLOCKED_BELOW)  # NaN hands nothing on, too
            halves = ended.reshape(len(slope), -1, kept[k].shape[1])
            found[k] = halves.all(axis=1).mean(axis=0)
        return found

    def _maps(self) -> Message:
        """Every neuron's response over the plane, as bytes."""
        kept = representations(self._session.model, self._grid)
        return {str(k): text_of(shades(kept[k].T)) for k in self.columns}

    def _images(self) -> Message:
        """On images: the weights of first-layer neurons, and of others the response by class."""
        model, data = self._session.model, self._session.data
        kept = representations(model, data.train_inputs)
        is_of = np.eye(data.classes, dtype=np.float64)[data.train_targets]
        profiles = {
            k: (is_of.T @ kept[k] / is_of.sum(axis=0)[:, np.newaxis]).T for k in self.columns
        }
        first: Any = model.layers[0]
        profiles[self.columns[0]] = first.weight.value[-self._widths[0] :]
        return {str(k): text_of(shades(profile)) for k, profile in profiles.items()}

    def _region(self) -> Message:
        """The class that the model chooses all over the plane, and how clearly."""
        prediction = self._session.model.predict(self._region_grid).astype(np.float64)
        prediction = np.nan_to_num(prediction)
        if self._session.loss.is_classification:
            shares = np.exp(prediction - prediction.max(axis=1, keepdims=True))
            prediction = shares / shares.sum(axis=1, keepdims=True)
        first, second = np.sort(prediction, axis=1)[:, :-3:-1].T
        clear = np.clip(first - second, 0, 1) * 255
        return {
            "cells": _REGION,
            "classes": text_of(prediction.argmax(axis=1)),
            "clear": text_of(clear),
        }

    def _confusion(self) -> list[list[int]]:
        """How many test samples of each class (row) are taken for which (column)."""
        data = self._session.data
        taken = self._session.model.predict(data.test_inputs).argmax(axis=1)
        table = np.zeros((data.classes, data.classes), int)
        np.add.at(table, (data.test_targets, taken), 1)
        return table.tolist()

    def _weights(self) -> list[str] | None:
        """The weights of each Linear layer as bytes, where lines can show them."""
        linear = [layer for layer in self._session.model.layers if isinstance(layer, Linear)]
        if not self.is_plane or sum(layer.weight.value.size for layer in linear) > _MOST_WEIGHTS:
            return None
        # Of a gated pair, the weights of the gate: they come last.
        rows = zip(linear, self._widths, strict=True)
        return [text_of(shades(layer.weight.value[-w:].reshape(1, -1))) for layer, w in rows]

    def _width_into(self, index: int) -> int:
        linear: Any = self._session.model.layers[index - 1 if index % 2 else index]
        return int(linear.outputs if index % 2 else linear.inputs)

    def _plane(self, cells: int) -> Array:
        """Points of a square, row by row from the top left, as pictures are."""
        across = np.linspace(-self.extent, self.extent, max(cells, 1), dtype=np.float32)
        x, y = np.meshgrid(across, across[::-1])
        return np.stack([x.ravel(), y.ravel()], axis=1)


def representations(model: Model, x: Array) -> list[Array]:
    """What each layer makes of `x`; unlike `model.forward`, nothing in the layers changes."""
    kept = []
    for layer in model.layers:
        x = layer.compute(x)
        kept.append(x)
    return kept


def slopes(layer: Layer, x: Array, output: Array) -> Array:
    """The derivative of an Activation at each pre-activation; of a gated one, both by halves."""
    found = np.empty_like(x)
    layer.flow(x, np.ones_like(output), found)
    return found


def _histogram(values: Array) -> Message:
    seen = values[np.isfinite(values)].astype(np.float64)
    if not seen.size:
        return {"low": -1, "high": 1, "counts": []}
    low, high = min(seen.min(), -1.0), max(seen.max(), 1.0)
    counts, _ = np.histogram(seen, _BINS, (low, high))
    return {"low": plain(low), "high": plain(high), "counts": counts.tolist()}
