"""One step of a trace in text: a neuron's formula with its numbers.

Indices count from 0, products are written out with `*`, negative factors in parentheses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.layers.activation import Activation
from limen.layers.entropy import BinaryCrossEntropy, CrossEntropy
from limen.layers.layer import Layer
from limen.layers.linear import Linear
from limen.layers.loss import HalfSquaredError, Loss
from limen.vector import VectorFunction, log_softmax

__all__ = ["backward", "forward", "loss_flow", "loss_value", "number", "products", "terms"]

Array = NDArray[Any]


def forward(layer: Layer, sample: int, neuron: int, *, limit: int) -> str:
    """How `layer` makes its output `neuron`; at most `limit` terms of a sum."""
    x, y = np.atleast_2d(layer.input)[sample], np.atleast_2d(layer.output)[sample]
    left, right = f"y[{neuron}] = ", f" = {number(y[neuron])}"
    if isinstance(layer, Linear):
        bias = f" + {factor(layer.bias.value[neuron])}" if layer.bias else ""
        return f"{left}{products(layer.weight.value[neuron], x, limit)}{bias}{right}"
    assert isinstance(layer, Activation)
    name = layer.function.name if layer.function.name.isidentifier() else "f"
    if isinstance(layer.function, VectorFunction):
        return f"{left}{name}(x)[{neuron}] with x[{neuron}] = {number(x[neuron])}{right}"
    if layer.is_gated:
        gate = x[len(x) // 2 + neuron]
        return f"{left}{name}(gate={number(gate)}, value={number(x[neuron])}){right}"
    return f"{left}{name}({number(x[neuron])}){right}"


def backward(layer: Layer, sample: int, neuron: int, *, limit: int) -> str:
    """How `layer` makes the flow to its input `neuron` (of a gated one: to value and gate)."""
    x, y = np.atleast_2d(layer.input)[sample], np.atleast_2d(layer.output)[sample]
    flow, result = np.atleast_2d(layer.grad_output)[sample], np.atleast_2d(layer.grad_input)[sample]
    left, right = f"grad_input[{neuron}] = ", f" = {number(result[neuron])}"
    if isinstance(layer, Linear):
        return f"{left}{products(flow, layer.weight.value[:, neuron], limit)}{right}"
    assert isinstance(layer, Activation)
    if isinstance(layer.function, VectorFunction):
        return f"{left}{_vector_flow(layer.function, x, y, flow, neuron)}{right}"
    if layer.is_gated:
        return _gated_flow(layer, x, flow, result, neuron)
    slope = layer.function.backward(np.ones_like(x), x)[neuron]
    given = factor(flow[neuron])
    step = f"{given}*f'({number(x[neuron])}) = {given}*{factor(slope)}"
    return f"{left}{step}{right}{_blocked(slope)}"


def _gated_flow(layer: Activation, x: Array, flow: Array, result: Array, neuron: int) -> str:
    half = len(x) // 2
    function: Any = layer.function
    slopes = function.backward(np.ones_like(flow), x[half:], x[:half])
    given = factor(flow[neuron])
    lines = []
    for kind, slope, at in (("value", slopes[1], neuron), ("gate", slopes[0], half + neuron)):
        step = f"{given}*df/d{kind} = {given}*{factor(slope[neuron])} = {number(result[at])}"
        lines.append(f"grad_input[{at}] = {step}{_blocked(slope[neuron])}")
    return "\n  ".join(lines)


def _vector_flow(function: VectorFunction, x: Array, y: Array, flow: Array, neuron: int) -> str:
    given = number(flow[neuron])
    if function is log_softmax:
        share = np.exp(y[neuron].astype(float))
        return f"{given} - {number(share)}*{factor(flow.sum())}"
    sign = "-" if function.backward_formula.startswith("-") else ""
    return f"{sign}{number(y[neuron])}*({given} - {factor(np.vdot(flow, y))})"


def _blocked(slope: Any) -> str:
    return "  (blocked: the flow ends here)" if slope == 0 else ""


def loss_value(loss: Loss, prediction: Array, target: Array, *, limit: int) -> str:
    """The loss of one sample with its numbers, up to " = "; empty where it is not worked out."""
    if isinstance(loss, CrossEntropy) and target.ndim == 0:
        peak = prediction.max()
        exponentials = [f"exp({number(z)})" for z in prediction[: limit + 1]]
        inside = _joined(exponentials, limit, len(prediction)) if abs(peak) < 700 else "..."
        return f"log({inside}) - {factor(prediction[target])} = "
    if isinstance(loss, CrossEntropy):
        return ""
    pairs = list(zip(prediction[: limit + 1], target, strict=False))
    if isinstance(loss, HalfSquaredError):
        squares = [f"({number(p)} - {factor(t)})^2" for p, t in pairs]
        return f"1/2 [{_joined(squares, limit, len(prediction))}] = "
    if isinstance(loss, BinaryCrossEntropy):
        costs = [_cost(loss, number(p), number(t)) for p, t in pairs]
        sign = "" if loss.from_logits else "-"
        return f"{sign}[{_joined(costs, limit, len(prediction))}] = "
    return ""


def _cost(loss: BinaryCrossEntropy, p: str, t: str) -> str:
    if loss.from_logits:
        return f"softplus({p}) - {t}*{f'({p})' if p.startswith('-') else p}"
    return f"{t}*log({p}) + (1 - {t})*log(1 - {p})"


def loss_flow(loss: Loss, prediction: Array, target: Array, neuron: int) -> str:
    """The flow of one sample with its numbers, before averaging over the batch."""
    p = prediction[neuron]
    if isinstance(loss, CrossEntropy):
        if target.ndim:
            return ""
        exponentials = np.exp(prediction.astype(float) - prediction.max())
        share = number(exponentials[neuron] / exponentials.sum())
        return f"({share} - {int(target == neuron)})"
    t = target[neuron] if target.ndim else target
    if isinstance(loss, HalfSquaredError):
        return f"({number(p)} - {factor(t)})"
    if isinstance(loss, BinaryCrossEntropy):
        if loss.from_logits:
            return f"(logistic({number(p)}) - {number(t)})"
        return f"((1 - {number(t)}) / (1 - {number(p)}) - {number(t)} / {number(p)})"
    return ""


def products(left: Array, right: Array, limit: int) -> str:
    """`left[0]*right[0] + left[1]*right[1] + ...`, at most `limit` terms."""
    pairs = zip(left[: limit + 1], right, strict=False)
    return _joined([f"{factor(a)}*{factor(b)}" for a, b in pairs], limit, len(left))


def terms(values: Array, limit: int) -> str:
    """`values[0] + values[1] + ...`, at most `limit` of them."""
    return _joined([factor(value) for value in values[: limit + 1]], limit, len(values))


def _joined(written: list[str], limit: int, count: int) -> str:
    hidden = f" + ... ({count - limit} more)" if count > limit else ""
    return " + ".join(written[:limit]) + hidden


def number(value: Any) -> str:
    """A number with six digits."""
    return f"{float(value):.6g}"


def factor(value: Any) -> str:
    """A number that stands after an operator."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text
