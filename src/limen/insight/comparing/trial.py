"""One trial: a model with one activation function, trained from one seed and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from limen.function import ActivationFunction
from limen.insight.comparing.data import Data, needed
from limen.layers import Activation, Adam, CrossEntropy, Linear, Model

__all__ = ["BLOCKED_BELOW", "Recipe", "Record", "blocked", "train"]

BLOCKED_BELOW = 1e-3
"""A neuron is blocked for an input when it hands on less than this share of the learning flow."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is built and trained, the same for every function.

    Attributes:
        widths: the neurons of each hidden Linear layer, an Activation layer after each.
        epochs: passes over the train part.
        batch_size: samples to a step.
        learning_rate: of Adam.
    """

    widths: tuple[int, ...] = (64, 64)
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 1e-3

    def model(self, function: ActivationFunction, data: Data, seed: int) -> Model:
        """Linear and Activation in turn, and a Linear layer to the classes.

        A gated function takes two pre-activations to one neuron, so the Linear layer before it is
        twice as wide.
        """
        layers: list[Linear | Activation] = []
        inputs = data.features
        for width in self.widths:
            layers += [Linear(inputs, width * len(function.inputs)), Activation(function)]
            inputs = width
        return Model([*layers, Linear(inputs, data.classes)], seed=seed, dtype="float32")


@dataclass(frozen=True, slots=True)
class Record:
    """One model trained: one function, one seed.

    Attributes:
        function: the function's name.
        formula: the function's formula.
        data: the data set's name.
        seed: of the first weights and the order of the samples.
        test_accuracy: the share of the test part classified rightly.
        train_accuracy: the share of the train part classified rightly.
        seconds: time spent training, kernels compiled beforehand, on one thread.
        blocked: the share of all pairs of hidden neuron and test input where the neuron hands on
            less than `BLOCKED_BELOW` of the learning flow that reaches it: |f'(x)| below it.
        weights: how many numbers the model learned.
        linear_gap: where the whole model is one linear function, the largest difference on the
            test part between its output and that of the single Linear layer it amounts to, as a
            share of the largest output; None for any other model.
        stopped: why training ended before its last epoch, if it did.
    """

    function: str
    formula: str
    data: str
    seed: int
    test_accuracy: float
    train_accuracy: float
    seconds: float
    blocked: float
    weights: int
    linear_gap: float | None = None
    stopped: str | None = None


def train(function: ActivationFunction, data: Data, seed: int, recipe: Recipe) -> Record:
    """Trains one model on one thread and measures it."""
    limits = needed("threadpoolctl").threadpool_limits
    model = recipe.model(function, data, seed)
    loss = CrossEntropy()
    with limits(1):
        _warm(model, data)
        history = model.fit(
            data.train_inputs,
            data.train_targets,
            loss=loss,
            optimizer=Adam(recipe.learning_rate),
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            progress=False,
        )
        if history.stopped and history.stopped.startswith("interrupted"):
            raise KeyboardInterrupt
        test = model.evaluate(data.test_inputs, data.test_targets, loss)
        seen = model.evaluate(data.train_inputs, data.train_targets, loss)
    assert test.accuracy is not None and seen.accuracy is not None
    return Record(
        function=function.name,
        formula=function.formula,
        data=data.name,
        seed=seed,
        test_accuracy=test.accuracy,
        train_accuracy=seen.accuracy,
        seconds=history.seconds,
        blocked=blocked(model, data.test_inputs),
        weights=sum(parameter.size for parameter in model.parameters()),
        linear_gap=_linear_gap(model, data.test_inputs),
        stopped=history.stopped,
    )


def blocked(model: Model, inputs: Any) -> float:
    """The share of pairs of hidden neuron and input where the learning flow all but ends."""
    model.forward(inputs)
    ended = total = 0
    for layer in model.layers:
        if isinstance(layer, Activation):
            layer.backward(np.ones_like(layer.output))
            ended += int(np.count_nonzero(np.abs(layer.grad_input) < BLOCKED_BELOW))
            total += layer.input.size
    return ended / total if total else 0.0


def _linear_gap(model: Model, inputs: Any) -> float | None:
    """How far the model is from the one Linear layer it amounts to; None if it is not linear."""
    everything = range(len(model.layers))
    if everything not in model.summary().linear_runs:
        return None
    output = model.predict(inputs).astype(np.float64)
    one = model.merged(0)
    single = inputs @ one.weight.value.T + (one.bias.value if one.bias else 0.0)
    return float(np.abs(output - single).max() / np.abs(output).max())


def _warm(model: Model, data: Data) -> None:
    """One pass forward and back, so that the kernels are compiled before the clock starts."""
    model.backward(np.zeros_like(model.forward(data.train_inputs[:2])))
