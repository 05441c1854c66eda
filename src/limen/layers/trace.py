"""The trace: one pass forward and back, neuron by neuron, with the formula and numbers of each step.

What a person would otherwise work out on paper. The numbers are the model's own: after a trace,
the layers hold exactly what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.layers.activation import Activation
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.loss import BinaryCrossEntropy, CrossEntropy, HalfSquaredError, Loss
from limen.layers.summary import linear_notes
from limen.vector import VectorFunction

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
        if neurons < 1 or samples < 1:
            raise ValueError("trace: neurons and samples must be at least 1")
        prediction = model.forward(x)
        grad = loss.backward(prediction, y)
        model.backward(grad)
        self.loss = loss(prediction, y)
        self._model, self._loss, self._limit = model, loss, neurons
        self._grad = np.atleast_2d(grad)
        self._target = loss.prepare(y, prediction.shape)
        self._batch = len(self._grad)
        self._samples = min(samples, self._batch)
        self._text = "\n".join(self._lines())

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        layers = len(self._model.layers)
        return f"<Trace of {layers} layers, loss {_number(self.loss)}; print it to read it>"

    def _lines(self) -> Iterator[str]:
        yield f"Trace of {self._batch} sample{'s' * (self._batch > 1)}, {self._model.dtype}"
        yield from linear_notes(self._model)
        yield "\nFORWARD: the representations"
        for layer in self._model.layers:
            yield f"\n{layer.place}:  {layer.formula}"
            yield from self._by_sample(partial(_forward, layer), layer.output)
        yield f"\n{self._loss!r} = {self._loss.formula}"
        yield f"  loss = {_number(self.loss)}"
        yield "\nBACKWARD: the learning flow"
        yield f"\n{self._loss!r}:  flow[j] = {self._loss.backward_formula}"
        yield from self._by_sample(self._loss_flow, self._grad)
        for layer in reversed(self._model.layers):
            yield f"\n{layer.place}:  {layer.backward_formula}"
            yield from self._by_sample(partial(_backward, layer), layer.grad_input)
            yield from self._parameters(layer)

    def _by_sample(self, line: Any, array: Array) -> Iterator[str]:
        """`line(sample, neuron, limit)` for the neurons of the samples to show."""
        width = array.shape[-1]
        for sample in range(self._samples):
            if self._batch > 1:
                yield f"  sample {sample}"
            for neuron in range(min(width, self._limit)):
                yield "  " + line(sample, neuron, self._limit)
            yield from _more(width - self._limit, "neuron")
        yield from _more(self._batch - self._samples, "sample")

    def _loss_flow(self, sample: int, neuron: int, limit: int) -> str:
        prediction = np.atleast_2d(self._model.layers[-1].output)[sample]
        worked = _loss_step(self._loss, prediction, self._target, sample, neuron)
        batch = f" / {self._batch}" if self._batch > 1 and worked else ""
        worked = f"{worked}{batch} = " if worked else ""
        return f"flow[{neuron}] = {worked}{_number(self._grad[sample, neuron])}"

    def _parameters(self, layer: Layer) -> Iterator[str]:
        if isinstance(layer, Linear):
            grads, inputs = np.atleast_2d(layer.grad_output), np.atleast_2d(layer.input)
            over = f", summed over {self._batch} samples" if self._batch > 1 else ""
            yield f"  the weights learn:  dL/dW[j,i] = grad_output[j] x[i]{over}"
            for j in range(min(layer.outputs, self._limit)):
                for i in range(min(layer.inputs, self._limit)):
                    terms = _products(grads[:, j], inputs[:, i], self._limit)
                    yield f"  dL/dW[{j},{i}] = {terms} = {_number(layer.weight.grad[j, i])}"
                yield from _more(layer.inputs - self._limit, "weight", f" of neuron {j}")
                if layer.bias:
                    terms = _sum([_number(g) for g in grads[:, j]], self._limit)
                    yield f"  dL/db[{j}] = {terms} = {_number(layer.bias.grad[j])}"
            yield from _more(layer.outputs - self._limit, "neuron")
        else:
            for parameter in layer.parameters():
                yield f"  dL/d{parameter.name} = {_number(parameter.grad)}  (all neurons, summed)"


def _forward(layer: Layer, sample: int, neuron: int, limit: int) -> str:
    x, y = np.atleast_2d(layer.input)[sample], np.atleast_2d(layer.output)[sample]
    left, right = f"y[{neuron}] = ", f" = {_number(y[neuron])}"
    if isinstance(layer, Linear):
        terms = _products(layer.weight.value[neuron], x, limit)
        bias = f" + {_factor(layer.bias.value[neuron])}" if layer.bias else ""
        return f"{left}{terms}{bias}{right}"
    assert isinstance(layer, Activation)
    name = layer.function.name if layer.function.name.isidentifier() else "f"
    if isinstance(layer.function, VectorFunction):
        return f"{left}{name}(x)[{neuron}], x[{neuron}] = {_number(x[neuron])},{right}"
    if layer.is_gated:
        gate = x[len(x) // 2 + neuron]
        return f"{left}{name}(gate={_number(gate)}, value={_number(x[neuron])}){right}"
    return f"{left}{name}({_number(x[neuron])}){right}"


def _backward(layer: Layer, sample: int, neuron: int, limit: int) -> str:
    x, flow = np.atleast_2d(layer.input)[sample], np.atleast_2d(layer.grad_output)[sample]
    given = _number(np.atleast_2d(layer.grad_input)[sample, neuron])
    left = f"grad_input[{neuron}] = "
    if isinstance(layer, Linear):
        return f"{left}{_products(flow, layer.weight.value[:, neuron], limit)} = {given}"
    assert isinstance(layer, Activation)
    function: Any = layer.function
    if isinstance(function, VectorFunction):
        return f"{left}{given}"
    if not layer.is_gated:
        slope = function.backward(np.ones_like(x), x)[neuron]
        blocked = "  (blocked: the flow ends here)" if slope == 0 else ""
        at, number = _number(x[neuron]), _factor(flow[neuron])
        return f"{left}{number}*f'({at}) = {number}*{_factor(slope)} = {given}{blocked}"
    half = len(x) // 2
    grad_gate, grad_value = function.backward(np.ones_like(flow), x[half:], x[:half])
    kind, slope = ("value", grad_value) if neuron < half else ("gate", grad_gate)
    number = _factor(flow[neuron % half])
    return f"{left}{number}*df/d{kind} = {number}*{_factor(slope[neuron % half])} = {given}"


def _loss_step(loss: Loss, prediction: Array, target: Array, sample: int, neuron: int) -> str:
    """The backward step of a loss with its numbers, before averaging over the batch."""
    p = prediction[neuron]
    if isinstance(loss, CrossEntropy):
        if target.ndim > 1:
            return ""
        shifted = np.exp(prediction.astype(float) - prediction.max())
        share = _number(shifted[neuron] / shifted.sum())
        return f"({share} - {int(target[sample] == neuron)})"
    t = np.atleast_2d(target)[sample, neuron]
    if isinstance(loss, HalfSquaredError):
        return f"({_number(p)} - {_factor(t)})"
    if isinstance(loss, BinaryCrossEntropy):
        if loss.from_logits:
            return f"(logistic({_number(p)}) - {_number(t)})"
        return f"((1 - {_number(t)}) / (1 - {_number(p)}) - {_number(t)} / {_number(p)})"
    return ""


def _products(left: Array, right: Array, limit: int) -> str:
    pairs = zip(left[: limit + 1], right, strict=False)
    return _sum([f"{_factor(a)}*{_factor(b)}" for a, b in pairs], limit, len(left))


def _sum(terms: list[str], limit: int, count: int | None = None) -> str:
    count = len(terms) if count is None else count
    hidden = f" + ... ({count - limit} more)" if count > limit else ""
    return " + ".join(terms[:limit]) + hidden


def _more(count: int, what: str, of: str = "") -> Iterator[str]:
    if count > 0:
        yield f"  ... and {count} more {what}{'s' * (count > 1)}{of}"


def _number(value: Any) -> str:
    return f"{float(value):.6g}"


def _factor(value: Any) -> str:
    text = _number(value)
    return f"({text})" if text.startswith("-") else text
