"""What the playground trains and shows is what the library computes: no server in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playground_server import BUILD, Message

from limen.insight.comparing.data import load
from limen.playground.working.seeing import View
from limen.playground.working.session import Session
from limen.playground.working.stepping import walk


def request(**changes: Any) -> Message:
    return BUILD | {"parameters": {}} | changes


@pytest.mark.parametrize(
    ("optimizer", "loss"), [("adam", "cross_entropy"), ("momentum", "half_squared_error")]
)
def test_it_trains_as_fit_does_whoever_looks(optimizer: str, loss: str) -> None:
    session = Session(request(optimizer=optimizer, loss=loss, formula="gelu"))
    other = Session(request(optimizer=optimizer, loss=loss, formula="gelu"))
    view = View(session)
    for _ in range(3 * session.batches):
        session.learn()
        view.frame((1, 2))
        walk(session, 5)
    other.model.fit(
        other.data.train_inputs, other.targets, loss=other.loss, optimizer=other.optimizer,
        epochs=3, batch_size=32, progress=False,
    )  # fmt: skip
    for mine, theirs in zip(session.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, theirs.value)


@pytest.mark.parametrize("formula", ["relu", "tanh", "swiglu"])
def test_a_walk_shows_the_models_own_numbers(formula: str) -> None:
    session = Session(request(formula=formula))
    for _ in range(20):
        session.learn()
    found = walk(session, 3)
    x, y = session.data.train_inputs[3], session.data.train_targets[3]
    session.model.backward(session.loss.backward(session.model.forward(x), y))
    layers = session.model.layers
    ways = [(stage["way"], stage["layer"]) for stage in found["stages"]]
    assert ways == [
        *(("forward", k) for k in (0, 1, 2, 3, 4)),
        ("loss", 4),
        *(("backward", k) for k in (4, 3, 2, 1, 0)),
    ]
    for stage in found["stages"]:
        last = np.array(stage["tables"][0]["rows"], dtype=float)[:, 1:]
        layer: Any = layers[stage["layer"]]
        if stage["way"] == "forward":
            shown = last[:, -1] if stage["layer"] % 2 == 0 or formula == "swiglu" else last[:, 1]
            np.testing.assert_allclose(shown, layer.output, rtol=1e-4)
        elif stage["way"] == "backward":
            np.testing.assert_allclose(last[:, 0], layer.grad_output, rtol=1e-4)
    weights = np.array(found["stages"][-1]["tables"][0]["rows"], dtype=float)[:, 2:]
    np.testing.assert_allclose(weights, layers[0].weight.grad, rtol=1e-4)  # type: ignore[attr-defined]
    assert "BACKWARD" in found["paper"]


def test_a_neuron_in_full() -> None:
    session = Session(request(formula="tanh"))
    found = View(session).neuron(3, 4)
    model, inputs = session.model, session.data.train_inputs
    model.forward(inputs)
    before = model.layers[2].output[:, 4]
    assert sum(found["histogram"]["counts"]) == len(inputs)
    assert found["low"] == pytest.approx(np.tanh(before).min(), rel=1e-4)
    assert found["blocked"] == np.mean(1 - np.tanh(before) ** 2 < 1e-3)
    linear: Any = model.layers[2]
    np.testing.assert_allclose(found["weights"], linear.weight.value[4], rtol=1e-3)


def test_digits_have_images_and_a_confusion() -> None:
    session = Session(request(data="digits", widths=[12]))
    frame = View(session).frame(None)
    assert np.sum(frame["confusion"]) == len(load("digits").test_targets)
    assert set(frame["maps"]) == {"1", "2"}
