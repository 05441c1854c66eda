"""Watching limen's own models: what is said of them is what NumPy says of the same arrays."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limen
from limen.insight.comparing.trial import BLOCKED_BELOW
from limen.insight.observing import SeenLayer
from limen.insight.observing.neurons import ENOUGH

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(200, 5)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def network(function: Any = "relu", width: int = 8, seed: int = 0) -> limen.Model:
    """Two hidden layers; a gated function takes twice the neurons."""
    halves = 2 if function == "swiglu" else 1
    return limen.Model(
        [
            limen.Linear(5, width * halves),
            limen.Activation(function),
            limen.Linear(width, width * halves),
            limen.Activation(function),
            limen.Linear(width, 2),
        ],
        seed=seed,
    )


def watched(model: limen.Model, x: Any = X) -> tuple[SeenLayer, ...]:
    """All rows of one prediction."""
    with limen.observe(model, every=1, rows=10_000) as seen:
        model.predict(x)
    return seen.layers


@pytest.mark.parametrize("function", ["relu", "tanh", "gelu", "heaviside", "x * tanh(x)"])
def test_the_figures_are_those_of_the_arrays(function: str) -> None:
    model = network(function)
    layers = watched(model)
    model.forward(X)
    assert [layer.name for layer in layers] == ["layer 1", "layer 3"]
    for seen, layer in zip(layers, (model.layers[1], model.layers[3]), strict=True):
        pre, post = layer.input.astype(float), layer.output.astype(float)
        slope = np.abs(layer.function.backward(np.ones_like(layer.input), layer.input))
        assert seen.pre_activation.mean == pytest.approx(pre.mean(), abs=1e-6)
        assert seen.activation.spread == pytest.approx(post.std(), rel=1e-5)
        assert seen.activation.sparsity == np.mean(layer.output == 0.0)
        assert seen.blocked == pytest.approx(np.mean(slope < BLOCKED_BELOW))
        np.testing.assert_allclose(seen.neurons.mean, pre.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(seen.neurons.spread, pre.std(axis=0), rtol=1e-5)
        np.testing.assert_allclose(seen.neurons.blocked, (slope < BLOCKED_BELOW).mean(axis=0))
        assert (seen.steps, seen.inputs, seen.looked, seen.width) == (1, 200, 200, 8)


def test_the_flow_is_what_the_layers_keep() -> None:
    model = network("tanh")
    with limen.observe(model, every=1, rows=10_000) as seen:
        flow = RANDOM.normal(size=model.forward(X).shape)
        model.backward(flow)
    for layer, k in zip(seen.layers, (1, 3), strict=True):
        came, went = model.layers[k].grad_output, model.layers[k].grad_input
        assert layer.flow_in == pytest.approx(np.sqrt(np.mean(came**2)), rel=1e-5)
        assert layer.flow_out == pytest.approx(np.sqrt(np.mean(went**2)), rel=1e-5)
        cosine = np.vdot(came, went) / np.linalg.norm(came) / np.linalg.norm(went)
        assert layer.angle == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-3)


def test_thresholds_draw_the_neurons_hyperplanes() -> None:
    model = network()
    neurons = watched(model)[0].neurons
    assert neurons.normal is not None
    at = neurons.threshold[:, None] * neurons.normal  # the point of each nearest to the origin
    weight, bias = model.layers[0].weight.value, model.layers[0].bias.value
    np.testing.assert_allclose(np.einsum("ij,ij->i", weight, at) + bias, 0.0, atol=1e-6)


@pytest.mark.parametrize("way", ["fit", "training_step", "forward", "predict"])
def test_every_way_through_a_model_is_seen(way: str) -> None:
    model = network()
    loss, optimizer = limen.CrossEntropy(), limen.SGD(0.1)
    with limen.observe(model, every=1) as seen:
        if way == "fit":
            model.fit(X, Y, loss=loss, optimizer=optimizer, epochs=1, batch_size=50, progress=False)
        elif way == "training_step":
            step = model.training_step(loss, optimizer)
            for k in range(4):
                step(X[50 * k : 50 * (k + 1)], Y[50 * k : 50 * (k + 1)])
        else:
            for k in range(4):
                getattr(model, way)(X[50 * k : 50 * (k + 1)])
    layer = seen.layers[0]
    assert (layer.steps, layer.inputs, layer.looked_steps, layer.looked) == (4, 200, 4, 200)
    assert (layer.flow_in is not None) == (way in ("fit", "training_step"))


def test_watching_changes_nothing() -> None:
    one, other = network(), network()
    for model in (one, other):
        loss, optimizer = limen.CrossEntropy(), limen.Adam(0.01)
        arguments: dict[str, Any] = {"loss": loss, "optimizer": optimizer, "progress": False}
        if model is one:
            with limen.observe(model, probe=(X, Y), every=1):
                model.fit(X, Y, epochs=2, **arguments)
        else:
            model.fit(X, Y, epochs=2, **arguments)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, theirs.value)


def test_nothing_stays_after_an_exception() -> None:
    model = network()
    seen = limen.observe(model, every=1)

    def fails() -> None:
        with seen:
            model.predict(X)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert model.watchers == ()
    assert seen.steps == 1
    model.predict(X)
    assert seen.steps == 1


def test_a_pass_that_fails_is_no_pass() -> None:
    model = network()
    with limen.observe(model, every=1) as seen:
        with pytest.raises(limen.ShapeError):
            model.predict(np.zeros((2, 7)))
        model.predict(X)
    assert seen.steps == 1


def test_two_observers_see_the_same() -> None:
    model = network()
    with limen.observe(model, every=1) as one:
        model.predict(X)
        with limen.observe(model, every=1) as other:
            model.predict(X)
        model.predict(X)
    assert (one.steps, other.steps) == (3, 1)
    assert model.watchers == ()


def test_an_observation_is_opened_once_at_a_time() -> None:
    seen = limen.observe(network())
    with seen, pytest.raises(limen.OrderError, match="open already"), seen:
        pass


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_spoils_nothing(value: float) -> None:
    x = X.copy()
    x[0, 0] = value
    layer = watched(network("tanh"), x)[0]
    assert layer.pre_activation.not_finite == 8  # the row, in every neuron
    assert np.isfinite([layer.pre_activation.mean, layer.pre_activation.spread]).all()
    assert np.isfinite(layer.neurons.mean).all()
    assert layer.looked == 200


def test_an_empty_batch_is_a_step_without_rows() -> None:
    model = network()
    with limen.observe(model, every=1) as seen:
        model.predict(X[:0])
        model.predict(X)
    assert (seen.steps, seen.inputs, seen.layers[0].looked) == (2, 200, 200)


def test_one_sample_without_a_batch_axis() -> None:
    assert watched(network(), X[0])[0].inputs == 1


def test_a_gated_layer_has_the_gates_neurons() -> None:
    model = network("swiglu")
    layer = watched(model)[0]
    model.forward(X)
    value, gate = np.split(model.layers[1].input, 2, axis=1)
    assert layer.width == 8
    np.testing.assert_allclose(layer.neurons.mean, gate.mean(axis=0), atol=1e-6)
    function = limen.swiglu
    by_gate, by_value = function.backward(np.ones_like(gate), gate, value)
    shut = (np.abs(by_gate) < BLOCKED_BELOW) & (np.abs(by_value) < BLOCKED_BELOW)
    assert layer.blocked == pytest.approx(shut.mean())
    assert layer.neurons.normal is not None
    weight = model.layers[0].weight.value[8:]
    unit = weight / np.linalg.norm(weight, axis=1, keepdims=True)
    np.testing.assert_allclose(layer.neurons.normal, unit, rtol=1e-6)


def test_a_learnable_parameter_counts_as_it_stands() -> None:
    layer = limen.Activation("leaky_relu", learnable="negative_slope")
    model = limen.Model([limen.Linear(5, 4), layer])
    before = watched(model)[0].blocked
    layer.learnable["negative_slope"].value = 0.0
    after = watched(model)[0].blocked
    assert before == 0.0 and after > 0.2


def test_a_surrogate_is_no_blockade() -> None:
    plain = watched(network(limen.heaviside))[0]
    helped = watched(network(limen.heaviside.surrogate("logistic")))[0]
    assert plain.blocked == 1.0 and helped.blocked < 0.01


def test_dead_and_always_on_neurons_are_found_with_their_step() -> None:
    model = network()
    bias = model.layers[0].bias.value
    with limen.observe(model, every=1, rows=10_000) as seen:
        model.predict(X)
        bias[2], bias[5] = -100.0, 100.0
        for _ in range(-(-ENOUGH // len(X))):
            model.predict(X)
    neurons = seen.layers[0].neurons
    assert np.flatnonzero(neurons.dead).tolist() == [2]
    assert neurons.dead_since.tolist() == [-1, -1, 1, -1, -1, -1, -1, -1]
    assert np.flatnonzero(neurons.always_on).tolist() == [5]
    assert [moment.dead for moment in seen.layers[0].history] == [0, 0, 0, 0, 0, 1]


def test_a_neuron_that_the_probe_opens_is_not_dead() -> None:
    model = network()
    model.layers[0].bias.value[2] = -20.0
    far = X * 100.0
    with limen.observe(model, every=1, rows=10_000, probe=(far, Y)) as seen:
        for _ in range(10):
            model.predict(X)
    assert not seen.layers[0].neurons.dead[2]


def test_a_probe_that_opens_no_neuron_proves_it_dead_and_counts_once() -> None:
    model = network()
    model.layers[0].bias.value[2] = -100.0
    probe = np.random.default_rng(0).normal(size=(1000, X.shape[1]))
    with limen.observe(model, every=1, probe=(probe, np.arange(1000) % 3)) as seen:
        for _ in range(3):
            model.predict(X)
    neurons = seen.layers[0].neurons
    assert np.flatnonzero(neurons.dead).tolist() == [2]
    assert neurons.dead_since[2] == 0
    assert neurons.dead_rows[2] == 1000 + 3 * len(X)
    with limen.observe(model, every=1, probe=(probe[:999], np.arange(999) % 3)) as seen:
        model.predict(X[:0])
    assert not seen.layers[0].neurons.dead.any()


def test_a_probe_alone_proves_no_neuron_dead_that_was_open_just_now() -> None:
    model = network()
    probe = np.random.default_rng(0).normal(size=(1000, X.shape[1]))
    with limen.observe(model, every=1, rows=10_000, probe=(probe, np.arange(1000) % 3)) as seen:
        for _ in range(10):
            model.predict(X)
        model.layers[0].bias.value[2] = -100.0
        for _ in range(3):  # 600 of 2,600 rows: less than a quarter
            model.predict(X)
        before = seen.layers[0].neurons.dead[2]
        model.predict(X)
    assert not before
    assert seen.layers[0].neurons.dead[2]
    assert seen.layers[0].neurons.dead_since[2] == 10


def test_few_rows_prove_nothing() -> None:
    model = network()
    model.layers[0].bias.value[:] = -100.0
    assert not watched(model)[0].neurons.dead.any()


def test_softmax_is_no_layer_of_neurons() -> None:
    model = limen.Model([limen.Linear(5, 3), limen.Activation(limen.softmax)])
    with limen.observe(model) as seen:
        model.predict(X)
    assert seen.layers == () and "no activation" in repr(seen)


def test_memory_stays_the_same_and_the_history_is_thinned() -> None:
    model = network()
    with limen.observe(model, every=1) as seen:
        for _ in range(1500):
            model.predict(X[:4])
    history = seen.layers[0].history
    assert len(history) <= 256
    steps = [moment.step for moment in history]
    assert steps[0] == 0 and steps[-1] == 1499
    assert len(set(np.diff(steps[:-1]))) == 1


def test_the_probe_shows_what_a_layer_can_tell() -> None:
    model = network("tanh", width=32)
    with limen.observe(model, probe=(X, Y)) as seen:
        model.fit(X, Y, loss=limen.CrossEntropy(), optimizer=limen.Adam(0.01), epochs=60,
                  progress=False)  # fmt: skip
    last = seen.layers[-1]
    first = next(m.separability for m in last.history if m.separability is not None)
    assert last.separability is not None and first is not None
    assert last.separability > 0.9 > first
    assert last.effective_rank is not None and 1.0 < last.effective_rank < 33.0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"probe": X}, TypeError),
        ({"probe": (X, Y[:-1])}, limen.ShapeError),
        ({"probe": (X, X)}, limen.ShapeError),
        ({"every": 0}, ValueError),
        ({"rows": 0}, ValueError),
        ({"every": "all"}, ValueError),
        ({"probe": (X[:0], Y[:0])}, limen.ShapeError),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="observe"):
        limen.observe(network(), **arguments)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match=r"limen\.Model or a torch\.nn\.Module"):
        limen.observe(3)


def test_the_table_escapes_and_says_what_was_seen() -> None:
    model = limen.Model([limen.Linear(5, 3), limen.Activation(limen.activation("x*x", name="<b>"))])
    seen = limen.observe(model)
    assert "Nothing was seen" in repr(seen)
    with seen:
        model.predict(X)
    assert "1 steps, 200 inputs" in repr(seen)
    assert "<b>" not in seen._repr_html_() and "&lt;b&gt;" in seen._repr_html_()


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_of_a_watched_model_is_watched_by_nobody(again: Any) -> None:
    model = network()
    with limen.observe(model) as seen:
        model.predict(X)
        other = again(model)
        other.predict(X)
    assert seen.steps == 1
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_what_was_seen_can_be_kept_and_read_elsewhere(again: Any, tmp_path: Path) -> None:
    model = network()
    with limen.observe(model, probe=(X, Y)) as seen:
        model.predict(X)
    kept = again(seen)
    model.predict(X)
    assert (repr(kept), repr(kept.diagnosis())) == (repr(seen), repr(seen.diagnosis()))
    assert kept.report(tmp_path / "kept.html").stat().st_size > 100_000
    with pytest.raises(limen.OrderError, match="a copy of what was seen"), kept:
        pass


def test_an_error_of_the_probe_is_said_to_be_its() -> None:
    model = limen.Model([limen.Linear(2, 3), limen.Activation("relu")])
    wrong = np.ones((4, 3)), np.array([0, 1, 0, 1])
    with (
        pytest.raises(
            limen.ShapeError, match="expected 2 inputs, given 3\nThis was said of the probe"
        ),
        limen.observe(model, probe=wrong),
    ):
        model.forward(np.ones((4, 2)))
    assert model.watchers == ()


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e200])
def test_weights_without_a_direction_draw_no_line(value: float) -> None:
    layer = limen.Linear(2, 1)
    layer.weight.value = [[value, value]]
    model = limen.Model([layer, limen.Activation("relu")], dtype="float64")
    with limen.observe(model, every=1) as seen:
        model.forward(np.ones((4, 2)))
    neurons = seen.layers[0].neurons  # warnings are errors
    assert np.isnan(neurons.threshold).all()
    assert neurons.normal is not None
    assert np.isnan(neurons.normal).all()
