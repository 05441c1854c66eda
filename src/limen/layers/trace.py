"""The trace: one pass forward and back, neuron by neuron, formula and numbers of each step.

What a person would otherwise work out on paper. The numbers are the model's own: after a trace,
the layers hold exactly what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.layers import steps
from limen.layers.activation import Activation
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.loss import Loss, check_loss
from limen.layers.summary import linear_notes

if TYPE_CHECKING:
    from limen.layers.model import Model

__all__ = ["Trace"]

Array = NDArray[Any]


class Trace:
    """One pass of a model, worked out in text: `str(trace)`.

    Runs `model.forward` and `model.backward` on `x`, so that what it shows can be read from the
    layers afterwards.

    Args:
        model: the model.
        x: one sample or a small batch.
        y: its target.
        loss: where the flow starts.
        neurons: how many neurons of a layer, and terms of a sum, to write out.
        samples: how many samples of a batch to write out.
    """

    def __init__(
        self,
        model: Model,
        x: ArrayLike,
        y: ArrayLike,
        loss: Loss,
        *,
        neurons: int = 4,
        samples: int = 1,
    ) -> None:
        check_loss("trace", loss)
        if neurons < 1 or samples < 1:
            raise ValueError("trace: neurons and samples must be at least 1")
        prediction = model.forward(x)
        grad = loss.backward(prediction, y)
        model.backward(grad)
        self.loss = loss(prediction, y)
        self._model, self._loss, self._limit = model, loss, neurons
        self._grad, self._prediction = np.atleast_2d(grad), np.atleast_2d(prediction)
        self._target = loss.prepare(y, prediction.shape)
        if self._target.shape == prediction.shape:
            self._target = np.atleast_2d(self._target)
        self._batch = len(self._grad)
        self._samples = min(samples, self._batch)
        self._text = "\n".join(self._lines())

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        layers = len(self._model.layers)
        return f"<Trace of {layers} layers, loss {steps.number(self.loss)}; print it to read it>"

    def _lines(self) -> Iterator[str]:
        yield f"Trace of {self._batch} sample{'s' * (self._batch > 1)}, {self._model.dtype}"
        yield from linear_notes(self._model)
        yield "\nFORWARD: the representations"
        for layer in self._model.layers:
            yield f"\n{layer.place}:  {layer.formula}"
            line = partial(steps.forward, layer, limit=self._limit)
            yield from self._by_sample(line, layer.output.shape[-1])
        yield f"\n{self._loss!r}:  loss = {self._loss.formula}"
        yield from self._loss_values()
        yield "\nBACKWARD: the learning flow"
        yield f"\n{self._loss!r}:  flow[j] = {self._loss.backward_formula}"
        yield from self._by_sample(self._loss_flow, self._grad.shape[-1])
        for layer in reversed(self._model.layers):
            yield f"\n{layer.place}:  {layer.backward_formula}"
            line = partial(steps.backward, layer, limit=self._limit)
            # Neurons of a gated layer are traced in pairs, value and gate.
            gated = isinstance(layer, Activation) and layer.is_gated
            kept = layer.output if gated else layer.input
            yield from self._by_sample(line, kept.shape[-1])
            yield from self._parameters(layer)

    def _by_sample(self, line: Callable[[int, int], str], width: int) -> Iterator[str]:
        """`line(sample, neuron)` for the neurons of the samples to show."""
        for sample in range(self._samples):
            if self._batch > 1:
                yield f"  sample {sample}"
            for neuron in range(min(width, self._limit)):
                yield f"  {line(sample, neuron)}"
            yield from _more(width - self._limit, "neuron")
        yield from _more(self._batch - self._samples, "sample")

    def _loss_values(self) -> Iterator[str]:
        for sample in range(self._samples if self._batch > 1 else 0):
            worked = steps.loss_value(*self._of(sample), limit=self._limit)
            value = self._loss(self._prediction[sample], self._target[sample])
            yield f"  sample {sample}: {worked}{steps.number(value)}"
        if self._batch > 1:
            yield from _more(self._batch - self._samples, "sample")
            yield f"  loss = {steps.number(self.loss)}, the mean over {self._batch} samples"
        else:
            worked = steps.loss_value(*self._of(0), limit=self._limit)
            yield f"  loss = {worked}{steps.number(self.loss)}"

    def _loss_flow(self, sample: int, neuron: int) -> str:
        worked = steps.loss_flow(*self._of(sample), neuron)
        batch = f" / {self._batch}" if self._batch > 1 and worked else ""
        worked = f"{worked}{batch} = " if worked else ""
        return f"flow[{neuron}] = {worked}{steps.number(self._grad[sample, neuron])}"

    def _of(self, sample: int) -> tuple[Loss, Array, Array]:
        return self._loss, self._prediction[sample], self._target[sample]

    def _parameters(self, layer: Layer) -> Iterator[str]:
        if isinstance(layer, Linear):
            yield from self._weights(layer)
            return
        for parameter in layer.parameters():
            name = parameter.name.rpartition(".")[2]
            yield f"  dL/d{name} = {steps.number(parameter.grad)}  (summed over all neurons)"

    def _weights(self, layer: Linear) -> Iterator[str]:
        grads, inputs = np.atleast_2d(layer.grad_output), np.atleast_2d(layer.input)
        over = f", summed over {self._batch} samples" if self._batch > 1 else ""
        bias = ",  dL/db[j] = grad_output[j]" if layer.bias else ""
        yield f"  the weights learn:  dL/dW[j,i] = grad_output[j] x[i]{bias}{over}"
        for j in range(min(layer.outputs, self._limit)):
            for i in range(min(layer.inputs, self._limit)):
                terms = steps.products(grads[:, j], inputs[:, i], self._limit)
                yield f"  dL/dW[{j},{i}] = {terms} = {steps.number(layer.weight.grad[j, i])}"
            yield from _more(layer.inputs - self._limit, "weight", f" of neuron {j}")
            if layer.bias:
                terms = steps.terms(grads[:, j], self._limit) + " = " if self._batch > 1 else ""
                yield f"  dL/db[{j}] = {terms}{steps.number(layer.bias.grad[j])}"
        yield from _more(layer.outputs - self._limit, "neuron")


def _more(count: int, what: str, of: str = "") -> Iterator[str]:
    if count > 0:
        yield f"  ... and {count} more {what}{'s' * (count > 1)}{of}"
