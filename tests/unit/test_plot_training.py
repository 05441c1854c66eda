"""Pictures of an observation: the numbers of the artists are the numbers that were seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import limen
from limen.errors import OrderError, UnknownNameError
from limen.picture import COLOUR

Make = Callable[..., Any]


def lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines}


def test_distributions_are_bands_of_quantiles(observed: Make) -> None:
    seen, figure = observed(), Figure()
    assert limen.plot.distributions(seen, "layer 3", figure) is figure
    before, before_all, after, _ = figure.axes
    layer = seen.layers[1]
    for axes, what in ((before, "pre_activation"), (after, "activation")):
        quantiles = np.array([getattr(moment, what) for moment in layer.history])
        median = lines(axes)["median"]
        np.testing.assert_array_equal(median.get_xdata(), [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(median.get_ydata(), quantiles[:, 2])
        for band, (low, high) in zip(axes.collections, ((0, 4), (1, 3)), strict=True):
            corners = band.get_paths()[0].vertices
            for k, step in enumerate((1, 2, 3, 4, 5)):
                ends = corners[corners[:, 0] == step, 1]
                assert ends.min() == quantiles[k, low]
                assert ends.max() == quantiles[k, high]
    density, edges, _ = before_all.patches[0].get_data()
    np.testing.assert_allclose((density**2 * np.diff(edges)).sum(), 1)
    assert edges[0] == layer.pre_activation.low
    assert before.get_title(loc="left") == "layer 3: mish, 7 neurons"


@pytest.mark.parametrize("layer", ["layer 3", 1, -1])
def test_a_layer_by_name_and_by_place(observed: Make, layer: Any) -> None:
    figure = limen.plot.distributions(observed(), layer, Figure())
    assert figure.axes[0].get_title(loc="left").startswith("layer 3")


@pytest.mark.parametrize("layer", ["layer 2", 2, -3])
def test_a_layer_nobody_saw(observed: Make, layer: Any) -> None:
    with pytest.raises(UnknownNameError, match="choose one of layer 1, layer 3"):
        limen.plot.distributions(observed(), layer, Figure())


def test_the_flow_on_a_logarithmic_scale(observed: Make) -> None:
    seen = observed()
    (axes,) = limen.plot.flow(seen, Figure()).axes
    assert axes.get_yscale() == "log"
    drawn = lines(axes)
    np.testing.assert_allclose(drawn["leaving the layer, latest"].get_ydata(), [2e-5, 2e-4])
    np.testing.assert_allclose(drawn["entering it"].get_ydata(), [2e-4, 2e-3])
    earliest, *_ = axes.lines
    np.testing.assert_allclose(earliest.get_ydata(), [1e-4, 1e-3])
    assert [text.get_text() for text in axes.get_xticklabels()] == [
        "layer 1\nrelu",
        "layer 3\nmish",
    ]


def test_a_flow_that_ended_is_said(observed: Make) -> None:
    seen = observed()
    seen.layers[0].history[-1].flow_out = 0.0
    (axes,) = limen.plot.flow(seen, Figure()).axes
    assert np.isnan(lines(axes)["leaving the layer, latest"].get_ydata()[0])
    assert [(text.get_text(), text.xy[0]) for text in axes.texts] == [("0", 0)]


def test_no_backward_pass_no_flow(observed: Make) -> None:
    seen = observed()
    for moment in seen.layers[1].history:
        moment.flow_out = None
    with pytest.raises(OrderError, match="backward pass"):
        limen.plot.flow(seen, Figure())


def test_blocked_over_training_and_neuron_by_neuron(observed: Make) -> None:
    seen = observed()
    over, each, *_ = limen.plot.blocked(seen, Figure()).axes
    assert [text.get_text() for text in over.get_legend().get_texts()] == ["layer 1", "layer 3"]
    for layer, line in zip(seen.layers, over.lines, strict=True):
        np.testing.assert_array_equal(
            line.get_ydata(), [moment.blocked for moment in layer.history]
        )
    for layer, image in zip(seen.layers, each.images, strict=True):
        row = np.asarray(image.get_array())[0]
        assert row[0] > 1  # the dead one, beyond the scale
        np.testing.assert_array_equal(row[1:], np.sort(layer.neurons.blocked)[::-1][1:])
    assert [text.get_text() for text in each.texts] == ["1 of 6 dead", "1 of 7 dead"]


def test_a_dead_neuron_has_a_colour_of_its_own(observed: Make) -> None:
    from matplotlib.colors import to_rgba

    image = limen.plot.blocked(observed(), Figure()).axes[1].images[0]
    drawn = image.to_rgba(image.get_array())[0]
    assert tuple(drawn[0]) == to_rgba(COLOUR)
    assert tuple(drawn[1]) != to_rgba(COLOUR)


def test_one_moment_is_a_dot(observed: Make) -> None:
    figure = limen.plot.distributions(observed(moments=1), figure=Figure())
    assert lines(figure.axes[0])["median"].get_marker() == "o"


@pytest.mark.parametrize("draw", ["blocked", "distributions", "flow"])
def test_nothing_seen_yet(observed: Make, draw: str) -> None:
    with pytest.raises(OrderError, match="nothing has been seen yet"):
        getattr(limen.plot, draw)(observed(names=()))


def test_a_name_is_shown_as_it_is(observed: Make) -> None:
    seen = observed(names=((r"_a$\b$", "x_$y$"), ("layer 3", "mish")))
    for draw in (limen.plot.blocked, limen.plot.distributions, limen.plot.flow):
        figure = draw(seen, figure=Figure())
        figure.draw_without_rendering()
    assert figure.axes[0].get_xticklabels()[0].get_text() == "_a$\\b$\nx_$y$"
    legend = limen.plot.blocked(seen, Figure()).axes[0].get_legend()
    assert legend.get_texts()[0].get_text() == r"_a$\b$"


def test_a_flow_that_diverged(observed: Make) -> None:
    seen = observed()
    seen.layers[0].history[-1].flow_out = float("inf")
    seen.layers[0].history[-1].flow_in = float("nan")
    figure = limen.plot.flow(seen, Figure())
    figure.draw_without_rendering()
    assert np.isnan(lines(figure.axes[0])["leaving the layer, latest"].get_ydata()[0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["inf"]


def test_what_was_never_observed_is_refused() -> None:
    with pytest.raises(TypeError, match=r"what limen\.observe returned"):
        limen.plot.flow(limen.Model([limen.Linear(2, 1)]))
