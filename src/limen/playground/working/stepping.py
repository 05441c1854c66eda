"""One sample's way through the model and back, layer by layer, as tables of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen import Linear
from limen.insight.comparing.trial import BLOCKED_BELOW
from limen.playground.working.numbers import plain
from limen.playground.working.seeing import slopes
from limen.playground.working.session import Session

__all__ = ["walk"]

Array = NDArray[Any]
Message = dict[str, Any]
_MOST_INPUTS = 8  # whose weight gradients stand in a row of a table


def walk(session: Session, index: int) -> Message:
    """The numbers of one sample's pass forward and back, in the order they come about.

    A copy of the model goes, so that a training between two steps finds all as it left it.

    Args:
        session: whose model and data.
        index: of a sample of the train part; counted around.

    Returns:
        `stages`: each a layer with its formula and tables; `paper`: all of it in text.
    """
    data, model = session.data, session.model.copy()
    index %= len(data.train_targets)
    x, y = data.train_inputs[index], session.targets[index]
    paper = str(model.trace(x, y, session.loss, neurons=8, show=False))
    layers: list[Any] = list(model.layers)
    stages = [_forward(layer) for layer in layers]
    stages.append(_loss(session, layers[-1], int(data.train_targets[index])))
    stages += [_backward(layer) for layer in reversed(layers)]
    return {
        "kind": "sample",
        "index": index,
        "of": len(data.train_targets),
        "x": plain(x, 5),
        "class": int(data.train_targets[index]),
        "taken": int(layers[-1].output.argmax()),
        "steps": session.steps,
        "stages": stages,
        "paper": paper,
    }


def _stage(way: str, layer: int, title: str, formula: str, *tables: Message) -> Message:
    return {"way": way, "layer": layer, "title": title, "formula": formula, "tables": tables}


def _table(names: list[str], *columns: Any, marked: Any = None, about: str = "") -> Message:
    """A table of columns of numbers; the first column counts the rows."""
    rows = [[k, *row] for k, row in enumerate(zip(*(plain(c, 5) for c in columns), strict=True))]
    marks = [bool(mark) for mark in marked] if marked is not None else [False] * len(rows)
    return {"names": names, "rows": rows, "marked": marks, "about": about}


def _forward(layer: Any) -> Message:
    if isinstance(layer, Linear):
        sums = layer.output if layer.bias is None else layer.output - layer.bias.value
        bias = np.zeros_like(sums) if layer.bias is None else layer.bias.value
        names = ["neuron", "weighted sum", "bias", "pre-activation"]
        table = _table(names, sums, bias, layer.output)
    elif layer.is_gated:
        value, gate = np.split(layer.input, 2)
        table = _table(["neuron", "gate", "value", "representation"], gate, value, layer.output)
    else:
        names = ["neuron", "pre-activation x", "representation f(x)", "derivative f′(x)"]
        slope = slopes(layer, layer.input, layer.output)
        blocked = _is_blocked(slope)
        table = _table(names, layer.input, layer.output, slope, marked=blocked)
    return _stage("forward", layer.index, _title(layer), layer.formula, table)


def _loss(session: Session, last: Any, target: int) -> Message:
    output: Array = last.output
    is_target = np.arange(len(output)) == target
    columns, names = [output], ["class", "prediction"]
    if session.loss.is_classification:
        shares = np.exp(output.astype(np.float64) - output.max())
        columns, names = [*columns, shares / shares.sum()], [*names, "probability"]
    names += ["target", "learning flow dL/dy"]
    table = _table(names, *columns, is_target, last.grad_output)
    value = session.loss(output, _as_target(session, target))
    title = f"The loss: {value:.5g}"
    formula = f"L = {session.loss.formula};  dL/dy[j] = {session.loss.backward_formula}"
    return _stage("loss", last.index, title, formula, table)


def _as_target(session: Session, target: int) -> Any:
    ones = np.eye(session.data.classes, dtype=np.float32)[target]
    return target if session.loss.is_classification else ones


def _backward(layer: Any) -> Message:
    tables = list(_linear_flows(layer) if isinstance(layer, Linear) else _flows(layer))
    return _stage("backward", layer.index, _title(layer), layer.backward_formula, *tables)


def _flows(layer: Any) -> Iterator[Message]:
    flow = layer.grad_output
    if layer.is_gated:
        value, gate = np.split(layer.grad_input, 2)
        yield _table(["neuron", "flow in", "flow to value", "flow to gate"], flow, value, gate)
    else:
        slope = slopes(layer, layer.input, layer.output)
        names = ["neuron", "flow in dL/df", "× derivative f′(x)", "= flow on dL/dx"]
        yield _table(names, flow, slope, layer.grad_input, marked=_is_blocked(slope))


def _linear_flows(layer: Any) -> Iterator[Message]:
    weights: Array = layer.weight.grad
    names, columns = ["neuron", "flow in = dL/db"], [layer.grad_output]
    if layer.inputs <= _MOST_INPUTS:
        names += [f"dL/dW[·,{i}]" for i in range(layer.inputs)]
        columns += list(weights.T)
    else:
        names += ["length of dL/dW[j,·]", "largest in it"]
        columns += [np.linalg.norm(weights, axis=1), np.abs(weights).max(axis=1)]
    yield _table(names, *columns, about="What the weights learn: dL/dW[j,i] = flow[j] x[i]")
    if layer.index:
        about = "The flow handed on to the layer before"
        yield _table(["neuron", "flow on"], layer.grad_input, about=about)


def _is_blocked(slope: Array) -> Array:
    return np.abs(slope) < BLOCKED_BELOW


def _title(layer: Any) -> str:
    return f"Layer {layer.index}: {layer!r}"
