"""One model in training: what `limen.Model.fit` does, but a step at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import limen
from limen import Activation, Linear, Model
from limen.insight.comparing.data import load
from limen.playground.requests import Request
from limen.playground.working.formulas import function_of

__all__ = ["Session"]

Array = NDArray[Any]

_OPTIMIZERS: dict[str, Any] = {
    "adam": limen.Adam,
    "adamw": limen.AdamW,
    "sgd": limen.SGD,
    "momentum": lambda rate: limen.SGD(rate, momentum=0.9),
}


class Session:
    """A model, its data, and how far it has learned.

    Args:
        request: a checked `build`.

    Attributes:
        model: Linear and Activation layers in turn, and a Linear layer to the classes.
        data: the data set, in a train and a test part.
        steps: how many were made.
        batches: how many make an epoch.
    """

    def __init__(self, request: Request) -> None:
        self.function = function_of(request)
        self.data = load(request["data"])
        self.model = Model(self._layers(request["widths"]), seed=request["seed"])
        squared = request["loss"] == "half_squared_error"
        self.loss: Any = limen.HalfSquaredError() if squared else limen.CrossEntropy()
        self.optimizer = _OPTIMIZERS[request["optimizer"]](request["rate"])
        self.targets = self._as_targets(self.data.train_targets)
        self.test_targets = self._as_targets(self.data.test_targets)
        self.steps = 0
        self.batches = -(-len(self.targets) // request["batch"])
        self._batch = request["batch"]
        self._step = self.model.training_step(self.loss, self.optimizer)
        self._rows = self._in_order()

    def learn(self) -> float:
        """One step on the next batch; the loss before it."""
        rows = next(self._rows)
        value: float = self._step(self.data.train_inputs[rows], self.targets[rows])
        self.steps += 1
        return value

    def score(self) -> dict[str, float]:
        """Loss and accuracy on both parts of the data, for the weights as they are."""
        parts = (
            ("train", self.data.train_inputs, self.data.train_targets, self.targets),
            ("test", self.data.test_inputs, self.data.test_targets, self.test_targets),
        )
        found = {}
        for name, inputs, classes, targets in parts:
            prediction = self.model.predict(inputs)
            found[f"{name}_loss"] = self.loss(prediction, targets)
            found[f"{name}_accuracy"] = float(np.mean(prediction.argmax(axis=1) == classes))
        return found

    def _layers(self, widths: list[int]) -> list[Linear | Activation]:
        """A gated function takes two pre-activations to one neuron: twice as wide a Linear."""
        layers: list[Linear | Activation] = []
        inputs = self.data.features
        for width in widths:
            layers += [Linear(inputs, width * len(self.function.inputs)), Activation(self.function)]
            inputs = width
        return [*layers, Linear(inputs, self.data.classes)]

    def _as_targets(self, classes: Array) -> Array:
        """What the loss takes: the classes, or a 1 at the class among zeros."""
        if self.loss.is_classification:
            return classes
        ones: Array = np.eye(self.data.classes, dtype=np.float32)[classes]
        return ones

    def _in_order(self) -> Iterator[Array]:
        """The rows of one batch after another, in the orders of `Model.fit`."""
        while True:
            order = self.model.shuffler.permutation(len(self.targets))
            for start in range(0, len(order), self._batch):
                yield order[start : start + self._batch]
