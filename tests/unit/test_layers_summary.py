"""The summary, and Linear layers in a row that are one linear function."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import limen

X = np.random.default_rng(0).normal(size=(6, 3))


def model(*names: Any, widths: tuple[int, ...] = (3, 5, 4, 2)) -> limen.Model:
    layers: list[Any] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layers.append(limen.Linear(inputs, outputs, bias=i != 1))
        if i < len(names) and names[i] is not None:
            layers.append(limen.Activation(names[i]))
    return limen.Model(layers, dtype="float64")


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        ((), [(0, 2)]),
        (("relu",), [(2, 3)]),
        (("identity", "identity"), [(0, 4)]),
        (("2 * x - 1", "relu"), [(0, 2)]),
        (("relu", "tanh"), []),
        (("heaviside", "abs(x)"), []),
        (("where(x < 0, x, x + 1)", "where(x < 0, 2 * x, x)"), []),
        ((limen.softmax, limen.log_softmax), []),
        ((None, "tanh", "identity"), [(0, 1)]),
    ],
    ids=repr,
)
def test_runs(names: tuple[Any, ...], runs: list[tuple[int, int]]) -> None:
    found = model(*names).summary().linear_runs
    assert [(run[0], run[-1]) for run in found] == runs


@pytest.mark.parametrize("names", [(), ("identity",), ("2 * x - 1", "identity"), ("0.5 - 3 * x",)])
def test_the_merged_layer_is_the_same_function(names: tuple[str, ...]) -> None:
    chain = model(*names)
    one = limen.Model([chain.merged(0)], dtype="float64")
    np.testing.assert_allclose(one.predict(X), chain.predict(X), rtol=1e-12, atol=1e-14)


def test_merging_inside_a_model() -> None:
    whole = model("tanh", None)  # Linear, tanh, Linear, Linear
    front = whole.copy().layers[:2]
    shorter = [limen.Linear(3, 5), limen.Activation("tanh"), whole.merged(3)]
    shorter[0].weight.value = front[0].weight.value  # type: ignore[attr-defined]
    shorter[0].bias.value = front[0].bias.value  # type: ignore[attr-defined]
    assert shorter[2].weight.shape == (2, 5)  # type: ignore[attr-defined]
    merged = limen.Model(shorter, dtype="float64")
    np.testing.assert_allclose(merged.predict(X), whole.predict(X), rtol=1e-12)


def test_no_bias_where_there_is_none() -> None:
    layers = [limen.Linear(2, 3, bias=False), limen.Linear(3, 1, bias=False)]
    assert limen.Model(layers).merged(0).bias is None


def test_no_run_is_an_error_that_lists_the_runs() -> None:
    chain = model("relu")
    with pytest.raises(limen.ShapeError, match=r"layer 0 is in no run.*\[\(2, 3\)\]"):
        chain.merged(0)
    with pytest.raises(limen.ShapeError, match="runs: none"):
        model("relu", "relu").merged(0)


def test_a_surrogate_does_not_bend_the_forward_pass() -> None:
    straight = limen.get("identity").surrogate("tanh")
    assert model(straight, "relu").summary().linear_runs == [range(3)]


def test_counts_and_shapes() -> None:
    summary = model("relu", "tanh").summary()
    assert summary.parameters == (3 * 5 + 5) + 5 * 4 + (4 * 2 + 2)
    assert [row.parameters for row in summary.rows] == [20, 0, 20, 0, 10]
    assert summary.rows[1].output == "(batch, 5)"
    text = str(summary)
    assert "50 parameters learn" in text
    assert "ONE linear function" not in text
    assert repr(summary) == text


def test_the_warning_says_which_and_what() -> None:
    text = str(model("identity").summary())
    assert "Layers 0 to 3 are ONE linear function" in text
    assert "but Activation(identity), which bends nothing" in text
    assert "So is the whole model" in text
    assert "W of shape (2, 3)" in text
    assert "b of shape (2,)" in text
    assert "model.merged(0)" in text


def test_width_unknown_before_the_first_linear_layer() -> None:
    layers = [limen.Activation("glu"), limen.Linear(3, 4), limen.Activation("glu")]
    outputs = [row.output for row in limen.Model(layers).summary().rows]
    assert outputs == ["half the input", "(batch, 4)", "(batch, 2)"]
