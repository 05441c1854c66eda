"""Training, end to end: it learns real data, allocates nothing of a batch's size, stops cleanly."""

from __future__ import annotations

import os
import signal
import threading
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

import limen


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order] / 16.0, y[order]
    return x[:1437], y[:1437], x[1437:], y[1437:]


def digits_model(function: str = "relu", **options: Any) -> limen.Model:
    layers = [
        limen.Linear(64, 64),
        limen.Activation(function),
        limen.Linear(64, 64),
        limen.Activation(function),
        limen.Linear(64, 10),
    ]
    return limen.Model(layers, **options)


@pytest.mark.parametrize("function", ["relu", "x * tanh(softplus(x))"])
def test_it_learns_to_read_digits(function: str) -> None:
    x, y, test_x, test_y = digits()
    model = digits_model(function)
    history = model.fit(
        x,
        y,
        loss=limen.CrossEntropy(),
        optimizer=limen.Adam(3e-3),
        epochs=30,
        validation=(test_x, test_y),
        progress=False,
    )
    assert history.epochs == 30
    assert history.stopped is None
    assert history.loss[-1] < 0.05 < history.loss[0]
    result = model.evaluate(test_x, test_y, limen.CrossEntropy())
    assert result.accuracy is not None
    assert result.accuracy >= 0.97
    assert history.validation_accuracy[-1] == result.accuracy
    assert history.validation_loss[-1] == pytest.approx(result.loss, rel=1e-5)
    arrays = [a for layer in model.layers for a in (layer.input, layer.output)]
    assert {a.dtype.name for a in arrays} == {"float32"}
    assert {p.value.dtype.name for p in model.parameters()} == {"float32"}
    assert {p.grad.dtype.name for p in model.parameters()} == {"float32"}


def test_linear_layers_alone_cannot_learn_xor_and_one_activation_can() -> None:
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])

    def accuracy(*function: str) -> float:
        middle = [limen.Activation(name) for name in function]
        model = limen.Model([limen.Linear(2, 8), *middle, limen.Linear(8, 1)], seed=1)
        loss = limen.BinaryCrossEntropy(from_logits=True)
        options: Any = {"epochs": 300, "batch_size": 4, "progress": False}
        model.fit(x, y, loss=loss, optimizer=limen.Adam(0.05), **options)
        result = model.evaluate(x, y, loss).accuracy
        assert result is not None
        return result

    assert accuracy() <= 0.75
    assert accuracy("identity") <= 0.75
    assert accuracy("tanh") == 1.0


def test_regression_finds_the_linear_function() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    weight, bias = np.array([[1.0, -2.0, 0.5]]), 0.25
    model = limen.Model([limen.Linear(3, 1)], dtype="float64")
    history = model.fit(
        x,
        x @ weight[0] + bias,
        loss=limen.HalfSquaredError(),
        optimizer=limen.SGD(0.1, momentum=0.9),
        epochs=60,
        progress=False,
    )
    layer = model.layers[0]
    np.testing.assert_allclose(layer.weight.value, weight, atol=1e-9)  # type: ignore[attr-defined]
    np.testing.assert_allclose(layer.bias.value, [bias], atol=1e-9)  # type: ignore[attr-defined]
    assert history.accuracy == []
    assert history.loss[-1] < 1e-15


@pytest.mark.parametrize("optimizer", [limen.SGD(0.1), limen.Adam(), limen.AdamW()], ids=repr)
def test_one_epoch_is_the_steps_by_hand(optimizer: Any) -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(10, 4)).astype(np.float32), random.integers(0, 3, 10)
    layers = [limen.Linear(4, 6), limen.Activation("tanh"), limen.Linear(6, 3)]
    model, loss = limen.Model(layers), limen.CrossEntropy()
    twin = model.copy()
    losses = []
    for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):  # the last batch is smaller
        prediction = twin.forward(x[rows])
        losses.append(loss(prediction, y[rows]) * len(x[rows]))
        twin.backward(loss.backward(prediction, y[rows]))
        optimizer.step(twin.parameters())
    options: Any = {"epochs": 1, "batch_size": 4, "shuffle": False, "progress": False}
    history = model.fit(x, y, loss=loss, optimizer=optimizer, **options)
    assert history.loss == [pytest.approx(sum(losses) / 10, rel=1e-6)]
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-6, atol=1e-7)


def test_the_same_seed_learns_the_same_and_shuffles() -> None:
    x, y, *_ = digits()

    def learned(seed: int, shuffle: bool = True) -> np.ndarray:
        model = digits_model(seed=seed)
        options: Any = {"loss": limen.CrossEntropy(), "progress": False}
        model.fit(x, y, epochs=2, shuffle=shuffle, **options)
        return model.layers[0].weight.value  # type: ignore[attr-defined, no-any-return]

    np.testing.assert_array_equal(learned(3), learned(3))
    assert not np.array_equal(learned(3), learned(4))
    assert not np.array_equal(learned(3), learned(3, shuffle=False))


def test_nothing_of_a_batchs_size_is_allocated_per_step() -> None:
    batch, width = 256, 1024
    layers = [limen.Linear(width, width), limen.Activation("silu"), limen.Linear(width, 10)]
    model = limen.Model(layers)
    x = np.random.default_rng(0).normal(size=(4 * batch + 100, width)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, 10, len(x))
    seen: list[tuple[int, int]] = []  # after each step: what is held, the most since the last
    optimizer = limen.Adam()
    step = optimizer.step

    def measured(parameters: Any) -> None:
        step(parameters)
        seen.append(tracemalloc.get_traced_memory())
        tracemalloc.reset_peak()

    optimizer.step = measured  # type: ignore[method-assign]
    options: Any = {"loss": limen.CrossEntropy(), "optimizer": optimizer, "progress": False}
    tracemalloc.start()
    model.fit(x, y, epochs=4, batch_size=batch, **options)
    tracemalloc.stop()
    of_a_batch = batch * width * 4
    assert seen[0][0] > 3 * of_a_batch  # the first step makes the buffers
    # From the third epoch on, its first batch apart: by then both shapes of a batch are known.
    (held, *_), *settled = seen[10:]
    assert len(settled) == 9
    assert max(peak for _, peak in settled) - held < of_a_batch / 8
    assert settled[-1][0] - held < of_a_batch / 50


class Pressing(limen.CrossEntropy):
    """Presses Ctrl-C at its n-th batch."""

    def __init__(self, at: int, times: int = 1) -> None:
        self.left, self.times = at, times

    def measure(self, *args: Any, **options: Any) -> float:
        self.left -= 1
        if self.left == 0:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
        return super().measure(*args, **options)


class Counting(limen.Adam):
    """Counts the steps that reach their end."""

    taken = 0

    def step(self, parameters: Any) -> None:
        super().step(parameters)
        self.taken += 1


def test_ctrl_c_returns_the_history_so_far() -> None:
    x, y, *_ = digits()
    x, y = x[:640], y[:640]  # ten batches of 64
    model = digits_model()
    options: Any = {"batch_size": 64, "progress": False}
    steps = Counting()
    history = model.fit(x, y, loss=Pressing(35), optimizer=steps, epochs=20, **options)
    assert history.stopped == "interrupted (Ctrl-C) in epoch 4 of 20"
    assert history.epochs == 3
    assert "stopped: interrupted" in repr(history)
    # The batch at hand was finished: no parameter is left halfway through its step.
    assert steps.taken == 35
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # Training can go on.
    assert model.fit(x, y, loss=limen.CrossEntropy(), epochs=1, **options).epochs == 1


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    x, y, *_ = digits()
    with pytest.raises(KeyboardInterrupt):
        digits_model().fit(x, y, loss=Pressing(3, times=2), epochs=2, progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_someone_elses_handler_stays() -> None:
    x, y, *_ = digits()
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        history = digits_model().fit(x, y, loss=Pressing(3), epochs=1, progress=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]
    assert history.stopped is None


def test_threads_train_models_of_their_own() -> None:
    x, y, *_ = digits()
    options: Any = {"loss": limen.CrossEntropy(), "epochs": 2, "progress": False}
    alone = digits_model(seed=5)
    alone.fit(x, y, **options)
    models = [digits_model(seed=5) for _ in range(4)]
    threads = [threading.Thread(target=model.fit, args=(x, y), kwargs=options) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model in models:
        for mine, theirs in zip(model.parameters(), alone.parameters(), strict=True):
            np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_not_finite_stops() -> None:
    x, y = np.full((8, 2), 1e20), np.full((8, 1), -1e20)
    model = limen.Model([limen.Linear(2, 1)])
    options: Any = {"loss": limen.HalfSquaredError(), "progress": False, "epochs": 9}
    with np.errstate(all="ignore"):
        history = model.fit(x, y, optimizer=limen.SGD(1e9), **options)
    assert history.stopped is not None
    assert "smaller learning rate" in history.stopped
    assert history.epochs < 9


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # NumPy's, of inf
@pytest.mark.parametrize("where", ["x", "y"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_data_that_are_not_finite_are_named(where: str, bad: float) -> None:
    data = {"x": np.ones((6, 2)), "y": np.ones((6, 1))}
    data[where][4, 0] = bad
    model = limen.Model([limen.Linear(2, 1)])
    history = model.fit(**data, loss=limen.HalfSquaredError(), progress=False)
    assert history.stopped is not None
    assert history.stopped.startswith("the loss became")
    assert f"({where}, as float" in history.stopped
    assert "holds NaN or infinity" in history.stopped
    assert "learning rate" not in history.stopped


def test_the_progress_bar_shows_epochs_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    x, y, test_x, test_y = digits()
    options: Any = {"loss": limen.CrossEntropy(), "epochs": 2}
    digits_model().fit(x, y, validation=(test_x, test_y), **options)
    shown = capsys.readouterr().out
    assert "epoch 2/2" in shown
    assert "held out" in shown
    digits_model().fit(x, y, progress=False, **options)
    assert capsys.readouterr().out == ""


def test_the_history_plots() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    x, y, test_x, test_y = digits()
    options: Any = {"loss": limen.CrossEntropy(), "epochs": 3, "progress": False}
    history = digits_model().fit(x, y, validation=(test_x, test_y), **options)
    axes = history.plot()
    assert [line.get_label() for line in axes.get_lines()] == ["loss", "validation loss"]
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), history.loss)
    legend = axes.get_legend()
    assert len(legend.get_texts()) == 4
    axes.figure.canvas.draw()
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1  # hides no curve
    assert all(tick == round(tick) for tick in axes.get_xticks())
    matplotlib.pyplot.close("all")


def test_learnable_parameters_learn_and_stay_in_the_file(tmp_path: Any) -> None:
    x, y, test_x, _ = digits()
    swish = limen.activation("x * sigmoid(beta * x)", name="swish", beta=1.0)
    activation = limen.Activation(swish, learnable=("beta",))
    model = limen.Model([limen.Linear(64, 32), activation, limen.Linear(32, 10)])
    model.fit(x, y, loss=limen.CrossEntropy(), epochs=3, progress=False)
    (beta,) = model.layers[1].parameters()
    assert float(beta.value) != 1.0
    model.save(tmp_path / "model.safetensors")
    loaded = limen.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(test_x), model.predict(test_x))


def test_wrong_data_is_refused_before_any_step() -> None:
    x, y, *_ = digits()
    model, loss = digits_model(), limen.CrossEntropy()
    before = model.layers[0].weight.value.copy()  # type: ignore[attr-defined]
    with pytest.raises(limen.ShapeError, match=r"layer 0, Linear\(64, 64\): expected 64 inputs"):
        model.fit(x[:, :63], y, loss=loss)
    with pytest.raises(limen.ShapeError, match="labels of shape"):
        model.fit(x, y[:-1], loss=loss)
    with pytest.raises(limen.ShapeError, match="labels must be 0 to 9 for 10 outputs"):
        model.fit(x, y + 1, loss=loss)
    with pytest.raises(limen.ShapeError, match="fit, x: expected samples"):
        model.fit(x[0], y[0], loss=loss)
    with pytest.raises(limen.ShapeError, match="at least one"):
        model.fit(x[:0], y[:0], loss=loss)
    with pytest.raises(limen.ShapeError, match="labels"):
        model.fit(x, y, loss=loss, validation=(x, y[:3]))
    with pytest.raises(limen.DtypeError):
        model.fit(x.astype(complex), y, loss=loss)
    with pytest.raises(TypeError, match="loss must be a loss such as"):
        model.fit(x, y, loss="cross entropy")  # type: ignore[arg-type]
    for wrong in ("adam", limen.Adam):
        with pytest.raises(TypeError, match="optimizer must be an optimizer such as"):
            model.fit(x, y, loss=loss, optimizer=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"validation must be a pair \(x, y\)"):
        model.fit(x, y, loss=loss, validation=x[:2])  # type: ignore[arg-type]
    for name in ("epochs", "batch_size"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number from 1, given 0"):
            model.fit(x, y, loss=loss, **{name: 0})  # type: ignore[arg-type]
    np.testing.assert_array_equal(model.layers[0].weight.value, before)  # type: ignore[attr-defined]


def test_an_epoch_of_digits_is_fast() -> None:
    x, y, *_ = digits()
    model = digits_model()
    options: Any = {"loss": limen.CrossEntropy(), "progress": False}
    model.fit(x, y, epochs=1, **options)
    start = time.perf_counter()
    model.fit(x, y, epochs=5, **options)
    # 45 steps an epoch, measured at about 10 ms; the bound is for a busy machine.
    assert (time.perf_counter() - start) / 5 < 0.5
