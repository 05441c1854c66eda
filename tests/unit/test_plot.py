"""`limen.plot`: the door, one function as a picture, and representations on the plane."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import limen
from limen import picture
from limen.errors import MissingPackageError
from limen.insight.plot.projection import project


@pytest.fixture
def pyplot(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield plt
    plt.close("all")


def test_the_room_is_public_and_loads_no_matplotlib() -> None:
    code = "import sys, limen; limen.plot.neurons; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
    assert "plot" in limen.__all__


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match=r"limen\[plot\]"):
        limen.plot.function("relu")


def test_a_function_with_its_derivative_and_properties() -> None:
    figure = Figure()
    assert limen.plot.function("hardtanh", figure) is figure
    curves, table = figure.axes
    value, slope = curves.lines[-4], curves.lines[-3]
    x = value.get_xdata()
    shown = np.isfinite(value.get_ydata())
    np.testing.assert_allclose(value.get_ydata()[shown], np.clip(x[shown], -1, 1))
    inside = np.abs(slope.get_xdata()) < 0.999
    assert set(slope.get_ydata()[inside]) == {1.0}
    said = [text.get_text() for text in table.texts]
    answers = dict(zip(said[::2], said[1::2], strict=True))
    assert answers["kinks"] == "-1, 1"
    assert answers["monotonic"] == answers["bounded"] == "yes"
    assert answers["parameters"] == "min_val = -1, max_val = 1"
    assert answers["hardtanh′"] == limen.get("hardtanh").derivative().formula


def test_a_text_with_dollars_is_no_formula_of_matplotlib_s() -> None:
    figure = limen.plot.function("x * sigmoid(1.5 * x)", Figure())
    assert not any(text.get_parse_math() for text in figure.axes[1].texts[1::2])


def test_a_new_figure_is_pyplot_s_and_a_notebook_shows_it_once(
    pyplot: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = limen.plot.function("relu")
    assert pyplot.fignum_exists(figure.number)  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "matplotlib.get_backend", lambda: "module://matplotlib_inline.backend_inline"
    )
    figure = limen.plot.function("relu")
    assert not pyplot.fignum_exists(figure.number)  # type: ignore[attr-defined]


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_a_picture_follows_matplotlib_s_style(pyplot: object, style: str) -> None:
    with pyplot.style.context(style):  # type: ignore[attr-defined]
        figure = limen.plot.function("hardtanh")
        ground = figure.axes[0].get_facecolor()
        text = figure.axes[1].texts[1].get_color()
        ring = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert to_rgba(ring.get_markerfacecolor()) == ground
    assert abs(sum(text[:3]) - sum(ground[:3])) > 2  # black on white or white on black


def test_the_projection_keeps_what_an_eigenvalue_problem_says() -> None:
    random = np.random.default_rng(1)
    values = random.standard_normal((60, 5)) @ random.standard_normal((5, 5))
    points, explained = project(values)
    variances, vectors = np.linalg.eigh(np.cov(values.T))
    assert explained == pytest.approx(variances[-2:].sum() / variances.sum(), rel=1e-12)
    expected = (values - values.mean(axis=0)) @ vectors[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-10)
    assert (points[np.abs(points).argmax(axis=0), [0, 1]] > 0).all()


def test_the_projection_of_what_does_not_vary() -> None:
    points, explained = project(np.full((4, 3), 7.0))
    assert explained == 1.0
    assert not points.any()
    assert project(np.zeros((1, 3))).points.shape == (1, 2)


def test_representations_layer_by_layer() -> None:
    random = np.random.default_rng(2)
    x, y = random.standard_normal((30, 4)), random.integers(0, 3, 30)
    model = limen.Model(
        [limen.Linear(4, 6), limen.Activation("tanh"), limen.Linear(6, 3)], dtype="float64"
    )
    figure = limen.plot.representations(model, x, y, Figure())
    model.forward(x)
    representations = [x, model.layers[1].output, model.layers[2].output]
    titles = ["input (4)", "layer 1: tanh (6)", "layer 2 (3)"]
    for axes, values, title in zip(figure.axes, representations, titles, strict=True):
        points, explained = project(values)
        assert axes.get_title(loc="left") == f"{title}\n{explained:.1%} explained"
        for label, drawn in enumerate(axes.collections):
            np.testing.assert_allclose(drawn.get_offsets(), points[y == label], atol=1e-9)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1", "2"]


def test_samples_that_are_not_finite_are_counted() -> None:
    model = limen.Model([limen.Linear(2, 2)], dtype="float64")
    x = np.array([[0.0, 1.0], [np.nan, 1.0], [2.0, 2.0]])
    axes = limen.plot.representations(model, x, figure=Figure()).axes[0]
    assert axes.get_title(loc="left") == "input (2)\n100.0% explained, 1 not finite"
    assert len(axes.collections[0].get_offsets()) == 2


def test_a_curve_that_leaves_the_picture_by_far_is_drawn_without_a_warning() -> None:
    axes = limen.plot.function("x**1000", figure=Figure()).axes[0]  # warnings are errors
    assert axes.get_xlim() == (-4.0, 4.0)
    assert max(map(abs, axes.get_ylim())) < 8.0


def test_a_figure_of_figures() -> None:
    left, right = Figure(layout="constrained").subfigures(1, 2)
    assert limen.plot.function("relu", left) is left
    model = limen.Model([limen.Linear(2, 2)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert limen.plot.neurons(model, np.eye(2), figure=right) is right
    assert len(picture.points((0.0,))) == 1
