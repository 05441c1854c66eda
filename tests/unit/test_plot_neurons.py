"""The network as a grid of neurons: what is drawn is what the model computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import limen
from limen.errors import LimenError, ShapeError

X = np.array([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
Y = np.array([0, 0, 1, 1])


def xor() -> limen.Model:
    """A model that solves the exclusive or by hand: relu(a + b), relu(a + b - 1), folded once."""
    first, last = limen.Linear(2, 3), limen.Linear(3, 2)
    first.weight.value = [[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]]
    first.bias.value = [0.5, -1.0, -1.0]  # type: ignore[union-attr]
    last.weight.value = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    last.bias.value = [0.0, 0.25]  # type: ignore[union-attr]
    return limen.Model([first, limen.Activation("relu"), last], dtype="float64")


def drawn(**options: Any) -> tuple[limen.Model, list[Any]]:
    model = xor()
    figure = Figure()
    assert limen.plot.neurons(model, X, Y, figure, **options) is figure
    return model, figure.axes


def titles(axes: list[Any]) -> list[str]:
    return [each.get_title(loc="left") for each in axes]


def test_a_row_for_each_layer_and_a_picture_for_each_neuron() -> None:
    _, axes = drawn()
    assert titles(axes) == ["all lines", "0", "1", "2 constant", "largest output", "0", "1", ""]
    assert [each.get_ylabel() for each in axes[::4]] == ["layer 1: relu\n3 neurons",
                                                         "layer 2\n2 neurons"]  # fmt: skip


def test_each_neuron_shows_what_it_answers_over_the_plane() -> None:
    _, axes = drawn()
    (image,) = axes[1].images
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == pytest.approx((-1.3, 1.3, -1.3, 1.3))
    values = image.get_array()
    rows, columns = values.shape
    across, up = np.meshgrid(np.linspace(left, right, columns), np.linspace(bottom, top, rows))
    np.testing.assert_allclose(values, np.maximum(across + up + 0.5, 0), atol=1e-12)
    assert image.origin == "lower"
    assert image.norm.vmin == -image.norm.vmax == -values.max()


def vertices(axes: Any) -> np.ndarray:
    (lines,) = (c for c in axes.collections if type(c).__name__ == "QuadContourSet")
    return np.concatenate([path.vertices for path in lines.get_paths()])


def test_the_line_is_the_neuron_s_hyperplane() -> None:
    _, axes = drawn()
    line = vertices(axes[1])
    assert len(line) > 10
    np.testing.assert_allclose(line.sum(axis=1), -0.5, atol=1e-9)
    np.testing.assert_allclose(vertices(axes[2])[:, 1], 0.5, atol=1e-9)
    assert not any(type(c).__name__ == "QuadContourSet" for c in axes[3].collections)


def test_a_deeper_line_folds_where_the_layer_before_bends() -> None:
    # Behind the relu the second output is relu(2 b - 1) + 0.25: no line. A steeper bias has one.
    model = xor()
    model.layers[2].bias.value = [-1.0, -0.5]
    axes = limen.plot.neurons(model, X, Y, Figure()).axes
    line = vertices(axes[5])  # relu(a + b + 0.5) = 1, so a + b = 0.5
    np.testing.assert_allclose(line.sum(axis=1), 0.5, atol=1e-9)


def test_the_decision_regions_are_the_largest_output() -> None:
    model, axes = drawn()
    (image,) = axes[4].images
    values = np.asarray(image.get_array())
    side = np.linspace(-1.3, 1.3, values.shape[0])
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    expected = model.predict(points).argmax(axis=1).reshape(values.shape)
    assert set(expected.ravel()) == {0, 1}
    np.testing.assert_array_equal(values, expected)


def test_the_data_are_there_in_the_colours_of_their_classes() -> None:
    _, axes = drawn()
    points = axes[1].collections[1:]
    assert [c.get_offsets().tolist() for c in points] == [X[Y == 0].tolist(), X[Y == 1].tolist()]
    assert not np.array_equal(points[0].get_facecolor(), points[1].get_facecolor())


def test_a_single_output_is_asked_for_its_sign() -> None:
    model = limen.Model([limen.Linear(2, 1), limen.Activation("logistic")], dtype="float64")
    axes = limen.plot.neurons(model, X, figure=Figure()).axes
    assert titles(axes) == ["pre-activation > 0", "0"]
    expected = model.predict(np.array([[-1.3, -1.3], [1.3, 1.3]]))[:, 0] > 0.5
    image = np.asarray(axes[0].images[0].get_array())
    assert [bool(image[0, 0]), bool(image[-1, -1])] == expected.tolist()


def test_a_gated_neuron_s_line_is_its_gate_s() -> None:
    model = limen.Model([limen.Linear(2, 2), limen.Activation("swiglu")], dtype="float64")
    model.layers[0].weight.value = [[0.3, 0.1], [1.0, 0.0]]  # value, gate
    model.layers[0].bias.value = [0.2, -0.4]
    axes = limen.plot.neurons(model, X, figure=Figure()).axes
    np.testing.assert_allclose(vertices(axes[1])[:, 0], 0.4, atol=1e-9)


def test_no_more_neurons_than_asked_for() -> None:
    _, axes = drawn(shown=2)
    assert titles(axes) == ["all lines", "0", "1", "largest output", "0", "1"]
    assert axes[0].get_ylabel() == "layer 1: relu\n2 of 3 neurons"


def test_images_show_weights_and_then_the_strongest_samples() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((40, 6))
    model = limen.Model(
        [limen.Linear(6, 3), limen.Activation("tanh"), limen.Linear(3, 2)], dtype="float64"
    )
    axes = limen.plot.neurons(model, x, figure=Figure(), image=(2, 3)).axes
    weight = model.layers[0].weight.value
    for neuron in range(3):
        image = np.asarray(axes[neuron].images[0].get_array())
        np.testing.assert_array_equal(image, weight[neuron].reshape(2, 3))
    output = model.predict(x)[:, 1]
    strongest = sorted(range(40), key=lambda i: output[i])[-2:]  # 5% of 40
    expected = x[strongest].mean(axis=0).reshape(2, 3)
    np.testing.assert_allclose(np.asarray(axes[4].images[0].get_array()), expected)
    kinds = [axes[row].get_ylabel().splitlines()[-1] for row in (0, 3)]
    assert kinds == ["weights", "top 5% of data"]


def test_the_model_is_left_as_it_was() -> None:
    model = xor()
    before = model.forward(X)
    limen.plot.neurons(model, X, Y, Figure())
    assert model.layers[2].output is before
    assert model.layers[0].input.shape == (4, 2)


def test_inputs_that_are_no_picture_are_refused_with_advice() -> None:
    model = limen.Model([limen.Linear(5, 2)])
    with pytest.raises(ShapeError, match=r"5 inputs.*image=\(rows, columns\)"):
        limen.plot.neurons(model, np.ones((3, 5)), figure=Figure())
    with pytest.raises(ShapeError, match="one class for each of 4 samples"):
        limen.plot.neurons(xor(), X, Y[:2], Figure())
    with pytest.raises(LimenError, match=r"limen\.Model or a torch\.nn\.Module, given 'net'"):
        limen.plot.neurons("net", X, figure=Figure())


def test_no_samples_is_no_picture() -> None:
    for draw in (limen.plot.neurons, limen.plot.representations):
        with pytest.raises(ShapeError, match="at least one sample"):
            draw(xor(), X[:0], Y[:0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_nowhere_on_the_plane(value: float) -> None:
    with_one, without = Figure(), Figure()
    limen.plot.neurons(xor(), np.vstack([X, [value, 0.0]]), np.append(Y, 0), with_one)
    limen.plot.neurons(xor(), X, Y, without)
    for one, other in zip(with_one.axes, without.axes, strict=True):
        assert one.get_xlim() == other.get_xlim()
        assert one.get_ylim() == other.get_ylim()
    with pytest.raises(LimenError, match="no sample is on the plane"):
        limen.plot.neurons(xor(), np.full((3, 2), value), figure=Figure())
