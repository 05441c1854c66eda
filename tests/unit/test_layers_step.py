"""The training step: the same numbers as the passes one by one, and nothing allocated."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

import limen
from limen.layers import blas, slabs
from limen.layers.parameter import joined

RANDOM = np.random.default_rng(0)
WIDTH = 256


def made(*functions: Any, width: int = WIDTH, **options: Any) -> limen.Model:
    layers: list[Any] = [limen.Linear(width, width)]
    for function in functions:
        activation = function if isinstance(function, limen.Activation) else None
        layers += [activation or limen.Activation(function), limen.Linear(width, width)]
    return limen.Model(layers, **options)


def batch(rows: int, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    x, y = (RANDOM.standard_normal((rows, width), np.float32) for _ in range(2))
    return x, y


@pytest.fixture(params=["whole", "in slabs"])
def _cutting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, cut as large ones are."""
    if request.param == "in slabs":
        monkeypatch.setattr(slabs, "_WORTH_SHARING", 1)
        monkeypatch.setattr(slabs, "_FEWEST_ROWS", 16)
        monkeypatch.setenv("LIMEN_NUM_THREADS", "2")


@pytest.mark.usefixtures("_cutting")
@pytest.mark.parametrize("rows", [1, 32, 50])
@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (limen.HalfSquaredError(), None),
        (limen.CrossEntropy(), "classes"),
        (limen.BinaryCrossEntropy(from_logits=True), "unit"),
    ],
    ids=repr,
)
def test_a_step_is_its_passes_one_by_one(loss: Any, labels: str | None, rows: int) -> None:
    swish = limen.activation("x * sigmoid(beta * x)", beta=1.5)
    model = made("mish", limen.Activation(swish, learnable="beta"), width=48)
    x, y = batch(rows, 48)
    target: Any = {"classes": y.argmax(axis=1), "unit": 1 / (1 + np.exp(-y))}.get(labels or "", y)
    twin = model.copy()
    prediction = twin.forward(x)
    twin.backward(loss.backward(prediction, target))
    step = model.training_step(loss, limen.SGD(0.0))
    for _ in range(2):  # layer by layer, and in a round
        assert step(x, target) == pytest.approx(loss(prediction, target), rel=1e-13)
    for mine, theirs in zip(model.layers, twin.layers, strict=True):
        np.testing.assert_array_equal(mine.output, theirs.output)
        np.testing.assert_array_equal(mine.grad_output, theirs.grad_output)
        if mine.index:
            np.testing.assert_array_equal(mine.grad_input, theirs.grad_input)
        for own, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_array_equal(own.grad, other.grad)


@pytest.mark.usefixtures("_cutting")
def test_an_activation_gives_the_same_bits_in_a_model_and_outside() -> None:
    model, (x, y) = made("mish", "gelu", width=48), batch(50, 48)
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    for _ in range(2):
        step(x, y)
    for layer in model.layers:
        if isinstance(layer, limen.Activation):
            function: Any = layer.function
            np.testing.assert_array_equal(layer.output, function(layer.input))
            grad_input = function.backward(layer.grad_output, layer.input)
            np.testing.assert_array_equal(layer.grad_input, grad_input)


@pytest.mark.usefixtures("_cutting")
def test_gradients_are_the_sums_over_the_samples() -> None:
    model, (x, y) = made("silu", width=48), batch(50, 48)
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.0))
    for _ in range(2):
        step(x, y)
    for layer in model.layers:
        if isinstance(layer, limen.Linear):
            flow, given = layer.grad_output.astype(float), layer.input.astype(float)
            # Dot products of 50 terms in float32: n u sum |a b| (Higham, Accuracy, section 3.1).
            bound = 50 * 2.0**-24 * (np.abs(flow).T @ np.abs(given))
            assert (np.abs(layer.weight.grad - flow.T @ given) <= bound).all()
            assert layer.bias is not None
            bound = 50 * 2.0**-24 * np.abs(flow).sum(axis=0)
            assert (np.abs(layer.bias.grad - flow.sum(axis=0)) <= bound).all()


def test_large_batches_are_cut_and_small_ones_are_not() -> None:
    assert slabs.cut(32, 10**6) == [...]
    pieces: Any = slabs.cut(1000, 10**9)
    assert len(pieces) > 1
    assert [p.start for p in pieces[1:]] == [p.stop for p in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].stop) == (0, 1000)


@pytest.mark.parametrize("optimizer", [limen.SGD(0.1), limen.Adam(), limen.AdamW()], ids=repr)
def test_a_steady_step_allocates_nothing(optimizer: Any) -> None:
    model, (x, y) = made("mish", "mish"), batch(1024)
    step = model.training_step(limen.HalfSquaredError(), optimizer)
    for _ in range(3):
        step(x, y)
    tracemalloc.start()
    for _ in range(10):
        step(x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 8  # views, and what a thread that has just woken makes for itself


def test_a_model_does_not_depend_on_the_number_of_threads() -> None:
    code = (
        "import hashlib, limen, numpy as np; r = np.random.default_rng(0)\n"
        "layers = [limen.Linear(300, 260), limen.Activation('silu'), limen.Linear(260, 300)]\n"
        "model = limen.Model(layers); x = r.standard_normal((1000, 300), np.float32)\n"
        "step = model.training_step(limen.HalfSquaredError(), limen.Adam())\n"
        "print([step(x, x) for _ in range(3)])\n"
        "print(*[hashlib.sha256(p.value).hexdigest() for p in model.parameters()])\n"
    )

    def run(threads: str) -> str:
        environment = {**os.environ, "LIMEN_NUM_THREADS": threads}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert run("1") == run("2")


def test_blas_gets_its_threads_back() -> None:
    if not blas.can_be_held():
        pytest.skip("this BLAS cannot be held")
    (library, *_) = blas._libraries()
    before = library.threads()
    library.set_threads(2)
    try:
        entered, left = threading.Event(), threading.Event()

        def other() -> None:
            with blas.ONE_THREAD:
                entered.set()
                left.wait(10)

        thread = threading.Thread(target=other)
        with blas.ONE_THREAD:
            assert library.threads() == 1
            thread.start()
            assert entered.wait(10)
        assert library.threads() == 1  # the other caller is still inside
        left.set()
        thread.join()
        assert library.threads() == 2
    finally:
        library.set_threads(before)


@pytest.mark.parametrize(("rows", "held"), [(128, True), (1024, True), (2, False)])
def test_blas_has_no_threads_beside_a_step_that_could_use_them(rows: int, held: bool) -> None:
    if not blas.can_be_held():
        pytest.skip("this BLAS cannot be held")
    (library, *_) = blas._libraries()
    inside = []

    class Looking(limen.HalfSquaredError):
        def measure(self, *args: Any, **options: Any) -> float:
            inside.append(library.threads())
            return super().measure(*args, **options)

    model, (x, y) = made("tanh"), batch(rows)
    before = library.threads()
    library.set_threads(2)
    try:
        model.training_step(Looking(), limen.SGD(0.1))(x, y)
        assert set(inside) == {1 if held else 2}
        assert library.threads() == 2
    finally:
        library.set_threads(before)


@pytest.mark.usefixtures("_cutting")
def test_an_error_in_a_slab_comes_out() -> None:
    class Failing(limen.HalfSquaredError):
        def measure(self, *args: Any, **options: Any) -> float:
            raise ArithmeticError("on purpose")

    model, (x, y) = made("tanh", width=48), batch(50, 48)
    with pytest.raises(ArithmeticError, match="on purpose"):
        model.training_step(Failing(), limen.SGD(0.1))(x, y)
    good = model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    assert np.isfinite(good(x, y))


def test_what_numpy_is_told_about_warnings_holds_in_every_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slabs, "_WORTH_SHARING", 1)
    monkeypatch.setattr(slabs, "_FEWEST_ROWS", 16)
    model, (x, y) = made("relu", width=48), batch(50, 48)
    with np.errstate(all="ignore"):
        model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))(x * 1e30, y)
        model.forward(x * np.float32(1e38))


def test_parameters_of_a_model_lie_side_by_side() -> None:
    model = made("relu", width=8)
    assert len(joined([parameter.value for parameter in model.parameters()])) == 1
    first, *_ = model.parameters()
    first.value = np.ones(first.shape)
    assert (joined([parameter.value for parameter in model.parameters()])[0][:64] == 1).all()


def test_an_optimizer_follows_parameters_into_a_model() -> None:
    layer = limen.Linear(2, 2)
    layer.weight.value, layer.bias.value = np.ones((2, 2)), np.ones(2)  # type: ignore[union-attr]
    parameters = layer.parameters()
    optimizer = limen.SGD(0.5)
    for parameter in parameters:
        parameter.grad = np.ones(parameter.shape)
    optimizer.step(parameters)
    model = limen.Model([layer])
    for parameter in parameters:
        parameter.grad = np.ones(parameter.shape)
    optimizer.step(parameters)
    assert (model.layers[0].weight.value == 0).all()  # type: ignore[attr-defined]


def test_arrays_of_another_size_and_of_no_float() -> None:
    model = made("relu", width=8)
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    for rows in (3, 7, 2, 7):
        assert np.isfinite(step(np.ones((rows, 8), int), np.zeros((rows, 8), np.float16)))
    with pytest.raises(limen.ShapeError, match="expected 8 inputs"):
        step(np.ones((3, 7)), np.ones((3, 8)))
    with pytest.raises(limen.ShapeError, match="target of shape"):
        step(np.ones((3, 8)), np.ones((3, 7)))
    with pytest.raises(limen.DtypeError):
        step(np.ones((3, 8)), np.ones((3, 8), complex))


def test_growing_batches_hold_on_to_the_largest_alone() -> None:
    model = limen.Model([limen.Linear(2, 3)])
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    for rows in (4, 8, 6, 16, 3):
        step(np.ones((rows, 2)), np.ones((rows, 3)))
    assert sorted(step._runs) == [(3, 2), (16, 2)]


def test_what_is_no_step_is_refused_at_once() -> None:
    model = limen.Model([limen.Linear(2, 3)])
    with pytest.raises(TypeError, match="loss must be a loss"):
        model.training_step("mse", limen.SGD(0.1))
    with pytest.raises(TypeError, match="optimizer must be an optimizer"):
        model.training_step(limen.HalfSquaredError(), "sgd")
    step = model.training_step(limen.HalfSquaredError(), limen.SGD(0.1))
    with pytest.raises(limen.ShapeError, match="at least one sample"):
        step(np.ones((0, 2)), np.ones((0, 3)))
